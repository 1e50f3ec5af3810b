package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/policy/calendar"
)

func TestEventsBecomeWindowsAndFreezes(t *testing.T) {
	hour := time.Hour
	nights, once := recurrence("fri,sat"), recurrence("2026-12-20")
	for _, row := range []struct {
		name           string
		event          calendar.Event
		window, freeze string
	}{
		{"a night", calendar.Event{Name: "n", Days: nights, Start: 22 * 3600, Length: 8 * hour, Zone: "Europe/Berlin"},
			"fri,sat 22:00-06:00 Europe/Berlin", "n, fri,sat 22:00 for 8h Europe/Berlin"},
		{"until midnight", calendar.Event{Name: "n", Days: nights, Start: 22 * 3600, Length: 2 * hour},
			"fri,sat 22:00-24:00 by their own clocks", "n, fri,sat 22:00 for 2h by their own clocks"},
		{"a whole day", calendar.Event{Name: "n", Days: nights, Length: 24 * hour}, "fri,sat 00:00-24:00 by their own clocks", "n, fri,sat 00:00 for 1d by their own clocks"},
		{"a day from the evening on", calendar.Event{Name: "n", Days: nights, Start: 18 * 3600, Length: 24 * hour},
			"fri,sat 18:00-18:00 by their own clocks", "n, fri,sat 18:00 for 1d by their own clocks"},
		{"once, for two weeks", calendar.Event{Name: "n", Days: once, Start: 3600, Length: 14 * 24 * hour, Line: 7},
			`policy: line 7: event "n": it lasts 14d: a window is open for a day at most`, "n, 2026-12-20T01:00 to 2027-01-03T01:00 by their own clocks"},
		{"within a minute", calendar.Event{Name: "n", Days: once, Start: 30, Length: hour},
			`policy: event "n": a window begins and ends with a minute`, `policy: event "n": a freeze begins and ends with a minute`},
		{"of no length", calendar.Event{Name: "n", Days: once},
			`policy: event "n": it lasts 0s: a window is open for a day at most`, `policy: event "n": it lasts 0s: a freeze lasts 366d at most`},
		{"on no day", calendar.Event{Name: "n", Length: hour}, `policy: event "n": it has no days`, `policy: event "n": it has no days`},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := Policy{Name: "p"}
			w, err := WindowOf(row.event)
			got := w.String()
			if err != nil {
				got = err.Error()
			} else {
				p.Windows = []Window{w}
			}
			require.Equal(t, row.window, got)
			f, err := FreezeOf(row.event)
			got = f.String()
			if err != nil {
				got = err.Error()
			} else {
				p.Freezes = []Freeze{f}
			}
			require.Equal(t, row.freeze, got)
			require.NoError(t, p.Validate())
		})
	}
}

// What is imported can be written down and read again, and opens as the file says.
func TestAnImportedCalendarIsAPolicy(t *testing.T) {
	const file = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Servers\nDTSTART;TZID=Europe/Berlin:20260109T220000\nDTEND;TZID=Europe/Berlin:20260110T040000\n" +
		"RRULE:FREQ=MONTHLY;BYDAY=2FR;UNTIL=20261231T000000Z\nEXDATE;TZID=Europe/Berlin:20260213T220000\nEND:VEVENT\nEND:VCALENDAR\n"
	p := Policy{Name: "p"}
	for e, err := range calendar.ReadEvents(strings.NewReader(file), time.LoadLocation) {
		require.NoError(t, err)
		w, err := WindowOf(e)
		require.NoError(t, err)
		p.Windows = append(p.Windows, w)
	}
	events, err := calendar.ParseCron("30 1 * * sun#1", 2*time.Hour)
	require.NoError(t, err)
	for _, e := range events {
		w, err := WindowOf(e)
		require.NoError(t, err)
		p.Windows = append(p.Windows, w)
	}
	var text strings.Builder
	require.NoError(t, Encode(&text, p))
	back, err := decode(text.String())
	require.NoError(t, err)
	s, err := back.Schedule(back.Windows, "UTC")
	require.NoError(t, err)
	require.Equal(t, []string{"20260104T013000Z/20260104T033000Z", "20260109T210000Z/20260110T030000Z", "20260201T013000Z/20260201T033000Z",
		"20260301T013000Z/20260301T033000Z", "20260313T210000Z/20260314T030000Z"}, listOpenings(s, instant(t, "2026-01-01T00:00:00Z"), instant(t, "2026-04-01T00:00:00Z")))
}
