package rollout

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
)

// admitting makes the input of a plan whose policy admits joiners.
func admitting(n int, rings ...policy.Ring) PlanInput {
	in := input(n, rings...)
	in.Policy.Joiners = policy.JoinersAdmitted
	return in
}

// like returns device i of a plan as one that joins.
func like(p *Plan, i int, claim int16) *Joiner {
	j := &Joiner{Device: p.Devices[i], Tenant: p.TenantOf(i), Content: p.Contents[p.Content[i]], Claim: claim}
	if p.Stratum != nil {
		j.Stratum = p.Strata[p.Stratum[i]]
	}
	return j
}

// A device that is in the plan is placed where it is: that is what placing one means that is not.
func TestAJoinerIsPlacedAsIfItHadBeenThere(t *testing.T) {
	rest := policy.Ring{Name: "rest", Rest: true}
	it := policy.Ring{Name: "it", Devices: inventory.MustSelector("dept=it")}
	for _, strata := range [][]int{{400}, {300, 70, 25, 5}, {2, 1, 3, 1, 1, 1}} {
		for _, rings := range [][]policy.Ring{
			{share("canary", 500), share("pilot", 2000), rest},
			{{Name: "first", Size: 3}, share("pilot", 2000), rest},
			{it, share("canary", 500), rest},
			{share("canary", 500), it, rest}, // a ring that is claimed stands between two others
			{rest},
		} {
			in := stratified(strata, rings...)
			claims := make(map[inventory.DeviceID]int16)
			for i := range in.Targets {
				in.Targets[i].Ring = ByShare
				if r := slices.IndexFunc(rings, func(r policy.Ring) bool { return r.Name == "it" }); r >= 0 && i%5 == 0 {
					in.Targets[i].Ring = int16(r)
				}
				claims[in.Targets[i].Device] = in.Targets[i].Ring
			}
			p, err := NewPlan(in)
			require.NoError(t, err)
			for i := range p.Devices {
				require.Equal(t, p.RingOf(i), p.ringFor(like(&p, i, claims[p.Devices[i]])), "%v: device %s", strata, p.Devices[i])
			}
		}
	}
}

// Devices that come later divide like those that were there: that is what the keyed hash is for.
func TestJoinersDivideLikeTheFleet(t *testing.T) {
	p, err := NewPlan(admitting(20_000, share("canary", 1000), share("pilot", 3000), policy.Ring{Name: "rest", Rest: true}))
	require.NoError(t, err)
	of := make([]int, 3)
	for i := range 10_000 {
		of[p.ringFor(&Joiner{Device: inventory.DeviceID(fmt.Sprint("new-", i)), Claim: ByShare})]++
	}
	for r, want := range []int{1000, 3000, 6000} {
		require.InDelta(t, want, of[r], 200, "%v", of)
	}
}

func TestWhereThereIsNoCutTheLastRingTakesJoiners(t *testing.T) {
	rest := policy.Ring{Name: "rest", Rest: true}
	in := stratified([]int{9, 3}, share("canary", 5000), rest)
	p, err := NewPlan(in)
	require.NoError(t, err)
	require.Equal(t, 1, p.ringFor(&Joiner{Device: "x", Claim: ByShare, Stratum: []string{"unheard of"}}), "nothing like it was tried")

	it, hr := policy.Ring{Name: "it", Devices: inventory.MustSelector("dept=it")}, policy.Ring{Name: "hr", Devices: inventory.MustSelector("dept=hr")}
	in = admitting(4, it, hr, rest)
	for i := range in.Targets {
		in.Targets[i].Ring = 1
	}
	p, err = NewPlan(in)
	require.NoError(t, err)
	require.Len(t, p.Rings, 1)
	require.Equal(t, 0, p.ringFor(&Joiner{Device: "x", Claim: 0}), "the ring it was empty, and merged into hr")
	require.Equal(t, 0, p.ringFor(&Joiner{Device: "x", Claim: 1}))
	require.Equal(t, 0, p.ringFor(&Joiner{Device: "x", Claim: ByShare}), "there was no rest; hr is the last")
}

