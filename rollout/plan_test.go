package rollout

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// input makes the input of a plan with n devices, all of which get the same patch.
func input(n int, rings ...policy.Ring) PlanInput {
	in := PlanInput{
		Key: Key{"acme", "q1"}, Policy: policy.Policy{Name: "p", Rings: rings}, By: "olga",
		At:       time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
		Contents: []Content{{Patches: []Pinned{{ID: "x:p1", Reversal: patch.ReversalReinstall}}}},
	}
	for i := range n {
		in.Targets = append(in.Targets, Target{Device: inventory.DeviceID(fmt.Sprintf("dev-%d", i)), Ring: ByShare})
	}
	return in
}

func share(name string, basisPoints int) policy.Ring {
	return policy.Ring{Name: name, Share: policy.Share(basisPoints)}
}

func counts(p Plan) map[string]int {
	c := make(map[string]int)
	for _, r := range p.Rings {
		c[r.Name] = r.Count
	}
	return c
}

func TestApportionIsExact(t *testing.T) {
	for _, c := range []struct {
		n             int
		weights, want []int
		minima        []int
	}{
		{n: 100, weights: []int{100, 900, 9000}, want: []int{1, 9, 90}},
		{n: 50, weights: []int{100, 900, 9000}, want: []int{1, 4, 45}},                         // quotas .5, 4.5, 45: equal remainders favour the earlier
		{n: 3, weights: []int{1000, 2000, 7000}, want: []int{0, 1, 2}},                         // an empty ring is the caller's affair
		{n: 3, weights: []int{1000, 2000, 7000}, minima: []int{1, 1, 1}, want: []int{1, 1, 1}}, // taken from the last
		{n: 2, weights: []int{1000, 2000, 7000}, minima: []int{1, 1, 1}, want: []int{1, 1, 0}}, // the earlier rings come first
		{n: 10, weights: []int{1000, 9000}, minima: []int{5, 0}, want: []int{5, 5}},
		{n: 4, weights: []int{1000, 9000}, minima: []int{5, 0}, want: []int{4, 0}},
		{n: 7, weights: []int{0, 0}, want: []int{0, 0}},
		{n: 0, weights: []int{5000, 5000}, want: []int{0, 0}},
		{n: 2_000_000_000, weights: []int{100, 900, 9000}, want: []int{20_000_000, 180_000_000, 1_800_000_000}}, // the products need 64 bits
	} {
		require.Equal(t, c.want, Apportion(c.n, c.weights, c.minima), "%d by %v, at least %v", c.n, c.weights, c.minima)
	}
}

func FuzzApportion(f *testing.F) {
	f.Add(uint32(1_000_000), uint16(100), uint16(900), uint16(9000), uint8(1))
	f.Add(uint32(2), uint16(1000), uint16(2000), uint16(7000), uint8(3))
	f.Fuzz(func(t *testing.T, n uint32, a, b, c uint16, least uint8) {
		weights := []int{int(a), int(b), int(c)}
		total := int(a) + int(b) + int(c)
		if total == 0 {
			return
		}
		parts := Apportion(int(n), weights, nil)
		sum := 0
		for i, p := range parts {
			sum += p
			quota := float64(n) * float64(weights[i]) / float64(total)
			require.Less(t, float64(p)-quota, 1.0)
			require.Less(t, quota-float64(p), 1.0)
		}
		require.Equal(t, int(n), sum)
		sum = 0
		for _, p := range Apportion(int(n), weights, []int{int(least), int(least), int(least)}) {
			require.GreaterOrEqual(t, p, 0)
			sum += p
		}
		require.Equal(t, int(n), sum)
	})
}

func TestEveryDeviceIsInExactlyOneRing(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 49, 500, 12_345} {
		p, err := NewPlan(input(n, share("canary", 100), share("early", 900), share("most", 6000), policy.Ring{Name: "rest", Rest: true}))
		require.NoError(t, err)
		require.NoError(t, p.Valid())
		seen := make(map[inventory.DeviceID]bool)
		for i, d := range p.Devices {
			require.False(t, seen[d])
			seen[d] = true
			at, ok := p.Find(d)
			require.True(t, ok)
			require.Equal(t, i, at)
			r := p.Rings[p.RingOf(i)]
			require.True(t, i >= r.First && i < r.First+r.Count)
		}
		require.Len(t, seen, n)
	}
	_, ok := func() (int, bool) {
		p, _ := NewPlan(input(10, policy.Ring{Name: "rest", Rest: true}))
		return p.Find("nobody")
	}()
	require.False(t, ok)
}

