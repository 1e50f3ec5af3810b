package bench

import (
	"archive/zip"
	"fmt"
	"go/build"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/stretchr/testify/require"
	"github.com/teambition/rrule-go"

	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/policy/calendar"
)

// saturdays opens on Saturdays from 22:00 to 06:00.
func saturdays() policy.Window {
	return policy.Window{Days: policy.DaysOf(time.Saturday), Start: 22 * 60, End: 6 * 60}
}

func cronOf(tb testing.TB, zone string) cron.Schedule {
	tb.Helper()
	s, err := cron.ParseStandard("CRON_TZ=" + zone + " 0 22 * * 6")
	require.NoError(tb, err)
	return s
}

// ruleOf makes the peer's rule of a text, from 22:00 on the first day of 2020 in a zone on.
func ruleOf(tb testing.TB, text string, loc *time.Location) *rrule.RRule {
	tb.Helper()
	option, err := rrule.StrToROption(text)
	require.NoError(tb, err)
	option.Dtstart = time.Date(2020, time.January, 1, 22, 0, 0, 0, loc)
	r, err := rrule.NewRRule(*option)
	require.NoError(tb, err)
	return r
}

// wednesdays are instants at which no window here is open.
func wednesdays(n int) []time.Time {
	all := make([]time.Time, n)
	for i := range all {
		all[i] = time.Date(2026, time.January, 7+7*i, 12, 0, 0, 0, time.UTC)
	}
	return all
}

// zoneNames returns n time zones of the database that comes with the compiler.
func zoneNames(tb testing.TB, n int) []string {
	tb.Helper()
	z, err := zip.OpenReader(filepath.Join(build.Default.GOROOT, "lib", "time", "zoneinfo.zip"))
	require.NoError(tb, err)
	defer z.Close()
	var names []string
	for _, f := range z.File {
		if _, err := time.LoadLocation(f.Name); err == nil && strings.Contains(f.Name, "/") && !strings.HasSuffix(f.Name, "/") {
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	require.GreaterOrEqual(tb, len(names), n)
	return names[:n]
}

func TestTheNextOpeningIsThatOfThePeers(t *testing.T) {
	loc, err := time.LoadLocation("America/New_York")
	require.NoError(t, err)
	weekly, byCron := ruleOf(t, "FREQ=WEEKLY;BYDAY=SA", loc), cronOf(t, "America/New_York")
	monthly := ruleOf(t, "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=11,12,13,14,15,16,17", loc)
	after, err := calendar.Parse("2nd tue +3d")
	require.NoError(t, err)
	for _, at := range wednesdays(100) {
		open, _ := saturdays().Next(at, loc)
		require.Equal(t, byCron.Next(at).UTC(), open)
		require.Equal(t, weekly.After(at, false).UTC(), open)
		w := saturdays()
		w.Days, w.On = 0, after
		open, _ = w.Next(at, loc)
		require.Equal(t, monthly.After(at, false).UTC(), open)
	}
}

// Far from changes of offset the peer is right, and so all rules must have the same times. It panics at a weekday that a
// month has not so often.
func TestRulesAgreeWithThePeers(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 45))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	start := time.Date(2020, time.January, 1, 9, 0, 0, 0, time.UTC)
	taken := 0
	for range 400 {
		parts := []string{pick("FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=WEEKLY;WKST=SU", "FREQ=MONTHLY;BYDAY=2TU,-1FR", "FREQ=MONTHLY;BYMONTHDAY=-1,15",
			"FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "FREQ=YEARLY;BYDAY=3MO,-2TU", "FREQ=YEARLY;BYWEEKNO=20,-1;BYDAY=MO", "FREQ=YEARLY;BYYEARDAY=1,100,-1", "FREQ=YEARLY"),
			fmt.Sprint("INTERVAL=", 1+r.IntN(5)), pick("BYMONTH=3,11", "", ""), pick("COUNT=7", "UNTIL=20300601T000000Z", "")}
		if strings.Contains(parts[0], "MONTHLY") { // of the first week the peer counts only the days from the start on
			parts = append(parts, pick("BYSETPOS=-1", "BYSETPOS=1,2", ""))
		}
		parts = append(parts, pick("BYHOUR=8,20", ""))
		text := strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ";")
		option, err := rrule.StrToROption(text)
		require.NoError(t, err)
		option.Dtstart = start
		peer, err := rrule.NewRRule(*option)
		require.NoError(t, err)
		ours, err := calendar.ParseRule(text, calendar.WallOf(start, time.UTC))
		from := start.AddDate(r.IntN(8), r.IntN(12), r.IntN(28))
		want := peer.Between(from, from.AddDate(6, 0, 0), true)
		if err != nil {
			require.Empty(t, want, "%s: %v", text, err)
			continue
		}
		var got []time.Time
		for at := range ours.Instants(from, time.UTC, calendar.GapShift) {
			if at.After(from.AddDate(6, 0, 0)) {
				break
			}
			got = append(got, at)
		}
		require.Equal(t, len(want), len(got), text)
		for i := range want {
			require.True(t, want[i].Equal(got[i]), "%s: %s, %s", text, want[i], got[i])
		}
		taken++
	}
	require.Greater(t, taken, 300)
}

