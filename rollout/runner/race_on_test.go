//go:build race

package runner_test

// raced says that the race detector is on, with which everything takes many times as long: a tenth of a large fleet has the same goroutines.
const raced = true
