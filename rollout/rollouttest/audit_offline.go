package rollouttest

import (
	"errors"
	"fmt"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// awayBooks are those of a device that does not answer.
type awayBooks struct {
	first  time.Time  // when it was first found unreachable, later by what the rollout was not active since
	next   rollout.Op // what it waits for
	silent bool       // a task of it that may be at work had no answer in time, and nothing was heard of it since
}

// away keeps the books of who is away, before the event is looked at otherwise.
func (a *Auditor) away(at time.Time, e rollout.Event) {
	switch e := e.(type) {
	case rollout.Staged:
		active := e.Stage == rollout.StageActive
		if active && !a.idle.IsZero() {
			for i := range a.devices {
				if first := &a.devices[i].absent.first; !first.IsZero() && a.idle.After(*first) {
					*first = first.Add(at.Sub(a.idle))
				} else if !first.IsZero() {
					*first = at
				}
			}
			a.idle = time.Time{}
		}
		if !active && a.idle.IsZero() {
			a.idle = at
		}
	case rollout.Answered:
		for i := range e.Reports {
			if r := &e.Reports[i]; r.Phase != rollout.PhaseFailed || r.Fault != patch.Unreachable {
				a.devices[r.Device].absent.silent = false
			}
		}
	case rollout.Postponed:
		for _, i := range e.Devices {
			d := &a.devices[i]
			if d.absent.next = e.Op; e.Op == rollout.OpDrain {
				d.absent.next = d.service.then
			}
			if e.Fault == patch.Unreachable && e.Op != rollout.OpUncordon || !d.offline.IsZero() { // what had no answer matters only while it may be at work
				d.absent.silent = d.absent.silent && len(d.unended) > 0
			}
			if e.Fault == patch.Unreachable && e.Op != rollout.OpUncordon && d.absent.first.IsZero() { // others may be unreachable that put it back
				d.absent.first = at
			}
		}
	case rollout.Issued:
		for _, i := range e.Devices {
			a.devices[i].absent.next = e.Op
		}
	case rollout.Returned:
		for _, i := range e.Devices {
			a.devices[i].absent.silent = false
		}
	case rollout.Retried:
		for _, i := range e.Devices {
			a.devices[i].absent = awayBooks{}
		}
	}
}

// quiet notes that a task of d, which has ended for the rollout, had no answer in time.
func (d *audited) quiet() {
	d.absent.silent = d.absent.silent || len(d.unended) > 0 || d.undone || d.op == rollout.OpVerify || d.op == rollout.OpProbe || d.op == rollout.OpReboot && d.installed
}

// absence says which clock runs on d.
func (d *audited) absence() rollout.Absence {
	after := false // something was done there, and is to be looked at
	switch d.absent.next {
	case rollout.OpVerify, rollout.OpProbe, rollout.OpRollback:
		after = true
	case rollout.OpReboot:
		after = d.installed
	}
	switch {
	case d.outcome != rollout.Unsettled || d.left != rollout.LeavingUnknown:
		return rollout.AbsenceNone
	case !d.offline.IsZero() && (len(d.unended) > 0 || d.undone || after), d.absent.silent:
		return rollout.AbsenceSilent
	case !d.offline.IsZero():
		return rollout.AbsenceQueued
	}
	return rollout.AbsenceNone
}

// leavesAway checks that who leaves as away has been so until its deadline, with nothing begun there.
func (a *Auditor) leavesAway(at time.Time, d *audited, o rollout.Outcome) error {
	if o != rollout.Away {
		return nil
	}
	limit := a.plan.Policy.Retry.OfflineDeadline.Std()
	switch {
	case limit == 0:
		return errors.New("settled as away, and the policy has no deadline for that")
	case a.stage != rollout.StageActive:
		return fmt.Errorf("settled as away while the rollout is %s", a.stage)
	case d.absence() != rollout.AbsenceQueued || d.attempts+d.byHand+d.handed > 0:
		return fmt.Errorf("settled as away, and it is %s, with %d attempts", d.absence(), d.attempts+d.byHand+d.handed)
	case at.Before(d.absent.first.Add(limit)):
		return fmt.Errorf("settled as away before its deadline: it was first found so %s", d.absent.first)
	}
	return nil
}

// recountAway compares what the machine says of who is away with the books.
func (a *Auditor) recountAway(r int, m *rollout.Machine, s *rollout.RingStatus) error {
	queued, silent := 0, 0
	limit := a.plan.Policy.Retry.OfflineDeadline.Std()
	for i := range a.plan.InRing(r) {
		d, got := &a.devices[i], m.Device(i)
		is := d.absence()
		if d.running && got.Absence != is && got.Offline { // what is being tried now is answered for later
			is = got.Absence
		}
		switch is {
		case rollout.AbsenceQueued:
			queued++
			if late := !d.absent.first.IsZero() && limit > 0 && !m.Now().Before(d.absent.first.Add(limit)); late && !d.running && got.Op != rollout.OpUncordon && a.stage == rollout.StageActive {
				return fmt.Errorf("device %s is waited for after its deadline: it was first found away %s", a.plan.Devices[i], d.absent.first)
			}
		case rollout.AbsenceSilent:
			silent++
		}
		if got.Absence != is {
			return fmt.Errorf("device %s is %s, the books say %s: %+v", a.plan.Devices[i], got.Absence, is, got)
		}
	}
	if s.Queued != queued || s.Silent != silent {
		return fmt.Errorf("ring %s: %d queued, %d silent; a recount finds %d and %d", s.Name, s.Queued, s.Silent, queued, silent)
	}
	return nil
}
