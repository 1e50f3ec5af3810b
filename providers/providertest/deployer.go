package providertest

import (
	"cmp"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// DeployerHarness tells [Deployer] how to get at a deployer, and at the device that it works on. New, Device and Content must
// be set. Look and Installs make the suite see what really happened; without them it has to believe reports, and skips
// what it cannot believe.
//
// Each function but New is given the deployer that New has returned for the same subtest. Subtests run one after the other.
type DeployerHarness struct {
	// New returns the deployer, with its device in a fresh state: reachable, at work on nothing, without Content.
	New func(t *testing.T) rollout.Deployer

	Rollout rollout.Key        // of all tasks; its tenant is the device's. The zero Key becomes that of a rollout "conformance"
	Device  inventory.DeviceID // on which Content can be installed
	Content rollout.Content    // what is installed there, verified and rolled back; no package in two of its patches

	// Stack is content of two patches or more, each of which replaces what the one before it has installed.
	Stack rollout.Content

	// Settle lets work that has begun come to its end. Without it the suite asks Status until it has, for at most
	// Timeout, which is a minute if it is zero.
	Settle  func(t *testing.T, d rollout.Deployer)
	Timeout time.Duration

	// Now tells the time by the clock that the deployer goes by; nil means [time.Now].
	Now func() time.Time

	// Look tells what is on the device now, without asking the deployer. Unchanged devices look equal.
	Look func(t *testing.T, d rollout.Deployer) inventory.Scan

	// Installs counts the installations that have begun on the device since New.
	Installs func(t *testing.T, d rollout.Deployer) int

	// Fail makes installations on the device fail from now on, and returns how: the fault to be reported.
	Fail func(t *testing.T, d rollout.Deployer) patch.Fault

	// Break makes what is installed from now on not work.
	Break func(t *testing.T, d rollout.Deployer)

	// Cut makes the device unreachable, until mend is called.
	Cut func(t *testing.T, d rollout.Deployer) (mend func())

	// Up are probes of what works on the device. Without them the suite only asks for what nobody knows.
	Up []policy.Probe

	// Serves says whether anything is sent to the device now.
	Serves func(t *testing.T, d rollout.Deployer) bool

	// Hold keeps tasks that are given to the device from now on from beginning, until the work is settled.
	Hold func(t *testing.T, d rollout.Deployer)
}

// Deployer checks a [rollout.Deployer] and those of its abilities that [rollout.Ability] finds for the harness's device.
func Deployer(t *testing.T, h DeployerHarness) {
	t.Helper()
	require.NotEmpty(t, h.Device, "the harness needs a device")
	require.NotEmpty(t, h.Content.Patches, "the harness needs content")
	if h.Rollout == (rollout.Key{}) {
		h.Rollout.ID = "conformance"
	}
	if h.Now == nil {
		h.Now = time.Now
	}
	if h.Timeout == 0 {
		h.Timeout = time.Minute
	}
	seq := new(atomic.Uint32)
	fixture := func(t *testing.T) *bench {
		b := &bench{DeployerHarness: h, d: h.New(t), seq: seq}
		probe := b.task(rollout.OpUnknown, h.Content)
		b.verifier, b.verifies = rollout.Ability[rollout.Verifier](b.d, probe)
		b.rollbacker, b.rollsBack = rollout.Ability[rollout.Rollbacker](b.d, probe)
		b.rebooter, b.reboots = rollout.Ability[rollout.Rebooter](b.d, probe)
		b.downloader, b.downloads = rollout.Ability[rollout.Downloader](b.d, probe)
		b.snapshotter, b.snapshots = rollout.Ability[rollout.Snapshotter](b.d, probe)
		b.remedier, b.remedies = rollout.Ability[rollout.Remedier](b.d, probe)
		b.drainer, b.drains = rollout.Ability[rollout.Drainer](b.d, probe)
		b.prober, b.probes = rollout.Ability[rollout.Prober](b.d, probe)
		b.canceller, b.cancels = rollout.Ability[rollout.Canceller](b.d, probe)
		return b
	}
	run(t, deployerPromises(), fixture, func(t *testing.T, group string) bool {
		b := fixture(t)
		switch group {
		case "Verify":
			return b.verifies
		case "Rollback":
			return b.rollsBack
		case "Reboot":
			return b.reboots
		case "Download":
			return b.downloads
		case "Snapshot":
			return b.snapshots
		case "Remedy":
			return b.remedies
		case "Drain", "Uncordon":
			return b.drains
		case "Probe":
			return b.probes
		case "Cancel":
			return b.cancels
		}
		return true
	})
}

// A bench is what one subtest works on.
type bench struct {
	DeployerHarness
	d   rollout.Deployer
	seq *atomic.Uint32 // task IDs are never used again, not even in another subtest

	verifier                              rollout.Verifier
	rollbacker                            rollout.Rollbacker
	rebooter                              rollout.Rebooter
	downloader                            rollout.Downloader
	snapshotter                           rollout.Snapshotter
	prober                                rollout.Prober
	remedier                              rollout.Remedier
	drainer                               rollout.Drainer
	canceller                             rollout.Canceller
	verifies, rollsBack, reboots, cancels bool
	downloads, snapshots, probes          bool
	remedies, drains                      bool
}

func (b *bench) task(op rollout.Op, c rollout.Content) rollout.Task {
	seq := b.seq.Add(1)
	return rollout.Task{
		ID:     rollout.NewTaskID(b.Rollout, "conformance", b.Device, op, seq),
		Handle: rollout.Handle{Seq: seq}, Rollout: b.Rollout, Ring: "conformance", Tenant: b.Rollout.Tenant, Device: b.Device, Op: op,
		Content: c, Attempt: 1, Issued: b.Now(),
	}
}

// begin gives a task of this kind to the device.
func (b *bench) begin(t *testing.T, task rollout.Task) rollout.Report {
	t.Helper()
	var r rollout.Report
	var err error
	switch task.Op {
	case rollout.OpInstall:
		r, err = b.d.Deploy(t.Context(), task)
	case rollout.OpVerify, rollout.OpLook:
		r, err = b.verifier.Verify(t.Context(), task)
	case rollout.OpRollback:
		r, err = b.rollbacker.Rollback(t.Context(), task)
	case rollout.OpReboot:
		r, err = b.rebooter.Reboot(t.Context(), task)
	case rollout.OpDownload:
		r, err = b.downloader.Download(t.Context(), task)
	case rollout.OpBackup:
		r, err = b.snapshotter.Snapshot(t.Context(), task)
	case rollout.OpRemedy:
		r, err = b.remedier.Remedy(t.Context(), task)
	case rollout.OpDrain:
		r, err = b.drainer.Drain(t.Context(), task)
	case rollout.OpUncordon:
		r, err = b.drainer.Uncordon(t.Context(), task)
	case rollout.OpPrecheck, rollout.OpProbe:
		r, err = b.prober.Probe(t.Context(), task)
	}
	require.NoError(t, err, "%s", task.Op)
	return r
}

// settle waits until task has ended.
func (b *bench) settle(t *testing.T, task rollout.Task) {
	t.Helper()
	if b.Settle != nil {
		b.Settle(t, b.d)
		return
	}
	var last rollout.Report
	var failure error
	ended := poll(t.Context(), b.Timeout, 20*time.Millisecond, func() bool {
		last, failure = b.d.Status(t.Context(), task)
		return failure == nil && last.Phase.Last()
	})
	require.True(t, ended, "task %s has not ended within %s: %+v, %v", task.ID, b.Timeout, last, failure)
}

// install deploys c and lets that end.
func (b *bench) install(t *testing.T, c rollout.Content) rollout.Task {
	t.Helper()
	task := b.task(rollout.OpInstall, c)
	b.begin(t, task)
	b.settle(t, task)
	return task
}

// end begins task, lets it end, and returns its last report.
func (b *bench) end(t *testing.T, task rollout.Task) rollout.Report {
	t.Helper()
	if first := b.begin(t, task); first.Phase.Last() {
		return first
	}
	b.settle(t, task)
	return b.status(t, task)
}

func (b *bench) status(t *testing.T, task rollout.Task) rollout.Report {
	t.Helper()
	r, err := b.d.Status(t.Context(), task)
	require.NoError(t, err, "status of %s", task.Op)
	return r
}

// look returns what is on the device, in an order of its own and without the times.
func (b *bench) look(t *testing.T) inventory.Scan {
	t.Helper()
	s := b.Look(t, b.d)
	s.At, s.Coverage = time.Time{}, nil
	s.Software, s.Missing = slices.Clone(s.Software), slices.Sorted(slices.Values(s.Missing))
	slices.SortFunc(s.Software, func(a, b inventory.Software) int {
		return cmp.Or(cmp.Compare(a.Manager, b.Manager), cmp.Compare(a.Ecosystem, b.Ecosystem), cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.Arch, b.Arch), cmp.Compare(a.Version.Text, b.Version.Text))
	})
	return s
}

