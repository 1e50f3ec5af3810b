package rollout

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// Remedying says how a remedy has ended, after which the next try is made in any case.
type Remedying uint8

const (
	RemedyUnknown Remedying = iota // no end of it is known: nothing is begun there before it has surely ended
	RemedyDone                     // the device says that it has succeeded
	RemedyFailed                   // it has failed, or could not be begun
)

// String returns the lower-case name.
func (r Remedying) String() string {
	names := [...]string{"unknown", "done", "failed"}
	if int(r) < len(names) {
		return names[r]
	}
	return "remedying " + strconv.Itoa(int(r))
}

// Remedied says how the remedies of these devices have ended, before their next try ([policy.Remedy]).
type Remedied struct {
	Then    Remedying
	Of      patch.Fault // that was to be remedied
	Fault   patch.Fault // why it has failed, or has no end
	Devices []int32
}

func (Remedied) kind() byte { return kindRemedied }

func (v Remedied) encode(e *encoder) {
	e.byte(byte(v.Then))
	e.byte(byte(v.Of))
	e.byte(byte(v.Fault))
	e.devices(v.Devices)
}

func decodeRemedied(d *decoder) Remedied {
	return Remedied{Then: Remedying(d.byte()), Of: patch.Fault(d.byte()), Fault: patch.Fault(d.byte()), Devices: d.devices()}
}

// describe tells how they have ended.
func (v Remedied) describe(p *Plan) Message {
	fault := ""
	if v.Fault != patch.NoFault {
		fault = v.Fault.String()
	}
	return message("remedy-"+v.Then.String(), "devices", p.names(v.Devices), "of", v.Of.String(), "fault", fault)
}

// A cure is what is known of the remedies of a device.
type cure struct {
	due   patch.Fault // of the last try, if a remedy comes before the next one
	used  [2]uint8    // by the policy's remedies: how many were begun that count
	begun int64       // when this session of the device was
}

// newCures returns the books of remedies of so many devices, or nil if there are no remedies.
func newCures(r policy.Retry, devices int) []cure {
	if len(r.Remedies) == 0 {
		return nil
	}
	return make([]cure, devices)
}

// remedyOf returns which of the policy's remedies is one for this fault.
func (m *Machine) remedyOf(fault patch.Fault) (int, bool) {
	for i := range m.retry.Remedies {
		if m.retry.Remedies[i].Fault == fault {
			return i, true
		}
	}
	return 0, false
}

// lacksRemedy says whether a remedy comes before the next try of d.
func (m *Machine) lacksRemedy(d int32) bool { return m.cures != nil && m.cures[d].due != patch.NoFault }

// falls notes why the last try of d has failed: a remedy for that comes before the next one, if any is left.
func (m *Machine) falls(d int32, fault patch.Fault) {
	if m.cures == nil {
		return
	}
	k := &m.cures[d]
	k.due = patch.NoFault
	if i, ok := m.remedyOf(fault); ok && int(k.used[i]) < m.retry.Remedies[i].Max {
		k.due = fault
	}
}

// remedyTask tells task t what is to be remedied.
func (m *Machine) remedyTask(d int32, t *Task) {
	if t.Op == OpRemedy {
		t.Remedy = m.cures[d].due
		if i, ok := m.remedyOf(t.Remedy); ok {
			t.Attempt = int(m.cures[d].used[i])
		}
	}
}

// followRemedy decides what comes after the last report about a remedy.
func (m *Machine) followRemedy(d int32, r *TaskReport, fault patch.Fault) {
	dev := &m.dev[d]
	lost := fault == patch.Unreachable && m.awaits(d) && m.savingUnended(d) // while it worked
	busy := fault == patch.Busy && int(dev.busy) < m.retry.BusyLimit
	idle := r.Phase == PhaseStopped || (busy || fault == patch.Unreachable) && !lost // it was never begun there
	switch {
	case idle:
	case r.Phase == PhaseSucceeded:
		fault = patch.NoFault
		m.bins.remedy(RemedyDone, m.cures[d].due, fault, d)
	case lost:
		m.bins.remedy(RemedyUnknown, m.cures[d].due, fault, d)
	default:
		m.bins.remedy(RemedyFailed, m.cures[d].due, fault, d)
	}
	switch {
	case dev.flags&undone != 0:
		m.next(d, OpRollback)
	case m.stage == StageEnding:
		m.settle(d, Cancelled, fault)
	case r.Phase == PhaseStopped:
		m.postpone(d, patch.NoFault, false, m.now)
	case idle:
		m.again(d, r, fault, 0, Failed)
	case lost:
		m.bins.postpone(bin{op: OpInstall, fault: fault, spent: true}, d, m.now+max(int64(m.retry.OfflineEvery), int64(r.RetryAfter)))
	default:
		m.prepare(d)
	}
}

