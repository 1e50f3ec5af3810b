package rollout

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/policy"
)

func TestWhomAGateComparesWith(t *testing.T) {
	plan := func(n, size, controls, strata int) Plan {
		in := input(n, policy.Ring{Name: "first", Size: size, Gate: policy.Gate{Control: policy.Control{Devices: controls}}},
			policy.Ring{Name: "second", Size: 5}, policy.Ring{Name: "third", Rest: true})
		in.Policy.Health.Metrics = []policy.Metric{{Name: "boot"}}
		for s := range strata {
			in.Policy.Strata = []string{"kind"}
			in.Strata = append(in.Strata, []string{fmt.Sprint(s)})
		}
		for i := range in.Targets {
			in.Targets[i].Stratum = uint16(i % max(strata, 1))
		}
		p, err := NewPlan(in)
		require.NoError(t, err)
		return p
	}
	t.Run("the first of the rings after it, in their order", func(t *testing.T) {
		p := plan(20, 4, 7, 0)
		require.Equal(t, []int32{4, 5, 6, 7, 8, 9, 10}, p.Controls(0))
		require.Empty(t, p.Controls(1))
	})
	t.Run("all that there are", func(t *testing.T) {
		p := plan(10, 4, 700, 0)
		require.Len(t, p.Controls(0), 6)
		require.Contains(t, p.String(), "     compared with 6 devices, until it has passed; that is less than the 700 that are wanted\n")
	})
	t.Run("nobody, where there is nobody", func(t *testing.T) {
		p := plan(4, 4, 7, 0)
		require.Empty(t, p.Controls(0))
		require.Contains(t, p.String(), "compared with nobody, until it has passed; that is less than the 7 that are wanted\n")
	})
	t.Run("of each stratum its part", func(t *testing.T) {
		p := plan(60, 6, 9, 3)
		parts := make([]int, 3)
		for _, d := range p.Controls(0) {
			parts[p.Stratum[d]]++
		}
		require.Equal(t, []int{3, 3, 3}, parts)
	})
	t.Run("whoever is left, where a stratum has no more", func(t *testing.T) {
		in := input(12, policy.Ring{Name: "first", Gate: policy.Gate{Control: policy.Control{Devices: 6}}}, policy.Ring{Name: "rest", Rest: true})
		in.Policy.Strata, in.Strata = []string{"kind"}, [][]string{{"a"}, {"b"}}
		for i := range in.Targets { // all but one of a are claimed for the first ring
			if i < 4 {
				in.Targets[i].Ring = 0
			} else if i > 4 {
				in.Targets[i].Stratum = 1
			}
		}
		p, err := NewPlan(in)
		require.NoError(t, err)
		all := p.Controls(0)
		require.Len(t, all, 6)
		require.IsIncreasing(t, all)
		a := 0
		for _, d := range all {
			if p.Strata[p.Stratum[d]][0] == "a" {
				a++
			}
		}
		require.Equal(t, 1, a, "there is no other")
	})
}
