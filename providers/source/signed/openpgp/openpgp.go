// Package openpgp verifies the signatures of metadata in Go, for hosts without GnuPG: it is a [signed.Verifier] made of
// github.com/ProtonMail/go-crypto, and a module of its own for the sake of that.
package openpgp

import (
	"bytes"
	"context"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgp "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/patchflow/patchflow/providers/source/signed"
)

// A Keyring holds trusted keys. It is safe for concurrent use.
type Keyring struct{ keys openpgp.EntityList }

var _ signed.Verifier = (*Keyring)(nil)

// maxKeyring is how many bytes a file of keys may have.
const maxKeyring = 16 << 20

// New returns the keys in files, armored or binary, such as those in /usr/share/keyrings. Files without a key are an error.
func New(files ...io.Reader) (*Keyring, error) {
	k := &Keyring{}
	for i, f := range files {
		data, err := io.ReadAll(io.LimitReader(f, maxKeyring+1))
		if err == nil && len(data) > maxKeyring {
			err = fmt.Errorf("more than %d bytes", maxKeyring)
		}
		var keys openpgp.EntityList
		if err == nil {
			if bytes.HasPrefix(bytes.TrimSpace(data), []byte("-----BEGIN")) {
				keys, err = openpgp.ReadArmoredKeyRing(bytes.NewReader(data))
			} else {
				keys, err = openpgp.ReadKeyRing(bytes.NewReader(data))
			}
		}
		if err == nil && len(keys) == 0 {
			err = errors.New("no keys")
		}
		if err != nil {
			return nil, fmt.Errorf("openpgp: keyring %d: %w", i+1, err)
		}
		k.keys = append(k.keys, keys...)
	}
	if len(k.keys) == 0 {
		return nil, errors.New("openpgp: no keyrings")
	}
	return k, nil
}

// maxSignatures is how many signatures of one file are looked at.
const maxSignatures = 64

// Verify implements [signed.Verifier]. A signature must have been made while its key was valid, and the key must be valid at the
// time that is asked about, as gpgv has it.
func (k *Keyring) Verify(ctx context.Context, data, signature []byte, at time.Time) ([]signed.Signature, error) {
	packets, err := dearmored(signature)
	if err != nil {
		return nil, fmt.Errorf("openpgp: %w", err)
	}
	var good []signed.Signature
	var others []string
	in := packet.NewReader(bytes.NewReader(packets))
	for n := 0; ; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("openpgp: %w: %w", err, signed.ErrUnsigned)
		}
		s, ok := p.(*packet.Signature)
		if !ok {
			continue
		}
		if n++; n > maxSignatures {
			return nil, fmt.Errorf("openpgp: more than %d signatures: %w", maxSignatures, signed.ErrKey)
		}
		key, err := k.check(data, s, at)
		switch {
		case err == nil:
			good = append(good, signed.Signature{Key: key, Made: s.CreationTime.UTC()})
		case errors.Is(err, signed.ErrTampered):
			return nil, fmt.Errorf("openpgp: %w", err)
		default:
			others = append(others, err.Error())
		}
	}
	switch {
	case len(good) > 0:
		return good, nil
	case len(others) == 0:
		return nil, fmt.Errorf("openpgp: %w", signed.ErrUnsigned)
	}
	slices.Sort(others)
	return nil, fmt.Errorf("openpgp: %s: %w", strings.Join(slices.Compact(others), ", "), signed.ErrKey)
}

// check verifies one signature and returns the fingerprint of its key.
func (k *Keyring) check(data []byte, s *packet.Signature, at time.Time) (string, error) {
	issuer := "unknown"
	switch {
	case s.IssuerFingerprint != nil:
		issuer = fmt.Sprintf("%X", s.IssuerFingerprint)
	case s.IssuerKeyId != nil:
		issuer = fmt.Sprintf("%016X", *s.IssuerKeyId)
	}
	var raw bytes.Buffer
	if err := s.Serialize(&raw); err != nil {
		return "", fmt.Errorf("the signature of %s cannot be read", issuer)
	}
	switch s.Hash {
	case crypto.MD5, crypto.SHA1, crypto.RIPEMD160:
		return "", fmt.Errorf("the signature of %s is made with %s, which is broken", issuer, s.Hash)
	}
	config := &packet.Config{Time: func() time.Time { return at }}
	_, by, err := openpgp.VerifyDetachedSignature(k.keys, bytes.NewReader(data), &raw, config)
	var wrong pgp.SignatureError
	switch {
	case err == nil && by != nil:
		return k.fingerprint(by, s), nil
	case errors.Is(err, pgp.ErrUnknownIssuer):
		return "", fmt.Errorf("key %s is not trusted", issuer)
	case errors.Is(err, pgp.ErrKeyRevoked):
		return "", fmt.Errorf("key %s was revoked", issuer)
	case errors.Is(err, pgp.ErrKeyExpired):
		return "", fmt.Errorf("key %s has expired", issuer)
	case errors.Is(err, pgp.ErrSignatureExpired):
		return "", fmt.Errorf("the signature of %s has expired", issuer)
	case errors.As(err, &wrong):
		return "", fmt.Errorf("key %s: %w: %w", issuer, err, signed.ErrTampered)
	}
	return "", fmt.Errorf("the signature of %s cannot be verified: %v", issuer, err)
}

// fingerprint returns that of the key or subkey of an entity that has made a signature.
func (k *Keyring) fingerprint(e *openpgp.Entity, s *packet.Signature) string {
	keys := []*packet.PublicKey{e.PrimaryKey}
	for _, sub := range e.Subkeys {
		keys = append(keys, sub.PublicKey)
	}
	for _, key := range keys {
		if s.IssuerFingerprint != nil && bytes.Equal(s.IssuerFingerprint, key.Fingerprint) || s.IssuerKeyId != nil && *s.IssuerKeyId == key.KeyId {
			return strings.ToUpper(hex.EncodeToString(key.Fingerprint))
		}
	}
	return ""
}

// dearmored returns the packets of a signature.
func dearmored(signature []byte) ([]byte, error) {
	trimmed := bytes.TrimSpace(signature)
	if len(trimmed) == 0 {
		return nil, signed.ErrUnsigned
	}
	if !bytes.HasPrefix(trimmed, []byte("-----BEGIN")) {
		return signature, nil
	}
	block, err := armor.Decode(bytes.NewReader(trimmed))
	if err != nil {
		return nil, fmt.Errorf("the armor cannot be read: %w: %w", err, signed.ErrUnsigned)
	}
	if block.Type != openpgp.SignatureType {
		return nil, fmt.Errorf("a block of type %.60q: %w", block.Type, signed.ErrUnsigned)
	}
	packets, err := io.ReadAll(block.Body)
	if err != nil {
		return nil, fmt.Errorf("the armor cannot be read: %w: %w", err, signed.ErrUnsigned)
	}
	return packets, nil
}
