package kev_test

import (
	"context"
	"fmt"
	"os"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/kev"
)

// A catalogue marks what is exploited in what the sources listed.
func ExampleCatalogue_Enrich() {
	known, refused, err := kev.Read(context.Background(), kev.Config{Open: source.File(os.DirFS("testdata"), "kev.json")})
	fmt.Println(known.Version(), known.Len(), "entries,", len(refused), "refused,", err)

	c, _ := patch.NewCatalog([]patch.Patch{
		{ID: "debian:bookworm/libwebp=1.2.4-0.2+deb12u1", Advisories: []patch.Advisory{{ID: "DSA-5497-2", CVEs: []string{"CVE-2023-4863"}}}},
		{ID: "debian:bookworm/jq=1.6-2.1+deb12u1", Advisories: []patch.Advisory{{ID: "DSA-6011-1", CVEs: []string{"CVE-2024-23337"}}}},
	})
	changed, _ := known.Enrich(context.Background(), c)
	for _, p := range changed {
		fmt.Println(p.ID, p.Exploited(), p.Advisories[0].KnownSince.Format("2006-01-02"), "due", p.Native[kev.NativeDue])
	}
	// Output:
	// 2025.08.25 5 entries, 0 refused, <nil>
	// debian:bookworm/libwebp=1.2.4-0.2+deb12u1 yes 2023-09-13 due 2023-10-04
}

// Look up one CVE.
func ExampleCatalogue_Entry() {
	known, _, _ := kev.Read(context.Background(), kev.Config{Open: source.File(os.DirFS("testdata"), "kev.csv")})
	e, found := known.Entry("CVE-2017-0144")
	fmt.Println(found, e.Vendor, e.Product, "in ransomware:", e.Ransomware)
	// Output: true Microsoft SMBv1 in ransomware: yes
}
