package transport

import (
	"fmt"
	"time"
)

// A Result is how a command ended. The zero value is of one that has not.
type Result struct {
	// Ended says that the end of the command was seen. Without it Code means nothing.
	Ended bool

	// Code is the exit code, and -1 if a signal ended the command.
	Code int

	// Signal is the name of the signal that ended the command, such as "KILL", where the transport tells. Where a shell
	// stands between, it is "" and Code is 128 and the number of the signal.
	Signal string

	// Stdout and Stderr are the beginnings of the outputs.
	Stdout, Stderr []byte

	// StdoutCut and StderrCut are how many bytes were printed beyond those. An output that is cut is no list of all.
	StdoutCut, StderrCut int64

	// Took is how long the call took, the way to the device included.
	Took time.Duration
}

// OK says whether the command ended with the code 0.
func (r Result) OK() bool { return r.Ended && r.Code == 0 && r.Signal == "" }

// String tells the end in words: "exit code 3".
func (r Result) String() string {
	switch {
	case !r.Ended:
		return "no end seen"
	case r.Signal != "":
		return "signal " + r.Signal
	}
	return fmt.Sprintf("exit code %d", r.Code)
}
