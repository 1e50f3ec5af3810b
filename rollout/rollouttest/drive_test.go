package rollouttest_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/policy/calendar"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/rollouttest"
)

// dice draws numbers that depend only on the seed (splitmix64).
type dice uint64

func (d *dice) upTo(n int) int {
	*d += 0x9e3779b97f4a7c15
	x := uint64(*d)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return int((x ^ x>>31) % uint64(n))
}

func (d *dice) chance(percent int) bool { return d.upTo(100) < percent }

func pick[T any](d *dice, of ...T) T { return of[d.upTo(len(of))] }

func hours(n int) policy.Duration { return policy.Duration(time.Duration(n) * time.Hour) }

func randomGate(d *dice) policy.Gate {
	g := policy.Gate{
		Denominator: pick(d, policy.Assigned, policy.Reached, policy.Settled),
		MaxFailed:   pick[policy.Share](d, 0, 1000, 2500, 5000),
		MinSample:   d.upTo(3),
		Soak:        pick(d, 0, 0, hours(2), hours(24)),
		Manual:      d.chance(5),
		OnTimeout:   pick(d, policy.TimeoutHolds, policy.TimeoutFails),
	}
	if d.chance(30) {
		g.MinSuccess = pick[policy.Share](d, 5000, 8000)
	}
	if d.chance(25) {
		g.Evidence = policy.Evidence{Tolerate: pick[policy.Share](d, 100, 1000), Confidence: pick[policy.Share](d, 0, 8000),
			Within: pick(d, 0, hours(3), hours(30)), Pooled: d.chance(50)}
		if d.chance(40) {
			g.Evidence.Below = pick[policy.Share](d, 3000, 6000)
		}
	}
	if d.chance(20) {
		g.MinCoverage = 5000
	}
	if d.chance(30) {
		g.Timeout = hours(4 + d.upTo(200))
	}
	return g
}

func randomWindow(d *dice) policy.Window {
	w := policy.Window{Start: policy.Clock(60 * d.upTo(24)), End: policy.Clock(60 * d.upTo(24))}
	if d.chance(30) {
		w.Days = policy.DaysOf(time.Weekday(d.upTo(7)), time.Weekday(d.upTo(7)))
	}
	if d.chance(20) {
		w.Zone = "Asia/Tokyo"
	}
	return w
}

