//go:build race

package bench

// raced says whether the race detector is on, which makes everything many times as slow.
const raced = true
