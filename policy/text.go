package policy

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time as people write it in a policy: "36h", "7d", "1d12h", "90m". A day is 24 hours.
//
// The text form is one or more whole numbers with a unit each: d, h, m, s, in this order and each at most once. Seconds
// may have a fraction of up to nine digits ("0.25s"). There is no sign: a policy knows no negative time, and its text
// forms refuse one.
type Duration int64

// Std returns d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String returns the canonical text form: the fewest units, from days down; "0s" for zero. A negative value, which no
// policy may hold, has a minus sign in front.
func (d Duration) String() string {
	if d == 0 {
		return "0s"
	}
	b := make([]byte, 0, 24)
	rest := uint64(d)
	if d < 0 {
		b = append(b, '-')
		rest = -rest
	}
	for _, u := range durationUnits() {
		n := rest / u.size
		rest %= u.size
		switch {
		case u.name == 's' && rest > 0:
			b = strconv.AppendUint(b, n, 10)
			b = append(b, strings.TrimRight(fmt.Sprintf(".%09d", rest), "0")...)
			b = append(b, 's')
		case n > 0:
			b = strconv.AppendUint(b, n, 10)
			b = append(b, u.name)
		}
	}
	return string(b)
}

type durationUnit struct {
	name byte
	size uint64
}

func durationUnits() [4]durationUnit {
	return [...]durationUnit{
		{'d', uint64(24 * time.Hour)}, {'h', uint64(time.Hour)}, {'m', uint64(time.Minute)}, {'s', uint64(time.Second)},
	}
}

// MarshalText implements [encoding.TextMarshaler]. A negative duration is an error: it could not be read back.
func (d Duration) MarshalText() ([]byte, error) {
	if d < 0 {
		return nil, fmt.Errorf("duration %s is negative", d)
	}
	return []byte(d.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler]. It reads every form that the type's comment allows.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	v, err := parseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is no duration: %w", clip(s), err)
	}
	*d = v
	return nil
}

func parseDuration(s string) (Duration, error) {
	if s == "" {
		return 0, errors.New(`want for example "36h" or "7d"`)
	}
	if s[0] == '-' {
		return 0, errors.New("it is negative")
	}
	units := durationUnits()
	next := 0 // the first unit that may still come
	var total uint64
	for s != "" {
		digits := span(s)
		if digits == 0 {
			return 0, errors.New(`want numbers with units, as in "1d12h"`)
		}
		n, err := strconv.ParseUint(s[:digits], 10, 63)
		if err != nil {
			return 0, errors.New("it is too long")
		}
		s = s[digits:]
		var fraction uint64
		hasFraction := strings.HasPrefix(s, ".")
		if hasFraction {
			digits = span(s[1:])
			if digits == 0 || digits > 9 {
				return 0, errors.New("a fraction has one to nine digits")
			}
			fraction, _ = strconv.ParseUint((s[1:1+digits] + "00000000")[:9], 10, 63)
			s = s[1+digits:]
		}
		if s == "" {
			return 0, errors.New(`a number needs a unit: d, h, m or s`)
		}
		i := next
		for i < len(units) && units[i].name != s[0] {
			i++
		}
		if i == len(units) {
			if strings.IndexByte("dhms", s[0]) >= 0 {
				return 0, errors.New("units go from d to h, m and s, each at most once")
			}
			return 0, fmt.Errorf("%q is no unit: want d, h, m or s", clip(string([]rune(s)[:1])))
		}
		if hasFraction && units[i].name != 's' {
			return 0, errors.New("only seconds may have a fraction")
		}
		if n > math.MaxInt64/units[i].size {
			return 0, errors.New("it is too long")
		}
		total += n*units[i].size + fraction
		if total > math.MaxInt64 {
			return 0, errors.New("it is too long")
		}
		next = i + 1
		s = s[1:]
	}
	return Duration(total), nil
}

