package rollout

import (
	"slices"
	"time"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// Absence says which clock runs on a device that does not answer.
type Absence uint8

const (
	// AbsenceNone means that nothing says that the device is away.
	AbsenceNone Absence = iota
	// AbsenceQueued devices are unreachable, and nothing that this rollout has begun can be at work there: what they are to get waits for
	// them. Only they leave a rollout because of policy.Retry.OfflineDeadline.
	AbsenceQueued
	// AbsenceSilent devices are unreachable, or have not answered in time, and something that this rollout has begun may be at work there or
	// may have taken effect. What became of it is not known, so they are looked at before anything else, however long that takes.
	AbsenceSilent
)

func absenceNames() enum.Names { return enum.Names{"none", "queued", "silent"} }

// String returns the lower-case name, as used in JSON.
func (a Absence) String() string { return absenceNames().String("absence", int(a)) }

// MarshalText implements [encoding.TextMarshaler].
func (a Absence) MarshalText() ([]byte, error) { return absenceNames().Text("absence", int(a)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (a *Absence) UnmarshalText(text []byte) error {
	v, err := absenceNames().Parse("absence", text)
	if err == nil {
		*a = Absence(v)
	}
	return err
}

// absences are what a machine knows of devices that do not answer.
type absences struct {
	is     []Absence // by device
	rings  []tallyOfAbsent
	firsts []int64 // by device: when it was first found unreachable; 0 for never; nil if the policy has no deadline for it
}

// A tallyOfAbsent is how many devices of a ring do not answer.
type tallyOfAbsent struct{ queued, silent int }

func newAbsences(p *Plan, r policy.Retry) absences {
	a := absences{is: make([]Absence, len(p.Devices)), rings: make([]tallyOfAbsent, len(p.Rings))}
	if r.OfflineDeadline > 0 {
		a.firsts = make([]int64, len(p.Devices))
	}
	return a
}

// join makes room for one device more.
func (a *absences) join() {
	a.is = append(a.is, AbsenceNone)
	if a.firsts != nil {
		a.firsts = append(a.firsts, 0)
	}
}

// mayHold says whether something that was begun on d may be at work there or may have taken effect.
func (m *Machine) mayHold(d int32) bool {
	dev := &m.dev[d]
	if m.awaits(d) || dev.flags&(undone|absent) != 0 {
		return true
	}
	switch dev.op {
	case OpVerify, OpProbe, OpRollback:
		return true
	case OpReboot:
		return !m.lacksLook(d)
	}
	return false
}

// lostAmid says whether d was lost while the task that it was at last was running: that may have come to something, and may be at work still.
// Nothing is tried again before it was looked at.
func (m *Machine) lostAmid(d int32) bool {
	a := m.auxOf(d)
	return a != nil && len(a.unended) > 0 && a.unended[len(a.unended)-1].seq == m.dev[d].seq
}

// noteAbsences takes in what an event that was applied says of who is away. A try that has begun says nothing: its answer does.
func (m *Machine) noteAbsences(e Event) {
	switch e := e.(type) {
	case Answered:
		for i := range e.Reports {
			if r := &e.Reports[i]; r.Phase != PhaseFailed || r.Fault != patch.Unreachable {
				m.isAway(r.Device, AbsenceNone)
			}
		}
	case TimedOut:
		for _, d := range e.Devices {
			if m.mayHold(d) {
				m.isAway(d, AbsenceSilent)
			}
		}
	case Postponed:
		for _, d := range e.Devices {
			if m.dev[d].offline == 0 {
				continue
			}
			if first := m.absences.firsts; first != nil && first[d] == 0 {
				first[d] = m.now
			}
			m.reckonAway(d)
		}
	case PutBack:
		for _, d := range e.Devices {
			if e.Resumes && m.dev[d].offline != 0 {
				m.reckonAway(d)
			}
		}
	case Late:
		for i := range e.Reports {
			if r := &e.Reports[i]; r.Ends() && r.Device >= 0 && int(r.Device) < len(m.dev) {
				m.reckonAway(r.Device)
			}
		}
	case UndoBegan:
		for _, d := range e.Devices {
			if m.absences.is[d] == AbsenceQueued {
				m.reckonAway(d)
			}
		}
	case Returned:
		m.areBack(e.Devices)
	case DeviceSettled:
		m.areBack(e.Devices)
	case Departed:
		if e.How == Retired || e.How == Moved {
			m.areBack(e.Devices)
		}
	case Reopened:
		m.areBack(e.Devices)
		m.forgetAways(e.Devices)
	case Retried:
		m.forgetAways(e.Devices)
	}
}

func (m *Machine) applyLapsed(e *Lapsed) {
	for _, d := range e.Devices {
		m.dev[d].flags = m.dev[d].flags&^lapsing | gone
		m.lapse(d, 1)
		if m.dev[d].flags&undone == 0 {
			m.free(d) // nobody keeps a place for it
		}
	}
	m.dirty = true
}

// reckonAway works out anew which clock runs on d.
func (m *Machine) reckonAway(d int32) {
	switch {
	case m.dev[d].offline != 0 && m.mayHold(d), m.absences.is[d] == AbsenceSilent && m.awaits(d):
		m.isAway(d, AbsenceSilent)
	case m.dev[d].offline != 0:
		m.isAway(d, AbsenceQueued)
	default:
		m.isAway(d, AbsenceNone)
	}
}

func (m *Machine) areBack(ds []int32) {
	for _, d := range ds {
		m.isAway(d, AbsenceNone)
	}
}

// isAway notes which clock runs on d.
func (m *Machine) isAway(d int32, a Absence) {
	n, is := &m.absences.rings[m.dev[d].ring], &m.absences.is[d]
	n.add(*is, -1)
	n.add(a, 1)
	*is = a
	if at, ok := m.leavesAt(d); ok {
		m.setTimer(d, max(at, m.now))
	}
}

func (n *tallyOfAbsent) add(a Absence, by int) {
	switch a {
	case AbsenceQueued:
		n.queued += by
	case AbsenceSilent:
		n.silent += by
	}
}

// forgetAways lets the clocks of devices that begin anew begin anew.
func (m *Machine) forgetAways(ds []int32) {
	for _, d := range ds {
		if m.absences.firsts != nil {
			m.absences.firsts[d] = 0
		}
	}
}

// delayAways gives devices the time back in which the rollout was not active since from: nobody has tried them.
func (m *Machine) delayAways(from int64) {
	for d, first := range m.absences.firsts {
		if first == 0 {
			continue
		}
		m.absences.firsts[d] = first + m.now - max(from, first)
		if at, ok := m.leavesAt(int32(d)); ok {
			m.setTimer(int32(d), max(at, m.now))
		}
	}
}

// leavesAt returns when d, which is away, leaves the rollout if it is not heard of before, and whether it does.
func (m *Machine) leavesAt(d int32) (int64, bool) {
	if m.absences.firsts == nil || m.absences.is[d] != AbsenceQueued || m.absences.firsts[d] == 0 {
		return 0, false
	}
	return m.absences.firsts[d] + int64(m.retry.OfflineDeadline), true
}

// awaitsAway says whether a device is away that leaves at its deadline: until then the rollout waits for it.
func (m *Machine) awaitsAway() bool {
	return m.absences.firsts != nil && slices.ContainsFunc(m.absences.rings, func(n tallyOfAbsent) bool { return n.queued > 0 })
}

// expires says whether a timer tells that its device has been away until its deadline, and leaves: one that is put back into service does
// so after that.
func (m *Machine) expires(t timer) bool {
	at, ok := m.leavesAt(t.device)
	return ok && t.at >= at && m.stage == StageActive && m.dev[t.device].offline != 0 && m.dev[t.device].op != OpUncordon
}

// giveUp lets d go, which has been away until its deadline. A failure there is not hidden by that.
func (m *Machine) giveUp(d int32) {
	m.dev[d].flags |= picked
	if m.begunOn(d) > 0 {
		m.settle(d, Failed, patch.Unreachable)
	} else {
		m.settle(d, Away, patch.Unreachable)
	}
}

// absence returns which clock runs on d, and since when.
func (m *Machine) absence(d int32) (Absence, time.Time) {
	a := m.absences.is[d]
	switch {
	case a == AbsenceNone:
		return a, time.Time{}
	case m.dev[d].offline != 0:
		return a, instant(m.dev[d].offline)
	}
	if x := m.auxOf(d); x != nil && m.awaits(d) {
		return a, instant(x.since)
	}
	return a, instant(m.dev[d].issued)
}

// away adds to an explanation that d does not answer, and what that means for it.
func (x *Explanation) away(m *Machine, d int32) {
	is, since := m.absence(d)
	switch {
	case is == AbsenceQueued:
		until := ""
		if at, ok := m.leavesAt(d); ok && m.stage == StageActive {
			until = clock(instant(at))
			x.soonest(instant(at))
		}
		x.Reasons = append(x.Reasons, message("wait-offline", "since", clock(since), "until", until))
	case is == AbsenceSilent && m.dev[d].offline != 0:
		x.Reasons = append(x.Reasons, message("wait-silent", "since", clock(since)))
	case is == AbsenceSilent:
		x.Reasons = append(x.Reasons, message("wait-unanswered", "since", clock(since)))
	}
}
