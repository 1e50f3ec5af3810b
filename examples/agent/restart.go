package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/providers/transport/local"
	"github.com/patchflow/patchflow/rollout"
)

const linuxBoot = "/proc/sys/kernel/random/boot_id"

// bootID tells one boot of this machine from another, by a file; "" if it cannot be read.
func bootID(path string) string {
	text, _ := os.ReadFile(path)
	return string(bytes.TrimSpace(text))
}

// patience is how long a restart that has no time to finish by may take.
const patience = 10 * time.Minute

// reboot has the device restarted. What it returns says at best that the restart is under way: the agent that comes back tells how it ended.
func (a *agent) reboot(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	switch {
	case len(a.restart) == 0:
		return rollout.Report{}, fmt.Errorf("%s: no command is configured that restarts this device: %w", t.Op, patch.ErrPermanent)
	case a.boot == "":
		return rollout.Report{}, fmt.Errorf("%s: this device does not tell its boot, and could not prove it: %w", t.Op, patch.ErrPermanent)
	case t.BootID != "" && t.BootID != a.boot:
		return rollout.Report{Phase: rollout.PhaseSucceeded, Message: "it was restarted before"}, nil
	}
	r, err := local.New(local.Config{}).Run(ctx, transport.Command{Argv: a.restart})
	switch {
	case err != nil && ctx.Err() == nil:
		return rollout.Report{}, err
	case err == nil && r.Ended && r.Signal == "" && r.Code != 0:
		return rollout.Report{}, fmt.Errorf("%s: %s: %s: %.300s", t.Op, a.restart[0], r, r.Stderr)
	}
	return rollout.Report{Phase: rollout.PhaseRunning}, nil // a device that goes down kills the command and this process as it likes
}

// restarted says what has become of a restart: the device is in another boot, or may still go down, or has not done so in time. The command
// is not run again.
func (a *agent) restarted(e entry) rollout.Report {
	until := e.Task.FinishBy
	if until.IsZero() {
		until = e.Begun.Add(patience)
	}
	switch {
	case a.boot != "" && e.Boot != "" && a.boot != e.Boot:
		return rollout.Report{Phase: rollout.PhaseSucceeded, BootID: a.boot}
	case a.now().Before(until):
		return rollout.Report{Phase: rollout.PhaseRunning}
	}
	return rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Transient, Message: "it was told to restart, and has not done so", BootID: a.boot}
}
