//go:build linux

package managertest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/aptbed"
	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/internal/rpmbed"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/rpm"
	"github.com/patchflow/patchflow/rollout"
)

// An RPM is a device with rpm and a repository, and a fleet of that device.
type RPM struct {
	*Bench
	Repo *rpmbed.Repo
	Root *rpmbed.Root
}

// An RPMBed makes such devices for the tests of one package manager, called Name. New makes its fleets, and Warm makes it fetch the
// indices of the repository the first time.
type RPMBed struct {
	Name string
	New  func(manager.Config) (*manager.Fleet, error)
	Warm func(ctx context.Context, r *rpmbed.Root, key string) error

	once  sync.Once
	first *RPM
	err   error
}

// packages are what the repository has. Devices have the versions 1.0.
func packages() []rpmbed.Package {
	one := []rpmbed.Package{}
	for _, name := range []string{"hello", "kernelish", "badpost", "badpre", "slow", "needs", "conf", "rival", "withdrawn", "killed", "big"} {
		p := rpmbed.Package{Name: name, Version: "1.0"}
		if name == "conf" {
			p.Config = "/etc/conf.conf"
		}
		one = append(one, p)
	}
	return append(one,
		rpmbed.Package{Name: "hello", Version: "1.1"},
		rpmbed.Package{Name: "hello", Version: "2.0", Pre: `echo begun >>/installs; if [ -e /fail ]; then echo "No space left on device" >&2; exit 7; fi`,
			Post: `if [ -e /break ]; then echo x >>/usr/share/hello/version; fi`},
		rpmbed.Package{Name: "hello", Version: "3.0", Conflicts: "rival"},
		rpmbed.Package{Name: "kernelish", Version: "2.0", Post: `echo due >/run/reboot-needed`},
		rpmbed.Package{Name: "badpost", Version: "2.0", Post: `echo "boom: migration failed" >&2; exit 3`},
		rpmbed.Package{Name: "badpre", Version: "2.0", Pre: `exit 3`},
		rpmbed.Package{Name: "slow", Version: "2.0", Post: `while [ ! -e /go ]; do sleep 0.02; done`},
		rpmbed.Package{Name: "needs", Version: "2.0", Requires: "no-such-package >= 9"},
		rpmbed.Package{Name: "needs", Version: "2.1", Requires: "fresh"},
		rpmbed.Package{Name: "fresh", Version: "1.0"},
		rpmbed.Package{Name: "conf", Version: "2.0", Config: "/etc/conf.conf"},
		rpmbed.Package{Name: "withdrawn", Version: "2.0"},
		rpmbed.Package{Name: "killed", Version: "2.0", Post: `if [ ! -e /once ]; then touch /once; kill -9 $PPID; fi`},
		rpmbed.Package{Name: "killed", Version: "3.0", Post: `kill -9 $PPID; sleep 1`},
		rpmbed.Package{Name: "big", Version: "2.0", Size: 6 << 20},
	)
}

// open makes the repository and a device that has its packages: tests work on copies.
func (d *RPMBed) open() (*RPM, error) {
	d.once.Do(func() { d.err = d.make(context.Background()) })
	return d.first, d.err
}

func (d *RPMBed) make(ctx context.Context) error {
	dir, err := aptbed.Scratch(d.Name)
	if err != nil {
		return err
	}
	b := &RPM{Bench: &Bench{Dir: dir}}
	d.first = b
	if b.Repo, err = rpmbed.NewRepo(ctx, dir); err != nil {
		return err
	}
	all := packages()
	if err := b.Repo.Add(ctx, all...); err != nil {
		return err
	}
	if err := b.Repo.Publish(ctx); err != nil {
		return err
	}
	if b.Root, err = rpmbed.NewRoot(ctx, filepath.Join(dir, "root"), b.Repo, "file://"+b.Repo.Dir); err != nil {
		return err
	}
	var files []string
	for _, p := range all {
		if p.Version == "1.0" && p.Name != "fresh" {
			files = append(files, b.Repo.Pool(p))
		}
	}
	if err := b.Root.Put(ctx, files...); err != nil {
		return err
	}
	return d.Warm(ctx, b.Root, b.Repo.Key)
}

// Main runs the tests of a package, and clears away what they have made.
func (d *RPMBed) Main(m *testing.M) int {
	defer func() {
		if d.first != nil {
			if d.first.Repo != nil {
				_ = d.first.Repo.Close()
			}
			_ = os.RemoveAll(d.first.Dir)
		}
	}()
	return m.Run()
}

