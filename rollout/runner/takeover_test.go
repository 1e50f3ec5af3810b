package runner_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

// A scenario is a rollout that has a bit of everything. What its devices do depends on nothing but the task.
type scenario struct {
	name   string
	policy policy.Policy
	behave func(born time.Time) func(inventory.DeviceID, rollout.Task) memory.Behaviour
	stage  rollout.Stage
	exact  bool // the tasks do not depend on the order in which devices answer

	away inventory.DeviceID // it is away for a while: how often it is tried meanwhile depends on when somebody takes over
}

func scenarios() []scenario {
	gated := func(p policy.Policy) policy.Policy {
		for i := range p.Rings {
			p.Rings[i].Approval = true
		}
		p.Reboot.Mode = policy.RebootIfRequired
		return p
	}
	soak := policy.Gate{Soak: policy.Duration(24 * time.Hour)}
	undo := gated(approves(policy.Ring{Name: "test", Share: 2500, Gate: soak}, policy.Ring{Name: "broad", Rest: true}))
	undo.Rollback.On = policy.FailRollsBackAll
	return []scenario{
		{
			name: "retries, approvals, reboots", stage: rollout.StageDone, exact: true, away: "dev-008",
			policy: gated(approves(policy.Ring{Name: "test", Share: 2500, Gate: soak}, policy.Ring{Name: "broad", Rest: true, MaxActive: 4})),
			behave: func(born time.Time) func(inventory.DeviceID, rollout.Task) memory.Behaviour {
				return func(d inventory.DeviceID, t rollout.Task) memory.Behaviour {
					b := memory.Behaviour{Wait: 3 * time.Minute, Latency: 7 * time.Minute}
					first := t.Handle.Seq == 1
					switch {
					case d == "dev-001" && first:
						b.Fault = patch.Transient
					case d == "dev-002" && t.Handle.Seq <= 2:
						b.Fault = patch.Busy
					case d == "dev-003" && t.Op == rollout.OpVerify && t.Attempt == 1:
						b.Fault = patch.Transient
					case d == "dev-004" && first:
						b.Lie = true
					case d == "dev-005" || d == "dev-006":
						b.NeedsReboot = t.Op == rollout.OpInstall
					case d == "dev-007" && first:
						b.Fault = patch.DiskFull
					case d == "dev-008":
						b.Offline = time.Since(born) < 40*time.Hour+30*time.Minute
					}
					return b
				}
			},
		},
		{
			name: "rollback of everything", stage: rollout.StageUndone, policy: undo,
			behave: func(time.Time) func(inventory.DeviceID, rollout.Task) memory.Behaviour {
				return func(d inventory.DeviceID, t rollout.Task) memory.Behaviour {
					return memory.Behaviour{Latency: 7 * time.Minute, Breaks: t.Ring == "broad", NeedsReboot: d == "dev-005" && t.Op == rollout.OpInstall}
				}
			},
		},
	}
}

// An end is what is left when a scenario is over.
type end struct {
	Status   rollout.Status
	Tasks    map[rollout.TaskID]bool
	Installs map[inventory.DeviceID]int
	Versions map[inventory.DeviceID]version.Version
}

const deviceCount = 12

