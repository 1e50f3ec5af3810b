package runner

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// A PlanRequest says what [Runner.Plan] is to plan.
type PlanRequest struct {
	Key    rollout.Key
	Policy policy.Policy
	By     string // who asks for the rollout; the same person cannot approve it
	Salt   string // as in [rollout.PlanInput]

	// FirstSeen tells when a device was first seen to miss a patch, as in [rollout.ScopeConfig]. nil knows of none.
	FirstSeen func(d *inventory.Device, x patch.ID) time.Time

	// Approved tells when a patch was approved for a device, as in [rollout.ScopeConfig]. nil knows of none.
	Approved func(d *inventory.Device, x patch.ID) time.Time
}

// A Proposal is a plan and what it was made from.
type Proposal struct {
	Plan    rollout.Plan
	Summary rollout.Summary
	Catalog *patch.Catalog
	Refused []error // records of the sources that could not be read, and were left out
}

// Plan gathers patches and devices and works the policy out for them, as of now. It touches nothing: a dry run is not
// calling [Runner.Start]. When there is nothing to do the error wraps [rollout.ErrNothing], and the proposal says in
// numbers what was looked at.
func (r *Runner) Plan(ctx context.Context, q PlanRequest) (Proposal, error) {
	fail := func(err error) (Proposal, error) { return Proposal{}, fmt.Errorf("runner: plan %s: %w", q.Key, err) }
	if len(r.cfg.Patches) == 0 || r.cfg.Devices == nil {
		return fail(errors.New("Config.Patches and Config.Devices are needed for planning"))
	}
	catalog, refused, err := patch.Collect(ctx, patch.Query{}, r.cfg.Patches...)
	if err != nil {
		return fail(err)
	}
	for i, e := range r.cfg.Enrich {
		changed, err := e.Enrich(ctx, catalog)
		if err != nil {
			return fail(fmt.Errorf("enricher %d: %w", i, err))
		}
		if catalog, err = catalog.With(changed); err != nil {
			return fail(fmt.Errorf("enricher %d: %w", i, err))
		}
	}
	quarantine, err := r.Quarantine(ctx, q.Key.Tenant)
	if err != nil {
		return fail(err)
	}
	scope, err := rollout.NewScope(rollout.ScopeConfig{Key: q.Key, Policy: q.Policy, Catalog: catalog, By: q.By,
		At: r.clock.Now().UTC(), Salt: q.Salt, Quarantine: quarantine, FirstSeen: q.FirstSeen, Approved: q.Approved})
	if err != nil {
		return fail(err)
	}
	for d, err := range r.cfg.Devices.Devices(ctx, inventory.Query{Tenant: q.Key.Tenant}) {
		if err != nil {
			return fail(err)
		}
		if !q.Key.Tenant.Contains(d.Tenant) {
			continue // a source may yield more than was asked for
		}
		if err := scope.Add(&d); err != nil {
			return fail(err)
		}
	}
	p := Proposal{Summary: scope.Summary(), Catalog: catalog, Refused: refused}
	p.Plan, err = rollout.NewPlan(scope.Input())
	if out := p.Summary.LeftOut(); errors.Is(err, rollout.ErrNothing) && out != "" {
		err = fmt.Errorf("%w; %s", err, out)
	}
	return p, err
}

// Start begins a rollout. It refuses a plan that is not whole, that needs an ability which some device's deployer lacks, or
// that holds a patch which was put into quarantine since it was made; then nothing was touched. It fails with
// [rollout.ErrExists] if the tenant has a rollout of that ID, so a second call does no harm, and with [ErrStopped] after an emergency; if that
// came meanwhile, the rollout is there and is stopped too. If the runner is not running, the rollout waits in the journal until it is.
func (r *Runner) Start(ctx context.Context, p rollout.Plan) error {
	m, err := rollout.NewMachine(p)
	if err != nil {
		return err
	}
	if err := r.check(&p); err != nil {
		return err
	}
	if err := r.quarantined(ctx, &p); err != nil {
		return err
	}
	if err := r.stopped(ctx, p.Tenant); err != nil {
		return fmt.Errorf("runner: %s: %w", p.Key, err)
	}
	r.clock.Busy(1)
	defer r.clock.Busy(-1)
	if !r.claim(p.Key) {
		return fmt.Errorf("runner: %s: %w", p.Key, rollout.ErrExists)
	}
	now := r.clock.Now().UTC()
	b, err := m.Step(rollout.Begin{At: now})
	if err == nil {
		var plan []byte
		if plan, err = rollout.EncodePlan(&p); err == nil {
			head := rollout.Head{Key: p.Key, Entries: 1, Stage: m.Stage(), Created: now, Updated: now}
			if err = r.create(ctx, head, plan, rollout.EncodeBatch(nil, b)); err == nil {
				if r.cfg.Observe != nil {
					r.cfg.Observe(ctx, Transition{Key: p.Key, Plan: m.Plan(), Batch: b, Status: m.Status()})
				}
				return r.begun(ctx, m, head)
			}
		}
	}
	r.disclaim(p.Key)
	return fmt.Errorf("runner: %s: %w", p.Key, err)
}

