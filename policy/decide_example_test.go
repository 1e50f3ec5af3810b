package policy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

const day = policy.Duration(24 * time.Hour)

// offices is a policy that waits ten days, but not for what is critical for longer than six.
func offices() *policy.Policy {
	return &policy.Policy{Name: "offices",
		Rules: []policy.Rule{
			{Name: "let others go first", Match: policy.Match{All: true}, Verdict: policy.Defer, For: 10 * day},
			{Name: "ordinary", Match: policy.Match{All: true}, Verdict: policy.RequireApproval, Approvers: []string{"hans", "group:board"}, Quorum: 2},
		},
		Deadlines: []policy.Deadline{
			{Name: "exploited", Match: policy.Match{Exploited: true, MinSeverity: patch.SeverityCritical}, Now: true},
			{Name: "critical", Match: policy.Match{MinSeverity: patch.SeverityCritical}, Within: 7 * day},
		},
	}
}

func openssl() *patch.Patch {
	return &patch.Patch{ID: "debian:DSA-1", Title: "openssl", Classification: patch.ClassSecurity, Severity: patch.SeverityCritical,
		Released: time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC), Advisories: []patch.Advisory{{ID: "DSA-1", CVEs: []string{"CVE-2026-1"}}}}
}

func ExamplePolicy_Explain() {
	c := policy.Case{Patch: openssl(), Device: &inventory.Device{Tenant: "acme", ID: "ada"}}
	fmt.Print(offices().Explain(c, c.Patch.Released.AddDate(0, 0, 1)))
	// Output:
	// debian:DSA-1 on acme/ada: defer until 2026-05-07 10:00 UTC (policy offices, at 2026-05-02 10:00 UTC)
	//   what: openssl
	//   because rule "let others go first" defers it until 2026-05-07 10:00 UTC, cut short by deadline "critical", which is due 2026-05-08 10:00 UTC
	//   also rule "ordinary" would require approval for it by 2 of hans, group:board, but a rule before it decides
	//   due 2026-05-08 10:00 UTC, by deadline "critical": released 2026-05-01 10:00 UTC
	//   to change: time passes, or rule "let others go first" no longer matches it
	//   next change: 2026-05-07 10:00 UTC, then require-approval
}

// Where the reasons are not wanted, the verdict alone costs no memory.
func ExamplePolicy_Verdict() {
	c := policy.Case{Patch: openssl(), Device: &inventory.Device{ID: "ada"}}
	fmt.Println(offices().Verdict(c, c.Patch.Released))
	// Output:
	// defer
}

func ExamplePolicy_Judge() {
	p := offices()
	c := policy.Case{Patch: openssl(), Device: &inventory.Device{ID: "ada"}}
	j := p.Judge(c, c.Patch.Released.AddDate(0, 0, 6))
	fmt.Println(j.Verdict, j.Quorum, j.Approvers)
	fmt.Println(j.Remedy())
	// Output:
	// require-approval 2 [hans group:board]
	// approval by 2 of hans, group:board
}

// A fix that takes the place of an older one is due when the older one was.
func ExamplePolicy_Due() {
	older := &patch.Patch{ID: "debian:DSA-0", Severity: patch.SeverityCritical, Released: time.Date(2026, 4, 20, 0, 0, 0, 0, time.UTC)}
	c := policy.Case{Patch: openssl(), Device: &inventory.Device{ID: "ada"}, Older: []policy.Older{{Patch: older}}}
	due := offices().Due(c, c.Patch.Released)
	fmt.Println(due)
	fmt.Println(due.Overdue(c.Patch.Released))
	// Output:
	// 2026-04-27 00:00 UTC, by deadline "critical": released 2026-04-20 00:00 UTC
	// true
}

