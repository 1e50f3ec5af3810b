package winget_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/winget"
)

func text(s string) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func newSource(t testing.TB, c winget.Config) *winget.Source {
	t.Helper()
	s, err := winget.New(c)
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

const sum = "65db2f2ac2686c7f2fd69d4a4c6683b888dc55bfa20a0e32ca9f838b51689a3b"

// folder makes a file system of files.
func folder(files map[string]string) fs.FS {
	fsys := fstest.MapFS{}
	for name, content := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return fsys
}

// manifest is a single file with one installer.
func manifest(id, to, more string) string {
	return fmt.Sprintf("PackageIdentifier: %s\nPackageVersion: %s\nManifestType: singleton\nManifestVersion: 1.6.0\nInstallers:\n- Architecture: x64\n  InstallerUrl: https://example.com/x.exe\n  InstallerSha256: %s\n%s",
		id, to, strings.ToUpper(sum), more)
}

func part(kind, more string) string {
	return "PackageIdentifier: A.B\nPackageVersion: 1.10\nManifestVersion: 1.6.0\nManifestType: " + kind + "\n" + more
}

const installers = "Installers:\n- Architecture: x64\n  InstallerUrl: https://example.com/x.exe\n"

func entry(id, to string) string {
	return fmt.Sprintf(`{"Name": "name", "PackageId": %q, "Version": %q}`, id, to)
}

func TestSourceOfManifests(t *testing.T) {
	files := map[string]string{"a/A.B.yaml": manifest("A.B", "1.0", ""), "c/C.D.yaml": manifest("C.D", "2.0", "")}
	providertest.Source(t, providertest.SourceHarness{
		New:  func(t *testing.T) patch.Source { return newSource(t, winget.Config{Manifests: folder(files)}) },
		Want: []patch.ID{"winget:A.B=1.0", "winget:C.D=2.0"},
		Damaged: func(t *testing.T) (patch.Source, string) {
			return newSource(t, winget.Config{Manifests: folder(map[string]string{"a/A.B.yaml": "{", "c/C.D.yaml": files["c/C.D.yaml"]})}), "winget: catalogue: a/A.B.yaml: "
		},
		Broken: func(t *testing.T) patch.Source {
			return newSource(t, winget.Config{Manifests: os.DirFS("testdata/nothing")})
		},
	})
}

func TestSourceOfAnIndex(t *testing.T) {
	content := "[" + entry("A.B", "1.0") + "," + entry("C.D", "2.0") + "]"
	providertest.Source(t, providertest.SourceHarness{
		New:  func(t *testing.T) patch.Source { return newSource(t, winget.Config{Index: text(content)}) },
		Want: []patch.ID{"winget:A.B=1.0", "winget:C.D=2.0"},
		Damaged: func(t *testing.T) (patch.Source, string) {
			return newSource(t, winget.Config{Name: "community", Index: text("[7," + entry("A.B", "1.0") + "]")}), "winget: community: index: entry 1: "
		},
		Broken: func(t *testing.T) patch.Source {
			return newSource(t, winget.Config{Index: text(content[:len(content)-1])})
		},
	})
}

func TestManifests(t *testing.T) {
	patches, errs := drain(t, newSource(t, winget.Config{Manifests: os.DirFS("testdata/manifests")}), patch.Query{})
	require.Empty(t, errs)
	require.Len(t, patches, 2)
	fixed := func(v string) version.Version { return version.Version{Scheme: "winget", Text: v} }
	require.Empty(t, cmp.Diff(patch.Patch{
		ID:       "winget:AppInstallerCliTest.ExpectedReturnCodes=2.0.0.0",
		Title:    "TestExeInstallerWithExpectedReturnCodes 2.0.0.0",
		Platform: patch.Platform{OS: "windows"},
		Reboot:   patch.RebootMaybe,
		Packages: []patch.Package{{Ecosystem: "winget", Name: "AppInstallerCliTest.ExpectedReturnCodes", Fixed: fixed("2.0.0.0"),
			Artefacts: []patch.Artefact{{Name: "https://ThisIsNotUsed", Digest: "sha256:" + sum}}}},
		Native: map[string]string{winget.NativeArchitectures: "x86"},
	}, patches[0]))

	const other = "69d84ca8899800a5575ce31798293cd4febab1d734a07c2e51e56a28e0df8c82"
	p := patches[1]
	require.Equal(t, patch.ID("winget:microsoft.msixsdk=1.7.32"), p.ID)
	require.Equal(t, "MSIX SDK 1.7.32", p.Title)
	require.Equal(t, time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC), p.Released, "the earliest of its installers")
	require.Equal(t, patch.RebootUnknown, p.Reboot)
	require.Equal(t, patch.ClassUnknown, p.Classification)
	require.Equal(t, []string{"https://DefaultReleaseNotes.net", "https://www.microsoft.com/msixsdk/home"}, p.References)
	require.Equal(t, []patch.Artefact{
		{Name: "https://www.microsoft.com/msixsdk/msixsdkx86.msix", Digest: "sha256:" + other},
		{Name: "https://www.microsoft.com/msixsdk/msixsdkx64.exe", Digest: "sha256:" + other},
	}, p.Packages[0].Artefacts[:2])
	require.Equal(t, map[string]string{
		winget.NativeProductCodes: "{Foo}\nProductCode\n{Bar}", winget.NativeUpgradeCodes: "UpgradeCode", winget.NativeDisplayVersions: "DisplayVersion",
		winget.NativePackageFamilies: "Microsoft.DesktopAppInstallerPreview_8wekyb3d8bbwe\nMicrosoft.DesktopAppInstaller_8wekyb3d8bbwe",
		winget.NativeArchitectures:   "x86\nx64", winget.NativeUpgradeBehavior: "install\nuninstallPrevious",
	}, p.Native)
}

