package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/walltime"
)

func schedule(t testing.TB, zone string, ws ...Window) Schedule {
	t.Helper()
	s, err := NewSchedule(ws, zone)
	require.NoError(t, err)
	return s
}

func in(w Window, zone string) Window {
	w.Zone = zone
	return w
}

func TestScheduleNext(t *testing.T) {
	for _, row := range []struct {
		name    string
		windows []Window
		at      string
		want    string // as a clock in Berlin shows it
	}{
		{"the earlier of two", []Window{window(t, "sat", "22:00", "23:00"), window(t, "fri", "22:00", "23:00")}, "2026-05-06T12:00:00Z",
			"Fri 2026-05-08 22:00 +0200 to Fri 2026-05-08 23:00 +0200"},
		{"two that overlap are one", []Window{window(t, "fri", "20:00", "22:00"), window(t, "fri", "21:00", "23:00")}, "2026-05-06T12:00:00Z",
			"Fri 2026-05-08 20:00 +0200 to Fri 2026-05-08 23:00 +0200"},
		{"seen from the second", []Window{window(t, "fri", "20:00", "22:00"), window(t, "fri", "21:00", "23:00")}, "2026-05-08T20:30:00Z",
			"Fri 2026-05-08 20:00 +0200 to Fri 2026-05-08 23:00 +0200"},
		{"two that touch are one", []Window{window(t, "sat", "00:00", "06:00"), window(t, "fri", "20:00", "24:00")}, "2026-05-08T23:00:00Z",
			"Fri 2026-05-08 20:00 +0200 to Sat 2026-05-09 06:00 +0200"},
		{"one within another", []Window{window(t, "fri", "21:00", "22:00"), window(t, "fri", "20:00", "23:00")}, "2026-05-06T12:00:00Z",
			"Fri 2026-05-08 20:00 +0200 to Fri 2026-05-08 23:00 +0200"},
		{"days in a row are one", []Window{window(t, "mon-fri", "00:00", "24:00")}, "2026-05-06T12:00:00Z",
			"Mon 2026-05-04 00:00 +0200 to Sat 2026-05-09 00:00 +0200"},
		{"a weekend in one piece", []Window{window(t, "fri", "18:00", "24:00"), window(t, "sat,sun", "00:00", "24:00"),
			window(t, "mon", "00:00", "06:00")}, "2026-05-10T12:00:00Z", "Fri 2026-05-08 18:00 +0200 to Mon 2026-05-11 06:00 +0200"},
		{"a pause that the clock skips", []Window{window(t, "sun", "00:00", "02:00"), window(t, "sun", "03:00", "05:00")}, "2026-03-29T00:30:00Z",
			"Sun 2026-03-29 00:00 +0100 to Sun 2026-03-29 05:00 +0200"},
		{"a window in a zone of its own", []Window{in(window(t, "fri", "20:00", "22:00"), "Asia/Tokyo")}, "2026-05-06T12:00:00Z",
			"Fri 2026-05-08 13:00 +0200 to Fri 2026-05-08 15:00 +0200"},
		{"zones that touch", []Window{in(window(t, "fri", "20:00", "22:00"), "Asia/Tokyo"), window(t, "fri", "15:00", "16:00")}, "2026-05-06T12:00:00Z",
			"Fri 2026-05-08 13:00 +0200 to Fri 2026-05-08 16:00 +0200"},
		{"a clock that goes back over midnight", []Window{in(window(t, "sun", "00:00", "00:01"), "America/St_Johns"),
			in(window(t, "sun", "03:00", "04:00"), "UTC")}, "2010-11-07T03:50:00Z",
			"Sun 2010-11-07 03:30 +0100 to Sun 2010-11-07 05:00 +0100"},
		{"all of the week", []Window{window(t, "", "00:00", "12:00"), window(t, "", "11:00", "00:00")}, "2026-05-06T12:00:00Z",
			"Wed 2026-05-06 14:00 +0200 to for ever"},
		{"all of the week, overnight", []Window{window(t, "", "07:00", "07:00")}, "2026-05-06T12:00:00Z",
			"Wed 2026-05-06 14:00 +0200 to for ever"},
		{"all but a minute of the week", []Window{window(t, "", "00:00", "12:00"), window(t, "mon-sat", "12:00", "24:00"),
			window(t, "sun", "12:01", "24:00")}, "2026-05-06T12:00:00Z", "Sun 2026-05-03 12:01 +0200 to Sun 2026-05-10 12:00 +0200"},
		{"no windows", nil, "2026-05-06T12:00:00Z", "Wed 2026-05-06 14:00 +0200 to for ever"},
	} {
		t.Run(row.name, func(t *testing.T) {
			at := instant(t, row.at)
			s := schedule(t, "Europe/Berlin", row.windows...)
			open, close := s.Next(at)
			require.Equal(t, row.want, show(open, close, zone(t, "Europe/Berlin")))
			require.Equal(t, !at.Before(open), s.Open(at))
			if close.IsZero() {
				return
			}
			require.True(t, s.Open(open))
			require.False(t, s.Open(open.Add(-1)))
			require.True(t, s.Open(close.Add(-1)))
			require.False(t, s.Open(close))
			for _, t2 := range []time.Time{open, close.Add(-1)} {
				o, c := s.Next(t2)
				require.Equal(t, []time.Time{open, close}, []time.Time{o, c})
			}
		})
	}
}

