package rollout

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// Engine is the version of the rules by which a [Machine] decides. Journals of every version are replayed alike, since
// replaying decides nothing; a rollout that goes on under a newer engine decides by the newer rules from then on.
const Engine = 1

// Errors of a [Machine].
var (
	// ErrClock is wrapped by the error for a signal that is older than the one before it.
	ErrClock = errors.New("time went backwards")
	// ErrFinal is wrapped by the error for a command to a rollout that is over.
	ErrFinal = errors.New("rollout is over")
	// ErrCommand is wrapped by the error for a command that makes no sense now. Nothing was changed.
	ErrCommand = errors.New("command refused")
	// ErrReplay is wrapped by the error for events that do not belong to the plan.
	ErrReplay = errors.New("journal does not fit the plan")
)

// A Machine carries one plan out. It decides and does nothing itself: see the package comment for what its host does.
//
// It is not safe for concurrent use; one goroutine owns it. It holds about 60 bytes for a device beside the plan.
type Machine struct {
	plan    *Plan
	retry   policy.Retry
	reboot  policy.Reboot
	reboots bool // some patch takes effect only after a restart
	digest  patch.Digest

	now       int64 // of the last signal or entry
	stage     Stage
	ending    Stage
	adoptions int
	pausedAt  int64 // since when the stage is not active; 0 if it is

	dev        []device
	rings      []ring
	groups     []group          // by ring, then by slot
	vitals     []vital          // by device, then by metric; nil if the policy names none
	sayings    map[voice]saying // what people say; few do
	against    map[int32]int    // by device: how many say that it broke
	firsts     []int64          // by device, with vitals: when its first installation was begun; 0 for not yet
	passes     passes
	rates      rates
	aux        []aux
	backups    []saved  // by device; nil if the policy wants none
	probes     []probed // by device; nil if the policy names none
	hands      []byHand // by device; nil until one is tried again by hand
	looks      []looked // by device; nil unless the policy restarts devices before
	auxFree    []int32
	quarantine []Quarantine
	reviews    []Review
	pooled     []patch.ID       // that have halted the rollout by what became of them elsewhere
	exploited  []patch.ID       // known to be exploited since the plan was made
	withdrawn  []patch.ID       // that go to nobody any more
	quitting   []int32          // devices that were to get these, and are at nothing any more
	strays     map[int32]string // the ring that would take a device now; few have changed
	shared     map[int32]Key    // whose restart served a device
	yielded    map[int32]Key    // to whom a device was let go before its restart
	sharers    map[int32]Sharer // while reports are looked at: who would share the restart of a device
	winners    winners          // by what others have done
	why        string           // the stage is what it is: the code of the event that has set it

	active    int // devices in a session
	preparing int // tasks before an installation that run: looks at probes, backups
	unsettled int
	lapsed    int // unsettled devices that are unreachable for longer than the grace
	undoing   int // devices that are to be rolled back and are not settled
	undid     undoing
	raised    raisings
	circuits  *circuits  // nil if the policy has no breaker
	hosts     *guestbook // nil if the policy names no label for hosts
	cures     []cure     // by device; nil if the policy has no remedies
	beside    *comparisons
	absences  absences // who does not answer
	drains    []drain  // by device; nil if no budget drains any
	returning int      // devices that are put back into service

	// What follows is found again from the devices after a replay; it only saves looking at all of them.
	timers    timers     // waiting devices whose time comes
	deadlines []deadline // running tasks, by operation, in the order in which their time runs out
	undo      [][]Handle // by ring: devices that want to begin a rollback, with the count of their tasks so far
	parked    []int32    // devices in a session whose next step waits for the stage
	lost      []timer    // devices that were lost in a session, and whose next step may be tried again
	loading   int        // downloads that run
	runs      int        // the device that was found running last, while the rollout ends
	dirty     bool       // some ring has to be judged

	batch Batch // of the step that is under way
	bins  bins
}

