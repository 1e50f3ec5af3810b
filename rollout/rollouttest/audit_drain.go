package rollouttest

import (
	"errors"
	"fmt"

	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// serviceBooks are those of a device that may have to be taken out of service.
type serviceBooks struct {
	out    bool // it is out of service, or may be
	was    bool // before the drain that is under way
	proved bool // it is, and nobody else may have worked on it since that was proved
	harmed bool // something disruptive was begun there while it was out
	whole  bool // nothing had been begun before the last such task
	told   bool // that it stays out
	said   bool // what it is drained for; the drain was not issued yet
	then   rollout.Op
	next   rollout.Op // what it waits for while it is put back
	absent bool
	drains int // tries since the last success
	back   *rollout.PuttingBack
	undone bool // it was to be rolled back already then
	backs  int
	answer rollout.Report // to the last task that puts it back; zero if it had none
	unsaid bool           // what comes of it is not said yet
}

// carriesLoad says whether device i is to be out of service before anything disruptive is begun there.
func (a *Auditor) carriesLoad(i int) bool {
	for b := range a.plan.Policy.Budgets {
		if !a.plan.Policy.Budgets[b].Drain {
			continue
		}
		for _, n := range a.plan.DomainsOf(i) {
			if a.plan.Domains[n].Budget == b {
				return true
			}
		}
	}
	return false
}

func disruptive(op rollout.Op) bool {
	return op == rollout.OpInstall || op == rollout.OpRollback || op == rollout.OpReboot
}

// draining checks that devices are taken out of service for something.
func (a *Auditor) draining(e *rollout.Draining) error {
	if !disruptive(e.Op) || e.Absent && e.Op != rollout.OpReboot {
		return fmt.Errorf("drained for %s", e.Op)
	}
	for _, i := range e.Devices {
		d := &a.devices[i]
		b := &d.service
		if !a.carriesLoad(int(i)) || b.proved || d.running || b.back != nil {
			return fmt.Errorf("device %s: drained, and it carries no load, is drained already, or at something: %+v", a.plan.Devices[i], *b)
		}
		b.was, b.harmed = b.out, b.harmed && b.out
		b.out, b.told, b.said, b.then, b.absent = true, false, true, e.Op, e.Absent
	}
	return nil
}

// startsDrain checks that nothing disruptive is begun on a device that carries load unless it is proved to be out of service, and that drains come in
// their time and not too often.
func (a *Auditor) startsDrain(at time.Time, i int32, e *rollout.Issued) error {
	d := &a.devices[i]
	b := &d.service
	switch {
	case disruptive(e.Op):
		if a.carriesLoad(int(i)) && !b.proved {
			return fmt.Errorf("%s, and it is not known to be out of service", e.Op)
		}
		b.whole, b.harmed = !b.harmed, b.harmed || b.out
	case e.Op == rollout.OpUncordon:
		b.proved = false
		if b.back == nil {
			return errors.New("put back, and nobody said so")
		}
		if b.backs++; b.backs > a.retry.Attempts {
			return fmt.Errorf("put back, try %d of %d", b.backs, a.retry.Attempts)
		}
		b.answer, b.unsaid = rollout.Report{}, true
	case e.Op == rollout.OpDrain:
		if !b.said {
			return errors.New("drained, and nobody said what for")
		}
		b.said = false
		b.drains++
		if b.drains > a.retry.Attempts {
			return fmt.Errorf("drained, try %d of %d", b.drains, a.retry.Attempts)
		}
		return a.drainsInTime(at, i, e)
	}
	return nil
}

// drainsInTime checks that a drain is begun only when what it comes before might be.
func (a *Auditor) drainsInTime(at time.Time, i int32, e *rollout.Issued) error {
	d := &a.devices[i]
	switch d.service.then {
	case rollout.OpInstall:
		s := a.work(int(i))
		if !s.Open(at) && !(d.excused && s.Freezes().Open(at)) || a.stage != rollout.StageActive || !a.opened[a.plan.RingOf(int(i))] || a.withdrawn(int(i)) || d.undone {
			return errors.New("drained for its installation, and it is not its time")
		}
		if !d.saved {
			d.begun, d.saved = at, true
			return a.rates.begin(a.plan, i, at)
		}
	case rollout.OpRollback:
		return a.undo.begins(a, at, int(i))
	case rollout.OpReboot:
		if !d.service.absent && (a.stage != rollout.StageActive || !a.restarts(int(i)).Open(at)) {
			return errors.New("drained for its restart, and it is not its time")
		}
	}
	return nil
}

// drained takes down how a drain, or putting back, has ended.
func (d *audited) drained(r *rollout.TaskReport) {
	b := &d.service
	switch {
	case !r.Phase.Last():
	case disruptive(d.op) && b.whole && !d.ran && (r.Phase == rollout.PhaseStopped || r.Fault == patch.Busy):
		b.harmed = false // nothing was done there after all
	case d.op == rollout.OpUncordon:
		b.answer = r.Report
	case d.op != rollout.OpDrain:
	case r.Phase == rollout.PhaseSucceeded:
		b.proved, b.drains = true, 0
	case r.Phase == rollout.PhaseStopped, !d.ran && (r.Fault == patch.Busy || r.Fault == patch.Unreachable || r.Fault == patch.NeedsUser):
		b.out = b.was
	}
}

// free says that others may work on d from now on.
func (d *audited) free() { d.service.proved = false }

// laterService takes down that a device is tried again, and whether it is worked on meanwhile.
func (d *audited) laterService(e *rollout.Postponed) error {
	b := &d.service
	switch {
	case e.Op == rollout.OpUncordon:
		if b.back == nil || !b.unsaid || b.answer.Phase == rollout.PhaseSucceeded {
			return errors.New("it is tried again to put it back, and that is not under way, or it is back")
		}
		b.unsaid = false
		return nil
	case b.back != nil:
		return fmt.Errorf("%s is postponed, and it is being put back", e.Op)
	case e.Op == rollout.OpDrain && !e.Spent && b.drains > 0:
		b.drains--
	}
	if e.Frees || e.Op != rollout.OpDrain && prepares(e.Op) || e.Op == rollout.OpDrain && !d.undone {
		d.free()
	}
	return nil
}

// puttingBack checks that a device is put back only if it is well, or nothing was done there.
func (a *Auditor) puttingBack(e *rollout.PuttingBack) error {
	return a.each(e.Devices, func(d *audited) error {
		b := &d.service
		well := false
		switch e.Outcome {
		case rollout.Succeeded, rollout.AlreadyInstalled, rollout.NotApplicable, rollout.Superseded, rollout.RolledBack:
			well = e.Settles
		}
		switch {
		case !b.out || b.told || b.back != nil || d.running || d.outcome != rollout.Unsettled:
			return fmt.Errorf("put back, and it is not out of service, or at something: %+v", *b)
		case b.harmed && !well:
			return errors.New("put back, and it is not known to be well")
		}
		b.back, b.backs, b.next, b.undone = e, 0, d.absent.next, d.undone
		return nil
	})
}

// putBack checks what is said of devices that were out of service.
func (a *Auditor) putBack(e *rollout.PutBack) error {
	return a.each(e.Devices, func(d *audited) error {
		b := &d.service
		if e.Then == rollout.ReturnKept {
			if !b.out || b.told || b.back != nil || d.outcome == rollout.Unsettled {
				return fmt.Errorf("stays out of service, and that is known, or it is not out: %+v", *b)
			}
			b.told = true
			return nil
		}
		if b.back == nil || !b.unsaid || d.running {
			return fmt.Errorf("%s, and nobody has put it back", e.Then)
		}
		over := b.backs >= a.retry.Attempts || b.answer.Fault == patch.Permanent || b.answer.Fault == patch.Untrusted || b.answer.Fault.Done()
		if done := b.answer.Phase == rollout.PhaseSucceeded; done != (e.Then == rollout.ReturnDone) || !done && !over {
			return fmt.Errorf("%s after try %d, which ended as phase %d (%s)", e.Then, b.backs, b.answer.Phase, b.answer.Fault)
		}
		if e.Resumes && b.back.Settles {
			return errors.New("waits again, and it was to be settled")
		}
		if d.goal = nil; e.Resumes {
			d.absent.next = b.next
		}
		if b.back.Settles && b.undone == d.undone { // otherwise it is rolled back now, whatever it was to be
			goal := *b.back
			if e.Then == rollout.ReturnFailed && goal.Outcome == rollout.Succeeded {
				goal.Outcome = rollout.Failed
			}
			d.goal = &goal
		}
		b.out, b.told, b.back, b.unsaid = e.Then == rollout.ReturnFailed, e.Then == rollout.ReturnFailed, nil, false
		if !b.out {
			b.harmed = false
		}
		return nil
	})
}

// settledService checks that a device that was to be put back first was, and ends as was said then.
func (d *audited) settledService(o rollout.Outcome) error {
	b, goal := &d.service, d.goal
	d.goal = nil
	d.free()
	switch {
	case o == rollout.Gone && d.left != rollout.LeavingUnknown:
		*b = serviceBooks{}
	case b.back != nil && o != rollout.Gone:
		return fmt.Errorf("settled as %s, and it is being put back", o)
	case goal != nil && o != goal.Outcome:
		return fmt.Errorf("settled as %s, and it was to be %s", o, goal.Outcome)
	case o == rollout.Succeeded && b.out:
		return errors.New("succeeded, and it serves nobody")
	}
	return nil
}

// forgotten says that d is not ours any more, or that a person sees to it.
func (d *audited) forgotten() { d.service = serviceBooks{} }

// anew keeps nothing of the service of d, which was made anew, but that it may be out of it.
func (b serviceBooks) anew() serviceBooks { return serviceBooks{out: b.out} }

// services checks at the end of a rollout that whoever stays out of service was told of.
func (a *Auditor) services() error {
	for i := range a.devices {
		if b := &a.devices[i].service; b.back != nil || b.out && !b.told {
			return fmt.Errorf("device %s: out of service at the end, and nobody was told: %+v", a.plan.Devices[i], *b)
		}
	}
	return nil
}
