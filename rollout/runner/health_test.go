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
