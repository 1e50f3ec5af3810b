package calendar

import (
	"fmt"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/walltime"
)

// A Date is a day of the Gregorian calendar, counted from 1 January 1970. Its text form is "2026-12-24". Text forms know
// the years 1 to 9999.
type Date int32

// DateOf returns the date of a year, month and day of the month. Values outside their range carry over, as in
// [time.Date]: 0 March is the last day of February.
func DateOf(year int, month time.Month, day int) Date {
	return Date(walltime.FloorDiv(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix(), walltime.SecondsPerDay))
}

// Civil returns the year, the month and the day of the month.
func (d Date) Civil() (year int, month time.Month, day int) { return d.time().Date() }

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday {
	return time.Weekday(walltime.FloorMod(int64(d)+int64(time.Thursday), 7)) // 1 January 1970 was a Thursday
}

// At returns the wall clock time so many seconds after midnight of d.
func (d Date) At(seconds int) Wall { return Wall(int64(d)*walltime.SecondsPerDay + int64(seconds)) }

func (d Date) time() time.Time { return time.Unix(int64(d)*walltime.SecondsPerDay, 0).UTC() }

// String returns the text form.
func (d Date) String() string { return d.time().Format(time.DateOnly) }

// MarshalText implements [encoding.TextMarshaler]. A year that the text form does not know is an error.
func (d Date) MarshalText() ([]byte, error) {
	if d < minDate || d > maxDate {
		return nil, fmt.Errorf("date: day %d is not in the years 1 to 9999", int32(d))
	}
	return []byte(d.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Date) UnmarshalText(text []byte) error {
	v, err := parseDate(string(text), time.DateOnly)
	if err != nil {
		return err
	}
	*d = v
	return nil
}

const (
	minDate Date = -719162 // 1 January 1
	maxDate Date = 2932896 // 31 December 9999
)

func parseDate(s, layout string) (Date, error) {
	t, err := time.Parse(layout, s)
	if err != nil || t.Year() < 1 {
		return 0, fmt.Errorf("%q is no date: want for example %q", clip(s), DateOf(2026, time.December, 24).time().Format(layout))
	}
	return Date(walltime.FloorDiv(t.Unix(), walltime.SecondsPerDay)), nil
}

// clip shortens s for a message.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
