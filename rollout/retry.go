package rollout

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// ErrUnderWay is wrapped, beside [ErrCommand], by the error for a [DoRetry] of a device that is being tried already, so that whoever repeats
// a call knows that the first one counts. Nothing was changed.
var ErrUnderWay = errors.New("it is being tried already")

// Retried says that a person lets these devices, which have failed, be tried once more, whatever the policy's own attempts were. Until it
// is known what becomes of that their failure stands: no gate passes because of it, and none fails a second time. A ring that had failed
// for them is open again, and a person resumes the rollout. If the retry comes to nothing, because the rollout ends first, they have failed as
// before. For a gate that weighs [Evidence] they have failed for ever: it is about what the patch does by itself.
type Retried struct {
	Devices []int32
	By      string
	Reason  string
}

func (Retried) kind() byte { return kindRetried }

func (v Retried) encode(e *encoder) {
	e.devices(v.Devices)
	e.string(v.By)
	e.string(v.Reason)
}

func decodeRetried(d *decoder) Retried {
	return Retried{Devices: d.devices(), By: d.string(), Reason: d.string()}
}

// byHand is what people have had tried again on a device.
type byHand struct {
	asked uint8 // how often
	begun uint8 // installations begun so, which count
	spent uint8 // of these: since it was asked the last time
}

// retries are what a ring counts of that.
type retries struct {
	again   int // devices that are tried again by hand
	away    int // of these: unreachable for longer than the grace
	retried int // devices that ever were
}

// retrying says whether d is tried again by hand, and it is not known yet what becomes of that.
func (m *Machine) retrying(d int32) bool {
	return m.dev[d].former != Unsettled && m.dev[d].flags&undone == 0
}

// byHandOf returns what people have had tried again on d.
func (m *Machine) byHandOf(d int32) byHand {
	if int(d) >= len(m.hands) {
		return byHand{}
	}
	return m.hands[d]
}

// spent returns how many of the attempts are used up that d has: those of the policy, or the one by hand.
func (m *Machine) spent(d int32) int {
	switch {
	case !m.retrying(d):
		return int(m.dev[d].attempts)
	case m.byHandOf(d).spent > 0:
		return m.retry.Attempts
	}
	return 0
}

// begunOn returns how many installations were begun on d that count, by the policy and by hand.
func (m *Machine) begunOn(d int32) int { return int(m.dev[d].attempts) + int(m.byHandOf(d).begun) }

// attempt counts an installation that is begun on d.
func (m *Machine) attempt(d int32) {
	if !m.retrying(d) {
		m.dev[d].attempts++
		return
	}
	h := &m.hands[d]
	h.begun, h.spent = h.begun+1, h.spent+1
}

// giveBack counts it no more.
func (m *Machine) giveBack(d int32) {
	switch dev := &m.dev[d]; {
	case m.retrying(d):
		if h := &m.hands[d]; h.spent > 0 {
			h.begun, h.spent = h.begun-1, h.spent-1
		}
	case dev.attempts > 0:
		dev.attempts--
	}
}

// lapse counts d, which is unsettled, as unreachable for longer than the grace, or no more. One that is tried again by hand counts as failed.
func (m *Machine) lapse(d int32, by int) {
	m.lapsed += by
	if r := &m.rings[m.dev[d].ring]; m.retrying(d) {
		r.away += by
	} else {
		r.lapsed += by
	}
	m.tellHost(d)
}

// cameTo returns the outcome that d has if this is how it ends: a retry that came to nothing leaves the failure that it had.
func (m *Machine) cameTo(d int32, o Outcome) Outcome {
	switch o {
	case Cancelled, Skipped, Unreachable, Away:
		if m.retrying(d) {
			return m.dev[d].former
		}
	}
	return o
}

// retryCommand lets devices be tried again that have failed: all of those that are named, or none.
func (m *Machine) retryCommand(c Command, no func(string, ...any) error) error {
	switch {
	case len(c.Devices) == 0:
		return no("it names no device")
	case m.stage == StageUndoing:
		return no("the rollout is %s", m.stage)
	}
	devices := make([]int32, len(c.Devices))
	for i, id := range c.Devices {
		n, known := m.plan.Find(id)
		if !known {
			return no("device %q is not in the plan", id)
		}
		d := int32(n)
		dev := &m.dev[d]
		switch left := dev.left(); {
		case slices.Contains(devices[:i], d):
			return no("device %s stands twice", id)
		case left != LeavingUnknown:
			return no("device %s is %s", id, left)
		case dev.flags&undone != 0:
			return no("device %s is being rolled back", id)
		case dev.state != settled:
			return no("device %s: %w", id, ErrUnderWay)
		case dev.outcome != Failed:
			return no("device %s is %s: only what has failed is tried again", id, dev.outcome)
		case m.isWithdrawn(d):
			return no("device %s: what it gets is withdrawn", id)
		case m.isQuarantined(d):
			return no("device %s: what it gets is in quarantine: release it first", id)
		case m.byHandOf(d).asked == 255:
			return no("device %s was tried again 255 times", id)
		}
		devices[i] = d
	}
	slices.Sort(devices)
	var open []int
	for r := range m.rings {
		if n := m.ofRing(devices, r); n > 0 && m.rings[r].state == ringFailed {
			if m.failsWith(r, n) {
				return no("ring %s has failed, and not for these devices alone: promote it, roll back, or cancel", m.plan.Rings[r].Name)
			}
			if r+1 < len(m.rings) && m.rings[r+1].opened != 0 {
				return no("ring %s has failed, and ring %s is open already: promote it first, roll back, or cancel", m.plan.Rings[r].Name, m.plan.Rings[r+1].Name)
			}
			open = append(open, r)
		}
	}
	m.emit(Retried{Devices: devices, By: c.By, Reason: c.Reason})
	for _, r := range open {
		m.emit(RingUnsettled{Ring: r})
	}
	return nil
}

