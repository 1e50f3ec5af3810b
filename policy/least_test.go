package policy

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatAFirstRingIsAdvisedToHave(t *testing.T) {
	for _, row := range []struct{ devices, want int }{
		{math.MinInt, 0}, {-1, 0}, {0, 0}, {1, 1}, {2, 1}, {24, 1},
		{25, 2}, {40, 2}, {41, 3}, {60, 3}, {61, 4}, {100, 5},
		{101, 9}, {112, 9}, {113, 10}, {500, 40}, {700, 56}, {1000, 57},
		{1001, 56}, {10_000, 59}, {1_000_000, 59}, {math.MaxInt32, 59},
	} {
		require.Equal(t, row.want, LeastFor(row.devices), row.devices)
	}
	for n := 1; n <= 3000; n++ {
		enough, ok := SampleSizeOf(n, 500, 9500)
		require.True(t, ok)
		require.LessOrEqual(t, LeastFor(n), enough, n)
		require.LessOrEqual(t, LeastFor(n), max(1, n/10), "a tenth of %d devices", n)
	}
}

// A ring that is too small to show anything is told of once; with what is advised, if that is less than what it takes and the ring is the first.
func TestLintSaysWhatIsAdvisedForTheFirstRing(t *testing.T) {
	const takes = `rings[%d]: ring %q has %d devices; to show a failure rate of 5%% with a confidence of 95%% takes %d`
	const advised = `; at least %d are advised for the first ring of %d`
	for _, row := range []struct {
		name  string
		rings []int
		want  []string
	}{
		{"below what is advised", []int{1, 60, 39}, []string{fmt.Sprintf(takes+advised, 0, "test", 1, 45, 5, 100)}},
		{"just below", []int{4, 60, 36}, []string{fmt.Sprintf(takes+advised, 0, "test", 4, 45, 5, 100)}},
		{"what is advised", []int{5, 60, 35}, []string{fmt.Sprintf(takes, 0, "test", 5, 45)}},
		{"the next ring", []int{50, 4, 46}, []string{fmt.Sprintf(takes, 1, "pilot", 4, 45)}},
		{"the first that has devices", []int{0, 4, 96}, []string{fmt.Sprintf(takes+advised, 1, "pilot", 4, 45, 5, 100)}},
		{"where what it takes is advised", []int{8, 100, 892}, []string{fmt.Sprintf(takes, 0, "test", 8, 57)}},
		{"a small fleet", []int{1, 23, 0}, []string{fmt.Sprintf(takes, 0, "test", 1, 19)}},
		{"a ring that shows it", []int{51, 51, 98}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, f := sound()
			f.Rings, f.Patches = row.rings, nil
			var got []string
			for _, w := range Lint(&p, f) {
				got = append(got, w.String())
			}
			require.Equal(t, row.want, got)
		})
	}
	p, f := sound()
	f.Rings, f.Patches, f.FailureRate = []int{1, 60, 39}, nil, 9900
	for _, w := range Lint(&p, f) {
		require.NotEqual(t, LintRingTooSmall, w.Code, "whoever says which rate a ring is to show has said what it is to have")
	}
}
