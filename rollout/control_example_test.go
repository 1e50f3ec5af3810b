package rollout_test

import (
	"fmt"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// Four devices get the patch first, and four others that are like them get nothing until it is known that they are no worse.
func ExamplePlan_Controls() {
	canary := policy.Ring{Name: "canary", Size: 4, Gate: policy.Gate{MaxFailed: 5000, Control: policy.Control{Devices: 4}}}
	in := rollout.PlanInput{Key: rollout.Key{Tenant: "acme", ID: "q1"}, Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "p1"}}}},
		Policy: policy.Policy{Name: "p", Strata: []string{"kind"}, Rings: []policy.Ring{canary, {Name: "broad", Rest: true}},
			Health: policy.Health{Metrics: []policy.Metric{{Name: "boot-seconds", By: 3000}}}},
		Strata: [][]string{{"till"}, {"desk"}}}
	for i := range 16 {
		in.Targets = append(in.Targets, rollout.Target{Device: inventory.DeviceID(fmt.Sprint("d", i)), Ring: rollout.ByShare, Stratum: uint16(min(i%4, 1))})
	}
	p, err := rollout.NewPlan(in)
	if err != nil {
		fmt.Println(err)
		return
	}
	show := func(what string, devices []int32) {
		fmt.Print(what)
		for _, i := range devices {
			fmt.Print(" ", p.Devices[i], " ", p.Strata[p.Stratum[i]][0])
		}
		fmt.Println()
	}
	show("treated:", []int32{0, 1, 2, 3})
	show("control:", p.Controls(0))
	// Output:
	// treated: d8 till d10 desk d2 desk d5 desk
	// control: d14 desk d1 desk d3 desk d0 till
}
