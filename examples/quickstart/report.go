package main

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/rollout"
)

//go:embed report.html.tmpl
var reportText string

// A story is what a report is made of.
type story struct {
	Before, After survey
	Rollouts      []*history
	Fleet         map[inventory.DeviceID]inventory.Device // without their software
}

// write writes the report: one HTML file that needs no other.
func (s *story) write(w io.Writer) error {
	t, err := template.New("report").Parse(reportText)
	if err != nil {
		return err
	}
	return t.Execute(w, s.view())
}

// A reportView is what the template shows: words and numbers, ready to be put in their places.
type reportView struct {
	Tenant     inventory.Tenant
	From, To   string
	Devices    int
	Compliance []complianceView
	Rollouts   []rolloutView
	Table      []deviceRow
}

type complianceView struct {
	When, At string
	compliance
	Bars []bar
}

// A bar is a piece of a bar chart. It has its number in it where there is room.
type bar struct {
	Class, Label string
	X, W, Middle float64
	N            int
	Room, Lined  bool
}

type rolloutView struct {
	ID         rollout.ID
	Number     int
	Stage      rollout.Stage
	By, At     string
	Devices    int
	Patches    []patchRow
	Touched    int // devices on which something was begun
	Rings      []ringRow
	Outcomes   []outcomeCount
	Chart      chart
	Matrix     matrix
	Lines      []lineRow
	Quarantine []quarantineRow
}

type patchRow struct {
	Title   string
	Devices int
}

type ringRow struct {
	Name, Describe, Gate, State, Result string
	Opened, Judged                      string
	Counts                              rollout.Counts
	Outcomes                            []outcomeCount
}

type outcomeCount struct {
	Outcome rollout.Outcome
	N       int
}

type lineRow struct {
	When, Text string
	Sum        bool
}

type quarantineRow struct{ Patch, Since, Reason, State string }

type deviceRow struct {
	Device   inventory.DeviceID
	Tenant   inventory.Tenant
	Role     string
	Zone     string
	Outcomes []string // by rollout; "" for one that it was no part of
	Attempts []int
}

func (s *story) view() reportView {
	v := reportView{Devices: s.Before.Baseline.Devices}
	for _, c := range []struct {
		when string
		compliance
	}{{"before", s.Before.Compliance}, {"after", s.After.Compliance}} {
		v.Compliance = append(v.Compliance, complianceView{When: c.when, At: stamp(c.At), compliance: c.compliance, Bars: complianceBars(c.compliance)})
	}
	for i, h := range s.Rollouts {
		v.Tenant = h.Plan.Tenant
		v.Rollouts = append(v.Rollouts, rolloutViewOf(h, i+1))
	}
	if n := len(s.Rollouts); n > 0 {
		v.From, v.To = day(s.Rollouts[0].Plan.At), day(s.Rollouts[n-1].Status.At)
	}
	v.Table = s.table()
	return v
}

func day(t time.Time) string { return t.UTC().Format("2 January 2006") }

// complianceBars divides a bar among all devices; those excluded stand at its end.
func complianceBars(c compliance) (bars []bar) {
	if c.Devices == 0 {
		return nil
	}
	const wide = 30 // pixels for three digits
	before := 0
	x := func(n int) float64 { return round(chartLeft + (chartRight-chartLeft)*float64(n)/float64(c.Devices)) }
	for _, p := range []struct {
		class, label string
		n            int
	}{
		{"ok", "compliant", c.Compliant}, {"bad", "missing security patches", c.Missing - c.Held},
		{"held", "missing security patches, all held by the policy", c.Held},
		{"unknown", "unknown", c.Unknown}, {"excluded", "excluded", c.Excluded},
	} {
		if p.n == 0 {
			continue
		}
		from, to := x(before), x(before+p.n)
		bars = append(bars, bar{Class: p.class, Label: p.label, X: from, W: round(to - from), Middle: round((from + to) / 2), N: p.n,
			Room: to-from >= wide, Lined: p.class != "ok" && p.class != "excluded"})
		before += p.n
	}
	return bars
}

