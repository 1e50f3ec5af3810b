package policy

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
)

func TestAnExplanationTellsAll(t *testing.T) {
	at := func(n Duration) time.Time { return released().Add(n.Std()) }
	week := []Deadline{{Name: "fortnight", Match: Match{All: true}, Within: 14 * day}}
	for _, row := range []struct {
		name string
		p    Policy
		c    func(c *Case)
		now  Duration
		want string
	}{
		{"approved", Policy{Rules: rules(Approve)}, nil, 0, `debian:bookworm/openssl=3.0.17 on ada: approve (policy p, at 2026-05-01 10:00 UTC)
  because rule "approve-0" approves it
`},
		{"approved, and a rule that begins later", Policy{Rules: []Rule{{Name: "later", Match: Match{MinAge: 2 * day}, Verdict: RequireApproval}, rules(Approve)[0]}}, nil, day,
			`debian:bookworm/openssl=3.0.17 on ada: approve (policy p, at 2026-05-02 10:00 UTC)
  because rule "approve-0" approves it
  next change: 2026-05-03 10:00 UTC, then require-approval
`},
		{"approved, and by another rule later", Policy{Rules: []Rule{{Name: "later", Match: Match{MinAge: 2 * day}, Verdict: Approve}, rules(Approve)[0]}}, nil, day,
			`debian:bookworm/openssl=3.0.17 on ada: approve (policy p, at 2026-05-02 10:00 UTC)
  because rule "approve-0" approves it
  next change: 2026-05-03 10:00 UTC, then approve
`},
		{"deferred", Policy{Rules: rules(Defer, Approve), Deadlines: week}, func(c *Case) { c.Patch.Title = "OpenSSL" }, day,
			`debian:bookworm/openssl=3.0.17 on ada: defer until 2026-05-08 10:00 UTC (policy p, at 2026-05-02 10:00 UTC)
  what: OpenSSL
  because rule "defer-0" defers it until 2026-05-08 10:00 UTC
  also rule "approve-1" would approve it, but a rule before it decides
  due 2026-05-15 10:00 UTC, by deadline "fortnight": released 2026-05-01 10:00 UTC
  to change: time passes, or rule "defer-0" no longer matches it
  next change: 2026-05-08 10:00 UTC, then approve
`},
		{"excepted and overdue", Policy{Rules: rules(Approve), Exceptions: []Exception{excepted()}, Deadlines: week},
			func(c *Case) {
				c.Device.Tenant = "acme/berlin"
				c.Older = []Older{{Patch: &patch.Patch{ID: "debian:old", Released: at(-20 * day)}}}
			}, 2 * day, `debian:bookworm/openssl=3.0.17 on acme/berlin/ada: hold until 2026-05-11 10:00 UTC (policy p, at 2026-05-03 10:00 UTC)
  because exception "EX-1" leaves it out until 2026-05-11 10:00 UTC: the till needs it
  also rule "approve-0" would approve it, but is outranked
  due 2026-04-25 10:00 UTC, overdue, by deadline "fortnight": released as debian:old, which it supersedes, 2026-04-11 10:00 UTC
  to change: exception "EX-1" is revoked or expires
  next change: 2026-05-11 10:00 UTC, then approve
`},
		{"no decision", Policy{}, nil, 0, `debian:bookworm/openssl=3.0.17 on ada: no-decision (policy p, at 2026-05-01 10:00 UTC)
  because no rule is about it, and nothing is installed unless a rule says so
  to change: a rule that matches it approves it
`},
		{"no decision in spite of rules", Policy{Rules: rules(Approve)}, func(c *Case) { c.Patch.Classification = patch.ClassDriver }, 0, `debian:bookworm/openssl=3.0.17 on ada: no-decision (policy p, at 2026-05-01 10:00 UTC)
  also rule "approve-0" would approve it, but does not name patches classified as driver
  to change: rule "approve-0" names the classification driver, or the patch itself
`},
		{"a hold that expires into a deferral", Policy{Rules: rules(Defer, Approve), Holds: []KnownIssue{{ID: "H", Match: Match{All: true}, Expires: at(2 * day)}}}, nil, day,
			`debian:bookworm/openssl=3.0.17 on ada: hold until 2026-05-03 10:00 UTC (policy p, at 2026-05-02 10:00 UTC)
  because hold "H" keeps it back until 2026-05-03 10:00 UTC
  also rule "defer-0" would defer it, but is outranked
  also rule "approve-1" would approve it, but is outranked
  to change: hold "H" is lifted or expires, or names it as fixed
  next change: 2026-05-03 10:00 UTC, then defer
`},
	} {
		t.Run(row.name, func(t *testing.T) {
			x, d := fix(), till()
			c := Case{Patch: &x, Device: &d}
			if row.c != nil {
				row.c(&c)
			}
			row.p.Name = "p"
			e := row.p.Explain(c, at(row.now))
			require.Equal(t, row.want, e.String())
			text, err := json.Marshal(e)
			require.NoError(t, err)
			var back Explanation
			require.NoError(t, json.Unmarshal(text, &back))
			require.Empty(t, cmp.Diff(e, back), "an explanation is plain data")
		})
	}
}

