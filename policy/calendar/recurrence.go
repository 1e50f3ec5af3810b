package calendar

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Recurrence is a set of local days. Its text form is one of these:
//
//   - weekdays: "sat,sun", "mon-fri"
//   - weekdays of the month: "2nd tue", "1st,3rd sat", "last fri"; with a number of days before or after them, up to
//     366: "2nd tue +3d", which is not always the second Friday, and may be a day of the next month
//   - single dates: "2026-12-24,2026-12-31"
//   - a rule of RFC 5545 for days: "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2". It has the parts FREQ (DAILY, WEEKLY,
//     MONTHLY, YEARLY), INTERVAL, BYMONTH, BYMONTHDAY, BYYEARDAY, BYWEEKNO, BYDAY, BYSETPOS, WKST, UNTIL and COUNT, and
//     beside these DTSTART, a date on or after which the rule begins, and EXDATE, dates that are left out. DTSTART is
//     needed where the rule says too little without it: with INTERVAL and COUNT, and where it stands for the day.
//
// The zero Recurrence has no days; its text form is empty. A Recurrence is immutable and may be shared by goroutines.
type Recurrence struct {
	text    string
	pattern *pattern
}

// maxText bounds the text form of a recurrence, in bytes. A thousand dates fit in.
const maxText = 16 << 10

// Parse reads the text form of a [Recurrence]. A recurrence that never comes is an error: 30 February, for instance.
func Parse(text string) (Recurrence, error) {
	r, err := parse(text)
	if err != nil {
		return Recurrence{}, fmt.Errorf("recurrence %q: %w", clip(text), err)
	}
	return r, nil
}

func parse(text string) (Recurrence, error) {
	if len(text) > maxText {
		return Recurrence{}, fmt.Errorf("longer than %d bytes", maxText)
	}
	var r Recurrence
	var err error
	switch fields := strings.Fields(text); {
	case len(fields) == 0:
		return Recurrence{}, errors.New(`want for example "2nd tue +3d", "sat,sun" or "FREQ=MONTHLY;BYMONTHDAY=1"`)
	case strings.Contains(text, "="):
		r.text = strings.ToUpper(strings.TrimSpace(text))
		r.pattern, err = dayRule(r.text)
	case len(fields) == 1 && strings.Count(fields[0], "-") >= 2:
		r.pattern, r.text, err = parseDates(fields[0])
	default:
		r.pattern, r.text, err = parseWords(fields)
	}
	if err != nil {
		return Recurrence{}, err
	}
	if _, ok := r.Next(minDate); !ok {
		return Recurrence{}, errors.New("there is no such day")
	}
	return r, nil
}

// dayRule makes a pattern of a rule without times of day.
func dayRule(text string) (*pattern, error) {
	parts, err := parseParts(text)
	switch {
	case err != nil:
		return nil, err
	case parts.pattern.freq < daily:
		return nil, fmt.Errorf("part FREQ: %s is not about days", freqNames()[parts.pattern.freq])
	case parts.hours != 0:
		return nil, errors.New("part BYHOUR: a recurrence of days has no time of day")
	case parts.minutes != 0:
		return nil, errors.New("part BYMINUTE: a recurrence of days has no time of day")
	case parts.hasStart && !parts.startIsDate:
		return nil, errors.New(`part DTSTART: a recurrence of days has no time of day: want for example "20261224"`)
	case parts.until != "" && len(parts.until) != len(compactDate):
		return nil, errors.New(`part UNTIL: a recurrence of days has no time of day: want for example "20261224"`)
	}
	p := &parts.pattern
	if parts.until != "" {
		if p.last, err = parseDate(parts.until, compactDate); err != nil {
			return nil, fmt.Errorf("part UNTIL: %w", err)
		}
	}
	for _, x := range parts.except {
		if x.Seconds() != 0 {
			return nil, errors.New("part EXDATE: a recurrence of days has no time of day")
		}
		p.except = append(p.except, x.Date())
	}
	slices.Sort(p.except)
	if err := p.compile(parts.start.Date(), parts.hasStart, 1, parts.count > 0); err != nil {
		return nil, err
	}
	if parts.count > 0 {
		return p, p.until(parts.count)
	}
	return p, nil
}

func parseDates(text string) (*pattern, string, error) {
	p := new(pattern)
	for field := range strings.SplitSeq(text, ",") {
		d, err := parseDate(field, time.DateOnly)
		if err != nil {
			return nil, "", err
		}
		p.dates = append(p.dates, d)
	}
	slices.Sort(p.dates)
	words := make([]string, len(p.dates))
	for i, d := range p.dates {
		if i > 0 && d == p.dates[i-1] {
			return nil, "", fmt.Errorf("%s stands twice", d)
		}
		words[i] = d.String()
	}
	return p, strings.Join(words, ","), nil
}

