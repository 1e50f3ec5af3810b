package msrc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/msrc"
)

func text(s string) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func documents(names ...string) msrc.Config {
	var c msrc.Config
	for _, name := range names {
		c.Documents = append(c.Documents, msrc.Document{Name: name, Open: source.File(os.DirFS("testdata"), name)})
	}
	return c
}

func table(content string) msrc.Config { return msrc.Config{Supersedence: text(content)} }

func list(t testing.TB, c msrc.Config, q patch.Query) (map[patch.ID]patch.Patch, []string) {
	t.Helper()
	s, err := msrc.New(c)
	require.NoError(t, err)
	all, refused := make(map[patch.ID]patch.Patch), []string(nil)
	for p, err := range s.Patches(t.Context(), q) {
		if errors.Is(err, patch.ErrRecord) {
			refused = append(refused, err.Error())
			continue
		}
		require.NoError(t, err)
		require.NotContains(t, all, p.ID)
		all[p.ID] = p
	}
	return all, refused
}

// failure returns the error that ends a listing.
func failure(t testing.TB, c msrc.Config) error {
	t.Helper()
	s, err := msrc.New(c)
	require.NoError(t, err)
	var last error
	for _, err := range s.Patches(t.Context(), patch.Query{}) {
		last = err
	}
	require.Error(t, last)
	require.NotErrorIs(t, last, patch.ErrRecord)
	return last
}

func TestSourceKeepsItsPromises(t *testing.T) {
	made := func(c msrc.Config) func(t *testing.T) patch.Source {
		return func(t *testing.T) patch.Source { s, err := msrc.New(c); require.NoError(t, err); return s }
	}
	providertest.Source(t, providertest.SourceHarness{
		New:  made(documents("2016-Apr.xml", "2024-Mar.xml")),
		Want: []patch.ID{"msrc:KB3147461", "msrc:KB5036451", "msrc:12309=17.9.3"},
		Damaged: func(t *testing.T) (patch.Source, string) {
			return made(documents("builds.json"))(t), "builds.json: vulnerability 2 (CVE-2025-90002): remediation 2"
		},
		Broken: made(msrc.Config{Documents: []msrc.Document{{Name: "cut", Open: text("<cvrfdoc><Vulnerability>")}}}),
	})
	providertest.Source(t, providertest.SourceHarness{
		New: made(table("BulletinKB,Supersedes\n4014329,4010250\n4010250,\n")),
		Damaged: func(t *testing.T) (patch.Source, string) {
			return made(table("BulletinKB,Supersedes\nmysql,\n4010250,\n"))(t), "line 2"
		},
		Broken: made(table("")),
	})
}

func TestOneKBOfManyProductsIsOnePatch(t *testing.T) {
	all, refused := list(t, documents("2016-Apr.xml"), patch.Query{})
	require.Empty(t, refused)
	require.Len(t, all, 2)
	day := time.Date(2016, 4, 12, 7, 0, 0, 0, time.UTC)
	require.Empty(t, cmp.Diff(patch.Patch{
		ID:                "msrc:KB3135456",
		Title:             "KB3135456",
		Classification:    patch.ClassSecurity,
		ClassificationRaw: []string{"Security Update"},
		Severity:          patch.SeverityImportant,
		SeverityRaw:       "Important",
		Advisories: []patch.Advisory{{ID: "CVE-2016-0088", Title: "Windows Hyper-V Remote Code Execution Vulnerability", CVEs: []string{"CVE-2016-0088"},
			Severity: patch.SeverityImportant, SeverityRaw: "Important", Exploited: patch.No, Published: day}},
		Supersedes: []patch.ID{"msrc:KB3087088"},
		Reboot:     patch.RebootAlways,
		Released:   day,
		Modified:   day,
		References: []string{
			"https://www.microsoft.com/downloads/details.aspx?familyid=558c3552-1616-4f80-9784-a356f863bf51",
			"https://www.microsoft.com/downloads/details.aspx?familyid=8a8fed1d-07ad-48bc-b576-cc9697510ee7",
		},
		Native: map[string]string{
			"products":     "Windows 8.1 for x64-based systems; Windows Server 2012; Windows Server 2012 (Server Core installation); Windows Server 2012 R2; Windows Server 2012 R2 (Server Core installation)",
			"supercedence": "3087088",
		},
	}, all["msrc:KB3135456"]))
}

