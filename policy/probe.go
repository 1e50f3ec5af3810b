package policy

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/enum"
)

// MaxProbes is how many probes a policy may name: an engine keeps a bit of each for every device.
const MaxProbes = 32

// Probes say what is looked at on each device before anything is installed there, and again after the installation, and its
// restart, have been verified. What was down before does not count against the patch. Everything else must be up Within so long after the
// verification; it is looked at again and again until then, since services take their time to start; while the device is unreachable no time is used up. What is not known to be up is
// not up. The zero Probes look at nothing.
type Probes struct {
	List   []Probe      `json:"list,omitempty" yaml:"list,omitempty"`
	Before ProbeBefore  `json:"before,omitempty" yaml:"before,omitempty"` // what becomes of a device that is not well before
	Failed ProbeFailure `json:"failed,omitempty" yaml:"failed,omitempty"` // what a device is where something is down after that was not before
	Within Duration     `json:"within,omitempty" yaml:"within,omitempty"` // since the first look after; a single look takes no longer either; 0 means 15m
	Every  Duration     `json:"every,omitempty" yaml:"every,omitempty"`   // how often it is looked at again meanwhile; 0 means 1m
}

// A Probe is one look at a device. It is plain data, which the deployer's Prober carries out.
type Probe struct {
	Name    string     `json:"name" yaml:"name"`                           // of the probe, for people: "till"
	Check   ProbeCheck `json:"check,omitempty" yaml:"check,omitempty"`     // what is looked at
	Of      string     `json:"of" yaml:"of"`                               // the service, the application, the key of the registry, or the deployer's own name for a custom check
	Version string     `json:"version,omitempty" yaml:"version,omitempty"` // with the check version: the application must have this one or a newer one
	With    []string   `json:"with,omitempty" yaml:"with,omitempty"`       // with the checks custom and registry: the parameters, each as name=value
}

// ProbeCheck says what a probe looks at.
type ProbeCheck uint8

const (
	ProbeService  ProbeCheck = iota // a service is up
	ProbeVersion                    // an application has a version, or a newer one
	ProbeCustom                     // what the deployer knows by that name
	ProbeRegistry                   // a key of the registry of Windows is there, or a value in it, or it holds something: [Probe.Registry]
)

func probeCheckNames() enum.Names { return enum.Names{"service", "version", "custom", "registry"} }

// String returns the lower-case name, as used in JSON and YAML.
func (v ProbeCheck) String() string { return probeCheckNames().String("check", int(v)) }

