// Package kev reads the catalogue of vulnerabilities that CISA knows to be exploited (KEV), in JSON or CSV, and marks the
// advisories that name one of them.
//
// [Read] reads a file into a [Catalogue], which answers questions about single CVEs ([Catalogue.Entry]) and is an enricher:
// an advisory becomes Exploited, and KnownSince the day on which CISA listed the first of its CVEs, or an earlier day that is
// known already. A patch keeps the earliest day by which American authorities have to act, and whether a CVE is known to be
// used in ransomware campaigns, in the native fields [NativeDue] and [NativeRansomware].
//
// What is not in the catalogue stays unknown, and is never marked as not exploited: CISA lists what it has evidence of and
// for which there is something to be done, not everything that is exploited, and a missing entry may be one of tomorrow.
//
// CISA takes entries back at times. The word of a newer file does not lower what is known: a catalog that was enriched with
// an older one stays as it is, and [Catalogue.Join] carries older entries over. A product that wants to follow CISA
// enriches what its sources list with the newest file alone.
//
// Vendor and product are words for people: nothing joins by them. The package fetches nothing and verifies no signature.
// It was tested with the catalogues of August 2025 and August 2026.
package kev

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/bounded"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// The native fields that [Catalogue.Enrich] sets in patches.
const (
	NativeDue        = "kev.dueDate"                    // the earliest day of those of the patch's CVEs: "2025-09-15"
	NativeRansomware = "kev.knownRansomwareCampaignUse" // "Known", or else what CISA says of one of them
)

// Config says what is read. Open is required.
type Config struct {
	Name   string // of the file, for errors; "" means "catalogue"
	Open   source.Opener
	Limits source.Limits // Bytes is 64 MiB if zero
}

// An Entry is one vulnerability of the catalogue.
type Entry struct {
	CVE     string
	Vendor  string
	Product string
	Name    string // "Git Link Following Vulnerability"
	Added   time.Time
	Due     time.Time // midnight UTC of the day by which American authorities have to act; zero if CISA names none

	// Ransomware says whether it is known to be used in ransomware campaigns. CISA says "Known" or "Unknown", never no:
	// RansomwareRaw is that word.
	Ransomware    patch.Tri
	RansomwareRaw string

	Description string
	Action      string // what CISA requires
	Notes       string
	CWEs        []string
}

// A Catalogue is what one file says. It is immutable, and safe for concurrent use. The zero Catalogue is empty.
type Catalogue struct {
	version  string
	released time.Time
	entries  map[string]Entry
}

var _ patch.Enricher = (*Catalogue)(nil)

// Version returns what CISA calls this edition, "2026.08.21", or "" for a CSV file, which does not say.
func (c *Catalogue) Version() string { return c.version }

// Released returns when this edition was published, or zero for a CSV file, which does not say.
func (c *Catalogue) Released() time.Time { return c.released }

// Len returns the number of entries.
func (c *Catalogue) Len() int { return len(c.entries) }

// Entry returns what the catalogue says of a CVE. Nothing follows from there being no entry.
func (c *Catalogue) Entry(cve string) (Entry, bool) {
	e, found := c.entries[cve]
	e.CWEs = slices.Clone(e.CWEs)
	return e, found
}

// All yields the entries by the names of their CVEs.
func (c *Catalogue) All() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for _, name := range slices.Sorted(maps.Keys(c.entries)) {
			if e, _ := c.Entry(name); !yield(e) {
				return
			}
		}
	}
}

// Join returns a catalogue of the entries of c, and of those of an older one that c does not have. Version and day of
// release are those of c, and neither is changed.
func (c *Catalogue) Join(older *Catalogue) *Catalogue {
	joined := &Catalogue{version: c.version, released: c.released, entries: maps.Clone(older.entries)}
	if joined.entries == nil {
		joined.entries = make(map[string]Entry, len(c.entries))
	}
	maps.Copy(joined.entries, c.entries)
	return joined
}

