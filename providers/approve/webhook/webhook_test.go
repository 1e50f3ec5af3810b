package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/approve/queue"
	"github.com/patchflow/patchflow/providers/approve/webhook"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/providertest"
)

func noon() time.Time { return time.Date(2027, 1, 4, 12, 0, 0, 0, time.UTC) }

// secret makes a secret of 32 bytes.
func secret(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

// other is the other system: it knows what was decided, and signs its answers.
type other struct {
	t       *testing.T
	secret  []byte
	mu      sync.Mutex
	decided map[string][]policy.Decision
	spoil   func(w http.ResponseWriter, id string, body []byte) // instead of a proper answer
	posted  []http.Header
}

func (o *other) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		o.t.Error(err)
	}
	id := r.Header.Get("Patchflow-Id")
	stamp, err := strconv.ParseInt(r.Header.Get("Patchflow-Timestamp"), 10, 64)
	if err != nil {
		o.t.Error(err)
	}
	want := make(http.Header)
	webhook.Sign(want, o.secret, webhook.KindRequest, id, time.Unix(stamp, 0), body)
	if got := r.Header.Get("Patchflow-Signature"); got != want.Get("Patchflow-Signature") {
		o.t.Errorf("signature %s", got)
	}
	var q struct{ Request policy.Request }
	if err := json.Unmarshal(body, &q); err != nil {
		o.t.Error(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.posted = append(o.posted, r.Header)
	ds := o.decided[q.Request.ID]
	if len(ds) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer, err := json.Marshal(map[string]any{"decisions": ds})
	if err != nil {
		o.t.Error(err)
	}
	if o.spoil != nil {
		o.spoil(w, id, answer)
		return
	}
	webhook.Sign(w.Header(), o.secret, webhook.KindAnswer, id, noon(), answer)
	w.Write(answer)
}

func (o *other) decide(id string, d policy.Decision) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.decided[id] = append(o.decided[id], d)
}

func newOther(t *testing.T) (*other, *webhook.Client) {
	t.Helper()
	o := &other{t: t, secret: secret(1), decided: make(map[string][]policy.Decision)}
	s := httptest.NewServer(o)
	t.Cleanup(s.Close)
	c, err := webhook.NewClient(webhook.ClientConfig{URL: s.URL, Secrets: [][]byte{secret(1), secret(2)}, Now: noon})
	require.NoError(t, err)
	return o, c
}

func TestApprover(t *testing.T) {
	var o *other
	says := func(ruling policy.Ruling) func(*testing.T, policy.Approver, policy.Request, string) {
		return func(_ *testing.T, _ policy.Approver, r policy.Request, by string) {
			o.decide(r.ID, policy.Decision{Ruling: ruling, By: by, Digest: r.Digest, At: noon()})
		}
	}
	providertest.Approver(t, providertest.ApproverHarness{
		New: func(t *testing.T) policy.Approver {
			var c *webhook.Client
			o, c = newOther(t)
			return c
		},
		Approve: says(policy.Approved), Deny: says(policy.Denied),
		Broken: func(t *testing.T) policy.Approver {
			s := httptest.NewServer(http.NotFoundHandler())
			s.Close()
			c, err := webhook.NewClient(webhook.ClientConfig{URL: s.URL, Secrets: [][]byte{secret(1)}})
			require.NoError(t, err)
			return c
		},
	})
}

