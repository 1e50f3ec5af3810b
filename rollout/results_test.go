package rollout

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// Four devices: the first succeeds at once, the second is busy first, the third needs another attempt, the fourth fails.
func someResults(t *testing.T) *Timeline {
	in := one(policy.FailHolds)
	in.Policy.Retry = policy.Retry{Attempts: 2}
	in.Targets = input(4).Targets
	x := newTale(t, in)
	x.at(1)
	say := func(d int32, r Report) {
		seq, ok := x.m.Current(d)
		require.True(t, ok)
		x.step(Reported{At: x.now, Reports: []TaskReport{{Handle{d, seq}, r}}})
	}
	good := Report{Phase: PhaseSucceeded}
	lost := func(d int32) Report {
		return Report{Phase: PhaseFailed, Fault: patch.Transient, Message: "connection to " + string(x.m.plan.Devices[d]) + " was lost"}
	}
	say(0, good)
	say(0, good) // the look
	say(1, Report{Phase: PhaseFailed, Fault: patch.Busy, Message: "lock is held by process 11"})
	say(2, lost(2))
	say(3, lost(3))
	x.at(200)
	say(1, good)
	say(1, good)
	say(2, good)
	say(2, good)
	say(3, Report{Phase: PhaseFailed, Fault: patch.Permanent, Message: "the script failed"})
	return x.lines
}

func TestResults(t *testing.T) {
	lines := someResults(t)
	d := lines.Plan().Devices
	all := Result{Devices: 4, Begun: 4, First: 2, Succeeded: 3, Failed: 1}
	named := func(name string) []Result {
		r := all
		r.Name = name
		return []Result{r}
	}
	r := lines.Results()
	require.Equal(t, Results{
		Rollouts: 1, All: all, Tenants: named("acme"), Rings: named("all"), Patches: named("x:p1"),
		Causes: []Cause{
			{Op: OpInstall, Fault: patch.Permanent, Text: "the script failed", Devices: 1, Tries: 1, Lasting: 1, Examples: []inventory.DeviceID{d[3]}},
			{Op: OpInstall, Fault: patch.Transient, Text: "connection to # was lost", Devices: 2, Tries: 2, Examples: []inventory.DeviceID{d[2], d[3]}},
			{Op: OpInstall, Fault: patch.Busy, Text: "lock is held by process #", Devices: 1, Tries: 1, Examples: []inventory.DeviceID{d[1]}},
		},
		Failing: []Failing{{"acme", d[3], 2, 1}, {"acme", d[2], 1, 0}, {"acme", d[1], 1, 0}}, // by the names of the devices
	}, r)
	eventual, first, ok := r.All.Success()
	require.True(t, ok)
	require.Equal(t, []policy.Share{7500, 5000}, []policy.Share{eventual, first})
	_, _, ok = new(Result).Success()
	require.False(t, ok, "nothing at all is no success")
}

func TestResultsOfSeveralRolloutsAddUp(t *testing.T) {
	r, other := someResults(t).Results(), someResults(t).Results()
	other.Tenants[0].Name, other.Rings[0].Name = "aaa", "broad"
	for i := range other.Failing {
		other.Failing[i].Tenant = "aaa"
	}
	sum := Results{}
	sum.Add(r)
	require.Equal(t, r, sum, "to nothing")
	sum.Add(other)
	require.Equal(t, 2, sum.Rollouts)
	require.Equal(t, Result{Devices: 8, Begun: 8, First: 4, Succeeded: 6, Failed: 2}, sum.All)
	require.Equal(t, []string{"aaa", "acme"}, []string{sum.Tenants[0].Name, sum.Tenants[1].Name}, "by name")
	require.Equal(t, []string{"all", "broad"}, []string{sum.Rings[0].Name, sum.Rings[1].Name}, "as they open")
	require.Equal(t, 8, sum.Patches[0].Devices)
	require.Len(t, sum.Causes, 3)
	require.Equal(t, "4 devices: install failed, transient: connection to # was lost", sum.Causes[1].String())
	require.Len(t, sum.Causes[1].Examples, 3)
	require.Equal(t, "2 devices, 2 still not well: install failed, permanent: the script failed", sum.Causes[0].String(), "what lasts comes first")
	require.Len(t, sum.Failing, 6)
	sum.Add(r)
	require.Len(t, sum.Failing, 6, "the same devices")
	require.Equal(t, Failing{"acme", r.Failing[0].Device, 4, 2}, sum.Failing[0], "who fails most often comes first")
	before := r
	sum.Add(Results{})
	require.Equal(t, before, r, "what is added is not changed")
}
