package rollout

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/policy/sequential"
)

// A Comparison is what a gate knows of its devices beside others that got nothing, if its policy compares them ([policy.Control]).
type Comparison struct {
	Treated       int     `json:"treated"`       // devices of the ring that were counted
	TreatedFailed int     `json:"treatedFailed"` // of these
	Control       int     `json:"control"`       // devices that got nothing
	ControlFailed int     `json:"controlFailed"`
	Silent        int     `json:"silent,omitempty"` // of the failed of both groups: nothing was known of them in time
	Alone         int     `json:"alone,omitempty"`  // devices of the ring that were compared with nobody
	Open          int     `json:"open,omitempty"`   // devices of the ring that are watched
	Odds          float64 `json:"odds"`             // e-value against that both groups fail alike, in three digits
}

// Paired says that devices of a ring, which have succeeded, are watched until then beside others that get nothing meanwhile. Those that
// have nobody beside them, or of which nothing was known before, are only counted.
type Paired struct {
	Ring     int
	Treated  []int32
	Controls []int32
	Alone    int
	Until    time.Time
}

// ControlWorse says that a metric has become worse on these devices, which got nothing, while they were watched beside others.
type ControlWorse struct {
	Metric  int // of the policy
	Devices []int32
	Before  []float64 // by device: the mean before
	After   []float64 // and while it was watched
	Limit   []float64 // that was exceeded
}

// Compared says what has become of the devices of a ring that were watched longest, and of those beside them.
type Compared struct {
	Ring   int
	Blocks []Block // in the order in which they are weighed
	Silent int     // of the failed: nothing was known of them in time
}

// A Block is what is weighed at once of a comparison.
type Block struct{ Treated, TreatedFailed, Control, ControlFailed int }

func (Paired) kind() byte       { return kindPaired }
func (ControlWorse) kind() byte { return kindControlWorse }
func (Compared) kind() byte     { return kindCompared }

func (v Paired) encode(e *encoder) {
	e.int(v.Ring)
	e.devices(v.Treated)
	e.devices(v.Controls)
	e.int(v.Alone)
	e.time(v.Until)
}

func (v ControlWorse) encode(e *encoder) { Regressed(v).encode(e) }

func (v Compared) encode(e *encoder) {
	e.int(v.Ring)
	e.int(v.Silent)
	e.uint(uint64(len(v.Blocks)))
	for _, b := range v.Blocks {
		e.int(b.Treated)
		e.int(b.TreatedFailed)
		e.int(b.Control)
		e.int(b.ControlFailed)
	}
}

func decodePaired(d *decoder) Paired {
	return Paired{Ring: d.int(), Treated: d.devices(), Controls: d.devices(), Alone: d.int(), Until: d.time()}
}

func decodeCompared(d *decoder) Compared {
	v := Compared{Ring: d.int(), Silent: d.int()}
	v.Blocks = make([]Block, d.count(4))
	for i := range v.Blocks {
		v.Blocks[i] = Block{d.int(), d.int(), d.int(), d.int()}
	}
	return v
}

// Why a gate fails, or is held: its devices are worse than those that got nothing, or too few of these are known.
const byControl = "control"

// Controls returns the numbers of the devices with which the gate of ring r compares ([policy.Control]): of the rings after it the first in
// their order, of each stratum as many as its part of ring r is large, as far as there are any. They are fewer than the policy asks for if there
// are no more, and none if the gate compares nothing. Devices that have joined are never among them.
func (p *Plan) Controls(r int) []int32 {
	ring := &p.Rings[r]
	first, end := ring.First+ring.Count, p.planned()
	n := min(ring.Gate.Control.Devices, end-first)
	if n <= 0 {
		return nil
	}
	left := make([]int, max(len(p.Strata), 1))
	stratum := func(i int) int {
		if len(p.Stratum) == 0 {
			return 0
		}
		return int(p.Stratum[i])
	}
	for i := ring.First; i < first; i++ {
		left[stratum(i)]++
	}
	left = Apportion(n, left, nil)
	all := make([]int32, 0, n)
	for i := first; i < end && len(all) < n; i++ {
		if s := stratum(i); left[s] > 0 {
			left[s]--
			all = append(all, int32(i))
		}
	}
	if lacks := n - len(all); lacks > 0 { // some stratum has no more: whoever comes first takes the place
		taken := all
		for i := first; i < end && lacks > 0; i++ {
			if len(taken) > 0 && taken[0] == int32(i) {
				taken = taken[1:]
				continue
			}
			all = append(all, int32(i))
			lacks--
		}
		slices.Sort(all)
	}
	return all
}

