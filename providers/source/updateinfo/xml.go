package updateinfo

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"github.com/patchflow/patchflow/providers/source"
)

// The bounds of XML. What real repositories publish stays far below: the longest texts are descriptions of kernels with
// some hundred kilobytes.
const (
	maxToken = 1 << 20  // bytes of one tag, text or comment
	maxText  = 64 << 10 // bytes of a text that is kept
	maxDepth = 32       // elements within each other
)

// An xmlReader reads the tokens of an XML file, each of bounded size. The library reads a whole token into memory before it
// hands it out, so the bound is on what it may read for one.
type xmlReader struct {
	decoder *xml.Decoder
	in      *meter
	depth   int
}

func newXMLReader(r io.Reader) *xmlReader {
	in := &meter{r: bufio.NewReaderSize(r, 64<<10)}
	return &xmlReader{decoder: xml.NewDecoder(in), in: in}
}

// line returns the number of the line that is being read, from 1.
func (x *xmlReader) line() int {
	line, _ := x.decoder.InputPos()
	return line
}

// next returns the next token, and [io.EOF] at the end of the file. A token is valid until the next call.
func (x *xmlReader) next() (xml.Token, error) {
	x.in.left = maxToken
	token, err := x.decoder.Token()
	var syntax *xml.SyntaxError
	switch {
	case err == io.EOF:
		return nil, err
	case x.in.err != nil:
		return nil, fmt.Errorf("line %d: %w", x.line(), x.in.err)
	case errors.As(err, &syntax) && syntax.Msg == "unexpected EOF":
		return nil, fmt.Errorf("line %d: the file ends in the middle: %w", x.line(), io.ErrUnexpectedEOF)
	case err != nil:
		return nil, fmt.Errorf("line %d: %w", x.line(), err)
	}
	switch token.(type) {
	case xml.StartElement:
		if x.depth++; x.depth > maxDepth {
			return nil, fmt.Errorf("line %d: more than %d elements within each other: %w", x.line(), maxDepth, source.ErrTooLarge)
		}
	case xml.EndElement:
		x.depth--
	case xml.Directive:
		return nil, fmt.Errorf("line %d: a declaration of a document type", x.line())
	}
	return token, nil
}

// root reads on to the first element, which has to have the given name.
func (x *xmlReader) root(name string) error {
	for {
		token, err := x.next()
		if err == io.EOF {
			return fmt.Errorf("no element %s: %w", name, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return err
		}
		if start, ok := token.(xml.StartElement); ok {
			if start.Name.Local != name {
				return fmt.Errorf("line %d: element %q, want %s", x.line(), start.Name.Local, name)
			}
			return nil
		}
	}
}

// each calls f for every element inside the one that was opened last. F reads that element to its end.
func (x *xmlReader) each(f func(start xml.StartElement) error) error {
	for {
		token, err := x.next()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if err := f(t); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

// skip reads the element that was opened last to its end.
func (x *xmlReader) skip() error {
	for depth := x.depth; x.depth >= depth; {
		if _, err := x.next(); err != nil {
			return err
		}
	}
	return nil
}

// text reads the element that was opened last to its end and returns its text without blanks around it, and without what
// stands in elements inside it.
func (x *xmlReader) text() (string, error) {
	var text []byte
	for depth := x.depth; x.depth >= depth; {
		token, err := x.next()
		if err != nil {
			return "", err
		}
		if data, ok := token.(xml.CharData); ok && x.depth == depth {
			if text = append(text, data...); len(text) > maxText {
				return "", fmt.Errorf("line %d: a text of more than %d bytes: %w", x.line(), maxText, source.ErrTooLarge)
			}
		}
	}
	return trim(string(text)), nil
}

// end reads what stands behind the root element, which is next to nothing, to the end of the file: the sums at the end of
// compressed files are verified there.
func (x *xmlReader) end() error {
	for {
		token, err := x.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, ok := token.(xml.StartElement); ok {
			return fmt.Errorf("line %d: a second root element", x.line())
		}
	}
}

// attribute returns the value of an attribute, without blanks around it; "" if there is none.
func attribute(start xml.StartElement, name string) string {
	for i := range start.Attr {
		if start.Attr[i].Name.Local == name && start.Attr[i].Name.Space == "" {
			return trim(start.Attr[i].Value)
		}
	}
	return ""
}

// A meter hands out at most left bytes, and keeps the error that ended it. It implements io.ByteReader, so that the decoder
// reads no byte more than it needs.
type meter struct {
	r    *bufio.Reader
	left int
	err  error
}

func (m *meter) ReadByte() (byte, error) {
	if m.left--; m.left < 0 && m.err == nil {
		m.err = fmt.Errorf("a tag or text of more than %d bytes: %w", maxToken, source.ErrTooLarge)
	}
	if m.err != nil {
		return 0, m.err
	}
	b, err := m.r.ReadByte()
	if err != nil && err != io.EOF {
		m.err = err
	}
	return b, err
}

func (m *meter) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := m.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}
