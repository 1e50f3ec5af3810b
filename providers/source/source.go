// Package source holds what the readers of feeds below it share: how a file is opened, within which bounds it is read, and
// how publishers' words and scores are translated.
//
// A reader of a feed reads what an [Opener] gives it, and never fetches anything itself.
package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/patchflow/patchflow/internal/bounded"
	"github.com/patchflow/patchflow/patch"
)

// ErrTooLarge is wrapped by the error for a feed that exceeds a bound of [Limits].
var ErrTooLarge = bounded.ErrTooLarge

// An Opener opens a file for reading from its start, at every call anew. It is safe for concurrent use.
type Opener func() (io.ReadCloser, error)

// File returns an [Opener] of a file in fsys, as [os.DirFS] or an [embed.FS] gives one.
func File(fsys fs.FS, name string) Opener {
	return func() (io.ReadCloser, error) { return fsys.Open(name) }
}

// Limits are the bounds within which a feed is read. A zero field means its default.
type Limits struct {
	Bytes      int64 // of one file, decompressed; 512 MiB
	Ratio      int64 // of decompressed to compressed bytes, beyond the first MiB; 100
	Dictionary int64 // of xz and zstd, in bytes; 64 MiB, which is that of "xz -9"
	Records    int   // in all files of a listing together; 1,000,000

	// Refused is how many records may be refused where the errors are gathered, as by what reads a file at once; 10,000. A file
	// with more of them is not the feed that it is taken for.
	Refused int
}

// Max returns how many records a listing may have.
func (l Limits) Max() int {
	if l.Records <= 0 {
		return 1_000_000
	}
	return l.Records
}

// Refuse appends the error of a record to those that are gathered. Its own error, which wraps [ErrTooLarge], says that there are too
// many.
func (l Limits) Refuse(refused []error, err error) ([]error, error) {
	most := l.Refused
	if most <= 0 {
		most = 10_000
	}
	if len(refused) >= most {
		return refused, fmt.Errorf("more than %d records cannot be read: %w", most, ErrTooLarge)
	}
	return append(refused, err), nil
}

// Gather takes what read gives to its end: the records, and apart from them the errors of those that cannot be read. read stops
// when give returns false. A failure leaves no records, and the errors until then. That these were too many is an error that
// begins with where, and wraps [ErrTooLarge].
func Gather[T any](l Limits, where string, read func(give func(T, error) bool) error) (all []T, refused []error, err error) {
	var many error
	err = read(func(record T, err error) bool {
		if err != nil {
			refused, many = l.Refuse(refused, err)
		} else {
			all = append(all, record)
		}
		return many == nil
	})
	if many != nil {
		err = fmt.Errorf("%s: %w", where, many)
	}
	if err != nil {
		return nil, refused, err
	}
	return all, refused, nil
}

// Reader decompresses r, as its first bytes tell, within the bounds.
func (l Limits) Reader(r io.Reader) (io.Reader, error) {
	return bounded.NewReader(r, bounded.Limits{Bytes: l.Bytes, Ratio: l.Ratio, Dictionary: l.Dictionary})
}

// Open opens a file and decompresses it within the bounds. Closing what it returns closes the file.
func (l Limits) Open(o Opener) (io.ReadCloser, error) {
	f, err := o()
	if err != nil {
		return nil, err
	}
	r, err := l.Reader(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return file{r, f}, nil
}

type file struct {
	io.Reader
	io.Closer
}

// Bad returns the error for a record that cannot be read: where says in which file and at which place, as in
// "feed.json: record 12". It wraps [patch.ErrRecord].
func Bad(where string, err error) error {
	return fmt.Errorf("%s: %w: %w", where, patch.ErrRecord, err)
}
