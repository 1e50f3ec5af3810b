package rollout

import (
	"math"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// Why a ring cannot get any further by itself.
const (
	heldInconclusive = "inconclusive"
	heldManual       = "manual"
	heldTimeout      = "timeout"
	heldRamp         = "ramp"
)

// Why a gate fails, other than by its thresholds and its time; and why a rollout is halted without it.
const (
	byEvidence = "evidence"
	byPool     = "pool"
	byStop     = "stop"
)

// advance decides what follows from the state, until nothing more does. It looks at the state and never at the signal, so
// that a signal that is lost, late or doubled does no harm.
func (m *Machine) advance() {
	for changed := true; changed && !m.stage.Final(); {
		changed = false
		m.dirty = false
		m.expire()
		m.silence()
		m.leave()
		m.compare()
		for r := range m.rings {
			changed = m.judge(r) || changed
		}
		changed = m.judgeUndo() || changed
		changed = m.open() || changed
		changed = m.finish() || changed
		changed = changed || m.dirty
	}
	m.trip()
	m.raise()
}

// counts is the evidence of the gate of ring r.
func (m *Machine) counts(r int) Counts {
	ring := &m.rings[r]
	n := func(outcomes ...Outcome) int {
		sum := 0
		for _, o := range outcomes {
			sum += int(ring.counts[o])
		}
		return sum
	}
	c := Counts{
		Devices:    m.size(r),
		Succeeded:  n(Succeeded) - ring.unwell - ring.unproven,
		NoNeed:     n(AlreadyInstalled, NotApplicable, Superseded),
		Failed:     n(Failed) + ring.again,
		RolledBack: n(RolledBack),
		Stuck:      n(RollbackFailed),
		Left:       n(Cancelled, Skipped, Gone, Away) + ring.unproven,
		Away:       n(Away),
		Lapsed:     ring.lapsed + n(Unreachable),
		Active:     ring.active,
		Unwell:     ring.unwell,
		Unmeasured: ring.unmeasured,
		Fine:       ring.voices.Fine,
		Broke:      ring.voices.Broke,
		Retried:    ring.retried,
		Retrying:   ring.again - ring.away,
	}
	c.Sample = c.Succeeded + c.Bad()
	switch ring.gate.Denominator {
	case policy.Reached:
		c.Denominator = c.Devices - c.Left - c.NoNeed - c.Lapsed
	case policy.Settled:
		c.Denominator = c.Sample
	default:
		c.Denominator = c.Devices - c.Left - c.NoNeed
	}
	return c
}

// Bad returns the devices that count as failures.
func (c Counts) Bad() int { return c.Failed + c.RolledBack + c.Stuck + c.Unwell }

// evaluate says what the gate makes of the counts, without its soak, hand and time: whether the ring has failed, and
// whether it is good enough.
func evaluate(g policy.Gate, c Counts) (failed, good bool) {
	if c.Denominator <= 0 {
		return false, false // zero of zero says nothing
	}
	bad, all := (c.Bad()-c.Retrying)*10000, c.Denominator // what is tried again has failed once already: it does not make a gate fail twice
	enough := c.Sample >= g.MinSample
	// More failures than the whole ring may have stay too many, however few devices have answered yet.
	failed = bad > int(g.MaxFailed)*all && (enough || g.Denominator == policy.Assigned)
	good = !failed && enough && c.Bad()*10000 <= int(g.MaxFailed)*all && c.Succeeded*10000 >= int(g.MinSuccess)*all
	if g.Denominator == policy.Settled && c.Active > 0 {
		good = false // those that answer first are not a fair sample of those that were begun
	}
	if whole := c.Devices - c.Left + c.Away; g.MinCoverage > 0 && (c.Sample+c.NoNeed)*10000 < int(g.MinCoverage)*whole {
		good = false
	}
	return failed, good
}

func (m *Machine) applyStaged(e Staged) {
	if e.Stage == StageActive && m.pausedAt != 0 {
		// Paused time uses up no deadline.
		for r := range m.rings {
			if ring := &m.rings[r]; ring.deadline != 0 && ring.opened != 0 {
				ring.deadline += m.now - max(m.pausedAt, ring.opened)
			}
			if w := m.rings[r].weighing; w != nil {
				w.delay(m.now - m.pausedAt)
			}
		}
		m.delayAways(m.pausedAt)
		m.pausedAt = 0
	}
	if e.Stage != StageActive && m.pausedAt == 0 {
		m.pausedAt = m.now
	}
	if m.why != byStop || e.Stage == StageActive || e.Stage.Final() { // an emergency is over when it is resumed or has ended
		m.why = e.Code
	}
	if e.Code == byStop {
		m.hasten()
	}
	m.applyUndoStaged(&e)
	m.stage, m.ending = e.Stage, e.Ending
	m.dirty = true
}

// judge brings the state of a ring up to its counts and the time.
func (m *Machine) judge(r int) bool {
	ring := &m.rings[r]
	if !ring.state.opened() {
		return false
	}
	c := m.counts(r)
	failed, good := evaluate(ring.gate, c)
	proved, lacks := m.weighed(r)
	full := ring.rampStuck(c)
	good = good && !lacks && !full
	known, comparing := measured(ring.gate, c), m.comparing(r)
	sure := known || ring.held != heldHealth
	sure = sure && ring.held != byControl // what is good enough by itself, and is held for that, has had its time
	timeout := ring.deadline != 0 && m.stage == StageActive && m.now >= ring.deadline && ring.state != ringPassed
	switch {
	case failed && !ring.promoted:
		m.fail(r, c, "")
		return true
	case proved && !ring.promoted:
		m.fail(r, c, byEvidence)
		return true
	case m.differs(r) && !ring.promoted:
		m.fail(r, c, byControl)
		return true
	case m.complained(r) && !ring.promoted:
		m.fail(r, c, byFeedback)
		return true
	case ring.state == ringPassed && full && m.stage == StageActive: // those that are left would wait for ever, and nobody would be asked
		m.emit(Judged{Ring: r, Result: Inconclusive, Counts: c, Evidence: m.evidence(r), Reason: heldRamp})
		m.emit(RingHeld{Ring: r, Code: heldRamp})
		return true
	case ring.state == ringPassed:
		return false
	case timeout && ring.gate.OnTimeout == policy.TimeoutFails && !(good && sure):
		m.fail(r, c, heldTimeout)
		return true
	case timeout && !(good && sure):
		m.emit(Judged{Ring: r, Result: Inconclusive, Counts: c, Evidence: m.evidence(r), Reason: heldTimeout})
		m.emit(RingHeld{Ring: r, Code: heldTimeout})
		return true
	}
	switch ring.state {
	case ringOpen:
		switch {
		case good && ring.gate.Soak > 0 && ring.soak == 0:
			m.emit(RingSoaking{Ring: r, Until: instant(m.now + int64(ring.gate.Soak))})
			return true
		case good:
			return !comparing && m.passed(r, c)
		case m.stage == StageActive && m.needless(r, c) && !ring.gate.Manual:
			m.emit(Judged{Ring: r, Result: Pass, Counts: c, Evidence: m.evidence(r), Reason: "no-need"})
			return true
		case m.stage == StageActive && ring.stuck(c):
			m.emit(Judged{Ring: r, Result: Inconclusive, Counts: c, Evidence: m.evidence(r)})
			m.emit(RingHeld{Ring: r, Code: heldInconclusive})
			return true
		case m.stage == StageActive && full:
			m.emit(Judged{Ring: r, Result: Inconclusive, Counts: c, Evidence: m.evidence(r), Reason: heldRamp})
			m.emit(RingHeld{Ring: r, Code: heldRamp})
			return true
		}
	case ringSoaking:
		switch {
		case !good:
			m.emit(RingUnsettled{Ring: r})
			return true
		case m.now >= ring.soak && !comparing:
			return m.passed(r, c)
		}
	case ringStuck:
		switch {
		case ring.held == heldHealth && good:
			return known && m.passed(r, c)
		case ring.held == byControl && good:
			return !comparing && !m.tooFew(r) && m.passed(r, c)
		}
		if ring.held == heldHealth || ring.held == byControl || ring.held == heldInconclusive && (good || !ring.stuck(c) || m.needless(r, c) && !ring.gate.Manual && m.stage == StageActive) || ring.held == heldManual && !good || ring.held == heldRamp && !full {
			m.emit(RingUnsettled{Ring: r})
			return true
		}
	}
	return false
}

// stuck says whether nothing can change in a ring by itself any more.
func (r *ring) stuck(c Counts) bool {
	return c.Sample+c.NoNeed+c.Left+c.Lapsed-c.Retrying+r.calm == c.Devices
}

// needless says whether no device of the last ring needs what it was to get, as far as a person has not left it out: nobody comes after it
// for whom a gate would have to know more. One that is away may need it. In an earlier ring that is zero of zero, and says nothing of those that come next.
func (m *Machine) needless(r int, c Counts) bool {
	return r == len(m.rings)-1 && c.NoNeed > 0 && c.NoNeed+c.Left-c.Away == c.Devices
}

// passed closes a ring that is good enough and has soaked, or asks for a hand.
func (m *Machine) passed(r int, c Counts) bool {
	if !measured(m.rings[r].gate, c) {
		m.emit(Judged{Ring: r, Result: Inconclusive, Counts: c, Evidence: m.evidence(r), Reason: heldHealth})
		m.emit(RingHeld{Ring: r, Code: heldHealth})
		return true
	}
	if m.tooFew(r) {
		m.emit(Judged{Ring: r, Result: Inconclusive, Counts: c, Evidence: m.evidence(r), Reason: byControl})
		m.emit(RingHeld{Ring: r, Code: byControl})
		return true
	}
	if m.rings[r].gate.Manual {
		m.emit(Judged{Ring: r, Result: Inconclusive, Counts: c, Evidence: m.evidence(r), Reason: heldManual})
		m.emit(RingHeld{Ring: r, Code: heldManual})
		return true
	}
	m.emit(Judged{Ring: r, Result: Pass, Counts: c, Evidence: m.evidence(r)})
	return true
}

// fail lets a ring fail, and reacts as the policy says.
func (m *Machine) fail(r int, c Counts, reason string) {
	m.emit(Judged{Ring: r, Result: Fail, Counts: c, Evidence: m.evidence(r), Reason: reason})
	switch {
	case m.stage == StageUndoing || m.stage == StageEnding || m.undid.halted:
		return // already on its way out
	case m.plan.Policy.Rollback.On == policy.FailRollsBackRing:
		m.undoAll(r, r+1, undoRing, Command{})
	case m.plan.Policy.Rollback.On == policy.FailRollsBackAll:
		m.undoAll(0, len(m.rings), undoRollout, Command{})
	default:
		m.halt("gate", Command{})
	}
}

// halt begins nothing more, and asks what installs to stop.
func (m *Machine) halt(code string, c Command) {
	m.emit(Staged{Stage: StageHalted, Code: code, By: c.By, Reason: c.Reason})
	m.stopInstalls()
}

// mayStop says whether a device is at what is asked to stop when no more is to be installed there.
func (m *Machine) mayStop(d int32) bool {
	dev := &m.dev[d]
	return dev.state == running && (dev.op == OpInstall || dev.op == OpDownload || m.prepares(d, dev.op)) && dev.flags&stopped == 0 &&
		!(dev.op == OpDrain && dev.flags&undone != 0) // which comes before its rollback
}

func (m *Machine) stopInstalls() {
	m.bins.reset()
	for d := range m.dev {
		if m.mayStop(int32(d)) {
			m.bins.add(bin{what: toStop}, int32(d))
		}
	}
	m.flush()
}

// open opens the next ring when the one before it has passed, or asks for leave.
func (m *Machine) open() bool {
	if m.stage != StageActive {
		return false
	}
	for r := range m.rings {
		ring := &m.rings[r]
		switch {
		case ring.state == ringPassed:
			continue
		case ring.state != ringWaiting:
			return false
		case m.plan.Rings[r].asks():
			m.ask(r)
		default:
			m.emit(RingOpened{Ring: r})
		}
		return true
	}
	return false
}

// finish ends the rollout when there is nothing left to do.
func (m *Machine) finish() bool {
	if m.returning > 0 {
		return false // who was taken out of service for this is put back before it ends
	}
	switch m.stage {
	case StageActive:
		for r := range m.rings {
			if m.rings[r].state != ringPassed {
				return false
			}
		}
		if m.active > 0 || m.loading > 0 || m.undoing > 0 || m.unsettled > m.lapsed+m.allCalm() || m.awaitsAway() {
			return false
		}
		m.settleRest(Unreachable)
		m.emit(Staged{Stage: StageDone, Code: "finished"})
		return true
	case StageUndoing:
		if m.undoing > 0 || m.loading > 0 || m.preparing > 0 {
			return false
		}
		if m.anyLeft() {
			m.halt("undone", Command{})
			return true
		}
		m.settleRest(Cancelled)
		m.emit(Staged{Stage: StageUndone, Code: "finished"})
		return true
	case StageEnding:
		if m.anyRuns() {
			return false
		}
		m.settleRest(Cancelled)
		m.emit(Staged{Stage: m.ending, Code: "finished"})
		return true
	}
	return false
}

// anyRuns says whether a task has not ended. It looks where it found one last, and goes on from there, so that all the answers
// while a rollout ends cost no more than a few looks at each device.
func (m *Machine) anyRuns() bool {
	for range m.dev {
		if m.dev[m.runs].state == running {
			return true
		}
		m.runs = (m.runs + 1) % len(m.dev)
	}
	return false
}

// anyLeft says whether the rollout has changed devices that were not rolled back.
func (m *Machine) anyLeft() bool {
	if m.active > 0 {
		return true
	}
	for d := range m.dev {
		if dev := &m.dev[d]; dev.flags&touched != 0 && dev.flags&(retired|foreign|renewed) == 0 && (dev.outcome == Succeeded || dev.outcome == Unsettled || dev.outcome == RollbackFailed) {
			return true
		}
	}
	return false
}

// settleRest gives every device that has no outcome yet the same one. A device whose rollback was decided and never begun
// keeps the outcome that it had.
func (m *Machine) settleRest(o Outcome) {
	m.bins.reset()
	for d := range m.dev {
		dev := &m.dev[d]
		switch {
		case dev.state == settled:
		case dev.flags&hosting != 0:
			m.settle(int32(d), Cancelled, patch.NoFault)
		case m.retrying(int32(d)):
			m.settle(int32(d), dev.former, dev.fault)
		case dev.former != Unsettled:
			m.bins.add(bin{what: toSettle, outcome: dev.former, owes: dev.flags&owes != 0}, int32(d))
		default:
			m.bins.add(bin{what: toSettle, outcome: o, owes: dev.op == OpReboot && dev.flags&owes != 0}, int32(d))
		}
	}
	m.flush()
}

// Next returns the instant at which a [Tick] would next change something, and whether there is one. It may be past.
func (m *Machine) Next() (time.Time, bool) {
	if m.stage == StageUnknown || m.stage.Final() {
		return time.Time{}, false
	}
	var next int64
	sooner := func(at int64) {
		if at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	for op := OpInstall; op <= lastOp; op++ {
		if at, ok := m.nextDeadline(op); ok {
			sooner(at)
		}
	}
	if t, ok := m.nextTimer(); ok {
		sooner(t.at)
	}
	for len(m.lost) > 0 && !m.wantsLost(m.lost[0]) {
		m.lost = m.lost[1:]
	}
	// turn names the next instant at which h opens or closes: who has had no turn when it closes waits for the next opening.
	turn := func(h *hours) {
		if h.open(m.now) {
			sooner(h.closes(m.now))
		} else if h.from != math.MaxInt64 {
			sooner(h.from)
		}
	}
	m.nextUndo(turn)
	m.nextRaise(sooner)
	m.nextTry(sooner)
	for r := range m.rings {
		ring := &m.rings[r]
		if ring.state == ringSoaking && !(m.comparing(r) && ring.soak <= m.now) {
			sooner(ring.soak)
		}
		m.nextCompared(r, sooner)
		for i := ring.groups[0]; i < ring.groups[1] && len(m.lost) > 0 && m.stage == StageActive; i++ {
			turn(&m.groups[i].restarts)
		}
		if m.stage != StageActive || !ring.state.opened() {
			continue
		}
		if w := ring.weighing; w != nil {
			if at, ok := m.nextSilence(w); ok {
				sooner(at)
			}
		}
		if ring.state != ringPassed && ring.deadline > m.now { // one that is past has been looked at
			sooner(ring.deadline)
		}
		if ring.rampStuck(m.counts(r)) {
			continue // no window lets anything begin, whatever else holds the ring
		}
		if at, full := m.refill(m.now); full && m.beginsAny(ring, m.now) {
			sooner(at)
		}
		for i := ring.groups[0]; i < ring.groups[1]; i++ {
			g := &m.groups[i]
			if m.loads(g) && m.anyFresh(g) && !g.open(m.now) {
				turn(&g.ahead)
			}
			if m.anyWaiting(g) {
				turn(&g.hours)
			}
			if at, ok := m.nextTurn(g, m.now); ok {
				sooner(at)
			}
			if m.anyExcused(g) {
				turn(&g.unbound)
			}
		}
	}
	return instant(next), next != 0
}

// anyWaiting says whether a device of g waits for its window.
func (m *Machine) anyWaiting(g *group) bool {
	for len(g.again) > 0 && !m.wantsInTurn(g.again[0]) {
		g.again = g.again[1:]
	}
	return m.anyFresh(g) || len(g.again) > 0
}

// anyExcused says whether a device of g that need not wait for its window waits for something else.
func (m *Machine) anyExcused(g *group) bool {
	for len(g.excused) > 0 && !m.wantsAgain(g.excused[0]) {
		g.excused = g.excused[1:]
	}
	return len(g.excused) > 0
}

// Scopes of a rollback.
const (
	undoDevice  = "device"
	undoRing    = "ring"
	undoRollout = "rollout"
)

// undoAll rolls back what was touched in the rings from first to before end.
func (m *Machine) undoAll(first, end int, scope string, c Command) {
	var devices, refused []int32
	for d := range m.dev {
		dev := &m.dev[d]
		if int(dev.ring) < first || int(dev.ring) >= end || !m.canUndo(int32(d)) {
			continue
		}
		if m.refuses(int32(d), c.Force) != "" {
			refused = append(refused, int32(d))
		} else {
			devices = append(devices, int32(d))
		}
	}
	why := ""
	if len(refused) > 0 {
		why = m.refuses(refused[0], c.Force)
	}
	m.emit(UndoBegan{Scope: scope, By: c.By, Reason: c.Reason, Devices: devices, Refused: refused, Why: why, Now: c.Now})
	if patches := m.patchesOf(devices); len(patches) > 0 {
		reason := c.Reason
		switch {
		case reason == "" && c.By != "":
			reason = "rolled back by " + c.By
		case reason == "":
			reason = "gate of ring " + m.plan.Rings[first].Name + " failed"
		}
		m.emit(Quarantined{Patches: patches, Reason: reason})
	}
	if len(devices) == 0 && len(refused) > 0 {
		m.halt("gate", c)
		return
	}
	m.emit(Staged{Stage: StageUndoing, Ending: StageUndone, Code: scope, By: c.By, Reason: c.Reason})
	m.stopInstalls()
}

// canUndo says whether something was begun on d that is not taken back already.
func (m *Machine) canUndo(d int32) bool {
	dev := &m.dev[d]
	if dev.flags&touched == 0 || dev.flags&(undone|retired|foreign|renewed) != 0 {
		return false
	}
	return dev.state != settled || dev.outcome == Succeeded || dev.outcome == Failed || dev.outcome == RollbackFailed
}

// refuses returns why d is not rolled back, or "".
func (m *Machine) refuses(d int32, force bool) string {
	c := &m.plan.Contents[m.plan.Content[d]]
	for i := range c.Patches {
		p := &c.Patches[i]
		switch {
		case p.Reversal == patch.ReversalSnapshot && m.backups != nil:
			if m.backups[d].id == "" {
				return string(p.ID) + " can only be taken back by a backup, and there is none"
			}
			if m.isExploited(p) && !force {
				return exploited(p)
			}
		case !p.Reversal.Possible():
			return string(p.ID) + " cannot be taken back"
		case m.isExploited(p) && !force:
			return exploited(p)
		}
	}
	return ""
}

func exploited(p *Pinned) string {
	return string(p.ID) + " closes a vulnerability that is known to be exploited"
}

// patchesOf returns the patches of these devices, each once, in the order of the plan's contents.
func (m *Machine) patchesOf(devices []int32) []patch.ID {
	used := make([]bool, len(m.plan.Contents))
	for _, d := range devices {
		used[m.plan.Content[d]] = true
	}
	var ids []patch.ID
	seen := make(map[patch.ID]bool)
	for c, u := range used {
		if !u {
			continue
		}
		for i := range m.plan.Contents[c].Patches {
			if id := m.plan.Contents[c].Patches[i].ID; !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids
}
