package rollouttest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/rollouttest"
)

// Two rollouts install on the same devices during the day and restart them in the same hours of the night. The fleet tells the truth, and the
// driver asks it: a restart that is shared was one.
func TestRestartsAreSharedOnlyWhereThereWasOne(t *testing.T) {
	t.Parallel()
	shared := 0
	var points points
	for seed := range sweep(t, 60) {
		d := dice(seed + 0x5a4ed)
		n := 1 + d.upTo(12)
		plans := []rollout.Plan{randomPlan(t, &d, "q1", n), randomPlan(t, &d, "q2", n)}
		for i := range plans {
			p := &plans[i].Policy
			p.Reboot = policy.Reboot{Mode: pick(&d, policy.RebootAlways, policy.RebootIfRequired), Timeout: hours(1), Windows: []policy.Window{{Start: 20 * 60, End: 23 * 60, Zone: "UTC"}}}
			p.Windows, p.Freezes, p.MaxActive = nil, nil, 0
			for r := range plans[i].Rings {
				plans[i].Rings[r].Windows = nil
			}
		}
		fleet := rollouttest.FleetConfig{Seed: seed, Restart: 8000, MinLatency: 1e9, MaxLatency: 600e9, Lost: pick[policy.Share](&d, 0, 1500), Transient: pick[policy.Share](&d, 0, 1500),
			Calm: plans[0].At.AddDate(0, 0, 20)}
		cfg := rollouttest.DriveConfig{Seed: seed, CrashEvery: pick(&d, 0, 0, 2), LoseEvery: pick(&d, 0, 0, 9), Twice: d.chance(30), Late: pick(&d, 0, 0, 20*hours(1).Std())}
		results, err := rollouttest.Drive(rollouttest.NewFleet(fleet), cfg, plans...)
		require.NoError(t, err, "%+v", cfg)
		points.add(results)
		for _, r := range results {
			shared += r.Shared
		}
	}
	t.Logf("%d restarts shared; %s", shared, points)
	if _, one := alone(); one {
		return
	}
	require.NotZero(t, shared, "no restart ever served two rollouts")
}

// The same at any hour, where each rollout would restart a device as soon as it has installed there: who lets it go first needs no restart of its own. The driver
// knows who asked for it.
func TestRestartsWaitForOthersThatAreReady(t *testing.T) {
	t.Parallel()
	shared, yielded := 0, 0
	var points points
	for seed := range sweep(t, 60) {
		d := dice(seed + 0x41e1d)
		n := 1 + d.upTo(12)
		plans := []rollout.Plan{randomPlan(t, &d, "q1", n), randomPlan(t, &d, "q2", n), randomPlan(t, &d, "q3", n)}
		for i := range plans {
			p := &plans[i].Policy
			p.Reboot = policy.Reboot{Mode: pick(&d, policy.RebootAlways, policy.RebootIfRequired), Timeout: hours(1)}
			p.Priority = d.upTo(2)
			if d.chance(70) {
				p.Windows, p.Freezes = nil, nil
				for r := range plans[i].Rings {
					plans[i].Rings[r].Windows = nil
				}
			}
			if d.chance(30) {
				p.Reboot.Windows = []policy.Window{{Start: 8 * 60, End: 20 * 60, Zone: "UTC"}}
			}
		}
		fleet := rollouttest.FleetConfig{Seed: seed, Restart: 8000, MinLatency: 1e9, MaxLatency: 600e9, Lost: pick[policy.Share](&d, 0, 1500), Transient: pick[policy.Share](&d, 0, 1500),
			Calm: plans[0].At.AddDate(0, 0, 20)}
		cfg := rollouttest.DriveConfig{Seed: seed, CrashEvery: pick(&d, 0, 0, 2), LoseEvery: pick(&d, 0, 0, 9), Twice: d.chance(30), Late: pick(&d, 0, 0, 20*hours(1).Std())}
		results, err := rollouttest.Drive(rollouttest.NewFleet(fleet), cfg, plans...)
		require.NoError(t, err, "%+v", cfg)
		points.add(results)
		for _, r := range results {
			shared, yielded = shared+r.Shared, yielded+r.Yielded
		}
	}
	t.Logf("%d devices let go, %d restarts shared; %s", yielded, shared, points)
	if _, one := alone(); one {
		return
	}
	require.NotZero(t, yielded, "nobody ever let a device go")
	require.NotZero(t, shared, "no restart ever served two rollouts")
}