func TestAPlanWithJoinersIsAnotherPlanWithTheSameDigest(t *testing.T) {
	in := admitting(40, share("canary", 2500), policy.Ring{Name: "rest", Rest: true})
	in.Policy.Strata, in.Strata = []string{"site"}, [][]string{{"oslo"}, {"bern"}}
	in.Policy.Budgets = []policy.Budget{{Name: "sites", Per: []string{"site"}, Count: 1}}
	in.Domains, in.Places = []Domain{{Tenant: "acme", Values: []string{"oslo"}, Devices: 40}}, [][]uint32{{0}}
	p, err := NewPlan(in)
	require.NoError(t, err)
	digest, err := p.Digest()
	require.NoError(t, err)
	text, err := EncodePlan(&p)
	require.NoError(t, err)
	p.Devices = append(make([]inventory.DeviceID, 0, 100), p.Devices...) // room that is somebody else's

	oslo := Domain{Tenant: "acme", Values: []string{"oslo"}}
	bern := Domain{Tenant: "acme", Values: []string{"bern"}}
	// What is admitted twice to the same plan, made longer before or not, does not meet.
	grown, err := p.Admit(Admitted{[]Admission{{Device: "first", Tenant: "acme", Stratum: []string{"oslo"}, Domains: []Domain{oslo}}}})
	require.NoError(t, err)
	for range 3 { // until there is room behind its lists
		if cap(grown.Devices) > len(grown.Devices) {
			break
		}
		grown, err = grown.Admit(Admitted{[]Admission{{Device: inventory.DeviceID(fmt.Sprint("more-", len(grown.Devices))), Tenant: "acme", Stratum: []string{"oslo"}, Domains: []Domain{oslo}}}})
		require.NoError(t, err)
	}
	a, err := grown.Admit(Admitted{[]Admission{{Device: "x", Tenant: "acme", Stratum: []string{"oslo"}, Domains: []Domain{oslo}}}})
	require.NoError(t, err)
	_, err = grown.Admit(Admitted{[]Admission{{Device: "y", Tenant: "acme/x", Ring: 1, Stratum: []string{"rome"}, Domains: []Domain{oslo}}}})
	require.NoError(t, err)
	require.Equal(t, inventory.DeviceID("x"), a.Devices[len(a.Devices)-1])
	require.Equal(t, 0, a.RingOf(len(a.Devices)-1))

	one, err := p.Admit(Admitted{[]Admission{{Device: "b", Tenant: "acme", Zone: "Europe/Oslo", Stratum: []string{"oslo"}, Domains: []Domain{oslo}}}})
	require.NoError(t, err)
	other, err := p.Admit(Admitted{[]Admission{{Device: "z", Tenant: "acme/x", Ring: 1, Stratum: []string{"rome"}, Domains: []Domain{bern}}}})
	require.NoError(t, err)
	two, err := one.Admit(Admitted{[]Admission{{Device: "a", Tenant: "acme", Ring: 1, Own: 1, Stratum: []string{"bern"}, Domains: []Domain{bern}}, {Device: "c", Tenant: "acme", Stratum: []string{"bern"}}}})
	require.NoError(t, err)
	require.Nil(t, p.Newcomers)
	require.Len(t, p.Devices, 40)
	require.Equal(t, inventory.DeviceID("b"), one.Devices[40], "nobody else's list was written to")
	require.Equal(t, inventory.DeviceID("z"), other.Devices[40])
	require.Equal(t, []string{"rome"}, other.Strata[other.Stratum[40]])
	require.Equal(t, inventory.Tenant("acme/x"), other.TenantOf(40))
	require.Equal(t, inventory.Tenant("acme"), other.TenantOf(3))
	for d, want := range map[inventory.DeviceID][2]int{"b": {40, 0}, "a": {41, 1}, "c": {42, 0}, p.Devices[3]: {3, 0}, p.Devices[30]: {30, 1}} {
		i, found := two.Find(d)
		require.True(t, found, d)
		require.Equal(t, want, [2]int{i, two.RingOf(i)}, d)
	}
	_, found := one.Find("a")
	require.False(t, found)
	require.Equal(t, []int{40, 42}, slices.Collect(two.InRing(0))[10:])
	require.Equal(t, []int{41}, slices.Collect(two.InRing(1))[30:])
	require.Equal(t, []string{"", "Europe/Oslo"}, two.Zones)
	require.Equal(t, []uint16{1, 0, 0}, two.Zone[40:])
	require.Len(t, two.Domains, 2)
	require.Equal(t, []uint32{1}, two.DomainsOf(41))
	require.Empty(t, two.DomainsOf(42))
	require.Equal(t, 40, two.Domains[0].Devices, "a budget does not grow")

	require.NoError(t, two.Valid())
	same, err := two.Digest()
	require.NoError(t, err)
	require.Equal(t, digest, same)
	again, err := EncodePlan(two)
	require.NoError(t, err)
	require.Equal(t, string(text), string(again))
	m, err := NewMachine(*two)
	require.NoError(t, err)
	require.Len(t, m.Plan().Devices, 40, "a machine begins with the plan as it was made")

	for want, a := range map[string]Admission{
		"device b: it is in the rollout already":         {Device: "b"},
		"device x: it belongs to tenant \"globex\"":      {Device: "x", Tenant: "globex"},
		"device x: content 7 of 1":                       {Device: "x", Tenant: "acme", Content: 7},
		"device x: ring 2 of 2":                          {Device: "x", Tenant: "acme", Ring: 2},
		"device x: ring 0 of 2, from ring 1":             {Device: "x", Tenant: "acme", Own: 1},
		"device x: 0 values for 1 keys of strata":        {Device: "x", Tenant: "acme"},
		"device x: domain 0: budget 3 of 1":              {Device: "x", Tenant: "acme", Stratum: []string{"a"}, Domains: []Domain{{Budget: 3}}},
		"device x: domain 0: 2 values for 1 labels":      {Device: "x", Tenant: "acme", Stratum: []string{"a"}, Domains: []Domain{{Values: []string{"a", "b"}}}},
		"device x: place 0: its domains do not stand in": {Device: "x", Tenant: "acme", Stratum: []string{"a"}, Domains: []Domain{oslo, bern}},
	} {
		_, err := two.Admit(Admitted{[]Admission{a}})
		require.ErrorContains(t, err, want)
	}
	_, err = two.Admit(Admitted{})
	require.ErrorContains(t, err, "no devices")
	x := Admission{Device: "x", Tenant: "acme", Stratum: []string{"a"}}
	_, err = two.Admit(Admitted{[]Admission{x, x}})
	require.ErrorContains(t, err, "device x: it stands twice")
}

