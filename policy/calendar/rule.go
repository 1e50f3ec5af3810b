package calendar

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/walltime"
)

// A Rule is a recurrence rule of RFC 5545 section 3.3.10 with its start: a set of wall clock times. It has all parts that
// a [Recurrence] has, and FREQ=HOURLY, FREQ=MINUTELY, BYHOUR and BYMINUTE. There is no FREQ=SECONDLY and no BYSECOND.
//
// The start is the first time only if the rule holds of it. A Rule is immutable and may be shared by goroutines. The zero
// Rule has no times.
type Rule struct {
	days    *pattern
	start   Wall
	times   []int // of the day, in seconds, sorted; of the hour with FREQ=HOURLY
	setPos  []int // if there are several times; otherwise the pattern has it
	step    int64 // FREQ=HOURLY and MINUTELY: seconds from one period to the next; otherwise 0
	hours   uint32
	minutes uint64 // with FREQ=MINUTELY
	last    Wall   // the last time that is in question
	latest  int64  // UNTIL as an instant, if isUTC
	isUTC   bool
	count   int
	except  []Wall // sorted
}

const maxWall = Wall(maxDate)*walltime.SecondsPerDay + walltime.SecondsPerDay - 1

// ParseRule reads the value of RRULE, for a recurrence that begins at start. Beside the parts of RRULE it takes EXDATE:
// times, or dates, that are left out. A rule that never comes is an error. What the rule does not say comes from start.
func ParseRule(text string, start Wall) (Rule, error) {
	r, err := parseRule(text, start)
	if err != nil {
		return Rule{}, fmt.Errorf("rule %q: %w", clip(text), err)
	}
	return r, nil
}

func parseRule(text string, start Wall) (Rule, error) {
	if len(text) > maxText {
		return Rule{}, fmt.Errorf("longer than %d bytes", maxText)
	}
	if start < minDate.At(0) || start > maxWall {
		return Rule{}, fmt.Errorf("it starts in a year that is not from 1 to 9999")
	}
	parts, err := parseParts(strings.ToUpper(strings.TrimSpace(text)))
	if err != nil {
		return Rule{}, err
	}
	if parts.hasStart {
		return Rule{}, errors.New("part DTSTART: the rule has its start already")
	}
	r := Rule{days: &parts.pattern, start: start, last: maxWall, count: parts.count, except: parts.except}
	if err := r.clock(parts); err != nil {
		return Rule{}, err
	}
	if err := r.days.compile(start.Date(), true, len(r.times), parts.count > 0); err != nil {
		return Rule{}, err
	}
	if len(r.times) > 1 {
		r.setPos, r.days.setPos = r.days.setPos, nil
	}
	if err := r.until(parts.until); err != nil {
		return Rule{}, err
	}
	if parts.exceptAreDays {
		r.exceptDays(parts)
	}
	slices.Sort(r.except)
	if _, ok := r.next(start); !ok {
		return Rule{}, errors.New("there is no such time")
	}
	if r.count > 0 {
		if r.last = r.nth(start, r.count); r.last.Date() > start.Date()+mostCounted {
			return Rule{}, errTooLong()
		}
	}
	return r, nil
}

// clock takes the parts that are about times of day, before the pattern forgets its frequency.
func (r *Rule) clock(parts *ruleParts) error {
	p := &parts.pattern
	second := r.start.Seconds()
	switch p.freq {
	case hourly, minutely:
		if len(p.setPos) > 0 {
			return fmt.Errorf("part BYSETPOS: not with FREQ=%s", freqNames()[p.freq])
		}
		r.hours = parts.hours
		r.step = p.interval * 60
		r.times = []int{second % 60}
		if p.freq == minutely {
			r.minutes = parts.minutes
			return nil
		}
		r.step *= 60
		r.times[0] = second % 3600
		if parts.minutes != 0 {
			r.times = r.times[:0]
			for _, minute := range list(parts.minutes) {
				r.times = append(r.times, minute*60+second%60)
			}
		}
		return nil
	}
	hours, minutes := []int{second / 3600}, []int{second / 60 % 60}
	if parts.hours != 0 {
		hours = list(uint64(parts.hours))
	}
	if parts.minutes != 0 {
		minutes = list(parts.minutes)
	}
	for _, hour := range hours {
		for _, minute := range minutes {
			r.times = append(r.times, hour*3600+minute*60+second%60)
		}
	}
	return nil
}

func (r *Rule) until(text string) error {
	if text == "" {
		return nil
	}
	plain := strings.TrimSuffix(text, "Z")
	w, isDate, err := parseCompact(plain)
	switch {
	case err != nil:
		return fmt.Errorf("part UNTIL: %w", err)
	case plain != text:
		r.isUTC, r.latest = true, int64(w)
		r.last = w + 2*walltime.SecondsPerDay // no clock is further ahead
	case isDate:
		r.last = w + walltime.SecondsPerDay - 1
	default:
		r.last = w
	}
	return nil
}

// exceptDays lets a date without a time stand for all the times of that day.
func (r *Rule) exceptDays(parts *ruleParts) {
	var times []Wall
	for _, x := range parts.except {
		times = append(times, x)
		for w, ok := r.next(x); x.Seconds() == 0 && ok && w.Date() == x.Date() && len(times) < maxExcept; w, ok = r.next(w + 1) {
			times = append(times, w)
		}
	}
	slices.Sort(times)
	r.except = slices.Compact(times)
}

// nth returns the nth time from w on.
func (r *Rule) nth(w Wall, n int) Wall {
	for {
		next, ok := r.next(w)
		if !ok {
			return w - 1
		}
		if n--; n == 0 {
			return next
		}
		w = next + 1
	}
}

