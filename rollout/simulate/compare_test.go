package simulate_test

import (
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/simulate"
)

// record carries a plan out once and returns its timeline.
func record(t testing.TB, p rollout.Plan, m simulate.Model, seed uint64) *rollout.Timeline {
	t.Helper()
	lines, err := rollout.NewTimeline(p)
	require.NoError(t, err)
	_, err = simulate.Runs(simulate.Config{Plan: p, Model: m, Runs: 1, Seed: seed, Observe: func(run int, b rollout.Batch) {
		require.Zero(t, run)
		require.NoError(t, lines.Add(b))
	}})
	require.NoError(t, err)
	return lines
}

func compare(t testing.TB, lines *rollout.Timeline, p rollout.Plan) simulate.Comparison {
	t.Helper()
	c, err := simulate.Compare(simulate.CompareConfig{Recorded: lines, Plan: p})
	require.NoError(t, err)
	return c
}

func replan(t testing.TB, p rollout.Plan, to policy.Policy) rollout.Plan {
	t.Helper()
	other, err := simulate.Replan(&p, to, nil)
	require.NoError(t, err)
	return other
}

// Under the policy that it had a rollout comes to what it came to, and there is nothing that is not known.
func TestARecordUnderItsOwnPolicyComesToItself(t *testing.T) {
	for seed := range uint64(6) {
		m := usual()
		m.Presence = nil // when a device could be reached at another time the record does not tell
		m.Rates = append(m.Rates, bad([]float64{0, .01, .02, .03, .05, .3}[seed]))
		lines := record(t, planOf(t, 700, threeRings(1000)), m, seed)
		p := replan(t, *lines.Plan(), threeRings(1000))
		require.Equal(t, *lines.Plan(), p)
		c := compare(t, lines, p)
		require.True(t, c.Certain)
		require.Zero(t, c.Unknown)
		require.Equal(t, c.Best, c.Worst)
		require.Equal(t, c.Recorded.Stage, c.Best.Stage, "seed %d", seed)
		require.Equal(t, c.Recorded.Outcomes, c.Best.Outcomes, "seed %d", seed)
		require.Equal(t, c.Recorded.Rings, c.Best.Rings, "seed %d", seed)
		require.Equal(t, c.Recorded.Begun, c.Best.Begun)
		was, stopped := c.Recorded.Stopped()
		is, stops := c.Best.Stopped()
		require.Equal(t, stopped, stops)
		require.Equal(t, was, is, "seed %d", seed)
	}
}

func TestASmallerPilotOfABadPatch(t *testing.T) {
	m := usual()
	m.Presence, m.Rates = nil, []simulate.Rate{bad(.1)}
	large := policy.Policy{Name: "large", Rings: []policy.Ring{{Name: "pilot", Share: 2000, Gate: policy.Gate{MaxFailed: 300}}, {Name: "broad", Rest: true}}}
	small := large
	small.Rings = []policy.Ring{{Name: "pilot", Share: 500, Gate: policy.Gate{MaxFailed: 300}}, {Name: "broad", Rest: true}}
	lines := record(t, planOf(t, 1000, large), m, 1)
	c := compare(t, lines, replan(t, *lines.Plan(), small))
	require.True(t, c.Certain, c)
	require.Zero(t, c.Unknown)
	was, _ := c.Recorded.Stopped()
	is, ok := c.Best.Stopped()
	require.True(t, ok)
	require.Equal(t, 200, was.Begun)
	require.Equal(t, 50, is.Begun)
	require.Less(t, is.Bad, was.Bad+1)
	require.Equal(t, []simulate.RingKnown{{Name: "pilot", Devices: 50, Known: c.Rings[0].Known, Unknown: 50 - c.Rings[0].Known},
		{Name: "broad", Devices: 950, Known: c.Rings[1].Known, Unknown: 950 - c.Rings[1].Known}}, c.Rings)
	require.GreaterOrEqual(t, c.Rings[1].Unknown, 800, "those that the record never came to")
}

