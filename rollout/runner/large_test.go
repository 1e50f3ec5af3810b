package runner_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

// A hundred thousand devices take seconds, and no goroutine each.
func TestALargeFleet(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	n := 100_000
	if raced {
		n = 10_000
	}
	for _, row := range []struct {
		name    string
		active  int
		latency func(d inventory.DeviceID) time.Duration
	}{
		{"all at once", 0, func(inventory.DeviceID) time.Duration { return 3 * time.Minute }},
		{"a thousand at a time, each in its own time", 1000, func(d inventory.DeviceID) time.Duration {
			return time.Duration(d[len(d)-1]) * 3 * time.Second
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			clock := newClock()
			f := fleet(clock, n)
			f.Behave = func(d inventory.DeviceID, _ rollout.Task) memory.Behaviour {
				return memory.Behaviour{Latency: row.latency(d)}
			}
			j := &tampered{Journal: new(memjournal.Journal)}
			cfg := config(f, j)
			cfg.Clock = clock
			goroutines, most := runtime.NumGoroutine(), atomic.Int64{}
			cfg.Observe = func(context.Context, runner.Transition) {
				most.Store(max(most.Load(), int64(runtime.NumGoroutine()-goroutines)))
			}
			r := start(t, cfg)
			p := rings()
			p.Rings[1].MaxActive = row.active
			begin0 := time.Now()
			plan := planned(t, r, key("q1"), p)
			made := time.Since(begin0)
			require.NoError(t, r.Start(t.Context(), plan))
			s := ends(t, r, key("q1"))
			took := time.Since(begin0) - made
			require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: n}, outcomes(s))
			require.Less(t, most.Load(), int64(30))
			t.Logf("planned in %s, rolled out in %s: %.0f devices a second; %d appends, %s of virtual time, %d goroutines",
				made.Round(time.Millisecond), took.Round(time.Millisecond), float64(n)/took.Seconds(), j.appends.Load(), s.At.Sub(newClock().Now()), most.Load())
		})
	}
}

// Twenty thousand agents that poll cost the runner little each.
func TestAFleetOfAgents(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const n = 20_000
	f := fleet(nil, n)
	r := start(t, agents(f, new(memjournal.Journal)))
	p := begin(t, r, key("q1"), all())
	asked := time.Now()
	queue := make(chan inventory.DeviceID, n)
	for _, d := range p.Devices {
		queue <- d
	}
	close(queue)
	failed := make(chan error, 8)
	for range cap(failed) {
		go func() {
			for d := range queue {
				for seq := uint32(1); seq <= 2; {
					tasks, err := r.NextTasks(t.Context(), "acme", d, time.Hour)
					for _, x := range tasks {
						seq = x.Handle.Seq + 1
						err = r.Report(t.Context(), x.ID, rollout.Report{Phase: rollout.PhaseSucceeded})
					}
					if err != nil {
						failed <- err
						return
					}
				}
			}
			failed <- nil
		}()
	}
	for range cap(failed) {
		require.NoError(t, <-failed)
	}
	require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: n}, outcomes(ends(t, r, key("q1"))))
	t.Logf("%d agents in %s", n, time.Since(asked).Round(time.Millisecond))
}

// Many rollouts wait for the same devices: who gets them must not cost more than the work itself.
func TestManyRolloutsOfOneFleet(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const n = 5000
	clock := newClock()
	f := fleet(clock, n, "openssl", "curl", "bash")
	f.Behave = behave(memory.Behaviour{Latency: 5 * time.Minute})
	cfg := config(f, new(memjournal.Journal))
	cfg.Clock = clock
	r := newRunner(t, cfg)
	begin0 := time.Now()
	names := []string{"openssl", "curl", "bash"}
	for _, x := range names {
		p := all()
		p.MaxActive = 100
		p.Retry.Backoff = policy.Duration(time.Minute)
		begin(t, r, key(rollout.ID(x)), only(x, p))
	}
	run(t, r)
	for _, x := range names {
		require.Equal(t, n, outcomes(ends(t, r, key(rollout.ID(x))))[rollout.Succeeded])
	}
	require.Len(t, sessions(t, f), 3*n)
	t.Logf("%d rollouts of %d devices in %s", len(names), n, time.Since(begin0).Round(time.Millisecond))
}
