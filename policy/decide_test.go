package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

const day = Duration(24 * time.Hour)

func released() time.Time { return time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC) }

// fix is an ordinary security patch.
func fix() patch.Patch {
	return patch.Patch{
		ID: "debian:bookworm/openssl=3.0.17", Classification: patch.ClassSecurity, Severity: patch.SeverityImportant,
		Released: released(), Packages: []patch.Package{{Name: "libssl3", Source: "openssl"}, {Name: "openssl"}},
		Advisories: []patch.Advisory{{ID: "DSA-1", Exploited: patch.Unknown}},
	}
}

func till() inventory.Device {
	return inventory.Device{ID: "ada", Labels: map[string]string{"role": "till"}}
}

func TestEveryConditionOfAMatchNarrowsIt(t *testing.T) {
	for _, row := range []struct {
		name  string
		match Match
		x     func(x *patch.Patch) // what makes the match fail, or nil if it never holds
		holds bool                 // for the ordinary patch
	}{
		{"everything", Match{All: true}, nil, true},
		{"nothing", Match{}, nil, false},
		{"its ID", Match{IDs: []patch.ID{"x:1", "debian:bookworm/openssl=3.0.17"}}, func(x *patch.Patch) { x.ID += "-1" }, true},
		{"the beginning of its ID", Match{IDs: []patch.ID{"debian:bookworm/*"}}, func(x *patch.Patch) { x.ID = "debian:bullseye/openssl" }, true},
		{"half an ID", Match{IDs: []patch.ID{"debian:bookworm/"}}, nil, false},
		{"its classification", Match{Classifications: []patch.Classification{patch.ClassBugfix, patch.ClassSecurity}},
			func(x *patch.Patch) { x.Classification = patch.ClassRollup }, true},
		{"its severity", Match{MinSeverity: patch.SeverityImportant}, func(x *patch.Patch) { x.Severity = patch.SeverityModerate }, true},
		{"a lower severity", Match{MinSeverity: patch.SeverityLow}, func(x *patch.Patch) { x.Severity = patch.SeverityUnrated }, true},
		{"a higher severity", Match{MinSeverity: patch.SeverityCritical}, nil, false},
		{"a package", Match{Packages: []string{"libssl3"}}, func(x *patch.Patch) { x.Packages[0].Name = "libssl1.1" }, true},
		{"a source package", Match{Packages: []string{"open*"}}, func(x *patch.Patch) { x.Packages = nil }, true},
		{"another package", Match{Packages: []string{"OpenSSL", "ssl*"}}, nil, false},
		{"known exploitation", Match{Exploited: true}, nil, false},
		{"its age", Match{MinAge: 2 * day}, func(x *patch.Patch) { x.Released = released().Add(1) }, true},
		{"its age, if nobody says", Match{MinAge: 1}, func(x *patch.Patch) { x.Released = time.Time{} }, true},
		{"a greater age", Match{MinAge: 2*day + 1}, nil, false},
		{"the device", Match{Devices: inventory.MustSelector("role=till")}, nil, true},
		{"another device", Match{Devices: inventory.MustSelector("role=web")}, nil, false},
		{"a condition", Match{Where: where("package.source = openssl or package.source in (openssl) and severity >= low")}, func(x *patch.Patch) { x.Packages[0].Source = "other"; x.Packages = x.Packages[:1] }, true},
		{"a condition about the device", Match{Where: where("label.role = till")}, nil, true},
		{"another condition", Match{Where: where("label.role = web")}, nil, false},
		{"all at once", Match{Classifications: []patch.Classification{patch.ClassSecurity}, Packages: []string{"openssl"}, MinAge: day,
			MinSeverity: patch.SeverityLow, Devices: inventory.MustSelector("role=till")}, func(x *patch.Patch) { x.Severity = 0 }, true},
		{"all but one", Match{All: true, Packages: []string{"openssl"}, Devices: inventory.MustSelector("role=web")}, nil, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := Policy{Rules: []Rule{{Name: "r", Match: row.match, Verdict: Hold}}}
			now := released().Add(2 * day.Std())
			x, d := fix(), till()
			want := map[bool]Verdict{true: Hold, false: NoDecision}
			require.Equal(t, want[row.holds], p.Decide(&x, &d, now).Verdict)
			if row.x != nil {
				row.x(&x)
				require.Equal(t, NoDecision, p.Decide(&x, &d, now).Verdict, "after the change")
			}
		})
	}
	t.Run("known exploitation of one advisory is enough", func(t *testing.T) {
		p := Policy{Rules: []Rule{{Name: "r", Match: Match{Exploited: true}, Verdict: Hold}}}
		x, d := fix(), till()
		for tri, want := range map[patch.Tri]Verdict{patch.Unknown: NoDecision, patch.No: NoDecision, patch.Yes: Hold} {
			x.Advisories = []patch.Advisory{{Exploited: patch.No}, {Exploited: tri}}
			require.Equal(t, want, p.Decide(&x, &d, released()).Verdict, tri)
		}
	})
}

