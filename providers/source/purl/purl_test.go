package purl_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source/purl"
)

func v(s version.Scheme, text string) version.Version { return version.Version{Scheme: s, Text: text} }

// Each purl is what SBOM tools, OSV or a vendor writes; canonical is what is written for it, "" for the same.
func TestParse(t *testing.T) {
	for _, row := range []struct {
		text      string
		want      purl.Package
		canonical string
	}{
		{"pkg:deb/debian/libssl3@3.0.17-1~deb12u2?arch=amd64&distro=debian-12", purl.Package{Ecosystem: "Debian:12", Name: "libssl3", Arch: "amd64", Version: v(version.Deb, "3.0.17-1~deb12u2")}, "pkg:deb/debian/libssl3@3.0.17-1~deb12u2?arch=amd64&distro=debian-12"},
		{"pkg:deb/debian/openssl?arch=source", purl.Package{Ecosystem: "Debian", Source: "openssl"}, ""},
		{"pkg:deb/ubuntu/vim@2%3A8.2.3995-1ubuntu2.24?arch=arm64&distro=ubuntu-22.04", purl.Package{Ecosystem: "Ubuntu:22.04", Name: "vim", Arch: "arm64", Version: v(version.Deb, "2:8.2.3995-1ubuntu2.24")}, "pkg:deb/ubuntu/vim@2:8.2.3995-1ubuntu2.24?arch=arm64&distro=ubuntu-22.04"},
		{"pkg:apk/alpine/busybox@1.36.1-r15?arch=x86_64&distro=alpine-3.19.1", purl.Package{Ecosystem: "Alpine:v3.19", Name: "busybox", Arch: "x86_64", Version: v(version.APK, "1.36.1-r15")}, "pkg:apk/alpine/busybox@1.36.1-r15?arch=x86_64&distro=alpine-3.19"},
		{"pkg:apk/wolfi/glibc@2.39-r1", purl.Package{Ecosystem: "Wolfi", Name: "glibc", Version: v(version.APK, "2.39-r1")}, ""},
		{"pkg:rpm/almalinux/openssl@3.0.7-27.el9?arch=x86_64&distro=almalinux-9.4&epoch=1", purl.Package{Ecosystem: "AlmaLinux:9", Name: "openssl", Arch: "x86_64", Version: v(version.RPM, "1:3.0.7-27.el9")}, "pkg:rpm/almalinux/openssl@3.0.7-27.el9?arch=x86_64&distro=almalinux-9&epoch=1"},
		{"pkg:rpm/almalinux/nodejs@18.20.4-1?distro=almalinux-9&rpmmod=nodejs:18:8080020230719:63b34585", purl.Package{Ecosystem: "AlmaLinux:9", Name: "nodejs", Module: "nodejs:18", Version: v(version.RPM, "18.20.4-1")}, "pkg:rpm/almalinux/nodejs@18.20.4-1?distro=almalinux-9&rpmmod=nodejs:18"},
		{"pkg:rpm/rocky/bash@5.1.8-9.el9?distro=rocky-9.3", purl.Package{Ecosystem: "Rocky Linux:9", Name: "bash", Version: v(version.RPM, "5.1.8-9.el9")}, "pkg:rpm/rocky-linux/bash@5.1.8-9.el9?distro=rocky-9"},
		{"pkg:rpm/opensuse/zlib@1.2.13-150500.4.3.1?distro=opensuse-leap-15.5", purl.Package{Ecosystem: "openSUSE:Leap 15.5", Name: "zlib", Version: v(version.RPM, "1.2.13-150500.4.3.1")}, ""},
		{"pkg:rpm/opensuse/zlib@1?distro=opensuse-tumbleweed", purl.Package{Ecosystem: "openSUSE:Tumbleweed", Name: "zlib", Version: v(version.RPM, "1")}, ""},
		{"pkg:rpm/suse/zlib@1.2.13-1?distro=sles-15.5", purl.Package{Ecosystem: "SUSE:Linux Enterprise Server 15 SP5", Name: "zlib", Version: v(version.RPM, "1.2.13-1")}, ""},
		{"pkg:rpm/suse/zlib@1.2.13-1?distro=sles-15", purl.Package{Ecosystem: "SUSE:Linux Enterprise Server 15", Name: "zlib", Version: v(version.RPM, "1.2.13-1")}, ""},
		{"pkg:rpm/redhat/kernel@0:5.14.0-1.el9?arch=src", purl.Package{Ecosystem: "rpm:redhat", Source: "kernel", Version: v(version.RPM, "5.14.0-1.el9")}, "pkg:rpm/redhat/kernel@5.14.0-1.el9?arch=src"},
		{"pkg:alpm/arch/pacman@6.0.1-1?arch=x86_64", purl.Package{Ecosystem: "Arch", Name: "pacman", Arch: "x86_64", Version: v(version.Arch, "6.0.1-1")}, ""},
		{"pkg:npm/%40angular/animation@12.3.1", purl.Package{Ecosystem: "npm", Name: "@angular/animation", Version: v(version.SemVer, "12.3.1")}, ""},
		{"pkg:golang/google.golang.org/genproto@v0.1.0", purl.Package{Ecosystem: "Go", Name: "google.golang.org/genproto", Version: v(version.SemVerLenient, "v0.1.0")}, ""},
		{"pkg:maven/org.apache.logging.log4j/log4j-core@2.17.1", purl.Package{Ecosystem: "Maven", Name: "org.apache.logging.log4j:log4j-core", Version: v("maven", "2.17.1")}, ""},
		{"pkg:pypi/Django_x@4.2", purl.Package{Ecosystem: "PyPI", Name: "django-x", Version: v(version.PEP440, "4.2")}, "pkg:pypi/django-x@4.2"},
		{"pkg:nuget/Newtonsoft.Json@13.0.1", purl.Package{Ecosystem: "NuGet", Name: "Newtonsoft.Json", Version: v(version.NuGet, "13.0.1")}, ""},
		{"pkg:cargo/rand@0.7.2", purl.Package{Ecosystem: "crates.io", Name: "rand", Version: v(version.SemVer, "0.7.2")}, ""},
		{"pkg:generic/Some.App@1.2?ecosystem=winget", purl.Package{Ecosystem: "winget", Name: "Some.App", Version: v(version.WinGet, "1.2")}, ""},
		{"pkg:docker/library/nginx@1", purl.Package{Ecosystem: "docker", Name: "nginx", Version: v("docker", "1")}, "pkg:generic/nginx@1?ecosystem=docker"},
	} {
		t.Run(row.text, func(t *testing.T) {
			got, err := purl.Parse(row.text)
			require.NoError(t, err)
			require.Equal(t, row.want, got)
			canonical := row.canonical
			if canonical == "" {
				canonical = row.text
			}
			again, err := purl.Parse(got.String())
			require.NoError(t, err)
			require.Equal(t, got, again, got.String())
			require.Equal(t, canonical, got.String())
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "pkg:", "deb/debian/a", "pkg:deb", "pkg:deb/debian/", "pkg:deb/debian/a?distro=%zz"} {
		_, err := purl.Parse(text)
		require.ErrorContains(t, err, fmt.Sprintf("purl: %q: ", text))
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"pkg:deb/debian/a@1:2-3?arch=source&distro=debian-12", "pkg:rpm/x@1?epoch=2&rpmmod=a:b:c", "pkg:npm/%40a/b@1", "pkg:rpm/suse/x?distro=sles-15.", "pkg:generic/a/b@1?ecosystem=x%3Ay"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := purl.Parse(text)
		if err != nil {
			return
		}
		require.NotEmpty(t, p.Ecosystem)
		require.True(t, (p.Name == "") != (p.Source == ""), "%+v", p)
		require.Equal(t, p.Version.Text == "", p.Version.IsZero())
		_ = p.String()
	})
}

// What an SBOM lists is held against a catalog.
func Example() {
	catalog, _ := patch.NewCatalog([]patch.Patch{{
		ID: "osv:ALSA-2024:1", Classification: patch.ClassSecurity,
		Packages: []patch.Package{{Ecosystem: "AlmaLinux:9", Name: "openssl", Fixed: version.Version{Scheme: version.RPM, Text: "1:3.0.7-27.el9"}}},
	}})
	p, err := purl.Parse("pkg:rpm/almalinux/openssl@3.0.7-25.el9?arch=x86_64&distro=almalinux-9.4&epoch=1")
	if err != nil {
		fmt.Println(err)
		return
	}
	d := inventory.Device{
		ID: "image", Software: []inventory.Software{p.Software("sbom")},
		Coverage: []inventory.Coverage{{Manager: "sbom", Status: inventory.Complete}},
	}
	a := inventory.Assess(catalog, &d)
	for _, f := range a.Findings {
		fmt.Println(f.Patch, "is missed by", p)
	}
	// Output:
	// osv:ALSA-2024:1 is missed by pkg:rpm/almalinux/openssl@3.0.7-25.el9?arch=x86_64&distro=almalinux-9&epoch=1
}
