package calendar_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/patchflow/patchflow/policy/calendar"
)

// Patch Tuesday and three days is not the second Friday: in months that begin with a Friday the two are a week apart.
func ExampleRecurrence() {
	patchFriday, err := calendar.Parse("2nd tue +3d")
	if err != nil {
		fmt.Println(err)
		return
	}
	second, err := calendar.Parse("FREQ=MONTHLY;BYDAY=2FR")
	if err != nil {
		fmt.Println(err)
		return
	}
	day := calendar.DateOf(2026, time.May, 1)
	a, _ := patchFriday.Next(day)
	b, _ := second.Next(day)
	fmt.Println(a, b)
	// Output: 2026-05-15 2026-05-08
}

// The clock of New York is put forward from 02:00 to 03:00 on 8 March 2026.
func ExampleWall_In() {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		fmt.Println(err)
		return
	}
	w, err := calendar.ParseWall("2026-03-08 02:30")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, gap := range []calendar.Gap{calendar.GapShift, calendar.GapKeep, calendar.GapSkip} {
		at, fit := w.In(newYork, gap)
		if at.IsZero() {
			fmt.Printf("%s: none, shown %s\n", gap, fit)
			continue
		}
		fmt.Printf("%s: %s, shown %s\n", gap, at.In(newYork).Format("15:04 -0700"), fit)
	}
	// Output:
	// shift: 03:00 -0400, shown never
	// keep: 03:30 -0400, shown never
	// skip: none, shown never
}

// A rule begins in 1997, and the times of 2026 are computed without those between.
func ExampleRule_Instants() {
	rule, err := calendar.ParseRule("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;WKST=SU", calendar.DateOf(1997, time.September, 2).At(9*3600))
	if err != nil {
		fmt.Println(err)
		return
	}
	n := 0
	for at := range rule.Instants(time.Date(2026, time.May, 1, 0, 0, 0, 0, time.UTC), time.UTC, calendar.GapShift) {
		fmt.Println(at.Format("Mon 2 Jan 15:04"))
		if n++; n == 3 {
			break
		}
	}
	// Output:
	// Tue 5 May 09:00
	// Thu 7 May 09:00
	// Tue 19 May 09:00
}

func ExampleParseCron() {
	events, err := calendar.ParseCron("0 22 * * fri,sat", 6*time.Hour)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range events {
		fmt.Println(e.Days, e.Start/3600, e.Length)
	}
	// Output: FREQ=MONTHLY;BYDAY=FR,SA 22 6h0m0s
}

func ExampleReadEvents() {
	file := strings.NewReader(`BEGIN:VCALENDAR
BEGIN:VEVENT
SUMMARY:No changes at the end of the year
DTSTART;VALUE=DATE:20261220
DTEND;VALUE=DATE:20270104
END:VEVENT
END:VCALENDAR
`)
	for e, err := range calendar.ReadEvents(file, time.LoadLocation) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%s: from %s, %s\n", e.Name, e.Days, e.Length)
	}
	// Output: No changes at the end of the year: from 2026-12-20, 360h0m0s
}