// What was never begun is not known, and no outcome is made up for it: the answer is what both bounds agree upon.
func TestWhatTheRecordDoesNotTellIsUnknown(t *testing.T) {
	small := policy.Policy{Name: "small", Rings: []policy.Ring{{Name: "pilot", Share: 500, Gate: policy.Gate{MaxFailed: 300}}, {Name: "broad", Rest: true}}}
	lax := policy.Policy{Name: "lax", Rings: []policy.Ring{{Name: "pilot", Share: 500, Gate: policy.Gate{MaxFailed: 3000}}, {Name: "broad", Rest: true, Gate: policy.Gate{MaxFailed: 3000}}}}
	m := simulate.Model{Install: minutes(1, 60), Rates: []simulate.Rate{bad(.1)}}
	lines := record(t, planOf(t, 1000, small), m, 3)
	c := compare(t, lines, replan(t, *lines.Plan(), lax))
	require.False(t, c.Certain)
	require.Equal(t, 950, c.Unknown)
	require.Equal(t, rollout.StageDone, c.Best.Stage)
	require.Equal(t, rollout.StageHalted, c.Worst.Stage)
	require.Equal(t, c.Recorded.Bad, c.Best.Bad, "those that are known")
	require.Equal(t, c.Recorded.Bad+950, c.Worst.Bad)
	require.Contains(t, c.String(), "the record does not tell what 950 devices would have done")

	// A fourth attempt was never made.
	two := policy.Policy{Name: "two", Rings: []policy.Ring{{Name: "all", Rest: true, Gate: policy.Gate{MaxFailed: 10000, MinSuccess: 1}}}, Retry: policy.Retry{Attempts: 2}}
	m = simulate.Model{Rates: []simulate.Rate{{Fault: patch.Transient, Chance: .5, Lasts: true}}}
	lines = record(t, planOf(t, 100, two), m, 3)
	failed := lines.Machine().Status().Rings[0].Counts.Failed
	require.NotZero(t, failed)
	two.Retry.Attempts = 3
	c = compare(t, lines, replan(t, *lines.Plan(), two))
	require.Equal(t, failed, c.Unknown)
	require.Zero(t, c.Best.Bad)
	require.Equal(t, failed, c.Worst.Bad)
}

func TestComparisonsWithOtherDevicesAreRefused(t *testing.T) {
	p := policy.Policy{Name: "p", Rings: []policy.Ring{{Name: "all", Rest: true}}}
	lines := record(t, planOf(t, 5, p), simulate.Model{}, 0)
	_, err := simulate.Compare(simulate.CompareConfig{Recorded: lines, Plan: planOf(t, 6, p)})
	require.ErrorContains(t, err, "device dev-5 is not in the recorded rollout acme:q1")
	other := planOf(t, 5, p)
	other.Contents[0].Patches[0].ID = "x:p2"
	_, err = simulate.Compare(simulate.CompareConfig{Recorded: lines, Plan: other})
	require.ErrorContains(t, err, "gets [x:p2], in the recorded rollout [x:p1]")
	_, err = simulate.Compare(simulate.CompareConfig{Recorded: lines, Plan: planOf(t, 5, p), Approval: minutes(-1)})
	require.ErrorContains(t, err, "approval: -1m0s is negative")
	_, err = simulate.Compare(simulate.CompareConfig{Recorded: lines})
	require.ErrorIs(t, err, rollout.ErrNothing)
}

