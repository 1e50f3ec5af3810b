// Package providers holds what every provider can use: [Router] sends each task to the deployer that knows its device,
// [Limit] bounds how much one deployer does at once, and [Pulled] stands for devices that ask for their work instead of
// being told.
//
// The providers themselves are in the packages below it. Whoever writes one reads providers/memory first, which does all
// of it in a few hundred lines, and then puts the new one through providers/providertest, which checks every promise
// that the plugs make.
//
// # Writing a wrapper
//
// A deployer shows what it can do by the interfaces that it implements, and [rollout.Ability] looks for them. A wrapper that
// embeds a deployer hides the abilities of what it wraps; one that implements them all promises what is not there. So a
// wrapper has one of two methods beside those of [rollout.Deployer]:
//
//   - Unwrap() rollout.Deployer, if the calls of other abilities may go around the wrapper;
//   - Route(rollout.Task) rollout.Deployer, if they may not: it returns a deployer that has the abilities which the
//     wrapped one has for this task, and no others. [Limit] is written in this way.
package providers
