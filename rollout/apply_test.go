package rollout

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/policy"
)

// A journal in which a device is settled twice is not one that a machine writes. It replays all the same, and the first
// outcome stands.
func TestAnOutcomeStands(t *testing.T) {
	p, err := NewPlan(input(2, policy.Ring{Name: "all", Rest: true}))
	require.NoError(t, err)
	m, err := NewMachine(p)
	require.NoError(t, err)
	begun, err := m.Step(Begin{p.At})
	require.NoError(t, err)

	m, err = NewMachine(p)
	require.NoError(t, err)
	for _, e := range append(begun.Events,
		DeviceSettled{Outcome: Failed, Devices: []int32{0}},
		DeviceSettled{Outcome: Succeeded, Devices: []int32{0}}) {
		require.NoError(t, m.Apply(p.At, e))
	}
	require.Equal(t, Failed, m.Device(0).Outcome)
	s := m.Status()
	require.Equal(t, map[Outcome]int{Failed: 1}, s.Rings[0].Outcomes)
	require.Equal(t, 1, s.Pending)
}
