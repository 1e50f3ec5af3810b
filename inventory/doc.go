// Package inventory describes the devices of a fleet: what they run, what they miss, and how that is known.
//
// A [Source] lists devices, a [Scanner] looks at one afresh. A [Scan] says which of the device's package managers it really
// covered: a package that is absent from a scan is gone only where the scan covered its manager. [Assess] compares a
// device with a catalog and returns its findings; what cannot be decided is returned as unknown, never left out.
package inventory
