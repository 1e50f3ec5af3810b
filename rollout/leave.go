package rollout

import (
	"errors"
	"fmt"
	"time"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/inventory"
)

// ErrLeave is wrapped by the error for a departure that makes no sense. Nothing was changed.
var ErrLeave = errors.New("device cannot leave")

// Left says that devices are no longer what they were when the plan was made. All of these departures are taken in, or, with an error that
// wraps [ErrLeave], none. One that is known already says nothing new, but for [Reimaged], which is another time each time.
//
// A rollout that is over takes in only that devices are retired or moved which it has left disrupted: they use up no budget any more, as if
// somebody had acknowledged them. All else is passed over there; with nothing of that kind the error wraps [ErrFinal].
//
// There are four cases, and a host that cannot tell which one it is has none of them: a device that is merely silent is unreachable
// ([policy.Retry]), and nothing is known of it.
type Left struct {
	At         time.Time
	Departures []Departure
}

func (s Left) when() time.Time { return s.At }

// A Departure is one device that has left, or has become another.
type Departure struct {
	Device inventory.DeviceID
	How    Leaving
	Ring   string // with Relabelled: the ring that would take it now; "" for none
	By     string // who says so
	Reason string
}

// Leaving is how a device leaves.
type Leaving uint8

const (
	// LeavingUnknown is no departure.
	LeavingUnknown Leaving = iota
	// Retired devices are no longer there. Without an outcome they are settled as [Gone]: they leave every denominator, and give their
	// place and their budget back at once. An installation, a download or a backup that runs is asked to stop. An outcome that is known
	// stands. They are not rolled back.
	Retired
	// Moved devices belong to another tenant. They are settled as Retired ones are, but nothing is asked of them any more, not even to
	// stop, and what they report from then on is passed over. Where they went is not for this rollout to know.
	Moved
	// Relabelled devices would come into another ring by what they are now. They stay where they are: leave was given for the devices of
	// the plan, and a gate out of whose denominator a device can be taken by a label proves nothing. Whoever does not want the device
	// to be patched in its ring skips it ([DoSkip]).
	Relabelled
	// Reimaged devices have kept their ID, and nothing else. An earlier outcome says nothing of the new installation, nor do attempts,
	// samples and backups: the device begins anew in its ring, under the same windows, limits, rates and budgets as all others. It is
	// settled as [Gone] if nothing may be installed there any more: the rollout is ending or being rolled back, the device was to be, or what
	// it gets is withdrawn or in quarantine. A device that was skipped, cancelled or rolled back stays so.
	Reimaged
)

func leavingNames() enum.Names {
	return enum.Names{"unknown", "retired", "moved", "relabelled", "reimaged"}
}

// String returns the lower-case name, as used in JSON.
func (l Leaving) String() string { return leavingNames().String("leaving", int(l)) }

