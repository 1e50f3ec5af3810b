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

	"github.com/patchflow/patchflow/internal/bounded"
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

// cvrf is what a document says of all of it, in both of its forms.
type cvrf struct {
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

// document reads one document into the updates. It is read twice, as what says which product is which may stand behind the
// vulnerabilities.
func (l *listing) document(ctx context.Context, d *Document) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	doc := new(cvrf)
	if err := l.each(d, doc, nil); err != nil {
		return fmt.Errorf("msrc: %s: %w", d.Name, err)
	}
	o := &origin{name: d.Name, products: doc.names(), initial: doc.Tracking.Initial.time(), current: doc.Tracking.Current.time()}
	var told error // by whoever was told of a record, or its context
	err := l.each(d, new(cvrf), func(n int, v *vulnerability, bad error) error {
		if err := l.count(ctx); err != nil {
			return fmt.Errorf("vulnerability %d: %w", n, err)
		}
		if o.number = n; bad != nil {
			told = l.tell(source.Bad(fmt.Sprintf("msrc: %s: vulnerability %d", d.Name, n), bad))
		} else {
			told = l.vulnerability(o, v)
		}
		return told
	})
	if told != nil {
		return told
	}
	if err != nil {
		return fmt.Errorf("msrc: %s: %w", d.Name, err)
	}
	return nil
}

// each reads a document in either form up to its end: what is said of all of it into doc, and every vulnerability to vulnerability,
// unless that is nil. Bad is why one cannot be read.
func (l *listing) each(d *Document, doc *cvrf, vulnerability func(n int, v *vulnerability, bad error) error) error {
	file, err := l.config.Limits.Open(d.Open)
	if err != nil {
		return err
	}
	defer file.Close()
	in := bufio.NewReader(file)
	for {
		b, err := in.ReadByte()
		if err != nil {
			return fmt.Errorf("no document: %w", noEOF(err))
		}
		if bytes.IndexByte([]byte(" \t\r\n\xef\xbb\xbf"), b) >= 0 {
			continue
		}
		if err := in.UnreadByte(); err != nil {
			return err
		}
		switch b {
		case '<':
			return readXML(in, doc, vulnerability)
		case '{':
			return l.readJSON(in, doc, vulnerability)
		}
		return fmt.Errorf("it begins with %q: neither JSON nor XML", b)
	}
}

func (l *listing) readJSON(in io.Reader, doc *cvrf, each func(n int, v *vulnerability, bad error) error) error {
	records := source.Records{
		Arrays: []string{"Vulnerability"},
		Field: func(name string, raw json.RawMessage) error {
			var to any
			switch name {
			case "DocumentTracking":
				to = &doc.Tracking
			case "ProductTree":
				to = &doc.Products
			default:
				return nil
			}
			if err := json.Unmarshal(raw, to); err != nil {
				return fmt.Errorf("field %s: %w", name, err)
			}
			return nil
		},
	}
	if each != nil {
		records.Record = func(_ string, n int, raw json.RawMessage, bad error) error {
			v := new(vulnerability)
			if bad == nil {
				bad = json.Unmarshal(raw, v)
			}
			return each(n, v, bad)
		}
	}
	return l.config.Limits.ReadObject(in, records)
}

func readXML(in io.Reader, doc *cvrf, each func(n int, v *vulnerability, bad error) error) error {
	tokens := &budget{XML: bounded.NewXML(in)}
	d := xml.NewTokenDecoder(tokens)
	depth, n := 0, 0
	for {
		t, err := d.Token()
		switch {
		case err == io.EOF && n == 0 && depth == 0:
			return fmt.Errorf("no document: %w", io.ErrUnexpectedEOF)
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		if _, ends := t.(xml.EndElement); ends {
			depth = -1
		}
		start, begins := t.(xml.StartElement)
		switch {
		case !begins:
			continue
		case depth < 0:
			return fmt.Errorf("line %d: something follows the document", tokens.Line())
		case depth == 0 && start.Name.Local != "cvrfdoc":
			return fmt.Errorf("line %d: element %.60q, want cvrfdoc", tokens.Line(), start.Name.Local)
		case depth == 0:
			depth = 1
			continue
		}
		tokens.begin()
		switch start.Name.Local {
		case "DocumentTracking":
			err = d.DecodeElement(&doc.Tracking, &start)
		case "ProductTree":
			err = d.DecodeElement(&doc.Products, &start)
		case "Vulnerability":
			if n++; each == nil {
				err = d.Skip()
				break
			}
			v := new(vulnerability)
			if err = d.DecodeElement(v, &start); err == nil {
				err = each(n, v, nil)
			}
		default:
			err = d.Skip()
		}
		if err != nil {
			return err
		}
	}
}

// A budget is how much may be read for one element: what is decoded takes several times its size in memory.
type budget struct {
	*bounded.XML
	from   int64
	tokens int
}

func (b *budget) begin() { b.from, b.tokens = b.Offset(), 0 }

func (b *budget) Token() (xml.Token, error) {
	if b.tokens++; b.tokens > 2*source.MaxValues || b.Offset()-b.from > source.MaxRecord {
		return nil, fmt.Errorf("line %d: an element of more than %d tags and texts, or %d bytes: %w", b.Line(), 2*source.MaxValues, source.MaxRecord, source.ErrTooLarge)
	}
	return b.XML.Token()
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
