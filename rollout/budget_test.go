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

// budgeted makes the input of a plan for the devices of an inventory of n that wanted picks. They are parted among sites, and
// among pairs; every fifth has no pair.
func budgeted(id ID, n, sites int, wanted func(i int) bool, budgets ...policy.Budget) PlanInput {
	in := input(0, policy.Ring{Name: "all", Rest: true, Gate: policy.Gate{MaxFailed: 9999, MinSuccess: 1}})
	in.ID = id
	in.Policy.Budgets = budgets
	domains := NewDomains(budgets)
	for i := range n {
		d := &inventory.Device{Tenant: in.Tenant, ID: inventory.DeviceID(fmt.Sprintf("dev-%d", i)), Labels: map[string]string{"site": fmt.Sprint("s", i%sites)}}
		if i%5 != 0 {
			d.Labels["pair"] = fmt.Sprint("p", i/2)
		}
		place := domains.Add(d)
		if wanted == nil || wanted(i) {
			in.Targets = append(in.Targets, Target{Device: d.ID, Place: place, Ring: ByShare})
		}
	}
	domains.Fill(&in)
	return in
}

func TestAShareIsOfTheWholeInventory(t *testing.T) {
	in := budgeted("q1", 60, 2, func(i int) bool { return i < 10 }, policy.Budget{Name: "sites", Per: []string{"site"}, Share: 1000})
	p, err := NewPlan(in)
	require.NoError(t, err)
	require.Len(t, p.Domains, 2)
	m, err := NewMachine(p)
	require.NoError(t, err)
	_, err = m.Step(Begin{in.At})
	require.NoError(t, err)
	var a Agenda
	require.Len(t, a.Grant(m, in.At), 6, "a tenth of thirty at each of two sites, though only five of each get something")
	_, full := a.ExplainBudget(m, "nobody")
	require.False(t, full)
	x, full := a.ExplainBudget(m, p.Devices[9])
	require.True(t, full)
	require.Contains(t, x.String(), "budget sites: 3 of 3 disrupted at site s")
}

// Sites of two tenants that have one name are two sites, and a budget without labels bounds each tenant by itself.
func TestAFailureDomainIsOfOneTenant(t *testing.T) {
	in := input(0, policy.Ring{Name: "all", Rest: true})
	in.Policy.Budgets = []policy.Budget{{Name: "sites", Per: []string{"site"}, Count: 1}, {Name: "all", Count: 1}}
	in.Tenants = []inventory.Tenant{"acme/a", "acme/b"}
	domains := NewDomains(in.Policy.Budgets)
	for i := range 6 {
		d := &inventory.Device{Tenant: in.Tenants[i%2], ID: inventory.DeviceID(fmt.Sprint("dev-", i)), Labels: map[string]string{"site": "hq"}}
		in.Targets = append(in.Targets, Target{Device: d.ID, Place: domains.Add(d), Tenant: uint16(i % 2), Ring: ByShare})
	}
	domains.Fill(&in)
	p, err := NewPlan(in)
	require.NoError(t, err)
	m, err := NewMachine(p)
	require.NoError(t, err)
	_, err = m.Step(Begin{in.At})
	require.NoError(t, err)
	var a Agenda
	granted := a.Grant(m, in.At)
	require.Len(t, granted, 2)
	require.NotEqual(t, p.TenantOf(int(granted[0])), p.TenantOf(int(granted[1])))
}

func TestAPlanWithBudgetsDoesNotDependOnTheOrderOfItsFacts(t *testing.T) {
	budgets := []policy.Budget{{Name: "sites", Per: []string{"site"}, Count: 1}, {Name: "pairs", Per: []string{"pair"}, Count: 1}}
	in := budgeted("q1", 200, 7, nil, budgets...)
	want, err := NewPlan(in)
	require.NoError(t, err)
	require.NoError(t, want.Valid())

	other := input(0, in.Policy.Rings...)
	other.Policy = in.Policy
	domains := NewDomains(budgets)
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(200) {
		d := &inventory.Device{Tenant: in.Tenant, ID: inventory.DeviceID(fmt.Sprintf("dev-%d", i)), Labels: map[string]string{"site": fmt.Sprint("s", i%7)}}
		if i%5 != 0 {
			d.Labels["pair"] = fmt.Sprint("p", i/2)
		}
		other.Targets = append(other.Targets, Target{Device: d.ID, Place: domains.Add(d), Ring: ByShare})
	}
	domains.Fill(&other)
	got, err := NewPlan(other)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(want, got))

	digest, err := want.Digest()
	require.NoError(t, err)
	i := 0
	for len(want.Places[want.Place[i]]) != 2 || want.Place[i] == want.Place[0] {
		i++
	}
	want.Place[i] = want.Place[0]
	changed, err := want.Digest()
	require.NoError(t, err)
	require.NotEqual(t, digest, changed)
}

