package simulate_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/simulate"
)

func monday() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }

func days(n int) policy.Duration { return policy.Duration(time.Duration(n) * 24 * time.Hour) }

// threeRings is a test ring of 2 %, a pilot of a share, and the rest, each watched for a day.
func threeRings(pilot policy.Share) policy.Policy {
	gate := policy.Gate{MaxFailed: 300, MinSuccess: 9000, Soak: days(1), Denominator: policy.Reached}
	return policy.Policy{Name: "three", Rings: []policy.Ring{
		{Name: "test", Share: 200, Gate: gate}, {Name: "pilot", Share: pilot, Gate: gate}, {Name: "broad", Rest: true, Gate: gate},
	}, Reboot: policy.Reboot{Mode: policy.RebootIfRequired}}
}

func planOf(t testing.TB, n int, p policy.Policy) rollout.Plan {
	t.Helper()
	in := rollout.PlanInput{Key: rollout.Key{Tenant: "acme", ID: "q1"}, Policy: p, By: "olga", At: monday(), Zones: []string{"Europe/Oslo"},
		Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "x:p1", Reversal: patch.ReversalReinstall}}}}}
	for i := range n {
		in.Targets = append(in.Targets, rollout.Target{Device: inventory.DeviceID(fmt.Sprintf("dev-%d", i)), Ring: rollout.ByShare})
	}
	plan, err := rollout.NewPlan(in)
	require.NoError(t, err)
	return plan
}

func minutes(of ...int) simulate.Durations {
	var d simulate.Durations
	for _, n := range of {
		d = append(d, time.Duration(n)*time.Minute)
	}
	return d
}

// usual is a model in which a bit of everything goes wrong.
func usual() simulate.Model {
	return simulate.Model{
		Install: minutes(5, 10, 60), Verify: minutes(1), Reboot: minutes(5), Rollback: minutes(3), Restarts: .3,
		Rates: []simulate.Rate{{Fault: patch.Transient, Chance: .05}, {Fault: patch.Busy, Chance: .05}},
		Presence: []simulate.Presence{{Share: .02, Gone: true},
			{Share: .5, Windows: []policy.Window{{Start: 8 * 60, End: 18 * 60}}}, {Share: .48, Away: .2}},
	}
}

// bad is a patch that leaves a part of the devices broken.
func bad(chance float64) simulate.Rate {
	return simulate.Rate{Patch: "x:p1", Op: rollout.OpVerify, Fault: patch.Permanent, Chance: chance, Lasts: true}
}

func forecast(t testing.TB, cfg simulate.Config) simulate.Forecast {
	t.Helper()
	f, err := simulate.NewForecast(cfg)
	require.NoError(t, err)
	return f
}

func TestWithoutTroubleARolloutTakesWhatItsGatesTake(t *testing.T) {
	f := forecast(t, simulate.Config{Plan: planOf(t, 1000, threeRings(1000)), Runs: 3})
	for r, devices := range []int{20, 100, 880} {
		require.Equal(t, devices, f.Rings[r].Devices)
		opened, passed := monday().AddDate(0, 0, r), monday().AddDate(0, 0, r+1)
		require.Equal(t, simulate.Times{Runs: 3, P10: opened, P50: opened, P90: opened, Last: opened}, f.Rings[r].Opened)
		require.Equal(t, simulate.Times{Runs: 3, P10: passed, P50: passed, P90: passed, Last: passed}, f.Rings[r].Passed)
	}
	require.Equal(t, f.Rings[2].Passed, f.Done)
	require.Equal(t, []simulate.OutcomeForecast{{Outcome: rollout.Succeeded, Devices: simulate.Numbers{P10: 1000, P50: 1000, P90: 1000, Max: 1000}}}, f.Outcomes)
	require.Equal(t, 20, f.Hours[0].Begun.P50)
	require.Equal(t, 0, f.Hours[1].Begun.Max)
	require.Equal(t, 880, f.Hours[48].Busy.P50)
	require.Empty(t, f.Stops)
}

func TestTheSeedDecidesEverything(t *testing.T) {
	cfg := simulate.Config{Plan: planOf(t, 500, threeRings(1000)), Model: usual(), Runs: 4, Seed: 7}
	f := forecast(t, cfg)
	require.Equal(t, f, forecast(t, cfg))
	cfg.Seed = 8
	require.NotEqual(t, f, forecast(t, cfg))
}

