package csaf_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/csaf"
)

func text(s string) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

// doc makes a document of the publisher example.com: an ID, a product tree and vulnerabilities, as JSON.
func doc(id, tree, vulnerabilities string) string {
	return fmt.Sprintf(`{"document":{"category":"csaf_vex","csaf_version":"2.0","title":"T","publisher":{"namespace":"https://www.example.com"},
		"tracking":{"id":%q,"status":"final","version":"1","initial_release_date":"2026-01-01T00:00:00Z","current_release_date":"2026-02-01T00:00:00Z"}},
		"product_tree":%s,"vulnerabilities":[%s]}`, id, tree, vulnerabilities)
}

// platform is RHEL 9; parts makes a tree of it and of the packages named, each with its purl. The package p has the ID "9:p".
func parts(purls ...string) string {
	tree := `{"full_product_names":[{"product_id":"9","name":"RHEL 9","product_identification_helper":{"cpe":"cpe:/o:redhat:enterprise_linux:9::baseos"}}`
	relations := ""
	for i, purl := range purls {
		tree += fmt.Sprintf(`,{"product_id":"p%d","name":"p%d","product_identification_helper":{"purl":%q}}`, i, i, purl)
		relations += fmt.Sprintf(`,{"category":"default_component_of","product_reference":"p%d","relates_to_product_reference":"9","full_product_name":{"product_id":"9:p%d","name":"x"}}`, i, i)
	}
	return tree + `],"relationships":[` + strings.TrimPrefix(relations, ",") + `]}`
}

func list(t testing.TB, c csaf.Config, q patch.Query) (all []patch.Patch, refused []string) {
	t.Helper()
	s, err := csaf.New(c)
	require.NoError(t, err)
	for p, err := range s.Patches(t.Context(), q) {
		if errors.Is(err, patch.ErrRecord) {
			refused = append(refused, err.Error())
			continue
		}
		require.NoError(t, err)
		all = append(all, p)
	}
	return all, refused
}

func one(t testing.TB, c csaf.Config) patch.Patch {
	t.Helper()
	all, refused := list(t, c, patch.Query{})
	require.Empty(t, refused)
	require.Len(t, all, 1)
	return all[0]
}

