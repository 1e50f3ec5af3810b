package sshfleet

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// rings are a policy with three rings and a window from ten in the evening. Its pauses are as long as a clock of that speed shows them.
func rings(speed int) policy.Policy {
	second := policy.Duration(time.Second) * policy.Duration(speed)
	return policy.Policy{
		Name:    "security",
		Rules:   []policy.Rule{{Name: "security", Match: policy.Match{Classifications: []patch.Classification{patch.ClassSecurity}}, Verdict: policy.Approve}},
		Windows: []policy.Window{{Start: 22 * 60, End: 23 * 60}},
		Rings: []policy.Ring{
			{Name: "test", Size: 1, Gate: policy.Gate{Soak: second / 2}},
			{Name: "pilot", Share: 4000, Gate: policy.Gate{Soak: second / 2}},
			{Name: "broad", Rest: true},
		},
		Retry:  policy.Retry{Attempts: 5, Backoff: 2 * second, BusyEvery: 2 * second, OfflineEvery: 2 * second},
		Reboot: policy.Reboot{Mode: policy.RebootIfRequired, Timeout: 60 * second},
	}
}

// orders are what a controller of the site is told. Its clock shows ten in the evening in so long, and has that speed.
func (s *site) orders(t *testing.T, in time.Duration, speed int) orders {
	t.Helper()
	o := orders{Dir: t.TempDir(), Key: s.Key, KnownHosts: s.KnownHosts, Root: s.Devices[0].Root, Arch: s.arch, Restart: []string{"reboot"}, Policy: rings(speed), Patience: 4 * time.Minute,
		Clock: clock{Real: time.Now().Add(in).UTC().Truncate(time.Second), Shown: time.Date(2026, 3, 2, 22, 0, 0, 0, time.UTC), Speed: speed}}
	for _, d := range s.Devices {
		o.Names, o.Addrs = append(o.Names, inventory.DeviceID(d.Name)), append(o.Addrs, d.Addr)
	}
	return o
}

// live starts a controller and hears what it says, until it ends. hear may kill it.
func live(t *testing.T, o orders, hear func(what string, kill func())) (finished bool) {
	t.Helper()
	text, err := json.Marshal(o)
	require.NoError(t, err)
	path := filepath.Join(o.Dir, "orders.json")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.CommandContext(t.Context(), self, "-test.run=^TestController$", "-test.timeout=5m")
	c.Env = append(os.Environ(), ordersEnv+"="+path)
	var stdout, stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	killed := false
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		what, ours := strings.CutPrefix(scanner.Text(), "~ ")
		if !ours {
			fmt.Fprintln(&stdout, scanner.Text())
			continue
		}
		finished = finished || what == "finished"
		hear(what, func() {
			killed = true
			_ = c.Process.Kill()
		})
	}
	err = c.Wait()
	if !killed {
		require.NoError(t, err, "%s%s", stdout.String(), stderr.String())
	}
	return finished
}

// Eight devices are patched ring by ring, each once, within the window.
func TestFleet(t *testing.T) {
	s := newSite(t, 8)
	s.publish(t)
	o := s.orders(t, 2*time.Second, 1)
	require.True(t, live(t, o, func(string, func()) {}))
	s.prove(t, o, nil)
}
