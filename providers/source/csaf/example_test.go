package csaf_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source/csaf"
)

func Example() {
	documents, err := csaf.New(csaf.Config{Folder: os.DirFS("testdata")})
	if err != nil {
		fmt.Println(err)
		return
	}
	for p, err := range documents.Patches(context.Background(), patch.Query{}) {
		switch {
		case errors.Is(err, patch.ErrRecord):
			fmt.Println("left out:", err)
		case err != nil:
			fmt.Println("not complete:", err)
		default:
			fmt.Println(p.ID, p.Severity, p.CVEs(), len(p.Packages), "packages,", len(p.Unaffected), "unaffected, restart", p.Reboot)
		}
	}
	// Output:
	// csaf:redhat.com/CVE-2023-6237 low [CVE-2023-6237] 3 packages, 5 unaffected, restart unknown
	// csaf:suse.com/openSUSE-SU-2016:1623-1 important [CVE-2016-1704] 2 packages, 0 unaffected, restart unknown
	// csaf:redhat.com/RHSA-2022:0011 important [CVE-2020-10188] 5 packages, 0 unaffected, restart unknown
	// csaf:redhat.com/RHSA-2023:7434 important [CVE-2023-1829 CVE-2023-3609] 2 packages, 0 unaffected, restart always
}

// A product whose inventory calls platforms something else says so, and asks the usual mapping for the rest.
func ExampleEcosystem() {
	own := func(p csaf.Place) string {
		if p.Platform.CPE == "cpe:/o:example:router:7" {
			return "Router:7"
		}
		return csaf.Ecosystem(p)
	}
	fmt.Println(own(csaf.Place{Publisher: "example.com", Platform: csaf.Product{CPE: "cpe:/o:example:router:7"}}))
	fmt.Println(own(csaf.Place{Publisher: "redhat.com", Platform: csaf.Product{CPE: "cpe:/a:redhat:enterprise_linux:9::appstream"}}))
	// Output:
	// Router:7
	// Red Hat:enterprise_linux:9::appstream
}
