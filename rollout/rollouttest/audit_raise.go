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
	if a.raised == nil {
		a.raised = make(map[raising]bool)
	}
	l := a.plan.Policy.Escalation[e.Level]
	for _, r := range raisings(e) {
		if a.raised[r] {
			return fmt.Errorf("%+v is raised already", r)
		}
		a.raised[r] = true
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
	for _, r := range raisings((*rollout.Raised)(e)) {
		if !a.raised[r] {
			return errors.New("cleared, and was not raised")
		}
		delete(a.raised, r)
	}
	return nil
}
