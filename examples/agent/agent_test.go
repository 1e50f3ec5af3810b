package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/fleetbed"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// The demonstration starts itself again as its agents, and devices of a fleet have this program as theirs.
func TestMain(m *testing.M) {
	if os.Getenv(asAgent) != "" {
		if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	fleetbed.Main(m)
}

func TestDemonstration(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out))
	text := out.String()
	for _, want := range []string{"cyd: signal: killed; it is started again", "== tool-1.1 is done", "gate of ring rest: pass, 3 of 3 succeeded, 0 failed",
		"was pinned: untrusted", "== tool-1.2 is halted",
		"ada: tool 1.1, installed 1 times", "bob: tool 1.1, installed 1 times", "cyd: tool 1.1, installed 1 times", "dan: tool 1.1, installed 1 times"} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "bob: acme:tool-1.2", "nobody but the first was asked to install what fails there")
}

// A desk is a console that hands out what the test says, and keeps what it is told.
type desk struct {
	tasks   map[inventory.DeviceID][]rollout.Task
	reports []news
	from    []string
}

func (d *desk) NextTasks(_ context.Context, t inventory.Tenant, id inventory.DeviceID, _ time.Duration) ([]rollout.Task, error) {
	d.from = append(d.from, identity(t, id))
	return d.tasks[id], nil
}

func (d *desk) Report(_ context.Context, id rollout.TaskID, r rollout.Report) error {
	if strings.Contains(string(id), "unknown") {
		return rollout.ErrNotFound
	}
	d.reports = append(d.reports, news{id, r})
	return nil
}

func install(t *testing.T, id rollout.TaskID, file []byte) rollout.Task {
	t.Helper()
	digest, err := sum(bytes.NewReader(file))
	require.NoError(t, err)
	return rollout.Task{ID: id, Op: rollout.OpInstall, Content: rollout.Content{Patches: []rollout.Pinned{{ID: "acme:tool-1.1", Packages: []patch.Package{
		{Name: "tool", Artefacts: []patch.Artefact{{Size: int64(len(file)), Digest: digest}}}}}}}}
}

