package rollout_test

import (
	"fmt"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// The two devices of a pair are never worked on together, though nothing else keeps them apart.
func ExampleNewDomains() {
	p := policy.Policy{Name: "servers", Rings: []policy.Ring{{Name: "all", Rest: true}},
		Budgets: []policy.Budget{{Name: "pairs", Per: []string{"pair"}, Count: 1}}}
	in := rollout.PlanInput{Key: rollout.Key{Tenant: "acme", ID: "q1"}, Policy: p, At: morning(),
		Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "x:p1"}}}}}
	domains := rollout.NewDomains(p.Budgets)
	for _, id := range []inventory.DeviceID{"ada", "bob"} {
		d := inventory.Device{Tenant: "acme", ID: id, Labels: map[string]string{"pair": "7"}}
		in.Targets = append(in.Targets, rollout.Target{Device: id, Place: domains.Add(&d), Ring: rollout.ByShare})
	}
	domains.Fill(&in)
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
	var agenda rollout.Agenda
	fmt.Println("wants", len(m.Wanted(morning(), 0)), "and is granted", len(agenda.Grant(m, morning())))
	for _, id := range []inventory.DeviceID{"ada", "bob"} {
		if why, waits := agenda.ExplainBudget(m, id); waits {
			fmt.Println("the other:", why)
		}
	}
	// Output:
	// wants 2 and is granted 1
	// the other: budget pairs: 1 of 1 disrupted at pair 7
}