// ofRing returns how many of these devices are of ring r.
func (m *Machine) ofRing(devices []int32, r int) int {
	n := 0
	for _, d := range devices {
		if int(m.dev[d].ring) == r {
			n++
		}
	}
	return n
}

// failsWith says whether the gate of ring r, which has failed, would fail again at once if so many of its failed devices were tried again.
func (m *Machine) failsWith(r, n int) bool {
	ring, c := &m.rings[r], m.counts(r)
	c.Retrying += n
	failed, _ := evaluate(ring.gate, c)
	proved, _ := m.weighed(r)
	late := ring.deadline != 0 && ring.gate.OnTimeout == policy.TimeoutFails && ring.deadline <= max(m.pausedAt, 1)
	return failed || proved || m.complained(r) || late
}

// fitsRetried checks what applyRetried takes for granted.
func (m *Machine) fitsRetried(e *Retried) error {
	for _, d := range e.Devices {
		if d < 0 || int(d) >= len(m.dev) || m.dev[d].state != settled {
			return fmt.Errorf("retried: device %d of %d, or it has no outcome", d, len(m.dev))
		}
	}
	return nil
}

func (m *Machine) applyRetried(e Retried) {
	if m.hands == nil {
		m.hands = make([]byHand, len(m.dev))
	}
	for _, d := range e.Devices {
		dev, h := &m.dev[d], &m.hands[d]
		r := &m.rings[dev.ring]
		if r.weighing != nil {
			m.count(r.weighing) // while its fate is not open again
		}
		before := m.weighBefore(d)
		if h.asked == 0 {
			r.retried++
		}
		h.asked, h.spent = h.asked+1, 0
		r.counts[dev.outcome]--
		r.again++
		m.unsettled++
		dev.flags &^= absent | already | stopped | excused
		if dev.flags&touched != 0 {
			dev.flags |= unsure | proven // what is found there now may be an earlier attempt's
		}
		dev.former, dev.outcome = dev.outcome, Unsettled
		dev.state, dev.op, dev.phase, dev.due, dev.startBy = waiting, OpInstall, PhaseUnknown, m.now, 0
		dev.tries, dev.busy = 0, 0
		if m.backups != nil {
			m.backups[d].tries = 0
		}
		if m.probes != nil {
			m.probes[d].tries, m.probes[d].since = 0, 0
		}
		m.drainAnew(d)
		m.falls(d, patch.NoFault) // what is put right for that is up to whoever asks
		if a := m.auxOf(d); a != nil && len(a.unended) > 0 {
			a.since = m.now
			a.left(a.unended[len(a.unended)-1].op)
			dev.op = OpVerify // what is still at it there may have come to something, and nothing may overlap with it
		}
		m.reweigh(d, before)
		m.reckon(d)
		m.raised.note(d)
		m.tellHost(d)
		m.setTimer(d, m.now)
	}
	m.dirty = true
}

// endRetry notes that d is not tried again by hand any more.
func (m *Machine) endRetry(d int32) {
	if !m.retrying(d) {
		return
	}
	r := &m.rings[m.dev[d].ring]
	if r.again--; m.dev[d].flags&gone != 0 {
		r.away--
		r.lapsed++
	}
}

// forgetHands forgets what was tried again on d, which was made anew.
func (m *Machine) forgetHands(d int32) {
	if m.byHandOf(d).asked > 0 {
		m.rings[m.dev[d].ring].retried--
		m.hands[d] = byHand{}
	}
}

// hands adds to an explanation what people have had tried again on d.
func (x *Explanation) hands(m *Machine, d int32) {
	if h := m.byHandOf(d); h.asked > 0 {
		x.Reasons = append(x.Reasons, message("by-hand", "times", strconv.Itoa(int(h.asked)), "begun", strconv.Itoa(int(h.begun)),
			"own", strconv.Itoa(int(m.dev[d].attempts)), "max", strconv.Itoa(m.retry.Attempts)))
	}
}

// hands adds to what a gate's message tells how many devices were tried again by hand, if any were.
func (c *Counts) hands() []string {
	if c.Retried == 0 {
		return nil
	}
	all := []string{"retried", strconv.Itoa(c.Retried)}
	if c.Retrying > 0 {
		all = append(all, "retrying", strconv.Itoa(c.Retrying))
	}
	return all
}
