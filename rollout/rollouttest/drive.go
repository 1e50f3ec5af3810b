package rollouttest

import (
	"container/heap"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// DriveConfig says how [Drive] behaves. Its zero value is a host that never fails.
type DriveConfig struct {
	Seed uint64 // for what is drawn here

	CrashEvery int           // throw all machines away after every so many entries, and replay; 0 means never
	LoseEvery  int           // of so many steps one dies with its host: nothing of it is written down, or a part, or all and nobody knows; 0 means never
	JumpEvery  int           // of so many instants after one the host's clock is wrong, set right, or late because the host slept; 0 means never
	Twice      bool          // bring every report twice
	Late       time.Duration // bring every report again after so long; 0 means never
	Single     bool          // bring reports of one instant one by one, in any order, instead of together
	Tick       time.Duration // tick so often, whether it matters or not; 0 means only when it matters
	Seen       bool          // tell when a device that was unreachable is back
	Limit      int           // of the agenda

	Shadow bool          // compare with replayed machines after every step, as stories do; slow
	For    time.Duration // give up after so long; 0 means 200 days

	// Person is asked from time to time, with a number that grows, and when nothing happens by itself any more: it may give a
	// command. Refused commands do no harm. Nil means that nobody does anything before the rollouts rest; then they are cancelled.
	// Devices that failed under a budget are acknowledged in any case: nothing else gives their places back.
	Person func(n int, resting bool, m *rollout.Machine) (rollout.Command, bool)

	// Joiner is asked from time to time, with a number that grows: it may tell of a device that has turned up. One that is refused does no
	// harm. Nil means that none does.
	Joiner func(n int, m *rollout.Machine) (rollout.Joiner, bool)

	// Leaver is asked from time to time, with a number that grows: it may tell of a device that has left or changed, which every rollout
	// that has it is told. Nil means that none does.
	Leaver func(n int, m *rollout.Machine) (rollout.Departure, bool)
}

// A Result is how one rollout of a [Drive] ended.
type Result struct {
	Stage    rollout.Stage
	Outcomes map[inventory.DeviceID]rollout.Outcome
	Ended    time.Time // by the clocks of the devices
	Rested   time.Time // when nothing happened any more, without people, if that was so; by the clocks of the devices as well
	Unasked  string    // why it was not over, when nothing happened any more and nothing had asked people to see to it; empty if that never was
	Steps    int       // signals
	Tasks    int
	Shared   int // restarts that were another rollout's
	Yielded  int // devices that were let go before their restart
	Entries  [][]byte
	Machine  *rollout.Machine

	// Crashes is how often the host died at a step of this rollout: before, while, or after that was written down, or in the recovery from another
	// crash. Each time every machine was made anew from its journal, was like the one before in all that can be asked, and went on; what
	// was pending was done again. A machine that is only compared ([DriveConfig.Shadow]) does not count.
	Crashes int
	Torn    int // of these: at a step that left a part of its entry
	Unknown int // of these: at a step of which the whole entry was there, and nobody had done anything
	Again   int // of these: in a recovery

	Jumps  int // of the host's clock while the rollout was not over
	Behind int // signals while that clock showed less than the rollout had been told before
}

// AfterCalm is how long after calm a rollout went on by itself: until it ended, or until people had to see to it.
func (r *Result) AfterCalm(calm time.Time) time.Duration {
	end := r.Ended
	if !r.Rested.IsZero() && r.Rested.Before(end) {
		end = r.Rested
	}
	return max(end.Sub(calm), 0)
}

// Drive is a whole host in virtual time: it carries plans out on a fleet, under one agenda, with a journal in memory, and
// checks after every step what must hold ([Auditor]): that nothing is begun twice, lost, out of turn, outside its window
// or beyond a limit, that counts are right, that time matters only in the future, that every rollout ends, and that a replayed
// machine is like the live one. It returns the results in the order of the plans.
func Drive(f *Fleet, cfg DriveConfig, plans ...rollout.Plan) ([]Result, error) {
	d := &driver{cfg: cfg, fleet: f, runs: make([]*driven, len(plans))}
	if d.cfg.For == 0 {
		d.cfg.For = 200 * 24 * time.Hour
	}
	for i := range plans {
		tape, err := newTape(plans[i])
		if err != nil {
			return nil, err
		}
		audit, err := NewAuditor(&plans[i])
		if err != nil {
			return nil, err
		}
		d.runs[i] = &driven{tape: tape, audit: audit}
		if d.now.Before(plans[i].At) {
			d.now = plans[i].At
		}
	}
	err := d.drive()
	var results []Result
	for _, r := range d.runs {
		m := r.tape.live
		res := Result{Stage: m.Stage(), Outcomes: make(map[inventory.DeviceID]rollout.Outcome), Ended: r.ended, Rested: r.rested, Unasked: r.unasked, Steps: r.steps,
			Tasks: r.audit.Tasks(), Shared: r.audit.shares, Yielded: r.audit.yields, Entries: r.tape.entries, Machine: m,
			Crashes: r.crashes, Torn: r.torn, Unknown: r.unknown, Again: r.again, Jumps: r.jumps, Behind: r.behind}
		for i, id := range r.tape.plan.Devices {
			res.Outcomes[id] = m.Device(i).Outcome
		}
		results = append(results, res)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", d.now.Format(time.DateTime), err)
	}
	return results, err
}

type driver struct {
	cfg    DriveConfig
	fleet  *Fleet
	now    time.Time
	runs   []*driven
	agenda *rollout.Agenda
	queue  mail
	order  int
	asked  int
	steps  int
	lost   bool // the last step was

	crashes int
	skew    time.Duration // of the host's clock

	happened time.Time // when something was decided last
}

// patience is how long nothing may happen though time may change something, before people see to it: rollouts that wait for their windows may wait
// for what a halted one holds as well. It is longer than windows are apart.
const patience = 20 * 24 * time.Hour

type driven struct {
	tape                 *tape
	audit                *Auditor
	asked                time.Time // when the agenda was last asked what it may begin
	steps                int
	since                map[inventory.DeviceID]bool // devices that were made anew after the rollout was over
	asks                 []policy.Request
	ended, rested        time.Time // by the clocks of the devices
	crashes, torn, again int
	unknown              int
	unasked              string
	jumps, behind        int
}

// mail is what will reach the host, by time.
type mail []letter

type letter struct {
	at     time.Time
	order  uint64
	run    int
	report rollout.TaskReport
	seen   bool             // no report: the device was heard of
	wish   rollout.Deferred // if somebody wishes: to put a restart off
	voice  rollout.Feedback // if somebody speaks: what somebody says
	sample rollout.Sample   // if it names a metric: no report either
}

func (q mail) Len() int { return len(q) }
func (q mail) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].order < q[j].order
}
func (q mail) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements [heap.Interface].
func (q *mail) Push(x any) { *q = append(*q, x.(letter)) }

