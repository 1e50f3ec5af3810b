package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/patchflow/patchflow/inventory"
)

// Restarted says that another rollout of the tenant has seen these devices under another boot than the one that this rollout knows, each by a
// task that it has begun after this rollout's installation had ended: they were restarted since. [Agenda.Restarted] makes it. Devices
// that wait for no restart, or whose boot is not known here, or is the same, are passed over, so a second one says nothing new.
type Restarted struct {
	At      time.Time
	By      Key // which rollout has seen it
	Devices []int32
	Boots   []string // by device: the boot ID that it has reported there
}

func (s Restarted) when() time.Time { return s.At }

// RestartShared says that these devices, which were to be restarted, were restarted since by rollout By, or while that was at work there:
// each has reported a boot that is not the one after its installation here. What is true is looked at next, and if a device still
// owes a restart it gets one.
type RestartShared struct {
	By      Key
	Devices []int32
	Boots   []string // by device: the new one
}

func (RestartShared) kind() byte { return kindRestartShared }

func (v RestartShared) encode(e *encoder) {
	e.string(string(v.By.Tenant))
	e.string(string(v.By.ID))
	e.devices(v.Devices)
	e.uint(uint64(len(v.Boots)))
	for _, b := range v.Boots {
		e.string(b)
	}
}

func decodeRestartShared(d *decoder) RestartShared {
	v := RestartShared{By: Key{Tenant: inventory.Tenant(d.string()), ID: ID(d.string())}, Devices: d.devices()}
	if n := d.count(1); n > 0 {
		v.Boots = make([]string, n)
		for i := range v.Boots {
			v.Boots[i] = d.string()
		}
	}
	return v
}

func (v *RestartShared) describe(p *Plan) Message {
	return message("restart-shared", "devices", p.names(v.Devices), "rollout", v.By.String())
}

// mayShare says whether d waits for the restart after its installation, is at nothing, and its boot since is known.
func (m *Machine) mayShare(d int32) (boot string, ok bool) {
	dev := &m.dev[d]
	if dev.state != waiting || dev.op != OpReboot || dev.flags&(session|absent|undone|retired|foreign) != 0 || m.lacksLook(d) {
		return "", false
	}
	if a := m.auxOf(d); a != nil {
		boot = a.boot
	}
	return boot, boot != ""
}

// restarted takes in who was restarted meanwhile.
func (m *Machine) restarted(s Restarted) error {
	if len(s.Boots) != len(s.Devices) {
		return fmt.Errorf("rollout: %s: %T: %d devices, %d boots", m.plan.Key, s, len(s.Devices), len(s.Boots))
	}
	if m.stage == StageEnding {
		return nil // nobody looks at them any more
	}
	e := RestartShared{By: s.By}
	for i, d := range s.Devices {
		if d < 0 || int(d) >= len(m.dev) || slices.Contains(e.Devices, d) {
			continue
		}
		if boot, ok := m.mayShare(d); ok && s.Boots[i] != "" && s.Boots[i] != boot {
			e.Devices, e.Boots = append(e.Devices, d), append(e.Boots, s.Boots[i])
		}
	}
	if len(e.Devices) > 0 {
		m.emit(e)
	}
	return nil
}

// fitsShared checks what applyShared takes for granted.
func (m *Machine) fitsShared(e *RestartShared) error {
	if len(e.Boots) != len(e.Devices) {
		return fmt.Errorf("restart shared: %d devices, %d boots", len(e.Devices), len(e.Boots))
	}
	for _, d := range e.Devices {
		if d < 0 || int(d) >= len(m.dev) {
			return fmt.Errorf("restart shared: device %d of %d", d, len(m.dev))
		}
	}
	return nil
}

func (m *Machine) applyShared(e *RestartShared) {
	if m.shared == nil {
		m.shared = make(map[int32]Key)
	}
	for i, d := range e.Devices {
		m.applyIdle(d) // nothing runs on through a restart
		a, dev := m.setAux(d), &m.dev[d]
		a.boot, a.delay = e.Boots[i], delay{}
		dev.flags &^= owes
		dev.op, dev.tries, dev.due = OpVerify, 0, m.now
		m.shared[d] = e.By
		m.setTimer(d, m.now)
	}
	m.dirty = true
}

// shared adds to an explanation that the restart of d was another rollout's.
func (x *Explanation) shared(m *Machine, d int32) {
	if by, ok := m.shared[d]; ok && m.dev[d].op != OpReboot {
		x.Reasons = append(x.Reasons, message("is-shared", "rollout", by.String()))
	}
}

// sharing is what an [Agenda] knows of devices that wait for a restart, and what other rollouts have seen of them since. After a restart of
// the host nothing is known of what a rollout has seen that has let go of the device: that is restarted once more than it need be.
type sharing struct {
	on   map[inventory.Ref][]waiter
	of   map[Key][]inventory.Ref // by rollout: where it waits, or has waited
	news map[Key][]int32         // by rollout: its devices that others have seen under another boot
}

