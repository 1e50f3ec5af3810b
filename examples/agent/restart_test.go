//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/manager/apt"
	"github.com/patchflow/patchflow/providers/source/debian"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

const reboot5 = rollout.TaskID("acme:q1/all/ada/reboot/5")

// A restart is commanded once, whatever becomes of the agent, and has happened when the device is in another boot.
func TestARestart(t *testing.T) {
	const failing = `echo "not now" >&2; exit 3`
	for name, row := range map[string]struct {
		command []string // after it was written down that it runs
		boot    string   // in which the agent is at first, and when it has come back
		back    string
		known   string // by the task
		later   time.Duration
		runs    int
		want    rollout.Report // the zero one: the agent says nothing yet
	}{
		"the device comes back": {command: []string{"true"}, boot: "b1", back: "b2", known: "b1", runs: 1,
			want: rollout.Report{Phase: rollout.PhaseSucceeded, BootID: "b2"}},
		"the command is killed by it": {command: []string{"sh", "-c", "kill -9 $$"}, boot: "b1", back: "b2", runs: 1,
			want: rollout.Report{Phase: rollout.PhaseSucceeded, BootID: "b2"}},
		"the agent comes back and the device has not gone": {command: []string{"true"}, boot: "b1", back: "b1", runs: 1},
		"the device does not restart": {command: []string{"true"}, boot: "b1", back: "b1", later: patience, runs: 1,
			want: rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Transient, BootID: "b1", Message: "it was told to restart, and has not done so"}},
		"it was restarted before": {command: []string{"true"}, boot: "b2", back: "b2", known: "b1",
			want: rollout.Report{Phase: rollout.PhaseSucceeded, BootID: "b2", Message: "it was restarted before"}},
		"the command fails": {command: []string{"sh", "-c", failing}, boot: "b1", back: "b1", runs: 1,
			want: rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Transient, BootID: "b1", Message: "reboot: sh: exit code 3: not now"}},
		"there is no command": {boot: "b1", back: "b1",
			want: rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Permanent, BootID: "b1", Message: "no command is configured"}},
		"the device does not tell its boot": {command: []string{"true"},
			want: rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Permanent, Message: "does not tell its boot"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			runs := filepath.Join(b.dir, "runs")
			agent := func(boot string) *agent {
				a := b.agent(t)
				a.boot = boot
				if row.command != nil {
					a.restart = append([]string{"sh", "-c", `echo run >>"$0"; exec "$@"`, runs}, row.command...)
				}
				return a
			}
			x := b.offer(t, program("1.1"))
			restart := rollout.Task{ID: reboot5, Op: rollout.OpReboot, BootID: row.known}
			b.desk.tasks["ada"] = []rollout.Task{restart, x}
			first := agent(row.boot)
			for range 3 { // it is not told of its end
				require.NoError(t, first.turn(t.Context()))
			}
			begun := first.memory.busy()
			if begun {
				require.Zero(t, b.installations(t), "nothing is begun on a device that goes down")
				require.Empty(t, b.desk.reports)
			}
			b.now = b.now.Add(row.later)
			for range 2 {
				require.NoError(t, agent(row.back).turn(t.Context()))
			}
			text, _ := os.ReadFile(runs)
			require.Equal(t, row.runs, bytes.Count(text, []byte("run\n")))
			if row.want.Phase == rollout.PhaseUnknown {
				require.True(t, begun)
				require.Empty(t, b.desk.reports)
				return
			}
			got := b.desk.reports[0]
			require.Equal(t, reboot5, got.Task)
			require.Contains(t, got.Report.Message, row.want.Message)
			got.Report.Message = row.want.Message
			require.Equal(t, row.want, got.Report)
			require.Equal(t, 1, b.installations(t), "it goes on")
		})
	}
}

// FinishBy of the task is how long a restart is waited for.
func TestARestartIsWaitedForAsLongAsTheTaskSays(t *testing.T) {
	b := newBench(t)
	b.desk.tasks["ada"] = []rollout.Task{{ID: reboot5, Op: rollout.OpReboot, FinishBy: b.now.Add(time.Minute)}}
	a := b.agent(t)
	a.restart = []string{"true"}
	for range 2 {
		require.NoError(t, a.turn(t.Context()))
		require.Empty(t, b.desk.reports)
		b.now = b.now.Add(30 * time.Second)
	}
	require.NoError(t, a.turn(t.Context()))
	require.Equal(t, patch.Transient, b.desk.reports[0].Report.Fault)
}

// A stoppedDevice is at work when its agent is stopped.
type stoppedDevice struct {
	*programs
	stop func()
}

func (d stoppedDevice) Deploy(ctx context.Context, _ rollout.Task) (rollout.Report, error) {
	d.stop()
	return rollout.Report{}, ctx.Err()
}

// An agent that is stopped while its device works has not failed at it: it is the next one that says how it ended.
func TestAnAgentThatIsStoppedAtWork(t *testing.T) {
	b := newBench(t)
	b.offer(t, program("1.1"))
	ctx, stop := context.WithCancel(t.Context())
	a := b.agent(t)
	a.device = stoppedDevice{a.device.(*programs), stop}
	require.ErrorIs(t, a.turn(ctx), context.Canceled)
	require.Empty(t, b.desk.reports)
	require.NoError(t, b.agent(t).turn(t.Context()))
	require.NotEmpty(t, b.desk.reports)
	for _, r := range b.desk.reports {
		require.Equal(t, rollout.PhaseFailed, r.Report.Phase)
		require.NotContains(t, r.Report.Message, context.Canceled.Error())
	}
	require.Zero(t, b.installations(t))
}

