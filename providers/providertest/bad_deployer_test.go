package providertest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
)

// adder collects bad deployers.
func adder(all *[]badProvider, prefix string) func(name, breaks string, bad func(w *world)) {
	return func(name, breaks string, bad func(w *world)) {
		*all = append(*all, badProvider{prefix + name, "Deployer", breaks, func(t *testing.T) { Deployer(t, deployerHarness(bad)) }})
	}
}

// after changes what a call has returned.
func after(c call, f func(t rollout.Task, r *rollout.Report, err *error)) call {
	return func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
		r, err := c(ctx, t)
		f(t, &r, &err)
		return r, err
	}
}

// status changes the reports that Status gives about tasks of one kind.
func status(op rollout.Op, f func(t rollout.Task, r *rollout.Report)) func(w *world) {
	return func(w *world) {
		w.status = after(w.Fleet.Status, func(t rollout.Task, r *rollout.Report, err *error) {
			if t.Op == op && *err == nil {
				f(t, r)
			}
		})
	}
}

// nothing is a call that returns an empty report for what it has begun.
func nothing(c call) call {
	return after(c, func(_ rollout.Task, r *rollout.Report, _ *error) {
		if r.Phase == rollout.PhaseRunning {
			*r = rollout.Report{}
		}
	})
}

// repeats is a call that begins a task once more when it has ended and is given again.
func repeats(w *world, c call) call {
	return func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
		if r, err := w.Fleet.Status(ctx, t); err == nil && r.Phase.Last() {
			again(ctx, c, t)
		}
		return c(ctx, t)
	}
}

// fails makes a failure on the device of one that only concerns the connection.
func fails(op rollout.Op) func(w *world) {
	return func(w *world) {
		w.status = after(w.Fleet.Status, func(t rollout.Task, r *rollout.Report, err *error) {
			if t.Op == op && *err != nil {
				*r, *err = rollout.Failure(*err), nil
			}
		})
	}
}

