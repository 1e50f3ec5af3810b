package policy

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/calendar"
)

// sound is a policy that nothing is said against, for 1,200 devices.
func sound() (Policy, LintFacts) {
	p := Policy{
		Name:  "p",
		Rules: []Rule{{Name: "wait", Match: Match{All: true}, Verdict: Defer, For: day}, {Name: "yes", Match: Match{All: true}, Verdict: Approve}},
		Rings: []Ring{{Name: "test", Devices: inventory.MustSelector("role=test"), Gate: Gate{Soak: day}},
			{Name: "pilot", Share: 1000, Gate: Gate{Soak: 2 * day}}, {Name: "broad", Rest: true}},
		Windows:   []Window{{Start: 22 * 60, End: 6 * 60, Zone: "Europe/Berlin"}},
		Deadlines: []Deadline{{Name: "fortnight", Match: Match{All: true}, Within: 14 * day, Reserve: 7 * day}},
		Rollback:  Rollback{On: FailRollsBackRing},
	}
	return p, LintFacts{Now: released(), Zones: []string{"Europe/Berlin"}, Rings: []int{100, 110, 990},
		Patches: []*patch.Patch{{ID: "x:1", Classification: patch.ClassSecurity, Reboot: patch.RebootAlways, Reversal: patch.ReversalNone}}}
}

