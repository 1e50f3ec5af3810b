package osv_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
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
	"github.com/patchflow/patchflow/providers/source/osv"
)

// text opens a text that can be read from the start to the end only.
func text(s string) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func newSource(t testing.TB, config osv.Config) *osv.Source {
	t.Helper()
	s, err := osv.New(config)
	require.NoError(t, err)
	return s
}

// list reads what is in a file.
func list(t testing.TB, content string) (patches []patch.Patch, errs []string) {
	t.Helper()
	return drain(t, newSource(t, osv.Config{Inputs: []osv.Input{{Name: "feed", Open: text(content)}}}), patch.Query{})
}

func drain(t testing.TB, s patch.Source, q patch.Query) (patches []patch.Patch, errs []string) {
	t.Helper()
	for p, err := range s.Patches(t.Context(), q) {
		if err != nil {
			errs = append(errs, err.Error())
			continue
		}
		patches = append(patches, p)
	}
	return patches, errs
}

// one reads the one record of a file.
func one(t testing.TB, record string) patch.Patch {
	t.Helper()
	patches, errs := list(t, record)
	require.Empty(t, errs)
	require.Len(t, patches, 1)
	return patches[0]
}

// show writes packages in short: "[1, 2) of deb" is from 1 to before 2.
func show(packages []patch.Package) string {
	var all []string
	for _, p := range packages {
		s := p.Ecosystem + " " + p.Name
		if p.Source != "" {
			s += "<" + p.Source
		}
		if p.Module != "" {
			s += " " + p.Module
		}
		switch {
		case !p.Fixed.IsZero():
			s += fmt.Sprintf(" [%s, %s) of %s", p.Introduced, p.Fixed, p.Fixed.Scheme)
		case !p.Last.IsZero():
			s += fmt.Sprintf(" [%s, %s] of %s", p.Introduced, p.Last, p.Last.Scheme)
		default:
			s += fmt.Sprintf(" [%s, ...) of %s", p.Introduced, p.Introduced.Scheme)
		}
		all = append(all, s)
	}
	return strings.Join(all, "; ")
}

// of returns a record about the package p of an ecosystem; more is what its affected part says beside.
func of(ecosystem, more string) string {
	if more != "" {
		more = ", " + more
	}
	return `{"id": "X-1", "affected": [{"package": {"ecosystem": "` + ecosystem + `", "name": "p"}` + more + `}]}`
}

func TestSource(t *testing.T) {
	records := `{"id": "A-1", "modified": "2025-01-02T00:00:00Z", "published": "2025-01-01T00:00:00Z", "affected": [{"package": {"ecosystem": "Debian:12", "name": "a"}}]}
{"id": "A-2", "modified": "2024-01-02T00:00:00Z", "published": "2024-01-01T00:00:00Z", "affected": [{"package": {"ecosystem": "Debian:11", "name": "a"}}]}
{"id": "A-1", "modified": "2025-01-01T00:00:00Z"}
{"id": "A-3", "affected": [{"package": {"ecosystem": "Debian:11", "name": "a"}}, {"package": {"ecosystem": "Debian:12", "name": "a"}}]}
{"id": "A-4"}
`
	files := fstest.MapFS{"a/1.json": {Data: []byte(`{"id": "B-1"}`)}, "b.zip": {Data: zipped(t, "../../etc/passwd.json", `{"id": "B-2"}`)}}
	providertest.Source(t, providertest.SourceHarness{
		New: func(t *testing.T) patch.Source {
			return newSource(t, osv.Config{Inputs: []osv.Input{{Name: "feed", Open: text(records)}, {Name: "folder", Folder: files}}})
		},
		Want: []patch.ID{"osv:A-1", "osv:A-2", "osv:A-3", "osv:A-4", "osv:B-1", "osv:B-2"},
		Damaged: func(t *testing.T) (patch.Source, string) {
			return newSource(t, osv.Config{Inputs: []osv.Input{{Name: "feed", Open: text("{\"id\": \"A-1\"}\n\n{\"id\": \"A-2\"\n{\"id\": \"A-3\"}\n")}}}),
				"osv: feed: record 2, line 3: "
		},
		Broken: func(t *testing.T) patch.Source {
			return newSource(t, osv.Config{Inputs: []osv.Input{{Name: "feed", Open: text("{\"id\": \"A-1\"}\n{\"id\": \"A-2\"")}}})
		},
	})
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	_, err := osv.New(osv.Config{})
	require.ErrorContains(t, err, "no Inputs")
	_, err = osv.New(osv.Config{Inputs: []osv.Input{{Name: "a"}, {Name: "b", Open: text(""), Folder: fstest.MapFS{}}}})
	require.ErrorContains(t, err, `Inputs[0] ("a")`)
	require.ErrorContains(t, err, `Inputs[1] ("b")`)
}