func TestReplanPutsDevicesWhereTheirRingsWere(t *testing.T) {
	named := policy.Policy{Name: "named", Rings: []policy.Ring{{Name: "it", Devices: inventory.MustSelector("dept=it")}, {Name: "rest", Rest: true}}}
	in := rollout.PlanInput{Key: rollout.Key{Tenant: "acme", ID: "q1"}, Policy: named, At: monday(),
		Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "x:p1"}}}}}
	for i, id := range []inventory.DeviceID{"a", "b", "c", "d"} {
		in.Targets = append(in.Targets, rollout.Target{Device: id, Ring: []int16{0, 0, rollout.ByShare, rollout.ByShare}[i]})
	}
	p, err := rollout.NewPlan(in)
	require.NoError(t, err)

	to := policy.Policy{Name: "to", Rings: []policy.Ring{{Name: "first", Share: 5000}, {Name: "it", Devices: inventory.MustSelector("dept=it")}, {Name: "rest", Rest: true}}}
	got := replan(t, p, to)
	require.Equal(t, 1, got.Rings[0].Count, "half of those that no ring claims")
	require.ElementsMatch(t, []inventory.DeviceID{"a", "b"}, got.Devices[got.Rings[1].First:got.Rings[1].First+2])

	to.Rings[1].Devices = inventory.MustSelector("dept=hr")
	_, err = simulate.Replan(&p, to, nil)
	require.ErrorContains(t, err, `ring "it" claims devices by a selector (dept=hr)`)
	got, err = simulate.Replan(&p, to, func(id inventory.DeviceID) int16 {
		if id == "d" {
			return 1
		}
		return rollout.ByShare
	})
	require.NoError(t, err)
	i, _ := got.Find("d")
	require.Equal(t, "it", got.Rings[got.RingOf(i)].Name)
}

func TestReplanKeepsFailureDomains(t *testing.T) {
	sites, pairs := policy.Budget{Name: "sites", Per: []string{"site"}, Count: 1}, policy.Budget{Name: "pairs", Per: []string{"pair"}, Count: 1}
	p := policy.Policy{Name: "p", Rings: []policy.Ring{{Name: "all", Rest: true}}, Budgets: []policy.Budget{sites, pairs}}
	in := rollout.PlanInput{Key: rollout.Key{Tenant: "acme", ID: "q1"}, Policy: p, At: monday(),
		Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "x:p1"}}}}}
	domains := rollout.NewDomains(p.Budgets)
	for _, id := range []inventory.DeviceID{"a", "b", "c", "d"} {
		d := inventory.Device{Tenant: "acme", ID: id, Labels: map[string]string{"site": "oslo"}}
		if id < "c" {
			d.Labels["pair"] = "1"
		}
		in.Targets = append(in.Targets, rollout.Target{Device: id, Place: domains.Add(&d), Ring: rollout.ByShare})
	}
	domains.Fill(&in)
	recorded, err := rollout.NewPlan(in)
	require.NoError(t, err)

	sites.Name, sites.Count = "places", 3
	to := p
	to.Budgets = []policy.Budget{pairs, sites}
	got := replan(t, recorded, to)
	for id, want := range map[inventory.DeviceID][]string{"a": {"pair 1", "site oslo"}, "d": {"site oslo"}} {
		i, _ := got.Find(id)
		var names []string
		for _, n := range got.DomainsOf(i) {
			names = append(names, got.DomainName(n))
			if got.DomainName(n) == "site oslo" {
				require.Equal(t, 3, got.Limit(n))
				require.Equal(t, 4, got.Domains[n].Devices)
			}
		}
		require.Equal(t, want, names)
	}
	require.Len(t, got.Domains, 2)

	to.Budgets = []policy.Budget{{Name: "racks", Per: []string{"rack"}, Count: 1}}
	_, err = simulate.Replan(&recorded, to, nil)
	require.ErrorContains(t, err, `budget "racks" is over failure domains that the recorded plan does not know`)
	to.Budgets = nil
	require.Empty(t, replan(t, recorded, to).Domains)
}

