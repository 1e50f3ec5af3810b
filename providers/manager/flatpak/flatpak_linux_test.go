package flatpak_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/flatpakbed"
	"github.com/patchflow/patchflow/internal/managertest"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/flatpak"
	"github.com/patchflow/patchflow/rollout"
)

const name = hello + ":" + flatpakbed.Branch

// lock lets a program that looks like a flatpak at work be there until release is called or the test ends.
func lock(t *testing.T, b *bench) (release func()) {
	t.Helper()
	fifo := filepath.Join(b.Dir, "fifo")
	require.NoError(t, exec.CommandContext(t.Context(), "mkfifo", fifo).Run())
	ctx, cancel := context.WithCancel(context.Background())
	// The program is called flatpak, and is a shell that waits.
	program := filepath.Join(b.Dir, "flatpak")
	sh, err := exec.LookPath("sh")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(sh, program))
	script := filepath.Join(b.Dir, "update")
	require.NoError(t, os.WriteFile(script, []byte("read -r _ <"+fifo+"\n:\n"), 0o644))
	cmd := exec.CommandContext(ctx, program, "update")
	cmd.Dir = b.Dir
	cmd.Env = append(os.Environ(), "FLATPAK_SYSTEM_DIR="+b.root.Flatpak())
	require.NoError(t, cmd.Start())
	ended := false
	release = func() {
		if !ended {
			ended = true
			cancel()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(release)
	return release
}

func TestFleetKeepsThePromises(t *testing.T) {
	first := filled(t, nil)
	managertest.Suite[*bench]{
		Hello: func(to string) rollout.Pinned { return first.pinned(hello, to) }, First: "1.1-1", Next: "2.0-1", Open: filled, Lock: lock,
		Scan: func(t *testing.T, b *bench) inventory.Scan {
			t.Helper()
			out, err := b.root.Run(t.Context(), "ostree", "--repo="+filepath.Join(b.root.Flatpak(), "repo"), "refs", "--list", "deploy")
			require.NoError(t, err)
			scan := inventory.Scan{BootID: strings.TrimSpace(b.Read(t, "proc/sys/kernel/random/boot_id"))}
			for path := range strings.FieldsSeq(out) {
				parts := strings.Split(strings.TrimPrefix(path, "deploy/"), "/")
				commit, err := b.root.Run(t.Context(), "ostree", "--repo="+filepath.Join(b.root.Flatpak(), "repo"), "rev-parse", path)
				require.NoError(t, err)
				shown, err := b.root.Run(t.Context(), "ostree", "--repo="+filepath.Join(b.root.Flatpak(), "repo"), "show", strings.TrimSpace(commit))
				require.NoError(t, err)
				_, at, _ := strings.Cut(shown, "Date:  ")
				at, _, _ = strings.Cut(at, " +0000")
				v := strings.NewReplacer("-", "", ":", "", " ", "T").Replace(at) + "Z-" + strings.TrimSpace(commit)
				scan.Software = append(scan.Software, inventory.Software{Manager: "flatpak", Ecosystem: "flatpak", Name: parts[1] + ":" + parts[3], Arch: parts[2],
					Version: version.Version{Scheme: version.OSTree, Text: v}})
			}
			return scan
		},
		Fail: func(t *testing.T, b *bench) {
			t.Helper()
			b.own(t)
			for _, v := range []string{"1.1-1", "2.0-1"} {
				require.NoError(t, os.Remove(b.repo.Object(hello, v)))
			}
		},
	}.Conformance(t)
}

func TestScan(t *testing.T) {
	b := withRival(t)
	s, err := b.Fleet.Scan(t.Context(), inventory.Device{Tenant: managertest.Tenant, ID: managertest.Device})
	require.NoError(t, err)
	require.Equal(t, []inventory.Coverage{{Manager: flatpak.Manager, Status: inventory.Complete, At: s.At}}, s.Coverage)
	require.Equal(t, "boot-1", s.BootID)
	require.Equal(t, patch.Unknown, s.PendingReboot)
	require.Len(t, s.Software, 3)
	for i, want := range []string{hello + ":stable", rival + ":stable", flatpakbed.Runtime + ":1"} {
		id, branch, _ := strings.Cut(want, ":")
		label := "1.0-1"
		if id == flatpakbed.Runtime {
			label = branch
		}
		require.Equal(t, inventory.Software{Manager: "flatpak", Ecosystem: "flatpak", Name: want, Arch: b.repo.Arch,
			Version: version.Version{Scheme: version.OSTree, Text: b.repo.Version(id, label)}}, s.Software[i])
	}
}

func TestADeviceWithoutAnInstallationHasNothing(t *testing.T) {
	b := filled(t, nil)
	require.NoError(t, os.RemoveAll(b.root.Flatpak()))
	s, err := b.Fleet.Scan(t.Context(), inventory.Device{Tenant: managertest.Tenant, ID: managertest.Device})
	require.NoError(t, err)
	require.Empty(t, s.Software)
	require.Equal(t, inventory.Complete, s.Coverage[0].Status)
	require.Equal(t, patch.NotApplicable, b.Deploy(t, b.pinned(hello, "2.0-1")).Fault)
}

func TestInstallExactly(t *testing.T) {
	b := withRival(t)
	r := b.Deploy(t, b.pinned(hello, "1.1-1"))
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, "1.1-1", b.at(t, hello), "there are newer ones, which nobody has asked for")
	require.Equal(t, "1.0-1", b.at(t, rival))
	out, err := os.ReadFile(b.root.Active(hello, "files/version"))
	require.NoError(t, err)
	require.Equal(t, hello+" 1.1-1\n", string(out))
	require.Equal(t, patch.AlreadyInstalled, b.Deploy(t, b.pinned(hello, "1.1-1")).Fault)
	require.Equal(t, patch.Superseded, b.Deploy(t, b.pinned(hello, "1.0-1")).Fault)
}

