// Package e2e proves in processes of their own what the parts of patchflow promise together.
//
// The proof here is that of kill -9: a process drives a rollout with the embedded host on a SQLite file, over devices that
// are folders and so outlive it. It is killed at fifty moments and started again each time; in the end every device has what
// it was to have, has done each task once, and the journal says the same as the devices' own logs.
package e2e
