package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/policy/calendar"
)

// During a freeze work begins on those devices alone whose patches are all excepted from it.
func TestAFreezeLetsWhatItExceptsGoOn(t *testing.T) {
	in := input(6, policy.Ring{Name: "all", Rest: true})
	in.Zones = []string{"Europe/Berlin", "America/New_York"}
	in.Policy.Freezes = []policy.Freeze{{Name: "quarter", From: calendar.DateOf(2026, time.March, 1).At(0), Until: calendar.DateOf(2026, time.March, 3).At(0)},
		{Name: "other", On: mustRecur(t, "sun"), Zone: "UTC"}}
	urgent := in.Contents[0]
	urgent.Passes = []string{"quarter"}
	in.Contents = append(in.Contents, urgent)
	for i := range in.Targets {
		in.Targets[i].Zone, in.Targets[i].Content = uint16(i%2), uint32(i/2%2)
	}
	p, err := NewPlan(in)
	require.NoError(t, err)
	require.Contains(t, p.String(), "  no work begins: quarter, 2026-03-01 to 2026-03-03 by their own clocks; 1 set of 2 may go on\n")
	m, err := NewMachine(p)
	require.NoError(t, err)
	_, err = m.Step(Begin{in.At})
	require.NoError(t, err)
	for d := range p.Devices {
		if len(p.Contents[p.Content[d]].Passes) == 0 {
			x := m.Explain(p.Devices[d], in.At)
			require.Contains(t, x.Reasons[len(x.Reasons)-1].String(), "freeze quarter is on: work may begin 2026-03-0")
		}
	}
	// The freeze ends by the clock of each device: 23:00 UTC in Berlin, 05:00 UTC in New York.
	for _, row := range []struct {
		after time.Duration
		want  int
	}{{0, 2}, {14*time.Hour - time.Second, 2}, {14 * time.Hour, 4}, {20 * time.Hour, 6}} {
		wanted := m.Wanted(in.At.Add(row.after), 0)
		require.Len(t, wanted, row.want, "after %s", row.after)
		for _, d := range wanted {
			urgent := len(p.Contents[p.Content[d]].Passes) > 0
			require.True(t, urgent || row.after >= 14*time.Hour)
		}
	}
}

func mustRecur(t *testing.T, text string) calendar.Recurrence {
	t.Helper()
	r, err := calendar.Parse(text)
	require.NoError(t, err)
	return r
}
