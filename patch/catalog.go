package patch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// A Catalog is an immutable index of patches: by ID, by the packages that they replace, by the CVEs that they are about, and
// by what supersedes what. It is safe for concurrent use. The zero Catalog is empty and usable.
//
// Everything that a catalog returns is shared by all its users and must not be changed; a changed patch is a copy that
// goes into another catalog ([Catalog.With]).
//
// Withdrawn patches stay in the catalog, so that a device which has one can still be explained, but they are never
// offered: they supersede nothing, fix nothing, and inventory.Assess makes no finding of them.
//
// Texts that are equal are kept once, and so are keys of versions. A package in a patch costs about 300 bytes, with all
// indices.
type Catalog struct {
	patches  []*Patch // by ID
	aliases  []alias  // by ID
	packages packageIndex
	free     map[exemption]ID // what is declared to be free of a CVE, and by which patch
	cves     cveIndex
	chains   supersedence
}

// An alias is another ID of a patch.
type alias struct {
	id    ID
	patch int32
}

// NewCatalog returns a catalog of patches. It copies all that they hold: the caller may change them afterwards. Empty lists
// and maps become nil.
//
// A patch without an ID is an error, and so is an ID that occurs twice, as ID or alias, equal contents or not: two
// descriptions of one patch are for the caller to reconcile (see [Merge]). The error names all of them. A fixed version
// that cannot be read is no error: see [Entry].
func NewCatalog(patches []Patch) (*Catalog, error) {
	b := newBuilder()
	b.patches = make([]*Patch, 0, len(patches))
	for i := range patches {
		b.add(&patches[i])
	}
	return b.catalog()
}

// A builder gathers patches for a catalog.
type builder struct {
	copier  copier
	patches []*Patch
}

func newBuilder() *builder { return &builder{copier: copier{texts: make(map[string]string)}} }

// add copies p.
func (b *builder) add(p *Patch) { b.patches = append(b.patches, b.copier.patch(p)) }

// catalog returns the catalog of what was added. The builder is then used up.
func (b *builder) catalog() (*Catalog, error) {
	b.copier = copier{} // its texts are not needed any more
	sorted := slices.Clone(b.patches)
	slices.SortStableFunc(sorted, compareIDs)
	if err := checkIDs(b.patches, sorted); err != nil {
		return nil, err
	}
	return newCatalog(sorted), nil
}

func compareIDs(a, b *Patch) int { return cmp.Compare(a.ID, b.ID) }

// newCatalog indexes patches, which are sorted, have different IDs and belong to the catalog.
func newCatalog(patches []*Patch) *Catalog {
	return &Catalog{
		patches: patches, aliases: newAliases(patches), packages: newPackageIndex(patches), free: newExemptions(patches),
		cves: newCVEIndex(patches), chains: newSupersedence(patches),
	}
}

func newAliases(patches []*Patch) (all []alias) {
	for i, p := range patches {
		for _, id := range p.Aliases {
			all = append(all, alias{id, int32(i)})
		}
	}
	slices.SortFunc(all, func(a, b alias) int { return cmp.Compare(a.id, b.id) })
	return all
}

// Collect reads all sources to their end, one after the other, and returns a catalog of what they yield for q.
//
// There are three outcomes. With err nil the catalog holds everything that could be read; refused holds one error for
// each record that could not, and it is for the caller to decide whether a catalog without them will do. With err not
// nil there is no catalog, because what was read is not complete: err then gathers the failures of all sources that
// failed, or says which IDs occur twice (as for [NewCatalog]); refused holds what was refused until then.
//
// It keeps nothing of what a source yields but copies. To make one patch of what several sources say of one advisory,
// collect each into a catalog of its own and [Merge] them.
func Collect(ctx context.Context, q Query, sources ...Source) (c *Catalog, refused []error, err error) {
	b := newBuilder()
	var failed *multierror.Error
	for i, source := range sources {
		if source == nil {
			failed = multierror.Append(failed, fmt.Errorf("patch: source %d of %d is nil", i+1, len(sources)))
			continue
		}
		for p, err := range source.Patches(ctx, q) {
			switch {
			case err == nil:
				b.add(&p)
			case errors.Is(err, ErrRecord):
				refused = append(refused, fmt.Errorf("patch: source %d of %d (%T): %w", i+1, len(sources), source, err))
			default:
				failed = multierror.Append(failed, fmt.Errorf("patch: source %d of %d (%T): %w", i+1, len(sources), source, err))
			}
		}
		if ctx.Err() != nil {
			break
		}
	}
	if err := ctx.Err(); err != nil && !errors.Is(failed.ErrorOrNil(), err) {
		failed = multierror.Append(failed, fmt.Errorf("patch: collect: %w", err))
	}
	if err := failed.ErrorOrNil(); err != nil {
		return nil, refused, err
	}
	c, err = b.catalog()
	return c, refused, err
}

