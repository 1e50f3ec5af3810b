package sequential

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A row is a line of the reference values.
type row struct {
	quantity string
	params   map[string]string
	value    float64
}

func (r row) number(t *testing.T, name string) float64 {
	v, err := strconv.ParseFloat(r.params[name], 64)
	require.NoError(t, err, "%s of %v", name, r)
	return v
}

func (r row) count(t *testing.T, name string) int { return int(r.number(t, name)) }

func (r row) prior(t *testing.T) Prior { return Prior{r.number(t, "a"), r.number(t, "b")} }

func reference(t *testing.T) []row {
	f, err := os.Open("testdata/reference.tsv")
	require.NoError(t, err)
	defer f.Close()
	var rows []row
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		cells := strings.Split(lines.Text(), "\t")
		require.Len(t, cells, 3)
		r := row{quantity: cells[0], params: make(map[string]string)}
		for _, p := range strings.Split(strings.ReplaceAll(cells[1], "<=", "="), ";") {
			if name, value, found := strings.Cut(p, "="); found {
				r.params[name] = value
			} else {
				r.params["blocks"] += ";" + p
			}
		}
		r.value, err = strconv.ParseFloat(cells[2], 64)
		require.NoError(t, err)
		rows = append(rows, r)
	}
	return rows
}

func TestReferenceValues(t *testing.T) {
	const tolerance = 1e-10
	seen := make(map[string]int)
	for _, r := range reference(t) {
		seen[r.quantity]++
		var got float64
		switch r.quantity {
		case "e_betabinomial_H0_p_le_p0":
			got = math.Exp(LogAbove(r.count(t, "n"), r.count(t, "S"), r.number(t, "p0"), r.prior(t)))
		case "e_betabinomial_H0_p_ge_p0":
			got = math.Exp(LogBelow(r.count(t, "n"), r.count(t, "S"), r.number(t, "p0"), r.prior(t)))
		case "e_betabinomial_point":
			got = math.Exp(LogPoint(r.count(t, "n"), r.count(t, "S"), r.number(t, "p0"), r.prior(t)))
		case "confidence_sequence_lower":
			got, _ = Interval(r.count(t, "n"), r.count(t, "S"), r.number(t, "alpha"), r.prior(t))
		case "confidence_sequence_upper":
			_, got = Interval(r.count(t, "n"), r.count(t, "S"), r.number(t, "alpha"), r.prior(t))
		case "e_boundary_failures":
			table, err := NewHalt(r.number(t, "p0"), r.number(t, "alpha"), r.prior(t), 0)
			require.NoError(t, err)
			n, ok := table.Failures(r.count(t, "n"))
			require.True(t, ok)
			got = float64(n)
		case "e_promote_min_n":
			table, err := NewPass(r.number(t, "p1"), r.number(t, "beta"), r.prior(t))
			require.NoError(t, err)
			s := r.count(t, "S")
			require.False(t, table.Crossed(int(r.value)-1, s), "%v", r)
			require.True(t, table.Crossed(int(r.value), s), "%v", r)
			got = r.value
		case "e_two_sample_2x2":
			p := Pair{Smoothing: r.number(t, "gamma")}
			for _, block := range strings.Split(r.params["blocks"], ";") {
				if block == "" {
					continue
				}
				var ya, na, yb, nb int
				_, err := fmt.Sscanf(block, "%d,%d,%d,%d", &ya, &na, &yb, &nb)
				require.NoError(t, err)
				require.True(t, p.Add(na, ya, nb, yb))
			}
			got = math.Exp(p.Log())
		case "crossing_probability":
			continue // see TestFalseHalts
		default:
			require.Fail(t, "not tested", r.quantity)
		}
		require.InEpsilon(t, r.value+1e-300, got+1e-300, tolerance, "%v: got %v", r, got)
	}
	require.Equal(t, map[string]int{"e_betabinomial_H0_p_le_p0": 91, "e_betabinomial_H0_p_ge_p0": 104, "e_betabinomial_point": 100,
		"confidence_sequence_lower": 18, "confidence_sequence_upper": 22, "e_boundary_failures": 21, "e_promote_min_n": 14,
		"e_two_sample_2x2": 16, "crossing_probability": 132}, seen)
}

