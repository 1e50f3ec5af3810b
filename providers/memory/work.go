package memory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// A task is what a fleet remembers of a task, for ever: its ID must not begin again. What the task was about is kept only
// until it has ended.
type task struct {
	device *device
	op     rollout.Op
	report rollout.Report
	work   *work
}

type work struct {
	task      rollout.Task
	behaviour Behaviour
	given     time.Time
	begun     time.Time
}

// An Entry is something that really happened on a device, whatever was reported of it.
type Entry struct {
	At     time.Time
	Tenant inventory.Tenant
	Device inventory.DeviceID
	Task   rollout.TaskID
	Op     rollout.Op
	Phase  rollout.Phase // PhaseRunning: it began; any other: it ended so, without having begun if no entry says that it did
	Fault  patch.Fault
}

// Deploy implements [rollout.Deployer]. Devices do one task after the other, in the order in which they get them.
//
// Packages of the content that the device does not have are passed over, and so are patches for which there is nothing to
// do. If that is so for all of them, the task fails with a fault that is done: [patch.AlreadyInstalled],
// [patch.Superseded] or [patch.NotApplicable]. A patch without packages is installed if the device lists it as missing.
func (f *Fleet) Deploy(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return f.begin(ctx, rollout.OpInstall, t)
}

// Download implements [rollout.Downloader]. It takes its time and leaves the device as it is: a fleet in memory has nothing to keep.
func (f *Fleet) Download(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return f.begin(ctx, rollout.OpDownload, t)
}

// Snapshot implements [rollout.Snapshotter]. The backup is a name and a time: a fleet in memory keeps of every device what it
// needs to take its own installations back.
func (f *Fleet) Snapshot(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return f.begin(ctx, rollout.OpBackup, t)
}

// Remedy implements [rollout.Remedier]. It mends what Behaviour.Damage says of the device; there is nothing else to be put right in memory.
func (f *Fleet) Remedy(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return f.begin(ctx, rollout.OpRemedy, t)
}

// Drain implements [rollout.Drainer]. Nothing leads load to a device in memory: that it is out of service is a mark, which [Fleet.Drained] tells.
func (f *Fleet) Drain(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return f.begin(ctx, rollout.OpDrain, t)
}

// Uncordon implements [rollout.Drainer]. A drain that has not begun yet comes before it, and is taken back by it.
func (f *Fleet) Uncordon(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return f.begin(ctx, rollout.OpUncordon, t)
}

// Probe implements [rollout.Prober]. A service is up unless Behaviour.Down names it or content that the device has is broken; an
// application has the version that its software says; of the registry and of a custom check it knows what Behaviour.Up and Behaviour.Down say.
func (f *Fleet) Probe(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	op := rollout.OpProbe
	if t.Op == rollout.OpPrecheck {
		op = t.Op
	}
	return f.begin(ctx, op, t)
}

// Verify implements [rollout.Verifier].
func (f *Fleet) Verify(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return f.begin(ctx, rollout.OpVerify, t)
}

// Rollback implements [rollout.Rollbacker]. A fleet can take back what it has installed itself. It does so whatever the
// patches say of their reversal.
func (f *Fleet) Rollback(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return f.begin(ctx, rollout.OpRollback, t)
}

// Reboot implements [rollout.Rebooter].
func (f *Fleet) Reboot(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return f.begin(ctx, rollout.OpReboot, t)
}

// Status implements [rollout.Deployer].
func (f *Fleet) Status(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	k, unlock, err := f.task(ctx, "status", t)
	defer unlock()
	if err != nil || k == nil {
		return rollout.Report{}, err
	}
	if k.work != nil && k.device.removed {
		return rollout.Report{}, unreachable(t.Device)
	}
	return k.report, nil
}

// Cancel implements [rollout.Canceller]. A task that has not begun is stopped; one that has begun goes on.
func (f *Fleet) Cancel(ctx context.Context, t rollout.Task) error {
	k, unlock, err := f.task(ctx, "cancel", t)
	defer unlock()
	if err != nil || k == nil || k.report.Phase != rollout.PhaseQueued {
		return err
	}
	d := k.device
	d.queue = slices.DeleteFunc(d.queue, func(o *task) bool { return o == k })
	f.end(k, f.now(), rollout.Report{Phase: rollout.PhaseStopped, Message: "cancelled"})
	return nil
}

