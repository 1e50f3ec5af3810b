package wua_test

import (
	"encoding/json"
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
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/wua"
)

const (
	cumulative = patch.ID("wua:f39d68ab-1519-4df8-85c1-d985be7f49c3")
	preview    = patch.ID("wua:acbe4fd0-394e-40e8-a96b-c4facae62c8b")
	driver     = patch.ID("wua:11111111-2222-3333-4444-555555555555")
	last       = patch.ID("wua:33333333-2222-3333-4444-555555555555")
)

func text(s string) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func captured(names ...string) wua.Config {
	var c wua.Config
	for _, name := range names {
		c.Results = append(c.Results, wua.File{Name: name, Open: source.File(os.DirFS("testdata"), name)})
	}
	return c
}

func list(t testing.TB, c wua.Config, q patch.Query) (map[patch.ID]patch.Patch, []string) {
	t.Helper()
	s, err := wua.New(c)
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

// one reads a result with one update, of the properties given beside its identity.
func one(t testing.TB, properties string) (wua.Update, patch.Patch) {
	t.Helper()
	r, err := wua.Read(strings.NewReader(`{"Updates":[{"Identity":{"UpdateID":"f39d68ab-1519-4df8-85c1-d985be7f49c3"}`+properties+`}]}`), source.Limits{})
	require.NoError(t, err)
	require.Empty(t, r.Refused)
	return r.Updates[0], r.Updates[0].Patch()
}

func TestSourceKeepsItsPromises(t *testing.T) {
	providertest.Source(t, providertest.SourceHarness{
		New: func(t *testing.T) patch.Source {
			s, err := wua.New(captured("older.json"))
			require.NoError(t, err)
			return s
		},
		Want: []patch.ID{cumulative},
		Damaged: func(t *testing.T) (patch.Source, string) {
			s, err := wua.New(captured("search.json"))
			require.NoError(t, err)
			return s, "search.json: update 5"
		},
		Broken: func(t *testing.T) patch.Source {
			s, err := wua.New(wua.Config{Results: []wua.File{captured("older.json").Results[0], {Name: "cut", Open: text(`{"Updates":[{"Identity":`)}}})
			require.NoError(t, err)
			return s
		},
	})
}

func TestPatchHoldsWhatTheUpdateSays(t *testing.T) {
	all, refused := list(t, captured("search.json", "older.json"), patch.Query{})
	require.Equal(t, []string{`wua: search.json: update 5: unreadable record: UpdateID "" is no GUID`}, refused)
	require.Len(t, all, 6)
	require.Empty(t, cmp.Diff(patch.Patch{
		ID:                cumulative,
		Title:             "2023-04 Cumulative Update for Windows 11 Version 22H2 for x64-based Systems (KB5025239)",
		Classification:    patch.ClassSecurity,
		ClassificationRaw: []string{"Security Updates"},
		Severity:          patch.SeverityCritical,
		SeverityRaw:       "Critical",
		Advisories: []patch.Advisory{{ID: "KB5025239", CVEs: []string{"CVE-2023-28252"},
			Severity: patch.SeverityCritical, SeverityRaw: "Critical"}},
		Supersedes: []patch.ID{preview},
		Reboot:     patch.RebootMaybe,
		Reversal:   patch.ReversalUninstall,
		Modified:   time.Date(2023, 4, 11, 0, 0, 0, 0, time.UTC),
		Size:       331234567,
		References: []string{"https://support.microsoft.com/help/5025239"},
		Native: map[string]string{"RevisionNumber": "201", "KBArticleIDs": "5025239", "IsDownloaded": "false", "IsHidden": "false", "EulaAccepted": "true",
			"MinDownloadSize": "0", "InstallationBehavior.Impact": "0", "InstallationBehavior.CanRequestUserInput": "false"},
	}, all[cumulative]))

	p := all[preview]
	require.Equal(t, patch.ClassOptional, p.Classification, "an update that is offered on request only")
	require.Equal(t, []string{"Updates"}, p.ClassificationRaw)
	require.Zero(t, p.Size)
	require.Equal(t, "0x80240032", p.Native["error.IsDownloaded"], "a property that fails does not lose the update")
	require.Contains(t, p.Native["error.MaxDownloadSize"], "is no whole number")
	require.Equal(t, "1", p.Native["DeploymentAction"], "unknown properties are kept")
	require.Equal(t, patch.ReversalUnknown, p.Reversal)
	require.Equal(t, patch.RebootUnknown, p.Reboot)
	require.Equal(t, patch.SeverityUnrated, p.Severity)

	p = all[driver]
	require.Equal(t, patch.ClassDriver, p.Classification)
	require.False(t, p.Contested)
	require.Equal(t, []string{"Drivers"}, p.ClassificationRaw, "in English")
	require.Equal(t, patch.RebootAlways, p.Reboot)
	require.Equal(t, patch.ReversalNone, p.Reversal)
	require.Equal(t, "2", p.Native["InstallationBehavior.Impact"])
	require.Equal(t, "Contoso Display", p.Native["DriverModel"])
	require.Equal(t, patch.RebootNever, all[last].Reboot)
	require.Equal(t, patch.ClassDefinition, all[last].Classification)

	p = all["wua:44444444-2222-3333-4444-555555555555"]
	require.Equal(t, patch.ClassUnknown, p.Classification)
	require.Equal(t, []string{"Neuheiten"}, p.ClassificationRaw, "a classification that is not known")
}

func TestTheHighestRevisionCounts(t *testing.T) {
	for _, order := range [][]string{{"search.json", "older.json"}, {"older.json", "search.json"}} {
		all, _ := list(t, captured(order...), patch.Query{})
		require.Equal(t, "201", all[cumulative].Native["RevisionNumber"])
	}
	all, _ := list(t, captured("older.json"), patch.Query{})
	p := all[cumulative]
	require.Equal(t, "200", p.Native["RevisionNumber"])
	require.Equal(t, int64(331234500), p.Size)
	require.Equal(t, patch.ReversalUninstall, p.Reversal)
	require.Equal(t, patch.ClassSecurity, p.Classification, "one element that is no array")
}

func TestFieldsThatDisagreeContestThePatch(t *testing.T) {
	category := func(ids ...string) string {
		var all []string
		for _, id := range ids {
			all = append(all, `{"CategoryID":"`+id+`"}`)
		}
		return `,"Categories":[` + strings.Join(all, ",") + `]`
	}
	const (
		security = "0fa1201d-4330-4fa8-8ae9-b877473b6441"
		updates  = "cd5ffd1e-e932-4e3a-bf74-18bf0b1bbd83"
		drivers  = "ebfc1fc5-71a4-4f7b-9aca-3b9a503104a0"
		sets     = "77835c8d-62a7-41f5-82ad-f28d1af1e3b1"
		upgrades = "3689bdc8-b205-4af4-8d4a-a63924c5e9d5"
		packs    = "68c5b0a3-d1a6-4553-ae49-01d3a7827828"
		rollups  = "28bc880e-0592-4cbf-8f95-c79b17911d5f"
	)
	for _, row := range []struct {
		name, properties string
		want             patch.Classification
		contested        bool
	}{
		{"nothing is said", ``, patch.ClassUnknown, false},
		{"one classification", category(security) + `,"Type":1`, patch.ClassSecurity, false},
		{"two that mean the same", category(packs, rollups), patch.ClassRollup, false},
		{"two that differ", category(security, updates), patch.ClassSecurity, true},
		{"a driver by its type alone", `,"Type":2`, patch.ClassDriver, false},
		{"a set of drivers", category(sets) + `,"Type":2`, patch.ClassDriver, false},
		{"a driver that is classified as something else", category(updates) + `,"Type":2`, patch.ClassBugfix, true},
		{"software that is classified as a driver", category(drivers) + `,"Type":1`, patch.ClassDriver, true},
		{"an optional security update", category(security) + `,"BrowseOnly":true`, patch.ClassSecurity, true},
		{"an optional feature", category(upgrades) + `,"BrowseOnly":true`, patch.ClassFeature, false},
		{"a feature with a severity", category(upgrades) + `,"MsrcSeverity":"Important"`, patch.ClassFeature, true},
		{"a driver with a CVE", category(drivers) + `,"CveIDs":["CVE-2026-0001"]`, patch.ClassDriver, true},
		{"a rollup with a severity", category(rollups) + `,"MsrcSeverity":"Critical"`, patch.ClassRollup, false},
		{"a feature with an empty severity", category(upgrades) + `,"MsrcSeverity":""`, patch.ClassFeature, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, p := one(t, row.properties)
			require.Equal(t, row.want, p.Classification)
			require.Equal(t, row.contested, p.Contested)
		})
	}
}

