// Package simulate carries a plan out in virtual time, before anything is touched: with the same machine and the same agenda
// as a real rollout, and with devices that behave as a [Model] says.
//
// [NewForecast] runs a plan many times and tells when each ring will be through, how many devices are disrupted in each
// hour, and which gate would stop a bad patch, after how many devices. A model is given, or made from past journals by
// [Learn]. [Compare] takes a journal and asks what would have happened under another policy; what the journal does not tell
// is said to be unknown.
//
// Devices of a forecast measure nothing: a gate that requires a metric holds its ring there (code "health"), and so does one that wants devices
// for comparison to be counted (policy.Control.Least, code "control"). Probes find everything up, and devices are drained and put back at once.
//
// Nothing here is random: what happens follows from the seed by a keyed hash, and is the same on every machine.
package simulate
