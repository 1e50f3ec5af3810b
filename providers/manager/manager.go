// Package manager is what package managers have in common: how a task becomes changes of packages, how what they would do is
// compared with what was asked for, and how they are carried out once, kept, verified and taken back. The packages below it are
// the package managers themselves; another one is made by writing a [Kind].
package manager

import (
	"context"
	"fmt"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

// A Device is how a device is reached.
type Device struct {
	// To runs commands on the device: sh, the programs of the package manager, and what Config.Restart names.
	To transport.Transport

	// Root is the root folder of the system as those commands see it, absolute; "" for the system that runs. To is to make
	// the package manager work there.
	Root string

	// Ledger is a folder of this machine, of this device alone, in which it is written down which tasks have begun: for devices
	// that have no sh, as Windows has none. Whoever works on the device is to use the same folder: programs that run on it use one
	// of its own. "" keeps the ledger on the device, in var/lib/patchflow.
	Ledger string

	// User runs commands without asking for the rights of root: the root folder is a user's.
	User bool
}

// Config says how devices are reached, and how long things may take. Only Reach must be set.
type Config struct {
	// Reach returns how a device is reached. It is called for every task, scan and question. An error that nobody has
	// classified counts as [patch.Unreachable].
	Reach func(ctx context.Context, t inventory.Tenant, d inventory.DeviceID) (Device, error)

	// Additions allows that packages are installed that the device did not have, where those of a task depend on them, as
	// a package for the newest kernel does. Their versions are what the sources of the device offer; Rollback leaves them
	// there. Without it such a task fails.
	Additions bool

	// Lock is how long another program that uses the package manager is waited for before a task fails as [patch.Busy]. 0 means
	// a minute, less than 0 not at all.
	Lock time.Duration

	// Wait is how long Deploy, Rollback and Reboot wait for the end of what they begin before they return that it runs. 0
	// means as long as their context lasts, less than 0 not at all. The work itself goes on.
	Wait time.Duration

	// Limit ends the work for a task that does not end: a script of a package that hangs, a device that does not come back.
	// 0 means an hour.
	Limit time.Duration

	// Restart is the command that restarts a device; nil means that of the package manager's systems, as "systemctl reboot".
	Restart []string

	// Poll is the pause between two looks whether a device that restarts is back, or a lock is free; 0 means 5 s.
	Poll time.Duration

	// Now tells the time by which StartBy of a task is judged; nil means [time.Now].
	Now func() time.Time
}

// A Fleet is devices with one package manager. It is a [rollout.Deployer] that downloads ahead, verifies, probes, remedies, rolls back, restarts and
// cancels, and an [inventory.Scanner]. It is safe for concurrent use; each device does one task after the other.
//
// What has begun is written down, see Device.Ledger, before it begins: a task never begins twice, whatever
// becomes of the process that has begun it. That a task has ended well is what the database of the package manager says
// afterwards, never an exit code.
type Fleet struct{ *Forward }

// A Forward is a [Fleet] whose package manager cannot go back: it does everything but roll back, and a rollout finds that out before it
// begins.
type Forward struct {
	Config
	kind Kind
	desk *desk.Desk
}

var (
	_ rollout.Rollbacker = (*Fleet)(nil)
	_ rollout.Deployer   = (*Forward)(nil)
	_ rollout.Verifier   = (*Forward)(nil)
	_ rollout.Rebooter   = (*Forward)(nil)
	_ rollout.Downloader = (*Forward)(nil)
	_ rollout.Canceller  = (*Forward)(nil)
	_ rollout.Prober     = (*Forward)(nil)
	_ rollout.Remedier   = (*Forward)(nil)
	_ inventory.Scanner  = (*Forward)(nil)
)

// New returns the fleet of c, whose devices have k. The error wraps [patch.ErrPermanent] and names the field at fault. Close ends
// what is under way.
func New(c Config, k Kind) (*Fleet, error) {
	f, err := NewForward(c, k)
	if err != nil {
		return nil, err
	}
	return &Fleet{f}, nil
}

// NewForward does the same for a package manager that cannot go back.
func NewForward(c Config, k Kind) (*Forward, error) {
	if k.Name == "" || k.Words == nil || k.Open == nil {
		return nil, fmt.Errorf("manager: kind: Name, Words and Open must be set: %w", patch.ErrPermanent)
	}
	if c.Reach == nil {
		return nil, fmt.Errorf("%s: config: Reach is nil: %w", k.Name, patch.ErrPermanent)
	}
	if c.Lock == 0 {
		c.Lock = time.Minute
	}
	if c.Limit <= 0 {
		c.Limit = time.Hour
	}
	if c.Poll <= 0 {
		c.Poll = 5 * time.Second
	}
	if c.Restart == nil {
		c.Restart = k.Restart
	}
	if c.Restart == nil {
		c.Restart = []string{"systemctl", "reboot"}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Forward{c, k, desk.New(desk.Config{Name: k.Name, Wait: c.Wait, Limit: c.Limit, Now: c.Now})}, nil
}

// Close takes no more tasks, stops those that have changed nothing yet, and waits for the others until ctx ends. Those that
// are under way then are cut short, and found out about by the next process.
func (f *Forward) Close(ctx context.Context) error { return f.desk.Close(ctx) }

// Drain returns when the tasks that are under way have ended, or ctx has.
func (f *Forward) Drain(ctx context.Context) error { return f.desk.Drain(ctx) }

// reach returns a device to work on.
func (f *Forward) reach(ctx context.Context, t inventory.Tenant, d inventory.DeviceID) (*work, error) {
	r, err := f.Reach(ctx, t, d)
	if err == nil && r.To == nil {
		err = fmt.Errorf("no transport: %w", patch.ErrPermanent)
	}
	if err != nil {
		if patch.FaultOf(err) == patch.Transient {
			err = fmt.Errorf("%w: %w", err, patch.ErrUnreachable)
		}
		return nil, fmt.Errorf("%s: device %q: %w", f.kind.Name, d, err)
	}
	m := &Access{Config: f.Config, kind: &f.kind, device: desk.Device{To: r.To, Root: r.Root, User: r.User}}
	m.book = m.device
	if r.Ledger != "" {
		m.book = desk.Folder(r.Ledger)
	}
	return newWork(m), nil
}

// Deploy implements [rollout.Deployer].
//
// Packages of the content that the device does not have are passed over. The newest version that the content has of a package is
// installed, by its name, architecture and version. Before anything is changed, the content is compared with what the package
// manager would do, in every package and version, and with the hashes that the content has; what differs is refused. What is to
// be replaced is kept. Indices are fetched again if they lack a version. If the installation fails, what was there before is
// put back.
func (f *Forward) Deploy(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return f.begin(ctx, t, desk.Begun{Op: rollout.OpInstall}, func(ctx context.Context, w *work, cancelled <-chan struct{}) rollout.Report {
		return w.install(ctx, t, cancelled)
	})
}

// Rollback implements [rollout.Rollbacker]. It puts back the packages that Deploy has kept. A package that has meanwhile
// a newer version than the content is not touched, and the task fails as [patch.Permanent].
func (f *Fleet) Rollback(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return f.begin(ctx, t, desk.Begun{Op: rollout.OpRollback}, func(ctx context.Context, w *work, cancelled <-chan struct{}) rollout.Report {
		return w.rollback(ctx, t, cancelled)
	})
}

// Reboot implements [rollout.Rebooter]. A device that has another boot than t.BootID already is not restarted.
func (f *Forward) Reboot(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	w, err := f.reach(ctx, t.Tenant, t.Device)
	if err != nil {
		return rollout.Report{}, err
	}
	boot := t.BootID
	if boot == "" {
		s, err := w.Look(ctx)
		if err != nil {
			return rollout.Report{}, err
		}
		if boot = s.Scan.BootID; boot == "" {
			return rollout.Report{}, fmt.Errorf("%s: device %q: it does not tell its boot: %w", f.kind.Name, t.Device, patch.ErrPermanent)
		}
	}
	return f.begin(ctx, t, desk.Begun{Op: rollout.OpReboot, BootID: boot}, func(ctx context.Context, w *work, cancelled <-chan struct{}) rollout.Report {
		return w.reboot(ctx, t.ID, boot)
	})
}

func (f *Forward) begin(ctx context.Context, t rollout.Task, b desk.Begun, do func(ctx context.Context, w *work, cancelled <-chan struct{}) rollout.Report) (rollout.Report, error) {
	w, err := f.reach(ctx, t.Tenant, t.Device)
	if err != nil {
		return rollout.Report{}, err
	}
	what := func(ctx context.Context, cancelled <-chan struct{}) rollout.Report { return do(ctx, w, cancelled) }
	return f.desk.Begin(ctx, w.m.book, t, b, what, w.settle(t))
}

// Status implements [rollout.Deployer]. A task whose process is gone runs as long as the package manager does on the device; then
// the inventory tells how it has ended.
func (f *Forward) Status(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	w, err := f.reach(ctx, t.Tenant, t.Device)
	if err != nil {
		return rollout.Report{}, err
	}
	return f.desk.Status(ctx, w.m.book, t, w.settle(t))
}

// Cancel implements [rollout.Canceller]. A task that has begun to install goes on: a package manager that is interrupted
// leaves a device that needs repair.
func (f *Forward) Cancel(_ context.Context, t rollout.Task) error {
	f.desk.Cancel(t.ID)
	return nil
}

// Verify implements [rollout.Verifier]. Content works if the package manager holds it for whole, and if its files, configuration and
// documentation apart, are as they were installed, where it knows that.
func (f *Forward) Verify(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	w, err := f.reach(ctx, t.Tenant, t.Device)
	if err != nil {
		return rollout.Report{}, err
	}
	return w.verify(ctx, t)
}

// Scan implements [inventory.Scanner].
func (f *Forward) Scan(ctx context.Context, d inventory.Device) (inventory.Scan, error) {
	w, err := f.reach(ctx, d.Tenant, d.ID)
	if err != nil {
		return inventory.Scan{}, err
	}
	s, err := w.Look(ctx)
	if err != nil {
		return inventory.Scan{}, err
	}
	s.Scan.Tenant, s.Scan.Device = d.Tenant, d.ID
	return s.Scan, nil
}

// Refresh fetches the indices of the device's sources. An index that could not be fetched, whose signature is wrong or that is too
// old is an error, whatever the package manager itself makes of it.
func (f *Forward) Refresh(ctx context.Context, t inventory.Tenant, d inventory.DeviceID) error {
	w, err := f.reach(ctx, t, d)
	if err != nil {
		return err
	}
	return w.refresh(ctx)
}

// Download implements [rollout.Downloader]. What is fetched lies in the package manager's cache on the device, and is checked like
// everything that is installed. That there is nothing to fetch is a success.
func (f *Forward) Download(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return f.begin(ctx, t, desk.Begun{Op: rollout.OpDownload}, func(ctx context.Context, w *work, cancelled <-chan struct{}) rollout.Report {
		if ended := prepared(ctx, cancelled, func(ctx context.Context) error { return w.bring(ctx, t.Content) }); ended != nil {
			return *ended
		}
		return rollout.Report{Phase: rollout.PhaseSucceeded}
	})
}

// Hold tells the package manager not to change packages that the device has; Unhold takes that back.
func (f *Forward) Hold(ctx context.Context, t inventory.Tenant, d inventory.DeviceID, names ...string) error {
	return f.mark(ctx, t, d, true, names)
}

// Unhold takes Hold back.
func (f *Forward) Unhold(ctx context.Context, t inventory.Tenant, d inventory.DeviceID, names ...string) error {
	return f.mark(ctx, t, d, false, names)
}

func (f *Forward) mark(ctx context.Context, t inventory.Tenant, d inventory.DeviceID, held bool, names []string) error {
	w, err := f.reach(ctx, t, d)
	if err != nil {
		return err
	}
	return w.hold(ctx, held, names)
}

// Repair brings a database that was interrupted to an end, and returns nil if every package is installed or gone then.
// Deploy and Rollback do so themselves. Nothing is removed. Second calls change nothing.
func (f *Forward) Repair(ctx context.Context, t inventory.Tenant, d inventory.DeviceID) error {
	w, err := f.reach(ctx, t, d)
	if err != nil {
		return err
	}
	if err := w.repair(ctx); err != nil {
		return err
	}
	s, err := w.Look(ctx)
	if err != nil {
		return err
	}
	return s.Wrong
}
