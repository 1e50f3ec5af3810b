package bench

import (
	"slices"
	"sort"
	"strconv"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// shares are four rings of 1, 9, 30 and 60 %.
func shares() []policy.Ring {
	return []policy.Ring{{Name: "canary", Share: 100}, {Name: "pilot", Share: 900}, {Name: "early", Share: 3000}, {Name: "broad", Rest: true}}
}

// sorted is the plan that one would write first: hash every device, sort by hash, cut.
func sorted(in *rollout.PlanInput) rollout.Plan {
	type keyed struct {
		key uint64
		at  int
	}
	seed := hash(hash(0, string(in.ID)), string(in.Tenant))
	n := len(in.Targets)
	order := make([]keyed, n)
	for i := range in.Targets {
		order[i] = keyed{hash(seed, string(in.Targets[i].Device)), i}
	}
	sort.Slice(order, func(i, j int) bool { return order[i].key < order[j].key })
	p := rollout.Plan{Devices: make([]inventory.DeviceID, n), Content: make([]uint32, n), Zone: make([]uint16, n)}
	for i, k := range order {
		t := &in.Targets[k.at]
		p.Devices[i], p.Content[i], p.Zone[i] = t.Device, t.Content, t.Zone
	}
	first := 0
	for _, r := range in.Policy.Rings {
		count := n * int(r.Share) / 10000
		if r.Rest {
			count = n - first
		}
		p.Rings = append(p.Rings, rollout.PlannedRing{Ring: r, First: first, Count: count})
		first += count
	}
	return p
}

func TestPlanIsThatOfThePeerToTheDevice(t *testing.T) {
	in := input(uuids(100_000), shares()...)
	p, err := rollout.NewPlan(in)
	require.NoError(t, err)
	peer := sorted(&in)
	require.Equal(t, peer.Devices, p.Devices)
	for i, want := range []int{1_000, 9_000, 30_000, 60_000} {
		require.Equal(t, want, p.Rings[i].Count, p.Rings[i].Name)
		require.Equal(t, peer.Rings[i].First, p.Rings[i].First, p.Rings[i].Name)
	}
}

// planning measures a plan for a million devices against no more than the hashing of their IDs: of the whole key that decides
// a device's place, which is salt, tenant and ID, and of the ID alone under a seed made of the others; against the least that any
// exact plan has to do, which is to hash each ID and to move each device to its place, and against a plan by sorting.
func planning(tb testing.TB) *contest {
	in := input(uuids(million), shares()...)
	var p rollout.Plan
	var sum uint64
	mixed := in
	mixed.Policy.Strata, mixed.Targets = []string{"device.os", "site"}, slices.Clone(in.Targets)
	for s := range 200 {
		mixed.Strata = append(mixed.Strata, []string{strconv.Itoa(s % 4), strconv.Itoa(s / 4)})
	}
	for i, r := 0, random(); i < million; i++ {
		mixed.Targets[i].Stratum = uint16(r.IntN(200))
	}
	order := random().Perm(million)
	moved := make([]rollout.Target, million)
	return &contest{
		name: "Plan for 1,000,000 devices",
		sides: []side{
			{name: "hash by rollout", per: million, run: func() {
				for i := range in.Targets {
					sum += hash(1, string(in.Targets[i].Device))
				}
			}},
			{name: "hash by xxhash", per: million, run: func() {
				for i := range in.Targets {
					sum += xxhash.Sum64String(string(in.Targets[i].Device))
				}
			}},
			{name: "hash whole keys", per: million, run: func() {
				prefix := string(in.ID) + "\x00" + string(in.Tenant) + "\x00"
				key := make([]byte, 0, 128)
				for i := range in.Targets {
					key = append(append(key[:0], prefix...), in.Targets[i].Device...)
					sum += xxhash.Sum64(key)
				}
			}},
			{name: "hash and move", per: million, run: func() {
				for i, at := range order {
					t := &in.Targets[i]
					sum += hash(1, string(t.Device))
					moved[at] = *t
				}
			}},
			{name: "plan by sort.Slice", per: million, setup: func() { p = rollout.Plan{} }, run: func() { p = sorted(&in) }},
			{name: "NewPlan", per: million, setup: func() { p = rollout.Plan{} }, run: func() {
				var err error
				p, err = rollout.NewPlan(in)
				require.NoError(tb, err)
				for i, want := range []int{10_000, 90_000, 300_000, 600_000} {
					require.Equal(tb, want, p.Rings[i].Count)
				}
			}},
			{name: "NewPlan, 200 strata", per: million, setup: func() { p = rollout.Plan{} }, run: func() {
				var err error
				p, err = rollout.NewPlan(mixed)
				require.NoError(tb, err)
				for i, want := range []int{10_000, 90_000, 300_000, 600_000} {
					require.Equal(tb, want, p.Rings[i].Count)
				}
			}},
		},
		goals: []goal{
			{"NewPlan", "hash whole keys", 2}, {"NewPlan", "hash by rollout", 6}, {"NewPlan", "hash by xxhash", 0}, {"NewPlan", "hash and move", 2},
			{"NewPlan", "plan by sort.Slice", 1. / 3}, {"NewPlan, 200 strata", "NewPlan", 2}, {"NewPlan, 200 strata", "plan by sort.Slice", 1. / 2},
		},
	}
}

func BenchmarkPlan(b *testing.B) { bench(b, planning) }
