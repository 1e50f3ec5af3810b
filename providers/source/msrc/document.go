package msrc

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/patchflow/patchflow/providers/source"
)

// A text is a text of a document. JSON has it bare, as {"Value": "..."}, or, where XML has a word, as a number.
type text string

// UnmarshalJSON takes what any of these shapes holds. null and an object without Value are "".
func (t *text) UnmarshalJSON(b []byte) error {
	switch {
	case len(b) > 0 && b[0] == '{':
		var v struct{ Value json.RawMessage }
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		if len(v.Value) > 0 && v.Value[0] == '{' { // no deeper: every level would be read once more
			return fmt.Errorf("%.20q where a text should be", v.Value)
		}
		if len(v.Value) == 0 {
			*t = ""
			return nil
		}
		return t.UnmarshalJSON(v.Value)
	case len(b) > 0 && (b[0] == '[' || b[0] == 't' || b[0] == 'f'):
		return fmt.Errorf("%.20q where a text should be", b)
	case len(b) > 0 && b[0] != '"':
		if *t = text(b); string(b) == "null" {
			*t = ""
		}
		return nil
	}
	var s string
	err := json.Unmarshal(b, &s)
	*t = text(s)
	return err
}

// String returns t without blanks around it, and with one for each run of blanks within.
func (t text) String() string { return strings.Join(strings.Fields(string(t)), " ") }

// time reads a day and time. Without an offset it is UTC, as MSRC means it. What is no time is the zero time.
func (t text) time() time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, t.String()); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

// cvrf is a document, in both of its forms.
type cvrf struct {
	XMLName  xml.Name `json:"-" xml:"cvrfdoc"`
	Tracking struct {
		Identification struct {
			ID text `xml:"ID"`
		} `xml:"Identification"`
		Initial text `json:"InitialReleaseDate" xml:"InitialReleaseDate"`
		Current text `json:"CurrentReleaseDate" xml:"CurrentReleaseDate"`
	} `json:"DocumentTracking" xml:"DocumentTracking"`
	Products struct {
		Names    []product `json:"FullProductName" xml:"FullProductName"`
		Branches []branch  `json:"Branch" xml:"Branch"`
	} `json:"ProductTree" xml:"ProductTree"`
	Vulnerabilities []vulnerability   `json:"-" xml:"Vulnerability"`
	Raw             []json.RawMessage `json:"Vulnerability" xml:"-"`
}

type product struct {
	ID   text `json:"ProductID" xml:"ProductID,attr"`
	Name text `json:"Value" xml:",chardata"`
}

// A branch holds branches and products; in JSON both are its items.
type branch struct {
	ID       text      `json:"ProductID" xml:"-"`
	Name     text      `json:"Value" xml:"-"`
	Items    []branch  `json:"Items" xml:"Branch"`
	Products []product `json:"-" xml:"FullProductName"`
}

type vulnerability struct {
	CVE          text          `xml:"CVE"`
	Title        text          `xml:"Title"`
	Threats      []threat      `xml:"Threats>Threat"`
	Scores       []scoreSet    `json:"CVSSScoreSets" xml:"CVSSScoreSets>ScoreSet"`
	Remediations []remediation `xml:"Remediations>Remediation"`
	Revisions    []revision    `json:"RevisionHistory" xml:"RevisionHistory>Revision"`
}

type threat struct {
	Type        text   `xml:"Type,attr"`
	Description text   `xml:"Description"`
	Products    []text `json:"ProductID" xml:"ProductID"`
}

type scoreSet struct {
	Vector   text   `xml:"Vector"`
	Products []text `json:"ProductID" xml:"ProductID"`
}

type remediation struct {
	Type         text   `xml:"Type,attr"`
	Description  text   `xml:"Description"`
	URL          text   `xml:"URL"`
	Supercedence text   `xml:"Supercedence"`
	Products     []text `json:"ProductID" xml:"ProductID"`
	Restart      text   `json:"RestartRequired" xml:"RestartRequired"`
	SubType      text   `xml:"SubType"`
	FixedBuild   text   `xml:"FixedBuild"`
}

type revision struct {
	Date text `xml:"Date"`
}

