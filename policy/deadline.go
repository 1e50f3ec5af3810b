package policy

import (
	"time"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/predicate"
)

// A Deadline says by when the patches that it matches must be installed: Within after a clock began to run, or at once. Of
// several that match, the one that is due first counts.
//
// No deferral of a rule lasts longer than until Reserve before the patch is due, and none holds back what is due at once.
// Work still waits for its window: [Lint] says when a deadline cannot be met so.
//
// What a date takes away of the courtesies of a policy, step by step:
//   - the deferral of a rule ends early enough for this date;
//   - what the people at a device may put off ends at [Deferrals].Deadline, which a quiet time moves to its end at most;
//   - a device that was away when its window closed waits for the next one no longer if [Missed] says so;
//   - windows and freezes are lifted by a person only: by an approval in an emergency ([Bypass]), with a reason and a day on which it is reviewed.
//
// Approvals, holds, gates, budgets and rates are lifted by no date.
type Deadline struct {
	Name    string   `json:"name" yaml:"name"`
	Match   Match    `json:"match" yaml:"match"`
	Now     bool     `json:"now,omitempty" yaml:"now,omitempty"`         // at once: no deferral, in the next window
	Within  Duration `json:"within,omitempty" yaml:"within,omitempty"`   // unless Now
	From    Since    `json:"from,omitempty" yaml:"from,omitempty"`       // what Within counts from
	Reserve Duration `json:"reserve,omitempty" yaml:"reserve,omitempty"` // 0 means a day, or half of Within if that is less
}

// Since names the clock that a deadline or a deferral goes by.
type Since uint8

const (
	SinceReleased  Since = iota // the patch was released
	SinceFirstSeen              // the device was first seen to miss it
	SinceApproved               // it was approved
)

func sinceNames() enum.Names { return enum.Names{"released", "first-seen", "approved"} }

// String returns the lower-case name, as used in JSON and YAML.
func (v Since) String() string { return sinceNames().String("clock", int(v)) }

