package updateinfo_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/updateinfo"
)

var update = flag.Bool("update", false, "write the golden file anew")

const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func text(s string) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func updates(records ...string) string {
	return "<updates>\n" + strings.Join(records, "\n") + "\n</updates>\n"
}

// advisory returns an update of a type and severity with other elements and packages.
func advisory(id, kind, severity, elements string, packages ...string) string {
	return fmt.Sprintf(`<update status="final" type=%q><id>%s</id><title>about %s</title><severity>%s</severity>%s<pkglist><collection>%s</collection></pkglist></update>`,
		kind, id, id, severity, elements, strings.Join(packages, ""))
}

// pkg returns a package of "name version release".
func pkg(nvr string) string {
	w := strings.Fields(nvr)
	return fmt.Sprintf(`<package name=%q version=%q release=%q arch="x86_64"/>`, w[0], w[1], w[2])
}

func newSource(t testing.TB, documents ...string) *updateinfo.Source {
	t.Helper()
	c := updateinfo.Config{Ecosystem: "AlmaLinux:9", Platform: patch.Platform{OS: "almalinux", Version: "9"}}
	for i, d := range documents {
		c.Repositories = append(c.Repositories, updateinfo.Repository{Name: []string{"base", "extra", "more"}[i], Updateinfo: text(d)})
	}
	s, err := updateinfo.New(c)
	require.NoError(t, err)
	return s
}

// list returns the patches and the errors of a listing, each in order.
func list(t testing.TB, s patch.Source) (patches []patch.Patch, errs []error) {
	t.Helper()
	for p, err := range s.Patches(t.Context(), patch.Query{}) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		patches = append(patches, p)
	}
	return patches, errs
}

// one returns the only patch of a listing without errors.
func one(t testing.TB, documents ...string) patch.Patch {
	t.Helper()
	patches, errs := list(t, newSource(t, documents...))
	require.Empty(t, errs)
	require.Len(t, patches, 1)
	return patches[0]
}

// failure returns the only error of a listing that gives nothing else.
func failure(t testing.TB, s patch.Source) error {
	t.Helper()
	patches, errs := list(t, s)
	require.Empty(t, patches)
	require.Len(t, errs, 1)
	require.NotErrorIs(t, errs[0], patch.ErrRecord)
	return errs[0]
}

func rpmVersion(v string) version.Version { return version.Version{Scheme: version.RPM, Text: v} }

func day(y int, m time.Month, d, hour, minute int) time.Time {
	return time.Date(y, m, d, hour, minute, 0, 0, time.UTC)
}

