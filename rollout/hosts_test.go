package rollout

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// runsOn lets targets run on others: guest and host by turns.
func runsOn(in *PlanInput, pairs ...string) {
	in.Policy.HostLabel, in.Hosts = "host", []inventory.DeviceID{""}
	for i := 0; i < len(pairs); i += 2 {
		host := inventory.DeviceID(pairs[i+1])
		n := slices.Index(in.Hosts, host)
		if n < 0 {
			n = len(in.Hosts)
			in.Hosts = append(in.Hosts, host)
		}
		at := slices.IndexFunc(in.Targets, func(t Target) bool { return t.Device == inventory.DeviceID(pairs[i]) })
		in.Targets[at].Host = uint32(n)
	}
}

func seat(in *PlanInput, ring int16, devices ...inventory.DeviceID) {
	for i := range in.Targets {
		if slices.Contains(devices, in.Targets[i].Device) {
			in.Targets[i].Ring = ring
		}
	}
}

func rings() []policy.Ring { return []policy.Ring{share("first", 5000), {Name: "second", Rest: true}} }

func TestAHostStandsInNoEarlierRingThanItsGuests(t *testing.T) {
	in := input(10, rings()...)
	plain, err := NewPlan(in)
	require.NoError(t, err)
	require.Zero(t, plain.HostsMoved)
	require.Nil(t, plain.Host)
	// The first three of the first ring: the last of the second runs on one of them, and that on another.
	rack, kvm, vm := plain.Devices[0], plain.Devices[1], plain.Devices[9]
	runsOn(&in, string(vm), string(kvm), string(kvm), string(rack), string(plain.Devices[2]), "nobody")
	p, err := NewPlan(in)
	require.NoError(t, err)
	require.NoError(t, p.Valid())
	require.Equal(t, 2, p.HostsMoved)
	require.Equal(t, []int{3, 7}, []int{p.Rings[0].Count, p.Rings[1].Count})
	for _, d := range []inventory.DeviceID{rack, kvm, vm} {
		i, found := p.Find(d)
		require.True(t, found)
		require.Equal(t, 1, p.RingOf(i), d)
	}
	i, _ := p.Find(vm)
	h, is := p.HostOf(i)
	require.True(t, is)
	require.Equal(t, kvm, p.Devices[h])
	i, _ = p.Find(plain.Devices[2])
	_, is = p.HostOf(i)
	require.False(t, is, "its host is not in the rollout")
	require.Contains(t, p.String(), "hosts by label host: 2 hosts, begun after their 2 guests; moved to the ring of their last guest: 2\n")

	digest, err := p.Digest()
	require.NoError(t, err)
	b, err := EncodePlan(&p)
	require.NoError(t, err)
	back, err := DecodePlan(b)
	require.NoError(t, err)
	require.Equal(t, p, back)
	slices.Reverse(in.Targets)
	in.Hosts = []inventory.DeviceID{"nobody", kvm, rack, "", "named by nobody"}
	for i := range in.Targets {
		in.Targets[i].Host = uint32(slices.Index(in.Hosts, back.hostName(t, in.Targets[i].Device)))
	}
	other, err := NewPlan(in)
	require.NoError(t, err)
	require.Equal(t, p, other, "it does not depend on the order of its facts")
	back.Host[3] = (back.Host[3] + 1) % uint32(len(back.Hosts))
	changed, err := back.Digest()
	require.NoError(t, err)
	require.NotEqual(t, digest, changed)
}

func (p *Plan) hostName(t *testing.T, d inventory.DeviceID) inventory.DeviceID {
	i, found := p.Find(d)
	require.True(t, found)
	return p.Hosts[p.Host[i]]
}

func TestWhatHostsMayNotBe(t *testing.T) {
	for want, change := range map[string]func(in *PlanInput){
		"device dev-1 says that it runs on itself": func(in *PlanInput) { runsOn(in, "dev-1", "dev-1") },
		"devices run on each other in a circle: dev-1 on dev-3, dev-3 on dev-2, dev-2 on dev-1": func(in *PlanInput) {
			runsOn(in, "dev-2", "dev-1", "dev-3", "dev-2", "dev-1", "dev-3", "dev-4", "dev-1")
		},
		"ring first claims host dev-1, and its guest dev-2 stands in the later ring second; ring first claims host dev-5, and its guest dev-3 stands in the later ring second": func(in *PlanInput) {
			runsOn(in, "dev-2", "dev-1", "dev-3", "dev-5")
			seat(in, 0, "dev-1", "dev-5")
			seat(in, 1, "dev-2", "dev-3")
		},
		"device dev-3: host 7 of 1":                         func(in *PlanInput) { runsOn(in); in.Targets[3].Host = 7 },
		`host "a" stands twice`:                             func(in *PlanInput) { runsOn(in); in.Hosts = []inventory.DeviceID{"a", "b", "a"} },
		`by label "host", but nothing says which these are`: func(in *PlanInput) { in.Policy.HostLabel = "host" },
		"1 hosts, but the policy names no label for them":   func(in *PlanInput) { in.Hosts = []inventory.DeviceID{""} },
	} {
		in := input(10, rings()...)
		change(&in)
		_, err := NewPlan(in)
		require.ErrorContains(t, err, want)
	}
	in := input(10, rings()...)
	runsOn(&in, "dev-2", "dev-1", "dev-3", "dev-2")
	p, err := NewPlan(in)
	require.NoError(t, err)
	for want, change := range map[string]func(p *Plan){
		"host 9 of ":              func(p *Plan) { p.Host[4] = 9 },
		"10 devices, 9 hosts of ": func(p *Plan) { p.Host = p.Host[1:] },
		"10 devices, 0 hosts of ": func(p *Plan) { p.Host = nil },
		"but nothing says which":  func(p *Plan) { p.Hosts = nil },
		"in an earlier ring than its guest": func(p *Plan) {
			p.Hosts[p.Host[9]] = p.Devices[0]
		},
		"runs on itself": func(p *Plan) {
			i, _ := p.Find("dev-1")
			p.Host[i] = uint32(slices.Index(p.Hosts, "dev-1"))
		},
	} {
		q := p
		q.Host, q.Hosts = slices.Clone(p.Host), slices.Clone(p.Hosts)
		change(&q)
		require.ErrorContains(t, q.Valid(), want)
	}
}

