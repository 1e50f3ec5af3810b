package patch_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

func debian(name, fixed string) patch.Package {
	return patch.Package{Ecosystem: "Debian:12", Name: name, Fixed: version.Version{Scheme: version.Deb, Text: fixed}}
}

func fixes(id patch.ID, packages ...patch.Package) patch.Patch {
	return patch.Patch{ID: id, Packages: packages}
}

func catalog(t testing.TB, patches ...patch.Patch) *patch.Catalog {
	t.Helper()
	c, err := patch.NewCatalog(patches)
	require.NoError(t, err)
	return c
}

func ids(seq iter.Seq[*patch.Patch]) []patch.ID {
	var result []patch.ID
	for p := range seq {
		result = append(result, p.ID)
	}
	return result
}

func TestCatalogFindsByID(t *testing.T) {
	c := catalog(t, fixes("d:b"), fixes("d:c"), fixes("d:a"))
	require.Equal(t, 3, c.Len())
	require.Equal(t, []patch.ID{"d:a", "d:b", "d:c"}, ids(c.All()))
	for _, id := range []patch.ID{"d:a", "d:b", "d:c"} {
		p, found := c.Get(id)
		require.True(t, found)
		require.Equal(t, id, p.ID)
	}
	for _, id := range []patch.ID{"", "d:", "d:aa", "d:z"} {
		p, found := c.Get(id)
		require.False(t, found, id)
		require.Nil(t, p)
	}
	for p := range c.All() {
		require.Equal(t, patch.ID("d:a"), p.ID, "the listing goes on after it was stopped")
		break
	}
}

func TestZeroCatalogIsEmpty(t *testing.T) {
	empty := catalog(t)
	for _, c := range []*patch.Catalog{{}, empty} {
		require.Zero(t, c.Len())
		require.Empty(t, ids(c.All()))
		require.Empty(t, c.ByPackage("Debian:12", "openssl"))
		require.False(t, c.Covers("Debian:12"))
		require.False(t, c.Superseded("d:a"))
		require.Equal(t, patch.ID("d:a"), c.Newest("d:a"))
		require.Empty(t, ids(c.Replacements("d:a")))
		more, err := c.With([]patch.Patch{fixes("d:a")})
		require.NoError(t, err)
		require.Equal(t, 1, more.Len())
	}
}

func TestCatalogRefuses(t *testing.T) {
	_, err := patch.NewCatalog([]patch.Patch{fixes("d:b"), {Title: "nameless"}, fixes("d:a"), fixes("d:b"), fixes("d:a"), fixes("d:b")})
	require.ErrorContains(t, err, "d:a occurs 2 times")
	require.ErrorContains(t, err, "d:b occurs 3 times")
	require.ErrorContains(t, err, `patch 1 ("nameless") has no ID`)

	_, err = patch.NewCatalog(make([]patch.Patch, 1000))
	require.ErrorContains(t, err, "and 980 more")
	require.NotContains(t, err.Error(), "patch 20 ")
}

func TestByPackageSortsByVersion(t *testing.T) {
	other := debian("openssl", "9")
	other.Ecosystem = "Debian:11"
	alien := debian("openssl", "1")
	alien.Fixed.Scheme = "unheard-of"
	c := catalog(t,
		fixes("d:5", debian("openssl", "3.0.17-1")),
		fixes("d:4", debian("openssl", "3.0.9-1"), debian("libssl3", "3.0.9-1")),
		fixes("d:3", debian("openssl", "1:0.1")),
		fixes("d:2", debian("openssl", "3.0.9-1"), other),
		fixes("d:1", debian("openssl", "not a version")),
		fixes("d:0", alien),
	)
	var got []string
	for _, e := range c.ByPackage("Debian:12", "openssl") {
		require.Equal(t, "openssl", e.Package.Name)
		if e.Err != nil {
			require.Empty(t, e.Key)
			got = append(got, fmt.Sprintf("%s incomparable", e.Patch.ID))
			continue
		}
		key, err := e.Package.Fixed.Key()
		require.NoError(t, err)
		require.Equal(t, key, e.Key)
		got = append(got, fmt.Sprintf("%s %s", e.Patch.ID, e.Package.Fixed))
	}
	require.Equal(t, []string{"d:2 3.0.9-1", "d:4 3.0.9-1", "d:5 3.0.17-1", "d:3 1:0.1", "d:0 incomparable", "d:1 incomparable"}, got)

	entries := c.ByPackage("Debian:12", "openssl")
	require.ErrorIs(t, entries[4].Err, version.ErrIncomparable)
	require.ErrorIs(t, entries[5].Err, version.ErrSyntax)
	require.Len(t, c.ByPackage("Debian:11", "openssl"), 1)
	require.Len(t, c.ByPackage("Debian:12", "libssl3"), 1)
	require.Empty(t, c.ByPackage("Debian:12", "curl"))
	require.Empty(t, c.ByPackage("Debian:13", "openssl"))
	require.True(t, c.Covers("Debian:11"))
	require.False(t, c.Covers("Debian:13"))

	p, _ := c.Get("d:4")
	require.Same(t, &p.Packages[0], entries[1].Package)
	require.Same(t, p, entries[1].Patch)
}