// span returns how many decimal digits s begins with.
func span(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

// clip shortens s for a message.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// Share is a part of a whole in basis points, 0 to 10000, written in percent: "12.5%". The text form has up to two
// decimals and always the sign, so that nobody takes 5 for a number of devices or 0.5 for a half.
type Share int

// whole is 100 %.
const whole Share = 10000

// String returns the canonical text form, with no more decimals than it takes.
func (s Share) String() string {
	sign, n := "", uint64(s)
	if s < 0 {
		sign, n = "-", -n
	}
	text := sign + strconv.FormatUint(n/100, 10)
	if c := n % 100; c != 0 {
		text += strings.TrimRight(fmt.Sprintf(".%02d", c), "0")
	}
	return text + "%"
}

// Of returns the part of n that s is, rounded down. N is not negative.
func (s Share) Of(n int) int { return n/int(whole)*int(s) + n%int(whole)*int(s)/int(whole) }

// MarshalText implements [encoding.TextMarshaler]. A share below 0 % or above 100 % is an error.
func (s Share) MarshalText() ([]byte, error) {
	if s < 0 || s > whole {
		return nil, fmt.Errorf("share %s is not between 0%% and 100%%", s)
	}
	return []byte(s.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler]. A number without the percent sign is an error.
func (s *Share) UnmarshalText(text []byte) error {
	v, err := parseShare(string(text))
	if err != nil {
		return fmt.Errorf("%q is no share: %w", clip(string(text)), err)
	}
	*s = v
	return nil
}

func parseShare(s string) (Share, error) {
	number, found := strings.CutSuffix(s, "%")
	integer, fraction, dot := strings.Cut(number, ".")
	if integer == "" || span(integer) != len(integer) || span(fraction) != len(fraction) || dot && fraction == "" {
		if strings.HasPrefix(s, "-") {
			return 0, errors.New("it is negative")
		}
		return 0, errors.New(`want a number and a percent sign, as in "12.5%"`)
	}
	if !found {
		return 0, fmt.Errorf(`a bare number says too little: write "%s%%" if percent are meant`, clip(s))
	}
	if len(fraction) > 2 {
		return 0, errors.New("more than two decimals")
	}
	percent, err := strconv.ParseUint(integer, 10, 31)
	if err != nil || percent > 100 {
		return 0, errors.New("it is more than 100%")
	}
	hundredths, _ := strconv.ParseUint((fraction + "00")[:2], 10, 31)
	if v := Share(percent*100 + hundredths); v <= whole {
		return v, nil
	}
	return 0, errors.New("it is more than 100%")
}

// Days is a set of weekdays. Its text form names them in three letters, with commas between them and a hyphen for "up
// to": "sat,sun", "mon-fri", "fri-mon". A document may also write a list: [sat, sun]. An overnight window belongs to the
// day on which it starts. The zero Days is the empty set, whose text form is empty.
type Days uint8

func dayNames() [7]string { return [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

// DaysOf returns the set of the given weekdays.
func DaysOf(days ...time.Weekday) Days {
	var set Days
	for _, d := range days {
		set |= 1 << uint(d)
	}
	return set
}

// Has says whether day is in d.
func (d Days) Has(day time.Weekday) bool { return d>>uint(day)&1 != 0 }

// String returns the canonical text form: Monday first, three days or more in a row as a range.
func (d Days) String() string {
	if d&^allDays != 0 {
		return fmt.Sprintf("days(%#x)", uint8(d))
	}
	names := dayNames()
	var parts []string
	at := func(i int) time.Weekday { return time.Weekday((i + 1) % 7) } // 0 is Monday
	for i := 0; i < 7; {
		if !d.Has(at(i)) {
			i++
			continue
		}
		end := i
		for end+1 < 7 && d.Has(at(end+1)) {
			end++
		}
		switch end - i {
		case 0:
			parts = append(parts, names[at(i)])
		case 1:
			parts = append(parts, names[at(i)], names[at(end)])
		default:
			parts = append(parts, names[at(i)]+"-"+names[at(end)])
		}
		i = end + 1
	}
	return strings.Join(parts, ",")
}

const allDays Days = 1<<7 - 1

// MarshalText implements [encoding.TextMarshaler]. A value with bits that stand for no weekday is an error.
func (d Days) MarshalText() ([]byte, error) {
	if d&^allDays != 0 {
		return nil, fmt.Errorf("%s: there are seven", d)
	}
	return []byte(d.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler]. A day that is named twice is an error; the empty text is the
// empty set.
func (d *Days) UnmarshalText(text []byte) error {
	var set Days
	if len(text) > 0 {
		for part := range strings.SplitSeq(string(text), ",") {
			days, err := parseDays(strings.TrimSpace(part))
			if err != nil {
				return err
			}
			if both := set & days; both != 0 {
				return fmt.Errorf("%q names %s twice", clip(string(text)), both)
			}
			set |= days
		}
	}
	*d = set
	return nil
}

// parseDays reads one day or one range of days.
func parseDays(s string) (Days, error) {
	first, last, isRange := strings.Cut(s, "-")
	from, err := parseDay(first)
	if err != nil || !isRange {
		return DaysOf(from), err
	}
	to, err := parseDay(last)
	if err != nil {
		return 0, err
	}
	if from == to {
		return 0, fmt.Errorf("%q begins and ends with one day", s)
	}
	set := DaysOf(to)
	for day := from; day != to; day = (day + 1) % 7 {
		set |= DaysOf(day)
	}
	return set, nil
}

func parseDay(s string) (time.Weekday, error) {
	for i, name := range dayNames() {
		if s == name {
			return time.Weekday(i), nil
		}
	}
	return 0, fmt.Errorf("%q is no day: want mon, tue, wed, thu, fri, sat or sun", clip(s))
}

// Clock is a wall clock time in minutes since midnight, 0 to 1440, written "22:00": two digits, a colon, two digits.
// "24:00" is the end of a day.
type Clock int

const (
	minutesPerDay  Clock = 24 * 60
	minutesPerHour       = 60
)

// String returns the text form.
func (c Clock) String() string {
	if c < 0 || c > minutesPerDay {
		return fmt.Sprintf("clock(%d)", int(c))
	}
	return fmt.Sprintf("%02d:%02d", int(c)/minutesPerHour, int(c)%minutesPerHour)
}

// MarshalText implements [encoding.TextMarshaler]. A time outside the day is an error.
func (c Clock) MarshalText() ([]byte, error) {
	if c < 0 || c > minutesPerDay {
		return nil, fmt.Errorf("%s is not between 00:00 and 24:00", c)
	}
	return []byte(c.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *Clock) UnmarshalText(text []byte) error {
	s := string(text)
	if len(s) != 5 || span(s) != 2 || s[2] != ':' || span(s[3:]) != 2 {
		return fmt.Errorf(`%q is no time of day: want four digits, as in "09:30"`, clip(s))
	}
	hour, _ := strconv.Atoi(s[:2])
	minute, _ := strconv.Atoi(s[3:])
	v := Clock(hour*minutesPerHour + minute)
	if minute >= minutesPerHour || v > minutesPerDay {
		return fmt.Errorf("%q is no time of day: want 00:00 to 24:00", s)
	}
	*c = v
	return nil
}