func TestThePlanRefusesDomainsThatDoNotHoldTogether(t *testing.T) {
	sites := policy.Budget{Name: "sites", Per: []string{"site"}, Count: 1}
	for want, change := range map[string]func(in *PlanInput){
		"nothing says which failure domains":    func(in *PlanInput) { in.Domains, in.Places = nil, nil },
		"budget 1 of 1":                         func(in *PlanInput) { in.Domains[0].Budget = 1 },
		"0 values for 1 labels of budget":       func(in *PlanInput) { in.Domains[0].Values = nil },
		"it has 0 devices":                      func(in *PlanInput) { in.Domains[0].Devices = 0 },
		"place 0: domain 9 of 2":                func(in *PlanInput) { in.Places[0][0] = 9 },
		"do not stand in the order":             func(in *PlanInput) { in.Places[0] = []uint32{0, 1} },
		"device dev-0: place 7 of 2":            func(in *PlanInput) { in.Targets[0].Place = 7 },
		"the policy has budgets, but nothing s": func(in *PlanInput) { in.Places = nil },
	} {
		in := budgeted("q1", 4, 2, nil, sites)
		change(&in)
		_, err := NewPlan(in)
		require.ErrorContains(t, err, want)
	}
	p, err := NewPlan(budgeted("q1", 4, 2, nil, sites))
	require.NoError(t, err)
	p.Place = p.Place[1:]
	require.ErrorContains(t, p.Valid(), "4 devices, 3 places of 2")
	p, err = NewPlan(budgeted("q1", 4, 2, nil, sites))
	require.NoError(t, err)
	p.Place[3] = 2
	require.ErrorContains(t, p.Valid(), "place 2 of 2")
}

// Three rollouts with budgets of their own over one inventory, all kinds of answers, a person who acknowledges now and then, and
// an agenda that is made anew in between: no limit is ever passed, whatever is counted by hand, and everything ends.
func TestNoBudgetIsPassedWhateverHappens(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		site, pair := []string{"site"}, []string{"pair"}
		ins := []PlanInput{
			budgeted("q1", 60, 4, nil, policy.Budget{Name: "a", Per: site, Count: 3}, policy.Budget{Name: "b", Per: pair, Count: 1}),
			budgeted("q2", 60, 4, func(i int) bool { return i%2 == 0 }, policy.Budget{Name: "c", Per: site, Count: 2}),
			budgeted("q3", 60, 4, func(i int) bool { return i%3 == 0 }, policy.Budget{Name: "d", Per: pair, Count: 1}, policy.Budget{Name: "e", Share: 2000}),
		}
		now := ins[0].At
		a := new(Agenda)
		var ms []*Machine
		step := func(m *Machine, s Signal, granted []int32) {
			t.Helper()
			b, err := m.Step(s)
			require.NoError(t, err)
			a.Note(m, b, granted)
		}
		for i := range ins {
			p, err := NewPlan(ins[i])
			require.NoError(t, err)
			m, err := NewMachine(p)
			require.NoError(t, err)
			ms = append(ms, m)
			step(m, Begin{now}, nil)
		}
		recount := func() {
			t.Helper()
			disrupted := make(map[string]map[inventory.DeviceID]bool)
			add := func(domain string, d inventory.DeviceID) {
				if disrupted[domain] == nil {
					disrupted[domain] = make(map[inventory.DeviceID]bool)
				}
				disrupted[domain][d] = true
			}
			for i, m := range ms {
				for d := range m.Disrupted() {
					id := m.Plan().Devices[d]
					var n int
					_, err := fmt.Sscanf(string(id), "dev-%d", &n)
					require.NoError(t, err)
					if i < 2 {
						add(fmt.Sprint("site ", n%4), id)
					}
					if i != 1 && n%5 != 0 {
						add(fmt.Sprint("pair ", n/2), id)
					}
					if i == 2 {
						add("all", id)
					}
				}
			}
			for domain, devices := range disrupted {
				limit := 1
				switch {
				case domain == "all":
					limit = 12
				case domain[0] == 's':
					limit = 3
				}
				require.LessOrEqual(t, len(devices), limit, "seed %d: %s: %v", seed, domain, devices)
			}
		}
		acknowledges := func(m *Machine, one int) {
			t.Helper()
			for d := range m.Disrupted() {
				if rnd.IntN(one) == 0 && m.Device(int(d)).Outcome == Failed {
					step(m, Commanded{now, Command{Do: DoAcknowledge, Device: m.Plan().Devices[d], By: "olga"}}, nil)
				}
			}
		}
		for round := 0; ; round++ {
			require.Less(t, round, 3000, "seed %d: it does not end", seed)
			running := 0
			for _, m := range ms {
				if m.Stage().Final() {
					acknowledges(m, 40)
					recount()
					continue
				}
				running++
				step(m, Tick{now}, nil)
				if g := a.Grant(m, now); len(g) > 0 {
					step(m, Granted{now, g}, g)
				}
				recount()
				var reports []TaskReport
				for d := range m.Running() {
					if rnd.IntN(3) > 0 {
						continue
					}
					task, _ := m.Task(d)
					r := Report{Phase: PhaseSucceeded}
					if rnd.IntN(4) == 0 {
						r = Report{Phase: PhaseFailed, Fault: []patch.Fault{patch.Transient, patch.Permanent, patch.Busy, patch.Unreachable, patch.AlreadyInstalled}[rnd.IntN(5)]}
					}
					reports = append(reports, TaskReport{task.Handle, r})
				}
				step(m, Reported{At: now, Reports: reports}, nil)
				acknowledges(m, 8)
				recount()
			}
			if running == 0 {
				break
			}
			if rnd.IntN(10) == 0 {
				a = new(Agenda)
				for _, m := range ms {
					a.Add(m)
				}
			}
			now = now.Add(time.Duration(rnd.IntN(60)) * time.Minute)
		}
		require.Zero(t, a.Active())
		left := make(map[Key]int)
		for _, m := range ms {
			if n := m.Leftover(); n > 0 {
				left[m.Plan().Key] = n
			}
		}
		require.Equal(t, left, a.Leftover())
		for _, m := range ms {
			acknowledges(m, 1)
		}
		require.Empty(t, a.Leftover())
		require.Empty(t, a.ledger.by)
	}
}