func weekdayNames() [7]string { return [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

func ordinals() map[string]int {
	return map[string]int{"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5, "last": -1}
}

// parseWords reads weekdays, perhaps with ordinals before and a number of days after them. It returns the canonical text too.
func parseWords(fields []string) (*pattern, string, error) {
	for i := range fields {
		fields[i] = strings.ToLower(fields[i])
	}
	p := &pattern{freq: weekly, interval: 1, weekStart: time.Monday, start: minDate, last: maxDate}
	var numbers []int
	var said []string
	if first, _, _ := strings.Cut(fields[0], ","); ordinals()[first] != 0 {
		for word := range strings.SplitSeq(fields[0], ",") {
			n := ordinals()[word]
			if n == 0 || slices.Contains(numbers, n) {
				return nil, "", fmt.Errorf("%q: want each of 1st, 2nd, 3rd, 4th, 5th and last at most once", clip(word))
			}
			numbers = append(numbers, n)
		}
		said = append(said, fields[0])
		fields = fields[1:]
	}
	if len(fields) == 0 {
		return nil, "", errors.New("want a weekday: mon, tue, wed, thu, fri, sat or sun")
	}
	days, err := parseWeekdays(fields[0])
	if err != nil {
		return nil, "", err
	}
	var names []string
	for i := range 7 { // Monday first
		day := time.Weekday((i + 1) % 7)
		if days>>day&1 == 0 {
			continue
		}
		names = append(names, weekdayNames()[day])
		for _, n := range numbers {
			p.nths = append(p.nths, nth{n, day})
		}
	}
	said = append(said, strings.Join(names, ","))
	if len(numbers) == 0 {
		p.weekdays = days
	} else {
		p.freq = monthly
	}
	if len(fields) > 1 {
		shift, err := parseShift(fields[1:])
		switch {
		case err != nil:
			return nil, "", err
		case len(numbers) == 0:
			return nil, "", errors.New("a number of days follows a weekday of the month only: name the weekday that is meant")
		case shift != 0:
			p.shift = Date(shift)
			said = append(said, fmt.Sprintf("%+dd", shift))
		}
	}
	p.startUnit = p.unit(p.start)
	return p, strings.Join(said, " "), nil
}

func parseWeekdays(text string) (days uint8, err error) {
	number := func(name string) (int, error) {
		names := weekdayNames()
		if i := slices.Index(names[:], name); i >= 0 {
			return i, nil
		}
		return 0, fmt.Errorf("%q is no weekday: want mon, tue, wed, thu, fri, sat or sun", clip(name))
	}
	for word := range strings.SplitSeq(text, ",") {
		from, to, ranges := strings.Cut(word, "-")
		first, err := number(from)
		if err != nil {
			return 0, err
		}
		last := first
		if ranges {
			if last, err = number(to); err != nil {
				return 0, err
			}
		}
		for day := first; ; day = (day + 1) % 7 {
			if days>>day&1 == 1 {
				return 0, fmt.Errorf("%s stands twice", weekdayNames()[day])
			}
			days |= 1 << day
			if day == last {
				break
			}
		}
	}
	return days, nil
}

// maxShift is the most days before or after a weekday of the month.
const maxShift = 366

func parseShift(fields []string) (int, error) {
	text := strings.Join(fields, "")
	n, err := strconv.Atoi(strings.TrimSuffix(text, "d"))
	switch {
	case err != nil || !strings.HasSuffix(text, "d") || text[0] != '+' && text[0] != '-':
		return 0, fmt.Errorf(`%q is no number of days: want for example "+3d"`, clip(text))
	case n < -maxShift || n > maxShift:
		return 0, fmt.Errorf("%d days are more than %d", n, maxShift)
	}
	return n, nil
}

// Next returns the first day of r from d on. There is none if r is zero or has ended.
func (r Recurrence) Next(d Date) (Date, bool) {
	if r.pattern == nil {
		return 0, false
	}
	return r.pattern.next(d)
}

// Prev returns the last day of r up to d. There is none if r is zero or has not begun.
func (r Recurrence) Prev(d Date) (Date, bool) {
	if r.pattern == nil {
		return 0, false
	}
	return r.pattern.prev(d)
}

// Has says whether d is one of the days of r.
func (r Recurrence) Has(d Date) bool {
	next, ok := r.Next(d)
	return ok && next == d
}

// IsZero says whether r is the zero Recurrence, which has no days.
func (r Recurrence) IsZero() bool { return r.pattern == nil }

// Equal says whether r and o have the same text form.
func (r Recurrence) Equal(o Recurrence) bool { return r.text == o.text }

// String returns the text form; words in one canonical form, a rule as it was written, in capitals.
func (r Recurrence) String() string { return r.text }

// MarshalText implements [encoding.TextMarshaler].
func (r Recurrence) MarshalText() ([]byte, error) { return []byte(r.text), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. The empty text is the zero Recurrence. See [Parse].
func (r *Recurrence) UnmarshalText(text []byte) error {
	var v Recurrence
	if len(text) > 0 {
		var err error
		if v, err = Parse(string(text)); err != nil {
			return err
		}
	}
	*r = v
	return nil
}
