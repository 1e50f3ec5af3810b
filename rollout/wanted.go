package rollout

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/patchflow/patchflow/policy"
)

// granted begins what was wanted.
func (m *Machine) granted(devices []int32) {
	if m.stage == StageEnding {
		return
	}
	m.bins.reset()
	inRing, placing := make([]int, len(m.rings)), make([]int, len(m.rings))
	total, left := 0, m.left(m.now)
	for _, d := range devices {
		if d < 0 || int(d) >= len(m.dev) {
			continue
		}
		dev := &m.dev[d]
		if dev.state != waiting || dev.flags&(session|picked|hosting) != 0 || dev.due > m.now {
			continue
		}
		r := &m.rings[dev.ring]
		if dev.op == OpInstall {
			if g := m.groupOf(d); m.mayLoad(d, g, m.now) && m.stage == StageActive && r.state.opened() {
				dev.flags |= picked
				m.bins.add(bin{what: toIssue, op: OpDownload, startBy: g.ahead.to}, d)
				continue
			}
		}
		if m.full(r, total, inRing[dev.ring]) || m.climbing(r, d, placing[dev.ring]) {
			continue
		}
		var startBy int64
		op := dev.op
		switch op {
		case OpRollback:
			if !m.mayUndo(d, m.now) {
				continue
			}
		case OpInstall:
			g := m.groupOf(d)
			h := m.hoursOf(d, g)
			if m.stage != StageActive || !r.state.opened() || !h.open(m.now) {
				continue
			}
			if _, early := m.early(d, g, m.now); early && h == &g.hours {
				continue
			}
			if left == 0 || m.isShut(d) {
				continue
			}
			left--
			m.try(d)
			startBy = h.to
			switch {
			case m.lacksRemedy(d):
				op = OpRemedy
			case m.lacksLook(d):
				op = OpLook
			case m.lacksPrecheck(d):
				op = OpPrecheck
			case m.lacksBackup(d):
				op = OpBackup
			}
		case OpReboot, OpVerify, OpProbe:
			if m.stage != StageActive || !m.mayGoOn(d, m.now) {
				continue
			}
			if dev.op == OpReboot {
				startBy = m.groupOf(d).restarts.to
				if m.announce(d, bin{op: OpReboot, frees: true}) { // it could not be when the quiet time was over
					dev.flags |= picked
					continue
				}
			}
		default:
			continue
		}
		if safe := m.safely(d, op); safe != op {
			op, startBy = safe, 0
		}
		total++
		inRing[dev.ring]++
		if dev.flags&placed == 0 {
			placing[dev.ring]++
		}
		m.bins.add(bin{what: toIssue, op: op, startBy: startBy}, d)
		dev.flags |= picked
	}
	m.flush()
}

// full says whether no more devices of r may be worked on, with so many about to be begun.
func (m *Machine) full(r *ring, total, inRing int) bool {
	limit := m.plan.Policy.MaxActive
	if limit > 0 && m.active+total >= limit {
		return true
	}
	return r.limit > 0 && r.active+inRing >= r.limit
}

