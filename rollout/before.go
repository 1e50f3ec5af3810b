package rollout

import (
	"slices"
	"strconv"

	"github.com/patchflow/patchflow/patch"
)

// Looking says how it goes on with a device that was looked at before its first installation ([policy.RebootBefore]).
type Looking uint8

const (
	LookedUnknown Looking = iota // it is not known whether it waits for a restart: it is patched all the same
	LookedClear                  // it waits for none
	LookedPending                // it waits for one, which comes first
	LookedStill                  // it waits for one although it was restarted: it has failed, and nothing is installed there
)

// String returns the lower-case name.
func (l Looking) String() string {
	names := [...]string{"unknown", "clear", "pending", "still"}
	if int(l) < len(names) {
		return names[l]
	}
	return "looking " + strconv.Itoa(int(l))
}

// Looked says whether these devices wait for a restart, before anything is installed there, and what follows from that.
type Looked struct {
	Then    Looking
	Fault   patch.Fault // why it is not known; none if the device was looked at
	Devices []int32
}

func (Looked) kind() byte { return kindLooked }

func (v Looked) encode(e *encoder) {
	e.byte(byte(v.Then))
	e.byte(byte(v.Fault))
	e.devices(v.Devices)
}

func decodeLooked(d *decoder) Looked {
	return Looked{Then: Looking(d.byte()), Fault: patch.Fault(d.byte()), Devices: d.devices()}
}

// describe tells what was found.
func (v Looked) describe(p *Plan) Message {
	fault := ""
	if v.Fault != patch.NoFault {
		fault = v.Fault.String()
	}
	return message("looked-"+v.Then.String(), "devices", p.names(v.Devices), "fault", fault)
}

// looked is what is known of whether a device waits for a restart.
type looked struct {
	begun     int64 // when this session of the device was, if a look or an installation has begun it; 0 otherwise
	tries     uint8 // to look that count
	restarted bool  // it has come back from the restart before its installation, and was not looked at since
}

// lacksLook says whether a look comes before what is next on d: nothing was installed there, since it was made anew if it was.
func (m *Machine) lacksLook(d int32) bool {
	return m.looks != nil && (m.dev[d].flags&touched == 0 || m.dev[d].flags&renewed != 0)
}

// restartsBefore says whether a restart of d is next or under way that comes before its installation.
func (m *Machine) restartsBefore(d int32) bool { return m.dev[d].op == OpReboot && m.lacksLook(d) }

// prepares says whether a task of this kind on d comes before its installation.
func (m *Machine) prepares(d int32, op Op) bool {
	return op.prepares() || op == OpReboot && m.lacksLook(d)
}

// followLook decides what comes after a look at d.
func (m *Machine) followLook(d int32, r *TaskReport, fault patch.Fault) {
	dev, k := &m.dev[d], &m.looks[d]
	// That what is to be installed is missing, or is there and does not work, is an answer as well.
	seen := r.Phase == PhaseSucceeded || r.Phase == PhaseFailed && (fault == patch.NoFault || fault == patch.Permanent)
	if seen {
		fault = patch.NoFault
	}
	switch {
	case dev.flags&undone != 0: // made anew, and touched before
		m.next(d, OpRollback)
	case m.stage == StageEnding:
		m.settle(d, Cancelled, fault)
	case r.Phase == PhaseStopped:
		m.postpone(d, patch.NoFault, false, m.now)
	case seen && r.Reboot == patch.Yes && (k.restarted || dev.reboots >= rebootLimit):
		m.bins.looked(LookedStill, fault, d)
		m.settle(d, Failed, patch.Busy)
	case seen && r.Reboot == patch.Yes && (m.stage != StageActive || m.isWithdrawn(d)):
		m.postpone(d, patch.NoFault, false, m.now) // it is looked at again when its turn comes
	case seen && r.Reboot == patch.Yes:
		m.bins.looked(LookedPending, fault, d)
		m.restart(d)
	case seen && r.Reboot == patch.No:
		m.bins.looked(LookedClear, fault, d)
		m.lookedAt(d)
	case !seen && m.triesLeft(d, fault, k.tries):
		m.again(d, r, fault, int(k.tries), Skipped)
	default:
		m.bins.looked(LookedUnknown, fault, d)
		m.lookedAt(d)
	}
}

