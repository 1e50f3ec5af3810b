// Package rollout turns a policy and facts into a plan, and a plan into actions, ring by ring.
//
// A [Scope] gathers what the devices of a tenant miss and what the policy says of it; [NewPlan] divides them into rings.
// A [Machine] carries a plan out. It is a state machine without I/O: it starts no goroutine, reads no clock, draws no
// random number and calls no provider. A host feeds it signals and does what it answers:
//
//	batch, err := machine.Step(signal) // decide: what happened, and what is to be done about it
//	journal.Append(batch.Events)       // write down; if that fails, throw the machine away and replay
//	do(batch.Actions)                  // act
//
// Events are decisions. A rollout is the list of its events: replaying them with [Machine.Apply] gives the same machine
// again, in this version of the library and in every later one. After a restart a host replays, then does what
// [Machine.Pending] lists, with the same task IDs. A [Timeline] tells people what the events say.
//
// An [Agenda] arbitrates between the rollouts of a tenant: a machine says what it wants ([Machine.Wanted]), the agenda
// grants, and the grant comes back as a signal.
//
// The plugs are [Deployer] and its abilities, and [Journal]. A host lives in package rollout/runner.
package rollout
