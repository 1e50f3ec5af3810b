package rollout

import (
	"time"

	"github.com/patchflow/patchflow/patch"
)

// Status is a view of a machine for people and dashboards.
type Status struct {
	Rollout Key          `json:"rollout"`
	Stage   Stage        `json:"stage"`
	Why     string       `json:"why,omitempty"` // it is in this stage: the code of the event that says so: "gate", "command", "stop"
	At      time.Time    `json:"at"`
	Rings   []RingStatus `json:"rings"`
	Active  int          `json:"active"`  // devices that are worked on
	Pending int          `json:"pending"` // devices whose outcome is not known

	Breakers []BreakerStatus `json:"breakers,omitempty"` // those that have tripped

	Reviews []Review `json:"reviews,omitempty"` // that are due because of approvals in an emergency, open ones only
}

// Stopped says whether the rollout was stopped in an emergency ([DoStop]) and is not resumed.
func (s *Status) Stopped() bool { return s.Why == byStop }

// RingStatus is a view of one ring.
type RingStatus struct {
	Name     string          `json:"name"`
	State    string          `json:"state"`
	Held     string          `json:"held,omitempty"` // why it cannot get any further: "inconclusive", "manual", "timeout", "ramp", "health", "control"
	Gate     GateResult      `json:"gate"`
	Counts   Counts          `json:"counts"`
	Evidence Evidence        `json:"evidence,omitzero"` // zero if its gate weighs none and compares nothing
	Outcomes map[Outcome]int `json:"outcomes"`
	Queued   int             `json:"queued,omitempty"` // devices that are away, and nothing is at work there ([AbsenceQueued])
	Silent   int             `json:"silent,omitempty"` // devices that do not answer, and something may be at work there ([AbsenceSilent])
	Soak     time.Time       `json:"soak,omitzero"`    // until when it soaks
	Raised   []string        `json:"raised,omitempty"` // levels of the escalation that are raised for it as a whole, by name
}

// Status returns how the rollout stands. It costs nothing that grows with the number of devices.
func (m *Machine) Status() Status {
	s := Status{Rollout: m.plan.Key, Stage: m.stage, Why: m.why, At: m.Now(), Active: m.active, Pending: m.unsettled,
		Reviews: m.ReviewsDue(), Breakers: m.breakers()}
	for r := range m.rings {
		ring := &m.rings[r]
		rs := RingStatus{Name: m.plan.Rings[r].Name, State: ring.state.String(), Held: ring.held, Gate: ring.result,
			Counts: m.counts(r), Evidence: m.evidence(r), Outcomes: make(map[Outcome]int), Raised: m.raisedOf(r),
			Queued: m.absences.rings[r].queued, Silent: m.absences.rings[r].silent}
		if ring.state == ringSoaking {
			rs.Soak = instant(ring.soak)
		}
		for o, n := range ring.counts {
			if n > 0 {
				rs.Outcomes[Outcome(o)] = int(n)
			}
		}
		s.Rings = append(s.Rings, rs)
	}
	return s
}

// A DeviceStatus says where one device stands.
type DeviceStatus struct {
	Outcome  Outcome
	Op       Op // what it is at, or waits for
	Running  bool
	Attempts int         // installations begun that count, without those by hand
	Retried  int         // how often people have had it tried again ([DoRetry])
	ByHand   int         // installations begun so that count
	Retrying bool        // what becomes of the last of these is not known yet
	Fault    patch.Fault // of the last failure
	Owes     bool        // a restart
	Offline  bool        // unreachable when it was last tried
	Absence  Absence     // which clock runs if it does not answer
	Absent   time.Time   // since when: it was found unreachable, or a task of it had no answer in time; zero if it answers
	Leaves   time.Time   // when it leaves the rollout if it is not heard of before ([Away]); zero if it does not, and while that clock stands still
	Worse    bool        // than before the installation, by a metric of the policy: it counts as failed
	Silent   bool        // its task is issued, and nothing was reported of it yet
	Stopping bool        // its task was asked to stop
	Deferred int         // how often people have put its restart off
	Denied   int         // how often they wished to, and it was too often or too late
	Out      bool        // of service: taken out by this rollout, and not known to be back ([Machine.Drained])
	Left     Leaving     // how it has left the rollout, if it has: [Retired] or [Moved]
}

// Device returns where device d of the plan stands.
func (m *Machine) Device(d int) DeviceStatus {
	dev := &m.dev[d]
	s := DeviceStatus{Outcome: dev.outcome, Op: dev.op, Running: dev.state == running, Attempts: int(dev.attempts),
		Fault: dev.fault, Owes: dev.flags&owes != 0, Offline: dev.offline != 0,
		Worse: dev.flags&unwell != 0, Silent: dev.state == running && dev.phase == PhaseUnknown,
		Stopping: dev.state == running && dev.flags&stopped != 0}
	s.Left, s.Out = dev.left(), m.isOut(int32(d))
	s.Absence, s.Absent = m.absence(int32(d))
	if at, ok := m.leavesAt(int32(d)); ok && m.stage == StageActive {
		s.Leaves = instant(at)
	}
	if h := m.byHandOf(int32(d)); h.asked > 0 {
		s.Retried, s.ByHand, s.Retrying = int(h.asked), int(h.begun), m.retrying(int32(d))
	}
	if a := m.auxOf(int32(d)); a != nil {
		s.Deferred, s.Denied = int(a.delay.times), int(a.delay.refused)
	}
	return s
}

// Quarantine returns what this rollout has put into quarantine, released or not.
func (m *Machine) Quarantine() []Quarantine { return append([]Quarantine(nil), m.quarantine...) }

// Adoptions returns how often the rollout was taken over.
func (m *Machine) Adoptions() int { return m.adoptions }

// Current returns the count of the task that device d is at, and whether there is one that has not ended.
func (m *Machine) Current(d int32) (uint32, bool) {
	if d < 0 || int(d) >= len(m.dev) {
		return 0, false
	}
	return m.dev[d].seq, m.dev[d].state == running
}