// MarshalText implements [encoding.TextMarshaler].
func (l Leaving) MarshalText() ([]byte, error) { return leavingNames().Text("leaving", int(l)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (l *Leaving) UnmarshalText(text []byte) error {
	v, err := leavingNames().Parse("leaving", text)
	if err == nil {
		*l = Leaving(v)
	}
	return err
}

// Departed says that these devices have left in the same way. What follows from it is in the events after it.
type Departed struct {
	How     Leaving
	By      string
	Reason  string
	Devices []int32
	Amid    []int32  // of these: at which a task was running
	Rings   []string // with Relabelled, by device: the ring that would take it now; "" for none
}

// Reopened says that what was known of these devices is true no more: they have no outcome, no attempts, samples or backups, and begin anew
// unless they are settled at once.
type Reopened struct{ Devices []int32 }

func (Departed) kind() byte { return kindDeparted }
func (Reopened) kind() byte { return kindReopened }

func (v Departed) encode(e *encoder) {
	e.byte(byte(v.How))
	e.string(v.By)
	e.string(v.Reason)
	e.devices(v.Devices)
	e.devices(v.Amid)
	e.uint(uint64(len(v.Rings)))
	for _, r := range v.Rings {
		e.string(r)
	}
}

func (v Reopened) encode(e *encoder) { e.devices(v.Devices) }

func decodeDeparted(d *decoder) Departed {
	v := Departed{How: Leaving(d.byte()), By: d.string(), Reason: d.string(), Devices: d.devices(), Amid: d.devices()}
	if n := d.count(1); n > 0 {
		v.Rings = make([]string, n)
		for i := range v.Rings {
			v.Rings[i] = d.string()
		}
	}
	return v
}

// departs takes departures in, or refuses them all.
func (m *Machine) departs(all []Departure) error {
	var events []Departed
	named := make(map[inventory.DeviceID]bool, len(all))
	for i := range all {
		x := &all[i]
		no := func(format string, args ...any) error {
			return fmt.Errorf("rollout: %s: %w: device %s: "+format, append([]any{m.plan.Key, ErrLeave, x.Device}, args...)...)
		}
		n, known := m.plan.Find(x.Device)
		d := int32(n)
		switch {
		case !known:
			return no("it is not in the plan")
		case named[x.Device]:
			return no("it stands twice")
		case x.How == LeavingUnknown || x.How > Reimaged:
			return no("%s is no way to leave", x.How)
		case x.Ring != "" && x.How != Relabelled:
			return no("ring %s, and it is %s", x.Ring, x.How)
		}
		named[x.Device] = true
		switch left := m.dev[d].left(); {
		case left == x.How, x.How == Relabelled && left == LeavingUnknown && m.strayed(d, x.Ring):
			continue // known already
		case left != LeavingUnknown:
			return no("it is %s already", left)
		}
		at := 0
		for at < len(events) && (events[at].How != x.How || events[at].By != x.By || events[at].Reason != x.Reason) {
			at++
		}
		if at == len(events) {
			events = append(events, Departed{How: x.How, By: x.By, Reason: x.Reason})
		}
		e := &events[at]
		e.Devices = append(e.Devices, d)
		if m.dev[d].state == running {
			e.Amid = append(e.Amid, d)
		}
		if x.How == Relabelled {
			e.Rings = append(e.Rings, x.Ring)
		}
	}
	for i := range events {
		switch events[i].How {
		case Retired, Moved:
			m.gone(events[i])
		case Reimaged:
			m.anew(events[i])
		default:
			m.emit(events[i])
		}
	}
	return nil
}

// departsAfter takes in which devices, that a rollout which is over has left disrupted, are there no more.
func (m *Machine) departsAfter(all []Departure) error {
	known := false
	for i := range all {
		x := &all[i]
		n, ok := m.plan.Find(x.Device)
		if d := int32(n); ok && (x.How == Retired || x.How == Moved) {
			known = known || m.dev[d].left() == x.How
			if m.disrupted(d) && m.dev[d].left() == LeavingUnknown {
				m.emit(Departed{How: x.How, By: x.By, Reason: x.Reason, Devices: []int32{d}})
				known = true
			}
		}
	}
	if !known {
		return fmt.Errorf("rollout: %s: departures: %w", m.plan.Key, ErrFinal)
	}
	return nil
}

// strayed says whether it is known that d would come into that ring now.
func (m *Machine) strayed(d int32, ring string) bool {
	now, known := m.strays[d]
	return known && now == ring
}

// gone lets devices go that are not, or are no longer ours.
func (m *Machine) gone(e Departed) {
	var asked, open []int32
	for _, d := range e.Devices {
		if dev := &m.dev[d]; dev.state != settled {
			open = append(open, d)
			if e.How == Retired && m.mayStop(d) {
				asked = append(asked, d)
			}
		}
	}
	m.emit(e)
	if len(asked) > 0 {
		m.emit(StopAsked{Devices: asked})
		m.batch.Actions = append(m.batch.Actions, Stop{asked})
	}
	if len(open) > 0 {
		m.emit(DeviceSettled{Outcome: Gone, Devices: open})
	}
}

// anew begins anew with devices that have kept nothing but their ID.
func (m *Machine) anew(e Departed) {
	var begins, ends []int32
	for _, d := range e.Devices {
		dev := &m.dev[d]
		switch dev.outcome {
		case Skipped, Cancelled, RolledBack, Gone, Away:
			continue // a decision, and it holds
		case Superseded:
			if dev.seq == 0 {
				continue // by another rollout, which is told, too
			}
		}
		over := dev.flags&undone != 0 || m.stage == StageEnding || m.stage == StageUndoing || m.isWithdrawn(d) || m.isQuarantined(d)
		if dev.seq > 0 {
			begins = append(begins, d)
		}
		if over {
			ends = append(ends, d)
		}
	}
	m.emit(e)
	if len(begins) > 0 {
		m.emit(Reopened{begins})
	}
	if len(ends) > 0 {
		m.emit(DeviceSettled{Outcome: Gone, Devices: ends})
		m.keptOut(ends)
	}
}

// isQuarantined says whether something that d is to get is kept from it because it was rolled back.
func (m *Machine) isQuarantined(d int32) bool {
	_, held := m.inQuarantine(&m.plan.Contents[m.plan.Content[d]], &Joiner{Device: m.plan.Devices[d]})
	return held
}

func (m *Machine) applyDeparted(e Departed) {
	for i, d := range e.Devices {
		dev := &m.dev[d]
		switch e.How {
		case Relabelled:
			if m.strays == nil {
				m.strays = make(map[int32]string)
			}
			m.strays[d] = e.Rings[i]
			continue
		case Reimaged:
			m.beside.leaves(d)
			continue
		case Retired:
			dev.flags |= retired
		case Moved:
			dev.flags |= foreign
		default:
			continue
		}
		if dev.state == running {
			m.breakOff(d)
			dev.state = answered
		}
		if dev.state == settled && m.disrupted(d) {
			dev.flags |= acked // nobody can mend it here any more
			m.raised.note(d)
			m.batch.Freed = append(m.batch.Freed, d)
		}
		m.reckon(d)
	}
	m.dirty = true
}

// breakOff counts the task of d no more, which runs and of which nobody waits for the end.
func (m *Machine) breakOff(d int32) {
	switch {
	case m.dev[d].op == OpDownload:
		m.loading--
	case m.prepares(d, m.dev[d].op):
		m.preparing--
	}
}

// reopen forgets all that is known of d, but for how many tasks it had.
func (m *Machine) reopen(d int32) {
	dev := &m.dev[d]
	if w := m.rings[dev.ring].weighing; w != nil {
		m.count(w) // while its fate is not open again
	}
	before := m.weighBefore(d)
	if dev.state == running {
		m.breakOff(d)
	}
	if dev.flags&session == 0 && m.disrupted(d) {
		m.batch.Freed = append(m.batch.Freed, d)
	}
	m.free(d)
	m.circuits.settled(m.plan, d)
	m.back(d)
	m.endRetry(d)
	m.forgetHands(d)
	m.unplace(d)
	if a := m.auxOf(d); a != nil {
		a.unended = nil // nothing runs on through a new image
	}
	m.dropAux(d)
	if dev.state == settled {
		m.rings[dev.ring].counts[dev.outcome]--
		m.unsettled++
	}
	if dev.flags&undone != 0 {
		m.undoing--
	}
	dev.flags &^= undone | absent | already | unsure | owes | stopped | excused | acked | unwell
	dev.flags |= renewed
	dev.state, dev.op, dev.phase, dev.due, dev.startBy = waiting, OpInstall, PhaseUnknown, m.now, 0
	dev.outcome, dev.former, dev.fault = Unsettled, Unsettled, 0
	dev.attempts, dev.tries, dev.busy, dev.reboots, dev.late = 0, 0, 0, 0, 0
	if m.backups != nil {
		m.backups[d] = saved{}
	}
	if m.probes != nil {
		m.probes[d] = probed{}
	}
	if m.looks != nil {
		m.looks[d] = looked{}
	}
	if m.cures != nil {
		m.cures[d] = cure{}
	}
	m.reopenDrain(d)
	if m.firsts != nil {
		m.firsts[d] = 0
		clear(m.vitalsOf(d))
	}
	m.reweigh(d, before)
	m.reckon(d)
	m.raised.note(d)
	m.tellHost(d)
	m.setTimer(d, m.now)
}

// left says how a device has left for good.
func (d *device) left() Leaving {
	switch {
	case d.flags&foreign != 0:
		return Moved
	case d.flags&retired != 0:
		return Retired
	}
	return LeavingUnknown
}

// abandoned says whether d has left while a task was running that was asked to stop and is not known to have ended.
func (m *Machine) abandoned(d int32) bool {
	return m.dev[d].flags&(retired|stopped) == retired|stopped
}

// Stopping returns the task of device d that is to be stopped, and whether there is one: the one that it is at, or that it was at when it
// was [Retired].
func (m *Machine) Stopping(d int32) (Task, bool) {
	if d < 0 || int(d) >= len(m.dev) || m.dev[d].state != running && !m.abandoned(d) {
		return Task{}, false
	}
	return m.task(d), true
}

// left adds to an explanation that a device has left, or has changed.
func (x *Explanation) left(m *Machine, d int32) {
	switch m.dev[d].left() {
	case Retired:
		x.Reasons = append(x.Reasons, message("has-retired"))
	case Moved:
		x.Reasons = append(x.Reasons, message("has-moved"))
	default:
		if ring, strayed := m.strays[d]; strayed && ring != x.Ring {
			x.Reasons = append(x.Reasons, message("would-move", "ring", otherRing(ring), "own", x.Ring))
		}
	}
}

func otherRing(name string) string {
	if name == "" {
		return "none of the rings"
	}
	return "ring " + name
}

// tellDeparted tells who has left and how.
func (p *Plan) tellDeparted(e *Departed) []Message {
	who := []string{"by", e.By, "reason", e.Reason}
	if e.How != Relabelled {
		return []Message{message("left-"+e.How.String(), append(who, "devices", p.names(e.Devices), "amid", p.names(e.Amid))...)}
	}
	var ms []Message
	told := make(map[string]bool)
	for _, ring := range e.Rings {
		if told[ring] {
			continue
		}
		told[ring] = true
		var ds []int32
		for i, d := range e.Devices {
			if e.Rings[i] == ring {
				ds = append(ds, d)
			}
		}
		ms = append(ms, message("left-relabelled", append(who, "devices", p.names(ds), "ring", otherRing(ring))...))
	}
	return ms
}
