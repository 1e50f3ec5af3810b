package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/predicate"
)

// A KnownIssue is a hold as data: these patches must not go to these devices until the trouble with them is over. It has the
// verdict hold for what it is about, whatever the rules of the policy say. It ends when it expires, or when it is taken out
// of the policy.
type KnownIssue struct {
	ID      string `json:"id" yaml:"id"`
	Match   Match  `json:"match" yaml:"match"` // which patches, on which devices
	Message string `json:"message,omitempty" yaml:"message,omitempty"`
	URL     string `json:"url,omitempty" yaml:"url,omitempty"`

	// FixedIn names patches in which the trouble is over. These, and those that say of themselves that they supersede one
	// of them, are let through although Match is about them.
	FixedIn []patch.ID `json:"fixedIn,omitempty" yaml:"fixedIn,omitempty"`
	Expires time.Time  `json:"expires,omitzero" yaml:"expires,omitempty"` // zero: not by itself

	// FailClosed makes the hold count where it is not known whether Match is about a patch: its severity, classification,
	// exploitation, packages or release are not known, or that part of Match cannot be read. Without it such a patch is let
	// through to the rules.
	FailClosed bool `json:"failClosed,omitempty" yaml:"failClosed,omitempty"`
}

// reason returns what h says of x on d now; with the code [ReasonNone] it says nothing.
func (h *KnownIssue) reason(f predicate.Facts) Reason {
	reason := Reason{Code: ReasonHeld, Subject: h.ID, Verdict: Hold, Note: h.Message, URL: h.URL, At: h.Expires}
	if !h.Match.matches(f, false) {
		if !h.FailClosed || !h.Match.mayMatch(f) {
			return Reason{}
		}
		reason.Code = ReasonHeldUnsure
	}
	switch {
	case !h.Expires.IsZero() && !f.Now.Before(h.Expires):
		reason.Code = ReasonHoldOver
	case h.fixes(f.Patch):
		reason.Code, reason.At = ReasonHoldFixed, time.Time{}
	}
	return reason
}

func (h *KnownIssue) fixes(x *patch.Patch) bool {
	return slices.Contains(h.FixedIn, x.ID) ||
		slices.ContainsFunc(x.Supersedes, func(id patch.ID) bool { return slices.Contains(h.FixedIn, id) })
}

// mayMatch says whether m would be about the patch and the device of f if whatever is unknown were as m wants it. A part of m
// that cannot be read counts as one that holds.
func (m *Match) mayMatch(f predicate.Facts) bool {
	x := f.Patch
	ids := len(m.IDs) == 0 || m.hasID(x.ID) || slices.ContainsFunc(m.IDs, func(id patch.ID) bool { return badPattern(string(id)) })
	classes := len(m.Classifications) == 0 || x.Classification == patch.ClassUnknown || x.Contested ||
		slices.Contains(m.Classifications, x.Classification) ||
		slices.ContainsFunc(m.Classifications, func(c patch.Classification) bool { return c > patch.ClassOptional })
	severity := x.Severity >= m.MinSeverity || x.Severity == patch.SeverityUnrated || m.MinSeverity > patch.SeverityCritical
	packages := len(m.Packages) == 0 || len(x.Packages) == 0 || m.hasPackage(x) || slices.ContainsFunc(m.Packages, badPattern)
	exploited := !m.Exploited || x.Exploited() != patch.No
	age := m.MinAge <= 0 || x.Released.IsZero() || !f.Now.Before(x.Released.Add(m.MinAge.Std()))
	return ids && classes && severity && packages && exploited && age && (m.Devices.IsZero() || m.Devices.Matches(f.Device)) &&
		m.Where.holds(f, true)
}

// badPattern says whether [Policy.Validate] refuses a pattern for IDs and packages.
func badPattern(s string) bool {
	star := strings.IndexByte(s, '*')
	return s == "" || s == "*" || star >= 0 && star < len(s)-1
}

func (c *checker) holds(all []KnownIssue) {
	seen := make(map[string]int, len(all))
	for i := range all {
		h, at := &all[i], index("holds", i)
		c.name(join(at, "id"), h.ID)
		c.unique(join(at, "id"), "holds", h.ID, seen, i)
		c.match(join(at, "match"), &h.Match)
		c.text(join(at, "message"), h.Message)
		c.text(join(at, "url"), h.URL)
		for j, id := range h.FixedIn {
			if id == "" {
				c.fault(index(join(at, "fixedIn"), j), "empty")
			}
			c.text(index(join(at, "fixedIn"), j), string(id))
		}
		c.instant(join(at, "expires"), h.Expires, false)
	}
}

// HeldBack returns what the first of holds that keeps x back from d now has to say, and whether there is one. Whoever hands
// work out calls it with the holds that are known at that moment, which may be others than when the work was planned. It
// is pure, and allocates nothing.
func HeldBack(holds []KnownIssue, x *patch.Patch, d *inventory.Device, now time.Time) (Reason, bool) {
	for i := range holds {
		if r := holds[i].reason(predicate.Facts{Patch: x, Device: d, Now: now}); r.rank() > 0 {
			return r, true
		}
	}
	return Reason{}, false
}
