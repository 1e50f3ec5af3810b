package runner_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
)

// A device is bought while a rollout is under way. It is made a joiner of as the plan was made, joins, survives a restart of the process, and is
// patched with the others.
func TestADeviceThatTurnsUpJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 70)
		f.Behave = behave(memory.Behaviour{Latency: 10 * time.Minute})
		journal := new(memjournal.Journal)
		r := start(t, config(f, journal))
		p := all()
		p.Rings[0].MaxActive = 10
		p.Joiners = policy.JoinersAdmitted
		plan := begin(t, r, key("q1"), p)
		pass(time.Minute)

		var joiners []rollout.Joiner
		for i, id := range []inventory.DeviceID{"new-1", "new-2"} {
			f.AddDevice(unpatched("acme", id))
			j := rollout.Joiner{Device: id, Tenant: plan.TenantOf(0), Zone: plan.Zones[0], Content: plan.Contents[0], Claim: rollout.ByShare}
			joiners = append(joiners, j)
			require.NoError(t, r.Join(t.Context(), key("q1"), joiners[i]))
		}
		require.ErrorIs(t, r.Join(t.Context(), key("q1"), joiners[0]), rollout.ErrJoin, "it is there already")
		why, err := r.Explain(t.Context(), key("q1"), "new-1")
		require.NoError(t, err)
		require.Equal(t, "wait-limit", why.Reasons[0].Code)
		s := ends(t, r, key("q1"))
		require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 72}, outcomes(s))
		require.ErrorIs(t, r.Join(t.Context(), key("q1"), joiners[0]), rollout.ErrFinal)
		require.ErrorIs(t, r.Join(t.Context(), key("q2"), joiners[0]), rollout.ErrNotFound)

		again := newRunner(t, config(f, journal))
		s, _, err = again.Status(t.Context(), key("q1"))
		require.NoError(t, err)
		require.Equal(t, 72, s.Rings[0].Counts.Devices)
	})
}
