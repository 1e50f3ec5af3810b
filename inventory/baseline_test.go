package inventory_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// fleet is a source of devices; an error comes last.
type fleet struct {
	devices []inventory.Device
	err     error
}

func (f fleet) Devices(ctx context.Context, q inventory.Query) iter.Seq2[inventory.Device, error] {
	return func(yield func(inventory.Device, error) bool) {
		for _, d := range f.devices {
			if q.Tenant.Contains(d.Tenant) && (q.Selector.IsZero() || q.Selector.Matches(&d)) && !yield(d, nil) {
				return
			}
		}
		if f.err != nil {
			yield(inventory.Device{}, f.err)
		}
	}
}

// people is a fleet with something of everything, and the catalog for it.
func people(t testing.TB) (fleet, *patch.Catalog) {
	c := catalog(t,
		with(fixes("d:1", "openssl 2"), func(p *patch.Patch) {
			p.Classification, p.Severity = patch.ClassSecurity, patch.SeverityCritical
			p.Advisories = []patch.Advisory{{ID: "DSA-1", Exploited: patch.Yes}}
		}),
		with(fixes("d:2", "openssl 3", "bash 2"), func(p *patch.Patch) { p.Classification = patch.ClassBugfix }),
	)
	device := func(tenant inventory.Tenant, id inventory.DeviceID, labels map[string]string, software ...string) inventory.Device {
		d := *bob(software...)
		d.Tenant, d.ID, d.Labels, d.Zone = tenant, id, labels, "Europe/Berlin"
		d.Coverage[0].At = hour(0)
		return d
	}
	ada := device("acme/berlin", "ada", map[string]string{"role": "web", "site": "mitte"}, "openssl 1", "bash 1")
	bob := device("acme/berlin", "bob", map[string]string{"role": "web"}, "openssl 3", "bash 2")
	cyd := device("acme", "cyd", map[string]string{"role": "db", "site": "mitte"}, "openssl 2", "bash 2")
	cyd.PendingReboot, cyd.Zone = patch.Yes, ""
	cyd.Coverage = append(cyd.Coverage, inventory.Coverage{Manager: "snap", Status: inventory.Failed, At: hour(0).Add(-100 * time.Hour)})
	dee := inventory.Device{Tenant: "acme", ID: "dee"}
	return fleet{devices: []inventory.Device{ada, bob, cyd, dee}}, c
}

func TestSurvey(t *testing.T) {
	f, c := people(t)
	b, err := inventory.Survey(t.Context(), f, inventory.Query{}, hour(12), inventory.BaselineConfig{Catalog: c})
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(`baseline at 2025-07-01T12:00:00Z

FLEET       COUNT
devices     4
findings    3
superseded  1

STATE    DEVICES
unknown  1
clean    1
missing  2

SYSTEM     DEVICES
(none)     1
debian 12  3

TENANT       DEVICES
acme         2
acme/berlin  2

ROLE    DEVICES
(none)  1
db      1
web     2

SITE    DEVICES
(none)  2
mitte   2

CLASSIFICATION  FINDINGS  DEVICES
security        1         1
bugfix          2         2

SEVERITY  FINDINGS  DEVICES
unrated   2         2
critical  1         1

GAP             DEVICES  EXAMPLES
never-scanned   1        acme/dee
stale           1        acme/cyd
incomplete      1        acme/cyd
no-zone         2        acme/cyd, acme/dee
pending-reboot  1        acme/cyd
exploited       1        acme/berlin/ada
`, b.String()))

	t.Run("of a part of the fleet", func(t *testing.T) {
		q := inventory.Query{Tenant: "acme/berlin", Selector: inventory.MustSelector("site")}
		b, err := inventory.Survey(t.Context(), f, q, hour(12), inventory.BaselineConfig{Catalog: c})
		require.NoError(t, err)
		require.Equal(t, 1, b.Devices)
	})
	t.Run("of a source that fails is no baseline", func(t *testing.T) {
		f.err = errors.New("rmm: page 2: gone")
		b, err := inventory.Survey(t.Context(), f, inventory.Query{}, hour(12), inventory.BaselineConfig{Catalog: c})
		require.ErrorIs(t, err, f.err)
		require.Empty(t, cmp.Diff(inventory.Baseline{}, b))
	})
}

