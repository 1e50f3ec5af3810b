package policy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
	_ "time/tzdata"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

func ExampleDecode() {
	const document = `
name: offices
rules:
  - name: let others go first
    match: {all: true}
    verdict: defer
    for: 3d
  - name: security
    match: {classifications: [security, rollup]}
    verdict: approve
rings:
  - name: pilot
    share: 12.5%
    gate: {soak: 1d}
  - name: broad
    rest: true
windows:
  - {days: sat-sun, start: 22:00, end: 06:00}
`
	p, err := policy.Decode(strings.NewReader(document), "offices.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, ring := range p.Rings {
		fmt.Println(ring.Name, ring.Share, ring.Gate.Soak)
	}

	_, err = policy.Decode(strings.NewReader(strings.Replace(document, "soak: 1d", "soakk: 1d, minSuccess: 95", 1)), "offices.yaml")
	fmt.Println(err)
	// Output:
	// pilot 12.5% 1d
	// broad 0% 0s
	// policy: offices.yaml:14:12: rings[0].gate.soakk: unknown field; did you mean soak?
	// policy: offices.yaml:14:35: rings[0].gate.minSuccess: "95" is no share: a bare number says too little: write "95%" if percent are meant
}

func ExampleEncode() {
	p := policy.Policy{
		Name:  "kiosks",
		Rules: []policy.Rule{{Name: "all", Match: policy.Match{All: true}, Verdict: policy.RequireApproval}},
		Rings: []policy.Ring{{Name: "all", Devices: inventory.MustSelector("*")}},
	}
	if err := policy.Encode(os.Stdout, p); err != nil {
		fmt.Println(err)
	}
	// Output:
	// name: kiosks
	// rules:
	//   - name: all
	//     match:
	//       all: true
	//     verdict: require-approval
	// rings:
	//   - name: all
	//     devices: '*'
}

func ExamplePolicy_Validate() {
	p := policy.Policy{
		Name:  "kiosks",
		Rules: []policy.Rule{{Name: "all", Verdict: policy.Defer}},
		Rings: []policy.Ring{{Name: "first", Share: 1000}},
	}
	fmt.Println(p.Validate())
	// Output:
	// policy: rules[0].match: says nothing: a rule about everything says all: true
	// policy: rules[0].for: missing: a rule that defers says for how long
	// policy: rings: some devices belong to none: their shares come to 10%, and the last does not take the rest
}

func ExamplePolicy_Decide() {
	p := policy.Policy{Name: "offices", Rules: []policy.Rule{
		{Name: "let others go first", Match: policy.Match{All: true}, Verdict: policy.Defer, For: policy.Duration(72 * time.Hour)},
		{Name: "ordinary", Match: policy.Match{All: true}, Verdict: policy.Approve},
		{Name: "known issue", Match: policy.Match{IDs: []patch.ID{"wua:KB5099999"}}, Verdict: policy.Hold, Reason: "breaks printers"},
	}}
	device := inventory.Device{ID: "ada"}
	released := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)

	var tally policy.Tally
	decide := func(x patch.Patch, now time.Time) {
		x.Released = released
		j := p.Decide(&x, &device, now)
		tally.Add(j)
		fmt.Printf("%s: %s\n", x.ID, j.Verdict)
		for _, r := range j.Reasons {
			fmt.Printf("  %s\n", r)
		}
	}
	security := patch.Patch{ID: "wua:KB5055523", Classification: patch.ClassSecurity}
	decide(security, released.Add(24*time.Hour))
	decide(security, released.Add(72*time.Hour))
	decide(patch.Patch{ID: "wua:KB5099999", Classification: patch.ClassSecurity}, released.Add(72*time.Hour))
	decide(patch.Patch{ID: "wua:Contoso-1.2", Classification: patch.ClassDriver}, released.Add(96*time.Hour))
	fmt.Println(tally)
	// Output:
	// wua:KB5055523: defer
	//   rule "let others go first" defers it until 2026-05-04 10:00 UTC
	//   rule "ordinary" would approve it, but a rule before it decides
	// wua:KB5055523: approve
	//   rule "ordinary" approves it
	//   rule "let others go first" deferred it until 2026-05-04 10:00 UTC, which is over
	// wua:KB5099999: hold
	//   rule "known issue" holds it: breaks printers
	//   rule "let others go first" deferred it until 2026-05-04 10:00 UTC, which is over
	//   rule "ordinary" would approve it, but is outranked
	// wua:Contoso-1.2: no-decision
	//   rule "let others go first" deferred it until 2026-05-04 10:00 UTC, which is over
	//   rule "ordinary" would approve it, but does not name patches classified as driver
	// 4 findings: 1 approve, 1 defer, 1 hold, 1 no-decision; by rule: known issue 1, let others go first 1, ordinary 1
}