func TestAnAnswerThatIsNotGenuineIsAnError(t *testing.T) {
	good := func(w http.ResponseWriter, key []byte, kind, id string, at time.Time, body []byte) {
		webhook.Sign(w.Header(), key, kind, id, at, body)
		w.Write(body)
	}
	for name, c := range map[string]struct {
		spoil func(w http.ResponseWriter, id string, body []byte)
		is    error
		says  string
	}{
		"the second secret": {func(w http.ResponseWriter, id string, b []byte) { good(w, secret(2), "answer", id, noon(), b) }, nil, ""},
		"another secret":    {func(w http.ResponseWriter, id string, b []byte) { good(w, secret(3), "answer", id, noon(), b) }, webhook.ErrUnsigned, ""},
		"unsigned":          {func(w http.ResponseWriter, id string, b []byte) { w.Write(b) }, webhook.ErrUnsigned, ""},
		"another kind":      {func(w http.ResponseWriter, id string, b []byte) { good(w, secret(1), "decision", id, noon(), b) }, webhook.ErrUnsigned, ""},
		"to another":        {func(w http.ResponseWriter, id string, b []byte) { good(w, secret(1), "answer", "x"+id, noon(), b) }, webhook.ErrUnsigned, "it is to another message"},
		"late": {func(w http.ResponseWriter, id string, b []byte) {
			good(w, secret(1), "answer", id, noon().Add(-301*time.Second), b)
		}, webhook.ErrStale, ""},
		"early": {func(w http.ResponseWriter, id string, b []byte) {
			good(w, secret(1), "answer", id, noon().Add(301*time.Second), b)
		}, webhook.ErrStale, ""},
		"a little late": {func(w http.ResponseWriter, id string, b []byte) {
			good(w, secret(1), "answer", id, noon().Add(-300*time.Second), b)
		}, nil, ""},
		"changed": {func(w http.ResponseWriter, id string, b []byte) {
			webhook.Sign(w.Header(), secret(1), "answer", id, noon(), b)
			w.Write(bytes.Replace(b, []byte("ann"), []byte("eve"), 1))
		}, webhook.ErrUnsigned, ""},
		"too large": {func(w http.ResponseWriter, id string, b []byte) {
			good(w, secret(1), "answer", id, noon(), bytes.Repeat([]byte(" "), 1<<20+1))
		}, nil, "body is too large: more than 1048576 bytes"},
		"unknown fields": {func(w http.ResponseWriter, id string, b []byte) {
			good(w, secret(1), "answer", id, noon(), []byte(`{"decision":{}}`))
		}, nil, "unknown field"},
		"two documents": {func(w http.ResponseWriter, id string, b []byte) {
			good(w, secret(1), "answer", id, noon(), []byte(`{} {}`))
		}, nil, "something follows"},
		"a rule": {func(w http.ResponseWriter, id string, b []byte) {
			good(w, secret(1), "answer", id, noon(), []byte(`{"decisions":[{"ruling":"approved","by":"x","rule":"r"}]}`))
		}, nil, "does not decide here"},
		"500":       {func(w http.ResponseWriter, _ string, _ []byte) { http.Error(w, "secret detail", 500) }, nil, "the other system answers 500 Internal Server Error"},
		"elsewhere": {func(w http.ResponseWriter, _ string, _ []byte) { w.Header().Set("Location", "/x"); w.WriteHeader(307) }, nil, "answers 307"},
	} {
		t.Run(name, func(t *testing.T) {
			o, client := newOther(t)
			o.spoil = c.spoil
			r := policy.Request{ID: "q1", Digest: "sha256:aa", By: "olga"}
			o.decide("q1", policy.Decision{Ruling: policy.Approved, By: "ann", Digest: r.Digest})
			d, err := client.Decide(t.Context(), r)
			if c.is == nil && c.says == "" {
				require.NoError(t, err)
				require.Equal(t, "ann", d.By)
				return
			}
			require.ErrorContains(t, err, c.says)
			require.Zero(t, d)
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
			require.Len(t, o.posted, 1)
		})
	}
}

func TestEveryMessageOfTheClientHasItsOwnID(t *testing.T) {
	o, _ := newOther(t)
	s := httptest.NewServer(o)
	t.Cleanup(s.Close)
	now := noon()
	c, err := webhook.NewClient(webhook.ClientConfig{URL: s.URL, Secrets: [][]byte{secret(1)}, Now: func() time.Time { now = now.Add(1); return now }})
	require.NoError(t, err)
	seen := make(map[string]bool)
	for range 3 {
		_, err := c.Decide(t.Context(), policy.Request{ID: "q1"})
		require.NoError(t, err)
	}
	for _, h := range o.posted {
		seen[h.Get("Patchflow-Id")] = true
	}
	require.Len(t, seen, 3)
}

