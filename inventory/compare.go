package inventory

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

// installed is what is installed of one package: the same manager, ecosystem, name and architecture, in one version or in
// several side by side. It is a part of the device's software.
type installed struct {
	software []Software
	order    []int32 // nil if software is in order as it stands
	from, to int

	// The highest version decides about what is missing, the one in use about what is pending. doubt says why another
	// version that is installed cannot be compared.
	highest, running *Software
	scheme           version.Scheme // of the highest
	doubt            error
}

// keys are those of the versions in installed: of the package, or of its source package. They stand apart so that they need
// no memory of their own, and are handed on and back.
type keys struct{ highest, running, scratch []byte }

// newInstalled begins before the first package of software: see next.
func newInstalled(software []Software) installed {
	g := installed{software: software}
	if !slices.IsSortedFunc(software, comparePackage) {
		g.order = make([]int32, len(software))
		for i := range g.order {
			g.order[i] = int32(i)
		}
		slices.SortFunc(g.order, func(i, j int32) int { return compareSoftware(software[i], software[j]) })
	}
	return g
}

// next goes on to the next package, and says whether there is one.
func (g *installed) next() bool {
	g.from = g.to
	if g.from == len(g.software) {
		return false
	}
	first := g.at(g.from)
	for g.to = g.from + 1; g.to < len(g.software) && comparePackages(first, g.at(g.to)) == 0; g.to++ {
	}
	return true
}

func (g *installed) at(i int) *Software {
	if g.order != nil {
		i = int(g.order[i])
	}
	return &g.software[i]
}

// A hit is an installed package that needs what an entry brings.
type hit struct {
	entry   *patch.Entry
	sw      *Software
	slot    int32
	finding int32 // -1 for a lower fixed version of a patch that names several
}

func (h *hit) missing() Missing {
	m := Missing{Manager: h.sw.Manager, Ecosystem: h.sw.Ecosystem, Name: h.sw.Name, Arch: h.sw.Arch, Installed: h.sw.Version,
		Fixed: h.entry.Package.Fixed, Held: h.sw.Held}
	if h.entry.Package.Name == "" {
		m.Source, m.Installed = h.entry.Package.Source, h.sw.sourceVersion()
	}
	return m
}

func (s *Software) sourceVersion() version.Version {
	if s.SourceVersion.IsZero() {
		return s.Version
	}
	return s.SourceVersion
}

func (s *Software) sourceName() string { return cmp.Or(s.Source, s.Name) }

// compare looks for the entries that are about g, by its name and by that of its source package.
func (a *assessor) compare(g *installed, k keys) keys {
	first := g.at(g.from)
	binary := a.catalog.ByPackage(first.Ecosystem, first.Name)
	var source []patch.Entry
	own := false // the source package has versions of its own: they cannot be compared with those of the package
	for i := g.from; i < g.to; i++ {
		s := g.at(i)
		if len(source) == 0 && (i == g.from || s.Source != first.Source) {
			source = a.catalog.BySource(s.Ecosystem, s.sourceName())
		}
		own = own || !s.SourceVersion.IsZero()
	}
	from := len(a.hits)
	if len(binary) > 0 {
		k = g.rank(k, (*Software).version)
		a.entries(g, k, binary)
	}
	if len(source) > 0 {
		if own && len(a.hits) > from {
			from = a.slot(from)
		}
		k = g.rank(k, (*Software).sourceVersion)
		a.entries(g, k, source)
	}
	if len(a.hits) > from {
		a.slot(from)
	}
	return k
}

func (s *Software) version() version.Version { return s.Version }

// slot makes the hits from from on those of one slot, by descending keys, and returns where the next would begin.
func (a *assessor) slot(from int) int {
	slices.SortStableFunc(a.hits[from:], func(x, y hit) int { return cmp.Compare(y.entry.Key, x.entry.Key) })
	for i := from; i < len(a.hits); i++ {
		a.hits[i].slot = int32(len(a.slots))
	}
	a.slots = append(a.slots, int32(from))
	return len(a.hits)
}