// With returns a catalog that holds changed in place of the patches with the same IDs, and those with new IDs beside
// them. It is how the result of an [Enricher] is put to use. c stays as it is, and changed is copied. Errors are those of
// [NewCatalog].
//
// The new catalog shares with c whatever is the same. What it costs depends on the packages that the changed patches name
// and on the entries for these; beyond that it takes a pointer for each patch and each package, and a copy of the index of
// CVEs if a patch is new or names others than before.
func (c *Catalog) With(changed []Patch) (*Catalog, error) {
	come := make([]*Patch, len(changed))
	var own copier
	for i := range changed {
		come[i] = own.patch(&changed[i])
	}
	given := slices.Clone(come)
	slices.SortStableFunc(come, compareIDs)

	merged := make([]*Patch, 0, len(c.patches)+len(come))
	var gone []*Patch
	moved := make([]int32, 0, len(c.patches)) // the new number of each old patch, -1 of one that is replaced
	fresh := make([]int32, 0, len(come))      // the numbers of those that come
	same := alike{aliases: true, free: true, cves: true, chains: true, aliased: len(c.aliases) > 0, linked: len(c.chains.newest) > 0}
	old := c.patches
	keep := func(n int) {
		for range n {
			moved = append(moved, int32(len(merged)))
			merged = append(merged, old[0])
			old = old[1:]
		}
	}
	for _, p := range come {
		n, found := slices.BinarySearchFunc(old, p, compareIDs)
		keep(n)
		if found {
			same.replace(old[0], p)
			gone = append(gone, old[0])
			moved = append(moved, -1)
			old = old[1:]
		} else {
			same.add(p)
		}
		fresh = append(fresh, int32(len(merged)))
		merged = append(merged, p)
	}
	keep(len(old))
	all := come // that can have an ID of another one
	if same.aliased {
		all = merged
	}
	if err := checkIDs(given, all); err != nil {
		return nil, err
	}
	if len(gone) > len(merged)/2 || len(merged) > 2*len(c.patches) {
		return newCatalog(merged), nil
	}
	d := &Catalog{patches: merged, aliases: c.aliases, packages: c.packages.with(gone, come), free: c.free, cves: c.cves, chains: c.chains}
	if same.aliased && !same.aliases {
		d.aliases = newAliases(merged)
	}
	if !same.free {
		d.free = newExemptions(merged)
	}
	if !same.cves {
		d.cves = c.cves.with(moved, merged, fresh)
	}
	if same.linked && !same.chains {
		d.chains = newSupersedence(merged)
	}
	return d, nil
}

// alike says which indices are the same before and after a change of patches, and whether there is anything in them at all.
type alike struct {
	aliases, free, cves, chains bool
	aliased, linked             bool // some patch has another ID, supersedes anything
}

// add notes a patch that is new, which gives others another number.
func (s *alike) add(p *Patch) {
	s.aliases, s.cves, s.chains = false, false, false
	s.free = s.free && len(p.Unaffected) == 0
	s.holds(p)
}

// holds notes what p has.
func (s *alike) holds(p *Patch) {
	s.aliased = s.aliased || len(p.Aliases) > 0
	s.linked = s.linked || len(p.Supersedes) > 0
}

// replace notes that p takes the place of o.
func (s *alike) replace(o, p *Patch) {
	stands := o.Withdrawn.IsZero() == p.Withdrawn.IsZero()
	cves := stands && slices.EqualFunc(o.Advisories, p.Advisories, func(a, b Advisory) bool { return slices.Equal(a.CVEs, b.CVEs) })
	s.aliases = s.aliases && slices.Equal(o.Aliases, p.Aliases)
	s.cves = s.cves && cves
	s.free = s.free && (len(o.Unaffected)+len(p.Unaffected) == 0 || cves && slices.EqualFunc(o.Unaffected, p.Unaffected, Package.equal))
	s.chains = s.chains && stands && slices.Equal(o.Supersedes, p.Supersedes) && slices.Equal(o.Aliases, p.Aliases) &&
		o.Released.Equal(p.Released) && o.Modified.Equal(p.Modified)
	s.holds(p)
}

// Len returns the number of patches, withdrawn ones among them.
func (c *Catalog) Len() int { return len(c.patches) }

// Get returns the patch called id, and whether there is one. One that [Merge] made of several is found under the IDs of
// all of them: the patch says which its own is.
func (c *Catalog) Get(id ID) (*Patch, bool) {
	i, found := c.find(id)
	if !found {
		return nil, false
	}
	return c.patches[i], true
}