func TestRanges(t *testing.T) {
	for name, row := range map[string]struct{ more, want string }{
		"fixed":                             {`[{"introduced": "0"}, {"fixed": "2"}]`, "[, 2)"},
		"introduced later":                  {`[{"introduced": "1"}, {"fixed": "2"}]`, "[1, 2)"},
		"no fix":                            {`[{"introduced": "1"}]`, "[1, ...)"},
		"every version":                     {`[{"introduced": "0"}]`, "[, ...)"},
		"last affected":                     {`[{"introduced": "0"}, {"last_affected": "2"}]`, "[, 2]"},
		"one version":                       {`[{"introduced": "2"}, {"last_affected": "2"}]`, "[2, 2]"},
		"two stretches":                     {`[{"introduced": "0"}, {"fixed": "2"}, {"introduced": "4"}, {"fixed": "5"}]`, "[, 2) [4, 5)"},
		"unordered":                         {`[{"fixed": "5"}, {"introduced": "10"}, {"fixed": "2"}, {"introduced": "4"}, {"introduced": "0"}]`, "[, 2) [4, 5) [10, ...)"},
		"ordered as the ecosystem does":     {`[{"fixed": "10"}, {"introduced": "9"}, {"fixed": "1"}, {"introduced": "1~rc1"}]`, "[1~rc1, 1) [9, 10)"},
		"pairs that overlap":                {`[{"introduced": "1"}, {"fixed": "4"}, {"introduced": "3"}, {"fixed": "7"}]`, "[1, 7)"},
		"pairs that lie in each other":      {`[{"introduced": "1"}, {"fixed": "9"}, {"introduced": "3"}, {"last_affected": "7"}, {"introduced": "10"}]`, "[1, 9) [10, ...)"},
		"pairs that end where they begin":   {`[{"introduced": "1"}, {"fixed": "1"}, {"introduced": "3"}, {"last_affected": "3"}]`, "[3, 3]"},
		"a pair that ends before it begins": {`[{"introduced": "1"}, {"fixed": "2"}, {"introduced": "5"}, {"fixed": "4"}, {"introduced": "7"}, {"fixed": "8"}]`, "[1, 2) [5, 8)"},
		"pairs without order":               {`[{"introduced": "4"}, {"fixed": "5"}, {"introduced": "1"}, {"fixed": "2"}]`, "[1, 2) [4, 5)"},
		"several fixes":                     {`[{"introduced": "0"}, {"fixed": "3"}, {"fixed": "2"}]`, "[, 2)"},
		"introduced twice":                  {`[{"introduced": "1"}, {"introduced": "0"}, {"fixed": "3"}]`, "[, 3)"},
		"introduced again where it ended":   {`[{"introduced": "1"}, {"fixed": "3"}, {"introduced": "3"}, {"fixed": "4"}]`, "[1, 4)"},
		"fixed where it began":              {`[{"introduced": "3"}, {"fixed": "3"}, {"introduced": "5"}]`, "[5, ...)"},
		"a fix without a beginning":         {`[{"fixed": "3"}]`, "[, 3)"},
		"no events":                         {`[]`, "[, ...)"},
		"a limit":                           {`[{"introduced": "1"}, {"limit": "3"}, {"introduced": "4"}]`, "[1, 3)"},
		"the highest of the limits":         {`[{"introduced": "1"}, {"limit": "3"}, {"limit": "4"}]`, "[1, 4)"},
		"a limit that is none":              {`[{"introduced": "1"}, {"limit": "3"}, {"limit": "*"}]`, "[1, ...)"},
		"a limit after the end":             {`[{"introduced": "1"}, {"last_affected": "3"}, {"limit": "4"}]`, "[1, 3]"},
		"a limit at the last":               {`[{"introduced": "1"}, {"last_affected": "3"}, {"limit": "3"}]`, "[1, 3)"},
		"two kinds in one event":            {`[{"introduced": "1", "fixed": "2"}]`, "[1, 2)"},
		"what is no version stays":          {`[{"introduced": "0"}, {"fixed": "2_3"}]`, "[, 2_3)"},
		"out of order with no version":      {`[{"introduced": "3"}, {"fixed": "one"}, {"introduced": "1"}, {"fixed": "2"}]`, "[3, one) [1, 2)"},
	} {
		t.Run(name, func(t *testing.T) {
			p := one(t, of("Debian:12", `"ranges": [{"type": "ECOSYSTEM", "events": `+row.more+`}]`))
			var want []string
			for _, s := range strings.SplitAfter(row.want, ") ") {
				s = strings.TrimSpace(s)
				scheme := " of deb"
				if s == "[, ...)" {
					scheme = " of "
				}
				want = append(want, "Debian:12 <p "+s+scheme)
			}
			require.Equal(t, strings.Join(want, "; "), show(p.Packages))
		})
	}
}