// openingNext measures when a weekly window opens next, with rules that began in 2020.
func openingNext(tb testing.TB) *contest {
	loc, err := time.LoadLocation("America/New_York")
	require.NoError(tb, err)
	weekly, byCron := ruleOf(tb, "FREQ=WEEKLY;BYDAY=SA", loc), cronOf(tb, "America/New_York")
	monthly := ruleOf(tb, "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=11,12,13,14,15,16,17", loc)
	after, err := calendar.Parse("2nd tue +3d")
	require.NoError(tb, err)
	w, patchFriday := saturdays(), saturdays()
	patchFriday.Days, patchFriday.On = 0, after
	s, err := policy.NewSchedule([]policy.Window{w}, "America/New_York")
	require.NoError(tb, err)
	at := wednesdays(52)
	var sum int64
	each := func(name string, repeat int, next func(t time.Time) time.Time) side {
		return side{name: name, per: repeat * len(at), run: func() {
			for range repeat {
				for _, t := range at {
					sum += next(t).Unix()
				}
			}
		}}
	}
	return &contest{
		name: "Next opening",
		sides: []side{
			each("cron by robfig", 500, byCron.Next),
			each("weekly by rrule-go", 5, func(t time.Time) time.Time { return weekly.After(t, false) }),
			each("Window.Next", 500, func(t time.Time) time.Time { open, _ := w.Next(t, loc); return open }),
			each("Schedule.Next", 500, func(t time.Time) time.Time { open, _ := s.Next(t); return open }),
			each("monthly by rrule-go", 5, func(t time.Time) time.Time { return monthly.After(t, false) }),
			each("Window.Next 2nd tue +3d", 500, func(t time.Time) time.Time { open, _ := patchFriday.Next(t, loc); return open }),
		},
		goals: []goal{
			{"Window.Next", "cron by robfig", 1. / 5}, {"Window.Next", "weekly by rrule-go", 1. / 300},
			{"Schedule.Next", "cron by robfig", 0}, {"Window.Next 2nd tue +3d", "monthly by rrule-go", 1. / 20},
		},
	}
}

// openingFleet measures when the windows of 1,000,000 devices in 518 zones open next.
func openingFleet(tb testing.TB) *contest {
	const devices = 1_000_000
	names := zoneNames(tb, 518)
	memo := policy.NewMemo(new(policy.Policy), []policy.Window{saturdays()})
	crons := make([]cron.Schedule, len(names))
	zones := make([]int32, len(names))
	for i, name := range names {
		n, err := memo.Zone(name)
		require.NoError(tb, err)
		zones[i], crons[i] = int32(n), cronOf(tb, name)
	}
	r := rand.New(rand.NewPCG(5, 18))
	of := make([]int32, devices)
	for i := range of {
		of[i] = zones[r.IntN(len(zones))]
	}
	out, numbers := make([]int64, devices), make([]int64, len(names))
	at := wednesdays(1)[0]
	week := func() { at = at.AddDate(0, 0, 7) } // so that nothing is remembered
	return &contest{
		name: "Next opening of 1,000,000 devices in 518 zones",
		sides: []side{
			{name: "cron by robfig", per: devices, setup: week, run: func() {
				for i, z := range of {
					out[i] = crons[z].Next(at).Unix()
				}
			}},
			{name: "gather", per: devices, run: func() {
				for i, z := range of {
					out[i] = numbers[z]
				}
			}},
			{name: "Schedule.Next each", per: devices, setup: week, run: func() {
				for i, z := range of {
					open, _ := memo.Schedule(int(z)).Next(at)
					out[i] = open.Unix()
				}
			}},
			{name: "Memo.At", per: devices, setup: week, run: func() {
				table := memo.At(at)
				for i := range numbers {
					numbers[i] = table[i].Open.Unix()
				}
				for i, z := range of {
					out[i] = numbers[z]
				}
			}},
		},
		goals: []goal{
			{"Memo.At", "cron by robfig", 1. / 200}, {"Memo.At", "gather", 3}, {"Schedule.Next each", "cron by robfig", 0},
		},
	}
}

func BenchmarkNextOpening(b *testing.B)      { bench(b, openingNext) }
func BenchmarkNextOpeningFleet(b *testing.B) { bench(b, openingFleet) }
