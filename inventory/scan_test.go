package inventory_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

// hour is an instant of the day on which the tests play.
func hour(h int) time.Time { return time.Date(2025, 7, 1, h, 0, 0, 0, time.UTC) }

func deb(name, text string) inventory.Software {
	return inventory.Software{Manager: "dpkg", Ecosystem: "Debian:12", Name: name, Arch: "amd64", Version: version.Version{Scheme: version.Deb, Text: text}}
}

func of(manager string, s inventory.Software) inventory.Software {
	s.Manager = manager
	return s
}

func covered(manager string, status inventory.Status, h int) inventory.Coverage {
	return inventory.Coverage{Manager: manager, Status: status, At: hour(h)}
}

func judging(c inventory.Coverage) inventory.Coverage {
	c.Judges = true
	return c
}

func TestMergeSoftware(t *testing.T) {
	known := []inventory.Software{deb("bash", "5.2"), deb("curl", "7.1"), of("snap", deb("code", "1"))}
	coverage := []inventory.Coverage{covered("dpkg", inventory.Complete, 1), covered("snap", inventory.Complete, 1)}
	tests := []struct {
		name         string
		coverage     []inventory.Coverage
		software     []inventory.Software
		want         []inventory.Software
		wantCoverage []inventory.Coverage
	}{
		{
			"a complete look replaces what was known of its manager, and of no other",
			[]inventory.Coverage{covered("dpkg", inventory.Complete, 2)},
			[]inventory.Software{deb("zsh", "1"), deb("bash", "5.3")},
			[]inventory.Software{deb("bash", "5.3"), deb("zsh", "1"), of("snap", deb("code", "1"))},
			[]inventory.Coverage{covered("dpkg", inventory.Complete, 2), covered("snap", inventory.Complete, 1)},
		},
		{
			"a complete look that finds nothing removes everything",
			[]inventory.Coverage{covered("dpkg", inventory.Complete, 2), covered("snap", inventory.Complete, 2)},
			nil, nil,
			[]inventory.Coverage{covered("dpkg", inventory.Complete, 2), covered("snap", inventory.Complete, 2)},
		},
		{
			"a partial look adds and updates, but removes nothing",
			[]inventory.Coverage{covered("dpkg", inventory.Partial, 2)},
			[]inventory.Software{deb("zsh", "1"), deb("bash", "5.1"), deb("bash", "5.1")},
			[]inventory.Software{deb("bash", "5.1"), deb("curl", "7.1"), deb("zsh", "1"), of("snap", deb("code", "1"))},
			[]inventory.Coverage{covered("dpkg", inventory.Partial, 2), covered("snap", inventory.Complete, 1)},
		},
		{
			"a failed look keeps what was known, and is seen to have failed",
			[]inventory.Coverage{{Manager: "dpkg", Status: inventory.Failed, At: hour(2), Detail: "locked"}},
			nil, known,
			[]inventory.Coverage{{Manager: "dpkg", Status: inventory.Failed, At: hour(2), Detail: "locked"}, covered("snap", inventory.Complete, 1)},
		},
		{
			"a look of unknown outcome counts as failed",
			[]inventory.Coverage{covered("dpkg", inventory.StatusUnknown, 2)},
			nil, known,
			[]inventory.Coverage{covered("dpkg", inventory.StatusUnknown, 2), covered("snap", inventory.Complete, 1)},
		},
		{
			"a skipped manager keeps what was known, and when",
			[]inventory.Coverage{covered("dpkg", inventory.Skipped, 2)},
			nil, known, coverage,
		},
		{
			"a manager that is new is listed",
			[]inventory.Coverage{covered("rpm", inventory.Skipped, 2), covered("flatpak", inventory.Complete, 2)},
			[]inventory.Software{of("flatpak", deb("gimp", "3"))},
			[]inventory.Software{deb("bash", "5.2"), deb("curl", "7.1"), of("flatpak", deb("gimp", "3")), of("snap", deb("code", "1"))},
			[]inventory.Coverage{covered("dpkg", inventory.Complete, 1), covered("flatpak", inventory.Complete, 2),
				covered("rpm", inventory.Skipped, 2), covered("snap", inventory.Complete, 1)},
		},
		{
			"a look without a time of its own was taken when the scan began",
			[]inventory.Coverage{{Manager: "dpkg", Status: inventory.Complete}},
			[]inventory.Software{deb("bash", "5.2")},
			[]inventory.Software{deb("bash", "5.2"), of("snap", deb("code", "1"))},
			[]inventory.Coverage{covered("dpkg", inventory.Complete, 2), covered("snap", inventory.Complete, 1)},
		},
		{"a scan that covers nothing changes nothing", nil, nil, known, coverage},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := inventory.Device{Tenant: "acme", ID: "ada", Software: slices.Clone(known), Coverage: slices.Clone(coverage)}
			s := inventory.Scan{Tenant: "acme", Device: "ada", At: hour(2), Coverage: test.coverage, Software: test.software}
			given := slices.Clone(test.software)
			got, err := d.Merge(s)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(test.want, got.Software))
			require.Empty(t, cmp.Diff(test.wantCoverage, got.Coverage))
			require.Empty(t, cmp.Diff(known, d.Software), "the device was changed")
			require.Empty(t, cmp.Diff(coverage, d.Coverage), "the device was changed")
			require.Empty(t, cmp.Diff(given, s.Software), "the scan was changed")

			again, err := got.Merge(s)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(got, again), "merging twice is not merging once")
		})
	}
}

