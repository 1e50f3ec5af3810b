package rollout

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
)

// A Domain is a failure domain of a budget ([policy.Budget]): devices of one tenant that have the same values of its labels.
type Domain struct {
	Budget  int              `json:"budget"` // index into the policy's Budgets
	Tenant  inventory.Tenant `json:"tenant,omitempty"`
	Values  []string         `json:"values,omitempty"` // of the labels in Per
	Devices int              `json:"devices"`          // in the inventory, whether they get something by this plan or not
}

// Limit returns how many devices of domain n may be disrupted at once.
func (p *Plan) Limit(n uint32) int {
	d := &p.Domains[n]
	return p.Policy.Budgets[d.Budget].Limit(d.Devices)
}

// DomainsOf returns the numbers of the domains that device i belongs to, at most one of each budget. It is not to be changed.
func (p *Plan) DomainsOf(i int) []uint32 {
	if len(p.Place) == 0 {
		return nil
	}
	return p.Places[p.Place[i]]
}

// DomainName names domain n for people: `site oslo, role db`, or the tenant for a budget without labels.
func (p *Plan) DomainName(n uint32) string {
	d := &p.Domains[n]
	per := p.Policy.Budgets[d.Budget].Per
	if len(per) == 0 {
		return strings.TrimSpace("tenant " + string(d.Tenant))
	}
	words := make([]string, len(per))
	for i, key := range per {
		words[i] = strings.TrimSpace(key + " " + d.Values[i])
	}
	return strings.Join(words, ", ")
}

// domainKey returns what domain n is called across plans: the same for budgets over the same devices and labels, whatever their
// names, their limits, and the order of their labels.
func (p *Plan) domainKey(n uint32) string {
	d := &p.Domains[n]
	b := &p.Policy.Budgets[d.Budget]
	words := make([]string, 0, 2*len(b.Per)+2)
	order := make([]int, len(b.Per))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(x, y int) int { return strings.Compare(b.Per[x], b.Per[y]) })
	words = append(words, b.Devices.String(), string(d.Tenant))
	for _, i := range order {
		words = append(words, b.Per[i], d.Values[i])
	}
	var key []byte
	for _, w := range words {
		key = append(binary.AppendUvarint(key, uint64(len(w))), w...)
	}
	return string(key)
}

// checkDomains says whether domains, places and the policy's budgets fit together.
func checkDomains(p *policy.Policy, domains []Domain, places [][]uint32) error {
	if len(p.Budgets) > 0 && places == nil {
		return errors.New("the policy has budgets, but nothing says which failure domains the devices belong to")
	}
	for i := range domains {
		d := &domains[i]
		switch {
		case d.Budget < 0 || d.Budget >= len(p.Budgets):
			return fmt.Errorf("domain %d: budget %d of %d", i, d.Budget, len(p.Budgets))
		case len(d.Values) != len(p.Budgets[d.Budget].Per):
			return fmt.Errorf("domain %d: %d values for %d labels of budget %q", i, len(d.Values), len(p.Budgets[d.Budget].Per), p.Budgets[d.Budget].Name)
		case d.Devices < 1:
			return fmt.Errorf("domain %d: it has %d devices", i, d.Devices)
		}
	}
	for i, place := range places {
		for j, n := range place {
			if int(n) >= len(domains) {
				return fmt.Errorf("place %d: domain %d of %d", i, n, len(domains))
			}
			if j > 0 && domains[n].Budget <= domains[place[j-1]].Budget {
				return fmt.Errorf("place %d: its domains do not stand in the order of their budgets", i)
			}
		}
	}
	return nil
}

// renumberDomains numbers places and domains in the order in which the devices use them, and drops those that none uses.
func (p *Plan) renumberDomains() {
	if len(p.Place) == 0 {
		return
	}
	used := firstUse(p.Places, p.Place)
	var flat []uint32
	for _, place := range used {
		flat = append(flat, place...)
	}
	p.Domains = firstUse(p.Domains, flat)
	p.Places = make([][]uint32, len(used))
	for i, place := range used {
		p.Places[i], flat = flat[:len(place):len(place)], flat[len(place):]
	}
}

