package ssh

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport"
)

const (
	waitFor = time.Minute
	tick    = 10 * time.Millisecond
)

// A fake is a server in this process that breaks off the connection when a command has come as far as at, and counts the
// commands that it has been given to run.
type fake struct {
	addr    string
	config  Config
	given   atomic.Int32
	logins  atomic.Int32
	breaks  atomic.Int32 // how often it still breaks the connection off
	at      string       // "open", "exec", "reply", "mark", "output"; "never"
	refuses string       // "session" or "exec"
}

func newFake(t *testing.T, at string, breaks int) *fake {
	t.Helper()
	dir := t.TempDir()
	host, login := newKey(t, filepath.Join(dir, "host"), ""), newKey(t, filepath.Join(dir, "id"), "")
	f := &fake{at: at}
	f.breaks.Store(int32(breaks))
	server := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if !bytes.Equal(key.Marshal(), login.PublicKey().Marshal()) {
			return nil, io.ErrUnexpectedEOF
		}
		return nil, nil
	}}
	server.AddHostKey(host)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f.addr = l.Addr().String()
	var all sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { f.serve(c, server) })
		}
	})
	f.config = Config{Addr: f.addr, User: "ada", Signers: []ssh.Signer{login}, HostKeys: []string{pin(host.PublicKey())}, Grace: tick}
	return f
}

// breaksAt says whether the connection is to be broken off here.
func (f *fake) breaksAt(at string) bool { return f.at == at && f.breaks.Add(-1) >= 0 }

func (f *fake) serve(tcp net.Conn, config *ssh.ServerConfig) {
	defer tcp.Close()
	conn, channels, requests, err := ssh.NewServerConn(tcp, config)
	if err != nil {
		return
	}
	defer conn.Close()
	f.logins.Add(1)
	go ssh.DiscardRequests(requests)
	var all sync.WaitGroup
	defer all.Wait()
	for ch := range channels {
		if f.breaksAt("open") {
			tcp.Close()
			return
		}
		if f.refuses == "session" {
			_ = ch.Reject(ssh.Prohibited, "open failed")
			continue
		}
		c, reqs, err := ch.Accept()
		if err != nil {
			return
		}
		all.Go(func() { f.session(tcp, c, reqs) })
	}
}

func (f *fake) session(tcp net.Conn, c ssh.Channel, reqs <-chan *ssh.Request) {
	defer c.Close()
	for req := range reqs {
		if req.Type != "exec" {
			continue
		}
		f.given.Add(1)
		if f.breaksAt("exec") {
			tcp.Close()
			return
		}
		if f.refuses == "exec" {
			_ = req.Reply(false, nil)
			continue
		}
		_ = req.Reply(true, nil)
		if f.breaksAt("reply") {
			tcp.Close()
			return
		}
		var line struct{ Text string }
		_ = ssh.Unmarshal(req.Payload, &line)
		cmd := exec.Command("sh", "-c", line.Text)
		cmd.Stdout, cmd.Stderr = c, c.Stderr()
		_ = cmd.Run()
		if f.breaksAt("output") {
			tcp.Close()
			return
		}
		_, _ = c.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(cmd.ProcessState.ExitCode())}))
		return
	}
}

