// Package deb822 reads the stanzas of Debian control data, as deb822(5) describes them: package indices, dpkg's status
// file, Release files. It streams, keeps only the fields that are asked for, and bounds what it keeps.
package deb822

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Config says what a [Reader] reads.
type Config struct {
	// Fields are the names of the fields to keep, in any case of letters. A stanza gives them by their place here.
	Fields []string

	Line   int // the longest line, in bytes; 0 means 1 MiB
	Stanza int // the largest stanza, in bytes, unwanted fields included; 0 means 4 MiB

	// Signed reads the text of a clear-signed file (InRelease) and leaves its armour out. It verifies nothing.
	Signed bool
}

// A SyntaxError is a stanza that breaks the rules. The next call of [Reader.Next] goes on with the stanza after it.
type SyntaxError struct {
	Stanza int // from 1
	Line   int // from 1
	Reason string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("stanza %d, line %d: %s", e.Stanza, e.Line, e.Reason)
}

// A Stanza is one paragraph of fields. It is valid until the next call of [Reader.Next].
type Stanza struct {
	Number int // from 1
	Line   int // where it begins, from 1

	text   []byte
	values []span
}

type span struct {
	set        bool
	start, end int
}

// Bytes returns the value of the field that is named i-th in [Config.Fields]: without blanks around it, the lines of a
// longer one parted by newlines. It is empty if the stanza has no such field, or an empty one.
func (s *Stanza) Bytes(i int) []byte { return s.text[s.values[i].start:s.values[i].end] }

// Text returns the same as Bytes as a string, which stays valid.
func (s *Stanza) Text(i int) string { return string(s.Bytes(i)) }

// Has says whether the stanza has the field that is named i-th, empty or not.
func (s *Stanza) Has(i int) bool { return s.values[i].set }

// A Reader reads stanzas. It is not safe for concurrent use.
type Reader struct {
	config Config
	fields [][]byte
	in     *bufio.Reader
	long   []byte
	line   int
	ended  bool
	err    error
	stanza Stanza
	number int
}

// NewReader returns a reader of the stanzas in r.
func NewReader(r io.Reader, config Config) *Reader {
	if config.Line <= 0 {
		config.Line = 1 << 20
	}
	if config.Stanza <= 0 {
		config.Stanza = 4 << 20
	}
	d := &Reader{config: config, in: bufio.NewReaderSize(r, 64<<10)}
	for _, name := range config.Fields {
		d.fields = append(d.fields, []byte(name))
	}
	d.stanza.values = make([]span, len(d.fields))
	return d
}

// Line returns the number of the line that was read last, from 1.
func (d *Reader) Line() int { return d.line }

// Next returns the next stanza, and [io.EOF] after the last one. An error that is a [*SyntaxError] concerns one stanza
// only. Every other error names the line and is final; the file ending without a newline is one
// ([io.ErrUnexpectedEOF]), since whoever writes these files ends every line, and what is cut short may be taken for
// something else.
func (d *Reader) Next() (*Stanza, error) {
	s := &d.stanza
	s.text = s.text[:0]
	clear(s.values)
	s.Line = 0
	size := 0
	field := -1   // the wanted field that continuation lines belong to
	open := false // any field that continuation lines may belong to
	var bad error // the first thing wrong with this stanza
	fail := func(reason string) {
		if bad == nil {
			bad = &SyntaxError{Stanza: s.Number, Line: d.line, Reason: reason}
		}
	}
	for {
		line, tooLong, err := d.readLine()
		if err != nil {
			if err == io.EOF && s.Line > 0 {
				break
			}
			return nil, err
		}
		blank := len(bytes.TrimLeft(line, " \t\r")) == 0
		if blank && !tooLong {
			if s.Line == 0 {
				continue
			}
			break
		}
		if d.config.Signed && bytes.HasPrefix(line, []byte("-----")) {
			if bytes.HasPrefix(line, []byte("-----BEGIN PGP SIGNATURE")) {
				d.ended = true
				d.err = io.EOF
			}
			if s.Line > 0 {
				break
			}
			if d.ended {
				return nil, io.EOF
			}
			continue
		}
		if s.Line == 0 {
			d.number++
			s.Number, s.Line = d.number, d.line
		}
		if size += len(line); bad == nil && size > d.config.Stanza {
			fail(fmt.Sprintf("a stanza of more than %d bytes", d.config.Stanza))
		}
		switch {
		case tooLong:
			fail(fmt.Sprintf("a line of more than %d bytes", d.config.Line))
		case bad != nil:
		case line[0] == ' ' || line[0] == '\t':
			if !open {
				fail("a continuation line before any field")
			} else if field >= 0 {
				s.text = append(s.text, '\n')
				s.text = append(s.text, bytes.Trim(line, " \t\r")...)
				s.values[field].end = len(s.text)
			}
		default:
			name, value, found := bytes.Cut(line, []byte(":"))
			if !found || !isName(name) {
				fail(fmt.Sprintf("%q is no field", abbreviate(line)))
				break
			}
			open = true
			if field = d.find(name); field < 0 {
				break
			}
			if s.values[field].set {
				fail(fmt.Sprintf("field %s stands twice", d.fields[field]))
				break
			}
			if bytes.IndexByte(value, 0) >= 0 {
				fail(fmt.Sprintf("field %s holds a zero byte", d.fields[field]))
				break
			}
			start := len(s.text)
			s.text = append(s.text, bytes.Trim(value, " \t\r")...)
			s.values[field] = span{set: true, start: start, end: len(s.text)}
		}
	}
	if bad != nil {
		return nil, bad
	}
	return s, nil
}

// find returns the place of a field among those that are wanted, or -1.
func (d *Reader) find(name []byte) int {
	for i, wanted := range d.fields {
		if len(wanted) == len(name) && (bytes.Equal(wanted, name) || bytes.EqualFold(wanted, name)) {
			return i
		}
	}
	return -1
}

// isName says whether b can be the name of a field: printable ASCII that does not begin like a comment or a list.
func isName(b []byte) bool {
	if len(b) == 0 || b[0] == '#' || b[0] == '-' {
		return false
	}
	for _, c := range b {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// readLine returns the next line without its newline. Of one that is too long it returns nothing and says so.
func (d *Reader) readLine() (line []byte, tooLong bool, err error) {
	if d.err != nil {
		return nil, false, d.err
	}
	d.line++
	line, err = d.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		d.long = d.long[:0]
		for errors.Is(err, bufio.ErrBufferFull) {
			if tooLong = tooLong || len(d.long)+len(line) > d.config.Line; !tooLong {
				d.long = append(d.long, line...)
			}
			line, err = d.in.ReadSlice('\n')
		}
		if !tooLong {
			d.long = append(d.long, line...)
			line = d.long
		}
	}
	switch {
	case err == io.EOF && len(line) == 0 && !tooLong:
		d.line--
		d.err = io.EOF
		return nil, false, d.err
	case err == io.EOF:
		d.err = fmt.Errorf("line %d: the file ends in the middle of a line: %w", d.line, io.ErrUnexpectedEOF)
		return nil, false, d.err
	case err != nil:
		d.err = fmt.Errorf("line %d: %w", d.line, err)
		return nil, false, d.err
	}
	line = line[:len(line)-1]
	if tooLong = tooLong || len(line) > d.config.Line; tooLong {
		return nil, true, nil
	}
	return line, false, nil
}

// abbreviate returns the beginning of a line for an error.
func abbreviate(line []byte) []byte {
	const most = 60
	return line[:min(len(line), most)]
}
