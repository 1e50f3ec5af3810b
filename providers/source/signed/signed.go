// Package signed decides whether signed metadata may be believed, and whether it is fresh: the InRelease of a Debian archive
// and the repomd.xml of an RPM repository, which name the hashes of everything else in it.
//
// The answer is data, a [Verdict] with its reason. What is authentic but too old, older than what was accepted before, or
// dated in the future is stale, and never called fresh: somebody may be replaying what was true once. What is not authentic
// gives nothing away, neither dates nor hashes. The caller decides whether the last good copy stays in force; package fetch
// does so if [Result.Err] is what its Check returns.
//
// Signatures are OpenPGP. A [Verifier] verifies them: [GPGV] runs the program gpgv, and package signed/openpgp, a module of
// its own, needs no program.
package signed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// Errors of a [Verifier], and reasons of a [Result]. All but the last two come with [patch.ErrUntrusted].
var (
	ErrUnsigned = errors.New("not signed")
	ErrKey      = errors.New("no trusted key has signed it")
	ErrTampered = errors.New("the signature is not that of this text")
	ErrRelease  = errors.New("not the release that was asked for")
	ErrFormat   = errors.New("not in the form of signed metadata")
	ErrStale    = errors.New("authentic, but not fresh")
)

// A Signature is a good one.
type Signature struct {
	Key  string    // the fingerprint of the key or subkey that has made it, in upper-case hexadecimal
	Made time.Time // by the clock of the signer
}

// A Verifier verifies signatures with the keys that it trusts. It is safe for concurrent use.
type Verifier interface {
	// Verify verifies a detached OpenPGP signature of data, armored or not, at a point in time. It returns every good one.
	// The error wraps [ErrUnsigned] if there is no signature, [ErrTampered] if a trusted key's does not fit the data, even
	// beside good ones, and [ErrKey] if there is none of a trusted key that was valid. Any other error says nothing about the data.
	Verify(ctx context.Context, data, signature []byte, at time.Time) ([]Signature, error)
}

// A Verdict says what metadata is worth.
type Verdict uint8

const (
	Unverified Verdict = iota // nobody has looked
	Fresh                     // authentic, and as new as can be told
	Expired                   // authentic; its time is over: Valid-Until, or [Config.MaxAge]
	Replayed                  // authentic; older than what was accepted before
	Early                     // authentic; dated in the future
	Undated                   // authentic; without the date that the others would be told by
	Unsigned                  // not signed at all
	WrongKey                  // signed, by no key that is trusted and valid
	Tampered                  // the signature is not that of the text
	Other                     // authentic; another release than was asked for
	Malformed                 // not in the form of signed metadata
)

func verdictNames() enum.Names {
	return enum.Names{"unverified", "fresh", "expired", "replayed", "early", "undated", "unsigned", "wrong-key", "tampered", "other", "malformed"}
}

// String returns the lower-case name.
func (v Verdict) String() string { return verdictNames().String("verdict", int(v)) }

// Stale says whether metadata is authentic and that of the right release, but not fresh.
func (v Verdict) Stale() bool { return v >= Expired && v <= Undated }

// A Result is what was found out about metadata.
type Result struct {
	Verdict    Verdict
	Reason     error       // nil for [Fresh]
	Signatures []Signature // the good ones

	// The rest is set if the verdict is fresh or stale.

	Date    time.Time // when it was made; zero if nobody says
	Expires time.Time // zero if nobody says

	// Open opens the very text that was verified.
	Open source.Opener
}

// Err returns nil for what is fresh, and otherwise the reason. It wraps [ErrStale] for what is stale, and [patch.ErrUntrusted]
// for all the rest.
func (r *Result) Err() error {
	switch {
	case r.Verdict == Fresh:
		return nil
	case r.Verdict.Stale():
		return fmt.Errorf("signed: %s: %w: %w", r.Verdict, r.Reason, ErrStale)
	case r.Reason == nil:
		return fmt.Errorf("signed: %s: %w", r.Verdict, patch.ErrUntrusted)
	}
	return fmt.Errorf("signed: %s: %w: %w", r.Verdict, r.Reason, patch.ErrUntrusted)
}