func (s ringState) String() string {
	names := [...]string{"waiting", "asking", "open", "soaking", "held", "passed", "failed"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("ring state(%d)", uint8(s))
}

func (s ringState) opened() bool { return s >= ringOpen && s != ringFailed }

func (m *Machine) groupOf(d int32) *group { return &m.groups[m.groupAt(d)] }

// groupAt returns the number of the group of d.
func (m *Machine) groupAt(d int32) int {
	r := &m.rings[m.dev[d].ring]
	groups := m.groups[r.groups[0]:r.groups[1]]
	if len(groups) == 1 {
		return r.groups[0]
	}
	i, _ := slices.BinarySearchFunc(groups, m.slot(int(d), max(len(m.plan.Zones), 1)*len(m.passes.lists)), func(g group, s slot) int {
		return int(g.slot) - int(s)
	})
	return r.groups[0] + i
}

// hours are the openings of a schedule, with the one that was looked up last.
type hours struct {
	schedule policy.Schedule
	from, to int64 // the opening that holds asked, or the next; to 0 means that it never closes
	asked    int64 // the instant it was looked up for; what is earlier is looked up again
	began    int64 // as from, but 0 for an opening that has no beginning
	known    bool
}

// hours returns those that device d, a member of g, goes by.
func (m *Machine) hoursOf(d int32, g *group) *hours {
	if m.dev[d].flags&excused != 0 {
		return &g.unbound
	}
	return &g.hours
}

// cutOpening is how long an opening may be before it is looked up anew at each instant: a schedule cuts openings that are too long to be
// followed, after 35 days, so that their end depends on the instant from which they are followed; and a replayed machine, which has
// looked at another one, must say what the other says.
const cutOpening = int64(30 * 24 * time.Hour)

// open says whether work may begin at now, and remembers the opening.
func (h *hours) open(now int64) bool {
	if !h.known || now < h.asked || h.to != 0 && (now >= h.to || now >= h.from && now > h.asked && h.to-h.asked > cutOpening) {
		h.asked, h.known = now, true
		h.from, h.to = math.MaxInt64, 0 // it never opens
		if from, to := h.schedule.Next(time.Unix(0, now).UTC()); !from.IsZero() {
			h.from, h.to = from.UnixNano(), nanos(to)
			if h.began = h.from; h.from == now {
				if before, _ := h.schedule.Next(time.Unix(0, now-int64(time.Second)).UTC()); before.UnixNano() < now {
					h.began = 0 // it is open at any instant that is asked for
				}
			}
		}
	}
	return now >= h.from
}

// closes returns when the opening ends that is open at now; 0 means never.
func (h *hours) closes(now int64) int64 {
	h.open(now)
	return h.to
}

// missed says whether device d, which has been unreachable until now, was away when its window closed, and comes back while
// none is open.
func (m *Machine) missed(d int32) bool {
	dev := &m.dev[d]
	if m.plan.Policy.Missed == policy.MissedWaits || dev.offline == 0 || dev.op != OpInstall || dev.flags&(session|undone|excused) != 0 {
		return false
	}
	g := m.groupOf(d)
	return !g.open(m.now) && g.schedule.Closed(instant(dev.offline), m.Now())
}

// Wanted returns up to max devices that the rollout would begin to work on now, rollbacks first, then ring by ring in
// the order of the plan; max 0 means all. It decides nothing: the host brings back what it grants as [Granted].
func (m *Machine) Wanted(now time.Time, max int) []int32 {
	return m.wanted(now, max, math.MaxInt, nil, nil)
}

// wanted leaves out devices that are not free; nil means that all are. Those that were never begun are looked at by lanes, if there
// are any.
func (m *Machine) wanted(now time.Time, max, installs int, q *lanes, free func(int32) bool) []int32 {
	all := m.wantedWork(now, max, installs, q, free)
	if m.stage != StageActive {
		return all
	}
	at := nanos(now)
	for r := range m.rings {
		ring := &m.rings[r]
		for i := ring.groups[0]; i < ring.groups[1] && ring.state.opened(); i++ {
			g := &m.groups[i]
			if !m.loads(g) || !m.anyFresh(g) || g.open(at) || !g.ahead.open(at) {
				continue
			}
			load := func(d int32) bool {
				if (max == 0 || len(all) < max) && (free == nil || free(d)) {
					all = append(all, d)
				}
				return true
			}
			if q != nil {
				q.unrated(i)
			}
			m.offerFresh([]int{i}, true, nil, q, load)
			m.offerFresh([]int{i}, false, nil, q, load)
		}
	}
	return all
}

// loads says whether devices of g download ahead. Where the ramp lets nothing begin any more, nothing is brought to anybody.
func (m *Machine) loads(g *group) bool {
	return g.loads && !m.rings[g.ring].rampStuck(m.counts(int(g.ring)))
}

// mayLoad says whether device d of g, which waits for its window, downloads meanwhile.
func (m *Machine) mayLoad(d int32, g *group, now int64) bool {
	return m.loads(g) && m.unbegun(d) && !g.open(now) && g.ahead.open(now)
}

func (m *Machine) wantedWork(now time.Time, max, installs int, q *lanes, free func(int32) bool) []int32 {
	if m.stage == StageUnknown || m.stage.Final() || m.stage == StageEnding {
		return nil
	}
	at := nanos(now)
	var wanted []int32
	inRing, placing := make([]int, len(m.rings)), make([]int, len(m.rings))
	left, tries := min(m.left(at), installs), trying(nil)
	take := func(d int32) bool {
		r, installs := m.dev[d].ring, m.dev[d].op == OpInstall
		if m.full(&m.rings[r], len(wanted), inRing[r]) || installs && left == 0 {
			return false
		}
		if m.climbing(&m.rings[r], d, placing[r]) {
			return !m.unbegun(d) // those that have their place go on
		}
		if tries.shut(m, d, at, q) || free != nil && !free(d) {
			return true
		}
		tries.take(m, d)
		inRing[r]++
		if m.dev[d].flags&placed == 0 {
			placing[r]++
		}
		if installs {
			left--
		}
		wanted = append(wanted, d)
		return max == 0 || len(wanted) < max
	}
	enough := func() bool {
		limit := m.plan.Policy.MaxActive
		return max > 0 && len(wanted) >= max || limit > 0 && m.active+len(wanted) >= limit
	}
	for r := range m.undo {
		dead := 0
		for _, h := range m.undo[r] {
			if !m.wantsUndo(h) {
				dead++
			} else if m.dev[h.Device].due <= at && m.mayUndo(h.Device, at) && !take(h.Device) {
				break // a ring that is full does not stop another
			}
		}
		m.undo[r] = thinned(m.undo[r], dead, m.wantsUndo)
		if enough() {
			return wanted
		}
	}
	if m.stage != StageActive {
		return wanted
	}
	dead := 0
	for _, t := range m.lost {
		if !m.wantsLost(t) {
			dead++
		} else if m.mayGoOn(t.device, at) {
			take(t.device)
		}
		if enough() {
			break
		}
	}
	if m.lost = thinned(m.lost, dead, m.wantsLost); enough() {
		return wanted
	}
	for r := range m.rings {
		if m.rings[r].state.opened() && !m.full(&m.rings[r], len(wanted), inRing[r]) {
			m.wantedOf(&m.rings[r], at, q, take)
		}
		if max > 0 && len(wanted) >= max {
			break
		}
	}
	return wanted
}

// thinned drops from a list what is no longer wanted, of which there are so many at least: from its beginning, and from
// anywhere once that is more than half of it. To look at each of them again and again would cost more than the rest.
func thinned[T any](all []T, dead int, wanted func(T) bool) []T {
	for ; dead > 0 && !wanted(all[0]); dead-- {
		all = all[1:]
	}
	if dead <= len(all)/2 {
		return all
	}
	return slices.DeleteFunc(all, func(x T) bool { return !wanted(x) })
}

func (m *Machine) wantsUndo(h Handle) bool {
	dev := &m.dev[h.Device]
	return dev.state == waiting && dev.op == OpRollback && dev.flags&session == 0 && dev.seq == h.Seq
}

// wantedOf offers the devices of a ring to take, in the order of the plan, until it says no. Those that were begun before
// come first: the ring has waited for them longest. Then come those that have become urgent.
func (m *Machine) wantedOf(r *ring, now int64, q *lanes, take func(int32) bool) bool {
	var open []int
	for i := r.groups[0]; i < r.groups[1]; i++ {
		g := &m.groups[i]
		for len(g.again) > 0 && !m.wantsInTurn(g.again[0]) {
			g.again = g.again[1:]
		}
		for len(g.excused) > 0 && !m.wantsAgain(g.excused[0]) {
			g.excused = g.excused[1:]
		}
		if len(g.excused) > 0 && g.unbound.open(now) {
			for _, t := range g.excused {
				if m.wantsAgain(t) && !take(t.device) {
					return false
				}
			}
		}
		for g.fresh < len(g.members) && !m.isFresh(g.members[g.fresh]) {
			g.fresh++
		}
		for len(g.first) > 0 && !m.isUrgent(g.first[0]) {
			g.first = g.first[1:]
		}
		if (len(g.again) > 0 || len(g.first) > 0 || g.fresh < len(g.members)) && g.open(now) {
			open = append(open, i)
		}
	}
	for _, i := range open {
		for _, t := range m.groups[i].again {
			if m.wantsInTurn(t) && !take(t.device) {
				return false
			}
		}
	}
	return m.offerFresh(open, true, nil, q, take) && m.offerFresh(open, false, m.ripe(now), q, take)
}

// offerFresh offers the devices of these groups that were never begun to take, in the order of the plan, until it says no, and says
// whether it came to the end: those that are urgent, or those that are not. Those of a group from the first on that is not ripe are left out; with nil
// all are ripe.
func (m *Machine) offerFresh(groups []int, urgent bool, ripe func(group int, d int32) bool, q *lanes, take func(int32) bool) bool {
	switch {
	case urgent && q != nil:
		for _, i := range groups {
			if !q.offer([]int{i}, urgent, ripe, take) {
				return false
			}
		}
		return true
	case q != nil:
		return q.offer(groups, urgent, ripe, take)
	case urgent:
		for _, i := range groups {
			for _, d := range m.groups[i].first {
				if m.isUrgent(d) && !take(d) {
					return false
				}
			}
		}
		return true
	}
	at := make([]int, len(groups)) // where each group's next fresh member stands
	for i, g := range groups {
		at[i] = m.groups[g].fresh
	}
	for {
		best := -1
		var first int32
		for i := range groups {
			g := &m.groups[groups[i]]
			at[i] = g.next(at[i], m.isFresh)
			if at[i] < len(g.members) && (ripe == nil || ripe(groups[i], g.members[at[i]])) && (best < 0 || g.members[at[i]] < first) {
				best, first = i, g.members[at[i]]
			}
		}
		if best < 0 {
			return true
		}
		if !take(first) {
			return false
		}
		at[best]++
	}
}

// isFresh says whether d was never begun and still waits to be, in its turn. A host that has waited for guests never is again.
func (m *Machine) isFresh(d int32) bool {
	return m.unbegun(d) && m.dev[d].flags&(urgent|hosting|hosted) == 0
}

// isUrgent says the same of a device that comes before the others.
func (m *Machine) isUrgent(d int32) bool {
	return m.unbegun(d) && m.dev[d].flags&(urgent|hosted) != 0 && m.dev[d].flags&hosting == 0
}

// anyFresh says whether a device of g was never begun.
func (m *Machine) anyFresh(g *group) bool {
	for g.fresh < len(g.members) && !m.isFresh(g.members[g.fresh]) {
		g.fresh++
	}
	for len(g.first) > 0 && !m.isUrgent(g.first[0]) {
		g.first = g.first[1:]
	}
	return g.fresh < len(g.members) || len(g.first) > 0
}

func (m *Machine) unbegun(d int32) bool {
	dev := &m.dev[d]
	return dev.state == waiting && dev.seq == 0 && dev.op == OpInstall
}

// wantsAgain says whether a device still waits for the installation whose time had come at t.
func (m *Machine) wantsAgain(t timer) bool {
	dev := &m.dev[t.device]
	return dev.state == waiting && dev.seq > 0 && dev.op == OpInstall && dev.flags&session == 0 && dev.due == t.at
}

// wantsInTurn says the same of a device that waits for its window: one that is excused since stands in the other list too.
func (m *Machine) wantsInTurn(t timer) bool {
	return m.dev[t.device].flags&excused == 0 && m.wantsAgain(t)
}

// mayGoOn says whether the time has come for the next step of a device: that for a restart, if it waits for one.
func (m *Machine) mayGoOn(d int32, now int64) bool {
	return m.dev[d].op != OpReboot || m.groupOf(d).restarts.open(now)
}

// wantsLost says whether a device whose session was broken off, because it was lost or has to wait for its restart, still waits
// for the step whose time had come at t.
func (m *Machine) wantsLost(t timer) bool {
	dev := &m.dev[t.device]
	return dev.state == waiting && (dev.op == OpVerify || dev.op == OpReboot || dev.op == OpProbe) && dev.flags&(session|undone) == 0 && dev.due == t.at
}
