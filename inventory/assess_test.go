package inventory_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

// pkg is a package of a patch, written "name version" or "name:arch version".
func pkg(text string) patch.Package {
	name, fixed, _ := strings.Cut(text, " ")
	name, arch, _ := strings.Cut(name, ":")
	return patch.Package{Ecosystem: "Debian:12", Name: name, Arch: arch, Fixed: version.Version{Scheme: version.Deb, Text: fixed}}
}

func fixes(id patch.ID, packages ...string) patch.Patch {
	p := patch.Patch{ID: id}
	for _, text := range packages {
		p.Packages = append(p.Packages, pkg(text))
	}
	return p
}

func with(p patch.Patch, change func(p *patch.Patch)) patch.Patch {
	change(&p)
	return p
}

func withdrawn(p patch.Patch) patch.Patch {
	return with(p, func(p *patch.Patch) { p.Withdrawn = hour(0) })
}

func over(p patch.Patch, older ...patch.ID) patch.Patch {
	return with(p, func(p *patch.Patch) { p.Supersedes = older })
}

func on(p patch.Patch, platform patch.Platform) patch.Patch {
	return with(p, func(p *patch.Patch) { p.Platform = platform })
}

// bob has software, written "name version" or "name:arch version", and was scanned completely.
func bob(software ...string) *inventory.Device {
	d := &inventory.Device{Tenant: "acme", ID: "bob", Platform: patch.Platform{OS: "debian", Version: "12", Arch: "amd64"},
		Coverage: []inventory.Coverage{covered("dpkg", inventory.Complete, 1)}}
	for _, text := range software {
		p := pkg(text)
		s := deb(p.Name, p.Fixed.Text)
		if p.Arch != "" {
			s.Arch = p.Arch
		}
		d.Software = append(d.Software, s)
	}
	return d
}

func missing(d *inventory.Device, ids ...patch.ID) *inventory.Device {
	d.Missing = ids
	return d
}

func catalog(t testing.TB, patches ...patch.Patch) *patch.Catalog {
	t.Helper()
	c, err := patch.NewCatalog(patches)
	require.NoError(t, err)
	return c
}

// lines writes an assessment down: its findings, what is unknown, its state.
func lines(a inventory.Assessment) []string {
	var result []string
	for _, f := range a.Findings {
		line := f.String()
		if f.SupersededBy != "" {
			line += " superseded by " + string(f.SupersededBy)
		}
		result = append(result, line)
	}
	for _, u := range a.Unknown {
		result = append(result, "unknown: "+u.String())
	}
	return append(result, a.State().String())
}

