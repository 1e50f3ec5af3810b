//go:build linux

package pacman_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/managertest"
	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/internal/pacmanbed"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/pacman"
	"github.com/patchflow/patchflow/rollout"
)

// pacman is killed, or told that the disk is full or broken, at the k-th of the calls by which it changes files, for every k until
// it gets through, or for some of them unless PATCHFLOW_LONG is set. Whatever state that leaves, the next task brings the device
// to the wanted version.
func TestSweep(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	need.Tool(t, "strace")
	step := 11
	if os.Getenv("PATCHFLOW_LONG") != "" {
		step = 1
	}
	for _, sweep := range []struct {
		name, calls, inject string
		last                int // 0 goes on until pacman gets through
	}{
		{"killed", "rename,unlink,unlinkat,mkdir,openat", "signal=SIGKILL", 0},
		{"disk full", "rename,write,pwrite64", "error=ENOSPC", 60}, // not every failure ends it
	} {
		t.Run(sweep.name, func(t *testing.T) {
			t.Parallel()
			first := filled(t, nil)
			states := make(map[string]int)
			points := 0
			for k := 1; sweep.last == 0 || k <= sweep.last; k += step {
				require.Less(t, k, 1000, "pacman does not get through")
				b := &bench{Bench: &managertest.Bench{Dir: first.Dir, New: pacman.New}, repo: first.repo}
				b.move(t, first.root, filepath.Join(first.Dir, fmt.Sprint(k)))
				b.Fleet = b.Open(t, nil)
				strike := exec.CommandContext(t.Context(), "strace", "-f", "-o", "/dev/null", "-e", "trace="+sweep.calls, "-e", fmt.Sprintf("inject=%s:%s:when=%d", sweep.calls, sweep.inject, k),
					"pacman", "--root", b.At, "--dbpath", b.At+"/var/lib/pacman", "--config", b.At+"/etc/pacman.conf", "--cachedir", b.At+"/var/cache/pacman/pkg", "--logfile", b.At+"/var/log/pacman.log",
					"--gpgdir", b.At+"/etc/pacman.d/gnupg", "--hookdir", b.At+"/etc/pacman.d/hooks", "--noconfirm", "-U", b.repo.Pool(pacmanbed.Package{Name: "conf", Version: "2.0-1"}))
				through := strike.Run() == nil
				state := b.Has(t, "conf")
				states[state]++
				r := b.Deploy(t, pinned("conf", "2.0-1"))
				require.True(t, r.Phase == rollout.PhaseSucceeded || r.Fault == patch.AlreadyInstalled, "point %d, %s: %+v", k, state, r)
				require.Equal(t, "2.0-1", b.Has(t, "conf"), "point %d", k)
				verified, err := b.Fleet.Verify(t.Context(), b.Task(rollout.OpVerify, managertest.Content(pinned("conf", "2.0-1"))))
				require.NoError(t, err)
				// A version that was written down without its files is seen, and not taken for a success.
				altered := verified.Fault == patch.Permanent && b.Read(t, pacmanbed.VersionFile("conf")) != "conf 2.0-1\n" && sweep.last > 0
				require.True(t, altered || verified.Phase == rollout.PhaseSucceeded, "point %d, %s: %+v", k, state, verified)
				require.NoError(t, os.RemoveAll(b.At))
				if through && sweep.last == 0 {
					break
				}
				if !through {
					points++
				}
			}
			if sweep.last == 0 || step == 1 {
				require.Positive(t, points)
			}
			t.Logf("%d points, %d states: %v", points, len(states), states)
		})
	}
}
