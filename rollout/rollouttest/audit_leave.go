package rollouttest

import (
	"errors"
	"fmt"
	"time"

	"github.com/patchflow/patchflow/rollout"
)

// departed takes down who has left.
func (a *Auditor) departed(at time.Time, e *rollout.Departed) error {
	for _, i := range e.Devices {
		d := &a.devices[i]
		if d.left != rollout.LeavingUnknown {
			return fmt.Errorf("device %s: it is %s already", a.plan.Devices[i], d.left)
		}
		if e.How != rollout.Relabelled {
			a.unwatch([]int32{i})
		}
		switch e.How {
		case rollout.Retired, rollout.Moved:
			d.left, d.running = e.How, false
			if d.outcome != rollout.Unsettled {
				d.acked = true // nobody can mend it there any more
			}
		case rollout.Reimaged:
			d.anew = at
		case rollout.Relabelled:
		default:
			return fmt.Errorf("device %s: %s is no way to leave", a.plan.Devices[i], e.How)
		}
	}
	return nil
}

// reopened forgets what was true of devices that were made anew.
func (a *Auditor) reopened(at time.Time, e *rollout.Reopened) error {
	for _, i := range e.Devices {
		d := &a.devices[i]
		switch d.outcome {
		case rollout.Skipped, rollout.Cancelled, rollout.RolledBack, rollout.Gone, rollout.Away:
			return fmt.Errorf("device %s: begins anew, and it is %s", a.plan.Devices[i], d.outcome)
		}
		if !d.anew.Equal(at) || d.seq == 0 {
			return fmt.Errorf("device %s: begins anew, and nobody has made it anew", a.plan.Devices[i])
		}
		a.undo.settled(d.undone, rollout.Gone)
		*d = audited{seq: d.seq, anew: d.anew, touched: d.touched, taken: d.taken, watched: d.watched, service: d.service.anew()}
		for k := range a.plan.Policy.Health.Metrics {
			*a.gauge(i, k) = gauge{}
		}
	}
	return nil
}

// leaves checks that who is settled as gone has left, and that who has left is settled as nothing else.
func (d *audited) leaves(at time.Time, o rollout.Outcome) error {
	switch left := d.left != rollout.LeavingUnknown; {
	case o == rollout.Gone && !left && !d.anew.Equal(at):
		return errors.New("settled as gone, and it has not left")
	case o != rollout.Gone && left:
		return fmt.Errorf("settled as %s, and it is %s", o, d.left)
	}
	return nil
}
