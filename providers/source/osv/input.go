package osv

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/patchflow/patchflow/internal/bounded"
	"github.com/patchflow/patchflow/providers/source"
)

// A file is one record as it lies in an input.
type file struct {
	data  []byte // until the next file is read
	err   error  // why there is none
	input string
	path  string // in a folder or a zip
	place int    // among those of a file that holds several, from 1
	line  int    // where it begins, from 1
}

// where says where a record lies. Names within folders and zips are anybody's, and therefore quoted.
func (f *file) where() string {
	text := "osv: " + f.input
	if f.path != "" {
		text += fmt.Sprintf(": %q", f.path)
	}
	if f.place > 0 {
		text += fmt.Sprintf(": record %d, line %d", f.place, f.line)
	}
	return text
}

// A reading is one pass over the inputs.
type reading struct {
	*Config
	ctx   context.Context
	visit func(file) error
	count int
	room  bytes.Buffer // for one record
}

// each reads all inputs and passes every record to visit, whose error ends it.
func (s *Source) each(ctx context.Context, visit func(file) error) error {
	r := &reading{Config: &s.config, ctx: ctx, visit: visit}
	for i, in := range s.config.Inputs {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := in.Name
		if name == "" {
			name = fmt.Sprintf("input %d", i+1)
		}
		at := file{input: name}
		var err error
		if in.Folder != nil {
			err = r.folder(in.Folder, at)
		} else {
			err = r.open(in.Open, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// found passes one record on.
func (r *reading) found(f file) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if r.count++; r.count > r.Limits.Max() {
		return fmt.Errorf("%s: more than %d records: %w", f.where(), r.Limits.Max(), source.ErrTooLarge)
	}
	f.data = bytes.TrimPrefix(f.data, []byte(mark))
	return r.visit(f)
}

// open reads what an opener gives: a zip, or records one after the other.
func (r *reading) open(open source.Opener, at file) error {
	in, err := open()
	if err != nil {
		return fmt.Errorf("%s: %w", at.where(), err)
	}
	defer in.Close()
	if random, size, ok := randomAccess(in); ok {
		var magic [4]byte
		if n, err := random.ReadAt(magic[:], 0); err != nil && err != io.EOF {
			return fmt.Errorf("%s: %w", at.where(), err)
		} else if isZip(magic[:n]) {
			return r.zip(random, size, at)
		}
		return r.stream(in, at)
	}
	buffered := bufio.NewReader(in)
	magic, err := buffered.Peek(4)
	if err != nil && err != io.EOF {
		return fmt.Errorf("%s: %w", at.where(), err)
	}
	if !isZip(magic) {
		return r.stream(buffered, at)
	}
	content, err := io.ReadAll(io.LimitReader(buffered, r.Buffer+1))
	if err != nil {
		return fmt.Errorf("%s: %w", at.where(), err)
	}
	if int64(len(content)) > r.Buffer {
		return fmt.Errorf("%s: a zip of more than %d bytes that cannot be read where it lies: %w", at.where(), r.Buffer, source.ErrTooLarge)
	}
	return r.zip(bytes.NewReader(content), int64(len(content)), at)
}

// isZip says whether a file that begins with magic is a zip: its first entry, or the end of its empty directory.
func isZip(magic []byte) bool {
	return string(magic) == "PK\x03\x04" || string(magic) == "PK\x05\x06"
}

// randomAccess returns what is open as an [io.ReaderAt] with its size, if it is one and can tell.
func randomAccess(in io.Reader) (io.ReaderAt, int64, bool) {
	at, ok := in.(io.ReaderAt)
	if !ok {
		return nil, 0, false
	}
	if f, ok := in.(interface{ Stat() (fs.FileInfo, error) }); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return at, info.Size(), true
		}
	}
	if f, ok := in.(io.Seeker); ok {
		if size, err := f.Seek(0, io.SeekEnd); err == nil {
			_, err = f.Seek(0, io.SeekStart)
			return at, size, err == nil
		}
	}
	return nil, 0, false
}

// stream reads records one after the other.
func (r *reading) stream(in io.Reader, at file) error {
	content, err := r.Limits.Reader(in)
	if err != nil {
		return fmt.Errorf("%s: %w", at.where(), err)
	}
	frames := newFrames(content, r.Record, &r.room)
	for {
		frame, err := frames.next()
		f := at
		f.data, f.err, f.place, f.line = frame.data, frame.err, frames.place, frame.line
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", f.where(), err)
		}
		if err := r.found(f); err != nil {
			return err
		}
	}
}

