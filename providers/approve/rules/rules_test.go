package rules_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/approve/queue"
	"github.com/patchflow/patchflow/providers/approve/rules"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/providers/providertest"
)

func noon() time.Time { return time.Date(2027, 1, 4, 12, 0, 0, 0, time.UTC) }

func fine() rules.Rule { return rules.Rule{Name: "test is fine", MinSucceeded: 5} }

// broad is the request of the broad ring, after the test ring has passed.
func broad() policy.Request {
	return policy.Request{ID: "q1/broad", Tenant: "acme/berlin", Ring: "broad", Devices: 900, Patches: []patch.ID{"kb:1", "kb:2"}, Digest: "sha256:aa", By: "olga",
		At: noon().Add(-time.Hour), Needs: []policy.Need{{Quorum: 2, ByRule: true}},
		Passed: []policy.Passed{{Ring: "test", Devices: 5, Succeeded: 5}, {Ring: "pilot", Devices: 20, Succeeded: 18, Bad: 0}}}
}

func TestApproverLeavesTheRestToPeople(t *testing.T) {
	var people *queue.Queue
	answer := func(ruling policy.Ruling) func(*testing.T, policy.Approver, policy.Request, string) {
		return func(t *testing.T, _ policy.Approver, r policy.Request, by string) {
			_, err := people.Answer(t.Context(), r.Tenant, r.ID, policy.Decision{Ruling: ruling, By: by, Digest: r.Digest})
			if by != r.By {
				require.NoError(t, err)
			}
		}
	}
	providertest.Approver(t, providertest.ApproverHarness{
		New: func(t *testing.T) policy.Approver {
			var err error
			people, err = queue.New(queue.Config{Journal: new(memjournal.Journal), Now: noon})
			require.NoError(t, err)
			return with(t, people)
		},
		Approve: answer(policy.Approved), Deny: answer(policy.Denied),
		Broken: func(t *testing.T) policy.Approver {
			return with(t, policy.ApproverFunc(func(context.Context, policy.Request) (policy.Decision, error) {
				return policy.Decision{}, errors.New("nobody is there")
			}))
		},
	})
}

func with(t *testing.T, next policy.Approver, rule ...rules.Rule) *rules.Approver {
	t.Helper()
	if len(rule) == 0 {
		rule = []rules.Rule{fine()}
	}
	a, err := rules.New(rules.Config{Rules: rule, Next: next, Now: noon})
	require.NoError(t, err)
	return a
}

// Every field of a rule has a case in which it keeps the rule from approving.
func TestEveryFieldOfARuleCounts(t *testing.T) {
	base := fine()
	d, ok := base.Approve(broad(), noon())
	require.True(t, ok)
	require.Equal(t, policy.Decision{Ruling: policy.Approved, By: "rule:test is fine", Rule: "test is fine", Digest: "sha256:aa", At: noon().Add(-time.Hour),
		Reason: "test and pilot passed: 23 of 25 devices succeeded, 0 failed"}, d)
	changes := map[string][2]func(*rules.Rule, *policy.Request){ // the rule approves after the first, and not after the second
		"Rings":        {func(x *rules.Rule, _ *policy.Request) { x.Rings = []string{"pilot", "broad"} }, func(x *rules.Rule, _ *policy.Request) { x.Rings = []string{"pilot"} }},
		"Below":        {func(x *rules.Rule, _ *policy.Request) { x.Below = "acme" }, func(x *rules.Rule, _ *policy.Request) { x.Below = "acme/ber" }},
		"After":        {func(x *rules.Rule, _ *policy.Request) { x.After = "test" }, func(x *rules.Rule, _ *policy.Request) { x.After = "other" }},
		"Only":         {func(x *rules.Rule, _ *policy.Request) { x.Only = []patch.ID{"kb:1", "kb:2*"} }, func(x *rules.Rule, _ *policy.Request) { x.Only = []patch.ID{"kb:1"} }},
		"Wait":         {func(x *rules.Rule, _ *policy.Request) { x.Wait = policy.Duration(time.Hour) }, func(x *rules.Rule, _ *policy.Request) { x.Wait = policy.Duration(time.Hour + 1) }},
		"MinSucceeded": {func(x *rules.Rule, _ *policy.Request) { x.MinSucceeded = 23 }, func(x *rules.Rule, _ *policy.Request) { x.MinSucceeded = 24 }},
		"MaxBad": {func(x *rules.Rule, r *policy.Request) { x.MaxBad, r.Passed[0].Bad = 1, 1 },
			func(x *rules.Rule, r *policy.Request) { x.MaxBad, r.Passed[0].Bad = 1, 2 }},
		"MaxDevices":              {func(x *rules.Rule, _ *policy.Request) { x.MaxDevices = 900 }, func(x *rules.Rule, _ *policy.Request) { x.MaxDevices = 899 }},
		"of the request: whole":   {func(*rules.Rule, *policy.Request) {}, func(_ *rules.Rule, r *policy.Request) { r.Whole = true }},
		"of the request: needs":   {func(_ *rules.Rule, r *policy.Request) { r.Needs = append(r.Needs, policy.Need{}) }, func(_ *rules.Rule, r *policy.Request) { r.Needs = nil }},
		"of the request: passed":  {func(*rules.Rule, *policy.Request) {}, func(_ *rules.Rule, r *policy.Request) { r.Passed = nil }},
		"of the ring that counts": {func(x *rules.Rule, _ *policy.Request) { x.After, x.MinSucceeded = "pilot", 18 }, func(x *rules.Rule, _ *policy.Request) { x.After, x.MinSucceeded = "pilot", 19 }},
		"the zero rule is no approval": {func(*rules.Rule, *policy.Request) {}, func(x *rules.Rule, r *policy.Request) {
			*x, r.Passed[0].Succeeded, r.Passed[1].Succeeded = rules.Rule{}, 0, 0
		}},
	}
	for i := range reflect.TypeFor[rules.Rule]().NumField() {
		name := reflect.TypeFor[rules.Rule]().Field(i).Name
		_, ok := changes[name]
		require.True(t, ok || name == "Name", "the field %s has no case here", name)
	}
	for name, both := range changes {
		for i, change := range both {
			x, r := fine(), broad()
			change(&x, &r)
			d, ok := x.Approve(r, noon())
			require.Equal(t, i == 0, ok, "%s: %+v", name, d)
			require.Equal(t, ok, d.Ruling == policy.Approved)
		}
	}
}