func TestEveryClassificationOfMicrosoftHasItsEnglishName(t *testing.T) {
	for id, want := range map[string]string{
		"5C9376AB-8CE6-464A-B136-22113DD69801": "Applications unknown", "434DE588-ED14-48F5-8EED-A15E09A991F6": "Connectors unknown",
		"E6CF1350-C01B-414D-A61F-263D14D133B4": "Critical Updates critical", "E0789628-CE08-4437-BE74-2495B842F43B": "Definition Updates definition",
		"E140075D-8433-45C3-AD87-E72345B36078": "Developer Kits unknown", "B54E7D24-7ADD-428F-8B75-90A396FA584F": "Feature Packs feature",
		"9511D615-35B2-47BB-927F-F73D8E9260BB": "Guidance unknown", "0FA1201D-4330-4FA8-8AE9-B877473B6441": "Security Updates security",
		"68C5B0A3-D1A6-4553-AE49-01D3A7827828": "Service Packs rollup", "B4832BD8-E735-4761-8DAF-37F882276DAB": "Tools unknown",
		"28BC880E-0592-4CBF-8F95-C79B17911D5F": "Update Rollups rollup", "CD5FFD1E-E932-4E3A-BF74-18BF0B1BBD83": "Updates bugfix",
		"EBFC1FC5-71A4-4F7B-9ACA-3B9A503104A0": "Drivers driver", "3689BDC8-B205-4AF4-8D4A-A63924C5E9D5": "Upgrades feature",
	} {
		_, p := one(t, `,"Categories":[{"CategoryID":"`+id+`","Name":"?"}]`)
		require.Equal(t, want, fmt.Sprint(p.ClassificationRaw[0], " ", p.Classification))
	}
}

