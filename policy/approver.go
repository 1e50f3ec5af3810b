package policy

import (
	"context"
	"time"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// A Request asks for leave to open a ring. It is plain data; two requests with one ID are the same question.
type Request struct {
	ID      string           `json:"id"`
	Tenant  inventory.Tenant `json:"tenant"`
	Rollout string           `json:"rollout"`
	Ring    string           `json:"ring"`
	Devices int              `json:"devices"` // how many the ring holds
	Patches []patch.ID       `json:"patches"` // what would be installed on some of them
	Digest  patch.Digest     `json:"digest"`  // of all that is asked for: tenant, plan, ring, content
	By      string           `json:"by"`      // who asks; the same person cannot approve
	At      time.Time        `json:"at"`
}

// A Decision answers a [Request]. It is worth nothing unless it names a person and repeats the digest of the request.
type Decision struct {
	Ruling Ruling       `json:"ruling"`
	By     string       `json:"by,omitempty"`
	Reason string       `json:"reason,omitempty"`
	Digest patch.Digest `json:"digest,omitempty"`
	At     time.Time    `json:"at,omitzero"`
}

// An Approver decides whether a ring may open. Nothing is approved by default: only a person's or a rule's word does. It is
// safe for concurrent use.
type Approver interface {
	// Decide answers r. While the ruling is [Pending] it is asked again, with an equal request. An error means that there is
	// no answer yet; it never counts as one.
	Decide(ctx context.Context, r Request) (Decision, error)
}

// ApproverFunc makes an [Approver] of a function.
type ApproverFunc func(ctx context.Context, r Request) (Decision, error)

// Decide calls f.
func (f ApproverFunc) Decide(ctx context.Context, r Request) (Decision, error) { return f(ctx, r) }

// Ruling is the answer of an [Approver].
type Ruling uint8

const (
	Pending Ruling = iota // not decided yet
	Approved
	Denied
)

func rulingNames() enum.Names { return enum.Names{"pending", "approved", "denied"} }

// String returns the lower-case name, as used in JSON and YAML.
func (r Ruling) String() string { return rulingNames().String("ruling", int(r)) }

// MarshalText implements [encoding.TextMarshaler].
func (r Ruling) MarshalText() ([]byte, error) { return rulingNames().Text("ruling", int(r)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (r *Ruling) UnmarshalText(text []byte) error {
	v, err := rulingNames().Parse("ruling", text)
	*r = Ruling(v)
	return err
}
