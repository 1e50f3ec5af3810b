package policy

import (
	"cmp"
	"time"
)

// WithDefaults returns g with the defaults in place of the zero fields that have one: MinSuccess is what MaxFailed leaves
// of 100 %, MinSample is 1, the Confidence of Evidence that is weighed 95 %, and the Within and Confidence of a Control that compares a day and 95 %.
func (g Gate) WithDefaults() Gate {
	g.Evidence, g.Control = g.Evidence.WithDefaults(), g.Control.WithDefaults()
	g.MinSuccess = cmp.Or(g.MinSuccess, whole-g.MaxFailed)
	g.MinSample = cmp.Or(g.MinSample, 1)
	return g
}

// Stricter returns the gate that asks for what both g and o ask for: the gate of a ring that another, empty one was merged
// into. The order does not matter, and g.Stricter(g) is g. Field by field:
//
//   - Denominator: the larger one, assigned before reached before settled, since that makes passing hardest.
//   - MinSuccess: the greater, as [Gate.WithDefaults] fills it in.
//   - MaxFailed: the smaller.
//   - MinSample, MinCoverage, Soak: the greater.
//   - Manual: if one of them is.
//   - Timeout: the shorter of those that are set. If that would be over before the longer soak is, which no gate could
//     pass, it counts from the end of the soak.
//   - OnTimeout: fail before hold.
//   - Evidence: the smaller Tolerate, Below and Within of those that are set, and the greater Confidence, which makes passing hardest;
//     Pooled if one of them is.
//   - Control: the greater Devices, Within and Least of those that compare, and the smaller Confidence, which makes failing easiest.
//
// With different denominators no gate can be the stricter one in every way: the larger denominator also makes a given
// number of failures a smaller part. What lets a ring pass decides here; failures alone then stop it later than a gate
// over settled devices would, but no sooner let the next ring open.
func (g Gate) Stricter(o Gate) Gate {
	m := Gate{
		Denominator: min(g.Denominator, o.Denominator),
		MaxFailed:   min(g.MaxFailed, o.MaxFailed),
		MinSample:   max(g.MinSample, o.MinSample),
		MinCoverage: max(g.MinCoverage, o.MinCoverage),
		Soak:        max(g.Soak, o.Soak),
		Manual:      g.Manual || o.Manual,
		Timeout:     min(g.Timeout, o.Timeout),
		OnTimeout:   max(g.OnTimeout, o.OnTimeout),
		Evidence:    g.Evidence.stricter(o.Evidence),
		Control:     g.Control.stricter(o.Control),
	}
	// Zero means "all but MaxFailed" and stays so if it is that in both.
	if g.MinSuccess != 0 || o.MinSuccess != 0 {
		m.MinSuccess = max(g.WithDefaults().MinSuccess, o.WithDefaults().MinSuccess)
	}
	if m.Timeout == 0 { // none
		m.Timeout = max(g.Timeout, o.Timeout)
	}
	if m.Timeout > 0 && m.Timeout <= m.Soak {
		m.Timeout += m.Soak
	}
	return m
}

// WithDefaults returns r with the defaults that its fields name in place of zeros.
func (r Retry) WithDefaults() Retry {
	const minute, hour = Duration(time.Minute), Duration(time.Hour)
	return Retry{
		Attempts:        cmp.Or(r.Attempts, 3),
		Backoff:         cmp.Or(r.Backoff, 10*minute),
		MaxBackoff:      cmp.Or(r.MaxBackoff, 6*hour),
		BusyEvery:       cmp.Or(r.BusyEvery, 5*minute),
		BusyLimit:       cmp.Or(r.BusyLimit, 12),
		OfflineEvery:    cmp.Or(r.OfflineEvery, hour),
		Grace:           cmp.Or(r.Grace, 24*hour),
		Timeout:         cmp.Or(r.Timeout, 4*hour),
		OfflineDeadline: r.OfflineDeadline,
		Remedies:        withDefaults(r.Remedies),
	}
}

// WithDefaults returns r with a wait of 24 hours if it has none.
func (r Rollback) WithDefaults() Rollback {
	r.Wait = cmp.Or(r.Wait, 24*Duration(time.Hour))
	return r
}

// WithDefaults returns r with a timeout of 30 minutes if it has none, and the defaults of its deferrals.
func (r Reboot) WithDefaults() Reboot {
	r.Timeout = cmp.Or(r.Timeout, Duration(30*time.Minute))
	r.Deferrals = r.Deferrals.WithDefaults()
	return r
}
