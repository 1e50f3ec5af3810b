package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	store "github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

const tenant inventory.Tenant = "acme"

// A demo is a console, and agents in processes of their own.
type demo struct {
	out     *lines
	dir     string
	ca      *authority
	console *console
	server  *http.Server // of the console
	addr    string
	fleet   *store.Fleet // the product's own lists, of devices and of patches
	runner  *runner.Runner
	agents  map[inventory.DeviceID]*process
}

// lines prints whole lines, of several processes at once.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, format+"\n", args...)
}

// A process is an agent. It is started again when it dies, as the system of a device does.
type process struct {
	mu   sync.Mutex
	kill func(line string) bool // whether to kill it, now that it has said so
}

// demonstrate rolls two versions of a program out to four devices: one of them is killed at work and finishes all the same; then the console
// serves a file that is not the one which the plan has pinned, and nobody installs it.
func demonstrate(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "patchflow-agent-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	fleet := new(store.Fleet)
	printed := &lines{w: out}
	d, err := newDemo(dir, net.IPv4(127, 0, 0, 1), printed, runner.Config{Patches: []patch.Source{fleet}, Devices: fleet, Deployer: providers.Pulled{},
		Journal: new(memjournal.Journal), Observe: printed.observe})
	if err != nil {
		return err
	}
	defer d.server.Close()
	d.fleet = fleet
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { _ = d.runner.Run(ctx) })

	old := program("1.0")
	for _, id := range []inventory.DeviceID{"ada", "bob", "cyd", "dan"} {
		d.fleet.AddDevice(inventory.Device{Tenant: tenant, ID: id, Software: []inventory.Software{
			{Manager: "programs", Ecosystem: "acme", Name: "tool", Version: semver("1.0")}}})
		if err := d.install(id, old); err != nil {
			return err
		}
		if err := d.start(ctx, &wg, id); err != nil {
			return err
		}
	}

	d.out.printf("== tool 1.1 goes to one device, and then to the others. Agent cyd is killed while it is at it.")
	if _, err := d.publish("1.1", program("1.1")); err != nil {
		return err
	}
	d.agents["cyd"].killOnce("begun")
	if err := d.roll(ctx, "tool-1.1"); err != nil {
		return err
	}
	for _, id := range []inventory.DeviceID{"ada", "bob", "cyd", "dan"} { // what a new scan would find
		d.fleet.AddDevice(inventory.Device{Tenant: tenant, ID: id, Software: []inventory.Software{
			{Manager: "programs", Ecosystem: "acme", Name: "tool", Version: semver("1.1")}}})
	}

	d.out.printf("== tool 1.2: somebody has changed the file on the server after it was planned.")
	pinned, err := d.publish("1.2", program("1.2"))
	if err != nil {
		return err
	}
	d.console.serve(pinned, program("6.6"))
	if err := d.roll(ctx, "tool-1.2"); err != nil {
		return err
	}
	return d.report()
}

// newDemo makes a console with a runner behind it, and serves it at an address of this machine. The caller runs the one and closes the other.
func newDemo(dir string, at net.IP, out *lines, c runner.Config) (d *demo, err error) {
	d = &demo{out: out, dir: dir, agents: make(map[inventory.DeviceID]*process)}
	if d.ca, err = newAuthority(); err != nil {
		return nil, err
	}
	if d.runner, err = runner.New(c); err != nil {
		return nil, err
	}
	d.console = &console{host: d.runner, lease: time.Second}
	secure, err := d.ca.server(at)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(at.String(), "0"))
	if err != nil {
		return nil, err
	}
	d.addr = listener.Addr().String()
	d.server = &http.Server{Handler: d.console.handler(), TLSConfig: secure, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute}
	go func() { _ = d.server.ServeTLS(listener, "", "") }()
	return d, nil
}

// install makes a device known that keeps programs, and has the one of them.
func (d *demo) install(id inventory.DeviceID, installed []byte) error {
	folder := filepath.Join(d.dir, string(id), "programs")
	return errors.Join(d.enrol(id, filepath.Dir(folder), config{Manager: "programs", Root: "programs"}), os.MkdirAll(folder, 0o755),
		os.WriteFile(filepath.Join(folder, "tool"), installed, 0o755))
}