func TestSettingsOfTheComparison(t *testing.T) {
	p := threeRings(1000)
	p.Rings[1].Approval = true
	lines := record(t, planOf(t, 300, p), simulate.Model{Install: minutes(7)}, 0)
	base := func() simulate.CompareConfig {
		return simulate.CompareConfig{Recorded: lines, Plan: *lines.Plan()}
	}
	plain, err := simulate.Compare(base())
	require.NoError(t, err)
	for what, change := range map[string]func(*simulate.CompareConfig){
		"approval": func(c *simulate.CompareConfig) { c.Approval = minutes(30) },
		"agenda": func(c *simulate.CompareConfig) {
			c.Agenda = func() *rollout.Agenda { return &rollout.Agenda{Limit: 2} }
		},
		"clock": func(c *simulate.CompareConfig) { c.Clock.Step = time.Hour },
		"plan":  func(c *simulate.CompareConfig) { c.Plan = replan(t, *lines.Plan(), threeRings(2000)) },
	} {
		cfg := base()
		change(&cfg)
		got, err := simulate.Compare(cfg)
		require.NoError(t, err)
		require.NotEqual(t, plain, got, what)
	}
}

func journals(all ...*rollout.Timeline) iter.Seq2[*rollout.Timeline, error] {
	return func(yield func(*rollout.Timeline, error) bool) {
		for _, t := range all {
			if !yield(t, nil) {
				return
			}
		}
	}
}

// What a model made of a fleet can be learned again from its journals.
func TestAModelIsLearnedFromJournals(t *testing.T) {
	odd := func(d inventory.DeviceID) string {
		return map[bool]string{true: "odd", false: "even"}[d[len(d)-1]%2 == 1]
	}
	p := policy.Policy{Name: "p", Rings: []policy.Ring{{Name: "all", Rest: true, Approval: true, Gate: policy.Gate{MaxFailed: 10000, MinSuccess: 1}}},
		Reboot: policy.Reboot{Mode: policy.RebootIfRequired}, Retry: policy.Retry{Attempts: 3, Grace: days(4), OfflineEvery: policy.Duration(6 * time.Hour)}}
	m := simulate.Model{OS: odd, Install: minutes(5, 10, 60), Verify: minutes(2), Reboot: minutes(4, 6), Restarts: .3, Approval: minutes(45),
		Rates: []simulate.Rate{{OS: "odd", Fault: patch.Busy, Chance: .2}, {OS: "even", Fault: patch.Transient, Chance: .1},
			{OS: "odd", Op: rollout.OpVerify, Fault: patch.Permanent, Chance: .04}},
		Presence: []simulate.Presence{{OS: "even", Share: .1, Gone: true}, {OS: "odd", Share: 1, Away: .25, Stretch: 5 * time.Hour}}}
	got, err := simulate.Learn(odd, journals(record(t, planOf(t, 6000, p), m, 1), record(t, planOf(t, 6000, p), m, 2)))
	require.NoError(t, err)
	require.InDelta(t, .3, got.Restarts, .02)
	require.Equal(t, minutes(45, 45), got.Approval)
	for _, d := range [][2]simulate.Durations{{m.Install, got.Install}, {m.Reboot, got.Reboot}, {m.Verify, got.Verify}} {
		want, have := d[0], d[1]
		for i, v := range want {
			require.InDelta(t, float64(v), float64(have[i*(len(have)-1)/max(len(want)-1, 1)]), float64(2*time.Minute))
		}
	}
	rates := make(map[string]float64)
	for _, r := range got.Rates {
		own := r
		if own.Patch = "x:p1"; r.Patch == "" {
			require.Contains(t, got.Rates, own, "it was the only patch: its own rates are those of all")
		}
		if !r.Lasts { // some devices were unlucky on every try
			rates[r.OS+" "+max(r.Op, rollout.OpInstall).String()+" "+r.Fault.String()] = r.Chance
		} else {
			require.Less(t, r.Chance, .05)
		}
	}
	require.Len(t, rates, 3, rates)
	require.InDelta(t, .2, rates["odd install busy"], .03)
	require.InDelta(t, .1, rates["even install transient"], .02)
	require.InDelta(t, .04, rates["odd verify permanent"], .01)
	require.Len(t, got.Presence, 2)
	require.Equal(t, "even", got.Presence[0].OS)
	require.True(t, got.Presence[0].Gone)
	require.InDelta(t, .1, got.Presence[0].Share, .02)
	require.InDelta(t, .25, got.Presence[1].Away, .03)
	require.Equal(t, "odd", got.Presence[1].OS)

	_, err = simulate.NewForecast(simulate.Config{Plan: planOf(t, 50, p), Model: got, Runs: 2})
	require.NoError(t, err, "what was learned is a model")

	cut := errors.New("the disk is gone")
	_, err = simulate.Learn(nil, func(yield func(*rollout.Timeline, error) bool) { yield(nil, cut) })
	require.ErrorIs(t, err, cut)
}

