package alpine_test

import (
	"archive/tar"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/alpine"
)

func text(s string) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

// database returns a file of v3.18 main with some packages.
func database(packages ...string) string {
	return `{"distroversion": "v3.18", "reponame": "main", "packages": [` + strings.Join(packages, ",\n") + `]}`
}

func pkg(name, fixes string) string {
	return `{"pkg": {"name": "` + name + `", "secfixes": {` + fixes + `}}}`
}

func newSource(t testing.TB, files ...alpine.File) *alpine.Source {
	t.Helper()
	s, err := alpine.New(alpine.Config{Files: files})
	require.NoError(t, err)
	return s
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

func list(t testing.TB, content string) (patches []patch.Patch, errs []string) {
	t.Helper()
	return drain(t, newSource(t, alpine.File{Name: "main.json", Open: text(content)}), patch.Query{})
}

func TestSource(t *testing.T) {
	content := database(pkg("a", `"1-r0": ["CVE-2024-1234"], "2-r0": ["CVE-2024-1235"]`), pkg("b", `"0": ["CVE-2024-1236"]`))
	providertest.Source(t, providertest.SourceHarness{
		New: func(t *testing.T) patch.Source {
			return newSource(t, alpine.File{Open: text(content)}, alpine.File{Open: text(strings.Replace(content, "main", "community", 1))})
		},
		Want: []patch.ID{"alpine:v3.18/main/a=1-r0", "alpine:v3.18/main/a=2-r0", "alpine:v3.18/main/b=0", "alpine:v3.18/community/a=1-r0"},
		Damaged: func(t *testing.T) (patch.Source, string) {
			return newSource(t, alpine.File{Name: "main.json", Open: text(database(pkg("a", `"1-r0": []`), pkg("b", `"1-r0": 7`), pkg("c", `"1-r0": []`)))}),
				"alpine: main.json: packages[1]: "
		},
		Broken: func(t *testing.T) patch.Source {
			return newSource(t, alpine.File{Open: text(content)}, alpine.File{Open: text(content[:len(content)-2])})
		},
	})
}

func TestPatches(t *testing.T) {
	f, err := os.ReadFile(filepath.Join("testdata", "main.json"))
	require.NoError(t, err)
	patches, errs := list(t, string(f))
	require.Empty(t, errs)
	var b strings.Builder
	for _, p := range patches {
		require.Equal(t, patch.ClassSecurity, p.Classification)
		require.Equal(t, patch.Platform{OS: "alpine", Version: "3.18"}, p.Platform)
		fmt.Fprintf(&b, "%s: %s\n", p.ID, p.Title)
		for _, x := range p.Packages {
			require.Equal(t, version.Scheme("apk"), x.Fixed.Scheme)
			require.Empty(t, x.Name)
			fmt.Fprintf(&b, "  %s <%s %s %q\n", x.Ecosystem, x.Source, x.Fixed, x.Origins)
		}
		for _, x := range p.Unaffected {
			fmt.Fprintf(&b, "  unaffected: %s <%s\n", x.Ecosystem, x.Source)
		}
		for _, a := range p.Advisories {
			fmt.Fprintf(&b, "  %s %q %q\n", a.ID, a.CVEs, a.Title)
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

func TestNamesOfWhatIsFixed(t *testing.T) {
	for text, want := range map[string]patch.Advisory{
		"CVE-2016-9932":                            {ID: "CVE-2016-9932", CVEs: []string{"CVE-2016-9932"}},
		"CVE-2018-3639   XSA-263":                  {ID: "CVE-2018-3639", CVEs: []string{"CVE-2018-3639"}, Title: "CVE-2018-3639 XSA-263"},
		"CVE-2020-11740 CVE-2020-11741 XSA-313":    {ID: "CVE-2020-11740", CVEs: []string{"CVE-2020-11740", "CVE-2020-11741"}, Title: "CVE-2020-11740 CVE-2020-11741 XSA-313"},
		"GNUTLS-SA-2020-03-31 CVE-2020-11501":      {ID: "CVE-2020-11501", CVEs: []string{"CVE-2020-11501"}, Title: "GNUTLS-SA-2020-03-31 CVE-2020-11501"},
		"CVE-2020-11501 CVE-2020-11501":            {ID: "CVE-2020-11501", CVEs: []string{"CVE-2020-11501"}, Title: "CVE-2020-11501 CVE-2020-11501"},
		"CVE-2017-2616 (+ regression fix)":         {ID: "CVE-2017-2616", CVEs: []string{"CVE-2017-2616"}, Title: "CVE-2017-2616 (+ regression fix)"},
		"CVE-2021-35940.patch":                     {ID: "CVE-2021-35940", CVEs: []string{"CVE-2021-35940"}, Title: "CVE-2021-35940.patch"},
		"CVE-????-????? XSA-312":                   {ID: "XSA-312", Title: "CVE-????-????? XSA-312"},
		"CVE N/A ZBX-11023":                        {ID: "ZBX-11023", Title: "CVE N/A ZBX-11023"},
		"XSA-207":                                  {ID: "XSA-207"},
		"CVE-46838":                                {ID: "CVE-46838"},
		"CVE_2019-2426":                            {ID: "CVE_2019-2426"},
		"CVE-2017-17434-1":                         {ID: "CVE-2017-17434", CVEs: []string{"CVE-2017-17434"}, Title: "CVE-2017-17434-1"},
		"CVE-2020-123":                             {ID: "CVE-2020-123"},
		"something that nobody has given a number": {ID: "something that nobody has given a number"},
	} {
		patches, errs := list(t, database(pkg("a", `"1-r0": ["`+text+`", " "]`)))
		require.Empty(t, errs)
		require.Empty(t, cmp.Diff([]patch.Advisory{want}, patches[0].Advisories), text)
	}
}

func TestEcosystemAndPlatform(t *testing.T) {
	for name, row := range map[string]struct {
		file, ecosystem string
		id              patch.ID
		want            string
		platform        patch.Platform
	}{
		"a release": {database(pkg("a", `"1-r0": []`)), "", "alpine:v3.18/main/a=1-r0", "Alpine:v3.18", patch.Platform{OS: "alpine", Version: "3.18"}},
		"edge":      {strings.Replace(database(pkg("a", `"1-r0": []`)), "v3.18", "edge", 1), "", "alpine:edge/main/a=1-r0", "Alpine:edge", patch.Platform{OS: "alpine"}},
		"Wolfi":     {`{"reponame": "os", "packages": [` + pkg("a", `"1-r0": []`) + `]}`, "Wolfi", "wolfi:os/a=1-r0", "Wolfi", patch.Platform{}},
		"renamed":   {database(pkg("a", `"1-r0": []`)), "Alpine:3.18", "alpine:v3.18/main/a=1-r0", "Alpine:3.18", patch.Platform{OS: "alpine", Version: "3.18"}},
	} {
		t.Run(name, func(t *testing.T) {
			patches, errs := drain(t, newSource(t, alpine.File{Open: text(row.file), Ecosystem: row.ecosystem}), patch.Query{})
			require.Empty(t, errs)
			require.Equal(t, row.id, patches[0].ID)
			require.Equal(t, row.want, patches[0].Packages[0].Ecosystem)
			require.Equal(t, row.platform, patches[0].Platform)
		})
	}
}

func TestPlatformsNarrow(t *testing.T) {
	s := newSource(t, alpine.File{Open: text(database(pkg("a", `"1-r0": []`)))})
	for version, want := range map[string]int{"3.18": 1, "3.18.4": 1, "3": 1, "": 1, "3.1": 0, "3.19.1": 0} {
		patches, errs := drain(t, s, patch.Query{Platforms: []patch.Platform{{OS: "alpine", Version: version}}})
		require.Empty(t, errs)
		require.Len(t, patches, want, version)
	}
	patches, _ := drain(t, s, patch.Query{Platforms: []patch.Platform{{OS: "debian"}}})
	require.Empty(t, patches)
}

func TestWhatIsFreeOfACVEIsSaidToBe(t *testing.T) {
	patches, errs := list(t, database(pkg("a", `"0": ["CVE-2024-1234"], "2-r0": ["CVE-2024-1235"]`)))
	require.Empty(t, errs)
	c, err := patch.NewCatalog(patches)
	require.NoError(t, err)
	id, free := c.Unaffected("Alpine:v3.18", "a", "CVE-2024-1234")
	require.True(t, free)
	require.Equal(t, patch.ID("alpine:v3.18/main/a=0"), id)
	_, free = c.Unaffected("Alpine:v3.18", "a", "CVE-2024-1235")
	require.False(t, free)
	require.Len(t, c.BySource("Alpine:v3.18", "a"), 1, "0 is no version")
}

func TestPackagesThatCannotBeRead(t *testing.T) {
	for damaged, want := range map[string]string{
		`7`:                                      "cannot unmarshal number",
		`{}`:                                     `the name is ""`,
		pkg("a/b", ""):                           `the name is "a/b"`,
		pkg("a", `"": []`):                       `a: the version is ""`,
		pkg("a", `"1 r0": []`):                   `a: the version is "1 r0"`,
		pkg("a", `"1-r0": "CVE-2024-1234"`):      `secfixes of "1-r0"`,
		`{"pkg": {"name": "a", "secfixes": []}}`: `secfixes is "[]"`,
		pkg("a", `"1-r0": [`+strings.Repeat(`"a",`, 10_000)+`"a"]`): `a: more than 10000 texts for "1-r0": larger than allowed`,
		pkg("b", `"1-r0": []`): "b: alpine:v3.18/main/b=1-r0 is listed already",
	} {
		patches, errs := list(t, database(pkg("b", `"1-r0": []`), damaged, pkg("c", `"1-r0": []`)))
		require.Len(t, errs, 1, damaged)
		require.Contains(t, errs[0], "alpine: main.json: packages[1]: unreadable record: ", damaged)
		require.Contains(t, errs[0], want, damaged)
		require.Len(t, patches, 2, damaged)
	}
	patches, errs := list(t, database(pkg("a", `"1-r0": [], "1-r0": ["CVE-2024-1234"]`)))
	require.Len(t, errs, 1, "a key that occurs twice")
	require.Len(t, patches, 1)
	patches, errs = list(t, database(`{"pkg": {"name": "a", "secfixes": null}}`))
	require.Empty(t, errs)
	require.Empty(t, patches)
}

func TestFilesThatCannotBeRead(t *testing.T) {
	gone := errors.New("gone")
	for name, row := range map[string]struct {
		open source.Opener
		want string
	}{
		"missing":     {func() (io.ReadCloser, error) { return nil, gone }, "alpine: main.json: gone"},
		"no JSON":     {text("---\ndistroversion: v3.10\n"), "alpine: main.json: invalid character"},
		"nothing":     {text("{}"), `an object without a field ["packages"]`},
		"no release":  {text(`{"packages": []}`), `no security database: the release is ""`},
		"no packages": {text(`{"distroversion": "v3.18", "reponame": "main"}`), `an object without a field ["packages"]`},
		"an odd name": {text(`{"distroversion": "v3/18", "reponame": "main", "packages": []}`), `the release is "v3/18"`},
		"nested":      {text(database(strings.Repeat("[", 100_000))), "unexpected EOF"},
		"a bomb":      {text(database(`{"pkg": {"name": "` + strings.Repeat("a", 64<<20) + `"}}`)), "larger than allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			patches, errs := drain(t, newSource(t, alpine.File{Name: "main.json", Open: row.open}), patch.Query{})
			require.Len(t, errs, 1)
			require.Contains(t, errs[0], row.want)
			require.NotContains(t, errs[0], patch.ErrRecord.Error())
			require.Empty(t, patches)
		})
	}
	s, err := alpine.New(alpine.Config{Files: []alpine.File{{Open: text(database(pkg("a", `"1-r0": [], "2-r0": []`)))}}, Limits: source.Limits{Records: 1}})
	require.NoError(t, err)
	patches, errs := drain(t, s, patch.Query{})
	require.Len(t, patches, 1)
	require.Len(t, errs, 1)
	require.Contains(t, errs[0], "more than 1 patches")
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	_, err := alpine.New(alpine.Config{})
	require.ErrorContains(t, err, "no Files")
	_, err = alpine.New(alpine.Config{Files: []alpine.File{{Name: "x"}}})
	require.ErrorContains(t, err, `Files[0] ("x")`)
}

// All of the database of 2025-01-04: 41 files.
func TestTheWholeDatabase(t *testing.T) {
	f, err := os.Open(need.Shared(t, "feeds", "alpine-secdb", "alpine-secdb-2025-01.tar.xz"))
	require.NoError(t, err)
	defer f.Close()
	r, err := source.Limits{}.Reader(f)
	require.NoError(t, err)
	var files []alpine.File
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if !strings.HasSuffix(h.Name, ".json") {
			continue
		}
		content, err := io.ReadAll(archive)
		require.NoError(t, err)
		files = append(files, alpine.File{Name: h.Name, Open: text(string(content))})
	}
	patches, errs := drain(t, newSource(t, files...), patch.Query{})
	require.Empty(t, errs)
	unaffected, texts, withoutCVE, incomparable := 0, 0, 0, 0
	for _, p := range patches {
		for _, x := range p.Packages {
			if _, err := x.Fixed.Key(); err != nil {
				incomparable++
			}
		}
		unaffected += len(p.Unaffected)
		for _, a := range p.Advisories {
			texts++
			if len(a.CVEs) == 0 {
				withoutCVE++
			}
		}
	}
	t.Logf("%d files, %d patches, %d unaffected, %d texts, %d of them without a CVE, %d versions that are none",
		len(files), len(patches), unaffected, texts, withoutCVE, incomparable)
	require.Less(t, incomparable, 100)
	require.Len(t, files, 41)
	require.Len(t, patches, 30159)
	require.Equal(t, 317, unaffected)
}

// The extracts of four publishers are read without loss.
func TestSharedFeeds(t *testing.T) {
	fixtures := need.Shared(t, "feeds", "vuls-data-update-fixtures")
	for name, row := range map[string]struct {
		path, ecosystem string
	}{
		"edge":       {"alpine/secdb/testdata/fixtures/edge/main.json", ""},
		"v3.16":      {"alpine/secdb/testdata/fixtures/v3.16/community.json", ""},
		"v3.2":       {"alpine/secdb/testdata/fixtures/v3.2/main.json", ""},
		"Wolfi":      {"wolfi/secdb/testdata/fixtures/happy/security.json", "Wolfi"},
		"Chainguard": {"chainguard/secdb/testdata/fixtures/happy/security.json", "Chainguard"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSource(t, alpine.File{Name: row.path, Ecosystem: row.ecosystem, Open: source.File(os.DirFS(fixtures), row.path)})
			patches, errs := drain(t, s, patch.Query{})
			require.Empty(t, errs)
			require.NotEmpty(t, patches)
			t.Log(len(patches), "patches")
		})
	}
}

func FuzzPatches(f *testing.F) {
	f.Add([]byte(database(pkg("a", `"0": ["CVE-2024-1234 XSA-1"], "1-r0": [""]`), `7`)))
	f.Add([]byte(`{"reponame": "os", "packages": [null, {"pkg": {"name": "a", "secfixes": {"1": null}}}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) > 4096 {
			t.Skip("longer than need be")
		}
		s := newSource(t, alpine.File{Open: text(string(content))})
		seen := make(map[patch.ID]bool)
		for p, err := range s.Patches(context.Background(), patch.Query{}) {
			if err != nil {
				require.ErrorContains(t, err, "alpine: ")
				continue
			}
			require.False(t, seen[p.ID])
			seen[p.ID] = true
			require.Equal(t, 1, len(p.Packages)+len(p.Unaffected))
		}
	})
}

func Example() {
	content := `{"distroversion": "v3.18", "reponame": "main", "packages": [{"pkg": {"name": "openssl", "secfixes": {
		"0": ["CVE-2022-1292"], "3.1.1-r0": ["CVE-2023-2650"]}}}]}`
	s, err := alpine.New(alpine.Config{Files: []alpine.File{{Name: "main.json", Open: text(content)}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for p, err := range s.Patches(context.Background(), patch.Query{}) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(p.ID, p.CVEs(), len(p.Packages), "to replace,", len(p.Unaffected), "unaffected")
	}
	// Output:
	// alpine:v3.18/main/openssl=0 [CVE-2022-1292] 0 to replace, 1 unaffected
	// alpine:v3.18/main/openssl=3.1.1-r0 [CVE-2023-2650] 1 to replace, 0 unaffected
}

var update = flag.Bool("update", false, "write the golden file anew")
