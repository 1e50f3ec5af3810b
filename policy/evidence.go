package policy

import (
	"cmp"
	"fmt"
	"strings"
)

// Evidence is the part of a gate that weighs failures as evidence, valid however often it is looked at. It is off while
// Tolerate is 0; the other fields mean nothing then.
//
// Devices are counted in the order in which they were begun. One that has no outcome Within so long after it was begun counts as
// failed, and stays counted so: neither slow failures nor silence can hide. Devices for which there was nothing to do, and
// those that a person left out, are not counted.
//
//   - The gate fails as soon as the failures so far prove that more than Tolerate of the devices fail. They are held both against
//     all devices that were begun, where those that have not answered are taken to be well, and against the oldest
//     of them up to the first that has neither an outcome nor run out of time. One failure alone proves nothing.
//   - With Below it passes only when those oldest devices prove that fewer than Below of the devices fail.
//
// The proofs are those of package policy/sequential. Each is wrong with a probability of at most 1 - Confidence, over all the looks
// at a ring together.
type Evidence struct {
	Tolerate   Share    `json:"tolerate,omitempty" yaml:"tolerate,omitempty"`     // the rate of failure that is tolerable; 0 means that evidence is not weighed
	Below      Share    `json:"below,omitempty" yaml:"below,omitempty"`           // pass only once the rate is proved to be below; 0 means that thresholds alone pass
	Confidence Share    `json:"confidence,omitempty" yaml:"confidence,omitempty"` // of a proof; 0 means 95%
	Within     Duration `json:"within,omitempty" yaml:"within,omitempty"`         // since a device was begun, paused time not counted; 0 means that silence is waited for
	Pooled     bool     `json:"pooled,omitempty" yaml:"pooled,omitempty"`         // failures of the same patch elsewhere halt the rollout too
}

// Weighs says whether evidence is weighed.
func (e Evidence) Weighs() bool { return e.Tolerate > 0 }

// WithDefaults returns e with the default of Confidence.
func (e Evidence) WithDefaults() Evidence {
	if e.Weighs() {
		e.Confidence = cmp.Or(e.Confidence, 9500)
	}
	return e
}

// stricter returns what asks for all that e and o ask for: the smaller rates of those that are set, the greater confidence to pass
// by, the shorter time.
func (e Evidence) stricter(o Evidence) Evidence {
	switch {
	case !e.Weighs():
		return o
	case !o.Weighs():
		return e
	}
	m := Evidence{
		Tolerate: min(e.Tolerate, o.Tolerate), Below: least(e.Below, o.Below), Within: least(e.Within, o.Within), Pooled: e.Pooled || o.Pooled,
	}
	if e.Confidence != 0 || o.Confidence != 0 { // zero stays so if it is that in both
		m.Confidence = max(e.WithDefaults().Confidence, o.WithDefaults().Confidence)
	}
	return m
}

// least returns the smaller of those that are not zero.
func least[T Share | Duration](a, b T) T {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

func (c *checker) evidence(path string, e Evidence) {
	c.share(join(path, "tolerate"), e.Tolerate)
	c.share(join(path, "below"), e.Below)
	c.share(join(path, "confidence"), e.Confidence)
	c.duration(join(path, "within"), e.Within)
	switch {
	case !e.Weighs() && e != Evidence{}:
		c.fault(join(path, "tolerate"), "is missing: nothing else of the evidence is used without it")
	case e.Tolerate >= whole:
		c.fault(join(path, "tolerate"), "100%% tolerates everything: want less")
	case e.Below == whole:
		c.fault(join(path, "below"), "100%% cannot be proved: want less")
	case e.Below > 0 && e.Below < e.Tolerate:
		c.fault(join(path, "below"), "%s is less than tolerate, %s: a rate between them could neither pass nor fail", e.Below, e.Tolerate)
	case e.Confidence == whole:
		c.fault(join(path, "confidence"), "100%% cannot be had: want less")
	case e.Confidence > 0 && e.Confidence < 5000:
		c.fault(join(path, "confidence"), "%s is less than a coin would do: want at least 50%%", e.Confidence)
	}
}

// String says in one line what e asks for; "" if evidence is not weighed.
func (e Evidence) String() string {
	if !e.Weighs() {
		return ""
	}
	parts := []string{fmt.Sprintf("fails on proof of more than %s failures", e.Tolerate)}
	if e.Below > 0 {
		parts = append(parts, fmt.Sprintf("passes on proof of fewer than %s", e.Below))
	}
	parts[len(parts)-1] += fmt.Sprintf(" (confidence %s)", e.WithDefaults().Confidence)
	if e.Within > 0 {
		parts = append(parts, fmt.Sprintf("silence is a failure after %s", e.Within))
	}
	if e.Pooled {
		parts = append(parts, "failures elsewhere halt it too")
	}
	return strings.Join(parts, ", ")
}
