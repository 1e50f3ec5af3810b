package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// An owner is the goroutine that owns one rollout, and what it knows.
type owner struct {
	r      *Runner
	key    rollout.Key
	tenant *tenant

	mu       sync.Mutex // guards the machine and what follows; it is not held while anything blocks
	m        *rollout.Machine
	head     rollout.Head
	degraded error
	calls    bitset          // devices for which a provider call is queued or under way
	news     bitset          // devices with a task that was decided and is not written down yet
	unsure   bitset          // devices with a task that an owner before may have begun, while that is not known
	asking   map[string]bool // requests for which a call is queued or under way
	leases   map[int32]leased
	swept    time.Time // when those that are over are dropped next

	inbox  sync.Mutex
	items  []item
	closed bool
	notify chan struct{}

	// What follows is the goroutine's own.
	held     []item // was told while it could not do anything, or has to be decided about again; no clock waits for them
	fresh    bool   // the machine is new: what it is at is to be done again
	arrived  bool   // the agenda knows what this rollout is working on, or nobody does
	adopted  int    // how often the rollout was taken over, as far as it knows; -1 before it has looked
	claim    []byte // the entry by which it took the rollout over last
	nextPoll time.Time

	done chan struct{}
	last rollout.Status
}

// An item is something that the owner is told.
type item struct {
	report  *rollout.TaskReport
	signal  func(at int64) rollout.Signal
	reply   chan error
	entries uint64 // so many are in the journal
}

func unix(at int64) time.Time { return time.Unix(0, at).UTC() }

// newOwner makes the owner of a rollout; without a machine it will replay the journal.
func newOwner(r *Runner, k rollout.Key, m *rollout.Machine, head rollout.Head) *owner {
	o := &owner{r: r, key: k, head: head, adopted: -1, notify: make(chan struct{}, 1), done: make(chan struct{}), asking: make(map[string]bool)}
	if m != nil {
		o.arrived = true // it is at nothing yet
		o.adopted = m.Adoptions()
		o.use(m, head)
	}
	return o
}

// use makes m the machine, in the state that is written down.
func (o *owner) use(m *rollout.Machine, head rollout.Head) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(m.Plan().Devices)/64 + 1
	o.m, o.head, o.fresh = m, head, true
	o.calls, o.news, o.unsure = make(bitset, n), make(bitset, n), make(bitset, n)
}

// put tells the owner something. One that has ended says so.
func (o *owner) put(i item) {
	o.inbox.Lock()
	closed := o.closed
	if !closed {
		o.r.clock.Busy(1)
		o.items = append(o.items, i)
	}
	o.inbox.Unlock()
	if closed {
		if i.reply != nil {
			i.reply <- errEnded
		}
		return
	}
	o.poke()
}

func (o *owner) poke() {
	select {
	case o.notify <- struct{}{}:
	default:
	}
}

// told says whether there is something in the inbox.
func (o *owner) told() bool {
	o.inbox.Lock()
	defer o.inbox.Unlock()
	return len(o.items) > 0
}

func (o *owner) take() []item {
	o.inbox.Lock()
	defer o.inbox.Unlock()
	items := o.items
	o.items = nil
	return items
}

// conflicts is how often an owner tries again at once because somebody else has appended, before it counts as trouble.
const conflicts = 8

