package rollout

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
)

// Hosts gathers for a [PlanInput] which devices run on which, as they say by the label that [policy.Policy.HostLabel] names. A [Scope] does
// so by itself. It is made by [NewHosts], and is not safe for concurrent use.
type Hosts struct {
	policy *policy.Policy
	names  []inventory.DeviceID
	number map[inventory.DeviceID]uint32
}

// NewHosts makes an empty list for the hosts of a policy.
func NewHosts(p *policy.Policy) *Hosts {
	h := &Hosts{policy: p, number: make(map[inventory.DeviceID]uint32)}
	if p.HostLabel != "" {
		h.names = []inventory.DeviceID{""}
		h.number[""] = 0
	}
	return h
}

// Of returns the number of the host of d, for its [Target]; 0 if it names none.
func (h *Hosts) Of(d *inventory.Device) uint32 {
	name := h.policy.Host(d)
	if name == "" {
		return 0
	}
	n, known := h.number[name]
	if !known {
		n = uint32(len(h.names))
		h.number[name] = n
		h.names = append(h.names, name)
	}
	return n
}

// Fill puts the hosts into in.
func (h *Hosts) Fill(in *PlanInput) { in.Hosts = h.names }

// checkHosts says whether hosts fit the policy.
func checkHosts(p *policy.Policy, hosts []inventory.DeviceID) error {
	switch {
	case p.HostLabel != "" && len(hosts) == 0:
		return fmt.Errorf("the policy names the hosts of devices by label %q, but nothing says which these are", p.HostLabel)
	case p.HostLabel == "" && len(hosts) > 0:
		return fmt.Errorf("%d hosts, but the policy names no label for them", len(hosts))
	}
	seen := make(map[inventory.DeviceID]bool, len(hosts))
	for _, name := range hosts {
		if seen[name] {
			return fmt.Errorf("host %q stands twice", name)
		}
		seen[name] = true
	}
	return nil
}

// upward shows each guest with its host, after all guests that it has itself, and returns those that are left: devices that run on
// each other in a circle. hosts has the number of its host for each device, or -1.
func upward(hosts []int32, visit func(guest, host int32)) (circle []int32) {
	open := make([]int32, len(hosts)) // guests that were not shown yet
	for _, h := range hosts {
		if h >= 0 {
			open[h]++
		}
	}
	var lowest []int32
	for d, h := range hosts {
		if h >= 0 && open[d] == 0 {
			lowest = append(lowest, int32(d))
		}
	}
	for _, d := range lowest {
		for hosts[d] >= 0 && open[d] == 0 {
			h := hosts[d]
			visit(d, h)
			open[h]--
			d = h
		}
	}
	for d, n := range open {
		if n > 0 {
			circle = append(circle, int32(d))
		}
	}
	return circle
}

// tellCircle names devices that run on each other: those of the circle with the first of the names.
func tellCircle(circle, hosts []int32, name func(int32) inventory.DeviceID) error {
	first := slices.MinFunc(circle, func(a, b int32) int { return cmp.Compare(name(a), name(b)) })
	text := ""
	for d := first; ; {
		h := hosts[d]
		if h == first && d == first {
			return fmt.Errorf("device %s says that it runs on itself", name(d))
		}
		text += fmt.Sprintf("%s on %s", name(d), name(h))
		if d = h; d == first {
			return fmt.Errorf("devices run on each other in a circle: %s", text)
		}
		text += ", "
	}
}

// seats gives each target its ring, by its place in the input, with every host moved to the latest ring of its guests, and how many were
// moved. counts is how many devices each ring has, and becomes what it has then. nil means that none of the devices is a host.
func (in *PlanInput) seats(order []uint64, mask uint64, cut []cuts, counts []int) (rings []int16, moved int, err error) {
	hosts := in.hostTargets()
	if hosts == nil {
		return nil, 0, nil
	}
	rings = make([]int16, len(in.Targets))
	for _, k := range order {
		t := &in.Targets[k&mask]
		if rings[k&mask] = t.Ring; t.Ring == ByShare {
			rings[k&mask] = int16(cut[t.Stratum].next())
		}
	}
	were := make(map[int32]bool)
	clashes := make(map[int32]int32) // by host that may not be moved: a guest of it in a later ring
	name := func(i int32) inventory.DeviceID { return in.Targets[i].Device }
	circle := upward(hosts, func(guest, host int32) {
		switch late := rings[guest] > rings[host]; {
		case late && in.Targets[host].Ring != ByShare:
			if was, known := clashes[host]; !known || cmp.Or(cmp.Compare(rings[was], rings[guest]), cmp.Compare(name(guest), name(was))) < 0 {
				clashes[host] = guest
			}
		case late:
			counts[rings[host]]--
			counts[rings[guest]]++
			rings[host], were[host] = rings[guest], true
		}
	})
	if len(circle) > 0 {
		return nil, 0, tellCircle(circle, hosts, name)
	}
	return rings, len(were), in.tellClashes(clashes, rings)
}

