package inventory

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/patch"
)

// Assess compares a device with a catalog and says what the device misses, and what cannot be decided. It is pure: the
// same catalog and device give the same answer, and neither is changed. A nil catalog is an empty one.
//
// A patch is missing if it stands, is not for another platform, and one of these holds:
//
//   - An installed package is in a range of versions that needs the patch: below the version that the patch brings it to,
//     and not below the first that needs it. A package is the same in both if ecosystem and name are equal (an entry
//     for a source package fits all that is built from it, and is compared with the version of the source), and the
//     architectures fit: an entry without an architecture, or for "all", fits every installed package; a package
//     installed for every architecture is compared with entries for the device's own; otherwise they must be equal, so
//     that an entry for a foreign architecture fits only packages installed for it. Module streams must be equal; where
//     versions of RPM packages show that both come from modules, and it is not known of which stream, nothing is decided.
//     If several versions of a package are installed at once, as with kernels, the highest of that exact name decides.
//     A patch that names several fixed versions of one package is missing below the highest.
//   - The device itself says that it misses it.
//
// What is there and not in use yet, because the device runs an older version of the package, is pending. A hole of which no
// fixed version is known is open. What a publisher declares to be free of all CVEs of a patch ([patch.Patch.Unaffected]) is
// exempt from it, whatever the versions say.
//
// Platforms differ only where both sides are known; a version fits if one begins with the other, dot by dot ("12" fits "12.5").
// What the publisher withdrew is neither a finding nor unknown.
//
// A finding is superseded by another one of the same device if that brings each of its packages at least as far, and at
// least one further or one more; if both are equal in that, or if the finding has no packages, the catalog decides
// ([patch.Catalog.Newest]). So the packages of the findings that are not superseded are all packages to be upgraded.
//
// Whether a scan is too old is not for Assess to say, which knows no time: see [Assessment.Oldest] and [Baseline].
//
// The cost is one look-up for each installed package and one step for each finding; a package without a finding
// allocates nothing. It is lowest for software in the order in which [Device.Merge] leaves it.
func Assess(c *patch.Catalog, d *Device) Assessment {
	if c == nil {
		c = &patch.Catalog{}
	}
	a := assessor{catalog: c, device: d}
	a.coverage()
	a.packages()
	says := a.deviceSays()
	a.findings(says)
	a.supersede()
	a.result.Open = sorted(a.result.Open, Hole.compare)
	a.result.Pending = sorted(a.result.Pending, Hole.compare)
	a.result.Exempt = sorted(a.result.Exempt, Exemption.compare)
	slices.SortFunc(a.result.Unknown, Undecided.compare)
	return a.result
}

// sorted sorts a list and leaves out what stands in it twice: several ranges of one patch can say the same.
func sorted[T any](list []T, compare func(a, b T) int) []T {
	slices.SortFunc(list, compare)
	return slices.CompactFunc(list, func(a, b T) bool { return compare(a, b) == 0 })
}

// assessor is the work of one call of Assess.
type assessor struct {
	catalog *patch.Catalog
	device  *Device
	result  Assessment

	// hits are the pairs of an installed package and an entry that it needs: package by package, within one package by
	// descending keys. A slot is an installed package that has hits, or its source package if that has other versions;
	// slots says where the hits of each begin.
	hits  []hit
	slots []int32

	order []int32 // hits by patch and slot, one for each pair
	spans []span  // of each finding: its part of order
}

type span struct{ from, to int }

func (a *assessor) coverage() {
	d, r := a.device, &a.result
	r.Tenant, r.Device = d.Tenant, d.ID
	if a.catalog.Len() == 0 {
		a.unknown(Undecided{Reason: NoCatalog})
	}
	if len(d.Coverage) == 0 {
		a.unknown(Undecided{Reason: NeverScanned})
		return
	}
	r.Covered = true
	judged := false
	for i, c := range d.Coverage {
		if i == 0 || c.At.Before(r.Oldest) {
			r.Oldest = c.At
		}
		judged = judged || c.Judges && c.Status == Complete
		if c.Status != Complete {
			r.Covered = false
			detail := c.Status.String()
			if c.Detail != "" {
				detail += ": " + c.Detail
			}
			a.unknown(Undecided{Reason: NotCovered, Manager: c.Manager, Detail: detail})
		}
	}
	if len(d.Software) == 0 && len(d.Missing) == 0 && !judged {
		a.unknown(Undecided{Reason: NoSoftware})
	}
}