func TestMergeKeepsSeveralVersionsOfOnePackage(t *testing.T) {
	d := inventory.Device{ID: "ada", Software: []inventory.Software{deb("kernel", "5"), deb("kernel", "6")},
		Coverage: []inventory.Coverage{covered("dpkg", inventory.Complete, 1)}}
	s := inventory.Scan{Device: "ada", At: hour(2), Coverage: []inventory.Coverage{covered("dpkg", inventory.Partial, 2)},
		Software: []inventory.Software{deb("kernel", "7"), deb("kernel", "6")}}
	got, err := d.Merge(s)
	require.NoError(t, err)
	require.Equal(t, []inventory.Software{deb("kernel", "6"), deb("kernel", "7")}, got.Software)
}

func TestMergeMissing(t *testing.T) {
	complete, partial, failed, skipped := inventory.Complete, inventory.Partial, inventory.Failed, inventory.Skipped
	tests := []struct {
		name  string
		known []inventory.Coverage
		scan  []inventory.Coverage
		want  []patch.ID
	}{
		{"replaced by a complete look of the only manager",
			[]inventory.Coverage{covered("wua", complete, 1)}, []inventory.Coverage{covered("wua", complete, 2)}, []patch.ID{"new"}},
		{"replaced by the first scan",
			nil, []inventory.Coverage{covered("wua", complete, 2)}, []patch.ID{"new"}},
		{"added to by a partial look",
			[]inventory.Coverage{covered("wua", complete, 1)}, []inventory.Coverage{covered("wua", partial, 2)}, []patch.ID{"new", "old"}},
		{"added to by a failed look",
			[]inventory.Coverage{covered("wua", complete, 1)}, []inventory.Coverage{covered("wua", failed, 2)}, []patch.ID{"new", "old"}},
		{"added to while another manager, which may judge, was not looked at",
			[]inventory.Coverage{covered("wua", complete, 1), covered("winget", complete, 1)},
			[]inventory.Coverage{covered("wua", complete, 2), covered("winget", skipped, 2)}, []patch.ID{"new", "old"}},
		{"replaced if that other manager is known not to judge",
			[]inventory.Coverage{judging(covered("wua", complete, 1)), covered("winget", complete, 1)},
			[]inventory.Coverage{covered("wua", complete, 2), covered("winget", failed, 2)}, []patch.ID{"new"}},
		{"replaced if the scan is the first to say who judges",
			[]inventory.Coverage{covered("wua", complete, 1), covered("winget", complete, 1)},
			[]inventory.Coverage{judging(covered("wua", complete, 2))}, []patch.ID{"new"}},
		{"added to if the manager that judges was not looked at",
			[]inventory.Coverage{judging(covered("wua", complete, 1)), covered("winget", complete, 1)},
			[]inventory.Coverage{covered("winget", complete, 2)}, []patch.ID{"new", "old"}},
		{"added to if one of two judges was not looked at",
			[]inventory.Coverage{judging(covered("wua", complete, 1)), judging(covered("oem", complete, 1))},
			[]inventory.Coverage{covered("wua", complete, 2)}, []patch.ID{"new", "old"}},
		{"added to by a scan that covers nothing", nil, nil, []patch.ID{"new", "old"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := inventory.Device{ID: "ada", Missing: []patch.ID{"old"}, Coverage: test.known}
			got, err := d.Merge(inventory.Scan{Device: "ada", At: hour(2), Coverage: test.scan, Missing: []patch.ID{"new", "new"}})
			require.NoError(t, err)
			require.Equal(t, test.want, got.Missing)
			require.Equal(t, []patch.ID{"old"}, d.Missing)
		})
	}
	t.Run("gone when a complete look finds none", func(t *testing.T) {
		d := inventory.Device{ID: "ada", Missing: []patch.ID{"old"}}
		got, err := d.Merge(inventory.Scan{Device: "ada", At: hour(2), Coverage: []inventory.Coverage{covered("wua", complete, 2)}})
		require.NoError(t, err)
		require.Empty(t, got.Missing)
	})
	t.Run("who judges is remembered", func(t *testing.T) {
		d := inventory.Device{ID: "ada", Coverage: []inventory.Coverage{judging(covered("wua", complete, 1))}}
		got, err := d.Merge(inventory.Scan{Device: "ada", At: hour(2), Coverage: []inventory.Coverage{covered("wua", complete, 2)}})
		require.NoError(t, err)
		require.Equal(t, []inventory.Coverage{judging(covered("wua", complete, 2))}, got.Coverage)
	})
}

