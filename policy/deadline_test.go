package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

func TestWhenAPatchIsDue(t *testing.T) {
	all := Match{All: true}
	after := func(n Duration) time.Time { return released().Add(n.Std()) }
	for _, row := range []struct {
		name string
		ls   []Deadline
		c    func(c *Case)
		want Due
	}{
		{"no deadline", nil, nil, Due{}},
		{"one for others", []Deadline{{Name: "a", Match: Match{MinSeverity: patch.SeverityCritical}, Within: day}}, nil, Due{}},
		{"from its release", []Deadline{{Name: "a", Match: all, Within: 7 * day}}, nil, Due{At: after(7 * day), Deadline: "a", Start: released()}},
		{"from when it was first seen", []Deadline{{Name: "a", Match: all, Within: 7 * day, From: SinceFirstSeen}}, func(c *Case) { c.FirstSeen = after(2 * day) },
			Due{At: after(9 * day), Deadline: "a", From: SinceFirstSeen, Start: after(2 * day)}},
		{"first seen, which nobody noted", []Deadline{{Name: "a", Match: all, Within: 7 * day, From: SinceFirstSeen}}, nil, Due{At: after(7 * day), Deadline: "a", Start: released()}},
		{"released, which nobody says", []Deadline{{Name: "a", Match: all, Within: 7 * day}}, func(c *Case) { c.Patch.Released, c.FirstSeen = time.Time{}, after(2*day) },
			Due{At: after(9 * day), Deadline: "a", From: SinceFirstSeen, Start: after(2 * day)}},
		{"no clock that is known", []Deadline{{Name: "a", Match: all, Within: 7 * day}}, func(c *Case) { c.Patch.Released = time.Time{} }, Due{Deadline: "a"}},
		{"from approval, before it", []Deadline{{Name: "a", Match: all, Within: day, From: SinceApproved}}, nil, Due{Deadline: "a", From: SinceApproved}},
		{"from approval", []Deadline{{Name: "a", Match: all, Within: day, From: SinceApproved}}, func(c *Case) { c.Approved = after(5 * day) },
			Due{At: after(6 * day), Deadline: "a", From: SinceApproved, Start: after(5 * day)}},
		{"the earlier of two", []Deadline{{Name: "a", Match: all, Within: 7 * day}, {Name: "b", Match: all, Within: 5 * day}, {Name: "c", Match: all, Within: 5 * day}}, nil,
			Due{At: after(5 * day), Deadline: "b", Start: released()}},
		{"a known one before one that does not run", []Deadline{{Name: "a", Match: all, Within: day, From: SinceApproved}, {Name: "b", Match: all, Within: 5 * day}}, nil,
			Due{At: after(5 * day), Deadline: "b", Start: released()}},
		{"now", []Deadline{{Name: "a", Match: all, Now: true}}, nil, Due{At: released(), Now: true, Deadline: "a", Start: released()}},
		{"now, and nobody knows since when", []Deadline{{Name: "a", Match: all, Now: true}}, func(c *Case) { c.Patch.Released = time.Time{} }, Due{Now: true, Deadline: "a"}},
		{"of a fix that it supersedes", []Deadline{{Name: "a", Match: all, Within: 7 * day}},
			func(c *Case) { c.Older = []Older{{Patch: &patch.Patch{ID: "old", Released: after(-3 * day)}}} },
			Due{At: after(4 * day), Deadline: "a", Patch: "old", Start: after(-3 * day)}},
		{"of the oldest fix that it supersedes", []Deadline{{Name: "a", Match: all, Within: 7 * day, From: SinceFirstSeen}},
			func(c *Case) {
				c.FirstSeen = after(3 * day)
				c.Older = []Older{{&patch.Patch{ID: "old"}, after(2 * day), time.Time{}}, {&patch.Patch{ID: "older"}, after(day), time.Time{}}}
			}, Due{At: after(8 * day), Deadline: "a", Patch: "older", From: SinceFirstSeen, Start: after(day)}},
		{"of a superseded fix that another deadline is about", []Deadline{{Name: "a", Match: Match{MinSeverity: patch.SeverityCritical}, Within: 2 * day}, {Name: "b", Match: all, Within: 7 * day}},
			func(c *Case) {
				c.Older = []Older{{Patch: &patch.Patch{ID: "old", Severity: patch.SeverityCritical, Released: after(-day)}}}
			}, Due{At: after(day), Deadline: "a", Patch: "old", Start: after(-day)}},
		{"of another device", []Deadline{{Name: "a", Match: Match{Devices: inventory.MustSelector("role=web")}, Within: day}}, nil, Due{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			x, d := fix(), till()
			c := Case{Patch: &x, Device: &d}
			if row.c != nil {
				row.c(&c)
			}
			if row.want.Deadline != "" && row.want.Patch == "" {
				row.want.Patch = x.ID
			}
			p := Policy{Deadlines: row.ls}
			got := p.Due(c, after(day))
			require.Equal(t, row.want, got)
			require.Equal(t, len(row.ls) == 0 || got.Deadline == "", got.IsZero())
			if !got.At.IsZero() {
				require.False(t, got.Overdue(got.At))
				require.True(t, got.Overdue(got.At.Add(1)))
			} else {
				require.False(t, got.Overdue(after(1000*day)), "unknown is not overdue; it is not in time either")
			}
		})
	}
}

