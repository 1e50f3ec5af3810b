package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sync/errgroup"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// Config is what a [Runner] is made of. Deployer and Journal are required; Patches and Devices are for [Runner.Plan].
type Config struct {
	Patches  []patch.Source
	Enrich   []patch.Enricher // asked in their order, after the sources were read
	Devices  inventory.Source // if it is an [inventory.Scanner] too, it verifies for deployers that are no [rollout.Verifier]
	Deployer rollout.Deployer
	Approver policy.Approver // nil leaves requests to [Runner.Decide]
	Journal  rollout.Journal

	// Poll is the pause between two questions about a task that runs, or a request that is pending, and between two looks
	// whether another process has appended to a rollout. 0 means a minute.
	Poll time.Duration
	// Workers is how many provider calls are under way at once, for all rollouts together. 0 means 16.
	Workers int
	// CallTimeout ends a provider call that does not return; it then counts as a transient failure. 0 means an hour.
	CallTimeout time.Duration
	// Limit is how many devices of one tenant are worked on at once, in all its rollouts together. 0 means no limit.
	Limit int
	// Hold keeps installations back that known issues of the moment are about: see [rollout.Agenda]. It is called often and
	// must not block; while it keeps something back, that is asked about again every Poll. nil keeps nothing back.
	Hold func(t inventory.Tenant, d inventory.DeviceID, c *rollout.Content, now time.Time) (policy.Reason, bool)

	// Name tells owners of one journal apart, in the events that say who took a rollout over. "" means "runner".
	Name string
	// Clock is nil but in demonstrations and tests.
	Clock Clock
	// Logger gets what an operator should know. nil means silence.
	Logger *slog.Logger
	// Observe is called with everything that is decided, after it was written down and before it is acted upon: metrics,
	// webhooks and user interfaces derive from it. Calls for one rollout come one after the other, in order; the rollout
	// waits for them. nil observes nothing.
	Observe func(ctx context.Context, t Transition)
}

// A Transition is one step of one rollout.
type Transition struct {
	Key    rollout.Key
	Plan   *rollout.Plan // not to be changed
	Batch  rollout.Batch
	Status rollout.Status // after the step
	// Degraded is set if the rollout could not be processed, and is tried again; nothing else but Key is set then.
	Degraded error
}

// A Runner carries rollouts out. It is safe for concurrent use.
type Runner struct {
	cfg   Config
	log   *slog.Logger
	clock Clock

	mu      sync.Mutex
	ctx     context.Context // of Run; nil while it is not running or is ending
	group   *errgroup.Group
	owners  map[rollout.Key]*owner // nil value: claimed, being made
	tenants map[inventory.Tenant]*tenant
	listing bool          // Run is finding out which rollouts there are
	early   []*owner      // of rollouts that were started meanwhile
	changed chan struct{} // closed and replaced when owners come or go
	jobs    queue
}

// A tenant is what the rollouts of one root tenant share.
type tenant struct {
	mu      sync.Mutex
	agenda  rollout.Agenda
	owners  map[rollout.Key]*owner
	missing int // rollouts that are being taken up: nothing is granted before it is known what they are working on
}

// New checks cfg and makes a runner. It starts nothing: [Runner.Run] does.
func New(cfg Config) (*Runner, error) {
	var errs *multierror.Error
	if cfg.Deployer == nil {
		errs = multierror.Append(errs, errors.New("Config.Deployer is missing"))
	}
	if cfg.Journal == nil {
		errs = multierror.Append(errs, errors.New("Config.Journal is missing; package memjournal keeps rollouts in memory"))
	}
	for _, n := range []struct {
		name  string
		value int64
	}{{"Poll", int64(cfg.Poll)}, {"Workers", int64(cfg.Workers)}, {"CallTimeout", int64(cfg.CallTimeout)}, {"Limit", int64(cfg.Limit)}} {
		if n.value < 0 {
			errs = multierror.Append(errs, fmt.Errorf("negative Config.%s", n.name))
		}
	}
	if err := errs.ErrorOrNil(); err != nil {
		return nil, fmt.Errorf("runner: %w", err)
	}
	if cfg.Poll == 0 {
		cfg.Poll = time.Minute
	}
	if cfg.Workers == 0 {
		cfg.Workers = 16
	}
	if cfg.CallTimeout == 0 {
		cfg.CallTimeout = time.Hour
	}
	if cfg.Name == "" {
		cfg.Name = "runner"
	}
	r := &Runner{cfg: cfg, log: cfg.Logger, clock: cfg.Clock, owners: make(map[rollout.Key]*owner),
		tenants: make(map[inventory.Tenant]*tenant), changed: make(chan struct{})}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.clock == nil {
		r.clock = realClock{}
	}
	r.jobs.init()
	return r, nil
}

