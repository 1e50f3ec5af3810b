package rollout

import (
	"fmt"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// Apply lets one event of a journal change the machine as it did when it was decided, at the time of its batch. It never
// decides. An event that does not belong to the plan is an error that wraps [ErrReplay]; the machine is then worth
// nothing.
//
// Use [Replay] unless the events come one by one.
func (m *Machine) Apply(at time.Time, e Event) error {
	if err := m.fits(e); err != nil {
		return fmt.Errorf("rollout: %s: %w: %w", m.plan.Key, ErrReplay, err)
	}
	m.now = max(m.now, nanos(at))
	m.apply(e)
	m.batch = Batch{}
	return nil
}

// fits checks what apply takes for granted.
func (m *Machine) fits(e Event) error {
	devices := func(ds []int32) error {
		for _, d := range ds {
			if d < 0 || int(d) >= len(m.dev) {
				return fmt.Errorf("%T: device %d of %d", e, d, len(m.dev))
			}
		}
		return nil
	}
	ring := func(r int) error {
		if r < 0 || r >= len(m.rings) {
			return fmt.Errorf("%T: ring %d of %d", e, r, len(m.rings))
		}
		return nil
	}
	reports := func(rs []TaskReport) error {
		for i := range rs {
			if d := rs[i].Device; d < 0 || int(d) >= len(m.dev) {
				return fmt.Errorf("%T: device %d of %d", e, d, len(m.dev))
			}
		}
		return nil
	}
	if _, ok := e.(Began); ok != (m.digest == "") {
		return fmt.Errorf("%T: want Began first, and once", e)
	}
	switch e := e.(type) {
	case Began:
		digest, err := m.plan.Digest()
		if err != nil {
			return err
		}
		if digest != e.Digest {
			return fmt.Errorf("the journal is of plan %s, this one is %s", e.Digest, digest)
		}
	case RingAsked:
		return ring(e.Ring)
	case RingDecided:
		return ring(e.Ring)
	case RingOpened:
		return ring(e.Ring)
	case RingSoaking:
		return ring(e.Ring)
	case RingUnsettled:
		return ring(e.Ring)
	case RingHeld:
		return ring(e.Ring)
	case Judged:
		return ring(e.Ring)
	case Answered:
		return reports(e.Reports)
	case Late:
		// A report about a device that the plan does not know is kept as it came.
	case Issued:
		if e.Op == OpUnknown || e.Op > lastOp {
			return fmt.Errorf("issued: operation %d", e.Op)
		}
		if err := m.fitsOp(e.Op); err != nil {
			return fmt.Errorf("issued: %w", err)
		}
		return devices(e.Devices)
	case TimedOut:
		return devices(e.Devices)
	case Postponed:
		if e.Op == OpUnknown || e.Op > lastOp || len(e.Until) != len(e.Devices) {
			return fmt.Errorf("postponed: operation %d, %d devices, %d times", e.Op, len(e.Devices), len(e.Until))
		}
		if err := m.fitsOp(e.Op); err != nil {
			return fmt.Errorf("postponed: %w", err)
		}
		return devices(e.Devices)
	case Returned:
		return devices(e.Devices)
	case WindowMissed:
		return devices(e.Devices)
	case Downloaded:
		return devices(e.Devices)
	case Escalated:
		if len(e.Due) != len(e.Devices) {
			return fmt.Errorf("escalated: %d devices, %d times", len(e.Devices), len(e.Due))
		}
		return devices(e.Devices)
	case BackedUp:
		if e.Then > BackupLacking || len(e.Backups) != len(e.Devices) || m.backups == nil {
			return fmt.Errorf("backed up: %d devices, %d backups, %s; the plan wants %s", len(e.Devices), len(e.Backups), e.Then, m.plan.Policy.Backup.Need)
		}
		return devices(e.Devices)
	case Probed:
		if e.Then > ProbedUnwell || len(e.Down) != len(e.Devices) || m.probes == nil {
			return fmt.Errorf("probed: %d devices, %d results; the plan looks at %s", len(e.Devices), len(e.Down), m.plan.Policy.Health.Probes)
		}
		return devices(e.Devices)
	case Looked:
		if e.Then > LookedStill || m.looks == nil {
			return fmt.Errorf("looked: %s; the plan restarts devices before %s", e.Then, m.plan.Policy.Reboot.Before)
		}
		return devices(e.Devices)
	case Remedied:
		return m.fitsRemedied(&e)
	case Draining, PuttingBack, PutBack:
		return m.fitsDrain(e)
	case Lapsed:
		return devices(e.Devices)
	case RestartAnnounced:
		return devices(e.Devices)
	case RestartDeferred:
		return devices([]int32{e.Device})
	case Voiced:
		return devices([]int32{e.Device})
	case Measured:
		if e.Metric < 0 || e.Metric >= len(m.plan.Policy.Health.Metrics) || len(e.Values) != len(e.Devices) {
			return fmt.Errorf("measured: metric %d of %d, %d devices, %d values", e.Metric, len(m.plan.Policy.Health.Metrics), len(e.Devices), len(e.Values))
		}
		return devices(e.Devices)
	case Regressed:
		if n := len(e.Devices); e.Metric < 0 || e.Metric >= len(m.plan.Policy.Health.Metrics) || len(e.Before) != n || len(e.After) != n || len(e.Limit) != n {
			return fmt.Errorf("regressed: metric %d of %d, %d devices, %d, %d and %d values", e.Metric, len(m.plan.Policy.Health.Metrics), n, len(e.Before), len(e.After), len(e.Limit))
		}
		return devices(e.Devices)
	case Paired, ControlWorse, Compared:
		return m.fitsControl(e)
	case Overdue:
		return devices(e.Devices)
	case Pooled:
		return ring(e.Ring)
	case DeviceSettled:
		if e.Outcome == Unsettled || e.Outcome >= numOutcomes {
			return fmt.Errorf("settled: outcome %d", e.Outcome)
		}
		return devices(e.Devices)
	case StopAsked:
		return devices(e.Devices)
	case Acknowledged:
		return devices(e.Devices)
	case Withdrawn:
		return devices(e.Devices)
	case RestartShared:
		return m.fitsShared(&e)
	case RestartYielded:
		return devices(e.Devices)
	case SupersededBy:
		return devices(e.Devices)
	case Admitted:
		return m.fitsAdmitted(e)
	case Departed:
		if e.How == LeavingUnknown || e.How > Reimaged || e.How == Relabelled && len(e.Rings) != len(e.Devices) {
			return fmt.Errorf("departed: %s, %d devices, %d rings", e.How, len(e.Devices), len(e.Rings))
		}
		return devices(e.Devices)
	case Reopened:
		return devices(e.Devices)
	case Retried:
		return m.fitsRetried(&e)
	case UndoBegan:
		return devices(e.Devices)
	case BreakerTripped:
		return m.fitsBreaker(e.Circuit, e.Device)
	case BreakerTried:
		return m.fitsBreaker(e.Circuit, e.Device)
	case BreakerClosed:
		return m.fitsBreaker(e.Circuit, e.Device)
	case Raised:
		return m.fitsRaised(&e)
	case Cleared:
		return m.fitsRaised((*Raised)(&e))
	}
	return nil
}

// apply is the only place where the state of a machine changes, in a step and in a replay alike.
func (m *Machine) apply(e Event) {
	switch e := e.(type) {
	case Began:
		m.digest = e.Digest
	case Adopted:
		m.adoptions++
	case Late:
		m.applyLate(e)
	case RingAsked:
		r := &m.rings[e.Ring]
		r.state, r.request, r.refusals, r.votes = ringAsking, e.Request, nil, nil
		r.asked++
		m.raised.noteRing(e.Ring, m.now)
	case RingDecided:
		m.applyDecided(e)
	case Reviewed:
		m.applyReviewed(e)
	case RingOpened:
		r := &m.rings[e.Ring]
		r.state, r.opened = ringOpen, m.now
		if r.gate.Timeout > 0 {
			r.deadline = m.now + int64(r.gate.Timeout)
		}
		m.dirty = true
	case RingSoaking:
		r := &m.rings[e.Ring]
		r.state, r.soak = ringSoaking, nanos(e.Until)
	case RingUnsettled:
		r := &m.rings[e.Ring]
		r.state, r.soak, r.held = ringOpen, 0, ""
		m.dirty = true
	case RingHeld:
		r := &m.rings[e.Ring]
		r.state, r.held = ringStuck, e.Code
		m.raised.noteRing(e.Ring, m.now)
		if e.Code == heldTimeout {
			r.deadline = 0
		}
	case Judged:
		r := &m.rings[e.Ring]
		r.result = e.Result
		switch e.Result {
		case Pass:
			r.state, r.promoted, r.held = ringPassed, e.By != "", ""
			m.beside.end(e.Ring)
		case Fail:
			r.state, r.held = ringFailed, ""
			m.raised.noteRing(e.Ring, m.now)
		}
		m.dirty = true
	case Issued:
		m.applyIssued(e)
	case Answered:
		m.applyAnswered(e)
	case TimedOut:
		for _, d := range e.Devices {
			m.leaveUnended(d)
			m.dev[d].state = answered
			m.dev[d].flags &^= picked
			m.breakOff(d)
		}
	case Postponed:
		m.applyPostponed(e)
	case Returned:
		for _, d := range e.Devices {
			m.back(d)
			m.dev[d].due = m.now
			m.setTimer(d, m.now)
		}
	case Escalated:
		m.applyEscalated(e)
	case Probed:
		m.applyProbed(e)
	case BackedUp:
		m.applyBackedUp(e)
	case Looked:
		m.applyLookedAt(e)
	case Remedied:
		m.applyRemedied(&e)
	case Draining:
		m.applyDraining(&e)
	case PuttingBack:
		m.applyPuttingBack(&e)
	case PutBack:
		m.applyPutBack(&e)
	case Downloaded:
		for _, d := range e.Devices {
			dev := &m.dev[d]
			dev.state, dev.op, dev.due, dev.tries = waiting, OpInstall, m.now, 0
			dev.flags &^= stopped | picked
			m.dropAux(d)
			m.quits(d)
			m.setTimer(d, m.now)
		}
		m.dirty = true
	case WindowMissed:
		if e.Then == policy.MissedRuns {
			for _, d := range e.Devices {
				m.dev[d].flags |= excused
			}
		}
	case Lapsed:
		m.applyLapsed(&e)
	case Paired, ControlWorse, Compared:
		m.applyControl(e)
	case Overdue:
		m.applyOverdue(e)
	case RestartAnnounced:
		m.applyAnnounced(e)
	case RestartDeferred:
		m.applyDeferred(e)
	case Voiced:
		m.applyVoiced(e)
	case Measured:
		m.applyMeasured(e)
	case Regressed:
		m.applyRegressed(e)
	case Pooled:
		m.pooled = append(m.pooled, e.Outcomes.Patch)
	case Admitted:
		m.applyAdmitted(e)
	case Departed:
		m.applyDeparted(e)
	case Reopened:
		for _, d := range e.Devices {
			m.reopen(d)
		}
		m.dirty = true
	case Retried:
		m.applyRetried(e)
	case Acknowledged:
		for _, d := range e.Devices {
			m.raised.note(d)
			m.forgetDrain(d)
			m.dev[d].flags |= acked
		}
		m.batch.Freed = append(m.batch.Freed, e.Devices...)
	case DeviceSettled:
		m.applySettled(e)
	case StopAsked:
		for _, d := range e.Devices {
			m.dev[d].flags |= stopped
		}
	case Withdrawn:
		m.applyWithdrawn(e)
	case RestartShared:
		m.applyShared(&e)
	case RestartYielded:
		m.applyYielded(&e)
	case SupersededBy:
		m.winners.note(&e, len(m.dev))
	case UndoBegan:
		m.applyUndo(e)
	case BreakerTripped:
		m.applyTripped(&e)
	case BreakerTried:
		m.applyTried(&e)
	case BreakerClosed:
		m.applyClosed(&e)
	case Raised:
		m.applyRaised(&e, true)
	case Cleared:
		m.applyRaised((*Raised)(&e), false)
	case UndoHalted:
		m.undid.halted, m.undid.from = true, e.From
	case Quarantined:
		for _, id := range e.Patches {
			m.quarantine = append(m.quarantine, Quarantine{Patch: id, Tenant: m.plan.Tenant, Device: e.Device,
				Since: instant(m.now), Reason: e.Reason, Rollout: m.plan.ID})
		}
	case Released:
		for i := range m.quarantine {
			if q := &m.quarantine[i]; q.Patch == e.Patch && q.Released.IsZero() {
				q.Released, q.By = instant(m.now), e.By
			}
		}
	case Staged:
		m.applyStaged(e)
	}
	m.noteAbsences(e)
}

func (m *Machine) applyIssued(e Issued) {
	due, startBy := nanos(e.FinishBy), nanos(e.StartBy)
	for _, d := range e.Devices {
		dev := &m.dev[d]
		switch {
		case e.Op == OpDownload:
			m.loading++
		case dev.flags&session == 0:
			if m.beginsAs(d, &e) {
				m.rates.add(m.plan, d, m.now)
				m.beginSession(d)
			}
			m.rings[dev.ring].active++
			m.active++
		}
		if dev.op != e.Op || e.Absent != (dev.flags&absent != 0) {
			dev.tries = m.triesBefore(d, &e)
		}
		dev.flags &^= absent | stopped | picked
		m.applyDisturbing(d, e.Op)
		if e.Op != OpDownload {
			dev.flags = dev.flags&^acked | session
		}
		if e.Absent {
			dev.flags |= absent
		}
		if e.Op == OpInstall {
			first, before := dev.flags&touched == 0, m.weighBefore(d)
			if first {
				m.rings[dev.ring].voices.Begun++
			}
			dev.flags = dev.flags&^(already|renewed) | touched
			m.reweigh(d, before)
			if m.firsts != nil && m.firsts[d] == 0 {
				m.firsts[d] = m.now
			}
			if first {
				m.begun(d)
			}
			m.place(d)
			if m.probes != nil {
				m.probes[d].installed = true
			}
			m.attempt(d)
		} else if e.Op == OpBackup {
			m.applySaving(d)
		} else if e.Op == OpPrecheck {
			m.applyProbing(d, true, false)
		} else if e.Op == OpLook {
			m.applyLooking(d)
		} else if e.Op == OpRemedy {
			m.applyRemedying(d)
		} else if e.Op == OpDrain || e.Op == OpUncordon {
			m.applyDrainTask(d, e.Op)
		} else if dev.tries < 255 {
			dev.tries++
		}
		if e.Op == OpProbe {
			m.applyProbing(d, false, dev.op != OpProbe)
		}
		if e.Op == OpRollback {
			dev.former = Unsettled
			if a := m.auxOf(d); a != nil {
				a.delay = delay{} // the restart that it takes effect by is announced anew
			}
		}
		if e.Op == OpReboot {
			m.applyRestarting(d)
		}
		dev.seq++
		dev.state, dev.op, dev.phase = running, e.Op, PhaseUnknown
		dev.due, dev.issued, dev.startBy = due, m.now, startBy
		if dev.aux > 0 {
			a := &m.aux[dev.aux-1]
			a.ref, a.saving = "", a.saving && !e.Op.changes()
		}
	}
	if due != 0 {
		q := &m.deadlines[e.Op]
		q.batches = append(q.batches, deadlineBatch{due, e.Devices})
	}
}

func (m *Machine) applyAnswered(e Answered) {
	for i := range e.Reports {
		r := &e.Reports[i]
		dev := &m.dev[r.Device]
		if r.Phase.Last() && !r.Ends() && dev.phase == PhaseRunning {
			m.leaveUnended(r.Device) // it was lost while it worked
		}
		dev.phase = r.Phase
		dev.flags &^= picked
		if dev.offline != 0 && !(r.Phase == PhaseFailed && r.Fault == patch.Unreachable) {
			m.back(r.Device)
		}
		if r.Ref != "" || r.BootID != "" {
			a := m.setAux(r.Device)
			if r.Ref != "" {
				a.ref = r.Ref
			}
			if r.BootID != "" {
				a.boot = r.BootID
			}
		}
		if dev.op == OpDownload {
			if r.Phase.Last() {
				dev.state = answered
				m.loading--
			}
			continue // it says nothing of the installation
		}
		switch r.Reboot {
		case patch.Yes:
			dev.flags |= owes
		case patch.No:
			dev.flags &^= owes
		case patch.Unknown:
			if r.Phase == PhaseSucceeded && dev.op == OpInstall && m.alwaysReboots(r.Device) {
				dev.flags |= owes // the publisher says so, and the device does not deny it
			}
		}
		m.applyDrained(r)
		if !r.Phase.Last() {
			continue
		}
		dev.state = answered
		dev.fault = r.Fault
		if m.prepares(r.Device, dev.op) {
			m.preparing--
		}
		switch dev.op {
		case OpPrecheck, OpProbe:
			m.applyLooked(r)
		case OpReboot:
			m.applyRestarted(r)
		}
		m.applyProof(r)
		switch {
		case r.Phase == PhaseSucceeded && dev.op == OpReboot:
			m.applyIdle(r.Device) // nothing runs on through a restart
			dev.flags &^= owes
			if a := m.auxOf(r.Device); a != nil {
				a.delay = delay{} // another restart is announced anew
			}
		case r.Phase == PhaseSucceeded && dev.op == OpInstall:
			m.circuits.ended(m.plan, r.Device, m.now, false, patch.NoFault)
		case r.Fault == patch.AlreadyInstalled && dev.op == OpInstall:
			if dev.flags&unsure == 0 {
				dev.flags |= already
			}
		}
	}
}

// back says that a device is no longer unreachable.
func (m *Machine) back(d int32) {
	dev := &m.dev[d]
	dev.offline = 0
	if dev.flags&gone != 0 {
		dev.flags &^= gone
		m.lapse(d, -1)
		m.dirty = true
	}
}

func (m *Machine) applyPostponed(e Postponed) {
	for i, d := range e.Devices {
		if e.Op == OpUncordon {
			m.applyReturnLater(d, &e, nanos(e.Until[i]))
			continue
		}
		m.triedPostponed(&e, d)
		dev, was := &m.dev[d], m.dev[d].op
		if e.Op == OpInstall && e.Spent || dev.attempts > 0 {
			m.raised.note(d)
		}
		dev.state, dev.due = waiting, nanos(e.Until[i])
		if e.Op == OpInstall && e.Spent && was == OpInstall {
			m.falls(d, e.Fault)
		}
		if dev.op != e.Op || e.Absent != (dev.flags&absent != 0) {
			dev.tries = 0
		}
		dev.op, dev.fault = e.Op, e.Fault
		dev.flags &^= absent | stopped | picked
		if e.Absent {
			dev.flags |= absent
		}
		if !e.Spent {
			// The try that was counted when the task was issued is given back.
			if e.Op == OpInstall && !was.prepares() {
				m.giveBack(d)
			} else if e.Op != OpInstall && dev.tries > 0 {
				dev.tries--
			}
		}
		if e.Op == OpInstall && e.Fault != patch.Busy && e.Fault != patch.NoFault {
			dev.flags |= unsure
		}
		if givesBack(&e) && (e.Op != OpDrain || m.drains[d].then == OpInstall) {
			m.rates.drop(m.plan, d, m.sessionBegun(d))
			if e.Op == OpInstall {
				m.unplace(d)
			}
		}
		if (was.prepares() || e.Op.prepares()) && dev.flags&touched == 0 {
			m.unplace(d)
		}
		switch e.Fault {
		case patch.Busy:
			if dev.busy < 255 {
				dev.busy++
			}
		case patch.Unreachable:
			m.circuits.freed(m.plan, d)
			if dev.offline == 0 {
				dev.offline = m.now
			}
		}
		if dev.offline != 0 && dev.flags&gone == 0 {
			m.setTimer(d, max(dev.offline+int64(m.retry.Grace), m.now))
		}
		switch e.Op {
		case OpBackup:
			m.applyUnsaved(d, e.Spent)
		case OpPrecheck:
			m.applyUnchecked(d, e.Spent)
		case OpLook:
			m.applyUnlooked(d, e.Spent)
		case OpRemedy:
			m.applyUnremedied(d, e.Spent)
		case OpDrain:
			m.applyUndrained(d, e.Spent)
		case OpProbe:
			if e.Fault == patch.Unreachable {
				m.probes[d].since = 0 // that uses up none of its time
			}
		}
		if e.Op == OpInstall || e.Op.prepares() && (e.Op != OpDrain || dev.flags&undone == 0) || e.Frees {
			m.free(d)
		}
		if e.Op == OpRollback && dev.flags&session == 0 {
			m.undo[dev.ring] = append(m.undo[dev.ring], Handle{Device: d, Seq: dev.seq})
		}
		m.quits(d)
		m.setTimer(d, dev.due)
	}
	m.dirty = true
}

// free ends the session of a device.
func (m *Machine) free(d int32) {
	dev := &m.dev[d]
	if dev.flags&session != 0 {
		if m.looks != nil {
			m.looks[d].begun = 0
		}
		dev.flags &^= session
		m.applyLeft(d)
		m.circuits.freed(m.plan, d)
		m.rings[dev.ring].active--
		m.active--
		m.batch.Freed = append(m.batch.Freed, d)
	}
}

func (m *Machine) applySettled(e DeviceSettled) {
	for _, d := range e.Devices {
		dev := &m.dev[d]
		if dev.state == settled {
			continue
		}
		if dev.flags&session == 0 && m.disrupted(d) {
			m.batch.Freed = append(m.batch.Freed, d) // it may be disrupted no longer
		}
		m.triedSettled(&e, d)
		m.free(d)
		m.endRetry(d)
		dev.former = Unsettled
		if dev.flags&gone != 0 {
			dev.flags &^= gone
			m.lapse(d, -1)
		}
		before := m.weighBefore(d)
		if dev.flags&undone != 0 {
			dev.flags &^= undone
			m.undoing--
			if e.Outcome == RollbackFailed {
				m.undid.failed++
			}
		}
		dev.state, dev.outcome, dev.fault, dev.offline = settled, e.Outcome, e.Fault, 0
		m.reweigh(d, before)
		dev.flags &^= owes | picked
		if !m.abandoned(d) {
			dev.flags &^= stopped
			m.dropAux(d)
		}
		if e.Owes {
			dev.flags |= owes
		}
		if e.Outcome.bad() || dev.flags&unwell != 0 {
			m.place(d) // one that was well before is so no more
		} else {
			m.unplace(d)
		}
		m.rings[dev.ring].counts[e.Outcome]++
		m.unsettled--
		m.raised.note(d)
		if dev.flags&(retired|foreign) != 0 {
			m.forgetDrain(d)
		}
		m.reckon(d)
		m.hostSettled(d)
		m.beside.settled(d, dev, m.rings[dev.ring].state)
	}
	m.dirty = true
}