// So that two forecasts can be held against each other, a rate that says nothing changes nothing.
func TestRatesAreDrawnApart(t *testing.T) {
	cfg := simulate.Config{Plan: planOf(t, 500, threeRings(1000)), Model: usual(), Runs: 3}
	f := forecast(t, cfg)
	cfg.Model.Rates = append([]simulate.Rate{{Patch: "x:another", Fault: patch.Permanent, Chance: 1}, bad(0)}, cfg.Model.Rates...)
	require.Equal(t, f, forecast(t, cfg))
}

// Whatever the model, what a run counts must add up, and a stopped run touches no more than the rings that were open.
func TestWhatRunsCountAddsUp(t *testing.T) {
	p := planOf(t, 600, threeRings(1000))
	for _, chance := range []float64{0, .01, .2, 1} {
		m := usual()
		m.Rates = append(m.Rates, bad(chance))
		runs, err := simulate.Runs(simulate.Config{Plan: p, Model: m, Runs: 5})
		require.NoError(t, err)
		for i, x := range runs {
			sum, reach := 0, 0
			for _, n := range x.Outcomes {
				sum += n
			}
			require.Equal(t, 600, sum, "run %d", i)
			for r := range x.Rings {
				if !x.Rings[r].Opened.IsZero() {
					reach += p.Rings[r].Count
				}
			}
			require.LessOrEqual(t, x.Begun, reach)
			require.LessOrEqual(t, x.Bad, x.Begun)
			begun, busiest := 0, 0
			for _, h := range x.Hours {
				begun, busiest = begun+h.Begun, max(busiest, h.Busy)
			}
			require.GreaterOrEqual(t, begun, x.Begun, "tries count too")
			require.LessOrEqual(t, busiest, x.Begun)
			stop, stopped := x.Stopped()
			require.Equal(t, x.Stage != rollout.StageDone, stopped)
			if chance == 1 {
				require.Equal(t, "test", stop.Ring)
				require.Equal(t, simulate.StopFailed, stop.Code)
				require.LessOrEqual(t, stop.Begun, p.Rings[0].Count, "nothing beyond the first ring is ever touched")
			}
		}
	}
}

func TestABadPatchIsStoppedByTheFirstGateThatSeesIt(t *testing.T) {
	m := usual()
	m.Rates = append(m.Rates, bad(.15))
	f := forecast(t, simulate.Config{Plan: planOf(t, 2000, threeRings(1000)), Model: m, Runs: 10})
	require.Len(t, f.Stops, 1)
	require.Equal(t, "test", f.Stops[0].Ring)
	require.Equal(t, 10, f.Stops[0].At.Runs)
	require.Equal(t, 40, f.Stops[0].Begun.Max)
	require.Zero(t, f.Done.Runs)

	m.Rates[len(m.Rates)-1].Patch = "x:another"
	f = forecast(t, simulate.Config{Plan: planOf(t, 2000, threeRings(1000)), Model: m, Runs: 10})
	require.Empty(t, f.Stops, "the plan does not hold that patch")
}

func TestRatesAreOfOneKindOfDevice(t *testing.T) {
	odd := func(d inventory.DeviceID) string {
		return map[bool]string{true: "odd", false: "even"}[d[len(d)-1]%2 == 1]
	}
	m := simulate.Model{OS: odd, Rates: []simulate.Rate{{OS: "odd", Fault: patch.NotApplicable, Chance: 1}},
		Presence: []simulate.Presence{{OS: "even", Share: 1, Windows: []policy.Window{{Start: 12 * 60, End: 13 * 60}}}}}
	f := forecast(t, simulate.Config{Plan: planOf(t, 100, policy.Policy{Rings: []policy.Ring{{Name: "all", Rest: true}}}), Model: m, Runs: 1})
	require.Equal(t, []simulate.OutcomeForecast{
		{Outcome: rollout.Succeeded, Devices: simulate.Numbers{P10: 50, P50: 50, P90: 50, Max: 50}},
		{Outcome: rollout.NotApplicable, Devices: simulate.Numbers{P10: 50, P50: 50, P90: 50, Max: 50}}}, f.Outcomes)
	require.Equal(t, 100, f.Hours[0].Begun.P50, "all are tried")
	require.Equal(t, time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC), f.Done.P50, "noon in Oslo, when the even ones are switched on")
}

func TestLeaveTakesItsTimeAndItsPeople(t *testing.T) {
	p := policy.Policy{Rings: []policy.Ring{{Name: "all", Rest: true, Need: policy.Need{Quorum: 2, Approvers: []string{"group:cab", "ann"}}}}}
	f := forecast(t, simulate.Config{Plan: planOf(t, 10, p), Model: simulate.Model{Approval: minutes(90)}, Runs: 2})
	require.Equal(t, monday().Add(90*time.Minute), f.Rings[0].Opened.P50)

	p.Rings[0].Need = policy.Need{Quorum: 3, Approvers: []string{"ann", "ben"}}
	f = forecast(t, simulate.Config{Plan: planOf(t, 10, p), Model: simulate.Model{Approval: minutes(90)}, Runs: 2})
	require.Zero(t, f.Rings[0].Opened.Runs)
	require.Equal(t, simulate.StopApproval, f.Stops[0].Code)
}

