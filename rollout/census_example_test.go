package rollout_test

import (
	"fmt"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

func ExampleCensus() {
	p, err := rollout.NewPlan(rollout.PlanInput{Key: rollout.Key{Tenant: "acme", ID: "q1"}, Policy: policy.Policy{Rings: []policy.Ring{{Name: "test", Size: 2}, {Name: "broad", Rest: true}}},
		Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "p1"}}}}, Targets: []rollout.Target{{Device: "ada", Ring: rollout.ByShare}, {Device: "bob", Ring: rollout.ByShare}, {Device: "cyd", Ring: rollout.ByShare}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	census, err := rollout.NewCensus([]string{"model"}, []string{"sap"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, id := range p.Devices {
		census.Add(&inventory.Device{Tenant: "acme", ID: id, Labels: map[string]string{"model": []string{"x1", "x1", "x2"}[i]}, Software: []inventory.Software{{Name: "sap"}}})
	}
	for _, c := range census.Covers(&p, 1) {
		fmt.Println(c)
	}
	// Output:
	// model: 66.66% of 3 devices; not covered: x2 (1)
	// app sap: 100% of 3 devices
}
