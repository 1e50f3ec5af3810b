package rollout

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// Lanes only say where to look: whatever happens, the same devices are granted as by looking at each of them.
func TestLanesGrantWhatAWalkGrants(t *testing.T) {
	var grants, closed, apart int
	for seed := range uint64(600) {
		w := newTwins(t, seed)
		for range 120 {
			w.something()
		}
		grants, closed, apart = grants+w.grants, closed+w.closed, apart+w.apart
	}
	require.Greater(t, grants, 5000)
	require.Greater(t, closed, 5000, "lanes that were closed")
	require.Greater(t, apart, 100, "devices that another rollout has disrupted")
}

// Twins are two agendas over the same rollouts, of which one has lanes and one looks at every device.
type twins struct {
	t     *testing.T
	seed  uint64
	rng   *rand.Rand
	now   time.Time
	lanes Agenda
	walks Agenda
	of    [2][]*Machine

	joined int

	grants, closed, apart int
}

func newTwins(t *testing.T, seed uint64) *twins {
	w := &twins{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 7))}
	all := []policy.Budget{
		{Name: "sites", Per: []string{"site"}, Count: 1 + w.rng.IntN(2)}, {Name: "pairs", Per: []string{"pair"}, Count: 1},
		{Name: "fleet", Share: 2000}, {Name: "slow fleet", Rate: policy.Rate{Count: 9, Every: policy.Duration(time.Hour)}},
		{Name: "slow sites", Per: []string{"site"}, Rate: policy.Rate{Count: 1 + w.rng.IntN(3), Every: policy.Duration(1+w.rng.IntN(6)) * policy.Duration(time.Hour)}},
	}
	if w.rng.IntN(2) == 0 {
		all = all[4:]
	}
	for i := range 1 + w.rng.IntN(3) {
		var budgets []policy.Budget
		for _, b := range all {
			if len(all) == 1 || w.rng.IntN(2) == 0 {
				budgets = append(budgets, b)
			}
		}
		few := w.rng.IntN(3)
		in := budgeted(ID(fmt.Sprint("q", i)), 40, 1+w.rng.IntN(8), func(i int) bool { return few == 0 || i%(few+1) > 0 }, budgets...)
		in.Policy.Priority = w.rng.IntN(2)
		in.Policy.Joiners = policy.JoinersAdmitted
		in.Policy.Retry.Attempts = 2
		in.Contents[0].Patches[0].ID = "debian:DSA-1-1"
		if w.rng.IntN(2) == 0 {
			in.Policy.Windows = []policy.Window{{Start: 9 * 60, End: 15 * 60}, {Start: 18 * 60, End: 22 * 60}}
			in.Zones = []string{"UTC", "Asia/Tokyo"}
			for i := range in.Targets {
				in.Targets[i].Zone = uint16(i % 2)
			}
			if w.rng.IntN(2) == 0 {
				in.Policy.Download.Windows = []policy.Window{{Start: 6 * 60, End: 20 * 60}}
			}
		}
		w.now = in.At
		p, err := NewPlan(in)
		require.NoError(t, err)
		for k := range w.of {
			m, err := NewMachine(p)
			require.NoError(t, err)
			_, err = m.Step(Begin{in.At})
			require.NoError(t, err)
			w.of[k] = append(w.of[k], m)
		}
		w.lanes.Add(w.of[0][i])
		w.walks.Add(w.of[1][i])
	}
	return w
}

// step brings a signal to one rollout of both, and what came of it to both agendas.
func (w *twins) step(i int, s Signal, granted []int32) {
	for k, a := range []*Agenda{&w.lanes, &w.walks} {
		b, err := w.of[k][i].Step(s)
		require.NoError(w.t, err)
		a.Note(w.of[k][i], b, granted)
	}
}

