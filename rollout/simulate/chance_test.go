package simulate

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
)

func TestDurationsAreDrawnEvenlyBetweenTheirQuantiles(t *testing.T) {
	d := Durations{time.Minute, 3 * time.Minute, 30 * 24 * time.Hour}
	require.Equal(t, time.Minute, d.at(0))
	require.InDelta(t, float64(d[2]), float64(d.at(math.MaxUint64)), float64(time.Hour))
	const n = 20000
	var below, lower int
	for i := range n {
		took := d.at(newDice(5, 0).hash(drawTook, inventory.DeviceID(fmt.Sprint(i)), 0, 1))
		require.GreaterOrEqual(t, took, d[0])
		require.LessOrEqual(t, took, d[2])
		if took < d[1] {
			below++
		}
		if took < 2*time.Minute {
			lower++
		}
	}
	// Half of them, and half of that half: five deviations of a binomial count are 354 and 306.
	require.InDelta(t, n/2, below, 354)
	require.InDelta(t, n/4, lower, 306)
	require.Zero(t, Durations(nil).at(7))
	require.Equal(t, time.Hour, Durations{time.Hour}.at(7))
}

func TestDurationsOfKeepsWhatIsFewAndSumsUpWhatIsMany(t *testing.T) {
	require.Equal(t, Durations{1, 2, 3}, DurationsOf([]time.Duration{3, 1, 2}))
	require.Empty(t, DurationsOf(nil))
	var many []time.Duration
	for i := range 1001 {
		many = append(many, time.Duration(1000-i))
	}
	d := DurationsOf(many)
	require.Len(t, d, 21)
	require.Equal(t, []time.Duration{0, 50, 500, 1000}, []time.Duration{d[0], d[1], d[10], d[20]})
}

// Draws for different purposes, devices, tries and runs must have nothing to do with each other.
func TestDrawsAreIndependent(t *testing.T) {
	const n = 20000
	for what, other := range map[string]func(id inventory.DeviceID) uint64{
		"purpose": func(id inventory.DeviceID) uint64 { return newDice(1, 0).hash(drawRate, id, 0, 1) },
		"number":  func(id inventory.DeviceID) uint64 { return newDice(1, 0).hash(drawTook, id, 1, 1) },
		"try":     func(id inventory.DeviceID) uint64 { return newDice(1, 0).hash(drawTook, id, 0, 2) },
		"run":     func(id inventory.DeviceID) uint64 { return newDice(1, 1).hash(drawTook, id, 0, 1) },
		"seed":    func(id inventory.DeviceID) uint64 { return newDice(2, 0).hash(drawTook, id, 0, 1) },
	} {
		both := 0
		for i := range n {
			id := inventory.DeviceID(fmt.Sprint("pc-", i))
			if happens(.3, newDice(1, 0).hash(drawTook, id, 0, 1)) && happens(.3, other(id)) {
				both++
			}
		}
		require.InDelta(t, .09*n, both, 203, "%s: five deviations", what)
	}
}

func TestNearestRank(t *testing.T) {
	require.Equal(t, Numbers{P10: 1, P50: 5, P90: 9, Max: 10}, numbersOf([]int{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}))
	require.Equal(t, Numbers{P10: 4, P50: 4, P90: 4, Max: 4}, numbersOf([]int{4}))
	require.Equal(t, Numbers{}, numbersOf(nil))
}
