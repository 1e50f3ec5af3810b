package policy

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/calendar"
)

func wallAt(t testing.TB, s string) calendar.Wall {
	t.Helper()
	w, err := calendar.ParseWall(s)
	require.NoError(t, err)
	return w
}

// listOpenings writes what a schedule opens for between two instants, in UTC.
func listOpenings(s Schedule, from, to time.Time) (all []string) {
	for o := range s.Openings(from, to) {
		all = append(all, o.Open.Format("20060102T150405Z")+"/"+o.Close.Format("20060102T150405Z"))
	}
	return all
}

// TestWindowsLessFreezes takes every row of a table of windows and freezes.
func TestWindowsLessFreezes(t *testing.T) {
	files := []string{"testdata/windows.tsv"}
	if shared := os.Getenv("PATCHFLOW_SHARED"); shared != "" {
		files = append(files, filepath.Join(shared, "vectors", "rrule.tsv"))
	}
	for _, file := range files {
		taken := 0
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.SplitSeq(string(text), "\n") {
			row := strings.Split(line, "\t")
			if len(row) < 9 || !strings.HasPrefix(row[5], "WINDOW ") {
				continue
			}
			taken++
			span := func(text string) (from, until calendar.Wall) {
				a, b, ok := strings.Cut(text, "..")
				require.True(t, ok, text)
				at := func(s string) calendar.Wall {
					v, err := time.Parse("20060102T150405", s)
					require.NoError(t, err)
					return calendar.WallOf(v, time.UTC)
				}
				return at(a), at(b)
			}
			window, frozen, ok := strings.Cut(strings.TrimPrefix(row[5], "WINDOW "), " local half-open; BLACKOUT ")
			require.True(t, ok, row[5])
			from, until := span(window)
			var p Policy
			if frozen != "none" {
				for i, text := range strings.Split(frozen, ";") {
					f := Freeze{Name: fmt.Sprint("freeze ", i)}
					f.From, f.Until = span(text)
					p.Freezes = append(p.Freezes, f)
				}
			}
			s, err := p.Schedule([]Window{{On: recurrence(from.Date().String()), Start: Clock(from.Seconds() / 60), End: Clock(until.Seconds() / 60)}}, row[3])
			require.NoError(t, err)
			got := listOpenings(s, time.Unix(int64(from)-2*secondsPerDay, 0), time.Unix(int64(until)+2*secondsPerDay, 0))
			want := strings.Split(row[8], ",")
			if row[8] == "(empty)" {
				want = nil
			}
			require.Equal(t, want, got, "%s %s", row[0], row[2])
		}
		require.Equal(t, 8, taken, file)
	}
}

func TestFreezes(t *testing.T) {
	night := window(t, "", "22:00", "06:00")
	yearEnd := Freeze{Name: "year end", From: wallAt(t, "2026-12-20"), Until: wallAt(t, "2027-01-04")}
	for _, row := range []struct {
		name    string
		windows []Window
		freezes []Freeze
		at      string
		want    string // as a clock in Berlin shows it
	}{
		{"a window that is cut by the beginning", []Window{night}, []Freeze{yearEnd}, "2026-12-19T20:00:00Z",
			"Sat 2026-12-19 22:00 +0100 to Sun 2026-12-20 00:00 +0100"},
		{"the first window after it", []Window{night}, []Freeze{yearEnd}, "2026-12-20T12:00:00Z",
			"Mon 2027-01-04 00:00 +0100 to Mon 2027-01-04 06:00 +0100"},
		{"without windows, before it", nil, []Freeze{yearEnd}, "2026-12-01T12:00:00Z",
			"Tue 2026-12-01 13:00 +0100 to Sun 2026-12-20 00:00 +0100"},
		{"without windows, in it", nil, []Freeze{yearEnd}, "2026-12-24T12:00:00Z", "Mon 2027-01-04 00:00 +0100 to for ever"},
		{"without windows, after it", nil, []Freeze{yearEnd}, "2027-03-01T12:00:00Z", "Mon 2027-01-04 00:00 +0100 to for ever"},
		{"one that recurs, for a day", []Window{night}, []Freeze{{Name: "pay day", On: recurrence("last fri")}}, "2026-06-25T23:30:00Z",
			"Sat 2026-06-27 00:00 +0200 to Sat 2026-06-27 06:00 +0200"},
		{"and for longer, from noon on", nil, []Freeze{{Name: "quarter", On: recurrence("FREQ=MONTHLY;BYMONTH=3,6,9,12;BYMONTHDAY=-1"),
			Start: 12 * 60, For: Duration(60 * time.Hour)}}, "2026-07-01T12:00:00Z", "Fri 2026-07-03 00:00 +0200 to Wed 2026-09-30 12:00 +0200"},
		{"one over another", []Window{night}, []Freeze{yearEnd, {Name: "stock", From: wallAt(t, "2027-01-03"), Until: wallAt(t, "2027-01-05 02:30")}},
			"2026-12-21T12:00:00Z", "Tue 2027-01-05 02:30 +0100 to Tue 2027-01-05 06:00 +0100"},
		{"in a zone of its own", []Window{night}, []Freeze{{Name: "x", From: wallAt(t, "2026-06-10"), Until: wallAt(t, "2026-06-10 17:00"), Zone: "America/New_York"}},
			"2026-06-10T12:00:00Z", "Wed 2026-06-10 23:00 +0200 to Thu 2026-06-11 06:00 +0200"},
		{"one that begins in a gap", nil, []Freeze{{Name: "x", From: wallAt(t, "2026-03-29 02:30"), Until: wallAt(t, "2026-03-29 06:00")}},
			"2026-03-29T00:30:00Z", "Sun 2026-03-29 01:30 +0100 to Sun 2026-03-29 03:00 +0200"},
		{"for good", []Window{night}, []Freeze{{Name: "x", On: recurrence("FREQ=DAILY")}}, "2026-06-10T12:00:00Z", "never"},
		{"for good, without windows", nil, []Freeze{{Name: "x", On: recurrence("FREQ=DAILY")}}, "2026-06-10T12:00:00Z", "never"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, err := (&Policy{Freezes: row.freezes}).Schedule(row.windows, "Europe/Berlin")
			require.NoError(t, err)
			open, close := s.Next(instant(t, row.at))
			require.Equal(t, row.want, show(open, close, zone(t, "Europe/Berlin")))
			require.Equal(t, !open.IsZero() && !open.After(instant(t, row.at)), s.Open(instant(t, row.at)))
		})
	}
}

