package rollout

import (
	"maps"
	"time"

	"github.com/patchflow/patchflow/inventory"
)

// An Agenda arbitrates between the rollouts of one tenant and the tenants below it: a machine says what it wants, the agenda grants. It sees to it
// that at any time a device is worked on by one rollout only, and that no more devices than Limit are worked on in all.
//
// It has no journal of its own: after a restart it is made anew from the unfinished machines, by [Agenda.Add], so the two
// can never disagree. It is not safe for concurrent use. It remembers the devices that are being worked on, not the fleet.
type Agenda struct {
	Limit int // devices worked on at once in all rollouts; 0 means no limit

	holder map[inventory.DeviceID]Key
}

// Add makes a machine known, with the devices that it is working on.
func (a *Agenda) Add(m *Machine) {
	if a.holder == nil {
		a.holder = make(map[inventory.DeviceID]Key)
	}
	for d := range m.Sessions() {
		a.holder[m.plan.Devices[d]] = m.plan.Key
	}
}

// Remove forgets a rollout that is over, and frees what it holds.
func (a *Agenda) Remove(k Key) {
	maps.DeleteFunc(a.holder, func(_ inventory.DeviceID, holder Key) bool { return holder == k })
}

// Grant returns which of the devices that m wants now it may begin, and takes them for it. The host brings them to the
// machine as [Granted] and the batch of that step back by [Agenda.Note].
func (a *Agenda) Grant(m *Machine, now time.Time) []int32 {
	if a.holder == nil {
		a.holder = make(map[inventory.DeviceID]Key)
	}
	room := 0
	if a.Limit > 0 {
		if room = a.Limit - len(a.holder); room <= 0 {
			return nil
		}
	}
	granted := m.wanted(now, room, func(d inventory.DeviceID) bool {
		_, taken := a.holder[d]
		return !taken
	})
	for _, d := range granted {
		a.holder[m.plan.Devices[d]] = m.plan.Key
	}
	return granted
}

// Note takes in what a machine decided: devices that it has let go of are free again. It says whether any are, so that
// the host can ask the tenant's other machines what they want. Devices that were granted and not begun are freed too.
func (a *Agenda) Note(m *Machine, b Batch, granted []int32) bool {
	freed := false
	release := func(d int32) {
		id := m.plan.Devices[d]
		if a.holder[id] == m.plan.Key && m.dev[d].flags&session == 0 {
			delete(a.holder, id)
			freed = true
		}
	}
	for _, d := range b.Freed {
		release(d)
	}
	for _, d := range granted {
		release(d)
	}
	return freed
}

// Holder returns the rollout that is working on a device, if one is.
func (a *Agenda) Holder(d inventory.DeviceID) (Key, bool) {
	k, ok := a.holder[d]
	return k, ok
}

// Explain says that device d, which rollout k wants, is being worked on by another one, if it is.
func (a *Agenda) Explain(d inventory.DeviceID, k Key) (Message, bool) {
	holder, held := a.holder[d]
	if !held || holder == k {
		return Message{}, false
	}
	return message("wait-holder", "rollout", holder.String()), true
}

// Active returns how many devices are being worked on.
func (a *Agenda) Active() int { return len(a.holder) }
