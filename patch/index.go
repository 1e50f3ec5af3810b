package patch

import (
	"cmp"
	"maps"
	"slices"
)

// A packageKey names the entries for one binary package, or for all that is built from a source package.
type packageKey struct{ ecosystem, name, source string }

func keyOf(p *Package) packageKey {
	if p.Name == "" {
		return packageKey{ecosystem: p.Ecosystem, source: p.Source}
	}
	return packageKey{ecosystem: p.Ecosystem, name: p.Name}
}

// A packageIndex holds the entries for each package.
type packageIndex struct {
	ecosystems map[string]*ecosystem
	lists      [][]Entry // of each group, in the order of [Catalog.ByPackage]
}

// An ecosystem numbers the groups of entries for its packages.
type ecosystem struct {
	binary, source map[string]int32
	entries        int // of all groups together
}

// find returns the number of a group, -1 if there is none.
func (x *packageIndex) find(k packageKey) int32 {
	e := x.ecosystems[k.ecosystem]
	if e == nil {
		return -1
	}
	if k.name != "" {
		if g, found := e.binary[k.name]; found {
			return g
		}
	} else if g, found := e.source[k.source]; found {
		return g
	}
	return -1
}

// group returns the number of a group and makes it if there is none.
func (x *packageIndex) group(k packageKey) int32 {
	if g := x.find(k); g >= 0 {
		return g
	}
	e := x.ecosystems[k.ecosystem]
	if e == nil {
		e = &ecosystem{binary: make(map[string]int32), source: make(map[string]int32)}
		x.ecosystems[k.ecosystem] = e
	}
	g := int32(len(x.lists))
	x.lists = append(x.lists, nil)
	if k.name != "" {
		e.binary[k.name] = g
	} else {
		e.source[k.source] = g
	}
	return g
}

// newPackageIndex indexes the packages of patches.
func newPackageIndex(patches []*Patch) packageIndex {
	total := 0
	for _, p := range patches {
		total += len(p.Packages)
	}
	if total == 0 {
		return packageIndex{}
	}
	x := packageIndex{ecosystems: make(map[string]*ecosystem)}
	groups := make([]int32, 0, total) // of each package, in the order of the patches
	var sizes []int32
	for _, p := range patches {
		for i := range p.Packages {
			k := keyOf(&p.Packages[i])
			g := x.group(k)
			if int(g) == len(sizes) {
				sizes = append(sizes, 0)
			}
			sizes[g]++
			groups = append(groups, g)
			x.ecosystems[k.ecosystem].entries++
		}
	}
	room := make([]Entry, total)
	x.lists = make([][]Entry, len(sizes))
	for g, n := range sizes {
		x.lists[g], room = room[:0:n], room[n:]
	}
	keys := newKeyer()
	n := 0
	for _, p := range patches {
		for i := range p.Packages {
			g := groups[n]
			x.lists[g] = append(x.lists[g], keys.entry(p, &p.Packages[i]))
			n++
		}
	}
	for _, list := range x.lists {
		slices.SortStableFunc(list, compareEntries)
	}
	return x
}

// with returns the index of a catalog in which the patches gone are replaced by the patches come. It works only on the
// packages that they name and shares the rest with x, which stays as it is.
func (x *packageIndex) with(gone, come []*Patch) packageIndex {
	named := false
	for _, patches := range [...][]*Patch{gone, come} {
		for _, p := range patches {
			named = named || len(p.Packages) > 0
		}
	}
	if !named {
		return *x
	}
	y := packageIndex{ecosystems: maps.Clone(x.ecosystems), lists: slices.Clone(x.lists)}
	if y.ecosystems == nil {
		y.ecosystems = make(map[string]*ecosystem)
	}
	y.own(gone)
	y.own(come)
	absent := make(map[*Patch]bool, len(gone))
	touched := make(map[int32]bool)
	for _, p := range gone {
		absent[p] = true
		for i := range p.Packages {
			k := keyOf(&p.Packages[i])
			touched[y.find(k)] = true
			y.ecosystems[k.ecosystem].entries--
		}
	}
	fresh := make(map[int32][]Entry)
	keys := newKeyer()
	for _, p := range come {
		for i := range p.Packages {
			k := keyOf(&p.Packages[i])
			g := y.group(k)
			touched[g] = true
			y.ecosystems[k.ecosystem].entries++
			fresh[g] = append(fresh[g], keys.entry(p, &p.Packages[i]))
		}
	}
	for g := range touched {
		list := make([]Entry, 0, len(y.lists[g])+len(fresh[g]))
		for _, e := range y.lists[g] {
			if !absent[e.Patch] {
				list = append(list, e)
			}
		}
		list = append(list, fresh[g]...)
		slices.SortStableFunc(list, compareEntries)
		y.lists[g] = slices.Clip(list)
	}
	return y
}

// own makes the ecosystems that patches name y's own.
func (x *packageIndex) own(patches []*Patch) {
	done := make(map[string]bool)
	for _, p := range patches {
		for i := range p.Packages {
			name := p.Packages[i].Ecosystem
			if done[name] {
				continue
			}
			done[name] = true
			if e := x.ecosystems[name]; e != nil {
				x.ecosystems[name] = &ecosystem{maps.Clone(e.binary), maps.Clone(e.source), e.entries}
			}
		}
	}
}

type exemption struct{ ecosystem, name, cve string }

// newExemptions returns what is declared to be free of a CVE, and by which patch: of several the first.
func newExemptions(patches []*Patch) map[exemption]ID {
	var free map[exemption]ID
	for _, p := range patches {
		if len(p.Unaffected) == 0 || !p.Withdrawn.IsZero() {
			continue
		}
		if free == nil {
			free = make(map[exemption]ID)
		}
		for _, cve := range p.CVEs() {
			for j := range p.Unaffected {
				k := exemption{p.Unaffected[j].Ecosystem, cmp.Or(p.Unaffected[j].Name, p.Unaffected[j].Source), cve}
				if _, found := free[k]; !found {
					free[k] = p.ID
				}
			}
		}
	}
	return free
}
