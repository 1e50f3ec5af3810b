package rollout_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/policy/calendar"
	"github.com/patchflow/patchflow/rollout"
)

const ecosystem = "Debian:12"

func deb(text string) version.Version { return version.Version{Scheme: version.Deb, Text: text} }

// update makes the patch that brings a package to a version.
func update(name, to string, class patch.Classification) patch.Patch {
	return patch.Patch{ID: patch.ID("debian:" + name + "=" + to), Classification: class, Reversal: patch.ReversalReinstall,
		Released: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		Packages: []patch.Package{{Ecosystem: ecosystem, Name: name, Arch: "amd64", Fixed: deb(to)}}}
}

// laptop makes a device with these packages, given as name and version in turn.
func laptop(id string, packages ...string) inventory.Device {
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	d := inventory.Device{Tenant: "acme/berlin", ID: inventory.DeviceID(id), Zone: "Europe/Berlin", Platform: patch.Platform{Arch: "amd64"},
		Coverage: []inventory.Coverage{{Manager: "dpkg", Status: inventory.Complete, At: at}}}
	for i := 0; i < len(packages); i += 2 {
		d.Software = append(d.Software, inventory.Software{Manager: "dpkg", Ecosystem: ecosystem, Name: packages[i], Arch: "amd64", Version: deb(packages[i+1])})
	}
	return d
}

func approveSecurity() policy.Policy {
	return policy.Policy{Name: "p",
		Rules: []policy.Rule{{Name: "security", Match: policy.Match{Classifications: []patch.Classification{patch.ClassSecurity}}, Verdict: policy.Approve}},
		Rings: []policy.Ring{{Name: "it", Devices: inventory.MustSelector("dept=it")}, {Name: "rest", Rest: true}},
	}
}

func scopeOf(t *testing.T, cfg rollout.ScopeConfig, patches []patch.Patch, devices ...inventory.Device) *rollout.Scope {
	t.Helper()
	catalog, err := patch.NewCatalog(patches)
	require.NoError(t, err)
	cfg.Key, cfg.Catalog, cfg.At = rollout.Key{Tenant: "acme", ID: "q1"}, catalog, time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	if cfg.Policy.Name == "" {
		cfg.Policy = approveSecurity()
	}
	s, err := rollout.NewScope(cfg)
	require.NoError(t, err)
	for i := range devices {
		require.NoError(t, s.Add(&devices[i]))
	}
	return s
}

func contents(s *rollout.Scope) (out []string) {
	for _, c := range s.Input().Contents {
		line := ""
		for _, p := range c.Patches {
			line += string(p.ID) + "("
			for _, x := range p.Packages {
				line += x.Name + " " + x.Fixed.Text
			}
			line += ")"
		}
		out = append(out, line)
	}
	return out
}

func TestScopeCountsWhatItLeavesOut(t *testing.T) {
	never := inventory.Device{Tenant: "acme", ID: "ghost"}
	s := scopeOf(t, rollout.ScopeConfig{}, []patch.Patch{update("openssl", "2", patch.ClassSecurity), update("vim", "9", patch.ClassBugfix)},
		laptop("ada", "openssl", "1", "vim", "8"), laptop("bob", "openssl", "2", "vim", "9"), laptop("cyd", "openssl", "2", "vim", "8"), never)
	sum := s.Summary()
	require.Equal(t, 4, sum.Devices)
	require.Equal(t, 1, sum.Clean)
	require.Equal(t, 1, sum.Unknown)
	require.Equal(t, 2, sum.Missing)
	require.Equal(t, 1, sum.Targets)
	require.Equal(t, map[policy.Verdict]int{policy.Approve: 1, policy.NoDecision: 2}, sum.Tally.Verdicts)
	require.Equal(t, []string{"debian:openssl=2(openssl 2)"}, contents(s))
}

func TestContentHoldsOnlyWhatTheDeviceHas(t *testing.T) {
	two := update("openssl", "2", patch.ClassSecurity)
	two.Packages = append(two.Packages, patch.Package{Ecosystem: ecosystem, Name: "libssl-dev", Arch: "amd64", Fixed: deb("2")})
	s := scopeOf(t, rollout.ScopeConfig{}, []patch.Patch{two}, laptop("ada", "openssl", "1"), laptop("bob", "openssl", "1", "libssl-dev", "1"), laptop("cyd", "openssl", "1"))
	require.Equal(t, []string{"debian:openssl=2(openssl 2)", "debian:openssl=2(libssl-dev 2openssl 2)"}, contents(s), "alike devices share their content")
}

