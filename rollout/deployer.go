package rollout

import (
	"context"
	"errors"
	"time"

	"github.com/patchflow/patchflow/patch"
)

// A Deployer installs patches. It is safe for concurrent use.
//
// What it can do beyond installing it shows by implementing further interfaces, its abilities: [Verifier], [Rollbacker],
// [Rebooter], [Downloader], [Snapshotter], [Prober], [Remedier], [Drainer], [Canceller]. Callers find them with [Ability], which sees through wrappers and routers.
//
// An error from any of its calls and a failure on a device are different things. The error of a call that begins
// something means that it could not be begun, and is classified by [patch.FaultOf]. A [Report] with [PhaseFailed] is the
// device's own word.
type Deployer interface {
	// Deploy begins t, whose Op is [OpInstall], and returns its first report, which may be its last. The content is
	// installed exactly as pinned, or not at all: never another version. That there is nothing to do is [PhaseFailed] with a
	// fault whose Done method says true. The same task ID never begins twice: a second call returns how the task stands. A
	// task whose StartBy is past is not begun any more; it fails as [patch.Busy].
	Deploy(ctx context.Context, t Task) (Report, error)

	// Status tells how a task stands that any call has begun. An error, and [PhaseUnknown], mean "not known" and never
	// count against the device. Once a last report was given, every later call gives an equal one. It is asked about tasks that had no
	// answer in time too ([Task.Unended]): a rollback waits for their end.
	Status(ctx context.Context, t Task) (Report, error)
}

// A Downloader can bring content to a device ahead of its installation.
type Downloader interface {
	// Download begins to bring the content of t to the device, so that an installation of the same content need not, and returns
	// its first report. It installs nothing and disrupts nobody, and it may go on while the device is worked on otherwise. A
	// failure counts for nothing: the installation then downloads by itself. The same task ID never begins twice, and a task
	// whose StartBy is past is not begun any more. Progress is told by Status.
	Download(ctx context.Context, t Task) (Report, error)
}

// A Snapshotter can keep a device as it is, so that it can be taken back to that.
type Snapshotter interface {
	// Snapshot begins to make a backup of the device, and returns its first report; the last one, [PhaseSucceeded], comes when the
	// backup is complete, and proves it by Report.Backup: its ID, and the instant that it holds. If the device has one that was
	// made at t.Since or later, that one may be named instead. It changes nothing that the device works with. The same task ID never
	// begins twice. Progress is told by Status.
	//
	// The backups of a rollout are kept until somebody gives them up; [Machine.Backups] lists them, for that to be done once the
	// rollout is over.
	Snapshot(ctx context.Context, t Task) (Report, error)
}

// A Remedier can put a device right on which a try has failed.
type Remedier interface {
	// Remedy begins to put right on the device what t.Remedy says is wrong there, and returns its first report: with [patch.Corrupt] it
	// repairs the package database, with [patch.DiskFull] it makes room, of what can be fetched again. It installs no content, and takes none
	// away. [PhaseSucceeded] says that nothing of that kind is known to be wrong any more; a fault that it has no remedy for is
	// [patch.Permanent]. The same task ID never begins twice, and a task whose StartBy is past is not begun any more. Progress is told by Status.
	Remedy(ctx context.Context, t Task) (Report, error)
}

// A Drainer can take a device out of service and put it back: a node of a cluster, a member of a load balancer, a mail relay. A policy says
// of which devices that is to be done ([policy.Drain]).
type Drainer interface {
	// Drain begins to take the device out of service, and returns its first report; the last one, [PhaseSucceeded], comes when nothing new is
	// sent to it and nobody is served by it any more. A device that is out of service already has succeeded, and so has one that nothing is
	// ever sent to. After [PhaseFailed] the device may be half out of service, unless it was [patch.Busy], [patch.Unreachable] or
	// [patch.NeedsUser] before it said that it runs, and after [PhaseStopped]. It changes nothing else. The same task ID never begins twice, and a task whose
	// StartBy is past is not begun any more. Progress is told by Status.
	Drain(ctx context.Context, t Task) (Report, error)

	// Uncordon begins to put the device back into service, and returns its first report; the last one, [PhaseSucceeded], comes when it serves again as
	// it did before. A device that is in service already has succeeded. A drain that has failed, or may still be running, is taken back or given
	// up by it. The same task ID never begins twice. Progress is told by Status.
	Uncordon(ctx context.Context, t Task) (Report, error)
}

