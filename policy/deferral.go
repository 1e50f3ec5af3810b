package policy

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Deferrals say how often, and for how long, the people at a device may put its restart off. With Max above zero a restart is announced
// before, and the device keeps no place until then. It is begun when its time has come, in windows for restarts if there are any, whether
// anybody has put it off or not. The zero Deferrals announce nothing and let nobody defer.
// A policy that never restarts a device cannot have others.
type Deferrals struct {
	Max      int      `json:"max,omitempty" yaml:"max,omitempty"`           // so often for one restart, at most 255; 0 means that nobody may
	Notice   Duration `json:"notice,omitempty" yaml:"notice,omitempty"`     // how long before the restart is announced; 0 means 1h
	Each     Duration `json:"each,omitempty" yaml:"each,omitempty"`         // the longest that it is put off at once; 0 means 4h
	Deadline Duration `json:"deadline,omitempty" yaml:"deadline,omitempty"` // since the announcement: it is put off no further than this; 0 means 3d
}

// WithDefaults returns d with its defaults in place of zero fields, if it lets anybody defer.
func (d Deferrals) WithDefaults() Deferrals {
	if d.Max == 0 {
		return Deferrals{}
	}
	const hour = Duration(time.Hour)
	d.Notice, d.Each, d.Deadline = cmp.Or(d.Notice, hour), cmp.Or(d.Each, 4*hour), cmp.Or(d.Deadline, 72*hour)
	return d
}

// IsZero says whether nothing is set.
func (d Deferrals) IsZero() bool { return d == Deferrals{} }

// String returns what d lets people do, on one line: `3 times for 4h, within 3d; announced 1h before`.
func (d Deferrals) String() string {
	d = d.WithDefaults()
	if d.Max == 0 {
		return "none"
	}
	return fmt.Sprintf("%d times for %s, within %s; announced %s before", d.Max, d.Each, d.Deadline, d.Notice)
}

func (c *checker) deferrals(path string, d Deferrals) {
	if d.Max < 0 || d.Max > 255 {
		c.fault(join(path, "max"), "%d is not from 0 to 255", d.Max)
	}
	c.duration(join(path, "notice"), d.Notice)
	c.duration(join(path, "each"), d.Each)
	c.duration(join(path, "deadline"), d.Deadline)
	switch with := d.WithDefaults(); {
	case d.Max == 0 && !d.IsZero():
		c.fault(path, "max is missing: nobody may defer")
	case d.Max > 0 && d.Notice >= 0 && d.Deadline >= 0 && with.Notice > with.Deadline:
		c.fault(join(path, "deadline"), "%s is over before the restart is announced for, %s", with.Deadline, with.Notice)
	}
}

// quiet warns of quiet times that leave nothing.
func (l *linter) quiet() {
	if len(l.policy.Reboot.Quiet) == 0 || l.policy.Reboot.Mode == RebootNever {
		return
	}
	zones := l.facts.Zones
	if len(zones) == 0 {
		zones = []string{"UTC"}
	}
	for _, zone := range slices.Compact(slices.Sorted(slices.Values(zones))) {
		s, err := l.policy.RestartSchedule(zone)
		if err != nil {
			continue // which is told of windows
		}
		if open, _ := s.Next(l.facts.Now); open.IsZero() {
			l.warn(Warning{Code: LintNoRestart, Path: "reboot.quiet", Zone: zone})
			return
		}
	}
}