// everCrossed returns, for each n up to the last, the exact probability that the table has been crossed at one of the looks after
// each of the first n outcomes, by going through all ways that outcomes can come.
func everCrossed(table *Table, rate float64, last int) []float64 {
	crossed, alive := make([]float64, last+1), []float64{1} // by failures so far
	for n := 1; n <= last; n++ {
		next := make([]float64, n+1)
		for s, p := range alive {
			next[s] += p * (1 - rate)
			next[s+1] += p * rate
		}
		crossed[n] = crossed[n-1]
		for s, p := range next {
			if p > 0 && table.Crossed(n, s) {
				crossed[n] += p
				next[s] = 0
			}
		}
		for len(next) > 1 && next[len(next)-1] == 0 {
			next = next[:len(next)-1]
		}
		alive = next
	}
	return crossed
}

// The rows of the reference were worked out by somebody else's program, on the same lattice.
func TestFalseHalts(t *testing.T) {
	type key struct{ gate, p0, p string }
	runs := make(map[key][]float64)
	for _, r := range reference(t) {
		if r.quantity != "crossing_probability" {
			continue
		}
		k := key{r.params["gate"], r.params["p0"], r.params["p"]}
		if runs[k] == nil {
			var prior Prior
			_, err := fmt.Sscanf(k.gate, "e-process truncated Beta(%g,%g)", &prior.A, &prior.B)
			require.NoError(t, err, k.gate)
			table, err := NewHalt(r.number(t, "p0"), r.number(t, "alpha"), prior, 0)
			require.NoError(t, err)
			runs[k] = everCrossed(table, r.number(t, "p"), 2000)
		}
		require.InDelta(t, r.value, runs[k][r.count(t, "n")], 1e-10, "%v", r)
	}
	require.NotEmpty(t, runs)
}

func TestNoRateThatIsToleratedHaltsTooOften(t *testing.T) {
	for _, c := range []struct {
		rate, alpha float64
		prior       Prior
	}{
		{0.01, 0.05, HaltPrior()}, {0.02, 0.05, HaltPrior()}, {0.05, 0.01, HaltPrior()}, {0.2, 0.1, HaltPrior()}, {0.5, 0.05, Prior{1, 1}},
		{0.02, 0.05, Prior{0.5, 0.5}}, {0.1, 0.2, Prior{7, 2}},
	} {
		for _, least := range []int{0, 2} {
			for _, share := range []float64{0.1, 0.5, 0.9, 1} {
				table, err := NewHalt(c.rate, c.alpha, c.prior, least)
				require.NoError(t, err)
				p := everCrossed(table, c.rate*share, 400)[400]
				require.LessOrEqual(t, p, c.alpha, "%+v, true rate %v", c, c.rate*share)
			}
		}
		for _, times := range []float64{1, 1.5, 1.9} {
			table, err := NewPass(c.rate, c.alpha, PassPrior(c.rate))
			require.NoError(t, err)
			p := everCrossed(table, c.rate*times, 400)[400]
			require.LessOrEqual(t, p, c.alpha, "%+v: passes at the true rate %v", c, c.rate*times)
		}
	}
}

func TestConfidenceSequenceCovers(t *testing.T) {
	const alpha, last = 0.1, 150
	for _, rate := range []float64{0.01, 0.05, 0.3, 0.5} {
		missed, alive := 0.0, []float64{1}
		for n := 1; n <= last; n++ {
			next := make([]float64, n+1)
			for s, p := range alive {
				next[s] += p * (1 - rate)
				next[s+1] += p * rate
			}
			for s := range next {
				if next[s] < 1e-12 {
					continue
				}
				if low, high := Interval(n, s, alpha, Prior{1, 1}); rate < low || rate > high {
					missed += next[s]
					next[s] = 0
				}
			}
			alive = next
		}
		require.LessOrEqual(t, missed, alpha, "rate %v", rate)
	}
}

func TestTablesAreTheClosedForm(t *testing.T) {
	for _, rate := range []float64{0.005, 0.02, 0.1, 0.5} {
		for _, alpha := range []float64{0.05, 0.3} {
			halt, err := NewHalt(rate, alpha, HaltPrior(), 2)
			require.NoError(t, err)
			pass, err := NewPass(rate, alpha, PassPrior(rate))
			require.NoError(t, err)
			limit := -math.Log(alpha)
			for n := 0; n <= 700; n += 1 + n/40 {
				lastFailures := -1
				for s := 0; s <= n; s++ {
					require.Equal(t, s >= 2 && LogAbove(n, s, rate, HaltPrior()) >= limit, halt.Crossed(n, s), "halt %v: %d of %d", rate, s, n)
					passes := LogBelow(n, s, rate, PassPrior(rate)) >= limit
					require.Equal(t, passes, pass.Crossed(n, s), "pass %v: %d of %d", rate, s, n)
					if passes {
						lastFailures = s
					}
				}
				most, ok := pass.Failures(n)
				require.Equal(t, lastFailures >= 0, ok)
				require.Equal(t, lastFailures, most)
			}
		}
	}
}