func TestVersionsWithoutAKnownOrderAreKeptAsTheyAre(t *testing.T) {
	all, refused := list(t, documents("2024-Mar.xml"), patch.Query{})
	require.Empty(t, refused)
	require.Len(t, all, 6)
	for id, want := range map[patch.ID]string{
		"msrc:KB5036451": "Microsoft .NET 7.0 msrc 7.0.17", "msrc:KB5036452": "Microsoft .NET 8.0 msrc 8.0.3",
		"msrc:12309=17.9.3":  "Microsoft Microsoft Visual Studio 2022 version 17.9 msrc 17.9.3",
		"msrc:12187=17.6.13": "Microsoft Microsoft Visual Studio 2022 version 17.6 msrc 17.6.13",
		"msrc:12129=17.4.17": "Microsoft Microsoft Visual Studio 2022 version 17.4 msrc 17.4.17",
		"msrc:12271=17.8.8":  "Microsoft Microsoft Visual Studio 2022 version 17.8 msrc 17.8.8",
	} {
		p := all[id]
		require.Len(t, p.Packages, 1, id)
		q := p.Packages[0]
		require.Equal(t, want, fmt.Sprint(q.Ecosystem, " ", q.Name, " ", q.Fixed.Scheme, " ", q.Fixed.Text))
		require.Equal(t, patch.RebootMaybe, p.Reboot)
		require.Equal(t, 7.5, p.Advisories[0].Scores[0].Base)
		_, err := q.Fixed.Key()
		require.ErrorIs(t, err, version.ErrIncomparable)
	}
	require.Equal(t, patch.ClassRollup, all["msrc:KB5036451"].Classification)
	require.Equal(t, "Microsoft Visual Studio 2022 version 17.9 17.9.3", all["msrc:12309=17.9.3"].Title)
}

