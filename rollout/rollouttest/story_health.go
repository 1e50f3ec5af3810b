package rollouttest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/patchflow/patchflow/internal/script"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// metric reads "boot up 30% least 5 samples 2 required": a name, which way is worse, and by how much, of which all but the name may be
// missing.
func (s *scene) metric(value string) error {
	words := strings.Fields(value)
	if len(words) == 0 {
		return fmt.Errorf("want the name of a metric")
	}
	m := policy.Metric{Name: words[0]}
	for words = words[1:]; len(words) > 0; words = words[1:] {
		var err error
		switch word := words[0]; {
		case word == "up" || word == "down":
			err = text(&m.Worse, word)
		case strings.HasSuffix(word, "%"):
			err = text(&m.By, word)
		case word == "required":
			m.Required = true
		case word == "least" && len(words) > 1:
			words = words[1:]
			err = number(&m.Least, words[0])
		case word == "samples" && len(words) > 1:
			words = words[1:]
			err = number(&m.Samples, words[0])
		default:
			err = fmt.Errorf("metric %q: unexpected %q", value, word)
		}
		if err != nil {
			return err
		}
	}
	s.policy.Health.Metrics = append(s.policy.Health.Metrics, m)
	return nil
}

// sample brings a sample of each of some devices, or of all.
func (st *story) sample(c *script.Command) error {
	r, err := st.run(c)
	if err != nil {
		return err
	}
	value, err := strconv.ParseFloat(arg(c, 2), 64)
	if err != nil {
		return err
	}
	s := rollout.Sample{Metric: arg(c, 1), Value: value}
	if ago, ok := c.Option("ago"); ok {
		d, err := duration(ago)
		if err != nil {
			return err
		}
		s.Taken = st.now.Add(-d)
	}
	names := strings.Split(arg(c, 0), ",")
	if arg(c, 0) == "-" {
		names = nil
		for _, d := range r.tape.plan.Devices {
			names = append(names, string(d))
		}
	}
	ds, err := r.find(names)
	if err != nil {
		return err
	}
	signal := rollout.Sampled{At: st.now}
	for _, d := range ds {
		s.Device = d
		signal.Samples = append(signal.Samples, s)
	}
	return st.step(r, signal)
}
