package simulate

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/patchflow/patchflow/internal/xxh64"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// A Model says how devices behave. Its zero value is a fleet in which everything goes well, at once, and is approved at once.
type Model struct {
	// OS says what kind of device one is, in whatever words Rates and Presence use; a plan does not know. nil says "" of all.
	OS func(inventory.DeviceID) string

	Rates    []Rate     // what goes wrong; the first that comes true for a task is what becomes of it
	Presence []Presence // who can be reached when; without one a device always can

	Install, Reboot, Verify, Rollback Durations // how long tasks take

	Restarts float64   // chance that an installation leaves its device owing a restart
	Approval Durations // from a request to its approval
}

// A Rate is the chance that something goes wrong with a task. Where there is one for a patch, it takes the place of that for all
// patches with the same OS, Op, Fault and Lasts.
type Rate struct {
	OS     string      // devices of this kind only; "" for all
	Patch  patch.ID    // tasks whose content holds this patch only; "" for all
	Op     rollout.Op  // 0 means [rollout.OpInstall]
	Fault  patch.Fault // what the device reports; with OpVerify NoFault says that what was installed is not there, Permanent that it does not work
	Chance float64     // from 0 to 1
	Lasts  bool        // it is drawn once for a device, whose every try then ends so; otherwise anew for each try
}

// A Presence is a pattern of being reachable.
type Presence struct {
	OS      string          // devices of this kind only; "" for all
	Share   float64         // of those devices that follow it, from 0 to 1; each device follows the first pattern that it falls to
	Gone    bool            // never reached
	Windows []policy.Window // switched on only then, by the device's own clock unless the window names a zone; none means always
	Away    float64         // chance that it cannot be reached in a stretch although it might, from 0 to 1
	Stretch time.Duration   // how long a stretch is; 0 means 6h
}

func (m *Model) valid() error {
	chance := func(what string, c float64) error {
		if !(c >= 0 && c <= 1) { // not a number is refused too
			return fmt.Errorf("simulate: %s is %v; want 0 to 1", what, c)
		}
		return nil
	}
	for i := range m.Rates {
		if err := chance(fmt.Sprintf("model: rate %d: the chance", i+1), m.Rates[i].Chance); err != nil {
			return err
		}
		if r := &m.Rates[i]; r.Fault == patch.NoFault && r.op() != rollout.OpVerify {
			return fmt.Errorf("simulate: model: rate %d: %s fails without a fault", i+1, r.op())
		}
	}
	for i := range m.Presence {
		p := &m.Presence[i]
		if err := chance(fmt.Sprintf("model: presence %d: the share", i+1), p.Share); err != nil {
			return err
		}
		if err := chance(fmt.Sprintf("model: presence %d: away", i+1), p.Away); err != nil {
			return err
		}
		if p.Stretch < 0 {
			return fmt.Errorf("simulate: model: presence %d: a stretch of %v", i+1, p.Stretch)
		}
	}
	if err := chance("model: restarts", m.Restarts); err != nil {
		return err
	}
	for _, d := range []struct {
		what string
		Durations
	}{{"install", m.Install}, {"reboot", m.Reboot}, {"verify", m.Verify}, {"rollback", m.Rollback}, {"approval", m.Approval}} {
		if err := d.valid(); err != nil {
			return fmt.Errorf("simulate: model: %s: %w", d.what, err)
		}
	}
	return nil
}

func (r *Rate) op() rollout.Op {
	if r.Op == rollout.OpUnknown {
		return rollout.OpInstall
	}
	return r.Op
}

// A task is one that the machine wants done.
type task struct {
	device int32
	seq    uint32
	op     rollout.Op
	absent bool
}

// An answer is what becomes of a task.
type answer struct {
	report rollout.Report
	took   time.Duration
	lost   bool // nobody hears of it
}

// An oracle knows what becomes of tasks, and when devices can be reached.
type oracle interface {
	begin(t task, now int64) answer
	// back is when a device that cannot be reached now can be again; 0 if it never will, or if that is not known.
	back(device int32, now int64) int64
	approval(request string) time.Duration
}

// drawn is the oracle that draws from a model.
type drawn struct {
	*Model
	dice
	plan     *rollout.Plan
	os       []string            // by device; nil if all are alike
	patterns []int16             // by device: its presence plus one; nil if there is none
	clocks   [][]policy.Schedule // by presence and zone
	rates    [][]bool            // by rate and content: whether it is about that content
	salts    []uint64            // by rate: what it is drawn with
}

// newDrawn prepares what is the same in all runs.
func newDrawn(m *Model, p *rollout.Plan) (*drawn, error) {
	if err := m.valid(); err != nil {
		return nil, err
	}
	d := &drawn{Model: m, plan: p}
	if m.OS != nil {
		d.os = make([]string, len(p.Devices))
		for i, id := range p.Devices {
			d.os[i] = m.OS(id)
		}
	}
	for i := range m.Rates {
		about := make([]bool, len(p.Contents))
		for c := range p.Contents {
			about[c] = m.about(i, &p.Contents[c])
		}
		d.rates = append(d.rates, about)
		d.salts = append(d.salts, m.salt(i))
	}
	for i := range m.Presence {
		zones := p.Zones
		if len(zones) == 0 {
			zones = []string{""}
		}
		var clocks []policy.Schedule
		for _, zone := range zones {
			s, err := policy.NewSchedule(m.Presence[i].Windows, zone)
			if err != nil {
				return nil, fmt.Errorf("simulate: model: presence %d: %w", i+1, err)
			}
			clocks = append(clocks, s)
		}
		d.clocks = append(d.clocks, clocks)
	}
	return d, nil
}

