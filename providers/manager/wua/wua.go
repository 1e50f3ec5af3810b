// Package wua patches a Windows device by the Windows Update Agent, reached through an [Agent]. Of the packages below it com is one for
// the device that the program runs on, by COM, and powershell one for where that is not to be had, by commands; another may go by a
// vendor's own channel.
//
// Updates are named as package [github.com/patchflow/patchflow/providers/source/wua] does, "wua:" and the UpdateID, or by
// their article, "msrc:KB5025239". What is missing, installed or superseded is what a search of the agent says, before and after;
// a result of an installation is not believed alone.
//
// Windows itself is the limit of what can be promised. Which revision of an update is offered is the agent's choice. An update
// can be taken back only where the agent says that it can be uninstalled. An installation that has begun cannot be stopped. And of
// several updates each is installed by itself: where one fails, the others stay, and the next attempt finds them there.
package wua

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	search "github.com/patchflow/patchflow/providers/source/wua"
	"github.com/patchflow/patchflow/rollout"
)

// Config says which device this is. Agent, Folder and Device must be set.
type Config struct {
	Agent  Agent
	Tenant inventory.Tenant
	Device inventory.DeviceID

	// Folder is where this program keeps which tasks have begun, an absolute path that outlives a restart. Several programs may share it.
	Folder string

	// Naming says which patches a scan names; tasks may name either.
	Naming search.Naming

	// AcceptLicences accepts the licence of an update that has one. Without it such an update fails as [patch.NeedsUser].
	AcceptLicences bool

	Wait  time.Duration    // how long Deploy and the like wait for the end of what they begin; 0 means as long as their context, less than 0 not at all
	Limit time.Duration    // how long the work for one task may take; 0 means four hours
	Poll  time.Duration    // how often a device that restarts is asked for its boot; 0 means five seconds
	Now   func() time.Time // nil means [time.Now]
}

// A Device is this device. It is a [rollout.Deployer] that downloads ahead, verifies, rolls back, restarts and cancels, and an
// [inventory.Scanner]. It is safe for concurrent use, and does one task after the other. A task for another device is refused.
type Device struct {
	cfg    Config
	ledger desk.Ledger
	desk   *desk.Desk
}

var (
	_ rollout.Deployer   = (*Device)(nil)
	_ rollout.Verifier   = (*Device)(nil)
	_ rollout.Rollbacker = (*Device)(nil)
	_ rollout.Rebooter   = (*Device)(nil)
	_ rollout.Downloader = (*Device)(nil)
	_ rollout.Canceller  = (*Device)(nil)
	_ inventory.Scanner  = (*Device)(nil)
)