// comparisons are those of the gates of a plan.
type comparisons struct {
	rings   []*comparison    // by ring; nil for a gate that compares nothing
	watched map[int32]*watch // in both groups
}

// A comparison is what one gate knows.
type comparison struct {
	rule        policy.Control
	alpha       float64
	spare       []int32 // devices that get nothing, and are in no cohort yet
	of          [2]int  // devices that it is about at most, and those beside them
	seen, drawn int     // of these: in cohorts

	fresh   []int32 // have succeeded, and are in no cohort yet
	cohorts []cohort
	pair    sequential.Pair
	told    Comparison
}

// A cohort is devices that are watched for the same time.
type cohort struct {
	until             int64
	treated, controls []int32
}

// A watch is what is known of a device of a cohort.
type watch struct {
	since, until int64
	vitals       []vital // of one that gets nothing: its baseline, and what was measured since
	failed       bool
	left         bool
}

// newComparisons returns nil if no gate compares.
func newComparisons(p *Plan) *comparisons {
	var all *comparisons
	for r := range p.Rings {
		rule := p.Rings[r].Gate.Control.WithDefaults()
		if !rule.Compares() || len(p.Policy.Health.Metrics) == 0 {
			continue
		}
		if all == nil {
			all = &comparisons{make([]*comparison, len(p.Rings)), make(map[int32]*watch)}
		}
		x := &comparison{rule: rule, alpha: 1 - rate(rule.Confidence), spare: p.Controls(r)}
		x.of = [2]int{p.Rings[r].Count, len(x.spare)}
		all.rings[r] = x
	}
	return all
}

// of returns the comparison of ring r; nil if there is none.
func (c *comparisons) of(r int) *comparison {
	if c == nil {
		return nil
	}
	return c.rings[r]
}

// beside returns the watch of d if it gets nothing while it is watched; nil otherwise.
func (c *comparisons) beside(d int32) *watch {
	if c == nil {
		return nil
	}
	if w := c.watched[d]; w != nil && w.vitals != nil {
		return w
	}
	return nil
}

// settled notes what has become of d, which belongs to a ring in that state.
func (c *comparisons) settled(d int32, dev *device, s ringState) {
	if x := c.of(int(dev.ring)); x != nil && s != ringPassed && dev.outcome == Succeeded {
		x.fresh = append(x.fresh, d)
	}
}

// failed notes that d, if it is watched, has become worse at now.
func (c *comparisons) failed(d int32, now int64) {
	if c == nil {
		return
	}
	if w := c.watched[d]; w != nil && !w.left && now <= w.until {
		w.failed = true
	}
}

// leaves notes that d is no longer what it was.
func (c *comparisons) leaves(d int32) {
	if c == nil {
		return
	}
	if w := c.watched[d]; w != nil {
		w.left = true
	}
}

// end ends the comparison of ring r, which has passed: who got nothing may be begun from now on.
func (c *comparisons) end(r int) {
	x := c.of(r)
	if x == nil {
		return
	}
	for _, h := range x.cohorts {
		for _, d := range slices.Concat(h.treated, h.controls) {
			delete(c.watched, d)
		}
		x.told.Open -= len(h.treated)
	}
	x.cohorts, x.fresh = nil, nil
}

// tells says whether enough is known of a device: of some metric, and of all that are required, before it was watched or since.
func (m *Machine) tells(vitals []vital, since bool) bool {
	some := false
	for k := range vitals {
		metric, n := &m.plan.Policy.Health.Metrics[k], vitals[k].had
		if since {
			n = vitals[k].has
		}
		if enough := int(n) >= metric.Enough(); enough {
			some = true
		} else if metric.Required {
			return false
		}
	}
	return some
}

// compare makes cohorts of the devices that have succeeded, and counts those whose time is up.
func (m *Machine) compare() {
	if m.beside == nil {
		return
	}
	for r := range m.rings {
		x := m.beside.rings[r]
		if s := m.rings[r].state; x == nil || !s.opened() || s == ringPassed {
			continue
		}
		for len(x.cohorts) > 0 && x.cohorts[0].until <= m.now {
			m.emit(m.weighCohort(r, &x.cohorts[0]))
		}
		if len(x.fresh) > 0 {
			m.emit(m.newCohort(r, x))
		}
	}
}

