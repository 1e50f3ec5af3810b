package bench

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/simulate"
)

// month returns a plan for n devices in 20 time zones that takes about thirty days: four rings, nightly windows, soaks of days, a limit
// of a fiftieth of the fleet at once, retries, and a retry pause of some hours for devices that cannot be reached.
func month(tb testing.TB, n int) rollout.Plan {
	gate := policy.Gate{MaxFailed: 500, MinSuccess: 8000, Denominator: policy.Reached, Soak: policy.Duration(7 * 24 * time.Hour)}
	in := input(uuids(n),
		policy.Ring{Name: "test", Share: 100, Gate: gate}, policy.Ring{Name: "pilot", Share: 900, Gate: gate},
		policy.Ring{Name: "broad", Share: 4000, Gate: gate}, policy.Ring{Name: "rest", Rest: true, Gate: gate})
	in.Policy.Windows = []policy.Window{{Start: 21 * 60, End: 5 * 60}}
	in.Policy.MaxActive = max(n/50, 20)
	in.Policy.Reboot.Mode = policy.RebootIfRequired
	in.Policy.Retry = policy.Retry{OfflineEvery: policy.Duration(6 * time.Hour), Grace: policy.Duration(72 * time.Hour)}
	in.Zones = zones()
	for i := range in.Targets {
		in.Targets[i].Zone = uint16(i % len(in.Zones))
	}
	p, err := rollout.NewPlan(in)
	require.NoError(tb, err)
	return p
}

func zones() []string {
	return []string{"Europe/Oslo", "Europe/Berlin", "Europe/London", "Europe/Lisbon", "Europe/Athens", "Asia/Tokyo", "Asia/Kolkata", "Asia/Dubai",
		"Asia/Shanghai", "Australia/Sydney", "Pacific/Auckland", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles",
		"America/Sao_Paulo", "America/Mexico_City", "Africa/Cairo", "Africa/Lagos", "Africa/Johannesburg"}
}

// trouble is a fleet in which a bit of everything happens.
func trouble() simulate.Model {
	minutes := func(of ...time.Duration) simulate.Durations {
		for i := range of {
			of[i] *= time.Minute
		}
		return of
	}
	return simulate.Model{
		Install: minutes(3, 8, 15, 40), Reboot: minutes(2, 5, 10), Verify: minutes(1), Rollback: minutes(3, 10), Restarts: 0.4,
		Rates: []simulate.Rate{{Fault: patch.Transient, Chance: 0.05}, {Fault: patch.Busy, Chance: 0.05},
			{Fault: patch.Permanent, Chance: 0.01, Lasts: true}, {Op: rollout.OpVerify, Fault: patch.Transient, Chance: 0.02}},
		Presence: []simulate.Presence{{Share: 0.01, Gone: true}, {Share: 0.99, Away: 0.15, Stretch: 9 * time.Hour}},
	}
}

// carry carries a plan out in virtual time, and returns how it went.
func carry(tb testing.TB, p rollout.Plan) simulate.Run {
	runs, err := simulate.Runs(simulate.Config{Plan: p, Model: trouble(), Runs: 1, Seed: 1})
	require.NoError(tb, err)
	require.Equal(tb, rollout.StageDone, runs[0].Stage, runs[0].Stops)
	return runs[0]
}

// aMonth measures thirty days of a whole rollout, devices, hosts' work and all, and the question why a device waits.
func aMonth(tb testing.TB) *contest {
	small, large := month(tb, 10_000), month(tb, 100_000)
	waiting := waitingForWindow(tb, 100_000)
	const asked = 10_000
	return &contest{name: "30 virtual days of a whole rollout", least: 3,
		sides: []side{
			{name: "10,000 devices", per: 10_000, run: func() { carry(tb, small) }},
			{name: "100,000 devices", per: 100_000, run: func() { carry(tb, large) }},
			{name: "Explain", per: asked, run: func() {
				for i := range asked {
					waiting.Explain(waiting.Plan().Devices[i*10], waiting.Now())
				}
			}},
		},
		goals: []goal{{"100,000 devices", "10,000 devices", 1.2}},
		bounds: []bound{{"10,000 devices", time.Second / 10_000}, {"100,000 devices", 12 * time.Second / 100_000},
			{"Explain", 20 * time.Microsecond}},
	}
}