// A Prober can tell whether what a device is there for works.
type Prober interface {
	// Probe looks at the device afresh, after the task was issued, for each of t.Probes: before anything is installed, with
	// [OpPrecheck], and with [OpProbe] after that was verified. It reports [PhaseSucceeded] if it looked, whatever it found, with
	// Report.Probes: a result for each, by its name. What it does not know, such as a custom check that it has never heard of, is
	// [patch.Unknown], and never up. [PhaseFailed] means that it could not look; an error says the same. It changes nothing. A second
	// call with the same task ID may look again or tell what the first found. Progress is told by Status.
	Probe(ctx context.Context, t Task) (Report, error)
}

// A Verifier can tell what is true on a device.
type Verifier interface {
	// Verify looks at the device afresh, after the task was issued. It reports [PhaseSucceeded] if everything in the
	// content is there and works (or is gone, with t.Absent). It reports [PhaseFailed] without a fault if something is
	// missing, with [patch.Permanent] if it is there and does not work, and with another fault if it could not look; an
	// error says the same. It changes nothing. A second call with the same task ID may look again or tell what the first
	// found. Progress is told by Status.
	//
	// With [OpLook] it is asked before anything is installed, and what counts is Report.Reboot alone: whether the device waits for a
	// restart. It reports otherwise as above; that something is missing is what is expected.
	Verify(ctx context.Context, t Task) (Report, error)
}

// A Rollbacker can take a patch back.
type Rollbacker interface {
	// Rollback begins to take the content of t back, last patch first, to what the device had before, and returns its
	// first report. Content that is not there is no failure. A patch whose Reversal is [patch.ReversalSnapshot] is taken back
	// by going back to t.Backup. The same task ID never begins twice. Progress is told by Status.
	Rollback(ctx context.Context, t Task) (Report, error)
}

// A Rebooter can restart a device.
type Rebooter interface {
	// Reboot begins to restart the device and returns its first report; the last one, [PhaseSucceeded], comes when the
	// device is back with another boot than t.BootID, and names that. A connection that is lost meanwhile is no failure.
	// The same task ID never begins twice. Progress is told by Status.
	Reboot(ctx context.Context, t Task) (Report, error)
}

// A Canceller can stop a task.
type Canceller interface {
	// Cancel asks that t be stopped. It is a wish: the task's own last report tells what became of it, [PhaseStopped] if
	// it had done nothing. Cancelling a task that is unknown or has ended is no error.
	Cancel(ctx context.Context, t Task) error
}

// Ability finds T in the deployer that would carry out t: d itself, what a wrapper says that it wraps
// (Unwrap() Deployer), or what a router picks for t (Route(Task) Deployer). A plain type assertion gives the wrong answer
// there.
func Ability[T any](d Deployer, t Task) (T, bool) {
	for d != nil {
		if router, ok := d.(interface{ Route(Task) Deployer }); ok {
			d = router.Route(t)
			continue
		}
		if a, ok := d.(T); ok {
			return a, true
		}
		wrapper, ok := d.(interface{ Unwrap() Deployer })
		if !ok {
			break
		}
		d = wrapper.Unwrap()
	}
	var none T
	return none, false
}

func retryAfter(err error) time.Duration {
	var ra *patch.RetryAfterError
	if errors.As(err, &ra) {
		return ra.After
	}
	return 0
}
