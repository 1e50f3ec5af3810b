package patch

import (
	"cmp"
	"slices"
	"strings"
)

// Merge returns a catalog in which what several sources say of one advisory is one patch. Each catalog holds what one source
// says, and earlier ones count for more; nil ones are empty. The patches of one catalog stay apart from each other: what a
// source tells apart is apart. Patches that nothing is merged with are shared with their catalog.
//
// Two patches of different catalogs are one if an ID or alias is common to both. They are also one if they are the same
// publisher's advisory: each has exactly one advisory, both have the same ID, which is not that of a CVE (a CVE is a hole
// that several patches close), no other patch of either catalog is that advisory alone, they have an ecosystem in common,
// and, if one of them declares packages to be unaffected, both name the same CVEs, because the declaration is about these.
//
// The merged patch has the ID of the first one and the IDs of the others as aliases: it is found under all of them. Where a
// patch supersedes or requires one of these, the merged one's ID takes its place. Otherwise field by field:
//
//   - What an earlier one knows stays. What it does not know comes from the next one that does. Lists of names, CVEs, scores
//     and references gain what they do not have yet, and so do the source's own fields by name. Advisories are the same if
//     their IDs are.
//   - A severity is raised by a later one that gives its publisher's own word for it (SeverityRaw), or if none gave one so
//     far. It is never lowered. The word goes with the severity; where the raising one has none, the earlier word stays.
//   - Two classifications make the patch [Patch.Contested], and the first one stays. So it does if any of them was contested.
//   - The earlier one's word about a package of an ecosystem, an architecture and a module stream stands whole, so that ranges of
//     versions of two sources are never mixed; others are added. But where it knows only holes and the later one knows one
//     version that closes them all, that is filled in, and for the same build so are its module stream, its source package,
//     and its origins and files if they have none. So sources that tell architectures and streams had better come first.
//   - Declarations of what is unaffected are united. If patches with a common ID name different CVEs, those of the ones that do
//     not name all are left out: nobody has said them of all.
//   - The platform is the first one's. Where a later one adds packages, what they do not have in common becomes any.
//   - What any knows to be exploited is exploited; a No only fills an Unknown.
//   - A patch is withdrawn if all are, at the time of the first. If only some are, nothing of what these say is taken but the
//     ID, and the patch is contested: a policy holds it until somebody has looked.
//
// [Patch.Provenance] says what does not come from the patch whose ID it is. What is known of a CVE, by whichever advisory,
// does not spread to other advisories that name it: that is for an [Enricher] to do.
//
// Merging a merged catalog again with what it was made of changes nothing. It costs a pass over all patches and the indices
// of a new catalog; to hold a new version of one feed against the devices, merge again and take the [Diff].
func Merge(catalogs ...*Catalog) *Catalog {
	var m merger
	for i, c := range catalogs {
		if c == nil {
			continue
		}
		for _, p := range c.patches {
			m.members = append(m.members, member{p, i})
		}
	}
	m.parents = make([]int32, len(m.members))
	for i := range m.parents {
		m.parents[i] = int32(i)
	}
	m.joinIDs()
	m.joinAdvisories()
	merged := m.merge()
	rename(merged)
	slices.SortFunc(merged, compareIDs)
	return newCatalog(merged)
}

// rename replaces aliases in what patches supersede and require by the IDs of the patches that they mean.
func rename(patches []*Patch) {
	names := make(map[ID]ID)
	for _, p := range patches {
		for _, id := range p.Aliases {
			names[id] = p.ID
		}
	}
	if len(names) == 0 {
		return
	}
	renamed := func(own ID, ids []ID) ([]ID, bool) {
		if !slices.ContainsFunc(ids, func(id ID) bool { return names[id] != "" }) {
			return ids, false
		}
		var others []ID
		for _, id := range ids {
			if other := cmp.Or(names[id], id); (other != own || other == id) && !slices.Contains(others, other) {
				others = append(others, other)
			}
		}
		return slices.Clip(others), true
	}
	for i, p := range patches {
		supersedes, a := renamed(p.ID, p.Supersedes)
		requires, b := renamed(p.ID, p.Requires)
		if a || b {
			q := *p
			q.Supersedes, q.Requires = supersedes, requires
			patches[i] = &q
		}
	}
}

