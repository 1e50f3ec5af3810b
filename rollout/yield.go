package rollout

import (
	"slices"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// A Sharer says that another rollout of the tenant would begin an installation on a device now, were it free, and restart the device after
// that: a rollout that lets it go first needs no restart of its own. [Agenda.Sharers] makes it.
type Sharer struct {
	Device int32         // in the plan of the rollout that is to let it go
	By     Key           // who would
	Takes  time.Duration // how long its installation may take
}

// RestartYielded says that these devices, which were to be restarted at once, are let go first, as rollout By would install there, and restart
// them after that. That restart serves both, and is told by [RestartShared]. When this rollout restarts them itself, if nobody has begun there by
// then, is said by the [Postponed] that follows. A device is let go like this at most once.
type RestartYielded struct {
	By      Key
	Devices []int32
}

func (RestartYielded) kind() byte { return kindRestartYielded }

func (v RestartYielded) encode(e *encoder) {
	e.string(string(v.By.Tenant))
	e.string(string(v.By.ID))
	e.devices(v.Devices)
}

func decodeRestartYielded(d *decoder) RestartYielded {
	return RestartYielded{By: Key{Tenant: inventory.Tenant(d.string()), ID: ID(d.string())}, Devices: d.devices()}
}

func (v *RestartYielded) describe(p *Plan) Message {
	return message("restart-yielded", "devices", p.names(v.Devices), "rollout", v.By.String())
}

// yieldFor is how long a device that was let go waits for the other rollout to begin there. It was ready when it was asked, and is asked again as
// soon as the device is free: if it has not begun by then, something keeps it back.
const yieldFor = int64(time.Minute)

// hear takes in who would share restarts, for as long as the reports are looked at that this came with.
func (m *Machine) hear(all []Sharer) {
	m.sharers = nil
	for _, s := range all {
		if m.sharers == nil {
			m.sharers = make(map[int32]Sharer, len(all))
		}
		m.sharers[s.Device] = s
	}
}

// yields says whether the restart of d, which may be begun now in h, is left to another rollout, and to which.
func (m *Machine) yields(d int32, h *hours) (Key, bool) {
	s, ok := m.sharers[d]
	if !ok {
		return Key{}, false
	}
	dev := &m.dev[d]
	if _, before := m.yielded[d]; before || dev.reboots > 0 || dev.flags&(excused|retired|foreign|undone|absent) != 0 || m.isOut(d) || m.lacksLook(d) || m.stage != StageActive {
		return Key{}, false // lacksLook: nothing is installed there yet
	}
	if a := m.auxOf(d); a == nil || a.boot == "" {
		return Key{}, false // no restart of another's could be proved
	}
	if h.to != 0 && m.now+max(yieldFor, int64(s.Takes)) >= h.to {
		return Key{}, false // it might be too late for one of its own
	}
	return s.By, true
}

// yield lets d go before its restart.
func (m *Machine) yield(d int32, to Key) {
	m.bins.add(bin{what: toYield, by: to}, d)
	m.bins.postpone(bin{op: OpReboot, frees: true}, d, m.now+yieldFor)
}

func (m *Machine) applyYielded(e *RestartYielded) {
	if m.yielded == nil {
		m.yielded = make(map[int32]Key)
	}
	for _, d := range e.Devices {
		m.yielded[d] = e.By
	}
}

// yields adds to an explanation that d was let go before its restart.
func (x *Explanation) yields(m *Machine, d int32, now int64) {
	if by, ok := m.yielded[d]; ok && m.dev[d].op == OpReboot && m.dev[d].state == waiting && m.dev[d].reboots == 0 {
		x.Reasons = append(x.Reasons, message("wait-yielded", "rollout", by.String()))
		if m.dev[d].due > now {
			x.soonest(instant(m.dev[d].due))
		}
	}
}

// wishes are the devices of an [Agenda] that a rollout works on, with those that would have begun an installation there with their last Grant, had they
// been free, and restart them after it, in the order in which they asked.
type wishes struct {
	on   map[inventory.Ref][]wish
	of   map[Key][]inventory.Ref
	kept map[inventory.Ref]wish // devices that were let go for one, until somebody works on them
}

// A wish is one of them.
type wish struct {
	by       Key
	priority int
	takes    int64
	until    int64 // when its installation is to have begun; 0 for never
}

// drop forgets what a rollout wished.
func (w *wishes) drop(k Key) {
	for _, id := range w.of[k] {
		if w.on[id] = slices.DeleteFunc(w.on[id], func(x wish) bool { return x.by == k }); len(w.on[id]) == 0 {
			delete(w.on, id)
		}
	}
	delete(w.of, k)
}

// put notes that m would install on d now, if it would restart it soon after that.
func (w *wishes) put(m *Machine, d int32, now int64) {
	if m.dev[d].state != waiting || m.dev[d].op != OpInstall || !m.mayRestart(d) {
		return
	}
	takes := int64(m.retry.Timeout)
	g := m.groupOf(d)
	work, h := m.hoursOf(d, g), &g.restarts
	if !work.open(now) || !h.open(now) {
		return // a download is all that it may begin, or it would restart it later
	}
	until := work.to
	if last := h.to - takes; h.to != 0 && (until == 0 || last < until) {
		until = last
	}
	if w.on == nil {
		w.on, w.of = make(map[inventory.Ref][]wish), make(map[Key][]inventory.Ref)
	}
	id, k := m.ref(d), m.plan.Key
	w.on[id] = append(w.on[id], wish{by: k, priority: m.plan.Policy.Priority, takes: takes, until: until})
	w.of[k] = append(w.of[k], id)
}

// keep notes which devices m has let go, and for whom: until that one has begun, or has not for a while, nobody else restarts them.
func (w *wishes) keep(m *Machine, b *Batch) {
	for _, e := range b.Events {
		if e, ok := e.(RestartYielded); ok {
			for _, d := range e.Devices {
				if w.kept == nil {
					w.kept = make(map[inventory.Ref]wish)
				}
				w.kept[m.ref(d)] = wish{by: e.By, until: m.now + yieldFor}
			}
		}
	}
}

// before returns for whom d is kept, if m would restart it now.
func (w *wishes) before(m *Machine, d int32, now int64) (wish, bool) {
	if len(w.kept) == 0 || m.dev[d].state != waiting || m.dev[d].op != OpReboot {
		return wish{}, false
	}
	x, ok := w.kept[m.ref(d)]
	return x, ok && x.by != m.plan.Key && now < x.until
}

// best returns the wish for d that m lets go first, if there is one: of the highest priority, and among equals the one that asked first.
func (w *wishes) best(m *Machine, d int32, now int64) (best *wish) {
	all := w.on[m.ref(d)]
	for i := range all {
		x := &all[i]
		if x.by != m.plan.Key && x.priority >= m.plan.Policy.Priority && (x.until == 0 || now < x.until) && (best == nil || x.priority > best.priority) {
			best = x
		}
	}
	return best
}

// mayRestart says whether d may be restarted as soon as its installation has succeeded, without anybody being asked, and not before it.
func (m *Machine) mayRestart(d int32) bool {
	r := &m.reboot
	if r.Mode == policy.RebootNever || r.Before != policy.BeforeNever || r.Deferrals.Max > 0 {
		return false
	}
	c := &m.plan.Contents[m.plan.Content[d]]
	return r.Mode == policy.RebootAlways || slices.ContainsFunc(c.Patches, func(p Pinned) bool { return p.Reboot != patch.RebootNever })
}

// Sharers returns what the host is to tell m with these reports ([Reported]): on which of their devices another rollout would begin an
// installation now, were they free, as its last [Agenda.Grant] has found, and would restart them after that. One whose policy has a lower
// priority than that of m is left out, and so is one that restarts nothing, restarts before it installs, or lets people put restarts off. To tell m nothing does no
// harm: each rollout restarts the device by itself then.
func (a *Agenda) Sharers(m *Machine, reports []TaskReport, now time.Time) []Sharer {
	if len(a.wishes.on) == 0 {
		return nil
	}
	var all []Sharer
	for i := range reports {
		d := reports[i].Device
		if !reports[i].Phase.Last() || d < 0 || int(d) >= len(m.dev) {
			continue
		}
		if w := a.wishes.best(m, d, nanos(now)); w != nil {
			all = append(all, Sharer{Device: d, By: w.by, Takes: time.Duration(w.takes)})
		}
	}
	return all
}