// New returns the device of c. The error names the field at fault. Close ends what is under way.
func New(c Config) (*Device, error) {
	switch {
	case c.Agent == nil:
		return nil, errors.New("wua: config: Agent is nil")
	case c.Device == "":
		return nil, errors.New("wua: config: Device is empty")
	case c.Folder == "":
		return nil, errors.New("wua: config: Folder is empty")
	}
	if c.Limit <= 0 {
		c.Limit = 4 * time.Hour
	}
	if c.Poll <= 0 {
		c.Poll = 5 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Device{c, desk.Folder(c.Folder), desk.New(desk.Config{Name: "wua", Wait: c.Wait, Limit: c.Limit, Now: c.Now})}, nil
}

// Close takes no more tasks, stops those that have changed nothing yet, and waits for the others until ctx ends.
func (d *Device) Close(ctx context.Context) error { return d.desk.Close(ctx) }

// Deploy implements [rollout.Deployer]. All updates of the content that are not installed are installed, or none is begun: if one
// of them is not offered to the device while another is, the task fails as [patch.Permanent]. If none is, it fails as
// [patch.NotApplicable] if the agent knows one of them not, else as [patch.Superseded].
func (d *Device) Deploy(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return d.begin(ctx, t, desk.Begun{Op: rollout.OpInstall}, func(ctx context.Context, cancelled <-chan struct{}) rollout.Report {
		return d.install(ctx, t, cancelled)
	})
}

// Download implements [rollout.Downloader].
func (d *Device) Download(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return d.begin(ctx, t, desk.Begun{Op: rollout.OpDownload}, func(ctx context.Context, _ <-chan struct{}) rollout.Report {
		todo, err := d.todo(ctx, t.Content)
		if errors.Is(err, patch.ErrAlreadyInstalled) {
			return rollout.Report{Phase: rollout.PhaseSucceeded}
		}
		if err == nil {
			err = d.download(ctx, todo)
		}
		if err != nil {
			return rollout.Failure(err)
		}
		return rollout.Report{Phase: rollout.PhaseSucceeded}
	})
}

// Rollback implements [rollout.Rollbacker]: the last update first. If the agent cannot uninstall one of them, the task fails as
// [patch.Permanent], and none is touched.
func (d *Device) Rollback(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return d.begin(ctx, t, desk.Begun{Op: rollout.OpRollback}, func(ctx context.Context, cancelled <-chan struct{}) rollout.Report {
		return d.rollback(ctx, t, cancelled)
	})
}

// Reboot implements [rollout.Rebooter]. A device that has another boot than t.BootID already is not restarted. The program that
// calls it seldom sees the end: after the restart Status tells it.
func (d *Device) Reboot(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	boot := t.BootID
	if boot == "" {
		s, err := d.system(ctx)
		if err != nil {
			return rollout.Report{}, err
		}
		boot = s.BootID
	}
	return d.begin(ctx, t, desk.Begun{Op: rollout.OpReboot, BootID: boot}, func(ctx context.Context, _ <-chan struct{}) rollout.Report {
		return d.reboot(ctx, t.ID, boot)
	})
}

func (d *Device) begin(ctx context.Context, t rollout.Task, b desk.Begun, do desk.Work) (rollout.Report, error) {
	if err := d.mine(t.Tenant, t.Device); err != nil {
		return rollout.Report{}, err
	}
	return d.desk.Begin(ctx, d.ledger, t, b, do, d.settle(t))
}

// Status implements [rollout.Deployer]. What became of a task whose program is gone is told by a search, once nobody installs.
func (d *Device) Status(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	if err := d.mine(t.Tenant, t.Device); err != nil {
		return rollout.Report{}, err
	}
	return d.desk.Status(ctx, d.ledger, t, d.settle(t))
}

// Cancel implements [rollout.Canceller]. What has begun to be installed goes on.
func (d *Device) Cancel(_ context.Context, t rollout.Task) error {
	if err := d.mine(t.Tenant, t.Device); err != nil {
		return err
	}
	d.desk.Cancel(t.ID)
	return nil
}

// Scan implements [inventory.Scanner], by a search for all that is not installed, hidden updates among them.
func (d *Device) Scan(ctx context.Context, device inventory.Device) (inventory.Scan, error) {
	if err := d.mine(device.Tenant, device.ID); err != nil {
		return inventory.Scan{}, err
	}
	at := d.cfg.Now()
	sys, err := d.system(ctx)
	if err != nil {
		return inventory.Scan{}, err
	}
	s := inventory.Scan{Coverage: []inventory.Coverage{{Manager: search.Manager, Status: inventory.Failed, At: at, Judges: true}}}
	if r, err := d.search(ctx, missing); err != nil {
		s.Coverage[0].Detail = err.Error()
	} else {
		s = r.Scan(d.cfg.Naming)
	}
	s.Tenant, s.Device, s.At = device.Tenant, device.ID, at
	s.BootID, s.PendingReboot = sys.BootID, sys.RebootRequired
	return s, nil
}

func (d *Device) mine(t inventory.Tenant, id inventory.DeviceID) error {
	if id != d.cfg.Device || t != d.cfg.Tenant {
		return fmt.Errorf("wua: device %q of %q: this is %q of %q: %w", id, t, d.cfg.Device, d.cfg.Tenant, patch.ErrPermanent)
	}
	return nil
}

func (d *Device) system(ctx context.Context) (System, error) {
	s, err := d.cfg.Agent.System(ctx)
	switch {
	case err != nil:
		return System{}, fmt.Errorf("wua: system: %w", err)
	case s.BootID == "":
		return System{}, fmt.Errorf("wua: system: it does not tell its boot: %w", patch.ErrPermanent)
	}
	return s, nil
}
