package policy

import (
	"fmt"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/patch"
)

// A Reason is one thing that a policy had to say of a finding: a code with its parameters. String renders it in English;
// other languages are rendered from the fields.
type Reason struct {
	Code           ReasonCode           `json:"code"`
	Rule           string               `json:"rule,omitempty"`           // the rule that it is about; "" for what holds without rules
	Verdict        Verdict              `json:"verdict"`                  // of that rule, hold or exception, whether it decided or not
	At             time.Time            `json:"at,omitzero"`              // when it ends or ended; when an exception begins; when the patch was withdrawn
	Classification patch.Classification `json:"classification,omitempty"` // of the patch, where the code is about it
	Note           string               `json:"note,omitempty"`           // the reason that the policy gives, in the words of who wrote it

	Subject   string    `json:"subject,omitempty"`   // the exception, the hold or the deadline that it is about
	Due       time.Time `json:"due,omitzero"`        // of that deadline
	CVE       string    `json:"cve,omitempty"`       // that the patch closes too and the exception does not list
	Controls  []string  `json:"controls,omitempty"`  // of the exception: what is done instead
	URL       string    `json:"url,omitempty"`       // of the hold
	Approvers []string  `json:"approvers,omitempty"` // of a rule that requires approval
	Quorum    int       `json:"quorum,omitempty"`    // of that rule; at least 1

	From Since `json:"from,omitempty"` // of a rule that defers: what its time counts from
}

// ReasonCode says what kind of reason a [Reason] is.
type ReasonCode uint8

const (
	ReasonNone             ReasonCode = iota
	ReasonRule                        // this rule decided
	ReasonPreceded                    // it would have, but one of the same weight stands before it
	ReasonOutranked                   // it would have, but something of more weight decided
	ReasonDeferOver                   // it deferred, and that time is over
	ReasonReleaseUnknown              // it defers, and nobody says when the patch was released, first seen or approved: held
	ReasonNotNamed                    // it would have, but patches of this classification must be named
	ReasonWithdrawn                   // the publisher took the patch back
	ReasonContested                   // the publisher contradicts itself about the classification
	ReasonCapped                      // this rule decided: it defers, and a deadline cuts that short
	ReasonUrgent                      // it would defer, but a deadline says now
	ReasonExcepted                    // an exception leaves it out
	ReasonExceptionEarly              // an exception is about it, from later on
	ReasonExceptionOver               // an exception was about it, and expired: the obligation is back
	ReasonExceptionRevoked            // an exception was about it, and was revoked: the obligation is back
	ReasonExceptionPartial            // an exception is about some of its holes, but not about all: it is not left out
	ReasonHeld                        // a hold is about it
	ReasonHeldUnsure                  // it is not known whether a hold is about it, and that hold fails closed
	ReasonHoldOver                    // a hold was about it, and expired
	ReasonHoldFixed                   // a hold would be about it, but it brings the fix
)

func reasonNames() enum.Names {
	return enum.Names{"none", "rule", "preceded", "outranked", "defer-over", "release-unknown", "not-named", "withdrawn", "contested",
		"capped", "urgent", "excepted", "exception-early", "exception-over", "exception-revoked", "exception-partial",
		"held", "held-unsure", "hold-over", "hold-fixed"}
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
	switch r.Code {
	case ReasonWithdrawn, ReasonContested: // the first of them stands first
		return 6
	case ReasonHeld, ReasonHeldUnsure:
		return 4
	case ReasonExcepted:
		return 3
	case ReasonReleaseUnknown, ReasonCapped:
		return 1
	case ReasonRule:
		switch r.Verdict {
		case Reject:
			return 5
		case Hold:
			return 2
		}
		return 1
	}
	return 0
}

const dayAndTime = "2006-01-02 15:04 UTC"

// moment writes an instant for people.
func moment(t time.Time) string { return t.UTC().Format(dayAndTime) }

