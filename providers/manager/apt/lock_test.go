//go:build unix

package apt_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/aptbed"
)

// lock holds the lock of dpkg's frontends, as another apt does, until release is called or the test ends.
func lock(t *testing.T, r *aptbed.Root) (release func()) {
	t.Helper()
	return lockFile(t, filepath.Join(r.Dir, "var/lib/dpkg/lock-frontend"))
}

func lockFile(t *testing.T, name string) (release func()) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o640)
	require.NoError(t, err)
	require.NoError(t, syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK}))
	release = func() { _ = f.Close() }
	t.Cleanup(release)
	return release
}
