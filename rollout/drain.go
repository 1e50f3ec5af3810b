package rollout

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// Draining says that these devices are taken out of service before a task of this kind, which is disruptive, is begun there
// ([policy.Drain]). What comes of it is the report about the [OpDrain] that is issued with it: only a success lets that task begin.
type Draining struct {
	Op      Op
	Absent  bool // with OpReboot: a rollback takes effect by it
	Devices []int32
}

// PuttingBack says that these devices are put back into service, by the [OpUncordon] that is issued with it, before anything else comes of
// them: before they are settled, or before others may work on them.
type PuttingBack struct {
	Settles bool        // they are settled after that, as Outcome, Fault and Owes say; otherwise they wait as they did
	Outcome Outcome     // if they are put back; one that has succeeded and is not has failed
	Fault   patch.Fault // with Settles
	Owes    bool        // with Settles: a restart
	Devices []int32
}

// PutBack says whether devices that were taken out of service are back.
type PutBack struct {
	Then    Return
	Fault   patch.Fault // with ReturnFailed: why
	Resumes bool        // they wait again for what they waited for before
	Devices []int32
}

// Return is how it goes on with a device that was taken out of service.
type Return uint8

const (
	ReturnKept   Return = iota // it stays out: something disruptive was begun there, and it is not known to be well since
	ReturnDone                 // it is back
	ReturnFailed               // it could not be put back, and stays out until a person sees to it
)

// String returns the lower-case name.
func (r Return) String() string {
	names := [...]string{"kept", "done", "failed"}
	if int(r) < len(names) {
		return names[r]
	}
	return "return " + strconv.Itoa(int(r))
}

func (Draining) kind() byte    { return kindDraining }
func (PuttingBack) kind() byte { return kindPuttingBack }
func (PutBack) kind() byte     { return kindPutBack }

func (v Draining) encode(e *encoder) {
	e.byte(byte(v.Op))
	e.bool(v.Absent)
	e.devices(v.Devices)
}

func decodeDraining(d *decoder) Draining {
	return Draining{Op: Op(d.byte()), Absent: d.bool(), Devices: d.devices()}
}

func (v PuttingBack) encode(e *encoder) {
	e.bool(v.Settles)
	e.byte(byte(v.Outcome))
	e.byte(byte(v.Fault))
	e.bool(v.Owes)
	e.devices(v.Devices)
}

func decodePuttingBack(d *decoder) PuttingBack {
	return PuttingBack{Settles: d.bool(), Outcome: Outcome(d.byte()), Fault: patch.Fault(d.byte()), Owes: d.bool(), Devices: d.devices()}
}

func (v PutBack) encode(e *encoder) {
	e.byte(byte(v.Then))
	e.byte(byte(v.Fault))
	e.bool(v.Resumes)
	e.devices(v.Devices)
}

func decodePutBack(d *decoder) PutBack {
	return PutBack{Then: Return(d.byte()), Fault: patch.Fault(d.byte()), Resumes: d.bool(), Devices: d.devices()}
}

func (v Draining) describe(p *Plan) Message {
	return message("draining", "devices", p.names(v.Devices), "op", v.Op.String())
}

func (v PuttingBack) describe(p *Plan) Message {
	if !v.Settles {
		return message("putting-back", "devices", p.names(v.Devices))
	}
	return message("putting-back", "devices", p.names(v.Devices), "outcome", v.Outcome.String())
}

func (v PutBack) describe(p *Plan) Message {
	fault := ""
	if v.Fault != patch.NoFault {
		fault = v.Fault.String()
	}
	return message("put-back-"+v.Then.String(), "devices", p.names(v.Devices), "fault", fault)
}

