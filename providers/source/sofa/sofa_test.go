package sofa_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/sofa"
)

func text(s string) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func newSource(t testing.TB, content string) *sofa.Source {
	t.Helper()
	s, err := sofa.New(sofa.Config{Name: "feed.json", Open: text(content)})
	require.NoError(t, err)
	return s
}

func file(t testing.TB, fsys, name string) *sofa.Source {
	t.Helper()
	s, err := sofa.New(sofa.Config{Name: name, Open: source.File(os.DirFS(fsys), name)})
	require.NoError(t, err)
	return s
}

func drain(t testing.TB, s patch.Source, q patch.Query) (patches []patch.Patch, errs []error) {
	t.Helper()
	for p, err := range s.Patches(t.Context(), q) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		patches = append(patches, p)
	}
	return patches, errs
}

// list returns the patches of a feed with all of these releases in one major version.
func list(t testing.TB, releases ...string) []patch.Patch {
	t.Helper()
	patches, errs := drain(t, newSource(t, feed(releases...)), patch.Query{})
	require.Empty(t, errs)
	return patches
}

func feed(releases ...string) string {
	return `{"OSVersions": [{"SecurityReleases": [` + strings.Join(releases, ", ") + `]}]}`
}

func release(version, more string) string {
	return fmt.Sprintf(`{"ProductName": "macOS", "ProductVersion": %q%s}`, version, more)
}

func TestSource(t *testing.T) {
	content := feed(release("15.6.1", ""), release("15.6", ""))
	providertest.Source(t, providertest.SourceHarness{
		New:  func(t *testing.T) patch.Source { return newSource(t, content) },
		Want: []patch.ID{"sofa:macOS/15.6.1", "sofa:macOS/15.6"},
		Damaged: func(t *testing.T) (patch.Source, string) {
			return newSource(t, feed(release("15.6.1", ""), release("x", ""), release("15.5", ""))), "sofa: feed.json: OSVersions 1: SecurityReleases 2: "
		},
		Broken: func(t *testing.T) patch.Source { return newSource(t, content[:len(content)-1]) },
	})
}

var update = flag.Bool("update", false, "write the golden file anew")

func TestPatches(t *testing.T) {
	var b strings.Builder
	for _, name := range []string{"v1_macos.json", "v2_macos.json", "v2_ios.json"} {
		fmt.Fprintf(&b, "# %s\n", name)
		patches, errs := drain(t, file(t, "testdata", name), patch.Query{})
		require.Empty(t, errs, name)
		for _, p := range patches {
			fmt.Fprintf(&b, "%s %q for %s %s, %s %q, %s, restart %s, reversal %s\n", p.ID, p.Title, p.Platform.OS, p.Platform.Version, p.Classification,
				p.ClassificationRaw, p.Released.Format(time.DateOnly), p.Reboot, p.Reversal)
			for _, x := range p.Packages {
				fmt.Fprintf(&b, "  %s %s from %s to %s (%s)\n", x.Ecosystem, x.Name, x.Introduced, x.Fixed, x.Fixed.Scheme)
			}
			for _, a := range p.Advisories {
				fmt.Fprintf(&b, "  %s %q %s %q, exploited %s %s, published %s\n", a.ID, a.CVEs, a.Severity, a.SeverityRaw, a.Exploited, a.KnownSince.Format(time.DateOnly), a.Published.Format(time.DateOnly))
			}
			if len(p.Supersedes)+len(p.Requires) > 0 {
				fmt.Fprintf(&b, "  supersedes %q, requires %q\n", p.Supersedes, p.Requires)
			}
			fmt.Fprintf(&b, "  %q %q\n", p.References, p.Native)
		}
	}
	path := filepath.Join("testdata", "patches.golden")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(string(want), b.String()))
}

func TestReleasesStayInTheirMajorVersion(t *testing.T) {
	patches := list(t, release("15.6.1", ""), release("14.7.8", ""), release("15.6", ""), release("15.0", ""), release("14", ""))
	got := make(map[patch.ID]string)
	for _, p := range patches {
		require.Len(t, p.Packages, 1)
		got[p.ID] = fmt.Sprint(p.Platform.Version, " ", p.Packages[0].Introduced, " ", p.Packages[0].Fixed, " ", p.Supersedes, " ", p.Classification)
	}
	require.Equal(t, map[patch.ID]string{
		"sofa:macOS/15.6.1": "15 15 15.6.1 [sofa:macOS/15.6] unknown",
		"sofa:macOS/15.6":   "15 15 15.6 [sofa:macOS/15.0] unknown",
		"sofa:macOS/15.0":   "15 15 15.0 [] feature",
		"sofa:macOS/14.7.8": "14 14 14.7.8 [sofa:macOS/14] unknown",
		"sofa:macOS/14":     "14 14 14 [] feature",
	}, got)
}

