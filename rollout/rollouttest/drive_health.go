package rollouttest

import (
	"time"

	"github.com/patchflow/patchflow/rollout"
)

// samples lets devices tell of the metrics of their policy: of what was before as soon as the rollout begins, and of what is after some
// time after they have succeeded. One of twenty says nothing before, one of twenty nothing after, and a few are worse.
func (d *driver) samples(i int, b rollout.Batch) {
	p := &d.runs[i].tape.plan
	if len(p.Policy.Health.Metrics) == 0 {
		return
	}
	post := func(dev int32, after bool) {
		for k, m := range p.Policy.Health.Metrics {
			name := string(p.Devices[dev]) + m.Name
			base := mix(d.cfg.Seed, k, name)
			s := rollout.Sample{Device: dev, Metric: m.Name, Value: float64(10 + base%50)}
			at := d.now
			switch {
			case !after && base%20 == 1, after && base%20 == 2:
				continue
			case !after:
				s.Taken = p.At.Add(-time.Hour)
			default:
				at = at.Add(time.Duration(10+base%100) * time.Minute)
				s.Value += float64(mix(d.cfg.Seed, k, name+" after")%7) - 3
			}
			for range m.Enough() {
				d.post(letter{at: at, run: i, sample: s})
				at = at.Add(time.Minute)
			}
		}
	}
	for _, e := range b.Events {
		switch e := e.(type) {
		case rollout.Began:
			for dev := range p.Devices {
				post(int32(dev), false)
			}
		case rollout.Admitted:
			for n := range e.Devices {
				post(int32(len(p.Devices)-len(e.Devices)+n), false)
			}
		case rollout.DeviceSettled:
			if e.Outcome == rollout.Succeeded {
				for _, dev := range e.Devices {
					post(dev, true)
				}
			}
		}
	}
}
