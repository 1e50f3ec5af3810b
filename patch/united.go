package patch

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch/version"
)

// A united patch is what [Merge] makes of several: it begins as the first of them and takes from the others what it lacks.
type united struct {
	patch *Patch
	from  ID // of the patch that words are taken from
	told  []Provenance

	ids        map[ID]bool // of all that are one
	provenance map[Provenance]bool
}

// newUnited returns a patch that is one with all. It has the ID of the first one and all else from the first that tells
// something.
func newUnited(all, telling []*Patch) *united {
	teller := telling[0]
	var own copier
	u := &united{patch: own.patch(teller), ids: make(map[ID]bool), provenance: make(map[Provenance]bool)}
	p, first := u.patch, all[0]
	for _, q := range all {
		u.ids[q.ID] = true
		for _, id := range q.Aliases {
			u.ids[id] = true
		}
	}
	p.ID, p.Unaffected = first.ID, nil
	for _, v := range p.Provenance {
		u.credit(v)
	}
	if teller.ID == first.ID {
		return u
	}
	u.from, u.told = teller.ID, teller.Provenance
	for _, f := range [...]struct {
		field string
		known bool
	}{
		{"title", p.Title != ""}, {"platform", p.Platform != Platform{}}, {"classification", p.Classification != ClassUnknown},
		{"classificationRaw", len(p.ClassificationRaw) > 0}, {"severity", p.Severity != SeverityUnrated || p.SeverityRaw != ""},
		{"advisories", len(p.Advisories) > 0}, {"packages", len(p.Packages) > 0}, {"supersedes", len(p.Supersedes) > 0},
		{"requires", len(p.Requires) > 0}, {"reboot", p.Reboot != RebootUnknown}, {"reversal", p.Reversal != ReversalUnknown},
		{"released", !p.Released.IsZero()}, {"modified", !p.Modified.IsZero()}, {"withdrawn", !p.Withdrawn.IsZero()},
		{"size", p.Size != 0}, {"references", len(p.References) > 0}, {"native", len(p.Native) > 0},
	} {
		if f.known {
			u.note(f.field)
		}
	}
	return u
}

// others returns the IDs that are not u's own.
func (u *united) others(ids []ID) []ID {
	return slices.DeleteFunc(slices.Clone(ids), func(id ID) bool { return u.ids[id] })
}

// note says that a field, or something in it, comes from the patch that words are taken from, or from where that has it.
func (u *united) note(field string) {
	elsewhere := false
	for _, v := range u.told {
		if v.Field == field {
			u.credit(v)
			elsewhere = true
		}
	}
	if !elsewhere || gathers(field) {
		u.credit(Provenance{field, u.from})
	}
}

// gathers says whether a field is a list, which can come from several.
func gathers(field string) bool {
	switch field[strings.LastIndexByte(field, '/')+1:] {
	case "classificationRaw", "advisories", "packages", "unaffected", "supersedes", "requires", "references", "native", "cves", "scores":
		return true
	}
	return false
}

// credit records where something comes from, unless that is the patch's own source.
func (u *united) credit(v Provenance) {
	if v.From != u.patch.ID && v.From != "" {
		u.provenance[v] = true
	}
}

// done returns the patch.
func (u *united) done() *Patch {
	p := u.patch
	delete(u.ids, p.ID)
	p.Aliases, p.Provenance = slices.Sorted(maps.Keys(u.ids)), nil
	for v := range u.provenance {
		p.Provenance = append(p.Provenance, v)
	}
	slices.SortFunc(p.Provenance, func(a, b Provenance) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(string(a.From), string(b.From)))
	})
	var own copier
	return own.patch(p) // in memory of its own size
}

// fill sets a value that is not known, zero, to another one.
func fill[T comparable](u *united, field string, v *T, other T) {
	var unknown T
	if *v == unknown && other != unknown {
		*v = other
		u.note(field)
	}
}

func (u *united) fillTime(field string, v *time.Time, other time.Time) {
	if v.IsZero() && !other.IsZero() {
		*v = other
		u.note(field)
	}
}

// add appends what a list does not have.
func add[T comparable](u *united, field string, v *[]T, others []T) {
	if len(others) == 0 {
		return
	}
	has := make(map[T]bool, len(*v))
	for _, x := range *v {
		has[x] = true
	}
	list := slices.Clip(*v) // it may be that of another patch
	for _, x := range others {
		if !has[x] {
			has[x] = true
			list = append(list, x)
			u.note(field)
		}
	}
	*v = list
}

