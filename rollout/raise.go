package rollout

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/patchflow/patchflow/policy"
)

// Why a level of an escalation is raised.
const (
	RaisedAttempts = "attempts" // so many installations have failed on devices
	RaisedFailed   = "failed"   // too large a share of a ring has failed
	RaisedWaiting  = "waiting"  // a ring waits for a person for too long
)

// Raised says that a level of the policy's escalation has been reached: for these devices, or for a ring as a whole. It is said once for
// each reason, until it is [Cleared].
type Raised struct {
	Level   int // in [policy.Policy.Escalation]
	Ring    int
	Why     string  // one of RaisedAttempts, RaisedFailed and RaisedWaiting
	Devices []int32 // with RaisedAttempts
}

// Cleared says that what has raised a level is over: the devices have ended well, or are acknowledged, or the ring goes on.
type Cleared struct {
	Level   int
	Ring    int
	Why     string
	Devices []int32
}

// Keys returns a name for each reason for which the level is raised, for ticket systems: of each of the devices with [RaisedAttempts], in their order,
// and of the ring otherwise. The event that clears a reason gives it the same name, whether it clears others too or not; until then nothing else
// has that name, in no rollout of any tenant. A reason that comes up again has the name that it had: whoever keeps the ticket may open it again.
//
// Names are the same in every replay. They are built as a [TaskID] is, "acme/berlin:q1/helpdesk/attempts/ada" or "acme/berlin:q1/boss/failed/canary": the
// tenant and the rollout, the level, why, and the device or the ring. Of what may hold any character all is escaped but ASCII letters, digits and
// -_.~$&+=@, so that a name consists of these and of %, / and the colon, whatever its length. P is the plan of the rollout; of devices that have joined
// since only that of the machine ([Machine.Plan]) knows the names.
func (v Raised) Keys(p *Plan) []string {
	level, ring := p.raisedPlace(&v)
	prefix := escapeTenant(p.Tenant) + ":" + escape(string(p.ID)) + "/" + escape(level) + "/" + escape(v.Why) + "/"
	if v.Why != RaisedAttempts {
		return []string{prefix + escape(ring)}
	}
	keys := make([]string, len(v.Devices))
	for i, d := range v.Devices {
		keys[i] = prefix + escape(string(p.name(d)))
	}
	return keys
}

// Keys returns the names of the reasons that are over: those that [Raised.Keys] has given them.
func (v Cleared) Keys(p *Plan) []string { return Raised(v).Keys(p) }

func (Raised) kind() byte  { return kindRaised }
func (Cleared) kind() byte { return kindCleared }

func (v Raised) encode(e *encoder) {
	e.int(v.Level)
	e.int(v.Ring)
	e.string(v.Why)
	e.devices(v.Devices)
}

func (v Cleared) encode(e *encoder) { Raised(v).encode(e) }

func decodeRaised(d *decoder) Raised {
	return Raised{Level: d.int(), Ring: d.int(), Why: d.string(), Devices: d.devices()}
}

// levels are the levels that are raised: one bit for each.
type levels uint16

func (l levels) has(i int) bool { return l&(1<<i) != 0 }

func (l *levels) set(i int, is bool) {
	if is {
		*l |= 1 << i
	} else {
		*l &^= 1 << i
	}
}

// raisings are what an escalation has come to.
type raisings struct {
	devices map[int32]levels // few
	failed  []levels         // by ring
	waiting []levels         // by ring
	since   []int64          // by ring: since when it waits for a person; meant only while it does
	changed []int32          // devices that are to be looked at
}

func newRaisings(p *Plan) raisings {
	if len(p.Policy.Escalation) == 0 {
		return raisings{}
	}
	n := len(p.Rings)
	return raisings{devices: make(map[int32]levels), failed: make([]levels, n), waiting: make([]levels, n), since: make([]int64, n)}
}

// note remembers that something about a device may raise a level, or clear it.
func (x *raisings) note(d int32) {
	if x.devices != nil {
		x.changed = append(x.changed, d)
	}
}

// noteRing remembers since when a ring waits for a person.
func (x *raisings) noteRing(r int, now int64) {
	if x.devices != nil {
		x.since[r] = now
	}
}

// waitsForPerson says whether ring r cannot get any further without a person.
func (m *Machine) waitsForPerson(r int) bool {
	switch m.rings[r].state {
	case ringAsking, ringStuck:
		return !m.stage.Final()
	case ringFailed:
		return m.stage == StageHalted
	}
	return false
}

// raise says which levels have been reached, and which are no more.
func (m *Machine) raise() {
	x := &m.raised
	if x.devices == nil {
		return
	}
	changed := x.changed
	x.changed = nil
	slices.Sort(changed)
	changed = slices.Compact(changed)
	for i := range m.plan.Policy.Escalation {
		l := &m.plan.Policy.Escalation[i]
		for r := range m.rings {
			if l.Attempts > 0 {
				m.raiseDevices(i, r, l, changed)
			}
			c := m.counts(r)
			m.raiseRing(i, r, RaisedFailed, x.failed[r], l.Failed > 0 && c.Bad()*10000 > int(l.Failed)*c.Devices)
			m.raiseRing(i, r, RaisedWaiting, x.waiting[r], l.Waiting > 0 && m.waitsForPerson(r) &&
				(x.waiting[r].has(i) || m.now >= x.since[r]+int64(l.Waiting)))
		}
	}
}