// Pop implements [heap.Interface].
func (q *mail) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func (d *driver) post(l letter) {
	d.order++
	l.order = uint64(d.order)
	if d.cfg.Single {
		l.order = mix(d.cfg.Seed, d.order, "order")
	}
	heap.Push(&d.queue, l)
}

func (d *driver) drive() error {
	end := d.now.Add(d.cfg.For)
	d.newAgenda()
	for i, r := range d.runs {
		for len(r.tape.entries) == 0 { // again if the step was lost with its host
			if err := d.step(i, rollout.Begin{At: d.at(i)}, nil); err != nil {
				return err
			}
		}
	}
	for resting, again := 0, 0; ; {
		if err := d.instant(); err != nil {
			return err
		}
		if !slices.ContainsFunc(d.runs, func(r *driven) bool { return !r.tape.live.Stage().Final() }) && len(d.queue) == 0 {
			return d.finished()
		}
		if d.world().After(end) {
			return fmt.Errorf("not over after %s: %s", d.cfg.For, d.why())
		}
		next, ok := d.next()
		if ok && d.now.Sub(d.happened) < patience {
			resting = 0
			if again++; next.After(d.now) {
				again = 0
			} else if again > 10000 {
				return fmt.Errorf("the next instant is now, for ever: %s", d.why())
			}
			d.pass(next)
			if err := d.tick(); err != nil {
				return err
			}
			continue
		}
		if did, err := d.acknowledge(true); err != nil {
			return err
		} else if did {
			continue
		}
		d.rest(ok)
		resting++
		if resting > 20 {
			return fmt.Errorf("it rests and does not end: %s", d.why())
		}
		d.now = d.now.Add(time.Hour)
		if err := d.persons(true, resting > 10); err != nil {
			return err
		}
	}
}

