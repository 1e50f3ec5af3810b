package bench

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// customers returns the layers of a vendor, ten partners and 200 customers, half of them with a site and a group of their own,
// and n devices of theirs.
func customers(n int) (layers []policy.Layer, devices []inventory.Device) {
	security := policy.Match{Classifications: []patch.Classification{patch.ClassSecurity}}
	layers = append(layers, policy.Layer{Name: "vendor", Locks: []policy.Lock{{Field: "maxActive", Mode: policy.LockTighten}},
		Policy: policy.Policy{MaxActive: 5000, Rings: []policy.Ring{{Name: "test", Share: 1000}, {Name: "broad", Rest: true}},
			Rules: []policy.Rule{{Name: "security", Match: security, Verdict: policy.Approve}}}})
	var tenants []inventory.Tenant
	for c := range 200 {
		partner := inventory.Tenant(fmt.Sprintf("partner-%d", c%10))
		if c < 10 {
			layers = append(layers, policy.Layer{Name: string(partner), Tenant: partner, Policy: policy.Policy{MaxActive: 1000 + c}})
		}
		customer := partner + inventory.Tenant(fmt.Sprintf("/customer-%d", c))
		name := fmt.Sprintf("customer %d", c)
		layers = append(layers, policy.Layer{Name: name, Tenant: customer, Policy: policy.Policy{MaxActive: 100 + c,
			Rules: []policy.Rule{{Name: "later", Match: policy.Match{MinSeverity: patch.SeverityLow}, Verdict: policy.Defer, For: policy.Duration(1 + c)}}}})
		if c%2 == 0 {
			layers = append(layers,
				policy.Layer{Name: name + " site", Tenant: customer + "/site", Policy: policy.Policy{MaxActive: 10}},
				policy.Layer{Name: name + " tills", Tenant: customer, Level: policy.LevelGroup, Devices: inventory.MustSelector("role=till"), Policy: policy.Policy{MaxActive: 5}})
		}
		tenants = append(tenants, customer, customer+"/site")
	}
	r := rand.New(rand.NewPCG(20, 200))
	roles := []map[string]string{{"role": "till"}, {"role": "desk"}, nil}
	devices = make([]inventory.Device, n)
	for i := range devices {
		devices[i] = inventory.Device{Tenant: tenants[r.IntN(len(tenants))], ID: inventory.DeviceID(fmt.Sprint(i)), Labels: roles[r.IntN(len(roles))]}
	}
	return layers, devices
}

// layering measures what policy counts for each of 1,000,000 devices of 200 customers.
func layering(tb testing.TB) *contest {
	const some = 200 // that are resolved one by one
	layers, devices := customers(million)
	one := policy.NewResolver(layers)
	for i := range devices[:some] {
		want, err := policy.Resolve(layers, &devices[i])
		require.NoError(tb, err)
		got, err := one.Resolve(&devices[i])
		require.NoError(tb, err)
		require.Equal(tb, want.Policy, got.Policy)
	}
	var active int
	resolve := func(r *policy.Resolver) {
		for i := range devices {
			e, err := r.Resolve(&devices[i])
			if err != nil {
				tb.Fatal(err)
			}
			active += e.Policy.MaxActive
		}
	}
	return &contest{
		name: "Effective policies of 1,000,000 devices of 200 customers", least: 2,
		sides: []side{
			{name: "Resolve each", per: some, run: func() {
				for i := range devices[:some] {
					e, err := policy.Resolve(layers, &devices[i])
					if err != nil {
						tb.Fatal(err)
					}
					active += e.Policy.MaxActive
				}
			}},
			{name: "Resolver, new", per: million, run: func() { resolve(policy.NewResolver(layers)) }},
			{name: "Resolver, known", per: million, run: func() { resolve(one) }},
		},
		goals: []goal{{"Resolver, new", "Resolve each", 1. / 100}, {"Resolver, known", "Resolve each", 1. / 100}},
	}
}

func BenchmarkLayers(b *testing.B) { bench(b, layering) }
