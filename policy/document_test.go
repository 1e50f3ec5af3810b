package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/jsonnode"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/calendar"
	"github.com/patchflow/patchflow/policy/predicate"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files anew")
	os.Exit(m.Run())
}

// golden compares got with a file of testdata, which the flag -update rewrites.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, file)
}

func decodeFile(t *testing.T, file string) (Policy, error) {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return Decode(f, filepath.Base(file))
}

func decode(text string) (Policy, error) { return Decode(strings.NewReader(text), "") }

// recurrence reads the text of a recurrence that is right.
func recurrence(text string) calendar.Recurrence {
	r, err := calendar.Parse(text)
	if err != nil {
		panic(err)
	}
	return r
}

// where makes a condition of its text.
func where(text string) Where { return WhereOf(predicate.MustParse(text)) }

// fleet is the policy of testdata/fleet.yaml.
func fleet() Policy {
	const minute, hour, day = Duration(time.Minute), Duration(time.Hour), Duration(24 * time.Hour)
	careful := Gate{Denominator: Reached, MinSuccess: 9750, MaxFailed: 250, MinSample: 3, MinCoverage: 8000, Soak: day,
		Timeout: 7 * day, OnTimeout: TimeoutFails,
		Evidence: Evidence{Tolerate: 200, Below: 500, Confidence: 9900, Within: day, Pooled: true},
		Control:  Control{Devices: 12, Within: 2 * day, Least: 5, Confidence: 9900}}
	weekdays := DaysOf(time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday)
	return Policy{
		Name: "offices and shops",
		Rules: []Rule{
			{Name: "known issue", Match: Match{IDs: []patch.ID{"wua:KB5099999", "winget:Contoso.*"}}, Verdict: Hold,
				Reason: "breaks the till printers"},
			{Name: "no graphics drivers", Verdict: Reject,
				Match: Match{Packages: []string{"nvidia-*"}, Devices: inventory.MustSelector("role=till")}},
			{Name: "exploited now", Verdict: Approve, Match: Match{Exploited: true, MinSeverity: patch.SeverityImportant,
				Classifications: []patch.Classification{patch.ClassSecurity, patch.ClassRollup}}},
			{Name: "let others go first", Match: Match{All: true}, Verdict: Defer, For: 3*day + 12*hour, From: SinceFirstSeen},
			{Name: "firmware asks", Verdict: RequireApproval, Approvers: []string{"hans", "group:change-board"}, Quorum: 2, Match: Match{MinAge: 30 * day,
				Classifications: []patch.Classification{patch.ClassFirmware, patch.ClassDriver}}},
			{Name: "ordinary", Verdict: Approve, Match: Match{Classifications: []patch.Classification{patch.ClassSecurity,
				patch.ClassCritical, patch.ClassBugfix, patch.ClassDefinition, patch.ClassRollup}}},
			{Name: "tills by hand", Verdict: Hold, Match: Match{Where: where("reboot = always and label.till = yes")}},
		},
		Rings: []Ring{
			{Name: "test", Devices: inventory.MustSelector("role=test"), Gate: careful},
			{Name: "pilot", Share: 1250, MinDevices: 5, Shows: 1000, Approval: true, MaxActive: 10, Gate: careful,
				Need: Need{Quorum: 2, Approvers: []string{"hans", "group:security"}, Valid: 3 * day, ByRule: true, Emergency: true,
					Bypass: Bypass{Windows: true, Freezes: true}},
				Windows:  []Window{{Start: 8 * 60, End: 18 * 60, Days: weekdays, Zone: "Europe/Berlin"}},
				Download: Download{Windows: []Window{{Start: 7 * 60, End: 8 * 60}}}},
			{Name: "wave", Size: 20, Ramp: 3},
			{Name: "broad", Rest: true, Gate: Gate{Manual: true}},
		},
		Windows: []Window{
			{Days: DaysOf(time.Saturday, time.Sunday), Start: 22 * 60, End: 6 * 60},
			{Start: 2 * 60, End: 4 * 60},
			{On: recurrence("2nd tue +3d"), Start: 60, End: 5 * 60, Gap: calendar.GapSkip},
		},
		Freezes: []Freeze{
			{Name: "end of the year", From: calendar.DateOf(2026, time.December, 20).At(18 * 3600), Until: calendar.DateOf(2027, time.January, 4).At(0),
				Except: []Match{{Exploited: true}}},
			{Name: "close of the month", On: recurrence("FREQ=MONTHLY;BYMONTHDAY=-1"), Start: 12 * 60, For: day + 12*hour, Zone: "Europe/Berlin"},
		},
		Download:    Download{Windows: []Window{{Start: 12 * 60, End: 14 * 60}}},
		Fit:         Fit{Work: hour, Reboot: 20 * minute},
		Missed:      MissedRuns,
		Salt:        "2026",
		Strata:      []string{"device.os", "site"},
		Covers:      []Cover{{Of: "device.version", Least: 9000}, {App: "firefox", Least: 5000}},
		Joiners:     JoinersAdmitted,
		HostLabel:   "hypervisor",
		Guests:      GuestsAwaitedInGrace,
		Need:        Need{Quorum: 1, Approvers: []string{"group:change-board"}},
		Priority:    10,
		StartJitter: 40 * minute,
		MaxActive:   500,
		Backup:      Backup{Need: BackupRequired, MaxAge: day},
		Rate:        Rate{Count: 200, Every: hour},
		Budgets:     []Budget{{Name: "sites", Devices: inventory.MustSelector("role=till"), Per: []string{"site"}, Count: 5, Share: 250, Rate: Rate{Count: 10, Every: 20 * minute}, Breaker: Breaker{Failures: 5, Of: 8, Within: 2 * hour, Pause: 45 * minute}, Drain: true}},
		Drain:       Drain{Timeout: 20 * minute},
		Breaker:     Breaker{Failures: 6, Of: 10, Within: 3 * hour, Pause: 20 * minute},
		Retry: Retry{Attempts: 5, Backoff: 5 * minute, MaxBackoff: 2 * hour, BusyEvery: 90 * minute / 60, BusyLimit: 20,
			OfflineEvery: 30 * minute, Grace: 2 * day, OfflineDeadline: 9 * day, Timeout: 3 * hour, Remedies: []Remedy{{Fault: patch.Corrupt, Max: 2}, {Fault: patch.DiskFull, Max: 1}}},
		Reboot: Reboot{Mode: RebootIfRequired, Timeout: 45 * minute,
			Windows:   []Window{{Days: DaysOf(time.Saturday), Start: 23 * 60, End: 5 * 60}},
			Deferrals: Deferrals{Max: 3, Notice: 30 * minute, Each: 2 * hour, Deadline: day},
			Quiet:     []Window{{Start: 12 * 60, End: 13 * 60}}, Before: BeforeIfPending},
		Rollback: Rollback{On: FailRollsBackRing, Irreversible: true, Acknowledged: true, Wait: 12 * Duration(time.Hour), MaxFailed: 2000, MaxFailures: 3, InWindows: true},
		Health: Health{Metrics: []Metric{{Name: "boot-seconds", By: 3000, Least: 5, Samples: 2, Required: true},
			{Name: "free-memory", Worse: WorseDown, By: 2000}}, Feedback: Feedback{Count: 3, Broke: 2000, Of: OfDevices, Answers: 5},
			Probes: Probes{List: []Probe{{Name: "till", Check: ProbeVersion, Of: "contoso-till", Version: "4.2"},
				{Name: "web", Check: ProbeCustom, Of: "http", With: []string{"url=https://localhost/health"}}},
				Before: ProbeLeavesOut, Failed: ProbeUnwell, Within: 20 * minute, Every: 2 * minute}},
		Escalation: []EscalationLevel{{Name: "helpdesk", Attempts: 2, Failed: 500}, {Name: "on call", Failed: 1000, Waiting: 4 * hour}},
		Deadlines: []Deadline{
			{Name: "exploited", Match: Match{Exploited: true, MinSeverity: patch.SeverityCritical}, Now: true},
			{Name: "important", Match: Match{MinSeverity: patch.SeverityImportant}, Within: 14 * day, From: SinceFirstSeen, Reserve: 3 * day},
		},
		Exceptions: []Exception{{ID: "EX-7", Patches: []patch.ID{"winget:Fabrikam.*"}, CVEs: []string{"CVE-2026-1000"},
			Devices: inventory.MustSelector("role=kiosk"), Reason: "the till program needs the old one", Owner: "ada", Approver: "grace",
			Granted: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Expires: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC),
			Revoked: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC), Controls: []string{"no network"}}},
		Holds: []KnownIssue{{ID: "H-3", Match: Match{Packages: []string{"contoso-vpn"}}, Message: "cuts the line",
			URL: "https://example.com/h3", FixedIn: []patch.ID{"winget:Contoso.VPN-2.1"}, Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
			FailClosed: true}},
	}
}

