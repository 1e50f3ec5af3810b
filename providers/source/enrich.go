package source

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/patchflow/patchflow/patch"
)

// IsCVE says whether a text is the name of a CVE: "CVE-", a year of four digits, a hyphen, and four to nineteen digits, as the
// schema of CVE records has it.
func IsCVE(name string) bool {
	if len(name) < len("CVE-1999-0001") || len(name) > len("CVE-1999-")+19 || name[:4] != "CVE-" || name[8] != '-' {
		return false
	}
	for i := 4; i < len(name); i++ {
		if i != 8 && (name[i] < '0' || name[i] > '9') {
			return false
		}
	}
	return true
}

// An Addition is an advisory that an enricher may know more of.
type Addition struct {
	// Patch is a copy whose advisories, native fields and provenance are its own, Advisory is one of its advisories, with
	// scores that can be appended to. What else they point to belongs to the catalog. Was is the patch in the catalog.
	Patch    *patch.Patch
	Advisory *patch.Advisory
	Was      *patch.Patch

	CVEs []string // those of the advisory that are known, each once, in the order in which they stand
}

// Native sets a native field of the patch and says whether that changes anything.
func (a *Addition) Native(name, value string) bool {
	if a.Patch.Native[name] == value {
		return false
	}
	if a.Patch.Native == nil {
		a.Patch.Native = make(map[string]string)
	}
	a.Patch.Native[name] = value
	return true
}

// Credit notes that a field of the advisory, by its name in JSON, comes from somewhere else: "kev:2026.08.21". See
// [patch.Patch.Provenance].
func (a *Addition) Credit(field string, from patch.ID) {
	a.CreditPatch("advisories/"+a.Advisory.ID+"/"+field, from)
}

// CreditPatch notes the same of a field of the patch.
func (a *Addition) CreditPatch(field string, from patch.ID) {
	p := patch.Provenance{Field: field, From: from}
	i, found := slices.BinarySearchFunc(a.Patch.Provenance, p, func(a, b patch.Provenance) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.From, b.From))
	})
	if !found {
		a.Patch.Provenance = slices.Insert(a.Patch.Provenance, i, p)
	}
}

// Enrich is what enrichers have in common that know CVEs: for each advisory in c that names a CVE which is known, by its list
// or by its own ID, it calls add with a copy to be changed. It returns the copies of the patches of which add said, for
// one advisory at least, that it changed something, in the order of the catalog. c stays as it is. A nil catalog is an
// empty one. The only error is that of ctx.
func Enrich(ctx context.Context, c *patch.Catalog, known func(cve string) bool, add func(*Addition) bool) ([]patch.Patch, error) {
	if c == nil {
		return nil, ctx.Err()
	}
	var changed []patch.Patch
	for was := range c.All() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var p *patch.Patch
		differs := false
		for i := range was.Advisories {
			cves := knownCVEs(&was.Advisories[i], known)
			if len(cves) == 0 {
				continue
			}
			if p == nil {
				p = new(patch.Patch)
				*p = *was
				p.Native = maps.Clone(was.Native)
				p.Provenance = slices.Clone(was.Provenance)
				p.Advisories = slices.Clone(was.Advisories)
				for j := range p.Advisories {
					p.Advisories[j].Scores = slices.Clip(p.Advisories[j].Scores)
				}
			}
			if add(&Addition{Patch: p, Advisory: &p.Advisories[i], Was: was, CVEs: cves}) {
				differs = true
			}
		}
		if differs {
			changed = append(changed, *p)
		}
	}
	return changed, ctx.Err()
}

// knownCVEs returns the CVEs that an advisory names and that are known. An advisory can be a CVE itself.
func knownCVEs(a *patch.Advisory, known func(string) bool) []string {
	var names []string
	for _, name := range a.CVEs {
		if known(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if IsCVE(a.ID) && known(a.ID) && !slices.Contains(names, a.ID) {
		names = append(names, a.ID)
	}
	return names
}
