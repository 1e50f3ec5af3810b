package apt

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
	// To runs commands on the device: apt-get, apt-cache, apt-mark, dpkg, dpkg-query, dpkg-deb, sh, and what Config.Restart names.
	To transport.Transport

	// Root is the root folder of the system as those commands see it, absolute; "" for the system that runs. To is to make
	// apt and dpkg work there.
	Root string

	// User runs commands without asking for the rights of root: the root folder is a user's.
	User bool
}

// Config says how devices are reached, and how long things may take. Only Reach must be set.
type Config struct {
	// Reach returns how a device is reached. It is called for every task, scan and question. An error that nobody has
	// classified counts as [patch.Unreachable].
	Reach func(ctx context.Context, t inventory.Tenant, d inventory.DeviceID) (Device, error)

	// Additions allows that packages are installed that the device did not have, where those of a task depend on them, as
	// a package for the newest kernel does. Their versions are what the archives of the device offer; Rollback leaves them
	// there. Without it such a task fails.
	Additions bool

	// Lock is how long another program that uses apt or dpkg is waited for before a task fails as [patch.Busy]. 0 means a
	// minute, less than 0 not at all.
	Lock time.Duration

	// Wait is how long Deploy, Rollback and Reboot wait for the end of what they begin before they return that it runs. 0
	// means as long as their context lasts, less than 0 not at all. The work itself goes on.
	Wait time.Duration

	// Limit ends the work for a task that does not end: a script of a package that hangs, a device that does not come back.
	// 0 means an hour.
	Limit time.Duration

	// Restart is the command that restarts a device; nil means "systemctl reboot".
	Restart []string

	// Poll is the pause between two looks whether a device that restarts is back; 0 means 5 s.
	Poll time.Duration

	// Now tells the time by which StartBy of a task is judged; nil means [time.Now].
	Now func() time.Time
}

// A Fleet is devices with apt. It is a [rollout.Deployer] that downloads ahead, verifies, rolls back, restarts and cancels, and an
// [inventory.Scanner]. It is safe for concurrent use; each device does one task after the other.
//
// What has begun is written down on the device, in var/lib/patchflow, before it begins: a task never begins twice, whatever
// becomes of the process that has begun it. That a task has ended well is what dpkg's database says afterwards, never an
// exit code.
type Fleet struct {
	Config
	desk *desk.Desk
}

var (
	_ rollout.Deployer   = (*Fleet)(nil)
	_ rollout.Verifier   = (*Fleet)(nil)
	_ rollout.Rollbacker = (*Fleet)(nil)
	_ rollout.Rebooter   = (*Fleet)(nil)
	_ rollout.Downloader = (*Fleet)(nil)
	_ rollout.Canceller  = (*Fleet)(nil)
	_ inventory.Scanner  = (*Fleet)(nil)
)

