package rollout

import (
	"math"
	"strconv"

	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/policy/sequential"
)

// Evidence is what a gate weighs beside its [Counts], if its policy says so: devices in the order in which they were begun.
type Evidence struct {
	Begun         int `json:"begun"`   // devices that were begun, without those that do not count
	Failed        int `json:"failed"`  // of these; silence for too long is a failure
	Settled       int `json:"settled"` // the oldest of them, up to the first whose fate is open
	SettledFailed int `json:"settledFailed"`
	Overdue       int `json:"overdue"` // devices of the failed that had no outcome in time

	Above float64      `json:"above"`           // e-value against a rate that is tolerable, the greater of the two, in three digits
	Below float64      `json:"below,omitempty"` // e-value against a rate that is too high to pass, in three digits
	Low   policy.Share `json:"low"`             // the rates of failure that the settled ones have not refuted, however often one looked
	High  policy.Share `json:"high"`

	Control Comparison `json:"control,omitzero"` // zero if the gate compares nothing, or nobody has succeeded yet
}

// leastFailures is how many failures a proof takes at least: one may have any reason.
const leastFailures = 2

// A weighing is what the gate of a ring knows about its devices in the order in which they were begun.
type weighing struct {
	rule       policy.Evidence
	halt, pass *sequential.Table // pass is nil if the policy asks for no proof
	alpha      float64

	order   []int32 // as they were begun
	starts  []start // whose time is not up, oldest first
	head    int     // devices of order before this are in settled
	begun   tally
	settled tally
	overdue int

	known [2]tally // for which told was worked out
	told  Evidence
}

// A start is devices that were begun at the same time.
type start struct {
	end int // of the devices in the order
	due int64
}

// A tally counts devices whose outcome says something.
type tally struct{ n, failed int }

// A weight is what one device says.
type weight uint8

const (
	weighsNothing weight = iota
	weighsOpen
	weighsWell
	weighsFailed
)

func (t *tally) add(w weight, n int) {
	switch w {
	case weighsOpen, weighsWell:
		t.n += n
	case weighsFailed:
		t.n += n
		t.failed += n
	}
}

// newWeighing returns nil if e is not weighed.
func newWeighing(e policy.Evidence) (*weighing, error) {
	if !e.Weighs() {
		return nil, nil
	}
	w := &weighing{rule: e, alpha: 1 - rate(e.Confidence)}
	var err error
	if w.halt, err = sequential.NewHalt(rate(e.Tolerate), w.alpha, sequential.HaltPrior(), leastFailures); err == nil && e.Below > 0 {
		w.pass, err = sequential.NewPass(rate(e.Below), w.alpha, sequential.PassPrior(rate(e.Below)))
	}
	return w, err
}

func rate(s policy.Share) float64 { return float64(s) / 10000 }

// weigh says what device d says, if it was begun.
func (m *Machine) weigh(d int32) weight {
	dev := &m.dev[d]
	switch {
	case dev.flags&touched == 0:
		return weighsNothing
	case dev.flags&(overdue|proven) != 0:
		return weighsFailed
	}
	switch dev.outcome {
	case Failed, RolledBack, RollbackFailed:
		return weighsFailed
	case Succeeded:
		if dev.flags&unwell != 0 {
			return weighsFailed
		}
		return weighsWell
	case Unsettled:
		if dev.flags&undone != 0 {
			return weighsFailed // it is being taken back
		}
		return weighsOpen
	}
	return weighsNothing
}

// weighBefore returns what device d says before it is changed, for reweigh.
func (m *Machine) weighBefore(d int32) weight {
	if m.rings[m.dev[d].ring].weighing == nil {
		return weighsNothing
	}
	return m.weigh(d)
}

// reweigh brings the tallies of its ring up to device d, which has been changed.
func (m *Machine) reweigh(d int32, before weight) {
	w := m.rings[m.dev[d].ring].weighing
	if w == nil {
		return
	}
	after := m.weigh(d)
	w.begun.add(before, -1)
	w.begun.add(after, 1)
	if m.dev[d].flags&counted != 0 {
		w.settled.add(before, -1)
		w.settled.add(after, 1)
	}
}

// count takes those of the oldest devices whose fate is no longer open into the settled ones. What is counted follows from the
// devices alone, so that it does not matter when this is called.
func (m *Machine) count(w *weighing) {
	for w.head < len(w.order) {
		d := w.order[w.head]
		if m.weigh(d) == weighsOpen {
			return
		}
		m.dev[d].flags |= counted
		w.settled.add(m.weigh(d), 1)
		w.head++
	}
}

// begun appends a device that is begun for the first time to the order of its ring.
func (m *Machine) begun(d int32) {
	w := m.rings[m.dev[d].ring].weighing
	if w == nil {
		return
	}
	w.order = append(w.order, d)
	if w.rule.Within == 0 {
		return
	}
	due := m.now + int64(w.rule.Within)
	if n := len(w.starts); n > 0 && w.starts[n-1].due == due {
		w.starts[n-1].end = len(w.order)
	} else {
		w.starts = append(w.starts, start{len(w.order), due})
	}
}

