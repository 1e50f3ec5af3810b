//go:build linux

package pacman_test

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// A mishap is something that goes wrong on a real device.
type mishap struct {
	name  string
	http  bool                         // the repository is one of the device's own, behind a web server
	wrong func(t *testing.T, b *bench) // makes it go wrong
	what  rollout.Pinned               // what is installed then; none: the indices are fetched
	fault patch.Fault                  // NoFault: it goes well all the same
	after string                       // what pacman says of the package in the end
}

func none(*testing.T, *bench) {}

// edit changes a file of the repository.
func edit(name string, change func(content []byte) []byte) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) {
		t.Helper()
		name := filepath.Join(b.repo.Dir, name)
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		changed := change(bytes.Clone(content))
		require.NotEqual(t, content, changed)
		require.NoError(t, os.WriteFile(name, changed, 0o644))
	}
}

func flip(content []byte) []byte { content[len(content)/2] ^= 1; return content }

func mishaps() []mishap {
	const index, file = "test.db", "hello-2.0-1-any.pkg.tar.gz"
	hello := pinned("hello", "2.0-1")
	return []mishap{
		{"another pacman is at work", false, func(t *testing.T, b *bench) { lock(t, b) }, hello, patch.Busy, "1.0-1"},
		{"a lock that somebody has left", false, func(t *testing.T, b *bench) { b.write(t, "var/lib/pacman/db.lck", "") }, hello, patch.NoFault, "2.0-1"},
		{"pacman is killed in a script before the installation", false, none, pinned("killed", "2.0-1"), patch.Transient, "1.0-1"},
		{"a script fails", false, none, pinned("badpost", "2.0-1"), patch.Permanent, "1.0-1"},
		{"a dependency that nobody offers", false, none, pinned("needs", "2.0-1"), patch.Permanent, "1.0-1"},
		{"a dependency that is not there", false, none, pinned("more", "2.0-1"), patch.Permanent, "1.0-1"},
		{"a conflict", false, none, pinned("clash", "3.0-1"), patch.Permanent, "1.0-1"},
		{"a configuration file that somebody has changed", false, func(t *testing.T, b *bench) { b.write(t, "etc/conf.conf", "mine\n") }, pinned("conf", "2.0-1"), patch.NoFault, "2.0-1"},
		{"the entry of another package is not whole", false, func(t *testing.T, b *bench) {
			require.NoError(t, os.Remove(filepath.Join(b.root.Dir, "var/lib/pacman/local/rival-1.0-1/desc")))
		}, hello, patch.NoFault, "2.0-1"},
		{"the entry of the package is not whole", false, func(t *testing.T, b *bench) {
			require.NoError(t, os.Remove(filepath.Join(b.root.Dir, "var/lib/pacman/local/hello-1.0-1/files")))
		}, hello, patch.NoFault, "2.0-1"},
		{"an entry is garbage", false, func(t *testing.T, b *bench) {
			b.write(t, "var/lib/pacman/local/hello-1.0-1/desc", "%NAME%\n--root=/\n\n%VERSION%\n1\n")
		}, hello, patch.Corrupt, ""},
		{"there is no database", false, func(t *testing.T, b *bench) {
			require.NoError(t, os.RemoveAll(filepath.Join(b.root.Dir, "var/lib/pacman/local")))
		}, hello, patch.Corrupt, ""},
		{"nobody has ever offered the version", false, none, pinned("hello", "9.9-1"), patch.Permanent, "1.0-1"},
		{"the disk is full", false, small, pinned("big", "2.0-1"), patch.DiskFull, "1.0-1"},
		{"a file of the package is there and nobody's", false, func(t *testing.T, b *bench) { b.write(t, "usr/share/big/blob", "mine\n") }, pinned("big", "2.0-1"), patch.Permanent, "1.0-1"},

		{"the index was altered after it was signed", true, edit(index, flip), rollout.Pinned{}, patch.Untrusted, ""},
		{"the index is not signed", true, func(t *testing.T, b *bench) { require.NoError(t, os.Remove(filepath.Join(b.repo.Dir, index+".sig"))) }, rollout.Pinned{}, patch.Transient, ""},
		{"the index is signed by nobody who is known", true, func(t *testing.T, b *bench) {
			for _, name := range []string{"pubring.gpg", "trustdb.gpg"} {
				require.NoError(t, os.Remove(filepath.Join(b.root.Dir, "etc/pacman.d/gnupg", name)))
			}
		}, rollout.Pinned{}, patch.Untrusted, ""},
		{"the package was altered", true, edit(file, flip), hello, patch.Untrusted, "1.0-1"},
		{"the package has another size", true, edit(file, func(c []byte) []byte { return append(c, 'x') }), hello, patch.Untrusted, "1.0-1"},
		{"the package is not on the server", true, func(t *testing.T, b *bench) { require.NoError(t, os.Remove(filepath.Join(b.repo.Dir, file))) }, hello, patch.Transient, "1.0-1"},
		{"the index is not on the server", true, func(t *testing.T, b *bench) { require.NoError(t, os.Remove(filepath.Join(b.repo.Dir, index))) }, rollout.Pinned{}, patch.Transient, ""},
		{"the server is down when indices are fetched", true, func(_ *testing.T, b *bench) { b.server.Close() }, rollout.Pinned{}, patch.Transient, ""},
		{"the server is down when a package is fetched", true, func(_ *testing.T, b *bench) { b.server.Close() }, hello, patch.Transient, "1.0-1"},
		{"the package was withdrawn meanwhile", true, func(t *testing.T, b *bench) {
			b.repo.Withdraw("withdrawn")
			require.NoError(t, b.repo.Publish(t.Context()))
			require.NoError(t, b.fleet.Refresh(t.Context(), "acme", "ada"))
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
	root, err := b.root.Copy(filepath.Join(dir, "root"))
	require.NoError(t, err)
	b.root = root
}

func TestFaultsOfRealDevices(t *testing.T) {
	all := mishaps()
	t.Logf("%d cases", len(all))
	for _, m := range all {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			b := filled(t, nil)
			if m.http {
				b = served(t)
			}
			m.wrong(t, b)
			if m.what.ID == "" {
				err := b.fleet.Refresh(t.Context(), "acme", "ada")
				require.Error(t, err)
				require.Equal(t, m.fault, patch.FaultOf(err), "%v", err)
				return
			}
			r := b.deploy(t, m.what)
			require.Equal(t, m.fault, r.Fault, "%+v", r)
			require.Equal(t, m.fault == patch.NoFault, r.Phase == rollout.PhaseSucceeded, "%+v", r)
			if m.after != "" {
				require.Equal(t, m.after, b.has(t, m.what.Packages[0].Name), "%+v", r)
			}
		})
	}
}