// rules makes rules about everything that a security patch is, one of each verdict, named after it.
func rules(verdicts ...Verdict) []Rule {
	var rs []Rule
	for i, v := range verdicts {
		r := Rule{Name: fmt.Sprintf("%s-%d", v, i), Match: Match{All: true}, Verdict: v}
		if v == Defer {
			r.For = 7 * day
		}
		rs = append(rs, r)
	}
	return rs
}

func TestWhichRuleDecides(t *testing.T) {
	early, late := released().Add(day.Std()), released().Add(7*day.Std())
	for _, row := range []struct {
		name  string
		rules []Rule
		x     func(x *patch.Patch)
		now   time.Time
		want  Verdict
		rule  string
	}{
		{"no rule", nil, nil, late, NoDecision, ""},
		{"the only one", rules(Approve), nil, late, Approve, "approve-0"},
		{"the first of the rest", rules(RequireApproval, Approve), nil, late, RequireApproval, "require-approval-0"},
		{"the first of the rest, the other way round", rules(Approve, RequireApproval), nil, late, Approve, "approve-0"},
		{"a hold wins wherever it stands", rules(Approve, RequireApproval, Hold), nil, late, Hold, "hold-2"},
		{"a rejection too", rules(Approve, Defer, Reject), nil, early, Reject, "reject-2"},
		{"a rejection wins over a hold", rules(Hold, Approve, Reject), nil, late, Reject, "reject-2"},
		{"the first of two rejections", rules(Approve, Reject, Reject), nil, late, Reject, "reject-1"},
		{"a deferral before an approval", rules(Defer, Approve), nil, early, Defer, "defer-0"},
		{"a deferral whose time has passed", rules(Defer, Approve), nil, late, Approve, "approve-1"},
		{"a deferral to the last instant", rules(Defer, Approve), nil, late.Add(-1), Defer, "defer-0"},
		{"a deferral after an approval", rules(Approve, Defer), nil, early, Approve, "approve-0"},
		{"only a deferral, over", rules(Defer), nil, late, NoDecision, ""},
		{"a deferral of a patch without a date", rules(Defer, Approve), func(x *patch.Patch) { x.Released = time.Time{} }, late, Hold, "defer-0"},
		{"a hold outranks a deferral that holds", rules(Defer, Hold), func(x *patch.Patch) { x.Released = time.Time{} }, late, Hold, "hold-1"},
		{"contested", rules(Approve), func(x *patch.Patch) { x.Contested = true }, late, Hold, ""},
		{"contested, whatever a rule says", rules(Reject), func(x *patch.Patch) { x.Contested = true }, late, Hold, ""},
		{"contested without a rule", nil, func(x *patch.Patch) { x.Contested = true }, late, Hold, ""},
		{"withdrawn", rules(Approve, Hold), func(x *patch.Patch) { x.Withdrawn = late }, late, Reject, ""},
		{"withdrawn and contested", nil, func(x *patch.Patch) { x.Withdrawn, x.Contested = late, true }, late, Reject, ""},
		{"a rule without a verdict", rules(NoDecision), nil, late, NoDecision, ""},
		{"a rule with a verdict that there is not", rules(Approve + 1), nil, late, NoDecision, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			x, d := fix(), till()
			if row.x != nil {
				row.x(&x)
			}
			before := fix()
			if row.x != nil {
				row.x(&before)
			}
			j := (&Policy{Rules: row.rules}).Decide(&x, &d, row.now)
			require.Equal(t, row.want, j.Verdict)
			require.Equal(t, row.rule, j.Rule)
			require.Equal(t, row.want == Defer, !j.Until.IsZero())
			if j.Verdict == Defer {
				require.Equal(t, late, j.Until)
			}
			if j.Verdict != NoDecision {
				require.NotEmpty(t, j.Reasons)
				require.Equal(t, j.Rule, j.Reasons[0].Rule, "what decided comes first")
			}
			require.Empty(t, cmp.Diff(before, x))
		})
	}
}

