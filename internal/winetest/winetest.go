// Package winetest makes a Windows of wine for a test, in a folder of its own. Only tests import it.
package winetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/providers/transport"
)

// A Windows is one that runs until its test ends. Methods are safe for concurrent use.
type Windows struct {
	// Drive is where this machine sees C:\.
	Drive string

	t    testing.TB
	wine string
	env  []string
}

// Open makes a Windows and starts it. The test is skipped with -short, which takes no half minutes, and where there is no wine.
func Open(t testing.TB) *Windows {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes half a minute to make a Windows")
	}
	prefix := filepath.Join(t.TempDir(), "prefix")
	w := &Windows{Drive: filepath.Join(prefix, "drive_c"), t: t, wine: need.Tool(t, "wine")}
	w.env = append(os.Environ(), "WINEPREFIX="+prefix, "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml=;certutil.exe=n")
	require.Zero(t, w.Run("wineboot", "-i").Code)
	// Windows runs as long as a program does: each command alone would boot it, which carries out what waits for a restart.
	on := exec.Command(w.wine, "cmd.exe")
	on.Env = w.env
	in, err := on.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, on.Start())
	t.Cleanup(func() {
		c := exec.Command(w.wine+"server", "-k", "-w")
		c.Env = w.env
		_ = c.Run()
		_ = in.Close()
		_ = on.Wait()
	})
	return w
}

// Run runs a command. Of its exit code only the lowest 8 bits are known, see [Windows.Transport].
func (w *Windows) Run(argv ...string) transport.Result {
	w.t.Helper()
	r, err := w.run(w.t.Context(), argv)
	require.NoError(w.t, err)
	return r
}

func (w *Windows) run(ctx context.Context, argv []string) (transport.Result, error) {
	said, err := os.Create(filepath.Join(w.t.TempDir(), "said")) // a pipe would be held open by what a command leaves running
	if err != nil {
		return transport.Result{}, err
	}
	defer said.Close() //nolint:errcheck // it is read again
	c := exec.CommandContext(ctx, w.wine, argv...)
	c.Env, c.Stdout = w.env, said
	if err = c.Run(); c.ProcessState == nil {
		return transport.Result{}, err
	}
	out, err := os.ReadFile(said.Name())
	return transport.Result{Ended: true, Code: c.ProcessState.ExitCode(), Stdout: out}, err
}

// Install builds a program for this Windows from a folder with its source, and puts it to C:\windows\system32, in the place of what
// is called so there.
func (w *Windows) Install(source, name string) {
	w.t.Helper()
	to := filepath.Join(w.Drive, "windows", "system32", name)
	if err := os.Remove(to); err != nil {
		require.ErrorIs(w.t, err, os.ErrNotExist)
	}
	c := exec.CommandContext(w.t.Context(), "go", "build", "-o", to, "main.go")
	c.Dir = source
	c.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := c.CombinedOutput()
	require.NoError(w.t, err, "%s", out)
}

// Transport returns a transport that tells exit codes whole, by a program that it installs. A certutil.exe that knows "-hashfile FILE SHA256"
// comes with it: that of wine does nothing. There is no PowerShell: that of wine does nothing, and ends well. Commands run one after the other, and to
// their end. It is called once.
func (w *Windows) Transport() transport.Transport {
	w.t.Helper()
	_, file, _, ok := runtime.Caller(0)
	require.True(w.t, ok)
	agent := filepath.Join(filepath.Dir(file), "testdata", "agent")
	random := Forwarder("bcryptprimitives.dll", "ProcessPrng", "advapi32.SystemFunction036")
	require.NoError(w.t, os.WriteFile(filepath.Join(w.Drive, "windows", "system32", "bcryptprimitives.dll"), random, 0o600))
	w.Install(agent, "agent.exe")
	w.Install(agent, "certutil.exe")
	on := exec.Command(w.wine, "agent.exe", `C:\said`)
	on.Env = w.env
	in, err := on.StdinPipe()
	require.NoError(w.t, err)
	out, err := on.StdoutPipe()
	require.NoError(w.t, err)
	require.NoError(w.t, on.Start())
	w.t.Cleanup(func() {
		_ = in.Close()
		_ = on.Wait()
	})
	var mu sync.Mutex
	ask, answers := json.NewEncoder(in), json.NewDecoder(out)
	return transport.Func(func(ctx context.Context, c transport.Command) (transport.Result, error) {
		if err := errors.Join(c.Check(), ctx.Err()); err != nil {
			return transport.Result{}, err
		}
		if c.Argv[0] == "powershell.exe" {
			return transport.Result{Ended: true, Code: 127}, nil
		}
		mu.Lock()
		defer mu.Unlock()
		var end struct {
			Code           int
			Stdout, Stderr string
		}
		err := ask.Encode(c.Argv)
		if err == nil {
			err = answers.Decode(&end)
		}
		if err != nil {
			return transport.Result{}, fmt.Errorf("%q: %w", c.Argv, err)
		}
		return transport.Result{Ended: true, Code: end.Code, Stdout: []byte(end.Stdout), Stderr: []byte(end.Stderr)}, nil
	})
}