func randomPlan(t testing.TB, d *dice, id rollout.ID, devices int) rollout.Plan {
	t.Helper()
	pol := policy.Policy{Name: "random", MaxActive: pick(d, 0, 0, 1, 5)}
	rings := 1 + d.upTo(4)
	for r := range rings {
		ring := policy.Ring{Name: fmt.Sprintf("r%d", r), Share: policy.Share(500 + d.upTo(2000)), Approval: d.chance(20),
			MaxActive: pick(d, 0, 0, 1, 2), Gate: randomGate(d)}
		if r == rings-1 {
			ring.Share, ring.Rest = 0, true
		}
		if ring.MaxActive == 0 {
			ring.Ramp = pick(d, 0, 0, 1, 3)
		}
		if d.chance(20) {
			ring.Windows = []policy.Window{randomWindow(d)}
		}
		if ring.Approval && d.chance(50) {
			ring.Need = policy.Need{Emergency: true, Bypass: policy.Bypass{Windows: true, Freezes: d.chance(50)}}
		}
		pol.Rings = append(pol.Rings, ring)
	}
	if d.chance(40) {
		pol.Windows = []policy.Window{randomWindow(d), randomWindow(d)}
	}
	pol.Retry = policy.Retry{Attempts: 1 + d.upTo(4), Backoff: policy.Duration(5+d.upTo(60)) * policy.Duration(time.Minute), BusyLimit: 1 + d.upTo(4),
		OfflineEvery: hours(1 + d.upTo(12)), Grace: hours(2 + d.upTo(48)), Timeout: hours(2)}
	pol.Reboot.Mode = pick(d, policy.RebootNever, policy.RebootIfRequired, policy.RebootAlways)
	pol.Reboot.Timeout = hours(1)
	if d.chance(30) {
		pol.Reboot.Windows = []policy.Window{randomWindow(d)}
	}
	if d.chance(30) {
		pol.Download.Windows = []policy.Window{randomWindow(d), randomWindow(d)}
	}
	if h := dice(uint64(*d) + 0x4ea17b); h.chance(20) {
		pol.Health.Metrics = []policy.Metric{{Name: "boot", By: pick[policy.Share](&h, 0, 500, 2000), Least: h.upTo(4), Samples: h.upTo(3), Required: h.chance(60)},
			{Name: "free", Worse: policy.WorseDown, By: 2000, Required: h.chance(20)}}
	}
	if h := dice(uint64(*d) + 0xfeedbac); h.chance(20) {
		pol.Health.Feedback = policy.Feedback{Count: pick(&h, 0, 3), Broke: pick[policy.Share](&h, 1000, 3000), Answers: h.upTo(4), Of: pick(&h, policy.OfAnswers, policy.OfDevices)}
	}
	if h := dice(uint64(*d) + 0xdefe7); h.chance(20) {
		pol.Reboot.Deferrals = policy.Deferrals{Max: 1 + h.upTo(3), Notice: pick(&h, 0, hours(2)), Each: pick(&h, 0, hours(1), hours(9)), Deadline: pick(&h, 0, hours(10))}
	}
	if h := dice(uint64(*d) + 0xbef0e); h.chance(25) && pol.Reboot.Mode != policy.RebootNever {
		pol.Reboot.Before = policy.BeforeIfPending
	}
	if h := dice(uint64(*d) + 0x901e7); h.chance(20) && pol.Reboot.Mode != policy.RebootNever {
		pol.Reboot.Quiet = []policy.Window{randomWindow(&h)}
	}
	if h := dice(uint64(*d) + 0x0ff1d); h.chance(30) {
		pol.Retry.OfflineDeadline = pol.Retry.Grace + hours(h.upTo(100))
	}
	if h := dice(uint64(*d) + 0x4e3edd); h.chance(40) {
		pol.Retry.Remedies = []policy.Remedy{{Fault: patch.Corrupt, Max: h.upTo(3)}}
		if h.chance(60) {
			pol.Retry.Remedies = append(pol.Retry.Remedies, policy.Remedy{Fault: patch.DiskFull, Max: h.upTo(4)})
		}
	}
	for r := range rings - 1 {
		if h := dice(uint64(*d) + 0xc02420 + uint64(r)); len(pol.Health.Metrics) > 0 && h.chance(50) {
			x := policy.Control{Devices: 1 + h.upTo(8), Within: pick(&h, hours(1), hours(3), 0), Confidence: pick[policy.Share](&h, 0, 6000)}
			if h.chance(30) {
				x.Least = 1 + h.upTo(x.Devices)
			}
			pol.Rings[r].Gate.Control = x
		}
	}
	pol.Rollback = policy.Rollback{On: pick(d, policy.FailHolds, policy.FailRollsBackRing, policy.FailRollsBackAll), Irreversible: true}
	in := rollout.PlanInput{Key: rollout.Key{Tenant: "acme", ID: id}, Policy: pol, By: "olga", At: time.Date(2024, 3, 28, 9, 0, 0, 0, time.UTC),
		Zones: []string{"Europe/Oslo", "America/Denver", "Pacific/Auckland"}}
	for c := range 1 + d.upTo(2) {
		p := rollout.Pinned{ID: patch.ID(fmt.Sprintf("%s:p%d", id, c)), Reversal: pick(d, patch.ReversalReinstall, patch.ReversalReinstall, patch.ReversalNone),
			Exploited: pick(d, patch.No, patch.No, patch.Yes), Reboot: pick(d, patch.RebootUnknown, patch.RebootAlways)}
		if newer := dice(uint64(*d) + 0x5e7e); id == "q2" && newer.chance(40) {
			p.Supersedes = []patch.ID{"q1:p0", "q1:p1"}
		}
		in.Contents = append(in.Contents, rollout.Content{Patches: []rollout.Pinned{p}})
	}
	if d.chance(30) {
		from := calendar.WallOf(in.At, time.UTC) + calendar.Wall(3600*d.upTo(100))
		in.Policy.Freezes = []policy.Freeze{{Name: "freeze", From: from, Until: from + calendar.Wall(3600*(1+d.upTo(100)))}}
		if d.chance(50) {
			in.Contents[0].Passes = []string{"freeze"}
		}
	}
	limits := dice(uint64(*d) + 0x6c696d697473) // so that what is drawn from d stays what it was
	if limits.chance(20) {
		in.Policy.Rate = policy.Rate{Count: 1 + limits.upTo(4), Every: policy.Duration(10+limits.upTo(300)) * policy.Duration(time.Minute)}
	}
	if limits.chance(20) {
		in.Policy.Budgets = []policy.Budget{{Name: "sites", Per: []string{"site"}, Count: pick(&limits, 0, 1, 3),
			Rate: policy.Rate{Count: 1 + limits.upTo(3), Every: pick(&limits, hours(1), hours(5))}}, {Name: "all", Count: pick(&limits, 2, 7)}}
	}
	if trips := dice(uint64(*d) + 0xb4ea4e4); trips.chance(30) {
		breaker := func() policy.Breaker {
			n := 1 + trips.upTo(4)
			return policy.Breaker{Failures: n, Of: pick(&trips, 0, n+trips.upTo(5)), Within: pick(&trips, 0, hours(2), hours(30)), Pause: pick(&trips, 0, hours(5), hours(26))}
		}
		if len(in.Policy.Budgets) == 0 || trips.chance(50) {
			in.Policy.Budgets = append(in.Policy.Budgets, policy.Budget{Name: "mirrors", Per: []string{"site"}, Breaker: breaker()})
		} else {
			in.Policy.Budgets[0].Breaker = breaker()
		}
		if trips.chance(60) {
			in.Policy.Breaker = breaker()
		}
	}
	if h := dice(uint64(*d) + 0xd4a1); h.chance(30) {
		if len(in.Policy.Budgets) == 0 || h.chance(30) {
			in.Policy.Budgets = append(in.Policy.Budgets, policy.Budget{Name: "nodes", Per: []string{"site"}, Count: pick(&h, 0, 1, 4), Drain: true})
		} else {
			in.Policy.Budgets[0].Drain = true
		}
		in.Policy.Drain.Timeout = pick(&h, 0, hours(2))
	}
	domains := rollout.NewDomains(in.Policy.Budgets)
	in.Policy.Missed = pick(d, policy.MissedWaits, policy.MissedRuns, policy.MissedSkips)
	if d.chance(20) {
		in.Policy.Fit.Work = policy.Duration(1+d.upTo(50)) * policy.Duration(time.Minute)
	}
	own := dice(*d + 40)
	if own.chance(20) && rings > 1 {
		in.Policy.Rings[0].Shows = pick[policy.Share](&own, 1000, 5000)
	}
	if own.chance(20) {
		in.Policy.Strata = []string{"site"}
		in.Strata = [][]string{{"oslo"}, {"bern"}, {""}}
	}
	if own.chance(25) {
		in.Policy.Joiners = policy.JoinersAdmitted
	}
	backup := dice(*d + 72)
	if backup.chance(20) {
		in.Policy.Backup = policy.Backup{Need: pick(&backup, policy.BackupBestEffort, policy.BackupRequired, policy.BackupRequired),
			MaxAge: pick(&backup, 0, hours(1), hours(24))}
		if backup.chance(50) {
			in.Contents[0].Patches[0].Reversal = patch.ReversalSnapshot
		}
	}
	if who := dice(uint64(*d) + 0xe5ca1a); who.chance(40) {
		in.Policy.Escalation = []policy.EscalationLevel{{Name: "helpdesk", Attempts: 1 + who.upTo(3)},
			{Name: "boss", Failed: pick[policy.Share](&who, 1, 2000), Waiting: pick(&who, 0, hours(9))}}
	}
	if slow := dice(uint64(*d) + 0x510e); slow.chance(50) {
		in.Policy.Rollback.Wait = pick(&slow, hours(1), hours(6))
		in.Policy.Rollback.MaxFailed = pick[policy.Share](&slow, 0, 0, 2000)
		in.Policy.Rollback.MaxFailures = pick(&slow, 0, 0, 1)
		in.Policy.Rollback.InWindows = slow.chance(40)
	}
	if spread := dice(uint64(*d) + 0x5b3ead); spread.chance(25) {
		in.Policy.StartJitter = pick(&spread, hours(1), hours(7), hours(60))
	}
	probes := dice(*d + 80)
	if probes.chance(20) {
		in.Policy.Health.Probes = policy.Probes{List: []policy.Probe{{Name: "till", Of: "tilld"}, {Name: "web", Of: "nginx"}},
			Before: pick(&probes, policy.ProbeForgives, policy.ProbeLeavesOut), Failed: pick(&probes, policy.ProbeFails, policy.ProbeUnwell),
			Within: pick(&probes, 0, hours(1)), Every: pick(&probes, 0, policy.Duration(5*time.Minute))}
	}
	for i := range devices {
		target := rollout.Target{Device: inventory.DeviceID(fmt.Sprintf("d%d", i)), Ring: rollout.ByShare,
			Content: uint32(d.upTo(len(in.Contents))), Zone: uint16(d.upTo(3))}
		target.Place = domains.Add(&inventory.Device{Tenant: "acme", ID: target.Device, Labels: map[string]string{"site": fmt.Sprint("s", i%3)}})
		if d.chance(10) {
			target.Ring = int16(d.upTo(rings))
		}
		if in.Strata != nil {
			target.Stratum = uint16(own.upTo(3))
		}
		in.Targets = append(in.Targets, target)
	}
	domains.Fill(&in)
	randomHosts(dice(uint64(*d)+0x4057), &in)
	p, err := rollout.NewPlan(in)
	require.NoError(t, err)
	return p
}

