package rollouttest

import (
	"errors"
	"fmt"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// A breakerBook is what the auditor knows of one breaker.
type breakerBook struct {
	tries   []breakerTry
	tripped bool
	until   time.Time
	trying  int32 // device plus one
	heard   *bool // whether the one try has failed, once that is known
}

type breakerTry struct {
	device int32
	at     time.Time
	failed bool
	stands bool
}

// breakers are the auditor's own books of tries.
type breakers map[rollout.Circuit]*breakerBook

// circuits returns the circuits of device i, and the breaker of each.
func (a *Auditor) circuits(i int32) (all []rollout.Circuit, by []policy.Breaker) {
	p := a.plan
	for _, n := range p.DomainsOf(int(i)) {
		if b := p.Policy.Budgets[p.Domains[n].Budget].Breaker; b.Failures > 0 {
			all, by = append(all, rollout.Circuit{Domain: int(n)}), append(by, b.WithDefaults())
		}
	}
	for _, x := range p.Contents[p.Content[i]].Patches {
		if p.Policy.Breaker.Failures > 0 {
			all, by = append(all, rollout.Circuit{Domain: -1, Patch: x.ID}), append(by, p.Policy.Breaker.WithDefaults())
		}
	}
	return all, by
}

func (b breakers) book(c rollout.Circuit) *breakerBook {
	if b[c] == nil {
		b[c] = &breakerBook{}
	}
	return b[c]
}

// tried takes down that an installation on device i has ended.
func (a *Auditor) tried(at time.Time, i int32, failed bool, f patch.Fault) {
	all, by := a.circuits(i)
	for n, c := range all {
		if failed && f != patch.Transient && f != patch.Untrusted && (f != patch.Permanent || c.Patch == "") {
			continue
		}
		x := a.breakers.book(c)
		if x.tripped {
			if x.trying == i+1 && x.heard == nil {
				x.heard = &failed
			}
			continue
		}
		was := -1
		for k, t := range x.tries {
			if t.device == i && !t.failed && !t.stands {
				was = k
			}
		}
		switch {
		case failed && was >= 0 && c.Patch == "":
		case failed && was >= 0:
			x.tries[was].failed, x.tries[was].at = true, at
		default:
			x.tries = append(x.tries, breakerTry{device: i, at: at, failed: failed})
		}
		if n := len(x.tries) - by[n].Of; n > 0 {
			x.tries = x.tries[n:]
		}
	}
}

// tries takes down what an event says of tries, before the other books know of it.
func (a *Auditor) tries(at time.Time, e rollout.Event) {
	switch e := e.(type) {
	case rollout.Answered:
		for _, r := range e.Reports {
			d := &a.devices[r.Device]
			if r.Phase.Last() {
				d.told, d.answer = true, r.Report
			}
			if d.op == rollout.OpInstall && r.Phase == rollout.PhaseSucceeded {
				a.tried(at, r.Device, false, patch.NoFault)
			}
		}
	case rollout.TimedOut:
		for _, i := range e.Devices {
			a.devices[i].told, a.devices[i].answer = true, rollout.Report{}
		}
	case rollout.Postponed:
		for _, i := range e.Devices {
			d := &a.devices[i]
			if e.Op == rollout.OpInstall && e.Spent && d.told && (d.op == rollout.OpInstall || d.op == rollout.OpVerify) {
				a.tried(at, i, true, e.Fault)
			}
			if d.told = false; e.Op == rollout.OpInstall || prepares(e.Op) || e.Frees || e.Fault == patch.Unreachable {
				a.leaves(i)
			}
		}
	case rollout.DeviceSettled:
		for _, i := range e.Devices {
			d := &a.devices[i]
			if r := d.answer; e.Outcome == rollout.Failed && d.told && r.Phase == rollout.PhaseFailed {
				found := d.op == rollout.OpVerify && !d.undone && (r.Fault == patch.NoFault || r.Fault == patch.Permanent || r.Fault == patch.Untrusted)
				if d.op == rollout.OpInstall || found {
					a.tried(at, i, true, e.Fault)
				}
			}
			a.stands(i)
			a.leaves(i)
		}
	case rollout.Reopened:
		for _, i := range e.Devices {
			a.stands(i)
			a.leaves(i)
		}
	case rollout.Lapsed:
		for _, i := range e.Devices {
			if !a.devices[i].undone {
				a.leaves(i)
			}
		}
	}
}

// stands says that nothing which comes changes what is known of the tries of device i.
func (a *Auditor) stands(i int32) {
	all, _ := a.circuits(i)
	for _, c := range all {
		for k := range a.breakers.book(c).tries {
			if t := &a.breakers[c].tries[k]; t.device == i {
				t.stands = true
			}
		}
	}
}

// leaves says that device i waits or is settled: if it was the one try and nothing was heard of it, another one may be begun.
func (a *Auditor) leaves(i int32) {
	a.devices[i].told = false
	all, _ := a.circuits(i)
	for _, c := range all {
		if x := a.breakers.book(c); x.trying == i+1 && x.heard == nil {
			x.trying = 0
		}
	}
}

// mayTry checks that no breaker keeps an installation on device i back.
func (a *Auditor) mayTry(i int32) error {
	all, _ := a.circuits(i)
	for _, c := range all {
		if x := a.breakers.book(c); x.tripped && x.trying != i+1 {
			return fmt.Errorf("installs, and the breaker of %+v has tripped until %s", c, x.until)
		}
	}
	return nil
}

// failures returns how many failures count at an instant.
func (x *breakerBook) failures(b policy.Breaker, at time.Time) int {
	n := 0
	for _, t := range x.tries {
		if t.failed && (b.Within == 0 || at.Sub(t.at) < b.Within.Std()) {
			n++
		}
	}
	return n
}

// tripping checks what breakers do.
func (a *Auditor) tripping(at time.Time, e rollout.Event) error {
	switch e := e.(type) {
	case rollout.BreakerTripped:
		x, b := a.breakers.book(e.Circuit), a.breakerOf(e.Circuit, e.Device)
		switch {
		case e.Again != x.tripped:
			return errors.New("it has tripped already, or not yet")
		case e.Again && (x.heard == nil || !*x.heard || x.trying != e.Device+1):
			return errors.New("its one try has not failed")
		case !e.Again && (e.Failed != x.failures(b, at) || e.Tries != len(x.tries) || e.Failed < b.Failures):
			return fmt.Errorf("a recount finds %d failures in %d tries: %s", x.failures(b, at), len(x.tries), b)
		case !e.Until.Equal(at.Add(b.Pause.Std())):
			return fmt.Errorf("until %s, and it is %s", e.Until, b)
		}
		*x = breakerBook{tripped: true, until: e.Until}
	case rollout.BreakerTried:
		x := a.breakers.book(e.Circuit)
		if !x.tripped || x.trying != 0 || at.Before(x.until) {
			return fmt.Errorf("one try, and it is not its time: %+v", *x)
		}
		x.trying = e.Device + 1
	case rollout.BreakerClosed:
		if x := a.breakers.book(e.Circuit); !x.tripped || x.heard == nil || *x.heard || x.trying != e.Device+1 {
			return errors.New("it closes, and its one try has not succeeded")
		}
		*a.breakers[e.Circuit] = breakerBook{}
	}
	return nil
}

func (a *Auditor) breakerOf(c rollout.Circuit, i int32) policy.Breaker {
	all, by := a.circuits(i)
	for n := range all {
		if all[n] == c {
			return by[n]
		}
	}
	return policy.Breaker{}
}

// tripped checks, once a step is over, that no breaker of these devices should have tripped and has not.
func (a *Auditor) tripped(b rollout.Batch) error {
	check := func(ds []int32) error {
		for _, i := range ds {
			all, by := a.circuits(i)
			for n, c := range all {
				if x := a.breakers.book(c); !x.tripped && x.failures(by[n], b.At) >= by[n].Failures || x.tripped && x.heard != nil {
					return fmt.Errorf("breaker of %+v, which is to trip %s: nothing was decided: %+v", c, by[n], *x)
				}
			}
		}
		return nil
	}
	for _, e := range b.Events {
		var err error
		switch e := e.(type) {
		case rollout.Postponed:
			err = check(e.Devices)
		case rollout.DeviceSettled:
			err = check(e.Devices)
		}
		if err != nil && !a.stage.Final() {
			return err
		}
	}
	return nil
}
