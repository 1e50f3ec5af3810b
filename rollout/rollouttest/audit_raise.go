package rollouttest

import (
	"errors"
	"fmt"

	"github.com/patchflow/patchflow/rollout"
)

// A raising is one reason for which a level of an escalation is raised.
type raising struct {
	level, ring int
	why         string
	device      int32 // -1 for the ring as a whole
}

// raisedBooks are the reasons for which levels are raised.
type raisedBooks struct {
	open    map[raising]bool
	tickets map[string]raising // by the keys of those that are open
}

// raisings returns those of an event.
func raisings(e *rollout.Raised) []raising {
	if e.Why != rollout.RaisedAttempts {
		return []raising{{e.Level, e.Ring, e.Why, -1}}
	}
	var all []raising
	for _, d := range e.Devices {
		all = append(all, raising{e.Level, e.Ring, e.Why, d})
	}
	return all
}

// raises checks that a level is raised once, and for a reason.
func (a *Auditor) raises(e *rollout.Raised) error {
	if a.raised.open == nil {
		a.raised.open, a.raised.tickets = make(map[raising]bool), make(map[string]raising)
	}
	keys := e.Keys(a.plan)
	l := a.plan.Policy.Escalation[e.Level]
	for i, r := range raisings(e) {
		if a.raised.open[r] {
			return fmt.Errorf("%+v is raised already", r)
		}
		a.raised.open[r] = true
		if other, taken := a.raised.tickets[keys[i]]; taken {
			return fmt.Errorf("%s is the key of %+v and of %+v", keys[i], other, r)
		}
		a.raised.tickets[keys[i]] = r
		if r.device >= 0 {
			if d := &a.devices[r.device]; d.attempts < l.Attempts || l.Attempts == 0 || d.outcome != rollout.Unsettled && d.outcome != rollout.Failed {
				return fmt.Errorf("device %s: %d attempts, %s", a.plan.Devices[r.device], d.attempts, d.outcome)
			}
		}
	}
	if e.Why == rollout.RaisedFailed {
		bad, all := 0, 0
		for i := range a.plan.InRing(e.Ring) {
			all++
			d := &a.devices[i]
			if o := d.outcome; o == rollout.Failed || d.again || o == rollout.RolledBack || o == rollout.RollbackFailed || o == rollout.Succeeded && d.worse {
				bad++
			}
		}
		if l.Failed == 0 || bad*10000 <= int(l.Failed)*all {
			return fmt.Errorf("%d of %d have failed", bad, all)
		}
	}
	return nil
}

// clears checks that what is cleared was raised.
func (a *Auditor) clears(e *rollout.Cleared) error {
	keys := e.Keys(a.plan)
	for i, r := range raisings((*rollout.Raised)(e)) {
		if !a.raised.open[r] {
			return errors.New("cleared, and was not raised")
		}
		delete(a.raised.open, r)
		if other, open := a.raised.tickets[keys[i]]; !open || other != r {
			return fmt.Errorf("%+v is cleared as %s, the key of %+v", r, keys[i], other)
		}
		delete(a.raised.tickets, keys[i])
	}
	return nil
}
