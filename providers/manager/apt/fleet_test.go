//go:build unix

package apt_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/aptbed"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/manager/apt"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

// The suite runs over real apt and dpkg.
func TestFleetKeepsThePromises(t *testing.T) {
	benches := make(map[rollout.Deployer]*bench)
	of := func(d rollout.Deployer) *bench { return benches[d] }
	look := func(t *testing.T, d rollout.Deployer) inventory.Scan {
		b := of(d)
		s, err := apt.Root{Dir: b.root.Dir}.Scan(t.Context(), inventory.Device{Tenant: "acme", ID: "ada"})
		require.NoError(t, err)
		return s
	}
	release := make(map[rollout.Deployer]func())
	modes := map[string]time.Duration{"does not wait": -1}
	if os.Getenv("PATCHFLOW_LONG") != "" {
		modes["waits for the end"] = 0
	}
	for name, wait := range modes {
		t.Run(name, func(t *testing.T) {
			providertest.Deployer(t, providertest.DeployerHarness{
				Rollout: rollout.Key{Tenant: "acme", ID: "conformance"}, Device: "ada",
				Content: content(pinned("hello", "2.0")), Stack: content(pinned("hello", "1.1"), pinned("hello", "2.0")),
				New: func(t *testing.T) rollout.Deployer {
					b := filled(t, func(c *apt.Config) { c.Wait, c.Lock = wait, time.Minute })
					benches[b.fleet] = b
					return b.fleet
				},
				Settle: func(t *testing.T, d rollout.Deployer) {
					if f := release[d]; f != nil {
						f()
					}
					require.NoError(t, of(d).fleet.Drain(t.Context()))
				},
				Look: look,
				Installs: func(t *testing.T, d rollout.Deployer) int {
					log, err := of(d).root.Log()
					require.NoError(t, err)
					n := 0
					for _, line := range log {
						if strings.HasPrefix(line, "upgrade hello:all 1.0 2.0") {
							n++
						}
					}
					return n
				},
				Fail: func(t *testing.T, d rollout.Deployer) patch.Fault {
					of(d).write(t, "fail", "")
					return patch.Permanent
				},
				Break: func(t *testing.T, d rollout.Deployer) { of(d).write(t, "break", "") },
				Up:    []policy.Probe{{Name: "hello", Check: policy.ProbeVersion, Of: "hello", Version: "1.0"}},
				Cut: func(t *testing.T, d rollout.Deployer) func() {
					b := of(d)
					require.NoError(t, b.fleet.Drain(t.Context()))
					b.via = func(transport.Transport) transport.Transport {
						return transport.Func(func(context.Context, transport.Command) (transport.Result, error) {
							return transport.Result{}, fmt.Errorf("cut: %w", patch.ErrUnreachable)
						})
					}
					return func() { b.via = nil }
				},
				Hold: func(t *testing.T, d rollout.Deployer) {
					if wait < 0 {
						release[d] = lock(t, of(d).root)
					}
				},
			})
		})
	}
}

func TestInstallExactly(t *testing.T) {
	b := filled(t, nil)
	r := b.deploy(t, pinned("hello", "1.1"), pinned("kernelish", "2.0"))
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, patch.Yes, r.Reboot)
	require.Equal(t, "1.1 installed", b.has(t, "hello"), "there are newer versions, which nobody has asked for")
	require.Equal(t, "2.0 installed", b.has(t, "kernelish"))
	require.Equal(t, "1.0 installed", b.has(t, "conf"))

	r = b.deploy(t, pinned("hello", "1.1"))
	require.Equal(t, patch.AlreadyInstalled, r.Fault)
	r = b.deploy(t, pinned("hello", "1.0"))
	require.Equal(t, patch.Superseded, r.Fault)
	r = b.deploy(t, pinned("fresh", "1.0"))
	require.Equal(t, patch.NotApplicable, r.Fault, "what the device does not have is not installed")

	reboot, err := b.fleet.Reboot(t.Context(), b.task(rollout.OpReboot, content(pinned("hello", "1.1"))))
	require.NoError(t, err)
	require.Equal(t, "boot-2", reboot.BootID)
	require.Equal(t, patch.No, reboot.Reboot)
}

