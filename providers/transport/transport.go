package transport

import (
	"context"
	"errors"
)

// A Transport runs commands on one device. It is safe for concurrent use.
type Transport interface {
	// Run runs c on the device and returns when it has ended. The arguments arrive as they are: nothing splits or expands
	// them. The command reads Stdin and then the end of it, whether Stdin is empty or not. Env adds to the environment that
	// the device gives its commands. Dir is where the command begins. The two outputs are kept apart, each from its
	// beginning up to its bound. What is beyond a bound is read and counted, so that the command never waits for its reader.
	//
	// An exit code other than 0 is no error. A program that is not there ends with the code 127, as shells say it. A command
	// that [Command.Check] refuses is not run; the error wraps [patch.ErrPermanent].
	//
	// When ctx ends, the command is stopped with all that it has started, as far as the transport can, and the error wraps
	// that of ctx. Nothing is run if ctx has ended before. The result holds what was printed until then.
	//
	// A call runs the command once or not at all, and never again after a failure. If it may have begun and its end was not
	// seen, the error wraps [ErrUnknownOutcome].
	Run(ctx context.Context, c Command) (Result, error)
}

// ErrUnknownOutcome is wrapped, together with [patch.ErrUnreachable], by the error for a command that may have run, wholly
// or in part, and may be running still: the connection broke, or nothing could stop it. Look at the device before it is
// run again.
var ErrUnknownOutcome = errors.New("the outcome of the command is not known")

// A Func is a function that is a [Transport].
type Func func(ctx context.Context, c Command) (Result, error)

// Run calls f.
func (f Func) Run(ctx context.Context, c Command) (Result, error) { return f(ctx, c) }
