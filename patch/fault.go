package patch

import (
	"errors"
	"fmt"
	"time"

	"github.com/patchflow/patchflow/internal/enum"
)

// A Fault is what a failure means for the rollout engine, which acts on the class alone. Providers classify: they wrap
// one of the sentinel errors below, or report the class itself.
type Fault uint8

const (
	NoFault          Fault = iota
	Transient              // network, timeouts, and everything that nobody classified: retried with backoff, spends an attempt
	Busy                   // package lock held, another installation, reboot pending: retried soon, spends no attempt up to a limit
	Unreachable            // the device cannot be talked to: waits until it is seen again, spends no attempt
	DiskFull               // spends an attempt
	Corrupt                // interrupted package database and the like: spends an attempt
	NeedsUser              // somebody must act on the device first: waits, spends no attempt
	NotApplicable          // settled: the patch is not for this device
	Superseded             // settled: something newer is there already
	AlreadyInstalled       // settled: nothing was to be done
	Permanent              // failed at once
	Untrusted              // signature or hash is wrong: failed at once
)

func faultNames() enum.Names {
	return enum.Names{"none", "transient", "busy", "unreachable", "disk-full", "corrupt", "needs-user",
		"not-applicable", "superseded", "already-installed", "permanent", "untrusted"}
}

// String returns the lower-case name, as used in JSON and YAML.
func (f Fault) String() string { return faultNames().String("fault", int(f)) }

// MarshalText implements [encoding.TextMarshaler].
func (f Fault) MarshalText() ([]byte, error) { return faultNames().Text("fault", int(f)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (f *Fault) UnmarshalText(text []byte) error {
	v, err := faultNames().Parse("fault", text)
	*f = Fault(v)
	return err
}

// Done says whether f settles a device without a failure: there was nothing to do.
func (f Fault) Done() bool { return f == NotApplicable || f == Superseded || f == AlreadyInstalled }

// Sentinel errors that providers wrap with %w to classify a failure. See [FaultOf].
var (
	ErrBusy             = errors.New("busy")
	ErrUnreachable      = errors.New("unreachable")
	ErrDiskFull         = errors.New("disk full")
	ErrCorrupt          = errors.New("corrupt")
	ErrNeedsUser        = errors.New("needs a user")
	ErrNotApplicable    = errors.New("not applicable")
	ErrSuperseded       = errors.New("superseded")
	ErrAlreadyInstalled = errors.New("already installed")
	ErrPermanent        = errors.New("permanent failure")
	ErrUntrusted        = errors.New("untrusted")
)

// ErrRecord is wrapped by the error for one unreadable record of a listing that goes on after it.
var ErrRecord = errors.New("unreadable record")

// A RetryAfterError is a failure that will not pass before some time has gone by: a server that asks for patience.
// The engine retries no earlier than that, whatever its own backoff says.
type RetryAfterError struct {
	After time.Duration
	Err   error
}

// Error implements error.
func (e *RetryAfterError) Error() string { return fmt.Sprintf("retry after %s: %v", e.After, e.Err) }

// Unwrap returns the failure itself.
func (e *RetryAfterError) Unwrap() error { return e.Err }

// FaultOf returns the class of err: [NoFault] for nil, the class of the sentinel that it wraps, [Permanent] for
// [errors.ErrUnsupported], and [Transient] for everything else, timeouts and cancelled calls among it. If err wraps
// several sentinels the gravest counts: untrusted, permanent, then in the order of the constants.
func FaultOf(err error) Fault {
	switch {
	case err == nil:
		return NoFault
	case errors.Is(err, ErrUntrusted):
		return Untrusted
	case errors.Is(err, ErrPermanent), errors.Is(err, errors.ErrUnsupported):
		return Permanent
	case errors.Is(err, ErrBusy):
		return Busy
	case errors.Is(err, ErrUnreachable):
		return Unreachable
	case errors.Is(err, ErrDiskFull):
		return DiskFull
	case errors.Is(err, ErrCorrupt):
		return Corrupt
	case errors.Is(err, ErrNeedsUser):
		return NeedsUser
	case errors.Is(err, ErrNotApplicable):
		return NotApplicable
	case errors.Is(err, ErrSuperseded):
		return Superseded
	case errors.Is(err, ErrAlreadyInstalled):
		return AlreadyInstalled
	}
	return Transient
}