func TestPatchHoldsWhatAnAdvisorySays(t *testing.T) {
	got := one(t, `<?xml version="1.0" encoding="UTF-8"?>
<updates>
 <update from="packager@example.com" status="final" type="security" version="2">
  <id>TEST-2026:0001</id>
  <title>Important: nodejs security &amp; bugfix update</title>
  <issued date="2026-03-01 10:00:00"/>
  <updated date="2026-03-02 11:30:00"/>
  <release>Test 9</release>
  <severity>Important</severity>
  <description>long <b>text</b></description>
  <references>
   <reference href="https://example.com/CVE-2026-0001" id="CVE-2026-0001" type="cve" title="CVE-2026-0001"/>
   <reference href="https://example.com/7" id="7" type="bugzilla" title="TRIAGE CVE-2026-0002 (CVE-2026-0001): a bug"/>
   <reference href="https://example.com/adv" id="TEST-2026:0001" type="self" title="CVE-2026-9999"/>
  </references>
  <pkglist>
   <collection short="c1">
    <name>stream 18</name>
    <package name="nodejs" version="18.2" release="1.module+el9+2" epoch="1" arch="x86_64" src="nodejs-18.2-1.module+el9+2.src.rpm">
     <filename>nodejs-18.2-1.module+el9+2.x86_64.rpm</filename>
     <sum type="sha256">`+sum+`</sum>
    </package>
    <package name="nodejs" version="18.2" release="1.module+el9+2" epoch="1" arch="src"><filename>nodejs.src.rpm</filename></package>
    <module name="nodejs" stream="18" version="1" context="c0ffee" arch="x86_64"/>
   </collection>
   <collection short="c2">
    <package name="npm" version="9.0" release="3" epoch="0" arch="noarch" src="https://example.com/p/nodejs-9.0-3.nosrc.rpm">
     <filename>Packages/npm-9.0-3.noarch.rpm</filename>
     <sum type="sha1">0123456789012345678901234567890123456789</sum>
    </package>
   </collection>
  </pkglist>
 </update>
</updates>
`)
	require.Empty(t, cmp.Diff(patch.Patch{
		ID:                "updateinfo:AlmaLinux:9/TEST-2026:0001",
		Title:             "Important: nodejs security & bugfix update",
		Platform:          patch.Platform{OS: "almalinux", Version: "9"},
		Classification:    patch.ClassSecurity,
		ClassificationRaw: []string{"security"},
		Severity:          patch.SeverityImportant,
		SeverityRaw:       "Important",
		Advisories: []patch.Advisory{{
			ID: "TEST-2026:0001", Title: "Important: nodejs security & bugfix update", CVEs: []string{"CVE-2026-0001", "CVE-2026-0002"},
			Severity: patch.SeverityImportant, SeverityRaw: "Important", Published: day(2026, 3, 1, 10, 0),
			References: []string{"https://example.com/CVE-2026-0001", "https://example.com/7", "https://example.com/adv"},
		}},
		Packages: []patch.Package{
			{Ecosystem: "AlmaLinux:9", Name: "nodejs", Arch: "x86_64", Module: "nodejs:18", Fixed: rpmVersion("1:18.2-1.module+el9+2"), Origins: []string{"base"},
				Artefacts: []patch.Artefact{{Name: "nodejs-18.2-1.module+el9+2.x86_64.rpm", Digest: "sha256:" + sum}}},
			{Ecosystem: "AlmaLinux:9", Name: "npm", Source: "nodejs", Arch: "noarch", Fixed: rpmVersion("9.0-3"), Origins: []string{"base"},
				Artefacts: []patch.Artefact{{Name: "Packages/npm-9.0-3.noarch.rpm"}}},
		},
		Reversal:   patch.ReversalReinstall,
		Released:   day(2026, 3, 1, 10, 0),
		Modified:   day(2026, 3, 2, 11, 30),
		References: []string{"https://example.com/CVE-2026-0001", "https://example.com/7", "https://example.com/adv"},
		Native:     map[string]string{"status": "final", "from": "packager@example.com", "version": "2", "release": "Test 9"},
	}, got))
}

func TestWordsAreKeptBesideTheirTranslation(t *testing.T) {
	for _, row := range []struct {
		kind, severity string
		class          patch.Classification
		want           patch.Severity
	}{
		{"security", "Medium", patch.ClassSecurity, patch.SeverityModerate},     // Amazon
		{"security", "important", patch.ClassSecurity, patch.SeverityImportant}, // SUSE
		{"recommended", "moderate", patch.ClassBugfix, patch.SeverityModerate},  // SUSE
		{"bugfix", "None", patch.ClassBugfix, patch.SeverityUnrated},
		{"enhancement", "none", patch.ClassFeature, patch.SeverityUnrated},
		{"newpackage", "", patch.ClassFeature, patch.SeverityUnrated},
		{"custom", "custom_severity", patch.ClassUnknown, patch.SeverityUnrated},
	} {
		p := one(t, updates(advisory("A-1", row.kind, row.severity, "")))
		require.Equal(t, row.class, p.Classification)
		require.Equal(t, []string{row.kind}, p.ClassificationRaw)
		require.Equal(t, row.want, p.Severity)
		require.Equal(t, row.severity, p.SeverityRaw)
	}
	p := one(t, updates(`<update><id>A-1</id></update>`))
	require.Equal(t, patch.ClassUnknown, p.Classification)
	require.Empty(t, p.ClassificationRaw)
	require.Equal(t, "A-1", p.Title)
	require.Empty(t, p.Packages)
	require.Nil(t, p.Native)
}