// Domains gathers the failure domains of an inventory for a [PlanInput]; a [Scope] does so by itself. It is made by [NewDomains], and
// is not safe for concurrent use.
type Domains struct {
	budgets []policy.Budget
	domains []Domain
	places  [][]uint32
	byKey   map[string]uint32 // domains
	byPlace map[string]uint32
}

// NewDomains makes an empty list for the budgets of a policy.
func NewDomains(budgets []policy.Budget) *Domains {
	return &Domains{budgets: budgets, byKey: make(map[string]uint32), byPlace: make(map[string]uint32)}
}

// Fill puts the domains, and the places of devices in them, into in.
func (l *Domains) Fill(in *PlanInput) { in.Domains, in.Places = l.domains, l.places }

// Add counts a device of the inventory in the domains of the budgets that are about it, and returns the number of its place, for the
// [Target] of the device if it becomes one. Each device is to be added once.
func (l *Domains) Add(d *inventory.Device) uint32 {
	if len(l.budgets) == 0 {
		return 0
	}
	var place []uint32
	var name []byte
	for _, domain := range domainsOf(l.budgets, d) {
		key := binary.AppendUvarint(nil, uint64(domain.Budget))
		for _, w := range append([]string{string(d.Tenant)}, domain.Values...) {
			key = append(binary.AppendUvarint(key, uint64(len(w))), w...)
		}
		n, known := l.byKey[string(key)]
		if !known {
			n = uint32(len(l.domains))
			l.byKey[string(key)] = n
			l.domains = append(l.domains, domain)
		}
		l.domains[n].Devices++
		place, name = append(place, n), binary.AppendUvarint(name, uint64(n))
	}
	at, known := l.byPlace[string(name)]
	if !known {
		at = uint32(len(l.places))
		l.byPlace[string(name)] = at
		l.places = append(l.places, place)
	}
	return at
}

// domainsOf returns the failure domains that d belongs to, in the order of the budgets.
func domainsOf(budgets []policy.Budget, d *inventory.Device) (all []Domain) {
	for i := range budgets {
		if values, ok := budgets[i].Domain(d); ok {
			all = append(all, Domain{Budget: i, Tenant: d.Tenant, Values: values})
		}
	}
	return all
}

// Disrupted yields the devices that this rollout has disrupted, in their order: those that are being worked on, and those on which
// an installation was begun that counts and that are not verified to be well since. A device that failed, was given up or was
// cancelled after that stays disrupted until it is acknowledged ([DoAcknowledge]), also when the rollout is over; and so does one that was
// taken out of service and is not known to be back ([Machine.Drained]).
func (m *Machine) Disrupted() iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for d := range m.dev {
			if m.disrupted(int32(d)) && !yield(int32(d)) {
				return
			}
		}
	}
}

func (m *Machine) disrupted(d int32) bool {
	dev := &m.dev[d]
	if dev.flags&session != 0 {
		return true
	}
	switch {
	case dev.flags&acked != 0:
		return false
	case m.isOut(d):
		return true
	case m.begunOn(d) == 0:
		return false
	}
	o := dev.outcome
	if dev.state == waiting && dev.op == OpRollback {
		o = dev.former // its rollback has not begun
	}
	switch o {
	case Succeeded, AlreadyInstalled, NotApplicable, Superseded, RolledBack, Skipped, Gone:
		return false
	}
	return true
}

// acknowledge takes a device that is disrupted, and at nothing, out of the budgets.
func (m *Machine) acknowledge(c Command, no func(string, ...any) error) error {
	d, ok := m.plan.Find(c.Device)
	switch {
	case !ok:
		return no("device %q is not in the plan", c.Device)
	case m.dev[d].flags&session != 0:
		return no("device %s is being worked on", c.Device)
	case !m.disrupted(int32(d)):
		return no("device %s is not disrupted by this rollout", c.Device)
	}
	m.emit(Acknowledged{Devices: []int32{int32(d)}, By: c.By, Reason: c.Reason})
	return nil
}
