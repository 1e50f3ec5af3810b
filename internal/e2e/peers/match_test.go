package peers

import (
	"archive/zip"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/osv-scalibr/enricher/vulnmatch/osvlocal"
	"github.com/google/osv-scalibr/extractor"
	rpmmeta "github.com/google/osv-scalibr/extractor/filesystem/os/rpm/metadata"
	osvpb "github.com/ossf/osv-schema/bindings/go/osvschema"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source/osv"
)

// slack is by how much a ratio may miss its goal.
const slack = 1.25

// held says whether goals are held: on demand only, since they want the machine for themselves.
func held() bool { return os.Getenv("PATCHFLOW_BENCH") == "1" }

// collect reads the OSV records of a folder.
func collect(t testing.TB, folder string) *patch.Catalog {
	t.Helper()
	source, err := osv.New(osv.Config{Inputs: []osv.Input{{Folder: os.DirFS(folder)}}})
	require.NoError(t, err)
	catalog, refused, err := patch.Collect(t.Context(), patch.Query{}, source)
	require.NoError(t, err)
	require.Empty(t, refused)
	return catalog
}

// advisories reads all advisories of AlmaLinux, as each side does it.
func advisories(t testing.TB) (*patch.Catalog, []*osvpb.Vulnerability) {
	t.Helper()
	folder := need.Shared(t, "feeds", "osv-almalinux")
	catalog := collect(t, folder)
	require.Equal(t, 5637, catalog.Len(), "5,680 files, some of them in the folders of two releases")

	var theirs []*osvpb.Vulnerability
	names, err := filepath.Glob(filepath.Join(folder, "*.zip"))
	require.NoError(t, err)
	for _, name := range names {
		z, err := zip.OpenReader(name)
		require.NoError(t, err)
		defer z.Close()
		for _, f := range z.File {
			if !strings.HasSuffix(f.Name, ".json") {
				continue
			}
			r, err := f.Open()
			require.NoError(t, err)
			text, err := io.ReadAll(r)
			require.NoError(t, err)
			v := &osvpb.Vulnerability{}
			require.NoError(t, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(text, v))
			theirs = append(theirs, v)
		}
	}
	byID := func(a, b *osvpb.Vulnerability) int { return strings.Compare(a.GetId(), b.GetId()) }
	slices.SortFunc(theirs, byID)
	theirs = slices.CompactFunc(theirs, func(a, b *osvpb.Vulnerability) bool { return byID(a, b) == 0 })
	require.Len(t, theirs, catalog.Len())
	return catalog, theirs
}

// host makes a machine of AlmaLinux 9 with n packages, three fifths of which some advisory names, each in one of the
// versions in which it was fixed. Packages from modules are left out: of which stream a fix is, these records do not say.
func host(c *patch.Catalog, n int) *inventory.Device {
	const ecosystem = "AlmaLinux:9"
	random := rand.New(rand.NewPCG(5, 6))
	versions := map[string][]string{}
	for p := range c.All() {
		for i := range p.Packages {
			if x := &p.Packages[i]; x.Ecosystem == ecosystem && !strings.Contains(x.Fixed.Text, ".module") && !x.Fixed.IsZero() {
				versions[x.Name] = append(versions[x.Name], x.Fixed.Text)
			}
		}
	}
	var names []string
	for name := range versions {
		names = append(names, name)
	}
	slices.Sort(names)
	random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	d := &inventory.Device{ID: "host", Platform: patch.Platform{OS: "almalinux", Version: "9", Arch: "x86_64"},
		Coverage: []inventory.Coverage{{Manager: "rpm", Status: inventory.Complete, At: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}}}
	for i := range n {
		s := inventory.Software{Manager: "rpm", Ecosystem: ecosystem, Name: "unknown-" + names[i], Arch: "x86_64", Version: version.Version{Scheme: version.RPM, Text: "1.0-1.el9"}}
		if i < n*3/5 {
			s.Name = names[i]
			s.Version.Text = versions[s.Name][random.IntN(len(versions[s.Name]))]
		}
		d.Software = append(d.Software, s)
	}
	slices.SortFunc(d.Software, func(a, b inventory.Software) int { return strings.Compare(a.Name, b.Name) })
	return d
}

