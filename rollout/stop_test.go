package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// An emergency lasts until somebody resumes: a gate that fails meanwhile does not end it.
func TestAGateThatFailsDoesNotEndAnEmergency(t *testing.T) {
	in := input(2, policy.Ring{Name: "all", Rest: true})
	p, err := NewPlan(in)
	require.NoError(t, err)
	m, err := NewMachine(p)
	require.NoError(t, err)
	for _, s := range []Signal{Begin{in.At}, Granted{in.At, []int32{0, 1}}, Commanded{in.At, Command{Do: DoStop, By: "inge"}}} {
		_, err = m.Step(s)
		require.NoError(t, err)
	}
	task, ok := m.Task(0)
	require.True(t, ok)
	_, err = m.Step(Reported{At: in.At, Reports: []TaskReport{{task.Handle, Report{Phase: PhaseFailed, Fault: patch.Permanent}}}})
	require.NoError(t, err)
	require.Equal(t, StageHalted, m.Stage())
	require.Equal(t, "stop", m.Status().Why)
	for _, c := range []Command{{Do: DoPromote, Ring: "all", By: "inge"}, {Do: DoResume, By: "inge"}} {
		_, err = m.Step(Commanded{in.At, c})
		require.NoError(t, err)
	}
	require.Equal(t, "command", m.Status().Why)
}

// When the places of all rollouts are taken, nothing is to be asked again at an instant that is past: the host would do nothing else.
func TestAnAgendaWithoutRoomNamesNoInstant(t *testing.T) {
	machine := func(id ID, n int, rate policy.Rate) *Machine {
		in := input(n, policy.Ring{Name: "all", Rest: true})
		in.Key.ID, in.Policy.Budgets = id, []policy.Budget{{Name: "all", Rate: rate}}
		for i := range in.Targets {
			in.Targets[i].Device = in.Targets[i].Device + "-" + inventory.DeviceID(id)
		}
		domains := NewDomains(in.Policy.Budgets)
		for i := range in.Targets {
			in.Targets[i].Place = domains.Add(&inventory.Device{Tenant: "acme", ID: in.Targets[i].Device})
		}
		domains.Fill(&in)
		p, err := NewPlan(in)
		require.NoError(t, err)
		m, err := NewMachine(p)
		require.NoError(t, err)
		_, err = m.Step(Begin{in.At})
		require.NoError(t, err)
		return m
	}
	a := Agenda{Limit: 2}
	one, other := machine("q1", 2, policy.Rate{Count: 1, Every: policy.Duration(time.Minute)}), machine("q2", 1, policy.Rate{Count: 9, Every: policy.Duration(time.Hour)})
	now := one.Now()
	for _, m := range []*Machine{one, other} {
		granted := a.Grant(m, now)
		require.Len(t, granted, 1)
		b, err := m.Step(Granted{now, granted})
		require.NoError(t, err)
		a.Note(m, b, granted)
	}
	later := now.Add(time.Minute)
	require.Empty(t, a.Grant(one, later), "there is no room")
	_, ok := a.Next(one.plan.Key)
	require.False(t, ok)
}
