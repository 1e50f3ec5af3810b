package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
)

const (
	maxDecision = 64 << 10 // bytes of a body
	defaultSeen = 100_000
)

// HandlerConfig says what a [Handler] is made of.
type HandlerConfig struct {
	Secrets [][]byte         // at least one, of 32 bytes or more; all of them are taken, so that they can be changed
	Tenant  inventory.Tenant // decisions about this tenant and those below are taken; "" for all
	Window  time.Duration    // how old a message may be, and how far ahead; 0 means 5 minutes
	MaxSeen int              // how many IDs are remembered at once; when there is no room, nothing is taken; 0 means 100,000
	Now     func() time.Time // nil means [time.Now]
	Logger  *slog.Logger     // for what was refused, and why; nil means none

	// Answer takes a decision in: queue.Queue.Answer does, or runner.Runner.Decide. The error decides what the other system is
	// told: by [Status], if it wraps one, otherwise 500. Its text goes to the logger alone.
	Answer func(ctx context.Context, t inventory.Tenant, request string, d policy.Decision) error
}

// Status is an error that is an HTTP status: what the other system is told of a decision that was not taken in.
type Status int

// Error implements error.
func (s Status) Error() string { return http.StatusText(int(s)) }

// A Handler takes decisions that another system posts. It answers 204 if the decision was taken in, 400 to a body that is not
// one, 401 to a message that is not signed or not of this time, 403 to one about another tenant, 405 to what is not posted,
// 409 to one that came before, 413 to one that is too large, and 503 when it cannot remember more.
//
// An ID is used up once the signature holds, whatever comes of the decision: who tries again takes another. It is safe for
// concurrent use.
type Handler struct {
	cfg     HandlerConfig
	secrets secrets

	mu    sync.Mutex
	seen  map[string]time.Time // until when an ID is remembered
	swept time.Time            // when those that are over were forgotten last
}

var _ http.Handler = (*Handler)(nil)

// NewHandler makes a handler.
func NewHandler(cfg HandlerConfig) (*Handler, error) {
	h := &Handler{cfg: cfg, secrets: cfg.Secrets, seen: make(map[string]time.Time)}
	if err := h.secrets.check(); err != nil {
		return nil, fmt.Errorf("webhook: Config.Secrets: %w", err)
	}
	switch {
	case cfg.Answer == nil:
		return nil, errors.New("webhook: Config.Answer is missing")
	case cfg.Window < 0 || cfg.MaxSeen < 0:
		return nil, errors.New("webhook: Config.Window and Config.MaxSeen cannot be negative")
	}
	if cfg.Window == 0 {
		h.cfg.Window = defaultWindow
	}
	if cfg.MaxSeen == 0 {
		h.cfg.MaxSeen = defaultSeen
	}
	if cfg.Now == nil {
		h.cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		h.cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return h, nil
}

// An Envelope is what the handler takes.
type Envelope struct {
	Tenant   inventory.Tenant `json:"tenant"`
	Request  string           `json:"request"` // its ID
	Decision policy.Decision  `json:"decision"`
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, err := h.take(r)
	if err != nil {
		h.cfg.Logger.WarnContext(r.Context(), "decision is not taken", "status", status, "error", err)
		http.Error(w, http.StatusText(status), status)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *Handler) take(r *http.Request) (status int, err error) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, fmt.Errorf("method %q", r.Method)
	}
	body, err := readAll(r.Body, maxDecision)
	switch {
	case errors.Is(err, errTooLarge):
		return http.StatusRequestEntityTooLarge, err
	case err != nil:
		return http.StatusBadRequest, err
	}
	now := h.cfg.Now()
	id, at, err := h.secrets.verify(r.Header, KindDecision, body, now, h.cfg.Window)
	if err != nil {
		return http.StatusUnauthorized, err
	}
	if status := h.once(id, at, now); status != http.StatusOK {
		return status, fmt.Errorf("message %s: %w", id, Status(status))
	}
	var e Envelope
	if err := decode(body, &e); err != nil {
		return http.StatusBadRequest, fmt.Errorf("message %s: %w", id, err)
	}
	switch d := &e.Decision; {
	case e.Request == "" || d.By == "" || d.Digest == "" || d.Ruling == policy.Pending:
		return http.StatusBadRequest, fmt.Errorf("message %s: request, decision.by, decision.digest or decision.ruling is missing", id)
	case d.Rule != "":
		return http.StatusBadRequest, fmt.Errorf("message %s: a rule of another system does not decide here", id)
	case !h.cfg.Tenant.Contains(e.Tenant):
		return http.StatusForbidden, fmt.Errorf("message %s: about tenant %q", id, e.Tenant)
	}
	if err := h.cfg.Answer(r.Context(), e.Tenant, e.Request, e.Decision); err != nil {
		status := Status(http.StatusInternalServerError)
		if errors.As(err, &status) && (status < 400 || status > 599) {
			status = http.StatusInternalServerError
		}
		return int(status), fmt.Errorf("message %s: %w", id, err)
	}
	return http.StatusNoContent, nil
}

// once remembers an ID as long as its message could come again. It says whether that is the first time.
func (h *Handler) once(id string, at, now time.Time) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Sub(h.swept) > h.cfg.Window || len(h.seen) >= h.cfg.MaxSeen {
		maps.DeleteFunc(h.seen, func(_ string, until time.Time) bool { return now.After(until) })
		h.swept = now
	}
	if _, ok := h.seen[id]; ok {
		return http.StatusConflict
	}
	if len(h.seen) >= h.cfg.MaxSeen {
		return http.StatusServiceUnavailable
	}
	h.seen[id] = at.Add(h.cfg.Window)
	return http.StatusOK
}