func TestDatesAreReadInEveryForm(t *testing.T) {
	for form, want := range map[string]time.Time{
		"2023-02-22 23:22:00":       day(2023, 2, 22, 23, 22),
		"2011-09-27 22:46":          day(2011, 9, 27, 22, 46),
		"2014-07-20 06:00:00 UTC":   day(2014, 7, 20, 6, 0),
		"2024-01-31":                day(2024, 1, 31, 0, 0),
		"2024-01-31T10:00:00Z":      day(2024, 1, 31, 10, 0),
		"2024-01-31T12:00:00+02:00": day(2024, 1, 31, 10, 0),
		"1704153600":                day(2024, 1, 2, 0, 0),
		"":                          {},
	} {
		p := one(t, updates(advisory("A-1", "bugfix", "", `<issued date="`+form+`"/>`)))
		require.Equal(t, want, p.Released, form)
		require.Equal(t, want, p.Advisories[0].Published, form)
		require.NotContains(t, p.Native, "issued")
	}
	for _, form := range []string{"15mangled2", "-5", "99999999999999999999", "2024-13-01"} {
		p := one(t, updates(advisory("A-1", "bugfix", "", `<updated date="`+form+`"/>`)))
		require.Zero(t, p.Modified)
		require.Equal(t, form, p.Native["updated"])
	}
}

func TestRebootIsWhatTheAdvisorySuggests(t *testing.T) {
	in := func(element string) string {
		return `<package name="a" version="1" release="1" arch="x86_64">` + element + `</package>`
	}
	for _, row := range []struct {
		update, packages string
		want             patch.Reboot
	}{
		{"", pkg("a 1 1"), patch.RebootUnknown},
		{"<reboot_suggested/>", "", patch.RebootAlways},
		{"<reboot_suggested>True</reboot_suggested>", "", patch.RebootAlways},
		{"<reboot_suggested>1</reboot_suggested>", "", patch.RebootAlways},
		{"<reboot_suggested>False</reboot_suggested>", "", patch.RebootUnknown},
		{"<reboot_suggested>0</reboot_suggested>", "", patch.RebootUnknown},
		{"", in("<reboot_suggested/>") + pkg("b 1 1"), patch.RebootAlways},
		{"", in("<reboot_suggested>true</reboot_suggested>"), patch.RebootAlways},
		{"<restart_suggested/>", "", patch.RebootMaybe},
		{"", in("<relogin_suggested>True</relogin_suggested>"), patch.RebootMaybe},
		{"<restart_suggested/>", in("<reboot_suggested/>"), patch.RebootAlways},
		{"<reboot_suggested>False</reboot_suggested>", pkg("kernel-core 1 1"), patch.RebootMaybe},
		{"", pkg("kernel-doc 1 1"), patch.RebootUnknown},
	} {
		p := one(t, updates(advisory("A-1", "bugfix", "", row.update, row.packages)))
		require.Equal(t, row.want, p.Reboot, "%s %s", row.update, row.packages)
	}
}

func TestRetractedAdvisoriesAreWithdrawn(t *testing.T) {
	for dates, want := range map[string]time.Time{
		`<issued date="2024-01-01"/><updated date="2024-01-31"/>`: day(2024, 1, 31, 0, 0),
		`<issued date="2024-01-01"/>`:                             day(2024, 1, 1, 0, 0),
		"":                                                        time.Unix(0, 0).UTC(),
	} {
		p := one(t, updates(strings.Replace(advisory("A-1", "recommended", "low", dates, pkg("a 1 1")), "final", "retracted", 1)))
		require.Equal(t, want, p.Withdrawn)
		require.False(t, p.Withdrawn.IsZero())
		require.Equal(t, "retracted", p.Native["status"])
	}
}

