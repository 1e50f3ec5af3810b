package apt_test

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/aptbed"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// A rollout over real apt on a file system that is full: what was fetched for others takes the room that a package needs when it is unpacked.
// The remedy throws that away, the next try succeeds, and what was replaced is still kept.
func TestARolloutMakesRoomOnAFullDisk(t *testing.T) {
	b, _ := served(t)
	for suite, p := range map[string]aptbed.Package{stable: {Version: "1.0"}, security: {Version: "2.0", Size: 3 << 20}} {
		p.Name = "wide"
		require.NoError(t, b.repo.Add(suite, p))
		require.NoError(t, b.repo.Publish(t.Context(), suite, b.root.Arch, time.Time{}))
	}
	b.run(t, "apt-get", "-qq", "update")
	b.run(t, "apt-get", "-qq", "-y", "install", "wide=1.0")
	mounted(t, b, "size=12m")
	r, err := b.fleet.Download(t.Context(), b.task(rollout.OpDownload, content(pinned("big", "2.0"))))
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, "%+v", r)

	var has, room []string
	look := func() {
		has = append(has, b.has(t, "wide"))
		var fs syscall.Statfs_t
		require.NoError(t, syscall.Statfs(b.root.Dir, &fs))
		room = append(room, fmt.Sprint(fs.Bavail*uint64(fs.Bsize)>>10, " KiB"))
	}
	look()
	tries := rollsOut(t, watched{b.fleet, look, look}, patch.DiskFull, "wide")
	look()
	t.Log(tries, has, room)
	require.Equal(t, []string{"install failed disk-full", "remedy succeeded", "install succeeded", "verify succeeded"}, tries)
	require.Equal(t, []string{"1.0 installed", "1.0 installed", "1.0 installed", "2.0 installed"}, has)
	kept, err := filepath.Glob(filepath.Join(b.root.Dir, "var/lib/patchflow/*/wide_1.0*"))
	require.NoError(t, err)
	require.Len(t, kept, 1, "what there is to go back to was not thrown away")
}
