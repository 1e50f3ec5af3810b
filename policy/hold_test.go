package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

func TestWhatAHoldKeepsBack(t *testing.T) {
	openssl := Match{Packages: []string{"openssl"}}
	for _, row := range []struct {
		name string
		h    KnownIssue
		x    func(x *patch.Patch)
		want Verdict
		code ReasonCode
		text string
	}{
		{"what it matches", KnownIssue{Match: openssl}, nil, Hold, ReasonHeld, `hold "H" keeps it back`},
		{"with what is to be said", KnownIssue{Match: openssl, Message: "no TLS", URL: "https://example.com/h", Expires: released().Add(3 * day.Std())}, nil,
			Hold, ReasonHeld, `hold "H" keeps it back until 2026-05-04 10:00 UTC: no TLS (see https://example.com/h)`},
		{"nothing else", KnownIssue{Match: Match{Packages: []string{"bash"}}}, nil, Approve, ReasonNone, ""},
		{"no other device", KnownIssue{Match: Match{Packages: []string{"openssl"}, Devices: inventory.MustSelector("role=web")}}, nil, Approve, ReasonNone, ""},
		{"until it expires", KnownIssue{Match: openssl, Expires: released().Add(2*day.Std() + 1)}, nil, Hold, ReasonHeld, ""},
		{"not after it expired", KnownIssue{Match: openssl, Expires: released().Add(2 * day.Std())}, nil, Approve, ReasonHoldOver, `hold "H" kept it back until 2026-05-03 10:00 UTC, which is over`},
		{"not what brings the fix", KnownIssue{Match: openssl, FixedIn: []patch.ID{fix().ID}}, nil, Approve, ReasonHoldFixed, `hold "H" is not about it, as it brings the fix`},
		{"not what takes the place of the fix", KnownIssue{Match: openssl, FixedIn: []patch.ID{"debian:fixed"}}, func(x *patch.Patch) { x.Supersedes = []patch.ID{"debian:fixed"} }, Approve, ReasonHoldFixed, ""},
		{"what comes before the fix", KnownIssue{Match: openssl, FixedIn: []patch.ID{"debian:fixed"}}, nil, Hold, ReasonHeld, ""},
		{"nothing unknown", KnownIssue{Match: Match{MinSeverity: patch.SeverityLow}}, func(x *patch.Patch) { x.Severity = 0 }, Approve, ReasonNone, ""},
		{"an unknown severity, closed", KnownIssue{Match: Match{MinSeverity: patch.SeverityLow}, FailClosed: true}, func(x *patch.Patch) { x.Severity = 0 },
			Hold, ReasonHeldUnsure, `hold "H" keeps it back, as it may be about it`},
		{"a known lower severity, closed", KnownIssue{Match: Match{MinSeverity: patch.SeverityCritical}, FailClosed: true}, nil, Approve, ReasonNone, ""},
		{"an unknown exploitation, closed", KnownIssue{Match: Match{Exploited: true}, FailClosed: true}, nil, Hold, ReasonHeldUnsure, ""},
		{"no exploitation, closed", KnownIssue{Match: Match{Exploited: true}, FailClosed: true}, func(x *patch.Patch) { x.Advisories[0].Exploited = patch.No }, Approve, ReasonNone, ""},
		{"an unknown release, closed", KnownIssue{Match: Match{MinAge: 30 * day}, FailClosed: true}, func(x *patch.Patch) { x.Released = time.Time{} }, Hold, ReasonHeldUnsure, ""},
		{"a known age, closed", KnownIssue{Match: Match{MinAge: 30 * day}, FailClosed: true}, nil, Approve, ReasonNone, ""},
		{"unknown packages, closed", KnownIssue{Match: Match{Packages: []string{"bash"}}, FailClosed: true}, func(x *patch.Patch) { x.Packages = nil }, Hold, ReasonHeldUnsure, ""},
		{"other packages, closed", KnownIssue{Match: Match{Packages: []string{"bash"}}, FailClosed: true}, nil, Approve, ReasonNone, ""},
		{"a contested classification, closed", KnownIssue{Match: Match{Classifications: []patch.Classification{patch.ClassDriver}}, FailClosed: true}, func(x *patch.Patch) { x.Contested = true }, Hold, ReasonHeldUnsure, ""},
		{"another classification, closed", KnownIssue{Match: Match{Classifications: []patch.Classification{patch.ClassDriver}}, FailClosed: true}, nil, Approve, ReasonNone, ""},
		{"unsure, and another device", KnownIssue{Match: Match{Exploited: true, Devices: inventory.MustSelector("role=web")}, FailClosed: true}, nil, Approve, ReasonNone, ""},
		{"unsure, and another ID", KnownIssue{Match: Match{Exploited: true, IDs: []patch.ID{"x"}}, FailClosed: true}, nil, Approve, ReasonNone, ""},
		{"unsure, and expired", KnownIssue{Match: Match{Exploited: true}, FailClosed: true, Expires: released()}, nil, Approve, ReasonHoldOver, ""},
		// What Validate refuses, and a program may hand over all the same.
		{"a malformed ID, closed", KnownIssue{Match: Match{IDs: []patch.ID{"a*b"}}, FailClosed: true}, nil, Hold, ReasonHeldUnsure, ""},
		{"a malformed ID", KnownIssue{Match: Match{IDs: []patch.ID{"a*b"}}}, nil, Approve, ReasonNone, ""},
		{"a malformed package, closed", KnownIssue{Match: Match{Packages: []string{"a*b"}}, FailClosed: true}, nil, Hold, ReasonHeldUnsure, ""},
		{"a malformed severity, closed", KnownIssue{Match: Match{MinSeverity: 99}, FailClosed: true}, nil, Hold, ReasonHeldUnsure, ""},
		{"a malformed classification, closed", KnownIssue{Match: Match{Classifications: []patch.Classification{99}}, FailClosed: true}, nil, Hold, ReasonHeldUnsure, ""},
		{"a malformed age, closed", KnownIssue{Match: Match{MinAge: -1}, FailClosed: true}, nil, Hold, ReasonHeld, ""},
		{"nothing at all, closed", KnownIssue{FailClosed: true}, nil, Hold, ReasonHeldUnsure, ""},
		{"nothing at all", KnownIssue{}, nil, Approve, ReasonNone, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			x, d := fix(), till()
			if row.x != nil {
				row.x(&x)
			}
			row.h.ID = "H"
			p := Policy{Rules: rules(Approve), Holds: []KnownIssue{row.h}}
			now := released().Add(2 * day.Std())
			j := p.Decide(&x, &d, now)
			require.Equal(t, row.want, j.Verdict)
			require.Equal(t, row.want, p.Verdict(Case{Patch: &x, Device: &d}, now))
			var said Reason
			for _, r := range j.Reasons {
				if r.Subject == "H" {
					said = r
				}
			}
			require.Equal(t, row.code, said.Code)
			if row.text != "" {
				require.Equal(t, row.text, said.String())
			}
			held, back := HeldBack(p.Holds, &x, &d, now)
			require.Equal(t, row.want == Hold, back, "what hands work out says the same")
			if back {
				require.Equal(t, said, held)
			}
			if said.Code == ReasonHeld {
				require.Equal(t, row.h.Expires, j.Until)
			}
		})
	}
}

