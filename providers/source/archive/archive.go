// Package archive brings whole package archives from their servers: the feeds of a Debian release and of RPM repositories, from
// the signed metadata down to the files that it names. It joins packages fetch, signed, debian and updateinfo for package feeds.
//
// The metadata is judged before it takes the place of what was accepted last, which it must not be older than. What is not
// fresh, has been replayed, or was not signed by a trusted key never comes into force: what was good before stays, and is stale with
// the reason. So is what has expired since, although its server says that it is still the same. What the metadata names is
// compared with the hashes there.
package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/fetch"
	"github.com/patchflow/patchflow/providers/source/signed"
)

// Config is what all archives have in common. Fetcher and Judge are required.
type Config struct {
	Fetcher *fetch.Fetcher // which keeps the files
	Judge   *signed.Judge  // which knows the trusted keys

	Limits source.Limits // within which files are read
}

func (c *Config) check() error {
	if c.Fetcher == nil || c.Judge == nil {
		return errors.New("archive: config: Fetcher and Judge are required")
	}
	return nil
}

// A pile gathers how current the files are that something is made of: as current as the oldest of them.
type pile struct {
	at    time.Time
	stale error
}

// add adds a file that was last known to be current at a time.
func (p *pile) add(name string, at time.Time, stale error) {
	if p.at.IsZero() || at.Before(p.at) {
		p.at = at
	}
	p.mark(name, stale)
}

// mark says why a file is not current. The first reason stays.
func (p *pile) mark(name string, stale error) {
	if p.stale == nil && stale != nil {
		p.stale = fmt.Errorf("%s: %w", name, stale)
	}
}

// last returns the date of the metadata that was accepted last; zero if there is none, or none that is whole.
func (c *Config) last(name string, judge func(fetch.Copy) (signed.Result, error)) (time.Time, error) {
	kept, err := c.Fetcher.Kept(name)
	if err != nil {
		return time.Time{}, nil
	}
	r, err := judge(kept)
	return r.Date, err
}

// A judgement is what is in force of signed metadata.
type judgement[T any] struct {
	copy   fetch.Copy
	result T
}

// accept fetches metadata and has it judged. It is judged once more as it lies there, since what was good when it came may have
// expired. result returns what the verdict is on.
func accept[T any](ctx context.Context, c *Config, file fetch.File, judge func(fetch.Copy, time.Time) (T, error), result func(*T) *signed.Result) (judgement[T], error) {
	last, err := c.last(file.Name, func(kept fetch.Copy) (signed.Result, error) {
		r, err := judge(kept, time.Time{})
		if err != nil {
			return signed.Result{}, err
		}
		return *result(&r), nil
	})
	if err != nil {
		return judgement[T]{}, fmt.Errorf("%s: %w", file.Name, err)
	}
	file.Check = func(open source.Opener) error {
		r, err := judge(fetch.Copy{Open: open}, last)
		if err != nil {
			return err
		}
		return result(&r).Err()
	}
	got, err := c.Fetcher.Get(ctx, file)
	if err != nil {
		return judgement[T]{}, err
	}
	r, err := judge(got, time.Time{})
	if err != nil {
		return judgement[T]{}, fmt.Errorf("%s: %w", file.Name, err)
	}
	if err := result(&r).Err(); err != nil && !result(&r).Verdict.Stale() {
		return judgement[T]{}, fmt.Errorf("%s: %w", file.Name, err)
	} else if got.Stale == nil {
		got.Stale = err
	}
	return judgement[T]{got, r}, nil
}

// digest returns the SHA-256 of a file, in hexadecimal.
func digest(open source.Opener) (string, error) {
	f, err := open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
