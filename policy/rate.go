package policy

import (
	"fmt"
	"math"
)

// A Rate bounds how many devices are begun in a while: at most Count in any span of Every, wherever that span begins. It is exact,
// and so it lets Count devices begin at once when none has been for that long: "1 in 3m" spreads them as "20 in 1h" does not. The
// zero Rate bounds nothing.
//
// A device is begun when an installation is, or the backup before it; a further attempt and a device that was away count too. Neither
// downloads ahead nor restarts, verifications and rollbacks count, and a device that turns out to be unreachable gives back what it took.
type Rate struct {
	Count int      `json:"count,omitempty" yaml:"count,omitempty"` // 0 means no limit
	Every Duration `json:"every,omitempty" yaml:"every,omitempty"`
}

// IsZero says whether r bounds nothing.
func (r Rate) IsZero() bool { return r == Rate{} }

// String returns "20 in 1h", or "no limit".
func (r Rate) String() string {
	if r.IsZero() {
		return "no limit"
	}
	return fmt.Sprintf("%d in %s", r.Count, r.Every)
}

// tightness is greater for the rate that lets fewer devices begin in the long run.
func (r Rate) tightness() int64 {
	if r.Count <= 0 {
		return math.MinInt64
	}
	return int64(r.Every) / int64(r.Count)
}

func (c *checker) rate(path string, r Rate) {
	c.count(join(path, "count"), r.Count)
	c.duration(join(path, "every"), r.Every)
	switch {
	case r.Count > 0 && r.Every == 0:
		c.fault(join(path, "every"), "missing: in what time %d devices may be begun", r.Count)
	case r.Every > 0 && r.Count == 0:
		c.fault(join(path, "count"), "missing: how many devices may be begun in %s", r.Every)
	}
}
