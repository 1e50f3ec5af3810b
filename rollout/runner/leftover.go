package runner

import (
	"context"
	"fmt"

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
	for _, t := range all {
		t.mu.Lock()
		counts := t.agenda.Leftover()
		t.mu.Unlock()
		for k, known := range counts {
			rec, err := r.cfg.Journal.Load(ctx, k)
			if err != nil {
				return fmt.Errorf("runner: %s: journal: %w", k, err)
			}
			if rec.Head.Leftover >= known {
				continue
			}
			m, _, err := r.replay(ctx, k)
			if err != nil {
				return err
			}
			r.noteOver(m, rollout.Batch{})
		}
	}
	return nil
}
