//go:build unix

package apt_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/aptbed"
	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager/apt"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

const stable, security = "stable", "stable-security"

// A bench is an archive, a device, and a fleet of that one device.
type bench struct {
	dir   string
	repo  *aptbed.Repo
	root  *aptbed.Root
	fleet *apt.Fleet
	via   func(transport.Transport) transport.Transport // nil for the device's own
	seq   atomic.Uint32

	server *httptest.Server // of its archive, if it has one of its own
}

// packages are what the archive has. The suite stable has the versions 1.0.
func packages() map[string][]aptbed.Package {
	restart := `mkdir -p $DPKG_ROOT/run; echo due >$DPKG_ROOT/run/reboot-required`
	return map[string][]aptbed.Package{
		stable: {
			{Name: "hello", Version: "1.0"}, {Name: "kernelish", Version: "1.0"}, {Name: "badpost", Version: "1.0"}, {Name: "slow", Version: "1.0"},
			{Name: "needs", Version: "1.0"}, {Name: "conf", Version: "1.0", Conffile: "/etc/conf.conf"}, {Name: "rival", Version: "1.0"}, {Name: "withdrawn", Version: "1.0"},
			{Name: "killed", Version: "1.0"}, {Name: "big", Version: "1.0"}, {Name: "prerm", Version: "1.0", Prerm: `exit 4`},
		},
		security: {
			{Name: "hello", Version: "1.1"}, {Name: "hello", Version: "2.0", Postinst: `if [ -e $DPKG_ROOT/break ]; then echo x >>$DPKG_ROOT/usr/share/hello/version; fi
if [ -e $DPKG_ROOT/fail ]; then echo "E: No space left on device" >&2; exit 7; fi`},
			{Name: "kernelish", Version: "2.0", Postinst: restart}, {Name: "badpost", Version: "2.0", Postinst: `echo "boom: migration failed" >&2; exit 3`},
			{Name: "slow", Version: "2.0", Postinst: `while [ ! -e $DPKG_ROOT/go ]; do sleep 0.02; done`},
			{Name: "needs", Version: "2.0", Depends: "no-such-package (>= 9)"}, {Name: "conf", Version: "2.0", Conffile: "/etc/conf.conf"},
			{Name: "needs", Version: "2.1", Depends: "fresh"}, {Name: "fresh", Version: "1.0"},
			{Name: "hello", Version: "3.0", Conflicts: "rival"}, {Name: "withdrawn", Version: "2.0"},
			{Name: "big", Version: "2.0", Size: 6 << 20}, {Name: "prerm", Version: "2.0", Prerm: `exit 5`}, {Name: "killed", Version: "3.0", Postinst: `kill -9 $PPID; sleep 1`},
			{Name: "killed", Version: "2.0", Postinst: `if [ ! -e $DPKG_ROOT/once ]; then touch $DPKG_ROOT/once; kill -9 $PPID; fi`},
		},
	}
}

// installed are what a device has at first.
func installed() []string {
	return []string{"hello=1.0", "kernelish=1.0", "badpost=1.0", "slow=1.0", "needs=1.0", "conf=1.0", "rival=1.0", "withdrawn=1.0", "killed=1.0", "big=1.0", "prerm=1.0"}
}

// archive makes an archive below dir.
func archive(ctx context.Context, dir string) (*aptbed.Repo, string, error) {
	arch, err := aptbed.Arch(ctx)
	if err != nil {
		return nil, "", err
	}
	repo, err := aptbed.NewRepo(ctx, dir)
	if err != nil {
		return nil, "", err
	}
	for suite, all := range packages() {
		if err := repo.Add(suite, all...); err != nil {
			return nil, "", err
		}
		if err := repo.Publish(ctx, suite, arch, time.Time{}); err != nil {
			return nil, "", err
		}
	}
	return repo, arch, nil
}

// firstBench is an archive and a device that has its packages: the tests work on copies.
var firstBench = sync.OnceValues(func() (*bench, error) {
	ctx := context.Background()
	dir, err := aptbed.Scratch("apt")
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir}
	var arch string
	if b.repo, arch, err = archive(ctx, dir); err != nil {
		return b, err
	}
	if b.root, err = aptbed.NewRoot(filepath.Join(dir, "root"), arch, b.repo, "file:"+b.repo.Dir, stable, security); err != nil {
		return b, err
	}
	if _, err := b.root.Run(ctx, "apt-get", "-qq", "update"); err != nil {
		return b, err
	}
	_, err = b.root.Run(ctx, append([]string{"apt-get", "-qq", "-y", "install"}, installed()...)...)
	return b, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if len(aptbed.Missing()) == 0 {
		if b, _ := firstBench(); b != nil {
			if b.repo != nil {
				_ = b.repo.Close()
			}
			_ = os.RemoveAll(b.dir)
		}
	}
	os.Exit(code)
}

