//go:build !race && hostile

package source_test

// raced says that the race detector is on, which has memory of its own.
const raced = false