// rate takes a severity and its word.
func (u *united) rate(field string, s *Severity, raw *string, other Severity, word string) {
	raises := other > *s && (*s == SeverityUnrated || word != "" || *raw == "")
	switch {
	case raises:
		*s, *raw = other, cmp.Or(word, *raw)
		u.note(field)
	case *raw == "" && word != "" && other == *s:
		*raw = word
		u.note(field)
	}
}

// take takes what q knows and u does not.
func (u *united) take(q *Patch) {
	u.from, u.told = q.ID, q.Provenance
	p := u.patch
	fill(u, "title", &p.Title, q.Title)
	if p.Classification != ClassUnknown && q.Classification != ClassUnknown && p.Classification != q.Classification {
		p.Contested = true
	}
	p.Contested = p.Contested || q.Contested
	fill(u, "classification", &p.Classification, q.Classification)
	add(u, "classificationRaw", &p.ClassificationRaw, q.ClassificationRaw)
	u.rate("severity", &p.Severity, &p.SeverityRaw, q.Severity, q.SeverityRaw)
	at := make(map[string]int, len(p.Advisories))
	for i := range p.Advisories {
		at[p.Advisories[i].ID] = i
	}
	for i := range q.Advisories {
		if j, found := at[q.Advisories[i].ID]; found {
			u.advise(&p.Advisories[j], &q.Advisories[i])
		} else {
			p.Advisories = append(p.Advisories, q.Advisories[i])
			u.note("advisories")
		}
	}
	if u.packages(q.Packages) {
		u.widen(q.Platform)
	}
	add(u, "supersedes", &p.Supersedes, u.others(q.Supersedes))
	add(u, "requires", &p.Requires, u.others(q.Requires))
	fill(u, "reboot", &p.Reboot, q.Reboot)
	fill(u, "reversal", &p.Reversal, q.Reversal)
	u.fillTime("released", &p.Released, q.Released)
	u.fillTime("modified", &p.Modified, q.Modified)
	fill(u, "size", &p.Size, q.Size)
	add(u, "references", &p.References, q.References)
	for k, v := range q.Native {
		if _, found := p.Native[k]; found {
			continue
		}
		if p.Native == nil {
			p.Native = make(map[string]string)
		}
		p.Native[k] = v
		u.note("native")
	}
}

// advise takes what b tells of an advisory.
func (u *united) advise(a, b *Advisory) {
	at := "advisories/" + a.ID + "/"
	fill(u, at+"title", &a.Title, b.Title)
	add(u, at+"cves", &a.CVEs, b.CVEs)
	u.rate(at+"severity", &a.Severity, &a.SeverityRaw, b.Severity, b.SeverityRaw)
	add(u, at+"scores", &a.Scores, b.Scores)
	if b.Exploited > a.Exploited { // Yes, No, Unknown
		a.Exploited = b.Exploited
		u.note(at + "exploited")
	}
	if a.Exploited == Yes && b.Exploited == Yes {
		u.fillTime(at+"knownSince", &a.KnownSince, b.KnownSince)
	}
	fill(u, at+"epss", &a.EPSS, b.EPSS)
	u.fillTime(at+"published", &a.Published, b.Published)
	add(u, at+"references", &a.References, b.References)
}

// widen leaves of the platform what it has in common with another one, "" being any.
func (u *united) widen(other Platform) {
	p := &u.patch.Platform
	for _, f := range [...]struct {
		own   *string
		other string
	}{{&p.OS, other.OS}, {&p.Version, other.Version}, {&p.Arch, other.Arch}} {
		if *f.own != f.other && *f.own != "" {
			*f.own = ""
			u.note("platform")
		}
	}
}

// A place is what a word about a package is about: the package and the architecture, "" for all.
type place struct {
	key  packageKey
	arch string
}

func placeOf(p *Package) place {
	switch p.Arch {
	case "all", "noarch", "any":
		return place{keyOf(p), ""}
	}
	return place{keyOf(p), p.Arch}
}

// A word is what is said of a place: how many entries there are, how many without a fixed version, which fixed version the
// others have, and of which module streams they are.
type word struct {
	entries, open int
	fixed         version.Version
	several       bool     // fixed versions
	modules       []string // "" among them if an entry names none
}

