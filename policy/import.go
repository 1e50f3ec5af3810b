package policy

import (
	"fmt"
	"time"

	"github.com/patchflow/patchflow/policy/calendar"
)

// WindowOf makes a window of an event from cron or from an iCalendar file. An event that a window cannot say is an error:
// one that begins or ends within a minute, or lasts longer than a day.
func WindowOf(e calendar.Event) (Window, error) {
	day := 24 * time.Hour
	switch {
	case e.Days.IsZero():
		return Window{}, fault(e, "it has no days")
	case e.Start < 0 || e.Start >= secondsPerDay || e.Start%secondsPerMinute != 0 || e.Length%time.Minute != 0:
		return Window{}, fault(e, "a window begins and ends with a minute")
	case e.Length <= 0 || e.Length > day:
		return Window{}, fault(e, "it lasts %s: a window is open for a day at most", Duration(e.Length))
	}
	w := Window{On: e.Days, Start: Clock(e.Start / secondsPerMinute), Zone: e.Zone}
	w.End = w.Start + Clock(e.Length/time.Minute)
	if w.End > minutesPerDay {
		w.End -= minutesPerDay
	}
	return w, nil
}

// FreezeOf makes a freeze of an event from cron or from an iCalendar file. It has the event's name, which a freeze needs.
func FreezeOf(e calendar.Event) (Freeze, error) {
	first, ok := e.Days.Next(calendar.DateOf(1, time.January, 1))
	switch {
	case !ok:
		return Freeze{}, fault(e, "it has no days")
	case e.Start < 0 || e.Start >= secondsPerDay || e.Start%secondsPerMinute != 0 || e.Length%time.Minute != 0:
		return Freeze{}, fault(e, "a freeze begins and ends with a minute")
	case e.Length <= 0 || Duration(e.Length) > maxFreeze:
		return Freeze{}, fault(e, "it lasts %s: a freeze lasts %s at most", Duration(e.Length), maxFreeze)
	}
	f := Freeze{Name: e.Name, Zone: e.Zone}
	if _, more := e.Days.Next(first + 1); !more {
		f.From = first.At(e.Start)
		f.Until = f.From + calendar.Wall(e.Length/time.Second)
		return f, nil
	}
	f.On, f.Start, f.For = e.Days, Clock(e.Start/secondsPerMinute), Duration(e.Length)
	return f, nil
}

func fault(e calendar.Event, format string, args ...any) error {
	where := ""
	if e.Line > 0 {
		where = fmt.Sprintf("line %d: ", e.Line)
	}
	return fmt.Errorf("policy: %sevent %q: %s", where, clip(e.Name), fmt.Sprintf(format, args...))
}
