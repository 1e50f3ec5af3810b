package dnf_test

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/managertest"
	"github.com/patchflow/patchflow/internal/rpmbed"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/dnf"
	"github.com/patchflow/patchflow/rollout"
)

var bed = &managertest.RPMBed{Name: "dnf", New: dnf.New, Warm: func(ctx context.Context, r *rpmbed.Root, _ string) error {
	_, err := r.Run(ctx, "dnf", "-q", "-y", "makecache")
	return err
}}

func TestMain(m *testing.M) { os.Exit(bed.Main(m)) }

func TestFleetKeepsThePromises(t *testing.T) { bed.Conformance(t) }

func TestInstallExactly(t *testing.T) { bed.InstallExactly(t) }

func TestRollbackWithoutARepository(t *testing.T) { bed.RollbackWithoutARepository(t) }

func TestDownloadAhead(t *testing.T) { bed.DownloadAhead(t) }

func TestWhatIsNotAskedForIsRefused(t *testing.T) { bed.WhatIsNotAskedFor(t) }

func TestAnotherFileOfTheSameVersionIsRefused(t *testing.T) { bed.AnotherFileIsRefused(t) }

func TestATaskThatAnotherProcessHasBegun(t *testing.T) { bed.AnotherProcess(t) }

func TestSweep(t *testing.T) { bed.Sweep(t) }

func TestFaultsOfRealDevices(t *testing.T) {
	hello := managertest.RPMPinned("hello", "1.1-1")
	bed.Faults(t, append(bed.Mishaps(), []managertest.Mishap[*managertest.RPM]{
		{Name: "the package is excluded by the device's own configuration", Wrong: func(t *testing.T, b *managertest.RPM) {
			b.Write(t, "etc/dnf/dnf.conf", "[main]\ngpgcheck=1\nexcludepkgs=hello\n")
		}, What: hello, Fault: patch.NeedsUser, After: "1.0-1"},
		{Name: "the index is not signed", Served: true, Wrong: func(t *testing.T, b *managertest.RPM) {
			require.NoError(t, os.Remove(b.Repo.Dir+"/repodata/repomd.xml.asc"))
		}, Fault: patch.Untrusted},
	}...))
}

func TestHostileNamesAndVersions(t *testing.T) {
	b := bed.Filled(t, nil)
	managertest.Hostile(t, b.Bench, managertest.RPMPinned("hello", "2.0-1"), []string{"etc", "usr", "bin", "home"}, []string{
		"--allowerasing", "--setopt=pluginpath=" + b.Dir, "--installroot=/", "--eval=%(touch " + b.Dir + "/pwned)", "%{lua:os.execute('touch " + b.Dir + "/pwned')}", "@core", "@^minimal", "@hello:1", "hello*-1", "./hello.rpm",
		"../hello.rpm", b.Dir + "/repo/hello-2.0-1.noarch.rpm", "hello\trival", "hello-", "hello.", "+hello", "hello@1", "config(hello)",
	})
}

// The guard is what stops them: dnf itself does as they say.
func TestWhatDnfWouldDoWithoutAGuard(t *testing.T) {
	b := bed.Filled(t, nil)
	out, err := b.Root.Run(t.Context(), "dnf", "-C", "-y", "upgrade", "--", "h*o")
	require.NoError(t, err)
	require.Contains(t, out, "hello")
	require.NotEqual(t, "1.0-1", b.Has(t, "hello"))
}

func TestHoldAndUnhold(t *testing.T) {
	b := bed.Filled(t, nil)
	ctx := t.Context()
	hello := managertest.RPMPinned("hello", "1.1-1")
	b.Write(t, "etc/dnf/dnf.conf", "[main]\ngpgcheck=1\n")
	require.NoError(t, b.Fleet.Hold(ctx, "acme", "ada", "hello", "rival"))
	require.Equal(t, patch.NeedsUser, b.Deploy(t, hello).Fault)
	require.NoError(t, b.Fleet.Unhold(ctx, "acme", "ada", "hello"))
	require.Equal(t, "rival-0:1.0-1.*\n", b.Read(t, "etc/dnf/plugins/versionlock.list"))
	require.Equal(t, rollout.PhaseSucceeded, b.Deploy(t, hello).Phase)
	require.Equal(t, patch.NotApplicable, patch.FaultOf(b.Fleet.Hold(ctx, "acme", "ada", "nobody")))
}