// tellClashes names the hosts that a selector keeps in an earlier ring than a guest.
func (in *PlanInput) tellClashes(clashes map[int32]int32, rings []int16) error {
	if len(clashes) == 0 {
		return nil
	}
	var hosts []int32
	for i := range in.Targets {
		if _, is := clashes[int32(i)]; is {
			hosts = append(hosts, int32(i))
		}
	}
	slices.SortFunc(hosts, func(a, b int32) int { return cmp.Compare(in.Targets[a].Device, in.Targets[b].Device) })
	text, more := "", ""
	if n := len(hosts) - namesShown; n > 0 {
		hosts, more = hosts[:namesShown], fmt.Sprintf("; and %d more", n)
	}
	for i, h := range hosts {
		if i > 0 {
			text += "; "
		}
		guest := clashes[h]
		text += fmt.Sprintf("ring %s claims host %s, and its guest %s stands in the later ring %s",
			in.Policy.Rings[rings[h]].Name, in.Targets[h].Device, in.Targets[guest].Device, in.Policy.Rings[rings[guest]].Name)
	}
	return errors.New(text + more)
}

// hostTargets returns for each target the number of the target that it runs on, or -1; nil if none runs on another.
func (in *PlanInput) hostTargets() []int32 {
	numbers := make(map[inventory.DeviceID]int, len(in.Hosts))
	for n, name := range in.Hosts {
		if name != "" {
			numbers[name] = n
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	at := make([]int32, len(in.Hosts)) // by host: the number of its target, or -1
	for n := range at {
		at[n] = -1
	}
	for i := range in.Targets {
		if n, is := numbers[in.Targets[i].Device]; is {
			at[n] = int32(i)
		}
	}
	hosts, any := make([]int32, len(in.Targets)), false
	for i := range in.Targets {
		hosts[i] = at[in.Targets[i].Host]
		any = any || hosts[i] >= 0
	}
	if !any {
		return nil
	}
	return hosts
}

// hostDevices returns for each host that devices name the number of its device, or -1 if it is not in the plan.
func (p *Plan) hostDevices() []int32 {
	at, numbers := make([]int32, len(p.Hosts)), make(map[inventory.DeviceID]int, len(p.Hosts))
	for n, name := range p.Hosts {
		if at[n] = -1; name != "" {
			numbers[name] = n
		}
	}
	if len(numbers) == 0 {
		return at
	}
	for i, d := range p.Devices { // quicker than to find each of them
		if n, is := numbers[d]; is {
			at[n] = int32(i)
		}
	}
	return at
}

// validHosts says whether the hosts of a plan that was stored fit together, and its rings: a host that stands in an earlier ring than a guest
// would keep the ring of that guest from ever opening.
func (p *Plan) validHosts() error {
	if err := checkHosts(&p.Policy, p.Hosts); err != nil {
		return err
	}
	if n := len(p.Host); n != 0 && len(p.Hosts) == 0 || n != len(p.Devices) && len(p.Hosts) > 0 {
		return fmt.Errorf("%d devices, %d hosts of %d", len(p.Devices), n, len(p.Hosts))
	}
	if len(p.Hosts) == 0 {
		return nil
	}
	at, hosts := p.hostDevices(), make([]int32, len(p.Devices))
	for i, n := range p.Host {
		if int(n) >= len(p.Hosts) {
			return fmt.Errorf("device %s: host %d of %d", p.Devices[i], n, len(p.Hosts))
		}
		if hosts[i] = at[n]; at[n] >= 0 && p.RingOf(int(at[n])) < p.RingOf(i) {
			return fmt.Errorf("host %s stands in an earlier ring than its guest %s", p.Hosts[n], p.Devices[i])
		}
	}
	name := func(i int32) inventory.DeviceID { return p.Devices[i] }
	if circle := upward(hosts, func(int32, int32) {}); len(circle) > 0 {
		return tellCircle(circle, hosts, name)
	}
	return nil
}

// HostOf returns the number of the device that device i runs on, and whether that is in the rollout.
func (p *Plan) HostOf(i int) (int, bool) {
	if len(p.Host) == 0 || p.Hosts[p.Host[i]] == "" {
		return 0, false
	}
	return p.Find(p.Hosts[p.Host[i]])
}

// guestsOf yields the devices that say they run on that one.
func (p *Plan) guestsOf(name inventory.DeviceID, yield func(d int32)) {
	n := slices.Index(p.Hosts, name)
	if n < 0 || name == "" {
		return
	}
	for i, h := range p.Host {
		if int(h) == n {
			yield(int32(i))
		}
	}
}

// seatHost moves a device that is to join to the latest ring of its guests, if it has any in a later one than its own.
func (p *Plan) seatHost(j *Joiner, a *Admission) error {
	own, last := a.Own, int32(-1)
	p.guestsOf(j.Device, func(guest int32) {
		if r := p.RingOf(int(guest)); r > a.Own {
			a.Own, last = r, guest
		}
	})
	if last >= 0 && j.Claim != ByShare {
		return fmt.Errorf("ring %s claims it, and its guest %s stands in the later ring %s", p.Rings[own].Name, p.Devices[last], p.Rings[a.Own].Name)
	}
	return nil
}

// describeHosts says in a line how many hosts wait for how many devices.
func (p *Plan) describeHosts() string {
	at := p.hostDevices()
	hosts, guests := make(map[int32]bool), 0
	for _, n := range p.Host {
		if h := at[n]; h >= 0 {
			hosts[h] = true
			guests++
		}
	}
	text := fmt.Sprintf("hosts by label %s: %s, begun after their %s", p.Policy.HostLabel, count(len(hosts), "host"), count(guests, "guest"))
	if p.Policy.Guests == policy.GuestsAwaitedInGrace {
		text += " or without those that are unreachable for too long"
	}
	if p.HostsMoved > 0 {
		text += fmt.Sprintf("; moved to the ring of their last guest: %d", p.HostsMoved)
	}
	return text
}

// circleWith says whether devices that are to join would run on each other in a circle, with those of the plan.
func (p *Plan) circleWith(e *Admitted) error {
	on := make(map[inventory.DeviceID]inventory.DeviceID, len(e.Devices))
	any := false
	for i := range e.Devices {
		on[e.Devices[i].Device] = e.Devices[i].Host
		any = any || e.Devices[i].Host != ""
	}
	if !any {
		return nil
	}
	host := func(d inventory.DeviceID) inventory.DeviceID {
		if h, joins := on[d]; joins {
			return h
		}
		if i, found := p.Find(d); found && len(p.Host) > 0 {
			return p.Hosts[p.Host[i]]
		}
		return ""
	}
	for i := range e.Devices {
		d := e.Devices[i].Device
		seen, text := map[inventory.DeviceID]bool{d: true}, string(d)
		for at := host(d); at != ""; at = host(at) {
			text += " on " + string(at)
			if at == d {
				return fmt.Errorf("device %s: it would run on itself: %s", d, text)
			}
			if seen[at] {
				break // another one's circle
			}
			seen[at] = true
		}
	}
	return nil
}

// A guestbook is what a machine knows of who runs on whom.
type guestbook struct {
	all  []host
	at   []int32 // by device: its place in all, plus one; 0 for one on which nothing runs
	calm int     // hosts that are becalmed
}

// A host is a device that others name, and how many of them it waits for.
type host struct {
	device int32 // -1 if it is not in the rollout
	open   int32 // guests that it waits for
	idle   int32 // of these: unreachable for longer than the grace, or becalmed themselves
	calm   bool  // becalmed: it waits for such guests only
}

// addHosts finds out who runs on whom.
func (m *Machine) addHosts() {
	if m.plan.Policy.HostLabel == "" {
		return
	}
	m.hosts = &guestbook{at: make([]int32, len(m.dev))}
	for n, d := range m.plan.hostDevices() {
		m.hosts.all = append(m.hosts.all, host{device: d})
		if d >= 0 {
			m.hosts.at[d] = int32(n) + 1
		}
	}
	for d := range m.dev {
		m.tellHost(int32(d))
	}
}

// growHosts takes in that device d has joined, the last of all, as a guest or as a host.
func (m *Machine) growHosts(d int32) {
	if m.hosts == nil {
		return
	}
	for n := len(m.hosts.all); n < len(m.plan.Hosts); n++ { // hosts that nobody has named before
		h := host{device: -1}
		if at, found := m.plan.Find(m.plan.Hosts[n]); found && at < int(d) {
			h.device = int32(at)
			m.hosts.at[at] = int32(n) + 1
		}
		m.hosts.all = append(m.hosts.all, h)
	}
	m.hosts.at = append(m.hosts.at, 0)
	if n := slices.Index(m.plan.Hosts, m.plan.Devices[d]); n >= 0 {
		m.hosts.at[d], m.hosts.all[n].device = int32(n)+1, d
		m.plan.guestsOf(m.plan.Devices[d], func(guest int32) {
			if guest < d {
				m.tellHost(guest)
			}
		})
	}
	m.tellHost(d)
}

// tellHost brings what the host of d knows of d up to date, and the hosts that this is news for in turn. A guest in a later ring than its host,
// which has joined since, is not waited for: the ring would wait for the host.
func (m *Machine) tellHost(d int32) {
	for m.hosts != nil {
		dev, h := &m.dev[d], &m.hosts.all[m.plan.Host[d]]
		if h.device < 0 || dev.ring > m.dev[h.device].ring {
			return
		}
		var is flags
		lost := dev.flags&gone != 0
		if dev.state != settled && !(lost && m.plan.Policy.Guests == policy.GuestsAwaitedInGrace) {
			if is = awaited; lost || m.becalmed(d) {
				is |= stalled
			}
		}
		was := dev.flags & (awaited | stalled)
		if is == was {
			return
		}
		dev.flags ^= is ^ was
		h.open += oneIf(is, awaited) - oneIf(was, awaited)
		h.idle += oneIf(is, stalled) - oneIf(was, stalled)
		if !m.keep(h) {
			return
		}
		d = h.device
	}
}

func oneIf(all, is flags) int32 {
	if all&is != 0 {
		return 1
	}
	return 0
}

// keep lets a host wait, or wait no more, and says whether it has become becalmed, or is so no more. One that was begun waits for nobody any more.
func (m *Machine) keep(h *host) bool {
	dev := &m.dev[h.device]
	waits := h.open > 0 && dev.state == waiting && dev.seq == 0
	switch {
	case waits:
		dev.flags |= hosting
	case dev.flags&hosting != 0:
		if dev.flags &^= hosting; dev.state == waiting {
			dev.flags |= hosted
			m.comesFirst(h.device)
		}
	}
	calm := waits && h.idle == h.open
	if calm == h.calm {
		return false
	}
	by := 1
	if h.calm = calm; !calm {
		by = -1
	}
	m.hosts.calm += by
	m.rings[dev.ring].calm += by
	m.dirty = true
	return true
}

// hostSettled takes in that d has an outcome, for it and for its host.
func (m *Machine) hostSettled(d int32) {
	if m.hosts == nil {
		return
	}
	if n := m.hosts.at[d]; n > 0 {
		m.keep(&m.hosts.all[n-1])
	}
	m.tellHost(d)
}

// becalmed says whether d waits for nothing but guests that nobody reaches: nothing that happens in the rollout makes it go on.
func (m *Machine) becalmed(d int32) bool {
	n := m.hosts.at[d]
	return n > 0 && m.hosts.all[n-1].calm
}

// allCalm returns how many hosts are becalmed.
func (m *Machine) allCalm() int {
	if m.hosts == nil {
		return 0
	}
	return m.hosts.calm
}

// comesFirst puts d, which was never begun, among those of its group that come before the others.
func (m *Machine) comesFirst(d int32) {
	g := m.groupOf(d)
	if i, found := slices.BinarySearch(g.first, d); !found {
		g.first = slices.Insert(g.first, i, d)
	}
	g.urgents++
}

// guests adds to an explanation which guests d waits for.
func (x *Explanation) guests(m *Machine, d int32) {
	if m.dev[d].flags&hosting == 0 {
		return
	}
	h := &m.hosts.all[m.hosts.at[d]-1]
	all, open := 0, make([]int32, 0, namesShown+1)
	m.plan.guestsOf(m.plan.Devices[d], func(guest int32) {
		all++
		if m.dev[guest].flags&awaited != 0 {
			open = append(open, guest)
		}
	})
	lost := ""
	if h.idle > 0 {
		lost = strconv.Itoa(int(h.idle))
	}
	x.Reasons = append(x.Reasons, message("wait-guests", "guests", m.plan.names(open), "open", strconv.Itoa(int(h.open)), "all", strconv.Itoa(all), "lost", lost))
}
