package rollout

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// A Circuit is what one breaker of a rollout is about ([policy.Breaker]): a failure domain of the plan, or a patch.
type Circuit struct {
	Domain int      `json:"domain"`          // the number of the domain in the plan; -1 for a patch
	Patch  patch.ID `json:"patch,omitempty"` // "" for a domain
}

// BreakerTripped says that no installation is begun any more on the devices that a circuit is about, until then; from then on one is.
type BreakerTripped struct {
	Circuit Circuit
	Failed  int // of Tries, which had ended last
	Tries   int
	Fault   patch.Fault // of the last of these
	Device  int32       // whose try that was
	Until   time.Time
	Again   bool // it had tripped before, and the one try that was begun then has failed
}

// BreakerTried says that the one try is begun that decides whether a breaker closes.
type BreakerTried struct {
	Circuit Circuit
	Device  int32
}

// BreakerClosed says that this try has succeeded: installations are begun as before.
type BreakerClosed struct {
	Circuit Circuit
	Device  int32
}

func (BreakerTripped) kind() byte { return kindBreakerTripped }
func (BreakerTried) kind() byte   { return kindBreakerTried }
func (BreakerClosed) kind() byte  { return kindBreakerClosed }

func (c Circuit) encode(e *encoder) {
	e.int(c.Domain)
	e.string(string(c.Patch))
}

func decodeCircuit(d *decoder) Circuit { return Circuit{d.int(), patch.ID(d.string())} }

func (v BreakerTripped) encode(e *encoder) {
	v.Circuit.encode(e)
	e.int(v.Failed)
	e.int(v.Tries)
	e.byte(byte(v.Fault))
	e.int(int(v.Device))
	e.time(v.Until)
	e.bool(v.Again)
}

func (v BreakerTried) encode(e *encoder) {
	v.Circuit.encode(e)
	e.int(int(v.Device))
}

func (v BreakerClosed) encode(e *encoder) { BreakerTried(v).encode(e) }

func decodeBreakerTripped(d *decoder) BreakerTripped {
	return BreakerTripped{Circuit: decodeCircuit(d), Failed: d.int(), Tries: d.int(), Fault: patch.Fault(d.byte()), Device: int32(d.int()),
		Until: d.time(), Again: d.bool()}
}

func decodeBreakerTried(d *decoder) BreakerTried {
	return BreakerTried{Circuit: decodeCircuit(d), Device: int32(d.int())}
}

// circuits are the breakers of a rollout.
type circuits struct {
	all       []circuit
	domains   []int32            // by domain of the plan: the number of its circuit plus one; 0 for none
	patches   map[patch.ID]int32 // the same by patch
	contents  [][]int32          // by content of the plan: the circuits of its patches
	tripped   int                // circuits that have
	undecided []int32            // circuits of which something has become known since the last decision, each once
}

// A circuit is one breaker.
type circuit struct {
	is      Circuit
	breaker policy.Breaker
	tries   []verdict // the last ones, since it closed
	until   int64     // tripped: from then on one try is begun; 0 if it is closed
	probe   int32     // the device of that try plus one; 0 if none is under way
	result  verdict   // of that try
	known   bool      // it is, and nothing was decided upon it yet
	open    bool      // it is in undecided
	by      BreakerTripped
}

// A verdict is what one try says.
type verdict struct {
	at     int64
	device int32
	failed bool
	open   bool // it has not failed, and it may still be found that it has
	fault  patch.Fault
}

// newCircuits makes the breakers of a plan; nil if its policy has none.
func newCircuits(p *Plan) *circuits {
	if p.Policy.Breaker.IsZero() && !slices.ContainsFunc(p.Policy.Budgets, func(b policy.Budget) bool { return !b.Breaker.IsZero() }) {
		return nil
	}
	c := &circuits{patches: make(map[patch.ID]int32)}
	c.grow(p)
	return c
}

// grow makes those of domains and contents that have joined the plan.
func (c *circuits) grow(p *Plan) {
	if c == nil {
		return
	}
	for n := len(c.domains); n < len(p.Domains); n++ {
		at := int32(0)
		if b := p.Policy.Budgets[p.Domains[n].Budget].Breaker; !b.IsZero() {
			c.all = append(c.all, circuit{is: Circuit{Domain: n}, breaker: b.WithDefaults()})
			at = int32(len(c.all))
		}
		c.domains = append(c.domains, at)
	}
	for n := len(c.contents); n < len(p.Contents); n++ {
		var of []int32
		for i := range p.Contents[n].Patches {
			if p.Policy.Breaker.IsZero() {
				break
			}
			id := p.Contents[n].Patches[i].ID
			if c.patches[id] == 0 {
				c.all = append(c.all, circuit{is: Circuit{Domain: -1, Patch: id}, breaker: p.Policy.Breaker.WithDefaults()})
				c.patches[id] = int32(len(c.all))
			}
			of = append(of, c.patches[id]-1)
		}
		c.contents = append(c.contents, of)
	}
}

