package rollout

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/patchflow/patchflow/internal/xxh64"
	"github.com/patchflow/patchflow/inventory"
)

// Newcomers are the devices that have joined a rollout since its plan was made ([Admitted]). It is no part of the plan as it is stored,
// compared and approved: its digest stays what it was.
type Newcomers struct {
	made  *Plan   // as it was before
	rings []uint8 // by device: they stand after those of the plan
	order []int32 // numbers of the devices in the order of the hash of their IDs
}

// Made returns the plan as it was made, without the devices that have joined since.
func (p *Plan) Made() *Plan {
	if p.Newcomers == nil {
		return p
	}
	return p.Newcomers.made
}

// planned returns how many devices the plan was made with.
func (p *Plan) planned() int { return len(p.Made().Devices) }

// InRing yields the numbers of the devices of ring r, those that have joined it last.
func (p *Plan) InRing(r int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := p.Rings[r].First; i < p.Rings[r].First+p.Rings[r].Count; i++ {
			if !yield(i) {
				return
			}
		}
		if p.Newcomers == nil {
			return
		}
		for i, ring := range p.Newcomers.rings {
			if int(ring) == r && !yield(p.planned()+i) {
				return
			}
		}
	}
}

// findJoined is [Plan.Find] for devices that have joined.
func (p *Plan) findJoined(d inventory.DeviceID, key uint64, seed uint64) (int, bool) {
	if p.Newcomers == nil {
		return 0, false
	}
	at, found := slices.BinarySearchFunc(p.Newcomers.order, d, func(i int32, d inventory.DeviceID) int {
		e := p.Devices[i]
		return cmp.Or(cmp.Compare(xxh64.Sum(seed, string(e)), key), cmp.Compare(e, d))
	})
	if !found {
		return 0, false
	}
	return int(p.Newcomers.order[at]), true
}

// Admit returns p with the devices that have joined. p itself stays as it is, so that whoever reads it is not disturbed. It fails if e does
// not fit p.
func (p *Plan) Admit(e Admitted) (*Plan, error) {
	if err := p.admits(e); err != nil {
		return nil, fmt.Errorf("rollout: plan %s: %w", p.Key, err)
	}
	own := *p
	own.clip() // p may be admitted to once more, by somebody else
	if own.Newcomers != nil {
		j := *own.Newcomers
		j.rings = slices.Clip(j.rings)
		own.Newcomers = &j
	}
	return own.admit(e), nil
}

// admits says whether e fits the plan.
func (p *Plan) admits(e Admitted) error {
	if len(e.Devices) == 0 {
		return errors.New("admitted: no devices")
	}
	if len(p.Devices)+len(e.Devices) > 1<<30 {
		return fmt.Errorf("admitted: %d devices and %d more; at most 2^30", len(p.Devices), len(e.Devices))
	}
	seen := make(map[inventory.DeviceID]bool, len(e.Devices))
	zones, tenants, strata := len(p.Zones)+1, len(p.Tenants)+1, len(p.Strata)
	for i := range e.Devices {
		a := &e.Devices[i]
		if seen[a.Device] {
			return fmt.Errorf("device %s: it stands twice", a.Device)
		}
		seen[a.Device] = true
		zones, tenants, strata = zones+1, tenants+1, strata+1
		if err := p.suits(a); err != nil {
			return fmt.Errorf("device %s: %w", a.Device, err)
		}
	}
	if err := p.circleWith(&e); err != nil {
		return err
	}
	if zones >= 1<<16 || tenants >= 1<<16 || strata > maxStrata {
		return errors.New("admitted: too many time zones, tenants or strata")
	}
	return nil
}

// suits says whether one device fits the plan.
func (p *Plan) suits(a *Admission) error {
	if _, known := p.Find(a.Device); known {
		return errors.New("it is in the rollout already")
	}
	switch {
	case !p.Tenant.Contains(a.Tenant) || p.Tenant == "" && a.Tenant != "":
		return fmt.Errorf("it belongs to tenant %q, which is neither %q nor below it", a.Tenant, p.Tenant)
	case int(a.Content) >= len(p.Contents):
		return fmt.Errorf("content %d of %d", a.Content, len(p.Contents))
	case a.Ring < 0 || a.Ring >= len(p.Rings) || a.Own < 0 || a.Own > a.Ring:
		return fmt.Errorf("ring %d of %d, from ring %d", a.Ring, len(p.Rings), a.Own)
	case len(a.Stratum) != len(p.Policy.Strata):
		return fmt.Errorf("%d values for %d keys of strata", len(a.Stratum), len(p.Policy.Strata))
	case a.Host != "" && p.Policy.HostLabel == "":
		return fmt.Errorf("it runs on %s, and the policy names no label for hosts", a.Host)
	case len(a.Domains) > 0 && len(p.Policy.Budgets) == 0:
		return errors.New("failure domains, and the policy has no budgets")
	}
	domains := slices.Clone(a.Domains)
	place := make([]uint32, len(domains))
	for j := range domains {
		domains[j].Devices, place[j] = 1, uint32(j)
	}
	return checkDomains(&p.Policy, domains, [][]uint32{place})
}

