package rollout

import (
	"iter"
	"slices"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// backupSkew is how far the clock of whoever makes a backup may be from the host's.
const backupSkew = int64(5 * time.Minute)

// A Backup is the proof that a device can be taken back to what it was.
type Backup struct {
	ID string    `json:"id"` // whoever made it finds it by that
	At time.Time `json:"at"` // the instant that it holds
}

// Backing says how it goes on with a device after its backup.
type Backing uint8

const (
	BackupProved  Backing = iota // there is one: the installation may begin
	BackupWaived                 // there is none, and the policy lets the installation begin all the same
	BackupLacking                // there is none, and there will be no installation
)

// String returns the lower-case name.
func (b Backing) String() string {
	switch b {
	case BackupProved:
		return "proved"
	case BackupWaived:
		return "waived"
	}
	return "lacking"
}

// BackedUp says how the backups of these devices have ended: before their installation is begun, or not begun.
type BackedUp struct {
	Then    Backing
	Fault   patch.Fault // why there is none
	Devices []int32
	Backups []Backup // by device: the proof; zero if there is none
}

func (BackedUp) kind() byte { return kindBackedUp }

func (v BackedUp) encode(e *encoder) {
	e.byte(byte(v.Then))
	e.byte(byte(v.Fault))
	e.devices(v.Devices)
	e.uint(uint64(len(v.Backups)))
	for _, b := range v.Backups {
		e.backup(b)
	}
}

func decodeBackedUp(d *decoder) BackedUp {
	v := BackedUp{Then: Backing(d.byte()), Fault: patch.Fault(d.byte()), Devices: d.devices()}
	v.Backups = make([]Backup, d.count(2))
	for i := range v.Backups {
		v.Backups[i] = d.backup()
	}
	return v
}

func (e *encoder) backup(b Backup) { e.string(b.ID); e.time(b.At) }

func (d *decoder) backup() Backup { return Backup{ID: d.string(), At: d.time()} }

func (p *Plan) backedUp(e *BackedUp) Message {
	code, fault := "backed-up", ""
	switch e.Then {
	case BackupWaived:
		code = "backup-waived"
	case BackupLacking:
		code = "backup-lacking"
	}
	if e.Fault != patch.NoFault {
		fault = e.Fault.String()
	}
	return message(code, "devices", p.names(e.Devices), "fault", fault)
}

// saved is what is known of the backup of a device.
type saved struct {
	id     string
	at     int64
	begun  int64 // when this session of the device was
	tries  uint8 // that count
	waived bool
	stale  bool // the last one that was wanted was not made: what there is, is older than it may be, and nothing was installed since
}

// saved returns what is known of the backup of d.
func (m *Machine) saved(d int32) saved {
	if m.backups == nil {
		return saved{}
	}
	return m.backups[d]
}

// Backups yields the devices, by their numbers in the plan, that have a backup of which this rollout has a proof, in their order.
func (m *Machine) Backups() iter.Seq2[int32, Backup] {
	return func(yield func(int32, Backup) bool) {
		for d := range m.backups {
			if b := &m.backups[d]; b.id != "" && !yield(int32(d), Backup{ID: b.id, At: instant(b.at)}) {
				return
			}
		}
	}
}

// backupOf tells task t of device d about its backup.
func (m *Machine) backupOf(d int32, t *Task) {
	b := m.saved(d)
	if b.id != "" {
		t.Backup = Backup{ID: b.id, At: instant(b.at)}
	}
	if t.Op == OpBackup {
		t.Attempt, t.Since = int(b.tries), instant(m.dev[d].issued-int64(m.plan.Policy.Backup.MaxAge))
	}
}

// lacksBackup says whether a backup comes before the installation on d.
func (m *Machine) lacksBackup(d int32) bool {
	if m.backups == nil {
		return false
	}
	b := &m.backups[d]
	switch {
	case b.waived:
		return false
	case b.id == "" || b.stale:
		return true
	case m.dev[d].flags&unsure != 0:
		return false // a newer one would hold what our own attempt may have done
	}
	return m.now > b.at+max(int64(m.plan.Policy.Backup.MaxAge), backupSkew)
}

// proof returns the backup that a report proves, and whether it proves one: named, not older than it may be, and not of the
// future.
func (m *Machine) proof(d int32, r *TaskReport) (Backup, bool) {
	at := nanos(r.Backup.At)
	if r.Phase != PhaseSucceeded || r.Backup.ID == "" || at == 0 || at > m.now+backupSkew ||
		at < m.dev[d].issued-int64(m.plan.Policy.Backup.MaxAge)-backupSkew {
		return Backup{}, false
	}
	return Backup{ID: r.Backup.ID, At: instant(min(at, m.now))}, true
}

// followBackup decides what comes after the last report about a backup.
func (m *Machine) followBackup(d int32, r *TaskReport, fault patch.Fault) {
	dev := &m.dev[d]
	b, proved := m.proof(d, r)
	if r.Phase == PhaseSucceeded && !proved {
		fault = patch.Transient // it says that there is one, and shows none that will do
	}
	stopped := r.Phase == PhaseStopped
	switch {
	case dev.flags&undone != 0:
		m.next(d, OpRollback)
	case proved && m.stage == StageActive && m.overslept(d):
		m.postpone(d, patch.NoFault, false, m.now)
	case proved:
		m.bins.backup(BackupProved, patch.NoFault, b, d)
		m.install(d)
	case m.stage == StageEnding:
		m.settle(d, Cancelled, fault)
	case stopped:
		m.postpone(d, patch.NoFault, false, m.now)
	case m.plan.Policy.Backup.Need == policy.BackupBestEffort && !(fault == patch.Unreachable && m.savingUnended(d) && m.awaits(d)):
		m.bins.backup(BackupWaived, fault, Backup{}, d)
		m.install(d)
	case fault == patch.Permanent || fault == patch.Untrusted || fault.Done() || !m.triesLeft(d, fault, m.backups[d].tries):
		m.bins.backup(BackupLacking, fault, Backup{}, d)
		m.settle(d, Failed, fault)
	default:
		m.again(d, r, fault, int(m.backups[d].tries), Failed)
	}
}

// overslept says whether the last report about the task of d has come after the time of the task was up, though nobody had noticed: the host
// was asleep. What is known of the device is then as old.
func (m *Machine) overslept(d int32) bool { return m.now > m.dev[d].due }

// triesLeft says whether a task before an installation that failed so is tried again after so many tries.
func (m *Machine) triesLeft(d int32, fault patch.Fault, tries uint8) bool {
	switch fault {
	case patch.Unreachable, patch.NeedsUser:
		return true
	case patch.Busy:
		if int(m.dev[d].busy) < m.retry.BusyLimit {
			return true
		}
	}
	return int(tries) < m.retry.Attempts
}

// install begins the installation on d, which is prepared, or makes it wait for its turn.
func (m *Machine) install(d int32) {
	if m.mayInstall(d) {
		m.try(d)
		m.bins.add(bin{what: toIssue, op: OpInstall, startBy: m.hoursOf(d, m.groupOf(d)).closes(m.now)}, d)
		return
	}
	m.bins.postpone(bin{op: OpInstall}, d, m.now)
}

// mayInstall says whether the installation on d, whose session is under way, may begin now.
func (m *Machine) mayInstall(d int32) bool {
	return m.stage == StageActive && m.rings[m.dev[d].ring].state.opened() && !m.isWithdrawn(d) && m.hoursOf(d, m.groupOf(d)).open(m.now) && !m.isShut(d)
}

// backup says how the backup of d ends. It is said before what follows from it.
func (bs *bins) backup(then Backing, fault patch.Fault, b Backup, d int32) {
	k := bin{what: toSave, backing: then, fault: fault}
	if !slices.ContainsFunc(bs.all, func(o bin) bool { return o.same(&k) }) {
		bs.all = slices.Insert(bs.all, 0, k)
	}
	to := bs.at(k)
	to.devices, to.backups = append(to.devices, d), append(to.backups, b)
}

func (m *Machine) applySaving(d int32) {
	m.preparing++
	m.place(d)
	if b := &m.backups[d]; b.tries < 255 {
		b.tries++
	}
}

// applyUnsaved lets a device whose backup is tried again wait for its installation, of which the backup is a part.
func (m *Machine) applyUnsaved(d int32, spent bool) {
	m.dev[d].op = OpInstall
	if b := &m.backups[d]; !spent && b.tries > 0 {
		b.tries--
	}
}

func (m *Machine) applyBackedUp(e BackedUp) {
	for i, d := range e.Devices {
		b := &m.backups[d]
		if a := m.auxOf(d); a != nil {
			a.saving = false
		}
		switch e.Then {
		case BackupProved:
			b.id, b.at, b.tries, b.stale = e.Backups[i].ID, nanos(e.Backups[i].At), 0, false
		case BackupWaived:
			b.waived = true
		case BackupLacking:
			b.stale = true
		}
	}
}