// A device is the state of one device of the plan. It fits a cache line.
type device struct {
	due      int64 // waiting: not before; running: not after; 0 for no limit
	issued   int64 // when its task was
	startBy  int64 // of its task; 0 for no limit
	offline  int64 // since when it is unreachable; 0 if it is not
	seq      uint32
	aux      int32 // index into Machine.aux plus one; 0 for none
	state    devState
	op       Op
	outcome  Outcome
	former   Outcome     // before a rollback that has not begun, or before it is tried again by hand
	fault    patch.Fault // of the last failure
	attempts uint8       // installations begun that count
	tries    uint8       // of another operation
	busy     uint8
	reboots  uint8
	late     uint8
	phase    Phase // last one reported for the task
	ring     uint8
	flags    flags
}

type devState uint8

const (
	waiting  devState = iota // for its op to be begun
	running                  // a task is issued and has not ended
	answered                 // its task has ended; within a step only
	settled
)

type flags uint32

const (
	touched    flags = 1 << iota // an installation was begun
	session                      // the device is this rollout's
	undone                       // to be rolled back
	absent                       // what is verified is that the content is gone
	already                      // it says that it was installed already, and not by an attempt of ours
	unsure                       // an attempt of ours ended without an answer about what it did
	owes                         // a restart
	gone                         // unreachable for longer than the grace
	stopped                      // was asked to stop
	queued                       // stands in the list of parked devices
	picked                       // dealt with in this step
	lapsing                      // found to be gone in this step
	excused                      // missed its window, and need not wait for the next one
	urgent                       // comes before the others of its ring
	overdue                      // had no outcome in the time that its gate's evidence leaves it
	counted                      // stands among the settled ones of its ring's evidence
	placed                       // has a place in the ramp of its ring
	acked                        // somebody knows that it failed: it is not counted as disrupted
	unwell                       // worse than it was before the installation
	ailing                       // is counted as such in its ring
	unmeasured                   // is counted in its ring as not known to be well
	leaving                      // its patch is withdrawn: it is settled once nothing runs there
	retired                      // is no longer there
	foreign                      // belongs to another tenant
	renewed                      // was made anew, and nothing was installed there since
	unproven                     // succeeded, and has left before it was known to be well
	awaited                      // its host waits for it
	stalled                      // and nothing that happens in the rollout ends that
	hosting                      // waits for guests
	hosted                       // did, and comes before the others of its ring
	proven                       // failed, and was tried again by hand: for the evidence it has failed
)

// aux holds what few devices have.
type aux struct {
	ref, boot string
	delay     delay
	unended   []unended // tasks of which no end is known, the oldest first
	since     int64     // the last of these is, or it is to be rolled back since
	saving    bool      // what was tried last is a backup, or a remedy, that had no answer in time
	mending   bool      // with saving: it is a remedy
}

type ring struct {
	state  ringState
	gate   policy.Gate
	limit  int // devices at once; 0 for none
	counts [numOutcomes]int32
	active int
	lapsed int // unsettled and gone
	joined int // devices that it has beside those of the plan
	ramp   int // places at first; 0 for no ramp
	placed int // with a ramp: devices that have a place
	unwell int // devices that succeeded and are worse than before

	unmeasured int // devices that succeeded and are not known to be well
	unproven   int // devices that have left before that was known
	calm       int // hosts that wait for nothing but guests that nobody reaches
	retries
	voices policy.Voices

	asked    int // requests so far
	request  policy.Request
	refusals []string          // the decisions that were refused, so that each is written down once
	votes    []policy.Decision // the approvals that count, in the order in which they came
	opened   int64
	soak     int64 // until when
	deadline int64 // of the gate; 0 for none
	result   GateResult
	held     string
	promoted bool
	groups   [2]int // first and end in Machine.groups
	bypass   policy.Bypass
	weighing *weighing // nil if its gate weighs no evidence
}

// ringState is how far a ring is.
type ringState uint8

const (
	ringWaiting ringState = iota // for the ring before it
	ringAsking                   // for leave
	ringOpen
	ringSoaking
	ringStuck  // cannot get any further by itself
	ringPassed // its gate has passed; late devices go on
	ringFailed
)

