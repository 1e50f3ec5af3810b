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

// A rollout that waits for its window is overtaken by one that begins at once and brings a newer version: the older work is dropped, and the
// journal says by whom.
func TestANewerVersionDropsTheWorkOfAnOlderRollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, j := fleet(nil, 4, "openssl"), new(memjournal.Journal)
		r := start(t, config(f, j))
		late := only("openssl", all())
		clock := policy.Clock((time.Now().UTC().Hour() + 5) % 24 * 60)
		late.Windows = []policy.Window{{Start: clock, End: (clock + 60) % (24 * 60), Zone: "UTC"}}
		begin(t, r, key("q1"), late)
		newer := fix("openssl")
		newer.ID, newer.Packages[0].Fixed = "debian:openssl=3", deb("3")
		f.AddPatch(newer)
		soon := all()
		soon.Rules[0].Match.IDs = append(soon.Rules[0].Match.IDs, newer.ID)
		begin(t, r, key("q2"), soon)
		require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 4}, outcomes(ends(t, r, key("q2"))))
		pass(time.Minute)
		s, _, err := r.Status(t.Context(), key("q1"))
		require.NoError(t, err)
		require.Equal(t, map[rollout.Outcome]int{rollout.Superseded: 4}, outcomes(s))
		x, err := r.Explain(t.Context(), key("q1"), dev(2))
		require.NoError(t, err)
		require.Equal(t, "rollout acme:q2 has brought what supersedes it", x.Reasons[1].String())
		_, batches := history(t, j, key("q1"))
		told, _ := events[rollout.SupersededBy](batches)
		var overtaken []int32 // in as many batches as there were signals of the other rollout
		for _, e := range told {
			require.Equal(t, key("q2"), e.By)
			overtaken = append(overtaken, e.Devices...)
		}
		require.ElementsMatch(t, []int32{0, 1, 2, 3}, overtaken)
		for task := range begun(t, f) {
			name, err := rollout.ParseTaskID(task)
			require.NoError(t, err)
			require.Equal(t, key("q2"), name.Rollout)
		}
	})
}