func folder(files map[string]string) fstest.MapFS {
	f := make(fstest.MapFS)
	for name, content := range files {
		f[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return f
}

// describe writes packages in a short form.
func describe(packages []patch.Package) (all []string) {
	for _, p := range packages {
		s := p.Name
		if p.Name == "" {
			s = "source " + p.Source
		}
		for _, part := range []struct{ before, text string }{
			{"/", p.Arch}, {" module ", p.Module}, {" from ", p.Introduced.Text}, {" fixed ", p.Fixed.Text}, {" last ", p.Last.Text}, {" ", string(p.Fixed.Scheme)},
		} {
			if part.text != "" {
				s += part.before + part.text
			}
		}
		all = append(all, s)
	}
	return all
}

func TestSourceKeepsItsPromises(t *testing.T) {
	made := func(c csaf.Config) patch.Source {
		s, err := csaf.New(c)
		require.NoError(t, err)
		return s
	}
	providertest.Source(t, providertest.SourceHarness{
		New:  func(t *testing.T) patch.Source { return made(csaf.Config{Folder: os.DirFS("testdata")}) },
		Want: []patch.ID{"csaf:redhat.com/RHSA-2022:0011", "csaf:redhat.com/CVE-2023-6237", "csaf:suse.com/openSUSE-SU-2016:1623-1"},
		Damaged: func(t *testing.T) (patch.Source, string) {
			fixed := doc("A", parts("pkg:rpm/redhat/a@1-1"), `{"cve":"CVE-2026-0001","product_status":{"fixed":["9:p0"]}}`)
			return made(csaf.Config{Folder: folder(map[string]string{"a.json": `{"document":`, "b.json": fixed})}), "a.json"
		},
		Broken: func(t *testing.T) patch.Source {
			return made(csaf.Config{Folder: folder(map[string]string{"changes.csv": "x", "provider-metadata.json": "{"})})
		},
	})
}

func TestAnAdvisoryOfRedHat(t *testing.T) {
	p := one(t, csaf.Config{Document: source.File(os.DirFS("testdata"), "rhsa-2022_0011.json")})
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	rpm := version.Version{Scheme: version.RPM, Text: "1:0.17-65.el7_6"}
	require.Empty(t, cmp.Diff(patch.Patch{
		ID:                "csaf:redhat.com/RHSA-2022:0011",
		Title:             "Red Hat Security Advisory: telnet security update",
		Classification:    patch.ClassSecurity,
		ClassificationRaw: []string{"csaf_security_advisory"},
		Severity:          patch.SeverityImportant,
		SeverityRaw:       "Important",
		Advisories: []patch.Advisory{{ID: "CVE-2020-10188", CVEs: []string{"CVE-2020-10188"},
			Title:    "CVE-2020-10188 telnet-server: no bounds checks in nextitem() function allows to remotely execute arbitrary code",
			Severity: patch.SeverityImportant, SeverityRaw: "Important", Published: day(2020, 2, 28),
			References: []string{"https://access.redhat.com/security/cve/CVE-2020-10188"}}},
		Packages: []patch.Package{
			{Ecosystem: "Red Hat:rhel_aus:7.6::server", Name: "telnet", Arch: "x86_64", Fixed: rpm},
			{Ecosystem: "Red Hat:rhel_aus:7.6::server", Name: "telnet-debuginfo", Arch: "x86_64", Fixed: rpm},
			{Ecosystem: "Red Hat:rhel_aus:7.6::server", Name: "telnet-server", Arch: "x86_64", Fixed: rpm},
			{Ecosystem: "Red Hat:rhel_e4s:7.6::server", Name: "telnet-server", Arch: "ppc64le", Fixed: rpm},
			{Ecosystem: "Red Hat:rhel_e4s:7.6::server", Name: "telnet-server", Arch: "x86_64", Fixed: rpm},
		},
		Released:   time.Date(2022, 1, 4, 8, 38, 0, 0, time.UTC),
		Modified:   time.Date(2022, 1, 4, 8, 38, 0, 0, time.UTC),
		References: []string{"https://access.redhat.com/errata/RHSA-2022:0011"},
		Native:     map[string]string{"publisher": "https://www.redhat.com", "trackingID": "RHSA-2022:0011", "status": "final", "version": "1", "revisions": "1"},
	}, p), "the source package is not named, as its binaries are")
}

func TestAVEXDocumentOfRedHat(t *testing.T) {
	c := csaf.Config{Document: source.File(os.DirFS("testdata"), "cve-2023-6237.json")}
	p := one(t, c)
	require.Equal(t, patch.SeverityLow, p.Severity)
	require.Equal(t, []string{
		"source edk2", "openssl/s390x fixed 1:3.0.7-27.el9 rpm", "openssl/x86_64 fixed 1:3.0.7-27.el9 rpm",
	}, describe(p.Packages), "what has no fix is open")
	require.Equal(t, "Red Hat:enterprise_linux:9", p.Packages[0].Ecosystem)
	require.True(t, p.Packages[0].Fixed.IsZero())
	require.Contains(t, describe(p.Unaffected), "source openssl")
	require.NotContains(t, describe(p.Unaffected), "openssl-fips-provider", "that is said of one version alone")
	require.Equal(t, "1", p.Native["notAffectedVersions"])
	require.Equal(t, 5.9, p.Advisories[0].Scores[0].Base)
	require.Equal(t, "redhat.com", p.Advisories[0].Scores[0].By)

	c.AnyVersion = true
	p = one(t, c)
	require.Contains(t, describe(p.Unaffected), "openssl-fips-provider")
	require.Empty(t, p.Native["notAffectedVersions"])

	catalog, err := patch.NewCatalog([]patch.Patch{p})
	require.NoError(t, err)
	by, free := catalog.Unaffected("Red Hat:enterprise_linux:7", "openssl", "CVE-2023-6237")
	require.True(t, free)
	require.Equal(t, p.ID, by)
	_, free = catalog.Unaffected("Red Hat:enterprise_linux:9", "edk2", "CVE-2023-6237")
	require.False(t, free)
}

func TestRestartsAreThoseOfTheFixes(t *testing.T) {
	p := one(t, csaf.Config{Document: source.File(os.DirFS("testdata"), "rhsa-2023_7434.json")})
	require.Equal(t, patch.RebootAlways, p.Reboot)
	require.Equal(t, []string{"bpftool/x86_64 fixed 4.18.0-193.119.1.el8_2 rpm", "kernel/x86_64 fixed 4.18.0-193.119.1.el8_2 rpm"}, describe(p.Packages))
	for categories, want := range map[string]patch.Reboot{
		"": patch.RebootUnknown, "machine": patch.RebootAlways, "system": patch.RebootAlways, "zone": patch.RebootAlways, "none": patch.RebootNever,
		"service": patch.RebootMaybe, "vulnerable_component": patch.RebootMaybe, "machine none": patch.RebootMaybe, "none none": patch.RebootNever,
		"none ?": patch.RebootUnknown, "machine ?": patch.RebootMaybe, "service none": patch.RebootMaybe,
	} {
		remediations := `{"category":"workaround","restart_required":{"category":"zone"}}`
		for c := range strings.FieldsSeq(categories) {
			if c == "?" {
				remediations += `,{"category":"vendor_fix"}`
			} else {
				remediations += fmt.Sprintf(`,{"category":"vendor_fix","restart_required":{"category":%q}}`, c)
			}
		}
		p := one(t, csaf.Config{Document: text(doc("A", parts("pkg:rpm/redhat/a@1-1"),
			`{"cve":"CVE-2026-0001","product_status":{"fixed":["9:p0"]},"remediations":[`+remediations+`]}`))})
		require.Equal(t, want, p.Reboot, categories)
	}
}

func TestAnAdvisoryOfSUSE(t *testing.T) {
	p := one(t, csaf.Config{Document: source.File(os.DirFS("testdata"), "opensuse-su-2016_1623-1.json")})
	require.Equal(t, []string{"chromedriver/x86_64 fixed 51.0.2704.103-85.3 rpm", "chromium/x86_64 fixed 51.0.2704.103-85.3 rpm"}, describe(p.Packages), "recommended is a fix")
	require.Equal(t, "SUSE:Package Hub 12", p.Packages[0].Ecosystem)
	require.Equal(t, patch.SeverityImportant, p.Severity)
	require.Equal(t, patch.SeverityModerate, p.Advisories[0].Severity)
}

func TestStatuses(t *testing.T) {
	for _, row := range []struct {
		name           string
		purls          []string
		status         string
		packages, free []string
		native         string
		anyVersion     bool
		problems       int
	}{
		{name: "fixed", purls: []string{"pkg:rpm/redhat/a@2-1?arch=x86_64&epoch=1"}, status: `"fixed":["9:p0"]`, packages: []string{"a/x86_64 fixed 1:2-1 rpm"}},
		{name: "first fixed and recommended", purls: []string{"pkg:deb/debian/a@1:2-1?arch=amd64", "pkg:apk/alpine/b@1.2-r0"},
			status: `"first_fixed":["9:p0"],"recommended":["9:p1"]`, packages: []string{"a/amd64 fixed 1:2-1 deb", "b fixed 1.2-r0 apk"}},
		{name: "fixed without a version is left out", purls: []string{"pkg:rpm/redhat/a", "pkg:rpm/redhat/b@1-1"}, status: `"fixed":["9:p0","9:p1"]`,
			packages: []string{"b fixed 1-1 rpm"}, native: "withoutVersion"},
		{name: "a source package whose binaries are listed", purls: []string{"pkg:rpm/redhat/a@2-1?arch=src", "pkg:rpm/redhat/libb@2-1?arch=noarch"},
			status: `"fixed":["9:p0","9:p1"]`, packages: []string{"libb/noarch fixed 2-1 rpm"}},
		{name: "a source package alone", purls: []string{"pkg:rpm/redhat/a@2-1?arch=src"}, status: `"fixed":["9:p0"]`, packages: []string{"source a fixed 2-1 rpm"}},
		{name: "affected without a fix is open", purls: []string{"pkg:rpm/redhat/a", "pkg:rpm/redhat/b?arch=src"}, status: `"known_affected":["9:p0","9:p1"]`,
			packages: []string{"source b", "a"}},
		{name: "affected in one version", purls: []string{"pkg:rpm/redhat/a@1-1"}, status: `"last_affected":["9:p0"]`, packages: []string{"a from 1-1 last 1-1"}},
		{name: "affected and fixed later", purls: []string{"pkg:rpm/redhat/a@1-1", "pkg:rpm/redhat/a@2-1"}, status: `"known_affected":["9:p0"],"fixed":["9:p1"]`,
			packages: []string{"a fixed 2-1 rpm"}},
		{name: "under investigation says nothing", purls: []string{"pkg:rpm/redhat/a", "pkg:rpm/redhat/b"}, status: `"under_investigation":["9:p0"],"known_not_affected":["9:p1"]`,
			free: []string{"b"}, native: "underInvestigation"},
		{name: "not affected", purls: []string{"pkg:rpm/redhat/a", "pkg:rpm/redhat/b?arch=src"}, status: `"known_not_affected":["9:p0","9:p1"]`, free: []string{"source b", "a"}},
		{name: "one version is not affected", purls: []string{"pkg:rpm/redhat/a@1-1", "pkg:rpm/redhat/b"}, status: `"known_not_affected":["9:p0"],"known_affected":["9:p1"]`,
			packages: []string{"b"}, native: "notAffectedVersions"},
		{name: "one version is, and all are meant", purls: []string{"pkg:rpm/redhat/a@1-1"}, status: `"known_not_affected":["9:p0"]`, free: []string{"a"}, anyVersion: true},
		{name: "one version is and another not", purls: []string{"pkg:rpm/redhat/a@1-1", "pkg:rpm/redhat/a@2-1"}, status: `"known_not_affected":["9:p0"],"known_affected":["9:p1"]`,
			packages: []string{"a from 2-1 last 2-1"}, anyVersion: true, native: "notAffectedVersions"},
		{name: "one architecture is not affected", purls: []string{"pkg:rpm/redhat/a?arch=s390x", "pkg:rpm/redhat/b"}, status: `"known_not_affected":["9:p0"],"known_affected":["9:p1"]`,
			packages: []string{"b"}, native: "notAffectedVersions"},
		{name: "one module stream is not affected", purls: []string{"pkg:rpm/redhat/a?rpmmod=a:18:1:2", "pkg:rpm/redhat/a?rpmmod=a:20"}, status: `"known_not_affected":["9:p0"],"known_affected":["9:p1"]`,
			packages: []string{"a module a:20"}, anyVersion: true, native: "notAffectedVersions"},
		{name: "one module stream is not affected, and nothing is said of others", purls: []string{"pkg:rpm/redhat/a?rpmmod=a:18:1:2", "pkg:rpm/redhat/b"},
			status: `"known_not_affected":["9:p0"],"known_affected":["9:p1"]`, packages: []string{"b"}, anyVersion: true, native: "notAffectedVersions"},
		{name: "a contradiction counts as the worse", purls: []string{"pkg:rpm/redhat/a@1-1", "pkg:rpm/redhat/b"}, status: `"fixed":["9:p0"],"known_affected":["9:p0"],"known_not_affected":["9:p1"],"under_investigation":["9:p1"]`,
			packages: []string{"a from 1-1 last 1-1"}, native: "underInvestigation", problems: 2},
		{name: "an unknown product", purls: []string{"pkg:rpm/redhat/a@1-1"}, status: `"fixed":["9:p0","9:p7"]`, packages: []string{"a fixed 1-1 rpm"}, problems: 1},
		{name: "an unknown group", purls: []string{"pkg:rpm/redhat/a@1-1"}, status: `"fixed":["9:p0"],"blessed":["9:p0"]`, packages: []string{"a fixed 1-1 rpm"}, problems: 1},
		{name: "a purl that is none", purls: []string{"pkg:rpm/redhat/a@1-1", "purl:b"}, status: `"fixed":["9:p0","9:p1"]`, packages: []string{"a fixed 1-1 rpm"}, problems: 1},
		{name: "a generic package", purls: []string{"pkg:generic/a@2"}, status: `"fixed":["9:p0"]`, packages: []string{"a fixed 2 csaf"}},
		{name: "a module as such", purls: []string{"pkg:rpmmod/redhat/a@18:1:2", "pkg:rpm/redhat/a@1-1"}, status: `"fixed":["9:p0","9:p1"]`, packages: []string{"a fixed 1-1 rpm"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			all, problems := list(t, csaf.Config{AnyVersion: row.anyVersion,
				Document: text(doc("A", parts(row.purls...), `{"cve":"CVE-2026-0001","product_status":{`+row.status+`}}`))}, patch.Query{})
			require.Len(t, problems, row.problems, "%v", problems)
			require.Len(t, all, 1)
			require.Equal(t, row.packages, describe(all[0].Packages))
			require.Equal(t, row.free, describe(all[0].Unaffected))
			for _, name := range []string{"underInvestigation", "notAffectedVersions", "withoutVersion"} {
				require.Equal(t, row.native == name, all[0].Native[name] != "", name)
			}
		})
	}
}

func TestWhatIsExemptOfOneVulnerabilityIsAPatchOfItsOwn(t *testing.T) {
	all, problems := list(t, csaf.Config{Document: text(doc("A", parts("pkg:rpm/redhat/a", "pkg:rpm/redhat/b", "pkg:rpm/redhat/c@1-1"),
		`{"cve":"CVE-2026-0001","product_status":{"known_not_affected":["9:p0","9:p1"],"fixed":["9:p2"]}},
		 {"cve":"CVE-2026-0002","product_status":{"known_not_affected":["9:p0"],"fixed":["9:p2"]},"threats":[{"category":"impact","details":"Low"}]}`))}, patch.Query{})
	require.Empty(t, problems)
	require.Len(t, all, 2)
	require.Equal(t, []string{"a"}, describe(all[0].Unaffected))
	require.Equal(t, patch.ID("csaf:example.com/A#CVE-2026-0001"), all[1].ID)
	require.Equal(t, []string{"b"}, describe(all[1].Unaffected))
	require.Empty(t, all[1].Packages)
	catalog, err := patch.NewCatalog(all)
	require.NoError(t, err)
	for cve, want := range map[string]bool{"CVE-2026-0001": true, "CVE-2026-0002": false} {
		_, free := catalog.Unaffected("Red Hat:enterprise_linux:9::baseos", "b", cve)
		require.Equal(t, want, free, cve)
		_, free = catalog.Unaffected("Red Hat:enterprise_linux:9::baseos", "a", cve)
		require.True(t, free)
	}
	require.Equal(t, patch.SeverityLow, all[0].Severity, "the worst of the vulnerabilities, as the document has none")
}

func TestWordsOfBranchesAreKeptWithoutAnOrder(t *testing.T) {
	tree := `{"branches":[{"category":"vendor","name":"Example","branches":[{"category":"product_name","name":"Edge","branches":[
		{"category":"product_version_range","name":"%s","product":{"product_id":"1","name":"Edge old"}},
		{"category":"product_version","name":"129.0.2792.52","product":{"product_id":"2","name":"Edge new"}}]}]}]}`
	for span, want := range map[string]string{
		"<129.0.2792.52": "Edge fixed 129.0.2792.52 csaf", "<=129": "Edge last 129", "vers:generic/<130": "Edge fixed 130 csaf",
		"vers:generic/*": "Edge", ">=1|<2": "Edge fixed >=1|<2 csaf", "all old ones": "Edge fixed all old ones csaf",
	} {
		p := one(t, csaf.Config{Document: text(doc("A", fmt.Sprintf(tree, span), `{"cve":"CVE-2026-0001","product_status":{"known_affected":["1"]}}`))})
		require.Equal(t, []string{want}, describe(p.Packages), span)
		require.Equal(t, "example.com", p.Packages[0].Ecosystem)
	}
	p := one(t, csaf.Config{Document: text(doc("A", fmt.Sprintf(tree, "<129.0.2792.52"), `{"cve":"CVE-2026-0001","product_status":{"known_affected":["1"],"fixed":["2"]}}`))})
	require.Equal(t, []string{"Edge fixed 129.0.2792.52 csaf"}, describe(p.Packages))
	_, err := p.Packages[0].Fixed.Key()
	require.ErrorIs(t, err, version.ErrIncomparable)
}

func TestModulesLieBetweenPackageAndPlatform(t *testing.T) {
	products := `"full_product_names":[{"product_id":"8","name":"RHEL 8","product_identification_helper":{"cpe":"cpe:/a:redhat:enterprise_linux:8::appstream"}},
		{"product_id":"nodejs:18:8080:abc","name":"nodejs","product_identification_helper":{"purl":"pkg:rpmmod/redhat/nodejs@18:8080:abc"}},
		{"product_id":"npm","name":"npm","product_identification_helper":{"purl":"pkg:rpm/redhat/npm@9-1?arch=x86_64"}}]`
	for _, tree := range []string{
		`{` + products + `,"relationships":[
			{"product_reference":"nodejs:18:8080:abc","relates_to_product_reference":"8","full_product_name":{"product_id":"8:nodejs","name":"x"}},
			{"product_reference":"npm","relates_to_product_reference":"8:nodejs","full_product_name":{"product_id":"8:nodejs:npm","name":"x"}}]}`,
		`{` + products + `,"product_paths":[{"beginning_product_reference":"npm","full_product_name":{"product_id":"8:nodejs:npm","name":"x"},
			"subpaths":[{"next_product_reference":"nodejs:18:8080:abc"},{"next_product_reference":"8"}]}]}`,
	} {
		p := one(t, csaf.Config{Document: text(doc("A", tree, `{"cve":"CVE-2026-0001","product_status":{"fixed":["8:nodejs:npm"]}}`))})
		require.Equal(t, []string{"npm/x86_64 module nodejs:18 fixed 9-1 rpm"}, describe(p.Packages))
		require.Equal(t, "Red Hat:enterprise_linux:8::appstream", p.Packages[0].Ecosystem)
	}
	circle := `{"full_product_names":[],"relationships":[{"product_reference":"a","relates_to_product_reference":"a","full_product_name":{"product_id":"a","name":"x"}}]}`
	_, problems := list(t, csaf.Config{Document: text(doc("A", circle, `{"cve":"CVE-2026-0001","product_status":{"fixed":["a"]}}`))}, patch.Query{})
	require.Len(t, problems, 1)
	require.Contains(t, problems[0], "in a circle")
}

func TestAdvisoriesHoldScoresAndExploitation(t *testing.T) {
	read := func(vulnerability string) (patch.Advisory, []string) {
		all, problems := list(t, csaf.Config{Document: text(doc("A", parts("pkg:rpm/redhat/a@1-1"), `{"product_status":{"fixed":["9:p0"]},`+vulnerability+`}`))}, patch.Query{})
		require.Len(t, all, 1)
		return all[0].Advisories[0], problems
	}
	a, problems := read(`"cve":"CVE-2026-0001","title":"t","release_date":"2026-01-02T00:00:00Z","scores":[
		{"cvss_v2":{"vectorString":"AV:N/AC:L/Au:N/C:C/I:C/A:C"},"cvss_v3":{"vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}},
		{"cvss_v3":{"vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}},{"cvss_v3":{"vectorString":"high"}}],
		"metrics":[{"content":{"cvss_v4":{"vectorString":"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"}}}]`)
	require.Len(t, problems, 1)
	require.Contains(t, problems[0], "document: vulnerability 1 (CVE-2026-0001): ")
	require.Len(t, a.Scores, 3)
	require.Equal(t, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), a.Published)
	for details, want := range map[string]patch.Tri{
		"Publicly Disclosed:No;Exploited:Yes;Latest Software Release:Exploitation Detected": patch.Yes,
		"Publicly Disclosed:No;Exploited:No;Latest Software Release:N/A":                    patch.No,
		"CISA: https://www.cisa.gov/known-exploited-vulnerabilities-catalog":                patch.Yes,
		"someone says so": patch.Unknown,
	} {
		a, _ := read(fmt.Sprintf(`"cve":"CVE-2026-0001","threats":[{"category":"exploit_status","details":%q,"date":"2026-01-03T00:00:00Z"}]`, details))
		require.Equal(t, want, a.Exploited, details)
		require.Equal(t, want == patch.Yes, !a.KnownSince.IsZero())
	}
	a, _ = read(`"threats":[{"category":"impact","details":"Remote Code Execution"},{"category":"impact","details":"low"},{"category":"impact","details":"High"}]`)
	require.Equal(t, "A", a.ID, "a vulnerability without a name has that of the document")
	require.Empty(t, a.CVEs)
	require.Equal(t, patch.SeverityImportant, a.Severity)
	require.Equal(t, "High", a.SeverityRaw)
	a, _ = read(`"ids":[{"system_name":"x","text":"BUG-1"}]`)
	require.Equal(t, "BUG-1", a.ID)
}

func TestDocumentsThatAreRefused(t *testing.T) {
	good := doc("A", parts("pkg:rpm/redhat/a@1-1"), `{"cve":"CVE-2026-0001","product_status":{"fixed":["9:p0"]}}`)
	for _, row := range []struct{ old, new, want string }{
		{`"csaf_version":"2.0"`, `"csaf_version":"1.2"`, `csaf_version is "1.2"`},
		{`https://www.example.com`, `example`, "is no URL"},
		{`"id":"A"`, `"id":""`, `tracking id is ""`},
		{`"id":"A"`, `"id":"A#B"`, `tracking id is "A#B"`},
		{`"id":"A"`, `"id":"A\nB"`, `tracking id is`},
		{`"final"`, `"draft"`, "A is a draft"},
		{`"title":"T"`, `"title":1`, "cannot unmarshal number"},
		{`{"document"`, `{{"document"`, "invalid character"},
	} {
		require.Contains(t, good, row.old)
		all, problems := list(t, csaf.Config{Name: "a.json", Document: text(strings.Replace(good, row.old, row.new, 1))}, patch.Query{})
		require.Empty(t, all, row.new)
		require.Len(t, problems, 1)
		require.Contains(t, problems[0], row.want)
		require.Contains(t, problems[0], "csaf: a.json: ")
	}
	all, problems := list(t, csaf.Config{Document: text("\ufeff" + good)}, patch.Query{})
	require.Len(t, all, 1)
	require.Empty(t, problems)
	all, problems = list(t, csaf.Config{Document: text(strings.Replace(good, "csaf_vex", "csaf_withdrawn", 1))}, patch.Query{})
	require.Empty(t, problems)
	require.Equal(t, all[0].Modified, all[0].Withdrawn)
	require.Equal(t, patch.ClassUnknown, all[0].Classification)
	all, problems = list(t, csaf.Config{Document: text(doc("A", `{}`, `{"cve":"CVE-2026-0001"}`))}, patch.Query{})
	require.Empty(t, problems)
	require.Empty(t, all, "it says nothing of any product")
	_, problems = list(t, csaf.Config{Document: text(strings.Replace(good, `{"cve":"CVE-2026-0001"`, `{"cve":1},{"cve":"CVE-2026-0001"`, 1))}, patch.Query{})
	require.Len(t, problems, 1)
	require.Contains(t, problems[0], "vulnerability 1: ")
}

func TestFolderOfAProvider(t *testing.T) {
	fixed := func(id string) string {
		return doc(id, parts("pkg:rpm/redhat/a@1-1"), `{"cve":"CVE-2026-0001","product_status":{"fixed":["9:p0"]}}`)
	}
	files := map[string]string{
		"2026/a.json": fixed("A"), "2026/b.json": fixed("B"), "2026/c.json": fixed("C"), "2026/a.json.asc": "signature", "other.json": fixed("D"),
		"index.txt":              "2026/a.json\n2026/b.json\n2026/gone.json\n2026/a.json\n",
		"changes.csv":            "\"2026/a.json\",\"2026-02-01T00:00:00Z\"\n\"2026/b.json\",\"2025-01-01T00:00:00Z\"\n\"2026/x.json\",\"yesterday\"\n",
		"deletions.csv":          "\"2026/c.json\",\"2026-03-01T00:00:00Z\"\n\"2026/a.json\",\"2026-01-15T00:00:00Z\"\n",
		"provider-metadata.json": `{"role":"csaf_provider","publisher":{"namespace":"https://example.com/"}}`,
	}
	ids := func(all []patch.Patch) (ids []string) {
		for _, p := range all {
			s := p.ID.Native()
			if !p.Withdrawn.IsZero() {
				s += " withdrawn"
			}
			ids = append(ids, strings.TrimPrefix(s, "example.com/"))
		}
		return ids
	}
	all, problems := list(t, csaf.Config{Folder: folder(files)}, patch.Query{})
	require.Equal(t, []string{"A", "B", "C withdrawn"}, ids(all), "the index names what to read; what came back after it was deleted stands")
	require.Equal(t, []string{
		"csaf: changes.csv: line 3: unreadable record: want the name of a file and a time",
		`csaf: index.txt: unreadable record: 1 documents are listed and not there, the first is "2026/gone.json" in line 3`,
	}, problems)

	since := patch.Query{Since: time.Date(2026, 1, 20, 0, 0, 0, 0, time.UTC)}
	files["2026/b.json"] = "not to be read"
	all, problems = list(t, csaf.Config{Folder: folder(files)}, since)
	require.Equal(t, []string{"A", "C withdrawn"}, ids(all), "what changes.csv knows to be older is not even opened")
	require.Len(t, problems, 2)

	delete(files, "index.txt")
	files["2026/b.json"] = fixed("A")
	files["other.json"] = strings.Replace(fixed("D"), "www.example.com", "elsewhere.org", 1)
	all, problems = list(t, csaf.Config{Folder: folder(files)}, patch.Query{})
	require.Equal(t, []string{"A", "C withdrawn"}, ids(all))
	require.Equal(t, []string{
		"csaf: 2026/b.json: unreadable record: csaf:example.com/A stands in 2026/a.json already",
		"csaf: other.json: unreadable record: it is published by elsewhere.org, provider-metadata.json says example.com",
	}, problems[1:])

	files["provider-metadata.json"] = `{"role":"csaf_lister","publisher":{"namespace":"https://example.com/"}}`
	all, _ = list(t, csaf.Config{Folder: folder(files)}, patch.Query{})
	require.Len(t, all, 3, "one who lists documents of others")
}

func TestEcosystems(t *testing.T) {
	for _, row := range []struct{ cpe, platform, purl, want string }{
		{"cpe:/o:redhat:enterprise_linux:9::baseos", "", "", "Red Hat:enterprise_linux:9::baseos"},
		{"cpe:/o:redhat:enterprise_linux:6", "", "", "Red Hat:enterprise_linux:6"},
		{"cpe:2.3:a:redhat:rhel_eus:9.2:*:appstream:*:*:*:*:*", "", "", "Red Hat:rhel_eus:9.2::appstream"},
		{"cpe:/o:suse:sles:15:sp5", "SUSE Linux Enterprise Server 15 SP5", "", "SUSE:Linux Enterprise Server 15 SP5"},
		{"cpe:/o:opensuse:leap:15.6", "openSUSE Leap 15.6", "", "openSUSE:Leap 15.6"},
		{"cpe:/o:suse:x", "Something", "", "example.com:Something"},
		{"cpe:/o:debian:debian_linux:12", "", "", "Debian:12"},
		{"cpe:/o:canonical:ubuntu_linux:22.04", "", "", "Ubuntu:22.04"},
		{"cpe:2.3:o:almalinux:almalinux:9:*:*:*:*:*:*:*", "", "", "AlmaLinux:9"},
		{"cpe:/o:rocky:rocky:9", "", "", "Rocky Linux:9"},
		{"cpe:/nonsense", "", "", "example.com"},
		{"", "", "pkg:deb/debian/a@1?distro=debian-12", "Debian:12"},
		{"", "", "pkg:deb/ubuntu/a@1?distro=ubuntu-22.04", "Ubuntu:22.04"},
		{"", "", "pkg:apk/alpine/a@1?distro=alpine-3.19.1", "Alpine:v3.19"},
		{"", "", "pkg:rpm/fedora/a@1", "rpm:fedora"},
		{"", "", "pkg:npm/a@1", "npm"}, {"", "", "pkg:pypi/a@1", "PyPI"}, {"", "", "pkg:golang/x/a@1", "Go"}, {"", "", "pkg:maven/g/a@1", "Maven"},
		{"", "", "pkg:nuget/a@1", "NuGet"}, {"", "", "pkg:cargo/a@1", "crates.io"}, {"", "", "pkg:gem/a@1", "RubyGems"}, {"", "", "pkg:composer/v/a@1", "Packagist"},
		{"", "", "pkg:generic/a@1", "generic"},
		{"", "Azure Linux 3.0", "", "example.com:Azure Linux 3.0"},
	} {
		got := csaf.Ecosystem(csaf.Place{Publisher: "example.com", Platform: csaf.Product{CPE: row.cpe, Name: row.platform}, Component: csaf.Product{PURL: row.purl}})
		require.Equal(t, row.want, got, "%+v", row)
	}
}

func TestTheHookNamesEcosystemsAndLeavesOut(t *testing.T) {
	c := csaf.Config{Document: text(doc("A", parts("pkg:rpm/redhat/a@1-1", "pkg:rpm/redhat/b@1-1"), `{"cve":"CVE-2026-0001","product_status":{"fixed":["9:p0","9:p1"]}}`))}
	c.Ecosystem = func(p csaf.Place) string {
		if strings.HasPrefix(p.Component.PURL, "pkg:rpm/redhat/b") {
			return ""
		}
		return "Mine of " + p.Publisher + ", " + p.Platform.CPE
	}
	p := one(t, c)
	require.Len(t, p.Packages, 1)
	require.Equal(t, "Mine of example.com, cpe:/o:redhat:enterprise_linux:9::baseos", p.Packages[0].Ecosystem)
}

func TestNamesOfRPMs(t *testing.T) {
	tree := `{"full_product_names":[{"product_id":"s","name":"SUSE X","product_identification_helper":{"cpe":"cpe:/o:suse:x:1"}},{"product_id":"p","name":%q}],
		"relationships":[{"product_reference":"p","relates_to_product_reference":"s","full_product_name":{"product_id":"s:p","name":"x"}}]}`
	for _, row := range []struct{ name, status, want string }{
		{"bind-9.9.4P2-0.6.1.i586", "recommended", "bind/i586 fixed 9.9.4P2-0.6.1 rpm"},
		{"samba-client-libs-4.19.4+git.339.acf1ccaa02-1.22", "recommended", "samba-client-libs fixed 4.19.4+git.339.acf1ccaa02-1.22 rpm"},
		{"openssl-1:3.0.7-16.el9.x86_64", "fixed", "openssl/x86_64 fixed 1:3.0.7-16.el9 rpm"},
		{"openssl-0:3.0.7-16.el9.src", "fixed", "source openssl fixed 3.0.7-16.el9 rpm"},
		{"libdcerpc-binding0-32bit", "known_affected", "libdcerpc-binding0-32bit"},
		{"gcc-7-32bit", "known_affected", "gcc-7-32bit"},
		{"kernel", "known_affected", "kernel"},
		{"nodejs:16/nodejs", "known_affected", "nodejs module nodejs:16"},
		{"kernel-1:5-1", "known_affected", "kernel from 1:5-1 last 1:5-1"},
	} {
		p := one(t, csaf.Config{Document: text(doc("A", fmt.Sprintf(tree, row.name), `{"cve":"CVE-2026-0001","product_status":{"`+row.status+`":["s:p"]}}`))})
		require.Equal(t, []string{row.want}, describe(p.Packages), row.name)
	}
}

func TestFailuresOfFilesEndTheListing(t *testing.T) {
	gone := errors.New("gone")
	s, err := csaf.New(csaf.Config{Document: func() (io.ReadCloser, error) { return nil, gone }})
	require.NoError(t, err)
	n := 0
	for _, err := range s.Patches(t.Context(), patch.Query{}) {
		n++
		require.ErrorIs(t, err, gone)
		require.NotErrorIs(t, err, patch.ErrRecord)
	}
	require.Equal(t, 1, n)
	for _, metadata := range []string{"{", `{"publisher":{"namespace":"x"}}`} {
		s, err = csaf.New(csaf.Config{Folder: folder(map[string]string{"provider-metadata.json": metadata})})
		require.NoError(t, err)
		for _, err := range s.Patches(t.Context(), patch.Query{}) {
			require.ErrorContains(t, err, "provider-metadata.json")
			require.NotErrorIs(t, err, patch.ErrRecord)
		}
	}
}

func TestBombsEndInErrors(t *testing.T) {
	deep := doc("A", `{"branches":`+strings.Repeat(`[{"branches":`, 20000), "")
	_, problems := list(t, csaf.Config{Document: text(deep)}, patch.Query{})
	require.Len(t, problems, 1)
	require.Contains(t, problems[0], "unexpected EOF")
	_, problems = list(t, csaf.Config{Document: text(strings.Repeat(" ", 2000)), Limits: source.Limits{Bytes: 1000}}, patch.Query{})
	require.Len(t, problems, 1)
	require.Contains(t, problems[0], "larger than allowed")

	many := make([]string, 500)
	for i := range many {
		many[i] = fmt.Sprintf(`"%d"`, i)
	}
	_, problems = list(t, csaf.Config{Document: text(doc("A", `{}`, `{"cve":"CVE-2026-0001","product_status":{"fixed":[`+strings.Join(many, ",")+`]}}`))}, patch.Query{})
	require.Len(t, problems, 21)
	require.Contains(t, problems[20], "and 480 more faults")

	s, err := csaf.New(csaf.Config{Folder: os.DirFS("testdata"), Limits: source.Limits{Records: 2}})
	require.NoError(t, err)
	var last error
	for _, err := range s.Patches(t.Context(), patch.Query{}) {
		last = err
	}
	require.ErrorIs(t, last, source.ErrTooLarge)
}

func TestNewWantsOneInput(t *testing.T) {
	_, err := csaf.New(csaf.Config{})
	require.ErrorContains(t, err, "exactly one of Document and Folder")
	_, err = csaf.New(csaf.Config{Document: text(""), Folder: os.DirFS("testdata")})
	require.ErrorContains(t, err, "exactly one of Document and Folder")
}

func FuzzDocument(f *testing.F) {
	files, err := os.ReadDir("testdata")
	require.NoError(f, err)
	for _, file := range files {
		content, err := os.ReadFile("testdata/" + file.Name())
		require.NoError(f, err)
		if strings.HasSuffix(file.Name(), ".json") {
			f.Add(string(content))
		}
	}
	f.Add(doc("A", parts("pkg:rpm/redhat/a@1-1?rpmmod=a:1:2", "pkg:deb/x/b@1?arch=source"), `{"cve":"CVE-2026-0001","product_status":{"fixed":["9:p0"],"known_not_affected":["9:p1"]}}`))
	f.Fuzz(func(t *testing.T, content string) {
		if len(content) > 1<<16 {
			t.Skip("longer than need be")
		}
		all, _ := list(t, csaf.Config{Document: text(content), AnyVersion: len(content)%2 == 0}, patch.Query{})
		_, err := patch.NewCatalog(all)
		require.NoError(t, err)
		for _, p := range all {
			require.NotZero(t, len(p.Packages)+len(p.Unaffected))
			_, err := json.Marshal(p)
			require.NoError(t, err)
		}
	})
}

func TestAFileIsNoFolder(t *testing.T) {
	file, err := fs.Sub(fstest.MapFS{"feed": {Data: []byte("a file")}}, "feed")
	require.NoError(t, err)
	s, err := csaf.New(csaf.Config{Folder: file})
	require.NoError(t, err)
	_, _, err = patch.Collect(t.Context(), patch.Query{}, s)
	require.ErrorContains(t, err, "csaf: Folder: not a folder")
}
