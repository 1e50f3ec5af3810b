package rollouttest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/patchflow/patchflow/policy/sequential"
	"github.com/patchflow/patchflow/rollout"
)

// controlBooks are what an auditor knows of the comparisons of a plan's gates.
type controlBooks map[int]*comparison

type comparison struct {
	cohorts []rollout.Paired // that are watched, the oldest first
	used    map[int32]bool   // have got nothing in some cohort
	pair    sequential.Pair
	sum     rollout.Block
	silent  int
	alone   int
}

// A watched device is in a cohort.
type watched struct {
	control bool
	until   time.Time
	gauges  []gauge // of one that gets nothing: before, and since
	failed  bool
	left    bool
}

func (a *Auditor) comparison(r int) *comparison {
	if a.control == nil {
		a.control = make(controlBooks)
	}
	if a.control[r] == nil {
		a.control[r] = &comparison{used: make(map[int32]bool)}
	}
	return a.control[r]
}

// known says whether enough was measured on one side.
func (a *Auditor) known(gauges []gauge, side int) bool {
	some := false
	for k := range gauges {
		m := &a.plan.Policy.Health.Metrics[k]
		enough := gauges[k].n[side] >= m.Enough()
		if some = some || enough; m.Required && !enough {
			return false
		}
	}
	return some
}

func (a *Auditor) gaugesOf(d int32) []gauge {
	all := make([]gauge, len(a.plan.Policy.Health.Metrics))
	for k := range all {
		all[k] = *a.gauge(d, k)
	}
	return all
}

func (a *Auditor) unwatch(devices []int32) {
	for _, d := range devices {
		if w := a.devices[d].watched; w != nil {
			w.left = true
		}
	}
}

// paired checks that a cohort is made of whom the plan names, and of nobody of whom something is known already that counts.
func (a *Auditor) paired(at time.Time, e *rollout.Paired) error {
	x, ring := a.comparison(e.Ring), &a.plan.Rings[e.Ring]
	rule := ring.Gate.Control.WithDefaults()
	if !rule.Compares() || !a.opened[e.Ring] || a.passed[e.Ring] || len(e.Treated) > 0 && !e.Until.Equal(at.Add(rule.Within.Std())) {
		return fmt.Errorf("compared until %s, and the ring is to be for %s, if at all", e.Until, rule.Within)
	}
	succeeded := 0
	for i := range a.plan.InRing(e.Ring) {
		if d := &a.devices[i]; d.fresh {
			d.fresh = false
			succeeded++
		}
	}
	if n := len(e.Treated) + e.Alone; n < succeeded {
		return fmt.Errorf("%d devices have succeeded, and %d are compared or not", succeeded, n)
	}
	named := a.plan.Controls(e.Ring)
	for _, d := range e.Controls {
		dev := &a.devices[d]
		switch {
		case !slices.Contains(named, d) || a.plan.RingOf(int(d)) <= e.Ring:
			return fmt.Errorf("device %s: the plan compares with others", a.plan.Devices[d])
		case x.used[d] || dev.watched != nil:
			return fmt.Errorf("device %s: it is compared twice", a.plan.Devices[d])
		case dev.touched || dev.outcome != rollout.Unsettled || !a.known(a.gaugesOf(d), 0):
			return fmt.Errorf("device %s: it has got something, or nothing is known of it", a.plan.Devices[d])
		}
		x.used[d] = true
		dev.watched = &watched{control: true, until: e.Until, gauges: a.gaugesOf(d)}
	}
	for _, d := range e.Treated {
		dev := &a.devices[d]
		if a.plan.RingOf(int(d)) != e.Ring || dev.outcome != rollout.Succeeded || dev.worse || dev.watched != nil || !a.known(a.gaugesOf(d), 0) {
			return fmt.Errorf("device %s: it has not succeeded just now, or nothing was known of it", a.plan.Devices[d])
		}
		dev.watched = &watched{until: e.Until}
	}
	if len(named) < len(x.used) {
		return fmt.Errorf("compared with %d of %d devices", len(x.used), len(named))
	}
	x.alone += e.Alone
	if len(e.Treated) > 0 {
		x.cohorts = append(x.cohorts, *e)
	}
	return nil
}

func (a *Auditor) regressedBeside(at time.Time, e *rollout.Regressed) {
	for _, d := range e.Devices {
		if w := a.devices[d].watched; w != nil && !w.left && !at.After(w.until) {
			w.failed = true
		}
	}
}

