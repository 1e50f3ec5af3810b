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

const (
	compactDate = "20060102"
	compactTime = "20060102T150405"

	maxInterval = 10_000
	maxCount    = 100_000
	maxExcept   = 1000
)

// ruleParts are the parts of a recurrence rule as they are written. The pattern is not compiled yet.
type ruleParts struct {
	pattern       pattern
	count         int
	until         string // a date, a date with a time, or that and a Z
	hours         uint32 // bits 0 to 23
	minutes       uint64 // bits 0 to 59
	start         Wall
	hasStart      bool
	startIsDate   bool
	except        []Wall
	exceptAreDays bool // one of them is a date without a time
}

// parseParts reads the parts of a rule, which are in capitals.
func parseParts(text string) (*ruleParts, error) {
	parts := &ruleParts{pattern: pattern{interval: 1, weekStart: time.Monday, start: minDate, last: maxDate}}
	seen := make(map[string]bool)
	for part := range strings.SplitSeq(text, ";") {
		name, value, _ := strings.Cut(part, "=")
		if seen[name] {
			return nil, fmt.Errorf("part %s: stands twice", clip(name))
		}
		seen[name] = true
		if value == "" {
			return nil, fmt.Errorf("part %s: has no value", clip(name))
		}
		if err := parts.read(name, value); err != nil {
			return nil, fmt.Errorf("part %s: %w", clip(name), err)
		}
	}
	switch p := &parts.pattern; {
	case p.freq == freqNone:
		return nil, errors.New("part FREQ: missing")
	case parts.count > 0 && parts.until != "":
		return nil, errors.New("parts COUNT and UNTIL: only one of them can say where the rule ends")
	case len(p.setPos) > 0 && !slices.ContainsFunc(byParts(), func(name string) bool { return seen[name] }):
		return nil, errors.New("part BYSETPOS: there is no other BY part to choose from")
	}
	return parts, parts.pattern.agree()
}

func byParts() []string {
	return []string{"BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY", "BYHOUR", "BYMINUTE"}
}

// agree checks what may stand together, by the table of RFC 5545 section 3.3.10.
func (p *pattern) agree() error {
	frequency := freqNames()[p.freq]
	switch {
	case len(p.weekNos) > 0 && p.freq != yearly:
		return fmt.Errorf("part BYWEEKNO: not with FREQ=%s", frequency)
	case len(p.yearDays) > 0 && (p.freq == daily || p.freq == weekly || p.freq == monthly):
		return fmt.Errorf("part BYYEARDAY: not with FREQ=%s", frequency)
	case p.monthDays|p.monthBack != 0 && p.freq == weekly:
		return fmt.Errorf("part BYMONTHDAY: not with FREQ=%s", frequency)
	case len(p.nths) > 0 && p.freq != monthly && p.freq != yearly:
		return fmt.Errorf("part BYDAY: a weekday with a number goes with FREQ=MONTHLY and FREQ=YEARLY only, not with FREQ=%s", frequency)
	case len(p.nths) > 0 && len(p.weekNos) > 0:
		return errors.New("part BYDAY: a weekday with a number does not go with BYWEEKNO")
	}
	p.ofYear = p.freq == yearly && p.months == 0 && len(p.nths) > 0
	most := 5
	if p.ofYear {
		most = 53
	}
	for _, x := range p.nths {
		if x.n > most || -x.n > most {
			return fmt.Errorf("part BYDAY: there is no weekday number %d", x.n)
		}
	}
	return nil
}

func (r *ruleParts) read(name, value string) (err error) {
	p := &r.pattern
	switch name {
	case "FREQ":
		i := slices.Index(freqNames(), value)
		if i <= 0 {
			return fmt.Errorf("%q: want one of%s", clip(value), strings.Join(freqNames(), " "))
		}
		p.freq = freq(i)
	case "INTERVAL":
		var n int
		n, err = number(value, 1, maxInterval)
		p.interval = int64(n)
	case "COUNT":
		r.count, err = number(value, 1, maxCount)
	case "UNTIL":
		r.until = value
		if plain := strings.TrimSuffix(value, "Z"); plain == value || len(plain) == len(compactTime) {
			_, _, err = parseCompact(plain)
		} else {
			err = fmt.Errorf("%q: a date has no Z", clip(value))
		}
	case "BYMONTH":
		err = numbers(value, 1, 12, func(n int) { p.months |= 1 << n })
	case "BYMONTHDAY":
		err = signed(value, 31, func(n int) {
			if n > 0 {
				p.monthDays |= 1 << n
			} else {
				p.monthBack |= 1 << -n
			}
		})
	case "BYYEARDAY":
		err = signed(value, 366, func(n int) { p.yearDays = append(p.yearDays, n) })
	case "BYWEEKNO":
		err = signed(value, 53, func(n int) { p.weekNos = append(p.weekNos, n) })
	case "BYSETPOS":
		err = signed(value, 366, func(n int) { p.setPos = append(p.setPos, n) })
	case "BYHOUR":
		err = numbers(value, 0, 23, func(n int) { r.hours |= 1 << n })
	case "BYMINUTE":
		err = numbers(value, 0, 59, func(n int) { r.minutes |= 1 << n })
	case "BYDAY":
		err = r.byDay(value)
	case "WKST":
		p.weekStart, err = weekday(value)
	case "DTSTART":
		r.start, r.startIsDate, err = parseCompact(value)
		r.hasStart = true
	case "EXDATE":
		err = r.exDates(value)
	case "BYSECOND":
		err = errors.New("seconds are not supported")
	default:
		err = errors.New("there is no such part")
	}
	return err
}

