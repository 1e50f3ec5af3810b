package runner_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
)

// A device whose package database is damaged is put right before its next try, and no other is. Without the policy's remedy it fails.
func TestADamagedDeviceIsPutRight(t *testing.T) {
	for name, row := range map[string]struct {
		remedies []policy.Remedy
		ops      []rollout.Op
		outcome  rollout.Outcome
	}{
		"with a remedy": {[]policy.Remedy{{Fault: patch.Corrupt}}, []rollout.Op{rollout.OpInstall, rollout.OpRemedy, rollout.OpInstall, rollout.OpVerify}, rollout.Succeeded},
		"with another":  {[]policy.Remedy{{Fault: patch.DiskFull}}, []rollout.Op{rollout.OpInstall, rollout.OpInstall}, rollout.Failed},
		"without":       {nil, []rollout.Op{rollout.OpInstall, rollout.OpInstall}, rollout.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fleet(nil, 2)
				f.Behave = func(d inventory.DeviceID, _ rollout.Task) (b memory.Behaviour) {
					if d == dev(0) {
						b.Damage = patch.Corrupt
					}
					return b
				}
				j := new(memjournal.Journal)
				r := start(t, config(f, j))
				p := all()
				p.Retry.Attempts, p.Retry.Remedies, p.Rings[0].Gate.MaxFailed = 2, row.remedies, 5000
				begin(t, r, key("q1"), p)
				ends(t, r, key("q1"))
				ops := make(map[inventory.DeviceID][]rollout.Op)
				for _, e := range f.Log() {
					if e.Phase == rollout.PhaseRunning {
						ops[e.Device] = append(ops[e.Device], e.Op)
					}
				}
				require.Equal(t, map[inventory.DeviceID][]rollout.Op{dev(0): row.ops, dev(1): {rollout.OpInstall, rollout.OpVerify}}, ops)
				m, batches := history(t, j, key("q1"))
				require.Equal(t, row.outcome, m.Device(0).Outcome)
				remedied, _ := events[rollout.Remedied](batches)
				if row.outcome == rollout.Succeeded {
					require.Equal(t, []rollout.Remedied{{Then: rollout.RemedyDone, Of: patch.Corrupt, Devices: []int32{0}}}, remedied)
				} else {
					require.Empty(t, remedied)
				}
			})
		})
	}
}