func TestTwoApplicationsAreUpdatedTogether(t *testing.T) {
	b := withRival(t)
	r := b.Deploy(t, b.pinned(hello, "2.0-1"), b.pinned(rival, "2.0-1"))
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, "2.0-1", b.at(t, hello))
	require.Equal(t, "2.0-1", b.at(t, rival))
}

func TestARuntimeThatIsNotThereIsAnAddition(t *testing.T) {
	b := filled(t, nil)
	r := b.Deploy(t, b.pinned(hello, "2.1-1"))
	require.Equal(t, patch.Permanent, r.Fault)
	require.Contains(t, r.Message, "flatpak would install "+flatpakbed.Runtime+":2 "+b.repo.Version(flatpakbed.Runtime, "2")+" too")
	require.Equal(t, "1.0-1", b.at(t, hello))
	b.Fleet = b.Open(t, func(c *manager.Config) { c.Additions = true })
	r = b.Deploy(t, b.pinned(hello, "2.1-1"))
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	require.Equal(t, "2.1-1", b.at(t, hello))
	require.Equal(t, "2", b.Has(t, flatpakbed.Runtime+":2"))
}

func TestACommitOfAnotherTimeIsRefused(t *testing.T) {
	b := filled(t, nil)
	p := b.pinned(hello, "2.0-1")
	p.Packages[0].Fixed.Text = "20990101T000000Z" + p.Packages[0].Fixed.Text[16:]
	r := b.Deploy(t, p)
	require.Equal(t, patch.Permanent, r.Fault, "%+v", r)
	require.Contains(t, r.Message, "the commit is of another time")
	require.Equal(t, "1.0-1", b.at(t, hello))
}

func TestAnotherCommitThanTheHashIsRefused(t *testing.T) {
	b := filled(t, nil)
	p := b.pinned(hello, "2.0-1")
	p.Packages[0].Artefacts = []patch.Artefact{{Digest: patch.Digest("sha256:" + strings.Repeat("ab", 32))}}
	require.Equal(t, patch.Untrusted, b.Deploy(t, p).Fault)
	require.Equal(t, "1.0-1", b.at(t, hello))
	p.Packages[0].Artefacts[0].Digest = patch.Digest("sha256:" + p.Packages[0].Fixed.Text[17:])
	r := b.Deploy(t, p)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
}

func TestDownloadAhead(t *testing.T) {
	first := filled(t, nil)
	for _, ahead := range []bool{true, false} {
		b := served(t)
		p := first.pinned(hello, "2.0-1")
		if ahead {
			r, err := b.Fleet.Download(t.Context(), b.Task(rollout.OpDownload, managertest.Content(p)))
			require.NoError(t, err)
			require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
			require.Equal(t, "1.0-1", b.at(t, hello), "nothing is installed yet")
		}
		b.Server.Close()
		r := b.Deploy(t, p)
		if ahead {
			require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
			require.Equal(t, "2.0-1", b.at(t, hello))
		} else {
			require.Equal(t, patch.Transient, r.Fault, "%+v", r)
			require.Equal(t, "1.0-1", b.at(t, hello))
		}
	}
}