// clip keeps what is added to the lists of p from being written behind those of somebody else.
func (p *Plan) clip() {
	p.Devices, p.Content, p.Zone, p.Owner = slices.Clip(p.Devices), slices.Clip(p.Content), slices.Clip(p.Zone), slices.Clip(p.Owner)
	p.Place, p.Stratum, p.Host, p.Hosts = slices.Clip(p.Place), slices.Clip(p.Stratum), slices.Clip(p.Host), slices.Clip(p.Hosts)
	p.Zones, p.Tenants, p.Strata = slices.Clip(p.Zones), slices.Clip(p.Tenants), slices.Clip(p.Strata)
	p.Domains, p.Places = slices.Clip(p.Domains), slices.Clip(p.Places)
}

// admit is [Plan.Admit] for what fits, by the machine that owns p: lists that have grown before grow on.
func (p *Plan) admit(e Admitted) *Plan {
	q := *p
	j := Newcomers{made: p.Made()}
	if p.Newcomers == nil {
		q.clip() // the lists of the plan may be somebody else's
	} else {
		j.rings, j.order = p.Newcomers.rings, slices.Clone(p.Newcomers.order)
	}
	seed := orderSeed(p.Salt, p.Tenant)
	for i := range e.Devices {
		a := &e.Devices[i]
		n := int32(len(q.Devices))
		q.Devices, q.Content = append(q.Devices, a.Device), append(q.Content, a.Content)
		q.Zone = append(q.Zone, uint16(numberOf(&q.Zones, a.Zone, "")))
		q.Owner = append(q.Owner, uint16(numberOf(&q.Tenants, a.Tenant, p.Tenant)))
		if len(p.Policy.Budgets) > 0 {
			q.Place = append(q.Place, q.placeOf(a.Domains))
		}
		if len(p.Policy.Strata) > 0 {
			q.Stratum = append(q.Stratum, uint16(indexOrAdd(&q.Strata, a.Stratum, slices.Equal[[]string])))
		}
		if p.Policy.HostLabel != "" {
			q.Host = append(q.Host, uint32(numberOf(&q.Hosts, a.Host, "")))
		}
		j.rings = append(j.rings, uint8(a.Ring))
		key := xxh64.Sum(seed, string(a.Device))
		at, _ := slices.BinarySearchFunc(j.order, a.Device, func(i int32, d inventory.DeviceID) int {
			e := q.Devices[i]
			return cmp.Or(cmp.Compare(xxh64.Sum(seed, string(e)), key), cmp.Compare(e, d))
		})
		j.order = slices.Insert(j.order, at, n)
	}
	q.Newcomers = &j
	return &q
}

// numberOf returns the number of v in a list of which an empty one means that all devices have the same, made longer if it is not there.
func numberOf[T comparable](all *[]T, v, same T) int {
	if len(*all) == 0 {
		if v == same {
			return 0
		}
		*all = append(*all, same)
	}
	return indexOrAdd(all, v, func(a, b T) bool { return a == b })
}

func indexOrAdd[T any](all *[]T, v T, same func(a, b T) bool) int {
	at := slices.IndexFunc(*all, func(x T) bool { return same(x, v) })
	if at < 0 {
		at = len(*all)
		*all = append(*all, v)
	}
	return at
}

// placeOf returns the number of the set of these failure domains. A domain that is new has one device, as far as is known; those that are
// known keep the number that they had when the plan was made, so that a budget never grows by devices that come.
func (p *Plan) placeOf(domains []Domain) uint32 {
	place := make([]uint32, len(domains))
	for i, d := range domains {
		d.Devices = 1
		place[i] = uint32(indexOrAdd(&p.Domains, d, func(a, b Domain) bool {
			return a.Budget == b.Budget && a.Tenant == b.Tenant && slices.Equal(a.Values, b.Values)
		}))
	}
	return uint32(indexOrAdd(&p.Places, place, slices.Equal[[]uint32]))
}