func TestSomePatchesAreOutUnlessNamed(t *testing.T) {
	d := till()
	late := released().Add(30 * day.Std())
	for class := patch.ClassUnknown; class <= patch.ClassOptional; class++ {
		named := false
		switch class {
		case patch.ClassUnknown, patch.ClassFeature, patch.ClassDriver, patch.ClassFirmware, patch.ClassOptional:
			named = true
		}
		decide := func(m Match, v Verdict) Verdict {
			x := fix()
			x.Classification = class
			r := Rule{Name: "r", Match: m, Verdict: v}
			if v == Defer {
				r.For = 365 * day
			}
			return (&Policy{Rules: []Rule{r}}).Decide(&x, &d, late).Verdict
		}
		t.Run(class.String(), func(t *testing.T) {
			for _, v := range []Verdict{Approve, RequireApproval} {
				want := v
				if named {
					want = NoDecision
				}
				require.Equal(t, want, decide(Match{All: true}, v))
				require.Equal(t, want, decide(Match{Packages: []string{"openssl"}}, v))
				require.Equal(t, want, decide(Match{IDs: []patch.ID{"debian:*"}}, v), "a pattern names nothing")
				require.Equal(t, v, decide(Match{Classifications: []patch.Classification{class}}, v))
				require.Equal(t, v, decide(Match{IDs: []patch.ID{fix().ID}}, v))
			}
			for _, v := range []Verdict{Hold, Reject, Defer} {
				require.Equal(t, v, decide(Match{All: true}, v), "what keeps away need not name")
			}
		})
	}
}

// A driver that is approved by name is kept away by a rule that knows nothing of drivers.
func TestARejectionNeedNotNameWhatItKeepsAway(t *testing.T) {
	p := Policy{Rules: []Rule{
		{Name: "drivers", Match: Match{Classifications: []patch.Classification{patch.ClassDriver}}, Verdict: Approve},
		{Name: "no openssl", Match: Match{Packages: []string{"openssl"}}, Verdict: Reject},
	}}
	x, d := fix(), till()
	x.Classification = patch.ClassDriver
	require.Equal(t, Reject, p.Decide(&x, &d, released()).Verdict)
}

func TestReasonsTellWhatWasAboutIt(t *testing.T) {
	x, d := fix(), till()
	now := released().Add(7 * day.Std())
	tell := func(p Policy) string {
		j := p.Decide(&x, &d, now)
		lines := []string{j.Verdict.String()}
		for _, r := range j.Reasons {
			lines = append(lines, r.Code.String()+": "+r.String())
		}
		return strings.Join(lines, "\n")
	}
	all := Policy{Rules: rules(Defer, Approve, RequireApproval, Hold, Reject, Hold)}
	all.Rules[4].Reason = "it eats disks"
	require.Equal(t, `reject
rule: rule "reject-4" rejects it: it eats disks
defer-over: rule "defer-0" deferred it until 2026-05-08 10:00 UTC, which is over
outranked: rule "approve-1" would approve it, but is outranked
outranked: rule "require-approval-2" would require approval for it, but is outranked
outranked: rule "hold-3" would hold it, but is outranked
outranked: rule "hold-5" would hold it, but is outranked`, tell(all))

	require.Equal(t, `require-approval
rule: rule "require-approval-0" requires approval for it
preceded: rule "approve-1" would approve it, but a rule before it decides`, tell(Policy{Rules: rules(RequireApproval, Approve)}))

	require.Equal(t, `approve
rule: rule "approve-0" approves it
preceded: rule "defer-1" would defer it, but a rule before it decides`, func() string {
		now = released()
		return tell(Policy{Rules: rules(Approve, Defer)})
	}())

	require.Equal(t, `defer
rule: rule "defer-0" defers it until 2026-05-08 10:00 UTC`, tell(Policy{Rules: rules(Defer)}))

	x.Classification = patch.ClassDriver
	require.Equal(t, `no-decision
not-named: rule "approve-0" would approve it, but does not name patches classified as driver`, tell(Policy{Rules: rules(Approve)}))

	x.Released = time.Time{}
	require.Equal(t, `hold
release-unknown: rule "defer-0" defers it from its release on, and nobody says when that was: held`, tell(Policy{Rules: rules(Defer)}))

	x.Contested, x.Withdrawn = true, released()
	require.Equal(t, `reject
withdrawn: its publisher withdrew it on 2026-05-01 10:00 UTC
contested: its publisher contradicts itself about its classification: held
outranked: rule "hold-0" would hold it, but is outranked
outranked: rule "reject-1" would reject it, but is outranked
outranked: rule "defer-2" would defer it, but is outranked`, tell(Policy{Rules: rules(Hold, Reject, Defer)}))

	require.Equal(t, "no reason", Reason{}.String())
	require.Equal(t, `rule "" says nothing of it`, Reason{Code: ReasonRule}.String())
	require.Equal(t, `rule "h" holds it`, Reason{Code: ReasonRule, Rule: "h", Verdict: Hold}.String())
}