func TestADeferredPatchDoesNotStarveTheOneBeforeIt(t *testing.T) {
	older, newer := update("openssl", "2", patch.ClassSecurity), update("openssl", "3", patch.ClassSecurity)
	newer.Supersedes = []patch.ID{older.ID}
	pol := approveSecurity()
	pol.Rules = append([]policy.Rule{{Name: "wait", Match: policy.Match{IDs: []patch.ID{newer.ID}}, Verdict: policy.Hold}}, pol.Rules...)
	s := scopeOf(t, rollout.ScopeConfig{Policy: pol}, []patch.Patch{older, newer}, laptop("ada", "openssl", "1"))
	require.Equal(t, []string{"debian:openssl=2(openssl 2)"}, contents(s))
	s = scopeOf(t, rollout.ScopeConfig{}, []patch.Patch{older, newer}, laptop("ada", "openssl", "1"))
	require.Equal(t, []string{"debian:openssl=3(openssl 3)"}, contents(s))
}

func TestAQuarantineHoldsThePatchUntilItIsReleasedOrSuperseded(t *testing.T) {
	older, newer := update("openssl", "2", patch.ClassSecurity), update("openssl", "3", patch.ClassSecurity)
	newer.Supersedes = []patch.ID{older.ID}
	q := rollout.Quarantine{Patch: older.ID, Tenant: "acme", Since: time.Unix(1, 0), Reason: "it broke"}
	count := func(q rollout.Quarantine, patches ...patch.Patch) int {
		return scopeOf(t, rollout.ScopeConfig{Quarantine: []rollout.Quarantine{q}}, patches, laptop("ada", "openssl", "1")).Summary().Targets
	}
	require.Equal(t, 0, count(q, older))
	require.Equal(t, 1, count(q, older, newer), "superseded")
	elsewhere, released, device, other := q, q, q, q
	elsewhere.Tenant, released.Released, device.Device, other.Device = "umbrella", time.Unix(2, 0), "ada", "bob"
	require.Equal(t, 1, count(elsewhere, older), "of another tenant")
	require.Equal(t, 1, count(released, older), "released")
	require.Equal(t, 0, count(device, older), "for this device")
	require.Equal(t, 1, count(other, older), "for another device")
	s := scopeOf(t, rollout.ScopeConfig{Quarantine: []rollout.Quarantine{q}}, []patch.Patch{older}, laptop("ada", "openssl", "1"))
	require.Equal(t, 1, s.Summary().Tally.Rules[rollout.QuarantineRule])
}

// A device that a budget drains, and of which it cannot tell in which domain it is, would be patched while it serves: it is left out, and told of.
func TestScopeLeavesOutWhoWouldNotBeDrained(t *testing.T) {
	pol := approveSecurity()
	pol.Budgets = []policy.Budget{{Name: "clusters", Devices: inventory.MustSelector("role=node"), Per: []string{"cluster"}, Drain: true}}
	node, stray, till := laptop("ada", "openssl", "1"), laptop("bob", "openssl", "1"), laptop("cyd", "openssl", "1")
	node.Labels, stray.Labels = map[string]string{"role": "node", "cluster": "west"}, map[string]string{"role": "node"}
	fix := []patch.Patch{update("openssl", "2", patch.ClassSecurity)}
	s := scopeOf(t, rollout.ScopeConfig{Policy: pol}, fix, node, stray, till)
	require.Equal(t, 2, s.Summary().Targets)
	require.Equal(t, map[string]int{rollout.SkipNoDomain: 1}, s.Summary().Skipped)
	require.Equal(t, []inventory.DeviceID{"bob"}, s.Summary().Examples[rollout.SkipNoDomain])
	_, err := s.Joiner(&stray)
	require.ErrorContains(t, err, "bob: no-domain")
	j, err := s.Joiner(&node)
	require.NoError(t, err)
	require.True(t, j.Drains(&pol))
	j, err = s.Joiner(&till)
	require.NoError(t, err)
	require.False(t, j.Drains(&pol))
	pol.Budgets[0].Drain, pol.Budgets[0].Count = false, 1
	require.Equal(t, 3, scopeOf(t, rollout.ScopeConfig{Policy: pol}, fix, node, stray, till).Summary().Targets, "a budget that only counts says nothing about it")
}

