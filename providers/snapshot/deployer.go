package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// Config configures a [Deployer]. Next and Of are needed.
type Config struct {
	// Next installs, verifies and restarts, and takes back what can be taken back without a snapshot. Its abilities stay visible to
	// [rollout.Ability].
	Next rollout.Deployer

	// Of returns the plug of the device of a task; an error, classified by [patch.FaultOf], if there is none.
	Of func(t rollout.Task) (Snapshotter, error)

	// Now tells the time by which a task is too late to begin; nil means [time.Now].
	Now func() time.Time
}

// A Deployer adds to another one what a policy's Backup asks for: it is a [rollout.Snapshotter], and takes patches whose reversal is
// [patch.ReversalSnapshot] back by going back to the snapshot of their task. That takes back all that has changed in that
// file system since, by whomever; content of which one patch is to be taken back so is taken back so as a whole.
//
// Tasks run within the call that begins them. How they ended is remembered as long as the Deployer lives. After that a
// repeated backup finds the snapshot that was made, whose name is made of the task's ID; a repeated restoration takes the
// device back once more, to the same state. Snapshots are never deleted here: the vendor does that with those that
// [rollout.Machine.Backups] lists, once the rollout is over and nobody will want it undone.
//
// It is safe for concurrent use.
type Deployer struct {
	cfg   Config
	mu    sync.Mutex
	ended map[rollout.TaskID]*task
}

type task struct {
	once   sync.Mutex // held while it runs
	report rollout.Report
}

var (
	_ rollout.Deployer    = (*Deployer)(nil)
	_ rollout.Snapshotter = (*Deployer)(nil)
)

// NewDeployer makes a deployer.
func NewDeployer(cfg Config) (*Deployer, error) {
	if cfg.Next == nil || cfg.Of == nil {
		return nil, errors.New("snapshot: a deployer needs Next and Of")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Deployer{cfg: cfg, ended: make(map[rollout.TaskID]*task)}, nil
}

// Route returns d for the tasks that it carries out itself, and a deployer without rollbacks if nobody could carry them out.
// [rollout.Ability] calls it.
func (d *Deployer) Route(t rollout.Task) rollout.Deployer {
	if _, ok := rollout.Ability[rollout.Rollbacker](d.cfg.Next, t); ok || back(t.Content) {
		return undoing{plain{d}}
	}
	return plain{d}
}

// plain is a Deployer as [rollout.Ability] sees it.
type plain struct{ d *Deployer }

func (p plain) Deploy(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return p.d.Deploy(ctx, t)
}
func (p plain) Status(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return p.d.Status(ctx, t)
}
func (p plain) Snapshot(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return p.d.Snapshot(ctx, t)
}
func (p plain) Unwrap() rollout.Deployer { return p.d.cfg.Next }

type undoing struct{ plain }

func (u undoing) Rollback(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return u.d.rollback(ctx, t)
}

// Deploy implements [rollout.Deployer]: Next does it.
func (d *Deployer) Deploy(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return d.cfg.Next.Deploy(ctx, t)
}

// Status implements [rollout.Deployer]. Of backups and restorations that this process has not seen end nothing is known.
func (d *Deployer) Status(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	if t.Op != rollout.OpBackup && (t.Op != rollout.OpRollback || !back(t.Content)) {
		return d.cfg.Next.Status(ctx, t)
	}
	d.mu.Lock()
	k, ok := d.ended[t.ID]
	d.mu.Unlock()
	switch {
	case !ok:
		return rollout.Report{}, nil
	case !k.once.TryLock():
		return rollout.Report{Phase: rollout.PhaseRunning}, nil
	}
	defer k.once.Unlock()
	return k.report, nil
}

// Snapshot implements [rollout.Snapshotter].
func (d *Deployer) Snapshot(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return d.run(t, func(s Snapshotter) (rollout.Report, error) {
		kept, err := s.List(ctx)
		if err != nil {
			return rollout.Report{}, err
		}
		for _, k := range slices.Backward(kept) { // the newest that will do
			if !t.Since.IsZero() && !k.At.Before(t.Since) && !k.At.After(d.cfg.Now()) {
				return done(k), nil
			}
		}
		k, err := s.Create(ctx, NameOf(string(t.ID)))
		return done(k), err
	})
}

func done(s Snapshot) rollout.Report {
	return rollout.Report{Phase: rollout.PhaseSucceeded, Backup: rollout.Backup{ID: s.Name, At: s.At}}
}

// back says whether content is taken back by a snapshot.
func back(c rollout.Content) bool {
	return slices.ContainsFunc(c.Patches, func(p rollout.Pinned) bool { return p.Reversal == patch.ReversalSnapshot })
}

func (d *Deployer) rollback(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	if !back(t.Content) {
		next, ok := rollout.Ability[rollout.Rollbacker](d.cfg.Next, t)
		if !ok {
			return rollout.Report{}, fmt.Errorf("snapshot: the deployer of device %s cannot roll back: %w", t.Device, errors.ErrUnsupported)
		}
		return next.Rollback(ctx, t)
	}
	if t.Backup.ID == "" {
		return rollout.Report{}, fmt.Errorf("snapshot: device %s has no snapshot to go back to: %w", t.Device, patch.ErrPermanent)
	}
	return d.run(t, func(s Snapshotter) (rollout.Report, error) {
		r, err := s.Restore(ctx, t.Backup.ID)
		return rollout.Report{Phase: rollout.PhaseSucceeded, Reboot: r.Reboot}, err
	})
}

// run carries a task out once. One that could not be begun, or that failed, may be given again.
func (d *Deployer) run(t rollout.Task, work func(Snapshotter) (rollout.Report, error)) (rollout.Report, error) {
	d.mu.Lock()
	k, ok := d.ended[t.ID]
	if !ok {
		k = new(task)
		d.ended[t.ID] = k
	}
	d.mu.Unlock()
	k.once.Lock()
	defer k.once.Unlock()
	if k.report.Phase.Last() {
		return k.report, nil
	}
	if !t.StartBy.IsZero() && !d.cfg.Now().Before(t.StartBy) {
		k.report = rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Busy, Message: "too late to begin"}
		return k.report, nil
	}
	s, err := d.cfg.Of(t)
	if err == nil {
		var r rollout.Report
		if r, err = work(s); err == nil {
			k.report = r
			return r, nil
		}
	}
	return rollout.Report{}, fmt.Errorf("snapshot: %s of device %s: %w", t.Op, t.Device, err)
}
