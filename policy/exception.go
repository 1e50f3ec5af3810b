package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// An Exception is a person's decision to leave patches out for a time, with what is done instead. It holds what it is about
// from Granted on, up to Expires or Revoked, whichever comes first; it cannot run for good. Afterwards the obligation is
// back, and its deadline counts from where it always did: see [Policy.Due].
//
// It is about a patch that one of Patches names, or all of whose CVEs it lists. A patch that also closes a hole which the
// exception does not list is not left out.
type Exception struct {
	ID       string             `json:"id" yaml:"id"`
	Patches  []patch.ID         `json:"patches,omitempty" yaml:"patches,omitempty"` // a trailing * matches the rest of a name
	CVEs     []string           `json:"cves,omitempty" yaml:"cves,omitempty"`
	Devices  inventory.Selector `json:"devices" yaml:"devices"` // "*" for all
	Reason   string             `json:"reason" yaml:"reason"`
	Owner    string             `json:"owner" yaml:"owner"`       // who answers for the risk
	Approver string             `json:"approver" yaml:"approver"` // who allowed it; not the owner
	Granted  time.Time          `json:"granted" yaml:"granted"`
	Expires  time.Time          `json:"expires" yaml:"expires"`
	Revoked  time.Time          `json:"revoked,omitzero" yaml:"revoked,omitempty"`    // ended before its time; zero if it was not
	Controls []string           `json:"controls,omitempty" yaml:"controls,omitempty"` // what is done instead
}

// about says whether e is about x on d, and if it is not because x closes a hole that e does not list, which one.
func (e *Exception) about(x *patch.Patch, d *inventory.Device) (about bool, other string) {
	if !e.Devices.Matches(d) {
		return false, ""
	}
	for _, pattern := range e.Patches {
		if like(string(pattern), string(x.ID)) {
			return true, ""
		}
	}
	if len(e.CVEs) == 0 {
		return false, ""
	}
	some := false
	for i := range x.Advisories {
		for _, cve := range x.Advisories[i].CVEs {
			switch {
			case slices.Contains(e.CVEs, cve):
				some = true
			case other == "":
				other = cve
			}
		}
	}
	if !some {
		return false, ""
	}
	return other == "", other
}

// reason returns what e says of x on d now; with the code [ReasonNone] it says nothing.
func (e *Exception) reason(x *patch.Patch, d *inventory.Device, now time.Time) Reason {
	about, other := e.about(x, d)
	reason := Reason{Subject: e.ID, Verdict: Hold, Note: e.Reason, Controls: e.Controls}
	switch {
	case !about && other == "":
		return Reason{}
	case now.Before(e.Granted):
		reason.Code, reason.At = ReasonExceptionEarly, e.Granted
	case !e.Revoked.IsZero() && e.Revoked.Before(e.Expires) && !now.Before(e.Revoked):
		reason.Code, reason.At = ReasonExceptionRevoked, e.Revoked
	case !now.Before(e.Expires):
		reason.Code, reason.At = ReasonExceptionOver, e.Expires
	case !about:
		reason.Code, reason.CVE = ReasonExceptionPartial, other
	default:
		reason.Code, reason.At = ReasonExcepted, e.end()
	}
	return reason
}

// end returns when e stops holding anything.
func (e *Exception) end() time.Time {
	if !e.Revoked.IsZero() && e.Revoked.Before(e.Expires) {
		return e.Revoked
	}
	return e.Expires
}

func (c *checker) exceptions(all []Exception) {
	seen := make(map[string]int, len(all))
	for i := range all {
		e, at := &all[i], index("exceptions", i)
		c.name(join(at, "id"), e.ID)
		c.unique(join(at, "id"), "exceptions", e.ID, seen, i)
		if len(e.Patches) == 0 && len(e.CVEs) == 0 {
			c.fault(at, "is about nothing: want patches or cves")
		}
		for j, id := range e.Patches {
			c.pattern(index(join(at, "patches"), j), string(id))
		}
		for j, cve := range e.CVEs {
			c.name(index(join(at, "cves"), j), cve)
		}
		if e.Devices.IsZero() {
			c.fault(join(at, "devices"), "matches nobody: want a selector, or * for all")
		}
		c.sentence(join(at, "reason"), e.Reason)
		c.name(join(at, "owner"), e.Owner)
		c.name(join(at, "approver"), e.Approver)
		if e.Owner != "" && strings.EqualFold(strings.TrimSpace(e.Owner), strings.TrimSpace(e.Approver)) {
			c.fault(join(at, "approver"), "%q is the owner: somebody else must allow it", clip(e.Approver))
		}
		c.instant(join(at, "granted"), e.Granted, true)
		c.instant(join(at, "expires"), e.Expires, true)
		if !e.Granted.IsZero() && !e.Expires.IsZero() && !e.Granted.Before(e.Expires) {
			c.fault(join(at, "expires"), "is not after granted")
		}
		c.instant(join(at, "revoked"), e.Revoked, false)
		if !e.Revoked.IsZero() && e.Revoked.Before(e.Granted) {
			c.fault(join(at, "revoked"), "is before granted")
		}
		for j, text := range e.Controls {
			c.sentence(index(join(at, "controls"), j), text)
		}
	}
}

// sentence checks a text for people that must say something.
func (c *checker) sentence(path, s string) {
	if strings.TrimSpace(s) == "" {
		c.fault(path, "missing")
		return
	}
	c.text(path, s)
}

// instant checks a time that a document can hold. RFC 3339 has years of four digits and offsets of whole minutes.
func (c *checker) instant(path string, t time.Time, required bool) {
	if t.IsZero() {
		if required {
			c.fault(path, "missing")
		}
		return
	}
	text, err := t.MarshalText()
	if err != nil {
		c.fault(path, "cannot be written: %w", err)
		return
	}
	if back, err := time.Parse(time.RFC3339Nano, string(text)); err != nil || !back.Equal(t) {
		c.fault(path, "%s cannot be written without a loss", text)
	}
}
