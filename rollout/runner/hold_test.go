package runner_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

// While a rollout is under way somebody learns that the patch breaks tills. What has begun goes on, no till is begun any more,
// the others go ahead, and once the hold is lifted the tills follow.
func TestAHoldThatComesDuringARollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 6)
		f.Behave = behave(memory.Behaviour{Latency: 10 * time.Minute})
		x := fix("openssl")
		var holds atomic.Pointer[[]policy.KnownIssue]
		holds.Store(new([]policy.KnownIssue))
		cfg := config(f, new(memjournal.Journal))
		cfg.Hold = func(tenant inventory.Tenant, d inventory.DeviceID, c *rollout.Content, now time.Time) (policy.Reason, bool) {
			device := inventory.Device{Tenant: tenant, ID: d}
			for _, p := range c.Patches {
				require.Equal(t, x.ID, p.ID)
				if r, held := policy.HeldBack(*holds.Load(), &x, &device, now); held {
					return r, true
				}
			}
			return policy.Reason{}, false
		}
		r := start(t, cfg)
		p := all()
		p.Rings[0].MaxActive = 2
		plan := begin(t, r, key("q1"), p)
		pass(time.Minute)
		require.Len(t, begun(t, f), 2)

		held := plan.Devices[3]
		holds.Store(&[]policy.KnownIssue{{ID: "H-1", Message: "breaks tills", Match: policy.Match{IDs: []patch.ID{x.ID},
			Devices: inventory.MustSelector("device.id in (" + string(plan.Devices[0]) + "," + string(held) + ")")}}})
		pass(5 * time.Hour)
		s, _, err := r.Status(t.Context(), key("q1"))
		require.NoError(t, err)
		require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 5}, outcomes(s), "what had begun before the hold is done, and so are the others")
		why, err := r.Explain(t.Context(), key("q1"), held)
		require.NoError(t, err)
		require.Len(t, why.Reasons, 1)
		require.Equal(t, "wait-hold", why.Reasons[0].Code)
		require.Equal(t, `hold "H-1" keeps it back: breaks tills`, why.Reasons[0].String())

		holds.Store(new([]policy.KnownIssue))
		require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 6}, outcomes(ends(t, r, key("q1"))))
	})
}

// The patch has no date of release: a rule that defers it holds it, until a deadline that counts from when it was first seen.
func TestAPlanIsToldWhenPatchesWereFirstSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(t, config(fleet(nil, 1), new(memjournal.Journal)))
		p := all()
		p.Rules = append([]policy.Rule{{Name: "wait", Match: policy.Match{All: true}, Verdict: policy.Defer, For: 1}}, p.Rules...)
		p.Deadlines = []policy.Deadline{{Name: "week", Match: policy.Match{All: true}, Within: policy.Duration(7 * 24 * time.Hour), From: policy.SinceFirstSeen}}
		q := runner.PlanRequest{Key: key("q1"), Policy: p, By: "olga"}
		_, err := r.Plan(t.Context(), q)
		require.ErrorIs(t, err, rollout.ErrNothing)
		q.FirstSeen = func(d *inventory.Device, x patch.ID) time.Time {
			require.Equal(t, []any{dev(0), fix("openssl").ID}, []any{d.ID, x})
			return time.Now().Add(-7 * 24 * time.Hour)
		}
		proposal, err := r.Plan(t.Context(), q)
		require.NoError(t, err)
		require.Len(t, proposal.Plan.Devices, 1)
	})
}
