package policy

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

func TestStrataOfDevices(t *testing.T) {
	d := &inventory.Device{Tenant: "acme/oslo", ID: "ada", Zone: "Europe/Oslo", Platform: patch.Platform{OS: "debian", Version: "12", Arch: "amd64"},
		Labels: map[string]string{"site": "oslo", "rack": ""}}
	for _, c := range []struct{ keys, want []string }{
		{nil, []string{}},
		{[]string{"site"}, []string{"oslo"}},
		{[]string{"rack", "role"}, []string{"", ""}}, // a label without a value, and one that is not there
		{[]string{"device.os", "device.version", "device.arch", "device.zone", "device.tenant", "device.name"},
			[]string{"debian", "12", "amd64", "Europe/Oslo", "acme/oslo", "ada"}},
		{[]string{"device.exposure"}, []string{"unknown"}},
	} {
		p := Policy{Strata: c.keys}
		require.Equal(t, c.want, p.Stratum(d), c.keys)
	}
}

func TestStrataWithoutARingThatIsDividedChangeNothing(t *testing.T) {
	p := Policy{Name: "p", Rules: []Rule{{Name: "all", Match: Match{All: true}, Verdict: Approve}}, Strata: []string{"device.os"},
		Rings: []Ring{{Name: "it", Devices: inventory.MustSelector("dept=it")}, {Name: "rest", Rest: true}}, Rollback: Rollback{Acknowledged: true}}
	ws := Lint(&p, LintFacts{})
	require.Len(t, ws, 1)
	require.Equal(t, LintIdleStrata, ws[0].Code)
	require.Equal(t, "strata: no ring has a size or a share, so nothing is divided after the strata", ws[0].String())
	p.Rings[0] = Ring{Name: "first", Size: 3}
	require.Empty(t, Lint(&p, LintFacts{}))
}
