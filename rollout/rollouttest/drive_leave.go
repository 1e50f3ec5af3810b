package rollouttest

import (
	"errors"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/rollout"
)

// leaves lets a device leave, perhaps, or change, and tells every rollout that has it, until it is written down.
func (d *driver) leaves(m *rollout.Machine) error {
	d.asked++
	x, ok := d.cfg.Leaver(d.asked, m)
	if !ok {
		return nil
	}
	if x.How == rollout.Reimaged {
		d.fleet.Reimage(x.Device, d.world())
	}
	for i, r := range d.runs {
		if _, known := r.tape.live.Plan().Find(x.Device); !known {
			continue
		}
		if r.tape.live.Stage().Final() {
			if r.since == nil {
				r.since = make(map[inventory.DeviceID]bool)
			}
			r.since[x.Device] = true
			continue
		}
		for told := false; !told; told = !d.lost {
			if err := d.step(i, rollout.Left{At: d.at(i), Departures: []rollout.Departure{x}}, nil); err != nil && !errors.Is(err, rollout.ErrLeave) {
				return err
			}
		}
	}
	return nil
}