// A group is the devices of a ring in one time zone whose content passes the same freezes: they share their schedule.
type group struct {
	ring     int
	slot     slot
	line                      // those that are fresh
	fresh    int              // members before this have been begun or settled, or are urgent
	first    []int32          // members that have become urgent, in their order; those that moved on are passed over
	again    []timer          // begun before, waiting for another try whose time has come; those that moved on are passed over
	urgents  int              // how many have ever been in first
	excused  []timer          // of these, the devices that need not wait for a window
	hours                     // in which work begins
	unbound  hours            // the same for devices that are excused
	restarts hours            // in which devices are restarted
	ahead    hours            // in which they download
	quiet    *policy.Schedule // open when nobody is disturbed; nil for never
	loads    bool             // whether they do
}

// NewMachine makes a machine for p, before its first signal. It fails if the plan is not whole or names a time zone that is
// not known here. It looks zones up in the machine's time zone database, which is the only thing outside its arguments
// that it depends on.
func NewMachine(p Plan) (*Machine, error) {
	if err := p.Valid(); err != nil {
		return nil, err
	}
	p = *p.Made()
	m := &Machine{
		plan: &p, retry: p.Policy.Retry.WithDefaults(), reboot: p.Policy.Reboot.WithDefaults(),
		dev: make([]device, len(p.Devices)), rings: make([]ring, len(p.Rings)),
		deadlines: make([]deadline, lastOp+1), unsettled: len(p.Devices),
	}
	if p.Policy.Backup.Need != policy.BackupNone {
		m.backups = make([]saved, len(p.Devices))
	}
	m.undo, m.raised, m.beside = make([][]Handle, len(p.Rings)), newRaisings(&p), newComparisons(&p)
	if len(p.Policy.Health.Probes.List) > 0 {
		m.probes = make([]probed, len(p.Devices))
	}
	if p.Policy.Reboot.Before != policy.BeforeNever {
		m.looks = make([]looked, len(p.Devices))
	}
	m.cures, m.absences = newCures(m.retry, len(p.Devices)), newAbsences(&p, m.retry)
	m.drains = newDrains(&p)
	if n := len(p.Policy.Health.Metrics); n > 0 {
		m.vitals, m.firsts = make([]vital, n*len(p.Devices)), make([]int64, len(p.Devices))
	}
	m.retry.Attempts, m.retry.BusyLimit = min(m.retry.Attempts, 255), min(m.retry.BusyLimit, 255) // what a device can count
	for i := range p.Contents {
		m.reboots = m.reboots || contentReboots(&p.Contents[i])
	}
	m.passes, m.rates, m.circuits = passesOf(p.Contents), newRates(&p), newCircuits(&p)
	shared := make(map[slot]policy.Schedule)
	restarts := make(map[slot]policy.Schedule)
	for r := range p.Rings {
		planned := &p.Rings[r]
		m.rings[r].gate, m.rings[r].limit = planned.Gate.WithDefaults(), planned.MaxActive
		var err error
		if m.rings[r].weighing, err = newWeighing(m.rings[r].gate.Evidence); err != nil {
			return nil, fmt.Errorf("rollout: plan %s: ring %s: %w", p.Key, planned.Name, err)
		}
		m.rings[r].ramp = planned.Ramp
		schedules := shared
		if len(planned.Windows) > 0 {
			schedules = make(map[slot]policy.Schedule)
		}
		if err := m.addGroups(r, schedules, restarts); err != nil {
			return nil, err
		}
	}
	m.addHosts()
	return m, nil
}

// addGroups parts the devices of a ring by their time zones, and by the freezes that their content passes. Schedules are
// made once for each: looking a zone up is slow.
func (m *Machine) addGroups(r int, schedules, restarts map[slot]policy.Schedule) error {
	planned := &m.plan.Rings[r]
	end := planned.First + planned.Count
	slots := m.slots(r)
	downloads := make(map[slot]policy.Schedule)
	counts := make([]int, slots)
	for i := planned.First; i < end; i++ {
		m.dev[i].ring = uint8(r)
		m.dev[i].op = OpInstall
		counts[m.slot(i, slots)]++
	}
	all := make([]int32, planned.Count)
	m.rings[r].groups[0] = len(m.groups)
	where := make([]int, slots)
	for at, n := range counts {
		where[at] = -1
		if n == 0 {
			continue
		}
		g, err := m.newGroup(r, slot(at), schedules, restarts, downloads)
		if err != nil {
			return err
		}
		g.members, all = all[:0:n], all[n:]
		where[at] = len(m.groups)
		m.groups = append(m.groups, g)
	}
	for i := planned.First; i < end; i++ {
		g := &m.groups[where[m.slot(i, slots)]]
		g.members = append(g.members, int32(i))
	}
	m.rings[r].groups[1] = len(m.groups)
	return nil
}

