package sshfleet

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/fleetbed"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// Ten devices with systemd restart after they were patched. One of them does not come back: what it was to start is gone. That is no success,
// and after its grace it keeps the others from nothing.
func TestDevicesRestartAndOneNeverComesBack(t *testing.T) {
	const n, dead = 10, 6
	s := newSiteOf(t, n, fleetbed.Systemd)
	s.publishWith(t, `echo due >/run/reboot-required
if [ -e /etc/breaks ]; then rm -f /etc/systemd/system/bed.service /etc/systemd/system/default.target; fi`)
	require.NoError(t, os.WriteFile(filepath.Join(s.Devices[dead].Root, "etc", "breaks"), nil, 0o644))
	o := s.orders(t, 2*time.Second, 1)
	o.Restart = nil // what systems with systemd have
	o.Policy.Rings = []policy.Ring{{Name: "all", Rest: true, Gate: policy.Gate{Denominator: policy.Reached}}}
	o.Policy.Retry.Grace = policy.Duration(3 * time.Second)
	o.Policy.Reboot.Timeout = policy.Duration(30 * time.Second)
	// Its ssh server is up before and after. That there was no printer before does not count against the patch.
	o.Policy.Health.Probes.List = []policy.Probe{{Name: "ssh", Of: "bed"}, {Name: "printer", Of: "cups"},
		{Name: "systemd", Check: policy.ProbeVersion, Of: "systemd", Version: "1"}}

	require.True(t, live(t, o, func(string, func()) {}))
	told := timeline(t, o.Dir)
	require.Equal(t, rollout.StageDone, told.Machine().Stage())
	c, err := newController(o)
	require.NoError(t, err)
	require.NoError(t, c.each(t.Context(), func(ctx context.Context, i int) error {
		if i == dead {
			return nil
		}
		w, err := c.ask(ctx, o.Names[i])
		if err != nil {
			return err
		}
		d := deviceOf(told, o, i)
		w.Outcome, w.Tries = told.Machine().Device(d).Outcome, told.Tries(d)
		w.Boots, w.Restart = s.Devices[i].Boots(), true
		require.Empty(t, w.Contradictions(), "%s: %s", o.Names[i], w)
		require.Equal(t, rollout.Succeeded, w.Outcome)
		require.Equal(t, rollout.OpProbe, w.Tries[len(w.Tries)-1].Op)
		return nil
	}))
	d := deviceOf(told, o, dead)
	require.Equal(t, rollout.Unreachable, told.Machine().Device(d).Outcome, "after its grace nobody waits any longer, and nobody calls it a success")
	ops := make(map[rollout.Op]rollout.Try)
	for _, x := range told.Tries(d) {
		ops[x.Op] = x
	}
	require.Equal(t, rollout.PhaseSucceeded, ops[rollout.OpInstall].Phase)
	require.NotEqual(t, rollout.PhaseSucceeded, ops[rollout.OpReboot].Phase)
	require.NotEqual(t, rollout.PhaseSucceeded, ops[rollout.OpVerify].Phase)
}

// deviceOf returns the number in the plan of device i.
func deviceOf(told *rollout.Timeline, o orders, i int) int {
	for d, id := range told.Plan().Devices {
		if id == o.Names[i] {
			return d
		}
	}
	return -1
}