// The console serves devices that show their own certificate and their own token, and each of them what is its own.
func TestWhoMayAskTheConsole(t *testing.T) {
	ca, err := newAuthority()
	require.NoError(t, err)
	stranger, err := newAuthority()
	require.NoError(t, err)
	d := &desk{tasks: map[inventory.DeviceID][]rollout.Task{"ada": {install(t, "acme:q1/all/ada/install/1", program("1.1"))}}}
	c := &console{host: d}
	c.serve("sha256:00", []byte("file"))
	type client struct {
		http  *http.Client
		token string
	}
	enrol := func(by *authority, tenant inventory.Tenant, id inventory.DeviceID, known bool) client {
		cert, key, token, hash, err := by.device(tenant, id)
		require.NoError(t, err)
		pair, err := tls.X509KeyPair(cert, key)
		require.NoError(t, err)
		if known {
			c.enrol(tenant, id, hash)
		}
		return client{&http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{pair}}}}, token}
	}
	server := httptest.NewUnstartedServer(c.handler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that are refused
	server.TLS, err = ca.server(net.IPv4(127, 0, 0, 1))
	require.NoError(t, err)
	server.StartTLS()
	defer server.Close()

	ada, bob, below := enrol(ca, "acme", "ada", true), enrol(ca, "acme", "bob", true), enrol(ca, "acme/berlin", "ada", true)
	unknown := enrol(ca, "acme", "eve", false)
	forged := enrol(stranger, "acme", "ada", false)
	forged.token = ada.token
	nobody := client{&http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.pool}}}, ada.token}
	stolen := bob
	stolen.token = ada.token
	report := func(task string) string { return fmt.Sprintf(`{"task":%q,"report":{"phase":"succeeded"}}`, task) }
	for name, row := range map[string]struct {
		as           client
		method, path string
		body         string
		want         int // 0: no connection
	}{
		"asks for work":                          {ada, "POST", pathTasks, `{"boot":"b1"}`, 200},
		"tells of its task":                      {ada, "POST", pathReport, report("acme:q1/all/ada/install/1"), 204},
		"fetches a file":                         {ada, "GET", pathArtefacts + "/sha256:00", "", 200},
		"fetches what is not there":              {ada, "GET", pathArtefacts + "/sha256:01", "", 404},
		"tells of a task of another":             {bob, "POST", pathReport, report("acme:q1/all/ada/install/1"), 403},
		"tells of a task of another tenant":      {ada, "POST", pathReport, report("other:q1/all/ada/install/1"), 403},
		"tells of one of its name above":         {below, "POST", pathReport, report("acme:q1/all/ada/install/1"), 204},
		"tells of one of its name below":         {ada, "POST", pathReport, report("acme/berlin:q1/all/ada/install/1"), 403},
		"tells of a task that nobody knows":      {ada, "POST", pathReport, report("acme:unknown/all/ada/install/1"), 404},
		"tells of no task":                       {ada, "POST", pathReport, report("ada"), 400},
		"says what is not understood":            {ada, "POST", pathTasks, `{"boot":"b1","root":true}`, 400},
		"says two things":                        {ada, "POST", pathTasks, `{"boot":"b1"}{}`, 400},
		"says too much":                          {ada, "POST", pathTasks, `{"boot":"` + strings.Repeat("x", maxMessage) + `"}`, 400},
		"has a certificate and no token":         {client{ada.http, ""}, "POST", pathTasks, `{}`, 403},
		"has the token of another":               {stolen, "POST", pathTasks, `{}`, 403},
		"is not enrolled":                        {unknown, "POST", pathTasks, `{}`, 403},
		"has a certificate of another authority": {forged, "POST", pathTasks, `{}`, 0},
		"has no certificate":                     {nobody, "POST", pathTasks, `{}`, 0},
		"looks around":                           {ada, "GET", "/", "", 404},
	} {
		t.Run(name, func(t *testing.T) {
			d.reports, d.from = nil, nil
			r, err := http.NewRequestWithContext(t.Context(), row.method, server.URL+row.path, strings.NewReader(row.body))
			require.NoError(t, err)
			r.Header.Set("Authorization", "Bearer "+row.as.token)
			answer, err := row.as.http.Do(r)
			if row.want == 0 {
				require.Error(t, err)
				require.Empty(t, d.from)
				return
			}
			require.NoError(t, err)
			defer answer.Body.Close()
			require.Equal(t, row.want, answer.StatusCode)
			if row.want/100 != 2 {
				require.Empty(t, d.reports)
				require.Empty(t, d.from)
				return
			}
			if row.path == pathTasks {
				require.Equal(t, []string{"patchflow:acme:ada"}, d.from)
				var w work
				require.NoError(t, readJSON(answer.Body, &w))
				require.Equal(t, d.tasks["ada"], w.Tasks)
			}
		})
	}
	_, _, ok := parseIdentity("patchflow:acme/berlin:ada")
	require.True(t, ok)
	for _, bad := range []string{"", "acme:ada", "patchflow:acme", "patchflow::ada", "patchflow:acme:", "patchflow:acme:a:b"} {
		_, _, ok := parseIdentity(bad)
		require.False(t, ok, bad)
	}
}

// A trip carries requests to a console without a network, as a device that has shown who it is.
type trip struct {
	handler http.Handler
	before  func(r *http.Request) error // an error: it does not arrive
	after   func(r *http.Request) error // an error: the answer does not
}

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.before != nil {
		if err := f.before(r); err != nil {
			return nil, err
		}
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	if f.after != nil {
		if err := f.after(r); err != nil {
			return nil, err
		}
	}
	return w.Result(), nil
}

// bench is one agent of a console.
type bench struct {
	desk    *desk
	console *console
	dir     string
	trip    trip
	now     time.Time
}

func newBench(t *testing.T) *bench {
	b := &bench{desk: &desk{tasks: make(map[inventory.DeviceID][]rollout.Task)}, dir: t.TempDir(), now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	b.console = &console{host: b.desk}
	from := caller{"acme", "ada"}
	pass := func(answer func(http.ResponseWriter, *http.Request, caller) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if err := answer(w, r, from); err != nil {
				http.Error(w, err.Error(), http.StatusNotFound)
			}
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pathTasks, pass(b.console.tasks))
	mux.HandleFunc("POST "+pathReport, pass(b.console.report))
	mux.HandleFunc("GET "+pathArtefacts+"/{digest}", pass(b.console.artefact))
	b.trip.handler = mux
	require.NoError(t, os.MkdirAll(filepath.Join(b.dir, "programs"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "programs", "tool"), program("1.0"), 0o755))
	return b
}

// agent starts the agent, which finds what the one before has left.
func (b *bench) agent(t *testing.T) *agent {
	t.Helper()
	m, err := openMemory(filepath.Join(b.dir, "state.json"))
	require.NoError(t, err)
	a := &agent{console: "http://console", memory: m, boot: "b1", every: time.Minute, now: func() time.Time { return b.now }, log: log.New(io.Discard, "", 0),
		client: &http.Client{Transport: b.trip}}
	a.device, err = openPrograms(filepath.Join(b.dir, "programs"), a.fetch)
	require.NoError(t, err)
	return a
}

func (b *bench) tool(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, "programs", "tool"))
	require.NoError(t, err)
	return string(text)
}

