package patch_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

func rpm(name, arch, fixed string) patch.Package {
	p := patch.Package{Ecosystem: "AlmaLinux:9", Name: name, Arch: arch}
	if fixed != "" {
		p.Fixed = version.Version{Scheme: version.RPM, Text: fixed}
	}
	return p
}

// errata is a patch that is one advisory.
func errata(id patch.ID, advisory patch.Advisory, packages ...patch.Package) patch.Patch {
	return patch.Patch{ID: id, Advisories: []patch.Advisory{advisory}, Packages: packages}
}

func alsa(cves ...string) patch.Advisory { return patch.Advisory{ID: "ALSA-2024:1", CVEs: cves} }

func TestWhatMergeMakesOne(t *testing.T) {
	curl := rpm("curl", "", "1-1")
	other := curl
	other.Ecosystem = "AlmaLinux:8"
	free := func(p patch.Patch) patch.Patch { p.Unaffected = []patch.Package{curl}; return p }
	tests := []struct {
		name     string
		catalogs [][]patch.Patch
		want     string
	}{
		{"nothing", nil, "[]"},
		{"one catalog, whatever is in it", [][]patch.Patch{{errata("a:1", alsa(), curl), errata("a:2", alsa(), curl)}}, "[a:1 a:2]"},
		{"the same ID", [][]patch.Patch{{{ID: "a:1"}}, {{ID: "a:1"}}, {{ID: "b:1"}}}, "[a:1 b:1]"},
		{"an alias", [][]patch.Patch{{{ID: "a:1"}}, {{ID: "b:1", Aliases: []patch.ID{"a:1", "c:1"}}}, {{ID: "c:1"}}}, "[a:1=b:1=c:1]"},
		{"the same advisory", [][]patch.Patch{{errata("b:1", alsa(), curl)}, {errata("a:1", alsa(), curl)}}, "[b:1=a:1]"},
		{"the same advisory of another ecosystem", [][]patch.Patch{{errata("a:1", alsa(), curl)}, {errata("b:1", alsa(), other)}}, "[a:1 b:1]"},
		{"through a third", [][]patch.Patch{{errata("a:1", alsa(), curl)}, {errata("b:1", alsa(), other)}, {errata("c:1", alsa(), curl, other)}}, "[a:1=b:1=c:1]"},
		{"no ecosystem", [][]patch.Patch{{errata("a:1", alsa())}, {errata("b:1", alsa())}}, "[a:1 b:1]"},
		{"an advisory among others", [][]patch.Patch{{errata("a:1", alsa(), curl)}, {{ID: "b:1", Packages: []patch.Package{curl}, Advisories: []patch.Advisory{alsa(), {ID: "ALSA-2"}}}}}, "[a:1 b:1]"},
		{"an advisory of two patches of a source", [][]patch.Patch{{errata("a:1", alsa(), curl)}, {errata("b:1", alsa(), curl), errata("b:2", alsa(), curl)}}, "[a:1 b:1 b:2]"},
		{"a CVE", [][]patch.Patch{{errata("a:1", patch.Advisory{ID: "CVE-2024-1"}, curl)}, {errata("b:1", patch.Advisory{ID: "CVE-2024-1"}, curl)}}, "[a:1 b:1]"},
		{"an advisory without an ID", [][]patch.Patch{{errata("a:1", patch.Advisory{}, curl)}, {errata("b:1", patch.Advisory{}, curl)}}, "[a:1 b:1]"},
		{"a declaration about the same CVEs", [][]patch.Patch{{errata("a:1", alsa("CVE-1", "CVE-2"), curl)}, {free(errata("b:1", alsa("CVE-2", "CVE-1")))}}, "[a:1=b:1]"},
		{"a declaration about other CVEs", [][]patch.Patch{{errata("a:1", alsa("CVE-1", "CVE-2"), curl)}, {free(errata("b:1", alsa("CVE-1")))}}, "[a:1 b:1]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			catalogs := []*patch.Catalog{nil}
			for _, patches := range test.catalogs {
				catalogs = append(catalogs, catalog(t, patches...))
			}
			merged := patch.Merge(catalogs...)
			got := []string{}
			for p := range merged.All() {
				name := string(p.ID)
				for _, id := range p.Aliases {
					name += "=" + string(id)
					found, ok := merged.Get(id)
					require.True(t, ok)
					require.Same(t, p, found)
				}
				got = append(got, name)
			}
			require.Equal(t, test.want, fmt.Sprint(got))
		})
	}
}

