package inventory_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

func debVersion(text string) version.Version { return version.Version{Scheme: version.Deb, Text: text} }

// ranges is a patch for one package, whose ranges are given as introduced, fixed, last; "" for none.
func ranges(id patch.ID, name string, all ...[3]string) patch.Patch {
	p := patch.Patch{ID: id}
	for _, r := range all {
		x := patch.Package{Ecosystem: "Debian:12", Name: name}
		for i, to := range []*version.Version{&x.Introduced, &x.Fixed, &x.Last} {
			if r[i] != "" {
				*to = debVersion(r[i])
			}
		}
		p.Packages = append(p.Packages, x)
	}
	return p
}

// bySource makes a patch one for whatever is built from a source package.
func bySource(p patch.Patch) patch.Patch {
	return with(p, func(p *patch.Patch) {
		for i := range p.Packages {
			p.Packages[i].Source, p.Packages[i].Name = p.Packages[i].Name, ""
		}
	})
}

func about(p patch.Patch, cves ...string) patch.Patch {
	return with(p, func(p *patch.Patch) { p.Advisories = []patch.Advisory{{ID: string(p.ID), CVEs: cves}} })
}

// free is a declaration that packages are free of CVEs.
func free(id patch.ID, names []string, cves ...string) patch.Patch {
	return about(with(patch.Patch{ID: id}, func(p *patch.Patch) {
		for _, name := range names {
			p.Unaffected = append(p.Unaffected, patch.Package{Ecosystem: "Debian:12", Name: name})
		}
	}), cves...)
}

// change changes one installed package.
func change(d *inventory.Device, name string, how func(s *inventory.Software)) *inventory.Device {
	for i := range d.Software {
		if d.Software[i].Name == name {
			how(&d.Software[i])
		}
	}
	return d
}

func running(d *inventory.Device, text string) *inventory.Device {
	for i := range d.Software {
		d.Software[i].Running = d.Software[i].Version.Text == text
	}
	return d
}

func allLines(a inventory.Assessment) []string {
	var result []string
	for _, h := range a.Open {
		result = append(result, "open: "+h.String())
	}
	for _, h := range a.Pending {
		result = append(result, "pending: "+h.String())
	}
	for _, e := range a.Exempt {
		result = append(result, "exempt: "+e.String())
	}
	return append(result, lines(a)...)
}

