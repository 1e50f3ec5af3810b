package ssh

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/providers/transport/internal/capped"
	"github.com/patchflow/patchflow/providers/transport/internal/posix"
)

// Run implements [transport.Transport]. The environment and the folder are set by env(1) and sh on the device. A command that
// a signal has ended mostly has the code 128 and its number. A connection that is found broken before a command was sent is
// made anew, once.
func (d *Device) Run(ctx context.Context, c transport.Command) (transport.Result, error) {
	begin := time.Now()
	r, err := d.run(ctx, c)
	r.Took = time.Since(begin)
	if err != nil {
		return r, fmt.Errorf("ssh: %s: %s: %w", d.Addr, c, err)
	}
	return r, nil
}

func (d *Device) run(ctx context.Context, c transport.Command) (transport.Result, error) {
	if err := ctx.Err(); err != nil {
		return transport.Result{}, fmt.Errorf("not begun: %w", err)
	}
	if err := c.Check(); err != nil {
		return transport.Result{}, err
	}
	argv, env := c.Argv, c.Env
	var sudo []string
	if c.Root && d.User != "root" {
		if sudo = d.Sudo; len(sudo) == 0 {
			return transport.Result{}, fmt.Errorf("the rights of root are needed: %w", patch.ErrPermanent)
		}
		argv, env = posix.Elevate(c, sudo)
	}
	mark := "patchflow-" + rand.Text()
	line, err := posix.Line(argv, env, c.Dir, mark)
	if err != nil {
		return transport.Result{}, err
	}
	select {
	case d.sessions <- struct{}{}:
		defer func() { <-d.sessions }()
	case <-ctx.Done():
		return transport.Result{}, fmt.Errorf("not begun: %w", ctx.Err())
	}
	conn, ch, requests, err := d.open(ctx)
	if err != nil {
		return transport.Result{}, err
	}
	defer conn.release()
	defer ch.Close()
	keepOut, keepErr := c.Bounds()
	s := &session{device: d, conn: conn, channel: ch, sudo: sudo, started: make(chan struct{}), ended: make(chan struct{}),
		stdout: capped.New(keepOut), stderr: capped.New(keepErr)}
	r, err := s.run(ctx, c, line, mark, requests)
	if err == nil && sudo != nil {
		err = posix.Refused(r, path.Base(sudo[0]))
	}
	return r, err
}

// A server counts a session for a moment longer than its client does. So one that has none left is asked again, first after
// firstPause, then after twice as long each time, up to lastPause.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = 3 * time.Second
)

// open opens a session. Nothing has been sent to run when it fails.
func (d *Device) open(ctx context.Context) (*connection, ssh.Channel, <-chan *ssh.Request, error) {
	for pause := firstPause; ; {
		conn, reused, err := d.connect(ctx)
		if err != nil {
			return nil, nil, nil, err
		}
		ch, requests, err := conn.session(ctx)
		if err == nil {
			return conn, ch, requests, nil
		}
		conn.release()
		var refusal *ssh.OpenChannelError
		switch {
		case errors.As(err, &refusal):
			if pause > lastPause || refusal.Reason == ssh.Prohibited || refusal.Reason == ssh.UnknownChannelType {
				return nil, nil, nil, fmt.Errorf("no session: %w: %w", err, patch.ErrBusy)
			}
			if err := wait(ctx, pause); err != nil {
				return nil, nil, nil, fmt.Errorf("not begun: %w", err)
			}
			pause *= 2
			continue
		case ctx.Err() != nil:
			return nil, nil, nil, fmt.Errorf("not begun: %w", ctx.Err())
		case !reused:
			return nil, nil, nil, fmt.Errorf("no session: %w: %w", err, patch.ErrUnreachable)
		}
		conn.client.Close()
		<-conn.dead // it is forgotten: the next one is not reused
	}
}

// wait waits for d, or until ctx is done, whose error it returns.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// session opens a session, which may take until the connection is found to be dead.
func (c *connection) session(ctx context.Context) (ch ssh.Channel, requests <-chan *ssh.Request, err error) {
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		ch, requests, err = c.client.OpenChannel("session", nil)
	}()
	select {
	case <-opened:
		return ch, requests, err
	case <-ctx.Done():
		go func() {
			if <-opened; err == nil {
				go ssh.DiscardRequests(requests)
				ch.Close()
			}
		}()
		return nil, nil, ctx.Err()
	}
}

