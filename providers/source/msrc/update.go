package msrc

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
)

// An origin is the document and the vulnerability that something stands in.
type origin struct {
	name             string
	number           int
	products         map[string]string
	initial, current time.Time
}

// An update is a patch that grows as documents and rows name it.
type update struct {
	id         patch.ID
	title      string
	packages   map[packageKey]bool
	products   set
	builds     set
	classes    set
	supersedes set
	superRaw   set
	urls       set
	restart    [4]bool // by patch.Reboot
	rated      rated   // what is said without a CVE
	advisories map[string]*advisory

	released, modified time.Time
}

type packageKey struct{ ecosystem, name, introduced, fixed string }

type advisory struct {
	patch.Advisory
	vectors map[string]bool
}

// A set is a set of texts. Its zero value is empty and usable.
type set map[string]bool

func (s *set) add(text string) {
	if text == "" {
		return
	}
	if *s == nil {
		*s = make(set)
	}
	(*s)[text] = true
}

func (s set) sorted() []string { return slices.Sorted(maps.Keys(s)) }

// mostScores is how many scores of a vulnerability are kept for one product, which has one as a rule.
const mostScores = 16

// facts are what a vulnerability says of its products; "" holds what it says of all.
type facts struct {
	severity map[string]rated
	vectors  map[string][]string
	exploit  patch.Tri
}

type rated struct {
	severity patch.Severity
	raw      string
}

func (a rated) worst(b rated) rated {
	if a.raw == "" || b.severity > a.severity {
		return b
	}
	return a
}

// facts gathers the threats and scores of v by product.
func (v *vulnerability) facts() facts {
	f := facts{severity: make(map[string]rated), vectors: make(map[string][]string)}
	each := func(ids []text, do func(id string)) {
		if len(ids) == 0 {
			do("")
		}
		for _, id := range ids {
			do(id.String())
		}
	}
	for i := range v.Threats {
		t := &v.Threats[i]
		word := t.Description.String()
		switch {
		case t.severity() && word != "":
			each(t.Products, func(id string) { f.severity[id] = f.severity[id].worst(rated{source.Severity(word), word}) })
		case t.exploit():
			f.exploit = max(f.exploit, exploited(word))
		}
	}
	for i := range v.Scores {
		vector := v.Scores[i].Vector.String()
		each(v.Scores[i].Products, func(id string) {
			if vector != "" && len(f.vectors[id]) < mostScores && !slices.Contains(f.vectors[id], vector) {
				f.vectors[id] = append(f.vectors[id], vector)
			}
		})
	}
	return f
}

// exploited reads "Publicly Disclosed:No;Exploited:Yes;Latest Software Release:Exploitation Detected".
func exploited(status string) patch.Tri {
	answer := patch.Unknown
	for field := range strings.SplitSeq(status, ";") {
		name, value, _ := strings.Cut(field, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case value == "Exploitation Detected", name == "Exploited" && strings.EqualFold(value, "yes"):
			return patch.Yes
		case name == "Exploited" && strings.EqualFold(value, "no"):
			answer = patch.No
		}
	}
	return answer
}

