package runner_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
)

func TestCommandErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 10)
		f.Behave = behave(memory.Behaviour{Latency: 10 * time.Minute})
		j := new(memjournal.Journal)
		r := start(t, config(f, j))
		begin(t, r, key("q1"), rings())
		pass(time.Minute)
		command := func(c rollout.Command) error { return r.Command(t.Context(), key("q1"), c) }
		h, _ := entries(t, j, key("q1"))
		for _, c := range []rollout.Command{
			{Do: rollout.DoPause},
			{By: "olga"},
			{Do: 99, By: "olga"},
			{Do: rollout.DoResume, By: "olga"},
			{Do: rollout.DoSkip, By: "olga", Device: "nobody"},
			{Do: rollout.DoPromote, By: "olga", Ring: "nowhere"},
			{Do: rollout.DoPromote, By: "olga", Ring: "broad"},
			{Do: rollout.DoRelease, By: "olga", Patch: "p"},
			{Do: rollout.DoUndoRing, By: "olga", Ring: "broad"},
			{Do: rollout.DoUndo, By: "olga", Force: true},
		} {
			require.ErrorIs(t, command(c), rollout.ErrCommand, "%+v", c)
		}
		after, _ := entries(t, j, key("q1"))
		require.Equal(t, h, after, "nothing was changed")
		require.ErrorIs(t, r.Command(t.Context(), key("q7"), rollout.Command{Do: rollout.DoPause, By: "olga"}), rollout.ErrNotFound)
		require.NoError(t, command(rollout.Command{Do: rollout.DoCancel, By: "olga"}))
		require.ErrorIs(t, command(rollout.Command{Do: rollout.DoPause, By: "olga"}), rollout.ErrCommand, "it is ending")
		require.Equal(t, rollout.StageCancelled, ends(t, r, key("q1")).Stage)
		require.ErrorIs(t, command(rollout.Command{Do: rollout.DoPause, By: "olga"}), rollout.ErrFinal)
	})
}

// A command that waits for a journal that fails is answered in the end, and not carried out twice.
func TestACommandWhileTheJournalFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 1)
		f.Behave = behave(memory.Behaviour{Latency: 10 * time.Minute})
		var broken atomic.Bool
		j := &flaky{Journal: new(memjournal.Journal), fails: broken.Load}
		r := start(t, config(f, j))
		begin(t, r, key("q1"), all())
		pass(30 * time.Second)
		broken.Store(true)
		require.ErrorIs(t, r.Command(t.Context(), key("q1"), rollout.Command{Do: rollout.DoPause, By: "olga"}), errDisk)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		require.ErrorIs(t, r.Command(ctx, key("q1"), rollout.Command{Do: rollout.DoHalt, By: "olga"}), context.DeadlineExceeded)
		pass(time.Minute)
		broken.Store(false)
		require.NoError(t, r.Command(t.Context(), key("q1"), rollout.Command{Do: rollout.DoCancel, By: "olga"}))
		require.Equal(t, rollout.StageCancelled, ends(t, r, key("q1")).Stage)
	})
}

func TestStatusAndExplain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 10)
		f.Behave = behave(memory.Behaviour{Latency: 10 * time.Minute})
		j := new(memjournal.Journal)
		r := newRunner(t, config(f, j))
		p := begin(t, r, key("q1"), rings())
		check := func(stage rollout.Stage, reasons string, d inventory.DeviceID) {
			t.Helper()
			s, degraded, err := r.Status(t.Context(), key("q1"))
			require.NoError(t, errors.Join(degraded, err))
			require.Equal(t, stage, s.Stage)
			x, err := r.Explain(t.Context(), key("q1"), d)
			require.NoError(t, err)
			require.Contains(t, fmt.Sprint(x.Reasons), reasons)
			// A second process sees the same.
			other := newRunner(t, config(f, j))
			s2, _, err := other.Status(t.Context(), key("q1"))
			require.NoError(t, err)
			s.At, s2.At = time.Time{}, time.Time{} // of what was decided, and of what was only looked at
			require.Empty(t, cmp.Diff(s, s2))
			x2, err := other.Explain(t.Context(), key("q1"), d)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(x, x2))
		}
		first, last := p.Devices[0], p.Devices[9]
		check(rollout.StageActive, "turn", first)
		run(t, r)
		pass(time.Minute)
		check(rollout.StageActive, "install", first)
		check(rollout.StageActive, "test", last)
		pass(time.Hour)
		check(rollout.StageActive, "succeeded", first)
		check(rollout.StageActive, "soak", last)
		ends(t, r, key("q1"))
		check(rollout.StageDone, "succeeded", last)
		check(rollout.StageDone, "not in the plan", "nobody")
		_, _, err := r.Status(t.Context(), key("q7"))
		require.ErrorIs(t, err, rollout.ErrNotFound)
		_, err = r.Explain(t.Context(), key("q7"), first)
		require.ErrorIs(t, err, rollout.ErrNotFound)
	})
}