// create stores a rollout. If the journal fails it looks whether only the acknowledgement was lost: a rollout that is there
// and that nobody drives would wait for the next Run.
func (r *Runner) create(ctx context.Context, h rollout.Head, plan, entry []byte) error {
	err := r.cfg.Journal.Create(ctx, h, plan, [][]byte{entry})
	if err == nil || errors.Is(err, rollout.ErrExists) {
		return err
	}
	rec, lost := r.cfg.Journal.Load(ctx, h.Key)
	if lost != nil || rec.Head.Entries != 1 || !bytes.Equal(rec.Plan, plan) {
		return err
	}
	for e, lost := range rec.Entries {
		if lost != nil || !bytes.Equal(e, entry) {
			return err
		}
	}
	return nil
}

// quarantined refuses a plan that would bring a patch to a device that a quarantine keeps it from.
func (r *Runner) quarantined(ctx context.Context, p *rollout.Plan) error {
	quarantine, err := r.Quarantine(ctx, p.Tenant)
	if err != nil {
		return err
	}
	for _, q := range quarantine {
		if !q.Released.IsZero() {
			continue
		}
		if d, found := keptFrom(p, &q); found {
			return fmt.Errorf("runner: %s: device %s: patch %s is in quarantine since rollout %s (%s); plan again, or release it",
				p.Key, p.Devices[d], q.Patch, q.Rollout, q.Reason)
		}
	}
	return nil
}

// keptFrom returns the first device of p that q keeps the patch from.
func keptFrom(p *rollout.Plan, q *rollout.Quarantine) (int, bool) {
	holds := make([]bool, len(p.Contents))
	for c := range p.Contents {
		holds[c] = slices.ContainsFunc(p.Contents[c].Patches, func(x rollout.Pinned) bool { return x.ID == q.Patch })
	}
	if !slices.Contains(holds, true) {
		return 0, false
	}
	for d, c := range p.Content {
		if holds[c] && q.Tenant.Contains(p.TenantOf(d)) && (q.Device == "" || q.Device == p.Devices[d]) {
			return d, true
		}
	}
	return 0, false
}

// Quarantine returns what the rollouts of a tenant, of those below it and of those above it have put into quarantine,
// released or not.
func (r *Runner) Quarantine(ctx context.Context, t inventory.Tenant) ([]rollout.Quarantine, error) {
	var all []rollout.Quarantine
	for head, err := range r.cfg.Journal.Heads(ctx, rollout.HeadQuery{Tenant: t.Root()}) {
		if err != nil {
			return nil, fmt.Errorf("runner: journal: %w", err)
		}
		if head.Tenant.Contains(t) || t.Contains(head.Tenant) {
			all = append(all, head.Quarantine...)
		}
	}
	return all, nil
}

// bring brings a head up to what a machine says.
func bring(h *rollout.Head, m *rollout.Machine) {
	h.Stage, h.Updated, h.Quarantine, h.Reviews = m.Stage(), m.Now(), m.Quarantine(), m.ReviewsDue()
	h.Leftover = m.Leftover()
}

