package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// A result is what is printed of one device.
type result struct {
	Device  inventory.DeviceID    `json:"device"`
	State   inventory.State       `json:"state"`
	Missing []missing             `json:"missing"`        // the most urgent first
	More    int                   `json:"more,omitempty"` // missing patches that are not listed
	Open    []inventory.Hole      `json:"open,omitempty"`
	Pending []inventory.Hole      `json:"pending,omitempty"`
	Exempt  []inventory.Exemption `json:"exempt,omitempty"`
	Unknown []string              `json:"unknown,omitempty"`
}

// missing is one patch that a device misses, and all that tells how urgent it is.
type missing struct {
	Patch     patch.ID       `json:"patch"`
	Title     string         `json:"title,omitempty"`
	Class     string         `json:"classification"`
	Severity  patch.Severity `json:"severity"`
	Exploited patch.Tri      `json:"exploited"`
	Since     time.Time      `json:"exploitedSince,omitzero"`
	EPSS      float64        `json:"epss,omitempty"`
	CVSS      float64        `json:"cvss,omitempty"`
	CVEs      []string       `json:"cves,omitempty"`
	Released  time.Time      `json:"released,omitzero"`
	Why       []string       `json:"why"` // what is installed, and what would be
}

// newResult orders what a device misses, and keeps the first few. What a newer patch makes unnecessary is left out: its CVEs
// are told of the newer one.
func newResult(c *patch.Catalog, d *inventory.Device, a *inventory.Assessment, most int) result {
	r := result{Device: d.ID, State: a.State(), Missing: []missing{}, Open: a.Open, Pending: a.Pending, Exempt: a.Exempt}
	for _, u := range a.Unknown {
		r.Unknown = append(r.Unknown, u.String())
	}
	behind := make(map[patch.ID][]*patch.Patch) // what each standing finding makes unnecessary
	for i := range a.Findings {
		f := &a.Findings[i]
		if p, found := c.Get(f.Patch); found && f.SupersededBy != "" {
			behind[f.SupersededBy] = append(behind[f.SupersededBy], p)
		}
	}
	type ranked struct {
		whole patch.Patch // with the advisories of what it makes unnecessary
		why   []string
	}
	var all []ranked
	for f := range a.Standing() {
		p, found := c.Get(f.Patch)
		if !found {
			continue
		}
		x := ranked{whole: *p}
		x.whole.Advisories = slices.Clone(p.Advisories)
		for _, older := range behind[f.Patch] {
			x.whole.Severity = max(x.whole.Severity, older.Severity)
			x.whole.Advisories = append(x.whole.Advisories, older.Advisories...)
		}
		for _, m := range f.Packages {
			x.why = append(x.why, m.String())
		}
		if f.Evidence == inventory.DeviceSays {
			x.why = append(x.why, "the device says so")
		}
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b ranked) int { return patch.CompareUrgency(&a.whole, &b.whole) })
	for i := range all {
		if most > 0 && i == most {
			r.More = len(all) - i
			break
		}
		p := &all[i].whole
		m := missing{Patch: p.ID, Title: p.Title, Class: p.Classification.String(), Severity: p.Worst(), Exploited: p.Exploited(), EPSS: p.EPSS(),
			CVSS: p.Base(), CVEs: p.CVEs(), Released: p.Released, Why: all[i].why}
		for _, a := range p.Advisories {
			if !a.KnownSince.IsZero() && (m.Since.IsZero() || a.KnownSince.Before(m.Since)) {
				m.Since = a.KnownSince
			}
		}
		r.Missing = append(r.Missing, m)
	}
	return r
}

func writeJSON(w io.Writer, results []result) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(results)
}

func writeTable(w io.Writer, results []result, most int) error {
	for i, r := range results {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s: %s; to be installed: %d", r.Device, r.State, len(r.Missing)+r.More)
		for _, n := range []struct {
			what string
			n    int
		}{{"without a fix", len(r.Open)}, {"waiting for a restart", len(r.Pending)}, {"unknown", len(r.Unknown)}} {
			if n.n > 0 {
				fmt.Fprintf(w, "; %s: %d", n.what, n.n)
			}
		}
		fmt.Fprintln(w)
		if len(r.Missing) > 0 {
			tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			fmt.Fprintf(tw, "\nPATCH\tKIND\tSEVERITY\tEXPLOITED\tCVES\tWHY\n")
			for _, m := range r.Missing {
				since := m.Exploited.String()
				if m.Exploited == patch.Yes {
					since = m.Since.Format(time.DateOnly)
				}
				fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", m.Patch, m.Class, m.Severity, since, some(m.CVEs), first(m.Why))
			}
			if err := tw.Flush(); err != nil {
				return err
			}
			if r.More > 0 {
				fmt.Fprintf(w, "and %d more\n", r.More)
			}
		}
		list(w, most, "no fix yet", r.Open)
		list(w, most, "waits for a restart", r.Pending)
		list(w, most, "not needed", r.Exempt)
		list(w, most, "unknown", r.Unknown)
	}
	return nil
}

// list prints the first few of what there is beside missing patches; 0 means all.
func list[T any](w io.Writer, most int, what string, all []T) {
	for i, x := range all {
		if most > 0 && i == most {
			fmt.Fprintf(w, "%s: and %d more\n", what, len(all)-i)
			return
		}
		fmt.Fprintf(w, "%s: %v\n", what, x)
	}
}

// some returns the first CVEs, and how many there are besides.
func some(cves []string) string {
	switch len(cves) {
	case 0:
		return "-"
	case 1, 2:
		return strings.Join(cves, ", ")
	}
	return fmt.Sprintf("%s and %d more", cves[0], len(cves)-1)
}

func first(why []string) string {
	if len(why) > 1 {
		return fmt.Sprintf("%s, and %d more", why[0], len(why)-1)
	}
	return strings.Join(why, "")
}
