package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// ErrStopped is wrapped by the error of [Runner.Start] for a tenant that an emergency has stopped.
var ErrStopped = errors.New("the tenant is stopped")

// An Emergency says whom [Runner.Stop] stops, and who wants it.
type Emergency struct {
	Tenant inventory.Tenant // this one and those below it; "" for all
	By     string
	Reason string
}

// A Stopped is what became of one rollout in an emergency.
type Stopped struct {
	Key   rollout.Key
	Stage rollout.Stage // after it; a rollout that was being rolled back or was ending goes on with that
	Err   error         // it could not be told: whatever it does is not known

	// Running are the devices at which something is under way still, in the order of the plan: they were asked to stop, if their
	// deployer can. Unreached are those of them that were unreachable when they were last tried, or have not answered anything
	// since their task was issued.
	Running, Unreached []inventory.DeviceID
}

// Stop halts every unfinished rollout of the tenants of e, also those that another process owns, and asks what installs to stop. It
// returns one entry for each, sorted by key, and an error only if the journal cannot be read, with the entries until then. A
// second call does no harm, and tells who is still at work.
//
// Until all of these rollouts are resumed, rolled back or ended, Start refuses rollouts of the same tenants with [ErrStopped], also
// after a restart and in other processes: the journal tells. A tenant that had no unfinished rollout is not stopped by that;
// Config.Hold keeps back whatever begins.
func (r *Runner) Stop(ctx context.Context, e Emergency) (all []Stopped, err error) {
	if strings.TrimSpace(e.By) == "" {
		return nil, errors.New("runner: stop: Emergency.By names nobody")
	}
	seen := make(map[rollout.Key]bool)
	for again := true; again; { // until nothing has come that was begun meanwhile
		before := len(all)
		if all, err = r.stopAll(ctx, e, all, seen); err != nil {
			return all, err
		}
		again = len(all) > before
	}
	slices.SortFunc(all, func(a, b Stopped) int {
		return cmp.Or(cmp.Compare(a.Key.Tenant, b.Key.Tenant), cmp.Compare(a.Key.ID, b.Key.ID))
	})
	return all, nil
}

// stopAll stops what it finds and has not seen yet.
func (r *Runner) stopAll(ctx context.Context, e Emergency, all []Stopped, known map[rollout.Key]bool) ([]Stopped, error) {
	for head, err := range r.cfg.Journal.Heads(ctx, rollout.HeadQuery{Tenant: e.Tenant, Unfinished: true}) {
		if err != nil {
			return all, fmt.Errorf("runner: journal: %w", err)
		}
		if !e.Tenant.Contains(head.Tenant) || known[head.Key] {
			continue
		}
		known[head.Key] = true
		s := Stopped{Key: head.Key}
		s.Err = r.Command(ctx, head.Key, rollout.Command{Do: rollout.DoStop, By: e.By, Reason: e.Reason})
		if errors.Is(s.Err, rollout.ErrCommand) || errors.Is(s.Err, rollout.ErrFinal) {
			s.Err = nil // it is stopped already, or on its way out
		}
		seen := r.view(ctx, head.Key, func(m *rollout.Machine) {
			s.Stage = m.Stage()
			for i := range m.Running() {
				id := m.Plan().Devices[i]
				s.Running = append(s.Running, id)
				if d := m.Device(int(i)); d.Offline || d.Silent {
					s.Unreached = append(s.Unreached, id)
				}
			}
		})
		s.Err = errors.Join(s.Err, seen)
		all = append(all, s)
	}
	return all, nil
}

// begun owns a rollout whose beginning is written down. An emergency that has come since Start looked stops it too: either Stop finds it in
// the journal, or it finds here what Stop has stopped.
func (r *Runner) begun(ctx context.Context, m *rollout.Machine, head rollout.Head) error {
	late := r.stopped(ctx, head.Tenant)
	if late == nil {
		r.own(newOwner(r, head.Key, m, head))
		return nil
	}
	late = fmt.Errorf("runner: %s: it has begun, and is stopped with the others: %w", head.Key, late)
	c := rollout.Command{Do: rollout.DoStop, By: cmp.Or(strings.TrimSpace(m.Plan().By), "runner"), Reason: "it was begun during an emergency"}
	b, err := m.Step(rollout.Commanded{At: m.Now(), Command: c})
	if err == nil {
		head.Entries++
		bring(&head, m)
		err = r.cfg.Journal.Append(ctx, head, [][]byte{rollout.EncodeBatch(nil, b)})
	}
	if err != nil { // somebody has stopped it, or the journal is away: who takes it over reads what is true
		r.disclaim(head.Key)
		return errors.Join(late, err)
	}
	if r.cfg.Observe != nil {
		r.cfg.Observe(ctx, Transition{Key: head.Key, Plan: m.Plan(), Batch: b, Status: m.Status()})
	}
	r.own(newOwner(r, head.Key, m, head))
	return late
}

// stopped refuses a rollout of a tenant that an emergency has stopped.
func (r *Runner) stopped(ctx context.Context, t inventory.Tenant) error {
	for head, err := range r.cfg.Journal.Heads(ctx, rollout.HeadQuery{Tenant: t.Root(), Unfinished: true}) {
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		if head.Stage == rollout.StageActive || !head.Tenant.Contains(t) && !t.Contains(head.Tenant) {
			continue
		}
		stopped := false
		err := r.view(ctx, head.Key, func(m *rollout.Machine) {
			s := m.Status()
			stopped = s.Stopped()
		})
		switch {
		case err != nil:
			return err
		case stopped:
			return fmt.Errorf("%w: rollout %s is: resume it, roll it back, or end it", ErrStopped, head.Key)
		}
	}
	return nil
}

// Withdraw ends the installation of a patch in all unfinished rollouts of a tenant and of those below it, or of all for "", also
// in those that another process owns: see [rollout.DoWithdraw]. It returns the rollouts that had the patch and whose journal says so
// now. Rollouts that do not have it, and those in which it is withdrawn already, are passed over, so a second call does no harm; one that cannot be told keeps no other from it, and is named by the error. What
// is planned later is for the policy to keep back ([policy.KnownIssue]).
func (r *Runner) Withdraw(ctx context.Context, t inventory.Tenant, id patch.ID, by, reason string) (keys []rollout.Key, err error) {
	if strings.TrimSpace(by) == "" {
		return nil, fmt.Errorf("runner: withdraw %s: it names nobody", id)
	}
	var wrong *multierror.Error
	for head, err := range r.cfg.Journal.Heads(ctx, rollout.HeadQuery{Tenant: t, Unfinished: true}) {
		if err != nil {
			return keys, fmt.Errorf("runner: journal: %w", err)
		}
		if !t.Contains(head.Tenant) {
			continue
		}
		switch err := r.Command(ctx, head.Key, rollout.Command{Do: rollout.DoWithdraw, Patch: id, By: by, Reason: reason}); {
		case err == nil:
			keys = append(keys, head.Key)
		case !errors.Is(err, rollout.ErrCommand) && !errors.Is(err, rollout.ErrFinal):
			wrong = multierror.Append(wrong, fmt.Errorf("runner: %s: withdraw %s: %w", head.Key, id, err))
		}
	}
	return keys, wrong.ErrorOrNil()
}
