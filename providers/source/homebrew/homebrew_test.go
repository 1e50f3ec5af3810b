package homebrew_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/homebrew"
)

func text(s string) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func newSource(t testing.TB, content string) *homebrew.Source {
	t.Helper()
	s, err := homebrew.New(homebrew.Config{Name: "brew.json", Open: text(content)})
	require.NoError(t, err)
	return s
}

func read(t testing.TB, content string) (*homebrew.Report, []error) {
	t.Helper()
	r, refused, err := homebrew.Read(t.Context(), homebrew.Config{Open: text(content)})
	require.NoError(t, err)
	return r, refused
}

func file(t testing.TB, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return string(content)
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

func formulae(entries ...string) string { return `{"formulae": [` + strings.Join(entries, ", ") + `]}` }

func entry(name, installed, current string) string {
	return fmt.Sprintf(`{"name": %q, "installed_versions": [%q], "current_version": %q}`, name, installed, current)
}

func TestSource(t *testing.T) {
	content := formulae(entry("a", "1", "2"), entry("b", "1", "2"))
	providertest.Source(t, providertest.SourceHarness{
		New:  func(t *testing.T) patch.Source { return newSource(t, content) },
		Want: []patch.ID{"homebrew:formula/a=2", "homebrew:formula/b=2"},
		Damaged: func(t *testing.T) (patch.Source, string) {
			return newSource(t, formulae("7", entry("b", "1", "2"))), "homebrew: brew.json: formulae 1: "
		},
		Broken: func(t *testing.T) patch.Source { return newSource(t, content[:len(content)-1]) },
	})
}

func loose(v string) version.Version { return version.Version{Scheme: version.Loose, Text: v} }
func other(v string) version.Version { return version.Version{Scheme: "homebrew", Text: v} }

func TestBothShapes(t *testing.T) {
	r, refused := read(t, file(t, "old.json"))
	require.Empty(t, refused)
	require.Empty(t, cmp.Diff([]homebrew.Package{
		{Name: "wget", Installed: []string{"1.24.4"}, Current: "1.25.0"},
		{Name: "jq", Installed: []string{"1.7.0"}, Current: "1.7.1"},
		{Cask: true, Name: "firefox", Installed: []string{"139.0"}, Current: "139.0.1"},
		{Cask: true, Name: "vendor-driver", Installed: []string{"latest"}, Current: "latest"},
		{Cask: true, Name: "screen-tool", Installed: []string{"5.33,k3jQ9.upgrading", "5.47,x81Zt"}, Current: "5.48,p0Lm2"},
	}, r.Packages))
	require.Empty(t, cmp.Diff([]inventory.Software{
		{Manager: "brew", Ecosystem: "homebrew", Name: "wget", Version: loose("1.24.4")},
		{Manager: "brew", Ecosystem: "homebrew", Name: "jq", Version: loose("1.7.0")},
		{Manager: "brew", Ecosystem: "homebrew-cask", Name: "firefox", Version: loose("139.0")},
		{Manager: "brew", Ecosystem: "homebrew-cask", Name: "vendor-driver", Version: other("latest")},
		{Manager: "brew", Ecosystem: "homebrew-cask", Name: "screen-tool", Version: other("5.33,k3jQ9.upgrading")},
		{Manager: "brew", Ecosystem: "homebrew-cask", Name: "screen-tool", Version: other("5.47,x81Zt")},
	}, r.Software()))
	require.Equal(t, []patch.ID{
		"homebrew:formula/wget=1.25.0", "homebrew:formula/jq=1.7.1", "homebrew:cask/firefox=139.0.1",
		"homebrew:cask/screen-tool=5.48,p0Lm2",
	}, r.Missing(), "of what has no version nobody knows")

	r, refused = read(t, file(t, "new.json"))
	require.Empty(t, refused)
	require.Len(t, r.Packages, 2)
	require.Equal(t, homebrew.Package{Cask: true, Name: "firefox", Installed: []string{"139.0"}, Current: "139.0.1"}, r.Packages[1])
}

func TestPatches(t *testing.T) {
	patches, errs := drain(t, newSource(t, file(t, "old.json")), patch.Query{})
	require.Empty(t, errs)
	require.Len(t, patches, 5)
	require.Empty(t, cmp.Diff(patch.Patch{
		ID: "homebrew:formula/wget=1.25.0", Title: "wget 1.25.0",
		Packages: []patch.Package{{Ecosystem: "homebrew", Name: "wget", Fixed: loose("1.25.0")}},
	}, patches[0]))
	require.Empty(t, cmp.Diff(patch.Patch{
		ID: "homebrew:cask/firefox=139.0.1", Title: "firefox 139.0.1", Platform: patch.Platform{OS: "macos"},
		Packages: []patch.Package{{Ecosystem: "homebrew-cask", Name: "firefox", Fixed: loose("139.0.1")}},
	}, patches[2]))
	for os, want := range map[string]int{"": 5, "macos": 5, "linux": 2} {
		patches, errs := drain(t, newSource(t, file(t, "old.json")), patch.Query{Platforms: []patch.Platform{{OS: os}}})
		require.Empty(t, errs)
		require.Len(t, patches, want, os)
	}
}

// What Homebrew writes in a way of its own is compared with nothing.
func TestOnlyPlainVersionsAreCompared(t *testing.T) {
	for text, want := range map[string]version.Version{
		"3.38.0": loose("3.38.0"), "20240101": loose("20240101"),
		"3.38.0_1": other("3.38.0_1"), "1.1.1w": other("1.1.1w"), "1.0-rc1": other("1.0-rc1"), "5.48,x": other("5.48,x"), "latest": other("latest"),
		"HEAD-abc": other("HEAD-abc"), "1..2": other("1..2"), ".": other("."), "99999999999999999999": other("99999999999999999999"),
	} {
		r, refused := read(t, formulae(entry("a", text, "2.0")))
		require.Empty(t, refused)
		require.Equal(t, want, r.Software()[0].Version)
		patches, errs := drain(t, newSource(t, formulae(entry("a", "2.0", text))), patch.Query{})
		require.Empty(t, errs)
		require.Equal(t, want, patches[0].Packages[0].Fixed)
	}
}

// A report and the patches of the same text fit each other.
func TestAssess(t *testing.T) {
	content := `{"formulae": [` + entry("plain", "1.0", "1.1") + `, {"name": "pinned", "pinned": true, "pinned_version": "1.0", "installed_versions": ["1.0"], "current_version": "1.0_1"}],
		"casks": [` + entry("unversioned", "latest", "latest") + `]}`
	patches, errs := drain(t, newSource(t, content), patch.Query{})
	require.Empty(t, errs)
	c, err := patch.NewCatalog(patches)
	require.NoError(t, err)
	r, refused := read(t, content)
	require.Empty(t, refused)
	d := inventory.Device{ID: "mac", Software: r.Software(), Missing: r.Missing(), Coverage: []inventory.Coverage{{Manager: homebrew.Manager, Status: inventory.Partial, Judges: true}}}
	a := inventory.Assess(c, &d)
	got := make(map[patch.ID]string)
	for _, f := range a.Findings {
		got[f.Patch] = f.Evidence.String()
	}
	require.Equal(t, map[patch.ID]string{"homebrew:formula/plain=1.1": "device-says", "homebrew:formula/pinned=1.0_1": "device-says"}, got)
	require.True(t, r.Software()[1].Held)
	unknown := make(map[patch.ID]bool)
	for _, u := range a.Unknown {
		unknown[u.Patch] = u.Reason == inventory.Incomparable
	}
	require.True(t, unknown["homebrew:cask/unversioned=latest"])
}

func TestWhatIsInstalledAlreadyIsNotMissing(t *testing.T) {
	r, _ := read(t, formulae(entry("a", "1", "1"), entry("b", "1", "2"), entry("c", "1", "latest")))
	require.Equal(t, []patch.ID{"homebrew:formula/b=2"}, r.Missing())
}

func TestPackagesThatCannotBeRead(t *testing.T) {
	for bad, want := range map[string]string{
		`7`:                        "cannot unmarshal number",
		`{}`:                       `field name is ""`,
		entry("a b", "1", "2"):     `field name is "a b"`,
		entry("--force", "1", "2"): `field name is "--force"`,
		entry("c", "1", ""):        `c: field current_version is ""`,
		entry("c", "1", "2\n"):     `c: field current_version is "2\n"`,
		entry("c", "1 2", "2"):     `c: a version is "1 2"`,
		entry("a", "1", "2"):       "homebrew:formula/a=2 is listed already",
		`{"name": "c", "current_version": "2", "installed_versions": 7}`:                                         "cannot unmarshal number",
		`{"name": "c", "current_version": "2", "installed_versions": [` + strings.Repeat(`"1",`, 1000) + `"1"]}`: "c: more than 1000 versions: larger than allowed",
	} {
		r, refused := read(t, formulae(entry("a", "1", "2"), bad, entry("z", "1", "2")))
		require.Len(t, r.Packages, 2, bad)
		require.Len(t, refused, 1, bad)
		require.ErrorIs(t, refused[0], patch.ErrRecord)
		require.ErrorContains(t, refused[0], "homebrew: outdated: formulae 2: ")
		require.ErrorContains(t, refused[0], want)
	}
	r, refused := read(t, formulae(`{"name": "c", "current_version": "2", "installed_versions": ""}`, `{"name": "d", "current_version": "2"}`))
	require.Empty(t, refused)
	require.Empty(t, r.Software())
}

func TestTextsThatCannotBeRead(t *testing.T) {
	gone := errors.New("gone")
	for name, row := range map[string]struct {
		open source.Opener
		is   error
		want string
	}{
		"missing":   {func() (io.ReadCloser, error) { return nil, gone }, gone, "homebrew: outdated: gone"},
		"empty":     {text(""), io.ErrUnexpectedEOF, ""},
		"cut off":   {text(`{"formulae": [`), io.ErrUnexpectedEOF, ""},
		"version 1": {text("[]"), nil, "invalid character '[' where '{' is expected"},
		"a message": {text("Error: no such command"), nil, "invalid character"},
		"too many":  {text(`{"formulae": [{},{}], "casks": [{},{}]}`), source.ErrTooLarge, "more than 3 records"},
		"too large": {text(formulae() + strings.Repeat(" ", 9999)), source.ErrTooLarge, ""},
		"broken":    {func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(gone)), nil }, gone, ""},
	} {
		r, _, err := homebrew.Read(t.Context(), homebrew.Config{Open: row.open, Limits: source.Limits{Records: 3, Bytes: 9999}})
		require.Nil(t, r, name)
		require.ErrorContains(t, err, "homebrew: outdated: ", name)
		require.ErrorContains(t, err, row.want, name)
		if row.is != nil {
			require.ErrorIs(t, err, row.is, name)
		}
		require.NotErrorIs(t, err, patch.ErrRecord, name)
	}
	_, _, err := homebrew.Read(t.Context(), homebrew.Config{})
	require.EqualError(t, err, "homebrew: config: Open is required")
	_, err = homebrew.New(homebrew.Config{})
	require.EqualError(t, err, "homebrew: config: Open is required")
}

