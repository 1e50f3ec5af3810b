package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBreakersThatNeverTripOrTripAtOnce(t *testing.T) {
	const hasty = "breaker: the breaker trips after one failed try: whatever one device meets with keeps the others waiting"
	for _, row := range []struct {
		name   string
		change func(p *Policy, f *LintFacts)
		want   []string
	}{
		{"one that trips in time", func(p *Policy, f *LintFacts) { p.Breaker = Breaker{Failures: 5, Of: 20} }, nil},
		{"more than all tries of all devices", func(p *Policy, f *LintFacts) { p.Breaker, f.Rings = Breaker{Failures: 31}, []int{2, 2, 6} },
			[]string{"breaker: the breaker never trips: 30 tries can fail before a gate has stopped the rollout, and it takes 31"}},
		{"as many as these", func(p *Policy, f *LintFacts) { p.Breaker, f.Rings = Breaker{Failures: 30}, []int{2, 2, 6} }, nil},
		{"one device at once: all but the last tries, and one that ends it", func(p *Policy, f *LintFacts) {
			p.Breaker, f.Rings, p.MaxActive = Breaker{Failures: 22}, []int{2, 2, 6}, 1
		},
			[]string{"breaker: the breaker never trips: 21 tries can fail before a gate has stopped the rollout, and it takes 22"}},
		{"as many as these, too", func(p *Policy, f *LintFacts) {
			p.Breaker, f.Rings, p.MaxActive = Breaker{Failures: 21}, []int{2, 2, 6}, 1
		}, nil},
		{"some may fail for good", func(p *Policy, f *LintFacts) {
			p.Breaker, f.Rings, p.MaxActive, p.Rings[2].Gate.MaxFailed = Breaker{Failures: 22}, []int{2, 2, 6}, 1, 1999 // of 6 devices that is one
		}, nil},
		{"each ring has a limit", func(p *Policy, f *LintFacts) {
			p.Rings[0].MaxActive, p.Rings[1].MaxActive, p.Rings[2].MaxActive = 1, 1, 1
			p.Breaker, f.Rings = Breaker{Failures: 24}, []int{2, 2, 6}
		}, []string{"breaker: the breaker never trips: 23 tries can fail before a gate has stopped the rollout, and it takes 24"}},
		{"one of them has none", func(p *Policy, f *LintFacts) {
			p.Rings[0].MaxActive, p.Rings[1].MaxActive = 1, 1
			p.Breaker, f.Rings = Breaker{Failures: 24}, []int{2, 2, 6}
		}, nil},
		{"nothing is judged before there is a sample", func(p *Policy, f *LintFacts) {
			p.Breaker, f.Rings, p.MaxActive, p.Rings[2].Gate.MinSample = Breaker{Failures: 25}, []int{2, 2, 6}, 1, 4
		}, []string{"breaker: the breaker never trips: 24 tries can fail before a gate has stopped the rollout, and it takes 25"}},
		{"a single attempt, and no failure is tolerated, in a fleet of which nothing is known", func(p *Policy, f *LintFacts) {
			p.Retry.Attempts, p.MaxActive, f.Rings = 1, 4, nil
			p.Budgets = []Budget{{Name: "site", Breaker: Breaker{Failures: 5}}}
		}, []string{"budgets[0].breaker: the breaker never trips: 4 tries can fail before a gate has stopped the rollout, and it takes 5"}},
		{"the same without a limit", func(p *Policy, f *LintFacts) {
			p.Retry.Attempts, f.Rings = 1, nil
			p.Budgets = []Budget{{Name: "site", Breaker: Breaker{Failures: 900}}}
		}, nil},
		{"several attempts, in such a fleet", func(p *Policy, f *LintFacts) { p.Breaker, f.Rings = Breaker{Failures: 900}, nil }, nil},
		{"a fleet that grows", func(p *Policy, f *LintFacts) {
			p.Breaker, f.Rings, p.Joiners = Breaker{Failures: 900}, []int{2, 2, 6}, JoinersAdmitted
		}, nil},
		{"a single failure", func(p *Policy, f *LintFacts) { p.Breaker = Breaker{Failures: 1} }, []string{hasty}},
		{"a single failure of many tries", func(p *Policy, f *LintFacts) { p.Breaker = Breaker{Failures: 1, Of: 50} }, []string{hasty}},
		{"a rate that a gate tolerates", func(p *Policy, f *LintFacts) {
			p.Breaker, p.Rings[1].Gate.MaxFailed = Breaker{Failures: 2, Of: 20}, 1000
		},
			[]string{"breaker: the breaker trips after 2 failures of 20 tries, and a gate tolerates 10%"}},
		{"a little more than that", func(p *Policy, f *LintFacts) {
			p.Breaker, p.Rings[1].Gate.MaxFailed = Breaker{Failures: 2, Of: 20}, 999
		}, nil},
		{"a rate that the evidence tolerates", func(p *Policy, f *LintFacts) {
			p.Breaker, p.Rings[1].Gate = Breaker{Failures: 2, Of: 20}, Gate{MaxFailed: whole, Evidence: Evidence{Tolerate: 1000, Below: 2000}}
		}, []string{"breaker: the breaker trips after 2 failures of 20 tries, and a gate tolerates 10%"}},
		{"a gate that tolerates everything says nothing", func(p *Policy, f *LintFacts) {
			p.Breaker, p.Rings[1].Gate.MaxFailed = Breaker{Failures: 2, Of: 20}, whole
		}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, f := sound()
			f.Patches = nil
			row.change(&p, &f)
			require.NoError(t, p.Validate())
			var got []string
			for _, w := range Lint(&p, f) {
				if w.Code == LintIdleBreaker || w.Code == LintHastyBreaker {
					got = append(got, w.String())
				}
			}
			require.Equal(t, row.want, got)
		})
	}
}

func TestLabelsThatNoDeviceHas(t *testing.T) {
	p, f := sound()
	p.HostLabel, p.Strata = "hots", []string{"device.os", "sight"}
	p.Budgets = []Budget{{Name: "racks", Per: []string{"site", "rack"}, Count: 1}}
	p.Covers = []Cover{{Of: "modell", Least: 9000}, {Of: "device.version", Least: 9000}, {App: "till", Least: 9000}}
	require.NoError(t, p.Validate())
	require.Empty(t, Lint(&p, f), "nothing is known of labels")
	f.Labels = map[string]int{"host": 3, "site": 1200, "model": 9, "rack": 0}
	var got []string
	for _, w := range Lint(&p, f) {
		require.Equal(t, LintUnknownLabel, w.Code)
		got = append(got, w.String())
	}
	require.Equal(t, []string{
		`hostLabel: no device has the label "hots": nothing is known to run on anything`,
		`strata[1]: no device has the label "sight": nothing is divided after it`,
		`budgets[0].per[1]: no device has the label "rack": no device belongs to a domain of this budget`,
		`covers[0].of: no device has the label "modell": there is nothing to cover`,
	}, got)
	f.Labels = map[string]int{"hots": 1, "sight": 1, "site": 1, "rack": 1, "modell": 1}
	require.Empty(t, Lint(&p, f))
}
