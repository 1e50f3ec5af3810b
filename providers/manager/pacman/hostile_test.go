//go:build linux

package pacman_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/managertest"
	"github.com/patchflow/patchflow/internal/pacmanbed"
)

// Every hostile name and version is given to everything that takes one, on a device with real pacman: nothing changes on it but the ledger.
func TestHostileNamesAndVersions(t *testing.T) {
	b := filled(t, nil)
	managertest.Hostile(t, b.Bench, pinned("hello", "2.0-1"), []string{"etc", "usr", "bin", "var/lib/pacman/local"}, []string{
		"--overwrite=*", "--hookdir=" + b.Dir, "-Rns", "test/hello", "test/*", "core/hello", "./hello.pkg.tar", b.Dir + "/repo/hello-2.0-1-any.pkg.tar.gz", "HELLO",
	})
}

// The guard is what stops them: pacman itself does as they say.
func TestWhatPacmanWouldDoWithoutAGuard(t *testing.T) {
	b := filled(t, nil)
	_, err := b.root.Run(t.Context(), "pacman", "--noconfirm", "-U", "--", b.repo.Pool(pacmanbed.Package{Name: "rival", Version: "1.0-1"}))
	require.NoError(t, err, "a path is a package")
	out, err := b.root.Run(t.Context(), "pacman", "-S", "--print", "--print-format=%n", "--", "test/hello")
	require.NoError(t, err)
	require.Equal(t, "hello\n", out)
}
