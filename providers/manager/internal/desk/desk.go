package desk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// Config says how long a desk waits.
type Config struct {
	Name  string        // stands before errors
	Wait  time.Duration // how long Begin waits for the end of the work; 0 means as long as its context, less than 0 not at all
	Limit time.Duration // how long the work for one task may take

	// Answer is how long a device may take to say what its ledger holds, and how a task stands there; 0 means two minutes. One that takes longer cannot be
	// reached, as far as anybody can tell: it is asked anew, and does not keep the caller for as long as that would wait for work.
	Answer time.Duration

	Now func() time.Time
}

// A Desk carries out tasks, those of one device one after the other. It is safe for concurrent use.
type Desk struct {
	Config
	ctx    context.Context // of the work, which outlives the calls that begin it
	stop   context.CancelFunc
	mu     sync.Mutex
	closed bool
	jobs   map[rollout.TaskID]*job
	queues map[key]chan struct{}
}

type key struct {
	tenant inventory.Tenant
	device inventory.DeviceID
}

// A job is a task that this desk has begun. It is forgotten when its end is written down.
type job struct {
	ready   chan struct{} // closed when it is claimed, or cannot be
	done    chan struct{} // closed when it has ended
	wished  chan struct{} // closed when somebody wishes it to be stopped
	once    sync.Once
	running bool // guarded by Desk.mu
	err     error
	report  rollout.Report
}

// New returns a desk. Close ends it.
func New(c Config) *Desk {
	if c.Answer <= 0 {
		c.Answer = 2 * time.Minute
	}
	k := &Desk{Config: c, jobs: make(map[rollout.TaskID]*job), queues: make(map[key]chan struct{})}
	k.ctx, k.stop = context.WithCancel(context.Background())
	return k
}

// A Ledger is where a device keeps which tasks have begun and how they have ended: a [Device], or a [Folder].
type Ledger interface {
	// Claim writes down that b has begun. The entry is not Found if it is the caller's to begin; otherwise it says what became of
	// it. An error means that nothing was claimed, unless it wraps [transport.ErrUnknownOutcome].
	Claim(ctx context.Context, b Begun) (Entry, error)
	// Read returns what the ledger says of a task.
	Read(ctx context.Context, id rollout.TaskID) (Entry, error)
	// Asked writes down that the device is asked to do what the task is about, for good. Of several who do, at once or one after the
	// other, it is true for the first only.
	Asked(ctx context.Context, id rollout.TaskID) (first bool, err error)
	// End writes down how a task has ended. The first word stands.
	End(ctx context.Context, id rollout.TaskID, r rollout.Report) error
}

// A Book is a ledger in which it also stands what tasks replace.
type Book interface {
	Ledger
	// Note adds lines, for good.
	Note(ctx context.Context, lines []byte) error
	// Notes returns all lines, oldest first.
	Notes(ctx context.Context) ([]byte, error)
}

var (
	_ Book = Device{}
	_ Book = Folder("")
)

// Work is what a task does on its device. Until it has begun to change anything it is to look at Cancelled, and to return
// [rollout.PhaseStopped] then.
type Work func(ctx context.Context, cancelled <-chan struct{}) rollout.Report

// Settle tells how a task stands that somebody has begun whose end nobody has written down, and whether it may as well be begun again, as
// nothing has come of it: then [Desk.Begin] does that, whatever r is.
type Settle func(ctx context.Context, b Begun) (r rollout.Report, again bool, err error)