func TestAssessRanges(t *testing.T) {
	tests := []struct {
		name    string
		patches []patch.Patch
		device  *inventory.Device
		want    []string
	}{
		{
			"what is older than the first version with the hole does not need the patch",
			[]patch.Patch{ranges("d:1", "openssl", [3]string{"3.0", "3.2", ""})}, bob("openssl 2.9"),
			[]string{"clean"},
		},
		{
			"the first version with the hole needs it, the fixed one does not",
			[]patch.Patch{ranges("d:1", "openssl", [3]string{"3.0", "3.2", ""}), ranges("d:2", "bash", [3]string{"3.0", "3.2", ""})},
			bob("openssl 3.0", "bash 3.2"),
			[]string{"openssl 3.0 is below 3.2 (d:1)", "missing"},
		},
		{
			"of several ranges the one that holds the version decides",
			[]patch.Patch{ranges("d:1", "go", [3]string{"", "1.21.5", ""}, [3]string{"1.22", "1.22.3", ""})}, bob("go 1.22.1"),
			[]string{"go 1.22.1 is below 1.22.3 (d:1)", "missing"},
		},
		{
			"between two ranges nothing is missing",
			[]patch.Patch{ranges("d:1", "go", [3]string{"", "1.21.5", ""}, [3]string{"1.22", "1.22.3", ""})}, bob("go 1.21.9"),
			[]string{"clean"},
		},
		{
			"a hole without a fix is open, and a device with nothing else to install is clean",
			[]patch.Patch{ranges("d:1", "xz", [3]string{"", "", ""}), ranges("d:2", "xz", [3]string{"6", "", ""})}, bob("xz 5"),
			[]string{"open: xz 5 has no fix (d:1)", "clean"},
		},
		{
			"up to the last version that is known to have it",
			[]patch.Patch{ranges("d:1", "xz", [3]string{"4", "", "5"}), ranges("d:2", "xz", [3]string{"", "", "4.9"}), ranges("d:3", "xz", [3]string{"5", "", "5"})},
			bob("xz 5"),
			[]string{"open: xz 5 has no fix (d:1)", "open: xz 5 has no fix (d:3)", "clean"},
		},
		{
			"what two ranges of a patch say is said once",
			[]patch.Patch{ranges("d:1", "xz", [3]string{"4", "", "5"}, [3]string{"3", "", "6"})}, bob("xz 5"),
			[]string{"open: xz 5 has no fix (d:1)", "clean"},
		},
		{
			"a bound that is no version leaves it unknown",
			[]patch.Patch{ranges("d:1", "xz", [3]string{"?", "6", ""}), ranges("d:2", "xz", [3]string{"?", "", ""})}, bob("xz 5"),
			[]string{
				`unknown: xz 5 cannot be compared with 6 (d:1): version: deb "?": the upstream version does not start with a digit: not a version`,
				`unknown: xz 5 cannot be compared with what d:2 is about: version: deb "?": the upstream version does not start with a digit: not a version`,
				"unknown",
			},
		},
		{
			"that every version has it holds for one that cannot be read, too",
			[]patch.Patch{ranges("d:1", "xz", [3]string{})}, bob("xz ?"),
			[]string{"open: xz ? has no fix (d:1)", "clean"},
		},
		{
			"a source package stands for what is built from it",
			[]patch.Patch{bySource(fixes("d:1", "openssl 3.2"))},
			change(bob("libssl3 3.1", "bash 5"), "libssl3", func(s *inventory.Software) { s.Source = "openssl" }),
			[]string{"libssl3 (of openssl) 3.1 is below 3.2 (d:1)", "missing"},
		},
		{
			"also if the package has its name",
			[]patch.Patch{bySource(fixes("d:1", "openssl 3.2"))}, bob("openssl 3.1"),
			[]string{"openssl 3.1 is below 3.2 (d:1)", "missing"},
		},
		{
			"its versions are those of the source package",
			[]patch.Patch{bySource(fixes("d:1", "gcc-12 12.2.0-15"))},
			change(bob("lib 1:2-3"), "lib", func(s *inventory.Software) { s.Source, s.SourceVersion = "gcc-12", debVersion("12.2.0-14") }),
			[]string{"lib (of gcc-12) 12.2.0-14 is below 12.2.0-15 (d:1)", "missing"},
		},
		{
			"a package with the same fix supersedes what names the source alone",
			[]patch.Patch{bySource(fixes("d:1", "openssl 3.2")), fixes("d:2", "libssl3 3.3")},
			change(bob("libssl3 3.1"), "libssl3", func(s *inventory.Software) { s.Source = "openssl" }),
			[]string{"libssl3 (of openssl) 3.1 is below 3.2 (d:1) superseded by d:2", "libssl3 3.1 is below 3.3 (d:2)", "missing"},
		},
		{
			"but not where source and package count differently",
			[]patch.Patch{bySource(fixes("d:1", "gcc-12 12.2.0-15")), fixes("d:2", "lib 1:2-4")},
			change(bob("lib 1:2-3"), "lib", func(s *inventory.Software) { s.Source, s.SourceVersion = "gcc-12", debVersion("12.2.0-14") }),
			[]string{"lib (of gcc-12) 12.2.0-14 is below 12.2.0-15 (d:1)", "lib 1:2-3 is below 1:2-4 (d:2)", "missing"},
		},
		{
			"a kernel that is installed and not running is pending",
			[]patch.Patch{fixes("d:1", "kernel 5"), fixes("d:2", "kernel 6"), fixes("d:3", "kernel 7")}, running(bob("kernel 5", "kernel 6"), "5"),
			[]string{"pending: kernel 5 is below 6 (d:2)", "kernel 6 is below 7 (d:3)", "missing"},
		},
		{
			"nothing is pending once it runs",
			[]patch.Patch{fixes("d:2", "kernel 6")}, running(bob("kernel 5", "kernel 6"), "6"),
			[]string{"clean"},
		},
		{
			"what is pending is not clean",
			[]patch.Patch{fixes("d:2", "kernel 6")}, running(bob("kernel 5", "kernel 6"), "5"),
			[]string{"pending: kernel 5 is below 6 (d:2)", "missing"},
		},
		{
			"what a publisher declares to be free of the CVEs does not need the patch",
			[]patch.Patch{about(fixes("d:1", "openssl 3.2"), "CVE-1", "CVE-2"), free("vex:1", []string{"openssl"}, "CVE-1"), free("vex:2", []string{"openssl"}, "CVE-2", "CVE-3")},
			bob("openssl 3.1"),
			[]string{"exempt: openssl does not need d:1: vex:2 declares it free of that", "clean"},
		},
		{
			"one CVE that is left is enough",
			[]patch.Patch{about(fixes("d:1", "openssl 3.2"), "CVE-1", "CVE-2"), free("vex:1", []string{"openssl"}, "CVE-1")}, bob("openssl 3.1"),
			[]string{"openssl 3.1 is below 3.2 (d:1)", "missing"},
		},
		{
			"a patch without CVEs is exempt from nothing, and another package neither",
			[]patch.Patch{fixes("d:1", "openssl 3.2"), about(fixes("d:2", "bash 6"), "CVE-1"), free("vex:1", []string{"openssl"}, "CVE-1")},
			bob("openssl 3.1", "bash 5"),
			[]string{"openssl 3.1 is below 3.2 (d:1)", "bash 5 is below 6 (d:2)", "missing"},
		},
		{
			"a declaration that was taken back says nothing",
			[]patch.Patch{about(fixes("d:1", "openssl 3.2"), "CVE-1"), withdrawn(free("vex:1", []string{"openssl"}, "CVE-1"))}, bob("openssl 3.1"),
			[]string{"openssl 3.1 is below 3.2 (d:1)", "missing"},
		},
		{
			"a declaration about the source package counts for what is built from it",
			[]patch.Patch{about(fixes("d:1", "libssl3 3.2"), "CVE-1"), free("vex:1", []string{"openssl"}, "CVE-1")},
			change(bob("libssl3 3.1"), "libssl3", func(s *inventory.Software) { s.Source = "openssl" }),
			[]string{"exempt: libssl3 does not need d:1: vex:1 declares it free of that", "clean"},
		},
		{
			"what nobody knows how to compare needs no answer if it is exempt",
			[]patch.Patch{about(fixes("d:1", "openssl ?"), "CVE-1"), free("vex:1", []string{"openssl"}, "CVE-1")}, bob("openssl 3.1"),
			[]string{"exempt: openssl does not need d:1: vex:1 declares it free of that", "clean"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, allLines(inventory.Assess(catalog(t, tt.patches...), tt.device)))
		})
	}
}

