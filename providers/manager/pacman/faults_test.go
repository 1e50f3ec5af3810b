//go:build linux

package pacman_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/managertest"
	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// A mishap is one of managertest, whose rows are written without the names of fields.
type mishap struct {
	Name   string
	Served bool
	Wrong  func(t *testing.T, b *bench)
	What   rollout.Pinned
	Fault  patch.Fault
	After  string
}

// edit changes a file of the repository.
func edit(name string, change func(content []byte) []byte) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) { t.Helper(); managertest.Edit(t, b.repo.Dir, name, change) }
}

func mishaps() []mishap {
	const index, file = "test.db", "hello-2.0-1-any.pkg.tar.gz"
	hello := pinned("hello", "2.0-1")
	return []mishap{
		{"another pacman is at work", false, func(t *testing.T, b *bench) { lock(t, b) }, hello, patch.Busy, "1.0-1"},
		{"a lock that somebody has left", false, func(t *testing.T, b *bench) { b.Write(t, "var/lib/pacman/db.lck", "") }, hello, patch.NoFault, "2.0-1"},
		{"pacman is killed in a script before the installation", false, nil, pinned("killed", "2.0-1"), patch.Transient, "1.0-1"},
		{"a script fails", false, nil, pinned("badpost", "2.0-1"), patch.Permanent, "1.0-1"},
		{"a dependency that nobody offers", false, nil, pinned("needs", "2.0-1"), patch.Permanent, "1.0-1"},
		{"a dependency that is not there", false, nil, pinned("more", "2.0-1"), patch.Permanent, "1.0-1"},
		{"a conflict", false, nil, pinned("clash", "3.0-1"), patch.Permanent, "1.0-1"},
		{"a configuration file that somebody has changed", false, func(t *testing.T, b *bench) { b.Write(t, "etc/conf.conf", "mine\n") }, pinned("conf", "2.0-1"), patch.NoFault, "2.0-1"},
		{"the entry of another package is not whole", false, func(t *testing.T, b *bench) {
			require.NoError(t, os.Remove(filepath.Join(b.root.Dir, "var/lib/pacman/local/rival-1.0-1/desc")))
		}, hello, patch.NoFault, "2.0-1"},
		{"the entry of the package is not whole", false, func(t *testing.T, b *bench) {
			require.NoError(t, os.Remove(filepath.Join(b.root.Dir, "var/lib/pacman/local/hello-1.0-1/files")))
		}, hello, patch.NoFault, "2.0-1"},
		{"an entry is garbage", false, func(t *testing.T, b *bench) {
			b.Write(t, "var/lib/pacman/local/hello-1.0-1/desc", "%NAME%\n--root=/\n\n%VERSION%\n1\n")
		}, hello, patch.Corrupt, ""},
		{"there is no database", false, func(t *testing.T, b *bench) {
			require.NoError(t, os.RemoveAll(filepath.Join(b.root.Dir, "var/lib/pacman/local")))
		}, hello, patch.Corrupt, ""},
		{"nobody has ever offered the version", false, nil, pinned("hello", "9.9-1"), patch.Permanent, "1.0-1"},
		{"the disk is full", false, small, pinned("big", "2.0-1"), patch.DiskFull, "1.0-1"},
		{"a file of the package is there and nobody's", false, func(t *testing.T, b *bench) { b.Write(t, "usr/share/big/blob", "mine\n") }, pinned("big", "2.0-1"), patch.Permanent, "1.0-1"},

		{"the index was altered after it was signed", true, edit(index, managertest.Flip), rollout.Pinned{}, patch.Untrusted, ""},
		{"the index is not signed", true, func(t *testing.T, b *bench) { require.NoError(t, os.Remove(filepath.Join(b.repo.Dir, index+".sig"))) }, rollout.Pinned{}, patch.Transient, ""},
		{"the index is signed by nobody who is known", true, func(t *testing.T, b *bench) {
			for _, name := range []string{"pubring.gpg", "trustdb.gpg"} {
				require.NoError(t, os.Remove(filepath.Join(b.root.Dir, "etc/pacman.d/gnupg", name)))
			}
		}, rollout.Pinned{}, patch.Untrusted, ""},
		{"the package was altered", true, edit(file, managertest.Flip), hello, patch.Untrusted, "1.0-1"},
		{"the package has another size", true, edit(file, managertest.Longer), hello, patch.Untrusted, "1.0-1"},
		{"the package is not on the server", true, func(t *testing.T, b *bench) { require.NoError(t, os.Remove(filepath.Join(b.repo.Dir, file))) }, hello, patch.Transient, "1.0-1"},
		{"the index is not on the server", true, func(t *testing.T, b *bench) { require.NoError(t, os.Remove(filepath.Join(b.repo.Dir, index))) }, rollout.Pinned{}, patch.Transient, ""},
		{"the server is down when indices are fetched", true, func(_ *testing.T, b *bench) { b.Server.Close() }, rollout.Pinned{}, patch.Transient, ""},
		{"the server is down when a package is fetched", true, func(_ *testing.T, b *bench) { b.Server.Close() }, hello, patch.Transient, "1.0-1"},
		{"the package was withdrawn meanwhile", true, func(t *testing.T, b *bench) {
			b.repo.Withdraw("withdrawn")
			require.NoError(t, b.repo.Publish(t.Context()))
			require.NoError(t, b.Fleet.Refresh(t.Context(), "acme", "ada"))
		}, pinned("withdrawn", "2.0-1"), patch.Permanent, "1.0-1"},
	}
}

// small puts the device on a disk that has hardly any room left.
func small(t *testing.T, b *bench) {
	t.Helper()
	need.Root(t)
	dir := scratch(t)
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=12m"))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	b.move(t, b.root, filepath.Join(dir, "root"))
}

func TestFaultsOfRealDevices(t *testing.T) {
	var all []managertest.Mishap[*bench]
	for _, m := range mishaps() {
		all = append(all, managertest.Mishap[*bench](m))
	}
	managertest.Faults(t, all, func(t *testing.T, own bool) *bench {
		t.Helper()
		if own {
			return served(t)
		}
		return filled(t, nil)
	})
}
