package memory_test

import (
	"context"
	"fmt"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
)

// One device, one patch: installed, looked at, and taken back.
func ExampleFleet() {
	ctx := context.Background()
	fleet := new(memory.Fleet)
	fleet.AddDevice(inventory.Device{Tenant: "acme", ID: "ada", Software: []inventory.Software{software("openssl", "3.0.14")}})
	show := func() {
		scan, err := fleet.Scan(ctx, inventory.Device{Tenant: "acme", ID: "ada"})
		fmt.Println(scan.Software[0].Name, scan.Software[0].Version, err)
	}
	task := rollout.Task{ID: "acme:q1/pilot/ada/install/1", Rollout: rollout.Key{Tenant: "acme", ID: "q1"}, Tenant: "acme", Device: "ada",
		Op: rollout.OpInstall, Content: rollout.Content{Patches: []rollout.Pinned{pin("debian:DSA-1", "openssl", "3.0.17")}}}

	report, err := fleet.Deploy(ctx, task)
	fmt.Println(report.Phase, err)
	show()
	_, _ = fleet.Deploy(ctx, task) // the same task again, as after a restart: nothing happens
	fmt.Println("installations:", fleet.Installs("ada"))

	task.ID, task.Op = "acme:q1/pilot/ada/rollback/2", rollout.OpRollback
	report, err = fleet.Rollback(ctx, task)
	fmt.Println(report.Phase, err)
	show()
	// Output:
	// succeeded <nil>
	// openssl 3.0.17 <nil>
	// installations: 1
	// succeeded <nil>
	// openssl 3.0.14 <nil>
}

// Time passes only when the test says so, and every device can have its own troubles.
func ExampleFleet_behave() {
	ctx := context.Background()
	now := at(22, 0)
	fleet := &memory.Fleet{
		Now: func() time.Time { return now },
		Behave: func(d inventory.DeviceID, t rollout.Task) memory.Behaviour {
			switch {
			case d == "bob" && t.Attempt == 1:
				return memory.Behaviour{Latency: time.Minute, Fault: patch.DiskFull, Message: "no space left on /boot"}
			case d == "cyd":
				return memory.Behaviour{Offline: true}
			}
			return memory.Behaviour{Latency: 10 * time.Minute, NeedsReboot: true}
		},
	}
	for _, d := range []inventory.DeviceID{"ada", "bob", "cyd"} {
		fleet.AddDevice(inventory.Device{Tenant: "acme", ID: d, Software: []inventory.Software{software("openssl", "3.0.14")}})
	}
	for _, d := range []inventory.DeviceID{"ada", "bob", "cyd"} {
		task := rollout.Task{ID: rollout.TaskID(d), Rollout: rollout.Key{Tenant: "acme", ID: "q1"}, Tenant: "acme", Device: d, Op: rollout.OpInstall, Attempt: 1,
			Content: rollout.Content{Patches: []rollout.Pinned{pin("debian:DSA-1", "openssl", "3.0.17")}}}
		report, err := fleet.Deploy(ctx, task)
		fmt.Println(d, report.Phase, err)
	}
	now = now.Add(time.Hour)
	for _, e := range fleet.Log() {
		fmt.Println(e.At.Format("15:04"), e.Device, e.Op, e.Phase, e.Fault)
	}
	// Output:
	// ada running <nil>
	// bob running <nil>
	// cyd unknown memory: device "cyd": unreachable
	// 22:00 ada install running none
	// 22:00 bob install running none
	// 22:01 bob install failed disk-full
	// 22:10 ada install succeeded none
}

// The rollout asks until a person has answered.
func ExampleApprover() {
	ctx := context.Background()
	queue := new(memory.Approver)
	request := policy.Request{ID: "q1/broad", Tenant: "acme", Rollout: "q1", Ring: "broad", Devices: 900, Digest: "sha256:c0ffee", By: "ann"}

	decision, _ := queue.Decide(ctx, request)
	fmt.Println(decision.Ruling)
	for _, r := range queue.List() {
		fmt.Println("open:", r.Ring, r.Devices)
		fmt.Println(queue.Approve(r.ID, r.Digest, "ann"))
		fmt.Println(queue.Approve(r.ID, r.Digest, "grace"))
	}
	decision, _ = queue.Decide(ctx, request)
	fmt.Println(decision.Ruling, "by", decision.By, len(queue.List()))
	// Output:
	// pending
	// open: broad 900
	// memory: request "q1/broad": ann asked for it and cannot approve it
	// <nil>
	// approved by grace 0
}

// A probe finds a service up or down, or an application in a version; of a check that nobody has told it of, a fleet knows nothing.
func ExampleFleet_Probe() {
	fleet := &memory.Fleet{Behave: func(inventory.DeviceID, rollout.Task) memory.Behaviour {
		return memory.Behaviour{Down: []string{"nginx"}}
	}}
	fleet.AddDevice(inventory.Device{Tenant: "acme", ID: "ada", Software: []inventory.Software{software("openssl", "3.0.14")}})
	report, err := fleet.Probe(context.Background(), rollout.Task{ID: "acme:q1/pilot/ada/precheck/1", Rollout: rollout.Key{Tenant: "acme", ID: "q1"},
		Tenant: "acme", Device: "ada", Op: rollout.OpPrecheck, Probes: []policy.Probe{{Name: "till", Of: "tilld"}, {Name: "web", Of: "nginx"},
			{Name: "crypto", Check: policy.ProbeVersion, Of: "openssl", Version: "3.0.17"}, {Name: "queue", Check: policy.ProbeCustom, Of: "rabbitmq"},
			{Name: "switch", Check: policy.ProbeRegistry, Of: `HKLM\SOFTWARE\Till`}}})
	fmt.Println(report.Phase, err)
	for _, p := range report.Probes {
		fmt.Printf("%s: %s (%s)\n", p.Name, p.Up, p.Message)
	}
	// Output:
	// succeeded <nil>
	// till: yes ()
	// web: no (told to be down)
	// crypto: no (openssl is 3.0.14, older than 3.0.17)
	// queue: unknown (no such check)
	// switch: unknown (no such check)
}
