package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// A duo is two rollouts on the same device, ada, under one agenda: q1 installs there, and q2 would.
type duo struct {
	agenda Agenda
	now    time.Time
	of     [2]*Machine
}

func newDuo(t *testing.T, change func(first, second *PlanInput)) *duo {
	t.Helper()
	var d duo
	var ins [2]PlanInput
	for i, id := range []ID{"q1", "q2"} {
		ins[i] = input(1, policy.Ring{Name: "all", Rest: true})
		ins[i].Key.ID, ins[i].Policy.Reboot.Mode, d.now = id, policy.RebootIfRequired, ins[i].At
	}
	change(&ins[0], &ins[1])
	for i := range ins {
		d.of[i] = begunMachine(t, ins[i])
		d.agenda.Add(d.of[i])
		d.grant(t, i)
	}
	require.Equal(t, OpInstall, d.of[0].Device(0).Op)
	return &d
}

func (d *duo) step(t *testing.T, i int, s Signal) Batch {
	t.Helper()
	b, err := d.of[i].Step(s)
	require.NoError(t, err)
	d.agenda.Note(d.of[i], b, nil)
	return b
}

func (d *duo) grant(t *testing.T, i int) []int32 {
	t.Helper()
	granted := d.agenda.Grant(d.of[i], d.now)
	if len(granted) > 0 {
		b, err := d.of[i].Step(Granted{d.now, granted})
		require.NoError(t, err)
		d.agenda.Note(d.of[i], b, granted)
	}
	return granted
}

// installed brings the end of the installation of q1, and says to whom the device is let go.
func (d *duo) installed(t *testing.T, boot string) (to Key) {
	t.Helper()
	task, ok := d.of[0].Task(0)
	require.True(t, ok)
	reports := []TaskReport{{task.Handle, Report{Phase: PhaseSucceeded, Reboot: patch.Yes, BootID: boot}}}
	b := d.step(t, 0, Reported{At: d.now, Reports: reports, Sharers: d.agenda.Sharers(d.of[0], reports, d.now)})
	for _, e := range b.Events {
		if e, ok := e.(RestartYielded); ok {
			require.Equal(t, []int32{0}, e.Devices)
			require.Equal(t, OpReboot, d.of[0].Device(0).Op)
			require.Equal(t, d.now.Add(time.Minute), instant(d.of[0].dev[0].due))
			return e.By
		}
	}
	task, ok = d.of[0].Task(0)
	require.True(t, ok)
	require.Equal(t, OpReboot, task.Op, "it restarts the device itself")
	return Key{}
}

func TestForWhomARestartWaits(t *testing.T) {
	at := func(from, to int) []policy.Window {
		return []policy.Window{{Start: policy.Clock(from * 60), End: policy.Clock(to * 60), Zone: "UTC"}}
	}
	for name, c := range map[string]struct {
		set  func(first, second *PlanInput)
		boot string // with "none" no report names one
		want bool
	}{
		"another that is ready":      {want: true},
		"no boot is known":           {boot: "none"},
		"a lower priority":           {set: func(first, _ *PlanInput) { first.Policy.Priority = 1 }},
		"a higher priority":          {set: func(_, second *PlanInput) { second.Policy.Priority = 1 }, want: true},
		"it restarts nothing":        {set: func(_, second *PlanInput) { second.Policy.Reboot.Mode = policy.RebootNever }},
		"its patch needs no restart": {set: func(_, second *PlanInput) { second.Contents[0].Patches[0].Reboot = patch.RebootNever }},
		"it restarts all the same": {set: func(_, second *PlanInput) {
			second.Contents[0].Patches[0].Reboot, second.Policy.Reboot.Mode = patch.RebootNever, policy.RebootAlways
		}, want: true},
		"it restarts before":            {set: func(_, second *PlanInput) { second.Policy.Reboot.Before = policy.BeforeIfPending }},
		"people may put its off":        {set: func(_, second *PlanInput) { second.Policy.Reboot.Deferrals = policy.Deferrals{Max: 1} }},
		"it may not begin now":          {set: func(_, second *PlanInput) { second.Policy.Windows = at(20, 23) }},
		"it may not restart now":        {set: func(_, second *PlanInput) { second.Policy.Reboot.Windows = at(20, 23) }},
		"its restart would be too late": {set: func(_, second *PlanInput) { second.Policy.Reboot.Windows = at(0, 13) }},
		"its restart would be in time":  {set: func(_, second *PlanInput) { second.Policy.Reboot.Windows = at(0, 14) }, want: true},
		"one's own would be too late":   {set: func(first, _ *PlanInput) { first.Policy.Reboot.Windows = at(0, 13) }},
		"one's own would be in time":    {set: func(first, _ *PlanInput) { first.Policy.Reboot.Windows = at(0, 14) }, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.boot == "" {
				c.boot = "b1"
			}
			d := newDuo(t, func(first, second *PlanInput) {
				require.Equal(t, 9, first.At.UTC().Hour())
				if c.set != nil {
					c.set(first, second)
				}
			})
			to := d.installed(t, map[bool]string{true: "", false: c.boot}[c.boot == "none"])
			require.Equal(t, c.want, to == d.of[1].plan.Key, "%v", to)
			require.Equal(t, c.want, len(d.grant(t, 1)) == 1)
		})
	}
}

// What the agenda has heard of a rollout holds until it asks again, or is over.
func TestWishesAreForgotten(t *testing.T) {
	for name, forget := range map[string]func(d *duo){
		"asked again": func(d *duo) { d.step(t, 1, Commanded{d.now, Command{Do: DoPause, By: "hans"}}); d.grant(t, 1) },
		"over":        func(d *duo) { d.step(t, 1, Commanded{d.now, Command{Do: DoCancel, By: "hans"}}) },
		"removed":     func(d *duo) { d.agenda.Remove(d.of[1].plan.Key) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDuo(t, func(_, _ *PlanInput) {})
			require.Len(t, d.agenda.wishes.on, 1)
			forget(d)
			require.Empty(t, d.agenda.wishes.on)
			require.Empty(t, d.agenda.wishes.of)
			require.Equal(t, Key{}, d.installed(t, "b1"))
		})
	}
}

// A device is let go once: where its restart comes to nothing, and its turn comes again, nobody is asked.
func TestARestartIsYieldedOnce(t *testing.T) {
	d := newDuo(t, func(_, _ *PlanInput) {})
	require.Equal(t, d.of[1].plan.Key, d.installed(t, "b1"))
	d.now = d.now.Add(time.Minute)
	d.step(t, 0, Tick{d.now})
	require.Len(t, d.grant(t, 0), 1, "nobody has begun there")
	report := func(r Report, s ...Sharer) {
		task, ok := d.of[0].Task(0)
		require.True(t, ok)
		d.step(t, 0, Reported{At: d.now, Reports: []TaskReport{{task.Handle, r}}, Sharers: s})
	}
	again := Sharer{Device: 0, By: d.of[1].plan.Key}
	report(Report{Phase: PhaseFailed, Fault: patch.Unreachable, BootID: "b1"}, again)
	report(Report{Phase: PhaseSucceeded, BootID: "b1"}, again)
	task, ok := d.of[0].Task(0)
	require.True(t, ok)
	require.Equal(t, OpReboot, task.Op)
}
