package calendar_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/policy/calendar"
)

func date(t testing.TB, s string) calendar.Date {
	t.Helper()
	var d calendar.Date
	require.NoError(t, d.UnmarshalText([]byte(s)))
	return d
}

// from writes up to n days of r from d on.
func from(r calendar.Recurrence, d calendar.Date, n int) string {
	var days []string
	for day, ok := r.Next(d); ok && len(days) < n; day, ok = r.Next(day + 1) {
		days = append(days, day.String())
	}
	return strings.Join(days, " ")
}

func TestRecurrences(t *testing.T) {
	for _, row := range []struct{ name, text, canonical, at, want string }{
		{"weekdays", "SUN,sat", "sat,sun", "2026-06-12", "2026-06-13 2026-06-14 2026-06-20"},
		{"a range over the weekend", "fri-mon", "mon,fri,sat,sun", "2026-06-09", "2026-06-12 2026-06-13 2026-06-14"},
		{"Patch Tuesday", "2nd tue", "2nd tue", "2026-07-01", "2026-07-14 2026-08-11 2026-09-08"},
		{"one day later is not always the second Wednesday", "2nd tue +1d", "2nd tue +1d", "2026-07-01", "2026-07-15 2026-08-12 2026-09-09"},
		{"as here", "2nd wed", "2nd wed", "2026-07-01", "2026-07-08 2026-08-12 2026-09-09"},
		{"over the end of the month", "2nd  TUE + 21d", "2nd tue +21d", "2026-07-01", "2026-08-04 2026-09-01 2026-09-29"},
		{"days before", "1st mon -3d", "1st mon -3d", "2026-05-20", "2026-05-29 2026-07-03 2026-07-31"},
		{"no days after", "last fri +0d", "last fri", "2026-02-01", "2026-02-27 2026-03-27 2026-04-24"},
		{"several of a month", "1st,3rd sat,sun", "1st,3rd sat,sun", "2026-08-01", "2026-08-01 2026-08-02 2026-08-15"},
		{"a fifth, which many months lack", "5th thu", "5th thu", "2026-01-01", "2026-01-29 2026-04-30 2026-07-30"},
		{"dates", "2026-12-31,2026-12-24", "2026-12-24,2026-12-31", "2026-01-01", "2026-12-24 2026-12-31"},
		{"a rule in small letters", "freq=monthly;bymonthday=-1", "FREQ=MONTHLY;BYMONTHDAY=-1", "2028-02-01", "2028-02-29 2028-03-31 2028-04-30"},
		{"every other week", "DTSTART=20260105;FREQ=WEEKLY;INTERVAL=2", "", "2026-01-06", "2026-01-19 2026-02-02 2026-02-16"},
		{"nothing before its start", "DTSTART=20260105;FREQ=WEEKLY", "", "2020-01-01", "2026-01-05 2026-01-12 2026-01-19"},
		{"until a day, which counts", "DTSTART=20260105;FREQ=DAILY;UNTIL=20260107", "", "2026-01-06", "2026-01-06 2026-01-07"},
		{"so many", "DTSTART=20260105;FREQ=DAILY;INTERVAL=10;COUNT=3", "", "2026-01-06", "2026-01-15 2026-01-25"},
		{"a day left out counts too", "DTSTART=20260105;FREQ=DAILY;COUNT=3;EXDATE=20260106", "", "2026-01-01", "2026-01-05 2026-01-07"},
		{"the day of the start in every year", "DTSTART=20240229;FREQ=YEARLY", "", "2024-03-01", "2028-02-29 2032-02-29 2036-02-29"},
		{"the week of the start in every year", "DTSTART=20260107;FREQ=YEARLY;BYWEEKNO=2", "", "2026-01-01", "2026-01-07 2027-01-13 2028-01-12"},
		{"the last working day", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "", "2026-05-01", "2026-05-29 2026-06-30 2026-07-31"},
		{"far away", "2nd tue", "2nd tue", "9999-12-01", "9999-12-14"},
		{"a daily rule with a place", "FREQ=DAILY;BYDAY=MO;BYSETPOS=1,5", "", "2026-05-01", "2026-05-04 2026-05-11 2026-05-18"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := calendar.Parse(row.text)
			require.NoError(t, err)
			if row.canonical != "" {
				require.Equal(t, row.canonical, r.String())
			}
			days := strings.Fields(row.want)
			require.Equal(t, row.want, from(r, date(t, row.at), min(3, len(days)+1)))
			for i, day := range days { // and back again
				require.True(t, r.Has(date(t, day)))
				prev, ok := r.Prev(date(t, day) - 1)
				if i > 0 {
					require.True(t, ok)
					require.Equal(t, days[i-1], prev.String())
				}
			}
			text, err := r.MarshalText()
			require.NoError(t, err)
			var again calendar.Recurrence
			require.NoError(t, again.UnmarshalText(text))
			require.True(t, again.Equal(r))
			require.Equal(t, r, again)
		})
	}
}

func TestRecurrencesThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		" ":                                    "want for example",
		"tues":                                 `"tues" is no weekday`,
		"mon,mon":                              "mon stands twice",
		"mon-wed,tue":                          "tue stands twice",
		"2nd":                                  "want a weekday",
		"2nd,2nd tue":                          "at most once",
		"6th tue":                              `"6th" is no weekday`,
		"tue +3d":                              "name the weekday that is meant",
		"2nd tue 3d":                           "is no number of days",
		"2nd tue +3":                           "is no number of days",
		"2nd tue +367d":                        "367 days are more than 366",
		"2nd tue +3d +3d":                      "is no number of days",
		"2026-02-30":                           `"2026-02-30" is no date`,
		"2026-02-03,2026-02-03":                "2026-02-03 stands twice",
		"FREQ=FORTNIGHTLY":                     "part FREQ:",
		"INTERVAL=2":                           "part FREQ: missing",
		"FREQ=DAILY;FREQ=DAILY":                "part FREQ: stands twice",
		"FREQ=DAILY;":                          "part : has no value",
		"FREQ=DAILY;BYEASTER=1":                "part BYEASTER: there is no such part",
		"FREQ=DAILY;INTERVAL=0":                "part INTERVAL:",
		"FREQ=DAILY;INTERVAL=2":                "part DTSTART: missing: the rule does not say which of its periods count",
		"FREQ=DAILY;COUNT=2":                   "part DTSTART: missing: the rule does not say from where on it counts",
		"FREQ=WEEKLY":                          "part DTSTART: missing: the rule does not say on which day",
		"FREQ=MONTHLY":                         "on which day",
		"FREQ=YEARLY;BYMONTH=2":                "on which day",
		"FREQ=WEEKLY;BYMONTHDAY=1":             "part BYMONTHDAY: not with FREQ=WEEKLY",
		"FREQ=MONTHLY;BYWEEKNO=1":              "part BYWEEKNO: not with FREQ=MONTHLY",
		"FREQ=MONTHLY;BYYEARDAY=1":             "part BYYEARDAY: not with FREQ=MONTHLY",
		"FREQ=WEEKLY;BYDAY=2TU":                "part BYDAY: a weekday with a number goes with",
		"FREQ=YEARLY;BYWEEKNO=3;BYDAY=2TU":     "does not go with BYWEEKNO",
		"FREQ=MONTHLY;BYDAY=6TU":               "there is no weekday number 6",
		"FREQ=MONTHLY;BYDAY=0TU":               "part BYDAY:",
		"FREQ=MONTHLY;BYDAY=TU,TU":             "part BYDAY: TU stands twice",
		"FREQ=MONTHLY;BYDAY=TUE":               `part BYDAY: "UE" is no weekday`,
		"FREQ=MONTHLY;BYMONTHDAY=32":           "part BYMONTHDAY:",
		"FREQ=MONTHLY;BYMONTHDAY=30;BYMONTH=2": "there is no such day",
		"FREQ=MONTHLY;BYSETPOS=1":              "part BYSETPOS: there is no other BY part",
		"FREQ=DAILY;BYDAY=MO;BYSETPOS=2":       "part BYSETPOS: a day has one place only",
		"FREQ=DAILY;UNTIL=2026":                "part UNTIL:",
		"FREQ=DAILY;UNTIL=20260101Z":           "part UNTIL: \"20260101Z\": a date has no Z",
		"FREQ=DAILY;UNTIL=20260101T000000Z":    "part UNTIL: a recurrence of days has no time of day",
		"DTSTART=20260101T0900;FREQ=DAILY":     "part DTSTART:",
		"DTSTART=20260101T090000;FREQ=DAILY":   "part DTSTART: a recurrence of days has no time of day",
		"DTSTART=20260101;FREQ=DAILY;COUNT=1;UNTIL=20260101":  "parts COUNT and UNTIL",
		"FREQ=DAILY;BYHOUR=9":                                 "part BYHOUR: a recurrence of days has no time of day",
		"FREQ=HOURLY":                                         "part FREQ: HOURLY is not about days",
		"FREQ=DAILY;BYSECOND=1":                               "part BYSECOND: seconds are not supported",
		"DTSTART=20260101;FREQ=DAILY;COUNT=1;EXDATE=20260101": "there is no such day",
		"DTSTART=20260101;FREQ=YEARLY;COUNT=300":              "part COUNT: the rule goes on for more than 200 years",
		strings.Repeat("mon,", 5000):                          "longer than",
	} {
		_, err := calendar.Parse(text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestTheZeroRecurrenceHasNoDays(t *testing.T) {
	var r calendar.Recurrence
	require.True(t, r.IsZero())
	_, next := r.Next(0)
	_, prev := r.Prev(0)
	require.False(t, next || prev || r.Has(0))
	require.NoError(t, r.UnmarshalText(nil))
	require.True(t, r.IsZero())
}

func TestDates(t *testing.T) {
	for d := date(t, "1895-12-30"); d < date(t, "1904-03-05"); d++ {
		year, month, day := d.Civil()
		require.Equal(t, d, calendar.DateOf(year, month, day))
		require.Equal(t, time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Weekday(), d.Weekday())
	}
	_, err := (date(t, "9999-12-31") + 1).MarshalText()
	require.Error(t, err)
	require.Error(t, new(calendar.Date).UnmarshalText([]byte("0000-12-31")))
}

// A spec is a rule that a test makes up, with the parts as they will be looked at one by one.
type spec struct {
	freq              string
	interval          int
	weekStart         time.Weekday
	months, monthDays []int
	yearDays, weekNos []int
	days              []string // "TU", "2TU"
	places            []int
	start, end        time.Time
}

func codes() []string { return []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"} }

func (s *spec) text() string {
	words := []string{"DTSTART=" + s.start.Format("20060102"), "FREQ=" + s.freq, "WKST=" + codes()[s.weekStart], fmt.Sprint("INTERVAL=", s.interval)}
	add := func(name string, numbers []int) {
		if len(numbers) > 0 {
			words = append(words, name+"="+strings.Trim(strings.ReplaceAll(fmt.Sprint(numbers), " ", ","), "[]"))
		}
	}
	add("BYMONTH", s.months)
	add("BYMONTHDAY", s.monthDays)
	add("BYYEARDAY", s.yearDays)
	add("BYWEEKNO", s.weekNos)
	if len(s.days) > 0 {
		words = append(words, "BYDAY="+strings.Join(s.days, ","))
	}
	add("BYSETPOS", s.places)
	return strings.Join(words, ";")
}

// period returns the first day of the period that t is in, and its number.
func (s *spec) period(t time.Time) (first time.Time, number int) {
	switch s.freq {
	case "DAILY":
		return t, int(t.Unix() / 86400)
	case "WEEKLY":
		for first = t; first.Weekday() != s.weekStart; {
			first = first.AddDate(0, 0, -1)
		}
		return first, int(first.AddDate(0, 0, 3).Unix()/86400) / 7
	case "MONTHLY":
		return t.AddDate(0, 0, 1-t.Day()), t.Year()*12 + int(t.Month())
	}
	return t.AddDate(0, 0, 1-t.YearDay()), t.Year()
}

func either(numbers []int, n, length int) bool {
	return len(numbers) == 0 || slices.Contains(numbers, n) || slices.Contains(numbers, n-length-1)
}

// holds says whether each part holds of t, by looking at t alone.
func (s *spec) holds(t time.Time) bool {
	if len(s.months) > 0 && !slices.Contains(s.months, int(t.Month())) {
		return false
	}
	monthLength := time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
	yearLength := time.Date(t.Year(), 12, 31, 0, 0, 0, 0, time.UTC).YearDay()
	if !either(s.monthDays, t.Day(), monthLength) || !either(s.yearDays, t.YearDay(), yearLength) {
		return false
	}
	if len(s.weekNos) > 0 {
		year, week := t.ISOWeek()
		_, weeks := time.Date(year, 12, 28, 0, 0, 0, 0, time.UTC).ISOWeek()
		if !either(s.weekNos, week, weeks) {
			return false
		}
	}
	if len(s.days) == 0 {
		return true
	}
	code := codes()[t.Weekday()]
	n, back := (t.Day()-1)/7+1, (t.Day()-monthLength)/7-1
	if s.freq == "YEARLY" && len(s.months) == 0 {
		n, back = (t.YearDay()-1)/7+1, (t.YearDay()-yearLength)/7-1
	}
	return slices.Contains(s.days, code) || slices.Contains(s.days, fmt.Sprintf("%d%s", n, code)) ||
		slices.Contains(s.days, fmt.Sprintf("%d%s", back, code))
}

// all goes through every day from the start on, as a rule is not to be evaluated.
func (s *spec) all() (days []string) {
	_, begin := s.period(s.start)
	first, _ := s.period(s.start)
	var period []time.Time
	number := begin
	flush := func() {
		chosen := period
		if len(s.places) > 0 {
			chosen = nil
			for i, t := range period {
				if slices.Contains(s.places, i+1) || slices.Contains(s.places, i-len(period)) {
					chosen = append(chosen, t)
				}
			}
		}
		for _, t := range chosen {
			if (number-begin)%s.interval == 0 && !t.Before(s.start) && !t.After(s.end) {
				days = append(days, t.Format(time.DateOnly))
			}
		}
		period = nil
	}
	for t := first; !t.After(s.end.AddDate(1, 0, 1)); t = t.AddDate(0, 0, 1) {
		if _, n := s.period(t); n != number {
			flush()
			number = n
		}
		if s.holds(t) {
			period = append(period, t)
		}
	}
	return days
}

// makeSpec makes a rule that no part of is refused.
func makeSpec(r *rand.Rand) *spec {
	some := func(least, most, n int) (all []int) {
		for range 1 + r.IntN(n) {
			if v := least + r.IntN(most-least+1); v != 0 && !slices.Contains(all, v) {
				all = append(all, v)
			}
		}
		return all
	}
	chance := func(n int) bool { return r.IntN(n) == 0 }
	start := time.Date(2015+r.IntN(15), 1, 1+r.IntN(366), 0, 0, 0, 0, time.UTC)
	s := &spec{freq: []string{"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}[r.IntN(4)], interval: 1, weekStart: time.Weekday(r.IntN(7)),
		start: start, end: start.AddDate(5, 0, 0)}
	if chance(2) {
		s.interval += r.IntN(4)
	}
	if chance(3) {
		s.months = some(1, 12, 4)
	}
	if s.freq != "WEEKLY" && chance(2) {
		s.monthDays = some(-31, 31, 6)
	}
	if s.freq == "YEARLY" && chance(5) {
		s.yearDays = some(-366, 366, 8)
	}
	if s.freq == "YEARLY" && chance(5) {
		s.weekStart = time.Monday
		s.weekNos = some(-53, 53, 8)
	}
	if chance(2) || s.freq == "WEEKLY" || s.weekNos != nil || len(s.monthDays)+len(s.yearDays) == 0 {
		for _, day := range r.Perm(7)[:1+r.IntN(4)] {
			text := codes()[day]
			if n := r.IntN(11) - 5; n != 0 && s.weekNos == nil && (s.freq == "MONTHLY" || s.freq == "YEARLY") {
				text = fmt.Sprintf("%d%s", n, text)
			}
			s.days = append(s.days, text)
		}
	}
	if s.freq != "DAILY" && chance(3) {
		s.places = some(-6, 6, 3)
	}
	return s
}

// checkSpec compares the days of a rule with what looking at every day by itself says.
func checkSpec(t *testing.T, s *spec, r *rand.Rand) {
	want := s.all()
	got, err := calendar.Parse(s.text())
	if err != nil {
		require.ErrorContains(t, err, "there is no such day", s.text())
		require.Empty(t, want, s.text())
		return
	}
	first, last := date(t, s.start.Format(time.DateOnly)), date(t, s.end.Format(time.DateOnly))
	var forth, back []string
	for d, ok := got.Next(first - 1000); ok && d <= last; d, ok = got.Next(d + 1) {
		forth = append(forth, d.String())
	}
	require.Equal(t, want, forth, s.text())
	for d, ok := got.Prev(last); ok; d, ok = got.Prev(d - 1) {
		back = append(back, d.String())
	}
	slices.Reverse(back)
	require.Equal(t, want, back, s.text())
	for range 10 {
		d := first + calendar.Date(r.IntN(int(last-first)))
		i, _ := slices.BinarySearch(want, d.String())
		if i == len(want) {
			continue
		}
		next, ok := got.Next(d)
		require.True(t, ok)
		require.Equal(t, want[i], next.String(), "%s from %s on", s.text(), d)
	}
	if n := len(want); n > 0 {
		counted, err := calendar.Parse(fmt.Sprintf("%s;COUNT=%d", s.text(), n))
		require.NoError(t, err)
		d, ok := counted.Prev(last + 10_000)
		require.True(t, ok)
		require.Equal(t, want[n-1], d.String(), s.text())
	}
}

func TestRulesAgainstEveryDay(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 26))
	days := 0
	for range 300 {
		s := makeSpec(r)
		checkSpec(t, s, r)
		days += min(len(s.all()), 1)
	}
	require.Greater(t, days, 150, "most rules have days")
}

func FuzzRulesAgainstEveryDay(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		r := rand.New(rand.NewPCG(a, b))
		checkSpec(t, makeSpec(r), r)
	})
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"sat,sun", "mon-fri", "2nd tue +3d", "last fri", "2026-12-24,2026-12-31",
		"DTSTART=20260105;FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;UNTIL=20270101;EXDATE=20260119", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
		"FREQ=YEARLY;BYYEARDAY=-1", "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-2;WKST=SU", "DTSTART=20260105;FREQ=DAILY;COUNT=3", "FREQ=YEARLY;BYDAY=20MO"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := calendar.Parse(text)
		if err != nil {
			return
		}
		again, err := calendar.Parse(r.String())
		require.NoError(t, err)
		require.Equal(t, r.String(), again.String())
		d, ok := r.Next(date(t, "2026-01-01"))
		if !ok {
			d, ok = r.Prev(date(t, "2026-01-01"))
		}
		require.True(t, ok)
		require.True(t, r.Has(d))
		back, ok := r.Prev(d)
		require.True(t, ok)
		require.Equal(t, d, back)
	})
}
