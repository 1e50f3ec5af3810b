package calendar

import (
	"errors"
	"math/bits"
	"slices"
	"time"

	"github.com/patchflow/patchflow/internal/walltime"
)

// A freq is the length of the periods that a rule goes by.
type freq uint8

const (
	freqNone freq = iota
	minutely
	hourly
	daily
	weekly
	monthly
	yearly
)

func freqNames() []string {
	return []string{"", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
}

// An nth is a weekday of a month or a year by its number: the first is 1, the last -1.
type nth struct {
	n   int
	day time.Weekday
}

// A pattern is a set of days. Every part that is set must hold of a day; a part that is zero holds always. The parts are
// those of RFC 5545 section 3.3.10: where that speaks of expanding a period and of limiting it, both come to the days of the
// period for which all parts hold.
//
// Days are found by unit: a week, a month or a year at once. A daily pattern goes by months too, since most of its parts do.
type pattern struct {
	freq      freq
	interval  int64
	weekStart time.Weekday
	start     Date // the first day that counts, before the shift
	last      Date // the last
	startUnit int64

	months    uint16 // bits 1 to 12
	monthDays uint32 // bits 1 to 31
	monthBack uint32 // the same from the end: bit 1 is the last day
	yearDays  []int
	weekNos   []int
	weekdays  uint8 // bits 0 (Sunday) to 6
	nths      []nth // of the month or, if ofYear, of the year
	ofYear    bool
	setPos    []int

	shift  Date   // added to every day
	except []Date // taken out again, sorted
	dates  []Date // these days and none else, sorted
}

// A daySet is some of the days of a unit: bit i stands for the day base+i.
type daySet struct {
	base  Date
	words [6]uint64
}

// next returns the first day of the set from d on.
func (s *daySet) next(d Date) (Date, bool) {
	i := max(int(d-s.base), 0)
	for w := i / 64; w < len(s.words); w++ {
		word := s.words[w]
		if w == i/64 {
			word &= ^uint64(0) << (i % 64)
		}
		if word != 0 {
			return s.base + Date(w*64+bits.TrailingZeros64(word)), true
		}
	}
	return 0, false
}

// prev returns the last day of the set up to d.
func (s *daySet) prev(d Date) (Date, bool) {
	i := min(int(d-s.base), len(s.words)*64-1)
	if i < 0 {
		return 0, false
	}
	for w := i / 64; w >= 0; w-- {
		word := s.words[w]
		if w == i/64 {
			word &= ^uint64(0) >> (63 - i%64)
		}
		if word != 0 {
			return s.base + Date(w*64+63-bits.LeadingZeros64(word)), true
		}
	}
	return 0, false
}

func (s *daySet) len() (n int) {
	for _, w := range s.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// put adds the days whose bits are set, of which the first is so many days after the base.
func (s *daySet) put(days uint64, after int) {
	w, shift := after/64, after%64
	s.words[w] |= days << shift
	if high := days >> (64 - shift); high != 0 {
		s.words[w+1] |= high
	}
}

// pick keeps the days at the given places alone: 1 is the first, -1 the last.
func (s *daySet) pick(places []int) {
	n := s.len()
	kept := daySet{base: s.base}
	for _, place := range places {
		i := place - 1
		if place < 0 {
			i = n + place
		}
		if i < 0 || i >= n {
			continue
		}
		d, _ := s.next(s.base)
		for ; i > 0; i-- {
			d, _ = s.next(d + 1)
		}
		kept.put(1, int(d-s.base))
	}
	*s = kept
}

// unit returns the number of the unit that d is in.
func (p *pattern) unit(d Date) int64 {
	switch p.freq {
	case weekly:
		return walltime.FloorDiv(int64(d)+int64(time.Thursday)-int64(p.weekStart), 7)
	case yearly:
		year, _, _ := d.Civil()
		return int64(year)
	default:
		year, month, _ := d.Civil()
		return int64(year)*12 + int64(month) - 1
	}
}

// first returns the first day of a unit.
func (p *pattern) first(unit int64) Date {
	switch p.freq {
	case weekly:
		return Date(unit*7 - int64(time.Thursday) + int64(p.weekStart))
	case yearly:
		return DateOf(int(unit), time.January, 1)
	default:
		return DateOf(int(walltime.FloorDiv(unit, 12)), time.Month(walltime.FloorMod(unit, 12)+1), 1)
	}
}

// stride returns by how many units the pattern goes on.
func (p *pattern) stride() int64 {
	if p.freq == daily {
		return 1
	}
	return p.interval
}

// set returns the days of a unit that begins on base.
func (p *pattern) set(base Date) daySet {
	s := daySet{base: base}
	switch p.freq {
	case weekly:
		for i := range 7 {
			if day := base + Date(i); p.onWeekday(day) && p.inMonths(day) {
				s.words[0] |= 1 << i
			}
		}
	case yearly:
		year, _, _ := base.Civil()
		p.year(&s, year)
	default:
		year, month, _ := base.Civil()
		s.words[0] = p.month(base, year, month)
		if p.freq == daily && p.interval > 1 {
			for i := range 31 {
				if walltime.FloorMod(int64(base)+int64(i)-int64(p.start), p.interval) != 0 {
					s.words[0] &^= 1 << i
				}
			}
		}
	}
	if len(p.setPos) > 0 {
		s.pick(p.setPos)
	}
	return s
}

func (p *pattern) onWeekday(d Date) bool { return p.weekdays == 0 || p.weekdays>>d.Weekday()&1 == 1 }

func (p *pattern) inMonths(d Date) bool {
	if p.months == 0 {
		return true
	}
	_, month, _ := d.Civil()
	return p.months>>month&1 == 1
}

// everySeventh has a bit for each seventh day of a month.
const everySeventh = 1 | 1<<7 | 1<<14 | 1<<21 | 1<<28

// month returns the days of a month that begins on first: bit 0 is the first day.
func (p *pattern) month(first Date, year int, month time.Month) uint64 {
	if p.months != 0 && p.months>>month&1 == 0 {
		return 0
	}
	length := monthLength(year, month)
	days := uint64(1)<<length - 1
	if p.monthDays|p.monthBack != 0 {
		named := uint64(p.monthDays) >> 1
		for back := p.monthBack; back != 0; back &= back - 1 {
			if n := bits.TrailingZeros32(back); n <= length {
				named |= 1 << (length - n)
			}
		}
		days &= named
	}
	if p.ofYear || p.weekdays == 0 && len(p.nths) == 0 {
		return days
	}
	var on uint64
	begins := int(first.Weekday())
	for week := p.weekdays; week != 0; week &= week - 1 {
		on |= everySeventh << ((bits.TrailingZeros8(week) - begins + 7) % 7)
	}
	for _, x := range p.nths {
		i := (int(x.day) - begins + 7) % 7
		if x.n > 0 {
			i += (x.n - 1) * 7
		} else {
			i += ((length-1-i)/7 + 1 + x.n) * 7
		}
		if i >= 0 && i < length {
			on |= 1 << i
		}
	}
	return days & on
}

// year puts the days of a year into s.
func (p *pattern) year(s *daySet, year int) {
	after := 0
	for month := time.January; month <= time.December; month++ {
		s.put(p.month(s.base+Date(after), year, month), after)
		after += monthLength(year, month)
	}
	if len(p.yearDays) == 0 && len(p.weekNos) == 0 && !p.ofYear {
		return
	}
	for d, ok := s.next(s.base); ok; d, ok = s.next(d + 1) {
		if i := int(d - s.base); !p.inYear(d, i, after) {
			s.words[i/64] &^= 1 << (i % 64)
		}
	}
}

// inYear says whether the parts that go by the year hold of d, the day i (from 0) of a year with so many days.
func (p *pattern) inYear(d Date, i, length int) bool {
	if len(p.yearDays) > 0 && !slices.Contains(p.yearDays, i+1) && !slices.Contains(p.yearDays, i-length) {
		return false
	}
	if len(p.weekNos) > 0 {
		// A week belongs to the year that its fourth day is in.
		middle := d - Date(walltime.FloorMod(int64(d.Weekday())-int64(p.weekStart), 7)) + 3
		y, _, _ := middle.Civil()
		first, next := DateOf(y, time.January, 1), DateOf(y+1, time.January, 1)
		if !slices.Contains(p.weekNos, int(middle-first)/7+1) && !slices.Contains(p.weekNos, -int(next-1-middle)/7-1) {
			return false
		}
	}
	if !p.ofYear {
		return true
	}
	if p.weekdays>>d.Weekday()&1 == 1 {
		return true
	}
	return slices.Contains(p.nths, nth{i/7 + 1, d.Weekday()}) || slices.Contains(p.nths, nth{(i-length+1)/7 - 1, d.Weekday()})
}

func monthLength(year int, month time.Month) int {
	switch month {
	case time.April, time.June, time.September, time.November:
		return 30
	case time.February:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// next returns the first day of the pattern from d on.
func (p *pattern) next(d Date) (Date, bool) {
	if p.dates != nil {
		i, _ := slices.BinarySearch(p.dates, d)
		if i == len(p.dates) {
			return 0, false
		}
		return p.dates[i], true
	}
	for d = max(d-p.shift, p.start); d <= p.last; {
		unit := p.unit(d)
		if more := walltime.FloorMod(p.startUnit-unit, p.stride()); more > 0 {
			unit += more
			d = p.first(unit)
		}
		base := p.first(unit)
		s := p.set(base)
		for found, ok := s.next(d); ok && found <= p.last; found, ok = s.next(found + 1) {
			if !p.excepted(found + p.shift) {
				return found + p.shift, true
			}
		}
		d = p.first(unit + p.stride())
	}
	return 0, false
}

// prev returns the last day of the pattern up to d.
func (p *pattern) prev(d Date) (Date, bool) {
	if p.dates != nil {
		i, found := slices.BinarySearch(p.dates, d)
		if found {
			return d, true
		}
		if i == 0 {
			return 0, false
		}
		return p.dates[i-1], true
	}
	for d = min(d-p.shift, p.last); d >= p.start; {
		unit := p.unit(d)
		if less := walltime.FloorMod(unit-p.startUnit, p.stride()); less > 0 {
			unit -= less
			d = p.first(unit+1) - 1
		}
		base := p.first(unit)
		s := p.set(base)
		for found, ok := s.prev(d); ok && found >= p.start; found, ok = s.prev(found - 1) {
			if !p.excepted(found + p.shift) {
				return found + p.shift, true
			}
		}
		d = base - 1
	}
	return 0, false
}

func (p *pattern) excepted(d Date) bool {
	if len(p.except) == 0 {
		return false
	}
	_, found := slices.BinarySearch(p.except, d)
	return found
}

// mostCounted is how long a rule with COUNT goes on at most, in days: 200 years.
const mostCounted = 200 * 366

// until lets the pattern end with its nth day, exceptions included. It counts unit by unit.
func (p *pattern) until(n int) error {
	for unit := p.startUnit; ; unit += p.stride() {
		base := p.first(unit)
		switch {
		case base > p.start+mostCounted:
			return errTooLong()
		case base > p.last:
			return nil
		}
		s := p.set(base)
		d, ok := s.next(p.start)
		for ; ok && n > 1; n-- {
			d, ok = s.next(d + 1)
		}
		if ok {
			p.last = min(p.last, d)
			return nil
		}
	}
}

func errTooLong() error { return errors.New("part COUNT: the rule goes on for more than 200 years") }
