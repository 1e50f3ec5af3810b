package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Kinds of messages.
const (
	KindRequest  = "request"  // what the [Client] posts
	KindAnswer   = "answer"   // what it is answered
	KindDecision = "decision" // what the [Handler] takes
)

const (
	headerID        = "Patchflow-Id"
	headerTime      = "Patchflow-Timestamp"
	headerSignature = "Patchflow-Signature"

	version       = "v1="
	leastSecret   = 32 // bytes: as many as the hash has
	defaultWindow = 5 * time.Minute
	maxID         = 128
)

// Errors of messages.
var (
	// ErrUnsigned is wrapped by the error for a message that was not signed with the secret, or was changed since.
	ErrUnsigned = errors.New("signature does not hold")
	// ErrStale is wrapped by the error for a message whose time is too far from now.
	ErrStale = errors.New("not of this time")
)

// Sign sets the headers of a message. The ID is one that was not used before.
func Sign(h http.Header, secret []byte, kind, id string, at time.Time, body []byte) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	h.Set(headerID, id)
	h.Set(headerTime, stamp)
	h.Set(headerSignature, version+hex.EncodeToString(mac(secret, kind, stamp, id, body)))
}

func mac(secret []byte, kind, stamp, id string, body []byte) []byte {
	m := hmac.New(sha256.New, secret)
	fmt.Fprintf(m, "%s.%s.%s.", kind, stamp, id)
	m.Write(body)
	return m.Sum(nil)
}

// secrets are what messages may be signed with; the first is what they are signed with here.
type secrets [][]byte

func (s secrets) check() error {
	if len(s) == 0 {
		return errors.New("no secret")
	}
	for i, secret := range s {
		if len(secret) < leastSecret {
			return fmt.Errorf("secret %d has %d bytes, want at least %d", i+1, len(secret), leastSecret)
		}
	}
	return nil
}

// verify checks the headers of a message, and returns its ID and its time. It takes the same time whatever is wrong with the
// signature.
func (s secrets) verify(h http.Header, kind string, body []byte, now time.Time, window time.Duration) (id string, at time.Time, err error) {
	id, stamp := h.Get(headerID), h.Get(headerTime)
	if id == "" || len(id) > maxID || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", at, fmt.Errorf("%s: want 1 to %d printable characters: %w", headerID, maxID, ErrUnsigned)
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || seconds < 0 || seconds > 1<<40 || strconv.FormatInt(seconds, 10) != stamp {
		return "", at, fmt.Errorf("%s: want seconds since 1970: %w", headerTime, ErrUnsigned)
	}
	text, ok := strings.CutPrefix(h.Get(headerSignature), version)
	given, err := hex.DecodeString(text)
	if !ok || err != nil {
		return "", at, fmt.Errorf("%s: want %s and a number in hexadecimal: %w", headerSignature, version, ErrUnsigned)
	}
	holds := false
	for _, secret := range s {
		holds = hmac.Equal(given, mac(secret, kind, stamp, id, body)) || holds
	}
	if !holds {
		return "", at, ErrUnsigned
	}
	at = time.Unix(seconds, 0)
	if d := now.Sub(at); d > window || d < -window {
		return "", at, fmt.Errorf("%w: sent at %s, it is %s, and %s are allowed between them", ErrStale, at.UTC().Format(time.RFC3339),
			now.UTC().Format(time.RFC3339), window)
	}
	return id, at, nil
}

// errTooLarge is a body above its limit.
var errTooLarge = errors.New("body is too large")

// readAll reads at most limit bytes.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = fmt.Errorf("%w: more than %d bytes", errTooLarge, limit)
	}
	return body, err
}

// decode reads the one JSON document in body. Fields that v does not have are an error.
func decode(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("body: something follows after the document")
	}
	return nil
}
