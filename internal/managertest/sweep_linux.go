package managertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// A Sweep says how a package manager is struck while it installs the package conf.
type Sweep[B interface{ Base() *Bench }] struct {
	Calls string // those of the kernel at which it is killed: by them it changes files
	Step  int    // how many of them are passed over each time, unless PATCHFLOW_LONG is set
	Conf  rollout.Pinned
	File  string                                // below the root folder, what conf brings
	Holds string                                // what stands in it then
	Open  func(t *testing.T) B                  // a device that has an older version
	Copy  func(t *testing.T, b B, to string) B  // another one, in a folder that is not there yet, with a fleet
	Argv  func(b B) (argv []string, env string) // the command that installs conf, and a variable that it needs, or ""
}

// Run kills the package manager, or tells it that the disk is full, at the k-th of the calls by which it changes files, for every k until it
// gets through, or for some of them unless PATCHFLOW_LONG is set. Whatever state that leaves, the next task brings the device to the
// wanted version.
func (s Sweep[B]) Run(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	need.Tool(t, "strace")
	if os.Getenv("PATCHFLOW_LONG") != "" {
		s.Step = 1
	}
	for _, strike := range []struct {
		name, calls, inject string
		last                int // 0 goes on until it gets through
	}{
		{"killed", s.Calls, "signal=SIGKILL", 0},
		{"disk full", "rename,write,pwrite64", "error=ENOSPC", 60}, // not every failure ends it
	} {
		t.Run(strike.name, func(t *testing.T) {
			t.Parallel()
			first := s.Open(t)
			states := make(map[string]int)
			points := 0
			for k := 1; strike.last == 0 || k <= strike.last; k += s.Step {
				require.Less(t, k, 1000, "it does not get through")
				b := s.Copy(t, first, filepath.Join(first.Base().Dir, fmt.Sprint(k)))
				argv, env := s.Argv(b)
				c := exec.CommandContext(t.Context(), "strace", append([]string{"-f", "-o", "/dev/null", "-e", "trace=" + strike.calls,
					"-e", fmt.Sprintf("inject=%s:%s:when=%d", strike.calls, strike.inject, k)}, argv...)...)
				if env != "" {
					c.Env = append(os.Environ(), env)
				}
				through := c.Run() == nil
				states[s.settles(t, b.Base(), k, strike.last > 0)]++
				if through && strike.last == 0 {
					break
				}
				if !through {
					points++
				}
			}
			if strike.last == 0 || s.Step == 1 {
				require.Positive(t, points)
			}
			t.Logf("%d points, %d states: %v", points, len(states), states)
		})
	}
}

// settles installs conf on a device that was struck at the k-th call, which is gone then, and returns in which state that was. Where the disk
// was full, a version that was written down without its files is seen, and not taken for a success.
func (s Sweep[B]) settles(t *testing.T, b *Bench, k int, full bool) string {
	t.Helper()
	name, to := s.Conf.Packages[0].Name, s.Conf.Packages[0].Fixed.Text
	state := b.Has(t, name)
	r := b.Deploy(t, s.Conf)
	require.True(t, r.Phase == rollout.PhaseSucceeded || r.Fault == patch.AlreadyInstalled, "point %d, %s: %+v", k, state, r)
	require.Equal(t, to, b.Has(t, name), "point %d", k)
	verified, err := b.Fleet.Verify(t.Context(), b.Task(rollout.OpVerify, Content(s.Conf)))
	require.NoError(t, err)
	altered := verified.Fault == patch.Permanent && b.Read(t, s.File) != s.Holds && full
	require.True(t, altered || verified.Phase == rollout.PhaseSucceeded, "point %d, %s: %+v", k, state, verified)
	require.NoError(t, os.RemoveAll(b.At))
	return state
}
