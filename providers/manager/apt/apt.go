// Package apt looks at devices that run Debian, Ubuntu or another system with dpkg and apt: what is installed, what apt last
// fetched of its archives, whether a restart is due. It reads files below a root folder, runs no command and uses no
// network, so it works on any operating system, on mounted disks and on images of containers too.
package apt

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/internal/bounded"
	"github.com/patchflow/patchflow/internal/deb822"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

// Manager is what [inventory.Software] and [inventory.Coverage] call the package manager.
const Manager = "dpkg"

// A DamagedError is a package that is neither installed nor gone: dpkg was interrupted, or one of the package's scripts
// failed. It wraps [patch.ErrCorrupt].
type DamagedError struct {
	Name, Arch, Version string
	State               string // dpkg's word: "half-configured"; with "reinst-required" before it where dpkg says so
	Line                int    // in the status file, from 1
}

// Error implements error.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("apt: status: line %d: package %s %s %s is %s: %v", e.Line, e.Name, e.Version, e.Arch, e.State, patch.ErrCorrupt)
}

// Unwrap returns [patch.ErrCorrupt].
func (e *DamagedError) Unwrap() error { return patch.ErrCorrupt }

// ReadStatus reads dpkg's status file, plain or compressed, and returns what is installed, in the order of the file, as
// software of the ecosystem ("Debian:12"). Packages that were removed, with their configuration left or not, are none.
// A package that dpkg was told to hold is Held.
//
// The list is nil if the file could not be read to its end. Otherwise it is what could be read, and the error gathers what
// could not: a [*DamagedError] for each package in between, and for each unreadable stanza an error that names it and
// wraps [patch.ErrRecord]. Such a list is partial: what is absent from it may be there.
func ReadStatus(r io.Reader, ecosystem string) ([]inventory.Software, error) {
	const (
		name = iota
		state
		arch
		source
		versionText
	)
	content, err := bounded.NewReader(r, bounded.Limits{})
	if err != nil {
		return nil, fmt.Errorf("apt: status: %w", err)
	}
	software := []inventory.Software{}
	var wrong *multierror.Error
	stanzas := deb822.NewReader(content, deb822.Config{Fields: []string{"Package", "Status", "Architecture", "Source", "Version"}})
	for {
		stanza, err := stanzas.Next()
		if err == io.EOF {
			return software, wrong.ErrorOrNil()
		}
		var syntax *deb822.SyntaxError
		if errors.As(err, &syntax) {
			wrong = multierror.Append(wrong, fmt.Errorf("apt: status: %w: %w", err, patch.ErrRecord))
			continue
		}
		if err != nil {
			return nil, multierror.Append(wrong, fmt.Errorf("apt: status: %w", err))
		}
		unreadable := func(reason string) {
			wrong = multierror.Append(wrong, fmt.Errorf("apt: status: stanza %d, line %d: package %q: %s: %w",
				stanza.Number, stanza.Line, stanza.Bytes(name), reason, patch.ErrRecord))
		}
		// Status is what is wanted, a flag, and how it stands: "install ok installed".
		words := strings.Fields(stanza.Text(state))
		if len(words) != 3 {
			unreadable(fmt.Sprintf("field Status is %q", stanza.Bytes(state)))
			continue
		}
		if len(stanza.Bytes(name)) == 0 {
			unreadable("no field Package")
			continue
		}
		switch words[2] {
		case "not-installed", "config-files":
			continue
		case "installed", "half-installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending":
		default:
			unreadable(fmt.Sprintf("field Status is %q", stanza.Bytes(state)))
			continue
		}
		if words[2] != "installed" || words[1] != "ok" {
			damaged := &DamagedError{Name: stanza.Text(name), Arch: stanza.Text(arch), Version: stanza.Text(versionText), State: words[2], Line: stanza.Line}
			if words[1] != "ok" {
				damaged.State = "reinst-required " + words[2]
			}
			wrong = multierror.Append(wrong, damaged)
			continue
		}
		v, err := version.Parse(version.Deb, stanza.Text(versionText))
		if err != nil {
			unreadable("field Version: " + err.Error())
			continue
		}
		s := inventory.Software{
			Manager:   Manager,
			Ecosystem: ecosystem,
			Name:      stanza.Text(name),
			Arch:      stanza.Text(arch),
			Version:   v,
			Held:      words[0] == "hold",
		}
		// "openssl", or "openssl (3.0.16-1)" where the source has another version.
		if from, _, _ := strings.Cut(stanza.Text(source), " "); from != s.Name {
			s.Source = from
		}
		software = append(software, s)
	}
}