// assessed pairs devices with their assessments.
func assessed(c *patch.Catalog, devices []inventory.Device) iter.Seq2[inventory.Device, inventory.Assessment] {
	return func(yield func(inventory.Device, inventory.Assessment) bool) {
		for _, d := range devices {
			if !yield(d, inventory.Assess(c, &d)) {
				return
			}
		}
	}
}

func gap(b inventory.Baseline, kind inventory.GapKind) inventory.Gap {
	return b.Gaps[slices.IndexFunc(b.Gaps, func(g inventory.Gap) bool { return g.Kind == kind })]
}

func TestEverySettingOfABaselineMatters(t *testing.T) {
	f, c := people(t)
	f.devices[0].Labels["kind"], f.devices[0].Labels["place"] = "laptop", "home"
	take := func(cfg inventory.BaselineConfig) inventory.Baseline {
		return inventory.Summarise(hour(12), cfg, assessed(c, f.devices))
	}
	t.Run("role label", func(t *testing.T) {
		require.Equal(t, []inventory.Count{{Name: "", Devices: 3}, {Name: "laptop", Devices: 1}}, take(inventory.BaselineConfig{RoleLabel: "kind"}).Roles)
	})
	t.Run("site label", func(t *testing.T) {
		require.Equal(t, []inventory.Count{{Name: "", Devices: 3}, {Name: "home", Devices: 1}}, take(inventory.BaselineConfig{SiteLabel: "place"}).Sites)
	})
	t.Run("catalog", func(t *testing.T) {
		b := take(inventory.BaselineConfig{})
		require.Equal(t, []inventory.Tally{{Name: "unknown", Findings: 3, Devices: 2}}, b.Classifications)
		require.Equal(t, []inventory.Tally{{Name: "unrated", Findings: 3, Devices: 2}}, b.Severities)
		require.Zero(t, gap(b, inventory.GapExploited).Devices)
	})
	t.Run("stale after", func(t *testing.T) {
		for after, want := range map[time.Duration]int{
			0: 1, 12 * time.Hour: 1, 12*time.Hour - 1: 3, 112 * time.Hour: 0, 112*time.Hour - 1: 1, -1: 0,
		} {
			require.Equal(t, want, gap(take(inventory.BaselineConfig{StaleAfter: after}), inventory.GapStale).Devices, after)
		}
	})
	t.Run("examples", func(t *testing.T) {
		for examples, want := range map[int]int{1: 1, 2: 2, 3: 2, 0: 2, -1: 0} {
			require.Len(t, gap(take(inventory.BaselineConfig{Examples: examples}), inventory.GapNoZone).Examples, want)
			require.Equal(t, 2, gap(take(inventory.BaselineConfig{Examples: examples}), inventory.GapNoZone).Devices)
		}
		require.Contains(t, take(inventory.BaselineConfig{Examples: 1}).String(), "no-zone         2        acme/cyd and 1 more\n")
	})
}

func TestBaselineDoesNotDependOnTheOrderOfTheDevices(t *testing.T) {
	f, c := people(t)
	cfg := inventory.BaselineConfig{Catalog: c, Examples: 2}
	for i := range 20 {
		d := inventory.Device{Tenant: "acme", ID: inventory.DeviceID(rune('a' + i))}
		f.devices = append(f.devices, d)
	}
	want := inventory.Summarise(hour(12), cfg, assessed(c, f.devices))
	require.Equal(t, []inventory.Ref{{Tenant: "acme", Device: "a"}, {Tenant: "acme", Device: "b"}}, gap(want, inventory.GapNeverScanned).Examples)
	r := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		r.Shuffle(len(f.devices), func(i, j int) { f.devices[i], f.devices[j] = f.devices[j], f.devices[i] })
		require.Empty(t, cmp.Diff(want, inventory.Summarise(hour(12), cfg, assessed(c, f.devices))))
	}
}

