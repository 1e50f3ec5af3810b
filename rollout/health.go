package rollout

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/policy"
)

// Sampled brings samples of the metrics by which the policy knows whether devices are well. What is about other metrics and other
// devices is passed over. What was measured before the first installation on a device was begun belongs to its baseline, also if it is
// told later; what was measured since the verification that it passed was begun is compared with that. What was measured meanwhile is passed over.
type Sampled struct {
	At      time.Time
	Samples []Sample
}

// A Sample is one value of a metric of a device.
type Sample struct {
	Device int32
	Metric string
	Value  float64   // finite, and not negative
	Taken  time.Time // when it was measured; zero, and what is later than the signal, mean that
}

func (s Sampled) when() time.Time { return s.At }

// Measured says that samples of a metric of these devices were counted. A device may stand there more than once.
type Measured struct {
	Metric  int  // of the policy
	After   bool // the devices were verified before, or are watched beside others ([Paired]); otherwise it is part of their baselines
	Devices []int32
	Values  []float64 // by device
}

// Regressed says that a metric has become worse on these devices than it was before the installation: for the gates of their rings
// they have failed. Their outcome stays.
type Regressed struct {
	Metric  int // of the policy
	Devices []int32
	Before  []float64 // by device: the mean before
	After   []float64 // and after
	Limit   []float64 // that was exceeded
}

func (Measured) kind() byte  { return kindMeasured }
func (Regressed) kind() byte { return kindRegressed }

func (v Measured) encode(e *encoder) {
	e.int(v.Metric)
	e.bool(v.After)
	e.devices(v.Devices)
	e.floats(v.Values)
}

func (v Regressed) encode(e *encoder) {
	e.int(v.Metric)
	e.devices(v.Devices)
	e.floats(v.Before)
	e.floats(v.After)
	e.floats(v.Limit)
}

func decodeMeasured(d *decoder) Measured {
	return Measured{Metric: d.int(), After: d.bool(), Devices: d.devices(), Values: d.floats()}
}

func decodeRegressed(d *decoder) Regressed {
	return Regressed{Metric: d.int(), Devices: d.devices(), Before: d.floats(), After: d.floats(), Limit: d.floats()}
}

// heldHealth is why a ring is held whose devices are not known to be well.
const heldHealth = "health"

// sampleLimit is how many samples of one metric a device may have on each side: one that repeats itself for ever must not fill the
// journal.
const sampleLimit = 1000

// A vital is what is known of one metric of a device: the means of its samples.
type vital struct {
	before, after float32
	had, has      uint16 // samples
}

func (v *vital) add(after bool, value float64) {
	mean, n := &v.before, &v.had
	if after {
		mean, n = &v.after, &v.has
	}
	if *n < math.MaxUint16 {
		*n++
	}
	*mean += float32((value - float64(*mean)) / float64(*n))
}

// known says whether there are enough samples on both sides.
func (v *vital) known(m *policy.Metric) bool {
	return int(v.had) >= m.Enough() && int(v.has) >= m.Enough()
}

// vitalsOf returns what is known of device d, by metric; nil if the policy names none.
func (m *Machine) vitalsOf(d int32) []vital {
	n := len(m.plan.Policy.Health.Metrics)
	if n == 0 {
		return nil
	}
	return m.vitals[int(d)*n : int(d)*n+n]
}

// sampled counts samples, and finds the devices that are worse for them.
func (m *Machine) sampled(samples []Sample) error {
	metrics := m.plan.Policy.Health.Metrics
	counts := make([]Measured, 2*len(metrics))
	m.compare() // what is told from now on is too late for those whose time is up
	for i := range samples {
		s := &samples[i]
		if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) || s.Value < 0 || s.Value > math.MaxFloat32 {
			return fmt.Errorf("rollout: %s: sample %d, %s of device %d: %g is no value", m.plan.Key, i, s.Metric, s.Device, s.Value)
		}
		if s.Device < 0 || int(s.Device) >= len(m.dev) {
			continue
		}
		for k := range metrics {
			if metrics[k].Name != s.Metric {
				continue
			}
			if after, ok := m.takes(s, k); ok {
				at := 2 * k
				if after {
					at++
				}
				c := &counts[at]
				c.Metric, c.After = k, after
				c.Devices, c.Values = append(c.Devices, s.Device), append(c.Values, s.Value)
			}
		}
	}
	for i := range counts {
		if len(counts[i].Devices) > 0 {
			m.emit(counts[i])
		}
	}
	for i := range counts {
		m.regress(&counts[i])
		m.regressBeside(&counts[i])
	}
	return nil
}

// takes says whether a sample counts, and on which side.
func (m *Machine) takes(s *Sample, k int) (after, ok bool) {
	dev, first, v := &m.dev[s.Device], m.firsts[s.Device], &m.vitalsOf(s.Device)[k]
	taken := nanos(s.Taken)
	if taken == 0 || taken > m.now {
		taken = m.now
	}
	switch {
	case dev.outcome != Unsettled && dev.outcome != Succeeded, dev.flags&(unwell|retired|foreign) != 0:
		return false, false
	case m.takesBeside(s.Device, k, taken):
		return true, true
	case first == 0 || taken < first:
		return false, v.had < sampleLimit
	}
	return true, dev.outcome == Succeeded && taken >= dev.issued && v.has < sampleLimit
}