func (a *Auditor) controlWorse(at time.Time, e *rollout.ControlWorse) error {
	m := &a.plan.Policy.Health.Metrics[e.Metric]
	near := func(want, have float64) bool { return math.Abs(want-have) <= 1e-4*max(1, math.Abs(want)) }
	for i, d := range e.Devices {
		w := a.devices[d].watched
		if w == nil || !w.control || w.failed || w.left || at.After(w.until) {
			return fmt.Errorf("device %s: it is not watched", a.plan.Devices[d])
		}
		g := &w.gauges[e.Metric]
		before, after := g.sum[0]/float64(g.n[0]), g.sum[1]/float64(g.n[1])
		if min(g.n[0], g.n[1]) < m.Enough() || !near(before, e.Before[i]) || !near(after, e.After[i]) || !m.Exceeded(e.Before[i], e.After[i]) {
			return fmt.Errorf("device %s: %g after %g: %g after %g are no worse", a.plan.Devices[d], e.After[i], e.Before[i], after, before)
		}
		w.failed = true
	}
	return nil
}

// compared counts a cohort again.
func (a *Auditor) compared(at time.Time, e *rollout.Compared) error {
	x := a.comparison(e.Ring)
	if len(x.cohorts) == 0 || at.Before(x.cohorts[0].Until) {
		return errors.New("counted before its time")
	}
	h := x.cohorts[0]
	x.cohorts = x.cohorts[1:]
	n := min(len(h.Treated), len(h.Controls))
	if len(e.Blocks) != n {
		return fmt.Errorf("%d blocks of %d devices and %d", len(e.Blocks), len(h.Treated), len(h.Controls))
	}
	silent := 0
	count := func(all []int32, n, i int) (counted, failed int) {
		for _, d := range all[i*len(all)/n : (i+1)*len(all)/n] {
			dev := &a.devices[d]
			w, kept, gauges := dev.watched, rollout.Succeeded, a.gaugesOf(d)
			if w.control {
				kept, gauges = rollout.Unsettled, w.gauges
			}
			dev.watched = nil
			switch {
			case w.failed:
				counted, failed = counted+1, failed+1
			case w.left || dev.left != rollout.LeavingUnknown || dev.undone || dev.outcome != kept:
			case !a.known(gauges, 1):
				counted, failed, silent = counted+1, failed+1, silent+1
			default:
				counted++
			}
		}
		return counted, failed
	}
	for i, b := range e.Blocks {
		var own rollout.Block
		own.Treated, own.TreatedFailed = count(h.Treated, n, i)
		own.Control, own.ControlFailed = count(h.Controls, n, i)
		if b != own {
			return fmt.Errorf("block %d: a recount finds %+v", i+1, own)
		}
		x.pair.Add(b.Treated, b.TreatedFailed, b.Control, b.ControlFailed)
		x.sum.Treated, x.sum.TreatedFailed = x.sum.Treated+b.Treated, x.sum.TreatedFailed+b.TreatedFailed
		x.sum.Control, x.sum.ControlFailed = x.sum.Control+b.Control, x.sum.ControlFailed+b.ControlFailed
	}
	if silent != e.Silent {
		return fmt.Errorf("a recount finds %d of which nothing is known", silent)
	}
	x.silent += silent
	return nil
}

// judgedBeside checks what a gate makes of its comparison, and lets those go whom it kept waiting.
func (a *Auditor) judgedBeside(e *rollout.Judged) error {
	rule := a.plan.Rings[e.Ring].Gate.Control.WithDefaults()
	if !rule.Compares() {
		if e.Evidence.Control != (rollout.Comparison{}) || e.Reason == "control" {
			return errors.New("a gate compares, and is not to")
		}
		return nil
	}
	x, c := a.comparison(e.Ring), e.Evidence.Control
	if own := (rollout.Block{Treated: c.Treated, TreatedFailed: c.TreatedFailed, Control: c.Control, ControlFailed: c.ControlFailed}); own != x.sum || c.Silent != x.silent || c.Alone != x.alone {
		return fmt.Errorf("compared %+v; a recount finds %+v, %d silent, %d alone", c, x.sum, x.silent, x.alone)
	}
	worse := x.pair.Worse(1 - float64(rule.Confidence)/10000)
	switch {
	case e.Result == rollout.Fail && e.Reason == "control" && !worse:
		return errors.New("a gate failed by a comparison that proves nothing")
	case e.Reason == "no-need": // nothing is there to be compared
	case e.Result == rollout.Pass && e.By == "" && (worse || len(x.cohorts) > 0 || x.sum.Control < rule.Least):
		return fmt.Errorf("a gate passed; worse %v, %d cohorts watched, %d of at least %d counted", worse, len(x.cohorts), x.sum.Control, rule.Least)
	}
	if e.Result == rollout.Pass {
		for _, h := range x.cohorts {
			for _, d := range slices.Concat(h.Treated, h.Controls) {
				a.devices[d].watched = nil
			}
		}
		x.cohorts = nil
	}
	return nil
}
