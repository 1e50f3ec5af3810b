package rollout

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Deferred brings the wish of a person at a device to put its restart off. It is granted as often, as long, and until when the policy says
// ([policy.Deferrals]); a wish that is not granted is written down with the reason. One that asks for nothing later than what is
// planned changes nothing, and uses up none. It is an error that wraps [ErrCommand] for a device that does not wait for a restart
// that was announced.
type Deferred struct {
	At     time.Time
	Device int32
	By     string
	Until  time.Time // zero, and what is longer than the policy lets it, mean as long as that
}

func (s Deferred) when() time.Time { return s.At }

// RestartAnnounced says that the people at these devices may put their restart off, until then at the latest. When it is begun is said by
// the [Postponed] that follows.
type RestartAnnounced struct {
	Devices  []int32
	Deadline time.Time
}

// RestartDeferred says that a person has put the restart of a device off until then; or has not, for the reason in Refused.
type RestartDeferred struct {
	Device  int32
	By      string
	Until   time.Time
	Refused string // "often", "late"
}

func (RestartAnnounced) kind() byte { return kindRestartAnnounced }
func (RestartDeferred) kind() byte  { return kindRestartDeferred }

func (v RestartAnnounced) encode(e *encoder) { e.devices(v.Devices); e.time(v.Deadline) }
func (v RestartDeferred) encode(e *encoder) {
	e.int(int(v.Device))
	e.string(v.By)
	e.time(v.Until)
	e.string(v.Refused)
}

func decodeRestartAnnounced(d *decoder) RestartAnnounced {
	return RestartAnnounced{Devices: d.devices(), Deadline: d.time()}
}

func decodeRestartDeferred(d *decoder) RestartDeferred {
	return RestartDeferred{Device: int32(d.int()), By: d.string(), Until: d.time(), Refused: d.string()}
}

// Why a restart is not put off.
const (
	deferredOften = "often"
	deferredLate  = "late"
)

// A delay is how far a restart was put off.
type delay struct {
	deadline int64 // 0 if no restart was announced
	times    uint8
	refused  uint8
}

// isQuiet says whether nobody is to be disturbed at d at an instant, and until when; 0 for ever.
func (m *Machine) isQuiet(d int32, at int64) (until int64, quiet bool) {
	g := m.groupOf(d)
	if g.quiet == nil {
		return 0, false
	}
	from, to := g.quiet.Next(instant(at))
	return nanos(to), !from.IsZero() && !from.After(instant(at))
}

// unannounced says whether people may put the restart of d off and do not know of it yet.
func (m *Machine) unannounced(d int32) bool {
	a := m.auxOf(d)
	return m.reboot.Deferrals.Max > 0 && (a == nil || a.delay.deadline == 0)
}

// announce announces the restart of d, if people may put it off and do not know of it yet, and says whether it did, or makes it wait for the end
// of a quiet time. How d waits is said by k.
func (m *Machine) announce(d int32, k bin) bool {
	if !m.unannounced(d) {
		return false
	}
	if until, quiet := m.isQuiet(d, m.now); quiet && until != 0 {
		m.bins.postpone(k, d, until)
		return true
	}
	deadline := m.now + int64(m.reboot.Deferrals.Deadline)
	if until, quiet := m.isQuiet(d, deadline); quiet && until != 0 {
		deadline = until
	}
	m.bins.add(bin{what: toAnnounce, startBy: deadline}, d)
	m.bins.postpone(k, d, m.now+int64(m.reboot.Deferrals.Notice))
	return true
}

func (m *Machine) applyAnnounced(e RestartAnnounced) {
	for _, d := range e.Devices {
		m.setAux(d).delay = delay{deadline: nanos(e.Deadline)}
	}
}

// deferred puts a restart off, or writes down why not.
func (m *Machine) deferred(s Deferred) error {
	no := func(format string, args ...any) error {
		return fmt.Errorf("rollout: %s: deferral of %q: %w: "+format, append([]any{m.plan.Key, s.By, ErrCommand}, args...)...)
	}
	switch {
	case strings.TrimSpace(s.By) == "":
		return no("it is nobody's")
	case s.Device < 0 || int(s.Device) >= len(m.dev):
		return no("there is no device %d in the plan", s.Device)
	}
	dev, a := &m.dev[s.Device], m.auxOf(s.Device)
	if dev.state != waiting || dev.op != OpReboot || dev.flags&undone != 0 && dev.flags&absent == 0 || a == nil || a.delay.deadline == 0 {
		return no("no restart of device %s is announced", m.plan.Devices[s.Device])
	}
	e := RestartDeferred{Device: s.Device, By: s.By}
	until := min(m.now+int64(m.reboot.Deferrals.Each), a.delay.deadline)
	if !s.Until.IsZero() {
		until = min(until, nanos(s.Until))
	}
	switch {
	case m.now >= a.delay.deadline:
		e.Refused = deferredLate
	case int(a.delay.times) >= m.reboot.Deferrals.Max:
		e.Refused = deferredOften
	case until <= m.restartedAt(s.Device):
		return nil // it is not restarted before then
	default:
		e.Until = instant(until)
	}
	if e.Refused != "" && a.delay.refused >= lateLimit {
		return no("device %s: asked %d times too often", m.plan.Devices[s.Device], a.delay.refused)
	}
	m.emit(e)
	return nil
}

// restartedAt returns when d, which waits for its restart, is restarted at the earliest.
func (m *Machine) restartedAt(d int32) int64 {
	at := max(m.dev[d].due, m.now)
	if m.dev[d].flags&absent != 0 && !m.plan.Policy.Rollback.InWindows {
		return at
	}
	if h := &m.groupOf(d).restarts; !h.open(at) {
		return h.from
	}
	return at
}

func (m *Machine) applyDeferred(e RestartDeferred) {
	a := m.setAux(e.Device)
	if e.Refused != "" {
		a.delay.refused++
		return
	}
	a.delay.times++
	m.dev[e.Device].due = nanos(e.Until)
	m.setTimer(e.Device, m.dev[e.Device].due)
}

// delayed adds to an explanation that d waits for a restart that was announced, if it does.
func (x *Explanation) delayed(m *Machine, d int32, now int64) {
	a, due := m.auxOf(d), m.dev[d].due
	if a == nil || a.delay.deadline == 0 || due <= now {
		return
	}
	if at := m.restartedAt(d); at != math.MaxInt64 {
		due = at
	}
	x.Reasons = append(x.Reasons, message("wait-announced", "at", clock(instant(due)), "times", strconv.Itoa(int(a.delay.times)),
		"max", strconv.Itoa(m.reboot.Deferrals.Max), "deadline", clock(instant(a.delay.deadline))))
	x.soonest(instant(due))
}