func (b *bench) installations(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, "programs", "installations"))
	if err != nil {
		require.ErrorIs(t, err, os.ErrNotExist)
	}
	return bytes.Count(text, []byte("\n"))
}

const task1 = rollout.TaskID("acme:q1/all/ada/install/1")

// offer has a task handed out until a report about it has come, and its file served.
func (b *bench) offer(t *testing.T, file []byte) rollout.Task {
	t.Helper()
	x := install(t, task1, file)
	b.console.serve(x.Content.Patches[0].Packages[0].Artefacts[0].Digest, file)
	b.desk.tasks["ada"] = []rollout.Task{x}
	return x
}

func TestAnAgentDoesItsWorkOnce(t *testing.T) {
	b := newBench(t)
	b.offer(t, program("1.1"))
	a := b.agent(t)
	for range 3 { // the console asks again and again
		require.NoError(t, a.turn(t.Context()))
	}
	require.Equal(t, string(program("1.1")), b.tool(t))
	require.Equal(t, 1, b.installations(t))
	require.Len(t, b.desk.reports, 3, "it is told each time")
	for _, r := range b.desk.reports {
		require.Equal(t, news{task1, rollout.Report{Phase: rollout.PhaseSucceeded, Reboot: patch.No, BootID: "b1"}}, r)
	}

	verify := b.desk.tasks["ada"][0]
	verify.ID, verify.Op = "acme:q1/all/ada/verify/2", rollout.OpVerify
	undo := verify
	undo.ID, undo.Op = "acme:q1/all/ada/rollback/3", rollout.OpRollback
	gone := verify
	gone.ID, gone.Absent = "acme:q1/all/ada/verify/4", true
	restart := verify
	restart.ID, restart.Op = "acme:q1/all/ada/reboot/5", rollout.OpReboot
	again := b.desk.tasks["ada"][0]
	again.ID = "acme:q1/all/ada/install/6"
	b.desk.reports, b.desk.tasks["ada"] = nil, []rollout.Task{verify, undo, gone, restart, again}
	require.NoError(t, a.turn(t.Context()))
	phases := make([]rollout.Phase, len(b.desk.reports))
	for i, r := range b.desk.reports {
		phases[i] = r.Report.Phase
	}
	require.Equal(t, []rollout.Phase{rollout.PhaseSucceeded, rollout.PhaseSucceeded, rollout.PhaseSucceeded, rollout.PhaseFailed, rollout.PhaseSucceeded}, phases)
	require.Equal(t, patch.Permanent, b.desk.reports[3].Report.Fault, "it cannot restart anything")
	require.Equal(t, patch.Unknown, b.desk.reports[0].Report.Idle, "nobody has asked")

	for id, known := range map[rollout.TaskID]patch.Tri{task1: patch.Yes, "acme:q1/all/ada/install/9": patch.Unknown} {
		look := verify
		look.ID = rollout.NewTaskID(rollout.Key{Tenant: "acme", ID: "q1"}, "all", "ada", rollout.OpVerify, 7+uint32(known))
		look.Unended = []rollout.TaskRef{{ID: id, Op: rollout.OpInstall}}
		b.desk.reports, b.desk.tasks["ada"] = nil, []rollout.Task{look}
		require.NoError(t, a.turn(t.Context()))
		require.Equal(t, known, b.desk.reports[0].Report.Idle)
	}
	require.Equal(t, string(program("1.1")), b.tool(t), "taken back, and installed again")
}

// forgetful programs know nothing of a task.
type forgetful struct{ *programs }

func (forgetful) Status(context.Context, rollout.Task) (rollout.Report, error) {
	return rollout.Report{}, nil
}

