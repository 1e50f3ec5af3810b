// Package managertest is what the tests of package managers have in common, those that work on devices which beds make: a device with
// its fleet, tables of what goes wrong and of hostile words, and all of it for the package managers over rpm.
package managertest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

// Tenant and Device are those of all tasks.
const (
	Tenant = "acme"
	Device = "ada"
)

// A System is a device of a bed.
type System interface {
	// Transport runs commands on it.
	Transport() transport.Transport

	// Installed returns the versions of every package, by its name.
	Installed(ctx context.Context) (map[string]string, error)

	// Run runs a command, and returns what it prints. An exit code other than 0 is an error.
	Run(ctx context.Context, argv ...string) (string, error)
}

// A Bench is a device, and a fleet of that one device.
type Bench struct {
	Dir    string // a folder of the test
	System System
	At     string // the root folder of the device
	User   bool   // the root folder is a user's
	New    func(manager.Config) (*manager.Fleet, error)
	Fleet  *manager.Fleet
	Via    func(transport.Transport) transport.Transport // nil for the device's own
	Server *httptest.Server                              // of its repository, if it has one of its own

	seq atomic.Uint32
}

// Base returns b: whatever has a bench in it can be put to the tests of this package.
func (b *Bench) Base() *Bench { return b }

// Open makes another fleet of the device, which is closed with t.
func (b *Bench) Open(t *testing.T, change func(*manager.Config)) *manager.Fleet {
	t.Helper()
	c := manager.Config{Lock: -1, Poll: 10 * time.Millisecond, Limit: time.Minute, Reach: func(context.Context, inventory.Tenant, inventory.DeviceID) (manager.Device, error) {
		to := b.System.Transport()
		if b.Via != nil {
			to = b.Via(to)
		}
		return manager.Device{To: to, Root: b.At, User: b.User}, nil
	}}
	if change != nil {
		change(&c)
	}
	f, err := b.New(c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close(context.Background()) })
	return f
}

// Serve serves the files of a folder, which is the repository of the device, until the test ends.
func (b *Bench) Serve(t *testing.T, dir string) {
	t.Helper()
	b.Server = httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(b.Server.Close)
}

// Has is what the package manager itself says of a package.
func (b *Bench) Has(t *testing.T, name string) string {
	t.Helper()
	all, err := b.System.Installed(t.Context())
	require.NoError(t, err)
	return all[name]
}

// Write writes a file below the root folder.
func (b *Bench) Write(t *testing.T, name, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(b.At, name)), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(b.At, name), []byte(content), 0o644))
}

// Read returns what a file below the root folder holds.
func (b *Bench) Read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(b.At, name))
	require.NoError(t, err)
	return string(content)
}

// Installs says how many installations have begun: packages of beds write it into the file installs.
func (b *Bench) Installs(t *testing.T) int {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(b.At, "installs"))
	if os.IsNotExist(err) {
		return 0
	}
	require.NoError(t, err)
	return strings.Count(string(content), "begun")
}

// Pinned is a patch that brings a package to a version.
func Pinned(ecosystem string, scheme version.Scheme, name, to string) rollout.Pinned {
	return rollout.Pinned{ID: patch.ID(name + "=" + to), Reversal: patch.ReversalReinstall,
		Packages: []patch.Package{{Ecosystem: ecosystem, Name: name, Fixed: version.Version{Scheme: scheme, Text: to}}}}
}

// Content is content of these patches.
func Content(patches ...rollout.Pinned) rollout.Content { return rollout.Content{Patches: patches} }

// Task returns the next task of the device.
func (b *Bench) Task(op rollout.Op, c rollout.Content) rollout.Task {
	key := rollout.Key{Tenant: Tenant, ID: "q1"}
	return rollout.Task{ID: rollout.NewTaskID(key, "test", Device, op, b.seq.Add(1)), Rollout: key, Ring: "test", Tenant: Tenant, Device: Device, Op: op, Content: c,
		Attempt: 1, Issued: time.Now()}
}

// Deploy installs, and returns the last report.
func (b *Bench) Deploy(t *testing.T, patches ...rollout.Pinned) rollout.Report {
	t.Helper()
	r, err := b.Fleet.Deploy(t.Context(), b.Task(rollout.OpInstall, Content(patches...)))
	require.NoError(t, err)
	require.True(t, r.Phase.Last(), "%+v", r)
	return r
}

// Cut is a transport to a device that cannot be reached.
func Cut(transport.Transport) transport.Transport {
	return transport.Func(func(context.Context, transport.Command) (transport.Result, error) {
		return transport.Result{}, fmt.Errorf("cut: %w", patch.ErrUnreachable)
	})
}

// DownloadAhead shows that what was downloaded ahead is installed without the repository, and that what was not cannot be. P brings a
// package to its version 2.0-1 on devices that have 1.0-1.
func DownloadAhead(t *testing.T, served func(*testing.T) *Bench, p rollout.Pinned) {
	t.Helper()
	name := p.Packages[0].Name
	for _, ahead := range []bool{true, false} {
		b := served(t)
		if ahead {
			r, err := b.Fleet.Download(t.Context(), b.Task(rollout.OpDownload, Content(p)))
			require.NoError(t, err)
			require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
			require.Equal(t, "1.0-1", b.Has(t, name), "nothing is installed yet")
		}
		b.Server.Close()
		alone := p
		alone.Reversal = patch.ReversalNone // nothing is to be kept, which takes the repository too
		r := b.Deploy(t, alone)
		if ahead {
			require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)
			require.Equal(t, "2.0-1", b.Has(t, name))
		} else {
			require.Equal(t, patch.Transient, r.Fault, "%+v", r)
			require.Equal(t, "1.0-1", b.Has(t, name))
		}
	}
}
