package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// A rollout that would roll a device back comes first there, and for an hour only if it asks no more.
func TestAClaimForARollbackEnds(t *testing.T) {
	machine := func(id ID, priority int) *Machine {
		in := input(1, policy.Ring{Name: "all", Rest: true, Gate: policy.Gate{Manual: true}})
		in.Key.ID, in.Policy.Priority = id, priority
		return begunMachine(t, in)
	}
	a := &Agenda{}
	first, next, other := machine("first", 5), machine("next", 0), machine("other", 0)
	at := first.Now()
	step := func(m *Machine, s Signal, granted ...int32) {
		b, err := m.Step(s)
		require.NoError(t, err)
		a.Note(m, b, granted)
	}
	install := func(m *Machine, r Report) {
		g := a.Grant(m, at)
		require.Len(t, g, 1)
		step(m, Granted{at, g}, g...)
		task, _ := m.Task(0)
		step(m, Reported{At: at, Reports: []TaskReport{{task.Handle, r}}})
	}
	install(first, Report{Phase: PhaseFailed, Fault: patch.Permanent})
	g := a.Grant(other, at)
	step(other, Granted{at, g}, g...)
	step(first, Commanded{at, Command{Do: DoUndoDevice, Device: first.plan.Devices[0], By: "inge"}})
	require.Empty(t, a.Grant(first, at), "another rollout works on it")
	task, _ := other.Task(0)
	step(other, Reported{At: at, Reports: []TaskReport{{task.Handle, Report{Phase: PhaseFailed, Fault: patch.Permanent}}}})
	require.Empty(t, a.Grant(next, at.Add(59*time.Minute)), "the rollback is first")
	require.Len(t, a.Grant(next, at.Add(time.Hour)), 1)
}

// A rollout that may only download ahead on a device that another one has comes first there when its own window opens, and not before: to wait for that all day
// would gain nobody anything.
func TestADownloadClaimsNothing(t *testing.T) {
	machine := func(id ID, set func(p *policy.Policy)) *Machine {
		in := input(1, policy.Ring{Name: "all", Rest: true})
		in.Key.ID = id
		set(&in.Policy)
		return begunMachine(t, in)
	}
	a := &Agenda{}
	holds := machine("holds", func(*policy.Policy) {})
	loads := machine("loads", func(p *policy.Policy) {
		p.Priority = 5
		p.Windows = []policy.Window{{Start: 20 * 60, End: 23 * 60, Zone: "UTC"}}
		p.Download.Windows = []policy.Window{{Start: 0, End: 24 * 60, Zone: "UTC"}}
	})
	next := machine("next", func(*policy.Policy) {})
	at := holds.Now()
	step := func(m *Machine, s Signal, granted ...int32) {
		b, err := m.Step(s)
		require.NoError(t, err)
		a.Note(m, b, granted)
	}
	report := func(m *Machine) {
		task, ok := m.Task(0)
		require.True(t, ok)
		step(m, Reported{At: at, Reports: []TaskReport{{task.Handle, Report{Phase: PhaseSucceeded}}}})
	}
	g := a.Grant(holds, at)
	step(holds, Granted{at, g}, g...)
	require.Equal(t, []int32{0}, loads.Wanted(at, 0), "it would download")
	require.Empty(t, a.Grant(loads, at))
	report(holds) // the installation
	report(holds) // the look after it
	_, first := a.ExplainClaim(next, next.plan.Devices[0], at)
	require.False(t, first)
	require.Len(t, a.Grant(next, at), 1)
}
