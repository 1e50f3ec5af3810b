package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/policy/calendar"
)

// An approval in an emergency lifts what it says, if every need lets that person lift it; otherwise it does not count. What it
// does not lift stands.
func TestWhatAnEmergencyLifts(t *testing.T) {
	windows, freezes, both := Bypass{Windows: true}, Bypass{Freezes: true}, Bypass{Windows: true, Freezes: true}
	alone := Need{Emergency: true, Bypass: both, Approvers: []string{"ann", "group:board"}}
	lifting := func(b Bypass) func(*Decision) {
		return func(d *Decision) { urgent(d); d.Emergency.Bypass = b }
	}
	p := Policy{Windows: []Window{{Start: 20 * 60, End: 22 * 60, Zone: "UTC"}},
		Freezes: []Freeze{{Name: "close", From: calendar.DateOf(2026, time.March, 1).At(0), Until: calendar.DateOf(2026, time.March, 5).At(0), Zone: "UTC"}}}
	s, err := p.Schedule(p.Windows, "UTC")
	require.NoError(t, err)
	at := func(day, hour int) time.Time { return time.Date(2026, 3, day, hour, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		name  string
		needs []Need
		by    Decision
		code  VoteCode
		want  Bypass
		open  time.Time // when work may begin that was approved at noon of the 2nd
	}{
		{"nothing", []Need{alone}, yes("ann", urgent), VoteCounts, Bypass{}, at(5, 20)},
		{"windows", []Need{alone}, yes("ann", lifting(windows)), VoteCounts, windows, at(5, 0)},
		{"freezes", []Need{alone}, yes("ann", lifting(freezes)), VoteCounts, freezes, at(2, 20)},
		{"both", []Need{alone}, yes("ann", lifting(both)), VoteCounts, both, at(2, 12)},
		{"by a group", []Need{alone}, yes("bob", of("board"), lifting(both)), VoteCounts, both, at(2, 12)},
		{"more than may be", []Need{{Quorum: 2, Emergency: true, Bypass: windows}}, yes("ann", lifting(both)), VoteBypass, Bypass{}, at(5, 20)},
		{"not by that need", []Need{alone, {Emergency: true, Quorum: 2}}, yes("ann", lifting(windows)), VoteBypass, Bypass{}, at(5, 20)},
		{"not by that person", []Need{alone, {Emergency: true, Bypass: both, Approvers: []string{"hans"}}}, yes("ann", lifting(windows)), VoteBypass, Bypass{}, at(5, 20)},
		{"nothing is said of emergencies", nil, yes("ann", lifting(windows)), VoteBypass, Bypass{}, at(5, 20)},
		{"an emergency without a reason", []Need{alone}, yes("ann", lifting(both), func(d *Decision) { d.Emergency.Reason = "" }), VoteReasonless, Bypass{}, at(5, 20)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Settle(Request{ID: "q", Digest: digest, By: "olga", Needs: c.needs}, []Decision{c.by}, noon())
			require.Equal(t, c.code, got.Votes[0].Code)
			require.Equal(t, c.code == VoteCounts, got.Ruling == Approved, got)
			var lifted Bypass
			if got.Emergency != nil {
				lifted = got.Emergency.Bypass
			}
			require.Equal(t, c.want, lifted)
			open, _ := s.Bypassing(lifted).Next(noon())
			require.Equal(t, c.open, open)
		})
	}
	require.True(t, s.Bypassing(both).Open(at(3, 3)))
	require.Equal(t, s, s.Bypassing(Bypass{}))
	require.Equal(t, "windows and freezes", both.String())
}