// task finds what is remembered of t, brought up to date, or nil. The fleet is locked until unlock is called.
func (f *Fleet) task(ctx context.Context, call string, t rollout.Task) (k *task, unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, func() {}, fmt.Errorf("memory: %s of task %q: %w", call, t.ID, err)
	}
	offline := f.behave(t).Offline
	f.mu.Lock()
	if offline {
		return nil, f.mu.Unlock, unreachable(t.Device)
	}
	if k = f.tasks[t.ID]; k != nil {
		f.advance(k.device, f.now())
	}
	return k, f.mu.Unlock, nil
}

// begin hands t to its device, unless that was done before, and returns how it stands. All calls that begin something come
// here, so that none of them begins anything twice.
func (f *Fleet) begin(ctx context.Context, op rollout.Op, t rollout.Task) (rollout.Report, error) {
	if t.ID == "" {
		return rollout.Report{}, fmt.Errorf("memory: %s on device %q: the task has no ID: %w", op, t.Device, patch.ErrPermanent)
	}
	if err := ctx.Err(); err != nil {
		return rollout.Report{}, fmt.Errorf("memory: %s on device %q: %w", op, t.Device, err)
	}
	b := f.behave(t)
	f.mu.Lock()
	defer f.mu.Unlock()
	if b.Offline {
		return rollout.Report{}, unreachable(t.Device)
	}
	now := f.now()
	if k := f.tasks[t.ID]; k != nil {
		f.advance(k.device, now)
		return k.report, nil
	}
	d, err := f.find(t.Tenant, t.Device)
	if err != nil {
		return rollout.Report{}, err
	}
	k := &task{device: d, op: op, work: &work{task: t, behaviour: b, given: now}}
	k.report.Phase = rollout.PhaseQueued
	if f.tasks == nil {
		f.tasks = make(map[rollout.TaskID]*task)
	}
	f.tasks[t.ID] = k
	d.queue = append(d.queue, k)
	f.advance(d, now)
	return k.report, nil
}

// advance does what d has done until now. A task begins when it has lain long enough and the one before it has ended.
func (f *Fleet) advance(d *device, now time.Time) {
	for len(d.queue) > 0 && !d.removed {
		k := d.queue[0]
		w := k.work
		if k.report.Phase == rollout.PhaseQueued {
			at := w.given.Add(w.behaviour.Wait)
			if d.free.After(at) {
				at = d.free
			}
			if at.After(now) {
				return
			}
			if by := w.task.StartBy; !by.IsZero() && at.After(by) {
				d.queue = d.queue[1:]
				f.end(k, at, failed(patch.Busy, "too late to begin: the latest was %s", by.UTC().Format(time.RFC3339)))
				continue
			}
			w.begun, k.report.Phase = at, rollout.PhaseRunning
			f.note(k, at)
		}
		at := w.begun.Add(w.behaviour.Latency)
		if at.After(now) {
			return
		}
		d.queue, d.free = d.queue[1:], at
		f.end(k, at, d.do(k.op, &w.task, w.behaviour, at))
	}
	if len(d.queue) == 0 {
		d.queue = nil
	}
}

// end gives k its last report. k.work still tells note which task it was.
func (f *Fleet) end(k *task, at time.Time, r rollout.Report) {
	k.report = r
	f.note(k, at)
	k.work = nil
}

func (f *Fleet) note(k *task, at time.Time) {
	if k.op == rollout.OpInstall && k.report.Phase == rollout.PhaseRunning {
		if f.installs == nil {
			f.installs = make(map[inventory.DeviceID]int)
		}
		f.installs[k.device.base.ID]++
	}
	f.log = append(f.log, Entry{At: at, Tenant: k.device.base.Tenant, Device: k.device.base.ID, Task: k.work.task.ID, Op: k.op,
		Phase: k.report.Phase, Fault: k.report.Fault})
}

// Log returns what has happened on the devices until now, in the order of time.
func (f *Fleet) Log() []Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	for _, d := range f.devices.values {
		f.advance(d, now)
	}
	log := slices.Clone(f.log)
	slices.SortStableFunc(log, func(a, b Entry) int { return a.At.Compare(b.At) })
	return log
}

// Installs returns how many installations have begun on the devices called d, whatever their tenant. An installation that
// was asked for twice with one task ID counts once.
func (f *Fleet) Installs(d inventory.DeviceID) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	for _, o := range f.named[d] {
		f.advance(o, now)
	}
	return f.installs[d]
}
