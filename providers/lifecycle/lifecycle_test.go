package lifecycle_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/lifecycle"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write table.json from the pages of endoflife.date")
	os.Exit(m.Run())
}

func day(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.DateOnly, text)
	require.NoError(t, err)
	return at
}

// The table is what the pages of endoflife.date say, of releases that were supported by anybody since 2015.
func TestTableIsThatOfEndOfLifeDate(t *testing.T) {
	folder := need.Shared(t, "feeds", "eol", "endoflife.date")
	want := inventory.Lifecycle{AsOf: day(t, "2026-08-22"), Origin: "endoflife.date, MIT licence"}
	for _, page := range [][2]string{
		{"debian.md", "debian"}, {"ubuntu.md", "ubuntu"}, {"rhel.md", "rhel"}, {"almalinux.md", "almalinux"}, {"rocky-linux.md", "rocky"},
		{"sles.md", "sles"}, {"fedora.md", "fedora"}, {"amazon-linux.md", "amzn"}, {"alpine-linux.md", "alpine"}, {"macos.md", "macos"},
		{"windows.md", "windows"}, {"windows-server.md", "windows-server"},
	} {
		f, err := os.Open(filepath.Join(folder, page[0]))
		require.NoError(t, err)
		releases, err := lifecycle.ReadPage(f, page[1])
		require.NoError(t, err)
		require.NoError(t, f.Close())
		for _, r := range releases {
			if s := r.At(day(t, "2015-01-01")); s != inventory.SupportEnded {
				r.Released = time.Time{}
				want.Releases = append(want.Releases, r)
			}
		}
	}
	if flag.Lookup("update").Value.String() == "true" {
		text, err := json.MarshalIndent(want, "", " ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile("table.json", append(text, '\n'), 0o644))
		t.Skip("written; read the difference")
	}
	require.Empty(t, cmp.Diff(want, lifecycle.Table()))
}

func TestTable(t *testing.T) {
	l := lifecycle.Table()
	require.Greater(t, len(l.Releases), 150)
	for _, tt := range []struct {
		os, version string
		want        inventory.Support
	}{
		{"debian", "13", inventory.Supported}, {"debian", "12", inventory.SupportExtended}, {"debian", "10", inventory.SupportEnded},
		{"ubuntu", "24.04", inventory.Supported}, {"ubuntu", "18.04", inventory.SupportExtended}, {"rhel", "8.10", inventory.Supported},
		{"windows-server", "10.0.20348.2700", inventory.Supported}, {"windows", "6.1.7601", inventory.SupportEnded},
		{"macos", "15.6", inventory.Supported}, {"macos", "12.7", inventory.SupportEnded}, {"beos", "5", inventory.SupportUnknown},
	} {
		require.Equal(t, tt.want, l.Support(patch.Platform{OS: tt.os, Version: tt.version}, day(t, "2026-08-22")), "%s %s", tt.os, tt.version)
	}
	l.Releases[0].OS = "changed"
	require.NotEqual(t, "changed", lifecycle.Table().Releases[0].OS)
}

func TestReadPage(t *testing.T) {
	const page = `---
title: Demo
releases:
  - releaseCycle: "13"
    codename: "Trixie"
    releaseDate: 2025-08-09
    eol: 2028-08-09
    eoes: 2030-06-30
  - releaseCycle: "26"
    eol: false
  - releaseCycle: "old"
    releaseLabel: "__RELEASE_CYCLE__ (__CODENAME__)"
    eol: true
---
Text about it.
`
	got, err := lifecycle.ReadPage(strings.NewReader(page), "demo")
	require.NoError(t, err)
	require.Equal(t, []inventory.Release{
		{OS: "demo", Version: "13", Name: "Trixie", Released: day(t, "2025-08-09"), Ends: day(t, "2028-08-09"), Extended: day(t, "2030-06-30")},
		{OS: "demo", Version: "26", Open: true},
		{OS: "demo", Version: "old"},
	}, got)
}

func TestReadPageRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "unexpected EOF",
		"title: x\n":              `line 1 is not "---"`,
		"---\ntitle: x\n":         "unexpected EOF",
		"---\ntitle: x\n---\n":    "lists no releases",
		"---\nreleases: 3\n---\n": "cannot unmarshal",
		"---\nreleases:\n - eol: 2028-08-09\n---\n":                         "a release without a name",
		"---\nreleases:\n - releaseCycle: \"9\"\n   eol: 2028-13-09\n---\n": `release 9: line 4: eol is "2028-13-09", no day`,
		"---\n" + strings.Repeat("#"+strings.Repeat(" ", 1<<16)+"\n", 80):   "larger than allowed",
	} {
		_, err := lifecycle.ReadPage(strings.NewReader(text), "demo")
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "lifecycle: demo: ")
	}
}

