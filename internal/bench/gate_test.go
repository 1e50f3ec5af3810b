package bench

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/policy/sequential"
)

// judging looks at a ring after each outcome: in the closed form, and by a table that is there already.
func judging(t testing.TB) *contest {
	const outcomes, rate, alpha = 10_000, 0.02, 0.05
	const rounds = 100 // of the table, which is too quick for one
	prior, limit := sequential.HaltPrior(), -math.Log(alpha)
	table, err := sequential.NewHalt(rate, alpha, prior, 2)
	require.NoError(t, err)
	closed, looked := 0, 0
	byClosedForm := func() {
		closed = 0
		for n := 1; n <= outcomes; n++ {
			if s := n / 50; s >= 2 && sequential.LogAbove(n, s, rate, prior) >= limit {
				closed++
			}
		}
	}
	byTable := func() {
		looked = 0
		for range rounds {
			for n := 1; n <= outcomes; n++ {
				if table.Crossed(n, n/50) {
					looked++
				}
			}
		}
	}
	byClosedForm()
	byTable()
	require.Equal(t, closed*rounds, looked)
	return &contest{
		name:  "Judging a gate after an outcome",
		sides: []side{{name: "closed form", per: outcomes, run: byClosedForm}, {name: "table", per: outcomes * rounds, run: byTable}},
		goals: []goal{{side: "table", peer: "closed form", most: 1.0 / 50}},
	}
}

func BenchmarkGate(b *testing.B) { bench(b, judging) }
