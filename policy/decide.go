package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/predicate"
)

// A Judgement is what a policy says of one patch on one device. The zero Judgement is "no decision": not installed.
type Judgement struct {
	Verdict   Verdict   `json:"verdict"`
	Rule      string    `json:"rule,omitempty"`      // that decided; "" if none did
	Until     time.Time `json:"until,omitzero"`      // with the verdict defer, or a hold that ends by itself: when that is
	Approvers []string  `json:"approvers,omitempty"` // with the verdict require-approval: whose approval counts; none means anybody's
	Quorum    int       `json:"quorum,omitempty"`    // with that verdict: how many different people must approve; at least 1
	Reasons   []Reason  `json:"reasons,omitempty"`   // what decided first, then whatever else was about it: the publisher's word, holds, exceptions, rules
}

// Decide returns what p says of the patch x on the device d at the time now, knowing nothing but these: see [Policy.Judge].
func (p *Policy) Decide(x *patch.Patch, d *inventory.Device, now time.Time) Judgement {
	return p.Judge(Case{Patch: x, Device: d}, now)
}

// Judge returns what p says of c at the time now. It is a pure function of its arguments and changes none of them; p is a
// policy that [Policy.Validate] accepts, and c has a patch and a device.
//
// The first of these decides:
//
//  1. The publisher has withdrawn the patch: rejected.
//  2. The classification of the patch is contested: held.
//  3. The first rule that rejects and matches, wherever it stands.
//  4. The first of the policy's holds that is about it.
//  5. The first exception that leaves it out: held until that expires.
//  6. The first rule that holds and matches, wherever it stands.
//  7. The first other rule that matches. A rule that defers counts until the rule's time is over since the patch was
//     released, first seen or approved, or until a deadline of the policy cuts that short ([Deadline]); from then on it is
//     passed over. If nobody says when that was, and no deadline runs, a rule that defers holds it.
//  8. Nothing: no decision, and not installed.
//
// Feature updates, drivers, firmware, optional patches and patches of unknown classification are out unless named: only
// a rule that lists that classification, or that very ID, approves them or requires approval for them. A pattern with a *
// names nothing. Rules that hold, reject or defer need not name what they keep away.
func (p *Policy) Judge(c Case, now time.Time) Judgement {
	k := contest{keep: true}
	p.contend(&k, &c, now)
	return k.judgement()
}

// Verdict returns the verdict of [Policy.Judge] without its reasons. It allocates nothing.
func (p *Policy) Verdict(c Case, now time.Time) Verdict {
	var k contest
	p.contend(&k, &c, now)
	return k.verdict()
}

// A contest finds the weightiest of the reasons that it is shown.
type contest struct {
	keep    bool // the losers too
	reasons []Reason
	top     Reason
	weight  int // of top; 0 for none
	winner  int // where top stands in reasons
}

func (k *contest) add(r *Reason) {
	if r.Code == ReasonNone {
		return
	}
	if rank := r.rank(); rank > k.weight {
		k.top, k.weight, k.winner = *r, rank, len(k.reasons)
	}
	if k.keep {
		k.reasons = append(k.reasons, *r)
	}
}

// contend shows everything that p has to say of c.
func (p *Policy) contend(k *contest, c *Case, now time.Time) {
	x, f := c.Patch, c.facts(now)
	if !x.Withdrawn.IsZero() {
		k.add(&Reason{Code: ReasonWithdrawn, Verdict: Reject, At: x.Withdrawn})
	}
	if x.Contested {
		k.add(&Reason{Code: ReasonContested, Verdict: Hold, Classification: x.Classification})
	}
	for i := range p.Holds {
		r := p.Holds[i].reason(f)
		k.add(&r)
	}
	for i := range p.Exceptions {
		r := p.Exceptions[i].reason(x, c.Device, now)
		k.add(&r)
	}
	var lim limit
	known := false
	for i := range p.Rules {
		rule := &p.Rules[i]
		if !rule.Match.matches(f, rule.Verdict < RequireApproval) {
			continue
		}
		if rule.Verdict == Defer && !known && len(p.Deadlines) > 0 {
			_, lim = p.due(c, now)
			known = true
		}
		r := rule.reason(c, &lim, now)
		k.add(&r)
	}
}