// vulnerability adds one vulnerability to the updates that its remediations name.
func (l *listing) vulnerability(o *origin, v *vulnerability) error {
	f := v.facts()
	where := fmt.Sprintf("msrc: %s: vulnerability %d", o.name, o.number)
	name := v.CVE.String()
	if name == "" {
		return l.tell(source.Bad(where, errors.New("it has no CVE")))
	}
	var first, last time.Time
	for i := range v.Revisions {
		if at := v.Revisions[i].Date.time(); !at.IsZero() {
			if first.IsZero() || at.Before(first) {
				first = at
			}
			if at.After(last) {
				last = at
			}
		}
	}
	if last.IsZero() {
		last = o.current
	}
	scores := make(map[string]patch.Score)
	for i := range v.Scores {
		vector := v.Scores[i].Vector.String()
		if _, known := scores[vector]; known || vector == "" {
			continue
		}
		s, err := source.Score(vector, "msrc")
		if err != nil {
			if err := l.tell(source.Bad(fmt.Sprintf("%s (%s): score %d", where, name, i+1), err)); err != nil {
				return err
			}
		}
		scores[vector] = s
	}
	type done struct {
		id      patch.ID
		product string
	}
	seen := make(map[done]bool)
	for i := range v.Remediations {
		r := &v.Remediations[i]
		if !r.vendorFix() {
			continue
		}
		ids, err := r.names(o)
		if err != nil {
			if err := l.tell(source.Bad(fmt.Sprintf("%s (%s): remediation %d", where, name, i+1), err)); err != nil {
				return err
			}
		}
		for _, n := range ids {
			u := l.update(n.id)
			u.fix(r, n.products, o)
			u.seen(o.initial, last)
			a := u.advisory(name, v.Title.String())
			a.Exploited = max(a.Exploited, f.exploit)
			if a.Published.IsZero() || !first.IsZero() && first.Before(a.Published) {
				a.Published = first
			}
			for j := -1; j < len(n.products); j++ {
				product := "" // what is said of all products
				if j >= 0 {
					product = n.products[j]
				}
				if seen[done{n.id, product}] {
					continue
				}
				seen[done{n.id, product}] = true
				a.rate(f.severity[product])
				for _, vector := range f.vectors[product] {
					a.score(scores[vector])
				}
			}
		}
	}
	return nil
}

// A named is a patch that a remediation names, and the products that it is for.
type named struct {
	id       patch.ID
	products []string
}

// names returns the patches that r names: that of its KB, or one for each product. Products without a KB that cannot make an
// ID are told by the error, which stands beside the others.
func (r *remediation) names(o *origin) (all []named, err error) {
	products := make([]string, 0, len(r.Products))
	for _, id := range r.Products {
		if id := id.String(); id != "" {
			products = append(products, id)
		}
	}
	if id, ok := kbID(r.Description.String()); ok {
		return []named{{id, products}}, nil
	}
	build := r.FixedBuild.String()
	if !isVersion(build) {
		return nil, fmt.Errorf("%.80q names no KB, and its FixedBuild %.80q is no version", r.Description.String(), build)
	}
	if len(products) == 0 {
		return nil, fmt.Errorf("%.80q names no KB, and version %s is of no product", r.Description.String(), build)
	}
	for _, p := range products {
		if strings.ContainsAny(p, " :=/") || o.products[p] == "" {
			err = fmt.Errorf("%.80q names no KB, and product %.40q of version %s is not defined", r.Description.String(), p, build)
			continue
		}
		all = append(all, named{patch.ID("msrc:" + p + "=" + build), []string{p}})
	}
	return all, err
}

// fix adds what r says of products.
func (u *update) fix(r *remediation, products []string, o *origin) {
	build := r.FixedBuild.String()
	u.builds.add(build)
	u.classes.add(r.SubType.String())
	u.urls.add(r.URL.String())
	raw := r.Supercedence.String()
	u.superRaw.add(raw)
	for _, id := range kbIDs(raw) {
		u.supersedes.add(string(id))
	}
	u.restart[restart(r.Restart.String())] = true
	for _, id := range products {
		name := o.products[id]
		u.products.add(cmp.Or(name, id))
		switch first, os := osBranch(name, build); {
		case os:
			u.pack(packageKey{Windows, OS, first, build})
		case isVersion(build) && name != "":
			u.pack(packageKey{ecosystem: Microsoft, name: name, fixed: build})
		}
		if u.title == "" && !strings.HasPrefix(string(u.id), "msrc:KB") {
			u.title = name + " " + build
		}
	}
}

func (u *update) pack(k packageKey) {
	if u.packages == nil {
		u.packages = make(map[packageKey]bool)
	}
	u.packages[k] = true
}

// seen notes when something that names u was published and last changed.
func (u *update) seen(released, modified time.Time) {
	if !released.IsZero() && (u.released.IsZero() || released.Before(u.released)) {
		u.released = released
	}
	if modified.After(u.modified) {
		u.modified = modified
	}
}

