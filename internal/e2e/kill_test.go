package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/sqlite"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

const (
	dirEnv  = "PATCHFLOW_E2E_DIR" // tells TestChild where to work
	devices = 60
)

func key() rollout.Key { return rollout.Key{Tenant: "acme", ID: "q1"} }

func threeRings() policy.Policy {
	brief := policy.Duration(30 * time.Millisecond)
	return policy.Policy{
		Name:  "security",
		Rules: []policy.Rule{{Name: "security", Match: policy.Match{Classifications: []patch.Classification{patch.ClassSecurity}}, Verdict: policy.Approve}},
		Rings: []policy.Ring{
			{Name: "test", Share: 1000, Gate: policy.Gate{Soak: brief}},
			{Name: "pilot", Share: 2500, Approval: true, Gate: policy.Gate{Soak: brief}},
			{Name: "broad", Rest: true, Approval: true, MaxActive: 5},
		},
		Retry:  policy.Retry{Backoff: brief},
		Reboot: policy.Reboot{Mode: policy.RebootIfRequired},
	}
}

// TestChild is the process that is killed. It drives the rollout in the folder to its end, and begins it if there is none.
// It prints a line for everything that happens.
func TestChild(t *testing.T) {
	dir, ok := os.LookupEnv(dirEnv)
	if !ok {
		t.Skip("runs as a child of the other test")
	}
	var mu sync.Mutex
	say := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println("~ " + what)
	}
	say("process")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	j, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(dir, "journal.db")})
	require.NoError(t, err)
	f := &folders{dir: filepath.Join(dir, "devices"), event: say}
	var asked atomic.Int64
	r, err := runner.New(runner.Config{
		Patches: []patch.Source{f}, Devices: f, Deployer: f, Journal: j, Poll: 4 * time.Millisecond,
		Approver: policy.ApproverFunc(func(_ context.Context, q policy.Request) (policy.Decision, error) {
			say("asked")
			if asked.Add(1)%2 == 1 {
				return policy.Decision{}, nil
			}
			return policy.Decision{Ruling: policy.Approved, By: "hans", Digest: q.Digest}, nil
		}),
		Observe: func(_ context.Context, x runner.Transition) {
			if x.Degraded != nil {
				t.Errorf("degraded: %v", x.Degraded)
			}
			for _, e := range x.Batch.Events {
				say(strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", e), "rollout.")))
			}
		},
	})
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	if _, _, err := r.Status(ctx, key()); errors.Is(err, rollout.ErrNotFound) {
		p, err := r.Plan(ctx, runner.PlanRequest{Key: key(), Policy: threeRings(), By: "olga"})
		require.NoError(t, err)
		say("planned")
		require.NoError(t, r.Start(ctx, p.Plan))
	} else {
		require.NoError(t, err)
	}
	s, err := r.Wait(ctx, key())
	require.NoError(t, err)
	require.Equal(t, rollout.StageDone, s.Stage)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.NoError(t, j.Close())
	say("finished")
}

// progress says whether a line tells of something that no process before has done.
func progress(what string) bool { return what != "process" && what != "adopted" }

// A life is what became of one process.
type life struct {
	lines    int    // of progress
	last     string // what it said last before it was killed
	finished bool
}

// live starts the child in dir, and kills it so many lines of progress and so many turns of a loop later. It lets it live
// if lines is 0.
func live(t *testing.T, dir string, lines, turns int) (l life) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestChild$", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), dirEnv+"="+dir)
	var stdout, stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	killed := false
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		what, ours := strings.CutPrefix(scanner.Text(), "~ ")
		switch {
		case !ours:
			fmt.Fprintln(&stdout, scanner.Text())
			continue
		case what == "finished":
			l.finished = true
		}
		if progress(what) {
			l.lines++
		}
		l.last = what // that which is in the pipe was said before the kill
		if l.lines == lines && lines > 0 && !killed {
			killed = true
			for range turns {
				spin(&turns)
			}
			require.NoError(t, cmd.Process.Kill())
		}
	}
	err = cmd.Wait()
	if !killed {
		require.NoError(t, err, "%s%s", stdout.String(), stderr.String())
	}
	require.NotContains(t, stdout.String()+stderr.String(), "FAIL")
	return l
}

