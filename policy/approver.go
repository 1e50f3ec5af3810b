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

	Whole  bool     `json:"whole,omitempty"`  // the leave is for the whole rollout: Devices and Patches are those of all its rings
	Needs  []Need   `json:"needs,omitempty"`  // all of them must be met; none means that one person, whoever it is, is enough
	Passed []Passed `json:"passed,omitempty"` // the rings before this one that passed their own gates, in their order
}

// Passed tells how a ring stood whose gate let it pass. A ring that a person promoted is not among them.
type Passed struct {
	Ring      string `json:"ring"`
	Devices   int    `json:"devices"`
	Succeeded int    `json:"succeeded"`
	Bad       int    `json:"bad,omitempty"` // failed, or rolled back
}

// A Decision answers a [Request]. It is worth nothing unless it names a person and repeats the digest of the request.
// [Settle] says what several of them come to.
//
// By is who decides, in the one spelling that the product has for that person: two spellings are two people, but for
// capitals and blanks around them. Whoever hands a decision on vouches for By and Groups, or has a [KeyRing] do so.
type Decision struct {
	Ruling Ruling       `json:"ruling"`
	By     string       `json:"by,omitempty"`
	Reason string       `json:"reason,omitempty"`
	Digest patch.Digest `json:"digest,omitempty"`
	At     time.Time    `json:"at,omitzero"`

	Expires   time.Time  `json:"expires,omitzero"`    // from then on it does not count any more; zero means never
	Groups    []string   `json:"groups,omitempty"`    // that the person belongs to, without the "group:" of a [Need]
	Rule      string     `json:"rule,omitempty"`      // the rule that decided; By then names whoever stands for it. "" if a person did
	Emergency *Emergency `json:"emergency,omitempty"` // an approval for which there is no time to ask others
	Signature []byte     `json:"signature,omitempty"` // see [Decision.Sign]
}

// An Emergency says why one person approves alone, or why work cannot wait for its time. It shortens the way to an approval,
// and lifts what it says as far as the policy lets it. The ring is still the next in its turn, so that the first ring is
// never passed over. Afterwards somebody else has to review it.
type Emergency struct {
	Reason    string    `json:"reason"`             // required
	ReviewDue time.Time `json:"reviewDue"`          // required
	Bypass    Bypass    `json:"bypass,omitzero"`    // what the devices that are approved need not wait for
	Bypassed  []string  `json:"bypassed,omitempty"` // what was not waited for; written by whoever applies the decision, and not before
}

// A Panel is an [Approver] that keeps the decisions of several people apart, for requests that need more than one. Decide
// then tells what they come to.
type Panel interface {
	// Decisions returns all decisions about r so far, in the order in which they came. An error means that they are not known.
	Decisions(ctx context.Context, r Request) ([]Decision, error)
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
