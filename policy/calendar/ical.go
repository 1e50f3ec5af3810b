package calendar

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/patchflow/patchflow/patch"
)

// Bounds of an iCalendar file.
const (
	maxFile   = 8 << 20 // bytes
	maxLine   = 64 << 10
	maxEvents = 10_000
	maxNested = 8
)

// ReadEvents yields the events of an iCalendar file (RFC 5545), in its order: what a VEVENT says with SUMMARY, DTSTART, DTEND or
// DURATION, RRULE and EXDATE. An event that is moved (RECURRENCE-ID) is taken out of its series and comes by itself, and
// one that is cancelled is left out. Alarms, and what a VTIMEZONE says, are passed over: zones returns the zone for a TZID,
// [time.LoadLocation] for instance; its name is the event's zone. Times in UTC have the zone "UTC", and times without
// zone have none. The length of an event is what the clock on the wall says.
//
// An event that cannot be had exactly is yielded as an error that names its line and wraps [patch.ErrRecord], and the next one
// follows: several times a day, RDATE, a start that is not among the days of its own rule (which RFC 5545 leaves
// undefined), a zone that zones does not know. Any other error is the last; it says that the file is damaged, larger than
// 8 MiB, or holds more than 10,000 events.
func ReadEvents(r io.Reader, zones Zones) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		raw, err := readRaw(r)
		if err != nil {
			yield(Event{}, fmt.Errorf("calendar: %w", err))
			return
		}
		moved := make(map[string][]property) // by UID: the times that others take the place of
		for _, e := range raw {
			if id, ok := e.first("RECURRENCE-ID"); ok {
				moved[e.value("UID")] = append(moved[e.value("UID")], id)
			}
		}
		for _, e := range raw {
			if strings.EqualFold(e.value("STATUS"), "CANCELLED") {
				continue
			}
			if _, ok := e.first("RECURRENCE-ID"); !ok {
				e.out = moved[e.value("UID")]
			}
			event, err := e.event(zones)
			if err != nil {
				err = fmt.Errorf("calendar: line %d: event %q: %w: %w", e.line, clip(e.value("SUMMARY")), err, patch.ErrRecord)
			}
			if !yield(event, err) {
				return
			}
		}
	}
}

// A property is a line of an iCalendar file, unfolded.
type property struct {
	line   int
	name   string // in capitals
	params []param
	value  string
}

type param struct{ name, value string }

func (p property) param(name string) string {
	for _, x := range p.params {
		if x.name == name {
			return x.value
		}
	}
	return ""
}

// A rawEvent is a VEVENT as it is written.
type rawEvent struct {
	line       int
	properties []property
	out        []property // times of the series that are events of their own
}

func (e *rawEvent) first(name string) (property, bool) {
	for _, p := range e.properties {
		if p.name == name {
			return p, true
		}
	}
	return property{}, false
}

func (e *rawEvent) value(name string) string {
	p, _ := e.first(name)
	return p.value
}