func TestAssess(t *testing.T) {
	linux := patch.Platform{OS: "debian"}
	windows := patch.Platform{OS: "windows"}
	tests := []struct {
		name    string
		patches []patch.Patch
		device  *inventory.Device
		want    []string
	}{
		{
			"below the fixed version is missing",
			[]patch.Patch{fixes("d:1", "openssl 3.0.17-1")}, bob("openssl 3.0.16-1", "bash 5"),
			[]string{"openssl 3.0.16-1 is below 3.0.17-1 (d:1)", "missing"},
		},
		{
			"at the fixed version, or above it, is not",
			[]patch.Patch{fixes("d:1", "openssl 3.0.17-1"), fixes("d:2", "curl 7.88.1-10+deb12u9")}, bob("openssl 3.0.17-1", "curl 7.88.1-10+deb12u12"),
			[]string{"clean"},
		},
		{
			"equal in order, though written differently, is not missing",
			[]patch.Patch{fixes("d:1", "openssl 0:3.0")}, bob("openssl 3.0-0"),
			[]string{"clean"},
		},
		{
			"a package that is not installed is not missing",
			[]patch.Patch{fixes("d:1", "openssl 3")}, bob("bash 5"),
			[]string{"clean"},
		},
		{
			"a package of another ecosystem is another package",
			[]patch.Patch{with(fixes("d:1", "openssl 3", "bash 1"), func(p *patch.Patch) { p.Packages[0].Ecosystem = "Debian:11" })}, bob("openssl 2"),
			[]string{"clean"},
		},
		{
			"every patch above the installed version is missing, the last one supersedes the others",
			[]patch.Patch{fixes("d:1", "openssl 1"), fixes("d:2", "openssl 2"), fixes("d:3", "openssl 3"), fixes("d:4", "openssl 4")}, bob("openssl 1.5"),
			[]string{"openssl 1.5 is below 2 (d:2) superseded by d:4", "openssl 1.5 is below 3 (d:3) superseded by d:4", "openssl 1.5 is below 4 (d:4)", "missing"},
		},
		{
			"a patch that brings only some packages further supersedes nothing",
			[]patch.Patch{fixes("d:1", "curl 2", "openssl 2"), fixes("d:2", "openssl 3")}, bob("openssl 1", "curl 1"),
			[]string{"curl 1 is below 2, and 1 more (d:1)", "openssl 1 is below 3 (d:2)", "missing"},
		},
		{
			"only packages that the device misses count for that",
			[]patch.Patch{fixes("d:1", "curl 2", "openssl 2"), fixes("d:2", "openssl 3")}, bob("openssl 1", "curl 2"),
			[]string{"openssl 1 is below 2 (d:1) superseded by d:2", "openssl 1 is below 3 (d:2)", "missing"},
		},
		{
			"a patch that brings more packages as far supersedes",
			[]patch.Patch{fixes("d:1", "openssl 2", "curl 2"), fixes("d:2", "openssl 2")}, bob("openssl 1", "curl 1"),
			[]string{"curl 1 is below 2, and 1 more (d:1)", "openssl 1 is below 2 (d:2) superseded by d:1", "missing"},
		},
		{
			"of two patches that do the same neither supersedes",
			[]patch.Patch{fixes("d:1", "openssl 2"), fixes("d:2", "openssl 2")}, bob("openssl 1"),
			[]string{"openssl 1 is below 2 (d:1)", "openssl 1 is below 2 (d:2)", "missing"},
		},
		{
			"unless the publisher says so",
			[]patch.Patch{over(fixes("d:1", "openssl 2"), "d:2"), fixes("d:2", "openssl 2")}, bob("openssl 1"),
			[]string{"openssl 1 is below 2 (d:1)", "openssl 1 is below 2 (d:2) superseded by d:1", "missing"},
		},
		{
			"the publisher's word does not supersede what would leave a package behind",
			[]patch.Patch{fixes("d:1", "curl 2", "openssl 2"), over(fixes("d:2", "openssl 2"), "d:1")}, bob("openssl 1", "curl 1"),
			[]string{"curl 1 is below 2, and 1 more (d:1)", "openssl 1 is below 2 (d:2) superseded by d:1", "missing"},
		},
		{
			"a withdrawn patch is no finding and supersedes nothing",
			[]patch.Patch{fixes("d:1", "openssl 2"), withdrawn(fixes("d:2", "openssl 3")), withdrawn(fixes("d:3", "bash ?"))}, bob("openssl 1", "bash 1"),
			[]string{"openssl 1 is below 2 (d:1)", "missing"},
		},
		{
			"a patch for another platform is no finding",
			[]patch.Patch{on(fixes("d:1", "openssl 2"), windows), on(fixes("d:2", "openssl 3"), patch.Platform{OS: "debian", Version: "11"}),
				on(fixes("d:3", "openssl 4"), patch.Platform{Version: "1"}), on(fixes("d:4", "openssl 5"), patch.Platform{Arch: "arm64"})}, bob("openssl 1"),
			[]string{"clean"},
		},
		{
			"a patch for the device's platform is one",
			[]patch.Patch{on(fixes("d:1", "openssl 2"), linux), on(fixes("d:2", "bash 2"), patch.Platform{OS: "debian", Version: "12", Arch: "amd64"}),
				on(fixes("d:3", "curl 2"), patch.Platform{Version: "12.5", Arch: "all"})}, bob("openssl 1", "bash 1", "curl 1"),
			[]string{"openssl 1 is below 2 (d:1)", "bash 1 is below 2 (d:2)", "curl 1 is below 2 (d:3)", "missing"},
		},
		{
			"an architecture fits itself, and none or all fit every one",
			[]patch.Patch{fixes("d:1", "a:amd64 2"), fixes("d:2", "b:arm64 2"), fixes("d:3", "c:all 2"), fixes("d:4", "d 2"), fixes("d:5", "e:noarch 2")},
			bob("a 1", "b 1", "c 1", "d 1", "e 1"),
			[]string{"a 1 is below 2 (d:1)", "c 1 is below 2 (d:3)", "d 1 is below 2 (d:4)", "e 1 is below 2 (d:5)", "missing"},
		},
		{
			"a foreign architecture fits only packages installed for it",
			[]patch.Patch{fixes("d:1", "libc6:i386 2"), fixes("d:2", "libc6:amd64 3"), on(fixes("d:3", "zlib:i386 2"), patch.Platform{Arch: "i386"})},
			bob("libc6 1", "libc6:i386 1", "zlib 1", "zlib:i386 1.5"),
			[]string{"libc6 1 is below 2 (d:1)", "libc6 1 is below 3 (d:2)", "zlib 1.5 is below 2 (d:3)", "missing"},
		},
		{
			"a package installed for every architecture is compared with the device's own",
			[]patch.Patch{fixes("d:1", "tzdata:amd64 2"), fixes("d:2", "tzdata:i386 3")}, bob("tzdata:all 1"),
			[]string{"tzdata 1 is below 2 (d:1)", "missing"},
		},
		{
			"of several installed versions the highest decides",
			[]patch.Patch{fixes("d:1", "kernel 10"), fixes("d:2", "kernel 12")}, bob("kernel 9", "kernel 11", "kernel 10"),
			[]string{"kernel 11 is below 12 (d:2)", "missing"},
		},
		{
			"of several installed versions an old one is not missing what a new one has",
			[]patch.Patch{fixes("d:1", "kernel 10")}, bob("kernel 9", "bash 1", "kernel 10"),
			[]string{"clean"},
		},
		{
			"of several fixed versions in one patch the highest decides, once",
			[]patch.Patch{fixes("d:1", "openssl 1.2", "openssl 1.4", "openssl 1.3"), fixes("d:0", "bash 1", "openssl 1.3")}, bob("openssl 1.1"),
			[]string{"openssl 1.1 is below 1.3 (d:0) superseded by d:1", "openssl 1.1 is below 1.4 (d:1)", "missing"},
		},
		{
			"an installed version that cannot be read leaves its patches unknown",
			[]patch.Patch{fixes("d:1", "openssl 2"), fixes("d:2", "openssl:arm64 3")}, bob("openssl ?"),
			[]string{`unknown: openssl ? cannot be compared with 2 (d:1): …`, "unknown"},
		},
		{
			"a fixed version that cannot be read leaves its patch unknown, and only that",
			[]patch.Patch{fixes("d:1", "openssl ?"), fixes("d:2", "openssl 2"), on(fixes("d:3", "openssl !"), windows)}, bob("openssl 1"),
			[]string{"openssl 1 is below 2 (d:2)", `unknown: openssl 1 cannot be compared with ? (d:1): …`, "missing"},
		},
		{
			"another scheme leaves a patch unknown, the same scheme beside it does not",
			[]patch.Patch{with(fixes("d:1", "openssl 9"), func(p *patch.Patch) { p.Packages[0].Fixed.Scheme = "aaa" }), fixes("d:2", "openssl 1")}, bob("openssl 1"),
			[]string{`unknown: openssl 1 cannot be compared with 9 (d:1): …`, "unknown"},
		},
		{
			"one unreadable version of several may be the highest",
			[]patch.Patch{fixes("d:1", "kernel 2"), fixes("d:2", "kernel 4")}, bob("kernel 3", "kernel ?"),
			[]string{`unknown: kernel 3 cannot be compared with 4 (d:2): …`, "unknown"},
		},
		{
			"what the device says is missing is missing",
			[]patch.Patch{{ID: "msrc:KB2"}, {ID: "msrc:KB1"}, {ID: "msrc:KB3"}}, missing(bob(), "msrc:KB2", "msrc:KB1", "msrc:KB2"),
			[]string{"the device says that it is missing (msrc:KB1)", "the device says that it is missing (msrc:KB2)", "missing"},
		},
		{
			"what the device says and what its versions say is one finding",
			[]patch.Patch{fixes("d:1", "openssl 2"), fixes("d:2", "openssl 1"), fixes("d:3", "bash 2")}, missing(bob("openssl 1", "bash 1"), "d:2", "d:3"),
			[]string{"openssl 1 is below 2 (d:1)", "the device says that it is missing (d:2)", "bash 1 is below 2 (d:3)", "missing"},
		},
		{
			"the catalog says what supersedes what the device says",
			[]patch.Patch{{ID: "k:1"}, over(patch.Patch{ID: "k:2"}, "k:1"), over(patch.Patch{ID: "k:3"}, "k:2")}, missing(bob(), "k:1", "k:2", "k:3"),
			[]string{"the device says that it is missing (k:1) superseded by k:3", "the device says that it is missing (k:2) superseded by k:3",
				"the device says that it is missing (k:3)", "missing"},
		},
		{
			"a patch that the device does not miss supersedes nothing there",
			[]patch.Patch{{ID: "k:1"}, over(patch.Patch{ID: "k:2"}, "k:1"), over(patch.Patch{ID: "k:3"}, "k:2")}, missing(bob(), "k:1"),
			[]string{"the device says that it is missing (k:1)", "missing"},
		},
		{
			"a patch in the middle of a chain does, if the device misses it",
			[]patch.Patch{{ID: "k:1"}, over(patch.Patch{ID: "k:2"}, "k:1"), over(patch.Patch{ID: "k:3"}, "k:2")}, missing(bob(), "k:1", "k:2"),
			[]string{"the device says that it is missing (k:1) superseded by k:2", "the device says that it is missing (k:2)", "missing"},
		},
		{
			"of several that supersede it the newest is named",
			[]patch.Patch{{ID: "k:1"}, over(patch.Patch{ID: "k:2"}, "k:1"),
				with(over(patch.Patch{ID: "k:3"}, "k:1"), func(p *patch.Patch) { p.Released = hour(1) }), over(patch.Patch{ID: "k:4"}, "k:1")},
			missing(bob(), "k:1", "k:2", "k:3", "k:4"),
			[]string{"the device says that it is missing (k:1) superseded by k:3", "the device says that it is missing (k:2)",
				"the device says that it is missing (k:3)", "the device says that it is missing (k:4)", "missing"},
		},
		{
			"a cycle in the catalog supersedes nothing",
			[]patch.Patch{over(patch.Patch{ID: "k:1"}, "k:2"), over(patch.Patch{ID: "k:2"}, "k:1")}, missing(bob(), "k:1", "k:2"),
			[]string{"the device says that it is missing (k:1)", "the device says that it is missing (k:2)", "missing"},
		},
		{
			"what the device says of a withdrawn patch does not count, of an unknown or a foreign one is unknown",
			[]patch.Patch{withdrawn(patch.Patch{ID: "k:1"}), on(patch.Patch{ID: "k:2"}, windows)}, missing(bob(), "k:3", "k:2", "k:1"),
			[]string{"unknown: the device says that it misses k:3, which is not in the catalog",
				"unknown: the device says that it misses k:2, which is for another platform", "unknown"},
		},
		{
			"a withdrawn patch that the device says it misses is nothing to do",
			[]patch.Patch{withdrawn(patch.Patch{ID: "k:1"})}, missing(bob(), "k:1"),
			[]string{"clean"},
		},
		{
			"a device of unknown platform is judged by its packages",
			[]patch.Patch{on(fixes("d:1", "openssl:amd64 2"), patch.Platform{OS: "debian", Version: "12", Arch: "amd64"})},
			func() *inventory.Device { d := bob("openssl 1"); d.Platform = patch.Platform{}; return d }(),
			[]string{"openssl 1 is below 2 (d:1)", "missing"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := lines(inventory.Assess(catalog(t, test.patches...), test.device))
			require.Len(t, got, len(test.want), "%s", strings.Join(got, "\n"))
			for i, want := range test.want {
				// The detail of a version that cannot be read is the business of package version.
				if start, found := strings.CutSuffix(want, "…"); found {
					require.Equal(t, start, got[i][:min(len(start), len(got[i]))])
					continue
				}
				require.Equal(t, want, got[i])
			}
		})
	}
}