func TestRangesAndVersions(t *testing.T) {
	for name, row := range map[string]struct{ ecosystem, more, want string }{
		"neither is every version":            {"Debian:12", ``, "Debian:12 <p [, ...) of "},
		"nulls are neither":                   {"Debian:12", `"ranges": null, "versions": null`, "Debian:12 <p [, ...) of "},
		"versions alone":                      {"Debian:12", `"versions": ["1", "2", "1"]`, "Debian:12 <p [1, 1] of deb; Debian:12 <p [2, 2] of deb"},
		"versions equal in their order":       {"Debian:12", `"versions": ["1.0", "0:1.0", "1.0-0"]`, "Debian:12 <p [1.0, 1.0] of deb"},
		"a version outside of the range":      {"Debian:12", `"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "2"}, {"fixed": "4"}]}], "versions": ["1", "2", "3", "4"]`, "Debian:12 <p [2, 4) of deb; Debian:12 <p [1, 1] of deb; Debian:12 <p [4, 4] of deb"},
		"a version at the last affected":      {"Debian:12", `"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"last_affected": "4"}]}], "versions": ["4", "5"]`, "Debian:12 <p [, 4] of deb; Debian:12 <p [5, 5] of deb"},
		"ranges that lie in each other":       {"Debian:12", `"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1"}, {"fixed": "9"}]}, {"type": "ECOSYSTEM", "events": [{"introduced": "2"}, {"fixed": "3"}]}], "versions": ["5", "9"]`, "Debian:12 <p [1, 9) of deb; Debian:12 <p [2, 3) of deb; Debian:12 <p [9, 9] of deb"},
		"an odd version among good ones":      {"Debian:12", `"versions": ["one", "1"]`, "Debian:12 <p [1, 1] of deb"},
		"odd versions alone are unknown":      {"Debian:12", `"versions": ["one", "two"]`, "Debian:12 <p [one, one] of deb"},
		"commits before the versions":         {"Debian:12", `"ranges": [{"type": "GIT", "repo": "r", "events": [{"introduced": "0"}, {"fixed": "abc"}]}, {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "4"}]}]`, "Debian:12 <p [, 4) of deb"},
		"commits beside versions":             {"Debian:12", `"ranges": [{"type": "GIT", "repo": "r", "events": [{"introduced": "0"}, {"fixed": "abc"}]}], "versions": ["1"]`, "Debian:12 <p [1, 1] of deb"},
		"commits alone are unknown":           {"Debian:12", `"ranges": [{"type": "GIT", "repo": "r", "events": [{"introduced": "def"}, {"fixed": "abc"}]}]`, "Debian:12 <p [def, abc) of git"},
		"a type of later days is unknown":     {"Debian:12", `"ranges": [{"type": "CALENDAR", "events": [{"introduced": "0"}, {"fixed": "4"}]}]`, "Debian:12 <p [, 4) of calendar"},
		"semantic versions in Debian":         {"Debian:12", `"ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "4.0.0"}]}]`, "Debian:12 <p [, 4.0.0) of semver"},
		"an order that nobody knows":          {"Maven", `"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1"}, {"fixed": "2"}]}], "versions": ["1", "1.5"]`, "Maven p [1, 2) of maven"},
		"versions in that order":              {"GitHub Actions", `"versions": ["1", "2"]`, "GitHub Actions p [1, 1] of github-actions"},
		"a module's stream cannot be guessed": {"AlmaLinux:8", `"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1-2.module_el8.9.0+1+2"}]}]`, "AlmaLinux:8 p [, 1-2.module_el8.9.0+1+2) of rpm"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, row.want, show(one(t, of(row.ecosystem, row.more)).Packages))
		})
	}
}

func TestEcosystemDecidesTheScheme(t *testing.T) {
	for ecosystem, row := range map[string]struct {
		scheme version.Scheme
		name   string
	}{
		"Debian:12": {"deb", "<p"}, "Debian": {"deb", "<p"}, "Ubuntu:Pro:22.04:LTS": {"deb", "<p"},
		"AlmaLinux:9": {"rpm", "p"}, "Rocky Linux:9": {"rpm", "<p"}, "Red Hat:enterprise_linux:9::appstream": {"rpm", "p"},
		"SUSE:Linux Enterprise Server 15 SP6": {"rpm", "<p"}, "openSUSE:Leap 15.6": {"rpm", "<p"}, "openEuler:24.03-LTS": {"rpm", "<p"},
		"Mageia:9": {"rpm", "<p"}, "Azure Linux:3": {"rpm", "<p"}, "Alpine:v3.21": {"apk", "<p"}, "Wolfi": {"apk", "p"}, "Chainguard": {"apk", "p"},
		"Go": {"semver-lenient", "p"}, "npm": {"semver", "p"}, "crates.io": {"semver", "p"}, "Bitnami": {"semver-lenient", "p"},
		"PyPI": {"pep440", "p"}, "NuGet": {"nuget", "p"}, "Maven:https://maven.google.com": {"maven", "p"}, "RubyGems": {"rubygems", "p"},
		"Echo": {"echo", "<p"}, "FreeBSD:ports": {"freebsd", "p"},
	} {
		p := one(t, of(ecosystem, `"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}]`))
		want := ecosystem + " " + row.name
		require.Equal(t, want+" [, 2) of "+string(row.scheme), show(p.Packages), ecosystem)
	}
	require.Equal(t, "Bitnami p [, 2) of semver-lenient",
		show(one(t, of("Bitnami", `"ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "2"}]}]`)).Packages))
	require.Equal(t, "Hex p [, 2) of semver",
		show(one(t, of("Hex", `"ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "2"}]}]`)).Packages))
}

func TestDevicesMayCallAnEcosystemOtherwise(t *testing.T) {
	s := newSource(t, osv.Config{
		Inputs: []osv.Input{{Open: text(of("Ubuntu:22.04:LTS", "") + of2("X-2", "Debian:12"))}},
		Ecosystem: func(written string) string {
			if written == "Ubuntu:22.04:LTS" {
				return "Ubuntu:22.04"
			}
			return ""
		},
	})
	patches, errs := drain(t, s, patch.Query{})
	require.Empty(t, errs)
	require.Equal(t, "Ubuntu:22.04 <p [, ...) of ", show(patches[0].Packages))
	require.Equal(t, "Debian:12 <p [, ...) of ", show(patches[1].Packages))
}

func of2(id, ecosystem string) string { return strings.Replace(of(ecosystem, ""), "X-1", id, 1) }

