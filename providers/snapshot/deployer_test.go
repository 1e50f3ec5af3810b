package snapshot_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/providers/snapshot"
	"github.com/patchflow/patchflow/rollout"
)

// shelf keeps names; what it is told to fail with it fails with.
type shelf struct {
	now      time.Time
	kept     []snapshot.Snapshot
	restored []string
	err      error
}

func (s *shelf) Create(_ context.Context, name string) (snapshot.Snapshot, error) {
	for _, k := range s.kept {
		if k.Name == name {
			return k, s.err
		}
	}
	k := snapshot.Snapshot{Name: name, At: s.now}
	if s.err == nil {
		s.kept = append(s.kept, k)
	}
	return k, s.err
}
func (s *shelf) List(context.Context) ([]snapshot.Snapshot, error) { return s.kept, nil }
func (s *shelf) Restore(_ context.Context, name string) (snapshot.Restored, error) {
	s.restored = append(s.restored, name)
	return snapshot.Restored{Reboot: patch.Yes}, s.err
}
func (s *shelf) Delete(context.Context, string) error { return errors.New("nobody asked for that") }

func task(op rollout.Op, seq uint32, reversal patch.Reversal) rollout.Task {
	return rollout.Task{ID: rollout.NewTaskID(rollout.Key{Tenant: "acme", ID: "q1"}, "all", "ada", op, seq), Tenant: "acme", Device: "ada", Op: op,
		Content: rollout.Content{Patches: []rollout.Pinned{{ID: "p1", Reversal: reversal}}}}
}

func TestADeployerBacksUpAndGoesBack(t *testing.T) {
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	s := &shelf{now: noon}
	d, err := snapshot.NewDeployer(snapshot.Config{Next: new(memory.Fleet), Now: func() time.Time { return s.now },
		Of: func(rollout.Task) (snapshot.Snapshotter, error) { return s, nil }})
	require.NoError(t, err)
	keep := func(k rollout.Task) rollout.Backup {
		a, ok := rollout.Ability[rollout.Snapshotter](d, k)
		require.True(t, ok)
		r, err := a.Snapshot(t.Context(), k)
		require.NoError(t, err)
		require.Equal(t, rollout.PhaseSucceeded, r.Phase)
		again, err := d.Status(t.Context(), k)
		require.NoError(t, err)
		require.Equal(t, r, again)
		return r.Backup
	}
	first := task(rollout.OpBackup, 1, patch.ReversalSnapshot)
	first.Since = noon
	made := keep(first)
	require.Equal(t, rollout.Backup{ID: snapshot.NameOf(string(first.ID)), At: noon}, made)
	require.Equal(t, made, keep(first), "the same task makes no other one")
	require.Len(t, s.kept, 1)

	s.now = noon.Add(3 * time.Hour)
	young := task(rollout.OpBackup, 2, patch.ReversalSnapshot)
	young.Since = noon.Add(-time.Hour)
	require.Equal(t, made, keep(young), "one that is young enough will do")
	old := task(rollout.OpBackup, 3, patch.ReversalSnapshot)
	old.Since = noon.Add(time.Hour)
	require.NotEqual(t, made.ID, keep(old).ID, "one that is too old will not")
	require.Len(t, s.kept, 2)

	undo := task(rollout.OpRollback, 4, patch.ReversalSnapshot)
	a, ok := rollout.Ability[rollout.Rollbacker](d, undo)
	require.True(t, ok)
	_, err = a.Rollback(t.Context(), undo)
	require.ErrorIs(t, err, patch.ErrPermanent, "without a backup there is nothing to go back to")
	undo.Backup = made
	for range 2 {
		r, err := a.Rollback(t.Context(), undo)
		require.NoError(t, err)
		require.Equal(t, rollout.Report{Phase: rollout.PhaseSucceeded, Reboot: patch.Yes}, r)
	}
	require.Equal(t, []string{made.ID}, s.restored, "once, though it was asked for twice")

	late := task(rollout.OpBackup, 5, patch.ReversalSnapshot)
	late.StartBy = s.now
	r, err := d.Snapshot(t.Context(), late)
	require.NoError(t, err)
	require.Equal(t, patch.Busy, r.Fault)

	s.err = errors.Join(errors.New("no space"), patch.ErrDiskFull)
	_, err = d.Snapshot(t.Context(), task(rollout.OpBackup, 6, patch.ReversalSnapshot))
	require.ErrorIs(t, err, patch.ErrDiskFull)
	require.ErrorContains(t, err, "snapshot: backup of device ada: ")
}

// installer can install and nothing else.
type installer struct{ rollout.Deployer }

func TestADeployerAddsNoRollbackThatNobodyCanDo(t *testing.T) {
	of := func(rollout.Task) (snapshot.Snapshotter, error) { return new(shelf), nil }
	d, err := snapshot.NewDeployer(snapshot.Config{Next: installer{new(memory.Fleet)}, Of: of})
	require.NoError(t, err)
	_, ok := rollout.Ability[rollout.Rollbacker](d, task(rollout.OpRollback, 1, patch.ReversalReinstall))
	require.False(t, ok)
	_, ok = rollout.Ability[rollout.Rollbacker](d, task(rollout.OpRollback, 1, patch.ReversalSnapshot))
	require.True(t, ok)
	_, ok = rollout.Ability[rollout.Canceller](d, task(rollout.OpInstall, 1, patch.ReversalSnapshot))
	require.False(t, ok)
	full, err := snapshot.NewDeployer(snapshot.Config{Next: new(memory.Fleet), Of: of})
	require.NoError(t, err)
	for _, reversal := range []patch.Reversal{patch.ReversalReinstall, patch.ReversalSnapshot} {
		_, ok = rollout.Ability[rollout.Rollbacker](full, task(rollout.OpRollback, 1, reversal))
		require.True(t, ok)
	}
	_, ok = rollout.Ability[rollout.Verifier](full, task(rollout.OpVerify, 1, patch.ReversalReinstall))
	require.True(t, ok)
	_, err = snapshot.NewDeployer(snapshot.Config{Of: of})
	require.EqualError(t, err, "snapshot: a deployer needs Next and Of")
}