func TestADeferralCannotBreakADeadline(t *testing.T) {
	after := func(n Duration) time.Time { return released().Add(n.Std()) }
	all := Match{All: true}
	defers := []Rule{{Name: "wait", Match: all, Verdict: Defer, For: 14 * day}, {Name: "yes", Match: all, Verdict: Approve}}
	for _, row := range []struct {
		name string
		l    Deadline
		x    func(x *patch.Patch)
		ends Duration // of the deferral, after the release; 0 for none
		code ReasonCode
		text string
	}{
		{"far away", Deadline{Name: "d", Match: all, Within: 30 * day}, nil, 14 * day, ReasonRule, ""},
		{"a day before", Deadline{Name: "d", Match: all, Within: 10 * day}, nil, 9 * day, ReasonCapped,
			`rule "wait" defers it until 2026-05-10 10:00 UTC, cut short by deadline "d", which is due 2026-05-11 10:00 UTC`},
		{"half of it before", Deadline{Name: "d", Match: all, Within: day}, nil, day / 2, ReasonCapped, ""},
		{"as long before as it says", Deadline{Name: "d", Match: all, Within: 10 * day, Reserve: 4 * day}, nil, 6 * day, ReasonCapped, ""},
		{"not for others", Deadline{Name: "d", Match: Match{MinSeverity: patch.SeverityCritical}, Within: 10 * day}, nil, 14 * day, ReasonRule, ""},
		{"now", Deadline{Name: "d", Match: all, Now: true}, nil, 0, ReasonUrgent, `rule "wait" would defer it, but deadline "d" says now`},
		{"now, and nobody says since when", Deadline{Name: "d", Match: all, Now: true}, func(x *patch.Patch) { x.Released = time.Time{} }, 0, ReasonUrgent, ""},
		{"a release that nobody says", Deadline{Name: "d", Match: all, Within: 10 * day}, func(x *patch.Patch) { x.Released = time.Time{} }, 10 * day, ReasonCapped, ""},
		{"before approval", Deadline{Name: "d", Match: all, Within: 3 * day, From: SinceApproved}, nil, 14 * day, ReasonRule, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			x, d := fix(), till()
			if row.x != nil {
				row.x(&x)
			}
			p := Policy{Rules: defers, Deadlines: []Deadline{row.l}}
			c := Case{Patch: &x, Device: &d, FirstSeen: after(day)}
			j := p.Judge(c, released())
			if row.ends == 0 {
				require.Equal(t, Approve, j.Verdict)
				require.Equal(t, "yes", j.Rule)
				require.Equal(t, row.code, j.Reasons[1].Code)
				if row.text != "" {
					require.Equal(t, row.text, j.Reasons[1].String())
				}
				return
			}
			require.Equal(t, Defer, j.Verdict)
			require.Equal(t, "wait", j.Rule)
			require.Equal(t, after(row.ends), j.Until)
			require.Equal(t, row.code, j.Reasons[0].Code)
			if row.text != "" {
				require.Equal(t, row.text, j.Reasons[0].String())
			}
			require.Equal(t, Defer, p.Judge(c, after(row.ends).Add(-1)).Verdict)
			over := p.Judge(c, after(row.ends))
			require.Equal(t, Approve, over.Verdict)
			require.Equal(t, ReasonDeferOver, over.Reasons[1].Code)
			require.Equal(t, row.code == ReasonCapped, strings.Contains(over.Reasons[1].String(), `deadline "d" cut that short`))
		})
	}
}