func TestAssessSaysWhatItCannotKnow(t *testing.T) {
	c := catalog(t, fixes("d:1", "openssl 2"))
	scanned := func(status inventory.Status, software ...string) *inventory.Device {
		d := bob(software...)
		d.Coverage[0].Status = status
		d.Coverage[0].Detail = "it is said why"
		return d
	}
	tests := []struct {
		name    string
		catalog *patch.Catalog
		device  *inventory.Device
		want    []string
	}{
		{"a device that was never scanned", c, &inventory.Device{ID: "new"}, []string{"unknown: the device was never scanned", "unknown"}},
		{"a manager that was looked at in vain", c, scanned(inventory.Failed, "openssl 2"), []string{"unknown: dpkg was not covered completely: failed: it is said why", "unknown"}},
		{"a manager that was looked at in part", c, scanned(inventory.Partial, "openssl 2"), []string{"unknown: dpkg was not covered completely: partial: it is said why", "unknown"}},
		{"a manager that was skipped", c, scanned(inventory.Skipped, "openssl 2"), []string{"unknown: dpkg was not covered completely: skipped: it is said why", "unknown"}},
		{"what is known to be missing is missing all the same", c, scanned(inventory.Failed, "openssl 1"),
			[]string{"openssl 1 is below 2 (d:1)", "unknown: dpkg was not covered completely: failed: it is said why", "missing"}},
		{"a manager without coverage", c, func() *inventory.Device { d := bob("openssl 2"); d.Software[0].Manager = "snap"; return d }(),
			[]string{"unknown: snap was not covered completely: its software is listed, but no scan tells how completely", "unknown"}},
		{"a scan that lists nothing", c, bob(), []string{"unknown: the scan lists no software at all", "unknown"}},
		{"a manager that judges for itself may list nothing", c, func() *inventory.Device { d := bob(); d.Coverage[0].Judges = true; return d }(), []string{"clean"}},
		{"a judge that was looked at in vain", c, func() *inventory.Device { d := scanned(inventory.Failed); d.Coverage[0].Judges = true; return d }(),
			[]string{"unknown: dpkg was not covered completely: failed: it is said why", "unknown: the scan lists no software at all", "unknown"}},
		{"an empty catalog", &patch.Catalog{}, bob("openssl 2"), []string{"unknown: the catalog is empty: nothing can be known to be missing", "unknown"}},
		{"no catalog", nil, bob("openssl 2"), []string{"unknown: the catalog is empty: nothing can be known to be missing", "unknown"}},
		{"an ecosystem that no patch is for", c, func() *inventory.Device {
			d := bob("openssl 2", "zlib 1")
			d.Software[1].Ecosystem = "Debian:13"
			return d
		}(),
			[]string{"unknown: no patch of the catalog is for Debian:13 (dpkg)", "unknown"}},
		{"a device with everything known", c, bob("openssl 2"), []string{"clean"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := inventory.Assess(test.catalog, test.device)
			require.Equal(t, test.want, lines(a))
			require.Equal(t, test.device.ID, a.Device)
			require.Equal(t, test.device.Tenant, a.Tenant)
			for _, u := range a.Unknown {
				require.NotEqual(t, inventory.ReasonUnknown, u.Reason)
			}
		})
	}
}

