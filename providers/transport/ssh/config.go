// Package ssh runs commands on devices over ssh. It is a client of its own (golang.org/x/crypto/ssh): no program ssh is
// needed, and none of its configuration is read.
//
// The far side has a POSIX sh; the login shell of the user may be any of sh, dash, bash, ksh, mksh, zsh, fish, csh, tcsh and that of busybox. A command gets a
// process group of its own there, by which it is stopped when it is cancelled. What startup files of the login shell print is
// no part of its output. A server that runs something else than what it is asked for is found out: that is an error, and no
// exit code of the command.
//
// It was tested with OpenSSH 9.2 on Linux. A server that gives no shell (network equipment, Windows without sh) is not served.
package ssh

import (
	"context"
	"fmt"
	"net"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/patchflow/patchflow/patch"
)

// Config says how to reach a device. Addr, User, a key to log in with and a way to know the device are needed.
type Config struct {
	// Addr is "host:port"; without a port it is 22.
	Addr string

	// User is who logs in. Commands that ask for the rights of root get them through Sudo unless it is "root".
	User string

	// Signers, KeyFiles (private keys, as ssh-keygen writes them) and Agent (the path of the socket of an ssh-agent) are
	// the keys to log in with. All are offered, in this order; a server refuses after some, six with OpenSSH.
	Signers  []ssh.Signer
	KeyFiles []string
	Agent    string

	// Passphrase returns that of a key file which is encrypted.
	Passphrase func(ctx context.Context, file string) ([]byte, error)

	// KnownHosts are files in the format of OpenSSH, with names in the clear or hashed. HostKeys are keys that the device
	// may have, whatever its name: "ssh-ed25519 AAAA..." as in a file with the ending .pub, or a fingerprint as
	// "SHA256:...". With none of both no device is trusted; there is no way to trust them all.
	KnownHosts []string
	HostKeys   []string

	// Dial opens the connection to Addr; nil dials TCP. [Device.DialContext] of another device makes that a jump host.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// DialTimeout is how long it may take to connect and to log in; 0 means 30 s.
	DialTimeout time.Duration

	// KeepAlive is how often a connection is asked whether it lives; 0 means 15 s. KeepAliveTimeout is how long the answer
	// may take before the connection counts as broken; 0 means 30 s.
	KeepAlive, KeepAliveTimeout time.Duration

	// Idle is how long a connection is kept that nobody uses; 0 means 1 min.
	Idle time.Duration

	// Sessions is how many commands run at once on the device; others wait. 0 means 8: OpenSSH allows 10 on one connection,
	// and to stop a command takes one.
	Sessions int

	// Grace is how long a command that is cancelled may take to end before it is killed, and how long to answer to
	// that; 0 means 5 s.
	Grace time.Duration

	// Linger is how long outputs are read after the command itself has ended, for what it has left behind and may hold
	// them open. 0 means 1 s.
	Linger time.Duration

	// Sudo are the words before a command that make it one of root's; nil means "sudo -n --".
	Sudo []string
}

// withDefaults returns c without zero fields, or an error that names the field at fault.
func (c Config) withDefaults() (Config, error) {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.DialTimeout, 30 * time.Second}, {&c.KeepAlive, 15 * time.Second}, {&c.KeepAliveTimeout, 30 * time.Second},
		{&c.Idle, time.Minute}, {&c.Grace, 5 * time.Second}, {&c.Linger, time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if c.Sessions <= 0 {
		c.Sessions = 8
	}
	if c.Sudo == nil {
		c.Sudo = []string{"sudo", "-n", "--"}
	}
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	wrong := func(what string) (Config, error) {
		return Config{}, fmt.Errorf("ssh: config: %s: %w", what, patch.ErrPermanent)
	}
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		c.Addr = net.JoinHostPort(c.Addr, "22")
	}
	switch host, _, err := net.SplitHostPort(c.Addr); {
	case err != nil || host == "":
		return wrong("Addr: want host:port")
	case c.User == "":
		return wrong("User is empty")
	case len(c.Signers) == 0 && len(c.KeyFiles) == 0 && c.Agent == "":
		return wrong("there is no key to log in with")
	case len(c.KnownHosts) == 0 && len(c.HostKeys) == 0:
		return wrong("there is neither a file of known hosts nor a host key")
	}
	return c, nil
}
