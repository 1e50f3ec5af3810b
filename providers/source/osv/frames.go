package osv

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/patchflow/patchflow/providers/source"
)

// frames divides a file into the JSON objects that stand in it one after the other, without recursion and without holding
// more than one. A damaged one is ended where a line ends within a string, and, if it began as one line, before a line
// that begins with a brace: in JSON lines it takes no other with it.
type frames struct {
	in    *bufio.Reader
	most  int64
	room  *bytes.Buffer
	place int // of the object that was read last, from 1
	line  int // that is being read, from 1
}

// mark is the byte order mark that some editors put at the beginning of a file.
const mark = "\xef\xbb\xbf"

// A frame is one object, or why there is none.
type frame struct {
	data []byte // until the next is read
	err  error
	line int // where it begins
}

func newFrames(in io.Reader, most int64, room *bytes.Buffer) *frames {
	f := &frames{in: bufio.NewReaderSize(in, 64<<10), most: most, room: room, line: 1}
	if begin, _ := f.in.Peek(len(mark)); string(begin) == mark {
		_, _ = f.in.Discard(len(mark))
	}
	return f
}

var (
	errNoObject = errors.New("not a JSON object")
	errString   = errors.New("a line ends within a string")
	errCut      = errors.New("the object is not closed before the next begins")
)

// next returns the next object. The error is [io.EOF] after the last, [io.ErrUnexpectedEOF] if the file ends within one, or
// what reading returned.
func (f *frames) next() (frame, error) {
	f.room.Reset()
	s := scan{line: f.line}
	n := int64(0) // bytes of the object
	for {
		if _, err := f.in.Peek(1); err != nil {
			switch {
			case err != io.EOF:
			case s.garbage:
				f.place++
				return frame{err: errNoObject, line: s.line}, nil
			case s.depth > 0:
				f.place++
				err = fmt.Errorf("the file ends in the middle of a record: %w", io.ErrUnexpectedEOF)
			}
			return frame{line: s.line}, err
		}
		chunk, _ := f.in.Peek(f.in.Buffered())
		from, to, done := s.step(chunk, f)
		n += int64(to - from)
		if n <= f.most && !s.garbage {
			f.room.Write(chunk[from:to])
		}
		_, _ = f.in.Discard(to)
		if !done {
			continue
		}
		f.place++
		switch {
		case s.err != nil:
			return frame{err: s.err, line: s.line}, nil
		case n > f.most:
			return frame{err: fmt.Errorf("a record of more than %d bytes: %w", f.most, source.ErrTooLarge), line: s.line}, nil
		}
		return frame{data: f.room.Bytes(), line: s.line}, nil
	}
}

// scan is where the search for the end of an object stands.
type scan struct {
	line    int // where the object begins
	depth   int
	quoted  bool
	escaped bool
	lines   int  // how many ends of lines were in the object
	fresh   bool // the last byte was the first of them
	garbage bool // it is no object: skip the line
	err     error
}

// step goes on through chunk. The object has the bytes from from to to there, and is complete if done.
func (s *scan) step(chunk []byte, f *frames) (from, to int, done bool) {
	i := 0
	if s.depth == 0 && !s.garbage {
		for ; i < len(chunk) && s.depth == 0 && !s.garbage; i++ {
			switch chunk[i] {
			case '\n':
				f.line++
			case ' ', '\t', '\r':
			case '{':
				s.depth, s.line, from = 1, f.line, i
			default:
				s.garbage, s.line = true, f.line
			}
		}
		if s.depth == 0 && !s.garbage {
			return i, i, false
		}
	}
	if s.garbage {
		if n := bytes.IndexByte(chunk[i:], '\n'); n >= 0 {
			s.err = errNoObject
			return i, i + n, true
		}
		return i, len(chunk), false
	}
	for ; i < len(chunk); i++ {
		c := chunk[i]
		if s.quoted {
			switch {
			case s.escaped:
				s.escaped = false
			case c == '\\':
				s.escaped = true
			case c == '"':
				s.quoted = false
			}
			if c == '\n' {
				s.err = errString
				return from, i, true
			}
			continue
		}
		switch c {
		case '"':
			s.quoted = true
		case '{', '[':
			if s.fresh && c == '{' {
				s.err = errCut
				return from, i, true
			}
			s.depth++
		case '}', ']':
			if s.depth--; s.depth == 0 {
				return from, i + 1, true
			}
		case '\n':
			f.line++
			s.lines++
		}
		s.fresh = c == '\n' && s.lines == 1
	}
	return from, len(chunk), false
}