// Every setting makes a difference.
func TestSettingsOfTheForecast(t *testing.T) {
	base := func() simulate.Config {
		return simulate.Config{Plan: planOf(t, 400, threeRings(1000)), Model: usual(), Runs: 3}
	}
	plain := forecast(t, base())
	for what, change := range map[string]func(*simulate.Config){
		"runs":             func(c *simulate.Config) { c.Runs = 5 },
		"seed":             func(c *simulate.Config) { c.Seed = 1 },
		"clock.step":       func(c *simulate.Config) { c.Clock.Step = time.Hour },
		"clock.for":        func(c *simulate.Config) { c.Clock.For = 30 * time.Hour },
		"agenda":           func(c *simulate.Config) { c.Agenda = func() *rollout.Agenda { return &rollout.Agenda{Limit: 3} } },
		"model.install":    func(c *simulate.Config) { c.Model.Install = minutes(200) },
		"model.reboot":     func(c *simulate.Config) { c.Model.Reboot = minutes(25) },
		"model.verify":     func(c *simulate.Config) { c.Model.Verify = minutes(100) },
		"model.restarts":   func(c *simulate.Config) { c.Model.Restarts = 1 },
		"rate.fault":       func(c *simulate.Config) { c.Model.Rates[0].Fault = patch.Permanent },
		"rate.chance":      func(c *simulate.Config) { c.Model.Rates[0].Chance = .5 },
		"rate.op":          func(c *simulate.Config) { c.Model.Rates[0].Op = rollout.OpReboot },
		"rate.lasts":       func(c *simulate.Config) { c.Model.Rates[0].Lasts = true },
		"rate.os":          func(c *simulate.Config) { c.Model.Rates[0].OS = "beos" },
		"presence.share":   func(c *simulate.Config) { c.Model.Presence[0].Share = .1 },
		"presence.gone":    func(c *simulate.Config) { c.Model.Presence[0].Gone = false },
		"presence.windows": func(c *simulate.Config) { c.Model.Presence[1].Windows = nil },
		"presence.away":    func(c *simulate.Config) { c.Model.Presence[2].Away = .9 },
		"presence.stretch": func(c *simulate.Config) { c.Model.Presence[2].Stretch = 30 * time.Hour },
		"presence.os":      func(c *simulate.Config) { c.Model.Presence[0].OS = "beos" },
	} {
		cfg := base()
		change(&cfg)
		require.NotEqual(t, plain, forecast(t, cfg), what)
	}
	limited := base()
	limited.Agenda = func() *rollout.Agenda { return &rollout.Agenda{Limit: 3} }
	for _, h := range forecast(t, limited).Hours {
		require.LessOrEqual(t, h.Busy.Max, 3, h.From)
	}
	back := base()
	back.Plan.Policy.Rollback.On = policy.FailRollsBackAll
	back.Model.Rates = append(back.Model.Rates, bad(.5))
	quick := forecast(t, back)
	back.Model.Rollback = minutes(300)
	require.NotEqual(t, quick, forecast(t, back))
	require.NotZero(t, quick.Bad.P50)
}

func TestModelsThatMakeNoSenseAreRefused(t *testing.T) {
	p := planOf(t, 3, threeRings(1000))
	for want, m := range map[string]simulate.Model{
		"rate 1: the chance is 1.5; want 0 to 1":         {Rates: []simulate.Rate{{Fault: patch.Busy, Chance: 1.5}}},
		"rate 1: install fails without a fault":          {Rates: []simulate.Rate{{Chance: .5}}},
		"presence 1: the share is -1":                    {Presence: []simulate.Presence{{Share: -1}}},
		"presence 1: away is NaN":                        {Presence: []simulate.Presence{{Away: math.NaN()}}},
		"presence 1: a stretch of -1s":                   {Presence: []simulate.Presence{{Stretch: -time.Second}}},
		"restarts is 2":                                  {Restarts: 2},
		"verify: -1m0s is negative":                      {Verify: minutes(-1)},
		"install: 1m0s stands after 2m0s":                {Install: minutes(2, 1)},
		`presence 1: policy: windows[0]: "Atlantis/Sub"`: {Presence: []simulate.Presence{{Windows: []policy.Window{{Zone: "Atlantis/Sub"}}}}},
	} {
		_, err := simulate.NewForecast(simulate.Config{Plan: p, Model: m})
		require.ErrorContains(t, err, want)
	}
	_, err := simulate.NewForecast(simulate.Config{Plan: p, Runs: -1})
	require.ErrorContains(t, err, "-1 runs")
	_, err = simulate.NewForecast(simulate.Config{})
	require.ErrorIs(t, err, rollout.ErrNothing)
}

