package rollout

import (
	"time"

	"github.com/patchflow/patchflow/inventory"
)

// lingering are the devices of an [Agenda] on which a task may still be running though its rollout has let go of them: it had no answer in
// time, or its device was lost while it ran. No other rollout begins anything there before the end of that task is known, or before the
// rollout's policy no longer waits for it (policy.Rollback.Wait). What the rollout itself does there it weighs by itself.
//
// A rollout that was over before the agenda knew of it ([Agenda.Add]) is not asked what it has left running.
type lingering map[inventory.Ref]linger

// A linger is one of them.
type linger struct {
	by    Key
	until int64
}

// unendedUntil returns how long others wait for the tasks of d of which no end is known; 0 if there are none.
func (m *Machine) unendedUntil(d int32) int64 {
	if !m.awaits(d) {
		return 0
	}
	return m.auxOf(d).since + int64(m.plan.Policy.Rollback.WithDefaults().Wait)
}

// linger notes what m has left running on d, which it has let go of. It says whether others need to wait no longer.
func (a *Agenda) linger(m *Machine, d int32) (freed bool) {
	id := m.ref(d)
	was, known := a.late[id]
	if until := m.unendedUntil(d); until > m.now {
		if known && was.until >= until && was.by != m.plan.Key {
			return false // which is waited for longer
		}
		if a.late == nil {
			a.late = make(lingering)
		}
		a.late[id] = linger{m.plan.Key, until}
		return false
	}
	if known && was.by == m.plan.Key {
		delete(a.late, id)
		return true
	}
	return false
}

// ended looks at the devices of reports by which a task may have ended that had no end.
func (a *Agenda) ended(m *Machine, reports []TaskReport) (freed bool) {
	for i := range reports {
		d := reports[i].Device
		if len(a.late) == 0 {
			return freed
		}
		if d >= 0 && int(d) < len(m.dev) && a.late[m.ref(d)].by == m.plan.Key {
			freed = a.linger(m, d) || freed
		}
	}
	return freed
}

// lingers says whether a task of another rollout may still be running on device d of m.
func (a *Agenda) lingers(m *Machine, d int32, now int64) (linger, bool) {
	if len(a.late) == 0 {
		return linger{}, false
	}
	x, ok := a.late[m.ref(d)]
	return x, ok && x.by != m.plan.Key && now < x.until
}

// ExplainLinger says that a task of another rollout may still be running on device d of m, on which that one is not at work any more, if
// it is so, and until when m waits for its end.
func (a *Agenda) ExplainLinger(m *Machine, d inventory.DeviceID, now time.Time) (Message, time.Time, bool) {
	i, ok := m.plan.Find(d)
	if !ok || m.stage.Final() {
		return Message{}, time.Time{}, false
	}
	x, ok := a.lingers(m, int32(i), max(nanos(now), m.now))
	if !ok || m.dev[i].state != waiting {
		return Message{}, time.Time{}, false
	}
	return message("wait-linger", "rollout", x.by.String(), "until", clock(instant(x.until))), instant(x.until), true
}