func (k *contest) verdict() Verdict {
	switch {
	case k.weight == 0: // nothing that is about it has a say
		return NoDecision
	case k.top.Code == ReasonReleaseUnknown:
		return Hold
	}
	return k.top.Verdict
}

// judgement puts what decided first and marks the rules that lost.
func (k *contest) judgement() Judgement {
	if k.weight == 0 {
		return Judgement{Reasons: k.reasons}
	}
	for i := range k.reasons {
		r := &k.reasons[i]
		switch rank := r.rank(); {
		case r.Rule == "" || rank == 0 || i == k.winner:
		case rank < k.weight:
			r.Code = ReasonOutranked
		default:
			r.Code = ReasonPreceded
		}
	}
	copy(k.reasons[1:k.winner+1], k.reasons[:k.winner])
	k.reasons[0] = k.top
	j := Judgement{Verdict: k.verdict(), Rule: k.top.Rule, Reasons: k.reasons}
	switch j.Verdict {
	case Hold, Defer:
		j.Until = k.top.At
	case RequireApproval:
		j.Approvers, j.Quorum = k.top.Approvers, k.top.Quorum
	}
	return j
}

// reason returns what r, which matches x, has to say of it now: with a code of weight if it may decide, with another if it
// may not.
func (r *Rule) reason(c *Case, lim *limit, now time.Time) Reason {
	x := c.Patch
	reason := Reason{Code: ReasonRule, Rule: r.Name, Verdict: r.Verdict, Note: r.Reason}
	switch r.Verdict {
	case Hold, Reject:
	case Defer:
		reason.From = r.From
		start := r.From.of(c)
		switch {
		case lim.now:
			reason.Code, reason.Subject, reason.Due = ReasonUrgent, lim.deadline, lim.due
			return reason
		case !start.IsZero():
			reason.At = start.Add(r.For.Std())
		case lim.at.IsZero():
			reason.Code = ReasonReleaseUnknown
			return reason
		}
		if !lim.at.IsZero() && (reason.At.IsZero() || lim.at.Before(reason.At)) {
			reason.Code, reason.At, reason.Subject, reason.Due = ReasonCapped, lim.at, lim.deadline, lim.due
		}
		if !now.Before(reason.At) {
			reason.Code = ReasonDeferOver
		}
	case RequireApproval, Approve:
		if r.Verdict == RequireApproval {
			reason.Approvers, reason.Quorum = r.Approvers, max(r.Quorum, 1)
		}
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
		len(m.Packages) == 0 && !m.Exploited && m.MinAge == 0 && m.Devices.IsZero() && m.Where.IsZero()
}

// matches says whether m is about the patch and the device of f. Unknown says whether a condition counts as one that holds
// where it is unknown. What depends on the device comes last. Without a device only what asks for none matches.
func (m *Match) matches(f predicate.Facts, unknown bool) bool {
	x := f.Patch
	switch {
	case x.Severity < m.MinSeverity,
		len(m.Classifications) > 0 && !slices.Contains(m.Classifications, x.Classification),
		len(m.IDs) > 0 && !m.hasID(x.ID),
		len(m.Packages) > 0 && !m.hasPackage(x),
		m.Exploited && x.Exploited() != patch.Yes,
		m.MinAge > 0 && (x.Released.IsZero() || f.Now.Before(x.Released.Add(m.MinAge.Std()))),
		!m.Devices.IsZero() && (f.Device == nil || !m.Devices.Matches(f.Device)),
		!m.Where.holds(f, unknown):
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
