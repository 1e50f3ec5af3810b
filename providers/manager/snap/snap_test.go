//go:build unix

package snap_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/replay"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/snap"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

func lamp(revision string) patch.Package {
	return patch.Package{Ecosystem: snap.Ecosystem, Name: "lamp", Fixed: version.Version{Scheme: version.Loose, Text: revision}}
}

func kit() replay.Kit[*manager.Fleet] {
	return replay.Kit[*manager.Fleet]{
		File: "testdata/device.txt", New: snap.New, Package: lamp("42"), From: "38", There: []string{"new"},
		Install: []string{"snap", "refresh"}, Fails: "fails", Fault: patch.Permanent,
	}
}

func TestConformance(t *testing.T) { kit().Conformance(t) }

// Everything that the file has is done, with exactly these arguments.
func TestASnapIsRefreshedAndReverted(t *testing.T) {
	p := replay.Load(t, "testdata/device.txt")
	f := kit().Open(t, p)
	ctx := t.Context()
	for n, step := range []struct {
		op    rollout.Op
		state string
	}{{rollout.OpInstall, "new"}, {rollout.OpRollback, "back"}, {rollout.OpInstall, "new"}} {
		do := f.Deploy
		if step.op == rollout.OpRollback {
			do = f.Rollback
		}
		r, err := do(ctx, replay.Task(n, step.op, lamp("42")))
		require.NoError(t, err)
		require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)
		require.Equal(t, step.state, p.State())
		verify := replay.Task(n, rollout.OpVerify, lamp("42"))
		verify.Absent = step.op == rollout.OpRollback
		r, err = f.Verify(ctx, verify)
		require.NoError(t, err)
		require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)
	}
	r, err := f.Deploy(ctx, replay.Task(4, rollout.OpInstall, lamp("42")))
	require.NoError(t, err)
	require.Equal(t, patch.AlreadyInstalled, r.Fault)
	r, err = f.Reboot(ctx, replay.Task(5, rollout.OpReboot, lamp("42")))
	require.NoError(t, err)
	require.Equal(t, "boot-2", r.BootID, r.Message)
	p.Become("fails")
	r, err = f.Deploy(ctx, replay.Task(6, rollout.OpInstall, lamp("42")))
	require.NoError(t, err)
	require.Equal(t, patch.Permanent, r.Fault)
	require.Contains(t, r.Message, "run hook")
}

// What is not wholly what was asked for is not begun: no refresh is run in any of these.
func TestWhatIsRefused(t *testing.T) {
	sum := lamp("42")
	sum.Artefacts = []patch.Artefact{{Digest: "sha256:00"}}
	held := lamp("8")
	held.Name = "torch"
	for n, row := range []struct {
		name string
		k    patch.Package
		want patch.Fault
		says string
	}{
		{"a revision that no channel has", lamp("41"), patch.Permanent, "no channel has the revision 41"},
		{"a hash", sum, patch.Permanent, ""},
		{"a held snap", held, patch.NeedsUser, "held"},
		{"an older revision", lamp("37"), patch.Superseded, ""},
		{"no revision", lamp("2.12"), patch.Permanent, "no version"},
		{"an option", patch.Package{Ecosystem: snap.Ecosystem, Name: "--classic", Fixed: lamp("42").Fixed}, patch.Permanent, "no name"},
		{"another snap", patch.Package{Ecosystem: snap.Ecosystem, Name: "lantern", Fixed: lamp("42").Fixed}, patch.NotApplicable, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := replay.Open(t, "testdata/device.txt")
			r, err := kit().Open(t, p).Deploy(t.Context(), replay.Task(n, rollout.OpInstall, row.k))
			require.NoError(t, err)
			require.Equal(t, row.want, r.Fault, r.Message)
			require.Contains(t, r.Message, row.says)
			require.Zero(t, p.Count("snap", "refresh"))
		})
	}
}

func TestHold(t *testing.T) {
	p := replay.Load(t, "testdata/hold.txt")
	f := kit().Open(t, p)
	require.NoError(t, f.Hold(t.Context(), replay.Tenant, replay.Device, "lamp"))
	require.Equal(t, "held", p.State())
	require.NoError(t, f.Unhold(t.Context(), replay.Tenant, replay.Device, "lamp"))
	require.Equal(t, "free", p.State())
	require.Equal(t, patch.NotApplicable, patch.FaultOf(f.Hold(t.Context(), replay.Tenant, replay.Device, "torch")))
	require.Equal(t, patch.Permanent, patch.FaultOf(f.Hold(t.Context(), replay.Tenant, replay.Device, "--time=forever")))
}

func TestScan(t *testing.T) {
	p := replay.Load(t, "testdata/restart.txt")
	f := kit().Open(t, p)
	s, err := f.Scan(t.Context(), inventory.Device{Tenant: replay.Tenant, ID: replay.Device})
	require.NoError(t, err)
	require.Equal(t, patch.Yes, s.PendingReboot)
	require.Equal(t, "boot-1", s.BootID)
	require.Len(t, s.Software, 1)
	require.Equal(t, inventory.Partial, s.Coverage[0].Status)
	require.Contains(t, s.Coverage[0].Detail, "x1")
	// Whether it is there is not known, and a change is under way.
	r, err := f.Deploy(t.Context(), replay.Task(1, rollout.OpInstall, lamp("42")))
	require.NoError(t, err)
	require.Equal(t, patch.Busy, r.Fault, r.Message)

	none := replay.Load(t, "testdata/none.txt")
	s, err = kit().Open(t, none).Scan(t.Context(), inventory.Device{Tenant: replay.Tenant, ID: replay.Device})
	require.NoError(t, err)
	require.Equal(t, inventory.Complete, s.Coverage[0].Status)
	require.Empty(t, s.Software)
	require.Equal(t, patch.Unknown, s.PendingReboot)
}

func TestFaults(t *testing.T) { replay.Classes(t, "testdata/faults.txt", 20, snap.Classify) }

func ExampleClassify() {
	err := snap.Classify(transport.Result{Ended: true, Code: 10, Stderr: []byte(`error: snap "lamp" has "auto-refresh" change in progress`)})
	fmt.Println(patch.FaultOf(err))
	// Output: busy
}