// randomHosts lets devices run on each other, and on some that may join later.
func randomHosts(d dice, in *rollout.PlanInput) {
	if !d.chance(30) {
		return
	}
	in.Policy.HostLabel, in.Policy.Guests = "host", pick(&d, policy.GuestsAwaited, policy.GuestsAwaitedInGrace)
	in.Hosts = []inventory.DeviceID{"", "d0", "d1", "d2", "d5", "j1", "j2", "nobody"}
	for i := range in.Targets {
		n := d.upTo(len(in.Hosts))
		var host int
		if _, err := fmt.Sscanf(string(in.Hosts[n]), "d%d", &host); err == nil {
			if host >= i { // so that there is no circle
				continue
			}
			in.Targets[host].Ring = rollout.ByShare
		}
		in.Targets[i].Host = uint32(n)
	}
}

func randomFleet(d *dice, seed uint64, start time.Time, offline bool) rollouttest.FleetConfig {
	cfg := rollouttest.FleetConfig{
		Seed: seed, Broken: pick[policy.Share](d, 0, 0, 500, 3000), Had: pick[policy.Share](d, 0, 1000, 9000), Useless: pick[policy.Share](d, 0, 500),
		Transient: pick[policy.Share](d, 0, 1000, 4000), Busy: pick[policy.Share](d, 0, 1000), Lie: pick[policy.Share](d, 0, 1000),
		Restart: 5000, Lost: pick[policy.Share](d, 0, 0, 2000), MinLatency: time.Minute,
		MaxLatency: time.Duration(2+d.upTo(50)) * time.Minute, Calm: start.AddDate(0, 0, 30),
	}
	if slow := dice(seed + 0x510e); slow.chance(30) {
		cfg.Slow = pick[policy.Share](&slow, 300, 2000)
	}
	if back := dice(seed + 0xbac4); back.chance(40) {
		cfg.Lingers = pick[policy.Share](&back, 1000, 6000)
	}
	if h := dice(seed + 0x4e3edd); h.chance(40) {
		cfg.Damaged = pick[policy.Share](&h, 2000, 6000)
	}
	if h := dice(seed + 0xd4a1); h.chance(60) {
		cfg.Clings, cfg.Refused = pick[policy.Share](&h, 0, 1000, 4000), pick[policy.Share](&h, 0, 1000, 4000)
	}
	if h := dice(seed + 0xbef0e); h.chance(70) {
		cfg.Pending = pick[policy.Share](&h, 1000, 6000)
	}
	if offline {
		cfg.Offline = pick[policy.Share](d, 0, 2000, 7000)
		cfg.OfflineFor = time.Duration(1+d.upTo(40)) * time.Hour
	}
	return cfg
}

