package rollout

import (
	"container/heap"
	"slices"
	"time"

	"github.com/patchflow/patchflow/patch"
)

// What a step decides about single devices is gathered in bins, so that one event says it of many devices.

type what uint8

const (
	toIssue what = iota
	toPostpone
	toSettle
	toTimeOut
	toReturn
	toMiss
	toLoad
	toLapse
	toStop
	toSave
	toAnnounce
	toProbe
	toLook
	toRemedy
	toReturnTo
	toYield
)

// A bin is one kind of decision and the devices that it was taken about.
type bin struct {
	what    what
	op      Op
	absent  bool
	fault   patch.Fault
	spent   bool
	outcome Outcome
	owes    bool
	startBy int64
	frees   bool
	failed  bool
	backing Backing
	probing Probing
	looking Looking

	remedying Remedying
	remedy    patch.Fault // what was to be remedied

	by        Key
	returning Return
	resumes   bool

	devices []int32
	until   []time.Time
	backups []Backup
	down    []uint32
}

func (b *bin) same(o *bin) bool {
	return b.what == o.what && b.op == o.op && b.absent == o.absent && b.fault == o.fault && b.spent == o.spent &&
		b.outcome == o.outcome && b.owes == o.owes && b.startBy == o.startBy && b.frees == o.frees && b.failed == o.failed && b.backing == o.backing && b.probing == o.probing && b.looking == o.looking &&
		b.remedying == o.remedying && b.remedy == o.remedy && b.returning == o.returning && b.by == o.by && b.resumes == o.resumes
}

// bins are the decisions of a step, in the order in which they were first taken. There are few: a dozen at most.
type bins struct{ all []bin }

func (bs *bins) reset() { bs.all = bs.all[:0] }

func (bs *bins) at(k bin) *bin {
	for i := range bs.all {
		if bs.all[i].same(&k) {
			return &bs.all[i]
		}
	}
	bs.all = append(bs.all, k)
	return &bs.all[len(bs.all)-1]
}

func (bs *bins) add(k bin, d int32) {
	b := bs.at(k)
	b.devices = append(b.devices, d)
}

func (bs *bins) postpone(k bin, d int32, until int64) {
	k.what = toPostpone
	b := bs.at(k)
	b.devices = append(b.devices, d)
	b.until = append(b.until, instant(until))
}

// flush emits one event for every bin. The events keep the lists.
func (m *Machine) flush() {
	m.failedFirst()
	for i := range m.bins.all {
		b := &m.bins.all[i]
		switch b.what {
		case toIssue:
			m.issue(b)
		case toPostpone:
			m.later(b)
		case toSettle:
			m.settles(b)
		case toYield:
			m.emit(RestartYielded{By: b.by, Devices: b.devices})
		case toAnnounce:
			m.emit(RestartAnnounced{Devices: b.devices, Deadline: instant(b.startBy)})
		case toTimeOut:
			m.emit(TimedOut{b.devices})
		case toReturn:
			m.emit(Returned{b.devices})
		case toMiss:
			m.emit(WindowMissed{Devices: b.devices, Then: m.plan.Policy.Missed})
		case toLoad:
			m.emit(Downloaded{Devices: b.devices, Failed: b.failed, Fault: b.fault})
		case toLapse:
			m.emit(Lapsed{b.devices})
		case toSave:
			m.emit(BackedUp{Then: b.backing, Fault: b.fault, Devices: b.devices, Backups: b.backups})
		case toProbe:
			m.emit(Probed{Then: b.probing, Fault: b.fault, Devices: b.devices, Down: b.down})
		case toLook:
			m.emit(Looked{Then: b.looking, Fault: b.fault, Devices: b.devices})
		case toRemedy:
			m.emit(Remedied{Then: b.remedying, Of: b.remedy, Fault: b.fault, Devices: b.devices})
		case toReturnTo:
			m.emit(PutBack{Then: b.returning, Fault: b.fault, Resumes: b.resumes, Devices: b.devices})
		case toStop:
			m.emit(StopAsked{b.devices})
			m.batch.Actions = append(m.batch.Actions, Stop{b.devices})
		}
	}
	m.bins.reset()
}