func TestPlatformIsWhatAllPackagesAgreeOn(t *testing.T) {
	for _, row := range []struct {
		ecosystems []string
		want       patch.Platform
	}{
		{[]string{"Debian:12"}, patch.Platform{OS: "debian", Version: "12"}},
		{[]string{"Debian:12", "Debian:12"}, patch.Platform{OS: "debian", Version: "12"}},
		{[]string{"Debian:12", "Debian:11"}, patch.Platform{OS: "debian"}},
		{[]string{"Debian:12", "Alpine:v3.18"}, patch.Platform{}},
		{[]string{"Debian:sid"}, patch.Platform{OS: "debian"}},
		{[]string{"Ubuntu:Pro:FIPS-updates:22.04:LTS", "Ubuntu:22.04:LTS"}, patch.Platform{OS: "ubuntu", Version: "22.04"}},
		{[]string{"Alpine:v3.18"}, patch.Platform{OS: "alpine", Version: "3.18"}},
		{[]string{"Rocky Linux:9"}, patch.Platform{OS: "rocky", Version: "9"}},
		{[]string{"Red Hat:enterprise_linux:9::appstream"}, patch.Platform{}},
		{[]string{"PyPI"}, patch.Platform{}},
		{nil, patch.Platform{}},
	} {
		var affected []string
		for _, e := range row.ecosystems {
			affected = append(affected, `{"package": {"ecosystem": "`+e+`", "name": "p"}}`)
		}
		p := one(t, `{"id": "X-1", "affected": [`+strings.Join(affected, ", ")+`]}`)
		require.Equal(t, row.want, p.Platform, row.ecosystems)
	}
}

func TestQueryNarrows(t *testing.T) {
	record := func(id, ecosystem, modified, published string) string {
		return `{"id": "` + id + `", "modified": "` + modified + `", "published": "` + published + `", "affected": [{"package": {"ecosystem": "` + ecosystem + `", "name": "p"}}]}` + "\n"
	}
	s := newSource(t, osv.Config{Inputs: []osv.Input{{Open: text(
		record("A", "Debian:12", "2025-01-01T00:00:00Z", "2024-01-01T00:00:00Z") +
			record("B", "Debian:11", "2023-01-01T00:00:00Z", "2022-01-01T00:00:00Z") +
			record("C", "PyPI", "0001-01-01T00:00:00Z", "2020-01-01T00:00:00Z") +
			record("D", "Ubuntu:22.04:LTS", "2020-01-01T00:00:00Z", "2025-01-01T00:00:00+02:00"))}}})
	ids := func(q patch.Query) (all string) {
		patches, errs := drain(t, s, q)
		require.Empty(t, errs)
		for _, p := range patches {
			all += p.ID.Native()
		}
		return all
	}
	platforms := func(p ...patch.Platform) patch.Query { return patch.Query{Platforms: p} }
	require.Equal(t, "ABCD", ids(patch.Query{}))
	require.Equal(t, "ABC", ids(platforms(patch.Platform{OS: "debian"})))
	require.Equal(t, "AC", ids(platforms(patch.Platform{OS: "debian", Version: "12.11"})))
	require.Equal(t, "C", ids(platforms(patch.Platform{OS: "debian", Version: "1"})), "no dot follows")
	require.Equal(t, "ACD", ids(platforms(patch.Platform{OS: "debian", Version: "12"}, patch.Platform{OS: "ubuntu", Arch: "arm64"})))
	require.Equal(t, "ACD", ids(patch.Query{Since: time.Date(2024, 12, 31, 0, 0, 0, 0, time.UTC)}), "of C nobody knows when it was modified")
}

func TestWhatARecordIsAbout(t *testing.T) {
	for name, row := range map[string]struct {
		record string
		want   []string
	}{
		"aliases":                     {`"id": "GHSA-1", "aliases": ["CVE-2024-1234", "GHSA-2"]`, []string{"CVE-2024-1234"}},
		"upstream":                    {`"id": "USN-1-1", "upstream": ["CVE-2024-1234", "UBUNTU-CVE-2024-1235"], "aliases": ["CVE-2024-1234"]`, []string{"CVE-2024-1234"}},
		"its own name":                {`"id": "CVE-2024-1234"`, []string{"CVE-2024-1234"}},
		"its own name with a vendor":  {`"id": "UBUNTU-CVE-2024-1234", "related": ["CVE-2024-9999"]`, []string{"CVE-2024-1234"}},
		"related to an advisory":      {`"id": "DSA-1-1", "related": ["CVE-2024-1234", "CVE-2024-1235"]`, []string{"CVE-2024-1234", "CVE-2024-1235"}},
		"related in a distribution":   {`"id": "CGA-1", "related": ["CVE-2024-1234"], "affected": [{"package": {"ecosystem": "Wolfi", "name": "p"}}]`, []string{"CVE-2024-1234"}},
		"related elsewhere is not it": {`"id": "GO-1", "related": ["CVE-2024-1234"], "affected": [{"package": {"ecosystem": "Go", "name": "p"}}]`, nil},
		"what is no CVE":              {`"id": "GHSA-1", "aliases": ["CVE-2024-12", "CVE-24-1234", "CVE-2024-1234x", "cve-2024-1234", "CVE-2024-", ""]`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := one(t, "{"+row.record+"}")
			require.Equal(t, row.want, p.CVEs())
		})
	}
	p := one(t, `{"id": "GHSA-1", "aliases": ["CVE-2024-1234", "GHSA-2"], "upstream": ["PYSEC-1"], "related": ["CVE-2024-1"], "database_specific": {"a": [1]}}`)
	require.Empty(t, cmp.Diff(map[string]string{"aliases": "GHSA-2", "upstream": "PYSEC-1", "related": "CVE-2024-1", "databaseSpecific": `{"a":[1]}`}, p.Native))
}

