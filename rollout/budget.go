package rollout

import (
	"maps"
	"slices"
	"strconv"

	"github.com/patchflow/patchflow/inventory"
)

// A ledger counts which devices are disrupted in which failure domains, over all rollouts of an [Agenda]. It holds a number for each
// domain, and an entry for each device that is disrupted.
type ledger struct {
	slots map[string]int32 // by the key of a domain
	used  []int32          // by slot: devices that are disrupted, each once
	by    map[entry]int32  // how many rollouts have disrupted the device
	pages map[Key]*page
	order []*page
	shut  map[int32][]*lane // by slot: the lanes that are closed because of it
	left  []remnant         // of rollouts that are over, in the order in which they ended
}

type entry struct {
	slot   int32
	device inventory.DeviceID
}

// A page is what the ledger knows of one rollout.
type page struct {
	plan   *Plan
	slots  []int32 // by domain of the plan
	marked map[int32]struct{}

	rates  rates                  // what it has begun
	rated  map[ratedDomain]uint32 // the number of the domain in the plan
	looked int                    // domains that rated knows
	notes  int                    // so far
	places int                    // sets of domains that shared knows
	shared []uint32               // the domains in all of them
	lanes  *lanes
}

// page returns that of a rollout, made if there is none; nil if no budget is about any of its devices.
func (l *ledger) page(p *Plan) *page {
	if len(p.Domains) == 0 {
		return nil
	}
	if l.pages == nil {
		l.pages, l.slots, l.by = make(map[Key]*page), make(map[string]int32), make(map[entry]int32)
	}
	pg, ok := l.pages[p.Key]
	if !ok {
		pg = &page{marked: make(map[int32]struct{})}
		l.pages[p.Key] = pg
	}
	pg.plan = p // with the devices that have joined it
	for n := len(pg.slots); n < len(p.Domains); n++ {
		key := p.domainKey(uint32(n))
		s, ok := l.slots[key]
		if !ok {
			s = int32(len(l.used))
			l.slots[key] = s
			l.used = append(l.used, 0)
		}
		pg.slots = append(pg.slots, s)
	}
	if !ok {
		l.order = append(l.order, pg)
	}
	pg.rates.grow(p)
	for n := pg.looked; n < len(pg.rates.domains); n++ {
		if s := pg.rates.domains[n]; s != nil {
			if pg.rated == nil {
				pg.rated = make(map[ratedDomain]uint32)
			}
			pg.rated[ratedDomain{pg.slots[n], s.every}] = uint32(n)
		}
	}
	pg.looked = len(pg.rates.domains)
	return pg
}

// add notes all that m has disrupted.
func (l *ledger) add(m *Machine) {
	if m.stage.Final() {
		l.addOver(m)
		return
	}
	if pg := l.page(m.plan); pg != nil {
		for d := range m.Disrupted() {
			l.mark(pg, d)
		}
		for n, s := range m.rates.domains {
			if s != nil {
				pg.rates.domains[n].runs = slices.Clone(s.runs)
			}
		}
	}
}

// remove forgets a rollout, and says whether that leaves room for others.
func (l *ledger) remove(k Key) bool {
	pg, ok := l.pages[k]
	if !ok {
		return false
	}
	had := len(pg.marked) > 0
	maps.DeleteFunc(pg.marked, func(d int32, _ struct{}) bool { l.count(pg, d, -1); return true })
	l.order = slices.DeleteFunc(l.order, func(o *page) bool { return o == pg })
	for n, s := range pg.rates.domains {
		if s != nil {
			l.wake(pg.slots[n])
		}
	}
	had = had || pg.rated != nil
	if delete(l.pages, k); len(l.pages) == 0 && len(l.left) == 0 {
		*l = ledger{} // lets the names of the domains go
	}
	return had
}

func (l *ledger) mark(pg *page, d int32) {
	if _, ok := pg.marked[d]; !ok {
		pg.marked[d] = struct{}{}
		l.count(pg, d, 1)
	}
}

// clear says that a rollout has not disrupted d any more, and whether that changes anything.
func (l *ledger) clear(pg *page, d int32) bool {
	if _, ok := pg.marked[d]; !ok {
		return false
	}
	delete(pg.marked, d)
	l.count(pg, d, -1)
	return true
}

func (l *ledger) count(pg *page, d, by int32) {
	slots := make([]int32, 0, 4)
	for _, n := range pg.plan.DomainsOf(int(d)) {
		slots = append(slots, pg.slots[n])
	}
	l.tally(pg, pg.plan.Devices[d], slots, by)
}

// tally counts a device of these slots, which by rollouts more have disrupted: that of pg, or one that is over.
func (l *ledger) tally(pg *page, d inventory.DeviceID, slots []int32, by int32) {
	for _, other := range l.order {
		if other != pg && other.lanes != nil {
			other.lanes.elsewhere(d, by)
		}
	}
	for _, s := range slots {
		e := entry{s, d}
		before := l.by[e]
		switch after := before + by; {
		case after == 0:
			delete(l.by, e)
			l.used[e.slot]--
			l.wake(e.slot)
		default:
			l.by[e] = after
			if before == 0 {
				l.used[e.slot]++
			}
		}
	}
}

// full returns the first domain of d in which no further device may be disrupted, and says whether there is one. A device that is
// disrupted there already may go on.
func (l *ledger) full(pg *page, d int32) (domain uint32, used int, full bool) {
	for _, n := range pg.plan.DomainsOf(int(d)) {
		s := pg.slots[n]
		if used := int(l.used[s]); used >= pg.plan.Limit(n) && l.by[entry{s, pg.plan.Devices[d]}] == 0 {
			return n, used, true
		}
	}
	return 0, 0, false
}

// ExplainBudget says which budget keeps work on device d of m back, if one does: how many devices of its failure domain are
// disrupted, and how many may be, and which of them are of rollouts that are over. Time alone does not change that.
func (a *Agenda) ExplainBudget(m *Machine, d inventory.DeviceID) (Message, bool) {
	i, ok := m.plan.Find(d)
	if !ok || m.stage.Final() || m.dev[i].state != waiting {
		return Message{}, false
	}
	pg := a.ledger.page(m.plan)
	if pg == nil {
		return Message{}, false
	}
	n, used, full := a.ledger.full(pg, int32(i))
	if !full {
		return Message{}, false
	}
	return message("wait-budget", "budget", m.plan.Policy.Budgets[m.plan.Domains[n].Budget].Name, "used", strconv.Itoa(used),
		"limit", strconv.Itoa(m.plan.Limit(n)), "domain", m.plan.DomainName(n), "left", a.ledger.leftIn(pg.slots[n])), true
}