// finishBy is when a task of this kind that is issued now is to have ended.
func (m *Machine) finishBy(op Op) time.Time {
	limit := m.retry.Timeout
	switch op {
	case OpReboot:
		limit = m.reboot.Timeout
	case OpDrain, OpUncordon:
		limit = m.plan.Policy.Drain.WithDefaults().Timeout
	case OpPrecheck, OpProbe:
		limit = min(limit, m.plan.Policy.Health.Probes.WithDefaults().Within)
	}
	return instant(m.now + int64(limit))
}

// timers is a heap of waiting devices by the time at which they are tried again. An entry whose device has moved on
// meanwhile is passed over.
type timers []timer

type timer struct {
	at     int64
	device int32
}

func (t timers) Len() int { return len(t) }
func (t timers) Less(i, j int) bool {
	return t[i].at < t[j].at || t[i].at == t[j].at && t[i].device < t[j].device
}
func (t timers) Swap(i, j int) { t[i], t[j] = t[j], t[i] }

// Push implements [heap.Interface].
func (t *timers) Push(x any) { *t = append(*t, x.(timer)) }

// Pop implements [heap.Interface].
func (t *timers) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}

func (m *Machine) setTimer(d int32, at int64) { heap.Push(&m.timers, timer{at, d}) }

// alive says whether the device of a timer still waits for it.
func (m *Machine) alive(t timer) bool {
	dev := &m.dev[t.device]
	return dev.state == waiting && dev.seq > 0 && (dev.due == t.at || m.lapses(t) || m.expires(t))
}

// lapses says whether a timer tells that its device is unreachable for longer than the grace. For one that is put back into service the timer
// is set again after that.
func (m *Machine) lapses(t timer) bool {
	dev := &m.dev[t.device]
	return dev.offline != 0 && dev.flags&gone == 0 && dev.op != OpUncordon && t.at >= dev.offline+int64(m.retry.Grace)
}

// insert puts a timer into a list that is in order, once. New ones come last, or nearly so.
func insert(ts []timer, t timer) []timer {
	i := len(ts)
	for i > 0 && (ts[i-1].at > t.at || ts[i-1].at == t.at && ts[i-1].device > t.device) {
		i--
	}
	if i > 0 && ts[i-1] == t {
		return ts
	}
	return slices.Insert(ts, i, t)
}

// nextTimer returns the first timer that still counts, and drops those that do not.
func (m *Machine) nextTimer() (timer, bool) {
	for len(m.timers) > 0 {
		if t := m.timers[0]; m.alive(t) {
			return t, true
		}
		heap.Pop(&m.timers)
	}
	return timer{}, false
}

// A deadline is the list of tasks of one operation in the order in which their time runs out. Tasks of one operation all
// have the same time, so the order is that in which they were issued, and the events' own lists serve.
type deadline struct{ batches []deadlineBatch }

type deadlineBatch struct {
	at      int64
	devices []int32
}

// overdue says whether device d still runs the task that was to have ended at that time.
func (m *Machine) overdue(d int32, op Op, at int64) bool {
	dev := &m.dev[d]
	return dev.state == running && dev.op == op && dev.due == at
}

// nextDeadline returns the time at which the first task of op runs out that has not ended, and drops those that have.
func (m *Machine) nextDeadline(op Op) (int64, bool) {
	q := &m.deadlines[op]
	for len(q.batches) > 0 {
		b := &q.batches[0]
		for len(b.devices) > 0 && !m.overdue(b.devices[0], op, b.at) {
			b.devices = b.devices[1:]
		}
		if len(b.devices) > 0 {
			return b.at, true
		}
		q.batches = q.batches[1:]
	}
	return 0, false
}