// spin is a turn of a loop that takes a few nanoseconds and is not left out.
//
//go:noinline
func spin(*int) {}

// A process that is killed at any moment, again and again, leaves a rollout that the next one brings to its end: every
// device as wanted, every task begun once, and a journal that says what the devices say.
func TestKill(t *testing.T) {
	const perRound = 50
	kills := 200
	if testing.Short() {
		kills = 10
	}
	began := time.Now()
	undisturbed := folder(t)
	whole := live(t, undisturbed, 0, 0)
	require.True(t, whole.finished)
	want := compare(t, undisturbed)
	t.Logf("undisturbed: %d lines of progress in %s", whole.lines, time.Since(began).Round(time.Millisecond))
	stages := make(map[string]int)
	killed := 0
	for round := 0; killed < kills && !t.Failed(); round++ {
		t.Run(fmt.Sprintf("round %d", round), func(t *testing.T) {
			dir := folder(t)
			moments := rand.New(rand.NewPCG(1, uint64(round)))
			first, due := killed, min(perRound, kills-killed)
			var l life
			for done := 0; killed-first < due && !l.finished; done += l.lines {
				// What is left is divided among the kills that are left, with some to spare at the end: a process does more
				// than what it was given, until it dies.
				step := max((whole.lines-done)/(due-(killed-first)+8), 1)
				lines := 1 + moments.IntN(2*step)
				if done == 0 {
					lines = 1
				}
				if l = live(t, dir, lines, moments.IntN(300_000)); !l.finished {
					killed++
					stages[stage(t, dir)+", after "+l.last]++
					ahead(t, dir)
				}
			}
			if !l.finished {
				l = live(t, dir, 0, 0)
			}
			require.True(t, l.finished)
			require.Greater(t, killed-first, due/2, "the moments are not spread over the whole run")
			require.Equal(t, want, compare(t, dir))
		})
	}
	for _, s := range slices.Sorted(maps.Keys(stages)) {
		t.Logf("%2d × %s", stages[s], s)
	}
	t.Logf("%d kills in %s", killed, time.Since(began).Round(time.Millisecond))
}

func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, makeFolders(filepath.Join(dir, "devices"), devices))
	return dir
}

// replay makes the machine of the rollout in dir, if there is one.
func replay(t *testing.T, dir string) (*rollout.Machine, []rollout.Batch) {
	t.Helper()
	j, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(dir, "journal.db")})
	require.NoError(t, err)
	defer func() { require.NoError(t, j.Close()) }()
	rec, err := j.Load(t.Context(), key())
	if errors.Is(err, rollout.ErrNotFound) {
		return nil, nil
	}
	require.NoError(t, err)
	p, err := rollout.DecodePlan(rec.Plan)
	require.NoError(t, err)
	m, did, err := rollout.Replay(p, rec.Entries)
	require.NoError(t, err)
	require.NoError(t, did.Torn)
	require.Equal(t, rec.Head.Entries, did.Entries)
	require.Equal(t, rec.Head.Stage, m.Stage())
	var batches []rollout.Batch
	for e, err := range rec.Entries {
		require.NoError(t, err)
		b, err := rollout.DecodeBatch(e)
		require.NoError(t, err)
		batches = append(batches, b)
	}
	return m, batches
}

// stage says how far the rollout in dir is.
func stage(t *testing.T, dir string) string {
	t.Helper()
	m, _ := replay(t, dir)
	if m == nil {
		return "before it was written down"
	}
	for _, r := range m.Status().Rings {
		if r.State != "passed" {
			return "ring " + r.Name + " " + r.State
		}
	}
	return m.Stage().String()
}

