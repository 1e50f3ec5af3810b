package policy

import (
	"time"
)

// A wait is the longest time that work of a policy may have to wait: what is wanted at from can begin in the last ring
// no sooner than at until. Until is zero if it never can.
type wait struct {
	from, until time.Time
	ring        int // that begins so late; -1 for a policy without rings
}

func (s wait) length() time.Duration { return s.until.Sub(s.from) }

// A step is a ring as time sees it: when work may begin in it, and how long it is watched after that.
type step struct {
	schedule Schedule
	soak     time.Duration
	ring     int
}

const (
	lookahead    = 400 * 24 * time.Hour // a year, so that yearly freezes and both changes of the clocks are seen
	mostOpenings = 1000                 // looked at of each ring at most
)

// longestWait returns the longest wait of p for devices in zone, of all that begin within a year of now, and whether there is
// any. It counts windows, freezes and soaks; that installing takes time as well is not in it.
//
// The wait only ever grows at the instant at which an opening of some ring is missed: elsewhere, asking later makes it
// shorter. So it is enough to try these.
func (p *Policy) longestWait(devices []int, zone string, now time.Time) (wait, error) {
	steps, err := p.steps(devices, zone)
	if err != nil {
		return wait{}, err
	}
	worst := wait{from: now, until: reach(steps, now), ring: steps[len(steps)-1].ring}
	var soaked time.Duration
	for i := range steps {
		t := now
		for range mostOpenings {
			_, end := steps[i].schedule.Next(t)
			if end.IsZero() || end.Sub(now) > lookahead || worst.until.IsZero() {
				break
			}
			if missed := end.Add(-soaked); !missed.Before(now) {
				if s := (wait{missed, reach(steps, missed), worst.ring}); s.until.IsZero() || s.length() > worst.length() {
					worst = s
				}
			}
			t = end
		}
		soaked += steps[i].soak
	}
	return worst, nil
}

// steps returns the rings of p that hold devices, or one step for a policy without rings.
func (p *Policy) steps(devices []int, zone string) ([]step, error) {
	var steps []step
	for i := range p.Rings {
		r := &p.Rings[i]
		if i < len(devices) && devices[i] == 0 {
			continue
		}
		ws := r.Windows
		if len(ws) == 0 {
			ws = p.Windows
		}
		s, err := p.Schedule(ws, zone)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step{s, r.Gate.Soak.Std(), i})
	}
	if len(steps) == 0 {
		s, err := p.Schedule(p.Windows, zone)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step{schedule: s, ring: -1})
	}
	return steps, nil
}

// reach returns when work that is wanted at t can begin in the last ring; zero if never.
func reach(steps []step, t time.Time) time.Time {
	for i := range steps {
		open, _ := steps[i].schedule.Next(t)
		if open.IsZero() {
			return time.Time{}
		}
		if open.After(t) {
			t = open
		}
		if i < len(steps)-1 {
			t = t.Add(steps[i].soak)
		}
	}
	return t
}
