package rollouttest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// shared checks that who need not be restarted any more waits for that, and has reported another boot since.
func (a *Auditor) shared(e *rollout.RestartShared) error {
	if e.By == a.plan.Key || len(e.Boots) != len(e.Devices) {
		return fmt.Errorf("a restart is shared with %s, %d devices, %d boots", e.By, len(e.Devices), len(e.Boots))
	}
	a.shares += len(e.Devices)
	for n, i := range e.Devices {
		d := &a.devices[i]
		switch {
		case d.running || d.outcome != rollout.Unsettled || d.undone || d.left != rollout.LeavingUnknown || d.absent.next != rollout.OpReboot || !d.installed:
			return fmt.Errorf("device %s: its restart is shared, and it waits for none: running %v, %s, waits to %s", a.plan.Devices[i], d.running, d.outcome, d.absent.next)
		case d.boot == "" || e.Boots[n] == "" || d.boot == e.Boots[n]:
			return fmt.Errorf("device %s: its restart is shared, and boot %q is not known to be another than %q", a.plan.Devices[i], e.Boots[n], d.boot)
		}
		d.boot, d.unended, d.absent.next = e.Boots[n], nil, rollout.OpVerify
	}
	return nil
}

// yielded checks that who is let go before a restart is to be restarted now, for the first time, by a rollout that may do so for a while.
func (a *Auditor) yielded(at time.Time, e *rollout.RestartYielded) error {
	if e.By == a.plan.Key || e.By.ID == "" {
		return fmt.Errorf("devices are let go for rollout %q", e.By)
	}
	until := at.Add(time.Minute)
	a.yields += len(e.Devices)
	for _, i := range e.Devices {
		d, s := &a.devices[i], a.restarts(int(i))
		switch {
		case d.running || d.outcome != rollout.Unsettled || d.undone || d.left != rollout.LeavingUnknown || !d.touched || d.boot == "":
			return fmt.Errorf("device %s: let go before its restart: running %v, %s, boot %q", a.plan.Devices[i], d.running, d.outcome, d.boot)
		case d.reboots > 0 || !d.yields.IsZero():
			return fmt.Errorf("device %s: let go before its restart, after %d of them, until %s before", a.plan.Devices[i], d.reboots, d.yields)
		case !s.Open(at) || !s.Open(until):
			return fmt.Errorf("device %s: let go before its restart, which may not be begun later", a.plan.Devices[i])
		}
		d.yields = until
	}
	return nil
}

// sharers asks who would share the restarts of the devices of reports, and checks that each would.
func (d *driver) sharers(i int, reports []rollout.TaskReport) ([]rollout.Sharer, error) {
	r := d.runs[i]
	all := d.agenda.Sharers(r.tape.live, reports, d.at(i))
	for _, s := range all {
		id := r.tape.plan.Devices[s.Device]
		wrong := func(what string) error {
			return fmt.Errorf("%s: device %s: said to be wanted by %s, %s", r.tape.plan.Key, id, s.By, what)
		}
		by := slices.IndexFunc(d.runs, func(o *driven) bool { return o != r && o.tape.plan.Key == s.By })
		if by < 0 {
			return nil, wrong("which is nobody else")
		}
		o := d.runs[by]
		x, ok := o.tape.plan.Find(id)
		if !ok {
			return nil, wrong("whose plan has no such device")
		}
		p := &o.tape.plan.Policy
		switch dev := &o.audit.devices[x]; {
		case p.Reboot.Mode == policy.RebootNever || p.Reboot.Before != policy.BeforeNever || p.Reboot.Deferrals.Max > 0 || p.Priority < r.tape.plan.Policy.Priority:
			return nil, wrong("whose policy is not to share it")
		case dev.excused:
		case !o.audit.opened[o.tape.plan.RingOf(x)] || !o.audit.work(x).Open(o.asked) || !o.audit.restarts(x).Open(o.asked):
			return nil, wrong("which could not begin there, or not restart it")
		}
	}
	return all, nil
}

// others tells a rollout what others have done on its devices.
func (d *driver) others(i int) error {
	if err := d.overtake(i); err != nil || d.lost {
		return err
	}
	return d.share(i)
}

// share tells a rollout which of its devices were restarted since, and checks that it is so.
func (d *driver) share(i int) error {
	r := d.runs[i]
	for _, s := range d.agenda.Restarted(r.tape.live, d.at(i)) {
		for _, x := range s.Devices {
			id := r.tape.plan.Devices[x]
			if !d.fleet.restarted(r.tape.plan.Key, id) {
				return fmt.Errorf("%s: device %s: said to have been restarted since its installation, by %s", r.tape.plan.Key, id, s.By)
			}
		}
		crashes := d.crashes
		if err := d.step(i, s, nil); err != nil {
			return err
		}
		if d.lost {
			return nil
		}
		if again := d.agenda.Restarted(r.tape.live, d.at(i)); d.crashes == crashes && len(again) > 0 && again[0].By == s.By && len(again[0].Devices) >= len(s.Devices) {
			return errors.New("told again of restarts that it knows of")
		}
	}
	return nil
}

// restarted says whether a device was restarted since a rollout has installed something there.
func (f *Fleet) restarted(k rollout.Key, d inventory.DeviceID) bool {
	dev, ok := f.devices[d]
	return ok && dev.boots[k] != 0 && dev.boot > dev.boots[k]
}