func TestReadDistroInfo(t *testing.T) {
	got, err := lifecycle.ReadDistroInfo(strings.NewReader(`version,codename,series,created,release,eol,eol-server,eol-esm,eol-legacy
22.04 LTS,Jammy Jellyfish,jammy,2021-10-14,2022-04-21,2027-06-01,2027-06-01,2032-04-21,2037-04-21
6.06 LTS,Dapper Drake,dapper,2005-10-12,2006-06-01,2009-07-14,2011-06-01
,Sid,sid,1993-08-16
99,Future,future,2026-01-01
`), "ubuntu")
	require.NoError(t, err)
	require.Equal(t, []inventory.Release{
		{OS: "ubuntu", Version: "22.04", Name: "Jammy Jellyfish", Released: day(t, "2022-04-21"), Ends: day(t, "2027-06-01"), Extended: day(t, "2037-04-21")},
		{OS: "ubuntu", Version: "6.06", Name: "Dapper Drake", Released: day(t, "2006-06-01"), Ends: day(t, "2009-07-14"), Extended: day(t, "2011-06-01")},
		{OS: "ubuntu", Version: "99", Name: "Future"},
	}, got)
}

func TestReadDistroInfoRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "EOF",
		"version,codename\n": `line 1: there is no column "release"`,
		"version,codename,release,eol\n1,Buzz,soon,1997-06-05\n":   `line 2: release is "soon", no day`,
		"version,codename,release,eol\n1,\"Buzz,soon,1997-06-05\n": "line 2",
	} {
		_, err := lifecycle.ReadDistroInfo(strings.NewReader(text), "debian")
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "lifecycle: debian: ")
	}
}

// Both sources agree on the releases of Debian that both know.
func TestSourcesAgree(t *testing.T) {
	f, err := os.Open(need.Shared(t, "feeds", "eol", "distro-info", "debian.csv"))
	require.NoError(t, err)
	defer f.Close()
	releases, err := lifecycle.ReadDistroInfo(f, "debian")
	require.NoError(t, err)
	both := 0
	for _, mine := range lifecycle.Table().Releases {
		for _, r := range releases {
			if mine.OS == "debian" && mine.Version == r.Version && mine.Version >= "11" {
				require.WithinDuration(t, r.Ends, mine.Ends, 366*24*time.Hour, "Debian %s", r.Version)
				both++
			}
		}
	}
	require.GreaterOrEqual(t, both, 3)
}

func FuzzReadPage(f *testing.F) {
	f.Add("---\nreleases:\n - releaseCycle: \"9\"\n   eol: 2028-12-09\n---\n")
	f.Add("---\nreleases: &a\n - *a\n---\n")
	f.Fuzz(func(t *testing.T, text string) {
		releases, err := lifecycle.ReadPage(strings.NewReader(text), "x")
		require.Equal(t, err != nil, len(releases) == 0)
	})
}

func FuzzReadDistroInfo(f *testing.F) {
	f.Add("version,codename,release,eol\n1,Buzz,1996-06-17,1997-06-05\n")
	f.Fuzz(func(t *testing.T, text string) {
		releases, err := lifecycle.ReadDistroInfo(strings.NewReader(text), "x")
		for _, r := range releases {
			require.NoError(t, err)
			require.NotEmpty(t, r.Version)
		}
	})
}

func ExampleTable() {
	l := lifecycle.Table()
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	fmt.Println(l.Support(patch.Platform{OS: "debian", Version: "13.2"}, now))
	fmt.Println(l.Support(patch.Platform{OS: "debian", Version: "12.11"}, now))
	fmt.Println(l.Support(patch.Platform{OS: "macos", Version: "12.7.6"}, now))
	// Output:
	// supported
	// extended
	// ended
}
