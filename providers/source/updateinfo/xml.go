package updateinfo

import (
	"encoding/xml"
	"fmt"
	"io"

	"github.com/patchflow/patchflow/internal/bounded"
	"github.com/patchflow/patchflow/providers/source"
)

// maxText is how many bytes a text that is kept may have.
const maxText = 64 << 10

// An xmlReader reads the elements of an XML file.
type xmlReader struct{ *bounded.XML }

func newXMLReader(r io.Reader) *xmlReader { return &xmlReader{bounded.NewXML(r)} }

// root reads on to the first element, which has to have the given name.
func (x *xmlReader) root(name string) error {
	for {
		token, err := x.Token()
		if err == io.EOF {
			return fmt.Errorf("no element %s: %w", name, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return err
		}
		if start, ok := token.(xml.StartElement); ok {
			if start.Name.Local != name {
				return fmt.Errorf("line %d: element %q, want %s", x.Line(), start.Name.Local, name)
			}
			return nil
		}
	}
}

// each calls f for every element inside the one that was opened last. F reads that element to its end.
func (x *xmlReader) each(f func(start xml.StartElement) error) error {
	for {
		token, err := x.Token()
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
	for depth := x.Depth(); x.Depth() >= depth; {
		if _, err := x.Token(); err != nil {
			return err
		}
	}
	return nil
}

// text reads the element that was opened last to its end and returns its text without blanks around it, and without what
// stands in elements inside it.
func (x *xmlReader) text() (string, error) {
	var text []byte
	for depth := x.Depth(); x.Depth() >= depth; {
		token, err := x.Token()
		if err != nil {
			return "", err
		}
		if data, ok := token.(xml.CharData); ok && x.Depth() == depth {
			if text = append(text, data...); len(text) > maxText {
				return "", fmt.Errorf("line %d: a text of more than %d bytes: %w", x.Line(), maxText, source.ErrTooLarge)
			}
		}
	}
	return trim(string(text)), nil
}

// end reads what stands behind the root element, which is next to nothing, to the end of the file: the sums at the end of
// compressed files are verified there.
func (x *xmlReader) end() error {
	for {
		token, err := x.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, ok := token.(xml.StartElement); ok {
			return fmt.Errorf("line %d: a second root element", x.Line())
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
