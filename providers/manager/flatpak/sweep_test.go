//go:build linux

package flatpak_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/flatpakbed"
	"github.com/patchflow/patchflow/internal/managertest"
	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// TestSweep kills flatpak, or tells it that the disk is full, at the k-th of the calls by which it changes files, for every k until it gets through, or for
// some of them unless PATCHFLOW_LONG is set. Whatever state that leaves, the next task brings the device to the wanted version.
func TestSweep(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	need.Tool(t, "strace")
	step := 7
	if os.Getenv("PATCHFLOW_LONG") != "" {
		step = 1
	}
	const calls = "rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat"
	for name, inject := range map[string]string{"killed": "signal=SIGKILL", "disk full": "error=ENOSPC"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := filled(t, nil)
			points := 0
			states := make(map[string]int)
			for k := 1; ; k += step {
				require.Less(t, k, 1000, "flatpak does not get through")
				b := *first
				b.Bench = &managertest.Bench{Dir: first.Dir, New: first.New, User: first.User}
				b.move(t, first.root, filepath.Join(first.Dir, fmt.Sprint(k)))
				b.Fleet = b.Open(t, nil)
				log := filepath.Join(first.Dir, "log")
				_, err := b.root.Run(t.Context(), "strace", "-f", "-o", log, "-e", "trace="+calls, "-e", fmt.Sprintf("inject=%s:%s:when=%d", calls, inject, k),
					"flatpak", "update", flatpakbed.Scope(), "--noninteractive", "-y", "--no-deps", "--no-related", "--commit="+b.repo.Version(hello, "2.0-1")[17:], hello)
				struck := exec.CommandContext(t.Context(), "grep", "-qE", "INJECTED|killed by SIGKILL", log).Run() == nil
				if err != nil {
					points++
				}
				states[b.at(t, hello)]++
				r := b.Deploy(t, b.pinned(hello, "2.0-1"))
				require.True(t, r.Phase == rollout.PhaseSucceeded || r.Fault == patch.AlreadyInstalled, "point %d: %+v", k, r)
				require.Equal(t, "2.0-1", b.at(t, hello), "point %d", k)
				verified, err := b.Fleet.Verify(t.Context(), b.Task(rollout.OpVerify, managertest.Content(b.pinned(hello, "2.0-1"))))
				require.NoError(t, err)
				require.Equal(t, rollout.PhaseSucceeded, verified.Phase, "point %d: %+v", k, verified)
				content, err := os.ReadFile(b.root.Active(hello, "files/version"))
				require.NoError(t, err)
				require.Equal(t, hello+" 2.0-1\n", string(content))
				require.NoError(t, os.RemoveAll(b.At))
				if !struck {
					break
				}
			}
			require.Positive(t, points)
			t.Logf("%d points at which it fails, and these states: %v", points, states)
		})
	}
}