func TestWhatIsUnwise(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(p *Policy, f *LintFacts)
		want   []string
	}{
		{"downloads ahead of nothing", func(p *Policy, _ *LintFacts) {
			p.Download.Windows, p.Windows = p.Windows, nil
			p.Rings[1].Download.Windows, p.Rings[1].Windows = p.Download.Windows, p.Download.Windows
			p.Rings[2].Download.Windows = p.Download.Windows
		}, []string{"rings[2].download: nothing is downloaded ahead: without windows for the installation nothing waits for one"}},
		{"no ring waits for a window", func(p *Policy, _ *LintFacts) { p.Download.Windows, p.Windows = p.Windows, nil },
			[]string{"download: nothing is downloaded ahead: without windows for the installation nothing waits for one"}},
		{"downloads ahead of a freeze", func(p *Policy, _ *LintFacts) {
			p.Download.Windows, p.Windows = p.Windows, nil
			p.Freezes = []Freeze{{Name: "f", From: calendar.DateOf(2020, time.January, 1).At(0), Until: calendar.DateOf(2020, time.January, 2).At(0)}}
		}, nil},
		{"nothing", func(*Policy, *LintFacts) {}, nil},
		{"nothing in a policy that installs nothing", func(p *Policy, f *LintFacts) { p.Rules = p.Rules[:1]; p.Rollback = Rollback{} }, nil},
		{"nothing in a policy without rings", func(p *Policy, f *LintFacts) { p.Rings, p.Rollback = nil, Rollback{} }, nil},
		{"no test ring, and a patch that restarts", func(p *Policy, f *LintFacts) { p.Rings, f.Rings, p.MaxActive = p.Rings[2:], []int{1200}, 10 },
			[]string{`rings: no small ring comes first, and patch x:1 of high impact would be installed`}},
		{"no test ring, and several of them", func(p *Policy, f *LintFacts) {
			p.Rings, f.Rings, p.MaxActive = p.Rings[2:], []int{1200}, 10
			f.Patches = append(f.Patches, &patch.Patch{ID: "a:9", Classification: patch.ClassRollup, Reboot: patch.RebootAlways},
				&patch.Patch{ID: "a:8", Classification: patch.ClassFeature}, &patch.Patch{ID: "a:7", Classification: patch.ClassSecurity})
		}, []string{`rings: no small ring comes first, and 2 patches such as a:9 of high impact would be installed`}},
		{"no test ring, and nothing of high impact", func(p *Policy, f *LintFacts) {
			p.Rings, f.Rings, p.MaxActive, f.Patches = p.Rings[2:], []int{1200}, 10, nil
		}, nil},
		{"no test ring, and a rule for drivers", func(p *Policy, f *LintFacts) {
			p.Rings, f.Rings, p.MaxActive, f.Patches = p.Rings[2:], []int{1200}, 10, nil
			p.Rules[1] = Rule{Name: "drivers", Match: Match{Classifications: []patch.Classification{patch.ClassDriver}, MinAge: day}, Verdict: RequireApproval}
		}, []string{`rings: no small ring comes first, and rule "drivers" lets feature updates, drivers or firmware in`}},
		{"a test ring with most devices", func(p *Policy, f *LintFacts) { f.Rings = []int{700, 100, 400} },
			[]string{`rings: no small ring comes first, and patch x:1 of high impact would be installed`}},
		{"a test ring that has everyone by its selector", func(p *Policy, f *LintFacts) { f.Rings, p.Rings[0].Devices = nil, inventory.All() },
			[]string{`rings: no small ring comes first, and patch x:1 of high impact would be installed`}},
		{"a test ring that is empty", func(p *Policy, f *LintFacts) { f.Rings = []int{0, 700, 500} },
			[]string{`rings: no small ring comes first, and patch x:1 of high impact would be installed`}},
		{"no rollback", func(p *Policy, f *LintFacts) { p.Rollback.On = FailHolds },
			[]string{`rollback: what fails is not taken back, and there is no backup: roll back, or set acknowledged`}},
		{"no rollback, but a backup", func(p *Policy, f *LintFacts) { p.Rollback.On, f.Backup = FailHolds, true }, nil},
		{"a level of more attempts than there are", func(p *Policy, f *LintFacts) {
			p.Escalation = []EscalationLevel{{Name: "a", Attempts: 3}, {Name: "b", Attempts: 4}, {Name: "c", Attempts: 4, Failed: 1}}
		}, []string{`escalation[1]: nothing raises level "b": no device is tried so often`}},
		{"rollbacks keep windows that nobody has", func(p *Policy, f *LintFacts) { p.Windows, p.Freezes, p.Rollback.InWindows = nil, nil, true },
			[]string{"rollback.inWindows: there is neither a window nor a freeze that a rollback could keep"}},
		{"no rollback, acknowledged", func(p *Policy, f *LintFacts) { p.Rollback = Rollback{Acknowledged: true} }, nil},
		{"what cannot be taken back is let in", func(p *Policy, f *LintFacts) { p.Rollback.Irreversible = true },
			[]string{`rollback: patch x:1 cannot be taken back, and there is no backup: set acknowledged if that is accepted`}},
		{"what cannot be taken back is let in, and there is none", func(p *Policy, f *LintFacts) {
			p.Rollback.Irreversible, f.Patches[0].Reversal = true, patch.ReversalUninstall
		}, nil},
		{"rings too small to show anything", func(p *Policy, f *LintFacts) { f.Rings = []int{5, 58, 10} },
			[]string{`rings[0]: ring "test" has 5 devices; to show a failure rate of 5% with a confidence of 95% takes 38`}},
		{"rings large enough for what is asked", func(p *Policy, f *LintFacts) { f.Rings, f.FailureRate, f.Confidence = []int{5, 5, 10}, 5000, 9000 }, nil},
		{"rings too small for more", func(p *Policy, f *LintFacts) { f.FailureRate, f.Confidence = 200, 9000 },
			[]string{`rings[0]: ring "test" has 100 devices; to show a failure rate of 2% with a confidence of 90% takes 109`}},
		{"certainty takes all but those that may be sound", func(p *Policy, f *LintFacts) { f.Confidence, f.FailureRate = whole, 9200 }, nil},
		{"a monthly window and a week", func(p *Policy, f *LintFacts) {
			tuesday, err := calendar.Parse("2nd tue")
			require.NoError(t, err)
			p.Windows = []Window{{On: tuesday, Start: 22 * 60, End: 23 * 60, Zone: "UTC"}}
			p.Rings, f.Rings, p.MaxActive, f.Patches = p.Rings[2:], []int{1200}, 10, nil
			p.Deadlines[0].Within = 7 * day
		}, []string{`deadlines[0]: deadline "fortnight" cannot be met: what is wanted at 2026-06-09 23:00 UTC begins no sooner than 2026-07-14 22:00 UTC in ring "broad", in zone Europe/Berlin, 34d23h later, and there are 7d`}},
		{"soaks longer than the deadline", func(p *Policy, f *LintFacts) {
			p.Windows, p.Deadlines[0].Within, p.Deadlines[0].Reserve = nil, 3*day-1, 0
			p.Rules = p.Rules[1:]
		}, []string{`deadlines[0]: deadline "fortnight" cannot be met: what is wanted at 2026-05-01 10:00 UTC begins no sooner than 2026-05-04 10:00 UTC in ring "broad", in zone Europe/Berlin, 3d later, and there are 2d23h59m59.999999999s`}},
		{"soaks as long as the deadline", func(p *Policy, f *LintFacts) {
			p.Windows, p.Deadlines[0].Within, p.Deadlines[0].Reserve = nil, 3*day, 0
			p.Rules = p.Rules[1:]
		}, nil},
		{"the soak of an empty ring does not count", func(p *Policy, f *LintFacts) {
			p.Windows, p.Deadlines[0].Within, p.Deadlines[0].Reserve = nil, 2*day, 0
			p.Rules, f.Rings = p.Rules[1:], []int{0, 500, 700}
			f.Patches = nil
		}, nil},
		{"a yearly freeze", func(p *Policy, f *LintFacts) {
			p.Freezes = []Freeze{{Name: "peak", From: wall(t, "2026-11-20"), Until: wall(t, "2027-01-10"), Zone: "UTC"}}
		}, []string{`deadlines[0]: deadline "fortnight" cannot be met: what is wanted at 2026-11-20 00:00 UTC begins no sooner than 2027-01-13 00:00 UTC in ring "broad", in zone Europe/Berlin, 54d later, and there are 14d`}},
		{"a deferral that leaves too little", func(p *Policy, f *LintFacts) {
			p.Windows, p.Deadlines[0].Reserve, p.Rules[0].For = nil, day, 13*day
		}, []string{`deadlines[0]: a deferral leaves too little before deadline "fortnight": what is wanted at 2026-05-01 10:00 UTC begins no sooner than 2026-05-04 10:00 UTC in ring "broad", in zone Europe/Berlin, 3d later, and there are 1d`}},
		{"a deferral that leaves enough", func(p *Policy, f *LintFacts) {
			p.Windows, p.Deadlines[0].Reserve, p.Rules[0].For = nil, day, 11*day
		}, nil},
		{"what is due now has no length to break", func(p *Policy, f *LintFacts) {
			p.Deadlines = []Deadline{{Name: "kev", Match: Match{Exploited: true}, Now: true}}
		}, nil},
		{"everything at once", func(p *Policy, f *LintFacts) { p.Rings, f.Rings, f.Patches = p.Rings[2:], []int{1200}, nil },
			[]string{`rings[0]: ring "broad" takes every device at once: add rings, or set maxActive`}},
		{"one ring with a limit", func(p *Policy, f *LintFacts) {
			p.Rings, f.Rings, f.Patches = p.Rings[2:], []int{1200}, nil
			p.Rings[0].MaxActive = 50
		}, nil},
		{"one device at once", func(p *Policy, f *LintFacts) { p.Rings, f.Rings, f.Patches = p.Rings[2:], []int{1}, nil }, nil},
		{"a zone that there is not", func(p *Policy, f *LintFacts) { p.Windows[0].Zone, f.Zones = "", []string{"UTC", "Mars/Olympus"} },
			[]string{`windows: devices in zone "Mars/Olympus" have no schedule`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, f := sound()
			row.change(&p, &f)
			require.NoError(t, p.Validate())
			warnings := Lint(&p, f)
			var got []string
			for _, w := range warnings {
				got = append(got, w.String())
			}
			require.Equal(t, row.want, got)
			text, err := json.Marshal(warnings)
			require.NoError(t, err)
			var back []Warning
			require.NoError(t, json.Unmarshal(text, &back))
			require.Empty(t, cmp.Diff(warnings, back), "a warning is plain data")
		})
	}
	require.Equal(t, ": no warning", Warning{}.String())
}

