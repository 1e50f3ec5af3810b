package policy

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/walltime"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := loadZone(name)
	require.NoError(t, err)
	return loc
}

func window(t testing.TB, days, start, end string) Window {
	t.Helper()
	var w Window
	require.NoError(t, w.Days.UnmarshalText([]byte(days)))
	require.NoError(t, w.Start.UnmarshalText([]byte(start)))
	require.NoError(t, w.End.UnmarshalText([]byte(end)))
	return w
}

func instant(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	require.NoError(t, err)
	return at
}

// show writes an opening as the clock of loc shows it.
func show(open, close time.Time, loc *time.Location) string {
	if open.IsZero() && close.IsZero() {
		return "never"
	}
	const layout = "Mon 2006-01-02 15:04 -0700"
	end := "for ever"
	if !close.IsZero() {
		end = close.In(loc).Format(layout)
	}
	return open.In(loc).Format(layout) + " to " + end
}

// TestWallClocks takes every row of a table of wall clocks around changes of offset.
func TestWallClocks(t *testing.T) {
	files := []string{"testdata/tzwall.tsv"}
	if shared := os.Getenv("PATCHFLOW_SHARED"); shared != "" {
		files = append(files, filepath.Join(shared, "vectors", "tzwall.tsv"))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			f, err := os.Open(file)
			require.NoError(t, err)
			defer f.Close()
			kinds := make(map[string]int)
			for lines := bufio.NewScanner(f); lines.Scan(); {
				if strings.HasPrefix(lines.Text(), "#") {
					continue
				}
				row := strings.Split(lines.Text(), "\t")
				loc := zone(t, row[0])
				wall, err := time.Parse("20060102T150405", row[1])
				require.NoError(t, err)
				want, err := time.Parse("20060102T150405Z", row[2])
				require.NoError(t, err)
				kinds[row[3]]++
				for _, hint := range []time.Duration{0, -time.Hour, time.Hour, -100 * time.Hour, 100 * time.Hour, -9000 * time.Hour} {
					got := walltime.At(want.Add(hint).Unix(), loc).Resolve(wall.Unix(), loc)
					require.Equal(t, want.Format(time.RFC3339), time.Unix(got, 0).UTC().Format(time.RFC3339), "%s, from %s away",
						lines.Text(), hint)
				}
			}
			for _, kind := range []string{"ok", "gap", "fold"} {
				require.Greater(t, kinds[kind], 30, kind)
			}
		})
	}
}

