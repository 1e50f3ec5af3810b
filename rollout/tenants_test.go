package rollout

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/tenancy"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
)

// A tenancy of two: sister tenants, under one agenda, with devices of the same IDs and rollouts of the same ID.
type sisters struct {
	agenda Agenda
	berlin *Machine
	bonn   *Machine
	now    time.Time
}

func newSisters(t *testing.T, limit int, budgets ...policy.Budget) *sisters {
	t.Helper()
	s := &sisters{agenda: Agenda{Limit: limit}}
	for _, tenant := range []inventory.Tenant{"acme/berlin", "acme/bonn"} {
		in := input(3, policy.Ring{Name: "all", Rest: true})
		in.Key.Tenant, s.now = tenant, in.At
		in.Policy.Budgets = budgets
		domains := NewDomains(budgets)
		for i := range in.Targets {
			in.Targets[i].Place = domains.Add(&inventory.Device{Tenant: tenant, ID: in.Targets[i].Device})
		}
		domains.Fill(&in)
		p, err := NewPlan(in)
		require.NoError(t, err)
		m, err := NewMachine(p)
		require.NoError(t, err)
		_, err = m.Step(Begin{in.At})
		require.NoError(t, err)
		if tenant == "acme/berlin" {
			s.berlin = m
		} else {
			s.bonn = m
		}
	}
	return s
}

// takes lets m have what it is granted.
func (s *sisters) takes(t *testing.T, m *Machine) []int32 {
	t.Helper()
	granted := s.agenda.Grant(m, s.now)
	b, err := m.Step(Granted{s.now, granted})
	require.NoError(t, err)
	s.agenda.Note(m, b, granted)
	return granted
}

// overtakes lets the rollout of bonn supersede that of berlin and a third one, of bonn too, which it returns.
func (s *sisters) overtakes(t *testing.T) (older *Machine) {
	t.Helper()
	p := *s.bonn.plan
	p.ID = "older"
	older, err := NewMachine(p)
	require.NoError(t, err)
	b, err := older.Step(Begin{s.now})
	require.NoError(t, err)
	s.bonn.plan.Contents = []Content{{Patches: []Pinned{{ID: "newer", Supersedes: p.Contents[0].IDs(), Reversal: patch.ReversalReinstall}}}}
	s.agenda.Note(older, b, nil)
	s.agenda.Overtaken(s.berlin, s.now)
	return older
}

// succeed lets all that runs in m succeed, until nothing does.
func (s *sisters) succeed(t *testing.T, m *Machine) {
	t.Helper()
	for {
		var reports []TaskReport
		for d := range m.Running() {
			task, _ := m.Task(d)
			reports = append(reports, TaskReport{task.Handle, Report{Phase: PhaseSucceeded}})
		}
		if len(reports) == 0 {
			return
		}
		b, err := m.Step(Reported{At: s.now, Reports: reports})
		require.NoError(t, err)
		s.agenda.Note(m, b, nil)
	}
}

func (s *sisters) holders(m *Machine) (all []Key) {
	for d := range m.plan.Devices {
		k, ok := s.agenda.Holder(m.ref(int32(d)))
		if ok {
			all = append(all, k)
		}
	}
	return all
}

