package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// office is a fleet of n devices, every third of them a till, that all miss three patches.
func office(tenant inventory.Tenant, n int) []Case {
	patches := []*patch.Patch{
		{ID: "x:1", Classification: patch.ClassSecurity, Severity: patch.SeverityCritical, Released: released()},
		{ID: "x:2", Classification: patch.ClassBugfix, Severity: patch.SeverityLow, Released: released()},
		{ID: "x:3", Classification: patch.ClassDriver, Released: released()},
	}
	var all []Case
	for i := range n {
		d := &inventory.Device{Tenant: tenant, ID: inventory.DeviceID(fmt.Sprintf("d%03d", i)), Labels: map[string]string{"role": "desk"}}
		if i%3 == 0 {
			d.Labels["role"] = "till"
		}
		for _, x := range patches {
			all = append(all, Case{Patch: x, Device: d, FirstSeen: released()})
		}
	}
	return all
}

func policies() (older, newer *Policy) {
	older = &Policy{Name: "old", Rules: []Rule{{Name: "low", Match: Match{IDs: []patch.ID{"x:2"}}, Verdict: Approve}}}
	newer = &Policy{Name: "new", Rules: []Rule{{Name: "tills", Match: Match{Devices: inventory.MustSelector("role=till")}, Verdict: Hold},
		{Name: "all", Match: Match{All: true}, Verdict: Approve}}}
	return older, newer
}

func TestAPreviewCountsWhatChanges(t *testing.T) {
	older, newer := policies()
	cases := office("acme", 9)
	v, err := NewPreview(older, newer, slices.Values(cases), released())
	require.NoError(t, err)
	// Of nine devices three are tills: there everything is held. The others newly get the security patch; the driver is named nowhere.
	require.Equal(t, Reach{27, 9, 3}, v.Total)
	require.Equal(t, Reach{6, 6, 1}, v.Affected)
	require.Equal(t, Reach{3, 3, 1}, v.Spared)
	require.Equal(t, []Move{{NoDecision, Hold, Reach{6, 3, 2}}, {NoDecision, Approve, Reach{6, 6, 1}}, {Approve, Hold, Reach{3, 3, 1}}}, v.Moves)
	require.Equal(t, `of 27 findings, 9 devices, 3 patches, this change newly affects 6 findings, 6 devices, 1 patch
no longer installed: 3 findings, 3 devices, 1 patch
  no-decision -> hold: 6 findings, 3 devices, 2 patches
  no-decision -> approve: 6 findings, 6 devices, 1 patch
  approve -> hold: 3 findings, 3 devices, 1 patch
`, v.String())

	text, err := json.Marshal(v)
	require.NoError(t, err)
	var back Preview
	require.NoError(t, json.Unmarshal(text, &back))
	require.Empty(t, cmp.Diff(v, back))

	moves := map[Move]int{}
	for d := range Diff(older, newer, slices.Values(cases), released()) {
		moves[Move{From: d.Was.Verdict, To: d.Is.Verdict}]++
		require.Equal(t, inventory.Tenant("acme"), d.Tenant)
		require.NotEqual(t, d.Was.Verdict, d.Is.Verdict)
	}
	require.Equal(t, map[Move]int{{From: NoDecision, To: Hold}: 6, {From: NoDecision, To: Approve}: 6, {From: Approve, To: Hold}: 3}, moves, "the details agree with the sums")
	for range Diff(older, newer, slices.Values(cases), released()) {
		break // a reader may stop
	}

	first, err := NewPreview(nil, older, slices.Values(cases), released())
	require.NoError(t, err)
	require.Equal(t, Reach{9, 9, 1}, first.Affected)
	same, err := NewPreview(newer, newer, slices.Values(cases), released())
	require.NoError(t, err)
	require.Empty(t, same.Moves)
	require.Equal(t, "of 27 findings, 9 devices, 3 patches, this change newly affects 0 findings, 0 devices, 0 patches\n", same.String())
}