func TestAScheduleNeedsItsZones(t *testing.T) {
	w := window(t, "sat", "22:00", "06:00")
	_, err := NewSchedule([]Window{in(w, "UTC"), w}, "")
	require.ErrorIs(t, err, ErrZone)
	require.EqualError(t, err, "policy: windows[1]: goes by the device's own clock, and the device names no zone: unknown time zone")

	for _, name := range []string{"Mars/Olympus", "Local", "../etc/passwd"} {
		_, err = NewSchedule([]Window{w}, name)
		require.ErrorIs(t, err, ErrZone)
		require.ErrorContains(t, err, name)
	}
	_, err = NewSchedule([]Window{in(w, "Mars/Olympus")}, "Europe/Berlin")
	require.EqualError(t, err, `policy: windows[0]: "Mars/Olympus": unknown time zone`)

	_, err = NewSchedule([]Window{in(w, "Europe/Berlin")}, "")
	require.NoError(t, err, "a window with a zone does not need the device's")
	s, err := NewSchedule(nil, "Mars/Olympus")
	require.NoError(t, err, "without windows nobody asks")
	require.True(t, s.Open(time.Time{}))
}

func TestAScheduleThatNeverOpens(t *testing.T) {
	s := schedule(t, "UTC", Window{Days: 0x80, End: 60})
	open, close := s.Next(time.Now())
	require.True(t, open.IsZero())
	require.True(t, close.IsZero())
	require.False(t, s.Open(time.Now()))
}

// Two zones that change their clocks on different days cover the day together for months, then do not.
func TestALongOpeningIsCut(t *testing.T) {
	s := schedule(t, "", in(window(t, "", "00:00", "12:00"), "Europe/Berlin"), in(window(t, "", "06:00", "18:00"), "America/New_York"))
	at := instant(t, "2026-07-01T00:00:00Z")
	open, close := s.Next(at)
	require.True(t, s.Open(at))
	require.InDelta(t, 35, at.Sub(open).Hours()/24, 1)
	require.InDelta(t, 35, close.Sub(at).Hours()/24, 1)
	at = instant(t, "2026-03-20T10:30:00Z") // New York is an hour early
	open, close = s.Next(at)
	require.Equal(t, "Fri 2026-03-20 00:00 +0100 to Fri 2026-03-20 23:00 +0100", show(open, close, zone(t, "Europe/Berlin")))
}

func opens(w Window, local time.Time) bool { return w.Days == 0 || w.Days.Has(local.Weekday()) }

