package patch

import (
	"cmp"
	"slices"
	"strings"
)

// A cveIndex says which patches name a CVE: patches[first[n]:first[n+1]] those that name names[n], by number, ascending.
type cveIndex struct {
	names   []string // sorted
	first   []int32
	patches []int32
}

func newCVEIndex(patches []*Patch) cveIndex {
	numbers := make(map[string]int32)
	type named struct{ name, patch int32 }
	var all []named
	var x cveIndex
	var last []int32 // patch that names each, to leave out what one patch names twice
	for i, p := range patches {
		if !p.Withdrawn.IsZero() {
			continue
		}
		for j := range p.Advisories {
			for _, name := range p.Advisories[j].CVEs {
				n, found := numbers[name]
				if !found {
					n = int32(len(x.names))
					numbers[name] = n
					x.names = append(x.names, name)
					last = append(last, -1)
				}
				if last[n] != int32(i) {
					last[n] = int32(i)
					all = append(all, named{n, int32(i)})
				}
			}
		}
	}
	if len(all) == 0 {
		return cveIndex{}
	}
	slices.Sort(x.names)
	x.names = slices.Clip(x.names)
	place := make([]int32, len(x.names)) // in the order of the names, of each number
	for i, name := range x.names {
		place[numbers[name]] = int32(i)
	}
	x.first = make([]int32, len(x.names)+1)
	for _, v := range all {
		x.first[place[v.name]+1]++
	}
	for i := range x.names {
		x.first[i+1] += x.first[i]
	}
	x.patches = make([]int32, len(all))
	next := slices.Clone(x.first)
	for _, v := range all {
		at := &next[place[v.name]]
		x.patches[*at] = v.patch
		*at++
	}
	return x
}

// of returns the numbers of the patches that name a CVE.
func (x *cveIndex) of(name string) []int32 {
	i, found := slices.BinarySearch(x.names, name)
	if !found {
		return nil
	}
	return x.patches[x.first[i]:x.first[i+1]]
}

// A naming says that a patch names a CVE.
type naming struct {
	cve   string
	patch int32
}

func (n naming) compare(o naming) int {
	return cmp.Or(strings.Compare(n.cve, o.cve), cmp.Compare(n.patch, o.patch))
}

// with returns the index of a catalog in which patches have come. moved tells the new number of each patch that x knows, -1
// of one that is gone; come are the numbers of the new ones among patches. It costs a copy of x, and x stays as it is.
func (x *cveIndex) with(moved []int32, patches []*Patch, come []int32) cveIndex {
	var fresh []naming
	for _, n := range come {
		p := patches[n]
		if !p.Withdrawn.IsZero() {
			continue
		}
		for i := range p.Advisories {
			for _, cve := range p.Advisories[i].CVEs {
				fresh = append(fresh, naming{cve, n})
			}
		}
	}
	slices.SortFunc(fresh, naming.compare)
	fresh = slices.Compact(fresh)

	y := cveIndex{
		names:   make([]string, 0, len(x.names)+len(fresh)),
		first:   make([]int32, 0, len(x.names)+len(fresh)+1),
		patches: make([]int32, 0, len(x.patches)+len(fresh)),
	}
	for i := 0; i < len(x.names) || len(fresh) > 0; {
		from := len(y.patches)
		var name string
		if i < len(x.names) && (len(fresh) == 0 || x.names[i] <= fresh[0].cve) {
			name = x.names[i]
			for _, n := range x.patches[x.first[i]:x.first[i+1]] {
				if moved[n] >= 0 {
					y.patches = append(y.patches, moved[n])
				}
			}
			i++
		} else {
			name = fresh[0].cve
		}
		if len(fresh) > 0 && fresh[0].cve == name {
			for len(fresh) > 0 && fresh[0].cve == name {
				y.patches = append(y.patches, fresh[0].patch)
				fresh = fresh[1:]
			}
			slices.Sort(y.patches[from:])
		}
		if len(y.patches) > from {
			y.names = append(y.names, name)
			y.first = append(y.first, int32(from))
		}
	}
	if len(y.names) == 0 {
		return cveIndex{}
	}
	y.first = append(y.first, int32(len(y.patches)))
	return y
}
