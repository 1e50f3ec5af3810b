// Package tool runs the programs of snapshots over a transport.
package tool

import (
	"bytes"
	"context"
	"fmt"

	"golang.org/x/sync/semaphore"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport"
)

// A Runner runs programs as root, with times and words as every device tells them alike.
type Runner struct {
	name string
	to   transport.Transport
	turn *semaphore.Weighted
}

// New returns a runner for the package called name, which stands before its errors.
func New(name string, to transport.Transport) Runner {
	return Runner{name, to, semaphore.NewWeighted(1)}
}

// Turn waits until nothing else is being changed, and returns what ends that.
func (r Runner) Turn(ctx context.Context) (end func(), err error) {
	if err := r.turn.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	return func() { r.turn.Release(1) }, nil
}

// Run runs a program and returns what it printed. An exit code that is not 0 is an error, which holds what the program said.
func (r Runner) Run(ctx context.Context, argv ...string) ([]byte, error) {
	res, err := r.Result(ctx, argv...)
	if err != nil {
		return nil, err
	}
	if err := r.Failure(res, argv[0]); err != nil {
		return nil, err
	}
	return res.Stdout, nil
}

// Result is Run for a caller that reads the exit code.
func (r Runner) Result(ctx context.Context, argv ...string) (transport.Result, error) {
	c := transport.Command{Argv: argv, Env: []string{"LC_ALL=C", "TZ=UTC"}, Root: true}
	res, err := r.to.Run(ctx, c)
	if err != nil {
		return res, fmt.Errorf("%s: %w", r.name, err)
	}
	if res.StdoutCut > 0 {
		return res, fmt.Errorf("%s: %s: printed %d bytes more than can be read: %w", r.name, argv[0], res.StdoutCut, patch.ErrPermanent)
	}
	return res, nil
}

// Failure makes the error for a program that has failed, nil for one that has not. A program that is not there cannot be run later
// either; a disk that is full can be cleaned.
func (r Runner) Failure(res transport.Result, program string) error {
	if res.OK() {
		return nil
	}
	said := bytes.TrimSpace(res.Stderr)
	if len(said) == 0 {
		said = bytes.TrimSpace(res.Stdout)
	}
	if len(said) > 500 {
		said = said[:500]
	}
	err := fmt.Errorf("%s: %s: %s: %q", r.name, program, res, said)
	switch {
	case res.Code == 127:
		return fmt.Errorf("%w: %w", err, patch.ErrPermanent)
	case bytes.Contains(said, []byte("No space left on device")) || bytes.Contains(said, []byte("Disk quota exceeded")):
		return fmt.Errorf("%w: %w", err, patch.ErrDiskFull)
	}
	return err
}
