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

	"github.com/patchflow/patchflow/internal/pacmanbed"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/providertest"
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
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	benches := make(map[rollout.Deployer]*bench)
	of := func(d rollout.Deployer) *bench { return benches[d] }
	release := make(map[rollout.Deployer]func())
	providertest.Deployer(t, providertest.DeployerHarness{
		Rollout: rollout.Key{Tenant: "acme", ID: "conformance"}, Device: "ada",
		Content: content(pinned("hello", "2.0-1")), Stack: content(pinned("hello", "1.1-1"), pinned("hello", "2.0-1")),
		New: func(t *testing.T) rollout.Deployer {
			b := filled(t, func(c *manager.Config) { c.Wait, c.Lock = -1, time.Minute })
			benches[b.fleet] = b
			return b.fleet
		},
		Settle: func(t *testing.T, d rollout.Deployer) {
			if f := release[d]; f != nil {
				f()
			}
			require.NoError(t, of(d).fleet.Drain(t.Context()))
		},
		Look: func(t *testing.T, d rollout.Deployer) inventory.Scan {
			b := of(d)
			all, err := b.root.Installed(t.Context())
			require.NoError(t, err)
			require.NotEmpty(t, all)
			s := inventory.Scan{BootID: strings.TrimSpace(b.read(t, "proc/sys/kernel/random/boot_id"))}
			for name, v := range all {
				s.Software = append(s.Software, inventory.Software{Ecosystem: "Arch", Name: name, Version: version.Version{Scheme: version.Arch, Text: v}})
			}
			return s
		},
		Installs: func(t *testing.T, d rollout.Deployer) int { return installs(t, of(d)) },
		Fail: func(t *testing.T, d rollout.Deployer) patch.Fault {
			of(d).write(t, "fail", "")
			return patch.Permanent
		},
		Break: func(t *testing.T, d rollout.Deployer) { of(d).write(t, "break", "") },
		Cut: func(t *testing.T, d rollout.Deployer) func() {
			b := of(d)
			require.NoError(t, b.fleet.Drain(t.Context()))
			b.via = cut
			return func() { b.via = nil }
		},
		Hold: func(t *testing.T, d rollout.Deployer) { release[d] = lock(t, of(d)) },
	})
}

func TestInstallExactly(t *testing.T) {
	b := filled(t, nil)
	r := b.deploy(t, pinned("hello", "2.0-1"), pinned("kernelish", "2.0-1"))
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, patch.Yes, r.Reboot)
	require.Equal(t, "2.0-1", b.has(t, "hello"))
	require.Equal(t, "2.0-1", b.has(t, "kernelish"))
	require.Equal(t, "1.0-1", b.has(t, "conf"))

	require.Equal(t, patch.AlreadyInstalled, b.deploy(t, pinned("hello", "2.0-1")).Fault)
	require.Equal(t, patch.Superseded, b.deploy(t, pinned("hello", "1.0-1")).Fault)
	require.Equal(t, patch.NotApplicable, b.deploy(t, pinned("fresh", "1.0-1")).Fault, "what the device does not have is not installed")
	r = b.deploy(t, pinned("conf", "1.5-1"))
	require.Equal(t, patch.Permanent, r.Fault)
	require.Contains(t, r.Message, "the repositories have conf 2.0-1, wanted is 1.5-1")
	require.Equal(t, "1.0-1", b.has(t, "conf"))

	reboot, err := b.fleet.Reboot(t.Context(), b.task(rollout.OpReboot, content(pinned("hello", "2.0-1"))))
	require.NoError(t, err)
	require.Equal(t, "boot-2", reboot.BootID)
	require.Equal(t, patch.No, reboot.Reboot)
}

// What is taken back is put back from what was kept, and what its owner has changed stays.
func TestRollbackWithoutARepository(t *testing.T) {
	b := served(t)
	b.write(t, "etc/conf.conf", "setting = mine\n")
	r := b.deploy(t, pinned("conf", "2.0-1"))
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, "conf 2.0-1\n", b.read(t, pacmanbed.VersionFile("conf")))
	b.server.Close()
	r, err := b.fleet.Rollback(t.Context(), b.task(rollout.OpRollback, content(pinned("conf", "2.0-1"))))
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, "1.0-1", b.has(t, "conf"))
	require.Equal(t, "conf 1.0-1\n", b.read(t, pacmanbed.VersionFile("conf")))
	require.Equal(t, "setting = mine\n", b.read(t, "etc/conf.conf"))
}