func TestBuildsOfWindowsDecideByBranch(t *testing.T) {
	all, refused := list(t, documents("builds.json"), patch.Query{})
	require.Equal(t, []string{
		`msrc: builds.json: vulnerability 2 (CVE-2025-90002): remediation 2: unreadable record: "Release Notes" names no KB, and its FixedBuild "https://aka.ms/notes" is no version`,
		`msrc: builds.json: vulnerability 3: unreadable record: "[\"CVE-2025-90003\"]" where a text should be`,
		`msrc: builds.json: vulnerability 4: unreadable record: it has no CVE`,
		`msrc: builds.json: vulnerability 5 (ADV259999): score 1: unreadable record: source: "CVSS:9.9/AV:N": not a CVSS vector: must start with a metric group name`,
	}, normal(refused))
	require.Len(t, all, 4)
	p := all["msrc:KB5055528"]
	build := func(s string) version.Version { return version.Version{Scheme: version.Windows, Text: s} }
	require.Empty(t, cmp.Diff([]patch.Package{
		{Ecosystem: "Windows", Name: "Windows", Introduced: build("10.0.22621.0"), Fixed: build("10.0.22621.5189")},
		{Ecosystem: "Windows", Name: "Windows", Introduced: build("10.0.22631.0"), Fixed: build("10.0.22631.5189")},
	}, p.Packages))
	require.Equal(t, []patch.ID{"msrc:KB5053602", "msrc:KB5053606"}, p.Supersedes)
	require.Equal(t, patch.Yes, p.Exploited())
	require.Equal(t, patch.SeverityImportant, p.Severity, "critical for another product is not said of this KB")
	require.Len(t, p.Advisories[0].Scores, 1)
	require.Equal(t, time.Date(2025, 4, 8, 7, 0, 0, 0, time.UTC), p.Released)
	require.Equal(t, time.Date(2025, 4, 10, 7, 0, 0, 0, time.UTC), p.Modified)
	require.Equal(t, "Windows 11 Version 22H2 for x64-based Systems; Windows 11 Version 23H2 for ARM64-based Systems; Windows 11 Version 23H2 for x64-based Systems", p.Native["products"])

	edge := all["msrc:11655=135.0.3179.54"]
	require.Equal(t, patch.RebootUnknown, edge.Reboot)
	require.Equal(t, patch.Unknown, edge.Exploited())
	require.Equal(t, patch.SeverityUnrated, edge.Severity)

	both := all["msrc:KB5055999"]
	require.True(t, both.Contested, "two SubTypes that mean different things")
	require.Empty(t, both.Packages, "a URL is no version")
	require.Equal(t, "https://aka.ms/notes", both.Native["fixedBuild"])
	require.Equal(t, patch.RebootUnknown, both.Reboot, "of one product nothing is said")

	advisory := all["msrc:KB5055998"]
	require.Empty(t, advisory.CVEs())
	require.Equal(t, patch.SeverityUnrated, advisory.Severity)
	require.Equal(t, "System.Object[]", advisory.SeverityRaw)
	require.Equal(t, patch.ClassSecurity, advisory.Classification)
	require.Equal(t, patch.RebootNever, advisory.Reboot)
	require.Equal(t, []patch.ID{"msrc:KB5055998"}, advisory.Supersedes, "as it is published")
}

// normal cuts what the library for vectors says in its own words.
func normal(refused []string) []string {
	for i, r := range refused {
		if before, _, found := strings.Cut(r, "not a CVSS vector: "); found {
			refused[i] = before + "not a CVSS vector: must start with a metric group name"
		}
	}
	return refused
}

// The installed build decides, in its own branch alone; for other products nobody knows.
func TestAssessGoesByTheInstalledBuild(t *testing.T) {
	all, _ := list(t, documents("builds.json"), patch.Query{})
	var patches []patch.Patch
	for _, p := range all {
		patches = append(patches, p)
	}
	catalog, err := patch.NewCatalog(patches)
	require.NoError(t, err)
	at := time.Date(2025, 5, 1, 0, 0, 0, 0, time.UTC)
	assess := func(software inventory.Software, missing ...patch.ID) inventory.Assessment {
		software.Manager = "wua"
		return inventory.Assess(catalog, &inventory.Device{ID: "ada", Platform: patch.Platform{OS: "windows", Version: "10.0.22631"},
			Coverage: []inventory.Coverage{{Manager: "wua", Status: inventory.Complete, At: at}},
			Software: []inventory.Software{software}, Missing: missing})
	}
	for _, row := range []struct {
		build string
		want  int
	}{
		{"10.0.22631.4317", 1}, {"10.0.22631.5188", 1}, {"10.0.22631.5189", 0}, {"10.0.22631.6000", 0}, {"10.0.22631.1", 1},
		{"10.0.22621.5000", 1}, {"10.0.22621.5189", 0}, {"10.0.19045.1", 0}, {"10.0.26100.1", 0},
	} {
		result := assess(inventory.Software{Ecosystem: msrc.Windows, Name: msrc.OS, Version: version.Version{Scheme: version.Windows, Text: row.build}})
		require.Len(t, result.Findings, row.want, row.build)
		require.Empty(t, result.Unknown)
	}
	result := assess(inventory.Software{Ecosystem: msrc.Microsoft, Name: "Microsoft Edge (Chromium-based)", Version: version.Version{Scheme: version.Loose, Text: "1.0"}})
	require.Empty(t, result.Findings)
	require.Len(t, result.Unknown, 1)
	require.Equal(t, inventory.Incomparable, result.Unknown[0].Reason)

	result = assess(inventory.Software{Ecosystem: msrc.Windows, Name: msrc.OS, Version: version.Version{Scheme: version.Windows, Text: "10.0.22631.6000"}}, "msrc:KB5055999")
	require.Len(t, result.Findings, 1)
	require.Equal(t, inventory.DeviceSays, result.Findings[0].Evidence)
}

