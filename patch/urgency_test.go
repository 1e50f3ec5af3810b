package patch_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
)

func TestCompareUrgency(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	advised := func(id patch.ID, a ...patch.Advisory) patch.Patch { return patch.Patch{ID: id, Advisories: a} }
	order := []patch.Patch{ // the most urgent first
		{ID: "exploited", Severity: patch.SeverityLow, Advisories: []patch.Advisory{{Exploited: patch.No}, {Exploited: patch.Yes}}},
		{ID: "critical", Severity: patch.SeverityCritical},
		advised("critical by one of its advisories, but an ID later", patch.Advisory{}, patch.Advisory{Severity: patch.SeverityCritical}),
		advised("a likely one", patch.Advisory{Severity: patch.SeverityModerate, EPSS: 0.1}, patch.Advisory{EPSS: 0.9}),
		advised("a less likely one", patch.Advisory{Severity: patch.SeverityModerate, EPSS: 0.8, Scores: []patch.Score{{Base: 10}}}),
		{ID: "closes a hole", Classification: patch.ClassSecurity},
		advised("a high score", patch.Advisory{Scores: []patch.Score{{Base: 2}, {Base: 9.8}}}),
		advised("a lower one", patch.Advisory{Scores: []patch.Score{{Base: 9.7}}}),
		{ID: "old", Released: at},
		{ID: "new", Released: at.Add(time.Hour)},
		{ID: "a of unknown age", Advisories: []patch.Advisory{{Exploited: patch.No}}},
		{ID: "b of unknown age"},
	}
	for i := range order {
		for j := range order {
			want := 0
			switch {
			case i < j:
				want = -1
			case i > j:
				want = 1
			}
			require.Equal(t, want, patch.CompareUrgency(&order[i], &order[j]), "%s and %s", order[i].ID, order[j].ID)
		}
	}
	shuffled := slices.Clone(order)
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		slices.SortFunc(shuffled, func(a, b patch.Patch) int { return patch.CompareUrgency(&a, &b) })
		require.Equal(t, order, shuffled)
	}
}

func ExampleCompareUrgency() {
	patches := []*patch.Patch{
		{ID: "dsa:1", Severity: patch.SeverityCritical},
		{ID: "dsa:2", Severity: patch.SeverityLow, Advisories: []patch.Advisory{{ID: "CVE-2026-1", Exploited: patch.Yes}}},
		{ID: "dsa:3", Severity: patch.SeverityLow},
	}
	slices.SortFunc(patches, patch.CompareUrgency)
	for _, p := range patches {
		fmt.Println(p.ID, p.Severity, "exploited:", p.Exploited())
	}
	// Output:
	// dsa:2 low exploited: yes
	// dsa:1 critical exploited: unknown
	// dsa:3 low exploited: unknown
}
