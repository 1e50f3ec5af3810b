package simulate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// CompareConfig says what is compared.
type CompareConfig struct {
	Recorded *rollout.Timeline // what really happened
	Plan     rollout.Plan      // the same devices and patches under another policy: see [Replan]
	Clock    Clock
	Agenda   func() *rollout.Agenda // as in [Config]
	Approval Durations              // from a request to its approval: what the record says of another ring's leave is no answer
}

// A Comparison says what a recorded rollout would have come to under another plan.
//
// Each device does what it did: the n-th task of a kind ends as the n-th of that kind did in the record, after the same
// time. What the record does not tell, because a device was never begun, or was to do something that it never did, is not
// known, and nothing is assumed of it: the plan is carried out twice, once as if all of that had gone well and once as if all of
// it had failed. What both agree upon is certain. Only that a rollback goes well is taken for granted where none is recorded.
type Comparison struct {
	Recorded Run         `json:"recorded"` // without its hours
	Best     Run         `json:"best"`     // had everything gone well that is not known
	Worst    Run         `json:"worst"`    // had everything failed that is not known
	Rings    []RingKnown `json:"rings"`
	Unknown  int         `json:"unknown"` // devices of which the record does not tell what the plan would have needed, in either run
	Certain  bool        `json:"certain"` // both runs end at the same stage, and stop at the same gate or at none
}

// RingKnown says of how many devices of a ring the record tells how their installation ended.
type RingKnown struct {
	Name    string `json:"name"`
	Devices int    `json:"devices"`
	Known   int    `json:"known"`
	Unknown int    `json:"unknown"`
}

// Compare carries the plan out with the devices of the record. It fails if the plan has a device that the recorded one had
// not, or gives one other patches: of these the record says nothing at all.
func Compare(cfg CompareConfig) (Comparison, error) {
	if err := cfg.Plan.Valid(); err != nil {
		return Comparison{}, err
	}
	if err := cfg.Approval.valid(); err != nil {
		return Comparison{}, fmt.Errorf("simulate: approval: %w", err)
	}
	rec := cfg.Recorded.Plan()
	where := make([]int, len(cfg.Plan.Devices))
	known := make([]bool, len(cfg.Plan.Devices))
	for i, id := range cfg.Plan.Devices {
		j, ok := rec.Find(id)
		if !ok {
			return Comparison{}, fmt.Errorf("simulate: device %s is not in the recorded rollout %s", id, rec.Key)
		}
		a, b := cfg.Plan.Contents[cfg.Plan.Content[i]].IDs(), rec.Contents[rec.Content[j]].IDs()
		if !slices.Equal(a, b) {
			return Comparison{}, fmt.Errorf("simulate: device %s gets %v, in the recorded rollout %v", id, a, b)
		}
		where[i], known[i] = j, outcomeKnown(cfg.Recorded, j)
	}
	c := Comparison{Recorded: runOf(cfg.Recorded)}
	for r := range cfg.Plan.Rings {
		ring := &cfg.Plan.Rings[r]
		k := RingKnown{Name: ring.Name, Devices: ring.Count}
		for i := ring.First; i < ring.First+ring.Count; i++ {
			if known[i] {
				k.Known++
			}
		}
		k.Unknown = k.Devices - k.Known
		c.Rings = append(c.Rings, k)
	}
	unknown := make([]bool, len(cfg.Plan.Devices))
	for _, bound := range []struct {
		well bool
		to   *Run
	}{{true, &c.Best}, {false, &c.Worst}} {
		o := &recorded{t: cfg.Recorded, where: where, well: bound.well, unknown: unknown, leave: cfg.Approval,
			done: make([][rollout.OpUncordon + 1]uint16, len(where)), tries: make([][]rollout.Try, len(where))}
		run, err := carryOut(cfg.Plan, o, cfg.Clock, cfg.Agenda, func(rollout.Batch) {})
		if err != nil {
			return Comparison{}, err
		}
		*bound.to = run
	}
	for _, u := range unknown {
		if u {
			c.Unknown++
		}
	}
	best, stoppedBest := c.Best.Stopped()
	worst, stoppedWorst := c.Worst.Stopped()
	c.Certain = c.Best.Stage == c.Worst.Stage && c.Best.Open == c.Worst.Open && stoppedBest == stoppedWorst &&
		best.Ring == worst.Ring && best.Code == worst.Code
	return c, nil
}

// outcomeKnown says whether the record tells how the installation on a device ended.
func outcomeKnown(t *rollout.Timeline, i int) bool {
	m := t.Device(i)[0]
	o := m.Outcome
	if !m.Undone.IsZero() {
		o = m.Former // before it was taken back
	}
	switch o {
	case rollout.Succeeded, rollout.AlreadyInstalled, rollout.NotApplicable, rollout.Superseded, rollout.Failed:
		return true
	}
	return false
}

