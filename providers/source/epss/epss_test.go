package epss_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/epss"
)

func text(s string) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func read(t testing.TB, content string) (*epss.Scores, []error) {
	t.Helper()
	s, refused, err := epss.Read(t.Context(), epss.Config{Name: "day", Open: text(content)})
	require.NoError(t, err)
	return s, refused
}

func catalog(t testing.TB, patches ...patch.Patch) *patch.Catalog {
	t.Helper()
	c, err := patch.NewCatalog(patches)
	require.NoError(t, err)
	return c
}

func enrich(t testing.TB, s *epss.Scores, patches ...patch.Patch) []patch.Patch {
	t.Helper()
	changed, err := s.Enrich(t.Context(), catalog(t, patches...))
	require.NoError(t, err)
	return changed
}

func explained(by ...patch.Advisory) patch.Patch { return patch.Patch{ID: "x:1", Advisories: by} }

const header = "#model_version:v2025.03.14,score_date:2025-12-26T12:55:00Z\ncve,epss,percentile\n"

func TestEnricher(t *testing.T) {
	providertest.Enricher(t, providertest.EnricherHarness{
		New: func(t *testing.T) patch.Enricher {
			s, _ := read(t, header+"CVE-2024-0001,0.5,0.9\nCVE-2024-0002,0.25,0.8\n")
			return s
		},
		Patches: []patch.Patch{
			{ID: "x:1", Advisories: []patch.Advisory{{ID: "A", CVEs: []string{"CVE-2024-0002", "CVE-2024-0001", "CVE-2024-9999"}}}},
			{ID: "x:2", Severity: patch.SeverityCritical, Advisories: []patch.Advisory{{ID: "B", CVEs: []string{"CVE-2024-0001"}, EPSS: 0.75, Exploited: patch.Yes}}},
			{ID: "x:3"},
		},
	})
}

func TestRead(t *testing.T) {
	for name, want := range map[string]struct {
		model, date string
		n           int
		cve         string
		score       epss.Score
	}{
		"2021-04-14.csv": {"", "0001-01-01T00:00:00Z", 2, "CVE-2020-5902", epss.Score{Probability: 0.65117}},
		"2021-09-01.csv": {"", "0001-01-01T00:00:00Z", 2, "CVE-2020-5902", epss.Score{Probability: 0.65117, Percentile: 0.9981063485700858}},
		"2025-02-20.csv": {"v2023.03.01", "2025-02-20T00:00:00Z", 5, "CVE-1999-0005", epss.Score{Probability: 0.91963, Percentile: 0.99214}},
		"2025-12-26.csv": {"v2025.03.14", "2025-12-26T12:55:00Z", 27, "CVE-2025-9970", epss.Score{Probability: 7e-05, Percentile: 0.00428}},
		"mirror.json":    {"", "2021-08-31T00:00:00Z", 2, "CVE-2017-3248", epss.Score{Probability: 0.34199}},
	} {
		s, refused, err := epss.Read(t.Context(), epss.Config{Open: source.File(os.DirFS("testdata"), name)})
		require.NoError(t, err, name)
		require.Empty(t, refused, name)
		require.Equal(t, want.n, s.Len(), name)
		require.Equal(t, want.model, s.Model(), name)
		require.Equal(t, want.date, s.Date().Format(time.RFC3339), name)
		got, found := s.Score(want.cve)
		require.True(t, found, name)
		require.Equal(t, want.score, got, name)
		_, found = s.Score("CVE-1999-9999")
		require.False(t, found)
	}
}

