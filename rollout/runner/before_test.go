package runner_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/rollout"
)

// A device whose scan says that it waits for a restart is restarted before anything is installed there, and the others are not.
func TestADeviceThatWaitsForARestartIsRestartedFirst(t *testing.T) {
	for name, scans := range map[string]bool{"told by its deployer": false, "told by a scan": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fleet(nil, 2)
				waits := unpatched("acme", "waits")
				waits.PendingReboot = patch.Yes
				f.AddDevice(waits)
				j := new(memjournal.Journal)
				cfg := config(f, j)
				if scans {
					cfg.Deployer = restarts{f, f}
				}
				r := start(t, cfg)
				p := all()
				p.Reboot = policy.Reboot{Mode: policy.RebootIfRequired, Before: policy.BeforeIfPending}
				begin(t, r, key("q1"), p)
				require.Equal(t, 3, outcomes(ends(t, r, key("q1")))[rollout.Succeeded])
				did := make(map[string][]rollout.Op)
				for _, e := range f.Log() {
					if e.Phase == rollout.PhaseRunning && (e.Op == rollout.OpInstall || e.Op == rollout.OpReboot) {
						did[string(e.Device)] = append(did[string(e.Device)], e.Op)
					}
				}
				require.Equal(t, map[string][]rollout.Op{"waits": {rollout.OpReboot, rollout.OpInstall},
					"dev-000": {rollout.OpInstall}, "dev-001": {rollout.OpInstall}}, did)
				_, batches := history(t, j, key("q1"))
				looked, _ := events[rollout.Looked](batches)
				require.True(t, slices.ContainsFunc(looked, func(e rollout.Looked) bool { return e.Then == rollout.LookedPending && len(e.Devices) == 1 }))
			})
		})
	}
}

// restarts is a deployer that can restart, and leaves it to scans to verify.
type restarts struct {
	rollout.Deployer
	rollout.Rebooter
}