// Every property may have any shape: the update stays, and what can be read of it.
func TestNoPropertyLosesTheUpdate(t *testing.T) {
	content, err := os.ReadFile("testdata/search.json")
	require.NoError(t, err)
	var file struct{ Updates []map[string]any }
	require.NoError(t, json.Unmarshal(content, &file))
	for name := range file.Updates[0] {
		if name == "Identity" {
			continue
		}
		for _, value := range []any{nil, 1.5, "x", true, []any{1.5}, map[string]any{"x": []any{}}} {
			changed := map[string]any{"Updates": []any{map[string]any{}}}
			for k, v := range file.Updates[0] {
				changed["Updates"].([]any)[0].(map[string]any)[k] = v
			}
			changed["Updates"].([]any)[0].(map[string]any)[name] = value
			encoded, err := json.Marshal(changed)
			require.NoError(t, err)
			r, err := wua.Read(strings.NewReader(string(encoded)), source.Limits{})
			require.NoError(t, err)
			require.Empty(t, r.Refused)
			require.Len(t, r.Updates, 1, "%s = %v", name, value)
			if name != "Title" {
				require.NotEmpty(t, r.Updates[0].Title)
			}
		}
	}
}

func TestScanSaysWhatIsMissing(t *testing.T) {
	read := func(name string) wua.Result {
		f, err := os.Open("testdata/" + name)
		require.NoError(t, err)
		defer f.Close()
		r, err := wua.Read(f, source.Limits{})
		require.NoError(t, err)
		return r
	}
	r := read("search.json")
	s := r.Scan(wua.ByUpdate)
	require.Equal(t, []patch.ID{cumulative, preview, driver, last}, s.Missing, "the hidden one too, the installed one not")
	require.Equal(t, patch.Yes, s.PendingReboot)
	require.Equal(t, []inventory.Coverage{{Manager: "wua", At: time.Date(2026, 11, 10, 8, 0, 0, 0, time.UTC), Judges: true,
		Status: inventory.Partial, Detail: "1 updates could not be read"}}, s.Coverage)
	require.Equal(t, []patch.ID{"msrc:KB5025239", "msrc:KB5025305", driver, last}, r.Scan(wua.ByKB).Missing)

	r.Refused = nil
	require.Equal(t, inventory.Complete, r.Scan(wua.ByUpdate).Coverage[0].Status)

	older := read("older.json")
	s = older.Scan(wua.ByUpdate)
	require.Equal(t, []patch.ID{cumulative, "wua:44444444-2222-3333-4444-555555555555"}, s.Missing, "one does not say, but that was the question")
	require.Equal(t, patch.Unknown, s.PendingReboot)
	require.Equal(t, inventory.Partial, s.Coverage[0].Status)
	require.Contains(t, s.Coverage[0].Detail, "IsHidden=0")
	require.Equal(t, time.UnixMilli(1731024000000).UTC(), s.At)
}

