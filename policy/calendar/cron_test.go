package calendar_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/policy/calendar"
)

// starts writes when the events begin: their times of day, and the days of each set from d on.
func starts(events []calendar.Event, d calendar.Date, n int) string {
	var words []string
	last := ""
	for _, e := range events {
		if e.Days.String() != last {
			last = e.Days.String()
			words = append(words, "on "+from(e.Days, d, n)+" at")
		}
		words = append(words, fmt.Sprintf("%02d:%02d", e.Start/3600, e.Start/60%60))
	}
	return strings.Join(words, " ")
}

func TestCron(t *testing.T) {
	for _, row := range []struct{ name, line, want string }{
		{"every night", "30 2 * * *", "on 2026-05-01 2026-05-02 2026-05-03 2026-05-04 at 02:30"},
		{"Saturdays and Sundays, by number", "0 22 * * 6,7", "on 2026-05-02 2026-05-03 2026-05-09 2026-05-10 at 22:00"},
		{"weekdays, by name", "0 22 * * MON-FRI", "on 2026-05-01 2026-05-04 2026-05-05 2026-05-06 at 22:00"},
		{"Sunday to Tuesday", "0 22 * * 0-2", "on 2026-05-03 2026-05-04 2026-05-05 2026-05-10 at 22:00"},
		{"several times a day", "0,30 8-12/2 1 * *", "on 2026-05-01 2026-06-01 2026-07-01 2026-08-01 at 08:00 08:30 10:00 10:30 12:00 12:30"},
		{"from a number in steps", "0 20/2 1 * *", "on 2026-05-01 2026-06-01 2026-07-01 2026-08-01 at 20:00 22:00"},
		{"months by name", "0 1 1 jan,JUL *", "on 2026-07-01 2027-01-01 2027-07-01 2028-01-01 at 01:00"},
		{"one of the two days suffices", "0 1 13 * fri", "on 2026-05-13 2026-06-13 2026-07-13 2026-08-13 at 01:00 on 2026-05-01 2026-05-08 2026-05-15 2026-05-22 at 01:00"},
		{"both must hold if one begins with a star", "0 1 */2 * fri", "on 2026-05-01 2026-05-15 2026-05-29 2026-06-05 at 01:00"},
		{"the second Tuesday", "0 3 * * 2#2", "on 2026-05-12 2026-06-09 2026-07-14 2026-08-11 at 03:00"},
		{"the second and the last Friday", "0 3 ? * fri#2,5L", "on 2026-05-08 2026-05-29 2026-06-12 2026-06-26 at 03:00"},
		{"the last day", "0 3 L * *", "on 2026-05-31 2026-06-30 2026-07-31 2026-08-31 at 03:00"},
		{"the middle and the last day", "0 3 15,L * ?", "on 2026-05-15 2026-05-31 2026-06-15 2026-06-30 at 03:00"},
		{"weekly", "@weekly", "on 2026-05-03 2026-05-10 2026-05-17 2026-05-24 at 00:00"},
	} {
		t.Run(row.name, func(t *testing.T) {
			events, err := calendar.ParseCron(row.line, 2*time.Hour)
			require.NoError(t, err)
			require.Equal(t, row.want, starts(events, date(t, "2026-05-01"), 4))
			for _, e := range events {
				require.Equal(t, 2*time.Hour, e.Length)
				require.Empty(t, e.Zone)
			}
		})
	}
}

func TestCronThatIsRefused(t *testing.T) {
	for line, want := range map[string]string{
		"0 0 * *":                 "4 fields",
		"0 0 0 * * *":             "6 fields",
		"@reboot":                 "1 fields",
		"60 0 * * *":              `minute "60": "60": want a number from 0 to 59`,
		"0 24 * * *":              `hour "24"`,
		"0 0 0 * *":               `day of the month "0"`,
		"0 0 32 * *":              `day of the month "32"`,
		"0 0 15W * *":             `day of the month "15w"`,
		"0 0 * 13 *":              `month "13"`,
		"0 0 * foo *":             `month "foo"`,
		"0 0 * * 8":               `day of the week "8"`,
		"0 0 * * fri-mon":         "the range ends before it begins",
		"0 0 * * 2#6":             "want a number from 1 to 5 after the #",
		"0 0 * * l":               `day of the week "l"`,
		"*/0 0 * * *":             `minute "*/0": step "0"`,
		"0 */x * * *":             `hour "*/x": step "x"`,
		"*/5 * * * *":             "it begins 288 times a day: want at most 24",
		"0 0 30 feb *":            "there is no such day",
		"0 0 , * *":               `day of the month ","`,
		strings.Repeat("0", 2000): "longer than 1024 bytes",
	} {
		_, err := calendar.ParseCron(line, time.Hour)
		require.ErrorContains(t, err, want, line)
	}
	_, err := calendar.ParseCron("0 0 * * *", 0)
	require.ErrorContains(t, err, "events of the length 0s")
}

func FuzzParseCron(f *testing.F) {
	for _, line := range []string{"0 22 * * 6,7", "0,30 8-12/2 1 * *", "0 1 13 * fri", "0 3 15,L * 2#2,5l", "@daily", "* * * * *"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		events, err := calendar.ParseCron(line, time.Hour)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(events), 48)
		require.NotEmpty(t, events)
		for _, e := range events {
			require.True(t, e.Start >= 0 && e.Start < 86400)
			_, ok := e.Days.Next(date(t, "2026-01-01"))
			require.True(t, ok)
		}
	})
}
