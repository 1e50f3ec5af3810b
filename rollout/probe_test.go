package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
)

// What a scan shows of a probe for a version.
func TestCheckVersion(t *testing.T) {
	deb := func(name, text string) inventory.Software {
		return inventory.Software{Name: name, Version: version.Version{Scheme: version.Deb, Text: text}}
	}
	for _, row := range []struct {
		name      string
		installed []inventory.Software
		up        patch.Tri
		message   string
	}{
		{"nothing", nil, patch.No, "till is not installed"},
		{"another", []inventory.Software{deb("tiller", "5")}, patch.No, "till is not installed"},
		{"older", []inventory.Software{deb("till", "4.2~rc1")}, patch.No, "till is 4.2~rc1, older than 4.2"},
		{"the same", []inventory.Software{deb("till", "4.2")}, patch.Yes, "till is 4.2"},
		{"newer", []inventory.Software{deb("till", "4.10")}, patch.Yes, "till is 4.10"},
		{"one of two", []inventory.Software{deb("till", "4.1"), deb("till", "4.3")}, patch.Yes, "till is 4.3"},
		{"what cannot be compared", []inventory.Software{{Name: "till", Version: version.Version{Text: "4.2"}}}, patch.Unknown, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := CheckVersion(policy.Probe{Name: "app", Check: policy.ProbeVersion, Of: "till", Version: "4.2"}, row.installed)
			require.Equal(t, "app", r.Name)
			require.Equal(t, row.up, r.Up)
			require.Contains(t, r.Message, row.message)
		})
	}
}

// A journal with probes does not fit a plan that names none.
func TestProbesOfAnotherPlanAreRefused(t *testing.T) {
	p, err := NewPlan(input(2, policy.Ring{Name: "all", Rest: true}))
	require.NoError(t, err)
	digest, err := p.Digest()
	require.NoError(t, err)
	at := p.At.Add(time.Hour)
	for _, e := range []Event{Issued{Op: OpPrecheck, Devices: []int32{0}}, Issued{Op: OpProbe, Devices: []int32{0}}, Probed{Devices: []int32{0}, Down: []uint32{0}},
		Postponed{Op: OpProbe, Devices: []int32{0}, Until: []time.Time{at}}} {
		m, err := NewMachine(p)
		require.NoError(t, err)
		require.NoError(t, m.Apply(at, Began{Digest: digest}))
		require.ErrorIs(t, m.Apply(at, e), ErrReplay, "%T", e)
	}
}

// A report that names a probe twice, once up and once not, or a probe of somebody else, shows nothing.
func TestWhatAReportShowsOfProbes(t *testing.T) {
	in := input(1, policy.Ring{Name: "all", Rest: true})
	in.Policy.Health.Probes.List = []policy.Probe{{Name: "till", Of: "tilld"}, {Name: "web", Of: "nginx"}}
	p, err := NewPlan(in)
	require.NoError(t, err)
	m, err := NewMachine(p)
	require.NoError(t, err)
	up := func(name string, is patch.Tri) ProbeResult { return ProbeResult{Name: name, Up: is} }
	for want, results := range map[uint32][]ProbeResult{
		0b00: {up("till", patch.Yes), up("web", patch.Yes)},
		0b01: {up("till", patch.Yes), up("web", patch.Yes), up("till", patch.No)},
		0b10: {up("till", patch.Yes), up("other", patch.Yes)},
		0b11: {up("till", patch.No), up("web", patch.Unknown)},
	} {
		require.Equal(t, want, m.down(&TaskReport{Report: Report{Phase: PhaseSucceeded, Probes: results}}))
		require.Equal(t, uint32(0b11), m.down(&TaskReport{Report: Report{Phase: PhaseFailed, Probes: results}}))
	}
}
