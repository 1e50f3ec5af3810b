// Package patchflow is the tour of the library; it holds no code.
//
// Patchflow patches fleets of devices from within other products. It finds the patches that devices miss, decides which may
// go where and when, rolls them out ring by ring, retries, verifies, rolls back, and proves what happened. The product
// around it, typically one for remote monitoring and management, keeps its own database, agents, scheduler, users and
// tenants, and plugs in what it has.
//
// # The idea
//
// Four things can be plugged in: where patches come from, where devices are listed, who approves, and who installs. Between
// them stand pure functions: facts and a policy make a plan; a plan and signals make events and actions.
//
//	patch.Source ----.                                              .---- policy.Approver
//	                  >-- Assess --> NewPlan --> Machine <-- host --<
//	inventory.Source -'      (pure)    (pure)      (pure)           '---- rollout.Deployer and its abilities
//	       policy.Policy --------^--------'           |
//	                                               events --> Journal --> timeline, evidence, replay
//
// The engine is a state machine without I/O: it starts no goroutine, reads no clock, draws no random number and calls no
// provider. A host feeds it signals and carries out its actions.
//
// What the engine decides is written down as events before anything is done. A rollout is the list of its events: replaying
// them gives recovery after a crash, the audit trail, the timeline and the evidence for compliance. Events are decisions,
// not requests, so a newer version of the library replays an older journal to the same state.
//
// "Installed" means seen by a fresh scan after the attempt and after the restart, never an exit code and never the word of
// the deployer alone. What is not known is unknown: nothing in the library reads it as success, as compliant or as "no".
//
// # The way of a patch
//
// These are the steps, with the package that each is in:
//
//  1. A patch.Source lists patches and a patch.Catalog indexes them.
//  2. An inventory.Source lists devices, and a scan says what each has and which package managers were really looked at.
//  3. inventory.Assess compares the two: every finding says how it is known, and what cannot be decided stays unknown.
//  4. A policy.Policy gives a verdict on every finding, with its reasons. What no rule allows is not installed.
//  5. rollout.NewPlan divides the devices into rings. The plan is a value: print it, compare it, have it reviewed.
//  6. A rollout.Machine carries the plan out: windows, approvals, retries, restarts, verification, gates, rollback.
//  7. A host drives the machine by one rule: step, append, act.
//
// # The packages
//
//   - patch: patches, advisories, sources, catalogs, and the faults that stand in the way
//   - patch/version: exact comparison of versions, as each package manager does it
//   - inventory: devices, scans, selectors, findings
//   - policy: what goes where, when, in which order, and with whose leave
//   - policy/calendar: on which days something recurs, and what a clock on the wall shows when
//   - policy/sequential: statistics that stay true however often they are looked at
//   - rollout: plans, the machine, tasks, deployers, the journal
//   - rollout/simulate: what a plan would come to, before anything is touched
//   - rollout/runner: the host for one process, which most products begin with
//   - rollout/rollouttest: tests for hosts and journals
//   - providers: what sits behind the plugs; providers/memory is the one to read first
//   - providers/providertest: the promises of each plug as tests, for whoever writes a provider
//
// Imports run one way: patch, inventory, policy, rollout, and then the runner and the providers, which do not know each
// other and meet in the product's own main function. A provider that needs a large library is a module of its own.
//
// # Where to begin
//
// Run examples/quickstart and read its main function. To write a provider, read providers/memory and put yours through
// providers/providertest. To host the engine in another way, read package rollout.
package patchflow