// A slow device says that it is still at it.
type slowDevice struct {
	*programs
	ended bool
	asked int
}

func (d *slowDevice) Deploy(context.Context, rollout.Task) (rollout.Report, error) {
	return rollout.Report{Phase: rollout.PhaseRunning}, nil
}

func (d *slowDevice) Status(context.Context, rollout.Task) (rollout.Report, error) {
	d.asked++
	if !d.ended {
		return rollout.Report{Phase: rollout.PhaseRunning}, nil
	}
	return rollout.Report{Phase: rollout.PhaseSucceeded}, nil
}

// What a device is still at is waited for, and nothing else begun meanwhile.
func TestAnAgentWaitsForWhatIsUnderWay(t *testing.T) {
	b := newBench(t)
	x := b.offer(t, program("1.1"))
	y := x
	y.ID = "acme:q1/all/ada/install/2"
	b.desk.tasks["ada"] = []rollout.Task{x, y}
	a := b.agent(t)
	d := &slowDevice{programs: a.device.(*programs)}
	a.device = d
	for range 3 {
		require.NoError(t, a.turn(t.Context()))
	}
	require.Equal(t, 2, d.asked)
	require.Empty(t, b.desk.reports)
	require.Len(t, a.memory.tasks, 1)
	d.ended = true
	require.NoError(t, a.turn(t.Context()))
	require.Equal(t, []news{{x.ID, rollout.Report{Phase: rollout.PhaseSucceeded}}}, b.desk.reports[:1])
	require.Len(t, a.memory.tasks, 2)
}

// An agent in a process of its own, installed with a file, patches a Debian system in a folder: it probes it, installs, restarts it, which kills the
// agent and gives the system another boot, comes back, and tells what has become of it.
func TestAnAgentOutlivesTheRestartOfItsDevice(t *testing.T) {
	root := newArchive(t)
	conf := filepath.Join(root.Dir, "etc/apt/apt.conf.d/user")
	require.NoError(t, os.WriteFile(conf, []byte(`DPkg::Options {"--force-not-root"; "--force-bad-path"; "--force-unsafe-io";};`), 0o644))
	source, err := apt.Root{Dir: root.Dir}.Indices(t.Context())
	require.NoError(t, err)
	offered, err := debian.New(debian.Config{Codename: "stable", Version: "12", Indices: source})
	require.NoError(t, err)
	bench := &debianBench{root: root, bench: newBench(t)}
	bench.open(t)

	var out bytes.Buffer
	printed := &lines{w: &out}
	d, err := newDemo(t.TempDir(), net.IPv4(127, 0, 0, 1), printed, runner.Config{Patches: []patch.Source{offered}, Devices: bench,
		Deployer: providers.Pulled{}, Journal: new(memjournal.Journal), Observe: printed.observe})
	require.NoError(t, err)
	defer d.server.Close()
	boot := filepath.Join(root.Dir, "proc/sys/kernel/random/boot_id")
	// It goes down with all that runs: the parent of the command is the agent.
	script := fmt.Sprintf(`echo boot-2 >%q; rm -f %q; echo restart >>%q; kill -9 $PPID`, boot, filepath.Join(root.Dir, "run/reboot-required"), filepath.Join(d.dir, "restarts"))
	require.NoError(t, d.enrol("ada", filepath.Join(d.dir, "ada"), config{Manager: "apt", Root: root.Dir, Boot: boot, Restart: []string{"sh", "-c", script}}))
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { _ = d.runner.Run(ctx) })
	require.NoError(t, d.start(ctx, &wg, "ada"))

	key := rollout.Key{Tenant: tenant, ID: "q1"}
	p, err := d.runner.Plan(ctx, runner.PlanRequest{Key: key, By: "olga", Policy: policy.Policy{Name: "all",
		Rules:  []policy.Rule{{Name: "security", Match: policy.Match{Classifications: []patch.Classification{patch.ClassSecurity}}, Verdict: policy.Approve}},
		Rings:  []policy.Ring{{Name: "all", Rest: true}},
		Reboot: policy.Reboot{Mode: policy.RebootAlways},
		Health: policy.Health{Probes: policy.Probes{List: []policy.Probe{{Name: "tool", Check: policy.ProbeVersion, Of: "tool", Version: "1.0"}}}}}})
	require.NoError(t, err)
	require.NoError(t, d.runner.Start(ctx, p.Plan))
	s, err := d.runner.Wait(ctx, key)
	require.NoError(t, err)
	stop()
	wg.Wait()
	require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 1}, s.Rings[0].Outcomes, "%s", out.String())
	require.Equal(t, "1.1 installed", bench.has(t))
	require.Equal(t, 1, bench.upgrades(t))
	restarts, err := os.ReadFile(filepath.Join(d.dir, "restarts"))
	require.NoError(t, err)
	require.Equal(t, "restart\n", string(restarts))
	require.Contains(t, out.String(), "signal: killed; it is started again")

	m, err := openMemory(filepath.Join(d.dir, "ada", "state.json"))
	require.NoError(t, err)
	var did []string
	for _, e := range m.tasks {
		require.Equal(t, rollout.PhaseSucceeded, e.Report.Phase, "%s: %s", e.Task.ID, e.Report.Message)
		did = append(did, fmt.Sprint(e.Task.Op, " ", e.Boot, " ", e.Report.BootID))
		for _, x := range e.Report.Probes {
			require.Equal(t, patch.Yes, x.Up, "%s", x.Message)
		}
	}
	require.Equal(t, "precheck boot-1 boot-1, install boot-1 boot-1, reboot boot-1 boot-2, verify boot-2 boot-2, probe boot-2 boot-2", strings.Join(did, ", "))
}
