package manager

import (
	"context"
	"errors"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
)

// ErrNotOffered is wrapped by the error of [Tool.Plan] when no source that the device knows has a version. A [Fetcher] fetches
// the indices again then, and the plan is made once more.
var ErrNotOffered = errors.New("no source of the device offers it")

// ErrUnfinished is wrapped by the error of [Tool.Carry] when packages are there, and a script of theirs has failed. They are taken for
// not installed: what was there before is put back.
var ErrUnfinished = errors.New("a script of a package has failed")

// A Kind is a package manager. Name, Scheme, Words and Open must be set.
type Kind struct {
	// Name stands before errors, and is how sentences call it: "apt".
	Name string

	// Scheme orders its versions.
	Scheme version.Scheme

	// Suffix is what names of its package files end with: ".deb". "" keeps no files.
	Suffix string

	// Restart is the command that restarts its devices; nil means "systemctl reboot".
	Restart []string

	// Words are what its names, versions and architectures look like.
	Words Words

	// Open returns the package manager of a device. It does nothing yet.
	Open func(m *Access) Tool
}

// Words tell what is a word of a package manager. The errors wrap [patch.ErrPermanent]; they are for words that no package has, or that
// could reach a command as something else: an option, a pattern, a path. What passes holds no slash and no space.
type Words interface {
	// CheckName passes names of packages.
	CheckName(name string) error

	// CheckVersion passes versions.
	CheckVersion(v string) error

	// CheckArch passes architectures, and "".
	CheckArch(arch string) error
}

// A Tool is the package manager of one device. Further abilities of it are found by their interfaces: [Fetcher], [Summer], [Keeper],
// [Repairer], [Cleaner], [Prover], [Holder], [Servicer], [Registrar]. Methods are not called at the same time; errors are classified by [patch.FaultOf].
type Tool interface {
	// Look tells what is on the device, afresh.
	Look(ctx context.Context) (*Sight, error)

	// Ready returns nil when nobody else works with the package manager and it was not interrupted. The error wraps [patch.ErrBusy]
	// or [patch.ErrCorrupt] otherwise, or is that of a device which cannot be asked.
	Ready(ctx context.Context) error

	// Plan tells everything that Carry would do, and does nothing. An error that wraps [ErrNotOffered] makes the indices be
	// fetched again.
	Plan(ctx context.Context, j Job) ([]Move, error)

	// Carry makes changes. That it returns nil is not believed, and that it does not neither: the device is looked at afterwards.
	Carry(ctx context.Context, j Job) error
}

// A Fetcher is a Tool that fetches packages from somewhere.
type Fetcher interface {
	// Refresh fetches the indices of the sources. One that could not be fetched, or that cannot be trusted, is an error.
	Refresh(ctx context.Context) error

	// Download brings what changes need to the device. It installs nothing.
	Download(ctx context.Context, changes []Change) error

	Summer
}

// A Summer is a Tool that knows the hashes of what it would fetch. Without it content with hashes is refused.
type Summer interface {
	// Sum returns the SHA-256, in hexadecimal digits, of the file that the sources offer for a change.
	Sum(ctx context.Context, c Change) (string, error)
}

// A Keeper is a Tool that can keep old packages to go back to.
type Keeper interface {
	// Keep brings the package that c.From is to [Access.Kept] unless it is there.
	Keep(ctx context.Context, c Change) error
}

// A Repairer is a Tool that can bring an interrupted database to an end. Nothing is removed that was whole. What cannot be mended is
// no error: whoever looks afterwards sees it.
type Repairer interface {
	// Repair ends what was interrupted. Second calls change nothing.
	Repair(ctx context.Context) error
}

// A Prover is a Tool that knows what the files of a package were when it was installed.
type Prover interface {
	// Altered tells one thing that is not as it was installed, configuration and documentation apart, or returns "".
	Altered(ctx context.Context, changes []Change) (string, error)
}