// Wait returns how a rollout ended, when it has. A rollout that is held or halted has not: it waits for a person. It fails
// with [rollout.ErrNotFound] if there is none, and with ctx's error when ctx is done first. The journal is looked at every
// Config.Poll for a rollout that another process drives.
func (r *Runner) Wait(ctx context.Context, k rollout.Key) (rollout.Status, error) {
	for {
		r.mu.Lock()
		o, changed := r.owners[k], r.changed
		r.mu.Unlock()
		if o != nil {
			select {
			case <-ctx.Done():
				return rollout.Status{}, ctx.Err()
			case <-o.done:
				if o.last.Stage.Final() {
					return o.last, nil
				}
			}
			continue // the owner is no more
		}
		m, _, err := r.replay(ctx, k)
		if err != nil {
			return rollout.Status{}, err
		}
		if m.Stage().Final() {
			return m.Status(), nil
		}
		look := time.NewTimer(r.cfg.Poll) // another process lives in real time, whatever the clock
		select {
		case <-ctx.Done():
			look.Stop()
			return rollout.Status{}, ctx.Err()
		case <-changed:
			look.Stop()
		case <-look.C:
		}
	}
}

// Status returns how a rollout stands. Degraded is not nil while it cannot be processed.
func (r *Runner) Status(ctx context.Context, k rollout.Key) (s rollout.Status, degraded, err error) {
	err = r.view(ctx, k, func(m *rollout.Machine) { s = m.Status() })
	if o, ok := r.owner(k); ok {
		o.mu.Lock()
		degraded = o.degraded
		o.mu.Unlock()
	}
	return s, degraded, err
}

// Explain returns everything that a device of a rollout waits for.
func (r *Runner) Explain(ctx context.Context, k rollout.Key, d inventory.DeviceID) (x rollout.Explanation, err error) {
	open := false
	ref := inventory.Ref{Device: d}
	agenda := rollout.Agenda{Hold: r.cfg.Hold}
	o, owned := r.owner(k)
	err = r.view(ctx, k, func(m *rollout.Machine) {
		x = m.Explain(d, r.clock.Now())
		i, ok := m.Plan().Find(d)
		if ok {
			open, ref.Tenant = m.Device(i).Outcome == rollout.Unsettled, m.Plan().TenantOf(i)
		}
		if why, held := agenda.ExplainHold(m, d, r.clock.Now()); held {
			x.Add(why)
		}
		if owned {
			o.tenant.mu.Lock()
			defer o.tenant.mu.Unlock()
			if why, full := o.tenant.agenda.ExplainBudget(m, d); full {
				x.Add(why)
			}
			if why, race := o.tenant.agenda.ExplainRace(m, d); race {
				x.Add(why)
			}
			if why, first := o.tenant.agenda.ExplainClaim(m, d, r.clock.Now()); first {
				x.Add(why)
			}
			if why, until, late := o.tenant.agenda.ExplainLinger(m, d, r.clock.Now()); late {
				x.AddUntil(why, until)
			}
			if why, until, full := o.tenant.agenda.ExplainRate(m, d, r.clock.Now()); full {
				x.AddUntil(why, until)
			}
		}
	})
	if err != nil || !open || !owned {
		return x, err
	}
	o.tenant.mu.Lock()
	defer o.tenant.mu.Unlock()
	if other, held := o.tenant.agenda.Explain(ref, k); held {
		x.Add(other)
	}
	return x, nil
}

// view looks at the machine of a rollout: the living one, or one replayed from the journal.
func (r *Runner) view(ctx context.Context, k rollout.Key, look func(*rollout.Machine)) error {
	if o, ok := r.owner(k); ok {
		o.mu.Lock()
		if o.m != nil {
			defer o.mu.Unlock()
			look(o.m)
			return nil
		}
		o.mu.Unlock()
	}
	m, _, err := r.replay(ctx, k)
	if err != nil {
		return err
	}
	look(m)
	return nil
}

// replay makes the machine of a rollout from the journal, for looking at. A torn last entry is passed over.
func (r *Runner) replay(ctx context.Context, k rollout.Key) (*rollout.Machine, rollout.Head, error) {
	m, head, _, err := r.load(ctx, k, nil)
	return m, head, err
}

