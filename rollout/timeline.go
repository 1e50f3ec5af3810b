package rollout

import (
	"fmt"
	"iter"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// A Timeline is what the journal of one rollout tells: for each patch and device the times from its release to the fresh
// look that proved it ([Milestones]), every task with what became of it ([Try]), every judgement of a gate, and the whole
// in lines for people ([Line]). It is made of the plan and the batches alone, so that it says the same years later as on
// the day. It is not safe for concurrent use.
//
// It keeps about 100 bytes for a task, beside a machine.
type Timeline struct {
	m     *Machine
	lives []life
	tries []try
	rings []ringTimes
	gates []Judgement
	story story
}

// A life is what a timeline keeps of a device.
type life struct {
	last   int32 // index into tries, plus one, of its latest task; 0 for none
	late   uint16
	former Outcome // before its rollback was decided
	at     int64   // when its outcome was settled; 0 while it is not
	undone int64   // when its rollback was decided
	joined int64   // when it joined; 0 if it was there from the beginning
	left   int64   // when it left, or was made anew, the last time
	anew   int32   // as last: tasks up to that one were before it was made anew
	how    Leaving
	shared int64 // when another rollout was found to have restarted it, the last time
}

type try struct {
	issued, began, ended, again, lateAt int64

	message  string
	seq      uint32
	before   int32 // the device's task before, as in life.last
	op       Op
	absent   bool
	phase    Phase
	fault    patch.Fault
	reboot   patch.Tri
	timedOut bool
	late     Phase
}

type ringTimes struct{ asked, approved, opened, passed int64 }

// RingTimes are the milestones of a ring. Each is zero if the journal does not tell of it.
type RingTimes struct {
	Name     string    `json:"name"`
	Asked    time.Time `json:"asked,omitzero"`    // leave was asked, the last time
	Approved time.Time `json:"approved,omitzero"` // and given
	Opened   time.Time `json:"opened,omitzero"`
	Passed   time.Time `json:"passed,omitzero"` // its gate, or a person, let the next one open
}

// A Judgement is what a gate came to at a time, with its evidence.
type Judgement struct {
	At time.Time
	Judged
}

// Milestones are the times at which a patch came nearer to a device. Each is zero if the journal does not tell of it. The
// patches of one device are installed together, so only the first two of the times differ between them.
type Milestones struct {
	Device    inventory.DeviceID `json:"device"`
	Ring      string             `json:"ring"`
	Patch     patch.ID           `json:"patch"`
	Released  time.Time          `json:"released,omitzero"`  // by its publisher; see [Pinned.Released]
	Seen      time.Time          `json:"seen,omitzero"`      // to be missing; see [Pinned.Seen]
	Approved  time.Time          `json:"approved,omitzero"`  // leave for the ring was given, or the plan was made if the ring took none
	Offered   time.Time          `json:"offered,omitzero"`   // the ring opened, or the device joined one that was open
	Started   time.Time          `json:"started,omitzero"`   // the first installation was issued
	Installed time.Time          `json:"installed,omitzero"` // the device said so, the last time; that is not proof
	Rebooted  time.Time          `json:"rebooted,omitzero"`  // the device came back, the last time; or another rollout was found to have restarted it
	Verified  time.Time          `json:"verified,omitzero"`  // a fresh look found it there, the last time
	Undone    time.Time          `json:"undone,omitzero"`    // its rollback was decided
	Settled   time.Time          `json:"settled,omitzero"`   // the outcome was known

	Joined time.Time `json:"joined,omitzero"` // when the device joined the rollout; zero if it was in the plan

	Left    time.Time `json:"left,omitzero"`    // when the device left or changed, the last time
	Leaving Leaving   `json:"leaving,omitzero"` // and how; with [Reimaged] the times from Started to Undone are those of the new installation

	Absent  time.Time `json:"absent,omitzero"`  // since when it does not answer, if it does not
	Absence Absence   `json:"absence,omitzero"` // and which clock runs

	Outcome  Outcome     `json:"outcome"`
	Former   Outcome     `json:"former,omitzero"`   // with Undone: the outcome when the rollback was decided
	Fault    patch.Fault `json:"fault,omitzero"`    // of the last failure
	Owes     bool        `json:"owes,omitempty"`    // a restart
	Attempts int         `json:"attempts"`          // installations begun that count, without those by hand
	Tasks    int         `json:"tasks"`             // of all kinds, those that do not count included
	Late     int         `json:"late,omitempty"`    // reports that came too late to change anything
	Retried  int         `json:"retried,omitempty"` // how often people have had it tried again
	ByHand   int         `json:"byHand,omitempty"`  // installations begun so that count
}

// A Try is one task of a device, with what became of it. Times are zero where there is none.
type Try struct {
	Seq      uint32      `json:"seq"`
	Op       Op          `json:"op"`
	Absent   bool        `json:"absent,omitempty"` // with OpVerify: the content was to be found gone
	Issued   time.Time   `json:"issued"`
	Began    time.Time   `json:"began,omitzero"` // the device said that it is at it
	Ended    time.Time   `json:"ended,omitzero"` // the last report came, or time ran out
	Phase    Phase       `json:"phase"`          // the last one that was reported in time
	Fault    patch.Fault `json:"fault,omitzero"`
	Message  string      `json:"message,omitempty"` // of the last report: the provider's own words
	Reboot   patch.Tri   `json:"reboot,omitzero"`   // whether the device then owed a restart
	TimedOut bool        `json:"timedOut,omitempty"`
	Again    time.Time   `json:"again,omitzero"`  // it was put off until then
	Late     Phase       `json:"late,omitzero"`   // what a report said that came after the end; PhaseUnknown for none
	LateAt   time.Time   `json:"lateAt,omitzero"` // when it came
}

// NewTimeline begins the timeline of p, before its first batch. It fails as [NewMachine] does.
func NewTimeline(p Plan) (*Timeline, error) {
	m, err := NewMachine(p)
	if err != nil {
		return nil, err
	}
	return &Timeline{m: m, lives: make([]life, len(p.Devices)), rings: make([]ringTimes, len(p.Rings))}, nil
}

// ReadTimeline makes the timeline of p from the entries of its journal, with the errors of [Replay].
func ReadTimeline(p Plan, entries iter.Seq2[[]byte, error]) (*Timeline, Replayed, error) {
	t, err := NewTimeline(p)
	if err != nil {
		return nil, Replayed{}, err
	}
	did, err := readEntries(p.Key, entries, t.Add)
	if err != nil {
		return nil, did, err
	}
	return t, did, nil
}

// Add takes in the next batch of the journal. An event that does not belong to the plan is an error that wraps [ErrReplay];
// the timeline is then worth nothing.
func (t *Timeline) Add(b Batch) error {
	at := nanos(b.At)
	t.story.moment(b.At)
	for i, e := range b.Events {
		t.undoes(e)
		if err := t.m.Apply(b.At, e); err != nil {
			return fmt.Errorf("event %d: %w", i+1, err)
		}
		t.event(at, e)
		t.story.event(t.m.plan, e)
	}
	return nil
}

// Plan returns the plan. It is not to be changed.
func (t *Timeline) Plan() *Plan { return t.m.plan }

// Machine returns the machine as it stood after the last batch. It may be asked everything, and is not to be stepped.
func (t *Timeline) Machine() *Machine { return t.m }

// Gates returns every judgement of a gate, in the order in which they were made.
func (t *Timeline) Gates() []Judgement { return t.gates }

// Rings returns the milestones of the rings, in their order.
func (t *Timeline) Rings() []RingTimes {
	all := make([]RingTimes, len(t.rings))
	for i := range t.rings {
		r := &t.rings[i]
		all[i] = RingTimes{Name: t.m.plan.Rings[i].Name, Asked: instant(r.asked), Approved: instant(r.approved), Opened: instant(r.opened),
			Passed: instant(r.passed)}
	}
	return all
}

// event takes in an event that the machine has taken in before.
func (t *Timeline) event(at int64, e Event) {
	switch e := e.(type) {
	case Admitted:
		for range e.Devices {
			t.lives = append(t.lives, life{joined: at})
		}
	case RingAsked:
		t.rings[e.Ring].asked, t.rings[e.Ring].approved = at, 0
	case RingOpened:
		r := &t.rings[e.Ring]
		if r.opened == 0 {
			r.opened = at
		}
		if r.approved == 0 && r.asked != 0 {
			r.approved = at // nothing else opens a ring that takes leave
		}
	case RingDecided:
		if e.Refused == "" && e.Short == 0 && e.Decision.Ruling == policy.Approved {
			t.rings[e.Ring].approved = at
		}
	case Judged:
		t.gates = append(t.gates, Judgement{instant(at), e})
		if e.Result == Pass {
			t.rings[e.Ring].passed = at
		}
	case Issued:
		for _, d := range e.Devices {
			seq, _ := t.m.Current(d)
			t.tries = append(t.tries, try{issued: at, seq: seq, before: t.lives[d].last, op: e.Op, absent: e.Absent})
			t.lives[d].last = int32(len(t.tries))
		}
	case Answered:
		for i := range e.Reports {
			t.answered(at, &e.Reports[i])
		}
	case Late:
		for i := range e.Reports {
			t.late(at, &e.Reports[i])
		}
	case TimedOut:
		for _, d := range e.Devices {
			if x := t.latest(d); x != nil {
				x.ended, x.timedOut = at, true
			}
		}
	case Postponed:
		for i, d := range e.Devices {
			if x := t.latest(d); x != nil {
				x.again = nanos(e.Until[i])
			}
		}
	case RestartShared:
		for _, d := range e.Devices {
			t.lives[d].shared = at
		}
	case DeviceSettled:
		for _, d := range e.Devices {
			t.lives[d].at = at
		}
	case UndoBegan:
		for _, d := range e.Devices {
			t.lives[d].undone, t.lives[d].at = at, 0
		}
	case Departed:
		for _, d := range e.Devices {
			t.lives[d].left, t.lives[d].how = at, e.How
		}
	case Retried:
		for _, d := range e.Devices {
			t.lives[d].at = 0
		}
	case Reopened:
		for _, d := range e.Devices {
			l := &t.lives[d]
			l.at, l.undone, l.former, l.anew = 0, 0, Unsettled, l.last
		}
	}
}

// undoes keeps the outcomes that an event takes back, before the machine forgets them.
func (t *Timeline) undoes(e Event) {
	undo, ok := e.(UndoBegan)
	if !ok {
		return
	}
	for _, d := range undo.Devices {
		if d >= 0 && int(d) < len(t.lives) && t.lives[d].at != 0 {
			t.lives[d].former = t.m.Device(int(d)).Outcome
		}
	}
}

func (t *Timeline) latest(d int32) *try {
	if i := t.lives[d].last; i > 0 {
		return &t.tries[i-1]
	}
	return nil
}

func (t *Timeline) answered(at int64, r *TaskReport) {
	x := t.latest(r.Device)
	if x == nil || x.seq != r.Seq {
		return
	}
	x.phase = r.Phase
	if r.Phase == PhaseRunning && x.began == 0 {
		x.began = at
	}
	if r.Phase.Last() {
		x.ended, x.fault, x.message, x.reboot = at, r.Fault, r.Message, r.Reboot
	}
}

func (t *Timeline) late(at int64, r *TaskReport) {
	if r.Device < 0 || int(r.Device) >= len(t.lives) {
		return
	}
	t.lives[r.Device].late++
	for i := t.lives[r.Device].last; i > 0; i = t.tries[i-1].before {
		if x := &t.tries[i-1]; x.seq == r.Seq {
			x.late, x.lateAt = r.Phase, at
			return
		}
	}
}

// Tries returns the tasks of device i of the plan, in their order.
func (t *Timeline) Tries(i int) []Try {
	n := 0
	for j := t.lives[i].last; j > 0; j = t.tries[j-1].before {
		n++
	}
	all := make([]Try, n)
	for j := t.lives[i].last; j > 0; j = t.tries[j-1].before {
		n--
		x := &t.tries[j-1]
		all[n] = Try{Seq: x.seq, Op: x.op, Absent: x.absent, Issued: instant(x.issued), Began: instant(x.began), Ended: instant(x.ended),
			Phase: x.phase, Fault: x.fault, Message: x.message, Reboot: x.reboot, TimedOut: x.timedOut, Again: instant(x.again),
			Late: x.late, LateAt: instant(x.lateAt)}
	}
	return all
}

// Device returns the milestones of device i of the plan, one for each of its patches, in the order in which they are
// installed.
func (t *Timeline) Device(i int) []Milestones {
	patches := t.m.plan.Contents[t.m.plan.Content[i]].Patches
	all := make([]Milestones, len(patches))
	shared := t.milestones(i)
	for j := range patches {
		all[j] = shared
		all[j].Patch, all[j].Released, all[j].Seen = patches[j].ID, patches[j].Released, patches[j].Seen
	}
	return all
}

// All yields the milestones of every device and patch, in the order of the plan.
func (t *Timeline) All() iter.Seq[Milestones] {
	return func(yield func(Milestones) bool) {
		for i := range t.lives {
			for _, m := range t.Device(i) {
				if !yield(m) {
					return
				}
			}
		}
	}
}

// milestones are those of a device that all of its patches share.
func (t *Timeline) milestones(i int) Milestones {
	l, s, r := &t.lives[i], t.m.Device(i), t.m.plan.RingOf(i)
	m := Milestones{
		Device: t.m.plan.Devices[i], Ring: t.m.plan.Rings[r].Name,
		Offered: instant(t.rings[r].opened), Joined: instant(l.joined), Undone: instant(l.undone), Settled: instant(l.at),
		Outcome: s.Outcome, Former: l.former, Fault: s.Fault, Owes: s.Owes, Attempts: s.Attempts, Late: int(l.late),
		Retried: s.Retried, ByHand: s.ByHand,
	}
	if m.Offered.Before(m.Joined) && !m.Offered.IsZero() {
		m.Offered = m.Joined
	}
	m.Left, m.Leaving = instant(l.left), l.how
	m.Absence, m.Absent = s.Absence, s.Absent
	switch {
	case t.m.plan.Rings[r].asks():
		m.Approved = instant(t.rings[r].approved)
	case t.m.stage != StageUnknown:
		m.Approved = t.m.plan.At
	}
	latest := func(to *time.Time, at int64) {
		if to.IsZero() { // they come last first
			*to = instant(at)
		}
	}
	for j := l.last; j > 0; j = t.tries[j-1].before {
		x := &t.tries[j-1]
		m.Tasks++
		if j <= l.anew {
			continue // that was another installation
		}
		switch {
		case x.op == OpInstall && x.phase == PhaseSucceeded:
			latest(&m.Installed, x.ended)
		case x.op == OpReboot && x.phase == PhaseSucceeded:
			latest(&m.Rebooted, x.ended)
		case x.op == OpVerify && !x.absent && x.phase == PhaseSucceeded:
			latest(&m.Verified, x.ended)
		}
		if x.op == OpInstall {
			m.Started = instant(x.issued)
		}
	}
	if shared := instant(l.shared); shared.After(m.Rebooted) {
		m.Rebooted = shared
	}
	if m.Rebooted.Before(m.Started) {
		m.Rebooted = time.Time{} // that was before anything was installed
	}
	return m
}
