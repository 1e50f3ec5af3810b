//go:build linux

package fleetbed

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
)

// dyingEnv says how a child of the test dies.
const dyingEnv = "PATCHFLOW_FLEETBED_DIES"

// processes returns what runs in the namespace of this test, by number: what has ended and nobody has asked about is left out.
func processes(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended meanwhile
		}
		rest := text[bytes.LastIndexByte(text, ')')+1:]
		if fields := bytes.Fields(rest); len(fields) > 0 && string(fields[0]) != "Z" {
			all[filepath.Base(filepath.Dir(file))] = string(text[:len(text)-len(rest)])
		}
	}
	return all
}

// TestThatDies has a fleet, and dies without cleaning up.
func TestThatDies(t *testing.T) {
	how, ok := os.LookupEnv(dyingEnv)
	if !ok {
		t.Skip("runs as a child of the other tests")
	}
	if how == "panics" {
		Systemd(t, 1, nil)
	} else {
		New(t, 1)
	}
	fmt.Println("~ up", len(processes(t)))
	if how == "panics" {
		go func() { panic("as when the time for tests is over") }()
	}
	<-make(chan struct{})
}

// Whether a test panics in the midst, which it does when its time is over, or the command that runs it is killed: no process of its devices stays.
func TestNothingOutlivesItsTest(t *testing.T) {
	need.Root(t)
	need.Tool(t, "systemd-nspawn")
	for _, how := range []string{"panics", "is killed"} {
		t.Run(how, func(t *testing.T) {
			before := processes(t)
			self, err := os.Executable()
			require.NoError(t, err)
			c := exec.CommandContext(t.Context(), self, "-test.run=^TestThatDies$", "-test.timeout=5m")
			c.Env = slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, inside+"=") })
			c.Env = append(c.Env, dyingEnv+"="+how)
			var stderr bytes.Buffer
			c.Stderr = &stderr
			out, err := c.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, c.Start())
			n, said := 0, ""
			for lines := bufio.NewScanner(out); lines.Scan(); said += lines.Text() + "\n" {
				if _, err := fmt.Sscanf(lines.Text(), "~ up %d", &n); err == nil && how == "is killed" {
					require.NoError(t, c.Process.Kill())
				}
			}
			require.Error(t, c.Wait())
			require.Greater(t, n, 2, "its fleet was there: %s%s", said, stderr.String())
			var left map[string]string
			require.Eventually(t, func() bool {
				left = processes(t)
				maps.DeleteFunc(left, func(pid, _ string) bool { _, was := before[pid]; return was })
				return len(left) == 0
			}, 30*time.Second, 20*time.Millisecond, "%v", &left)
		})
	}
}