func TestATableDoesNotDependOnWhatItWasAsked(t *testing.T) {
	for _, far := range []int{3, 70, 4000} {
		one, err := NewHalt(0.02, 0.05, HaltPrior(), 2)
		require.NoError(t, err)
		one.Crossed(100000, far)
		two, err := NewHalt(0.02, 0.05, HaltPrior(), 2)
		require.NoError(t, err)
		for s := range 200 {
			for n := s; n < 3000; n += 97 {
				require.Equal(t, two.Crossed(n, s), one.Crossed(n, s), "%d of %d", s, n)
			}
		}
	}
}

func TestMonotone(t *testing.T) {
	for n := 1; n < 300; n += 7 {
		for s := 1; s <= n; s++ {
			require.GreaterOrEqual(t, LogAbove(n, s, 0.05, HaltPrior())+1e-9, LogAbove(n, s-1, 0.05, HaltPrior()), "%d of %d", s, n)
			require.LessOrEqual(t, LogBelow(n, s, 0.05, PassPrior(0.05))-1e-9, LogBelow(n, s-1, 0.05, PassPrior(0.05)), "%d of %d", s, n)
			require.LessOrEqual(t, LogAbove(n+1, s, 0.05, HaltPrior())-1e-9, LogAbove(n, s, 0.05, HaltPrior()), "%d of %d", s, n)
		}
	}
}

func TestWhatMakesNoSense(t *testing.T) {
	for name, v := range map[string]float64{
		"more failures than outcomes": LogAbove(1, 2, 0.1, HaltPrior()),
		"a negative number":           LogBelow(5, -1, 0.1, HaltPrior()),
		"a rate of nothing":           LogPoint(5, 1, 0, HaltPrior()),
		"a rate of everything":        LogAbove(5, 1, 1, HaltPrior()),
		"no prior":                    LogBelow(5, 1, 0.1, Prior{}),
	} {
		require.True(t, math.IsNaN(v), name)
	}
	_, err := NewHalt(0.1, 0, HaltPrior(), 2)
	require.ErrorContains(t, err, "alpha 0")
	_, err = NewPass(1, 0.1, HaltPrior())
	require.ErrorContains(t, err, "rate 1")
	var p Pair
	require.False(t, p.Add(1, 2, 1, 0))
	require.Zero(t, p.Log())
}

func TestThePairLearnsFromABlockThatSaysNothing(t *testing.T) {
	var one, other Pair
	require.True(t, one.Add(10, 8, 0, 0))
	require.Zero(t, one.Log())
	require.True(t, one.Add(10, 8, 10, 0))
	require.True(t, other.Add(10, 8, 10, 0))
	require.Greater(t, one.Log(), other.Log())
	require.False(t, other.Worse(0.05))
	for range 3 {
		other.Add(10, 5, 10, 0)
	}
	require.True(t, other.Worse(0.05))
	var better Pair
	for range 9 {
		better.Add(10, 0, 10, 5)
	}
	require.Greater(t, better.Log(), 3.0)
	require.False(t, better.Worse(0.05))
}

func FuzzTable(f *testing.F) {
	f.Add(uint16(20), uint16(3), 0.02, 0.05, 1.0, 9.0)
	f.Add(uint16(1000), uint16(0), 0.01, 0.05, 1.0, 400.0)
	f.Fuzz(func(t *testing.T, n16, s16 uint16, rate, alpha, a, b float64) {
		n, s := int(n16)%5000, int(s16)%400
		if !(rate > 0.001 && rate < 0.9 && alpha > 1e-4 && alpha < 0.9 && a > 0.1 && a < 50 && b > 0.1 && b < 500) {
			return
		}
		prior := Prior{a, b}
		halt, err := NewHalt(rate, alpha, prior, 0)
		require.NoError(t, err)
		if halt.Crossed(n, s) {
			require.True(t, halt.Crossed(n, min(s+1, n)), "one failure more still halts")
			require.GreaterOrEqual(t, LogAbove(n, s, rate, prior), -math.Log(alpha)-1e-6)
		} else if s <= n {
			require.LessOrEqual(t, LogAbove(n, s, rate, prior), -math.Log(alpha)+1e-6)
		}
		if low, high := Interval(n, s, alpha, prior); n > 0 && s <= n {
			require.True(t, 0 <= low && low <= float64(s)/float64(n) && float64(s)/float64(n) <= high && high <= 1, "%v to %v", low, high)
		}
	})
}
