// Package bench measures patchflow against its peers and against what the machine can do at all. It holds tests only;
// README.md tells the method and what was measured.
//
// Every figure is a ratio of two things measured in turn in one process, since a time alone says more about the machine
// than about the code. TestRatios states the goals and fails when one is missed; it runs when PATCHFLOW_BENCH is 1.
package bench