func (m *Machine) raiseRing(i, r int, why string, raised levels, is bool) {
	switch {
	case is && !raised.has(i):
		m.emit(Raised{Level: i, Ring: r, Why: why})
	case !is && raised.has(i):
		m.emit(Cleared{Level: i, Ring: r, Why: why})
	}
}

func (m *Machine) raiseDevices(i, r int, l *policy.EscalationLevel, changed []int32) {
	var up, down []int32
	for _, d := range changed {
		if int(m.dev[d].ring) != r {
			continue
		}
		switch raised := m.raised.devices[d].has(i); {
		case raised && m.calm(d):
			down = append(down, d)
		case !raised && m.troubled(d, l.Attempts):
			up = append(up, d)
		}
	}
	if len(up) > 0 {
		m.emit(Raised{Level: i, Ring: r, Why: RaisedAttempts, Devices: up})
	}
	if len(down) > 0 {
		m.emit(Cleared{Level: i, Ring: r, Why: RaisedAttempts, Devices: down})
	}
}

// troubled says whether so many installations have failed on d.
func (m *Machine) troubled(d int32, attempts int) bool {
	dev := &m.dev[d]
	if int(dev.attempts) < attempts || dev.flags&acked != 0 {
		return false
	}
	return dev.outcome == Failed || dev.state == waiting && dev.op == OpInstall
}

// calm says whether d gives no reason any more.
func (m *Machine) calm(d int32) bool {
	dev := &m.dev[d]
	return dev.flags&acked != 0 || dev.state == settled && dev.outcome != Failed && dev.outcome != RollbackFailed
}

func (m *Machine) applyRaised(e *Raised, is bool) {
	x := &m.raised
	switch e.Why {
	case RaisedFailed:
		x.failed[e.Ring].set(e.Level, is)
	case RaisedWaiting:
		x.waiting[e.Ring].set(e.Level, is)
	}
	for _, d := range e.Devices {
		l := x.devices[d]
		if l.set(e.Level, is); l == 0 {
			delete(x.devices, d)
		} else {
			x.devices[d] = l
		}
	}
}

// nextRaise tells when rings will have waited too long.
func (m *Machine) nextRaise(sooner func(int64)) {
	x := &m.raised
	for r := range x.since {
		if !m.waitsForPerson(r) {
			continue
		}
		for i := range m.plan.Policy.Escalation {
			if l := &m.plan.Policy.Escalation[i]; l.Waiting > 0 && !x.waiting[r].has(i) {
				sooner(x.since[r] + int64(l.Waiting))
			}
		}
	}
}

// raisedOf returns the names of the levels that are raised for ring r of the plan as a whole, in the order of the policy.
func (m *Machine) raisedOf(r int) []string {
	if m.raised.devices == nil {
		return nil
	}
	var names []string
	for i := range m.plan.Policy.Escalation {
		if m.raised.failed[r].has(i) || m.raised.waiting[r].has(i) {
			names = append(names, m.plan.Policy.Escalation[i].Name)
		}
	}
	return names
}

// raised says which levels are raised for d, and for its ring, and when the next one is.
func (x *Explanation) raised(m *Machine, d int32, at int64) {
	if m.raised.devices == nil {
		return
	}
	r := int(m.dev[d].ring)
	var names []string
	for i := range m.plan.Policy.Escalation {
		if m.raised.devices[d].has(i) || m.raised.failed[r].has(i) || m.raised.waiting[r].has(i) {
			names = append(names, m.plan.Policy.Escalation[i].Name)
		}
	}
	if len(names) > 0 {
		x.Reasons = append(x.Reasons, message("wait-raised", "levels", strings.Join(names, ", ")))
	}
	m.nextRaise(func(t int64) {
		if t > at {
			x.soonest(instant(t))
		}
	})
}

// tellRaised tells of a level that is raised or cleared.
func (p *Plan) tellRaised(code string, e *Raised) Message {
	level, ring := p.raisedPlace(e)
	devices := ""
	if len(e.Devices) > 0 {
		devices = p.names(e.Devices)
	}
	return message(code, "level", level, "ring", ring, "why", e.Why, "devices", devices)
}

// raisedPlace returns the names of the level and the ring of e, or their numbers if the plan has none.
func (p *Plan) raisedPlace(e *Raised) (level, ring string) {
	level, ring = strconv.Itoa(e.Level), strconv.Itoa(e.Ring)
	if e.Level >= 0 && e.Level < len(p.Policy.Escalation) {
		level = p.Policy.Escalation[e.Level].Name
	}
	if e.Ring >= 0 && e.Ring < len(p.Rings) {
		ring = p.Rings[e.Ring].Name
	}
	return level, ring
}

func (m *Machine) fitsRaised(e *Raised) error {
	if e.Level < 0 || e.Level >= len(m.plan.Policy.Escalation) || e.Ring < 0 || e.Ring >= len(m.rings) {
		return fmt.Errorf("raised or cleared: level %d of %d, ring %d of %d", e.Level, len(m.plan.Policy.Escalation), e.Ring, len(m.rings))
	}
	for _, d := range e.Devices {
		if d < 0 || int(d) >= len(m.dev) {
			return fmt.Errorf("raised or cleared: device %d of %d", d, len(m.dev))
		}
	}
	return nil
}
