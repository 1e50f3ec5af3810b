package rollouttest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/rollouttest"
)

// patient is how long a rollout goes on at most once nothing fails any more. The policies of [randomPlan] have up to four rings, which soak for
// a day, gates that time out after eight, windows that come twice a week, and rates and spreads over days.
const patient = 15 * 24 * time.Hour

// While devices fail, lie and cannot be reached, and hosts crash and their clocks jump, no rule is broken; once that has an end every rollout has
// one as well: it is over, or waits for people, of whom there are none here.
func TestRolloutsEndOnceNothingFails(t *testing.T) {
	t.Parallel()
	var points points
	var longest time.Duration
	var slowest uint64
	after := 0
	for seed := range sweep(t, 60) {
		d := dice(seed + 4e6)
		plans := []rollout.Plan{randomPlan(t, &d, "q1", 1+d.upTo(25))}
		if d.chance(30) {
			plans = append(plans, randomPlan(t, &d, "q2", 1+d.upTo(25)))
		}
		fleet := randomFleet(&d, seed, plans[0].At, true)
		fleet.Calm = plans[0].At.Add(time.Duration(2+d.upTo(60)) * time.Hour)
		cfg := rollouttest.DriveConfig{Seed: seed, Twice: d.chance(30), Single: d.chance(30), Seen: d.chance(70), Limit: pick(&d, 0, 0, 3), JumpEvery: pick(&d, 0, 10, 40)}
		if d.chance(50) {
			cfg.LoseEvery = 3 + d.upTo(20)
		} else {
			cfg.CrashEvery = 1 + d.upTo(5)
		}
		results, err := rollouttest.Drive(rollouttest.NewFleet(fleet), cfg, plans...)
		require.NoError(t, err, "%+v", cfg)
		points.add(results)
		for _, r := range results {
			took := r.AfterCalm(fleet.Calm)
			require.Empty(t, r.Unasked, "it rests, and nobody was asked")
			require.LessOrEqual(t, took, patient, "%s is %s", r.Machine.Plan().Key, r.Stage)
			if took > 0 {
				after++
			}
			if took > longest {
				longest, slowest = took, seed
			}
		}
	}
	t.Logf("%s", points)
	t.Logf("%d rollouts ended later than faults, after %s at the longest (seed %d); %s is the most", after, longest.Round(time.Minute), slowest, patient)
	if _, one := alone(); one {
		return
	}
	require.NotZero(t, after, "every rollout ended while there were faults: nothing was shown")
	require.NotZero(t, points.torn, "no entry was ever torn")
	require.NotZero(t, points.unknown, "no host ever died without knowing that its entry was written down")
	require.NotZero(t, points.again, "no host ever died in its recovery")
	require.NotZero(t, points.behind, "no clock was ever set back")
}