func (u *update) advisory(name, title string) *advisory {
	a := u.advisories[name]
	if a == nil {
		a = &advisory{Advisory: patch.Advisory{ID: name, Title: title}, vectors: make(map[string]bool)}
		if source.IsCVE(name) {
			a.CVEs = []string{name}
		}
		u.advisories[name] = a
	}
	return a
}

func (a *advisory) rate(r rated) {
	worst := rated{a.Severity, a.SeverityRaw}.worst(r)
	a.Severity, a.SeverityRaw = worst.severity, worst.raw
}

func (a *advisory) score(s patch.Score) {
	if s.Vector != "" && !a.vectors[s.Vector] {
		a.vectors[s.Vector] = true
		a.Scores = append(a.Scores, s)
	}
}

func restart(word string) patch.Reboot {
	switch strings.ToLower(word) {
	case "yes":
		return patch.RebootAlways
	case "maybe":
		return patch.RebootMaybe
	case "no":
		return patch.RebootNever
	}
	return patch.RebootUnknown
}

// reboot returns what all products together need; if they differ the installer must tell. A never for one is no answer for
// another of which nothing is said.
func (u *update) reboot() patch.Reboot {
	switch {
	case u.restart[patch.RebootAlways] && !u.restart[patch.RebootMaybe] && !u.restart[patch.RebootNever] && !u.restart[patch.RebootUnknown]:
		return patch.RebootAlways
	case u.restart[patch.RebootAlways], u.restart[patch.RebootMaybe]:
		return patch.RebootMaybe
	case u.restart[patch.RebootNever] && !u.restart[patch.RebootUnknown]:
		return patch.RebootNever
	}
	return patch.RebootUnknown
}

// classification translates a SubType.
func classification(word string) patch.Classification {
	switch strings.ToLower(word) {
	case "security only", "ie cumulative", "security hotpatch update":
		return patch.ClassSecurity
	}
	return source.Classification(word)
}

// patch returns u as a patch.
func (u *update) patch() patch.Patch {
	p := patch.Patch{
		ID:                u.id,
		Title:             cmp.Or(u.title, u.id.Native()),
		ClassificationRaw: u.classes.sorted(),
		Reboot:            u.reboot(),
		Released:          u.released,
		Modified:          u.modified,
		References:        u.urls.sorted(),
	}
	for i, word := range p.ClassificationRaw {
		c := classification(word)
		p.Contested = p.Contested || i > 0 && c != p.Classification
		if i == 0 || p.Classification == patch.ClassUnknown {
			p.Classification = c
		}
	}
	for _, id := range u.supersedes.sorted() {
		p.Supersedes = append(p.Supersedes, patch.ID(id))
	}
	for _, k := range slices.SortedFunc(maps.Keys(u.packages), func(a, b packageKey) int {
		return cmp.Or(cmp.Compare(a.ecosystem, b.ecosystem), cmp.Compare(a.name, b.name),
			cmp.Compare(a.introduced, b.introduced), cmp.Compare(a.fixed, b.fixed))
	}) {
		q := patch.Package{Ecosystem: k.ecosystem, Name: k.name, Fixed: version.Version{Scheme: Raw, Text: k.fixed}}
		if k.introduced != "" {
			q.Fixed.Scheme = version.Windows
			q.Introduced = version.Version{Scheme: version.Windows, Text: k.introduced}
		}
		p.Packages = append(p.Packages, q)
	}
	worst := u.rated
	for _, name := range slices.Sorted(maps.Keys(u.advisories)) {
		a := &u.advisories[name].Advisory
		slices.SortFunc(a.Scores, func(x, y patch.Score) int { return cmp.Compare(x.Vector, y.Vector) })
		p.Advisories = append(p.Advisories, *a)
		worst = worst.worst(rated{a.Severity, a.SeverityRaw})
	}
	p.Severity, p.SeverityRaw = worst.severity, worst.raw
	p.Native = make(map[string]string)
	for name, s := range map[string]set{"products": u.products, "fixedBuild": u.builds, "supercedence": u.superRaw} {
		if len(s) > 0 {
			p.Native[name] = strings.Join(s.sorted(), "; ")
		}
	}
	return p
}
