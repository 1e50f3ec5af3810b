package patch_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

func ExampleNewCatalog() {
	openssl := func(fixed string) []patch.Package {
		return []patch.Package{{Ecosystem: "Debian:12", Name: "openssl", Fixed: version.Version{Scheme: version.Deb, Text: fixed}}}
	}
	c, err := patch.NewCatalog([]patch.Patch{
		{ID: "debian:openssl=3.0.17-1", Packages: openssl("3.0.17-1"), Supersedes: []patch.ID{"debian:openssl=3.0.9-1"}},
		{ID: "debian:openssl=3.0.9-1", Packages: openssl("3.0.9-1")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range c.ByPackage("Debian:12", "openssl") {
		fmt.Println(e.Package.Fixed, e.Patch.ID)
	}
	fmt.Println("newest:", c.Newest("debian:openssl=3.0.9-1"))
	// Output:
	// 3.0.9-1 debian:openssl=3.0.9-1
	// 3.0.17-1 debian:openssl=3.0.17-1
	// newest: debian:openssl=3.0.17-1
}

func ExampleCollect() {
	source := feed{{patch: "a:1"}, {err: fmt.Errorf("a: line 2: %w", patch.ErrRecord)}, {patch: "a:3"}}
	c, refused, err := patch.Collect(context.Background(), patch.Query{}, source)
	if err != nil {
		fmt.Println("no catalog:", err)
		return
	}
	fmt.Println(c.Len(), "patches,", len(refused), "refused")
	for _, err := range refused {
		fmt.Println(err)
	}
	// Output:
	// 2 patches, 1 refused
	// patch: source 1 of 1 (patch_test.feed): a: line 2: unreadable record
}

func ExampleFaultOf() {
	fmt.Println(patch.FaultOf(fmt.Errorf("apt: openssl: %w", patch.ErrBusy)))
	fmt.Println(patch.FaultOf(errors.New("connection reset")))
	fmt.Println(patch.FaultOf(nil))
	// Output:
	// busy
	// transient
	// none
}

func ExampleID() {
	id := patch.ID("msrc:KB5055523")
	fmt.Println(id.Source(), id.Native())
	// Output: msrc KB5055523
}

func ExamplePatch_Exploited() {
	p := patch.Patch{Advisories: []patch.Advisory{{ID: "DSA-1", Exploited: patch.No}, {ID: "DSA-2"}}}
	fmt.Println(p.Exploited()) // of DSA-2 nobody knows
	p.Advisories[1].Exploited = patch.Yes
	fmt.Println(p.Exploited())
	// Output:
	// unknown
	// yes
}