// unchanged checks that the device holds what it held before, and that nothing was begun.
func (b *bench) unchanged(t *testing.T, before *inventory.Scan, why string) {
	t.Helper()
	if b.Installs != nil {
		require.Zero(t, b.Installs(t, b.d), "installations: %s", why)
	}
	if before != nil {
		after := b.look(t)
		require.Equal(t, before.Software, after.Software, why)
		require.Equal(t, before.Missing, after.Missing, why)
	}
}

// before looks at the device, if the harness can.
func (b *bench) before(t *testing.T) *inventory.Scan {
	t.Helper()
	if b.Look == nil {
		return nil
	}
	s := b.look(t)
	return &s
}

// pinned checks that the device holds c exactly as pinned, as far as it has the packages.
func (b *bench) pinned(t *testing.T, c rollout.Content) {
	t.Helper()
	now := b.look(t)
	found := 0
	for _, p := range c.Patches {
		require.NotContains(t, now.Missing, p.ID)
		for _, k := range p.Packages {
			for _, s := range now.Software {
				if s.Ecosystem == k.Ecosystem && s.Name == k.Name {
					found++
					require.Equal(t, k.Fixed.Text, s.Version.Text, "version of %s", k.Name)
				}
			}
		}
		if len(p.Packages) == 0 {
			found++
		}
	}
	require.Positive(t, found, "the device has no package of the content: the harness must provide one")
}

