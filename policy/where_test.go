package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/predicate"
)

// What lets work go on wants to know that a condition holds; what keeps it back counts where that is not known.
func TestAConditionThatIsUnknown(t *testing.T) {
	unknown := Match{Where: where("cvss >= 7")} // nobody has given a score
	no := Match{Where: where("exists cvss")}
	for _, row := range []struct {
		rule Rule
		want Verdict // of the unknown condition
	}{
		{Rule{Verdict: Approve}, NoDecision}, {Rule{Verdict: RequireApproval}, NoDecision},
		{Rule{Verdict: Reject}, Reject}, {Rule{Verdict: Hold}, Hold}, {Rule{Verdict: Defer, For: 30 * 24 * Duration(time.Hour)}, Defer},
	} {
		row.rule.Name = "r"
		x, d := fix(), till()
		now := released().Add(time.Hour)
		row.rule.Match = unknown
		p := Policy{Rules: []Rule{row.rule}}
		require.Equal(t, row.want, p.Decide(&x, &d, now).Verdict, row.rule.Verdict)
		p.Rules[0].Match = no
		require.Equal(t, NoDecision, p.Decide(&x, &d, now).Verdict, row.rule.Verdict)
		p.Rules[0].Match = unknown
		x.Advisories = []patch.Advisory{{Scores: []patch.Score{{Base: 9}}}}
		require.Equal(t, row.rule.Verdict, p.Decide(&x, &d, now).Verdict)
	}

	x, d := fix(), till()
	now := released().Add(time.Hour)
	hold := KnownIssue{ID: "H", Match: unknown}
	p := Policy{Rules: []Rule{{Name: "all", Match: Match{All: true, Classifications: []patch.Classification{x.Classification}}, Verdict: Approve}}, Holds: []KnownIssue{hold}}
	require.Equal(t, Approve, p.Decide(&x, &d, now).Verdict)
	p.Holds[0].FailClosed = true
	require.Equal(t, Hold, p.Decide(&x, &d, now).Verdict)
	require.False(t, (&Freeze{Except: []Match{unknown}}).Excepts(&x, &d, now))
	require.True(t, (&Freeze{Except: []Match{{Where: where("not exists cvss")}}}).Excepts(&x, &d, now))
	p.Deadlines = []Deadline{{Name: "d", Match: unknown, Within: Duration(time.Hour)}}
	require.Zero(t, p.Due(Case{Patch: &x, Device: &d}, now).At)
}

func TestAConditionAboutTheFinding(t *testing.T) {
	x, d := fix(), till()
	p := Policy{Rules: []Rule{{Name: "r", Match: Match{Where: where("finding.evidence = device-says and severity >= low")}, Verdict: Approve}}}
	x.Classification = patch.ClassSecurity
	c := Case{Patch: &x, Device: &d, Finding: &inventory.Finding{Evidence: inventory.DeviceSays}}
	require.Equal(t, Approve, p.Judge(c, released()).Verdict)
	c.Finding = nil
	require.Equal(t, NoDecision, p.Judge(c, released()).Verdict, "it is not known how")
}

// An explanation knows when an age in a condition is reached.
func TestAnExplanationKnowsWhenAConditionTurns(t *testing.T) {
	x, d := fix(), till()
	x.Classification = patch.ClassSecurity
	p := Policy{Name: "p", Rules: []Rule{{Name: "r", Match: Match{Where: where("age > 2d")}, Verdict: Approve}}}
	e := p.Explain(Case{Patch: &x, Device: &d}, released())
	require.Equal(t, NoDecision, e.Verdict)
	require.Equal(t, Approve, e.Then)
	require.Equal(t, released().Add(48*time.Hour+1), e.Next)
}

