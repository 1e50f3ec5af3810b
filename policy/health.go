package policy

import (
	"fmt"

	"github.com/patchflow/patchflow/internal/enum"
)

// MaxMetrics is how many metrics a policy may name: an engine keeps a few bytes of each for every device.
const MaxMetrics = 8

// Health says by what a device is known to be well after it was patched, beyond the content being there. The zero Health asks for
// nothing more than that.
type Health struct {
	Metrics  []Metric `json:"metrics,omitempty" yaml:"metrics,omitempty"`  // that are compared on each device with what they were before
	Feedback Feedback `json:"feedback,omitzero" yaml:"feedback,omitempty"` // when what people say makes a gate fail; never unless set
	Probes   Probes   `json:"probes,omitzero" yaml:"probes,omitempty"`     // what is looked at on each device before and after; nothing unless set
}

// A Metric is a number that devices report, such as how long they take to boot or how often programs crash, and when it has become
// worse. Samples from before the installation on a device are its own baseline; samples from since it was verified are compared with
// that, mean with mean. A device on which a metric is worse counts as failed in the gate of its ring, although what became of the
// installation stays as it is.
//
// Without enough samples on both sides nothing is known of a device: it is not worse, and with Required it is no success either.
type Metric struct {
	Name     string `json:"name" yaml:"name"`                             // as samples name it: "boot-seconds"
	Worse    Worse  `json:"worse,omitempty" yaml:"worse,omitempty"`       // whether more or less of it is worse
	By       Share  `json:"by,omitempty" yaml:"by,omitempty"`             // of the baseline that is tolerated: with 30%, 10 may become 13
	Least    int    `json:"least,omitempty" yaml:"least,omitempty"`       // a smaller difference than this, in the metric's own unit, is none
	Samples  int    `json:"samples,omitempty" yaml:"samples,omitempty"`   // that are needed before and after; 0 means 1
	Required bool   `json:"required,omitempty" yaml:"required,omitempty"` // a gate passes only once so many devices are known to be well as it wants to succeed
}

// Worse says which way a metric goes when it becomes worse.
type Worse uint8

const (
	WorseUp   Worse = iota // more is worse: seconds to boot, crashes
	WorseDown              // less is worse: free memory, transactions
)

func worseNames() enum.Names { return enum.Names{"up", "down"} }

// String returns the lower-case name: up or down.
func (w Worse) String() string { return worseNames().String("direction", int(w)) }

// MarshalText implements [encoding.TextMarshaler].
func (w Worse) MarshalText() ([]byte, error) { return worseNames().Text("direction", int(w)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (w *Worse) UnmarshalText(text []byte) error {
	v, err := worseNames().Parse("direction", text)
	if err == nil {
		*w = Worse(v)
	}
	return err
}

// Limit returns the value up to which a metric with this baseline is no worse, or down to which.
func (m *Metric) Limit(baseline float64) float64 {
	slack := max(baseline*float64(m.By)/float64(whole), float64(m.Least))
	if m.Worse == WorseDown {
		return baseline - slack
	}
	return baseline + slack
}

// Exceeded says whether value is worse than this baseline allows.
func (m *Metric) Exceeded(baseline, value float64) bool {
	if m.Worse == WorseDown {
		return value < m.Limit(baseline)
	}
	return value > m.Limit(baseline)
}

// Enough returns how many samples are needed on each side.
func (m *Metric) Enough() int { return max(m.Samples, 1) }

// String returns what m tolerates, on one line: `boot-seconds up by 30%`.
func (m Metric) String() string {
	s := fmt.Sprintf("%s %s by %s", m.Name, m.Worse, m.By)
	if m.Least > 0 {
		s += fmt.Sprintf(" and at least %d", m.Least)
	}
	if m.Samples > 1 {
		s += fmt.Sprintf(", of %d samples", m.Samples)
	}
	if m.Required {
		s += ", required"
	}
	return s
}

func (c *checker) health(path string, h *Health) {
	c.feedback(join(path, "feedback"), h.Feedback)
	c.probes(join(path, "probes"), &h.Probes)
	at := join(path, "metrics")
	if len(h.Metrics) > MaxMetrics {
		c.fault(at, "%d metrics, more than %d", len(h.Metrics), MaxMetrics)
	}
	seen := make(map[string]int, len(h.Metrics))
	for i := range h.Metrics {
		m, at := &h.Metrics[i], index(at, i)
		c.name(join(at, "name"), m.Name)
		c.unique(join(at, "name"), join(path, "metrics"), m.Name, seen, i)
		c.enum(join(at, "worse"), m.Worse)
		c.share(join(at, "by"), m.By)
		c.count(join(at, "least"), m.Least)
		if m.Samples < 0 || m.Samples > maxSamples {
			c.fault(join(at, "samples"), "%d is not from 0 to %d", m.Samples, maxSamples)
		}
	}
}

// maxSamples is how many samples of one metric a policy may ask for on each side.
const maxSamples = 1000