func TestSelectorsClaimBeforeSharesAreTaken(t *testing.T) {
	in := input(100, policy.Ring{Name: "it", Devices: inventory.MustSelector("dept=it")}, share("pilot", 1000), policy.Ring{Name: "rest", Rest: true})
	for i := range 20 {
		in.Targets[i].Ring = 0
	}
	p, err := NewPlan(in)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"it": 20, "pilot": 8, "rest": 72}, counts(p))
}

func TestRingsBySizeHaveExactlyAsMany(t *testing.T) {
	size := func(name string, n int) policy.Ring { return policy.Ring{Name: name, Size: n} }
	rest := policy.Ring{Name: "rest", Rest: true}
	for _, c := range []struct {
		n     int
		rings []policy.Ring
		want  map[string]int
	}{
		{100, []policy.Ring{size("canary", 3), share("pilot", 1000), rest}, map[string]int{"canary": 3, "pilot": 10, "rest": 87}}, // a tenth of 97
		{100, []policy.Ring{share("pilot", 1000), size("wave", 20), rest}, map[string]int{"pilot": 8, "wave": 20, "rest": 72}},
		{100, []policy.Ring{size("a", 30), size("b", 70), rest}, map[string]int{"a": 30, "b": 70}},
		{5, []policy.Ring{size("a", 3), size("b", 4), rest}, map[string]int{"a": 3, "b": 2}}, // the earlier ring is served first
		{2, []policy.Ring{size("a", 3), size("b", 4), share("c", 5000), rest}, map[string]int{"a": 2}},
		{3, []policy.Ring{size("a", 3)}, map[string]int{"a": 3}},
		{100_000, []policy.Ring{size("a", 1), size("b", 10), rest}, map[string]int{"a": 1, "b": 10, "rest": 99_989}},
	} {
		p, err := NewPlan(input(c.n, c.rings...))
		require.NoError(t, err)
		require.NoError(t, p.Valid())
		require.Equal(t, c.want, counts(p))
	}
	_, err := NewPlan(input(5, size("a", 3)))
	require.ErrorContains(t, err, "2 devices belong to no ring")
}

func TestARingThatIsToShowAFaultIsLargeEnough(t *testing.T) {
	canary := share("canary", 100)
	canary.Shows = 1000
	for n, want := range map[int]int{1: 1, 4: 1, 5: 2, 40: 10, 100: 25, 1000: 29, 2900: 29, 10_000: 100} { // at last the share itself is more
		p, err := NewPlan(input(n, canary, policy.Ring{Name: "rest", Rest: true}))
		require.NoError(t, err)
		require.Equal(t, want, p.Rings[0].Count, "of %d", n)
	}
	// Of what rings with a size have nothing is left to show.
	p, err := NewPlan(input(100, policy.Ring{Name: "first", Size: 60}, canary, policy.Ring{Name: "rest", Rest: true}))
	require.NoError(t, err)
	require.Equal(t, map[string]int{"first": 60, "canary": 10, "rest": 30}, counts(p))
}

func TestAnEmptyRingMergesForwardAndKeepsTheStricterGate(t *testing.T) {
	canary := policy.Ring{Name: "it", Devices: inventory.MustSelector("dept=it"), Approval: true, MaxActive: 3, Ramp: 2,
		Gate: policy.Gate{Soak: policy.Duration(48 * time.Hour)}}
	broad := policy.Ring{Name: "broad", Rest: true, MaxActive: 50, Gate: policy.Gate{MaxFailed: 1000, Soak: policy.Duration(time.Hour)}}
	p, err := NewPlan(input(10, canary, broad))
	require.NoError(t, err)
	require.Len(t, p.Rings, 1)
	r := p.Rings[0]
	require.Equal(t, []string{"it"}, r.Merged)
	require.True(t, r.Approval)
	require.Equal(t, 3, r.MaxActive)
	require.Equal(t, 2, r.Ramp)
	require.Equal(t, policy.Duration(48*time.Hour), r.Gate.Soak)
	require.Zero(t, r.Gate.MaxFailed)
}

