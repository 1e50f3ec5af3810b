package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/enum"
)

// A Settlement is what the decisions about a request come to, and why.
type Settlement struct {
	Ruling    Ruling     `json:"ruling"`
	By        []string   `json:"by,omitempty"`        // whose word the ruling rests on; none while it is pending
	Votes     []Vote     `json:"votes,omitempty"`     // one for every decision, in their order
	Short     []Shortage `json:"short,omitempty"`     // while pending: the needs that are not met
	Emergency *Emergency `json:"emergency,omitempty"` // if the approval rests on one, with what it bypassed
}

// A Vote says whether a decision counts.
type Vote struct {
	By   string   `json:"by,omitempty"`
	Code VoteCode `json:"code"`
}

// A Shortage is a need that is not met.
type Shortage struct {
	Need Need `json:"need"`
	Have int  `json:"have"` // people who have approved
}

// Lacks returns how many more people must approve.
func (s Shortage) Lacks() int { return s.Need.people() - s.Have }

// String says in English what is missing.
func (s Shortage) String() string { return fmt.Sprintf("%d more: %s", s.Lacks(), s.Need) }

// String says in English what the decisions come to.
func (s Settlement) String() string {
	var b strings.Builder
	b.WriteString(s.Ruling.String())
	if len(s.By) > 0 {
		fmt.Fprintf(&b, " by %s", strings.Join(s.By, ", "))
	}
	if s.Emergency != nil {
		fmt.Fprintf(&b, " in an emergency (%s), review due %s", s.Emergency.Reason, s.Emergency.ReviewDue.UTC().Format(time.DateOnly))
	}
	for _, short := range s.Short {
		fmt.Fprintf(&b, "\n  wants %s", short)
	}
	for _, v := range s.Votes {
		fmt.Fprintf(&b, "\n  %s: %s", v.By, v.Code.Text())
	}
	return b.String()
}

// VoteCode says whether a decision counts, and if not, why.
type VoteCode uint8

const (
	VoteNone       VoteCode = iota // it decides nothing
	VoteCounts                     // it counts
	VoteReplaced                   // the same person has approved again
	VoteLate                       // the request was settled before
	VoteNobody                     // it names nobody
	VoteOwn                        // who asks cannot approve
	VoteOther                      // the digest is another: it is about something else
	VoteExpired                    // it has expired
	VoteUndated                    // the need limits how long approvals are valid, and it does not say when it was made, or says a time to come
	VoteUnknown                    // the person is none of those whose leave it takes
	VoteRule                       // it is a rule's, and no need takes that
	VoteEarly                      // it is a rule's, and no ring has passed yet
	VoteReasonless                 // it speaks of an emergency without a reason or a date for the review
	VoteBypass                     // it lifts what some need does not let it lift, or not that person
)

func voteNames() enum.Names {
	return enum.Names{"none", "counts", "replaced", "late", "nobody", "own", "other", "expired", "undated", "unknown", "rule", "early",
		"reasonless", "bypass"}
}

// String returns the lower-case name, as used in JSON.
func (c VoteCode) String() string { return voteNames().String("vote", int(c)) }

