package ssh

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/patchflow/patchflow/patch"
)

// A trust knows the keys of a device.
type trust struct {
	fingerprints []string
	known        ssh.HostKeyCallback // nil without files
	algorithms   []string            // to ask for; nil means any
}

// pins reads the pinned keys and fingerprints.
func pins(hostKeys []string) (fingerprints, types []string, err error) {
	for i, text := range hostKeys {
		text = strings.TrimSpace(text)
		if hash, ok := strings.CutPrefix(text, "SHA256:"); ok && len(hash) == 43 {
			fingerprints = append(fingerprints, text)
			continue
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
		if err != nil {
			return nil, nil, fmt.Errorf("ssh: config: HostKeys: %d: %w: %w", i, err, patch.ErrPermanent)
		}
		fingerprints = append(fingerprints, ssh.FingerprintSHA256(key))
		types = append(types, key.Type())
	}
	return fingerprints, types, nil
}

// trusted reads what is known of the device. It is read for every connection: files change.
func (d *Device) trusted() (*trust, error) {
	fingerprints, types, err := pins(d.HostKeys)
	if err != nil {
		return nil, err
	}
	t := &trust{fingerprints: fingerprints}
	free := len(types) != len(fingerprints) // a fingerprint does not tell the type of its key
	if len(d.KnownHosts) > 0 {
		if t.known, err = knownhosts.New(d.KnownHosts...); err != nil {
			return nil, fmt.Errorf("known hosts: %w: %w", err, patch.ErrPermanent)
		}
		// A server that has several keys shows one of a kind that is asked for. If it showed another than the known one,
		// it would look as if it had changed.
		var wrong *knownhosts.KeyError
		if errors.As(t.known(d.Addr, &net.TCPAddr{}, nobody{}), &wrong) {
			for _, k := range wrong.Want {
				types = append(types, k.Key.Type())
			}
		}
		free = free || slices.ContainsFunc(d.KnownHosts, authority)
	}
	if !free {
		for _, kind := range types {
			if kind == ssh.KeyAlgoRSA {
				t.algorithms = append(t.algorithms, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
				continue
			}
			t.algorithms = append(t.algorithms, kind)
		}
	}
	return t, nil
}

// authority says whether a file names an authority that signs the keys of hosts.
func authority(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return true
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if bytes.HasPrefix(bytes.TrimSpace(lines.Bytes()), []byte("@cert-authority")) {
			return true
		}
	}
	return false
}

// nobody is a key that nobody has.
type nobody struct{}

func (nobody) Type() string                        { return "none" }
func (nobody) Marshal() []byte                     { return []byte("none") }
func (nobody) Verify([]byte, *ssh.Signature) error { return errors.New("nobody's key") }

// check returns an error, which wraps [patch.ErrUntrusted], for a key that is not known to be that of addr.
func (t *trust) check(addr string, key ssh.PublicKey) error {
	print := ssh.FingerprintSHA256(key)
	if slices.Contains(t.fingerprints, print) {
		return nil
	}
	if t.known == nil {
		return fmt.Errorf("host key %s %s is not the pinned one: %w", key.Type(), print, patch.ErrUntrusted)
	}
	err := t.known(addr, &net.TCPAddr{}, key)
	var wrong *knownhosts.KeyError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong) && len(wrong.Want) > 0:
		k := wrong.Want[0]
		return fmt.Errorf("host key has changed: it is %s %s, and %s:%d has %s: %w", key.Type(), print, k.Filename, k.Line,
			ssh.FingerprintSHA256(k.Key), patch.ErrUntrusted)
	case errors.As(err, &wrong):
		return fmt.Errorf("host key %s %s is not known: %w", key.Type(), print, patch.ErrUntrusted)
	}
	return fmt.Errorf("host key %s %s: %w: %w", key.Type(), print, err, patch.ErrUntrusted)
}