// Run takes up the unfinished rollouts of the journal, then serves until ctx is done, and returns ctx's error. What is under
// way then is left for the next process: its tasks go on on their devices. Run returns an error at once if the journal
// cannot be read or if the runner is running already. Of a task that another process may have begun, on a device that cannot be
// reached now, nothing is known until it can, or until the time of the task is up. A rollout that cannot be taken up stops no other: it is degraded, and
// tried again.
func (r *Runner) Run(ctx context.Context) error {
	r.mu.Lock()
	if r.group != nil {
		r.mu.Unlock()
		return errors.New("runner: it is running already")
	}
	group, ctx := errgroup.WithContext(ctx)
	r.ctx, r.group, r.listing = ctx, group, true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.group, r.early = nil, nil
		clear(r.owners)
		clear(r.tenants)
		r.jobs.init()
		r.mu.Unlock()
	}()
	for range r.cfg.Workers {
		group.Go(func() error { return r.work(ctx) })
	}
	group.Go(func() error {
		<-ctx.Done()
		r.mu.Lock()
		r.ctx = nil // no owner joins the group any more
		r.mu.Unlock()
		r.clock.Busy(-r.jobs.close())
		return ctx.Err()
	})
	group.Go(func() error { return r.watch(ctx) })
	r.clock.Busy(1) // a virtual clock does not jump while rollouts are being taken up
	err := r.takeUp(ctx)
	r.clock.Busy(-1)
	if err != nil {
		group.Go(func() error { return err })
	}
	return group.Wait()
}

// takeUp makes an owner for every unfinished rollout that has none, and for those that are over and have left devices disrupted: these
// only tell the agenda. None of them begins before all are known.
func (r *Runner) takeUp(ctx context.Context) error {
	var owners []*owner
	for head, err := range r.cfg.Journal.Heads(ctx, rollout.HeadQuery{Unfinished: true, Leftover: true}) {
		if err != nil {
			return fmt.Errorf("runner: journal: %w", err)
		}
		if r.claim(head.Key) {
			owners = append(owners, newOwner(r, head.Key, nil, head))
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	owners = append(owners, r.early...)
	r.listing, r.early = false, nil
	r.letLoose(owners)
	return nil
}

// claim reserves a rollout for an owner that is about to be made, and says whether there was none.
func (r *Runner) claim(k rollout.Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.owners[k]; taken {
		return false
	}
	r.owners[k] = nil
	return true
}

func (r *Runner) disclaim(k rollout.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o, claimed := r.owners[k]; claimed && o == nil {
		delete(r.owners, k)
	}
}

// own lets o loose, if the runner is running; otherwise Run will find the rollout in the journal.
func (r *Runner) own(o *owner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listing {
		r.early = append(r.early, o)
		return
	}
	r.letLoose([]*owner{o})
}

// letLoose makes owners known to each other, then lets them run. The caller holds the lock.
func (r *Runner) letLoose(owners []*owner) {
	for _, o := range owners {
		if r.ctx == nil {
			delete(r.owners, o.key)
			continue
		}
		r.owners[o.key] = o
		root := o.key.Tenant.Root()
		t := r.tenants[root]
		if t == nil {
			t = &tenant{agenda: rollout.Agenda{Limit: r.cfg.Limit, Hold: r.cfg.Hold}, owners: make(map[rollout.Key]*owner)}
			r.tenants[root] = t
		}
		o.tenant = t
		t.mu.Lock()
		t.owners[o.key] = o
		if o.arrived {
			t.agenda.Add(o.m) // before anybody else begins: what others bring from now on may supersede it
		} else {
			t.missing++
		}
		t.mu.Unlock()
	}
	r.announce()
	ctx := r.ctx
	if ctx == nil {
		return
	}
	for _, o := range owners {
		r.clock.Busy(1) // until its first round is over
		r.group.Go(func() error {
			o.run(ctx)
			r.release(o, ctx.Err() == nil)
			return nil
		})
	}
}

// release forgets an owner that has ended. What it was working on is free, but for devices that a rollout which is over has left disrupted,
// unless the whole runner is ending: then its tasks go on, and no other rollout may come between.
func (r *Runner) release(o *owner, free bool) {
	o.tenant.mu.Lock()
	delete(o.tenant.owners, o.key)
	if free {
		o.tenant.agenda.Remove(o.key)
	}
	o.tenant.mu.Unlock()
	r.mu.Lock()
	if r.owners[o.key] == o {
		delete(r.owners, o.key)
	}
	r.announce()
	r.mu.Unlock()
	o.close()
}

// announce wakes those who wait for owners to come or go. The caller holds the lock.
func (r *Runner) announce() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// owner returns the owner of a rollout, if this runner has one.
func (r *Runner) owner(k rollout.Key) (*owner, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.owners[k]
	return o, o != nil
}

// ownersOf returns the owners of all rollouts of the root tenant of t.
func (r *Runner) ownersOf(t inventory.Tenant) []*owner {
	r.mu.Lock()
	shared := r.tenants[t.Root()]
	r.mu.Unlock()
	if shared == nil {
		return nil
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	all := make([]*owner, 0, len(shared.owners))
	for _, o := range shared.owners {
		all = append(all, o)
	}
	return all
}