// rest notes that nothing happens any more without people, and whether somebody of them was asked: a rollout was halted or paused, or its ring
// cannot get further by itself. Another one may wait for it.
func (d *driver) rest(timed bool) {
	asked := timed // or they see to it early
	for _, r := range d.runs {
		held := func(s rollout.RingStatus) bool { return s.Held != "" }
		m := r.tape.live
		over := m.Stage().Final()
		asked = asked || !over && (m.Stage() == rollout.StageHalted || m.Stage() == rollout.StagePaused || slices.ContainsFunc(m.Status().Rings, held))
	}
	for _, r := range d.runs {
		if r.tape.live.Stage().Final() {
			continue
		}
		if r.rested.IsZero() {
			r.rested = d.happened.Add(-d.skew)
		}
		if !asked {
			r.unasked = d.why()
		}
	}
}

// next is the next instant at which something happens.
func (d *driver) next() (time.Time, bool) {
	var next time.Time
	sooner := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for _, r := range d.runs {
		if at, ok := r.tape.live.Next(); ok {
			sooner(at)
		}
		if at, ok := d.agenda.Next(r.tape.plan.Key); ok {
			sooner(at)
		}
	}
	if len(d.queue) > 0 {
		sooner(d.queue[0].at)
	}
	if next.IsZero() {
		return next, false
	}
	if d.cfg.Tick > 0 && next.Sub(d.now) > d.cfg.Tick {
		next = d.now.Add(d.cfg.Tick)
	}
	if next.Before(d.now) {
		next = d.now
	}
	return next, true
}

// tick tells everybody the time, and checks that time matters only in the future then.
func (d *driver) tick() error {
	for i, r := range d.runs {
		if err := d.step(i, rollout.Tick{At: d.at(i)}, nil); err != nil {
			return err
		}
		if next, ok := r.tape.live.Next(); ok && !next.After(d.at(i)) && d.cfg.LoseEvery == 0 {
			return fmt.Errorf("%s: Next is %s, although a tick changes nothing any more", r.tape.plan.Key, next)
		}
	}
	return nil
}

// instant does everything that happens now.
func (d *driver) instant() error {
	for round := 0; ; round++ {
		if round > 10000 {
			return fmt.Errorf("this instant does not end: %s", d.why())
		}
		if err := d.persons(false, false); err != nil {
			return err
		}
		did, err := d.deliver()
		if err != nil {
			return err
		}
		granted, err := d.grant()
		if err != nil {
			return err
		}
		answered, err := d.answer()
		acknowledged := false
		if err == nil {
			acknowledged, err = d.acknowledge(false)
		}
		if err != nil {
			return err
		}
		if !did && !granted && !answered && !acknowledged {
			return nil
		}
	}
}

// deliver brings the reports that are due.
func (d *driver) deliver() (bool, error) {
	var due []letter
	for len(d.queue) > 0 && !d.queue[0].at.After(d.now) {
		due = append(due, heap.Pop(&d.queue).(letter))
		if d.cfg.Single {
			break
		}
	}
	for i := range d.runs {
		var reports []rollout.TaskReport
		var seen []int32
		var samples []rollout.Sample
		for _, l := range due {
			switch {
			case l.run != i:
			case l.wish.By != "":
				l.wish.At = d.at(i)
				if err := d.step(i, l.wish, nil); err != nil && !errors.Is(err, rollout.ErrFinal) && !errors.Is(err, rollout.ErrCommand) {
					return true, err
				}
			case l.voice.By != "":
				l.voice.At = d.at(i)
				if err := d.step(i, l.voice, nil); err != nil && !errors.Is(err, rollout.ErrFinal) && !errors.Is(err, rollout.ErrCommand) {
					return true, err
				}
			case l.sample.Metric != "":
				samples = append(samples, l.sample)
			case l.seen:
				seen = append(seen, l.report.Device)
			default:
				reports = append(reports, l.report)
			}
		}
		if len(reports) > 0 {
			sharers, err := d.sharers(i, reports)
			if err != nil {
				return true, err
			}
			if err := d.step(i, rollout.Reported{At: d.at(i), Reports: reports, Sharers: sharers}, nil); err != nil {
				return true, err
			}
			if d.cfg.Twice {
				if err := d.step(i, rollout.Reported{At: d.at(i), Reports: slices.Clone(reports)}, nil); err != nil {
					return true, err
				}
			}
		}
		if len(samples) > 0 {
			if err := d.step(i, rollout.Sampled{At: d.at(i), Samples: samples}, nil); err != nil {
				return true, err
			}
		}
		if len(seen) > 0 {
			if err := d.step(i, rollout.Seen{At: d.at(i), Devices: seen}, nil); err != nil {
				return true, err
			}
		}
	}
	return len(due) > 0, nil
}