func TestVersionsAreInTheOrderOfTheirNumbers(t *testing.T) {
	patches := list(t, release("15.9", ""), release("15.10", ""), release("15.10.0", ""), release("15.1", ""))
	got := make(map[patch.ID][]patch.ID)
	for _, p := range patches {
		got[p.ID] = p.Supersedes
	}
	require.Equal(t, map[patch.ID][]patch.ID{
		"sofa:macOS/15.1": nil, "sofa:macOS/15.9": {"sofa:macOS/15.1"}, "sofa:macOS/15.10": {"sofa:macOS/15.9"}, "sofa:macOS/15.10.0": nil,
	}, got, "two spellings of one version do not supersede each other")
}

func TestTheThreeFormsOfCVEs(t *testing.T) {
	const article = `, "ReleaseDate": "2026-08-06", "SecurityInfo": "https://support.apple.com/en-us/148170", `
	for more, want := range map[string]string{
		`"CVEs": {"CVE-2026-0002": false, "CVE-2026-0001": true}`:                                             "[CVE-2026-0001 CVE-2026-0002] yes unrated",
		`"CVEs": {"CVE-2026-0002": {}, "CVE-2026-0001": {"ActivelyExploited": true, "Severity": "Critical"}}`: "[CVE-2026-0001 CVE-2026-0002] yes critical",
		`"CVEs": {"CVE-2026-0002": {"Severity": "Low"}, "CVE-2026-0001": {"Severity": "High"}}`:               "[CVE-2026-0001 CVE-2026-0002] unknown important",
		`"CVEs": ["CVE-2026-0002", "CVE-2026-0001"]`:                                                          "[CVE-2026-0001 CVE-2026-0002] unknown unrated",
		`"CVEs": ["CVE-2026-0002"], "ActivelyExploitedCVEs": ["CVE-2026-0002"]`:                               "[CVE-2026-0002] yes unrated",
		`"ActivelyExploitedCVEs": ["CVE-2026-0002"]`:                                                          "[CVE-2026-0002] yes unrated",
		`"CVEs": {"CVE-2026-0002": false, "CVE-2026-0001": false}, "ActivelyExploitedCVEs": []`:               "[CVE-2026-0001 CVE-2026-0002] unknown unrated",
	} {
		p := list(t, release("26.6.1", article+more))[0]
		require.Equal(t, patch.ClassSecurity, p.Classification)
		a := p.Advisories[0]
		require.Equal(t, "148170", a.ID)
		require.Equal(t, want, fmt.Sprint(a.CVEs, " ", a.Exploited, " ", a.Severity), more)
		require.Equal(t, a.Exploited == patch.Yes, !a.KnownSince.IsZero())
	}
	for _, more := range []string{`"CVEs": null`, `"CVEs": []`, `"CVEs": {}`, `"CVEs": null, "ActivelyExploitedCVEs": null`} {
		require.Empty(t, list(t, release("26.6.1", article+more))[0].Advisories, more)
	}
	require.Equal(t, "sofa:macOS/26.6.1", list(t, release("26.6.1", `, "CVEs": ["CVE-2026-0002"]`))[0].Advisories[0].ID, "there is no article")
}

func TestTwoRecordsOfOneVersionAreOnePatch(t *testing.T) {
	one := `, "ReleaseDate": "2023-09-26", "SecurityInfo": "https://x/1", "CVEs": {"CVE-2023-0002": true}, "Build": "21A350"`
	two := `, "UpdateName": "other", "ReleaseDate": "2023-09-21", "ReleaseType": "OS", "SecurityInfo": "https://x/1", "CVEs": {"CVE-2023-0001": {"Severity": "High"}, "CVE-2023-0002": {}}, "DeviceScope": "universal"`
	three := `, "SecurityInfo": "https://x/2", "CVEs": {"CVE-2023-0003": false}`
	patches := list(t, release("17.0.2", one), release("17.0.2", two), release("17.0.2", three))
	day := time.Date(2023, 9, 21, 0, 0, 0, 0, time.UTC)
	require.Len(t, patches, 1)
	p := patches[0]
	require.Equal(t, day, p.Released)
	require.Equal(t, "macOS 17.0.2", p.Title)
	require.Equal(t, []string{"OS"}, p.ClassificationRaw)
	require.Equal(t, []string{"https://x/1", "https://x/2"}, p.References)
	require.Equal(t, map[string]string{"build": "21A350", "builds": "21A350", "deviceScope": "universal"}, p.Native)
	require.Empty(t, cmp.Diff([]patch.Advisory{
		{ID: "1", Title: "macOS 17.0.2", CVEs: []string{"CVE-2023-0001", "CVE-2023-0002"}, Severity: patch.SeverityImportant, SeverityRaw: "High",
			Exploited: patch.Yes, Published: day, KnownSince: day, References: []string{"https://x/1"}},
		{ID: "2", Title: "macOS 17.0.2", CVEs: []string{"CVE-2023-0003"}, Published: day, References: []string{"https://x/2"}},
	}, p.Advisories))
}

