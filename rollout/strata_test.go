package rollout

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

func TestStratify(t *testing.T) {
	for _, c := range []struct {
		rings, strata []int
		want          [][]int
	}{
		{rings: []int{10, 90}, strata: []int{50, 30, 20}, want: [][]int{{5, 3, 2}, {45, 27, 18}}},       // nothing to round
		{rings: []int{1, 9}, strata: []int{9, 1}, want: [][]int{{1, 0}, {8, 1}}},                        // .9 and .1 of a device
		{rings: []int{2, 3}, strata: []int{2, 2, 1}, want: [][]int{{1, 1, 0}, {1, 1, 1}}},               // .8 .8 .4, against 1.2 1.2 .6
		{rings: []int{1, 1}, strata: []int{1, 1}, want: [][]int{{0, 1}, {1, 0}}},                        // all the same
		{rings: []int{5, 0, 5}, strata: []int{4, 6}, want: [][]int{{2, 3}, {0, 0}, {2, 3}}},             // an empty ring
		{rings: []int{3}, strata: []int{1, 0, 2}, want: [][]int{{1, 0, 2}}},                             // one ring has them all
		{rings: []int{0, 0}, strata: []int{0}, want: [][]int{{0}, {0}}},                                 // nobody
		{rings: []int{1 << 29, 1 << 29}, strata: []int{1 << 30}, want: [][]int{{1 << 29}, {1 << 29}}},   // as many as a plan may have
		{rings: []int{1, 2, 7}, strata: []int{5, 3, 2}, want: [][]int{{1, 0, 0}, {1, 1, 0}, {3, 2, 2}}}, // .5 .3 .2, 1 .6 .4, 3.5 2.1 1.4
		{rings: []int{2, 2, 2}, strata: []int{1, 1, 1, 1, 1, 1}, want: [][]int{{0, 0, 1, 0, 0, 1}, {1, 0, 0, 1, 0, 0}, {0, 1, 0, 0, 1, 0}}},
	} {
		require.Equal(t, c.want, Stratify(c.rings, c.strata), "%v among %v", c.strata, c.rings)
	}
}

// checkStratified checks what Stratify promises.
func checkStratified(t *testing.T, rings, strata []int, parts [][]int) {
	t.Helper()
	all := 0
	for _, n := range rings {
		all += n
	}
	for r, n := range rings {
		sum := 0
		for s, m := range strata {
			sum += parts[r][s]
			product := n * m
			require.Contains(t, []int{product / max(all, 1), (product + all - 1) / max(all, 1)}, parts[r][s], "ring %d of %v, stratum %d of %v", r, rings, s, strata)
		}
		require.Equal(t, n, sum, "ring %d of %v among %v", r, rings, strata)
	}
	for s, n := range strata {
		sum := 0
		for r := range rings {
			sum += parts[r][s]
		}
		require.Equal(t, n, sum, "stratum %d of %v among %v", s, strata, rings)
	}
}

func TestStratifyKeepsItsPromises(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		rings, strata := make([]int, 1+rng.IntN(7)), make([]int, 1+rng.IntN(40))
		most, all := 1+rng.IntN(30), 0
		for s := range strata {
			strata[s] = rng.IntN(most)
			all += strata[s]
		}
		weights := make([]int, len(rings))
		for r := range weights {
			weights[r] = 1 + rng.IntN(100)
		}
		rings = Apportion(all, weights, nil)
		parts := Stratify(rings, strata)
		checkStratified(t, rings, strata, parts)
		if len(rings) == 2 { // the method of the largest remainder, up to remainders that are alike
			far := func(part []int) (sum float64) {
				for s, n := range part {
					sum += math.Abs(float64(n) - float64(rings[0]*strata[s])/float64(max(all, 1)))
				}
				return sum
			}
			require.InDelta(t, far(Apportion(rings[0], strata, nil)), far(parts[0]), 1e-9)
		}
	}
}

