package runner

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// work is one worker: it makes provider calls until the queue is closed.
func (r *Runner) work(ctx context.Context) error {
	for {
		j, ok := r.jobs.take()
		if !ok {
			return nil
		}
		r.do(ctx, j)
	}
}

// do makes one provider call and brings its answer to the rollout's owner.
func (r *Runner) do(ctx context.Context, j job) {
	call, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout)
	defer cancel()
	defer r.clock.Busy(-1)
	if j.what == jobAsk {
		r.ask(call, j)
		return
	}
	task, ok := j.owner.task(j.device, j.what)
	if !ok || task.Handle.Seq != j.seq {
		j.owner.calledBack(j, false) // the rollout has moved on
		return
	}
	var report rollout.Report
	var err error
	switch j.what {
	case jobStop:
		if c, ok := rollout.Ability[rollout.Canceller](r.cfg.Deployer, task); ok {
			if err := r.guard(ctx, func() error { return c.Cancel(call, task) }); err != nil {
				r.log.WarnContext(ctx, "task could not be cancelled", "rollout", j.owner.key.String(), "task", string(task.ID), "error", err)
			}
		}
		return
	case jobRun:
		r.stopEarlier(ctx, call, task)
		err = r.guard(ctx, func() (err error) { report, err = r.begin(call, task); return err })
		if err != nil && (patch.FaultOf(err) != patch.Unreachable || !j.owner.doubts(j)) {
			report = rollout.Failure(err)
		}
	case jobPoll:
		err = r.guard(ctx, func() (err error) { report, err = r.cfg.Deployer.Status(call, task); return err })
		if err != nil {
			report = rollout.Report{} // not known: counts for nothing
		}
	}
	if report.Phase == rollout.PhaseUnknown && err != nil {
		r.log.DebugContext(ctx, "status is not known", "rollout", j.owner.key.String(), "task", string(task.ID), "error", err)
	}
	if ctx.Err() != nil && err != nil {
		return // the runner is ending: the next process asks again
	}
	if task.Op == rollout.OpVerify && report.Phase.Last() && report.Idle == patch.Unknown && len(task.Unended) > 0 {
		report.Idle = r.idle(ctx, call, task)
	}
	j.owner.calledBack(j, err == nil || report.Phase != rollout.PhaseUnknown)
	if report.Phase != rollout.PhaseUnknown {
		j.owner.put(item{report: &rollout.TaskReport{Handle: task.Handle, Report: report}})
	}
}

// stopEarlier asks the earlier tasks of the device of t that are to be stopped, and of which no end is known, to stop.
func (r *Runner) stopEarlier(ctx, call context.Context, t rollout.Task) {
	for _, u := range t.Unended {
		earlier := t.Earlier(u)
		if c, ok := rollout.Ability[rollout.Canceller](r.cfg.Deployer, earlier); ok && u.Stop {
			if err := r.guard(ctx, func() error { return c.Cancel(call, earlier) }); err != nil {
				r.log.WarnContext(ctx, "earlier task could not be cancelled", "task", string(u.ID), "error", err)
			}
		}
	}
}

// idle says whether the earlier tasks of the device of t, of which no end is known, run no more.
func (r *Runner) idle(ctx, call context.Context, t rollout.Task) patch.Tri {
	all := patch.Yes
	for _, u := range t.Unended {
		earlier := t.Earlier(u)
		var report rollout.Report
		err := r.guard(ctx, func() (err error) { report, err = r.cfg.Deployer.Status(call, earlier); return err })
		switch {
		case err != nil || report.Phase == rollout.PhaseUnknown || report.Phase.Last() && !report.Ends():
			if all == patch.Yes {
				all = patch.Unknown
			}
		case !report.Phase.Last():
			all = patch.No
		}
	}
	return all
}

