package feeds

import (
	"context"
	"maps"
	"slices"

	"github.com/patchflow/patchflow/patch"
)

// earlier fills in what a catalog that was in force knew about the advisories of the same patches, where nobody says it now: an
// enricher whose feed has failed since the process began has not taken it back.
type earlier struct{ was *patch.Catalog }

// Enrich implements [patch.Enricher].
func (e earlier) Enrich(ctx context.Context, c *patch.Catalog) ([]patch.Patch, error) {
	var changed []patch.Patch
	for p := range c.All() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		old, found := e.was.Get(p.ID)
		if !found || old.ID != p.ID {
			continue
		}
		next := *p
		next.Advisories = slices.Clone(p.Advisories)
		differs := false
		for i := range next.Advisories {
			a := &next.Advisories[i]
			j := slices.IndexFunc(old.Advisories, func(o patch.Advisory) bool { return o.ID == a.ID })
			if j >= 0 && remember(a, &old.Advisories[j]) {
				differs = true
			}
		}
		if !differs {
			continue
		}
		next.Native = maps.Clone(old.Native)
		if next.Native == nil {
			next.Native = make(map[string]string)
		}
		maps.Copy(next.Native, p.Native)
		next.Provenance = slices.Clone(p.Provenance)
		for _, v := range old.Provenance {
			if !slices.Contains(next.Provenance, v) {
				next.Provenance = append(next.Provenance, v)
			}
		}
		changed = append(changed, next)
	}
	return changed, nil
}

// remember fills what a does not know from what was known, and says whether that is anything.
func remember(a, was *patch.Advisory) bool {
	differs := false
	if a.Exploited == patch.Unknown && was.Exploited != patch.Unknown {
		a.Exploited, a.KnownSince, differs = was.Exploited, was.KnownSince, true
	}
	if a.EPSS == 0 && was.EPSS != 0 {
		a.EPSS, differs = was.EPSS, true
	}
	for _, s := range was.Scores {
		if !slices.Contains(a.Scores, s) {
			a.Scores, differs = append(slices.Clip(a.Scores), s), true
		}
	}
	return differs
}
