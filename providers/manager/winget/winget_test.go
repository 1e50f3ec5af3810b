package winget_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/replay"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/windows"
	"github.com/patchflow/patchflow/providers/manager/winget"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

func lamp(v string) patch.Package {
	return patch.Package{Ecosystem: "winget", Name: "Acme.Lamp", Fixed: version.Version{Scheme: version.WinGet, Text: v}}
}

func kit() replay.Kit[*manager.Forward] {
	return replay.Kit[*manager.Forward]{
		File: "testdata/device.txt", New: winget.New, Package: lamp("1.7.1"), From: "1.6", There: []string{"new"},
		Change: func(c *manager.Config, p *replay.Player) {
			p.Windows(c, windows.Script)
			p.Names["LIST"] = winget.ListScript
		},
		Install: []string{"winget.exe", "upgrade"}, Fails: "fails", Fault: patch.Untrusted,
	}
}

func TestConformance(t *testing.T) { kit().Conformance(t) }

// The file must be one of those that the content has, in whatever language winget tells it.
func TestTheHashIsCompared(t *testing.T) {
	p := replay.Open(t, "testdata/device.txt")
	f := kit().Open(t, p)
	_, ok := rollout.Ability[rollout.Rollbacker](f, rollout.Task{})
	require.False(t, ok)
	k := lamp("1.7.1")
	k.Artefacts = []patch.Artefact{{Digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}}
	r, err := f.Deploy(t.Context(), replay.Task(1, rollout.OpInstall, k))
	require.NoError(t, err)
	require.Equal(t, patch.Untrusted, r.Fault, r.Message)
	require.Zero(t, p.Count("winget.exe", "upgrade"))
	k.Artefacts = append(k.Artefacts, patch.Artefact{Digest: "sha256:6f1ed002ab5595859014ebf0951522d9a4ddd8e0d2c6b8b3a3d8c8f0f6b1b5f1"})
	r, err = f.Deploy(t.Context(), replay.Task(2, rollout.OpInstall, k))
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)
	require.Equal(t, patch.Yes, r.Reboot)
}

func TestWhatIsRefused(t *testing.T) {
	p := replay.Open(t, "testdata/other.txt")
	f := kit().Open(t, p)
	for n, row := range []struct {
		state string
		k     patch.Package
		want  patch.Fault
		says  string
	}{
		{"gone", lamp("1.7.1"), patch.Permanent, "the source has no version 1.7.1"},
		{"unknown", lamp("1.7.1"), patch.Permanent, "no version"},
		{"twice", lamp("1.7.1"), patch.AlreadyInstalled, ""},
		{"odd", lamp("1.7.1"), patch.Corrupt, "not known"},
		{"empty", lamp("1.7.1"), patch.NotApplicable, ""},
		{"nomodule", lamp("1.7.1"), patch.Permanent, "is not there"},
		{"garbage", lamp("1.7.1"), patch.Corrupt, "no answer"},
		{"busy", lamp("1.7.1"), patch.Busy, "installer"},
		{"gone", lamp("1.7.1 --force"), patch.Permanent, "no version"},
		{"gone", patch.Package{Ecosystem: "winget", Name: "--all", Fixed: lamp("1").Fixed}, patch.Permanent, "no name"},
		{"gone", patch.Package{Ecosystem: "winget", Name: "Acme.Lamp\" --force", Fixed: lamp("1").Fixed}, patch.Permanent, "no name"},
	} {
		replay.Refused(t, p, f, n, row.state, row.k, row.want, row.says)
	}
}

func TestScan(t *testing.T) {
	p := replay.Open(t, "testdata/device.txt")
	f := kit().Open(t, p)
	s, err := f.Scan(t.Context(), inventory.Device{Tenant: replay.Tenant, ID: replay.Device})
	require.NoError(t, err)
	require.Len(t, s.Software, 3)
	require.Equal(t, "Unknown", s.Software[1].Version.Text)
	require.Equal(t, patch.Yes, s.PendingReboot)
	require.Equal(t, inventory.Complete, s.Coverage[0].Status)
	require.Equal(t, patch.Permanent, patch.FaultOf(f.Hold(t.Context(), replay.Tenant, replay.Device, "Acme.Lamp")))
}

func TestFaults(t *testing.T) { replay.Classes(t, "testdata/faults.txt", 50, winget.Classify) }

func ExampleClassify() {
	for _, code := range []int{-1978335215, -1978334974} {
		fmt.Println(patch.FaultOf(winget.Classify(transport.Result{Ended: true, Code: code})))
	}
	// Output:
	// untrusted
	// busy
}

func TestServicesAndTheRegistryAreProbed(t *testing.T) {
	p := replay.Open(t, "testdata/device.txt")
	f := kit().Open(t, p)
	task := replay.Task(1, rollout.OpProbe, lamp("1.7.1"))
	for _, name := range []string{"Spooler", "Nobody", "/query", "a b"} {
		task.Probes = append(task.Probes, policy.Probe{Name: name, Check: policy.ProbeService, Of: name})
	}
	for name, with := range map[string][]string{"bulbs": {"value=Bulbs", "is=3"}, "bulb": {"vaule=Bulbs"}} {
		task.Probes = append(task.Probes, policy.Probe{Name: name, Check: policy.ProbeRegistry, Of: `HKLM\SOFTWARE\Acme\Lamp`, With: with})
	}
	r, err := f.Probe(t.Context(), task)
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)
	require.ElementsMatch(t, []rollout.ProbeResult{
		{Name: "Spooler", Up: patch.Yes, Message: "Spooler is running"}, {Name: "Nobody", Up: patch.No, Message: "there is no service Nobody"},
		{Name: "/query", Message: `"/query" is no name of a service`}, {Name: "a b", Message: `"a b" is no name of a service`},
		{Name: "bulbs", Up: patch.Yes, Message: `HKLM\SOFTWARE\Acme\Lamp: the value Bulbs holds what it is to hold`},
		{Name: "bulb", Message: `policy: probe "bulb": with[0]: "vaule=Bulbs" is none of value, is and view`},
	}, r.Probes)
	require.Equal(t, 2, p.Count("sc.exe"))
}
