package policy

import (
	"fmt"
	"time"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/patch"
)

// A Reason is one thing that a policy had to say of a finding: a code with its parameters. String renders it in English;
// other languages are rendered from the fields.
type Reason struct {
	Code           ReasonCode           `json:"code"`
	Rule           string               `json:"rule,omitempty"`           // the rule that it is about; "" for what holds without rules
	Verdict        Verdict              `json:"verdict"`                  // of that rule, whether it decided or not
	At             time.Time            `json:"at,omitzero"`              // when its deferral ends or ended; when the patch was withdrawn
	Classification patch.Classification `json:"classification,omitempty"` // of the patch, where the code is about it
	Note           string               `json:"note,omitempty"`           // the rule's own reason, in the words of who wrote it
}

// ReasonCode says what kind of reason a [Reason] is.
type ReasonCode uint8

const (
	ReasonNone           ReasonCode = iota
	ReasonRule                      // this rule decided
	ReasonPreceded                  // it would have, but one of the same weight stands before it
	ReasonOutranked                 // it would have, but something of more weight decided
	ReasonDeferOver                 // it deferred, and that time is over
	ReasonReleaseUnknown            // it defers, and nobody says when the patch was released: held
	ReasonNotNamed                  // it would have, but patches of this classification must be named
	ReasonWithdrawn                 // the publisher took the patch back
	ReasonContested                 // the publisher contradicts itself about the classification
)

func reasonNames() enum.Names {
	return enum.Names{"none", "rule", "preceded", "outranked", "defer-over", "release-unknown", "not-named", "withdrawn", "contested"}
}

// String returns the lower-case name, as used in JSON and YAML.
func (c ReasonCode) String() string { return reasonNames().String("reason", int(c)) }

// MarshalText implements [encoding.TextMarshaler].
func (c ReasonCode) MarshalText() ([]byte, error) { return reasonNames().Text("reason", int(c)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (c *ReasonCode) UnmarshalText(text []byte) error {
	v, err := reasonNames().Parse("reason", text)
	*c = ReasonCode(v)
	return err
}

// rank says how much weight r has in a decision, before the losers were marked; 0 means none.
func (r *Reason) rank() int {
	switch {
	case r.Code == ReasonWithdrawn, r.Code == ReasonContested: // the first of them stands first
		return 4
	case r.Code != ReasonRule && r.Code != ReasonReleaseUnknown:
		return 0
	case r.Verdict == Reject:
		return 3
	case r.Verdict == Hold:
		return 2
	}
	return 1
}

const dayAndTime = "2006-01-02 15:04 UTC"

// String returns r in English: one clause about the patch, without a full stop.
func (r Reason) String() string {
	at := r.At.UTC().Format(dayAndTime)
	var s string
	switch r.Code {
	case ReasonRule:
		s = fmt.Sprintf("rule %q %s", r.Rule, r.does())
	case ReasonPreceded:
		s = fmt.Sprintf("rule %q %s, but a rule before it decides", r.Rule, r.would())
	case ReasonOutranked:
		s = fmt.Sprintf("rule %q %s, but is outranked", r.Rule, r.would())
	case ReasonDeferOver:
		s = fmt.Sprintf("rule %q deferred it until %s, which is over", r.Rule, at)
	case ReasonReleaseUnknown:
		s = fmt.Sprintf("rule %q defers it from its release on, and nobody says when that was: held", r.Rule)
	case ReasonNotNamed:
		s = fmt.Sprintf("rule %q %s, but does not name patches classified as %s", r.Rule, r.would(), r.Classification)
	case ReasonWithdrawn:
		return "its publisher withdrew it on " + at
	case ReasonContested:
		return "its publisher contradicts itself about its classification: held"
	default:
		return "no reason"
	}
	if r.Note != "" {
		s += ": " + r.Note
	}
	return s
}

// does says in English what a verdict does to a patch.
func (r Reason) does() string {
	switch r.Verdict {
	case Hold:
		return "holds it"
	case Reject:
		return "rejects it"
	case Defer:
		return "defers it until " + r.At.UTC().Format(dayAndTime)
	case RequireApproval:
		return "requires approval for it"
	case Approve:
		return "approves it"
	}
	return "says nothing of it"
}

// would is does for a rule that did not decide.
func (r Reason) would() string {
	switch r.Verdict {
	case Hold:
		return "would hold it"
	case Reject:
		return "would reject it"
	case Defer:
		return "would defer it"
	case RequireApproval:
		return "would require approval for it"
	case Approve:
		return "would approve it"
	}
	return "says nothing of it"
}
