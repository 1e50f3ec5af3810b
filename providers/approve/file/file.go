// Package file is a [policy.Approver] that reads decisions from a file, each signed by the person who made it: for places
// where approvals travel by mail, by a repository or on a stick.
//
// The file has one decision on each line, a JSON object as [policy.Decision] is written, in the order in which they were made.
// Blank lines and lines that begin with # are passed over. Every line must be signed with the key of the person whom it names
// ([policy.Decision.Sign]), have a digest and a time, and end with a line feed. The groups of that person are those of the key
// ring. One line that is not so makes the whole file worth nothing, with an error that names the line: who has changed one
// line may have taken another one away.
//
// The file is read anew each time, as a whole. Whoever writes it puts a new file in its place by renaming; a file that
// changes while it is read is an error, and so no answer. It cannot be seen from a file that its last lines are missing,
// such as a denial, or that it is an older one: give decisions a date of expiry, and let those who approve put the file in
// place.
//
// It was tested with files that were cut off, changed, repeated and replaced, on Linux.
package file

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/patchflow/patchflow/policy"
)

// Bounds of a file.
const (
	maxFile  = 1 << 20 // bytes
	maxLines = 10_000
)

// Config says what an [Approver] is made of.
type Config struct {
	Path string           // the file
	Keys *policy.KeyRing  // whose signatures are known
	Now  func() time.Time // nil means [time.Now]
}

// An Approver finds the decisions about a request in a file, by the digest. It is a [policy.Panel], and safe for concurrent use.
type Approver struct{ cfg Config }

var (
	_ policy.Approver = (*Approver)(nil)
	_ policy.Panel    = (*Approver)(nil)
)

// New makes an approver. The file need not be there yet.
func New(cfg Config) (*Approver, error) {
	switch {
	case cfg.Path == "":
		return nil, errors.New("file: Config.Path is missing")
	case cfg.Keys == nil:
		return nil, errors.New("file: Config.Keys is missing: nobody could approve anything")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Approver{cfg}, nil
}

// Decide implements [policy.Approver]: it returns the decision that settles r.
func (a *Approver) Decide(ctx context.Context, r policy.Request) (policy.Decision, error) {
	ds, err := a.Decisions(ctx, r)
	if err != nil {
		return policy.Decision{}, err
	}
	return policy.Settling(r, ds, a.cfg.Now()), nil
}

// Decisions implements [policy.Panel]: all decisions that have the digest of r. A file that is not there is an error that wraps
// [os.ErrNotExist]; a signature that does not hold is one that wraps [policy.ErrSignature].
func (a *Approver) Decisions(ctx context.Context, r policy.Request) ([]policy.Decision, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	data, err := read(a.cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("file: %s: %w", a.cfg.Path, err)
	}
	all, err := parse(data, a.cfg.Keys)
	if err != nil {
		return nil, fmt.Errorf("file: %s:%w", a.cfg.Path, err)
	}
	var about []policy.Decision
	for _, d := range all {
		if d.Digest == r.Digest {
			about = append(about, d)
		}
	}
	return about, nil
}

// read reads a whole file, and notices if it is changed meanwhile.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("larger than %d bytes", maxFile)
	}
	after, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if after.Size() != int64(len(data)) || !after.ModTime().Equal(before.ModTime()) {
		return nil, errors.New("it was changed while it was read")
	}
	return data, nil
}

// parse reads the lines of a file. Its errors begin with the number of the line.
func parse(data []byte, keys *policy.KeyRing) (all []policy.Decision, err error) {
	for n := 1; len(data) > 0; n++ {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		data = rest
		switch {
		case n > maxLines:
			return nil, fmt.Errorf("%d: more than %d lines", n, maxLines)
		case !whole:
			return nil, fmt.Errorf("%d: cut off: the line does not end with a line feed", n)
		case len(bytes.TrimSpace(line)) == 0 || line[0] == '#':
			continue
		}
		d, err := parseLine(line, keys)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", n, err)
		}
		all = append(all, d)
	}
	return all, nil
}

func parseLine(line []byte, keys *policy.KeyRing) (policy.Decision, error) {
	var d policy.Decision
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return d, fmt.Errorf("not a decision: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return d, errors.New("something follows after the decision")
	}
	switch {
	case d.Ruling == policy.Pending:
		return d, errors.New("it decides nothing")
	case d.Digest == "" || d.At.IsZero():
		return d, errors.New("the digest or the time is missing")
	case d.Rule != "":
		return d, errors.New("a rule does not sign")
	case d.Emergency != nil && len(d.Emergency.Bypassed) > 0:
		return d, errors.New("what an emergency bypassed is not said beforehand")
	}
	return keys.Verify(d)
}