func TestOneAdvisoryOfSeveralRepositoriesIsOnePatch(t *testing.T) {
	reference := `<references><reference type="cve" id="CVE-2026-%d" href="h%d"/></references>`
	p := one(t,
		updates(advisory("A-1", "security", "Low", fmt.Sprintf(reference, 1111, 1), pkg("a 1 1"), pkg("b 1 1"))),
		updates(advisory("A-1", "security", "Low", fmt.Sprintf(reference, 2222, 2)+"<reboot_suggested/>", pkg("b 1 1"), pkg("c 1 1"))))
	var got []string
	for _, x := range p.Packages {
		got = append(got, fmt.Sprint(x.Name, x.Origins))
	}
	require.Equal(t, []string{"a[base]", "b[base extra]", "c[extra]"}, got)
	require.Equal(t, []string{"CVE-2026-1111", "CVE-2026-2222"}, p.CVEs())
	require.Equal(t, []string{"h1", "h2"}, p.References)
	require.Equal(t, patch.RebootAlways, p.Reboot)
}

func TestOfRevisionsTheLastCounts(t *testing.T) {
	old := advisory("A-1", "bugfix", "Low", `<issued date="2026-01-01"/>`, pkg("a 1 1"))
	revised := strings.Replace(advisory("A-1", "security", "Important", `<issued date="2026-01-05"/><updated date="2026-02-01"/>`, pkg("a 1 2")), "about", "again about", 1)
	for _, documents := range [][]string{{updates(old, revised)}, {updates(revised, old)}, {updates(old), updates(revised)}} {
		p := one(t, documents...)
		require.Equal(t, patch.ClassSecurity, p.Classification)
		require.False(t, p.Contested)
		require.Equal(t, patch.SeverityImportant, p.Severity)
		require.Equal(t, "again about A-1", p.Title)
		require.Equal(t, day(2026, 1, 1, 0, 0), p.Released)
		require.Equal(t, day(2026, 2, 1, 0, 0), p.Modified)
		require.Len(t, p.Packages, 2)
	}
}

func TestContradictionsAreReportedAndTheStricterCounts(t *testing.T) {
	for _, row := range []struct {
		name, other, want string
		check             func(t *testing.T, p patch.Patch)
	}{
		{"type", advisory("A-1", "security", "Low", ""), `with type "bugfix", not "security"`, func(t *testing.T, p patch.Patch) {
			require.Equal(t, patch.ClassSecurity, p.Classification)
			require.Equal(t, []string{"bugfix", "security"}, p.ClassificationRaw)
			require.True(t, p.Contested, "a policy holds it")
		}},
		{"severity", advisory("A-1", "bugfix", "Critical", ""), `with severity "Low", not "Critical"`, func(t *testing.T, p patch.Patch) {
			require.Equal(t, patch.SeverityCritical, p.Severity)
			require.Equal(t, "Critical", p.SeverityRaw)
		}},
		{"title", strings.Replace(advisory("A-1", "bugfix", "Low", ""), "about", "not about", 1), `with title "about A-1", not "not about A-1"`, func(t *testing.T, p patch.Patch) {
			require.Equal(t, "about A-1", p.Title)
		}},
		{"status", strings.Replace(advisory("A-1", "bugfix", "Low", ""), "final", "retracted", 1), `with status "final", not "retracted"`, func(t *testing.T, p patch.Patch) {
			require.Zero(t, p.Withdrawn)
			require.True(t, p.Contested)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			patches, errs := list(t, newSource(t, updates(advisory("A-1", "bugfix", "Low", "")), updates(row.other)))
			require.Len(t, errs, 1)
			require.ErrorIs(t, errs[0], patch.ErrRecord)
			require.ErrorContains(t, errs[0], "updateinfo: extra: line 2: A-1: ")
			require.ErrorContains(t, errs[0], "it stands at base: line 2: A-1 too, "+row.want)
			require.Len(t, patches, 1)
			row.check(t, patches[0])
		})
	}
}

