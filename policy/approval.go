package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Need says whose leave something takes. Where one is asked for at all, the zero Need is met by any one person who did not
// ask for it themselves.
//
// An entry of Approvers is a person as [Decision] names them, or "group:" and the name of a group. Names are compared
// letter by letter: this package knows of no other spellings.
type Need struct {
	Quorum    int      `json:"quorum,omitempty" yaml:"quorum,omitempty"`       // how many different people must approve; 0 means 1
	Approvers []string `json:"approvers,omitempty" yaml:"approvers,omitempty"` // people and groups whose word counts; none means anybody's
	Valid     Duration `json:"valid,omitempty" yaml:"valid,omitempty"`         // how long an approval may wait for the others; 0 means as long as it takes
	ByRule    bool     `json:"byRule,omitempty" yaml:"byRule,omitempty"`       // a rule may approve in place of people, once a ring before has passed its gate
	Emergency bool     `json:"emergency,omitempty" yaml:"emergency,omitempty"` // in an emergency one of those people may approve alone
	Bypass    Bypass   `json:"bypass,omitzero" yaml:"bypass,omitempty"`        // what work need not wait for either, if that person says so
}

// A Bypass says what the work on a ring need not wait for: in a [Need], what an approval in an emergency may lift, and in an
// [Emergency], what it does lift. Nothing else can be lifted: the rings before it, their gates, limits, holds and what a rule
// rejects stand.
type Bypass struct {
	Windows bool `json:"windows,omitempty" yaml:"windows,omitempty"` // of the ring, of the policy, and for restarts
	Freezes bool `json:"freezes,omitempty" yaml:"freezes,omitempty"`
}

// String says in English what b lifts; "" if that is nothing.
func (b Bypass) String() string {
	var all []string
	if b.Windows {
		all = append(all, "windows")
	}
	if b.Freezes {
		all = append(all, "freezes")
	}
	return strings.Join(all, " and ")
}

// within says whether b lifts nothing that o does not.
func (b Bypass) within(o Bypass) bool {
	return (!b.Windows || o.Windows) && (!b.Freezes || o.Freezes)
}

// Bypassing returns s without what b lifts.
func (s Schedule) Bypassing(b Bypass) Schedule {
	if b.Windows {
		s.windows, s.plain = nil, nil
		s.freezes, s.names, s.quiet = s.freezes[s.quiet:], s.names[s.quiet:], 0
	}
	if b.Freezes {
		s.freezes, s.names = s.freezes[:s.quiet:s.quiet], s.names[:s.quiet:s.quiet]
	}
	if len(s.windows) == 0 && len(s.freezes) == 0 {
		return Schedule{}
	}
	return s
}

const (
	groupPrefix = "group:"
	rulePrefix  = "rule:"
)

// IsZero says whether n asks for nothing beyond any one person's word.
func (n Need) IsZero() bool {
	return n.Quorum == 0 && len(n.Approvers) == 0 && n.Valid == 0 && !n.ByRule && !n.Emergency && n.Bypass == (Bypass{})
}

// Equal says whether n and o ask for the same, entry by entry.
func (n Need) Equal(o Need) bool {
	return n.people() == o.people() && slices.Equal(n.Approvers, o.Approvers) && n.Valid == o.Valid && n.ByRule == o.ByRule &&
		n.Emergency == o.Emergency && n.Bypass == o.Bypass
}

// people returns how many different people must approve.
func (n *Need) people() int { return max(n.Quorum, 1) }

// String says in English whose leave n asks for: "2 of hans, group:board".
func (n Need) String() string {
	var b strings.Builder
	switch {
	case len(n.Approvers) == 0 && n.people() == 1:
		b.WriteString("anybody else")
	case len(n.Approvers) == 0:
		fmt.Fprintf(&b, "%d people", n.people())
	case len(n.Approvers) == 1 && n.people() == 1:
		b.WriteString(n.Approvers[0])
	default:
		fmt.Fprintf(&b, "%d of %s", n.people(), strings.Join(n.Approvers, ", "))
	}
	if n.Valid > 0 {
		fmt.Fprintf(&b, " within %s", n.Valid)
	}
	if n.ByRule {
		b.WriteString(", or a rule")
	}
	return b.String()
}

// entitles says whether the word of whoever made d counts for n. A person who is called like a group, or like a rule, is
// neither.
func (n *Need) entitles(d *Decision) bool {
	if d.Rule != "" || strings.HasPrefix(d.By, groupPrefix) || strings.HasPrefix(d.By, rulePrefix) {
		return false
	}
	if len(n.Approvers) == 0 {
		return true
	}
	return slices.ContainsFunc(n.Approvers, func(a string) bool {
		if group, ok := strings.CutPrefix(a, groupPrefix); ok {
			return slices.Contains(d.Groups, group)
		}
		return a == d.By
	})
}

// lasts says whether an approval that counts for n still does now.
func (n *Need) lasts(d *Decision, now time.Time) bool {
	return n.Valid == 0 || !d.At.IsZero() && now.Before(d.At.Add(n.Valid.Std()))
}

// need checks a need. First says that nothing stands before what it is about.
func (c *checker) need(path string, n *Need, first bool) {
	c.count(join(path, "quorum"), n.Quorum)
	c.people(join(path, "approvers"), n.Approvers)
	c.duration(join(path, "valid"), n.Valid)
	groups := slices.ContainsFunc(n.Approvers, func(a string) bool { return strings.HasPrefix(a, groupPrefix) })
	switch {
	case len(n.Approvers) > 0 && !groups && n.Quorum > len(n.Approvers):
		c.fault(join(path, "quorum"), "%d people, but only %d are named", n.Quorum, len(n.Approvers))
	case n.Valid > 0 && n.Quorum == 1 || n.Valid > 0 && n.Quorum == 0:
		c.fault(join(path, "valid"), "one person is enough: there is nobody to wait for")
	}
	if n.ByRule && first {
		c.fault(join(path, "byRule"), "no ring has passed before the first: a rule could never approve it")
	}
	switch bypasses := n.Bypass != (Bypass{}); {
	case bypasses && !n.Emergency:
		c.fault(join(path, "bypass"), "only in an emergency: want emergency too")
	case n.Emergency && n.Quorum <= 1 && !bypasses:
		c.fault(join(path, "emergency"), "one person is enough without it")
	}
}

// people checks a list of people and groups.
func (c *checker) people(path string, names []string) {
	seen := make(map[string]int, len(names))
	for i, name := range names {
		at := index(path, i)
		c.name(at, name)
		if group, ok := strings.CutPrefix(name, groupPrefix); ok {
			c.name(at, group)
		}
		if strings.HasPrefix(name, rulePrefix) {
			c.fault(at, "%q names a rule, not a person: want byRule", clip(name))
		}
		c.unique(at, path, name, seen, i)
	}
}