func TestBaselineOfNoDevicesSaysSo(t *testing.T) {
	b := inventory.Summarise(hour(12), inventory.BaselineConfig{}, assessed(nil, nil))
	require.Equal(t, "baseline at 2025-07-01T12:00:00Z: no devices\n", b.String())
	require.Len(t, b.States, 3)
	require.Len(t, b.Gaps, 6)
	for _, s := range b.States {
		require.Zero(t, s.Devices)
	}
}

func TestBaselineTableShowsControlCharactersQuoted(t *testing.T) {
	d := inventory.Device{Tenant: "acme", ID: "a\x1b[2J", Labels: map[string]string{"role": "web\n\tdb"}}
	b := inventory.Summarise(hour(12), inventory.BaselineConfig{}, assessed(nil, []inventory.Device{d}))
	require.Contains(t, b.String(), `"web\n\tdb"  1`)
	require.Contains(t, b.String(), `"acme/a\x1b[2J"`)
	require.NotContains(t, b.String(), "\x1b")
}

func TestBaselineListsAddUp(t *testing.T) {
	f, c := people(t)
	b := inventory.Summarise(hour(12), inventory.BaselineConfig{Catalog: c}, assessed(c, f.devices))
	for _, list := range [][]inventory.Count{b.States, b.Systems, b.Tenants, b.Roles, b.Sites} {
		sum := 0
		for _, n := range list {
			sum += n.Devices
		}
		require.Equal(t, b.Devices, sum)
	}
	for _, list := range [][]inventory.Tally{b.Classifications, b.Severities} {
		sum := 0
		for _, n := range list {
			sum += n.Findings
		}
		require.Equal(t, b.Findings, sum)
	}
}

func TestBaselineSurvivesJSON(t *testing.T) {
	f, c := people(t)
	b := inventory.Summarise(hour(12), inventory.BaselineConfig{Catalog: c}, assessed(c, f.devices))
	text, err := json.Marshal(b)
	require.NoError(t, err)
	require.Contains(t, string(text), `"kind":"never-scanned"`)
	var back inventory.Baseline
	require.NoError(t, json.Unmarshal(text, &back))
	require.Empty(t, cmp.Diff(b, back))
	require.Empty(t, inventory.Diff(b, back))
}

func TestDiff(t *testing.T) {
	f, c := people(t)
	cfg := inventory.BaselineConfig{Catalog: c}
	before := inventory.Summarise(hour(12), cfg, assessed(c, f.devices))
	require.Empty(t, inventory.Diff(before, before))
	require.Empty(t, inventory.Diff(inventory.Baseline{}, inventory.Summarise(hour(12), cfg, assessed(c, nil))))

	f.devices[0].Software = []inventory.Software{deb("openssl", "3"), deb("bash", "2")}
	f.devices[3] = f.devices[1]
	f.devices[3].ID, f.devices[3].Tenant = "eve", "zeta"
	after := inventory.Summarise(hour(13), cfg, assessed(c, f.devices))
	var got []string
	for _, change := range inventory.Diff(before, after) {
		got = append(got, change.String())
	}
	require.Equal(t, []string{
		"fleet findings: 3 -> 1 (-2)",
		"fleet superseded: 1 -> 0 (-1)",
		"state clean: 1 -> 3 (+2)",
		"state missing: 2 -> 1 (-1)",
		"state unknown: 1 -> 0 (-1)",
		"system (none): 1 -> 0 (-1)",
		"system debian 12: 3 -> 4 (+1)",
		"tenant acme: 2 -> 1 (-1)",
		"tenant zeta: 0 -> 1 (+1)",
		"role (none): 1 -> 0 (-1)",
		"role web: 2 -> 3 (+1)",
		"classification bugfix: 2 -> 1 (-1)",
		"classification security: 1 -> 0 (-1)",
		"severity critical: 1 -> 0 (-1)",
		"severity unrated: 2 -> 1 (-1)",
		"gap exploited: 1 -> 0 (-1)",
		"gap never-scanned: 1 -> 0 (-1)",
		"gap no-zone: 2 -> 1 (-1)",
	}, got)
}