func (a *assessor) unknown(u Undecided) { a.result.Unknown = append(a.result.Unknown, u) }

// packages compares the installed packages with the catalog.
func (a *assessor) packages() {
	var room [3][128]byte // for the keys of most packages, without an allocation
	k := keys{room[0][:0], room[1][:0], room[2][:0]}
	for g := newInstalled(a.device.Software); g.next(); {
		first := g.at(g.from)
		if g.from == 0 || g.at(g.from-1).Manager != first.Manager || g.at(g.from-1).Ecosystem != first.Ecosystem {
			a.group(first)
		}
		k = a.compare(&g, k)
	}
}

// group looks at the first package of a manager and an ecosystem.
func (a *assessor) group(s *Software) {
	if !slices.ContainsFunc(a.device.Coverage, func(c Coverage) bool { return c.Manager == s.Manager }) {
		a.result.Covered = false
		a.unknown(Undecided{Reason: NotCovered, Manager: s.Manager, Detail: "its software is listed, but no scan tells how completely"})
	}
	if a.catalog.Len() > 0 && !a.catalog.Covers(s.Ecosystem) {
		a.unknown(Undecided{Reason: NoFeed, Manager: s.Manager, Ecosystem: s.Ecosystem})
	}
}

// deviceSays returns the patches that the device says it misses and that can be findings, sorted.
func (a *assessor) deviceSays() []patch.ID {
	if len(a.device.Missing) == 0 {
		return nil
	}
	ids := slices.Clone(a.device.Missing)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	kept := ids[:0]
	for _, id := range ids {
		p, found := a.catalog.Get(id)
		switch {
		case !found:
			a.unknown(Undecided{Reason: UnknownPatch, Patch: id})
		case !p.Withdrawn.IsZero():
		case !platformFits(p.Platform, a.device.Platform, ""):
			a.unknown(Undecided{Reason: OtherPlatform, Patch: id})
		default:
			kept = append(kept, id)
		}
	}
	return kept
}

// findings groups the hits by patch and adds what the device says.
func (a *assessor) findings(says []patch.ID) {
	if len(a.hits)+len(says) == 0 {
		return
	}
	a.order = byPatch(a.hits)
	// Of several fixed versions for one package the first is the highest.
	a.order = slices.CompactFunc(a.order, func(i, j int32) bool {
		return a.hits[i].entry.Patch == a.hits[j].entry.Patch && a.hits[i].slot == a.hits[j].slot
	})
	count := len(says)
	for i := range a.order {
		if i == 0 || a.hits[a.order[i]].entry.Patch != a.hits[a.order[i-1]].entry.Patch {
			count++
		}
	}
	a.result.Findings = make([]Finding, 0, count)
	a.spans = make([]span, 0, count)
	packages := make([]Missing, 0, len(a.order))

	for i := 0; i < len(a.order) || len(says) > 0; {
		if i == len(a.order) || len(says) > 0 && says[0] < a.hits[a.order[i]].entry.Patch.ID {
			a.result.Findings = append(a.result.Findings, Finding{Patch: says[0], Evidence: DeviceSays})
			a.spans = append(a.spans, span{i, i})
			says = says[1:]
			continue
		}
		p := a.hits[a.order[i]].entry.Patch
		f := Finding{Patch: p.ID, Evidence: BelowFixed}
		if len(says) > 0 && says[0] == p.ID {
			f.Evidence = DeviceSays
			says = says[1:]
		}
		from, first := i, len(packages)
		for ; i < len(a.order) && a.hits[a.order[i]].entry.Patch == p; i++ {
			h := &a.hits[a.order[i]]
			packages = append(packages, h.missing())
		}
		f.Packages = packages[first:len(packages):len(packages)]
		a.result.Findings = append(a.result.Findings, f)
		a.spans = append(a.spans, span{from, i})
	}
	for f, s := range a.spans {
		for _, h := range a.order[s.from:s.to] {
			a.hits[h].finding = int32(f)
		}
	}
}

