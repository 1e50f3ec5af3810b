package policy

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/patchflow/patchflow/internal/walltime"
)

// A Schedule says when work on the devices of one zone may begin: whenever one of its windows is open, no freeze is on, and
// enough of the opening is left. The zero Schedule is always open. A Schedule is immutable and may be shared by all devices
// of a zone, and by goroutines.
type Schedule struct {
	windows []spell // none means always open
	freezes []spell
	names   []string // of the freezes
	need    int64    // how much of an opening must be left, in seconds
	plain   []Window // the windows as they were written, for explanations
	quiet   int      // so many of the freezes, the first, are quiet times
}

// An Opening is a time in which work may begin: at Open and after, before Close. Both are in UTC and whole seconds. An
// opening without an end has the zero time for Close. The zero Opening is none.
type Opening struct {
	Open  time.Time `json:"open"`
	Close time.Time `json:"close,omitzero"`
}

// NewSchedule returns the schedule of ws for devices in zone, an IANA name, without freezes. Windows that name a zone keep
// it, whatever zone says. Without windows the schedule is always open, and zone does not matter.
//
// An error wraps [ErrZone] and names the zone, if a zone is unknown to this host, or if zone is "" although a window goes
// by the device's own clock. Such a device has no schedule; that is not the same as always.
func NewSchedule(ws []Window, zone string) (Schedule, error) {
	return new(Policy).Schedule(ws, zone)
}

// Schedule is [NewSchedule] with the freezes of p, less those that are named as passed, and with its Fit. The windows are
// those of a ring, or p's own if the ring has none. A freeze that goes by the device's own clock needs a zone too.
func (p *Policy) Schedule(ws []Window, zone string, passed ...string) (Schedule, error) {
	return p.schedule("windows", ws, p.Fit.seconds(&p.Reboot), zone, passed)
}

// RestartSchedule returns when devices in zone are restarted: the windows of Reboot less its quiet times and the freezes that are not
// passed. Fit keeps its time for a restart back there. Without such windows it is always but in quiet times: freezes do not part a
// restart from the work that it belongs to.
func (p *Policy) RestartSchedule(zone string, passed ...string) (Schedule, error) {
	r := &p.Reboot
	if len(r.Windows) == 0 && len(r.Quiet) == 0 {
		return Schedule{}, nil
	}
	of := *p
	if len(r.Windows) == 0 {
		of.Freezes = nil
	}
	s, err := of.schedule("reboot.windows", r.Windows, wholeSeconds(p.Fit.Reboot), zone, passed)
	if err != nil || len(r.Quiet) == 0 {
		return s, err
	}
	spells, names := make([]spell, len(r.Quiet)), make([]string, len(r.Quiet))
	for i := range r.Quiet {
		loc, err := zoneOf(index("reboot.quiet", i), cmp.Or(r.Quiet[i].Zone, zone))
		if err != nil {
			return Schedule{}, err
		}
		spells[i], names[i] = r.Quiet[i].spell(loc), "quiet"
	}
	s.need, s.quiet = wholeSeconds(p.Fit.Reboot), len(spells)
	s.freezes, s.names = append(spells, s.freezes...), append(names, s.names...)
	return s, nil
}

// QuietSchedule returns when nobody in zone is disturbed: it is open in the quiet times of Reboot. There must be some.
func (p *Policy) QuietSchedule(zone string) (Schedule, error) {
	return new(Policy).schedule("reboot.quiet", p.Reboot.Quiet, 0, zone, nil)
}

// zoneOf loads the zone that a field goes by.
func zoneOf(path, name string) (*time.Location, error) {
	if name == "" {
		return nil, fmt.Errorf("policy: %s: goes by the device's own clock, and the device names no zone: %w", path, ErrZone)
	}
	loc, err := loadZone(name)
	if err != nil {
		return nil, fmt.Errorf("policy: %s: %w", path, err)
	}
	return loc, nil
}