func TestMergeRefuses(t *testing.T) {
	d := inventory.Device{Tenant: "acme", ID: "ada", LastSeen: hour(1), Software: []inventory.Software{deb("bash", "1")},
		Coverage: []inventory.Coverage{covered("dpkg", inventory.Complete, 5), covered("snap", inventory.Complete, 1)}}
	scan := func(change func(s *inventory.Scan)) inventory.Scan {
		s := inventory.Scan{Tenant: "acme", Device: "ada", At: hour(6)}
		change(&s)
		return s
	}
	tests := []struct {
		name string
		scan inventory.Scan
		is   error
		want string
	}{
		{"another device", scan(func(s *inventory.Scan) { s.Device = "bob" }), inventory.ErrOtherDevice,
			"inventory: device acme/ada: a scan of acme/bob: scan of another device"},
		{"another tenant", scan(func(s *inventory.Scan) { s.Tenant = "acme/berlin" }), inventory.ErrOtherDevice, "acme/berlin/ada"},
		{"a look that is older than what is known", scan(func(s *inventory.Scan) {
			s.Coverage = []inventory.Coverage{covered("snap", inventory.Complete, 6), covered("dpkg", inventory.Complete, 4)}
		}), inventory.ErrStaleScan, "inventory: device acme/ada: dpkg was looked at at 2025-07-01T05:00:00Z, the scan is of 2025-07-01T04:00:00Z"},
		{"an older scan whose looks have no time", scan(func(s *inventory.Scan) {
			s.At, s.Coverage = hour(4), []inventory.Coverage{{Manager: "dpkg", Status: inventory.Partial}}
		}), inventory.ErrStaleScan, "T04:00:00Z"},
		{"a scan without a time", scan(func(s *inventory.Scan) { s.At = time.Time{} }), nil, "inventory: scan of acme/ada: it has no time"},
		{"a manager covered twice", scan(func(s *inventory.Scan) {
			s.Coverage = []inventory.Coverage{covered("dpkg", inventory.Complete, 6), covered("dpkg", inventory.Failed, 6)}
		}), nil, "manager dpkg is covered twice"},
		{"software of a manager that was not covered", scan(func(s *inventory.Scan) { s.Software = []inventory.Software{deb("bash", "2")} }), nil,
			"it lists bash of dpkg, but its coverage of that manager is unknown"},
		{"software of a manager whose look failed", scan(func(s *inventory.Scan) {
			s.Software, s.Coverage = []inventory.Software{deb("bash", "2")}, []inventory.Coverage{covered("dpkg", inventory.Failed, 6)}
		}), nil, "it lists bash of dpkg, but its coverage of that manager is failed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := d.Merge(test.scan)
			require.ErrorContains(t, err, test.want)
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			}
			require.Empty(t, cmp.Diff(d, got))
		})
	}
	_, err := d.Merge(scan(func(s *inventory.Scan) {
		s.At, s.Software = time.Time{}, []inventory.Software{deb("bash", "2"), deb("curl", "2")}
	}))
	require.ErrorContains(t, err, "no time")
	require.ErrorContains(t, err, "lists bash")
	require.NotContains(t, err.Error(), "curl", "one complaint for each manager is enough")
}