// enrol makes a device known, and puts into a folder what its agent needs: c, with how the console is reached.
func (d *demo) enrol(id inventory.DeviceID, dir string, c config) error {
	cert, key, token, hash, err := d.ca.device(tenant, id)
	if err != nil {
		return err
	}
	d.console.enrol(tenant, id, hash)
	c.Console, c.Authority, c.Certificate, c.Key, c.Token = "https://"+d.addr, "authority.pem", "cert.pem", "key.pem", token
	c.State, c.Every = "state.json", "50ms"
	settings, err := json.Marshal(c)
	if err != nil {
		return err
	}
	err = os.MkdirAll(dir, 0o755)
	for name, text := range map[string][]byte{"authority.pem": d.ca.pem, "cert.pem": cert, "key.pem": key} {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	return errors.Join(err, replace(filepath.Join(dir, "agent.json"), settings))
}

// start lets the agent of a device run until ctx ends, in a process of its own.
func (d *demo) start(ctx context.Context, wg *sync.WaitGroup, id inventory.DeviceID) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p := new(process)
	d.agents[id] = p
	wg.Go(func() {
		for ctx.Err() == nil {
			if err := p.once(ctx, self, filepath.Join(d.dir, string(id), "agent.json"), func(line string) { d.out.printf("   %s: %s", id, line) }); err != nil && ctx.Err() == nil {
				d.out.printf("   %s: %v; it is started again", id, err)
			}
		}
	})
	return nil
}

// once runs an agent until it ends.
func (p *process) once(ctx context.Context, self, config string, say func(string)) error {
	cmd := exec.CommandContext(ctx, self, "-config", config)
	cmd.Env = append(os.Environ(), asAgent+"=1")
	cmd.Stderr = os.Stderr
	said, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	for s := bufio.NewScanner(said); s.Scan(); {
		p.mu.Lock()
		kill := p.kill != nil && p.kill(s.Text())
		if kill {
			p.kill = nil
			_ = cmd.Process.Kill()
		}
		p.mu.Unlock()
		say(s.Text())
	}
	return cmd.Wait()
}

// asAgent is set for agents, so that a test that starts itself again knows what it is to be.
const asAgent = "PATCHFLOW_EXAMPLE_AGENT"

// killOnce kills an agent the next time that it says a word.
func (p *process) killOnce(word string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kill = func(line string) bool { return strings.HasSuffix(line, word) }
}

func program(v string) []byte { return []byte("#!/bin/sh\necho tool " + v + "\n") }

func semver(text string) version.Version {
	return version.Version{Scheme: version.SemVerLenient, Text: text}
}

// publish makes a version of the program known, and has its file served.
func (d *demo) publish(v string, file []byte) (patch.Digest, error) {
	digest, err := sum(bytes.NewReader(file))
	if err != nil {
		return "", err
	}
	d.console.serve(digest, file)
	d.fleet.AddPatch(patch.Patch{ID: patch.ID("acme:tool-" + v), Title: "tool " + v, Classification: patch.ClassSecurity, Reversal: patch.ReversalReinstall,
		Packages: []patch.Package{{Ecosystem: "acme", Name: "tool", Fixed: semver(v),
			Artefacts: []patch.Artefact{{Name: "tool", Size: int64(len(file)), Digest: digest}}}}})
	return digest, nil
}

// roll rolls out whatever is missing, and returns when nothing more happens by itself.
func (d *demo) roll(ctx context.Context, id rollout.ID) error {
	key := rollout.Key{Tenant: tenant, ID: id}
	rules := policy.Policy{Name: "tool", Rules: []policy.Rule{{Name: "all", Match: policy.Match{All: true}, Verdict: policy.Approve}},
		Rings: []policy.Ring{{Name: "first", Devices: inventory.MustSelector("device.id=ada")}, {Name: "rest", Rest: true}},
		Retry: policy.Retry{Backoff: policy.Duration(time.Second)}}
	proposal, err := d.runner.Plan(ctx, runner.PlanRequest{Key: key, Policy: rules, By: "olga"})
	if err != nil {
		return err
	}
	if err := d.runner.Start(ctx, proposal.Plan); err != nil {
		return err
	}
	for {
		s, degraded, err := d.runner.Status(ctx, key)
		if err = errors.Join(err, degraded); err != nil {
			return err
		}
		if s.Stage.Final() || s.Stage == rollout.StageHalted && s.Active == 0 {
			d.out.printf("== %s is %s", id, s.Stage)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// observe prints what is decided.
func (l *lines) observe(_ context.Context, t runner.Transition) {
	for _, e := range t.Batch.Events {
		switch e.(type) {
		case rollout.RingOpened, rollout.Judged, rollout.DeviceSettled, rollout.Postponed:
			for _, m := range t.Plan.Describe(e) {
				l.printf("%s", m)
			}
		}
	}
}

// report says what is on each device, and how often something was installed there.
func (d *demo) report() error {
	for _, id := range slices.Sorted(func(yield func(inventory.DeviceID) bool) {
		for id := range d.agents {
			if !yield(id) {
				return
			}
		}
	}) {
		dir := filepath.Join(d.dir, string(id), "programs")
		tool, err := os.ReadFile(filepath.Join(dir, "tool"))
		if err != nil {
			return err
		}
		notes, err := os.ReadFile(filepath.Join(dir, "installations"))
		if err != nil {
			return err
		}
		_, v, _ := strings.Cut(strings.TrimSpace(string(tool)), "echo ")
		d.out.printf("%s: %s, installed %d times", id, v, bytes.Count(notes, []byte("\n")))
	}
	return nil
}