// rank finds the highest version and the one in use. One that cannot be read may be higher still.
func (g *installed) rank(k keys, of func(*Software) version.Version) keys {
	g.highest, g.running, g.doubt = nil, nil, nil
	k.highest, k.running = k.highest[:0], k.running[:0]
	for i := g.from; i < g.to; i++ {
		s := g.at(i)
		v := of(s)
		var err error
		if k.scratch, err = v.AppendKey(k.scratch[:0]); err != nil {
			g.doubt = err
			continue
		}
		if g.highest != nil && g.scheme != v.Scheme {
			g.doubt = fmt.Errorf("%w: installed both as %s and as %s", version.ErrIncomparable, g.scheme, v.Scheme)
			continue
		}
		if s.Running {
			g.running, k.running = s, append(k.running[:0], k.scratch...)
		}
		if g.highest == nil || string(k.scratch) > string(k.highest) {
			g.highest, g.scheme = s, v.Scheme
			k.highest = append(k.highest[:0], k.scratch...)
		}
	}
	if g.highest == nil {
		g.highest = g.at(g.from)
		g.scheme = of(g.highest).Scheme
	}
	return k
}

// entries records what follows for g from the entries of one package, which stand as in [patch.Catalog.ByPackage].
func (a *assessor) entries(g *installed, k keys, entries []patch.Entry) {
	s, floor := g.highest, k.highest
	modular := s.modular()
	if g.running != nil {
		floor = k.running
	}
	for i := len(entries) - 1; i >= 0; i-- {
		e := &entries[i]
		scheme := e.Scheme()
		fixed := e.Err == nil && !e.Open() && scheme == g.scheme
		if fixed && string(e.Key) <= string(floor) {
			if entries[0].Err == nil && !entries[0].Open() && entries[0].Scheme() == scheme {
				return // all that are left are lower still
			}
			continue
		}
		if !offered(e, s, a.device.Platform) {
			continue
		}
		pending := fixed && string(e.Key) <= string(k.highest)
		var err error
		switch {
		case e.Err != nil:
			err = e.Err
		case scheme == "", pending: // every version is affected; what is in use is known
		case g.doubt != nil:
			err = g.doubt
		case scheme != g.scheme:
			err = fmt.Errorf("%w: %s and %s", version.ErrIncomparable, g.scheme, scheme)
		}
		needs := func(key []byte) bool {
			return string(e.From) <= string(key) && (e.Last == "" || string(key) <= string(e.Last))
		}
		switch {
		case err != nil:
		case pending && !needs(k.running), !pending && !needs(k.highest):
			continue
		}
		fits, known := moduleFits(e, s, modular)
		if !fits {
			continue
		}
		if by, exempt := a.exempt(e, s); exempt {
			a.result.Exempt = append(a.result.Exempt, Exemption{Patch: e.Patch.ID, Name: s.Name, Arch: s.Arch, By: by})
			continue
		}
		h := hit{entry: e, sw: s, finding: -1}
		switch {
		case err != nil:
			a.undecided(Incomparable, &h, err.Error())
		case !known:
			a.undecided(UnknownStream, &h, "")
		case pending:
			h.sw = g.running
			a.result.Pending = append(a.result.Pending, Hole{Patch: e.Patch.ID, Package: h.missing()})
		case e.Open():
			a.result.Open = append(a.result.Open, Hole{Patch: e.Patch.ID, Package: h.missing()})
		default:
			a.hits = append(a.hits, h)
		}
	}
}

func (a *assessor) undecided(why Reason, h *hit, detail string) {
	m := h.missing()
	a.unknown(Undecided{Reason: why, Patch: h.entry.Patch.ID, Manager: m.Manager, Ecosystem: m.Ecosystem, Name: m.Name, Arch: m.Arch,
		Installed: m.Installed, Fixed: m.Fixed, Detail: detail})
}

// exempt says whether a publisher declares that s is free of every CVE that e is about.
func (a *assessor) exempt(e *patch.Entry, s *Software) (by patch.ID, exempt bool) {
	if !a.catalog.Exempts() {
		return "", false
	}
	for i := range e.Patch.Advisories {
		for _, cve := range e.Patch.Advisories[i].CVEs {
			id, free := a.catalog.Unaffected(s.Ecosystem, s.Name, cve)
			if !free {
				id, free = a.catalog.Unaffected(s.Ecosystem, s.sourceName(), cve)
			}
			if !free {
				return "", false
			}
			by, exempt = id, true
		}
	}
	return by, exempt
}
