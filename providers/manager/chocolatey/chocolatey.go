// Package chocolatey patches Windows devices that have Chocolatey.
//
// Devices are reached by a transport that runs choco.exe and powershell.exe with the rights of an administrator, and have no sh: their
// Device.Ledger is to be set, and User. Where there is no powershell.exe (exit code 127), reg.exe tells whether a restart is due; a device that
// counts no boots is not restarted then, and one whose keys cannot be read is not patched. A version is asked for exactly. Chocolatey's dry run ("--noop") tells what would be done for packages
// that the task does not name, too. Rollback installs the version before where a source still offers it; what an installer does with an older
// version is the installer's affair, and the packages of Chocolatey are what is looked at afterwards. Pins are holds. Chocolatey installs
// what it fetches, so that nothing is downloaded ahead, and tells no SHA-256, so that content with one is refused.
//
// The commands and the readers of their output were tested against transcripts written after Chocolatey's documentation and public
// outputs of Chocolatey 2, and not with a real one. Outputs are those of --limit-output, which Chocolatey promises to keep.
package chocolatey

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/grammar"
	"github.com/patchflow/patchflow/providers/manager/internal/signs"
	"github.com/patchflow/patchflow/providers/manager/internal/windows"
	"github.com/patchflow/patchflow/providers/source/chocolatey"
	"github.com/patchflow/patchflow/providers/transport"
)

// New returns the fleet of c, whose devices have Chocolatey. The error wraps [patch.ErrPermanent] and names the field at fault. Close ends
// what is under way.
func New(c manager.Config) (*manager.Fleet, error) {
	return manager.New(c, manager.Kind{Name: "chocolatey", Scheme: version.NuGet, Words: grammar.Chocolatey(), Restart: windows.Restart(),
		Open: func(m *manager.Access) manager.Tool { return &machine{m} }})
}

// A machine is a device and how to work on it.
type machine struct{ *manager.Access }

var (
	_ manager.Keeper    = (*machine)(nil)
	_ manager.Holder    = (*machine)(nil)
	_ manager.Servicer  = (*machine)(nil)
	_ manager.Registrar = (*machine)(nil)
)

// run runs choco and classifies how it has ended.
func (m *machine) run(ctx context.Context, args ...string) (transport.Result, error) {
	res, err := m.Run(ctx, transport.Command{Argv: append([]string{"choco.exe"}, args...), MaxStdout: 8 << 20})
	if err == nil {
		err = Classify(res)
	}
	if err == nil && res.StdoutCut > 0 {
		err = fmt.Errorf("the output of choco %s is too long: %w", args[0], patch.ErrPermanent)
	}
	return res, err
}

// rows reads lines whose fields are parted by bars, of which there are at least n in each.
func rows(stdout []byte, n int) ([][]string, error) {
	var all [][]string
	for line := range bytes.Lines(stdout) {
		line := strings.TrimSpace(string(line))
		if line == "" {
			continue
		}
		fields := strings.Split(line, "|")
		if len(fields) < n {
			return nil, fmt.Errorf("chocolatey: the line %.100q is not understood: %w", line, patch.ErrCorrupt)
		}
		all = append(all, fields)
	}
	return all, nil
}

// list runs a command that lists packages. The exit code 2 is that of an empty list.
func (m *machine) list(ctx context.Context, args ...string) ([][]string, error) {
	res, err := m.Run(ctx, transport.Command{Argv: append([]string{"choco.exe"}, append(args, "--limit-output", "--no-color")...), MaxStdout: 8 << 20})
	if err == nil && (!res.Ended || res.Code != 2) {
		err = Classify(res)
	}
	if err != nil {
		return nil, err
	}
	return rows(res.Stdout, 2)
}

// Look implements [manager.Tool].
func (m *machine) Look(ctx context.Context) (*manager.Sight, error) {
	s := &manager.Sight{Scan: inventory.Scan{At: m.Now().UTC(), Software: []inventory.Software{}}}
	system, err := windows.Look(ctx, m.Access)
	if err != nil {
		return nil, fmt.Errorf("chocolatey: look: %w", err)
	}
	s.Scan.BootID, s.Scan.PendingReboot = system.Boot, system.Due()
	installed, err := m.list(ctx, "list")
	if err != nil {
		return nil, fmt.Errorf("chocolatey: list: %w", err)
	}
	pins, err := m.list(ctx, "pin", "list")
	if err != nil {
		return nil, fmt.Errorf("chocolatey: pin list: %w", err)
	}
	var wrong *multierror.Error
	for _, row := range installed {
		name := strings.ToLower(row[0])
		v, err := version.Parse(version.NuGet, row[1])
		if err != nil || grammar.Chocolatey().CheckName(name) != nil {
			wrong = multierror.Append(wrong, fmt.Errorf("chocolatey: list: package %.100q has the version %.100q: %w", row[0], row[1], patch.ErrRecord))
			continue
		}
		held := slices.ContainsFunc(pins, func(pin []string) bool { return strings.EqualFold(pin[0], name) })
		s.Scan.Software = append(s.Scan.Software, inventory.Software{Manager: chocolatey.Manager, Ecosystem: chocolatey.Ecosystem, Name: name, Version: v, Held: held})
		s.Packages = append(s.Packages, manager.State{Name: name, Ecosystem: chocolatey.Ecosystem, Version: v, Held: held})
	}
	s.Cover(chocolatey.Manager, wrong)
	return s, nil
}