func TestNextOpening(t *testing.T) {
	for _, row := range []struct {
		name, days, start, end, zone, at, want string
	}{
		{"before it opens", "sat", "22:00", "23:00", "Europe/Berlin", "2026-05-06T12:00:00Z",
			"Sat 2026-05-09 22:00 +0200 to Sat 2026-05-09 23:00 +0200"},
		{"at the first instant", "sat", "22:00", "23:00", "Europe/Berlin", "2026-05-09T20:00:00Z",
			"Sat 2026-05-09 22:00 +0200 to Sat 2026-05-09 23:00 +0200"},
		{"at the last instant", "sat", "22:00", "23:00", "Europe/Berlin", "2026-05-09T20:59:59.999999999Z",
			"Sat 2026-05-09 22:00 +0200 to Sat 2026-05-09 23:00 +0200"},
		{"when it closes", "sat", "22:00", "23:00", "Europe/Berlin", "2026-05-09T21:00:00Z",
			"Sat 2026-05-16 22:00 +0200 to Sat 2026-05-16 23:00 +0200"},
		{"an overnight window belongs to the day on which it starts", "sat", "22:00", "06:00", "Europe/Berlin", "2026-05-10T03:00:00Z",
			"Sat 2026-05-09 22:00 +0200 to Sun 2026-05-10 06:00 +0200"},
		{"and not to the next", "sun", "22:00", "06:00", "Europe/Berlin", "2026-05-10T03:00:00Z",
			"Sun 2026-05-10 22:00 +0200 to Mon 2026-05-11 06:00 +0200"},
		{"no days are every day", "", "02:00", "04:00", "Europe/Berlin", "2026-05-10T12:00:00Z",
			"Mon 2026-05-11 02:00 +0200 to Mon 2026-05-11 04:00 +0200"},
		{"until midnight, as 24:00", "fri", "20:00", "24:00", "Europe/Berlin", "2026-05-08T21:00:00Z",
			"Fri 2026-05-08 20:00 +0200 to Sat 2026-05-09 00:00 +0200"},
		{"until midnight, as 00:00", "fri", "20:00", "00:00", "Europe/Berlin", "2026-05-08T21:00:00Z",
			"Fri 2026-05-08 20:00 +0200 to Sat 2026-05-09 00:00 +0200"},
		{"a whole day from midnight", "fri", "00:00", "24:00", "Europe/Berlin", "2026-05-08T21:00:00Z",
			"Fri 2026-05-08 00:00 +0200 to Sat 2026-05-09 00:00 +0200"},
		{"start and end that are equal are a whole day", "fri", "20:00", "20:00", "Europe/Berlin", "2026-05-09T12:00:00Z",
			"Fri 2026-05-08 20:00 +0200 to Sat 2026-05-09 20:00 +0200"},
		{"a night that is an hour short", "sat", "22:00", "06:00", "Europe/Berlin", "2026-03-28T22:00:00Z",
			"Sat 2026-03-28 22:00 +0100 to Sun 2026-03-29 06:00 +0200"},
		{"a night that is an hour long", "sat", "22:00", "06:00", "Europe/Berlin", "2026-10-24T22:00:00Z",
			"Sat 2026-10-24 22:00 +0200 to Sun 2026-10-25 06:00 +0100"},
		{"an opening that falls into the gap is left out", "sun", "02:00", "03:00", "America/New_York", "2026-03-07T12:00:00Z",
			"Sun 2026-03-15 02:00 -0400 to Sun 2026-03-15 03:00 -0400"},
		{"a start in the gap is the first instant after it", "sun", "02:30", "05:00", "America/New_York", "2026-03-07T12:00:00Z",
			"Sun 2026-03-08 03:00 -0400 to Sun 2026-03-08 05:00 -0400"},
		{"an end in the gap is the first instant after it", "sun", "01:00", "02:30", "America/New_York", "2026-03-07T12:00:00Z",
			"Sun 2026-03-08 01:00 -0500 to Sun 2026-03-08 03:00 -0400"},
		{"a start that occurs twice is the first", "sun", "01:00", "02:00", "America/New_York", "2026-11-01T00:00:00Z",
			"Sun 2026-11-01 01:00 -0400 to Sun 2026-11-01 02:00 -0500"},
		{"an end that occurs twice is the first", "sun", "00:30", "01:30", "America/New_York", "2026-11-01T00:00:00Z",
			"Sun 2026-11-01 00:30 -0400 to Sun 2026-11-01 01:30 -0400"},
		{"the second occurrence opens nothing", "sun", "00:30", "01:30", "America/New_York", "2026-11-01T06:00:00Z",
			"Sun 2026-11-08 00:30 -0500 to Sun 2026-11-08 01:30 -0500"},
		{"a gap at midnight", "fri", "00:00", "04:00", "Africa/Cairo", "2026-04-23T12:00:00Z",
			"Fri 2026-04-24 01:00 +0300 to Fri 2026-04-24 04:00 +0300"},
		{"a gap of two hours", "sun", "01:30", "04:00", "Antarctica/Troll", "2026-03-28T12:00:00Z",
			"Sun 2026-03-29 03:00 +0200 to Sun 2026-03-29 04:00 +0200"},
		{"a gap of half an hour", "sun", "02:15", "04:00", "Australia/Lord_Howe", "2026-10-03T00:00:00Z",
			"Sun 2026-10-04 02:30 +1100 to Sun 2026-10-04 04:00 +1100"},
		{"a Friday that a whole country left out", "fri", "08:00", "10:00", "Pacific/Apia", "2011-12-29T22:00:00Z",
			"Fri 2012-01-06 08:00 +1400 to Fri 2012-01-06 10:00 +1400"},
		{"31 December of a leap year, beyond the tables", "", "10:00", "14:00", "America/New_York", "2048-12-31T16:00:00Z",
			"Thu 2048-12-31 10:00 -0500 to Thu 2048-12-31 14:00 -0500"},
		{"the same, south of the equator", "", "10:00", "14:00", "Australia/Sydney", "2048-12-31T01:00:00Z",
			"Thu 2048-12-31 10:00 +1100 to Thu 2048-12-31 14:00 +1100"},
		{"long ago", "mon", "10:00", "14:00", "Europe/Berlin", "0001-01-01T00:00:00Z",
			"Mon 0001-01-01 10:00 +0053 to Mon 0001-01-01 14:00 +0053"},
	} {
		t.Run(row.name, func(t *testing.T) {
			loc := zone(t, row.zone)
			open, close := window(t, row.days, row.start, row.end).Next(instant(t, row.at), loc)
			require.Equal(t, row.want, show(open, close, loc))
			require.Equal(t, time.UTC, open.Location())
			require.Equal(t, time.UTC, close.Location())
		})
	}
}

