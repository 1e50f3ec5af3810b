package policy

import (
	"fmt"
	"slices"
	"time"
)

// A Schedule says when work on the devices of one zone may begin: it is open whenever one of its windows is. The zero
// Schedule is always open. A Schedule is immutable and may be shared by all devices of a zone, and by goroutines.
type Schedule struct {
	spans []zoned // none means always open
}

// zoned is a window with the zone that its clock is read in.
type zoned struct {
	window Window
	zone   *time.Location
}

// NewSchedule returns the schedule of ws for devices in zone, an IANA name. Windows that name a zone keep it, whatever
// zone says. Without windows the schedule is always open, and zone does not matter.
//
// An error wraps [ErrZone] and names the zone, if a zone is unknown to this host, or if zone is "" although a window goes
// by the device's own clock. Such a device has no schedule; that is not the same as always.
func NewSchedule(ws []Window, zone string) (Schedule, error) {
	var s Schedule
	zones := make(map[string]*time.Location, 1)
	for i, w := range ws {
		name := w.Zone
		if name == "" {
			name = zone
		}
		if name == "" {
			return Schedule{}, fmt.Errorf("policy: windows[%d]: goes by the device's own clock, and the device names no zone: %w",
				i, ErrZone)
		}
		loc, loaded := zones[name]
		if !loaded {
			var err error
			if loc, err = loadZone(name); err != nil {
				return Schedule{}, fmt.Errorf("policy: windows[%d]: %w", i, err)
			}
			zones[name] = loc
		}
		s.spans = append(s.spans, zoned{w, loc})
	}
	for _, loc := range zones {
		if s.covers(loc) {
			return Schedule{}, nil
		}
	}
	return s, nil
}

// covers says whether the windows in one zone leave no minute of the week out.
func (s Schedule) covers(loc *time.Location) bool {
	type part struct{ from, to int64 }
	var week []part
	const seconds = 7 * secondsPerDay
	for _, z := range s.spans {
		if z.zone != loc {
			continue
		}
		for day := range int64(7) {
			if !z.window.on(day) {
				continue
			}
			from, to := z.window.wall(day)
			week = append(week, part{from, min(to, seconds)})
			if to > seconds {
				week = append(week, part{0, to - seconds})
			}
		}
	}
	slices.SortFunc(week, func(a, b part) int { return int(a.from - b.from) })
	var reached int64
	for _, p := range week {
		if p.from > reached {
			return false
		}
		reached = max(reached, p.to)
	}
	return reached >= seconds
}

// longest bounds how far an opening is followed, in seconds, back and forth from the instant asked for. Windows in one
// zone that stay open longer than two weeks stay open for good; only a mixture of zones comes near.
const longest = 35 * secondsPerDay

// Next returns the opening that contains t, or else the first one after t. Windows that overlap or touch make one
// opening, which is half-open: work may begin at open, not at close. Both instants are in UTC and whole seconds.
//
// An opening without an end has the zero time for close; a schedule that is always open answers t itself and the zero
// time. Both results are zero if the schedule never opens, which validated windows do not bring about. Windows in
// several zones that together stay open for more than 35 days before or after t are cut there.
func (s Schedule) Next(t time.Time) (open, close time.Time) {
	if len(s.spans) == 0 {
		return t.UTC(), time.Time{}
	}
	at := t.Unix()
	var first opening
	found := false
	for i := range s.spans {
		o, ok := s.spans[i].window.next(at, s.spans[i].zone)
		if ok && (!found || o.open < first.open) {
			first, found = o, true
		}
	}
	if !found {
		return time.Time{}, time.Time{}
	}
	return s.merge(first, at).times()
}

// merge returns o with all the openings that overlap or touch it.
func (s Schedule) merge(o opening, at int64) opening {
	for grown := true; grown; {
		grown = false
		for i := range s.spans {
			z := &s.spans[i]
			for o.close < at+longest {
				next, ok := z.window.next(o.close, z.zone)
				if !ok || next.open > o.close {
					break
				}
				o.close, grown = next.close, true
			}
			for o.open > at-longest {
				last, ok := z.window.before(o.open, z.zone)
				if !ok || last.close < o.open {
					break
				}
				o.open, grown = last.open, true
			}
		}
	}
	return o
}

// Open says whether work may begin at t.
func (s Schedule) Open(t time.Time) bool {
	at := t.Unix()
	for i := range s.spans {
		if o, ok := s.spans[i].window.next(at, s.spans[i].zone); ok && o.open <= at {
			return true
		}
	}
	return len(s.spans) == 0
}