func TestScopeLeavesOutDevicesThatCannotBeServed(t *testing.T) {
	pol := approveSecurity()
	pol.Windows = []policy.Window{{Start: 22 * 60, End: 4 * 60}}
	lost, odd, held := laptop("ada", "openssl", "1"), laptop("bob", "openssl", "1"), laptop("cyd", "openssl", "1")
	lost.Zone, odd.Zone, held.Software[0].Held = "", "Mars/Olympus", true
	s := scopeOf(t, rollout.ScopeConfig{Policy: pol}, []patch.Patch{update("openssl", "2", patch.ClassSecurity)}, lost, odd, held, laptop("dee", "openssl", "1"))
	sum := s.Summary()
	require.Equal(t, 1, sum.Targets)
	require.Equal(t, map[string]int{rollout.SkipNoZone: 2, rollout.SkipHeld: 1}, sum.Skipped)
	require.Equal(t, []inventory.DeviceID{"ada", "bob"}, sum.Examples[rollout.SkipNoZone])
	pol.Windows[0].Zone = "UTC"
	s = scopeOf(t, rollout.ScopeConfig{Policy: pol}, []patch.Patch{update("openssl", "2", patch.ClassSecurity)}, lost, odd)
	require.Equal(t, 2, s.Summary().Targets, "windows that name their zone need no other")
	for name, own := range map[string]func(*policy.Policy, []policy.Window){
		"restarts": func(p *policy.Policy, ws []policy.Window) {
			p.Reboot = policy.Reboot{Mode: policy.RebootAlways, Windows: ws}
		},
		"downloads": func(p *policy.Policy, ws []policy.Window) { p.Download.Windows = ws },
	} {
		also := pol
		own(&also, []policy.Window{{Start: 20 * 60, End: 4 * 60}})
		s = scopeOf(t, rollout.ScopeConfig{Policy: also}, []patch.Patch{update("openssl", "2", patch.ClassSecurity)}, lost, odd, laptop("dee", "openssl", "1"))
		require.Equal(t, 1, s.Summary().Targets, "windows for %s go by the device's own clock too", name)
		require.Equal(t, 2, s.Summary().Skipped[rollout.SkipNoZone], name)
	}
}

func TestAPatchWaitsForItsPrerequisite(t *testing.T) {
	first, second := update("stack", "2", patch.ClassBugfix), update("openssl", "2", patch.ClassSecurity)
	second.Requires = []patch.ID{first.ID}
	s := scopeOf(t, rollout.ScopeConfig{}, []patch.Patch{first, second}, laptop("ada", "stack", "1", "openssl", "1"))
	require.Equal(t, 0, s.Summary().Targets)
	require.Equal(t, 1, s.Summary().Skipped[rollout.SkipPrerequired])
	first.Classification = patch.ClassSecurity
	s = scopeOf(t, rollout.ScopeConfig{}, []patch.Patch{first, second}, laptop("ada", "stack", "1", "openssl", "1"))
	require.Equal(t, []string{"debian:stack=2(stack 2)debian:openssl=2(openssl 2)"}, contents(s), "the prerequisite comes first")
}

func TestARuleThatWantsApprovalMakesItsRingsAsk(t *testing.T) {
	pol := approveSecurity()
	pol.Rules = append(pol.Rules, policy.Rule{Name: "ask", Match: policy.Match{Classifications: []patch.Classification{patch.ClassBugfix}}, Verdict: policy.RequireApproval})
	it := laptop("ada", "openssl", "1")
	it.Labels = map[string]string{"dept": "it"}
	s := scopeOf(t, rollout.ScopeConfig{Policy: pol}, []patch.Patch{update("openssl", "2", patch.ClassSecurity), update("vim", "9", patch.ClassBugfix)},
		it, laptop("bob", "vim", "8"))
	p, err := rollout.NewPlan(s.Input())
	require.NoError(t, err)
	require.Equal(t, "it", p.Rings[0].Name)
	require.False(t, p.Rings[0].Approval)
	require.True(t, p.Rings[1].Approval)
	require.Equal(t, inventory.Tenant("acme/berlin"), p.TenantOf(0))
}