// reopen makes the machine of a rollout from the journal, for appending to it. A torn last entry is dropped there. see is
// shown every entry.
func (r *Runner) reopen(ctx context.Context, k rollout.Key, see func(entry []byte)) (*rollout.Machine, rollout.Head, error) {
	m, head, torn, err := r.load(ctx, k, see)
	if err != nil || torn == nil {
		return m, head, err
	}
	trimmer, ok := r.cfg.Journal.(rollout.Trimmer)
	if !ok {
		return nil, rollout.Head{}, fmt.Errorf("runner: %s: journal: entry %d: %w; the journal cannot drop it", k, head.Entries+1, torn)
	}
	if err := trimmer.Trim(ctx, k, head.Entries); err != nil {
		return nil, rollout.Head{}, fmt.Errorf("runner: %s: journal: %w", k, err)
	}
	r.log.WarnContext(ctx, "torn last entry dropped", "rollout", k.String(), "entry", head.Entries+1, "error", torn)
	return m, head, nil
}

// load replays a rollout. The head counts whole entries; torn is the error of the one after them, if there is one.
func (r *Runner) load(ctx context.Context, k rollout.Key, see func(entry []byte)) (m *rollout.Machine, h rollout.Head, torn, err error) {
	rec, err := r.cfg.Journal.Load(ctx, k)
	if err != nil {
		return nil, h, nil, fmt.Errorf("runner: %s: journal: %w", k, err)
	}
	p, err := rollout.DecodePlan(rec.Plan)
	if err != nil {
		return nil, h, nil, fmt.Errorf("runner: %s: journal: %w", k, err)
	}
	m, did, err := rollout.Replay(p, func(yield func([]byte, error) bool) {
		for entry, err := range rec.Entries {
			if see != nil && err == nil {
				see(entry)
			}
			if !yield(entry, err) {
				return
			}
		}
	})
	if err != nil {
		return nil, h, nil, fmt.Errorf("runner: journal: %w", err)
	}
	h = rec.Head
	h.Entries = did.Entries
	return m, h, did.Torn, nil
}

// Command carries out a command, and returns when it is written down. A command that makes no sense now is an error that
// wraps [rollout.ErrCommand] or [rollout.ErrFinal], and changes nothing. So is one that has devices tried again ([rollout.DoRetry]) from which
// Config.Hold, or a quarantine of any rollout of the tenant, keeps something back that they are to get.
func (r *Runner) Command(ctx context.Context, k rollout.Key, c rollout.Command) error {
	if c.Do == rollout.DoRetry {
		if err := r.mayRetry(ctx, k, c.Devices); err != nil {
			return err
		}
	}
	return r.tell(ctx, k, func(at int64) rollout.Signal { return rollout.Commanded{At: unix(at), Command: c} })
}

// Decide brings the answer of an approver who is not asked by Config.Approver: from a console or a webhook. Answers to
// requests that are not open are ignored.
func (r *Runner) Decide(ctx context.Context, k rollout.Key, request string, d policy.Decision) error {
	return r.tell(ctx, k, func(at int64) rollout.Signal { return rollout.Decided{At: unix(at), Request: request, Decision: d} })
}

// Join lets devices that have turned up join a rollout whose policy admits that, and returns when it is written down; see
// [rollout.Joined]. All of them join, or none: an error that wraps [rollout.ErrJoin] says of each that cannot why, of one that is there already
// too. A rollout that is over fails with [rollout.ErrFinal]. A [rollout.Scope] with the catalog of the [Proposal] makes a joiner of a device.
func (r *Runner) Join(ctx context.Context, k rollout.Key, joiners ...rollout.Joiner) error {
	var lacks error
	err := r.view(ctx, k, func(m *rollout.Machine) {
		for i := range joiners {
			for ring := range m.Plan().Rings { // it may come into any of them
				if lacks == nil {
					lacks = r.able(m.Plan(), ring, inventory.Ref{Tenant: joiners[i].Tenant, Device: joiners[i].Device}, joiners[i].Content, joiners[i].Drains(&m.Plan().Policy))
				}
			}
		}
	})
	if err = cmp.Or(err, lacks); err != nil {
		return err
	}
	return r.tell(ctx, k, func(at int64) rollout.Signal { return rollout.Joined{At: unix(at), Joiners: joiners} })
}

// Requests returns the requests of a rollout that wait for an answer.
func (r *Runner) Requests(ctx context.Context, k rollout.Key) (qs []policy.Request, err error) {
	err = r.view(ctx, k, func(m *rollout.Machine) {
		for q := range m.Requests() {
			qs = append(qs, q)
		}
	})
	return qs, err
}