func TestTextsStayAsTheyAreWritten(t *testing.T) {
	for _, to := range []string{"1.10", "2024", "0x10", "1e3", "2024-01-01", "true", "1_000", "10.0-beta+1", "Build 7"} {
		patches, errs := drain(t, newSource(t, winget.Config{Manifests: folder(map[string]string{"a.yaml": manifest("A.B", to, "")})}), patch.Query{})
		require.Empty(t, errs, to)
		require.Equal(t, to, patches[0].Packages[0].Fixed.Text)
	}
}

func TestWhatGoesForAllInstallers(t *testing.T) {
	patches, errs := drain(t, newSource(t, winget.Config{Manifests: folder(map[string]string{"a.yml": `
PackageIdentifier: A.B
PackageVersion: "1"
ManifestType: merged
ManifestVersion: 1.6.0
ProductCode: all
ReleaseDate: 2024-05-02
AppsAndFeaturesEntries:
- UpgradeCode: upgrade
ExpectedReturnCodes:
- InstallerReturnCode: 3010
  ReturnResponse: rebootRequiredToFinish
Installers:
- Architecture: x64
  ProductCode: own
  ReleaseDate: 2024-05-01
  AppsAndFeaturesEntries: []
  ExpectedReturnCodes: []
- Architecture: arm64
  InstallerUrl: https://example.com/x.exe
- Architecture: arm64
  InstallerUrl: https://example.com/x.exe
`})}), patch.Query{})
	require.Empty(t, errs)
	p := patches[0]
	require.Equal(t, "own\nall", p.Native[winget.NativeProductCodes])
	require.Equal(t, "upgrade", p.Native[winget.NativeUpgradeCodes])
	require.Equal(t, "2024-05-01", p.Released.Format(time.DateOnly))
	require.Equal(t, patch.RebootMaybe, p.Reboot)
	require.Equal(t, []patch.Artefact{{Name: "https://example.com/x.exe"}}, p.Packages[0].Artefacts, "the store has no files, and a file stands once")
	require.Equal(t, "A.B 1", p.Title, "no file names it")
}

func TestRestartsAreWhatReturnCodesSay(t *testing.T) {
	for response, want := range map[string]patch.Reboot{
		"rebootRequiredToFinish": patch.RebootMaybe, "rebootRequiredForInstall": patch.RebootMaybe, "rebootInitiated": patch.RebootMaybe,
		"packageInUse": patch.RebootUnknown, "": patch.RebootUnknown,
	} {
		more := "  ExpectedReturnCodes:\n  - InstallerReturnCode: 1\n    ReturnResponse: " + response + "\n"
		patches, errs := drain(t, newSource(t, winget.Config{Manifests: folder(map[string]string{"a.yaml": manifest("A.B", "1", more)})}), patch.Query{})
		require.Empty(t, errs)
		require.Equal(t, want, patches[0].Reboot, response)
	}
}

