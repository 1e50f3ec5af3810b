package runner

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/rollout"
)

// Gather adds up what became of patches in the rollouts of all tenants of the journal that have changed at since or later, finished ones
// too, and brings it to the unfinished rollouts whose rings ask for it (policy.Evidence.Pooled): it may halt them, and never lets a ring
// pass ([rollout.Gathered]). It returns the sums that it has brought, of patches that at least so many tenants have begun (see
// [rollout.Pool.Outcomes]); nothing in them names a tenant. A rollout that cannot be read or told keeps no other from it, and is named by the
// error.
//
// Nothing calls it by itself: who gathers, and how often, is for the host to say. It reads the journals of all of these rollouts, but
// for those that this process owns.
func (r *Runner) Gather(ctx context.Context, since time.Time, tenants int) ([]rollout.PatchOutcomes, error) {
	var wrong *multierror.Error
	var pool rollout.Pool
	var asking []rollout.Key
	for head, err := range r.cfg.Journal.Heads(ctx, rollout.HeadQuery{}) {
		if err != nil {
			return nil, fmt.Errorf("runner: journal: %w", err)
		}
		if head.Updated.Before(since) {
			continue
		}
		err = r.view(ctx, head.Key, func(m *rollout.Machine) {
			pool.Add(m)
			pooled := func(g rollout.PlannedRing) bool { return g.Gate.Evidence.Pooled }
			if !m.Stage().Final() && slices.ContainsFunc(m.Plan().Rings, pooled) {
				asking = append(asking, head.Key)
			}
		})
		if err != nil {
			wrong = multierror.Append(wrong, fmt.Errorf("runner: %s: outcomes: %w", head.Key, err))
		}
	}
	sums := pool.Outcomes(tenants)
	for _, k := range asking {
		if len(sums) == 0 {
			break
		}
		if err := r.tell(ctx, k, func(at int64) rollout.Signal { return rollout.Gathered{At: unix(at), Outcomes: slices.Clone(sums)} }); err != nil {
			wrong = multierror.Append(wrong, fmt.Errorf("runner: %s: outcomes of others: %w", k, err))
		}
	}
	return sums, wrong.ErrorOrNil()
}
