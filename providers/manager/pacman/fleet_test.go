//go:build linux

package pacman_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/managertest"
	"github.com/patchflow/patchflow/internal/pacmanbed"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/rollout"
)

// lock holds the lock of pacman, as a pacman at work does, until release is called or the test ends.
func lock(t *testing.T, b *bench) (release func()) {
	t.Helper()
	file := filepath.Join(b.root.Dir, "var/lib/pacman/db.lck")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	program := filepath.Join(scratch(t), "pacman")
	content, err := os.ReadFile(filepath.Join(b.root.Dir, "bin/busybox"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(program, content, 0o755))
	// It is called by the name that a process of pacman has, and waits for the end of its input.
	cmd := &exec.Cmd{Path: program, Args: []string{"cat", "-", b.root.Dir + "/none"}}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	release = sync.OnceFunc(func() {
		_ = os.Remove(file)
		_ = in.Close()
		_ = cmd.Wait()
	})
	t.Cleanup(release)
	return release
}

// The suite runs over real pacman.
func TestFleetKeepsThePromises(t *testing.T) {
	managertest.Suite[*bench]{
		Hello: func(to string) rollout.Pinned { return pinned("hello", to) }, First: "1.1-1", Next: "2.0-1", Open: filled, Lock: lock,
		Scan: func(t *testing.T, b *bench) inventory.Scan {
			t.Helper()
			all, err := b.root.Installed(t.Context())
			require.NoError(t, err)
			s := inventory.Scan{BootID: strings.TrimSpace(b.Read(t, "proc/sys/kernel/random/boot_id"))}
			for name, v := range all {
				s.Software = append(s.Software, inventory.Software{Ecosystem: "Arch", Name: name, Version: version.Version{Scheme: version.Arch, Text: v}})
			}
			return s
		},
	}.Conformance(t)
}

func TestInstallExactly(t *testing.T) {
	b := filled(t, nil)
	r := b.Deploy(t, pinned("hello", "2.0-1"), pinned("kernelish", "2.0-1"))
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, patch.Yes, r.Reboot)
	require.Equal(t, "2.0-1", b.Has(t, "hello"))
	require.Equal(t, "2.0-1", b.Has(t, "kernelish"))
	require.Equal(t, "1.0-1", b.Has(t, "conf"))

	require.Equal(t, patch.AlreadyInstalled, b.Deploy(t, pinned("hello", "2.0-1")).Fault)
	require.Equal(t, patch.Superseded, b.Deploy(t, pinned("hello", "1.0-1")).Fault)
	require.Equal(t, patch.NotApplicable, b.Deploy(t, pinned("fresh", "1.0-1")).Fault, "what the device does not have is not installed")
	r = b.Deploy(t, pinned("conf", "1.5-1"))
	require.Equal(t, patch.Permanent, r.Fault)
	require.Contains(t, r.Message, "the repositories have conf 2.0-1, wanted is 1.5-1")
	require.Equal(t, "1.0-1", b.Has(t, "conf"))

	reboot, err := b.Fleet.Reboot(t.Context(), b.Task(rollout.OpReboot, managertest.Content(pinned("hello", "2.0-1"))))
	require.NoError(t, err)
	require.Equal(t, "boot-2", reboot.BootID)
	require.Equal(t, patch.No, reboot.Reboot)
}

// What is taken back is put back from what was kept, and what its owner has changed stays.
func TestRollbackWithoutARepository(t *testing.T) {
	b := served(t)
	b.Write(t, "etc/conf.conf", "setting = mine\n")
	r := b.Deploy(t, pinned("conf", "2.0-1"))
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, "conf 2.0-1\n", b.Read(t, pacmanbed.VersionFile("conf")))
	b.Server.Close()
	r, err := b.Fleet.Rollback(t.Context(), b.Task(rollout.OpRollback, managertest.Content(pinned("conf", "2.0-1"))))
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, "1.0-1", b.Has(t, "conf"))
	require.Equal(t, "conf 1.0-1\n", b.Read(t, pacmanbed.VersionFile("conf")))
	require.Equal(t, "setting = mine\n", b.Read(t, "etc/conf.conf"))
}