// Config says how metadata is judged. Verifier is required; a zero field means its default.
type Config struct {
	Verifier Verifier

	// MaxAge is how old metadata may be that does not say when it expires. Zero: as old as can be, which for the archive of a
	// release of Debian is right (it changes with point releases only), and for all else is a risk.
	MaxAge time.Duration

	Skew     time.Duration    // how far clocks may differ; 5 minutes
	MaxBytes int64            // of the metadata; 16 MiB
	Now      func() time.Time // nil for [time.Now]
}

// A Judge judges signed metadata. It is safe for concurrent use.
type Judge struct{ config Config }

// New returns a judge.
func New(config Config) (*Judge, error) {
	if config.Verifier == nil {
		return nil, errors.New("signed: config: no Verifier")
	}
	if config.MaxAge < 0 || config.Skew < 0 {
		return nil, errors.New("signed: config: MaxAge and Skew are not below zero")
	}
	if config.Skew == 0 {
		config.Skew = 5 * time.Minute
	}
	if config.MaxBytes <= 0 {
		config.MaxBytes = 16 << 20
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Judge{config}, nil
}

// read reads metadata or a signature.
func (j *Judge) read(open source.Opener) ([]byte, error) {
	f, err := open()
	if err != nil {
		return nil, fmt.Errorf("signed: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, j.config.MaxBytes+1))
	if err == nil && int64(len(data)) > j.config.MaxBytes {
		err = fmt.Errorf("more than %d bytes: %w", j.config.MaxBytes, source.ErrTooLarge)
	}
	if err != nil {
		return nil, fmt.Errorf("signed: %w", err)
	}
	return data, nil
}

// verify verifies a text. The error is one that says nothing about the text.
func (j *Judge) verify(ctx context.Context, text, signature []byte) (Result, error) {
	good, err := j.config.Verifier.Verify(ctx, text, signature, j.config.Now())
	r := Result{Signatures: good, Reason: err}
	switch {
	case errors.Is(err, ErrUnsigned):
		r.Verdict = Unsigned
	case errors.Is(err, ErrTampered):
		r.Verdict = Tampered
	case errors.Is(err, ErrKey):
		r.Verdict = WrongKey
	case err != nil:
		return Result{}, fmt.Errorf("signed: %w", err)
	case len(good) == 0: // a verifier that breaks its promise must not open the door
		r.Verdict, r.Reason = WrongKey, ErrKey
	default:
		r.Verdict = Fresh
	}
	return r, nil
}

// malformed is the result for what has not the form, before anything is known of who made it.
func malformed(format string, args ...any) Result {
	return Result{Verdict: Malformed, Reason: fmt.Errorf(format+": %w", append(args, ErrFormat)...)}
}

// date judges the dates of authentic metadata. Last is the date of what was accepted before.
func (j *Judge) date(r *Result, last time.Time) {
	now := j.config.Now()
	expires := r.Expires
	if expires.IsZero() && j.config.MaxAge > 0 && !r.Date.IsZero() {
		expires = r.Date.Add(j.config.MaxAge)
	}
	switch {
	case r.Date.IsZero() && (!last.IsZero() || j.config.MaxAge > 0 && r.Expires.IsZero()):
		r.Verdict, r.Reason = Undated, errors.New("it bears no date, so nobody knows whether it is the newest")
	case r.Date.Before(last):
		r.Verdict, r.Reason = Replayed, fmt.Errorf("it is of %s, and one of %s was accepted before", stamp(r.Date), stamp(last))
	case r.Date.After(now.Add(j.config.Skew)):
		r.Verdict, r.Reason = Early, fmt.Errorf("it is of %s, and now is %s", stamp(r.Date), stamp(now))
	case !expires.IsZero() && !now.Before(expires.Add(j.config.Skew)):
		r.Verdict, r.Reason = Expired, fmt.Errorf("it was good until %s, and now is %s", stamp(expires), stamp(now))
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// opener returns an opener of a text.
func opener(text []byte) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
}