// windowsOf returns the windows of ring r, those in which it downloads, and whether it looks at a clock at all.
func (m *Machine) windowsOf(r int) (work, ahead []policy.Window, clocks bool) {
	p, planned := &m.plan.Policy, &m.plan.Rings[r]
	if work = planned.Windows; len(work) == 0 {
		work = p.Windows
	}
	if ahead = planned.Download.Windows; len(ahead) == 0 {
		ahead = p.Download.Windows
	}
	return work, ahead, len(work) > 0 || len(p.Freezes) > 0 || len(m.reboot.Windows)+len(m.reboot.Quiet) > 0
}

// slots returns how many slots ring r may have: one, if it looks at no clock.
func (m *Machine) slots(r int) int {
	if _, _, clocks := m.windowsOf(r); !clocks {
		return 1
	}
	return max(len(m.plan.Zones), 1) * len(m.passes.lists)
}

// newGroup makes a group of ring r without members. Its schedules are looked up, or put into the maps.
func (m *Machine) newGroup(r int, at slot, schedules, restarts, downloads map[slot]policy.Schedule) (group, error) {
	g := group{ring: r, slot: at}
	work, ahead, clocks := m.windowsOf(r)
	if !clocks {
		return g, nil
	}
	p := &m.plan.Policy
	z, name := int(at)/len(m.passes.lists), ""
	if z < len(m.plan.Zones) {
		name = m.plan.Zones[z]
	}
	passed := m.passes.lists[int(at)%len(m.passes.lists)]
	var err error
	known := func(all map[slot]policy.Schedule, make func() (policy.Schedule, error)) policy.Schedule {
		s, ok := all[at]
		if !ok && err == nil {
			s, err = make()
			all[at] = s
		}
		return s
	}
	g.schedule = known(schedules, func() (policy.Schedule, error) { return p.Schedule(work, name, passed...) })
	g.restarts.schedule = known(restarts, func() (policy.Schedule, error) { return p.RestartSchedule(name, passed...) })
	if err == nil && len(m.reboot.Quiet) > 0 {
		var quiet policy.Schedule
		quiet, err = p.QuietSchedule(name)
		g.quiet = &quiet
	}
	if g.loads = len(ahead) > 0; g.loads {
		g.ahead.schedule = known(downloads, func() (policy.Schedule, error) {
			return p.DownloadSchedule(policy.Download{Windows: ahead}, name, passed...)
		})
	}
	if err != nil {
		return group{}, fmt.Errorf("rollout: plan %s: ring %s: %w", m.plan.Key, m.plan.Rings[r].Name, err)
	}
	g.unbound.schedule = g.schedule.Freezes()
	return g, nil
}

// A slot is a time zone of the plan and a list of passes together: what decides when work may begin on a device.
type slot int

func (m *Machine) slot(i, slots int) slot {
	if slots == 1 {
		return 0
	}
	return slot(int(m.plan.Zone[i])*len(m.passes.lists) + m.passes.of[m.plan.Content[i]])
}

// passes are the freezes that the contents of a plan pass.
type passes struct {
	lists [][]string // each once, in the order of the contents; the first is empty
	of    []int      // by content: its list
}

func passesOf(contents []Content) passes {
	all := passes{lists: [][]string{nil}, of: make([]int, len(contents))}
	for i := range contents {
		at := slices.IndexFunc(all.lists, func(l []string) bool { return slices.Equal(l, contents[i].Passes) })
		if at < 0 {
			at = len(all.lists)
			all.lists = append(all.lists, contents[i].Passes)
		}
		all.of[i] = at
	}
	return all
}

// Plan returns the plan that the machine carries out. It is not to be changed.
func (m *Machine) Plan() *Plan { return m.plan }

// Stage returns how far the rollout is.
func (m *Machine) Stage() Stage { return m.stage }

// Now returns the time of the last signal or replayed entry; zero before the first.
func (m *Machine) Now() time.Time { return instant(m.now) }

