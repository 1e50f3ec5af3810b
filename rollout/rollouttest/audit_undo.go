package rollouttest

import (
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// answered notes what a report says of tasks that may be running on a device.
func (d *audited) answered(r *rollout.TaskReport) {
	switch {
	case !r.Phase.Last():
		d.ran = d.ran || r.Phase == rollout.PhaseRunning
	case !r.Ends() && d.ran:
		d.leftRunning()
	case r.Phase == rollout.PhaseSucceeded && d.op == rollout.OpReboot, d.op == rollout.OpVerify && r.Idle == patch.Yes:
		d.unended = nil
	}
}

// leftRunning notes that the task of a device has ended for the rollout, and that no end of it is known.
func (d *audited) leftRunning() {
	switch d.op {
	case rollout.OpInstall, rollout.OpRollback, rollout.OpBackup:
		d.unended = append(d.unended, d.seq)
	}
}