func TestTheNewestReleaseMayStandAlone(t *testing.T) {
	content := `{"OSVersions": [{"SecurityReleases": [` + release("26.6.1", "") + `], "Latest": {"ProductVersion": "26.6.2", "Build": "25G83"}}]}`
	patches, errs := drain(t, newSource(t, content), patch.Query{})
	require.Empty(t, errs)
	require.Len(t, patches, 2)
	require.Equal(t, patch.ID("sofa:macOS/26.6.2"), patches[1].ID)
	require.Equal(t, []patch.ID{"sofa:macOS/26.6.1"}, patches[1].Supersedes)
	require.Equal(t, "25G83", patches[1].Native["build"])
}

func TestRapidResponses(t *testing.T) {
	rapid := func(more string) string {
		return `{"OSVersions": [{"SecurityReleases": [` + release("26.5", "") + `, ` + release("26.4", "") + `, ` + release("26.3.1", "") + `]}],
			"BackgroundSecurityImprovements": {"26": [{"Version": "26.3.1", "VersionExtra": "(a)"` + more + `}]}}`
	}
	for more, by := range map[string]patch.ID{
		``: "sofa:macOS/26.4",
		`, "SupersededBy": {"ProductVersion": "26.5"}`: "sofa:macOS/26.5",
		`, "SupersededBy": {"ProductVersion": "26.2"}`: "sofa:macOS/26.4",
		`, "SupersededBy": null, "CVEs": null`:         "sofa:macOS/26.4",
	} {
		patches, errs := drain(t, newSource(t, rapid(more)), patch.Query{})
		require.Empty(t, errs, more)
		require.Len(t, patches, 4)
		p := patches[3]
		require.Equal(t, patch.ID("sofa:macOS/26.3.1(a)"), p.ID)
		require.Empty(t, p.Packages)
		require.Equal(t, []string{"BSI"}, p.ClassificationRaw)
		require.Equal(t, patch.RebootUnknown, p.Reboot)
		require.Equal(t, patch.ReversalUnknown, p.Reversal)
		require.Equal(t, []patch.ID{"sofa:macOS/26.3.1"}, p.Requires)
		var replaced []patch.ID
		for _, o := range patches {
			if slices.Contains(o.Supersedes, p.ID) {
				replaced = append(replaced, o.ID)
			}
		}
		require.Equal(t, []patch.ID{by}, replaced, more)
	}
	// In version 1 they stood among the releases.
	patches := list(t, release("13.5", ""), release("13.4.1 (a)", `, "ReleaseType": "RSR", "CVEs": {"CVE-2023-37450": true}, "ReleaseDate": "2023-07-10T00:00:00Z"`), release("13.4.1", ""))
	require.Equal(t, patch.ID("sofa:macOS/13.4.1(a)"), patches[1].ID)
	require.Empty(t, patches[1].Packages)
	require.Equal(t, patch.ClassSecurity, patches[1].Classification)
	require.Equal(t, []patch.ID{"sofa:macOS/13.4.1", "sofa:macOS/13.4.1(a)"}, patches[0].Supersedes)
}