func TestEnrichTakesTheHighest(t *testing.T) {
	s, _ := read(t, header+"CVE-2024-0001,0.5,0.9\nCVE-2024-0002,0.25,0.8\nCVE-2024-0003,0,0\n")
	for _, row := range []struct {
		name string
		was  patch.Advisory
		want float64 // 0: nothing changes
	}{
		{"of several CVEs", patch.Advisory{ID: "A", CVEs: []string{"CVE-2024-0002", "CVE-2024-0001", "CVE-2024-0003"}}, 0.5},
		{"of a CVE that is an advisory itself", patch.Advisory{ID: "CVE-2024-0002"}, 0.25},
		{"of what is known and of the file", patch.Advisory{ID: "A", CVEs: []string{"CVE-2024-0001"}, EPSS: 0.125}, 0.5},
		{"which may be known already", patch.Advisory{ID: "A", CVEs: []string{"CVE-2024-0001"}, EPSS: 0.75}, 0},
		{"and is the same in a second call", patch.Advisory{ID: "A", CVEs: []string{"CVE-2024-0001"}, EPSS: 0.5}, 0},
		{"nothing is as good as zero", patch.Advisory{ID: "A", CVEs: []string{"CVE-2024-0003", "CVE-2024-9999"}}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			changed := enrich(t, s, explained(row.was))
			if row.want == 0 {
				require.Empty(t, changed)
				return
			}
			row.was.EPSS = row.want
			want := explained(row.was)
			want.Provenance = []patch.Provenance{{Field: "advisories/" + row.was.ID + "/epss", From: "epss:2025-12-26"}}
			require.Equal(t, []patch.Patch{want}, changed)
		})
	}
	require.Empty(t, enrich(t, &epss.Scores{}, explained(patch.Advisory{ID: "CVE-2024-0001"})))
}

// A later day lowers nothing in the same catalog, and everything in a new one.
func TestALaterDay(t *testing.T) {
	monday, _ := read(t, header+"CVE-2024-0001,0.5,0.9\n")
	tuesday, _ := read(t, header+"CVE-2024-0001,0.25,0.8\n")
	listed := explained(patch.Advisory{ID: "CVE-2024-0001"})
	enriched := enrich(t, monday, listed)
	require.Empty(t, enrich(t, tuesday, enriched...))
	require.Equal(t, 0.25, enrich(t, tuesday, listed)[0].EPSS())

	someday, _ := read(t, "cve,epss\nCVE-2024-0001,0.5\n")
	require.Equal(t, patch.ID("epss:scores"), enrich(t, someday, listed)[0].Provenance[0].From)
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	for bad, want := range map[string]string{
		"CVE-2024-0002,NaN,0.5":             "CVE-2024-0002: NaN and 0.5 are not from 0 to 1",
		"CVE-2024-0002,0.5,NaN":             "are not from 0 to 1",
		"CVE-2024-0002,-0.1,0.5":            "CVE-2024-0002: -0.1 and 0.5 are not from 0 to 1",
		"CVE-2024-0002,1.01,0.5":            "are not from 0 to 1",
		"CVE-2024-0002,0.5,-Inf":            "are not from 0 to 1",
		"CVE-2024-0002,1e999,0.5":           `field epss: "1e999" is no number`,
		"CVE-2024-0002,high,0.5":            `field epss: "high" is no number`,
		"CVE-2024-0002,,":                   `field epss: "" is no number`,
		"CVE-2024-0002,0.5,":                `field percentile: "" is no number`,
		"CVE-2024-0002,0.5":                 "2 fields, want 3",
		"CVE-2024-0002,0.5,0.5,0.5":         "4 fields, want 3",
		"CVE-2024-0002":                     "1 fields, want 3",
		"GHSA-1,0.5,0.5":                    `no CVE is called "GHSA-1"`,
		"CVE-2024-0001,0.25,0.5":            "CVE-2024-0001 stands there already",
		strings.Repeat("C", 999) + ",0.5,1": "no CVE is called",
	} {
		s, refused := read(t, header+"CVE-2024-0001,0.5,0.9\r\n"+bad+"\n\nCVE-2024-0003,0.125,0.9")
		require.Equal(t, 2, s.Len(), bad)
		require.Len(t, refused, 1, bad)
		require.ErrorIs(t, refused[0], patch.ErrRecord)
		require.ErrorContains(t, refused[0], "epss: day: line 4: ")
		require.ErrorContains(t, refused[0], want)
		require.Less(t, len(refused[0].Error()), 200)
		score, _ := s.Score("CVE-2024-0001")
		require.Equal(t, epss.Score{Probability: 0.5, Percentile: 0.9}, score)
	}
	for bad, want := range map[string]string{
		`7`:                                     "cannot unmarshal number",
		`{"id": "CVE-2024-0002"}`:               "CVE-2024-0002 has no probability",
		`{"id": "CVE-2024-0002", "epss": "1"}`:  "cannot unmarshal string",
		`{"id": "CVE-2024-0002", "epss": 1e99}`: "are not from 0 to 1",
		`{"epss": 1}`:                           `no CVE is called ""`,
	} {
		s, refused := read(t, `{"data": [{"id": "CVE-2024-0001", "epss": 0.5}, `+bad+`, {"id": "CVE-2024-0003", "epss": 1, "percentile": 1}]}`)
		require.Equal(t, 2, s.Len(), bad)
		require.Len(t, refused, 1, bad)
		require.ErrorIs(t, refused[0], patch.ErrRecord)
		require.ErrorContains(t, refused[0], "epss: day: record 2: ")
		require.ErrorContains(t, refused[0], want)
	}
}

