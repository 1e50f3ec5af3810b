package manager

import (
	"context"
	"fmt"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/rollout"
)

// A Cleaner is a Tool that can throw away what it has fetched and can fetch again.
type Cleaner interface {
	// Clean throws it away. What is kept to go back to, see [Access.Kept], stays. Second calls change nothing.
	Clean(ctx context.Context) error
}

// Remedy implements [rollout.Remedier]. With [patch.Corrupt] the database is repaired as Repair does, and the task has succeeded if it is whole
// then; with [patch.DiskFull] what the package manager has fetched is thrown away, by those that can ([Cleaner]). A package manager that has
// no remedy for a fault fails as [patch.Permanent]. A task that has begun is not stopped any more.
func (f *Forward) Remedy(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return f.begin(ctx, t, desk.Begun{Op: rollout.OpRemedy}, func(ctx context.Context, w *work, cancelled <-chan struct{}) rollout.Report {
		if over(cancelled) {
			return rollout.Report{Phase: rollout.PhaseStopped, Message: "cancelled before anything was put right"}
		}
		if err := w.remedy(ctx, t.Remedy); err != nil {
			return rollout.Failure(err)
		}
		return rollout.Report{Phase: rollout.PhaseSucceeded}
	})
}

// remedy puts right what a fault says is wrong.
func (w *work) remedy(ctx context.Context, of patch.Fault) error {
	r, repairs := w.Tool.(Repairer)
	c, cleans := w.Tool.(Cleaner)
	switch {
	case of == patch.Corrupt && repairs:
		err := w.Ready(ctx)
		if fault := patch.FaultOf(err); fault == patch.Busy || fault == patch.Unreachable {
			return err
		}
		if err := r.Repair(ctx); err != nil {
			return w.m.wrap("repair", err)
		}
		s, err := w.Look(ctx)
		if err != nil {
			return err
		}
		if s.Wrong != nil {
			return s.Wrong
		}
		return w.Ready(ctx)
	case of == patch.DiskFull && cleans:
		return w.m.wrap("clean", c.Clean(ctx))
	}
	return fmt.Errorf("%s: there is no remedy for %s: %w", w.name, of, patch.ErrPermanent)
}
