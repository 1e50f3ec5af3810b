package source_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

func catalog(t testing.TB, patches ...patch.Patch) *patch.Catalog {
	t.Helper()
	c, err := patch.NewCatalog(patches)
	require.NoError(t, err)
	return c
}

func TestIsCVE(t *testing.T) {
	for name, want := range map[string]bool{
		"CVE-1999-0001": true, "CVE-2024-123456": true, "CVE-2024-" + strings.Repeat("9", 19): true,
		"": false, "CVE-": false, "CVE-2024-123": false, "CVE-2024-12a4": false, "cve-2024-1234": false, "CVE-24-123456": false,
		"CVE-2024_1234": false, " CVE-2024-1234": false, "CVE-2024-1234 ": false, "GHSA-xxxx-yyyy": false, "CVE-20a4-1234": false,
		"CVE-2024-" + strings.Repeat("9", 20): false,
	} {
		require.Equal(t, want, source.IsCVE(name), name)
	}
}

func TestEnrichCallsForAdvisoriesThatNameAKnownCVE(t *testing.T) {
	c := catalog(t,
		patch.Patch{ID: "x:1", Advisories: []patch.Advisory{
			{ID: "A-1", CVEs: []string{"CVE-2024-0001", "CVE-2024-0009", "CVE-2024-0002", "CVE-2024-0001"}},
			{ID: "A-2", CVEs: []string{"CVE-2024-0009"}},
			{ID: "CVE-2024-0001", CVEs: []string{"CVE-2024-0001"}},
		}},
		patch.Patch{ID: "x:2", Advisories: []patch.Advisory{{ID: "CVE-2024-0002"}}},
		patch.Patch{ID: "x:3"},
		patch.Patch{ID: "x:4", Advisories: []patch.Advisory{{ID: "A-9"}}},
	)
	known := func(cve string) bool { return cve != "CVE-2024-0009" && cve != "A-9" }
	var calls []string
	changed, err := source.Enrich(t.Context(), c, known, func(a *source.Addition) bool {
		was, _ := c.Get(a.Patch.ID)
		require.Same(t, was, a.Was)
		calls = append(calls, fmt.Sprint(a.Patch.ID, " ", a.Advisory.ID, " ", a.CVEs))
		return a.Advisory.ID == "A-1"
	})
	require.NoError(t, err)
	require.Equal(t, []string{
		"x:1 A-1 [CVE-2024-0001 CVE-2024-0002]", "x:1 CVE-2024-0001 [CVE-2024-0001]", "x:2 CVE-2024-0002 [CVE-2024-0002]",
	}, calls)
	require.Len(t, changed, 1)
	require.Equal(t, patch.ID("x:1"), changed[0].ID)
}

func TestEnrichLeavesTheCatalogAsItIs(t *testing.T) {
	room := append(make([]patch.Score, 0, 8), patch.Score{Base: 1})
	native := map[string]string{"a": "1"}
	credit := func(field string, from patch.ID) patch.Provenance {
		return patch.Provenance{Field: field, From: from}
	}
	told := append(make([]patch.Provenance, 0, 8), credit("advisories/CVE-2024-0001/scores", "z:1"))
	c := catalog(t, patch.Patch{ID: "x:1", Native: native, Provenance: told, Advisories: []patch.Advisory{{ID: "CVE-2024-0001", Scores: room}}})
	add := func(a *source.Addition) bool {
		a.Advisory.Exploited = patch.Yes
		a.Advisory.Scores = append(a.Advisory.Scores, patch.Score{Base: 2})
		require.True(t, a.Native("b", "2"))
		require.False(t, a.Native("b", "2"))
		require.False(t, a.Native("a", "1"))
		a.Credit("scores", "y:1")
		a.Credit("exploited", "y:1")
		a.Credit("scores", "y:1")
		a.Credit("scores", "w:1")
		a.CreditPatch("native", "y:1")
		return true
	}
	all := func(string) bool { return true }
	first, err := source.Enrich(t.Context(), c, all, add)
	require.NoError(t, err)
	second, err := source.Enrich(t.Context(), c, all, add)
	require.NoError(t, err)
	require.Equal(t, first, second)
	require.Equal(t, map[string]string{"a": "1", "b": "2"}, first[0].Native)
	require.Len(t, first[0].Advisories[0].Scores, 2)
	require.Equal(t, []patch.Provenance{
		credit("advisories/CVE-2024-0001/exploited", "y:1"), credit("advisories/CVE-2024-0001/scores", "w:1"),
		credit("advisories/CVE-2024-0001/scores", "y:1"), credit("advisories/CVE-2024-0001/scores", "z:1"), credit("native", "y:1"),
	}, first[0].Provenance)
	was, _ := c.Get("x:1")
	require.Equal(t, map[string]string{"a": "1"}, was.Native)
	require.Equal(t, []patch.Provenance{credit("advisories/CVE-2024-0001/scores", "z:1")}, was.Provenance)
	require.Equal(t, []patch.Advisory{{ID: "CVE-2024-0001", Scores: []patch.Score{{Base: 1}}}}, was.Advisories)
}

func TestEnrichEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := catalog(t, patch.Patch{ID: "x:1", Advisories: []patch.Advisory{{ID: "CVE-2024-0001"}}}, patch.Patch{ID: "x:2"})
	changed, err := source.Enrich(ctx, c, func(string) bool { return true }, func(a *source.Addition) bool {
		cancel()
		return a.Native("a", "1")
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Nil(t, changed)
	changed, err = source.Enrich(t.Context(), nil, nil, nil)
	require.NoError(t, err)
	require.Empty(t, changed)
}

// An enricher says which CVEs it knows, and adds to a copy of each advisory that names one.
func ExampleEnrich() {
	c, _ := patch.NewCatalog([]patch.Patch{{ID: "debian:bookworm/xz-utils=5.4.1-1", Advisories: []patch.Advisory{{ID: "DSA-5649-1", CVEs: []string{"CVE-2024-3094"}}}}})
	known := func(cve string) bool { return cve == "CVE-2024-3094" }
	changed, err := source.Enrich(context.Background(), c, known, func(a *source.Addition) bool {
		if a.Advisory.Exploited == patch.Yes {
			return false
		}
		a.Advisory.Exploited = patch.Yes
		return true
	})
	fmt.Println(changed[0].ID, changed[0].Exploited(), err)
	// Output: debian:bookworm/xz-utils=5.4.1-1 yes <nil>
}