// The scope says which devices get only what a freeze excepts.
func TestScopeKnowsWhatPassesAFreeze(t *testing.T) {
	pol := approveSecurity()
	days, err := calendar.Parse("last fri")
	require.NoError(t, err)
	pol.Freezes = []policy.Freeze{{Name: "quarter", On: days, Except: []policy.Match{{Packages: []string{"openssl"}}}},
		{Name: "year end", On: days, Except: []policy.Match{{MinSeverity: patch.SeverityCritical}}}}
	s := scopeOf(t, rollout.ScopeConfig{Policy: pol}, []patch.Patch{update("openssl", "2", patch.ClassSecurity), update("vim", "9", patch.ClassSecurity)},
		laptop("ada", "openssl", "1", "vim", "8"), laptop("bob", "openssl", "1", "vim", "9"), laptop("cyd", "openssl", "2", "vim", "8"))
	passes := make(map[inventory.DeviceID][]string)
	in := s.Input()
	for _, target := range in.Targets {
		passes[target.Device] = in.Contents[target.Content].Passes
	}
	require.Equal(t, map[inventory.DeviceID][]string{"ada": nil, "bob": {"quarter"}, "cyd": nil}, passes)

	roaming := laptop("dan", "openssl", "1")
	roaming.Zone = ""
	s = scopeOf(t, rollout.ScopeConfig{Policy: pol}, []patch.Patch{update("openssl", "2", patch.ClassSecurity)}, roaming)
	require.Equal(t, 1, s.Summary().Skipped[rollout.SkipNoZone], "a freeze goes by the device's own clock too")
}

// What a plan keeps of a patch's past comes from the catalog and from whoever knows since when it is missed: of all devices
// that get it, the first.
func TestAPlanKeepsWhenPatchesWereReleasedAndSeen(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	cfg := rollout.ScopeConfig{FirstSeen: func(d *inventory.Device, _ patch.ID) time.Time {
		return map[inventory.DeviceID]time.Time{"ada": at.Add(-time.Hour), "bob": at.Add(-2 * time.Hour)}[d.ID]
	}}
	s := scopeOf(t, cfg, []patch.Patch{update("openssl", "2", patch.ClassSecurity)},
		laptop("ada", "openssl", "1"), laptop("bob", "openssl", "1"), laptop("cyd", "openssl", "1"))
	p, err := rollout.NewPlan(s.Input())
	require.NoError(t, err)
	lines, err := rollout.NewTimeline(p)
	require.NoError(t, err)
	n := 0
	for m := range lines.All() {
		n++
		require.Equal(t, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), m.Released, m.Device)
		require.Equal(t, at.Add(-2*time.Hour), m.Seen, m.Device)
	}
	require.Equal(t, 3, n)
}

func TestScopeCountsFailureDomainsOverTheWholeInventory(t *testing.T) {
	p := approveSecurity()
	p.Budgets = []policy.Budget{{Name: "sites", Per: []string{"site"}, Share: 5000}}
	at := func(d inventory.Device, site string) inventory.Device {
		d.Labels = map[string]string{"site": site}
		return d
	}
	s := scopeOf(t, rollout.ScopeConfig{Policy: p}, []patch.Patch{update("openssl", "2", patch.ClassSecurity)},
		at(laptop("ada", "openssl", "1"), "oslo"), at(laptop("bob", "openssl", "2"), "oslo"), at(laptop("cyd"), "oslo"), at(laptop("dan", "openssl", "1"), "oslo"),
		at(laptop("eve", "openssl", "2"), "bern"), laptop("fay", "openssl", "1"))
	plan, err := rollout.NewPlan(s.Input())
	require.NoError(t, err)
	require.Equal(t, []rollout.Domain{{Budget: 0, Tenant: "acme/berlin", Values: []string{"oslo"}, Devices: 4}}, plan.Domains,
		"with those that miss nothing, or of which nothing is known; and no site that gets nothing")
	require.Equal(t, 2, plan.Limit(0))
	require.Equal(t, "site oslo", plan.DomainName(0))
	for d, want := range map[inventory.DeviceID]int{"ada": 1, "dan": 1, "fay": 0} {
		i, ok := plan.Find(d)
		require.True(t, ok)
		require.Len(t, plan.DomainsOf(i), want)
	}
}