func deployerPromises() []promise[*bench] {
	return slices.Concat(deployPromises(), statusPromises(), verifyPromises(), rollbackPromises(), rebootPromises(), downloadPromises(),
		backupPromises(), remedyPromises(), drainPromises(), probePromises(), cancelPromises())
}

func deployPromises() []promise[*bench] {
	const once = "The same task ID never begins twice: a second call returns how the task stands."
	const pinned = "The content is installed exactly as pinned, or not at all: never another version."
	const failure = "The error of a call that begins something means that it could not be begun, and is classified by [patch.FaultOf]."
	// refused returns the error of deploying to a device that cannot be reached. There are deployers that take the task anyway.
	refused := func(t *testing.T, b *bench) (mend func(), err error) {
		need(t, b.Cut != nil, "Cut")
		mend = b.Cut(t, b.d)
		r, err := b.d.Deploy(t.Context(), b.task(rollout.OpInstall, b.Content))
		if err == nil && !r.Phase.Last() {
			mend()
			t.Skip("the deployer takes tasks for devices that cannot be reached")
		}
		return mend, err
	}
	return []promise[*bench]{
		{"Deploy", "the first report says where the task stands", "Deploy begins t, whose Op is [OpInstall], and returns its first report, which may be its last.",
			func(t *testing.T, b *bench) {
				r := b.begin(t, b.task(rollout.OpInstall, b.Content))
				require.Contains(t, []rollout.Phase{rollout.PhaseQueued, rollout.PhaseRunning, rollout.PhaseSucceeded}, r.Phase)
			}},
		{"Deploy", "the content is installed exactly as pinned", pinned, func(t *testing.T, b *bench) {
			need(t, b.Look != nil, "Look")
			b.install(t, b.Content)
			b.pinned(t, b.Content)
		}},
		{"Deploy", "an installation that fails has installed nothing", pinned, func(t *testing.T, b *bench) {
			need(t, b.Fail != nil, "Fail")
			need(t, b.Look != nil, "Look")
			before := b.look(t)
			b.Fail(t, b.d)
			b.install(t, b.Content)
			after := b.look(t)
			require.Equal(t, before.Software, after.Software)
			require.Equal(t, before.Missing, after.Missing)
		}},
		{"Deploy", "a failure is reported with its class", "A [Report] with [PhaseFailed] is the device's own word.", func(t *testing.T, b *bench) {
			need(t, b.Fail != nil, "Fail")
			fault := b.Fail(t, b.d)
			r := b.end(t, b.task(rollout.OpInstall, b.Content))
			require.Equal(t, rollout.PhaseFailed, r.Phase)
			require.Equal(t, fault, r.Fault)
		}},
		{"Deploy", "the same task begins once", once, func(t *testing.T, b *bench) {
			need(t, b.Installs != nil, "Installs")
			task := b.task(rollout.OpInstall, b.Content)
			b.begin(t, task)
			b.begin(t, task)
			b.settle(t, task)
			b.begin(t, task)
			b.settle(t, task)
			require.Equal(t, 1, b.Installs(t, b.d), "installations after three calls with one task ID")
		}},
		{"Deploy", "a second call returns how the task stands", once, func(t *testing.T, b *bench) {
			task := b.install(t, b.Content)
			require.Equal(t, rollout.PhaseSucceeded, b.begin(t, task).Phase, "phase of a task that has ended well")
		}},
		{"Deploy", "the same task given several times at once begins once", "It is safe for concurrent use.", func(t *testing.T, b *bench) {
			need(t, b.Installs != nil, "Installs")
			task := b.task(rollout.OpInstall, b.Content)
			errs := make([]error, 4)
			atOnce(len(errs), func(i int) { _, errs[i] = b.d.Deploy(t.Context(), task) })
			for _, err := range errs {
				require.NoError(t, err)
			}
			b.settle(t, task)
			require.Equal(t, 1, b.Installs(t, b.d), "installations after four calls at once with one task ID")
		}},
		{"Deploy", "a task whose StartBy is past fails as busy and is not begun", "A task whose StartBy is past is not begun any more; it fails as [patch.Busy].",
			func(t *testing.T, b *bench) {
				before := b.before(t)
				task := b.task(rollout.OpInstall, b.Content)
				task.StartBy = b.Now().Add(-time.Hour)
				task.Issued = task.StartBy.Add(-time.Hour)
				r, err := b.d.Deploy(t.Context(), task)
				if err == nil && !r.Phase.Last() {
					b.settle(t, task)
					r = b.status(t, task)
				}
				if err != nil {
					r = rollout.Failure(err)
				}
				require.Equal(t, rollout.PhaseFailed, r.Phase)
				require.Equal(t, patch.Busy, r.Fault)
				b.unchanged(t, before, "the task came too late")
			}},
		{"Deploy", "an error means that nothing was begun", failure, func(t *testing.T, b *bench) {
			before := b.before(t)
			mend, err := refused(t, b)
			mend()
			if err == nil {
				t.Skip("there was no error")
			}
			if b.Settle != nil {
				b.Settle(t, b.d)
			}
			b.unchanged(t, before, "Deploy has failed: "+err.Error())
		}},
		{"Deploy", "the error says that the device cannot be reached", failure, func(t *testing.T, b *bench) {
			_, err := refused(t, b)
			require.Error(t, err)
			require.Equal(t, patch.Unreachable, patch.FaultOf(err), "the class of %q", err)
		}},
	}
}

