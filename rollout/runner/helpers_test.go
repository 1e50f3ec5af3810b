package runner_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

var (
	_ rollout.Journal = (*memjournal.Journal)(nil)
	_ rollout.Trimmer = (*tampered)(nil)
)

func deb(text string) version.Version { return version.Version{Scheme: version.Deb, Text: text} }

// fix is the patch that brings a package to version 2.
func fix(name string) patch.Patch {
	return patch.Patch{ID: patch.ID("debian:" + name + "=2"), Title: name + " 2", Classification: patch.ClassSecurity,
		Severity: patch.SeverityCritical, Reversal: patch.ReversalReinstall,
		Packages: []patch.Package{{Ecosystem: "Debian:12", Name: name, Fixed: deb("2")}}}
}

// unpatched is a device that has these packages, or openssl, in version 1.
func unpatched(t inventory.Tenant, d inventory.DeviceID, names ...string) inventory.Device {
	if len(names) == 0 {
		names = []string{"openssl"}
	}
	x := inventory.Device{Tenant: t, ID: d}
	for _, n := range names {
		x.Software = append(x.Software, inventory.Software{Manager: "dpkg", Ecosystem: "Debian:12", Name: n, Version: deb("1")})
	}
	return x
}

func dev(i int) inventory.DeviceID { return inventory.DeviceID(fmt.Sprintf("dev-%03d", i)) }

// fleet makes n devices of tenant acme that miss the fixes of these packages, or of openssl: dev-000, dev-001 ... With a nil
// clock they go by package time.
func fleet(clock *runner.VirtualClock, n int, names ...string) *memory.Fleet {
	f := new(memory.Fleet)
	if clock != nil {
		f.Now = clock.Now
	}
	f.AddPatch(fix("openssl"), fix("curl"), fix("bash"))
	for i := range n {
		f.AddDevice(unpatched("acme", dev(i), names...))
	}
	return f
}

func behave(b memory.Behaviour) func(inventory.DeviceID, rollout.Task) memory.Behaviour {
	return func(inventory.DeviceID, rollout.Task) memory.Behaviour { return b }
}

// approves is a policy that installs security patches in these rings.
func approves(rings ...policy.Ring) policy.Policy {
	return policy.Policy{
		Name:  "security",
		Rules: []policy.Rule{{Name: "security", Match: policy.Match{Classifications: []patch.Classification{patch.ClassSecurity}}, Verdict: policy.Approve}},
		Rings: rings,
	}
}

func rings() policy.Policy {
	p := approves(
		policy.Ring{Name: "test", Share: 500, Gate: policy.Gate{Soak: policy.Duration(24 * time.Hour)}},
		policy.Ring{Name: "broad", Rest: true, MaxActive: 20, Gate: policy.Gate{MaxFailed: 500}},
	)
	p.Rollback = policy.Rollback{On: policy.FailRollsBackRing}
	return p
}

// all is a policy with one ring that holds every device and tolerates every failure.
func all() policy.Policy {
	return approves(policy.Ring{Name: "all", Rest: true, Gate: policy.Gate{MaxFailed: 9999, MinSuccess: 1}})
}

// only returns p for the fix of one package.
func only(pkg string, p policy.Policy) policy.Policy {
	p.Rules = []policy.Rule{{Name: pkg, Match: policy.Match{IDs: []patch.ID{fix(pkg).ID}}, Verdict: policy.Approve}}
	return p
}

func key(id rollout.ID) rollout.Key { return rollout.Key{Tenant: "acme", ID: id} }

// config joins a fleet and a journal. Without a clock it goes by package time.
func config(f *memory.Fleet, j rollout.Journal) runner.Config {
	return runner.Config{Patches: []patch.Source{f}, Devices: f, Deployer: f, Journal: j}
}

func newRunner(t *testing.T, cfg runner.Config) *runner.Runner {
	t.Helper()
	r, err := runner.New(cfg)
	require.NoError(t, err)
	return r
}

// run runs r until stop, which returns what Run did, or until the test ends.
func run(t *testing.T, r *runner.Runner) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { require.ErrorIs(t, stop(), context.Canceled) })
	return stop
}

func start(t *testing.T, cfg runner.Config) *runner.Runner {
	t.Helper()
	r := newRunner(t, cfg)
	run(t, r)
	return r
}