func TestAFreezeThatIsPassed(t *testing.T) {
	p := &Policy{Freezes: []Freeze{{Name: "a", On: recurrence("FREQ=DAILY")}, {Name: "b", On: recurrence("mon")}}}
	now := instant(t, "2026-06-09T12:00:00Z") // a Tuesday
	for passed, want := range map[string]bool{"": false, "a": true, "b": false} {
		s, err := p.Schedule(nil, "UTC", strings.Fields(passed)...)
		require.NoError(t, err)
		require.Equal(t, want, s.Open(now), passed)
	}
	s, err := p.Schedule(nil, "UTC", "a", "b")
	require.NoError(t, err)
	require.Equal(t, Schedule{}, s)
}

func TestWhatAFreezeExcepts(t *testing.T) {
	f := Freeze{Except: []Match{{MinSeverity: patch.SeverityCritical}, {IDs: []patch.ID{"wua:KB1"}, Devices: inventory.MustSelector("role=test")}}}
	now := instant(t, "2026-06-09T12:00:00Z")
	d := &inventory.Device{Labels: map[string]string{"role": "test"}}
	require.True(t, f.Excepts(&patch.Patch{Severity: patch.SeverityCritical}, &inventory.Device{}, now))
	require.True(t, f.Excepts(&patch.Patch{ID: "wua:KB1"}, d, now))
	require.False(t, f.Excepts(&patch.Patch{ID: "wua:KB1"}, &inventory.Device{}, now))
	require.False(t, f.Excepts(&patch.Patch{ID: "wua:KB2"}, d, now))
	require.False(t, (&Freeze{}).Excepts(&patch.Patch{}, d, now))
}

func TestAFreezeOnTheDevicesOwnClockNeedsAZone(t *testing.T) {
	p := &Policy{Freezes: []Freeze{{Name: "x", On: recurrence("mon")}}}
	_, err := p.Schedule(nil, "")
	require.ErrorIs(t, err, ErrZone)
	require.ErrorContains(t, err, "freezes[0]: goes by the device's own clock")
	p.Freezes[0].Zone = "Europe/Atlantis"
	_, err = p.Schedule(nil, "UTC")
	require.ErrorContains(t, err, `freezes[0]: "Europe/Atlantis": unknown time zone`)
}