func TestSeverity(t *testing.T) {
	const critical, moderate = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N"
	for name, row := range map[string]struct {
		record string
		want   patch.Severity
		raw    string
		scores int
	}{
		"nothing":                           {``, patch.SeverityUnrated, "", 0},
		"the highest score":                 {`"severity": [{"type": "CVSS_V3", "score": "` + moderate + `"}, {"type": "CVSS_V3", "score": "` + critical + `"}]`, patch.SeverityCritical, "", 2},
		"the same score twice":              {`"severity": [{"type": "CVSS_V3", "score": "` + moderate + `"}, {"type": "CVSS_V3", "score": "` + moderate + `"}]`, patch.SeverityModerate, "", 1},
		"version 2 has no scale":            {`"severity": [{"type": "CVSS_V2", "score": "AV:N/AC:L/Au:N/C:C/I:C/A:C"}]`, patch.SeverityUnrated, "", 1},
		"a word of Ubuntu before a score":   {`"severity": [{"type": "CVSS_V3", "score": "` + critical + `"}, {"type": "Ubuntu", "score": "negligible"}]`, patch.SeverityLow, "negligible", 1},
		"a word of GitHub":                  {`"database_specific": {"severity": "MODERATE"}`, patch.SeverityModerate, "MODERATE", 0},
		"a word that says nothing":          {`"database_specific": {"severity": "Unknown"}, "severity": [{"type": "CVSS_V3", "score": "` + critical + `"}]`, patch.SeverityCritical, "Unknown", 1},
		"the packages' scores":              {`"affected": [{"package": {"ecosystem": "Bitnami", "name": "p"}, "severity": [{"type": "CVSS_V3", "score": "` + moderate + `"}]}]`, patch.SeverityModerate, "", 1},
		"the highest of the packages' word": {`"affected": [{"package": {"ecosystem": "Debian:12", "name": "p"}, "ecosystem_specific": {"urgency": "low"}}, {"package": {"ecosystem": "Debian:13", "name": "p"}, "ecosystem_specific": {"urgency": "high"}}]`, patch.SeverityImportant, "high", 0},
		"the summary of AlmaLinux":          {`"summary": "Important: p security update", "affected": [{"package": {"ecosystem": "AlmaLinux:9", "name": "p"}}]`, patch.SeverityImportant, "Important", 0},
		"the summary says none":             {`"summary": "None: p security update", "affected": [{"package": {"ecosystem": "AlmaLinux:9", "name": "p"}}]`, patch.SeverityUnrated, "None", 0},
		"the summary of others":             {`"summary": "Critical: the sky falls", "affected": [{"package": {"ecosystem": "Go", "name": "p"}}]`, patch.SeverityUnrated, "", 0},
		"a summary that begins otherwise":   {`"summary": "firefox: security update", "affected": [{"package": {"ecosystem": "AlmaLinux:9", "name": "p"}}]`, patch.SeverityUnrated, "", 0},
		"other shapes":                      {`"database_specific": {"severity": [7]}, "affected": [{"package": {"ecosystem": "Go", "name": "p"}, "ecosystem_specific": [1]}]`, patch.SeverityUnrated, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if row.record != "" {
				row.record = ", " + row.record
			}
			p := one(t, `{"id": "X-1"`+row.record+`}`)
			require.Equal(t, row.want, p.Severity)
			require.Equal(t, row.raw, p.SeverityRaw)
			require.Equal(t, row.want, p.Advisories[0].Severity)
			require.Len(t, p.Advisories[0].Scores, row.scores)
		})
	}
	p := one(t, `{"id": "X-1", "severity": [{"type": "CVSS_V3", "score": "7.5"}]}`)
	require.Equal(t, "CVSS_V3:7.5", p.Native["severity"], "what is no vector is kept")
	require.Equal(t, patch.SeverityUnrated, p.Severity)
}

func TestClassificationFollowsTheKindOfAdvisory(t *testing.T) {
	for id, want := range map[string]patch.Classification{
		"GHSA-1": patch.ClassSecurity, "ALSA-2025:1": patch.ClassSecurity, "ALBA-2025:1": patch.ClassBugfix, "ALEA-2025:1": patch.ClassFeature,
		"RHBA-2025:1": patch.ClassBugfix, "SUSE-RU-2025:1-1": patch.ClassBugfix, "openSUSE-FU-2025:1-1": patch.ClassFeature,
		"SUSE-SU-2025:1-1": patch.ClassSecurity, "ALBAX-1": patch.ClassSecurity,
	} {
		require.Equal(t, want, one(t, `{"id": "`+id+`"}`).Classification, id)
	}
	p := one(t, `{"id": "ALBA-2021:4604", "related": ["CVE-2021-40438"]}`)
	require.True(t, p.Contested, "a correction that names a CVE")
	require.Equal(t, []string{"ALBA"}, p.ClassificationRaw)
	require.False(t, one(t, `{"id": "ALSA-2021:1", "related": ["CVE-2021-40438"]}`).Contested)
	require.False(t, one(t, `{"id": "ALBA-2021:1"}`).Contested)
}