// scratch returns a new folder.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := aptbed.Scratch("apt")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// filled is a bench whose device has its packages. Its archive is that of all tests, and not to be changed.
func filled(t *testing.T, change func(*apt.Config)) *bench {
	t.Helper()
	for _, name := range aptbed.Programs() {
		need.Tool(t, name)
	}
	first, err := firstBench()
	require.NoError(t, err)
	b := &bench{dir: scratch(t), repo: first.repo}
	b.root, err = first.root.Copy(filepath.Join(b.dir, "root"))
	require.NoError(t, err)
	b.fleet = newFleet(t, b, change)
	return b
}

// served is a bench with an archive of its own, behind a web server.
func served(t *testing.T) (b *bench, server *httptest.Server) {
	t.Helper()
	b = filled(t, nil)
	repo, err := b.repo.Copy(filepath.Join(b.dir, "repo"))
	require.NoError(t, err)
	b.repo = repo
	server = httptest.NewServer(http.FileServer(http.Dir(repo.Dir)))
	t.Cleanup(server.Close)
	require.NoError(t, b.root.Move(repo.Key, server.URL, stable, security))
	b.run(t, "apt-get", "-qq", "update")
	return b, server
}

func newFleet(t *testing.T, b *bench, change func(*apt.Config)) *apt.Fleet {
	t.Helper()
	c := apt.Config{Lock: -1, Poll: time.Millisecond, Limit: time.Minute, Reach: func(context.Context, inventory.Tenant, inventory.DeviceID) (apt.Device, error) {
		to := b.root.Transport()
		if b.via != nil {
			to = b.via(to)
		}
		return apt.Device{To: to, Root: b.root.Dir, User: true}, nil
	}}
	if change != nil {
		change(&c)
	}
	f, err := apt.New(c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close(context.Background()) })
	return f
}

// run runs a command on the device.
func (b *bench) run(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := b.root.Run(t.Context(), argv...)
	require.NoError(t, err)
	return out
}

// has is what dpkg-query itself says of a package: "1.0 installed".
func (b *bench) has(t *testing.T, name string) string {
	t.Helper()
	all, err := b.root.Installed(t.Context())
	require.NoError(t, err)
	return all[name]
}

func (b *bench) write(t *testing.T, name, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(b.root.Dir, name), []byte(content), 0o644))
}

// pinned is a patch that brings a package to a version.
func pinned(name, to string) rollout.Pinned {
	return rollout.Pinned{ID: patch.ID(name + "=" + to), Reversal: patch.ReversalReinstall,
		Packages: []patch.Package{{Ecosystem: "Debian:12", Name: name, Fixed: version.Version{Scheme: version.Deb, Text: to}}}}
}

func content(patches ...rollout.Pinned) rollout.Content { return rollout.Content{Patches: patches} }

func (b *bench) task(op rollout.Op, c rollout.Content) rollout.Task {
	key := rollout.Key{Tenant: "acme", ID: "q1"}
	seq := b.seq.Add(1)
	return rollout.Task{ID: rollout.NewTaskID(key, "test", "ada", op, seq), Rollout: key, Ring: "test", Tenant: "acme", Device: "ada", Op: op, Content: c,
		Attempt: 1, Issued: time.Now()}
}

// deploy installs, and returns the last report.
func (b *bench) deploy(t *testing.T, patches ...rollout.Pinned) rollout.Report {
	t.Helper()
	r, err := b.fleet.Deploy(t.Context(), b.task(rollout.OpInstall, content(patches...)))
	require.NoError(t, err)
	require.True(t, r.Phase.Last(), "%+v", r)
	return r
}

// without is a device that lacks a program.
func without(program string) func(transport.Transport) transport.Transport {
	return func(to transport.Transport) transport.Transport {
		return transport.Func(func(ctx context.Context, c transport.Command) (transport.Result, error) {
			if c.Argv[0] == program {
				return transport.Result{Ended: true, Code: 127, Stderr: []byte(program + ": not found\n")}, nil
			}
			return to.Run(ctx, c)
		})
	}
}
