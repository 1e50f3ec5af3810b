//go:build unix

package apt_test

import (
	"context"
	"os"
	"path/filepath"
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
	repo  *aptbed.Repo
	root  *aptbed.Root
	fleet *apt.Fleet
	via   func(transport.Transport) transport.Transport // nil for the device's own
	seq   atomic.Uint32
}

// packages are what the archive has. The suite stable has the versions 1.0.
func packages() map[string][]aptbed.Package {
	restart := `mkdir -p $DPKG_ROOT/run; echo due >$DPKG_ROOT/run/reboot-required`
	return map[string][]aptbed.Package{
		stable: {
			{Name: "hello", Version: "1.0"}, {Name: "kernelish", Version: "1.0"}, {Name: "badpost", Version: "1.0"}, {Name: "slow", Version: "1.0"},
			{Name: "needs", Version: "1.0"}, {Name: "conf", Version: "1.0", Conffile: "/etc/conf.conf"}, {Name: "rival", Version: "1.0"}, {Name: "withdrawn", Version: "1.0"},
			{Name: "library", Version: "1.0"}, {Name: "killed", Version: "1.0"},
		},
		security: {
			{Name: "hello", Version: "1.1"}, {Name: "hello", Version: "2.0", Postinst: `if [ -e $DPKG_ROOT/break ]; then echo x >>$DPKG_ROOT/usr/share/hello/version; fi
if [ -e $DPKG_ROOT/fail ]; then echo "E: No space left on device" >&2; exit 7; fi`},
			{Name: "kernelish", Version: "2.0", Postinst: restart}, {Name: "badpost", Version: "2.0", Postinst: `echo "boom: migration failed" >&2; exit 3`},
			{Name: "slow", Version: "2.0", Postinst: `while [ ! -e $DPKG_ROOT/go ]; do sleep 0.02; done`},
			{Name: "needs", Version: "2.0", Depends: "no-such-package (>= 9)"}, {Name: "conf", Version: "2.0", Conffile: "/etc/conf.conf"},
			{Name: "needs", Version: "2.1", Depends: "fresh"}, {Name: "fresh", Version: "1.0"},
			{Name: "hello", Version: "3.0", Conflicts: "rival"}, {Name: "withdrawn", Version: "2.0"},
			{Name: "killed", Version: "2.0", Postinst: `if [ ! -e $DPKG_ROOT/once ]; then touch $DPKG_ROOT/once; kill -9 $PPID; fi`},
		},
	}
}

// installed are what a device has at first.
func installed() []string {
	return []string{"hello=1.0", "kernelish=1.0", "badpost=1.0", "slow=1.0", "needs=1.0", "conf=1.0", "rival=1.0", "withdrawn=1.0", "killed=1.0"}
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

// newBench makes an archive and a device that has got its packages from it. uri is "" for the folder of the archive.
func newBench(t *testing.T, uri string, change func(*apt.Config)) *bench {
	t.Helper()
	for _, name := range aptbed.Programs() {
		need.Tool(t, name)
	}
	dir := t.TempDir()
	repo, arch, err := archive(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, repo.Close()) })
	if uri == "" {
		uri = "file:" + repo.Dir
	}
	root, err := aptbed.NewRoot(filepath.Join(dir, "root"), arch, repo, uri, stable, security)
	require.NoError(t, err)
	b := &bench{repo: repo, root: root}
	b.fleet = newFleet(t, b, change)
	return b
}

// filled is a bench whose device has its packages.
func filled(t *testing.T, change func(*apt.Config)) *bench {
	t.Helper()
	b := newBench(t, "", change)
	b.fill(t)
	return b
}

func (b *bench) fill(t *testing.T) {
	t.Helper()
	b.run(t, "apt-get", "-qq", "update")
	b.run(t, append([]string{"apt-get", "-qq", "-y", "install"}, installed()...)...)
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
