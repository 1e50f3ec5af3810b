package rollout

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/policy"
)

// What ran on a device that was reimaged since runs there no more, so nothing waits for its end.
func TestNothingRunsOnThroughANewImage(t *testing.T) {
	m := begunMachine(t, input(1, policy.Ring{Name: "all", Rest: true}))
	now := m.Now()
	_, err := m.Step(Granted{now, []int32{0}})
	require.NoError(t, err)
	for range 3 {
		now, _ = m.Next()
		_, err = m.Step(Tick{now})
		require.NoError(t, err)
		if m.awaits(0) {
			break
		}
	}
	require.True(t, m.awaits(0), "its installation had no answer in time")
	_, err = m.Step(Left{now, []Departure{{Device: m.plan.Devices[0], How: Reimaged, By: "inventory"}}})
	require.NoError(t, err)
	require.False(t, m.awaits(0))
}
