package providertest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

func drainPromises() []promise[*bench] {
	const once = "The same task ID never begins twice, and a task whose"
	succeeds := func(t *testing.T, b *bench, op rollout.Op) rollout.Task {
		t.Helper()
		task := b.task(op, b.Content)
		r := b.end(t, task)
		require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%s: %s", op, r.Message)
		return task
	}
	serves := func(t *testing.T, b *bench) bool {
		t.Helper()
		need(t, b.Serves != nil, "Serves")
		return b.Serves(t, b.d)
	}
	return []promise[*bench]{
		{"Drain", "the first report says where the task stands", "Drain begins to take the device out of service, and returns its first report;", func(t *testing.T, b *bench) {
			require.NotEqual(t, rollout.PhaseUnknown, b.begin(t, b.task(rollout.OpDrain, b.Content)).Phase)
		}},
		{"Drain", "nobody is served by a device that is out", "the last one, [PhaseSucceeded], comes when nothing new is", func(t *testing.T, b *bench) {
			require.True(t, serves(t, b), "before")
			succeeds(t, b, rollout.OpDrain)
			require.False(t, serves(t, b), "it is said to be out of service")
		}},
		{"Drain", "a device that is out already has succeeded", "A device that is out of service already has succeeded", func(t *testing.T, b *bench) {
			succeeds(t, b, rollout.OpDrain)
			succeeds(t, b, rollout.OpDrain)
		}},
		{"Drain", "nothing else is changed", "It changes nothing else.", func(t *testing.T, b *bench) {
			need(t, b.Look != nil, "Look")
			before := b.look(t)
			succeeds(t, b, rollout.OpDrain)
			succeeds(t, b, rollout.OpUncordon)
			require.Equal(t, before.Software, b.look(t).Software)
			require.Equal(t, before.BootID, b.look(t).BootID)
		}},
		{"Drain", "the same task begins once", once, func(t *testing.T, b *bench) {
			first := succeeds(t, b, rollout.OpDrain)
			if succeeds(t, b, rollout.OpUncordon); !serves(t, b) {
				return // that it is back is another promise
			}
			b.begin(t, first)
			b.settle(t, first)
			require.True(t, serves(t, b), "a drain that was over was begun again")
		}},
		{"Drain", "what comes too late is not begun", "StartBy is past is not begun any more.", func(t *testing.T, b *bench) {
			task := b.task(rollout.OpDrain, b.Content)
			task.StartBy = b.Now().Add(-time.Hour)
			r := b.end(t, task)
			require.Equal(t, rollout.PhaseFailed, r.Phase)
			require.Equal(t, patch.Busy, r.Fault)
		}},
		{"Drain", "the end of the task is told by Status", "Progress is told by Status.", func(t *testing.T, b *bench) {
			task := b.task(rollout.OpDrain, b.Content)
			task.Attempt = 2
			b.begin(t, task)
			b.settle(t, task)
			require.True(t, b.status(t, task).Phase.Last())
		}},
		{"Uncordon", "the first report says where the task stands", "Uncordon begins to put the device back into service, and returns its first report;", func(t *testing.T, b *bench) {
			require.NotEqual(t, rollout.PhaseUnknown, b.begin(t, b.task(rollout.OpUncordon, b.Content)).Phase)
		}},
		{"Uncordon", "a device that is back serves", "comes when it serves again as", func(t *testing.T, b *bench) {
			succeeds(t, b, rollout.OpDrain)
			succeeds(t, b, rollout.OpUncordon)
			require.True(t, serves(t, b), "it is said to be back")
		}},
		{"Uncordon", "a device that is in service has succeeded", "A device that is in service already has succeeded.", func(t *testing.T, b *bench) {
			succeeds(t, b, rollout.OpUncordon)
		}},
		{"Uncordon", "a drain that may be running is given up", "A drain that has failed, or may still be running, is taken back or given", func(t *testing.T, b *bench) {
			if b.Hold != nil {
				b.Hold(t, b.d)
			}
			b.begin(t, b.task(rollout.OpDrain, b.Content))
			back := b.task(rollout.OpUncordon, b.Content)
			b.begin(t, back)
			b.settle(t, back)
			require.True(t, serves(t, b), "a drain has overtaken what took it back")
		}},
		{"Uncordon", "the same task begins once", "The same task ID never begins twice. Progress is told by Status.", func(t *testing.T, b *bench) {
			succeeds(t, b, rollout.OpDrain)
			first := succeeds(t, b, rollout.OpUncordon)
			if succeeds(t, b, rollout.OpDrain); serves(t, b) {
				return // that it is out is another promise
			}
			b.begin(t, first)
			b.settle(t, first)
			require.False(t, serves(t, b), "a task that was over has put it back again")
		}},
		{"Uncordon", "the end of the task is told by Status", "Progress is told by Status.", func(t *testing.T, b *bench) {
			succeeds(t, b, rollout.OpDrain)
			task := b.task(rollout.OpUncordon, b.Content)
			task.Attempt = 2
			b.begin(t, task)
			b.settle(t, task)
			require.True(t, b.status(t, task).Phase.Last())
		}},
	}
}