// runOf tells what a timeline says of the rollout itself.
func runOf(t *rollout.Timeline) Run {
	s := t.Machine().Status()
	r := Run{Stage: s.Stage, Ended: s.At, Open: !s.Stage.Final() && s.Stage != rollout.StageHalted, Bad: badOf(s), Outcomes: make(map[rollout.Outcome]int)}
	for _, ring := range t.Rings() {
		r.Rings = append(r.Rings, RingRun{Name: ring.Name, Opened: ring.Opened, Passed: ring.Passed})
	}
	var begun []time.Time
	for i := range t.Plan().Devices {
		r.Outcomes[t.Machine().Device(i).Outcome]++
		if at := t.Device(i)[0].Started; !at.IsZero() {
			r.Begun++
			begun = append(begun, at)
		}
	}
	bad := make([]int, len(s.Rings)) // as last judged
	for _, g := range t.Gates() {
		bad[g.Ring] = g.Counts.Bad()
		code := StopFailed
		switch {
		case g.Result == rollout.Pass:
			continue
		case g.Result == rollout.Inconclusive:
			if code = g.Reason; code == "" {
				code = "inconclusive"
			}
		}
		stop := Stop{Ring: t.Plan().Rings[g.Ring].Name, Code: code, At: g.At}
		for _, n := range bad {
			stop.Bad += n
		}
		for _, at := range begun {
			if !at.After(g.At) {
				stop.Begun++
			}
		}
		r.Stops = append(r.Stops, stop)
	}
	return r
}

// recorded is the oracle that says what a record says.
type recorded struct {
	t       *rollout.Timeline
	where   []int // by device: its number in the record
	well    bool  // what is not known goes well
	unknown []bool
	leave   Durations

	done  [][rollout.OpUncordon + 1]uint16 // by device: how many tasks of each kind it was given
	tries [][]rollout.Try                  // by device: those of the record that tell something; nil until they are asked for
}

func (o *recorded) begin(t task, _ int64) answer {
	if o.tries[t.device] == nil {
		o.tries[t.device] = slices.DeleteFunc(o.t.Tries(o.where[t.device]), func(x rollout.Try) bool {
			return x.Ended.IsZero() || x.Phase == rollout.PhaseStopped
		})
	}
	if int(t.op) < len(o.done[t.device]) {
		n := int(o.done[t.device][t.op])
		o.done[t.device][t.op]++
		for i := range o.tries[t.device] {
			x := &o.tries[t.device][i]
			if x.Op != t.op || x.Absent != t.absent {
				continue
			}
			if n > 0 {
				n--
				continue
			}
			return answer{took: x.Ended.Sub(x.Issued), lost: x.TimedOut,
				report: rollout.Report{Phase: x.Phase, Fault: x.Fault, Message: x.Message, Reboot: x.Reboot}}
		}
	}
	if t.op == rollout.OpRollback || t.op == rollout.OpDownload || t.op == rollout.OpBackup || t.op == rollout.OpPrecheck || t.op == rollout.OpProbe || t.op == rollout.OpLook || t.op == rollout.OpRemedy || t.op == rollout.OpDrain || t.op == rollout.OpUncordon || t.absent {
		return answer{report: rollout.Report{Phase: rollout.PhaseSucceeded}}
	}
	o.unknown[t.device] = true
	if o.well {
		return answer{report: rollout.Report{Phase: rollout.PhaseSucceeded}}
	}
	return answer{report: rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Permanent}}
}

// back says that the record does not tell when a device could have been reached.
func (o *recorded) back(int32, int64) int64 { return 0 }

func (o *recorded) approval(request string) time.Duration {
	return o.leave.at(dice(0).hash(drawApproval, inventory.DeviceID(request), 0, 0))
}