func (d *RPMBed) scratch(t *testing.T) string {
	t.Helper()
	dir, err := aptbed.Scratch(d.Name)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// Filled is a device that has its packages. Its repository is that of all tests, and not to be changed.
func (d *RPMBed) Filled(t *testing.T, change func(*manager.Config)) *RPM {
	t.Helper()
	for _, name := range append(rpmbed.Programs(), d.Name) {
		need.Tool(t, name)
	}
	need.Root(t)
	first, err := d.open()
	require.NoError(t, err)
	b := &RPM{Bench: &Bench{Dir: d.scratch(t), New: d.New}, Repo: first.Repo}
	b.move(t, first.Root, filepath.Join(b.Dir, "root"))
	b.Fleet = b.Open(t, change)
	return b
}

// move puts a copy of a device into dir.
func (b *RPM) move(t *testing.T, from *rpmbed.Root, dir string) {
	t.Helper()
	root, err := from.Copy(dir)
	require.NoError(t, err)
	b.Root, b.System, b.At = root, root, root.Dir
}

// Served is a device with a repository of its own, behind a web server.
func (d *RPMBed) Served(t *testing.T) *RPM {
	t.Helper()
	b := d.Filled(t, nil)
	repo, err := b.Repo.Copy(filepath.Join(b.Dir, "repo"))
	require.NoError(t, err)
	b.Repo = repo
	b.Serve(t, repo.Dir)
	require.NoError(t, b.Root.Move(repo.Key, b.Server.URL))
	require.NoError(t, b.Fleet.Refresh(t.Context(), Tenant, Device))
	return b
}

// RPMPinned is a patch that brings a package of a device to a version.
func RPMPinned(name, to string) rollout.Pinned { return Pinned("AlmaLinux:9", version.RPM, name, to) }

// Lock holds the lock of rpm, as another package manager does, until release is called or the test ends.
func (b *RPM) Lock(t *testing.T) (release func()) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(b.At, "var/lib/rpm/.rpm.lock"), os.O_RDWR|os.O_CREATE, 0o640)
	require.NoError(t, err)
	require.NoError(t, syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK}))
	release = func() { _ = f.Close() }
	t.Cleanup(release)
	return release
}

// twice leaves a package in two versions, as an upgrade does that is killed.
func twice(t *testing.T, b *RPM) {
	t.Helper()
	_, _ = b.Root.Run(t.Context(), "rpm", "-U", "--nosignature", b.Repo.Pool(rpmbed.Package{Name: "killed", Version: "2.0"}))
	require.Equal(t, "1.0-1 2.0-1", b.Has(t, "killed"))
}

// small puts the device on a disk that has hardly any room left.
func (d *RPMBed) small(t *testing.T, b *RPM) {
	t.Helper()
	dir := d.scratch(t)
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	b.move(t, b.Root, filepath.Join(dir, "root"))
}

// edit changes a file of the repository.
func edit(name string, change func([]byte) []byte) func(*testing.T, *RPM) {
	return func(t *testing.T, b *RPM) { t.Helper(); Edit(t, b.Repo.Dir, name, change) }
}

func without(name string) func(*testing.T, *RPM) {
	return func(t *testing.T, b *RPM) {
		t.Helper()
		require.NoError(t, os.RemoveAll(filepath.Join(b.Repo.Dir, name)))
	}
}

