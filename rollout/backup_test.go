package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// A patch that only a snapshot takes back can be planned under a policy that rolls back, if there must be one.
func TestARequiredBackupIsAWayBack(t *testing.T) {
	for need, ok := range map[policy.BackupNeed]bool{policy.BackupNone: false, policy.BackupBestEffort: false, policy.BackupRequired: true} {
		in := input(3, policy.Ring{Name: "all", Rest: true})
		in.Policy.Rollback.On, in.Policy.Backup.Need = policy.FailRollsBackAll, need
		in.Contents[0].Patches[0].Reversal = patch.ReversalSnapshot
		_, err := NewPlan(in)
		if ok {
			require.NoError(t, err, "%s", need)
		} else {
			require.ErrorContains(t, err, "cannot be taken back (reversal snapshot)", "%s", need)
		}
	}
}

// What a task is told of backups: which one that the device has will do, and, from then on, which one there is.
func TestTasksNameTheBackup(t *testing.T) {
	in := input(1, policy.Ring{Name: "all", Rest: true})
	in.Policy.Backup = policy.Backup{Need: policy.BackupRequired, MaxAge: 6 * hour}
	p, err := NewPlan(in)
	require.NoError(t, err)
	m, err := NewMachine(p)
	require.NoError(t, err)
	step := func(s Signal) {
		_, err := m.Step(s)
		require.NoError(t, err)
	}
	step(Begin{in.At})
	step(Granted{in.At, []int32{0}})
	task, ok := m.Task(0)
	require.True(t, ok)
	require.Equal(t, OpBackup, task.Op)
	require.Equal(t, in.At.Add(-6*time.Hour).UTC(), task.Since)
	require.Equal(t, 1, task.Attempt)
	require.Zero(t, task.Backup)
	for _, none := range []Backup{{}, {ID: "b1"}, {At: in.At}, {"b2", in.At.Add(-7 * time.Hour)}, {"b3", in.At.Add(time.Hour)}} {
		_, proved := m.proof(0, &TaskReport{task.Handle, Report{Phase: PhaseSucceeded, Backup: none}})
		require.False(t, proved, "%+v", none)
	}
	made := Backup{ID: "b7", At: in.At.UTC()}
	step(Reported{At: in.At, Reports: []TaskReport{{task.Handle, Report{Phase: PhaseSucceeded, Backup: made}}}})
	task, ok = m.Task(0)
	require.True(t, ok)
	require.Equal(t, OpInstall, task.Op)
	require.Zero(t, task.Since)
	require.Equal(t, made, task.Backup)
	step(Commanded{in.At, Command{Do: DoUndo, By: "inge", Reason: "bad"}})
	step(Reported{At: in.At, Reports: []TaskReport{{task.Handle, Report{Phase: PhaseSucceeded}}}})
	task, _ = m.Task(0)
	require.Equal(t, OpRollback, task.Op)
	require.Equal(t, made, task.Backup, "it names what to go back to")
}

// A host that was asleep hears of a backup, or of the drain after it, long after that: by then the backup is too old, and there is another one before
// anything is installed.
func TestABackupOfWhichIsHeardLateIsMadeAgain(t *testing.T) {
	for _, late := range []Op{OpBackup, OpDrain} {
		in := input(1, policy.Ring{Name: "all", Rest: true})
		in.Policy.Budgets = []policy.Budget{{Name: "all", Drain: true}}
		domains := NewDomains(in.Policy.Budgets)
		in.Targets[0].Place = domains.Add(&inventory.Device{Tenant: in.Tenant, ID: in.Targets[0].Device})
		domains.Fill(&in)
		in.Policy.Backup.Need = policy.BackupRequired
		p, err := NewPlan(in)
		require.NoError(t, err)
		m, err := NewMachine(p)
		require.NoError(t, err)
		now := in.At
		step := func(s Signal) {
			_, err := m.Step(s)
			require.NoError(t, err)
			if wanted := m.Wanted(now, 0); len(wanted) > 0 {
				_, err = m.Step(Granted{now, wanted})
				require.NoError(t, err)
			}
		}
		step(Begin{now})
		var ops []Op
		for len(ops) < 5 && m.Stage() == StageActive {
			task, ok := m.Task(0)
			require.True(t, ok)
			ops = append(ops, task.Op)
			r := Report{Phase: PhaseSucceeded}
			if task.Op == OpBackup {
				r.Backup = Backup{"b", now}
			}
			if now = now.Add(time.Minute); task.Op == late {
				now, late = now.Add(40*time.Hour), OpUnknown
			}
			if task.Op == OpInstall {
				require.WithinDuration(t, now, task.Backup.At, time.Hour)
			}
			step(Reported{At: now, Reports: []TaskReport{{task.Handle, r}}})
		}
		require.Contains(t, ops, OpInstall)
	}
}

// A journal with backups does not fit a plan that wants none.
func TestBackupsOfAnotherPlanAreRefused(t *testing.T) {
	p, err := NewPlan(input(2, policy.Ring{Name: "all", Rest: true}))
	require.NoError(t, err)
	digest, err := p.Digest()
	require.NoError(t, err)
	at := p.At.Add(time.Hour)
	for _, e := range []Event{Issued{Op: OpBackup, Devices: []int32{0}}, BackedUp{Devices: []int32{0}, Backups: []Backup{{"b", at}}},
		Postponed{Op: OpBackup, Devices: []int32{0}, Until: []time.Time{at}}} {
		m, err := NewMachine(p)
		require.NoError(t, err)
		require.NoError(t, m.Apply(at, Began{Digest: digest}))
		require.ErrorIs(t, m.Apply(at, e), ErrReplay, "%T", e)
	}
}
