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

func day(n int) time.Time { return time.Date(2025, 1, n, 0, 0, 0, 0, time.UTC) }

func TestSupersedence(t *testing.T) {
	withdrawn := func(p patch.Patch) patch.Patch { p.Withdrawn = day(9); return p }
	over := func(id patch.ID, released int, older ...patch.ID) patch.Patch {
		p := patch.Patch{ID: id, Supersedes: older}
		if released > 0 {
			p.Released = day(released)
		}
		return p
	}
	tests := []struct {
		name    string
		patches []patch.Patch
		newest  map[patch.ID]patch.ID
	}{
		{
			"nobody supersedes anything",
			[]patch.Patch{over("a", 1), over("b", 2)},
			map[patch.ID]patch.ID{"a": "a", "b": "b", "nobody": "nobody"},
		},
		{
			"a chain is followed to its end",
			[]patch.Patch{over("a", 1), over("b", 2, "a"), over("c", 3, "b"), over("d", 4, "c")},
			map[patch.ID]patch.ID{"a": "d", "b": "d", "c": "d", "d": "d"},
		},
		{
			"the end of a chain counts, not its date",
			[]patch.Patch{over("a", 9), over("b", 8, "a"), over("c", 7, "b")},
			map[patch.ID]patch.ID{"a": "c", "b": "c"},
		},
		{
			"of two that replace one the later release is the newest",
			[]patch.Patch{over("a", 1), over("b", 3, "a"), over("c", 2, "a")},
			map[patch.ID]patch.ID{"a": "b", "b": "b", "c": "c"},
		},
		{
			"without dates the greatest ID is the newest",
			[]patch.Patch{over("a", 0), over("b", 0, "a"), over("c", 0, "a")},
			map[patch.ID]patch.ID{"a": "c", "b": "b"},
		},
		{
			"an ID that is no patch is replaced too",
			[]patch.Patch{over("b", 2, "gone"), over("c", 3, "b")},
			map[patch.ID]patch.ID{"gone": "c", "b": "c"},
		},
		{
			"a withdrawn patch replaces nothing",
			[]patch.Patch{over("a", 1), withdrawn(over("b", 2, "a"))},
			map[patch.ID]patch.ID{"a": "a", "b": "b"},
		},
		{
			"a chain goes on through a withdrawn patch",
			[]patch.Patch{over("a", 1), withdrawn(over("b", 2, "a")), over("c", 3, "b")},
			map[patch.ID]patch.ID{"a": "c", "b": "c"},
		},
		{
			"a patch that supersedes itself is not superseded",
			[]patch.Patch{over("a", 1, "a"), over("b", 2, "b", "a")},
			map[patch.ID]patch.ID{"a": "b", "b": "b"},
		},
		{
			"members of a cycle do not supersede each other",
			[]patch.Patch{over("a", 1, "c"), over("b", 2, "a"), over("c", 3, "b")},
			map[patch.ID]patch.ID{"a": "a", "b": "b", "c": "c"},
		},
		{
			"a patch above a cycle replaces the member that it names, and no other",
			[]patch.Patch{over("a", 1, "b"), over("b", 2, "a"), over("c", 3, "b")},
			map[patch.ID]patch.ID{"a": "a", "b": "c", "c": "c"},
		},
		{
			"what a cycle supersedes is replaced by the newest member that names it",
			[]patch.Patch{over("a", 1), over("b", 2, "a", "c"), over("c", 3, "b", "a")},
			map[patch.ID]patch.ID{"a": "c", "b": "b", "c": "c"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for range 2 {
				c := catalog(t, test.patches...)
				for id, newest := range test.newest {
					require.Equal(t, newest, c.Newest(id), "newest of %s", id)
					require.Equal(t, id != newest, c.Superseded(id), "%s superseded", id)
					replacements := ids(c.Replacements(id))
					require.Equal(t, id != newest, slices.Contains(replacements, newest), "replacements of %s: %s", id, replacements)
				}
				slices.Reverse(test.patches)
			}
		})
	}
}

func TestReplacementsComeNearestFirst(t *testing.T) {
	c := catalog(t,
		patch.Patch{ID: "e", Supersedes: []patch.ID{"b", "c", "a"}},
		patch.Patch{ID: "d", Supersedes: []patch.ID{"c", "b"}},
		patch.Patch{ID: "c", Supersedes: []patch.ID{"a", "a"}},
		patch.Patch{ID: "b", Supersedes: []patch.ID{"a"}, Withdrawn: day(1)},
		patch.Patch{ID: "a"},
	)
	require.Equal(t, []patch.ID{"c", "e", "d"}, ids(c.Replacements("a")))
	require.Equal(t, []patch.ID{"d", "e"}, ids(c.Replacements("b")))
	require.Empty(t, ids(c.Replacements("e")))
	for p := range c.Replacements("a") {
		require.Equal(t, patch.ID("c"), p.ID)
		break
	}
}

func TestAVeryLongChainEnds(t *testing.T) {
	const n = 200_000
	patches := make([]patch.Patch, n)
	for i := range patches {
		patches[i].ID = patch.ID(fmt.Sprintf("x:%06d", i))
		if i > 0 {
			patches[i].Supersedes = []patch.ID{patches[i-1].ID}
		}
	}
	c := catalog(t, patches...)
	require.Equal(t, patch.ID("x:199999"), c.Newest("x:000000"))
}

// TestSupersedenceOfRandomGraphs compares with the definition: links within a cycle are dropped, then everything that can be
// reached upwards and stands is a replacement.
func TestSupersedenceOfRandomGraphs(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 0))
		n := 2 + r.IntN(9)
		patches := make([]patch.Patch, n)
		var down [12][12]bool
		for i := range patches {
			patches[i].ID = patch.ID(fmt.Sprint(i))
			if r.IntN(4) == 0 {
				patches[i].Withdrawn = day(1)
			}
			patches[i].Released = day(1 + r.IntN(3))
			for range r.IntN(3) {
				j := r.IntN(n + 1) // n is an ID that is no patch
				down[i][j] = true
				patches[i].Supersedes = append(patches[i].Supersedes, patch.ID(fmt.Sprint(j)))
			}
		}
		closure := func(g [12][12]bool) [12][12]bool {
			for k := range g {
				for i := range g {
					for j := range g {
						g[i][j] = g[i][j] || g[i][k] && g[k][j]
					}
				}
			}
			return g
		}
		reach := closure(down)
		for i := range down {
			for j := range down {
				down[i][j] = down[i][j] && !reach[j][i]
			}
		}
		reach = closure(down)
		c := catalog(t, patches...)
		for j := range n + 1 {
			var want []patch.ID
			newest := -1
			for i := range n {
				if !reach[i][j] || !patches[i].Withdrawn.IsZero() {
					continue
				}
				want = append(want, patches[i].ID)
				replaced := false
				for k := range n {
					replaced = replaced || reach[k][i] && patches[k].Withdrawn.IsZero()
				}
				if !replaced && (newest < 0 || !patches[i].Released.Before(patches[newest].Released)) {
					newest = i
				}
			}
			id := patch.ID(fmt.Sprint(j))
			got := ids(c.Replacements(id))
			slices.Sort(got)
			require.Equal(t, want, got, "seed %d: replacements of %s in %v", seed, id, patches)
			wantNewest := id
			if newest >= 0 {
				wantNewest = patches[newest].ID
			}
			require.Equal(t, wantNewest, c.Newest(id), "seed %d: newest of %s in %v", seed, id, patches)
			require.Equal(t, newest >= 0, c.Superseded(id))
		}
	}
}