func TestScanClaimsNoMoreThanTheSearchDid(t *testing.T) {
	update := `{"Identity":{"UpdateID":"f39d68ab-1519-4df8-85c1-d985be7f49c3"}%s}`
	for _, row := range []struct {
		name, result, update string
		status               inventory.Status
		missing              int
	}{
		{"all that is not installed", `"Criteria":"( IsInstalled = 0 )","ResultCode":2`, ``, inventory.Complete, 1},
		{"without the hidden ones", `"Criteria":"IsInstalled=0 and IsHidden=0","ResultCode":2`, ``, inventory.Partial, 1},
		{"drivers alone", `"Criteria":"IsInstalled=0 and Type='Driver'","ResultCode":2`, ``, inventory.Partial, 1},
		{"no word on what was asked", `"ResultCode":2`, ``, inventory.Partial, 0},
		{"no word on what was asked, but the update says", `"ResultCode":2`, `,"IsInstalled":false`, inventory.Partial, 1},
		{"everything, installed or not", `"Criteria":"IsInstalled=0 or IsInstalled=1","ResultCode":2`, ``, inventory.Partial, 0},
		{"what is installed", `"Criteria":"IsInstalled=1","ResultCode":2`, `,"IsInstalled":true`, inventory.Partial, 0},
		{"errors", `"Criteria":"IsInstalled=0","ResultCode":3`, ``, inventory.Partial, 1},
		{"a failure", `"Criteria":"IsInstalled=0","ResultCode":4`, ``, inventory.Failed, 0},
		{"a search that was aborted", `"Criteria":"IsInstalled=0","ResultCode":5`, ``, inventory.Failed, 0},
		{"no result code", `"Criteria":"IsInstalled=0"`, ``, inventory.Partial, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := wua.Read(strings.NewReader(`{`+row.result+`,"Updates":[`+fmt.Sprintf(update, row.update)+`]}`), source.Limits{})
			require.NoError(t, err)
			s := r.Scan(wua.ByUpdate)
			require.Len(t, s.Missing, row.missing)
			require.Equal(t, row.status, s.Coverage[0].Status)
			require.Equal(t, row.status == inventory.Complete, s.Coverage[0].Detail == "")
			require.True(t, s.Coverage[0].Judges)
		})
	}
}

func TestQueryNarrowsByTheDayOfTheChange(t *testing.T) {
	all, _ := list(t, captured("search.json"), patch.Query{Since: time.Date(2023, 4, 11, 0, 0, 0, 0, time.UTC)})
	require.Contains(t, all, cumulative)
	all, _ = list(t, captured("search.json"), patch.Query{Since: time.Date(2023, 4, 12, 0, 0, 0, 0, time.UTC)})
	require.NotContains(t, all, cumulative)
	require.Contains(t, all, driver, "when it changed is not known")
}

func TestWhatIsNoResultIsAnErrorOfTheWhole(t *testing.T) {
	for content, want := range map[string]string{
		``: "unexpected EOF", `{"Updates":[`: "unexpected EOF", `{"Updates":[]} {}`: "something follows", `[]`: "is expected",
		`{"At":"yesterday"}`: "is no time", `{"Updates":{}}`: "is expected", `{}`: "an object without a field", `{"At":"/Date(x)/"}`: "is no time",
		`{"Updates":[` + strings.Repeat(`{"x":[`, 20000): "unexpected EOF", `{"Criteria":1}`: "field Criteria", `{"ResultCode":[]}`: "field ResultCode", `<x/>`: "invalid character",
	} {
		_, err := wua.Read(strings.NewReader(content), source.Limits{})
		require.ErrorContains(t, err, want, "%.40s", content)
		require.ErrorContains(t, err, "wua: result: ")
		require.NotErrorIs(t, err, patch.ErrRecord)
	}
}

