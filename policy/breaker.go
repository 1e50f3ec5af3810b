package policy

import (
	"cmp"
	"fmt"
	"time"
)

// A Breaker keeps devices from spending their attempts where all tries fail: at a site whose mirror is down, or on a patch that is missing
// there. When Failures of the last Of tries have failed, it trips: for Pause no installation is begun there any more. Then one is, and all
// others wait for what becomes of it: the breaker closes if that installation succeeds, and trips again, for another Pause, if it fails.
// Each rollout has its own breakers. That of a [Budget] is one for each failure domain, that of a [Policy] one for each patch.
//
// It is no gate: it judges no ring and fails none, it only waits. What runs when it trips goes on, and counts for nothing until it has
// closed. Downloads ahead, verifications, restarts and rollbacks go on as well.
//
// A try is an installation that has ended. It counts as failed by what its fault says of others than the device itself:
//
//   - transient, no answer in time among it, and untrusted: both mostly speak of where the files come from. These count everywhere.
//   - permanent, and an installation that was not found there although the device had said that it succeeded: these speak of the patch, and
//     count for its breaker, never for that of a failure domain.
//
// What a device has to blame itself for counts nowhere, neither as failed nor as succeeded: unreachable, busy, disk full, corrupt, and one
// that needs its user. So do installations that were stopped, and those for which there was nothing to do. A try has succeeded as soon as the
// device says that it has. The zero Breaker never trips.
type Breaker struct {
	Failures int      `json:"failures,omitempty" yaml:"failures,omitempty"` // so many failed tries trip it; 0 means none ever do; at most 1000
	Of       int      `json:"of,omitempty" yaml:"of,omitempty"`             // among so many that ended last; 0 means as many as Failures, so that these failed in a row; at most 1000
	Within   Duration `json:"within,omitempty" yaml:"within,omitempty"`     // only failures of the last so long count; 0 means those of any time
	Pause    Duration `json:"pause,omitempty" yaml:"pause,omitempty"`       // from when it trips until one try is begun; 0 means 1h
}

// IsZero says whether b never trips.
func (b Breaker) IsZero() bool { return b == Breaker{} }

// WithDefaults returns b with the defaults that its fields name in place of zeros. The zero Breaker stays zero.
func (b Breaker) WithDefaults() Breaker {
	if b.IsZero() {
		return b
	}
	b.Of = cmp.Or(b.Of, b.Failures)
	b.Pause = cmp.Or(b.Pause, Duration(time.Hour))
	return b
}

// String returns what trips b, on one line: `after 5 failures of 8 tries within 1h, for 30m`, or "never".
func (b Breaker) String() string {
	if b.IsZero() {
		return "never"
	}
	b = b.WithDefaults()
	text := fmt.Sprintf("after %d failures in a row", b.Failures)
	if b.Of != b.Failures {
		text = fmt.Sprintf("after %d failures of %d tries", b.Failures, b.Of)
	}
	if b.Within > 0 {
		text += " within " + b.Within.String()
	}
	return text + ", for " + b.Pause.String()
}

func (c *checker) breaker(path string, b Breaker) {
	const most = 1000
	c.count(join(path, "failures"), b.Failures)
	c.count(join(path, "of"), b.Of)
	c.duration(join(path, "within"), b.Within)
	c.duration(join(path, "pause"), b.Pause)
	switch {
	case b.IsZero() || b.Failures < 0 || b.Of < 0:
	case b.Failures == 0:
		c.fault(join(path, "failures"), "missing: how many failed tries trip it")
	case b.Failures > most:
		c.fault(join(path, "failures"), "%d is more than %d", b.Failures, most)
	case b.Of > most:
		c.fault(join(path, "of"), "%d is more than %d", b.Of, most)
	case b.Of > 0 && b.Of < b.Failures:
		c.fault(join(path, "of"), "%d tries cannot hold %d failures", b.Of, b.Failures)
	}
}
