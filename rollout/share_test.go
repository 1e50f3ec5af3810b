package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// Only a boot that is not the one after the installation proves a restart, and only for a device that waits for one.
func TestWhatProvesARestartElsewhere(t *testing.T) {
	by := Key{"acme", "q2"}
	for name, c := range map[string]struct {
		boot string // after the installation
		say  Restarted
		want []int32
		err  string
	}{
		"another boot":        {"b1", Restarted{By: by, Devices: []int32{0}, Boots: []string{"b2"}}, []int32{0}, ""},
		"twice":               {"b1", Restarted{By: by, Devices: []int32{0, 0}, Boots: []string{"b2", "b3"}}, []int32{0}, ""},
		"the same boot":       {"b1", Restarted{By: by, Devices: []int32{0}, Boots: []string{"b1"}}, nil, ""},
		"no boot":             {"b1", Restarted{By: by, Devices: []int32{0}, Boots: []string{""}}, nil, ""},
		"not known before":    {"", Restarted{By: by, Devices: []int32{0}, Boots: []string{"b2"}}, nil, ""},
		"who waits for none":  {"b1", Restarted{By: by, Devices: []int32{1}, Boots: []string{"b2"}}, nil, ""},
		"nobody of that name": {"b1", Restarted{By: by, Devices: []int32{-1, 7}, Boots: []string{"b2", "b2"}}, nil, ""},
		"a boot is missing":   {"b1", Restarted{By: by, Devices: []int32{0}}, nil, "rollout: acme:q1: rollout.Restarted: 1 devices, 0 boots"},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(2, policy.Ring{Name: "all", Rest: true})
			in.Policy.Reboot = policy.Reboot{Mode: policy.RebootAlways, Windows: []policy.Window{{Start: 22 * 60, End: 23 * 60, Zone: "UTC"}}}
			p, err := NewPlan(in)
			require.NoError(t, err)
			m, err := NewMachine(p)
			require.NoError(t, err)
			step := func(s Signal) Batch {
				b, err := m.Step(s)
				require.NoError(t, err)
				return b
			}
			step(Begin{in.At})
			step(Granted{in.At, m.Wanted(in.At, 0)})
			step(Reported{At: in.At, Reports: []TaskReport{{Handle{0, 1}, Report{Phase: PhaseSucceeded, Reboot: patch.Yes, BootID: c.boot}}}})
			require.Equal(t, OpReboot, m.Device(0).Op)
			c.say.At = in.At.Add(time.Hour)
			b, err := m.Step(c.say)
			if c.err != "" {
				require.EqualError(t, err, c.err)
				return
			}
			require.NoError(t, err)
			if c.want == nil {
				require.Empty(t, b.Events)
				require.True(t, m.Device(0).Owes)
				return
			}
			require.Equal(t, []Event{RestartShared{by, c.want, []string{"b2"}}}, b.Events)
			require.Equal(t, OpVerify, m.Device(0).Op)
			require.False(t, m.Device(0).Owes)
			require.Equal(t, c.want, m.Wanted(c.say.At, 0), "it is looked at next, whatever the hour")
			require.Empty(t, step(c.say).Events, "a second call says nothing new")
		})
	}
}