// Begin carries t out with do, unless that was begun before by anybody and has come to something, and returns how it stands.
func (k *Desk) Begin(ctx context.Context, d Ledger, t rollout.Task, b Begun, do Work, settle Settle) (rollout.Report, error) {
	if t.ID == "" {
		return rollout.Report{}, fmt.Errorf("%s: %s on device %q: the task has no ID: %w", k.Name, b.Op, t.Device, patch.ErrPermanent)
	}
	if err := ctx.Err(); err != nil {
		return rollout.Report{}, fmt.Errorf("%s: %s: %w", k.Name, t.ID, err)
	}
	j, mine, err := k.job(t)
	if err != nil {
		return rollout.Report{}, err
	}
	if mine {
		k.claim(ctx, d, t, b, j, do, settle)
	}
	select {
	case <-j.ready:
	case <-ctx.Done():
		return rollout.Report{}, fmt.Errorf("%s: %s: %w", k.Name, t.ID, ctx.Err())
	}
	if j.err != nil {
		return rollout.Report{}, fmt.Errorf("%s: %s on device %q: %w", k.Name, b.Op, t.Device, j.err)
	}
	if k.Wait < 0 {
		return k.stands(j), nil
	}
	if k.Wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, k.Wait)
		defer cancel()
	}
	select {
	case <-j.done:
	case <-ctx.Done():
	}
	return k.stands(j), nil
}

// job finds the job of t, or makes it. The one who has made it is to claim it.
func (k *Desk) job(t rollout.Task) (j *job, mine bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if j = k.jobs[t.ID]; j != nil {
		return j, false, nil
	}
	if k.closed {
		return nil, false, fmt.Errorf("%s: %s: closed", k.Name, t.ID)
	}
	j = &job{ready: make(chan struct{}), done: make(chan struct{}), wished: make(chan struct{})}
	k.jobs[t.ID] = j
	return j, true, nil
}

// claim writes t into the ledger and starts its work, or finds out how it stands.
func (k *Desk) claim(ctx context.Context, d Ledger, t rollout.Task, b Begun, j *job, do Work, settle Settle) {
	defer close(j.ready)
	over := func(r rollout.Report, err error) {
		j.report, j.err = r, err
		close(j.done)
		k.forget(t.ID)
	}
	b.ID = t.ID
	caller := ctx
	ctx, cancel := context.WithTimeout(caller, k.Answer)
	defer cancel() // the work has a time of its own
	late := k.late(t)
	claim := func() (Entry, error) { return d.Claim(ctx, b) }
	if late != nil {
		claim = func() (Entry, error) { return d.Read(ctx, t.ID) }
	}
	e, err := claim()
	switch {
	case err != nil:
		over(rollout.Report{}, k.answered(caller, ctx, err))
	case late != nil && !e.Found:
		over(rollout.Failure(late), nil)
	case e.Found:
		r, again, err := k.settled(ctx, d, t, e, settle, true)
		if !again {
			over(r, k.answered(caller, ctx, err))
			return
		}
		go k.run(d, t, j, do)
	default:
		go k.run(d, t, j, do)
	}
}

// answered returns the error of a question that was bounded by ctx, which caller has asked: one that came of that bound alone says that the device cannot
// be reached.
func (k *Desk) answered(caller, ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && caller.Err() == nil {
		return fmt.Errorf("no answer within %s: %w: %w", k.Answer, err, patch.ErrUnreachable)
	}
	return err
}

func (k *Desk) late(t rollout.Task) error {
	if now := k.Now(); !t.StartBy.IsZero() && now.After(t.StartBy) {
		return fmt.Errorf("%s: not begun: it is %s, and was to be begun by %s: %w", k.Name, now.UTC().Format(time.RFC3339), t.StartBy.UTC().Format(time.RFC3339), patch.ErrBusy)
	}
	return nil
}

// run does the work when it is its turn, and writes down how it has ended.
func (k *Desk) run(d Ledger, t rollout.Task, j *job, do Work) {
	ctx, cancel := context.WithTimeout(k.ctx, k.Limit)
	defer cancel()
	j.report = k.turn(ctx, t, j, do)
	// The work is over, whatever has stopped it: what is true is to be written down.
	last, cancelLast := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancelLast()
	written := d.End(last, t.ID, j.report)
	close(j.done)
	if written == nil {
		k.forget(t.ID)
	}
}

func (k *Desk) turn(ctx context.Context, t rollout.Task, j *job, do Work) rollout.Report {
	queue := k.queue(t)
	stopped := rollout.Report{Phase: rollout.PhaseStopped, Message: "cancelled before it began"}
	select {
	case queue <- struct{}{}:
		defer func() { <-queue }()
	case <-j.wished:
		return stopped
	case <-ctx.Done():
		return rollout.Failure(fmt.Errorf("%s: not begun: %w: %w", k.Name, ctx.Err(), patch.ErrBusy))
	}
	select {
	case <-j.wished:
		return stopped
	default:
	}
	if err := k.late(t); err != nil {
		return rollout.Failure(err)
	}
	k.mu.Lock()
	j.running = true
	k.mu.Unlock()
	return do(ctx, j.wished)
}