// DownloadSchedule returns when devices in zone download ahead: these windows, of a ring or of p, less the freezes that are not
// passed. There must be some.
func (p *Policy) DownloadSchedule(d Download, zone string, passed ...string) (Schedule, error) {
	return p.schedule("download.windows", d.Windows, 0, zone, passed)
}

func (p *Policy) schedule(field string, ws []Window, need int64, zone string, passed []string) (Schedule, error) {
	s := Schedule{need: need, plain: ws}
	zones := make(map[string]*time.Location, 1)
	load := func(path, name string) (*time.Location, error) {
		if name == "" {
			name = zone
		}
		loc, loaded := zones[name]
		if !loaded {
			var err error
			if loc, err = zoneOf(path, name); err != nil {
				return nil, err
			}
			zones[name] = loc
		}
		return loc, nil
	}
	for i := range ws {
		loc, err := load(index(field, i), ws[i].Zone)
		if err != nil {
			return Schedule{}, err
		}
		s.windows = append(s.windows, ws[i].spell(loc))
	}
	if s.coversWeek() {
		s.windows, s.plain = nil, nil
	}
	for i := range p.Freezes {
		f := &p.Freezes[i]
		if slices.Contains(passed, f.Name) {
			continue
		}
		path := index("freezes", i)
		loc, err := load(path, f.Zone)
		if err != nil {
			return Schedule{}, err
		}
		frozen, err := f.spell(loc)
		if err != nil {
			return Schedule{}, fmt.Errorf("policy: %s: %w", path, err)
		}
		s.freezes, s.names = append(s.freezes, frozen), append(s.names, f.Name)
	}
	if len(s.windows) == 0 && len(s.freezes) == 0 {
		return Schedule{}, nil
	}
	return s, nil
}

// coversWeek says whether the weekly windows of one zone leave no minute of the week out.
func (s *Schedule) coversWeek() bool {
	for i := range s.windows {
		if s.covers(s.windows[i].zone) {
			return true
		}
	}
	return false
}