// remedyTimedOut decides about d, whose remedy had no answer in time.
func (m *Machine) remedyTimedOut(d int32) {
	m.bins.remedy(RemedyUnknown, m.cures[d].due, patch.Transient, d)
	switch {
	case m.dev[d].flags&undone != 0:
		m.next(d, OpRollback)
	case m.stage == StageEnding:
		m.settle(d, Cancelled, patch.Transient)
	case m.stage == StageActive:
		m.next(d, OpVerify) // the next try waits until this has surely ended
	default:
		m.bins.postpone(bin{op: OpInstall, spent: true}, d, m.now) // and is looked at when its turn comes
	}
}

// remedyOver decides about d, whose remedy had no answer in time and is not running any more: the next try takes its turn.
func (m *Machine) remedyOver(d int32) {
	if m.stage == StageEnding {
		m.settle(d, Cancelled, patch.Transient)
		return
	}
	m.bins.postpone(bin{op: OpInstall, spent: true}, d, m.now)
}

// remedy says how a remedy of d ends. It is said before what follows from it.
func (bs *bins) remedy(then Remedying, of, fault patch.Fault, d int32) {
	k := bin{what: toRemedy, remedying: then, remedy: of, fault: fault}
	if !slices.ContainsFunc(bs.all, func(o bin) bool { return o.same(&k) }) {
		bs.all = slices.Insert(bs.all, 0, k)
	}
	bs.add(k, d)
}

// applyRemedying notes that a remedy of d is begun.
func (m *Machine) applyRemedying(d int32) {
	m.preparing++
	m.place(d)
	k := &m.cures[d]
	if i, ok := m.remedyOf(k.due); ok && k.used[i] < 255 {
		k.used[i]++
	}
}

// applyUnremedied lets a device whose remedy was not begun there wait for its next try, of which the remedy is a part.
func (m *Machine) applyUnremedied(d int32, spent bool) {
	m.dev[d].op = OpInstall
	k := &m.cures[d]
	if i, ok := m.remedyOf(k.due); ok && !spent && k.used[i] > 0 {
		k.used[i]--
	}
}

// fitsRemedied checks what applyRemedied takes for granted.
func (m *Machine) fitsRemedied(e *Remedied) error {
	if _, ok := m.remedyOf(e.Of); !ok || e.Then > RemedyFailed || m.cures == nil {
		return fmt.Errorf("remedied: %s of %s, for which the plan has no remedy", e.Then, e.Of)
	}
	for _, d := range e.Devices {
		if d < 0 || int(d) >= len(m.dev) {
			return fmt.Errorf("remedied: device %d of %d", d, len(m.dev))
		}
	}
	return nil
}

func (m *Machine) applyRemedied(e *Remedied) {
	for _, d := range e.Devices {
		m.cures[d].due = patch.NoFault
	}
}

// remedy adds to an explanation that d waits for a remedy before its next try.
func (x *Explanation) remedy(m *Machine, d int32) {
	if !m.lacksRemedy(d) {
		return
	}
	k := &m.cures[d]
	i, _ := m.remedyOf(k.due)
	x.Reasons = append(x.Reasons, message("wait-remedy", "of", k.due.String(), "begun", strconv.Itoa(int(k.used[i])), "max", strconv.Itoa(m.retry.Remedies[i].Max)))
}

// fitsOp says whether the plan has tasks of this kind at all.
func (m *Machine) fitsOp(op Op) error {
	switch {
	case op == OpBackup && m.backups == nil:
		return errors.New("a backup, and the plan wants none")
	case (op == OpPrecheck || op == OpProbe) && m.probes == nil:
		return fmt.Errorf("a %s, and the plan names no probes", op)
	case op == OpLook && m.looks == nil:
		return errors.New("a look, and the plan restarts nothing before")
	case (op == OpDrain || op == OpUncordon) && m.drains == nil:
		return fmt.Errorf("a %s, and no budget of the plan drains devices", op)
	case op == OpRemedy && m.cures == nil:
		return errors.New("a remedy, and the plan has none")
	}
	return nil
}
