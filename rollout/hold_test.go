package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// A hold keeps first and further attempts back, and nothing that takes a patch away or looks what is there.
func TestTheAgendaKeepsInstallationsBackAndNothingElse(t *testing.T) {
	in := input(2, policy.Ring{Name: "all", Rest: true, Gate: policy.Gate{MaxFailed: 9999, MinSuccess: 1}})
	p, err := NewPlan(in)
	require.NoError(t, err)
	m, err := NewMachine(p)
	require.NoError(t, err)
	var held map[inventory.DeviceID]bool
	a := Agenda{Hold: func(tenant inventory.Tenant, d inventory.DeviceID, c *Content, _ time.Time) (policy.Reason, bool) {
		require.Equal(t, inventory.Tenant("acme"), tenant)
		require.Equal(t, patch.ID("x:p1"), c.Patches[0].ID)
		return policy.Reason{Code: policy.ReasonHeld, Subject: "H", Verdict: policy.Hold}, held[d]
	}}
	now := in.At
	step := func(s Signal) {
		t.Helper()
		b, err := m.Step(s)
		require.NoError(t, err)
		a.Note(m, b, nil)
	}
	grant := func() []int32 {
		g := a.Grant(m, now)
		if len(g) > 0 {
			step(Granted{now, g})
		}
		return g
	}
	report := func(r Report) {
		task, ok := m.Task(0)
		require.True(t, ok)
		step(Reported{At: now, Reports: []TaskReport{{task.Handle, r}}})
	}
	first, second := p.Devices[0], p.Devices[1]
	step(Begin{now})
	held = map[inventory.DeviceID]bool{first: true, second: true}
	require.Empty(t, grant())
	require.True(t, a.KeptBack(p.Key))
	why, ok := a.ExplainHold(m, first, now)
	require.True(t, ok)
	require.Equal(t, `hold "H" keeps it back`, why.String())
	_, ok = a.ExplainHold(m, "nobody", now)
	require.False(t, ok)

	held = map[inventory.DeviceID]bool{second: true}
	require.Equal(t, []int32{0}, grant(), "the other one goes ahead")
	require.True(t, a.KeptBack(p.Key))
	_, ok = a.ExplainHold(m, first, now)
	require.False(t, ok)

	report(Report{Phase: PhaseFailed, Fault: patch.Transient})
	now = now.Add(24 * time.Hour)
	step(Tick{now})
	held[first] = true
	require.Empty(t, grant(), "a further attempt is kept back too")
	held = nil
	require.Equal(t, []int32{0, 1}, grant())
	require.False(t, a.KeptBack(p.Key))

	held = map[inventory.DeviceID]bool{first: true, second: true}
	report(Report{Phase: PhaseSucceeded}) // the verification follows in the same session
	task, ok := m.Task(0)
	require.True(t, ok)
	require.Equal(t, OpVerify, task.Op)
	report(Report{Phase: PhaseSucceeded})
	step(Commanded{now, Command{Do: DoUndo, By: "olga"}})
	require.Equal(t, []int32{0}, grant(), "the rollback is not kept back")
	task, _ = m.Task(0)
	require.Equal(t, OpRollback, task.Op)
}