func ExampleException() {
	p := &policy.Policy{Name: "shops", Rules: []policy.Rule{{Name: "all", Match: policy.Match{All: true}, Verdict: policy.Approve}},
		Exceptions: []policy.Exception{{
			ID: "EX-7", CVEs: []string{"CVE-2026-1"}, Devices: inventory.MustSelector("role=till"),
			Reason: "the till program needs the old library", Owner: "ada", Approver: "grace", Controls: []string{"no network"},
			Granted: time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC), Expires: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC),
		}}}
	fmt.Println(p.Validate())
	till := &inventory.Device{ID: "till-3", Labels: map[string]string{"role": "till"}}
	for _, month := range []time.Month{time.June, time.August} {
		j := p.Decide(openssl(), till, time.Date(2026, month, 2, 0, 0, 0, 0, time.UTC))
		fmt.Println(j.Verdict)
		for _, r := range j.Reasons {
			fmt.Println(" ", r)
		}
	}
	p.Exceptions[0].Approver = "ada"
	fmt.Println(p.Validate())
	// Output:
	// <nil>
	// hold
	//   exception "EX-7" leaves it out until 2026-08-01 00:00 UTC (instead: no network): the till program needs the old library
	//   rule "all" would approve it, but is outranked
	// approve
	//   rule "all" approves it
	//   exception "EX-7" left it out until 2026-08-01 00:00 UTC, which is over (instead: no network): the till program needs the old library
	// policy: exceptions[0].approver: "ada" is the owner: somebody else must allow it
}

// What hands work out asks again, with the holds that are known by then.
func ExampleHeldBack() {
	holds := []policy.KnownIssue{{ID: "H-3", Match: policy.Match{IDs: []patch.ID{"debian:DSA-1"}}, Message: "cuts TLS off", URL: "https://example.com/h-3",
		FixedIn: []patch.ID{"debian:DSA-2"}}}
	d := &inventory.Device{ID: "ada"}
	reason, held := policy.HeldBack(holds, openssl(), d, openssl().Released)
	fmt.Println(held, reason)
	_, held = policy.HeldBack(holds, &patch.Patch{ID: "debian:DSA-2"}, d, openssl().Released)
	fmt.Println(held)
	// Output:
	// true hold "H-3" keeps it back: cuts TLS off (see https://example.com/h-3)
	// false
}

func ExampleNewPreview() {
	older, newer := offices(), offices()
	newer.Rules = newer.Rules[1:] // nobody goes first any more
	fleet := []policy.Case{
		{Patch: openssl(), Device: &inventory.Device{Tenant: "acme", ID: "ada"}},
		{Patch: openssl(), Device: &inventory.Device{Tenant: "acme", ID: "bob"}},
	}
	now := openssl().Released
	v, err := policy.NewPreview(older, newer, slices.Values(fleet), now)
	fmt.Print(v)
	fmt.Println(err)
	for d := range policy.Diff(older, newer, slices.Values(fleet), now) {
		fmt.Printf("%s on %s: %s, was %s\n", d.Patch, d.Device, d.Is.Verdict, d.Was.Verdict)
	}

	// Somebody adds a device before the change is applied.
	fleet = append(fleet, policy.Case{Patch: openssl(), Device: &inventory.Device{Tenant: "acme", ID: "eve"}})
	err = v.Check(older, newer, slices.Values(fleet), now)
	fmt.Println(errors.Is(err, policy.ErrMoved), err)
	// Output:
	// of 2 findings, 2 devices, 1 patch, this change newly affects 2 findings, 2 devices, 1 patch
	//   defer -> require-approval: 2 findings, 2 devices, 1 patch
	// <nil>
	// debian:DSA-1 on ada: require-approval, was defer
	// debian:DSA-1 on bob: require-approval, was defer
	// true policy: preview of "offices" to "offices": 2 findings, 2 devices, 1 patch then, 3 findings, 3 devices, 1 patch now: not what was previewed
}

// CISA lists the hole as exploited: what was deferred is urgent.
func ExampleReassess() {
	x := openssl()
	x.Advisories[0].Exploited = patch.Yes
	newer, err := patch.NewCatalog([]patch.Patch{*x})
	if err != nil {
		fmt.Println(err)
		return
	}
	fleet := []policy.Case{{Patch: openssl(), Device: &inventory.Device{Tenant: "acme", ID: "ada"}}}
	for e := range policy.Reassess(offices(), slices.Values(fleet), newer, x.Released.AddDate(0, 0, 2)) {
		fmt.Println(e)
	}
	// Output:
	// debian:DSA-1 on acme/ada is urgent: it is known to be exploited; due now, since 2026-05-01 10:00 UTC, by deadline "exploited": released 2026-05-01 10:00 UTC; require-approval, was defer
}

