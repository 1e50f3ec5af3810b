package rollouttest

import (
	"fmt"
	"slices"

	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// hasGuests says whether others run on device i: it waits for them, and then for no turn.
func (a *Auditor) hasGuests(i int) bool {
	return slices.ContainsFunc(a.plan.Host, func(n uint32) bool { return a.plan.Hosts[n] == a.plan.Devices[i] })
}

// mayHost checks that device i, which is begun for the first time, leaves no guest of its ring or an earlier one behind. It asks each device
// whether it is one.
func (a *Auditor) mayHost(i int) error {
	if a.plan.Policy.HostLabel == "" {
		return nil
	}
	for g, n := range a.plan.Host {
		guest := &a.devices[g]
		switch {
		case a.plan.Hosts[n] != a.plan.Devices[i], a.plan.RingOf(g) > a.plan.RingOf(i), guest.outcome != rollout.Unsettled:
		case guest.lapsed && a.plan.Policy.Guests == policy.GuestsAwaitedInGrace:
		default:
			return fmt.Errorf("begun, and its guest %s is not settled", a.plan.Devices[g])
		}
	}
	return nil
}
