// Package fleetbed makes a fleet of Linux devices on one machine, for tests: each has its own file system, network address, host
// name, processes and ssh server, a power switch, and a cable that can be pulled.
//
//	func TestMain(m *testing.M) { fleetbed.Main(m) }
//
//	func TestFleet(t *testing.T) {
//		bed := fleetbed.New(t, 50)
//		bed.Devices[3].Cut()           // the power is gone, with whatever was running
//		bed.Devices[7].Unplug()        // it runs on, and nobody reaches it
//	}
//
// The file system of a device is an overlay on that of the machine itself, so that nothing has to be downloaded and whatever is
// installed here is installed there: what a device writes is its own, survives its restarts, and is gone with the test. Everything
// happens in mount and network namespaces of the test's own; there is no way from a device to the outside.
//
// Devices of [Systemd] have systemd as their first process, and really shut down and start again.
//
// It needs Linux, the rights of root, and the programs unshare, ip, sshd and ssh-keygen. Only tests import this package.
package fleetbed