// What was downloaded ahead is installed without the repository; what was not cannot be.
func TestDownloadAhead(t *testing.T) {
	for _, ahead := range []bool{true, false} {
		b := served(t)
		if ahead {
			r, err := b.fleet.Download(t.Context(), b.task(rollout.OpDownload, content(pinned("hello", "2.0-1"))))
			require.NoError(t, err)
			require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
			require.Equal(t, "1.0-1", b.has(t, "hello"), "nothing is installed yet")
		}
		b.server.Close()
		p := pinned("hello", "2.0-1")
		p.Reversal = patch.ReversalNone // nothing is to be kept, which takes the repository too
		r := b.deploy(t, p)
		if ahead {
			require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
			require.Equal(t, "2.0-1", b.has(t, "hello"))
		} else {
			require.Equal(t, patch.Transient, r.Fault, "%+v", r)
			require.Equal(t, "1.0-1", b.has(t, "hello"))
		}
	}
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
		r := b.deploy(t, row.content)
		require.Equal(t, patch.Permanent, r.Fault, "%+v", r)
		require.Contains(t, r.Message, row.want)
	}
	b.fleet = newFleet(t, b, func(c *manager.Config) { c.Additions = true })
	r := b.deploy(t, pinned("more", "2.0-1"))
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, "1.0-1", b.has(t, "fresh"))
}

// The hash in the plan counts, whatever the repository has signed.
func TestAnotherFileOfTheSameVersionIsRefused(t *testing.T) {
	b := filled(t, nil)
	p := pinned("hello", "2.0-1")
	p.Packages[0].Artefacts = []patch.Artefact{{Digest: patch.Digest("sha256:" + strings.Repeat("ab", 32))}}
	r := b.deploy(t, p)
	require.Equal(t, patch.Untrusted, r.Fault, "%+v", r)
	require.Equal(t, "1.0-1", b.has(t, "hello"))
	out, err := b.root.Run(t.Context(), "sh", "-c", `sha256sum "$1"`, "x", b.repo.Pool(pacmanbed.Package{Name: "hello", Version: "2.0-1"}))
	require.NoError(t, err)
	p.Packages[0].Artefacts[0].Digest = patch.Digest("sha256:" + strings.Fields(out)[0])
	r = b.deploy(t, p)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
}

func TestHoldAndUnhold(t *testing.T) {
	b := filled(t, nil)
	ctx := t.Context()
	before := b.read(t, "etc/pacman.conf")
	require.NoError(t, b.fleet.Hold(ctx, "acme", "ada", "hello", "rival"))
	require.Equal(t, patch.NeedsUser, b.deploy(t, pinned("hello", "2.0-1")).Fault)
	require.NoError(t, b.fleet.Unhold(ctx, "acme", "ada", "hello", "rival"))
	require.Equal(t, before, b.read(t, "etc/pacman.conf"))
	require.Equal(t, rollout.PhaseSucceeded, b.deploy(t, pinned("hello", "2.0-1")).Phase)
	require.Equal(t, patch.NotApplicable, patch.FaultOf(b.fleet.Hold(ctx, "acme", "ada", "nobody")))

	b.write(t, "etc/pacman.conf", strings.Replace(before, "[options]\n", "[options]\nIgnorePkg = conf ki*\n", 1))
	require.Equal(t, patch.NeedsUser, b.deploy(t, pinned("conf", "2.0-1")).Fault, "somebody else holds it")
	require.Error(t, b.fleet.Unhold(ctx, "acme", "ada", "conf"), "and that is not ours to change")
}

// Another process takes over: the task does not begin again, whatever became of it.
func TestATaskThatAnotherProcessHasBegun(t *testing.T) {
	b := filled(t, nil)
	b.fleet = newFleet(t, b, func(c *manager.Config) { c.Wait = -1 })
	task := b.task(rollout.OpInstall, content(pinned("slow", "2.0-1")))
	_, err := b.fleet.Deploy(t.Context(), task)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return b.has(t, "slow") == "2.0-1" }, 20*time.Second, 10*time.Millisecond)
	second := newFleet(t, b, nil)
	r, err := second.Deploy(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseRunning, r.Phase, "pacman is at work")
	b.write(t, "go", "")
	require.NoError(t, b.fleet.Drain(t.Context()))
	r, err = second.Status(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, "2.0-1", b.has(t, "slow"))
}
