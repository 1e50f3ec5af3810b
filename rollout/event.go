package rollout

import (
	"time"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// A Batch is what one step of a [Machine] decided. Its events are to be written down before any of its actions is done.
type Batch struct {
	At      time.Time
	Events  []Event
	Actions []Action
	Freed   []int32 // devices whose work in this rollout has ended for now, or that are not disrupted by it any more
}

// Empty says whether nothing was decided.
func (b *Batch) Empty() bool { return len(b.Events) == 0 && len(b.Actions) == 0 && len(b.Freed) == 0 }

// An Event is something that a [Machine] decided. Events are data: replaying them never decides anything again. Most of them
// are about many devices at once, which they name by their numbers in the plan.
//
// The set of events grows: a switch over them needs a default case. What an event holds never changes its meaning; new
// fields are added at its end, and are zero in older journals.
type Event interface {
	kind() byte
	encode(*encoder)
}

// Began is the first event of a rollout.
type Began struct {
	Digest patch.Digest // of the plan, so that a journal cannot be replayed on another
	Engine int          // version of the rules by which the machine decides; see [Engine]
}

// Adopted says that another process has taken the rollout over.
type Adopted struct{ By string }

// RingAsked says that leave was asked to open a ring.
type RingAsked struct {
	Ring    int
	Request policy.Request
}

// RingDecided says that an approver has answered. An answer that does not count has the reason in Refused, and changes
// nothing: the request stands. So it does after an approval that is not enough by itself; Short then says how many more
// people must approve at least. The emergency of a decision that was enough because of it, or that lifts windows or freezes,
// says what it bypassed.
type RingDecided struct {
	Ring     int
	Request  string
	Decision policy.Decision
	Refused  string
	Short    int
}

// Reviewed says that a person has looked at what an approval in an emergency led to.
type Reviewed struct {
	Request string // that was approved
	By      string
	Reason  string // what the person found
}

// RingOpened says that the devices of a ring may be worked on.
type RingOpened struct{ Ring int }

// RingSoaking says that a ring is good enough and is now only watched, until then.
type RingSoaking struct {
	Ring  int
	Until time.Time
}

// RingUnsettled says that a ring that was soaking or held is no longer as good, or as stuck, as it was: it is open again.
type RingUnsettled struct{ Ring int }

// RingHeld says that a ring cannot get any further by itself: a person has to promote it, roll it back, or cancel.
type RingHeld struct {
	Ring int
	Code string // "inconclusive", "manual", "timeout", "ramp", "health", "control"
}

// Judged is the result of a gate, with its evidence. It is written when the result changes. Pass closes the ring.
type Judged struct {
	Ring   int
	Result GateResult
	Counts Counts
	By     string // who promoted the ring against or without its gate; "" if the gate itself decided
	Reason string // with Pass: "no-need" if no device of the last ring needed it; with Fail: "evidence" if failures proved it, "feedback" if people said so, "timeout" if its time was up, "control" if it is worse than what got nothing

	Evidence Evidence // zero if the gate weighs none and compares nothing
}

// Overdue says that these devices had no outcome in the time that the evidence of their gate leaves them: for it they have
// failed, whatever becomes of them.
type Overdue struct{ Devices []int32 }

// Issued says that a task was begun for each of these devices. The count of every device's tasks goes up by one.
type Issued struct {
	Op       Op
	Absent   bool // with OpVerify: the content is to be found gone; with OpReboot: a rollback takes effect by it
	Devices  []int32
	StartBy  time.Time
	FinishBy time.Time
}

// Answered holds reports that were accepted. What follows from a last one is in the events after it.
type Answered struct{ Reports []TaskReport }

// Late holds reports that changed nothing: about tasks that have ended, or were never begun.
type Late struct{ Reports []TaskReport }

// TimedOut says that these devices have not finished their task in time. What is true on them is asked next.
type TimedOut struct{ Devices []int32 }

// Postponed says that these devices are tried again, each at its own time.
type Postponed struct {
	Op      Op // what is tried
	Absent  bool
	Fault   patch.Fault
	Spent   bool // an attempt was spent
	Devices []int32
	Until   []time.Time
	Frees   bool // others may work on the devices meanwhile; always so with OpInstall
}

// Returned says that these devices, which were unreachable, were seen again.
type Returned struct{ Devices []int32 }

// WindowMissed says that these devices, which were away when their window closed, are back while none is open, and what
// becomes of them: those with [policy.MissedRuns] need not wait for the next one, though freezes hold for them all the same;
// those with [policy.MissedSkips] are settled by an event of its own, as skipped, or as failed if an attempt was spent there.
type WindowMissed struct {
	Devices []int32
	Then    policy.Missed
}

// Downloaded says that these devices have ended to download ahead, and wait for their installation. That it failed counts for nothing:
// the installation downloads by itself.
type Downloaded struct {
	Devices []int32
	Failed  bool
	Fault   patch.Fault // if it failed and said why
}

// Escalated says that a patch has become more urgent on these devices, because more is known of it than when the plan was made.
// Those that wait for their first installation come first from now on, each in its ring. A patch that is now known to be
// exploited is not rolled back any more, unless that is forced.
type Escalated struct {
	Patch   patch.ID
	Causes  []policy.Cause
	Devices []int32
	Due     []time.Time // by device: by when; zero for at once, or no date
}

// Lapsed says that these devices have been unreachable for longer than the grace: they leave the denominator reached.
type Lapsed struct{ Devices []int32 }

// DeviceSettled says that the outcome of these devices is known. It stands, whatever is reported later; only a rollback
// that is decided here opens a device again.
type DeviceSettled struct {
	Outcome Outcome
	Fault   patch.Fault
	Owes    bool // a restart that the policy did not want
	Devices []int32
}

// Acknowledged says that a person knows that these devices were left disrupted: they use up no budget any more, until work on them
// begins again.
type Acknowledged struct {
	Devices []int32
	By      string
	Reason  string
}

// StopAsked says that these devices were asked to stop what they do.
type StopAsked struct{ Devices []int32 }

// UndoBegan says that these devices are rolled back. Refused lists those that cannot be, and why.
type UndoBegan struct {
	Scope   string // "device", "ring", "rollout"
	By      string // "" for the gate's own reaction
	Reason  string
	Devices []int32
	Refused []int32
	Why     string
	Now     bool // what is to be rolled back does not wait for its windows
}

// Quarantined says that these patches are not offered again until superseded or released.
type Quarantined struct {
	Patches []patch.ID
	Device  inventory.DeviceID // "" for all of the tenant
	Reason  string
}

// Released ends a quarantine.
type Released struct {
	Patch  patch.ID
	By     string
	Reason string
}

// Withdrawn says that a patch goes to nobody any more. These devices were to get it and had no outcome yet: each is settled as soon as
// nothing runs there, unless it has turned out to be well before it could be stopped.
type Withdrawn struct {
	Patch   patch.ID
	By      string
	Reason  string
	Devices []int32
}

// Staged says that the rollout has come to another stage.
type Staged struct {
	Stage  Stage
	Ending Stage  // with StageEnding and StageUndoing: the stage that follows
	Code   string // why: "gate", "command", "stop", "rollback", "finished", "denied"
	By     string
	Reason string
}

// A Counts says where the devices of a ring stand. It is the evidence of a gate.
type Counts struct {
	Devices    int `json:"devices"` // all of the ring
	Succeeded  int `json:"succeeded"`
	NoNeed     int `json:"noNeed"` // already installed, superseded, not applicable
	Failed     int `json:"failed"` // and not rolled back
	RolledBack int `json:"rolledBack"`
	Stuck      int `json:"stuck"`  // rollback failed
	Left       int `json:"left"`   // skipped, cancelled, away or gone, or succeeded and gone before it was known to be well
	Lapsed     int `json:"lapsed"` // unreachable for longer than the grace
	Active     int `json:"active"` // being worked on

	Denominator int `json:"denominator"` // as the gate names it
	Sample      int `json:"sample"`      // devices whose outcome says something

	Unwell     int `json:"unwell,omitempty"`     // succeeded, and worse than before: not in Succeeded
	Unmeasured int `json:"unmeasured,omitempty"` // in Succeeded, and not known to be well, though the policy requires to know

	Fine  int `json:"fine,omitempty"`  // words of people that all is well, each person's last about each device
	Broke int `json:"broke,omitempty"` // words that the patch broke something

	Retried  int `json:"retried,omitempty"`  // tried again by hand, whatever has become of that
	Retrying int `json:"retrying,omitempty"` // of these: what becomes of it is not known yet; in Failed meanwhile

	Away int `json:"away,omitempty"` // in Left: unreachable until the deadline for that; for the floor of coverage they are still there
}

// GateResult is the result of a gate.
type GateResult uint8

const (
	Inconclusive GateResult = iota // neither can be said yet, or at all
	Pass
	Fail
)

func gateResultNames() enum.Names { return enum.Names{"inconclusive", "pass", "fail"} }

// String returns the lower-case name, as used in JSON.
func (r GateResult) String() string { return gateResultNames().String("gate result", int(r)) }

// MarshalText implements [encoding.TextMarshaler].
func (r GateResult) MarshalText() ([]byte, error) {
	return gateResultNames().Text("gate result", int(r))
}

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (r *GateResult) UnmarshalText(text []byte) error {
	v, err := gateResultNames().Parse("gate result", text)
	*r = GateResult(v)
	return err
}

// Outcome is what became of a device.
type Outcome uint8

const (
	Unsettled        Outcome = iota
	Succeeded                // seen by a fresh look
	AlreadyInstalled         // seen by a fresh look; nothing was done
	NotApplicable            // the device says that it is not for it
	Superseded               // the device has something newer
	Failed                   // attempts are used up, or the fault is permanent
	RolledBack               // taken back, and seen to be gone
	RollbackFailed           // could not be taken back
	Cancelled                // the rollout ended first
	Skipped                  // left out by a person
	Unreachable              // never reached while the rollout went on
	Gone                     // left the rollout before its outcome was known: see [Left]
	Away                     // not reached until the deadline for that, and nothing was begun there: see policy.Retry.OfflineDeadline
	numOutcomes
)

func outcomeNames() enum.Names {
	return enum.Names{"unsettled", "succeeded", "already-installed", "not-applicable", "superseded", "failed", "rolled-back",
		"rollback-failed", "cancelled", "skipped", "unreachable", "gone", "away"}
}

// String returns the lower-case name, as used in JSON.
func (o Outcome) String() string { return outcomeNames().String("outcome", int(o)) }

// MarshalText implements [encoding.TextMarshaler].
func (o Outcome) MarshalText() ([]byte, error) { return outcomeNames().Text("outcome", int(o)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (o *Outcome) UnmarshalText(text []byte) error {
	v, err := outcomeNames().Parse("outcome", text)
	*o = Outcome(v)
	return err
}

// Outcomes returns all outcomes in order, [Unsettled] first.
func Outcomes() []Outcome {
	all := make([]Outcome, numOutcomes)
	for i := range all {
		all[i] = Outcome(i)
	}
	return all
}
