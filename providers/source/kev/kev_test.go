package kev_test

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	"github.com/patchflow/patchflow/providers/source/arch"
	"github.com/patchflow/patchflow/providers/source/kev"
)

func text(s string) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func read(t testing.TB, content string) (*kev.Catalogue, []error) {
	t.Helper()
	c, refused, err := kev.Read(t.Context(), kev.Config{Name: "kev", Open: text(content)})
	require.NoError(t, err)
	return c, refused
}

func file(t testing.TB, name string) *kev.Catalogue {
	t.Helper()
	c, refused, err := kev.Read(t.Context(), kev.Config{Name: name, Open: source.File(os.DirFS("testdata"), name)})
	require.NoError(t, err)
	require.Empty(t, refused)
	return c
}

// entry is one record of a JSON file.
func entry(cve, added, more string) string {
	return fmt.Sprintf(`{"cveID": %q, "dateAdded": %q%s}`, cve, added, more)
}

func list(entries ...string) string {
	return `{"vulnerabilities": [` + strings.Join(entries, ", ") + "]}"
}

func day(text string) time.Time {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return at
}

func catalog(t testing.TB, patches ...patch.Patch) *patch.Catalog {
	t.Helper()
	c, err := patch.NewCatalog(patches)
	require.NoError(t, err)
	return c
}

func advisory(id string, cves ...string) patch.Advisory { return patch.Advisory{ID: id, CVEs: cves} }

func enrich(t testing.TB, k *kev.Catalogue, patches ...patch.Patch) []patch.Patch {
	t.Helper()
	changed, err := k.Enrich(t.Context(), catalog(t, patches...))
	require.NoError(t, err)
	return changed
}

func TestEnricher(t *testing.T) {
	since := day("2021-01-01")
	providertest.Enricher(t, providertest.EnricherHarness{
		New: func(t *testing.T) patch.Enricher { return file(t, "kev.json") },
		Patches: []patch.Patch{
			{ID: "x:1", Severity: patch.SeverityCritical, Advisories: []patch.Advisory{advisory("A", "CVE-2024-1111", "CVE-2023-4863", "CVE-2021-44228")}},
			{ID: "x:2", Advisories: []patch.Advisory{{ID: "CVE-2021-44228", Exploited: patch.Yes, KnownSince: since}}},
			{ID: "x:3", Advisories: []patch.Advisory{{ID: "B", CVEs: []string{"CVE-2025-48384"}, Exploited: patch.No, EPSS: 0.5}}},
			{ID: "x:4", Advisories: []patch.Advisory{advisory("C", "CVE-2024-1111")}},
		},
	})
}

func TestReadJSONAndCSVAgree(t *testing.T) {
	want := kev.Entry{
		CVE: "CVE-2021-44228", Vendor: "Apache", Product: "Log4j2", Name: "Apache Log4j2 Remote Code Execution Vulnerability",
		Added: day("2021-12-10"), Due: day("2021-12-24"), Ransomware: patch.Yes, RansomwareRaw: "Known",
	}
	for _, name := range []string{"kev.json", "kev.csv"} {
		c := file(t, name)
		require.Equal(t, 5, c.Len())
		got, found := c.Entry("CVE-2021-44228")
		require.True(t, found)
		require.Contains(t, got.Description, "Log4j2")
		require.NotEmpty(t, got.Action)
		require.Equal(t, []string{"CWE-20", "CWE-400", "CWE-502"}, got.CWEs)
		got.Description, got.Action, got.Notes, got.CWEs = "", "", "", nil
		require.Equal(t, want, got)
		_, found = c.Entry("CVE-2021-44229")
		require.False(t, found)
	}
	fromJSON, fromCSV := file(t, "kev.json"), file(t, "kev.csv")
	require.Empty(t, cmp.Diff(slices.Collect(fromJSON.All()), slices.Collect(fromCSV.All())))
	require.Equal(t, "2025.08.25", fromJSON.Version())
	require.Equal(t, "2025-08-25T17:04:19Z", fromJSON.Released().Format(time.RFC3339))
	require.Empty(t, fromCSV.Version())
	require.True(t, fromCSV.Released().IsZero())
}