func TestTwoHashesOfOnePackageAreReported(t *testing.T) {
	file := func(sum string) string {
		return `<package name="a" version="1" release="1" arch="noarch"><filename>a.rpm</filename><sum type="sha256">` + sum + `</sum></package>`
	}
	other := strings.Replace(sum, "0", "1", 1)
	patches, errs := list(t, newSource(t, updates(advisory("A-1", "bugfix", "", "", file(sum))), updates(advisory("A-1", "bugfix", "", "", file(other)))))
	require.Len(t, errs, 1)
	require.ErrorIs(t, errs[0], patch.ErrRecord)
	require.ErrorContains(t, errs[0], "A-1: unreadable record: package a 1-1 noarch: two files with different hashes")
	require.Len(t, patches, 1)
	require.Empty(t, patches[0].Packages[0].Artefacts)
	require.Len(t, patches[0].Packages, 1)
}

func TestUnusablePackagesAndAdvisoriesAreReportedAndTheRestIsRead(t *testing.T) {
	for _, row := range []struct{ bad, want string }{
		{`<package name="-x" version="1" release="1"/>`, `A-1: line 2: unreadable record: package "-x": its name is none`},
		{`<package name="x;y" version="1" release="1"/>`, `package "x;y": its name is none`},
		{`<package name="x" version="1" release="1" arch="../x"/>`, `its architecture is "../x"`},
		{`<package name="x" version="1"/>`, `its release is ""`},
		{`<package name="x" version="1-2" release="1"/>`, `its version is "1-2"`},
		{`<package name="x" version="1" release="1" epoch="-1"/>`, `its epoch is "-1"`},
		{`<package name="x" version="1" release="1" epoch="99999999999"/>`, `its epoch is "99999999999"`},
	} {
		patches, errs := list(t, newSource(t, updates(advisory("A-1", "bugfix", "", "", row.bad, pkg("y 1 1")), advisory("A-2", "bugfix", "", ""))))
		require.Len(t, errs, 1, row.bad)
		require.ErrorIs(t, errs[0], patch.ErrRecord)
		require.ErrorContains(t, errs[0], row.want)
		require.Len(t, patches, 2)
		require.Len(t, patches[0].Packages, 1, "the package beside it is kept")
	}
	for _, row := range []struct{ file, want string }{
		{"<filename>../../etc/x.rpm</filename>", "leaves the repository"},
		{"<filename>/x.rpm</filename>", "leaves the repository"},
		{"<filename>http://example.com/x.rpm</filename>", "leaves the repository"},
		{`<filename>x.rpm</filename><sum type="sha256">cafe</sum>`, `its sha256 is "cafe"`},
	} {
		patches, errs := list(t, newSource(t, updates(advisory("A-1", "bugfix", "", "", `<package name="x" version="1" release="1">`+row.file+`</package>`))))
		require.Len(t, errs, 1, row.file)
		require.ErrorIs(t, errs[0], patch.ErrRecord)
		require.ErrorContains(t, errs[0], row.want)
		require.Len(t, patches[0].Packages, 1, "a bad file leaves the fixed version known")
		require.Empty(t, patches[0].Packages[0].Artefacts)
	}
	for _, id := range []string{"", "a b", "a\x7fb", strings.Repeat("a", 256), "ü"} {
		patches, errs := list(t, newSource(t, updates(advisory(id, "bugfix", "", ""), advisory("A-2", "bugfix", "", ""))))
		require.Len(t, errs, 1, "%q", id)
		require.ErrorIs(t, errs[0], patch.ErrRecord)
		require.ErrorContains(t, errs[0], "updateinfo: base: line 2: ")
		require.Len(t, patches, 1)
	}
}

func TestCVEsComeFromReferencesOfTheirType(t *testing.T) {
	for _, row := range []struct {
		reference string
		want      []string
	}{
		{`type="cve" id="CVE-2026-12345"`, []string{"CVE-2026-12345"}},
		{`type="cve" id="cve-2026-12345"`, []string{"CVE-2026-12345"}},
		{`type="cve" id="2999" title="CVE-2026-2999 at SUSE"`, []string{"CVE-2026-2999"}},
		{`type="cve" id="2222" title="CVE-2999"`, nil},
		{`type="cve" id="CVE-2026-12345678901234567890"`, nil},
		{`type="bugzilla" id="1" title="CVE-2026-1111 CVE-2026-2222: x [fedora-all]"`, []string{"CVE-2026-1111", "CVE-2026-2222"}},
		{`type="self" id="CVE-2026-1111" title="CVE-2026-1111"`, nil},
		{`id="CVE-2026-1111"`, nil},
	} {
		p := one(t, updates(advisory("A-1", "security", "", "<references><reference "+row.reference+"/></references>")))
		require.Equal(t, row.want, p.CVEs(), row.reference)
	}
}

