package webhook

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/patchflow/patchflow/policy"
)

// maxAnswer bounds what the other system answers.
const maxAnswer = 1 << 20

// ClientConfig says what a [Client] is made of.
type ClientConfig struct {
	URL     string           // where requests are posted: https, or http to this very host
	Secrets [][]byte         // at least one, of 32 bytes or more; the first signs, all of them are taken, so that they can be changed
	Client  *http.Client     // nil means one of the client's own, with a time limit of 30 seconds; redirects are not followed
	Window  time.Duration    // how far the other system's clock may be off; 0 means 5 minutes
	Now     func() time.Time // nil means [time.Now]
}

// A Client asks another system for decisions. It is a [policy.Approver] and a [policy.Panel], and safe for concurrent use. A
// request that is asked again is posted again: the other system knows it by its ID and digest.
type Client struct {
	url     string
	secrets secrets
	client  *http.Client
	window  time.Duration
	now     func() time.Time
}

var (
	_ policy.Approver = (*Client)(nil)
	_ policy.Panel    = (*Client)(nil)
)

// NewClient makes a client.
func NewClient(cfg ClientConfig) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("webhook: Config.URL: %w", err)
	case u.Host == "" || u.User != nil:
		return nil, errors.New("webhook: Config.URL: want a host, and no user")
	case u.Scheme != "https" && !(u.Scheme == "http" && local(u.Hostname())):
		return nil, fmt.Errorf("webhook: Config.URL: want https, not %q", u.Scheme)
	case cfg.Window < 0:
		return nil, fmt.Errorf("webhook: Config.Window: %s is negative", cfg.Window)
	}
	c := &Client{url: cfg.URL, secrets: cfg.Secrets, window: cfg.Window, now: cfg.Now}
	if err := c.secrets.check(); err != nil {
		return nil, fmt.Errorf("webhook: Config.Secrets: %w", err)
	}
	own := http.Client{Timeout: 30 * time.Second}
	if cfg.Client != nil {
		own = *cfg.Client
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.client = &own
	if c.window == 0 {
		c.window = defaultWindow
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c, nil
}

func local(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Decide implements [policy.Approver]: it returns the decision that settles r, of those that the other system knows.
func (c *Client) Decide(ctx context.Context, r policy.Request) (policy.Decision, error) {
	ds, err := c.Decisions(ctx, r)
	if err != nil {
		return policy.Decision{}, err
	}
	return policy.Settling(r, ds, c.now()), nil
}

type question struct {
	Request policy.Request `json:"request"`
}

type answer struct {
	Decisions []policy.Decision `json:"decisions"`
}

// Decisions implements [policy.Panel].
func (c *Client) Decisions(ctx context.Context, r policy.Request) ([]policy.Decision, error) {
	ds, err := c.post(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("webhook: request %q: %w", r.ID, err)
	}
	return ds, nil
}

func (c *Client) post(ctx context.Context, r policy.Request) ([]policy.Decision, error) {
	body, err := json.Marshal(question{r})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	now := c.now()
	sum := sha256.Sum256(fmt.Appendf(body, "%d", now.UnixNano()))
	id := hex.EncodeToString(sum[:16])
	req.Header.Set("Content-Type", "application/json")
	Sign(req.Header, c.secrets[0], KindRequest, id, now, body)
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusNoContent, http.StatusAccepted:
		return nil, nil
	case http.StatusOK:
	default:
		return nil, fmt.Errorf("the other system answers %s", resp.Status)
	}
	data, err := readAll(resp.Body, maxAnswer)
	if err != nil {
		return nil, err
	}
	of, _, err := c.secrets.verify(resp.Header, KindAnswer, data, c.now(), c.window)
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	if of != id {
		return nil, fmt.Errorf("answer: %w: it is to another message", ErrUnsigned)
	}
	var a answer
	if err := decode(data, &a); err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	for i := range a.Decisions {
		if a.Decisions[i].Rule == "" {
			continue
		}
		return nil, fmt.Errorf("answer: decision %d: a rule of another system does not decide here", i+1)
	}
	return a.Decisions, nil
}