func TestEntriesAreTheirOwn(t *testing.T) {
	c := file(t, "kev.json")
	for e := range c.All() {
		for i := range e.CWEs {
			e.CWEs[i] = "changed"
		}
	}
	require.Equal(t, slices.Collect(file(t, "kev.json").All()), slices.Collect(c.All()))
	for range c.All() {
		break
	}
}

func TestEnrich(t *testing.T) {
	k, refused := read(t, list(
		entry("CVE-2024-0001", "2024-03-01", `, "dueDate": "2024-03-22", "knownRansomwareCampaignUse": "Unknown"`),
		entry("CVE-2024-0002", "2024-02-01", `, "dueDate": "2024-04-01", "knownRansomwareCampaignUse": "Known"`),
		entry("CVE-2024-0003", "2024-05-01", ""),
	))
	require.Empty(t, refused)
	native := func(due, ransomware string) map[string]string {
		return map[string]string{kev.NativeDue: due, kev.NativeRansomware: ransomware}
	}
	for _, row := range []struct {
		name      string
		was, want patch.Patch // want.ID "" means that nothing changes
	}{
		{"one of several CVEs makes the advisory exploited",
			patch.Patch{ID: "x:1", Advisories: []patch.Advisory{advisory("A", "CVE-2024-9999", "CVE-2024-0001")}},
			patch.Patch{ID: "x:1", Native: native("2024-03-22", "Unknown"), Advisories: []patch.Advisory{
				{ID: "A", CVEs: []string{"CVE-2024-9999", "CVE-2024-0001"}, Exploited: patch.Yes, KnownSince: day("2024-03-01")}}}},
		{"the earliest days and the worse word count",
			patch.Patch{ID: "x:1", Advisories: []patch.Advisory{advisory("A", "CVE-2024-0001", "CVE-2024-0002")}},
			patch.Patch{ID: "x:1", Native: native("2024-03-22", "Known"), Advisories: []patch.Advisory{
				{ID: "A", CVEs: []string{"CVE-2024-0001", "CVE-2024-0002"}, Exploited: patch.Yes, KnownSince: day("2024-02-01")}}}},
		{"in whatever order",
			patch.Patch{ID: "x:1", Advisories: []patch.Advisory{advisory("A", "CVE-2024-0002"), advisory("B", "CVE-2024-0001"), advisory("C")}},
			patch.Patch{ID: "x:1", Native: native("2024-03-22", "Known"), Advisories: []patch.Advisory{
				{ID: "A", CVEs: []string{"CVE-2024-0002"}, Exploited: patch.Yes, KnownSince: day("2024-02-01")},
				{ID: "B", CVEs: []string{"CVE-2024-0001"}, Exploited: patch.Yes, KnownSince: day("2024-03-01")},
				{ID: "C"}}}},
		{"what the file does not say is left open",
			patch.Patch{ID: "x:1", Advisories: []patch.Advisory{advisory("A", "CVE-2024-0003")}},
			patch.Patch{ID: "x:1", Advisories: []patch.Advisory{{ID: "A", CVEs: []string{"CVE-2024-0003"}, Exploited: patch.Yes, KnownSince: day("2024-05-01")}}}},
		{"what others know earlier stands",
			patch.Patch{ID: "x:1", Native: map[string]string{"a": "b"}, Advisories: []patch.Advisory{
				{ID: "A", CVEs: []string{"CVE-2024-0003"}, Exploited: patch.Yes, KnownSince: day("2024-01-01")}}}, patch.Patch{}},
		{"a no of others does not",
			patch.Patch{ID: "x:1", Advisories: []patch.Advisory{{ID: "CVE-2024-0003", Exploited: patch.No}}},
			patch.Patch{ID: "x:1", Advisories: []patch.Advisory{{ID: "CVE-2024-0003", Exploited: patch.Yes, KnownSince: day("2024-05-01")}}}},
		{"what is not listed stays unknown",
			patch.Patch{ID: "x:1", Advisories: []patch.Advisory{advisory("A", "CVE-2024-9999")}}, patch.Patch{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			changed := enrich(t, k, row.was)
			if row.want.ID == "" {
				require.Empty(t, changed)
				return
			}
			require.Len(t, changed, 1)
			var told []string
			for _, v := range changed[0].Provenance {
				require.Equal(t, patch.ID("kev:catalogue"), v.From)
				told = append(told, v.Field)
			}
			var want []string
			for i, a := range row.want.Advisories {
				if a.Exploited == patch.Yes {
					require.NotEqual(t, patch.Yes, row.was.Advisories[i].Exploited)
					want = append(want, "advisories/"+a.ID+"/exploited", "advisories/"+a.ID+"/knownSince")
				}
			}
			if row.want.Native != nil {
				want = append(want, "native")
			}
			require.Equal(t, want, told)
			got := changed[0]
			got.Provenance = nil
			require.Empty(t, cmp.Diff(row.want, got))
			require.Empty(t, enrich(t, k, changed...))
		})
	}
}

