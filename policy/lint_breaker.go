package policy

import (
	"math"
	"slices"
)

// breakers warns of breakers that cannot trip, and of those that trip as soon as anything goes wrong.
func (l *linter) breakers() {
	p := l.policy
	l.breaker("breaker", "", p.Breaker)
	for i := range p.Budgets {
		l.breaker(join(index("budgets", i), "breaker"), p.Budgets[i].Name, p.Budgets[i].Breaker)
	}
}

func (l *linter) breaker(path, name string, b Breaker) {
	if b.IsZero() {
		return
	}
	b = b.WithDefaults()
	w := Warning{Path: path, Name: name, Need: b.Failures}
	if most := l.failures(); most < b.Failures {
		w.Code, w.Tries = LintIdleBreaker, most
		l.warn(w)
		return
	}
	switch tolerated := l.tolerated(); {
	case b.Failures == 1:
		w.Code = LintHastyBreaker
		l.warn(w)
	case tolerated > 0 && int64(b.Failures)*int64(whole) <= int64(tolerated)*int64(b.Of):
		w.Code, w.Tries, w.Rate = LintHastyBreaker, b.Of, tolerated
		l.warn(w)
	}
}

// failures returns how many tries can fail, if nobody steps in, before a gate has stopped the rollout and what was under way then has ended: every
// attempt of the devices whose failure the gates tolerate, all but the last of the others, and one more of each that is worked on at that
// moment. It is a bound; without knowledge of the fleet there mostly is none.
func (l *linter) failures() int {
	attempts := l.policy.Retry.WithDefaults().Attempts
	most, all, known := 0, 0, len(l.facts.Rings) == len(l.policy.Rings) && l.policy.Joiners == JoinersIgnored
	active := 0
	for _, i := range l.rings {
		r := &l.policy.Rings[i]
		active += r.MaxActive
		if !known {
			if attempts > 1 || r.Gate.MaxFailed > 0 || r.Gate.MinSample > 1 {
				return math.MaxInt
			}
			continue
		}
		n := l.facts.Rings[i]
		failed := min(max(n*int(r.Gate.MaxFailed)/int(whole), r.Gate.MinSample-1), n)
		most += failed*attempts + (n-failed)*(attempts-1)
		all += n * attempts
	}
	if m := l.policy.MaxActive; m > 0 || slices.ContainsFunc(l.rings, func(i int) bool { return l.policy.Rings[i].MaxActive == 0 }) {
		active = m
	}
	switch {
	case active > 0 && known:
		return min(most+active, all)
	case active > 0:
		return most + active
	case known:
		return all
	}
	return math.MaxInt
}

// tolerated returns the greatest rate of failure with which some ring passes, 0 if that is none; rings that pass whatever fails say nothing.
func (l *linter) tolerated() Share {
	var rates []Share
	for _, i := range l.rings {
		gate := &l.policy.Rings[i].Gate
		switch {
		case gate.MaxFailed < whole:
			rates = append(rates, gate.MaxFailed)
		case gate.Evidence.Weighs():
			rates = append(rates, gate.Evidence.Tolerate)
		}
	}
	if len(rates) == 0 {
		return 0
	}
	return slices.Max(rates)
}
