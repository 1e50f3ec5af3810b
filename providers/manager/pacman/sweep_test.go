//go:build linux

package pacman_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/internal/pacmanbed"
	"github.com/patchflow/patchflow/patch"
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
				root, err := first.root.Copy(filepath.Join(first.dir, fmt.Sprint(k)))
				require.NoError(t, err)
				b := &bench{dir: first.dir, repo: first.repo, root: root}
				b.fleet = newFleet(t, b, nil)
				strike := exec.CommandContext(t.Context(), "strace", "-f", "-o", "/dev/null", "-e", "trace="+sweep.calls, "-e", fmt.Sprintf("inject=%s:%s:when=%d", sweep.calls, sweep.inject, k),
					"pacman", "--root", root.Dir, "--dbpath", root.Dir+"/var/lib/pacman", "--config", root.Dir+"/etc/pacman.conf", "--cachedir", root.Dir+"/var/cache/pacman/pkg", "--logfile", root.Dir+"/var/log/pacman.log",
					"--gpgdir", root.Dir+"/etc/pacman.d/gnupg", "--hookdir", root.Dir+"/etc/pacman.d/hooks", "--noconfirm", "-U", b.repo.Pool(pacmanbed.Package{Name: "conf", Version: "2.0-1"}))
				through := strike.Run() == nil
				state := b.has(t, "conf")
				states[state]++
				r := b.deploy(t, pinned("conf", "2.0-1"))
				require.True(t, r.Phase == rollout.PhaseSucceeded || r.Fault == patch.AlreadyInstalled, "point %d, %s: %+v", k, state, r)
				require.Equal(t, "2.0-1", b.has(t, "conf"), "point %d", k)
				verified, err := b.fleet.Verify(t.Context(), b.task(rollout.OpVerify, content(pinned("conf", "2.0-1"))))
				require.NoError(t, err)
				// A version that was written down without its files is seen, and not taken for a success.
				altered := verified.Fault == patch.Permanent && b.read(t, pacmanbed.VersionFile("conf")) != "conf 2.0-1\n" && sweep.last > 0
				require.True(t, altered || verified.Phase == rollout.PhaseSucceeded, "point %d, %s: %+v", k, state, verified)
				require.NoError(t, os.RemoveAll(root.Dir))
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