func TestAHoldOutranksAllButARejection(t *testing.T) {
	x, d := fix(), till()
	h := KnownIssue{ID: "H", Match: Match{All: true}}
	for _, row := range []struct {
		p    Policy
		want Verdict
		code ReasonCode
	}{
		{Policy{}, Hold, ReasonHeld},
		{Policy{Rules: rules(Approve, RequireApproval, Hold)}, Hold, ReasonHeld},
		{Policy{Exceptions: []Exception{excepted()}}, Hold, ReasonHeld},
		{Policy{Rules: rules(Reject)}, Reject, ReasonRule},
	} {
		row.p.Holds = []KnownIssue{h}
		j := row.p.Decide(&x, &d, released().Add(2*day.Std()))
		require.Equal(t, row.want, j.Verdict)
		require.Equal(t, row.code, j.Reasons[0].Code)
	}
	x.Contested = true
	require.Equal(t, ReasonContested, (&Policy{Holds: []KnownIssue{h}}).Decide(&x, &d, released()).Reasons[0].Code)
}

func TestValidateNamesTheFieldOfAHold(t *testing.T) {
	for want, spoil := range map[string]func(h *KnownIssue){
		`policy: holds[0].id: missing`: func(h *KnownIssue) { h.ID = "" },
		`policy: holds[0].match: says nothing: a rule about everything says all: true`: func(h *KnownIssue) { h.Match = Match{} },
		`policy: holds[0].message: "\xff" is not UTF-8`:                                func(h *KnownIssue) { h.Message = "\xff" },
		`policy: holds[0].url: "\xff" is not UTF-8`:                                    func(h *KnownIssue) { h.URL = "\xff" },
		`policy: holds[0].fixedIn[0]: empty`:                                           func(h *KnownIssue) { h.FixedIn = []patch.ID{""} },
		`policy: holds[0].expires: cannot be written: Time.MarshalText: year outside of range [0,9999]`: func(h *KnownIssue) {
			h.Expires = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
		},
	} {
		t.Run(want, func(t *testing.T) {
			h := KnownIssue{ID: "H", Match: Match{All: true}}
			spoil(&h)
			require.EqualError(t, (&Policy{Name: "p", Holds: []KnownIssue{h}}).Validate(), want)
		})
	}
	twice := Policy{Name: "p", Holds: []KnownIssue{{ID: "H", Match: Match{All: true}}, {ID: "H", Match: Match{All: true}}}}
	require.EqualError(t, twice.Validate(), `policy: holds[1].id: "H" is the name of holds[0] already`)
}
