package policy

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
)

func TestLimitOfABudget(t *testing.T) {
	for _, c := range []struct {
		budget  Budget
		devices int
		want    int
	}{
		{Budget{Count: 2}, 1, 2},
		{Budget{Rate: Rate{Count: 1, Every: 1}}, 7, math.MaxInt32},
		{Budget{Count: 2}, 1000, 2},
		{Budget{Share: 1000}, 100, 10},
		{Budget{Share: 1000}, 109, 10}, // rounded down
		{Budget{Share: 1000}, 9, 1},    // but never to none
		{Budget{Share: 1000}, 1, 1},
		{Budget{Share: 10000}, 7, 7},
		{Budget{Share: 1}, 1 << 30, 107374}, // no overflow
		{Budget{Count: 2, Share: 1000}, 100, 2},
		{Budget{Count: 20, Share: 1000}, 100, 10},
	} {
		require.Equal(t, c.want, c.budget.Limit(c.devices), "%+v of %d", c.budget, c.devices)
	}
}

func TestDomainOfABudget(t *testing.T) {
	d := &inventory.Device{ID: "ada", Labels: map[string]string{"site": "oslo", "role": "db", "rack": ""}}
	for _, c := range []struct {
		budget Budget
		want   []string
		in     bool
	}{
		{Budget{}, []string{}, true},
		{Budget{Per: []string{"site"}}, []string{"oslo"}, true},
		{Budget{Per: []string{"role", "site"}}, []string{"db", "oslo"}, true},
		{Budget{Per: []string{"rack"}}, []string{""}, true}, // has the label
		{Budget{Per: []string{"site", "pair"}}, nil, false},
		{Budget{Per: []string{"site"}, Devices: inventory.MustSelector("role=db")}, []string{"oslo"}, true},
		{Budget{Per: []string{"site"}, Devices: inventory.MustSelector("role=web")}, nil, false},
	} {
		got, in := c.budget.Domain(d)
		require.Equal(t, c.in, in, c.budget)
		require.Empty(t, cmp.Diff(c.want, got), c.budget)
	}
}

func TestValidateNamesTheFieldOfABudget(t *testing.T) {
	for _, c := range []struct {
		budgets []Budget
		want    string
	}{
		{[]Budget{{Count: 1}}, "budgets[0].name: missing"},
		{[]Budget{{Name: "a", Count: 1}, {Name: "a", Count: 1}}, `budgets[1].name: "a" is the name of budgets[0] already`},
		{[]Budget{{Name: "a"}}, "budgets[0]: neither count nor share says how many devices may be disrupted at once, nor rate how many may be begun, nor breaker when no more are; nor are they drained"},
		{[]Budget{{Name: "a", Breaker: Breaker{Pause: 1}}}, "budgets[0].breaker.failures: missing: how many failed tries trip it"},
		{[]Budget{{Name: "a", Breaker: Breaker{Failures: -1}}}, "budgets[0].breaker.failures: -1 is negative"},
		{[]Budget{{Name: "a", Breaker: Breaker{Failures: 1001}}}, "budgets[0].breaker.failures: 1001 is more than 1000"},
		{[]Budget{{Name: "a", Breaker: Breaker{Failures: 5, Of: 4}}}, "budgets[0].breaker.of: 4 tries cannot hold 5 failures"},
		{[]Budget{{Name: "a", Breaker: Breaker{Failures: 5, Of: 1001}}}, "budgets[0].breaker.of: 1001 is more than 1000"},
		{[]Budget{{Name: "a", Breaker: Breaker{Failures: 5, Of: -1}}}, "budgets[0].breaker.of: -1 is negative"},
		{[]Budget{{Name: "a", Breaker: Breaker{Failures: 5, Within: -1}}}, "budgets[0].breaker.within: -0.000000001s is negative"},
		{[]Budget{{Name: "a", Breaker: Breaker{Failures: 5, Pause: -1}}}, "budgets[0].breaker.pause: -0.000000001s is negative"},
		{[]Budget{{Name: "a", Count: -1}}, "budgets[0].count: -1 is negative"},
		{[]Budget{{Name: "a", Share: 10001}}, "budgets[0].share: 100.01% is more than 100%"},
		{[]Budget{{Name: "a", Rate: Rate{Count: 1}}}, "budgets[0].rate.every: missing"},
		{[]Budget{{Name: "a", Rate: Rate{Every: 1}}}, "budgets[0].rate.count: missing"},
		{[]Budget{{Name: "a", Count: 1, Per: []string{"site", ""}}}, "budgets[0].per[1]: missing"},
		{[]Budget{{Name: "a", Count: 1, Per: []string{"site", "site"}}}, `budgets[0].per[1]: "site" is named already, by budgets[0].per[0]`},
	} {
		p := Policy{Name: "p", Budgets: c.budgets}
		require.ErrorContains(t, p.Validate(), c.want)
	}
	require.ErrorContains(t, (&Policy{Name: "p", Breaker: Breaker{Failures: 5, Of: 4}}).Validate(), "breaker.of: 4 tries cannot hold 5 failures")
	p := Policy{Name: "p", Budgets: []Budget{{Name: "mirrors", Per: []string{"site"}, Breaker: Breaker{Failures: 3}}, {Name: "sites", Per: []string{"site"}, Count: 1}, {Name: "all", Share: 500}}}
	require.NoError(t, p.Validate())
}

