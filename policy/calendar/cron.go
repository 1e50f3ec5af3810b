package calendar

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxStarts bounds how often on a day a line of cron may begin something.
const maxStarts = 24

// ParseCron reads the five fields of a line of cron, minute, hour, day of the month, month and day of the week, as the
// starts of events of the given length. A field is a star, or a list of numbers, ranges and steps: "1-5", "*/15", "8-18/2",
// "mon,wed". Months and weekdays have names; Sunday is 0 and 7, as in crontab(5) and unlike in Quartz. Beyond that a day of
// the month may be "L", the last, and a day of the week "2#2", the second Tuesday, or "5L", the last Friday. "@daily",
// "@weekly", "@monthly" and "@yearly" are known. A question mark is a star.
//
// Where both the day of the month and the day of the week are restricted, one of them suffices, as in crontab(5): the line
// becomes two sets of events. A field that begins with a star does not count as restricted there, so that "*/2" and a
// weekday must both hold. Each time of day becomes an event of its own; more than 24 are refused.
//
// Cron says neither length nor zone: events have no zone.
func ParseCron(line string, length time.Duration) ([]Event, error) {
	events, err := parseCron(line, length)
	if err != nil {
		return nil, fmt.Errorf("cron %q: %w", clip(line), err)
	}
	return events, nil
}

func parseCron(line string, length time.Duration) ([]Event, error) {
	if length <= 0 {
		return nil, fmt.Errorf("events of the length %s", length)
	}
	if len(line) > 1024 {
		return nil, errors.New("longer than 1024 bytes")
	}
	macros := map[string]string{"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *",
		"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *"}
	if whole, ok := macros[strings.TrimSpace(line)]; ok {
		line = whole
	}
	fields := strings.Fields(line)
	if len(fields) != 5 {
		return nil, fmt.Errorf("%d fields: want minute, hour, day of the month, month and day of the week", len(fields))
	}
	for i := range fields {
		fields[i] = strings.ToLower(strings.ReplaceAll(fields[i], "?", "*"))
	}
	var c cron
	if err := c.read(fields); err != nil {
		return nil, err
	}
	if n := bits.OnesCount64(c.minutes) * bits.OnesCount64(c.hours); n > maxStarts {
		return nil, fmt.Errorf("it begins %d times a day: want at most %d", n, maxStarts)
	}
	var events []Event
	for _, text := range c.rules(strings.HasPrefix(fields[2], "*") || strings.HasPrefix(fields[4], "*")) {
		days, err := Parse(text)
		if err != nil {
			return nil, err
		}
		for _, hour := range list(c.hours) {
			for _, minute := range list(c.minutes) {
				events = append(events, Event{Days: days, Start: (hour*60 + minute) * 60, Length: length})
			}
		}
	}
	return events, nil
}

// cron is a line, each field as the bits of its numbers; 0 for a day field that is a plain star.
type cron struct {
	minutes, hours, monthDays, months, weekdays uint64
	lastDay                                     bool
	nths                                        []string // of the month, as BYDAY writes them: "2TU"
}

func (c *cron) read(fields []string) error {
	var err error
	wrap := func(name string, i int) error { return fmt.Errorf("%s %q: %w", name, clip(fields[i]), err) }
	if c.minutes, err = cronField(fields[0], 0, 59, nil); err != nil {
		return wrap("minute", 0)
	}
	if c.hours, err = cronField(fields[1], 0, 23, nil); err != nil {
		return wrap("hour", 1)
	}
	if fields[2] != "*" {
		var plain []string
		for item := range strings.SplitSeq(fields[2], ",") {
			if item == "l" {
				c.lastDay = true
			} else {
				plain = append(plain, item)
			}
		}
		if c.monthDays, err = cronList(plain, 1, 31, nil); err != nil {
			return wrap("day of the month", 2)
		}
	}
	months := strings.Split("jan feb mar apr may jun jul aug sep oct nov dec", " ")
	if c.months, err = cronField(fields[3], 1, 12, func(name string) int { return slices.Index(months, name) + 1 }); err != nil {
		return wrap("month", 3)
	}
	if fields[4] != "*" {
		if err = c.weekdayField(fields[4]); err != nil {
			return wrap("day of the week", 4)
		}
	}
	return nil
}