func TestAssessModules(t *testing.T) {
	const plain, ten, twelve = "10.1-1.el8", "10.1-1.module+el8.4.0+611+672d6c8a", "12.1-1.module_el8.6.0+2739+efabdb8f"
	entry := func(module, fixed string) patch.Patch {
		return patch.Patch{ID: "a:1", Packages: []patch.Package{{Ecosystem: "AlmaLinux:8", Name: "nodejs", Module: module,
			Fixed: version.Version{Scheme: "rpm", Text: fixed}}}}
	}
	tests := []struct {
		name             string
		patch            patch.Patch
		module, version_ string
		want             []string
	}{
		{"the same stream fits", entry("nodejs:12", twelve), "nodejs:12", "12.0-1.module_el8.6.0+1+a", []string{"missing"}},
		{"another stream does not", entry("nodejs:12", twelve), "nodejs:10", ten, []string{"clean"}},
		{"a package that is of no module does not", entry("nodejs:12", twelve), "", plain, []string{"clean"}},
		{"nor does a package of a module fit a patch that is for none", entry("", "12.1-1.el8"), "nodejs:10", ten, []string{"clean"}},
		{"nothing is known if the feed does not name the stream", entry("", twelve), "nodejs:10", ten, []string{"unknown"}},
		{"nor if the device does not", entry("nodejs:12", twelve), "", ten, []string{"unknown"}},
		{"unless the version is far enough anyway", entry("", ten), "nodejs:12", twelve, []string{"clean"}},
		{"without modules nothing changes", entry("", "12.1-1.el8"), "", plain, []string{"missing"}},
	}
	if _, err := (version.Version{Scheme: "rpm", Text: plain}).Key(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := &inventory.Device{ID: "bob", Coverage: []inventory.Coverage{covered("rpm", inventory.Complete, 1)},
				Software: []inventory.Software{{Manager: "rpm", Ecosystem: "AlmaLinux:8", Name: "nodejs", Module: tt.module,
					Version: version.Version{Scheme: "rpm", Text: tt.version_}}}}
			a := inventory.Assess(catalog(t, tt.patch), d)
			require.Equal(t, tt.want, []string{a.State().String()}, "%v", lines(a))
			if tt.want[0] == "unknown" {
				require.Equal(t, inventory.UnknownStream, a.Unknown[0].Reason)
				require.Contains(t, a.Unknown[0].String(), "may be of another module stream than")
			}
		})
	}
}