// A reason is a code with its parameters; a program that speaks another language renders them itself.
func ExampleReason() {
	r := policy.Reason{Code: policy.ReasonRule, Rule: "ordinary", Verdict: policy.Approve}
	text, _ := json.Marshal(r)
	fmt.Println(string(text))
	fmt.Println(r)
	// Output:
	// {"code":"rule","rule":"ordinary","verdict":"approve"}
	// rule "ordinary" approves it
}

// A night on which clocks go forward is an hour short.
func ExampleWindow_Next() {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		fmt.Println(err)
		return
	}
	w := policy.Window{Days: policy.DaysOf(time.Saturday), Start: 22 * 60, End: 6 * 60}
	open, close := w.Next(time.Date(2026, 3, 25, 12, 0, 0, 0, time.UTC), berlin)
	fmt.Println(open.In(berlin))
	fmt.Println(close.In(berlin))
	fmt.Println(close.Sub(open))
	// Output:
	// 2026-03-28 22:00:00 +0100 CET
	// 2026-03-29 06:00:00 +0200 CEST
	// 7h0m0s
}

// Windows that touch are one opening.
func ExampleSchedule() {
	weekend := []policy.Window{
		{Days: policy.DaysOf(time.Friday), Start: 20 * 60, End: 24 * 60},
		{Days: policy.DaysOf(time.Saturday, time.Sunday), Start: 0, End: 24 * 60},
	}
	s, err := policy.NewSchedule(weekend, "America/New_York")
	if err != nil {
		fmt.Println(err)
		return
	}
	sunday := time.Date(2026, 5, 10, 12, 0, 0, 0, time.UTC)
	fmt.Println(s.Open(sunday))
	fmt.Println(s.Next(sunday))

	_, err = policy.NewSchedule(weekend, "")
	fmt.Println(err)
	// Output:
	// true
	// 2026-05-09 00:00:00 +0000 UTC 2026-05-11 04:00:00 +0000 UTC
	// policy: windows[0]: goes by the device's own clock, and the device names no zone: unknown time zone
}

// An empty ring is merged into the next, which keeps the stricter of both in every field.
func ExampleGate_Stricter() {
	test := policy.Gate{MaxFailed: 0, Soak: policy.Duration(24 * time.Hour)}
	pilot := policy.Gate{MaxFailed: 250, MinSample: 20, Soak: policy.Duration(2 * time.Hour), Manual: true}
	g := pilot.Stricter(test)
	fmt.Println(g.MaxFailed, g.MinSample, g.Soak, g.Manual)
	// Output:
	// 0% 20 1d true
}

func ExampleRetry_WithDefaults() {
	r := policy.Retry{Attempts: 5}.WithDefaults()
	fmt.Println(r.Attempts, r.Backoff, r.MaxBackoff)
	// Output:
	// 5 10m 6h
}

func ExampleDays() {
	var d policy.Days
	err := d.UnmarshalText([]byte("fri-mon"))
	fmt.Println(d, d.Has(time.Sunday), err)
	// Output:
	// mon,fri-sun true <nil>
}

// An approver need be no more than a function: this one says at once yes to small rings, in the name
// of a person, and lets large ones wait.
func ExampleApproverFunc() {
	var approver policy.Approver = policy.ApproverFunc(func(_ context.Context, r policy.Request) (policy.Decision, error) {
		if r.Devices > 100 {
			return policy.Decision{Ruling: policy.Pending}, nil // ask again: somebody is being called
		}
		return policy.Decision{Ruling: policy.Approved, By: "ada", Digest: r.Digest, At: r.At}, nil
	})
	for _, devices := range []int{12, 1200} {
		d, err := approver.Decide(context.Background(), policy.Request{ID: "q1/pilot", Ring: "pilot", Devices: devices, Digest: "sha256:00"})
		fmt.Printf("%d devices: %s by %q, error %v\n", devices, d.Ruling, d.By, err)
	}
	// Output:
	// 12 devices: approved by "ada", error <nil>
	// 1200 devices: pending by "", error <nil>
}