func TestOfACVEThatStandsTwiceTheHigherCounts(t *testing.T) {
	s, refused := read(t, header+"CVE-2024-0001,0.25,0.8\nCVE-2024-0001,0.5,0.9\nCVE-2024-0001,0.125,0.1\n")
	require.Len(t, refused, 2)
	score, _ := s.Score("CVE-2024-0001")
	require.Equal(t, epss.Score{Probability: 0.5, Percentile: 0.9}, score)
	require.Equal(t, 1, s.Len())
}

func TestFilesThatCannotBeRead(t *testing.T) {
	gone := errors.New("gone")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := io.WriteString(w, header+"CVE-2024-0001,0.5,0.9\n")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	for name, row := range map[string]struct {
		open source.Opener
		is   error
		want string
	}{
		"missing":               {func() (io.ReadCloser, error) { return nil, gone }, gone, "epss: day: gone"},
		"empty":                 {text(""), io.ErrUnexpectedEOF, ""},
		"only a comment":        {text(header[:strings.Index(header, "\n")+1]), io.ErrUnexpectedEOF, "no columns are named"},
		"a page":                {text("<html>\n"), nil, `line 1: the columns are "<html>"`},
		"other columns":         {text("#x\ncve,percentile,epss\n"), nil, `line 2: the columns are "cve,percentile,epss"`},
		"a day that is none":    {text("#model_version:v1,score_date:yesterday\n"), nil, `line 1: field score_date is "yesterday"`},
		"one in JSON":           {text(`{"score_date": "x", "data": []}`), nil, `field score_date is "x"`},
		"a number for a day":    {text(`{"score_date": 7, "data": []}`), nil, `field score_date: `},
		"cut off":               {text(packed.String()[:packed.Len()-9]), io.ErrUnexpectedEOF, ""},
		"JSON that is cut off":  {text(`{"data": [`), io.ErrUnexpectedEOF, ""},
		"JSON of something":     {text(`{"status": "OK"}`), nil, `without a field ["data"]`},
		"too many":              {text(header + strings.Repeat("CVE-2024-0001,0.5,0.9\n", 4)), source.ErrTooLarge, "more than 3 records"},
		"too many in JSON":      {text(`{"data": [{},{},{},{}]}`), source.ErrTooLarge, "more than 3 records"},
		"a line without an end": {text(header + strings.Repeat("C", 5000)), source.ErrTooLarge, "line 3: more than 4096 bytes"},
		"larger than allowed":   {text(header + strings.Repeat("\n", 10000)), source.ErrTooLarge, ""},
		"broken in the middle": {func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader(header), iotest.ErrReader(gone))), nil
		}, gone, "line 3: "},
	} {
		s, _, err := epss.Read(t.Context(), epss.Config{Name: "day", Open: row.open, Limits: source.Limits{Records: 3, Bytes: 9999}})
		require.Nil(t, s, name)
		require.ErrorContains(t, err, "epss: day: ", name)
		require.ErrorContains(t, err, row.want, name)
		if row.is != nil {
			require.ErrorIs(t, err, row.is, name)
		}
		require.NotErrorIs(t, err, patch.ErrRecord, name)
	}
	_, _, err = epss.Read(t.Context(), epss.Config{})
	require.EqualError(t, err, "epss: config: Open is required")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, content := range []string{header + "CVE-2024-0001,0.5,0.9\n", `{"data": [{}]}`} {
		_, _, err = epss.Read(ctx, epss.Config{Open: text(content)})
		require.Equal(t, context.Canceled, err)
	}
}