// run is the life of the owner.
func (o *owner) run(ctx context.Context) {
	tokens := 1 // what a virtual clock counts as this goroutine's work
	defer func() { o.r.clock.Busy(-tokens) }()
	defer o.arrive()
	pause, again := time.Second, 0
	for {
		ended, err := o.round(ctx, &tokens)
		switch {
		case ended || ctx.Err() != nil || err != nil && o.lost(err):
			return
		case err == nil:
			pause, again = time.Second, 0
			tokens = o.wait(ctx, tokens)
		case errors.Is(err, rollout.ErrConflict) && again < conflicts:
			again++
			o.r.log.InfoContext(ctx, "rollout was changed by somebody else", "rollout", o.key.String(), "error", err)
		default:
			o.degrade(ctx, err)
			tokens = o.sleep(ctx, pause, tokens)
			pause = min(2*pause, time.Minute)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// round does everything that can be done now, and says whether the rollout has ended.
func (o *owner) round(ctx context.Context, tokens *int) (ended bool, err error) {
	if o.m == nil {
		if err := o.load(ctx); err != nil {
			o.arrive() // if it cannot be read nobody knows what it is working on, and it does not stop the others
			return false, err
		}
	}
	if o.fresh {
		o.act(o.pending())
		o.fresh = false
	}
	told := o.take()
	*tokens += len(told)
	items := append(o.held, told...)
	o.held = nil
	var steps []step
	if o.behind(items) {
		err = fmt.Errorf("runner: %s: journal: %w", o.key, rollout.ErrConflict)
	} else {
		steps = o.decide(items)
		err = o.commit(ctx, steps)
	}
	if err != nil {
		o.drop()
		o.keep(items, err)
		return false, err
	}
	for i := range items {
		if items[i].reply != nil {
			items[i].reply <- stepError(steps, i)
		}
	}
	o.observe(ctx, steps)
	for i := range steps {
		o.act(steps[i].batch.Actions)
	}
	if o.note(steps) {
		o.wakeAll()
	}
	return o.finished(), nil
}

// keep keeps what the owner was told for the next round, after an append has failed. If it is not known whether it was
// written down, those who wait for an answer get the error; the rest does no harm if it comes twice.
func (o *owner) keep(items []item, err error) {
	for _, i := range items {
		if i.reply != nil && !errors.Is(err, rollout.ErrConflict) {
			i.reply <- err
		} else if i.report != nil || i.signal != nil {
			o.held = append(o.held, i)
		}
	}
}

// A step is one batch that the machine decided, or the error of a signal that it refused.
type step struct {
	item    int // that it is about; -1 for none
	batch   rollout.Batch
	granted []int32
	status  rollout.Status
	err     error
}

func stepError(steps []step, i int) error {
	for s := range steps {
		if steps[s].item == i {
			return steps[s].err
		}
	}
	return nil
}

// decide lets the machine decide about everything that the owner was told, about the time, and about what the agenda grants.
func (o *owner) decide(items []item) (steps []step) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	signal := func(i int, s rollout.Signal) {
		b, err := o.m.Step(s)
		st := step{item: i, batch: b, err: err}
		if err == nil && o.r.cfg.Observe != nil && len(b.Events) > 0 {
			st.status = o.m.Status()
		}
		o.mark(b)
		steps = append(steps, st)
	}
	var reports []rollout.TaskReport
	for i := range items {
		if items[i].report != nil {
			reports = append(reports, *items[i].report)
		}
	}
	if len(reports) > 0 {
		o.tenant.mu.Lock()
		sharers := o.tenant.agenda.Sharers(o.m, reports, now)
		o.tenant.mu.Unlock()
		signal(-1, rollout.Reported{At: now, Reports: reports, Sharers: sharers})
	}
	for i := range items {
		if items[i].signal != nil {
			signal(i, items[i].signal(now.UnixNano()))
		}
	}
	if next, ok := o.m.Next(); ok && !next.After(now) {
		signal(-1, rollout.Tick{At: now})
	}
	o.tenant.mu.Lock()
	var granted []int32
	if o.tenant.missing == 0 {
		for _, s := range o.tenant.agenda.Overtaken(o.m, now) {
			signal(-1, s)
		}
		for _, s := range o.tenant.agenda.Restarted(o.m, now) {
			signal(-1, s)
		}
		granted = o.tenant.agenda.Grant(o.m, now)
	}
	o.tenant.mu.Unlock()
	if len(granted) > 0 {
		signal(-1, rollout.Granted{At: now, Devices: granted})
		steps[len(steps)-1].granted = granted
	}
	return steps
}

// mark remembers which tasks are not written down yet, and that nobody else has begun them. The caller holds the lock.
func (o *owner) mark(b rollout.Batch) {
	for _, a := range b.Actions {
		if run, ok := a.(rollout.Run); ok {
			for _, d := range run.Devices {
				o.news.set(d)
				o.unsure.clear(d)
			}
		}
	}
}

// note tells the agenda what was decided, and says whether devices are free now. It comes after the commit: a device whose
// work may not have ended must not be granted to anybody else.
func (o *owner) note(steps []step) (freed bool) {
	o.tenant.mu.Lock()
	defer o.tenant.mu.Unlock()
	for i := range steps {
		freed = o.tenant.agenda.Note(o.m, steps[i].batch, steps[i].granted) || freed
	}
	return freed
}

// now is the time, never before the last signal.
func (o *owner) now() time.Time {
	now := o.r.clock.Now().UTC()
	if last := o.m.Now(); now.Before(last) {
		return last
	}
	return now
}

// commit appends what was decided. Nothing may be acted upon before.
func (o *owner) commit(ctx context.Context, steps []step) error {
	var entries [][]byte
	for i := range steps {
		if len(steps[i].batch.Events) > 0 {
			entries = append(entries, rollout.EncodeBatch(nil, steps[i].batch))
		}
	}
	if len(entries) == 0 {
		return nil
	}
	o.mu.Lock()
	head := o.head
	head.Entries += uint64(len(entries))
	bring(&head, o.m)
	o.mu.Unlock()
	if err := o.r.cfg.Journal.Append(ctx, head, entries); err != nil {
		return fmt.Errorf("runner: %s: journal: %w", o.key, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.head, o.degraded = head, nil
	clear(o.news)
	return nil
}

func (o *owner) observe(ctx context.Context, steps []step) {
	if o.r.cfg.Observe == nil {
		return
	}
	for i := range steps {
		if len(steps[i].batch.Events) > 0 {
			o.r.cfg.Observe(ctx, Transition{Key: o.key, Plan: o.m.Plan(), Batch: steps[i].batch, Status: steps[i].status})
		}
	}
}

// wakeAll lets every rollout of the tenant see what it can get, this one included.
func (o *owner) wakeAll() {
	for _, other := range o.r.ownersOf(o.key.Tenant) {
		other.put(item{})
	}
}

// act hands actions to the workers.
func (o *owner) act(actions []rollout.Action) {
	var jobs []job
	o.mu.Lock()
	for _, a := range actions {
		switch a := a.(type) {
		case rollout.Run:
			jobs = o.runJobs(jobs, a.Devices)
		case rollout.Stop:
			for _, d := range a.Devices {
				if t, ok := o.m.Stopping(d); ok {
					jobs = append(jobs, job{owner: o, what: jobStop, device: d, seq: t.Handle.Seq})
				}
			}
		case rollout.Ask:
			jobs = o.askJob(jobs, a.Request.ID)
		}
	}
	o.mu.Unlock()
	o.enqueue(jobs)
}

func (o *owner) runJobs(jobs []job, devices []int32) []job {
	for _, d := range devices {
		if seq, ok := o.m.Current(d); ok {
			o.calls.set(d)
			jobs = append(jobs, job{owner: o, what: jobRun, device: d, seq: seq})
		}
	}
	return jobs
}

func (o *owner) askJob(jobs []job, request string) []job {
	if o.r.cfg.Approver == nil || o.asking[request] {
		return jobs
	}
	o.asking[request] = true
	return append(jobs, job{owner: o, what: jobAsk, request: request})
}

func (o *owner) enqueue(jobs []job) {
	if len(jobs) == 0 {
		return
	}
	o.r.clock.Busy(len(jobs))
	if !o.r.jobs.put(jobs) {
		o.r.clock.Busy(-len(jobs))
	}
}

// pending is what was begun and is not answered, after a restart.
func (o *owner) pending() []rollout.Action {
	o.mu.Lock()
	defer o.mu.Unlock()
	var actions []rollout.Action
	for a := range o.m.Pending() {
		actions = append(actions, a)
	}
	return actions
}

// poll asks about every task and request for which no call is under way.
func (o *owner) poll() {
	var jobs []job
	o.mu.Lock()
	for d := range o.m.Running() {
		switch {
		case o.calls.has(d):
		case o.unsure.has(d):
			jobs = o.runJobs(jobs, []int32{d})
		default:
			if seq, ok := o.m.Current(d); ok {
				o.calls.set(d)
				jobs = append(jobs, job{owner: o, what: jobPoll, device: d, seq: seq})
			}
		}
	}
	for q := range o.m.Requests() {
		jobs = o.askJob(jobs, q.ID)
	}
	o.mu.Unlock()
	o.enqueue(jobs)
}

// calledBack says that a provider call has returned, and whether it is known now how the task stands.
func (o *owner) calledBack(j job, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch j.what {
	case jobAsk:
		delete(o.asking, j.request)
	case jobRun, jobPoll:
		if seq, ok := o.current(j.device); !ok || seq == j.seq {
			o.calls.clear(j.device)
			if known {
				o.unsure.clear(j.device)
			}
		}
	}
}

// doubts says whether an owner before may have begun the task of j, and nobody knows yet.
func (o *owner) doubts(j job) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	seq, ok := o.current(j.device)
	return ok && seq == j.seq && o.unsure.has(j.device)
}

func (o *owner) current(d int32) (uint32, bool) {
	if o.m == nil {
		return 0, false
	}
	return o.m.Current(d)
}

// task returns the task of device d that a job is about.
func (o *owner) task(d int32, what jobKind) (rollout.Task, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.m == nil:
		return rollout.Task{}, false
	case what == jobStop:
		return o.m.Stopping(d)
	}
	return o.m.Task(d)
}

func (o *owner) request(id string) (policy.Request, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.m != nil {
		for q := range o.m.Requests() {
			if q.ID == id {
				return q, true
			}
		}
	}
	return policy.Request{}, false
}

// wait waits until there is something to do, and returns how much of the virtual clock's work is this goroutine's then.
func (o *owner) wait(ctx context.Context, tokens int) int {
	o.mu.Lock()
	next, timed := o.m.Next()
	waitsForOthers := o.m.Waits()
	o.mu.Unlock()
	o.tenant.mu.Lock()
	waitsForOthers = waitsForOthers || o.tenant.agenda.KeptBack(o.key)
	if at, ok := o.tenant.agenda.Next(o.key); ok && (!timed || at.Before(next)) {
		next, timed = at, true
	}
	o.tenant.mu.Unlock()
	now := o.r.clock.Now()
	if waitsForOthers {
		if !o.nextPoll.After(now) {
			if !o.nextPoll.IsZero() {
				o.poll()
			}
			o.nextPoll = now.Add(o.r.cfg.Poll)
		}
		if !timed || o.nextPoll.Before(next) {
			next, timed = o.nextPoll, true
		}
	} else {
		o.nextPoll = time.Time{}
	}
	var wake <-chan time.Time
	stop := func() {}
	if timed {
		wake, stop = o.r.clock.Wake(next)
	}
	o.r.clock.Busy(-tokens)
	for {
		select {
		case <-ctx.Done():
			stop()
			return 0
		case <-o.notify:
			if o.told() { // not if the last round has taken it already
				stop()
				return 0 // the items bring their own
			}
		case <-wake:
			return 1
		}
	}
}

// sleep pauses after a failure. What the owner is told meanwhile has to wait.
func (o *owner) sleep(ctx context.Context, d time.Duration, tokens int) int {
	wake, stop := o.r.clock.Wake(o.r.clock.Now().Add(d))
	o.r.clock.Busy(-tokens)
	for {
		select {
		case <-ctx.Done():
			stop()
			return 0
		case <-o.notify:
			told := o.take()
			o.held = append(o.held, told...)
			o.r.clock.Busy(-len(told))
		case <-wake:
			return 1
		}
	}
}

// degrade makes an error visible that keeps the rollout from going on. It is tried again.
func (o *owner) degrade(ctx context.Context, err error) {
	o.mu.Lock()
	o.degraded = err
	o.mu.Unlock()
	o.r.log.ErrorContext(ctx, "rollout degraded", "rollout", o.key.String(), "error", err)
	if o.r.cfg.Observe != nil {
		o.r.cfg.Observe(ctx, Transition{Key: o.key, Degraded: err})
	}
}

func (o *owner) finished() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.m.Stage().Final() {
		return false
	}
	o.last = o.m.Status()
	return true
}

// close lets everybody go who waits for this owner.
func (o *owner) close() {
	o.inbox.Lock()
	o.closed = true
	o.inbox.Unlock()
	told := o.take()
	o.r.clock.Busy(-len(told))
	for _, i := range append(o.held, told...) {
		if i.reply != nil {
			i.reply <- errEnded
		}
	}
	close(o.done)
}

var errEnded = errors.New("the rollout's owner has ended")
