package debian_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing/fstest"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/debian"
)

func Example() {
	archive := fstest.MapFS{
		"Packages": {Data: []byte("Package: libssl3\nSource: openssl\nVersion: 3.0.17-1~deb12u3\nArchitecture: amd64\n\n" +
			"Package: oops\nVersion: one\nArchitecture: amd64\n\n")},
		"DSA-list": {Data: []byte("[01 Nov 2026] DSA-9999-1 openssl - security update\n\t{CVE-2026-0001}\n\t[bookworm] - openssl 3.0.17-1~deb12u3\n")},
	}
	source, err := debian.New(debian.Config{
		Codename:   "bookworm",
		Version:    "12",
		Indices:    []debian.Index{{Origin: "bookworm-security", Security: true, Open: source.File(archive, "Packages")}},
		Advisories: source.File(archive, "DSA-list"),
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
			fmt.Println(p.ID, p.Classification, p.CVEs())
		}
	}
	// Output:
	// left out: debian: bookworm-security: stanza 2, line 6: package oops: field Version: version: deb "one": the upstream version does not start with a digit: not a version: unreadable record
	// debian:bookworm/openssl=3.0.17-1~deb12u3 security [CVE-2026-0001]
}

func ExampleReadAdvisories() {
	list := "[31 Jul 2025] DSA-5970-1 sope - security update\n\t{CVE-2025-53603}\n\t[bookworm] - sope 5.8.0-1+deb12u1\n"
	for a, err := range debian.ReadAdvisories(strings.NewReader(list), source.Limits{}) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(a.ID, a.CVEs, a.Fixes[0].Release, a.Fixes[0].Version)
	}
	// Output:
	// DSA-5970-1 [CVE-2025-53603] bookworm 5.8.0-1+deb12u1
}