func TestQueryNarrowsByTheSystem(t *testing.T) {
	s := newSource(t, feed(release("26.6", ""), `{"ProductName": "iOS and iPadOS", "ProductVersion": "26.6"}`, `{"ProductName": "iPadOS", "ProductVersion": "18.6"}`))
	for os, want := range map[string]int{"": 3, "macos": 1, "ios": 2, "windows": 0} {
		patches, errs := drain(t, s, patch.Query{Platforms: []patch.Platform{{OS: os, Version: "99"}}})
		require.Empty(t, errs)
		require.Len(t, patches, want, os)
	}
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	good := []string{release("26.6.2", ""), release("26.6.1", "")}
	for bad, want := range map[string]string{
		`7`:                          "cannot unmarshal number",
		`{"ProductVersion": "26.6"}`: `field ProductName is ""`,
		`{"ProductName": "a/b:OS", "ProductVersion": "26.6"}`: `field ProductName is "a/b:OS"`,
		release("", ""):                                           `"" is no version`,
		release("26.a", ""):                                       `"26.a" is no version`,
		release("26.+1", ""):                                      `"26.+1" is no version`,
		release("26..1", ""):                                      `"26..1" is no version`,
		release("26.6 (ab)", ""):                                  `"26.6 (ab)" is no version`,
		release("26.6 (a", ""):                                    `"26.6 (a" is no version`,
		release("1.2.3.4.5", ""):                                  `"1.2.3.4.5" is no version`,
		release("99999999999999999", ""):                          `is no version`,
		release("26.6", `, "ReleaseDate": "soon"`):                `macOS 26.6: "soon" is no date`,
		release("26.6", `, "CVEs": {"CVE-1": true}`):              `macOS 26.6: no CVE is called "CVE-1"`,
		release("26.6", `, "CVEs": 7`):                            "cannot unmarshal number",
		release("26.6", `, "CVEs": {"CVE-2026-0001": "yes"}`):     "CVE-2026-0001: json: cannot unmarshal string",
		release("26.6", `, "ActivelyExploitedCVEs": ["nothing"]`): `no CVE is called "nothing"`,
	} {
		patches, errs := drain(t, newSource(t, feed(good[0], bad, good[1])), patch.Query{})
		require.Len(t, patches, 2, bad)
		require.Len(t, errs, 1, bad)
		require.ErrorIs(t, errs[0], patch.ErrRecord)
		require.ErrorContains(t, errs[0], "sofa: feed.json: OSVersions 1: SecurityReleases 2: unreadable record: ")
		require.ErrorContains(t, errs[0], want)
		require.Equal(t, []patch.ID{"sofa:macOS/26.6.1"}, patches[0].Supersedes)
	}
	for content, want := range map[string]string{
		`{"OSVersions": [{"SecurityReleases": 7}, {"SecurityReleases": [` + good[0] + `]}]}`:                                             "OSVersions 1: unreadable record: ",
		`{"OSVersions": [{}, {"SecurityReleases": [` + good[0] + `]}]}`:                                                                  `OSVersions 1: unreadable record: an object without a field ["SecurityReleases"]`,
		`{"OSVersions": [{"SecurityReleases": [` + good[0] + `], "Latest": {"ProductVersion": "x"}}]}`:                                   `OSVersions 1: Latest: unreadable record: "x" is no version`,
		`{"OSVersions": [{"SecurityReleases": [` + good[0] + `]}], "BackgroundSecurityImprovements": 7}`:                                 "BackgroundSecurityImprovements: unreadable record: ",
		`{"OSVersions": [{"SecurityReleases": [` + good[0] + `]}], "BackgroundSecurityImprovements": {"26": [7]}}`:                       `BackgroundSecurityImprovements "26" 1: unreadable record: `,
		`{"OSVersions": [{"SecurityReleases": [` + good[0] + `]}], "BackgroundSecurityImprovements": {"26": [{"Version": "26.6"}]}}`:     `"26.6" is no rapid response`,
		`{"OSVersions": [{"SecurityReleases": [` + good[0] + `]}], "BackgroundSecurityImprovements": {"26": [{"VersionExtra": "(a)"}]}}`: `"(a)" is no version`,
	} {
		patches, errs := drain(t, newSource(t, content), patch.Query{})
		require.Len(t, patches, 1, content)
		require.Len(t, errs, 1, content)
		require.ErrorIs(t, errs[0], patch.ErrRecord)
		require.ErrorContains(t, errs[0], want)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	gone := errors.New("gone")
	for name, row := range map[string]struct {
		open source.Opener
		is   error
		want string
	}{
		"missing":             {func() (io.ReadCloser, error) { return nil, gone }, gone, "sofa: feed: gone"},
		"empty":               {text(""), io.ErrUnexpectedEOF, ""},
		"cut off":             {text(feed(release("26.6", ""))[:60]), io.ErrUnexpectedEOF, ""},
		"Safari":              {text(`{"AppVersions": []}`), nil, `without a field ["OSVersions"]`},
		"a page":              {text("<html>"), nil, "invalid character"},
		"too many":            {text(feed("{}", "{}", "{}", "{}")), source.ErrTooLarge, "more than 3 re"},
		"too many in several": {text(`{"OSVersions": [{"SecurityReleases": [{}, {}]}, {"SecurityReleases": [{}, {}]}]}`), source.ErrTooLarge, "more than 3 releases"},
		"too many responses":  {text(`{"OSVersions": [], "BackgroundSecurityImprovements": {"26": [7,7,7,7]}}`), source.ErrTooLarge, "more than 3 releases"},
		"large responses":     {text(`{"OSVersions": [], "BackgroundSecurityImprovements": "` + strings.Repeat("x", 5<<20) + `"}`), source.ErrTooLarge, "more than 4194304 bytes"},
		"larger than allowed": {text(feed() + strings.Repeat(" ", 6<<20)), source.ErrTooLarge, ""},
		"broken":              {func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(gone)), nil }, gone, ""},
	} {
		s, err := sofa.New(sofa.Config{Open: row.open, Limits: source.Limits{Records: 3, Bytes: 6 << 20}})
		require.NoError(t, err)
		patches, errs := drain(t, s, patch.Query{})
		require.Empty(t, patches, name)
		require.Len(t, errs, 1, name)
		require.ErrorContains(t, errs[0], "sofa: feed: ", name)
		require.ErrorContains(t, errs[0], row.want, name)
		if row.is != nil {
			require.ErrorIs(t, errs[0], row.is, name)
		}
		require.NotErrorIs(t, errs[0], patch.ErrRecord, name)
	}
	_, err := sofa.New(sofa.Config{})
	require.EqualError(t, err, "sofa: config: Open is required")
}