// A fleet says by a label what runs on what.
func TestAScopeTakesHostsFromDevices(t *testing.T) {
	h := NewHosts(&policy.Policy{HostLabel: "hypervisor"})
	on := func(host string) uint32 {
		return h.Of(&inventory.Device{ID: "x", Labels: map[string]string{"hypervisor": host}})
	}
	require.Equal(t, []uint32{1, 2, 1, 0, 0}, []uint32{on("kvm"), on("esx"), on("kvm"), on(""), h.Of(&inventory.Device{ID: "y"})})
	var in PlanInput
	h.Fill(&in)
	require.Equal(t, []inventory.DeviceID{"", "kvm", "esx"}, in.Hosts)
	NewHosts(&policy.Policy{}).Fill(&in)
	require.Nil(t, in.Hosts)
}

// While a million guests settle one by one, nobody looks at a million devices, nor at all the hosts that wait: what one of them costs does
// not grow with how many there are.
func TestHostsThatWaitCostNothing(t *testing.T) {
	const hosts, each = 400, 5
	in := input(hosts*(each+1), policy.Ring{Name: "all", Rest: true})
	in.Policy.MaxActive = 1
	var pairs []string
	for i := hosts; i < len(in.Targets); i++ {
		pairs = append(pairs, fmt.Sprint("dev-", i), fmt.Sprint("dev-", i%hosts))
	}
	runsOn(&in, pairs...)
	p, err := NewPlan(in)
	require.NoError(t, err)
	m, err := NewMachine(p)
	require.NoError(t, err)
	now := in.At
	_, err = m.Step(Begin{now})
	require.NoError(t, err)
	looks := 0
	free := func(int32) bool { looks++; return true }
	var order []int32
	for !m.Stage().Final() {
		now = now.Add(time.Second)
		if got := m.wanted(now, 1, 1, nil, free); len(got) > 0 {
			order = append(order, got...)
			_, err = m.Step(Granted{now, got})
			require.NoError(t, err)
			continue
		}
		var reports []TaskReport
		for d := range m.Running() {
			task, _ := m.Task(d)
			reports = append(reports, TaskReport{task.Handle, *fine(task)})
		}
		require.NotEmpty(t, reports, "it rests")
		_, err = m.Step(Reported{At: now, Reports: reports})
		require.NoError(t, err)
	}
	require.Equal(t, StageDone, m.Stage())
	require.Len(t, order, len(in.Targets))
	require.Equal(t, len(order), looks, "each device was looked at once")
	at := make(map[inventory.DeviceID]int)
	for i, d := range order {
		at[p.Devices[d]] = i
	}
	for i := range p.Devices {
		if h, is := p.HostOf(i); is {
			require.Less(t, at[p.Devices[i]], at[p.Devices[h]])
		}
	}
}

// A guest that is rolled back, or tried again by hand, is open again: its host waits once more.
func TestAGuestThatIsOpenAgainIsWaitedFor(t *testing.T) {
	in := input(3, policy.Ring{Name: "all", Rest: true})
	in.Contents[0].Patches[0].Reversal = patch.ReversalReinstall
	in.Policy.Windows = []policy.Window{{Start: 9 * 60, End: 10 * 60, Zone: "UTC"}}
	runsOn(&in, "dev-1", "dev-0", "dev-2", "dev-0")
	p, err := NewPlan(in)
	require.NoError(t, err)
	m, err := NewMachine(p)
	require.NoError(t, err)
	step := func(s Signal) {
		_, err := m.Step(s)
		require.NoError(t, err)
	}
	now := in.At
	step(Begin{now})
	step(Granted{now, m.Wanted(now, 0)})
	for range 2 { // installed, then verified
		var reports []TaskReport
		for d := range m.Running() {
			task, _ := m.Task(d)
			reports = append(reports, TaskReport{task.Handle, *fine(task)})
		}
		step(Reported{At: now, Reports: reports})
	}
	host, _ := p.Find("dev-0")
	require.Equal(t, []int32{int32(host)}, m.Wanted(now, 0))
	step(Commanded{now, Command{Do: DoUndoDevice, Device: "dev-1", By: "olga", Reason: "slow"}})
	require.NotContains(t, m.Wanted(now, 0), int32(host))
	step(Granted{now, []int32{int32(host)}})
	require.False(t, m.Device(host).Running, "a host that grants what was not wanted changes nothing")
	require.Contains(t, fmt.Sprint(m.Explain("dev-0", now).Reasons), "waits for its guests dev-1, 1 of 2")
	step(Commanded{now, Command{Do: DoSkip, Device: "dev-0", By: "olga", Reason: "by hand"}})
	require.Equal(t, Skipped, m.Device(host).Outcome)
}