func TestWhoCannotJoin(t *testing.T) {
	in := admitting(10, share("canary", 2000), policy.Ring{Name: "rest", Rest: true})
	in.Contents[0].Patches[0].Packages = []patch.Package{{Name: "openssl", Fixed: version.Version{Scheme: version.Deb, Text: "2"}}}
	m := begunMachine(t, in)
	newer := in.Contents[0]
	newer.Patches = slices.Clone(newer.Patches)
	newer.Patches[0].Packages = []patch.Package{{Name: "openssl", Fixed: version.Version{Scheme: version.Deb, Text: "3"}}}
	now := m.Now()
	for want, change := range map[string]func(*Joiner){
		"device new: what it is to get (x:p1) is not what some device of the plan gets": func(j *Joiner) { j.Content = newer },
		"device new: it belongs to tenant \"globex\"":                                   func(j *Joiner) { j.Tenant = "globex" },
		"device dev-3: it is in the rollout already":                                    func(j *Joiner) { j.Device = "dev-3" },
		"device : it has no ID":                                                         func(j *Joiner) { j.Device = "" },
		"device new: ring 2 of 2":                                                       func(j *Joiner) { j.Claim = 2 },
		"device new: failure domains, and the policy has no budgets":                    func(j *Joiner) { j.Domains = []Domain{{}} },
	} {
		good := Joiner{Device: "good", Tenant: "acme", Content: in.Contents[0], Claim: ByShare}
		bad := good
		bad.Device = "new"
		change(&bad)
		_, err := m.Step(Joined{now, []Joiner{good, bad}})
		require.ErrorIs(t, err, ErrJoin)
		require.ErrorContains(t, err, want)
		_, found := m.Plan().Find("good")
		require.False(t, found, "all of them or none")
	}
	x := Joiner{Device: "x", Tenant: "acme", Content: in.Contents[0], Claim: ByShare}
	_, err := m.Step(Joined{now, []Joiner{x, x}})
	require.ErrorContains(t, err, "device x: it stands twice")
	y := x
	y.Device, y.Tenant, x.Tenant = "y", "globex", "globex"
	_, err = m.Step(Joined{now, []Joiner{x, y}})
	require.ErrorContains(t, err, "device x")
	require.ErrorContains(t, err, "device y", "each is told of")
	_, err = m.Step(Commanded{now, Command{Do: DoWithdraw, Patch: "x:p1", By: "olga", Reason: "breaks tills"}})
	require.NoError(t, err)
	x.Tenant = "acme"
	_, err = m.Step(Joined{now, []Joiner{x}})
	require.ErrorContains(t, err, "device x: patch x:p1 was withdrawn")
	b, err := m.Step(Joined{now, nil})
	require.NoError(t, err)
	require.True(t, b.Empty())
}

