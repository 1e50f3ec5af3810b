package updateinfo_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/updateinfo"
)

// A count is what a listing came to: advisories, their packages, those of them in modules, and errors about one record.
type count struct{ advisories, packages, modular, records int }

// tally lists everything and counts. The error that ends a listing is returned.
func tally(t *testing.T, r updateinfo.Repository) (n count, records []error, failure error) {
	t.Helper()
	r.Name = "feed"
	s, err := updateinfo.New(updateinfo.Config{Ecosystem: "Test:1", Repositories: []updateinfo.Repository{r}})
	require.NoError(t, err)
	for p, err := range s.Patches(t.Context(), patch.Query{}) {
		switch {
		case errors.Is(err, patch.ErrRecord):
			records = append(records, err)
			n.records++
		case err != nil:
			return n, records, err
		default:
			n.advisories++
			n.packages += len(p.Packages)
			for i := range p.Packages {
				if p.Packages[i].Module != "" {
					n.modular++
				}
			}
		}
	}
	return n, records, nil
}

// The files with which createrepo_c, dnf and pulp are tested are read, and what is odd in them on purpose is told.
func TestFilesOfOtherTools(t *testing.T) {
	feeds := os.DirFS(need.Shared(t, "feeds", "rpm-updateinfo"))
	var all count
	files := 0
	require.NoError(t, fs.WalkDir(feeds, ".", func(name string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		if d.IsDir() || path.Ext(name) == ".md" {
			return nil
		}
		n, records, err := tally(t, updateinfo.Repository{Updateinfo: source.File(feeds, name)})
		require.NoError(t, err, name)
		files++
		all.advisories += n.advisories
		all.packages += n.packages
		all.modular += n.modular
		all.records += n.records
		for _, err := range records {
			known := false
			for _, reason := range []string{"too, with title", `its ID is ""`, `package "ba&r": its name is none`} {
				known = known || strings.Contains(err.Error(), reason)
			}
			require.True(t, known, "%s: %v", name, err)
		}
		return nil
	}))
	require.Equal(t, 28, files)
	require.Equal(t, count{advisories: 59, packages: 101, modular: 9, records: 17}, all)
}

// Extracts of the repositories of vendors, as a program meets them that fetches them.
func TestExtractsOfVendors(t *testing.T) {
	feeds := os.DirFS(need.Shared(t, "feeds", "vuls-data-update-fixtures"))
	wrong := map[string]string{
		"corrupt-updateinfo.xml.gz":        "damaged",
		"updateinfo_invalid_xml.xml.gz":    "unexpected EOF",
		"dddd587b7c2316f0b357a284fc32836c": `its sha256 is "cafe`,
	}
	var all count
	files := 0
	require.NoError(t, fs.WalkDir(feeds, ".", func(name string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		if d.IsDir() || !strings.Contains(path.Base(name), "updateinfo") || !strings.Contains(path.Base(name), ".xml") || strings.Contains(name, "repomd") {
			return nil
		}
		n, records, err := tally(t, updateinfo.Repository{Updateinfo: source.File(feeds, name)})
		if err == nil && len(records) > 0 {
			require.Len(t, records, 1, name)
			err = records[0]
		}
		want := ""
		for part, text := range wrong {
			if strings.Contains(name, part) {
				want = text
			}
		}
		if want == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, want, name)
		}
		files++
		all.advisories += n.advisories
		all.packages += n.packages
		all.records += n.records
		return nil
	}))
	require.Equal(t, 21, files)
	require.Equal(t, count{advisories: 20, packages: 147, records: 1}, all)
}

// Every record of AlmaLinux 9 of a year is read, with the modules that the same records in OSV's form lack.
func TestErrataOfAlmaLinuxOfAYear(t *testing.T) {
	lines := unzipped(t, "alma-errata", "AlmaLinux-9-errata-2024.jsonl.gz")
	document := `{"data": [` + strings.Join(strings.Split(strings.TrimSpace(lines), "\n"), ",\n") + `]}`
	n, records, err := tally(t, updateinfo.Repository{Errata: text(document)})
	require.NoError(t, err)
	require.Empty(t, records)
	require.Equal(t, count{advisories: 427, packages: 15055, modular: 1195}, n)
}

// Every record of Amazon Linux 2023 is read. They are captured as JSON, and written back into the XML that they were.
func TestAdvisoriesOfAmazonLinux(t *testing.T) {
	type date struct {
		Date string `xml:"date,attr"`
	}
	type entry struct {
		Status   string `xml:"status,attr"`
		Type     string `xml:"type,attr"`
		From     string `xml:"from,attr"`
		Version  string `xml:"version,attr"`
		ID       string `xml:"id"`
		Title    string `xml:"title"`
		Issued   date   `xml:"issued"`
		Updated  date   `xml:"updated"`
		Severity string `xml:"severity"`
		// The names of elements of references and packages are those of JSON in lower case.
		Description string `xml:"description"`
		References  struct {
			Reference []struct {
				Href  string `xml:"href,attr"`
				ID    string `xml:"id,attr"`
				Title string `xml:"title,attr"`
				Type  string `xml:"type,attr"`
			} `xml:"reference"`
		} `xml:"references"`
		Pkglist struct {
			Collection struct {
				Package []struct {
					Name     string `xml:"name,attr"`
					Epoch    string `xml:"epoch,attr"`
					Version  string `xml:"version,attr"`
					Release  string `xml:"release,attr"`
					Arch     string `xml:"arch,attr"`
					Filename string `xml:"filename"`
				} `xml:"package"`
			} `xml:"collection"`
		} `xml:"pkglist"`
	}
	var document struct {
		XMLName xml.Name `xml:"updates"`
		Update  []entry  `xml:"update"`
	}
	packages := 0
	for line := range strings.Lines(unzipped(t, "amazon-alas", "AmazonLinux2023-ALAS.jsonl.gz")) {
		var e entry
		require.NoError(t, json.Unmarshal([]byte(line), &e))
		document.Update = append(document.Update, e)
		packages += len(e.Pkglist.Collection.Package)
	}
	content, err := xml.Marshal(document)
	require.NoError(t, err)
	n, records, err := tally(t, updateinfo.Repository{Updateinfo: text(string(content))})
	require.NoError(t, err)
	require.Empty(t, records)
	require.Equal(t, 854, n.advisories)
	t.Logf("%+v of %d packages, %d bytes of XML", n, packages, len(content))
	require.Equal(t, packages, n.packages)
}

// unzipped returns the content of a captured file.
func unzipped(t testing.TB, elem ...string) string {
	t.Helper()
	packed, err := os.ReadFile(filepath.Join(need.Shared(t, "feeds"), filepath.Join(elem...)))
	require.NoError(t, err)
	r, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	content, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(content)
}