// lookedAt goes on with d, which need not be restarted, to its installation.
func (m *Machine) lookedAt(d int32) {
	switch {
	case m.looks[d].begun == 0: // its session has begun with the restart: it takes its turn as others do
		m.bins.postpone(bin{op: OpInstall}, d, m.now)
	case m.lacksPrecheck(d) && m.mayInstall(d):
		m.bins.add(bin{what: toIssue, op: OpPrecheck, startBy: m.hoursOf(d, m.groupOf(d)).closes(m.now)}, d)
	default:
		m.prepare(d)
	}
}

// followRestartBefore decides what comes after the restart of d before its installation: it is looked at again.
func (m *Machine) followRestartBefore(d int32, r *TaskReport, fault patch.Fault) {
	dev := &m.dev[d]
	switch {
	case m.stage == StageEnding:
		m.settle(d, Cancelled, fault)
	case m.isWithdrawn(d) && dev.flags&undone == 0:
		m.bins.postpone(bin{op: OpInstall}, d, m.now) // which does not come
	case r.Phase == PhaseStopped:
		m.postpone(d, patch.NoFault, false, m.now)
	case r.Phase == PhaseSucceeded, fault == patch.Unreachable: // a connection that is lost meanwhile is no failure
		m.next(d, OpLook)
	case dev.reboots >= rebootLimit || fault == patch.Permanent:
		m.settle(d, Failed, fault)
	default:
		m.postpone(d, fault, true, m.backoff(d, int(dev.tries), r.RetryAfter))
	}
}

// looked says what was found on d. It is said before what follows from it.
func (bs *bins) looked(then Looking, fault patch.Fault, d int32) {
	k := bin{what: toLook, looking: then, fault: fault}
	if !slices.ContainsFunc(bs.all, func(o bin) bool { return o.same(&k) }) {
		bs.all = slices.Insert(bs.all, 0, k)
	}
	bs.add(k, d)
}

// applyLooking notes that d is looked at.
func (m *Machine) applyLooking(d int32) {
	k := &m.looks[d]
	m.preparing++
	if k.begun != 0 {
		m.place(d)
	}
	if k.tries < 255 {
		k.tries++
	}
}

// applyUnlooked lets a device that could not be looked at wait for its installation, of which that look is a part.
func (m *Machine) applyUnlooked(d int32, spent bool) {
	m.dev[d].op = OpInstall
	if k := &m.looks[d]; !spent && k.tries > 0 {
		k.tries--
	}
}

func (m *Machine) applyLookedAt(e Looked) {
	for _, d := range e.Devices {
		m.looks[d].tries = 0
		if e.Then != LookedUnknown {
			m.looks[d].restarted = false
			if m.drains != nil {
				m.drains[d].disturbed = false // it has come back, and nothing was installed there
			}
		}
		if a := m.auxOf(d); a != nil && e.Then != LookedPending {
			a.delay = delay{} // the restart that was announced does not come
		}
	}
}

// applyRestarting notes that d is restarted.
func (m *Machine) applyRestarting(d int32) {
	if dev := &m.dev[d]; dev.reboots < 255 {
		dev.reboots++
	}
	if m.lacksLook(d) {
		m.preparing++
	}
}

// applyRestarted notes that d has come back from a restart before its installation, if it has.
func (m *Machine) applyRestarted(r *TaskReport) {
	if m.lacksLook(r.Device) {
		m.looks[r.Device].restarted = r.Phase == PhaseSucceeded
	}
}

// before adds to an explanation that d waits for the restart before its installation, or for a look whether it needs one.
func (x *Explanation) before(m *Machine, d int32) {
	if !m.lacksLook(d) {
		return
	}
	switch {
	case m.dev[d].op == OpReboot:
		x.Reasons = append(x.Reasons, message("wait-restart-before"))
	case m.looks[d].tries > 0:
		x.Reasons = append(x.Reasons, message("wait-look", "tries", strconv.Itoa(int(m.looks[d].tries)), "attempts", strconv.Itoa(m.retry.Attempts)))
	}
}
