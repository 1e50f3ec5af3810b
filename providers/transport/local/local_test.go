package local

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/providers/transport"
)

func TestLocal(t *testing.T) {
	providertest.Transport(t, providertest.TransportHarness{New: func(*testing.T) transport.Transport { return New(Config{}) }})
}

func TestWhatACommandLeavesBehindIsNotWaitedFor(t *testing.T) {
	m := New(Config{Linger: time.Millisecond})
	r, err := m.Run(t.Context(), transport.Command{Argv: []string{"sh", "-c", "sleep 60 & echo $!"}})
	require.NoError(t, err)
	require.True(t, r.OK())
	pid, err := strconv.Atoi(string(r.Stdout[:len(r.Stdout)-1]))
	require.NoError(t, err)
	p, err := os.FindProcess(pid)
	require.NoError(t, err)
	require.NoError(t, p.Kill(), "it was still running")
}

func TestAProgramThatCannotBeExecutedIsCode126(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "plain"), []byte("x"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "noise"), []byte("\x01\x02"), 0o700))
	for _, name := range []string{"plain", "noise"} {
		r, err := New(Config{}).Run(t.Context(), transport.Command{Argv: []string{"./" + name}, Dir: dir})
		require.NoError(t, err)
		require.Equal(t, 126, r.Code, name)
	}
}

// A sudo that says what the real one says when it refuses, or that runs the command.
func TestSudo(t *testing.T) {
	bin := t.TempDir()
	program := func(name, script string) string {
		path := filepath.Join(bin, name)
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700))
		return path
	}
	for name, row := range map[string]struct {
		script string
		code   int
		fault  patch.Fault
	}{
		"runs the command":    {`shift 2; "$@"; exit 1`, 1, patch.NoFault},
		"wants a password":    {`echo "sudo: a password is required" >&2; exit 1`, 1, patch.Permanent},
		"knows no such right": {`echo "Sorry, user ada is not allowed to execute '/bin/true' as root on here." >&2; exit 1`, 1, patch.Permanent},
	} {
		t.Run(name, func(t *testing.T) {
			m := &machine{Config{Sudo: []string{program("sudo", row.script), "-n", "--"}, Grace: time.Second, Linger: time.Second}}
			r, err := m.runAs(t.Context(), transport.Command{Argv: []string{"sh", "-c", `printf "%s" "$A"`}, Env: []string{"A=one"}}, true)
			require.Equal(t, row.fault, patch.FaultOf(err), "%v", err)
			require.Equal(t, row.code, r.Code)
			if err == nil {
				require.Equal(t, "one", string(r.Stdout))
			}
		})
	}
}
