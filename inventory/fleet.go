package inventory

import (
	"iter"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/patch"
)

// A Fleet keeps what many devices have and what each of them misses, so that a change costs what it touches and no more: a
// new advisory is held against the packages that it names, a new scan against one device. Its answers are those of [Assess].
//
// What is installed of one package, in the same version on the same platform, is looked up once, however many devices have
// it; a device is a list of numbers. So 10,000 devices with 1,000 packages each take some hundred megabytes less than the
// devices themselves. The fleet keeps nothing of a device but what Assess looks at: labels and the like are the vendor's.
//
// A Fleet is not safe for concurrent use. The zero Fleet is not usable: see [NewFleet].
type Fleet struct {
	catalog *patch.Catalog
	words   map[string]string // every text once

	systems   []patch.Platform // by number
	platforms map[patch.Platform]int32
	groups    []group          // distinct packages as installed, by number
	numbers   map[string]int32 // of a group, by all that it is
	named     map[name][]int32 // groups that entries for a binary or source package are about
	unused    []int32          // numbers of groups that no device has any more

	patches []patch.ID // by number, as groups name them
	known   map[patch.ID]int32

	devices []member
	places  map[Ref]int32
	free    []int32
	said    map[patch.ID][]int32 // devices whose own word is that they miss a patch

	key []byte
}

type name struct{ ecosystem, binary, source string }

// nameOf returns what an entry for p is about.
func nameOf(p *patch.Package) name {
	if p.Name == "" {
		return name{ecosystem: p.Ecosystem, source: p.Source}
	}
	return name{ecosystem: p.Ecosystem, binary: p.Name}
}

// A group is what is installed of one package, on some platform.
type group struct {
	software []Software
	platform int32
	key      string  // under which it is found in Fleet.numbers
	missing  []int32 // numbers of the patches that it needs, ascending
	devices  []int32 // that have it, ascending
}

// A member is a device of a fleet: all that Assess looks at but its software, and the numbers of its groups, ascending.
type member struct {
	device Device
	groups []int32
}

// NewFleet makes an empty fleet, which is held against c. A nil catalog is an empty one.
func NewFleet(c *patch.Catalog) *Fleet {
	if c == nil {
		c = &patch.Catalog{}
	}
	f := &Fleet{
		catalog: c, words: make(map[string]string), platforms: make(map[patch.Platform]int32), numbers: make(map[string]int32),
		named: make(map[name][]int32), known: make(map[patch.ID]int32), places: make(map[Ref]int32),
		said: make(map[patch.ID][]int32),
	}
	for p := range c.All() {
		f.number(p.ID) // in the order of the IDs, so that lists of numbers mostly need no other order
	}
	return f
}

// Len returns the number of devices.
func (f *Fleet) Len() int { return len(f.places) }

// Catalog returns the catalog that the fleet is held against.
func (f *Fleet) Catalog() *patch.Catalog { return f.catalog }

// Put takes a device in, in place of the one with the same tenant and ID if there is one. It keeps nothing that d points to.
func (f *Fleet) Put(d *Device) {
	at := refOf(d.Tenant, d.ID)
	i, found := f.places[at]
	if found {
		f.unsay(i)
	} else {
		i = f.place()
		at = Ref{Tenant: Tenant(f.word(string(at.Tenant))), Device: DeviceID(strings.Clone(string(at.Device)))}
		f.places[at] = i
	}
	m := &f.devices[i]
	m.device = Device{Tenant: at.Tenant, ID: at.Device, Platform: f.platformOf(d), Coverage: slices.Clone(d.Coverage)}
	for j := range m.device.Coverage {
		c := &m.device.Coverage[j]
		c.Manager, c.Detail = f.word(c.Manager), f.word(c.Detail)
	}
	for _, id := range d.Missing {
		id = f.patches[f.number(id)]
		m.device.Missing = append(m.device.Missing, id)
		f.said[id] = include(f.said[id], i)
	}
	platform := f.platform(m.device.Platform)
	before := m.groups
	m.groups = make([]int32, 0, len(d.Software))
	for g := newInstalled(d.Software); g.next(); {
		m.groups = append(m.groups, f.groupOf(&g, platform))
	}
	slices.Sort(m.groups)
	m.groups = slices.Clip(m.groups)
	f.move(i, before, m.groups)
}

// Remove forgets a device, and says whether there was one.
func (f *Fleet) Remove(r Ref) bool {
	i, found := f.places[r]
	if !found {
		return false
	}
	f.unsay(i)
	f.move(i, f.devices[i].groups, nil)
	f.devices[i] = member{}
	delete(f.places, r)
	f.free = append(f.free, i)
	return true
}