func FuzzStratify(f *testing.F) {
	f.Add([]byte{1, 9}, []byte{9, 1})
	f.Add([]byte{3, 3, 3}, []byte{1, 1, 1, 1, 1, 1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, weights, sizes []byte) {
		if len(weights) == 0 || len(weights) > 128 || len(sizes) > 200 {
			return
		}
		all := 0
		strata, ws := make([]int, len(sizes)), make([]int, len(weights))
		for i, n := range sizes {
			strata[i] = int(n)
			all += int(n)
		}
		for i, w := range weights {
			ws[i] = int(w) + 1
		}
		rings := Apportion(all, ws, nil)
		checkStratified(t, rings, strata, Stratify(rings, strata))
	})
}

// stratified makes the input of a plan whose devices are of these kinds, so many of each.
func stratified(strata []int, rings ...policy.Ring) PlanInput {
	n := 0
	for _, m := range strata {
		n += m
	}
	in := input(n, rings...)
	in.Policy.Strata = []string{"device.os"}
	at := 0
	for s, m := range strata {
		in.Strata = append(in.Strata, []string{fmt.Sprintf("os-%d", s)})
		for range m {
			in.Targets[at].Stratum = uint16(s)
			at++
		}
	}
	return in
}

// kinds counts the devices of each ring by their stratum's values.
func kinds(p Plan) map[string]map[string]int {
	all := make(map[string]map[string]int)
	for r := range p.Rings {
		of := make(map[string]int)
		for i := p.Rings[r].First; i < p.Rings[r].First+p.Rings[r].Count; i++ {
			of[p.Strata[p.Stratum[i]][0]]++
		}
		all[p.Rings[r].Name] = of
	}
	return all
}

func TestRingsAreAlikeInTheirStrata(t *testing.T) {
	rest := policy.Ring{Name: "rest", Rest: true}
	in := stratified([]int{600, 300, 90, 10}, share("canary", 1000), share("pilot", 2000), rest)
	p, err := NewPlan(in)
	require.NoError(t, err)
	require.NoError(t, p.Valid())
	require.Equal(t, map[string]map[string]int{
		"canary": {"os-0": 60, "os-1": 30, "os-2": 9, "os-3": 1},
		"pilot":  {"os-0": 120, "os-1": 60, "os-2": 18, "os-3": 2},
		"rest":   {"os-0": 420, "os-1": 210, "os-2": 63, "os-3": 7},
	}, kinds(p))

	// The totals are those of the plan without strata, and so is the order of the devices within a stratum.
	plain := in
	plain.Policy.Strata, plain.Strata, plain.Targets = nil, nil, slices.Clone(in.Targets)
	for i := range plain.Targets {
		plain.Targets[i].Stratum = 0
	}
	q, err := NewPlan(plain)
	require.NoError(t, err)
	require.Equal(t, counts(q), counts(p))
	require.Nil(t, q.Stratum)

	// Devices that a ring claims by a selector are no part of it.
	in = stratified([]int{40, 20}, policy.Ring{Name: "it", Devices: inventory.MustSelector("dept=it")}, policy.Ring{Name: "canary", Size: 3}, rest)
	for i := range 30 {
		in.Targets[i].Ring = 0
	}
	p, err = NewPlan(in)
	require.NoError(t, err)
	require.Equal(t, map[string]map[string]int{"it": {"os-0": 30}, "canary": {"os-0": 1, "os-1": 2}, "rest": {"os-0": 9, "os-1": 18}}, kinds(p))
}

// A ring of three among ten kinds of device, each of which there is as often: which three it has is another in each rollout, and the same
// with the same salt.
func TestStrataThatYieldAreOthersInEachRollout(t *testing.T) {
	of := func(id ID, salt string) []string {
		in := stratified([]int{5, 5, 5, 5, 5, 5, 5, 5, 5, 5}, policy.Ring{Name: "canary", Size: 3}, policy.Ring{Name: "rest", Rest: true})
		in.ID, in.Policy.Salt = id, salt
		p, err := NewPlan(in)
		require.NoError(t, err)
		var names []string
		for name, n := range kinds(p)["canary"] {
			require.Equal(t, 1, n)
			names = append(names, name)
		}
		slices.Sort(names)
		return names
	}
	require.NotEqual(t, of("q1", ""), of("q2", ""))
	require.Equal(t, of("q1", "s"), of("q2", "s"))
}

