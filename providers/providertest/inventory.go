package providertest

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// InventoryHarness tells [Inventory] how to get at an inventory. If the source is an [inventory.Scanner] too, that is
// checked as well.
type InventoryHarness struct {
	// New returns the source, in a fresh state. It lists at least two devices.
	New func(t *testing.T) inventory.Source

	// Want names devices that it lists, among others or all of them.
	Want []inventory.DeviceID

	// Broken returns a source whose listing fails.
	Broken func(t *testing.T) inventory.Source

	// Scanned picks the device that is scanned; nil picks the first of the listing.
	Scanned func(d inventory.Device) bool

	// Change changes the software of a device of s, behind its back.
	Change func(t *testing.T, s inventory.Source, d inventory.Device)

	// Cut makes a device of s unreachable.
	Cut func(t *testing.T, s inventory.Source, d inventory.Device)

	// Uncovered returns a source whose device has a package manager that cannot be looked at, and which that is.
	Uncovered func(t *testing.T) (s inventory.Source, d inventory.Device, manager string)
}

// Inventory checks an [inventory.Source], and an [inventory.Scanner] if it is one.
func Inventory(t *testing.T, h InventoryHarness) {
	t.Helper()
	run(t, inventoryPromises(), func(t *testing.T) inventoryFixture { return inventoryFixture{h, h.New(t)} },
		func(t *testing.T, group string) bool {
			_, scans := h.New(t).(inventory.Scanner)
			return group != "Scan" || scans
		})
}

type inventoryFixture struct {
	InventoryHarness
	source inventory.Source
}

func devices(t *testing.T, s inventory.Source, q inventory.Query) []inventory.Device {
	t.Helper()
	var all []inventory.Device
	for d, err := range s.Devices(t.Context(), q) {
		require.NoError(t, err)
		all = append(all, d)
	}
	return all
}

// scanned returns the device to be scanned, and its scan.
func (f inventoryFixture) scanned(t *testing.T) (inventory.Device, inventory.Scan) {
	t.Helper()
	all := devices(t, f.source, inventory.Query{})
	i := 0
	if f.Scanned != nil {
		i = slices.IndexFunc(all, f.Scanned)
	}
	require.True(t, i >= 0 && i < len(all), "the harness must provide a device to scan")
	scan, err := f.source.(inventory.Scanner).Scan(t.Context(), all[i])
	require.NoError(t, err)
	return all[i], scan
}

// covers checks that got has all devices of all that fit.
func covers(t *testing.T, all, got []inventory.Device, q inventory.Query, fits func(d *inventory.Device) bool) {
	t.Helper()
	for i := range all {
		d := &all[i]
		if fits(d) {
			require.True(t, slices.ContainsFunc(got, func(o inventory.Device) bool { return o.Tenant == d.Tenant && o.ID == d.ID }),
				"%s of tenant %q is not listed for tenant %q and selector %q", d.ID, d.Tenant, q.Tenant, q.Selector)
		}
	}
}

func inventoryPromises() []promise[inventoryFixture] {
	const never = "It may yield more than was asked for, never less."
	list := lister[inventoryFixture, inventory.Device]{
		group: "Devices",
		list: func(f inventoryFixture, ctx context.Context) iter.Seq2[inventory.Device, error] {
			return f.source.Devices(ctx, inventory.Query{})
		},
		key: func(d *inventory.Device) string { return string(d.Tenant) + ":" + string(d.ID) },
		broken: func(t *testing.T, f inventoryFixture) (iter.Seq2[inventory.Device, error], bool) {
			if f.Broken == nil {
				return nil, false
			}
			return f.Broken(t).Devices(t.Context(), inventory.Query{}), true
		},
		once:       "Devices yields the devices that match q, each (tenant, ID) once",
		start:      "keep no position between calls: every call lists from the start.",
		concurrent: "Implementations are safe for concurrent use",
		last:       "An error ends the sequence and is its last pair: what came before it is then no complete list.",
		ctx:        "When ctx is done the sequence ends with ctx's error.",
	}
	all := []promise[inventoryFixture]{
		{"Devices", "every device is listed", never, func(t *testing.T, f inventoryFixture) {
			all := devices(t, f.source, inventory.Query{})
			require.GreaterOrEqual(t, len(all), 2, "the harness must provide two devices or more")
			for _, id := range f.Want {
				require.True(t, slices.ContainsFunc(all, func(d inventory.Device) bool { return d.ID == id }), "%s is not listed", id)
			}
		}},
		{"Devices", "a query for a tenant lists the tenants below it", "only this tenant and those below it", func(t *testing.T, f inventoryFixture) {
			all := devices(t, f.source, inventory.Query{})
			for _, d := range all[:min(len(all), 5)] {
				for tenant := string(d.Tenant); tenant != ""; {
					q := inventory.Query{Tenant: inventory.Tenant(tenant)}
					covers(t, all, devices(t, f.source, q), q, func(d *inventory.Device) bool { return q.Tenant.Contains(d.Tenant) })
					tenant = tenant[:max(strings.LastIndex(tenant, "/"), 0)]
				}
			}
		}},
		{"Devices", "a query with a selector leaves out nothing that it selects", never, func(t *testing.T, f inventoryFixture) {
			all := devices(t, f.source, inventory.Query{})
			selectors := []inventory.Selector{{}, inventory.All()}
			for _, d := range all[:min(len(all), 5)] {
				selectors = append(selectors, inventory.MustSelector("device.id="+quoted(string(d.ID))))
				for _, key := range slices.Sorted(maps.Keys(d.Labels)) {
					selectors = append(selectors, inventory.MustSelector(quoted(key)+"="+quoted(d.Labels[key])))
				}
			}
			for _, s := range selectors {
				q := inventory.Query{Selector: s}
				covers(t, all, devices(t, f.source, q), q, func(d *inventory.Device) bool { return s.IsZero() || s.Matches(d) })
			}
		}},
	}
	return append(append(all, list.promises()...), scanPromises()...)
}

