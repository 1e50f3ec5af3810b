package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/predicate"
)

// An Explanation is all that a policy has to say of one finding at one instant: the judgement with every reason, by when the
// patch is due, and when and how the verdict can become another.
type Explanation struct {
	Policy string             `json:"policy"`
	Tenant inventory.Tenant   `json:"tenant"`
	Device inventory.DeviceID `json:"device"`
	Patch  patch.ID           `json:"patch"`
	Title  string             `json:"title,omitempty"` // of the patch
	At     time.Time          `json:"at"`
	Judgement
	Due Due `json:"due,omitzero"`

	// Next is the first instant after At at which time alone changes the verdict, or the rule behind it: a deferral ends, an
	// exception begins or expires, a hold expires, a patch is old enough. Then says what the verdict is from then on. Zero if
	// time alone changes nothing.
	Next time.Time `json:"next,omitzero"`
	Then Verdict   `json:"then,omitempty"`
}

// Explain explains what p says of c at the time now. It is as pure as [Policy.Judge], and dearer: it judges c again at
// each instant that may matter.
func (p *Policy) Explain(c Case, now time.Time) Explanation {
	e := Explanation{
		Policy: p.Name, Tenant: c.Device.Tenant, Device: c.Device.ID, Patch: c.Patch.ID, Title: c.Patch.Title, At: now,
		Judgement: p.Judge(c, now), Due: p.Due(c, now),
	}
	for _, t := range p.instants(&c, now) {
		// What is worth telling is another verdict, another rule, or a new end: not that a loser changed.
		if j := p.Judge(c, t); j.Verdict != e.Verdict || j.Rule != e.Rule || !j.Until.Equal(e.Until) {
			e.Next, e.Then = t, j.Verdict
			break
		}
	}
	return e
}