func TestAssessmentCoverage(t *testing.T) {
	c := catalog(t, fixes("d:1", "openssl 2"))
	d := bob("openssl 2")
	d.Coverage = []inventory.Coverage{covered("dpkg", inventory.Complete, 3), covered("snap", inventory.Complete, 2), covered("flatpak", inventory.Complete, 5)}
	a := inventory.Assess(c, d)
	require.True(t, a.Covered)
	require.Equal(t, hour(2), a.Oldest)
	d.Coverage[2].Status = inventory.Skipped
	require.False(t, inventory.Assess(c, d).Covered)
	d = bob("openssl 2")
	d.Software[0].Manager = "snap"
	require.False(t, inventory.Assess(c, d).Covered, "software of a manager that no scan covered")
	a = inventory.Assess(c, &inventory.Device{})
	require.False(t, a.Covered)
	require.True(t, a.Oldest.IsZero())
	require.Equal(t, inventory.StateUnknown, (&inventory.Assessment{}).State())
}

func TestFindingIsExplained(t *testing.T) {
	c := catalog(t, fixes("d:1", "openssl 2", "libssl3 2"), fixes("d:2", "openssl 3", "libssl3 3"), patch.Patch{ID: "k:1"})
	d := missing(bob("openssl 1", "libssl3:i386 1", "libssl3 1"), "d:2", "k:1")
	d.Software[0].Held = true
	a := inventory.Assess(c, d)
	require.Len(t, a.Findings, 3)
	require.Equal(t, inventory.BelowFixed, a.Findings[0].Evidence)
	require.Equal(t, "libssl3 1 is below 2, and 2 more (d:1)", a.Findings[0].String())
	require.Equal(t, `d:1 is missing
  dpkg: libssl3 1 is below 2, amd64
  dpkg: libssl3 1 is below 2, i386
  dpkg: openssl 1 is below 2, amd64, held
  d:2 makes it unnecessary
`, a.Findings[0].Explain())
	require.Equal(t, inventory.DeviceSays, a.Findings[1].Evidence)
	require.Equal(t, `d:2 is missing
  the device says so
  dpkg: libssl3 1 is below 3, amd64
  dpkg: libssl3 1 is below 3, i386
  dpkg: openssl 1 is below 3, amd64, held
`, a.Findings[1].Explain())
	require.Equal(t, "k:1 is missing\n  the device says so\n", a.Findings[2].Explain())
	require.Equal(t, "missing (d:9)", inventory.Finding{Patch: "d:9"}.String())

	var standing []patch.ID
	for f := range a.Standing() {
		standing = append(standing, f.Patch)
	}
	require.Equal(t, []patch.ID{"d:2", "k:1"}, standing)
	for f := range a.Standing() {
		require.Equal(t, patch.ID("d:2"), f.Patch)
		break
	}
}