func TestTitleAndTimes(t *testing.T) {
	p := one(t, `{"id": "X-1", "summary": " s ", "details": "d", "modified": "2025-01-02T03:04:05.678Z", "published": "2025-01-01T00:00:00+01:00", "withdrawn": "2025-02-01T00:00:00Z",
		"references": [{"type": "WEB", "url": "https://example.org/1"}, {}]}`)
	require.Equal(t, "s", p.Title)
	require.Equal(t, time.Date(2025, 1, 2, 3, 4, 5, 678e6, time.UTC), p.Modified)
	require.Equal(t, time.Date(2024, 12, 31, 23, 0, 0, 0, time.UTC), p.Released)
	require.Equal(t, p.Released, p.Advisories[0].Published)
	require.Equal(t, time.Date(2025, 2, 1, 0, 0, 0, 0, time.UTC), p.Withdrawn)
	require.Equal(t, []string{"https://example.org/1"}, p.Advisories[0].References)
	require.Equal(t, "first", one(t, `{"id": "X-1", "details": "\n first \nsecond"}`).Title)
	long := one(t, `{"id": "X-1", "details": "`+strings.Repeat("é", 100)+`"}`).Title
	require.Equal(t, strings.Repeat("é", 60)+"...", long)
}

func TestBinariesCarryTheFixBesideTheirSource(t *testing.T) {
	const fixed = `"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}]`
	for name, row := range map[string]struct{ ecosystem, more, want string }{
		"of Ubuntu":             {"Ubuntu:22.04:LTS", fixed + `, "ecosystem_specific": {"binaries": [{"binary_name": "lib", "binary_version": "2+b1"}]}`, "Ubuntu:22.04:LTS <p [, 2) of deb; Ubuntu:22.04:LTS lib<p [, 2+b1) of deb"},
		"of SUSE":               {"SUSE:X", fixed + `, "ecosystem_specific": {"binaries": [{"b": "2", "a": "3"}]}`, "SUSE:X <p [, 2) of rpm; SUSE:X a<p [, 3) of rpm; SUSE:X b<p [, 2) of rpm"},
		"without a version":     {"Ubuntu:22.04:LTS", fixed + `, "ecosystem_specific": {"binaries": [{"binary_name": "lib"}]}`, "Ubuntu:22.04:LTS <p [, 2) of deb"},
		"without a fix":         {"Ubuntu:22.04:LTS", `"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}], "ecosystem_specific": {"binaries": [{"binary_name": "lib", "binary_version": "1"}]}`, "Ubuntu:22.04:LTS <p [, ...) of "},
		"of two stretches":      {"Ubuntu:22.04:LTS", `"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}, {"introduced": "3"}]}], "ecosystem_specific": {"binaries": [{"binary_name": "lib", "binary_version": "2"}]}`, "Ubuntu:22.04:LTS <p [, 2) of deb; Ubuntu:22.04:LTS <p [3, ...) of deb"},
		"in another shape":      {"Ubuntu:22.04:LTS", fixed + `, "ecosystem_specific": {"binaries": {"lib": 2}}`, "Ubuntu:22.04:LTS <p [, 2) of deb"},
		"where names are built": {"AlmaLinux:9", fixed + `, "ecosystem_specific": {"binaries": [{"b": "2"}]}`, "AlmaLinux:9 p [, 2) of rpm"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, row.want, show(one(t, of(row.ecosystem, row.more)).Packages)) })
	}
}

func TestModuleStreamsStandInTheSummary(t *testing.T) {
	record := func(ecosystem, summary, fixed string) string {
		return `{"id": "X-1", "summary": "` + summary + `", "affected": [{"package": {"ecosystem": "` + ecosystem + `", "name": "p"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "` + fixed + `"}]}]}]}`
	}
	for _, row := range []struct{ ecosystem, summary, fixed, want string }{
		{"AlmaLinux:8", "Important: nodejs:18 security update", "1-2.module_el8.9.0+1+2", "nodejs:18"},
		{"Rocky Linux:8", "Moderate: container-tools:rhel8 security, bug fix, and enhancement update", "1-2.module+el8.9.0+1+2", "container-tools:rhel8"},
		{"Red Hat:enterprise_linux:8::appstream", "Red Hat Security Advisory: python36:3.6 security update", "0:1-2.module+el8.4.0+9657+a4b6a102", "python36:3.6"},
		{"AlmaLinux:8", "Important: nodejs:18 security update", "1-2.el8", ""},
		{"AlmaLinux:8", "Important: virt:rhel and virt-devel:rhel security update", "1-2.module_el8.9.0+1+2", ""},
		{"AlmaLinux:8", "Important: httpd:2.4/mod_http2 security update", "1-2.module_el8.9.0+1+2", ""},
		{"AlmaLinux:8", "Important: varnish security update", "1-2.module_el8.9.0+1+2", ""},
		{"SUSE:X", "nodejs:18 security update", "1-2.module_el8.9.0+1+2", ""},
	} {
		require.Equal(t, row.want, one(t, record(row.ecosystem, row.summary, row.fixed)).Packages[0].Module, row.summary)
	}
	two := func(first, second string) string {
		r := record("AlmaLinux:9", "Important: postgresql:15 security update", first)
		return strings.Replace(r, `[{"package"`, `[{"package": {"ecosystem": "AlmaLinux:9", "name": "p"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "`+second+`"}]}]}, {"package"`, 1)
	}
	require.Empty(t, one(t, two("15.10-1.module_el9.5.0+1+a", "16.6-1.module_el9.5.0+2+b")).Packages[0].Module, "a second stream that the summary leaves out")
	require.Equal(t, "postgresql:15", one(t, two("15.10-1.module_el9.5.0+1+a", "15.10-1.module_el9.5.0+2+b")).Packages[0].Module, "two builds of one version")
	require.Equal(t, "postgresql:15", one(t, two("15.10-1.module_el9.5.0+1+a", "15.10-1.el9")).Packages[1].Module)
}

