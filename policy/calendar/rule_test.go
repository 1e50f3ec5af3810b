package calendar_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/policy/calendar"
)

// first writes up to n instants of a rule, as UTC.
func first(r calendar.Rule, from time.Time, loc *time.Location, gap calendar.Gap, n int) string {
	var all []string
	for at := range r.Instants(from, loc, gap) {
		if len(all) == n {
			break
		}
		all = append(all, at.Format("2006-01-02T15:04Z"))
	}
	return strings.Join(all, " ")
}

func TestInstants(t *testing.T) {
	for _, row := range []struct{ name, rule, start, zone, from, want string }{
		{"places among the times of a month", "FREQ=MONTHLY;BYDAY=MO;BYHOUR=8,20;BYSETPOS=2,-1", "20260101T080000", "UTC", "2026-05-01T00:00:00Z",
			"2026-05-04T20:00Z 2026-05-25T20:00Z 2026-06-01T20:00Z"},
		{"places among the times of a day", "FREQ=DAILY;BYHOUR=8,12,20;BYSETPOS=-2", "20260101T080000", "UTC", "2026-05-01T13:00:00Z",
			"2026-05-02T12:00Z 2026-05-03T12:00Z 2026-05-04T12:00Z"},
		{"every two hours in office hours", "FREQ=HOURLY;INTERVAL=2;BYHOUR=9,11,13,15,17;BYDAY=MO,TU,WE,TH,FR", "20260101T090000", "UTC", "2026-05-01T16:00:00Z",
			"2026-05-01T17:00Z 2026-05-04T09:00Z 2026-05-04T11:00Z"},
		{"minutes of each hour", "FREQ=HOURLY;BYMINUTE=10,50", "20260101T093000", "UTC", "2020-01-01T00:00:00Z",
			"2026-01-01T09:50Z 2026-01-01T10:10Z 2026-01-01T10:50Z"},
		{"a date that is left out stands for all its times", "FREQ=DAILY;BYHOUR=8,20;EXDATE=20260102", "20260101T080000", "UTC", "2026-01-01T12:00:00Z",
			"2026-01-01T20:00Z 2026-01-03T08:00Z 2026-01-03T20:00Z"},
		{"until an instant in the hour that comes twice", "FREQ=MINUTELY;INTERVAL=15;UNTIL=20261101T061500Z", "20261101T010000", "America/New_York", "2026-11-01T05:40:00Z",
			"2026-11-01T05:45Z"},
		{"until a day, of which all counts", "FREQ=HOURLY;UNTIL=20261101", "20261101T010000", "UTC", "2026-11-01T22:30:00Z", "2026-11-01T23:00Z"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := calendar.ParseRule(row.rule, wall(t, row.start))
			require.NoError(t, err)
			from, err := time.Parse(time.RFC3339, row.from)
			require.NoError(t, err)
			require.Equal(t, row.want, first(r, from, zone(t, row.zone), calendar.GapShift, 3))
		})
	}
}

// Where the offset of before a gap holds on, a time in the gap may come after one that stands later on the wall.
func TestKeptTimesComeInTheirOrder(t *testing.T) {
	r, err := calendar.ParseRule("FREQ=MINUTELY;INTERVAL=50;COUNT=4", wall(t, "20260308T015000"))
	require.NoError(t, err)
	require.Equal(t, "2026-03-08T06:50Z 2026-03-08T07:30Z 2026-03-08T07:40Z 2026-03-08T08:20Z",
		first(r, time.Unix(0, 0), zone(t, "America/New_York"), calendar.GapKeep, 9))
	r, err = calendar.ParseRule("FREQ=MINUTELY;INTERVAL=50;COUNT=2", wall(t, "20260308T015000"))
	require.NoError(t, err)
	require.Equal(t, "2026-03-08T06:50Z 2026-03-08T07:40Z", first(r, time.Unix(0, 0), zone(t, "America/New_York"), calendar.GapKeep, 9))
}

func TestRulesThatAreRefused(t *testing.T) {
	for rule, want := range map[string]string{
		"FREQ=SECONDLY":                       "part FREQ:",
		"FREQ=DAILY;DTSTART=20260101":         "part DTSTART: the rule has its start already",
		"FREQ=HOURLY;BYMINUTE=1,2;BYSETPOS=1": "part BYSETPOS: not with FREQ=HOURLY",
		"FREQ=HOURLY;INTERVAL=24;BYHOUR=3":    "there is no such time",
		"FREQ=DAILY;UNTIL=20251231T235959Z":   "there is no such time",
		"FREQ=DAILY;BYHOUR=24":                "part BYHOUR:",
		"FREQ=DAILY;BYMINUTE=60":              "part BYMINUTE:",
		"FREQ=YEARLY;COUNT=300":               "part COUNT: the rule goes on for more than 200 years",
		"FREQ=DAILY;COUNT=100001":             "part COUNT:",
		"FREQ=DAILY;EXDATE=2026":              "part EXDATE:",
		"FREQ=DAILY;EXDATE=20260101T000000Z":  "part EXDATE:",
	} {
		_, err := calendar.ParseRule(rule, wall(t, "20260301T090000"))
		require.ErrorContains(t, err, want, rule)
	}
	_, err := calendar.ParseRule("FREQ=DAILY", calendar.Wall(1<<60))
	require.ErrorContains(t, err, "in a year that is not from 1 to 9999")
	require.Empty(t, first(calendar.Rule{}, time.Unix(0, 0), time.UTC, calendar.GapShift, 1))
}

