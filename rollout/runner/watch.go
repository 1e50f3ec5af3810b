package runner

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/rollout"
)

// watch looks, every Config.Poll, whether another process has appended to a rollout that this runner drives: a console that
// commands it, or a new owner. One that is busy finds out by its own next append, one that has nothing to do would not. It
// goes by real time whatever the clock, as other processes do.
func (r *Runner) watch(ctx context.Context) error {
	tick := time.NewTicker(r.cfg.Poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := r.compare(ctx); err != nil && ctx.Err() == nil {
			r.log.DebugContext(ctx, "journal cannot be watched", "error", err)
		}
	}
}

// compare tells every owner how many entries the journal holds, if that is not what it knows.
func (r *Runner) compare(ctx context.Context) error {
	r.mu.Lock()
	left := make(map[rollout.Key]*owner, len(r.owners))
	for k, o := range r.owners {
		if o != nil {
			left[k] = o
		}
	}
	r.mu.Unlock()
	if len(left) == 0 {
		return nil // nobody waits for anything
	}
	for head, err := range r.cfg.Journal.Heads(ctx, rollout.HeadQuery{Unfinished: true}) {
		if err != nil {
			return fmt.Errorf("runner: journal: %w", err)
		}
		if o := left[head.Key]; o != nil {
			o.compare(head.Entries)
			delete(left, head.Key)
		}
	}
	var errs *multierror.Error
	if err := r.compareOver(ctx); err != nil {
		errs = multierror.Append(errs, err)
	}
	for k, o := range left { // finished, by whomever
		rec, err := r.cfg.Journal.Load(ctx, k)
		if err != nil {
			errs = multierror.Append(errs, fmt.Errorf("runner: %s: journal: %w", k, err))
			continue
		}
		o.compare(rec.Head.Entries)
	}
	return errs.ErrorOrNil()
}

// compare lets the owner look at the journal again if that holds more entries than it knows of.
func (o *owner) compare(entries uint64) {
	o.mu.Lock()
	behind := o.m != nil && entries > o.head.Entries
	o.mu.Unlock()
	if behind { // or it is appending right now: it will know when it reads this
		o.put(item{entries: entries})
	}
}

// behind says whether the owner was told of entries that it does not know.
func (o *owner) behind(items []item) bool {
	for i := range items {
		if items[i].entries > o.head.Entries {
			return true
		}
	}
	return false
}
