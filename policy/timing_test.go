package policy

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/policy/calendar"
)

func TestExplainSaysWhyAScheduleIsClosed(t *testing.T) {
	yearEnd := Freeze{Name: "year end", From: wallAt(t, "2026-12-20"), Until: wallAt(t, "2027-01-04")}
	early := window(t, "sun", "02:30", "05:00")
	skips := early
	skips.Gap = calendar.GapSkip
	for _, row := range []struct {
		name   string
		window Window
		fit    Duration
		at     string
		want   string
	}{
		{"open", window(t, "sat", "22:00", "06:00"), 0, "2026-06-14T02:30:00Z",
			"open until Sun 2026-06-14 10:00 UTC (sat 22:00-06:00 by their own clocks)"},
		{"between windows", Window{On: recurrence("2nd tue +3d"), Start: 22 * 60, End: 60, Zone: "Europe/Berlin"}, 0, "2026-06-10T01:00:00Z",
			"closed: no window is open; opens Fri 2026-06-12 20:00 UTC until Fri 2026-06-12 23:00 UTC (2nd tue +3d 22:00-01:00 Europe/Berlin)"},
		{"in a freeze", window(t, "", "22:00", "06:00"), 0, "2026-12-24T01:00:00Z",
			`closed: freeze "year end", until Mon 2027-01-04 05:00 UTC; opens Mon 2027-01-04 05:00 UTC until Mon 2027-01-04 11:00 UTC (daily 22:00-06:00 by their own clocks)`},
		{"too late for the work", window(t, "", "22:00", "06:00"), Duration(2 * time.Hour), "2026-06-10T09:00:00Z",
			"closed: work needs 2h, and less than that is left of the opening; opens Thu 2026-06-11 02:00 UTC until Thu 2026-06-11 08:00 UTC (daily 22:00-06:00 by their own clocks)"},
		{"a start that the clock skips", early, 0, "2026-03-07T12:00:00Z",
			"closed: no window is open; opens Sun 2026-03-08 07:00 UTC until Sun 2026-03-08 09:00 UTC (sun 02:30-05:00 by their own clocks); the clock of America/New_York skips 2026-03-08T02:30: the first instant after the gap counts"},
		{"a start that is left out for that", skips, 0, "2026-03-07T12:00:00Z",
			"closed: no window is open; opens Sun 2026-03-15 06:30 UTC until Sun 2026-03-15 09:00 UTC (sun 02:30-05:00 by their own clocks, not where the clock skips the start); left out 2026-03-08T02:30, which the clock of America/New_York skips"},
		{"an opening that vanishes", window(t, "sun", "02:00", "03:00"), 0, "2026-03-07T12:00:00Z",
			"closed: no window is open; opens Sun 2026-03-15 06:00 UTC until Sun 2026-03-15 07:00 UTC (sun 02:00-03:00 by their own clocks); left out 2026-03-08T02:00, which the clock of America/New_York skips"},
		{"a start that is shown twice", window(t, "sun", "01:00", "02:00"), 0, "2026-11-01T00:00:00Z",
			"closed: no window is open; opens Sun 2026-11-01 05:00 UTC until Sun 2026-11-01 07:00 UTC (sun 01:00-02:00 by their own clocks); the clock of America/New_York shows 2026-11-01T01:00 twice: the first counts"},
		{"an end that is shown twice", window(t, "sun", "00:30", "01:30"), 0, "2026-11-01T00:00:00Z",
			"closed: no window is open; opens Sun 2026-11-01 04:30 UTC until Sun 2026-11-01 05:30 UTC (sun 00:30-01:30 by their own clocks); the clock of America/New_York shows 2026-11-01T01:30 twice: the first counts"},
		{"over", Window{On: recurrence("2026-06-01"), End: 60}, 0, "2026-06-10T01:00:00Z", "closed for good"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := &Policy{Freezes: []Freeze{yearEnd}, Fit: Fit{Work: row.fit}}
			s, err := p.Schedule([]Window{row.window}, "America/New_York")
			require.NoError(t, err)
			x := s.Explain(instant(t, row.at))
			require.Equal(t, row.want, x.String())
			open, close := s.Next(instant(t, row.at))
			require.Equal(t, Opening{open, close}, x.Opening)
			text, err := json.Marshal(x)
			require.NoError(t, err)
			var again Timing
			require.NoError(t, json.Unmarshal(text, &again))
			require.Equal(t, x, again)
		})
	}
}

