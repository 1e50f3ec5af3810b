package rollout_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// leave makes the plan of one device in each of two rings, the first of which is that of department it.
func leave(t *testing.T, change func(*policy.Policy)) rollout.Plan {
	t.Helper()
	pol := approveSecurity()
	change(&pol)
	it := laptop("ada", "openssl", "1")
	it.Labels = map[string]string{"dept": "it"}
	s := scopeOf(t, rollout.ScopeConfig{Policy: pol}, []patch.Patch{update("openssl", "2", patch.ClassSecurity), update("vim", "9", patch.ClassBugfix),
		update("bash", "6", patch.ClassBugfix)}, it, laptop("bob", "vim", "8", "bash", "5"), laptop("cyd", "openssl", "1"))
	p, err := rollout.NewPlan(s.Input())
	require.NoError(t, err)
	require.Len(t, p.Rings, 2)
	return p
}

func TestARingTakesTheLeaveThatItsPatchesTake(t *testing.T) {
	ask := func(id, approver string, quorum int) policy.Rule {
		return policy.Rule{Name: id, Match: policy.Match{IDs: []patch.ID{patch.ID(id)}}, Verdict: policy.RequireApproval,
			Approvers: []string{approver}, Quorum: quorum}
	}
	p := leave(t, func(p *policy.Policy) {
		p.Rules = append(p.Rules, ask("debian:vim=9", "hans", 0), ask("debian:bash=6", "group:board", 2))
		p.Rings[1].Need = policy.Need{Quorum: 3}
	})
	require.Empty(t, p.Rings[0].Needs)
	require.False(t, p.Rings[0].Approval)
	require.True(t, p.Rings[1].Approval)
	require.ElementsMatch(t, []policy.Need{{Quorum: 3}, {Quorum: 2, Approvers: []string{"group:board"}}, {Quorum: 1, Approvers: []string{"hans"}}}, p.Rings[1].Needs)
	require.Contains(t, p.DescribeRing(1), "after approval by 3 people and ")
	require.Equal(t, "it: 1 device", p.DescribeRing(0))
}

func TestWhoeverMayApproveAnythingIsNotWrittenDown(t *testing.T) {
	p := leave(t, func(p *policy.Policy) { p.Rings[0].Approval = true })
	require.True(t, p.Rings[0].Approval)
	text, err := json.Marshal(p.Rings[0])
	require.NoError(t, err)
	require.NotContains(t, string(text), "need", "the plan is, byte by byte, that of a version without needs")
}

func TestAnEmptyRingLeavesItsNeedToTheNext(t *testing.T) {
	p := leave(t, func(p *policy.Policy) {
		empty := policy.Ring{Name: "nobody", Devices: inventory.MustSelector("dept=none"), Approval: true}
		p.Rings = []policy.Ring{p.Rings[0], empty, {Name: "rest", Rest: true, Need: policy.Need{Quorum: 2, ByRule: true}}}
	})
	require.Equal(t, []policy.Need{{Quorum: 2, ByRule: true}, {}}, p.Rings[1].Needs, "a rule does not stand in for the person whom the empty ring asks for")
}

func TestLeaveForTheWholeRolloutIsAskedForOnce(t *testing.T) {
	p := leave(t, func(p *policy.Policy) { p.Need = policy.Need{Approvers: []string{"hans"}} })
	require.Equal(t, []policy.Need{{Approvers: []string{"hans"}}}, p.Rings[0].Needs)
	require.False(t, p.Rings[1].Approval)
}

// What is decided is written down, whatever is in it: a decision comes from outside.
func TestAnOddDecisionIsWrittenDown(t *testing.T) {
	p := leave(t, func(p *policy.Policy) {
		p.Rings[0].Need = policy.Need{Quorum: 3, Emergency: true}
	})
	far := time.Unix(math.MaxInt64/2, 0)
	for name, d := range map[string]policy.Decision{
		"times too late":  {At: far, Expires: far, Emergency: &policy.Emergency{Reason: "x", ReviewDue: far}},
		"times too early": {At: time.Unix(-1e12, 0), Expires: time.Unix(-1e12, 0)},
		"odd zones":       {At: time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("", 100*3600)), Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.FixedZone("", -100*3600))},
		"bytes":           {Reason: "\xff\xfe", Groups: []string{"\xff"}, Emergency: &policy.Emergency{Reason: "\xff", ReviewDue: time.Unix(1, 0), Bypassed: []string{"everything"}}},
	} {
		for _, by := range []string{"hans", "h\xffns"} {
			m, err := rollout.NewMachine(p)
			require.NoError(t, err)
			batches := []rollout.Batch{}
			step := func(s rollout.Signal) {
				b, err := m.Step(s)
				require.NoError(t, err, name)
				if !b.Empty() {
					batches = append(batches, b)
				}
			}
			at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
			step(rollout.Begin{At: at})
			for q := range m.Requests() {
				d.Ruling, d.By, d.Digest = policy.Approved, by, q.Digest
				step(rollout.Decided{At: at, Request: q.ID, Decision: d})
			}
			require.Len(t, batches, 2, "%s: %s", name, by)
			again, _, err := rollout.Replay(p, func(yield func([]byte, error) bool) {
				for _, b := range batches {
					if !yield(rollout.EncodeBatch(nil, b), nil) {
						return
					}
				}
			})
			require.NoError(t, err, name)
			require.Equal(t, m.Explain("ada", at), again.Explain("ada", at), name)
			require.Equal(t, m.Reviews(), again.Reviews())
			for _, r := range m.Reviews() {
				require.Equal(t, []string{"2 more: 3 people"}, r.Bypassed, "nobody says for themselves what was bypassed")
			}
		}
	}
}