func TestSeveralFilesTellOfOnePatch(t *testing.T) {
	c := documents("builds.json")
	c.Documents = append(c.Documents, msrc.Document{Name: "later", Open: text(`{"DocumentTracking":{"InitialReleaseDate":"2025-03-11T07:00:00Z"},
		"ProductTree":{"FullProductName":[{"ProductID":"1","Value":"Windows Server 2022"}]},
		"Vulnerability":[{"CVE":"CVE-2025-100","Threats":[{"Type":3,"Description":{"Value":"Critical"}}],"Remediations":[
			{"Type":2,"Description":{"Value":"5055528"},"ProductID":["1"],"RestartRequired":"Maybe","FixedBuild":"10.0.20348.3"}]}]}`)})
	c.Supersedence = text("BulletinKB,Supersedes,CVE,Severity,DatePosted,AffectedProduct\n5055528,5053602;5051989,CVE-2025-90001,Low,20250401,Windows RT 8.1\n5055528,5051989,CVE-2025-0002,Low,20250401,\n")
	all, _ := list(t, c, patch.Query{})
	p := all["msrc:KB5055528"]
	require.Len(t, p.Packages, 3)
	require.Equal(t, []patch.ID{"msrc:KB5051989", "msrc:KB5053602", "msrc:KB5053606"}, p.Supersedes)
	require.Equal(t, patch.SeverityCritical, p.Severity)
	require.Equal(t, []string{"CVE-2025-0002", "CVE-2025-90001"}, p.CVEs(), "CVE-2025-100 is no name of a CVE")
	require.Len(t, p.Advisories, 3)
	require.Equal(t, patch.SeverityImportant, p.Advisories[2].Severity, "the table lowers nothing")
	require.Equal(t, patch.RebootMaybe, p.Reboot, "always for some, maybe for others")
	require.Equal(t, time.Date(2025, 3, 11, 7, 0, 0, 0, time.UTC), p.Released)
}

func TestTableKeepsWhatCanBeUsed(t *testing.T) {
	f, err := os.ReadFile("testdata/table.csv")
	require.NoError(t, err)
	all, refused := list(t, table(string(f)), patch.Query{})
	require.Len(t, refused, 2, "%v", refused)
	require.Contains(t, strings.Join(refused, "\n"), `BulletinKB "Release Notes" names no KB`)
	require.Contains(t, strings.Join(refused, "\n"), `BulletinKB "mysql" names no KB`)
	p := all["msrc:KB4014329"]
	require.Equal(t, []patch.ID{"msrc:KB4010250"}, p.Supersedes)
	require.Equal(t, patch.SeverityCritical, p.Severity)
	require.Equal(t, time.Date(2017, 3, 14, 0, 0, 0, 0, time.UTC), p.Released)
	require.Equal(t, patch.ClassUnknown, p.Classification)
	require.Equal(t, patch.RebootUnknown, p.Reboot)
	require.Empty(t, p.Packages)
	self, lists, objects := 0, 0, 0
	for id, p := range all {
		for _, s := range p.Supersedes {
			require.Regexp(t, `^msrc:KB\d+$`, s)
			if s == id {
				self++
			}
		}
		if raw := p.Native["supercedence"]; strings.Contains(raw, "<br>") {
			require.Greater(t, len(p.Supersedes), 1, raw)
			lists++
		}
		if p.SeverityRaw == "System.Object[]" {
			objects++
		}
	}
	require.Positive(t, self)
	require.Positive(t, lists)
	require.Positive(t, objects)
}