func wall(t *testing.T, text string) (w calendar.Wall) {
	t.Helper()
	require.NoError(t, w.UnmarshalText([]byte(text)))
	return w
}

// What the search finds by trying the ends of openings is what trying every quarter of an hour finds.
func TestTheLongestWaitIsTheLongest(t *testing.T) {
	berlin := "Europe/Berlin"
	for name, rings := range map[string][]Ring{
		"one ring":         {{Name: "a", Rest: true}},
		"a soak":           {{Name: "a", Share: 10, Gate: Gate{Soak: 30 * Duration(time.Hour)}}, {Name: "b", Rest: true}},
		"windows of rings": {{Name: "a", Share: 10, Windows: []Window{{Start: 8 * 60, End: 12 * 60}}, Gate: Gate{Soak: day}}, {Name: "b", Share: 20, Gate: Gate{Soak: 1}}, {Name: "c", Rest: true, Windows: []Window{{Days: DaysOf(time.Sunday), Start: 60, End: 120}}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := Policy{Rings: rings, Windows: []Window{{Days: DaysOf(time.Tuesday, time.Friday), Start: 22 * 60, End: 4 * 60}}}
			now := released()
			worst, err := p.longestWait(nil, berlin, now)
			require.NoError(t, err)
			steps, err := p.steps(nil, berlin)
			require.NoError(t, err)
			require.Equal(t, worst.until, reach(steps, worst.from))
			for at := now; at.Before(now.Add(lookahead)); at = at.Add(15 * time.Minute) {
				require.LessOrEqual(t, reach(steps, at).Sub(at), worst.length(), at)
			}
		})
	}
}

