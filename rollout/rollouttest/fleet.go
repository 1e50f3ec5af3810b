package rollouttest

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// FleetConfig says what goes wrong in a [Fleet], and how often. Its zero value is a fleet in which everything goes well and
// takes no time.
type FleetConfig struct {
	Seed uint64

	Broken    policy.Share // of the devices: every installation fails for good
	Had       policy.Share // of the devices: they have everything already
	Useless   policy.Share // of the devices: what is offered is not for them
	Transient policy.Share // of the tasks: fail, and may go well the next time
	Busy      policy.Share // of the installations: find the device busy
	Lie       policy.Share // of the installations: are told to have succeeded, and did nothing
	Restart   policy.Share // of the installations: want a restart
	Lingers   policy.Share // of the rollbacks: take effect by a restart only
	Lost      policy.Share // of the tasks: are done, and nobody hears of it
	Damaged   policy.Share // of the devices: installations fail there as corrupt, or for want of room, until that is remedied
	Clings    policy.Share // of the drains: fail, half of them for good
	Refused   policy.Share // of the tasks that put a device back: fail, a quarter of them for good
	Pending   policy.Share // of the devices: wait for a restart at the beginning; a quarter of them for ever

	// Slow is the share of the installations, rollbacks, backups and remedies that take up to half a day more, and whose device goes on with them
	// whatever the host thinks of them meanwhile.
	Slow policy.Share

	Offline    policy.Share  // of the time: a device cannot be reached
	OfflineFor time.Duration // for how long at a stretch; 0 means 6h

	MinLatency, MaxLatency time.Duration // how long tasks take

	// Calm is when devices begin to behave: nothing is transient, busy, lost or offline any more. Zero means never.
	Calm time.Time
}

// A Fleet simulates devices for tests of hosts. What a task comes to depends on the seed, the device, the operation and the
// task's number, and on nothing else, but for the times at which a device is offline. It remembers every task by its ID: one
// that is begun twice is done once. It is not safe for concurrent use.
type Fleet struct {
	cfg     FleetConfig
	devices map[inventory.DeviceID]*fleetDevice
	tasks   map[rollout.TaskID]*Answer
	faults  []string
	hasty   bool // its host's clock was set ahead: it may have given up too soon what it had begun
}

type fleetDevice struct {
	has     map[patch.ID]bool
	boot    int
	free    time.Time // until when it is at something
	last    rollout.TaskID
	rollout rollout.Key         // of last
	mended  bool                // what was damaged is no more
	runs    int                 // installations that changed something
	leaves  []patch.ID          // that a restart takes away
	boots   map[rollout.Key]int // by rollout: the boot at its last installation
	out     bool                // of service
}

// An Answer is what becomes of a task.
type Answer struct {
	Report rollout.Report
	At     time.Time // when it is known
	Lost   bool      // nobody will ever hear of it

	task   rollout.Task
	before map[patch.ID]bool // what the device had, to be restored if the task is stopped
}

// NewFleet makes a fleet. Devices need not be declared: each is there when its first task comes.
func NewFleet(cfg FleetConfig) *Fleet {
	if cfg.OfflineFor == 0 {
		cfg.OfflineFor = 6 * time.Hour
	}
	return &Fleet{cfg: cfg, devices: make(map[inventory.DeviceID]*fleetDevice), tasks: make(map[rollout.TaskID]*Answer)}
}

// draw says whether something with this chance happens. It is the same for the same words.
func (f *Fleet) draw(chance policy.Share, words ...any) bool {
	return chance > 0 && f.number(words...)%10000 < uint64(chance)
}

func (f *Fleet) number(words ...any) uint64 { return mix(f.cfg.Seed, words...) }