func TestRollbackWithoutARepository(t *testing.T) {
	b := served(t)
	for _, to := range []string{"1.1-1", "2.0-1"} {
		r := b.Deploy(t, b.pinned(hello, to))
		require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	}
	b.Server.Close()
	// What Flatpak itself cleans up is not what is kept.
	_, err := b.root.Run(t.Context(), "flatpak", "repair", flatpakbed.Scope())
	require.NoError(t, err)
	for _, step := range [][2]string{{"2.0-1", "1.1-1"}, {"1.1-1", "1.0-1"}} {
		r, err := b.Fleet.Rollback(t.Context(), b.Task(rollout.OpRollback, managertest.Content(b.pinned(hello, step[0]))))
		require.NoError(t, err)
		require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
		require.Equal(t, step[1], b.at(t, hello))
		out, err := os.ReadFile(b.root.Active(hello, "files/version"))
		require.NoError(t, err)
		require.Equal(t, hello+" "+step[1]+"\n", string(out))
	}
}

func TestHoldAndUnhold(t *testing.T) {
	b := withRival(t)
	ctx := t.Context()
	hold := func(names ...string) error {
		return b.Fleet.Hold(ctx, managertest.Tenant, managertest.Device, names...)
	}
	unhold := func(names ...string) error {
		return b.Fleet.Unhold(ctx, managertest.Tenant, managertest.Device, names...)
	}
	require.NoError(t, hold(name, rival+":stable"))
	require.NoError(t, hold(name), "twice is once")
	require.Equal(t, patch.NeedsUser, b.Deploy(t, b.pinned(hello, "2.0-1")).Fault)
	require.NoError(t, unhold(name, rival+":stable"))
	require.NoError(t, unhold(name))
	out, err := b.root.Run(ctx, "flatpak", "mask", flatpakbed.Scope())
	require.NoError(t, err)
	require.NotContains(t, out, "org.test")
	require.Equal(t, rollout.PhaseSucceeded, b.Deploy(t, b.pinned(hello, "2.0-1")).Phase)
	require.Equal(t, patch.NotApplicable, patch.FaultOf(hold("org.test.Nobody:stable")))

	for _, pattern := range []string{"org.test.*", "app/org.*//stable"} {
		_, err = b.root.Run(ctx, "flatpak", "mask", flatpakbed.Scope(), pattern)
		require.NoError(t, err)
		require.Equal(t, patch.NeedsUser, b.Deploy(t, b.pinned(rival, "2.0-1")).Fault, "somebody else holds it: %s", pattern)
		require.Error(t, unhold(rival+":stable"), "and that is not ours to change")
		_, err = b.root.Run(ctx, "flatpak", "mask", flatpakbed.Scope(), "--remove", pattern)
		require.NoError(t, err)
	}
	for _, pattern := range []string{"runtime/org.test.Rival", "org.test.Rival//beta"} {
		_, err = b.root.Run(ctx, "flatpak", "mask", flatpakbed.Scope(), pattern)
		require.NoError(t, err)
	}
	r := b.Deploy(t, b.pinned(rival, "2.0-1"))
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "none of them is about it: %+v", r)
}

func TestRepair(t *testing.T) {
	repair := func(t *testing.T, b *bench) error {
		t.Helper()
		return b.Fleet.Repair(t.Context(), managertest.Tenant, managertest.Device)
	}
	t.Run("the folder of an application is gone", func(t *testing.T) {
		b := filled(t, nil)
		dir, err := filepath.EvalSymlinks(filepath.Dir(b.root.Active(hello, "files")))
		require.NoError(t, err)
		require.NoError(t, os.RemoveAll(dir))
		s, err := b.Fleet.Scan(t.Context(), inventory.Device{Tenant: managertest.Tenant, ID: managertest.Device})
		require.NoError(t, err)
		require.Equal(t, inventory.Partial, s.Coverage[0].Status)
		require.NoError(t, repair(t, b))
		require.Equal(t, "1.0-1", b.at(t, hello), "the version that was there")
		require.NoError(t, repair(t, b))
		require.Equal(t, "1.0-1", b.at(t, hello))
	})
	t.Run("a file of an application was altered", func(t *testing.T) {
		b := withRival(t)
		objects, err := filepath.Glob(filepath.Join(b.root.Flatpak(), "repo/objects/*/*.file"))
		require.NoError(t, err)
		for _, o := range objects {
			require.NoError(t, os.WriteFile(o, []byte("altered"), 0o755))
		}
		require.NoError(t, repair(t, b))
		require.Equal(t, "2.0-1", b.at(t, rival), "Flatpak installs again what it cannot mend, and that is the newest")
	})
}