func ExampleCompare() {
	rings := func(pilot policy.Share) policy.Policy {
		return policy.Policy{Name: "standard", Rings: []policy.Ring{
			{Name: "pilot", Share: pilot, Gate: policy.Gate{MaxFailed: 500, MinSample: 10}}, {Name: "broad", Rest: true},
		}}
	}
	in := rollout.PlanInput{
		Key: rollout.Key{Tenant: "acme", ID: "march"}, By: "olga", At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
		Policy: rings(2500), Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "acme:editor=7"}}}},
	}
	for i := range 1000 {
		in.Targets = append(in.Targets, rollout.Target{Device: inventory.DeviceID(fmt.Sprint("pc-", i)), Ring: rollout.ByShare})
	}
	plan, err := rollout.NewPlan(in)
	if err != nil {
		fmt.Println(err)
		return
	}
	// The record would come from a journal, by rollout.ReadTimeline. Here a run stands for what really happened.
	timeline, err := rollout.NewTimeline(plan)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := simulate.Runs(simulate.Config{Plan: plan, Runs: 1,
		Model: simulate.Model{
			Install: simulate.Durations{4 * time.Minute, 10 * time.Minute, time.Hour},
			Rates:   []simulate.Rate{{Op: rollout.OpVerify, Fault: patch.Permanent, Chance: 0.125}},
		},
		Observe: func(_ int, b rollout.Batch) {
			if err := timeline.Add(b); err != nil {
				fmt.Println(err)
			}
		}}); err != nil {
		fmt.Println(err)
		return
	}

	for _, pilot := range []policy.Share{500, 2500, 5000} {
		other, err := simulate.Replan(&plan, rings(pilot), nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		c, err := simulate.Compare(simulate.CompareConfig{Recorded: timeline, Plan: other})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("a pilot of %s\n%s", pilot, c)
	}
	// Output:
	// a pilot of 5%
	// recorded:  stopped in ring pilot (failed) after 250 devices, 16 of them bad; halted; 250 devices begun, 36 failed
	// otherwise: stopped in ring pilot (failed) after 50 devices, 3 of them bad; halted; 50 devices begun, 6 failed
	// a pilot of 25%
	// recorded:  stopped in ring pilot (failed) after 250 devices, 16 of them bad; halted; 250 devices begun, 36 failed
	// otherwise: stopped in ring pilot (failed) after 250 devices, 16 of them bad; halted; 250 devices begun, 36 failed
	// a pilot of 50%
	// recorded:  stopped in ring pilot (failed) after 250 devices, 16 of them bad; halted; 250 devices begun, 36 failed
	// otherwise: stopped in ring pilot (failed) after 500 devices, 26 of them bad; halted; 500 devices begun, 36 failed; at worst 500 devices begun, 286 failed
	// the record does not tell what 250 devices would have done
}

