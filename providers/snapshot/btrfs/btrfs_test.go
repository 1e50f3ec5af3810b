package btrfs

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/providers/snapshot"
	"github.com/patchflow/patchflow/providers/snapshot/internal/loop"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/providers/transport/local"
)

// bed makes a file system with a subvolume @, and returns its top and its image.
func bed(t *testing.T) (top, image string) {
	t.Helper()
	need.Tool(t, "btrfs")
	top, image = loop.Btrfs(t)
	loop.Run(t, "btrfs", "subvolume", "create", filepath.Join(top, "@"))
	return top, image
}

func states(t *testing.T, top string, to transport.Transport) snapshot.Snapshotter {
	t.Helper()
	s, err := New(Config{To: to, Top: top, Subvolume: "@"})
	require.NoError(t, err)
	return s
}

func files(top string) providertest.SnapshotFiles {
	return providertest.SnapshotFiles{
		Write: func(t *testing.T, path, text string) {
			require.NoError(t, os.WriteFile(filepath.Join(top, "@", path), []byte(text), 0o600))
		},
		Read: func(t *testing.T, path string) (string, bool) {
			b, err := os.ReadFile(filepath.Join(top, "@", path))
			if err != nil {
				require.ErrorIs(t, err, os.ErrNotExist)
			}
			return string(b), err == nil
		},
	}
}

func TestConformance(t *testing.T) {
	providertest.Snapshotter(t, providertest.SnapshotterHarness{New: func(t *testing.T) (snapshot.Snapshotter, providertest.SnapshotFiles) {
		top, _ := bed(t)
		return states(t, top, local.New(local.Config{})), files(top)
	}})
}

// A subvolume that is mounted elsewhere is the running system: it goes on with the old files until the next mount.
func TestAMountedSubvolumeNeedsARestart(t *testing.T) {
	top, image := bed(t)
	s, f := states(t, top, local.New(local.Config{})), files(top)
	f.Write(t, "f", "one")
	_, err := s.Create(t.Context(), "a")
	require.NoError(t, err)
	r, err := s.Restore(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, patch.No, r.Reboot)

	root := loop.Mount(t, image, "subvol=@")
	for _, text := range []string{"two", "three", "four"} { // what was mounted first cannot be deleted, and is not in the way
		f.Write(t, "f", text)
		r, err = s.Restore(t.Context(), "a")
		require.NoError(t, err)
	}
	require.Equal(t, patch.Yes, r.Reboot)
	b, err := os.ReadFile(filepath.Join(root, "f"))
	require.NoError(t, err)
	require.Equal(t, "two", string(b), "the running system")
	text, _ := f.Read(t, "f")
	require.Equal(t, "one", text, "the next one")
	next := loop.Mount(t, image, "subvol=@")
	b, err = os.ReadFile(filepath.Join(next, "f"))
	require.NoError(t, err)
	require.Equal(t, "one", string(b))
}

// A restoration that is broken off after any of its commands, and then done again, leads to the same end.
func TestARestorationThatIsBrokenOff(t *testing.T) {
	top, _ := bed(t)
	good, f := local.New(local.Config{}), files(top)
	s := states(t, top, good)
	f.Write(t, "f", "one")
	_, err := s.Create(t.Context(), "a")
	require.NoError(t, err)
	for after := 0; ; after++ {
		f.Write(t, "f", "two")
		ran := 0
		broken := states(t, top, transport.Func(func(ctx context.Context, c transport.Command) (transport.Result, error) {
			if ran++; ran > after {
				return transport.Result{}, patch.ErrUnreachable
			}
			return good.Run(ctx, c)
		}))
		_, err := broken.Restore(t.Context(), "a")
		if err == nil {
			require.Greater(t, after, 5)
			break
		}
		require.Equal(t, patch.Unreachable, patch.FaultOf(err))
		_, err = s.Restore(t.Context(), "a")
		require.NoError(t, err, "after %d commands", after)
		text, _ := f.Read(t, "f")
		require.Equal(t, "one", text, "after %d commands", after)
	}
	list, err := s.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1, "what is between is not listed")
}