// Every call of an agenda, for two tenants that share it and use the same IDs: neither waits for the other's devices, gets
// to know of them, or frees them.
func TestAgendaKeepsTenantsApart(t *testing.T) {
	three := func(k Key) []Key { return slices.Repeat([]Key{k}, 3) }
	tenancy.Cases(t, map[string]func(*testing.T){
		"Agenda.Grant": func(t *testing.T) {
			s := newSisters(t, 0)
			require.Len(t, s.takes(t, s.berlin), 3)
			require.Len(t, s.takes(t, s.bonn), 3, "devices of the same IDs are others")
			require.Equal(t, 6, s.agenda.Active())
			limited := newSisters(t, 4)
			require.Len(t, limited.takes(t, limited.berlin), 3)
			require.Len(t, limited.takes(t, limited.bonn), 1, "the limit is for all of the root tenant")
		},
		"Agenda.Holder": func(t *testing.T) {
			s := newSisters(t, 0)
			s.takes(t, s.berlin)
			require.Equal(t, three(s.berlin.plan.Key), s.holders(s.berlin))
			require.Empty(t, s.holders(s.bonn))
		},
		"Agenda.Add": func(t *testing.T) {
			s := newSisters(t, 0)
			s.takes(t, s.berlin)
			s.takes(t, s.bonn)
			s.agenda = Agenda{}
			s.agenda.Add(s.berlin)
			require.Empty(t, s.holders(s.bonn))
			s.agenda.Add(s.bonn)
			require.Equal(t, three(s.berlin.plan.Key), s.holders(s.berlin))
			require.Equal(t, three(s.bonn.plan.Key), s.holders(s.bonn))
		},
		"Agenda.Remove": func(t *testing.T) {
			s := newSisters(t, 0)
			s.takes(t, s.berlin)
			s.takes(t, s.bonn)
			s.agenda.Remove(s.bonn.plan.Key)
			require.Equal(t, three(s.berlin.plan.Key), s.holders(s.berlin))
			require.Empty(t, s.holders(s.bonn))
		},
		"Agenda.Note": func(t *testing.T) {
			s := newSisters(t, 0)
			s.takes(t, s.berlin)
			require.False(t, s.agenda.Note(s.bonn, Batch{Freed: []int32{0, 1, 2}}, []int32{0, 1, 2}), "bonn has nothing to free")
			require.Equal(t, three(s.berlin.plan.Key), s.holders(s.berlin))
		},
		"Agenda.Explain": func(t *testing.T) {
			s := newSisters(t, 0)
			s.takes(t, s.berlin)
			for d := range s.bonn.plan.Devices {
				_, held := s.agenda.Explain(s.bonn.ref(int32(d)), s.bonn.plan.Key)
				require.False(t, held, "nothing is said of a rollout of berlin")
			}
		},
		"Agenda.ExplainBudget": func(t *testing.T) {
			s := newSisters(t, 0, policy.Budget{Name: "two", Count: 2})
			require.Len(t, s.takes(t, s.berlin), 2)
			_, full := s.agenda.ExplainBudget(s.berlin, s.berlin.plan.Devices[2])
			require.True(t, full)
			for _, d := range s.bonn.plan.Devices {
				_, full := s.agenda.ExplainBudget(s.bonn, d)
				require.False(t, full, "what is disrupted in berlin uses up nothing of bonn's")
			}
			require.Len(t, s.takes(t, s.bonn), 2)
		},
		"Agenda.ExplainRate": func(t *testing.T) {
			s := newSisters(t, 0, policy.Budget{Name: "two", Rate: policy.Rate{Count: 2, Every: hour}})
			require.Len(t, s.takes(t, s.berlin), 2)
			_, _, full := s.agenda.ExplainRate(s.berlin, s.berlin.plan.Devices[2], s.now)
			require.True(t, full)
			for _, d := range s.bonn.plan.Devices {
				_, _, full := s.agenda.ExplainRate(s.bonn, d, s.now)
				require.False(t, full, "what is begun in berlin uses up nothing of bonn's")
			}
		},
		"Agenda.ExplainLinger": func(t *testing.T) {
			s := newSisters(t, 0)
			older := s.overtakes(t)
			s.takes(t, s.bonn)
			s.takes(t, s.berlin)
			for _, m := range []*Machine{s.bonn, s.berlin} { // the installations, and then the looks, have no answer
				m.retry.Attempts = 1
				for range 2 {
					at, _ := m.Next()
					b, err := m.Step(Tick{at})
					require.NoError(t, err)
					s.agenda.Note(m, b, nil)
				}
			}
			late := s.bonn.Now()
			require.Empty(t, s.holders(s.bonn))
			why, until, lingers := s.agenda.ExplainLinger(older, older.plan.Devices[0], late)
			require.True(t, lingers)
			require.Contains(t, why.String(), "acme/bonn:q1")
			require.True(t, until.After(late))
			require.Empty(t, s.agenda.Grant(older, late))
			s.agenda = Agenda{}
			s.agenda.Add(s.berlin)
			_, _, lingers = s.agenda.ExplainLinger(older, older.plan.Devices[0], late)
			require.False(t, lingers, "berlin's device of that name is another one")
			s.agenda.Add(s.bonn)
			_, _, lingers = s.agenda.ExplainLinger(older, older.plan.Devices[0], late)
			require.True(t, lingers, "also in a process that takes it over")
			require.Len(t, s.agenda.Grant(older, until), 3)
		},
		"Agenda.Next": func(t *testing.T) {
			s := newSisters(t, 0, policy.Budget{Name: "three", Rate: policy.Rate{Count: 2, Every: hour}})
			require.Len(t, s.takes(t, s.berlin), 2)
			at, waits := s.agenda.Next(s.berlin.plan.Key)
			require.True(t, waits)
			require.Equal(t, s.now.Add(time.Hour), at)
			_, waits = s.agenda.Next(s.bonn.plan.Key)
			require.False(t, waits)
		},
		"Agenda.KeptBack": func(t *testing.T) {
			s := newSisters(t, 0)
			s.agenda.Hold = heldIn("acme/berlin")
			require.Empty(t, s.takes(t, s.berlin))
			require.Len(t, s.takes(t, s.bonn), 3)
			require.True(t, s.agenda.KeptBack(s.berlin.plan.Key))
			require.False(t, s.agenda.KeptBack(s.bonn.plan.Key))
		},
		"Agenda.ExplainHold": func(t *testing.T) {
			s := newSisters(t, 0)
			s.agenda.Hold = heldIn("acme/berlin")
			_, held := s.agenda.ExplainHold(s.berlin, s.berlin.plan.Devices[0], s.now)
			require.True(t, held)
			_, held = s.agenda.ExplainHold(s.bonn, s.bonn.plan.Devices[0], s.now)
			require.False(t, held)
		},
		"Agenda.Overtaken": func(t *testing.T) {
			s := newSisters(t, 0)
			older := s.overtakes(t)
			s.takes(t, s.bonn)
			require.Empty(t, s.agenda.Overtaken(older, s.now))
			s.succeed(t, s.bonn)
			require.Equal(t, []Overtaken{{At: s.now, By: s.bonn.plan.Key, Devices: []int32{0, 1, 2}}}, s.agenda.Overtaken(older, s.now))
			require.Empty(t, s.agenda.Overtaken(s.berlin, s.now), "what is done in bonn drops nothing of berlin's")
		},
		"Agenda.Restarted": func(t *testing.T) {
			s := newSisters(t, 0)
			p := *s.bonn.plan
			p.ID = "older"
			older, err := NewMachine(p)
			require.NoError(t, err)
			_, err = older.Step(Begin{s.now})
			require.NoError(t, err)
			for _, m := range []*Machine{s.berlin, older} { // both wait to restart their devices
				for d := range m.dev {
					m.dev[d].op, m.setAux(int32(d)).boot = OpReboot, "b1"
				}
				s.agenda.Add(m)
			}
			var reports []TaskReport
			for _, d := range s.takes(t, s.bonn) {
				reports = append(reports, TaskReport{Handle{d, 1}, Report{Phase: PhaseSucceeded, BootID: "b2"}})
			}
			b, err := s.bonn.Step(Reported{At: s.now, Reports: reports})
			require.NoError(t, err)
			require.True(t, s.agenda.Note(s.bonn, b, nil))
			require.Equal(t, []Restarted{{s.now, s.bonn.plan.Key, []int32{0, 1, 2}, []string{"b2", "b2", "b2"}}}, s.agenda.Restarted(older, s.now))
			require.Empty(t, s.agenda.Restarted(s.berlin, s.now), "a device of that name in bonn is another one")
		},
		"Agenda.Sharers": func(t *testing.T) {
			s := newSisters(t, 0)
			s.bonn.reboot.Mode = policy.RebootAlways
			p := *s.bonn.plan
			p.ID = "older"
			older, err := NewMachine(p)
			require.NoError(t, err)
			_, err = older.Step(Begin{s.now})
			require.NoError(t, err)
			s.takes(t, s.berlin)
			s.takes(t, older)
			require.Empty(t, s.takes(t, s.bonn), "the older one has its devices")
			all := []TaskReport{{Handle{0, 1}, Report{Phase: PhaseSucceeded}}}
			require.Equal(t, []Sharer{{Device: 0, By: s.bonn.plan.Key, Takes: time.Duration(s.bonn.retry.Timeout)}}, s.agenda.Sharers(older, all, s.now))
			require.Empty(t, s.agenda.Sharers(s.berlin, all, s.now), "a device of that name in bonn is another one")
		},
		"Agenda.ExplainRace": func(t *testing.T) {
			s := newSisters(t, 0)
			older := s.overtakes(t)
			s.takes(t, s.bonn)
			_, first := s.agenda.ExplainRace(older, older.plan.Devices[0])
			require.True(t, first)
			_, first = s.agenda.ExplainRace(s.berlin, s.berlin.plan.Devices[0])
			require.False(t, first)
			require.Len(t, s.takes(t, s.berlin), 3)
		},
		"Agenda.ExplainClaim": func(t *testing.T) {
			s := newSisters(t, 0)
			s.takes(t, s.berlin)
			in := input(3, policy.Ring{Name: "all", Rest: true})
			in.Key, in.Policy.Priority = Key{"acme/berlin", "q2"}, 10
			p, err := NewPlan(in)
			require.NoError(t, err)
			urgent, err := NewMachine(p)
			require.NoError(t, err)
			_, err = urgent.Step(Begin{in.At})
			require.NoError(t, err)
			require.Empty(t, s.takes(t, urgent), "its devices are taken, and it claims them")
			_, first := s.agenda.ExplainClaim(s.berlin, s.berlin.plan.Devices[0], s.now)
			require.False(t, first, "what runs goes on")
			_, first = s.agenda.ExplainClaim(s.bonn, s.bonn.plan.Devices[0], s.now)
			require.False(t, first)
			require.Len(t, s.takes(t, s.bonn), 3)
			again := in
			again.Key.ID, again.Policy.Priority = "q3", 0
			p, err = NewPlan(again)
			require.NoError(t, err)
			later, err := NewMachine(p)
			require.NoError(t, err)
			_, err = later.Step(Begin{in.At})
			require.NoError(t, err)
			why, first := s.agenda.ExplainClaim(later, later.plan.Devices[0], s.now)
			require.True(t, first)
			require.Equal(t, "rollout acme/berlin:q2 comes first: its priority is 10, and 0 here", why.String())
		},
	}, "Agenda.")
}