// Step decides what follows from s. It is, with [Machine.Apply], the only thing that changes a machine. An error means that
// nothing was decided and nothing has changed.
//
// The host appends the events of the batch to its journal before it does any of the actions. If it cannot, the machine
// is to be thrown away: it knows of things that a successor will not.
func (m *Machine) Step(s Signal) (Batch, error) {
	at := nanos(s.when())
	if _, ok := s.(Begin); ok != (m.stage == StageUnknown) {
		return Batch{}, fmt.Errorf("rollout: %s: %T: a rollout begins once, with Begin", m.plan.Key, s)
	}
	if at < m.now {
		return Batch{}, fmt.Errorf("rollout: %s: %T at %s after %s: %w", m.plan.Key, s, s.when().UTC().Format(time.RFC3339Nano),
			m.Now().Format(time.RFC3339Nano), ErrClock)
	}
	before := m.now
	m.now = at
	m.batch = Batch{At: instant(at)}
	var err error
	if m.stage.Final() {
		err = m.after(s)
	} else {
		err = m.decide(s)
	}
	if err != nil {
		m.now = before
		return Batch{}, err
	}
	if !m.stage.Final() {
		m.advance()
	}
	b := m.batch
	m.batch = Batch{}
	return b, nil
}

func (m *Machine) decide(s Signal) error {
	switch s := s.(type) {
	case Begin:
		digest, err := m.plan.Digest()
		if err != nil {
			return err
		}
		m.emit(Began{Digest: digest, Engine: Engine})
		m.emit(Staged{Stage: StageActive, Code: "begun", By: m.plan.By})
	case Tick:
	case Granted:
		m.granted(s.Devices)
	case Reported:
		m.hear(s.Sharers)
		m.reported(s.Reports)
		m.hear(nil)
	case Decided:
		m.decided(s.Request, s.Decision)
	case Commanded:
		return m.commanded(s.Command)
	case Seen:
		m.seen(s.Devices)
	case Joined:
		return m.joins(s.Joiners)
	case Left:
		return m.departs(s.Departures)
	case Gathered:
		m.gathered(s.Outcomes)
	case Deferred:
		return m.deferred(s)
	case Feedback:
		return m.feedback(s)
	case Sampled:
		return m.sampled(s.Samples)
	case Reassessed:
		m.reassessed(s.Escalations)
	case TakenOver:
		m.emit(Adopted{By: s.By})
	case Overtaken:
		m.overtaken(s)
	case Restarted:
		return m.restarted(s)
	default:
		return fmt.Errorf("rollout: %s: unknown signal %T", m.plan.Key, s)
	}
	return nil
}

// after handles a signal to a rollout that is over: a report is recorded, a quarantine can be released,
// an emergency reviewed, a device that was left disrupted acknowledged or let go; the rest is ignored.
func (m *Machine) after(s Signal) error {
	switch s := s.(type) {
	case Reported:
		m.reported(s.Reports)
	case TakenOver:
	case Joined:
		return fmt.Errorf("rollout: %s: joiners: %w", m.plan.Key, ErrFinal)
	case Left:
		return m.departsAfter(s.Departures)
	case Deferred:
		return fmt.Errorf("rollout: %s: deferral of %q: %w", m.plan.Key, s.By, ErrFinal)
	case Feedback:
		return fmt.Errorf("rollout: %s: feedback of %q: %w", m.plan.Key, s.By, ErrFinal)
	case Commanded:
		if !s.Command.Do.afterwards() {
			return fmt.Errorf("rollout: %s: %s: %w", m.plan.Key, s.Command.Do, ErrFinal)
		}
		return m.commanded(s.Command)
	}
	return nil
}

// emit writes an event down, and lets it change the machine the same way as a replay does.
func (m *Machine) emit(e Event) {
	m.batch.Events = append(m.batch.Events, e)
	m.apply(e)
}