func TestWait(t *testing.T) {
	t.Run("ends with its context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := fleet(nil, 1)
			f.Behave = behave(memory.Behaviour{Latency: 10 * time.Hour})
			r := newRunner(t, config(f, new(memjournal.Journal)))
			begin(t, r, key("q1"), all())
			for _, running := range []bool{false, true} {
				if running {
					run(t, r)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				_, err := r.Wait(ctx, key("q1"))
				cancel()
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
		})
	})
	t.Run("there is nothing to wait for", func(t *testing.T) {
		r := start(t, config(fleet(nil, 1), new(memjournal.Journal)))
		_, err := r.Wait(t.Context(), key("q7"))
		require.ErrorIs(t, err, rollout.ErrNotFound)
	})
	t.Run("begins before Run", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRunner(t, config(fleet(nil, 1), new(memjournal.Journal)))
			begin(t, r, key("q1"), all())
			waited := make(chan rollout.Status)
			go func() { waited <- ends(t, r, key("q1")) }()
			synctest.Wait()
			run(t, r)
			require.Equal(t, rollout.StageDone, (<-waited).Stage)
		})
	})
	t.Run("outlives one Run and the next", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := fleet(nil, 1)
			f.Behave = behave(memory.Behaviour{Latency: time.Hour})
			r := newRunner(t, config(f, new(memjournal.Journal)))
			begin(t, r, key("q1"), all())
			waited := make(chan rollout.Status)
			go func() { waited <- ends(t, r, key("q1")) }()
			stop := run(t, r)
			pass(time.Minute)
			require.ErrorIs(t, stop(), context.Canceled)
			pass(time.Minute)
			run(t, r)
			require.Equal(t, rollout.StageDone, (<-waited).Stage)
		})
	})
	t.Run("nobody runs, and it is ended by a command", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRunner(t, config(fleet(nil, 1), new(memjournal.Journal)))
			p := all()
			p.Rings[0].Approval = true
			begin(t, r, key("q1"), p)
			waited := make(chan rollout.Status)
			go func() { waited <- ends(t, r, key("q1")) }()
			synctest.Wait()
			require.NoError(t, r.Command(t.Context(), key("q1"), rollout.Command{Do: rollout.DoCancel, By: "olga"}))
			synctest.Wait()
			require.Equal(t, rollout.StageCancelled, (<-waited).Stage)
		})
	})
	t.Run("another process drives it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := fleet(nil, 1)
			f.Behave = behave(memory.Behaviour{Latency: time.Hour})
			j := new(memjournal.Journal)
			r := start(t, config(f, j))
			begin(t, r, key("q1"), all())
			ended := ends(t, newRunner(t, config(f, j)), key("q1"))
			require.Empty(t, cmp.Diff(ends(t, r, key("q1")), ended))
		})
	})
}