// However a deferral and a deadline are chosen, the deferral is over before the patch is due.
func FuzzADeferralEndsBeforeTheDeadline(f *testing.F) {
	f.Add(int64(14*day), int64(7*day), int64(0), false)
	f.Add(int64(1), int64(1), int64(1), true)
	f.Fuzz(func(t *testing.T, wait, within, reserve int64, seen bool) {
		const most = int64(1000 * day)
		x, d := fix(), till()
		p := Policy{Name: "p", Rules: []Rule{{Name: "wait", Match: Match{All: true}, Verdict: Defer, For: Duration(wait % most)}},
			Deadlines: []Deadline{{Name: "d", Match: Match{All: true}, Within: Duration(within % most), Reserve: Duration(reserve % most)}}}
		if p.Validate() != nil {
			return
		}
		c := Case{Patch: &x, Device: &d}
		if seen {
			p.Deadlines[0].From, c.FirstSeen = SinceFirstSeen, released().Add(time.Hour)
		}
		due := p.Due(c, released()).At
		for now := released(); ; {
			j := p.Judge(c, now)
			require.Equal(t, j.Verdict, p.Verdict(c, now))
			if j.Verdict != Defer {
				require.False(t, now.After(due))
				return
			}
			require.True(t, j.Until.After(now))
			now = j.Until
		}
	})
}

func TestValidateNamesTheFieldOfADeadline(t *testing.T) {
	for want, l := range map[string]Deadline{
		`policy: deadlines[0].name: missing`:                                               {Match: Match{All: true}, Now: true},
		`policy: deadlines[0].match: says nothing: a rule about everything says all: true`: {Name: "d", Now: true},
		`policy: deadlines[0].within: missing: say within how long, or now`:                {Name: "d", Match: Match{All: true}},
		`policy: deadlines[0].within: what is due now has none`:                            {Name: "d", Match: Match{All: true}, Now: true, Within: 1},
		`policy: deadlines[0].within: -1s is negative`:                                     {Name: "d", Match: Match{All: true}, Within: -1e9},
		`policy: deadlines[0].from: clock 9 has no name`:                                   {Name: "d", Match: Match{All: true}, Within: 1, From: 9},
		`policy: deadlines[0].reserve: -1s is negative`:                                    {Name: "d", Match: Match{All: true}, Within: 1, Reserve: -1e9},
		`policy: deadlines[0].reserve: what is due now has none`:                           {Name: "d", Match: Match{All: true}, Now: true, Reserve: 1},
		`policy: deadlines[0].reserve: 1d is longer than within, 12h`:                      {Name: "d", Match: Match{All: true}, Within: day / 2, Reserve: day},
	} {
		t.Run(want, func(t *testing.T) {
			require.EqualError(t, (&Policy{Name: "p", Deadlines: []Deadline{l}}).Validate(), want)
		})
	}
	l := Deadline{Name: "d", Match: Match{All: true}, Now: true}
	require.EqualError(t, (&Policy{Name: "p", Deadlines: []Deadline{l, l}}).Validate(), `policy: deadlines[1].name: "d" is the name of deadlines[0] already`)
}

func TestWhoseApprovalIsRequired(t *testing.T) {
	x, d := fix(), till()
	for _, row := range []struct {
		r    Rule
		want int
		text string
	}{
		{Rule{}, 1, `rule "ask" requires approval for it`},
		{Rule{Quorum: 2}, 2, `rule "ask" requires approval for it by 2 people`},
		{Rule{Approvers: []string{"hans", "group:board"}}, 1, `rule "ask" requires approval for it by one of hans, group:board`},
		{Rule{Approvers: []string{"hans", "group:board"}, Quorum: 2}, 2, `rule "ask" requires approval for it by 2 of hans, group:board`},
	} {
		row.r.Name, row.r.Match, row.r.Verdict = "ask", Match{All: true}, RequireApproval
		j := (&Policy{Rules: []Rule{row.r}}).Decide(&x, &d, released())
		require.Equal(t, row.r.Approvers, j.Approvers)
		require.Equal(t, row.want, j.Quorum)
		require.Equal(t, row.text, j.Reasons[0].String())
	}
	for want, r := range map[string]Rule{
		`policy: rules[0].approvers[1]: "hans" is the name of rules[0].approvers[0] already`: {Verdict: RequireApproval, Approvers: []string{"hans", "hans"}},
		`policy: rules[0].approvers[0]: missing`:                                             {Verdict: RequireApproval, Approvers: []string{""}},
		`policy: rules[0].quorum: -1 is negative`:                                            {Verdict: RequireApproval, Quorum: -1},
		`policy: rules[0].approvers: only a rule that requires approval has them`:            {Verdict: Approve, Approvers: []string{"hans"}},
		`policy: rules[0].quorum: only a rule that requires approval has it`:                 {Verdict: Approve, Quorum: 2},
	} {
		r.Name, r.Match = "r", Match{All: true}
		require.EqualError(t, (&Policy{Name: "p", Rules: []Rule{r}}).Validate(), want)
	}
}