// find returns the number of a circuit, and whether there is one.
func (c *circuits) find(is Circuit) (int32, bool) {
	if c == nil {
		return 0, false
	}
	at := int32(0)
	switch {
	case is.Patch != "":
		at = c.patches[is.Patch]
	case is.Domain >= 0 && is.Domain < len(c.domains):
		at = c.domains[is.Domain]
	}
	return at - 1, at > 0
}

// each calls do for every circuit that device d is in, until it says no.
func (c *circuits) each(p *Plan, d int32, do func(at int32) bool) {
	if c == nil {
		return
	}
	for _, n := range p.DomainsOf(int(d)) {
		if at := c.domains[n]; at > 0 && !do(at-1) {
			return
		}
	}
	for _, at := range c.contents[p.Content[d]] {
		if !do(at) {
			return
		}
	}
}

// counts says whether a try that has failed so says something of what a circuit is about, and not only of its device.
func (c *circuit) counts(f patch.Fault) bool {
	return f == patch.Transient || f == patch.Untrusted || f == patch.Permanent && c.is.Patch != ""
}

// ended takes in that an installation on d has ended. A success stands until it is found that nothing is there, and for good once d is settled.
func (c *circuits) ended(p *Plan, d int32, now int64, failed bool, fault patch.Fault) {
	c.each(p, d, func(at int32) bool {
		x := &c.all[at]
		if failed && !x.counts(fault) {
			return true
		}
		v := verdict{now, d, failed, !failed, fault}
		if x.until != 0 {
			if x.probe == d+1 && !x.known {
				x.result, x.known = v, true
				c.undecide(at)
			}
			return true
		}
		if i := slices.IndexFunc(x.tries, func(t verdict) bool { return t.device == d && t.open }); failed && i >= 0 {
			if x.is.Patch == "" {
				return true // what the site had to give it did give
			}
			x.tries[i] = v
		} else {
			x.tries = append(x.tries[max(len(x.tries)+1-x.breaker.Of, 0):], v)
		}
		if failed {
			c.undecide(at)
		}
		return true
	})
}

// undecide notes that something has become known of a circuit.
func (c *circuits) undecide(at int32) {
	if x := &c.all[at]; !x.open {
		x.open = true
		c.undecided = append(c.undecided, at)
	}
}

// settled says that what is known of the tries on d stands.
func (c *circuits) settled(p *Plan, d int32) {
	c.each(p, d, func(at int32) bool {
		for i := range c.all[at].tries {
			if t := &c.all[at].tries[i]; t.device == d {
				t.open = false
			}
		}
		return true
	})
}

// freed says that d is worked on no more, or cannot be reached: if it was the one try of a circuit and nothing is known of it, another one may be.
func (c *circuits) freed(p *Plan, d int32) {
	c.each(p, d, func(at int32) bool {
		if x := &c.all[at]; x.probe == d+1 && !x.known {
			x.probe = 0
		}
		return true
	})
}

// failures returns how many of the last tries have failed lately enough to count.
func (x *circuit) failures(now int64) int {
	n := 0
	for _, t := range x.tries {
		if t.failed && (x.breaker.Within == 0 || t.at > now-int64(x.breaker.Within)) {
			n++
		}
	}
	return n
}

// trip decides upon the tries that have ended: which breakers trip, and which close.
func (m *Machine) trip() {
	if m.circuits == nil || m.stage.Final() {
		return
	}
	undecided := m.circuits.undecided
	m.circuits.undecided = nil
	slices.Sort(undecided) // a machine that was replayed has those that were decided upon before, too
	for _, at := range undecided {
		x := &m.circuits.all[at]
		x.open = false
		switch r := x.result; {
		case x.known && !r.failed:
			m.emit(BreakerClosed{Circuit: x.is, Device: r.device})
		case x.known:
			m.emit(BreakerTripped{Circuit: x.is, Failed: 1, Tries: 1, Fault: r.fault, Device: r.device, Until: instant(m.now + int64(x.breaker.Pause)), Again: true})
		case x.until == 0 && x.failures(m.now) >= x.breaker.Failures:
			last := x.tries[x.lastFailed()]
			m.emit(BreakerTripped{Circuit: x.is, Failed: x.failures(m.now), Tries: len(x.tries), Fault: last.fault, Device: last.device, Until: instant(m.now + int64(x.breaker.Pause))})
		}
	}
}