func TestExplainWithoutWindows(t *testing.T) {
	require.Equal(t, "open, without an end", Schedule{}.Explain(instant(t, "2026-06-10T01:00:00Z")).String())
	p := &Policy{Freezes: []Freeze{{Name: "for good", On: recurrence("FREQ=DAILY"), Zone: "UTC"}}}
	s, err := p.Schedule(nil, "")
	require.NoError(t, err)
	x := s.Explain(instant(t, "2026-06-10T01:00:00Z"))
	require.Equal(t, TimingFrozen, x.State)
	require.Zero(t, x.Opening)
	require.Error(t, new(TimingState).UnmarshalText([]byte("ajar")))
}

func TestOpeningsAreThoseOfNext(t *testing.T) {
	s := schedule(t, "Europe/Berlin", window(t, "sat", "22:00", "06:00"))
	from, to := instant(t, "2026-06-07T01:00:00Z"), instant(t, "2026-06-27T20:00:00Z")
	require.Equal(t, []string{"20260606T200000Z/20260607T040000Z", "20260613T200000Z/20260614T040000Z", "20260620T200000Z/20260621T040000Z"}, listOpenings(s, from, to))
	for range s.Openings(from, to) {
		break // a listing may be left
	}
	require.Empty(t, listOpenings(s, to, from))
	var all []Opening
	for o := range (Schedule{}).Openings(from, to) {
		all = append(all, o)
	}
	require.Equal(t, []Opening{{Open: from}}, all)
}

func TestAMemoAnswersAsItsSchedulesDo(t *testing.T) {
	p := &Policy{Freezes: []Freeze{{Name: "x", On: recurrence("last fri")}}}
	ws := []Window{window(t, "", "22:00", "06:00")}
	for _, windows := range [][]Window{ws, nil} {
		m := NewMemo(p, windows)
		for i, name := range zonesOfNote() {
			n, err := m.Zone(name)
			require.NoError(t, err)
			require.Equal(t, i, n)
		}
		again, err := m.Zone("Europe/Berlin")
		require.NoError(t, err)
		require.Equal(t, 1, again)
		_, err = m.Zone("Europe/Atlantis")
		require.ErrorIs(t, err, ErrZone)
		at := instant(t, "2026-06-20T00:00:00Z")
		for i := range 300 {
			if i == 200 {
				at = at.Add(-100 * time.Hour) // back again
			}
			for n, o := range m.At(at) {
				open, close := m.Schedule(n).Next(at)
				require.Equal(t, Opening{open, close}, o, "%s at %s", zonesOfNote()[n], at)
			}
			at = at.Add(97 * time.Minute)
		}
	}
	m := NewMemo(p, ws, "x")
	_, err := m.Zone("UTC")
	require.NoError(t, err)
	require.True(t, m.Schedule(0).Open(instant(t, "2026-06-26T01:00:00Z")))
}

func TestMemosAllocateNothingOnceTheyKnow(t *testing.T) {
	m := NewMemo(new(Policy), []Window{window(t, "sat", "22:00", "06:00")})
	for _, name := range zonesOfNote() {
		_, err := m.Zone(name)
		require.NoError(t, err)
	}
	at := instant(t, "2026-06-20T00:00:00Z")
	require.Zero(t, testing.AllocsPerRun(100, func() { m.At(at); at = at.Add(time.Hour) }))
}

