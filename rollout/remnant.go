package rollout

import (
	"slices"
	"strconv"
	"strings"

	"github.com/patchflow/patchflow/inventory"
)

// A remnant is a device that a rollout which is over has left disrupted. It stands in the ledger until a person acknowledges it; the plan of
// its rollout does not.
type remnant struct {
	rollout Key
	device  inventory.DeviceID
	slots   []int32 // its failure domains
}

// Leftover returns how many devices a rollout that is over has left disrupted in the failure domains of its budgets, and that nobody
// has acknowledged; 0 while it goes on. As long as there are any its machine is one of those that an [Agenda] is made from.
func (m *Machine) Leftover() int {
	if !m.stage.Final() {
		return 0
	}
	n := 0
	for d := range m.Disrupted() {
		if len(m.plan.DomainsOf(int(d))) > 0 {
			n++
		}
	}
	return n
}

// over takes the page of a rollout that is over away, but for the devices that it has left disrupted, and says whether that leaves room.
func (l *ledger) over(m *Machine) bool {
	pg, ok := l.pages[m.plan.Key]
	if !ok {
		return l.shrink(m)
	}
	had := len(pg.marked)
	for d := range m.Disrupted() {
		if _, marked := pg.marked[d]; marked {
			l.keep(m, d, pg.slots)
			delete(pg.marked, d) // it is counted as it was
		}
	}
	had -= len(pg.marked)
	return l.remove(m.plan.Key) || had == 0 && pg.rated != nil
}

// keep makes device d of m a remnant if it belongs to a failure domain; slots are those of all domains of its plan.
func (l *ledger) keep(m *Machine, d int32, slots []int32) {
	r := remnant{rollout: m.plan.Key, device: m.plan.Devices[d]}
	for _, n := range m.plan.DomainsOf(int(d)) {
		r.slots = append(r.slots, slots[n])
	}
	if len(r.slots) > 0 {
		l.left = append(l.left, r)
	}
}

// addOver notes all that a rollout which is over has left disrupted, instead of what was known of it.
func (l *ledger) addOver(m *Machine) {
	l.left = l.drop(func(r *remnant) bool { return r.rollout == m.plan.Key })
	if m.Leftover() == 0 {
		return
	}
	pg := l.page(m.plan)
	for d := range m.Disrupted() {
		l.mark(pg, d)
	}
	l.over(m)
}

// shrink drops what has been acknowledged of a rollout that is over, and says whether there is any.
func (l *ledger) shrink(m *Machine) bool {
	before := len(l.left)
	l.left = l.drop(func(r *remnant) bool {
		if r.rollout != m.plan.Key {
			return false
		}
		d, ok := m.plan.Find(r.device)
		return !ok || !m.disrupted(int32(d))
	})
	if len(l.left) == before {
		return false
	}
	if len(l.left) == 0 && len(l.pages) == 0 {
		*l = ledger{}
	}
	return true
}

// drop returns the remnants without those that are not counted any more.
func (l *ledger) drop(which func(*remnant) bool) []remnant {
	kept := l.left[:0]
	for i := range l.left {
		if r := l.left[i]; which(&r) {
			l.tally(nil, r.device, r.slots, -1)
		} else {
			kept = append(kept, r)
		}
	}
	clear(l.left[len(kept):])
	return kept
}

// leftIn names the devices of a slot that rollouts which are over have left disrupted: at most three of them.
func (l *ledger) leftIn(slot int32) string {
	var names []string
	more := 0
	for i := range l.left {
		switch r := &l.left[i]; {
		case !slices.Contains(r.slots, slot):
		case len(names) == 3:
			more++
		default:
			names = append(names, string(r.device)+" of "+r.rollout.String())
		}
	}
	text := strings.Join(names, ", ")
	if more > 0 {
		text += " and " + strconv.Itoa(more) + " more"
	}
	return text
}

// Leftover counts the devices in the books that rollouts which are over have left disrupted, by rollout.
func (a *Agenda) Leftover() map[Key]int {
	all := make(map[Key]int)
	for i := range a.ledger.left {
		all[a.ledger.left[i].rollout]++
	}
	return all
}
