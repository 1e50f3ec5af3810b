package rollout

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
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
