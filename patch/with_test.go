package patch_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
)

func TestFixing(t *testing.T) {
	names := func(id patch.ID, cves ...string) patch.Patch {
		return patch.Patch{ID: id, Advisories: []patch.Advisory{{CVEs: cves}, {CVEs: cves}}}
	}
	gone := names("d:0", "CVE-1")
	gone.Withdrawn = day(1)
	c := catalog(t, names("d:2", "CVE-2", "CVE-1"), names("d:1", "CVE-1", "CVE-1"), names("d:3", "CVE-10"), gone)
	for cve, want := range map[string][]patch.ID{"CVE-1": {"d:1", "d:2"}, "CVE-2": {"d:2"}, "CVE-10": {"d:3"}, "CVE-3": nil, "": nil, "CVE-": nil} {
		require.Equal(t, want, ids(c.Fixing(cve)), cve)
	}
	for p := range c.Fixing("CVE-1") {
		require.Equal(t, patch.ID("d:1"), p.ID)
		break
	}
	require.Empty(t, ids((&patch.Catalog{}).Fixing("CVE-1")))
	require.Empty(t, ids(catalog(t, gone).Fixing("CVE-1")))
}

func TestWithSharesWhatItDoesNotChange(t *testing.T) {
	c := catalog(t, realistic(100)...)
	more, err := c.With([]patch.Patch{{ID: "osv:DSA-0003-1", Title: "changed"}})
	require.NoError(t, err)
	for p := range c.All() {
		q, _ := more.Get(p.ID)
		require.Equal(t, p.ID != "osv:DSA-0003-1", p == q, p.ID)
	}
	require.Same(t, &c.ByPackage("Debian:11", "package-4-0")[0], &more.ByPackage("Debian:11", "package-4-0")[0])
	require.Empty(t, more.ByPackage("Debian:11", "package-3-0"))
	require.Len(t, c.ByPackage("Debian:11", "package-3-0"), 1)
}

func TestAnEcosystemWithoutPatchesIsNotCovered(t *testing.T) {
	c := catalog(t, fixes("d:1", debian("a", "1")), fixes("d:2"), fixes("d:3"))
	none, err := c.With([]patch.Patch{fixes("d:1")})
	require.NoError(t, err)
	require.False(t, none.Covers("Debian:12"))
	require.True(t, c.Covers("Debian:12"))
	again, err := none.With([]patch.Patch{fixes("d:2", debian("a", "1"))})
	require.NoError(t, err)
	require.True(t, again.Covers("Debian:12"))
	require.False(t, none.Covers("Debian:12"))
}

// However a catalog came about, it answers as a new one of the same patches does.
func TestWithIsANewCatalog(t *testing.T) {
	seeds := uint64(150)
	if testing.Short() {
		seeds = 15
	}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 5))
		all := map[patch.ID]patch.Patch{}
		some := func(n int) (list []patch.Patch) {
			seen := map[patch.ID]bool{}
			for range n {
				p := randomPatch(r, "s0", r.IntN(40))
				if r.IntN(8) == 0 {
					p.Aliases = []patch.ID{"x:" + p.ID}
				}
				if old, found := all[p.ID]; found && r.IntN(2) == 0 { // as an enricher does
					old.Severity = p.Severity
					p = old
				}
				if !seen[p.ID] {
					seen[p.ID] = true
					list = append(list, p)
				}
			}
			for _, p := range list {
				all[p.ID] = p
			}
			return list
		}
		c := catalog(t, some(20)...)
		for range 6 {
			before := c
			old := answers(before)
			var err error
			c, err = c.With(some(1 + r.IntN(6)))
			require.NoError(t, err)
			require.Equal(t, old, answers(before), "the catalog before has changed")
			var list []patch.Patch
			for _, p := range all {
				list = append(list, p)
			}
			require.Equal(t, answers(catalog(t, list...)), answers(c), "seed %d", seed)
		}
	}
}

// answers is all that a catalog of random patches can be asked.
func answers(c *patch.Catalog) (all []string) {
	say := func(v ...any) { all = append(all, fmt.Sprintln(v...)) }
	for i := range 40 {
		for _, id := range []patch.ID{patch.ID(fmt.Sprint("s0:", i)), patch.ID(fmt.Sprint("x:s0:", i)), patch.ID(fmt.Sprint("s1:", i))} {
			p, found := c.Get(id)
			if found {
				say(*p)
			}
			say(id, found, c.Newest(id), c.Superseded(id), ids(c.Replacements(id)))
		}
	}
	for i := range 4 {
		cve, name := fmt.Sprint("CVE-2024-", i), fmt.Sprint("p", i)
		say(cve, ids(c.Fixing(cve)))
		for j := range 4 {
			id, free := c.Unaffected("AlmaLinux:9", fmt.Sprint("p", j), cve)
			say(id, free)
		}
		for _, e := range c.ByPackage("AlmaLinux:9", name) {
			say(name, e.Patch.ID, *e.Package, e.Key, e.From, e.Last, e.Err)
		}
	}
	say(c.Len(), c.Exempts(), c.Covers("AlmaLinux:9"), len(ids(c.All())))
	return all
}

func BenchmarkWith(b *testing.B) {
	c := catalog(b, realistic(33_680)...)
	for name, change := range map[string]func(*patch.Patch){
		"100 rated": func(p *patch.Patch) { p.Severity = patch.SeverityCritical },
		"100 new":   func(p *patch.Patch) { p.ID += "x" },
	} {
		var changed []patch.Patch
		for p := range c.All() {
			q := *p
			change(&q)
			if changed = append(changed, q); len(changed) == 100 {
				break
			}
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := c.With(changed)
				require.NoError(b, err)
			}
		})
	}
}

func BenchmarkMerge(b *testing.B) {
	one := realistic(33_680)
	other := realistic(33_680)
	for i := range other {
		other[i].ID = "list:" + patch.ID(other[i].ID.Native())
	}
	x, y := catalog(b, one...), catalog(b, other...)
	b.ReportAllocs()
	for b.Loop() {
		require.Equal(b, 33_680, patch.Merge(x, y).Len())
	}
}

func BenchmarkFixing(b *testing.B) {
	c := catalog(b, realistic(33_680)...)
	b.ReportAllocs()
	for b.Loop() {
		for p := range c.Fixing("CVE-2023-2001") {
			_ = p
		}
	}
}