func TestAPlanDoesNotDependOnTheOrderOfItsFacts(t *testing.T) {
	in := input(1000, share("canary", 100), policy.Ring{Name: "rest", Rest: true})
	in.Contents = append(in.Contents, Content{Patches: []Pinned{{ID: "x:p2", Reversal: patch.ReversalUninstall}}})
	in.Zones = []string{"Europe/Berlin", "Europe/London", "UTC"}
	in.Tenants = []inventory.Tenant{"acme/a", "acme/b"}
	for i := range in.Targets {
		in.Targets[i].Content, in.Targets[i].Zone, in.Targets[i].Tenant = uint32(i%2), uint16(i%3), uint16(i%2)
	}
	p, err := NewPlan(in)
	require.NoError(t, err)
	other := in
	other.Targets = slices.Clone(in.Targets)
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(len(other.Targets), func(i, j int) { other.Targets[i], other.Targets[j] = other.Targets[j], other.Targets[i] })
	other.Contents = []Content{in.Contents[1], in.Contents[0]}
	other.Zones = []string{"UTC", "Europe/London", "Europe/Berlin", "Asia/Tokyo"} // the last is not used
	for i := range other.Targets {
		other.Targets[i].Content = 1 - other.Targets[i].Content
		other.Targets[i].Zone = 2 - other.Targets[i].Zone
	}
	q, err := NewPlan(other)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(p, q, cmp.Comparer(func(a, b inventory.Selector) bool { return a.Equal(b) })))
	a, err := p.Digest()
	require.NoError(t, err)
	b, err := q.Digest()
	require.NoError(t, err)
	require.Equal(t, a, b)
}

func TestAnotherSaltMakesOthersTheCanaries(t *testing.T) {
	in := input(1000, share("canary", 1000), policy.Ring{Name: "rest", Rest: true})
	first, err := NewPlan(in)
	require.NoError(t, err)
	again, err := NewPlan(in)
	require.NoError(t, err)
	require.Equal(t, first.Devices, again.Devices)
	in.ID = "q2"
	second, err := NewPlan(in)
	require.NoError(t, err)
	both := 0
	for _, d := range second.Devices[:100] {
		if slices.Contains(first.Devices[:100], d) {
			both++
		}
	}
	require.Less(t, both, 30, "a tenth of a tenth is ten")
	in.Policy.Salt = "2026"
	in.ID = "q1"
	march, err := NewPlan(in)
	require.NoError(t, err)
	in.ID = "q2"
	april, err := NewPlan(in)
	require.NoError(t, err)
	require.Equal(t, march.Devices, april.Devices, "the policy says that it is to be the same devices each time")
	require.NotEqual(t, first.Devices, march.Devices)
	in.Salt = "q1"
	sticky, err := NewPlan(in)
	require.NoError(t, err)
	require.Equal(t, first.Devices, sticky.Devices)
}

func TestThePlanRefusesWhatDoesNotHoldTogether(t *testing.T) {
	rest := policy.Ring{Name: "rest", Rest: true}
	for name, c := range map[string]struct {
		change func(*PlanInput)
		want   string
	}{
		"no ID":                {func(in *PlanInput) { in.ID = "" }, "has no ID"},
		"no rings":             {func(in *PlanInput) { in.Policy.Rings = nil }, "has no rings"},
		"no devices":           {func(in *PlanInput) { in.Targets = nil }, "nothing to roll out"},
		"empty content":        {func(in *PlanInput) { in.Contents = []Content{{}} }, "holds no patch"},
		"device twice":         {func(in *PlanInput) { in.Targets[3].Device = "dev-7" }, "device dev-7 stands twice"},
		"content out of range": {func(in *PlanInput) { in.Targets[3].Content = 9 }, "device dev-3: content 9 of 1"},
		"zone out of range":    {func(in *PlanInput) { in.Targets[3].Zone = 9 }, "device dev-3: time zone 9"},
		"tenant out of range":  {func(in *PlanInput) { in.Targets[3].Tenant = 9 }, "device dev-3: tenant 9"},
		"ring out of range":    {func(in *PlanInput) { in.Targets[3].Ring = 9 }, "device dev-3: ring 9"},
		"foreign tenant":       {func(in *PlanInput) { in.Tenants = []inventory.Tenant{"evil"} }, `tenant "evil" is not the rollout's`},
		"all tenants at once":  {func(in *PlanInput) { in.Tenant, in.Tenants = "", []inventory.Tenant{"acme"} }, `tenant "acme" has devices in it`},
		"shares without rest":  {func(in *PlanInput) { in.Policy.Rings = []policy.Ring{share("a", 5000)} }, "belong to no ring"},
		"irreversible": {func(in *PlanInput) {
			in.Policy.Rollback.On = policy.FailRollsBackAll
			in.Contents[0].Patches[0].Reversal = patch.ReversalUnknown
		}, "patch x:p1 cannot be taken back (reversal unknown)"},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(10, rest)
			c.change(&in)
			_, err := NewPlan(in)
			require.ErrorContains(t, err, c.want)
		})
	}
	in := input(10, rest)
	in.Policy.Rollback.On = policy.FailRollsBackAll
	in.Contents[0].Patches[0].Reversal = patch.ReversalNone
	in.Policy.Rollback.Irreversible = true
	_, err := NewPlan(in)
	require.NoError(t, err, "accepted knowingly")
}

