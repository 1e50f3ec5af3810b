package providertest

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/snapshot"
)

// SnapshotterHarness tells [Snapshotter] how to get at a snapshotter and at the file system that it keeps.
type SnapshotterHarness struct {
	// New returns the snapshotter of a file system that keeps nothing yet.
	New func(t *testing.T) (snapshot.Snapshotter, SnapshotFiles)
}

// SnapshotFiles are the files of the file system, by a path without folders. They are those that the device would work on after a
// restart.
type SnapshotFiles struct {
	Write func(t *testing.T, path, text string)
	Read  func(t *testing.T, path string) (text string, there bool)
}

// Snapshotter checks a [snapshot.Snapshotter].
func Snapshotter(t *testing.T, h SnapshotterHarness) {
	t.Helper()
	run(t, snapshotPromises(), func(t *testing.T) snapshotFixture {
		s, files := h.New(t)
		return snapshotFixture{s, files}
	}, nil)
}

type snapshotFixture struct {
	snapshot.Snapshotter
	files SnapshotFiles
}

func (f snapshotFixture) create(t *testing.T, name string) snapshot.Snapshot {
	t.Helper()
	s, err := f.Create(t.Context(), name)
	require.NoError(t, err)
	require.Equal(t, name, s.Name)
	require.False(t, s.At.IsZero())
	return s
}

func (f snapshotFixture) restore(t *testing.T, name string) {
	t.Helper()
	_, err := f.Restore(t.Context(), name)
	require.NoError(t, err)
}

// holds wants a file to have a text; "" means that it is not there.
func (f snapshotFixture) holds(t *testing.T, path, text string) {
	t.Helper()
	got, there := f.files.Read(t, path)
	require.Equal(t, text != "", there, path)
	require.Equal(t, text, got, path)
}

func (f snapshotFixture) names(t *testing.T) []string {
	t.Helper()
	list, err := f.List(t.Context())
	require.NoError(t, err)
	names := []string{}
	for _, s := range list {
		names = append(names, s.Name)
	}
	return names
}

const (
	quoteKept      = "Create keeps the state of this moment under name."
	quoteKeptOnce  = "A name that is kept already stays as it is: the call returns what is kept, with the time at which that was made."
	quoteListed    = "List returns what is kept, the oldest first; of two as old, in the order of their names."
	quoteTakenBack = "Restore takes the file system back to a state, which stays kept. A second call takes it back again"
	quoteNotKept   = "For a name that is not kept the error wraps [ErrNotKept], and nothing has changed."
	quoteGivenUp   = "Delete gives a state up. One that is not kept is no error."
	quoteName      = "A name that [CheckName] refuses is an error of each call."
	quoteTurns     = "It is safe for concurrent use; calls with one name come one after the other."
)

func snapshotPromises() []promise[snapshotFixture] {
	return []promise[snapshotFixture]{
		{"Create", "a state is kept", quoteKept, func(t *testing.T, f snapshotFixture) {
			f.files.Write(t, "f", "one")
			f.create(t, "a")
			f.files.Write(t, "f", "two")
			f.create(t, "b")
			f.files.Write(t, "f", "three")
			f.restore(t, "b")
			f.holds(t, "f", "two")
		}},
		{"Create", "what is kept stays as it is", quoteKeptOnce, func(t *testing.T, f snapshotFixture) {
			f.files.Write(t, "f", "one")
			first := f.create(t, "a")
			f.files.Write(t, "f", "two")
			require.Equal(t, first, f.create(t, "a"))
			f.restore(t, "a")
			f.holds(t, "f", "one")
		}},
		{"Create", "calls come one after the other", quoteTurns, func(t *testing.T, f snapshotFixture) {
			const n = 4
			made, errs := make([]snapshot.Snapshot, n), make([]error, n)
			atOnce(n, func(i int) { made[i], errs[i] = f.Create(t.Context(), "a") })
			for i := range n {
				require.NoError(t, errs[i])
				require.Equal(t, made[0], made[i])
			}
			require.Equal(t, []string{"a"}, f.names(t))
		}},
		{"List", "what is kept is listed in order", quoteListed, func(t *testing.T, f snapshotFixture) {
			require.Empty(t, f.names(t))
			b, a := f.create(t, "b"), f.create(t, "a")
			list, err := f.List(t.Context())
			require.NoError(t, err)
			want := []snapshot.Snapshot{b, a}
			if a.At.Equal(b.At) {
				want = []snapshot.Snapshot{a, b}
			}
			require.Equal(t, want, list)
		}},
		{"Restore", "files are as they were", quoteTakenBack, func(t *testing.T, f snapshotFixture) {
			f.files.Write(t, "changed", "one")
			f.create(t, "a")
			f.files.Write(t, "changed", "two")
			f.files.Write(t, "new", "two")
			f.restore(t, "a")
			f.holds(t, "changed", "one")
			f.holds(t, "new", "")
			require.Equal(t, []string{"a"}, f.names(t))
		}},
		{"Restore", "what comes after a restoration does not change what is kept", quoteTakenBack, func(t *testing.T, f snapshotFixture) {
			f.files.Write(t, "f", "one")
			f.create(t, "a")
			f.restore(t, "a")
			f.files.Write(t, "f", "two")
			f.holds(t, "f", "two")
			f.restore(t, "a")
			f.holds(t, "f", "one")
		}},
		{"Restore", "a name that is not kept changes nothing", quoteNotKept, func(t *testing.T, f snapshotFixture) {
			f.files.Write(t, "f", "one")
			f.create(t, "a")
			f.files.Write(t, "f", "two")
			_, err := f.Restore(t.Context(), "b")
			require.ErrorIs(t, err, snapshot.ErrNotKept)
			require.Equal(t, patch.Permanent, patch.FaultOf(err))
			f.holds(t, "f", "two")
		}},
		{"Delete", "a state is given up", quoteGivenUp, func(t *testing.T, f snapshotFixture) {
			f.create(t, "a")
			f.create(t, "b")
			for range 2 {
				require.NoError(t, f.Delete(t.Context(), "a"))
				require.Equal(t, []string{"b"}, f.names(t))
			}
			_, err := f.Restore(t.Context(), "a")
			require.ErrorIs(t, err, snapshot.ErrNotKept)
		}},
		{"Names", "a bad name is refused", quoteName, func(t *testing.T, f snapshotFixture) {
			f.create(t, "a")
			for _, name := range []string{"", ".", "..", "../a", "-r", "a/b", "a b", "A", "_next", "a\n", "a\x00b", "*", strings.Repeat("a", 65)} {
				for _, call := range []func(context.Context, string) error{
					func(ctx context.Context, n string) error { _, err := f.Create(ctx, n); return err },
					func(ctx context.Context, n string) error { _, err := f.Restore(ctx, n); return err },
					f.Delete,
				} {
					require.Equal(t, patch.Permanent, patch.FaultOf(call(t.Context(), name)), "%q", name)
				}
			}
			require.Equal(t, []string{"a"}, f.names(t))
		}},
	}
}