func TestWorkMustFit(t *testing.T) {
	const minute, hour = Duration(time.Minute), Duration(time.Hour)
	night := window(t, "", "22:00", "06:00")
	for _, row := range []struct {
		name   string
		fit    Fit
		reboot RebootMode
		at     string
		want   string
	}{
		{"enough is left", Fit{Work: 2 * hour}, RebootNever, "2026-06-10T01:59:59Z", "Tue 2026-06-09 22:00 +0200 to Wed 2026-06-10 04:00 +0200"},
		{"too little is left", Fit{Work: 2 * hour}, RebootNever, "2026-06-10T02:00:00Z", "Wed 2026-06-10 22:00 +0200 to Thu 2026-06-11 04:00 +0200"},
		{"with a restart", Fit{Work: 2 * hour, Reboot: 30 * minute}, RebootIfRequired, "2026-06-09T12:00:00Z", "Tue 2026-06-09 22:00 +0200 to Wed 2026-06-10 03:30 +0200"},
		{"with no restart", Fit{Work: 2 * hour, Reboot: 30 * minute}, RebootNever, "2026-06-09T12:00:00Z", "Tue 2026-06-09 22:00 +0200 to Wed 2026-06-10 04:00 +0200"},
		{"parts of a second count whole", Fit{Work: 1}, RebootNever, "2026-06-09T12:00:00Z", "Tue 2026-06-09 22:00 +0200 to Wed 2026-06-10 05:59 +0200"},
		{"a piece that a freeze leaves is too short", Fit{Work: 3 * hour}, RebootNever, "2026-06-12T12:00:00Z", "Sat 2026-06-13 00:30 +0200 to Sat 2026-06-13 03:00 +0200"},
		{"only in the long night of autumn", Fit{Work: 8 * hour}, RebootNever, "2026-06-12T12:00:00Z", "Sat 2026-10-24 22:00 +0200 to Sat 2026-10-24 23:00 +0200"},
		{"never", Fit{Work: 9 * hour}, RebootNever, "2026-06-12T12:00:00Z", "never"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := &Policy{Fit: row.fit, Reboot: Reboot{Mode: row.reboot},
				Freezes: []Freeze{{Name: "x", From: wallAt(t, "2026-06-13"), Until: wallAt(t, "2026-06-13 00:30")}}}
			s, err := p.Schedule([]Window{night}, "Europe/Berlin")
			require.NoError(t, err)
			open, close := s.Next(instant(t, row.at))
			require.Equal(t, row.want, show(open, close, zone(t, "Europe/Berlin")))
			require.Equal(t, !open.IsZero() && !open.After(instant(t, row.at)), s.Open(instant(t, row.at)))
		})
	}
}

// A bookedPart is a stretch of time, for the books that tests keep of their own.
type bookedPart struct{ from, to int64 }

// bookedTimes lists the times of a window or a freeze around the days given, each looked at by itself.
func bookedTimes(on calendar.Recurrence, days Days, start, length int64, gap calendar.Gap, loc *time.Location, from, to int64) (all []bookedPart) {
	for d := calendar.Date(from/secondsPerDay) - 4; d <= calendar.Date(to/secondsPerDay)+2; d++ {
		if on.IsZero() && days != 0 && !days.Has(d.Weekday()) || !on.IsZero() && !on.Has(d) {
			continue
		}
		begin, _ := (d.At(0) + calendar.Wall(start)).In(loc, gap)
		end, _ := (d.At(0) + calendar.Wall(start+length)).In(loc, calendar.GapShift)
		if !begin.IsZero() && begin.Before(end) {
			all = append(all, bookedPart{begin.Unix(), end.Unix()})
		}
	}
	return all
}

// bookedOpenings goes through all changes between from and to, as [Schedule.Openings] does not.
func bookedOpenings(p *Policy, ws []Window, loc *time.Location, from, to int64) (all []bookedPart) {
	var windows, freezes []bookedPart
	for _, w := range ws {
		windows = append(windows, bookedTimes(w.On, w.Days, int64(w.Start)*60, w.length(), w.Gap, loc, from, to)...)
	}
	for _, f := range p.Freezes {
		length := int64(f.For.Std() / time.Second)
		if length == 0 {
			length = secondsPerDay
		}
		if f.On.IsZero() {
			a, _ := f.From.In(loc, calendar.GapShift)
			b, _ := f.Until.In(loc, calendar.GapShift)
			freezes = append(freezes, bookedPart{a.Unix(), b.Unix()})
			continue
		}
		freezes = append(freezes, bookedTimes(f.On, 0, int64(f.Start)*60, length, calendar.GapShift, loc, from, to)...)
	}
	within := func(parts []bookedPart, t int64) bool {
		return slices.ContainsFunc(parts, func(p bookedPart) bool { return p.from <= t && t < p.to })
	}
	changes := []int64{from, to}
	for _, p := range slices.Concat(windows, freezes) {
		changes = append(changes, p.from, p.to)
	}
	slices.Sort(changes)
	need := p.Fit.seconds(&p.Reboot)
	for i, t := range changes[:len(changes)-1] {
		next := changes[i+1]
		if next <= from || t >= to || t == next || len(ws) > 0 && !within(windows, t) || within(freezes, t) {
			continue
		}
		if n := len(all); n > 0 && all[n-1].to == t {
			all[n-1].to = next
		} else {
			all = append(all, bookedPart{t, next})
		}
	}
	for i := range all {
		all[i].to -= need
	}
	return slices.DeleteFunc(all, func(p bookedPart) bool { return p.from >= p.to })
}

