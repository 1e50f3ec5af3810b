package patch

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// A Name is what entries of a catalog are about: a binary package, or with Name "" all that is built from a source package.
type Name struct {
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name,omitempty"`
	Source    string `json:"source,omitempty"`
}

func (n Name) compare(o Name) int {
	return cmp.Or(strings.Compare(n.Ecosystem, o.Ecosystem), strings.Compare(n.Name, o.Name), strings.Compare(n.Source, o.Source))
}

// Changes is what differs between two catalogs. All lists are sorted and hold each element once.
type Changes struct {
	Added   []ID `json:"added,omitempty"`
	Changed []ID `json:"changed,omitempty"`
	Removed []ID `json:"removed,omitempty"`

	// Names are the packages that may be assessed differently: no answer about another package differs. Whether the feed
	// covers an ecosystem at all, and what the patches say of themselves, is not meant by that.
	Names []Name `json:"names,omitempty"`
}

// Empty says whether nothing differs.
func (c *Changes) Empty() bool {
	return len(c.Added) == 0 && len(c.Changed) == 0 && len(c.Removed) == 0
}

// Diff returns what has to be done to older to make newer of it. Patches are compared by their whole content, whatever
// their publisher says about when they were modified. A nil catalog is an empty one. It costs a step for each patch of
// both.
func Diff(older, newer *Catalog) Changes {
	if older == nil {
		older = &Catalog{}
	}
	if newer == nil {
		newer = &Catalog{}
	}
	var c Changes
	a, b := older.patches, newer.patches
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(a) > 0 && len(b) > 0 && a[0] == b[0]: // most of what [Catalog.With] returns
			a, b = a[1:], b[1:]
		case len(b) == 0 || len(a) > 0 && a[0].ID < b[0].ID:
			c.Removed = append(c.Removed, a[0].ID)
			c.name(a[0])
			a = a[1:]
		case len(a) == 0 || b[0].ID < a[0].ID:
			c.Added = append(c.Added, b[0].ID)
			c.name(b[0])
			b = b[1:]
		default:
			if !a[0].equal(b[0]) {
				c.Changed = append(c.Changed, b[0].ID)
				c.name(a[0])
				c.name(b[0])
			}
			a, b = a[1:], b[1:]
		}
	}
	slices.SortFunc(c.Names, Name.compare)
	c.Names = slices.Compact(c.Names)
	return c
}

// name notes what p is about. Its declarations are about a package whether they name it or its source package.
func (c *Changes) name(p *Patch) {
	for i := range p.Packages {
		k := keyOf(&p.Packages[i])
		c.Names = append(c.Names, Name{k.ecosystem, k.name, k.source})
	}
	for i := range p.Unaffected {
		x := &p.Unaffected[i]
		c.Names = append(c.Names, Name{Ecosystem: x.Ecosystem, Name: cmp.Or(x.Name, x.Source)}, Name{Ecosystem: x.Ecosystem, Source: cmp.Or(x.Name, x.Source)})
	}
}

// equal says whether two patches are the same in all that they hold.
func (p *Patch) equal(o *Patch) bool {
	return p == o ||
		p.ID == o.ID && p.Title == o.Title && p.Platform == o.Platform && p.Classification == o.Classification && p.Severity == o.Severity &&
			p.SeverityRaw == o.SeverityRaw && p.Contested == o.Contested && p.Reboot == o.Reboot && p.Reversal == o.Reversal &&
			p.Size == o.Size && p.Released.Equal(o.Released) && p.Modified.Equal(o.Modified) && p.Withdrawn.Equal(o.Withdrawn) &&
			slices.Equal(p.ClassificationRaw, o.ClassificationRaw) && slices.Equal(p.Supersedes, o.Supersedes) &&
			slices.Equal(p.Requires, o.Requires) && slices.Equal(p.Aliases, o.Aliases) && slices.Equal(p.Provenance, o.Provenance) &&
			slices.Equal(p.References, o.References) && maps.Equal(p.Native, o.Native) &&
			slices.EqualFunc(p.Packages, o.Packages, Package.equal) && slices.EqualFunc(p.Unaffected, o.Unaffected, Package.equal) &&
			slices.EqualFunc(p.Advisories, o.Advisories, Advisory.equal)
}

func (p Package) equal(o Package) bool {
	return p.Ecosystem == o.Ecosystem && p.Name == o.Name && p.Source == o.Source && p.Arch == o.Arch && p.Module == o.Module &&
		p.Introduced == o.Introduced && p.Fixed == o.Fixed && p.Last == o.Last &&
		slices.Equal(p.Origins, o.Origins) && slices.Equal(p.Artefacts, o.Artefacts)
}

func (a Advisory) equal(o Advisory) bool {
	return a.ID == o.ID && a.Title == o.Title && a.Severity == o.Severity && a.SeverityRaw == o.SeverityRaw && a.Exploited == o.Exploited &&
		a.EPSS == o.EPSS && a.Published.Equal(o.Published) && a.KnownSince.Equal(o.KnownSince) && slices.Equal(a.CVEs, o.CVEs) &&
		slices.Equal(a.Scores, o.Scores) && slices.Equal(a.References, o.References)
}
