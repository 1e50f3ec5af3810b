package rollout

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// An Explanation says why a device is where it is.
type Explanation struct {
	Device  inventory.DeviceID `json:"device"`
	Ring    string             `json:"ring,omitempty"`
	Reasons []Message          `json:"reasons"`       // everything that it waits for, the outermost first
	Next    time.Time          `json:"next,omitzero"` // the next instant at which time alone may change that; zero if none
}

// Explain says everything that device d waits for at now. A settled device has its outcome as the only reason; a device
// that is not in the plan is said to be so.
func (m *Machine) Explain(d inventory.DeviceID, now time.Time) Explanation {
	x := Explanation{Device: d}
	i, ok := m.plan.Find(d)
	if !ok {
		x.Reasons = []Message{message("unknown-device", "device", string(d))}
		return x
	}
	dev := &m.dev[i]
	r := int(dev.ring)
	x.Ring = m.plan.Rings[r].Name
	switch dev.state {
	case settled:
		fault, begun := "", ""
		if dev.outcome == Failed || dev.outcome == RollbackFailed {
			if dev.fault != patch.NoFault {
				fault = dev.fault.String()
			}
			if n := m.begunOn(int32(i)); n > 0 {
				begun = strconv.Itoa(n)
			}
		}
		x.Reasons = []Message{message("wait-settled", "outcome", dev.outcome.String(), "fault", fault, "begun", begun)}
		if dev.flags&unwell != 0 {
			x.worse(m, int32(i))
		}
		x.left(m, int32(i))
		x.probes(m, int32(i))
		x.hands(m, int32(i))
		x.shared(m, int32(i))
		x.superseded(m, int32(i))
		x.quarantined(m, int32(i))
		x.drain(m, int32(i))
		return x
	case running:
		x.Reasons = []Message{message("wait-running", "op", dev.op.String(), "since", clock(instant(dev.issued)))}
		x.Next = instant(dev.due)
		x.away(m, int32(i))
		x.left(m, int32(i))
		x.hands(m, int32(i))
		x.shared(m, int32(i))
		return x
	}
	x.stage(m)
	if dev.op == OpInstall && dev.flags&session == 0 {
		x.ring(m, r)
	}
	at := nanos(now)
	x.away(m, int32(i))
	x.before(m, int32(i))
	if dev.op == OpReboot && (dev.flags&session == 0 || dev.flags&absent != 0 && dev.fault == patch.NoFault) && dev.offline == 0 {
		x.delayed(m, int32(i), at)
		if h := &m.groupOf(int32(i)).restarts; !h.open(at) {
			x.Reasons = append(x.Reasons, h.opens("wait-restart"))
			x.soonest(instant(h.from))
		}
	} else if dev.due > at {
		fault := ""
		if dev.fault != patch.NoFault {
			fault = dev.fault.String()
		}
		x.Reasons = append(x.Reasons, message("wait-retry", "op", dev.op.String(), "at", clock(instant(dev.due)), "fault", fault))
		x.soonest(instant(dev.due))
	}
	x.yields(m, int32(i), at)
	x.probes(m, int32(i))
	x.remedy(m, int32(i))
	x.drain(m, int32(i))
	if b := m.saved(int32(i)); b.tries > 0 && b.id == "" && dev.op == OpInstall {
		x.Reasons = append(x.Reasons, message("wait-backup", "tries", strconv.Itoa(int(b.tries)), "attempts", strconv.Itoa(m.retry.Attempts)))
	}
	if dev.op == OpInstall && dev.flags&session == 0 {
		g := m.groupOf(int32(i))
		if a := &g.ahead; m.loads(g) && m.unbegun(int32(i)) && !g.open(at) && !a.open(at) && a.from != math.MaxInt64 {
			x.Reasons = append(x.Reasons, a.opens("wait-download"))
			x.soonest(instant(a.from))
		}
		if h := m.hoursOf(int32(i), g); !h.open(at) {
			if t := h.schedule.Explain(instant(at)); t.State == policy.TimingFrozen {
				x.Reasons = append(x.Reasons, h.opens("wait-freeze", "freeze", t.Freeze))
			} else {
				x.Reasons = append(x.Reasons, h.opens("wait-window"))
			}
			x.soonest(instant(h.from))
		}
	}
	if dev.op == OpInstall && dev.flags&(session|excused) == 0 {
		x.spread(m, int32(i), at)
	}
	x.guests(m, int32(i))
	x.unended(m, int32(i))
	x.undo(m, int32(i), at)
	if limit := m.plan.Policy.MaxActive; limit > 0 && m.active >= limit {
		x.Reasons = append(x.Reasons, message("wait-limit", "active", strconv.Itoa(m.active), "limit", strconv.Itoa(limit)))
	}
	if ring := &m.rings[r]; ring.limit > 0 && ring.active >= ring.limit {
		x.Reasons = append(x.Reasons, message("wait-limit", "active", strconv.Itoa(ring.active), "limit", strconv.Itoa(ring.limit), "ring", x.Ring))
	}
	if ring := &m.rings[r]; ring.state.opened() && m.climbing(ring, int32(i), 0) {
		x.Reasons = append(x.Reasons, message("wait-ramp", "placed", strconv.Itoa(ring.placed), "places", strconv.Itoa(ring.places()), "ring", x.Ring))
	}
	x.rate(m, int32(i), at)
	x.breakers(m, int32(i), at)
	if len(x.Reasons) == 0 {
		x.Reasons = append(x.Reasons, message("wait-turn"))
	}
	x.raised(m, int32(i), at)
	x.left(m, int32(i))
	x.hands(m, int32(i))
	x.shared(m, int32(i))
	return x
}