func BenchmarkMonth(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := month(b, n)
			var run simulate.Run
			for b.Loop() {
				run = carry(b, p)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/device")
			b.ReportMetric(run.Ended.Sub(p.At).Hours()/24, "virtual-days")
		})
	}
}

// A load is something whose cost must grow no faster than the fleet. Run makes it ready for n devices, and returns what is
// measured and for how many things.
type load struct {
	name  string
	ready func(tb testing.TB, n int) (run func(), things int)
}

func loads() []load {
	return []load{
		{"a month", func(tb testing.TB, n int) (func(), int) {
			p := month(tb, n)
			return func() { carry(tb, p) }, n
		}},
		{"a rollback of everything", func(tb testing.TB, n int) (func(), int) {
			p := month(tb, n)
			p.Policy.Windows, p.Policy.Rollback.On = nil, policy.FailRollsBackAll
			p = replanned(tb, p, policy.Ring{Name: "all", Rest: true, Gate: policy.Gate{MaxFailed: 4000, MinSuccess: 1}})
			m := trouble()
			m.Presence = nil
			m.Rates = []simulate.Rate{{Op: rollout.OpVerify, Fault: patch.Permanent, Chance: 0.5, Lasts: true}}
			return func() {
				runs, err := simulate.Runs(simulate.Config{Plan: p, Model: m, Runs: 1, Clock: simulate.Clock{Step: time.Second}})
				require.NoError(tb, err)
				require.Equal(tb, rollout.StageUndone, runs[0].Stage)
			}, n
		}},
		{"a rollout that is cancelled", func(tb testing.TB, n int) (func(), int) {
			p, err := rollout.NewPlan(input(uuids(n), everyone()))
			require.NoError(tb, err)
			return func() {
				m := issued(tb, p)
				_, err := m.Step(rollout.Commanded{At: m.Now(), Command: rollout.Command{Do: rollout.DoCancel, By: "olga"}})
				require.NoError(tb, err)
				for i := range successes(n, 1) {
					r := rollout.TaskReport{Handle: rollout.Handle{Device: int32(i), Seq: 1}, Report: rollout.Report{Phase: rollout.PhaseStopped}}
					if _, err := m.Step(rollout.Reported{At: m.Now(), Reports: []rollout.TaskReport{r}}); err != nil {
						tb.Fatal(err)
					}
				}
				require.Equal(tb, rollout.StageCancelled, m.Stage())
			}, n
		}},
		{"a rollout whose first device is held", func(tb testing.TB, n int) (func(), int) {
			p := month(tb, n)
			p.Policy.Windows = nil
			p = replanned(tb, p, everyone())
			first := p.Devices[0]
			hold := func(_ inventory.Tenant, d inventory.DeviceID, _ *rollout.Content, now time.Time) (policy.Reason, bool) {
				return policy.Reason{}, d == first && now.Before(p.At.AddDate(0, 0, 2))
			}
			cfg := simulate.Config{Plan: p, Runs: 1, Clock: simulate.Clock{Step: time.Second}, Model: simulate.Model{Install: trouble().Install},
				Agenda: func() *rollout.Agenda { return &rollout.Agenda{Hold: hold} }}
			return func() {
				runs, err := simulate.Runs(cfg)
				require.NoError(tb, err)
				require.Equal(tb, rollout.StageDone, runs[0].Stage)
			}, n
		}},
		{"sites whose budgets are full", func(tb testing.TB, n int) (func(), int) {
			return inSites(tb, n, policy.Budget{Name: "sites", Per: []string{"site"}, Count: 2}), n
		}},
		{"sites whose rates are spent", func(tb testing.TB, n int) (func(), int) {
			return inSites(tb, n, policy.Budget{Name: "sites", Per: []string{"site"}, Rate: policy.Rate{Count: 4, Every: policy.Duration(time.Hour)}}), n
		}},
		{"Explain", func(tb testing.TB, n int) (func(), int) {
			m := waitingForWindow(tb, n)
			const asked = 1000
			now := m.Now()
			return func() {
				for i := range asked {
					if x := m.Explain(m.Plan().Devices[i*(n/asked)], now); len(x.Reasons) == 0 {
						tb.Fatal("no reason")
					}
				}
			}, asked
		}},
	}
}