// A patch that was installed alone often enough has rates of its own, which then count instead of those of all patches.
func TestAPatchMayHaveRatesOfItsOwn(t *testing.T) {
	p := policy.Policy{Name: "p", Rings: []policy.Ring{{Name: "all", Rest: true, Gate: policy.Gate{MaxFailed: 10000, MinSuccess: 1}}}, Retry: policy.Retry{Attempts: 9}}
	plan := func(id patch.ID, n int) rollout.Plan {
		x := planOf(t, n, p)
		x.Contents[0].Patches[0].ID = id
		return x
	}
	calm := simulate.Model{Rates: []simulate.Rate{{Fault: patch.Transient, Chance: .1}}}
	wild := simulate.Model{Rates: []simulate.Rate{{Fault: patch.Transient, Chance: .1}, {Fault: patch.Transient, Chance: .6, Patch: "x:wild"}}}
	got, err := simulate.Learn(nil, journals(record(t, plan("x:calm", 2000), calm, 1), record(t, plan("x:wild", 2000), wild, 2),
		record(t, plan("x:rare", 20), calm, 3)))
	require.NoError(t, err)
	rates := make(map[patch.ID]float64)
	for _, r := range got.Rates {
		if !r.Lasts {
			rates[r.Patch] = r.Chance
		}
	}
	require.InDelta(t, .1, rates["x:calm"], .03)
	require.InDelta(t, .6, rates["x:wild"], .05, "its own, and not .64: the rate of all patches does not come on top")
	require.Greater(t, rates[""], .3)
	require.NotContains(t, rates, patch.ID("x:rare"))
}

func TestReplanKnowsTheStrataThatWereRecorded(t *testing.T) {
	pol := policy.Policy{Name: "p", Strata: []string{"site"}, Rings: []policy.Ring{{Name: "canary", Share: 2000}, {Name: "broad", Rest: true}}}
	in := rollout.PlanInput{Key: rollout.Key{Tenant: "acme", ID: "q1"}, Policy: pol, Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "p1"}}}}, Strata: [][]string{{"oslo"}, {"bern"}}}
	for i := range 20 {
		in.Targets = append(in.Targets, rollout.Target{Device: inventory.DeviceID(fmt.Sprint("d", i)), Ring: rollout.ByShare, Stratum: uint16(i / 10)})
	}
	p, err := rollout.NewPlan(in)
	require.NoError(t, err)
	same, err := simulate.Replan(&p, pol, nil)
	require.NoError(t, err)
	require.Equal(t, p, same)
	to := pol
	to.Rings = []policy.Ring{{Name: "canary", Share: 5000}, {Name: "broad", Rest: true}}
	half, err := simulate.Replan(&p, to, nil)
	require.NoError(t, err)
	sites := make(map[uint16]int)
	for i := range half.Rings[0].Count {
		sites[half.Stratum[i]]++
	}
	require.Equal(t, map[uint16]int{0: 5, 1: 5}, sites)
	to.Strata = []string{"device.os"}
	_, err = simulate.Replan(&p, to, nil)
	require.ErrorContains(t, err, "strata (device.os) that the recorded plan does not know")
	to.Strata = nil
	plain, err := simulate.Replan(&p, to, nil)
	require.NoError(t, err)
	require.Nil(t, plain.Stratum)
}

func TestReplanKnowsTheHostsThatWereRecorded(t *testing.T) {
	pol := policy.Policy{Name: "p", HostLabel: "host", Rings: []policy.Ring{{Name: "canary", Share: 5000}, {Name: "broad", Rest: true}}}
	in := rollout.PlanInput{Key: rollout.Key{Tenant: "acme", ID: "q1"}, Policy: pol, Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "p1"}}}}, Hosts: []inventory.DeviceID{"", "d0", "d1"}}
	for i := range 20 {
		in.Targets = append(in.Targets, rollout.Target{Device: inventory.DeviceID(fmt.Sprint("d", i)), Ring: rollout.ByShare})
		if i > 2 {
			in.Targets[i].Host = uint32(i % 3)
		}
	}
	p, err := rollout.NewPlan(in)
	require.NoError(t, err)
	require.NotZero(t, p.HostsMoved)
	same, err := simulate.Replan(&p, pol, nil)
	require.NoError(t, err)
	require.Equal(t, p, same)
	to := pol
	to.HostLabel = "hypervisor"
	_, err = simulate.Replan(&p, to, nil)
	require.ErrorContains(t, err, "hosts by label hypervisor, which the recorded plan does not know")
	to.HostLabel = ""
	plain, err := simulate.Replan(&p, to, nil)
	require.NoError(t, err)
	require.Nil(t, plain.Host)
	require.Equal(t, 10, plain.Rings[0].Count)
}
