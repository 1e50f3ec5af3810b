package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/patchflow/patchflow/rollout"
)

// load replays the rollout and takes it over.
func (o *owner) load(ctx context.Context) error {
	mine := false
	m, head, err := o.r.reopen(ctx, o.key, func(entry []byte) { mine = mine || len(o.claim) > 0 && bytes.Equal(entry, o.claim) })
	if err != nil {
		return err
	}
	again, known := o.adopted >= 0, o.adopted
	if mine {
		known++ // it was written down although the append has failed
	}
	if again && m.Adoptions() > known {
		return fmt.Errorf("runner: %s: taken over by another owner: %w", o.key, errLost)
	}
	o.adopted, o.claim = m.Adoptions(), nil
	o.use(m, head)
	o.mu.Lock()
	for d := range m.Running() {
		o.unsure.set(d)
	}
	o.mu.Unlock()
	o.adoptSessions()
	o.arrive()
	if m.Stage().Final() {
		return nil
	}
	o.mu.Lock()
	b, err := m.Step(rollout.TakenOver{At: o.now(), By: o.r.cfg.Name})
	o.mark(b)
	o.mu.Unlock()
	if err != nil {
		o.drop()
		return err
	}
	o.claim = rollout.EncodeBatch(nil, b)
	if err := o.commit(ctx, []step{{item: -1, batch: b}}); err != nil {
		o.drop()
		return err
	}
	o.adopted, o.claim = m.Adoptions(), nil
	o.adoptSessions() // it may have let go of some
	if again || len(b.Freed) > 0 {
		o.wakeAll()
	}
	o.r.log.InfoContext(ctx, "rollout taken up", "rollout", o.key.String(), "entries", head.Entries)
	o.observe(ctx, []step{{batch: b, status: m.Status()}})
	return nil
}

// adoptSessions makes the devices that the rollout works on known to the agenda, and no others.
func (o *owner) adoptSessions() {
	o.tenant.mu.Lock()
	defer o.tenant.mu.Unlock()
	o.tenant.agenda.Add(o.m)
}

// arrive says, once, that nobody has to wait any longer for what this rollout is working on.
func (o *owner) arrive() {
	if o.arrived {
		return
	}
	o.arrived = true
	o.tenant.mu.Lock()
	o.tenant.missing--
	last := o.tenant.missing == 0
	o.tenant.mu.Unlock()
	if last {
		o.wakeAll()
	}
}

// drop throws the machine away: it knows of things that were not written down. The devices stay with the rollout, which may
// be working on them.
func (o *owner) drop() {
	o.mu.Lock()
	o.m = nil
	o.mu.Unlock()
}

var errLost = errors.New("rollout is owned by somebody else")

func (o *owner) lost(err error) bool {
	if errors.Is(err, errLost) || errors.Is(err, rollout.ErrNotFound) {
		o.r.log.Warn("rollout given up", "rollout", o.key.String(), "error", err)
		return true
	}
	return false
}