// Add adds a reason that others than the rollout itself have, such as its [Agenda]: its turn has not come then.
func (x *Explanation) Add(why Message) {
	x.Reasons = append(slices.DeleteFunc(x.Reasons, func(m Message) bool { return m.Code == "wait-turn" }), why)
}

// AddUntil adds a reason that ends by itself at an instant.
func (x *Explanation) AddUntil(why Message, until time.Time) {
	x.Add(why)
	x.soonest(until)
}

func (x *Explanation) soonest(t time.Time) {
	if x.Next.IsZero() || t.Before(x.Next) {
		x.Next = t
	}
}

func (x *Explanation) stage(m *Machine) {
	if m.stage != StageActive {
		x.Reasons = append(x.Reasons, message("wait-stage", "stage", m.stage.String()))
	}
}

// ring says why ring r is not open, if it is not.
func (x *Explanation) ring(m *Machine, r int) {
	switch m.rings[r].state {
	case ringAsking:
		x.Reasons = append(x.Reasons, m.waitsForLeave(r))
	case ringWaiting:
		for b := range r {
			before := &m.rings[b]
			if before.state == ringPassed {
				continue
			}
			c := m.counts(b)
			name := m.plan.Rings[b].Name
			x.Reasons = append(x.Reasons, message("wait-ring", append([]string{"ring", m.plan.Rings[r].Name, "before", name,
				"succeeded", strconv.Itoa(c.Succeeded), "denominator", strconv.Itoa(c.Denominator), "bad", strconv.Itoa(c.Bad())},
				append(lacking(&before.gate, c), m.evidence(b).params()...)...)...))
			x.compares(m, b)
			switch before.state {
			case ringAsking:
				x.Reasons = append(x.Reasons, m.waitsForLeave(b))
			case ringSoaking:
				x.Reasons = append(x.Reasons, message("wait-soaking", "before", name, "until", clock(instant(before.soak))))
				x.soonest(instant(before.soak))
			case ringStuck:
				x.Reasons = append(x.Reasons, message("wait-held", "ring", name, "code", before.held))
				if before.held == heldHealth {
					x.Reasons = append(x.Reasons, message("wait-samples", "ring", name, "devices", strconv.Itoa(before.unmeasured)))
				}
			}
			return
		}
	}
}

// opens is the reason to wait for the next opening of h, by UTC and by the clock on the wall.
func (h *hours) opens(code string, pairs ...string) Message {
	at, local := instant(h.from), ""
	if t := h.schedule.Local(at); t.Location().String() != "UTC" {
		local = t.Format("Mon 15:04 ") + t.Location().String()
	}
	return message(code, append(pairs, "at", clock(at), "local", local)...)
}

// lacking says by how much a ring is below what its gate wants: the rate of those that succeeded and the rate that is wanted, if it is lower, and how
// many more have to succeed, if nothing else changes.
func lacking(g *policy.Gate, c Counts) []string {
	rate, want, missing := "", "", max(g.MinSample-c.Sample, 0)
	if all, least := c.Denominator, int(g.MinSuccess); all > 0 && c.Succeeded*10000 < least*all {
		rate, want = policy.Share(c.Succeeded*10000/all).String(), g.MinSuccess.String()
		short, each := least*all-c.Succeeded*10000, 10000
		if g.Denominator == policy.Settled {
			each -= least // who succeeds is one more to be counted, too
		}
		if each > 0 {
			missing = max(missing, (short+each-1)/each)
		} else {
			missing = 0 // never again all of them
		}
	}
	if missing == 0 {
		return []string{"rate", rate, "want", want, "missing", ""}
	}
	return []string{"rate", rate, "want", want, "missing", count(missing, "device")}
}

// quarantined says of a device that was rolled back what it does not get again, and until when.
func (x *Explanation) quarantined(m *Machine, d int32) {
	if m.dev[d].outcome != RolledBack {
		return
	}
	ids := m.plan.Contents[m.plan.Content[d]].IDs()
	for i := range m.quarantine {
		if q := &m.quarantine[i]; q.Released.IsZero() && (q.Device == "" || q.Device == x.Device) && slices.Contains(ids, q.Patch) {
			x.Reasons = append(x.Reasons, message("is-quarantined", "patch", string(q.Patch), "since", clock(q.Since), "reason", q.Reason))
		}
	}
}
