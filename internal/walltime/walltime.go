// Package walltime finds the instants at which the clock of a zone shows a given time. Instants are Unix seconds; a wall
// clock time is the seconds since 1 January 1970, midnight, as that clock shows them. It never uses [time.Date], whose
// answer near a change of offset is not specified.
package walltime

import "time"

// SecondsPerDay is how many seconds a day has on the wall.
const SecondsPerDay = 24 * 60 * 60

const (
	// farthest is more than any zone was ever away from UTC, in seconds.
	farthest = 26 * 60 * 60

	minSecond = -1 << 62
	maxSecond = 1<<62 - 1
)

// A Period is a stretch of time in which a zone keeps one offset from UTC, in seconds. What is known of its bounds may be
// narrower than the truth.
type Period struct{ Start, End, Offset int64 }

// At returns the period of loc that holds the second t.
func At(t int64, loc *time.Location) Period {
	at := time.Unix(t, 0).In(loc)
	_, offset := at.Zone()
	start, end := at.ZoneBounds()
	p := Period{start.Unix(), end.Unix(), int64(offset)}
	if start.IsZero() {
		p.Start = minSecond
	}
	if end.IsZero() {
		p.End = maxSecond
	}
	// Past its table package time bounds a period by years of 365 days, and so says of 31 December of a leap year that
	// its period is over. The next UTC day begins one that it knows.
	if p.End <= t {
		p.End = (FloorDiv(t, SecondsPerDay) + 1) * SecondsPerDay
	}
	if p.Start > t {
		p.Start = t
	}
	return p
}

// Resolve returns the first second at which the wall clock of loc shows wall or more. That is one rule for all cases: the
// first occurrence of a wall clock that occurs twice, and the first instant after the gap for one that never occurs. P is
// any period of loc; it makes the answer cheap if wall falls well within it.
func (p Period) Resolve(wall int64, loc *time.Location) int64 {
	if at, ok := p.within(wall); ok {
		return at
	}
	at, _ := find(wall, loc)
	return at
}

// within returns the second at which wall is shown if that is in p and no earlier period gets as far as wall.
func (p Period) within(wall int64) (at int64, ok bool) {
	at = wall - p.Offset
	return at, wall-p.Start > farthest && p.Start < at && at < p.End
}

// find looks at the periods in turn, from a second before which no zone shows wall. It returns the first second at which
// wall or more is shown, with the period that it is in.
func find(wall int64, loc *time.Location) (int64, Period) {
	t := wall - farthest
	var p Period
	for range 16 {
		p = At(t, loc)
		if at := max(t, wall-p.Offset); at < p.End {
			return at, p
		}
		t = p.End
	}
	return t, At(t, loc)
}

// A Place is where a wall clock time is found in time.
type Place struct {
	At     int64 // the first second at which the clock shows that time or more
	Gap    bool  // the clock never shows that time: at At it has just jumped over it
	Twice  bool  // the clock shows that time again later
	Before int64 // with Gap: the offset that held before the clock jumped, in seconds
}

// Find returns the place of wall on the clock of loc.
func Find(wall int64, loc *time.Location) Place {
	at, p := find(wall, loc)
	if at+p.Offset > wall {
		return Place{At: at, Gap: true, Before: At(at-1, loc).Offset}
	}
	// A second showing comes from a later period with a smaller offset.
	for next := p; next.End < at+farthest; {
		next = At(next.End, loc)
		if again := wall - next.Offset; again > at && again >= next.Start && again < next.End {
			return Place{At: at, Twice: true}
		}
	}
	return Place{At: at}
}

// Latest returns the greatest time that the clock of loc has shown up to the second t and a little before it: where the
// clock was put back shortly before t, what it showed just before that.
func Latest(t int64, loc *time.Location) int64 {
	p := At(t, loc)
	latest := t + p.Offset
	for p.Start > t-farthest {
		start := p.Start
		p = At(start-1, loc)
		latest = max(latest, start-1+p.Offset)
	}
	return latest
}

// FloorDiv returns a divided by b, rounded down. B is positive.
func FloorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// FloorMod returns what remains of a when it is divided by b and rounded down, from 0 to b-1. B is positive.
func FloorMod(a, b int64) int64 { return a - FloorDiv(a, b)*b }
