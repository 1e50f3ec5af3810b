package providertest

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
)

// EnricherHarness tells [Enricher] how to get at an enricher.
type EnricherHarness struct {
	// New returns the enricher.
	New func(t *testing.T) patch.Enricher

	// Patches are what it is given. It knows more of at least one of them; others had better be rated higher already
	// than it would rate them.
	Patches []patch.Patch
}

// Enricher checks a [patch.Enricher].
func Enricher(t *testing.T, h EnricherHarness) {
	t.Helper()
	run(t, enricherPromises(), func(t *testing.T) enricherFixture {
		c, err := patch.NewCatalog(h.Patches)
		require.NoError(t, err)
		return enricherFixture{h, h.New(t), c}
	}, nil)
}

type enricherFixture struct {
	EnricherHarness
	enricher patch.Enricher
	catalog  *patch.Catalog
}

func (f enricherFixture) enrich(t *testing.T) []patch.Patch {
	t.Helper()
	changed, err := f.enricher.Enrich(t.Context(), f.catalog)
	require.NoError(t, err)
	require.NotEmpty(t, changed, "the harness must provide a patch that the enricher knows more of")
	return changed
}

// lowered says what is less in b than it was in a, or "".
func lowered(a, b *patch.Patch) string {
	exploited := func(a, b patch.Tri) bool {
		return a == patch.Yes && b != patch.Yes || a != patch.Unknown && b == patch.Unknown
	}
	if b.Severity < a.Severity {
		return "severity"
	}
	if exploited(a.Exploited(), b.Exploited()) {
		return "exploited"
	}
	for i := range a.Advisories {
		was := &a.Advisories[i]
		j := slices.IndexFunc(b.Advisories, func(o patch.Advisory) bool { return o.ID == was.ID })
		if j < 0 {
			return "advisory " + was.ID
		}
		is := &b.Advisories[j]
		switch {
		case is.Severity < was.Severity:
			return "severity of " + was.ID
		case exploited(was.Exploited, is.Exploited):
			return "exploited of " + was.ID
		case len(is.Scores) < len(was.Scores):
			return "scores of " + was.ID
		case len(is.CVEs) < len(was.CVEs):
			return "CVEs of " + was.ID
		case is.EPSS == 0 && was.EPSS != 0:
			return "EPSS of " + was.ID
		}
	}
	return ""
}

func enricherPromises() []promise[enricherFixture] {
	return []promise[enricherFixture]{
		{"Enrich", "only patches of the catalog are returned, and only changed ones", "Enrich returns the changed copies of the patches in c that it knows more of.",
			func(t *testing.T, f enricherFixture) {
				for _, p := range f.enrich(t) {
					was, found := f.catalog.Get(p.ID)
					require.True(t, found, "%s is not in the catalog", p.ID)
					require.NotEmpty(t, cmp.Diff(*was, p), "%s has not changed", p.ID)
				}
			}},
		{"Enrich", "nothing is lowered", "It may fill what is unknown and raise a severity; it never lowers one.",
			func(t *testing.T, f enricherFixture) {
				for _, p := range f.enrich(t) {
					if was, found := f.catalog.Get(p.ID); found {
						require.Empty(t, lowered(was, &p), "lowered in %s", p.ID)
					}
				}
			}},
		{"Enrich", "the catalog stays as it is", "It does not change c.", func(t *testing.T, f enricherFixture) {
			same, err := patch.NewCatalog(f.Patches)
			require.NoError(t, err)
			f.enrich(t)
			for was := range same.All() {
				is, found := f.catalog.Get(was.ID)
				require.True(t, found)
				require.Empty(t, cmp.Diff(*was, *is), "%s has changed in the catalog (-before +after)", was.ID)
			}
		}},
		{"Enrich", "a second call with the result finds nothing new", "A second call with the result in the catalog returns nothing new.",
			func(t *testing.T, f enricherFixture) {
				var known []patch.Patch
				for _, p := range f.enrich(t) {
					if _, found := f.catalog.Get(p.ID); found {
						known = append(known, p)
					}
				}
				richer, err := f.catalog.With(known)
				require.NoError(t, err)
				again, err := f.enricher.Enrich(t.Context(), richer)
				require.NoError(t, err)
				for _, p := range again {
					was, found := richer.Get(p.ID)
					require.True(t, !found || cmp.Equal(*was, p), "%s has changed once more", p.ID)
				}
			}},
		{"Enrich", "calls at once do not disturb each other", "It is safe for concurrent use.", func(t *testing.T, f enricherFixture) {
			errs := make([]error, 4)
			got := make([][]patch.Patch, len(errs))
			atOnce(len(errs), func(i int) { got[i], errs[i] = f.enricher.Enrich(t.Context(), f.catalog) })
			for i := range errs {
				require.NoError(t, errs[i])
				require.Len(t, got[i], len(got[0]))
			}
		}},
	}
}