func TestAJudgementIsPlainData(t *testing.T) {
	x, d := fix(), till()
	want := (&Policy{Rules: rules(Defer, Approve)}).Decide(&x, &d, released())
	text, err := json.Marshal(want)
	require.NoError(t, err)
	require.JSONEq(t, `{"verdict":"defer","rule":"defer-0","until":"2026-05-08T10:00:00Z","reasons":[
		{"code":"rule","rule":"defer-0","verdict":"defer","at":"2026-05-08T10:00:00Z"},
		{"code":"preceded","rule":"approve-1","verdict":"approve"}]}`, string(text))
	var got Judgement
	require.NoError(t, json.Unmarshal(text, &got))
	require.Empty(t, cmp.Diff(want, got))
}

func TestDecideAllocatesOnlyReasons(t *testing.T) {
	p := fleet()
	x, d := fix(), till()
	x.Packages[0].Name, x.Packages[1].Name = "bash", "bash-doc"
	p.Rules = p.Rules[:3] // none of them matches
	require.Zero(t, testing.AllocsPerRun(100, func() { p.Decide(&x, &d, released()) }))
	p.Rules = rules(Approve)
	require.EqualValues(t, 1, testing.AllocsPerRun(100, func() { p.Decide(&x, &d, released()) }))

	// Without reasons it allocates nothing, whatever it has to look at.
	p.Rules = rules(Defer, RequireApproval, Hold)
	p.Exceptions = append(p.Exceptions, excepted())
	p.Deadlines = append(p.Deadlines, Deadline{Name: "d", Match: Match{All: true}, Within: 5 * day})
	p.Holds = append(p.Holds, KnownIssue{ID: "H", Match: Match{Packages: []string{"bash*"}}, FailClosed: true})
	c := Case{Patch: &x, Device: &d, Older: []Older{{Patch: &x}}}
	require.Equal(t, Hold, p.Verdict(c, released()))
	require.Zero(t, testing.AllocsPerRun(100, func() { p.Verdict(c, released()) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { p.Due(c, released()) }))
}

func TestTally(t *testing.T) {
	var a, b Tally
	require.Equal(t, "0 findings", a.String())
	a.Add(Judgement{Verdict: Approve, Rule: "security"})
	require.Equal(t, "1 finding: 1 approve; by rule: security 1", a.String())
	a.Add(Judgement{})
	a.Add(Judgement{Verdict: Hold})
	b.Add(Judgement{Verdict: Approve, Rule: "security"})
	b.Add(Judgement{Verdict: Defer, Rule: "wait"})
	b.Add(Judgement{Verdict: Defer, Rule: "a wait"})
	a.Merge(b)
	require.Equal(t, "6 findings: 2 approve, 2 defer, 1 hold, 1 no-decision; by rule: security 2, a wait 1, wait 1", a.String())
	text, err := json.Marshal(a)
	require.NoError(t, err)
	require.Equal(t, `{"total":6,"verdicts":{"approve":2,"defer":2,"hold":1,"no-decision":1},"rules":{"a wait":1,"security":2,"wait":1}}`, string(text))
	var back Tally
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, a, back)
	require.Equal(t, 3, b.Total, "merging leaves the other alone")
}

func BenchmarkDecide(b *testing.B) {
	p := fleet()
	for i := range 14 {
		p.Rules = append(p.Rules, Rule{Name: fmt.Sprint(i), Verdict: Approve,
			Match: Match{Classifications: []patch.Classification{patch.ClassFeature}, Packages: []string{"linux-*", "snapd"}}})
	}
	d := till()
	now := released().Add(10 * day.Std())
	for name, class := range map[string]patch.Classification{"approved": patch.ClassSecurity, "no rule": patch.ClassOptional} {
		x := fix()
		x.Classification = class
		if name == "no rule" {
			p.Rules[3].Match = Match{IDs: []patch.ID{"x"}}
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Decide(&x, &d, now)
			}
		})
		b.Run(name+", verdict only", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Verdict(Case{Patch: &x, Device: &d}, now)
			}
		})
	}
}