// MarshalText implements [encoding.TextMarshaler].
func (v ProbeCheck) MarshalText() ([]byte, error) { return probeCheckNames().Text("check", int(v)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (v *ProbeCheck) UnmarshalText(text []byte) error {
	n, err := probeCheckNames().Parse("check", text)
	if err == nil {
		*v = ProbeCheck(n)
	}
	return err
}

// ProbeBefore says what becomes of a device on which a probe fails, or is not known to succeed, before anything is installed.
type ProbeBefore uint8

const (
	ProbeForgives  ProbeBefore = iota // it is patched; what is known to be down does not count against the patch
	ProbeLeavesOut                    // it is not touched: it is skipped
)

func probeBeforeNames() enum.Names { return enum.Names{"forgive", "leave-out"} }

// String returns the lower-case name, as used in JSON and YAML.
func (v ProbeBefore) String() string { return probeBeforeNames().String("probes before", int(v)) }

// MarshalText implements [encoding.TextMarshaler].
func (v ProbeBefore) MarshalText() ([]byte, error) {
	return probeBeforeNames().Text("probes before", int(v))
}

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (v *ProbeBefore) UnmarshalText(text []byte) error {
	n, err := probeBeforeNames().Parse("probes before", text)
	if err == nil {
		*v = ProbeBefore(n)
	}
	return err
}

// ProbeFailure says what a device is on which a probe fails after the installation. For the gate of its ring it has failed either way.
type ProbeFailure uint8

const (
	ProbeFails  ProbeFailure = iota // failed
	ProbeUnwell                     // succeeded, and worse than before
)

func probeFailureNames() enum.Names { return enum.Names{"failed", "unwell"} }

// String returns the lower-case name, as used in JSON and YAML.
func (v ProbeFailure) String() string { return probeFailureNames().String("failed probe", int(v)) }

// MarshalText implements [encoding.TextMarshaler].
func (v ProbeFailure) MarshalText() ([]byte, error) {
	return probeFailureNames().Text("failed probe", int(v))
}

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (v *ProbeFailure) UnmarshalText(text []byte) error {
	n, err := probeFailureNames().Parse("failed probe", text)
	if err == nil {
		*v = ProbeFailure(n)
	}
	return err
}

// WithDefaults returns p with its defaults in place of zero fields, if it looks at anything.
func (p Probes) WithDefaults() Probes {
	if len(p.List) > 0 {
		p.Within, p.Every = cmp.Or(p.Within, Duration(15*time.Minute)), cmp.Or(p.Every, Duration(time.Minute))
	}
	return p
}

// IsZero says whether nothing is set.
func (p Probes) IsZero() bool {
	return len(p.List) == 0 && p.Before == 0 && p.Failed == 0 && p.Within == 0 && p.Every == 0
}

// String returns what p looks at, and what follows, on one line: `web (service nginx); within 15m, every 1m; before: forgive; after: failed`.
func (p Probes) String() string {
	if len(p.List) == 0 {
		return "none"
	}
	p = p.WithDefaults()
	list := make([]string, len(p.List))
	for i := range p.List {
		list[i] = p.List[i].String()
	}
	return fmt.Sprintf("%s; within %s, every %s; before: %s; after: %s", strings.Join(list, ", "), p.Within, p.Every, p.Before, p.Failed)
}

// String returns what p looks at, on one line: `till (version contoso-till 4.2)`.
func (p Probe) String() string {
	return p.Name + " (" + strings.Join(append(strings.Fields(strings.Join([]string{p.Check.String(), p.Of, p.Version}, " ")), p.With...), " ") + ")"
}

func (c *checker) probes(path string, p *Probes) {
	c.enum(join(path, "before"), p.Before)
	c.enum(join(path, "failed"), p.Failed)
	c.duration(join(path, "within"), p.Within)
	c.duration(join(path, "every"), p.Every)
	at := join(path, "list")
	switch with := p.WithDefaults(); {
	case len(p.List) == 0 && !p.IsZero():
		c.fault(at, "is missing: nothing else of the probes is used without it")
	case len(p.List) > MaxProbes:
		c.fault(at, "%d probes, more than %d", len(p.List), MaxProbes)
	case with.Every > with.Within && with.Within >= 0:
		c.fault(join(path, "every"), "%s is longer than within, %s", with.Every, with.Within)
	}
	seen := make(map[string]int, len(p.List))
	for i := range p.List {
		x, at := &p.List[i], index(at, i)
		c.name(join(at, "name"), x.Name)
		c.unique(join(at, "name"), join(path, "list"), x.Name, seen, i)
		c.enum(join(at, "check"), x.Check)
		c.name(join(at, "of"), x.Of)
		switch {
		case x.Check == ProbeVersion:
			c.name(join(at, "version"), x.Version)
		case x.Version != "":
			c.fault(join(at, "version"), "only the check version has one")
		}
		switch x.Check {
		case ProbeRegistry:
			if _, field, wrong := x.registry(); wrong != "" && x.Of != "" {
				c.fault(at+"."+field, "%s", wrong)
			}
			continue
		case ProbeCustom:
		default:
			if len(x.With) > 0 {
				c.fault(join(at, "with"), "only the checks custom and registry have parameters")
			}
		}
		for k, with := range x.With {
			if name, _, ok := strings.Cut(with, "="); !ok || name == "" {
				c.fault(index(join(at, "with"), k), "%q is not name=value", clip(with))
			}
		}
	}
}