func TestByPackageLeavesNoRoomToAppendInto(t *testing.T) {
	c := catalog(t, fixes("d:1", debian("a", "1"), debian("b", "1")), fixes("d:2", debian("a", "2"), debian("b", "2")))
	for _, name := range []string{"a", "b"} {
		entries := c.ByPackage("Debian:12", name)
		require.Len(t, entries, cap(entries))
	}
	p, _ := c.Get("d:1")
	require.Len(t, p.Packages, cap(p.Packages))
}

func TestCatalogSharesNothingWithItsPatches(t *testing.T) {
	full := func() patch.Patch {
		return patch.Patch{
			ID: "d:1", ClassificationRaw: []string{"a"}, Supersedes: []patch.ID{"b"}, Requires: []patch.ID{"c"},
			References: []string{"d"}, Native: map[string]string{"e": "f"},
			Packages:   []patch.Package{{Ecosystem: "Debian:12", Name: "n", Origins: []string{"g"}, Artefacts: []patch.Artefact{{Name: "h"}}}},
			Advisories: []patch.Advisory{{ID: "i", CVEs: []string{"j"}, References: []string{"k"}, Scores: []patch.Score{{By: "l"}}}},
		}
	}
	given := []patch.Patch{full()}
	c := catalog(t, given...)
	p := &given[0]
	p.Title = "changed"
	p.ClassificationRaw[0], p.Supersedes[0], p.Requires[0], p.References[0], p.Native["e"] = "x", "x", "x", "x", "x"
	p.Packages[0].Origins[0], p.Packages[0].Artefacts[0].Name, p.Packages[0].Name = "x", "x", "x"
	a := &p.Advisories[0]
	a.CVEs[0], a.References[0], a.Scores[0].By, a.ID = "x", "x", "x", "x"

	got, found := c.Get("d:1")
	require.True(t, found)
	require.Empty(t, cmp.Diff(full(), *got))
}

func TestWithReplacesAndAdds(t *testing.T) {
	c := catalog(t, fixes("d:1", debian("a", "1")), fixes("d:2", debian("a", "2")))
	more, err := c.With([]patch.Patch{{ID: "d:3"}, {ID: "d:1", Severity: patch.SeverityCritical, Packages: []patch.Package{debian("a", "3")}}})
	require.NoError(t, err)
	require.Equal(t, []patch.ID{"d:1", "d:2", "d:3"}, ids(more.All()))
	p, _ := more.Get("d:1")
	require.Equal(t, patch.SeverityCritical, p.Severity)
	require.Equal(t, patch.ID("d:1"), more.ByPackage("Debian:12", "a")[1].Patch.ID)

	p, _ = c.Get("d:1")
	require.Equal(t, patch.SeverityUnrated, p.Severity, "the first catalog changed")
	_, err = c.With([]patch.Patch{{ID: "d:3"}, {ID: "d:3"}})
	require.ErrorContains(t, err, "d:3 occurs 2 times")
}

func TestCatalogIsSafeForConcurrentUse(t *testing.T) {
	c := catalog(t, patch.Patch{ID: "d:2", Supersedes: []patch.ID{"d:1"}, Packages: []patch.Package{debian("a", "1")}}, fixes("d:1"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				c.Get("d:1")
				c.ByPackage("Debian:12", "a")
				c.Newest("d:1")
				ids(c.Replacements("d:1"))
				ids(c.All())
			}
		})
	}
	wg.Wait()
}

// feed is a source that yields what it is told to.
type feed []struct {
	patch patch.ID
	err   error
}