// A whole day of the mirror, and the small files of others.
func TestCapturedDays(t *testing.T) {
	for name, want := range map[string]int{"epss-2021-08-31.vuls.json.xz": 72272, "vulnerablecode_epss_scores.csv": 27, "vunnel_example-1.csv": 5} {
		s, refused, err := epss.Read(t.Context(), epss.Config{Open: source.File(os.DirFS(need.Shared(t, "feeds", "epss")), name)})
		require.NoError(t, err, name)
		require.Empty(t, refused, name)
		require.Equal(t, want, s.Len(), name)
	}
	folder := need.Shared(t, "feeds", "vuls-data-update-fixtures", "epss", "testdata", "fixtures")
	for _, date := range []string{"2021-04-14", "2021-09-01", "2022-02-04", "2023-03-07"} {
		s, refused, err := epss.Read(t.Context(), epss.Config{Open: source.File(os.DirFS(folder), "epss_scores-"+date+".csv.gz")})
		require.NoError(t, err, date)
		require.Empty(t, refused, date)
		require.Equal(t, 2, s.Len(), date)
	}
}

func FuzzRead(f *testing.F) {
	names, err := filepath.Glob(filepath.Join("testdata", "[2m]*.*"))
	require.NoError(f, err)
	for _, name := range names {
		content, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(string(content))
	}
	f.Add(header + "CVE-2024-0001,NaN,0\nCVE-2024-0001,1,1\n")
	f.Fuzz(func(t *testing.T, content string) {
		s, refused, err := epss.Read(t.Context(), epss.Config{Open: text(content), Limits: source.Limits{Records: 100}})
		for _, err := range refused {
			require.ErrorIs(t, err, patch.ErrRecord)
		}
		if err != nil {
			return
		}
		for _, line := range strings.FieldsFunc(content, func(c rune) bool { return strings.ContainsRune("\n,\" ", c) }) {
			if score, found := s.Score(line); found {
				require.True(t, score.Probability >= 0 && score.Probability <= 1 && score.Percentile >= 0 && score.Percentile <= 1)
				require.True(t, source.IsCVE(line))
			}
		}
	})
}

// The most likely to be exploited of the CVEs of an advisory counts.
func ExampleScores_Enrich() {
	scores, refused, err := epss.Read(context.Background(), epss.Config{Open: source.File(os.DirFS("testdata"), "2025-12-26.csv")})
	fmt.Println(scores.Model(), scores.Date(), len(refused), err)

	c, _ := patch.NewCatalog([]patch.Patch{{ID: "x:1", Advisories: []patch.Advisory{{ID: "X-1", CVEs: []string{"CVE-1999-0002", "CVE-1999-0003"}}}}})
	changed, _ := scores.Enrich(context.Background(), c)
	fmt.Println(changed[0].ID, changed[0].EPSS())
	// Output:
	// v2025.03.14 2025-12-26 12:55:00 +0000 UTC 0 <nil>
	// x:1 0.89352
}
