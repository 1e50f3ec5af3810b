package runner

import (
	"context"
	"fmt"
	"maps"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/rollout"
)

// noteOver tells the agenda what was decided in a rollout that is over and has no owner: that devices which it left disrupted are
// acknowledged.
func (r *Runner) noteOver(m *rollout.Machine, b rollout.Batch) {
	k := m.Plan().Key
	r.mu.Lock()
	shared := r.tenants[k.Tenant.Root()]
	r.mu.Unlock()
	if shared == nil {
		return
	}
	shared.mu.Lock()
	freed := shared.agenda.Note(m, b, nil)
	shared.mu.Unlock()
	if freed {
		for _, o := range r.ownersOf(k.Tenant) {
			o.put(item{})
		}
	}
}

// compareOver looks whether another process has acknowledged devices that rollouts which are over have left disrupted.
func (r *Runner) compareOver(ctx context.Context) error {
	r.mu.Lock()
	all := make([]*tenant, 0, len(r.tenants))
	for _, t := range r.tenants {
		all = append(all, t)
	}
	r.mu.Unlock()
	known := make(map[rollout.Key]int)
	for _, t := range all {
		t.mu.Lock()
		maps.Copy(known, t.agenda.Leftover())
		t.mu.Unlock()
	}
	if len(known) == 0 {
		return nil
	}
	for head, err := range r.cfg.Journal.Heads(ctx, rollout.HeadQuery{Leftover: true}) {
		if err != nil {
			return fmt.Errorf("runner: journal: %w", err)
		}
		if head.Leftover >= known[head.Key] {
			delete(known, head.Key)
		}
	}
	var errs *multierror.Error
	for k := range known {
		if m, _, err := r.replay(ctx, k); err != nil {
			errs = multierror.Append(errs, err) // the others are not to wait for it
		} else {
			r.noteOver(m, rollout.Batch{})
		}
	}
	return errs.ErrorOrNil()
}
