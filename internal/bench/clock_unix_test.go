//go:build unix

package bench

import (
	"syscall"
	"time"
)

// processorTime returns how long this process has kept processors busy, its collector included. Unlike the time on the
// wall it does not grow while other processes have the machine.
func processorTime() (busy time.Duration, known bool) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // only if the arguments make no sense
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), true
}
