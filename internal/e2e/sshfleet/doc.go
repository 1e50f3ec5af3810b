// Package sshfleet proves on real devices what the parts of patchflow promise together: a runner with a SQLite file, as a process of
// its own, patches devices over ssh with their own apt from a signed archive, ring by ring, within a maintenance window. The devices
// are those of package fleetbed, so they restart, lose their power and lose their network.
//
// What counts in the end is what the devices say of themselves. dpkg-query has the wanted versions, and every line of dpkg's own log
// lies within exactly one installation of the journal, none outside of the window. The test of package e2e does the same with
// devices that are folders.
package sshfleet
