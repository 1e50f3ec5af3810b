package rollout

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// The step that tells of the rollback by which too many have failed begins no other one, whatever else it tells.
func TestNoRollbackBeginsInTheStepInWhichTooManyFail(t *testing.T) {
	for name, limit := range map[string]policy.Rollback{
		"a share":  {MaxFailed: 100},
		"no limit": {},
		"a larger": {MaxFailed: 5000},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(2, policy.Ring{Name: "all", Rest: true, Gate: policy.Gate{MaxFailed: 9999, MinSuccess: 1}})
			in.Policy.Rollback = limit
			m := begunMachine(t, in)
			step := func(s Signal) Batch {
				b, err := m.Step(s)
				require.NoError(t, err)
				return b
			}
			report := func(d int32, r Report) TaskReport {
				task, ok := m.Task(d)
				require.True(t, ok)
				return TaskReport{task.Handle, r}
			}
			step(Granted{in.At, m.Wanted(in.At, 0)})
			step(Commanded{in.At, Command{Do: DoUndo, By: "inge", Reason: "no"}})
			step(Reported{At: in.At, Reports: []TaskReport{report(0, Report{Phase: PhaseSucceeded})}})
			require.Equal(t, OpRollback, m.Device(0).Op)
			b := step(Reported{At: in.At, Reports: []TaskReport{report(1, Report{Phase: PhaseSucceeded}),
				report(0, Report{Phase: PhaseFailed, Fault: patch.Permanent})}})
			begun := false
			for _, e := range b.Events {
				i, ok := e.(Issued)
				begun = begun || ok && i.Op == OpRollback
			}
			require.Equal(t, limit.MaxFailed != 100, begun)
			require.Equal(t, RollbackFailed, m.Device(0).Outcome)
			if begun {
				require.Equal(t, StageUndoing, m.Stage())
				return
			}
			require.Equal(t, StageHalted, m.Stage())
			require.Empty(t, m.Wanted(in.At, 0))
			step(Commanded{in.At, Command{Do: DoResume, By: "inge"}})
			require.Equal(t, []int32{1}, m.Wanted(in.At, 0), "it is not forgotten")
		})
	}
}
