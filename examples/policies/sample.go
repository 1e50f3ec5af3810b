package main

import (
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// today is the day on which everything is looked at: a Thursday, nine days after Patch Tuesday.
func today() time.Time { return time.Date(2026, 11, 19, 9, 0, 0, 0, time.UTC) }

// devices are one of each kind.
func devices() []inventory.Device {
	windows := patch.Platform{OS: "windows", Version: "10.0.26100", Arch: "amd64"}
	return []inventory.Device{
		{ID: "front-desk", Platform: windows, Zone: "Australia/Sydney", Labels: map[string]string{"app": "ledger"}},
		{ID: "shop-1", Tenant: "northwind/fabrikam", Platform: windows, Zone: "Europe/Oslo", Labels: map[string]string{"role": "till"}},
		{ID: "laptop-7", Tenant: "northwind/adatum", Platform: windows, Zone: "Europe/Berlin", Labels: map[string]string{"vpn": "contoso"}},
		{ID: "terminal-3", Tenant: "leasing", Platform: windows, Zone: "Europe/Zurich", Labels: map[string]string{"model": "T100"}},
	}
}

// patches are what all of them miss.
func patches() []*patch.Patch {
	day := func(n int) time.Time { return time.Date(2026, 11, n, 18, 0, 0, 0, time.UTC) }
	return []*patch.Patch{
		{
			ID: "wua:KB5060001", Title: "cumulative update", Classification: patch.ClassSecurity, Severity: patch.SeverityCritical,
			Reboot: patch.RebootAlways, Reversal: patch.ReversalUninstall, Released: day(10),
			Advisories: []patch.Advisory{{ID: "CVE-2026-50001", CVEs: []string{"CVE-2026-50001"}, Exploited: patch.Yes, KnownSince: day(11)}},
		},
		{
			ID: "wua:KB5099999", Title: "servicing update", Classification: patch.ClassRollup, Severity: patch.SeverityModerate,
			Reboot: patch.RebootMaybe, Reversal: patch.ReversalUninstall, Released: day(17),
		},
		{ID: "wua:KB5070000", Title: "next version", Classification: patch.ClassFeature, Reboot: patch.RebootAlways, Released: day(3)},
	}
}