// englishDrain maps the codes about devices that are taken out of service to their texts.
func englishDrain(code string) (string, bool) {
	switch code {
	case "draining":
		return "{devices}: to be taken out of service before {op}", true
	case "putting-back":
		return "{devices}: to be put back into service[, then {outcome}]", true
	case "put-back-done":
		return "{devices}: back in service", true
	case "put-back-failed":
		return "{devices}: could not be put back into service[ ({fault})], and stays out until somebody sees to it", true
	case "put-back-kept":
		return "{devices}: stays out of service until somebody sees to it", true
	case "wait-drain":
		return "it could not be taken out of service for {op}: {tries} of {attempts} tries have failed", true
	case "is-out":
		return "it was taken out of service, and is not known to be back", true
	case "is-out-left":
		return "it was taken out of service, and stays out until somebody sees to it and acknowledges that", true
	}
	return "", false
}

// service says whether a device serves those that it is there for.
type service uint8

const (
	serves  service = iota // for all that this rollout has done
	outside                // maybe not: it was to be taken out, or was, and that is not proven for the session that it is in
	drained                // it was taken out, as is proven, in this session
)

// A drain is what is known of the service of a device.
type drain struct {
	must      bool // it carries load: see [Plan.Drains]
	service   service
	before    service // before the drain that is under way
	disturbed bool    // something disruptive was begun there while it was out
	left      bool    // it was told that it stays out
	ran       bool    // the task that is under way has said that it runs
	calm      bool    // nothing had been begun before that task

	then   Op    // what it is drained for
	absent bool  // with that: a rollback takes effect by it
	spent  uint8 // tries of that before
	tries  uint8 // to drain it, since that has succeeded
	begun  int64 // when this session of the device was

	putting bool // back
	backs   uint8
	goal    PuttingBack // but for its devices
	undone  bool        // it was to be rolled back already when that was decided
	waits   waits
}

// waits is what a device waits for that is put back meanwhile.
type waits struct {
	op      Op
	absent  bool
	session bool
	fault   patch.Fault
	tries   uint8
	due     int64
}

// Drains says whether device i of p is taken out of service before anything disruptive is begun there: whether a budget drains one of its
// failure domains.
func (p *Plan) Drains(i int) bool {
	for _, n := range p.DomainsOf(i) {
		if p.Policy.Budgets[p.Domains[n].Budget].Drain {
			return true
		}
	}
	return false
}

// Drains says whether a budget of p drains one of the failure domains of j.
func (j *Joiner) Drains(p *policy.Policy) bool {
	return slices.ContainsFunc(j.Domains, func(d Domain) bool {
		return d.Budget >= 0 && d.Budget < len(p.Budgets) && p.Budgets[d.Budget].Drain
	})
}

// newDrains returns the books of devices that are taken out of service, or nil if none is.
func newDrains(p *Plan) []drain {
	if !p.Policy.Drains() {
		return nil
	}
	all := make([]drain, len(p.Devices))
	for i := range all {
		all[i].must = p.Drains(i)
	}
	return all
}

// disrupts says whether a device that carries load must be out of service before a task of this kind is begun there.
func (o Op) disrupts() bool { return o == OpInstall || o == OpRollback || o == OpReboot }

// isOut says whether d was taken out of service, and is not known to be back.
func (m *Machine) isOut(d int32) bool { return m.drains != nil && m.drains[d].service != serves }

// Drained yields the devices, by their numbers in the plan, that this rollout has taken out of service, or may have, and that are neither
// known to be back nor acknowledged ([DoAcknowledge]), in their order.
func (m *Machine) Drained() iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for d := range m.drains {
			if m.isOut(int32(d)) && !yield(int32(d)) {
				return
			}
		}
	}
}

// issue begins what is in b, but for devices that are to be taken out of service first: that is begun.
func (m *Machine) issue(b *bin) {
	begin := func(op Op, absent bool, devices []int32) {
		if len(devices) > 0 {
			m.emit(Issued{Op: op, Absent: absent, Devices: devices, StartBy: instant(b.startBy), FinishBy: m.finishBy(op)})
			m.batch.Actions = append(m.batch.Actions, Run{devices})
		}
	}
	ready, first := b.devices, []int32(nil)
	if m.drains != nil && b.op.disrupts() {
		ready = nil
		for _, d := range b.devices {
			if k := &m.drains[d]; k.must && k.service != drained {
				first = append(first, d)
			} else {
				ready = append(ready, d)
			}
		}
	}
	begin(b.op, b.absent, ready)
	if len(first) > 0 {
		m.emit(Draining{Op: b.op, Absent: b.absent, Devices: first})
		begin(OpDrain, false, first)
	}
}