func TestAssessmentSurvivesJSON(t *testing.T) {
	c := catalog(t, fixes("d:1", "openssl 2"), fixes("d:2", "openssl 3"), fixes("d:3", "bash ?"))
	a := inventory.Assess(c, bob("openssl 1", "bash 1"))
	text, err := json.Marshal(a)
	require.NoError(t, err)
	require.Contains(t, string(text), `"evidence":"below-fixed"`)
	require.Contains(t, string(text), `"reason":"incomparable"`)
	var back inventory.Assessment
	require.NoError(t, json.Unmarshal(text, &back))
	require.Empty(t, cmp.Diff(a, back))
}

// TestAssessOfRandomFleets compares Assess with its definition, package by package and patch by patch.
func TestAssessOfRandomFleets(t *testing.T) {
	arches := []string{"", "all", "amd64", "i386"}
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		text := func() string {
			if r.IntN(30) == 0 {
				return "?"
			}
			return fmt.Sprint(1 + r.IntN(5))
		}
		var patches []patch.Patch
		for i := range 1 + r.IntN(12) {
			p := patch.Patch{ID: patch.ID(fmt.Sprintf("d:%02d", i))}
			for range r.IntN(4) {
				q := pkg(fmt.Sprintf("p%d %s", r.IntN(4), text()))
				q.Arch = arches[r.IntN(4)]
				p.Packages = append(p.Packages, q)
			}
			for range r.IntN(3) {
				p.Supersedes = append(p.Supersedes, patch.ID(fmt.Sprintf("d:%02d", r.IntN(12))))
			}
			if r.IntN(8) == 0 {
				p.Withdrawn = hour(1)
			}
			patches = append(patches, p)
		}
		d := bob()
		for range r.IntN(8) {
			s := deb(fmt.Sprintf("p%d", r.IntN(4)), text())
			s.Arch = arches[1+r.IntN(3)]
			if !slices.Contains(d.Software, s) {
				d.Software = append(d.Software, s)
			}
		}
		for range r.IntN(3) {
			d.Missing = append(d.Missing, patch.ID(fmt.Sprintf("d:%02d", r.IntN(14))))
		}
		c := catalog(t, patches...)
		before, err := json.Marshal(d)
		require.NoError(t, err)
		a := inventory.Assess(c, d)
		after, err := json.Marshal(d)
		require.NoError(t, err)
		require.Equal(t, string(before), string(after), "the device was changed")

		// What is missing or unknown, by definition: patch -> package -> fixed version, "?" for unknown.
		want := map[string]string{}
		for _, p := range patches {
			if !p.Withdrawn.IsZero() {
				continue
			}
			if slices.Contains(d.Missing, p.ID) {
				want[string(p.ID)] = "says"
			}
			for _, q := range p.Packages {
				for _, s := range d.Software {
					if s.Name != q.Name || q.Arch != "" && q.Arch != "all" && q.Arch != s.Arch && (s.Arch != "all" || q.Arch != "amd64") {
						continue
					}
					has, doubt := false, q.Fixed.Text == "?"
					for _, o := range d.Software {
						if o.Name == s.Name && o.Arch == s.Arch {
							doubt = doubt || o.Version.Text == "?"
							has = has || o.Version.Text != "?" && q.Fixed.Text != "?" && o.Version.Text >= q.Fixed.Text
						}
					}
					at := fmt.Sprintf("%s %s:%s", p.ID, s.Name, s.Arch)
					if has {
						continue
					} else if doubt {
						want[at+" ? "+q.Fixed.Text] = "unknown"
					} else if want[at] < q.Fixed.Text {
						want[at] = q.Fixed.Text
					}
				}
			}
		}
		got := map[string]string{}
		all, standing := map[string]bool{}, map[string]bool{}
		for _, f := range a.Findings {
			if f.Evidence == inventory.DeviceSays {
				got[string(f.Patch)] = "says"
			}
			for _, m := range f.Packages {
				got[fmt.Sprintf("%s %s:%s", f.Patch, m.Name, m.Arch)] = m.Fixed.Text
				all[m.Name+":"+m.Arch] = true
				standing[m.Name+":"+m.Arch] = standing[m.Name+":"+m.Arch] || f.SupersededBy == ""
			}
			if f.SupersededBy != "" {
				i := slices.IndexFunc(a.Findings, func(o inventory.Finding) bool { return o.Patch == f.SupersededBy })
				require.GreaterOrEqual(t, i, 0, "seed %d: %s is superseded by what is no finding", seed, f.Patch)
				require.Empty(t, a.Findings[i].SupersededBy, "seed %d: %s is superseded by what is superseded", seed, f.Patch)
				for _, m := range f.Packages {
					require.True(t, slices.ContainsFunc(a.Findings[i].Packages, func(o inventory.Missing) bool {
						return o.Name == m.Name && o.Arch == m.Arch && o.Fixed.Text >= m.Fixed.Text
					}), "seed %d: %s leaves %s of %s behind", seed, f.SupersededBy, m.Name, f.Patch)
				}
			}
		}
		for _, u := range a.Unknown {
			if u.Reason == inventory.Incomparable {
				got[fmt.Sprintf("%s %s:%s ? %s", u.Patch, u.Name, u.Arch, u.Fixed)] = "unknown"
			}
		}
		require.Empty(t, cmp.Diff(want, got), "seed %d", seed)
		for name := range all {
			require.True(t, standing[name], "seed %d: no finding that stands brings %s further", seed, name)
		}

		// The order of the software does not matter, nor does that of the patches.
		shuffled := *d
		shuffled.Software = slices.Clone(d.Software)
		r.Shuffle(len(shuffled.Software), func(i, j int) {
			shuffled.Software[i], shuffled.Software[j] = shuffled.Software[j], shuffled.Software[i]
		})
		slices.Reverse(patches)
		require.Empty(t, cmp.Diff(a, inventory.Assess(catalog(t, patches...), &shuffled)), "seed %d", seed)
	}
}