// A task that a crash has cut short may have left something running. Nobody knows until the device was restarted since, or says so itself.
func TestWhatACrashHasCutShortMayStillRun(t *testing.T) {
	b := newBench(t)
	x := b.offer(t, program("1.1"))
	a := b.agent(t)
	require.NoError(t, a.remember(entry{Task: x, Boot: "b1", Begun: b.now}))
	look := func(boot string, n uint32) rollout.Report {
		a := b.agent(t)
		a.boot, a.device = boot, forgetful{a.device.(*programs)}
		verify := x
		verify.ID, verify.Op = rollout.NewTaskID(rollout.Key{Tenant: "acme", ID: "q1"}, "all", "ada", rollout.OpVerify, n), rollout.OpVerify
		verify.Unended = []rollout.TaskRef{{ID: task1, Op: rollout.OpInstall}}
		b.desk.reports, b.desk.tasks["ada"] = nil, []rollout.Task{verify}
		require.NoError(t, a.turn(t.Context()))
		return b.desk.reports[len(b.desk.reports)-1].Report
	}
	require.Equal(t, patch.Unknown, look("b1", 2).Idle)
	require.Equal(t, patch.Unknown, look("b1", 3).Idle, "it is remembered that nobody knows")
	require.Equal(t, patch.Yes, look("b2", 4).Idle, "nothing runs on through a restart")
}

// An agent that wakes up after a window has closed does not begin.
func TestAnAgentThatWakesUpTooLateDoesNotBegin(t *testing.T) {
	b := newBench(t)
	b.offer(t, program("1.1"))
	b.desk.tasks["ada"][0].StartBy = b.now
	require.NoError(t, b.agent(t).turn(t.Context()))
	require.Equal(t, patch.Busy, b.desk.reports[0].Report.Fault)
	require.Contains(t, b.desk.reports[0].Report.Message, "2026-03-02T09:00:00Z")
	require.Equal(t, string(program("1.0")), b.tool(t))
}

// Nothing is installed but what was pinned, by a name that is one.
func TestWhatIsNotWhatWasPinned(t *testing.T) {
	for name, row := range map[string]struct {
		change func(b *bench, x *rollout.Task)
		want   patch.Fault
	}{
		"another file": {func(b *bench, x *rollout.Task) {
			b.console.serve(x.Content.Patches[0].Packages[0].Artefacts[0].Digest, program("6.6"))
		}, patch.Untrusted},
		"a longer file": {func(b *bench, x *rollout.Task) {
			b.console.serve(x.Content.Patches[0].Packages[0].Artefacts[0].Digest, append(program("1.1"), '#'))
		}, patch.Untrusted},
		"half a file": {func(b *bench, x *rollout.Task) {
			b.console.serve(x.Content.Patches[0].Packages[0].Artefacts[0].Digest, program("1.1")[:5])
		}, patch.Transient},
		"no hash":        {func(_ *bench, x *rollout.Task) { x.Content.Patches[0].Packages[0].Artefacts[0].Digest = "" }, patch.Untrusted},
		"no file":        {func(_ *bench, x *rollout.Task) { x.Content.Patches[0].Packages[0].Artefacts = nil }, patch.Untrusted},
		"no program":     {func(_ *bench, x *rollout.Task) { x.Content.Patches = nil }, patch.Permanent},
		"a path":         {func(_ *bench, x *rollout.Task) { x.Content.Patches[0].Packages[0].Name = "../tool" }, patch.Untrusted},
		"a hidden name":  {func(_ *bench, x *rollout.Task) { x.Content.Patches[0].Packages[0].Name = ".tool.new" }, patch.Untrusted},
		"our own folder": {func(_ *bench, x *rollout.Task) { x.Content.Patches[0].Packages[0].Name = "kept" }, patch.Untrusted},
		"an option":      {func(_ *bench, x *rollout.Task) { x.Content.Patches[0].Packages[0].Name = "-rf" }, patch.Untrusted},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			x := b.offer(t, program("1.1"))
			row.change(b, &x)
			b.desk.tasks["ada"] = []rollout.Task{x}
			require.NoError(t, b.agent(t).turn(t.Context()))
			require.Equal(t, rollout.PhaseFailed, b.desk.reports[0].Report.Phase)
			require.Equal(t, row.want, b.desk.reports[0].Report.Fault)
			require.Equal(t, string(program("1.0")), b.tool(t))
			require.Zero(t, b.installations(t))
		})
	}
}

