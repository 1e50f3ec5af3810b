package simulate

import (
	"container/heap"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// Clock says how virtual time goes. Its zero value serves.
type Clock struct {
	// Step is how often the host looks: what happens in between is told at the next multiple. 0 means 1m.
	Step time.Duration
	// For is when a run is given up, counted from the time of the plan. 0 means 365 days.
	For time.Duration
}

func (c Clock) withDefaults() Clock {
	if c.Step <= 0 {
		c.Step = time.Minute
	}
	if c.For <= 0 {
		c.For = 365 * 24 * time.Hour
	}
	return c
}

// A world is one run: a machine, its agenda, and what is on its way to them.
type world struct {
	oracle
	clock   Clock
	m       *rollout.Machine
	plan    *rollout.Plan
	agenda  *rollout.Agenda
	meter   meter
	observe func(rollout.Batch)

	now, end int64
	absent   []bool // by device: what is verified is that the content is gone
	awaited  []bool // by device: it will be seen again
	times    instants
	mail     map[int64]*letters
}

// letters are what arrives at one instant.
type letters struct {
	reports []rollout.TaskReport
	seen    []int32
	asked   []policy.Request
}

// instants is a heap of the times at which something arrives.
type instants []int64

func (q instants) Len() int           { return len(q) }
func (q instants) Less(i, j int) bool { return q[i] < q[j] }
func (q instants) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push implements [heap.Interface].
func (q *instants) Push(x any) { *q = append(*q, x.(int64)) }

// Pop implements [heap.Interface].
func (q *instants) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// carryOut runs a plan to its end, or until nothing happens by itself any more.
func carryOut(p rollout.Plan, o oracle, clock Clock, agenda func() *rollout.Agenda, observe func(rollout.Batch)) (Run, error) {
	m, err := rollout.NewMachine(p)
	if err != nil {
		return Run{}, err
	}
	w := &world{oracle: o, observe: observe, clock: clock.withDefaults(), m: m, plan: m.Plan(), now: p.At.UnixNano(), agenda: new(rollout.Agenda),
		absent: make([]bool, len(p.Devices)), awaited: make([]bool, len(p.Devices)), mail: make(map[int64]*letters)}
	if agenda != nil {
		w.agenda = agenda()
	}
	w.end = w.now + int64(w.clock.For)
	w.meter = newMeter(m)
	if err := w.step(rollout.Begin{At: p.At}, nil); err != nil {
		return Run{}, err
	}
	for {
		if err := w.instant(); err != nil {
			return Run{}, err
		}
		next, ok := w.next()
		if !ok || next > w.end {
			return w.meter.run(w.m, ok), nil
		}
		w.now = next
		if err := w.step(rollout.Tick{At: w.time()}, nil); err != nil {
			return Run{}, err
		}
	}
}

func (w *world) time() time.Time { return time.Unix(0, w.now).UTC() }

// next is when something happens next.
func (w *world) next() (int64, bool) {
	if w.m.Stage().Final() {
		return 0, false
	}
	next, ok := int64(0), false
	sooner := func(at int64) {
		if !ok || at < next {
			next, ok = at, true
		}
	}
	if at, some := w.m.Next(); some {
		sooner(w.rounded(at.UnixNano()))
	}
	if len(w.times) > 0 {
		sooner(w.times[0])
	}
	if at, some := w.agenda.Next(w.plan.Key); some {
		sooner(w.rounded(at.UnixNano()))
	}
	if w.agenda.KeptBack(w.plan.Key) {
		sooner(w.now + int64(time.Hour)) // nothing tells when that ends
	}
	return max(next, w.now), ok
}

// rounded is when the host looks next, at or after an instant.
func (w *world) rounded(at int64) int64 {
	step := int64(w.clock.Step)
	if rest := at % step; rest != 0 {
		at += step - rest
	}
	return max(at, w.now)
}

// at returns what arrives at an instant, to be added to.
func (w *world) at(at int64) *letters {
	at = w.rounded(at)
	l, ok := w.mail[at]
	if !ok {
		l = new(letters)
		w.mail[at] = l
		heap.Push(&w.times, at)
	}
	return l
}

// instant does everything that happens now.
func (w *world) instant() error {
	for did := true; did; {
		did = false
		for len(w.times) > 0 && w.times[0] <= w.now {
			at := heap.Pop(&w.times).(int64)
			l := w.mail[at]
			delete(w.mail, at)
			if err := w.deliver(l); err != nil {
				return err
			}
			did = true
		}
		if w.m.Stage().Final() {
			return nil
		}
		if granted := w.agenda.Grant(w.m, w.time()); len(granted) > 0 {
			if err := w.step(rollout.Granted{At: w.time(), Devices: granted}, granted); err != nil {
				return err
			}
			did = true
		}
	}
	return nil
}

func (w *world) deliver(l *letters) error {
	if len(l.reports) > 0 {
		if err := w.step(rollout.Reported{At: w.time(), Reports: l.reports}, nil); err != nil {
			return err
		}
	}
	if len(l.seen) > 0 {
		for _, d := range l.seen {
			w.awaited[d] = false
		}
		if err := w.step(rollout.Seen{At: w.time(), Devices: l.seen}, nil); err != nil {
			return err
		}
	}
	for _, q := range l.asked {
		for _, d := range w.voices(&q) {
			if !slices.ContainsFunc(slices.Collect(w.m.Requests()), func(r policy.Request) bool { return r.ID == q.ID }) {
				break
			}
			if err := w.step(rollout.Decided{At: w.time(), Request: q.ID, Decision: d}, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// voices are the approvals of as many people as a request takes. A need that names fewer people than it wants stays unmet.
func (w *world) voices(q *policy.Request) (all []policy.Decision) {
	needs := q.Needs
	if len(needs) == 0 {
		needs = []policy.Need{{}}
	}
	for _, n := range needs {
		for i := range max(n.Quorum, 1) {
			d := policy.Decision{Ruling: policy.Approved, By: "approver " + strconv.Itoa(i+1), Digest: q.Digest, At: w.time()}
			if len(n.Approvers) > 0 {
				name := n.Approvers[i%len(n.Approvers)]
				if group, ok := strings.CutPrefix(name, "group:"); ok {
					d.Groups = []string{group}
				} else {
					d.By = name
				}
			}
			all = append(all, d)
		}
	}
	return all
}

// step gives a signal to the machine and does what it wants.
func (w *world) step(s rollout.Signal, granted []int32) error {
	b, err := w.m.Step(s)
	if err != nil {
		return fmt.Errorf("simulate: %w", err)
	}
	w.agenda.Note(w.m, b, granted)
	w.meter.batch(w.m, &b)
	if !b.Empty() {
		w.observe(b)
	}
	for _, e := range b.Events {
		if e, ok := e.(rollout.Issued); ok {
			for _, d := range e.Devices {
				w.absent[d] = e.Absent
			}
		}
	}
	for _, a := range b.Actions {
		switch a := a.(type) {
		case rollout.Run:
			for _, d := range a.Devices {
				w.begin(d)
			}
		case rollout.Ask:
			l := w.at(w.now + int64(w.approval(a.Request.ID)))
			l.asked = append(l.asked, a.Request)
		}
	}
	return nil
}

// up says that every probe of the policy finds what it looks for: nothing is known of how that goes.
func (w *world) up() []rollout.ProbeResult {
	var all []rollout.ProbeResult
	for _, p := range w.m.Plan().Policy.Health.Probes.List {
		all = append(all, rollout.ProbeResult{Name: p.Name, Up: patch.Yes})
	}
	return all
}

// begin lets a device begin the task that it is given.
func (w *world) begin(d int32) {
	seq, running := w.m.Current(d)
	if !running {
		return
	}
	t := task{device: d, seq: seq, op: w.m.Device(int(d)).Op, absent: w.absent[d]}
	a := w.oracle.begin(t, w.now)
	if a.lost {
		return
	}
	if (t.op == rollout.OpPrecheck || t.op == rollout.OpProbe) && a.report.Phase == rollout.PhaseSucceeded {
		a.report.Probes = w.up()
	}
	if t.op == rollout.OpLook && a.report.Reboot == patch.Unknown {
		a.report.Reboot = patch.No // nothing is known of restarts that devices wait for
	}
	if t.op == rollout.OpBackup && a.report.Phase == rollout.PhaseSucceeded {
		a.report.Backup = rollout.Backup{ID: "simulated", At: time.Unix(0, w.now).UTC()}
	}
	l := w.at(w.now + int64(a.took))
	l.reports = append(l.reports, rollout.TaskReport{Handle: rollout.Handle{Device: d, Seq: seq}, Report: a.report})
	if a.report.Fault == patch.Unreachable && !w.awaited[d] {
		if back := w.back(d, w.now); back > w.now {
			w.awaited[d] = true
			l := w.at(back)
			l.seen = append(l.seen, d)
		}
	}
}