// Update holds the fleet against c from now on. changes is what differs between the catalog before and c, as [patch.Diff]
// tells; nothing else is looked at again. It returns the devices whose findings may be others now, by tenant and ID.
func (f *Fleet) Update(c *patch.Catalog, changes patch.Changes) []Ref {
	if c == nil {
		c = &patch.Catalog{}
	}
	f.catalog = c
	var touched []int32
	for _, n := range changes.Names {
		for _, g := range f.named[name{n.Ecosystem, n.Name, n.Source}] {
			before := f.groups[g].missing
			f.evaluate(&f.groups[g])
			if !slices.Equal(before, f.groups[g].missing) {
				touched = append(touched, f.groups[g].devices...)
			}
		}
	}
	for _, ids := range [...][]patch.ID{changes.Added, changes.Changed, changes.Removed} {
		for _, id := range ids {
			touched = append(touched, f.said[id]...)
		}
	}
	return f.refs(touched)
}

// refs returns devices by tenant and ID, each once.
func (f *Fleet) refs(devices []int32) []Ref {
	slices.Sort(devices)
	devices = slices.Compact(devices)
	refs := make([]Ref, len(devices))
	for i, d := range devices {
		refs[i] = refOf(f.devices[d].device.Tenant, f.devices[d].device.ID)
	}
	slices.SortFunc(refs, Ref.Compare)
	return refs
}

// Assess returns what [Assess] says of a device, and whether the fleet has it.
func (f *Fleet) Assess(r Ref) (Assessment, bool) {
	i, found := f.places[r]
	if !found {
		return Assessment{}, false
	}
	m := &f.devices[i]
	d := m.device
	total := 0
	for _, g := range m.groups {
		total += len(f.groups[g].software)
	}
	d.Software = make([]Software, 0, total)
	for _, g := range m.groups {
		d.Software = append(d.Software, f.groups[g].software...)
	}
	slices.SortFunc(d.Software, compareSoftware)
	return Assess(f.catalog, &d), true
}

// Missing returns the patches of the findings of a device, by ID: nil if it misses nothing or the fleet does not have it.
// It costs a step for each package of the device and for each patch that one of them needs, and a bit for each patch that
// the fleet knows.
func (f *Fleet) Missing(r Ref) []patch.ID {
	i, found := f.places[r]
	if !found {
		return nil
	}
	m := &f.devices[i]
	missing := make([]uint64, (len(f.patches)+63)/64) // a bit for each patch, by number
	for _, g := range m.groups {
		for _, n := range f.groups[g].missing {
			missing[n/64] |= 1 << (n % 64)
		}
	}
	for _, id := range m.device.Missing {
		if n := f.known[id]; f.counts(id, m) {
			missing[n/64] |= 1 << (n % 64)
		}
	}
	count := 0
	for _, word := range missing {
		count += bits.OnesCount64(word)
	}
	if count == 0 {
		return nil
	}
	ids := make([]patch.ID, 0, count)
	for i, word := range missing {
		for ; word != 0; word &= word - 1 {
			ids = append(ids, f.patches[64*i+bits.TrailingZeros64(word)])
		}
	}
	slices.Sort(ids) // nothing to do, unless patches came later
	return ids
}

// counts says whether a device's own word that it misses a patch makes a finding.
func (f *Fleet) counts(id patch.ID, m *member) bool {
	p, found := f.catalog.Get(id)
	return found && p.Withdrawn.IsZero() && platformFits(p.Platform, m.device.Platform, "")
}

// Missed returns the devices that miss a patch, by tenant and ID. It costs a step for each way in which the packages of the
// patch are installed, and for each device that is returned.
func (f *Fleet) Missed(id patch.ID) []Ref {
	n, known := f.known[id]
	p, found := f.catalog.Get(id)
	if !known || !found {
		return nil
	}
	var devices []int32
	for _, d := range f.said[id] {
		if f.counts(id, &f.devices[d]) {
			devices = append(devices, d)
		}
	}
	for i := range p.Packages {
		for _, g := range f.named[nameOf(&p.Packages[i])] {
			if _, needs := slices.BinarySearch(f.groups[g].missing, n); needs {
				devices = append(devices, f.groups[g].devices...)
			}
		}
	}
	return f.refs(devices)
}

// All yields the devices, by tenant and ID.
func (f *Fleet) All() iter.Seq[Ref] {
	return slices.Values(slices.SortedFunc(maps.Keys(f.places), Ref.Compare))
}

// place returns room for a device.
func (f *Fleet) place() int32 {
	if n := len(f.free); n > 0 {
		i := f.free[n-1]
		f.free = f.free[:n-1]
		return i
	}
	f.devices = append(f.devices, member{})
	return int32(len(f.devices) - 1)
}
