package runner_test

import (
	"context"
	"errors"
	"sync"
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
	"github.com/patchflow/patchflow/rollout/runner"
)

// since tells times as what has passed since a start.
func since(start time.Time, at []time.Time) []time.Duration {
	var ds []time.Duration
	for _, t := range at {
		ds = append(ds, t.Sub(start))
	}
	return ds
}

func TestAFortnightIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin0 := time.Now().UTC()
		f := fleet(nil, 2)
		f.Behave = func(_ inventory.DeviceID, t rollout.Task) memory.Behaviour {
			if t.Ring == "test" && t.Handle.Seq == 1 {
				return memory.Behaviour{Fault: patch.Transient}
			}
			return memory.Behaviour{}
		}
		j := new(memjournal.Journal)
		r := start(t, config(f, j))
		week := policy.Gate{Soak: policy.Duration(7 * 24 * time.Hour)}
		begin(t, r, key("q1"), approves(policy.Ring{Name: "test", Share: 5000, Gate: week}, policy.Ring{Name: "broad", Rest: true, Gate: week}))
		require.Equal(t, rollout.StageDone, ends(t, r, key("q1")).Stage)
		ended := time.Now().UTC()

		_, batches := history(t, j, key("q1"))
		postponed, _ := events[rollout.Postponed](batches)
		require.Len(t, postponed, 1)
		again := postponed[0].Until[0]
		require.Greater(t, again.Sub(begin0), 10*time.Minute)
		require.Less(t, again.Sub(begin0), 12*time.Minute, "ten minutes, and up to a fifth more")
		var installs []time.Time
		for _, e := range f.Log() {
			if e.Op == rollout.OpInstall && e.Phase == rollout.PhaseRunning {
				installs = append(installs, e.At.UTC())
			}
		}
		require.Equal(t, []time.Time{begin0, again, again.Add(7 * 24 * time.Hour)}, installs)
		require.Equal(t, again.Add(14*24*time.Hour), ended)
	})
}

func TestTasksAreAskedAboutInEveryPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin0 := time.Now()
		f := fleet(nil, 1)
		f.Behave = func(_ inventory.DeviceID, t rollout.Task) memory.Behaviour {
			if t.Op == rollout.OpInstall {
				return memory.Behaviour{Latency: 7 * time.Minute}
			}
			return memory.Behaviour{}
		}
		var asked []time.Time
		cfg := config(f, new(memjournal.Journal))
		cfg.Deployer = &deployer{Fleet: f, status: func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			asked = append(asked, time.Now())
			return f.Status(ctx, t)
		}}
		cfg.Poll = 2 * time.Minute
		r := start(t, cfg)
		begin(t, r, key("q1"), all())
		ends(t, r, key("q1"))
		require.Equal(t, []time.Duration{2 * time.Minute, 4 * time.Minute, 6 * time.Minute, 8 * time.Minute}, since(begin0, asked))
		require.Equal(t, 8*time.Minute, time.Since(begin0))
	})
}

