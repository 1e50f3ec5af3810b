package bench

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source/osv"
)

// feeds reads the 33,680 OSV records of eight publishers. 43 of them stand in two files.
func feeds(tb testing.TB) *patch.Catalog {
	tb.Helper()
	var inputs []osv.Input
	for _, name := range []string{"almalinux", "bitnami", "debian", "go", "redhat", "rocky", "rustsec", "suse"} {
		inputs = append(inputs, osv.Input{Name: name, Folder: os.DirFS(need.Shared(tb, "feeds", "osv-"+name))})
	}
	source, err := osv.New(osv.Config{Inputs: inputs})
	require.NoError(tb, err)
	c, refused, err := patch.Collect(tb.Context(), patch.Query{}, source)
	require.NoError(tb, err)
	require.Empty(tb, refused)
	require.Equal(tb, 33_680-43, c.Len())
	return c
}

// loading measures a saved catalog against the feeds that it was made from.
func loading(tb testing.TB) *contest {
	var saved bytes.Buffer
	c := feeds(tb)
	_, err := c.WriteTo(&saved)
	require.NoError(tb, err)
	again, err := patch.ReadCatalog(bytes.NewReader(saved.Bytes()), patch.Limits{})
	require.NoError(tb, err)
	changes := patch.Diff(c, again)
	require.True(tb, changes.Empty())
	c, again = nil, nil
	return &contest{
		name:  fmt.Sprintf("Catalog of 33,680 OSV records, saved in %.1f MB", float64(saved.Len())/1e6),
		least: 2,
		sides: []side{
			{name: "read the feeds", per: 1, run: func() { feeds(tb) }},
			{name: "ReadCatalog", per: 1, run: func() {
				_, err := patch.ReadCatalog(bytes.NewReader(saved.Bytes()), patch.Limits{})
				require.NoError(tb, err)
			}},
		},
		goals: []goal{{"ReadCatalog", "read the feeds", 1. / 10}},
	}
}

// An image is what a device of one ecosystem has: 1,000 packages by name, each in one of three versions.
type image struct {
	platform patch.Platform
	software [][3]inventory.Software
}

// images makes an image for each ecosystem of c that has 600 packages with fixed versions: 600 of them, in versions in which
// something was fixed, and 400 packages that no record names. Packages of modules are left out.
func images(tb testing.TB, c *patch.Catalog) (all []image) {
	random := rand.New(rand.NewPCG(7, 8))
	fixed := map[string]map[string][]version.Version{}
	for p := range c.All() {
		for i := range p.Packages {
			x := &p.Packages[i]
			if x.Fixed.IsZero() || strings.Contains(x.Fixed.Text, ".module") {
				continue
			}
			if fixed[x.Ecosystem] == nil {
				fixed[x.Ecosystem] = map[string][]version.Version{}
			}
			name := x.Name + x.Source // one of them is ""
			fixed[x.Ecosystem][name] = append(fixed[x.Ecosystem][name], x.Fixed)
		}
	}
	var ecosystems []string
	for name, packages := range fixed {
		if len(packages) >= 600 {
			ecosystems = append(ecosystems, name)
		}
	}
	slices.Sort(ecosystems)
	require.GreaterOrEqual(tb, len(ecosystems), 5)
	for _, ecosystem := range ecosystems {
		var names []string
		for name := range fixed[ecosystem] {
			names = append(names, name)
		}
		slices.Sort(names)
		random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		names = names[:600]
		for i := range 400 {
			names = append(names, fmt.Sprintf("unnamed-%03d", i))
		}
		slices.Sort(names)
		scheme := fixed[ecosystem][names[0]][0].Scheme
		var software [][3]inventory.Software
		for _, name := range names {
			versions := fixed[ecosystem][name]
			if versions == nil {
				versions = []version.Version{{Scheme: scheme, Text: "1.0-1"}}
			}
			var of [3]inventory.Software
			for i := range of {
				of[i] = inventory.Software{Manager: "m", Ecosystem: ecosystem, Name: name, Source: name, Arch: "x86_64", Version: versions[random.IntN(len(versions))]}
			}
			software = append(software, of)
		}
		all = append(all, image{patch.Platform{Arch: "x86_64"}, software})
	}
	return all
}