func badDeployers() []badProvider {
	var all []badProvider
	add := adder(&all, "deployer ")
	add("returns nothing", "Deploy/the first report says where the task stands", func(w *world) { w.deploy = nothing(w.Fleet.Deploy) })
	add("installs the newest", "Deploy/the content is installed exactly as pinned", func(w *world) {
		w.deploy = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			t.Content.Patches = slices.Clone(t.Content.Patches)
			t.Content.Patches[len(t.Content.Patches)-1].Packages = openssl("9")
			return w.Fleet.Deploy(ctx, t)
		}
	})
	add("leaves half an installation", "Deploy/an installation that fails has installed nothing", func(w *world) {
		var fault patch.Fault
		w.alter = func(_ rollout.Task, b *memory.Behaviour) {
			if b.Fault != patch.NoFault {
				fault, b.Fault = b.Fault, patch.NoFault
			}
		}
		w.status = after(w.Fleet.Status, func(t rollout.Task, r *rollout.Report, _ *error) {
			if fault != patch.NoFault && r.Phase == rollout.PhaseSucceeded {
				r.Phase, r.Fault = rollout.PhaseFailed, fault
			}
		})
	})
	const class = "Deploy/a failure is reported with its class"
	add("takes every failure for transient", class, status(rollout.OpInstall, func(_ rollout.Task, r *rollout.Report) {
		if r.Fault == patch.DiskFull {
			r.Fault = patch.Transient
		}
	}))
	add("takes a failure for a success", class, status(rollout.OpInstall, func(_ rollout.Task, r *rollout.Report) {
		if r.Fault == patch.DiskFull {
			*r = rollout.Report{Phase: rollout.PhaseSucceeded}
		}
	}))
	add("begins again", "Deploy/the same task begins once", func(w *world) { w.deploy = repeats(w, w.Fleet.Deploy) })
	add("answers a second call blindly", "Deploy/a second call returns how the task stands", func(w *world) {
		w.deploy = after(w.Fleet.Deploy, func(_ rollout.Task, r *rollout.Report, _ *error) {
			if r.Phase == rollout.PhaseSucceeded {
				r.Phase = rollout.PhaseQueued
			}
		})
	})
	add("begins twice at once", "Deploy/the same task given several times at once begins once", func(w *world) {
		o := new(overlap)
		w.deploy = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			if o.meets() {
				again(ctx, w.Fleet.Deploy, t)
			}
			return w.Fleet.Deploy(ctx, t)
		}
	})
	const late = "Deploy/a task whose StartBy is past fails as busy and is not begun"
	add("begins too late", late, func(w *world) {
		w.deploy = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			early := t
			early.StartBy = early.StartBy.AddDate(1, 0, 0)
			if t.StartBy.IsZero() {
				early = t
			}
			return w.Fleet.Deploy(ctx, early)
		}
	})
	add("begins too late and denies it", late, func(w *world) {
		w.deploy = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			r, err := w.Fleet.Deploy(ctx, t)
			if r.Fault == patch.Busy {
				t.StartBy = t.StartBy.AddDate(1, 0, 0)
				again(ctx, w.Fleet.Deploy, t)
			}
			return r, err
		}
	})
	add("gives up for good when it is late", late, func(w *world) {
		w.deploy = after(w.Fleet.Deploy, func(_ rollout.Task, r *rollout.Report, _ *error) {
			if r.Fault == patch.Busy {
				r.Fault = patch.Permanent
			}
		})
	})
	add("fails after it has begun", "Deploy/an error means that nothing was begun", func(w *world) {
		w.deploy = after(w.Fleet.Deploy, func(t rollout.Task, r *rollout.Report, err *error) {
			if *err != nil {
				w.set(func(b *memory.Behaviour) { b.Offline = false })
				_, _ = w.Fleet.Deploy(context.Background(), t)
				w.set(func(b *memory.Behaviour) { b.Offline = true })
			}
		})
	})
	const reach = "Deploy/the error says that the device cannot be reached"
	add("hides why it fails", reach, func(w *world) {
		w.deploy = after(w.Fleet.Deploy, func(_ rollout.Task, _ *rollout.Report, err *error) {
			if *err != nil {
				*err = errors.New("test: exit code 255")
			}
		})
	})
	add("blames the device that it cannot reach", reach, func(w *world) {
		w.deploy = after(w.Fleet.Deploy, func(_ rollout.Task, r *rollout.Report, err *error) {
			if *err != nil {
				*r, *err = rollout.Report{Phase: rollout.PhaseFailed}, nil
			}
		})
	})
	add("knows what it does not know", "Status/a task that nobody has begun is not known", status(rollout.OpInstall, func(_ rollout.Task, r *rollout.Report) {
		if r.Phase == rollout.PhaseUnknown {
			r.Phase = rollout.PhaseFailed
		}
	}))
	add("never ends", "Status/the end of a task is told", status(rollout.OpInstall, func(_ rollout.Task, r *rollout.Report) {
		if r.Phase == rollout.PhaseSucceeded {
			r.Phase = rollout.PhaseRunning
		}
	}))
	add("forgets", "Status/the last report stays", func(w *world) {
		told := make(map[rollout.TaskID]bool)
		status(rollout.OpInstall, func(t rollout.Task, r *rollout.Report) {
			if told[t.ID] {
				*r = rollout.Report{}
			}
			told[t.ID] = told[t.ID] || r.Phase == rollout.PhaseSucceeded
		})(w)
	})
	add("reports the present boot for an old task", "Status/the last report stays", func(w *world) {
		status(rollout.OpInstall, func(_ rollout.Task, r *rollout.Report) {
			if d, _ := w.Device("acme", "ada"); r.Phase == rollout.PhaseSucceeded {
				r.BootID = d.BootID
			}
		})(w)
	})
	add("takes silence for failure", "Status/a device that cannot be reached has not failed", fails(rollout.OpInstall))
	return all
}

