package calendar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/walltime"
)

// Zones returns the time zone that a file names.
type Zones func(name string) (*time.Location, error)

// A stamp is the value of DTSTART and its like.
type stamp struct {
	wall   Wall
	isDate bool
	isUTC  bool
	zone   *time.Location // of a TZID; nil if there is none
}

func (p property) stamp(value string, zones Zones) (s stamp, err error) {
	plain := strings.TrimSuffix(value, "Z")
	s.isUTC = plain != value
	if s.wall, s.isDate, err = parseCompact(plain); err != nil {
		return s, err
	}
	id := p.param("TZID")
	switch {
	case s.isDate && s.isUTC:
		return s, fmt.Errorf("%q: a date has no Z", clip(value))
	case p.param("VALUE") == "DATE" && !s.isDate:
		return s, fmt.Errorf("%q is no date", clip(value))
	case id != "" && !s.isUTC && !s.isDate:
		if s.zone, err = zones(id); err != nil {
			return s, fmt.Errorf("zone %q: %w", clip(id), err)
		}
	}
	return s, nil
}

// on returns what the clock that start goes by shows at s.
func (s stamp) on(start stamp) (Wall, error) {
	var at time.Time
	switch {
	case s.isUTC == start.isUTC && s.zone == start.zone, s.isDate, s.zone != nil && start.zone != nil && s.zone.String() == start.zone.String():
		return s.wall, nil
	case s.isUTC:
		at, _ = s.wall.In(time.UTC, GapKeep)
	case s.zone != nil:
		at, _ = s.wall.In(s.zone, GapKeep)
	default:
		return 0, errors.New("it has no zone, and DTSTART has one")
	}
	switch {
	case start.isUTC:
		return WallOf(at, time.UTC), nil
	case start.zone != nil:
		return WallOf(at, start.zone), nil
	}
	return 0, errors.New("it has a zone, and DTSTART has none")
}

// event reads what the properties say together.
func (e *rawEvent) event(zones Zones) (Event, error) {
	event := Event{Name: unescape(e.value("SUMMARY")), Line: e.line}
	seen := make(map[string]bool)
	for _, p := range e.properties {
		switch p.name {
		case "RDATE", "EXRULE":
			return Event{}, fmt.Errorf("%s: not supported", p.name)
		case "DTSTART", "DTEND", "DURATION", "RRULE", "RECURRENCE-ID", "UID":
			if seen[p.name] {
				return Event{}, fmt.Errorf("%s: stands twice", p.name)
			}
			seen[p.name] = true
		}
		if p.name == "RECURRENCE-ID" && p.param("RANGE") != "" {
			return Event{}, errors.New("RECURRENCE-ID: RANGE is not supported")
		}
	}
	p, ok := e.first("DTSTART")
	if !ok {
		return Event{}, errors.New("DTSTART: missing")
	}
	start, err := p.stamp(p.value, zones)
	if err != nil {
		return Event{}, fmt.Errorf("DTSTART: %w", err)
	}
	event.Start = start.wall.Seconds()
	switch {
	case start.isUTC:
		event.Zone = "UTC"
	case start.zone != nil:
		event.Zone = start.zone.String()
	}
	if event.Length, err = e.length(start, zones); err != nil {
		return Event{}, err
	}
	event.Days, err = e.days(start, zones)
	return event, err
}

// length returns how long the event is on the wall.
func (e *rawEvent) length(start stamp, zones Zones) (time.Duration, error) {
	end, hasEnd := e.first("DTEND")
	duration, hasDuration := e.first("DURATION")
	switch {
	case hasEnd && hasDuration:
		return 0, errors.New("DTEND and DURATION: only one of them can say how long it is")
	case hasEnd:
		s, err := end.stamp(end.value, zones)
		if err != nil {
			return 0, fmt.Errorf("DTEND: %w", err)
		}
		if s.isDate != start.isDate {
			return 0, errors.New("DTEND: a date and a time do not go together")
		}
		w, err := s.on(start)
		if err != nil {
			return 0, fmt.Errorf("DTEND: %w", err)
		}
		if w <= start.wall {
			return 0, errors.New("DTEND: it ends before it begins")
		}
		if w-start.wall > maxLength {
			return 0, fmt.Errorf("DTEND: it is longer than %d days", maxLength/walltime.SecondsPerDay)
		}
		return time.Duration(w-start.wall) * time.Second, nil
	case hasDuration:
		d, err := parseISO(duration.value)
		if err != nil {
			return 0, fmt.Errorf("DURATION: %w", err)
		}
		return d, nil
	case start.isDate:
		return 24 * time.Hour, nil
	}
	return 0, errors.New("DTEND and DURATION: missing, and the event has no length")
}

// maxLength bounds the length of an event, in seconds.
const maxLength = 366 * walltime.SecondsPerDay