// String returns r in English: one clause about the patch, without a full stop.
func (r Reason) String() string {
	s := r.clause()
	if len(r.Controls) > 0 {
		s += " (instead: " + strings.Join(r.Controls, ", ") + ")"
	}
	if r.Note != "" {
		s += ": " + r.Note
	}
	if r.URL != "" {
		s += " (see " + r.URL + ")"
	}
	return s
}

func (r *Reason) clause() string {
	at := moment(r.At)
	switch r.Code {
	case ReasonRule:
		return fmt.Sprintf("rule %q %s", r.Rule, r.does())
	case ReasonPreceded:
		return fmt.Sprintf("rule %q %s, but a rule before it decides", r.Rule, r.would())
	case ReasonOutranked:
		return fmt.Sprintf("rule %q %s, but is outranked", r.Rule, r.would())
	case ReasonDeferOver:
		s := fmt.Sprintf("rule %q deferred it until %s, which is over", r.Rule, at)
		if r.Subject != "" {
			s += fmt.Sprintf("; deadline %q cut that short", r.Subject)
		}
		return s
	case ReasonReleaseUnknown:
		since := map[Since]string{SinceReleased: "from its release on, and nobody says when that was",
			SinceFirstSeen: "from when it was first seen on, and nobody says when that was", SinceApproved: "from its approval on, and it is not approved"}
		return fmt.Sprintf("rule %q defers it %s: held", r.Rule, since[r.From])
	case ReasonNotNamed:
		return fmt.Sprintf("rule %q %s, but does not name patches classified as %s", r.Rule, r.would(), r.Classification)
	case ReasonWithdrawn:
		return "its publisher withdrew it on " + at
	case ReasonContested:
		return "its publisher contradicts itself about its classification: held"
	case ReasonCapped:
		return fmt.Sprintf("rule %q defers it until %s, cut short by deadline %q, which is due %s", r.Rule, at, r.Subject, moment(r.Due))
	case ReasonUrgent:
		return fmt.Sprintf("rule %q would defer it, but deadline %q says now", r.Rule, r.Subject)
	case ReasonExcepted:
		return fmt.Sprintf("exception %q leaves it out until %s", r.Subject, at)
	case ReasonExceptionEarly:
		return fmt.Sprintf("exception %q would leave it out, but only from %s on", r.Subject, at)
	case ReasonExceptionOver:
		return fmt.Sprintf("exception %q left it out until %s, which is over", r.Subject, at)
	case ReasonExceptionRevoked:
		return fmt.Sprintf("exception %q left it out, and was revoked on %s", r.Subject, at)
	case ReasonExceptionPartial:
		return fmt.Sprintf("exception %q is not about %s, which it fixes too", r.Subject, r.CVE)
	case ReasonHeld, ReasonHeldUnsure:
		s := fmt.Sprintf("hold %q keeps it back", r.Subject)
		if !r.At.IsZero() {
			s += " until " + at
		}
		if r.Code == ReasonHeldUnsure {
			s += ", as it may be about it"
		}
		return s
	case ReasonHoldOver:
		return fmt.Sprintf("hold %q kept it back until %s, which is over", r.Subject, at)
	case ReasonHoldFixed:
		return fmt.Sprintf("hold %q is not about it, as it brings the fix", r.Subject)
	}
	return "no reason"
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
		return "requires approval for it" + r.leave()
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
		return "would require approval for it" + r.leave()
	case Approve:
		return "would approve it"
	}
	return "says nothing of it"
}

// leave says whose approval a rule requires, if it says more than "anybody's".
func (r *Reason) leave() string {
	switch {
	case r.Quorum <= 1 && len(r.Approvers) == 0:
		return ""
	case len(r.Approvers) == 0:
		return fmt.Sprintf(" by %d people", r.Quorum)
	case r.Quorum <= 1:
		return " by one of " + strings.Join(r.Approvers, ", ")
	}
	return fmt.Sprintf(" by %d of %s", r.Quorum, strings.Join(r.Approvers, ", "))
}