func TestTwoWordsForTheSameDoNotChangeForEver(t *testing.T) {
	k, _ := read(t, list(entry("CVE-2024-0001", "2024-03-01", `, "knownRansomwareCampaignUse": "known"`), entry("CVE-2024-0002", "2024-03-01", `, "knownRansomwareCampaignUse": "Known"`)))
	changed := enrich(t, k, patch.Patch{ID: "x:1", Advisories: []patch.Advisory{advisory("A", "CVE-2024-0001", "CVE-2024-0002")}})
	require.Len(t, changed, 1)
	require.Empty(t, enrich(t, k, changed...))
}

func TestAnEntryThatIsTakenBackLowersNothing(t *testing.T) {
	old, _ := read(t, list(entry("CVE-2024-0001", "2024-03-01", `, "dueDate": "2024-03-22"`), entry("CVE-2024-0002", "2024-02-01", "")))
	young, _ := read(t, `{"catalogVersion": "2", "dateReleased": "2024-06-01T00:00:00Z", "vulnerabilities": [`+entry("CVE-2024-0002", "2024-02-02", "")+"]}")
	p := patch.Patch{ID: "x:1", Advisories: []patch.Advisory{advisory("A", "CVE-2024-0001"), advisory("B", "CVE-2024-0002")}}
	known := enrich(t, old, p)
	require.Empty(t, enrich(t, young, known...), "the newer file says less, and later days")

	joined := young.Join(old)
	require.Equal(t, 2, joined.Len())
	require.Equal(t, "2", joined.Version())
	require.Equal(t, patch.ID("kev:2"), enrich(t, joined, p)[0].Provenance[0].From)
	require.Equal(t, day("2024-06-01"), joined.Released())
	e, _ := joined.Entry("CVE-2024-0002")
	require.Equal(t, day("2024-02-02"), e.Added, "the newer file is right where it says something")
	require.Equal(t, 1, young.Len())
	require.Equal(t, 2, old.Len())
	require.Equal(t, 2, old.Join(&kev.Catalogue{}).Len())
	require.Equal(t, 2, (&kev.Catalogue{}).Join(old).Len())
	require.Equal(t, 0, (&kev.Catalogue{}).Join(&kev.Catalogue{}).Len())
}

