package rollouttest

import (
	"errors"
	"fmt"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// counter returns what counts an installation of d: the policy's attempts, or those of a person who has it tried again.
func (d *audited) counter() *int {
	if d.again {
		return &d.byHand
	}
	return &d.attempts
}

// retriedByHand checks that only what has failed is tried again by hand.
func (a *Auditor) retriedByHand(e *rollout.Retried) error {
	if a.stage == rollout.StageUndoing || a.stage == rollout.StageEnding || a.stage.Final() {
		return fmt.Errorf("tried again while the rollout is %s", a.stage)
	}
	if e.By == "" {
		return errors.New("tried again, and nobody wanted that")
	}
	for _, i := range e.Devices {
		d := &a.devices[i]
		if d.outcome != rollout.Failed || d.again || d.running || d.left != rollout.LeavingUnknown || d.taken || a.withdrawn(int(i)) {
			return fmt.Errorf("device %s: tried again by hand, and it is %s", a.plan.Devices[i], d.outcome)
		}
		d.outcome, d.again, d.retried, d.byHand, d.handed = rollout.Unsettled, true, true, 0, d.handed+d.byHand
		d.unsure = d.unsure || d.touched
		d.service.drains = 0
		d.remedy.fell, d.remedy.due = patch.NoFault, false
		d.excused, d.saved, d.checked, d.since = false, false, false, time.Time{}
	}
	return nil
}

// triedAgain checks that a retry by hand hides no failure when it ends, and ends it.
func (d *audited) triedAgain(o rollout.Outcome) error {
	if d.again && (o == rollout.Cancelled || o == rollout.Skipped || o == rollout.Unreachable || o == rollout.Away) {
		return fmt.Errorf("it had failed, was tried again, and is %s", o)
	}
	d.again = false
	return nil
}

// recountAgain compares what a ring counts of devices that were tried again by hand with the books.
func (a *Auditor) recountAgain(r int, c rollout.Counts, failed int) error {
	again, away, ever := 0, 0, 0
	for i := range a.plan.InRing(r) {
		d := &a.devices[i]
		if d.retried {
			ever++
		}
		if d.again {
			again++
			if !d.offline.IsZero() { // maybe for longer than the grace
				away++
			}
		}
	}
	if c.Failed != failed+again || c.Retried != ever || c.Retrying > again || c.Retrying < again-away {
		return fmt.Errorf("ring %s: %d failed, %d tried again by hand, %d of them still; a recount finds %d and %d, %d", a.plan.Rings[r].Name,
			c.Failed, c.Retried, c.Retrying, failed+again, ever, again)
	}
	return nil
}