// Each row is merged under one ID, so that only the fields differ.
func TestMergeFieldByField(t *testing.T) {
	from := func(fields ...string) (all []patch.Provenance) {
		for _, f := range fields {
			all = append(all, patch.Provenance{Field: f, From: "b:1"})
		}
		return all
	}
	advised := func(a patch.Advisory) patch.Patch { return patch.Patch{Advisories: []patch.Advisory{a}} }
	with := func(packages ...patch.Package) patch.Patch { return patch.Patch{Packages: packages} }
	module := func(p patch.Package, name string) patch.Package { p.Module = name; return p }
	bare := patch.Patch{}
	debian12, arm := patch.Platform{OS: "debian", Version: "12"}, patch.Platform{OS: "debian", Version: "11", Arch: "arm64"}
	x, y := patch.Score{Version: "3.1", Base: 5, By: "x"}, patch.Score{Version: "3.1", Base: 5, By: "y"}
	tests := []struct {
		name       string
		a, b, want patch.Patch
	}{
		{"what is unknown is filled", bare,
			patch.Patch{Title: "t", Classification: patch.ClassBugfix, Reboot: patch.RebootNever, Reversal: patch.ReversalNone, Size: 3, Released: day(1), Modified: day(2)},
			patch.Patch{Title: "t", Classification: patch.ClassBugfix, Reboot: patch.RebootNever, Reversal: patch.ReversalNone, Size: 3, Released: day(1), Modified: day(2),
				Provenance: from("classification", "modified", "reboot", "released", "reversal", "size", "title")}},
		{"what is known stays",
			patch.Patch{Title: "t", Reboot: patch.RebootNever, Reversal: patch.ReversalNone, Size: 3, Released: day(2), Modified: day(3), Native: map[string]string{"k": "a"}},
			patch.Patch{Title: "u", Reboot: patch.RebootAlways, Reversal: patch.ReversalUninstall, Size: 4, Released: day(1), Modified: day(4), Native: map[string]string{"k": "b"}},
			patch.Patch{Title: "t", Reboot: patch.RebootNever, Reversal: patch.ReversalNone, Size: 3, Released: day(2), Modified: day(3), Native: map[string]string{"k": "a"}}},
		{"lists gain",
			patch.Patch{References: []string{"2"}, Supersedes: []patch.ID{"c:1"}, ClassificationRaw: []string{"x"}, Native: map[string]string{"k": "a"}},
			patch.Patch{References: []string{"1", "2", "1"}, Supersedes: []patch.ID{"c:2", "a:1", "b:1"}, Requires: []patch.ID{"a:1"}, ClassificationRaw: []string{"y"}, Native: map[string]string{"l": "b"}},
			patch.Patch{References: []string{"2", "1"}, Supersedes: []patch.ID{"c:1", "c:2"}, ClassificationRaw: []string{"x", "y"}, Native: map[string]string{"k": "a", "l": "b"},
				Provenance: from("classificationRaw", "native", "references", "supersedes")}},
		{"classifications that differ are contested", patch.Patch{Classification: patch.ClassSecurity}, patch.Patch{Classification: patch.ClassBugfix},
			patch.Patch{Classification: patch.ClassSecurity, Contested: true}},
		{"what was contested stays so", bare, patch.Patch{Contested: true}, patch.Patch{Contested: true}},
		{"a word raises a severity", patch.Patch{Severity: patch.SeverityLow, SeverityRaw: "Low"}, patch.Patch{Severity: patch.SeverityCritical, SeverityRaw: "Critical"},
			patch.Patch{Severity: patch.SeverityCritical, SeverityRaw: "Critical", Provenance: from("severity")}},
		{"a score does not raise a word", patch.Patch{Severity: patch.SeverityLow, SeverityRaw: "Low"}, patch.Patch{Severity: patch.SeverityCritical},
			patch.Patch{Severity: patch.SeverityLow, SeverityRaw: "Low"}},
		{"a score raises a score", patch.Patch{Severity: patch.SeverityLow}, patch.Patch{Severity: patch.SeverityCritical},
			patch.Patch{Severity: patch.SeverityCritical, Provenance: from("severity")}},
		{"a word that means nothing is rated, and stays", patch.Patch{SeverityRaw: "negligible"}, patch.Patch{Severity: patch.SeverityLow},
			patch.Patch{Severity: patch.SeverityLow, SeverityRaw: "negligible", Provenance: from("severity")}},
		{"a severity is never lowered", patch.Patch{Severity: patch.SeverityCritical}, patch.Patch{Severity: patch.SeverityLow, SeverityRaw: "Low"},
			patch.Patch{Severity: patch.SeverityCritical}},
		{"an advisory is filled",
			advised(patch.Advisory{ID: "A", CVEs: []string{"CVE-1"}, Scores: []patch.Score{x}, Exploited: patch.No, EPSS: .5}),
			advised(patch.Advisory{ID: "A", Title: "t", CVEs: []string{"CVE-2", "CVE-1"}, Scores: []patch.Score{y, x}, Exploited: patch.Yes, KnownSince: day(3), EPSS: .7, Published: day(1)}),
			patch.Patch{Advisories: []patch.Advisory{{ID: "A", Title: "t", CVEs: []string{"CVE-1", "CVE-2"}, Scores: []patch.Score{x, y}, Exploited: patch.Yes, KnownSince: day(3), EPSS: .5, Published: day(1)}},
				Provenance: from("advisories/A/cves", "advisories/A/exploited", "advisories/A/knownSince", "advisories/A/published", "advisories/A/scores", "advisories/A/title")}},
		{"nothing takes exploitation back", advised(patch.Advisory{ID: "A", Exploited: patch.Yes}), advised(patch.Advisory{ID: "A", Exploited: patch.No}),
			advised(patch.Advisory{ID: "A", Exploited: patch.Yes})},
		{"another advisory is added", advised(patch.Advisory{ID: "A"}), advised(patch.Advisory{ID: "B"}),
			patch.Patch{Advisories: []patch.Advisory{{ID: "A"}, {ID: "B"}}, Provenance: from("advisories")}},
		{"a platform stays if no package is added", patch.Patch{Platform: debian12}, patch.Patch{Platform: arm}, patch.Patch{Platform: debian12}},
		{"a platform is widened where a package is added", patch.Patch{Platform: debian12}, patch.Patch{Platform: arm, Packages: []patch.Package{rpm("a", "", "1")}},
			patch.Patch{Platform: patch.Platform{OS: "debian"}, Packages: []patch.Package{rpm("a", "", "1")}, Provenance: from("packages", "platform")}},
		{"the first word about a package stands", with(rpm("a", "", "1")), with(rpm("a", "", "2"), rpm("a", "x86_64", "2"), rpm("a", "", "")),
			with(rpm("a", "", "1"))},
		{"other packages and architectures are added", with(rpm("a", "x86_64", "1")), with(rpm("a", "x86_64", "2"), rpm("a", "aarch64", "2"), rpm("b", "x86_64", "1")),
			patch.Patch{Packages: []patch.Package{rpm("a", "x86_64", "1"), rpm("a", "aarch64", "2"), rpm("b", "x86_64", "1")}, Provenance: from("packages")}},
		{"other streams are added", with(module(rpm("a", "", "1"), "a:1")), with(module(rpm("a", "", "2"), "a:2"), module(rpm("a", "", "9"), "a:1")),
			patch.Patch{Packages: []patch.Package{module(rpm("a", "", "1"), "a:1"), module(rpm("a", "", "2"), "a:2")}, Provenance: from("packages")}},
		{"a stream is added to an unknown one", with(rpm("a", "", "1")), with(module(rpm("a", "", "3"), "a:3")),
			patch.Patch{Packages: []patch.Package{rpm("a", "", "1"), module(rpm("a", "", "3"), "a:3")}, Provenance: from("packages")}},
		{"the stream is known before the architecture", with(module(rpm("a", "x86_64", "1"), "a:3")), with(rpm("a", "", "1")),
			patch.Patch{Packages: []patch.Package{module(rpm("a", "x86_64", "1"), "a:3"), module(rpm("a", "", "1"), "a:3")}, Provenance: from("packages")}},
		{"a hole is closed", with(rpm("a", "", "")), with(rpm("a", "", "2")),
			patch.Patch{Packages: []patch.Package{rpm("a", "", "2")}, Provenance: from("packages")}},
		{"a hole that is closed twice stays beside", with(rpm("a", "", "")), with(rpm("a", "", "2"), rpm("a", "", "3")),
			patch.Patch{Packages: []patch.Package{rpm("a", "", ""), rpm("a", "", "2"), rpm("a", "", "3")}, Provenance: from("packages")}},
		{"a build is filled", with(rpm("a", "noarch", "1")),
			with(patch.Package{Ecosystem: "AlmaLinux:9", Name: "a", Source: "s", Module: "a:1", Fixed: rpm("", "", "1").Fixed, Origins: []string{"o"}, Artefacts: []patch.Artefact{{Name: "f"}}}),
			patch.Patch{Packages: []patch.Package{{Ecosystem: "AlmaLinux:9", Name: "a", Source: "s", Arch: "noarch", Module: "a:1", Fixed: rpm("", "", "1").Fixed, Origins: []string{"o"},
				Artefacts: []patch.Artefact{{Name: "f"}}}}, Provenance: from("packages")}},
		{"declarations are united", patch.Patch{Unaffected: []patch.Package{rpm("a", "", "")}}, patch.Patch{Unaffected: []patch.Package{rpm("b", "", ""), rpm("a", "", "")}},
			patch.Patch{Unaffected: []patch.Package{rpm("a", "", ""), rpm("b", "", "")}, Provenance: from("unaffected")}},
		{"a declaration about fewer CVEs is left out",
			patch.Patch{Advisories: []patch.Advisory{alsa("CVE-1")}, Unaffected: []patch.Package{rpm("a", "", "")}},
			patch.Patch{Advisories: []patch.Advisory{alsa("CVE-1", "CVE-2")}, Unaffected: []patch.Package{rpm("b", "", "")}},
			patch.Patch{Advisories: []patch.Advisory{alsa("CVE-1", "CVE-2")}, Unaffected: []patch.Package{rpm("b", "", "")}, Provenance: from("advisories/ALSA-2024:1/cves", "unaffected")}},
		{"one that was withdrawn adds nothing", patch.Patch{Title: "t"}, patch.Patch{Withdrawn: day(1), Size: 3}, patch.Patch{Title: "t", Contested: true}},
		{"one that was withdrawn leaves its ID", patch.Patch{Withdrawn: day(1), Size: 3}, patch.Patch{Title: "t"},
			patch.Patch{Title: "t", Contested: true, Provenance: from("title")}},
		{"all were withdrawn", patch.Patch{Withdrawn: day(2)}, patch.Patch{Withdrawn: day(1), Size: 3},
			patch.Patch{Withdrawn: day(2), Size: 3, Provenance: from("size")}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.a.ID, test.b.ID, test.want.ID = "a:1", "b:1", "a:1"
			test.b.Aliases, test.want.Aliases = []patch.ID{"a:1"}, []patch.ID{"b:1"}
			a, b := catalog(t, test.a), catalog(t, test.b)
			merged := patch.Merge(a, b)
			require.Equal(t, 1, merged.Len())
			got, _ := merged.Get("b:1")
			require.Empty(t, cmp.Diff(test.want, *got))
			again := patch.Diff(merged, patch.Merge(merged, a, b))
			require.True(t, again.Empty(), "merging again changes something")
			untouched := patch.Diff(catalog(t, test.a), a)
			require.True(t, untouched.Empty(), "the first catalog has changed")
			untouched = patch.Diff(catalog(t, test.b), b)
			require.True(t, untouched.Empty(), "the second catalog has changed")
		})
	}
}