func TestRun(t *testing.T) {
	t.Run("twice at once is an error, one after the other is not", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := fleet(nil, 20)
			f.Behave = behave(memory.Behaviour{Latency: time.Hour})
			r := newRunner(t, config(f, new(memjournal.Journal)))
			begin(t, r, key("q1"), rings())
			for range 10 {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Minute)
				ended := make(chan error)
				go func() { ended <- r.Run(ctx) }()
				synctest.Wait()
				require.EqualError(t, r.Run(ctx), "runner: it is running already")
				require.ErrorIs(t, <-ended, context.DeadlineExceeded)
				cancel()
			}
			run(t, r)
			require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 20}, outcomes(ends(t, r, key("q1"))))
			begun(t, f)
		})
	})
	t.Run("leaves no goroutine behind", func(t *testing.T) {
		before := runtime.NumGoroutine()
		// The bubble fails if anything is left in it, too.
		synctest.Test(t, func(t *testing.T) {
			f := fleet(nil, 50)
			f.Behave = behave(memory.Behaviour{Latency: time.Hour})
			r := newRunner(t, config(f, new(memjournal.Journal)))
			for i := range 20 {
				f.AddDevice(unpatched("beta", dev(100+i)))
			}
			stop := run(t, r)
			begin(t, r, key("q1"), rings())
			begin(t, r, rollout.Key{Tenant: "beta", ID: "q1"}, all())
			pass(10 * time.Minute)
			require.ErrorIs(t, stop(), context.Canceled)
			require.Less(t, runtime.NumGoroutine()-before, 6, "what the bubble itself needs")
		})
	})
	t.Run("a context that is done already", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := fleet(nil, 1)
			r := newRunner(t, config(f, new(memjournal.Journal)))
			begin(t, r, key("q1"), all())
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			require.ErrorIs(t, r.Run(ctx), context.Canceled)
			require.Empty(t, f.Log())
		})
	})
	t.Run("a runner that ends holds no virtual clock up", func(t *testing.T) {
		for range 20 {
			clock := newClock()
			f := fleet(clock, 200)
			f.Behave = behave(memory.Behaviour{Latency: time.Minute})
			j := new(memjournal.Journal)
			cfg := config(f, j)
			cfg.Clock, cfg.Workers = clock, 1
			ctx, cancel := context.WithCancel(t.Context())
			cfg.Deployer = &deployer{Fleet: f, deploy: func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
				cancel() // with 199 calls in the queue
				return f.Deploy(context.WithoutCancel(ctx), t)
			}}
			first := newRunner(t, cfg)
			begin(t, first, key("q1"), all())
			require.ErrorIs(t, first.Run(ctx), context.Canceled)
			cfg.Deployer = f
			s := ends(t, start(t, cfg), key("q1"))
			require.Equal(t, 200, outcomes(s)[rollout.Succeeded])
		}
	})
}

// A person may start, command and ask all the time, from everywhere, while runners come and go.
func TestEverythingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 40, "openssl", "curl")
		f.Behave = behave(memory.Behaviour{Latency: 7 * time.Minute})
		j := new(memjournal.Journal)
		r := newRunner(t, config(f, j))
		p := all()
		p.MaxActive = 5
		plans := []rollout.Plan{planned(t, r, key("q1"), only("openssl", p)), planned(t, r, key("q2"), only("curl", p))}
		finished := make(chan struct{}, 8)
		stopped := make(chan struct{})
		go func() { // runs, and runs again
			defer close(stopped)
			for len(finished) < cap(finished) {
				ctx, cancel := context.WithTimeout(t.Context(), 11*time.Minute)
				_ = r.Run(ctx)
				cancel()
			}
		}()
		for i, plan := range plans {
			for _, what := range []func() error{
				func() error { return r.Start(t.Context(), plan) },
				func() error {
					return r.Command(t.Context(), plan.Key, rollout.Command{Do: rollout.DoSkip, Device: dev(39 - i), By: "olga"})
				},
				func() error { return r.Seen(t.Context(), "acme", dev(i)) },
				func() error {
					pass(time.Minute)
					_, err := r.Wait(t.Context(), plan.Key)
					return err
				},
			} {
				go func() {
					defer func() { finished <- struct{}{} }()
					for what() != nil {
						pass(13 * time.Second)
					}
				}()
			}
		}
		<-stopped
		for _, plan := range plans {
			s := ends(t, r, plan.Key)
			require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 39, rollout.Skipped: 1}, outcomes(s))
		}
		require.Len(t, begun(t, f), 2*2*39)
	})
}