// person is somebody who now and then gives a random command, and who sees to it that a rollout that rests goes on.
func person(seed uint64, m *rollout.Machine, n int, resting bool) (rollout.Command, bool) {
	d := dice(seed*1000003 + uint64(n))
	if !resting && !d.chance(4) {
		return rollout.Command{}, false
	}
	p := m.Plan()
	c := rollout.Command{By: "inge", Reason: "random", Force: d.chance(30), Ring: p.Rings[d.upTo(len(p.Rings))].Name,
		Device: p.Devices[d.upTo(len(p.Devices))], Patch: p.Contents[0].Patches[0].ID}
	c.Do = rollout.Do(1 + d.upTo(int(rollout.DoRelease)))
	if more := dice(seed*7000003 + uint64(n)); more.chance(2) {
		c.Do = pick(&more, rollout.DoWithdraw, rollout.DoStop)
	}
	if again := dice(seed*9000011 + uint64(n)); again.chance(15) {
		c.Do = rollout.DoRetry
		for i := range p.Devices {
			if m.Device(i).Outcome == rollout.Failed && len(c.Devices) < 3 && again.chance(70) {
				c.Devices = append(c.Devices, p.Devices[i])
			}
		}
	}
	c.Now = c.Force
	switch {
	case c.Do == rollout.DoCancel && d.chance(90):
		c.Do = rollout.DoPromote
	case m.Stage() == rollout.StagePaused || m.Stage() == rollout.StageHalted && d.chance(50):
		c.Do = rollout.DoResume
	}
	return c, true
}