// guard turns a panic of a provider into an error, so that it fails one task and not the process. The stack is logged and
// not part of the error, which goes into the journal.
func (r *Runner) guard(ctx context.Context, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("provider panicked: %v", p)
			r.log.ErrorContext(ctx, err.Error(), "stack", string(debug.Stack()))
		}
	}()
	return f()
}

// begin begins a task by the ability that its operation needs.
func (r *Runner) begin(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	lacks := func(what string) (rollout.Report, error) {
		return rollout.Report{}, fmt.Errorf("the deployer of device %s %s: %w", t.Device, what, errors.ErrUnsupported)
	}
	switch t.Op {
	case rollout.OpInstall:
		return r.cfg.Deployer.Deploy(ctx, t)
	case rollout.OpDownload:
		if a, ok := rollout.Ability[rollout.Downloader](r.cfg.Deployer, t); ok {
			return a.Download(ctx, t)
		}
		return lacks("cannot download ahead")
	case rollout.OpBackup:
		if a, ok := rollout.Ability[rollout.Snapshotter](r.cfg.Deployer, t); ok {
			return a.Snapshot(ctx, t)
		}
		return lacks("cannot back it up")
	case rollout.OpRemedy:
		if a, ok := rollout.Ability[rollout.Remedier](r.cfg.Deployer, t); ok {
			return a.Remedy(ctx, t)
		}
		return lacks("cannot put it right")
	case rollout.OpDrain, rollout.OpUncordon:
		a, ok := rollout.Ability[rollout.Drainer](r.cfg.Deployer, t)
		switch {
		case !ok:
			return lacks("cannot take it out of service, nor put it back")
		case t.Op == rollout.OpDrain:
			return a.Drain(ctx, t)
		}
		return a.Uncordon(ctx, t)
	case rollout.OpPrecheck, rollout.OpProbe:
		if a, ok := rollout.Ability[rollout.Prober](r.cfg.Deployer, t); ok {
			return a.Probe(ctx, t)
		}
		return lacks("cannot probe it")
	case rollout.OpReboot:
		if a, ok := rollout.Ability[rollout.Rebooter](r.cfg.Deployer, t); ok {
			return a.Reboot(ctx, t)
		}
		return lacks("cannot restart it")
	case rollout.OpRollback:
		if a, ok := rollout.Ability[rollout.Rollbacker](r.cfg.Deployer, t); ok {
			return a.Rollback(ctx, t)
		}
		return lacks("cannot roll back")
	case rollout.OpVerify, rollout.OpLook:
		if a, ok := rollout.Ability[rollout.Verifier](r.cfg.Deployer, t); ok {
			return a.Verify(ctx, t)
		}
		if s, ok := r.cfg.Devices.(inventory.Scanner); ok {
			return r.verifyByScan(ctx, s, t)
		}
		return lacks("cannot verify, and the inventory cannot scan")
	}
	return rollout.Report{}, fmt.Errorf("operation %s: %w", t.Op, errors.ErrUnsupported)
}

// verifyByScan looks at the device afresh by the inventory.
func (r *Runner) verifyByScan(ctx context.Context, s inventory.Scanner, t rollout.Task) (rollout.Report, error) {
	scan, err := s.Scan(ctx, inventory.Device{Tenant: t.Tenant, ID: t.Device})
	if err != nil {
		return rollout.Report{}, err
	}
	return rollout.CheckScan(t, scan), nil
}

// ask puts a request to the approver.
func (r *Runner) ask(ctx context.Context, j job) {
	q, ok := j.owner.request(j.request)
	if !ok {
		j.owner.calledBack(j, true)
		return
	}
	var ds []policy.Decision
	err := r.guard(ctx, func() (err error) { ds, err = decisions(ctx, r.cfg.Approver, q); return err })
	j.owner.calledBack(j, true)
	if err != nil {
		r.log.WarnContext(ctx, "approver has no answer", "rollout", j.owner.key.String(), "request", q.ID, "error", err)
		return
	}
	for _, d := range ds {
		if d.Ruling == policy.Pending {
			continue
		}
		j.owner.put(item{signal: func(at int64) rollout.Signal {
			return rollout.Decided{At: unix(at), Request: q.ID, Decision: d}
		}})
	}
}