func TestACompletePolicyIsReadFieldByField(t *testing.T) {
	got, err := decodeFile(t, "testdata/fleet.yaml")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(fleet(), got))
}

// The fixture claims to set every field there is; a field that is added to a type must be added there.
func TestTheCompletePolicyIsComplete(t *testing.T) {
	set := make(map[string]bool)
	var visit func(v reflect.Value, field string)
	visit = func(v reflect.Value, field string) {
		_, isSelector := v.Interface().(inventory.Selector)
		_, isTime := v.Interface().(time.Time)
		_, isDays := v.Interface().(calendar.Recurrence)
		_, isWhere := v.Interface().(Where)
		switch {
		case isSelector, isTime, isDays, isWhere, v.Kind() != reflect.Struct && v.Kind() != reflect.Slice:
			set[field] = set[field] || !v.IsZero()
		case v.Kind() == reflect.Slice:
			for i := range v.Len() {
				visit(v.Index(i), field)
			}
		default:
			for i := range v.NumField() {
				name := v.Type().Name() + "." + v.Type().Field(i).Name
				set[name] = set[name] || false
				visit(v.Field(i), name)
			}
		}
	}
	visit(reflect.ValueOf(fleet()), "")
	for name, is := range set {
		structs := []string{"Policy.Rules", "Policy.Rings", "Policy.Windows", "Policy.Budgets", "Policy.Rate", "Budget.Rate", "Budget.Breaker", "Policy.Drain", "Policy.Breaker", "Policy.Retry", "Retry.Remedies", "Policy.Reboot", "Reboot.Windows", "Policy.Rollback",
			"Policy.Deadlines", "Policy.Exceptions", "Policy.Holds", "Deadline.Match", "KnownIssue.Match",
			"Policy.Freezes", "Policy.Fit", "Freeze.Except", "Rule.Match", "Ring.Gate", "Gate.Evidence", "Gate.Control", "Ring.Windows", "Ring.Need", "Policy.Need",
			"Need.Bypass", "Policy.Backup", "Policy.Download", "Ring.Download", "Download.Windows", "Policy.Health", "Policy.Escalation", "Policy.Covers", "Health.Metrics", "Health.Feedback", "Health.Probes", "Probes.List", "Reboot.Deferrals", "Reboot.Quiet"}
		require.True(t, is || strings.Contains(strings.Join(structs, " "), name), name)
	}
}

