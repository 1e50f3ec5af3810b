package runner_test

import (
	"fmt"
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
)

// What fails at others halts a rollout whose ring asks for it, and no other.
func TestGatherHaltsWhatFailsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 0, "openssl")
		tenants := []inventory.Tenant{"a", "b", "c", "asks", "asks-not"}
		for _, tenant := range tenants {
			for i := range 10 {
				f.AddDevice(unpatched(tenant, inventory.DeviceID(fmt.Sprintf("%s-%d", tenant, i)), "openssl"))
			}
		}
		f.Behave = func(_ inventory.DeviceID, task rollout.Task) memory.Behaviour {
			if len(task.Rollout.Tenant) > 1 {
				return memory.Behaviour{Latency: 3 * time.Hour}
			}
			return memory.Behaviour{Fault: patch.Permanent}
		}
		r := start(t, config(f, new(memjournal.Journal)))
		for _, tenant := range tenants {
			p := all()
			if tenant == "asks" {
				p.Rings[0].Gate.Evidence = policy.Evidence{Tolerate: 200, Pooled: true}
			}
			begin(t, r, rollout.Key{Tenant: tenant, ID: "q1"}, p)
		}
		pass(time.Minute)
		stage := func(tenant inventory.Tenant) rollout.Stage {
			s, _, err := r.Status(t.Context(), rollout.Key{Tenant: tenant, ID: "q1"})
			require.NoError(t, err)
			return s.Stage
		}
		sums, err := r.Gather(t.Context(), time.Now().Add(time.Second), 3)
		require.NoError(t, err)
		require.Empty(t, sums, "nothing has changed since")
		require.Equal(t, rollout.StageActive, stage("asks"))
		sums, err = r.Gather(t.Context(), time.Time{}, 3)
		require.NoError(t, err)
		require.Equal(t, []rollout.PatchOutcomes{{Patch: fix("openssl").ID, Tenants: 5, Failing: 3, Devices: 50, Failed: 30}}, sums)
		require.Equal(t, rollout.StageHalted, stage("asks"))
		require.Equal(t, rollout.StageActive, stage("asks-not"))
	})
}
