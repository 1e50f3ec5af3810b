//go:build linux

package pacman_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/aptbed"
	"github.com/patchflow/patchflow/internal/managertest"
	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/internal/pacmanbed"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/pacman"
	"github.com/patchflow/patchflow/rollout"
)

// A bench is a device and its repository.
type bench struct {
	*managertest.Bench
	repo *pacmanbed.Repo
	root *pacmanbed.Root
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
	b := &bench{Bench: &managertest.Bench{Dir: dir}}
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
			_ = os.RemoveAll(b.Dir)
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
	b := &bench{Bench: &managertest.Bench{Dir: scratch(t), New: pacman.New}, repo: first.repo}
	b.move(t, first.root, filepath.Join(b.Dir, "root"))
	b.Fleet = b.Open(t, change)
	return b
}

// served is a bench with a repository of its own, behind a web server.
func served(t *testing.T) *bench {
	t.Helper()
	b := filled(t, nil)
	repo, err := b.repo.Copy(filepath.Join(b.Dir, "repo"))
	require.NoError(t, err)
	b.repo = repo
	b.Serve(t, repo.Dir)
	require.NoError(t, b.root.Move(b.Server.URL))
	require.NoError(t, b.Fleet.Refresh(t.Context(), managertest.Tenant, managertest.Device))
	return b
}

// move puts a copy of a device into dir.
func (b *bench) move(t *testing.T, from *pacmanbed.Root, dir string) {
	t.Helper()
	root, err := from.Copy(dir)
	require.NoError(t, err)
	b.root, b.System, b.At = root, root, root.Dir
}

// pinned is a patch that brings a package to a version.
func pinned(name, to string) rollout.Pinned {
	return managertest.Pinned("Arch", version.Arch, name, to)
}
