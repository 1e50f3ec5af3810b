package rollouttest

import (
	"time"

	"github.com/patchflow/patchflow/rollout"
)

// samples lets people say what they think of devices that have succeeded, if the policy asks for that, and lets devices tell of the metrics of their policy: of what was before as soon as the rollout begins, and of what is after some
// time after they have succeeded. One of twenty says nothing before, one of twenty nothing after, and a few are worse.
func (d *driver) samples(i int, b rollout.Batch) {
	p := d.runs[i].tape.live.Plan()
	speak := func(dev int32) {
		for k := range 3 {
			at := d.now.Add(time.Duration(20+mix(d.cfg.Seed, k, "speaks")%200) * time.Minute)
			f := rollout.Feedback{Device: dev, By: []string{"eva", "bob", "eva "}[k], Word: rollout.Fine, Text: "driven"}
			if roll := mix(d.cfg.Seed, k, string(p.Devices[dev])+" says") % 10; roll > 4 {
				continue
			} else if roll == 0 {
				f.Word = rollout.Broke
			}
			d.post(letter{at: at, run: i, voice: f})
		}
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
		case rollout.Paired:
			for _, dev := range e.Controls {
				post(dev, true)
			}
		case rollout.DeviceSettled:
			if e.Outcome == rollout.Succeeded {
				for _, dev := range e.Devices {
					post(dev, true)
					if !p.Policy.Health.Feedback.IsZero() {
						speak(dev)
					}
				}
			}
		}
	}
}

// wishes lets the people at a device put its restart off, two of three now and then: perhaps more often than they may.
func (d *driver) wishes(i int, b rollout.Batch) {
	p := d.runs[i].tape.live.Plan()
	for _, e := range b.Events {
		announced, ok := e.(rollout.RestartAnnounced)
		if !ok {
			continue
		}
		for _, dev := range announced.Devices {
			for k := range 6 {
				if roll := mix(d.cfg.Seed, k, string(p.Devices[dev])+" waits"); roll%3 > 0 {
					at := d.now.Add(time.Duration(5+roll%200) * time.Minute * time.Duration(k+1))
					d.post(letter{at: at, run: i, wish: rollout.Deferred{Device: dev, By: "eva"}})
				}
			}
		}
	}
}
