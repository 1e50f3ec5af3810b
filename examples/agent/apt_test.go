//go:build unix

package main

import (
	"context"
	"iter"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/aptbed"
	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/manager/apt"
	"github.com/patchflow/patchflow/providers/source/debian"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

// A debianBench is a bench whose device has real apt and dpkg, in a root folder of its own. An agent has on it what apt can do, in place of
// package programs.
type debianBench struct {
	*bench
	root *aptbed.Root
	apt  *apt.Fleet
}

// newArchive makes a signed archive that offers a tool in two versions, and a device that has the first of them.
func newArchive(t *testing.T) *aptbed.Root {
	t.Helper()
	for _, name := range aptbed.Programs() {
		need.Tool(t, name)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	arch, err := aptbed.Arch(t.Context())
	require.NoError(t, err)
	repo, err := aptbed.NewRepo(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = repo.Close() })
	for suite, v := range map[string]string{"stable": "1.0", "stable-security": "1.1"} {
		require.NoError(t, repo.Add(suite, aptbed.Package{Name: "tool", Version: v}))
		require.NoError(t, repo.Publish(t.Context(), suite, arch, time.Time{}))
	}
	root, err := aptbed.NewRoot(filepath.Join(dir, "root"), arch, repo, "file:"+repo.Dir, "stable", "stable-security")
	require.NoError(t, err)
	for _, argv := range [][]string{{"apt-get", "-qq", "update"}, {"apt-get", "-qq", "-y", "install", "tool=1.0"}} {
		_, err := root.Run(t.Context(), argv...)
		require.NoError(t, err)
	}
	return root
}

// onDebian makes a bench on a copy of a device.
func onDebian(t *testing.T, first *aptbed.Root) *debianBench {
	t.Helper()
	b := &debianBench{bench: newBench(t)}
	var err error
	b.root, err = first.Copy(filepath.Join(t.TempDir(), "root"))
	require.NoError(t, err)
	b.open(t)
	return b
}

// open makes what an agent has on the device anew, as its process does when it starts: what is known of earlier tasks is on the device.
func (b *debianBench) open(t *testing.T) {
	t.Helper()
	var err error
	b.apt, err = apt.New(apt.Config{Lock: -1, Poll: 10 * time.Millisecond, Now: func() time.Time { return b.now },
		Reach: func(context.Context, inventory.Tenant, inventory.DeviceID) (apt.Device, error) {
			return apt.Device{To: b.root.Transport(), Root: b.root.Dir, User: true}, nil // on a device: its local transport, and no root folder
		}})
	require.NoError(t, err)
	fleet := b.apt
	t.Cleanup(func() { _ = fleet.Close(context.Background()) })
}

func (b *debianBench) agent(t *testing.T) *agent {
	a := b.bench.agent(t)
	a.device = b.apt
	return a
}

// upgrades returns how often dpkg has upgraded the tool.
func (b *debianBench) upgrades(t *testing.T) int {
	t.Helper()
	lines, err := b.root.Log()
	require.NoError(t, err)
	return strings.Count(strings.Join(lines, "\n"), "upgrade tool:all 1.0 1.1")
}

func (b *debianBench) has(t *testing.T) string {
	t.Helper()
	all, err := b.root.Installed(t.Context())
	require.NoError(t, err)
	return all["tool"]
}

// Devices implements [inventory.Source] by a scan of the one device.
func (b *debianBench) Devices(ctx context.Context, _ inventory.Query) iter.Seq2[inventory.Device, error] {
	return func(yield func(inventory.Device, error) bool) {
		d := inventory.Device{Tenant: "acme", ID: "ada", Platform: patch.Platform{OS: "debian", Version: "12", Arch: b.root.Arch}}
		scan, err := b.apt.Scan(ctx, d)
		if err == nil {
			d, err = d.Merge(scan)
		}
		yield(d, err)
	}
}

// A whole rollout over the channel: the runner hands tasks out, the agent carries them out with apt, and what is proven in the end is what
// dpkg says.
func TestAnAgentPatchesItsDeviceWithApt(t *testing.T) {
	b := onDebian(t, newArchive(t))
	b.now = time.Now()
	indices, err := apt.Root{Dir: b.root.Dir}.Indices(t.Context())
	require.NoError(t, err)
	offered, err := debian.New(debian.Config{Codename: "stable", Version: "12", Indices: indices})
	require.NoError(t, err)
	r, err := runner.New(runner.Config{Patches: []patch.Source{offered}, Devices: b, Deployer: providers.Pulled{}, Journal: new(memjournal.Journal)})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	defer func() { stop(); <-ended }()
	b.console.host, b.console.lease = r, time.Minute

	key := rollout.Key{Tenant: "acme", ID: "q1"}
	p, err := r.Plan(ctx, runner.PlanRequest{Key: key, By: "olga", Policy: policy.Policy{Name: "all", Reboot: policy.Reboot{Mode: policy.RebootNever},
		Rules: []policy.Rule{{Name: "security", Match: policy.Match{Classifications: []patch.Classification{patch.ClassSecurity}}, Verdict: policy.Approve}},
		Rings: []policy.Ring{{Name: "all", Rest: true}}}})
	require.NoError(t, err)
	require.NoError(t, r.Start(ctx, p.Plan))
	a := b.agent(t)
	require.Eventually(t, func() bool {
		require.NoError(t, a.turn(ctx))
		s, _, err := r.Status(ctx, key)
		require.NoError(t, err)
		return s.Stage == rollout.StageDone
	}, time.Minute, 10*time.Millisecond)
	s, err := r.Wait(ctx, key)
	require.NoError(t, err)
	require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 1}, s.Rings[0].Outcomes)
	require.Equal(t, "1.1 installed", b.has(t))
	require.Equal(t, 1, b.upgrades(t))
}