func TestAnApplyIsRefusedIfAnythingHasMoved(t *testing.T) {
	for name, row := range map[string]struct {
		change func(older, newer *Policy, cases []Case) []Case
		later  time.Duration
		moved  string
	}{
		"nothing":                        {func(_, _ *Policy, c []Case) []Case { return c }, 0, ""},
		"time alone":                     {func(_, _ *Policy, c []Case) []Case { return c }, time.Hour, ""},
		"time, until a deferral is over": {func(_, _ *Policy, c []Case) []Case { return c }, 48 * time.Hour, "newly affected 3 findings, 3 devices, 1 patch then, 12 findings, 9 devices, 2 patches now"},
		"a device is gone":               {func(_, _ *Policy, c []Case) []Case { return c[3:] }, 0, "27 findings, 9 devices, 3 patches then, 24 findings, 8 devices, 3 patches now"},
		"a finding is gone":              {func(_, _ *Policy, c []Case) []Case { return c[:26] }, 0, "27 findings"},
		"a label":                        {func(_, _ *Policy, c []Case) []Case { c[0].Device.Labels["floor"] = "3"; return c }, 0, "the facts are others"},
		"a zone":                         {func(_, _ *Policy, c []Case) []Case { c[0].Device.Zone = "UTC"; return c }, 0, "the facts are others"},
		"a platform":                     {func(_, _ *Policy, c []Case) []Case { c[0].Device.Platform.OS = "debian"; return c }, 0, "the facts are others"},
		"an exposure":                    {func(_, _ *Policy, c []Case) []Case { c[0].Device.Exposure = inventory.Public; return c }, 0, "the facts are others"},
		"a name":                         {func(_, _ *Policy, c []Case) []Case { c[0].Device.Name = "Ada"; return c }, 0, "the facts are others"},
		"the tenant of a device":         {func(_, _ *Policy, c []Case) []Case { c[24].Device.Tenant = "acne"; return c }, 0, "the facts are others"},
		"a device under another name":    {func(_, _ *Policy, c []Case) []Case { c[24].Device.ID = "d9"; return c }, 0, "the facts are others"},
		"a patch":                        {func(_, _ *Policy, c []Case) []Case { c[0].Patch.Title = "other"; return c }, 0, "the facts are others"},
		"a clock":                        {func(_, _ *Policy, c []Case) []Case { c[0].FirstSeen = c[0].FirstSeen.Add(1); return c }, 0, "the facts are others"},
		"an approval":                    {func(_, _ *Policy, c []Case) []Case { c[0].Approved = released(); return c }, 0, "the facts are others"},
		"an older patch":                 {func(_, _ *Policy, c []Case) []Case { c[0].Older = []Older{{Patch: c[1].Patch}}; return c }, 0, "the facts are others"},
		"the new policy":                 {func(_, n *Policy, c []Case) []Case { n.Rules[0].Reason = "why"; return c }, 0, "the facts are others"},
		"the old policy":                 {func(o, _ *Policy, c []Case) []Case { o.Name = "other"; return c }, 0, `the policies are "other" and "new"`},
		"the software": {func(_, _ *Policy, c []Case) []Case {
			c[0].Device.LastSeen, c[0].Device.BootID = released(), "b"
			return c
		}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			make := func() (o, n *Policy, c []Case) {
				o, n = policies()
				n.Rules = append([]Rule{{Name: "wait", Match: Match{IDs: []patch.ID{"x:1"}}, Verdict: Defer, For: 2 * day}}, n.Rules[1])
				o.Rules[0].Match = Match{IDs: []patch.ID{"x:2"}, Devices: inventory.MustSelector("role=desk")}
				return o, n, office("acme", 9)
			}
			o, n, c := make()
			v, err := NewPreview(o, n, slices.Values(c), released())
			require.NoError(t, err)
			o, n, c = make()
			c = row.change(o, n, c)
			err = v.Check(o, n, slices.Values(c), released().Add(row.later))
			if row.moved == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrMoved)
			require.ErrorContains(t, err, row.moved)
		})
	}
	require.ErrorIs(t, Preview{}.Check(nil, nil, slices.Values([]Case(nil)), released()), ErrMoved, "no preview holds for nothing")
}

func TestAPreviewWantsItsCasesInOrder(t *testing.T) {
	older, newer := policies()
	cases := office("acme", 3)
	for name, swap := range map[string][2]int{"patches": {0, 1}, "devices": {0, 3}, "twice": {1, 0}} {
		c := slices.Clone(cases)
		if name == "twice" {
			c[1] = c[0]
		} else {
			c[swap[0]], c[swap[1]] = c[swap[1]], c[swap[0]]
		}
		v, err := NewPreview(older, newer, slices.Values(c), released())
		require.ErrorContains(t, err, "want them by tenant, device and patch, each once", name)
		require.Empty(t, cmp.Diff(Preview{}, v))
	}
	_, err := NewPreview(&Policy{Rules: []Rule{{Verdict: 99}}}, nil, slices.Values(cases), released())
	require.ErrorContains(t, err, "verdict 99 has no name", "what cannot be written cannot be bound")
}

func BenchmarkPreview(b *testing.B) {
	older, newer := policies()
	cases := office("acme", 1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewPreview(older, newer, slices.Values(cases), released()); err != nil {
			b.Fatal(err)
		}
	}
}