func TestAManifestWinsOverTheIndex(t *testing.T) {
	s := newSource(t, winget.Config{
		Manifests: folder(map[string]string{"a.yaml": manifest("A.B", "1", "")}),
		Index:     text("[" + entry("A.B", "1") + "," + entry("A.B", "2") + "]"),
	})
	patches, errs := drain(t, s, patch.Query{})
	require.Empty(t, errs)
	require.Len(t, patches, 2)
	require.Len(t, patches[0].Packages[0].Artefacts, 1)
	require.Equal(t, patch.ID("winget:A.B=2"), patches[1].ID)
	require.Empty(t, patches[1].Packages[0].Artefacts)
}

func TestQueryNarrowsByTheSystem(t *testing.T) {
	s := newSource(t, winget.Config{Index: text("[" + entry("A.B", "1") + "]")})
	for os, want := range map[string]int{"": 1, "windows": 1, "macos": 0} {
		patches, errs := drain(t, s, patch.Query{Platforms: []patch.Platform{{OS: os, Version: "10"}}})
		require.Empty(t, errs)
		require.Len(t, patches, want, os)
	}
}

func TestManifestsThatCannotBeRead(t *testing.T) {
	// Every installer has the same thousand entries.
	bomb := "PackageIdentifier: A.B\nPackageVersion: 1\nManifestType: singleton\nManifestVersion: 1.6.0\nEntries: &all\n" +
		strings.Repeat("- UpgradeCode: x\n", 1000) + "Installers:\n" + strings.Repeat("- AppsAndFeaturesEntries: *all\n", 10000)
	for name, row := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no YAML":               {map[string]string{"b.yaml": "\t{"}, "b.yaml: unreadable record: yaml: "},
		"an empty file":         {map[string]string{"b.yaml": ""}, "b.yaml: unreadable record: unexpected EOF"},
		"a list":                {map[string]string{"b.yaml": "[]"}, "b.yaml: unreadable record: yaml: "},
		"two documents":         {map[string]string{"b.yaml": manifest("A.B", "1", "") + "---\n{}\n"}, "more than one document"},
		"an old format":         {map[string]string{"b.yaml": "Id: A.B\nManifestVersion: 0.1.0\n"}, `ManifestVersion is "0.1.0", want 1.x`},
		"no format":             {map[string]string{"b.yaml": "Id: A.B\n"}, `ManifestVersion is "", want 1.x`},
		"another type":          {map[string]string{"b.yaml": part("shadow", "")}, `b.yaml: ManifestType is "shadow"`},
		"no installers":         {map[string]string{"b.yaml": part("version", ""), "c.yaml": part("defaultLocale", "")}, "b.yaml: unreadable record: A.B 1.10 has no installers"},
		"an empty list of them": {map[string]string{"b.yaml": part("installer", "Installers: []\n")}, "A.B 1.10 has no installers"},
		"installers twice":      {map[string]string{"b.yaml": part("installer", installers), "c.yaml": part("installer", installers)}, "b.yaml: unreadable record: c.yaml: a second file of type installer"},
		"locales twice":         {map[string]string{"b.yaml": part("defaultLocale", ""), "c.yaml": part("defaultLocale", ""), "d.yaml": part("installer", installers)}, "a second file of type defaultLocale"},
		"a bad name":            {map[string]string{"b.yaml": manifest("Firefox", "1", "")}, `no package is called "Firefox"`},
		"a bad version":         {map[string]string{"b.yaml": manifest("A.B", `"1/2"`, "")}, `A.B: "1/2" is no version`},
		"a bad hash":            {map[string]string{"b.yaml": manifest("A.B", "1", "- InstallerSha256: 12\n")}, `winget:A.B=1: installer 2: InstallerSha256 is "12"`},
		"a bad day":             {map[string]string{"b.yaml": manifest("A.B", "1", "ReleaseDate: soon\n")}, `winget:A.B=1: installer 1: ReleaseDate is "soon"`},
		"a large file":          {map[string]string{"b.yaml": strings.Repeat("#", 1<<20+1)}, "a file of more than 1048576 bytes: larger than allowed"},
		"a bomb":                {map[string]string{"b.yaml": bomb}, "excessive aliasing"},
		"many faults":           {map[string]string{"b.yaml": part("installer", "Installers: ["+strings.Repeat("7, ", 99)+"7]\n")}, "into winget.installer, and 99 more"},
		"a deep one":            {map[string]string{"b.yaml": strings.Repeat("[", 100000)}, "b.yaml: unreadable record: "},
		"the same again":        {map[string]string{"b.yaml": manifest("Z.Z", "1", "")}, "b.yaml: unreadable record: winget:Z.Z=1 is listed already"},
	} {
		t.Run(name, func(t *testing.T) {
			row.files["a.yaml"], row.files["z.yaml"] = manifest("Z.Z", "1", ""), manifest("Z.Z", "2", "")
			row.files["readme.md"] = "nothing"
			patches, errs := drain(t, newSource(t, winget.Config{Manifests: folder(row.files)}), patch.Query{})
			require.Len(t, patches, 2)
			require.Len(t, errs, 1)
			require.ErrorIs(t, errs[0], patch.ErrRecord)
			require.ErrorContains(t, errs[0], "winget: catalogue: ")
			require.ErrorContains(t, errs[0], row.want)
			require.Less(t, len(errs[0].Error()), 500)
		})
	}
}