// returns puts devices back.
func (m *Machine) returns(goal PuttingBack, devices []int32) {
	if len(devices) == 0 {
		return
	}
	goal.Devices = devices
	m.emit(goal)
	m.emit(Issued{Op: OpUncordon, Devices: devices, FinishBy: m.finishBy(OpUncordon)})
	m.batch.Actions = append(m.batch.Actions, Run{devices})
}

// mayReturn says whether d is out of service and this rollout may put it back now: it is the one that is working on it.
func (m *Machine) mayReturn(d int32) bool {
	return m.isOut(d) && m.dev[d].flags&session != 0 && !m.drains[d].putting && !m.drains[d].left
}

// later makes the devices in b wait. Those that are out of service, and where nothing disruptive was begun, are put back meanwhile.
func (m *Machine) later(b *bin) {
	var back []int32
	for _, d := range b.devices {
		if m.mayReturn(d) {
			back = append(back, d)
		}
	}
	m.emit(Postponed{Op: b.op, Absent: b.absent, Fault: b.fault, Spent: b.spent, Devices: b.devices, Until: b.until, Frees: b.frees})
	n := 0
	for _, d := range back {
		if !m.drains[d].disturbed {
			back[n] = d
			n++
		}
	}
	m.returns(PuttingBack{}, back[:n])
}

// settles settles the devices in b. Those that are out of service and well, or where nothing disruptive was begun, are put back before.
func (m *Machine) settles(b *bin) {
	ready, back := b.devices, []int32(nil)
	if m.drains != nil {
		ready = nil
		for _, d := range b.devices {
			if m.mayReturn(d) && (!m.drains[d].disturbed || b.outcome.well()) {
				back = append(back, d)
			} else {
				ready = append(ready, d)
			}
		}
	}
	if len(ready) > 0 {
		m.emit(DeviceSettled{Outcome: b.outcome, Fault: b.fault, Owes: b.owes, Devices: ready})
		m.keptOut(ready)
	}
	m.returns(PuttingBack{Settles: true, Outcome: b.outcome, Fault: b.fault, Owes: b.owes}, back)
}

// well says whether a device with this outcome is known to be as it should be.
func (o Outcome) well() bool {
	switch o {
	case Succeeded, AlreadyInstalled, NotApplicable, Superseded, RolledBack:
		return true
	}
	return false
}

// keptOut tells which of these devices, which are settled, stay out of service.
func (m *Machine) keptOut(devices []int32) {
	var kept []int32
	for _, d := range devices {
		if m.isOut(d) && !m.drains[d].left {
			kept = append(kept, d)
		}
	}
	if len(kept) > 0 {
		m.emit(PutBack{Then: ReturnKept, Devices: kept})
	}
}

// followDrain decides what comes after the last report about a drain.
func (m *Machine) followDrain(d int32, r *TaskReport, fault patch.Fault) {
	dev, k := &m.dev[d], &m.drains[d]
	undoes := dev.flags&undone != 0
	switch {
	case undoes && k.then != OpRollback && !k.absent:
		m.next(d, OpRollback) // that is what comes now, and the device must be out for it as well
	case m.stage == StageEnding && k.then == OpReboot && !k.absent && !m.lacksLook(d):
		m.next(d, OpVerify) // what is begun is finished, but nothing more than that
	case m.stage == StageEnding && !undoes:
		m.settle(d, Cancelled, fault)
	case r.Phase == PhaseSucceeded:
		m.goOn(d)
	case r.Phase == PhaseStopped:
		m.postpone(d, patch.NoFault, false, m.now)
	case fault != patch.Permanent && fault != patch.Untrusted && !fault.Done() && m.stage != StageEnding && m.triesLeft(d, fault, k.tries):
		m.again(d, r, fault, int(k.tries), Failed)
	case k.absent:
		m.verifyGone(d) // what may not be restarted is looked at as it is
	case undoes:
		m.settle(d, RollbackFailed, fault)
	default:
		m.settle(d, Failed, fault)
	}
}

