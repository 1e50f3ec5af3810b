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
	Console     string   `json:"console"` // "https://127.0.0.1:8443"
	Authority   string   `json:"authority"`
	Certificate string   `json:"certificate"`
	Key         string   `json:"key"`
	Token       string   `json:"token"`
	Manager     string   `json:"manager"`           // what is kept up to date: "programs", which are files in a folder, or "apt", the packages of a system
	Root        string   `json:"root,omitempty"`    // that folder, or the root folder of that system; none: the system that runs
	Restart     []string `json:"restart,omitempty"` // the command that restarts the device, as ["systemctl", "reboot"]; none: it is not restarted
	Boot        string   `json:"boot,omitempty"`    // a file that has other words after each restart; none: that of Linux
	State       string   `json:"state"`
	Every       string   `json:"every"` // between two calls: "1m"
}

// An agent is the program on a device.
type agent struct {
	console string
	token   string
	client  *http.Client
	device  rollout.Deployer // what can be done here
	restart []string         // the command that restarts it
	memory  *memory
	boot    string // which the device is in: an agent does not outlive it
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
	in := func(p string) string {
		if filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(filepath.Dir(path), p)
	}
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
	boot := linuxBoot
	if c.Boot != "" {
		boot = in(c.Boot)
	}
	a := &agent{console: c.Console, token: c.Token, memory: m, restart: c.Restart, boot: bootID(boot), every: every, now: time.Now, log: log.New(out, "", 0),
		client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS13},
		}}}
	root := c.Root
	if root != "" {
		root = in(root)
	}
	switch {
	case c.Manager == "programs" && root != "":
		a.device, err = openPrograms(root, a.fetch)
	case c.Manager == "programs":
		err = errors.New("root: programs want a folder")
	case c.Manager == "apt":
		a.device, err = openApt(root)
	default:
		err = fmt.Errorf("manager: %q is neither programs nor apt", c.Manager)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// close ends what is under way, if that takes no longer than a minute. What is cut short is found out about by the next process.
func (a *agent) close() error {
	a.client.CloseIdleConnections()
	c, ok := a.device.(interface{ Close(context.Context) error })
	if !ok {
		return nil
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	return c.Close(ctx)
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

// turn is one call: it tells what has not been told, asks for work, and does it. While a task is under way whose end is not known yet, it does not
// ask: the next one would meet it.
func (a *agent) turn(ctx context.Context) error {
	if err := a.recover(ctx); err != nil {
		return err
	}
	if err := a.tell(ctx); err != nil {
		return err
	}
	if a.memory.busy() {
		return nil
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
		if a.memory.busy() {
			return nil // what else it was given it is given again
		}
	}
	return nil
}

// recover ends what a crash or a restart has left begun: the device is asked what is true, and where it does not know, the task has failed in
// a way that may pass. It is never begun again under its name. What is still under way stays so.
func (a *agent) recover(ctx context.Context) error {
	for _, e := range a.memory.tasks {
		if e.Ended {
			continue
		}
		r, lost := a.stands(ctx, e)
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.Phase == rollout.PhaseQueued || r.Phase == rollout.PhaseRunning {
			continue
		}
		if lost {
			e.Lost = true
			if err := a.remember(e); err != nil {
				return err
			}
		}
		if err := a.end(e.Task, r); err != nil {
			return err
		}
	}
	return nil
}

// stands says what has become of a task that was begun, and whether nobody knows that.
func (a *agent) stands(ctx context.Context, e entry) (r rollout.Report, lost bool) {
	if e.Task.Op == rollout.OpReboot {
		return a.restarted(e), false
	}
	r, err := a.device.Status(ctx, e.Task)
	const stopped = "the agent was stopped while it was at it"
	switch {
	case err != nil:
		return rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Transient, Message: fmt.Sprintf("%s, and what became of it cannot be told: %v", stopped, err)}, true
	case r.Phase == rollout.PhaseUnknown:
		return rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Transient, Message: stopped}, true
	}
	return r, false
}

// do carries a task out, once. It may be under way still when do returns.
func (a *agent) do(ctx context.Context, t rollout.Task) error {
	if e := a.memory.find(t.ID); e != nil {
		e := *e
		e.Told = false // it asks again because it has not heard
		return a.remember(e)
	}
	if err := a.remember(entry{Task: t, Boot: a.boot, Begun: a.now()}); err != nil {
		return err
	}
	if !t.StartBy.IsZero() && !a.now().Before(t.StartBy) {
		return a.end(t, rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Busy,
			Message: "woke up too late: it was to begin before " + t.StartBy.UTC().Format(time.RFC3339)})
	}
	a.log.Printf("%s: begun", t.ID)
	r, err := a.work(ctx, t)
	if ctx.Err() != nil {
		return ctx.Err() // it was stopped, not the device: what became of the task is asked when it runs again
	}
	if err != nil {
		r = rollout.Failure(err)
	}
	if r.Phase == rollout.PhaseQueued || r.Phase == rollout.PhaseRunning {
		return nil
	}
	if !r.Phase.Last() {
		r = rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Transient, Message: "the device has not said how it ended"}
	}
	r.BootID = a.boot
	if t.Op == rollout.OpVerify {
		r.Idle = a.idle(t, r.Idle)
	}
	return a.end(t, r)
}