func TestQueryNarrowsByDateAndPlatform(t *testing.T) {
	s := newSource(t, updates(
		advisory("A-1", "bugfix", "", `<issued date="2026-01-01"/>`),
		advisory("A-2", "bugfix", "", `<issued date="2026-01-01"/><updated date="2026-02-01"/>`),
		advisory("A-3", "bugfix", "", "")))
	for _, row := range []struct {
		q    patch.Query
		want int
	}{
		{patch.Query{Since: day(2026, 1, 1, 0, 0)}, 3},
		{patch.Query{Since: day(2026, 1, 2, 0, 0)}, 2},
		{patch.Query{Since: day(2026, 3, 1, 0, 0)}, 1}, // one has no date at all
		{patch.Query{Platforms: []patch.Platform{{OS: "almalinux", Version: "9.4", Arch: "s390x"}}}, 3},
		{patch.Query{Platforms: []patch.Platform{{OS: "almalinux", Version: "90"}, {OS: "debian"}}}, 0},
		{patch.Query{Platforms: []patch.Platform{{OS: "debian"}, {Version: "9"}}}, 3},
	} {
		n := 0
		for _, err := range s.Patches(t.Context(), row.q) {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, row.want, n, "%+v", row.q)
	}
}

func TestNewNamesEveryFieldThatIsWrong(t *testing.T) {
	open := updateinfo.Folder(os.DirFS("."))
	_, err := updateinfo.New(updateinfo.Config{Ecosystem: "a/b", Repositories: []updateinfo.Repository{
		{Name: "x y", Open: open}, {Name: "a"}, {Name: "b", Open: open, Errata: text("")}, {Name: "b", Updateinfo: text(""), Packages: true},
	}})
	for _, want := range []string{
		`Ecosystem is "a/b"`, `Repositories[0]: Name is "x y"`, `Repositories[1] ("a"): want one of`, `Repositories[2] ("b"): want one of`,
		`Repositories[3]: b stands twice`, `Repositories[3] ("b"): Packages needs Open`,
	} {
		require.ErrorContains(t, err, want)
	}
	_, err = updateinfo.New(updateinfo.Config{})
	require.ErrorContains(t, err, "no Repositories")
}

func TestBlanksInEcosystemsAreNoneInIDs(t *testing.T) {
	s, err := updateinfo.New(updateinfo.Config{Ecosystem: "SUSE:Linux Enterprise Server 15 SP5", Repositories: []updateinfo.Repository{
		{Name: "a", Updateinfo: text(updates(advisory("SUSE-SLE-1", "security", "important", "", pkg("a 1 1"))))},
	}})
	require.NoError(t, err)
	patches, errs := list(t, s)
	require.Empty(t, errs)
	require.Equal(t, patch.ID("updateinfo:SUSE:Linux_Enterprise_Server_15_SP5/SUSE-SLE-1"), patches[0].ID)
	require.Equal(t, "SUSE:Linux Enterprise Server 15 SP5", patches[0].Packages[0].Ecosystem)
}

