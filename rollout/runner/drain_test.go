package runner_test

import (
	"slices"
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

// A device that carries load is out of service while it is patched, and back after that. One that cannot be drained is not touched, and one that cannot be
// put back has failed and stays out.
func TestADeviceThatCarriesLoadIsDrained(t *testing.T) {
	const drain, install, verify, uncordon = rollout.OpDrain, rollout.OpInstall, rollout.OpVerify, rollout.OpUncordon
	for name, row := range map[string]struct {
		fails   rollout.Op
		ops     []rollout.Op
		outcome rollout.Outcome
		out     bool
	}{
		"all goes well":         {rollout.OpUnknown, []rollout.Op{drain, install, verify, uncordon}, rollout.Succeeded, false},
		"it cannot be drained":  {drain, []rollout.Op{drain, uncordon}, rollout.Failed, false},
		"it fails":              {install, []rollout.Op{drain, install}, rollout.Failed, true},
		"it cannot be put back": {uncordon, []rollout.Op{drain, install, verify, uncordon}, rollout.Failed, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fleet(nil, 2)
				f.Behave = func(d inventory.DeviceID, task rollout.Task) (b memory.Behaviour) {
					if d == dev(0) && task.Op == row.fails && row.fails != rollout.OpUnknown {
						b.Fault = patch.Permanent
					}
					return b
				}
				j := new(memjournal.Journal)
				r := start(t, config(f, j))
				p := all()
				p.Budgets = []policy.Budget{{Name: "nodes", Devices: inventory.MustSelector("device.id=" + string(dev(0))), Drain: true}}
				p.Rings[0].Gate.MaxFailed = 5000
				begin(t, r, key("q1"), p)
				ends(t, r, key("q1"))
				ops := make(map[inventory.DeviceID][]rollout.Op)
				for _, e := range f.Log() {
					if e.Phase == rollout.PhaseRunning {
						ops[e.Device] = append(ops[e.Device], e.Op)
					}
				}
				require.Equal(t, map[inventory.DeviceID][]rollout.Op{dev(0): row.ops, dev(1): {install, verify}}, ops)
				m, _ := history(t, j, key("q1"))
				n, found := m.Plan().Find(dev(0))
				require.True(t, found)
				require.Equal(t, row.outcome, m.Device(n).Outcome)
				require.Equal(t, row.out, m.Device(n).Out)
				require.Equal(t, row.out, len(slices.Collect(m.Drained())) == 1)
				require.Equal(t, row.out, f.Drained("acme", dev(0)))
			})
		})
	}
}
