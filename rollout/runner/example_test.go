package runner_test

import (
	"context"
	"fmt"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

// office is a fleet of twenty devices in memory, and a clock that need not be waited for.
func office() (*memory.Fleet, *runner.VirtualClock) {
	clock := runner.NewVirtualClock(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	f := &memory.Fleet{Now: clock.Now}
	f.AddPatch(patch.Patch{ID: "debian:DSA-1-1", Title: "openssl security update", Classification: patch.ClassSecurity,
		Reversal: patch.ReversalReinstall, Packages: []patch.Package{{Ecosystem: "Debian:12", Name: "openssl",
			Fixed: version.Version{Scheme: version.Deb, Text: "3.0.15"}}}})
	for i := range 20 {
		f.AddDevice(inventory.Device{Tenant: "acme", ID: inventory.DeviceID(fmt.Sprintf("desk-%02d", i)),
			Software: []inventory.Software{{Manager: "dpkg", Ecosystem: "Debian:12", Name: "openssl",
				Version: version.Version{Scheme: version.Deb, Text: "3.0.11"}}}})
	}
	return f, clock
}

func twoRings() policy.Policy {
	return policy.Policy{
		Name:  "security",
		Rules: []policy.Rule{{Name: "security", Match: policy.Match{Classifications: []patch.Classification{patch.ClassSecurity}}, Verdict: policy.Approve}},
		Rings: []policy.Ring{
			{Name: "test", Share: 1000, Gate: policy.Gate{Soak: policy.Duration(24 * time.Hour)}},
			{Name: "broad", Rest: true},
		},
	}
}

func ExampleRunner() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	fleet, clock := office()
	r, err := runner.New(runner.Config{
		Patches: []patch.Source{fleet}, Devices: fleet, Deployer: fleet, Journal: new(memjournal.Journal), Clock: clock,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = r.Run(ctx) }()

	key := rollout.Key{Tenant: "acme", ID: "march"}
	proposal, err := r.Plan(ctx, runner.PlanRequest{Key: key, Policy: twoRings(), By: "olga"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := r.Start(ctx, proposal.Plan); err != nil {
		fmt.Println(err)
		return
	}
	end, err := r.Wait(ctx, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(end.Stage, "at", end.At)
	for _, ring := range end.Rings {
		fmt.Printf("%s: %d of %d succeeded\n", ring.Name, ring.Counts.Succeeded, ring.Counts.Devices)
	}
	// Output:
	// done at 2026-03-03 09:00:00 +0000 UTC
	// test: 2 of 2 succeeded
	// broad: 18 of 18 succeeded
}

// A dry run is a plan that is not started: nothing was written down, and no device has heard of it.
func ExampleRunner_Plan() {
	ctx := context.Background()
	fleet, clock := office()
	r, err := runner.New(runner.Config{
		Patches: []patch.Source{fleet}, Devices: fleet, Deployer: fleet, Journal: new(memjournal.Journal), Clock: clock,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	key := rollout.Key{Tenant: "acme", ID: "march"}
	proposal, err := r.Plan(ctx, runner.PlanRequest{Key: key, Policy: twoRings(), By: "olga"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(proposal.Summary)
	for _, ring := range proposal.Plan.Rings {
		fmt.Println(ring.Name, proposal.Plan.Devices[ring.First:ring.First+min(ring.Count, 2)], "...")
	}
	_, _, err = r.Status(ctx, key)
	fmt.Println(err)
	// Output:
	// 20 devices: 20 miss something, 0 are clean, 0 unknown
	// 20 findings: 20 approve; by rule: security 20
	// 20 devices get 1 patch
	// test [desk-19 desk-01] ...
	// broad [desk-08 desk-09] ...
	// runner: acme:march: journal: memjournal: acme:march: rollout not found
}

// Agents that ask for their work need no connection from outside: providers.Pulled leaves their tasks in the rollout.
func ExampleRunner_NextTasks() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	fleet, _ := office()
	begun := make(chan struct{}, 100)
	r, err := runner.New(runner.Config{
		Patches: []patch.Source{fleet}, Devices: fleet, Deployer: providers.Pulled{}, Journal: new(memjournal.Journal),
		Observe: func(context.Context, runner.Transition) { begun <- struct{}{} },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = r.Run(ctx) }()
	proposal, err := r.Plan(ctx, runner.PlanRequest{Key: rollout.Key{Tenant: "acme", ID: "march"}, Policy: twoRings(), By: "olga"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := r.Start(ctx, proposal.Plan); err != nil {
		fmt.Println(err)
		return
	}
	device := proposal.Plan.Devices[0]
	var tasks []rollout.Task
	for len(tasks) == 0 {
		<-begun
		if tasks, err = r.NextTasks(ctx, "acme", device, time.Hour); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(tasks[0].Op, tasks[0].Content.IDs())
	fmt.Println(r.Report(ctx, tasks[0].ID, rollout.Report{Phase: rollout.PhaseSucceeded}))
	// Output:
	// install [debian:DSA-1-1]
	// <nil>
}
