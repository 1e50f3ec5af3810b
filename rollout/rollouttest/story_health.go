package rollouttest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/patchflow/patchflow/internal/script"
	"github.com/patchflow/patchflow/patch"
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

// feedback reads "3 20% devices answers 5": a count, a share, what that is of, and how many answers it takes, of which any may be missing.
func (s *scene) feedback(value string) error {
	f := &s.policy.Health.Feedback
	for words := strings.Fields(value); len(words) > 0; words = words[1:] {
		var err error
		switch word := words[0]; {
		case strings.HasSuffix(word, "%"):
			err = text(&f.Broke, word)
		case word == "answers" && len(words) > 1:
			words = words[1:]
			err = number(&f.Answers, words[0])
		case word == "devices":
			f.Of = policy.OfDevices
		default:
			err = number(&f.Count, word)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// voice brings what somebody says of a device.
func (st *story) voice(c *script.Command) error {
	r, err := st.run(c)
	if err != nil {
		return err
	}
	ds, err := r.find([]string{arg(c, 0)})
	if err != nil {
		return err
	}
	s := rollout.Feedback{At: st.now, Device: ds[0]}
	if err := s.Word.UnmarshalText([]byte(c.Name)); err != nil {
		return err
	}
	s.By, _ = c.Option("by")
	s.Text, _ = c.Option("text")
	return st.step(r, s)
}

// deferrals reads "2 notice 1h each 4h deadline 3d", of which all but the number may be missing.
func (s *scene) deferrals(value string) error {
	d := &s.policy.Reboot.Deferrals
	words := strings.Fields(value)
	to := map[string]*policy.Duration{"notice": &d.Notice, "each": &d.Each, "deadline": &d.Deadline}
	for i := 1; i+1 < len(words); i += 2 {
		field, ok := to[words[i]]
		if !ok {
			return fmt.Errorf("deferrals %q: unexpected %q", value, words[i])
		}
		if err := text(field, words[i+1]); err != nil {
			return err
		}
	}
	if len(words)%2 == 0 {
		return fmt.Errorf("deferrals %q: want a number, and names with values", value)
	}
	return number(&d.Max, words[0])
}

// deferral brings the wish to put a restart off.
func (st *story) deferral(c *script.Command) error {
	r, err := st.run(c)
	if err != nil {
		return err
	}
	ds, err := r.find([]string{arg(c, 0)})
	if err != nil {
		return err
	}
	s := rollout.Deferred{At: st.now, Device: ds[0]}
	s.By, _ = c.Option("by")
	if long, ok := c.Option("for"); ok {
		d, err := duration(long)
		if err != nil {
			return err
		}
		s.Until = st.now.Add(d)
	}
	return st.step(r, s)
}

// probes reads a probe, or how they are used.
func (s *scene) probes(key, value string) error {
	p := &s.policy.Health.Probes
	switch key {
	case "probes-before":
		return text(&p.Before, value)
	case "probes-failed":
		return text(&p.Failed, value)
	case "probes-within":
		return text(&p.Within, value)
	case "probes-every":
		return text(&p.Every, value)
	}
	p.List = append(p.List, policy.Probe{Name: value, Of: value})
	return nil
}

// found makes results of probes, given by their names.
func found(names string, up patch.Tri) []rollout.ProbeResult {
	var all []rollout.ProbeResult
	for name := range strings.SplitSeq(names, ",") {
		all = append(all, rollout.ProbeResult{Name: name, Up: up})
	}
	return all
}

// others adds to results those of the other probes, which are up.
func others(probes []policy.Probe, results []rollout.ProbeResult) []rollout.ProbeResult {
	all := slices.Clone(results)
	for _, p := range probes {
		if !slices.ContainsFunc(results, func(r rollout.ProbeResult) bool { return r.Name == p.Name }) {
			all = append(all, rollout.ProbeResult{Name: p.Name, Up: patch.Yes})
		}
	}
	return all
}
