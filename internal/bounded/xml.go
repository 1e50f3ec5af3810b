package bounded

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
)

// The bounds of XML. What real feeds publish stays far below: the longest texts are descriptions of kernels with some hundred
// kilobytes.
const (
	maxToken = 1 << 20 // bytes of one tag, text or comment
	maxDepth = 32      // elements within each other
)

// XML reads the tokens of an XML file, each of bounded size, and elements within each other to a bounded depth. The library reads
// a whole token into memory before it hands it out, so the bound is on what it may read for one. A declaration of a document
// type is refused, and so are entities of one. It is not safe for concurrent use.
type XML struct {
	decoder *xml.Decoder
	in      *meter
	depth   int
}

// NewXML returns a reader of the tokens in r.
func NewXML(r io.Reader) *XML {
	in := &meter{r: bufio.NewReaderSize(r, 64<<10)}
	return &XML{decoder: xml.NewDecoder(in), in: in}
}

// Line returns the number of the line that is being read, from 1.
func (x *XML) Line() int {
	line, _ := x.decoder.InputPos()
	return line
}

// Offset returns how many bytes were read.
func (x *XML) Offset() int64 { return x.decoder.InputOffset() }

// Depth returns how many elements are open.
func (x *XML) Depth() int { return x.depth }

// Token returns the next token, and [io.EOF] at the end of the file. A token is valid until the next call. Errors name the line,
// and wrap [ErrTooLarge] where a bound is passed and [io.ErrUnexpectedEOF] where the file ends in the middle. It implements
// [xml.TokenReader].
func (x *XML) Token() (xml.Token, error) {
	x.in.left = maxToken
	token, err := x.decoder.Token()
	var syntax *xml.SyntaxError
	switch {
	case err == io.EOF:
		return nil, err
	case x.in.err != nil:
		return nil, fmt.Errorf("line %d: %w", x.Line(), x.in.err)
	case errors.As(err, &syntax) && syntax.Msg == "unexpected EOF":
		return nil, fmt.Errorf("line %d: the file ends in the middle: %w", x.Line(), io.ErrUnexpectedEOF)
	case err != nil:
		return nil, fmt.Errorf("line %d: %w", x.Line(), err)
	}
	switch token.(type) {
	case xml.StartElement:
		if x.depth++; x.depth > maxDepth {
			return nil, fmt.Errorf("line %d: more than %d elements within each other: %w", x.Line(), maxDepth, ErrTooLarge)
		}
	case xml.EndElement:
		x.depth--
	case xml.Directive:
		return nil, fmt.Errorf("line %d: a declaration of a document type", x.Line())
	}
	return token, nil
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
		m.err = fmt.Errorf("a tag or text of more than %d bytes: %w", maxToken, ErrTooLarge)
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