// The process that was to restart a device is gone before it has asked for that, or right after. The next one asks if nobody has.
func TestARestartThatNobodyHasAskedFor(t *testing.T) {
	for _, asked := range []bool{false, true} {
		t.Run(fmt.Sprintf("asked %v", asked), func(t *testing.T) {
			b := filled(t, nil)
			var restarts atomic.Int32
			gone, reached := make(chan struct{}), make(chan struct{})
			b.via = func(to transport.Transport) transport.Transport {
				return transport.Func(func(ctx context.Context, c transport.Command) (transport.Result, error) {
					if !slices.Contains(c.Argv, "reboot") {
						return to.Run(ctx, c)
					}
					if restarts.Add(1) > 1 {
						return to.Run(ctx, c)
					}
					if asked { // and takes its time
						return transport.Result{Ended: true}, nil
					}
					close(reached)
					<-gone
					return transport.Result{}, transport.ErrUnknownOutcome
				})
			}
			task := b.task(rollout.OpReboot, content(pinned("hello", "1.1")))
			first := newFleet(t, b, func(c *apt.Config) { c.Wait = -1 })
			_, err := first.Reboot(t.Context(), task)
			require.NoError(t, err)
			t.Cleanup(func() { close(gone) }) // before first is closed
			if !asked {
				<-reached
			}
			page := func() string {
				all, err := filepath.Glob(filepath.Join(b.root.Dir, "var/lib/patchflow/tasks/*/asked"))
				require.NoError(t, err)
				return strings.Join(all, " ")
			}
			next := newFleet(t, b, func(c *apt.Config) { c.Wait = -1 })
			if asked {
				require.Eventually(t, func() bool { return page() != "" }, time.Minute, time.Millisecond)
				for range 3 {
					r, err := next.Reboot(t.Context(), task)
					require.NoError(t, err)
					require.Equal(t, rollout.PhaseRunning, r.Phase)
				}
				require.EqualValues(t, 1, restarts.Load())
				require.NoError(t, b.root.Restart())
			}
			var r rollout.Report
			require.Eventually(t, func() bool {
				r, err = next.Reboot(t.Context(), task)
				return err == nil && r.Phase.Last()
			}, time.Minute, time.Millisecond)
			require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
			require.Equal(t, "boot-2", r.BootID)
		})
	}
}

// A process that prepares an installation is gone, or is as good as gone for a while: another one takes the task over, and only one installs.
func TestAnInstallationThatNobodyHasBegun(t *testing.T) {
	b := filled(t, nil)
	gone, reached := make(chan struct{}), make(chan struct{})
	var once atomic.Bool
	var carried atomic.Int32 // installations that are neither a rehearsal nor a download
	b.via = func(to transport.Transport) transport.Transport {
		return transport.Func(func(ctx context.Context, c transport.Command) (transport.Result, error) {
			switch {
			case !slices.Contains(c.Argv, "install") || slices.Contains(c.Argv, "-s"):
			case !slices.Contains(c.Argv, "-d"):
				carried.Add(1)
			case once.CompareAndSwap(false, true): // all but the last is prepared
				close(reached)
				<-gone
			}
			return to.Run(ctx, c)
		})
	}
	task := b.task(rollout.OpInstall, content(pinned("hello", "1.1")))
	first := newFleet(t, b, func(c *apt.Config) { c.Wait = -1 })
	back := sync.OnceFunc(func() { close(gone) })
	t.Cleanup(back) // before first is closed, whatever fails
	_, err := first.Deploy(t.Context(), task)
	require.NoError(t, err)
	<-reached
	second := newFleet(t, b, nil)
	r, err := second.Deploy(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	back()
	require.NoError(t, first.Drain(t.Context()))
	require.EqualValues(t, 1, carried.Load())
	log, err := os.ReadFile(filepath.Join(b.root.Dir, "var/log/dpkg.log"))
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(log), " upgrade hello:all "), "%s", log)
	for _, f := range []*apt.Fleet{first, second, newFleet(t, b, nil)} {
		again, err := f.Status(t.Context(), task)
		require.NoError(t, err)
		require.Equal(t, r, again)
	}
}

