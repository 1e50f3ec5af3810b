package rollouttest

import (
	"errors"
	"fmt"

	"github.com/patchflow/patchflow/rollout"
)

// acknowledged takes down whom somebody knows of: devices that were left disrupted and are at nothing.
func (a *Auditor) acknowledged(e *rollout.Acknowledged) error {
	if e.By == "" {
		return errors.New("acknowledged by nobody")
	}
	return a.each(e.Devices, func(d *audited) error {
		if d.running || !d.disrupted() {
			return fmt.Errorf("acknowledged, and it is not left disrupted: running %v, %d attempts, %s", d.running, d.attempts, d.outcome)
		}
		d.acked = true
		d.forgotten()
		return nil
	})
}

// disrupted says whether an installation was begun on d that counts, and it is neither known to be well since nor acknowledged.
func (d *audited) disrupted() bool {
	if d.service.out && !d.acked {
		return true
	}
	if d.attempts+d.byHand+d.handed == 0 || d.acked {
		return false
	}
	switch d.outcome {
	case rollout.Unsettled, rollout.Failed, rollout.RollbackFailed, rollout.Cancelled, rollout.Unreachable:
		return true
	}
	return false
}

// leftover checks how many devices the rollout, once it is over, has left disrupted under a budget.
func (a *Auditor) leftover(m *rollout.Machine) error {
	want := 0
	for i := range a.devices {
		if a.stage.Final() && a.devices[i].disrupted() && len(a.plan.DomainsOf(i)) > 0 {
			want++
		}
	}
	if got := m.Leftover(); got != want {
		return fmt.Errorf("%d devices are left disrupted, a recount finds %d", got, want)
	}
	return nil
}
