package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/providers/transport"
)

func command(argv ...string) transport.Command { return transport.Command{Argv: argv} }

func TestSSH(t *testing.T) {
	s := start(t)
	providertest.Transport(t, providertest.TransportHarness{New: func(t *testing.T) transport.Transport { return device(t, s.config()) }})
}

// Each row is a way to log in, or to be kept from it.
func TestKeys(t *testing.T) {
	s := start(t)
	dir := t.TempDir()
	other := newKey(t, filepath.Join(dir, "other"), "")
	locked := newKey(t, filepath.Join(dir, "locked"), "open sesame")
	f, err := os.OpenFile(filepath.Join(s.dir, "authorized_keys"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.Write(ssh.MarshalAuthorizedKey(locked.PublicKey()))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	socket := serveAgent(t, s.key)
	signer, err := os.ReadFile(s.key)
	require.NoError(t, err)
	key, err := ssh.ParsePrivateKey(signer)
	require.NoError(t, err)
	phrase := func(words string) func(context.Context, string) ([]byte, error) {
		return func(_ context.Context, file string) ([]byte, error) {
			if filepath.Base(file) != "locked" {
				return nil, errors.New("asked for the passphrase of " + file)
			}
			return []byte(words), nil
		}
	}
	file := func(name string) []string { return []string{filepath.Join(dir, name)} }
	for name, row := range map[string]struct {
		with  Config
		fault patch.Fault
	}{
		"a key file":                        {Config{KeyFiles: []string{s.key}}, patch.NoFault},
		"the second of two key files":       {Config{KeyFiles: []string{file("other")[0], s.key}}, patch.NoFault},
		"a signer":                          {Config{Signers: []ssh.Signer{key}}, patch.NoFault},
		"an agent":                          {Config{Agent: socket}, patch.NoFault},
		"an agent after a key that is none": {Config{Signers: []ssh.Signer{other}, Agent: socket}, patch.NoFault},
		"a key, and no agent there":         {Config{KeyFiles: []string{s.key}, Agent: filepath.Join(dir, "none")}, patch.NoFault},
		"an encrypted key file":             {Config{KeyFiles: file("locked"), Passphrase: phrase("open sesame")}, patch.NoFault},
		"another passphrase":                {Config{KeyFiles: file("locked"), Passphrase: phrase("open")}, patch.Permanent},
		"no passphrase":                     {Config{KeyFiles: file("locked")}, patch.Permanent},
		"a key that the device lacks":       {Config{KeyFiles: file("other")}, patch.Permanent},
		"no key file there":                 {Config{KeyFiles: file("none")}, patch.Permanent},
		"no agent there":                    {Config{Agent: filepath.Join(dir, "none")}, patch.Permanent},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.config()
			c.KeyFiles, c.Signers, c.Agent, c.Passphrase = row.with.KeyFiles, row.with.Signers, row.with.Agent, row.with.Passphrase
			r, err := device(t, c).Run(t.Context(), command("true"))
			require.Equal(t, row.fault, patch.FaultOf(err), "%v", err)
			require.Equal(t, row.fault == patch.NoFault, r.OK())
		})
	}
}

// serveAgent serves an agent that holds the key of a file.
func serveAgent(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	key, err := ssh.ParseRawPrivateKey(text)
	require.NoError(t, err)
	ring := agent.NewKeyring()
	require.NoError(t, ring.Add(agent.AddedKey{PrivateKey: key}))
	dir, err := os.MkdirTemp("", "agent") // the path of a socket is short
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, c) }()
		}
	}()
	return l.Addr().String()
}

// Each row is something to know the device by.
func TestHostKeys(t *testing.T) {
	s := start(t)
	dir := t.TempDir()
	other := newKey(t, filepath.Join(dir, "other"), "").PublicKey()
	n := 0
	known := func(lines ...string) []string {
		n++
		file := filepath.Join(dir, fmt.Sprint("known", n))
		require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
		return []string{file}
	}
	print := ssh.FingerprintSHA256(s.hostKey)
	for name, row := range map[string]struct {
		with  Config
		fault patch.Fault
		want  string
	}{
		"a file":                     {Config{KnownHosts: known(knownhosts.Line([]string{s.addr}, s.hostKey))}, patch.NoFault, ""},
		"a file with a hashed name":  {Config{KnownHosts: known(knownhosts.HashHostname(knownhosts.Normalize(s.addr)) + " " + pin(s.hostKey))}, patch.NoFault, ""},
		"a pinned key":               {Config{HostKeys: []string{pin(s.hostKey)}}, patch.NoFault, ""},
		"a pinned fingerprint":       {Config{HostKeys: []string{print}}, patch.NoFault, ""},
		"the second pinned key":      {Config{HostKeys: []string{pin(other), pin(s.hostKey)}}, patch.NoFault, ""},
		"a pin, and not in the file": {Config{HostKeys: []string{print}, KnownHosts: known("")}, patch.NoFault, ""},
		"another pinned key":         {Config{HostKeys: []string{pin(other)}}, patch.Untrusted, print},
		"an unknown key":             {Config{KnownHosts: known("")}, patch.Untrusted, print + " is not known"},
		"a key of another host":      {Config{KnownHosts: known(knownhosts.Line([]string{"192.0.2.1"}, s.hostKey))}, patch.Untrusted, print + " is not known"},
		"a changed key":              {Config{KnownHosts: known(knownhosts.Line([]string{s.addr}, other))}, patch.Untrusted, "has changed: it is ssh-ed25519 " + print},
		"a revoked key":              {Config{KnownHosts: known("@revoked " + knownhosts.Line([]string{s.addr}, s.hostKey))}, patch.Untrusted, print},
		"a file that is not there":   {Config{KnownHosts: []string{filepath.Join(dir, "none")}}, patch.Permanent, "known hosts"},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.config()
			c.KnownHosts, c.HostKeys = row.with.KnownHosts, row.with.HostKeys
			r, err := device(t, c).Run(t.Context(), command("true"))
			require.Equal(t, row.fault, patch.FaultOf(err), "%v", err)
			require.Equal(t, row.fault == patch.NoFault, r.OK())
			if row.want != "" {
				require.ErrorContains(t, err, row.want)
			}
		})
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := Config{Addr: "192.0.2.1", User: "ada", KeyFiles: []string{"id"}, KnownHosts: []string{"known"}}
	d, err := New(good)
	require.NoError(t, err)
	require.Equal(t, "192.0.2.1:22", d.Addr)
	require.NoError(t, d.Close())
	require.NoError(t, d.Close(), "a second call")
	_, err = d.Run(t.Context(), command("true"))
	require.ErrorIs(t, err, net.ErrClosed)
	for name, spoil := range map[string]func(c *Config){
		"Addr":             func(c *Config) { c.Addr = "" },
		"User":             func(c *Config) { c.User = "" },
		"no key to log in": func(c *Config) { c.KeyFiles = nil },
		"known hosts":      func(c *Config) { c.KnownHosts = nil },
		"HostKeys: 1":      func(c *Config) { c.HostKeys = []string{"SHA256:" + strings.Repeat("A", 43), "SHA256:short"} },
		"HostKeys: 0":      func(c *Config) { c.HostKeys = []string{"no key"} },
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			spoil(&c)
			_, err := New(c)
			require.ErrorContains(t, err, name)
			require.Equal(t, patch.Permanent, patch.FaultOf(err))
		})
	}
}

