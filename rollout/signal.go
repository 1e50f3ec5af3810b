package rollout

import (
	"time"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// A Signal is something that a host tells a [Machine]. Its time is part of it: a machine knows no other, and refuses a
// signal that is older than the one before ([ErrClock]).
type Signal interface{ when() time.Time }

// Begin starts a rollout. It is the first signal of its life.
type Begin struct{ At time.Time }

// Tick says that time has passed. It is due at [Machine.Next]; more ticks do no harm.
type Tick struct{ At time.Time }

// Granted says that these devices may be worked on, as wanted. What is no longer wanted is left out.
type Granted struct {
	At      time.Time
	Devices []int32
}

// Reported brings reports about tasks. The machine keeps the slice of reports.
type Reported struct {
	At      time.Time
	Reports []TaskReport
	Sharers []Sharer // who would share the restarts of these devices: [Agenda.Sharers] knows; nil if there is no agenda
}

// A TaskReport is a report with the task that it is about.
type TaskReport struct {
	Handle
	Report
}

// Decided brings an approver's answer to a request.
type Decided struct {
	At       time.Time
	Request  string
	Decision policy.Decision
}

// Seen says that these devices have been heard of.
type Seen struct {
	At      time.Time
	Devices []int32
}

// Reassessed says that patches have become more urgent on devices than they were when the plan was made, as [policy.Reassess]
// finds. What is not about devices and patches of this rollout is passed over.
type Reassessed struct {
	At          time.Time
	Escalations []policy.Escalation
}

// TakenOver says that a new owner has replayed the rollout. Its event makes the journal refuse the owner before.
type TakenOver struct {
	At time.Time
	By string
}

// Commanded brings the command of a person, or of a program on a person's behalf.
type Commanded struct {
	At      time.Time
	Command Command
}

// A Command is what a person wants of a rollout. By and Reason are kept with what it changes.
type Command struct {
	Do     Do                 `json:"do"`
	Ring   string             `json:"ring,omitempty"`   // with DoPromote, DoUndoRing, DoReview
	Device inventory.DeviceID `json:"device,omitempty"` // with DoSkip, DoUndoDevice, DoAcknowledge
	Patch  patch.ID           `json:"patch,omitempty"`  // with DoRelease, DoWithdraw
	Force  bool               `json:"force,omitempty"`  // with the undo commands: also below the fix of a vulnerability that is known to be exploited; needs a reason
	Now    bool               `json:"now,omitempty"`    // with the undo commands: an emergency, which does not wait for windows; needs a reason
	By     string             `json:"by"`
	Reason string             `json:"reason,omitempty"`

	Devices []inventory.DeviceID `json:"devices,omitempty"` // with DoRetry
}

// Do is a kind of [Command].
type Do uint8

const (
	DoNothing     Do = iota
	DoPause          // begin nothing until resumed; what runs goes on
	DoResume         // after a pause, or after a halt once every failed ring is promoted
	DoHalt           // begin nothing, and ask what runs to stop
	DoCancel         // end the rollout; what was installed stays
	DoUndo           // roll back everything that was touched
	DoUndoRing       // roll back one ring
	DoUndoDevice     // roll back one device
	DoSkip           // end the work on a device that is not at anything: it is left out, or has failed if an attempt was spent there
	DoPromote        // open the next ring whatever the gate says
	DoRelease        // end the quarantine of a patch
	DoReview         // close the review of a ring that was approved in an emergency: not by who approved it, and with what was found
	DoAcknowledge    // a device that was left disrupted uses up no budget any more; also once the rollout is over
	DoWithdraw       // a patch goes to nobody any more; what is installed stays
	DoStop           // an emergency: as DoHalt, and the tenant begins no other rollout until every one that was stopped is resumed or has ended. A gate that fails later rolls back as the policy says
	DoRetry          // devices that have failed are tried once more, each in its turn: all of them, or none. What was rolled back, skipped or cancelled is not: that was a decision
)

// afterwards says whether d makes sense for a rollout that is ending or over.
func (d Do) afterwards() bool { return d == DoRelease || d == DoReview || d == DoAcknowledge }

func doNames() enum.Names {
	return enum.Names{"nothing", "pause", "resume", "halt", "cancel", "undo", "undo-ring", "undo-device", "skip", "promote", "release",
		"review", "acknowledge", "withdraw", "stop", "retry"}
}

// String returns the lower-case name, as used in JSON.
func (d Do) String() string { return doNames().String("command", int(d)) }

// MarshalText implements [encoding.TextMarshaler].
func (d Do) MarshalText() ([]byte, error) { return doNames().Text("command", int(d)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (d *Do) UnmarshalText(text []byte) error {
	v, err := doNames().Parse("command", text)
	*d = Do(v)
	return err
}

func (s Begin) when() time.Time      { return s.At }
func (s Overtaken) when() time.Time  { return s.At }
func (s Tick) when() time.Time       { return s.At }
func (s Granted) when() time.Time    { return s.At }
func (s Reported) when() time.Time   { return s.At }
func (s Decided) when() time.Time    { return s.At }
func (s Seen) when() time.Time       { return s.At }
func (s Reassessed) when() time.Time { return s.At }
func (s TakenOver) when() time.Time  { return s.At }
func (s Commanded) when() time.Time  { return s.At }

// An Action is something that a host is to do, after the events of its batch are written down. An action that is done
// twice, with the same task or request ID, does no harm; one that is not done comes again from [Machine.Pending].
type Action interface{ action() }

// Run asks the host to carry out the tasks of these devices, by the deployer or one of its abilities, and to bring the
// reports back. [Machine.Task] tells what each of them is.
type Run struct{ Devices []int32 }

// Stop asks the host to cancel the tasks of these devices, if the deployer can.
type Stop struct{ Devices []int32 }

// Ask asks the host to put a request to the approver, again and again while the answer is pending, and to bring it back.
type Ask struct{ Request policy.Request }

func (Run) action()  {}
func (Stop) action() {}
func (Ask) action()  {}