func TestEncodeWritesWhatDecodeReads(t *testing.T) {
	var text bytes.Buffer
	require.NoError(t, Encode(&text, fleet()))
	golden(t, "testdata/fleet.golden.yaml", text.String())
	back, err := Decode(&text, "")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(fleet(), back))
}

func TestJSONIsReadBack(t *testing.T) {
	text, err := json.Marshal(fleet())
	require.NoError(t, err)
	back, err := Decode(bytes.NewReader(text), "fleet.json")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(fleet(), back))

	var std Policy
	require.NoError(t, json.Unmarshal(text, &std))
	require.Empty(t, cmp.Diff(fleet(), std))

	indented, err := json.MarshalIndent(fleet(), "", "\t")
	require.NoError(t, err)
	back, err = Decode(bytes.NewReader(indented), "fleet.json")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(fleet(), back))
}

func TestEncodeRefusesAnInvalidPolicy(t *testing.T) {
	var text bytes.Buffer
	require.ErrorContains(t, Encode(&text, Policy{}), "name: missing")
	require.Zero(t, text.Len())
}

func TestMalformedDocumentsGetClearErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	require.NoError(t, err)
	more, err := filepath.Glob("testdata/bad/*.json")
	require.NoError(t, err)
	files = append(files, more...)
	require.Greater(t, len(files), 25)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			p, err := decodeFile(t, file)
			require.Error(t, err)
			require.Empty(t, cmp.Diff(Policy{}, p), "with an error comes the zero policy")
			golden(t, file+".txt", err.Error()+"\n")
			var fault *FieldError
			require.ErrorAs(t, err, &fault)
			require.Equal(t, filepath.Base(file), fault.File)
		})
	}
}