func TestTheZeroCatalogueKnowsNothing(t *testing.T) {
	var k kev.Catalogue
	require.Empty(t, enrich(t, &k, patch.Patch{ID: "x:1", Advisories: []patch.Advisory{advisory("A", "CVE-2024-0001")}}))
	changed, err := k.Enrich(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, changed)
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	good := []string{entry("CVE-2024-0001", "2024-03-01", ""), entry("CVE-2024-0003", "2024-03-01", "")}
	for bad, want := range map[string]string{
		`7`:                                      "cannot unmarshal number",
		`{}`:                                     `field cveID is ""`,
		entry("CVE-2024-1", "2024-03-01", ""):    `field cveID is "CVE-2024-1"`,
		entry("CVE-2024-0002", "", ""):           `CVE-2024-0002: field dateAdded is ""`,
		entry("CVE-2024-0002", "0001-01-01", ""): `CVE-2024-0002: field dateAdded is "0001-01-01"`,
		entry("CVE-2024-0002", "01.03.2024", ""): `CVE-2024-0002: field dateAdded is "01.03.2024"`,
		entry("CVE-2024-0002", "2024-03-01", `, "dueDate": "2024-02-30"`): `CVE-2024-0002: field dueDate is "2024-02-30"`,
		entry("CVE-2024-0001", "2024-03-01", ""):                          "CVE-2024-0001 is listed already",
		entry("CVE-2024-0002", "2024-03-01", `, "cwes": "CWE-1"`):         "cannot unmarshal string",
		entry(strings.Repeat("CVE", 999), "2024-03-01", ""):               `field cveID is "CVECVECVE`,
	} {
		k, refused := read(t, list(good[0], bad, good[1]))
		require.Equal(t, 2, k.Len(), bad)
		require.Len(t, refused, 1, bad)
		require.ErrorIs(t, refused[0], patch.ErrRecord)
		require.ErrorContains(t, refused[0], "kev: kev: record 2: ")
		require.ErrorContains(t, refused[0], want)
		require.Less(t, len(refused[0].Error()), 300)
	}
	for bad, want := range map[string]string{
		"CVE-2024-0002,":            `line 3: unreadable record: CVE-2024-0002: field dateAdded is ""`,
		"CVE-2024-0002":             "line 3: unreadable record: 1 fields, want 2",
		"CVE-2024-0002,2024-03-01,": "line 3: unreadable record: 3 fields, want 2",
		`CVE-2024-0002,20"24`:       `line 3: unreadable record: `,
		`"CVE-2024-0002"x,2024`:     `line 3: unreadable record: `,
	} {
		k, refused := read(t, "\ufeffcveID,dateAdded\nCVE-2024-0001,2024-03-01\n"+bad+"\n\"CVE-2024-0003\",2024-03-01\nCVE-2024-0004,2024-03-01")
		require.Equal(t, 3, k.Len(), bad)
		require.Len(t, refused, 1, bad)
		require.ErrorIs(t, refused[0], patch.ErrRecord)
		require.ErrorContains(t, refused[0], want)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	gone := errors.New("gone")
	one := list(entry("CVE-2024-0001", "2024-03-01", ""))
	for name, row := range map[string]struct {
		open source.Opener
		is   error
		want string
	}{
		"missing":              {func() (io.ReadCloser, error) { return nil, gone }, gone, "kev: kev: gone"},
		"empty":                {text(""), io.ErrUnexpectedEOF, ""},
		"blank":                {text(" \n "), io.ErrUnexpectedEOF, ""},
		"cut off":              {text(one[:len(one)-1]), io.ErrUnexpectedEOF, ""},
		"something else":       {text(`{"error": "slow down"}`), nil, `without a field ["vulnerabilities"]`},
		"a page":               {text("<html>\n"), nil, "there is no column cveID"},
		"without days":         {text("cveID,dueDate\n"), nil, "there is no column dateAdded"},
		"a count that is more": {text(`{"count": 2, "vulnerabilities": [{}]}`), io.ErrUnexpectedEOF, "it has 1 records and says that it has 2"},
		"a count that is none": {text(`{"count": "x", "vulnerabilities": []}`), nil, "field count: "},
		"a day that is none":   {text(`{"dateReleased": "x", "vulnerabilities": []}`), nil, "field dateReleased: "},
		"too many":             {text(list("{}", "{}", "{}", "{}")), source.ErrTooLarge, "more than 3 records"},
		"too many lines":       {text("cveID,dateAdded\n" + strings.Repeat("x,y\n", 4)), source.ErrTooLarge, "more than 3 records"},
		"an open quote":        {text("cveID,dateAdded\nCVE-2024-0001,\"2024-03-01\nCVE-2024-0002,2024-03-01\n"), io.ErrUnexpectedEOF, ""},
		"broken in the middle": {func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("cveID,dateAdded\nCVE-2024-0001,2024-03-01\n"), iotest.ErrReader(gone))), nil
		}, gone, ""},
		"larger than allowed": {text(list() + strings.Repeat(" ", 4096)), source.ErrTooLarge, ""},
	} {
		k, _, err := kev.Read(t.Context(), kev.Config{Name: "kev", Open: row.open, Limits: source.Limits{Records: 3, Bytes: 4096}})
		require.Nil(t, k, name)
		require.ErrorContains(t, err, "kev: kev: ", name)
		require.ErrorContains(t, err, row.want, name)
		if row.is != nil {
			require.ErrorIs(t, err, row.is, name)
		}
		require.NotErrorIs(t, err, patch.ErrRecord, name)
	}
	_, _, err := kev.Read(t.Context(), kev.Config{})
	require.EqualError(t, err, "kev: config: Open is required")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, content := range []string{one, "cveID,dateAdded\nCVE-2024-0001,2024-03-01\n"} {
		_, _, err = kev.Read(ctx, kev.Config{Open: text(content)})
		require.Equal(t, context.Canceled, err)
	}
}