func begunMachine(t *testing.T, in PlanInput) *Machine {
	t.Helper()
	p, err := NewPlan(in)
	require.NoError(t, err)
	m, err := NewMachine(p)
	require.NoError(t, err)
	_, err = m.Step(Begin{in.At})
	require.NoError(t, err)
	return m
}

// A rule wants leave for a patch. A ring that has no device with it does not ask for it, and must not get one without.
func TestAJoinerBringsNoPatchThatNobodyGaveLeaveFor(t *testing.T) {
	in := admitting(10, policy.Ring{Name: "first", Size: 5}, policy.Ring{Name: "rest", Rest: true})
	in.Policy.Rules = []policy.Rule{{Name: "ask", Match: policy.Match{All: true}, Verdict: policy.RequireApproval}}
	in.Contents = append(in.Contents, Content{Patches: []Pinned{{ID: "x:p2", Reversal: patch.ReversalReinstall}}})
	in.Approval = []bool{false, true}
	p, err := NewPlan(in)
	require.NoError(t, err)
	at := slices.IndexFunc(in.Targets, func(x Target) bool { return x.Device == p.Devices[7] })
	in.Targets[at].Content = 1
	m := begunMachine(t, in)
	require.False(t, m.Plan().Rings[0].Approval)
	require.True(t, m.Plan().Rings[1].Approval)
	n := 0
	place := func(ring int, content int) error {
		for ; ; n++ {
			j := Joiner{Device: inventory.DeviceID(fmt.Sprint("new", n)), Tenant: "acme", Content: in.Contents[content], Claim: ByShare}
			if m.plan.ringFor(&j) == ring {
				n++
				_, err := m.Step(Joined{m.Now(), []Joiner{j}})
				return err
			}
		}
	}
	require.NoError(t, place(0, 0))
	require.ErrorContains(t, place(0, 1), "ring first has no device that gets the same, so nobody was asked whether it may")
	require.NoError(t, place(1, 1))
}

// What joins in a time zone that nobody was in waits for the windows there, and for none if those were lifted in an emergency.
func TestAJoinerHasItsOwnClock(t *testing.T) {
	for _, lifted := range []bool{false, true} {
		in := admitting(4, policy.Ring{Name: "all", Rest: true, Need: policy.Need{Emergency: true, Bypass: policy.Bypass{Windows: true}}})
		in.Zones = []string{"UTC"}
		in.Policy.Windows = []policy.Window{{Start: 20 * 60, End: 22 * 60}}
		m := begunMachine(t, in)
		d := policy.Decision{Ruling: policy.Approved, By: "hans", Digest: m.rings[0].request.Digest, At: m.Now()}
		if lifted {
			d.Emergency = &policy.Emergency{Reason: "exploited", ReviewDue: m.Now().Add(time.Hour), Bypass: policy.Bypass{Windows: true}}
		}
		_, err := m.Step(Decided{m.Now(), m.rings[0].request.ID, d})
		require.NoError(t, err)
		_, err = m.Step(Joined{m.Now(), []Joiner{
			{Device: "home", Tenant: "acme", Zone: "UTC", Content: in.Contents[0], Claim: ByShare},
			{Device: "tokyo", Tenant: "acme", Zone: "Asia/Tokyo", Content: in.Contents[0], Claim: ByShare},
			{Device: "kyoto", Tenant: "acme", Zone: "Asia/Tokyo", Content: in.Contents[0], Claim: ByShare},
		}})
		require.NoError(t, err)
		wanted := func(at time.Time) (names []inventory.DeviceID) {
			for _, i := range m.Wanted(at, 0) {
				if i >= 4 {
					names = append(names, m.Plan().Devices[i])
				}
			}
			return names
		}
		if lifted {
			require.Equal(t, []inventory.DeviceID{"home", "tokyo", "kyoto"}, wanted(m.Now()))
			continue
		}
		require.Empty(t, wanted(m.Now()))
		next, ok := m.Next()
		require.True(t, ok)
		require.Equal(t, time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC), next, "20:00 in Tokyo")
		require.Equal(t, []inventory.DeviceID{"tokyo", "kyoto"}, wanted(next))
		require.Equal(t, []inventory.DeviceID{"home"}, wanted(time.Date(2026, 3, 2, 20, 0, 0, 0, time.UTC)))
		_, err = m.Step(Joined{m.Now(), []Joiner{{Device: "x", Tenant: "acme", Zone: "Mars/Olympus", Content: in.Contents[0], Claim: ByShare}}})
		require.ErrorContains(t, err, "Mars/Olympus")
	}
}