// folder reads the files of a folder and of all below it.
func (r *reading) folder(folder fs.FS, at file) error {
	return fs.WalkDir(folder, ".", func(path string, d fs.DirEntry, err error) error {
		f := at
		f.path = path
		if err == nil {
			err = r.ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.where(), err)
		}
		if path == "." && !d.IsDir() {
			return fmt.Errorf("%s: not a folder", f.where())
		}
		kind := kindOf(path)
		if kind == other || d.IsDir() {
			return nil
		}
		if d.Type()&fs.ModeSymlink != 0 {
			info, err := fs.Stat(folder, path)
			if err != nil {
				return fmt.Errorf("%s: %w", f.where(), err)
			}
			if !info.Mode().IsRegular() {
				return nil
			}
		} else if !d.Type().IsRegular() {
			return nil
		}
		if kind != single {
			return r.open(source.File(folder, path), f)
		}
		in, err := folder.Open(path)
		if err != nil {
			return fmt.Errorf("%s: %w", f.where(), err)
		}
		defer in.Close()
		limits := r.Limits
		limits.Bytes = r.Record
		content, err := limits.Reader(in)
		if err == nil {
			r.room.Reset()
			_, err = r.room.ReadFrom(content)
		}
		switch {
		case err == nil:
			f.data = r.room.Bytes()
		case errors.Is(err, source.ErrTooLarge), errors.Is(err, bounded.ErrCorrupt), errors.Is(err, io.ErrUnexpectedEOF):
			f.err = err
		default:
			return fmt.Errorf("%s: %w", f.where(), err)
		}
		return r.found(f)
	})
}

// kind is what a file is by its name.
type kind uint8

const (
	other kind = iota
	single
	several
	archive
)

func kindOf(path string) kind {
	path = strings.ToLower(path)
	if strings.HasSuffix(path, ".zip") {
		return archive
	}
	for _, packed := range [...]string{".gz", ".xz", ".zst"} {
		path = strings.TrimSuffix(path, packed)
	}
	switch {
	case strings.HasSuffix(path, ".json"):
		return single
	case strings.HasSuffix(path, ".jsonl"), strings.HasSuffix(path, ".ndjson"):
		return several
	}
	return other
}

// directory is how many bytes of a zip may be its directory, which is held in memory at about six times its size.
const directory = 32 << 20

// zip reads the records of a zip, one in each .json, in the order of its directory.
func (r *reading) zip(in io.ReaderAt, size int64, at file) error {
	opened := &gate{in: in, left: directory}
	archive, err := zip.NewReader(opened, size)
	if opened.left < 0 {
		return fmt.Errorf("%s: the directory of the zip has more than %d bytes: %w", at.where(), directory, source.ErrTooLarge)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", at.where(), err)
	}
	opened.open = true
	left := r.allowed(size)
	for _, entry := range archive.File {
		f := at
		f.path = strings.TrimPrefix(at.path+"!"+entry.Name, "!")
		if kindOf(entry.Name) != single || entry.FileInfo().IsDir() {
			continue
		}
		r.room.Reset()
		n, err := r.unzip(entry, min(left, r.Record)+1)
		if left -= n; left < 0 {
			return fmt.Errorf("%s: the zip of %d bytes holds more than %d bytes: %w", f.where(), size, r.allowed(size), source.ErrTooLarge)
		}
		switch {
		case n > r.Record:
			f.err = fmt.Errorf("a record of more than %d bytes: %w", r.Record, source.ErrTooLarge)
		case err != nil:
			f.err = err
		default:
			f.data = r.room.Bytes()
		}
		if err := r.found(f); err != nil {
			return err
		}
	}
	return nil
}

// unzip reads at most most bytes of an entry.
func (r *reading) unzip(entry *zip.File, most int64) (int64, error) {
	in, err := entry.Open()
	if err != nil {
		return 0, err
	}
	defer in.Close()
	return r.room.ReadFrom(io.LimitReader(in, most))
}

// allowed is how many bytes may come out of a zip of a size.
func (r *reading) allowed(size int64) int64 {
	bytes, ratio := r.Limits.Bytes, r.Limits.Ratio
	if bytes <= 0 {
		bytes = 512 << 20
	}
	if ratio <= 0 {
		ratio = 100
	}
	return min(bytes, 1<<20+min(size, bytes)*ratio)
}

// A gate bounds what is read before it is open.
type gate struct {
	in   io.ReaderAt
	left int64
	open bool
}

func (g *gate) ReadAt(p []byte, off int64) (int, error) {
	if !g.open {
		if g.left -= int64(len(p)); g.left < 0 {
			return 0, source.ErrTooLarge
		}
	}
	return g.in.ReadAt(p, off)
}