// joiner is a device that turns up now and then. Of some the rollout knows already, or cannot take them.
func joiner(seed uint64, n int, m *rollout.Machine) (rollout.Joiner, bool) {
	d, p := dice(seed*1000033+uint64(n)), m.Plan()
	if p.Policy.Joiners != policy.JoinersAdmitted && !d.chance(10) || !d.chance(8) {
		return rollout.Joiner{}, false
	}
	name := d.upTo(12)
	j := rollout.Joiner{Device: inventory.DeviceID(fmt.Sprintf("j%d", name)), Tenant: []inventory.Tenant{"acme", "acme", "acme/oslo", "globex"}[name%4],
		Zone: pick(&d, "Europe/Oslo", "America/Denver", "Asia/Kolkata"), Content: p.Contents[d.upTo(len(p.Contents))], Claim: rollout.ByShare}
	if d.chance(10) {
		j.Claim = int16(d.upTo(len(p.Policy.Rings)))
	}
	if len(p.Policy.Strata) > 0 {
		j.Stratum = []string{pick(&d, "oslo", "bern", "", "rome")}
	}
	if d.chance(10) {
		j.Content = rollout.Content{Patches: []rollout.Pinned{{ID: "other"}}}
	}
	if on := dice(seed*1000133 + uint64(n)); p.Policy.HostLabel != "" {
		j.Host = pick[inventory.DeviceID](&on, "", "", "d0", "d3", "j1", "j4")
	}
	return j, true
}