// play lets a scenario run in a bubble of its own, with one runner after the other until one of them gets to the end, and
// returns what is left and how many appends there were.
func play(t *testing.T, sc scenario, n int64, instead func(append func() error, kill func()) error) (e end, appends int64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, deviceCount)
		f.Behave = sc.behave(time.Now())
		j := &tampered{Journal: new(memjournal.Journal), n: n}
		cfg := config(f, j)
		asked := make(map[string]int) // the approver is slow; it is one person, who survives
		cfg.Poll = 3 * time.Minute
		cfg.Approver = policy.ApproverFunc(func(_ context.Context, q policy.Request) (policy.Decision, error) {
			if asked[q.ID]++; asked[q.ID] < 3 {
				return policy.Decision{}, nil
			}
			return yes("hans", q), nil
		})
		started := false
		for ended := false; !ended; {
			ctx, kill := context.WithCancel(t.Context())
			if instead != nil {
				j.instead = func(append func() error) error { return instead(append, kill) }
			}
			r := newRunner(t, cfg)
			stopped := make(chan error, 1)
			go func() { stopped <- r.Run(ctx) }()
			if !started {
				begin(t, r, key("q1"), sc.policy)
				started = true
			}
			s, err := r.Wait(ctx, key("q1"))
			if ended = err == nil; ended {
				e.Status = s
			} else {
				require.ErrorIs(t, err, context.Canceled)
			}
			kill()
			require.ErrorIs(t, <-stopped, context.Canceled)
		}
		appends = j.appends.Load()
		e.Status.At = time.Time{}
		e.Tasks = begun(t, f)
		for id := range e.Tasks {
			if name, err := rollout.ParseTaskID(id); err != nil || name.Device == sc.away {
				delete(e.Tasks, id)
			}
		}
		e.Installs, e.Versions = make(map[inventory.DeviceID]int), make(map[inventory.DeviceID]version.Version)
		for i := range deviceCount {
			id := dev(i)
			d, _ := f.Device("acme", id)
			e.Installs[id], e.Versions[id] = f.Installs(id), d.Software[0].Version
		}
		m, _ := history(t, j, key("q1"))
		require.Equal(t, sc.stage, m.Stage())
	})
	return e, appends
}

// However the host dies, and whatever its journal does to it, the devices live through the same rollout.
func TestTakeover(t *testing.T) {
	type interruption struct {
		name    string
		instead func(append func() error, kill func()) error
	}
	for _, sc := range scenarios() {
		t.Run(sc.name, func(t *testing.T) {
			want, appends := play(t, sc, 0, nil)
			require.Equal(t, sc.stage, want.Status.Stage)
			require.Greater(t, appends, int64(12))
			step := int64(1)
			if testing.Short() {
				step = 7
			}
			for _, in := range []interruption{
				{"killed after an append", func(append func() error, kill func()) error { err := append(); kill(); return err }},
				{"killed before an append", func(_ func() error, kill func()) error { kill(); return context.Canceled }},
				{"killed by an append that is acknowledged as failed", func(append func() error, kill func()) error {
					return errors.Join(append(), errDisk, context.Canceled, func() error { kill(); return nil }())
				}},
				{"an append fails", func(func() error, func()) error { return errDisk }},
				{"an acknowledgement is lost", func(append func() error, _ func()) error { return errors.Join(append(), errDisk) }},
			} {
				t.Run(in.name, func(t *testing.T) {
					for n := int64(1); n <= appends; n += step {
						got, _ := play(t, sc, n, in.instead)
						if !sc.exact {
							got.Tasks = want.Tasks
						}
						require.Empty(t, cmp.Diff(want, got), "at append %d of %d", n, appends)
					}
				})
			}
			t.Logf("%d appends, each interrupted in 5 ways", appends)
		})
	}
}

// The same fleet, interrupted at every single append, by one runner after the other.
func TestEveryAppendIsTheLastOfItsRunner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sc := scenarios()[0]
		f := fleet(nil, deviceCount)
		f.Behave = sc.behave(time.Now())
		j := new(memjournal.Journal)
		cfg := config(f, j)
		cfg.Approver = policy.ApproverFunc(func(_ context.Context, q policy.Request) (policy.Decision, error) { return yes("hans", q), nil })
		begin(t, newRunner(t, cfg), key("q1"), sc.policy)
		runners := 0
		for ended := false; !ended; runners++ {
			ctx, kill := context.WithCancel(t.Context())
			// The first append says that the rollout was taken over, the second brings it on.
			cfg.Journal = &tampered{Journal: j, n: 2, instead: func(append func() error) error { err := append(); kill(); return err }}
			r := newRunner(t, cfg)
			stopped := make(chan error, 1)
			go func() { stopped <- r.Run(ctx) }()
			s, err := r.Wait(ctx, key("q1"))
			ended = err == nil && s.Stage == rollout.StageDone
			kill()
			<-stopped
		}
		require.Greater(t, runners, 20)
		begun(t, f)
		m, _ := history(t, j, key("q1"))
		require.Equal(t, deviceCount, outcomes(m.Status())[rollout.Succeeded])
		require.GreaterOrEqual(t, m.Adoptions(), runners-1)
		t.Logf("%d runners", runners)
	})
}