func TestPackagesThatWereInstalledForOthersStaySo(t *testing.T) {
	b := filled(t, nil)
	b.run(t, "apt-mark", "auto", "hello")
	require.Equal(t, rollout.PhaseSucceeded, b.deploy(t, pinned("hello", "2.0")).Phase)
	require.Equal(t, "hello\n", b.run(t, "apt-mark", "showauto"))
}

// A version that was replaced is made anew of its files where nobody offers it any more, and goes back with what its owner
// has changed.
func TestRollbackWithoutAnArchive(t *testing.T) {
	b, server := served(t)
	b.write(t, "etc/conf.conf", "setting = mine\n")
	require.NoError(t, b.repo.Withdraw(stable, "conf", "1.0"))
	require.NoError(t, b.repo.Publish(t.Context(), stable, b.root.Arch, time.Time{}))
	require.NoError(t, b.fleet.Refresh(t.Context(), "acme", "ada"))
	r := b.deploy(t, pinned("conf", "2.0"))
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	server.Close()
	r, err := b.fleet.Rollback(t.Context(), b.task(rollout.OpRollback, content(pinned("conf", "2.0"))))
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, "1.0 installed", b.has(t, "conf"))
	files, err := b.root.Files()
	require.NoError(t, err)
	require.Equal(t, "conf 1.0\n", files[aptbed.VersionFile("conf")])
	require.Equal(t, "setting = mine\n", files["etc/conf.conf"])
}

// What was downloaded ahead is installed without the archive; what was not cannot be.
func TestDownloadAhead(t *testing.T) {
	for _, ahead := range []bool{true, false} {
		b, server := served(t)
		if ahead {
			r, err := b.fleet.Download(t.Context(), b.task(rollout.OpDownload, content(pinned("hello", "2.0"))))
			require.NoError(t, err)
			require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
			require.Equal(t, "1.0 installed", b.has(t, "hello"), "nothing is installed yet")
		}
		server.Close()
		r := b.deploy(t, pinned("hello", "2.0"))
		if ahead {
			require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
			require.Equal(t, "2.0 installed", b.has(t, "hello"))
		} else {
			require.Equal(t, patch.Transient, r.Fault, "%+v", r)
			require.Equal(t, "1.0 installed", b.has(t, "hello"))
		}
	}
	b := filled(t, nil)
	r, err := b.fleet.Download(t.Context(), b.task(rollout.OpDownload, content(pinned("hello", "1.0"))))
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "there is nothing to fetch: %+v", r)
}

func TestWhatIsNotAskedForIsRefused(t *testing.T) {
	b := filled(t, nil)
	for _, row := range []struct {
		content rollout.Pinned
		want    string
	}{
		{pinned("hello", "3.0"), "apt would remove rival"},
		{pinned("needs", "2.1"), "apt would install fresh 1.0 too"},
	} {
		r := b.deploy(t, row.content)
		require.Equal(t, patch.Permanent, r.Fault)
		require.Contains(t, r.Message, row.want)
	}
	all, err := b.root.Installed(t.Context())
	require.NoError(t, err)
	for name, state := range all {
		require.Equal(t, "1.0 installed", state, name)
	}
	b.fleet = newFleet(t, b, func(c *apt.Config) { c.Additions = true })
	r := b.deploy(t, pinned("needs", "2.1"))
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, "1.0 installed", b.has(t, "fresh"))
}