// What the plan has pinned is what apt installs, or nothing: hash, time and the way back hold through the whole channel.
func TestAnAgentInstallsWithAptWhatWasPinned(t *testing.T) {
	first := newArchive(t)
	task := func(op rollout.Op, seq uint32) rollout.Task {
		return rollout.Task{ID: rollout.NewTaskID(rollout.Key{Tenant: "acme", ID: "q1"}, "all", "ada", op, seq), Tenant: "acme", Device: "ada", Op: op,
			Content: rollout.Content{Patches: []rollout.Pinned{{ID: "debian:tool=1.1", Reversal: patch.ReversalReinstall,
				Packages: []patch.Package{{Ecosystem: "Debian:12", Name: "tool", Fixed: deb("1.1")}}}}}}
	}
	do := func(b *debianBench, tasks ...rollout.Task) []rollout.Report {
		b.desk.tasks["ada"], b.desk.reports = tasks, nil
		require.NoError(t, b.agent(t).turn(t.Context()))
		var all []rollout.Report
		for _, n := range b.desk.reports {
			all = append(all, n.Report)
		}
		return all
	}
	b := onDebian(t, first)
	late := task(rollout.OpInstall, 1)
	late.StartBy = b.now
	forged := task(rollout.OpInstall, 2)
	forged.Content.Patches[0].Packages[0].Artefacts = []patch.Artefact{{Digest: patch.Digest("sha256:" + strings.Repeat("ab", 32))}}
	refused := do(b, late, forged)
	require.Equal(t, []patch.Fault{patch.Busy, patch.Untrusted}, []patch.Fault{refused[0].Fault, refused[1].Fault}, "%+v", refused)
	require.Equal(t, "1.0 installed", b.has(t))

	done := do(b, task(rollout.OpInstall, 3), task(rollout.OpVerify, 4))
	require.Equal(t, []rollout.Phase{rollout.PhaseSucceeded, rollout.PhaseSucceeded}, []rollout.Phase{done[0].Phase, done[1].Phase}, "%+v", done)
	require.Equal(t, "1.1 installed", b.has(t))
	undone := do(b, task(rollout.OpRollback, 5))
	require.Equal(t, rollout.PhaseSucceeded, undone[0].Phase, "%+v", undone)
	require.Equal(t, "1.0 installed", b.has(t))
}

// Wherever the agent dies around the work of apt, dpkg upgrades once, and what is told in the end is what is true.
func TestAnAgentWithAptThatDiesAnywhere(t *testing.T) {
	first := newArchive(t)
	crashes := 0
	for after := 0; ; after++ {
		b := onDebian(t, first)
		x := rollout.Task{ID: task1, Tenant: "acme", Device: "ada", Op: rollout.OpInstall, Content: rollout.Content{Patches: []rollout.Pinned{
			{ID: "debian:tool=1.1", Packages: []patch.Package{{Ecosystem: "Debian:12", Name: "tool", Fixed: deb("1.1")}}}}}}
		b.desk.tasks["ada"] = []rollout.Task{x}
		left := after
		step := func() {
			if left--; left == -1 {
				panic(death{})
			}
		}
		b.trip.before = func(*http.Request) error { step(); return nil }
		b.trip.after = b.trip.before
		a := b.agent(t)
		a.device = dyingFleet{b.apt, step}
		died := deadly(func() { require.NoError(t, a.turn(t.Context())) })
		left = -2
		b.open(t)
		require.NoError(t, b.agent(t).turn(t.Context()))
		last := b.desk.reports[len(b.desk.reports)-1]
		for _, r := range b.desk.reports {
			require.Equal(t, last, r, "it has told two things of one task")
		}
		if last.Report.Phase == rollout.PhaseSucceeded {
			require.Equal(t, "1.1 installed", b.has(t))
			require.Equal(t, 1, b.upgrades(t))
		} else {
			require.Equal(t, patch.Transient, last.Report.Fault)
			require.Equal(t, "1.0 installed", b.has(t))
			require.Zero(t, b.upgrades(t))
		}
		if !died {
			break
		}
		crashes++
	}
	require.Greater(t, crashes, 4)
}

func deb(text string) version.Version { return version.Version{Scheme: version.Deb, Text: text} }

// A dyingFleet may die before and after its work.
type dyingFleet struct {
	*apt.Fleet
	step func()
}

func (d dyingFleet) Deploy(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	d.step()
	r, err := d.Fleet.Deploy(ctx, t)
	d.step()
	return r, err
}
