package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/rollout"
)

// Sample brings samples of metrics of a device to the unfinished rollouts that compare them, also to those that another process owns,
// and returns when they are written down there. The device of a sample is the one that is named here. Samples of the time before a
// rollout may be brought as soon as it has started. Every call counts: a sample that is brought twice counts twice. A rollout that
// cannot be told keeps no other from it; the error names each, and with the others the samples have counted. The caller has made sure
// that they are of that device.
func (r *Runner) Sample(ctx context.Context, t inventory.Tenant, d inventory.DeviceID, samples ...rollout.Sample) error {
	var wrong *multierror.Error
	for head, err := range r.cfg.Journal.Heads(ctx, rollout.HeadQuery{Tenant: t.Root(), Unfinished: true}) {
		if err != nil {
			return fmt.Errorf("runner: journal: %w", err)
		}
		if t.Contains(head.Tenant) || head.Tenant.Contains(t) {
			wrong = multierror.Append(wrong, r.sample(ctx, head.Key, t, d, samples...))
		}
	}
	return wrong.ErrorOrNil()
}

// sample is [Runner.Sample] for one rollout. A rollout that does not have the device, or compares nothing, is left alone.
func (r *Runner) sample(ctx context.Context, k rollout.Key, t inventory.Tenant, d inventory.DeviceID, samples ...rollout.Sample) error {
	own, wanted := slices.Clone(samples), false
	err := r.view(ctx, k, func(m *rollout.Machine) {
		i, known := m.Plan().Find(d)
		wanted = known && t.Contains(m.Plan().TenantOf(i)) && len(m.Plan().Policy.Health.Metrics) > 0
		for j := range own {
			own[j].Device = int32(i)
		}
	})
	if err == nil && wanted {
		err = r.tell(ctx, k, func(at int64) rollout.Signal { return rollout.Sampled{At: unix(at), Samples: own} })
	}
	if err != nil {
		return fmt.Errorf("runner: %s: samples of device %s: %w", k, d, err)
	}
	return nil
}

// Leave says that devices of tenant t or of one below it have left, or have become others, to the unfinished rollouts that have them and to
// those that have left them disrupted, also where another process owns them, and returns when that is written down there; see [rollout.Left].
// Rollouts that do not have a device are left alone, and what is known already says nothing new, so a call that failed may be repeated; but a device that is
// [rollout.Reimaged] is made anew each time. A rollout that cannot be told keeps no
// other from it; the error names each. The tenant is the one that the devices have left: who a device belongs to now is not told to
// anybody here.
func (r *Runner) Leave(ctx context.Context, t inventory.Tenant, departures ...rollout.Departure) error {
	var keys []rollout.Key
	for head, err := range r.cfg.Journal.Heads(ctx, rollout.HeadQuery{Tenant: t.Root(), Unfinished: true, Leftover: true}) {
		if err != nil {
			return fmt.Errorf("runner: journal: %w", err)
		}
		if t.Contains(head.Tenant) || head.Tenant.Contains(t) {
			keys = append(keys, head.Key)
		}
	}
	var wrong *multierror.Error
	told := make([][]bool, len(keys))
	for _, working := range []bool{false, true} { // whoever works on a device last: what it lets go must not be taken by one that was not told
		for i, k := range keys {
			if told[i] == nil {
				told[i] = make([]bool, len(departures))
			}
			wrong = multierror.Append(wrong, r.leave(ctx, k, t, departures, told[i], working))
		}
	}
	return wrong.ErrorOrNil()
}

// leave is [Runner.Leave] for one rollout and those departures that it was not told: of all devices, or of those only that it is not working on.
func (r *Runner) leave(ctx context.Context, k rollout.Key, t inventory.Tenant, departures []rollout.Departure, told []bool, working bool) error {
	var own []rollout.Departure
	err := r.view(ctx, k, func(m *rollout.Machine) {
		for j, x := range departures {
			i, known := m.Plan().Find(x.Device)
			if known && t.Contains(m.Plan().TenantOf(i)) && !told[j] && (working || !m.Device(i).Running) {
				own, told[j] = append(own, x), true
			}
		}
	})
	if err == nil && len(own) > 0 {
		err = r.tell(ctx, k, func(at int64) rollout.Signal { return rollout.Left{At: unix(at), Departures: own} })
	}
	if err != nil && !errors.Is(err, rollout.ErrFinal) { // it has ended meanwhile
		return fmt.Errorf("runner: %s: departures: %w", k, err)
	}
	return nil
}