// Enrich implements [patch.Enricher]. An advisory is exploited if one of its CVEs is. What is added is credited to the
// edition, "kev:2026.08.21", or to "kev:catalogue".
func (c *Catalogue) Enrich(ctx context.Context, catalog *patch.Catalog) ([]patch.Patch, error) {
	known := func(cve string) bool {
		_, found := c.entries[cve]
		return found
	}
	from := patch.ID("kev:" + cmp.Or(c.version, "catalogue"))
	return source.Enrich(ctx, catalog, known, func(a *source.Addition) bool {
		changed := false
		if a.Advisory.Exploited != patch.Yes {
			a.Advisory.Exploited, changed = patch.Yes, true
			a.Credit("exploited", from)
		}
		for _, name := range a.CVEs {
			e := c.entries[name]
			if since := a.Advisory.KnownSince; since.IsZero() || e.Added.Before(since) {
				a.Advisory.KnownSince, changed = e.Added, true
				a.Credit("knownSince", from)
			}
			native := false
			if !e.Due.IsZero() {
				// Days in this form are in order as texts.
				due, was := e.Due.Format(time.DateOnly), a.Patch.Native[NativeDue]
				if was == "" || due < was {
					native = a.Native(NativeDue, due)
				}
			}
			if was := a.Patch.Native[NativeRansomware]; e.RansomwareRaw != "" && (was == "" || e.Ransomware == patch.Yes && !ransomware(was)) {
				native = a.Native(NativeRansomware, e.RansomwareRaw) || native
			}
			if native {
				changed = true
				a.CreditPatch("native", from)
			}
		}
		return changed
	})
}

// Read reads a catalogue, plain or compressed: JSON if its first character is a brace, else CSV.
//
// There are three outcomes. With err nil the catalogue holds everything that could be read, and refused holds one error for
// each record that could not, which names the file and the place and wraps [patch.ErrRecord]: it is for the caller to decide
// whether a catalogue without them will do. Of a CVE that is listed twice the second record is refused. With err not nil there
// is no catalogue, because the file could not be read to its end; refused holds what was refused until then. A JSON file with
// fewer records than it says is not read to its end.
func Read(ctx context.Context, config Config) (c *Catalogue, refused []error, err error) {
	if config.Open == nil {
		return nil, nil, errors.New("kev: config: Open is required")
	}
	config.Name = cmp.Or(config.Name, "catalogue")
	config.Limits.Bytes = cmp.Or(max(config.Limits.Bytes, 0), 64<<20)
	r := reading{Config: config, ctx: ctx, result: &Catalogue{entries: make(map[string]Entry)}}
	if err := r.read(); err != nil {
		if ctx.Err() == nil {
			err = fmt.Errorf("kev: %s: %w", config.Name, err)
		}
		return nil, r.refused, err
	}
	return r.result, r.refused, nil
}

// A reading is one call of [Read].
type reading struct {
	Config
	ctx     context.Context
	result  *Catalogue
	refused []error
}

func (r *reading) read() error {
	file, err := r.Limits.Open(r.Open)
	if err != nil {
		return err
	}
	defer file.Close()
	in := bufio.NewReader(file)
	if mark, _ := in.Peek(3); string(mark) == "\ufeff" {
		if _, err := in.Discard(3); err != nil {
			return err
		}
	}
	first, err := firstByte(in)
	switch {
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	case first == '{':
		return r.json(in)
	}
	return r.csv(in)
}

// firstByte returns the first byte that is no blank, and leaves it to be read.
func firstByte(in *bufio.Reader) (byte, error) {
	for {
		c, err := in.ReadByte()
		if err != nil {
			return 0, err
		}
		if !strings.ContainsRune(" \t\r\n", rune(c)) {
			return c, in.UnreadByte()
		}
	}
}

// A record is an entry as it stands in a file.
type record struct {
	CVE         string   `json:"cveID"`
	Vendor      string   `json:"vendorProject"`
	Product     string   `json:"product"`
	Name        string   `json:"vulnerabilityName"`
	Added       string   `json:"dateAdded"`
	Due         string   `json:"dueDate"`
	Ransomware  string   `json:"knownRansomwareCampaignUse"`
	Description string   `json:"shortDescription"`
	Action      string   `json:"requiredAction"`
	Notes       string   `json:"notes"`
	CWEs        []string `json:"cwes"`
}

func (r *reading) json(in io.Reader) error {
	records, count := 0, -1
	err := r.Limits.ReadObject(in, source.Records{
		Arrays: []string{"vulnerabilities"},
		Field: func(name string, raw json.RawMessage) error {
			var err error
			switch name {
			case "catalogVersion":
				err = json.Unmarshal(raw, &r.result.version)
			case "dateReleased":
				err = json.Unmarshal(raw, &r.result.released)
				r.result.released = r.result.released.UTC()
			case "count":
				err = json.Unmarshal(raw, &count)
			}
			if err != nil {
				return fmt.Errorf("field %s: %w", name, err)
			}
			return nil
		},
		Record: func(_ string, n int, raw json.RawMessage, err error) error {
			records++
			var got record
			if err == nil {
				err = json.Unmarshal(raw, &got)
			}
			return r.keep(fmt.Sprintf("record %d", n), got, err)
		},
	})
	if err == nil && records < count {
		return fmt.Errorf("it has %d records and says that it has %d: %w", records, count, io.ErrUnexpectedEOF)
	}
	return err
}