// leaver is a device that leaves or changes now and then, in one of the four ways.
func leaver(seed uint64, n int, m *rollout.Machine) (rollout.Departure, bool) {
	d, p := dice(seed*1000081+uint64(n)), m.Plan()
	if !d.chance(3) {
		return rollout.Departure{}, false
	}
	x := rollout.Departure{Device: p.Devices[d.upTo(len(p.Devices))], How: rollout.Leaving(1 + d.upTo(int(rollout.Reimaged))), By: "inventory"}
	if x.How == rollout.Relabelled {
		x.Ring = pick(&d, "", p.Rings[0].Name)
	}
	return x, true
}

func TestRandomRolloutsEndAndKeepTheRules(t *testing.T) {
	t.Parallel()
	var steps, tasks, joined int
	began := time.Now()
	stages := make(map[rollout.Stage]int)
	outcomes := make(map[rollout.Outcome]int)
	worse, shared, unasked := 0, 0, 0
	var points points
	for seed := range sweep(t, 600, 685, 838, 907, 1193, 1320, 1663, 1810, 2050, 3133, 3185, 3447) {
		d := dice(seed)
		n := 1 + d.upTo(25)
		plans := []rollout.Plan{randomPlan(t, &d, "q1", n)}
		if d.chance(30) {
			plans = append(plans, randomPlan(t, &d, "q2", 1+d.upTo(25)))
		}
		fleet := rollouttest.NewFleet(randomFleet(&d, seed, plans[0].At, true))
		cfg := rollouttest.DriveConfig{Seed: seed, Twice: d.chance(30), Single: d.chance(30), Seen: d.chance(70), Limit: pick(&d, 0, 0, 3)}
		switch d.upTo(4) {
		case 0:
			cfg.CrashEvery = 1 + d.upTo(5)
		case 1:
			cfg.LoseEvery = 3 + d.upTo(20)
		case 2:
			cfg.Shadow = n < 10 && d.chance(30)
		}
		if d.chance(20) {
			cfg.Late = time.Duration(13+d.upTo(48)) * time.Hour
		}
		if d.chance(10) {
			cfg.Tick = 17 * time.Minute
		}
		if d.chance(60) {
			cfg.Person = func(n int, resting bool, m *rollout.Machine) (rollout.Command, bool) {
				return person(seed, m, n, resting)
			}
		}
		if l := dice(seed + 0x1ea7e); l.chance(40) {
			cfg.Leaver = func(n int, m *rollout.Machine) (rollout.Departure, bool) { return leaver(seed, n, m) }
		}
		if j := dice(seed + 0xc10c4); j.chance(25) {
			cfg.JumpEvery = 5 + j.upTo(60)
		}
		cfg.Joiner = func(n int, m *rollout.Machine) (rollout.Joiner, bool) { return joiner(seed, n, m) }
		results, err := rollouttest.Drive(fleet, cfg, plans...)
		require.NoError(t, err, "%+v", cfg)
		points.add(results)
		for i, r := range results {
			if r.Unasked != "" {
				unasked++
			}
			joined += len(r.Outcomes) - len(plans[i].Devices)
			steps, tasks, shared = steps+r.Steps, tasks+r.Tasks, shared+r.Shared
			stages[r.Stage]++
			for _, o := range r.Outcomes {
				outcomes[o]++
			}
			for _, ring := range r.Machine.Status().Rings {
				worse += ring.Counts.Unwell
			}
		}
	}
	took := time.Since(began)
	t.Logf("%s; %d rollouts rested and nobody was asked", points, unasked)
	t.Logf("%d joined, %d restarts shared, %d steps and %d tasks in %s: %.0f tasks/s; %v; %v", joined, shared, steps, tasks, took.Round(time.Millisecond), float64(tasks)/took.Seconds(), stages, outcomes)
	if _, one := alone(); one {
		return
	}
	require.NotZero(t, worse, "no device was ever worse than before: the simulation misses something")
	require.NotZero(t, joined, "no device ever joined")
	require.NotZero(t, points.torn, "no entry was ever torn")
	require.NotZero(t, points.again, "no host ever died in its recovery")
	require.NotZero(t, points.behind, "no clock was ever set back")
	for _, o := range rollout.Outcomes()[1:] {
		require.NotZero(t, outcomes[o], "no device was ever %s: the simulation misses something", o)
	}
}

