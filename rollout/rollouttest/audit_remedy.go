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

// remedyBooks are those of a device whose tries may be followed by remedies.
type remedyBooks struct {
	fell patch.Fault // why the last installation has failed, if that was its own word, and no remedy has ended since
	due  bool        // another try of it was decided
	used map[patch.Fault]int
	seq  uint32        // of the last remedy
	done rollout.Phase // how it has ended; PhaseUnknown if it had no answer
	why  patch.Fault
}

// loose says whether no end of a task of d is known that the rollout waits for no more.
func (d *audited) loose(seq uint32) bool {
	return slices.ContainsFunc(d.unended, func(u loose) bool { return u.seq == seq })
}

// remedyFor returns the policy's remedy for a fault.
func (a *Auditor) remedyFor(f patch.Fault) (policy.Remedy, bool) {
	i := slices.IndexFunc(a.retry.Remedies, func(r policy.Remedy) bool { return r.Fault == f })
	if i < 0 {
		return policy.Remedy{}, false
	}
	return a.retry.Remedies[i], true
}

// fell takes down how an installation or a remedy has ended.
func (d *audited) fell(r *rollout.TaskReport) {
	b := &d.remedy
	switch {
	case !r.Phase.Last():
	case d.op == rollout.OpInstall:
		b.fell, b.due = patch.NoFault, false
		if r.Phase == rollout.PhaseFailed {
			b.fell = r.Fault
		}
	case d.op == rollout.OpRemedy:
		b.done, b.why = r.Phase, r.Fault
	}
}

// startsRemedy checks that a remedy follows a failure that it is for, not too often, and that nothing overlaps with one.
func (a *Auditor) startsRemedy(at time.Time, i int32, e *rollout.Issued) error {
	d := &a.devices[i]
	b := &d.remedy
	switch e.Op {
	case rollout.OpInstall, rollout.OpBackup, rollout.OpRollback, rollout.OpRemedy, rollout.OpLook:
		if b.seq != 0 && d.loose(b.seq) {
			return fmt.Errorf("%s begun, and its remedy, task %d, may still be running", e.Op, b.seq)
		}
	}
	of, has := a.remedyFor(b.fell)
	switch e.Op {
	case rollout.OpInstall:
		if has && b.due && b.used[b.fell] < of.Max {
			return fmt.Errorf("tried again after %s without the remedy for it", b.fell)
		}
		b.fell, b.due = patch.NoFault, false
	case rollout.OpRemedy:
		if !has || !b.due {
			return fmt.Errorf("a remedy, and its last try has not failed for that: %s", b.fell)
		}
		if b.used == nil {
			b.used = make(map[patch.Fault]int)
		}
		if b.used[b.fell]++; b.used[b.fell] > of.Max {
			return fmt.Errorf("remedy %d of %d for %s", b.used[b.fell], of.Max, b.fell)
		}
		if s := a.work(int(i)); d.saved || !s.Open(at) && !(d.excused && s.Freezes().Open(at)) || a.stage != rollout.StageActive || !a.opened[a.plan.RingOf(int(i))] ||
			a.withdrawn(int(i)) || d.undone {
			return errors.New("a remedy, and it is not its time")
		}
		b.seq, b.done, b.why = d.seq+1, rollout.PhaseUnknown, patch.NoFault
		d.begun, d.saved = at, true
		return a.rates.begin(a.plan, i, at)
	}
	return nil
}

// retriedLater notes that another try of d was decided, or that its remedy was not begun there after all.
func (d *audited) retriedLater(e *rollout.Postponed) {
	b := &d.remedy
	switch {
	case e.Op == rollout.OpInstall && e.Spent && d.op == rollout.OpInstall:
		b.due = true
	case e.Op == rollout.OpRemedy && !e.Spent:
		b.used[b.fell]--
	}
}

// remedied checks what is said of how a remedy has ended.
func (d *audited) remedied(e *rollout.Remedied) error {
	b := &d.remedy
	if d.running || d.op != rollout.OpRemedy || d.seq != b.seq || e.Of != b.fell {
		return fmt.Errorf("a remedy for %s is said to be %s, and none of it has ended", e.Of, e.Then)
	}
	fits := false
	switch e.Then {
	case rollout.RemedyDone:
		fits = b.done == rollout.PhaseSucceeded
	case rollout.RemedyFailed:
		fits = b.done == rollout.PhaseFailed
	case rollout.RemedyUnknown:
		fits = d.loose(d.seq)
	}
	if !fits {
		return fmt.Errorf("the remedy is said to be %s, and it has ended as phase %d (%s)", e.Then, b.done, b.why)
	}
	b.fell, b.due = patch.NoFault, false
	return nil
}
