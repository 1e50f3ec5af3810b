package runner_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
)

// listener is a fleet that notes which devices it was asked to do anything with, and to stop.
type listener struct {
	*memory.Fleet
	mu      sync.Mutex
	asked   map[inventory.DeviceID]int
	stopped map[inventory.DeviceID]int
}

func (l *listener) note(to *map[inventory.DeviceID]int, d inventory.DeviceID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if *to == nil {
		*to = make(map[inventory.DeviceID]int)
	}
	(*to)[d]++
}

func (l *listener) count(of *map[inventory.DeviceID]int, d inventory.DeviceID) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return (*of)[d]
}

func (l *listener) Deploy(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	l.note(&l.asked, t.Device)
	return l.Fleet.Deploy(ctx, t)
}

func (l *listener) Status(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	l.note(&l.asked, t.Device)
	return l.Fleet.Status(ctx, t)
}

func (l *listener) Verify(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	l.note(&l.asked, t.Device)
	return l.Fleet.Verify(ctx, t)
}

func (l *listener) Cancel(ctx context.Context, t rollout.Task) error {
	l.note(&l.stopped, t.Device)
	return l.Fleet.Cancel(ctx, t)
}

// Of three devices that are at their installation one is sold, one goes to another tenant and one is made anew. The first is asked to stop,
// the second is asked nothing at all any more, and the third is installed once more.
func TestDevicesThatLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 4)
		f.Behave = behave(memory.Behaviour{Latency: 10 * time.Minute})
		l, journal := &listener{Fleet: f}, new(memjournal.Journal)
		cfg := config(f, journal)
		cfg.Deployer = l
		r := start(t, cfg)
		begin(t, r, key("q1"), all())
		begin(t, r, key("q2"), all())
		pass(time.Minute)
		require.NoError(t, r.Leave(t.Context(), "acme",
			rollout.Departure{Device: dev(0), How: rollout.Retired, By: "cmdb"},
			rollout.Departure{Device: dev(1), How: rollout.Moved, By: "cmdb"},
			rollout.Departure{Device: dev(2), How: rollout.Reimaged, By: "cmdb"},
			rollout.Departure{Device: "nobody", How: rollout.Retired}))
		synctest.Wait()
		require.Equal(t, 1, l.count(&l.stopped, dev(0)))
		require.Zero(t, l.count(&l.stopped, dev(1)))
		asked := l.count(&l.asked, dev(1))
		require.Positive(t, asked)
		f.RemoveDevice("acme", dev(2))
		f.AddDevice(unpatched("acme", dev(2)))

		again := rollout.Departure{Device: dev(1), How: rollout.Moved, By: "cmdb"}
		require.NoError(t, r.Leave(t.Context(), "acme", again), "it is known already")
		again.How = rollout.Retired
		require.ErrorIs(t, r.Leave(t.Context(), "acme", again), rollout.ErrLeave)
		pass(24 * time.Hour)
		for _, k := range []rollout.Key{key("q1"), key("q2")} { // both are told; one of them finds the work of the other, which proves nothing
			s, _, err := r.Status(t.Context(), k)
			require.NoError(t, err)
			if !s.Stage.Final() {
				require.NoError(t, r.Command(t.Context(), k, rollout.Command{Do: rollout.DoCancel, By: "hans"}))
			}
			o := outcomes(ends(t, r, k))
			require.Equal(t, 2, o[rollout.Gone])
			require.Equal(t, 2, o[rollout.Succeeded]+o[rollout.AlreadyInstalled])
		}
		require.Equal(t, asked, l.count(&l.asked, dev(1)))
		d, known := f.Device("acme", dev(2))
		require.True(t, known)
		require.Equal(t, "2", d.Software[0].Version.Text)
		require.NoError(t, r.Leave(t.Context(), "acme", again), "nobody has it any more")
	})
}

// A call that nobody waits for any more is not made: one for a device that has left meanwhile neither.
func TestADeviceThatHasLeftGetsNoTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 2)
		f.Behave = behave(memory.Behaviour{Latency: 10 * time.Minute})
		r := start(t, config(f, new(memjournal.Journal)))
		begin(t, r, key("q1"), all())
		pass(time.Minute)
		tasks, err := r.NextTasks(t.Context(), "acme", dev(0), time.Minute)
		require.NoError(t, err)
		require.Len(t, tasks, 1)
		require.NoError(t, r.Leave(t.Context(), "acme", rollout.Departure{Device: dev(0), How: rollout.Retired}))
		tasks, err = r.NextTasks(t.Context(), "acme", dev(0), 0)
		require.NoError(t, err)
		require.Empty(t, tasks)
	})
}
