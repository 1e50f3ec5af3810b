package policy

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrSignature is wrapped by the errors for a decision that is not signed by the person whom it names.
var ErrSignature = errors.New("signature does not hold")

// Sign returns d with the Ed25519 signature of key over what d says: digest, ruling, by, at, expires, reason, rule, and the
// reason, the review date and the bypass of an emergency. Groups are left out, since nobody vouches for their own, and so is
// what was bypassed, which is not known yet. Times are signed to the nanosecond, in UTC.
func (d Decision) Sign(key ed25519.PrivateKey) (Decision, error) {
	if len(key) != ed25519.PrivateKeySize {
		return d, fmt.Errorf("policy: decision of %s: a private key has %d bytes, want %d", d.By, len(key), ed25519.PrivateKeySize)
	}
	d.Signature = ed25519.Sign(key, d.signed())
	return d, nil
}

// signed returns what is signed: every part with its length before it, so that no two decisions share it.
func (d *Decision) signed() []byte {
	stamp := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	parts := []string{"patchflow decision 1", string(d.Digest), d.Ruling.String(), d.By, stamp(d.At), stamp(d.Expires), d.Reason, d.Rule}
	if d.Emergency != nil {
		parts = append(parts, "emergency", d.Emergency.Reason, stamp(d.Emergency.ReviewDue))
		if b := d.Emergency.Bypass; b != (Bypass{}) {
			parts = append(parts, "bypass", strconv.FormatBool(b.Windows), strconv.FormatBool(b.Freezes))
		}
	}
	var b bytes.Buffer
	for _, part := range parts {
		fmt.Fprintf(&b, "%d:%s,", len(part), part)
	}
	return b.Bytes()
}

// A Person is somebody who may decide: their name as decisions have it, the groups they belong to, and their Ed25519 key.
type Person struct {
	Name   string            `json:"name"`
	Groups []string          `json:"groups,omitempty"`
	Key    ed25519.PublicKey `json:"key"`
}

// A KeyRing says whose key is whose. The zero KeyRing knows nobody. It is not changed once it is made, and safe for
// concurrent use.
type KeyRing struct{ people map[string]Person }

// NewKeyRing makes a key ring. Two people with one name, capitals and blanks aside, or with one key are refused: one
// of them could pass for both. So are keys that anybody can sign for.
func NewKeyRing(people ...Person) (*KeyRing, error) {
	k := &KeyRing{people: make(map[string]Person, len(people))}
	names, keys := make(map[string]string, len(people)), make(map[string]string, len(people))
	for i, p := range people {
		name := strings.ToLower(strings.ToUpper(strings.TrimSpace(p.Name))) // as strings.EqualFold compares
		bad := func(format string, args ...any) (*KeyRing, error) {
			return nil, fmt.Errorf("policy: key ring: person %d, %q: "+format, append([]any{i + 1, p.Name}, args...)...)
		}
		switch {
		case name == "":
			return bad("the name is missing")
		case strings.HasPrefix(name, groupPrefix), strings.HasPrefix(name, rulePrefix):
			return bad("is the name of a group or a rule")
		case len(p.Key) != ed25519.PublicKeySize:
			return bad("a public key has %d bytes, want %d", len(p.Key), ed25519.PublicKeySize)
		case weak(p.Key):
			return bad("the key is one that anybody can sign for, or not in its only form")
		}
		if other, ok := names[name]; ok {
			return bad("%q is the same name", other)
		}
		// A key and its negative, which differ in the highest bit, belong to one secret.
		key := slices.Clone(p.Key)
		key[31] &= 0x7f
		if other, ok := keys[string(key)]; ok {
			return bad("has the key of %q: every person needs a key of their own", other)
		}
		names[name], keys[string(key)] = p.Name, p.Name
		p.Key, p.Groups = slices.Clone(p.Key), slices.Clone(p.Groups)
		k.people[p.Name] = p
	}
	return k, nil
}

// Verify returns d with the groups that the ring knows of its person, whatever d itself says of them. The error wraps
// [ErrSignature] if nobody of that name is on the ring or d is not signed with that person's key.
func (k *KeyRing) Verify(d Decision) (Decision, error) {
	p, ok := k.people[d.By]
	switch {
	case !ok:
		return Decision{}, fmt.Errorf("policy: decision of %q: %w: no key is known of that person", d.By, ErrSignature)
	case len(d.Signature) == 0:
		return Decision{}, fmt.Errorf("policy: decision of %q: %w: it is not signed", d.By, ErrSignature)
	case !ed25519.Verify(p.Key, d.signed(), d.Signature):
		return Decision{}, fmt.Errorf("policy: decision of %q: %w: it was signed with another key, or changed since", d.By, ErrSignature)
	}
	d.Groups = slices.Clone(p.Groups)
	return d, nil
}

// weak says whether key is a point of small order, for which a signature can be made without a secret, or is written in
// another form than the one of RFC 8032, section 5.1.2. The points of order 8 are those of the curve's definition.
func weak(key ed25519.PublicKey) bool {
	y := slices.Clone(key)
	y[31] &= 0x7f
	slices.Reverse(y) // the most significant byte first
	prime := bytes.Repeat([]byte{0xff}, 32)
	prime[0], prime[31] = 0x7f, 0xed
	if bytes.Compare(y, prime) >= 0 {
		return true
	}
	minusOne := slices.Clone(prime)
	minusOne[31] = 0xec
	zero, one := make([]byte, 32), make([]byte, 32)
	one[31] = 1
	slices.Reverse(y)
	eighth := []string{"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"}
	if slices.Contains(eighth, hex.EncodeToString(y)) {
		return true
	}
	slices.Reverse(y)
	return bytes.Equal(y, zero) || bytes.Equal(y, one) || bytes.Equal(y, minusOne)
}