func TestFaultsOfCalendars(t *testing.T) {
	const hour = Duration(time.Hour)
	friday, day := recurrence("fri"), wallAt(t, "2026-06-10")
	for _, row := range []struct {
		change func(p *Policy)
		want   string
	}{
		{func(p *Policy) { p.Windows = []Window{{Days: 1, On: friday, End: 60}} }, "windows[0].on: there are days too"},
		{func(p *Policy) { p.Windows = []Window{{Gap: calendar.GapKeep, End: 60}} }, "windows[0].gap: a window cannot keep"},
		{func(p *Policy) { p.Windows = []Window{{Gap: 9, End: 60}} }, "windows[0].gap: gap 9 has no name"},
		{func(p *Policy) { p.Freezes = []Freeze{{On: friday}} }, "freezes[0].name: missing"},
		{func(p *Policy) { p.Freezes = []Freeze{{Name: "a", On: friday}, {Name: "a", On: friday}} }, `freezes[1].name: "a" is the name of freezes[0] already`},
		{func(p *Policy) { p.Freezes = []Freeze{{Name: "a"}} }, "freezes[0]: want either from and until, or on"},
		{func(p *Policy) { p.Freezes = []Freeze{{Name: "a", On: friday, From: day, Until: day + 1}} }, "freezes[0]: want either from and until, or on"},
		{func(p *Policy) { p.Freezes = []Freeze{{Name: "a", Until: day}} }, "freezes[0].from: missing"},
		{func(p *Policy) { p.Freezes = []Freeze{{Name: "a", From: day}} }, "freezes[0].until: 1970-01-01 is not after 2026-06-10"},
		{func(p *Policy) { p.Freezes = []Freeze{{Name: "a", From: day, Until: day}} }, "freezes[0].until: 2026-06-10 is not after 2026-06-10"},
		{func(p *Policy) { p.Freezes = []Freeze{{Name: "a", From: day, Until: 1 << 60}} }, "freezes[0].until: wall clock time"},
		{func(p *Policy) { p.Freezes = []Freeze{{Name: "a", From: day, Until: day + 60, Start: 60}} }, "freezes[0].start: only a freeze with on"},
		{func(p *Policy) { p.Freezes = []Freeze{{Name: "a", From: day, Until: day + 60, For: hour}} }, "freezes[0].for: only a freeze with on"},
		{func(p *Policy) { p.Freezes = []Freeze{{Name: "a", On: friday, Start: 1440}} }, "freezes[0].start: 24:00 is an end"},
		{func(p *Policy) { p.Freezes = []Freeze{{Name: "a", On: friday, For: 90}} }, "freezes[0].for: 0.00000009s is no whole number of minutes"},
		{func(p *Policy) { p.Freezes = []Freeze{{Name: "a", On: friday, For: -hour}} }, "freezes[0].for: -1h is negative"},
		{func(p *Policy) { p.Freezes = []Freeze{{Name: "a", On: friday, For: 367 * 24 * hour}} }, "freezes[0].for: 367d is longer than 366d"},
		{func(p *Policy) { p.Freezes = []Freeze{{Name: "a", On: friday, Zone: "Local"}} }, `freezes[0].zone: "Local"`},
		{func(p *Policy) { p.Freezes = []Freeze{{Name: "a", On: friday, Except: []Match{{}}}} }, "freezes[0].except[0]: says nothing"},
		{func(p *Policy) { p.Fit.Work = -1 }, "fit.work: -0.000000001s is negative"},
		{func(p *Policy) { p.Fit.Reboot = hour }, "fit.reboot: the policy never restarts a device"},
		{func(p *Policy) { p.Fit.Work = 400 * 24 * hour }, "fit: 400d is longer than 366d"},
		{func(p *Policy) { p.Fit.Work, p.Windows = 3*hour, []Window{{Start: 60, End: 240}} }, "windows: no opening is longer than fit demands, 3h"},
	} {
		p := Policy{Name: "p"}
		row.change(&p)
		require.ErrorContains(t, p.Validate(), row.want)
	}
	p := Policy{Name: "p", Fit: Fit{Work: 3 * hour}, Windows: []Window{{Start: 60, End: 240}, {Start: 240, End: 241}, {On: friday, End: 60}}}
	require.NoError(t, p.Validate(), "windows that touch are one opening, and what recurs by date is not told")
}