func TestNamesAndVersions(t *testing.T) {
	long := strings.Repeat("é", 32)
	for _, row := range []struct {
		id, to string
		want   bool
	}{
		{"Mozilla.Firefox", "139.0", true}, {"a.b.c.d.e.f.g.h", "1", true}, {long + ".b", strings.Repeat("1", 128), true}, {"a.b", "1.0 (x64)", true},
		{"a.b.c.d.e.f.g.h.i", "1", false}, {long + "e.b", "1", false}, {"a..b", "1", false}, {".a.b", "1", false}, {"a.b.", "1", false}, {"a", "1", false},
		{"a b.c", "1", false}, {"a/b.c", "1", false}, {"a:b.c", "1", false}, {"a\n.c", "1", false}, {"a\xff.c", "1", false}, {"", "1", false},
		{strings.Repeat("a.", 999) + "a", "1", false},
		{"a.b", "", false}, {"a.b", " 1", false}, {"a.b", "1 ", false}, {"a.b", "1\n", false}, {"a.b", "1?", false}, {"a.b", strings.Repeat("1", 129), false},
	} {
		patches, errs := drain(t, newSource(t, winget.Config{Index: text("[" + entry(row.id, row.to) + "]")}), patch.Query{})
		require.Equal(t, row.want, len(patches) == 1, "%q %q", row.id, row.to)
		require.Equal(t, !row.want, len(errs) == 1, "%q %q", row.id, row.to)
	}
}

func TestEntriesThatCannotBeRead(t *testing.T) {
	for bad, want := range map[string]string{
		`7`:               "cannot unmarshal number",
		`{}`:              `no package is called ""`,
		entry("A.B", "1"): "winget:A.B=1 is listed already",
		`{"PackageId": "C.D", "Version": "1", "LastUpdate": "now"}`: `winget:C.D=1: field LastUpdate is "now"`,
	} {
		patches, errs := drain(t, newSource(t, winget.Config{Index: text("[" + entry("A.B", "1") + "," + bad + "," + entry("A.B", "2") + "]")}), patch.Query{})
		require.Len(t, patches, 2, bad)
		require.Len(t, errs, 1, bad)
		require.ErrorIs(t, errs[0], patch.ErrRecord)
		require.ErrorContains(t, errs[0], "winget: catalogue: index: entry 2: ")
		require.ErrorContains(t, errs[0], want)
	}
}

func TestCataloguesThatCannotBeRead(t *testing.T) {
	gone := errors.New("gone")
	deep := strings.Repeat("d/", 17) + "a.yaml"
	for name, row := range map[string]struct {
		config winget.Config
		is     error
		want   string
	}{
		"no folder":        {winget.Config{Manifests: os.DirFS("testdata/nothing")}, fs.ErrNotExist, ""},
		"too many files":   {winget.Config{Manifests: folder(map[string]string{"a.yaml": "", "b.yaml": "", "c.yaml": "", "d.yaml": ""})}, source.ErrTooLarge, "more than 3 files"},
		"too deep":         {winget.Config{Manifests: folder(map[string]string{deep: manifest("A.B", "1", "")})}, source.ErrTooLarge, "more than 16 folders deep"},
		"a missing index":  {winget.Config{Index: func() (io.ReadCloser, error) { return nil, gone }}, gone, "index: gone"},
		"an empty index":   {winget.Config{Index: text("")}, io.ErrUnexpectedEOF, "index: "},
		"too many entries": {winget.Config{Index: text("[{},{},{},{}]")}, source.ErrTooLarge, "more than 3 records"},
		"a broken index":   {winget.Config{Index: func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(gone)), nil }}, gone, "index: "},
		"a large index":    {winget.Config{Index: text("[" + strings.Repeat(" ", 9999) + "]")}, source.ErrTooLarge, "index: "},
	} {
		row.config.Limits = source.Limits{Records: 3, Bytes: 9999}
		_, errs := drain(t, newSource(t, row.config), patch.Query{})
		require.NotEmpty(t, errs, name)
		err := errs[len(errs)-1]
		require.ErrorIs(t, err, row.is, name)
		require.ErrorContains(t, err, "winget: catalogue: ", name)
		require.ErrorContains(t, err, row.want, name)
		require.NotErrorIs(t, err, patch.ErrRecord, name)
	}
	_, err := winget.New(winget.Config{})
	require.EqualError(t, err, "winget: config: Manifests or Index is required")
	patches, errs := drain(t, newSource(t, winget.Config{Manifests: folder(map[string]string{strings.Repeat("d/", 16) + "a.yaml": manifest("A.B", "1", "")})}), patch.Query{})
	require.Empty(t, errs)
	require.Len(t, patches, 1)
}