func TestRecordsThatCannotBeUsed(t *testing.T) {
	for record, want := range map[string]string{
		`{}`:            "no id",
		`{"id": ""}`:    "no id",
		`{"id": "a b"}`: `field id is "a b"`,
		`{"id": "` + strings.Repeat("a", 257) + `"}`: "field id is",
		`{"id": 7}`:                                                     "cannot unmarshal number",
		`{"id": "X-1", "modified": "yesterday"}`:                        `field modified is "yesterday"`,
		`{"id": "X-1", "withdrawn": "0001-01-01T00:00:00Z"}`:            "field withdrawn is",
		`{"id": "X-1", "affected": [{"package": {"name": "p"}}]}`:       `X-1: affected[0]: package "p" of the ecosystem ""`,
		`{"id": "X-1", "affected": [{"package": {"ecosystem": "Go"}}]}`: `package "" of the ecosystem "Go"`,
		`{"id": "X-1", "affected": {}}`:                                 "X-1: json: cannot unmarshal object",
		`{"id": "X-1", "published": "2025-01-01"}`:                      `X-1: field published is "2025-01-01"`,
		`{"id": "X-1"]`: "invalid character ']'",
		`{"id": "X-1", "summary": "broken` + "\n": "a line ends within a string",
		`["X-1"]`: "not a JSON object",
		of("Go", `"ranges": [{"type": "SEMVER", "events": [{"Introduced_": 1}]}]`): "package p: ranges[0]: an event of a range is none that is known",
	} {
		patches, errs := list(t, `{"id": "A-1"}`+"\n"+record+"\n"+`{"id": "A-2"}`+"\n")
		require.Len(t, errs, 1, record)
		require.Contains(t, errs[0], "osv: feed: record 2, line 2: unreadable record: ", record)
		require.Contains(t, errs[0], want, record)
		require.Len(t, patches, 2, record)
	}
}

func TestWhatHasNoPackageMakesNoEntry(t *testing.T) {
	p := one(t, `{"id": "CVE-2024-1234", "affected": [{"package": {}, "ranges": [{"type": "GIT", "repo": "r", "events": [{"introduced": "0"}]}], "versions": ["v1"]}, {"ranges": []}]}`)
	require.Empty(t, p.Packages)
	require.Equal(t, []string{"CVE-2024-1234"}, p.CVEs())
}

func TestOfRecordsWithOneIDTheNewestIsListed(t *testing.T) {
	record := func(id, modified, summary string) string {
		return `{"id": "` + id + `", "modified": "` + modified + `", "summary": "` + summary + `"}` + "\n"
	}
	old, newer := "2024-01-01T00:00:00Z", "2024-01-01T00:00:00.5Z"
	a := record("A", old, "old A") + record("B", newer, "new B") + record("C", old, "first C")
	b := record("B", old, "old B") + record("A", newer, "new A") + record("C", old, "second C")
	s := newSource(t, osv.Config{Inputs: []osv.Input{{Open: text(a)}, {Open: text(b)}}})
	patches, errs := drain(t, s, patch.Query{})
	require.Empty(t, errs)
	var titles []string
	for _, p := range patches {
		titles = append(titles, p.Title)
	}
	require.Equal(t, []string{"new B", "first C", "new A"}, titles)
}

func TestInputThatChangesBetweenTheReadings(t *testing.T) {
	for name, second := range map[string]string{
		"loses a record": `{"id": "A"}`,
		"gains one":      `{"id": "A"} {"id": "B"} {"id": "C"}`,
		"has another":    `{"id": "A"} {"id": "C"}`,
	} {
		n := 0
		s := newSource(t, osv.Config{Inputs: []osv.Input{{Open: func() (io.ReadCloser, error) {
			if n++; n == 1 {
				return text(`{"id": "A"} {"id": "B"}`)()
			}
			return text(second)()
		}}}})
		_, errs := drain(t, s, patch.Query{})
		require.Len(t, errs, 1, name)
		require.Contains(t, errs[0], "changed", name)
	}
}

