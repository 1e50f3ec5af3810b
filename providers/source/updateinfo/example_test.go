package updateinfo_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing/fstest"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source/updateinfo"
)

// A repository is read by its index, which tells what the other files have to be.
func Example() {
	advisories := `<updates>
<update type="security" status="final"><id>ALSA-2026:0001</id><title>Important: nodejs:18 security update</title><severity>Important</severity>
<references><reference type="cve" id="CVE-2026-0001" href="https://example.com/CVE-2026-0001"/></references>
<pkglist><collection><module name="nodejs" stream="18"/>
<package name="nodejs" epoch="1" version="18.2" release="1.module_el9" arch="x86_64"/>
</collection></pkglist></update>
<update type="bugfix"><id>ALBA-2026:0002</id><pkglist><collection><package name="?"/></collection></pkglist></update>
</updates>`
	index := fmt.Sprintf(`<repomd><data type="updateinfo"><checksum type="sha256">%x</checksum><location href="repodata/updateinfo.xml"/></data></repomd>`,
		sha256.Sum256([]byte(advisories)))
	repository := fstest.MapFS{
		"repodata/repomd.xml":     {Data: []byte(index)},
		"repodata/updateinfo.xml": {Data: []byte(advisories)},
	}
	source, err := updateinfo.New(updateinfo.Config{
		Ecosystem:    "AlmaLinux:9",
		Platform:     patch.Platform{OS: "almalinux", Version: "9"},
		Repositories: []updateinfo.Repository{{Name: "appstream", Open: updateinfo.Folder(repository)}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for p, err := range source.Patches(context.Background(), patch.Query{}) {
		switch {
		case errors.Is(err, patch.ErrRecord):
			fmt.Println("left out:", err)
		case err != nil:
			fmt.Println("not complete:", err)
		default:
			fmt.Println(p.ID, p.Classification, p.Severity, p.CVEs())
			for _, x := range p.Packages {
				fmt.Println("  ", x.Name, x.Fixed, x.Module, x.Origins)
			}
		}
	}
	// Output:
	// left out: updateinfo: appstream: repodata/updateinfo.xml: line 7: ALBA-2026:0002: line 7: unreadable record: package "?": its name is none that a package can have
	// updateinfo:AlmaLinux:9/ALBA-2026:0002 bugfix unrated []
	// updateinfo:AlmaLinux:9/ALSA-2026:0001 security important [CVE-2026-0001]
	//    nodejs 1:18.2-1.module_el9 nodejs:18 [appstream]
}

// A file that was verified in another way needs no index.
func ExampleRepository() {
	open := func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(`<updates><update type="recommended"><id>SUSE-SLE-1</id></update></updates>`)), nil
	}
	source, err := updateinfo.New(updateinfo.Config{
		Ecosystem:    "openSUSE:Leap 15.6",
		Repositories: []updateinfo.Repository{{Name: "sle-update", Updateinfo: open}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for p, err := range source.Patches(context.Background(), patch.Query{}) {
		fmt.Println(p.ID, p.Classification, p.ClassificationRaw, err)
	}
	// Output: updateinfo:openSUSE:Leap_15.6/SUSE-SLE-1 bugfix [recommended] <nil>
}
