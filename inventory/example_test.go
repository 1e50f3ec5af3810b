package inventory_test

import (
	"context"
	"fmt"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

func exampleCatalog() *patch.Catalog {
	openssl := func(id patch.ID, fixed string) patch.Patch {
		return patch.Patch{ID: id, Classification: patch.ClassSecurity, Packages: []patch.Package{
			{Ecosystem: "Debian:12", Name: "openssl", Fixed: version.Version{Scheme: version.Deb, Text: fixed}},
		}}
	}
	c, err := patch.NewCatalog([]patch.Patch{
		openssl("debian:DSA-5764-1", "3.0.14-1~deb12u2"),
		openssl("debian:DSA-6015-1", "3.0.17-1~deb12u3"),
	})
	if err != nil {
		panic(err)
	}
	return c
}

func exampleDevice(id inventory.DeviceID, openssl string) inventory.Device {
	return inventory.Device{
		Tenant: "acme", ID: id, Zone: "Europe/Berlin", Labels: map[string]string{"role": "web", "site": "berlin"},
		Platform: patch.Platform{OS: "debian", Version: "12", Arch: "amd64"},
		Software: []inventory.Software{{Manager: "dpkg", Ecosystem: "Debian:12", Name: "openssl", Arch: "amd64",
			Version: version.Version{Scheme: version.Deb, Text: openssl}}},
		Coverage: []inventory.Coverage{{Manager: "dpkg", Status: inventory.Complete, At: time.Date(2025, 7, 1, 8, 0, 0, 0, time.UTC)}},
	}
}

func ExampleAssess() {
	d := exampleDevice("ada", "3.0.13-1~deb12u1")
	a := inventory.Assess(exampleCatalog(), &d)
	fmt.Println(a.State())
	for _, f := range a.Findings {
		fmt.Print(f.Explain())
	}
	fmt.Println("to be installed:")
	for f := range a.Standing() {
		fmt.Println(f)
	}
	// Output:
	// missing
	// debian:DSA-5764-1 is missing
	//   dpkg: openssl 3.0.13-1~deb12u1 is below 3.0.14-1~deb12u2, amd64
	//   debian:DSA-6015-1 makes it unnecessary
	// debian:DSA-6015-1 is missing
	//   dpkg: openssl 3.0.13-1~deb12u1 is below 3.0.17-1~deb12u3, amd64
	// to be installed:
	// openssl 3.0.13-1~deb12u1 is below 3.0.17-1~deb12u3 (debian:DSA-6015-1)
}

// A device without a finding is clean only if that is known.
func ExampleAssessment_State() {
	c := exampleCatalog()
	clean := exampleDevice("ada", "3.0.17-1~deb12u3")
	never := inventory.Device{Tenant: "acme", ID: "bob"}
	for _, d := range []*inventory.Device{&clean, &never} {
		a := inventory.Assess(c, d)
		fmt.Println(d.ID, a.State(), a.Unknown)
	}
	// Output:
	// ada clean []
	// bob unknown [the device was never scanned]
}

func ExampleDevice_Merge() {
	d := exampleDevice("ada", "3.0.13-1~deb12u1")
	scan := inventory.Scan{
		Tenant: "acme", Device: "ada", At: time.Date(2025, 7, 1, 9, 0, 0, 0, time.UTC),
		Coverage: []inventory.Coverage{{Manager: "dpkg", Status: inventory.Failed, Detail: "the package database is locked"}},
	}
	d, err := d.Merge(scan)
	fmt.Println(err, d.Software[0].Version, d.Coverage[0].Status)

	scan.At = scan.At.Add(-2 * time.Hour)
	_, err = d.Merge(scan)
	fmt.Println(err)
	// Output:
	// <nil> 3.0.13-1~deb12u1 failed
	// inventory: device acme/ada: dpkg was looked at at 2025-07-01T09:00:00Z, the scan is of 2025-07-01T07:00:00Z: scan is older than what is known
}

func ExampleParseSelector() {
	s, err := inventory.ParseSelector(`site in (berlin, "new york"), device.tenant=acme, role != db`)
	if err != nil {
		fmt.Println(err)
		return
	}
	d := exampleDevice("ada", "3.0.13-1~deb12u1")
	fmt.Println(s)
	fmt.Println(s.Matches(&d))

	_, err = inventory.ParseSelector("role==web")
	fmt.Println(err)
	// Output:
	// device.tenant=acme,role!=db,site in (berlin,"new york")
	// true
	// inventory: selector "role==web": character 6: want a value, not "="
}

func ExampleSelector() {
	d := exampleDevice("ada", "3.0.13-1~deb12u1")
	var nobody inventory.Selector
	fmt.Println(nobody.Matches(&d), inventory.All().Matches(&d))
	// Output: false true
}

func ExampleSurvey() {
	f := fleet{devices: []inventory.Device{exampleDevice("ada", "3.0.13-1~deb12u1"), exampleDevice("bob", "3.0.17-1~deb12u3")}}
	now := time.Date(2025, 7, 1, 12, 0, 0, 0, time.UTC)
	cfg := inventory.BaselineConfig{Catalog: exampleCatalog()}
	before, err := inventory.Survey(context.Background(), f, inventory.Query{}, now, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(before)

	f.devices[0] = exampleDevice("ada", "3.0.17-1~deb12u3")
	after, err := inventory.Survey(context.Background(), f, inventory.Query{}, now.Add(time.Hour), cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println()
	for _, change := range inventory.Diff(before, after) {
		fmt.Println(change)
	}
	// Output:
	// baseline at 2025-07-01T12:00:00Z
	//
	// FLEET       COUNT
	// devices     2
	// findings    2
	// superseded  1
	//
	// STATE    DEVICES
	// unknown  0
	// clean    1
	// missing  1
	//
	// SYSTEM     DEVICES
	// debian 12  2
	//
	// TENANT  DEVICES
	// acme    2
	//
	// ROLE  DEVICES
	// web   2
	//
	// SITE    DEVICES
	// berlin  2
	//
	// CLASSIFICATION  FINDINGS  DEVICES
	// security        2         1
	//
	// SEVERITY  FINDINGS  DEVICES
	// unrated   2         1
	//
	// GAP             DEVICES  EXAMPLES
	// never-scanned   0
	// stale           0
	// incomplete      0
	// no-zone         0
	// pending-reboot  0
	// exploited       0
	//
	// fleet findings: 2 -> 0 (-2)
	// fleet superseded: 1 -> 0 (-1)
	// state clean: 1 -> 2 (+1)
	// state missing: 1 -> 0 (-1)
	// classification security: 2 -> 0 (-2)
	// severity unrated: 2 -> 0 (-2)
}