func statusPromises() []promise[*bench] {
	const unknown = `An error, and [PhaseUnknown], mean "not known" and never count against the device.`
	return []promise[*bench]{
		{"Status", "a task that nobody has begun is not known", unknown, func(t *testing.T, b *bench) {
			r, err := b.d.Status(t.Context(), b.task(rollout.OpInstall, b.Content))
			require.True(t, err != nil || r.Phase == rollout.PhaseUnknown, "%+v", r)
		}},
		{"Status", "the end of a task is told", "Status tells how a task stands that any call has begun.", func(t *testing.T, b *bench) {
			require.Equal(t, rollout.PhaseSucceeded, b.status(t, b.install(t, b.Content)).Phase)
		}},
		{"Status", "the last report stays", "Once a last report was given, every later call gives an equal one.", func(t *testing.T, b *bench) {
			task := b.install(t, b.Content)
			last := b.status(t, task)
			if !last.Phase.Last() {
				t.Skip("there is no last report")
			}
			require.Equal(t, last, b.status(t, task), "asked twice")
			b.install(t, b.Content)
			require.Equal(t, last, b.status(t, task), "after another task")
			if b.reboots {
				reboot := b.task(rollout.OpReboot, b.Content)
				b.begin(t, reboot)
				b.settle(t, reboot)
				require.Equal(t, last, b.status(t, task), "after a restart")
			}
		}},
		{"Status", "a device that cannot be reached has not failed", unknown, func(t *testing.T, b *bench) {
			need(t, b.Cut != nil, "Cut")
			task := b.task(rollout.OpInstall, b.Content)
			b.begin(t, task)
			t.Cleanup(b.Cut(t, b.d)) // and comes back, so that the task can end
			r, err := b.d.Status(t.Context(), task)
			require.True(t, err != nil || r.Phase != rollout.PhaseFailed, "%+v", r)
		}},
	}
}