// What time changes is found at the very instant, and before it nothing changes.
func TestNextIsTheFirstInstantOfAnotherVerdict(t *testing.T) {
	x, d := fix(), till()
	p := Policy{Name: "p", Rules: append(rules(Defer), Rule{Name: "old", Match: Match{MinAge: 9 * day}, Verdict: RequireApproval}, rules(Approve)[0]),
		Deadlines:  []Deadline{{Name: "d", Match: Match{All: true}, Within: 6 * day}},
		Exceptions: []Exception{excepted()}, Holds: []KnownIssue{{ID: "H", Match: Match{MinAge: 3 * day}, Expires: released().Add(4 * day.Std())}}}
	c := Case{Patch: &x, Device: &d}
	var seen []string
	for now := released(); !now.IsZero(); {
		e := p.Explain(c, now)
		seen = append(seen, e.Verdict.String())
		if !e.Next.IsZero() {
			require.Equal(t, e.Then, p.Verdict(c, e.Next))
			before := p.Judge(c, e.Next.Add(-1))
			require.Equal(t, []any{e.Verdict, e.Rule, e.Until}, []any{before.Verdict, before.Rule, before.Until})
		}
		now = e.Next
	}
	require.Equal(t, []string{"defer", "hold", "hold", "hold", "require-approval"}, seen)
}

func TestWhatWouldHaveToChange(t *testing.T) {
	h := KnownIssue{ID: "H", Match: Match{All: true}}
	for want, row := range map[string]struct {
		p Policy
		x func(x *patch.Patch)
	}{
		"": {Policy{Rules: rules(Approve)}, nil},
		"its publisher brings it back, or another patch takes its place":    {Policy{}, func(x *patch.Patch) { x.Withdrawn = released() }},
		"the sources agree on its classification":                           {Policy{}, func(x *patch.Patch) { x.Contested = true }},
		"its release date becomes known, or a deadline says now":            {Policy{Rules: rules(Defer)}, func(x *patch.Patch) { x.Released = time.Time{} }},
		`hold "H" is lifted, or names it as fixed`:                          {Policy{Holds: []KnownIssue{h}}, nil},
		`hold "H" is lifted, or what is unknown of the patch becomes known`: {Policy{Holds: []KnownIssue{{ID: "H", Match: Match{Exploited: true}, FailClosed: true}}}, nil},
		"approval by one person":                                            {Policy{Rules: rules(RequireApproval)}, nil},
		"approval by 2 of hans, grete, eve":                                 {Policy{Rules: []Rule{{Name: "r", Match: Match{All: true}, Verdict: RequireApproval, Quorum: 2, Approvers: []string{"hans", "grete", "eve"}}}}, nil},
		`rule "reject-0" no longer matches it`:                              {Policy{Rules: rules(Reject)}, nil},
		`rule "hold-0" no longer matches it`:                                {Policy{Rules: rules(Hold)}, nil},
	} {
		x, d := fix(), till()
		if row.x != nil {
			row.x(&x)
		}
		j := row.p.Decide(&x, &d, released())
		require.Equal(t, want, j.Remedy())
	}
}

func TestADueDateIsPrinted(t *testing.T) {
	at := released()
	for want, due := range map[string]Due{
		"never: no deadline is about it": {},
		"now, by deadline \"d\"":         {Now: true, Deadline: "d"},
		"now, since 2026-05-01 10:00 UTC, by deadline \"d\": released 2026-05-01 10:00 UTC": {Now: true, At: at, Deadline: "d", Start: at},
		"by deadline \"d\", once it is approved":                                            {Deadline: "d", From: SinceApproved},
		"by deadline \"d\", and nobody knows when its clock began":                          {Deadline: "d"},
		"2026-05-08 10:00 UTC, by deadline \"d\": first seen 2026-05-01 10:00 UTC":          {At: at.Add(7 * day.Std()), Deadline: "d", From: SinceFirstSeen, Start: at},
		"2026-05-08 10:00 UTC, by deadline \"d\": approved 2026-05-01 10:00 UTC":            {At: at.Add(7 * day.Std()), Deadline: "d", From: SinceApproved, Start: at},
	} {
		require.Equal(t, want, due.String())
	}
}
