package rollouttest

import (
	"fmt"
	"time"
)

// spread checks that what is begun on device i for the first time has its turn by now.
func (a *Auditor) spread(at time.Time, i int) error {
	jitter := a.plan.Policy.StartJitter.Std()
	if d := &a.devices[i]; jitter == 0 || d.seq > 1 || d.excused || d.urgent || a.hasGuests(i) {
		return nil
	}
	s, r := a.work(i), a.plan.RingOf(i)
	begin, end := s.Next(at)
	if before := at.Add(-time.Second); begin.Equal(at) && s.Open(before) || begin.Before(a.since[r]) {
		begin = a.since[r]
	}
	if left := end.Sub(begin); !end.IsZero() && left < jitter {
		jitter = left
	}
	ring := &a.plan.Rings[r]
	turn := begin.Add(jitter / 256 * time.Duration(min(i-ring.First, ring.Count-1)*256/ring.Count))
	if at.Before(turn) || !end.IsZero() && !turn.Before(end) {
		return fmt.Errorf("begun in the opening from %s to %s, before its turn at %s", begin, end, turn)
	}
	return nil
}
