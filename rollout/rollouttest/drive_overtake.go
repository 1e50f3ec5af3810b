package rollouttest

import (
	"fmt"

	"github.com/patchflow/patchflow/rollout"
)

// overtake tells a rollout where others have brought something newer, and checks that it is so.
func (d *driver) overtake(i int) error {
	r := d.runs[i]
	for _, s := range d.agenda.Overtaken(r.tape.live, d.at(i)) {
		for _, x := range s.Devices {
			if err := d.newer(r, x, s.By); err != nil {
				return fmt.Errorf("%s: device %s: superseded by rollout %s: %w", r.tape.plan.Key, r.tape.plan.Devices[x], s.By, err)
			}
		}
		if err := d.step(i, s, nil); err != nil {
			return err
		}
		if d.lost {
			return nil
		}
	}
	return nil
}

// newer says why rollout by has not brought device x of r what supersedes all that r would.
func (d *driver) newer(r *driven, x int32, by rollout.Key) error {
	for _, o := range d.runs {
		if o.tape.plan.Key != by {
			continue
		}
		j, ok := o.tape.plan.Find(r.tape.plan.Devices[x])
		if !ok {
			return fmt.Errorf("it does not have it")
		}
		if got := o.audit.devices[j].outcome; !o.since[r.tape.plan.Devices[x]] && got != rollout.Succeeded && got != rollout.AlreadyInstalled {
			return fmt.Errorf("it is %s there", got)
		}
		for _, old := range r.tape.plan.Contents[r.tape.plan.Content[x]].Patches {
			found := false
			for _, p := range o.tape.plan.Contents[o.tape.plan.Content[j]].Patches {
				for _, id := range p.Supersedes {
					found = found || id == old.ID
				}
			}
			if !found {
				return fmt.Errorf("nothing there supersedes %s", old.ID)
			}
		}
		return nil
	}
	return fmt.Errorf("there is no such rollout")
}

// newestFirst checks that nothing is taken back from a device on which another rollout under way has succeeded with something newer.
func (d *driver) newestFirst(r *driven, granted []int32) error {
	for _, x := range granted {
		if r.tape.live.Device(int(x)).Op != rollout.OpRollback {
			continue
		}
		for _, o := range d.runs {
			if o == r || o.tape.live.Stage().Final() {
				continue
			}
			if err := d.newer(r, x, o.tape.plan.Key); err == nil {
				return fmt.Errorf("%s: device %s is rolled back below what rollout %s has brought", r.tape.plan.Key, r.tape.plan.Devices[x], o.tape.plan.Key)
			}
		}
	}
	return nil
}

// superseded checks who is dropped for something newer: devices that wait, and only as superseded.
func (a *Auditor) superseded(e *rollout.SupersededBy) error {
	if e.By == a.plan.Key {
		return fmt.Errorf("by itself")
	}
	return a.each(e.Devices, func(d *audited) error {
		if d.running || d.outcome != rollout.Unsettled || d.undone || d.left != rollout.LeavingUnknown {
			return fmt.Errorf("dropped for something newer: running %v, %s, rolled back %v, %s", d.running, d.outcome, d.undone, d.left)
		}
		d.dropped = true
		return nil
	})
}

// apart checks that nothing was begun on devices on which a task of another rollout may still be running, while that one waits for its end.
func (d *driver) apart(r *driven, granted []int32) error {
	now := r.at(d.now)
	for _, x := range granted {
		id := r.tape.plan.Devices[x]
		for _, o := range d.runs {
			i, ok := o.tape.plan.Find(id)
			if o == r || !ok {
				continue
			}
			wait := o.tape.plan.Policy.Rollback.WithDefaults().Wait.Std()
			if dev := &o.audit.devices[i]; len(dev.unended) > 0 && now.Before(dev.unendedAt.Add(wait)) {
				return fmt.Errorf("%s: device %s: begun, and task %d of %s may still be running there", r.tape.plan.Key, id, dev.unended[0].seq, o.tape.plan.Key)
			}
		}
	}
	return nil
}