// A waiter is a rollout that waits to restart a device.
type waiter struct {
	by     Key
	device int32  // in its plan
	boot   string // of the device since its installation there

	other Key    // which has begun to work on the device since, the last to do so
	seen  string // another boot, that the device has reported there; "" for none
}

// find returns the number of the waiter on a device that is rollout k; -1 if there is none.
func (l *sharing) find(id inventory.Ref, k Key) int {
	return slices.IndexFunc(l.on[id], func(w waiter) bool { return w.by == k })
}

// await notes whether m waits to restart d.
func (l *sharing) await(m *Machine, d int32) {
	boot, waits := m.mayShare(d)
	if !waits && len(l.on) == 0 {
		return
	}
	id, k := m.ref(d), m.plan.Key
	i := l.find(id, k)
	switch {
	case waits && i >= 0 && l.on[id][i].boot == boot:
	case waits && i >= 0:
		l.on[id][i] = waiter{by: k, device: d, boot: boot}
	case waits:
		if l.on == nil {
			l.on, l.of, l.news = make(map[inventory.Ref][]waiter), make(map[Key][]inventory.Ref), make(map[Key][]int32)
		}
		l.on[id] = append(l.on[id], waiter{by: k, device: d, boot: boot})
		l.of[k] = append(l.of[k], id)
	case i >= 0:
		l.drop(id, i)
	}
}

func (l *sharing) drop(id inventory.Ref, i int) {
	if l.on[id] = slices.Delete(l.on[id], i, i+1); len(l.on[id]) == 0 {
		delete(l.on, id)
	}
}

// leave forgets a rollout that is over.
func (l *sharing) leave(k Key) {
	for _, id := range l.of[k] {
		if i := l.find(id, k); i >= 0 {
			l.drop(id, i)
		}
	}
	delete(l.of, k)
	delete(l.news, k)
}

// note takes in what m has decided, and says whether another rollout need not restart a device any more.
func (l *sharing) note(m *Machine, b *Batch) (news bool) {
	if len(l.on) == 0 {
		return false
	}
	for _, e := range b.Events {
		switch e := e.(type) {
		case Answered:
			for i := range e.Reports {
				news = l.saw(m, &e.Reports[i]) || news
			}
		case Issued:
			for _, d := range e.Devices {
				if m.dev[d].flags&session == 0 {
					continue // a download goes on beside other work
				}
				l.works(m.ref(d), m.plan.Key)
			}
		}
	}
	return news
}

// works notes that rollout k works on a device, and has begun to do so when those that wait to restart it had let go of it.
func (l *sharing) works(id inventory.Ref, k Key) {
	all := l.on[id]
	for i := range all {
		if w := &all[i]; w.by != k {
			w.other = k
		}
	}
}

// saw takes in what a report says of the boot of a device that others wait to restart.
func (l *sharing) saw(m *Machine, r *TaskReport) (news bool) {
	if r.BootID == "" || r.Device < 0 || int(r.Device) >= len(m.dev) {
		return false
	}
	all := l.on[m.ref(r.Device)]
	for i := range all {
		if w := &all[i]; w.other == m.plan.Key && r.BootID != w.boot && w.seen == "" {
			w.seen, news = r.BootID, true
			l.news[w.by] = append(l.news[w.by], w.device)
		}
	}
	return news
}

// Restarted returns what the host is to tell m before the next [Agenda.Grant]: which of the devices that m waits to restart were restarted
// since by another rollout, or while that was at work there; one signal for each such rollout. What proves it is a boot ID in a report about a
// task that was begun after m had let go of the device. The batches go back by [Agenda.Note]; a device is named again by later calls until m
// waits no more: nothing is lost with a step that was not written down.
func (a *Agenda) Restarted(m *Machine, now time.Time) []Restarted {
	devices := a.shares.news[m.plan.Key]
	if m.stage.Final() || m.stage == StageEnding || len(devices) == 0 {
		return nil
	}
	var all []Restarted
	kept := devices[:0]
	for _, d := range devices {
		boot, waits := m.mayShare(d)
		id := m.ref(d)
		i := a.shares.find(id, m.plan.Key)
		if !waits || i < 0 || a.shares.on[id][i].seen == "" || a.shares.on[id][i].boot != boot {
			continue
		}
		kept = append(kept, d)
		w := &a.shares.on[id][i]
		at := slices.IndexFunc(all, func(s Restarted) bool { return s.By == w.other })
		if at < 0 {
			at = len(all)
			all = append(all, Restarted{At: now, By: w.other})
		}
		all[at].Devices, all[at].Boots = append(all[at].Devices, d), append(all[at].Boots, w.seen)
	}
	a.shares.news[m.plan.Key] = kept
	return all
}