// device makes device n: most of its packages are in the first version of the image, one in six in another. Its software lies in
// room.
func (m *image) device(n int, room []inventory.Software) inventory.Device {
	random := rand.New(rand.NewPCG(9, uint64(n)))
	for i := range m.software {
		room[i] = m.software[i][max(0, random.IntN(12)-9)]
	}
	return inventory.Device{Tenant: "acme", ID: inventory.DeviceID(fmt.Sprint("device-", n)), Platform: m.platform, Software: room,
		Coverage: []inventory.Coverage{{Manager: "m", Status: inventory.Complete, At: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}}}
}

// served are the devices of [serving].
const served = 10_000

// serving measures a fleet that is held against the feeds.
func serving(tb testing.TB) *contest {
	catalog := feeds(tb)
	all := images(tb, catalog)
	room := make([]inventory.Software, 1000)
	const single = 100
	f := inventory.NewFleet(catalog)
	found, wanted := 0, 0
	missing := func(n int) []patch.ID {
		return f.Missing(inventory.Ref{Tenant: "acme", Device: inventory.DeviceID(fmt.Sprint("device-", n))})
	}
	for i := range single { // the same answers
		d := all[i%len(all)].device(i, room)
		f.Put(&d)
		a := inventory.Assess(catalog, &d)
		var ids []patch.ID
		for _, x := range a.Findings {
			ids = append(ids, x.Patch)
		}
		require.Equal(tb, ids, missing(i))
		wanted += len(ids)
	}
	var newer *patch.Catalog
	advise := func() {
		s := all[0].software[500][0]
		s.Version.Text = "9999:1-1"
		var err error
		newer, err = catalog.With([]patch.Patch{{ID: "osv:new", Advisories: []patch.Advisory{{ID: "new", CVEs: []string{"CVE-2026-99999"}}},
			Packages: []patch.Package{{Ecosystem: s.Ecosystem, Name: s.Name, Fixed: s.Version}}}})
		require.NoError(tb, err)
		touched := f.Update(newer, patch.Diff(catalog, newer))
		require.Len(tb, touched, (served+len(all)-1)/len(all))
	}
	return &contest{
		name:  fmt.Sprintf("%d devices with 1,000 packages, in %d ecosystems, against 33,680 OSV records: %d findings each", served, len(all), wanted/single),
		least: 2,
		sides: []side{
			{name: "Assess each", per: single, run: func() {
				for i := range single {
					d := all[i%len(all)].device(i, room)
					a := inventory.Assess(catalog, &d)
					found += len(a.Findings)
				}
			}},
			{name: "Fleet.Put and Missing", per: served, setup: func() { f = inventory.NewFleet(catalog) }, run: func() {
				for i := range served {
					d := all[i%len(all)].device(i, room)
					f.Put(&d)
					found += len(missing(i))
				}
			}},
			{name: "a new advisory: With, Diff, Update", per: 1, run: advise},
			{name: "the advisory withdrawn", per: 1, run: func() { require.NotEmpty(tb, f.Update(catalog, patch.Diff(newer, catalog))) }},
		},
		goals:  []goal{{"Fleet.Put and Missing", "Assess each", 1}, {"a new advisory: With, Diff, Update", "Assess each", 0}},
		bounds: []bound{{"Fleet.Put and Missing", 10 * time.Second / served}, {"a new advisory: With, Diff, Update", 10 * time.Millisecond}},
	}
}

// The most that a catalog of the feeds may take, and with a fleet, in bytes.
const feedGoal, servedGoal = 150_000_000, 400_000_000

func decideFeedMemory(t *testing.T, w io.Writer) {
	before := heap()
	catalog := feeds(t)
	loaded := heap() - before
	f := inventory.NewFleet(catalog)
	all := images(t, catalog)
	room := make([]inventory.Software, 1000)
	for i := range served {
		d := all[i%len(all)].device(i, room)
		f.Put(&d)
	}
	with := heap() - before
	runtime.KeepAlive(f)
	fmt.Fprintf(w, "\n### Memory of 33,680 OSV records\n\n| what | bytes | goal |\n|---|---|---|\n| the catalog | %d | %d |\n| and a fleet of %d devices of 1,000 packages | %d | %d |\n",
		loaded, feedGoal, served, with, servedGoal)
	if loaded > feedGoal {
		t.Errorf("the catalog takes %d bytes; the goal is %d", loaded, feedGoal)
	}
	if with > servedGoal {
		t.Errorf("the catalog and a fleet of %d devices take %d bytes; the goal is %d", served, with, servedGoal)
	}
}

func BenchmarkFeeds(b *testing.B) {
	b.Run("load", func(b *testing.B) { bench(b, loading) })
	b.Run("serve", func(b *testing.B) { bench(b, serving) })
}
