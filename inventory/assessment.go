package inventory

import (
	"cmp"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

// An Assessment is what [Assess] says of one device.
type Assessment struct {
	Tenant   Tenant      `json:"tenant"`
	Device   DeviceID    `json:"device"`
	Findings []Finding   `json:"findings,omitempty"` // one for each patch that the device misses, by patch ID
	Unknown  []Undecided `json:"unknown,omitempty"`  // what could not be decided, by reason, package and patch

	// Open lists holes for which no fixed version is known, and Pending those whose fix is installed and not in use before
	// the next restart; by patch and package. Exempt lists patches that a publisher declares the package not to need.
	Open    []Hole      `json:"open,omitempty"`
	Pending []Hole      `json:"pending,omitempty"`
	Exempt  []Exemption `json:"exempt,omitempty"`

	// Covered says that the device was scanned and that every manager known there was covered completely. Oldest is when
	// the manager that was not looked at for longest was looked at; zero if the device was never scanned.
	Covered bool      `json:"covered"`
	Oldest  time.Time `json:"oldest,omitzero"`
}

// State sums a up. A device that is known to miss something is missing it, however much else is unknown, and so is one on
// which a fix is not in use yet. A device of which anything is unknown is never clean. Open holes do not count: there is
// nothing that could be installed.
func (a *Assessment) State() State {
	switch {
	case len(a.Findings) > 0 || len(a.Pending) > 0:
		return StateMissing
	case !a.Covered || len(a.Unknown) > 0:
		return StateUnknown
	}
	return StateClean
}

// Standing yields the findings that no other finding supersedes: installing these is enough.
func (a *Assessment) Standing() iter.Seq[*Finding] {
	return func(yield func(*Finding) bool) {
		for i := range a.Findings {
			if a.Findings[i].SupersededBy == "" && !yield(&a.Findings[i]) {
				return
			}
		}
	}
}

// State is what can be said of a device in one word.
type State uint8

const (
	StateUnknown State = iota // never scanned, not covered completely, or something could not be decided
	StateClean                // nothing is missing, and that is known
	StateMissing              // something is missing
)

func stateNames() enum.Names { return enum.Names{"unknown", "clean", "missing"} }

// String returns the lower-case name, as used in JSON and YAML.
func (s State) String() string { return stateNames().String("state", int(s)) }

// MarshalText implements [encoding.TextMarshaler].
func (s State) MarshalText() ([]byte, error) { return stateNames().Text("state", int(s)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (s *State) UnmarshalText(text []byte) error {
	v, err := stateNames().Parse("state", text)
	*s = State(v)
	return err
}

// A Finding is one patch that one device misses, and how that is known.
type Finding struct {
	Patch    patch.ID  `json:"patch"`
	Evidence Evidence  `json:"evidence"`
	Packages []Missing `json:"packages,omitempty"` // what is below its fixed version, by manager, ecosystem, name and architecture

	// SupersededBy is another finding of the same device that makes this one unnecessary, and that is not superseded
	// itself. What the patch fixes is missing all the same.
	SupersededBy patch.ID `json:"supersededBy,omitempty"`
}

// Missing is an installed package that is below the version that a patch brings it to.
type Missing struct {
	Manager   string          `json:"manager"`
	Ecosystem string          `json:"ecosystem"`
	Name      string          `json:"name"`
	Arch      string          `json:"arch,omitempty"`
	Installed version.Version `json:"installed"`      // the highest, if several are; in a [Hole] that is pending, the one in use
	Fixed     version.Version `json:"fixed,omitzero"` // zero in a [Hole] that is open
	Held      bool            `json:"held,omitempty"` // its manager was told not to change it

	// Source is set if the patch names the source package only: Installed and Fixed are then versions of that, and there
	// is nothing that could be installed as it stands.
	Source string `json:"source,omitempty"`
}

// String returns what is wrong: "openssl 3.0.16-1 is below 3.0.17-1".
func (m Missing) String() string {
	name := m.Name
	if m.Source != "" && m.Source != m.Name {
		name += " (of " + m.Source + ")"
	}
	if m.Fixed.IsZero() {
		return fmt.Sprintf("%s %s has no fix", name, m.Installed)
	}
	return fmt.Sprintf("%s %s is below %s", name, m.Installed, m.Fixed)
}

// A Hole is something that a patch is about and that an installation would not change: there is no fixed version, or it is
// installed and not in use.
type Hole struct {
	Patch   patch.ID `json:"patch"`
	Package Missing  `json:"package"`
}

// String returns one line for people.
func (h Hole) String() string { return fmt.Sprintf("%s (%s)", h.Package, h.Patch) }

func (h Hole) compare(o Hole) int {
	return cmp.Or(cmp.Compare(h.Patch, o.Patch), strings.Compare(h.Package.Manager, o.Package.Manager),
		strings.Compare(h.Package.Ecosystem, o.Package.Ecosystem), strings.Compare(h.Package.Name, o.Package.Name),
		strings.Compare(h.Package.Arch, o.Package.Arch), strings.Compare(h.Package.Fixed.Text, o.Package.Fixed.Text),
		strings.Compare(h.Package.Source, o.Package.Source))
}

// An Exemption says that a package does not need a patch that its version would: a publisher declares that it is free of
// every CVE that the patch is about.
type Exemption struct {
	Patch patch.ID `json:"patch"`
	Name  string   `json:"name"`
	Arch  string   `json:"arch,omitempty"`
	By    patch.ID `json:"by"` // the patch with the declaration
}

// String returns one line for people.
func (e Exemption) String() string {
	return fmt.Sprintf("%s does not need %s: %s declares it free of that", e.Name, e.Patch, e.By)
}

func (e Exemption) compare(o Exemption) int {
	return cmp.Or(cmp.Compare(e.Patch, o.Patch), strings.Compare(e.Name, o.Name), strings.Compare(e.Arch, o.Arch), cmp.Compare(e.By, o.By))
}

// String returns one line for people, which names the first package: see [Finding.Explain] for all.
func (f Finding) String() string {
	var b strings.Builder
	switch n := len(f.Packages); {
	case n == 0 && f.Evidence == DeviceSays:
		b.WriteString("the device says that it is missing")
	case n == 0:
		b.WriteString("missing")
	case n == 1:
		b.WriteString(f.Packages[0].String())
	default:
		fmt.Fprintf(&b, "%s, and %d more", f.Packages[0], n-1)
	}
	fmt.Fprintf(&b, " (%s)", f.Patch)
	return b.String()
}

// Explain returns all that is known of f for people, a line for each reason, each with a line feed at its end.
func (f Finding) Explain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is missing\n", f.Patch)
	if f.Evidence == DeviceSays {
		b.WriteString("  the device says so\n")
	}
	for _, m := range f.Packages {
		fmt.Fprintf(&b, "  %s: %s", m.Manager, m)
		if m.Arch != "" {
			fmt.Fprintf(&b, ", %s", m.Arch)
		}
		if m.Held {
			b.WriteString(", held")
		}
		b.WriteByte('\n')
	}
	if f.SupersededBy != "" {
		fmt.Fprintf(&b, "  %s makes it unnecessary\n", f.SupersededBy)
	}
	return b.String()
}

// Evidence says how a finding is known.
type Evidence uint8

const (
	EvidenceUnknown Evidence = iota
	DeviceSays               // the device's own manager says so; [Finding.Packages] may confirm it
	BelowFixed               // an installed version is below the fixed one
)

func evidenceNames() enum.Names { return enum.Names{"unknown", "device-says", "below-fixed"} }

// String returns the lower-case name, as used in JSON and YAML.
func (e Evidence) String() string { return evidenceNames().String("evidence", int(e)) }

// MarshalText implements [encoding.TextMarshaler].
func (e Evidence) MarshalText() ([]byte, error) { return evidenceNames().Text("evidence", int(e)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (e *Evidence) UnmarshalText(text []byte) error {
	v, err := evidenceNames().Parse("evidence", text)
	*e = Evidence(v)
	return err
}

// Undecided is something about one device that could not be decided. Its fields are set as far as the reason has them.
type Undecided struct {
	Reason    Reason          `json:"reason"`
	Manager   string          `json:"manager,omitempty"`
	Ecosystem string          `json:"ecosystem,omitempty"`
	Name      string          `json:"name,omitempty"`
	Arch      string          `json:"arch,omitempty"`
	Patch     patch.ID        `json:"patch,omitempty"` // the device may miss it or not
	Installed version.Version `json:"installed,omitzero"`
	Fixed     version.Version `json:"fixed,omitzero"`
	Detail    string          `json:"detail,omitempty"` // for people
}

func (u Undecided) compare(o Undecided) int {
	return cmp.Or(
		cmp.Compare(u.Reason, o.Reason),
		strings.Compare(u.Manager, o.Manager),
		strings.Compare(u.Ecosystem, o.Ecosystem),
		strings.Compare(u.Name, o.Name),
		strings.Compare(u.Arch, o.Arch),
		cmp.Compare(u.Patch, o.Patch),
		strings.Compare(u.Fixed.Text, o.Fixed.Text),
		strings.Compare(u.Detail, o.Detail),
	)
}

// String returns one line for people.
func (u Undecided) String() string {
	var text string
	switch u.Reason {
	case NoCatalog:
		return "the catalog is empty: nothing can be known to be missing"
	case NeverScanned:
		return "the device was never scanned"
	case NotCovered:
		text = fmt.Sprintf("%s was not covered completely", u.Manager)
	case NoSoftware:
		return "the scan lists no software at all"
	case NoFeed:
		return fmt.Sprintf("no patch of the catalog is for %s (%s)", u.Ecosystem, u.Manager)
	case Incomparable:
		text = fmt.Sprintf("%s %s cannot be compared with what %s is about", u.Name, u.Installed, u.Patch)
		if !u.Fixed.IsZero() {
			text = fmt.Sprintf("%s %s cannot be compared with %s (%s)", u.Name, u.Installed, u.Fixed, u.Patch)
		}
	case UnknownStream:
		text = fmt.Sprintf("%s %s may be of another module stream than %s (%s)", u.Name, u.Installed, u.Fixed, u.Patch)
	case UnknownPatch:
		return fmt.Sprintf("the device says that it misses %s, which is not in the catalog", u.Patch)
	case OtherPlatform:
		return fmt.Sprintf("the device says that it misses %s, which is for another platform", u.Patch)
	default:
		text = u.Reason.String()
	}
	if u.Detail != "" {
		text += ": " + u.Detail
	}
	return text
}

// Reason says why something could not be decided.
type Reason uint8

const (
	ReasonUnknown Reason = iota
	NoCatalog            // the catalog is empty
	NeverScanned         // nothing was ever looked at
	NotCovered           // a manager was not covered completely: what is absent may be there
	NoSoftware           // the managers were covered, but list nothing, and none judges for itself
	NoFeed               // the catalog has no patch for an ecosystem of the device: no source was asked, or none exists
	Incomparable         // a version is none, or of another scheme
	UnknownPatch         // the device says that it misses a patch that the catalog does not have
	OtherPlatform        // the device says that it misses a patch that is for another platform
	UnknownStream        // package and patch come from modules, and it is not known whether from the same stream
)

func reasonNames() enum.Names {
	return enum.Names{"unknown", "no-catalog", "never-scanned", "not-covered", "no-software", "no-feed", "incomparable",
		"unknown-patch", "other-platform", "unknown-stream"}
}

// String returns the lower-case name, as used in JSON and YAML.
func (r Reason) String() string { return reasonNames().String("reason", int(r)) }

// MarshalText implements [encoding.TextMarshaler].
func (r Reason) MarshalText() ([]byte, error) { return reasonNames().Text("reason", int(r)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (r *Reason) UnmarshalText(text []byte) error {
	v, err := reasonNames().Parse("reason", text)
	*r = Reason(v)
	return err
}