// A deferral goes by the clock that its rule names. A clock that is not known to run holds, however long the others have run.
func TestWhatADeferralCountsFrom(t *testing.T) {
	x, d := fix(), till()
	now := released().Add(10 * day.Std())
	ago := func(d Duration) time.Time { return now.Add(-d.Std()) }
	for _, row := range []struct {
		name string
		from Since
		c    Case
		want Verdict
		text string
	}{
		{"released long ago", SinceReleased, Case{FirstSeen: ago(day), Approved: ago(day)}, Approve, `rule "yes" approves it`},
		{"seen of late", SinceFirstSeen, Case{FirstSeen: ago(day), Approved: ago(9 * day)}, Defer, `rule "wait" defers it until 2026-05-17 10:00 UTC`},
		{"seen long ago", SinceFirstSeen, Case{FirstSeen: ago(7 * day), Approved: ago(day)}, Approve, `rule "yes" approves it`},
		{"not known when it was seen", SinceFirstSeen, Case{Approved: ago(9 * day)}, Hold,
			`rule "wait" defers it from when it was first seen on, and nobody says when that was: held`},
		{"approved of late", SinceApproved, Case{FirstSeen: ago(9 * day), Approved: ago(day)}, Defer, `rule "wait" defers it until 2026-05-17 10:00 UTC`},
		{"approved long ago", SinceApproved, Case{FirstSeen: ago(day), Approved: ago(7 * day)}, Approve, `rule "yes" approves it`},
		{"not approved", SinceApproved, Case{FirstSeen: ago(9 * day)}, Hold, `rule "wait" defers it from its approval on, and it is not approved: held`},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := Policy{Name: "p", Rules: []Rule{{Name: "wait", Match: Match{All: true}, Verdict: Defer, For: 7 * day, From: row.from},
				{Name: "yes", Match: Match{All: true}, Verdict: Approve}}, Rings: []Ring{{Name: "all", Rest: true}}}
			require.NoError(t, p.Validate())
			row.c.Patch, row.c.Device = &x, &d
			j := p.Judge(row.c, now)
			require.Equal(t, row.want, j.Verdict)
			require.Equal(t, row.text, j.Reasons[0].String())
			if row.want == Defer { // and from then on it is let through
				require.Equal(t, j.Until, p.Explain(row.c, now).Next)
				require.Equal(t, Approve, p.Verdict(row.c, j.Until))
				require.Equal(t, Defer, p.Verdict(row.c, j.Until.Add(-1)))
			}
		})
	}
	t.Run("a deadline cuts it short all the same", func(t *testing.T) {
		p := Policy{Rules: []Rule{{Name: "wait", Match: Match{All: true}, Verdict: Defer, For: 7 * day, From: SinceApproved}},
			Deadlines: []Deadline{{Name: "d", Match: Match{All: true}, Within: 12 * day}}}
		require.Equal(t, released().Add(11*day.Std()), p.Judge(Case{Patch: &x, Device: &d}, now).Until)
	})
	t.Run("what the publisher edits later moves nothing", func(t *testing.T) {
		p := Policy{Rules: []Rule{{Name: "wait", Match: Match{All: true}, Verdict: Defer, For: 14 * day}}}
		edited := x
		edited.Modified = now.Add(-time.Hour)
		j := p.Judge(Case{Patch: &edited, Device: &d}, now)
		require.Equal(t, Defer, j.Verdict)
		require.Equal(t, released().Add(14*day.Std()), j.Until)
	})
	t.Run("only a rule that defers has a clock", func(t *testing.T) {
		p := Policy{Name: "p", Rules: []Rule{{Name: "yes", Match: Match{All: true}, Verdict: Approve, From: SinceApproved}}, Rings: []Ring{{Name: "all", Rest: true}}}
		require.ErrorContains(t, p.Validate(), "rules[0].from: only a rule that defers has it")
	})
}