// A schedule is open when the clock of one of its windows says so. Far from changes of offset that can be told from the
// clock alone.
func FuzzSchedule(f *testing.F) {
	f.Add([]byte{64, 88, 24, 1, 2, 88, 24, 2}, int64(1778068800))
	f.Add([]byte{0, 0, 48, 0, 0, 48, 96, 1}, int64(1764506096))
	f.Add([]byte{127, 0, 96, 3}, int64(1778068800))
	f.Fuzz(func(t *testing.T, data []byte, at int64) {
		names := zonesOfNote()
		var ws []Window
		for ; len(data) >= 4 && len(ws) < 6; data = data[4:] {
			ws = append(ws, Window{Days: Days(data[0]) & allDays, Start: Clock(data[1]%96) * 15, End: Clock(data[2]%97) * 15,
				Zone: names[int(data[3])%len(names)]})
		}
		s := schedule(t, "", ws...)
		now := time.Unix(1577836800+walltime.FloorMod(at, 16*365*secondsPerDay), 0).UTC()
		open, close := s.Next(now)
		if len(s.windows) == 0 {
			require.Equal(t, now, open)
			require.Zero(t, close)
		} else {
			require.True(t, open.Before(close) && now.Before(close))
			require.Equal(t, s.Open(now), !now.Before(open))
			require.True(t, s.Open(open))
			require.True(t, s.Open(close.Add(-1)))
			if close.Sub(now) < 30*24*time.Hour && now.Sub(open) < 30*24*time.Hour {
				require.False(t, s.Open(open.Add(-1)))
				require.False(t, s.Open(close))
				o, c := s.Next(open)
				require.Equal(t, []time.Time{open, close}, []time.Time{o, c})
			}
		}
		says := len(ws) == 0
		for _, w := range ws {
			local := now.In(zone(t, w.Zone))
			_, before := local.Add(-50 * time.Hour).Zone()
			_, offset := local.Zone()
			_, after := local.Add(50 * time.Hour).Zone()
			if before != offset || offset != after {
				return
			}
			clock := Clock(local.Hour()*60 + local.Minute())
			if w.End > w.Start {
				says = says || opens(w, local) && w.Start <= clock && clock < w.End
			} else {
				says = says || opens(w, local) && w.Start <= clock || opens(w, local.AddDate(0, 0, -1)) && clock < w.End
			}
		}
		require.Equal(t, says, s.Open(now), "%v at %s", ws, now)
	})
}

func BenchmarkSchedule(b *testing.B) {
	at := instant(b, "2026-05-06T12:00:00Z")
	s := schedule(b, "America/New_York", window(b, "sat,sun", "22:00", "06:00"), window(b, "", "02:00", "04:00"))
	b.Run("Next", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Next(at)
		}
	})
	b.Run("Open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Open(at)
		}
	})
}

func TestTheClockOnTheWall(t *testing.T) {
	at := time.Date(2026, 7, 4, 20, 0, 0, 0, time.UTC)
	night := Window{Start: 22 * 60, End: 23 * 60}
	for name, c := range map[string]struct {
		p    Policy
		zone string
		want string
	}{
		"of the device":   {Policy{Windows: []Window{night}}, "Europe/Berlin", "Sat 22:00 Europe/Berlin"},
		"of the window":   {Policy{Windows: []Window{{Start: 22 * 60, End: 23 * 60, Zone: "Asia/Tokyo"}}}, "Europe/Berlin", "Sun 05:00 Asia/Tokyo"},
		"always open":     {Policy{}, "Europe/Berlin", "Sat 20:00 UTC"},
		"without windows": {Policy{Freezes: []Freeze{{Name: "summer", From: wall(t, "2026-07-01"), Until: wall(t, "2026-07-09")}}}, "Europe/Berlin", "Sat 22:00 Europe/Berlin"},
	} {
		s, err := c.p.Schedule(nil, c.zone)
		if len(c.p.Windows) > 0 {
			s, err = c.p.Schedule(c.p.Windows, c.zone)
		}
		require.NoError(t, err, name)
		require.Equal(t, c.want, s.Local(at).Format("Mon 15:04 ")+s.Local(at).Location().String(), name)
	}
}
