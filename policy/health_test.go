package policy

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
)

func TestWhenAMetricIsWorse(t *testing.T) {
	for _, c := range []struct {
		metric          Metric
		baseline, value float64
		want            bool
	}{
		{Metric{}, 10, 10, false},
		{Metric{}, 10, 10.1, true},
		{Metric{}, 10, 9, false},
		{Metric{}, 0, 0, false},
		{Metric{}, 0, 1, true}, // nothing crashed before
		{Metric{By: 3000}, 10, 13, false},
		{Metric{By: 3000}, 10, 13.1, true},
		{Metric{By: 3000}, 0, 0.1, true}, // a share of nothing is nothing
		{Metric{By: 3000, Least: 5}, 0, 5, false},
		{Metric{By: 3000, Least: 5}, 10, 15, false}, // whichever is more
		{Metric{By: 3000, Least: 5}, 10, 15.1, true},
		{Metric{By: 3000, Least: 5}, 100, 130, false},
		{Metric{Worse: WorseDown}, 10, 9.9, true},
		{Metric{Worse: WorseDown}, 10, 11, false},
		{Metric{Worse: WorseDown, By: 2000}, 10, 8, false},
		{Metric{Worse: WorseDown, By: 2000}, 10, 7.9, true},
		{Metric{Worse: WorseDown, By: 10000}, 10, 0, false},
	} {
		require.Equal(t, c.want, c.metric.Exceeded(c.baseline, c.value), "%s: %g after %g", c.metric, c.value, c.baseline)
	}
}

func TestValidateNamesTheFieldOfHealth(t *testing.T) {
	for _, c := range []struct {
		metrics []Metric
		want    string
	}{
		{[]Metric{{}}, "health.metrics[0].name: missing"},
		{[]Metric{{Name: "a"}, {Name: "a"}}, `health.metrics[1].name: "a" is the name of health.metrics[0] already`},
		{[]Metric{{Name: "a", Worse: 2}}, "health.metrics[0].worse: direction 2 has no name"},
		{[]Metric{{Name: "a", By: 10001}}, "health.metrics[0].by: 100.01% is more than 100%"},
		{[]Metric{{Name: "a", Least: -1}}, "health.metrics[0].least: -1 is negative"},
		{[]Metric{{Name: "a", Samples: 1001}}, "health.metrics[0].samples: 1001 is not from 0 to 1000"},
		{slices.Repeat([]Metric{{Name: "a"}}, 9), "health.metrics: 9 metrics, more than 8"},
	} {
		p := Policy{Name: "p", Health: Health{Metrics: c.metrics}}
		require.ErrorContains(t, p.Validate(), c.want)
	}
}

func TestMetricsOfTheNearestLayerCount(t *testing.T) {
	layers := []Layer{
		{Name: "vendor", Policy: Policy{Health: Health{Metrics: []Metric{{Name: "boot-seconds", By: 3000}}}}},
		{Name: "acme", Tenant: "acme", Policy: Policy{Health: Health{Metrics: []Metric{{Name: "crashes", Required: true}}}}},
	}
	e, err := Resolve(layers, &inventory.Device{Tenant: "acme"})
	require.NoError(t, err)
	require.Equal(t, layers[1].Policy.Health, e.Policy.Health)
	require.Contains(t, e.String(), "crashes up by 0%, required")
}

func ExampleMetric() {
	boot := Metric{Name: "boot-seconds", By: 3000, Least: 5}
	fmt.Println(boot)
	for _, before := range []float64{4, 40} {
		fmt.Printf("%g s before the patch: up to %g s are no worse\n", before, boot.Limit(before))
	}
	// Output:
	// boot-seconds up by 30% and at least 5
	// 4 s before the patch: up to 9 s are no worse
	// 40 s before the patch: up to 52 s are no worse
}