func TestProvenanceNamesTheSourceThatTold(t *testing.T) {
	a := catalog(t, patch.Patch{ID: "a:1"})
	b := catalog(t, patch.Patch{ID: "b:1", Aliases: []patch.ID{"a:1"}, References: []string{"b"}})
	c := catalog(t, patch.Patch{ID: "c:1", Aliases: []patch.ID{"a:1"}, Title: "t", References: []string{"c"}})
	want := []patch.Provenance{{Field: "references", From: "b:1"}, {Field: "references", From: "c:1"}, {Field: "title", From: "c:1"}}
	for _, merged := range []*patch.Catalog{patch.Merge(a, b, c), patch.Merge(a, patch.Merge(b, c)), patch.Merge(patch.Merge(a, b), c)} {
		p, _ := merged.Get("a:1")
		require.Equal(t, want, p.Provenance)
		require.Equal(t, []patch.ID{"b:1", "c:1"}, p.Aliases)
	}
}

func TestMergedPatchesStandForAllTheirIDs(t *testing.T) {
	curl := rpm("curl", "", "1-1")
	merged := patch.Merge(
		catalog(t, errata("a:1", alsa("CVE-1"), curl)),
		catalog(t, errata("b:1", alsa(), curl), patch.Patch{ID: "b:2", Supersedes: []patch.ID{"b:1"}}, patch.Patch{ID: "b:3", Supersedes: []patch.ID{"b:4"}, Requires: []patch.ID{"b:1", "b:2", "a:1"}}))
	require.Equal(t, patch.ID("b:2"), merged.Newest("b:1"))
	require.Equal(t, patch.ID("b:2"), merged.Newest("a:1"))
	require.True(t, merged.Superseded("b:1"))
	require.Equal(t, []patch.ID{"b:2"}, ids(merged.Replacements("b:1")))
	require.Len(t, merged.ByPackage("AlmaLinux:9", "curl"), 1)
	p, _ := merged.Get("b:3")
	require.Equal(t, []patch.ID{"a:1", "b:2"}, p.Requires)

	_, err := merged.With([]patch.Patch{{ID: "b:1"}})
	require.ErrorContains(t, err, "b:1 is a patch and an alias of a:1")
	_, err = merged.With([]patch.Patch{{ID: "x:1", Aliases: []patch.ID{"b:1", ""}}})
	require.ErrorContains(t, err, "b:1 is an alias of a:1 and of x:1")
	require.ErrorContains(t, err, "an alias of x:1 is empty")
}