// silence writes down which devices have had no outcome in time.
func (m *Machine) silence() {
	if m.stage != StageActive {
		return
	}
	for r := range m.rings {
		w := m.rings[r].weighing
		if w == nil || len(w.starts) == 0 || w.starts[0].due > m.now {
			continue
		}
		var late []int32
		at := w.head
		for _, s := range w.starts {
			if s.due > m.now {
				break
			}
			for ; at < s.end; at++ {
				if m.weigh(w.order[at]) == weighsOpen {
					late = append(late, w.order[at])
				}
			}
		}
		for len(w.starts) > 0 && w.starts[0].due <= m.now {
			w.starts = w.starts[1:]
		}
		if len(late) > 0 {
			m.emit(Overdue{Devices: late})
		}
	}
}

// applyOverdue counts devices as failed for ever.
func (m *Machine) applyOverdue(e Overdue) {
	for _, d := range e.Devices {
		before := m.weighBefore(d)
		m.dev[d].flags |= overdue
		m.reweigh(d, before)
		if w := m.rings[m.dev[d].ring].weighing; w != nil {
			w.overdue++
		}
	}
	m.dirty = true
}

// nextSilence returns when the next devices run out of time, and whether there are any.
func (m *Machine) nextSilence(w *weighing) (int64, bool) {
	m.count(w)
	for len(w.starts) > 0 && w.starts[0].end <= w.head {
		w.starts = w.starts[1:]
	}
	if len(w.starts) == 0 {
		return 0, false
	}
	return w.starts[0].due, true
}

// delay gives devices the time back that the rollout was not active since from.
func (w *weighing) delay(by int64) {
	for i := range w.starts {
		w.starts[i].due += by
	}
}

// weighed says whether the evidence of a ring makes its gate fail, and whether it keeps it from passing.
func (m *Machine) weighed(r int) (fails, lacks bool) {
	w := m.rings[r].weighing
	if w == nil {
		return false, false
	}
	m.count(w)
	fails = w.halt.Crossed(w.begun.n, w.begun.failed) || w.halt.Crossed(w.settled.n, w.settled.failed)
	lacks = w.pass != nil && !w.pass.Crossed(w.settled.n, w.settled.failed)
	return fails, lacks
}

// evidence returns the evidence of ring r; the zero value if its gate weighs none and compares nothing.
func (m *Machine) evidence(r int) Evidence {
	var told Comparison
	if x := m.beside.of(r); x != nil {
		told = x.told
	}
	w := m.rings[r].weighing
	if w == nil {
		return Evidence{Control: told}
	}
	m.count(w)
	if now := [2]tally{w.begun, w.settled}; now != w.known || w.told == (Evidence{}) {
		w.known, w.told = now, w.tell()
	}
	w.told.Overdue, w.told.Control = w.overdue, told
	return w.told
}

// tell works the evidence out, in the closed form.
func (w *weighing) tell() Evidence {
	tolerated, prior := rate(w.rule.Tolerate), sequential.HaltPrior()
	e := Evidence{
		Begun: w.begun.n, Failed: w.begun.failed, Settled: w.settled.n, SettledFailed: w.settled.failed,
		Above: digits(max(sequential.LogAbove(w.begun.n, w.begun.failed, tolerated, prior),
			sequential.LogAbove(w.settled.n, w.settled.failed, tolerated, prior))),
	}
	if w.pass != nil {
		below := rate(w.rule.Below)
		e.Below = digits(sequential.LogBelow(w.settled.n, w.settled.failed, below, sequential.PassPrior(below)))
	}
	low, high := sequential.Interval(w.settled.n, w.settled.failed, w.alpha, sequential.Prior{A: 1, B: 1})
	e.Low, e.High = policy.Share(math.Floor(low*10000)), policy.Share(math.Ceil(high*10000))
	return e
}

// digits returns the number of that logarithm in three digits, so that it is the same on every kind of processor; at most
// 1e300.
func digits(log float64) float64 {
	v := math.Exp(min(log, 300*math.Ln10))
	if v == 0 {
		return 0
	}
	scale := math.Pow(10, 2-math.Floor(math.Log10(v)))
	return math.Round(v*scale) / scale
}

// params returns the evidence as parameters of a message; none if there is none.
func (e Evidence) params() []string {
	control := e.Control.params()
	if e.Control = (Comparison{}); e == (Evidence{}) {
		return control
	}
	p := []string{"begun", strconv.Itoa(e.Begun), "lost", strconv.Itoa(e.Failed), "above", number(e.Above), "low", e.Low.String(), "high", e.High.String()}
	if e.Below != 0 {
		p = append(p, "below", number(e.Below))
	}
	return append(p, control...)
}

// number writes an e-value.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }
