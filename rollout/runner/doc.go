// Package runner carries rollouts out inside the calling process: it is the embedded host, and the facade of the library.
//
//	r, err := runner.New(runner.Config{
//		Patches: []patch.Source{feed}, Devices: fleet, Deployer: agents, Approver: people, Journal: journal,
//	})
//	go r.Run(ctx)
//	proposal, err := r.Plan(ctx, runner.PlanRequest{Key: key, Policy: pol, By: "olga"}) // touches nothing
//	err = r.Start(ctx, proposal.Plan)
//	status, err := r.Wait(ctx, key)
//
// A rollout is owned by one goroutine. It lets the machine decide, appends what was decided to the journal, and only then
// acts; provider calls are made by a bounded number of workers. Whatever happens to the process, another one that is given
// the same journal takes the rollouts up where they were, with the same task IDs.
package runner