// Feedback brings what a person says about a device of a rollout, and returns when it is written down. What f says of the time and the
// device is not looked at. What cannot count is an error, one that wraps [rollout.ErrFinal] if the rollout is over. The caller has made
// sure who the person is.
func (r *Runner) Feedback(ctx context.Context, k rollout.Key, d inventory.DeviceID, f rollout.Feedback) error {
	i, err := r.number(ctx, k, d)
	if err != nil {
		return err
	}
	f.Device = i
	return r.tell(ctx, k, func(at int64) rollout.Signal {
		f.At = unix(at)
		return f
	})
}

// Defer brings the wish of a person at a device to put its restart off, and returns what the device waits for then: when it is restarted,
// and how often that was put off. It is put off until then, or as long as the policy lets it with zero; a wish for something earlier than
// the restart uses nothing up. It is an error that wraps [rollout.ErrCommand] if no restart of the device is announced, and with the
// explanation beside it if it is not put off any more: too often, or too late.
func (r *Runner) Defer(ctx context.Context, k rollout.Key, d inventory.DeviceID, by string, until time.Time) (rollout.Explanation, error) {
	i, err := r.number(ctx, k, d)
	if err != nil {
		return rollout.Explanation{}, err
	}
	var before, after rollout.DeviceStatus
	look := func(s *rollout.DeviceStatus) error {
		return r.view(ctx, k, func(m *rollout.Machine) { *s = m.Device(int(i)) })
	}
	if err := look(&before); err != nil {
		return rollout.Explanation{}, err
	}
	err = r.tell(ctx, k, func(at int64) rollout.Signal { return rollout.Deferred{At: unix(at), Device: i, By: by, Until: until} })
	if err == nil {
		err = look(&after)
	}
	if err != nil {
		return rollout.Explanation{}, err
	}
	x, err := r.Explain(ctx, k, d)
	if err == nil && after.Denied > before.Denied && after.Deferred <= before.Deferred {
		err = fmt.Errorf("runner: %s: the restart of device %s is not put off any more: %w", k, d, rollout.ErrCommand)
	}
	return x, err
}

// number returns the number of a device in the plan of a rollout.
func (r *Runner) number(ctx context.Context, k rollout.Key, d inventory.DeviceID) (int32, error) {
	i, known := 0, false
	if err := r.view(ctx, k, func(m *rollout.Machine) { i, known = m.Plan().Find(d) }); err != nil {
		return 0, err
	}
	if !known {
		return 0, fmt.Errorf("runner: %s: device %s is not in the plan: %w", k, d, rollout.ErrNotFound)
	}
	return int32(i), nil
}

// mayRetry says whether nothing keeps these devices from being tried again that their rollout itself does not know of.
func (r *Runner) mayRetry(ctx context.Context, k rollout.Key, devices []inventory.DeviceID) error {
	quarantine, err := r.Quarantine(ctx, k.Tenant)
	if err != nil {
		return err
	}
	no := func(d inventory.DeviceID, why string) error {
		return fmt.Errorf("runner: %s: %s: %w: device %s: %s", k, rollout.DoRetry, rollout.ErrCommand, d, why)
	}
	var refused error
	err = r.view(ctx, k, func(m *rollout.Machine) {
		p := m.Plan()
		for _, d := range devices {
			i, known := p.Find(d)
			if !known {
				continue // the rollout says so itself
			}
			c := &p.Contents[p.Content[i]]
			if r.cfg.Hold != nil {
				if why, held := r.cfg.Hold(p.TenantOf(i), d, c, r.clock.Now()); held {
					refused = cmp.Or(refused, no(d, why.String()))
				}
			}
			for j := range quarantine {
				if q := &quarantine[j]; q.Released.IsZero() && q.Tenant.Contains(p.TenantOf(i)) && (q.Device == "" || q.Device == d) &&
					slices.ContainsFunc(c.Patches, func(x rollout.Pinned) bool { return x.ID == q.Patch }) {
					refused = cmp.Or(refused, no(d, fmt.Sprintf("patch %s is in quarantine since rollout %s (%s): release it first", q.Patch, q.Rollout, q.Reason)))
				}
			}
		}
	})
	return cmp.Or(err, refused)
}
