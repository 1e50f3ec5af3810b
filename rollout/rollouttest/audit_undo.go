package rollouttest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// loose is a task of which no end is known.
type loose struct {
	seq uint32
	op  rollout.Op
}

// answered notes what a report says of tasks that may be running on a device.
func (d *audited) answered(r *rollout.TaskReport, at time.Time) {
	if r.Phase.Last() && d.op == rollout.OpRollback {
		d.lingers = r.Phase == rollout.PhaseSucceeded && r.Reboot == patch.Yes
	}
	switch {
	case !r.Phase.Last():
		d.ran = d.ran || r.Phase == rollout.PhaseRunning
	case !r.Ends() && d.ran:
		d.leftRunning(at)
	case r.Phase == rollout.PhaseSucceeded && (d.op == rollout.OpInstall || d.op == rollout.OpRollback):
		d.unended = slices.DeleteFunc(d.unended, func(u loose) bool { return u.op != rollout.OpBackup && u.op != rollout.OpRemedy })
	case r.Phase == rollout.PhaseSucceeded && d.op == rollout.OpReboot, d.op == rollout.OpVerify && r.Idle == patch.Yes:
		d.unended = nil
	}
}

// leftRunning notes that the task of a device has ended for the rollout, and that no end of it is known.
func (d *audited) leftRunning(at time.Time) {
	switch d.op {
	case rollout.OpInstall, rollout.OpRollback, rollout.OpBackup, rollout.OpRemedy:
		d.unended, d.unendedAt = append(d.unended, loose{d.seq, d.op}), at
	}
}

// undoBooks are an auditor's books of rollbacks.
type undoBooks struct {
	open, devices, failed int
	halted, now, stopped  bool
}

func (u *undoBooks) began(a *Auditor, e *rollout.UndoBegan) {
	if u.open == 0 {
		*u = undoBooks{stopped: u.stopped}
	}
	u.now = u.now || e.Now
	for _, d := range e.Devices {
		if !a.devices[d].undone {
			u.open++
			u.devices++
		}
	}
}

func (u *undoBooks) settled(undone bool, o rollout.Outcome) {
	if undone {
		u.open--
		if o == rollout.RollbackFailed {
			u.failed++
		}
	}
}

// halt checks that rollbacks are halted for a reason.
func (u *undoBooks) halt(a *Auditor, e *rollout.UndoHalted) error {
	if e.Failed != u.failed || e.Of != u.devices || u.halted || !u.tooMany(a) {
		return fmt.Errorf("rollbacks are halted: %+v", *u)
	}
	u.halted = true
	return nil
}

func (u *undoBooks) tooMany(a *Auditor) bool {
	p := a.plan.Policy.Rollback
	return p.MaxFailed > 0 && u.failed*10000 > int(p.MaxFailed)*u.devices || p.MaxFailures > 0 && u.failed > p.MaxFailures
}

func (u *undoBooks) staged(e *rollout.Staged) {
	if u.halted && e.By != "" && e.Stage != rollout.StageHalted {
		*u = undoBooks{open: u.open, devices: u.open, now: u.now, stopped: u.stopped}
	}
	u.stopped = e.Code == "stop" || u.stopped && e.Stage != rollout.StageActive && !e.Stage.Final()
}

// restarts checks that a device may be restarted so that its rollback takes effect.
func (u *undoBooks) restarts(a *Auditor, at time.Time, i int) error {
	switch d := &a.devices[i]; {
	case !d.undone || !d.lingers:
		return errors.New("restarted for a rollback that needs none")
	case a.plan.Policy.Reboot.Mode == policy.RebootNever:
		return errors.New("restarted for its rollback, and the policy wants no restarts")
	case d.reboots > 3:
		return errors.New("restarted again and again for its rollback")
	case u.now || u.stopped:
		return nil
	case a.plan.Policy.Rollback.InWindows && !a.restarts(i).Open(at):
		return errors.New("restarted for its rollback outside its window")
	case a.plan.Policy.Reboot.Deferrals.Max > 0 && (d.restart.IsZero() || at.Before(d.restart)):
		return errors.New("restarted for its rollback without an announcement, or before its time")
	}
	if until, quiet, err := a.quiet(i, at); err != nil || quiet {
		return errors.Join(fmt.Errorf("restarted for its rollback in a quiet time, until %s", until), err)
	}
	return nil
}

// begins checks that a rollback may begin.
func (u *undoBooks) begins(a *Auditor, at time.Time, i int) error {
	switch {
	case u.halted:
		return errors.New("rolled back, and rollbacks are halted")
	case u.tooMany(a) && a.stage != rollout.StageEnding:
		return errors.New("rolled back, and too many rollbacks have failed")
	case a.plan.Policy.Rollback.InWindows && !u.now && !u.stopped && !a.work(i).Open(at):
		return errors.New("rolled back outside its window")
	}
	return nil
}
