package providers_test

import (
	"context"
	"fmt"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/providers"
	"github.com/patchflow/patchflow/rollout"
)

// Laptops ask for their work; everything else is told by way of an agent channel, here a fleet in memory.
func ExampleRouter() {
	servers := newFleet()
	router := providers.Router(func(t rollout.Task) rollout.Deployer {
		switch t.Device {
		case "ada":
			return servers
		case "laptop":
			return providers.Pulled{}
		}
		return nil
	})

	for _, device := range []inventory.DeviceID{"ada", "laptop", "fridge"} {
		task := rollout.Task{ID: rollout.TaskID(device), Rollout: rollout.Key{Tenant: "acme", ID: "q1"}, Tenant: "acme", Device: device,
			Op: rollout.OpInstall, Content: curl()}
		report, err := router.Deploy(context.Background(), task)
		_, verifies := rollout.Ability[rollout.Verifier](router, task)
		fmt.Println(device, report.Phase, verifies, err)
	}
	// Output:
	// ada succeeded true <nil>
	// laptop queued true <nil>
	// fridge unknown false providers: no deployer for device "fridge" of tenant "acme": unsupported operation
}

// An SSH deployer would open a connection for each call; no more than four are open at once.
func ExampleLimit() {
	deployer := providers.Limit(newFleet(), 4)
	task := rollout.Task{ID: "1", Rollout: rollout.Key{Tenant: "acme", ID: "q1"}, Tenant: "acme", Device: "ada", Op: rollout.OpInstall, Content: curl()}

	report, err := deployer.Deploy(context.Background(), task)
	fmt.Println(report.Phase, err)

	// What the fleet can do beyond installing is still there, and takes one of the four places too.
	rebooter, ok := rollout.Ability[rollout.Rebooter](deployer, task)
	fmt.Println(ok)
	task.ID, task.Op = "2", rollout.OpReboot
	report, err = rebooter.Reboot(context.Background(), task)
	fmt.Println(report.Phase, report.BootID, err)
	// Output:
	// succeeded <nil>
	// true
	// succeeded boot-2 <nil>
}

// The work of an agent that polls lies in the rollout until the agent asks for it. See Runner.NextTasks and
// Runner.Report.
func ExamplePulled() {
	var deployer providers.Pulled
	task := rollout.Task{ID: "1", Device: "laptop", Op: rollout.OpInstall}

	report, _ := deployer.Deploy(context.Background(), task)
	fmt.Println(report.Phase)
	report, _ = deployer.Status(context.Background(), task)
	fmt.Println(report.Phase)
	// Output:
	// queued
	// unknown
}