// Every release of the captured feeds becomes a patch.
func TestCapturedFeeds(t *testing.T) {
	folder := need.Shared(t, "feeds", "apple-sofa")
	for name, want := range map[string]struct{ patches, exploited, rapid int }{
		"v1_macos_data_feed.json": {126, 54, 0}, "v2_macos_data_feed.json": {128, 54, 2}, "v1_ios_data_feed.json": {70, 24, 0}, "v2_ios_data_feed.json": {71, 23, 1},
	} {
		patches, errs := drain(t, file(t, folder, name), patch.Query{})
		require.Empty(t, errs, name)
		got := want
		got.patches, got.exploited, got.rapid = len(patches), 0, 0
		for i := range patches {
			if patches[i].Exploited() == patch.Yes {
				got.exploited++
			}
			if len(patches[i].Packages) == 0 {
				got.rapid++
			}
			require.False(t, patches[i].Released.IsZero(), patches[i].ID)
		}
		require.Equal(t, want, got, name)
		c, err := patch.NewCatalog(patches)
		require.NoError(t, err)
		require.Equal(t, c.Newest(patches[len(patches)-want.rapid-1].ID), c.Newest(patches[len(patches)-want.rapid-2].ID), "the oldest lead to the newest")
	}
	s := file(t, folder, "v2_safari_data_feed.json")
	_, errs := drain(t, s, patch.Query{})
	require.Len(t, errs, 1)
}

func FuzzPatches(f *testing.F) {
	for _, name := range []string{"v1_macos.json", "v2_macos.json", "v2_ios.json"} {
		content, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(f, err)
		f.Add(string(content))
	}
	f.Add(feed(release("26.6 (a)", ""), release("26", `, "CVEs": {"CVE-2026-0001": true}`)))
	f.Fuzz(func(t *testing.T, content string) {
		patches, errs := drain(t, newSource(t, content), patch.Query{})
		for i, err := range errs {
			require.True(t, i == len(errs)-1 || errors.Is(err, patch.ErrRecord))
		}
		c, err := patch.NewCatalog(patches)
		require.NoError(t, err)
		for p := range c.All() {
			require.NotContains(t, p.Supersedes, p.ID)
			require.Equal(t, "sofa", p.ID.Source())
			require.Equal(t, p.Exploited() == patch.Yes && !p.Released.IsZero(), len(p.Advisories) > 0 && !p.Advisories[0].KnownSince.IsZero())
		}
	})
}

// A release is for its own major version.
func ExampleNew() {
	s, _ := sofa.New(sofa.Config{Open: source.File(os.DirFS("testdata"), "v2_macos.json")})
	for p, err := range s.Patches(context.Background(), patch.Query{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if p.Exploited() == patch.Yes {
			of := p.Packages[0]
			fmt.Println(p.ID, "for", of.Introduced, "up to", of.Fixed, "build", p.Native["build"], "supersedes", p.Supersedes)
		}
	}
	// Output:
	// sofa:macOS/26.6.1 for 26 up to 26.6.1 build 25G76 supersedes [sofa:macOS/26.5.1]
	// sofa:macOS/15.7.9 for 15 up to 15.7.9 build 24G830 supersedes [sofa:macOS/15.7.8]
	// sofa:macOS/15.6.1 for 15 up to 15.6.1 build  supersedes []
}
