package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// A config is the file that an agent is installed with. Paths are taken from its folder.
type config struct {
	Console     string `json:"console"` // "https://127.0.0.1:8443"
	Authority   string `json:"authority"`
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	Token       string `json:"token"`
	Programs    string `json:"programs"` // the folder of programs that is kept up to date
	State       string `json:"state"`
	Every       string `json:"every"` // between two calls: "1m"
}

// An agent is the program on a device.
type agent struct {
	console string
	token   string
	client  *http.Client
	device  rollout.Deployer // what can be done here
	memory  *memory
	boot    string
	every   time.Duration
	now     func() time.Time
	log     *log.Logger
}

// newAgent makes the agent of a file.
func newAgent(path string, out io.Writer) (*agent, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var c config
	if err := readJSON(bytes.NewReader(text), &c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	in := func(p string) string { return filepath.Join(filepath.Dir(path), p) }
	every, err := time.ParseDuration(c.Every)
	if err != nil || every <= 0 {
		return nil, fmt.Errorf("%s: every: %q is no length of time", path, c.Every)
	}
	authority, err := os.ReadFile(in(c.Authority))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s: authority: no certificate in %s", path, c.Authority)
	}
	own, err := tls.LoadX509KeyPair(in(c.Certificate), in(c.Key))
	if err != nil {
		return nil, fmt.Errorf("%s: certificate: %w", path, err)
	}
	m, err := openMemory(in(c.State))
	if err != nil {
		return nil, err
	}
	a := &agent{console: c.Console, token: c.Token, memory: m, boot: bootID(), every: every, now: time.Now, log: log.New(out, "", 0),
		client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS13},
		}}}
	a.device, err = openPrograms(in(c.Programs), a.fetch)
	return a, err
}

func (a *agent) close() { a.client.CloseIdleConnections() }

// bootID tells one boot of this machine from another; "" where it cannot.
func bootID() string {
	text, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return string(bytes.TrimSpace(text))
}

// run calls in until ctx ends. That nobody answers is no reason to stop.
func (a *agent) run(ctx context.Context) error {
	next := time.NewTicker(a.every)
	defer next.Stop()
	for {
		if err := a.turn(ctx); err != nil && ctx.Err() == nil {
			if errors.Is(err, errForget) {
				return err
			}
			a.log.Print(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-next.C:
		}
	}
}

// errForget is wrapped by the error for a memory that cannot be written: an agent that forgets must not work.
var errForget = errors.New("cannot remember what is done")

// turn is one call: it tells what has not been told, asks for work, and does it.
func (a *agent) turn(ctx context.Context) error {
	if err := a.recover(ctx); err != nil {
		return err
	}
	if err := a.tell(ctx); err != nil {
		return err
	}
	var w work
	if err := a.post(ctx, pathTasks, call{Boot: a.boot}, &w); err != nil {
		return err
	}
	for _, t := range w.Tasks {
		if err := a.do(ctx, t); err != nil {
			return err
		}
		if err := a.tell(ctx); err != nil {
			return err
		}
	}
	return nil
}

// recover ends what a crash has left begun: the device is asked what is true, and where it does not know, the task has failed in a
// way that may pass. It is never begun again under its name.
func (a *agent) recover(ctx context.Context) error {
	for _, e := range a.memory.tasks {
		if e.Ended {
			continue
		}
		r, err := a.device.Status(ctx, e.Task)
		if err != nil || !r.Phase.Last() {
			r = rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Transient, Message: "the agent was stopped while it was at it"}
		}
		if err := a.end(e.Task, r); err != nil {
			return err
		}
	}
	return nil
}

// do carries a task out, once.
func (a *agent) do(ctx context.Context, t rollout.Task) error {
	if e := a.memory.find(t.ID); e != nil {
		e := *e
		e.Told = false // it asks again because it has not heard
		return a.remember(e)
	}
	if err := a.remember(entry{Task: t}); err != nil {
		return err
	}
	if !t.StartBy.IsZero() && !a.now().Before(t.StartBy) {
		return a.end(t, rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Busy,
			Message: "woke up too late: it was to begin before " + t.StartBy.UTC().Format(time.RFC3339)})
	}
	a.log.Printf("%s: begun", t.ID)
	return a.end(t, a.work(ctx, t))
}