func TestMergeSharesWhatItDoesNotChange(t *testing.T) {
	a, b := catalog(t, fixes("a:1")), catalog(t, fixes("b:1"))
	merged := patch.Merge(a, b)
	for id, c := range map[patch.ID]*patch.Catalog{"a:1": a, "b:1": b} {
		was, _ := c.Get(id)
		is, _ := merged.Get(id)
		require.Same(t, was, is)
	}
}

// The order of catalogs that have nothing in common makes no difference, and merging twice none either.
func TestMergeOfRandomCatalogs(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var catalogs, apart []*patch.Catalog
		for k := range 3 {
			var patches, own []patch.Patch
			for i := range 12 {
				p := randomPatch(r, fmt.Sprint("s", k), i)
				patches = append(patches, p)
				p.Advisories = []patch.Advisory{{ID: fmt.Sprint("own-", k, "-", i)}}
				own = append(own, p)
			}
			catalogs, apart = append(catalogs, catalog(t, patches...)), append(apart, catalog(t, own...))
		}
		merged := patch.Merge(catalogs...)
		for _, again := range []*patch.Catalog{patch.Merge(merged), patch.Merge(append([]*patch.Catalog{merged}, catalogs...)...)} {
			d := patch.Diff(merged, again)
			if !d.Empty() {
				p, _ := merged.Get(append(append(d.Added, d.Changed...), d.Removed...)[0])
				q, _ := again.Get(p.ID)
				t.Fatalf("seed %d: %s", seed, cmp.Diff(p, q))
			}
		}
		for _, c := range catalogs {
			for p := range c.All() {
				_, found := merged.Get(p.ID)
				require.True(t, found, "seed %d: %s is lost", seed, p.ID)
			}
		}
		d := patch.Diff(patch.Merge(apart...), patch.Merge(apart[2], apart[0], apart[1]))
		require.True(t, d.Empty(), "seed %d: %v", seed, d)
		require.Equal(t, 36, patch.Merge(apart...).Len())
	}
}