// goOn begins what d, which is out of service, was taken out for, or makes it wait for its time.
func (m *Machine) goOn(d int32) {
	switch k := &m.drains[d]; {
	case k.then == OpInstall && m.overslept(d):
		m.prepare(d)
	case k.then == OpInstall:
		m.install(d)
	case k.then == OpRollback:
		m.next(d, OpRollback)
	case k.absent:
		m.restartUndone(d)
	case m.lacksLook(d) && (m.stage != StageActive || m.isWithdrawn(d)):
		m.bins.postpone(bin{op: OpInstall}, d, m.now) // it is looked at again when its turn comes
	default:
		m.next(d, OpReboot)
	}
}

// followReturn decides what comes after the last report about d being put back.
func (m *Machine) followReturn(d int32, r *TaskReport, fault patch.Fault) {
	dev, k := &m.dev[d], &m.drains[d]
	pause := time.Duration(0)
	switch fault {
	case patch.Busy:
		pause = m.retry.BusyEvery.Std()
	case patch.Unreachable, patch.NeedsUser:
		pause = m.retry.OfflineEvery.Std()
	}
	then := ReturnFailed
	switch {
	case r.Phase == PhaseSucceeded:
		then, fault = ReturnDone, patch.NoFault
	case fault == patch.Permanent, fault == patch.Untrusted, fault.Done(), int(k.backs) >= m.retry.Attempts:
	case pause > 0:
		m.bins.postpone(bin{op: OpUncordon, fault: fault, spent: true}, d, m.now+int64(max(pause, r.RetryAfter)))
		return
	default:
		m.bins.postpone(bin{op: OpUncordon, fault: fault, spent: true}, d, m.backoff(d, int(k.backs), r.RetryAfter))
		return
	}
	undoes := dev.flags&undone != 0 && !k.undone // since it is put back
	m.bins.addFirst(bin{what: toReturnTo, returning: then, fault: fault, resumes: !k.goal.Settles && !undoes}, d)
	switch {
	case undoes:
		m.next(d, OpRollback)
	case !k.goal.Settles:
	case then == ReturnFailed && k.goal.Outcome == Succeeded:
		m.bins.add(bin{what: toSettle, outcome: Failed, fault: fault}, d) // nobody is served by it
	default:
		m.bins.add(bin{what: toSettle, outcome: k.goal.Outcome, fault: k.goal.Fault, owes: k.goal.Owes}, d)
	}
}

// addFirst says something of d before what follows from it.
func (bs *bins) addFirst(k bin, d int32) {
	if !slices.ContainsFunc(bs.all, func(o bin) bool { return o.same(&k) }) {
		bs.all = slices.Insert(bs.all, 0, k)
	}
	bs.add(k, d)
}

func (m *Machine) applyDraining(e *Draining) {
	for _, d := range e.Devices {
		dev, k := &m.dev[d], &m.drains[d]
		m.stopReturn(d)
		if k.before = k.service; k.service == serves {
			k.disturbed = false
		}
		k.service, k.left = outside, false
		k.then, k.absent, k.spent = e.Op, e.Absent, 0
		if dev.op == e.Op && e.Absent == (dev.flags&absent != 0) {
			k.spent = dev.tries
		}
	}
}

// stopReturn notes that nobody waits any more for d being put back.
func (m *Machine) stopReturn(d int32) {
	if m.drains != nil && m.drains[d].putting {
		m.drains[d].putting = false
		m.returning--
	}
}

// triesBefore returns how many tries of op there were before the one that is begun on d, if what came before it is another task.
func (m *Machine) triesBefore(d int32, e *Issued) uint8 {
	if m.drains != nil && m.dev[d].op == OpDrain && m.drains[d].then == e.Op && m.drains[d].absent == e.Absent {
		return m.drains[d].spent
	}
	return 0
}

