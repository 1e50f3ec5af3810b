package sofa

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// A listing is one call of [Source.Patches].
type listing struct {
	config *Config
	ctx    context.Context
	items  []item
	index  map[patch.ID]int // where in items
	count  int

	refused []error // those of items
}

// An item is a patch, or why there is none.
type item struct {
	patch  patch.Patch
	err    error
	number number
	rapid  bool
	then   string // for a rapid response: the version that the feed says it is superseded by
}

func (l *listing) read() error {
	file, err := l.config.Limits.Open(l.config.Open)
	if err != nil {
		return err
	}
	defer file.Close()
	var rapid json.RawMessage
	err = l.config.Limits.ReadObject(file, source.Records{
		Arrays: []string{"OSVersions"},
		Record: func(_ string, n int, raw json.RawMessage, bad error) error { return l.major(n, raw, bad) },
		Field: func(name string, raw json.RawMessage) error {
			if name == "BackgroundSecurityImprovements" {
				rapid = slices.Clone(raw)
			}
			return nil
		},
	})
	if err != nil || rapid == nil {
		return err
	}
	return l.rapid(rapid)
}

// major reads what stands there about one major version.
func (l *listing) major(n int, raw json.RawMessage, bad error) error {
	where := fmt.Sprintf("OSVersions %d", n)
	if bad != nil {
		return l.keep(item{err: l.bad(where, bad)})
	}
	var latest json.RawMessage
	var fatal error
	product := ""
	err := l.config.Limits.ReadObject(bytes.NewReader(raw), source.Records{
		Arrays: []string{"SecurityReleases"},
		Record: func(_ string, n int, raw json.RawMessage, bad error) error {
			r, err := l.release(fmt.Sprintf("%s: SecurityReleases %d", where, n), raw, "", bad)
			if r.Version != "" && product == "" {
				product = r.Product
			}
			fatal = err
			return err
		},
		Field: func(name string, raw json.RawMessage) error {
			if name == "Latest" {
				latest = slices.Clone(raw)
			}
			return nil
		},
	})
	switch {
	case fatal != nil, errors.Is(err, source.ErrTooLarge):
		return err
	case err != nil:
		return l.keep(item{err: l.bad(where, err)})
	case latest == nil:
		return nil
	}
	// The newest release stands there twice, in version 1 of the feed the second time alone with its build.
	_, err = l.release(where+": Latest", latest, product, nil)
	return err
}

// release reads a release and keeps the patch. The error is one that ends the listing.
func (l *listing) release(where string, raw json.RawMessage, product string, bad error) (release, error) {
	var r release
	if bad == nil {
		bad = json.Unmarshal(raw, &r)
	}
	if bad != nil {
		return release{}, l.keep(item{err: l.bad(where, bad)})
	}
	r.Product = cmp.Or(r.Product, product)
	i, err := r.item()
	if err != nil {
		return release{}, l.keep(item{err: l.bad(where, err)})
	}
	return r, l.keep(i)
}

func (l *listing) bad(where string, err error) error {
	return source.Bad("sofa: "+l.config.Name+": "+where, err)
}

// keep takes an item into the listing.
func (l *listing) keep(i item) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	if l.count++; l.count > l.config.Limits.Max() {
		return fmt.Errorf("more than %d releases: %w", l.config.Limits.Max(), source.ErrTooLarge)
	}
	if i.err != nil {
		var err error
		if l.refused, err = l.config.Limits.Refuse(l.refused, i.err); err != nil {
			return err
		}
	}
	if i.err == nil {
		if known, found := l.index[i.patch.ID]; found {
			merge(&l.items[known].patch, &i.patch)
			return nil
		}
		l.index[i.patch.ID] = len(l.items)
	}
	l.items = append(l.items, i)
	return nil
}

// merge adds to a patch what another record of the same release says.
func merge(p, o *patch.Patch) {
	if p.Released.IsZero() || !o.Released.IsZero() && o.Released.Before(p.Released) {
		p.Released = o.Released
	}
	for name, text := range o.Native {
		if p.Native[name] == "" {
			p.Native[name] = text
		}
	}
	if p.Classification == patch.ClassUnknown {
		p.Classification = o.Classification
	}
	if len(p.ClassificationRaw) == 0 {
		p.ClassificationRaw = o.ClassificationRaw
	}
	for _, link := range o.References {
		if !slices.Contains(p.References, link) {
			p.References = append(p.References, link)
		}
	}
	for _, more := range o.Advisories {
		i := slices.IndexFunc(p.Advisories, func(a patch.Advisory) bool { return a.ID == more.ID })
		if i < 0 {
			p.Advisories = append(p.Advisories, more)
			continue
		}
		a := &p.Advisories[i]
		a.CVEs = append(slices.Clone(a.CVEs), more.CVEs...)
		slices.Sort(a.CVEs)
		a.CVEs = slices.Compact(a.CVEs)
		if more.Severity > a.Severity {
			a.Severity, a.SeverityRaw = more.Severity, more.SeverityRaw
		}
		a.Exploited = max(a.Exploited, more.Exploited)
	}
	for i := range p.Advisories {
		a := &p.Advisories[i]
		a.Published = p.Released
		if a.Exploited == patch.Yes {
			a.KnownSince = p.Released
		}
	}
}

