package rollout

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
)

func TestWhatTheFirstRingsCover(t *testing.T) {
	p, err := NewPlan(input(20, policy.Ring{Name: "first", Size: 2}, policy.Ring{Name: "second", Size: 3}, policy.Ring{Name: "rest", Rest: true}))
	require.NoError(t, err)
	c, err := NewCensus([]string{"device.version", "model", "rack"}, []string{"sap", "word"})
	require.NoError(t, err)
	for i, id := range p.Devices {
		d := inventory.Device{Tenant: "acme", ID: id, Platform: patch.Platform{OS: "windows", Version: "11"}, Labels: map[string]string{"model": "m0"}}
		if i >= 2 { // not in the first ring
			d.Labels["model"] = fmt.Sprint("m", i%9)
		}
		if i < 2 || i > 15 {
			d.Software = []inventory.Software{{Name: "sap"}}
		}
		if i == 19 {
			d.Software = append(d.Software, inventory.Software{Name: "word"})
			delete(d.Labels, "model")
		}
		c.Add(&d)
	}
	c.Add(&inventory.Device{Tenant: "acme", ID: "elsewhere", Platform: patch.Platform{Version: "10"}}) // misses nothing, and is in no ring
	got := c.Covers(&p, 1)
	require.Len(t, got, 5)
	require.Equal(t, Coverage{Key: "device.version", Devices: 21, Covered: 20, Uncovered: []Uncovered{{"10", 1}}}, got[0])
	require.Equal(t, Coverage{Key: "rack"}, got[2])
	require.Zero(t, got[2].Share(), "nothing is not everything")
	require.Equal(t, Coverage{Key: "app sap", Devices: 6, Covered: 6}, got[3])
	require.Equal(t, Coverage{Key: "app word", Devices: 1, Uncovered: []Uncovered{{"installed", 1}}}, got[4])
	require.Equal(t, "model: 21.05% of 19 devices; not covered: m2 (2), m3 (2), m4 (2), m5 (2), m6 (2) and 3 more", got[1].String())
	require.Equal(t, "model: 52.63% of 19 devices; not covered: m5 (2), m6 (2), m7 (2), m8 (2), m1 (1)", c.Covers(&p, 2)[1].String())
	for _, x := range c.Covers(&p, 3)[1:] {
		require.Empty(t, x.Uncovered, x.Key)
	}
	_, err = NewCensus([]string{"device.color"}, nil)
	require.ErrorContains(t, err, "device.color is no fact about a device")
}

// What the policy wants of its first ring is in the plan, with how much of it there is; too little is told, and refused is nothing.
func TestAPlanSaysWhatItsFirstRingCovers(t *testing.T) {
	fixed := version.Version{Scheme: version.Deb, Text: "2"}
	catalog, err := patch.NewCatalog([]patch.Patch{{ID: "x:p1", Classification: patch.ClassSecurity, Reversal: patch.ReversalReinstall,
		Packages: []patch.Package{{Ecosystem: "Debian:12", Name: "openssl", Fixed: fixed}}}})
	require.NoError(t, err)
	plan := func(covers ...policy.Cover) Plan {
		s, err := NewScope(ScopeConfig{Key: Key{"acme", "q1"}, Catalog: catalog, Policy: policy.Policy{Name: "p", Covers: covers,
			Rules: []policy.Rule{{Name: "all", Match: policy.Match{All: true}, Verdict: policy.Approve}},
			Rings: []policy.Ring{{Name: "test", Devices: inventory.MustSelector("site=lab")}, {Name: "all", Rest: true}}}})
		require.NoError(t, err)
		for i := range 10 {
			d := inventory.Device{Tenant: "acme", ID: inventory.DeviceID(fmt.Sprint("d", i)), Labels: map[string]string{"site": "oslo", "model": fmt.Sprint("m", i%2)},
				Software: []inventory.Software{{Manager: "dpkg", Ecosystem: "Debian:12", Name: "openssl", Version: version.Version{Scheme: version.Deb, Text: "1"}}},
				Coverage: []inventory.Coverage{{Manager: "dpkg", Status: inventory.Complete}}}
			switch i {
			case 0:
				d.Labels["site"] = "lab"
				d.Software = append(d.Software, inventory.Software{Manager: "dpkg", Ecosystem: "Debian:12", Name: "till", Version: fixed})
			case 1:
				d.Software[0].Version = fixed // it misses nothing, and is part of the fleet
			}
			require.NoError(t, s.Add(&d))
		}
		p, err := NewPlan(s.Input())
		require.NoError(t, err)
		return p
	}
	require.Nil(t, plan().Coverage)
	require.NotContains(t, plan().String(), "covers")

	p := plan(policy.Cover{App: "till", Least: 10000}, policy.Cover{Of: "model", Least: 6000}, policy.Cover{Of: "rack", Least: 1}, policy.Cover{Of: "site", Least: 1000})
	require.Len(t, p.Coverage, 4)
	require.Equal(t, []bool{false, true, true, false}, []bool{p.Coverage[0].Short(), p.Coverage[1].Short(), p.Coverage[2].Short(), p.Coverage[3].Short()})
	require.Contains(t, p.String(), "  the first ring covers app till: 100% of 1 device\n"+
		"  the first ring covers model: 50% of 10 devices; not covered: m1 (5); that is less than the 60% that are wanted\n"+
		"  the first ring covers rack: 0% of 0 devices; that is less than the 0.01% that are wanted\n"+
		"  the first ring covers site: 10% of 10 devices; not covered: oslo (9)\n")

	in := input(3, policy.Ring{Name: "all", Rest: true})
	in.Policy.Covers = []policy.Cover{{Of: "model", Least: 5000}}
	unknown, err := NewPlan(in)
	require.NoError(t, err)
	require.Contains(t, unknown.String(), "what of the fleet the first ring covers is not known")
}
