package rollout

import (
	"math"
	"slices"
	"strconv"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

func (m *Machine) applyUndo(e UndoBegan) {
	if m.undoing == 0 {
		m.undid = undoing{}
	}
	m.undid.now = m.undid.now || e.Now
	if e.Now {
		m.hasten()
	}
	for _, d := range e.Devices {
		dev := &m.dev[d]
		if dev.flags&undone != 0 {
			continue
		}
		before := m.weighBefore(d)
		m.endRetry(d)
		m.drainAnew(d)
		dev.flags |= undone
		if m.awaits(d) {
			m.auxOf(d).since = m.now
		}
		m.undoing++
		m.undid.devices++
		switch dev.state {
		case settled:
			m.rings[dev.ring].counts[dev.outcome]--
			m.unsettled++
			dev.former, dev.outcome = dev.outcome, Unsettled
			m.reckon(d)
			m.toUndo(d)
			m.tellHost(d)
		case waiting:
			m.toUndo(d)
		}
		m.reweigh(d, before)
	}
	m.dirty = true
}

// toUndo makes a device that is at nothing wait for its rollback.
func (m *Machine) toUndo(d int32) {
	dev := &m.dev[d]
	dev.state, dev.op, dev.due, dev.tries = waiting, OpRollback, m.now, 0
	dev.flags &^= absent | already
	if dev.flags&session == 0 {
		m.undo[dev.ring] = append(m.undo[dev.ring], Handle{Device: d, Seq: dev.seq})
	} else {
		m.setTimer(d, m.now)
	}
}

// hasten lets restarts that rollbacks take effect by begin which wait for their time, their window, or the end of a quiet time.
func (m *Machine) hasten() {
	for d := range m.dev {
		if dev := &m.dev[d]; dev.state == waiting && dev.op == OpReboot && dev.flags&absent != 0 && dev.fault == patch.NoFault && dev.due > m.now {
			dev.due = m.now
			m.setTimer(int32(d), m.now)
		}
	}
}

// An undoing is where the rollbacks of a rollout stand.
type undoing struct {
	devices int   // that were to be rolled back since the last time that a person decided, or that nobody was
	failed  int   // of these
	halted  bool  // no other rollback begins
	from    Stage // the stage before
	now     bool  // windows are not waited for
}

// UndoHalted says that more rollbacks have failed than the policy lets: none is begun any more until a person decides.
type UndoHalted struct {
	Failed int
	Of     int   // devices that were to be rolled back
	From   Stage // the stage before, which comes again when a person resumes
}

func (UndoHalted) kind() byte { return kindUndoHalted }

func (v UndoHalted) encode(e *encoder) { e.int(v.Failed); e.int(v.Of); e.byte(byte(v.From)) }

func decodeUndoHalted(d *decoder) UndoHalted {
	return UndoHalted{Failed: d.int(), Of: d.int(), From: Stage(d.byte())}
}

// undoFails says whether too many rollbacks have failed.
func (m *Machine) undoFails() bool {
	p, u := &m.plan.Policy.Rollback, &m.undid
	return p.MaxFailed != 0 && u.failed*10000 > int(p.MaxFailed)*u.devices || p.MaxFailures != 0 && u.failed > p.MaxFailures
}

// judgeUndo halts the rollbacks when too many have failed, and says whether it did.
func (m *Machine) judgeUndo() bool {
	u := &m.undid
	if !m.undoFails() || u.halted || m.undoing == 0 || m.stage == StageEnding {
		return false
	}
	m.emit(UndoHalted{Failed: u.failed, Of: u.devices, From: m.stage})
	m.halt("rollback", Command{})
	return true
}

// failedFirst settles the devices whose rollback has failed in this step before another rollback is begun by it, as they may be too many: then
// those that were to begin wait.
func (m *Machine) failedFirst() {
	begins := func(b bin) bool { return b.what == toIssue && b.op == OpRollback }
	fails := func(b bin) bool { return b.what == toSettle && b.outcome == RollbackFailed }
	all := m.bins.all
	if p := &m.plan.Policy.Rollback; p.MaxFailed == 0 && p.MaxFailures == 0 || !slices.ContainsFunc(all, begins) || !slices.ContainsFunc(all, fails) {
		return
	}
	for i := range all {
		if fails(all[i]) {
			m.settles(&all[i])
		}
	}
	m.bins.all = slices.DeleteFunc(all, fails)
	if !m.undoFails() {
		return
	}
	var waits []int32
	for _, b := range m.bins.all {
		if begins(b) {
			waits = append(waits, b.devices...)
		}
	}
	m.bins.all = slices.DeleteFunc(m.bins.all, begins)
	for _, d := range waits {
		m.bins.postpone(bin{op: OpRollback, spent: true, frees: true}, d, m.now)
	}
}

// resumeUndo goes on with the rollbacks that were halted.
func (m *Machine) resumeUndo(c Command) {
	e := Staged{Stage: m.undid.from, Code: "command", By: c.By, Reason: c.Reason}
	if e.Stage == StageUndoing {
		e.Ending = StageUndone
	}
	m.emit(e)
}

// applyUndoStaged takes in that a person lets the rollbacks go on that were halted.
func (m *Machine) applyUndoStaged(e *Staged) {
	if m.undid.halted && e.By != "" && e.Stage != StageHalted {
		m.undid = undoing{devices: m.undoing, now: m.undid.now}
	}
}

// mayUndo says whether a rollback may begin on d at now.
func (m *Machine) mayUndo(d int32, now int64) bool {
	return !m.undid.halted && m.undoWindow(d, now)
}

// undoWindow says whether the window of d is open at now for a rollback, or need not be.
func (m *Machine) undoWindow(d int32, now int64) bool {
	return !m.plan.Policy.Rollback.InWindows || m.undid.now || m.why == byStop || m.groupOf(d).open(now)
}

// undoLater makes d, whose rollback is next, wait if it may not begin now.
func (m *Machine) undoLater(d int32) bool {
	if m.mayUndo(d, m.now) {
		return false
	}
	until := m.now
	if g := m.groupOf(d); !m.undoWindow(d, m.now) && g.from != math.MaxInt64 {
		until = g.from
	}
	m.bins.postpone(bin{op: OpRollback, spent: true, frees: true}, d, until)
	return true
}

// restartUndone restarts d, whose rollback takes effect by that only: with rollback.inWindows when restarts may begin, and without
// whenever the rollback itself might. It is announced as any other, and keeps quiet times, but in an emergency. What may not be
// restarted is looked at as it is.
func (m *Machine) restartUndone(d int32) {
	h, k := &m.groupOf(d).restarts, bin{op: OpReboot, absent: true, spent: true}
	emergency := m.undid.now || m.why == byStop
	free := !m.plan.Policy.Rollback.InWindows || emergency || h.open(m.now)
	until, quiet := m.isQuiet(d, m.now)
	quiet = quiet && !emergency
	switch {
	case m.reboot.Mode == policy.RebootNever, m.stage == StageEnding, m.dev[d].reboots >= rebootLimit, !free && h.from == math.MaxInt64, quiet && until == 0:
		m.verifyGone(d)
	case quiet:
		m.bins.postpone(k, d, until)
	case !emergency && m.announce(d, k):
	case free:
		m.bins.add(bin{what: toIssue, op: OpReboot, absent: true}, d)
	default:
		m.bins.postpone(k, d, h.from)
	}
}

// followRestartUndone decides what comes after the restart that a rollback needed.
func (m *Machine) followRestartUndone(d int32, r *TaskReport, fault patch.Fault) {
	dev := &m.dev[d]
	if r.Phase == PhaseSucceeded || fault == patch.Unreachable || fault == patch.Permanent || dev.reboots >= rebootLimit || m.stage == StageEnding {
		m.verifyGone(d) // a connection that is lost meanwhile is no failure
		return
	}
	m.postpone(d, fault, true, m.backoff(d, int(dev.tries), r.RetryAfter))
}

// nextUndo tells when the windows open in which rollbacks may begin that wait for them.
func (m *Machine) nextUndo(turn func(*hours)) {
	if !m.plan.Policy.Rollback.InWindows || m.undid.now || m.why == byStop || m.undid.halted || m.undoing == 0 {
		return
	}
	for r := range m.undo {
		for len(m.undo[r]) > 0 && !m.wantsUndo(m.undo[r][0]) {
			m.undo[r] = m.undo[r][1:]
		}
		for i := m.rings[r].groups[0]; len(m.undo[r]) > 0 && i < m.rings[r].groups[1]; i++ {
			turn(&m.groups[i].hours)
		}
	}
}

// hurry lets the rollbacks that are decided begin without their windows.
func (m *Machine) hurry(c Command, scope string) bool {
	if !c.Now || m.undoing == 0 || m.undid.now {
		return false
	}
	m.emit(UndoBegan{Scope: scope, By: c.By, Reason: c.Reason, Now: true})
	return true
}

// undo says what keeps the rollback of d back.
func (x *Explanation) undo(m *Machine, d int32, at int64) {
	if m.dev[d].op != OpRollback {
		return
	}
	if u := &m.undid; u.halted {
		x.Reasons = append(x.Reasons, message("wait-undo", "failed", strconv.Itoa(u.failed), "of", strconv.Itoa(u.devices)))
	}
	if g := m.groupOf(d); !m.undoWindow(d, at) {
		x.Reasons = append(x.Reasons, message("wait-window", "at", clock(instant(g.from))))
		x.soonest(instant(g.from))
	}
}
