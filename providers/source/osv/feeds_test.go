package osv_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/osv"
)

func TestGolden(t *testing.T) {
	f, err := os.Open(filepath.Join("testdata", "records.jsonl"))
	require.NoError(t, err)
	defer f.Close()
	content, err := io.ReadAll(f)
	require.NoError(t, err)
	patches, errs := list(t, string(content))
	require.Empty(t, errs)
	var b strings.Builder
	for _, p := range patches {
		fmt.Fprintf(&b, "%s %s %q %s %q\n", p.ID, p.Classification, p.ClassificationRaw, p.Severity, p.SeverityRaw)
		if p.Contested {
			b.WriteString("  contested\n")
		}
		fmt.Fprintf(&b, "  %q for %q %q, %s, %s\n", p.Title, p.Platform.OS, p.Platform.Version, p.Released.Format(time.DateOnly), p.Modified.Format(time.DateOnly))
		if !p.Withdrawn.IsZero() {
			fmt.Fprintf(&b, "  withdrawn %s\n", p.Withdrawn.Format(time.DateOnly))
		}
		for _, a := range p.Advisories {
			fmt.Fprintf(&b, "  %s %q", a.ID, a.CVEs)
			for _, s := range a.Scores {
				fmt.Fprintf(&b, " %s=%.1f", s.Version, s.Base)
			}
			b.WriteString("\n")
		}
		for _, pkg := range p.Packages {
			fmt.Fprintf(&b, "  %s\n", show([]patch.Package{pkg}))
		}
		for _, key := range []string{"aliases", "upstream", "availability", "informational"} {
			if p.Native[key] != "" {
				fmt.Fprintf(&b, "  %s: %s\n", key, p.Native[key])
			}
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

// How many records each of the shared feeds has, and how many of them cannot be read: none is lost.
func TestEveryRecordOfTheSharedFeeds(t *testing.T) {
	for folder, row := range map[string]struct{ patches, refused, packages, incomparable int }{
		"osv-almalinux": {5637, 0, 69160, 0}, // 43 of 5,680 stand in two zips
		"osv-bitnami":   {7444, 0, 19551, 1},
		"osv-debian":    {10788, 0, 13462, 1},
		"osv-go":        {4291, 0, 7579, 0},
		"osv-redhat":    {305, 0, 9868, 0},
		"osv-rocky":     {1491, 0, 5474, 0},
		"osv-rustsec":   {1206, 0, 1462, 0},
		"osv-suse":      {2475, 0, 203253, 0},
		"ubuntu":        {2, 2, 43, 0}, // of its four files two are something else
	} {
		t.Run(folder, func(t *testing.T) {
			s := newSource(t, osv.Config{Inputs: []osv.Input{{Name: folder, Folder: os.DirFS(need.Shared(t, "feeds", folder))}}})
			patches, refused, packages, incomparable := 0, 0, 0, 0
			for p, err := range s.Patches(context.Background(), patch.Query{}) {
				switch {
				case errors.Is(err, patch.ErrRecord):
					refused++
				case err != nil:
					require.NoError(t, err)
				default:
					patches++
					packages += len(p.Packages)
					for _, of := range p.Packages {
						require.NotEmpty(t, of.Name+of.Source)
						for _, v := range []version.Version{of.Introduced, of.Fixed, of.Last} {
							if _, err := v.Key(); err != nil && !v.IsZero() {
								incomparable++
							}
						}
					}
				}
			}
			t.Logf("%d patches, %d refused, %d packages, %d versions that cannot be compared", patches, refused, packages, incomparable)
			require.Equal(t, row.patches, patches)
			require.Equal(t, row.refused, refused)
			require.Equal(t, row.packages, packages)
			require.Equal(t, row.incomparable, incomparable)
		})
	}
}

// AlmaLinux's own errata say which streams they are about. In one of them they say that PostgreSQL 15.10 for x86_64 is of the
// stream for version 16, which it is not: there the summary is right.
func TestModuleStreamsAgreeWithTheErrata(t *testing.T) {
	f, err := source.Limits{}.Open(source.File(os.DirFS(need.Shared(t, "feeds", "alma-errata")), "AlmaLinux-9-errata-2024.jsonl.gz"))
	require.NoError(t, err)
	defer f.Close()
	told := make(map[patch.ID]map[string]bool)
	for errata := json.NewDecoder(f); ; {
		var e struct {
			ID      string
			Modules []struct{ Name, Stream string }
		}
		if err := errata.Decode(&e); err == io.EOF {
			break
		} else {
			require.NoError(t, err)
		}
		for _, m := range e.Modules {
			id := patch.ID("osv:" + e.ID)
			if told[id] == nil {
				told[id] = make(map[string]bool)
			}
			told[id][m.Name+":"+m.Stream] = true
		}
	}
	folder := os.DirFS(need.Shared(t, "feeds", "osv-almalinux"))
	patches, errs := drain(t, newSource(t, osv.Config{Inputs: []osv.Input{{Open: source.File(folder, "AlmaLinux-9.zip")}}}), patch.Query{})
	require.Empty(t, errs)
	right := 0
	told["osv:ALSA-2024:10787"] = map[string]bool{"postgresql:15": true}
	for _, p := range patches {
		streams := told[p.ID]
		if streams == nil {
			continue
		}
		said := make(map[string]bool)
		for _, x := range p.Packages {
			if x.Module != "" {
				said[x.Module] = true
			}
		}
		require.Equal(t, streams, said, p.ID)
		right++
	}
	require.Equal(t, 20, right)
}
