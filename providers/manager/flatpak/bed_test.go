//go:build linux

package flatpak_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/aptbed"
	"github.com/patchflow/patchflow/internal/flatpakbed"
	"github.com/patchflow/patchflow/internal/managertest"
	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/flatpak"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

// hello is the application that most tests are about, and rival another one.
const (
	hello = "org.test.Hello"
	rival = "org.test.Rival"
)

// A bench is a device and its repository.
type bench struct {
	*managertest.Bench
	repo *flatpakbed.Repo
	root *flatpakbed.Root
}

// made is what firstBench has made, whole or not.
var made *bench

// firstBench is a repository with two applications and a device that has one of them, at 1.0-1: the tests work on copies.
var firstBench = sync.OnceValues(func() (*bench, error) {
	ctx := context.Background()
	dir, err := aptbed.Scratch("fp")
	if err != nil {
		return nil, err
	}
	b := &bench{Bench: &managertest.Bench{Dir: dir}}
	made = b
	if b.repo, err = flatpakbed.NewRepo(ctx, dir); err != nil {
		return b, err
	}
	old := flatpakbed.App{ID: hello, Version: "1.0-1"}
	if err := errors.Join(b.repo.Add(ctx, old, flatpakbed.App{ID: rival, Version: "1.0-1"}), b.repo.Publish(ctx)); err != nil {
		return b, err
	}
	if b.root, err = flatpakbed.NewRoot(ctx, filepath.Join(dir, "root"), b.repo, "file://"+b.repo.Dir); err != nil {
		return b, err
	}
	if err := b.root.Install(ctx, old); err != nil {
		return b, err
	}
	return b, errors.Join(b.repo.Add(ctx,
		flatpakbed.App{ID: hello, Version: "1.1-1"}, flatpakbed.App{ID: hello, Version: "2.0-1"}, flatpakbed.App{ID: hello, Version: "2.1-1", Runtime: "2"},
		flatpakbed.App{ID: hello, Version: "3.0-1", Size: 8 << 20}, flatpakbed.App{ID: rival, Version: "2.0-1"}), b.repo.Publish(ctx))
})

func TestMain(m *testing.M) {
	code := m.Run()
	if made != nil {
		if made.repo != nil {
			_ = made.repo.Close()
		}
		_ = os.RemoveAll(made.Dir)
	}
	os.Exit(code)
}

func scratch(t *testing.T) string {
	t.Helper()
	dir, err := aptbed.Scratch("fp")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// filled is a bench whose device has the application. Its repository is that of all tests, and not to be changed.
func filled(t *testing.T, change func(*manager.Config)) *bench {
	t.Helper()
	for _, name := range flatpakbed.Programs() {
		need.Tool(t, name)
	}
	first, err := firstBench()
	require.NoError(t, err)
	b := &bench{Bench: &managertest.Bench{Dir: scratch(t), New: flatpak.New, User: os.Geteuid() != 0}, repo: first.repo}
	b.move(t, first.root, filepath.Join(b.Dir, "root"))
	b.Via = b.watched
	b.Fleet = b.Open(t, change)
	return b
}

// served is a bench with a repository of its own, behind a web server.
func served(t *testing.T) *bench {
	t.Helper()
	b := filled(t, nil)
	b.own(t)
	b.Serve(t, b.repo.Dir)
	require.NoError(t, b.root.Move(t.Context(), b.Server.URL))
	return b
}

// own gives the bench a repository of its own, in a folder.
func (b *bench) own(t *testing.T) {
	t.Helper()
	repo, err := b.repo.Copy(filepath.Join(b.Dir, "repo"))
	require.NoError(t, err)
	b.repo = repo
	require.NoError(t, b.root.Move(t.Context(), "file://"+repo.Dir))
}

// move puts a copy of a device into dir.
func (b *bench) move(t *testing.T, from *flatpakbed.Root, dir string) {
	t.Helper()
	root, err := from.Copy(dir)
	require.NoError(t, err)
	b.root, b.System, b.At = root, root, root.Dir
}

// watched counts installations, as Installs of managertest does it, and loses the command of the application where the file break is there.
func (b *bench) watched(to transport.Transport) transport.Transport {
	return transport.Func(func(ctx context.Context, c transport.Command) (transport.Result, error) {
		if !slices.Contains(c.Argv, "update") || !slices.Contains(c.Argv, "--no-pull") {
			return to.Run(ctx, c)
		}
		f, err := os.OpenFile(filepath.Join(b.At, "installs"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = f.WriteString("begun\n")
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			return transport.Result{}, err
		}
		res, err := to.Run(ctx, c)
		if _, gone := os.Stat(filepath.Join(b.At, "break")); err == nil && gone == nil {
			err = os.Remove(b.root.Active(hello, "files/bin/hello"))
		}
		return res, err
	})
}

// pinned is a patch that brings an application to a version.
func (b *bench) pinned(id, to string) rollout.Pinned {
	p := managertest.Pinned(flatpak.Ecosystem, version.OSTree, id+":"+flatpakbed.Branch, b.repo.Version(id, to))
	p.Packages[0].Arch = b.repo.Arch
	return p
}

// at is what flatpak itself says of an application.
func (b *bench) at(t *testing.T, id string) string {
	t.Helper()
	return b.Has(t, id+":"+flatpakbed.Branch)
}

// withRival installs the other application too.
func withRival(t *testing.T) *bench {
	t.Helper()
	b := filled(t, nil)
	require.NoError(t, b.root.Install(t.Context(), flatpakbed.App{ID: rival, Version: "1.0-1"}))
	return b
}