// A session is one command that runs.
type session struct {
	device         *Device
	conn           *connection
	channel        ssh.Channel
	sudo           []string
	stdout, stderr *capped.Buffer

	once    sync.Once
	started chan struct{} // closed when mark is there
	mark    posix.Mark
	ended   chan struct{} // closed when the fields below are there
	end     transport.Result
	err     error
}

// run starts a line and waits for its end, or for that of ctx.
func (s *session) run(ctx context.Context, c transport.Command, line, mark string, requests <-chan *ssh.Request) (transport.Result, error) {
	found := func(m posix.Mark) {
		s.once.Do(func() {
			s.mark = m
			close(s.started)
		})
	}
	out := posix.NewStripper(mark, s.stdout, found)
	errs := posix.NewStripper(mark, s.stderr, found)
	go func() {
		defer close(s.ended)
		s.end, s.err = s.wait(c, line, requests, out, errs)
	}()
	var stopped error
	select {
	case <-s.ended:
		stopped = nil
	case <-ctx.Done():
		stopped = s.stop()
		s.channel.Close()
		if stopped != nil {
			return s.output(transport.Result{}), fmt.Errorf("%w, and not known to be stopped: %w: %w: %w", ctx.Err(), stopped,
				transport.ErrUnknownOutcome, patch.ErrUnreachable)
		}
		return s.output(transport.Result{}), fmt.Errorf("stopped: %w", ctx.Err())
	}
	if s.err != nil {
		return s.output(transport.Result{}), s.err
	}
	r := s.output(s.end)
	select {
	case <-s.started:
		if s.mark.Letter == 'd' {
			return transport.Result{}, fmt.Errorf("no folder %s: %w", c.Dir, patch.ErrPermanent)
		}
		return r, nil
	default:
	}
	// The server or the login shell has run something else.
	return transport.Result{}, fmt.Errorf("the device did not run the command but ended with %s, saying %.200q: %w", r,
		append(errs.Noise(), out.Noise()...), patch.ErrPermanent)
}

func (s *session) output(r transport.Result) transport.Result {
	r.Stdout, r.StdoutCut = s.stdout.Bytes()
	r.Stderr, r.StderrCut = s.stderr.Bytes()
	return r
}

// wait sends the line and reads everything. From the moment that it is sent on, a connection that breaks leaves the outcome
// unknown.
func (s *session) wait(c transport.Command, line string, requests <-chan *ssh.Request, out, errs io.Writer) (r transport.Result, err error) {
	ok, err := s.channel.SendRequest("exec", true, ssh.Marshal(struct{ Line string }{line}))
	if err != nil {
		go ssh.DiscardRequests(requests)
		return r, unknown(err)
	}
	if !ok {
		go ssh.DiscardRequests(requests)
		return r, fmt.Errorf("the server refuses to run commands: %w", patch.ErrPermanent)
	}
	go func() {
		// It fails if the command reads less than there is, which is no failure.
		_, _ = s.channel.Write(c.Stdin)
		_ = s.channel.CloseWrite()
	}()
	var outputs sync.WaitGroup
	outputs.Go(func() { _, _ = io.Copy(out, s.channel) })
	outputs.Go(func() { _, _ = io.Copy(errs, s.channel.Stderr()) })
	read := make(chan struct{})
	go func() {
		outputs.Wait()
		close(read)
	}()
	for req := range requests {
		switch req.Type {
		case "exit-status":
			var m struct{ Code uint32 }
			if ssh.Unmarshal(req.Payload, &m) == nil {
				r.Ended, r.Code = true, int(m.Code)
			}
		case "exit-signal":
			var m struct {
				Signal     string
				Core       bool
				Text, Lang string
			}
			if ssh.Unmarshal(req.Payload, &m) == nil {
				r.Ended, r.Code, r.Signal = true, -1, m.Signal
			}
		}
		if req.WantReply {
			_ = req.Reply(false, nil)
		}
		if r.Ended {
			break
		}
	}
	go ssh.DiscardRequests(requests)
	if !r.Ended {
		return r, unknown(errors.New("the connection or the session ended before the command"))
	}
	linger := time.NewTimer(s.device.Linger)
	defer linger.Stop()
	select {
	case <-read:
	case <-linger.C:
	}
	return r, nil
}

func unknown(err error) error {
	return fmt.Errorf("%w: %w: %w", err, transport.ErrUnknownOutcome, patch.ErrUnreachable)
}