// A rule that ends after so many times counts those that do not exist unless gaps are skipped; over thirty years they are many.
func TestCountPassesOverGaps(t *testing.T) {
	loc := zone(t, "America/New_York")
	r, err := calendar.ParseRule("FREQ=DAILY;COUNT=10000", wall(t, "20000101T023000"))
	require.NoError(t, err)
	for gap, want := range map[calendar.Gap]int{calendar.GapShift: 10_000, calendar.GapKeep: 10_000, calendar.GapSkip: 10_000} {
		all := slices.Collect(r.Instants(time.Unix(0, 0), loc, gap))
		require.Len(t, all, want)
		days := int(all[len(all)-1].Sub(all[0]).Hours()/24+0.5) + 1
		if gap == calendar.GapSkip {
			require.Equal(t, 10_028, days, "one more for each of 28 springs")
		} else {
			require.Equal(t, 10_000, days)
		}
	}
}

func TestWallText(t *testing.T) {
	for text, want := range map[string]string{
		"2026-12-24": "2026-12-24", "2026-12-24T00:00": "2026-12-24", "2026-12-24 18:00": "2026-12-24T18:00",
		"2026-12-24T18:00:00": "2026-12-24T18:00", "2026-12-24T18:00:30": "2026-12-24T18:00:30",
	} {
		var w calendar.Wall
		require.NoError(t, w.UnmarshalText([]byte(text)))
		got, err := w.MarshalText()
		require.NoError(t, err)
		require.Equal(t, want, string(got))
		require.Equal(t, date(t, "2026-12-24"), w.Date())
	}
	for _, text := range []string{"", "2026-12-24T24:00", "2026-13-24", "24.12.2026", "2026-12-24T18:00Z", "2026-12-24T18", "0000-01-01"} {
		require.ErrorContains(t, new(calendar.Wall).UnmarshalText([]byte(text)), "is no date and time", text)
	}
	_, err := calendar.Wall(1 << 60).MarshalText()
	require.ErrorContains(t, err, "is not in the years 1 to 9999")
}

func TestEnumerations(t *testing.T) {
	for _, g := range []calendar.Gap{calendar.GapShift, calendar.GapSkip, calendar.GapKeep} {
		text, err := g.MarshalText()
		require.NoError(t, err)
		var again calendar.Gap
		require.NoError(t, again.UnmarshalText(text))
		require.Equal(t, g, again)
		require.Equal(t, g.String(), string(text))
	}
	for _, f := range []calendar.Fit{calendar.FitOnce, calendar.FitNever, calendar.FitTwice} {
		text, err := f.MarshalText()
		require.NoError(t, err)
		var again calendar.Fit
		require.NoError(t, again.UnmarshalText(text))
		require.Equal(t, f, again)
		require.Equal(t, f.String(), string(text))
	}
	require.Error(t, new(calendar.Gap).UnmarshalText([]byte("jump")))
	require.Error(t, new(calendar.Fit).UnmarshalText([]byte("thrice")))
}

func FuzzParseRule(f *testing.F) {
	for _, rule := range []string{"FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z", "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10", "FREQ=DAILY;COUNT=9;EXDATE=20260102T090000",
		"FREQ=MONTHLY;BYDAY=MO;BYHOUR=8,20;BYSETPOS=2,-1", "FREQ=YEARLY;BYDAY=20MO", "FREQ=HOURLY;BYMINUTE=10,50"} {
		f.Add(rule, int64(1767258000), uint8(0))
	}
	f.Fuzz(func(t *testing.T, rule string, start int64, n uint8) {
		r, err := calendar.ParseRule(rule, calendar.Wall(start))
		if err != nil {
			return
		}
		names := []string{"America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "UTC"}
		loc, gap := zone(t, names[int(n)%4]), calendar.Gap(n/4%3)
		var all []time.Time
		for at := range r.Instants(time.Unix(start, 0).Add(-48*time.Hour), loc, gap) {
			if len(all) > 0 {
				require.True(t, at.After(all[len(all)-1]))
			}
			if all = append(all, at); len(all) == 20 {
				break
			}
		}
		for i, from := range all { // from anywhere on, the same follows
			for at := range r.Instants(from, loc, gap) {
				require.Equal(t, from, at, i)
				break
			}
		}
	})
}