func (w *twins) something() {
	i := w.rng.IntN(len(w.of[0]))
	m := w.of[0][i]
	if m.Stage().Final() {
		return
	}
	switch w.rng.IntN(9) {
	case 8:
		if w.joined < 20 {
			w.joined++
			at := w.rng.IntN(m.plan.Rings[0].Count)
			j := like(m.plan, at, ByShare)
			j.Device = inventory.DeviceID(fmt.Sprint("new-", w.joined))
			if len(m.plan.Zones) > 0 {
				j.Zone = m.plan.Zones[m.plan.Zone[at]]
			}
			for _, n := range m.plan.DomainsOf(at) {
				j.Domains = append(j.Domains, m.plan.Domains[n])
			}
			w.step(i, Joined{w.now, []Joiner{*j}}, nil)
		}
	case 0:
		w.now = w.now.Add(time.Duration(w.rng.IntN(90)) * time.Minute)
		w.step(i, Tick{w.now}, nil)
	case 1:
		d := int32(w.rng.IntN(len(m.dev)))
		w.step(i, Seen{w.now, []int32{d}}, nil)
	case 2:
		d := m.plan.Devices[w.rng.IntN(len(m.dev))]
		e := policy.Escalation{Device: d, Tenant: m.plan.Tenant, Patch: "debian:DSA-1-1", Causes: []policy.Cause{{Code: policy.CauseExploited}}}
		w.step(i, Reassessed{w.now, []policy.Escalation{e}}, nil)
	case 3, 4:
		var reports []TaskReport
		for d := range m.dev {
			if m.dev[d].flags&session == 0 || w.rng.IntN(3) > 0 {
				continue
			}
			r := Report{Phase: PhaseSucceeded}
			switch w.rng.IntN(8) {
			case 0:
				r = Report{Phase: PhaseFailed, Fault: patch.Permanent}
			case 1, 2:
				r = Report{Phase: PhaseFailed, Fault: patch.Unreachable}
			case 3:
				r = Report{Phase: PhaseFailed, Fault: patch.Transient}
			}
			reports = append(reports, TaskReport{Handle{int32(d), m.dev[d].seq}, r})
		}
		w.step(i, Reported{At: w.now, Reports: reports}, nil)
	case 5:
		if w.rng.IntN(5) == 0 { // as after an append that failed
			for k, a := range []*Agenda{&w.lanes, &w.walks} {
				a.Remove(m.plan.Key)
				a.Add(w.of[k][i])
			}
		}
	default:
		w.grant(i)
	}
}

func (w *twins) grant(i int) {
	m := w.of[0][i]
	granted, walked := w.lanes.Grant(m, w.now), w.walks.grant(w.of[1][i], w.now, nil)
	require.Empty(w.t, cmp.Diff(walked, granted), "seed %d, rollout %d at %s", w.seed, i, w.now)
	w.grants += len(granted)
	if walks, ok := w.walks.Next(m.plan.Key); ok {
		lanes, ok := w.lanes.Next(m.plan.Key)
		require.True(w.t, ok && !lanes.After(walks), "seed %d, rollout %d at %s: %s is later than %s", w.seed, i, w.now, lanes, walks)
	}
	if pg := w.lanes.ledger.page(m.plan); pg != nil {
		for _, l := range pg.lanes.all {
			if l.closed {
				w.closed++
			}
		}
		for d := range pg.lanes.others {
			if _, taken := w.lanes.holder[m.ref(d)]; !taken {
				w.apart++
			}
		}
	}
	told := granted
	if w.rng.IntN(4) == 0 { // what is granted and not begun is free again
		told = granted[:len(granted)/2]
	}
	w.step(i, Granted{w.now, told}, granted)
}

// What a rollout has begun counts no longer once it is over.
func TestARolloutThatEndsGivesItsRateBack(t *testing.T) {
	rate := policy.Budget{Name: "sites", Per: []string{"site"}, Rate: policy.Rate{Count: 3, Every: policy.Duration(time.Hour)}}
	soaks := budgeted("q1", 10, 2, func(i int) bool { return i < 4 }, rate)
	soaks.Policy.Rings[0].Gate.Soak = policy.Duration(10 * time.Minute)
	first := begunMachine(t, soaks)
	second := begunMachine(t, budgeted("q2", 10, 2, func(i int) bool { return i >= 4 }, rate))
	var a Agenda
	now := first.Now()
	step := func(m *Machine, s Signal, granted []int32) {
		b, err := m.Step(s)
		require.NoError(t, err)
		a.Note(m, b, granted)
	}
	granted := a.Grant(first, now)
	require.Len(t, granted, 4)
	step(first, Granted{now, granted}, granted)
	granted = a.Grant(second, now)
	require.Len(t, granted, 2)
	step(second, Granted{now, granted}, granted)
	require.Empty(t, a.Grant(second, now))
	for seq := uint32(1); seq <= 2; seq++ {
		for d := range int32(4) {
			step(first, Reported{At: now, Reports: []TaskReport{{Handle{d, seq}, Report{Phase: PhaseSucceeded}}}}, nil)
			if granted := a.Grant(first, now); len(granted) > 0 {
				step(first, Granted{now, granted}, granted)
			}
		}
	}
	require.Empty(t, a.Grant(second, now))
	now = now.Add(10 * time.Minute)
	step(first, Tick{now}, nil)
	require.True(t, first.Stage().Final())
	require.Len(t, a.Grant(second, now), 4)
}