// randomPatch is a patch of few words, so that patches of several sources have much in common.
func randomPatch(r *rand.Rand, source string, i int) patch.Patch {
	p := patch.Patch{ID: patch.ID(fmt.Sprint(source, ":", i)), Severity: patch.Severity(r.IntN(5)), Classification: patch.Classification(r.IntN(3)),
		Reboot: patch.Reboot(r.IntN(3)), Size: int64(r.IntN(2))}
	if r.IntN(2) == 0 {
		p.SeverityRaw = fmt.Sprint("word", p.Severity)
	}
	if r.IntN(5) == 0 {
		p.Withdrawn = day(1 + r.IntN(3))
	}
	a := patch.Advisory{ID: fmt.Sprint("A-", i), Exploited: patch.Tri(r.IntN(3)), EPSS: float64(r.IntN(3)) / 8}
	for range r.IntN(3) {
		a.CVEs = append(a.CVEs, fmt.Sprint("CVE-2024-", r.IntN(4)))
		p.References = append(p.References, fmt.Sprint("ref", r.IntN(4)))
		p.Supersedes = append(p.Supersedes, patch.ID(fmt.Sprint("s", r.IntN(3), ":", r.IntN(12))))
	}
	p.Advisories = []patch.Advisory{a}
	for range r.IntN(5) {
		fixed := []string{"", "1-1", "2-1"}[r.IntN(3)]
		x := rpm(fmt.Sprint("p", r.IntN(3)), []string{"", "x86_64", "noarch"}[r.IntN(3)], fixed)
		x.Module = []string{"", "", "m:1", "m:2"}[r.IntN(4)]
		if r.IntN(4) == 0 {
			x.Introduced = version.Version{Scheme: version.RPM, Text: "0.5-1"}
		}
		if r.IntN(9) == 0 {
			p.Unaffected = append(p.Unaffected, x)
		} else {
			p.Packages = append(p.Packages, x)
		}
	}
	return p
}