func TestAProviderThatHangs(t *testing.T) {
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	t.Run("beginning is a transient failure after the timeout", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			begin0 := time.Now().UTC()
			f := fleet(nil, 1)
			j := new(memjournal.Journal)
			cfg := config(f, j)
			cfg.CallTimeout = 5 * time.Minute
			cfg.Deployer = &deployer{Fleet: f, deploy: func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
				if t.Handle.Seq == 1 {
					return rollout.Report{}, hang(ctx)
				}
				return f.Deploy(ctx, t)
			}}
			r := start(t, cfg)
			begin(t, r, key("q1"), all())
			require.Equal(t, 1, outcomes(ends(t, r, key("q1")))[rollout.Succeeded])
			_, batches := history(t, j, key("q1"))
			answered, at := events[rollout.Answered](batches)
			require.Equal(t, 5*time.Minute, at[0].Sub(begin0))
			require.Equal(t, patch.Transient, answered[0].Reports[0].Fault)
		})
	})
	t.Run("asking how it stands counts for nothing, and is tried again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			begin0 := time.Now()
			f := fleet(nil, 1)
			f.Behave = behave(memory.Behaviour{Latency: time.Minute})
			cfg := config(f, new(memjournal.Journal))
			cfg.CallTimeout, cfg.Poll = 5*time.Minute, 2*time.Minute
			calls := 0
			cfg.Deployer = &deployer{Fleet: f, status: func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
				if calls++; calls == 1 {
					return rollout.Report{Phase: rollout.PhaseFailed}, hang(ctx)
				}
				return f.Status(ctx, t)
			}}
			r := start(t, cfg)
			begin(t, r, key("q1"), all())
			require.Equal(t, 1, outcomes(ends(t, r, key("q1")))[rollout.Succeeded])
			// Asked at 2 min, until 7 min; the next poll is at 8 min. Then it is verified, which takes until the one at 10 min.
			require.Equal(t, 10*time.Minute, time.Since(begin0))
			require.Equal(t, 1, f.Installs("dev-000"))
		})
	})
	t.Run("approving is no answer, and is tried again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			begin0 := time.Now()
			f := fleet(nil, 1)
			cfg := config(f, new(memjournal.Journal))
			cfg.CallTimeout = 90 * time.Second
			calls := 0
			cfg.Approver = policy.ApproverFunc(func(ctx context.Context, q policy.Request) (policy.Decision, error) {
				if calls++; calls == 1 {
					return policy.Decision{}, hang(ctx)
				}
				return yes("hans", q), nil
			})
			p := all()
			p.Rings[0].Approval = true
			r := start(t, cfg)
			begin(t, r, key("q1"), p)
			require.Equal(t, rollout.StageDone, ends(t, r, key("q1")).Stage)
			require.Equal(t, 2*time.Minute, time.Since(begin0))
		})
	})
}

func TestAJournalThatFailsIsTriedAgainEverMoreSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 1)
		f.Behave = behave(memory.Behaviour{Latency: 30 * time.Second})
		var mu sync.Mutex
		broken := false
		var tries []time.Time
		j := &flaky{Journal: new(memjournal.Journal), fails: func() bool {
			mu.Lock()
			defer mu.Unlock()
			if broken {
				tries = append(tries, time.Now())
			}
			return broken
		}}
		set := func(b bool) {
			mu.Lock()
			defer mu.Unlock()
			broken = b
		}
		var w watcher
		cfg := config(f, j)
		cfg.Observe = w.observe
		r := start(t, cfg)
		begin(t, r, key("q1"), all())
		pass(time.Second)
		set(true)
		pass(59 * time.Second) // the first poll is the first to append
		synctest.Wait()
		from := time.Now()
		pass(5 * time.Minute)
		_, degraded, err := r.Status(t.Context(), key("q1"))
		require.NoError(t, err, "what is written down can be looked at")
		require.ErrorIs(t, degraded, errDisk)
		require.Equal(t, []time.Duration{0, 1 * time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second, 31 * time.Second,
			63 * time.Second, 123 * time.Second, 183 * time.Second, 243 * time.Second}, since(from, tries))
		require.Len(t, w.degraded(key("q1")), len(tries))
		set(false)
		require.Equal(t, rollout.StageDone, ends(t, r, key("q1")).Stage)
		require.Equal(t, 1, f.Installs("dev-000"))
		_, degraded, err = r.Status(t.Context(), key("q1"))
		require.NoError(t, errors.Join(degraded, err))
	})
}

func TestARolloutThatHasRecoveredIsNotDegradedAnyLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 1)
		f.Behave = behave(memory.Behaviour{Latency: time.Hour})
		j := &tampered{Journal: new(memjournal.Journal), n: 1, instead: func(func() error) error { return errDisk }}
		r := start(t, config(f, j))
		begin(t, r, key("q1"), all())
		synctest.Wait()
		_, degraded, err := r.Status(t.Context(), key("q1"))
		require.NoError(t, err)
		require.ErrorIs(t, degraded, errDisk)
		pass(2 * time.Second)
		s, degraded, err := r.Status(t.Context(), key("q1"))
		require.NoError(t, errors.Join(degraded, err))
		require.Equal(t, 1, s.Active)
	})
}

