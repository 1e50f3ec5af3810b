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
	free     map[exemption]ID     // what is declared to be free of a CVE, and by which patch
	chains   supersedence
}

// A packageKey names the entries for one binary package, or for all that is built from a source package.
type packageKey struct{ ecosystem, name, source string }

func keyOf(p *Package) packageKey {
	if p.Name == "" {
		return packageKey{ecosystem: p.Ecosystem, source: p.Source}
	}
	return packageKey{ecosystem: p.Ecosystem, name: p.Name}
}

type exemption struct{ ecosystem, name, cve string }

// An Entry says that a patch brings a package up to a version, or that it is known to need one that does not exist.
type Entry struct {
	Patch   *Patch
	Package *Package    // one of Patch.Packages
	Key     version.Key // of Package.Fixed; "" if that is zero or Err is set
	From    version.Key // of Package.Introduced; "" if that is zero, which is below all keys
	Last    version.Key // of Package.Last; "" if that is zero or Key is set

	// Err says why the versions of Package cannot be compared with anything. Whether a device misses such a patch is
	// unknown.
	Err error
}

// Open says whether no version is known that has the fix.
func (e *Entry) Open() bool { return e.Package.Fixed.IsZero() }

// Scheme returns the scheme of the entry's versions, "" if it names none: then every version is affected.
func (e *Entry) Scheme() version.Scheme {
	return cmp.Or(e.Package.Fixed.Scheme, e.Package.Last.Scheme, e.Package.Introduced.Scheme)
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
	c.indexUnaffected()
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

// ByPackage returns the entries for one binary package, of all architectures, withdrawn patches among them: those with a
// fixed version first, by scheme, key and patch ID, all ascending; then those that are open, by patch ID; then those with
// an Err, by patch ID. It allocates nothing.
func (c *Catalog) ByPackage(ecosystem, name string) []Entry {
	return c.group(packageKey{ecosystem: ecosystem, name: name})
}

// BySource returns the entries for whatever is built from one source package, in the order of [Catalog.ByPackage]. Their
// versions are those of the source package. It allocates nothing.
func (c *Catalog) BySource(ecosystem, source string) []Entry {
	return c.group(packageKey{ecosystem: ecosystem, source: source})
}

func (c *Catalog) group(k packageKey) []Entry {
	g, found := c.groups[k]
	if !found {
		return nil
	}
	from, to := c.starts[g], c.starts[g+1]
	return c.entries[from:to:to]
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
			k := keyOf(p)
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
	ends := make([][3]int, total) // where the keys of each package end: Fixed, Introduced, Last
	n := 0
	for i := range c.patches {
		for j := range c.patches[i].Packages {
			p := &c.patches[i].Packages[j]
			at := next[group[n]]
			next[group[n]]++
			e := Entry{Patch: &c.patches[i], Package: p}
			keys, ends[n], e.Err = appendKeys(keys, p)
			c.entries[at] = e
			place[n] = at
			n++
		}
	}
	text, from := version.Key(keys), 0
	for n, at := range place {
		e, end := &c.entries[at], ends[n]
		e.Key, e.From, e.Last = text[from:end[0]], text[end[0]:end[1]], text[end[1]:end[2]]
		from = end[2]
	}
	for g := range sizes {
		slices.SortStableFunc(c.entries[c.starts[g]:c.starts[g+1]], compareEntries)
	}
}

// appendKeys appends the keys of p's versions and says where each ends. With an error nothing is appended.
func appendKeys(keys []byte, p *Package) ([]byte, [3]int, error) {
	from := len(keys)
	var ends [3]int
	last := p.Last
	if !p.Fixed.IsZero() {
		last = version.Version{}
	}
	var scheme version.Scheme
	for i, v := range [...]version.Version{p.Fixed, p.Introduced, last} {
		var err error
		if !v.IsZero() {
			if scheme == "" {
				scheme = v.Scheme
			}
			if v.Scheme != scheme {
				err = fmt.Errorf("patch: %s is from %q to %q: %w", p.Name, p.Introduced.Scheme, scheme, version.ErrIncomparable)
			} else {
				keys, err = v.AppendKey(keys)
			}
		}
		if err != nil {
			return keys[:from], [3]int{from, from, from}, err
		}
		ends[i] = len(keys)
	}
	return keys, ends, nil
}

// indexUnaffected fills free.
func (c *Catalog) indexUnaffected() {
	for i := range c.patches {
		p := &c.patches[i]
		if len(p.Unaffected) == 0 || !p.Withdrawn.IsZero() {
			continue
		}
		if c.free == nil {
			c.free = make(map[exemption]ID)
		}
		for _, cve := range p.CVEs() {
			for j := range p.Unaffected {
				k := exemption{p.Unaffected[j].Ecosystem, cmp.Or(p.Unaffected[j].Name, p.Unaffected[j].Source), cve}
				if _, found := c.free[k]; !found {
					c.free[k] = p.ID
				}
			}
		}
	}
}

// rank puts entries with a fixed version before those without, and those that cannot be compared last.
func (e *Entry) rank() int {
	switch {
	case e.Err != nil:
		return 2
	case e.Open():
		return 1
	}
	return 0
}

func compareEntries(a, b Entry) int {
	if n := cmp.Compare(a.rank(), b.rank()); n != 0 {
		return n
	}
	if a.rank() == 0 {
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
		nPackages += len(p.Packages) + len(p.Unaffected)
		nAdvisories += len(p.Advisories)
		nText += len(p.ClassificationRaw) + len(p.References)
		nIDs += len(p.Supersedes) + len(p.Requires)
		for _, packages := range [...][]Package{p.Packages, p.Unaffected} {
			for j := range packages {
				nText += len(packages[j].Origins)
				nArtefacts += len(packages[j].Artefacts)
			}
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
		p.Packages, p.Unaffected = packages.copy(p.Packages), packages.copy(p.Unaffected)
		for _, copied := range [...][]Package{p.Packages, p.Unaffected} {
			for j := range copied {
				copied[j].Origins = text.copy(copied[j].Origins)
				copied[j].Artefacts = artefacts.copy(copied[j].Artefacts)
			}
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