// beginsAs says whether a session that begins on d with e begins with its installation, or with what comes before that.
func (m *Machine) beginsAs(d int32, e *Issued) bool {
	return begins(e) && (e.Op != OpDrain || m.drains[d].then == OpInstall)
}

// applyDrainTask notes that d is taken out of service or put back.
func (m *Machine) applyDrainTask(d int32, op Op) {
	k := &m.drains[d]
	if op == OpUncordon {
		k.service = outside // it may be back at any moment from now on
		if k.backs < 255 {
			k.backs++
		}
		return
	}
	m.preparing++
	if k.then == OpInstall {
		m.place(d)
	}
	if k.tries < 255 {
		k.tries++
	}
}

// applyDisturbing notes that something disruptive is begun on d.
func (m *Machine) applyDisturbing(d int32, op Op) {
	if m.drains == nil {
		return
	}
	k := &m.drains[d]
	if k.ran = false; op.disrupts() && k.service != serves {
		k.calm, k.disturbed = !k.disturbed, true
	}
}

// applyDrained takes in what a report says of a drain, or of what a device was drained for.
func (m *Machine) applyDrained(r *TaskReport) {
	if m.drains == nil {
		return
	}
	k, op := &m.drains[r.Device], m.dev[r.Device].op
	switch {
	case !r.Phase.Last():
		k.ran = k.ran || r.Phase == PhaseRunning
	case op.disrupts() && k.calm && !k.ran && (r.Phase == PhaseStopped || r.Fault == patch.Busy):
		k.disturbed = false // it has done nothing
	case op != OpDrain:
	case r.Phase == PhaseSucceeded:
		k.service, k.tries = drained, 0
	case r.Phase == PhaseStopped, !k.ran && (r.Fault == patch.Busy || r.Fault == patch.Unreachable || r.Fault == patch.NeedsUser):
		k.service = k.before // it was never begun there
	}
}

// applyUndrained lets a device that could not be drained wait for what it was to be drained for.
func (m *Machine) applyUndrained(d int32, isSpent bool) {
	dev, k := &m.dev[d], &m.drains[d]
	dev.op, dev.tries = k.then, k.spent
	dev.flags &^= absent
	if k.absent {
		dev.flags |= absent
	}
	if !isSpent && k.tries > 0 {
		k.tries--
	}
}

// applyLeft notes that others may work on d from now on: what is proven of its service is so no more.
func (m *Machine) applyLeft(d int32) {
	if m.isOut(d) {
		m.drains[d].service = outside
	}
}

func (m *Machine) applyPuttingBack(e *PuttingBack) {
	goal := *e
	goal.Devices = nil
	for _, d := range e.Devices {
		dev, k := &m.dev[d], &m.drains[d]
		if !k.putting {
			m.returning++
		}
		k.putting, k.backs, k.goal, k.undone = true, 0, goal, dev.flags&undone != 0
		k.waits = waits{op: dev.op, absent: dev.flags&absent != 0, session: dev.flags&session != 0, fault: dev.fault, tries: dev.tries, due: dev.due}
	}
}

// applyReturnLater lets d wait until it is put back by another try. It keeps its session, and is not taken for unreachable: it may be
// others that cannot be reached by which it is put back.
func (m *Machine) applyReturnLater(d int32, e *Postponed, until int64) {
	dev := &m.dev[d]
	dev.state, dev.due, dev.fault = waiting, until, e.Fault
	dev.flags &^= stopped | picked
	m.setTimer(d, until)
}

func (m *Machine) applyPutBack(e *PutBack) {
	for _, d := range e.Devices {
		k := &m.drains[d]
		switch e.Then {
		case ReturnDone:
			k.service, k.disturbed, k.left = serves, false, false
		default:
			k.service, k.left = outside, true
		}
		m.stopReturn(d)
		if e.Resumes {
			m.waitAgain(d)
		}
	}
	m.dirty = true
}

