package rollout_test

import (
	"fmt"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// Virtual machines say by a label which hypervisor they run on.
func ExampleHosts() {
	in := rollout.PlanInput{Key: rollout.Key{Tenant: "acme", ID: "q1"}, Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "p1"}}}},
		Policy: policy.Policy{Name: "p", HostLabel: "hypervisor", Rings: []policy.Ring{{Name: "test", Size: 2}, {Name: "broad", Rest: true}}}}
	hosts := rollout.NewHosts(&in.Policy)
	for _, name := range []string{"kvm", "vm1", "vm2", "vm3"} {
		d := inventory.Device{Tenant: "acme", ID: inventory.DeviceID(name), Labels: map[string]string{"hypervisor": "kvm"}}
		if name == "kvm" {
			d.Labels = nil
		}
		in.Targets = append(in.Targets, rollout.Target{Device: d.ID, Ring: rollout.ByShare, Host: hosts.Of(&d)})
	}
	hosts.Fill(&in)
	p, err := rollout.NewPlan(in)
	if err != nil {
		fmt.Println(err)
		return
	}
	for r := range p.Rings {
		for i := range p.InRing(r) {
			fmt.Print(p.Rings[r].Name, ": ", p.Devices[i])
			if h, is := p.HostOf(i); is {
				fmt.Print(" on ", p.Devices[h])
			}
			fmt.Println()
		}
	}
	// Output:
	// test: vm2 on kvm
	// broad: kvm
	// broad: vm1 on kvm
	// broad: vm3 on kvm
}