// Wherever an agent dies, before or after anything that it does, and the one after it as well, the task is begun at most once, and
// what is told at last is what is true.
func TestAnAgentThatDiesAnywhere(t *testing.T) {
	crashes := 0
	for first := 0; ; first++ {
		died := false
		for second := 0; ; second++ {
			b := newBench(t)
			b.offer(t, program("1.1"))
			left := 0
			step := func() {
				if left--; left == -1 {
					panic(death{})
				}
			}
			b.trip.before = func(*http.Request) error { step(); return nil }
			b.trip.after = b.trip.before
			dies := func(after int) bool {
				left = after
				a := b.agent(t)
				a.device = dying{a.device.(*programs), step}
				return deadly(func() { require.NoError(t, a.turn(t.Context())) })
			}
			firstDied, secondDied := dies(first), dies(second)
			for _, d := range []bool{firstDied, secondDied} {
				if d {
					crashes++
				}
			}
			left = -2
			for range 2 {
				require.NoError(t, b.agent(t).turn(t.Context()))
			}
			require.NotEmpty(t, b.desk.reports)
			last := b.desk.reports[len(b.desk.reports)-1]
			require.Equal(t, task1, last.Task)
			require.LessOrEqual(t, b.installations(t), 1)
			if last.Report.Phase == rollout.PhaseSucceeded {
				require.Equal(t, string(program("1.1")), b.tool(t))
			} else {
				require.Equal(t, string(program("1.0")), b.tool(t))
			}
			for _, r := range b.desk.reports {
				require.Equal(t, last, r, "it has told two things of one task")
			}
			died = died || firstDied
			if !secondDied {
				break
			}
		}
		if !died {
			break
		}
	}
	require.Greater(t, crashes, 20)
	t.Logf("%d crashes", crashes)
}

// A dying device may die before and after its work.
type dying struct {
	*programs
	step func()
}

// death is what kills an agent.
type death struct{}

// deadly says whether f has died.
func deadly(f func()) (died bool) {
	defer func() {
		if r := recover(); r != nil {
			if died = r == (death{}); !died {
				panic(r)
			}
		}
	}()
	f()
	return false
}

func (d dying) Deploy(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	d.step()
	r, err := d.programs.Deploy(ctx, t)
	d.step()
	return r, err
}

func TestAMemoryThatCannotBeRead(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(b.dir, "state.json")
	require.NoError(t, os.WriteFile(path, []byte("[{"), 0o600))
	_, err := openMemory(path)
	require.ErrorContains(t, err, "state.json")
}

// A memory does not grow for ever, and forgets nothing that was not told.
func TestAMemoryForgetsWhatIsOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	m, err := openMemory(path)
	require.NoError(t, err)
	for i := range 3 * keep {
		id := rollout.TaskID(fmt.Sprintf("acme:q1/all/ada/install/%d", i))
		require.NoError(t, m.put(entry{Task: rollout.Task{ID: id}, Ended: true, Told: i%2 == 0}))
	}
	again, err := openMemory(path)
	require.NoError(t, err)
	require.Equal(t, m.tasks, again.tasks)
	untold := 0
	for _, e := range again.tasks {
		if !e.Told {
			untold++
		}
	}
	require.Equal(t, 3*keep/2, untold)
	require.LessOrEqual(t, len(again.tasks), 3*keep/2+1)
}

func TestAnAgentIsInstalledWithAFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "agent.json")
	write := func(c map[string]any) error {
		text, err := json.Marshal(c)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, text, 0o600))
		_, err = newAgent(path, io.Discard)
		return err
	}
	require.ErrorContains(t, write(map[string]any{"evry": "1m"}), "evry")
	require.ErrorContains(t, write(map[string]any{"every": "soon"}), `"soon" is no length of time`)
	require.ErrorContains(t, write(map[string]any{"every": "1m", "authority": "none.pem"}), "none.pem")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.pem"), []byte("x"), 0o600))
	require.ErrorContains(t, write(map[string]any{"every": "1m", "authority": "a.pem"}), "no certificate in a.pem")
	ca, err := newAuthority()
	require.NoError(t, err)
	d := &demo{ca: ca, console: new(console)}
	require.NoError(t, d.enrol("ada", dir, config{}))
	good := func(key string, value any) map[string]any {
		return map[string]any{"authority": "authority.pem", "certificate": "cert.pem", "key": "key.pem", "state": "state.json", "every": "1m", key: value}
	}
	require.ErrorContains(t, write(good("manager", "yum")), `agent.json: manager: "yum" is neither programs nor apt`)
	require.ErrorContains(t, write(good("root", "programs")), `manager: "" is neither`)
	require.ErrorContains(t, write(good("manager", "programs")), "root: programs want a folder")
	require.NoError(t, write(good("manager", "apt")), "the system that runs")
	require.ErrorContains(t, write(good("restart", "reboot")), "restart")
	_, err = newAgent(filepath.Join(dir, "none.json"), io.Discard)
	require.ErrorIs(t, err, os.ErrNotExist)
}