// What was downloaded ahead is installed without the repository; what was not cannot be.
func TestDownloadAhead(t *testing.T) {
	managertest.DownloadAhead(t, func(t *testing.T) *managertest.Bench { return served(t).Bench }, pinned("hello", "2.0-1"))
}

func TestWhatIsNotAskedForIsRefused(t *testing.T) {
	b := filled(t, nil)
	for _, row := range []struct {
		content rollout.Pinned
		want    string
	}{
		{pinned("clash", "3.0-1"), "conflict"},
		{pinned("more", "2.0-1"), "pacman would install fresh 1.0-1 too"},
	} {
		r := b.Deploy(t, row.content)
		require.Equal(t, patch.Permanent, r.Fault, "%+v", r)
		require.Contains(t, r.Message, row.want)
	}
	b.Fleet = b.Open(t, func(c *manager.Config) { c.Additions = true })
	r := b.Deploy(t, pinned("more", "2.0-1"))
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, "1.0-1", b.Has(t, "fresh"))
}

// The hash in the plan counts, whatever the repository has signed.
func TestAnotherFileOfTheSameVersionIsRefused(t *testing.T) {
	b := filled(t, nil)
	p := pinned("hello", "2.0-1")
	p.Packages[0].Artefacts = []patch.Artefact{{Digest: patch.Digest("sha256:" + strings.Repeat("ab", 32))}}
	r := b.Deploy(t, p)
	require.Equal(t, patch.Untrusted, r.Fault, "%+v", r)
	require.Equal(t, "1.0-1", b.Has(t, "hello"))
	out, err := b.root.Run(t.Context(), "sh", "-c", `sha256sum "$1"`, "x", b.repo.Pool(pacmanbed.Package{Name: "hello", Version: "2.0-1"}))
	require.NoError(t, err)
	p.Packages[0].Artefacts[0].Digest = patch.Digest("sha256:" + strings.Fields(out)[0])
	r = b.Deploy(t, p)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
}

func TestHoldAndUnhold(t *testing.T) {
	b := filled(t, nil)
	ctx := t.Context()
	before := b.Read(t, "etc/pacman.conf")
	require.NoError(t, b.Fleet.Hold(ctx, managertest.Tenant, managertest.Device, "hello", "rival"))
	require.Equal(t, patch.NeedsUser, b.Deploy(t, pinned("hello", "2.0-1")).Fault)
	require.NoError(t, b.Fleet.Unhold(ctx, managertest.Tenant, managertest.Device, "hello", "rival"))
	require.Equal(t, before, b.Read(t, "etc/pacman.conf"))
	require.Equal(t, rollout.PhaseSucceeded, b.Deploy(t, pinned("hello", "2.0-1")).Phase)
	require.Equal(t, patch.NotApplicable, patch.FaultOf(b.Fleet.Hold(ctx, managertest.Tenant, managertest.Device, "nobody")))

	b.Write(t, "etc/pacman.conf", strings.Replace(before, "[options]\n", "[options]\nIgnorePkg = conf ki*\n", 1))
	require.Equal(t, patch.NeedsUser, b.Deploy(t, pinned("conf", "2.0-1")).Fault, "somebody else holds it")
	require.Error(t, b.Fleet.Unhold(ctx, managertest.Tenant, managertest.Device, "conf"), "and that is not ours to change")
}

// Another process takes over: the task does not begin again, whatever became of it.
func TestATaskThatAnotherProcessHasBegun(t *testing.T) {
	b := filled(t, nil)
	b.Fleet = b.Open(t, func(c *manager.Config) { c.Wait = -1 })
	task := b.Task(rollout.OpInstall, managertest.Content(pinned("slow", "2.0-1")))
	_, err := b.Fleet.Deploy(t.Context(), task)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return b.Has(t, "slow") == "2.0-1" }, time.Minute, 10*time.Millisecond)
	second := b.Open(t, nil)
	r, err := second.Deploy(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseRunning, r.Phase, "pacman is at work")
	b.Write(t, "go", "")
	require.NoError(t, b.Fleet.Drain(t.Context()))
	r, err = second.Status(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, "2.0-1", b.Has(t, "slow"))
}
