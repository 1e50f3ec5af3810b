package rollout

import (
	"container/heap"
	"maps"
	"slices"

	"github.com/patchflow/patchflow/inventory"
)

// Lanes part the devices of a rollout that were never begun by their places in the failure domains. A lane whose domain is full is
// closed, and not looked at again before there is room: to look at each of its devices whenever anything happens anywhere would
// cost more than all the rest. They belong to the page of a rollout in a [ledger], and say in what order [Agenda.Grant] looks at devices,
// never whether one may begin.
type lanes struct {
	ledger  *ledger
	page    *page
	machine *Machine
	devices int             // that were parted
	all     []*lane         // by number
	sets    []laneSet       // two for each group of the machine: the urgent devices, and the fresh ones
	until   timers          // when a lane that is closed by a rate is to be looked at; the device of a timer is the lane's number
	others  map[int32]int32 // how many other rollouts have disrupted a device
	touched []*lane         // by the Grant under way
	full    closing         // what keeps back the device that the Grant under way looked at last
}

// A lane is the devices of one group that have one place.
type lane struct {
	line
	set    *laneSet
	number int32
	head   int // no member before it is in the line
	from   int // head before the Grant under way
	pos    int // in the heap of its set; -1 if it is closed or empty
	closed bool
	opens  int64 // when, if a rate has closed it
	moved  bool  // by the Grant under way
}

// A laneSet is the lanes of one group that are open, as a heap by their first device.
type laneSet struct {
	in      func(int32) bool
	lanes   map[uint32]*lane // by place
	all     []*lane
	open    []*lane
	urgents int // how many devices had become urgent when it was made
}

// A closing says what keeps all devices of a place back; its zero value, that nothing is known to.
type closing struct {
	known bool
	slot  int32
	until int64 // 0 for a budget, which no time opens
}

func (s *laneSet) Len() int { return len(s.open) }
func (s *laneSet) Less(i, j int) bool {
	return s.open[i].members[s.open[i].head] < s.open[j].members[s.open[j].head]
}
func (s *laneSet) Swap(i, j int) {
	s.open[i], s.open[j] = s.open[j], s.open[i]
	s.open[i].pos, s.open[j].pos = i, j
}

// Push implements [heap.Interface].
func (s *laneSet) Push(x any) {
	l := x.(*lane)
	l.pos = len(s.open)
	s.open = append(s.open, l)
}

// Pop implements [heap.Interface].
func (s *laneSet) Pop() any {
	l := s.open[len(s.open)-1]
	s.open = s.open[:len(s.open)-1]
	l.pos = -1
	return l
}

// enter puts a lane among those that are open, unless it is empty.
func (l *lane) enter() {
	if l.closed = false; l.pos < 0 && l.head < len(l.members) {
		heap.Push(l.set, l)
	}
}

// leave takes it out.
func (l *lane) leave() {
	if l.pos >= 0 {
		heap.Remove(l.set, l.pos)
	}
}

// first returns the lane whose first device comes before those of all others.
func (s *laneSet) first() *lane {
	for len(s.open) > 0 {
		l := s.open[0]
		at := l.next(l.head, s.in)
		if at == l.head {
			return l
		}
		s.move(l, at)
	}
	return nil
}

// move says that no member of l before at is in the line.
func (s *laneSet) move(l *lane, at int) {
	if l.head = at; at >= len(l.members) {
		l.leave()
		return
	}
	heap.Fix(s, l.pos)
}

// part makes the lanes of a set from its devices, which stand in their order.
func (q *lanes) part(s *laneSet, devices []int32) {
	for _, l := range s.all {
		l.closed = false // so that nothing opens it any more
	}
	s.open, s.all, s.lanes = nil, nil, make(map[uint32]*lane)
	for _, d := range devices {
		place := q.machine.plan.Place[d]
		l := s.lanes[place]
		if l == nil {
			l = &lane{set: s, number: int32(len(q.all)), pos: -1}
			s.lanes[place], s.all = l, append(s.all, l)
			q.all = append(q.all, l)
		}
		l.push(d)
	}
	for _, l := range s.all {
		l.enter()
	}
}

// lanesOf returns the lanes of a rollout, made anew if they are not there or not true any more; nil without a page.
func (l *ledger) lanesOf(pg *page, m *Machine) *lanes {
	if pg == nil {
		return nil
	}
	if q := pg.lanes; q != nil && q.machine == m && q.devices == len(m.dev) {
		return q
	}
	q := &lanes{ledger: l, page: pg, machine: m, devices: len(m.dev), sets: make([]laneSet, 2*len(m.groups)), others: make(map[int32]int32)}
	for i := range q.sets {
		if q.sets[i].in = m.isFresh; i%2 == 0 {
			q.sets[i].in = m.isUrgent
		}
	}
	for _, other := range l.order {
		if other != pg {
			for _, d := range slices.Sorted(maps.Keys(other.marked)) {
				q.elsewhere(other.plan.Devices[d], 1)
			}
		}
	}
	for i := range l.left {
		q.elsewhere(l.left[i].device, 1)
	}
	pg.lanes = q
	return q
}

// set returns the lanes of group i of the machine: of its urgent devices, or of those that are fresh.
func (q *lanes) set(i int, urgent bool) *laneSet {
	g := &q.machine.groups[i]
	if !urgent {
		s := &q.sets[2*i+1]
		if s.lanes == nil {
			q.part(s, g.members)
		}
		return s
	}
	s := &q.sets[2*i]
	if s.lanes == nil || s.urgents != g.urgents {
		s.urgents = g.urgents
		q.part(s, g.first)
	}
	return s
}