func TestConfigurationsThatWouldNotBeSafeAreRefused(t *testing.T) {
	ok := [][]byte{secret(1)}
	for want, cfg := range map[string]webhook.ClientConfig{
		`webhook: Config.URL: want https, not "http"`:                     {URL: "http://example.org/x", Secrets: ok},
		`webhook: Config.URL: want a host, and no user`:                   {URL: "https://u:p@example.org/x", Secrets: ok},
		`webhook: Config.Secrets: no secret`:                              {URL: "https://example.org/x"},
		`webhook: Config.Secrets: secret 2 has 5 bytes, want at least 32`: {URL: "https://example.org/x", Secrets: [][]byte{secret(1), []byte("short")}},
		`webhook: Config.Window: -1s is negative`:                         {URL: "https://example.org/x", Secrets: ok, Window: -time.Second},
	} {
		_, err := webhook.NewClient(cfg)
		require.EqualError(t, err, want)
	}
	_, err := webhook.NewClient(webhook.ClientConfig{URL: "http://localhost:1/x", Secrets: ok})
	require.NoError(t, err)
	answer := func(context.Context, inventory.Tenant, string, policy.Decision) error { return nil }
	for want, cfg := range map[string]webhook.HandlerConfig{
		`webhook: Config.Secrets: no secret`:                           {Answer: answer},
		`webhook: Config.Answer is missing`:                            {Secrets: ok},
		`webhook: Config.Window and Config.MaxSeen cannot be negative`: {Secrets: ok, Answer: answer, MaxSeen: -1},
	} {
		_, err := webhook.NewHandler(cfg)
		require.EqualError(t, err, want)
	}
}

const body = `{"tenant":"acme/berlin","request":"q1","decision":{"ruling":"approved","by":"ann","digest":"sha256:aa"}}`

// hook is a handler on a server, with what it has taken.
type hook struct {
	url   string
	mu    sync.Mutex
	now   time.Time
	taken []string
	err   error
}

func newHook(t *testing.T, change func(*webhook.HandlerConfig)) *hook {
	t.Helper()
	k := &hook{now: noon()}
	cfg := webhook.HandlerConfig{Secrets: [][]byte{secret(1), secret(2)}, Tenant: "acme", Now: func() time.Time { return k.now },
		Answer: func(_ context.Context, tenant inventory.Tenant, request string, d policy.Decision) error {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.taken = append(k.taken, fmt.Sprintf("%s %s %s %s", tenant, request, d.Ruling, d.By))
			return k.err
		}}
	if change != nil {
		change(&cfg)
	}
	h, err := webhook.NewHandler(cfg)
	require.NoError(t, err)
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	k.url = s.URL
	return k
}

// post sends a message that was signed as given, after spoil has changed it.
func (k *hook) post(t *testing.T, key []byte, id string, at time.Time, body string, spoil func(*http.Request)) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, k.url, strings.NewReader(body))
	require.NoError(t, err)
	webhook.Sign(req.Header, key, webhook.KindDecision, id, at, []byte(body))
	if spoil != nil {
		spoil(req)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	if resp.StatusCode != http.StatusNoContent {
		require.Equal(t, http.StatusText(resp.StatusCode)+"\n", string(text), "nothing is told but the status")
	}
	return resp.StatusCode
}

