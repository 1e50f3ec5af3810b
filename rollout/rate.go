package rollout

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// A starts remembers when devices were begun, as far back as a [policy.Rate] looks. It is made again by the events that are replayed.
type starts struct {
	every int64
	runs  []startRun // in the order of time
	noted int        // in an agenda: by which note it was read last
}

// A startRun is the devices that were begun at one instant.
type startRun struct {
	at int64
	n  int32
}

// add notes that a device was begun at an instant that is not before the last.
func (s *starts) add(at int64) {
	if n := len(s.runs); n > 0 && s.runs[n-1].at == at {
		s.runs[n-1].n++
		return
	}
	old := 0
	for old < len(s.runs) && s.runs[old].at <= at-s.every {
		old++
	}
	s.runs = append(s.runs[old:], startRun{at, 1})
}

// drop takes back that a device was begun at that instant.
func (s *starts) drop(at int64) {
	i, found := slices.BinarySearchFunc(s.runs, at, func(r startRun, at int64) int {
		switch {
		case r.at < at:
			return -1
		case r.at > at:
			return 1
		}
		return 0
	})
	if found && s.runs[i].n > 0 {
		s.runs[i].n--
	}
}

// count returns how many devices were begun in the span that ends at now.
func (s *starts) count(now int64) int {
	sum := 0
	for i := len(s.runs) - 1; i >= 0 && s.runs[i].at > now-s.every; i-- {
		sum += int(s.runs[i].n)
	}
	return sum
}

// after returns the first instant at which fewer than limit devices will have been begun in the span that ends then, if none is
// begun any more; it is past if there are fewer already.
func (s *starts) after(limit int) int64 {
	for i, sum := len(s.runs)-1, 0; i >= 0; i-- {
		if sum += int(s.runs[i].n); sum >= limit {
			return s.runs[i].at + s.every
		}
	}
	return 0
}

