package policy

import (
	"bufio"
	"math"
	"math/big"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
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

func TestSampleSizesOfTheVectors(t *testing.T) {
	f, err := os.Open(need.Shared(t, "vectors", "stats.tsv"))
	require.NoError(t, err)
	defer f.Close()
	rows := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) < 4 || fields[1] != "canary_size_infinite" {
			continue
		}
		share := func(name string) Share {
			for part := range strings.SplitSeq(fields[2], ";") {
				if v, ok := strings.CutPrefix(part, name+"="); ok {
					x, err := strconv.ParseFloat(v, 64)
					require.NoError(t, err)
					return Share(math.Round(x * 10000))
				}
			}
			return -1
		}
		want, err := strconv.Atoi(fields[3])
		require.NoError(t, err)
		got, ok := SampleSize(share("p"), share("c"))
		require.True(t, ok)
		require.Equal(t, want, got, fields[0])
		rows++
	}
	require.Greater(t, rows, 30)
}