// Faults of a condition stand where it stands in the document.
func TestFaultsOfAConditionHaveTheirPlace(t *testing.T) {
	const head = "name: p\nrules:\n  - name: r\n    verdict: hold\n    match:\n      where: "
	for text, want := range map[string][]string{
		"severty >= low":                                {`p.yaml:6:14: rules[0].match.where: `, "severity"},
		"severity >= lowish":                            {`p.yaml:6:26: rules[0].match.where: `},
		`"severty >= low and cvss = high"`:              {`rules[0].match.where: `, "severity", "high"},
		`{all: [{field: cvs, op: ">", values: ["1"]}]}`: {`p.yaml:6:`, `rules[0].match.where.all[0]`},
		`""`:   {`rules[0].match.where: `},
		"[x]":  {`rules[0].match.where: `},
		"{}":   {`rules[0].match.where: `},
		"null": {`rules[0].match.where: `},
	} {
		_, err := Decode(strings.NewReader(head+text+"\n"), "p.yaml")
		require.Error(t, err, text)
		for _, part := range want {
			require.ErrorContains(t, err, part, text)
		}
	}
	p, err := Decode(strings.NewReader(head+"exploited and label.site in (oslo, bergen)\n"), "")
	require.NoError(t, err)
	require.Equal(t, "exploited and label.site in (oslo, bergen)", p.Rules[0].Match.Where.String())
}

func TestWhereAsText(t *testing.T) {
	w := where("exploited and  cvss>=7")
	require.Equal(t, "exploited and cvss >= 7", w.String())
	require.True(t, w.Equal(WhereOf(predicate.MustParse("exploited and cvss >= 7"))))
	require.False(t, w.Equal(Where{}))
	data, err := json.Marshal(Match{Where: w})
	require.NoError(t, err)
	require.JSONEq(t, `{"where":"exploited and cvss >= 7"}`, string(data))
	var m Match
	require.NoError(t, json.Unmarshal(data, &m))
	require.True(t, m.Where.Equal(w))
	require.NoError(t, json.Unmarshal([]byte(`{"where":{"all":[{"field":"exploited"},{"field":"cvss","op":">=","values":["7"]}]}}`), &m))
	require.True(t, m.Where.Equal(w))
	require.NoError(t, json.Unmarshal([]byte(`{"where":""}`), &m))
	require.True(t, m.Where.IsZero())
	require.ErrorContains(t, json.Unmarshal([]byte(`{"where":"cvss"}`), &m), "cvss")
	var again Where
	require.NoError(t, again.UnmarshalText([]byte(w.String())))
	require.True(t, again.Equal(w))
	require.NoError(t, again.UnmarshalText(nil))
	require.True(t, again.IsZero())
	require.Error(t, again.UnmarshalText([]byte("cvss >")))
	require.True(t, WhereOf(predicate.Expr{}).IsZero())
}

func TestDecidingByAConditionTakesNoMemory(t *testing.T) {
	x, d := fix(), till()
	p := Policy{Rules: []Rule{{Name: "r", Match: Match{Where: where("severity >= low and label.role = till")}, Verdict: Hold}}}
	c := Case{Patch: &x, Device: &d}
	require.Zero(t, testing.AllocsPerRun(100, func() { p.Verdict(c, released()) }))
}

// A condition says what the other fields of a match cannot.
func ExampleWhere() {
	p, err := Decode(strings.NewReader(`
name: shops
rules:
  - name: tills by hand
    match: {where: 'label.role = till and (reboot = always or package glob "linux-image-*")'}
    verdict: require-approval
  - name: the rest
    match: {classifications: [security]}
    verdict: approve
`), "shops.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	x := patch.Patch{ID: "x:1", Classification: patch.ClassSecurity, Reboot: patch.RebootAlways}
	for _, role := range []string{"till", "office"} {
		d := inventory.Device{ID: "d", Labels: map[string]string{"role": role}}
		fmt.Println(role, p.Decide(&x, &d, time.Time{}).Verdict)
	}
	// Output:
	// till require-approval
	// office approve
}