// Two jump hosts stand between, and each has its own key.
func TestJumpHosts(t *testing.T) {
	first, second, last := start(t), start(t), start(t)
	a := device(t, first.config())
	c := second.config()
	c.Dial = a.DialContext
	b := device(t, c)
	c = last.config()
	c.Dial = b.DialContext
	d := device(t, c)
	for range 2 {
		r, err := d.Run(t.Context(), command("sh", "-c", `printf "%s" "$SSH_CONNECTION"`))
		require.NoError(t, err)
		_, port, err := net.SplitHostPort(last.addr)
		require.NoError(t, err)
		require.Equal(t, port, strings.Fields(string(r.Stdout))[3])
	}
	require.NoError(t, a.Close())
	_, err := d.Run(t.Context(), command("true"))
	require.Error(t, err, "nothing goes past the first")
}

// The startup files of the login shell print, and the server knows better what to run.
func TestWhatIsNotTheCommand(t *testing.T) {
	t.Run("a server that runs something else", func(t *testing.T) {
		d := device(t, start(t, `ForceCommand echo "this account is not available"; exit 1`).config())
		_, err := d.Run(t.Context(), command("true"))
		require.ErrorContains(t, err, "did not run the command")
		require.ErrorContains(t, err, "this account is not available")
		require.Equal(t, patch.Permanent, patch.FaultOf(err))
	})
	t.Run("a shell that prints first", func(t *testing.T) {
		d := device(t, start(t, `ForceCommand echo welcome; echo careful >&2; eval "$SSH_ORIGINAL_COMMAND"`).config())
		r, err := d.Run(t.Context(), command("sh", "-c", "echo out; echo err >&2"))
		require.NoError(t, err)
		require.Equal(t, []string{"out\n", "err\n"}, []string{string(r.Stdout), string(r.Stderr)})
	})
}

// Every command uses one connection; more than Sessions wait.
func TestOneConnectionServesAll(t *testing.T) {
	c := start(t, "MaxSessions 3").config()
	c.Sessions = 2
	d := device(t, c)
	seen := make(chan string, 12)
	for range cap(seen) {
		go func() {
			r, err := d.Run(t.Context(), command("sh", "-c", `printf "%s" "$SSH_CONNECTION"`))
			if err != nil {
				seen <- err.Error()
				return
			}
			seen <- string(r.Stdout)
		}()
	}
	all := make(map[string]bool)
	for range cap(seen) {
		all[<-seen] = true
	}
	require.Len(t, all, 1, "%v", all)
}

func TestAnIdleConnectionIsClosed(t *testing.T) {
	c := start(t).config()
	c.Idle = 1
	d := device(t, c)
	for range 3 {
		r, err := d.Run(t.Context(), command("true"))
		require.NoError(t, err)
		require.True(t, r.OK())
		require.Eventually(t, func() bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.now == nil
		}, waitFor, tick)
	}
}

// A process that ignores TERM is killed, and so is what it has started.
func TestACommandThatWillNotEndIsKilled(t *testing.T) {
	c := start(t).config()
	c.Grace = 200 * tick
	d := device(t, c)
	file := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	go func() {
		_, err := d.Run(ctx, command("sh", "-c", `trap "" TERM; sleep 60 & echo $! >"$1.new"; mv "$1.new" "$1"; while :; do wait; done`, "sh", file))
		done <- err
	}()
	require.Eventually(t, func() bool { _, err := os.Stat(file); return err == nil }, waitFor, tick)
	cancel()
	err := <-done
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, transport.ErrUnknownOutcome, "it was seen to end")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return gone(pid) }, waitFor, tick)
}

// gone says whether a process has ended.
func gone(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(text), ") Z ")
}

func TestADeviceThatIsNotThere(t *testing.T) {
	s := start(t)
	c := s.config()
	c.Addr = "127.0.0.1:1"
	_, err := device(t, c).Run(t.Context(), command("true"))
	require.Equal(t, patch.Unreachable, patch.FaultOf(err))
	require.NotErrorIs(t, err, transport.ErrUnknownOutcome, "nothing has begun")
}
