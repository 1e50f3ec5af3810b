package rollout_test

import (
	"fmt"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// A test ring of a fifth, among eight servers, four clients and three printers.
func ExampleStratify() {
	parts := rollout.Stratify([]int{3, 12}, []int{8, 4, 3})
	fmt.Println("test: ", parts[0])
	fmt.Println("broad:", parts[1])
	// Output:
	// test:  [1 1 1]
	// broad: [7 3 2]
}

func ExampleStrata() {
	in := rollout.PlanInput{Key: rollout.Key{Tenant: "acme", ID: "q1"}, Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "p1"}}}},
		Policy: policy.Policy{Name: "p", Strata: []string{"device.os"}, Rings: []policy.Ring{{Name: "test", Share: 2000}, {Name: "broad", Rest: true}}}}
	strata := rollout.NewStrata(&in.Policy)
	for i := range 20 {
		d := inventory.Device{Tenant: "acme", ID: inventory.DeviceID(fmt.Sprint("d", i)), Platform: patch.Platform{OS: "windows"}}
		if i%4 == 0 {
			d.Platform.OS = "debian"
		}
		in.Targets = append(in.Targets, rollout.Target{Device: d.ID, Ring: rollout.ByShare, Stratum: strata.Of(&d)})
	}
	strata.Fill(&in)
	p, err := rollout.NewPlan(in)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range p.Rings[0].Count {
		fmt.Print(p.Devices[i], " ", p.Strata[p.Stratum[i]][0], "\n")
	}
	// Output:
	// d16 debian
	// d10 windows
	// d2 windows
	// d5 windows
}