func wordsOf(packages []Package) map[place]word {
	words := make(map[place]word, len(packages))
	for i := range packages {
		x := &packages[i]
		at := placeOf(x)
		w := words[at]
		w.entries++
		if !slices.Contains(w.modules, x.Module) {
			w.modules = append(w.modules, x.Module)
		}
		switch {
		case x.Fixed.IsZero():
			w.open++
		case !w.fixed.IsZero() && w.fixed != x.Fixed:
			w.several = true
		default:
			w.fixed = x.Fixed
		}
		words[at] = w
	}
	return words
}

// onlyHoles says whether no fixed version is known.
func (w word) onlyHoles() bool { return w.entries > 0 && w.entries == w.open }

// oneFix says whether one version has the fix, and nothing is left open.
func (w word) oneFix() bool { return w.entries > 0 && w.open == 0 && !w.several }

// streams says whether what is said is about a module stream, "" being an unknown one.
func (w word) streams(module string) bool { return module == "" || slices.Contains(w.modules, module) }

// A build is a package in one version.
type build struct {
	place place
	fixed version.Version
}

// streamsOf returns the module streams of builds for whatever architecture, "" where there are several or none.
func streamsOf(packages []Package) map[build]string {
	streams := make(map[build]string)
	for i := range packages {
		x := &packages[i]
		if x.Fixed.IsZero() {
			continue
		}
		k := build{place{key: keyOf(x)}, x.Fixed}
		if stream, found := streams[k]; found && stream != x.Module {
			streams[k] = ""
		} else {
			streams[k] = x.Module
		}
	}
	return streams
}

// packages takes what is told about packages, and says whether any was added.
func (u *united) packages(others []Package) (added bool) {
	p := u.patch
	ours, theirs := wordsOf(p.Packages), wordsOf(others)
	for i := range p.Packages { // holes that the other one knows to be closed
		x := &p.Packages[i]
		at := placeOf(x)
		if w := theirs[at]; ours[at].onlyHoles() && w.oneFix() && w.streams(x.Module) && (x.Introduced.IsZero() || x.Introduced.Scheme == w.fixed.Scheme) {
			x.Fixed, x.Last = w.fixed, version.Version{}
			u.note("packages")
		}
	}
	builds := make(map[build]*Package, len(others)) // nil if there are several
	for i := range others {
		k := build{placeOf(&others[i]), others[i].Fixed}
		if _, found := builds[k]; found || others[i].Fixed.IsZero() {
			builds[k] = nil
		} else {
			builds[k] = &others[i]
		}
	}
	for i := range p.Packages {
		x := &p.Packages[i]
		if y := builds[build{placeOf(x), x.Fixed}]; y != nil {
			fill(u, "packages", &x.Module, y.Module)
			fill(u, "packages", &x.Source, y.Source)
			if len(x.Origins) == 0 {
				add(u, "packages", &x.Origins, y.Origins)
			}
			if len(x.Artefacts) == 0 {
				add(u, "packages", &x.Artefacts, y.Artefacts)
			}
		}
	}
	ours = wordsOf(p.Packages)
	streams := streamsOf(p.Packages)
	for i := range others {
		x := others[i]
		at := placeOf(&x)
		knows := false
		for _, at := range [...]place{at, {at.key, ""}} {
			w := ours[at]
			knows = knows || w.streams(x.Module) && (w.entries > w.open || x.Fixed.IsZero() && w.entries > 0)
		}
		if knows {
			continue
		}
		x.Module = cmp.Or(x.Module, streams[build{place{key: at.key}, x.Fixed}])
		p.Packages = append(p.Packages, x)
		u.note("packages")
		added = true
	}
	return added
}

// declare takes the declarations of what is unaffected from those who name all CVEs of the patch.
func (u *united) declare(all []*Patch) {
	p := u.patch
	cves := p.CVEs()
	type declared struct{ ecosystem, name, source, arch, module string }
	has := make(map[declared]bool)
	for i, q := range all {
		if len(q.Unaffected) == 0 || !sameSet(cves, q.CVEs()) {
			continue
		}
		u.from, u.told = q.ID, q.Provenance
		for _, x := range q.Unaffected {
			k := declared{x.Ecosystem, x.Name, x.Source, x.Arch, x.Module}
			if i == 0 || !has[k] {
				has[k] = true
				p.Unaffected = append(p.Unaffected, x)
				u.note("unaffected")
			}
		}
	}
}