func TestCapturedOutputs(t *testing.T) {
	folder := os.DirFS(need.Shared(t, "feeds", "pkgmgr-outputs", "brew"))
	for name, want := range map[string]int{"outdated-v2-new-shape.json": 2, "outdated-v2-old-shape.json": 5} {
		r, refused, err := homebrew.Read(t.Context(), homebrew.Config{Open: source.File(folder, name)})
		require.NoError(t, err)
		require.Empty(t, refused)
		require.Len(t, r.Packages, want, name)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(file(f, "old.json"))
	f.Add(file(f, "new.json"))
	f.Add(formulae("7", entry("a", "1", "2")))
	f.Fuzz(func(t *testing.T, content string) {
		r, refused, err := homebrew.Read(t.Context(), homebrew.Config{Open: text(content)})
		for _, err := range refused {
			require.ErrorIs(t, err, patch.ErrRecord)
		}
		patches, errs := drain(t, newSource(t, content), patch.Query{})
		if err != nil {
			require.NotEmpty(t, errs)
			return
		}
		require.Len(t, errs, len(refused))
		c, err := patch.NewCatalog(patches)
		require.NoError(t, err)
		require.Equal(t, len(r.Packages), c.Len())
		for _, id := range r.Missing() {
			_, found := c.Get(id)
			require.True(t, found, id)
		}
	})
}

// What a device has, and what it says that it misses.
func ExampleRead() {
	r, refused, err := homebrew.Read(context.Background(), homebrew.Config{Open: source.File(os.DirFS("testdata"), "new.json")})
	fmt.Println(len(refused), err)
	for _, s := range r.Software() {
		fmt.Println(s.Ecosystem, s.Name, s.Version)
	}
	fmt.Println(r.Missing())
	// Output:
	// 0 <nil>
	// homebrew wget 1.24.4
	// homebrew-cask firefox 139.0
	// [homebrew:formula/wget=1.25.0 homebrew:cask/firefox=139.0.1]
}

// The same text as a source of patches, for the catalogue.
func ExampleNew() {
	s, _ := homebrew.New(homebrew.Config{Open: source.File(os.DirFS("testdata"), "old.json")})
	for p, err := range s.Patches(context.Background(), patch.Query{}) {
		fmt.Println(p.ID, p.Packages[0].Fixed.Scheme, err)
	}
	// Output:
	// homebrew:formula/wget=1.25.0 loose <nil>
	// homebrew:formula/jq=1.7.1 loose <nil>
	// homebrew:cask/firefox=139.0.1 loose <nil>
	// homebrew:cask/vendor-driver=latest homebrew <nil>
	// homebrew:cask/screen-tool=5.48,p0Lm2 homebrew <nil>
}