// checkSchedule makes up windows and freezes and compares what they open for around an instant with the books of the test.
func checkSchedule(t *testing.T, r *rand.Rand, loc *time.Location, at time.Time) {
	t.Helper()
	texts := []string{"sat,sun", "2nd tue +3d", "last fri", "FREQ=MONTHLY;BYMONTHDAY=-1", "1st,3rd mon", "FREQ=DAILY",
		"DTSTART=20200101;FREQ=DAILY;INTERVAL=3", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "FREQ=YEARLY;BYMONTH=3,11;BYDAY=SU"}
	quarter := func() Clock { return Clock(r.IntN(96)) * 15 }
	var ws []Window
	for range r.IntN(4) {
		w := Window{Days: Days(r.IntN(128)), Start: quarter(), End: quarter() + 15, Gap: calendar.Gap(r.IntN(2))}
		if r.IntN(2) == 0 {
			w.Days, w.On = 0, recurrence(texts[r.IntN(len(texts))])
		}
		ws = append(ws, w)
	}
	p := &Policy{}
	for i := range r.IntN(4) {
		f := Freeze{Name: fmt.Sprint(i), On: recurrence(texts[r.IntN(len(texts))]), Start: quarter(), For: Duration(1+r.IntN(200)) * Duration(15*time.Minute)}
		if r.IntN(2) == 0 {
			from := calendar.WallOf(at, loc) + calendar.Wall(r.IntN(400)-200)*900
			from -= from % 900
			f = Freeze{Name: f.Name, From: from, Until: from + calendar.Wall(1+r.IntN(400))*900}
		}
		p.Freezes = append(p.Freezes, f)
	}
	if r.IntN(2) == 0 {
		p.Fit.Work = Duration(r.IntN(12)) * Duration(15*time.Minute)
	}
	s, err := p.Schedule(ws, loc.String())
	require.NoError(t, err)
	from, to := at.Unix()-4*secondsPerDay, at.Unix()+4*secondsPerDay
	// Openings are told from their beginning on and to their end, so that the books are clipped to what both know.
	var got []bookedPart
	for o := range s.Openings(time.Unix(from, 0), time.Unix(to, 0)) {
		end := to + secondsPerDay
		if !o.Close.IsZero() {
			end = o.Close.Unix()
		}
		got = append(got, bookedPart{max(o.Open.Unix(), from), min(end, to)})
	}
	var want []bookedPart
	for _, p := range bookedOpenings(p, ws, loc, from-secondsPerDay, to+secondsPerDay) {
		if p.to > from && p.from < to {
			want = append(want, bookedPart{max(p.from, from), min(p.to, to)})
		}
	}
	describe := func() string {
		return fmt.Sprintf("%s at %s: %v, %+v, fit %s", loc, at.UTC(), ws, p.Freezes, p.Fit.Work)
	}
	require.Equal(t, want, got, "%s", describe())
	for range 6 {
		now := time.Unix(from+int64(r.IntN(int(to-from))), 0)
		open := slices.ContainsFunc(want, func(p bookedPart) bool { return p.from <= now.Unix() && now.Unix() < p.to })
		require.Equal(t, open, s.Open(now), "%s: open at %s", describe(), now.UTC())
		require.Equal(t, open, s.Explain(now).State == TimingOpen, "%s", describe())
	}
}

// Around every change of offset from 2020 to 2035 in zones that change it in ways of their own.
func TestSchedulesAroundEveryChangeOfOffset(t *testing.T) {
	r := rand.New(rand.NewPCG(20, 35))
	for _, name := range zonesOfNote() {
		loc := zone(t, name)
		for at := instant(t, "2020-01-01T00:00:00Z"); at.Year() < 2036; {
			_, end := at.In(loc).ZoneBounds()
			if end.IsZero() {
				break
			}
			for range 2 {
				checkSchedule(t, r, loc, end)
			}
			at = end.Add(time.Hour)
		}
		checkSchedule(t, r, loc, instant(t, "2026-06-01T12:00:00Z"))
	}
}

func FuzzFreezes(f *testing.F) {
	f.Add(uint64(1), uint64(2), int64(1774742400), uint8(1))
	f.Fuzz(func(t *testing.T, a, b uint64, at int64, zoneIndex uint8) {
		names := zonesOfNote()
		begin := int64(1577836800)
		now := begin + (at%(16*365*secondsPerDay)+16*365*secondsPerDay)%(16*365*secondsPerDay)
		checkSchedule(t, rand.New(rand.NewPCG(a, b)), zone(t, names[int(zoneIndex)%len(names)]), time.Unix(now, 0))
	})
}
