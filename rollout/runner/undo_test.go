package runner_test

import (
	"context"
	"fmt"
	"sync/atomic"
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

// The rollbacks of a rollout wait for its window, are stopped by their own gate, and stay so in a process that takes it over; a
// person then lets them go on.
func TestRollbacksHaveWindowsAndAGateOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 6)
		var fails atomic.Bool
		fails.Store(true)
		f.Behave = func(_ inventory.DeviceID, task rollout.Task) memory.Behaviour {
			if task.Op == rollout.OpRollback && fails.Load() {
				return memory.Behaviour{Fault: patch.Permanent, Message: "the old package is gone"}
			}
			return memory.Behaviour{}
		}
		j := new(memjournal.Journal)
		r := newRunner(t, config(f, j))
		stop := run(t, r)

		began := time.Now().UTC() // midnight, in a bubble
		p := approves(policy.Ring{Name: "all", Rest: true, Gate: policy.Gate{Soak: policy.Duration(24 * time.Hour)}})
		p.Windows = []policy.Window{{Start: 0, End: 4 * 60, Zone: "UTC"}}
		p.MaxActive = 1
		p.Rollback = policy.Rollback{On: policy.FailRollsBackRing, InWindows: true, MaxFailures: 1}
		begin(t, r, key("q1"), p)
		pass(6 * time.Hour)
		s, _, err := r.Status(t.Context(), key("q1"))
		require.NoError(t, err)
		require.Equal(t, map[rollout.Outcome]int{rollout.Succeeded: 6}, outcomes(s))

		undo := rollout.Command{Do: rollout.DoUndoRing, Ring: "all", By: "hans", Reason: "no sound"}
		require.NoError(t, r.Command(t.Context(), key("q1"), undo))
		pass(time.Hour)
		require.Empty(t, rollbacks(f), "the window is closed")
		pass(18 * time.Hour)
		_, batches := history(t, j, key("q1"))
		halted, at := events[rollout.UndoHalted](batches)
		require.Len(t, halted, 1)
		require.Equal(t, 6, halted[0].Of)
		require.Equal(t, 2, halted[0].Failed, "one may fail")
		require.True(t, at[0].Equal(began.AddDate(0, 0, 1)), "as soon as the window opens: %s", at[0])
		require.Len(t, rollbacks(f), 2)
		s, _, err = r.Status(t.Context(), key("q1"))
		require.NoError(t, err)
		require.Equal(t, rollout.StageHalted, s.Stage)
		require.ErrorIs(t, stop(), context.Canceled)

		fails.Store(false)
		other := start(t, config(f, j))
		pass(48 * time.Hour)
		require.Len(t, rollbacks(f), 2, "the other process knows of it, too")
		require.NoError(t, other.Command(t.Context(), key("q1"), rollout.Command{Do: rollout.DoResume, By: "hans"}))
		pass(72 * time.Hour)
		s, _, err = other.Status(t.Context(), key("q1"))
		require.NoError(t, err)
		require.Equal(t, map[rollout.Outcome]int{rollout.RolledBack: 4, rollout.RollbackFailed: 2}, outcomes(s))
		require.Len(t, rollbacks(f), 6)
		_, batches = history(t, j, key("q1"))
		issued, at := events[rollout.Issued](batches)
		for i, e := range issued {
			if e.Op == rollout.OpRollback {
				require.Less(t, at[i].Sub(began)%(24*time.Hour), 4*time.Hour, "in the window")
			}
		}
		require.NoError(t, other.Command(t.Context(), key("q1"), rollout.Command{Do: rollout.DoCancel, By: "hans"}))
		require.True(t, ends(t, other, key("q1")).Stage.Final())
	})
}

// rollbacks are the tasks by which devices of f were rolled back, failures included.
func rollbacks(f *memory.Fleet) map[rollout.TaskID]bool {
	tasks := make(map[rollout.TaskID]bool)
	for _, e := range f.Log() {
		if name, err := rollout.ParseTaskID(e.Task); err == nil && name.Op == rollout.OpRollback {
			tasks[e.Task] = true
		}
	}
	return tasks
}

// A plan for nobody says why nobody is in it.
func TestAPlanForNobodySaysWhomItLeavesOut(t *testing.T) {
	r := newRunner(t, config(fleet(nil, 2), new(memjournal.Journal)))
	local := []policy.Window{{Start: 0, End: 60}}
	for name, set := range map[string]func(*policy.Policy){
		"windows":              func(p *policy.Policy) { p.Windows = local },
		"windows for restarts": func(p *policy.Policy) { p.Reboot.Windows = local },
		"quiet times":          func(p *policy.Policy) { p.Reboot.Quiet = local },
	} {
		p := all()
		p.Reboot.Mode = policy.RebootIfRequired
		set(&p)
		_, err := r.Plan(t.Context(), runner.PlanRequest{Key: key("q1"), Policy: p, By: "olga"})
		require.ErrorIs(t, err, rollout.ErrNothing, name)
		require.ErrorContains(t, err, "left out, no-zone: 2 (dev-000 dev-001)", name)
	}
}

// Levels of the escalation reach the hook, once each, and are cleared there; also across a takeover.
func TestLevelsReachWhoWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 3)
		var broken atomic.Bool
		broken.Store(true)
		f.Behave = func(d inventory.DeviceID, task rollout.Task) memory.Behaviour {
			if d == dev(0) && task.Op == rollout.OpInstall && broken.Load() {
				return memory.Behaviour{Fault: patch.Transient, Message: "mirror down"}
			}
			return memory.Behaviour{}
		}
		j := new(memjournal.Journal)
		first := new(watcher)
		cfg := config(f, j)
		cfg.Observe = first.observe
		r := newRunner(t, cfg)
		stop := run(t, r)
		p := all()
		p.Retry = policy.Retry{Attempts: 50, Backoff: policy.Duration(time.Hour), MaxBackoff: policy.Duration(time.Hour)}
		p.Escalation = []policy.EscalationLevel{{Name: "ticket", Attempts: 2}, {Name: "page", Attempts: 4}}
		begin(t, r, key("q1"), p)
		pass(3 * time.Hour)
		require.Equal(t, []string{"ticket attempts [0] raised"}, first.levels(&p))
		require.ErrorIs(t, stop(), context.Canceled)

		second := new(watcher)
		cfg.Observe = second.observe
		other := start(t, cfg)
		pass(4 * time.Hour)
		require.Equal(t, []string{"page attempts [0] raised"}, second.levels(&p), "the first is raised already")
		broken.Store(false)
		require.Equal(t, rollout.StageDone, ends(t, other, key("q1")).Stage)
		require.Equal(t, []string{"page attempts [0] raised", "ticket attempts [0] cleared", "page attempts [0] cleared"}, second.levels(&p))
	})
}

// levels are the levels that were raised and cleared.
func (w *watcher) levels(p *policy.Policy) (all []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.seen {
		for _, e := range t.Batch.Events {
			switch e := e.(type) {
			case rollout.Raised:
				all = append(all, fmt.Sprintf("%s %s %v raised", p.Escalation[e.Level].Name, e.Why, e.Devices))
			case rollout.Cleared:
				all = append(all, fmt.Sprintf("%s %s %v cleared", p.Escalation[e.Level].Name, e.Why, e.Devices))
			}
		}
	}
	return all
}