// Replan makes the plan of a recorded one under another policy, for the same devices and patches, asked for by the same
// person at the same time. Devices keep their order, so that a smaller ring holds the first of a larger one.
//
// Which devices a ring claims by a selector the plan does not tell: such a ring gets the devices that the ring of the same
// name had, if that one chose them by the same selector. Otherwise place must say of each device the number of the ring that claims
// it, or [rollout.ByShare]; it then decides alone. What leave the rules of the first policy wanted for single patches is left out: the leave
// that the rings themselves take is what counts.
func Replan(p *rollout.Plan, to policy.Policy, place func(inventory.DeviceID) int16) (rollout.Plan, error) {
	in := rollout.PlanInput{Key: p.Key, Policy: to, By: p.By, At: p.At, Salt: p.Salt, Contents: slices.Clone(p.Contents), Zones: slices.Clone(p.Zones),
		Tenants: slices.Clone(p.Tenants)}
	claims := make([]int16, len(p.Rings)) // by ring of the plan: which ring of the policy its devices go to
	for i := range claims {
		claims[i] = rollout.ByShare
	}
	for r := range to.Rings {
		sel := &to.Rings[r].Devices
		if sel.IsZero() || place != nil {
			continue
		}
		at := slices.IndexFunc(p.Rings, func(ring rollout.PlannedRing) bool {
			return ring.Name == to.Rings[r].Name && ring.Devices.String() == sel.String()
		})
		if at < 0 {
			return rollout.Plan{}, fmt.Errorf("simulate: ring %q claims devices by a selector (%s) that the recorded plan does not know: say where they belong",
				to.Rings[r].Name, sel)
		}
		claims[at] = int16(r)
	}
	places, err := replace(p, &in)
	if err != nil {
		return rollout.Plan{}, err
	}
	if len(to.Strata) > 0 {
		if !slices.Equal(to.Strata, p.Policy.Strata) {
			return rollout.Plan{}, fmt.Errorf("simulate: strata (%s) that the recorded plan does not know", strings.Join(to.Strata, ", "))
		}
		in.Strata = slices.Clone(p.Strata)
	}
	if to.HostLabel != "" {
		if to.HostLabel != p.Policy.HostLabel {
			return rollout.Plan{}, fmt.Errorf("simulate: hosts by label %s, which the recorded plan does not know", to.HostLabel)
		}
		in.Hosts = slices.Clone(p.Hosts)
	}
	for i, id := range p.Devices {
		t := rollout.Target{Device: id, Content: p.Content[i], Zone: p.Zone[i], Place: places[i], Tenant: p.Owner[i], Ring: claims[p.RingOf(i)]}
		if place != nil {
			t.Ring = place(id)
		}
		if in.Strata != nil {
			t.Stratum = p.Stratum[i]
		}
		if in.Hosts != nil {
			t.Host = p.Host[i]
		}
		in.Targets = append(in.Targets, t)
	}
	return rollout.NewPlan(in)
}

// replace gives in the failure domains that the budgets of its policy have in the plan, and returns the places of the devices. Labels
// are not in a plan: a budget must be over the same devices and labels as one that was recorded.
func replace(p *rollout.Plan, in *rollout.PlanInput) ([]uint32, error) {
	places := make([]uint32, len(p.Devices))
	was := make([]int, len(in.Policy.Budgets)) // by budget: which it was in the plan
	for i := range in.Policy.Budgets {
		b := &in.Policy.Budgets[i]
		was[i] = slices.IndexFunc(p.Policy.Budgets, func(o policy.Budget) bool { return o.Devices.Equal(b.Devices) && slices.Equal(o.Per, b.Per) })
		if was[i] < 0 {
			return nil, fmt.Errorf("simulate: budget %q is over failure domains that the recorded plan does not know", b.Name)
		}
	}
	if len(was) == 0 {
		return places, nil
	}
	copy(places, p.Place)
	in.Places = make([][]uint32, len(p.Places))
	number := make(map[[2]int]uint32) // by budget and domain of the plan
	for i, place := range p.Places {
		for b, old := range was {
			for _, n := range place {
				d, key := p.Domains[n], [2]int{b, int(n)}
				if d.Budget != old {
					continue
				}
				at, known := number[key]
				if !known {
					at, d.Budget = uint32(len(in.Domains)), b
					number[key], in.Domains = at, append(in.Domains, d)
				}
				in.Places[i] = append(in.Places[i], at)
			}
		}
	}
	return places, nil
}

// String tells the comparison in a few lines for people.
func (c Comparison) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "recorded:  %s\n", c.Recorded.text())
	if c.Certain {
		fmt.Fprintf(&b, "otherwise: %s", c.Best.text())
		if c.Best.Begun != c.Worst.Begun || c.Best.Bad != c.Worst.Bad {
			fmt.Fprintf(&b, "; at worst %s begun, %d failed", devices(c.Worst.Begun), c.Worst.Bad)
		}
		b.WriteByte('\n')
	} else {
		fmt.Fprintf(&b, "at best:   %s\nat worst:  %s\n", c.Best.text(), c.Worst.text())
	}
	if c.Unknown > 0 {
		fmt.Fprintf(&b, "the record does not tell what %s would have done\n", devices(c.Unknown))
	}
	return b.String()
}

func devices(n int) string {
	if n == 1 {
		return "1 device"
	}
	return fmt.Sprintf("%d devices", n)
}

func (r *Run) text() string {
	how := r.Stage.String()
	if s, ok := r.Stopped(); ok {
		how = fmt.Sprintf("stopped in ring %s (%s) after %s, %d of them bad; %s", s.Ring, s.Code, devices(s.Begun), s.Bad, how)
	}
	return fmt.Sprintf("%s; %s begun, %d failed", how, devices(r.Begun), r.Bad)
}
