package fetch

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/patchflow/patchflow/patch"
)

// An interruption is a download that has ended too early.
type interruption struct {
	further bool // there is more of it than before, and it can be resumed
	err     error
}

func (e *interruption) Error() string { return "interrupted: " + e.err.Error() }
func (e *interruption) Unwrap() error { return e.err }

// classify gives an error of the network or the disk its class, and keeps passwords out of its text.
func classify(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err // the rest is the address, which is told already
	}
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return fmt.Errorf("%w: %w", err, patch.ErrUntrusted)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %w", err, patch.ErrDiskFull)
	}
	return err
}

// again says whether a mirror that has failed with err is worth another try in the same call.
func again(err error) bool {
	switch patch.FaultOf(err) {
	case patch.Untrusted, patch.Permanent, patch.DiskFull:
		return false
	}
	return true
}

// joined makes one error of those of all mirrors. Permanent ones are told but do not classify while another mirror may
// yet answer.
func joined(name string, failures []error) error {
	some := false
	for _, err := range failures {
		some = some || again(err)
	}
	all := make([]error, len(failures))
	for i, err := range failures {
		if some && patch.FaultOf(err) == patch.Permanent {
			err = errors.New(err.Error())
		}
		all[i] = err
	}
	if len(all) == 1 {
		return fmt.Errorf("fetch: %s: %w", name, all[0])
	}
	return fmt.Errorf("fetch: %s: %w", name, &failure{all})
}

// A failure holds the errors of several mirrors.
type failure struct{ all []error }

func (e *failure) Error() string {
	texts := make([]string, len(e.all))
	for i, err := range e.all {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (e *failure) Unwrap() []error { return e.all }

// status returns the error for an answer that brings no file.
func status(r *http.Response, now time.Time) error {
	err := fmt.Errorf("the server answers %q", r.Status[:min(len(r.Status), 80)])
	switch {
	case r.StatusCode == http.StatusRequestTimeout, r.StatusCode == http.StatusTooEarly, r.StatusCode == http.StatusTooManyRequests,
		r.StatusCode >= 500:
		if after := retryAfter(r.Header.Get("Retry-After"), now); after > 0 {
			return &patch.RetryAfterError{After: after, Err: err}
		}
		return err
	case r.StatusCode < 400:
		return err // 1xx to 3xx that mean nothing here
	}
	return fmt.Errorf("%w: %w", err, patch.ErrPermanent)
}

// retryAfter reads a header (RFC 9110, 10.2.3): seconds, or a date. Zero if it says nothing.
func retryAfter(value string, now time.Time) time.Duration {
	const most = 7 * 24 * time.Hour
	if n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, most)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), most)
}

// pause returns how long to wait before the next try, and whether that is worth it.
func (f *Fetcher) pause(try int, failures []error) (time.Duration, bool) {
	if try+1 >= f.config.Tries {
		return 0, false
	}
	d := f.config.MaxWait
	if try < 30 { // above, the doubling would overflow
		d = min(f.config.Backoff<<try, f.config.MaxWait)
	}
	d -= rand.N(d/2 + 1)
	soonest := time.Duration(-1)
	for _, err := range failures {
		if !again(err) {
			continue
		}
		after := d
		var patience *patch.RetryAfterError
		if errors.As(err, &patience) {
			after = max(patience.After, d)
		}
		if soonest < 0 || after < soonest {
			soonest = after
		}
	}
	return soonest, soonest >= 0 && soonest <= f.config.MaxWait
}

// hold remembers how long a host has asked not to be asked.
func (f *Fetcher) hold(u *url.URL, err error) {
	var patience *patch.RetryAfterError
	if !errors.As(err, &patience) {
		return
	}
	now := f.config.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for host, until := range f.holds {
		if !until.After(now) {
			delete(f.holds, host)
		}
	}
	f.holds[u.Host] = now.Add(patience.After)
}

// held returns an error while the host of u has asked not to be asked.
func (f *Fetcher) held(u *url.URL) error {
	now := f.config.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if until := f.holds[u.Host]; until.After(now) {
		return &patch.RetryAfterError{After: until.Sub(now), Err: errors.New("not asked: the server has asked for patience")}
	}
	return nil
}