// work asks the device to do what t says. A restart is the agent's own: it is its memory that outlasts it.
func (a *agent) work(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	switch t.Op {
	case rollout.OpInstall:
		return a.device.Deploy(ctx, t)
	case rollout.OpReboot:
		return a.reboot(ctx, t)
	case rollout.OpVerify, rollout.OpLook:
		return ably(ctx, a, t, rollout.Verifier.Verify)
	case rollout.OpRollback:
		return ably(ctx, a, t, rollout.Rollbacker.Rollback)
	case rollout.OpPrecheck, rollout.OpProbe:
		return ably(ctx, a, t, rollout.Prober.Probe)
	case rollout.OpDrain:
		return ably(ctx, a, t, rollout.Drainer.Drain)
	case rollout.OpUncordon:
		return ably(ctx, a, t, rollout.Drainer.Uncordon)
	case rollout.OpRemedy:
		return ably(ctx, a, t, rollout.Remedier.Remedy)
	}
	return rollout.Report{}, fmt.Errorf("%s: %w", t.Op, errors.ErrUnsupported)
}

// ably does t by an ability of the device, if it has that.
func ably[T any](ctx context.Context, a *agent, t rollout.Task, do func(T, context.Context, rollout.Task) (rollout.Report, error)) (rollout.Report, error) {
	able, ok := rollout.Ability[T](a.device, t)
	if !ok {
		return rollout.Report{}, fmt.Errorf("%s: %w", t.Op, errors.ErrUnsupported)
	}
	return do(able, ctx, t)
}

// idle says whether the earlier tasks that the console has heard no end of run no more. The agent carries out one task after the other, in
// its own process: what it remembers to have ended has. Of what it does not remember it knows nothing, nor of what a crash has cut short,
// whose installer may have gone on by itself, unless the device was restarted since: then it is as the device says that it has just seen.
func (a *agent) idle(t rollout.Task, seen patch.Tri) patch.Tri {
	for _, u := range t.Unended {
		if e := a.memory.find(u.ID); e == nil || !e.Ended || e.Lost && (e.Boot == "" || a.boot == "" || e.Boot == a.boot) {
			return seen
		}
	}
	if len(t.Unended) == 0 {
		return patch.Unknown
	}
	return patch.Yes
}

func (a *agent) end(t rollout.Task, r rollout.Report) error {
	a.log.Printf("%s: %s %s", t.ID, r.Phase, r.Message)
	e := *a.memory.find(t.ID)
	e.Ended, e.Report = true, r
	return a.remember(e)
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