const hasty = `name: hasty
rules:
  - {name: yes, match: {all: true}, verdict: approve}
rings:
  - {name: test, share: 10%, gate: {soak: 2d}}
  - {name: broad, rest: true}
windows:
  - {days: sun, start: "02:00", end: "04:00", zone: UTC}
rollback: {on: ring}
deadlines:
  - name: month
    match: {all: true}
    within: 30d
  - name: week
    match: {exploited: true}
    within: 7d
`

// Whoever loads a document is told that a deadline cannot be met, and where in the document it stands; it is read all the same.
func TestLoadTellsWhatIsUnwise(t *testing.T) {
	p, warnings, err := Load(strings.NewReader(hasty), "hasty.yaml", LintFacts{Now: released()})
	require.NoError(t, err)
	want, err := Decode(strings.NewReader(hasty), "hasty.yaml")
	require.NoError(t, err)
	require.Equal(t, want, p)
	var texts []string
	for _, w := range warnings {
		texts = append(texts, w.String())
	}
	require.Equal(t, []string{`hasty.yaml:14:5: deadlines[1]: deadline "week" cannot be met: what is wanted at 2026-05-03 04:00 UTC begins no sooner than ` +
		`2026-05-17 02:00 UTC in ring "broad", in zone UTC, 13d22h later, and there are 7d`}, texts)
	require.Equal(t, LintUnreachable, warnings[0].Code)

	p, warnings, err = Load(strings.NewReader(strings.ReplaceAll(hasty, "days: sun, ", "")), "", LintFacts{Now: released()})
	require.NoError(t, err)
	require.Empty(t, warnings, "with a window every night the same deadlines can be met")
	require.Equal(t, "hasty", p.Name)

	_, warnings, err = Load(strings.NewReader(strings.Replace(hasty, "rollback: {on: ring}\n", "", 1)), "", LintFacts{Now: released()})
	require.NoError(t, err)
	require.Equal(t, "line 1, column 1: rollback: what fails is not taken back, and there is no backup: roll back, or set acknowledged", warnings[0].String(),
		"what is left out stands nowhere but in the document")
}

func TestLoadRefusesWhatDecodeRefuses(t *testing.T) {
	bad := strings.Replace(hasty, "within: 7d", "within: 7 days", 1)
	_, want := Decode(strings.NewReader(bad), "hasty.yaml")
	require.Error(t, want)
	p, warnings, err := Load(strings.NewReader(bad), "hasty.yaml", LintFacts{Now: released()})
	require.Equal(t, want.Error(), err.Error())
	require.Empty(t, warnings)
	require.Zero(t, p)

	_, _, err = Load(strings.NewReader(hasty), "hasty.yaml", LintFacts{})
	require.EqualError(t, err, "policy: hasty.yaml: cannot be judged: LintFacts.Now is missing")
}