// berlin and bonn return the plans of two sister tenants: devices of the same IDs, a rollout of the same ID.
func plansOfSisters(t *testing.T) (berlin, bonn Plan) {
	t.Helper()
	s := newSisters(t, 0)
	return *s.berlin.plan, *s.bonn.plan
}

// begun returns the first entry of the journal of p.
func begun(t *testing.T, p Plan) Batch {
	t.Helper()
	m, err := NewMachine(p)
	require.NoError(t, err)
	b, err := m.Step(Begin{p.At})
	require.NoError(t, err)
	return b
}

func oneEntry(b Batch) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) { yield(EncodeBatch(nil, b), nil) }
}

// An idle deployer does nothing.
type idle struct{}

func (idle) Deploy(context.Context, Task) (Report, error) { return Report{}, nil }
func (idle) Status(context.Context, Task) (Report, error) { return Report{}, nil }

// A looker verifies as well.
type looker struct{ idle }

func (looker) Verify(context.Context, Task) (Report, error) { return Report{}, nil }

// byTenant routes tasks by their tenants.
type byTenant struct {
	idle
	to map[inventory.Tenant]Deployer
}

func (r byTenant) Route(t Task) Deployer { return r.to[t.Tenant] }

// The same for every other call of the package.
func TestRolloutsKeepTenantsApart(t *testing.T) {
	foreign := func(t *testing.T) Plan {
		berlin, _ := plansOfSisters(t)
		berlin.Tenants = []inventory.Tenant{"acme/bonn"}
		return berlin
	}
	labelled := func(tenant inventory.Tenant) *inventory.Device {
		return &inventory.Device{Tenant: tenant, ID: "ada", Labels: map[string]string{"site": "hq"}}
	}
	others := []string{"Ability", "Census.", "CheckScan", "Cleared.", "Domains.", "Encode", "HeadQuery.", "Hosts.", "Machine.", "New", "ParseTaskID", "Plan.", "Pool.", "Raised.", "Read", "Replay", "Results.", "Scope.", "Strata.", "Task.", "Timeline."}
	tenancy.Cases(t, map[string]func(*testing.T){
		"Ability": func(t *testing.T) {
			router := byTenant{to: map[inventory.Tenant]Deployer{"acme/berlin": looker{}, "acme/bonn": idle{}}}
			_, can := Ability[Verifier](router, Task{Tenant: "acme/berlin", Device: "ada"})
			require.True(t, can)
			_, can = Ability[Verifier](router, Task{Tenant: "acme/bonn", Device: "ada"})
			require.False(t, can, "what berlin's deployer can do says nothing of bonn's")
		},
		"Census.Add": func(t *testing.T) {
			c, err := NewCensus([]string{"device.tenant"}, nil)
			require.NoError(t, err)
			c.Add(labelled("acme/berlin"))
			c.Add(labelled("acme/bonn"))
			in := input(1, policy.Ring{Name: "all", Rest: true})
			in.Targets[0].Device, in.Tenants = "ada", []inventory.Tenant{"acme/bonn"}
			p, err := NewPlan(in)
			require.NoError(t, err)
			require.Equal(t, []Coverage{{Key: "device.tenant", Devices: 2, Covered: 1, Uncovered: []Uncovered{{"acme/berlin", 1}}}}, c.Covers(&p, 1),
				"bonn's ada is no test of berlin's")
		},
		"Census.Covers": func(t *testing.T) {
			berlin, _ := plansOfSisters(t)
			c, err := NewCensus([]string{"site"}, nil)
			require.NoError(t, err)
			c.Add(labelled("acme/bonn"))
			require.Equal(t, []Coverage{{Key: "site"}}, c.Covers(&berlin, 1), "bonn's devices are not in berlin's fleet")
		},
		"CheckScan": func(t *testing.T) {
			task := Task{Tenant: "acme/berlin", Device: "ada"}
			scan := inventory.Scan{Tenant: "acme/bonn", Device: "ada", Coverage: []inventory.Coverage{{Manager: "dpkg", Status: inventory.Complete}}}
			r := CheckScan(task, scan)
			require.Equal(t, patch.Transient, r.Fault)
			require.Contains(t, r.Message, "the scan is of device acme/bonn")
		},
		"Domains.Add": func(t *testing.T) {
			l := NewDomains([]policy.Budget{{Name: "b", Per: []string{"site"}, Count: 1}})
			require.NotEqual(t, l.Add(labelled("acme/berlin")), l.Add(labelled("acme/bonn")))
		},
		"Domains.Fill": func(t *testing.T) {
			l := NewDomains([]policy.Budget{{Name: "b", Per: []string{"site"}, Count: 1}})
			l.Add(labelled("acme/berlin"))
			l.Add(labelled("acme/bonn"))
			var in PlanInput
			l.Fill(&in)
			require.Len(t, in.Domains, 2)
			for i, tenant := range []inventory.Tenant{"acme/berlin", "acme/bonn"} {
				require.Equal(t, Domain{Tenant: tenant, Values: []string{"hq"}, Devices: 1}, in.Domains[i])
			}
		},
		"EncodeBatch": func(t *testing.T) {
			berlin, bonn := plansOfSisters(t)
			require.NotEqual(t, EncodeBatch(nil, begun(t, berlin)), EncodeBatch(nil, begun(t, bonn)), "an entry says whose plan it is of")
		},
		"EncodePlan": func(t *testing.T) {
			berlin, _ := plansOfSisters(t)
			berlin.Tenants = []inventory.Tenant{"acme/berlin"}
			berlin.Key.Tenant = "acme/bonn"
			text, err := EncodePlan(&berlin)
			require.NoError(t, err)
			_, err = DecodePlan(text)
			require.ErrorContains(t, err, "acme/berlin")
		},
		"Machine.Explain": func(t *testing.T) {
			s := newSisters(t, 0)
			s.takes(t, s.bonn)
			for _, d := range s.berlin.plan.Devices {
				require.Equal(t, "wait-turn", s.berlin.Explain(d, s.now).Reasons[0].Code, "what bonn's device does is not told")
			}
		},
		"NewMachine": func(t *testing.T) {
			_, err := NewMachine(foreign(t))
			require.ErrorContains(t, err, "acme/bonn")
		},
		"NewPlan": func(t *testing.T) {
			in := input(1, policy.Ring{Name: "all", Rest: true})
			in.Key.Tenant, in.Tenants = "acme/berlin", []inventory.Tenant{"acme/bonn"}
			_, err := NewPlan(in)
			require.ErrorContains(t, err, "acme/bonn")
		},
		"NewScope": func(t *testing.T) {
			// What bonn has rolled back is not kept from berlin.
			for _, tenant := range []inventory.Tenant{"acme/berlin", "acme/bonn"} {
				require.Equal(t, tenant == "acme/berlin", scopeOfBerlin(t, Quarantine{Patch: "x:p1", Tenant: tenant}).sum.Tally.Rules[QuarantineRule] > 0)
			}
		},
		"NewTaskID": func(t *testing.T) {
			require.NotEqual(t, NewTaskID(Key{"acme/berlin", "q1"}, "all", "ada", OpInstall, 1), NewTaskID(Key{"acme/bonn", "q1"}, "all", "ada", OpInstall, 1))
		},
		"NewTimeline": func(t *testing.T) {
			_, err := NewTimeline(foreign(t))
			require.ErrorContains(t, err, "acme/bonn")
		},
		"ParseTaskID": func(t *testing.T) {
			n, err := ParseTaskID(NewTaskID(Key{"acme/bonn", "q1"}, "all", "ada", OpInstall, 1))
			require.NoError(t, err)
			require.Equal(t, inventory.Tenant("acme/bonn"), n.Rollout.Tenant)
		},
		"Plan.Admit": func(t *testing.T) {
			berlin, _ := plansOfSisters(t)
			_, err := berlin.Admit(Admitted{[]Admission{{Device: "new", Tenant: "acme/bonn"}}})
			require.ErrorContains(t, err, "acme/bonn")
			p, err := berlin.Admit(Admitted{[]Admission{{Device: "new", Tenant: "acme/berlin/mitte"}}})
			require.NoError(t, err)
			require.Equal(t, inventory.Tenant("acme/berlin/mitte"), p.TenantOf(len(p.Devices)-1))
		},
		"Plan.Find": func(t *testing.T) {
			in := input(2, policy.Ring{Name: "all", Rest: true})
			in.Key.Tenant, in.Targets[1].Device = "acme/bonn", "only-in-bonn"
			bonn, err := NewPlan(in)
			require.NoError(t, err)
			berlin, _ := plansOfSisters(t)
			_, found := berlin.Find("only-in-bonn")
			require.False(t, found)
			_, found = bonn.Find("only-in-bonn")
			require.True(t, found)
		},
		"Pool.Add": func(t *testing.T) {
			s := newSisters(t, 0)
			s.takes(t, s.berlin)
			s.takes(t, s.bonn)
			var pool Pool
			pool.Add(s.berlin)
			pool.Add(s.bonn)
			pool.Add(s.bonn)
			require.Empty(t, pool.Outcomes(1), "two tenants are too few to be told of, each could subtract itself")
		},
		"Raised.Keys": func(t *testing.T) {
			berlin, bonn := plansOfSisters(t)
			e := Raised{Why: RaisedAttempts, Devices: []int32{0}}
			require.Equal(t, berlin.Devices[:1], bonn.Devices[:1])
			require.NotEqual(t, e.Keys(&berlin), e.Keys(&bonn), "devices of the same name")
		},
		"Cleared.Keys": func(t *testing.T) {
			berlin, bonn := plansOfSisters(t)
			e := Cleared{Why: RaisedFailed}
			require.NotEqual(t, e.Keys(&berlin), e.Keys(&bonn))
			require.Equal(t, Raised(e).Keys(&bonn), e.Keys(&bonn))
		},
		"ReadTimeline": func(t *testing.T) {
			berlin, bonn := plansOfSisters(t)
			_, _, err := ReadTimeline(berlin, oneEntry(begun(t, bonn)))
			require.ErrorIs(t, err, ErrReplay)
		},
		"Replay": func(t *testing.T) {
			berlin, bonn := plansOfSisters(t)
			_, _, err := Replay(berlin, oneEntry(begun(t, bonn)))
			require.ErrorIs(t, err, ErrReplay)
			_, _, err = Replay(bonn, oneEntry(begun(t, bonn)))
			require.NoError(t, err)
		},
		"Scope.Add": func(t *testing.T) {
			s := scopeOfBerlin(t)
			require.ErrorContains(t, s.Add(labelled("acme/bonn")), `belongs to tenant "acme/bonn"`)
			require.Equal(t, 1, s.sum.Devices, "it is not counted")
		},
		"Scope.Joiner": func(t *testing.T) {
			_, err := scopeOfBerlin(t).Joiner(labelled("acme/bonn"))
			require.ErrorContains(t, err, `belongs to tenant "acme/bonn"`)
		},
		"Task.Earlier": func(t *testing.T) {
			now := Task{Tenant: "acme/berlin", Rollout: Key{"acme", "q1"}, Device: "ada", Op: OpVerify, Handle: Handle{Device: 1, Seq: 3}}
			then := now.Earlier(TaskRef{ID: NewTaskID(now.Rollout, "all", "ada", OpInstall, 1), Op: OpInstall, Ref: "17"})
			require.Equal(t, Task{ID: "acme:q1/all/ada/install/1", Tenant: "acme/berlin", Rollout: now.Rollout, Device: "ada", Op: OpInstall,
				Handle: Handle{Device: 1, Seq: 1}, Ref: "17"}, then)
		},
		"Results.Add": func(t *testing.T) {
			failing := func(tenant inventory.Tenant) Results { return Results{Failing: []Failing{{tenant, "ada", 1, 1}}} }
			r := failing("acme/berlin")
			r.Add(failing("acme/bonn"))
			require.Equal(t, []Failing{{"acme/berlin", "ada", 1, 1}, {"acme/bonn", "ada", 1, 1}}, r.Failing, "there are two of that name")
		},
		"HeadQuery.Wants": func(t *testing.T) {
			q := HeadQuery{Tenant: "acme/berlin"}
			for tenant, wanted := range map[inventory.Tenant]bool{"acme/berlin": true, "acme/berlin/lab": true, "acme/bonn": false, "acme/berlin-west": false, "acme": false, "": false} {
				require.Equal(t, wanted, q.Wants(&Head{Key: Key{tenant, "q1"}}), "%q", tenant)
			}
		},
		"Hosts.Of": func(t *testing.T) {
			h := NewHosts(&policy.Policy{HostLabel: "device.tenant"})
			require.NotEqual(t, h.Of(labelled("acme/berlin")), h.Of(labelled("acme/bonn")))
		},
		"Hosts.Fill": func(t *testing.T) {
			h := NewHosts(&policy.Policy{HostLabel: "device.tenant"})
			h.Of(labelled("acme/berlin"))
			h.Of(labelled("acme/bonn"))
			var in PlanInput
			h.Fill(&in)
			require.Equal(t, []inventory.DeviceID{"", "acme/berlin", "acme/bonn"}, in.Hosts)
		},
		"Strata.Of": func(t *testing.T) {
			s := NewStrata(&policy.Policy{Strata: []string{"site", "device.tenant"}})
			require.NotEqual(t, s.Of(labelled("acme/berlin")), s.Of(labelled("acme/bonn")))
		},
		"Strata.Fill": func(t *testing.T) {
			s := NewStrata(&policy.Policy{Strata: []string{"device.tenant"}})
			s.Of(labelled("acme/berlin"))
			s.Of(labelled("acme/bonn"))
			var in PlanInput
			s.Fill(&in)
			require.Equal(t, [][]string{{"acme/berlin"}, {"acme/bonn"}}, in.Strata)
		},
		"Timeline.Add": func(t *testing.T) {
			berlin, bonn := plansOfSisters(t)
			line, err := NewTimeline(berlin)
			require.NoError(t, err)
			require.ErrorIs(t, line.Add(begun(t, bonn)), ErrReplay)
		},
	}, others...)
	all := slices.DeleteFunc(tenancy.Calls(t, "."), func(call string) bool {
		return slices.ContainsFunc(append(others, "Agenda."), func(o string) bool { return strings.HasPrefix(call, o) })
	})
	require.Empty(t, all, "calls that no test here asks about")
}

