package calendar_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/calendar"
)

// file makes an iCalendar file of the lines of its events; a blank line parts two.
func file(events string) string {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\nVERSION:2.0\n")
	for event := range strings.SplitSeq(strings.TrimSpace(events), "\n\n") {
		b.WriteString("BEGIN:VEVENT\n" + strings.TrimSpace(event) + "\nEND:VEVENT\n")
	}
	b.WriteString("END:VCALENDAR\n")
	return strings.ReplaceAll(b.String(), "\n", "\r\n")
}

// read writes each event or error of a file on one line.
func read(r io.Reader) (all []string) {
	for e, err := range calendar.ReadEvents(r, time.LoadLocation) {
		if err != nil {
			all = append(all, err.Error())
			continue
		}
		all = append(all, fmt.Sprintf("%d: %s, %s at %02d:%02d for %s %s", e.Line, e.Name, e.Days, e.Start/3600, e.Start/60%60, e.Length, e.Zone))
	}
	return all
}

func TestEvents(t *testing.T) {
	for _, row := range []struct{ name, event, want string }{
		{"one night", "SUMMARY:Servers\nDTSTART;TZID=Europe/Berlin:20260613T220000\nDTEND;TZID=Europe/Berlin:20260614T060000",
			"3: Servers, 2026-06-13 at 22:00 for 8h0m0s Europe/Berlin"},
		{"a whole day, which is no zone's", "SUMMARY:Inventory\nDTSTART;VALUE=DATE:20260613", "3: Inventory, 2026-06-13 at 00:00 for 24h0m0s "},
		{"a freeze of days", "SUMMARY:Year's end\\, no changes\nDTSTART;VALUE=DATE:20261220\nDTEND;VALUE=DATE:20270104",
			"3: Year's end, no changes, 2026-12-20 at 00:00 for 360h0m0s "},
		{"in UTC, with a duration", "DTSTART:20260613T220000Z\nDURATION:P1DT2H30M", "3: , 2026-06-13 at 22:00 for 26h30m0s UTC"},
		{"weeks", "DTSTART:20260613T220000\nDURATION:P2W", "3: , 2026-06-13 at 22:00 for 336h0m0s "},
		{"a line that is folded", "SUMMARY:Two\n  lines\nDTSTART;TZID=\"Europe/\n Berlin\":20260613T220000\nDURATION:PT1H",
			"3: Two lines, 2026-06-13 at 22:00 for 1h0m0s Europe/Berlin"},
		{"a rule", "DTSTART;TZID=Europe/Berlin:20260612T220000\nDURATION:PT4H\nRRULE:FREQ=MONTHLY;BYDAY=2FR",
			"3: , DTSTART=20260612;FREQ=MONTHLY;BYDAY=2FR at 22:00 for 4h0m0s Europe/Berlin"},
		{"a rule that says the time of day again", "DTSTART:20260612T220000Z\nDURATION:PT4H\nRRULE:FREQ=DAILY;BYHOUR=22;BYMINUTE=0",
			"3: , DTSTART=20260612;FREQ=DAILY at 22:00 for 4h0m0s UTC"},
		{"until an instant: 22:00 in Berlin is the last", "DTSTART;TZID=Europe/Berlin:20260612T220000\nDURATION:PT4H\nRRULE:FREQ=DAILY;UNTIL=20260615T200000Z",
			"3: , DTSTART=20260612;FREQ=DAILY;UNTIL=20260615 at 22:00 for 4h0m0s Europe/Berlin"},
		{"until a second before", "DTSTART;TZID=Europe/Berlin:20260612T220000\nDURATION:PT4H\nRRULE:FREQ=DAILY;UNTIL=20260615T195959Z",
			"3: , DTSTART=20260612;FREQ=DAILY;UNTIL=20260614 at 22:00 for 4h0m0s Europe/Berlin"},
		{"exceptions, in UTC too, and one at no time of the rule", "DTSTART;TZID=Europe/Berlin:20260612T220000\nDURATION:PT4H\nRRULE:FREQ=DAILY;COUNT=9\nEXDATE;TZID=Europe/Berlin:20260613T220000,20260614T210000\nEXDATE:20260615T200000Z",
			"3: , DTSTART=20260612;FREQ=DAILY;COUNT=9;EXDATE=20260613,20260615 at 22:00 for 4h0m0s Europe/Berlin"},
		{"an end in another zone", "DTSTART;TZID=Europe/Berlin:20260612T220000\nDTEND:20260612T220000Z", "3: , 2026-06-12 at 22:00 for 2h0m0s Europe/Berlin"},
		{"alarms are no business of ours", "DTSTART:20260613T220000Z\nDURATION:PT1H\nBEGIN:VALARM\nDURATION:PT5M\nDTSTART:19700101T000000\nEND:VALARM",
			"3: , 2026-06-13 at 22:00 for 1h0m0s UTC"},
		{"one of a series is moved", "UID:1\nDTSTART:20260612T220000Z\nDURATION:PT4H\nRRULE:FREQ=WEEKLY\n\nUID:1\nRECURRENCE-ID:20260619T220000Z\nDTSTART:20260620T230000Z\nDURATION:PT1H",
			"3: , DTSTART=20260612;FREQ=WEEKLY;EXDATE=20260619 at 22:00 for 4h0m0s UTC\n9: , 2026-06-20 at 23:00 for 1h0m0s UTC"},
		{"one of a series is cancelled", "UID:1\nDTSTART:20260612T220000Z\nDURATION:PT4H\nRRULE:FREQ=WEEKLY\n\nUID:1\nSTATUS:CANCELLED\nRECURRENCE-ID:20260619T220000Z\nDTSTART:20260619T220000Z",
			"3: , DTSTART=20260612;FREQ=WEEKLY;EXDATE=20260619 at 22:00 for 4h0m0s UTC"},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.Equal(t, row.want, strings.Join(read(strings.NewReader(file(row.event))), "\n"))
		})
	}
}