func TestTheTimelineTellsWhenADeviceJoined(t *testing.T) {
	in := admitting(2, policy.Ring{Name: "all", Rest: true})
	p, err := NewPlan(in)
	require.NoError(t, err)
	m, err := NewMachine(p)
	require.NoError(t, err)
	line, err := NewTimeline(p)
	require.NoError(t, err)
	step := func(s Signal) {
		b, err := m.Step(s)
		require.NoError(t, err)
		require.NoError(t, line.Add(b))
	}
	step(Begin{in.At})
	later := in.At.Add(time.Hour)
	step(Joined{later, []Joiner{{Device: "new", Tenant: "acme", Content: in.Contents[0], Claim: ByShare}}})
	require.Len(t, line.Device(2), 1)
	got := line.Device(2)[0]
	require.Equal(t, []time.Time{later, later}, []time.Time{got.Joined, got.Offered})
	require.Equal(t, in.At, line.Device(0)[0].Offered)
	require.Zero(t, line.Device(0)[0].Joined)
	step(Granted{later, []int32{2}})
	require.Equal(t, later, line.Device(2)[0].Started)
}

// Joiners are counted in the budgets of their failure domains, those of a domain that is new too.
func TestJoinersAreInTheBudgets(t *testing.T) {
	in := admitting(1, policy.Ring{Name: "all", Rest: true})
	in.Policy.Budgets = []policy.Budget{{Name: "sites", Per: []string{"site"}, Count: 1}}
	in.Domains, in.Places = []Domain{{Tenant: "acme", Values: []string{"oslo"}, Devices: 1}}, [][]uint32{{0}}
	m := begunMachine(t, in)
	a := new(Agenda)
	a.Add(m)
	grant := func() (names []inventory.DeviceID) {
		g := a.Grant(m, m.Now())
		b, err := m.Step(Granted{m.Now(), g})
		require.NoError(t, err)
		a.Note(m, b, g)
		for _, i := range g {
			names = append(names, m.Plan().Devices[i])
		}
		return names
	}
	require.Equal(t, []inventory.DeviceID{"dev-0"}, grant())
	join := func(d inventory.DeviceID, site string) {
		b, err := m.Step(Joined{m.Now(), []Joiner{{Device: d, Tenant: "acme", Content: in.Contents[0], Claim: ByShare, Domains: []Domain{{Tenant: "acme", Values: []string{site}}}}}})
		require.NoError(t, err)
		a.Note(m, b, nil)
	}
	join("o", "oslo")
	join("b1", "bern")
	join("b2", "bern")
	require.Equal(t, []inventory.DeviceID{"b1"}, grant())
	require.Empty(t, grant())
	why, full := a.ExplainBudget(m, "b2")
	require.True(t, full)
	require.Equal(t, "budget sites: 1 of 1 disrupted at site bern", why.String())
}

func TestAScopeMakesAJoiner(t *testing.T) {
	s := scopeOfBerlin(t)
	d := inventory.Device{Tenant: "acme/berlin", ID: "new", Software: []inventory.Software{{Ecosystem: "Debian:12", Name: "openssl", Version: version.Version{Scheme: version.Deb, Text: "1"}}},
		Platform: patch.Platform{OS: "debian", Version: "12"}}
	in := s.Input()
	in.Policy.Joiners = policy.JoinersAdmitted
	p, err := NewPlan(in)
	require.NoError(t, err)
	j, err := s.Joiner(&d)
	require.NoError(t, err)
	m, err := NewMachine(p)
	require.NoError(t, err)
	_, err = m.Step(Begin{p.At})
	require.NoError(t, err)
	_, err = m.Step(Joined{p.At, []Joiner{j}})
	require.NoError(t, err)
	require.Equal(t, inventory.DeviceID("new"), m.Plan().Devices[1])
	require.Equal(t, 1, s.Summary().Devices, "it was not counted")
	d.Software[0].Version.Text = "2"
	_, err = s.Joiner(&d)
	require.ErrorIs(t, err, ErrNothing)
}
