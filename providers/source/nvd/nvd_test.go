package nvd_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	"github.com/patchflow/patchflow/providers/source/nvd"
)

func text(s string) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func read(t testing.TB, contents ...string) (*nvd.Database, []error) {
	t.Helper()
	var config nvd.Config
	for _, content := range contents {
		config.Inputs = append(config.Inputs, nvd.Input{Open: text(content)})
	}
	d, refused, err := nvd.Read(t.Context(), config)
	require.NoError(t, err)
	return d, refused
}

func file(t testing.TB, names ...string) *nvd.Database {
	t.Helper()
	var config nvd.Config
	for _, name := range names {
		config.Inputs = append(config.Inputs, nvd.Input{Name: name, Open: source.File(os.DirFS("testdata"), name)})
	}
	d, refused, err := nvd.Read(t.Context(), config)
	require.NoError(t, err)
	require.Empty(t, refused)
	return d
}

const (
	critical = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" // 9.8
	moderate = "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:N/I:H/A:N" // 6.5
	old      = "AV:N/AC:L/Au:N/C:C/I:C/A:C"                   // 10
	young    = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U"
)

// record is one of the form 2.0, with one metric of each vector.
func record(cve, modified string, vectors ...string) string {
	var metrics []string
	for _, v := range vectors {
		field := "cvssMetricV31"
		switch {
		case v == old:
			field = "cvssMetricV2"
		case v == young:
			field = "cvssMetricV40"
		}
		metrics = append(metrics, fmt.Sprintf(`%q: [{"source": "nvd@nist.gov", "type": "Primary", "cvssData": {"vectorString": %q}}]`, field, v))
	}
	return fmt.Sprintf(`{"cve": {"id": %q, "lastModified": %q, "metrics": {%s}}}`, cve, modified, strings.Join(metrics, ", "))
}

func list(records ...string) string {
	return `{"vulnerabilities": [` + strings.Join(records, ", ") + "]}"
}

func catalog(t testing.TB, patches ...patch.Patch) *patch.Catalog {
	t.Helper()
	c, err := patch.NewCatalog(patches)
	require.NoError(t, err)
	return c
}

func enrich(t testing.TB, d *nvd.Database, patches ...patch.Patch) []patch.Patch {
	t.Helper()
	changed, err := d.Enrich(t.Context(), catalog(t, patches...))
	require.NoError(t, err)
	return changed
}

func TestEnricher(t *testing.T) {
	providertest.Enricher(t, providertest.EnricherHarness{
		New: func(t *testing.T) patch.Enricher { return file(t, "v1.json", "v2.json") },
		Patches: []patch.Patch{
			{ID: "x:1", Advisories: []patch.Advisory{{ID: "A", CVEs: []string{"CVE-2021-44228", "CVE-2024-3094", "CVE-2016-3197"}}, {ID: "CVE-2022-0090"}}},
			{ID: "x:2", Severity: patch.SeverityCritical, Advisories: []patch.Advisory{{ID: "B", CVEs: []string{"CVE-2022-0090"}, Severity: patch.SeverityCritical,
				Scores: []patch.Score{{Version: "3.1", Base: 10, By: "the vendor"}}}}},
			{ID: "x:3", Severity: patch.SeverityLow, Advisories: []patch.Advisory{{ID: "C", CVEs: []string{"CVE-2021-44228"}}}},
			{ID: "x:4", Native: map[string]string{"a": "b"}, Advisories: []patch.Advisory{{ID: "D", CVEs: []string{"CVE-2016-3197"}}}},
		},
	})
}

