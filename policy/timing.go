package policy

import (
	"fmt"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/internal/walltime"
	"github.com/patchflow/patchflow/policy/calendar"
)

// A Timing says why work may or may not begin at an instant, and when it may next. String renders it in English.
type Timing struct {
	At      time.Time   `json:"at"`
	State   TimingState `json:"state"`
	Opening Opening     `json:"opening,omitzero"` // the one that At is in, or the next; zero if there is none
	Freeze  string      `json:"freeze,omitempty"` // frozen: the name of the freeze that is on longest
	Thaw    time.Time   `json:"thaw,omitzero"`    // frozen: when no freeze is on any more
	Need    Duration    `json:"need,omitempty"`   // short: how much of an opening work needs

	// The rest is about the window that the opening begins in. Window is empty if the policy has none.
	Window  string        `json:"window,omitempty"` // as [Window.String] writes it
	Zone    string        `json:"zone,omitempty"`   // whose clock it goes by
	From    calendar.Wall `json:"from,omitzero"`    // when it opens, by that clock
	Until   calendar.Wall `json:"until,omitzero"`   // when it closes
	Start   calendar.Fit  `json:"start,omitempty"`  // whether the clock shows From, and how often
	End     calendar.Fit  `json:"end,omitempty"`    // the same for Until
	LeftOut calendar.Wall `json:"leftOut,omitzero"` // when it would have opened before, had the clock not skipped that; zero if there is none
}

// TimingState says why a schedule is open or closed.
type TimingState uint8

const (
	TimingNever   TimingState = iota // it does not open any more
	TimingOpen                       // work may begin
	TimingOutside                    // no window is open
	TimingFrozen                     // a freeze is on
	TimingShort                      // a window is open, but too little of it is left
)

func timingNames() enum.Names { return enum.Names{"never", "open", "outside", "frozen", "short"} }

// String returns the lower-case name, as used in JSON.
func (s TimingState) String() string { return timingNames().String("timing", int(s)) }

// MarshalText implements [encoding.TextMarshaler].
func (s TimingState) MarshalText() ([]byte, error) { return timingNames().Text("timing", int(s)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (s *TimingState) UnmarshalText(text []byte) error {
	v, err := timingNames().Parse("timing", text)
	if err == nil {
		*s = TimingState(v)
	}
	return err
}

// Explain says why work may or may not begin at t. It agrees with [Schedule.Next].
func (s Schedule) Explain(t time.Time) Timing {
	x := Timing{At: t.UTC(), State: TimingOpen}
	open, close := s.Next(t)
	x.Opening = Opening{open, close}
	at := t.Unix()
	thaw, frozen := s.thaw(at, at+farthest)
	o, ok := s.window(at)
	switch inside := ok && o.open <= at; {
	case frozen >= 0:
		x.State, x.Freeze, x.Thaw = TimingFrozen, s.names[frozen], time.Unix(thaw, 0).UTC()
	case open.IsZero():
		x.State = TimingNever
	case !open.After(t):
	case inside:
		x.State, x.Need = TimingShort, Duration(s.need)*Duration(time.Second)
	default:
		x.State = TimingOutside
	}
	if !open.IsZero() && len(s.windows) > 0 {
		s.explainWindow(&x, open.Unix(), at)
	}
	return x
}

// explainWindow says which window the opening that begins at the second open begins in, seen from the second at.
func (s *Schedule) explainWindow(x *Timing, open, at int64) {
	best, day := -1, int64(0)
	var first opening
	for i := range s.windows {
		if d, o, ok := s.windows[i].find(open); ok && o.open <= open && (best < 0 || o.open < first.open) {
			best, day, first = i, d, o
		}
	}
	if best < 0 {
		return
	}
	w := &s.windows[best]
	from := day*secondsPerDay + w.start
	x.Window, x.Zone = s.plain[best].String(), w.zone.String()
	x.From, x.Until = calendar.Wall(from), calendar.Wall(from+w.length)
	x.Start, x.End = fit(from, w.zone), fit(from+w.length, w.zone)
	// What this window would have opened for between then and now.
	for d, ok := w.dayBefore(day - 1); ok && (d+2)*secondsPerDay > at; d, ok = w.dayBefore(d - 1) {
		if _, exists := w.opening(d, walltime.At(open, w.zone)); !exists && walltime.Find(d*secondsPerDay+w.start, w.zone).At > at {
			x.LeftOut = calendar.Wall(d*secondsPerDay + w.start)
		}
	}
}

func fit(wall int64, loc *time.Location) calendar.Fit {
	switch p := walltime.Find(wall, loc); {
	case p.Gap:
		return calendar.FitNever
	case p.Twice:
		return calendar.FitTwice
	}
	return calendar.FitOnce
}

// String returns x on one line, with instants in UTC.
func (x Timing) String() string {
	var b strings.Builder
	write := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	switch x.State {
	case TimingOpen:
		write("open")
	case TimingOutside:
		write("closed: no window is open")
	case TimingFrozen:
		write("closed: freeze %q, until %s", x.Freeze, clock(x.Thaw))
	case TimingShort:
		write("closed: work needs %s, and less than that is left of the opening", x.Need)
	default:
		write("closed for good")
	}
	switch next := x.State != TimingOpen; {
	case x.Opening.Open.IsZero():
		return b.String()
	case next:
		write("; opens %s", clock(x.Opening.Open))
	}
	if x.Opening.Close.IsZero() {
		write(", without an end")
	} else {
		write(" until %s", clock(x.Opening.Close))
	}
	if x.Window == "" {
		return b.String()
	}
	write(" (%s)", x.Window)
	if x.LeftOut != 0 {
		write("; left out %s, which the clock of %s skips", x.LeftOut, x.Zone)
	}
	for _, end := range []struct {
		wall calendar.Wall
		fit  calendar.Fit
	}{{x.From, x.Start}, {x.Until, x.End}} {
		switch end.fit {
		case calendar.FitNever:
			write("; the clock of %s skips %s: the first instant after the gap counts", x.Zone, end.wall)
		case calendar.FitTwice:
			write("; the clock of %s shows %s twice: the first counts", x.Zone, end.wall)
		}
	}
	return b.String()
}

func clock(t time.Time) string { return t.UTC().Format("Mon 2006-01-02 15:04 UTC") }
