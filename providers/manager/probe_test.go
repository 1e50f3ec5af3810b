//go:build unix

package manager

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

// units is a device on which systemd says this of its units. Others are not asked about.
type units map[string]transport.Result

func (u units) Run(_ context.Context, c transport.Command) (transport.Result, error) {
	r, ok := u[c.Argv[len(c.Argv)-1]]
	if !ok {
		return r, errors.New("asked about another unit")
	}
	r.Ended = true
	return r, nil
}

func state(load, active string) transport.Result {
	return transport.Result{Stdout: []byte("LoadState=" + load + "\nActiveState=" + active + "\n")}
}

// What the answers are is proven on devices with systemd, in internal/e2e/sshfleet.
func TestWhatProbesFind(t *testing.T) {
	now := "2-1"
	tool := shelf{version: &now}
	device := units{
		"nginx": state("loaded", "active"), "slow": state("loaded", "activating"), "broken": state("loaded", "failed"),
		"nothing": state("not-found", "inactive"), "elsewhere": {}, "noshell": {Code: 127}, "foo@a\\x2db.service": state("loaded", "active"),
	}
	ledger := t.TempDir()
	f, err := New(Config{Reach: func(context.Context, inventory.Tenant, inventory.DeviceID) (Device, error) {
		return Device{To: device, Ledger: ledger}, nil
	}}, Kind{Name: "shelf", Scheme: version.RPM, Words: tool, Open: func(*Access) Tool { return tool }})
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close(context.Background()) })
	tasks := 0
	probe := func(t *testing.T, p policy.Probe) rollout.Report {
		tasks++
		task := rollout.Task{ID: rollout.TaskID(fmt.Sprint("a/", tasks)), Device: "ada", Op: rollout.OpProbe, Probes: []policy.Probe{p}}
		r, err := f.Probe(t.Context(), task)
		for ; err == nil && !r.Phase.Last(); r, err = f.Status(t.Context(), task) {
			runtime.Gosched()
		}
		require.NoError(t, err)
		return r
	}
	for _, row := range []struct {
		of, version string
		check       policy.ProbeCheck
		want        patch.Tri
		says        string
	}{
		{"nginx", "", policy.ProbeService, patch.Yes, "nginx is active"},
		{"slow", "", policy.ProbeService, patch.No, "slow is activating"},
		{"broken", "", policy.ProbeService, patch.No, "broken is failed"},
		{"nothing", "", policy.ProbeService, patch.No, "there is no unit nothing"},
		{"elsewhere", "", policy.ProbeService, patch.Unknown, "the device does not run systemd"},
		{"noshell", "", policy.ProbeService, patch.Unknown, "the device has no shell or no systemctl"},
		{"foo@a\\x2db.service", "", policy.ProbeService, patch.Yes, "foo@a\\x2db.service is active"},
		{"ng*", "", policy.ProbeService, patch.Unknown, `"ng*" is no name of a unit`},
		{"--all", "", policy.ProbeService, patch.Unknown, `"--all" is no name of a unit`},
		{"a b", "", policy.ProbeService, patch.Unknown, `"a b" is no name of a unit`},
		{"hello", "2-1", policy.ProbeVersion, patch.Yes, "hello is 2-1"},
		{"hello", "3-1", policy.ProbeVersion, patch.No, "hello is 2-1, older than 3-1"},
		{"world", "1-1", policy.ProbeVersion, patch.No, "world is not installed"},
		{"till", "", policy.ProbeCustom, patch.Unknown, "shelf knows no check till"},
		{`HKLM\SOFTWARE\Acme`, "", policy.ProbeRegistry, patch.Unknown, "shelf knows of no registry"},
	} {
		t.Run(row.of+" "+row.version, func(t *testing.T) {
			r := probe(t, policy.Probe{Name: "it", Check: row.check, Of: row.of, Version: row.version})
			require.Equal(t, rollout.PhaseSucceeded, r.Phase)
			require.Equal(t, []rollout.ProbeResult{{Name: "it", Up: row.want, Message: row.says}}, r.Probes)
		})
	}
	r := probe(t, policy.Probe{Name: "it", Of: "unheard"})
	require.Equal(t, rollout.PhaseFailed, r.Phase)
	require.Contains(t, r.Message, "shelf: probe it: asked about another unit")
}
