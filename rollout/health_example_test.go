package rollout_test

import (
	"fmt"
	"time"

	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// A device that boots more slowly than before the patch, by its own baseline, fails the gate of its ring in the soak.
func ExampleSampled() {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	plan, err := rollout.NewPlan(rollout.PlanInput{
		Key: rollout.Key{Tenant: "acme", ID: "q1"}, At: now,
		Policy: policy.Policy{
			Rings:  []policy.Ring{{Name: "canary", Rest: true, Gate: policy.Gate{Soak: policy.Duration(24 * time.Hour)}}},
			Health: policy.Health{Metrics: []policy.Metric{{Name: "boot-seconds", By: 3000}}},
		},
		Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "debian:DSA-5650-1"}}}},
		Targets:  []rollout.Target{{Device: "ada", Ring: rollout.ByShare}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := rollout.NewMachine(plan)
	if err != nil {
		fmt.Println(err)
		return
	}
	step := func(s rollout.Signal) {
		b, err := m.Step(s)
		if err != nil {
			fmt.Println(err)
		}
		for _, e := range b.Events {
			switch e.(type) {
			case rollout.Measured, rollout.Regressed, rollout.Judged, rollout.RingSoaking, rollout.Staged:
				for _, msg := range plan.Describe(e) {
					fmt.Println(msg)
				}
			}
		}
	}
	boot := func(seconds float64) []rollout.Sample {
		return []rollout.Sample{{Device: 0, Metric: "boot-seconds", Value: seconds}}
	}
	step(rollout.Begin{At: now})
	step(rollout.Sampled{At: now, Samples: boot(20)})
	step(rollout.Granted{At: now, Devices: m.Wanted(now, 0)})
	for m.Device(0).Running { // installs, and is verified
		task, _ := m.Task(0)
		step(rollout.Reported{At: now, Reports: []rollout.TaskReport{{Handle: task.Handle, Report: rollout.Report{Phase: rollout.PhaseSucceeded}}}})
	}
	step(rollout.Sampled{At: now.Add(time.Hour), Samples: boot(31)})
	for _, why := range m.Explain("ada", now.Add(time.Hour)).Reasons {
		fmt.Println("ada is", why)
	}
	// Output:
	// rollout is active
	// ada: boot-seconds measured, 20
	// ring canary soaks until 2026-03-03 09:00 UTC
	// ada: boot-seconds measured, 31
	// ada: worse than before, boot-seconds 31 after 20, limit 26
	// gate of ring canary: fail, 1 of 1 failed
	// rollout is halted
	// ada is settled: succeeded
	// ada is worse than before: boot-seconds 31 after 20, limit 26
}