// lastFailed returns which of the tries is the last that has failed; some have.
func (x *circuit) lastFailed() int {
	i := len(x.tries) - 1
	for i > 0 && !x.tries[i].failed {
		i--
	}
	return i
}

func (m *Machine) applyTripped(e *BreakerTripped) {
	at, _ := m.circuits.find(e.Circuit)
	x := &m.circuits.all[at]
	if x.until == 0 {
		m.circuits.tripped++
	}
	x.until, x.probe, x.known, x.tries, x.by = nanos(e.Until), 0, false, nil, *e
}

func (m *Machine) applyTried(e *BreakerTried) {
	at, _ := m.circuits.find(e.Circuit)
	m.circuits.all[at].probe = e.Device + 1
}

func (m *Machine) applyClosed(e *BreakerClosed) {
	at, _ := m.circuits.find(e.Circuit)
	x := &m.circuits.all[at]
	if x.until != 0 {
		m.circuits.tripped--
	}
	x.until, x.probe, x.known, x.tries = 0, 0, false, nil
}

// fitsBreaker says whether the plan has that circuit and that device.
func (m *Machine) fitsBreaker(is Circuit, d int32) error {
	if _, ok := m.circuits.find(is); !ok {
		return fmt.Errorf("breaker: there is none of domain %d or patch %q", is.Domain, is.Patch)
	}
	if d < 0 || int(d) >= len(m.dev) {
		return fmt.Errorf("breaker: device %d of %d", d, len(m.dev))
	}
	return nil
}

// triedPostponed takes in that the installation on d that has just ended comes to nothing, and is tried again.
func (m *Machine) triedPostponed(e *Postponed, d int32) {
	dev := &m.dev[d]
	if e.Op == OpInstall && e.Spent && dev.state == answered && (dev.op == OpInstall || dev.op == OpVerify) {
		m.circuits.ended(m.plan, d, m.now, true, e.Fault)
	}
}

// triedSettled takes in that d is settled: if its last installation has failed, or was looked for and not found, or found not to work, that
// counts. That it could not be looked at says nothing.
func (m *Machine) triedSettled(e *DeviceSettled, d int32) {
	dev := &m.dev[d]
	looked := dev.op == OpVerify && dev.flags&absent == 0 && dev.phase == PhaseFailed && (dev.fault == patch.NoFault || dev.fault == e.Fault && e.Fault != patch.Transient)
	if e.Outcome == Failed && dev.state == answered && (dev.op == OpInstall || looked) {
		m.circuits.ended(m.plan, d, m.now, true, e.Fault)
	}
	m.circuits.settled(m.plan, d)
}

// breaker returns the circuit that keeps an installation on d back at an instant, if one does, with its number.
func (m *Machine) breaker(d int32, now int64) (found int32, shut bool) {
	if m.circuits == nil || m.circuits.tripped == 0 {
		return 0, false
	}
	m.circuits.each(m.plan, d, func(at int32) bool {
		x := &m.circuits.all[at]
		if shut = x.until != 0 && x.probe != d+1 && (x.probe != 0 || now < x.until); shut {
			found = at
		}
		return !shut
	})
	return found, shut
}

// isShut says whether a breaker keeps an installation on d back now.
func (m *Machine) isShut(d int32) bool {
	_, shut := m.breaker(d, m.now)
	return shut
}

// try says that an installation is begun on d, if it is the one that breakers wait for.
func (m *Machine) try(d int32) {
	if m.circuits == nil || m.circuits.tripped == 0 {
		return
	}
	m.circuits.each(m.plan, d, func(at int32) bool {
		if x := &m.circuits.all[at]; x.until != 0 && x.probe == 0 {
			m.emit(BreakerTried{Circuit: x.is, Device: d})
		}
		return true
	})
}

// A trying is the circuits of which a device was wanted just now as their one try.
type trying []int32

// shut says whether an installation on d waits for a breaker at now, or for what becomes of a device that is wanted already. Where all devices
// of its lane wait alike, the lane is told.
func (t *trying) shut(m *Machine, d int32, now int64, q *lanes) bool {
	if m.circuits == nil || m.circuits.tripped == 0 || !m.waitsToInstall(d) {
		return false
	}
	at, shut := m.breaker(d, now)
	if !shut {
		m.circuits.each(m.plan, d, func(of int32) bool {
			if shut = slices.Contains(*t, of); shut {
				at = of
			}
			return !shut
		})
	}
	if x := &m.circuits.all[at]; shut && x.is.Patch == "" && q != nil {
		until := x.until
		if x.probe != 0 || until <= now {
			until = 0 // what opens the lane is the end of that try
		}
		q.isFull(q.page.slots[x.is.Domain], until)
	}
	return shut
}

