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

// What has become urgent comes first in every rollout that brings it, and nowhere else: not on a device of that name of another
// tenant, nor where another patch is rolled out.
func TestWhatBecomesUrgentComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(memjournal.Journal)
		f := fleet(nil, 9, "openssl", "curl")
		f.AddDevice(unpatched("acme/paris", "bob"), unpatched("other", "dev-003"))
		f.Behave = behave(memory.Behaviour{Latency: time.Minute})
		r := start(t, config(f, j))
		slow := func(pkg string) policy.Policy {
			p := only(pkg, all())
			p.MaxActive = 1
			return p
		}
		other := rollout.Key{Tenant: "other", ID: "o1"}
		begin(t, r, key("q1"), slow("openssl"))
		begin(t, r, key("q2"), slow("curl"))
		begin(t, r, other, slow("openssl"))
		synctest.Wait()
		plan, _ := history(t, j, key("q1"))
		last := plan.Plan().Devices[len(plan.Plan().Devices)-1]

		found := []policy.Escalation{{Tenant: "acme", Device: last, Patch: fix("openssl").ID, Is: policy.Due{Now: true},
			Causes: []policy.Cause{{Code: policy.CauseExploited, From: "unknown", To: "yes"}}}}
		if last == "bob" {
			found[0].Tenant = "acme/paris"
		}
		for range 2 {
			require.NoError(t, r.Escalate(t.Context(), found))
		}
		found[0].Tenant = "acme/berlin"
		require.NoError(t, r.Escalate(t.Context(), found), "nobody has such a device")
		require.NoError(t, r.Escalate(t.Context(), nil))
		for _, k := range []rollout.Key{key("q1"), key("q2"), other} {
			ends(t, r, k)
			var urgent []rollout.Escalated
			var begun []inventory.DeviceID
			m, batches := history(t, j, k)
			for _, b := range batches {
				for _, e := range b.Events {
					switch e := e.(type) {
					case rollout.Escalated:
						urgent = append(urgent, e)
					case rollout.Issued:
						if e.Op == rollout.OpInstall {
							begun = append(begun, m.Plan().Devices[e.Devices[0]])
						}
					}
				}
			}
			if k != key("q1") {
				require.Empty(t, urgent, k)
				continue
			}
			require.Len(t, urgent, 1, "once")
			require.Equal(t, fix("openssl").ID, urgent[0].Patch)
			require.Equal(t, last, begun[1], "the second, since one was begun before")
		}
	})
}
