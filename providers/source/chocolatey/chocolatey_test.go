package chocolatey_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/chocolatey"
)

func text(s string) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func newSource(t testing.TB, content string) *chocolatey.Source {
	t.Helper()
	s, err := chocolatey.New(chocolatey.Config{Name: "bob", Open: text(content)})
	require.NoError(t, err)
	return s
}

func read(t testing.TB, content string) (*chocolatey.Report, []error) {
	t.Helper()
	r, refused, err := chocolatey.Read(t.Context(), chocolatey.Config{Open: text(content)})
	require.NoError(t, err)
	return r, refused
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

const outdated = "Firefox|128.0|139.0.1-beta|false\r\n7zip.install|23.1.0|24.9.0|true\r\n\r\nmy-own_tool|1.0.0|1.0.0|False\r\n"

func TestSource(t *testing.T) {
	broken := errors.New("the device went away")
	providertest.Source(t, providertest.SourceHarness{
		New:  func(t *testing.T) patch.Source { return newSource(t, outdated) },
		Want: []patch.ID{"chocolatey:firefox=139.0.1-beta", "chocolatey:7zip.install=24.9.0"},
		Damaged: func(t *testing.T) (patch.Source, string) {
			return newSource(t, "Warning: slow\n"+outdated), "chocolatey: bob: line 1: "
		},
		Broken: func(t *testing.T) patch.Source {
			s, err := chocolatey.New(chocolatey.Config{Open: func() (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(strings.NewReader(outdated), iotest.ErrReader(broken))), nil
			}})
			require.NoError(t, err)
			return s
		},
	})
}

func nuget(v string) version.Version { return version.Version{Scheme: "nuget", Text: v} }

func TestReport(t *testing.T) {
	r, refused := read(t, outdated)
	require.Empty(t, refused)
	require.Empty(t, cmp.Diff([]chocolatey.Package{
		{Name: "firefox", Installed: "128.0", Available: "139.0.1-beta"},
		{Name: "7zip.install", Installed: "23.1.0", Available: "24.9.0", Pinned: true},
		{Name: "my-own_tool", Installed: "1.0.0", Available: "1.0.0"},
	}, r.Packages))
	require.Empty(t, cmp.Diff([]inventory.Software{
		{Manager: "chocolatey", Ecosystem: "chocolatey", Name: "firefox", Version: nuget("128.0")},
		{Manager: "chocolatey", Ecosystem: "chocolatey", Name: "7zip.install", Version: nuget("23.1.0"), Held: true},
		{Manager: "chocolatey", Ecosystem: "chocolatey", Name: "my-own_tool", Version: nuget("1.0.0")},
	}, r.Software()))
	require.Equal(t, []patch.ID{"chocolatey:firefox=139.0.1-beta", "chocolatey:7zip.install=24.9.0"}, r.Missing())
	for _, nothing := range []string{"", "\n\n", "\ufeff"} {
		r, refused := read(t, nothing)
		require.Empty(t, refused)
		require.Empty(t, r.Packages)
		require.Empty(t, r.Software())
		require.Empty(t, r.Missing())
	}
	r, refused = read(t, "\ufeffa|1|2|false")
	require.Empty(t, refused)
	require.Equal(t, "a", r.Packages[0].Name)
}

func TestPatches(t *testing.T) {
	patches, errs := drain(t, newSource(t, outdated), patch.Query{})
	require.Empty(t, errs)
	require.Len(t, patches, 2, "of what no source has there is no patch")
	require.Empty(t, cmp.Diff(patch.Patch{
		ID: "chocolatey:firefox=139.0.1-beta", Title: "firefox 139.0.1-beta", Platform: patch.Platform{OS: "windows"},
		Packages: []patch.Package{{Ecosystem: "chocolatey", Name: "firefox", Fixed: nuget("139.0.1-beta")}},
	}, patches[0]))
	for os, want := range map[string]int{"": 2, "windows": 2, "linux": 0} {
		patches, errs := drain(t, newSource(t, outdated), patch.Query{Platforms: []patch.Platform{{OS: os}}})
		require.Empty(t, errs)
		require.Len(t, patches, want, os)
	}
}

