package rollout

import (
	"slices"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// A TaskRef names an earlier task of a device of which no end is known: it had no answer in time, or its device was lost while it
// ran. It may still be running there.
type TaskRef struct {
	ID   TaskID `json:"id"`
	Op   Op     `json:"op"`
	Ref  string `json:"ref,omitempty"`  // the provider's own handle for it, as its last report gave it
	Stop bool   `json:"stop,omitempty"` // it is to be stopped if that is possible: what comes next waits for its end
}

// Earlier returns the task that u names: t as it was then, for [Deployer.Status] and [Canceller.Cancel].
func (t Task) Earlier(u TaskRef) Task {
	e := Task{ID: u.ID, Handle: t.Handle, Rollout: t.Rollout, Ring: t.Ring, Tenant: t.Tenant, Device: t.Device, Op: u.Op, Content: t.Content,
		Ref: u.Ref, Backup: t.Backup}
	if n, err := ParseTaskID(u.ID); err == nil {
		e.Handle.Seq = n.Seq
	}
	return e
}

// Ends says whether r says that its task runs no more on the device: it is the last one, and not that the device cannot be reached.
func (r *Report) Ends() bool {
	return r.Phase.Last() && (r.Phase != PhaseFailed || r.Fault != patch.Unreachable)
}

// unended is a task of which no end is known.
type unended struct {
	seq uint32
	op  Op
	ref string
}

// changes says whether tasks of this kind work on a device in a way that no other may overlap with.
func (o Op) changes() bool {
	return o == OpInstall || o == OpRollback || o == OpBackup || o == OpRemedy
}

// leaveUnended notes that no end is known of the task of d.
func (m *Machine) leaveUnended(d int32) {
	dev := &m.dev[d]
	if !dev.op.changes() {
		return
	}
	a := m.setAux(d)
	a.unended = append(a.unended, unended{dev.seq, dev.op, a.ref})
	a.since = m.now
	a.left(dev.op)
}

// left notes that what was tried last is a task of this kind that has no end.
func (a *aux) left(op Op) { a.saving, a.mending = op == OpBackup || op == OpRemedy, op == OpRemedy }

// awaits says whether a task of d may still be running there of which no end is known.
func (m *Machine) awaits(d int32) bool {
	a := m.auxOf(d)
	return a != nil && len(a.unended) > 0
}

// savingUnended says whether the last thing that was tried on d is a backup, or a remedy, that had no answer in time.
func (m *Machine) savingUnended(d int32) bool {
	a := m.auxOf(d)
	return a != nil && a.saving && m.dev[d].flags&undone == 0
}

// endOf returns where r stands among the tasks of its device of which no end is known, if it is the end of one of them.
func (m *Machine) endOf(r *TaskReport) (int, bool) {
	a := m.auxOf(r.Device)
	if a == nil || !r.Ends() {
		return 0, false
	}
	i := slices.IndexFunc(a.unended, func(u unended) bool { return u.seq == r.Seq })
	return i, i >= 0
}

// applyEnd takes the end of a task in that had none.
func (m *Machine) applyEnd(r *TaskReport) {
	if i, ok := m.endOf(r); ok {
		a := m.auxOf(r.Device)
		a.unended = slices.Delete(a.unended, i, i+1)
		m.forget(r.Device)
	}
}

// applyLate takes reports in that changed nothing, but for the end of a task that had none.
func (m *Machine) applyLate(late Late) {
	for i := range late.Reports {
		d := late.Reports[i].Device
		if d < 0 || int(d) >= len(m.dev) {
			continue
		}
		m.applyEnd(&late.Reports[i])
		if m.dev[d].late < 255 {
			m.dev[d].late++
		}
		if m.abandoned(d) && late.Reports[i].Seq == m.dev[d].seq {
			m.dev[d].flags &^= stopped // it has ended
			m.dropAux(d)
		}
	}
}

// applyProof takes in what the report about the present task of its device proves of earlier ones that had no end: that a look has found
// nothing at work, or that installing or taking back has succeeded, which no other installation lets happen beside it.
func (m *Machine) applyProof(r *TaskReport) {
	switch op := m.dev[r.Device].op; {
	case op == OpVerify && r.Idle == patch.Yes:
		m.applyIdle(r.Device)
	case (op == OpInstall || op == OpRollback) && r.Phase == PhaseSucceeded && m.awaits(r.Device):
		a := m.auxOf(r.Device)
		a.unended = slices.DeleteFunc(a.unended, func(u unended) bool { return u.op != OpBackup && u.op != OpRemedy })
	}
}

// applyIdle notes that nothing of this rollout runs on d any more.
func (m *Machine) applyIdle(d int32) {
	if a := m.auxOf(d); a != nil {
		a.unended = nil
		m.forget(d)
	}
}

// forget lets go of what is kept of a settled device only because of its tasks.
func (m *Machine) forget(d int32) {
	if m.dev[d].state == settled && !m.awaits(d) {
		m.dropAux(d)
	}
}

// unendedOf returns the tasks of d of which no end is known.
func (m *Machine) unendedOf(d int32) []TaskRef {
	if !m.awaits(d) {
		return nil
	}
	a, dev := m.auxOf(d), &m.dev[d]
	refs := make([]TaskRef, len(a.unended))
	for i, u := range a.unended {
		refs[i] = TaskRef{ID: NewTaskID(m.plan.Key, m.plan.Rings[dev.ring].Name, m.plan.Devices[d], u.op, u.seq), Op: u.op, Ref: u.ref,
			Stop: dev.flags&undone != 0 || a.saving}
	}
	return refs
}

// safely returns op, or that the device is looked at first, if a task of it may still be running with which op may not overlap.
func (m *Machine) safely(d int32, op Op) Op {
	if op == OpRollback && m.awaits(d) || (op == OpBackup || op == OpRemedy || op == OpInstall || op == OpLook) && m.awaits(d) && m.savingUnended(d) {
		return OpVerify
	}
	return op
}

// awaitEnd decides about d, which was looked at, and on which a task may still be running that nothing may overlap with: it is looked at
// again, until that has taken too long.
func (m *Machine) awaitEnd(d int32, fault patch.Fault) {
	limit := m.auxOf(d).since + int64(m.plan.Policy.Rollback.WithDefaults().Wait)
	pause := int64(m.retry.BusyEvery)
	if fault == patch.Unreachable {
		pause = int64(m.retry.OfflineEvery)
	} else {
		fault = patch.NoFault
	}
	isUndone := m.dev[d].flags&undone != 0
	switch {
	case isUndone && (m.now >= limit || m.stage == StageEnding):
		m.settle(d, RollbackFailed, patch.NeedsUser)
	case m.stage == StageEnding:
		m.settle(d, Cancelled, patch.NeedsUser)
	case m.now >= limit:
		if m.savingUnended(d) && !m.auxOf(d).mending && m.plan.Policy.Backup.Need == policy.BackupRequired {
			m.bins.backup(BackupLacking, patch.NeedsUser, Backup{}, d)
		}
		m.settle(d, Failed, patch.NeedsUser)
	default:
		m.postpone(d, fault, false, min(m.now+pause, limit))
	}
}

// backupTimedOut decides about d, whose backup, or remedy, had no answer in time and is not running any more.
func (m *Machine) backupTimedOut(d int32) {
	switch {
	case m.auxOf(d).mending:
		m.remedyOver(d)
	case m.stage == StageEnding:
		m.settle(d, Cancelled, patch.Transient)
	case m.plan.Policy.Backup.Need == policy.BackupBestEffort:
		m.bins.backup(BackupWaived, patch.Transient, Backup{}, d)
		m.bins.postpone(bin{op: OpInstall, spent: true}, d, m.now)
	case !m.triesLeft(d, patch.Transient, m.backups[d].tries):
		m.bins.backup(BackupLacking, patch.Transient, Backup{}, d)
		m.settle(d, Failed, patch.Transient)
	default:
		m.bins.postpone(bin{op: OpBackup, fault: patch.Transient, spent: true}, d, m.backoff(d, int(m.backups[d].tries), 0))
	}
}

// unended says that d waits until a task of it has ended, if it does.
func (x *Explanation) unended(m *Machine, d int32) {
	if !m.awaits(d) || m.dev[d].flags&undone == 0 && !m.savingUnended(d) {
		return
	}
	a := m.auxOf(d)
	var ops []string
	for _, u := range a.unended {
		if !slices.Contains(ops, u.op.String()) {
			ops = append(ops, u.op.String())
		}
	}
	until := instant(a.since + int64(m.plan.Policy.Rollback.WithDefaults().Wait))
	x.Reasons = append(x.Reasons, message("wait-unended", "ops", strings.Join(ops, " and "), "until", clock(until)))
}