// newCohort makes a cohort of the devices of ring r that have succeeded, with its part of those that get nothing: of these there are
// enough for all devices of the ring then.
func (m *Machine) newCohort(r int, x *comparison) Paired {
	const changed = retired | foreign | renewed | undone | leaving
	e := Paired{Ring: r, Until: instant(m.now + int64(x.rule.Within))}
	for _, d := range x.fresh {
		dev := &m.dev[d]
		if dev.outcome == Succeeded && dev.flags&(changed|unwell) == 0 && m.beside.watched[d] == nil && m.tells(m.vitalsOf(d), false) {
			e.Treated = append(e.Treated, d)
		} else {
			e.Alone++
		}
	}
	due := 0
	if seen := min(x.seen+len(e.Treated), x.of[0]); x.of[0] > 0 {
		due = (seen*x.of[1]+x.of[0]-1)/x.of[0] - x.drawn
	}
	for _, d := range x.spare {
		if len(e.Controls) >= due {
			break
		}
		if dev := &m.dev[d]; dev.outcome == Unsettled && dev.flags&(changed|touched) == 0 && m.beside.watched[d] == nil && m.tells(m.vitalsOf(d), false) {
			e.Controls = append(e.Controls, d)
		}
	}
	if len(e.Treated) == 0 || len(e.Controls) == 0 {
		e.Alone += len(e.Treated)
		e.Treated, e.Controls = nil, nil
	}
	return e
}

// weighCohort says what has become of a cohort, in as many blocks as its smaller group has devices.
func (m *Machine) weighCohort(r int, h *cohort) Compared {
	e := Compared{Ring: r}
	for i, n := 0, min(len(h.treated), len(h.controls)); i < n; i++ {
		part := func(all []int32) []int32 { return all[i*len(all)/n : (i+1)*len(all)/n] }
		var b Block
		for _, d := range part(h.treated) {
			m.countWatched(d, &b.Treated, &b.TreatedFailed, &e.Silent)
		}
		for _, d := range part(h.controls) {
			m.countWatched(d, &b.Control, &b.ControlFailed, &e.Silent)
		}
		e.Blocks = append(e.Blocks, b)
	}
	return e
}

func (m *Machine) countWatched(d int32, all, failed, silent *int) {
	w, dev := m.beside.watched[d], &m.dev[d]
	vitals, kept := w.vitals, Unsettled
	if vitals == nil {
		vitals, kept = m.vitalsOf(d), Succeeded
	}
	switch {
	case w.failed:
		*all, *failed = *all+1, *failed+1
	case w.left || dev.outcome != kept || dev.flags&(retired|foreign|renewed|undone|leaving) != 0:
	case !m.tells(vitals, true):
		*all, *failed, *silent = *all+1, *failed+1, *silent+1
	default:
		*all++
	}
}

// fitsControl checks what applyControl takes for granted.
func (m *Machine) fitsControl(e Event) error {
	bad := func(r int) bool { return r < 0 || r >= len(m.rings) || m.beside.of(r) == nil }
	switch e := e.(type) {
	case Paired:
		if bad(e.Ring) || (len(e.Treated) == 0) != (len(e.Controls) == 0) {
			return fmt.Errorf("paired: ring %d, %d devices beside %d; the plan compares none so", e.Ring, len(e.Treated), len(e.Controls))
		}
		for _, d := range slices.Concat(e.Treated, e.Controls) {
			if d < 0 || int(d) >= len(m.dev) {
				return fmt.Errorf("paired: device %d of %d", d, len(m.dev))
			}
		}
	case ControlWorse:
		n := len(e.Devices)
		if e.Metric < 0 || e.Metric >= len(m.plan.Policy.Health.Metrics) || len(e.Before) != n || len(e.After) != n || len(e.Limit) != n {
			return fmt.Errorf("control worse: metric %d, %d devices, %d, %d and %d values", e.Metric, n, len(e.Before), len(e.After), len(e.Limit))
		}
		for _, d := range e.Devices {
			if m.beside.beside(d) == nil {
				return fmt.Errorf("control worse: device %d is not watched", d)
			}
		}
	case Compared:
		if bad(e.Ring) || len(m.beside.rings[e.Ring].cohorts) == 0 {
			return fmt.Errorf("compared: ring %d watches nobody", e.Ring)
		}
	}
	return nil
}