// What the first runner says of itself is what decides, not the order in which they end.
func TestOfTwoRunnersOnOneJournalTheSecondWins(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		t.Run(fmt.Sprintf("the first has started the rollout itself: %t", fresh), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fleet(nil, 40)
				f.Behave = behave(memory.Behaviour{Latency: 7 * time.Minute})
				j := new(memjournal.Journal)
				var by []string
				of := func(name string) runner.Config {
					cfg := config(f, j)
					cfg.Name = name
					cfg.Observe = func(_ context.Context, x runner.Transition) {
						if len(x.Batch.Events) > 0 {
							by = append(by, name)
						}
					}
					return cfg
				}
				first := newRunner(t, of("first"))
				if fresh {
					run(t, first)
					begin(t, first, key("q1"), rings())
				} else {
					begin(t, first, key("q1"), rings())
					run(t, first)
				}
				pass(9 * time.Minute)
				second := start(t, of("second"))
				pass(time.Hour)
				mark := len(by)
				got, want := ends(t, first, key("q1")), ends(t, second, key("q1"))
				require.Empty(t, cmp.Diff(want, got), "both know how it ended")
				require.Equal(t, rollout.StageDone, want.Stage)
				require.NotContains(t, by[mark:], "first", "it has given up")
				begun(t, f)
				for i := range 40 {
					require.Equal(t, 1, f.Installs(dev(i)))
				}
				m, batches := history(t, j, key("q1"))
				adopted, _ := events[rollout.Adopted](batches)
				require.Equal(t, "second", adopted[len(adopted)-1].By)
				require.LessOrEqual(t, m.Adoptions(), 2)
			})
		})
	}
}

// A rollout that its own journal confuses must not be given up: there is nobody else.
func TestALostAcknowledgementOfTheTakeoverItselfIsNoOtherOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 3)
		f.Behave = behave(memory.Behaviour{Latency: 7 * time.Minute})
		j := &tampered{Journal: new(memjournal.Journal), n: 3}
		// The third append fails, so the rollout is taken over anew; that is the fourth.
		j.instead = func(func() error) error {
			j.n, j.instead = 4, func(append func() error) error { return errors.Join(append(), errDisk) }
			return errDisk
		}
		r := newRunner(t, config(f, j))
		begin(t, r, key("q1"), all())
		run(t, r)
		require.Equal(t, rollout.StageDone, ends(t, r, key("q1")).Stage)
		require.GreaterOrEqual(t, j.appends.Load(), int64(5))
	})
}

// A process that does not own a rollout may command it: what it writes comes between the entries of the owner, who takes it
// in and goes on.
func TestACommandFromAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 40)
		f.Behave = behave(memory.Behaviour{Latency: 7 * time.Minute})
		j := new(memjournal.Journal)
		var w watcher
		cfg := config(f, j)
		cfg.Observe = w.observe
		owner := start(t, cfg)
		begin(t, owner, key("q1"), rings())
		console := newRunner(t, config(f, j)) // is not run
		pass(3 * time.Minute)
		do := func(d rollout.Do) {
			require.NoError(t, console.Command(t.Context(), key("q1"), rollout.Command{Do: d, By: "olga"}))
		}
		do(rollout.DoPause)
		pass(2 * 24 * time.Hour)
		s, degraded, err := owner.Status(t.Context(), key("q1"))
		require.NoError(t, err)
		require.NoError(t, degraded)
		require.Equal(t, rollout.StagePaused, s.Stage)
		require.Zero(t, s.Rings[1].Counts.Succeeded, "it was paused before the second ring opened")
		require.Empty(t, w.degraded(key("q1")), "it is nothing out of the order")
		do(rollout.DoResume)
		require.ErrorIs(t, console.Command(t.Context(), key("q1"), rollout.Command{Do: rollout.DoResume, By: "olga"}), rollout.ErrCommand)
		require.Equal(t, rollout.StageDone, ends(t, owner, key("q1")).Stage)
		require.Len(t, begun(t, f), 2*40, "an installation and a look for each")
		_, batches := history(t, j, key("q1"))
		staged, _ := events[rollout.Staged](batches)
		require.Len(t, staged, 4, "begun, paused, resumed, done")
	})
}

