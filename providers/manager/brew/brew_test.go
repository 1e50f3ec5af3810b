//go:build unix

package brew_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/replay"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/brew"
	"github.com/patchflow/patchflow/providers/source/homebrew"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

func formula(name, version string) patch.Package {
	return patch.Package{Ecosystem: homebrew.Formulae, Name: name, Fixed: homebrew.VersionOf(version)}
}

func kit() replay.Kit[*manager.Forward] {
	return replay.Kit[*manager.Forward]{
		File: "testdata/device.txt", New: brew.New, Package: formula("lamp", "1.7.1"), From: "1.6", There: []string{"new"},
		Install: []string{"brew", "upgrade", "--formula"}, Fails: "fails", Fault: patch.Permanent,
	}
}

func TestConformance(t *testing.T) { kit().Conformance(t) }

// What cannot go back is no Rollbacker: a rollout knows before it begins.
func TestItCannotGoBack(t *testing.T) {
	f := kit().Open(t, replay.Open(t, "testdata/device.txt"))
	_, ok := rollout.Ability[rollout.Rollbacker](f, rollout.Task{})
	require.False(t, ok)
	_, ok = rollout.Ability[rollout.Downloader](f, rollout.Task{})
	require.True(t, ok)
}

func TestScan(t *testing.T) {
	f := kit().Open(t, replay.Open(t, "testdata/device.txt"))
	s, err := f.Scan(t.Context(), inventory.Device{Tenant: replay.Tenant, ID: replay.Device})
	require.NoError(t, err)
	require.Equal(t, inventory.Complete, s.Coverage[0].Status)
	got := make(map[string]string)
	for _, p := range s.Software {
		got[p.Ecosystem+" "+p.Name] = fmt.Sprint(p.Version.Text, " ", p.Held)
	}
	require.Equal(t, map[string]string{
		"homebrew lamp": "1.6 false", "homebrew torch": "2.0 true", "homebrew acme/tools/wick": "0.1 false", "homebrew flint": "3.0_1 false",
		"homebrew-cask glow": "128.0 false",
	}, got)
}

func TestACaskIsUpgradedAndAFormulaPinned(t *testing.T) {
	p := replay.Load(t, "testdata/cask.txt")
	f := kit().Open(t, p)
	ctx := t.Context()
	glow := patch.Package{Ecosystem: homebrew.Casks, Name: "glow", Fixed: homebrew.VersionOf("139.0")}
	glow.Artefacts = []patch.Artefact{{Digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}}
	r, err := f.Deploy(ctx, replay.Task(1, rollout.OpInstall, glow))
	require.NoError(t, err)
	require.Equal(t, patch.Untrusted, r.Fault, r.Message)
	glow.Artefacts[0].Digest = "sha256:6f1ed002ab5595859014ebf0951522d9a4ddd8e0d2c6b8b3a3d8c8f0f6b1b5f1"
	r, err = f.Deploy(ctx, replay.Task(2, rollout.OpInstall, glow))
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)
	require.NoError(t, f.Hold(ctx, replay.Tenant, replay.Device, "lamp"))
	require.Equal(t, "pinned", p.State())
	r, err = f.Deploy(ctx, replay.Task(3, rollout.OpInstall, formula("lamp", "1.7.1")))
	require.NoError(t, err)
	require.Equal(t, patch.NeedsUser, r.Fault, r.Message)
	require.NoError(t, f.Unhold(ctx, replay.Tenant, replay.Device, "lamp"))
	require.Equal(t, "new", p.State())
}

// Nothing is upgraded where Homebrew would do anything but what was asked for.
func TestWhatIsRefused(t *testing.T) {
	p := replay.Load(t, "testdata/refused.txt")
	f := kit().Open(t, p)
	for n, row := range []struct {
		state string
		want  patch.Fault
		says  string
	}{
		{"newer", patch.Permanent, "install 1.8 of lamp instead of 1.7.1"},
		{"dependency", patch.Permanent, "install oil"},
		{"other", patch.Permanent, "dependent of upgraded formula"},
		{"nothing", patch.Permanent, "would not install lamp 1.7.1"},
		{"garbage", patch.Corrupt, "info"},
	} {
		p.Become(row.state)
		r, err := f.Deploy(t.Context(), replay.Task(n, rollout.OpInstall, formula("lamp", "1.7.1")))
		require.NoError(t, err, row.state)
		require.Equal(t, row.want, r.Fault, "%s: %s", row.state, r.Message)
		require.Contains(t, r.Message, row.says, row.state)
	}
	p.Become("newer")
	for n, k := range []patch.Package{formula("--force", "1.7.1"), formula("acme/tools/wick", "1"), formula("lamp", "1.7.1 --force"), formula("lamp", "3.0_1")} {
		r, err := f.Deploy(t.Context(), replay.Task(10+n, rollout.OpInstall, k))
		require.NoError(t, err)
		require.Equal(t, patch.Permanent, r.Fault, r.Message)
	}
	p.Become("busy")
	r, err := f.Deploy(t.Context(), replay.Task(20, rollout.OpInstall, formula("lamp", "1.7.1")))
	require.NoError(t, err)
	require.Equal(t, patch.Busy, r.Fault, r.Message)
}

func TestFaults(t *testing.T) { replay.Classes(t, "testdata/faults.txt", 18, brew.Classify) }

func ExampleClassify() {
	err := brew.Classify(transport.Result{Ended: true, Code: 1, Stderr: []byte("sudo: a password is required\n")})
	fmt.Println(patch.FaultOf(err))
	// Output: needs-user
}