func benchmarkFleet(b testing.TB, behind int) (*patch.Catalog, *inventory.Device) {
	patches := make([]patch.Patch, 20_000)
	for i := range patches {
		name := fmt.Sprintf("lib-package-%d", i%2000)
		patches[i] = fixes(patch.ID(fmt.Sprintf("debian:DSA-%05d-1", i)), fmt.Sprintf("%s 1:%d.0.2-1+deb12u1", name, 1+i/2000))
	}
	d := bob()
	for i := range 1000 {
		fixed := 10
		if i < behind {
			fixed = 8 // misses two
		}
		d.Software = append(d.Software, deb(fmt.Sprintf("lib-package-%d", i), fmt.Sprintf("1:%d.0.2-1+deb12u1", fixed)))
	}
	slices.SortFunc(d.Software, func(x, y inventory.Software) int { return strings.Compare(x.Name, y.Name) })
	return catalog(b, patches...), d
}

func TestAssessAllocatesNothingForAPackageWithoutAFinding(t *testing.T) {
	c, d := benchmarkFleet(t, 0)
	require.Equal(t, inventory.StateClean, func() inventory.State { a := inventory.Assess(c, d); return a.State() }())
	require.Zero(t, testing.AllocsPerRun(10, func() { inventory.Assess(c, d) }))
}

func BenchmarkAssess(b *testing.B) {
	for _, behind := range []int{0, 50, 1000} {
		b.Run(fmt.Sprintf("behind=%d", behind), func(b *testing.B) {
			c, d := benchmarkFleet(b, behind)
			b.ReportAllocs()
			for b.Loop() {
				if a := inventory.Assess(c, d); len(a.Findings) != 2*behind {
					b.Fatalf("%d findings", len(a.Findings))
				}
			}
		})
	}
}