// A Holder is a Tool that can be told not to change a package.
type Holder interface {
	// Hold makes packages held, or not held any more.
	Hold(ctx context.Context, held bool, names []string) error
}

// A Servicer is a Tool that knows how services stand, on devices where systemd does not run them.
type Servicer interface {
	// Service says whether a service is up, and how it stands in words. What cannot be told is unknown, and no error.
	Service(ctx context.Context, name string) (patch.Tri, string, error)
}

// A Registrar is a Tool whose devices have a registry, those with Windows.
type Registrar interface {
	// Registry says whether the registry is as c wants it, and how it is in words, without what stands there. What cannot be told is
	// unknown, and no error.
	Registry(ctx context.Context, c policy.RegistryCheck) (patch.Tri, string, error)
}

// A Sight is what a device looks like.
type Sight struct {
	// Scan says what is installed and how far that can be believed. Tenant and Device are filled in by the Fleet. Software is nil
	// if the database could not be read.
	Scan inventory.Scan

	// Packages are those that can be worked on, each once by name and architecture: Software, with what is damaged, and of
	// packages that are installed side by side the newest.
	Packages []State

	Native string // the architecture of the device, "" if it is not known
	Wrong  error  // why the scan is not complete; wraps [patch.ErrCorrupt] if a repair may help
	Unsure error  // why there may be packages that Packages does not have
}

// Cover says how far a list of packages can be believed: whole if nothing of it was refused, which may be nil, and else partial, for the first
// reason. It sets Scan.Coverage, at the time of the scan, Wrong and Unsure; a second call replaces what the first one said.
func (s *Sight) Cover(manager string, refused *multierror.Error) {
	cover := inventory.Coverage{Manager: manager, Status: inventory.Complete, At: s.Scan.At}
	if s.Wrong, s.Unsure = refused.ErrorOrNil(), nil; s.Wrong != nil {
		s.Unsure = refused.Errors[0]
		cover.Status, cover.Detail = inventory.Partial, refused.Errors[0].Error()
	}
	s.Scan.Coverage = []inventory.Coverage{cover}
}

// A State is one package on a device.
type State struct {
	Name, Arch string
	Ecosystem  string
	Version    version.Version
	Held       bool
	Damaged    bool // it is neither installed nor gone
}

// A Change is one package that is to have another version.
type Change struct {
	Name, Arch string
	From, To   string
	Damaged    bool     // it is not whole as it is
	Sums       []string // SHA-256 of the files that the content allows; empty if it names none
}

// A Job is changes that are made together. Those that go back are made with the files that were kept, see [Access.Kept].
type Job struct {
	Changes []Change
	Back    bool
}

// A Move is something that a package manager would do.
type Move struct {
	Remove   bool
	Name     string
	Arch     string // "" if that is not told
	From, To string // "" if there is none, or if it is not told
}

func (s *Sight) has(name string) bool {
	for i := range s.Packages {
		if s.Packages[i].Name == name && !s.Packages[i].Damaged {
			return true
		}
	}
	return false
}

func (s *Sight) held(name string) bool {
	for i := range s.Packages {
		if s.Packages[i].Name == name && s.Packages[i].Held {
			return true
		}
	}
	return false
}

// find returns a package as it is on the device, or nil.
func (s *Sight) find(name, arch string) *State {
	for i := range s.Packages {
		if p := &s.Packages[i]; p.Name == name && p.Arch == arch {
			return p
		}
	}
	return nil
}

// free says whether an architecture is that of packages for all.
func free(arch string) bool {
	return arch == "" || arch == "all" || arch == "any" || arch == "noarch"
}

// states returns the packages that k is about.
func (s *Sight) states(k *patch.Package) []State {
	var found []State
	for _, p := range s.Packages {
		if p.Name == k.Name && p.Ecosystem == k.Ecosystem &&
			(free(k.Arch) || k.Arch == p.Arch || free(p.Arch) && (s.Native == "" || k.Arch == s.Native)) {
			found = append(found, p)
		}
	}
	return found
}
