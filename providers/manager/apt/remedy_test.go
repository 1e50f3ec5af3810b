//go:build unix

package apt_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/aptbed"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/manager/apt"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

// A watched fleet tells its test before and after each remedy.
type watched struct {
	*apt.Fleet
	before, after func()
}

// Remedy implements [rollout.Remedier].
func (w watched) Remedy(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	w.before()
	defer w.after()
	return w.Fleet.Remedy(ctx, t)
}

// A rollout over real apt: dpkg is killed while it configures, which leaves the package half configured and the try as corrupt. A remedy ends
// what dpkg was interrupted in, and the next try succeeds.
func TestARolloutRepairsAnInterruptedDatabase(t *testing.T) {
	b, _ := served(t)
	killed := `if [ -e $DPKG_ROOT/bad ]; then kill -9 $PPID; sleep 1; fi`
	for suite, v := range map[string]string{stable: "1.0", security: "2.0"} {
		require.NoError(t, b.repo.Add(suite, aptbed.Package{Name: "struck", Version: v, Postinst: killed}))
		require.NoError(t, b.repo.Publish(t.Context(), suite, b.root.Arch, time.Time{}))
	}
	b.run(t, "apt-get", "-qq", "update")
	b.run(t, "apt-get", "-qq", "-y", "install", "struck=1.0")
	b.write(t, "bad", "")

	var before, after []string
	tries := rollsOut(t, watched{b.fleet, func() {
		before = append(before, b.has(t, "struck"))
		require.NoError(t, os.Remove(filepath.Join(b.root.Dir, "bad"))) // what has killed it is over
	}, func() { after = append(after, b.has(t, "struck")) }}, patch.Corrupt, "struck")
	require.Len(t, before, 1, "one remedy")
	require.NotContains(t, []string{"1.0 installed", "2.0 installed"}, before[0], "it was interrupted")
	require.Contains(t, []string{"1.0 installed", "2.0 installed"}, after[0], "the remedy has ended that")
	require.Equal(t, "2.0 installed", b.has(t, "struck"))
	require.Equal(t, "remedy succeeded", tries[1])
	t.Log(before, after, tries)
}

// rollsOut carries a package from 1.0 to 2.0 over a deployer, with two tries and a remedy, and returns what its journal tells of the device.
func rollsOut(t *testing.T, over rollout.Deployer, remedy patch.Fault, name string) (tries []string) {
	t.Helper()
	f := new(memory.Fleet)
	f.AddPatch(patch.Patch{ID: patch.ID("debian:" + name + "=2.0"), Title: name, Classification: patch.ClassSecurity, Reversal: patch.ReversalReinstall,
		Packages: pinned(name, "2.0").Packages})
	f.AddDevice(inventory.Device{Tenant: "acme", ID: "ada", Software: []inventory.Software{{Manager: "dpkg", Ecosystem: "Debian:12", Name: name,
		Version: version.Version{Scheme: version.Deb, Text: "1.0"}}}})
	journal := new(memjournal.Journal)
	r, err := runner.New(runner.Config{Patches: []patch.Source{f}, Devices: f, Journal: journal, Deployer: over})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	ran := make(chan error, 1)
	go func() { ran <- r.Run(ctx) }()
	defer func() { cancel(); <-ran }()
	key := rollout.Key{Tenant: "acme", ID: "q1"}
	p := policy.Policy{Name: "security", Rules: []policy.Rule{{Name: "security", Match: policy.Match{Classifications: []patch.Classification{patch.ClassSecurity}}, Verdict: policy.Approve}},
		Rings: []policy.Ring{{Name: "all", Rest: true}}, Retry: policy.Retry{Attempts: 2, Backoff: policy.Duration(time.Millisecond), Remedies: []policy.Remedy{{Fault: remedy}}}}
	proposal, err := r.Plan(ctx, runner.PlanRequest{Key: key, Policy: p, By: "olga"})
	require.NoError(t, err)
	require.NoError(t, r.Start(ctx, proposal.Plan))
	end, err := r.Wait(ctx, key)
	require.NoError(t, err)
	require.Equal(t, 1, end.Rings[0].Counts.Succeeded, "%+v", end)
	kept, err := journal.Load(ctx, key)
	require.NoError(t, err)
	told, _, err := rollout.ReadTimeline(proposal.Plan, kept.Entries)
	require.NoError(t, err)
	for _, try := range told.Tries(0) {
		says := try.Op.String() + " " + try.Phase.String()
		if try.Fault != patch.NoFault {
			says += " " + try.Fault.String()
		}
		tries = append(tries, says)
	}
	require.NotEmpty(t, tries)
	require.Contains(t, tries[0], "install failed "+remedy.String())
	return tries
}

// A remedy for a full disk throws away what apt has fetched, and nothing else. For what there is none it fails.
func TestRemedies(t *testing.T) {
	b, _ := served(t)
	r, err := b.fleet.Download(t.Context(), b.task(rollout.OpDownload, content(pinned("hello", "2.0"))))
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
	fetched := func() []string {
		files, err := filepath.Glob(filepath.Join(b.root.Dir, "var/cache/apt/archives/*.deb"))
		require.NoError(t, err)
		return files
	}
	require.NotEmpty(t, fetched())
	for of, fault := range map[patch.Fault]patch.Fault{patch.DiskFull: patch.NoFault, patch.Corrupt: patch.NoFault, patch.NeedsUser: patch.Permanent} {
		task := b.task(rollout.OpRemedy, content(pinned("hello", "2.0")))
		task.Remedy = of
		r, err := b.fleet.Remedy(t.Context(), task)
		require.NoError(t, err)
		require.Equal(t, fault, r.Fault, "%s: %+v", of, r)
		require.Equal(t, fault == patch.NoFault, r.Phase == rollout.PhaseSucceeded, "%s: %+v", of, r)
	}
	require.Empty(t, fetched())
	require.Equal(t, "1.0 installed", b.has(t, "hello"))
}
