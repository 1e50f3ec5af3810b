package apt

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// evidence is what the files of a system say, however they were read.
type evidence struct {
	at       time.Time // when the look began
	release  func() (Release, error)
	status   func() (io.ReadCloser, error)
	updates  []string // names in var/lib/dpkg/updates
	unread   error    // why they are not known
	bootID   string
	due      bool // run/reboot-required is there
	notifier bool // and so is the program that creates it
}

// scan says of d what the evidence tells, as [Root.Scan] promises it.
func (e evidence) scan(d inventory.Device) inventory.Scan {
	scan := inventory.Scan{Tenant: d.Tenant, Device: d.ID, At: e.at, BootID: e.bootID}
	switch {
	case e.due:
		scan.PendingReboot = patch.Yes
	case scan.BootID != "" && e.notifier:
		scan.PendingReboot = patch.No
	}
	coverage := inventory.Coverage{Manager: Manager, Status: inventory.Complete, At: scan.At}
	var err error
	scan.Software, err = e.software()
	if err != nil {
		coverage.Status = inventory.Partial
		if scan.Software == nil {
			coverage.Status = inventory.Failed
		}
		coverage.Detail = detail(err)
	}
	scan.Coverage = []inventory.Coverage{coverage}
	return scan
}

// software returns what is installed, and what stands against the list being complete. The list is nil if there is none.
func (e evidence) software() ([]inventory.Software, error) {
	release, err := e.release()
	if err != nil {
		return nil, err
	}
	f, err := e.status()
	if err != nil {
		return nil, fmt.Errorf("apt: status: %w", err)
	}
	defer f.Close()
	software, err := ReadStatus(f, release.Ecosystem())
	if software == nil {
		return nil, err
	}
	if e.unread != nil {
		err = multierror.Append(err, e.unread)
	}
	// While dpkg works it writes every change to a numbered file of its own, and to the status file only in the end.
	pending := 0
	for _, name := range e.updates {
		if strings.Trim(name, "0123456789") == "" {
			pending++
		}
	}
	if pending > 0 {
		err = multierror.Append(err, fmt.Errorf("apt: status: dpkg is at work or was interrupted, %d changes are not in it: %w", pending, patch.ErrCorrupt))
	}
	return software, err
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