// Mishaps are what goes wrong on such a device, whatever installs packages there.
func (d *RPMBed) Mishaps() []Mishap[*RPM] {
	const index, file = "repodata/repomd.xml", "hello-1.1-1.noarch.rpm"
	hello := RPMPinned("hello", "1.1-1")
	down := func(_ *testing.T, b *RPM) { b.Server.Close() }
	return []Mishap[*RPM]{
		{"another program has the lock of rpm", false, func(t *testing.T, b *RPM) { b.Lock(t) }, hello, patch.Busy, "1.0-1"},
		{"it is killed in a script, once", false, nil, RPMPinned("killed", "2.0-1"), patch.NoFault, "2.0-1"},
		{"it is killed in a script, always", false, nil, RPMPinned("killed", "3.0-1"), patch.Corrupt, ""},
		{"a script after the installation fails", false, nil, RPMPinned("badpost", "2.0-1"), patch.Permanent, "1.0-1"},
		{"a script before the installation fails", false, nil, RPMPinned("badpre", "2.0-1"), patch.Permanent, "1.0-1"},
		{"a dependency that nobody offers", false, nil, RPMPinned("needs", "2.0-1"), patch.Permanent, "1.0-1"},
		{"a dependency that is not there", false, nil, RPMPinned("needs", "2.1-1"), patch.Permanent, "1.0-1"},
		{"a conflict", false, nil, RPMPinned("hello", "3.0-1"), patch.Permanent, "1.0-1"},
		{"a configuration file that somebody has changed", false, func(t *testing.T, b *RPM) { b.Write(t, "etc/conf.conf", "mine\n") }, RPMPinned("conf", "2.0-1"), patch.NoFault, "2.0-1"},
		{"another package is there twice", false, twice, hello, patch.NoFault, "1.1-1"},
		{"the package itself is there twice", false, twice, RPMPinned("killed", "2.0-1"), patch.NoFault, "2.0-1"},
		{"the database is garbage", false, func(t *testing.T, b *RPM) {
			b.Write(t, "var/lib/rpm/rpmdb.sqlite", "garbage, and more than the header of a database is long: "+strings.Repeat("0123456789 ", 4))
		}, hello, patch.Corrupt, ""},
		{"nobody has ever offered the version", false, nil, RPMPinned("hello", "9.9-1"), patch.Permanent, "1.0-1"},
		{"the disk is full", false, d.small, RPMPinned("big", "2.0-1"), patch.DiskFull, "1.0-1"},

		{"the index was altered after it was signed", true, edit(index, Longer), rollout.Pinned{}, patch.Untrusted, ""},
		{"the package was altered", true, edit(file, Flip), hello, patch.Untrusted, "1.0-1"},
		{"the package has another size", true, edit(file, Longer), hello, patch.Untrusted, "1.0-1"},
		{"the package is not on the server", true, without(file), hello, patch.Transient, "1.0-1"},
		{"the index is not on the server", true, without("repodata"), rollout.Pinned{}, patch.Transient, ""},
		{"the server is down when indices are fetched", true, down, rollout.Pinned{}, patch.Transient, ""},
		{"the server is down when a package is fetched", true, down, hello, patch.Transient, "1.0-1"},
		{"the package was withdrawn meanwhile", true, func(t *testing.T, b *RPM) {
			require.NoError(t, os.Remove(b.Repo.Pool(rpmbed.Package{Name: "withdrawn", Version: "2.0"})))
			require.NoError(t, b.Repo.Publish(t.Context()))
			require.NoError(t, b.Fleet.Refresh(t.Context(), Tenant, Device))
		}, RPMPinned("withdrawn", "2.0-1"), patch.Permanent, "1.0-1"},
	}
}

// Faults lets mishaps happen.
func (d *RPMBed) Faults(t *testing.T, all []Mishap[*RPM]) {
	t.Helper()
	Faults(t, all, func(t *testing.T, served bool) *RPM {
		t.Helper()
		if served {
			return d.Served(t)
		}
		return d.Filled(t, nil)
	})
}

// Conformance runs the test of every deployer.
func (d *RPMBed) Conformance(t *testing.T) {
	t.Helper()
	Suite[*RPM]{
		Hello: func(to string) rollout.Pinned { return RPMPinned("hello", to) }, First: "1.1-1", Next: "2.0-1", Open: d.Filled,
		Lock: func(t *testing.T, b *RPM) func() { t.Helper(); return b.Lock(t) },
		Scan: func(t *testing.T, b *RPM) inventory.Scan {
			t.Helper()
			s, err := rpm.Root{Dir: b.At}.Scan(t.Context(), inventory.Device{Tenant: Tenant, ID: Device})
			require.NoError(t, err)
			return s
		},
	}.Conformance(t)
}

// InstallExactly installs what was asked for, and nothing newer, and restarts the device.
func (d *RPMBed) InstallExactly(t *testing.T) {
	t.Helper()
	b := d.Filled(t, nil)
	r := b.Deploy(t, RPMPinned("hello", "1.1-1"), RPMPinned("kernelish", "2.0-1"))
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, patch.Yes, r.Reboot)
	require.Equal(t, "1.1-1", b.Has(t, "hello"), "there are newer versions, which nobody has asked for")
	require.Equal(t, "2.0-1", b.Has(t, "kernelish"))
	require.Equal(t, "1.0-1", b.Has(t, "conf"))

	require.Equal(t, patch.AlreadyInstalled, b.Deploy(t, RPMPinned("hello", "1.1-1")).Fault)
	require.Equal(t, patch.Superseded, b.Deploy(t, RPMPinned("hello", "1.0-1")).Fault)
	require.Equal(t, patch.NotApplicable, b.Deploy(t, RPMPinned("fresh", "1.0-1")).Fault, "what the device does not have is not installed")

	reboot, err := b.Fleet.Reboot(t.Context(), b.Task(rollout.OpReboot, Content(RPMPinned("hello", "1.1-1"))))
	require.NoError(t, err)
	require.Equal(t, "boot-2", reboot.BootID)
	require.Equal(t, patch.No, reboot.Reboot)
}