func TestLinesThatCannotBeRead(t *testing.T) {
	for bad, want := range map[string]string{
		"Chocolatey v2.4.1":                     `"Chocolatey v2.4.1" has 1 fields, want 4`,
		"c|1|2":                                 "has 3 fields, want 4",
		"c|1|2|false|x":                         "has 5 fields, want 4",
		"|1|2|false":                            `no package is called ""`,
		"a b|1|2|false":                         `no package is called "a b"`,
		"--force|1|2|false":                     `no package is called "--force"`,
		"..|1|2|false":                          `no package is called ".."`,
		strings.Repeat("c", 101) + "|1|2|false": "no package is called",
		"c||2|false":                            `c: "" is no version`,
		"c|1|v2|false":                          `c: "v2" is no version`,
		"c|1|2;x|false":                         `c: "2;x" is no version`,
		"c|1|2|":                                `c: pinned is ""`,
		"c|1|2|maybe":                           `c: pinned is "maybe"`,
		"A|1|3|false":                           "a is listed already",
	} {
		r, refused := read(t, "a|1|2|false\n"+bad+"\nz|1|2|false")
		require.Len(t, r.Packages, 2, bad)
		require.Len(t, refused, 1, bad)
		require.ErrorIs(t, refused[0], patch.ErrRecord)
		require.ErrorContains(t, refused[0], "chocolatey: outdated: line 2: ")
		require.ErrorContains(t, refused[0], want)
	}
}

func TestTextsThatCannotBeRead(t *testing.T) {
	gone := errors.New("gone")
	for name, row := range map[string]struct {
		open source.Opener
		is   error
		want string
	}{
		"missing":   {func() (io.ReadCloser, error) { return nil, gone }, gone, "chocolatey: outdated: gone"},
		"broken":    {func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(gone)), nil }, gone, ""},
		"too many":  {text("x\nx\nx\nx\n"), source.ErrTooLarge, "more than 3 records"},
		"too long":  {text("\n" + strings.Repeat("x", 65<<10)), source.ErrTooLarge, "line 2: more than 65536 bytes"},
		"too large": {text(strings.Repeat("\n", 70<<10)), source.ErrTooLarge, ""},
	} {
		r, _, err := chocolatey.Read(t.Context(), chocolatey.Config{Open: row.open, Limits: source.Limits{Records: 3, Bytes: 69 << 10}})
		require.Nil(t, r, name)
		require.ErrorContains(t, err, "chocolatey: outdated: ", name)
		require.ErrorContains(t, err, row.want, name)
		require.ErrorIs(t, err, row.is, name)
		require.NotErrorIs(t, err, patch.ErrRecord, name)
	}
	_, _, err := chocolatey.Read(t.Context(), chocolatey.Config{})
	require.EqualError(t, err, "chocolatey: config: Open is required")
	_, err = chocolatey.New(chocolatey.Config{})
	require.EqualError(t, err, "chocolatey: config: Open is required")
}

func FuzzRead(f *testing.F) {
	f.Add(outdated)
	f.Add("\ufeffa|1|2|true\nA|1|2|true\n|||\n")
	f.Fuzz(func(t *testing.T, content string) {
		r, refused, err := chocolatey.Read(t.Context(), chocolatey.Config{Open: text(content)})
		for _, err := range refused {
			require.ErrorIs(t, err, patch.ErrRecord)
		}
		if err != nil {
			return
		}
		patches, errs := drain(t, newSource(t, content), patch.Query{})
		require.Len(t, errs, len(refused))
		c, err := patch.NewCatalog(patches)
		require.NoError(t, err)
		require.Equal(t, len(r.Missing()), c.Len())
		for _, id := range r.Missing() {
			_, found := c.Get(id)
			require.True(t, found, id)
		}
	})
}

// What a device has, and what it says that it misses.
func ExampleRead() {
	output := "firefox|128.0|139.0|false\n7zip|23.1.0|24.9.0|true\n"
	r, refused, err := chocolatey.Read(context.Background(), chocolatey.Config{
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(output)), nil },
	})
	fmt.Println(len(refused), err)
	for _, s := range r.Software() {
		fmt.Println(s.Name, s.Version, "held:", s.Held)
	}
	fmt.Println(r.Missing())
	// Output:
	// 0 <nil>
	// firefox 128.0 held: false
	// 7zip 23.1.0 held: true
	// [chocolatey:firefox=139.0 chocolatey:7zip=24.9.0]
}

// The same text as a source of patches, for the catalogue.
func ExampleNew() {
	s, _ := chocolatey.New(chocolatey.Config{Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("firefox|128.0|139.0|false\nprivate-tool|1.0.0|1.0.0|false\n")), nil
	}})
	for p, err := range s.Patches(context.Background(), patch.Query{}) {
		fmt.Println(p.ID, p.Packages[0].Fixed.Scheme, err)
	}
	// Output: chocolatey:firefox=139.0 nuget <nil>
}
