package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/patchflow/patchflow/patch"
)

// dial connects and logs in.
func (d *Device) dial(ctx context.Context) (*ssh.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, d.DialTimeout)
	defer cancel()
	trust, err := d.trusted()
	if err != nil {
		return nil, err
	}
	signers, err := d.signers(ctx)
	if err != nil {
		return nil, err
	}
	if d.Agent != "" {
		var dialer net.Dialer
		socket, err := dialer.DialContext(ctx, "unix", d.Agent)
		if err != nil && len(signers) == 0 {
			return nil, fmt.Errorf("agent: %w: %w", err, patch.ErrPermanent)
		}
		if err == nil {
			defer socket.Close()
			defer context.AfterFunc(ctx, func() { socket.Close() })()
			more, err := agent.NewClient(socket).Signers()
			if err != nil && len(signers) == 0 {
				return nil, fmt.Errorf("agent: %w: %w", err, patch.ErrPermanent)
			}
			signers = append(signers, more...)
		}
	}
	tcp, err := d.Dial(ctx, "tcp", d.Addr)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, patch.ErrUnreachable)
	}
	// The connection of a jump host has no deadlines: it is closed instead.
	stop := context.AfterFunc(ctx, func() { tcp.Close() })
	defer stop()
	var untrusted error
	conn, channels, requests, err := ssh.NewClientConn(tcp, d.Addr, &ssh.ClientConfig{
		User: d.User,
		// One method with all keys: a method is tried once.
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(signers...)},
		HostKeyAlgorithms: trust.algorithms,
		HostKeyCallback: func(addr string, _ net.Addr, key ssh.PublicKey) error {
			untrusted = trust.check(addr, key)
			return untrusted
		},
	})
	if err == nil && !stop() {
		conn.Close()
		err = context.Cause(ctx)
	}
	var algorithms *ssh.AlgorithmNegotiationError
	switch {
	case err == nil:
		return ssh.NewClient(conn, channels, requests), nil
	case untrusted != nil:
		err = untrusted
	case ctx.Err() != nil:
		err = fmt.Errorf("%w: %w: %w", ctx.Err(), err, patch.ErrUnreachable)
	case errors.As(err, &algorithms) && len(trust.algorithms) > 0 && strings.Contains(err.Error(), "host key"):
		err = fmt.Errorf("the device has no host key of the kind that is known: %w: %w", err, patch.ErrUntrusted)
	case errors.As(err, &algorithms):
		err = fmt.Errorf("%w: %w", err, patch.ErrPermanent)
	case strings.Contains(err.Error(), "unable to authenticate"): // the library has no error to compare with
		err = fmt.Errorf("%s is not let in: %w: %w", d.User, err, patch.ErrPermanent)
	default:
		err = fmt.Errorf("%w: %w", err, patch.ErrUnreachable)
	}
	tcp.Close()
	return nil, err
}

// signers returns the keys of the configuration but those of the agent.
func (d *Device) signers(ctx context.Context) ([]ssh.Signer, error) {
	all := append([]ssh.Signer(nil), d.Signers...)
	for _, file := range d.KeyFiles {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("key file: %w: %w", err, patch.ErrPermanent)
		}
		key, err := ssh.ParsePrivateKey(text)
		var encrypted *ssh.PassphraseMissingError
		if errors.As(err, &encrypted) && d.Passphrase != nil {
			var phrase []byte
			if phrase, err = d.Passphrase(ctx, file); err == nil {
				key, err = ssh.ParsePrivateKeyWithPassphrase(text, phrase)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("key file %s: %w: %w", file, err, patch.ErrPermanent)
		}
		all = append(all, key)
	}
	return all, nil
}
