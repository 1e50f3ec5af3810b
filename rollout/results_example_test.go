package rollout_test

import (
	"fmt"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// Of three devices one is well at once, and two have no room for the patch. A host makes the timeline from its journal
// ([rollout.ReadTimeline]); here it is made on the way.
func ExampleTimeline_Results() {
	in := rollout.PlanInput{Key: rollout.Key{Tenant: "acme", ID: "q1"}, At: morning(),
		Policy:   policy.Policy{Name: "servers", Rings: []policy.Ring{{Name: "all", Rest: true}}, Retry: policy.Retry{Attempts: 1}},
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
	timeline, err := rollout.NewTimeline(plan)
	if err != nil {
		fmt.Println(err)
		return
	}
	report := func(d int32, seq uint32, r rollout.Report) rollout.Signal {
		return rollout.Reported{At: morning(), Reports: []rollout.TaskReport{{Handle: rollout.Handle{Device: d, Seq: seq}, Report: r}}}
	}
	good := rollout.Report{Phase: rollout.PhaseSucceeded}
	full := rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.DiskFull, Message: "apt: no space left on device"}
	for _, s := range []rollout.Signal{
		rollout.Begin{At: morning()},
		rollout.Granted{At: morning(), Devices: []int32{0, 1, 2}},
		report(0, 1, good), // installed
		report(0, 2, good), // and seen to be there
		report(1, 1, full),
		report(2, 1, full),
	} {
		b, err := m.Step(s)
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := timeline.Add(b); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Print(timeline.Results())
	// Output:
	// all: 1 of 3 devices have it, success 33.33%, at the first attempt 33.33%
	// 2 devices, 2 still not well: install failed, disk-full: apt: no space left on device
}
