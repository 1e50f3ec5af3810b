package rollouttest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// A gauge is what an auditor has read of one metric of a device.
type gauge struct {
	sum [2]float64 // before, after
	n   [2]int
}

func (a *Auditor) gauge(d int32, metric int) *gauge {
	n := len(a.plan.Policy.Health.Metrics)
	if more := n*len(a.devices) - len(a.gauges); more > 0 {
		a.gauges = append(a.gauges, make([]gauge, more)...)
	}
	return &a.gauges[int(d)*n+metric]
}

func (a *Auditor) measured(e *rollout.Measured) error {
	for i, d := range e.Devices {
		dev := &a.devices[d]
		side := 0
		if w := dev.watched; e.After && w != nil && w.control {
			w.gauges[e.Metric].sum[1] += e.Values[i]
			w.gauges[e.Metric].n[1]++
		} else if e.After {
			side = 1
			if dev.outcome != rollout.Succeeded {
				return fmt.Errorf("device %s: measured after, and it is %s", a.plan.Devices[d], dev.outcome)
			}
		}
		g := a.gauge(d, e.Metric)
		g.sum[side] += e.Values[i]
		g.n[side]++
	}
	return nil
}

func (a *Auditor) regressed(e *rollout.Regressed) error {
	m := &a.plan.Policy.Health.Metrics[e.Metric]
	for i, d := range e.Devices {
		dev, g := &a.devices[d], a.gauge(d, e.Metric)
		near := func(want, have float64) bool { return math.Abs(want-have) <= 1e-4*max(1, math.Abs(want)) }
		before, after := g.sum[0]/float64(g.n[0]), g.sum[1]/float64(g.n[1])
		switch {
		case dev.worse:
			return fmt.Errorf("device %s: it is known to be worse", a.plan.Devices[d])
		case dev.outcome != rollout.Succeeded:
			return fmt.Errorf("device %s: it is %s", a.plan.Devices[d], dev.outcome)
		case g.n[0] < m.Enough() || g.n[1] < m.Enough():
			return fmt.Errorf("device %s: judged by %d samples before and %d after", a.plan.Devices[d], g.n[0], g.n[1])
		case !near(before, e.Before[i]) || !near(after, e.After[i]) || !m.Exceeded(e.Before[i], e.After[i]):
			return fmt.Errorf("device %s: %g after %g: %g after %g are no worse", a.plan.Devices[d], e.After[i], e.Before[i], after, before)
		}
		dev.worse = true
	}
	return nil
}

// well checks that a gate that passes by itself is about devices that are known to be well, if that is required.
func (a *Auditor) well(e *rollout.Judged) error {
	c, g := e.Counts, a.plan.Rings[e.Ring].Gate.WithDefaults()
	if f := &a.plan.Policy.Health.Feedback; e.Result == rollout.Pass && e.By == "" && f.TooMany(a.voices(e.Ring)) {
		return fmt.Errorf("a gate passed with %s complaints or more", f)
	}
	if e.Result == rollout.Pass && e.By == "" && (c.Succeeded-c.Unmeasured)*10000 < int(g.MinSuccess)*c.Denominator {
		return errors.New("a gate passed, and it is not known whether the devices are well")
	}
	return nil
}

// recount checks how many devices of a ring count as worse, and how many as not measured.
func (a *Auditor) recount(r int, c rollout.Counts) error {
	if a.words != nil || c.Fine+c.Broke > 0 {
		if v := a.voices(r); v.Fine != c.Fine || v.Broke != c.Broke {
			return fmt.Errorf("ring %s: %d fine and %d broke; a recount finds %d and %d", a.plan.Rings[r].Name, c.Fine, c.Broke, v.Fine, v.Broke)
		}
	}
	metrics := a.plan.Policy.Health.Metrics
	if len(metrics) == 0 && len(a.plan.Policy.Health.Probes.List) == 0 {
		return nil
	}
	worse, unknown := 0, 0
	ring := &a.plan.Rings[r]
	for i := range a.plan.InRing(r) {
		d := &a.devices[i]
		if d.outcome != rollout.Succeeded || d.left != rollout.LeavingUnknown && !d.worse {
			continue // of one that has left it will not be known any more
		}
		if d.worse {
			worse++
			continue
		}
		for k := range metrics {
			if g := a.gauge(int32(i), k); metrics[k].Required && min(g.n[0], g.n[1]) < metrics[k].Enough() {
				unknown++
				break
			}
		}
	}
	if c.Unwell != worse || c.Unmeasured != unknown {
		return fmt.Errorf("ring %s: %d worse and %d not measured; a recount finds %d and %d", ring.Name, c.Unwell, c.Unmeasured, worse, unknown)
	}
	return nil
}

func (a *Auditor) voiced(e *rollout.Voiced) error {
	d := string(a.plan.Devices[e.Device])
	if a.devices[e.Device].seq == 0 {
		return fmt.Errorf("device %s: nothing was begun there", d)
	}
	if a.words == nil {
		a.words = make(map[string]map[string]rollout.Word)
	}
	if a.words[d] == nil {
		a.words[d] = make(map[string]rollout.Word)
	}
	a.words[d][strings.ToLower(strings.TrimSpace(e.By))] = e.Word
	return nil
}

// voices counts what people say about a ring.
func (a *Auditor) voices(r int) policy.Voices {
	var v policy.Voices
	for i := range a.plan.InRing(r) {
		if a.devices[i].touched {
			v.Begun++
		}
		against := 0
		for _, w := range a.words[string(a.plan.Devices[i])] {
			if w == rollout.Broke {
				against++
			} else {
				v.Fine++
			}
		}
		if v.Broke += against; against > 0 {
			v.Against++
		}
	}
	return v
}

func (a *Auditor) announced(at time.Time, e *rollout.RestartAnnounced) error {
	rule := a.plan.Policy.Reboot.Deferrals.WithDefaults()
	for _, d := range e.Devices {
		dev := &a.devices[d]
		dev.restart, dev.deadline, dev.deferred = at.Add(rule.Notice.Std()), at.Add(rule.Deadline.Std()), 0
		if until, quiet, err := a.quiet(int(d), at); err != nil || quiet {
			return errors.Join(fmt.Errorf("device %s: announced in a quiet time, until %s", a.plan.Devices[d], until), err)
		}
		if until, quiet, _ := a.quiet(int(d), dev.deadline); quiet {
			dev.deadline = until
		}
		if rule.Max == 0 || !e.Deadline.Equal(dev.deadline) {
			return fmt.Errorf("device %s: announced until %s, want %s", a.plan.Devices[d], e.Deadline, dev.deadline)
		}
	}
	return nil
}

func (a *Auditor) deferred(at time.Time, e *rollout.RestartDeferred) error {
	dev, rule := &a.devices[e.Device], a.plan.Policy.Reboot.Deferrals.WithDefaults()
	if e.Refused != "" {
		return nil
	}
	dev.deferred++
	switch {
	case dev.deferred > rule.Max:
		return fmt.Errorf("put off %d times", dev.deferred)
	case e.Until.After(dev.deadline), e.Until.After(at.Add(rule.Each.Std())), !e.Until.After(dev.restart):
		return fmt.Errorf("put off from %s to %s, the deadline is %s", dev.restart, e.Until, dev.deadline)
	}
	dev.restart = e.Until
	return nil
}
