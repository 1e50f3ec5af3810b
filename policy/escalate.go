package policy

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// An Escalation says that a patch has become more urgent on a device, because more is known of it than before: it is due
// earlier, or it is to be installed and was not. It is plain data, to be told to people, and to rollouts that bring the patch
// already (rollout/runner, Runner.Escalate).
type Escalation struct {
	Tenant inventory.Tenant   `json:"tenant"`
	Device inventory.DeviceID `json:"device"`
	Patch  patch.ID           `json:"patch"`
	At     time.Time          `json:"at"`
	Causes []Cause            `json:"causes,omitempty"` // what has become known; none if something else of the patch has changed
	Was    Due                `json:"was"`
	Is     Due                `json:"is"`
	Before Verdict            `json:"before"`
	After  Judgement          `json:"after"`
}

// A Cause is one thing that has become known of a patch.
type Cause struct {
	Code CauseCode `json:"code"`
	From string    `json:"from"` // as it is written in JSON: "unknown", "important", "0.02"
	To   string    `json:"to"`
}

// CauseCode says what has become known of a patch.
type CauseCode uint8

const (
	CauseUnknown   CauseCode = iota
	CauseExploited           // it is known to be exploited
	CauseSeverity            // its severity was raised
	CauseEPSS                // its exploitation has become more probable
)

func causeNames() enum.Names { return enum.Names{"unknown", "exploited", "severity", "epss"} }

// String returns the lower-case name, as used in JSON and YAML.
func (c CauseCode) String() string { return causeNames().String("cause", int(c)) }

// MarshalText implements [encoding.TextMarshaler].
func (c CauseCode) MarshalText() ([]byte, error) { return causeNames().Text("cause", int(c)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (c *CauseCode) UnmarshalText(text []byte) error {
	v, err := causeNames().Parse("cause", text)
	*c = CauseCode(v)
	return err
}

// Reassess yields what has become urgent since a catalog was replaced by newer: for those cases, made of the older one, of
// which p says with the patches of newer that they are due earlier, or are to be installed and were not. It is pure, and
// yields in the order of cases. A patch that is not another in newer costs one look-up; one that newer does not have
// is passed over.
func Reassess(p *Policy, cases iter.Seq[Case], newer *patch.Catalog, now time.Time) iter.Seq[Escalation] {
	return func(yield func(Escalation) bool) {
		for c := range cases {
			fresh, changed := renew(c, newer)
			if !changed {
				continue
			}
			e := Escalation{Tenant: c.Device.Tenant, Device: c.Device.ID, Patch: c.Patch.ID, At: now,
				Was: p.Due(c, now), Is: p.Due(fresh, now), Before: p.Verdict(c, now)}
			after := p.Verdict(fresh, now)
			if !e.Is.sooner(e.Was) && (e.Before >= RequireApproval || after < RequireApproval) {
				continue
			}
			e.After, e.Causes = p.Judge(fresh, now), causes(c.Patch, fresh.Patch)
			if !yield(e) {
				return
			}
		}
	}
}

// renew returns c with the patches as newer has them, and whether any is another.
func renew(c Case, newer *patch.Catalog) (Case, bool) {
	changed := false
	fresh := func(x *patch.Patch) *patch.Patch {
		if y, ok := newer.Get(x.ID); ok && y != x {
			changed = true
			return y
		}
		return x
	}
	c.Patch = fresh(c.Patch)
	for i := range c.Older {
		if y := fresh(c.Older[i].Patch); y != c.Older[i].Patch {
			c.Older = slices.Clone(c.Older)
			c.Older[i].Patch = y
		}
	}
	return c, changed
}

// sooner says whether d is due before o.
func (d Due) sooner(o Due) bool {
	switch {
	case d.Now != o.Now:
		return d.Now
	case d.At.IsZero():
		return false
	}
	return o.At.IsZero() || d.At.Before(o.At)
}

func causes(a, b *patch.Patch) []Cause {
	var all []Cause
	if a.Exploited() != patch.Yes && b.Exploited() == patch.Yes {
		all = append(all, Cause{CauseExploited, a.Exploited().String(), "yes"})
	}
	if a.Worst() < b.Worst() {
		all = append(all, Cause{CauseSeverity, a.Worst().String(), b.Worst().String()})
	}
	if a.EPSS() < b.EPSS() {
		all = append(all, Cause{CauseEPSS, fmt.Sprint(a.EPSS()), fmt.Sprint(b.EPSS())})
	}
	return all
}

// String returns e in English, in one line without a full stop.
func (e Escalation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s is urgent", e.Patch, inventory.Ref{Tenant: e.Tenant, Device: e.Device})
	for i, c := range e.Causes {
		sep := ", and"
		if i == 0 {
			sep = ":"
		}
		fmt.Fprintf(&b, "%s %s", sep, c)
	}
	if e.Is.sooner(e.Was) {
		fmt.Fprintf(&b, "; due %s", e.Is.text(e.Patch, e.At))
	}
	if e.Before != e.After.Verdict {
		fmt.Fprintf(&b, "; %s, was %s", e.After.Verdict, e.Before)
	}
	return b.String()
}

// String returns c in English.
func (c Cause) String() string {
	switch c.Code {
	case CauseExploited:
		return "it is known to be exploited"
	case CauseSeverity:
		return fmt.Sprintf("its severity went from %s to %s", c.From, c.To)
	case CauseEPSS:
		return fmt.Sprintf("the probability of its exploitation went from %s to %s", c.From, c.To)
	}
	return "something else has changed"
}