// work asks the device to do what t says.
func (a *agent) work(ctx context.Context, t rollout.Task) rollout.Report {
	var r rollout.Report
	err := fmt.Errorf("%s: %w", t.Op, errors.ErrUnsupported)
	switch t.Op {
	case rollout.OpInstall:
		r, err = a.device.Deploy(ctx, t)
	case rollout.OpVerify:
		if v, ok := rollout.Ability[rollout.Verifier](a.device, t); ok {
			r, err = v.Verify(ctx, t)
		}
	case rollout.OpRollback:
		if v, ok := rollout.Ability[rollout.Rollbacker](a.device, t); ok {
			r, err = v.Rollback(ctx, t)
		}
	}
	if err != nil {
		return rollout.Failure(err)
	}
	if !r.Phase.Last() {
		return rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Transient, Message: "the device has not said how it ended"}
	}
	r.BootID = a.boot
	if t.Op == rollout.OpVerify {
		r.Idle = a.idle(t)
	}
	return r
}

// idle says whether the earlier tasks that the console has heard no end of run no more. The agent carries out one task after the other, in
// its own process: what it remembers to have ended has. Of what it does not remember it knows nothing.
func (a *agent) idle(t rollout.Task) patch.Tri {
	for _, u := range t.Unended {
		if e := a.memory.find(u.ID); e == nil || !e.Ended {
			return patch.Unknown
		}
	}
	if len(t.Unended) == 0 {
		return patch.Unknown
	}
	return patch.Yes
}

func (a *agent) end(t rollout.Task, r rollout.Report) error {
	a.log.Printf("%s: %s %s", t.ID, r.Phase, r.Message)
	return a.remember(entry{Task: t, Ended: true, Report: r})
}

func (a *agent) remember(e entry) error {
	if err := a.memory.put(e); err != nil {
		return fmt.Errorf("%w: %w", errForget, err)
	}
	return nil
}

// tell brings every report to the console that it does not have yet.
func (a *agent) tell(ctx context.Context) error {
	for _, e := range a.memory.tasks {
		if !e.Ended || e.Told {
			continue
		}
		err := a.post(ctx, pathReport, news{e.Task.ID, e.Report}, nil)
		var refused refusal
		if errors.As(err, &refused) && refused.final() {
			a.log.Print(err) // it will not be taken tomorrow either
		} else if err != nil {
			return err
		}
		e.Told = true
		if err := a.remember(e); err != nil {
			return err
		}
	}
	return nil
}

// A refusal is an answer that is none.
type refusal struct {
	code int
	text string
}

func (r refusal) Error() string { return fmt.Sprintf("the console says %d: %s", r.code, r.text) }

// final says whether asking again is no use.
func (r refusal) final() bool {
	return r.code == http.StatusBadRequest || r.code == http.StatusNotFound
}

func (a *agent) post(ctx context.Context, path string, message, answer any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	body, err := a.send(ctx, http.MethodPost, path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	defer body.Close()
	if answer == nil {
		return nil
	}
	return readJSON(body, answer)
}

// fetch opens an artefact.
func (a *agent) fetch(ctx context.Context, d patch.Digest) (io.ReadCloser, error) {
	return a.send(ctx, http.MethodGet, pathArtefacts+"/"+string(d), nil)
}

func (a *agent) send(ctx context.Context, method, path string, body io.Reader) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, method, a.console+path, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+a.token)
	answer, err := a.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", patch.ErrUnreachable, err)
	}
	if answer.StatusCode/100 != 2 {
		defer answer.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 200))
		return nil, refusal{answer.StatusCode, string(bytes.TrimSpace(text))}
	}
	return answer.Body, nil
}