// The hash in the plan counts, whatever the archive has signed.
func TestAnotherFileOfTheSameVersionIsRefused(t *testing.T) {
	b := filled(t, nil)
	p := pinned("hello", "2.0")
	p.Packages[0].Artefacts = []patch.Artefact{{Digest: patch.Digest("sha256:" + strings.Repeat("ab", 32))}}
	r := b.deploy(t, p)
	require.Equal(t, patch.Untrusted, r.Fault, "%+v", r)
	require.Equal(t, "1.0 installed", b.has(t, "hello"))
	sum := strings.Fields(b.run(t, "sh", "-c", `sha256sum "$1"`, "x", b.repo.Pool(security, aptbed.Package{Name: "hello", Version: "2.0"})))[0]
	p.Packages[0].Artefacts[0].Digest = patch.Digest("sha256:" + sum)
	require.Equal(t, rollout.PhaseSucceeded, b.deploy(t, p).Phase)
}

func TestHoldAndUnhold(t *testing.T) {
	b := filled(t, nil)
	ctx := t.Context()
	require.NoError(t, b.fleet.Hold(ctx, "acme", "ada", "hello"))
	r := b.deploy(t, pinned("hello", "2.0"))
	require.Equal(t, patch.NeedsUser, r.Fault)
	require.NoError(t, b.fleet.Unhold(ctx, "acme", "ada", "hello"))
	require.Equal(t, rollout.PhaseSucceeded, b.deploy(t, pinned("hello", "2.0")).Phase)
	require.Equal(t, patch.NotApplicable, patch.FaultOf(b.fleet.Hold(ctx, "acme", "ada", "nobody")))
}

// Another process takes over: the task does not begin again, whatever became of it.
func TestATaskThatAnotherProcessHasBegun(t *testing.T) {
	b := filled(t, nil)
	b.fleet = newFleet(t, b, func(c *apt.Config) { c.Wait = -1 })
	task := b.task(rollout.OpInstall, content(pinned("slow", "2.0")))
	_, err := b.fleet.Deploy(t.Context(), task)
	require.NoError(t, err)
	half := func() bool { return b.has(t, "slow") == "2.0 half-configured" }
	require.Eventually(t, half, time.Minute, 10*time.Millisecond)

	second := newFleet(t, b, nil)
	r, err := second.Deploy(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseRunning, r.Phase, "dpkg is at work")
	b.write(t, "go", "")
	require.NoError(t, b.fleet.Drain(t.Context()))
	r, err = second.Status(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase)
	again, err := second.Deploy(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, r, again)
	log, err := b.root.Log()
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(strings.Join(log, "\n"), "upgrade slow:all 1.0 2.0"))
}

// The first process dies with its apt: the second one finds out what is true, and the next attempt mends it.
func TestATaskWhoseProcessDied(t *testing.T) {
	b := filled(t, nil)
	b.fleet = newFleet(t, b, func(c *apt.Config) { c.Limit, c.Wait = 3*time.Second, -1 })
	cut := func(to transport.Transport) transport.Transport {
		return transport.Func(func(ctx context.Context, c transport.Command) (transport.Result, error) {
			// The ledger is out of reach once apt has begun, as it is for a process that is dead.
			if c.Argv[0] == "sh" && strings.Contains(strings.Join(c.Argv, " "), "report") && c.Stdin != nil && b.has(t, "slow") != "1.0 installed" {
				return transport.Result{}, fmt.Errorf("dead: %w", patch.ErrUnreachable)
			}
			return to.Run(ctx, c)
		})
	}
	b.via = cut
	task := b.task(rollout.OpInstall, content(pinned("slow", "2.0")))
	_, err := b.fleet.Deploy(t.Context(), task)
	require.NoError(t, err)
	require.NoError(t, b.fleet.Drain(t.Context()))
	b.via = nil
	second := newFleet(t, b, nil)
	r, err := second.Status(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseFailed, r.Phase, "%+v", r)
	b.write(t, "go", "")
	b.fleet = second
	r = b.deploy(t, pinned("slow", "2.0"))
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, "2.0 installed", b.has(t, "slow"))
}
