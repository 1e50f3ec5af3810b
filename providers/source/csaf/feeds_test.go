package csaf_test

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/csaf"
)

// unpack reads a tar file, compressed, into memory. strip is what all names begin with.
func unpack(t *testing.T, path, strip string) fstest.MapFS {
	t.Helper()
	in, err := source.Limits{}.Open(func() (io.ReadCloser, error) { return os.Open(path) })
	require.NoError(t, err)
	defer in.Close()
	files := make(fstest.MapFS)
	for archive := tar.NewReader(in); ; {
		h, err := archive.Next()
		if err == io.EOF {
			return files
		}
		require.NoError(t, err)
		if h.Typeflag == tar.TypeReg {
			content, err := io.ReadAll(archive)
			require.NoError(t, err)
			files[strings.TrimPrefix(h.Name, strip)] = &fstest.MapFile{Data: content}
		}
	}
}

// A tally is what a listing came to.
type tally struct{ patches, packages, open, free, cves int }

// count reads a folder whole, and checks what holds for every patch.
func count(t *testing.T, folder fs.FS, anyVersion bool) (tally, []string) {
	t.Helper()
	s, err := csaf.New(csaf.Config{Folder: folder, AnyVersion: anyVersion})
	require.NoError(t, err)
	var n tally
	var refused []string
	var all []patch.Patch
	for p, err := range s.Patches(t.Context(), patch.Query{}) {
		if errors.Is(err, patch.ErrRecord) {
			refused = append(refused, err.Error())
			continue
		}
		require.NoError(t, err)
		all = append(all, p)
		n.patches++
		n.cves += len(p.CVEs())
		n.free += len(p.Unaffected)
		for _, q := range p.Packages {
			require.NotEmpty(t, q.Ecosystem)
			require.True(t, q.Name != "" || q.Source != "", "%s", p.ID)
			if n.packages++; q.Fixed.IsZero() {
				n.open++
			}
		}
	}
	catalog, err := patch.NewCatalog(all)
	require.NoError(t, err)
	require.Equal(t, n.patches, catalog.Len())
	return n, refused
}

// What every captured document comes to. Of those that OASIS wrote to test validators, the invalid ones are read as far as
// they can be; most of what is wrong with them does not matter to a reader.
func TestCapturedDocuments(t *testing.T) {
	feeds := need.Shared(t, "feeds")
	fixtures := filepath.Join(feeds, "vuls-data-update-fixtures")
	for _, row := range []struct {
		name   string
		folder fs.FS
		want   tally
		loose  int // exemptions with AnyVersion
		wrong  int
	}{
		{"Red Hat, VEX and an advisory", os.DirFS(filepath.Join(feeds, "redhat-vex")), tally{4, 317, 0, 178, 4}, 406, 0},
		{"Red Hat, archive of advisories", unpack(t, filepath.Join(fixtures, "redhat/csaf/testdata/fixtures/csaf_advisories_2024-08-11.tar.zst"), ""), tally{5, 1162, 0, 0, 11}, 3, 0},
		{"Red Hat, folder with changes.csv", os.DirFS(filepath.Join(fixtures, "redhat/csaf/testdata/fixtures")), tally{1, 233, 0, 0, 2}, 0, 0},
		{"Red Hat, archive of VEX", unpack(t, filepath.Join(fixtures, "redhat/vex/v2/testdata/fixtures/vex-archive.tar.zst"), ""), tally{5, 2324, 12, 18, 5}, 36, 0},
		{"SUSE, advisories", unpack(t, filepath.Join(fixtures, "suse/csaf/testdata/fixtures/csaf.tar.bz2"), "csaf/"), tally{3, 398, 0, 0, 62}, 0, 1},
		{"SUSE, VEX", unpack(t, filepath.Join(fixtures, "suse/csaf_vex/testdata/fixtures/csaf-vex.tar.bz2"), "csaf-vex/"), tally{1, 32, 0, 1153, 1}, 1153, 1},
		{"Microsoft, advisories", os.DirFS(filepath.Join(fixtures, "microsoft/csaf/testdata/fixtures/happy")), tally{2, 2, 0, 0, 2}, 0, 0},
		{"Microsoft, VEX", os.DirFS(filepath.Join(fixtures, "microsoft/vex/testdata/fixtures/happy")), tally{2, 6, 0, 0, 2}, 0, 0},
		{"OASIS, examples of 2.0", os.DirFS(filepath.Join(feeds, "csaf-oasis/csaf_2.0/examples/csaf")), tally{12, 75, 52, 3, 33}, 12, 0},
		{"OASIS, the same in 2.1", os.DirFS(filepath.Join(feeds, "csaf-oasis/csaf_2.1/examples/csaf")), tally{12, 75, 52, 3, 33}, 12, 0},
		{"OASIS, tests of validators", os.DirFS(filepath.Join(feeds, "csaf-oasis/csaf_2.0/test/validator/data")), tally{34, 20, 19, 42, 26}, 42, 13},
	} {
		t.Run(row.name, func(t *testing.T) {
			n, refused := count(t, row.folder, false)
			require.Equal(t, row.want, n)
			require.Len(t, refused, row.wrong, "%s", strings.Join(refused, "\n"))
			n, _ = count(t, row.folder, true)
			require.Equal(t, row.loose, n.free)
		})
	}
}

// changes.csv spares the opening of what has not changed; of the archive of Red Hat, one document was deleted.
func TestCapturedChangesAndDeletions(t *testing.T) {
	folder := filepath.Join(need.Shared(t, "feeds", "vuls-data-update-fixtures"), "redhat/csaf/testdata/fixtures")
	files := unpack(t, filepath.Join(folder, "csaf_advisories_2024-08-11.tar.zst"), "")
	for _, name := range []string{"changes.csv", "deletions.csv"} {
		content, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		files[name] = &fstest.MapFile{Data: content}
	}
	all, refused := list(t, csaf.Config{Folder: files}, patch.Query{})
	require.Empty(t, refused)
	require.Len(t, all, 5)
	var withdrawn []patch.ID
	for _, p := range all {
		if !p.Withdrawn.IsZero() {
			withdrawn = append(withdrawn, p.ID)
		}
	}
	require.Equal(t, []patch.ID{"csaf:redhat.com/RHSA-2023:7434"}, withdrawn)
	all, _ = list(t, csaf.Config{Folder: files}, patch.Query{Since: time.Date(2024, 8, 15, 0, 0, 0, 0, time.UTC)})
	for _, p := range all {
		require.NotEqual(t, patch.ID("csaf:redhat.com/RHSA-2023:7435"), p.ID, "it changed on 11 August")
	}
}