// Many commands from another process, and the reports of the owner, come all the time: none of them is lost.
func TestCommandsAndReportsOfTwoProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 60)
		f.Behave = func(d inventory.DeviceID, _ rollout.Task) memory.Behaviour {
			return memory.Behaviour{Latency: time.Duration(d[6]) * time.Second}
		}
		j := new(memjournal.Journal)
		cfg := config(f, j)
		cfg.Poll = time.Second
		owner := start(t, cfg)
		p := all()
		p.MaxActive = 3
		plan := begin(t, owner, key("q1"), p)
		console := newRunner(t, config(f, j))
		skipped := 0
		for i, d := range plan.Devices {
			if i%4 != 3 {
				continue
			}
			err := console.Command(t.Context(), key("q1"), rollout.Command{Do: rollout.DoSkip, Device: d, By: "olga"})
			if err == nil {
				skipped++
			} else {
				require.ErrorIs(t, err, rollout.ErrCommand)
			}
			pass(7 * time.Second)
		}
		s := ends(t, owner, key("q1"))
		require.Equal(t, map[rollout.Outcome]int{rollout.Skipped: skipped, rollout.Succeeded: 60 - skipped}, outcomes(s))
		require.Greater(t, skipped, 5)
		require.Len(t, begun(t, f), 2*(60-skipped))
	})
}

// absent is a fleet that cannot be reached now and then.
type absent struct {
	*memory.Fleet
	away func() bool
}

func (a *absent) reach(ctx context.Context, t rollout.Task, ask func(context.Context, rollout.Task) (rollout.Report, error)) (rollout.Report, error) {
	if a.away() {
		return rollout.Report{}, fmt.Errorf("no route: %w", patch.ErrUnreachable)
	}
	return ask(ctx, t)
}

func (a *absent) Deploy(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return a.reach(ctx, t, a.Fleet.Deploy)
}

func (a *absent) Status(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return a.reach(ctx, t, a.Fleet.Status)
}

func (a *absent) Verify(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return a.reach(ctx, t, a.Fleet.Verify)
}

// The next process cannot reach a device on which the one before has begun something, or may have: that says nothing about how it stands.
// It is found out once the device is back, and is no failure that somebody else might fill with other work.
func TestADeviceThatIsAwayWhenItsRolloutIsTakenOver(t *testing.T) {
	for name, row := range map[string]struct {
		begun bool // by the process before
		back  time.Duration
	}{
		"at work":                           {true, 40 * time.Minute},
		"not begun":                         {false, 40 * time.Minute},
		"at work, and back when it is over": {true, 30 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fleet(nil, 1)
				f.Behave = behave(memory.Behaviour{Latency: 20 * time.Minute})
				born := time.Now()
				away := func() bool {
					gone := time.Since(born)
					return gone > 5*time.Minute && gone < row.back || gone == 0 && !row.begun
				}
				j := new(memjournal.Journal)
				cfg := config(f, j)
				cfg.Deployer = &absent{f, away}
				first := cfg
				if !row.begun { // it dies between writing down and acting
					first.Deployer = &deployer{Fleet: f, deploy: func(ctx context.Context, _ rollout.Task) (rollout.Report, error) {
						<-ctx.Done()
						return rollout.Report{}, ctx.Err()
					}}
				}
				r := newRunner(t, first)
				begin(t, r, key("q1"), all())
				stop := run(t, r)
				pass(6 * time.Minute)
				require.ErrorIs(t, stop(), context.Canceled)

				next := start(t, cfg)
				require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 1}, outcomes(ends(t, next, key("q1"))))
				begun(t, f)
				require.Equal(t, 1, f.Installs(dev(0)))
				_, batches := history(t, j, key("q1"))
				issued, _ := events[rollout.Issued](batches)
				answers, at := events[rollout.Answered](batches)
				installs := 0
				for _, e := range issued {
					if e.Op == rollout.OpInstall {
						installs++
					}
				}
				require.Equal(t, 1, installs, "the task that was begun is the one that ends")
				for i, a := range answers {
					if !a.Reports[0].Phase.Last() {
						continue
					}
					// When the time of a task is up the device is looked at afresh.
					require.False(t, at[i].Before(born.Add(min(row.back, 4*time.Hour))), "nothing is known of it: %v", a.Reports)
				}
				late, _ := events[rollout.TimedOut](batches)
				require.Equal(t, row.back > 4*time.Hour, len(late) > 0)
			})
		})
	}
}
