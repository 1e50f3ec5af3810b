package policy

import "time"

const (
	secondsPerDay    = 24 * 60 * 60
	secondsPerMinute = 60

	// farthest is more than any zone was ever away from UTC, in seconds.
	farthest = 26 * 60 * 60

	// horizon is how many days ahead an opening is looked for. A weekly window whose next opening falls into a gap opens a
	// week later; a second gap just then is not to be had.
	horizon = 22
)

// Next returns the opening of w that contains t, or else the first one after t, with w's clock read in loc; w.Zone is
// not consulted (see [NewSchedule]). The opening is half-open: work may begin at open, not at close. Both instants are
// in UTC and whole seconds.
//
// An opening that vanishes because the clock skips it ("02:00" to "03:00" on the night when clocks go forward) is left
// out. Both results are zero if w cannot open at all, which happens only with a window that [Policy.Validate] refuses.
// Next allocates nothing and looks at no more than the days it needs, however far away t is.
func (w Window) Next(t time.Time, loc *time.Location) (open, close time.Time) {
	o, ok := w.next(t.Unix(), loc)
	if !ok {
		return time.Time{}, time.Time{}
	}
	return o.times()
}

// An opening is a span of Unix seconds, half-open.
type opening struct{ open, close int64 }

func (o opening) times() (open, close time.Time) {
	return time.Unix(o.open, 0).UTC(), time.Unix(o.close, 0).UTC()
}

// next returns the first opening that closes after the second t.
//
// It begins with the local day before t's: any opening of an earlier day closes at a wall clock that t has passed, and
// a wall clock that has been reached at t was reached for the first time at t or before.
func (w Window) next(t int64, loc *time.Location) (opening, bool) {
	zone := offsetAt(t, loc)
	today := floorDiv(t+zone.offset, secondsPerDay)
	for day := today - 1; day < today+horizon; day++ {
		if !w.on(day) {
			continue
		}
		from, to := w.wall(day)
		if to <= t+zone.offset {
			continue
		}
		o := opening{zone.resolve(from, loc), zone.resolve(to, loc)}
		if o.close > t && o.open < o.close {
			return o, true
		}
	}
	return opening{}, false
}

// before returns the last opening that begins before the second t.
func (w Window) before(t int64, loc *time.Location) (opening, bool) {
	zone := offsetAt(t, loc)
	today := floorDiv(t+zone.offset, secondsPerDay)
	// A fold around midnight may show a local day that has been left once already.
	for day := today + 1; day > today-horizon; day-- {
		if !w.on(day) {
			continue
		}
		from, to := w.wall(day)
		o := opening{zone.resolve(from, loc), zone.resolve(to, loc)}
		if o.open < t && o.open < o.close {
			return o, true
		}
	}
	return opening{}, false
}

// on says whether w opens on a day, which is counted from 1 January 1970, a Thursday.
func (w Window) on(day int64) bool {
	return w.Days == 0 || w.Days.Has(time.Weekday(floorMod(day+int64(time.Thursday), 7)))
}

// wall returns the wall clocks between which w is open if it opens on day, in seconds since 1970 as that clock shows it.
func (w Window) wall(day int64) (from, to int64) {
	from = day*secondsPerDay + int64(w.Start)*secondsPerMinute
	to = day*secondsPerDay + int64(w.End)*secondsPerMinute
	if w.End <= w.Start {
		to += secondsPerDay
	}
	return from, to
}

// A period is a stretch of time in which a zone keeps one offset from UTC, in seconds. What is known of its bounds may
// be narrower than the truth.
type period struct{ start, end, offset int64 }

// offsetAt returns the period of loc that holds the second t.
func offsetAt(t int64, loc *time.Location) period {
	at := time.Unix(t, 0).In(loc)
	_, offset := at.Zone()
	start, end := at.ZoneBounds()
	p := period{start.Unix(), end.Unix(), int64(offset)}
	if start.IsZero() {
		p.start = minSecond
	}
	if end.IsZero() {
		p.end = maxSecond
	}
	// Past its table package time bounds a period by years of 365 days, and so says of 31 December of a leap year that
	// its period is over. The next UTC day begins one that it knows.
	if p.end <= t {
		p.end = (floorDiv(t, secondsPerDay) + 1) * secondsPerDay
	}
	if p.start > t {
		p.start = t
	}
	return p
}

const (
	minSecond = -1 << 62
	maxSecond = 1<<62 - 1
)

// resolve returns the first second at which the wall clock of loc shows wall or more. That is one rule for all cases: the
// first occurrence of a wall clock that occurs twice, and the first instant after the gap for one that never occurs.
// It does not use [time.Date], whose answer near a change of offset is not specified. P is any period of loc; it makes
// the answer cheap if wall falls well within it.
func (p period) resolve(wall int64, loc *time.Location) int64 {
	if at := wall - p.offset; wall-p.start > farthest && p.start < at && at < p.end {
		return at // no earlier period gets as far as wall
	}
	// No zone shows wall before this second. From here on the periods are looked at in turn.
	t := wall - farthest
	for range 16 {
		p = offsetAt(t, loc)
		if at := max(t, wall-p.offset); at < p.end {
			return at
		}
		t = p.end
	}
	return t
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }
