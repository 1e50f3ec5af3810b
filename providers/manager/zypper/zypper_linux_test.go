package zypper_test

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/managertest"
	"github.com/patchflow/patchflow/internal/rpmbed"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/zypper"
	"github.com/patchflow/patchflow/rollout"
)

var bed = &managertest.RPMBed{Name: "zypper", New: zypper.New, Warm: func(ctx context.Context, r *rpmbed.Root, key string) error {
	if _, err := r.Run(ctx, "rpm", "--import", key); err != nil {
		return err
	}
	_, err := r.Run(ctx, "zypper", "--non-interactive", "refresh")
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
	all := bed.Mishaps()
	for i := range all {
		if all[i].Name == "it is killed in a script, always" { // of zypper's children only rpm is killed
			all[i].Fault, all[i].After = patch.Transient, "1.0-1"
		}
	}
	bed.Faults(t, append(all, []managertest.Mishap[*managertest.RPM]{
		{Name: "another zypper is at work", Wrong: func(t *testing.T, b *managertest.RPM) { b.Write(t, "run/zypp.pid", "1") }, What: hello, Fault: patch.Busy, After: "1.0-1"},
		{Name: "a zypper that is gone has left its lock", Wrong: func(t *testing.T, b *managertest.RPM) { b.Write(t, "run/zypp.pid", "4194304") }, What: hello, After: "1.1-1"},
		{Name: "the device's owner has locked the package by a pattern", Wrong: func(t *testing.T, b *managertest.RPM) {
			b.Write(t, "etc/zypp/locks", "type: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: hel*\n")
		}, What: hello, Fault: patch.NeedsUser, After: "1.0-1"},
		{Name: "the device's owner has locked the package by a regular expression", Wrong: func(t *testing.T, b *managertest.RPM) {
			b.Write(t, "etc/zypp/locks", "type: package\nmatch_type: regex\ncase_sensitive: on\nsolvable_name: ^hel+o$\n")
		}, What: hello, Fault: patch.NeedsUser, After: "1.0-1"},
		{Name: "there is no repository", Wrong: func(t *testing.T, b *managertest.RPM) {
			require.NoError(t, os.RemoveAll(b.At+"/etc/zypp/repos.d"))
		}, What: hello, Fault: patch.Permanent, After: "1.0-1"},
		{Name: "the index is not signed", Served: true, Wrong: func(t *testing.T, b *managertest.RPM) {
			require.NoError(t, os.Remove(b.Repo.Dir+"/repodata/repomd.xml.asc"))
			managertest.Edit(t, b.Repo.Dir, "repodata/repomd.xml", managertest.Longer)
		}, Fault: patch.Untrusted},
		{Name: "the index is signed by nobody who is known", Served: true, Wrong: func(t *testing.T, b *managertest.RPM) {
			_, err := b.Root.Run(t.Context(), "rpm", "-e", "--allmatches", "gpg-pubkey")
			require.NoError(t, err)
			require.NoError(t, os.RemoveAll(b.At+"/var/cache/zypp"))
		}, Fault: patch.Untrusted},
	}...))
}

func TestHostileNamesAndVersions(t *testing.T) {
	b := bed.Filled(t, nil)
	managertest.Hostile(t, b.Bench, managertest.RPMPinned("hello", "2.0-1"), []string{"etc", "usr", "bin", "home", "var/cache/zypp/packages"}, []string{
		"+hello", "@core", "!rival", "pattern:base", "patch:TEST-1", "product:x", "srcpackage:hello", "test:hello", "-rrival", "hello.noarch=2.0", "hello-", "hello.", "config(hello)", "hello:x86_64", "--capability",
		"--plus-repo=" + b.Dir, "--replacefiles", "hello>=1",
	})
}

// The guard is what stops them: zypper itself does as they say.
func TestWhatZypperWouldDoWithoutAGuard(t *testing.T) {
	b := bed.Filled(t, nil)
	_, err := b.Root.Run(t.Context(), "zypper", "--non-interactive", "install", "--", "!rival")
	require.NoError(t, err)
	require.Empty(t, b.Has(t, "rival"))
	_, err = b.Root.Run(t.Context(), "zypper", "--non-interactive", "install", "--", "-conf")
	require.NoError(t, err)
	require.Empty(t, b.Has(t, "conf"))
}

func TestHoldAndUnhold(t *testing.T) {
	b := bed.Filled(t, nil)
	ctx := t.Context()
	hello := managertest.RPMPinned("hello", "1.1-1")
	require.NoError(t, b.Fleet.Hold(ctx, "acme", "ada", "hello", "rival"))
	require.Equal(t, patch.NeedsUser, b.Deploy(t, hello).Fault)
	require.NoError(t, b.Fleet.Unhold(ctx, "acme", "ada", "hello"))
	require.Contains(t, b.Read(t, "etc/zypp/locks"), "solvable_name: rival")
	require.NotContains(t, b.Read(t, "etc/zypp/locks"), "hello")
	require.Equal(t, rollout.PhaseSucceeded, b.Deploy(t, hello).Phase)
	require.Equal(t, patch.NotApplicable, patch.FaultOf(b.Fleet.Hold(ctx, "acme", "ada", "nobody")))
}

// A script that failed after its package was there takes the package with it; what was fetched for that is kept in one place.
func TestWhatWasFetchedIsKeptInOnePlace(t *testing.T) {
	b := bed.Filled(t, nil)
	p := managertest.RPMPinned("badpost", "2.0-1")
	r := b.Deploy(t, p)
	require.Equal(t, patch.Permanent, r.Fault, "%+v", r)
	require.Contains(t, r.Message, "what was there before was put back")
	require.NoDirExists(t, b.At+"/var/lib/patchflow/kept/fetched")
	require.FileExists(t, b.At+"/var/lib/patchflow/kept/badpost_1.0-1_noarch.rpm")
}