func ExampleNewForecast() {
	in := rollout.PlanInput{
		Key: rollout.Key{Tenant: "acme", ID: "march"}, By: "olga", At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
		Policy: policy.Policy{Name: "standard", Rings: []policy.Ring{
			{Name: "test", Share: 200, Gate: policy.Gate{MaxFailed: 500, MinSuccess: 9000, Soak: policy.Duration(24 * time.Hour)}},
			{Name: "broad", Rest: true, Gate: policy.Gate{MaxFailed: 500, MinSuccess: 9000}},
		}},
		Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "acme:editor=7"}}}},
	}
	for i := range 1000 {
		in.Targets = append(in.Targets, rollout.Target{Device: inventory.DeviceID(fmt.Sprint("pc-", i)), Ring: rollout.ByShare})
	}
	plan, err := rollout.NewPlan(in)
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg := simulate.Config{Plan: plan, Model: simulate.Model{
		Install: simulate.Durations{4 * time.Minute, 10 * time.Minute, time.Hour}, // half of them take less than ten minutes
		Rates:   []simulate.Rate{{Fault: patch.Transient, Chance: 0.05}},
	}}
	f, err := simulate.NewForecast(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(f)

	// What if the patch breaks one device of eight?
	cfg.Model.Rates = append(cfg.Model.Rates, simulate.Rate{Patch: "acme:editor=7", Op: rollout.OpVerify, Fault: patch.Permanent, Chance: 0.125, Lasts: true})
	if f, err = simulate.NewForecast(cfg); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(f)
	// Output:
	// ring test, 20 devices: through in 20 of 20 runs, Tue 3 Mar 09:50, nine times of ten by Tue 3 Mar 09:56
	// ring broad, 980 devices: through in 20 of 20 runs, Tue 3 Mar 10:43, nine times of ten by Tue 3 Mar 10:50
	// busiest hour Tue 3 Mar 09:00: 980 devices at once, nine times of ten at most 980
	// ring test, 20 devices: through in 3 of 20 runs, Tue 3 Mar 09:37, nine times of ten by Tue 3 Mar 09:54
	// ring broad, 980 devices: never through in 20 runs
	// stopped in ring test (failed) in 17 of 20 runs, after 20 devices, nine times of ten after at most 20; 2 had failed
	// stopped in ring broad (failed) in 3 of 20 runs, after 1000 devices, nine times of ten after at most 1000; 54 had failed
	// busiest hour Tue 3 Mar 09:00: 0 devices at once, nine times of ten at most 980
}

// A budget of two devices of a site at once makes a rollout take longer, as it would for real.
func TestABudgetTakesItsTime(t *testing.T) {
	plan := func(budgets ...policy.Budget) rollout.Plan {
		p := policy.Policy{Name: "one", Rings: []policy.Ring{{Name: "all", Rest: true}}, Budgets: budgets}
		in := rollout.PlanInput{Key: rollout.Key{Tenant: "acme", ID: "q1"}, Policy: p, By: "olga", At: monday(),
			Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "x:p1"}}}}}
		domains := rollout.NewDomains(p.Budgets)
		for i := range 40 {
			d := inventory.Device{Tenant: "acme", ID: inventory.DeviceID(fmt.Sprint("dev-", i)), Labels: map[string]string{"site": fmt.Sprint(i % 2)}}
			in.Targets = append(in.Targets, rollout.Target{Device: d.ID, Ring: rollout.ByShare, Place: domains.Add(&d)})
		}
		domains.Fill(&in)
		made, err := rollout.NewPlan(in)
		require.NoError(t, err)
		return made
	}
	took := func(p rollout.Plan) time.Duration {
		f := forecast(t, simulate.Config{Plan: p, Runs: 1, Model: simulate.Model{Install: minutes(10), Verify: minutes(1)}})
		require.Equal(t, 1, f.Done.Runs)
		return f.Done.Last.Sub(monday())
	}
	require.Equal(t, 11*time.Minute, took(plan()))
	require.Equal(t, 110*time.Minute, took(plan(policy.Budget{Name: "sites", Per: []string{"site"}, Count: 2})), "20 devices of each site, two at once")
}