func TestFaults(t *testing.T) {
	top, _ := bed(t)
	s := states(t, top, local.New(local.Config{}))
	f := files(top)
	f.Write(t, "f", "one")
	require.NoError(t, os.MkdirAll(filepath.Join(top, ".patchflow", "plain"), 0o700))
	_, err := s.Create(t.Context(), "plain")
	require.ErrorContains(t, err, "Not a Btrfs subvolume", "a folder of somebody else's")

	_, err = states(t, top, transport.Func(func(context.Context, transport.Command) (transport.Result, error) {
		return transport.Result{Ended: true, Code: 127}, nil
	})).Create(t.Context(), "a")
	require.Equal(t, patch.Permanent, patch.FaultOf(err), "%v", err)

	_, err = states(t, top, transport.Func(func(_ context.Context, c transport.Command) (transport.Result, error) {
		if c.Argv[0] == "test" {
			return transport.Result{Ended: true, Code: 1}, nil
		}
		return transport.Result{Ended: true, Code: 1, Stderr: []byte("ERROR: cannot create subvolume: No space left on device")}, nil
	})).Create(t.Context(), "a")
	require.Equal(t, patch.DiskFull, patch.FaultOf(err), "%v", err)

	other, err := New(Config{To: local.New(local.Config{}), Top: top, Subvolume: "gone"})
	require.NoError(t, err)
	_, err = other.Create(t.Context(), "a")
	require.Error(t, err)
	list, err := other.List(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestConfig(t *testing.T) {
	to := local.New(local.Config{})
	for field, c := range map[string]Config{
		"To is nil":         {Top: "/top", Subvolume: "@"},
		`Top ""`:            {To: to, Subvolume: "@"},
		`Top "top"`:         {To: to, Top: "top", Subvolume: "@"},
		`Top "/top/"`:       {To: to, Top: "/top/", Subvolume: "@"},
		`Subvolume ""`:      {To: to, Top: "/top"},
		`Subvolume "../x"`:  {To: to, Top: "/top", Subvolume: "../x"},
		`Subvolume "/x"`:    {To: to, Top: "/top", Subvolume: "/x"},
		`Folder "x/../y"`:   {To: to, Top: "/top", Subvolume: "@", Folder: "x/../y"},
		"lie in each other": {To: to, Top: "/top", Subvolume: "@", Folder: "@/kept"},
	} {
		_, err := New(c)
		require.ErrorContains(t, err, field)
	}
	s, err := New(Config{To: to, Top: "/top", Subvolume: "@"})
	require.NoError(t, err)
	require.Equal(t, "/top/.patchflow/a", s.(*subvolume).kept("a"), "the default")
}

func TestParseList(t *testing.T) {
	all, err := parseList([]byte("ID 259 gen 9 cgen 9 top level 5 otime 2026-11-26 12:11:47 path .patchflow/b\n"+
		"ID 257 gen 7 cgen 7 top level 5 otime 2026-11-26 12:11:46 path .patchflow/c path d\n"+
		"ID 258 gen 8 cgen 8 top level 5 otime 2026-11-26 12:11:46 path .patchflow/a\n"+
		"ID 260 gen 8 cgen 8 top level 5 otime 2026-11-26 12:11:46 path timeshift/a\n"+
		"ID 261 gen 8 cgen 8 top level 5 otime 2026-11-26 12:11:46 path .patchflow/_replaced\n"), ".patchflow")
	require.NoError(t, err)
	at := time.Date(2026, 11, 26, 12, 11, 46, 0, time.UTC)
	require.Equal(t, []snapshot.Snapshot{{Name: "a", At: at}, {Name: "b", At: at.Add(time.Second)}}, all)
	for _, bad := range []string{"hello\n", "ID 1 otime yesterday path .patchflow/a\n", "ID 1 path .patchflow/a\n", strings.Repeat("x", 1<<17)} {
		_, err := parseList([]byte(bad), ".patchflow")
		require.Error(t, err, "%.50q", bad)
	}
}

func FuzzParseList(f *testing.F) {
	f.Add([]byte("ID 259 gen 9 cgen 9 top level 5 otime 2026-11-26 12:11:47 path .patchflow/b\n"))
	f.Fuzz(func(t *testing.T, out []byte) {
		all, err := parseList(out, ".patchflow")
		if err != nil {
			return
		}
		for _, s := range all {
			require.NoError(t, snapshot.CheckName(s.Name))
			require.False(t, s.At.IsZero() && s.At.Year() != 1)
		}
	})
}

func TestMounts(t *testing.T) {
	const table = `43 27 0:39 / /mnt/top\040dir rw,relatime - btrfs /dev/loop0 rw,subvolid=5,subvol=/
44 27 0:39 /@home /home rw,relatime - btrfs /dev/loop0 rw,subvol=/@home
45 27 0:40 /@ / rw,relatime - btrfs /dev/loop1 rw,subvol=/@
`
	restart := func(table, top, subvolumeName string) patch.Tri {
		s := &subvolume{Config: Config{Subvolume: subvolumeName, Folder: "kept"}}
		return s.needsRestart(parseMounts(table, top))
	}
	require.Equal(t, patch.No, restart(table, "/mnt/top dir", "@"), "another file system's")
	require.Equal(t, patch.Yes, restart(table, "/mnt/top dir", "@home"))
	require.Equal(t, patch.Yes, restart(table+"46 27 0:39 /@/var /var rw - btrfs x rw\n", "/mnt/top dir", "@"), "a part of it")
	require.Equal(t, patch.Yes, restart(table+"46 27 0:39 /kept/_replaced-1 / rw - btrfs x rw\n", "/mnt/top dir", "@"), "restored before")
	require.Equal(t, patch.Unknown, restart(table, "/mnt/none", "@"))
	require.True(t, parseMounts(table, "/mnt/none").below("@"), "nothing is deleted of which nothing is known")
}
