package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// A Judgement is what a policy says of one patch on one device. The zero Judgement is "no decision": not installed.
type Judgement struct {
	Verdict Verdict   `json:"verdict"`
	Rule    string    `json:"rule,omitempty"`    // that decided; "" if none did
	Until   time.Time `json:"until,omitzero"`    // with the verdict defer: when it ends
	Reasons []Reason  `json:"reasons,omitempty"` // what decided first, then whatever else was about it, as the rules stand
}

// Decide returns what p says of the patch x on the device d at the time now. It is a pure function of its arguments and
// changes none of them; p is a policy that [Policy.Validate] accepts, x and d are not nil.
//
// The first of these decides:
//
//  1. The publisher has withdrawn x: rejected.
//  2. The classification of x is contested: held.
//  3. The first rule that rejects and matches, wherever it stands.
//  4. The first rule that holds and matches, wherever it stands.
//  5. The first other rule that matches. A rule that defers counts until the patch has been out for the rule's time; from
//     then on it is passed over. If nobody says when the patch was released, a rule that defers holds it.
//  6. Nothing: no decision, and not installed.
//
// Feature updates, drivers, firmware, optional patches and patches of unknown classification are out unless named: only
// a rule that lists that classification, or that very ID, approves them or requires approval for them. A pattern with a *
// names nothing. Rules that hold, reject or defer need not name what they keep away.
func (p *Policy) Decide(x *patch.Patch, d *inventory.Device, now time.Time) Judgement {
	var reasons []Reason
	if !x.Withdrawn.IsZero() {
		reasons = append(reasons, Reason{Code: ReasonWithdrawn, Verdict: Reject, At: x.Withdrawn})
	}
	if x.Contested {
		reasons = append(reasons, Reason{Code: ReasonContested, Verdict: Hold, Classification: x.Classification})
	}
	builtIn := len(reasons)
	for i := range p.Rules {
		if r := &p.Rules[i]; r.Match.matches(x, d, now) {
			if reason := r.reason(x, now); reason.Code != ReasonNone {
				reasons = append(reasons, reason)
			}
		}
	}
	if len(reasons) == 0 {
		return Judgement{}
	}
	winner := 0
	for i := range reasons {
		if reasons[i].rank() > reasons[winner].rank() {
			winner = i
		}
	}
	top := reasons[winner]
	if top.rank() == 0 { // no rule that matched has a say
		return Judgement{Reasons: reasons}
	}
	for i := builtIn; i < len(reasons); i++ {
		switch rank := reasons[i].rank(); {
		case rank == 0 || i == winner:
		case rank < top.rank():
			reasons[i].Code = ReasonOutranked
		default:
			reasons[i].Code = ReasonPreceded
		}
	}
	copy(reasons[1:winner+1], reasons[:winner])
	reasons[0] = top
	j := Judgement{Verdict: top.Verdict, Rule: top.Rule, Reasons: reasons}
	switch {
	case top.Code == ReasonReleaseUnknown:
		j.Verdict = Hold
	case top.Verdict == Defer:
		j.Until = top.At
	}
	return j
}

// reason returns what r, which matches x, has to say of it now: with the code [ReasonRule] or [ReasonReleaseUnknown] if
// it may decide, with another if it may not.
func (r *Rule) reason(x *patch.Patch, now time.Time) Reason {
	reason := Reason{Code: ReasonRule, Rule: r.Name, Verdict: r.Verdict, Note: r.Reason}
	switch r.Verdict {
	case Hold, Reject:
	case Defer:
		if x.Released.IsZero() {
			reason.Code = ReasonReleaseUnknown
			break
		}
		reason.At = x.Released.Add(r.For.Std())
		if !now.Before(reason.At) {
			reason.Code = ReasonDeferOver
		}
	case RequireApproval, Approve:
		if mustBeNamed(x.Classification) && !r.Match.names(x) {
			reason.Code, reason.Classification = ReasonNotNamed, x.Classification
		}
	default:
		return Reason{}
	}
	return reason
}

// mustBeNamed says whether patches of class c are out unless a rule names them.
func mustBeNamed(c patch.Classification) bool {
	switch c {
	case patch.ClassSecurity, patch.ClassCritical, patch.ClassBugfix, patch.ClassDefinition, patch.ClassRollup:
		return false
	}
	return true
}

// names says whether m, which matches x, was written with x in mind.
func (m *Match) names(x *patch.Patch) bool {
	return slices.Contains(m.Classifications, x.Classification) || slices.Contains(m.IDs, x.ID)
}

// isZero says whether nothing of m is set.
func (m *Match) isZero() bool {
	return !m.All && len(m.IDs) == 0 && len(m.Classifications) == 0 && m.MinSeverity == patch.SeverityUnrated &&
		len(m.Packages) == 0 && !m.Exploited && m.MinAge == 0 && m.Devices.IsZero()
}

// matches says whether m is about x on d. What depends on the device comes last.
func (m *Match) matches(x *patch.Patch, d *inventory.Device, now time.Time) bool {
	switch {
	case x.Severity < m.MinSeverity,
		len(m.Classifications) > 0 && !slices.Contains(m.Classifications, x.Classification),
		len(m.IDs) > 0 && !m.hasID(x.ID),
		len(m.Packages) > 0 && !m.hasPackage(x),
		m.Exploited && x.Exploited() != patch.Yes,
		m.MinAge > 0 && (x.Released.IsZero() || now.Before(x.Released.Add(m.MinAge.Std()))),
		!m.Devices.IsZero() && !m.Devices.Matches(d):
		return false
	}
	return !m.isZero()
}

func (m *Match) hasID(id patch.ID) bool {
	for _, pattern := range m.IDs {
		if like(string(pattern), string(id)) {
			return true
		}
	}
	return false
}

func (m *Match) hasPackage(x *patch.Patch) bool {
	for i := range x.Packages {
		for _, pattern := range m.Packages {
			if like(pattern, x.Packages[i].Name) || like(pattern, x.Packages[i].Source) {
				return true
			}
		}
	}
	return false
}

// like says whether s is pattern, or begins like a pattern that ends in a star.
func like(pattern, s string) bool {
	if begin, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(s, begin)
	}
	return s == pattern
}
