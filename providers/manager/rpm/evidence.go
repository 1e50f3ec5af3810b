package rpm

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// evidence is what a system says of itself, however it was asked.
type evidence struct {
	at     time.Time // when the look began
	list   []installed
	err    error // what stands against the list being complete
	bootID string
	kernel string    // as the kernel tells its release
	boot   time.Time // when the system was started; zero if that is not known
	due    bool      // run/reboot-needed is there
}

// scan says of d what the evidence tells, as [Root.Scan] promises it.
func (e evidence) scan(d inventory.Device) inventory.Scan {
	scan := inventory.Scan{Tenant: d.Tenant, Device: d.ID, At: e.at, BootID: e.bootID}
	coverage := inventory.Coverage{Manager: Manager, Status: inventory.Complete, At: e.at}
	if e.err != nil {
		coverage.Status = inventory.Partial
		if e.list == nil {
			coverage.Status = inventory.Failed
		}
		coverage.Detail = detail(e.err)
	}
	if e.bootID != "" {
		markRunning(e.list, e.kernel)
		if !e.boot.IsZero() {
			if needsRestart(e.list, e.boot) {
				scan.PendingReboot = patch.Yes
			} else if coverage.Status == inventory.Complete {
				scan.PendingReboot = patch.No
			}
		}
	}
	if e.due {
		scan.PendingReboot = patch.Yes
	}
	for i := range e.list {
		scan.Software = append(scan.Software, e.list[i].Software)
	}
	scan.Coverage = []inventory.Coverage{coverage}
	return scan
}

// listOf reads what rpm has printed, and takes its complaints for what they mean. The list is nil if there is none.
func listOf(output []byte, complaints, ecosystem string) ([]installed, error) {
	list, err := readQuery(bytes.NewReader(output), ecosystem)
	switch {
	case list == nil:
		return nil, err
	case len(list) == 0:
		return nil, multierror.Append(err, errors.New("rpm: query: no package is installed, not even that of the system itself"))
	case complaints != "":
		// rpm leaves damaged entries out, and ends well.
		err = multierror.Append(err, fmt.Errorf("rpm: query: rpm says %q: %w", abbreviate(complaints), patch.ErrCorrupt))
	}
	return list, err
}

// complaintsOf returns what rpm says that is no warning.
func complaintsOf(stderr []byte) string {
	var lines []string
	for line := range strings.Lines(string(stderr)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "warning:") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
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