func (r *ruleParts) byDay(value string) error {
	p := &r.pattern
	for item := range strings.SplitSeq(value, ",") {
		if len(item) < 2 {
			return fmt.Errorf("%q: want for example TU or 2TU", clip(item))
		}
		day, err := weekday(item[len(item)-2:])
		if err != nil {
			return err
		}
		text := item[:len(item)-2]
		if text == "" {
			if p.weekdays>>day&1 == 1 {
				return fmt.Errorf("%s stands twice", item)
			}
			p.weekdays |= 1 << day
			continue
		}
		var n int
		if err := signed(text, 53, func(v int) { n = v }); err != nil {
			return err
		}
		if slices.Contains(p.nths, nth{n, day}) {
			return fmt.Errorf("%s stands twice", clip(item))
		}
		p.nths = append(p.nths, nth{n, day})
	}
	return nil
}

func (r *ruleParts) exDates(value string) error {
	for item := range strings.SplitSeq(value, ",") {
		if len(r.except) == maxExcept {
			return fmt.Errorf("more than %d dates", maxExcept)
		}
		w, isDate, err := parseCompact(item)
		if err != nil {
			return err
		}
		r.except = append(r.except, w)
		r.exceptAreDays = r.exceptAreDays || isDate
	}
	return nil
}

// parseCompact reads a date or a date with a time as iCalendar writes them.
func parseCompact(s string) (w Wall, isDate bool, err error) {
	if len(s) == len(compactDate) {
		d, err := parseDate(s, compactDate)
		return d.At(0), true, err
	}
	t, err := time.Parse(compactTime, s)
	if err != nil || t.Year() < 1 || len(s) != len(compactTime) {
		return 0, false, fmt.Errorf(`%q is no time: want for example "20261224" or "20261224T180000"`, clip(s))
	}
	return Wall(t.Unix()), false, nil
}

func weekday(s string) (time.Weekday, error) {
	names := []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}
	if i := slices.Index(names, s); i >= 0 {
		return time.Weekday(i), nil
	}
	return 0, fmt.Errorf("%q is no weekday: want MO, TU, WE, TH, FR, SA or SU", clip(s))
}

func number(s string, least, most int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most || s[0] == '+' {
		return 0, fmt.Errorf("%q: want a number from %d to %d", clip(s), least, most)
	}
	return n, nil
}

// numbers reads a list of numbers, each once.
func numbers(s string, least, most int, each func(int)) error {
	seen := make(map[int]bool)
	for item := range strings.SplitSeq(s, ",") {
		n, err := number(item, least, most)
		if err != nil {
			return err
		}
		if seen[n] {
			return fmt.Errorf("%d stands twice", n)
		}
		seen[n] = true
		each(n)
	}
	return nil
}

// signed reads a list of numbers from 1 to most, or from -1 to -most, each once.
func signed(s string, most int, each func(int)) error {
	seen := make(map[int]bool)
	for item := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(item)
		if err != nil || n == 0 || n > most || -n > most {
			return fmt.Errorf("%q: want a number from 1 to %d, or from -1 to -%d", clip(item), most, most)
		}
		if seen[n] {
			return fmt.Errorf("%d stands twice", n)
		}
		seen[n] = true
		each(n)
	}
	return nil
}

// compile fills in what the rule leaves to its start, for so many times on each day.
func (p *pattern) compile(start Date, hasStart bool, times int, counted bool) error {
	if hasStart {
		p.start = start
	}
	missing := func(why string) error { return fmt.Errorf("part DTSTART: missing: %s", why) }
	days := p.weekdays != 0 || len(p.nths) > 0
	inMonth := p.monthDays|p.monthBack != 0
	needs := p.freq == weekly && !days || p.freq == monthly && !days && !inMonth ||
		p.freq == yearly && !days && !inMonth && len(p.yearDays) == 0
	switch {
	case p.interval > 1 && !hasStart:
		return missing("the rule does not say which of its periods count")
	case counted && !hasStart:
		return missing("the rule does not say from where on it counts")
	case needs && !hasStart:
		return missing("the rule does not say on which day")
	}
	if needs {
		_, month, day := start.Civil()
		switch {
		case p.freq == weekly, len(p.weekNos) > 0:
			p.weekdays = 1 << start.Weekday()
		case p.freq == yearly && p.months == 0:
			p.months = 1 << month
			p.monthDays = 1 << day
		default:
			p.monthDays = 1 << day
		}
	}
	// In a period of one day there is one place for each time.
	if p.freq == daily && times == 1 && len(p.setPos) > 0 {
		if !slices.Contains(p.setPos, 1) && !slices.Contains(p.setPos, -1) {
			return errors.New("part BYSETPOS: a day has one place only")
		}
		p.setPos = nil
	}
	if p.freq < daily {
		p.freq, p.interval = daily, 1
	}
	p.startUnit = p.unit(p.start)
	return nil
}

// list returns the numbers of the bits that are set.
func list(mask uint64) (all []int) {
	for ; mask != 0; mask &= mask - 1 {
		all = append(all, bits.TrailingZeros64(mask))
	}
	return all
}