func TestWaysOfWritingAPolicy(t *testing.T) {
	want, err := decode("{name: p, windows: [{days: 'sat,sun', start: '22:00', end: '06:00'}]}")
	require.NoError(t, err)
	for name, text := range map[string]string{
		"days in a list":               "name: p\nwindows: [{days: [sun, sat], start: 22:00, end: 06:00}]",
		"JSON":                         `{"name": "p", "windows": [{"days": ["sat", "sun"], "start": "22:00", "end": "06:00"}]}`,
		"JSON with an escape":          `{"name": "\u0070", "windows": [{"days": "sat,sun", "start": "22:00", "end": "06:00"}]}`,
		"YAML that begins like JSON":   "{name: p, windows: [{days: [sat, sun], start: '22:00', end: '06:00'}]}",
		"JSON with a trailing comma":   `{"name": "p", "windows": [{"days": "sat,sun", "start": "22:00", "end": "06:00"}],}`,
		"a byte order mark":            "\ufeffname: p\nwindows: [{days: 'sat,sun', start: 22:00, end: 06:00}]",
		"Windows line ends":            "name: p\r\nwindows:\r\n  - {days: 'sat,sun', start: 22:00, end: 06:00}\r\n",
		"a document marker":            "---\nname: p\nwindows: [{days: 'sat,sun', start: 22:00, end: 06:00}]\n...\n",
		"an alias":                     "windows: [{days: &d [sat, sun], start: &s 22:00, end: 06:00}]\nname: p",
		"days across the week's end":   "name: p\nwindows: [{days: sat-sun, start: 22:00, end: 06:00}]",
		"no line end at the very last": "name: p\nwindows: [{days: 'sun,sat', start: 22:00, end: 06:00}]",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decode(text)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(want, got))
		})
	}
}

func TestJSONMayUseWhatYAMLCannotRead(t *testing.T) {
	for _, head := range []string{"", "\ufeff", " \r\n\t"} {
		p, err := decode(head + `{"name": "\ud83d\ude00 a\/b"}`)
		require.NoError(t, err)
		require.Equal(t, "😀 a/b", p.Name)
	}
}

func TestPositionsCountCharacters(t *testing.T) {
	for _, text := range []string{
		"{\"name\": \"äöü\", \"zz\": 1}",
		"{name: \"äöü\",   zz: 1}",
	} {
		_, err := decode(text)
		var fault *FieldError
		require.ErrorAs(t, err, &fault)
		require.Equal(t, 1, fault.Line)
		require.Equal(t, 17, fault.Column, text)
		require.EqualError(t, err, "policy: line 1, column 17: zz: unknown field")
	}
}

func TestAReaderThatFails(t *testing.T) {
	cause := errors.New("disk on fire")
	_, err := Decode(iotest.ErrReader(cause), "p.yaml")
	require.ErrorIs(t, err, cause)
	require.EqualError(t, err, "policy: p.yaml: cannot be read: disk on fire")
}

func TestOneByteAtATime(t *testing.T) {
	text, err := os.ReadFile("testdata/fleet.yaml")
	require.NoError(t, err)
	got, err := Decode(iotest.OneByteReader(bytes.NewReader(text)), "")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(fleet(), got))
}