// mustFail returns the errors of a listing, of which the last ends it.
func mustFail(t testing.TB, c wua.Config) (all []error) {
	t.Helper()
	s, err := wua.New(c)
	require.NoError(t, err)
	for _, err := range s.Patches(t.Context(), patch.Query{}) {
		if err != nil {
			all = append(all, err)
		}
	}
	require.ErrorIs(t, all[len(all)-1], source.ErrTooLarge)
	return all
}

func TestAPendingRestartThatCannotBeReadIsUnknown(t *testing.T) {
	for value, want := range map[string]patch.Tri{`true`: patch.Yes, `false`: patch.No, `-1`: patch.Yes, `null`: patch.Unknown, `"0x80070005"`: patch.Unknown, `{}`: patch.Unknown} {
		r, err := wua.Read(strings.NewReader(`{"Updates":[],"RebootRequired":`+value+`}`), source.Limits{})
		require.NoError(t, err)
		require.Equal(t, want, r.Scan(wua.ByUpdate).PendingReboot, value)
	}
}

func TestAByteOrderMarkDoesNotCount(t *testing.T) {
	r, err := wua.Read(strings.NewReader("\ufeff{\"Criteria\":\"x\",\"Updates\":[]}"), source.Limits{})
	require.NoError(t, err)
	require.Equal(t, "x", r.Criteria)
}

func TestBounds(t *testing.T) {
	c := captured("search.json")
	c.Limits.Records = 3
	s, err := wua.New(c)
	require.NoError(t, err)
	var all []error
	for _, err := range s.Patches(t.Context(), patch.Query{}) {
		all = append(all, err)
	}
	require.Len(t, all, 1)
	require.ErrorIs(t, all[0], source.ErrTooLarge)
	c = captured("search.json", "older.json")
	c.Limits.Records = 7
	require.Len(t, mustFail(t, c), 2, "updates of all files count together: one that is refused, and the one too many")
	_, err = wua.Read(strings.NewReader(`{"Title":"`+strings.Repeat("x", 2000)+`"}`), source.Limits{Bytes: 1000})
	require.ErrorIs(t, err, source.ErrTooLarge)
}

func TestNewNamesEveryMissingField(t *testing.T) {
	_, err := wua.New(wua.Config{})
	require.ErrorContains(t, err, "no Results")
	_, err = wua.New(wua.Config{Results: []wua.File{{Name: "a"}, {Open: text("")}}})
	require.ErrorContains(t, err, "Results[0]")
	require.ErrorContains(t, err, "Results[1]")
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"search.json", "older.json"} {
		content, err := os.ReadFile("testdata/" + name)
		require.NoError(f, err)
		f.Add(string(content))
	}
	f.Add(`{"Updates":[null,1,{"Identity":{"UpdateID":"{f39d68ab-1519-4df8-85c1-d985be7f49c3}","RevisionNumber":1e3},"Categories":[null],"Errors":{"x":1}}]}`)
	f.Fuzz(func(t *testing.T, content string) {
		r, err := wua.Read(strings.NewReader(content), source.Limits{Bytes: 1 << 16, Records: 100})
		if err != nil {
			require.ErrorContains(t, err, "wua: result: ")
			return
		}
		for _, naming := range []wua.Naming{wua.ByUpdate, wua.ByKB} {
			s := r.Scan(naming)
			require.Len(t, s.Coverage, 1)
			require.False(t, len(r.Refused) > 0 && s.Coverage[0].Status == inventory.Complete)
		}
		for i := range r.Updates {
			p := r.Updates[i].Patch()
			require.Len(t, p.ID, len(cumulative))
			require.GreaterOrEqual(t, p.Size, int64(0))
			_, err := json.Marshal(p)
			require.NoError(t, err)
		}
	})
}
