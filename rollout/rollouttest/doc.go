// Package rollouttest tests rollouts: the engine itself, hosts that drive it, journals that keep it.
//
// [RunStory] runs a story, a text file that says what is done to a rollout and what follows from it. [Drive] is a whole host
// in virtual time: it carries plans out on a [Fleet] of simulated devices and checks what must hold of every rollout, by an
// [Auditor] that keeps its own books. [Journal] tests a journal.
package rollouttest
