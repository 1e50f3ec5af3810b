// Quickstart shows patchflow from end to end on any machine, without network, rights or configuration: it makes a fleet
// out of the facts of one real Debian machine, plans, asks, rolls out in rings on virtual time, lets a bad patch run into a
// gate, rolls it back, and writes a report.
//
//	go run ./examples/quickstart
//	go run ./examples/quickstart -local   # what does this machine miss? changes nothing
//
// This file is what a product has to write. The other files make the fleet up and draw the pictures.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	_ "time/tzdata" // Windows has no time zones of its own that Go could read

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

//go:embed policy.yaml
var policyText string

// rollOut is the vendor's part: patch the tenant acme by the policy, and say how that ended.
func rollOut(ctx context.Context, d *demo, id rollout.ID) (rollout.Status, error) {
	rules, err := policy.Decode(strings.NewReader(policyText), "policy.yaml")
	if err != nil {
		return rollout.Status{}, err
	}
	r, err := runner.New(runner.Config{
		Patches:  []patch.Source{d.index, d.fleet}, // where patches come from: the index of Debian, and what is published later
		Devices:  d.fleet,                          // your database of devices
		Deployer: d.fleet,                          // your agents
		Approver: d.approver,                       // your people
		Journal:  d.journal,                        // what was decided, in a file; any restart goes on from there
		Observe:  d.observe,                        // your screens, webhooks and metrics
		Clock:    d.clock,                          // leave this out: a week takes a second here
	})
	if err != nil {
		return rollout.Status{}, err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(running) }()
	defer func() { stop(); <-ended }()

	key := rollout.Key{Tenant: tenant, ID: id}
	proposal, err := r.Plan(ctx, runner.PlanRequest{Key: key, Policy: rules, By: "olga"}) // touches nothing
	if err != nil || !d.wants(proposal) {
		return rollout.Status{}, err
	}
	if err := r.Start(ctx, proposal.Plan); err != nil {
		return rollout.Status{}, err
	}
	return r.Wait(ctx, key)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}