func (f feed) Patches(ctx context.Context, q patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) {
		for _, r := range f {
			if ctx.Err() != nil {
				yield(patch.Patch{}, ctx.Err())
				return
			}
			p := patch.Patch{ID: r.patch, Modified: q.Since}
			if !yield(p, r.err) {
				return
			}
		}
	}
}

// deaf is a source that does not look at its context.
type deaf struct{ err error }

func (d deaf) Patches(context.Context, patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) { yield(patch.Patch{ID: "d:1"}, d.err) }
}

func TestCollect(t *testing.T) {
	torn := fmt.Errorf("feed: line 7: %w", patch.ErrRecord)
	down := fmt.Errorf("feed: %w", patch.ErrUnreachable)
	broken := errors.New("feed: broken off")
	since := time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC)

	t.Run("reads every source to its end and passes the query on", func(t *testing.T) {
		c, refused, err := patch.Collect(t.Context(), patch.Query{Since: since}, feed{{patch: "a:1"}, {patch: "a:2"}}, feed{{patch: "b:1"}})
		require.NoError(t, err)
		require.Empty(t, refused)
		require.Equal(t, []patch.ID{"a:1", "a:2", "b:1"}, ids(c.All()))
		p, _ := c.Get("b:1")
		require.Equal(t, since, p.Modified)
	})
	t.Run("without sources is an empty catalog", func(t *testing.T) {
		c, refused, err := patch.Collect(t.Context(), patch.Query{})
		require.NoError(t, err)
		require.Empty(t, refused)
		require.Zero(t, c.Len())
	})
	t.Run("goes on after a record that cannot be read", func(t *testing.T) {
		c, refused, err := patch.Collect(t.Context(), patch.Query{}, feed{{patch: "a:1"}, {err: torn}, {patch: "a:2"}, {err: torn}})
		require.NoError(t, err)
		require.Len(t, refused, 2)
		require.ErrorIs(t, refused[0], patch.ErrRecord)
		require.EqualError(t, refused[0], "patch: source 1 of 1 (patch_test.feed): feed: line 7: unreadable record")
		require.Equal(t, 2, c.Len())
	})
	t.Run("returns no catalog if a source fails, and every failure", func(t *testing.T) {
		c, refused, err := patch.Collect(t.Context(), patch.Query{}, feed{{patch: "a:1"}, {err: down}}, feed{{err: torn}, {err: broken}}, nil)
		require.Nil(t, c)
		require.Len(t, refused, 1)
		require.ErrorIs(t, err, patch.ErrUnreachable)
		require.ErrorIs(t, err, broken)
		require.ErrorContains(t, err, "source 1 of 3")
		require.ErrorContains(t, err, "source 2 of 3")
		require.ErrorContains(t, err, "source 3 of 3 is nil")
	})
	t.Run("returns no catalog if two sources have one ID", func(t *testing.T) {
		c, refused, err := patch.Collect(t.Context(), patch.Query{}, feed{{patch: "a:1"}}, feed{{patch: "a:1"}, {err: torn}})
		require.Nil(t, c)
		require.Len(t, refused, 1)
		require.ErrorContains(t, err, "a:1 occurs 2 times")
	})
	t.Run("ends when its context is done, even if the source does not say so", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, source := range []patch.Source{feed{}, feed{{patch: "a:1"}}, deaf{}} {
			c, _, err := patch.Collect(ctx, patch.Query{}, source, deaf{err: broken})
			require.Nil(t, c)
			require.ErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, broken)
		}
	})
}

func BenchmarkNewCatalog(b *testing.B) {
	patches := make([]patch.Patch, 20_000)
	for i := range patches {
		name := fmt.Sprintf("package-%d", i%4000)
		patches[i] = fixes(patch.ID(fmt.Sprintf("debian:DSA-%05d-1", i)), debian(name, fmt.Sprintf("1.%d-1", i/4000)), debian("lib"+name, "1-1"))
		if i > 4000 {
			patches[i].Supersedes = []patch.ID{patches[i-4000].ID}
		}
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(patches), func(i, j int) { patches[i], patches[j] = patches[j], patches[i] })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := patch.NewCatalog(patches); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	patches := make([]patch.Patch, 20_000)
	for i := range patches {
		patches[i].ID = patch.ID(fmt.Sprintf("debian:DSA-%05d-1", i))
	}
	c, err := patch.NewCatalog(patches)
	require.NoError(b, err)
	want := slices.Collect(c.All())
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if p, _ := c.Get(patches[i%20_000].ID); p != want[i%20_000] {
			b.Fatal("another patch")
		}
	}
}