// Reviews returns the reviews of a rollout that are due because a ring was approved in an emergency, and those that were
// closed. It answers for rollouts that are over, too.
func (r *Runner) Reviews(ctx context.Context, k rollout.Key) (all []rollout.Review, err error) {
	err = r.view(ctx, k, func(m *rollout.Machine) { all = m.Reviews() })
	return all, err
}

// ReviewsDue returns the reviews that are due in the rollouts of a tenant and of those below it, or of all tenants for "", from
// the heads in the journal. Those of rollouts that are over are due, too.
func (r *Runner) ReviewsDue(ctx context.Context, t inventory.Tenant) ([]rollout.Review, error) {
	var all []rollout.Review
	for head, err := range r.cfg.Journal.Heads(ctx, rollout.HeadQuery{Tenant: t}) {
		if err != nil {
			return nil, fmt.Errorf("runner: journal: %w", err)
		}
		all = append(all, head.Reviews...)
	}
	return all, nil
}

// Report brings a report about a task that was not asked for: from a webhook, a queue, or an agent. It returns when the
// report is written down. A report that says nothing new changes nothing, so a second call does no harm; one that comes
// too late is recorded. The caller has made sure that it comes from the device that the task is for.
func (r *Runner) Report(ctx context.Context, id rollout.TaskID, rep rollout.Report) error {
	name, err := rollout.ParseTaskID(id)
	if err != nil {
		return err
	}
	var d int
	why := ""
	err = r.view(ctx, name.Rollout, func(m *rollout.Machine) {
		known := false
		if d, known = m.Plan().Find(name.Device); !known {
			why = "the device is not in the plan"
		} else if t, ok := m.Task(int32(d)); ok && t.Handle.Seq == name.Seq && t.ID != id {
			why = "the device is at " + string(t.ID)
		}
	})
	if err != nil {
		return err
	}
	if why != "" {
		return fmt.Errorf("runner: report on %s: %s: %w", id, why, rollout.ErrNotFound)
	}
	tr := rollout.TaskReport{Handle: rollout.Handle{Device: int32(d), Seq: name.Seq}, Report: rep}
	return r.tell(ctx, name.Rollout, func(at int64) rollout.Signal {
		return rollout.Reported{At: unix(at), Reports: []rollout.TaskReport{tr}}
	})
}

