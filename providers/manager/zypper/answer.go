package zypper

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/grammar"
	"github.com/patchflow/patchflow/providers/manager/internal/signs"
	"github.com/patchflow/patchflow/providers/transport"
)

// An answer is what zypper says with --xmlout (its file xmlout.rnc).
type answer struct {
	errors []string // messages of the type error
	warned []string // and warning
	asked  []string // what it would have asked, and answers itself
	moves  []manager.Move
	size   int64    // of what would be downloaded, in bytes
	files  []string // what was downloaded
	odd    error    // the first thing of what would be done that is not understood
	whole  bool     // it has come to its end
}

// text are the words of an element.
type text struct {
	Type  string `xml:"type,attr"`
	Words string `xml:",chardata"`
}

// A question has its reason in a description.
type question struct {
	Description string `xml:"description"`
	Text        string `xml:"text"`
}

// A summary is what would be done, a section for each manner.
type summary struct {
	Size     int64     `xml:"download-size,attr"`
	Sections []section `xml:",any"`
}

type section struct {
	XMLName   xml.Name
	Solvables []solvable `xml:"solvable"`
}

type solvable struct {
	Type string `xml:"type,attr"`
	Name string `xml:"name,attr"`
	Arch string `xml:"arch,attr"`
	To   string `xml:"edition,attr"`
	From string `xml:"edition-old,attr"`
}

type download struct {
	Local struct {
		Path string `xml:"path,attr"`
	} `xml:"localfile"`
}

// read takes in what there is: the answer of a zypper that was killed has no end.
func read(stdout []byte) answer {
	var a answer
	d := xml.NewDecoder(bytes.NewReader(printable(stdout)))
	for {
		token, err := d.Token()
		if err != nil {
			return a
		}
		if end, ok := token.(xml.EndElement); ok && end.Name.Local == "stream" {
			a.whole = true
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "message":
			var m text
			if d.DecodeElement(&m, &start) != nil {
				return a
			}
			switch m.Type { // the others have what scripts of packages print
			case "error":
				a.errors = append(a.errors, m.Words)
			case "warning":
				a.warned = append(a.warned, m.Words)
			}
		case "prompt":
			var q question
			if d.DecodeElement(&q, &start) != nil {
				return a
			}
			a.asked = append(a.asked, q.Description+"\n"+q.Text)
		case "install-summary":
			var s summary
			if d.DecodeElement(&s, &start) != nil {
				return a
			}
			a.take(s)
		case "download-result":
			var l download
			if d.DecodeElement(&l, &start) != nil {
				return a
			}
			a.files = append(a.files, l.Local.Path)
		}
	}
}

// reason is what zypper gives as such, in one line.
func (a answer) reason() string {
	for _, all := range [][]string{a.errors, a.asked, a.warned} {
		if len(all) > 0 {
			return fmt.Sprintf("%.300s", strings.Join(strings.Fields(all[0]), " "))
		}
	}
	return "it gives no reason"
}

// classify returns the error for how zypper has ended, by its words.
func (a answer) classify(r transport.Result) error {
	said := strings.Join(slices.Concat(a.errors, a.asked, a.warned), "\n")
	told := r.Stderr // rpm's own words
	r.Stderr = []byte(a.reason())
	return signs.Classify(r, signs.Zypper(), []byte(said), told, nil)
}

// printable replaces what XML cannot hold: scripts of packages print anything.
func printable(stdout []byte) []byte {
	return bytes.Map(func(c rune) rune {
		if c < ' ' && c != '\n' && c != '\t' && c != '\r' || c == '\ufffe' || c == '\uffff' {
			return '?'
		}
		return c
	}, stdout)
}

// take reads what would be done. What is no package, as a product or a pattern, gets a name that nobody asks for.
func (a *answer) take(s summary) {
	a.size = s.Size
	words := grammar.RPM("zypper")
	for _, part := range s.Sections {
		for _, p := range part.Solvables {
			m := manager.Move{Name: p.Name, Arch: p.Arch, From: p.From, To: p.To}
			known := true
			switch part.XMLName.Local {
			case "to-install", "to-upgrade", "to-downgrade", "to-reinstall", "to-change-arch", "to-change-vendor", "to-upgrade-change-arch", "to-downgrade-change-arch":
			case "to-remove":
				m.Remove, m.From, m.To = true, p.To, ""
			default:
				known = false
			}
			switch {
			case !known && a.odd == nil:
				a.odd = fmt.Errorf("%.100q of %.100q is not understood: %w", part.XMLName.Local, p.Name, patch.ErrPermanent)
			case !known:
			case p.Type != "package":
				m.Name = p.Type + ":" + p.Name
			case a.odd == nil && (words.CheckName(p.Name) != nil || words.CheckArch(p.Arch) != nil || words.CheckVersion(p.To) != nil):
				a.odd = fmt.Errorf("%.200q is not understood: %w", strings.Join([]string{p.Name, p.Arch, p.To}, " "), patch.ErrPermanent)
			}
			a.moves = append(a.moves, m)
		}
	}
}