func TestABadRowIsToldAndTheRestIsRead(t *testing.T) {
	all, refused := list(t, table("BulletinKB,Supersedes\n4014329,4010250,x\n4014330,4010251\n\"4014331\"x,1\n4014332,KB4010252\n"), patch.Query{})
	require.Equal(t, []string{
		"msrc: supersedence: line 2: unreadable record: 3 fields, want 2",
		`msrc: supersedence: line 4: unreadable record: extraneous or missing " in quoted-field`,
	}, refused)
	require.Len(t, all, 2)
	require.Equal(t, []patch.ID{"msrc:KB4010252"}, all["msrc:KB4014332"].Supersedes)
}

func TestRemediationsThatNameNothingAreTold(t *testing.T) {
	for remediation, want := range map[string]string{
		`{"Type":2,"Description":{"Value":"Release Notes"}}`:                                                 `"Release Notes" names no KB, and its FixedBuild "" is no version`,
		`{"Type":2,"Description":{"Value":"Click to Run"},"FixedBuild":"16.0.1"}`:                            `"Click to Run" names no KB, and version 16.0.1 is of no product`,
		`{"Type":"Vendor Fix","Description":"Commit","FixedBuild":"1.0","ProductID":["1","2"]}`:              `"Commit" names no KB, and product "2" of version 1.0 is not defined`,
		`{"Type":2,"Description":{"Value":"12345678901"},"FixedBuild":"https://aka.ms/x","ProductID":["1"]}`: `names no KB, and its FixedBuild "https://aka.ms/x" is no version`,
		`{"Type":2,"Description":{"Value":{"Value":"5055528"}},"FixedBuild":"1.0","ProductID":["1"]}`:        `where a text should be`,
	} {
		document := `{"ProductTree":{"FullProductName":[{"ProductID":"1","Value":"A"}]},"Vulnerability":[{"CVE":"CVE-2025-0001","Remediations":[` + remediation + `]}]}`
		all, refused := list(t, msrc.Config{Documents: []msrc.Document{{Name: "x", Open: text(document)}}}, patch.Query{})
		require.Len(t, refused, 1, remediation)
		require.Contains(t, refused[0], want)
		require.Contains(t, refused[0], "msrc: x: vulnerability 1")
		require.Equal(t, strings.Contains(want, `"2"`), len(all) == 1, "the product that is defined has its patch")
	}
}

func TestQueryNarrowsByDay(t *testing.T) {
	for day, want := range map[string]int{"2016-04-12": 8, "2016-04-13": 6, "2024-03-12": 6, "2024-03-13": 0} {
		since, err := time.Parse(time.DateOnly, day)
		require.NoError(t, err)
		all, _ := list(t, documents("2016-Apr.xml", "2024-Mar.xml"), patch.Query{Since: since})
		require.Len(t, all, want, day)
	}
}

func TestQueryFindsWhatWasRevisedLater(t *testing.T) {
	all, _ := list(t, documents("builds.json"), patch.Query{Since: time.Date(2025, 4, 9, 0, 0, 0, 0, time.UTC)})
	require.Contains(t, all, patch.ID("msrc:KB5055528"), "released on the eighth, revised on the tenth")
	all, _ = list(t, documents("builds.json"), patch.Query{Since: time.Date(2025, 4, 11, 0, 0, 0, 0, time.UTC)})
	require.NotContains(t, all, patch.ID("msrc:KB5055528"))
}