func TestRef(t *testing.T) {
	require.Equal(t, "acme/berlin/ada", inventory.Ref{Tenant: "acme/berlin", Device: "ada"}.String())
	require.Equal(t, "ada", inventory.Ref{Device: "ada"}.String())
	require.Negative(t, inventory.Ref{Tenant: "a", Device: "z"}.Compare(inventory.Ref{Tenant: "b", Device: "a"}))
	require.Positive(t, inventory.Ref{Tenant: "a", Device: "z"}.Compare(inventory.Ref{Tenant: "a", Device: "a"}))
	require.Zero(t, inventory.Ref{Tenant: "a", Device: "z"}.Compare(inventory.Ref{Tenant: "a", Device: "z"}))
}

func TestSurveyOfSupportAndUpdaters(t *testing.T) {
	now := date("2026-06-20")
	device := func(id, version, form string, updaters ...string) inventory.Device {
		return inventory.Device{Tenant: "acme", ID: inventory.DeviceID(id), Platform: patch.Platform{OS: "debian", Version: version},
			Labels: map[string]string{"form": form}, Updaters: updaters, Zone: "UTC"}
	}
	waiting := device("cyd", "11", "server")
	waiting.PendingReboot, waiting.PendingSince = patch.Yes, now.Add(-36*time.Hour)
	unsure := device("dee", "14", "server", "wsus")
	unsure.PendingReboot = patch.Yes
	f := fleet{devices: []inventory.Device{device("ada", "13", "laptop"), device("bob", "12", "laptop", "unattended-upgrades", "landscape"), waiting, unsure}}
	l := lifecycle()
	l.Releases = append(l.Releases, inventory.Release{OS: "debian", Version: "13", Ends: date("2028-08-09")})
	cfg := inventory.BaselineConfig{Lifecycle: l, StaleAfter: -1, PendingAfter: 24 * time.Hour,
		Governed: func(d *inventory.Device) bool { return d.ID != "ada" }}
	b, err := inventory.Survey(t.Context(), f, inventory.Query{}, now, cfg)
	require.NoError(t, err)
	require.Equal(t, []inventory.Count{{"unknown", 1}, {"supported", 1}, {"extended", 2}, {"ended", 0}}, b.Support)
	require.Equal(t, []inventory.Count{{"laptop", 2}, {"server", 2}}, b.Forms)
	require.Equal(t, []inventory.Count{{"landscape", 1}, {"unattended-upgrades", 1}, {"wsus", 1}}, b.Updaters)
	gaps := map[inventory.GapKind]int{}
	for _, g := range b.Gaps {
		gaps[g.Kind] = g.Devices
	}
	require.Equal(t, map[inventory.GapKind]int{
		inventory.GapNeverScanned: 4, inventory.GapStale: 0, inventory.GapIncomplete: 0, inventory.GapNoZone: 0, inventory.GapPendingReboot: 2,
		inventory.GapExploited: 0, inventory.GapUnsupported: 3, inventory.GapConflict: 1, inventory.GapNoPolicy: 1,
	}, gaps)
	require.Contains(t, b.String(), "\nSUPPORT    DEVICES\nunknown    1\n")
	require.Contains(t, b.String(), "\nUPDATER              DEVICES\nlandscape            1\n")

	cfg.PendingAfter = 48 * time.Hour
	later, err := inventory.Survey(t.Context(), f, inventory.Query{}, now, cfg)
	require.NoError(t, err)
	require.Equal(t, []inventory.Change{{Section: "gap", Name: "pending-reboot", Old: 2, New: 1}}, inventory.Diff(b, later), "that of dee has no known beginning")

	cfg.FormLabel = "shape"
	other, err := inventory.Survey(t.Context(), f, inventory.Query{}, now, cfg)
	require.NoError(t, err)
	require.Empty(t, other.Forms)
}
