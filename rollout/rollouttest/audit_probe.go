package rollouttest

import (
	"errors"
	"fmt"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// found returns the probes that a report does not show to be up.
func (a *Auditor) found(r *rollout.TaskReport) uint32 {
	up := make(map[string]bool)
	for _, p := range r.Probes {
		was, seen := up[p.Name]
		up[p.Name] = p.Up == patch.Yes && (was || !seen)
	}
	var down uint32
	for i, p := range a.plan.Policy.Health.Probes.List {
		if r.Phase != rollout.PhaseSucceeded || !up[p.Name] {
			down |= 1 << i
		}
	}
	return down
}

// probed checks what follows from a look at the probes of a device.
func (a *Auditor) probed(at time.Time, d *audited, e *rollout.Probed, down uint32) error {
	probes := a.plan.Policy.Health.Probes.WithDefaults()
	bad := d.found &^ d.forgiven
	op := rollout.OpProbe
	if e.Then == rollout.ProbedBefore || e.Then == rollout.ProbedLeftOut {
		op = rollout.OpPrecheck
	}
	if d.running || d.op != op {
		return fmt.Errorf("%s, and no %s of it has ended", e.Then, op)
	}
	switch e.Then {
	case rollout.ProbedLeftOut:
		if probes.Before != policy.ProbeLeavesOut || d.found == 0 {
			return errors.New("left out, and it was well, or need not be")
		}
		d.leftOut = true
	case rollout.ProbedBefore:
		if probes.Before == policy.ProbeLeavesOut && (down != 0 || e.Fault != patch.NoFault) {
			return errors.New("not left out, and it was not well before")
		}
		if e.Fault != patch.NoFault && down != 0 || e.Fault == patch.NoFault && down != d.found {
			return fmt.Errorf("%b is forgiven, and %b was found not up", down, d.found)
		}
		d.checked, d.leftOut, d.forgiven = true, false, down
	case rollout.ProbedWell:
		if bad != 0 {
			return fmt.Errorf("well, and %b was found not up", bad)
		}
		d.fit = true
	default:
		unwell := e.Then == rollout.ProbedUnwell
		switch {
		case bad == 0 && e.Fault == patch.NoFault:
			return errors.New("not well, and everything was found up")
		case unwell != (probes.Failed == policy.ProbeUnwell):
			return fmt.Errorf("%s, and the policy wants it %s", e.Then, probes.Failed)
		case a.stage != rollout.StageEnding && at.Before(d.since.Add(probes.Within.Std())):
			return errors.New("given up before its time")
		}
		d.fit, d.worse = unwell, d.worse || unwell
	}
	return nil
}