func TestBudgetsOfLayersAddUp(t *testing.T) {
	layers := []Layer{
		{Name: "vendor", Policy: Policy{Budgets: []Budget{{Name: "sites", Per: []string{"site"}, Share: 1000}}}},
		{Name: "acme", Tenant: "acme", Policy: Policy{Budgets: []Budget{{Name: "sites", Per: []string{"site"}, Count: 2}, {Name: "pairs", Per: []string{"pair"}, Count: 1}}}},
	}
	e, err := Resolve(layers, &inventory.Device{Tenant: "acme"})
	require.NoError(t, err)
	want := []Budget{
		{Name: "acme/sites", Per: []string{"site"}, Count: 2}, {Name: "pairs", Per: []string{"pair"}, Count: 1},
		{Name: "vendor/sites", Per: []string{"site"}, Share: 1000},
	}
	require.Empty(t, cmp.Diff(want, e.Policy.Budgets))

	layers[0].Locks = []Lock{{Field: "budgets"}}
	e, err = Resolve(layers, &inventory.Device{Tenant: "acme"})
	require.NoError(t, err)
	require.Len(t, e.Policy.Budgets, 1)
	require.Len(t, e.Refused, 2)
}

func TestWhatABreakerSays(t *testing.T) {
	const hour = Duration(3600e9)
	require.Equal(t, "never", Breaker{}.String())
	require.Equal(t, "after 3 failures in a row, for 1h", Breaker{Failures: 3}.String())
	require.Equal(t, "after 5 failures of 8 tries within 2h, for 3h", Breaker{Failures: 5, Of: 8, Within: 2 * hour, Pause: 3 * hour}.String())
	require.Equal(t, "no limit of each site; breaker trips after 3 failures in a row, for 1h", Budget{Per: []string{"site"}, Breaker: Breaker{Failures: 3}}.String())
	require.Zero(t, Breaker{}.WithDefaults())
}

func TestADeviceThatIsToBeDrainedMustHaveItsLabels(t *testing.T) {
	node := &inventory.Device{ID: "node-1", Labels: map[string]string{"role": "node"}}
	b := Budget{Name: "clusters", Devices: inventory.MustSelector("role=node"), Per: []string{"cluster"}, Drain: true}
	require.NoError(t, (&Policy{Name: "p", Budgets: []Budget{b}}).Validate(), "a budget that only drains")
	require.Equal(t, "no limit of each cluster, of role=node; drained first", b.String())
	require.True(t, b.Misplaces(node))
	require.False(t, b.Misplaces(&inventory.Device{ID: "till-1"}), "it is about others")
	require.False(t, (&Budget{Devices: b.Devices, Per: b.Per}).Misplaces(node), "nobody drains it")
	node.Labels["cluster"] = "west"
	require.False(t, b.Misplaces(node))
}