// ahead asserts that the devices have begun nothing that the journal does not know of.
func ahead(t *testing.T, dir string) {
	t.Helper()
	f := &folders{dir: filepath.Join(dir, "devices")}
	written := make(map[string]bool)
	m, batches := replay(t, dir)
	if m != nil {
		for _, lines := range tasks(m.Plan(), batches) {
			for _, line := range lines {
				written[line] = true
			}
		}
	}
	for i := range devices {
		log, err := f.history(deviceName(i))
		require.NoError(t, err)
		for _, line := range log {
			require.True(t, written[line] || !strings.HasPrefix(line, "begin "), "%s is not written down", line)
		}
	}
}

// An outcome is what became of a device, as the journal has it.
type outcome struct {
	outcome  rollout.Outcome
	attempts int
	tasks    []string // all but the looks, with their ends
}

// compare asserts that what the devices say of themselves is as it was to be and is what the journal says, and returns that.
func compare(t *testing.T, dir string) map[inventory.DeviceID]outcome {
	t.Helper()
	m, batches := replay(t, dir)
	require.Equal(t, rollout.StageDone, m.Stage())
	f := &folders{dir: filepath.Join(dir, "devices")}
	all := make(map[inventory.DeviceID]outcome)
	for d, tasks := range tasks(m.Plan(), batches) {
		id := m.Plan().Devices[d]
		log, err := f.history(id)
		require.NoError(t, err)
		require.Equal(t, tasks, log, "%s: the journal, and the device itself", id)
		seen := make(map[string]bool)
		installs, restarts := 0, 0
		for _, line := range log {
			require.False(t, seen[line], "%s: twice: %s", id, line)
			seen[line] = true
			if strings.HasPrefix(line, "begin install ") {
				installs++
			}
			if strings.HasPrefix(line, "begin reboot ") {
				restarts++
			}
		}
		wanted := 1
		if failsFirst(id) {
			wanted = 2
		}
		require.Equal(t, wanted, installs, "%s: %v", id, log)
		wanted = 0
		if wantsRestart(id) {
			wanted = 1
		}
		require.Equal(t, wanted, restarts, "%s: %v", id, log)
		version, err := f.read(id, "version")
		require.NoError(t, err)
		require.Equal(t, newVersion, version, "%s", id)
		s := m.Device(d)
		require.Equal(t, rollout.Succeeded, s.Outcome, "%s", id)
		all[id] = outcome{s.Outcome, s.Attempts, tasks}
	}
	require.Len(t, all, devices)
	return all
}

// tasks returns for every device of the plan what the journal says that it has done, in the words of the devices.
func tasks(p *rollout.Plan, batches []rollout.Batch) [][]string {
	lines := make([][]string, len(p.Devices))
	ids := make([]rollout.TaskID, len(p.Devices))
	ops := make([]rollout.Op, len(p.Devices))
	seq := make([]uint32, len(p.Devices))
	for _, b := range batches {
		for _, e := range b.Events {
			switch e := e.(type) {
			case rollout.Issued:
				for _, d := range e.Devices {
					seq[d]++
					ops[d] = e.Op
					ids[d] = rollout.NewTaskID(p.Key, p.Rings[p.RingOf(int(d))].Name, p.Devices[d], e.Op, seq[d])
					if e.Op != rollout.OpVerify {
						lines[d] = append(lines[d], fmt.Sprintf("begin %s %s", e.Op, ids[d]))
					}
				}
			case rollout.Answered:
				for _, r := range e.Reports {
					if d := r.Device; r.Phase.Last() && ops[d] != rollout.OpVerify {
						end := "ok"
						if r.Phase != rollout.PhaseSucceeded {
							end = "failed"
						}
						lines[d] = append(lines[d], fmt.Sprintf("end %s %s %s", ops[d], ids[d], end))
					}
				}
			}
		}
	}
	return lines
}
