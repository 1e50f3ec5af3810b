// Package loop makes file systems for tests: in a file, mounted for as long as a test runs. It needs the rights of root.
package loop

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/patchflow/patchflow/internal/need"
)

// Btrfs returns where the top of a new btrfs file system of 300 MB is mounted, and the file that it is in.
func Btrfs(t *testing.T) (top, image string) {
	t.Helper()
	need.Root(t)
	need.Tool(t, "mkfs.btrfs")
	image = filepath.Join(t.TempDir(), "image")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 300<<20)); err != nil {
		t.Fatal(err)
	}
	Run(t, "mkfs.btrfs", "-q", image)
	return Mount(t, image, "subvolid=5"), image
}

// Mount mounts an image until the test ends, and returns where.
func Mount(t *testing.T, image, options string) string {
	t.Helper()
	top := t.TempDir()
	Run(t, "mount", "-o", "loop,"+options, image, top)
	t.Cleanup(func() { Run(t, "umount", "--detach-loop", top) })
	return top
}

// Run runs a program that succeeds, and returns what it prints.
func Run(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v: %s", argv, err, out)
	}
	return string(out)
}
