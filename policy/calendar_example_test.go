package policy_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/policy/calendar"
)

func calendarPolicy() policy.Policy {
	p, err := policy.Decode(strings.NewReader(`
name: offices
windows:
  - {on: 2nd tue +3d, start: "22:00", end: "06:00"}
freezes:
  - name: end of the year
    from: 2026-12-10
    until: 2027-01-04
    except:
      - exploited: true
fit: {work: 2h}
`), "calendar.yaml")
	if err != nil {
		panic(err)
	}
	return p
}

func ExamplePolicy_Schedule() {
	p := calendarPolicy()
	s, err := p.Schedule(p.Windows, "Europe/Berlin")
	if err != nil {
		fmt.Println(err)
		return
	}
	from := time.Date(2026, time.October, 1, 0, 0, 0, 0, time.UTC)
	for o := range s.Openings(from, from.AddDate(0, 4, 0)) {
		fmt.Println(o.Open.Format(time.DateTime), "to", o.Close.Format(time.DateTime))
	}
	// Output:
	// 2026-10-16 20:00:00 to 2026-10-17 02:00:00
	// 2026-11-13 21:00:00 to 2026-11-14 03:00:00
	// 2027-01-15 21:00:00 to 2027-01-16 03:00:00
}

func ExampleSchedule_Explain() {
	p := calendarPolicy()
	s, err := p.Schedule(p.Windows, "Europe/Berlin")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Explain(time.Date(2026, time.December, 12, 0, 0, 0, 0, time.UTC)))
	// Output: closed: freeze "end of the year", until Sun 2027-01-03 23:00 UTC; opens Fri 2027-01-15 21:00 UTC until Sat 2027-01-16 03:00 UTC (2nd tue +3d 22:00-06:00 by their own clocks)
}

func ExampleFreeze_Excepts() {
	freeze := calendarPolicy().Freezes[0]
	now := time.Date(2026, time.December, 12, 0, 0, 0, 0, time.UTC)
	fmt.Println(freeze.Excepts(&patch.Patch{ID: "wua:KB1"}, &inventory.Device{}, now))
	// Output: false
}

func ExampleMemo() {
	p := calendarPolicy()
	memo := policy.NewMemo(&p, p.Windows)
	devices := []string{"Europe/Berlin", "America/New_York", "Europe/Berlin"}
	zones := make([]int, len(devices))
	for i, name := range devices {
		n, err := memo.Zone(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		zones[i] = n
	}
	table := memo.At(time.Date(2026, time.October, 1, 0, 0, 0, 0, time.UTC))
	for i := range devices {
		fmt.Println(devices[i], table[zones[i]].Open.Format(time.DateTime))
	}
	// Output:
	// Europe/Berlin 2026-10-16 20:00:00
	// America/New_York 2026-10-17 02:00:00
	// Europe/Berlin 2026-10-16 20:00:00
}

func ExampleWindowOf() {
	events, err := calendar.ParseCron("0 22 * * fri#2", 6*time.Hour)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range events {
		w, err := policy.WindowOf(e)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(w)
	}
	// Output: FREQ=MONTHLY;BYDAY=2FR 22:00-04:00 by their own clocks
}

func ExampleFreezeOf() {
	file := strings.NewReader("BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:No changes\nDTSTART;VALUE=DATE:20261220\nDTEND;VALUE=DATE:20270104\n" +
		"END:VEVENT\nEND:VCALENDAR\n")
	for e, err := range calendar.ReadEvents(file, time.LoadLocation) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		f, err := policy.FreezeOf(e)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(f)
	}
	// Output: No changes, 2026-12-20 to 2027-01-04 by their own clocks
}

// A laptop was away while the window was open, and is back on Monday.
func ExampleSchedule_Back() {
	s, err := policy.NewSchedule([]policy.Window{{Days: policy.DaysOf(time.Friday), Start: 22 * 60, End: 24 * 60}}, "UTC")
	if err != nil {
		fmt.Println(err)
		return
	}
	away, back := time.Date(2026, time.June, 12, 18, 0, 0, 0, time.UTC), time.Date(2026, time.June, 15, 8, 0, 0, 0, time.UTC)
	for _, m := range []policy.Missed{policy.MissedWaits, policy.MissedRuns, policy.MissedSkips} {
		o, ok := s.Back(m, away, back)
		fmt.Println(m, ok, o.Open.Format(time.DateTime))
	}
	// Output:
	// next true 2026-06-19 22:00:00
	// asap true 2026-06-15 08:00:00
	// skip false 0001-01-01 00:00:00
}
