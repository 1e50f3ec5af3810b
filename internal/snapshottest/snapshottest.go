// Package snapshottest proves on a device with real packages what states of its file system are kept for. Only tests import it.
package snapshottest

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/aptbed"
	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/manager/apt"
	"github.com/patchflow/patchflow/providers/snapshot"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

// A device has real apt in a root folder that lies in a subvolume. It is the list of devices and of patches too.
type device struct {
	root *aptbed.Root
	apt  *apt.Fleet
}

// Devices implements [inventory.Source].
func (d *device) Devices(ctx context.Context, _ inventory.Query) iter.Seq2[inventory.Device, error] {
	return func(yield func(inventory.Device, error) bool) {
		x := inventory.Device{Tenant: "acme", ID: "ada", Platform: patch.Platform{OS: "debian", Version: "12", Arch: d.root.Arch}}
		scan, err := d.apt.Scan(ctx, x)
		if err == nil {
			x, err = x.Merge(scan)
		}
		yield(x, err)
	}
}

// Patches implements [patch.Source]: updates that only a snapshot takes back.
func (d *device) Patches(context.Context, patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) {
		yield(patch.Patch{ID: "acme:ledger-2.0", Title: "ledger 2.0", Classification: patch.ClassSecurity, Reversal: patch.ReversalSnapshot,
			Packages: []patch.Package{{Ecosystem: "Debian:12", Name: "ledger", Fixed: version.Version{Scheme: version.Deb, Text: "2.0"}}}}, nil)
	}
}

// TakenBack shows that a device is taken back by states: folder lies in the file system whose states they are, and a device is made there. An
// update spoils data, in a way that no package manager could take back. The device is backed up before, fails the look afterwards, and is taken
// back to what it was, with the data and the database of packages.
func TakenBack(t *testing.T, folder string, states snapshot.Snapshotter) {
	t.Helper()
	for _, name := range aptbed.Programs() {
		need.Tool(t, name)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	ctx := t.Context()
	arch, err := aptbed.Arch(ctx)
	require.NoError(t, err)
	repo, err := aptbed.NewRepo(ctx, dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, repo.Close()) }()
	require.NoError(t, repo.Add("stable", aptbed.Package{Name: "ledger", Version: "1.0"}, aptbed.Package{Name: "ledger", Version: "2.0", Time: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC),
		Postinst: `echo migrated >$DPKG_ROOT/srv/ledger/data; rm $DPKG_ROOT/srv/ledger/index; echo x >>$DPKG_ROOT/usr/share/ledger/version`}))
	require.NoError(t, repo.Publish(ctx, "stable", arch, time.Time{}))
	d := new(device)
	d.root, err = aptbed.NewRoot(filepath.Join(folder, "root"), arch, repo, "file:"+repo.Dir, "stable")
	require.NoError(t, err)
	for _, argv := range [][]string{{"apt-get", "-qq", "update"}, {"apt-get", "-qq", "-y", "install", "ledger=1.0"}} {
		_, err := d.root.Run(ctx, argv...)
		require.NoError(t, err)
	}
	require.NoError(t, os.MkdirAll(filepath.Join(d.root.Dir, "srv", "ledger"), 0o755))
	for _, name := range []string{"data", "index"} {
		require.NoError(t, os.WriteFile(filepath.Join(d.root.Dir, "srv", "ledger", name), []byte("years of work\n"), 0o644))
	}
	before, err := d.root.Files("var/lib/patchflow") // what apt.Fleet keeps there for itself
	require.NoError(t, err)

	d.apt, err = apt.New(apt.Config{Poll: 10 * time.Millisecond, Reach: func(context.Context, inventory.Tenant, inventory.DeviceID) (apt.Device, error) {
		return apt.Device{To: d.root.Transport(), Root: d.root.Dir, User: true}, nil
	}})
	require.NoError(t, err)
	defer func() { require.NoError(t, d.apt.Close(context.WithoutCancel(ctx))) }()
	both, err := snapshot.NewDeployer(snapshot.Config{Next: d.apt, Of: func(rollout.Task) (snapshot.Snapshotter, error) { return states, nil }})
	require.NoError(t, err)
	journal := new(memjournal.Journal)
	r, err := runner.New(runner.Config{Patches: []patch.Source{d}, Devices: d, Deployer: both, Journal: journal, Poll: 20 * time.Millisecond})
	require.NoError(t, err)
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(running) }()
	defer func() { stop(); <-ended }()

	key := rollout.Key{Tenant: "acme", ID: "q1"}
	p, err := r.Plan(ctx, runner.PlanRequest{Key: key, By: "olga", Policy: policy.Policy{Name: "all",
		Rules:    []policy.Rule{{Name: "all", Match: policy.Match{All: true}, Verdict: policy.Approve}},
		Rings:    []policy.Ring{{Name: "all", Rest: true}},
		Retry:    policy.Retry{Attempts: 1},
		Backup:   policy.Backup{Need: policy.BackupRequired},
		Reboot:   policy.Reboot{Mode: policy.RebootNever},
		Rollback: policy.Rollback{On: policy.FailRollsBackAll}}})
	require.NoError(t, err)
	require.NoError(t, r.Start(ctx, p.Plan))
	s, err := r.Wait(ctx, key)
	require.NoError(t, err)
	require.Equal(t, rollout.StageUndone, s.Stage)
	require.Equal(t, map[rollout.Outcome]int{rollout.RolledBack: 1}, s.Rings[0].Outcomes)

	record, err := journal.Load(ctx, key)
	require.NoError(t, err)
	told, _, err := rollout.ReadTimeline(p.Plan, record.Entries)
	require.NoError(t, err)
	var did []string
	for _, x := range told.Tries(0) {
		did = append(did, x.Op.String()+" "+x.Phase.String())
	}
	require.Equal(t, []string{"backup succeeded", "install succeeded", "verify failed", "rollback succeeded", "verify succeeded"}, did)
	after, err := d.root.Files("var/lib/patchflow")
	require.NoError(t, err)
	require.Empty(t, aptbed.Names(before, after), "the device is as it was, file by file")
	have, err := d.root.Installed(ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"ledger": "1.0 installed"}, have)

	kept, err := states.List(ctx)
	require.NoError(t, err)
	require.Len(t, kept, 1)
	for _, b := range told.Machine().Backups() {
		require.Equal(t, kept[0].Name, b.ID, "the journal names the snapshot that is kept")
	}
}