func (k *Desk) queue(t rollout.Task) chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := key{t.Tenant, t.Device}
	if k.queues[at] == nil {
		k.queues[at] = make(chan struct{}, 1)
	}
	return k.queues[at]
}

func (k *Desk) forget(id rollout.TaskID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.jobs, id)
}

// stands returns how a job that is claimed stands.
func (k *Desk) stands(j *job) rollout.Report {
	select {
	case <-j.done:
		return j.report
	default:
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if j.running {
		return rollout.Report{Phase: rollout.PhaseRunning}
	}
	return rollout.Report{Phase: rollout.PhaseQueued}
}

// Status tells how t stands, by what this desk does or what the ledger of the device says.
func (k *Desk) Status(ctx context.Context, d Ledger, t rollout.Task, settle Settle) (rollout.Report, error) {
	k.mu.Lock()
	j := k.jobs[t.ID]
	k.mu.Unlock()
	if j != nil {
		select {
		case <-j.ready:
		case <-ctx.Done():
			return rollout.Report{}, fmt.Errorf("%s: %s: %w", k.Name, t.ID, ctx.Err())
		}
		if j.err == nil {
			return k.stands(j), nil
		}
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(caller, k.Answer)
	defer cancel()
	e, err := d.Read(ctx, t.ID)
	if err != nil || !e.Found {
		return rollout.Report{}, k.answered(caller, ctx, err)
	}
	r, _, err := k.settled(ctx, d, t, e, settle, false)
	return r, k.answered(caller, ctx, err)
}

// settled returns what a page says, or what settle finds out and writes there; or, to somebody who would do so, that it is to be begun again.
func (k *Desk) settled(ctx context.Context, d Ledger, t rollout.Task, e Entry, settle Settle, would bool) (rollout.Report, bool, error) {
	if e.Report != nil {
		return *e.Report, false, nil
	}
	r, again, err := settle(ctx, e.Begun)
	if again = again && would && err == nil; again || err != nil || !r.Phase.Last() {
		return r, again, err
	}
	if err := d.End(ctx, t.ID, r); err != nil {
		return rollout.Report{}, false, err
	}
	// Another one may have been faster, and has the first word.
	if e, err = d.Read(ctx, t.ID); err != nil || e.Report == nil {
		return rollout.Report{}, false, errors.Join(err, ctx.Err())
	}
	return *e.Report, false, nil
}

// Cancel wishes that t be stopped.
func (k *Desk) Cancel(id rollout.TaskID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if j := k.jobs[id]; j != nil {
		j.once.Do(func() { close(j.wished) })
	}
}

// Drain returns when the work that was under way is over, or ctx has ended.
func (k *Desk) Drain(ctx context.Context) error {
	k.mu.Lock()
	jobs := slices.Collect(maps.Values(k.jobs))
	k.mu.Unlock()
	for _, j := range jobs {
		select {
		case <-j.done:
		case <-ctx.Done():
			return fmt.Errorf("%s: work is still under way: %w", k.Name, ctx.Err())
		}
	}
	return nil
}

// lastWords is how long Close waits for what it has cut short to be written down.
const lastWords = 10 * time.Second

// Close takes no more work, stops what has changed nothing yet, and waits for the rest until ctx ends. What is under way
// then is cut short, and Close waits ten seconds more at most, so that the ledger is left alone when it returns; the error is that of ctx.
func (k *Desk) Close(ctx context.Context) error {
	k.mu.Lock()
	k.closed = true
	for _, j := range k.jobs {
		j.once.Do(func() { close(j.wished) })
	}
	k.mu.Unlock()
	err := k.Drain(ctx)
	k.stop()
	if err != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
		_ = k.Drain(last)
	}
	return err
}
