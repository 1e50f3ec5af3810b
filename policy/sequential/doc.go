// Package sequential holds statistics that stay true however often they are looked at.
//
// A test that is made for one look at the end gives far too many false alarms when it is repeated after every outcome. An
// e-value does not: it is a number that is expected to be at most 1 if the hypothesis holds, so that the probability that it
// ever reaches 1/alpha is at most alpha (Ville's inequality), whenever and however often one looks, and whatever one looks for.
//
//   - [LogAbove] gathers evidence that failures are more frequent than what is tolerated, and [LogBelow] that they are
//     rarer. A [Table] makes the same judgement by comparing whole numbers.
//   - [Interval] is the range of rates that the outcomes have not refuted.
//   - A [Pair] compares two groups.
//
// They suppose that outcomes are those of devices in an order that does not depend on the outcomes, such as the order in which they
// were started. Failures are often known sooner than successes, and silence is an outcome too: whoever counts outcomes as they
// come has a different sample. See the gates of package rollout for a way to count.
//
// Everything here is a pure function of its arguments.
package sequential
