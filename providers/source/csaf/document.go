package csaf

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/patchflow/patchflow/internal/bounded"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// document is what is read of a CSAF document, but for its vulnerabilities, which are read one by one.
type document struct {
	Document struct {
		Category  string `json:"category"`
		Version   string `json:"csaf_version"`
		Title     string `json:"title"`
		Severity  words  `json:"aggregate_severity"`
		Publisher struct {
			Namespace string `json:"namespace"`
		} `json:"publisher"`
		References []struct {
			URL string `json:"url"`
		} `json:"references"`
		Tracking struct {
			ID        string    `json:"id"`
			Status    string    `json:"status"`
			Version   string    `json:"version"`
			Initial   string    `json:"initial_release_date"`
			Current   string    `json:"current_release_date"`
			Revisions []history `json:"revision_history"`
		} `json:"tracking"`
	} `json:"document"`
	Tree tree `json:"product_tree"`

	publisher string // host of the namespace
}

type words struct {
	Text string `json:"text"`
}

type history struct {
	Date string `json:"date"`
}

type tree struct {
	Branches      []branch       `json:"branches"`
	Names         []product      `json:"full_product_names"`
	Relationships []relationship `json:"relationships"`
	Paths         []struct {     // of CSAF 2.1, instead of relationships
		Product  product `json:"full_product_name"`
		From     string  `json:"beginning_product_reference"`
		Subpaths []struct {
			Next string `json:"next_product_reference"`
		} `json:"subpaths"`
	} `json:"product_paths"`
}

// relationships returns those of the tree, with a path as a chain of them.
func (t *tree) relationships() []relationship {
	all := t.Relationships
	for i := range t.Paths {
		p := &t.Paths[i]
		last := len(p.Subpaths) - 1
		for j := last; j > 0; j-- {
			above := p.Subpaths[j].Next
			if j < last {
				above = fmt.Sprintf("%s\x00%d", p.Product.ID, j+1)
			}
			between := relationship{Component: p.Subpaths[j-1].Next, Platform: above}
			between.Product.ID = fmt.Sprintf("%s\x00%d", p.Product.ID, j)
			all = append(all, between)
		}
		if last >= 0 {
			r := relationship{Product: p.Product, Component: p.From, Platform: p.Subpaths[0].Next}
			if last > 0 {
				r.Platform = p.Product.ID + "\x001"
			}
			all = append(all, r)
		}
	}
	return all
}

type branch struct {
	Category string   `json:"category"`
	Name     string   `json:"name"`
	Product  *product `json:"product"`
	Branches []branch `json:"branches"`
}

type product struct {
	ID     string `json:"product_id"`
	Name   string `json:"name"`
	Helper struct {
		CPE   string   `json:"cpe"`
		PURL  string   `json:"purl"`
		PURLs []string `json:"purls"` // of CSAF 2.1
	} `json:"product_identification_helper"`
}

type relationship struct {
	Product   product `json:"full_product_name"`
	Component string  `json:"product_reference"`
	Platform  string  `json:"relates_to_product_reference"`
}

type vulnerability struct {
	CVE   string `json:"cve"`
	Title string `json:"title"`
	IDs   []struct {
		Text string `json:"text"`
	} `json:"ids"`
	Released     string              `json:"release_date"`
	Disclosed    string              `json:"disclosure_date"` // its name in CSAF 2.1
	Status       map[string][]string `json:"product_status"`
	Scores       []scores            `json:"scores"`
	Metrics      []metrics           `json:"metrics"` // of CSAF 2.1
	Threats      []threat            `json:"threats"`
	Remediations []remediation       `json:"remediations"`
	References   []struct {
		URL string `json:"url"`
	} `json:"references"`
}

type scores struct {
	V2 vector `json:"cvss_v2"`
	V3 vector `json:"cvss_v3"`
	V4 vector `json:"cvss_v4"`
}

type metrics struct {
	Content scores `json:"content"`
}

type vector struct {
	Vector string `json:"vectorString"`
}

type threat struct {
	Category string `json:"category"`
	Details  string `json:"details"`
	Date     string `json:"date"`
}

type remediation struct {
	Category string `json:"category"`
	Restart  *struct {
		Category string `json:"category"`
	} `json:"restart_required"`
}

// The bounds of a document. The largest real ones that were seen have a megabyte.
const (
	maxPart            = 10 << 20 // bytes of what is said of the document, of a product tree, of a vulnerability
	maxValues          = 400_000  // objects, arrays and their elements in one of these
	maxVulnerabilities = 10_000
)