// What must not matter does not matter: hosts that crash, reports that come twice, ticks that nobody needs.
func TestVariationsEndAlike(t *testing.T) {
	t.Parallel()
	var points points
	for seed := range sweep(t, 120, 425, 507) {
		varied(t, seed, &points)
	}
	t.Logf("%s", points)
}

func varied(t *testing.T, seed uint64, points *points) {
	d := dice(seed + 1e6)
	plan := randomPlan(t, &d, "q1", 1+d.upTo(20))
	fleet := randomFleet(&d, seed, plan.At, false)
	fleet.Slow = 0 // a crash loses late reports, and with them what they tell of the ends of tasks
	run := func(cfg rollouttest.DriveConfig) rollouttest.Result {
		cfg.Seed = seed
		r, err := rollouttest.Drive(rollouttest.NewFleet(fleet), cfg, plan)
		require.NoError(t, err, "%+v", cfg)
		points.add(r)
		return r[0]
	}
	want := run(rollouttest.DriveConfig{})
	for name, cfg := range map[string]rollouttest.DriveConfig{
		"nothing":                 {},
		"a crash after each step": {CrashEvery: 1},
		"every report twice":      {Twice: true},
		"every report again":      {Late: 30 * time.Hour},
		"small ticks":             {Tick: 3*time.Hour + 13*time.Minute},
		"shadows":                 {Shadow: seed%10 == 0},
	} {
		got := run(cfg)
		require.Equal(t, want.Stage, got.Stage, name)
		if diff := cmp.Diff(want.Outcomes, got.Outcomes); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A patch that breaks every device touches no more of them than its first ring works on at once.
func TestABrokenPatchTouchesTheFirstRingOnly(t *testing.T) {
	t.Parallel()
	for seed := range sweep(t, 40) {
		d := dice(seed + 2e6)
		plan := randomPlan(t, &d, "q1", 10+d.upTo(200))
		plan.Policy.Rollback.On = policy.FailHolds
		fleet := rollouttest.NewFleet(rollouttest.FleetConfig{Seed: seed, Broken: 10000, MinLatency: time.Minute, MaxLatency: time.Hour})
		r, err := rollouttest.Drive(fleet, rollouttest.DriveConfig{}, plan)
		require.NoError(t, err)
		for i, id := range plan.Devices {
			if plan.RingOf(i) > 0 {
				require.Equal(t, rollout.Cancelled, r[0].Outcomes[id], "device %s of ring %d", id, plan.RingOf(i))
			}
		}
	}
}

func ExampleDrive() {
	plan, err := rollout.NewPlan(rollout.PlanInput{
		Key: rollout.Key{Tenant: "acme", ID: "q1"}, At: time.Date(2024, 3, 28, 9, 0, 0, 0, time.UTC),
		Policy:   policy.Policy{Rings: []policy.Ring{{Name: "canary", Share: 1000, Gate: policy.Gate{Soak: policy.Duration(24 * time.Hour)}}, {Name: "broad", Rest: true}}},
		Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "p1"}}}},
		Targets:  slices.Collect(targets(20)),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fleet := rollouttest.NewFleet(rollouttest.FleetConfig{Seed: 1, MinLatency: time.Minute, MaxLatency: time.Hour})
	results, err := rollouttest.Drive(fleet, rollouttest.DriveConfig{CrashEvery: 1}, plan)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(results[0].Stage, "after", results[0].Tasks, "tasks")
	counts := make(map[rollout.Outcome]int)
	for _, o := range results[0].Outcomes {
		counts[o]++
	}
	for _, o := range slices.Sorted(maps.Keys(counts)) {
		fmt.Println(counts[o], o)
	}
	// Output:
	// done after 40 tasks
	// 20 succeeded
}

