package policy

import (
	"fmt"
	"math/bits"
	"time"

	"github.com/patchflow/patchflow/internal/walltime"
	"github.com/patchflow/patchflow/policy/calendar"
)

const (
	secondsPerDay    = walltime.SecondsPerDay
	secondsPerMinute = 60

	// tries is on how many days in a row an opening is looked for that the clock may skip. A second gap just then is not
	// to be had.
	tries = 8
)

// Next returns the opening of w that contains t, or else the first one after t, with w's clock read in loc; w.Zone is
// not consulted (see [NewSchedule]). The opening is half-open: work may begin at open, not at close. Both instants are
// in UTC and whole seconds.
//
// An opening that vanishes because the clock skips it ("02:00" to "03:00" on the night when clocks go forward) is left
// out. Both results are zero if w does not open any more: its On has ended, or it is a window that [Policy.Validate]
// refuses. Next allocates nothing and looks at no more than the days it needs, however far away t is.
func (w Window) Next(t time.Time, loc *time.Location) (open, close time.Time) {
	s := w.spell(loc)
	o, ok := s.next(t.Unix())
	if !ok {
		return time.Time{}, time.Time{}
	}
	return o.times()
}

// length returns how long w is by the clock on the wall, in seconds.
func (w *Window) length() int64 {
	minutes := w.End - w.Start
	if minutes <= 0 {
		minutes += minutesPerDay
	}
	return int64(minutes) * secondsPerMinute
}

// String returns w on one line: "2nd tue +3d 22:00-06:00 Europe/Berlin".
func (w Window) String() string {
	days, zone := "daily", "by their own clocks"
	switch {
	case !w.On.IsZero():
		days = w.On.String()
	case w.Days != 0:
		days = w.Days.String()
	}
	if w.Zone != "" {
		zone = w.Zone
	}
	text := fmt.Sprintf("%s %s-%s %s", days, w.Start, w.End, zone)
	if w.Gap == calendar.GapSkip {
		text += ", not where the clock skips the start"
	}
	return text
}

func (w *Window) spell(loc *time.Location) spell {
	days := uint8(w.Days)
	if days == 0 {
		days = uint8(allDays)
	}
	return spell{days: days & uint8(allDays), on: w.On, start: int64(w.Start) * secondsPerMinute, length: w.length(),
		skip: w.Gap == calendar.GapSkip, zone: loc}
}

// An opening is a span of Unix seconds, half-open.
type opening struct{ open, close int64 }

func (o opening) times() (open, close time.Time) {
	return time.Unix(o.open, 0).UTC(), time.Unix(o.close, 0).UTC()
}

// A spell is what windows and freezes have in common: a time by the clock of a zone that begins on some days.
type spell struct {
	days   uint8 // of the week, if on is zero
	on     calendar.Recurrence
	start  int64 // in seconds since midnight
	length int64 // by the clock on the wall, in seconds
	skip   bool  // there is none on a day whose clock does not show the start
	zone   *time.Location
}

// next returns the first opening that closes after the second t.
func (s *spell) next(t int64) (opening, bool) {
	_, o, ok := s.find(t)
	return o, ok
}

// find is next, with the day on which the opening begins.
//
// A wall clock that has been reached at t was reached for the first time at t or before, so that an opening whose end t's
// clock has reached is over.
func (s *spell) find(t int64) (day int64, o opening, ok bool) {
	period := walltime.At(t, s.zone)
	day = walltime.FloorDiv(t+period.Offset-s.start-s.length, secondsPerDay) + 1
	for range tries {
		if day, ok = s.day(day); !ok {
			break
		}
		if o, ok := s.opening(day, period); ok && o.close > t {
			return day, o, true
		}
		day++
	}
	return 0, opening{}, false
}

// before returns the last opening that begins before the second t.
func (s *spell) before(t int64) (opening, bool) {
	period := walltime.At(t, s.zone)
	// A fold around midnight may show a local day that has been left once already.
	day := walltime.FloorDiv(t+period.Offset, secondsPerDay) + 1
	for range tries {
		var ok bool
		if day, ok = s.dayBefore(day); !ok {
			break
		}
		if o, ok := s.opening(day, period); ok && o.open < t {
			return o, true
		}
		day--
	}
	return opening{}, false
}

// opening returns the opening that begins on day. The period is any of the zone: it makes the answer cheap.
func (s *spell) opening(day int64, period walltime.Period) (opening, bool) {
	from := day*secondsPerDay + s.start
	o := opening{period.Resolve(from, s.zone), period.Resolve(from+s.length, s.zone)}
	if s.skip && walltime.Find(from, s.zone).Gap {
		return opening{}, false
	}
	return o, o.open < o.close
}

// day returns the first day from the given one on that s begins on. Days are counted from 1 January 1970, a Thursday.
func (s *spell) day(day int64) (int64, bool) {
	if !s.on.IsZero() {
		d, ok := s.on.Next(calendar.Date(day))
		return int64(d), ok
	}
	weekday := int(walltime.FloorMod(day+int64(time.Thursday), 7))
	week := s.days>>weekday | s.days<<(7-weekday)
	if week == 0 {
		return 0, false
	}
	return day + int64(bits.TrailingZeros8(week)), true
}

// dayBefore returns the last day up to the given one that s begins on.
func (s *spell) dayBefore(day int64) (int64, bool) {
	if !s.on.IsZero() {
		d, ok := s.on.Prev(calendar.Date(day))
		return int64(d), ok
	}
	weekday := int(walltime.FloorMod(day+int64(time.Thursday), 7))
	week := (s.days<<(6-weekday) | s.days>>(weekday+1)) & uint8(allDays) // bit 6 is the day itself
	if week == 0 {
		return 0, false
	}
	return day - 6 + int64(bits.Len8(week)) - 1, true
}