// find returns the number of the patch called id, as ID or alias.
func (c *Catalog) find(id ID) (int, bool) {
	if i, found := slices.BinarySearchFunc(c.patches, id, func(p *Patch, id ID) int { return strings.Compare(string(p.ID), string(id)) }); found {
		return i, true
	}
	i, found := slices.BinarySearchFunc(c.aliases, id, func(a alias, id ID) int { return strings.Compare(string(a.id), string(id)) })
	if !found {
		return 0, false
	}
	return int(c.aliases[i].patch), true
}

// All yields every patch in the order of the IDs, withdrawn ones among them.
func (c *Catalog) All() iter.Seq[*Patch] {
	return func(yield func(*Patch) bool) {
		for _, p := range c.patches {
			if !yield(p) {
				return
			}
		}
	}
}

// ByPackage returns the entries for one binary package, of all architectures, withdrawn patches among them: those with a
// fixed version first, by scheme, key and patch ID, all ascending; then those that are open, by patch ID; then those with
// an Err, by patch ID. It allocates nothing.
func (c *Catalog) ByPackage(ecosystem, name string) []Entry {
	return c.entries(packageKey{ecosystem: ecosystem, name: name})
}

// BySource returns the entries for whatever is built from one source package, in the order of [Catalog.ByPackage]. Their
// versions are those of the source package. It allocates nothing.
func (c *Catalog) BySource(ecosystem, source string) []Entry {
	return c.entries(packageKey{ecosystem: ecosystem, source: source})
}

func (c *Catalog) entries(k packageKey) []Entry {
	g := c.packages.find(k)
	if g < 0 {
		return nil
	}
	return c.packages.lists[g]
}

// Fixing yields the patches that stand and name a CVE in one of their advisories, by ID. What their publishers withdrew is
// not among them. Whether a patch brings a version without the hole, or tells that there is none yet, its packages say.
func (c *Catalog) Fixing(cve string) iter.Seq[*Patch] {
	return func(yield func(*Patch) bool) {
		for _, i := range c.cves.of(cve) {
			if !yield(c.patches[i]) {
				return
			}
		}
	}
}

// Unaffected says whether a publisher declares that a package, binary or source, is free of a CVE, and which patch tells
// so ([Patch.Unaffected]): of several the one with the lowest ID. A publisher that takes its word back, withdrawing the
// patch, has not said it.
func (c *Catalog) Unaffected(ecosystem, name, cve string) (ID, bool) {
	id, found := c.free[exemption{ecosystem, name, cve}]
	return id, found
}

// Exempts says whether any publisher declares anything to be free of a CVE. If not, there is no need to ask.
func (c *Catalog) Exempts() bool { return len(c.free) > 0 }

// Covers says whether any patch replaces a package of ecosystem. If none does, the catalog cannot tell what is missing
// there: most likely no source was asked.
func (c *Catalog) Covers(ecosystem string) bool {
	e := c.packages.ecosystems[ecosystem]
	return e != nil && e.entries > 0
}

// checkIDs checks that all patches have an ID, and no ID occurs twice. sorted are all of the catalog, given those of which the
// caller knows the place.
func checkIDs(given, sorted []*Patch) error {
	const most = 20
	var result *multierror.Error
	for i, p := range given {
		if p.ID == "" {
			result = multierror.Append(result, fmt.Errorf("patch: catalog: patch %d (%q) has no ID", i, p.Title))
		}
	}
	for i := 0; i < len(sorted); {
		j := i + 1
		for j < len(sorted) && sorted[j].ID == sorted[i].ID {
			j++
		}
		if id := sorted[i].ID; id != "" && j-i > 1 {
			result = multierror.Append(result, fmt.Errorf("patch: catalog: %s occurs %d times", id, j-i))
		}
		i = j
	}
	aliases := newAliases(sorted)
	for i, a := range aliases {
		_, found := slices.BinarySearchFunc(sorted, a.id, func(p *Patch, id ID) int { return strings.Compare(string(p.ID), string(id)) })
		switch of := sorted[a.patch].ID; {
		case a.id == "":
			result = multierror.Append(result, fmt.Errorf("patch: catalog: an alias of %s is empty", of))
		case found:
			result = multierror.Append(result, fmt.Errorf("patch: catalog: %s is a patch and an alias of %s", a.id, of))
		case i > 0 && aliases[i-1].id == a.id:
			result = multierror.Append(result, fmt.Errorf("patch: catalog: %s is an alias of %s and of %s", a.id, sorted[aliases[i-1].patch].ID, of))
		}
	}
	if result != nil && len(result.Errors) > most {
		more := fmt.Errorf("patch: catalog: and %d more", len(result.Errors)-most)
		result.Errors = append(result.Errors[:most:most], more)
	}
	return result.ErrorOrNil()
}