func targets(n int) func(func(rollout.Target) bool) {
	return func(yield func(rollout.Target) bool) {
		for i := range n {
			if !yield(rollout.Target{Device: inventory.DeviceID(fmt.Sprintf("d%d", i)), Ring: rollout.ByShare}) {
				return
			}
		}
	}
}

// Tasks per second, with all checks but without crashes.
func BenchmarkDrive(b *testing.B) {
	plan, err := rollout.NewPlan(rollout.PlanInput{
		Key: rollout.Key{Tenant: "acme", ID: "q1"}, At: time.Date(2024, 3, 28, 9, 0, 0, 0, time.UTC),
		Policy:   policy.Policy{Rings: []policy.Ring{{Name: "canary", Share: 1000}, {Name: "broad", Rest: true, MaxActive: 50}}},
		Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "p1"}}}},
		Targets:  slices.Collect(targets(500)),
	})
	require.NoError(b, err)
	tasks := 0
	for b.Loop() {
		r, err := rollouttest.Drive(rollouttest.NewFleet(rollouttest.FleetConfig{Seed: 1, MinLatency: time.Minute, MaxLatency: time.Hour}), rollouttest.DriveConfig{}, plan)
		require.NoError(b, err)
		tasks += r[0].Tasks
	}
	b.ReportMetric(float64(tasks)/b.Elapsed().Seconds(), "tasks/s")
}

func ExampleFleet() {
	fleet := rollouttest.NewFleet(rollouttest.FleetConfig{Seed: 1, Broken: 10000, MinLatency: time.Minute})
	now := time.Date(2024, 3, 28, 9, 0, 0, 0, time.UTC)
	task := rollout.Task{ID: "acme:q1/canary/ada/install/1", Device: "ada", Op: rollout.OpInstall,
		Content: rollout.Content{Patches: []rollout.Pinned{{ID: "p1"}}}}
	first := fleet.Begin(task, now)
	again := fleet.Begin(task, now.Add(time.Hour)) // the same task is done once
	fmt.Println(first.Report.Phase, first.Report.Fault, first.At.Format(time.TimeOnly), again.At.Format(time.TimeOnly))
	// Output: failed permanent 09:01:00 09:01:00
}

func ExampleAuditor() {
	plan, err := rollout.NewPlan(rollout.PlanInput{
		Key: rollout.Key{Tenant: "acme", ID: "q1"}, Policy: policy.Policy{Rings: []policy.Ring{{Name: "all", Rest: true}}},
		Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "p1"}}}}, Targets: []rollout.Target{{Device: "ada", Ring: rollout.ByShare}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	audit, err := rollouttest.NewAuditor(&plan)
	if err != nil {
		fmt.Println(err)
		return
	}
	// A host that begins a device before its ring is open is found out.
	err = audit.Batch(rollout.Batch{Events: []rollout.Event{
		rollout.Staged{Stage: rollout.StageActive},
		rollout.Issued{Op: rollout.OpInstall, Devices: []int32{0}},
	}})
	fmt.Println(err != nil, audit.Tasks())
	// Output: true 1
}