func (m *Machine) applyControl(e Event) {
	switch e := e.(type) {
	case Paired:
		x := m.beside.rings[e.Ring]
		x.fresh, x.told.Alone = nil, x.told.Alone+e.Alone
		if len(e.Treated) == 0 {
			return
		}
		until := nanos(e.Until)
		for _, d := range e.Treated {
			m.beside.watched[d] = &watch{since: m.now, until: until}
		}
		for _, d := range e.Controls {
			m.beside.watched[d] = &watch{since: m.now, until: until, vitals: slices.Clone(m.vitalsOf(d))}
		}
		x.spare = slices.DeleteFunc(x.spare, func(d int32) bool { return m.beside.watched[d] != nil })
		x.seen, x.drawn = x.seen+len(e.Treated), x.drawn+len(e.Controls)
		x.told.Open += len(e.Treated)
		x.cohorts = append(x.cohorts, cohort{until, e.Treated, e.Controls})
	case ControlWorse:
		for _, d := range e.Devices {
			m.dev[d].flags &^= picked
			m.beside.failed(d, m.now)
		}
	case Compared:
		x := m.beside.rings[e.Ring]
		for _, b := range e.Blocks {
			x.pair.Add(b.Treated, b.TreatedFailed, b.Control, b.ControlFailed)
			x.told.Treated, x.told.TreatedFailed = x.told.Treated+b.Treated, x.told.TreatedFailed+b.TreatedFailed
			x.told.Control, x.told.ControlFailed = x.told.Control+b.Control, x.told.ControlFailed+b.ControlFailed
		}
		h := x.cohorts[0]
		for _, d := range slices.Concat(h.treated, h.controls) {
			delete(m.beside.watched, d)
		}
		x.cohorts = x.cohorts[1:]
		x.told.Silent, x.told.Open, x.told.Odds = x.told.Silent+e.Silent, x.told.Open-len(h.treated), digits(x.pair.Log())
	}
	m.dirty = true
}

// takesBeside says whether a sample of d, which was taken then, is of the time in which it is watched and gets nothing.
func (m *Machine) takesBeside(d int32, k int, taken int64) bool {
	w := m.beside.beside(d)
	return w != nil && !w.left && taken >= w.since && m.now <= w.until && w.vitals[k].has < sampleLimit
}

// addBeside counts a sample of d, which is watched and gets nothing: it belongs to its own baseline as well.
func (m *Machine) addBeside(d int32, k int, value float64) bool {
	w := m.beside.beside(d)
	if w == nil {
		return false
	}
	w.vitals[k].add(true, value)
	if v := &m.vitalsOf(d)[k]; v.had < sampleLimit {
		v.add(false, value)
	}
	return true
}

// regressBeside finds the devices that got nothing and are worse for the samples that were just counted.
func (m *Machine) regressBeside(c *Measured) {
	if m.beside == nil || !c.After {
		return
	}
	metric := &m.plan.Policy.Health.Metrics[c.Metric]
	e := ControlWorse{Metric: c.Metric}
	for _, d := range c.Devices {
		w := m.beside.beside(d)
		if w == nil || w.failed || w.left || m.dev[d].flags&picked != 0 || m.now > w.until {
			continue
		}
		v := &w.vitals[c.Metric]
		if before, after := float64(v.before), float64(v.after); v.known(metric) && metric.Exceeded(before, after) {
			m.dev[d].flags |= picked
			e.Devices = append(e.Devices, d)
			e.Before, e.After, e.Limit = append(e.Before, before), append(e.After, after), append(e.Limit, metric.Limit(before))
		}
	}
	if len(e.Devices) > 0 {
		m.emit(e)
	}
}

// differs says whether the devices of ring r are proved to be worse than those that got nothing.
func (m *Machine) differs(r int) bool {
	x := m.beside.of(r)
	return x != nil && x.pair.Worse(x.alpha)
}

// comparing says whether devices of ring r are watched, and tooFew whether too few that got nothing were counted yet.
func (m *Machine) comparing(r int) bool {
	x := m.beside.of(r)
	return x != nil && len(x.cohorts)+len(x.fresh) > 0
}

