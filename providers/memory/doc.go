// Package memory is a whole fleet in memory, and the first thing to read when writing a provider.
//
// A [Fleet] is all plugs in one: it publishes patches, lists and scans devices, installs, verifies, restarts, rolls back and
// cancels. Its devices really hold software, so that a scan after an installation shows what became of it, and a test that
// asks the devices cannot be talked into anything by a report. An [Approver] is a queue of questions in which persons answer.
//
// How a provider is put together can be seen here in the small:
//
//   - fleet.go: what there is, and the listings ([patch.Source], [inventory.Source], [inventory.Scanner]);
//   - work.go: tasks that begin once whatever happens, and whose progress can be asked for ([rollout.Deployer] and its
//     abilities);
//   - device.go: what a command does on a device; the part that package managers and agents do in other providers;
//   - approver.go: the [policy.Approver].
//
// Nothing here starts a goroutine, sleeps or waits: a fleet computes how far its work has come when it is asked.
package memory