func TestAHandlerTakesWhatIsGenuine(t *testing.T) {
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	with := func(old, new string) string { return strings.Replace(body, old, new, 1) }
	for name, c := range map[string]struct {
		key    []byte
		at     time.Time
		body   string
		spoil  func(*http.Request)
		answer error
		want   int
	}{
		"a decision":             {want: 204},
		"the second secret":      {key: secret(2), want: 204},
		"another secret":         {key: secret(3), want: 401},
		"a changed body":         {spoil: func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(with("ann", "eve"))) }, want: 401},
		"a changed time":         {spoil: set("Patchflow-Timestamp", strconv.FormatInt(noon().Unix()+1, 10)), want: 401},
		"another form of a time": {spoil: set("Patchflow-Timestamp", "0"+strconv.FormatInt(noon().Unix(), 10)), want: 401},
		"no time":                {spoil: set("Patchflow-Timestamp", ""), want: 401},
		"a changed ID":           {spoil: set("Patchflow-Id", "other"), want: 401},
		"no ID":                  {spoil: set("Patchflow-Id", ""), want: 401},
		"a long ID":              {spoil: set("Patchflow-Id", strings.Repeat("x", 129)), want: 401},
		"no signature":           {spoil: set("Patchflow-Signature", ""), want: 401},
		"half a signature":       {spoil: func(r *http.Request) { r.Header.Set("Patchflow-Signature", r.Header.Get("Patchflow-Signature")[:35]) }, want: 401},
		"another version": {spoil: func(r *http.Request) {
			r.Header.Set("Patchflow-Signature", "v2"+r.Header.Get("Patchflow-Signature")[2:])
		}, want: 401},
		"another kind": {spoil: func(r *http.Request) {
			webhook.Sign(r.Header, secret(1), webhook.KindRequest, "m", noon(), []byte(body))
		}, want: 401},
		"as late as may be":     {at: noon().Add(-5 * time.Minute), want: 204},
		"too late":              {at: noon().Add(-5*time.Minute - time.Second), want: 401},
		"as early as may be":    {at: noon().Add(5 * time.Minute), want: 204},
		"too early":             {at: noon().Add(5*time.Minute + time.Second), want: 401},
		"not posted":            {spoil: func(r *http.Request) { r.Method = http.MethodPut }, want: 405},
		"too large":             {body: strings.Repeat(" ", 64<<10+1), want: 413},
		"no JSON":               {body: "yes", want: 400},
		"an unknown field":      {body: with(`"by"`, `"bypassed":true,"by"`), want: 400},
		"an unknown ruling":     {body: with("approved", "yes"), want: 400},
		"pending":               {body: with("approved", "pending"), want: 400},
		"nobody":                {body: with("ann", ""), want: 400},
		"no digest":             {body: with("sha256:aa", ""), want: 400},
		"no request":            {body: with("q1", ""), want: 400},
		"a rule":                {body: with(`"by"`, `"rule":"x","by"`), want: 400},
		"two":                   {body: body + body, want: 400},
		"another tenant":        {body: with("acme/berlin", "acme2"), want: 403},
		"no tenant":             {body: with("acme/berlin", ""), want: 403},
		"not taken in":          {answer: fmt.Errorf("q1: %w", webhook.Status(422)), want: 422},
		"not taken in, oddly":   {answer: webhook.Status(204), want: 500},
		"not taken in, somehow": {answer: errors.New("secret detail"), want: 500},
	} {
		t.Run(name, func(t *testing.T) {
			k := newHook(t, nil)
			k.err = c.answer
			if c.key == nil {
				c.key = secret(1)
			}
			if c.at.IsZero() {
				c.at = noon()
			}
			if c.body == "" {
				c.body = body
			}
			require.Equal(t, c.want, k.post(t, c.key, "m", c.at, c.body, c.spoil))
			if c.want == 204 || c.answer != nil {
				require.Equal(t, []string{"acme/berlin q1 approved ann"}, k.taken)
			} else {
				require.Empty(t, k.taken)
			}
		})
	}
}

func TestAMessageIsTakenOnce(t *testing.T) {
	k := newHook(t, nil)
	require.Equal(t, 204, k.post(t, secret(1), "m1", noon(), body, nil))
	require.Equal(t, 409, k.post(t, secret(1), "m1", noon(), body, nil), "repeated")
	require.Equal(t, 409, k.post(t, secret(2), "m1", noon(), body, nil), "with the other secret")
	require.Equal(t, 204, k.post(t, secret(1), "m2", noon(), body, nil))
	k.now = noon().Add(5 * time.Minute)
	require.Equal(t, 409, k.post(t, secret(1), "m1", noon(), body, nil), "on the last instant of its window")
	k.now = noon().Add(5*time.Minute + time.Second)
	require.Equal(t, 401, k.post(t, secret(1), "m1", noon(), body, nil), "after it")
	require.Len(t, k.taken, 2)
	// From the future: it is remembered until it could no longer come again.
	require.Equal(t, 204, k.post(t, secret(1), "m3", k.now.Add(4*time.Minute), body, nil))
	sent := k.now.Add(4 * time.Minute)
	k.now = k.now.Add(8 * time.Minute)
	require.Equal(t, 409, k.post(t, secret(1), "m3", sent, body, nil))
	k.err = errors.New("down")
	require.Equal(t, 500, k.post(t, secret(1), "m4", k.now, body, nil))
	k.err = nil
	require.Equal(t, 409, k.post(t, secret(1), "m4", k.now, body, nil), "used up")
}