func planned(t *testing.T, r *runner.Runner, k rollout.Key, p policy.Policy) rollout.Plan {
	t.Helper()
	proposal, err := r.Plan(t.Context(), runner.PlanRequest{Key: k, Policy: p, By: "olga"})
	require.NoError(t, err)
	return proposal.Plan
}

// begin plans and starts a rollout.
func begin(t *testing.T, r *runner.Runner, k rollout.Key, p policy.Policy) rollout.Plan {
	t.Helper()
	plan := planned(t, r, k, p)
	require.NoError(t, r.Start(t.Context(), plan))
	return plan
}

// ends waits for the end of a rollout.
func ends(t *testing.T, r *runner.Runner, k rollout.Key) rollout.Status {
	t.Helper()
	s, err := r.Wait(t.Context(), k)
	require.NoError(t, err)
	return s
}

// pass lets time go by in a bubble.
func pass(d time.Duration) { <-time.After(d) }

// outcomes are the outcomes of all rings together.
func outcomes(s rollout.Status) map[rollout.Outcome]int {
	sum := make(map[rollout.Outcome]int)
	for _, r := range s.Rings {
		for o, n := range r.Outcomes {
			sum[o] += n
		}
	}
	return sum
}

// begun returns the tasks that have begun on the devices, and fails if one of them has begun twice.
func begun(t *testing.T, f *memory.Fleet) map[rollout.TaskID]bool {
	t.Helper()
	tasks := make(map[rollout.TaskID]bool)
	for _, e := range f.Log() {
		if e.Phase == rollout.PhaseRunning {
			require.False(t, tasks[e.Task], "task %s has begun twice", e.Task)
			tasks[e.Task] = true
		}
	}
	return tasks
}

// history returns the batches of a rollout, as the journal has them.
func history(t *testing.T, j rollout.Journal, k rollout.Key) (*rollout.Machine, []rollout.Batch) {
	t.Helper()
	rec, err := j.Load(t.Context(), k)
	require.NoError(t, err)
	p, err := rollout.DecodePlan(rec.Plan)
	require.NoError(t, err)
	m, did, err := rollout.Replay(p, rec.Entries)
	require.NoError(t, err)
	require.NoError(t, did.Torn)
	var batches []rollout.Batch
	for e, err := range rec.Entries {
		require.NoError(t, err)
		b, err := rollout.DecodeBatch(e)
		require.NoError(t, err)
		batches = append(batches, b)
	}
	return m, batches
}

// events returns the events of one kind, with the times of their batches.
func events[E rollout.Event](batches []rollout.Batch) (all []E, at []time.Time) {
	for _, b := range batches {
		for _, e := range b.Events {
			if e, ok := e.(E); ok {
				all, at = append(all, e), append(at, b.At)
			}
		}
	}
	return all, at
}

// A tampered journal does something else at its n-th append, counted from 1.
type tampered struct {
	*memjournal.Journal
	n       int64
	instead func(append func() error) error
	appends atomic.Int64
}

func (j *tampered) Append(ctx context.Context, h rollout.Head, entries [][]byte) error {
	now := func() error { return j.Journal.Append(ctx, h, entries) }
	if j.appends.Add(1) == j.n && j.instead != nil {
		return j.instead(now)
	}
	return now()
}

var errDisk = errors.New("the disk is gone")

// deployer is a deployer made of functions. Those that are nil leave it to the fleet.
type deployer struct {
	*memory.Fleet
	deploy func(ctx context.Context, t rollout.Task) (rollout.Report, error)
	status func(ctx context.Context, t rollout.Task) (rollout.Report, error)
}

func (d *deployer) Deploy(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	if d.deploy != nil {
		return d.deploy(ctx, t)
	}
	return d.Fleet.Deploy(ctx, t)
}

func (d *deployer) Status(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	if d.status != nil {
		return d.status(ctx, t)
	}
	return d.Fleet.Status(ctx, t)
}

func yes(by string, q policy.Request) policy.Decision {
	return policy.Decision{Ruling: policy.Approved, By: by, Digest: q.Digest}
}

// watcher is an Observe hook that remembers.
type watcher struct {
	mu   sync.Mutex
	seen []runner.Transition
}

func (w *watcher) observe(_ context.Context, t runner.Transition) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, t)
}

// degraded returns the errors that the rollout was degraded by.
func (w *watcher) degraded(k rollout.Key) (errs []error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.seen {
		if t.Key == k && t.Degraded != nil {
			errs = append(errs, t.Degraded)
		}
	}
	return errs
}

func newClock() *runner.VirtualClock {
	return runner.NewVirtualClock(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
}
