package rollout

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// A Journal keeps rollouts: for each its plan, its entries, and a small head that says how it stands. An entry is an
// encoded batch of events; a journal does not look into it. It is safe for concurrent use.
//
// A call whose context is done fails with its error and changes nothing; a durable journal may wait for the result of a
// write that has begun. The caller may reuse the slices that it passed.
//
// The number of entries is the fence: whoever appends says how many there are, and fails if somebody else has appended
// meanwhile. So two owners of one rollout cannot both go on, and the table of entries is also the lock.
type Journal interface {
	// Create stores a new rollout with its first entries, all or nothing, durably. It fails with [ErrExists] if the tenant
	// has a rollout of that ID, and if h.Entries is not len(entries).
	Create(ctx context.Context, h Head, plan []byte, entries [][]byte) error

	// Append adds entries to a rollout and replaces its head, all or nothing, durably. h.Entries is the number of entries
	// after the call. It fails with [ErrConflict], and changes nothing, unless the journal holds exactly
	// h.Entries-len(entries) before; with [ErrNotFound] if there is no such rollout.
	Append(ctx context.Context, h Head, entries [][]byte) error

	// Load returns a rollout. Its entries are yielded in order, exactly those that Head.Entries counts; an error ends them,
	// [ErrConflict] if a trim has come in between. It fails with [ErrNotFound] if there is none.
	Load(ctx context.Context, k Key) (Record, error)

	// Heads yields the heads that match q, in the byte order of tenant and ID, with their times in UTC. An error ends the
	// sequence and is its last pair.
	Heads(ctx context.Context, q HeadQuery) iter.Seq2[Head, error]
}

// A Trimmer is a [Journal] that can drop the last entry of a rollout, after a crash that tore it.
type Trimmer interface {
	// Trim drops all entries after the first keep, and sets the head's Entries. If there are no more than keep nothing is
	// dropped; if there are fewer, or if more than one would go, it fails with [ErrConflict]: earlier corruption is nothing
	// to be trimmed away.
	Trim(ctx context.Context, k Key, keep uint64) error
}

// A Head says how a rollout stands, without its entries.
type Head struct {
	Key
	Entries    uint64       `json:"entries"`
	Stage      Stage        `json:"stage"`
	Created    time.Time    `json:"created"`
	Updated    time.Time    `json:"updated"`
	Quarantine []Quarantine `json:"quarantine,omitempty"`
	Reviews    []Review     `json:"reviews,omitempty"`  // that are due because of approvals in an emergency; closed ones are left out
	Leftover   int          `json:"leftover,omitempty"` // devices that the rollout, which is over, has left disrupted; see [Machine.Leftover]
}

// A HeadQuery narrows a listing of heads.
type HeadQuery struct {
	Tenant     inventory.Tenant // this tenant and those below; "" for all
	Unfinished bool             // only those whose stage is not final
	Leftover   bool             // only those whose stage is final and that have left devices disrupted; with Unfinished: both kinds
}

// Wants says whether a listing for q has h.
func (q *HeadQuery) Wants(h *Head) bool {
	return q.Tenant.Contains(h.Tenant) && (!q.Unfinished && !q.Leftover || q.Unfinished && !h.Stage.Final() || q.Leftover && h.Stage.Final() && h.Leftover > 0)
}

// A Record is a rollout as a journal returns it.
type Record struct {
	Head    Head
	Plan    []byte
	Entries iter.Seq2[[]byte, error] // a yielded slice is valid until the next one is asked for
}

// A Quarantine is the memory of a rollback: a patch that is not offered again to the tenant until it is superseded or the
// quarantine is released.
type Quarantine struct {
	Patch    patch.ID           `json:"patch"`
	Tenant   inventory.Tenant   `json:"tenant"`
	Device   inventory.DeviceID `json:"device,omitempty"` // only this device; "" for all of the tenant
	Since    time.Time          `json:"since"`
	Reason   string             `json:"reason"`
	Rollout  ID                 `json:"rollout"`
	Released time.Time          `json:"released,omitzero"`
	By       string             `json:"by,omitempty"` // who released it
}

// Errors of a [Journal].
var (
	ErrExists   = errors.New("rollout exists")
	ErrNotFound = errors.New("rollout not found")
	ErrConflict = errors.New("journal was changed by somebody else")
)

// Stage is how far a rollout is.
type Stage uint8

const (
	StageUnknown   Stage = iota
	StageActive          // going on
	StagePaused          // nothing is begun until it is resumed; what runs goes on
	StageHalted          // a gate failed or a person halted it: nothing is begun until a person decides
	StageUndoing         // being rolled back
	StageEnding          // nothing is begun any more; ends when what runs has ended
	StageDone            // final: every ring passed its gate
	StageUndone          // final: rolled back
	StageCancelled       // final: ended by a person
	StageDenied          // final: an approver said no
)

func stageNames() enum.Names {
	return enum.Names{"unknown", "active", "paused", "halted", "undoing", "ending", "done", "undone", "cancelled", "denied"}
}

// String returns the lower-case name, as used in JSON.
func (s Stage) String() string { return stageNames().String("stage", int(s)) }

// MarshalText implements [encoding.TextMarshaler].
func (s Stage) MarshalText() ([]byte, error) { return stageNames().Text("stage", int(s)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (s *Stage) UnmarshalText(text []byte) error {
	v, err := stageNames().Parse("stage", text)
	*s = Stage(v)
	return err
}

// Final says whether nothing happens to a rollout any more at stage s.
func (s Stage) Final() bool { return s >= StageDone }