// regress finds the devices that are worse for the samples that were just counted.
func (m *Machine) regress(c *Measured) {
	metric := &m.plan.Policy.Health.Metrics[c.Metric]
	e := Regressed{Metric: c.Metric}
	for _, d := range c.Devices {
		v := &m.vitalsOf(d)[c.Metric]
		before, after := float64(v.before), float64(v.after)
		if m.dev[d].outcome == Succeeded && m.dev[d].flags&(unwell|picked) == 0 && v.known(metric) && metric.Exceeded(before, after) {
			m.dev[d].flags |= picked
			e.Devices = append(e.Devices, d)
			e.Before, e.After, e.Limit = append(e.Before, before), append(e.After, after), append(e.Limit, metric.Limit(before))
		}
	}
	if len(e.Devices) > 0 {
		m.emit(e)
	}
}

func (m *Machine) applyMeasured(e Measured) {
	for i, d := range e.Devices {
		if e.After && m.addBeside(d, e.Metric, e.Values[i]) {
			continue
		}
		m.vitalsOf(d)[e.Metric].add(e.After, e.Values[i])
		m.reckon(d)
	}
	m.dirty = true
}

func (m *Machine) applyRegressed(e Regressed) {
	for _, d := range e.Devices {
		before := m.weighBefore(d)
		m.dev[d].flags = m.dev[d].flags&^picked | unwell
		m.reweigh(d, before)
		m.place(d)
		m.reckon(d)
		m.beside.failed(d, m.now)
	}
	m.dirty = true
}

// reckon brings the numbers of its ring up to how well device d is.
func (m *Machine) reckon(d int32) {
	if len(m.vitals) == 0 && m.probes == nil {
		return
	}
	dev := &m.dev[d]
	r := &m.rings[dev.ring]
	succeeded, bad := dev.outcome == Succeeded, dev.flags&unwell != 0
	set := func(f flags, is bool, n *int) {
		switch {
		case is && dev.flags&f == 0:
			*n++
			dev.flags |= f
		case !is && dev.flags&f != 0:
			*n--
			dev.flags &^= f
		}
	}
	set(ailing, succeeded && bad, &r.unwell)
	unknown, left := succeeded && !bad && m.lacks(d), dev.flags&(retired|foreign) != 0
	set(unmeasured, unknown && !left, &r.unmeasured)
	set(unproven, unknown && left, &r.unproven)
}

// lacks says whether a metric that is required is not known of d.
func (m *Machine) lacks(d int32) bool {
	vitals := m.vitalsOf(d)
	for k := range vitals {
		if metric := &m.plan.Policy.Health.Metrics[k]; metric.Required && !vitals[k].known(metric) {
			return true
		}
	}
	return false
}

// measured says whether enough devices of a ring are known to be well, where the policy requires to know.
func measured(g policy.Gate, c Counts) bool {
	return c.Unmeasured == 0 || (c.Succeeded-c.Unmeasured)*10000 >= int(g.MinSuccess)*c.Denominator
}

// worse adds to an explanation why device d, which succeeded, counts as failed.
func (x *Explanation) worse(m *Machine, d int32) {
	vitals := m.vitalsOf(d)
	for k := range vitals {
		metric, v := &m.plan.Policy.Health.Metrics[k], &vitals[k]
		if before, after := float64(v.before), float64(v.after); v.known(metric) && metric.Exceeded(before, after) {
			x.Reasons = append(x.Reasons, message("is-worse", "metric", metric.Name, "after", amount(after), "before", amount(before),
				"limit", amount(metric.Limit(before))))
		}
	}
}

// metricName returns the name of a metric of p; "" if there is none of that number.
func (p *Plan) metricName(k int) string {
	if metrics := p.Policy.Health.Metrics; k >= 0 && k < len(metrics) {
		return metrics[k].Name
	}
	return ""
}

// describe tells what was measured, with the values if they are few.
func (e Measured) describe(p *Plan) Message {
	values := ""
	if len(e.Values) <= namesShown {
		texts := make([]string, len(e.Values))
		for i, v := range e.Values {
			texts[i] = amount(v)
		}
		values = strings.Join(texts, " ")
	}
	return message("measured", "devices", p.names(e.Devices), "metric", p.metricName(e.Metric), "values", values)
}

// describe tells what has become worse, of each device if they are few.
func (e Regressed) describe(p *Plan) []Message {
	name := p.metricName(e.Metric)
	if len(e.Devices) > namesShown {
		return []Message{message("regressed", "devices", p.names(e.Devices), "metric", name)}
	}
	all := make([]Message, len(e.Devices))
	for i, d := range e.Devices {
		all[i] = message("regressed", "devices", p.names([]int32{d}), "metric", name, "before", amount(e.Before[i]), "after", amount(e.After[i]),
			"limit", amount(e.Limit[i]))
	}
	return all
}

// amount writes a value of a metric for people.
func amount(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
