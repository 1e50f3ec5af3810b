package policy

import "github.com/patchflow/patchflow/internal/enum"

// A Verdict is what a policy says of one finding.
type Verdict uint8

const (
	NoDecision      Verdict = iota // no rule is about it: not installed
	Hold                           // not now: something about it is in doubt
	Reject                         // not at all
	Defer                          // not before some time has gone by
	RequireApproval                // once a person has approved: every ring that holds it asks
	Approve                        // to be installed
)

func verdictNames() enum.Names {
	return enum.Names{"no-decision", "hold", "reject", "defer", "require-approval", "approve"}
}

// String returns the lower-case name, as used in JSON and YAML.
func (v Verdict) String() string { return verdictNames().String("verdict", int(v)) }

// MarshalText implements [encoding.TextMarshaler].
func (v Verdict) MarshalText() ([]byte, error) { return verdictNames().Text("verdict", int(v)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (v *Verdict) UnmarshalText(text []byte) error {
	n, err := verdictNames().Parse("verdict", text)
	*v = Verdict(n)
	return err
}

// Denominator names the devices of a ring that a gate's rates are taken of. Devices that were cancelled or skipped are in
// none of them; failed devices are in all.
type Denominator uint8

const (
	Assigned Denominator = iota // all devices of the ring
	Reached                     // without those that have been unreachable for longer than the grace
	Settled                     // only those whose outcome is known
)

func denominatorNames() enum.Names { return enum.Names{"assigned", "reached", "settled"} }

// String returns the lower-case name, as used in JSON and YAML.
func (v Denominator) String() string { return denominatorNames().String("denominator", int(v)) }

// MarshalText implements [encoding.TextMarshaler].
func (v Denominator) MarshalText() ([]byte, error) {
	return denominatorNames().Text("denominator", int(v))
}

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (v *Denominator) UnmarshalText(text []byte) error {
	n, err := denominatorNames().Parse("denominator", text)
	*v = Denominator(n)
	return err
}

// OnTimeout says what happens when a gate runs out of time.
type OnTimeout uint8

const (
	TimeoutHolds OnTimeout = iota // the ring holds and asks
	TimeoutFails                  // the gate fails
)

func onTimeoutNames() enum.Names { return enum.Names{"hold", "fail"} }

// String returns the lower-case name, as used in JSON and YAML.
func (v OnTimeout) String() string { return onTimeoutNames().String("reaction to a timeout", int(v)) }

// MarshalText implements [encoding.TextMarshaler].
func (v OnTimeout) MarshalText() ([]byte, error) {
	return onTimeoutNames().Text("reaction to a timeout", int(v))
}

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (v *OnTimeout) UnmarshalText(text []byte) error {
	n, err := onTimeoutNames().Parse("reaction to a timeout", text)
	*v = OnTimeout(n)
	return err
}

// OnFail says what happens to the devices that were touched when a gate fails. In every case nothing more is begun.
type OnFail uint8

const (
	FailHolds         OnFail = iota // halted: a person decides
	FailRollsBackRing               // the failed ring is rolled back; what other rings have stays, and then a person decides
	FailRollsBackAll                // every ring is rolled back
)

func onFailNames() enum.Names { return enum.Names{"hold", "ring", "rollout"} }

// String returns the lower-case name, as used in JSON and YAML.
func (v OnFail) String() string { return onFailNames().String("reaction to a failed gate", int(v)) }

// MarshalText implements [encoding.TextMarshaler].
func (v OnFail) MarshalText() ([]byte, error) {
	return onFailNames().Text("reaction to a failed gate", int(v))
}

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (v *OnFail) UnmarshalText(text []byte) error {
	n, err := onFailNames().Parse("reaction to a failed gate", text)
	*v = OnFail(n)
	return err
}

// BackupNeed says whether a device is to have a backup before it is patched.
type BackupNeed uint8

const (
	BackupNone       BackupNeed = iota // nobody asks for one
	BackupBestEffort                   // it is tried once; without one the device is patched all the same, and that is written down
	BackupRequired                     // a device without one is not touched: after as many tries as an installation has it has failed
)

func backupNeedNames() enum.Names { return enum.Names{"none", "best-effort", "required"} }

// String returns the lower-case name, as used in JSON and YAML.
func (v BackupNeed) String() string { return backupNeedNames().String("need of a backup", int(v)) }

// MarshalText implements [encoding.TextMarshaler].
func (v BackupNeed) MarshalText() ([]byte, error) {
	return backupNeedNames().Text("need of a backup", int(v))
}

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (v *BackupNeed) UnmarshalText(text []byte) error {
	n, err := backupNeedNames().Parse("need of a backup", text)
	*v = BackupNeed(n)
	return err
}

// RebootBefore says what becomes of a device that waits for a restart already, before anything is installed there.
type RebootBefore uint8

const (
	BeforeNever     RebootBefore = iota // nobody looks: it is patched as it is
	BeforeIfPending                     // every device is looked at, and one that waits for a restart is restarted first
)

func rebootBeforeNames() enum.Names { return enum.Names{"never", "if-pending"} }

// String returns the lower-case name, as used in JSON and YAML.
func (v RebootBefore) String() string {
	return rebootBeforeNames().String("restart before an installation", int(v))
}

// MarshalText implements [encoding.TextMarshaler].
func (v RebootBefore) MarshalText() ([]byte, error) {
	return rebootBeforeNames().Text("restart before an installation", int(v))
}

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (v *RebootBefore) UnmarshalText(text []byte) error {
	n, err := rebootBeforeNames().Parse("restart before an installation", text)
	*v = RebootBefore(n)
	return err
}

// RebootMode says whether devices are restarted.
type RebootMode uint8

const (
	RebootNever      RebootMode = iota // never; a device that owes a restart is reported so
	RebootIfRequired                   // when the installation asks for it
	RebootAlways                       // after every installation
)

func rebootModeNames() enum.Names { return enum.Names{"never", "if-required", "always"} }

// String returns the lower-case name, as used in JSON and YAML.
func (v RebootMode) String() string { return rebootModeNames().String("reboot mode", int(v)) }

// MarshalText implements [encoding.TextMarshaler].
func (v RebootMode) MarshalText() ([]byte, error) {
	return rebootModeNames().Text("reboot mode", int(v))
}

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (v *RebootMode) UnmarshalText(text []byte) error {
	n, err := rebootModeNames().Parse("reboot mode", text)
	*v = RebootMode(n)
	return err
}