func (s *Schedule) covers(loc *time.Location) bool {
	type part struct{ from, to int64 }
	var week []part
	const seconds = 7 * secondsPerDay
	for i := range s.windows {
		z := &s.windows[i]
		if z.zone != loc || !z.on.IsZero() || z.skip {
			continue
		}
		for day := range int64(7) {
			if first, ok := z.day(day); !ok || first != day {
				continue
			}
			from := day*secondsPerDay + z.start
			to := from + z.length
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

const (
	// longest bounds how far an opening is followed, in seconds, back and forth from the instant asked for. Windows in one
	// zone that stay open longer than two weeks stay open for good; only a mixture of zones comes near.
	longest = 35 * secondsPerDay

	// farthest bounds how far ahead an opening is looked for between freezes, in seconds: ten years.
	farthest = 3653 * secondsPerDay

	forever = 1 << 62
)

// Local returns t by the clock on the wall that the schedule goes by: that of its first window, or freeze. One that has neither goes by UTC.
func (s Schedule) Local(t time.Time) time.Time {
	for _, all := range [][]spell{s.windows, s.freezes} {
		if len(all) > 0 {
			return t.In(all[0].zone)
		}
	}
	return t.UTC()
}

// Next returns the opening that contains t, or else the first one after t. Windows that overlap or touch make one
// opening, which is half-open: work may begin at open, not at close. Both instants are in UTC and whole seconds. Freezes are
// cut out, and so is the end of each opening that is too short for work to fit in ([Fit]).
//
// An opening without an end has the zero time for close; a schedule that is always open answers t itself and the zero
// time. Both results are zero if the schedule never opens again: its windows have ended, or freezes leave nothing of them
// for ten years. Windows that together stay open for more than 35 days before or after t are cut there, if they are not
// open for good.
func (s Schedule) Next(t time.Time) (open, close time.Time) {
	if len(s.windows) == 0 && len(s.freezes) == 0 {
		return t.UTC(), time.Time{}
	}
	o, ok := s.next(t.Unix())
	switch {
	case !ok:
		return time.Time{}, time.Time{}
	case o.open == -forever:
		open = t.UTC()
	default:
		open = time.Unix(o.open, 0).UTC()
	}
	if o.close != forever {
		close = time.Unix(o.close, 0).UTC()
	}
	return open, close
}

// next returns the opening that contains the second t, or the first one after it.
func (s *Schedule) next(t int64) (opening, bool) {
	for from := t; from < t+farthest; {
		o, ok := s.window(from)
		if !ok {
			return opening{}, false
		}
		if len(s.freezes) > 0 {
			begin := max(from, o.open)
			from, _ = s.thaw(begin, max(begin, t+farthest))
			if from >= o.close || from >= t+farthest {
				continue
			}
			o = s.piece(o, from)
		}
		end := o.close
		if end != forever {
			o.close -= s.need
		}
		if o.open < o.close && from < o.close {
			return o, true
		}
		from = end
	}
	return opening{}, false
}

// window returns the opening of the windows alone that contains the second t, or the first one after it.
func (s *Schedule) window(t int64) (opening, bool) {
	if len(s.windows) == 0 {
		return opening{-forever, forever}, true
	}
	var first opening
	found := false
	for i := range s.windows {
		o, ok := s.windows[i].next(t)
		if ok && (!found || o.open < first.open) {
			first, found = o, true
		}
	}
	if !found {
		return opening{}, false
	}
	if s.alone(first) {
		return first, true
	}
	return s.merge(first, t), true
}

// alone says whether an opening of the only window cannot touch another of the same: it is shorter than a day on the wall,
// and the clock is not changed anywhere near.
func (s *Schedule) alone(o opening) bool {
	if len(s.windows) > 1 || s.windows[0].length == secondsPerDay {
		return false
	}
	p := walltime.At(o.open, s.windows[0].zone)
	return o.open-p.Start > 2*secondsPerDay && p.End-o.close > 2*secondsPerDay
}

// merge returns o with all the openings that overlap or touch it.
func (s *Schedule) merge(o opening, at int64) opening {
	for grown := true; grown; {
		grown = false
		for i := range s.windows {
			z := &s.windows[i]
			for o.close < at+longest {
				next, ok := z.next(o.close)
				if !ok || next.open > o.close {
					break
				}
				o.close, grown = next.close, true
			}
			for o.open > at-longest {
				last, ok := z.before(o.open)
				if !ok || last.close < o.open {
					break
				}
				o.open, grown = last.open, true
			}
		}
	}
	return o
}

// thaw returns the first second from t on at which no freeze is on, and the freeze that was last; -1 if none is on at t. It
// looks no further than end.
func (s *Schedule) thaw(t, end int64) (at int64, last int) {
	last = -1
	for frozen := true; frozen && t < end; {
		frozen = false
		for i := range s.freezes {
			if f, ok := s.freezes[i].next(t); ok && f.open <= t {
				t, last, frozen = f.close, i, true
			}
		}
	}
	return t, last
}

// piece returns what freezes leave of o around the second t, at which none is on.
func (s *Schedule) piece(o opening, t int64) opening {
	for i := range s.freezes {
		f := &s.freezes[i]
		if next, ok := f.next(t); ok {
			o.close = min(o.close, next.open)
		}
		if last, ok := f.before(t); ok {
			o.open = max(o.open, last.close)
		}
	}
	return o
}

// Open says whether work may begin at t.
func (s Schedule) Open(t time.Time) bool {
	at := t.Unix()
	if len(s.freezes) == 0 && s.need == 0 {
		for i := range s.windows {
			if o, ok := s.windows[i].next(at); ok && o.open <= at {
				return true
			}
		}
		return len(s.windows) == 0
	}
	o, ok := s.next(at)
	return ok && o.open <= at
}

// Openings yields the openings that have some time from from on and begin before to, in their order.
func (s Schedule) Openings(from, to time.Time) iter.Seq[Opening] {
	return func(yield func(Opening) bool) {
		for t := from; t.Before(to); {
			open, close := s.Next(t)
			if open.IsZero() || !open.Before(to) || !yield(Opening{open, close}) || close.IsZero() {
				return
			}
			t = close
		}
	}
}