// A flaky journal appends only while it does not fail.
type flaky struct {
	*memjournal.Journal
	fails func() bool
}

func (j *flaky) Append(ctx context.Context, h rollout.Head, entries [][]byte) error {
	if j.fails() {
		return errDisk
	}
	return j.Journal.Append(ctx, h, entries)
}

// A shifted clock is package time and an offset.
type shifted struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *shifted) shift(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

func (c *shifted) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Round(0).Add(c.offset)
}

func (c *shifted) Busy(int) {}

func (c *shifted) Wake(t time.Time) (<-chan time.Time, func()) {
	timer := time.NewTimer(t.Sub(c.Now()))
	return timer.C, func() { timer.Stop() }
}

func TestAClockThatIsSetBackOrForth(t *testing.T) {
	for name, shift := range map[string]time.Duration{"an hour back": -time.Hour, "a year forth": 365 * 24 * time.Hour, "a second back": -time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clock := new(shifted)
				f := fleet(nil, 20)
				f.Behave = behave(memory.Behaviour{Latency: 7 * time.Minute})
				j := new(memjournal.Journal)
				cfg := config(f, j)
				cfg.Clock = clock
				r := start(t, cfg)
				p := all()
				p.MaxActive = 5
				begin(t, r, key("q1"), p)
				pass(10 * time.Minute)
				clock.shift(shift)
				pass(time.Minute)
				clock.shift(shift)
				require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 20}, outcomes(ends(t, r, key("q1"))))
				begun(t, f)
				_, batches := history(t, j, key("q1"))
				for i := 1; i < len(batches); i++ {
					require.False(t, batches[i].At.Before(batches[i-1].At), "entry %d", i)
				}
			})
		})
	}
}

// What a rollout soaks for is virtual, and so is everything between.
func TestAVirtualClockJumps(t *testing.T) {
	day0 := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	clock := runner.NewVirtualClock(day0)
	f := fleet(clock, 1)
	f.Behave = behave(memory.Behaviour{Latency: time.Minute})
	cfg := config(f, new(memjournal.Journal))
	cfg.Clock = clock
	r := start(t, cfg)
	p := approves(policy.Ring{Name: "all", Rest: true, Gate: policy.Gate{Soak: policy.Duration(100 * 24 * time.Hour)}})
	begin(t, r, key("q1"), p)
	s := ends(t, r, key("q1"))
	require.Equal(t, day0.Add(2*time.Minute+100*24*time.Hour), s.At)
	require.Equal(t, s.At, clock.Now())
}

// Two rollouts that are due at different times: each of them acts at its own, however often they are told things meanwhile.
func TestAVirtualClockPassesNobody(t *testing.T) {
	day0 := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for range 50 {
		clock := runner.NewVirtualClock(day0)
		f := fleet(clock, 6)
		for i := range 6 {
			f.AddDevice(unpatched("acme", dev(100+i), "curl"))
		}
		f.Behave = func(_ inventory.DeviceID, t rollout.Task) memory.Behaviour {
			return memory.Behaviour{Fault: map[bool]patch.Fault{true: patch.Busy}[t.Handle.Seq <= 3]}
		}
		j := new(memjournal.Journal)
		cfg := config(f, j)
		cfg.Clock = clock
		r := newRunner(t, cfg)
		p := all()
		p.Retry.BusyEvery = policy.Duration(13 * time.Minute)
		begin(t, r, key("q1"), only("openssl", p))
		p.Retry.BusyEvery = policy.Duration(17 * time.Minute)
		begin(t, r, key("q2"), only("curl", p))
		stop := run(t, r)
		ends(t, r, key("q1"))
		ends(t, r, key("q2"))
		for _, id := range []rollout.ID{"q1", "q2"} {
			_, batches := history(t, j, key(id))
			for _, b := range batches {
				minutes := b.At.Sub(day0) / time.Minute
				require.True(t, b.At.Second() == 0 && (id == "q1" && minutes%13 == 0 || id == "q2" && minutes%17 == 0), "%s: %s", id, b.At)
			}
		}
		require.ErrorIs(t, stop(), context.Canceled)
	}
}