// inSites carries out a rollout to n devices in sites of a hundred, under a budget.
func inSites(tb testing.TB, n int, b policy.Budget) func() {
	in := input(uuids(n), everyone())
	in.Policy.Budgets = []policy.Budget{b}
	domains := rollout.NewDomains(in.Policy.Budgets)
	for i := range in.Targets {
		in.Targets[i].Place = domains.Add(&inventory.Device{ID: in.Targets[i].Device, Tenant: "acme",
			Labels: map[string]string{"site": fmt.Sprint(i % (n / 100))}})
	}
	domains.Fill(&in)
	p, err := rollout.NewPlan(in)
	require.NoError(tb, err)
	cfg := simulate.Config{Plan: p, Runs: 1, Clock: simulate.Clock{Step: time.Second}, Model: simulate.Model{Install: trouble().Install}}
	return func() {
		runs, err := simulate.Runs(cfg)
		require.NoError(tb, err)
		require.Equal(tb, rollout.StageDone, runs[0].Stage)
	}
}

// replanned is p with one ring instead of its own.
func replanned(tb testing.TB, p rollout.Plan, ring policy.Ring) rollout.Plan {
	to := p.Policy
	to.Rings = []policy.Ring{ring}
	p, err := simulate.Replan(&p, to, nil)
	require.NoError(tb, err)
	return p
}

// waitingForWindow returns a machine of a month, at noon of the first day: the test ring waits for its window, the others for it.
func waitingForWindow(tb testing.TB, n int) *rollout.Machine {
	m, err := rollout.NewMachine(month(tb, n))
	require.NoError(tb, err)
	_, err = m.Step(rollout.Begin{At: start()})
	require.NoError(tb, err)
	_, err = m.Step(rollout.Tick{At: start().Add(14 * time.Hour)})
	require.NoError(tb, err)
	return m
}

// growth is by how much a thing may cost more in a fleet that is ten or twenty times as large. Caches that are missed more often
// cost up to two and a half times as much; what looks at all devices for each of them costs ten times as much or more.
const growth = 4

// TestADeviceCostsNoMoreInALargerFleet compares what a thing costs in fleets of several sizes, in processor time and in
// allocations. With PATCHFLOW_LONG=1 the largest has a million devices.
func TestADeviceCostsNoMoreInALargerFleet(t *testing.T) {
	sizes := []int{1000, 20_000}
	switch {
	case raced:
		sizes = []int{1000, 5000}
	case os.Getenv("PATCHFLOW_LONG") == "1":
		sizes = []int{1000, 10_000, 100_000, 1_000_000}
	}
	for _, l := range loads() {
		t.Run(l.name, func(t *testing.T) {
			var costs []cost
			for i, n := range sizes {
				run, things := l.ready(t, n)
				var c cost
				for round := range 12 {
					c.measure(run, things)
					enough := 20_000/n + 1 // small fleets are soon measured, and vary more
					if round+1 >= enough && (i == 0 || c.exceeds(costs[i-1]) == "") {
						break
					}
				}
				costs = append(costs, c)
				t.Logf("%9d devices: %6.0f ns and %5.2f allocations for each", n, c.ns, c.allocs)
				if i > 0 {
					if text := c.exceeds(costs[i-1]); text != "" {
						t.Errorf("from %d to %d devices: %s", sizes[i-1], n, text)
					}
				}
			}
		})
	}
}

// A cost is what one thing took at best.
type cost struct{ ns, allocs float64 }

func (c *cost) measure(run func(), things int) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	took := busyWhile(run)
	runtime.ReadMemStats(&after)
	ns, allocs := float64(took.Nanoseconds())/float64(things), float64(after.Mallocs-before.Mallocs)/float64(things)
	if c.ns == 0 || ns < c.ns {
		c.ns = ns
	}
	c.allocs = allocs
}

// exceeds says in what c is more than it may be, after what it was in a smaller fleet.
func (c *cost) exceeds(smaller cost) string {
	switch {
	case c.ns > growth*smaller.ns:
		return fmt.Sprintf("each takes %.1f times as long", c.ns/smaller.ns)
	case c.allocs > growth*(smaller.allocs+1):
		return fmt.Sprintf("each allocates %.1f times as often", c.allocs/smaller.allocs)
	}
	return ""
}
