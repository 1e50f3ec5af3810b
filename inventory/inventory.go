package inventory

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

// A DeviceID names a device. It is unique among the devices of its tenant and of all tenants above and below that, and does
// not change while the device is the same device.
type DeviceID string

// A Tenant is the path of who owns a device, from the outside in, parted by slashes: "acme/berlin". A tenant contains the
// tenants below it. The empty tenant is a tenant of its own, which contains every other.
type Tenant string

// Contains says whether o is t or stands below it.
func (t Tenant) Contains(o Tenant) bool {
	return t == "" || t == o || strings.HasPrefix(string(o), string(t)+"/")
}

// Root returns the outermost tenant that t belongs to: "acme" for "acme/berlin".
func (t Tenant) Root() Tenant {
	root, _, _ := strings.Cut(string(t), "/")
	return Tenant(root)
}

// A Device is a managed endpoint: what is known of it now.
type Device struct {
	Tenant   Tenant            `json:"tenant"`
	ID       DeviceID          `json:"id"`
	Name     string            `json:"name,omitempty"` // for people; "" means the ID
	Labels   map[string]string `json:"labels,omitempty"`
	Platform patch.Platform    `json:"platform,omitzero"`
	Zone     string            `json:"zone,omitempty"` // IANA name, "Europe/Berlin"; "" if unknown
	Exposure Exposure          `json:"exposure"`
	LastSeen time.Time         `json:"lastSeen,omitzero"`

	// What its scans found. Software lists every installed package that a scan covered; Coverage says, manager by
	// manager, when that was and how complete. Missing is what the device itself says that it misses (Windows Update
	// does), for managers that judge for themselves.
	BootID        string     `json:"bootID,omitempty"` // changes at every boot
	PendingReboot patch.Tri  `json:"pendingReboot"`
	PendingSince  time.Time  `json:"pendingSince,omitzero"` // when it was first seen to wait for a restart; zero if it does not
	Software      []Software `json:"software,omitempty"`
	Missing       []patch.ID `json:"missing,omitempty"`
	Coverage      []Coverage `json:"coverage,omitempty"`

	// Updaters are other things that install updates on the device by themselves: "unattended-upgrades", "wsus". nil if
	// nobody looked.
	Updaters []string `json:"updaters,omitempty"`
}

// Exposure says whether a device can be reached from the internet.
type Exposure uint8

const (
	ExposureUnknown Exposure = iota
	Internal
	Public
)

func exposureNames() enum.Names { return enum.Names{"unknown", "internal", "public"} }

// String returns the lower-case name, as used in JSON and YAML.
func (e Exposure) String() string { return exposureNames().String("exposure", int(e)) }

// MarshalText implements [encoding.TextMarshaler].
func (e Exposure) MarshalText() ([]byte, error) { return exposureNames().Text("exposure", int(e)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (e *Exposure) UnmarshalText(text []byte) error {
	v, err := exposureNames().Parse("exposure", text)
	*e = Exposure(v)
	return err
}

// Software is one installed package.
type Software struct {
	Manager   string          `json:"manager"`          // what installs and lists it: "dpkg", "winget"
	Ecosystem string          `json:"ecosystem"`        // whose names and versions these are: "Debian:12"; see [patch.Package]
	Name      string          `json:"name"`             // the binary package
	Source    string          `json:"source,omitempty"` // the source package, if it has another name
	Arch      string          `json:"arch,omitempty"`
	Module    string          `json:"module,omitempty"` // the module stream that it belongs to, "nodejs:18"
	Version   version.Version `json:"version"`
	Held      bool            `json:"held,omitempty"` // its manager was told not to change it

	SourceVersion version.Version `json:"sourceVersion,omitzero"` // of the source package, if it is not Version
	Running       bool            `json:"running,omitempty"`      // of several versions that are installed side by side, as kernels are, the one in use
}

// Coverage says how completely a scan covered one package manager.
type Coverage struct {
	Manager string    `json:"manager"`
	Status  Status    `json:"status"`
	At      time.Time `json:"at"`               // when the look was taken
	Detail  string    `json:"detail,omitempty"` // why it is not complete, for people

	// Judges says that the manager itself tells which patches are missing (Windows Update does): what a scan lists as
	// Missing is its word. See [Device.Merge] for what follows if no manager says so.
	Judges bool `json:"judges,omitempty"`
}

// Status is the outcome of looking at one package manager.
type Status uint8

const (
	StatusUnknown Status = iota
	Complete             // everything was listed: what is absent is not there
	Partial              // what is listed is there; what is absent may be there too
	Skipped              // not looked at
	Failed               // looked at in vain
)

func statusNames() enum.Names {
	return enum.Names{"unknown", "complete", "partial", "skipped", "failed"}
}

// String returns the lower-case name, as used in JSON and YAML.
func (s Status) String() string { return statusNames().String("status", int(s)) }

// MarshalText implements [encoding.TextMarshaler].
func (s Status) MarshalText() ([]byte, error) { return statusNames().Text("status", int(s)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (s *Status) UnmarshalText(text []byte) error {
	v, err := statusNames().Parse("status", text)
	*s = Status(v)
	return err
}

// A Scan is what one fresh look at a device found.
type Scan struct {
	Tenant        Tenant     `json:"tenant"`
	Device        DeviceID   `json:"device"`
	At            time.Time  `json:"at"` // when the look began, by the clock of whoever took it
	Coverage      []Coverage `json:"coverage"`
	Software      []Software `json:"software,omitempty"`
	Missing       []patch.ID `json:"missing,omitempty"`
	BootID        string     `json:"bootID,omitempty"`
	PendingReboot patch.Tri  `json:"pendingReboot"`
	Updaters      []string   `json:"updaters,omitempty"` // as in [Device]; nil if the scan did not look, empty if there are none
}

// A Query narrows a listing of devices.
type Query struct {
	Tenant   Tenant   // only this tenant and those below it; "" asks for all
	Selector Selector // only those that match; the zero Selector asks for all here
}

// A Source lists the devices of a fleet.
//
// Implementations are safe for concurrent use and keep no position between calls: every call lists from the start.
type Source interface {
	// Devices yields the devices that match q, each (tenant, ID) once, with what their last scans found. It may yield
	// more than was asked for, never less. An error ends the sequence and is its last pair: what came before it is then
	// no complete list. When ctx is done the sequence ends with ctx's error.
	Devices(ctx context.Context, q Query) iter.Seq2[Device, error]
}

// A Scanner is a [Source] that can look at one device afresh. It is safe for concurrent use.
type Scanner interface {
	// Scan looks at d now. A device that cannot be reached is an error that wraps [patch.ErrUnreachable]; a manager that
	// could not be looked at is no error but coverage that says so.
	Scan(ctx context.Context, d Device) (Scan, error)
}