func TestWhatBecomesUrgent(t *testing.T) {
	d := till()
	d.Tenant = "acme"
	p := Policy{Name: "p", Rules: []Rule{{Name: "wait", Match: Match{All: true}, Verdict: Defer, For: 30 * day}, {Name: "yes", Match: Match{All: true}, Verdict: Approve}},
		Deadlines: []Deadline{{Name: "kev", Match: Match{Exploited: true, MinSeverity: patch.SeverityCritical}, Now: true},
			{Name: "critical", Match: Match{MinSeverity: patch.SeverityCritical}, Within: 60 * day}, {Name: "any", Match: Match{All: true}, Within: 90 * day}}}
	now := released().Add(5 * day.Std())
	for _, row := range []struct {
		name   string
		change func(x *patch.Patch)
		want   string // "" for nothing
	}{
		{"nothing", func(*patch.Patch) {}, ""},
		{"its title", func(x *patch.Patch) { x.Title = "other" }, ""},
		{"it is exploited, but not critical", func(x *patch.Patch) { x.Advisories[0].Exploited = patch.Yes }, ""},
		{"it is critical", func(x *patch.Patch) { x.Severity = patch.SeverityCritical },
			`debian:bookworm/openssl=3.0.17 on acme/ada is urgent: its severity went from important to critical; due 2026-06-30 10:00 UTC, by deadline "critical": released 2026-05-01 10:00 UTC`},
		{"it is critical and exploited", func(x *patch.Patch) {
			x.Severity, x.Advisories[0].Exploited, x.Advisories[0].EPSS = patch.SeverityCritical, patch.Yes, 0.9
		}, `debian:bookworm/openssl=3.0.17 on acme/ada is urgent: it is known to be exploited, and its severity went from important to critical, and the probability of its exploitation went from 0.1 to 0.9; due now, since 2026-05-01 10:00 UTC, by deadline "kev": released 2026-05-01 10:00 UTC; approve, was defer`},
		{"its release was earlier than was known", func(x *patch.Patch) { x.Released = released().Add(-40 * day.Std()) },
			`debian:bookworm/openssl=3.0.17 on acme/ada is urgent; due 2026-06-20 10:00 UTC, by deadline "any": released 2026-03-22 10:00 UTC; approve, was defer`},
		{"it is no longer as bad", func(x *patch.Patch) { x.Severity = patch.SeverityLow }, ""},
		{"it is gone", func(x *patch.Patch) { x.ID = "x:other" }, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			x := fix()
			x.Advisories[0].EPSS = 0.1
			older, err := patch.NewCatalog([]patch.Patch{x})
			require.NoError(t, err)
			row.change(&x)
			newer, err := patch.NewCatalog([]patch.Patch{x})
			require.NoError(t, err)
			was, _ := older.Get(fix().ID)
			urgent := slices.Collect(Reassess(&p, slices.Values([]Case{{Patch: was, Device: &d}}), newer, now))
			if row.want == "" {
				require.Empty(t, urgent)
				return
			}
			require.Len(t, urgent, 1)
			require.Equal(t, row.want, urgent[0].String())
			require.NotEmpty(t, urgent[0].After.Reasons)
			text, err := json.Marshal(urgent[0])
			require.NoError(t, err)
			var back Escalation
			require.NoError(t, json.Unmarshal(text, &back))
			require.Empty(t, cmp.Diff(urgent[0], back), "an escalation is plain data")
		})
	}
	t.Run("the fix that it supersedes is exploited", func(t *testing.T) {
		x := fix()
		old := patch.Patch{ID: "x:old", Severity: patch.SeverityCritical, Released: released(), Advisories: []patch.Advisory{{ID: "A"}}}
		older, err := patch.NewCatalog([]patch.Patch{x, old})
		require.NoError(t, err)
		old.Advisories[0].Exploited = patch.Yes
		newer, err := patch.NewCatalog([]patch.Patch{x, old})
		require.NoError(t, err)
		a, _ := older.Get(x.ID)
		b, _ := older.Get(old.ID)
		c := Case{Patch: a, Device: &d, Older: []Older{{Patch: b}}}
		urgent := slices.Collect(Reassess(&p, slices.Values([]Case{c}), newer, now))
		require.Len(t, urgent, 1)
		require.Equal(t, Due{At: released(), Now: true, Deadline: "kev", Patch: "x:old", Start: released()}, urgent[0].Is)
		require.Same(t, b, c.Older[0].Patch, "the case is left as it was")
	})
	require.Equal(t, "something else has changed", Cause{}.String())
}
