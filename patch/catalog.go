package patch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/patch/version"
)

// A Catalog is an immutable index of patches: by ID, by the packages that they replace, and by what supersedes what.
// It is safe for concurrent use. The zero Catalog is empty and usable.
//
// Everything that a catalog returns is shared by all its users and must not be changed; a changed patch is a copy that
// goes into another catalog ([Catalog.With]).
//
// Withdrawn patches stay in the catalog, so that a device which has one can still be explained, but they are never
// offered: they supersede nothing, and inventory.Assess makes no finding of them.
type Catalog struct {
	patches  []Patch              // by ID
	entries  []Entry              // the entries of one package stand together
	starts   []int32              // entries[starts[g]:starts[g+1]] are those of group g
	groups   map[packageKey]int32 // group of a package
	packaged map[string]struct{}  // ecosystems with an entry
	chains   supersedence
}

type packageKey struct{ ecosystem, name string }

// An Entry says that a patch brings a package up to a version.
type Entry struct {
	Patch   *Patch
	Package *Package    // one of Patch.Packages
	Key     version.Key // of Package.Fixed; "" if Err is set

	// Err says why Package.Fixed cannot be compared with anything. Whether a device misses such a patch is unknown.
	Err error
}

// NewCatalog returns a catalog of patches. It copies all that they hold: the caller may change them afterwards.
//
// A patch without an ID is an error, and so is an ID that occurs twice, equal contents or not: two descriptions of one
// patch are for the caller to reconcile. The error names all of them. A fixed version that cannot be read is no error:
// see [Entry].
func NewCatalog(patches []Patch) (*Catalog, error) {
	c := &Catalog{patches: copyPatches(patches)}
	slices.SortStableFunc(c.patches, func(a, b Patch) int { return cmp.Compare(a.ID, b.ID) })
	if err := checkIDs(patches, c.patches); err != nil {
		return nil, err
	}
	c.indexPackages()
	c.chains = newSupersedence(c.patches)
	return c, nil
}