func TestPeopleComeFirst(t *testing.T) {
	r := broad()
	people := &memory.Approver{Now: noon}
	a := with(t, people)
	d, err := a.Decide(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, "rule:test is fine", d.By)
	require.NoError(t, people.Deny(r.ID, r.Digest, "ann", "not this month"))
	d, err = a.Decide(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, policy.Denied, d.Ruling, "a rule does not overrule a person")

	a = with(t, a, rules.Rule{Name: "never", MinSucceeded: 1000})
	ds, err := a.Decisions(t.Context(), r)
	require.NoError(t, err)
	require.Len(t, ds, 2, "one panel after another")

	broken := with(t, policy.ApproverFunc(func(context.Context, policy.Request) (policy.Decision, error) {
		return policy.Decision{}, errors.New("nobody is there")
	}))
	_, err = broken.Decide(t.Context(), r)
	require.EqualError(t, err, `rules: request "q1/broad": the next approver: nobody is there`, "somebody may have denied")
}

func TestTheFirstRuleThatApprovesDoes(t *testing.T) {
	no, yes, too := fine(), fine(), fine()
	no.Name, no.MinSucceeded, yes.Name, too.Name = "no", 1000, "yes", "too"
	ds, err := with(t, nil, no, yes, too).Decisions(t.Context(), broad())
	require.NoError(t, err)
	require.Len(t, ds, 1)
	require.Equal(t, "yes", ds[0].Rule)
}

func TestRulesThatCouldNotBeMeantAreRefused(t *testing.T) {
	for want, change := range map[string]func(*rules.Rule){
		`rules: rule 1, " ": the name is missing`: func(x *rules.Rule) { x.Name = " " },
		`rules: rule 1, "test is fine": minSucceeded must be 1 or more: nothing is approved without a success before`: func(x *rules.Rule) { x.MinSucceeded = 0 },
		`rules: rule 1, "test is fine": maxBad, maxDevices and wait cannot be negative`:                               func(x *rules.Rule) { x.Wait = -1 },
		`rules: rule 1, "test is fine": only: want patches, or the beginning of their names and a * at the end`:       func(x *rules.Rule) { x.Only = []patch.ID{"a*b"} },
	} {
		x := fine()
		change(&x)
		_, err := rules.New(rules.Config{Rules: []rules.Rule{x}})
		require.EqualError(t, err, want)
	}
	_, err := rules.New(rules.Config{Rules: []rules.Rule{fine(), fine()}})
	require.EqualError(t, err, `rules: rule 2, "test is fine": another one has that name`)
	_, err = rules.New(rules.Config{})
	require.EqualError(t, err, "rules: neither rules nor a next approver: nothing could be approved")
}

// The broad ring opens by itself once five devices of the test ring have succeeded and nobody has objected for a day.
func Example() {
	people := new(memory.Approver)
	a, err := rules.New(rules.Config{Next: people, Now: noon, Rules: []rules.Rule{
		{Name: "test is fine", After: "test", Rings: []string{"broad"}, MinSucceeded: 5, Wait: policy.Duration(24 * time.Hour)},
	}})
	if err != nil {
		panic(err)
	}
	request := broad()
	for _, asked := range []time.Duration{time.Hour, 25 * time.Hour} {
		request.At = noon().Add(-asked)
		d, err := a.Decide(context.Background(), request)
		fmt.Println(asked, d.Ruling, d.By, d.Reason, err)
	}
	// Output:
	// 1h0m0s pending   <nil>
	// 25h0m0s approved rule:test is fine test passed: 5 of 5 devices succeeded, 0 failed <nil>
}