// Wherever a connection breaks, nothing runs twice, and what has perhaps run is told so.
func TestABrokenConnectionRunsNothingTwice(t *testing.T) {
	for name, row := range map[string]struct {
		at      string
		used    bool // a command has used the connection before
		breaks  int
		given   int32
		unknown bool
		ok      bool
	}{
		"never":                                  {"never", false, 0, 1, false, true},
		"before a session, new connection":       {"open", false, 1, 0, false, false},
		"before a session, used connection":      {"open", true, 1, 1, false, true},
		"before each session, used connection":   {"open", true, 2, 0, false, false},
		"when the command is there":              {"exec", false, 1, 1, true, false},
		"when the command is there, used before": {"exec", true, 1, 1, true, false},
		"when it was accepted":                   {"reply", true, 1, 1, true, false},
		"when it has ended, and nobody knows":    {"output", true, 1, 1, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, row.at, 0)
			d := device(t, f.config)
			if row.used {
				r, err := d.Run(t.Context(), command("true"))
				require.NoError(t, err)
				require.True(t, r.OK())
			}
			f.given.Store(0)
			f.breaks.Store(int32(row.breaks))
			r, err := d.Run(t.Context(), command("true"))
			require.Equal(t, row.given, f.given.Load(), "commands that the server was given")
			require.Equal(t, row.ok, r.OK())
			if row.ok {
				require.NoError(t, err)
				return
			}
			require.Equal(t, patch.Unreachable, patch.FaultOf(err), "%v", err)
			require.Equal(t, row.unknown, unknownOutcome(err), "%v", err)
			f.breaks.Store(0)
			r, err = d.Run(t.Context(), command("true"))
			require.NoError(t, err, "the next command connects again")
			require.True(t, r.OK())
		})
	}
}

func unknownOutcome(err error) bool { return errors.Is(err, transport.ErrUnknownOutcome) }

func TestAServerThatRefuses(t *testing.T) {
	for what, fault := range map[string]patch.Fault{"session": patch.Busy, "exec": patch.Permanent} {
		t.Run(what, func(t *testing.T) {
			f := newFake(t, "never", 0)
			f.refuses = what
			_, err := device(t, f.config).Run(t.Context(), command("true"))
			require.Equal(t, fault, patch.FaultOf(err), "%v", err)
			require.False(t, unknownOutcome(err))
		})
	}
}

// A proxy that stops forwarding is a cable that is pulled: no end of the connection says anything.
func TestAPeerThatFallsSilent(t *testing.T) {
	f := newFake(t, "never", 0)
	var cut atomic.Bool
	c := f.config
	c.KeepAlive, c.KeepAliveTimeout = tick, 50*tick
	c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return &cable{Conn: conn, cut: &cut}, err
	}
	d := device(t, c)
	done := make(chan error)
	go func() {
		_, err := d.Run(t.Context(), command("sh", "-c", "sleep 2"))
		done <- err
	}()
	require.Eventually(t, func() bool { return f.given.Load() == 1 }, waitFor, tick)
	cut.Store(true)
	err := <-done
	require.ErrorIs(t, err, transport.ErrUnknownOutcome)
	require.Equal(t, patch.Unreachable, patch.FaultOf(err))
	cut.Store(false)
	r, err := d.Run(t.Context(), command("true"))
	require.NoError(t, err, "the next command connects again")
	require.True(t, r.OK())
	require.EqualValues(t, 2, f.given.Load())
}

// A cable loses what is written to it once it is cut, and gives nothing to read.
type cable struct {
	net.Conn
	cut *atomic.Bool
}

func (c *cable) Write(p []byte) (int, error) {
	if c.cut.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// A command that cannot be stopped, since the device does not answer, is told to be of unknown outcome.
func TestACancelledCommandThatCannotBeStopped(t *testing.T) {
	f := newFake(t, "never", 0)
	var cut atomic.Bool
	c := f.config
	c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return &cable{Conn: conn, cut: &cut}, err
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d := device(t, c)
	done := make(chan error)
	go func() {
		_, err := d.Run(ctx, command("sh", "-c", "sleep 2"))
		done <- err
	}()
	require.Eventually(t, func() bool { return f.given.Load() == 1 }, waitFor, tick)
	cut.Store(true)
	cancel()
	err := <-done
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, transport.ErrUnknownOutcome)
}

// A server that answers no handshake costs DialTimeout and no more.
func TestAServerThatSaysNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	c := newFake(t, "never", 0).config
	c.Addr, c.DialTimeout = l.Addr().String(), 5*tick
	_, err = device(t, c).Run(t.Context(), command("true"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, patch.Unreachable, patch.FaultOf(err))
}
