package chocolatey_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/replay"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/chocolatey"
	"github.com/patchflow/patchflow/providers/manager/internal/windows"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

func choco(name, v string) patch.Package {
	return patch.Package{Ecosystem: "chocolatey", Name: name, Fixed: version.Version{Scheme: version.NuGet, Text: v}}
}

func kit() replay.Kit[*manager.Fleet] {
	return replay.Kit[*manager.Fleet]{
		File: "testdata/device.txt", New: chocolatey.New, Package: choco("lamp", "1.7.1"), From: "1.6.0", There: []string{"new"},
		Change:  func(c *manager.Config, p *replay.Player) { p.Windows(c, windows.Script) },
		Install: []string{"choco.exe", "upgrade", "lamp", "--version=1.7.1"},
		Fails:   "fails", Fault: patch.Untrusted,
	}
}

func TestConformance(t *testing.T) { kit().Conformance(t) }

func TestWhatIsRefused(t *testing.T) {
	p := replay.Open(t, "testdata/other.txt")
	f := kit().Open(t, p)
	for n, row := range []struct {
		state string
		k     patch.Package
		want  patch.Fault
		says  string
	}{
		{"dependency", choco("lamp", "1.7.1"), patch.Permanent, "change oil from 1.0.0 to 1.1.0 too"},
		{"newest", choco("lamp", "1.7.1"), patch.Permanent, "would not install lamp"},
		{"gone", choco("lamp", "1.7.1"), patch.Permanent, "not found with the source"},
		{"busy", choco("lamp", "1.7.1"), patch.Busy, "installer"},
		{"pinned", choco("lamp", "1.7.1"), patch.NeedsUser, "held"},
		{"garbage", choco("lamp", "1.7.1"), patch.Corrupt, "not understood"},
		{"odd", choco("lamp", "1.7.1"), patch.Corrupt, "not known"},
		{"empty", choco("lamp", "1.7.1"), patch.NotApplicable, ""},
		{"free", choco("all", "1.0;2"), patch.Permanent, "no version"},
		{"free", choco("--force", "1.0"), patch.Permanent, "no name"},
		{"free", choco("packages.config/", "1.0"), patch.Permanent, "no name"},
	} {
		replay.Refused(t, p, f, n, row.state, row.k, row.want, row.says)
	}
}

func TestHoldAndScan(t *testing.T) {
	p := replay.Open(t, "testdata/other.txt")
	f := kit().Open(t, p)
	p.Become("free")
	require.NoError(t, f.Hold(t.Context(), replay.Tenant, replay.Device, "lamp"))
	require.Equal(t, "pinned", p.State())
	require.NoError(t, f.Unhold(t.Context(), replay.Tenant, replay.Device, "lamp"))
	scan := func(state string) inventory.Scan {
		p.Become(state)
		s, err := f.Scan(t.Context(), inventory.Device{Tenant: replay.Tenant, ID: replay.Device})
		require.NoError(t, err)
		return s
	}
	s := scan("busy")
	require.Equal(t, patch.Yes, s.PendingReboot)
	require.Equal(t, "boot-1", s.BootID)
	s = scan("free")
	require.Equal(t, patch.No, s.PendingReboot)
	require.Equal(t, inventory.Complete, s.Coverage[0].Status)
	s = scan("bare") // there is no PowerShell: the registry is asked
	require.Equal(t, patch.Yes, s.PendingReboot)
	require.Equal(t, "31", s.BootID)
	r, err := f.Deploy(t.Context(), replay.Task(1, rollout.OpInstall, choco("lamp", "1.7.1")))
	require.NoError(t, err)
	require.Equal(t, patch.Busy, r.Fault, r.Message)
	s = scan("odd")
	require.Equal(t, inventory.Partial, s.Coverage[0].Status)
	require.Len(t, s.Software, 1)
}

func TestFaults(t *testing.T) { replay.Classes(t, "testdata/faults.txt", 21, chocolatey.Classify) }

func ExampleClassify() {
	fmt.Println(patch.FaultOf(chocolatey.Classify(transport.Result{Ended: true, Code: 1618})))
	// Output: busy
}
