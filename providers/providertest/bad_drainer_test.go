package providertest

import (
	"context"
	"slices"
	"time"

	"github.com/patchflow/patchflow/rollout"
)

// badDrainers adds deployers that break what is promised of taking devices out of service.
func badDrainers(add func(name, caught string, spoil func(w *world))) {
	const out, back = "Drain/nobody is served by a device that is out", "Uncordon/a device that is back serves"
	add("drainer returns nothing", "Drain/the first report says where the task stands", func(w *world) { w.drain = nothing(w.Fleet.Drain) })
	add("uncordoner returns nothing", "Uncordon/the first report says where the task stands", func(w *world) { w.uncordon = nothing(w.Fleet.Uncordon) })
	add("drainer leaves it in service", out, func(w *world) { w.drain = w.Fleet.Uncordon })
	add("uncordoner leaves it out", back, func(w *world) {
		w.uncordon = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			if w.Drained("acme", "ada") {
				return w.Fleet.Drain(ctx, t)
			}
			return w.Fleet.Uncordon(ctx, t)
		}
	})
	add("drainer refuses what is out", "Drain/a device that is out already has succeeded", func(w *world) {
		w.drain = refusing(w.Fleet.Drain, func() bool { return w.Drained("acme", "ada") })
	})
	add("uncordoner refuses what is in service", "Uncordon/a device that is in service has succeeded", func(w *world) {
		out := false
		w.drain = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			out = true
			return w.Fleet.Drain(ctx, t)
		}
		w.uncordon = refusing(w.Fleet.Uncordon, func() bool { return !out })
	})
	add("drainer restarts the device", "Drain/nothing else is changed", func(w *world) {
		w.drain = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			restart := t
			restart.ID += "0"
			if _, err := w.Fleet.Reboot(ctx, restart); err != nil {
				return rollout.Report{}, err
			}
			return w.Fleet.Drain(ctx, t)
		}
	})
	add("drainer begins again", "Drain/the same task begins once", func(w *world) { w.drain = anew(w.Fleet.Drain) })
	add("uncordoner begins again", "Uncordon/the same task begins once", func(w *world) { w.uncordon = anew(w.Fleet.Uncordon) })
	add("drainer is never too late", "Drain/what comes too late is not begun", func(w *world) {
		w.drain = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			t.StartBy = time.Time{}
			return w.Fleet.Drain(ctx, t)
		}
	})
	add("uncordoner lets a drain go on", "Uncordon/a drain that may be running is given up", func(w *world) {
		var held []rollout.Task
		w.drain = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			r, err := w.Fleet.Drain(ctx, t)
			if held = nil; r.Phase == rollout.PhaseQueued {
				held = []rollout.Task{t}
			}
			return r, err
		}
		w.uncordon = func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
			r, err := w.Fleet.Uncordon(ctx, t)
			for _, later := range held {
				later.ID += "0"
				if _, err := w.Fleet.Drain(ctx, later); err != nil {
					return rollout.Report{}, err
				}
			}
			return r, err
		}
	})
	silent := func(op rollout.Op) func(*world) {
		return status(op, func(t rollout.Task, r *rollout.Report) {
			if t.Attempt == 2 {
				*r = rollout.Report{}
			}
		})
	}
	add("drainer keeps its progress to itself", "Drain/the end of the task is told by Status", silent(rollout.OpDrain))
	add("uncordoner keeps its progress to itself", "Uncordon/the end of the task is told by Status", silent(rollout.OpUncordon))
}

// refusing fails when it is asked for what is so already.
func refusing(begin call, already func() bool) call {
	var begun []rollout.TaskID
	return func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
		if !slices.Contains(begun, t.ID) && already() {
			return rollout.Report{Phase: rollout.PhaseFailed, Message: "it is so already"}, nil
		}
		begun = append(begun, t.ID)
		return begin(ctx, t)
	}
}

// anew begins another task when it gets one that it has begun.
func anew(begin call) call {
	var begun []rollout.TaskID
	return func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
		if slices.Contains(begun, t.ID) {
			t.ID += "0"
		}
		begun = append(begun, t.ID)
		return begin(ctx, t)
	}
}
