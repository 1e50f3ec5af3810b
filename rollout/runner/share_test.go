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

// Three rollouts bring what takes effect by a restart to the same devices, one after the other, and each device is restarted once. No rollout waits for one of a
// lower priority: where the last has the highest, the first waits for that one only, and where the first has it, for nobody.
func TestOneRestartServesAllRollouts(t *testing.T) {
	const devices = 5
	restarts := func(t *testing.T, priority func(i int) int) map[inventory.DeviceID]int {
		n := make(map[inventory.DeviceID]int)
		synctest.Test(t, func(t *testing.T) {
			f := fleet(nil, devices, "openssl", "curl", "bash")
			f.Behave = behave(memory.Behaviour{Latency: 5 * time.Minute, NeedsReboot: true})
			cfg := config(f, new(memjournal.Journal))
			cfg.Poll = time.Minute
			r := start(t, cfg)
			ids := []rollout.ID{"q1", "q2", "q3"}
			for i, pkg := range []string{"openssl", "curl", "bash"} {
				p := all()
				p.Reboot.Mode, p.Priority = policy.RebootIfRequired, priority(i)
				begin(t, r, key(ids[i]), only(pkg, p))
				pass(time.Second)
			}
			for _, id := range ids {
				s := ends(t, r, key(id))
				require.Equal(t, rollout.StageDone, s.Stage)
				require.Equal(t, devices, s.Rings[0].Outcomes[rollout.Succeeded])
			}
			for _, e := range f.Log() {
				if e.Op == rollout.OpReboot && e.Phase == rollout.PhaseRunning {
					n[e.Device]++
				}
			}
		})
		return n
	}
	for name, c := range map[string]struct {
		priority func(i int) int
		want     int
	}{
		"equals":                {func(int) int { return 0 }, 1},
		"the last comes first":  {func(i int) int { return i }, 2},
		"the first comes first": {func(i int) int { return 3 - i }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			n := restarts(t, c.priority)
			require.Len(t, n, devices)
			for d, n := range n {
				require.Equal(t, c.want, n, d)
			}
		})
	}
}