// A merger finds out which patches are one: it is a forest whose trees are these, each with its first patch as the root.
type merger struct {
	members []member
	parents []int32
}

// A member is a patch and the number of the catalog that it is from.
type member struct {
	patch   *Patch
	catalog int
}

func (m *merger) root(i int32) int32 {
	for m.parents[i] != i {
		m.parents[i] = m.parents[m.parents[i]]
		i = m.parents[i]
	}
	return i
}

func (m *merger) join(i, j int32) {
	i, j = m.root(i), m.root(j)
	m.parents[max(i, j)] = min(i, j)
}

// joinIDs joins patches with a common ID or alias.
func (m *merger) joinIDs() {
	first := make(map[ID]int32, len(m.members))
	for i := range m.members {
		p := m.members[i].patch
		name := func(id ID) {
			if j, found := first[id]; found {
				m.join(int32(i), j)
			} else {
				first[id] = int32(i)
			}
		}
		name(p.ID)
		for _, id := range p.Aliases {
			name(id)
		}
	}
}

// joinAdvisories joins patches that are the same advisory.
func (m *merger) joinAdvisories() {
	type naming struct {
		advisory string
		member   int32
	}
	var all []naming
	for i := range m.members {
		if a := m.members[i].patch.Advisories; len(a) == 1 && a[0].ID != "" && !strings.HasPrefix(a[0].ID, "CVE-") {
			all = append(all, naming{a[0].ID, int32(i)})
		}
	}
	slices.SortFunc(all, func(a, b naming) int {
		return cmp.Or(strings.Compare(a.advisory, b.advisory), cmp.Compare(a.member, b.member))
	})
	var only []int32 // the patches of one advisory, without those of catalogs that have several
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].advisory == all[0].advisory {
			n++
		}
		only = only[:0]
		for i := 0; i < n; {
			j := i + 1
			for j < n && m.members[all[j].member].catalog == m.members[all[i].member].catalog {
				j++
			}
			if j == i+1 {
				only = append(only, all[i].member)
			}
			i = j
		}
		for j := range only {
			for i := range j {
				if describesSame(m.members[only[i]].patch, m.members[only[j]].patch) {
					m.join(only[i], only[j])
				}
			}
		}
		all = all[n:]
	}
}

// describesSame says whether two patches of one advisory are one.
func describesSame(p, q *Patch) bool {
	if len(p.Unaffected)+len(q.Unaffected) > 0 && !sameSet(p.CVEs(), q.CVEs()) {
		return false
	}
	names := ecosystemsOf(p)
	for name := range ecosystemsOf(q) {
		if names[name] {
			return true
		}
	}
	return false
}

func ecosystemsOf(p *Patch) map[string]bool {
	names := make(map[string]bool)
	for _, packages := range [...][]Package{p.Packages, p.Unaffected} {
		for i := range packages {
			names[packages[i].Ecosystem] = true
		}
	}
	return names
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// merge returns one patch for each tree.
func (m *merger) merge() []*Patch {
	others := make(map[int32][]*Patch) // of a root
	for i := range m.members {
		if r := m.root(int32(i)); r != int32(i) {
			others[r] = append(others[r], m.members[i].patch)
		}
	}
	var merged []*Patch
	for i := range m.members {
		if m.parents[i] != int32(i) {
			continue
		}
		p := m.members[i].patch
		if rest := others[int32(i)]; len(rest) > 0 {
			p = union(p, rest)
		}
		merged = append(merged, p)
	}
	return merged
}

// union makes one patch of several. It changes none of them.
func union(first *Patch, rest []*Patch) *Patch {
	all := []*Patch{first}
	for _, p := range rest {
		if !p.equal(first) {
			all = append(all, p)
		}
	}
	if len(all) == 1 {
		return first
	}
	telling := all // whose words count
	standing := slices.DeleteFunc(slices.Clone(all), func(p *Patch) bool { return !p.Withdrawn.IsZero() })
	if len(standing) > 0 {
		telling = standing
	}
	u := newUnited(all, telling)
	for _, p := range telling[1:] {
		u.take(p)
	}
	u.declare(telling)
	u.patch.Contested = u.patch.Contested || len(telling) < len(all)
	return u.done()
}