func TestRead(t *testing.T) {
	d := file(t, "v2.json", "v1.json")
	require.Equal(t, 6, d.Len())
	at := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		return at
	}
	got, found := d.Record("CVE-2021-44228")
	require.True(t, found)
	require.Empty(t, cmp.Diff(nvd.Record{
		CVE: "CVE-2021-44228", Status: "Analyzed", Published: at("2021-12-10T10:15:09.143Z"), Modified: at("2026-06-17T04:12:05.46Z"),
		Scores: []patch.Score{
			{Version: "2.0", Vector: "AV:N/AC:M/Au:N/C:C/I:C/A:C", Base: 9.3, By: "nvd@nist.gov"},
			{Version: "3.1", Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", Base: 10, By: "nvd@nist.gov"},
			{Version: "3.1", Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", Base: 10, By: "134c704f-9b21-4f2e-91b3-4a467353bcc0"},
		},
	}, got))
	got, _ = d.Record("CVE-2022-0090")
	require.Empty(t, cmp.Diff(nvd.Record{
		CVE: "CVE-2022-0090", Published: at("2022-01-18T17:15:00Z"), Modified: at("2022-01-25T14:49:00Z"),
		Scores: []patch.Score{
			{Version: "2.0", Vector: "AV:N/AC:L/Au:N/C:N/I:P/A:N", Base: 5, By: "nvd@nist.gov"},
			{Version: "3.1", Vector: moderate, Base: 6.5, By: "nvd@nist.gov"},
		},
	}, got))
	for _, name := range []string{"CVE-2016-3197", "CVE-2022-3063"} {
		got, _ = d.Record(name)
		require.True(t, got.Rejected, name)
		require.Equal(t, "Rejected", got.Status, name)
		require.Empty(t, got.Scores, name)
	}
	_, found = d.Record("CVE-2021-44229")
	require.False(t, found)
}

func TestRecordsAreTheirOwn(t *testing.T) {
	d := file(t, "v2.json")
	for r := range d.All() {
		for i := range r.Scores {
			r.Scores[i] = patch.Score{}
		}
	}
	require.Equal(t, slices.Collect(file(t, "v2.json").All()), slices.Collect(d.All()))
	for range d.All() {
		break
	}
}

func TestTheRecordModifiedLaterCounts(t *testing.T) {
	older, newer := list(record("CVE-2024-0001", "2024-01-01T00:00:00.000", moderate)), list(record("CVE-2024-0001", "2024-02-01T00:00:00.000", critical))
	for _, contents := range [][]string{{older, newer}, {newer, older}} {
		d, refused := read(t, contents...)
		require.Empty(t, refused)
		got, _ := d.Record("CVE-2024-0001")
		require.Len(t, got.Scores, 1)
		require.Equal(t, critical, got.Scores[0].Vector)
	}
	d, _ := read(t, older, list(record("CVE-2024-0001", "2024-01-01T00:00:00.000", old)))
	got, _ := d.Record("CVE-2024-0001")
	require.Equal(t, old, got.Scores[0].Vector, "of equal ones the second")
}

func TestSeverity(t *testing.T) {
	for _, row := range []struct {
		name    string
		vectors []string
		want    patch.Severity
	}{
		{"no score is no rating", nil, patch.SeverityUnrated},
		{"version 3", []string{moderate}, patch.SeverityModerate},
		{"version 3 counts before version 2", []string{old, moderate}, patch.SeverityModerate},
		{"version 4 is as good", []string{young}, patch.SeverityImportant},
		{"the highest counts", []string{moderate, young}, patch.SeverityImportant},
		{"version 2 knows no critical", []string{old}, patch.SeverityImportant},
	} {
		t.Run(row.name, func(t *testing.T) {
			d, refused := read(t, list(record("CVE-2024-0001", "", row.vectors...)))
			require.Empty(t, refused)
			got, _ := d.Record("CVE-2024-0001")
			require.Equal(t, row.want, got.Severity())
		})
	}
}

func TestRatingsAreFilledAndNeverReplaced(t *testing.T) {
	d, _ := read(t, list(record("CVE-2024-0001", "", critical), record("CVE-2024-0002", "", moderate), record("CVE-2024-0003", "")))
	low, none := patch.SeverityLow, patch.SeverityUnrated
	type rated struct{ patch, a, b patch.Severity }
	for _, row := range []struct {
		name      string
		was, want rated
	}{
		{"nobody rated it", rated{none, none, none}, rated{patch.SeverityCritical, patch.SeverityModerate, patch.SeverityCritical}},
		{"the patch is rated", rated{low, none, none}, rated{low, none, none}},
		{"one advisory is rated", rated{none, none, low}, rated{patch.SeverityModerate, patch.SeverityModerate, low}},
		{"all advisories are rated", rated{none, low, low}, rated{none, low, low}},
	} {
		t.Run(row.name, func(t *testing.T) {
			changed := enrich(t, d, patch.Patch{ID: "x:1", Severity: row.was.patch, Advisories: []patch.Advisory{
				{ID: "A", CVEs: []string{"CVE-2024-0002", "CVE-2024-0003"}, Severity: row.was.a, SeverityRaw: "as it is"},
				{ID: "B", CVEs: []string{"CVE-2024-0001"}, Severity: row.was.b},
			}})
			require.Len(t, changed, 1)
			p := changed[0]
			require.Equal(t, row.want, rated{p.Severity, p.Advisories[0].Severity, p.Advisories[1].Severity})
			require.Equal(t, "as it is", p.Advisories[0].SeverityRaw)
			credited := func(field string) bool {
				return slices.Contains(p.Provenance, patch.Provenance{Field: field, From: "nvd:records"})
			}
			require.True(t, credited("advisories/A/scores"))
			require.Equal(t, row.was.patch != row.want.patch, credited("severity"))
			require.Equal(t, row.was.a != row.want.a, credited("advisories/A/severity"))
			require.Equal(t, row.was.b != row.want.b, credited("advisories/B/severity"))
			require.Empty(t, enrich(t, d, p))
		})
	}
}

func TestScoresStandBesideThoseOfOthers(t *testing.T) {
	d, _ := read(t, list(record("CVE-2024-0001", "", old, critical)))
	others := patch.Score{Version: "3.1", Vector: critical, Base: 9.8, By: "the vendor"}
	changed := enrich(t, d, patch.Patch{ID: "x:1", Advisories: []patch.Advisory{{ID: "CVE-2024-0001", Scores: []patch.Score{others}}}})
	require.Equal(t, []patch.Score{others, {Version: "2.0", Vector: old, Base: 10, By: "nvd@nist.gov"}, {Version: "3.1", Vector: critical, Base: 9.8, By: "nvd@nist.gov"}},
		changed[0].Advisories[0].Scores)
}

func TestRejectedNamesAreNoted(t *testing.T) {
	rejected := func(cve string) string {
		return strings.Replace(record(cve, "", critical), `"id"`, `"vulnStatus": "Rejected", "id"`, 1)
	}
	d, _ := read(t, list(rejected("CVE-2024-0002"), rejected("CVE-2024-0001"), record("CVE-2024-0003", "")))
	changed := enrich(t, d,
		patch.Patch{ID: "x:1", Advisories: []patch.Advisory{{ID: "A", CVEs: []string{"CVE-2024-0002"}}, {ID: "B", CVEs: []string{"CVE-2024-0003", "CVE-2024-0001", "CVE-2024-0002"}}}},
		patch.Patch{ID: "x:2", Advisories: []patch.Advisory{{ID: "CVE-2024-0003"}}},
	)
	require.Len(t, changed, 1)
	require.Equal(t, map[string]string{nvd.NativeRejected: "CVE-2024-0001 CVE-2024-0002"}, changed[0].Native)
	require.True(t, changed[0].Withdrawn.IsZero())
	require.Equal(t, []patch.Provenance{{Field: "native", From: "nvd:records"}}, changed[0].Provenance)
	require.Equal(t, patch.SeverityUnrated, changed[0].Worst())
	require.Empty(t, changed[0].Advisories[0].Scores)
	require.Empty(t, enrich(t, d, changed...))
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	good := record("CVE-2024-0001", "", critical)
	score := func(data string) string {
		return `{"cve": {"id": "CVE-2024-0002", "metrics": {"cvssMetricV31": [` + data + `, {"cvssData": {"vectorString": "` + critical + `", "baseScore": 9.8}}]}}}`
	}
	for bad, row := range map[string]struct {
		want    string
		records int
	}{
		`7`:                                     {"cannot unmarshal number", 2},
		`{}`:                                    {`no CVE is called ""`, 2},
		`{"cve": {"id": "CVE-1"}}`:              {`no CVE is called "CVE-1"`, 2},
		record("CVE-2024-0002", "yesterday"):    {`CVE-2024-0002: modified: "yesterday" is no time`, 3},
		score(`{}`):                             {"CVE-2024-0002: score 1: not a CVSS vector: there is none", 3},
		score(`{"cvssData": {"baseScore": 9}}`): {"score 1: not a CVSS vector", 3},
		score(`{"cvssData": {"vectorString": "CVSS:3.1/AV:Q"}}`):                                                                             {"score 1: source: ", 3},
		score(`{"cvssData": {"vectorString": "` + critical + `", "baseScore": 5}}`):                                                          {"score 1: it is 5, and CVSS:3.1/", 3},
		score(`{"cvssData": {"vectorString": "` + critical + `", "baseScore": 11}}`):                                                         {"score 1: it is 11, which is not from 0 to 10", 3},
		score(`{"source": "` + strings.Repeat("x", 300) + `", "cvssData": {"vectorString": "` + critical + `"}}`):                            {"score 1: its source has 300 bytes: larger than allowed", 3},
		score(strings.Repeat(`{"cvssData": {"vectorString": "`+moderate+`"}}, `, 63) + `{"cvssData": {"vectorString": "` + moderate + `"}}`): {"more than 64 scores: larger than allowed", 3},
	} {
		d, refused := read(t, list(good, bad, record("CVE-2024-0003", "")))
		require.Equal(t, row.records, d.Len(), bad)
		require.Len(t, refused, 1, bad)
		require.ErrorIs(t, refused[0], patch.ErrRecord)
		require.ErrorContains(t, refused[0], "nvd: input 1: record 2: ")
		require.ErrorContains(t, refused[0], row.want)
		if got, found := d.Record("CVE-2024-0002"); found && strings.Contains(bad, "cvssData") {
			require.NotEmpty(t, got.Scores, "the other score is kept")
		}
	}
	_, refused := read(t, `{"CVE_Items": [{}, 7]}`)
	require.Len(t, refused, 2)
}

func TestBaseOfVersion4IsTheFilesOwn(t *testing.T) {
	d, refused := read(t, `{"vulnerabilities": [{"cve": {"id": "CVE-2024-0001", "metrics": {"cvssMetricV40": [{"cvssData": {"vectorString": "`+young+`", "baseScore": 9.3}}]}}}]}`)
	require.Empty(t, refused)
	got, _ := d.Record("CVE-2024-0001")
	require.Equal(t, 9.3, got.Scores[0].Base)
	require.Equal(t, "4.0", got.Scores[0].Version)
}

func TestFilesThatCannotBeRead(t *testing.T) {
	gone := errors.New("gone")
	for name, row := range map[string]struct {
		open source.Opener
		is   error
		want string
	}{
		"missing":             {func() (io.ReadCloser, error) { return nil, gone }, gone, "nvd: b.json: gone"},
		"empty":               {text(""), io.ErrUnexpectedEOF, ""},
		"cut off":             {text(`{"vulnerabilities": [`), io.ErrUnexpectedEOF, ""},
		"something else":      {text(`{"message": "slow down"}`), nil, `without a field ["vulnerabilities" "CVE_Items"]`},
		"too many":            {text(list("{}", "{}", "{}")), source.ErrTooLarge, "more than 3 records"},
		"larger than allowed": {text(list() + strings.Repeat(" ", 9999)), source.ErrTooLarge, ""},
		"broken":              {func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(gone)), nil }, gone, ""},
	} {
		d, _, err := nvd.Read(t.Context(), nvd.Config{Limits: source.Limits{Records: 3, Bytes: 9999}, Inputs: []nvd.Input{
			{Name: "a.json", Open: text(list("{}"))}, {Name: "b.json", Open: row.open},
		}})
		require.Nil(t, d, name)
		require.ErrorContains(t, err, "nvd: b.json: ", name)
		require.ErrorContains(t, err, row.want, name)
		if row.is != nil {
			require.ErrorIs(t, err, row.is, name)
		}
		require.NotErrorIs(t, err, patch.ErrRecord, name)
	}
	_, _, err := nvd.Read(t.Context(), nvd.Config{})
	require.EqualError(t, err, "nvd: config: Inputs is empty")
	_, _, err = nvd.Read(t.Context(), nvd.Config{Inputs: []nvd.Input{{}}})
	require.EqualError(t, err, "nvd: config: Inputs[0].Open is required")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = nvd.Read(ctx, nvd.Config{Inputs: []nvd.Input{{Open: text(list("{}"))}}})
	require.Equal(t, context.Canceled, err)
}

