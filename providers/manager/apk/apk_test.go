//go:build linux

package apk_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/replay"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/apk"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

func lamp(v string) patch.Package {
	return patch.Package{Ecosystem: "Alpine:v3.20", Name: "lamp", Fixed: version.Version{Scheme: version.APK, Text: v}}
}

// alpine gives the device its files: apk's cache has the old version.
func alpine(_ *manager.Config, p *replay.Player) {
	p.Copy("lib/apk/db/installed", "testdata/old.db")
	p.Copy("etc/apk/world", "testdata/world")
	p.Copy("etc/alpine-release", "testdata/alpine-release")
	p.Copy("proc/sys/kernel/osrelease", "testdata/osrelease")
	p.Copy("etc/apk/cache/lamp-1.6-r0.0a1b2c3d.apk", "testdata/lamp.apk")
}

func kit() replay.Kit[*manager.Fleet] {
	return replay.Kit[*manager.Fleet]{
		File: "testdata/device.txt", New: apk.New, Change: alpine, Package: lamp("1.7.1-r0"), From: "1.6-r0", There: []string{"new"},
		Install: []string{"apk", "--no-interactive", "--no-progress", "add", "lamp=1.7.1-r0"}, Fails: "fails", Fault: patch.Permanent,
	}
}

func TestConformance(t *testing.T) { kit().Conformance(t) }

// Wishes stand as they stood before, whatever was installed; the file that was fetched is the one that is gone back from.
func TestWishesStay(t *testing.T) {
	p := replay.Open(t, "testdata/device.txt")
	f := kit().Open(t, p)
	before := p.Text("etc/apk/world")
	hashed := lamp("1.7.1-r0")
	hashed.Artefacts = []patch.Artefact{{Digest: "sha256:00"}}
	r, err := f.Deploy(t.Context(), replay.Task(1, rollout.OpInstall, hashed))
	require.NoError(t, err)
	require.Equal(t, patch.Untrusted, r.Fault, r.Message)
	r, err = f.Deploy(t.Context(), replay.Task(2, rollout.OpInstall, lamp("1.7.1-r0")))
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)
	require.Equal(t, patch.Yes, r.Reboot, "the kernel that runs is not the one that is installed")
	require.Equal(t, before, p.Text("etc/apk/world"))
	r, err = f.Rollback(t.Context(), replay.Task(3, rollout.OpRollback, lamp("1.7.1-r0")))
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)
	require.Equal(t, before, p.Text("etc/apk/world"))
	p.Become("fails")
	r, err = f.Deploy(t.Context(), replay.Task(4, rollout.OpInstall, lamp("1.7.1-r0")))
	require.NoError(t, err)
	require.Equal(t, patch.Permanent, r.Fault, r.Message)
	require.Equal(t, before, p.Text("etc/apk/world"))
}

func TestWhatIsRefused(t *testing.T) {
	p := replay.Load(t, "testdata/refused.txt")
	f := kit().Open(t, p)
	for n, row := range []struct {
		state string
		says  string
	}{
		{"dependency", "install oil 1.0-r0 too"},
		{"purge", "remove torch"},
		{"unclear", "not understood"},
		{"gone", "breaks: world"},
		{"other", "fetched no lamp-1.7.1-r0.apk"},
	} {
		p.Become(row.state)
		r, err := f.Deploy(t.Context(), replay.Task(n, rollout.OpInstall, lamp("1.7.1-r0")))
		require.NoError(t, err, row.state)
		require.Equal(t, patch.Permanent, r.Fault, "%s: %s", row.state, r.Message)
		require.Contains(t, r.Message, row.says)
	}
	torch := lamp("2.1-r0")
	torch.Name = "torch"
	r, err := f.Deploy(t.Context(), replay.Task(20, rollout.OpInstall, torch))
	require.NoError(t, err)
	require.Equal(t, patch.NeedsUser, r.Fault, "a wish with a version holds: %s", r.Message)
	for n, bad := range []patch.Package{{Ecosystem: "Alpine:v3.20", Name: "lamp@edge", Fixed: lamp("1-r0").Fixed}, lamp("1.7.1-r0 torch"), lamp("1.7.1"), {Ecosystem: "Alpine:v3.20", Name: "--force", Fixed: lamp("1-r0").Fixed}} {
		r, err := f.Deploy(t.Context(), replay.Task(30+n, rollout.OpInstall, bad))
		require.NoError(t, err)
		require.Equal(t, patch.Permanent, r.Fault, r.Message)
	}
}

func TestRepairAndHold(t *testing.T) {
	p := replay.Load(t, "testdata/repair.txt")
	f := kit().Open(t, p)
	p.Copy("lib/apk/db/installed", "testdata/broken.db")
	p.Copy("etc/apk/world", "testdata/world-pinned")
	p.Copy("var/lib/patchflow/world", "testdata/remembered")
	s, err := f.Scan(t.Context(), inventory.Device{Tenant: replay.Tenant, ID: replay.Device})
	require.NoError(t, err)
	require.Equal(t, inventory.Partial, s.Coverage[0].Status)
	require.NoError(t, f.Repair(t.Context(), replay.Tenant, replay.Device))
	require.Equal(t, "mended", p.State())
	require.Equal(t, "lamp\nmusl\ntorch=2.0-r0\n", p.Text("etc/apk/world"))
	require.NoError(t, f.Hold(t.Context(), replay.Tenant, replay.Device, "lamp"))
	require.NoError(t, f.Unhold(t.Context(), replay.Tenant, replay.Device, "lamp"))
}

func TestScan(t *testing.T) {
	p := replay.Open(t, "testdata/device.txt")
	f := kit().Open(t, p)
	scan := func() inventory.Scan {
		s, err := f.Scan(t.Context(), inventory.Device{Tenant: replay.Tenant, ID: replay.Device})
		require.NoError(t, err)
		return s
	}
	s := scan()
	require.Equal(t, inventory.Complete, s.Coverage[0].Status)
	require.Len(t, s.Software, 4)
	require.Equal(t, "Alpine:v3.20", s.Software[0].Ecosystem)
	require.Equal(t, "1.2.4-r2", s.Software[0].Version.Text)
	require.True(t, s.Software[2].Held)
	require.Equal(t, patch.Yes, s.PendingReboot)
	p.Copy("lib/apk/db/installed", "testdata/odd.db")
	s = scan()
	require.Equal(t, inventory.Partial, s.Coverage[0].Status)
	require.Len(t, s.Software, 1)
	require.Equal(t, patch.Unknown, s.PendingReboot)
	r, err := f.Deploy(t.Context(), replay.Task(1, rollout.OpInstall, lamp("1.7.1-r0")))
	require.NoError(t, err)
	require.Equal(t, patch.Corrupt, r.Fault, "whether it is there is not known: %s", r.Message)
	p.Copy("lib/apk/db/installed", "testdata/empty")
	require.Equal(t, inventory.Failed, scan().Coverage[0].Status)
}

func TestFaults(t *testing.T) { replay.Classes(t, "testdata/faults.txt", 18, apk.Classify) }

func ExampleClassify() {
	err := apk.Classify(transport.Result{Ended: true, Code: 1, Stderr: []byte("ERROR: lamp-1.7.1-r0: UNTRUSTED signature\n")})
	fmt.Println(patch.FaultOf(err))
	// Output: untrusted
}