// MarshalText implements [encoding.TextMarshaler].
func (v Since) MarshalText() ([]byte, error) { return sinceNames().Text("clock", int(v)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (v *Since) UnmarshalText(text []byte) error {
	n, err := sinceNames().Parse("clock", text)
	*v = Since(n)
	return err
}

// of returns when this clock began to run for c; zero if that is not known, or it did not.
func (v Since) of(c *Case) time.Time {
	switch v {
	case SinceFirstSeen:
		return c.FirstSeen
	case SinceApproved:
		return c.Approved
	}
	return c.Patch.Released
}

// A Due says by when a patch must be installed on a device, and why. The zero Due is that of a patch without a deadline.
type Due struct {
	At       time.Time `json:"at,omitzero"`        // zero if no deadline matches, or no clock of one that does is known to run
	Now      bool      `json:"now,omitempty"`      // at once: in the next window
	Deadline string    `json:"deadline,omitempty"` // that counts; with At zero the first that matches
	Patch    patch.ID  `json:"patch,omitempty"`    // whose clock runs: the patch, or one that it supersedes
	From     Since     `json:"from"`               // the clock that At was counted from
	Start    time.Time `json:"start,omitzero"`     // when that began to run
}

// IsZero says whether no deadline is about the patch.
func (d Due) IsZero() bool { return d == Due{} }

// Overdue says whether the patch should have been installed before now. It is false for a due date that is not known,
// which is not the same as in time.
func (d Due) Overdue(now time.Time) bool { return !d.At.IsZero() && now.After(d.At) }

// Due returns by when the patch of c must be installed on its device. It is pure. Every deadline that matches the patch, or a
// patch that it supersedes (Case.Older), gives a date; the earliest counts, so that a publisher who replaces a fix does not
// put off the date of the hole.
//
// Where the release of a patch is not known, the time at which it was first seen stands in for it, and the other way
// round. Approval has no such substitute: before it, its clock does not run. Neither a hold, a deferral nor an exception
// stops or resets a clock: when an exception expires, what it left out may be overdue at once.
func (p *Policy) Due(c Case, now time.Time) Due {
	due, _ := p.due(&c, now)
	return due
}

// A limit is how long a deferral may last at most.
type limit struct {
	at       time.Time // zero for no limit
	now      bool      // no deferral at all
	deadline string
	due      time.Time
}

func (p *Policy) due(c *Case, now time.Time) (Due, limit) {
	var due Due
	var lim limit
	for i := range p.Deadlines {
		l := &p.Deadlines[i]
		l.count(c.Patch, c, &due, &lim, now)
		for j := range c.Older {
			o := &c.Older[j]
			l.count(o.Patch, &Case{Device: c.Device, FirstSeen: o.FirstSeen, Approved: o.Approved}, &due, &lim, now)
		}
	}
	return due, lim
}

// count lets l count for x on the device of c, by the clocks of c.
func (l *Deadline) count(x *patch.Patch, c *Case, due *Due, lim *limit, now time.Time) {
	f := predicate.Facts{Patch: x, Device: c.Device, Now: now}
	if x == c.Patch {
		f.Finding = c.Finding
	}
	if !l.Match.matches(f, false) {
		return
	}
	start, from := l.start(x, c)
	if l.Now && !lim.now {
		lim.now, lim.deadline, lim.due = true, l.Name, start
	}
	due.Now = due.Now || l.Now
	if start.IsZero() {
		if due.Deadline == "" {
			due.Deadline, due.Patch, due.From = l.Name, x.ID, l.From
		}
		return
	}
	at := start.Add(l.Within.Std())
	if due.At.IsZero() || at.Before(due.At) {
		due.At, due.Deadline, due.Patch, due.From, due.Start = at, l.Name, x.ID, from, start
	}
	if end := at.Add(-l.reserve().Std()); !lim.now && (lim.at.IsZero() || end.Before(lim.at)) {
		lim.at, lim.deadline, lim.due = end, l.Name, at
	}
}

// start returns when the clock of l began to run for x, and which clock that is; zero if it is not known or did not.
func (l *Deadline) start(x *patch.Patch, c *Case) (time.Time, Since) {
	switch {
	case l.From == SinceApproved:
		return c.Approved, SinceApproved
	case l.From == SinceFirstSeen && !c.FirstSeen.IsZero(), x.Released.IsZero():
		return c.FirstSeen, SinceFirstSeen
	}
	return x.Released, SinceReleased
}

// reserve returns how long before it is due a deferral ends at the latest.
func (l *Deadline) reserve() Duration {
	if l.Reserve != 0 {
		return l.Reserve
	}
	return min(Duration(24*time.Hour), l.Within/2)
}

// A Case is a finding that a policy judges: a patch that a device misses, and since when. Patch and Device must be there;
// what is not known of the rest is zero.
type Case struct {
	Patch     *patch.Patch
	Device    *inventory.Device
	Finding   *inventory.Finding // what the device misses of it; nil if that is not known
	FirstSeen time.Time          // when the device was first seen to miss the patch
	Approved  time.Time          // when the patch was approved for the device

	// Older are other patches that the device misses or missed until this one took their place, and that this one
	// supersedes. A deadline that began with one of them goes on.
	Older []Older
}

func (c *Case) facts(now time.Time) predicate.Facts {
	return predicate.Facts{Patch: c.Patch, Device: c.Device, Finding: c.Finding, Now: now}
}

// An Older is a patch that another one supersedes, with its own clocks.
type Older struct {
	Patch     *patch.Patch
	FirstSeen time.Time
	Approved  time.Time
}

func (c *checker) deadlines(all []Deadline) {
	seen := make(map[string]int, len(all))
	for i := range all {
		l, at := &all[i], index("deadlines", i)
		c.name(join(at, "name"), l.Name)
		c.unique(join(at, "name"), "deadlines", l.Name, seen, i)
		c.match(join(at, "match"), &l.Match)
		c.duration(join(at, "within"), l.Within)
		switch {
		case l.Now && l.Within != 0:
			c.fault(join(at, "within"), "what is due now has none")
		case !l.Now && l.Within == 0:
			c.fault(join(at, "within"), "missing: say within how long, or now")
		}
		c.enum(join(at, "from"), l.From)
		c.duration(join(at, "reserve"), l.Reserve)
		switch {
		case l.Now && l.Reserve != 0:
			c.fault(join(at, "reserve"), "what is due now has none")
		case l.Reserve > l.Within && l.Within > 0:
			c.fault(join(at, "reserve"), "%s is longer than within, %s", l.Reserve, l.Within)
		}
	}
}
