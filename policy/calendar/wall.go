package calendar

import (
	"fmt"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/internal/walltime"
)

// A Wall is what a clock on the wall shows, with its date and without a zone: seconds since 1 January 1970, midnight, on
// that clock. Its text form is "2026-12-24" for a midnight, "2026-12-24T18:00" or "2026-12-24T18:00:30" otherwise; a blank may
// stand for the T. The zero Wall is 1 January 1970, which is no time for a patch: where a Wall is optional, zero means none.
type Wall int64

// WallOf returns what the clock of loc shows at t, without fractions of a second.
func WallOf(t time.Time, loc *time.Location) Wall {
	at := t.Unix()
	return Wall(at + walltime.At(at, loc).Offset)
}

// Date returns the day that w is on.
func (w Wall) Date() Date { return Date(walltime.FloorDiv(int64(w), walltime.SecondsPerDay)) }

// Seconds returns the time of day, in seconds since midnight.
func (w Wall) Seconds() int { return int(walltime.FloorMod(int64(w), walltime.SecondsPerDay)) }

// String returns the text form.
func (w Wall) String() string {
	switch t := time.Unix(int64(w), 0).UTC(); {
	case w.Seconds() == 0:
		return t.Format(time.DateOnly)
	case t.Second() == 0:
		return t.Format("2006-01-02T15:04")
	default:
		return t.Format("2006-01-02T15:04:05")
	}
}

// MarshalText implements [encoding.TextMarshaler]. A year that the text form does not know is an error.
func (w Wall) MarshalText() ([]byte, error) {
	if w < minDate.At(0) || w >= (maxDate+1).At(0) {
		return nil, fmt.Errorf("wall clock time: second %d is not in the years 1 to 9999", int64(w))
	}
	return []byte(w.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (w *Wall) UnmarshalText(text []byte) error {
	v, err := ParseWall(string(text))
	if err != nil {
		return err
	}
	*w = v
	return nil
}

// ParseWall reads the text form of a [Wall].
func ParseWall(s string) (Wall, error) {
	plain := strings.Replace(s, " ", "T", 1)
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if len(plain) != len(layout) {
			continue
		}
		if t, err := time.Parse(layout, plain); err == nil && t.Year() > 0 {
			return Wall(t.Unix()), nil
		}
	}
	return 0, fmt.Errorf(`%q is no date and time: want for example "2026-12-24" or "2026-12-24T18:00"`, clip(s))
}

// A Gap says what becomes of a wall clock time that does not exist, because clocks go forward over it.
type Gap uint8

const (
	GapShift Gap = iota // it means the first instant after the gap
	GapSkip             // there is no such time: it is left out, as RFC 5545 section 3.3.10 does with recurrences
	GapKeep             // the offset of before the gap holds on, as RFC 5545 section 3.3.5 does with single times: 02:30 means 03:30
)

func gapNames() enum.Names { return enum.Names{"shift", "skip", "keep"} }

// String returns the lower-case name, as used in JSON and YAML.
func (g Gap) String() string { return gapNames().String("gap", int(g)) }

// MarshalText implements [encoding.TextMarshaler].
func (g Gap) MarshalText() ([]byte, error) { return gapNames().Text("gap", int(g)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (g *Gap) UnmarshalText(text []byte) error {
	v, err := gapNames().Parse("gap", text)
	if err == nil {
		*g = Gap(v)
	}
	return err
}

// A Fit says how often the clock of a zone shows a time.
type Fit uint8

const (
	FitOnce  Fit = iota
	FitNever     // clocks go forward over it: a [Gap] says what it means
	FitTwice     // clocks are put back to before it: it means the first of the two
)

func fitNames() enum.Names { return enum.Names{"once", "never", "twice"} }

// String returns the lower-case name, as used in JSON.
func (f Fit) String() string { return fitNames().String("fit", int(f)) }

// MarshalText implements [encoding.TextMarshaler].
func (f Fit) MarshalText() ([]byte, error) { return fitNames().Text("fit", int(f)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (f *Fit) UnmarshalText(text []byte) error {
	v, err := fitNames().Parse("fit", text)
	if err == nil {
		*f = Fit(v)
	}
	return err
}

// In returns the instant in UTC at which the clock of loc shows w, and how often it does. A time that is shown twice means
// the first; one that is never shown means what gap says. With [GapSkip] such a time is no instant: the zero time.
func (w Wall) In(loc *time.Location, gap Gap) (time.Time, Fit) {
	p := walltime.Find(int64(w), loc)
	at, fit := p.At, FitOnce
	switch {
	case p.Gap && gap == GapSkip:
		return time.Time{}, FitNever
	case p.Gap && gap == GapKeep:
		at, fit = int64(w)-p.Before, FitNever
	case p.Gap:
		fit = FitNever
	case p.Twice:
		fit = FitTwice
	}
	return time.Unix(at, 0).UTC(), fit
}