// MarshalText implements [encoding.TextMarshaler].
func (c VoteCode) MarshalText() ([]byte, error) { return voteNames().Text("vote", int(c)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (c *VoteCode) UnmarshalText(text []byte) error {
	n, err := voteNames().Parse("vote", text)
	*c = VoteCode(n)
	return err
}

// Text renders c in English.
func (c VoteCode) Text() string {
	text := []string{"it decides nothing", "it counts", "the same person has approved again", "all was settled before",
		"it names nobody", "who asks cannot approve", "it is about something else: the digest differs", "it has expired",
		"it is not dated, or dated later than now, and approvals are valid for a time only", "not one of those whose leave it takes",
		"a rule's approval is not enough", "no ring has passed its gate yet, and a rule cannot approve before",
		"an emergency needs a reason and a date for its review", "it bypasses what that person may not bypass"}
	if int(c) < len(text) {
		return text[c]
	}
	return c.String()
}

// Settle returns what the decisions about r come to at the time now. It is pure. The decisions stand in the order in which
// they came, and are looked at one after the other until they settle the request; what comes after that is too late:
//
//   - A decision counts if it names somebody, has r's digest, has not expired, and is that of a person who may decide: one
//     whom a need of r names, or anybody for a need without names.
//   - Whoever asked does not count as an approver. They may deny, which takes the request back; so the requester's name is
//     compared without regard to capitals and to blanks around it, and so are the names of approvers with each other.
//   - The first denial that counts denies. A denial need not repeat the digest, but may not have another.
//   - While the request is pending a person's later approval takes the place of the earlier one.
//   - Every need of r must be met, each by as many different people as it asks for. One person's word counts for every need
//     that names them.
//   - A rule's approval meets the needs that allow it, once a ring before has passed its gate.
//   - An approval in an emergency meets those needs that allow that and name the person. It is an ordinary one where
//     others have said enough already, or where some need is not met by it. One that lifts windows or freezes counts only if
//     every need lets that person lift them.
//
// Nothing is approved by silence: without decisions r is pending.
func Settle(r Request, decisions []Decision, now time.Time) Settlement {
	s := settling{request: &r, needs: r.Needs, decisions: decisions, now: now}
	if len(s.needs) == 0 {
		s.needs = []Need{{}}
	}
	if len(decisions) > 0 {
		s.out.Votes = make([]Vote, len(decisions))
	}
	for i := range decisions {
		d := &decisions[i]
		code := VoteLate
		if s.out.Ruling == Pending {
			code = s.judge(d)
		}
		s.out.Votes[i] = Vote{d.By, code}
		if code == VoteCounts {
			s.count(i)
		}
	}
	if s.out.Ruling == Pending {
		s.out.Short = s.shortages()
	}
	return s.out
}

// Settling returns the decision that settles r, which is what an [Approver] answers that keeps several: the last of those that
// count by [Settle]. While r is pending it is the zero Decision, which is pending too.
func Settling(r Request, decisions []Decision, now time.Time) Decision {
	s := Settle(r, decisions, now)
	var last Decision
	for i, v := range s.Votes {
		if v.Code == VoteCounts && s.Ruling != Pending {
			last = decisions[i]
		}
	}
	return last
}

// same says whether two names are one person's, as far as can be told: it errs on the side of one.
func same(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }

type settling struct {
	request   *Request
	needs     []Need
	decisions []Decision
	now       time.Time
	standing  []int // approvals that count, by number
	out       Settlement
}

// judge says whether d counts.
func (s *settling) judge(d *Decision) VoteCode {
	switch {
	case d.Ruling != Approved && d.Ruling != Denied:
		return VoteNone
	case strings.TrimSpace(d.By) == "":
		return VoteNobody
	case d.Ruling == Approved && same(d.By, s.request.By):
		return VoteOwn
	case d.Digest != s.request.Digest && (d.Ruling == Approved || d.Digest != ""):
		return VoteOther
	case !d.Expires.IsZero() && !s.now.Before(d.Expires):
		return VoteExpired
	case d.Rule != "":
		return s.judgeRule(d)
	case d.Ruling == Denied && same(d.By, s.request.By):
		return VoteCounts
	case d.Emergency != nil && (strings.TrimSpace(d.Emergency.Reason) == "" || d.Emergency.ReviewDue.IsZero()):
		return VoteReasonless
	}
	entitled := false
	lifts := d.Ruling == Denied || d.Emergency == nil || s.lifts(d)
	for i := range s.needs {
		n := &s.needs[i]
		if !n.entitles(d) {
			continue
		}
		entitled = true
		if !lifts {
			return VoteBypass
		}
		if d.Ruling == Denied || n.Valid == 0 || !d.At.IsZero() && !d.At.After(s.now) && n.lasts(d, s.now) {
			return VoteCounts
		}
	}
	switch {
	case !entitled:
		return VoteUnknown
	case d.At.IsZero() || d.At.After(s.now):
		return VoteUndated
	}
	return VoteExpired
}

// lifts says whether every need lets d lift what it lifts.
func (s *settling) lifts(d *Decision) bool {
	b := d.Emergency.Bypass
	return b == (Bypass{}) || !slices.ContainsFunc(s.needs, func(n Need) bool {
		return !n.Emergency || !n.entitles(d) || !b.within(n.Bypass)
	})
}

// judgeRule says whether the decision of a rule counts. A rule only ever gives leave: it denies by silence.
func (s *settling) judgeRule(d *Decision) VoteCode {
	switch {
	case d.Ruling != Approved || d.Emergency != nil || !slices.ContainsFunc(s.needs, func(n Need) bool { return n.ByRule }):
		return VoteRule
	case len(s.request.Passed) == 0:
		return VoteEarly
	}
	return VoteCounts
}

// count takes decision i in, which counts.
func (s *settling) count(i int) {
	d := &s.decisions[i]
	if d.Ruling == Denied {
		s.out.Ruling, s.out.By = Denied, []string{d.By}
		return
	}
	for k, j := range s.standing {
		if e := &s.decisions[j]; same(e.By, d.By) && (e.Rule == "") == (d.Rule == "") {
			s.out.Votes[j].Code = VoteReplaced
			s.standing = slices.Delete(s.standing, k, k+1)
			break
		}
	}
	s.standing = append(s.standing, i)
	short := s.shortages()
	switch {
	case len(short) == 0:
		s.approve(s.standing)
		if d.Emergency != nil && d.Emergency.Bypass != (Bypass{}) {
			s.emergency(d, nil)
		}
	case d.Emergency != nil && !slices.ContainsFunc(short, func(s Shortage) bool { return !s.Need.Emergency || !s.Need.entitles(d) }):
		s.emergency(d, short)
		s.approve([]int{i})
	}
}

// emergency says that the approval rests on d's, which did without what is short.
func (s *settling) emergency(d *Decision, short []Shortage) {
	e := Emergency{Reason: d.Emergency.Reason, ReviewDue: d.Emergency.ReviewDue, Bypass: d.Emergency.Bypass}
	for _, sh := range short {
		e.Bypassed = append(e.Bypassed, sh.String())
	}
	s.out.Emergency = &e
}

func (s *settling) approve(by []int) {
	s.out.Ruling = Approved
	for _, i := range by {
		s.out.By = append(s.out.By, s.decisions[i].By)
	}
}

// shortages returns the needs that the standing approvals do not meet.
func (s *settling) shortages() (short []Shortage) {
	for _, n := range s.needs {
		have, rule := 0, false
		for _, i := range s.standing {
			d := &s.decisions[i]
			switch {
			case d.Rule != "":
				rule = rule || n.ByRule
			case n.entitles(d) && n.lasts(d, s.now) && (n.Valid == 0 || !d.At.After(s.now)):
				have++
			}
		}
		if have < n.people() && !rule {
			short = append(short, Shortage{n, have})
		}
	}
	return short
}