func (d *driver) grant() (bool, error) {
	did := false
	for i, r := range d.runs {
		if err := d.others(i); err != nil {
			return true, err
		}
		before := disruption(d.runs)
		r.asked = d.at(i)
		if g := d.agenda.Grant(r.tape.live, r.asked); len(g) > 0 {
			did = true
			if err := d.newestFirst(r, g); err != nil {
				return true, err
			}
			if err := d.apart(r, g); err != nil {
				return true, err
			}
			if err := d.step(i, rollout.Granted{At: d.at(i), Devices: g}, g); err != nil {
				return true, err
			}
			if err := d.domains(r, g, before); err != nil {
				return true, err
			}
		}
	}
	return did, nil
}

// answer approves what is asked for, in an emergency if that may lift something.
func (d *driver) answer() (bool, error) {
	did := false
	for i, r := range d.runs {
		asks := r.asks
		r.asks = nil
		for _, q := range asks {
			did = true
			decision := policy.Decision{Ruling: policy.Approved, By: "hans", Digest: q.Digest, At: d.at(i)}
			if len(q.Needs) == 1 && q.Needs[0].Emergency && q.Needs[0].Bypass != (policy.Bypass{}) {
				decision.Emergency = &policy.Emergency{Reason: "driven", ReviewDue: d.at(i), Bypass: q.Needs[0].Bypass}
			}
			if err := d.step(i, rollout.Decided{At: d.at(i), Request: q.ID, Decision: decision}, nil); err != nil {
				return true, err
			}
		}
	}
	return did, nil
}

// persons lets people give commands. With last the rollouts are cancelled.
func (d *driver) persons(resting, last bool) error {
	for i, r := range d.runs {
		m := r.tape.live
		if m.Stage().Final() || m.Stage() == rollout.StageUnknown {
			continue
		}
		cancel := rollout.Command{Do: rollout.DoCancel, By: "inge", Reason: "nothing happens any more"}
		c, ok := cancel, resting
		if d.cfg.Person != nil && !last {
			d.asked++
			c, ok = d.cfg.Person(d.asked, resting, m)
		}
		if d.cfg.Joiner != nil && !resting {
			d.asked++
			if j, ok := d.cfg.Joiner(d.asked, m); ok {
				if err := d.step(i, rollout.Joined{At: d.at(i), Joiners: []rollout.Joiner{j}}, nil); err != nil && !errors.Is(err, rollout.ErrJoin) {
					return err
				}
				if m = r.tape.live; m.Stage().Final() {
					continue
				}
			}
		}
		if d.cfg.Leaver != nil && !resting {
			if err := d.leaves(m); err != nil {
				return err
			}
			if m = r.tape.live; m.Stage().Final() {
				continue
			}
		}
		if !ok {
			continue
		}
		if err := d.step(i, rollout.Commanded{At: d.at(i), Command: c}, nil); err != nil && !errors.Is(err, rollout.ErrCommand) {
			return err
		}
	}
	return nil
}

// step gives a signal to a rollout: decide, write down, act.
func (d *driver) step(i int, s rollout.Signal, granted []int32) error {
	r := d.runs[i]
	r.steps++
	d.steps++
	d.lost = false
	if err := d.older(i); err != nil {
		return fmt.Errorf("%s: %w", r.tape.plan.Key, err)
	}
	f := d.fate()
	if f == stepIsLost || f == stepIsTorn {
		return d.lose(i, s, f)
	}
	b, err := d.decide(r, s)
	if err != nil {
		return fmt.Errorf("%s: %T: %w", r.tape.plan.Key, s, err)
	}
	if err := d.happens(i, s, b); err != nil {
		return err
	}
	if f == stepIsUnknown {
		r.unknown++
		return d.crash(i, nil, nil)
	}
	d.agenda.Note(r.tape.live, b, granted)
	for _, a := range b.Actions {
		d.act(i, a)
	}
	if d.cfg.CrashEvery > 0 && !b.Empty() && len(r.tape.entries)%d.cfg.CrashEvery == 0 {
		return d.crash(i, nil, nil)
	}
	return nil
}

// happens checks what was decided and written down, and lets devices and people say what follows for them.
func (d *driver) happens(i int, s rollout.Signal, b rollout.Batch) error {
	r := d.runs[i]
	if err := r.audit.Batch(b); err != nil {
		return fmt.Errorf("%s: %T: %w", r.tape.plan.Key, s, err)
	}
	if err := r.audit.Machine(r.tape.live); err != nil {
		return fmt.Errorf("%s: after %T: %w", r.tape.plan.Key, s, err)
	}
	if r.ended.IsZero() && r.tape.live.Stage().Final() {
		r.ended = d.world()
	}
	d.samples(i, b)
	d.wishes(i, b)
	return nil
}