// instants returns, in their order and each once, the instants after now at which time may change what p says of c.
func (p *Policy) instants(c *Case, now time.Time) []time.Time {
	var all []time.Time
	add := func(t time.Time) {
		if t.After(now) {
			all = append(all, t)
		}
	}
	age := func(m *Match) {
		if m.MinAge > 0 && !c.Patch.Released.IsZero() {
			add(c.Patch.Released.Add(m.MinAge.Std()))
		}
		for _, t := range m.Where.Expr().Turns(c.facts(now)) {
			add(t)
		}
	}
	for i := range p.Holds {
		age(&p.Holds[i].Match)
		add(p.Holds[i].Expires)
	}
	for i := range p.Exceptions {
		add(p.Exceptions[i].Granted)
		add(p.Exceptions[i].end())
	}
	for i := range p.Deadlines {
		l := &p.Deadlines[i]
		for _, o := range append([]Older{{c.Patch, c.FirstSeen, c.Approved}}, c.Older...) {
			if l.Match.MinAge > 0 && !o.Patch.Released.IsZero() {
				add(o.Patch.Released.Add(l.Match.MinAge.Std()))
			}
			for _, t := range l.Match.Where.Expr().Turns(predicate.Facts{Patch: o.Patch, Device: c.Device, Now: now}) {
				add(t)
			}
			if start, _ := l.start(o.Patch, &Case{FirstSeen: o.FirstSeen, Approved: o.Approved}); !start.IsZero() {
				add(start.Add(l.Within.Std() - l.reserve().Std()))
			}
		}
	}
	for i := range p.Rules {
		r := &p.Rules[i]
		age(&r.Match)
		if start := r.From.of(c); r.Verdict == Defer && !start.IsZero() {
			add(start.Add(r.For.Std()))
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}

// String returns the explanation in English, one fact a line, each with a line feed at its end.
func (e Explanation) String() string {
	var b strings.Builder
	device := inventory.Ref{Tenant: e.Tenant, Device: e.Device}
	fmt.Fprintf(&b, "%s on %s: %s", e.Patch, device, e.Verdict)
	if !e.Until.IsZero() {
		fmt.Fprintf(&b, " until %s", moment(e.Until))
	}
	fmt.Fprintf(&b, " (policy %s, at %s)\n", e.Policy, moment(e.At))
	if e.Title != "" {
		fmt.Fprintf(&b, "  what: %s\n", e.Title)
	}
	if len(e.Reasons) == 0 {
		b.WriteString("  because no rule is about it, and nothing is installed unless a rule says so\n")
	}
	for i, r := range e.Reasons {
		word := "also"
		if i == 0 && e.Verdict != NoDecision {
			word = "because"
		}
		fmt.Fprintf(&b, "  %s %s\n", word, r)
	}
	if !e.Due.IsZero() {
		fmt.Fprintf(&b, "  due %s\n", e.Due.text(e.Patch, e.At))
	}
	if remedy := e.Remedy(); remedy != "" {
		fmt.Fprintf(&b, "  to change: %s\n", remedy)
	}
	if !e.Next.IsZero() {
		fmt.Fprintf(&b, "  next change: %s, then %s\n", moment(e.Next), e.Then)
	}
	return b.String()
}

// String returns when a patch is due, in English.
func (d Due) String() string { return d.text(d.Patch, time.Time{}) }

func (d *Due) text(x patch.ID, now time.Time) string {
	if d.IsZero() {
		return "never: no deadline is about it"
	}
	var b strings.Builder
	switch {
	case d.Now && d.At.IsZero():
		b.WriteString("now")
	case d.Now:
		fmt.Fprintf(&b, "now, since %s", moment(d.At))
	case d.At.IsZero() && d.From == SinceApproved:
		return fmt.Sprintf("by deadline %q, once it is approved", d.Deadline)
	case d.At.IsZero():
		return fmt.Sprintf("by deadline %q, and nobody knows when its clock began", d.Deadline)
	default:
		b.WriteString(moment(d.At))
		if !now.IsZero() && d.Overdue(now) {
			b.WriteString(", overdue")
		}
	}
	fmt.Fprintf(&b, ", by deadline %q", d.Deadline)
	if !d.Start.IsZero() {
		fmt.Fprintf(&b, ": %s", map[Since]string{SinceReleased: "released", SinceFirstSeen: "first seen", SinceApproved: "approved"}[d.From])
		if d.Patch != x {
			fmt.Fprintf(&b, " as %s, which it supersedes,", d.Patch)
		}
		fmt.Fprintf(&b, " %s", moment(d.Start))
	}
	return b.String()
}

// Remedy says in English what would have to change for another verdict; "" for a patch that is approved. Whether that would be
// wise it does not say.
func (j *Judgement) Remedy() string {
	if j.Verdict == Approve {
		return ""
	}
	if j.Verdict == NoDecision {
		for _, r := range j.Reasons {
			if r.Code == ReasonNotNamed {
				return fmt.Sprintf("rule %q names the classification %s, or the patch itself", r.Rule, r.Classification)
			}
		}
		return "a rule that matches it approves it"
	}
	return j.Reasons[0].remedy(j.Verdict)
}

func (r *Reason) remedy(v Verdict) string {
	switch r.Code {
	case ReasonWithdrawn:
		return "its publisher brings it back, or another patch takes its place"
	case ReasonContested:
		return "the sources agree on its classification"
	case ReasonReleaseUnknown:
		return map[Since]string{SinceReleased: "its release date becomes known", SinceFirstSeen: "it becomes known since when it is missed",
			SinceApproved: "it is approved"}[r.From] + ", or a deadline says now"
	case ReasonExcepted:
		return fmt.Sprintf("exception %q is revoked or expires", r.Subject)
	case ReasonHeld:
		return fmt.Sprintf("hold %q is lifted%s, or names it as fixed", r.Subject, r.orExpires())
	case ReasonHeldUnsure:
		return fmt.Sprintf("hold %q is lifted%s, or what is unknown of the patch becomes known", r.Subject, r.orExpires())
	}
	switch v {
	case RequireApproval:
		who := r.leave()
		if who == "" {
			who = " by one person"
		}
		return "approval" + who
	case Defer:
		return fmt.Sprintf("time passes, or rule %q no longer matches it", r.Rule)
	}
	return fmt.Sprintf("rule %q no longer matches it", r.Rule)
}

func (r *Reason) orExpires() string {
	if r.At.IsZero() {
		return ""
	}
	return " or expires"
}