// The zone database is touched in one file, and wall clocks are resolved without the help of time.Date.
func TestOneFileKnowsTheZoneDatabase(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, file == "zone.go", strings.Contains(string(text), "LoadLocation("), file)
		for _, call := range []string{"time.Date(", "time.Now(", "time.Local", "time/tzdata\""} {
			require.NotContains(t, string(text), call, file)
		}
	}
}

func TestAWindowThatCannotOpen(t *testing.T) {
	open, close := Window{Days: 0x80, End: 60}.Next(instant(t, "2026-05-06T12:00:00Z"), time.UTC)
	require.True(t, open.IsZero())
	require.True(t, close.IsZero())
}

func TestNextAllocatesNothing(t *testing.T) {
	loc := zone(t, "America/New_York")
	w := window(t, "sun", "02:00", "03:00")
	at := instant(t, "2026-03-07T12:00:00Z")
	require.Zero(t, testing.AllocsPerRun(100, func() { w.Next(at, loc) }))
	s, err := NewSchedule([]Window{w, window(t, "sun", "03:00", "05:00")}, "America/New_York")
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(100, func() { s.Next(at) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { s.Open(at) }))
}

// zonesOfNote change their offset in ways of their own: by half an hour, by two, at midnight, south of the equator, around
// Ramadan, and never.
func zonesOfNote() []string {
	return []string{"America/New_York", "Europe/Berlin", "Europe/Dublin", "Australia/Lord_Howe", "Antarctica/Troll", "Africa/Cairo",
		"Africa/Casablanca", "America/Santiago", "Asia/Beirut", "Pacific/Chatham", "Pacific/Apia", "America/Nuuk", "Asia/Kolkata", "UTC"}
}