func TestTheDigestDiesWhenOneByteChanges(t *testing.T) {
	p, err := NewPlan(input(50, share("canary", 1000), policy.Ring{Name: "rest", Rest: true}))
	require.NoError(t, err)
	want, err := p.Digest()
	require.NoError(t, err)
	for name, change := range map[string]func(*Plan){
		"device":   func(p *Plan) { p.Devices[7] += "x" },
		"content":  func(p *Plan) { p.Content[7]++ },
		"zone":     func(p *Plan) { p.Zone[7]++ },
		"owner":    func(p *Plan) { p.Owner[7]++ },
		"policy":   func(p *Plan) { p.Policy.MaxActive++ },
		"by":       func(p *Plan) { p.By = "mallory" },
		"tenant":   func(p *Plan) { p.Tenant = "evil" },
		"patch":    func(p *Plan) { p.Contents[0].Patches[0].Title = "other" },
		"ring":     func(p *Plan) { p.Rings[0].Count-- },
		"move":     func(p *Plan) { p.Devices[1], p.Devices[2] = p.Devices[2], p.Devices[1] },
		"boundary": func(p *Plan) { p.Devices[1], p.Devices[2] = p.Devices[1]+p.Devices[2][:1], p.Devices[2][1:] },
	} {
		b, err := EncodePlan(&p)
		require.NoError(t, err)
		var q Plan
		require.NoError(t, json.Unmarshal(b, &q))
		same, err := q.Digest()
		require.NoError(t, err)
		require.Equal(t, want, same, "before the change")
		change(&q)
		got, err := q.Digest()
		require.NoError(t, err)
		require.NotEqual(t, want, got, name)
	}
}

func TestAStoredPlanIsChecked(t *testing.T) {
	good, err := NewPlan(input(50, share("canary", 1000), policy.Ring{Name: "rest", Rest: true}))
	require.NoError(t, err)
	b, err := EncodePlan(&good)
	require.NoError(t, err)
	back, err := DecodePlan(b)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(good, back, cmp.Comparer(func(a, b inventory.Selector) bool { return a.Equal(b) })))
	for name, change := range map[string]func(*Plan){
		"no devices":   func(p *Plan) { p.Devices = nil },
		"short list":   func(p *Plan) { p.Zone = p.Zone[1:] },
		"ring too big": func(p *Plan) { p.Rings[1].Count++ },
		"ring missing": func(p *Plan) { p.Rings = p.Rings[:1] },
		"moved device": func(p *Plan) { p.Devices[1], p.Devices[2] = p.Devices[2], p.Devices[1] },
		"other salt":   func(p *Plan) { p.Salt = "x" },
		"bad content":  func(p *Plan) { p.Content[3] = 77 },
	} {
		t.Run(name, func(t *testing.T) {
			var p Plan
			require.NoError(t, json.Unmarshal(b, &p))
			change(&p)
			bad, err := EncodePlan(&p)
			require.NoError(t, err)
			_, err = DecodePlan(bad)
			require.Error(t, err)
		})
	}
	for i := range len(b) / 97 {
		_, err := DecodePlan(b[:i*97])
		require.Error(t, err, "cut after %d bytes", i*97)
	}
}