// RollbackWithoutARepository takes back: what was kept is put back, and what its owner has changed stays.
func (d *RPMBed) RollbackWithoutARepository(t *testing.T) {
	t.Helper()
	b := d.Served(t)
	b.Write(t, "etc/conf.conf", "setting = mine\n")
	r := b.Deploy(t, RPMPinned("conf", "2.0-1"))
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, "conf 2.0\n", b.Read(t, rpmbed.VersionFile("conf")))
	b.Server.Close()
	r, err := b.Fleet.Rollback(t.Context(), b.Task(rollout.OpRollback, Content(RPMPinned("conf", "2.0-1"))))
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, "1.0-1", b.Has(t, "conf"))
	require.Equal(t, "conf 1.0\n", b.Read(t, rpmbed.VersionFile("conf")))
	require.Equal(t, "setting = mine\n", b.Read(t, "etc/conf.conf"))
}

// DownloadAhead installs without the repository what was downloaded ahead; what was not cannot be.
func (d *RPMBed) DownloadAhead(t *testing.T) {
	t.Helper()
	DownloadAhead(t, func(t *testing.T) *Bench { return d.Served(t).Bench }, RPMPinned("hello", "2.0-1"))
}

// AnotherFileIsRefused shows that the hash in the plan counts, whatever the repository has signed.
func (d *RPMBed) AnotherFileIsRefused(t *testing.T) {
	t.Helper()
	b := d.Filled(t, nil)
	p := RPMPinned("hello", "1.1-1")
	p.Packages[0].Artefacts = []patch.Artefact{{Digest: patch.Digest("sha256:" + strings.Repeat("ab", 32))}}
	r := b.Deploy(t, p)
	require.Equal(t, patch.Untrusted, r.Fault, "%+v", r)
	require.Equal(t, "1.0-1", b.Has(t, "hello"))
	out, err := b.Root.Run(t.Context(), "sh", "-c", `sha256sum "$1"`, "x", b.Repo.Pool(rpmbed.Package{Name: "hello", Version: "1.1"}))
	require.NoError(t, err)
	p.Packages[0].Artefacts[0].Digest = patch.Digest("sha256:" + strings.Fields(out)[0])
	r = b.Deploy(t, p)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
}

// AnotherProcess lets another process take over: the task does not begin again, whatever became of it.
func (d *RPMBed) AnotherProcess(t *testing.T) {
	t.Helper()
	b := d.Filled(t, nil)
	b.Fleet = b.Open(t, func(c *manager.Config) { c.Wait = -1 })
	task := b.Task(rollout.OpInstall, Content(RPMPinned("slow", "2.0-1")))
	_, err := b.Fleet.Deploy(t.Context(), task)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return b.Has(t, "slow") == "1.0-1 2.0-1" }, time.Minute, 10*time.Millisecond)
	second := b.Open(t, nil)
	r, err := second.Deploy(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseRunning, r.Phase, "it is at work")
	b.Write(t, "go", "")
	require.NoError(t, b.Fleet.Drain(t.Context()))
	r, err = second.Status(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, "2.0-1", b.Has(t, "slow"))
}

// WhatIsNotAskedFor shows that it is refused.
func (d *RPMBed) WhatIsNotAskedFor(t *testing.T) {
	t.Helper()
	b := d.Filled(t, nil)
	for _, row := range []struct {
		content rollout.Pinned
		want    string
	}{
		{RPMPinned("hello", "3.0-1"), "conflicts with"},
		{RPMPinned("needs", "2.1-1"), d.Name + " would install fresh 1.0-1 too"},
	} {
		r := b.Deploy(t, row.content)
		require.Equal(t, patch.Permanent, r.Fault)
		require.Contains(t, r.Message, row.want)
	}
	b.Fleet = b.Open(t, func(c *manager.Config) { c.Additions = true })
	r := b.Deploy(t, RPMPinned("needs", "2.1-1"))
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, "1.0-1", b.Has(t, "fresh"))
}

// Sweep strikes rpm, see [Sweep.Run].
func (d *RPMBed) Sweep(t *testing.T) {
	t.Helper()
	Sweep[*RPM]{
		Calls: "rename,unlink,fsync,fdatasync,pwrite64", Step: 23, Conf: RPMPinned("conf", "2.0-1"), File: rpmbed.VersionFile("conf"), Holds: "conf 2.0\n",
		Open: func(t *testing.T) *RPM { return d.Filled(t, nil) },
		Copy: func(t *testing.T, first *RPM, to string) *RPM {
			b := &RPM{Bench: &Bench{Dir: first.Dir, New: d.New}, Repo: first.Repo}
			b.move(t, first.Root, to)
			b.Fleet = b.Open(t, nil)
			return b
		},
		Argv: func(b *RPM) ([]string, string) {
			return []string{"rpm", "--root=" + b.At, "-U", "--nosignature", b.Repo.Pool(rpmbed.Package{Name: "conf", Version: "2.0"})}, "HOME=" + b.At + "/home"
		},
	}.Run(t)
}
