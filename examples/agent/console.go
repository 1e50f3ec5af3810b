package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// A host is the part of a runner that a console needs.
type host interface {
	NextTasks(ctx context.Context, t inventory.Tenant, d inventory.DeviceID, lease time.Duration) ([]rollout.Task, error)
	Report(ctx context.Context, id rollout.TaskID, r rollout.Report) error
}

// A console answers agents.
type console struct {
	host  host
	lease time.Duration // how long a task that was handed out is not handed out again

	mu        sync.Mutex
	tokens    map[string][sha256.Size]byte // by identity: the hash of the device's token
	artefacts map[patch.Digest][]byte
}

// enrol makes a device known by the hash of its token.
func (c *console) enrol(t inventory.Tenant, d inventory.DeviceID, token [sha256.Size]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tokens == nil {
		c.tokens = make(map[string][sha256.Size]byte)
	}
	c.tokens[identity(t, d)] = token
}

// serve offers a file under a hash.
func (c *console) serve(d patch.Digest, file []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.artefacts == nil {
		c.artefacts = make(map[patch.Digest][]byte)
	}
	c.artefacts[d] = file
}

// handler returns the console as a server for connections whose client certificates were verified.
func (c *console) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pathTasks, c.known(c.tasks))
	mux.HandleFunc("POST "+pathReport, c.known(c.report))
	mux.HandleFunc("GET "+pathArtefacts+"/{digest}", c.known(c.artefact))
	return http.MaxBytesHandler(mux, maxMessage)
}

// A caller is a device that has shown who it is.
type caller struct {
	tenant inventory.Tenant
	device inventory.DeviceID
}

var errStranger = errors.New("no such device, or not its token")

// who returns the device that has sent r: the one that its certificate names, if the token is that device's.
func (c *console) who(r *http.Request) (caller, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return caller{}, errStranger
	}
	uris := r.TLS.VerifiedChains[0][0].URIs
	if len(uris) != 1 {
		return caller{}, errStranger
	}
	name := uris[0].String()
	t, d, ok := parseIdentity(name)
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	c.mu.Lock()
	want, exists := c.tokens[name]
	c.mu.Unlock()
	got := sha256.Sum256([]byte(token))
	if !ok || !bearer || !exists || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		return caller{}, errStranger
	}
	return caller{t, d}, nil
}

// known lets only devices through that have shown who they are.
func (c *console) known(answer func(w http.ResponseWriter, r *http.Request, from caller) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from, err := c.who(r)
		if err == nil {
			err = answer(w, r, from)
		}
		var bad badRequest
		switch {
		case err == nil:
		case errors.Is(err, errStranger):
			http.Error(w, err.Error(), http.StatusForbidden)
		case errors.As(err, &bad):
			http.Error(w, err.Error(), http.StatusBadRequest)
		case errors.Is(err, rollout.ErrNotFound):
			http.Error(w, err.Error(), http.StatusNotFound)
		default:
			http.Error(w, "not now", http.StatusServiceUnavailable) // what is wrong here is no business of a device's
		}
	}
}

type badRequest struct{ error }

func (c *console) tasks(w http.ResponseWriter, r *http.Request, from caller) error {
	var q call
	if err := readJSON(r.Body, &q); err != nil {
		return badRequest{err}
	}
	tasks, err := c.host.NextTasks(r.Context(), from.tenant, from.device, c.lease)
	if err != nil {
		return err
	}
	writeJSON(w, work{Tasks: tasks})
	return nil
}

// report takes a report in. That it is about a task of the device that sends it is for the console to see to: the runner
// believes what it is told.
func (c *console) report(w http.ResponseWriter, r *http.Request, from caller) error {
	var n news
	if err := readJSON(r.Body, &n); err != nil {
		return badRequest{err}
	}
	name, err := rollout.ParseTaskID(n.Task)
	if err != nil {
		return badRequest{err}
	}
	if name.Device != from.device || !name.Rollout.Tenant.Contains(from.tenant) {
		return fmt.Errorf("task %s: %w", n.Task, errStranger)
	}
	if err := c.host.Report(r.Context(), n.Task, n.Report); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (c *console) artefact(w http.ResponseWriter, r *http.Request, _ caller) error {
	c.mu.Lock()
	file, ok := c.artefacts[patch.Digest(r.PathValue("digest"))]
	c.mu.Unlock()
	if !ok {
		return fmt.Errorf("artefact: %w", rollout.ErrNotFound)
	}
	_, _ = w.Write(file) // who gets half of it sees that by the hash
	return nil
}