func TestMergeOfALookAtAnotherManagerMayBeOlder(t *testing.T) {
	d := inventory.Device{ID: "ada", BootID: "new", PendingReboot: patch.No, LastSeen: hour(5),
		Coverage: []inventory.Coverage{covered("dpkg", inventory.Complete, 5)}}
	got, err := d.Merge(inventory.Scan{Device: "ada", At: hour(4), BootID: "old", PendingReboot: patch.Yes,
		Coverage: []inventory.Coverage{covered("snap", inventory.Complete, 4), covered("dpkg", inventory.Skipped, 4)}})
	require.NoError(t, err)
	require.Len(t, got.Coverage, 2)
	require.Equal(t, "new", got.BootID, "the boot ID went backwards")
	require.Equal(t, patch.No, got.PendingReboot)
	require.Equal(t, hour(5), got.LastSeen)
}

func TestMergeBootAndLastSeen(t *testing.T) {
	tests := []struct {
		name        string
		boot        string
		pending     patch.Tri
		scanBoot    string
		scanPending patch.Tri
		wantBoot    string
		wantPending patch.Tri
	}{
		{"what the scan knows is taken over", "a", patch.Yes, "b", patch.No, "b", patch.No},
		{"what the scan does not know stays", "a", patch.Yes, "", patch.Unknown, "a", patch.Yes},
		{"a pending reboot is unknown after a boot", "a", patch.Yes, "b", patch.Unknown, "b", patch.Unknown},
		{"a pending reboot stays within one boot", "a", patch.Yes, "a", patch.Unknown, "a", patch.Yes},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := inventory.Device{ID: "ada", BootID: test.boot, PendingReboot: test.pending, LastSeen: hour(1)}
			got, err := d.Merge(inventory.Scan{Device: "ada", At: hour(2), BootID: test.scanBoot, PendingReboot: test.scanPending})
			require.NoError(t, err)
			require.Equal(t, test.wantBoot, got.BootID)
			require.Equal(t, test.wantPending, got.PendingReboot)
			require.Equal(t, hour(2), got.LastSeen)
			require.Equal(t, hour(1), d.LastSeen)
		})
	}
}

func TestMergeRemembersSinceWhenARestartIsPending(t *testing.T) {
	d := inventory.Device{Tenant: "acme", ID: "bob"}
	scan := func(at int, boot string, pending patch.Tri) {
		t.Helper()
		var err error
		d, err = d.Merge(inventory.Scan{Tenant: "acme", Device: "bob", At: hour(at), BootID: boot, PendingReboot: pending,
			Coverage: []inventory.Coverage{{Manager: "dpkg", Status: inventory.Complete}}})
		require.NoError(t, err)
	}
	scan(1, "a", patch.No)
	require.Zero(t, d.PendingSince)
	scan(2, "a", patch.Yes)
	require.Equal(t, hour(2), d.PendingSince)
	scan(3, "a", patch.Yes)
	require.Equal(t, hour(2), d.PendingSince, "it still waits for the same")
	scan(4, "a", patch.Unknown)
	require.Equal(t, hour(2), d.PendingSince)
	scan(5, "b", patch.Yes)
	require.Equal(t, hour(5), d.PendingSince, "it was restarted, and waits again")
	scan(6, "c", patch.No)
	require.Zero(t, d.PendingSince)
}

func TestMergeTakesUpdatersOver(t *testing.T) {
	d := inventory.Device{Tenant: "acme", ID: "bob"}
	scan := func(updaters []string) []string {
		t.Helper()
		var err error
		d, err = d.Merge(inventory.Scan{Tenant: "acme", Device: "bob", At: hour(1), Updaters: updaters,
			Coverage: []inventory.Coverage{{Manager: "dpkg", Status: inventory.Complete}}})
		require.NoError(t, err)
		return d.Updaters
	}
	require.Nil(t, scan(nil))
	require.Equal(t, []string{"apt", "wsus"}, scan([]string{"wsus", "apt", "wsus"}))
	require.Equal(t, []string{"apt", "wsus"}, scan(nil), "nobody looked")
	require.Equal(t, []string{}, scan([]string{}), "there are none any more")
}