func TestSizesAreBounded(t *testing.T) {
	comment := func(n int) string { return "name: p\n#" + strings.Repeat("x", n-len("name: p\n#")) }
	_, err := decode(comment(maxDocument))
	require.NoError(t, err)
	_, err = decode(comment(maxDocument + 1))
	require.ErrorContains(t, err, "larger than 1048576 bytes")

	// Every ring holds all windows, and every ring is the same: 1,000 x 1,000 of them in 40 kB.
	bomb := "name: p\nwindows: &w\n- &o {start: 08:00, end: 18:00}\n" + strings.Repeat("- *o\n", 1000) +
		"rings:\n- &r {name: r, rest: true, windows: *w}\n" + strings.Repeat("- *r\n", 1000)
	_, err = decode(bomb)
	require.Regexp(t, `^policy: line \d+, column \d+: rings\[\d+\]\.[^\n]*: the document is too large once its aliases are spelled out$`,
		err.Error())

	_, err = decode("name: p\nrules:\n" + strings.Repeat("- {}\n", 10_000))
	require.ErrorContains(t, err, "there are more faults than these")
	require.Equal(t, maxFaults, strings.Count(err.Error(), "\n"))
	_, err = decode("rules:\n" + strings.Repeat("- {}\n", 10_000) + "name: p\n")
	require.NotContains(t, err.Error(), "policy: line 1, column 1: name: missing", "what was not read any more is not missing")

	_, fault := jsonnode.Read([]byte(strings.Repeat("[", maxDepth+1)), maxDepth)
	require.ErrorContains(t, fault, "line 1, column 66: not readable as JSON: nested deeper than 64 levels")
	_, fault = jsonnode.Read([]byte(strings.Repeat("[", maxDepth)+strings.Repeat("]", maxDepth)), maxDepth)
	require.Nil(t, fault)
}

// These once made parsers slow. Each is a megabyte.
func TestHostileDocumentsEndSoon(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for name, unit := range map[string]string{
		"brackets": "[", "braces": "{", "dashes": "- ", "question marks": "? ", "anchors": "&a ", "keys": "a: ", "comments": "#\n",
		"indented": " - -\n", "quotes": `"`, "commas": "[],", "lines": "a: b\n", "tags": "! ", "docs": "---\n", "json": `{"a":`,
		"empty maps": "- {}\n", "numbers": "1", "percent": "%\n", "folded": ">\n\n ", "aliases": "*a ",
	} {
		t.Run(name, func(t *testing.T) {
			for _, head := range []string{"", "name: p\nrules:\n", "name: p\nrules: ["} {
				_, err := decode(head + strings.Repeat(unit, (maxDocument-len(head))/len(unit)))
				require.Error(t, err)
				require.Less(t, len(err.Error()), 40_000)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/bad/*")
	require.NoError(f, err)
	for _, file := range append(files, "testdata/fleet.yaml", "testdata/fleet.golden.yaml") {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(text)
	}
	text, err := json.Marshal(fleet())
	require.NoError(f, err)
	f.Add(text)
	f.Add([]byte("name: \"a\\u0085b\\u2028\\ufeff: #\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<12 { // long inputs spend the time on being minimised
			return
		}
		p, err := Decode(bytes.NewReader(data), "f")
		if err != nil {
			require.Empty(t, cmp.Diff(Policy{}, p))
			require.True(t, strings.HasPrefix(err.Error(), "policy: "), "%v", err)
			return
		}
		roundTrip(t, p)
	})
}

// roundTrip writes p in every form and reads it back.
func roundTrip(t *testing.T, p Policy) {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, Encode(&text, p))
	back, err := Decode(bytes.NewReader(text.Bytes()), "")
	require.NoError(t, err, "%s", text.Bytes())
	require.Empty(t, cmp.Diff(p, back), "%s", text.Bytes())
	doc, err := json.Marshal(p)
	require.NoError(t, err)
	back, err = Decode(bytes.NewReader(doc), "")
	require.NoError(t, err, "%s", doc)
	require.Empty(t, cmp.Diff(p, back), "%s", doc)
}

// Any text that a Go value may hold is read back.
func FuzzEncodeText(f *testing.F) {
	for _, s := range []string{"a", "yes", "12", "0x1F", "1:30", "2025-01-01", "~", "a: b", "# c", "- d", "ä\u0085\u2028\ufeff😀", "\x00\x07\x1b",
		" lead", "trail ", "two\nlines\n", "tab\t", "'", `"`, "*a", "&a", "!t", "%d", "@x", "`", "<<", "=", "\r\n", "\u00a0", "\ud7ff\ue000\ufffd", "null"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, name, reason string) {
		p := Policy{Name: name, Rules: []Rule{{Name: "r", Match: Match{Packages: []string{name}}, Verdict: Hold, Reason: reason}},
			Rings: []Ring{{Name: name, Rest: true}}}
		if len(name)+len(reason) > 1<<12 || p.Validate() != nil {
			return
		}
		roundTrip(t, p)
	})
}