func zipped(t testing.TB, namesAndTexts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(namesAndTexts); i += 2 {
		f, err := w.Create(namesAndTexts[i])
		require.NoError(t, err)
		_, err = io.WriteString(f, namesAndTexts[i+1])
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func gzipped(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestInputs(t *testing.T) {
	pretty := "\xef\xbb\xbf{\n\"id\": \"A\",\n\"affected\": [\n{\n\"package\": {\n}\n}\n]\n}\n"
	indented := "{\n  \"id\": \"B\",\n  \"summary\": \"a \\\"{ brace\"\n}\r\n\n{\n  \"id\": \"C\"\n}"
	files := fstest.MapFS{
		"pretty.json":      {Data: []byte(pretty)},
		"lines.jsonl.gz":   {Data: gzipped(t, "{\"id\": \"A\"}\n{\"id\": \"B\"}\n")},
		"all.zip":          {Data: zipped(t, "A.json", pretty, "README.md", "no record", "d/B.json", `{"id": "B"}`, "C.JSON", `{"id": "C"}`)},
		"empty.zip":        {Data: zipped(t)},
		"indented":         {Data: []byte(indented)},
		"tree/A.json.gz":   {Data: gzipped(t, pretty)},
		"tree/x/B.json":    {Data: []byte(`{"id": "B"}`)},
		"tree/x/C.ndjson":  {Data: []byte(`{"id": "C"}{"id": "D"}`)},
		"tree/x/E.zip":     {Data: zipped(t, "E.json", `{"id": "E"}`)},
		"tree/x/README.md": {Data: []byte("no record")},
	}
	tree, err := files.Sub("tree")
	require.NoError(t, err)
	streamed := func(name string) source.Opener { return text(string(files[name].Data)) }
	for name, row := range map[string]struct {
		input osv.Input
		want  string
	}{
		"one record":                      {osv.Input{Open: source.File(files, "pretty.json")}, "A"},
		"lines, compressed":               {osv.Input{Open: source.File(files, "lines.jsonl.gz")}, "AB"},
		"lines that cannot be read twice": {osv.Input{Open: streamed("lines.jsonl.gz")}, "AB"},
		"a zip where it lies":             {osv.Input{Open: source.File(files, "all.zip")}, "ABC"},
		"a zip that has to be held":       {osv.Input{Open: streamed("all.zip")}, "ABC"},
		"an empty zip":                    {osv.Input{Open: source.File(files, "empty.zip")}, ""},
		"indented records":                {osv.Input{Open: source.File(files, "indented")}, "BC"},
		"nothing":                         {osv.Input{Open: text("")}, ""},
		"a folder":                        {osv.Input{Folder: tree}, "ABCDE"},
	} {
		t.Run(name, func(t *testing.T) {
			patches, errs := drain(t, newSource(t, osv.Config{Inputs: []osv.Input{row.input}}), patch.Query{})
			require.Empty(t, errs)
			got := ""
			for _, p := range patches {
				got += p.ID.Native()
			}
			require.Equal(t, row.want, got)
		})
	}
}

func TestOfAZipOnDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "all.zip")
	require.NoError(t, os.WriteFile(path, zipped(t, "A.json", `{"id": "A"}`), 0o600))
	s := newSource(t, osv.Config{Buffer: 1, Inputs: []osv.Input{{Open: func() (io.ReadCloser, error) { return os.Open(path) }}}})
	patches, errs := drain(t, s, patch.Query{})
	require.Empty(t, errs)
	require.Len(t, patches, 1)
}

func TestDamageInFoldersAndZipsIsTheRecordsOwn(t *testing.T) {
	damaged := zipped(t, "A.json", `{"id": "A", "summary": "something to be damaged"}`, "B.json", `{"id": "B"}`)
	damaged[45] ^= 0xff
	files := fstest.MapFS{
		"1.json":    {Data: []byte(`{"id": "C"`)},
		"2.json.gz": {Data: gzipped(t, `{"id": "D"}`)[:20]},
		"3.json":    {Data: []byte(`{"id": "E"} {"id": "F"}`)},
		"4.json":    {Data: []byte(`{"id": "G"}`)},
		"5.zip":     {Data: damaged},
	}
	patches, errs := drain(t, newSource(t, osv.Config{Inputs: []osv.Input{{Name: "folder", Folder: files}}}), patch.Query{})
	require.Len(t, patches, 2)
	require.Len(t, errs, 4)
	for i, want := range []string{
		`osv: folder: "1.json": unreadable record: unexpected end of JSON input`,
		`osv: folder: "2.json.gz": unreadable record: bounded: gzip data ends`,
		`osv: folder: "3.json": unreadable record: invalid character '{' after top-level value`,
		`osv: folder: "5.zip!A.json": unreadable record: `,
	} {
		require.Contains(t, errs[i], want)
	}
}

func TestInputsThatCannotBeReadEndTheListing(t *testing.T) {
	gone := errors.New("gone")
	for name, row := range map[string]struct {
		input osv.Input
		want  string
	}{
		"a file that is missing":      {osv.Input{Name: "f", Open: func() (io.ReadCloser, error) { return nil, gone }}, "osv: f: gone"},
		"a folder that is missing":    {osv.Input{Name: "f", Folder: os.DirFS(filepath.Join(t.TempDir(), "missing"))}, `osv: f: "."`},
		"a file cut in a record":      {osv.Input{Name: "f", Open: text("{\"id\": \"A\"}\n{\"id\": \"B\",")}, "osv: f: record 2, line 2: the file ends in the middle of a record: unexpected EOF"},
		"compressed lines cut":        {osv.Input{Name: "f", Open: text(string(gzipped(t, `{"id": "A"}`)[:22]))}, "unexpected EOF"},
		"a zip without its directory": {osv.Input{Name: "f", Open: text(string(zipped(t, "A.json", `{"id": "A"}`)[:40]))}, "osv: f: zip: not a valid zip file"},
		"an unknown compression":      {osv.Input{Name: "f", Open: text("BZh91AY&SY")}, "osv: f: "},
	} {
		t.Run(name, func(t *testing.T) {
			patches, errs := drain(t, newSource(t, osv.Config{Inputs: []osv.Input{{Open: text(`{"id": "X"}`)}, row.input}}), patch.Query{})
			require.Len(t, errs, 1)
			require.Contains(t, errs[0], row.want)
			require.NotContains(t, errs[0], patch.ErrRecord.Error())
			require.Empty(t, patches)
		})
	}
}

func TestAFileIsNoFolder(t *testing.T) {
	file, err := fs.Sub(fstest.MapFS{"feed": {Data: []byte("a file")}}, "feed")
	require.NoError(t, err)
	_, refused, err := patch.Collect(t.Context(), patch.Query{}, newSource(t, osv.Config{Inputs: []osv.Input{{Name: "f", Folder: file}}}))
	require.ErrorContains(t, err, "not a folder")
	require.Empty(t, refused)
}
