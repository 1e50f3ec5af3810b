package rollout

import (
	"maps"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
)

// An Agenda arbitrates between the rollouts of one tenant and the tenants below it: a machine says what it wants, the agenda grants. It sees to it
// that at any time a device is worked on by one rollout only, that no more devices than Limit are worked on in all, and that no
// more are disrupted in a failure domain, or begun there in a while, than the budgets of the policies allow ([policy.Budget]). Which of
// several rollouts gets a device that is free again is told by the priorities of their policies.
//
// A host that hears of tasks asks for [Agenda.Sharers] and brings them with the reports ([Reported]). Then it brings what [Agenda.Overtaken] and
// [Agenda.Restarted] return, asks for a Grant, and gives every batch to [Agenda.Note] once that is written down.
//
// It has no journal of its own: after a restart it is made anew by [Agenda.Add] from the machines that are not over and those that have
// left devices disrupted ([Machine.Leftover]), so the two can never disagree. It is not safe for concurrent use. It remembers the devices that are being worked on or disrupted, not
// the fleet. Devices of two tenants are two devices, whatever their IDs.
type Agenda struct {
	Limit int // devices worked on at once in all rollouts; 0 means no limit

	// Hold says why no installation of c may begin on a device now, if something keeps it back: the known issues of this
	// moment, which may be others than when the plan was made ([policy.HeldBack]). It is asked before each installation
	// and each further attempt at one, never before a rollback, a restart or a verification. What it keeps back waits, and is
	// asked about again with the next Grant. nil keeps nothing back.
	Hold func(t inventory.Tenant, d inventory.DeviceID, c *Content, now time.Time) (policy.Reason, bool)

	holder map[inventory.Ref]Key
	ledger ledger
	claims claims
	races  races
	late   lingering
	shares sharing
	wishes wishes
	next   map[Key]int64 // by rollout: when what the last Grant left out because of a rate may begin
	kept   map[Key]bool  // rollouts of which the last Grant kept something back
}

// Add makes a machine known, with the devices that it is working on and those that it has disrupted. Of one that is over these are the
// devices that nobody has acknowledged. A machine takes the place of another one of the same rollout, as after a replay: what that one held
// is free if this one does not hold it, and what others have overtaken stays so.
func (a *Agenda) Add(m *Machine) {
	lost := a.races.lostBefore(m.plan.Key)
	if a.races.find(m.plan.Key) != nil {
		a.Remove(m.plan.Key)
	}
	if a.holder == nil {
		a.holder = make(map[inventory.Ref]Key)
	}
	for d := range m.Sessions() {
		a.holder[m.ref(d)] = m.plan.Key
		a.shares.works(m.ref(d), m.plan.Key)
	}
	for d := range m.dev {
		if m.dev[d].aux > 0 {
			a.linger(m, int32(d))
			a.shares.await(m, int32(d))
			if k, held := a.holder[m.ref(int32(d))]; held {
				a.shares.works(m.ref(int32(d)), k)
			}
		}
	}
	a.ledger.add(m)
	if !m.stage.Final() {
		r := a.races.join(m)
		r.lost = append(r.lost, lost...)
	}
}

// Remove forgets a rollout that is over, and frees what it holds. Devices that it has left disrupted stay in the books: [Agenda.Note] takes
// them out when they are acknowledged. Those on which a task of it may still be running are kept from others until its policy waits no
// longer ([Agenda.ExplainLinger]). A second call changes nothing.
func (a *Agenda) Remove(k Key) {
	maps.DeleteFunc(a.holder, func(_ inventory.Ref, holder Key) bool { return holder == k })
	a.ledger.remove(k)
	a.claims.drop(k)
	a.wishes.drop(k)
	a.races.leave(k)
	a.shares.leave(k)
	delete(a.kept, k)
	delete(a.next, k)
}

// Grant returns which of the devices that m wants now it may begin, and takes them for it. The host brings them to the
// machine as [Granted] and the batch of that step back by [Agenda.Note].
func (a *Agenda) Grant(m *Machine, now time.Time) []int32 {
	if m.stage.Final() {
		return nil
	}
	return a.grant(m, now, a.ledger.lanesOf(a.ledger.page(m.plan), m))
}