func TestWhatIsNoDocumentEndsTheListing(t *testing.T) {
	for content, want := range map[string]string{
		"": "unexpected EOF", "  ": "unexpected EOF", "hello": `begins with 'h'`, "<rss></rss>": `element "rss", want cvrfdoc`,
		"<cvrfdoc>": "unexpected EOF", "<cvrfdoc></cvrfdoc><x/>": "something follows", "{}": "an object without a field",
		`{"Vulnerability":[]} 1`: "something follows", `{"Vulnerability":[`: "unexpected EOF", `{"Vulnerability":{}}`: "is expected",
		`<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><cvrfdoc><DocumentTracking><InitialReleaseDate>&b;</InitialReleaseDate></DocumentTracking></cvrfdoc>`: "a declaration of a document type",
	} {
		err := failure(t, msrc.Config{Documents: []msrc.Document{{Name: "x", Open: text(content)}}})
		require.ErrorContains(t, err, want, content)
		require.ErrorContains(t, err, "msrc: x: ")
	}
	require.ErrorContains(t, failure(t, table("a,b\n")), "no columns BulletinKB and Supersedes")
	gone := errors.New("gone")
	require.ErrorIs(t, failure(t, msrc.Config{Supersedence: func() (io.ReadCloser, error) { return nil, gone }}), gone)
}

func TestBombsEndInErrors(t *testing.T) {
	for name, content := range map[string]string{
		"branches in JSON": `{"ProductTree":{"Branch":` + strings.Repeat(`[{"Items":`, 20000),
		"branches in XML":  `<cvrfdoc><ProductTree>` + strings.Repeat(`<Branch>`, 20000),
		"texts in JSON":    `{"Vulnerability":[{"CVE":` + strings.Repeat(`{"Value":`, 20000),
	} {
		require.Error(t, failure(t, msrc.Config{Documents: []msrc.Document{{Name: name, Open: text(content)}}}), name)
	}
	c := msrc.Config{Documents: []msrc.Document{{Name: "x", Open: text(`{"Vulnerability":[]}` + strings.Repeat(" ", 2000))}}, Limits: source.Limits{Bytes: 1000}}
	require.ErrorIs(t, failure(t, c), source.ErrTooLarge)
	c = documents("builds.json")
	c.Limits.Records = 2
	require.ErrorIs(t, failure(t, c), source.ErrTooLarge)
	c = table("BulletinKB,Supersedes\n4014329,\n4014330,\n4014331,\n")
	c.Limits.Records = 2
	require.ErrorIs(t, failure(t, c), source.ErrTooLarge)
}

func TestNewNamesEveryMissingField(t *testing.T) {
	_, err := msrc.New(msrc.Config{})
	require.ErrorContains(t, err, "neither Documents nor Supersedence")
	_, err = msrc.New(msrc.Config{Documents: []msrc.Document{{Name: "a"}, {Open: text("")}}})
	require.ErrorContains(t, err, "Documents[0]")
	require.ErrorContains(t, err, "Documents[1]")
}

func FuzzDocuments(f *testing.F) {
	for _, name := range []string{"2016-Apr.xml", "2024-Mar.xml", "builds.json", "table.csv"} {
		content, err := os.ReadFile("testdata/" + name)
		require.NoError(f, err)
		f.Add(string(content), "BulletinKB,Supersedes,CVE,Severity\n4014329,4010250;4014329,CVE-2017-0001,Low\n")
	}
	f.Fuzz(func(t *testing.T, document, rows string) {
		if len(document)+len(rows) > 1<<16 {
			t.Skip("longer than need be")
		}
		s, err := msrc.New(msrc.Config{Documents: []msrc.Document{{Name: "x", Open: text(document)}}, Supersedence: text(rows)})
		require.NoError(t, err)
		var all []patch.Patch
		var last error
		for p, err := range s.Patches(context.Background(), patch.Query{}) {
			require.True(t, last == nil || errors.Is(last, patch.ErrRecord), "something follows the last error")
			if last = err; err != nil {
				require.ErrorContains(t, err, "msrc: ")
				continue
			}
			all = append(all, p)
		}
		if last == nil || errors.Is(last, patch.ErrRecord) {
			catalog, err := patch.NewCatalog(all)
			require.NoError(t, err)
			for p := range catalog.All() {
				catalog.Newest(p.ID)
			}
		}
	})
}