func TestErrataOfAlmaLinuxTellTheModulesOfPackages(t *testing.T) {
	s := func(content string) patch.Source {
		s, err := updateinfo.New(updateinfo.Config{Ecosystem: "AlmaLinux:9", Repositories: []updateinfo.Repository{{Name: "errata", Errata: text(content)}}})
		require.NoError(t, err)
		return s
	}
	patches, errs := list(t, s(`{"schema_version": "1.0", "data": [
		{"id": "A-1", "type": "security", "severity": "Low", "issued_date": 1704153600, "packages": [
			{"name": "a", "epoch": "2", "version": "1", "release": "1", "arch": "x86_64", "reboot_suggested": 1, "module": "m:5:9040020240510175312:8cf767d6:x86_64",
			 "filename": "a.rpm", "checksum": "`+sum+`", "checksum_type": "sha256"}]},
		{"id": "A-2", "packages": {}}, {"id": "A-3", "packages": [{"name": "a", "version": "1", "release": "1", "reboot_suggested": 0}]}]}`))
	require.Len(t, errs, 1)
	require.ErrorIs(t, errs[0], patch.ErrRecord)
	require.ErrorContains(t, errs[0], "updateinfo: errata: record 2: ")
	require.Len(t, patches, 2)
	require.Equal(t, day(2024, 1, 2, 0, 0), patches[0].Released)
	require.Equal(t, patch.RebootAlways, patches[0].Reboot)
	require.Equal(t, patch.RebootUnknown, patches[1].Reboot)
	require.Empty(t, cmp.Diff([]patch.Package{{Ecosystem: "AlmaLinux:9", Name: "a", Arch: "x86_64", Module: "m:5", Fixed: rpmVersion("2:1-1"),
		Origins: []string{"errata"}, Artefacts: []patch.Artefact{{Name: "a.rpm", Digest: "sha256:" + sum}}}}, patches[0].Packages))

	require.ErrorIs(t, failure(t, s(`{"data": [{"id": "A-1"}, {"id"`)), io.ErrUnexpectedEOF)
	require.Error(t, failure(t, s(`[]`)))
}

// What the package makes of small parts of real feeds. See testdata/README.md.
func TestGoldenPatchesOfFeeds(t *testing.T) {
	folder := os.DirFS("testdata")
	var got strings.Builder
	for _, c := range []updateinfo.Config{
		{Ecosystem: "AlmaLinux:9", Repositories: []updateinfo.Repository{{Name: "errata", Errata: source.File(folder, "alma-errata.json")}}},
		{Ecosystem: "Amazon Linux:2023", Repositories: []updateinfo.Repository{{Name: "amazonlinux", Updateinfo: source.File(folder, "amazon.xml")}}},
		{Ecosystem: "Fedora:43", Repositories: []updateinfo.Repository{{Name: "updates", Updateinfo: source.File(folder, "fedora.xml")}}},
	} {
		s, err := updateinfo.New(c)
		require.NoError(t, err)
		patches, errs := list(t, s)
		require.Empty(t, errs)
		for _, p := range patches {
			line, err := json.MarshalIndent(p, "", " ")
			require.NoError(t, err)
			fmt.Fprintf(&got, "%s\n", line)
		}
	}
	if *update {
		require.NoError(t, os.WriteFile("testdata/patches.golden", []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile("testdata/patches.golden")
	require.NoError(t, err)
	require.Equal(t, string(want), got.String())
}

func TestSourceKeepsItsPromises(t *testing.T) {
	good := updates(advisory("A-1", "security", "Low", `<issued date="2026-01-01"/>`, pkg("a 1 1")), advisory("A-2", "bugfix", "", "", pkg("b 1 1")))
	broken := errors.New("disk on fire")
	providertest.Source(t, providertest.SourceHarness{
		New:  func(t *testing.T) patch.Source { return newSource(t, good) },
		Want: []patch.ID{"updateinfo:AlmaLinux:9/A-1", "updateinfo:AlmaLinux:9/A-2"},
		Damaged: func(t *testing.T) (patch.Source, string) {
			return newSource(t, updates(advisory("", "security", "", ""), advisory("A-2", "bugfix", "", "", pkg("b 1 1")))), "line 2"
		},
		Broken: func(t *testing.T) patch.Source {
			s, err := updateinfo.New(updateinfo.Config{Ecosystem: "AlmaLinux:9", Repositories: []updateinfo.Repository{{Name: "base", Updateinfo: func() (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(strings.NewReader(good[:len(good)/2]), iotest.ErrReader(broken))), nil
			}}}})
			require.NoError(t, err)
			return s
		},
	})
}