// The whole catalogues: every record is read, the two forms of one edition agree, and the newer edition lost no entry.
func TestCapturedCatalogues(t *testing.T) {
	folder := need.Shared(t, "feeds", "cisa-kev")
	all := func(name string) *kev.Catalogue {
		c, refused, err := kev.Read(t.Context(), kev.Config{Name: name, Open: source.File(os.DirFS(folder), name)})
		require.NoError(t, err)
		require.Empty(t, refused)
		return c
	}
	old, rows, young := all("known_exploited_vulnerabilities.json"), all("known_exploited_vulnerabilities.csv.xz"), all("kev_catalog_2026.json")
	require.Equal(t, []int{1404, 1404, 1674}, []int{old.Len(), rows.Len(), young.Len()})
	require.Equal(t, "2026.08.21", young.Version())
	require.Equal(t, 1674, young.Join(old).Len())
	for e := range old.All() {
		other, found := rows.Entry(e.CVE)
		require.True(t, found, e.CVE)
		require.Empty(t, cmp.Diff(e, other))
	}
	_, _, err := kev.Read(t.Context(), kev.Config{Open: source.File(os.DirFS(need.Shared(t, "feeds", "vuls-data-update-fixtures", "cisa", "kev", "testdata", "fixtures")), "known_exploited_vulnerabilities.json")})
	require.ErrorContains(t, err, "it has 1 records and says that it has 801")
}

// What CISA knows marks the issues of a whole distribution, once.
func TestCapturedIssuesOfArchLinux(t *testing.T) {
	feeds := os.DirFS(need.Shared(t, "feeds"))
	issues, err := arch.New(arch.Config{Open: source.File(feeds, "arch/arch-AVG.jsonl.gz")})
	require.NoError(t, err)
	c, refused, err := patch.Collect(t.Context(), patch.Query{}, issues)
	require.NoError(t, err)
	require.Empty(t, refused)
	k, _, err := kev.Read(t.Context(), kev.Config{Open: source.File(feeds, "cisa-kev/kev_catalog_2026.json")})
	require.NoError(t, err)
	changed, err := k.Enrich(t.Context(), c)
	require.NoError(t, err)
	want := 0
	for p := range c.All() {
		if slices.ContainsFunc(p.CVEs(), func(cve string) bool { _, found := k.Entry(cve); return found }) {
			want++
		}
	}
	require.Equal(t, 116, want)
	require.Len(t, changed, want)
	for i := range changed {
		require.Equal(t, patch.Yes, changed[i].Exploited())
		require.NotEmpty(t, changed[i].Native[kev.NativeDue])
	}
	richer, err := c.With(changed)
	require.NoError(t, err)
	again, err := k.Enrich(t.Context(), richer)
	require.NoError(t, err)
	require.Empty(t, again)
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"kev.json", "kev.csv"} {
		content, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(f, err)
		f.Add(string(content))
	}
	f.Add(list(entry("CVE-2024-0001", "2024-03-01", ""), "7"))
	f.Add("cveID,dateAdded,dueDate\n\"CVE-2024-0001\",2024-03-01,\"\n")
	f.Fuzz(func(t *testing.T, content string) {
		k, refused, err := kev.Read(t.Context(), kev.Config{Open: text(content), Limits: source.Limits{Records: 100}})
		for _, err := range refused {
			require.ErrorIs(t, err, patch.ErrRecord)
		}
		if err != nil {
			return
		}
		for e := range k.All() {
			require.True(t, source.IsCVE(e.CVE))
			require.False(t, e.Added.IsZero())
			changed := enrich(t, k, patch.Patch{ID: "x:1", Advisories: []patch.Advisory{advisory(e.CVE)}})
			require.Len(t, changed, 1)
			require.Empty(t, enrich(t, k, changed...))
		}
	})
}