// Collect reads all sources to their end, one after the other, and returns a catalog of what they yield for q.
//
// There are three outcomes. With err nil the catalog holds everything that could be read; refused holds one error for
// each record that could not, and it is for the caller to decide whether a catalog without them will do. With err not
// nil there is no catalog, because what was read is not complete: err then gathers the failures of all sources that
// failed, or says which IDs occur twice (as for [NewCatalog]); refused holds what was refused until then.
func Collect(ctx context.Context, q Query, sources ...Source) (c *Catalog, refused []error, err error) {
	var patches []Patch
	var failed *multierror.Error
	for i, source := range sources {
		if source == nil {
			failed = multierror.Append(failed, fmt.Errorf("patch: source %d of %d is nil", i+1, len(sources)))
			continue
		}
		for p, err := range source.Patches(ctx, q) {
			switch {
			case err == nil:
				patches = append(patches, p)
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
	c, err = NewCatalog(patches)
	return c, refused, err
}

// With returns a catalog that holds changed in place of the patches with the same IDs, and those with new IDs beside
// them. It is how the result of an [Enricher] is put to use. c stays as it is. Errors are those of [NewCatalog].
func (c *Catalog) With(changed []Patch) (*Catalog, error) {
	fresh := make(map[ID]bool, len(changed))
	for i := range changed {
		fresh[changed[i].ID] = true
	}
	all := make([]Patch, 0, len(c.patches)+len(changed))
	for i := range c.patches {
		if !fresh[c.patches[i].ID] {
			all = append(all, c.patches[i])
		}
	}
	return NewCatalog(append(all, changed...))
}

// Len returns the number of patches, withdrawn ones among them.
func (c *Catalog) Len() int { return len(c.patches) }

// Get returns the patch called id, and whether there is one.
func (c *Catalog) Get(id ID) (*Patch, bool) {
	i, found := c.find(id)
	if !found {
		return nil, false
	}
	return &c.patches[i], true
}

func (c *Catalog) find(id ID) (int, bool) {
	// Patches are large: a search that passes them by value is slower than the comparisons.
	lo, hi := 0, len(c.patches)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if c.patches[mid].ID < id {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(c.patches) && c.patches[lo].ID == id
}

// All yields every patch in the order of the IDs, withdrawn ones among them.
func (c *Catalog) All() iter.Seq[*Patch] {
	return func(yield func(*Patch) bool) {
		for i := range c.patches {
			if !yield(&c.patches[i]) {
				return
			}
		}
	}
}

// ByPackage returns the entries for one package, of all architectures, withdrawn patches among them: those that can be
// compared first, by scheme, key and patch ID, all ascending; then those with an Err, by patch ID. It allocates nothing.
func (c *Catalog) ByPackage(ecosystem, name string) []Entry {
	g, found := c.groups[packageKey{ecosystem, name}]
	if !found {
		return nil
	}
	from, to := c.starts[g], c.starts[g+1]
	return c.entries[from:to:to]
}

// Covers says whether any patch replaces a package of ecosystem. If none does, the catalog cannot tell what is missing
// there: most likely no source was asked.
func (c *Catalog) Covers(ecosystem string) bool {
	_, found := c.packaged[ecosystem]
	return found
}

func checkIDs(given, sorted []Patch) error {
	const most = 20
	var result *multierror.Error
	for i := range given {
		if given[i].ID == "" {
			result = multierror.Append(result, fmt.Errorf("patch: catalog: patch %d (%q) has no ID", i, given[i].Title))
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
	if result != nil && len(result.Errors) > most {
		more := fmt.Errorf("patch: catalog: and %d more", len(result.Errors)-most)
		result.Errors = append(result.Errors[:most:most], more)
	}
	return result.ErrorOrNil()
}

// indexPackages fills entries, starts, groups and packaged. All keys share one string.
func (c *Catalog) indexPackages() {
	total := 0
	for i := range c.patches {
		total += len(c.patches[i].Packages)
	}
	if total == 0 {
		return
	}
	c.groups = make(map[packageKey]int32)
	c.packaged = make(map[string]struct{})
	group := make([]int32, 0, total) // of each package, in the order of the patches
	var sizes []int32
	for i := range c.patches {
		for j := range c.patches[i].Packages {
			p := &c.patches[i].Packages[j]
			c.packaged[p.Ecosystem] = struct{}{}
			k := packageKey{p.Ecosystem, p.Name}
			g, found := c.groups[k]
			if !found {
				g = int32(len(sizes))
				c.groups[k] = g
				sizes = append(sizes, 0)
			}
			sizes[g]++
			group = append(group, g)
		}
	}
	c.starts = make([]int32, len(sizes)+1)
	for g, n := range sizes {
		c.starts[g+1] = c.starts[g] + n
	}

	c.entries = make([]Entry, total)
	place := make([]int32, total) // where the entry of each package went
	next := slices.Clone(c.starts[:len(sizes)])
	var keys []byte
	ends := make([]int, total)
	n := 0
	for i := range c.patches {
		for j := range c.patches[i].Packages {
			p := &c.patches[i].Packages[j]
			at := next[group[n]]
			next[group[n]]++
			var err error
			keys, err = p.Fixed.AppendKey(keys)
			c.entries[at] = Entry{Patch: &c.patches[i], Package: p, Err: err}
			place[n], ends[n] = at, len(keys)
			n++
		}
	}
	text, from := version.Key(keys), 0
	for n, at := range place {
		c.entries[at].Key = text[from:ends[n]]
		from = ends[n]
	}
	for g := range sizes {
		slices.SortStableFunc(c.entries[c.starts[g]:c.starts[g+1]], compareEntries)
	}
}

func compareEntries(a, b Entry) int {
	if (a.Err != nil) != (b.Err != nil) {
		if b.Err != nil {
			return -1
		}
		return 1
	}
	if a.Err == nil {
		if n := strings.Compare(string(a.Package.Fixed.Scheme), string(b.Package.Fixed.Scheme)); n != 0 {
			return n
		}
		if n := strings.Compare(string(a.Key), string(b.Key)); n != 0 {
			return n
		}
	}
	return cmp.Compare(a.Patch.ID, b.Patch.ID)
}

// A slab keeps the copies of many small slices in one array.
type slab[T any] struct{ room []T }

func (s *slab[T]) reserve(n int) { s.room = make([]T, 0, n) }

func (s *slab[T]) copy(v []T) []T {
	if len(v) == 0 {
		return nil
	}
	from := len(s.room)
	s.room = append(s.room, v...)
	to := len(s.room)
	return s.room[from:to:to]
}

// copyPatches copies patches and all that they point to.
func copyPatches(patches []Patch) []Patch {
	var nPackages, nAdvisories, nText, nIDs, nScores, nArtefacts int
	for i := range patches {
		p := &patches[i]
		nPackages += len(p.Packages)
		nAdvisories += len(p.Advisories)
		nText += len(p.ClassificationRaw) + len(p.References)
		nIDs += len(p.Supersedes) + len(p.Requires)
		for j := range p.Packages {
			nText += len(p.Packages[j].Origins)
			nArtefacts += len(p.Packages[j].Artefacts)
		}
		for j := range p.Advisories {
			nText += len(p.Advisories[j].CVEs) + len(p.Advisories[j].References)
			nScores += len(p.Advisories[j].Scores)
		}
	}
	var (
		packages   slab[Package]
		advisories slab[Advisory]
		text       slab[string]
		ids        slab[ID]
		scores     slab[Score]
		artefacts  slab[Artefact]
	)
	packages.reserve(nPackages)
	advisories.reserve(nAdvisories)
	text.reserve(nText)
	ids.reserve(nIDs)
	scores.reserve(nScores)
	artefacts.reserve(nArtefacts)

	result := make([]Patch, len(patches))
	copy(result, patches)
	for i := range result {
		p := &result[i]
		p.ClassificationRaw = text.copy(p.ClassificationRaw)
		p.References = text.copy(p.References)
		p.Supersedes = ids.copy(p.Supersedes)
		p.Requires = ids.copy(p.Requires)
		p.Native = maps.Clone(p.Native)
		p.Packages = packages.copy(p.Packages)
		for j := range p.Packages {
			p.Packages[j].Origins = text.copy(p.Packages[j].Origins)
			p.Packages[j].Artefacts = artefacts.copy(p.Packages[j].Artefacts)
		}
		p.Advisories = advisories.copy(p.Advisories)
		for j := range p.Advisories {
			p.Advisories[j].CVEs = text.copy(p.Advisories[j].CVEs)
			p.Advisories[j].References = text.copy(p.Advisories[j].References)
			p.Advisories[j].Scores = scores.copy(p.Advisories[j].Scores)
		}
	}
	return result
}
