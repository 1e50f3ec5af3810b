package patch_test

import (
	"bytes"
	"fmt"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

func ExampleMerge() {
	openssl := patch.Package{Ecosystem: "AlmaLinux:9", Name: "openssl", Fixed: version.Version{Scheme: version.RPM, Text: "1:3.0.7-25.el9_3"}}
	list, _ := patch.NewCatalog([]patch.Patch{{
		ID: "alma:ALSA-2024:0310", Severity: patch.SeverityLow, SeverityRaw: "Low", Reboot: patch.RebootNever,
		Advisories: []patch.Advisory{{ID: "ALSA-2024:0310"}}, Packages: []patch.Package{openssl},
	}})
	osv, _ := patch.NewCatalog([]patch.Patch{{
		ID: "osv:ALSA-2024:0310", Title: "Low: openssl security update",
		Advisories: []patch.Advisory{{ID: "ALSA-2024:0310", CVEs: []string{"CVE-2023-5363"}}}, Packages: []patch.Package{openssl},
	}})
	c := patch.Merge(list, osv)
	p, _ := c.Get("osv:ALSA-2024:0310")
	fmt.Println(p.ID, p.Aliases, p.Title, p.CVEs())
	for _, v := range p.Provenance {
		fmt.Println(v.Field, "from", v.From)
	}
	// Output:
	// alma:ALSA-2024:0310 [osv:ALSA-2024:0310] Low: openssl security update [CVE-2023-5363]
	// advisories/ALSA-2024:0310/cves from osv:ALSA-2024:0310
	// title from osv:ALSA-2024:0310
}

func ExampleCatalog_Fixing() {
	c, _ := patch.NewCatalog([]patch.Patch{
		{ID: "debian:DSA-5532-1", Advisories: []patch.Advisory{{ID: "DSA-5532-1", CVEs: []string{"CVE-2023-5363"}}}},
		{ID: "alma:ALSA-2024:0310", Advisories: []patch.Advisory{{ID: "ALSA-2024:0310", CVEs: []string{"CVE-2023-5363"}}}},
	})
	for p := range c.Fixing("CVE-2023-5363") {
		fmt.Println(p.ID)
	}
	// Output:
	// alma:ALSA-2024:0310
	// debian:DSA-5532-1
}

func ExampleReadCatalog() {
	c, _ := patch.NewCatalog([]patch.Patch{{ID: "debian:DSA-5532-1", Title: "openssl - security update"}})
	var file bytes.Buffer
	if _, err := c.WriteTo(&file); err != nil {
		fmt.Println(err)
		return
	}
	whole := file.Bytes()
	again, err := patch.ReadCatalog(bytes.NewReader(whole), patch.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, _ := again.Get("debian:DSA-5532-1")
	fmt.Println(p.Title)
	_, err = patch.ReadCatalog(bytes.NewReader(whole[:60]), patch.Limits{})
	fmt.Println(err)
	// Output:
	// openssl - security update
	// patch: saved catalog: ends at byte 60, in the middle: unexpected EOF
}