func rolloutViewOf(h *history, number int) rolloutView {
	p := h.Plan
	v := rolloutView{ID: p.ID, Number: number, Stage: h.Status.Stage, By: p.By, At: stamp(p.At), Devices: len(p.Devices),
		Chart: chartOf(h), Matrix: matrixOf(h)}
	all := make(map[rollout.Outcome]int)
	for i := range h.Devices {
		all[h.outcome(i)]++
		if h.Devices[i].Attempts > 0 {
			v.Touched++
		}
	}
	v.Outcomes = counted(all)
	for r := range p.Rings {
		v.Rings = append(v.Rings, ringRowOf(h, r))
	}
	titles := make(map[string]int)
	for i := range p.Devices {
		for _, x := range p.Contents[p.Content[i]].Patches {
			titles[cmp.Or(x.Title, string(x.ID))]++
		}
	}
	for _, title := range slices.Sorted(maps.Keys(titles)) {
		v.Patches = append(v.Patches, patchRow{title, titles[title]})
	}
	for _, l := range h.Lines() {
		v.Lines = append(v.Lines, lineRow{When: when(l), Text: l.String(), Sum: l.Sum})
	}
	for _, q := range h.Quarantine {
		row := quarantineRow{Patch: string(q.Patch), Since: stamp(q.Since), Reason: q.Reason, State: "not offered until superseded or released"}
		if !q.Released.IsZero() {
			row.State = "released " + stamp(q.Released) + " by " + q.By
		}
		v.Quarantine = append(v.Quarantine, row)
	}
	return v
}

// when tells the time of a line, and its end.
func when(l rollout.Line) string {
	if l.From.Equal(l.To) {
		return stamp(l.From)
	}
	return stamp(l.From) + "–" + until(l.From, l.To)
}

func ringRowOf(h *history, r int) ringRow {
	ring, status := &h.Plan.Rings[r], &h.Status.Rings[r]
	row := ringRow{Name: ring.Name, Describe: h.Plan.DescribeRing(r), Gate: ring.Gate.String(), State: status.State,
		Counts: status.Counts, Outcomes: counted(status.Outcomes)}
	for _, m := range h.Moments {
		if s := m.Rings[r].State; row.Opened == "" && s != "waiting" && s != "asking" {
			row.Opened = stamp(m.At)
		}
	}
	row.Result = "never judged: the ring did not open"
	if row.Opened != "" {
		row.Result = "never judged"
	}
	if g, ok := h.result(r); ok {
		c := g.Counts
		row.Judged = stamp(g.At)
		row.Result = fmt.Sprintf("%s: %d of %d %s devices succeeded, %d failed", g.Result, c.Succeeded, c.Denominator, ring.Gate.Denominator, c.Bad())
		for _, also := range []struct {
			n    int
			what string
		}{{c.NoNeed, "had no need"}, {c.Lapsed, "unreachable"}, {c.Active, "under way"}, {c.Left, "left out"}} {
			if also.n > 0 {
				row.Result += fmt.Sprintf(", %d %s", also.n, also.what)
			}
		}
		row.Result += fmt.Sprintf("; sample %d of %d", c.Sample, c.Devices)
	}
	return row
}

func counted(n map[rollout.Outcome]int) (all []outcomeCount) {
	for _, o := range rollout.Outcomes() {
		if n[o] > 0 {
			all = append(all, outcomeCount{o, n[o]})
		}
	}
	return all
}

// table lists every device of the fleet, planned or not, with what became of it.
func (s *story) table() []deviceRow {
	rows := make([]deviceRow, 0, len(s.Fleet))
	for _, id := range slices.Sorted(maps.Keys(s.Fleet)) {
		d := s.Fleet[id]
		row := deviceRow{Device: id, Tenant: d.Tenant, Role: d.Labels["role"], Zone: d.Zone,
			Outcomes: make([]string, len(s.Rollouts)), Attempts: make([]int, len(s.Rollouts))}
		for i, h := range s.Rollouts {
			if at, planned := h.Plan.Find(id); planned {
				row.Outcomes[i], row.Attempts[i] = h.outcome(at).String(), h.Devices[at].Attempts
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// mark is the sign that an outcome has beside its colour, for those who do not see the colour.
func mark(o rollout.Outcome) string {
	switch o {
	case rollout.Succeeded:
		return ""
	case rollout.AlreadyInstalled, rollout.NotApplicable, rollout.Superseded:
		return "equal"
	case rollout.Failed, rollout.RollbackFailed:
		return "cross"
	case rollout.RolledBack:
		return "back"
	case rollout.Unreachable, rollout.Away:
		return "ask"
	}
	return "dot"
}

// class names the colour of an outcome.
func class(o rollout.Outcome) string {
	switch o {
	case rollout.Succeeded:
		return "ok"
	case rollout.AlreadyInstalled, rollout.NotApplicable, rollout.Superseded:
		return "noneed"
	case rollout.Failed, rollout.RollbackFailed:
		return "bad"
	case rollout.RolledBack:
		return "back"
	case rollout.Unreachable, rollout.Away:
		return "unknown"
	}
	return "left"
}

// Mark is what the template calls.
func (o outcomeCount) Mark() string { return mark(o.Outcome) }

// Class is what the template calls.
func (o outcomeCount) Class() string { return class(o.Outcome) }

// Words is the outcome as people say it.
func (o outcomeCount) Words() string { return strings.ReplaceAll(o.Outcome.String(), "-", " ") }
