package arch_test

import (
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
	"github.com/patchflow/patchflow/providers/source/arch"
)

func text(s string) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func newSource(t testing.TB, content string) *arch.Source {
	t.Helper()
	s, err := arch.New(arch.Config{Name: "all.json", Open: text(content)})
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

func group(name, more string) string {
	return `{"name": "` + name + `", "packages": ["p"]` + more + `}`
}

func TestSource(t *testing.T) {
	content := "[" + group("AVG-1", `, "fixed": "1-1"`) + ", " + group("AVG-2", `, "fixed": null`) + "]"
	providertest.Source(t, providertest.SourceHarness{
		New:  func(t *testing.T) patch.Source { return newSource(t, content) },
		Want: []patch.ID{"arch:AVG-1", "arch:AVG-2"},
		Damaged: func(t *testing.T) (patch.Source, string) {
			return newSource(t, "["+group("AVG-1", "")+`, {"name": 7}, `+group("AVG-2", "")+"]"), "arch: all.json: group 2: "
		},
		Broken: func(t *testing.T) patch.Source { return newSource(t, content[:len(content)-1]) },
	})
}

func TestPatches(t *testing.T) {
	f, err := os.ReadFile(filepath.Join("testdata", "issues.json"))
	require.NoError(t, err)
	patches, errs := drain(t, newSource(t, string(f)), patch.Query{})
	require.Empty(t, errs)
	var b strings.Builder
	for _, p := range patches {
		require.Equal(t, patch.ClassSecurity, p.Classification)
		require.Equal(t, patch.Platform{OS: "arch"}, p.Platform)
		fmt.Fprintf(&b, "%s: %s\n  %s %q, %s, affected %s, ticket %q\n", p.ID, p.Title, p.Severity, p.SeverityRaw,
			p.Native["status"], p.Native["affected"], p.Native["ticket"])
		for _, x := range p.Packages {
			require.Equal(t, arch.Ecosystem, x.Ecosystem)
			if x.Fixed.IsZero() {
				fmt.Fprintf(&b, "  %s has no fix\n", x.Name)
				continue
			}
			require.Equal(t, version.Scheme("arch"), x.Fixed.Scheme)
			fmt.Fprintf(&b, "  %s %s\n", x.Name, x.Fixed)
		}
		for _, x := range p.Unaffected {
			require.Equal(t, arch.Ecosystem, x.Ecosystem)
			fmt.Fprintf(&b, "  %s is unaffected\n", x.Name)
		}
		for _, a := range p.Advisories {
			require.Equal(t, p.Severity, a.Severity)
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

var update = flag.Bool("update", false, "write the golden file anew")

func TestStatusDecidesWhatIsAffected(t *testing.T) {
	for more, want := range map[string]string{
		`, "status": "Fixed", "fixed": "1-1"`:        "fixed in 1-1",
		`, "status": "Testing", "fixed": "1-1"`:      "fixed in 1-1",
		`, "status": "Vulnerable", "fixed": "1-1"`:   "fixed in 1-1",
		`, "status": "Vulnerable", "fixed": null`:    "open",
		`, "status": "Unknown", "fixed": null`:       "open",
		`, "status": "Unknown", "fixed": "1-1"`:      "fixed in 1-1",
		``:                                           "open",
		`, "status": "Not affected", "fixed": null`:  "unaffected",
		`, "status": "Not affected", "fixed": "1-1"`: "unaffected",
	} {
		patches, errs := drain(t, newSource(t, group("AVG-1", more+`, "issues": ["CVE-2024-1234"]`)), patch.Query{})
		require.Empty(t, errs)
		c, err := patch.NewCatalog(patches)
		require.NoError(t, err)
		_, free := c.Unaffected(arch.Ecosystem, "p", "CVE-2024-1234")
		entries := c.ByPackage(arch.Ecosystem, "p")
		require.Equal(t, free, len(entries) == 0, more)
		got := "unaffected"
		switch {
		case free:
		case entries[0].Open():
			got = "open"
		default:
			got = "fixed in " + entries[0].Package.Fixed.Text
		}
		require.Equal(t, want, got, more)
	}
}

func TestShapes(t *testing.T) {
	one, two := group("AVG-1", ""), group("AVG-2", "")
	for name, content := range map[string]string{
		"an array":              "[" + one + "," + two + "]",
		"an array with blanks":  "\n\t [ " + one + "\r\n, " + two + " ] \n",
		"lines":                 one + "\n" + two + "\n",
		"one after the other":   one + two,
		"lines with empty ones": "\n" + one + "\n\n" + two,
	} {
		patches, errs := drain(t, newSource(t, content), patch.Query{})
		require.Empty(t, errs, name)
		require.Len(t, patches, 2, name)
	}
	patches, errs := drain(t, newSource(t, "[]"), patch.Query{})
	require.Empty(t, errs)
	require.Empty(t, patches)
}

func TestPlatformsNarrow(t *testing.T) {
	s := newSource(t, group("AVG-1", ""))
	for os, want := range map[string]int{"": 1, "arch": 1, "debian": 0} {
		patches, errs := drain(t, s, patch.Query{Platforms: []patch.Platform{{OS: os, Version: "1"}}})
		require.Empty(t, errs)
		require.Len(t, patches, want, os)
	}
}

func TestGroupsThatCannotBeUsed(t *testing.T) {
	for damaged, want := range map[string]string{
		`7`:                                    "cannot unmarshal number",
		`{}`:                                   `field name is ""`,
		`{"name": "AVG 1", "packages": ["p"]}`: `field name is "AVG 1"`,
		`{"name": "AVG-1"}`:                    "AVG-1: no packages",
		`{"name": "AVG-1", "packages": [""]}`:  `AVG-1: a package is called ""`,
		group("AVG-1", `, "fixed": 7`):         "cannot unmarshal number",
		group("AVG-0", ""):                     "arch:AVG-0 is listed already",
		group("AVG-1", `, "type": "`+strings.Repeat("a", 1<<20)+`"`): "a group of more than 1048576 bytes: larger than allowed",
		`{"name": "AVG-1", "packages": ["p", "\n"]}`:                 `AVG-1: a package is called "\n"`,
	} {
		patches, errs := drain(t, newSource(t, "["+group("AVG-0", "")+", "+damaged+", "+group("AVG-9", "")+"]"), patch.Query{})
		require.Len(t, errs, 1, damaged)
		require.Contains(t, errs[0], "arch: all.json: group 2: unreadable record: ", damaged)
		require.Contains(t, errs[0], want, damaged)
		require.Len(t, patches, 2, damaged)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	gone := errors.New("gone")
	one := group("AVG-1", "")
	for name, row := range map[string]struct {
		open    source.Opener
		want    string
		patches int
	}{
		"missing":                {func() (io.ReadCloser, error) { return nil, gone }, "arch: all.json: gone", 0},
		"empty":                  {text(" "), "arch: all.json: unexpected EOF", 0},
		"a page":                 {text("<html>"), "arch: all.json: invalid character '<'", 0},
		"cut in a group":         {text("[" + one + ", {"), "arch: all.json: record 2: unexpected EOF", 1},
		"cut between groups":     {text("[" + one), "arch: all.json: record 2: unexpected EOF", 1},
		"something after it":     {text("[" + one + "] []"), "arch: all.json: something follows the end", 1},
		"garbage after it":       {text("[" + one + "] x"), "arch: all.json: something follows the end: invalid character", 1},
		"garbage between groups": {text("[" + one + " x " + one + "]"), "arch: all.json: record 2: ", 1},
		"nested":                 {text("[" + strings.Repeat("[", 100_000)), "record 1: unexpected EOF", 0},
		"a bomb":                 {text("[\"" + strings.Repeat("a", 64<<20)), "larger than allowed", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := arch.New(arch.Config{Name: "all.json", Open: row.open})
			require.NoError(t, err)
			patches, errs := drain(t, s, patch.Query{})
			require.Len(t, errs, 1)
			require.Contains(t, errs[0], row.want)
			require.NotContains(t, errs[0], patch.ErrRecord.Error())
			require.Len(t, patches, row.patches)
		})
	}
	s, err := arch.New(arch.Config{Open: text(one + group("AVG-2", "")), Limits: source.Limits{Records: 1}})
	require.NoError(t, err)
	patches, errs := drain(t, s, patch.Query{})
	require.Len(t, patches, 1)
	require.Equal(t, []string{"arch: issues: more than 1 records: larger than allowed"}, errs)
	_, err = arch.New(arch.Config{})
	require.ErrorContains(t, err, "Open is required")
}

// All groups of 2025-02-19, and those of two other collections, are read without loss.
func TestSharedFeeds(t *testing.T) {
	for path, want := range map[string]int{
		"arch/arch-AVG.jsonl.gz":                                         2507,
		"arch/vulnerablecode_archlinux-multi.json":                       3,
		"arch/vunnel_all.json":                                           5,
		"vuls-data-update-fixtures/arch/testdata/fixtures/advisory.json": 2,
	} {
		t.Run(path, func(t *testing.T) {
			s, err := arch.New(arch.Config{Open: source.File(os.DirFS(need.Shared(t, "feeds")), path)})
			require.NoError(t, err)
			patches, errs := drain(t, s, patch.Query{})
			require.Empty(t, errs)
			require.Len(t, patches, want)
			var replaced, open, unaffected, unrated int
			for _, p := range patches {
				require.NotEmpty(t, p.Advisories)
				for _, x := range p.Packages {
					replaced++
					if _, err := x.Fixed.Key(); err != nil && !x.Fixed.IsZero() {
						t.Log(p.ID, err)
					}
					if x.Fixed.IsZero() {
						open++
					}
				}
				unaffected += len(p.Unaffected)
				if p.Severity == patch.SeverityUnrated {
					unrated++
				}
			}
			t.Logf("%d patches, %d packages, %d of them without a fix, %d unaffected, %d patches unrated", len(patches), replaced, open, unaffected, unrated)
			if want == 2507 {
				require.Equal(t, 57, unrated, "of which the tracker says that the severity is unknown")
			}
		})
	}
}

func FuzzPatches(f *testing.F) {
	f.Add([]byte("[" + group("AVG-1", `, "fixed": "1-1", "issues": ["CVE-2024-1234"], "advisories": ["ASA-202401-1"]`) + ", 7]"))
	f.Add([]byte(group("AVG-1", `, "status": "Not affected"`) + "\n" + group("AVG-1", "")))
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) > 4096 {
			t.Skip("longer than need be")
		}
		seen := make(map[patch.ID]bool)
		for p, err := range newSource(t, string(content)).Patches(context.Background(), patch.Query{}) {
			if err != nil {
				require.ErrorContains(t, err, "arch: all.json: ")
				continue
			}
			require.False(t, seen[p.ID])
			seen[p.ID] = true
			require.NotEmpty(t, len(p.Packages)+len(p.Unaffected))
			require.NotEmpty(t, p.Advisories)
		}
	})
}

func Example() {
	issues := `[
		{"name": "AVG-1", "packages": ["lib32-gdk-pixbuf2"], "status": "Fixed", "severity": "Critical", "type": "arbitrary code execution",
		 "affected": "2.34.0-1", "fixed": "2.36.0-1", "issues": ["CVE-2016-6352"], "advisories": ["ASA-201611-12"]},
		{"name": "AVG-1302", "packages": ["lua51"], "status": "Vulnerable", "severity": "Low", "type": "denial of service",
		 "affected": "5.1.5-9", "fixed": null, "issues": ["CVE-2021-43519"], "advisories": []}]`
	s, err := arch.New(arch.Config{Open: text(issues)})
	if err != nil {
		fmt.Println(err)
		return
	}
	for p, err := range s.Patches(context.Background(), patch.Query{}) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		for _, x := range p.Packages {
			fmt.Printf("%s %s %s %q\n", p.ID, p.Severity, x.Name, x.Fixed)
		}
	}
	// Output:
	// arch:AVG-1 critical lib32-gdk-pixbuf2 "2.36.0-1"
	// arch:AVG-1302 low lua51 ""
}