// grant is Grant with the lanes of the rollout, which say nothing but in what order it looks.
func (a *Agenda) grant(m *Machine, now time.Time, queue *lanes) []int32 {
	if a.holder == nil {
		a.holder = make(map[inventory.Ref]Key)
	}
	delete(a.kept, m.plan.Key)
	delete(a.next, m.plan.Key)
	room := 0
	if a.Limit > 0 {
		if room = a.Limit - len(a.holder); room <= 0 {
			return nil
		}
	}
	a.claims.drop(m.plan.Key)
	a.wishes.drop(m.plan.Key)
	budgets := a.ledger.page(m.plan)
	rate := allowance{ledger: &a.ledger, page: budgets, now: max(nanos(now), m.now)}
	if queue != nil {
		queue.tick(rate.now)
	}
	ends := int64(0)
	granted := m.wanted(now, room, rate.whole(), queue, func(d int32) bool {
		if budgets != nil {
			if n, _, full := a.ledger.full(budgets, d); full {
				queue.isFull(budgets.slots[n], 0)
				return false
			}
			if n, r, full := rate.full(m, d); full {
				queue.isFull(budgets.slots[n], r.next)
				return false
			}
		}
		if _, first := a.races.ahead(m, d); first {
			return false
		}
		if _, first := a.races.above(m, d); first {
			return false
		}
		if _, taken := a.holder[m.ref(d)]; taken {
			a.claims.put(m, d, now)
			a.wishes.put(m, d, rate.now)
			return false
		}
		if x, late := a.lingers(m, d, rate.now); late {
			if ends == 0 || x.until < ends {
				ends = x.until
			}
			return false
		}
		if _, first := a.claims.before(m, d, now); first {
			a.keep(m)
			return false
		}
		if x, first := a.wishes.before(m, d, rate.now); first {
			if ends == 0 || x.until < ends {
				ends = x.until
			}
			return false
		}
		_, held := a.held(m, d, now)
		if held {
			a.keep(m)
		} else if budgets != nil {
			a.ledger.mark(budgets, d)
			rate.take(m, d)
		}
		return !held
	})
	for _, d := range granted {
		a.holder[m.ref(d)] = m.plan.Key
		delete(a.wishes.kept, m.ref(d))
	}
	rate.whole() // what is full by now says when there is more
	next := rate.next
	if ends != 0 && (next == 0 || ends < next) {
		next = ends
	}
	if queue != nil {
		if at := queue.next(rate.now); at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	if next > 0 {
		if a.next == nil {
			a.next = make(map[Key]int64)
		}
		a.next[m.plan.Key] = next
	}
	return granted
}

// keep remembers that something of m was kept back.
func (a *Agenda) keep(m *Machine) {
	if a.kept == nil {
		a.kept = make(map[Key]bool)
	}
	a.kept[m.plan.Key] = true
}

// Note takes in what a machine decided: devices that it has let go of are free again, and those that are well leave
// room in their budgets. It says whether there are any, so that the host can ask the tenant's machines what they want. Devices that were granted and not begun are freed too.
func (a *Agenda) Note(m *Machine, b Batch, granted []int32) bool {
	freed := false
	var budgets *page
	if m.stage.Final() {
		k := m.plan.Key
		freed = a.ledger.over(m) || len(a.claims.of[k]) > 0
		a.claims.drop(k)
		a.wishes.drop(k)
		a.shares.leave(k)
		delete(a.kept, k)
		delete(a.next, k)
		maps.DeleteFunc(a.late, func(_ inventory.Ref, x linger) bool { return x.until <= m.now })
		maps.DeleteFunc(a.wishes.kept, func(_ inventory.Ref, x wish) bool { return x.until <= m.now })
	} else {
		if budgets = a.ledger.page(m.plan); budgets != nil {
			a.ledger.noteRates(budgets, m, b, granted)
			a.ledger.noteBreakers(budgets, m, &b)
		}
	}
	release := func(d int32) {
		if budgets != nil && !m.disrupted(d) && a.ledger.clear(budgets, d) {
			freed = true
		}
		id := m.ref(d)
		if a.holder[id] == m.plan.Key && m.dev[d].flags&session == 0 {
			delete(a.holder, id)
			freed = true
		}
		freed = a.linger(m, d) || freed
		a.shares.await(m, d)
	}
	for _, d := range b.Freed {
		release(d)
	}
	for _, e := range b.Events {
		switch e := e.(type) {
		case Answered:
			freed = a.ended(m, e.Reports) || freed
		case Late:
			freed = a.ended(m, e.Reports) || freed
		}
	}
	freed = a.races.note(m, &b) || freed
	freed = a.shares.note(m, &b) || freed
	a.wishes.keep(m, &b)
	for _, d := range granted {
		release(d)
		if budgets != nil && m.dev[d].flags&session == 0 {
			a.ledger.wakeOf(budgets, d) // a rate was spent for nothing
		}
	}
	return freed
}

// ref names device d of m among those of all tenants.
func (m *Machine) ref(d int32) inventory.Ref {
	return inventory.Ref{Tenant: m.plan.TenantOf(int(d)), Device: m.plan.Devices[d]}
}

// Holder returns the rollout that is working on a device, if one is.
func (a *Agenda) Holder(d inventory.Ref) (Key, bool) {
	k, ok := a.holder[d]
	return k, ok
}

// Explain says that device d, which rollout k wants, is being worked on by another one, if it is.
func (a *Agenda) Explain(d inventory.Ref, k Key) (Message, bool) {
	holder, held := a.holder[d]
	if !held || holder == k {
		return Message{}, false
	}
	return message("wait-holder", "rollout", holder.String()), true
}

// held asks Hold about a device of m, if an installation is what comes next there.
func (a *Agenda) held(m *Machine, d int32, now time.Time) (policy.Reason, bool) {
	if a.Hold == nil || m.dev[d].state != waiting || m.dev[d].op != OpInstall {
		return policy.Reason{}, false
	}
	return a.Hold(m.plan.TenantOf(int(d)), m.plan.Devices[d], &m.plan.Contents[m.plan.Content[d]], now)
}

// KeptBack says whether the last Grant for a rollout kept something back because of Hold or of another's priority. No signal tells when that ends: the
// host asks again after a while.
func (a *Agenda) KeptBack(k Key) bool { return a.kept[k] }

// ExplainHold says what keeps the installation on device d of m back now, if Hold does.
func (a *Agenda) ExplainHold(m *Machine, d inventory.DeviceID, now time.Time) (Message, bool) {
	i, ok := m.plan.Find(d)
	if !ok {
		return Message{}, false
	}
	r, held := a.held(m, int32(i), now)
	if !held {
		return Message{}, false
	}
	return message("wait-hold", "hold", r.Subject, "why", r.String()), true
}

// Active returns how many devices are being worked on.
func (a *Agenda) Active() int { return len(a.holder) }