func ExampleLint() {
	p := offices()
	p.Rings = []policy.Ring{{Name: "test", Share: 100, Gate: policy.Gate{Soak: 2 * day}}, {Name: "broad", Rest: true}}
	p.Windows = []policy.Window{{Days: policy.DaysOf(time.Sunday), Start: 2 * 60, End: 4 * 60, Zone: "UTC"}}
	for _, w := range policy.Lint(p, policy.LintFacts{Now: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), Rings: []int{8, 792}}) {
		fmt.Printf("%s: %s\n", w.Code, w)
	}
	// Output:
	// no-way-back: rollback: what fails is not taken back, and there is no backup: roll back, or set acknowledged
	// ring-too-small: rings[0]: ring "test" has 8 devices; to show a failure rate of 5% with a confidence of 95% takes 57
	// unreachable: deadlines[1]: deadline "critical" cannot be met: what is wanted at 2026-05-03 04:00 UTC begins no sooner than 2026-05-17 02:00 UTC in ring "broad", in zone UTC, 13d22h later, and there are 7d
}

func ExampleLeastFor() {
	for _, devices := range []int{20, 60, 400, 5000} {
		fmt.Println(devices, policy.LeastFor(devices))
	}
	// Output:
	// 20 1
	// 60 3
	// 400 32
	// 5000 59
}

// A deadline of a week, and one window in a month: whoever loads the document is told.
func ExampleLoad() {
	document := `
name: slow
rules: [{name: security, match: {classifications: [security]}, verdict: approve}]
rings: [{name: all, rest: true, maxActive: 50}]
rollback: {on: ring}
windows: [{on: 2nd tue +3d, start: "22:00", end: "06:00", zone: UTC}]
deadlines:
  - {name: exploited, match: {exploited: true}, within: 7d}
`
	p, warnings, err := policy.Load(strings.NewReader(document), "slow.yaml", policy.LintFacts{Now: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)})
	fmt.Println(p.Name, err)
	for _, w := range warnings {
		fmt.Println(w)
	}
	// Output:
	// slow <nil>
	// slow.yaml:8:5: deadlines[0]: deadline "exploited" cannot be met: what is wanted at 2026-06-13 06:00 UTC begins no sooner than 2026-07-17 22:00 UTC in ring "all", in zone UTC, 34d16h later, and there are 7d
}

func ExampleSampleSizeOf() {
	for _, devices := range []int{20, 100, 1000, 1_000_000} {
		n, _ := policy.SampleSizeOf(devices, 500, 9500)
		fmt.Println(n, "of", devices)
	}
	// Output:
	// 19 of 20
	// 45 of 100
	// 57 of 1000
	// 59 of 1000000
}

func ExampleSampleSize() {
	n, _ := policy.SampleSize(500, 9500)
	fmt.Println(n, "devices show a failure rate of 5% with a confidence of 95%")
	// Output:
	// 59 devices show a failure rate of 5% with a confidence of 95%
}

// A hold that fails closed counts even where it cannot be read, and then for more than it says.
func ExampleReadHolds() {
	const document = `
- {id: H-1, match: {ids: ["wua:KB5099999"]}, message: breaks printers}
- {id: H-2, match: {packages: [contoso], minSeverity: hihg}, failClosed: true}
- {id: H-3, match: {packages: [fabrikam], minSeverity: hihg}}
`
	holds, refused, err := policy.ReadHolds(strings.NewReader(document), "holds.yaml")
	for _, h := range holds {
		fmt.Println(h.ID, h.Match.IDs, h.Match.Packages, h.Match.MinSeverity)
	}
	for _, err := range refused {
		fmt.Println(err)
	}
	fmt.Println(err)
	// Output:
	// H-1 [wua:KB5099999] [] unrated
	// H-2 [] [contoso] unrated
	// policy: holds.yaml:3:55: [1].match.minSeverity: "hihg" is no severity: want one of unrated, low, moderate, important, critical
	// policy: holds.yaml:4:56: [2].match.minSeverity: "hihg" is no severity: want one of unrated, low, moderate, important, critical
	// <nil>
}