func TestEventsThatAreRefused(t *testing.T) {
	const start = "DTSTART;TZID=Europe/Berlin:20260612T220000\n"
	for event, want := range map[string]string{
		"SUMMARY:x":                                        "DTSTART: missing",
		"DTSTART:2026-06-12\nDURATION:PT1H":                `DTSTART: "2026-06-12" is no time`,
		"DTSTART;VALUE=DATE:20260612T220000":               "is no date",
		"DTSTART:20260612Z":                                "a date has no Z",
		"DTSTART;TZID=Nowhere:20260612T220000":             `DTSTART: zone "Nowhere"`,
		"DTSTART:20260612T220000\nDTSTART:20260612T220000": "DTSTART: stands twice",
		start:                                                  "the event has no length",
		start + "DURATION:PT0S":                                "want more than nothing",
		start + "DURATION:-PT1H":                               "is no duration",
		start + "DURATION:PT":                                  "is no duration",
		start + "DURATION:P1H":                                 "is no duration",
		start + "DURATION:PT1D":                                "is no duration",
		start + "DURATION:PT1M1H":                              "is no duration",
		start + "DURATION:P400D":                               "at most 366 days",
		start + "DTEND:20260612T200000Z":                       "it ends before it begins",
		start + "DTEND;VALUE=DATE:20260613":                    "a date and a time do not go together",
		start + "DTEND:20260613T220000":                        "it has no zone, and DTSTART has one",
		start + "DTEND:20280613T220000Z":                       "longer than 366 days",
		start + "DURATION:PT1H\nDTEND:20260613T000000Z":        "only one of them",
		start + "DURATION:PT1H\nRDATE:20260613T000000Z":        "RDATE: not supported",
		start + "DURATION:PT1H\nRRULE:FREQ=HOURLY":             "it begins several times a day",
		start + "DURATION:PT1H\nRRULE:FREQ=DAILY;BYHOUR=1,2":   "it begins several times a day",
		start + "DURATION:PT1H\nRRULE:FREQ=DAILY;BYHOUR=1":     "at another time of day than DTSTART",
		start + "DURATION:PT1H\nRRULE:FREQ=WEEKLY;BYDAY=MO":    "DTSTART: it is not one of the times of RRULE",
		start + "DURATION:PT1H\nRRULE:FREQ=DAILY;BYEASTER=1":   "RRULE: part BYEASTER: there is no such part",
		start + "DURATION:PT1H\nRRULE:FREQ=DAILY\nEXDATE:2026": "EXDATE:",
		"DTSTART:20260612T220000\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=20260701T000000Z": "part UNTIL: it is in UTC, and DTSTART has no zone",
		start + "DURATION:PT1H\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260612T220000":        "RANGE is not supported",
	} {
		got := read(strings.NewReader(file(event + "\n\nSUMMARY:next\nDTSTART:20260613T220000Z\nDURATION:PT1H")))
		require.Len(t, got, 2, event)
		require.Contains(t, got[0], "calendar: line 3: event")
		require.Contains(t, got[0], want, event)
		require.Contains(t, got[1], "next")
		for _, err := range calendar.ReadEvents(strings.NewReader(file(event)), time.LoadLocation) {
			require.ErrorIs(t, err, patch.ErrRecord)
		}
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	const begin = "BEGIN:VCALENDAR\n"
	for text, want := range map[string]string{
		"":                                  "the file is empty",
		"BEGIN:VEVENT\n":                    `line 1: begins with "VEVENT": want VCALENDAR`,
		"DTSTART:x\n":                       "line 1: stands outside of the calendar",
		begin + "nonsense\n":                `line 2: "nonsense" is no property`,
		begin + "A;B\n":                     "line 2: A: a parameter without a value",
		begin + "A;B=\"c\n":                 "line 2: A: a quote that does not end",
		begin + "A;B=c\n":                   "line 2: A: want a colon",
		begin + "END:VEVENT\n":              `line 2: "VEVENT" ends where VCALENDAR should`,
		begin:                               "ends within VCALENDAR: unexpected EOF",
		strings.Repeat(begin, 9):            "line 9: nested deeper than 8 levels",
		begin + strings.Repeat("x", 70_000): "a line of more than 65536 bytes",
		begin + "A:" + strings.Repeat("\n "+strings.Repeat("x", 60_000), 2): "a line of more than 65536 bytes",
		begin + strings.Repeat("BEGIN:VEVENT\nEND:VEVENT\n", 10_001):        "more than 10000 events",
		begin + strings.Repeat("A:"+strings.Repeat("x", 1000)+"\n", 9000):   "larger than 8388608 bytes",
	} {
		var errs []error
		for _, err := range calendar.ReadEvents(strings.NewReader(text), time.LoadLocation) {
			errs = append(errs, err)
		}
		require.Len(t, errs, 1)
		require.ErrorContains(t, errs[0], want)
		require.NotErrorIs(t, errs[0], patch.ErrRecord)
	}
	broken := errors.New("the line is dead")
	for _, err := range calendar.ReadEvents(iotest.ErrReader(broken), time.LoadLocation) {
		require.ErrorIs(t, err, broken)
	}
}

func FuzzReadEvents(f *testing.F) {
	f.Add(file("SUMMARY:x\nDTSTART;TZID=Europe/Berlin:20260612T220000\nDTEND;TZID=Europe/Berlin:20260613T060000\nRRULE:FREQ=MONTHLY;BYDAY=2FR;UNTIL=20270101T000000Z\nEXDATE;TZID=Europe/Berlin:20260710T220000"))
	f.Add(file("DTSTART;VALUE=DATE:20261220\nDURATION:P2W\nRRULE:FREQ=YEARLY;COUNT=3"))
	f.Add(file("UID:1\nDTSTART:20260612T220000Z\nDURATION:PT4H\nRRULE:FREQ=WEEKLY\n\nUID:1\nRECURRENCE-ID:20260619T220000Z\nDTSTART:20260620T230000Z\nDURATION:PT1H"))
	zones := func(name string) (*time.Location, error) {
		if len(name) > 40 {
			return nil, errors.New("too long")
		}
		return time.FixedZone(name, 3600*(len(name)-10)), nil
	}
	f.Fuzz(func(t *testing.T, text string) {
		for e, err := range calendar.ReadEvents(strings.NewReader(text), zones) {
			if err != nil {
				continue
			}
			require.True(t, e.Start >= 0 && e.Start < 86400)
			require.Positive(t, e.Length)
			_, ok := e.Days.Next(date(t, "0001-01-01"))
			require.True(t, ok)
		}
	})
}