func badAbilities() []badProvider {
	var all []badProvider
	add := adder(&all, "")
	verify := func(absent bool, phase rollout.Phase, fault patch.Fault, is rollout.Phase, with patch.Fault) func(w *world) {
		return status(rollout.OpVerify, func(t rollout.Task, r *rollout.Report) {
			if t.Absent == absent && r.Phase == phase && r.Fault == fault {
				*r = rollout.Report{Phase: is, Fault: with}
			}
		})
	}
	const bad, good = rollout.PhaseFailed, rollout.PhaseSucceeded
	add("verifier finds nothing", "Verify/content that is there is found", verify(false, good, 0, bad, 0))
	add("verifier believes", "Verify/content that is not there is missing, without a fault", verify(false, bad, 0, good, 0))
	add("verifier gives reasons", "Verify/content that is not there is missing, without a fault", verify(false, bad, 0, bad, patch.Transient))
	add("verifier sees ghosts", "Verify/content that is gone is found gone", verify(true, good, 0, bad, 0))
	add("verifier overlooks", "Verify/content that is still there is not gone", verify(true, bad, 0, good, 0))
	add("verifier compares versions only", "Verify/content that does not work is a permanent failure", verify(false, bad, patch.Permanent, good, 0))
	add("verifier would install it again", "Verify/content that does not work is a permanent failure", verify(false, bad, patch.Permanent, bad, 0))
	add("verifier remembers", "Verify/every call is a fresh look", func(w *world) {
		first := make(map[bool]rollout.Report)
		status(rollout.OpVerify, func(t rollout.Task, r *rollout.Report) {
			if old, found := first[t.Absent]; found {
				*r = old
			}
			first[t.Absent] = *r
		})(w)
	})
	for _, how := range []struct {
		name   string
		report rollout.Report
	}{{"missing", rollout.Report{Phase: bad}}, {"there", rollout.Report{Phase: good}}, {"broken", rollout.Report{Phase: bad, Fault: patch.Permanent}}} {
		add("verifier takes what it cannot see for "+how.name, "Verify/not to be able to look is neither found nor missing", func(w *world) {
			w.verify = after(w.Fleet.Verify, func(_ rollout.Task, r *rollout.Report, err *error) {
				if *err != nil {
					*r, *err = how.report, nil
				}
			})
		})
	}
	add("verifier looks only afterwards", "Verify/it looks before anything is installed too", status(rollout.OpLook, func(_ rollout.Task, r *rollout.Report) {
		if r.Phase == rollout.PhaseFailed {
			r.Fault = patch.Permanent
		}
	}))
	add("verifier repairs", "Verify/nothing is changed", func(w *world) {
		w.verify = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			r, err := w.Fleet.Verify(ctx, t)
			if !t.Absent && err == nil {
				again(ctx, w.Fleet.Deploy, t)
			}
			return r, err
		}
	})

	add("rollbacker returns nothing", "Rollback/the first report says where the task stands", func(w *world) { w.rollback = nothing(w.Fleet.Rollback) })
	add("rollbacker does nothing", "Rollback/the device has again what it had before", func(w *world) {
		w.rollback = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			if len(t.Content.Patches) == 1 {
				t.Content.Patches = nil
			}
			return w.Fleet.Rollback(ctx, t)
		}
	})
	add("rollbacker goes one step", "Rollback/patches on top of each other are taken back last first", func(w *world) {
		w.rollback = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			t.Content.Patches = t.Content.Patches[len(t.Content.Patches)-1:]
			return w.Fleet.Rollback(ctx, t)
		}
	})
	add("rollbacker misses what is not there", "Rollback/content that is not there is no failure", func(w *world) {
		w.rollback = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			if w.Installs("ada") == 0 {
				return rollout.Report{Phase: bad, Fault: patch.Permanent}, nil
			}
			return w.Fleet.Rollback(ctx, t)
		}
	})
	add("rollbacker begins again", "Rollback/the same task begins once", func(w *world) { w.rollback = repeats(w, w.Fleet.Rollback) })
	add("rollbacker keeps its progress to itself", "Rollback/the end of the task is told by Status", status(rollout.OpRollback, func(_ rollout.Task, r *rollout.Report) {
		*r = rollout.Report{}
	}))

	add("rebooter returns nothing", "Reboot/the first report says where the task stands", func(w *world) { w.reboot = nothing(w.Fleet.Reboot) })
	add("rebooter does nothing", "Reboot/the device has another boot", func(w *world) {
		w.alter = func(t rollout.Task, b *memory.Behaviour) { b.Lie = t.Op == rollout.OpReboot }
	})
	const names = "Reboot/the last report names the new boot"
	add("rebooter names the old boot", names, status(rollout.OpReboot, func(t rollout.Task, r *rollout.Report) { r.BootID = t.BootID }))
	add("rebooter does not come back", names, status(rollout.OpReboot, func(t rollout.Task, r *rollout.Report) { r.Phase = rollout.PhaseRunning }))
	const lost = "Reboot/a connection that is lost meanwhile is no failure"
	add("rebooter takes silence for failure", lost, fails(rollout.OpReboot))
	add("rebooter remembers that it was lost", lost, func(w *world) {
		silent := make(map[rollout.TaskID]bool)
		w.status = after(w.Fleet.Status, func(t rollout.Task, r *rollout.Report, err *error) {
			silent[t.ID] = silent[t.ID] || *err != nil
			if t.Op == rollout.OpReboot && *err == nil && silent[t.ID] {
				r.Phase = bad
			}
		})
	})
	add("rebooter begins again", "Reboot/the same task begins once", func(w *world) { w.reboot = repeats(w, w.Fleet.Reboot) })

	add("downloader returns nothing", "Download/the first report says where the task stands", func(w *world) { w.download = nothing(w.Fleet.Download) })
	add("downloader installs at once", "Download/nothing is installed", func(w *world) { w.download = w.Fleet.Deploy })
	add("downloader keeps its progress to itself", "Download/the end of the task is told by Status",
		status(rollout.OpDownload, func(_ rollout.Task, r *rollout.Report) { *r = rollout.Report{} }))

	add("snapshotter returns nothing", "Snapshot/the first report says where the task stands", func(w *world) { w.snapshot = nothing(w.Fleet.Snapshot) })
	const proved = "Snapshot/a backup is proved"
	add("snapshotter proves nothing", proved, status(rollout.OpBackup, func(_ rollout.Task, r *rollout.Report) { r.Backup = rollout.Backup{} }))
	add("snapshotter does not say when", proved, status(rollout.OpBackup, func(_ rollout.Task, r *rollout.Report) { r.Backup.At = time.Time{} }))
	add("snapshotter names any old backup", "Snapshot/an older backup does not stand for a new one", func(w *world) {
		w.snapshot = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			t.Since = time.Time{}
			return w.Fleet.Snapshot(ctx, t)
		}
	})
	add("snapshotter installs at once", "Snapshot/nothing is changed", func(w *world) {
		w.snapshot = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			install := t
			install.ID += "0"
			if _, err := w.Fleet.Deploy(ctx, install); err != nil {
				return rollout.Report{}, err
			}
			return w.Fleet.Snapshot(ctx, t)
		}
	})
	const never = "Snapshot/the same task begins once"
	add("snapshotter begins again", never, func(w *world) {
		n := 0
		w.status = after(w.Fleet.Status, func(t rollout.Task, r *rollout.Report, _ *error) {
			if n++; t.Op == rollout.OpBackup && r.Phase.Last() {
				r.Backup.ID += strconv.Itoa(n)
			}
		})
	})

	add("remedier returns nothing", "Remedy/the first report says where the task stands", func(w *world) { w.remedy = nothing(w.Fleet.Remedy) })
	add("remedier installs at once", "Remedy/no content is installed or taken away", func(w *world) {
		w.remedy = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			install := t
			install.ID += "0"
			if _, err := w.Fleet.Deploy(ctx, install); err != nil {
				return rollout.Report{}, err
			}
			return w.Fleet.Remedy(ctx, t)
		}
	})
	add("remedier has a remedy for everything", "Remedy/what it has no remedy for is not put right", func(w *world) {
		w.remedy = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			t.Remedy = patch.Corrupt
			return w.Fleet.Remedy(ctx, t)
		}
	})
	add("remedier is never too late", "Remedy/what comes too late is not begun", func(w *world) {
		w.remedy = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			t.StartBy = time.Time{}
			return w.Fleet.Remedy(ctx, t)
		}
	})
	add("remedier keeps its progress to itself", "Remedy/the end of the task is told by Status", status(rollout.OpRemedy, func(t rollout.Task, r *rollout.Report) {
		if t.Remedy == patch.DiskFull {
			*r = rollout.Report{}
		}
	}))

	badDrainers(add)

	const up, unknown = "Probe/what works is up", "Probe/what is not known is not up"
	results := func(edit func(p *rollout.ProbeResult)) func(*world) {
		return status(rollout.OpPrecheck, func(_ rollout.Task, r *rollout.Report) {
			r.Probes = slices.Clone(r.Probes)
			for i := range r.Probes {
				edit(&r.Probes[i])
			}
		})
	}
	add("prober looks at nothing", up, status(rollout.OpProbe, func(_ rollout.Task, r *rollout.Report) { r.Probes = nil }))
	add("prober finds everything down", up, results(func(p *rollout.ProbeResult) { p.Up = patch.No }))
	add("prober finds everything up", unknown, results(func(p *rollout.ProbeResult) { p.Up = patch.Yes }))
	add("prober keeps its progress to itself", "Probe/the end of the task is told by Status",
		status(rollout.OpProbe, func(t rollout.Task, r *rollout.Report) {
			if len(t.Probes) == 0 {
				*r = rollout.Report{}
			}
		}))
	add("prober installs at once", "Probe/nothing is changed", func(w *world) {
		w.probe = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			install := t
			install.ID += "0"
			if _, err := w.Fleet.Deploy(ctx, install); err != nil {
				return rollout.Report{}, err
			}
			return w.Fleet.Probe(ctx, t)
		}
	})

	cancel := func(refuses func(p rollout.Phase) bool) func(w *world) {
		return func(w *world) {
			w.cancel = func(ctx context.Context, t rollout.Task) error {
				if r, _ := w.Fleet.Status(ctx, t); refuses(r.Phase) {
					return errors.New("test: cannot be cancelled")
				}
				return w.Fleet.Cancel(ctx, t)
			}
		}
	}
	add("canceller knows every task", "Cancel/a task that is unknown is no error", cancel(func(p rollout.Phase) bool { return p == rollout.PhaseUnknown }))
	add("canceller comes too late", "Cancel/a task that has ended is no error", cancel(rollout.Phase.Last))
	// pretend makes Status tell something of a task that was cancelled.
	pretend := func(w *world, f func(r *rollout.Report)) {
		stopped := make(map[rollout.TaskID]bool)
		w.cancel = func(_ context.Context, t rollout.Task) error {
			stopped[t.ID] = true
			return nil
		}
		status(rollout.OpInstall, func(t rollout.Task, r *rollout.Report) {
			if stopped[t.ID] {
				f(r)
			}
		})(w)
	}
	add("canceller loses the task", "Cancel/the task still has a last report", func(w *world) {
		pretend(w, func(r *rollout.Report) { *r = rollout.Report{} })
	})
	add("canceller pretends", "Cancel/a task that is reported stopped has done nothing", func(w *world) {
		pretend(w, func(r *rollout.Report) { r.Phase = rollout.PhaseStopped })
	})
	return all
}
