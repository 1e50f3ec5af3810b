//go:build linux

package pacman_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/aptbed"
	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/internal/pacmanbed"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/pacman"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

// A bench is a repository, a device, and a fleet of that one device.
type bench struct {
	dir    string
	repo   *pacmanbed.Repo
	root   *pacmanbed.Root
	fleet  *manager.Fleet
	via    func(transport.Transport) transport.Transport // nil for the device's own
	seq    atomic.Uint32
	server *httptest.Server // of its repository, if it has one of its own
}

// packages are what the repository has; of several versions its index has the last. Devices have the versions 1.0.
func packages() (first, then []pacmanbed.Package) {
	for _, name := range []string{"hello", "kernelish", "badpost", "slow", "needs", "conf", "rival", "withdrawn", "killed", "big", "clash", "more"} {
		p := pacmanbed.Package{Name: name, Version: "1.0-1"}
		if name == "conf" {
			p.Backup = "/etc/conf.conf"
		}
		first = append(first, p)
	}
	return first, []pacmanbed.Package{
		{Name: "hello", Version: "2.0-1", Pre: "echo begun >>/installs", Post: `if [ -e /break ]; then echo x >>/usr/share/hello/version; fi
if [ -e /fail ]; then echo "No space left on device" >&2; exit 7; fi`},
		{Name: "kernelish", Version: "2.0-1", Post: `/bin/busybox mv /usr/lib/modules/6.1 /usr/lib/modules/6.2`},
		{Name: "badpost", Version: "2.0-1", Post: `echo "boom: migration failed" >&2; exit 3`},
		{Name: "slow", Version: "2.0-1", Post: `while [ ! -e /go ]; do /bin/busybox sleep 0.02; done`},
		{Name: "needs", Version: "2.0-1", Depends: "no-such-package>=9"}, {Name: "more", Version: "2.0-1", Depends: "fresh"}, {Name: "fresh", Version: "1.0-1"},
		{Name: "conf", Version: "2.0-1", Backup: "/etc/conf.conf"}, {Name: "clash", Version: "3.0-1", Conflicts: "rival"}, {Name: "withdrawn", Version: "2.0-1"},
		{Name: "killed", Version: "2.0-1", Pre: `if [ ! -e /once ]; then >/once; kill -9 $PPID; fi`}, {Name: "big", Version: "2.0-1", Size: 16 << 20},
	}
}

// firstBench is a repository and a device that has its packages: the tests work on copies.
var firstBench = sync.OnceValues(func() (*bench, error) {
	ctx := context.Background()
	dir, err := aptbed.Scratch("pac")
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir}
	if b.repo, err = pacmanbed.NewRepo(ctx, dir); err != nil {
		return b, err
	}
	first, then := packages()
	if err := b.repo.Add(ctx, first...); err != nil {
		return b, err
	}
	if b.root, err = pacmanbed.NewRoot(filepath.Join(dir, "root"), b.repo, "file://"+b.repo.Dir); err != nil {
		return b, err
	}
	args := []string{"pacman", "--noconfirm", "-U"}
	for _, p := range first {
		args = append(args, b.repo.Pool(p))
	}
	if _, err := b.root.Run(ctx, args...); err != nil {
		return b, err
	}
	// What was installed lies in the cache, as it does where pacman has fetched it.
	for _, p := range first {
		content, err := os.ReadFile(b.repo.Pool(p))
		if err == nil {
			err = os.WriteFile(filepath.Join(b.root.Dir, "var/cache/pacman/pkg", p.File()), content, 0o644)
		}
		if err != nil {
			return b, err
		}
	}
	if err := errors.Join(b.repo.Add(ctx, then...), b.repo.Publish(ctx)); err != nil {
		return b, err
	}
	_, err = b.root.Run(ctx, "pacman", "-Syy")
	return b, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if len(pacmanbed.Missing()) == 0 && os.Geteuid() == 0 {
		if b, _ := firstBench(); b != nil {
			if b.repo != nil {
				_ = b.repo.Close()
			}
			_ = os.RemoveAll(b.dir)
		}
	}
	os.Exit(code)
}

func scratch(t *testing.T) string {
	t.Helper()
	dir, err := aptbed.Scratch("pac")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// filled is a bench whose device has its packages. Its repository is that of all tests, and not to be changed.
func filled(t *testing.T, change func(*manager.Config)) *bench {
	t.Helper()
	for _, name := range pacmanbed.Programs() {
		need.Tool(t, name)
	}
	need.Root(t)
	first, err := firstBench()
	require.NoError(t, err)
	b := &bench{dir: scratch(t), repo: first.repo}
	b.root, err = first.root.Copy(filepath.Join(b.dir, "root"))
	require.NoError(t, err)
	b.fleet = newFleet(t, b, change)
	return b
}

// served is a bench with a repository of its own, behind a web server.
func served(t *testing.T) *bench {
	t.Helper()
	b := filled(t, nil)
	repo, err := b.repo.Copy(filepath.Join(b.dir, "repo"))
	require.NoError(t, err)
	b.repo = repo
	b.server = httptest.NewServer(http.FileServer(http.Dir(repo.Dir)))
	t.Cleanup(b.server.Close)
	require.NoError(t, b.root.Move(b.server.URL))
	require.NoError(t, b.fleet.Refresh(t.Context(), "acme", "ada"))
	return b
}

func newFleet(t *testing.T, b *bench, change func(*manager.Config)) *manager.Fleet {
	t.Helper()
	c := manager.Config{Lock: -1, Poll: 10 * time.Millisecond, Limit: time.Minute, Reach: func(context.Context, inventory.Tenant, inventory.DeviceID) (manager.Device, error) {
		to := b.root.Transport()
		if b.via != nil {
			to = b.via(to)
		}
		return manager.Device{To: to, Root: b.root.Dir}, nil
	}}
	if change != nil {
		change(&c)
	}
	f, err := pacman.New(c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close(context.Background()) })
	return f
}

// has is what pacman itself says of a package: "1.0-1".
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

func (b *bench) read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(b.root.Dir, name))
	require.NoError(t, err)
	return string(content)
}

// pinned is a patch that brings a package to a version.
func pinned(name, to string) rollout.Pinned {
	return rollout.Pinned{ID: patch.ID(name + "=" + to), Reversal: patch.ReversalReinstall,
		Packages: []patch.Package{{Ecosystem: "Arch", Name: name, Fixed: version.Version{Scheme: version.Arch, Text: to}}}}
}

func content(patches ...rollout.Pinned) rollout.Content { return rollout.Content{Patches: patches} }

func (b *bench) task(op rollout.Op, c rollout.Content) rollout.Task {
	key := rollout.Key{Tenant: "acme", ID: "q1"}
	return rollout.Task{ID: rollout.NewTaskID(key, "test", "ada", op, b.seq.Add(1)), Rollout: key, Ring: "test", Tenant: "acme", Device: "ada", Op: op, Content: c,
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

func cut(transport.Transport) transport.Transport {
	return transport.Func(func(context.Context, transport.Command) (transport.Result, error) {
		return transport.Result{}, fmt.Errorf("cut: %w", patch.ErrUnreachable)
	})
}

func installs(t *testing.T, b *bench) int {
	content, err := os.ReadFile(filepath.Join(b.root.Dir, "installs"))
	if os.IsNotExist(err) {
		return 0
	}
	require.NoError(t, err)
	return strings.Count(string(content), "begun")
}
