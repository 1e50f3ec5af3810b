// Package transport is how a command reaches a device. [Transport] is the plug: one method, which a vendor implements over
// its own agent. The packages below are transports that are ready for use: local (this machine), ssh, and root (a root
// folder of its own on a device that another transport reaches).
//
// A command is a list of arguments and never a line for a shell. What it prints is kept up to a bound. Its exit code is a
// [Result], whatever it is; an error means that the command did not run, or that nobody knows how it ended, and
// [patch.FaultOf] tells what that means for a rollout.
//
// What an exit code says about a device is for the caller to find out: package managers end with 0 when a script of a package
// has failed, and with 100 when all went well.
package transport