// checkOpening says what is wrong with the answer of w for at.
func checkOpening(w Window, at time.Time, loc *time.Location) error {
	open, close := w.Next(at, loc)
	switch {
	case !open.Before(close):
		return fmt.Errorf("%s closes before it opens", show(open, close, loc))
	case !at.Before(close):
		return fmt.Errorf("%s is over", show(open, close, loc))
	}
	for _, t := range []time.Time{open, close.Add(-1)} {
		if o, c := w.Next(t, loc); o != open || c != close {
			return fmt.Errorf("within %s comes %s", show(open, close, loc), show(o, c, loc))
		}
	}
	if o, _ := w.Next(close, loc); o.Before(close) {
		return fmt.Errorf("%s comes after %s", show(o, o, loc), show(open, close, loc))
	}
	if at.Before(open) {
		if o, _ := w.Next(at.Add(open.Sub(at)/2), loc); o != open {
			return fmt.Errorf("half way to %s comes %s", show(open, close, loc), show(o, o, loc))
		}
	}
	// The clock on the wall must agree at both ends: it shows the start or, after a gap, something later, having shown
	// something earlier the second before.
	y, m, d := open.In(loc).Date()
	shown := time.Date(y, m, d, open.In(loc).Hour(), open.In(loc).Minute(), open.In(loc).Second(), 0, time.UTC)
	before := open.Add(-time.Second).In(loc)
	y, m, d = before.Date()
	showed := time.Date(y, m, d, before.Hour(), before.Minute(), before.Second(), 0, time.UTC)
	for back := range 3 {
		start := shown.Truncate(24 * time.Hour).Add(time.Duration(w.Start)*time.Minute - time.Duration(back)*24*time.Hour)
		if (w.Days == 0 || w.Days.Has(start.Weekday())) && !start.After(shown) && start.After(showed) {
			return nil
		}
	}
	return fmt.Errorf("%s opens when the clock goes from %s to %s", show(open, close, loc), showed, shown)
}

// Around every change of offset from 2020 to 2035, at every quarter of an hour.
func TestOpeningsAroundEveryChangeOfOffset(t *testing.T) {
	windows := []Window{window(t, "", "02:00", "03:00"), window(t, "sun", "02:30", "02:15"), window(t, "sat,sun", "23:30", "00:30"),
		window(t, "mon-fri", "00:00", "24:00"), window(t, "", "00:15", "00:15"), window(t, "", "01:00", "03:30")}
	for _, name := range zonesOfNote() {
		loc := zone(t, name)
		end := instant(t, "2036-01-01T00:00:00Z")
		changes := 0
		for at := instant(t, "2020-01-01T00:00:00Z"); at.Before(end); at = at.Add(24 * time.Hour) {
			_, before := at.In(loc).Zone()
			_, after := at.Add(24 * time.Hour).In(loc).Zone()
			if before == after {
				continue
			}
			changes++
			if testing.Short() && changes%8 != 0 {
				continue
			}
			for _, w := range windows {
				for quarter := -8; quarter < 4*30; quarter++ {
					now := at.Add(time.Duration(quarter) * 15 * time.Minute)
					if err := checkOpening(w, now, loc); err != nil {
						t.Fatalf("%s: %v at %s: %v", name, w, now, err)
					}
				}
			}
		}
		if name != "UTC" && name != "Asia/Kolkata" {
			require.Positive(t, changes, name)
		}
	}
}

func FuzzWindow(f *testing.F) {
	f.Add(uint8(64), uint16(22*60), uint16(6*60), int64(1774742400), uint8(1))
	f.Add(uint8(1), uint16(120), uint16(180), int64(1772928000), uint8(0))
	f.Add(uint8(0), uint16(0), uint16(1440), int64(2493072000), uint8(7))
	f.Add(uint8(2), uint16(30), uint16(30), int64(-1), uint8(10))
	f.Fuzz(func(t *testing.T, days uint8, start, end uint16, at int64, zoneIndex uint8) {
		w := Window{Days: Days(days) & allDays, Start: Clock(start % 1440), End: Clock(end % 1441)}
		names := zonesOfNote()
		// From 1800 to 2300; before and after, offsets of whole minutes and years of four digits are all there is.
		now := time.Unix(-5364662400+walltime.FloorMod(at, 15778476000), 0)
		if err := checkOpening(w, now, zone(t, names[int(zoneIndex)%len(names)])); err != nil {
			t.Fatalf("%v at %s in %s: %v", w, now.UTC(), names[int(zoneIndex)%len(names)], err)
		}
	})
}

func BenchmarkWindowNext(b *testing.B) {
	at := instant(b, "2026-05-06T12:00:00Z")
	for _, name := range []string{"America/New_York", "Asia/Kolkata"} {
		loc := zone(b, name)
		w := window(b, "sat", "22:00", "06:00")
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.Next(at, loc)
			}
		})
	}
}
