package patch

import "github.com/patchflow/patchflow/internal/enum"

// A Classification says what kind of change a patch is. It is not a severity: Microsoft's "critical update" is a
// correction that has nothing to do with security.
type Classification uint8

const (
	ClassUnknown    Classification = iota // the publisher does not say, or uses a word that has no translation
	ClassSecurity                         // closes a vulnerability
	ClassCritical                         // an urgent correction that is not about security (Microsoft's sense)
	ClassBugfix                           // an ordinary correction: RPM's "bugfix", WSUS's "Updates", a Debian point release
	ClassDefinition                       // signatures of malware scanners and the like, several times a day
	ClassRollup                           // many corrections in one, security among them or not
	ClassFeature                          // new behaviour; a new release of an operating system
	ClassDriver
	ClassFirmware
	ClassOptional // offered on request only
)

func classNames() enum.Names {
	return enum.Names{"unknown", "security", "critical", "bugfix", "definition", "rollup", "feature", "driver", "firmware", "optional"}
}

// String returns the lower-case name, as used in JSON and YAML.
func (c Classification) String() string { return classNames().String("classification", int(c)) }

// MarshalText implements [encoding.TextMarshaler].
func (c Classification) MarshalText() ([]byte, error) {
	return classNames().Text("classification", int(c))
}

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (c *Classification) UnmarshalText(text []byte) error {
	v, err := classNames().Parse("classification", text)
	*c = Classification(v)
	return err
}

// A Severity says how bad it is not to have a patch. Severities are ordered: a greater one is worse.
type Severity uint8

const (
	SeverityUnrated Severity = iota // nobody has rated it; not the same as harmless
	SeverityLow
	SeverityModerate
	SeverityImportant
	SeverityCritical
)

func severityNames() enum.Names {
	return enum.Names{"unrated", "low", "moderate", "important", "critical"}
}

// String returns the lower-case name, as used in JSON and YAML.
func (s Severity) String() string { return severityNames().String("severity", int(s)) }

// MarshalText implements [encoding.TextMarshaler].
func (s Severity) MarshalText() ([]byte, error) { return severityNames().Text("severity", int(s)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (s *Severity) UnmarshalText(text []byte) error {
	v, err := severityNames().Parse("severity", text)
	*s = Severity(v)
	return err
}

// Reboot says whether a patch takes effect only after a restart of the device.
type Reboot uint8

const (
	RebootUnknown Reboot = iota // the publisher does not say
	RebootNever
	RebootMaybe // the installer tells, afterwards
	RebootAlways
)

func rebootNames() enum.Names { return enum.Names{"unknown", "never", "maybe", "always"} }

// String returns the lower-case name, as used in JSON and YAML.
func (r Reboot) String() string { return rebootNames().String("reboot", int(r)) }

// MarshalText implements [encoding.TextMarshaler].
func (r Reboot) MarshalText() ([]byte, error) { return rebootNames().Text("reboot", int(r)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (r *Reboot) UnmarshalText(text []byte) error {
	v, err := rebootNames().Parse("reboot", text)
	*r = Reboot(v)
	return err
}

// Reversal says how a patch can be taken back.
type Reversal uint8

const (
	ReversalUnknown   Reversal = iota // nobody says; treated as ReversalNone
	ReversalNone                      // it cannot be taken back
	ReversalUninstall                 // it can be removed
	ReversalReinstall                 // the version before it can be installed again
	ReversalSnapshot                  // only by going back to a snapshot of the device
)

func reversalNames() enum.Names {
	return enum.Names{"unknown", "none", "uninstall", "reinstall", "snapshot"}
}

// String returns the lower-case name, as used in JSON and YAML.
func (r Reversal) String() string { return reversalNames().String("reversal", int(r)) }

// MarshalText implements [encoding.TextMarshaler].
func (r Reversal) MarshalText() ([]byte, error) { return reversalNames().Text("reversal", int(r)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (r *Reversal) UnmarshalText(text []byte) error {
	v, err := reversalNames().Parse("reversal", text)
	*r = Reversal(v)
	return err
}

// Possible says whether patchflow itself can take such a patch back, by uninstalling it or by installing the version
// before it. Unknown is no.
func (r Reversal) Possible() bool { return r == ReversalUninstall || r == ReversalReinstall }

// Tri is a fact that may be unknown. Unknown is never read as No.
type Tri uint8

const (
	Unknown Tri = iota
	No
	Yes
)

func triNames() enum.Names { return enum.Names{"unknown", "no", "yes"} }

// TriOf returns Yes or No.
func TriOf(b bool) Tri {
	if b {
		return Yes
	}
	return No
}

// String returns the lower-case name, as used in JSON and YAML.
func (t Tri) String() string { return triNames().String("answer", int(t)) }

// MarshalText implements [encoding.TextMarshaler].
func (t Tri) MarshalText() ([]byte, error) { return triNames().Text("answer", int(t)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (t *Tri) UnmarshalText(text []byte) error {
	v, err := triNames().Parse("answer", text)
	*t = Tri(v)
	return err
}
