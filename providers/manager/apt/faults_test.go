//go:build linux

package apt_test

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/aptbed"
	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/apt"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

// A mishap is something that goes wrong on a real device.
type mishap struct {
	name  string
	http  bool                         // the archive is one of the device's own, behind a web server
	wrong func(t *testing.T, b *bench) // makes it go wrong
	what  rollout.Pinned               // what is installed then; none: the indices are fetched
	fault patch.Fault                  // NoFault: it goes well all the same
	after string                       // what dpkg-query says of the package in the end
}

func none(*testing.T, *bench) {}

// edit changes a file of the archive.
func edit(name string, change func(content []byte) []byte) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) {
		t.Helper()
		name := filepath.Join(b.repo.Dir, name)
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		changed := change(bytes.Clone(content))
		require.NotEqual(t, content, changed)
		require.NoError(t, os.WriteFile(name, changed, 0o644))
		// apt asks for what is newer than what it has.
		later := time.Now().Add(time.Hour)
		require.NoError(t, os.Chtimes(name, later, later))
	}
}

func held(file string) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) { lockFile(t, filepath.Join(b.root.Dir, file)) }
}

func flip(content []byte) []byte { content[len(content)/2] ^= 1; return content }

func mishaps() []mishap {
	const pool = "pool/" + security + "/hello_2.0_all.deb"
	const index = "dists/" + security + "/InRelease"
	hello := pinned("hello", "2.0")
	raw := func(argv ...string) func(*testing.T, *bench) {
		return func(t *testing.T, b *bench) { _, _ = b.root.Run(t.Context(), argv...) }
	}
	return []mishap{
		{"another frontend has the lock", false, held("var/lib/dpkg/lock-frontend"), hello, patch.Busy, "1.0 installed"},
		{"dpkg has the lock", false, held("var/lib/dpkg/lock"), hello, patch.Busy, "1.0 installed"},
		{"a download has the lock", false, held("var/cache/apt/archives/lock"), hello, patch.Busy, "1.0 installed"},
		{"an update has the lock", false, held("var/lib/apt/lists/lock"), rollout.Pinned{}, patch.Busy, ""},
		{"dpkg is killed in a script, once", false, none, pinned("killed", "2.0"), patch.NoFault, "2.0 installed"},
		{"dpkg is killed in a script, always", false, none, pinned("killed", "3.0"), patch.Corrupt, "1.0 installed"},
		{"a script that configures fails", false, none, pinned("badpost", "2.0"), patch.Permanent, "1.0 installed"},
		{"a script that makes room fails, old and new", false, none, pinned("prerm", "2.0"), patch.Permanent, "1.0 installed"},
		{"a dependency that nobody offers", false, none, pinned("needs", "2.0"), patch.Permanent, "1.0 installed"},
		{"a dependency that is not there", false, none, pinned("needs", "2.1"), patch.Permanent, "1.0 installed"},
		{"a conflict", false, none, pinned("hello", "3.0"), patch.Permanent, "1.0 installed"},
		{"a configuration file that somebody has changed", false, func(t *testing.T, b *bench) { b.write(t, "etc/conf.conf", "mine\n") }, pinned("conf", "2.0"), patch.NoFault, "2.0 installed"},
		{"a question about a configuration file that nobody has answered", false, func(t *testing.T, b *bench) {
			b.write(t, "etc/conf.conf", "mine\n")
			res, err := b.root.Transport().Run(t.Context(), transport.Command{Argv: []string{"apt-get", "-y", "-oAPT::Status-Fd=1", "install", "conf=2.0"}, Env: []string{"LC_ALL=C"}})
			require.NoError(t, err)
			require.Equal(t, patch.NeedsUser, patch.FaultOf(apt.Classify(res)), "%s%s", res.Stdout, res.Stderr)
			require.Equal(t, "2.0 unpacked", b.has(t, "conf"))
		}, hello, patch.NoFault, "2.0 installed"},
		{"another package is half configured", false, raw("apt-get", "-y", "-qq", "install", "badpost=2.0"), hello, patch.NoFault, "2.0 installed"},
		{"the package itself is half configured, and stays so", false, raw("apt-get", "-y", "-qq", "install", "badpost=2.0"), pinned("badpost", "2.0"), patch.Permanent, ""},
		{"the database was interrupted", false, func(t *testing.T, b *bench) {
			raw("dpkg", "-i", b.repo.Pool(security, aptbed.Package{Name: "killed", Version: "2.0"}))(t, b)
			left, err := os.ReadDir(filepath.Join(b.root.Dir, "var/lib/dpkg/updates"))
			require.NoError(t, err)
			require.NotEmpty(t, left)
		}, hello, patch.NoFault, "2.0 installed"},
		{"the database is garbage", false, func(t *testing.T, b *bench) { b.write(t, "var/lib/dpkg/status", "Package: hello\nStatus: nonsense\n") }, hello, patch.Corrupt, ""},
		{"the package is held", false, raw("apt-mark", "hold", "hello"), hello, patch.NeedsUser, "1.0 installed"},
		{"nobody has ever offered the version", false, none, pinned("hello", "9.9"), patch.Permanent, "1.0 installed"},
		{"apt is not there", false, func(_ *testing.T, b *bench) { b.via = without("apt-get") }, hello, patch.Permanent, "1.0 installed"},
		{"the disk is full when the package is unpacked", false, small, pinned("big", "2.0"), patch.DiskFull, "1.0 installed"},

		{"the index was altered after it was signed", true, edit(index, func(c []byte) []byte { return bytes.Replace(c, []byte("Origin: Test"), []byte("Origin: Evil"), 1) }), rollout.Pinned{}, patch.Untrusted, ""},
		{"the index is not signed", true, edit(index, func(c []byte) []byte {
			_, c, _ = bytes.Cut(c, []byte("\n\n"))
			c, _, _ = bytes.Cut(c, []byte("-----BEGIN PGP SIGNATURE"))
			return c
		}), rollout.Pinned{}, patch.Untrusted, ""},
		{"the index is signed by nobody who is known", true, func(t *testing.T, b *bench) {
			key := filepath.Join(b.root.Dir, "none.asc")
			b.write(t, "none.asc", "")
			sources, err := os.ReadFile(filepath.Join(b.root.Dir, "etc/apt/sources.list"))
			require.NoError(t, err)
			b.write(t, "etc/apt/sources.list", strings.ReplaceAll(string(sources), b.repo.Key, key))
		}, rollout.Pinned{}, patch.Untrusted, ""},
		{"the index has expired", true, func(t *testing.T, b *bench) {
			require.NoError(t, b.repo.Publish(t.Context(), security, b.root.Arch, time.Now().Add(-time.Hour)))
		}, rollout.Pinned{}, patch.Untrusted, ""},
		{"the list of packages has another hash", true, func(t *testing.T, b *bench) {
			require.NoError(t, b.repo.Add(security, aptbed.Package{Name: "fresh", Version: "1.1"}))
			require.NoError(t, b.repo.Publish(t.Context(), security, b.root.Arch, time.Time{}))
			edit("dists/"+security+"/main/binary-"+b.root.Arch+"/Packages", flip)(t, b)
		}, rollout.Pinned{}, patch.Untrusted, ""},
		{"the package has another hash", true, edit(pool, flip), hello, patch.Untrusted, "1.0 installed"},
		{"the package has another size", true, edit(pool, func(c []byte) []byte { return append(c, 'x') }), hello, patch.Untrusted, "1.0 installed"},
		{"the package is not on the server", true, func(t *testing.T, b *bench) { require.NoError(t, os.Remove(filepath.Join(b.repo.Dir, pool))) }, hello, patch.Transient, "1.0 installed"},
		{"the index is not on the server", true, func(t *testing.T, b *bench) { require.NoError(t, os.RemoveAll(filepath.Join(b.repo.Dir, "dists"))) }, rollout.Pinned{}, patch.Transient, ""},
		{"the server is down when indices are fetched", true, down, rollout.Pinned{}, patch.Transient, ""},
		{"the server is down when a package is fetched", true, down, hello, patch.Transient, "1.0 installed"},
		{"the package was withdrawn meanwhile", true, func(t *testing.T, b *bench) {
			require.NoError(t, b.repo.Withdraw(security, "withdrawn", "2.0"))
			require.NoError(t, b.repo.Publish(t.Context(), security, b.root.Arch, time.Time{}))
			require.NoError(t, b.fleet.Refresh(t.Context(), "acme", "ada"))
		}, pinned("withdrawn", "2.0"), patch.Permanent, "1.0 installed"},
		{"the disk is full when the package is fetched", true, small, pinned("big", "2.0"), patch.DiskFull, "1.0 installed"},
	}
}

func down(t *testing.T, b *bench) {
	sources, err := os.ReadFile(filepath.Join(b.root.Dir, "etc/apt/sources.list"))
	require.NoError(t, err)
	require.Contains(t, string(sources), "http://127.0.0.1")
	b.server.Close()
}

// small puts the device on a disk that has hardly any room left.
func small(t *testing.T, b *bench) { mounted(t, b, "size=3m") }

// mounted puts the device on a file system of its own.
func mounted(t *testing.T, b *bench, options string) {
	t.Helper()
	need.Root(t)
	dir := scratch(t)
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, options))
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
			var b *bench
			if m.http {
				var server *httptest.Server
				b, server = served(t)
				b.server = server
			} else {
				b = filled(t, nil)
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

// apt-get itself takes an index that it could not check for fresh, and ends with 0.
func TestStaleIndicesDoNotLookFresh(t *testing.T) {
	b, _ := served(t)
	edit("dists/"+security+"/InRelease", func(c []byte) []byte { return bytes.Replace(c, []byte("Origin: Test"), []byte("Origin: Evil"), 1) })(t, b)
	b.run(t, "apt-get", "-qq", "update")
	require.Error(t, b.fleet.Refresh(t.Context(), "acme", "ada"))
}