// The numbers that JSON has for the words that XML has.
func (t *threat) severity() bool { return t.Type == "Severity" || t.Type == "3" }

func (t *threat) exploit() bool { return t.Type == "Exploit Status" || t.Type == "1" }

func (r *remediation) vendorFix() bool { return r.Type == "Vendor Fix" || r.Type == "2" }

// names returns the products of a document by ID.
func (c *cvrf) names() map[string]string {
	names := make(map[string]string)
	add := func(id, name text) {
		if key := id.String(); key != "" && names[key] == "" {
			names[key] = name.String()
		}
	}
	for i := range c.Products.Names {
		add(c.Products.Names[i].ID, c.Products.Names[i].Name)
	}
	left := c.Products.Branches
	for len(left) > 0 {
		b := left[len(left)-1]
		left = append(left[:len(left)-1], b.Items...)
		add(b.ID, b.Name)
		for i := range b.Products {
			add(b.Products[i].ID, b.Products[i].Name)
		}
	}
	return names
}

// document reads one document into the updates.
func (l *listing) document(ctx context.Context, d *Document) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	in, err := l.config.Limits.Open(d.Open)
	if err != nil {
		return fmt.Errorf("msrc: %s: %w", d.Name, err)
	}
	defer in.Close()
	doc, err := parse(in)
	if err != nil {
		return fmt.Errorf("msrc: %s: %w", d.Name, err)
	}
	o := &origin{name: d.Name, products: doc.names(), initial: doc.Tracking.Initial.time(), current: doc.Tracking.Current.time()}
	for i := range max(len(doc.Vulnerabilities), len(doc.Raw)) {
		if err := l.count(ctx); err != nil {
			return fmt.Errorf("msrc: %s: vulnerability %d: %w", d.Name, i+1, err)
		}
		var v vulnerability
		if i < len(doc.Vulnerabilities) {
			v = doc.Vulnerabilities[i]
		} else if err := json.Unmarshal(doc.Raw[i], &v); err != nil {
			if err := l.tell(source.Bad(fmt.Sprintf("msrc: %s: vulnerability %d", d.Name, i+1), err)); err != nil {
				return err
			}
			continue
		}
		o.number = i + 1
		if err := l.vulnerability(o, &v); err != nil {
			return err
		}
	}
	return nil
}

// parse reads a document in either form, up to its end.
func parse(r io.Reader) (*cvrf, error) {
	in := bufio.NewReader(r)
	var first byte
	for {
		b, err := in.ReadByte()
		if err != nil {
			return nil, fmt.Errorf("no document: %w", noEOF(err))
		}
		if !bytes.ContainsAny([]byte{b}, " \t\r\n\xef\xbb\xbf") {
			first = b
			break
		}
	}
	if err := in.UnreadByte(); err != nil {
		return nil, err
	}
	doc := new(cvrf)
	switch first {
	case '<':
		d := xml.NewDecoder(in)
		if err := d.Decode(doc); err != nil {
			return nil, fmt.Errorf("at byte %d: %w", d.InputOffset(), noEOF(err))
		}
		return doc, atEnd(d.InputOffset(), func() (bool, error) {
			t, err := d.Token()
			_, element := t.(xml.StartElement)
			return element, err
		})
	case '{':
		d := json.NewDecoder(in)
		if err := d.Decode(doc); err != nil {
			return nil, fmt.Errorf("at byte %d: %w", d.InputOffset(), noEOF(err))
		}
		if doc.Tracking.Identification.ID == "" && doc.Raw == nil {
			return nil, errors.New("it is no CVRF document: neither DocumentTracking nor Vulnerability")
		}
		return doc, atEnd(d.InputOffset(), func() (bool, error) {
			_, err := d.Token()
			return true, err
		})
	}
	return nil, fmt.Errorf("it begins with %q: neither JSON nor XML", first)
}

// atEnd reads what follows a document at byte n, which must not be more of anything.
func atEnd(n int64, next func() (more bool, err error)) error {
	for {
		switch more, err := next(); {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("after byte %d: %w", n, err)
		case more:
			return fmt.Errorf("after byte %d: something follows the document", n)
		}
	}
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
