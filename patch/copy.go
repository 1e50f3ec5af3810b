package patch

import (
	"maps"
	"strings"
)

// A slab hands out parts of larger arrays, so that many small slices cost few allocations.
type slab[T any] struct {
	room []T
	next int // length of the next array

	used, limit int // for who counts what is taken
}

// take returns n elements, all zero, nil for none.
func (s *slab[T]) take(n int) []T {
	const least, most = 16, 1024
	if n == 0 {
		return nil
	}
	if n > most/4 {
		return make([]T, n)
	}
	if n > len(s.room) {
		s.next = min(max(2*s.next, least, n), most)
		s.room = make([]T, s.next)
	}
	part := s.room[:n:n]
	s.room = s.room[n:]
	return part
}

// reserve makes the next array have exactly n elements.
func (s *slab[T]) reserve(n int) {
	s.room = nil
	if n > 0 {
		s.room = make([]T, n)
	}
}

// copy returns a copy of v out of what was reserved, nil if v is empty.
func (s *slab[T]) copy(v []T) []T {
	n := len(v)
	if n == 0 {
		return nil
	}
	part := s.room[:n:n]
	s.room = s.room[n:]
	copy(part, v)
	return part
}

// cloneOf returns a copy of v without room to append into, nil if v is empty.
func cloneOf[T any](v []T) []T {
	if len(v) == 0 {
		return nil
	}
	own := make([]T, len(v))
	copy(own, v)
	return own
}

// A copier copies patches. Every patch gets memory of its own: one that is replaced in a later catalog can be freed.
// A copier with texts keeps one copy of all texts that are equal, and shares none with what it copies. One without leaves
// them as they are.
type copier struct {
	texts map[string]string
	last  Package // most packages of a patch differ in little
}

func (c *copier) text(s string) string {
	if s == "" || c.texts == nil {
		return s
	}
	own, found := c.texts[s]
	if !found {
		own = strings.Clone(s)
		c.texts[own] = own
	}
	return own
}

// near returns the text s, which is probably equal to one that is own already.
func (c *copier) near(s string, own *string) {
	if s != *own {
		*own = c.text(s)
	}
}

// patch returns a copy of p and all that it points to. Empty lists and maps become nil.
func (c *copier) patch(p *Patch) *Patch {
	var nText, nIDs, nScores, nArtefacts int
	nText = len(p.ClassificationRaw) + len(p.References)
	nIDs = len(p.Supersedes) + len(p.Requires) + len(p.Aliases)
	for _, packages := range [...][]Package{p.Packages, p.Unaffected} {
		for i := range packages {
			nText += len(packages[i].Origins)
			nArtefacts += len(packages[i].Artefacts)
		}
	}
	for i := range p.Advisories {
		nText += len(p.Advisories[i].CVEs) + len(p.Advisories[i].References)
		nScores += len(p.Advisories[i].Scores)
	}
	var (
		texts     slab[string]
		ids       slab[ID]
		scores    slab[Score]
		artefacts slab[Artefact]
	)
	texts.reserve(nText)
	ids.reserve(nIDs)
	scores.reserve(nScores)
	artefacts.reserve(nArtefacts)
	list := func(v []string) []string {
		v = texts.copy(v)
		for i := range v {
			v[i] = c.text(v[i])
		}
		return v
	}
	idList := func(v []ID) []ID {
		v = ids.copy(v)
		for i := range v {
			v[i] = ID(c.text(string(v[i])))
		}
		return v
	}
	packages := func(v []Package) []Package {
		v = cloneOf(v)
		for i := range v {
			x := &v[i]
			c.names(x)
			x.Origins = list(x.Origins)
			x.Artefacts = artefacts.copy(x.Artefacts)
			for j := range x.Artefacts {
				a := &x.Artefacts[j]
				a.Name, a.Digest = c.text(a.Name), Digest(c.text(string(a.Digest)))
			}
		}
		return v
	}

	own := new(Patch)
	*own = *p
	p = own
	p.ID, p.Title, p.SeverityRaw = ID(c.text(string(p.ID))), c.text(p.Title), c.text(p.SeverityRaw)
	p.Platform = Platform{c.text(p.Platform.OS), c.text(p.Platform.Version), c.text(p.Platform.Arch)}
	p.ClassificationRaw, p.References = list(p.ClassificationRaw), list(p.References)
	p.Aliases, p.Supersedes, p.Requires = idList(p.Aliases), idList(p.Supersedes), idList(p.Requires)
	p.Packages, p.Unaffected = packages(p.Packages), packages(p.Unaffected)
	p.Native = c.native(p.Native)
	p.Advisories = cloneOf(p.Advisories)
	for i := range p.Advisories {
		a := &p.Advisories[i]
		a.ID, a.Title, a.SeverityRaw = c.text(a.ID), c.text(a.Title), c.text(a.SeverityRaw)
		a.CVEs, a.References, a.Scores = list(a.CVEs), list(a.References), scores.copy(a.Scores)
		for j := range a.Scores {
			s := &a.Scores[j]
			s.Version, s.Vector, s.By = c.text(s.Version), c.text(s.Vector), c.text(s.By)
		}
	}
	p.Provenance = cloneOf(p.Provenance)
	for i := range p.Provenance {
		v := &p.Provenance[i]
		v.Field, v.From = c.text(v.Field), ID(c.text(string(v.From)))
	}
	return p
}

// names makes the texts of a package own.
func (c *copier) names(p *Package) {
	if c.texts == nil {
		return
	}
	l := &c.last
	c.near(p.Ecosystem, &l.Ecosystem)
	c.near(p.Name, &l.Name)
	c.near(p.Source, &l.Source)
	c.near(p.Arch, &l.Arch)
	c.near(p.Module, &l.Module)
	c.near(string(p.Introduced.Scheme), (*string)(&l.Introduced.Scheme))
	c.near(p.Introduced.Text, &l.Introduced.Text)
	c.near(string(p.Fixed.Scheme), (*string)(&l.Fixed.Scheme))
	c.near(p.Fixed.Text, &l.Fixed.Text)
	c.near(string(p.Last.Scheme), (*string)(&l.Last.Scheme))
	c.near(p.Last.Text, &l.Last.Text)
	p.Ecosystem, p.Name, p.Source, p.Arch, p.Module = l.Ecosystem, l.Name, l.Source, l.Arch, l.Module
	p.Introduced, p.Fixed, p.Last = l.Introduced, l.Fixed, l.Last
}

func (c *copier) native(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	if c.texts == nil {
		return maps.Clone(m)
	}
	own := make(map[string]string, len(m))
	for k, v := range m {
		own[c.text(k)] = c.text(v)
	}
	return own
}