// together returns what several remember together. All look equally far back.
func together(all []*starts) starts {
	if len(all) == 1 {
		return *all[0]
	}
	sum := starts{every: all[0].every}
	for _, s := range all {
		sum.runs = append(sum.runs, s.runs...)
	}
	slices.SortFunc(sum.runs, func(a, b startRun) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	return sum
}

// rates are what the rates of a plan look back on.
type rates struct {
	whole   starts    // of the rollout
	domains []*starts // by failure domain; nil where its budget has no rate. Empty if none has.
}

func newRates(p *Plan) rates {
	r := rates{whole: starts{every: int64(p.Policy.Rate.Every)}}
	r.grow(p)
	return r
}

// grow looks back on the domains that have joined the plan, too. Without a rate in any budget there is nothing to look back on.
func (r *rates) grow(p *Plan) {
	if len(r.domains) == len(p.Domains) || !slices.ContainsFunc(p.Policy.Budgets, func(b policy.Budget) bool { return b.Rate.Every > 0 }) {
		return
	}
	for n := len(r.domains); n < len(p.Domains); n++ {
		var s *starts
		if every := p.Policy.Budgets[p.Domains[n].Budget].Rate.Every; every > 0 {
			s = &starts{every: int64(every)}
		}
		r.domains = append(r.domains, s)
	}
}

// add notes that device d of p was begun.
func (r *rates) add(p *Plan, d int32, at int64) {
	if r.whole.every > 0 {
		r.whole.add(at)
	}
	r.each(p, d, func(s *starts) { s.add(at) })
}

// drop takes that back.
func (r *rates) drop(p *Plan, d int32, at int64) {
	r.whole.drop(at)
	r.each(p, d, func(s *starts) { s.drop(at) })
}

func (r *rates) each(p *Plan, d int32, do func(*starts)) {
	r.grow(p)
	if r.domains == nil {
		return
	}
	for _, n := range p.DomainsOf(int(d)) {
		if r.domains[n] != nil {
			do(r.domains[n])
		}
	}
}

// left returns how many devices the rollout's own rate lets begin at now.
func (m *Machine) left(now int64) int {
	if m.plan.Policy.Rate.Count == 0 {
		return math.MaxInt
	}
	return max(m.plan.Policy.Rate.Count-m.rates.whole.count(now), 0)
}

// refill returns when the rollout's own rate lets the next device begin, if it lets none now.
func (m *Machine) refill(now int64) (int64, bool) {
	if m.left(now) > 0 {
		return 0, false
	}
	return m.rates.whole.after(m.plan.Policy.Rate.Count), true
}

// beginsAny says whether a device of ring r may be installed now, were it not for the rate.
func (m *Machine) beginsAny(r *ring, now int64) bool {
	for i := r.groups[0]; i < r.groups[1]; i++ {
		g := &m.groups[i]
		if m.anyWaiting(g) && g.open(now) || m.anyExcused(g) && g.unbound.open(now) {
			return true
		}
	}
	return false
}

// An allowance is how many devices the rates of a rollout's domains let begin at an instant. It looks at each domain once.
type allowance struct {
	ledger *ledger
	page   *page
	now    int64
	rooms  map[uint32]room // by domain of the plan
	next   int64           // when the first of the domains that turned out to be full lets another device begin; 0 if none was
}

// A room is what is left of the rate of one domain, and when there is more once nothing is left.
type room struct {
	left int
	next int64
}

// whole returns how many devices the rates of those domains let begin that hold every device of the plan: once these are full, none
// of its devices need be looked at.
func (t *allowance) whole() int {
	least := math.MaxInt
	if t.page == nil || t.page.rates.domains == nil {
		return least
	}
	for _, n := range t.page.everywhere() {
		if t.page.rates.domains[n] == nil {
			continue
		}
		r := t.room(n)
		if least = min(least, max(r.left, 0)); r.left <= 0 && (t.next == 0 || r.next < t.next) {
			t.next = r.next
		}
	}
	return least
}

// everywhere returns the domains that every device of the plan belongs to.
func (pg *page) everywhere() []uint32 {
	if n := len(pg.plan.Places); pg.places != n && n > 0 {
		pg.places, pg.shared = n, slices.Clone(pg.plan.Places[0])
		for _, place := range pg.plan.Places[1:] {
			pg.shared = slices.DeleteFunc(pg.shared, func(d uint32) bool { return !slices.Contains(place, d) })
		}
	}
	return pg.shared
}

// room returns what is left of the rate of domain n.
func (t *allowance) room(n uint32) room {
	r, known := t.rooms[n]
	if limit := t.page.limit(n); !known || r.left <= 0 && r.next == 0 {
		all := t.ledger.started(t.page, n)
		if r.left = limit - all.count(t.now); r.left <= 0 {
			r.next = all.after(limit)
		}
		if t.rooms == nil {
			t.rooms = make(map[uint32]room)
		}
		t.rooms[n] = r
	}
	return r
}

// full returns the first domain of d in which no further device may begin, and says whether there is one.
func (t *allowance) full(m *Machine, d int32) (uint32, room, bool) {
	if !t.counts(m, d) {
		return 0, room{}, false
	}
	for _, n := range t.page.plan.DomainsOf(int(d)) {
		own := t.page.rates.domains[n]
		if own == nil {
			continue
		}
		if r := t.room(n); r.left <= 0 {
			if t.next == 0 || r.next < t.next {
				t.next = r.next
			}
			return n, r, true
		}
	}
	return 0, room{}, false
}

// counts says whether what would begin on d is an installation that some rate may bound.
func (t *allowance) counts(m *Machine, d int32) bool {
	return t.page.rates.domains != nil && m.waitsToInstall(d) && !m.mayLoad(d, m.groupOf(d), t.now)
}

// take counts a device that is granted, until it is known whether it was begun.
func (t *allowance) take(m *Machine, d int32) {
	pg := t.page
	if !t.counts(m, d) {
		return
	}
	pg.rates.add(pg.plan, d, t.now)
	for _, n := range pg.plan.DomainsOf(int(d)) {
		if r, known := t.rooms[n]; known {
			r.left--
			t.rooms[n] = r
		}
	}
}

// limit returns how many devices of domain n may be begun in the span of its rate.
func (pg *page) limit(n uint32) int {
	return pg.plan.Policy.Budgets[pg.plan.Domains[n].Budget].Rate.Count
}

// started returns what all rollouts have begun in domain n of pg, as far as their rates there have the same span.
func (l *ledger) started(pg *page, n uint32) starts {
	own := pg.rates.domains[n]
	all := []*starts{own}
	for _, other := range l.order {
		if k, ok := other.rated[ratedDomain{pg.slots[n], own.every}]; ok && other != pg {
			all = append(all, other.rates.domains[k])
		}
	}
	return together(all)
}

// A ratedDomain is a slot of the ledger with the span of a rate that a budget has there.
type ratedDomain struct {
	slot  int32
	every int64
}

// noteRates takes in what a rollout has begun, in the domains of the devices that a step began or gave back, or that it was granted.
func (l *ledger) noteRates(pg *page, m *Machine, b Batch, granted []int32) {
	if pg.rates.domains == nil {
		return
	}
	pg.notes++
	m.rates.grow(m.plan)
	all := func(devices []int32) {
		for _, d := range devices {
			for _, n := range pg.plan.DomainsOf(int(d)) {
				if s := pg.rates.domains[n]; s != nil && s.noted != pg.notes {
					s.runs, s.noted = append(s.runs[:0], m.rates.domains[n].runs...), pg.notes
				}
			}
		}
	}
	all(granted)
	for _, e := range b.Events {
		switch e := e.(type) {
		case Issued:
			if begins(&e) {
				all(e.Devices)
			}
		case Postponed:
			if givesBack(&e) {
				all(e.Devices)
				for _, d := range e.Devices {
					l.wakeOf(pg, d)
				}
			}
		}
	}
}

// begins says whether devices are begun that are in no session: with their backup, if they need one.
func begins(e *Issued) bool { return e.Op == OpInstall || e.Op.prepares() }

// givesBack says whether nothing was begun on these devices after all: they could not be reached.
func givesBack(e *Postponed) bool {
	return (e.Op == OpInstall || e.Op.prepares()) && e.Fault == patch.Unreachable
}

// Next returns when something may begin that the last Grant for a rollout left out because of a rate of a budget, or because a task of
// another rollout may still be running there ([Agenda.ExplainLinger]), if it left any out. The host asks for another Grant then. Of a
// rollout that is over or not known it says false.
func (a *Agenda) Next(k Key) (time.Time, bool) {
	at, ok := a.next[k]
	return instant(at), ok
}

// ExplainRate says which budget's rate keeps an installation on device d of m back at now, if one does, and when it lets the next
// device begin.
func (a *Agenda) ExplainRate(m *Machine, d inventory.DeviceID, now time.Time) (Message, time.Time, bool) {
	i, ok := m.plan.Find(d)
	if !ok || m.stage.Final() || !m.waitsToInstall(int32(i)) {
		return Message{}, time.Time{}, false
	}
	pg := a.ledger.page(m.plan)
	if pg == nil {
		return Message{}, time.Time{}, false
	}
	t := allowance{ledger: &a.ledger, page: pg, now: nanos(now)}
	n, r, full := t.full(m, int32(i))
	if !full {
		return Message{}, time.Time{}, false
	}
	b := &m.plan.Policy.Budgets[m.plan.Domains[n].Budget]
	next := instant(r.next)
	return waitRate(b.Rate, next, "budget", b.Name, "domain", m.plan.DomainName(n)), next, true
}

// waitsToInstall says whether what comes next on d is an installation.
func (m *Machine) waitsToInstall(d int32) bool {
	return m.dev[d].state == waiting && m.dev[d].op == OpInstall
}

func waitRate(r policy.Rate, next time.Time, more ...string) Message {
	return message("wait-rate", append([]string{"count", strconv.Itoa(r.Count), "every", r.Every.String(), "at", clock(next)}, more...)...)
}

// rate adds that the rollout's own rate is spent, if it is.
func (x *Explanation) rate(m *Machine, d int32, now int64) {
	if next, full := m.refill(now); full && m.waitsToInstall(d) {
		x.AddUntil(waitRate(m.plan.Policy.Rate, instant(next)), instant(next))
	}
}