// pair is a package and an advisory that it needs.
type pair struct{ name, advisory string }

func ours(a *inventory.Assessment) (pairs []pair) {
	for _, f := range a.Findings {
		for _, m := range f.Packages {
			pairs = append(pairs, pair{m.Name, f.Patch.Native()})
		}
	}
	return pairs
}

func theirs(vulns []*osvpb.Vulnerability, packages []*extractor.Package) (pairs []pair) {
	for _, p := range packages {
		for _, v := range osvlocal.VulnerabilitiesAffectingPackage(vulns, p) {
			pairs = append(pairs, pair{p.Name, v.GetId()})
		}
	}
	return pairs
}

func sorted(pairs []pair) []pair {
	slices.SortFunc(pairs, func(a, b pair) int {
		if n := strings.Compare(a.name, b.name); n != 0 {
			return n
		}
		return strings.Compare(a.advisory, b.advisory)
	})
	return slices.Compact(pairs)
}

// A fleet's scanner is to find what osv-scalibr finds, in a small part of the time. Its matcher takes about 13 times as long
// as grype's (measured apart, as grype first builds a database for minutes): a thousandth of grype is a 13,000th of this.
func TestMatching(t *testing.T) {
	catalog, vulns := advisories(t)
	d := host(catalog, 1000)
	var packages []*extractor.Package
	named := map[string]bool{}
	for _, s := range d.Software {
		named[s.Name] = true
		packages = append(packages, &extractor.Package{Name: s.Name, Version: s.Version.Text, PURLType: "rpm",
			Metadata: &rpmmeta.Metadata{PackageName: s.Name, OSID: "almalinux", OSVersionID: "9"}})
	}
	// As its database does, it gets only the advisories that name some package of the host.
	vulns = slices.DeleteFunc(vulns, func(v *osvpb.Vulnerability) bool {
		return !slices.ContainsFunc(v.GetAffected(), func(a *osvpb.Affected) bool { return named[a.GetPackage().GetName()] })
	})

	// In turn, so that both have the same share of a busy machine: a tenth of the packages there, some devices here. Of the
	// peer's tenths, which take seconds each, all times count; of patchflow's the best of a hundred.
	const parts, rounds, repeat = 10, 10, 10
	var want []pair
	var a inventory.Assessment
	peer, best := time.Duration(0), time.Duration(1<<62)
	for part := range parts {
		from, to := part*len(packages)/parts, (part+1)*len(packages)/parts
		begin := clock()
		want = append(want, theirs(vulns, packages[from:to])...)
		peer += clock() - begin
		for range rounds {
			begin = clock()
			for range repeat {
				a = inventory.Assess(catalog, d)
			}
			best = min(best, (clock()-begin)/repeat)
		}
	}
	want = sorted(want)
	got := sorted(ours(&a))
	for _, x := range got {
		require.Contains(t, want, x)
	}
	modular := 0
	for _, x := range want {
		if slices.Contains(got, x) {
			continue
		}
		// What comes from no module does not need the fix of one. Osv-scalibr takes the version alone.
		p, _ := catalog.Get(patch.ID("osv:" + x.advisory))
		require.True(t, slices.ContainsFunc(p.Packages, func(f patch.Package) bool {
			return f.Name == x.name && strings.Contains(f.Fixed.Text, ".module")
		}), "%v is missing", x)
		modular++
	}
	require.Greater(t, len(want), 500)
	ratio := float64(peer) / float64(best)
	t.Logf("%d packages, %d advisories: %d matches (and %d of osv-scalibr's that take a package of no module for one), results built; osv-scalibr %v, patchflow %v: %.0f times as fast; the goal is 13,000", len(packages),
		catalog.Len(), len(got), modular, peer, best, ratio)
	if held() && ratio*slack < 13_000 {
		t.Errorf("assessing is %.0f times as fast as osv-scalibr; the goal is 13,000", ratio)
	}
}

func BenchmarkAssess(b *testing.B) {
	catalog, _ := advisories(b)
	d := host(catalog, 1000)
	b.ReportAllocs()
	for b.Loop() {
		inventory.Assess(catalog, d)
	}
}