func (m *Machine) tooFew(r int) bool {
	x := m.beside.of(r)
	return x != nil && x.told.Control < x.rule.Least
}

// nextCompared tells when the time of a cohort of ring r is up.
func (m *Machine) nextCompared(r int, sooner func(int64)) {
	if x := m.beside.of(r); x != nil && len(x.cohorts) > 0 && m.rings[r].state.opened() && m.rings[r].state != ringPassed {
		sooner(x.cohorts[0].until)
	}
}

// params returns the comparison as parameters of a message; none if nobody was counted yet.
func (c Comparison) params() []string {
	if c.Treated+c.Control == 0 {
		return nil
	}
	return []string{"treated", strconv.Itoa(c.Treated), "treatedfailed", strconv.Itoa(c.TreatedFailed), "control", strconv.Itoa(c.Control),
		"controlfailed", strconv.Itoa(c.ControlFailed), "odds", number(c.Odds)}
}

// comparison tells what an event of a comparison says.
func (p *Plan) comparison(e Event) []Message {
	switch e := e.(type) {
	case Paired:
		return []Message{e.describe(p)}
	case ControlWorse:
		return e.describe(p)
	case Compared:
		return []Message{e.describe(p)}
	}
	return nil
}

// describe tells who is watched.
func (v Paired) describe(p *Plan) Message {
	ring := p.ringName(v.Ring)
	if len(v.Treated) == 0 {
		return message("paired-none", "ring", ring, "alone", strconv.Itoa(v.Alone))
	}
	alone := ""
	if v.Alone > 0 {
		alone = strconv.Itoa(v.Alone)
	}
	return message("paired", "ring", ring, "devices", p.names(v.Treated), "controls", p.names(v.Controls), "until", clock(v.Until), "alone", alone)
}

// describe tells what has become worse, of each device if they are few.
func (v ControlWorse) describe(p *Plan) []Message {
	all := Regressed(v).describe(p)
	for i := range all {
		all[i].Code = "control-worse"
	}
	return all
}

// describe tells the sums.
func (v Compared) describe(p *Plan) Message {
	var sum Block
	for _, b := range v.Blocks {
		sum.Treated, sum.TreatedFailed = sum.Treated+b.Treated, sum.TreatedFailed+b.TreatedFailed
		sum.Control, sum.ControlFailed = sum.Control+b.Control, sum.ControlFailed+b.ControlFailed
	}
	silent := ""
	if v.Silent > 0 {
		silent = strconv.Itoa(v.Silent)
	}
	return message("compared", "ring", p.ringName(v.Ring), "treated", strconv.Itoa(sum.Treated), "treatedfailed", strconv.Itoa(sum.TreatedFailed),
		"control", strconv.Itoa(sum.Control), "controlfailed", strconv.Itoa(sum.ControlFailed), "silent", silent)
}

func (p *Plan) ringName(r int) string {
	if r < 0 || r >= len(p.Rings) {
		return strconv.Itoa(r)
	}
	return p.Rings[r].Name
}

// compares adds to an explanation what the gate of ring r, which others wait for, waits for itself.
func (x *Explanation) compares(m *Machine, r int) {
	c := m.beside.of(r)
	if c == nil {
		return
	}
	if len(c.cohorts) > 0 {
		until := instant(c.cohorts[len(c.cohorts)-1].until)
		x.Reasons = append(x.Reasons, message("wait-compared", "ring", m.plan.Rings[r].Name, "open", strconv.Itoa(c.told.Open), "until", clock(until)))
		x.soonest(instant(c.cohorts[0].until))
	}
	if m.tooFew(r) {
		x.Reasons = append(x.Reasons, message("wait-control", "ring", m.plan.Rings[r].Name, "control", strconv.Itoa(c.told.Control), "least", strconv.Itoa(c.rule.Least)))
	}
}

// describeControls says in a line with whom the gate of ring r compares; "" if it does not.
func (p *Plan) describeControls(r int) string {
	n := p.Rings[r].Gate.Control.Devices
	if n == 0 {
		return ""
	}
	all := p.Controls(r)
	short := ""
	if len(all) < n {
		short = fmt.Sprintf("; that is less than the %d that are wanted", n)
	}
	who := p.names(all)
	if len(all) == 0 {
		who = "nobody"
	}
	return fmt.Sprintf("     compared with %s, until it has passed%s\n", who, short)
}