// parseISO reads a duration as RFC 5545 section 3.3.6 writes it: "PT8H", "P1DT12H", "P2W".
func parseISO(s string) (time.Duration, error) {
	bad := fmt.Errorf(`%q is no duration: want for example "PT8H" or "P1D"`, clip(s))
	rest, ok := strings.CutPrefix(strings.TrimPrefix(s, "+"), "P")
	if !ok || rest == "" || strings.HasSuffix(rest, "T") {
		return 0, bad
	}
	total, units := 0, "WDTHMS"
	for rest != "" {
		digits := 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			digits++
		}
		if digits == len(rest) {
			return 0, bad
		}
		i := strings.IndexByte(units, rest[digits])
		isTime := !strings.Contains(units, "T")
		if i < 0 || (rest[digits] == 'T') != (digits == 0) || strings.IndexByte("HMS", rest[digits]) >= 0 != isTime {
			return 0, bad
		}
		unit := map[byte]int{'W': 7 * walltime.SecondsPerDay, 'D': walltime.SecondsPerDay, 'H': 3600, 'M': 60, 'S': 1}[rest[digits]]
		if digits > 0 {
			n, err := number(rest[:digits], 0, maxLength)
			if err != nil {
				return 0, bad
			}
			total += n * unit
		}
		units, rest = units[i+1:], rest[digits+1:]
	}
	if total == 0 || total > maxLength {
		return 0, fmt.Errorf("%q: want more than nothing and at most %d days", clip(s), maxLength/walltime.SecondsPerDay)
	}
	return time.Duration(total) * time.Second, nil
}

// days returns the days on which the event begins.
func (e *rawEvent) days(start stamp, zones Zones) (Recurrence, error) {
	first := start.wall.Date()
	p, ok := e.first("RRULE")
	if !ok {
		return Parse(first.String())
	}
	text := strings.ToUpper(strings.TrimSpace(p.value))
	rule, err := parseRule(text, start.wall)
	if err != nil {
		return Recurrence{}, fmt.Errorf("RRULE: %w", err)
	}
	switch {
	case rule.step > 0, len(rule.times) > 1:
		return Recurrence{}, errors.New("RRULE: it begins several times a day")
	case rule.times[0] != start.wall.Seconds():
		return Recurrence{}, errors.New("RRULE: it begins at another time of day than DTSTART")
	}
	out, err := e.exceptions(start, zones)
	if err != nil {
		return Recurrence{}, err
	}
	if w, _ := rule.next(start.wall); w != start.wall && !slices.Contains(out, first) {
		return Recurrence{}, errors.New("DTSTART: it is not one of the times of RRULE, which RFC 5545 leaves undefined")
	}
	words := []string{"DTSTART=" + first.time().Format(compactDate)}
	for part := range strings.SplitSeq(text, ";") {
		switch name, value, _ := strings.Cut(part, "="); name {
		case "BYHOUR", "BYMINUTE": // the time of day, which is that of the start
		case "UNTIL":
			last, err := lastDay(value, start)
			if err != nil {
				return Recurrence{}, fmt.Errorf("RRULE: part UNTIL: %w", err)
			}
			words = append(words, "UNTIL="+last.time().Format(compactDate))
		default:
			words = append(words, part)
		}
	}
	if len(out) > 0 {
		dates := make([]string, len(out))
		for i, d := range out {
			dates[i] = d.time().Format(compactDate)
		}
		words = append(words, "EXDATE="+strings.Join(dates, ","))
	}
	r, err := parse(strings.Join(words, ";"))
	if err != nil {
		return Recurrence{}, fmt.Errorf("RRULE: %w", err)
	}
	return r, nil
}

// exceptions returns the days that EXDATE and moved events take out: those whose time is that of the start.
func (e *rawEvent) exceptions(start stamp, zones Zones) (out []Date, err error) {
	for _, p := range append(slices.Clone(e.properties), e.out...) {
		if p.name != "EXDATE" && p.name != "RECURRENCE-ID" {
			continue
		}
		for value := range strings.SplitSeq(p.value, ",") {
			s, err := p.stamp(value, zones)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			w, err := s.on(start)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			if s.isDate || w.Seconds() == start.wall.Seconds() {
				out = append(out, w.Date())
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// lastDay returns the last day that UNTIL leaves to a rule whose times of day are that of start.
func lastDay(until string, start stamp) (Date, error) {
	plain := strings.TrimSuffix(until, "Z")
	w, isDate, err := parseCompact(plain)
	switch {
	case err != nil:
		return 0, err
	case isDate:
		return w.Date(), nil
	case plain != until && start.zone != nil:
		w = Wall(walltime.Latest(int64(w), start.zone))
	case plain != until && !start.isUTC:
		return 0, errors.New("it is in UTC, and DTSTART has no zone")
	}
	if w.Seconds() < start.wall.Seconds() {
		return w.Date() - 1, nil
	}
	return w.Date(), nil
}

// unescape reads a text value on one line.
func unescape(s string) string {
	s = strings.NewReplacer(`\n`, " ", `\N`, " ", `\,`, ",", `\;`, ";", `\\`, `\`).Replace(s)
	return strings.ToValidUTF8(s, "\ufffd")
}
