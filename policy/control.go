package policy

import (
	"cmp"
	"fmt"
	"time"
)

// Control is the part of a gate that compares the devices of its ring with others that get nothing before it has passed: so many of the
// rings after it, which the plan names, alike in strata and in the order of its salt. They get their patches with the ring that they
// belong to. It is off while Devices is 0; the other fields mean nothing then.
//
// What is compared is health, by the metrics of the policy, and nothing that only one of the groups can have, such as installations that
// fail: those the rest of the gate is about. Devices of the ring that have succeeded at the same time make a cohort, and so many
// devices that get nothing are watched beside them for the same time. One has failed if a metric has become worse there than its own baseline
// in that time, or if nothing is known of it by then: of no metric, or not of one that is required. So silence is never health, in neither
// group. Devices of which no baseline is known when their cohort begins are compared with nobody, and such as have
// left meanwhile, or were taken back, are not counted.
//
//   - The gate fails when the comparison proves that its devices fail more often than the others. What hits both alike, as an outage does,
//     proves nothing, and what is too rare for MaxFailed is found all the same once there are enough devices.
//   - It does not pass while a cohort is watched, nor before Least devices that got nothing have been counted.
//
// A cohort is weighed in blocks, one for each device of the smaller group, in an order that does not depend on what becomes of them; each
// device is in one block only. The proof is that of a Pair of package policy/sequential: it is wrong with a probability of at most 1 - Confidence, over all
// the looks at a ring together. It takes at least four devices of each group, and a group for comparison about as large as the ring
// finds most.
type Control struct {
	Devices    int      `json:"devices,omitempty" yaml:"devices,omitempty"`       // of later rings, as far as there are any; 0 means that nothing is compared
	Within     Duration `json:"within,omitempty" yaml:"within,omitempty"`         // how long a cohort is watched, paused time included; 0 means 1d
	Least      int      `json:"least,omitempty" yaml:"least,omitempty"`           // so many of them must have been counted before the gate passes; 0 means none
	Confidence Share    `json:"confidence,omitempty" yaml:"confidence,omitempty"` // of the proof; 0 means 95%
}

// Compares says whether anything is compared.
func (c Control) Compares() bool { return c.Devices > 0 }

// WithDefaults returns c with the defaults of Within and Confidence, if it compares.
func (c Control) WithDefaults() Control {
	if c.Compares() {
		c.Within = cmp.Or(c.Within, Duration(24*time.Hour))
		c.Confidence = cmp.Or(c.Confidence, 9500)
	}
	return c
}

// stricter returns what compares more, for longer, and fails on the weaker proof.
func (c Control) stricter(o Control) Control {
	switch {
	case !c.Compares():
		return o
	case !o.Compares():
		return c
	}
	m := Control{Devices: max(c.Devices, o.Devices), Least: max(c.Least, o.Least)}
	if c.Within != 0 || o.Within != 0 { // zero stays so if it is that in both
		m.Within = max(c.WithDefaults().Within, o.WithDefaults().Within)
	}
	if c.Confidence != 0 || o.Confidence != 0 {
		m.Confidence = min(c.WithDefaults().Confidence, o.WithDefaults().Confidence)
	}
	return m
}

// maxControls is how many devices a gate may compare with: more prove nothing that matters.
const maxControls = 100_000

func (c *checker) control(path string, x Control) {
	c.count(join(path, "devices"), x.Devices)
	c.duration(join(path, "within"), x.Within)
	c.count(join(path, "least"), x.Least)
	c.share(join(path, "confidence"), x.Confidence)
	switch {
	case x.Devices == 0 && x != Control{}:
		c.fault(join(path, "devices"), "is missing: nothing else of the control is used without it")
	case x.Devices > maxControls:
		c.fault(join(path, "devices"), "%d is more than %d", x.Devices, maxControls)
	case x.Devices > 0 && x.Least > x.Devices:
		c.fault(join(path, "least"), "%d of %d devices: the gate could never pass", x.Least, x.Devices)
	case x.Confidence == whole:
		c.fault(join(path, "confidence"), "100%% cannot be had: want less")
	case x.Confidence > 0 && x.Confidence < 5000:
		c.fault(join(path, "confidence"), "%s is less than a coin would do: want at least 50%%", x.Confidence)
	}
}

// controls says where a gate of p compares, and cannot.
func (c *checker) controls(path string, p *Policy) {
	for i := range p.Rings {
		if at := join(join(join(index(path, i), "gate"), "control"), "devices"); p.Rings[i].Gate.Control.Compares() {
			switch {
			case len(p.Health.Metrics) == 0:
				c.fault(at, "health.metrics has nothing by which devices could be compared")
			case i == len(p.Rings)-1:
				c.fault(at, "there is no ring after the last one whose devices it could be compared with")
			}
		}
	}
}

// String says in one line what c asks for; "" if nothing is compared.
func (c Control) String() string {
	if !c.Compares() {
		return ""
	}
	d := c.WithDefaults()
	s := fmt.Sprintf("fails on proof of worse health than %d devices of later rings within %s (confidence %s)", d.Devices, d.Within, d.Confidence)
	if c.Least > 0 {
		s += fmt.Sprintf(", passes once %d of them are known", c.Least)
	}
	return s
}
