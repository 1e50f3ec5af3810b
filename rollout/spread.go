package rollout

import (
	"math"
	"sort"
)

// spreadSteps is how many instants the first installations of a ring are spread over: as fine as it need be, and not a step of the machine
// for each device.
const spreadSteps = 256

// spreads are when the devices of a group that were never begun have their turns within the opening that holds an instant.
type spreads struct {
	from, span int64 // the first turn, and how long all of them take; span 0 for no spreading
	ring       *PlannedRing
}

// spreadsOf returns those of group g, which is open at now. The turns count from the opening of the window, or of the ring if that came later,
// and end before the opening does: StartJitter is cut short where it is longer.
func (m *Machine) spreadsOf(g *group, now int64) spreads {
	jitter := int64(m.plan.Policy.StartJitter)
	if jitter <= 0 || !g.open(now) {
		return spreads{}
	}
	s := spreads{from: max(g.began, m.rings[g.ring].opened), span: jitter, ring: &m.plan.Rings[g.ring]}
	if g.to != 0 {
		s.span = max(min(s.span, g.to-s.from), 0)
	}
	return s
}

// at returns when device d has its turn. Devices of a ring stand in the order of a keyed hash of the rollout and the device, and have their
// turns in that order, equally far apart, so that the first ones that wait are looked at and no others. Those that have joined come last.
func (s *spreads) at(d int32) int64 {
	if s.span == 0 {
		return math.MinInt64
	}
	step := min(int(d)-s.ring.First, s.ring.Count-1) * spreadSteps / max(s.ring.Count, 1)
	return s.from + s.span/spreadSteps*int64(step)
}

// nextTurn returns when the next device of g, which is open at now, has its turn that has had none, and whether there is one.
func (m *Machine) nextTurn(g *group, now int64) (int64, bool) {
	s := m.spreadsOf(g, now)
	if s.span == 0 {
		return 0, false
	}
	first := sort.Search(len(g.members), func(i int) bool { return s.at(g.members[i]) > now })
	if first = g.next(first, m.isFresh); first == len(g.members) {
		return 0, false
	}
	return s.at(g.members[first]), true
}

// ripe returns what says whether a device of a group that is open at now, and was never begun, has its turn by then; nil if all have.
func (m *Machine) ripe(now int64) func(group int, d int32) bool {
	if m.plan.Policy.StartJitter <= 0 {
		return nil
	}
	known := make(map[int]spreads)
	return func(group int, d int32) bool {
		s, ok := known[group]
		if !ok {
			s = m.spreadsOf(&m.groups[group], now)
			known[group] = s
		}
		return s.at(d) <= now
	}
}

// early says whether device d of g, whose window is open, was never begun and waits for its turn, and until when.
func (m *Machine) early(d int32, g *group, now int64) (int64, bool) {
	if !m.isFresh(d) {
		return 0, false
	}
	s := m.spreadsOf(g, now)
	at := s.at(d)
	return at, at > now
}

// spread adds to an explanation when the turn of d comes, if its window is open and others come first.
func (x *Explanation) spread(m *Machine, d int32, now int64) {
	g := m.groupOf(d)
	if at, early := m.early(d, g, now); early && m.rings[g.ring].state.opened() {
		x.Reasons = append(x.Reasons, message("wait-spread", "at", clock(instant(at))))
		x.soonest(instant(at))
	}
}