func TestScopeRefusesAnotherTenantsDevice(t *testing.T) {
	s := scopeOf(t, rollout.ScopeConfig{}, nil)
	d := laptop("ada", "openssl", "1")
	for _, tenant := range []inventory.Tenant{"umbrella", "acme2", "", "acm"} {
		d.Tenant = tenant
		require.ErrorContains(t, s.Add(&d), "device ada belongs to tenant")
	}
	_, err := rollout.NewScope(rollout.ScopeConfig{Policy: approveSecurity()})
	require.ErrorContains(t, err, "no catalog")
	_, err = rollout.NewScope(rollout.ScopeConfig{Catalog: new(patch.Catalog)})
	require.Error(t, err, "a policy that does not hold together")
}

func ExampleNewPlan() {
	catalog, err := patch.NewCatalog([]patch.Patch{update("openssl", "3.0.17-1", patch.ClassSecurity)})
	if err != nil {
		fmt.Println(err)
		return
	}
	scope, err := rollout.NewScope(rollout.ScopeConfig{
		Key: rollout.Key{Tenant: "acme", ID: "2026-03"}, Catalog: catalog, By: "olga", At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
		Policy: policy.Policy{
			Name:  "security",
			Rules: []policy.Rule{{Name: "security", Match: policy.Match{Classifications: []patch.Classification{patch.ClassSecurity}}, Verdict: policy.Approve}},
			Rings: []policy.Ring{
				{Name: "canary", Share: 1000, Gate: policy.Gate{Soak: policy.Duration(24 * time.Hour)}},
				{Name: "broad", Rest: true, Approval: true, MaxActive: 50, Gate: policy.Gate{MaxFailed: 500}},
			},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range 40 {
		d := laptop(fmt.Sprintf("laptop-%02d", i), "openssl", "3.0.16-1")
		if err := scope.Add(&d); err != nil {
			fmt.Println(err)
			return
		}
	}
	plan, err := rollout.NewPlan(scope.Input())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(plan.String())
	// Output:
	// rollout acme:2026-03, policy "security", asked for by olga on 2026-03-02
	//   1. canary: 4 devices; gate: no failure, soak 1d
	//   2. broad: 36 devices, after approval, 50 at once; gate: at most 5% failed
	//   content: 1 patch in 1 set; no restarts; a failed gate halts
}

func TestCheckScan(t *testing.T) {
	issued := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	task := rollout.Task{Device: "ada", Issued: issued, Content: rollout.Content{Patches: []rollout.Pinned{{ID: "x", Packages: []patch.Package{
		{Ecosystem: ecosystem, Name: "openssl", Arch: "amd64", Fixed: deb("2")}}}}}}
	scan := func(at time.Duration, status inventory.Status, versions ...string) inventory.Scan {
		s := inventory.Scan{Device: "ada", At: issued.Add(at), Coverage: []inventory.Coverage{{Manager: "dpkg", Status: status}}, PendingReboot: patch.No}
		for _, v := range versions {
			s.Software = append(s.Software, inventory.Software{Ecosystem: ecosystem, Name: "openssl", Arch: "amd64", Version: deb(v)})
		}
		return s
	}
	gone := task
	gone.Absent = true
	empty := task
	empty.Content = rollout.Content{Patches: []rollout.Pinned{{ID: "x"}}}
	other := scan(time.Minute, inventory.Complete, "2")
	other.Device = "bob"
	none := scan(time.Minute, inventory.Complete, "2")
	none.Coverage = nil
	foreign := scan(time.Minute, inventory.Complete)
	foreign.Software = []inventory.Software{{Ecosystem: ecosystem, Name: "openssl", Arch: "amd64", Version: version.Version{Scheme: "rpm", Text: "2"}}}
	for name, c := range map[string]struct {
		task  rollout.Task
		scan  inventory.Scan
		phase rollout.Phase
		fault patch.Fault
	}{
		"the version is there":              {task, scan(time.Minute, inventory.Complete, "2"), rollout.PhaseSucceeded, patch.NoFault},
		"a newer one is there":              {task, scan(time.Minute, inventory.Complete, "3"), rollout.PhaseSucceeded, patch.NoFault},
		"an older one is there":             {task, scan(time.Minute, inventory.Complete, "1"), rollout.PhaseFailed, patch.NoFault},
		"it is not installed":               {task, scan(time.Minute, inventory.Complete), rollout.PhaseFailed, patch.NoFault},
		"two are there, one new":            {task, scan(time.Minute, inventory.Complete, "2", "1"), rollout.PhaseSucceeded, patch.NoFault},
		"to be gone, and older":             {gone, scan(time.Minute, inventory.Complete, "1"), rollout.PhaseSucceeded, patch.NoFault},
		"to be gone, and there":             {gone, scan(time.Minute, inventory.Complete, "2"), rollout.PhaseFailed, patch.NoFault},
		"an old scan proves nothing":        {task, scan(-time.Minute, inventory.Complete, "2"), rollout.PhaseFailed, patch.Transient},
		"a partial scan proves nothing":     {task, scan(time.Minute, inventory.Partial, "2"), rollout.PhaseFailed, patch.Transient},
		"another device's scan":             {task, other, rollout.PhaseFailed, patch.Transient},
		"a scan that covers nothing":        {task, none, rollout.PhaseFailed, patch.Transient},
		"content without packages":          {empty, scan(time.Minute, inventory.Complete, "2"), rollout.PhaseFailed, patch.Transient},
		"a version that cannot be compared": {task, foreign, rollout.PhaseFailed, patch.Transient},
	} {
		t.Run(name, func(t *testing.T) {
			r := rollout.CheckScan(c.task, c.scan)
			require.Equal(t, c.phase, r.Phase, r.Message)
			require.Equal(t, c.fault, r.Fault, r.Message)
		})
	}
}

func TestTaskIDsAreTakenApartAgain(t *testing.T) {
	for _, n := range []rollout.TaskName{
		{Rollout: rollout.Key{Tenant: "acme/berlin", ID: "q1"}, Ring: "canary", Device: "ada", Op: rollout.OpInstall, Seq: 2},
		{Rollout: rollout.Key{Tenant: "", ID: "q:1/2"}, Ring: "a/b", Device: "pc%2F1:x ü", Op: rollout.OpRollback, Seq: 1 << 31},
	} {
		id := rollout.NewTaskID(n.Rollout, n.Ring, n.Device, n.Op, n.Seq)
		got, err := rollout.ParseTaskID(id)
		require.NoError(t, err, id)
		require.Equal(t, n, got)
	}
	require.Equal(t, rollout.TaskID("acme/berlin:q1/canary/ada/install/2"),
		rollout.NewTaskID(rollout.Key{Tenant: "acme/berlin", ID: "q1"}, "canary", "ada", rollout.OpInstall, 2))
	for _, bad := range []rollout.TaskID{"", "q1/canary/ada/install/2", "acme:q1/canary/ada/install", "acme:q1/canary/ada/dance/2",
		"acme:q1/canary/ada/install/x", "acme:q1/canary/ada/install/-1", "acme:%zz/canary/ada/install/1", "%zz:q1/canary/ada/install/1"} {
		_, err := rollout.ParseTaskID(bad)
		require.Error(t, err, bad)
	}
}

func TestScopeInstallsNothingOfWhichOnlyTheSourceIsKnown(t *testing.T) {
	bySource := update("openssl", "3", patch.ClassSecurity)
	bySource.ID, bySource.Packages[0].Name, bySource.Packages[0].Source, bySource.Packages[0].Arch = "dsa:1", "", "openssl", ""
	devices := []inventory.Device{laptop("ada", "libssl3", "1"), laptop("bob", "libssl3", "1", "vim", "8"), laptop("cyd", "libssl3", "1")}
	for i := range devices {
		devices[i].Software[0].Source = "openssl"
	}
	devices[2].Software[0].Held = true
	s := scopeOf(t, rollout.ScopeConfig{}, []patch.Patch{bySource, update("vim", "9", patch.ClassSecurity)}, devices...)
	require.Equal(t, []string{"debian:vim=9(vim 9)"}, contents(s))
	require.Equal(t, map[string]int{rollout.SkipNoBuild: 1, rollout.SkipHeld: 1}, s.Summary().Skipped)
	require.Equal(t, []inventory.DeviceID{"ada"}, s.Summary().Examples[rollout.SkipNoBuild])

	// The index of builds closes the gap, and is all that is needed.
	s = scopeOf(t, rollout.ScopeConfig{}, []patch.Patch{bySource, update("libssl3", "3", patch.ClassSecurity)}, devices[:2]...)
	require.Equal(t, []string{"debian:libssl3=3(libssl3 3)"}, contents(s))
	require.Empty(t, s.Summary().Skipped)
}
