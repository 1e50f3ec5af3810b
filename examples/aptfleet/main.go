// Aptfleet patches twelve devices with real apt and dpkg, without root and without touching the machine it runs on: each
// device is a root folder with a package database of its own, and installs from a signed private archive that the program makes.
//
// The first rollout brings a security fix to all devices, ring by ring, with the restart that it asks for. The second one carries a
// package whose script fails on some of them: it stops at the gate of the first ring, and what it has changed is taken back.
// In the end dpkg-query says of every device what is really installed.
//
//	go run ./examples/aptfleet
//
// It needs Debian, Ubuntu or another system with apt, and gpg.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

//go:embed policy.yaml
var policyText string

// rollOut carries what the archive offers to the devices that miss it, and returns the timeline of the rollout.
func rollOut(ctx context.Context, f *fleet, id rollout.ID) (*rollout.Timeline, error) {
	rules, err := policy.Decode(strings.NewReader(policyText), "policy.yaml")
	if err != nil {
		return nil, err
	}
	offered, err := f.offered(ctx) // what apt has fetched of the archive, and verified
	if err != nil {
		return nil, err
	}
	journal := new(memjournal.Journal)
	r, err := runner.New(runner.Config{
		Patches:  []patch.Source{offered},
		Devices:  f,     // scanned with dpkg's own database
		Deployer: f.apt, // over a transport: over ssh it is the same
		Journal:  journal,
		Poll:     100 * time.Millisecond,
	})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(running) }()
	defer func() { stop(); <-ended }()

	key := rollout.Key{Tenant: tenant, ID: id}
	proposal, err := r.Plan(ctx, runner.PlanRequest{Key: key, Policy: rules, By: "olga"})
	if err != nil {
		return nil, err
	}
	if err := r.Start(ctx, proposal.Plan); err != nil {
		return nil, err
	}
	if _, err := r.Wait(ctx, key); err != nil {
		return nil, err
	}
	return timeline(ctx, journal, key)
}

// timeline reads a rollout back from its journal.
func timeline(ctx context.Context, journal rollout.Journal, key rollout.Key) (*rollout.Timeline, error) {
	record, err := journal.Load(ctx, key)
	if err != nil {
		return nil, err
	}
	plan, err := rollout.DecodePlan(record.Plan)
	if err != nil {
		return nil, err
	}
	t, _, err := rollout.ReadTimeline(plan, record.Entries)
	return t, err
}

// run plays the whole story in a folder that it removes.
func run(ctx context.Context, out io.Writer) (err error) {
	f, err := newFleet(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	fmt.Fprintf(out, "%d devices, each with its own package database, and a signed archive\n\n", len(f.devices))

	for _, act := range []struct {
		title string
		id    rollout.ID
		add   func(context.Context) error
		stage rollout.Stage
		want  map[string]string
	}{
		{"openvault 1.1 closes a hole, and wants a restart", "fix", f.publishFix, rollout.StageDone, map[string]string{"openvault": "1.1", "ledger": "1.0"}},
		{"ledger 2.0 fails to migrate its data on some devices", "broken", f.publishBroken, rollout.StageUndone, map[string]string{"openvault": "1.1", "ledger": "1.0"}},
	} {
		if err := act.add(ctx); err != nil {
			return err
		}
		t, err := rollOut(ctx, f, act.id)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "== %s\n", act.title)
		tell(out, t)
		if stage := t.Machine().Status().Stage; stage != act.stage {
			return fmt.Errorf("aptfleet: rollout %s is %s, want %s", act.id, stage, act.stage)
		}
		if err := f.check(ctx, out, act.want); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}