func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func scanPromises() []promise[inventoryFixture] {
	const now = "Scan looks at d now."
	const coverage = "a manager that could not be looked at is no error but coverage that says so."
	uncovered := func(t *testing.T, f inventoryFixture) (scan inventory.Scan, manager string, err error) {
		need(t, f.Uncovered != nil, "Uncovered")
		s, d, manager := f.Uncovered(t)
		scan, err = s.(inventory.Scanner).Scan(t.Context(), d)
		return scan, manager, err
	}
	return []promise[inventoryFixture]{
		{"Scan", "a scan names the device that was looked at", now, func(t *testing.T, f inventoryFixture) {
			d, scan := f.scanned(t)
			require.Equal(t, d.Tenant, scan.Tenant)
			require.Equal(t, d.ID, scan.Device)
		}},
		{"Scan", "every scan is a fresh look", now, func(t *testing.T, f inventoryFixture) {
			need(t, f.Change != nil, "Change")
			d, before := f.scanned(t)
			f.Change(t, f.source, d)
			after, err := f.source.(inventory.Scanner).Scan(t.Context(), d)
			require.NoError(t, err)
			require.NotEqual(t, before.Software, after.Software, "the software has changed on the device")
		}},
		{"Scan", "a device that cannot be reached is an error that says so", "A device that cannot be reached is an error that wraps [patch.ErrUnreachable]",
			func(t *testing.T, f inventoryFixture) {
				need(t, f.Cut != nil, "Cut")
				d, _ := f.scanned(t)
				f.Cut(t, f.source, d)
				_, err := f.source.(inventory.Scanner).Scan(t.Context(), d)
				require.ErrorIs(t, err, patch.ErrUnreachable)
			}},
		{"Scan", "a manager that could not be looked at is no error", coverage, func(t *testing.T, f inventoryFixture) {
			_, _, err := uncovered(t, f)
			require.NoError(t, err)
		}},
		{"Scan", "a manager that could not be looked at is not said to be covered", coverage, func(t *testing.T, f inventoryFixture) {
			scan, manager, err := uncovered(t, f)
			if err != nil {
				t.Skipf("there is no scan: %v", err)
			}
			i := slices.IndexFunc(scan.Coverage, func(c inventory.Coverage) bool { return c.Manager == manager })
			require.GreaterOrEqual(t, i, 0, "the coverage does not mention %s", manager)
			require.NotEqual(t, inventory.Complete, scan.Coverage[i].Status)
		}},
		{"Scan", "scans at once do not disturb each other", "It is safe for concurrent use.", func(t *testing.T, f inventoryFixture) {
			all := devices(t, f.source, inventory.Query{})
			if f.Scanned != nil {
				all = slices.DeleteFunc(all, func(d inventory.Device) bool { return !f.Scanned(d) })
			}
			require.NotEmpty(t, all, "the harness must provide a device to scan")
			scans, errs := make([]inventory.Scan, 4), make([]error, 4)
			atOnce(len(scans), func(i int) {
				scans[i], errs[i] = f.source.(inventory.Scanner).Scan(t.Context(), all[i%len(all)])
			})
			for i := range scans {
				require.NoError(t, errs[i])
				require.Equal(t, all[i%len(all)].ID, scans[i].Device)
			}
		}},
	}
}
