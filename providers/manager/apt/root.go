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

	"github.com/hashicorp/go-multierror"

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
	scan := inventory.Scan{Tenant: d.Tenant, Device: d.ID, At: time.Now().UTC()}
	if id, err := root.ReadFile("proc/sys/kernel/random/boot_id"); err == nil {
		scan.BootID = strings.TrimSpace(string(id))
	}
	switch {
	case exists(root, "run/reboot-required"):
		scan.PendingReboot = patch.Yes
	case scan.BootID != "" && exists(root, "usr/share/update-notifier/notify-reboot-required"):
		scan.PendingReboot = patch.No
	}
	coverage := inventory.Coverage{Manager: Manager, Status: inventory.Complete, At: scan.At}
	scan.Software, err = softwareOf(root)
	if err != nil {
		coverage.Status = inventory.Partial
		if scan.Software == nil {
			coverage.Status = inventory.Failed
		}
		coverage.Detail = detail(err)
	}
	scan.Coverage = []inventory.Coverage{coverage}
	return scan, ctx.Err()
}

// softwareOf returns what is installed, and what stands against the list being complete. The list is nil if there is none.
func softwareOf(root *os.Root) ([]inventory.Software, error) {
	release, err := releaseOf(root)
	if err != nil {
		return nil, err
	}
	f, err := root.Open("var/lib/dpkg/status")
	if err != nil {
		return nil, fmt.Errorf("apt: status: %w", err)
	}
	defer f.Close()
	software, err := ReadStatus(f, release.Ecosystem())
	if software == nil {
		return nil, err
	}
	// While dpkg works it writes every change to a numbered file of its own, and to the status file only in the end.
	updates, readErr := fs.ReadDir(root.FS(), "var/lib/dpkg/updates")
	if readErr != nil && !errors.Is(readErr, fs.ErrNotExist) {
		err = multierror.Append(err, fmt.Errorf("apt: status: %w", readErr))
	}
	pending := 0
	for _, entry := range updates {
		if strings.Trim(entry.Name(), "0123456789") == "" {
			pending++
		}
	}
	if pending > 0 {
		err = multierror.Append(err, fmt.Errorf("apt: status: dpkg is at work or was interrupted, %d changes are not in it: %w", pending, patch.ErrCorrupt))
	}
	return software, err
}

func exists(root *os.Root, name string) bool {
	_, err := root.Stat(name)
	return err == nil
}

// detail tells the first of several errors, and how many there are.
func detail(err error) string {
	var several *multierror.Error
	if errors.As(err, &several) && len(several.Errors) > 0 {
		if len(several.Errors) == 1 {
			return several.Errors[0].Error()
		}
		return fmt.Sprintf("%v (and %d more)", several.Errors[0], len(several.Errors)-1)
	}
	return err.Error()
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
