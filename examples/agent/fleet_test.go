//go:build linux

package main

import (
	"bytes"
	"context"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/aptbed"
	"github.com/patchflow/patchflow/internal/fleetbed"
	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/internal/witness"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/manager/apt"
	"github.com/patchflow/patchflow/providers/source/debian"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

// service is the agent as systemd starts it: until its file is there, and after a crash, it is started again and again.
const service = `[Unit]
StartLimitIntervalSec=0
[Service]
Environment=` + asAgent + `=1
ExecStart=/usr/local/bin/agent -config /etc/agent/agent.json
Restart=always
RestartSec=500ms
`

// A town is devices with systemd and the agent as its service.
type town struct {
	*fleetbed.Bed
	arch string
}

// Devices implements [inventory.Source] by what lies in the file systems of the devices.
func (w town) Devices(ctx context.Context, _ inventory.Query) iter.Seq2[inventory.Device, error] {
	return func(yield func(inventory.Device, error) bool) {
		for _, x := range w.Bed.Devices {
			d := inventory.Device{Tenant: tenant, ID: inventory.DeviceID(x.Name), Platform: patch.Platform{OS: "debian", Version: "12", Arch: w.arch}, Zone: "UTC"}
			scan, err := apt.Root{Dir: x.Root}.Scan(ctx, d)
			if err == nil {
				d, err = d.Merge(scan)
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// newTown makes n devices that have old versions of two packages, the new ones being offered, with a script that ends their installation.
func newTown(t *testing.T, n int, script string) (w town, offered patch.Source) {
	t.Helper()
	need.Root(t)
	for _, name := range aptbed.Programs() {
		need.Tool(t, name)
	}
	arch, err := aptbed.Arch(t.Context())
	require.NoError(t, err)
	repo, err := aptbed.NewRepo(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { _ = repo.Close() })
	for _, name := range townPackages() {
		require.NoError(t, repo.Add("stable", aptbed.Package{Name: name, Version: "1.0"}))
		require.NoError(t, repo.Add("stable-security", aptbed.Package{Name: name, Version: "1.1", Postinst: script}))
	}
	suites := []string{"stable", "stable-security"}
	for _, suite := range suites {
		require.NoError(t, repo.Publish(t.Context(), suite, arch, time.Time{}))
	}
	self, err := os.Executable()
	require.NoError(t, err)
	w = town{arch: arch, Bed: fleetbed.Systemd(t, n, func(root string) {
		listener, err := net.Listen("tcp", fleetbed.Gateway+":0")
		require.NoError(t, err)
		server := &http.Server{Handler: http.FileServer(http.Dir(repo.Dir)), ReadHeaderTimeout: time.Minute}
		go func() { _ = server.Serve(listener) }()
		t.Cleanup(func() { _ = server.Close() })
		require.NoError(t, aptbed.System(t.Context(), root, arch, repo, "http://"+listener.Addr().String(), suites, "ledger=1.0", "vault=1.0"))
		units := filepath.Join(root, "usr/local/lib/systemd/system")
		require.NoError(t, os.MkdirAll(filepath.Join(units, "bed.target.wants"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(units, "agent.service"), []byte(service), 0o644))
		require.NoError(t, os.Symlink("../agent.service", filepath.Join(units, "bed.target.wants", "agent.service")))
		copyProgram(t, self, filepath.Join(root, "usr/local/bin/agent"))
	})}
	indices, err := apt.Root{Dir: w.Bed.Devices[0].Root}.Indices(t.Context())
	require.NoError(t, err)
	offered, err = debian.New(debian.Config{Codename: "stable", Version: "12", Indices: indices})
	require.NoError(t, err)
	return w, offered
}

func townPackages() []string { return []string{"ledger", "vault"} }

func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	require.NoError(t, err)
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(out, in)
	require.NoError(t, err)
	require.NoError(t, out.Close())
}

// Devices are patched by agents that systemd starts: each gets its tasks from the console, by a connection on which both ends have shown who they
// are, installs with its own apt, restarts as a whole, comes back, is looked at, and has told all of it.
func TestAgentsPatchDevicesThatRestart(t *testing.T) { restartAll(t, 2, -1) }

// The same with ten, of which one never comes back: that is no success, and keeps the others from nothing.
func TestAgentsPatchDevicesThatRestartOfTen(t *testing.T) {
	if os.Getenv("PATCHFLOW_LONG") == "" {
		t.Skip("takes minutes: PATCHFLOW_LONG=1")
	}
	restartAll(t, 10, 6)
}

// restartAll is the whole test for n devices. What counts is what they say of themselves. Device number dead never comes back.
func restartAll(t *testing.T, n, dead int) {
	w, offered := newTown(t, n, `echo due >/run/reboot-required
if [ -e /etc/breaks ]; then rm -f /etc/systemd/system/bed.service /etc/systemd/system/default.target; fi`)
	if dead >= 0 {
		require.NoError(t, os.WriteFile(filepath.Join(w.Bed.Devices[dead].Root, "etc/breaks"), nil, 0o644))
	}
	var out bytes.Buffer
	printed := &lines{w: &out}
	journal := new(memjournal.Journal)
	d, err := newDemo(t.TempDir(), net.ParseIP(fleetbed.Gateway), printed, runner.Config{Patches: []patch.Source{offered}, Devices: w,
		Deployer: providers.Pulled{}, Journal: journal, Observe: printed.observe})
	require.NoError(t, err)
	defer d.server.Close()
	ctx, stop := context.WithTimeout(t.Context(), 8*time.Minute)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { _ = d.runner.Run(ctx) })
	for _, x := range w.Bed.Devices {
		require.NoError(t, d.enrol(inventory.DeviceID(x.Name), filepath.Join(x.Root, "etc/agent"), config{Manager: "apt", Restart: []string{"systemctl", "reboot"}}))
	}

	key := rollout.Key{Tenant: tenant, ID: "q1"}
	began := time.Now()
	p, err := d.runner.Plan(ctx, runner.PlanRequest{Key: key, By: "olga", Policy: policy.Policy{Name: "all",
		Rules:  []policy.Rule{{Name: "security", Match: policy.Match{Classifications: []patch.Classification{patch.ClassSecurity}}, Verdict: policy.Approve}},
		Rings:  []policy.Ring{{Name: "all", Rest: true, Gate: policy.Gate{MaxFailed: 2000}}},
		Retry:  policy.Retry{Attempts: 1, Timeout: policy.Duration(45 * time.Second)},
		Reboot: policy.Reboot{Mode: policy.RebootIfRequired, Timeout: policy.Duration(30 * time.Second)},
		Health: policy.Health{Probes: policy.Probes{List: []policy.Probe{{Name: "ssh", Of: "bed"}, {Name: "agent", Of: "agent"},
			{Name: "vault", Check: policy.ProbeVersion, Of: "vault", Version: "1.0"}}}}}})
	require.NoError(t, err)
	require.NoError(t, d.runner.Start(ctx, p.Plan))
	s, err := d.runner.Wait(ctx, key)
	require.NoError(t, err, "%s", &out)
	t.Logf("%d devices: %v in %s", n, s.Rings[0].Outcomes, time.Since(began).Round(100*time.Millisecond))
	require.Equal(t, rollout.StageDone, s.Stage, "%s", &out)

	record, err := journal.Load(t.Context(), key)
	require.NoError(t, err)
	told, did, err := rollout.ReadTimeline(p.Plan, record.Entries)
	require.NoError(t, err)
	require.NoError(t, did.Torn)
	for i, x := range w.Bed.Devices {
		at, ok := told.Plan().Find(inventory.DeviceID(x.Name))
		require.True(t, ok)
		is := &witness.Device{Names: townPackages(), Before: "1.0", After: "1.1", Outcome: told.Machine().Device(at).Outcome, Tries: told.Tries(at),
			Boots: x.Boots(), Restart: true}
		installed, err := exec.CommandContext(t.Context(), "dpkg-query", append([]string{"--admindir=" + filepath.Join(x.Root, "var/lib/dpkg")}, witness.Query()[1:]...)...).Output()
		require.NoError(t, err)
		is.Installed = string(installed)
		text, err := os.ReadFile(filepath.Join(x.Root, "var/log/dpkg.log"))
		require.NoError(t, err)
		is.Log, err = witness.ReadLog(string(text))
		require.NoError(t, err)
		ops := make(map[rollout.Op]rollout.Try)
		for _, try := range is.Tries {
			ops[try.Op] = try
		}
		if i == dead {
			require.Equal(t, rollout.Failed, is.Outcome, "%s", is)
			require.Equal(t, rollout.PhaseSucceeded, ops[rollout.OpInstall].Phase)
			require.NotEqual(t, rollout.PhaseSucceeded, ops[rollout.OpReboot].Phase)
			continue
		}
		require.Empty(t, is.Contradictions(), "%s: %s\n%s", x.Name, is, &out)
		require.Equal(t, rollout.PhaseSucceeded, ops[rollout.OpProbe].Phase, "%s", is)
		m, err := openMemory(filepath.Join(x.Root, "etc/agent/state.json"))
		require.NoError(t, err)
		boots := make(map[string]bool)
		for _, e := range m.tasks {
			boots[e.Report.BootID] = true
			for _, probe := range e.Report.Probes {
				require.Equal(t, patch.Yes, probe.Up, "%s: %s", x.Name, probe.Message)
			}
		}
		require.Len(t, boots, 2, "it was at work in one boot and in the next")
	}
}
