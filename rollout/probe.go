package rollout

import (
	"slices"
	"strconv"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// A ProbeResult is what one probe of a task has found. What is not [patch.Yes] does not count as up.
type ProbeResult struct {
	Name    string    `json:"name"` // of the probe
	Up      patch.Tri `json:"up"`
	Message string    `json:"message,omitempty"` // the provider's own words, for people; no secrets
}

// Probing says how it goes on with a device after a look at its probes.
type Probing uint8

const (
	ProbedLeftOut Probing = iota // it was not well before, or that is not known: nothing is installed there
	ProbedBefore                 // its preparation goes on; what is down does not count against the patch
	ProbedWell                   // everything that was not down before is up after the installation
	ProbedFailed                 // something is down that was not before: it has failed
	ProbedUnwell                 // the same, and it counts as worse than before
)

// String returns the lower-case name.
func (p Probing) String() string {
	names := [...]string{"left-out", "before", "well", "failed", "unwell"}
	if int(p) < len(names) {
		return names[p]
	}
	return "unknown"
}

// Probed says what the probes of the policy have found on these devices: before anything is installed there, or at the end.
type Probed struct {
	Then    Probing
	Fault   patch.Fault // why it is not known; none if the device was looked at
	Devices []int32
	Down    []uint32 // by device: a bit for each probe of the policy, the first the lowest, that was not found up
}

func (Probed) kind() byte { return kindProbed }

func (v Probed) encode(e *encoder) {
	e.byte(byte(v.Then))
	e.byte(byte(v.Fault))
	e.devices(v.Devices)
	e.uint(uint64(len(v.Down)))
	for _, bits := range v.Down {
		e.uint(uint64(bits))
	}
}

func decodeProbed(d *decoder) Probed {
	v := Probed{Then: Probing(d.byte()), Fault: patch.Fault(d.byte()), Devices: d.devices()}
	v.Down = make([]uint32, d.count(1))
	for i := range v.Down {
		v.Down[i] = uint32(d.uint())
	}
	return v
}

func (e *encoder) probes(results []ProbeResult) {
	e.uint(uint64(len(results)))
	for i := range results {
		e.string(results[i].Name)
		e.byte(byte(results[i].Up))
		e.string(results[i].Message)
	}
}

func (d *decoder) probes() []ProbeResult {
	results := make([]ProbeResult, d.count(3))
	for i := range results {
		results[i] = ProbeResult{Name: d.string(), Up: patch.Tri(d.byte()), Message: d.string()}
	}
	return results
}

// probed is what is known of the probes of a device.
type probed struct {
	before    uint32 // what was down before the installation
	down      uint32 // what was down at the last look
	tries     uint8  // to look before that count
	begun     int64  // when this session of the device was
	installed bool   // an installation was begun, since the device was made anew if it was
	since     int64  // when it was first looked at after its verification, or since it was unreachable; 0 if it is
}

// prepares says whether a task of this kind comes before an installation, in the same session.
func (o Op) prepares() bool {
	return o == OpPrecheck || o == OpBackup || o == OpLook || o == OpRemedy || o == OpDrain
}

// lacksPrecheck says whether a look at its probes comes before what is next on d. After an installation was begun there it is too late for that.
func (m *Machine) lacksPrecheck(d int32) bool {
	return m.probes != nil && !m.probes[d].installed
}

// beginSession notes when the session of d began whose first task prepares its installation.
func (m *Machine) beginSession(d int32) {
	if m.backups != nil {
		m.backups[d].begun = m.now
	}
	if m.probes != nil {
		m.probes[d].begun = m.now
	}
	if m.looks != nil {
		m.looks[d].begun = m.now
	}
	if m.cures != nil {
		m.cures[d].begun = m.now
	}
	if m.drains != nil {
		m.drains[d].begun = m.now
	}
}

// sessionBegun returns when the session of d began: with its installation, unless something was to come before.
func (m *Machine) sessionBegun(d int32) int64 {
	switch {
	case m.looks != nil:
		return m.looks[d].begun
	case m.probes != nil:
		return m.probes[d].begun
	case m.backups != nil:
		return m.backups[d].begun
	case m.cures != nil:
		return m.cures[d].begun
	case m.drains != nil:
		return m.drains[d].begun
	}
	return m.dev[d].issued
}

// probesOf tells task t what is to be looked at.
func (m *Machine) probesOf(d int32, t *Task) {
	switch t.Op {
	case OpLook:
		t.Attempt = int(m.looks[d].tries)
		return
	case OpPrecheck:
		t.Attempt = int(m.probes[d].tries)
	case OpProbe:
	default:
		return
	}
	t.Probes = m.plan.Policy.Health.Probes.List
}

// down returns which probes a report does not show to be up.
func (m *Machine) down(r *TaskReport) uint32 {
	var bits uint32
	for i := range m.plan.Policy.Health.Probes.List {
		name := m.plan.Policy.Health.Probes.List[i].Name
		of := func(p ProbeResult) bool { return p.Name == name }
		bad := func(p ProbeResult) bool { return p.Name == name && p.Up != patch.Yes }
		if r.Phase != PhaseSucceeded || !slices.ContainsFunc(r.Probes, of) || slices.ContainsFunc(r.Probes, bad) {
			bits |= 1 << i
		}
	}
	return bits
}

// followPrecheck decides what comes after the look before an installation.
func (m *Machine) followPrecheck(d int32, r *TaskReport, fault patch.Fault) {
	down, leaves := m.down(r), m.plan.Policy.Health.Probes.Before == policy.ProbeLeavesOut
	looked := r.Phase == PhaseSucceeded
	switch {
	case m.dev[d].flags&undone != 0: // made anew, and touched before
		m.next(d, OpRollback)
	case m.stage == StageEnding:
		m.settle(d, Cancelled, fault)
	case r.Phase == PhaseStopped:
		m.postpone(d, patch.NoFault, false, m.now)
	case looked && (down == 0 || !leaves):
		m.bins.probed(ProbedBefore, patch.NoFault, d, down)
		m.prepare(d)
	case looked:
		m.bins.probed(ProbedLeftOut, patch.NoFault, d, down)
		m.settle(d, Skipped, patch.NoFault)
	case m.triesLeft(d, fault, m.probes[d].tries):
		m.again(d, r, fault, int(m.probes[d].tries), Skipped)
	case leaves:
		m.bins.probed(ProbedLeftOut, fault, d, down)
		m.settle(d, Skipped, fault)
	default: // nothing is known to have been down, so nothing is forgiven
		m.bins.probed(ProbedBefore, fault, d, 0)
		m.prepare(d)
	}
}

// prepare goes on with d, which was looked at, to its installation.
func (m *Machine) prepare(d int32) {
	if m.lacksBackup(d) && m.mayInstall(d) {
		k := bin{what: toIssue, op: m.safely(d, OpBackup)}
		if k.op == OpBackup { // a look at what may still be running needs no window
			k.startBy = m.hoursOf(d, m.groupOf(d)).closes(m.now)
		}
		m.bins.add(k, d)
		return
	}
	m.install(d)
}

// followProbe decides what comes after a look at d once its installation was verified.
func (m *Machine) followProbe(d int32, r *TaskReport, fault patch.Fault) {
	dev, p := &m.dev[d], &m.probes[d]
	probes := m.plan.Policy.Health.Probes.WithDefaults()
	down := m.down(r) &^ p.before
	looked := r.Phase == PhaseSucceeded
	switch {
	case dev.flags&undone != 0:
		m.next(d, OpRollback)
	case down == 0:
		m.bins.probed(ProbedWell, patch.NoFault, d, 0)
		m.settle(d, Succeeded, patch.NoFault)
	case fault == patch.Unreachable && m.stage != StageEnding:
		m.again(d, r, fault, int(dev.tries), Failed)
	case m.now < p.since+int64(probes.Within) && m.stage != StageEnding:
		m.postpone(d, fault, true, min(m.now+max(int64(probes.Every), int64(r.RetryAfter)), p.since+int64(probes.Within)))
	case probes.Failed == policy.ProbeUnwell:
		m.bins.probed(ProbedUnwell, fault, d, down)
		m.settle(d, Succeeded, patch.NoFault)
	default:
		if looked {
			fault = patch.Permanent // it is there, and does not work
		}
		m.bins.probed(ProbedFailed, fault, d, down)
		m.settle(d, Failed, fault)
	}
}

// probed says what was found on d. It is said before what follows from it.
func (bs *bins) probed(then Probing, fault patch.Fault, d int32, down uint32) {
	k := bin{what: toProbe, probing: then, fault: fault}
	if !slices.ContainsFunc(bs.all, func(o bin) bool { return o.same(&k) }) {
		bs.all = slices.Insert(bs.all, 0, k)
	}
	to := bs.at(k)
	to.devices, to.down = append(to.devices, d), append(to.down, down)
}

// applyProbing notes that d is looked at.
func (m *Machine) applyProbing(d int32, before, first bool) {
	p := &m.probes[d]
	switch {
	case before:
		m.preparing++
		m.place(d)
		if p.tries < 255 {
			p.tries++
		}
	case first || p.since == 0:
		p.since = m.now
	}
}

// applyUnchecked lets a device that could not be looked at wait for its installation, of which that look is a part.
func (m *Machine) applyUnchecked(d int32, spent bool) {
	m.dev[d].op = OpInstall
	if p := &m.probes[d]; !spent && p.tries > 0 {
		p.tries--
	}
}

func (m *Machine) applyProbed(e Probed) {
	for i, d := range e.Devices {
		p := &m.probes[d]
		switch e.Then {
		case ProbedBefore:
			p.before, p.tries = e.Down[i], 0
		case ProbedUnwell:
			before := m.weighBefore(d)
			m.dev[d].flags |= unwell
			m.reweigh(d, before)
		}
	}
}

// probeNames returns the names of these probes.
func (p *Plan) probeNames(bits uint32) string {
	var names []string
	for i := range p.Policy.Health.Probes.List {
		if bits&(1<<i) != 0 {
			names = append(names, p.Policy.Health.Probes.List[i].Name)
		}
	}
	return strings.Join(names, ", ")
}

// describe tells what was found, once for all devices where it is the same.
func (e Probed) describe(p *Plan) []Message {
	code, fault := "probed-"+e.Then.String(), ""
	if e.Fault != patch.NoFault {
		fault = e.Fault.String()
	}
	var all []Message
	for i, down := range e.Down {
		if slices.Contains(e.Down[:i], down) {
			continue
		}
		var devices []int32
		for k := i; k < len(e.Down); k++ {
			if e.Down[k] == down {
				devices = append(devices, e.Devices[k])
			}
		}
		all = append(all, message(code, "devices", p.names(devices), "down", p.probeNames(down), "fault", fault))
	}
	return all
}

// probes adds to an explanation what is down on d, if it waits for that or has failed for it.
func (x *Explanation) probes(m *Machine, d int32) {
	dev := &m.dev[d]
	if m.probes == nil {
		return
	}
	p := &m.probes[d]
	if !p.installed {
		if dev.state == waiting && p.tries > 0 {
			x.Reasons = append(x.Reasons, message("wait-precheck", "tries", strconv.Itoa(int(p.tries)), "attempts", strconv.Itoa(m.retry.Attempts)))
		}
		return
	}
	down := m.plan.probeNames(p.down &^ p.before)
	switch {
	case down == "":
	case dev.state == settled && (dev.outcome == Failed || dev.flags&unwell != 0):
		x.Reasons = append(x.Reasons, message("is-down", "down", down))
	case dev.state == waiting && dev.op == OpProbe && p.since != 0:
		until := p.since + int64(m.plan.Policy.Health.Probes.WithDefaults().Within)
		x.Reasons = append(x.Reasons, message("wait-probes", "down", down, "until", clock(instant(until))))
	}
}

// applyLooked keeps the last look at a device, for explanations.
func (m *Machine) applyLooked(r *TaskReport) {
	m.probes[r.Device].down = m.down(r)
}
