package bench

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// estate makes a catalog of so many advisories on 4,000 packages, and devices with 1,000 of these each: most in the version of
// an image that they share, one in six in another.
func estate(tb testing.TB, advisories, devices int) (*patch.Catalog, []inventory.Device) {
	random := rand.New(rand.NewPCG(3, 4))
	text := func() string {
		return fmt.Sprintf("1.%d.%d-2+deb12u%d", random.IntN(9), random.IntN(30), random.IntN(9))
	}
	name := func(i int) string { return fmt.Sprintf("package-%04d", i) }
	patches := make([]patch.Patch, advisories)
	for i := range patches {
		patches[i] = patch.Patch{ID: patch.ID(fmt.Sprintf("osv:DSA-%05d", i)), Packages: []patch.Package{
			{Ecosystem: "Debian:12", Name: name(random.IntN(4000)), Fixed: deb(text())},
			{Ecosystem: "Debian:12", Name: name(random.IntN(4000)), Fixed: deb(text())},
		}}
	}
	catalog, err := patch.NewCatalog(patches)
	require.NoError(tb, err)
	images := make([][3]inventory.Software, 4000)
	for i := range images {
		for j := range images[i] {
			images[i][j] = inventory.Software{Manager: "dpkg", Ecosystem: "Debian:12", Name: name(i), Arch: "amd64", Version: deb(text())}
		}
	}
	all := make([]inventory.Device, devices)
	for i := range all {
		software := make([]inventory.Software, 1000)
		from := 100 * random.IntN(30)
		for k := range software {
			software[k] = images[from+k][max(0, random.IntN(12)-9)]
		}
		all[i] = inventory.Device{Tenant: "acme", ID: inventory.DeviceID(fmt.Sprint("device-", i)), Software: software,
			Platform: patch.Platform{OS: "debian", Version: "12", Arch: "amd64"},
			Coverage: []inventory.Coverage{{Manager: "dpkg", Status: inventory.Complete, At: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}}}
	}
	return catalog, all
}

func TestFleetFindsWhatAssessFinds(t *testing.T) {
	catalog, devices := estate(t, 3000, 20)
	f := inventory.NewFleet(catalog)
	found := 0
	for i := range devices {
		f.Put(&devices[i])
	}
	for i := range devices {
		a := inventory.Assess(catalog, &devices[i])
		var ids []patch.ID
		for _, x := range a.Findings {
			ids = append(ids, x.Patch)
		}
		require.Equal(t, ids, f.Missing(inventory.Ref{Tenant: "acme", Device: devices[i].ID}))
		found += len(ids)
	}
	require.Greater(t, found, 1000)
}

// assessing measures a fleet against looking at each device by itself.
func assessing(tb testing.TB) *contest {
	const count, single = 1000, 100
	catalog, devices := estate(tb, 30_000, count)
	newer, err := catalog.With([]patch.Patch{{ID: "osv:new", Packages: []patch.Package{{Ecosystem: "Debian:12", Name: "package-2000", Fixed: deb("2.0-1")}}}})
	require.NoError(tb, err)
	changes := patch.Diff(catalog, newer)
	back := patch.Diff(newer, catalog)
	var f *inventory.Fleet
	found := 0
	return &contest{
		name: "1,000 devices of 1,000 packages against 30,000 advisories",
		sides: []side{
			{name: "Assess each", per: single, run: func() {
				for i := range devices[:single] {
					a := inventory.Assess(catalog, &devices[i])
					found += len(a.Findings)
				}
			}},
			{name: "Fleet.Put", per: count, setup: func() { f = inventory.NewFleet(catalog) }, run: func() {
				for i := range devices {
					f.Put(&devices[i])
				}
			}},
			{name: "Fleet.Put again, unchanged", per: count, run: func() {
				for i := range devices {
					f.Put(&devices[i])
				}
			}},
			{name: "Fleet.Missing", per: count, run: func() {
				for i := range devices {
					found += len(f.Missing(inventory.Ref{Tenant: "acme", Device: devices[i].ID}))
				}
			}},
			{name: "a new advisory", per: count, run: func() {
				require.NotEmpty(tb, f.Update(newer, changes))
				require.NotEmpty(tb, f.Update(catalog, back))
			}},
		},
		goals: []goal{
			{"Fleet.Put", "Assess each", 1. / 10}, {"Fleet.Put again, unchanged", "Assess each", 1. / 20},
			{"Fleet.Missing", "Assess each", 1. / 4}, {"a new advisory", "Assess each", 1. / 5000},
		},
	}
}

func BenchmarkAssess(b *testing.B) { bench(b, assessing) }

// fleetGoal is the most that a device of 1,000 packages may cost in a fleet, in bytes.
const fleetGoal = 16_000

func decideFleetMemory(t *testing.T, w io.Writer) {
	catalog, devices := estate(t, 30_000, 2000)
	f := inventory.NewFleet(catalog)
	f.Put(&devices[0])
	before := heap()
	for i := range devices {
		f.Put(&devices[i])
	}
	each := (heap() - before) / int64(len(devices))
	runtime.KeepAlive(f)
	runtime.KeepAlive(devices)
	fmt.Fprintf(w, "\n### Memory of a fleet\n\n| what | bytes | goal |\n|---|---|---|\n| a device of 1,000 packages | %d | %d |\n", each, fleetGoal)
	if each > fleetGoal {
		t.Errorf("a device of 1,000 packages costs %d bytes; the goal is %d", each, fleetGoal)
	}
}