// Seen says that a device has been heard of: rollouts that wait for it go on. The caller has made sure that it was that
// device.
func (r *Runner) Seen(ctx context.Context, t inventory.Tenant, d inventory.DeviceID) error {
	for _, o := range r.ownersOf(t) {
		i, waits := o.awaits(t, d)
		if !waits {
			continue
		}
		err := r.tell(ctx, o.key, func(at int64) rollout.Signal {
			return rollout.Seen{At: unix(at), Devices: []int32{i}}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Escalate brings what [policy.Reassess] has found to the rollouts of the devices that it is about, and returns when it is
// written down there. Rollouts that it says nothing new to are left alone, so a second call does no harm.
func (r *Runner) Escalate(ctx context.Context, found []policy.Escalation) error {
	var tenants []inventory.Tenant
	for i := range found {
		if t := found[i].Tenant; !slices.Contains(tenants, t) {
			tenants = append(tenants, t)
		}
	}
	var told []rollout.Key
	for _, t := range tenants {
		for _, o := range r.ownersOf(t) {
			if slices.Contains(told, o.key) {
				continue
			}
			told = append(told, o.key)
			err := r.tell(ctx, o.key, func(at int64) rollout.Signal {
				return rollout.Reassessed{At: unix(at), Escalations: found}
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// awaits says whether device d of tenant t is unreachable, as far as the rollout knows.
func (o *owner) awaits(t inventory.Tenant, d inventory.DeviceID) (int32, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i, ok := o.find(t, d)
	return i, ok && o.m.Device(int(i)).Offline
}

// find returns the number of device d of tenant t, or of one below it. The caller holds the lock.
func (o *owner) find(t inventory.Tenant, d inventory.DeviceID) (int32, bool) {
	if o.m == nil {
		return 0, false
	}
	i, ok := o.m.Plan().Find(d)
	return int32(i), ok && t.Contains(o.m.Plan().TenantOf(i))
}

// NextTasks returns the tasks that are for a device now, for an agent that polls: those that were issued and have not
// ended, in all rollouts of its tenant. A task is not handed out again before its lease is over, unless the process was
// restarted; its ID stays the same. A task that was asked to stop is not handed out any more; nor, while the rollout is not active, is one
// that installs, prepares an installation, or restarts the device: what no agent has fetched has not begun. Asking also says that the device was seen. The agent answers by [Runner.Report].
func (r *Runner) NextTasks(ctx context.Context, t inventory.Tenant, d inventory.DeviceID, lease time.Duration) ([]rollout.Task, error) {
	if err := r.Seen(ctx, t, d); err != nil {
		return nil, err
	}
	now := r.clock.Now()
	var tasks []rollout.Task
	for _, o := range r.ownersOf(t) {
		o.mu.Lock()
		if i, ok := o.find(t, d); ok && !o.news.has(i) {
			if task, ok := o.m.Task(i); ok && !o.withheld(i, task.Op) && o.lease(i, task.Handle.Seq, now, lease) {
				tasks = append(tasks, task)
			}
		}
		o.mu.Unlock()
	}
	return tasks, nil
}

// withheld says whether the task of device d is not to be begun as things are. The caller holds the lock.
func (o *owner) withheld(d int32, op rollout.Op) bool {
	switch op {
	case rollout.OpVerify, rollout.OpRollback:
		return false
	}
	return o.m.Stage() != rollout.StageActive || o.m.Device(int(d)).Stopping
}

// A lease keeps a task from being handed out twice.
type leased struct {
	seq   uint32
	until time.Time
}

func (o *owner) lease(d int32, seq uint32, now time.Time, lease time.Duration) bool {
	if l, ok := o.leases[d]; ok && l.seq == seq && now.Before(l.until) {
		return false
	}
	if o.leases == nil {
		o.leases = make(map[int32]leased)
	}
	if !now.Before(o.swept) { // now and then those that are over are forgotten
		maps.DeleteFunc(o.leases, func(_ int32, l leased) bool { return !now.Before(l.until) })
		o.swept = now.Add(lease)
	}
	o.leases[d] = leased{seq, now.Add(lease)}
	return true
}

// tell brings a signal to a rollout, and returns when what follows from it is written down.
func (r *Runner) tell(ctx context.Context, k rollout.Key, s func(at int64) rollout.Signal) error {
	for {
		o, ok := r.owner(k)
		if !ok {
			if err := r.tellOnce(ctx, k, s); !errors.Is(err, rollout.ErrConflict) || ctx.Err() != nil {
				return err
			}
			continue // somebody else was faster
		}
		reply := make(chan error, 1)
		o.put(item{signal: s, reply: reply})
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-reply:
			if !errors.Is(err, errEnded) {
				return err
			}
		case <-o.done:
			select {
			case err := <-reply:
				if !errors.Is(err, errEnded) {
					return err
				}
			default:
			}
		}
	}
}

// tellOnce brings a signal to a rollout that nobody here owns: it is over, this runner is not running, or another process
// drives it. What follows from it is done when an owner takes the rollout up, or finds out that it has been changed. It
// fails with [rollout.ErrConflict], and has changed nothing, if somebody else appends meanwhile.
func (r *Runner) tellOnce(ctx context.Context, k rollout.Key, s func(at int64) rollout.Signal) error {
	m, head, err := r.reopen(ctx, k, nil)
	if err != nil {
		return err
	}
	at := r.clock.Now().UTC()
	if last := m.Now(); at.Before(last) {
		at = last
	}
	b, err := m.Step(s(at.UnixNano()))
	if err != nil || len(b.Events) == 0 {
		return err
	}
	head.Entries++
	bring(&head, m)
	if err := r.cfg.Journal.Append(ctx, head, [][]byte{rollout.EncodeBatch(nil, b)}); err != nil {
		return fmt.Errorf("runner: %s: journal: %w", k, err)
	}
	if r.cfg.Observe != nil {
		r.cfg.Observe(ctx, Transition{Key: k, Plan: m.Plan(), Batch: b, Status: m.Status()})
	}
	if m.Stage().Final() {
		r.noteOver(m, b)
		r.mu.Lock()
		r.announce() // somebody may wait for it
		r.mu.Unlock()
	}
	return nil
}
