package inventory

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/patch"
)

// A Baseline is where a fleet stands at one instant: what it consists of, what it misses, and what is not known of it. It
// is plain data, to be kept and compared with a later one ([Diff]).
type Baseline struct {
	At      time.Time `json:"at"`
	Devices int       `json:"devices"`

	// The same devices, counted by different things. Each list adds up to Devices and is sorted by name; the name "" stands
	// for devices of which it is unknown. States, supports and gaps with no device are listed too, with 0.
	States  []Count `json:"states"`
	Systems []Count `json:"systems,omitempty"` // operating system and version
	Support []Count `json:"support,omitempty"` // by [Support], the least known first; only with [BaselineConfig.Lifecycle]
	Tenants []Count `json:"tenants,omitempty"`
	Roles   []Count `json:"roles,omitempty"`
	Sites   []Count `json:"sites,omitempty"`
	Forms   []Count `json:"forms,omitempty"` // form factors; empty if no device has that label

	// Devices by what else installs updates on them; one with several counts for each.
	Updaters []Count `json:"updaters,omitempty"`

	// Findings of all devices, superseded ones among them: what a superseded patch fixes is missing all the same.
	Findings        int     `json:"findings"`
	Superseded      int     `json:"superseded"`                // how many of them are superseded
	Classifications []Tally `json:"classifications,omitempty"` // by [patch.Classification], the least known first
	Severities      []Tally `json:"severities,omitempty"`      // by [patch.Severity], ascending

	// Gaps are what to look at, in the order of the kinds; a device can be in several. A kind that was not looked for is not
	// listed: support without a lifecycle, policies without [BaselineConfig.Governed], conflicts if no scan told of updaters.
	Gaps []Gap `json:"gaps"`
}

// A Count is a number of devices.
type Count struct {
	Name    string `json:"name"`
	Devices int    `json:"devices"`
}

// A Tally is a number of findings, and of devices with at least one of them.
type Tally struct {
	Name     string `json:"name"`
	Findings int    `json:"findings"`
	Devices  int    `json:"devices"`
}

// A Gap is a number of devices that want attention, with a few of them: those that come first by tenant and ID.
type Gap struct {
	Kind     GapKind `json:"kind"`
	Devices  int     `json:"devices"`
	Examples []Ref   `json:"examples,omitempty"`
}

// GapKind says what devices want attention for.
type GapKind uint8

const (
	GapUnknown       GapKind = iota
	GapNeverScanned          // nothing was ever looked at
	GapStale                 // some manager was last looked at too long ago
	GapIncomplete            // scanned, but some manager was not covered completely
	GapNoZone                // the time zone is unknown: windows are not in the device's own time
	GapPendingReboot         // it waits for a restart
	GapExploited             // it misses a fix of something that is known to be exploited
	GapUnsupported           // its operating system gets no security updates any more, or only extended ones, or that is not known
	GapConflict              // more than one other thing installs updates on it by itself
	GapNoPolicy              // no policy says anything about it
)

func gapNames() enum.Names {
	return enum.Names{"unknown", "never-scanned", "stale", "incomplete", "no-zone", "pending-reboot", "exploited", "unsupported", "conflict",
		"no-policy"}
}

// String returns the lower-case name, as used in JSON and YAML.
func (k GapKind) String() string { return gapNames().String("gap", int(k)) }

