//go:build linux

package apt_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/aptbed"
	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// dpkg is killed, or told that the disk is full or broken, at the k-th of the calls by which it changes files, for every k until
// it gets through. Whatever state that leaves, the next task brings the device to the wanted versions.
func TestSweep(t *testing.T) {
	if os.Getenv("PATCHFLOW_LONG") == "" {
		t.Skip("PATCHFLOW_LONG is not set: it takes a minute")
	}
	need.Tool(t, "strace")
	for _, sweep := range []struct {
		name, calls, inject string
		step                int
	}{
		{"killed", "rename,unlink,link,fsync,fdatasync", "signal=SIGKILL", 1},
		{"disk full", "rename,link,fsync,write", "error=ENOSPC", 3},
		{"disk broken", "rename,link,fsync,write", "error=EIO", 3},
	} {
		t.Run(sweep.name, func(t *testing.T) {
			t.Parallel()
			first := filled(t, nil)
			states := make(map[string]int)
			points := 0
			for k := 1; ; k += sweep.step {
				require.Less(t, k, 1000, "dpkg does not get through")
				root, err := first.root.Copy(filepath.Join(first.dir, fmt.Sprint(k)))
				require.NoError(t, err)
				b := &bench{dir: first.dir, repo: first.repo, root: root}
				b.fleet = newFleet(t, b, nil)
				through := b.struck(t.Context(), sweep.calls, fmt.Sprintf("inject=%s:%s:when=%d", sweep.calls, sweep.inject, k))
				now, err := root.Installed(t.Context())
				require.NoError(t, err)
				states[now["hello"]+", "+now["kernelish"]]++
				r := b.deploy(t, pinned("hello", "2.0"), pinned("kernelish", "2.0"))
				require.True(t, r.Phase == rollout.PhaseSucceeded || r.Fault == patch.AlreadyInstalled, "point %d: %+v", k, r)
				require.Equal(t, "2.0 installed", b.has(t, "hello"), "point %d", k)
				require.Equal(t, "2.0 installed", b.has(t, "kernelish"), "point %d", k)
				require.Empty(t, b.run(t, "dpkg", "--audit"), "point %d", k)
				require.NoError(t, os.RemoveAll(root.Dir))
				if through {
					break
				}
				points++
			}
			require.Greater(t, points, 15)
			require.Greater(t, len(states), 2)
			t.Logf("%d points, %d states: %v", points, len(states), states)
		})
	}
}

// struck upgrades two packages by dpkg, which something happens to, and says whether it ended well all the same.
func (b *bench) struck(ctx context.Context, calls, inject string) bool {
	dpkg := exec.CommandContext(ctx, "strace", "-o", "/dev/null", "-e", "trace="+calls, "-e", inject,
		"dpkg", "--root="+b.root.Dir, "--force-script-chrootless", "--force-not-root", "--force-bad-path", "--log=/dev/null", "-i",
		b.repo.Pool(security, aptbed.Package{Name: "hello", Version: "2.0"}), b.repo.Pool(security, aptbed.Package{Name: "kernelish", Version: "2.0"}))
	dpkg.Env = append(os.Environ(), "DPKG_ROOT="+b.root.Dir)
	return dpkg.Run() == nil
}
