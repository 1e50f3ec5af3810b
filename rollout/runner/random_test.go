package runner_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
)

// random makes a fleet whose devices do what a seed and the task say, whatever the time and the process.
func random(seed uint64, born time.Time, n int) *memory.Fleet {
	f := fleet(nil, n)
	f.Behave = func(d inventory.DeviceID, t rollout.Task) memory.Behaviour {
		var of, at uint64
		for _, c := range string(d) {
			of = of*31 + uint64(c)
		}
		at = of*1000 + uint64(t.Handle.Seq)
		device, task := rand.New(rand.NewPCG(seed, of)), rand.New(rand.NewPCG(seed, at))
		b := memory.Behaviour{Latency: time.Duration(device.IntN(20)) * time.Minute, Wait: time.Duration(task.IntN(3)) * time.Minute}
		if device.IntN(8) == 0 {
			b.Offline = time.Since(born) < time.Duration(device.IntN(3000))*time.Minute
		}
		switch task.IntN(14) {
		case 0:
			b.Fault = patch.Transient
		case 1:
			b.Fault = patch.Busy
		case 2:
			b.Fault = patch.DiskFull
		case 3:
			b.Lie = t.Op == rollout.OpInstall
		case 4:
			b.NeedsReboot = t.Op == rollout.OpInstall
		}
		if seed%3 == 0 && device.IntN(6) == 0 {
			b.Breaks = t.Op == rollout.OpInstall
		}
		return b
	}
	return f
}

// Whatever the devices do and however often the host dies, and its journal fails: no task begins twice, what is said of a
// device is true, and no ring opens before its time.
func TestRandomFleetsAndHostsThatDie(t *testing.T) {
	seeds := 300
	if testing.Short() {
		seeds = 30
	}
	stages, kills := make(map[rollout.Stage]int), 0
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(uint64(seed), 77))
				n := 5 + rnd.IntN(25)
				f := random(uint64(seed), time.Now(), n)
				j := &tampered{Journal: new(memjournal.Journal)}
				cfg := config(f, j)
				cfg.Poll = time.Duration(1+rnd.IntN(10)) * time.Minute
				cfg.Workers = 1 + rnd.IntN(4)
				cfg.Limit = rnd.IntN(6)
				p := approves(
					policy.Ring{Name: "test", Share: 2000, Gate: policy.Gate{MaxFailed: 3000, MinSuccess: 5000, Soak: policy.Duration(6 * time.Hour)}},
					policy.Ring{Name: "pilot", Share: 3000, MaxActive: 3, Approval: true, Gate: policy.Gate{MaxFailed: 3000, MinSuccess: 5000, Denominator: policy.Reached}},
					policy.Ring{Name: "broad", Rest: true, Gate: policy.Gate{MaxFailed: 3000, MinSuccess: 5000}})
				p.Reboot.Mode = policy.RebootIfRequired
				p.Rollback.On = policy.OnFail(rnd.IntN(3))
				cfg.Approver = policy.ApproverFunc(func(_ context.Context, q policy.Request) (policy.Decision, error) { return yes("hans", q), nil })
				begin(t, newRunner(t, cfg), key("q1"), p)

				deadline := time.Now().Add(60 * 24 * time.Hour)
				for ended := false; !ended; {
					ctx, kill := context.WithDeadline(t.Context(), deadline)
					j.appends.Store(0)
					j.n = int64(1 + rnd.IntN(12))
					j.instead = func(append func() error) error {
						kills++
						j.n += int64(1 + rnd.IntN(12)) // if there is a next time
						switch rnd.IntN(5) {
						case 0:
							return errDisk
						case 1:
							return errors.Join(append(), errDisk)
						case 2:
							kill()
							return errDisk
						}
						err := append()
						kill()
						return err
					}
					if rnd.IntN(8) == 0 {
						j.instead = nil
					}
					r := newRunner(t, cfg)
					stopped := make(chan error, 1)
					go func() { stopped <- r.Run(ctx) }()
					_, err := r.Wait(ctx, key("q1"))
					ended = err == nil
					kill()
					<-stopped
					s, _, err := r.Status(t.Context(), key("q1"))
					require.NoError(t, err)
					if s.Stage == rollout.StageHalted || held(s) {
						ended = true // a person has to decide
						stages[rollout.StageHalted]++
					} else if ended {
						stages[s.Stage]++
					}
					require.True(t, ended || time.Now().Before(deadline), "it gets nowhere: %+v", s)
				}
				check(t, f, j, n)
			})
		})
	}
	t.Logf("%d interruptions; ended %v", kills, stages)
	if !t.Failed() && !testing.Short() {
		require.Greater(t, stages[rollout.StageDone], seeds/10)
		require.Greater(t, stages[rollout.StageUndone], seeds/50)
	}
}

func held(s rollout.Status) bool {
	for _, r := range s.Rings {
		if r.Held != "" {
			return true
		}
	}
	return false
}

// check asserts what holds for every rollout, whatever happened.
func check(t *testing.T, f *memory.Fleet, j rollout.Journal, n int) {
	t.Helper()
	tasks := begun(t, f)
	m, batches := history(t, j, key("q1"))
	plan := m.Plan()

	// Every task that has begun was written down, under the same ID.
	written := make(map[rollout.TaskID]bool)
	seq := make([]uint32, n)
	opened, passed := make([]time.Time, len(plan.Rings)), make([]bool, len(plan.Rings))
	for _, b := range batches {
		for _, e := range b.Events {
			switch e := e.(type) {
			case rollout.Issued:
				for _, d := range e.Devices {
					seq[d]++
					ring := plan.RingOf(int(d))
					require.False(t, e.Op == rollout.OpInstall && opened[ring].IsZero(), "%s before its ring is open", plan.Devices[d])
					written[rollout.NewTaskID(key("q1"), plan.Rings[ring].Name, plan.Devices[d], e.Op, seq[d])] = true
				}
			case rollout.RingOpened:
				require.True(t, e.Ring == 0 || passed[e.Ring-1], "ring %d", e.Ring)
				opened[e.Ring] = b.At
			case rollout.Judged:
				passed[e.Ring] = passed[e.Ring] || e.Result == rollout.Pass
			}
		}
	}
	for id := range tasks {
		require.True(t, written[id], "%s was not written down", id)
	}
	for _, e := range f.Log() {
		name, err := rollout.ParseTaskID(e.Task)
		require.NoError(t, err)
		d, _ := plan.Find(name.Device)
		require.False(t, e.At.Before(opened[plan.RingOf(d)]), "%s at %s", e.Task, e.At)
	}

	for i, id := range plan.Devices {
		d, _ := f.Device("acme", id)
		fixed := d.Software[0].Version == deb("2")
		switch o := m.Device(i).Outcome; o {
		case rollout.Succeeded, rollout.AlreadyInstalled:
			require.True(t, fixed, "%s: %s", id, o)
		case rollout.RolledBack, rollout.NotApplicable:
			require.False(t, fixed, "%s: %s", id, o)
		case rollout.Cancelled, rollout.Unreachable, rollout.Away:
			require.False(t, fixed && f.Installs(id) == 0, "%s: %s", id, o)
		}
	}
}