func TestCapturedCatalogue(t *testing.T) {
	feed := os.DirFS(need.Shared(t, "feeds", "winget"))
	patches, errs := drain(t, newSource(t, winget.Config{Index: source.File(feed, "winget-pkgs-index.v2.json.xz")}), patch.Query{})
	require.Empty(t, errs)
	require.Len(t, patches, 14585)
	for i := range patches {
		require.False(t, patches[i].Modified.IsZero())
	}

	// Winget's own tests: many are of one version, and some of the format 0.1.
	manifests, err := fs.Sub(feed, "winget-cli-testdata")
	require.NoError(t, err)
	patches, errs = drain(t, newSource(t, winget.Config{Manifests: manifests}), patch.Query{})
	why := make(map[string]int)
	for _, err := range errs {
		switch {
		case strings.Contains(err.Error(), "is listed already"):
			why["again"]++
		case errors.Is(err, errors.ErrUnsupported):
			why["0.1"]++
		default:
			why[err.Error()]++
		}
	}
	require.Equal(t, map[string]int{"0.1": 16, "again": 14}, why)
	require.Len(t, patches, 22)
}

func FuzzManifest(f *testing.F) {
	f.Add(manifest("A.B", "1.0", "ReleaseDate: 2024-01-01\n"), part("locale", "PackageName: x\n"))
	f.Add(part("installer", installers), part("defaultLocale", "PackageName: x\n"))
	f.Add("a: &a [x]\nb: *a\n<<: *a\n", "!!binary x")
	f.Fuzz(func(t *testing.T, one, two string) {
		patches, errs := drain(t, newSource(t, winget.Config{Manifests: folder(map[string]string{"a.yaml": one, "b/b.yaml": two, "b/c.yaml": one})}), patch.Query{})
		for _, err := range errs {
			require.ErrorIs(t, err, patch.ErrRecord)
		}
		_, err := patch.NewCatalog(patches)
		require.NoError(t, err)
	})
}

func FuzzIndex(f *testing.F) {
	f.Add("[" + entry("A.B", "1.0") + "]")
	f.Add(`[{"PackageId": "A.B", "Version": "1", "LastUpdate": "2026-08-12T20:44:35.3075248+00:00"}, 7]`)
	f.Fuzz(func(t *testing.T, content string) {
		patches, errs := drain(t, newSource(t, winget.Config{Index: text(content)}), patch.Query{})
		for i, err := range errs {
			require.True(t, i == len(errs)-1 || errors.Is(err, patch.ErrRecord))
		}
		_, err := patch.NewCatalog(patches)
		require.NoError(t, err)
	})
}

// Of what has a manifest the files are known, of the rest the version alone.
func ExampleNew() {
	s, _ := winget.New(winget.Config{Manifests: os.DirFS("testdata/manifests/a"), Index: source.File(os.DirFS("testdata"), "index.json")})
	for p, err := range s.Patches(context.Background(), patch.Query{}) {
		fmt.Println(p.ID, "restart:", p.Reboot, "files:", len(p.Packages[0].Artefacts), err)
	}
	// Output:
	// winget:AppInstallerCliTest.ExpectedReturnCodes=2.0.0.0 restart: maybe files: 1 <nil>
	// winget:7zip.7zip=26.02 restart: unknown files: 0 <nil>
	// winget:Git.Git=2.55.0.3 restart: unknown files: 0 <nil>
	// winget:Mozilla.Firefox=153.0.4 restart: unknown files: 0 <nil>
}