func TestOfTheSameMessageAtOnceOneIsTaken(t *testing.T) {
	k := newHook(t, nil)
	status := make([]int, 8)
	var all sync.WaitGroup
	for i := range status {
		all.Go(func() { status[i] = k.post(t, secret(1), "m1", noon(), body, nil) })
	}
	all.Wait()
	require.Len(t, k.taken, 1, "%v", status)
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	k := newHook(t, func(c *webhook.HandlerConfig) { c.MaxSeen = 2 })
	require.Equal(t, 204, k.post(t, secret(1), "m1", noon(), body, nil))
	require.Equal(t, 204, k.post(t, secret(1), "m2", noon(), body, nil))
	require.Equal(t, 503, k.post(t, secret(1), "m3", noon(), body, nil), "rather none than one twice")
	require.Equal(t, 401, k.post(t, secret(3), "m4", noon(), body, nil), "who has no secret fills nothing")
	k.now = noon().Add(6 * time.Minute)
	require.Equal(t, 204, k.post(t, secret(1), "m5", k.now, body, nil), "what is over is forgotten")
}

func TestAnswersGoIntoAQueue(t *testing.T) {
	q, err := queue.New(queue.Config{Journal: new(memjournal.Journal), Now: noon})
	require.NoError(t, err)
	r := policy.Request{ID: "q1", Tenant: "acme/berlin", Digest: "sha256:aa", By: "olga"}
	_, err = q.Decide(t.Context(), r)
	require.NoError(t, err)
	k := newHook(t, func(c *webhook.HandlerConfig) {
		c.Answer = func(ctx context.Context, tenant inventory.Tenant, request string, d policy.Decision) error {
			_, err := q.Answer(ctx, tenant, request, d)
			if errors.Is(err, queue.ErrSettled) {
				return fmt.Errorf("%w: %w", webhook.Status(http.StatusConflict), err)
			}
			return err
		}
	})
	require.Equal(t, 204, k.post(t, secret(1), "m1", noon(), body, nil))
	require.Equal(t, 409, k.post(t, secret(1), "m2", noon(), strings.Replace(body, "ann", "bob", 1), nil))
	d, err := q.Decide(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, "ann", d.By)
}

func FuzzHandler(f *testing.F) {
	f.Add([]byte(body), "m", "1799064000", "v1=00")
	f.Add([]byte(`{"decision":{"emergency":{}}}`), "", "", "")
	f.Fuzz(func(t *testing.T, data []byte, id, stamp, signature string) {
		taken := false
		h, err := webhook.NewHandler(webhook.HandlerConfig{Secrets: [][]byte{secret(1)}, Now: noon,
			Answer: func(_ context.Context, _ inventory.Tenant, request string, d policy.Decision) error {
				taken = request != "" && d.By != "" && d.Ruling != policy.Pending && d.Digest != ""
				return nil
			}})
		require.NoError(t, err)
		serve := func(sign func(http.Header)) int {
			r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(data))
			sign(r.Header)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code
		}
		code := serve(func(h http.Header) {
			h.Set("Patchflow-Id", id)
			h.Set("Patchflow-Timestamp", stamp)
			h.Set("Patchflow-Signature", signature)
		})
		require.True(t, code == 401 || code == 413, "%d", code)
		code = serve(func(h http.Header) { webhook.Sign(h, secret(1), webhook.KindDecision, "genuine", noon(), data) })
		require.Equal(t, code == 204, taken)
	})
}

// A chat bot posts what a person has decided.
func ExampleHandler() {
	key := []byte("a secret of at least thirty-two bytes")
	h, err := webhook.NewHandler(webhook.HandlerConfig{Secrets: [][]byte{key}, Now: noon,
		Answer: func(_ context.Context, t inventory.Tenant, request string, d policy.Decision) error {
			fmt.Println(t, request, d.Ruling, "by", d.By)
			return nil
		}})
	if err != nil {
		panic(err)
	}
	post := func() {
		r := httptest.NewRequest(http.MethodPost, "/approvals", strings.NewReader(body))
		webhook.Sign(r.Header, key, webhook.KindDecision, "message-1", noon(), []byte(body))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	post()
	post() // somebody has recorded it
	// Output:
	// acme/berlin q1 approved by ann
	// 204
	// 409
}
