package xxh64_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/xxh64"
)

// The values are those that the reference implementation gives (xxHash 0.8, `xxhsum -H64`), for seed 0.
func TestSumIsXXH64(t *testing.T) {
	for text, want := range map[string]uint64{
		"":    0xEF46DB3751D8E999,
		"a":   0xD24EC4F1A98C6E5B,
		"abc": 0x44BC2CF5AD770999,
		"Nobody inspects the spammish repetition": 0xFBCEA83C8A378BF1,
	} {
		require.Equal(t, want, xxh64.Sum(0, text), text)
	}
}

func TestOrderIsSpreadEvenlyWhateverDevicesAreCalled(t *testing.T) {
	const n, buckets = 100_000, 100
	for _, format := range []string{"%d", "device-%08d", "00:1a:2b:%06x", "%036d"} {
		var counts [buckets]int
		seed := xxh64.Sum(xxh64.Sum(0, "q1"), "acme")
		for i := range n {
			counts[xxh64.Sum(seed, fmt.Sprintf(format, i))>>32*buckets>>32]++
		}
		chi := 0.0
		for _, c := range counts {
			d := float64(c) - n/buckets
			chi += d * d / (n / buckets)
		}
		// 99 degrees of freedom: the mean is 99, the deviation 14; 170 is five deviations off.
		require.Less(t, chi, 170.0, format)
	}
}