// elsewhere notes that a device is disrupted by one rollout more or less than before, this one apart. Its place in the budgets that
// both have is taken already, so that it may begin though its lane is closed.
func (q *lanes) elsewhere(d inventory.DeviceID, by int32) {
	i, ok := q.machine.plan.Find(d)
	if !ok {
		return
	}
	if q.others[int32(i)] += by; q.others[int32(i)] == 0 {
		delete(q.others, int32(i))
	}
}

// offer offers the devices of these groups to take, in their order, until it says no, and says whether it came to the end. Of lanes that
// are closed it offers those that another rollout has disrupted.
func (q *lanes) offer(groups []int, urgent bool, ripe func(group int, d int32) bool, take func(int32) bool) bool {
	defer q.back()
	full := q.ledger.wholeFull(q.page)
	apart := q.apart(groups, urgent, full, -1)
	for {
		var best *lane
		for _, i := range groups {
			if l := q.set(i, urgent).first(); !full && l != nil && (ripe == nil || ripe(i, l.device())) && (best == nil || l.device() < best.device()) {
				best = l
			}
		}
		switch {
		case len(apart) > 0 && (best == nil || apart[0] < best.device()):
			if (ripe == nil || ripe(q.machine.groupAt(apart[0]), apart[0])) && !take(apart[0]) {
				return false
			}
			apart = apart[1:]
			continue
		case best == nil:
			return true
		}
		d := best.device()
		q.full = closing{}
		if !take(d) {
			return false
		}
		if q.full.known {
			q.shut(best)
			apart = q.apart(groups, urgent, full, d)
			continue
		}
		q.touch(best)
		best.set.move(best, best.head+1)
		if q.ledger.wholeFull(q.page) {
			full = true
			apart = q.apart(groups, urgent, full, d)
		}
	}
}

// apart returns the devices after d that another rollout has disrupted and whose lane is closed, or all are, in their order.
func (q *lanes) apart(groups []int, urgent, all bool, after int32) []int32 {
	if len(q.others) == 0 {
		return nil
	}
	var apart []int32
	for _, d := range slices.Sorted(maps.Keys(q.others)) {
		if d <= after {
			continue
		}
		i := q.machine.groupAt(d)
		if !slices.Contains(groups, i) {
			continue
		}
		s := q.set(i, urgent)
		if l := s.lanes[q.machine.plan.Place[d]]; l != nil && (all || l.closed) && s.in(d) {
			apart = append(apart, d)
		}
	}
	return apart
}

// device returns the first device of a lane that is open.
func (l *lane) device() int32 { return l.members[l.head] }

// touch remembers where a lane stood before a Grant: what is granted is begun by what follows, and what was left out is wanted still.
func (q *lanes) touch(l *lane) {
	if !l.moved {
		l.moved, l.from = true, l.head
		q.touched = append(q.touched, l)
	}
}

// back takes all lanes back to where they stood.
func (q *lanes) back() {
	for _, l := range q.touched {
		l.head, l.moved = l.from, false
		switch {
		case l.pos >= 0:
			heap.Fix(l.set, l.pos)
		case !l.closed:
			l.enter()
		}
	}
	q.touched = q.touched[:0]
}

// isFull notes what keeps the device back that was offered last.
func (q *lanes) isFull(slot int32, until int64) {
	if q != nil {
		q.full = closing{known: true, slot: slot, until: until}
	}
}

// shut closes a lane until there is room.
func (q *lanes) shut(l *lane) {
	l.leave()
	l.closed, l.opens = true, q.full.until
	if q.ledger.shut == nil {
		q.ledger.shut = make(map[int32][]*lane)
	}
	q.ledger.shut[q.full.slot] = append(q.ledger.shut[q.full.slot], l)
	if l.opens == 0 {
		return
	}
	if len(q.until) > 2*len(q.all)+64 { // most are of lanes that were opened since
		q.until = slices.DeleteFunc(q.until, func(t timer) bool { return !q.counts(t) })
		heap.Init(&q.until)
	}
	heap.Push(&q.until, timer{l.opens, l.number})
}

// counts says whether a lane is still closed until then.
func (q *lanes) counts(t timer) bool { return q.all[t.device].closed && q.all[t.device].opens == t.at }

// tick opens the lanes whose rate lets something begin again.
func (q *lanes) tick(now int64) {
	for len(q.until) > 0 && (q.until[0].at <= now || !q.counts(q.until[0])) {
		if t := heap.Pop(&q.until).(timer); q.counts(t) {
			q.all[t.device].enter()
		}
	}
}

// next returns when the first of the lanes opens that a rate has closed; 0 if none has.
func (q *lanes) next(now int64) int64 {
	if q.tick(now); len(q.until) == 0 {
		return 0
	}
	return q.until[0].at
}

// unrated opens the lanes of a group that a rate has closed: it says nothing of what comes next there.
func (q *lanes) unrated(i int) {
	for _, urgent := range []bool{true, false} {
		for _, l := range q.set(i, urgent).all {
			if l.closed && l.opens != 0 {
				l.enter()
			}
		}
	}
}

// wake opens the lanes that are closed because of a slot.
func (l *ledger) wake(slot int32) {
	for _, x := range l.shut[slot] {
		if x.closed {
			x.enter()
		}
	}
	delete(l.shut, slot)
}

// wakeOf opens the lanes that are closed because of a domain of device d.
func (l *ledger) wakeOf(pg *page, d int32) {
	for _, n := range pg.plan.DomainsOf(int(d)) {
		l.wake(pg.slots[n])
	}
}

// wholeFull says whether a domain is full that every device of the rollout belongs to.
func (l *ledger) wholeFull(pg *page) bool {
	for _, n := range pg.everywhere() {
		if int(l.used[pg.slots[n]]) >= pg.plan.Limit(n) {
			return true
		}
	}
	return false
}
