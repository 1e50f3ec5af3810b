//go:build linux

package flatpak_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/flatpakbed"
	"github.com/patchflow/patchflow/internal/managertest"
	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// published adds an application to the repository.
func published(a flatpakbed.App, other bool) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) {
		t.Helper()
		if other {
			key, err := b.repo.NewKey(t.Context())
			require.NoError(t, err)
			b.repo.SignWith(key)
		}
		require.NoError(t, b.repo.Add(t.Context(), a))
	}
}

// every changes all objects of a kind in a folder.
func every(t *testing.T, dir, kind string, change func(content []byte) []byte) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "objects/*/*."+kind))
	require.NoError(t, err)
	require.NotEmpty(t, all)
	for _, name := range all {
		if change == nil {
			require.NoError(t, os.Remove(name))
			continue
		}
		managertest.Edit(t, filepath.Dir(name), filepath.Base(name), change)
	}
}

// objects is every, on the server.
func objects(kind string, change func(content []byte) []byte) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) { t.Helper(); every(t, b.repo.Dir, kind, change) }
}

// without takes files away from the server.
func without(names ...string) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) {
		t.Helper()
		for _, name := range names {
			require.NoError(t, os.RemoveAll(filepath.Join(b.repo.Dir, name)))
		}
	}
}

// run runs flatpak on the device.
func run(args ...string) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) {
		t.Helper()
		_, err := b.root.Run(t.Context(), append([]string{"flatpak", args[0], flatpakbed.Scope()}, args[1:]...)...)
		require.NoError(t, err)
	}
}

// small puts the device on a disk that has hardly any room left.
func small(t *testing.T, b *bench) {
	t.Helper()
	need.Root(t)
	dir := scratch(t)
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	b.move(t, b.root, filepath.Join(dir, "root"))
}

// A mishap is one of managertest, whose rows are written without the names of fields. What is a version of the application.
type mishap struct {
	name   string
	served bool
	wrong  func(t *testing.T, b *bench)
	what   string // "" fetches the indices
	fault  patch.Fault
	after  string
}

func mishaps() []mishap {
	odd := flatpakbed.App{ID: hello, Version: "4.0-1"}
	unsigned := odd
	unsigned.Unsigned = true
	down := func(_ *testing.T, b *bench) { b.Server.Close() }
	return []mishap{
		{"another flatpak is at work", false, func(t *testing.T, b *bench) { lock(t, b) }, "2.0-1", patch.Busy, "1.0-1"},
		{"nobody has ever offered the version", false, nil, "9.9-1", patch.Permanent, "1.0-1"},
		{"a runtime that is not there", false, nil, "2.1-1", patch.Permanent, "1.0-1"},
		{"the owner has masked it", false, run("mask", hello), "2.0-1", patch.NeedsUser, "1.0-1"},
		{"the remote was deleted", false, run("remote-delete", "--force", "test"), "2.0-1", patch.Permanent, "1.0-1"},
		{"the remote is disabled", false, run("remote-modify", "--disable", "test"), "2.0-1", patch.Permanent, "1.0-1"},
		{"the application was removed", false, run("uninstall", "--noninteractive", "-y", hello), "2.0-1", patch.NotApplicable, ""},
		{"the disk is full", false, small, "3.0-1", patch.DiskFull, "1.0-1"},
		{"the configuration of the repository is garbage", false, func(t *testing.T, b *bench) {
			b.Write(t, "var/lib/flatpak/repo/config", "garbage\n")
		}, "2.0-1", patch.Corrupt, ""},
		{"the folder of the application is gone", false, func(t *testing.T, b *bench) {
			dir, err := filepath.EvalSymlinks(filepath.Dir(b.root.Active(hello, "files")))
			require.NoError(t, err)
			require.NoError(t, os.RemoveAll(dir))
		}, "2.0-1", patch.NoFault, "2.0-1"},
		{"the folder of the application and its commit are gone", false, func(t *testing.T, b *bench) {
			dir, err := filepath.EvalSymlinks(filepath.Dir(b.root.Active(hello, "files")))
			require.NoError(t, err)
			require.NoError(t, os.RemoveAll(dir))
			every(t, filepath.Join(b.root.Flatpak(), "repo"), "commit", nil)
		}, "2.0-1", patch.Corrupt, ""},

		{"the commit is not signed", true, published(unsigned, false), "4.0-1", patch.Untrusted, "1.0-1"},
		{"the commit is signed by somebody else", true, published(odd, true), "4.0-1", patch.Untrusted, "1.0-1"},
		{"the commit is one of something else", true, func(t *testing.T, b *bench) { b.repo.Rename(rival, "2.0-1", hello, "4.0-1") }, "4.0-1", patch.Untrusted, "1.0-1"},
		{"the commit was altered", true, objects("commit", managertest.Longer), "2.0-1", patch.Untrusted, "1.0-1"},
		{"the files were altered", true, objects("filez", managertest.Flip), "2.0-1", patch.Untrusted, "1.0-1"},
		{"the folders were altered", true, objects("dirtree", managertest.Flip), "2.0-1", patch.Untrusted, "1.0-1"},
		{"the commit is not on the server", true, objects("commit", nil), "2.0-1", patch.Permanent, "1.0-1"},
		{"the files are not on the server", true, objects("filez", nil), "2.0-1", patch.Transient, "1.0-1"},
		{"the folders are not on the server", true, objects("dirtree", nil), "2.0-1", patch.Transient, "1.0-1"},
		{"the index is signed by somebody else", true, func(t *testing.T, b *bench) {
			published(odd, true)(t, b)
			require.NoError(t, b.repo.Publish(t.Context()))
		}, "", patch.Untrusted, ""},
		{"the index is not signed", true, without("summary.sig", "summary.idx", "summary.idx.sig"), "", patch.Untrusted, ""},
		{"there is no index", true, without("summary", "summary.sig", "summary.idx", "summary.idx.sig", "summaries"), "", patch.Transient, ""},
		{"the server is down when the index is fetched", true, down, "", patch.Transient, ""},
		{"the server is down when an application is fetched", true, down, "2.0-1", patch.Transient, "1.0-1"},
	}
}

func TestFaultsOfRealDevices(t *testing.T) {
	all := mishaps()
	t.Logf("%d cases", len(all))
	for _, m := range all {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			if m.served && testing.Short() {
				t.Skip("it takes long with the others")
			}
			open := func(t *testing.T) *bench { t.Helper(); return filled(t, nil) }
			if m.served {
				open = served
			}
			b := open(t)
			if m.wrong != nil {
				m.wrong(t, b)
			}
			if m.what == "" {
				err := b.Fleet.Refresh(t.Context(), managertest.Tenant, managertest.Device)
				require.Error(t, err)
				require.Equal(t, m.fault, patch.FaultOf(err), "%v", err)
				return
			}
			p := b.pinned(hello, m.what)
			if m.what == "9.9-1" {
				p.Packages[0].Fixed.Text = "20990101T000000Z-" + b.repo.Version(rival, "2.0-1")[17:80] + "0"
			}
			r := b.Deploy(t, p)
			require.Equal(t, m.fault, r.Fault, "%+v", r)
			require.Equal(t, m.fault == patch.NoFault, r.Phase == rollout.PhaseSucceeded, "%+v", r)
			if m.after != "" {
				require.Equal(t, m.after, b.at(t, hello), "%+v", r)
			}
		})
	}
}
