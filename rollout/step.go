package rollout

import (
	"container/heap"
	"math"
	"slices"
	"time"

	"github.com/patchflow/patchflow/internal/xxh64"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// lateLimit is how many reports that change nothing are written down for one device: a device that repeats itself for
// ever must not fill the journal.
const lateLimit = 16

// rebootLimit is how often one device is restarted by one rollout: a loop must break.
const rebootLimit = 3

// reported takes reports in, and decides for each device whose task has ended what follows.
func (m *Machine) reported(reports []TaskReport) {
	m.bins.reset()
	taken := reports[:0:0]
	var late []TaskReport
	all := true
	for i := range reports {
		r := &reports[i]
		switch m.classify(r) {
		case reportTaken:
			if r.Phase.Last() {
				m.dev[r.Device].flags |= picked
			}
			if !all {
				taken = append(taken, *r)
			}
			continue
		case reportLate:
			late = append(late, *r)
		}
		if all { // the first that is left out: from here on a copy is made
			all = false
			taken = append(taken, reports[:i]...)
		}
	}
	if all {
		taken = reports
	}
	if len(late) > 0 {
		m.emit(Late{late})
	}
	if len(taken) == 0 {
		return
	}
	m.batch.Events = slices.Grow(m.batch.Events, 2) // mostly this one, and one that says what follows for all of them
	m.emit(Answered{taken})
	for i := range taken {
		if taken[i].Phase.Last() {
			m.follow(&taken[i])
		}
	}
	m.flush()
}

type reportClass uint8

const (
	reportIdle  reportClass = iota // says nothing new
	reportTaken                    // about the task that is running
	reportLate                     // about another one, or one that has ended
)

func (m *Machine) classify(r *TaskReport) reportClass {
	if r.Device < 0 || int(r.Device) >= len(m.dev) || r.Phase == PhaseUnknown || r.Phase > PhaseStopped {
		return reportIdle
	}
	dev := &m.dev[r.Device]
	if dev.state == running && r.Seq == dev.seq && dev.flags&picked == 0 {
		if r.Phase.Last() || r.Phase > dev.phase {
			return reportTaken
		}
		a := m.auxOf(r.Device)
		if r.Ref != "" && (a == nil || a.ref != r.Ref) || r.BootID != "" && (a == nil || a.boot != r.BootID) {
			return reportTaken
		}
		return reportIdle
	}
	if dev.flags&foreign != 0 {
		return reportIdle // what another tenant's device does is not ours
	}
	if _, ends := m.endOf(r); ends {
		return reportLate
	}
	if !r.Phase.Last() || r.Seq > dev.seq || dev.late >= lateLimit {
		return reportIdle
	}
	if r.Seq == dev.seq && (r.Phase == dev.phase || dev.flags&picked != 0) {
		return reportIdle // the same again
	}
	return reportLate
}

// follow decides what comes after the last report of a task.
func (m *Machine) follow(r *TaskReport) {
	d := r.Device
	dev := &m.dev[d]
	fault := r.Fault
	if r.Phase == PhaseFailed && fault == patch.NoFault && dev.op != OpVerify && dev.op != OpLook {
		fault = patch.Transient
	}
	if r.Phase == PhaseStopped && (dev.op == OpVerify || dev.op == OpProbe || dev.op == OpUncordon) {
		fault = patch.Transient // it did not look, or nothing
	}
	switch dev.op {
	case OpDownload:
		m.bins.add(bin{what: toLoad, failed: r.Phase != PhaseSucceeded && !fault.Done(), fault: r.Fault}, d)
	case OpLook:
		m.followLook(d, r, fault)
	case OpPrecheck:
		m.followPrecheck(d, r, fault)
	case OpBackup:
		m.followBackup(d, r, fault)
	case OpRemedy:
		m.followRemedy(d, r, fault)
	case OpDrain:
		m.followDrain(d, r, fault)
	case OpUncordon:
		m.followReturn(d, r, fault)
	case OpProbe:
		m.followProbe(d, r, fault)
	case OpInstall:
		m.followInstall(d, r, fault)
	case OpReboot:
		switch {
		case m.lacksLook(d):
			m.followRestartBefore(d, r, fault)
		case dev.flags&absent != 0:
			m.followRestartUndone(d, r, fault)
		case r.Phase == PhaseSucceeded, dev.flags&undone != 0, fault == patch.Unreachable:
			m.next(d, OpVerify) // a connection that is lost meanwhile is no failure: what is true is asked next
		case dev.reboots >= rebootLimit || fault == patch.Permanent || m.stage == StageEnding:
			m.settle(d, Failed, fault)
		default:
			m.postpone(d, fault, true, m.backoff(d, int(dev.tries), r.RetryAfter))
		}
	case OpVerify:
		m.followVerify(d, r, fault)
	case OpRollback:
		switch {
		case r.Phase == PhaseSucceeded && r.Reboot == patch.Yes:
			m.restartUndone(d)
		case r.Phase == PhaseSucceeded, fault.Done():
			m.verifyGone(d)
		case fault == patch.Permanent || fault == patch.Untrusted:
			m.settle(d, RollbackFailed, fault)
		default:
			m.again(d, r, fault, int(dev.tries), RollbackFailed)
		}
	}
}

func (m *Machine) followInstall(d int32, r *TaskReport, fault patch.Fault) {
	dev := &m.dev[d]
	switch {
	case dev.flags&undone != 0 && m.begunOn(d) <= 1 && (r.Phase == PhaseStopped || fault.Done()):
		m.settle(d, Cancelled, fault) // this rollout has changed nothing there, and takes nothing away
	case dev.flags&undone != 0:
		m.next(d, OpRollback)
	case r.Phase == PhaseSucceeded:
		if m.wantsReboot(d, r) {
			m.next(d, OpReboot)
		} else {
			m.next(d, OpVerify)
		}
	case r.Phase == PhaseStopped:
		if m.stage == StageEnding {
			m.settle(d, Cancelled, patch.NoFault)
		} else {
			m.postpone(d, patch.NoFault, false, m.now)
		}
	case fault == patch.AlreadyInstalled:
		m.next(d, OpVerify)
	case fault == patch.NotApplicable:
		m.settle(d, NotApplicable, fault)
	case fault == patch.Superseded:
		m.settle(d, Superseded, fault)
	case fault == patch.Unreachable && m.lostAmid(d) && m.stage != StageEnding:
		m.bins.postpone(bin{op: OpVerify, fault: fault, spent: true}, d, m.now+max(int64(m.retry.OfflineEvery), int64(r.RetryAfter)))
	case fault == patch.Permanent || fault == patch.Untrusted:
		m.settle(d, Failed, fault)
	default:
		m.again(d, r, fault, m.spent(d), Failed)
	}
}

func (m *Machine) followVerify(d int32, r *TaskReport, fault patch.Fault) {
	dev := &m.dev[d]
	isGone := dev.flags&absent != 0
	switch {
	case !isGone && m.awaits(d) && (dev.flags&undone != 0 || m.savingUnended(d)):
		m.awaitEnd(d, fault)
	case !isGone && m.savingUnended(d):
		m.backupTimedOut(d)
	case r.Phase == PhaseSucceeded && isGone:
		m.settle(d, RolledBack, patch.NoFault)
	case dev.flags&undone != 0 && !isGone:
		m.next(d, OpRollback)
	case r.Phase == PhaseSucceeded && dev.flags&owes != 0 && m.reboot.Mode != policy.RebootNever && m.stage != StageEnding:
		// It is there, but has not taken effect.
		if dev.reboots >= rebootLimit {
			m.settle(d, Failed, patch.Permanent)
		} else {
			m.next(d, OpReboot)
		}
	case r.Phase == PhaseSucceeded && dev.flags&already != 0:
		m.settle(d, AlreadyInstalled, patch.NoFault)
	case r.Phase == PhaseSucceeded && m.probes != nil:
		m.next(d, OpProbe)
	case r.Phase == PhaseSucceeded:
		m.settle(d, Succeeded, patch.NoFault)
	case fault == patch.Permanent || fault == patch.Untrusted:
		m.settle(d, failure(isGone), fault)
	case fault != patch.NoFault && !fault.Done():
		// It could not look. What is true is not known, so nothing else is tried.
		m.again(d, r, fault, int(dev.tries), failure(isGone))
	case isGone:
		m.settle(d, RollbackFailed, patch.NoFault)
	case m.spent(d) >= m.retry.Attempts || m.stage == StageEnding:
		m.settle(d, Failed, patch.Transient)
	case r.Idle == patch.No && m.awaits(d):
		m.awaitEnd(d, patch.NoFault) // an earlier attempt is still at it
	default:
		// It looked, and what had been installed is not there.
		k := bin{op: OpInstall, fault: patch.Transient, spent: true}
		m.bins.postpone(k, d, m.backoff(d, int(dev.attempts), r.RetryAfter))
	}
}

func failure(isGone bool) Outcome {
	if isGone {
		return RollbackFailed
	}
	return Failed
}

// again decides about another try after a fault that may pass.
func (m *Machine) again(d int32, r *TaskReport, fault patch.Fault, tries int, otherwise Outcome) {
	dev := &m.dev[d]
	switch {
	case m.stage == StageEnding:
		m.settle(d, otherwise, fault)
	case fault == patch.Unreachable:
		m.postpone(d, fault, false, m.now+max(int64(m.retry.OfflineEvery), int64(r.RetryAfter)))
	case fault == patch.NeedsUser:
		m.postpone(d, fault, false, m.now+max(int64(m.retry.OfflineEvery), int64(r.RetryAfter)))
	case fault == patch.Busy && int(dev.busy) < m.retry.BusyLimit:
		m.postpone(d, fault, false, m.now+max(int64(m.retry.BusyEvery), int64(r.RetryAfter)))
	case tries < m.retry.Attempts:
		m.postpone(d, fault, true, m.backoff(d, tries, r.RetryAfter))
	default:
		m.settle(d, otherwise, fault)
	}
}

// backoff is when to try again after so many tries: the policy's pause, doubled each time, and up to a fifth more, by a hash
// of the device and its count of tasks, so that devices that failed together do not come back together.
func (m *Machine) backoff(d int32, tries int, atLeast time.Duration) int64 {
	pause, most := int64(m.retry.Backoff), int64(m.retry.MaxBackoff)
	for i := 1; i < tries && pause < most; i++ {
		pause *= 2
	}
	pause = min(pause, most)
	h := xxh64.Sum(uint64(m.dev[d].seq), string(m.plan.Devices[d]))
	pause += int64(h>>32) * (pause / 5 >> 16) >> 16
	return m.now + max(pause, int64(atLeast))
}

func (m *Machine) postpone(d int32, fault patch.Fault, spent bool, until int64) {
	dev := &m.dev[d]
	// Nobody keeps a place for a device that has been gone for too long, however often it is asked in vain.
	frees := fault == patch.Unreachable && dev.flags&gone != 0 && dev.flags&undone == 0
	m.bins.postpone(bin{op: dev.op, absent: dev.flags&absent != 0, fault: fault, spent: spent, frees: frees}, d, until)
}

func (m *Machine) settle(d int32, o Outcome, fault patch.Fault) {
	if was := m.cameTo(d, o); was != o {
		o, fault = was, m.dev[d].fault
	}
	if o == Skipped && m.begunOn(d) > 0 { // to leave it out makes no ring better: it has failed
		o, fault = Failed, m.dev[d].fault
	}
	m.bins.add(bin{what: toSettle, outcome: o, fault: fault, owes: m.dev[d].flags&owes != 0 && o == Succeeded}, d)
}

// next begins the next step of a session, or makes it wait for the stage.
func (m *Machine) next(d int32, op Op) {
	if op == OpReboot {
		switch m.stage {
		case StageEnding:
			op = OpVerify // what is begun is finished, but nothing more than that
		case StagePaused, StageHalted, StageUndoing:
			m.bins.postpone(bin{op: op}, d, m.now)
			return
		default:
			m.restart(d)
			return
		}
	}
	if op == OpRollback && m.undoLater(d) {
		return
	}
	m.bins.add(bin{what: toIssue, op: m.safely(d, op)}, d)
}

// restart restarts a device, or makes it wait until it may be.
func (m *Machine) restart(d int32) {
	h := &m.groupOf(d).restarts
	switch open := h.open(m.now); {
	case !open && h.from == math.MaxInt64: // nor ever again
		m.settle(d, Failed, patch.NeedsUser)
	case m.announce(d, bin{op: OpReboot, frees: true}):
	case open:
		if to, yields := m.yields(d, h); yields {
			m.yield(d, to)
		} else {
			m.bins.add(bin{what: toIssue, op: OpReboot, startBy: h.to}, d)
		}
	default:
		m.bins.postpone(bin{op: OpReboot, frees: true}, d, h.from)
	}
}

func (m *Machine) verifyGone(d int32) {
	m.bins.add(bin{what: toIssue, op: OpVerify, absent: true}, d)
}

// wantsReboot says whether the device is restarted after this installation.
func (m *Machine) wantsReboot(d int32, r *TaskReport) bool {
	switch m.reboot.Mode {
	case policy.RebootAlways:
		return true
	case policy.RebootIfRequired:
		if r.Reboot == patch.Unknown {
			return m.alwaysReboots(d)
		}
		return r.Reboot == patch.Yes
	}
	return false
}

// alwaysReboots says whether a patch of d takes effect only after a restart, as its publisher says.
func (m *Machine) alwaysReboots(d int32) bool {
	if !m.reboots { // as in most plans: spares a look at the device's content
		return false
	}
	return contentReboots(&m.plan.Contents[m.plan.Content[d]])
}

func contentReboots(c *Content) bool {
	return slices.ContainsFunc(c.Patches, func(p Pinned) bool { return p.Reboot == patch.RebootAlways })
}

// seen makes devices that were unreachable due at once.
func (m *Machine) seen(devices []int32) {
	m.bins.reset()
	var missed []int32
	for _, d := range devices {
		if d < 0 || int(d) >= len(m.dev) {
			continue
		}
		dev := &m.dev[d]
		if dev.state == waiting && dev.offline != 0 && dev.flags&picked == 0 {
			dev.flags |= picked
			m.bins.add(bin{what: toReturn}, d)
			if m.missed(d) {
				missed = append(missed, d)
			}
		}
	}
	for i := range m.bins.all {
		for _, d := range m.bins.all[i].devices {
			m.dev[d].flags &^= picked
		}
	}
	m.flush()
	for _, d := range missed {
		m.bins.add(bin{what: toMiss}, d)
		if m.plan.Policy.Missed == policy.MissedSkips {
			m.settle(d, Skipped, patch.Unreachable)
		}
	}
	m.flush()
}

// expire decides about everything whose time has come, and begins the next steps of sessions that waited.
func (m *Machine) expire() {
	m.bins.reset()
	var overdue []int32
	for op := OpInstall; op <= lastOp; op++ {
		for {
			at, ok := m.nextDeadline(op)
			if !ok || at > m.now {
				break
			}
			for _, d := range m.deadlines[op].batches[0].devices {
				if m.overdue(d, op, at) && m.dev[d].flags&picked == 0 {
					m.dev[d].flags |= picked
					m.bins.add(bin{what: toTimeOut}, d)
					overdue = append(overdue, d)
				}
			}
			m.deadlines[op].batches = m.deadlines[op].batches[1:]
		}
	}
	m.flush()
	for _, d := range overdue {
		m.timedOut(d)
	}
	parked := m.parked
	m.parked = m.parked[len(m.parked):]
	for _, d := range parked {
		m.dev[d].flags &^= queued
		if dev := &m.dev[d]; dev.state == waiting && dev.flags&session != 0 && dev.due <= m.now {
			m.resume(d)
		}
	}
	for last := (timer{}); ; {
		t, ok := m.nextTimer()
		if !ok || t.at > m.now {
			break
		}
		heap.Pop(&m.timers)
		if t == last {
			continue
		}
		last = t
		m.wake(t)
	}
	m.flush()
}

// wake does what a timer was set for.
func (m *Machine) wake(t timer) {
	dev := &m.dev[t.device]
	if m.expires(t) {
		if dev.flags&picked == 0 {
			m.giveUp(t.device)
		}
		return
	}
	if m.lapses(t) && dev.flags&(lapsing|picked) == 0 { // one that is asked again in this step may answer
		dev.flags |= lapsing
		m.bins.add(bin{what: toLapse}, t.device)
	}
	lost := dev.flags&lapsing != 0 && dev.flags&undone == 0 // its session ends
	switch {
	case dev.due != t.at:
	case dev.flags&session != 0 && !lost:
		m.resume(t.device)
	case dev.op == OpInstall:
		g := m.groupOf(t.device)
		if dev.flags&excused != 0 {
			g.excused = insert(g.excused, t)
		} else {
			g.again = insert(g.again, t)
		}
	case dev.flags&undone != 0:
	case dev.op == OpReboot && m.stage == StageActive && !m.mayGoOn(t.device, m.now) && m.groupOf(t.device).restarts.from == math.MaxInt64:
		dev.flags |= picked
		m.settle(t.device, Failed, patch.NeedsUser) // no window opens any more
	case dev.op == OpReboot && m.stage == StageActive && m.unannounced(t.device): // a quiet time is over
		dev.flags |= picked
		m.announce(t.device, bin{op: OpReboot, frees: true})
	default:
		m.lost = insert(m.lost, t)
	}
}

// resume goes on with a session whose next step waited for its time.
func (m *Machine) resume(d int32) {
	dev := &m.dev[d]
	if dev.flags&picked != 0 {
		return
	}
	if dev.op == OpReboot && dev.flags&absent != 0 {
		dev.flags |= picked
		m.restartUndone(d)
		return
	}
	if dev.op == OpReboot && (m.stage == StagePaused || m.stage == StageHalted || m.stage == StageUndoing) {
		if dev.flags&queued == 0 {
			dev.flags |= queued
			m.parked = append(m.parked, d)
		}
		return
	}
	dev.flags |= picked
	op := dev.op
	if op == OpReboot && m.stage == StageActive {
		m.restart(d)
		return
	}
	if op == OpReboot && m.stage == StageEnding {
		if m.lacksLook(d) {
			m.settle(d, Cancelled, patch.NoFault)
			return
		}
		op = OpVerify
	}
	if op == OpRollback && m.undoLater(d) {
		return
	}
	m.bins.add(bin{what: toIssue, op: m.safely(d, op), absent: dev.flags&absent != 0}, d)
}

// timedOut decides what follows a task that has not answered in time: the device is asked what is true.
func (m *Machine) timedOut(d int32) {
	dev := &m.dev[d]
	switch dev.op {
	case OpDownload:
		m.bins.add(bin{what: toLoad, failed: true}, d)
	case OpLook:
		m.followLook(d, &TaskReport{Report: Report{Phase: PhaseFailed}}, patch.Transient)
	case OpPrecheck:
		m.followPrecheck(d, &TaskReport{Report: Report{Phase: PhaseFailed}}, patch.Transient)
	case OpBackup:
		if m.stage == StageActive && dev.flags&undone == 0 {
			m.next(d, OpVerify) // another one, and the installation, wait until this one has surely ended
			return
		}
		if m.stage != StageEnding && dev.flags&undone == 0 {
			m.bins.postpone(bin{op: OpBackup, fault: patch.Transient, spent: true}, d, m.now) // and is looked at when its turn comes
			return
		}
		m.followBackup(d, &TaskReport{Report: Report{Phase: PhaseFailed}}, patch.Transient)
	case OpRemedy:
		m.remedyTimedOut(d)
	case OpDrain:
		m.followDrain(d, &TaskReport{Report: Report{Phase: PhaseFailed}}, patch.Transient)
	case OpUncordon:
		m.followReturn(d, &TaskReport{Report: Report{Phase: PhaseFailed}}, patch.Transient)
	case OpProbe:
		m.followProbe(d, &TaskReport{Report: Report{Phase: PhaseFailed}}, patch.Transient)
	case OpRollback:
		m.verifyGone(d)
	case OpReboot:
		switch {
		case dev.flags&absent != 0:
			m.verifyGone(d)
		case m.lacksLook(d):
			m.followRestartBefore(d, &TaskReport{}, patch.Unreachable)
		default:
			m.next(d, OpVerify)
		}
	case OpVerify:
		if dev.flags&absent == 0 && m.awaits(d) && (dev.flags&undone != 0 || m.savingUnended(d)) {
			m.awaitEnd(d, patch.NoFault)
			return
		}
		m.again(d, &TaskReport{}, patch.Transient, int(dev.tries), failure(dev.flags&absent != 0))
	default:
		m.next(d, OpVerify)
	}
}