// byPatch returns the numbers of hits by the ID of the patch, those of one patch as they stand: by slot.
func byPatch(hits []hit) []int32 {
	if len(hits) == 0 {
		return nil
	}
	// Most IDs differ in the 16 bytes behind what all of them begin with: these are put in order as numbers.
	type place struct {
		high, low uint64
		hit       int32
	}
	common := hits[0].entry.Patch.ID
	for i := range hits {
		for id := hits[i].entry.Patch.ID; !strings.HasPrefix(string(id), string(common)); {
			common = common[:len(common)-1]
		}
	}
	places := make([]place, len(hits))
	for i := range hits {
		var b [16]byte
		copy(b[:], hits[i].entry.Patch.ID[len(common):])
		places[i] = place{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:]), int32(i)}
	}
	slices.SortFunc(places, func(x, y place) int {
		switch {
		case x.high != y.high:
			return cmp.Compare(x.high, y.high)
		case x.low != y.low:
			return cmp.Compare(x.low, y.low)
		}
		if p, q := hits[x.hit].entry.Patch, hits[y.hit].entry.Patch; p != q {
			return cmp.Compare(p.ID, q.ID)
		}
		return cmp.Compare(x.hit, y.hit)
	})
	order := make([]int32, len(hits))
	for i := range places {
		order[i] = places[i].hit
	}
	return order
}

// supersede fills Finding.SupersededBy. That one finding replaces another is a strict order (each step goes further in the
// versions of the packages, or upwards in the catalog, which has no cycles), so following it ends.
func (a *assessor) supersede() {
	parents := make([]int32, len(a.result.Findings))
	for f := range parents {
		parents[f] = a.parent(int32(f))
	}
	for f := range parents {
		top := int32(f)
		for parents[top] >= 0 {
			top = parents[top]
		}
		if top != int32(f) {
			a.result.Findings[f].SupersededBy = a.result.Findings[top].Patch
		}
	}
}

// parent returns a finding that replaces f, the one that goes furthest, or -1.
func (a *assessor) parent(f int32) int32 {
	s := a.spans[f]
	id := a.result.Findings[f].Patch
	if s.from == s.to {
		if !a.catalog.Superseded(id) {
			return -1
		}
		if newest := a.finding(a.catalog.Newest(id)); newest >= 0 {
			return newest
		}
		for p := range a.catalog.Replacements(id) {
			if o := a.finding(p.ID); o >= 0 {
				return o
			}
		}
		return -1
	}
	h := &a.hits[a.order[s.from]]
	for i := int(a.slots[h.slot]); i < len(a.hits); i++ {
		o := &a.hits[i]
		if o.slot != h.slot || o.entry.Key < h.entry.Key {
			break
		}
		if o.finding >= 0 && a.replaces(o.finding, f) {
			return o.finding
		}
	}
	return -1
}

// replaces says whether the finding o replaces f, which has packages.
func (a *assessor) replaces(o, f int32) bool {
	if o == f {
		return false
	}
	mine, theirs := a.order[a.spans[f].from:a.spans[f].to], a.order[a.spans[o].from:a.spans[o].to]
	further := len(theirs) > len(mine)
	for _, m := range mine {
		h := &a.hits[m]
		for len(theirs) > 0 && a.hits[theirs[0]].slot < h.slot {
			theirs = theirs[1:]
		}
		if len(theirs) == 0 || a.hits[theirs[0]].slot != h.slot {
			return false
		}
		switch n := strings.Compare(string(a.hits[theirs[0]].entry.Key), string(h.entry.Key)); {
		case n < 0:
			return false
		case n > 0:
			further = true
		}
	}
	if further {
		return true
	}
	id := a.result.Findings[o].Patch
	for p := range a.catalog.Replacements(a.result.Findings[f].Patch) {
		if p.ID == id {
			return true
		}
	}
	return false
}

// finding returns the number of the finding of a patch, -1 if there is none.
func (a *assessor) finding(id patch.ID) int32 {
	i, found := slices.BinarySearchFunc(a.result.Findings, id, func(f Finding, id patch.ID) int { return cmp.Compare(f.Patch, id) })
	if !found {
		return -1
	}
	return int32(i)
}
