package policy_test

import (
	"fmt"
	"strings"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
)

// A vendor's limits, and a customer who wants more than is allowed.
func ExampleResolve() {
	layers := []policy.Layer{
		{
			Name: "vendor",
			Policy: policy.Policy{
				Name: "standard", MaxActive: 500,
				Rules: []policy.Rule{{Name: "security", Match: policy.Match{All: true}, Verdict: policy.RequireApproval}},
			},
			Locks: []policy.Lock{{Field: "maxActive", Mode: policy.LockTighten}},
		},
		{Name: "acme", Tenant: "acme", Policy: policy.Policy{MaxActive: 800, Reboot: policy.Reboot{Mode: policy.RebootIfRequired}}},
		{Name: "tills", Tenant: "acme", Level: policy.LevelGroup, Devices: inventory.MustSelector("role=till"), Zero: []string{"reboot.mode"}},
	}
	till := &inventory.Device{Tenant: "acme/berlin", ID: "t1", Labels: map[string]string{"role": "till"}}
	e, err := policy.Resolve(layers, till)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(e)
	// Output:
	// policy "standard", from vendor > acme > tills
	//   name         standard                     from vendor
	//   rules[0]     require-approval "security"  from vendor
	//   maxActive    500                          from vendor, locked by vendor
	//   reboot.mode  never                        from tills
	// refused maxActive: acme wants 800: vendor lets layers below it only tighten 500
}

func ExampleResolver() {
	r := policy.NewResolver([]policy.Layer{{Name: "vendor", Policy: policy.Policy{MaxActive: 500}}, {Name: "acme", Tenant: "acme", Policy: policy.Policy{MaxActive: 20}}})
	for _, d := range []inventory.Device{{Tenant: "acme", ID: "a"}, {Tenant: "contoso", ID: "a"}} {
		e, err := r.Resolve(&d)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(d.Tenant, e.Policy.MaxActive, e.Layers)
	}
	// Output:
	// acme 20 [vendor acme]
	// contoso 500 [vendor]
}

// A zero that stands in the document is a value: here, no limit.
func ExampleDecodeLayer() {
	l, err := policy.DecodeLayer(strings.NewReader(`
name: berlin
tenant: acme/berlin
policy:
  maxActive: 0
  retry: {attempts: 2}
locks:
  - {field: retry.attempts, mode: tighten}
`), "berlin.yaml")
	fmt.Println(l, err)
	fmt.Println(l.Zero, l.Sets("maxActive"), l.Sets("retry.grace"))
	// Output:
	// berlin (tenant acme/berlin) <nil>
	// [maxActive] true false
}

// One rule has a fault. It blocks, so it goes on to block what it can still be read to be about.
func ExampleReadLayer() {
	l, refused, err := policy.ReadLayer(strings.NewReader(`
name: berlin
tenant: acme/berlin
policy:
  rules:
    - {name: tills, match: {ids: ["wua:KB1"], minSeverity: hihg}, verdict: reject}
    - {name: rest, match: {minSeverity: hihg}, verdict: approve}
`), "berlin.yaml")
	for _, err := range refused {
		fmt.Println(err)
	}
	for _, r := range l.Policy.Rules {
		fmt.Println(r.Verdict, r.Match.IDs)
	}
	fmt.Println(err)
	// Output:
	// policy: berlin.yaml:6:60: policy.rules[0].match.minSeverity: "hihg" is no severity: want one of unrated, low, moderate, important, critical
	// policy: berlin.yaml:7:41: policy.rules[1].match.minSeverity: "hihg" is no severity: want one of unrated, low, moderate, important, critical
	// reject [wua:KB1]
	// <nil>
}
