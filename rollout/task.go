package rollout

import (
	"bytes"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// An ID names a rollout within its tenant.
type ID string

// A Key names a rollout among those of all tenants.
type Key struct {
	Tenant inventory.Tenant `json:"tenant"`
	ID     ID               `json:"id"`
}

// String returns "tenant:id".
func (k Key) String() string { return string(k.Tenant) + ":" + string(k.ID) }

// A TaskID names a task for ever, across restarts and among those of all tenants. It is an idempotency key: whoever has
// begun a task does not begin it again under the same ID. It is built from its parts, "acme:q1/canary/ada/install/2", where
// the last is the device's own count of tasks; see [ParseTaskID].
type TaskID string

// A Handle finds the device of a task without searching: its number in the plan, and which of its tasks it is.
type Handle struct {
	Device int32  `json:"device"`
	Seq    uint32 `json:"seq"`
}

// Op is what a task does.
type Op uint8

const (
	OpUnknown Op = iota
	OpInstall
	OpReboot
	OpVerify
	OpRollback
	OpDownload // bring the content to the device, ahead of its installation
	OpBackup   // keep the device as it is, before its installation
	OpPrecheck // look at the policy's probes before anything is installed
	OpProbe    // look at them again once the installation was verified
	OpLook     // look whether the device waits for a restart, before anything is installed
	OpRemedy   // put the device right after a try that has failed, before the next one
	OpDrain    // take the device out of service, before anything disruptive is begun there
	OpUncordon // put it back into service

	lastOp = OpUncordon
)

func opNames() enum.Names {
	return enum.Names{"unknown", "install", "reboot", "verify", "rollback", "download", "backup", "precheck", "probe", "look", "remedy", "drain", "uncordon"}
}

// String returns the lower-case name, as used in JSON and in task IDs.
func (o Op) String() string { return opNames().String("operation", int(o)) }

// MarshalText implements [encoding.TextMarshaler].
func (o Op) MarshalText() ([]byte, error) { return opNames().Text("operation", int(o)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (o *Op) UnmarshalText(text []byte) error {
	v, err := opNames().Parse("operation", text)
	*o = Op(v)
	return err
}

// A Task is one command for one device. It is plain data.
type Task struct {
	ID      TaskID             `json:"id"`
	Handle  Handle             `json:"handle"`
	Rollout Key                `json:"rollout"`
	Ring    string             `json:"ring"`
	Tenant  inventory.Tenant   `json:"tenant"` // of the device: the rollout's, or below it
	Device  inventory.DeviceID `json:"device"`
	Op      Op                 `json:"op"`

	// Content is what the task is about, pinned when the plan was made. With [OpVerify] after a rollback Absent is set:
	// the content is to be found gone.
	Content Content `json:"content"`
	Absent  bool    `json:"absent,omitempty"`

	Attempt  int       `json:"attempt"`           // the how manieth try of Op on this device, from 1
	Issued   time.Time `json:"issued"`            // when the engine decided it
	StartBy  time.Time `json:"startBy,omitzero"`  // not to be begun any later: the window closes; zero for no limit
	FinishBy time.Time `json:"finishBy,omitzero"` // after this the engine asks the device what is true; zero for no limit

	// Ref is the provider's own handle for the task, as its last report gave it; "" before the first.
	Ref string `json:"ref,omitempty"`
	// BootID is the device's boot before a reboot that the task is to prove, if known.
	BootID string `json:"bootID,omitempty"`

	// Unended are the earlier tasks of this rollout on the device of which no end is known. A look ([OpVerify]) tells by Report.Idle whether
	// they run no more: until that is known, nothing is rolled back.
	Unended []TaskRef `json:"unended,omitempty"`

	// Since is set with [OpBackup]: a backup that the device has and that was made then or later will do.
	Since time.Time `json:"since,omitzero"`
	// Backup is what the device can be taken back to: the one that this rollout has a proof of. With [OpRollback] it is what patches
	// whose Reversal is [patch.ReversalSnapshot] are taken back by. Zero if there is none.
	Backup Backup `json:"backup,omitzero"`
	// Probes is set with [OpPrecheck] and [OpProbe]: what is looked at.
	Probes []policy.Probe `json:"probes,omitempty"`
	// Remedy is set with [OpRemedy]: the fault of the last try, which is to be put right.
	Remedy patch.Fault `json:"remedy,omitzero"`
}

// A Content is a set of patches that is installed together, pinned to versions and hashes when the plan is made.
type Content struct {
	Patches []Pinned `json:"patches"`
	Passes  []string `json:"passes,omitempty"` // the freezes of the policy that let all of these patches go on, by name
}

// appendKey appends what tells c from other contents of a plan: what is installed, in which versions, and when.
func (c *Content) appendKey(k []byte) []byte {
	for _, name := range c.Passes {
		k = append(append(k, 6), name...)
	}
	for i := range c.Patches {
		p := &c.Patches[i]
		k = append(append(k, 0), p.ID...)
		for j := range p.Packages {
			k = append(append(k, 1), p.Packages[j].Name...)
			k = append(append(k, 2), p.Packages[j].Arch...)
			k = append(append(k, 3), p.Packages[j].Fixed.Text...)
		}
	}
	return k
}

// same says whether o installs the same, in the same versions, at the same times.
func (c *Content) same(o *Content) bool {
	return len(c.Patches) == len(o.Patches) && bytes.Equal(c.appendKey(nil), o.appendKey(nil))
}

// A Pinned patch is what a plan keeps of a [patch.Patch]: enough to install, verify and take back exactly that.
type Pinned struct {
	ID        patch.ID        `json:"id"`
	Title     string          `json:"title,omitempty"`
	Packages  []patch.Package `json:"packages,omitempty"`
	Reboot    patch.Reboot    `json:"reboot"`
	Reversal  patch.Reversal  `json:"reversal"`
	Severity  patch.Severity  `json:"severity"`
	Exploited patch.Tri       `json:"exploited"`
	// Supersedes are the patches that it makes unnecessary, as its publisher says.
	Supersedes []patch.ID `json:"supersedes,omitempty"`

	Released time.Time `json:"released,omitzero"` // by its publisher; zero if that is not known
	Seen     time.Time `json:"seen,omitzero"`     // when a device that gets it with these other patches was first seen to miss it; zero if that is not known
}

// IDs returns the patches of c by name, in their order.
func (c Content) IDs() []patch.ID {
	ids := make([]patch.ID, len(c.Patches))
	for i := range c.Patches {
		ids[i] = c.Patches[i].ID
	}
	return ids
}

// Phase is where a task stands on its device.
type Phase uint8

const (
	PhaseUnknown   Phase = iota // never counts as anything
	PhaseQueued                 // handed over, not begun
	PhaseRunning                // begun
	PhaseSucceeded              // ended well, in the provider's opinion
	PhaseFailed                 // ended badly, for the reason in Fault
	PhaseStopped                // cancelled before it did anything
)

func phaseNames() enum.Names {
	return enum.Names{"unknown", "queued", "running", "succeeded", "failed", "stopped"}
}

// String returns the lower-case name, as used in JSON.
func (p Phase) String() string { return phaseNames().String("phase", int(p)) }

// MarshalText implements [encoding.TextMarshaler].
func (p Phase) MarshalText() ([]byte, error) { return phaseNames().Text("phase", int(p)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (p *Phase) UnmarshalText(text []byte) error {
	v, err := phaseNames().Parse("phase", text)
	*p = Phase(v)
	return err
}

// Last says whether p ends a task.
func (p Phase) Last() bool { return p == PhaseSucceeded || p == PhaseFailed || p == PhaseStopped }

// A Report says where a task stands. It is plain data. A report that repeats or contradicts one that ended the task
// changes nothing.
type Report struct {
	Phase      Phase         `json:"phase"`
	Fault      patch.Fault   `json:"fault,omitempty"`      // with PhaseFailed; none means transient there
	Message    string        `json:"message,omitempty"`    // the provider's own words, for people; no secrets
	Ref        string        `json:"ref,omitempty"`        // handed back in Task.Ref from now on; "" keeps the one before
	Reboot     patch.Tri     `json:"reboot,omitempty"`     // whether the device now owes a restart
	BootID     string        `json:"bootID,omitempty"`     // the device's boot, if known
	RetryAfter time.Duration `json:"retryAfter,omitempty"` // with PhaseFailed: not to be tried again any sooner
	Backup     Backup        `json:"backup,omitzero"`      // with PhaseSucceeded of an OpBackup: the proof of it
	Idle       patch.Tri     `json:"idle,omitempty"`       // with the last one of an OpVerify: whether all of Task.Unended surely run no more
	Probes     []ProbeResult `json:"probes,omitempty"`     // with PhaseSucceeded of an OpPrecheck or OpProbe: what was found; a probe that is missing is not known to be up
}

// Failure makes the report for a call that failed: [PhaseFailed], with the class that [patch.FaultOf] finds in err.
func Failure(err error) Report {
	r := Report{Phase: PhaseFailed, Fault: patch.FaultOf(err), Message: err.Error()}
	r.RetryAfter = retryAfter(err)
	return r
}

// escape keeps the characters that part a task ID out of its parts.
func escape(s string) string { return strings.ReplaceAll(url.PathEscape(s), ":", "%3A") }

// escapeTenant does that with all but what parts the path of a tenant.
func escapeTenant(t inventory.Tenant) string {
	return strings.ReplaceAll(escape(string(t)), "%2F", "/")
}

// NewTaskID builds the ID of a task. Names may hold any character.
func NewTaskID(k Key, ring string, d inventory.DeviceID, op Op, seq uint32) TaskID {
	return TaskID(escapeTenant(k.Tenant) + ":" + escape(string(k.ID)) + "/" + escape(ring) + "/" + escape(string(d)) + "/" + op.String() +
		"/" + strconv.FormatUint(uint64(seq), 10))
}

// A TaskName is a [TaskID] taken apart.
type TaskName struct {
	Rollout Key
	Ring    string
	Device  inventory.DeviceID
	Op      Op
	Seq     uint32
}

// ParseTaskID takes a task ID apart. It is the inverse of [NewTaskID].
func ParseTaskID(id TaskID) (TaskName, error) {
	bad := func(what string) (TaskName, error) {
		return TaskName{}, fmt.Errorf("rollout: task ID %q: %s", id, what)
	}
	tenant, rest, ok := strings.Cut(string(id), ":")
	if !ok {
		return bad("no colon after the tenant")
	}
	parts := strings.Split(rest, "/")
	if len(parts) != 5 {
		return bad("want rollout/ring/device/operation/count after the colon")
	}
	var n TaskName
	for i, to := range []*string{(*string)(&n.Rollout.ID), &n.Ring, (*string)(&n.Device)} {
		s, err := url.PathUnescape(parts[i])
		if err != nil {
			return bad(err.Error())
		}
		*to = s
	}
	t, err := url.PathUnescape(tenant)
	if err != nil {
		return bad(err.Error())
	}
	n.Rollout.Tenant = inventory.Tenant(t)
	if err := n.Op.UnmarshalText([]byte(parts[3])); err != nil {
		return bad(err.Error())
	}
	seq, err := strconv.ParseUint(parts[4], 10, 32)
	if err != nil {
		return bad("the count is no number")
	}
	n.Seq = uint32(seq)
	return n, nil
}
