package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// excepted is an exception for the ordinary patch from a day after its release on, for nine days.
func excepted() Exception {
	return Exception{ID: "EX-1", Patches: []patch.ID{fix().ID}, Devices: inventory.All(), Reason: "the till needs it", Owner: "ada",
		Approver: "grace", Granted: released().Add(day.Std()), Expires: released().Add(10 * day.Std())}
}

func TestWhatAnExceptionLeavesOut(t *testing.T) {
	cves := func(names ...string) func(x *patch.Patch) {
		return func(x *patch.Patch) { x.Advisories[0].CVEs = names }
	}
	byCVE := func(names ...string) func(e *Exception) {
		return func(e *Exception) { e.Patches, e.CVEs = nil, names }
	}
	for _, row := range []struct {
		name string
		e    func(e *Exception)
		x    func(x *patch.Patch)
		now  Duration // after the release
		want Verdict
		code ReasonCode // of what the exception says
		text string
	}{
		{"a patch by its ID", nil, nil, 2 * day, Hold, ReasonExcepted, `exception "EX-1" leaves it out until 2026-05-11 10:00 UTC: the till needs it`},
		{"from the first instant on", nil, nil, day, Hold, ReasonExcepted, ""},
		{"not before", nil, nil, day - 1, Approve, ReasonExceptionEarly, `exception "EX-1" would leave it out, but only from 2026-05-02 10:00 UTC on: the till needs it`},
		{"up to the last instant", nil, nil, 10*day - 1, Hold, ReasonExcepted, ""},
		{"no longer", nil, nil, 10 * day, Approve, ReasonExceptionOver, `exception "EX-1" left it out until 2026-05-11 10:00 UTC, which is over: the till needs it`},
		{"until it is revoked", func(e *Exception) { e.Revoked = released().Add(3 * day.Std()) }, nil, 3*day - 1, Hold, ReasonExcepted, `exception "EX-1" leaves it out until 2026-05-04 10:00 UTC: the till needs it`},
		{"revoked", func(e *Exception) { e.Revoked = released().Add(3 * day.Std()) }, nil, 3 * day, Approve, ReasonExceptionRevoked, `exception "EX-1" left it out, and was revoked on 2026-05-04 10:00 UTC: the till needs it`},
		{"revoked after it expired", func(e *Exception) { e.Revoked = released().Add(20 * day.Std()) }, nil, 10 * day, Approve, ReasonExceptionOver, ""},
		{"long after both", func(e *Exception) { e.Revoked = released().Add(20 * day.Std()) }, nil, 30 * day, Approve, ReasonExceptionOver, ""},
		{"a pattern", func(e *Exception) { e.Patches = []patch.ID{"debian:bookworm/*"} }, nil, 2 * day, Hold, ReasonExcepted, ""},
		{"another patch", func(e *Exception) { e.Patches = []patch.ID{"debian:bookworm/bash"} }, nil, 2 * day, Approve, ReasonNone, ""},
		{"another device", func(e *Exception) { e.Devices = inventory.MustSelector("role=web") }, nil, 2 * day, Approve, ReasonNone, ""},
		{"nobody", func(e *Exception) { e.Devices = inventory.Selector{} }, nil, 2 * day, Approve, ReasonNone, ""},
		{"its only hole", byCVE("CVE-1"), cves("CVE-1"), 2 * day, Hold, ReasonExcepted, ""},
		{"all its holes", byCVE("CVE-2", "CVE-1", "CVE-3"), cves("CVE-1", "CVE-2"), 2 * day, Hold, ReasonExcepted, ""},
		{"one of its holes", byCVE("CVE-2"), cves("CVE-1", "CVE-2"), 2 * day, Approve, ReasonExceptionPartial, `exception "EX-1" is not about CVE-1, which it fixes too: the till needs it`},
		{"none of its holes", byCVE("CVE-3"), cves("CVE-1", "CVE-2"), 2 * day, Approve, ReasonNone, ""},
		{"a patch without CVEs", byCVE("CVE-3"), nil, 2 * day, Approve, ReasonNone, ""},
		{"its ID, whatever its holes", func(e *Exception) { e.CVEs = []string{"CVE-2"} }, cves("CVE-1"), 2 * day, Hold, ReasonExcepted, ""},
		{"with something instead", func(e *Exception) { e.Controls = []string{"no network", "a guard"} }, nil, 2 * day, Hold, ReasonExcepted,
			`exception "EX-1" leaves it out until 2026-05-11 10:00 UTC (instead: no network, a guard): the till needs it`},
	} {
		t.Run(row.name, func(t *testing.T) {
			e, x, d := excepted(), fix(), till()
			if row.e != nil {
				row.e(&e)
			}
			if row.x != nil {
				row.x(&x)
			}
			p := Policy{Rules: rules(Approve), Exceptions: []Exception{e}}
			now := released().Add(row.now.Std())
			j := p.Decide(&x, &d, now)
			require.Equal(t, row.want, j.Verdict)
			require.Equal(t, row.want, p.Verdict(Case{Patch: &x, Device: &d}, now))
			var said Reason
			for _, r := range j.Reasons {
				if r.Subject == "EX-1" {
					said = r
				}
			}
			require.Equal(t, row.code, said.Code)
			if row.text != "" {
				require.Equal(t, row.text, said.String())
			}
			if j.Verdict == Hold {
				require.Equal(t, e.end(), j.Until)
				require.Equal(t, ReasonOutranked, j.Reasons[1].Code, "the rule that would approve it is there too")
				require.Empty(t, j.Rule)
			}
		})
	}
}