// waitAgain lets d wait for what it waited for before it was put back.
func (m *Machine) waitAgain(d int32) {
	dev, w := &m.dev[d], &m.drains[d].waits
	dev.state, dev.op, dev.due, dev.tries, dev.fault = waiting, w.op, w.due, w.tries, w.fault
	dev.flags &^= absent | stopped | picked
	if w.absent {
		dev.flags |= absent
	}
	if !w.session {
		m.free(d)
	}
	if dev.offline != 0 && dev.flags&gone == 0 {
		m.setTimer(d, max(dev.offline+int64(m.retry.Grace), m.now))
	}
	if at, ok := m.leavesAt(d); ok {
		m.setTimer(d, max(at, m.now))
	}
	if w.op == OpRollback && dev.flags&session == 0 {
		m.undo[dev.ring] = append(m.undo[dev.ring], Handle{Device: d, Seq: dev.seq})
	}
	m.quits(d)
	m.raised.note(d)
	m.setTimer(d, dev.due)
}

// drainAnew begins to count the tries of a drain anew, since d is now to be drained for something else. Whether it is out of service is
// another matter.
func (m *Machine) drainAnew(d int32) {
	if m.drains == nil {
		return
	}
	m.drains[d].tries = 0
	if m.dev[d].state == waiting {
		m.stopReturn(d)
	}
}

// forgetDrain forgets that d was taken out of service: it is not ours any more, or a person sees to it.
func (m *Machine) forgetDrain(d int32) {
	if m.drains != nil {
		m.stopReturn(d)
		m.drains[d] = drain{must: m.drains[d].must}
	}
}

// reopenDrain forgets all about the service of d, which was made anew, but that it may be out of it: others than the device know of that.
func (m *Machine) reopenDrain(d int32) {
	if isOut := m.isOut(d); m.drains != nil {
		if m.forgetDrain(d); isOut {
			m.drains[d].service = outside
		}
	}
}

// drainOf tells task t the how manieth try it is.
func (m *Machine) drainOf(d int32, t *Task) {
	switch t.Op {
	case OpDrain:
		t.Attempt = int(m.drains[d].tries)
	case OpUncordon:
		t.Attempt = int(m.drains[d].backs)
	}
}

// fitsDrain checks what apply takes for granted of events about devices that are taken out of service.
func (m *Machine) fitsDrain(e Event) error {
	var devices []int32
	switch e := e.(type) {
	case Draining:
		if devices = e.Devices; !e.Op.disrupts() {
			return fmt.Errorf("draining: before %s, which disrupts nobody", e.Op)
		}
	case PuttingBack:
		if devices = e.Devices; e.Outcome >= numOutcomes || e.Settles == (e.Outcome == Unsettled) {
			return fmt.Errorf("putting back: settles %v, outcome %d", e.Settles, e.Outcome)
		}
	case PutBack:
		if devices = e.Devices; e.Then > ReturnFailed || e.Resumes && e.Then == ReturnKept {
			return fmt.Errorf("put back: %s, resumes %v", e.Then, e.Resumes)
		}
	}
	if m.drains == nil {
		return errors.New("a device is taken out of service, or put back, and no budget of the plan drains any")
	}
	for _, d := range devices {
		if d < 0 || int(d) >= len(m.dev) {
			return fmt.Errorf("%T: device %d of %d", e, d, len(m.dev))
		}
	}
	return nil
}

// drain adds to an explanation whether d is out of service, and whether it waits for that.
func (x *Explanation) drain(m *Machine, d int32) {
	if m.drains == nil {
		return
	}
	k := &m.drains[d]
	if m.dev[d].state == waiting && k.tries > 0 {
		x.Reasons = append(x.Reasons, message("wait-drain", "op", k.then.String(), "tries", strconv.Itoa(int(k.tries)), "attempts", strconv.Itoa(m.retry.Attempts)))
	}
	switch {
	case k.service == serves:
	case k.left:
		x.Reasons = append(x.Reasons, message("is-out-left"))
	default:
		x.Reasons = append(x.Reasons, message("is-out"))
	}
}
