package policy

import (
	"fmt"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Values made with 50-digit arithmetic, for a confidence of 95 % but where it says otherwise.
func TestSampleSizeIsExact(t *testing.T) {
	for _, row := range []struct {
		rate, confidence Share
		want             int
		ok               bool
	}{
		{5000, 8000, 3, true}, {2000, 9500, 14, true}, {1000, 9500, 29, true}, {500, 9900, 90, true}, {100, 9990, 688, true}, {10, 9000, 2302, true},
		{5000, 5000, 1, true}, {5000, 7500, 2, true}, {5000, 7501, 3, true}, // where the logarithms meet exactly
		{9000, 9900, 2, true}, {9000, 9901, 3, true},
		{1, 9999, 92099, true}, {whole, whole, 1, true}, {whole, 1, 1, true}, {1, 0, 0, true}, {1, 1, 1, true},
		{0, 9500, 0, false}, {500, whole, 0, false}, {-1, 9500, 0, false}, {whole + 1, 1, 0, false}, {1, whole + 1, 0, false}, {1, -1, 0, false},
	} {
		got, ok := SampleSize(row.rate, row.confidence)
		require.Equal(t, row.ok, ok, "%s %s", row.rate, row.confidence)
		require.Equal(t, row.want, got, "%s %s", row.rate, row.confidence)
	}
}

// The other way of the formula: n devices see it, n-1 do not, in rationals.
func FuzzSampleSize(f *testing.F) {
	f.Add(500, 9500)
	f.Add(9000, 9900)
	f.Fuzz(func(t *testing.T, rate, confidence int) {
		if rate < 50 || rate > 10000 || confidence < 0 || confidence >= 10000 {
			return
		}
		n, ok := SampleSize(Share(rate), Share(confidence))
		require.True(t, ok)
		sees := func(n int) bool {
			miss := big.NewRat(1, 1)
			for range n {
				miss.Mul(miss, big.NewRat(int64(10000-rate), 10000))
			}
			return miss.Cmp(big.NewRat(int64(10000-confidence), 10000)) <= 0
		}
		require.True(t, sees(n))
		require.True(t, n == 0 || !sees(n-1))
	})
}

// The other way of the formula, factor by factor.
func FuzzSampleSizeOf(f *testing.F) {
	f.Add(20, 500, 9900)
	f.Add(200, 1, 10000)
	f.Fuzz(func(t *testing.T, devices, rate, confidence int) {
		devices = 1 + (devices%500+500)%500
		if rate < 1 || rate > 10000 || confidence < 0 || confidence > 10000 {
			return
		}
		n, ok := SampleSizeOf(devices, Share(rate), Share(confidence))
		require.True(t, ok)
		sound := devices - (devices*rate+9999)/10000
		sees := func(n int) bool {
			miss := big.NewRat(1, 1)
			for i := range n {
				miss.Mul(miss, big.NewRat(int64(sound-i), int64(devices-i)))
			}
			return miss.Cmp(big.NewRat(int64(10000-confidence), 10000)) <= 0
		}
		require.True(t, n <= devices && sees(n))
		require.True(t, n == 0 || !sees(n-1))
		if all, ok := SampleSize(Share(rate), Share(confidence)); ok && rate >= 50 {
			require.LessOrEqual(t, n, all)
		}
	})
}

func TestSampleSizeOfAFleet(t *testing.T) {
	for _, row := range []struct {
		devices          int
		rate, confidence Share
		want             int
		ok               bool
	}{
		{1, 500, 9500, 1, true}, {19, 500, 9500, 19, true}, {60, 500, 9500, 38, true}, {1_000_000, 500, 9500, 59, true},
		{1_000_000, 500, 0, 0, true}, {100, whole, whole, 1, true}, {100, 500, whole, 96, true}, {1_000_000, 1, 9999, 87985, true},
		{0, 500, 9500, 0, false}, {-1, 500, 9500, 0, false}, {10, 0, 9500, 0, false}, {10, whole + 1, 9500, 0, false}, {10, 1, whole + 1, 0, false}, {10, 1, -1, 0, false},
	} {
		got, ok := SampleSizeOf(row.devices, row.rate, row.confidence)
		require.Equal(t, row.ok, ok, "%d %s %s", row.devices, row.rate, row.confidence)
		require.Equal(t, row.want, got, "%d %s %s", row.devices, row.rate, row.confidence)
	}
}

func TestSampleSizesOfTheVectors(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "samples.tsv"))
	require.NoError(t, err)
	rows := 0
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		require.Len(t, fields, 6, line)
		number := func(i int) int {
			n, err := strconv.Atoi(fields[i])
			require.NoError(t, err)
			return n
		}
		share := func(i int) Share {
			x, err := strconv.ParseFloat(fields[i], 64)
			require.NoError(t, err)
			return Share(math.Round(x * float64(whole)))
		}
		got, ok := SampleSize(share(2), share(4))
		if fields[0] == "finite" {
			require.Equal(t, number(3), int(math.Ceil(float64(number(1)*int(share(2)))/float64(whole))), "failing in %s", line)
			got, ok = SampleSizeOf(number(1), share(2), share(4))
		}
		require.True(t, ok)
		require.Equal(t, number(5), got, line)
		rows++
	}
	require.Equal(t, 91, rows)
}

// What a first ring of 2 % with different words comes to in fleets of different sizes. The samples are those of TestSampleSizeIsExact and of
// the formula of the hypergeometric distribution.
func TestLeastDevicesOfARing(t *testing.T) {
	for _, c := range []struct {
		ring    Ring
		devices int
		want    int
	}{
		{Ring{Share: 200}, 1_000_000, 1},
		{Ring{Share: 200, MinDevices: 7}, 3, 7}, // as many as there are: the plan sees to that
		{Ring{Share: 200, Shows: 1000}, 1_000_000, 29},
		{Ring{Share: 200, Shows: 1000}, 200, 27},
		{Ring{Share: 200, Shows: 1000}, 104, 24}, // 11 fail of 104
		{Ring{Share: 200, Shows: 1000}, 100, 25}, // 10 fail of 100: it takes 25
		{Ring{Share: 200, Shows: 1000}, 40, 10},  // a quarter
		{Ring{Share: 200, Shows: 1000}, 5, 2},    // rounded up
		{Ring{Share: 200, Shows: 1000}, 1, 1},
		{Ring{Share: 200, Shows: 1000}, 0, 1},
		{Ring{Share: 200, Shows: 1000, MinDevices: 12}, 40, 12},
		{Ring{Share: 200, Shows: 500}, 1_000_000, 59},
		{Ring{Share: 200, Shows: 100}, 1_000_000, 299},
		{Ring{Share: 200, Shows: whole}, 1000, 1},
	} {
		require.Equal(t, c.want, c.ring.Least(c.devices), "%+v of %d", c.ring, c.devices)
		// It is enough: the other way round, by what is said of samples.
		if need, ok := SampleSizeOf(c.devices, c.ring.Shows, 9500); ok && c.ring.MinDevices == 0 {
			require.True(t, c.want >= need || c.want == (c.devices+3)/4, "%+v of %d: %d, it takes %d", c.ring, c.devices, c.want, need)
		}
	}
}

func ExampleRing_Least() {
	canary := Ring{Name: "canary", Share: 200, Shows: 1000} // 2 %, and such that a patch that breaks a tenth of all devices is noticed
	for _, fleet := range []int{12, 100, 500, 10_000} {
		fmt.Println(fleet, canary.Least(fleet))
	}
	// Output:
	// 12 3
	// 100 25
	// 500 28
	// 10000 29
}