// Ready implements [manager.Tool].
func (m *machine) Ready(ctx context.Context) error { return windows.Ready(ctx, m.Access) }

// upgrade returns the arguments that bring one package to a version.
func upgrade(c manager.Change, back bool, options ...string) []string {
	args := append(append([]string{"upgrade"}, options...), c.Name, "--version="+c.To, "--yes", "--no-progress", "--no-color", "--limit-output",
		"--fail-on-unfound", "--ignore-detected-reboot", "--skip-if-not-installed")
	if back {
		args = append(args, "--allow-downgrade")
	}
	return args
}

// Plan implements [manager.Tool].
func (m *machine) Plan(ctx context.Context, j manager.Job) ([]manager.Move, error) {
	var moves []manager.Move
	for _, c := range j.Changes {
		res, err := m.run(ctx, upgrade(c, j.Back, "--noop")...)
		if err != nil {
			return nil, err
		}
		all, err := rows(res.Stdout, 4)
		if err != nil {
			return nil, err
		}
		for _, row := range all {
			if row[1] == row[2] {
				continue // nothing would be done
			}
			moves = append(moves, manager.Move{Name: strings.ToLower(row[0]), From: row[1], To: row[2]})
		}
	}
	return moves, nil
}

// Service implements [manager.Servicer].
func (m *machine) Service(ctx context.Context, name string) (patch.Tri, string, error) {
	return windows.Service(ctx, m.Access, name)
}

// Registry implements [manager.Registrar].
func (m *machine) Registry(ctx context.Context, c policy.RegistryCheck) (patch.Tri, string, error) {
	return windows.Lookup(ctx, m.Run, c)
}

// Carry implements [manager.Tool].
func (m *machine) Carry(ctx context.Context, j manager.Job) error {
	for _, c := range j.Changes {
		if _, err := m.run(ctx, upgrade(c, j.Back)...); err != nil {
			return err
		}
	}
	return nil
}

// Keep implements [manager.Keeper]: nothing is kept on the device, a source must have the old version.
func (m *machine) Keep(ctx context.Context, c manager.Change) error {
	found, err := m.list(ctx, "search", c.Name, "--exact", "--version="+c.From)
	if err == nil && !slices.ContainsFunc(found, func(row []string) bool { return strings.EqualFold(row[0], c.Name) && row[1] == c.From }) {
		err = fmt.Errorf("no source offers %s %s: %w", c.Name, c.From, patch.ErrPermanent)
	}
	return err
}

// Hold implements [manager.Holder].
func (m *machine) Hold(ctx context.Context, held bool, names []string) error {
	verb := "add"
	if !held {
		verb = "remove"
	}
	for _, name := range names {
		if _, err := m.run(ctx, "pin", verb, "--name="+name, "--limit-output", "--no-color"); err != nil {
			return err
		}
	}
	return nil
}

// words are in the order of their weight.
func words() []signs.Sign {
	return []signs.Sign{
		{Words: "lock file exists", Class: patch.ErrBusy},
		{Words: "being used by another process", Class: patch.ErrBusy},
		{Words: "Another installation is already in progress", Class: patch.ErrBusy},
		{Words: "not enough space on the disk", Class: patch.ErrDiskFull},
		{Words: "Checksum for", Class: patch.ErrUntrusted},
		{Words: "hashes do not match", Class: patch.ErrUntrusted},
		{Words: "checksums do not match", Class: patch.ErrUntrusted},
		{Words: "requires either the checksum", Class: patch.ErrUntrusted},
		{Words: "signature", Class: patch.ErrUntrusted},
		{Words: "is pinned", Class: patch.ErrNeedsUser},
		{Words: "The package was not found with the source(s) listed", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "Unable to find package", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "is not installed", Class: patch.ErrNotApplicable},
		{Words: "Unable to resolve dependency", Class: patch.ErrPermanent},
		{Words: "Access to the path", Class: patch.ErrPermanent},
		{Words: "not from an elevated command shell", Class: patch.ErrPermanent},
		{Words: "Unable to load the service index"},
		{Words: "Unable to connect to source"},
		{Words: "could not be resolved"},
		{Words: "Error retrieving packages from source"},
	}
}

// Classify returns an error for choco that has not ended well. The exit codes are those that its documentation names, and those of Windows
// Installer, which Chocolatey hands on: 3010 and 1641 are good ends that want a restart. Where the code tells no class, what
// Chocolatey says does, which it says on its standard output.
func Classify(r transport.Result) error {
	if r.Ended {
		var class error
		switch r.Code {
		case 0, 3010, 1641:
			return nil
		case 350, 1604, 1618: // a restart is due before, an installation waits for one, another is at work
			class = patch.ErrBusy
		case 1602: // ERROR_INSTALL_USEREXIT
			class = patch.ErrNeedsUser
		case 112: // ERROR_DISK_FULL
			class = patch.ErrDiskFull
		case 1625, 1633, 1638, 1643: // by policy, another processor, another version is there, a patch by policy
			class = patch.ErrPermanent
		}
		if class != nil {
			return fmt.Errorf("%s: %w", r, class)
		}
	}
	return signs.Classify(r, words(), slices.Concat(r.Stderr, r.Stdout))
}
