package providers

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/semaphore"

	"github.com/patchflow/patchflow/rollout"
)

// A Router picks the deployer that carries out a task: Windows here, Linux there, or one agent channel for each tenant. It
// must pick the same one for the same task ID for ever: another one would begin the task again. It is called often and
// from several goroutines, so it does not block.
//
// A Router may answer nil, and the nil Router always does: nobody can reach the device. [rollout.Ability] then finds
// nothing, and Deploy and Status fail with an error that names the device and wraps [errors.ErrUnsupported].
type Router func(t rollout.Task) rollout.Deployer

var _ rollout.Deployer = Router(nil)

// Route returns the deployer for t, or nil if there is none. [rollout.Ability] calls it.
func (r Router) Route(t rollout.Task) rollout.Deployer {
	if r == nil {
		return nil
	}
	return r(t)
}

// Deploy passes t on to the deployer that carries it out.
func (r Router) Deploy(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	d := r.Route(t)
	if d == nil {
		return rollout.Report{}, noRoute(t)
	}
	return d.Deploy(ctx, t)
}

// Status asks the deployer that carries out t.
func (r Router) Status(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	d := r.Route(t)
	if d == nil {
		return rollout.Report{}, noRoute(t)
	}
	return d.Status(ctx, t)
}

func noRoute(t rollout.Task) error {
	return fmt.Errorf("providers: no deployer for device %q of tenant %q: %w", t.Device, t.Tenant, errors.ErrUnsupported)
}

// Limit returns a deployer that lets at most n calls into d at once; n below 1 counts as 1. Further calls wait, and fail
// if their context ends first: then nothing was begun. It limits calls, not devices that are being worked on: a policy's
// MaxActive does that. It is for a management server that answers only so many requests, or for SSH sessions that each
// cost memory.
//
// The limit holds for Deploy, Status, Verify, Rollback and Reboot together. What d can do for a task stays visible to
// [rollout.Ability], and nothing is added to it. Cancel goes around the limit, so that work which takes all of it can be
// stopped; and so do abilities that this package does not know.
func Limit(d rollout.Deployer, n int64) rollout.Deployer {
	return &limit{limited{next: d, slots: semaphore.NewWeighted(max(n, 1))}}
}

// limited is a deployer whose calls wait for a free slot.
type limited struct {
	next  rollout.Deployer
	slots *semaphore.Weighted
}

// limit is what Limit returns: a limited deployer that knows, task by task, which abilities there are to be limited.
type limit struct{ limited }

// Route returns a chain of wrappers, one for each ability that is there for t. Ability walks down the chain and finds
// each of them, and what the chain has no link for at its end.
func (l *limit) Route(t rollout.Task) rollout.Deployer {
	var d rollout.Deployer = &l.limited
	if a, ok := rollout.Ability[rollout.Verifier](l.next, t); ok {
		d = &limitedVerifier{link{d}, &l.limited, a}
	}
	if a, ok := rollout.Ability[rollout.Rollbacker](l.next, t); ok {
		d = &limitedRollbacker{link{d}, &l.limited, a}
	}
	if a, ok := rollout.Ability[rollout.Rebooter](l.next, t); ok {
		d = &limitedRebooter{link{d}, &l.limited, a}
	}
	return d
}

// Unwrap returns the deployer without its limit.
func (l *limited) Unwrap() rollout.Deployer { return l.next }

func (l *limited) Deploy(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return l.call(ctx, t, l.next.Deploy)
}

func (l *limited) Status(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return l.call(ctx, t, l.next.Status)
}

func (l *limited) call(ctx context.Context, t rollout.Task, f func(context.Context, rollout.Task) (rollout.Report, error)) (rollout.Report, error) {
	if err := l.slots.Acquire(ctx, 1); err != nil {
		return rollout.Report{}, fmt.Errorf("providers: device %q: waiting for other calls to end: %w", t.Device, err)
	}
	defer l.slots.Release(1)
	return f(ctx, t)
}

// A link is one wrapper of a chain.
type link struct{ rollout.Deployer }

func (l link) Unwrap() rollout.Deployer { return l.Deployer }

type limitedVerifier struct {
	link
	limit *limited
	next  rollout.Verifier
}

func (l *limitedVerifier) Verify(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return l.limit.call(ctx, t, l.next.Verify)
}

type limitedRollbacker struct {
	link
	limit *limited
	next  rollout.Rollbacker
}

func (l *limitedRollbacker) Rollback(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return l.limit.call(ctx, t, l.next.Rollback)
}

type limitedRebooter struct {
	link
	limit *limited
	next  rollout.Rebooter
}

func (l *limitedRebooter) Reboot(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return l.limit.call(ctx, t, l.next.Reboot)
}

// Pulled is the deployer for devices that ask for their work: agents behind a firewall, laptops that wake up once a week.
// Every call that begins something answers [rollout.PhaseQueued] at once and does nothing; Status answers
// [rollout.PhaseUnknown]. The work lies in the rollout itself: an agent that calls in is given it by Runner.NextTasks
// (package rollout/runner), and what became of it comes back by Runner.Report. The zero value is ready to use.
//
// The promises of a deployer that Pulled cannot keep are the agent's to keep: it does not begin a task ID twice, though it may
// be handed the same task again when its lease has run out; it refuses a task whose StartBy is past and reports it as
// [patch.Busy]; it installs exactly what is pinned, or nothing.
//
// Cancel does nothing, since nobody can be told: a task that no agent has fetched is no longer handed out once it
// was asked to stop, and one that was fetched runs to its end.
type Pulled struct{}

var (
	_ rollout.Deployer   = Pulled{}
	_ rollout.Verifier   = Pulled{}
	_ rollout.Rollbacker = Pulled{}
	_ rollout.Rebooter   = Pulled{}
	_ rollout.Prober     = Pulled{}
	_ rollout.Remedier   = Pulled{}
	_ rollout.Drainer    = Pulled{}
	_ rollout.Canceller  = Pulled{}
)

// Deploy reports that the installation is queued.
func (Pulled) Deploy(context.Context, rollout.Task) (rollout.Report, error) { return queued() }

// Verify reports that the look at the device is queued.
func (Pulled) Verify(context.Context, rollout.Task) (rollout.Report, error) { return queued() }

// Rollback reports that it is queued.
func (Pulled) Rollback(context.Context, rollout.Task) (rollout.Report, error) { return queued() }

// Reboot reports that the restart is queued.
func (Pulled) Reboot(context.Context, rollout.Task) (rollout.Report, error) { return queued() }

// Probe reports that the look at what the device is there for is queued.
func (Pulled) Probe(context.Context, rollout.Task) (rollout.Report, error) { return queued() }

// Drain reports that taking the device out of service is queued.
func (Pulled) Drain(context.Context, rollout.Task) (rollout.Report, error) { return queued() }

// Uncordon reports that putting it back is queued.
func (Pulled) Uncordon(context.Context, rollout.Task) (rollout.Report, error) { return queued() }

// Remedy reports that what is to be put right is queued.
func (Pulled) Remedy(context.Context, rollout.Task) (rollout.Report, error) { return queued() }

// Status never knows: the agent has not told anything yet, or the rollout has heard it already.
func (Pulled) Status(context.Context, rollout.Task) (rollout.Report, error) {
	return rollout.Report{}, nil
}

// Cancel does nothing.
func (Pulled) Cancel(context.Context, rollout.Task) error { return nil }

func queued() (rollout.Report, error) { return rollout.Report{Phase: rollout.PhaseQueued}, nil }