// decisions asks an approver for what has been decided about q: for all of it, if it keeps several people apart.
func decisions(ctx context.Context, a policy.Approver, q policy.Request) ([]policy.Decision, error) {
	if p, ok := a.(policy.Panel); ok {
		return p.Decisions(ctx, q)
	}
	d, err := a.Decide(ctx, q)
	return []policy.Decision{d}, err
}

// check refuses a plan that needs an ability which the deployer of some device lacks.
func (r *Runner) check(p *rollout.Plan) error {
	for i, d := range p.Devices {
		if err := r.able(p, p.RingOf(i), inventory.Ref{Tenant: p.TenantOf(i), Device: d}, p.Contents[p.Content[i]], p.Drains(i)); err != nil {
			return err
		}
	}
	return nil
}

// able refuses a device whose deployer lacks an ability that ring number ring of the plan needs, or that it takes to take it out of service.
func (r *Runner) able(p *rollout.Plan, ring int, d inventory.Ref, c rollout.Content, drains bool) error {
	scanner, _ := r.cfg.Devices.(inventory.Scanner)
	probe := rollout.Task{Rollout: p.Key, Ring: p.Rings[ring].Name, Tenant: d.Tenant, Device: d.Device, Content: c}
	lacks := func(ability string) error {
		return fmt.Errorf("runner: %s: device %s: its deployer is no %s, which the plan needs: %w", p.Key, d.Device, ability, patch.ErrPermanent)
	}
	probe.Op = rollout.OpVerify
	if _, ok := rollout.Ability[rollout.Verifier](r.cfg.Deployer, probe); !ok && scanner == nil {
		return lacks("Verifier (nor is Config.Devices a Scanner)")
	}
	probe.Op = rollout.OpReboot
	if _, ok := rollout.Ability[rollout.Rebooter](r.cfg.Deployer, probe); !ok && p.Policy.Reboot.Mode != policy.RebootNever {
		return lacks("Rebooter")
	}
	probe.Op = rollout.OpDownload
	ahead := len(p.Policy.Download.Windows) > 0 || len(p.Rings[ring].Download.Windows) > 0
	if _, ok := rollout.Ability[rollout.Downloader](r.cfg.Deployer, probe); !ok && ahead {
		return lacks("Downloader")
	}
	probe.Op = rollout.OpBackup
	if _, ok := rollout.Ability[rollout.Snapshotter](r.cfg.Deployer, probe); !ok && p.Policy.Backup.Need == policy.BackupRequired {
		return lacks("Snapshotter")
	}
	for _, op := range []rollout.Op{rollout.OpPrecheck, rollout.OpProbe} {
		probe.Op = op
		if _, ok := rollout.Ability[rollout.Prober](r.cfg.Deployer, probe); !ok && len(p.Policy.Health.Probes.List) > 0 {
			return lacks("Prober")
		}
	}
	probe.Op = rollout.OpRemedy
	if _, ok := rollout.Ability[rollout.Remedier](r.cfg.Deployer, probe); !ok && len(p.Policy.Retry.Remedies) > 0 {
		return lacks("Remedier")
	}
	for _, op := range []rollout.Op{rollout.OpDrain, rollout.OpUncordon} {
		probe.Op = op
		if _, ok := rollout.Ability[rollout.Drainer](r.cfg.Deployer, probe); !ok && drains {
			return lacks("Drainer")
		}
	}
	probe.Op = rollout.OpRollback
	if _, ok := rollout.Ability[rollout.Rollbacker](r.cfg.Deployer, probe); !ok && p.Policy.Rollback.On != policy.FailHolds {
		return lacks("Rollbacker")
	}
	return nil
}
