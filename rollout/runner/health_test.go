package runner_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/rollout"
)

func TestSamplesReachTheRolloutsThatCompareThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, config(fleet(nil, 3, "openssl", "curl"), new(memjournal.Journal)))
		p := approves(policy.Ring{Name: "all", Rest: true, Gate: policy.Gate{Soak: policy.Duration(24 * time.Hour)}})
		begin(t, r, key("plain"), only("curl", p))
		p.Health.Metrics = []policy.Metric{{Name: "boot-seconds", By: 3000}}
		begin(t, r, key("watched"), only("openssl", p))

		boot := func(seconds float64) rollout.Sample { return rollout.Sample{Metric: "boot-seconds", Value: seconds} }
		before := boot(20)
		before.Taken = time.Now().Add(-time.Hour)
		pass(time.Hour)
		require.NoError(t, r.Sample(t.Context(), "acme", dev(0), before), "what was before may be told later")
		require.NoError(t, r.Sample(t.Context(), "acme", "nobody", boot(1)))
		require.NoError(t, r.Sample(t.Context(), "beta", dev(0), boot(99)), "a device of somebody else")
		require.ErrorContains(t, r.Sample(t.Context(), "acme", dev(0), boot(-1)), "sample 0, boot-seconds of device")
		require.NoError(t, r.Sample(t.Context(), "acme", dev(0), boot(26)))
		s, _, err := r.Status(t.Context(), key("watched"))
		require.NoError(t, err)
		require.Equal(t, rollout.StageActive, s.Stage)

		require.NoError(t, r.Sample(t.Context(), "acme", dev(0), boot(27)))
		s, _, err = r.Status(t.Context(), key("watched"))
		require.NoError(t, err)
		require.Equal(t, rollout.StageHalted, s.Stage, "26.5 after 20")
		require.Equal(t, 1, s.Rings[0].Counts.Unwell)
		require.Equal(t, 2, s.Rings[0].Counts.Succeeded)
		require.Equal(t, 3, s.Rings[0].Outcomes[rollout.Succeeded], "what became of the installation stays")

		require.Equal(t, rollout.StageDone, ends(t, r, key("plain")).Stage)
		require.NoError(t, r.Sample(t.Context(), "acme", dev(0), boot(27)), "the other is over")
	})
}

// A process that drives nothing brings samples to the rollouts of the one that does.
func TestSamplesReachRolloutsOfAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(memjournal.Journal)
		f := fleet(nil, 1)
		r := start(t, config(f, j))
		p := approves(policy.Ring{Name: "all", Rest: true, Gate: policy.Gate{Soak: policy.Duration(24 * time.Hour)}})
		p.Health.Metrics = []policy.Metric{{Name: "boot-seconds", By: 3000}}
		begin(t, r, key("q1"), p)
		pass(time.Hour)
		before := rollout.Sample{Metric: "boot-seconds", Value: 20, Taken: time.Now().Add(-2 * time.Hour)}
		require.NoError(t, newRunner(t, config(f, j)).Sample(t.Context(), "acme", dev(0), before))
		_, batches := history(t, j, key("q1"))
		measured, _ := events[rollout.Measured](batches)
		require.Equal(t, []rollout.Measured{{Devices: []int32{0}, Values: []float64{20}}}, measured)
	})
}

func TestFeedbackReachesItsRollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, config(fleet(nil, 3), new(memjournal.Journal)))
		p := approves(policy.Ring{Name: "all", Rest: true, Gate: policy.Gate{Soak: policy.Duration(24 * time.Hour)}})
		p.Health.Feedback.Count = 2
		begin(t, r, key("q1"), p)
		pass(time.Hour)
		broke := func(by string) rollout.Feedback {
			return rollout.Feedback{By: by, Word: rollout.Broke, Text: "no sound"}
		}
		require.NoError(t, r.Feedback(t.Context(), key("q1"), dev(0), broke("eva")))
		require.NoError(t, r.Feedback(t.Context(), key("q1"), dev(0), broke("Eva")), "one person is one voice")
		require.ErrorIs(t, r.Feedback(t.Context(), key("q1"), "nobody", broke("eva")), rollout.ErrNotFound)
		require.ErrorIs(t, r.Feedback(t.Context(), key("q2"), dev(0), broke("eva")), rollout.ErrNotFound)
		require.ErrorContains(t, r.Feedback(t.Context(), key("q1"), dev(0), broke(" ")), "it is nobody's")
		s, _, err := r.Status(t.Context(), key("q1"))
		require.NoError(t, err)
		require.Equal(t, rollout.StageActive, s.Stage)
		require.NoError(t, r.Feedback(t.Context(), key("q1"), dev(1), broke("eva")))
		s, _, err = r.Status(t.Context(), key("q1"))
		require.NoError(t, err)
		require.Equal(t, rollout.StageHalted, s.Stage)
		require.Equal(t, 2, s.Rings[0].Counts.Broke)
		require.NoError(t, r.Command(t.Context(), key("q1"), rollout.Command{Do: rollout.DoCancel, By: "hans"}))
		ends(t, r, key("q1"))
		require.ErrorIs(t, r.Feedback(t.Context(), key("q1"), dev(2), broke("eva")), rollout.ErrFinal)
	})
}

func TestPeoplePutARestartOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 2)
		r := start(t, config(f, new(memjournal.Journal)))
		p := approves(policy.Ring{Name: "all", Rest: true})
		p.Reboot = policy.Reboot{Mode: policy.RebootAlways, Deferrals: policy.Deferrals{Max: 1}}
		began := time.Now()
		begin(t, r, key("q1"), p)
		pass(time.Minute)
		x, err := r.Defer(t.Context(), key("q1"), dev(0), "eva", time.Now().Add(3*time.Hour))
		require.NoError(t, err)
		require.Contains(t, x.Reasons[0].String(), "put off 1 of 1 times")
		require.True(t, x.Next.Equal(began.Add(time.Minute+3*time.Hour)), x.Next)
		x, err = r.Defer(t.Context(), key("q1"), dev(0), "eva", began)
		require.ErrorIs(t, err, rollout.ErrCommand)
		require.ErrorContains(t, err, "not put off any more")
		require.True(t, x.Next.Equal(began.Add(time.Minute+3*time.Hour)), "it was put off often enough: %s", x.Next)
		_, err = r.Defer(t.Context(), key("q1"), "nobody", "eva", time.Time{})
		require.ErrorIs(t, err, rollout.ErrNotFound)
		require.Equal(t, rollout.StageDone, ends(t, r, key("q1")).Stage)
		require.GreaterOrEqual(t, time.Since(began), 3*time.Hour)
	})
}