// maxRapid is how many bytes may be about rapid responses. A feed of 2026 has 5,000.
const maxRapid = 4 << 20

// rapid reads the rapid responses, which stand there by major version.
func (l *listing) rapid(raw json.RawMessage) error {
	const where = "BackgroundSecurityImprovements"
	if len(raw) > maxRapid {
		return fmt.Errorf("field %s: more than %d bytes: %w", where, maxRapid, source.ErrTooLarge)
	}
	var majors map[string][]json.RawMessage
	if err := json.Unmarshal(raw, &majors); err != nil {
		return l.keep(item{err: l.bad(where, err)})
	}
	product := ""
	for _, i := range l.items {
		if i.err == nil {
			product, _, _ = strings.Cut(i.patch.ID.Native(), "/")
			break
		}
	}
	for _, major := range slices.Sorted(maps.Keys(majors)) {
		for n, raw := range majors[major] {
			where := fmt.Sprintf("%s %q %d", where, abbreviate(major), n+1)
			var r response
			err := json.Unmarshal(raw, &r)
			var i item
			if err == nil {
				r.Version += r.Extra
				r.Product = product
				i, err = r.item()
			}
			if err != nil {
				i = item{err: l.bad(where, err)}
			}
			if err := l.keep(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// supersede fills in which releases each release supersedes.
func (l *listing) supersede() {
	type branch struct {
		product string
		major   int
	}
	branches := make(map[branch][]int)
	at := func(i *item) branch {
		product, _, _ := strings.Cut(i.patch.ID.Native(), "/")
		return branch{product, i.number[0]}
	}
	for n := range l.items {
		if i := &l.items[n]; i.err == nil && !i.rapid {
			branches[at(i)] = append(branches[at(i)], n)
		}
	}
	for _, order := range branches {
		slices.SortStableFunc(order, func(a, b int) int { return l.items[a].number.compare(l.items[b].number) })
		for k, n := range order[1:] {
			// "26" and "26.0" are one version.
			if before := &l.items[order[k]]; before.number.compare(l.items[n].number) < 0 {
				l.items[n].patch.Supersedes = append(l.items[n].patch.Supersedes, before.patch.ID)
			}
		}
	}
	for n := range l.items {
		i := &l.items[n]
		if i.err != nil || !i.rapid {
			continue
		}
		b := at(i)
		if then, found := l.index[patch.ID("sofa:"+b.product+"/"+i.then)]; found && i.number.compare(l.items[then].number) < 0 {
			p := &l.items[then].patch
			p.Supersedes = append(p.Supersedes, i.patch.ID)
		} else {
			// The first release with a higher version.
			for _, n := range branches[b] {
				if i.number.compare(l.items[n].number) < 0 {
					l.items[n].patch.Supersedes = append(l.items[n].patch.Supersedes, i.patch.ID)
					break
				}
			}
		}
		for _, n := range branches[b] {
			if i.number.compare(l.items[n].number) == 0 {
				i.patch.Requires = append(i.patch.Requires, l.items[n].patch.ID)
			}
		}
	}
}

// A number is a version in its parts.
type number []int

func (a number) compare(b number) int {
	for i := range max(len(a), len(b)) {
		var x, y int
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			return cmp.Compare(x, y)
		}
	}
	return 0
}

// parse reads "15.6.1", "15.6.1 (a)" or "15.6.1(a)". Apple's versions have at most three numbers.
func parse(text string) (n number, plain, extra string, err error) {
	plain, extra, found := strings.Cut(text, "(")
	plain = strings.TrimSpace(plain)
	if found {
		extra = "(" + extra
		if len(extra) != 3 || extra[1] < 'a' || extra[1] > 'z' || extra[2] != ')' {
			return nil, "", "", fmt.Errorf("%q is no version", abbreviate(text))
		}
	}
	for part := range strings.SplitSeq(plain, ".") {
		value, err := strconv.Atoi(part)
		if err != nil || value < 0 || value > 1<<20 || len(n) == 4 || strings.Trim(part, "0123456789") != "" {
			return nil, "", "", fmt.Errorf("%q is no version", abbreviate(text))
		}
		n = append(n, value)
	}
	return n, plain, extra, nil
}

// abbreviate returns the beginning of a text for an error.
func abbreviate(text string) string { return text[:min(len(text), 60)] }