// scopeOfBerlin is the scope of acme/berlin, with one device that misses a patch.
func scopeOfBerlin(t *testing.T, q ...Quarantine) *Scope {
	t.Helper()
	fixed := version.Version{Scheme: version.Deb, Text: "2"}
	c, err := patch.NewCatalog([]patch.Patch{{ID: "x:p1", Classification: patch.ClassSecurity, Reversal: patch.ReversalReinstall,
		Packages: []patch.Package{{Ecosystem: "Debian:12", Name: "openssl", Fixed: fixed}}}})
	require.NoError(t, err)
	s, err := NewScope(ScopeConfig{Key: Key{"acme/berlin", "q1"}, Catalog: c, Quarantine: q, Policy: policy.Policy{Name: "p",
		Rules: []policy.Rule{{Name: "all", Match: policy.Match{All: true}, Verdict: policy.Approve}}, Rings: []policy.Ring{{Name: "all", Rest: true}}}})
	require.NoError(t, err)
	require.NoError(t, s.Add(&inventory.Device{Tenant: "acme/berlin", ID: "ada", Software: []inventory.Software{
		{Manager: "dpkg", Ecosystem: "Debian:12", Name: "openssl", Version: version.Version{Scheme: version.Deb, Text: "1"}}},
		Coverage: []inventory.Coverage{{Manager: "dpkg", Status: inventory.Complete}}}))
	return s
}

func heldIn(where inventory.Tenant) func(inventory.Tenant, inventory.DeviceID, *Content, time.Time) (policy.Reason, bool) {
	return func(t inventory.Tenant, _ inventory.DeviceID, _ *Content, _ time.Time) (policy.Reason, bool) {
		return policy.Reason{Code: policy.ReasonHeld, Subject: "h"}, t == where
	}
}