// unreadableError is the failure of a file, as opposed to what stands in it.
type unreadableError struct{ err error }

func (e *unreadableError) Error() string { return e.err.Error() }

// A file hands on what is read, and keeps the error of reading.
type file struct {
	in  io.Reader
	err error
}

func (f *file) Read(p []byte) (int, error) {
	n, err := f.in.Read(p)
	if err != nil && err != io.EOF && !errors.Is(err, source.ErrTooLarge) {
		f.err = err
	}
	return n, err
}

// fields reads a file, and passes each field of the object in it to f, which reads its value.
func (l *listing) fields(open source.Opener, f func(in *bounded.JSON, name string) error) error {
	content, err := l.config.Limits.Open(open)
	switch {
	case errors.Is(err, source.ErrTooLarge):
		return err
	case err != nil:
		return &unreadableError{err}
	}
	defer content.Close()
	of := &file{in: content}
	text := bufio.NewReader(of)
	if mark, _ := text.Peek(3); string(mark) == "\ufeff" {
		_, _ = text.Discard(len(mark))
	}
	in := bounded.NewJSON(text, maxPart, maxValues)
	err = in.Open('{')
	for more := true; err == nil && more; {
		if more, err = in.More('}'); err != nil || !more {
			break
		}
		var name string
		if name, err = in.Name(); err != nil {
			break
		}
		if err = f(in, name); err != nil {
			err = fmt.Errorf("field %.60q: %w", name, err)
		}
	}
	if err == nil {
		err = in.End()
	}
	if of.err != nil {
		return &unreadableError{of.err}
	}
	return err
}

// parse reads a document without its vulnerabilities, and checks what makes its ID.
func (l *listing) parse(open source.Opener) (*document, error) {
	d := new(document)
	err := l.fields(open, func(in *bounded.JSON, name string) error {
		var to any
		switch name {
		case "document":
			to = &d.Document
		case "product_tree":
			to = &d.Tree
		case "vulnerabilities":
			if c, _ := in.Peek(); c != '[' {
				to = new([]json.RawMessage)
			}
		}
		if to == nil {
			return in.Skip()
		}
		raw, bad, err := in.Value()
		switch {
		case err != nil:
			return err
		case bad != nil:
			return bad
		}
		return json.Unmarshal(raw, to)
	})
	if err != nil {
		return nil, err
	}
	return d, d.check()
}

// vulnerabilities passes those of a document to f, one by one: n counts them from 1, and bad is why one cannot be read.
func (l *listing) vulnerabilities(open source.Opener, f func(n int, v *vulnerability, bad error)) error {
	total := 0
	return l.fields(open, func(in *bounded.JSON, name string) error {
		if c, _ := in.Peek(); name != "vulnerabilities" || c != '[' {
			return in.Skip()
		}
		if err := in.Open('['); err != nil {
			return err
		}
		for {
			more, err := in.More(']')
			if err != nil || !more {
				return err
			}
			if total++; total > maxVulnerabilities {
				return fmt.Errorf("more than %d vulnerabilities: %w", maxVulnerabilities, source.ErrTooLarge)
			}
			raw, bad, err := in.Value()
			if err != nil {
				return fmt.Errorf("vulnerability %d: %w", total, err)
			}
			v := new(vulnerability)
			if bad == nil {
				bad = json.Unmarshal(raw, v)
			}
			f(total, v, bad)
		}
	})
}

func (d *document) check() error {
	t := &d.Document.Tracking
	space, err := url.Parse(strings.TrimSpace(d.Document.Publisher.Namespace))
	if err == nil {
		d.publisher = host(space)
	}
	printable := func(s string) bool {
		return s != "" && len(s) <= 512 && s == strings.TrimSpace(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
	}
	switch {
	case d.Document.Version != "2.0" && d.Document.Version != "2.1":
		return fmt.Errorf("csaf_version is %.20q", d.Document.Version)
	case !printable(d.publisher):
		return fmt.Errorf("publisher namespace %.80q is no URL", d.Document.Publisher.Namespace)
	case !printable(t.ID) || strings.Contains(t.ID, "#"):
		return fmt.Errorf("tracking id is %.80q", t.ID)
	case t.Status == "draft":
		return fmt.Errorf("%s is a draft", t.ID)
	}
	return nil
}

// host returns the host of a namespace, without "www.".
func host(u *url.URL) string { return strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.") }

func (d *document) id() patch.ID {
	return patch.ID("csaf:" + d.publisher + "/" + d.Document.Tracking.ID)
}

// date reads a day and time; what is none is the zero time.
func date(s string) time.Time {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