func (d *driver) decide(r *driven, s rollout.Signal) (rollout.Batch, error) {
	if d.cfg.Shadow {
		b, err := r.tape.step(s)
		if err == nil && !b.Empty() {
			d.happened = d.now
		}
		if n := len(r.tape.shadows); n > 3 {
			r.tape.shadows = r.tape.shadows[n-3:]
		}
		return b, err
	}
	b, err := r.tape.live.Step(s)
	if err == nil && !b.Empty() {
		d.happened = d.now
		r.tape.entries = append(r.tape.entries, rollout.EncodeBatch(nil, b))
		r.tape.plan = *r.tape.live.Plan()
	}
	return b, err
}

func (d *driver) newAgenda() {
	d.agenda = &rollout.Agenda{Limit: d.cfg.Limit}
	for _, r := range d.runs {
		d.agenda.Add(r.tape.live)
	}
}

func (d *driver) act(i int, a rollout.Action) {
	m := d.runs[i].tape.live
	switch a := a.(type) {
	case rollout.Ask:
		d.runs[i].asks = append(d.runs[i].asks, a.Request)
	case rollout.Run:
		for _, dev := range a.Devices {
			if t, ok := m.Task(dev); ok {
				for _, u := range t.Unended {
					if earlier := t.Earlier(u); u.Stop {
						if answer, stopped := d.fleet.Stop(earlier, d.world()); stopped {
							d.reply(i, earlier, answer)
						}
					}
				}
				d.reply(i, t, d.fleet.Begin(t, d.world()))
			}
		}
	case rollout.Stop:
		for _, dev := range a.Devices {
			if t, ok := m.Stopping(dev); ok {
				if answer, stopped := d.fleet.Stop(t, d.world()); stopped {
					d.reply(i, t, answer)
				}
			}
		}
	}
}

func (d *driver) reply(i int, t rollout.Task, a Answer) {
	if a.Lost {
		return
	}
	at := a.At.Add(d.skew)
	if at.Before(d.now) {
		at = d.now
	}
	l := letter{at: at, run: i, report: rollout.TaskReport{Handle: t.Handle, Report: a.Report}}
	d.post(l)
	if d.cfg.Late > 0 {
		l.at = at.Add(d.cfg.Late)
		d.post(l)
	}
	if online, back := d.fleet.Online(t.Device, d.world()); d.cfg.Seen && !online {
		d.post(letter{at: back.Add(d.skew), run: i, report: rollout.TaskReport{Handle: t.Handle}, seen: true})
	}
}

// finished checks the end against the truth.
func (d *driver) finished() error {
	if faults := d.fleet.Faults(); len(faults) > 0 {
		return errors.New(faults[0])
	}
	for _, r := range d.runs {
		p := &r.tape.plan
		for i, id := range p.Devices {
			if r.since[id] || r.tape.live.Device(i).Left != rollout.LeavingUnknown {
				continue // what has become of it since is not this rollout's
			}
			has := d.fleet.Has(id, p.Contents[p.Content[i]])
			switch o := r.tape.live.Device(i).Outcome; o {
			case rollout.Succeeded, rollout.AlreadyInstalled:
				if !has {
					return fmt.Errorf("%s: device %s: %s, and the content is not there", p.Key, id, o)
				}
			case rollout.RolledBack:
				if has {
					return fmt.Errorf("%s: device %s: %s, and the content is there", p.Key, id, o)
				}
			}
		}
	}
	return nil
}

// why says why nothing ends.
func (d *driver) why() string {
	s := ""
	for _, r := range d.runs {
		m := r.tape.live
		s += fmt.Sprintf("%s is %s", r.tape.plan.Key, m.Stage())
		for _, ring := range m.Status().Rings {
			s += fmt.Sprintf("; ring %s %s %s %+v", ring.Name, ring.State, ring.Held, ring.Counts)
		}
		for i, id := range r.tape.plan.Devices {
			if m.Device(i).Outcome == rollout.Unsettled {
				x := m.Explain(id, d.now)
				s += fmt.Sprintf("; %s: %+v %v", id, m.Device(i), x.Reasons)
				break
			}
		}
	}
	return s
}
