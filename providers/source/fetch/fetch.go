// Package fetch brings feeds from web servers into a folder, and hands out what it has brought as [source.Opener].
//
// A [Fetcher] asks a server whether a file has changed (ETag, If-Modified-Since), resumes a download that was interrupted
// (Range, If-Range), goes on to the next mirror where one fails, and keeps the last good copy: a feed that fails leaves that in
// force, and [Copy.Stale] says why. A good copy is one that arrived whole, that has the pinned digest where one is given, and
// that [File.Check] accepts. A crash at any moment leaves the last good copy or the new one, never a mixture.
//
// Servers are not trusted. Where a name leads is looked at when the connection is made, and again after each redirect:
// addresses of this machine, of private networks and of the metadata services of clouds are refused unless allowed. Size,
// time, redirects and headers are bounded. Files are kept as they were sent, compressed or not, and a server that compresses
// what it was not asked to compress is refused: it is [source.Limits] that decompresses, within its bounds.
//
// Nothing here verifies a signature: see package signed. Files and folders of the machine itself need no fetching: give
// [source.File] the FS of an [os.Root].
package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"
)

// Config says how a [Fetcher] works. Folder and UserAgent are required; a zero field means its default.
type Config struct {
	// Folder is where copies are kept. It is made if it does not exist. Several fetchers, of several processes too, may share
	// one.
	Folder string

	// UserAgent is what servers are told: the product, its version, and where somebody is to be reached.
	UserAgent string

	MaxBytes  int64         // of a file as it is sent; 512 MiB
	Redirects int           // how many in a row are followed; 5. Below zero: none
	Attempt   time.Duration // the longest that one request may take, its answer included; 10 minutes
	Stall     time.Duration // the longest that a server may send nothing; 30 seconds

	Tries   int           // how often each mirror is tried; 3
	Backoff time.Duration // the wait before the second try, doubled for each after it, less up to half of it by chance; 2 seconds
	MaxWait time.Duration // the longest wait; 1 minute. A server that asks for more is not asked again in that call

	// AllowPrivate allows addresses of this machine and of private networks. It does not allow link-local, multicast and
	// metadata addresses.
	AllowPrivate bool

	// Allow lists networks whose addresses are allowed, whatever they are.
	Allow []netip.Prefix

	// Proxy returns the proxy for a request, as [http.ProxyURL] and [http.ProxyFromEnvironment] do; nil for no proxy. The address
	// of the proxy is checked like any other. Which address a name leads to is then for the proxy to check.
	Proxy func(*http.Request) (*url.URL, error)

	TLS      *tls.Config   // nil for the default of Go
	Resolver *net.Resolver // nil for the resolver of the machine

	Now  func() time.Time                                 // nil for [time.Now]
	Wait func(ctx context.Context, d time.Duration) error // waits for d or until ctx is done, whose error it returns; nil waits by the clock
}

func (c Config) withDefaults() Config {
	for _, field := range []struct {
		value   *time.Duration
		instead time.Duration
	}{{&c.Attempt, 10 * time.Minute}, {&c.Stall, 30 * time.Second}, {&c.Backoff, 2 * time.Second}, {&c.MaxWait, time.Minute}} {
		if *field.value <= 0 {
			*field.value = field.instead
		}
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = 512 << 20
	}
	if c.Redirects == 0 {
		c.Redirects = 5
	}
	if c.Tries <= 0 {
		c.Tries = 3
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wait == nil {
		c.Wait = wait
	}
	c.Allow = slices.Clone(c.Allow)
	return c
}

// wait waits by the clock.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A Fetcher fetches files. It is safe for concurrent use.
type Fetcher struct {
	config    Config
	client    *http.Client
	transport *http.Transport
	guard     *guard
	store     *store

	mu      sync.Mutex
	flights map[string]*flight   // by the name of the file
	holds   map[string]time.Time // until when a host has asked not to be asked
}

// New returns a fetcher. It makes the folder, removes from it what crashes have left there, and opens no connection. The error
// names every field that is wrong.
func New(config Config) (*Fetcher, error) {
	var wrong *multierror.Error
	if config.Folder == "" {
		wrong = multierror.Append(wrong, errors.New("fetch: config: no Folder"))
	}
	if strings.TrimSpace(config.UserAgent) == "" || strings.ContainsAny(config.UserAgent, "\r\n") {
		wrong = multierror.Append(wrong, fmt.Errorf("fetch: config: UserAgent is %q: say in one line who asks", config.UserAgent))
	}
	for _, p := range config.Allow {
		if !p.IsValid() {
			wrong = multierror.Append(wrong, errors.New("fetch: config: Allow holds a network that is none"))
		}
	}
	if err := wrong.ErrorOrNil(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	if err := os.MkdirAll(config.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	root, err := os.OpenRoot(config.Folder)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	f := &Fetcher{
		config:  config,
		guard:   newGuard(config.AllowPrivate, config.Allow),
		store:   &store{disk: folder{root}},
		flights: make(map[string]*flight),
		holds:   make(map[string]time.Time),
	}
	if err := f.store.tidy(config.Now()); err != nil {
		return nil, errors.Join(fmt.Errorf("fetch: %w", err), root.Close())
	}
	dialer := &net.Dialer{Timeout: 30 * time.Second, Resolver: config.Resolver, ControlContext: f.guard.control}
	f.transport = &http.Transport{
		Proxy:                  config.Proxy,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        config.TLS.Clone(),
		TLSHandshakeTimeout:    30 * time.Second,
		ResponseHeaderTimeout:  config.Stall,
		MaxResponseHeaderBytes: 256 << 10,
		MaxIdleConns:           16,
		IdleConnTimeout:        time.Minute,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
	}
	f.client = &http.Client{Transport: f.transport, CheckRedirect: f.redirect}
	return f, nil
}

// Close closes idle connections and the folder. Openers of copies fail from then on; so do calls.
func (f *Fetcher) Close() error {
	f.transport.CloseIdleConnections()
	return f.store.disk.Close()
}