func FuzzMerge(f *testing.F) {
	f.Add(uint64(1), uint64(2), uint8(4))
	f.Add(uint64(7), uint64(7), uint8(1))
	f.Fuzz(func(t *testing.T, a, b uint64, n uint8) {
		build := func(seed uint64, source string) *patch.Catalog {
			r := rand.New(rand.NewPCG(seed, 9))
			var patches []patch.Patch
			for i := range int(n % 16) {
				p := randomPatch(r, source, i)
				if r.IntN(6) == 0 {
					p.Aliases = []patch.ID{patch.ID(fmt.Sprint("s", r.IntN(2), "x:", i))}
				}
				patches = append(patches, p)
			}
			c, err := patch.NewCatalog(patches)
			require.NoError(t, err)
			return c
		}
		x, y := build(a, "s0"), build(b, "s1")
		merged := patch.Merge(x, y)
		var all []patch.Patch
		for p := range merged.All() {
			all = append(all, *p)
		}
		checked, err := patch.NewCatalog(all)
		require.NoError(t, err)
		d := patch.Diff(merged, checked)
		require.True(t, d.Empty())
		d = patch.Diff(merged, patch.Merge(merged, x, y))
		if !d.Empty() {
			p, _ := merged.Get(append(append(d.Added, d.Changed...), d.Removed...)[0])
			q, _ := patch.Merge(merged, x, y).Get(p.ID)
			t.Fatal(cmp.Diff(p, q))
		}
		for _, c := range []*patch.Catalog{x, y} {
			for p := range c.All() {
				q, found := merged.Get(p.ID)
				require.True(t, found)
				require.True(t, q.Severity >= p.Severity || !p.Withdrawn.IsZero() || p.SeverityRaw == "", "%s is rated lower", p.ID)
				require.True(t, q.Withdrawn.IsZero() || !p.Withdrawn.IsZero(), "%s was withdrawn", p.ID)
			}
		}
	})
}
