package policy

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy/calendar"
)

func TestValidateNamesTheFieldOfDeferrals(t *testing.T) {
	const hour = Duration(time.Hour)
	for want, d := range map[string]Deferrals{
		"reboot.deferrals.max: -1 is not from 0 to 255":                                  {Max: -1},
		"reboot.deferrals.max: 256 is not from 0 to 255":                                 {Max: 256},
		"reboot.deferrals: max is missing: nobody may defer":                             {Each: hour},
		"reboot.deferrals.notice: -1h is negative":                                       {Max: 1, Notice: -hour},
		"reboot.deferrals.each: -1h is negative":                                         {Max: 1, Each: -hour},
		"reboot.deferrals.deadline: -1h is negative":                                     {Max: 1, Deadline: -hour},
		"reboot.deferrals.deadline: 30m is over before the restart is announced for, 1h": {Max: 1, Deadline: hour / 2},
	} {
		p := Policy{Name: "p", Reboot: Reboot{Mode: RebootAlways, Deferrals: d}}
		require.ErrorContains(t, p.Validate(), want)
	}
}

func TestDeferralsAreOneFieldOfALayer(t *testing.T) {
	layers := []Layer{
		{Name: "vendor", Policy: Policy{Reboot: Reboot{Mode: RebootAlways, Deferrals: Deferrals{Max: 3, Each: 1}}}},
		{Name: "acme", Tenant: "acme", Policy: Policy{Reboot: Reboot{Deferrals: Deferrals{Max: 1}}}},
	}
	e, err := Resolve(layers, &inventory.Device{Tenant: "acme"})
	require.NoError(t, err)
	require.Equal(t, Reboot{Mode: RebootAlways, Deferrals: Deferrals{Max: 1}}, e.Policy.Reboot)
}

func ExampleDeferrals() {
	fmt.Println(Deferrals{Max: 3})
	fmt.Println(Deferrals{})
	// Output:
	// 3 times for 4h, within 3d; announced 1h before
	// none
}

// Quiet times are no restarts, with windows for restarts or without; what lifts windows lifts them too, and what lifts freezes does not.
func TestQuietTimesAreNoTimesForRestarts(t *testing.T) {
	at := time.Date(2026, 3, 2, 21, 0, 0, 0, time.UTC)
	p := Policy{Name: "p", Reboot: Reboot{Mode: RebootAlways, Quiet: []Window{{Start: 20 * 60, End: 7 * 60}}}, Fit: Fit{Reboot: Duration(time.Hour)},
		Freezes: []Freeze{{Name: "march", From: calendar.WallOf(at, time.UTC) - 3600, Until: calendar.WallOf(at, time.UTC) + 40*3600, Zone: "UTC"}}}
	opens := func(b Bypass) string {
		s, err := p.RestartSchedule("Europe/Oslo")
		require.NoError(t, err)
		open, closes := s.Bypassing(b).Next(at)
		return open.Format("02 15:04 ") + closes.Format("02 15:04")
	}
	require.Equal(t, "03 06:00 03 18:00", opens(Bypass{}), "20:00 to 07:00 in Oslo, and an hour before that for the restart")
	require.Equal(t, "02 21:00 01 00:00", opens(Bypass{Windows: true}))
	require.Equal(t, "03 06:00 03 18:00", opens(Bypass{Freezes: true}))
	p.Reboot.Windows = []Window{{Start: 5 * 60, End: 9 * 60}}
	require.Equal(t, "05 06:00 05 07:00", opens(Bypass{}), "the freeze ends on the 4th at 13:00")
	require.Equal(t, "03 06:00", opens(Bypass{Freezes: true})[:8])
	_, err := p.RestartSchedule("")
	require.ErrorContains(t, err, "reboot.windows[0]: goes by the device's own clock")
	p.Reboot.Windows = nil
	_, err = p.RestartSchedule("")
	require.ErrorContains(t, err, "reboot.quiet[0]: goes by the device's own clock")
	_, err = p.RestartSchedule("Nowhere/Land")
	require.ErrorContains(t, err, "reboot.quiet[0]")
}

func TestLintWarnsOfQuietTimesThatLeaveNothing(t *testing.T) {
	p := Policy{Name: "p", Rules: []Rule{{Name: "all", Match: Match{All: true}, Verdict: Approve}}, Rings: []Ring{{Name: "all", Rest: true}}, MaxActive: 1,
		Rollback: Rollback{Acknowledged: true}, Reboot: Reboot{Mode: RebootAlways, Windows: []Window{{Start: 60, End: 180}}, Quiet: []Window{{Start: 0, End: 120}}}}
	f := LintFacts{Now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Zones: []string{"Europe/Oslo"}}
	require.Empty(t, Lint(&p, f), "an hour is left")
	p.Reboot.Quiet[0].End = 180
	warnings := Lint(&p, f)
	require.Len(t, warnings, 1)
	require.Equal(t, "reboot.quiet: quiet times leave no time in which devices in zone \"Europe/Oslo\" might be restarted: those that must be fail", warnings[0].String())
}