func (r *reading) csv(in io.Reader) error {
	rows := bounded.NewCSV(in)
	head, _, bad, err := rows.Read()
	if err == nil {
		err = bad
	}
	if err != nil {
		return fmt.Errorf("the line of names: %w", err)
	}
	columns := make(map[string]int, len(head))
	for i, name := range head {
		columns[strings.TrimSpace(name)] = i
	}
	for _, name := range []string{"cveID", "dateAdded"} {
		if _, found := columns[name]; !found {
			return fmt.Errorf("there is no column %s", name)
		}
	}
	width := len(head)
	open := error(nil) // of a row whose quotes may never have been closed
	for n := 1; ; n++ {
		row, line, err, end := rows.Read()
		switch {
		case end == io.EOF && open != nil:
			return fmt.Errorf("%w: %w", open, io.ErrUnexpectedEOF)
		case end == io.EOF:
			return nil
		case end != nil:
			return end
		}
		open = nil
		if n > r.Limits.Max() {
			return fmt.Errorf("more than %d records: %w", r.Limits.Max(), source.ErrTooLarge)
		}
		if errors.Is(err, csv.ErrQuote) {
			open = fmt.Errorf("line %d: %w", line, err)
		}
		if err == nil && len(row) != width {
			err = fmt.Errorf("%d fields, want %d", len(row), width)
		}
		field := func(name string) string {
			if i, found := columns[name]; found && err == nil {
				return row[i]
			}
			return ""
		}
		got := record{
			CVE: field("cveID"), Vendor: field("vendorProject"), Product: field("product"), Name: field("vulnerabilityName"),
			Added: field("dateAdded"), Due: field("dueDate"), Ransomware: field("knownRansomwareCampaignUse"),
			Description: field("shortDescription"), Action: field("requiredAction"), Notes: field("notes"),
		}
		for cwe := range strings.SplitSeq(field("cwes"), ",") {
			if cwe = strings.TrimSpace(cwe); cwe != "" {
				got.CWEs = append(got.CWEs, cwe)
			}
		}
		if err := r.keep(fmt.Sprintf("line %d", line), got, err); err != nil {
			return err
		}
	}
}

// keep takes a record into the catalogue, or refuses it. Its error ends the reading.
func (r *reading) keep(where string, got record, err error) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	var e Entry
	if err == nil {
		e, err = got.entry()
	}
	if _, found := r.result.entries[e.CVE]; err == nil && found {
		err = fmt.Errorf("%s is listed already", e.CVE)
	}
	if err != nil {
		r.refused, err = r.Limits.Refuse(r.refused, source.Bad("kev: "+r.Name+": "+where, err))
		return err
	}
	r.result.entries[e.CVE] = e
	return nil
}

func (got *record) entry() (Entry, error) {
	e := Entry{
		CVE: strings.TrimSpace(got.CVE), Vendor: got.Vendor, Product: got.Product, Name: got.Name, RansomwareRaw: got.Ransomware,
		Description: got.Description, Action: got.Action, Notes: got.Notes, CWEs: got.CWEs,
	}
	if len(e.CWEs) == 0 {
		e.CWEs = nil // the two forms of the file are to agree
	}
	if !source.IsCVE(e.CVE) {
		return Entry{}, fmt.Errorf("field cveID is %q", abbreviate(got.CVE))
	}
	var found bool
	if e.Added, found = day(got.Added); !found {
		return Entry{}, fmt.Errorf("%s: field dateAdded is %q", e.CVE, abbreviate(got.Added))
	}
	if e.Due, found = day(got.Due); !found && got.Due != "" {
		return Entry{}, fmt.Errorf("%s: field dueDate is %q", e.CVE, abbreviate(got.Due))
	}
	if ransomware(got.Ransomware) {
		e.Ransomware = patch.Yes
	}
	return e, nil
}

func ransomware(word string) bool { return strings.EqualFold(word, "known") }

func day(text string) (time.Time, bool) {
	at, err := time.Parse(time.DateOnly, text)
	return at, err == nil && !at.IsZero()
}

// abbreviate returns the beginning of a text for an error.
func abbreviate(text string) string { return text[:min(len(text), 60)] }
