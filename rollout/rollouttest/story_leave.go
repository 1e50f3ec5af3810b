package rollouttest

import (
	"fmt"
	"strings"

	"github.com/patchflow/patchflow/internal/script"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/rollout"
)

// leave says that devices have left, or have become others.
func (st *story) leave(c *script.Command) error {
	r, err := st.run(c)
	if err != nil {
		return err
	}
	var x rollout.Departure
	if err := x.How.UnmarshalText([]byte(arg(c, 1))); err != nil {
		return err
	}
	err = c.Each(func(key, value string) error {
		switch key {
		case "ring":
			x.Ring = value
		case "by":
			x.By = value
		case "reason":
			x.Reason = value
		default:
			return fmt.Errorf("unknown option %q", key)
		}
		return nil
	})
	s := rollout.Left{At: st.now}
	for name := range strings.SplitSeq(arg(c, 0), ",") {
		x.Device = inventory.DeviceID(name)
		s.Departures = append(s.Departures, x)
	}
	if err != nil {
		return err
	}
	return st.step(r, s)
}