func TestAPlanWithStrataDoesNotDependOnTheOrderOfItsFacts(t *testing.T) {
	in := stratified([]int{7, 11, 13}, share("canary", 2000), policy.Ring{Name: "rest", Rest: true})
	p, err := NewPlan(in)
	require.NoError(t, err)
	slices.Reverse(in.Targets)
	slices.Reverse(in.Strata)
	for i := range in.Targets {
		in.Targets[i].Stratum = 2 - in.Targets[i].Stratum
	}
	q, err := NewPlan(in)
	require.NoError(t, err)
	require.Equal(t, p, q)
	b, err := EncodePlan(&p)
	require.NoError(t, err)
	back, err := DecodePlan(b)
	require.NoError(t, err)
	want, err := p.Digest()
	require.NoError(t, err)
	got, err := back.Digest()
	require.NoError(t, err)
	require.Equal(t, want, got)
	back.Stratum[3]++
	got, err = back.Digest()
	require.NoError(t, err)
	require.NotEqual(t, want, got)
}

func TestStrataMustFitThePlan(t *testing.T) {
	rest := policy.Ring{Name: "rest", Rest: true}
	for want, spoil := range map[string]func(*PlanInput){
		"the policy has strata, but nothing says which": func(in *PlanInput) { in.Strata = nil },
		"stratum 1: 2 values for 1 keys":                func(in *PlanInput) { in.Strata[1] = []string{"a", "b"} },
		"stratum 0: 1 values for 0 keys":                func(in *PlanInput) { in.Policy.Strata = nil },
		"device dev-3: stratum 7 of 2":                  func(in *PlanInput) { in.Targets[3].Stratum = 7 },
		"65537 strata; at most 65536":                   func(in *PlanInput) { in.Strata = make([][]string, 65537) },
	} {
		in := stratified([]int{5, 5}, share("canary", 1000), rest)
		spoil(&in)
		_, err := NewPlan(in)
		require.ErrorContains(t, err, want)
	}
	p, err := NewPlan(stratified([]int{5, 5}, share("canary", 1000), rest))
	require.NoError(t, err)
	for want, spoil := range map[string]func(*Plan){
		"stratum 2 of 2":           func(p *Plan) { p.Stratum[4] = 2 },
		"10 devices, 9 strata":     func(p *Plan) { p.Stratum = p.Stratum[1:] },
		"the policy has strata":    func(p *Plan) { p.Strata = nil },
		"10 devices, 0 strata of ": func(p *Plan) { p.Stratum = nil },
	} {
		q := p
		q.Stratum = slices.Clone(p.Stratum)
		spoil(&q)
		require.ErrorContains(t, q.Valid(), want)
	}
}

func TestAScopeTakesStrataFromDevices(t *testing.T) {
	pol := policy.Policy{Name: "p", Rules: []policy.Rule{{Name: "all", Match: policy.Match{All: true}, Verdict: policy.Approve}}, Strata: []string{"device.os", "site"},
		Rings: []policy.Ring{{Name: "canary", Share: 5000}, {Name: "rest", Rest: true}}}
	catalog, err := patch.NewCatalog([]patch.Patch{{ID: "x:p1", Classification: patch.ClassSecurity}})
	require.NoError(t, err)
	s, err := NewScope(ScopeConfig{Key: Key{"acme", "q1"}, Policy: pol, Catalog: catalog, At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)})
	require.NoError(t, err)
	for i := range 8 {
		d := inventory.Device{Tenant: "acme", ID: inventory.DeviceID(fmt.Sprint("d", i)), Platform: patch.Platform{OS: []string{"debian", "windows"}[i%2]}, Missing: []patch.ID{"x:p1"}}
		if i >= 4 {
			d.Labels = map[string]string{"site": "oslo"}
		}
		require.NoError(t, s.Add(&d))
	}
	p, err := NewPlan(s.Input())
	require.NoError(t, err)
	require.ElementsMatch(t, [][]string{{"debian", ""}, {"windows", ""}, {"debian", "oslo"}, {"windows", "oslo"}}, p.Strata)
	seen := make(map[uint16]int)
	for i := range 4 {
		seen[p.Stratum[i]]++
	}
	require.Equal(t, map[uint16]int{0: 1, 1: 1, 2: 1, 3: 1}, seen, "the canaries are one of each kind")
}