// salt makes 20 bits of what rate i is about, and not of where it stands: another rate beside it changes nothing of its draws.
func (m *Model) salt(i int) uint64 {
	r, same := m.Rates[i], uint64(0)
	r.Chance = 0
	for _, o := range m.Rates[:i] {
		if o.Chance = 0; o == r {
			same++
		}
	}
	return xxh64.Sum(same, fmt.Sprintf("%s %s %s %s %v", r.OS, r.Patch, r.op(), r.Fault, r.Lasts)) >> 44
}

// about says whether rate i counts for tasks with a content.
func (m *Model) about(i int, c *rollout.Content) bool {
	r := &m.Rates[i]
	has := func(id patch.ID) bool {
		return slices.ContainsFunc(c.Patches, func(p rollout.Pinned) bool { return p.ID == id })
	}
	if r.Patch != "" {
		return has(r.Patch)
	}
	return !slices.ContainsFunc(m.Rates, func(o Rate) bool {
		return o.Patch != "" && o.OS == r.OS && o.op() == r.op() && o.Fault == r.Fault && o.Lasts == r.Lasts && has(o.Patch)
	})
}

// run makes the oracle of one run.
func (d *drawn) run(seed uint64, n int) oracle {
	o := *d
	o.dice = newDice(seed, n)
	if len(d.Presence) > 0 {
		o.patterns = make([]int16, len(d.plan.Devices))
		for i := range o.patterns {
			o.patterns[i] = o.pattern(int32(i))
		}
	}
	return &o
}

func (d *drawn) like(os string, device int32) bool {
	return os == "" || d.os != nil && d.os[device] == os
}

// pattern returns the number of the presence that a device follows, plus one.
func (d *drawn) pattern(device int32) int16 {
	at := float64(d.hash(drawPattern, d.plan.Devices[device], 0, 0)>>11) * (1.0 / (1 << 53))
	for i := range d.Presence {
		if p := &d.Presence[i]; d.like(p.OS, device) {
			if at < p.Share {
				return int16(i + 1)
			}
			at -= p.Share
		}
	}
	return 0
}

func (d *drawn) begin(t task, now int64) answer {
	if at := d.back(t.device, now); at != now {
		return answer{report: rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Unreachable}}
	}
	id := d.plan.Devices[t.device]
	took := d.took(t.op)
	a := answer{report: rollout.Report{Phase: rollout.PhaseSucceeded}}
	if len(took) > 0 {
		a.took = took.at(d.hash(drawTook, id, 0, uint64(t.seq)))
	}
	if !t.absent {
		for i := range d.Rates {
			r := &d.Rates[i]
			if r.op() != t.op || !d.rates[i][d.plan.Content[t.device]] || !d.like(r.OS, t.device) {
				continue
			}
			try := uint64(t.seq)
			if r.Lasts {
				try = 0
			}
			if happens(r.Chance, d.hash(drawRate, id, d.salts[i], try)) {
				a.report.Phase, a.report.Fault = rollout.PhaseFailed, r.Fault
				return a
			}
		}
	}
	if t.op == rollout.OpInstall && d.Restarts > 0 {
		a.report.Reboot = patch.TriOf(happens(d.Restarts, d.hash(drawRestart, id, 0, 0)))
	}
	return a
}

func (d *drawn) took(op rollout.Op) Durations {
	switch op {
	case rollout.OpInstall:
		return d.Install
	case rollout.OpReboot:
		return d.Reboot
	case rollout.OpVerify, rollout.OpLook:
		return d.Verify
	case rollout.OpRollback:
		return d.Rollback
	}
	return nil
}

// manyStretches is how far ahead it is looked for the end of an absence: a pattern that leaves less than that is never back.
const manyStretches = 10000

func (d *drawn) back(device int32, now int64) int64 {
	if d.patterns == nil || d.patterns[device] == 0 {
		return now
	}
	n := d.patterns[device] - 1
	p := &d.Presence[n]
	if p.Gone {
		return 0
	}
	stretch := int64(p.Stretch)
	if stretch == 0 {
		stretch = int64(6 * time.Hour)
	}
	id, clock := d.plan.Devices[device], &d.clocks[n][d.plan.Zone[device]]
	at := now
	for range manyStretches {
		if len(p.Windows) > 0 {
			open, _ := clock.Next(time.Unix(0, at).UTC())
			if open.IsZero() {
				return 0
			}
			at = max(at, open.UnixNano())
		}
		if p.Away == 0 {
			return at
		}
		// Devices do not all change at the same instant.
		shift := int64(d.hash(drawAway, id, 1<<20, 0) % uint64(stretch))
		k := (at + shift) / stretch
		if !happens(p.Away, d.hash(drawAway, id, 0, uint64(k)&math.MaxUint32)) {
			return at
		}
		at = (k+1)*stretch - shift
	}
	return 0
}

func (d *drawn) approval(request string) time.Duration {
	return d.Approval.at(d.hash(drawApproval, inventory.DeviceID(request), 0, 0))
}
