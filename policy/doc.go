// Package policy states which patches go to which devices, in what order, when, and with whose leave.
//
// A [Policy] is a document: a Go value that can be written as YAML or JSON and read back strictly. Its rules turn a finding
// into a [Verdict] with its reasons ([Policy.Decide]); what no rule decides is not installed. Its rings, gates, windows,
// retries and reactions are carried out by package rollout. An [Approver] answers when a ring asks for leave.
//
// Beside its rules a policy has holds, exceptions and deadlines: [KnownIssue], [Exception], [Deadline]. [Policy.Judge] weighs
// all of them, [Policy.Due] says by when a patch must be installed, and [Policy.Explain] prints everything that was said.
// Before a policy takes the place of another, [NewPreview] counts what would change, and [Lint] warns of what is unwise.
//
// [Load] reads a document and says what is unwise about it, such as a deadline that its windows do not let it meet; [Decode] only
// reads it.
//
// Where vendor, partner, customer, site, group and device each have a word in it, a policy is made of layers: a [Layer] is a
// document that states some fields, and may lock them for those below it. [Resolve] makes of the layers of a device one
// [Effective] policy, which says of every field what layer it is from and what a lock has kept out. A [Resolver] does so for a
// fleet. A layer is never about a device of a tenant that is not its own or below that.
//
// Windows are read by the clocks of IANA time zones, which come from the zone database of the host. This package does
// not bring one along: a program that runs where there may be none (Windows, a bare container) imports time/tzdata.
// [Policy.Validate], [NewSchedule] and [Policy.Schedule] look zones up; everything else is arithmetic on its arguments.
package policy
