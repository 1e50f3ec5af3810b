package rollout

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/policy"
)

// How many more have to succeed, checked by letting so many succeed, and one less.
func TestWhatAGateLacks(t *testing.T) {
	for name, c := range map[string]struct {
		gate policy.Gate
		c    Counts
		want []string
	}{
		"four of a hundred":          {policy.Gate{MinSuccess: 9000}, Counts{Denominator: 120, Succeeded: 104, Sample: 104}, []string{"86.66%", "90%", "4 devices"}},
		"one":                        {policy.Gate{MinSuccess: 9000}, Counts{Denominator: 10, Succeeded: 8, Sample: 8}, []string{"80%", "90%", "1 device"}},
		"good enough":                {policy.Gate{MinSuccess: 9000}, Counts{Denominator: 10, Succeeded: 9, Sample: 9}, []string{"", "", ""}},
		"a sample":                   {policy.Gate{MinSuccess: 9000, MinSample: 30}, Counts{Denominator: 10, Succeeded: 10, Sample: 10}, []string{"", "", "20 devices"}},
		"nobody to count":            {policy.Gate{MinSuccess: 9000, MinSample: 1}, Counts{}, []string{"", "", "1 device"}},
		"of those that have settled": {policy.Gate{Denominator: policy.Settled, MinSuccess: 9000}, Counts{Denominator: 10, Succeeded: 8, Sample: 10}, []string{"80%", "90%", "10 devices"}},
		"which nobody can mend":      {policy.Gate{Denominator: policy.Settled, MinSuccess: 10000}, Counts{Denominator: 10, Succeeded: 8, Sample: 10}, []string{"80%", "100%", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			got := lacking(&c.gate, c.c)
			require.Equal(t, []string{"rate", c.want[0], "want", c.want[1], "missing", c.want[2]}, got)
			n := 0
			for got[1] != "" || got[5] != "" {
				if n++; n > 100 {
					require.Empty(t, c.want[2], "no number is enough")
					return
				}
				c.c.Succeeded, c.c.Sample = c.c.Succeeded+1, c.c.Sample+1
				if c.gate.Denominator == policy.Settled {
					c.c.Denominator++
				}
				got = lacking(&c.gate, c.c)
			}
			require.Equal(t, c.want[2] == "", n == 0)
			if n > 0 {
				require.Equal(t, c.want[2], count(n, "device"))
			}
		})
	}
}
