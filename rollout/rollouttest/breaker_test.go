package rollouttest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/rollouttest"
)

// A breaker of which policy.Lint says that it never trips never does, whatever fails; one of which it does not say so does now and then.
func TestABreakerThatNeverTripsNeverDoes(t *testing.T) {
	t.Parallel()
	idle, tripped := 0, 0
	for seed := range sweep(t, 300) {
		d := dice(seed + 4e6)
		pol := policy.Policy{Name: "random", Rules: []policy.Rule{{Name: "all", Match: policy.Match{All: true}, Verdict: policy.Approve}},
			Rings: []policy.Ring{{Name: "first", Share: 3000, Gate: policy.Gate{MaxFailed: pick[policy.Share](&d, 0, 0, 3000), MinSample: d.upTo(4)}},
				{Name: "rest", Rest: true, Gate: policy.Gate{Denominator: pick(&d, policy.Assigned, policy.Settled), MaxFailed: pick[policy.Share](&d, 0, 2500)}}},
			MaxActive: pick(&d, 0, 1, 2, 2), Retry: policy.Retry{Attempts: 1 + d.upTo(3)},
			Breaker: policy.Breaker{Failures: 1 + d.upTo(12), Pause: hours(1)}}
		in := rollout.PlanInput{Key: rollout.Key{Tenant: "acme", ID: "q1"}, Policy: pol, At: time.Date(2024, 3, 28, 9, 0, 0, 0, time.UTC), Zones: []string{"UTC"},
			Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "p"}}}}}
		for _, id := range []string{"a", "b", "c", "d", "e", "f"}[:2+d.upTo(5)] {
			in.Targets = append(in.Targets, rollout.Target{Device: inventory.DeviceID(id), Ring: rollout.ByShare})
		}
		p, err := rollout.NewPlan(in)
		require.NoError(t, err)
		facts := policy.LintFacts{Now: p.At}
		for r := range p.Rings {
			facts.Rings = append(facts.Rings, p.Rings[r].Count)
		}
		never := false
		for _, w := range policy.Lint(&p.Policy, facts) {
			never = never || w.Code == policy.LintIdleBreaker
		}
		fleet := rollouttest.NewFleet(rollouttest.FleetConfig{Seed: seed, Broken: pick[policy.Share](&d, 5000, 10000), Transient: 7000, MinLatency: time.Minute,
			MaxLatency: time.Hour})
		results, err := rollouttest.Drive(fleet, rollouttest.DriveConfig{Seed: seed}, p)
		require.NoError(t, err)
		trips := false
		for _, entry := range results[0].Entries {
			b, err := rollout.DecodeBatch(entry)
			require.NoError(t, err)
			for _, e := range b.Events {
				_, is := e.(rollout.BreakerTripped)
				trips = trips || is
			}
		}
		require.False(t, never && trips, "%+v", p.Policy)
		if never {
			idle++
		}
		if trips {
			tripped++
		}
	}
	t.Logf("%d never trip, %d did", idle, tripped)
	if _, one := alone(); one {
		return
	}
	require.NotZero(t, idle)
	require.NotZero(t, tripped)
}