// take notes that d is wanted.
func (t *trying) take(m *Machine, d int32) {
	if m.circuits == nil || m.circuits.tripped == 0 || !m.waitsToInstall(d) {
		return
	}
	m.circuits.each(m.plan, d, func(at int32) bool {
		if m.circuits.all[at].until != 0 {
			*t = append(*t, at)
		}
		return true
	})
}

// noteBreakers opens the lanes that were closed because of a breaker of which something was decided, or whose one try has ended.
func (l *ledger) noteBreakers(pg *page, m *Machine, b *Batch) {
	if m.circuits == nil {
		return
	}
	for _, e := range b.Events {
		is := Circuit{Domain: -1}
		switch e := e.(type) {
		case BreakerTripped:
			is = e.Circuit
		case BreakerClosed:
			is = e.Circuit
		case Postponed:
			for _, d := range e.Devices {
				if e.Fault == patch.Unreachable {
					l.wakeOf(pg, d)
				}
			}
		}
		if is.Domain >= 0 && is.Patch == "" {
			l.wake(pg.slots[is.Domain])
		}
	}
	for _, d := range b.Freed {
		l.wakeOf(pg, d)
	}
}

// nextTry tells when breakers let one installation begin.
func (m *Machine) nextTry(sooner func(int64)) {
	if m.circuits == nil || m.circuits.tripped == 0 || m.stage != StageActive || !slices.ContainsFunc(m.rings, func(r ring) bool { return r.state.opened() }) {
		return
	}
	for i := range m.circuits.all {
		if x := &m.circuits.all[i]; x.probe == 0 && x.until > m.now {
			sooner(x.until)
		}
	}
}

// A BreakerStatus is a breaker that has tripped.
type BreakerStatus struct {
	Circuit Circuit            `json:"circuit"`
	Name    string             `json:"name"`             // of the domain or the patch, for people
	Failed  int                `json:"failed"`           // of Tries, when it tripped
	Tries   int                `json:"tries"`            // that had ended last then
	Fault   patch.Fault        `json:"fault,omitzero"`   // of the last of these
	Until   time.Time          `json:"until"`            // from then on one installation is begun
	Trying  bool               `json:"trying"`           // one is under way
	Device  inventory.DeviceID `json:"device,omitempty"` // there
}

// breakers returns those that have tripped, in their order.
func (m *Machine) breakers() []BreakerStatus {
	if m.circuits == nil || m.circuits.tripped == 0 {
		return nil
	}
	var all []BreakerStatus
	for i := range m.circuits.all {
		x := &m.circuits.all[i]
		if x.until == 0 {
			continue
		}
		s := BreakerStatus{Circuit: x.is, Name: string(x.is.Patch), Failed: x.by.Failed, Tries: x.by.Tries, Fault: x.by.Fault, Until: instant(x.until), Trying: x.probe != 0}
		if s.Name == "" {
			s.Name = m.plan.DomainName(uint32(x.is.Domain))
		}
		if x.probe != 0 {
			s.Device = m.plan.Devices[x.probe-1]
		}
		all = append(all, s)
	}
	return all
}

// breakers adds to an explanation which breakers keep an installation on d back, and until when.
func (x *Explanation) breakers(m *Machine, d int32, now int64) {
	if m.circuits == nil || !m.waitsToInstall(d) || m.dev[d].flags&session != 0 {
		return
	}
	m.circuits.each(m.plan, d, func(at int32) bool {
		switch c := &m.circuits.all[at]; {
		case c.until == 0 || c.probe == 0 && now >= c.until:
		case c.probe != 0:
			x.Reasons = append(x.Reasons, m.plan.tellBreaker("wait-breaker-try", &c.by, c.probe-1))
		default:
			x.Reasons = append(x.Reasons, m.plan.tellBreaker("wait-breaker", &c.by, c.by.Device))
			x.soonest(instant(c.until))
		}
		return true
	})
}

// tellBreaker tells of a breaker: that of an event, or of one that has tripped by it.
func (p *Plan) tellBreaker(code string, e *BreakerTripped, d int32) Message {
	budget, domain, fault := "", "", ""
	if n := e.Circuit.Domain; n >= 0 && n < len(p.Domains) && e.Circuit.Patch == "" {
		budget, domain = p.Policy.Budgets[p.Domains[n].Budget].Name, p.DomainName(uint32(n))
	}
	if e.Fault != patch.NoFault {
		fault = e.Fault.String()
	}
	return message(code, "budget", budget, "domain", domain, "patch", string(e.Circuit.Patch), "failed", strconv.Itoa(e.Failed), "tries", strconv.Itoa(e.Tries),
		"fault", fault, "device", p.names([]int32{d}), "at", clock(e.Until))
}
