package rollout_test

import (
	"fmt"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// One device is sold while its installation runs, another goes to another tenant, and a third is reinstalled under its old ID.
func ExampleLeft() {
	in := rollout.PlanInput{Key: rollout.Key{Tenant: "acme", ID: "q1"}, At: morning(),
		Policy:   policy.Policy{Name: "servers", Rings: []policy.Ring{{Name: "all", Rest: true}}},
		Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "x:p1"}}}}}
	for _, id := range []inventory.DeviceID{"ada", "bob", "cyd"} {
		in.Targets = append(in.Targets, rollout.Target{Device: id, Ring: rollout.ByShare})
	}
	plan, err := rollout.NewPlan(in)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := rollout.NewMachine(plan)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := m.Step(rollout.Begin{At: morning()}); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := m.Step(rollout.Granted{At: morning(), Devices: []int32{0, 1, 2}}); err != nil {
		fmt.Println(err)
		return
	}
	b, err := m.Step(rollout.Left{At: morning(), Departures: []rollout.Departure{
		{Device: "ada", How: rollout.Retired, By: "inventory"},
		{Device: "bob", How: rollout.Moved, By: "inventory"},
		{Device: "cyd", How: rollout.Reimaged, By: "inventory"},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range b.Events {
		for _, told := range plan.Describe(e) {
			fmt.Println(told)
		}
	}
	// Output:
	// ada: no longer there, says inventory; ada was being worked on
	// stop ada
	// ada: gone
	// bob: belongs to another tenant now, and is not touched any more, says inventory; what bob was at is not known to have ended
	// bob: gone
	// cyd: made anew, so that what is known of it is true no more, says inventory; cyd was being worked on
	// cyd: open again
}