func (c *cron) weekdayField(field string) error {
	names := weekdayNames()
	name := func(s string) int { return slices.Index(names[:], s) }
	var plain []string
	for item := range strings.SplitSeq(field, ",") {
		day, n, numbered := strings.Cut(item, "#")
		if last, ok := strings.CutSuffix(item, "l"); ok && last != "" && !numbered {
			day, n, numbered = last, "-1", true
		} else if numbered && (len(n) != 1 || n[0] < '1' || n[0] > '5') {
			return fmt.Errorf("%q: want a number from 1 to 5 after the #", clip(item))
		}
		if !numbered {
			plain = append(plain, item)
			continue
		}
		d, err := cronNumber(day, 0, 7, name)
		if err != nil {
			return err
		}
		if code := n + weekdayCodes()[d%7]; !slices.Contains(c.nths, code) {
			c.nths = append(c.nths, code)
		}
	}
	days, err := cronList(plain, 0, 7, name)
	c.weekdays = (days | days>>7) & 0x7f
	return err
}

func weekdayCodes() []string { return []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"} }

// rules returns the rules whose days are those of the line.
func (c *cron) rules(both bool) []string {
	months := ""
	if c.months != 1<<13-2 {
		months = ";BYMONTH=" + join(list(c.months))
	}
	var inMonth, inWeek string
	if c.monthDays != 0 || c.lastDay {
		days := list(c.monthDays)
		if c.lastDay {
			days = append(days, -1)
		}
		inMonth = ";BYMONTHDAY=" + join(days)
	}
	if c.weekdays != 0 || len(c.nths) > 0 {
		var codes []string
		for _, d := range list(c.weekdays) {
			codes = append(codes, weekdayCodes()[d])
		}
		inWeek = ";BYDAY=" + strings.Join(append(codes, c.nths...), ",")
	}
	switch {
	case inMonth == "" && inWeek == "":
		return []string{"FREQ=DAILY" + months}
	case both || inMonth == "" || inWeek == "":
		return []string{"FREQ=MONTHLY" + months + inMonth + inWeek}
	}
	return []string{"FREQ=MONTHLY" + months + inMonth, "FREQ=MONTHLY" + months + inWeek}
}

func join(numbers []int) string {
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ",")
}

func cronField(field string, least, most int, name func(string) int) (uint64, error) {
	return cronList(strings.Split(field, ","), least, most, name)
}

// cronList reads the items of a field: numbers, ranges, stars, each perhaps with a step.
func cronList(items []string, least, most int, name func(string) int) (set uint64, err error) {
	for _, item := range items {
		span, stepText, stepped := strings.Cut(item, "/")
		step := 1
		if stepped {
			if step, err = number(stepText, 1, most); err != nil {
				return 0, fmt.Errorf("step %w", err)
			}
		}
		first, last := least, most
		if span != "*" {
			from, to, ranges := strings.Cut(span, "-")
			if first, err = cronNumber(from, least, most, name); err != nil {
				return 0, err
			}
			switch {
			case ranges:
				if last, err = cronNumber(to, least, most, name); err != nil {
					return 0, err
				}
			case !stepped:
				last = first
			}
		} else if most == 7 {
			last = 6 // Sunday has two numbers
		}
		if last < first {
			return 0, fmt.Errorf("%q: the range ends before it begins", clip(item))
		}
		for n := first; n <= last; n += step {
			set |= 1 << n
		}
	}
	return set, nil
}

// cronNumber reads a number or, if the field has names, a name; name returns what is out of range for what is none.
func cronNumber(s string, least, most int, name func(string) int) (int, error) {
	if name != nil && len(s) == 3 {
		if n := name(s); n >= least {
			return n, nil
		}
	}
	return number(s, least, most)
}