// An exception leaves out; it allows nothing, and it hides no rejection.
func TestAnExceptionNeverAllows(t *testing.T) {
	x, d := fix(), till()
	now := released().Add(2 * day.Std())
	for _, row := range []struct {
		rules []Rule
		want  Verdict
		rule  string
	}{{nil, Hold, ""}, {rules(Approve, Reject), Reject, "reject-1"}, {rules(Hold), Hold, ""}, {rules(Approve, Defer), Hold, ""}} {
		j := (&Policy{Rules: row.rules, Exceptions: []Exception{excepted()}}).Decide(&x, &d, now)
		require.Equal(t, row.want, j.Verdict)
		require.Equal(t, row.rule, j.Rule)
	}
	x.Withdrawn = now
	j := (&Policy{Exceptions: []Exception{excepted()}}).Decide(&x, &d, now)
	require.Equal(t, Reject, j.Verdict)
	require.Equal(t, []ReasonCode{ReasonWithdrawn, ReasonExcepted}, []ReasonCode{j.Reasons[0].Code, j.Reasons[1].Code})
}

// The deadline runs while the exception holds the patch, and is where it was when the exception ends.
func TestAnObligationResumesWithItsOriginalClock(t *testing.T) {
	x, d := fix(), till()
	p := Policy{Rules: rules(Approve), Exceptions: []Exception{excepted()},
		Deadlines: []Deadline{{Name: "a week", Match: Match{All: true}, Within: 7 * day}}}
	c := Case{Patch: &x, Device: &d}
	want := released().Add(7 * day.Std())
	for _, now := range []time.Time{released(), released().Add(5 * day.Std()), released().Add(10 * day.Std())} {
		require.Equal(t, want, p.Due(c, now).At)
	}
	after := released().Add(10 * day.Std())
	require.Equal(t, Approve, p.Verdict(c, after))
	require.True(t, p.Due(c, after).Overdue(after))
}

func TestValidateNamesTheFieldOfAnException(t *testing.T) {
	for want, spoil := range map[string]func(e *Exception){
		`policy: exceptions[0].id: missing`:                                                                  func(e *Exception) { e.ID = "" },
		`policy: exceptions[0]: is about nothing: want patches or cves`:                                      func(e *Exception) { e.Patches, e.CVEs = nil, nil },
		`policy: exceptions[0].patches[0]: stands for everything: leave the field out`:                       func(e *Exception) { e.Patches[0] = "*" },
		`policy: exceptions[0].cves[0]: missing`:                                                             func(e *Exception) { e.CVEs = []string{""} },
		`policy: exceptions[0].devices: matches nobody: want a selector, or * for all`:                       func(e *Exception) { e.Devices = inventory.Selector{} },
		`policy: exceptions[0].reason: missing`:                                                              func(e *Exception) { e.Reason = " " },
		`policy: exceptions[0].owner: missing`:                                                               func(e *Exception) { e.Owner = "" },
		`policy: exceptions[0].approver: missing`:                                                            func(e *Exception) { e.Approver = "" },
		`policy: exceptions[0].approver: "ADA" is the owner: somebody else must allow it`:                    func(e *Exception) { e.Approver = "ADA" },
		`policy: exceptions[0].granted: missing`:                                                             func(e *Exception) { e.Granted = time.Time{} },
		`policy: exceptions[0].expires: missing`:                                                             func(e *Exception) { e.Expires = time.Time{} },
		`policy: exceptions[0].expires: is not after granted`:                                                func(e *Exception) { e.Expires = e.Granted },
		`policy: exceptions[0].revoked: is before granted`:                                                   func(e *Exception) { e.Revoked = e.Granted.Add(-1) },
		`policy: exceptions[0].controls[0]: missing`:                                                         func(e *Exception) { e.Controls = []string{""} },
		`policy: exceptions[0].expires: 2026-05-11T10:53:28+00:53 cannot be written without a loss`:          func(e *Exception) { e.Expires = e.Expires.In(time.FixedZone("LMT", 3208)) },
		`policy: exceptions[0].expires: cannot be written: Time.MarshalText: year outside of range [0,9999]`: func(e *Exception) { e.Expires = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		t.Run(want, func(t *testing.T) {
			e := excepted()
			spoil(&e)
			require.EqualError(t, (&Policy{Name: "p", Exceptions: []Exception{e}}).Validate(), want)
		})
	}
	require.NoError(t, (&Policy{Name: "p", Exceptions: []Exception{excepted()}}).Validate())
	require.EqualError(t, (&Policy{Name: "p", Exceptions: []Exception{excepted(), excepted()}}).Validate(),
		`policy: exceptions[1].id: "EX-1" is the name of exceptions[0] already`)
}

func TestAnExceptionOfADocumentHasItsPlace(t *testing.T) {
	_, err := decode("name: p\nexceptions:\n  - {id: e, patches: [x], devices: '*', reason: r, owner: ada, approver: ada,\n" +
		"     granted: 2026-05-01T00:00:00Z, expires: tomorrow}\n")
	require.ErrorContains(t, err, `line 4, column 46: exceptions[0].expires: parsing time "tomorrow"`)
	_, err = decode("name: p\nexceptions:\n  - {id: e, patches: [x], devices: '*', reason: r, owner: ada, approver: ada,\n" +
		"     granted: 2026-05-01T00:00:00Z, expires: 2026-05-02T00:00:00Z}\n")
	require.EqualError(t, err, `policy: line 3, column 74: exceptions[0].approver: "ada" is the owner: somebody else must allow it`)
	_, err = decode("name: p\nexceptions:\n  - {id: e, patches: [x], devices: '*', reason: r, owner: ada, approver: eve,\n" +
		"     granted: 2026-05-01T00:00:00Z}\n")
	require.EqualError(t, err, `policy: line 3, column 5: exceptions[0].expires: missing`)
}