// Every captured record of both forms is read, and every score has the number that follows from its vector.
func TestCapturedRecords(t *testing.T) {
	folder := need.Shared(t, "feeds")
	count := func(pattern string) (records, scores, rejected int) {
		names, err := fs.Glob(os.DirFS(folder), pattern)
		require.NoError(t, err)
		for _, name := range names {
			d, refused, err := nvd.Read(t.Context(), nvd.Config{Inputs: []nvd.Input{{Name: name, Open: source.File(os.DirFS(folder), name)}}})
			require.NoError(t, err, name)
			require.Empty(t, refused, name)
			for r := range d.All() {
				records++
				scores += len(r.Scores)
				if r.Rejected {
					rejected++
				}
			}
		}
		return records, scores, rejected
	}
	for pattern, want := range map[string][3]int{
		"nvd/nvdcve-2.0/*.json":       {23, 38, 0},
		"nvd/claircore_nvd_feed.json": {3, 5, 1},
		"nvd/nvdcve-1.1-*.json.xz":    {669, 360, 29},
		"vuls-data-update-fixtures/nvd/feed/cve/v2/testdata/fixtures/*.gz": {9, 17, 0},
		"vuls-data-update-fixtures/nvd/feed/cve/v1/testdata/fixtures/*.gz": {8, 8, 0},
	} {
		records, scores, rejected := count(pattern)
		require.Equal(t, want, [3]int{records, scores, rejected}, pattern)
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"v1.json", "v2.json"} {
		content, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(f, err)
		f.Add(string(content))
	}
	f.Add(list(record("CVE-2024-0001", "2024-01-01T00:00:00", old, young, critical), "7"))
	f.Fuzz(func(t *testing.T, content string) {
		d, refused, err := nvd.Read(t.Context(), nvd.Config{Inputs: []nvd.Input{{Open: text(content)}}, Limits: source.Limits{Records: 100}})
		for _, err := range refused {
			require.ErrorIs(t, err, patch.ErrRecord)
		}
		if err != nil {
			return
		}
		for r := range d.All() {
			require.True(t, source.IsCVE(r.CVE))
			changed := enrich(t, d, patch.Patch{ID: "x:1", Advisories: []patch.Advisory{{ID: r.CVE}}})
			require.Equal(t, len(r.Scores) > 0 || r.Rejected, len(changed) == 1)
			require.Empty(t, enrich(t, d, changed...))
		}
	})
}

// What nobody rated is rated by its scores; what a publisher rated keeps its rating.
func ExampleDatabase_Enrich() {
	d, refused, err := nvd.Read(context.Background(), nvd.Config{Inputs: []nvd.Input{{Open: source.File(os.DirFS("testdata"), "v2.json")}}})
	fmt.Println(d.Len(), "records,", len(refused), "refused,", err)

	c, _ := patch.NewCatalog([]patch.Patch{
		{ID: "debian:bookworm/libwebp=1.2.4-0.2+deb12u1", Advisories: []patch.Advisory{{ID: "DSA-5497-2", CVEs: []string{"CVE-2023-4863"}}}},
		{ID: "x:1", Severity: patch.SeverityModerate, Advisories: []patch.Advisory{{ID: "X-1", CVEs: []string{"CVE-2021-44228"}}}},
	})
	changed, _ := d.Enrich(context.Background(), c)
	for _, p := range changed {
		fmt.Println(p.ID, p.Severity, p.Base(), len(p.Advisories[0].Scores), "scores")
	}
	// Output:
	// 4 records, 0 refused, <nil>
	// debian:bookworm/libwebp=1.2.4-0.2+deb12u1 important 8.8 1 scores
	// x:1 moderate 10 3 scores
}
