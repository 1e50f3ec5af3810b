package apt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// A Root is the root folder of a system: "/" of the running one, or where a disk or an image is mounted. Nothing outside of
// it is read, whatever symbolic links in it say. It is safe for concurrent use.
type Root struct {
	Dir string // "" means "/"
}

var _ inventory.Scanner = Root{}

// open opens the root folder. A folder that is not there is a device that cannot be reached.
func (r Root) open() (*os.Root, error) {
	dir := r.Dir
	if dir == "" {
		dir = string(filepath.Separator)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("apt: %w: %w", err, patch.ErrUnreachable)
	}
	return root, nil
}

// Release reads etc/os-release, or usr/lib/os-release where the first is missing or leads out of the root.
func (r Root) Release() (Release, error) {
	root, err := r.open()
	if err != nil {
		return Release{}, err
	}
	defer root.Close()
	return releaseOf(root)
}

func releaseOf(root *os.Root) (Release, error) {
	f, err := root.Open("etc/os-release")
	if err != nil {
		var again error
		if f, again = root.Open("usr/lib/os-release"); again != nil {
			return Release{}, fmt.Errorf("apt: os-release: %w", err)
		}
	}
	defer f.Close()
	return ReadRelease(f)
}

// Scan looks at the system below the root and says of d what it found there: software with its coverage, boot ID, and
// whether a restart is due. It implements [inventory.Scanner].
//
// Coverage of [Manager] is complete if dpkg's status file was read whole and every package in it is installed or gone,
// partial if some are damaged or unreadable or dpkg has changes that it did not write there yet, and failed if the file or
// the release of the system could not be read; Detail says why. Only a root that is not there is an error; it wraps
// [patch.ErrUnreachable].
//
// PendingReboot is yes if run/reboot-required exists. It is no only on a running system (one with a boot ID) that has
// the program which packages call to create that file (of update-notifier-common): on others nobody would have.
func (r Root) Scan(ctx context.Context, d inventory.Device) (inventory.Scan, error) {
	if err := ctx.Err(); err != nil {
		return inventory.Scan{}, err
	}
	root, err := r.open()
	if err != nil {
		return inventory.Scan{}, err
	}
	defer root.Close()
	return evidenceOf(root).scan(d), ctx.Err()
}

// evidenceOf collects what the files below a root say.
func evidenceOf(root *os.Root) evidence {
	e := evidence{
		at:       time.Now().UTC(),
		release:  func() (Release, error) { return releaseOf(root) },
		status:   func() (io.ReadCloser, error) { return root.Open("var/lib/dpkg/status") },
		due:      exists(root, "run/reboot-required"),
		notifier: exists(root, "usr/share/update-notifier/notify-reboot-required"),
	}
	if id, err := root.ReadFile("proc/sys/kernel/random/boot_id"); err == nil {
		e.bootID = strings.TrimSpace(string(id))
	}
	updates, err := fs.ReadDir(root.FS(), "var/lib/dpkg/updates")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		e.unread = fmt.Errorf("apt: status: %w", err)
	}
	for _, entry := range updates {
		e.updates = append(e.updates, entry.Name())
	}
	return e
}

func exists(root *os.Root, name string) bool {
	_, err := root.Stat(name)
	return err == nil
}

// opener opens a file below the root, anew each time.
func (r Root) opener(name string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		root, err := r.open()
		if err != nil {
			return nil, err
		}
		defer root.Close()
		return root.Open(name)
	}
}
