package policy

import (
	"archive/zip"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A zoneOfAll is one zone of those that change their offset at the same instants in the same way.
type zoneOfAll struct {
	loc     *time.Location
	changes []time.Time // from 2020 to 2035
}

// allZones returns the zones of the database that comes with Go, each kind once, and how many names there are. What is read of
// a zone is what the host has, if it has a database of its own.
func allZones(t testing.TB) ([]zoneOfAll, int) {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	require.NoError(t, err)
	archive, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	require.NoError(t, err)
	defer archive.Close()
	var all []zoneOfAll
	known := make(map[string]bool)
	names := 0
	for _, f := range archive.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		names++
		z := zoneOfAll{loc: zone(t, f.Name)}
		at := instant(t, "2020-01-01T00:00:00Z")
		kind := fmt.Sprint(offset(at, z.loc))
		for {
			_, end := at.In(z.loc).ZoneBounds()
			if end.IsZero() || end.Year() > 2035 {
				break
			}
			if offset(end, z.loc) != offset(end.Add(-1), z.loc) { // not only another name or flag
				z.changes = append(z.changes, end.UTC())
				kind += fmt.Sprint(end.Unix(), offset(end, z.loc))
			}
			at = end
		}
		if !known[kind] {
			known[kind] = true
			all = append(all, z)
		}
	}
	return all, names
}

func offset(t time.Time, loc *time.Location) int {
	_, seconds := t.In(loc).Zone()
	return seconds
}

// A wallLog is what the clocks on the wall show from an instant on, step by step: the slow way to know when they show
// something.
type wallLog struct {
	from  time.Time
	step  time.Duration
	shown []int64 // seconds since 1970 as the clock shows them
}

func readClocks(loc *time.Location, from, to time.Time, step time.Duration) wallLog {
	l := wallLog{from: from, step: step}
	for t := from; t.Before(to); t = t.Add(step) {
		y, m, d := t.In(loc).Date()
		h, min, s := t.In(loc).Clock()
		l.shown = append(l.shown, time.Date(y, m, d, h, min, s, 0, time.UTC).Unix())
	}
	return l
}

// reaches returns the first instant at which the clock shows w or, because it was put forward, something later. That is rule 5
// of the design: what falls into a gap is shifted to the first instant after it, what happens twice counts the first time.
func (l *wallLog) reaches(w int64) (time.Time, bool) {
	for i, s := range l.shown {
		if s >= w {
			return l.from.Add(time.Duration(i) * l.step), i > 0
		}
	}
	return time.Time{}, false
}

// openings returns every time that w opens for within what was read, with the days on which it began before.
func (l *wallLog) openings(w Window) (all []Opening) {
	const day = 24 * 60 * 60
	for d := l.shown[0]/day + 1; d < l.shown[len(l.shown)-1]/day; d++ {
		if w.Days != 0 && !w.Days.Has(time.Unix(d*day, 0).UTC().Weekday()) {
			continue
		}
		length := (int64(w.End) - int64(w.Start)) * 60
		if length <= 0 {
			length += day // over midnight, and belongs to the day it starts
		}
		open, opens := l.reaches(d*day + int64(w.Start)*60)
		end, ends := l.reaches(d*day + int64(w.Start)*60 + length)
		if opens && ends && open.Before(end) {
			all = append(all, Opening{Open: open, Close: end})
		}
	}
	return all
}

// check compares w with the log at every step from from to to.
func (l *wallLog) check(w Window, loc *time.Location, from, to time.Time) error {
	all := l.openings(w)
	for now := from; now.Before(to); now = now.Add(l.step) {
		i := slices.IndexFunc(all, func(o Opening) bool { return now.Before(o.Close) })
		if i < 0 {
			return nil // what comes next was not read
		}
		open, end := w.Next(now, loc)
		if !open.Equal(all[i].Open) || !end.Equal(all[i].Close) {
			return fmt.Errorf("%s: %s at %s opens %s, want %s", loc, w, now.In(loc), show(open, end, loc), show(all[i].Open, all[i].Close, loc))
		}
	}
	return nil
}

// Every change of offset from 2020 to 2035 in every zone there is.
func TestWindowsAroundEveryChangeInEveryZone(t *testing.T) {
	windows := []Window{window(t, "", "02:00", "03:00"), window(t, "sun", "02:30", "02:15"), window(t, "sat,sun", "23:30", "00:30"),
		window(t, "mon-fri", "00:00", "24:00"), window(t, "", "01:00", "03:30"), window(t, "", "22:00", "06:00")}
	const quarter = 15 * time.Minute
	zones, names := allZones(t)
	changes := 0
	for _, z := range zones {
		for _, change := range z.changes {
			changes++
			step := quarter
			if change.Unix()%900 != 0 { // Casey put its clocks forward at one minute past midnight
				step = time.Minute
			}
			require.Zero(t, change.Unix()%60, "%s at %s: the log has to be read in smaller steps", z.loc, change)
			l := readClocks(z.loc, change.Add(-72*time.Hour), change.Add(84*time.Hour), step)
			for _, w := range windows {
				if err := l.check(w, z.loc, change.Add(-14*time.Hour), change.Add(14*time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	t.Logf("%d names, %d kinds of zones, %d changes", names, len(zones), changes)
	require.Greater(t, names, 500)
	require.Greater(t, changes, 1000)
}

// Any window around any change of any zone, to the minute.
func FuzzWindowAroundAnyChange(f *testing.F) {
	zones, _ := allZones(f)
	zones = slices.DeleteFunc(zones, func(z zoneOfAll) bool { return len(z.changes) == 0 })
	f.Add(uint16(0), uint16(0), uint8(0), uint16(150), uint16(180))
	f.Add(uint16(7), uint16(3), uint8(1), uint16(23*60+59), uint16(1))
	f.Add(uint16(31), uint16(9), uint8(127), uint16(1), uint16(1))
	f.Add(uint16(50), uint16(30), uint8(64), uint16(0), uint16(1440))
	f.Fuzz(func(t *testing.T, zoneIndex, changeIndex uint16, days uint8, start, end uint16) {
		z := zones[int(zoneIndex)%len(zones)]
		change := z.changes[int(changeIndex)%len(z.changes)]
		w := Window{Days: Days(days) & allDays, Start: Clock(start % 1440), End: Clock(end % 1441)}
		l := readClocks(z.loc, change.Add(-72*time.Hour), change.Add(84*time.Hour), time.Minute)
		if err := l.check(w, z.loc, change.Add(-3*time.Hour), change.Add(3*time.Hour)); err != nil {
			t.Fatal(err)
		}
	})
}
