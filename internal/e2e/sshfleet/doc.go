// Package sshfleet proves on real devices what the parts of patchflow promise together: a runner with a SQLite file, as a process of
// its own, patches devices over ssh with their own apt from a signed archive, ring by ring, within a maintenance window. The devices
// are those of package fleetbed, so they restart, lose their power and lose their network.
//
// What counts in the end is what the devices say of themselves. dpkg-query has the wanted versions, and every line of dpkg's own log
// lies within exactly one installation of the journal, none outside of the window. So it is when cables are pulled, devices lose their
// power in the midst of it, and the controller is killed. The test of package e2e does the same with devices that are folders.
//
//	go test -v ./internal/e2e/sshfleet                    # eight devices
//	PATCHFLOW_LONG=1 go test -v ./internal/e2e/sshfleet   # fifty, too
//	PATCHFLOW_SEED=7 go test -v ./internal/e2e/sshfleet   # other moments of the faults
package sshfleet