// mix hashes words: FNV-1a, finished as splitmix64 is (Steele, Lea, Flood 2014), since the low bits of FNV alone are poor.
func mix(seed uint64, words ...any) uint64 {
	h := fnv.New64a()
	for _, w := range append([]any{seed}, words...) {
		fmt.Fprintf(h, "%v\x00", w)
	}
	x := h.Sum64()
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

func (f *Fleet) device(d inventory.DeviceID, content *rollout.Content) *fleetDevice {
	dev, ok := f.devices[d]
	if !ok {
		dev = &fleetDevice{has: make(map[patch.ID]bool), boots: make(map[rollout.Key]int), boot: 1}
		f.devices[d] = dev
		if f.draw(f.cfg.Had, d, "had") {
			for i := range content.Patches {
				dev.has[content.Patches[i].ID] = true
			}
		}
	}
	return dev
}

func (f *Fleet) calm(at time.Time) bool { return !f.cfg.Calm.IsZero() && !at.Before(f.cfg.Calm) }

// Online says whether a device can be reached, and, if it cannot, when that may be otherwise.
func (f *Fleet) Online(d inventory.DeviceID, at time.Time) (bool, time.Time) {
	stretch := at.Truncate(f.cfg.OfflineFor)
	if f.calm(at) || !f.draw(f.cfg.Offline, d, "offline", stretch.Unix()) {
		return true, time.Time{}
	}
	return false, stretch.Add(f.cfg.OfflineFor)
}

// Begin begins a task, or returns how one of that ID that was begun before stands.
func (f *Fleet) Begin(t rollout.Task, now time.Time) Answer {
	if a, ok := f.tasks[t.ID]; ok {
		return *a
	}
	dev := f.device(t.Device, &t.Content)
	// What one rollout has given up is not told to another; within one nothing but a look may overlap with it.
	overlaps := t.Op != rollout.OpDownload && (f.cfg.Slow == 0 && !f.hasty || t.Op != rollout.OpVerify && t.Op != rollout.OpLook && dev.rollout == t.Rollout)
	if running, ok := f.tasks[dev.last]; ok && f.hasty && !changes(running.task.Op) {
		overlaps = false // a restart, a drain or a return that has no answer is tried again, as it does no harm
	}
	if now.Before(dev.free) && overlaps {
		f.faults = append(f.faults, fmt.Sprintf("%s is begun while %s is running", t.ID, dev.last))
	}
	took := f.cfg.MinLatency
	looks := t.Op == rollout.OpPrecheck || t.Op == rollout.OpProbe || t.Op == rollout.OpLook
	if span := f.cfg.MaxLatency - f.cfg.MinLatency; span > 0 && !looks { // which is quick
		took += time.Duration(f.number(t.ID, "latency") % uint64(span))
	}
	if changes(t.Op) && f.draw(f.cfg.Slow, t.ID, "slow") {
		took += time.Duration(1+f.number(t.ID, "how slow")%12) * time.Hour
	}
	a := &Answer{At: now.Add(took), task: t, before: make(map[patch.ID]bool)}
	for id := range dev.has {
		a.before[id] = true
	}
	calm := f.calm(now)
	online, _ := f.Online(t.Device, now)
	switch {
	case !t.StartBy.IsZero() && !now.Before(t.StartBy):
		a.Report, a.At = failed(patch.Busy), now
	case !online:
		a.Report, a.At = failed(patch.Unreachable), now
	case !calm && f.draw(f.cfg.Transient, t.Device, t.Op, t.Handle.Seq, "transient"):
		a.Report = failed(patch.Transient)
	case t.Op == rollout.OpVerify && now.Before(dev.free):
		a.Report = failed(patch.NoFault) // what is to be there is not, or not yet gone
		a.Report.Idle = patch.No
	default:
		a.Report = f.do(dev, &t, calm)
		if t.Op == rollout.OpVerify {
			a.Report.Idle = patch.Yes
		}
	}
	a.Lost = !calm && f.draw(f.cfg.Lost, t.Device, t.Op, t.Handle.Seq, "lost")
	if t.Op != rollout.OpDownload && !a.At.Before(dev.free) { // which goes on beside other work
		dev.free, dev.last, dev.rollout = a.At, t.ID, t.Rollout
	}
	f.tasks[t.ID] = a
	return *a
}

// changes says whether tasks of this kind may overlap with no other: what no answer came to is waited for.
func changes(op rollout.Op) bool {
	return op == rollout.OpInstall || op == rollout.OpRollback || op == rollout.OpBackup || op == rollout.OpRemedy
}

func failed(fault patch.Fault) rollout.Report {
	return rollout.Report{Phase: rollout.PhaseFailed, Fault: fault}
}

// do lets a task change its device.
func (f *Fleet) do(dev *fleetDevice, t *rollout.Task, calm bool) rollout.Report {
	ok := rollout.Report{Phase: rollout.PhaseSucceeded}
	missing := func(id patch.ID) bool { return !dev.has[id] }
	ids := t.Content.IDs()
	switch t.Op {
	case rollout.OpInstall:
		dev.boots[t.Rollout] = dev.boot
		switch {
		case !slices.ContainsFunc(ids, missing):
			return failed(patch.AlreadyInstalled)
		case f.draw(f.cfg.Useless, t.Device, "useless"):
			if f.draw(5000, t.Device, "newer") {
				return failed(patch.Superseded)
			}
			return failed(patch.NotApplicable)
		case f.draw(f.cfg.Broken, t.Device, "broken"):
			return failed(patch.Permanent)
		case !dev.mended && f.draw(f.cfg.Damaged, t.Device, "damaged"):
			return failed(f.damage(t.Device))
		case !calm && f.draw(f.cfg.Busy, t.Device, t.Handle.Seq, "busy"):
			return failed(patch.Busy)
		case !calm && f.draw(f.cfg.Lie, t.Device, t.Handle.Seq, "lie"):
			return ok
		}
		dev.runs++
		for _, id := range ids {
			dev.has[id] = true
		}
		ok.Reboot = patch.TriOf(f.draw(f.cfg.Restart, t.Device, "restart"))
	case rollout.OpRollback:
		if slices.ContainsFunc(ids, func(id patch.ID) bool { return dev.has[id] }) && f.draw(f.cfg.Lingers, t.Device, t.Handle.Seq, "lingers") {
			dev.leaves, ok.Reboot = ids, patch.Yes
			break
		}
		for _, id := range ids {
			delete(dev.has, id)
		}
	case rollout.OpPrecheck, rollout.OpProbe:
		for _, p := range t.Probes {
			up := patch.TriOf(!f.draw(f.cfg.Broken, t.Device, p.Name, "sick") &&
				!(t.Op == rollout.OpProbe && f.draw(f.cfg.Broken, t.Device, p.Name, "hurt")))
			if !calm && f.draw(f.cfg.Lie, t.Device, t.Handle.Seq, p.Name, "unknown") {
				up = patch.Unknown
			}
			ok.Probes = append(ok.Probes, rollout.ProbeResult{Name: p.Name, Up: up})
		}
	case rollout.OpLook:
		ok = failed(patch.NoFault) // nothing was installed yet
		ok.Reboot = patch.TriOf(f.draw(f.cfg.Pending, t.Device, "pending") && (dev.boot == 1 || f.draw(2500, t.Device, "for ever")))
		if !calm && f.draw(f.cfg.Lie, t.Device, t.Handle.Seq, "unknown") {
			ok.Reboot = patch.Unknown
		}
	case rollout.OpBackup:
		switch {
		case f.draw(f.cfg.Broken, t.Device, "unkept"):
			return failed(patch.Permanent)
		case !calm && f.draw(f.cfg.Lie, t.Device, t.Handle.Seq, "lie"):
			return ok // and shows no backup
		}
		ok.Backup = rollout.Backup{ID: "backup of " + string(t.Device), At: t.Issued}
	case rollout.OpRemedy:
		switch {
		case t.Remedy != f.damage(t.Device):
			return failed(patch.Permanent)
		case f.draw(f.cfg.Lie, t.Device, t.Handle.Seq, "lie"):
			return ok // and has mended nothing
		}
		dev.mended = true
	case rollout.OpDrain:
		if f.draw(f.cfg.Clings, t.Device, t.Handle.Seq, "clings") {
			if f.draw(5000, t.Device, t.Handle.Seq, "half") {
				dev.out = true
				return failed(patch.Transient)
			}
			return failed(patch.Permanent)
		}
		dev.out = true
	case rollout.OpUncordon:
		if f.draw(f.cfg.Refused, t.Device, t.Handle.Seq, "refused") {
			if f.draw(2500, t.Device, t.Handle.Seq, "for good") {
				return failed(patch.Permanent)
			}
			return failed(patch.Transient)
		}
		dev.out = false
	case rollout.OpReboot:
		dev.boot++
		for _, id := range dev.leaves {
			delete(dev.has, id)
		}
		dev.leaves = nil
	case rollout.OpVerify:
		present := func(id patch.ID) bool { return dev.has[id] }
		if t.Absent && slices.ContainsFunc(ids, present) || !t.Absent && slices.ContainsFunc(ids, missing) {
			return failed(patch.NoFault)
		}
	}
	ok.BootID = fmt.Sprintf("boot-%d", dev.boot)
	return ok
}

// damage is what a device fails with that is damaged.
func (f *Fleet) damage(d inventory.DeviceID) patch.Fault {
	if f.draw(5000, d, "full") {
		return patch.DiskFull
	}
	return patch.Corrupt
}

// Reimage makes a device anew: nothing is installed there, and what ran there has ended with what was.
func (f *Fleet) Reimage(d inventory.DeviceID, now time.Time) {
	if dev, ok := f.devices[d]; ok {
		dev.has, dev.free = make(map[patch.ID]bool), now
		dev.boot++
	}
}

// Stop asks that a task be stopped; half of those that are still running are, and have done nothing then.
func (f *Fleet) Stop(t rollout.Task, now time.Time) (Answer, bool) {
	a, ok := f.tasks[t.ID]
	if !ok || !now.Before(a.At) || !f.draw(5000, t.ID, "stop") {
		return Answer{}, false
	}
	dev := f.devices[t.Device]
	dev.has = make(map[patch.ID]bool)
	for id := range a.before {
		dev.has[id] = true
	}
	a.Report, a.At, dev.free = rollout.Report{Phase: rollout.PhaseStopped}, now, now
	return *a, true
}

// Has says what is true: whether a device has everything in a content.
func (f *Fleet) Has(d inventory.DeviceID, c rollout.Content) bool {
	dev := f.device(d, &c)
	return !slices.ContainsFunc(c.IDs(), func(id patch.ID) bool { return !dev.has[id] })
}

// Out says whether a device was taken out of service, and not put back.
func (f *Fleet) Out(d inventory.DeviceID) bool {
	dev, ok := f.devices[d]
	return ok && dev.out
}

// Faults tells what a host did to the fleet that it must not do: two tasks of one device at once.
func (f *Fleet) Faults() []string { return f.faults }