// Pending yields the actions that were begun and are not answered: what a host does again after a restart, with the same
// task IDs and request IDs.
func (m *Machine) Pending() iter.Seq[Action] {
	return func(yield func(Action) bool) {
		if m.stage.Final() {
			return
		}
		for r := range m.rings {
			if m.rings[r].state == ringAsking && !yield(Ask{m.rings[r].request}) {
				return
			}
		}
		var run, stop []int32
		for d := range m.dev {
			if m.dev[d].state != running {
				if m.abandoned(int32(d)) {
					stop = append(stop, int32(d))
				}
				continue
			}
			run = append(run, int32(d))
			if m.dev[d].flags&stopped != 0 {
				stop = append(stop, int32(d))
			}
		}
		if len(run) > 0 && !yield(Run{run}) {
			return
		}
		if len(stop) > 0 {
			yield(Stop{stop})
		}
	}
}

// Running yields the devices whose tasks are issued and have not ended, in their order.
func (m *Machine) Running() iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for d := range m.dev {
			if m.dev[d].state == running && !yield(int32(d)) {
				return
			}
		}
	}
}

// Sessions yields the devices that this rollout has begun to work on and not let go of.
func (m *Machine) Sessions() iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for d := range m.dev {
			if m.dev[d].flags&session != 0 && !yield(int32(d)) {
				return
			}
		}
	}
}

// Task returns the task that device d is at, and whether there is one that has not ended.
func (m *Machine) Task(d int32) (Task, bool) {
	if d < 0 || int(d) >= len(m.dev) || m.dev[d].state != running {
		return Task{}, false
	}
	return m.task(d), true
}

// task returns the last task of device d.
func (m *Machine) task(d int32) Task {
	dev := &m.dev[d]
	ring := m.plan.Rings[dev.ring].Name
	t := Task{
		ID:     NewTaskID(m.plan.Key, ring, m.plan.Devices[d], dev.op, dev.seq),
		Handle: Handle{Device: d, Seq: dev.seq}, Rollout: m.plan.Key, Ring: ring, Op: dev.op,
		Tenant: m.plan.TenantOf(int(d)), Device: m.plan.Devices[d],
		Content: m.plan.Contents[m.plan.Content[d]], Absent: dev.flags&absent != 0,
		Attempt: int(dev.tries), Issued: instant(dev.issued), StartBy: instant(dev.startBy), FinishBy: instant(dev.due),
	}
	if dev.op == OpInstall {
		t.Attempt = m.begunOn(d)
	}
	m.backupOf(d, &t)
	t.Unended = m.unendedOf(d)
	m.probesOf(d, &t)
	m.remedyTask(d, &t)
	m.drainOf(d, &t)
	if a := m.auxOf(d); a != nil {
		t.Ref, t.BootID = a.ref, a.boot
	}
	return t
}

func (m *Machine) auxOf(d int32) *aux {
	if i := m.dev[d].aux; i > 0 {
		return &m.aux[i-1]
	}
	return nil
}

// setAux returns the place for what few devices have, making it if there is none.
func (m *Machine) setAux(d int32) *aux {
	if a := m.auxOf(d); a != nil {
		return a
	}
	if n := len(m.auxFree); n > 0 {
		m.dev[d].aux = m.auxFree[n-1]
		m.auxFree = m.auxFree[:n-1]
	} else {
		m.aux = append(m.aux, aux{})
		m.dev[d].aux = int32(len(m.aux))
	}
	return m.auxOf(d)
}

// dropAux lets go of it, but for the tasks of which no end is known.
func (m *Machine) dropAux(d int32) {
	if i := m.dev[d].aux; i > 0 {
		if old := m.aux[i-1]; len(old.unended) > 0 {
			m.aux[i-1] = aux{unended: old.unended, since: old.since}
			return
		}
		m.aux[i-1] = aux{}
		m.auxFree = append(m.auxFree, i)
		m.dev[d].aux = 0
	}
}

// Requests yields the requests that wait for an answer.
func (m *Machine) Requests() iter.Seq[policy.Request] {
	return func(yield func(policy.Request) bool) {
		if m.stage.Final() {
			return
		}
		for r := range m.rings {
			if m.rings[r].state == ringAsking && !yield(m.rings[r].request) {
				return
			}
		}
	}
}

// Waits says whether the rollout waits for an answer from outside: from a device or an approver.
func (m *Machine) Waits() bool {
	if m.active > 0 {
		return true
	}
	for range m.Requests() {
		return true
	}
	return false
}
