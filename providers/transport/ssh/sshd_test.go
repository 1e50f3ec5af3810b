package ssh

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/patchflow/patchflow/internal/need"
)

// A server is an OpenSSH server of a test, which serves the user that runs the test.
type server struct {
	addr    string
	dir     string
	user    string
	key     string // file of the key to log in with
	hostKey ssh.PublicKey
	known   string // file of known hosts
}

// newKey makes a key, in a file too.
func newKey(t *testing.T, file, passphrase string) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	signer, err := ssh.NewSignerFromSigner(private)
	require.NoError(t, err)
	return signer
}

// start starts sshd with further lines of configuration.
func start(t *testing.T, lines ...string) *server {
	t.Helper()
	sshd := "/usr/sbin/sshd" // where ordinary users do not look for programs
	if _, err := os.Stat(sshd); err != nil {
		sshd = need.Tool(t, "sshd")
	}
	me, err := user.Current()
	require.NoError(t, err)
	dir := t.TempDir()
	s := &server{dir: dir, user: me.Username, key: filepath.Join(dir, "id"), known: filepath.Join(dir, "known_hosts")}
	s.hostKey = newKey(t, filepath.Join(dir, "host"), "").PublicKey()
	login := newKey(t, s.key, "")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "authorized_keys"), ssh.MarshalAuthorizedKey(login.PublicKey()), 0o600))
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.addr = free.Addr().String()
	require.NoError(t, free.Close())
	host, port, err := net.SplitHostPort(s.addr)
	require.NoError(t, err)
	// What the user of the test has bash do at its start is left out by one that runs below another shell.
	config := append([]string{"SetEnv SHLVL=2", "ListenAddress " + host, "Port " + port, "HostKey " + filepath.Join(dir, "host"),
		"AuthorizedKeysFile " + filepath.Join(dir, "authorized_keys"), "PidFile none", "StrictModes no", "UsePAM no",
		"PasswordAuthentication no", "KbdInteractiveAuthentication no", "MaxStartups 100"}, lines...)
	file := filepath.Join(dir, "sshd_config")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(config, "\n")+"\n"), 0o600))
	if os.Geteuid() == 0 {
		// As root it gives up its rights in a folder of its own, which a package manager makes at boot.
		require.NoError(t, os.MkdirAll("/run/sshd", 0o755))
	}
	cmd := exec.Command(sshd, "-D", "-e", "-f", file)
	var log logged
	cmd.Stderr = &log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("sshd: %s", log.String())
		}
	})
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, time.Minute, 10*time.Millisecond, "sshd listens")
	require.NoError(t, os.WriteFile(s.known, []byte(knownhosts.Line([]string{s.addr}, s.hostKey)+"\n"), 0o600))
	return s
}

// A logged is a buffer that is written and read at once.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// config is what it takes to log in.
func (s *server) config() Config {
	return Config{Addr: s.addr, User: s.user, KeyFiles: []string{s.key}, KnownHosts: []string{s.known}}
}

func device(t *testing.T, c Config) *Device {
	t.Helper()
	d, err := New(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func pin(key ssh.PublicKey) string { return string(ssh.MarshalAuthorizedKey(key)) }