// readRaw returns the events of a file. An error is about the file as a whole.
func readRaw(r io.Reader) (events []*rawEvent, err error) {
	limited := &io.LimitedReader{R: r, N: maxFile + 1}
	lines := &unfolder{scanner: bufio.NewScanner(limited)}
	lines.scanner.Buffer(nil, maxLine)
	var open []string // the components that have begun
	for {
		text, line, ok := lines.next()
		if !ok {
			break
		}
		p, err := parseLine(text, line)
		if err != nil {
			return nil, err
		}
		inEvent := len(open) == 2 && open[1] == "VEVENT"
		switch what := strings.ToUpper(p.value); {
		case p.name == "BEGIN":
			switch {
			case len(open) == 0 && what != "VCALENDAR":
				return nil, fmt.Errorf("line %d: begins with %q: want VCALENDAR", line, clip(p.value))
			case len(open) == maxNested:
				return nil, fmt.Errorf("line %d: nested deeper than %d levels", line, maxNested)
			case len(open) == 1 && what == "VEVENT" && len(events) == maxEvents:
				return nil, fmt.Errorf("line %d: more than %d events", line, maxEvents)
			case len(open) == 1 && what == "VEVENT":
				events = append(events, &rawEvent{line: line})
			}
			open = append(open, what)
		case len(open) == 0:
			return nil, fmt.Errorf("line %d: stands outside of the calendar", line)
		case p.name == "END":
			if open[len(open)-1] != what {
				return nil, fmt.Errorf("line %d: %q ends where %s should", line, clip(p.value), clip(open[len(open)-1]))
			}
			open = open[:len(open)-1]
		case inEvent:
			e := events[len(events)-1]
			e.properties = append(e.properties, p)
		}
	}
	switch {
	case lines.err != nil:
		return nil, fmt.Errorf("line %d: %w", lines.line, lines.err)
	case limited.N == 0:
		return nil, fmt.Errorf("larger than %d bytes", maxFile)
	case len(open) > 0:
		return nil, fmt.Errorf("line %d: ends within %s: %w", lines.line, clip(open[len(open)-1]), io.ErrUnexpectedEOF)
	case lines.line == 0:
		return nil, errors.New("the file is empty")
	}
	return events, nil
}

// An unfolder joins the lines that a long one was folded into.
type unfolder struct {
	scanner *bufio.Scanner
	line    int // that was read last
	ahead   string
	at      int // the line that ahead is; 0 if there is none
	err     error
}

// next returns the next line that is not empty, and its number.
func (u *unfolder) next() (text string, line int, ok bool) {
	var b strings.Builder
	if u.at > 0 {
		b.WriteString(u.ahead)
		line, u.at = u.at, 0
	}
	for u.scanner.Scan() {
		u.line++
		s := strings.TrimSuffix(u.scanner.Text(), "\r")
		if u.line == 1 {
			s = strings.TrimPrefix(s, "\ufeff")
		}
		switch folded := s != "" && (s[0] == ' ' || s[0] == '\t'); {
		case folded && b.Len()+len(s) > maxLine:
			u.err = fmt.Errorf("a line of more than %d bytes", maxLine)
			return "", 0, false
		case folded && line > 0:
			b.WriteString(s[1:])
		case line > 0 && s != "":
			u.ahead, u.at = s, u.line
			return b.String(), line, true
		case s != "":
			b.WriteString(s)
			line = u.line
		}
	}
	if err := u.scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
		u.err = fmt.Errorf("a line of more than %d bytes", maxLine)
		return "", 0, false
	} else if err != nil {
		u.err = err
		return "", 0, false
	}
	return b.String(), line, line > 0
}

// parseLine reads a line: a name, parameters behind semicolons, and a value behind a colon. Values of parameters may be quoted.
func parseLine(text string, line int) (property, error) {
	p := property{line: line}
	end := strings.IndexAny(text, ";:")
	if end <= 0 {
		return p, fmt.Errorf("line %d: %q is no property: want a name and a colon", line, clip(text))
	}
	p.name = strings.ToUpper(text[:end])
	for text = text[end:]; text != "" && text[0] == ';'; {
		name, rest, ok := strings.Cut(text[1:], "=")
		if !ok || strings.ContainsAny(name, ":;\"") {
			return p, fmt.Errorf("line %d: %s: a parameter without a value", line, clip(p.name))
		}
		var value string
		if quoted, found := strings.CutPrefix(rest, `"`); found {
			if value, rest, ok = strings.Cut(quoted, `"`); !ok {
				return p, fmt.Errorf("line %d: %s: a quote that does not end", line, clip(p.name))
			}
		} else {
			end := strings.IndexAny(rest, ";:")
			if end < 0 {
				end = len(rest)
			}
			value, rest = rest[:end], rest[end:]
		}
		p.params = append(p.params, param{strings.ToUpper(name), value})
		text = rest
	}
	value, ok := strings.CutPrefix(text, ":")
	if !ok {
		return p, fmt.Errorf("line %d: %s: want a colon and a value", line, clip(p.name))
	}
	p.value = value
	return p, nil
}
