package rollout

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// begunFor returns the machine of a tenant's rollout of ten devices, whose first ones have failed.
func begunFor(t *testing.T, tenant string, failures int32) *Machine {
	in := input(10, policy.Ring{Name: "all", Rest: true, Gate: policy.Gate{MaxFailed: 10000}})
	in.Key.Tenant = inventory.Tenant(tenant)
	p, err := NewPlan(in)
	require.NoError(t, err)
	m, err := NewMachine(p)
	require.NoError(t, err)
	at := in.At
	_, err = m.Step(Begin{at})
	require.NoError(t, err)
	_, err = m.Step(Granted{at, m.Wanted(at, 0)})
	require.NoError(t, err)
	var reports []TaskReport
	for d := range failures {
		task, ok := m.Task(d)
		require.True(t, ok)
		reports = append(reports, TaskReport{task.Handle, Report{Phase: PhaseFailed, Fault: patch.Permanent}})
	}
	_, err = m.Step(Reported{At: at, Reports: reports})
	require.NoError(t, err)
	return m
}

func TestAPoolTellsNothingOfFewTenants(t *testing.T) {
	var p Pool
	for i, tenant := range []string{"a", "b", "c", "d", "e"} {
		p.Add(begunFor(t, tenant, int32(i%2)))
		p.Add(begunFor(t, tenant, int32(i%2)*3)) // again: takes the place of the first
		all := p.Outcomes(0)
		if i < CommonTenants-1 {
			require.Empty(t, all, "%d tenants", i+1)
		}
		if i < LeastTenants-1 {
			require.Empty(t, p.Outcomes(1), "%d tenants, whatever is asked for", i+1)
		} else {
			require.Len(t, p.Outcomes(1), 1)
		}
	}
	require.Equal(t, []PatchOutcomes{{Patch: "x:p1", Tenants: 5, Failing: 2, Devices: 50, Failed: 6}}, p.Outcomes(0))
}

func TestTwoRolloutsOfATenantAreOneTenant(t *testing.T) {
	var p Pool
	for i := range 6 {
		m := begunFor(t, "a", 0)
		m.plan.Key.ID = ID(fmt.Sprint(i))
		p.Add(m)
	}
	require.Empty(t, p.Outcomes(2))
}

func TestReplayWeighsTheSame(t *testing.T) {
	in := input(30, policy.Ring{Name: "all", Rest: true, MaxActive: 7, Gate: policy.Gate{MaxFailed: 10000,
		Evidence: policy.Evidence{Tolerate: 3000, Below: 5000, Within: policy.Duration(2 * time.Hour)}}})
	p, err := NewPlan(in)
	require.NoError(t, err)
	live, err := NewMachine(p)
	require.NoError(t, err)
	replayed, err := NewMachine(p)
	require.NoError(t, err)
	now := in.At
	step := func(s Signal) {
		b, err := live.Step(s)
		require.NoError(t, err)
		for _, e := range b.Events {
			require.NoError(t, replayed.Apply(b.At, e))
		}
		require.Equal(t, live.Status().Rings, replayed.Status().Rings)
		next, ok := live.Next()
		again, found := replayed.Next()
		require.Equal(t, ok, found)
		require.Equal(t, next, again)
	}
	step(Begin{now})
	for round := range 40 {
		if g := live.Wanted(now, 0); len(g) > 0 {
			step(Granted{now, g})
		}
		var reports []TaskReport
		for d := range live.Running() {
			if int(d)%5 == round%5 && d%7 != 0 {
				task, _ := live.Task(d)
				r := Report{Phase: PhaseSucceeded}
				if d%4 == 0 {
					r = Report{Phase: PhaseFailed, Fault: patch.Permanent}
				}
				reports = append(reports, TaskReport{task.Handle, r})
			}
		}
		step(Reported{At: now, Reports: reports})
		now = now.Add(20 * time.Minute)
		step(Tick{now})
	}
	e := live.Status().Rings[0].Evidence
	require.Positive(t, e.Overdue, "silent devices were counted")
	require.Positive(t, e.Settled)
	require.GreaterOrEqual(t, e.Failed, e.SettledFailed)
}

// Five tenants have the same patch, and two of them trouble with it.
func ExamplePool() {
	var p Pool
	for i, failures := range []int{0, 0, 1, 0, 2} {
		in := input(10, policy.Ring{Name: "all", Rest: true, Gate: policy.Gate{MaxFailed: 5000}})
		in.Key.Tenant = inventory.Tenant(fmt.Sprintf("tenant-%d", i))
		plan, err := NewPlan(in)
		if err != nil {
			panic(err)
		}
		m, err := NewMachine(plan)
		if err != nil {
			panic(err)
		}
		step := func(s Signal) {
			if _, err := m.Step(s); err != nil {
				panic(err)
			}
		}
		step(Begin{in.At})
		step(Granted{in.At, m.Wanted(in.At, 0)})
		for d := range failures {
			task, _ := m.Task(int32(d))
			step(Reported{At: in.At, Reports: []TaskReport{{task.Handle, Report{Phase: PhaseFailed, Fault: patch.Permanent}}}})
		}
		p.Add(m)
		fmt.Println(p.Outcomes(0))
	}
	// Output:
	// []
	// []
	// []
	// []
	// [{x:p1 5 2 50 3}]
}