// New returns the fleet of c. The error wraps [patch.ErrPermanent] and names the field at fault. Close ends what is under way.
func New(c Config) (*Fleet, error) {
	if c.Reach == nil {
		return nil, fmt.Errorf("apt: config: Reach is nil: %w", patch.ErrPermanent)
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
		c.Restart = []string{"systemctl", "reboot"}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Fleet{c, desk.New(desk.Config{Name: "apt", Wait: c.Wait, Limit: c.Limit, Now: c.Now})}, nil
}

// Close takes no more tasks, stops those that have changed nothing yet, and waits for the others until ctx ends. Those that
// are under way then are cut short, and found out about by the next process.
func (f *Fleet) Close(ctx context.Context) error { return f.desk.Close(ctx) }

// Drain returns when the tasks that are under way have ended, or ctx has.
func (f *Fleet) Drain(ctx context.Context) error { return f.desk.Drain(ctx) }

// reach returns a device to work on.
func (f *Fleet) reach(ctx context.Context, t inventory.Tenant, d inventory.DeviceID) (*machine, error) {
	r, err := f.Reach(ctx, t, d)
	if err == nil && r.To == nil {
		err = fmt.Errorf("no transport: %w", patch.ErrPermanent)
	}
	if err != nil {
		if patch.FaultOf(err) == patch.Transient {
			err = fmt.Errorf("%w: %w", err, patch.ErrUnreachable)
		}
		return nil, fmt.Errorf("apt: device %q: %w", d, err)
	}
	return &machine{desk.Device{To: r.To, Root: r.Root, User: r.User}, &f.Config}, nil
}

// Deploy implements [rollout.Deployer].
//
// Packages of the content that the device does not have are passed over. The newest version that the content has of a package is
// installed, by its name, architecture and version. Before anything is changed, the content is compared with what apt would
// do, in every package and version, and with the hashes that the content has; what differs is refused. What is to be replaced is
// kept. Indices are fetched again if they lack a version. If the installation fails, what was there before is put back.
//
// A configuration file that somebody has changed is left as it is.
func (f *Fleet) Deploy(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return f.begin(ctx, t, desk.Begun{Op: rollout.OpInstall}, func(ctx context.Context, m *machine, cancelled <-chan struct{}) rollout.Report {
		return m.install(ctx, t, cancelled)
	})
}

// Rollback implements [rollout.Rollbacker]. It puts back the packages that Deploy has kept. A package that has meanwhile
// a newer version than the content is not touched, and the task fails as [patch.Permanent].
func (f *Fleet) Rollback(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return f.begin(ctx, t, desk.Begun{Op: rollout.OpRollback}, func(ctx context.Context, m *machine, cancelled <-chan struct{}) rollout.Report {
		return m.rollback(ctx, t, cancelled)
	})
}

// Reboot implements [rollout.Rebooter]. A device that has another boot than t.BootID already is not restarted.
func (f *Fleet) Reboot(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	m, err := f.reach(ctx, t.Tenant, t.Device)
	if err != nil {
		return rollout.Report{}, err
	}
	boot := t.BootID
	if boot == "" {
		s, err := m.look(ctx)
		if err != nil {
			return rollout.Report{}, err
		}
		if boot = s.scan.BootID; boot == "" {
			return rollout.Report{}, fmt.Errorf("apt: device %q: it does not tell its boot: %w", t.Device, patch.ErrPermanent)
		}
	}
	return f.begin(ctx, t, desk.Begun{Op: rollout.OpReboot, BootID: boot}, func(ctx context.Context, m *machine, cancelled <-chan struct{}) rollout.Report {
		return m.reboot(ctx, boot)
	})
}

func (f *Fleet) begin(ctx context.Context, t rollout.Task, b desk.Begun, do func(ctx context.Context, m *machine, cancelled <-chan struct{}) rollout.Report) (rollout.Report, error) {
	m, err := f.reach(ctx, t.Tenant, t.Device)
	if err != nil {
		return rollout.Report{}, err
	}
	work := func(ctx context.Context, cancelled <-chan struct{}) rollout.Report { return do(ctx, m, cancelled) }
	return f.desk.Begin(ctx, m.Device, t, b, work, m.settle(t))
}

// Status implements [rollout.Deployer]. A task whose process is gone runs as long as apt or dpkg do on the device; then
// the inventory tells how it has ended.
func (f *Fleet) Status(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	m, err := f.reach(ctx, t.Tenant, t.Device)
	if err != nil {
		return rollout.Report{}, err
	}
	return f.desk.Status(ctx, m.Device, t, m.settle(t))
}

// Cancel implements [rollout.Canceller]. A task that has begun to install goes on: a package manager that is interrupted
// leaves a device that needs repair.
func (f *Fleet) Cancel(_ context.Context, t rollout.Task) error {
	f.desk.Cancel(t.ID)
	return nil
}

// Verify implements [rollout.Verifier]. Content works if dpkg has configured it, and if its files, configuration apart, have
// the sums that they were installed with.
func (f *Fleet) Verify(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	m, err := f.reach(ctx, t.Tenant, t.Device)
	if err != nil {
		return rollout.Report{}, err
	}
	return m.verify(ctx, t)
}

// Scan implements [inventory.Scanner], with the coverage of [Root.Scan].
func (f *Fleet) Scan(ctx context.Context, d inventory.Device) (inventory.Scan, error) {
	m, err := f.reach(ctx, d.Tenant, d.ID)
	if err != nil {
		return inventory.Scan{}, err
	}
	s, err := m.look(ctx)
	if err != nil {
		return inventory.Scan{}, err
	}
	s.scan.Tenant, s.scan.Device = d.Tenant, d.ID
	return s.scan, nil
}

// Refresh fetches the indices of the device's archives. An index that could not be fetched, whose signature is wrong or that is too
// old is an error, which apt-get itself does not make of it.
func (f *Fleet) Refresh(ctx context.Context, t inventory.Tenant, d inventory.DeviceID) error {
	m, err := f.reach(ctx, t, d)
	if err != nil {
		return err
	}
	return m.refresh(ctx)
}

// Download implements [rollout.Downloader]. What is fetched lies in apt's cache on the device, and is checked like everything that
// is installed. That there is nothing to fetch is a success.
func (f *Fleet) Download(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return f.begin(ctx, t, desk.Begun{Op: rollout.OpDownload}, func(ctx context.Context, m *machine, cancelled <-chan struct{}) rollout.Report {
		if ended := prepared(ctx, cancelled, func(ctx context.Context) error { return m.bring(ctx, t.Content) }); ended != nil {
			return *ended
		}
		return rollout.Report{Phase: rollout.PhaseSucceeded}
	})
}

// Hold tells apt not to change packages that the device has; Unhold takes that back.
func (f *Fleet) Hold(ctx context.Context, t inventory.Tenant, d inventory.DeviceID, names ...string) error {
	return f.mark(ctx, t, d, "hold", names)
}

// Unhold takes Hold back.
func (f *Fleet) Unhold(ctx context.Context, t inventory.Tenant, d inventory.DeviceID, names ...string) error {
	return f.mark(ctx, t, d, "unhold", names)
}

func (f *Fleet) mark(ctx context.Context, t inventory.Tenant, d inventory.DeviceID, how string, names []string) error {
	m, err := f.reach(ctx, t, d)
	if err != nil {
		return err
	}
	s, err := m.look(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := CheckName(name); err != nil {
			return err
		}
		if !s.has(name) {
			return fmt.Errorf("apt: %s: package %s is not installed: %w", how, name, patch.ErrNotApplicable)
		}
	}
	if err := m.mark(ctx, how, names); err != nil {
		return err
	}
	if s, err = m.look(ctx); err != nil {
		return err
	}
	for _, name := range names {
		if s.held(name) != (how == "hold") {
			return fmt.Errorf("apt: %s: package %s is as it was", how, name)
		}
	}
	return nil
}

// Repair brings a database of dpkg that was interrupted to an end, and returns nil if every package is installed or gone then.
// Deploy and Rollback do so themselves. Nothing is removed. Second calls change nothing.
func (f *Fleet) Repair(ctx context.Context, t inventory.Tenant, d inventory.DeviceID) error {
	m, err := f.reach(ctx, t, d)
	if err != nil {
		return err
	}
	if err := m.repair(ctx); err != nil {
		return err
	}
	s, err := m.look(ctx)
	if err != nil {
		return err
	}
	return s.wrong
}
