package rollouttest

import (
	"errors"
	"fmt"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// restartBooks are those of a device that may be restarted before anything is installed there.
type restartBooks struct {
	began   bool            // its session has begun with a look
	known   bool            // what the last look has come to was said, in this session
	then    rollout.Looking // what it was
	pending patch.Tri       // what the last look has found
	came    bool            // it has come back from a restart since
}

// prepares says whether a task of this kind is the installation, or comes before it.
func prepares(op rollout.Op) bool {
	switch op {
	case rollout.OpInstall, rollout.OpBackup, rollout.OpPrecheck, rollout.OpLook, rollout.OpRemedy, rollout.OpDrain:
		return true
	}
	return false
}

// lookedAt takes down what a report says of a restart.
func (d *audited) lookedAt(r *rollout.TaskReport) {
	b := &d.before
	switch {
	case !r.Phase.Last() || d.installed:
	case d.op == rollout.OpReboot:
		b.came = r.Phase == rollout.PhaseSucceeded
	case d.op == rollout.OpLook:
		b.pending = patch.Unknown
		if r.Phase == rollout.PhaseSucceeded || r.Phase == rollout.PhaseFailed && (r.Fault == patch.NoFault || r.Fault == patch.Permanent) {
			b.pending = r.Reboot
		}
	}
}

// looked checks what follows from a look.
func (d *audited) looked(e *rollout.Looked) error {
	b := &d.before
	again := b.came || d.reboots >= 3
	if d.running || d.op != rollout.OpLook {
		return errors.New("no look at it has ended")
	}
	fits := false
	switch e.Then {
	case rollout.LookedUnknown:
		fits = b.pending != patch.Yes && b.pending != patch.No
	case rollout.LookedClear:
		fits = b.pending == patch.No
	case rollout.LookedPending:
		fits = b.pending == patch.Yes && !again
	case rollout.LookedStill:
		fits = b.pending == patch.Yes && again
	}
	if !fits {
		return fmt.Errorf("%s, and it was found to wait for a restart: %s; %d restarts, came back %v", e.Then, b.pending, d.reboots, b.came)
	}
	b.known, b.then = true, e.Then
	b.came = b.came && e.Then == rollout.LookedUnknown
	d.service.harmed = d.service.harmed && e.Then == rollout.LookedUnknown
	return nil
}

// postponed notes that the session of d may be over.
func (d *audited) postponed(e *rollout.Postponed) {
	d.checked = false
	drain := e.Op == rollout.OpDrain && d.service.then == rollout.OpReboot
	if e.Op == rollout.OpReboot || drain {
		if e.Frees || drain {
			d.saved, d.before.began, d.begun = false, false, time.Time{}
		}
		return
	}
	d.saved, d.before.began, d.before.known = false, false, false
}

// startsBefore checks that nothing is installed on a device before it was looked at, and that it is restarted for that only where it waits for one.
func (a *Auditor) startsBefore(at time.Time, i int32, e *rollout.Issued) error {
	d := &a.devices[i]
	b := &d.before
	if a.plan.Policy.Reboot.Before == policy.BeforeNever || d.installed {
		if e.Op == rollout.OpLook {
			return errors.New("looked at, and that was not wanted, or is too late")
		}
		return nil
	}
	switch e.Op {
	case rollout.OpReboot:
		if !b.known || b.then != rollout.LookedPending {
			return errors.New("restarted before anything is installed, and it was not found to wait for that")
		}
	case rollout.OpLook:
		b.known, b.pending = false, patch.Unknown // until it has been looked at
		if d.op == rollout.OpReboot {
			return nil // to see what has become of it, whatever the hour
		}
		if s := a.work(int(i)); d.saved || !s.Open(at) && !(d.excused && s.Freezes().Open(at)) || a.stage != rollout.StageActive || !a.opened[a.plan.RingOf(int(i))] {
			return errors.New("looked at before its installation, and it is not its time")
		}
		d.begun, d.saved, b.began = at, true, true
		return a.rates.begin(a.plan, i, at)
	case rollout.OpInstall, rollout.OpPrecheck, rollout.OpBackup:
		if !b.known || b.then != rollout.LookedClear && b.then != rollout.LookedUnknown {
			return fmt.Errorf("%s before it was looked at, or though it waits for a restart", e.Op)
		}
		if !d.saved {
			return fmt.Errorf("%s in a session that has begun with a restart", e.Op)
		}
	}
	return nil
}

// quiet says whether nobody is to be disturbed at device i at an instant, and until when. Quiet times without an end are none: nothing could
// be announced.
func (a *Auditor) quiet(i int, at time.Time) (time.Time, bool, error) {
	if len(a.plan.Policy.Reboot.Quiet) == 0 || a.lifted[a.plan.RingOf(i)].Windows {
		return time.Time{}, false, nil
	}
	s, err := a.plan.Policy.QuietSchedule(a.clock(i).zone)
	if err != nil {
		return time.Time{}, false, err
	}
	from, to := s.Next(at)
	return to, !from.IsZero() && !from.After(at) && !to.IsZero(), nil
}

// work returns when work may begin on device i, and restarts when it may be restarted.
func (a *Auditor) work(i int) policy.Schedule {
	r := a.plan.RingOf(i)
	return a.windows[r][a.clock(i)].Bypassing(a.lifted[r])
}

func (a *Auditor) restarts(i int) policy.Schedule {
	return a.resets[a.clock(i)].Bypassing(a.lifted[a.plan.RingOf(i)])
}