// MarshalText implements [encoding.TextMarshaler].
func (k GapKind) MarshalText() ([]byte, error) { return gapNames().Text("gap", int(k)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (k *GapKind) UnmarshalText(text []byte) error {
	v, err := gapNames().Parse("gap", text)
	*k = GapKind(v)
	return err
}

// BaselineConfig says how a [Baseline] is taken. The zero value is usable.
type BaselineConfig struct {
	// Catalog holds the patches of the findings. A finding of a patch that it does not have counts as of unknown
	// classification and unrated severity; [Survey] also assesses with it.
	Catalog *patch.Catalog

	RoleLabel  string        // the label that holds a device's role; "" means "role"
	SiteLabel  string        // the label that holds a device's site; "" means "site"
	FormLabel  string        // the label that holds a device's form factor (laptop, server, virtual); "" means "form"
	StaleAfter time.Duration // age from which a look counts as stale; 0 means 72 hours, a negative one never
	Examples   int           // devices named in each gap at most; 0 means 5, a negative one none

	// PendingAfter is how long a device may wait for a restart before that is a gap; 0 means that every wait is one. A wait
	// of which the beginning is not known always is.
	PendingAfter time.Duration

	// Lifecycle tells which operating systems are supported; nil leaves support out of the baseline.
	Lifecycle *Lifecycle

	// Governed says whether some policy is about a device; nil leaves that out of the baseline.
	Governed func(*Device) bool
}

// Survey lists the devices of source that match q, assesses each with the catalog of cfg, and returns the baseline at now.
// An error of the source is returned with no baseline: what was read is no complete list.
func Survey(ctx context.Context, source Source, q Query, now time.Time, cfg BaselineConfig) (Baseline, error) {
	var failed error
	b := Summarise(now, cfg, func(yield func(Device, Assessment) bool) {
		for d, err := range source.Devices(ctx, q) {
			if err != nil {
				failed = err
				return
			}
			if !yield(d, Assess(cfg.Catalog, &d)) {
				return
			}
		}
	})
	if failed != nil {
		return Baseline{}, fmt.Errorf("inventory: survey: %w", failed)
	}
	return b, nil
}

// Summarise counts devices and their assessments, and returns the baseline at now. The order of the devices does not
// matter; each should occur once. It keeps none of them.
func Summarise(now time.Time, cfg BaselineConfig, devices iter.Seq2[Device, Assessment]) Baseline {
	if cfg.Catalog == nil {
		cfg.Catalog = &patch.Catalog{}
	}
	cfg.RoleLabel = cmp.Or(cfg.RoleLabel, "role")
	cfg.SiteLabel = cmp.Or(cfg.SiteLabel, "site")
	cfg.FormLabel = cmp.Or(cfg.FormLabel, "form")
	cfg.StaleAfter = cmp.Or(cfg.StaleAfter, 72*time.Hour)
	cfg.Examples = cmp.Or(cfg.Examples, 5)
	s := summary{
		cfg: cfg, now: now,
		states: map[State]int{}, systems: map[string]int{}, tenants: map[string]int{}, roles: map[string]int{}, sites: map[string]int{},
		forms: map[string]int{}, updaters: map[string]int{}, support: map[Support]int{},
		classes: map[patch.Classification]Tally{}, severities: map[patch.Severity]Tally{},
	}
	for d, a := range devices {
		s.add(&d, &a)
	}
	return s.baseline()
}

// summary is the work of one call of Summarise.
type summary struct {
	cfg        BaselineConfig
	now        time.Time
	base       Baseline
	states     map[State]int
	systems    map[string]int
	tenants    map[string]int
	roles      map[string]int
	sites      map[string]int
	forms      map[string]int
	updaters   map[string]int
	support    map[Support]int
	classes    map[patch.Classification]Tally
	severities map[patch.Severity]Tally
	gaps       [GapNoPolicy + 1]Gap
	updated    bool // some device tells of updaters
}

func (s *summary) add(d *Device, a *Assessment) {
	s.base.Devices++
	s.states[a.State()]++
	s.systems[strings.TrimSpace(d.Platform.OS+" "+d.Platform.Version)]++
	s.tenants[string(d.Tenant)]++
	s.roles[d.Labels[s.cfg.RoleLabel]]++
	s.sites[d.Labels[s.cfg.SiteLabel]]++
	s.forms[d.Labels[s.cfg.FormLabel]]++
	s.updated = s.updated || d.Updaters != nil
	for _, u := range d.Updaters {
		s.updaters[u]++
	}
	support := Supported
	if s.cfg.Lifecycle != nil {
		support = s.cfg.Lifecycle.Support(d.Platform, s.now)
		s.support[support]++
	}

	exploited := false
	var classes, severities uint64 // those seen on this device
	for i := range a.Findings {
		s.base.Findings++
		if a.Findings[i].SupersededBy != "" {
			s.base.Superseded++
		}
		var class patch.Classification
		var severity patch.Severity
		if p, found := s.cfg.Catalog.Get(a.Findings[i].Patch); found {
			class, severity = p.Classification, p.Severity
			exploited = exploited || p.Exploited() == patch.Yes
		}
		tally(s.classes, class, &classes)
		tally(s.severities, severity, &severities)
	}

	at := Ref{Tenant: d.Tenant, Device: d.ID}
	s.gap(GapNeverScanned, at, len(d.Coverage) == 0)
	s.gap(GapStale, at, s.cfg.StaleAfter > 0 && slices.ContainsFunc(d.Coverage, func(c Coverage) bool {
		return s.now.Sub(c.At) > s.cfg.StaleAfter
	}))
	s.gap(GapIncomplete, at, len(d.Coverage) > 0 && !a.Covered)
	s.gap(GapNoZone, at, d.Zone == "")
	s.gap(GapPendingReboot, at, d.PendingReboot == patch.Yes && s.now.Sub(d.PendingSince) >= s.cfg.PendingAfter)
	s.gap(GapExploited, at, exploited)
	s.gap(GapUnsupported, at, support != Supported)
	s.gap(GapConflict, at, len(d.Updaters) > 1)
	s.gap(GapNoPolicy, at, s.cfg.Governed != nil && !s.cfg.Governed(d))
}

func tally[K ~uint8](tallies map[K]Tally, k K, seen *uint64) {
	t := tallies[k]
	t.Findings++
	if bit := uint64(1) << k; *seen&bit == 0 {
		*seen |= bit
		t.Devices++
	}
	tallies[k] = t
}

func (s *summary) gap(k GapKind, at Ref, found bool) {
	if !found {
		return
	}
	g := &s.gaps[k]
	g.Devices++
	if s.cfg.Examples < 0 {
		return
	}
	// The examples are the first in order, whatever the order in which the devices come.
	i, _ := slices.BinarySearchFunc(g.Examples, at, Ref.Compare)
	if i == s.cfg.Examples {
		return
	}
	g.Examples = slices.Insert(g.Examples, i, at)
	g.Examples = g.Examples[:min(len(g.Examples), s.cfg.Examples)]
}

func (s *summary) baseline() Baseline {
	b := s.base
	b.At = s.now
	for state := StateUnknown; state <= StateMissing; state++ {
		b.States = append(b.States, Count{Name: state.String(), Devices: s.states[state]})
	}
	if s.cfg.Lifecycle != nil {
		for support := SupportUnknown; support <= SupportEnded; support++ {
			b.Support = append(b.Support, Count{Name: support.String(), Devices: s.support[support]})
		}
	}
	b.Systems, b.Tenants, b.Roles, b.Sites = counts(s.systems), counts(s.tenants), counts(s.roles), counts(s.sites)
	if s.forms[""] < b.Devices {
		b.Forms = counts(s.forms)
	}
	b.Updaters = counts(s.updaters)
	b.Gaps = []Gap{}
	for k := GapNeverScanned; k <= GapNoPolicy; k++ {
		if k == GapUnsupported && s.cfg.Lifecycle == nil || k == GapConflict && !s.updated || k == GapNoPolicy && s.cfg.Governed == nil {
			continue
		}
		s.gaps[k].Kind = k
		b.Gaps = append(b.Gaps, s.gaps[k])
	}
	b.Classifications, b.Severities = tallies(s.classes), tallies(s.severities)
	return b
}

func counts(m map[string]int) []Count {
	var result []Count
	for _, name := range slices.Sorted(maps.Keys(m)) {
		result = append(result, Count{Name: name, Devices: m[name]})
	}
	return result
}

func tallies[K interface {
	~uint8
	fmt.Stringer
}](m map[K]Tally) []Tally {
	var result []Tally
	for _, k := range slices.Sorted(maps.Keys(m)) {
		t := m[k]
		t.Name = k.String()
		result = append(result, t)
	}
	return result
}

// A Change is one number that differs between two baselines.
type Change struct {
	Section string `json:"section"` // as in [Baseline.String]: "state", "gap" ...
	Name    string `json:"name"`
	Old     int    `json:"old"`
	New     int    `json:"new"`
}

// String returns one line for people: "state clean: 3 -> 5 (+2)".
func (c Change) String() string {
	return fmt.Sprintf("%s %s: %d -> %d (%+d)", c.Section, nameOr(c.Name), c.Old, c.New, c.New-c.Old)
}

// Diff returns the numbers that differ between two baselines, section by section in the order of [Baseline.String] and by
// name within a section. What only one of them lists counts as 0 in the other. Times and examples are not compared.
func Diff(older, newer Baseline) []Change {
	var changes []Change
	was, is := older.rows(), newer.rows()
	for i := range was {
		old, now := map[string]int{}, map[string]int{}
		for _, r := range was[i].rows {
			old[r.name] = r.first
		}
		for _, r := range is[i].rows {
			now[r.name] = r.first
		}
		names := slices.Concat(slices.Collect(maps.Keys(old)), slices.Collect(maps.Keys(now)))
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			if old[name] != now[name] {
				changes = append(changes, Change{Section: was[i].title, Name: name, Old: old[name], New: now[name]})
			}
		}
	}
	return changes
}

// A section is one part of the table.
type section struct {
	title   string
	columns string // headings after the title, parted by tabs
	rows    []row
}

// A row has the number that counts, and what else stands in its line.
type row struct {
	name  string
	first int
	rest  string
}

// rows returns all numbers of b. The sections are the same for every baseline.
func (b *Baseline) rows() []section {
	return []section{
		{"fleet", "COUNT", []row{{name: "devices", first: b.Devices}, {name: "findings", first: b.Findings}, {name: "superseded", first: b.Superseded}}},
		{"state", "DEVICES", countRows(b.States)},
		{"system", "DEVICES", countRows(b.Systems)},
		{"support", "DEVICES", countRows(b.Support)},
		{"tenant", "DEVICES", countRows(b.Tenants)},
		{"role", "DEVICES", countRows(b.Roles)},
		{"site", "DEVICES", countRows(b.Sites)},
		{"form", "DEVICES", countRows(b.Forms)},
		{"updater", "DEVICES", countRows(b.Updaters)},
		{"classification", "FINDINGS\tDEVICES", tallyRows(b.Classifications)},
		{"severity", "FINDINGS\tDEVICES", tallyRows(b.Severities)},
		{"gap", "DEVICES\tEXAMPLES", gapRows(b.Gaps)},
	}
}

func countRows(counts []Count) []row {
	var rows []row
	for _, c := range counts {
		rows = append(rows, row{name: c.Name, first: c.Devices})
	}
	return rows
}

func tallyRows(tallies []Tally) []row {
	var rows []row
	for _, t := range tallies {
		rows = append(rows, row{name: t.Name, first: t.Findings, rest: strconv.Itoa(t.Devices)})
	}
	return rows
}

func gapRows(gaps []Gap) []row {
	var rows []row
	for _, g := range gaps {
		r := row{name: g.Kind.String(), first: g.Devices}
		for i, e := range g.Examples {
			if i > 0 {
				r.rest += ", "
			}
			r.rest += nameOr(e.String())
		}
		if more := g.Devices - len(g.Examples); more > 0 && r.rest != "" {
			r.rest += fmt.Sprintf(" and %d more", more)
		}
		rows = append(rows, r)
	}
	return rows
}

// nameOr returns name as a table shows it: with something to see, and without what a terminal would obey.
func nameOr(name string) string {
	if strings.ContainsFunc(name, unicode.IsControl) {
		return strconv.Quote(name)
	}
	return cmp.Or(name, "(none)")
}

// String returns a table for people, without blanks at the ends of lines. A fleet of no devices is said to be one.
func (b Baseline) String() string {
	at := b.At.UTC().Format(time.RFC3339)
	if b.Devices == 0 {
		return fmt.Sprintf("baseline at %s: no devices\n", at)
	}
	var table strings.Builder // never fails, and so neither does the tabwriter
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "baseline at %s\n", at)
	for _, s := range b.rows() {
		if len(s.rows) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s\t%s\n", strings.ToUpper(s.title), s.columns)
		for _, r := range s.rows {
			fmt.Fprintf(w, "%s\t%d\t%s\n", nameOr(r.name), r.first, r.rest)
		}
	}
	w.Flush()
	var text strings.Builder
	for line := range strings.Lines(table.String()) {
		text.WriteString(strings.TrimRight(line, " \n"))
		text.WriteByte('\n')
	}
	return text.String()
}