// next returns the first time of the rule from w on, exceptions included.
func (r *Rule) next(w Wall) (Wall, bool) {
	w = max(w, r.start)
	var found Wall
	ok := w <= r.last
	switch {
	case !ok || r.days == nil:
		return 0, false
	case r.step > 0:
		found, ok = r.nextStep(w)
	case len(r.setPos) > 0:
		found, ok = r.nextPlace(w)
	default:
		found, ok = r.nextTime(w)
	}
	return found, ok && found <= r.last
}

func (r *Rule) nextTime(w Wall) (Wall, bool) {
	d, ok := r.days.next(w.Date())
	if ok && d == w.Date() {
		if i, _ := slices.BinarySearch(r.times, w.Seconds()); i < len(r.times) {
			return d.At(r.times[i]), true
		}
		d, ok = r.days.next(d + 1)
	}
	return d.At(r.times[0]), ok
}

// nextPlace finds the next time where BYSETPOS chooses from several times on several days. Days of the first period that lie
// before the start have their places too.
func (r *Rule) nextPlace(w Wall) (Wall, bool) {
	p := r.days
	for d, ok := p.next(w.Date()); ok; {
		unit := p.unit(d)
		end := p.first(unit + 1)
		days := []Date{d}
		if p.freq != daily {
			days = days[:0]
			s := p.set(p.first(unit))
			for day, ok := s.next(s.base); ok; day, ok = s.next(day + 1) {
				days = append(days, day)
			}
		} else {
			end = d + 1
		}
		best, found := Wall(0), false
		for _, place := range r.setPos {
			i := place - 1
			if place < 0 {
				i = len(days)*len(r.times) + place
			}
			if i < 0 || i >= len(days)*len(r.times) {
				continue
			}
			if at := days[i/len(r.times)].At(r.times[i%len(r.times)]); at >= w && (!found || at < best) {
				best, found = at, true
			}
		}
		if found {
			return best, true
		}
		d, ok = p.next(end)
	}
	return 0, false
}

// mostDays bounds how many days in a row are looked at whose hours and minutes do not fit.
const mostDays = 4000

func (r *Rule) nextStep(w Wall) (Wall, bool) {
	base := int64(r.start) - int64(r.start)%60
	if r.step%3600 == 0 {
		base = int64(r.start) - walltime.FloorMod(int64(r.start), 3600)
	}
	period := walltime.FloorDiv(int64(w)-base, r.step)
	for range mostDays {
		day, ok := r.days.next(Wall(base + period*r.step).Date())
		if !ok {
			return 0, false
		}
		if begin := int64(day.At(0)); base+period*r.step < begin {
			period = -walltime.FloorDiv(base-begin, r.step)
		}
		for end := day.At(walltime.SecondsPerDay); ; period++ {
			at := Wall(base + period*r.step)
			if at >= end {
				break
			}
			hour, minute := at.Seconds()/3600, at.Seconds()/60%60
			if r.hours != 0 && r.hours>>hour&1 == 0 || r.minutes != 0 && r.minutes>>minute&1 == 0 {
				continue
			}
			for _, t := range r.times {
				if found := at + Wall(t); found >= w {
					return found, true
				}
			}
		}
	}
	return 0, false
}

// Instants yields the instants in UTC at which the clock of loc shows the times of r, from t on, in their order; each once,
// also where clocks are put back. With [GapSkip] a time that does not exist does not count for COUNT either.
//
// It computes the first of them from the period that t is in, and does not go through those before.
func (r Rule) Instants(t time.Time, loc *time.Location, gap Gap) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		if r.days == nil {
			return
		}
		if gap == GapSkip && r.count > 0 {
			r.last = r.lastCounted(loc)
		}
		if r.isUTC {
			r.last = min(r.last, Wall(walltime.Latest(r.latest, loc)))
		}
		from := WallOf(t, loc) - walltime.SecondsPerDay // a gap or a shift may hide what comes earlier on the wall
		var before time.Time
		emit := func(at time.Time) bool {
			if at.Before(t) || !before.IsZero() && !at.After(before) {
				return true
			}
			before = at
			return yield(at)
		}
		var kept []time.Time // from a gap: what stands later on the wall may come before these
		for w, ok := r.next(from); ok; w, ok = r.next(w + 1) {
			if _, out := slices.BinarySearch(r.except, w); out {
				continue
			}
			at, fit := w.In(loc, gap)
			if at.IsZero() {
				continue
			}
			if fit == FitNever && gap == GapKeep {
				kept = append(kept, at)
				continue
			}
			for ; len(kept) > 0 && !kept[0].After(at); kept = kept[1:] {
				if !emit(kept[0]) {
					return
				}
			}
			if !emit(at) {
				return
			}
		}
		for _, at := range kept {
			if !emit(at) {
				return
			}
		}
	}
}

// lastCounted returns the last time if times that do not exist on the clock of loc are not counted. It looks at the gaps
// between start and end, of which there is about one a year, not at the times.
func (r *Rule) lastCounted(loc *time.Location) Wall {
	free := *r
	free.last = maxWall
	last := r.last
	for at := int64(r.start) - 2*walltime.SecondsPerDay; ; {
		p := walltime.At(at, loc)
		if p.End-2*walltime.SecondsPerDay > int64(last) || p.End >= int64(maxWall) {
			return last
		}
		from, to := Wall(p.End+p.Offset), Wall(p.End+walltime.At(p.End, loc).Offset)
		lost := 0
		for w, ok := free.next(from); ok && w < to && w <= last; w, ok = free.next(w + 1) {
			lost++
		}
		if lost > 0 {
			last = free.nth(last+1, lost)
		}
		at = p.End
	}
}
