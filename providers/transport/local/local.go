// Package local runs commands on this machine. It is the transport of an agent that runs on the device itself.
//
// It was tested on Linux. On Windows a command that is cancelled is killed alone; what it has started goes on.
package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/providers/transport/internal/capped"
	"github.com/patchflow/patchflow/providers/transport/internal/posix"
)

// Config says how commands run. The zero value is fine.
type Config struct {
	// Sudo are the words before a command that make it one of root's; nil means "sudo -n --". They are not used where this
	// process is root's already.
	Sudo []string

	// Grace is how long a command that is cancelled may take to end before it is killed; 0 means 5 s.
	Grace time.Duration

	// Linger is how long outputs are read after the command itself has ended, for what it has left behind and may hold
	// them open: a service that was started, for instance. 0 means 1 s.
	Linger time.Duration
}

// New returns the transport to this machine. It starts nothing and needs no closing.
func New(c Config) transport.Transport {
	if c.Sudo == nil {
		c.Sudo = posix.Sudo()
	}
	if c.Grace <= 0 {
		c.Grace = 5 * time.Second
	}
	if c.Linger <= 0 {
		c.Linger = time.Second
	}
	return &machine{c}
}

type machine struct{ Config }

// Run implements [transport.Transport].
func (m *machine) Run(ctx context.Context, c transport.Command) (transport.Result, error) {
	begin := time.Now()
	if err := ctx.Err(); err != nil {
		return transport.Result{}, fmt.Errorf("local: %s: not begun: %w", c, err)
	}
	if err := c.Check(); err != nil {
		return transport.Result{}, fmt.Errorf("local: %w", err)
	}
	r, err := m.runAs(ctx, c, c.Root && !superuser())
	r.Took = time.Since(begin)
	if err != nil {
		return r, fmt.Errorf("local: %s: %w", c, err)
	}
	return r, nil
}

// runAs runs c, through sudo or not.
func (m *machine) runAs(ctx context.Context, c transport.Command, sudo bool) (transport.Result, error) {
	argv, env := c.Argv, c.Env
	if sudo {
		if len(m.Sudo) == 0 {
			return transport.Result{}, fmt.Errorf("the rights of root are needed: %w", patch.ErrPermanent)
		}
		argv, env = posix.Elevate(c, m.Sudo)
	}
	// A folder that is not there must not read as a program that is not.
	if c.Dir != "" {
		if info, err := os.Stat(c.Dir); err != nil {
			return transport.Result{}, fmt.Errorf("%w: %w", err, patch.ErrPermanent)
		} else if !info.IsDir() {
			return transport.Result{}, fmt.Errorf("%s is not a folder: %w", c.Dir, patch.ErrPermanent)
		}
	}
	name := argv[0]
	if c.Dir != "" && filepath.Base(name) != name && !filepath.IsAbs(name) {
		name = filepath.Join(c.Dir, name) // it is looked for from there
	}
	path, err := exec.LookPath(name)
	if err != nil {
		if sudo && argv[0] == m.Sudo[0] {
			return transport.Result{}, fmt.Errorf("the rights of root: %w: %w", err, patch.ErrPermanent)
		}
		return notRun(err), nil
	}
	keepOut, keepErr := c.Bounds()
	stdout, stderr := capped.New(keepOut), capped.New(keepErr)
	cmd := &exec.Cmd{Path: path, Args: argv, Dir: c.Dir, Stdin: bytes.NewReader(c.Stdin), Stdout: stdout, Stderr: stderr,
		WaitDelay: m.Linger}
	if len(env) > 0 {
		cmd.Env = append(os.Environ(), env...)
	}
	apart(cmd)
	if err := cmd.Start(); err != nil {
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) || badFormat(err) {
			return notRun(err), nil
		}
		return transport.Result{}, err // no memory, too many processes
	}
	ended := make(chan struct{})
	var wait error
	go func() {
		defer close(ended)
		wait = cmd.Wait()
	}()
	var stopped error
	select {
	case <-ended:
	case <-ctx.Done():
		stopped = m.stop(cmd, ended, sudo)
		err = ctx.Err()
	}
	var r transport.Result
	r.Stdout, r.StdoutCut = stdout.Bytes()
	r.Stderr, r.StderrCut = stderr.Bytes()
	switch {
	case stopped != nil:
		return r, fmt.Errorf("%w, and %w: %w: %w", err, stopped, transport.ErrUnknownOutcome, patch.ErrUnreachable)
	case err != nil:
		return r, fmt.Errorf("stopped: %w", err)
	case cmd.ProcessState == nil:
		return r, fmt.Errorf("%w: %w: %w", wait, transport.ErrUnknownOutcome, patch.ErrUnreachable)
	}
	r.Ended = true
	r.Code, r.Signal = end(cmd.ProcessState)
	if sudo {
		if err := posix.Refused(r, filepath.Base(m.Sudo[0])); err != nil {
			return r, err
		}
	}
	return r, nil
}

// notRun returns the result of a program that could not be started, as a shell would tell it (POSIX.1-2024, 2.8.2).
func notRun(err error) transport.Result {
	code := 126
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		code = 127
	}
	return transport.Result{Ended: true, Code: code, Stderr: []byte(err.Error() + "\n")}
}

// stop asks the group of cmd to end, and kills it after a while. It returns when cmd has ended, or an error if that cannot be
// brought about.
func (m *machine) stop(cmd *exec.Cmd, ended <-chan struct{}, sudo bool) error {
	asked := m.signal(cmd, false, sudo)
	if asked == nil {
		wait := time.NewTimer(m.Grace)
		defer wait.Stop()
		select {
		case <-ended:
		case <-wait.C:
		}
	}
	// What the command has started may not have ended with it.
	killed := m.signal(cmd, true, sudo)
	wait := time.NewTimer(m.Grace + m.Linger)
	defer wait.Stop()
	select {
	case <-ended:
		return nil
	case <-wait.C:
	}
	if killed == nil {
		killed = errors.New("it does not end")
	}
	return fmt.Errorf("not stopped: %w", killed)
}
