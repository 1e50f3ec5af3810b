package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// A Review is due after a ring was approved in an emergency. It stays due, also when the rollout is over, until somebody else
// than who approved closes it with [DoReview].
type Review struct {
	Rollout  Key       `json:"rollout"`
	Ring     string    `json:"ring"`
	Request  string    `json:"request"` // that was approved
	By       string    `json:"by"`      // who approved it
	Reason   string    `json:"reason"`  // why it could not wait
	Bypassed []string  `json:"bypassed"`
	Since    time.Time `json:"since"`
	Due      time.Time `json:"due"`
	Closed   time.Time `json:"closed,omitzero"`
	Reviewer string    `json:"reviewer,omitempty"`
	Result   string    `json:"result,omitempty"` // what the reviewer found
}

// Overdue says whether r should have been closed before now.
func (r Review) Overdue(now time.Time) bool { return r.Closed.IsZero() && now.After(r.Due) }

// Reviews returns the reviews of this rollout, open and closed, the oldest first.
func (m *Machine) Reviews() []Review {
	all := slices.Clone(m.reviews)
	for i := range all {
		all[i].Bypassed = slices.Clone(all[i].Bypassed)
	}
	return all
}

// ReviewsDue returns the open ones of [Machine.Reviews].
func (m *Machine) ReviewsDue() []Review {
	return slices.DeleteFunc(m.Reviews(), func(r Review) bool { return !r.Closed.IsZero() })
}

// asks says whether the ring takes leave.
func (r *PlannedRing) asks() bool { return r.Approval || len(r.Needs) > 0 }

// wants makes r take the leave that ring takes.
func (r *PlannedRing) wants(ring policy.Ring) {
	if ring.Approval || !ring.Need.IsZero() {
		r.Approval, r.Needs = true, addNeed(r.Needs, ring.Need)
	}
}

// addNeed adds n to needs, if it is not there yet.
func addNeed(needs []policy.Need, n policy.Need) []policy.Need {
	if slices.ContainsFunc(needs, n.Equal) {
		return needs
	}
	return append(needs, n)
}

// approvals makes every ring ask that holds content for which a rule wants leave, and the first for the whole rollout.
func (p *Plan) approvals(wanted []bool, whose [][]policy.Need) {
	if n := p.Policy.Need; !n.IsZero() {
		p.Rings[0].Approval, p.Rings[0].Needs = true, addNeed(p.Rings[0].Needs, n)
	}
	for r := range p.Rings {
		ring := &p.Rings[r]
		if slices.Contains(wanted, true) {
			seen := make([]bool, len(wanted))
			for _, c := range p.Content[ring.First : ring.First+ring.Count] {
				if !wanted[c] || seen[c] {
					continue
				}
				seen[c], ring.Approval = true, true
				if whose == nil || len(whose[c]) == 0 {
					ring.Needs = addNeed(ring.Needs, policy.Need{})
					continue
				}
				for _, n := range whose[c] {
					ring.Needs = addNeed(ring.Needs, n)
				}
			}
		}
		if len(ring.Needs) == 1 && ring.Needs[0].Equal(policy.Need{}) {
			ring.Needs = nil
		}
	}
}

// ask asks for leave to open ring r.
func (m *Machine) ask(r int) {
	planned := &m.plan.Rings[r]
	whole := r == 0 && !m.plan.Policy.Need.IsZero()
	count := m.size(r)
	if whole {
		count = len(m.dev)
	}
	devices := make([]int32, 0, count)
	for i := range m.dev {
		if whole || int(m.dev[i].ring) == r {
			devices = append(devices, int32(i))
		}
	}
	q := policy.Request{
		ID:     fmt.Sprintf("%s/%s/approval/%d", m.plan.Key, planned.Name, m.rings[r].asked+1),
		Tenant: m.plan.Tenant, Rollout: string(m.plan.ID), Ring: planned.Name, Devices: count,
		Patches: m.patchesOf(devices), By: m.plan.By, At: instant(m.now),
		Whole: whole, Needs: planned.Needs, Passed: m.passedBefore(r),
	}
	h := sha256.New()
	for _, part := range []string{"patchflow approval 1", string(m.digest), q.ID, strconv.Itoa(q.Devices), q.By} {
		fmt.Fprintf(h, "%d:%s,", len(part), part)
	}
	q.Digest = patch.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
	m.emit(RingAsked{Ring: r, Request: q})
	m.batch.Actions = append(m.batch.Actions, Ask{q})
}

// passedBefore tells of the rings before r that nobody had to promote.
func (m *Machine) passedBefore(r int) (all []policy.Passed) {
	for b := range r {
		if ring := &m.rings[b]; ring.state == ringPassed && !ring.promoted {
			c := m.counts(b)
			all = append(all, policy.Passed{Ring: m.plan.Rings[b].Name, Devices: m.size(b), Succeeded: c.Succeeded, Bad: c.Bad()})
		}
	}
	return all
}

// decided takes an answer in, if it counts.
func (m *Machine) decided(request string, d policy.Decision) {
	if d.Ruling != policy.Approved && d.Ruling != policy.Denied || m.stage == StageEnding {
		return
	}
	d = written(d)
	for r := range m.rings {
		ring := &m.rings[r]
		if ring.state != ringAsking || ring.request.ID != request {
			continue
		}
		s := policy.Settle(ring.request, append(slices.Clone(ring.votes), d), m.Now())
		last := len(s.Votes) - 1
		if code := s.Votes[last].Code; code != policy.VoteCounts {
			if why := code.Text(); !slices.Contains(ring.refusals, refusal(why, d.By)) {
				m.emit(RingDecided{Ring: r, Request: request, Decision: d, Refused: why})
			}
			return
		}
		short := 0
		for _, n := range s.Short {
			short = max(short, n.Lacks())
		}
		if s.Ruling == policy.Pending && !ring.news(&d, s.Votes) {
			return
		}
		if s.Emergency != nil {
			d.Emergency = s.Emergency
			d.Emergency.Bypassed = append(d.Emergency.Bypassed, m.lifted(r, d.Emergency.Bypass)...)
		}
		m.emit(RingDecided{Ring: r, Request: request, Decision: d, Short: short})
		switch {
		case s.Ruling == policy.Approved:
			m.emit(RingOpened{Ring: r})
		case s.Ruling == policy.Denied && m.stage != StageUndoing: // a rollback is not ended by it; the ring asks again before it opens
			m.emit(Staged{Stage: StageEnding, Ending: StageDenied, Code: "denied", By: d.By, Reason: d.Reason})
			m.stopInstalls()
		}
		return
	}
}

// news says whether d, which is not enough yet, says more than what its person has said before. Approvers are asked again
// and again, and may give the same answer each time.
func (r *ring) news(d *policy.Decision, votes []policy.Vote) bool {
	for i := range r.votes {
		if votes[i].Code != policy.VoteReplaced {
			continue
		}
		old := &r.votes[i]
		longer := !old.Expires.IsZero() && (d.Expires.IsZero() || d.Expires.After(old.Expires))
		ages := slices.ContainsFunc(r.request.Needs, func(n policy.Need) bool { return n.Valid > 0 })
		return longer || ages && d.At.After(old.At)
	}
	return true
}

// written returns d as a journal gives it back: text in UTF-8, times that can be written down, and nothing bypassed yet.
func written(d policy.Decision) policy.Decision {
	text := func(s string) string { return strings.ToValidUTF8(s, "\ufffd") }
	when := func(t time.Time) time.Time {
		if t = t.Round(0).UTC(); t.Year() < 0 || t.Year() > 9999 {
			return time.Time{}
		}
		return t
	}
	d.By, d.Reason, d.Rule, d.Digest = text(d.By), text(d.Reason), text(d.Rule), patch.Digest(text(string(d.Digest)))
	d.At = when(d.At)
	if d.Expires.Year() < 0 {
		d.Expires = time.Unix(0, 0).UTC() // long over, and not the zero that means never
	}
	d.Expires = when(d.Expires)
	d.Groups = slices.Clone(d.Groups)
	for i := range d.Groups {
		d.Groups[i] = text(d.Groups[i])
	}
	if d.Emergency != nil {
		d.Emergency = &policy.Emergency{Reason: text(d.Emergency.Reason), ReviewDue: when(d.Emergency.ReviewDue), Bypass: d.Emergency.Bypass}
	}
	return d
}

func refusal(why, by string) string { return by + ": " + why }

func (m *Machine) applyDecided(e RingDecided) {
	r := &m.rings[e.Ring]
	d := &e.Decision
	switch {
	case e.Refused != "":
		r.refusals = append(r.refusals, refusal(e.Refused, d.By))
	case d.Ruling == policy.Denied:
		r.state = ringWaiting
	case d.Ruling == policy.Approved:
		r.votes = slices.DeleteFunc(r.votes, func(old policy.Decision) bool { return old.By == d.By })
		r.votes = append(r.votes, *d)
		if d.Emergency != nil && len(d.Emergency.Bypassed) > 0 {
			m.reviews = append(m.reviews, Review{Rollout: m.plan.Key, Ring: m.plan.Rings[e.Ring].Name, Request: e.Request, By: d.By, Reason: d.Emergency.Reason,
				Bypassed: d.Emergency.Bypassed, Since: instant(m.now), Due: d.Emergency.ReviewDue})
			m.lift(e.Ring, d.Emergency.Bypass)
		}
	}
}

// covers returns the rings, from and to before, that the approval of ring r is about: all of them if it is that of the whole
// rollout.
func (m *Machine) covers(r int) (from, to int) {
	if m.rings[r].request.Whole {
		return 0, len(m.rings)
	}
	return r, r + 1
}

// lifted names what b lifts for the rings that the approval of ring r is about, as far as there is any.
func (m *Machine) lifted(r int, b policy.Bypass) (all []string) {
	p := &m.plan.Policy
	if b.Windows {
		from, to := m.covers(r)
		for i := from; i < to; i++ {
			if len(p.Windows) > 0 || len(m.plan.Rings[i].Windows) > 0 {
				all = append(all, "windows of ring "+m.plan.Rings[i].Name)
			}
		}
		if len(p.Reboot.Windows) > 0 {
			all = append(all, "windows for restarts")
		}
	}
	for i := range p.Freezes {
		if b.Freezes {
			all = append(all, "freeze "+p.Freezes[i].Name)
		}
	}
	return all
}

// lift lifts b for the rings that the approval of ring r is about.
func (m *Machine) lift(r int, b policy.Bypass) {
	if b == (policy.Bypass{}) {
		return
	}
	from, to := m.covers(r)
	for r := from; r < to; r++ {
		ring := &m.rings[r]
		ring.bypass.Windows, ring.bypass.Freezes = ring.bypass.Windows || b.Windows, ring.bypass.Freezes || b.Freezes
		for i := ring.groups[0]; i < ring.groups[1]; i++ {
			m.groups[i].lift(b)
		}
	}
}

// lift lifts b for the devices of a group.
func (g *group) lift(b policy.Bypass) {
	if b.Windows {
		g.quiet = nil
	}
	for _, h := range []*hours{&g.hours, &g.unbound, &g.restarts, &g.ahead} {
		*h = hours{schedule: h.schedule.Bypassing(b)}
	}
}

func (m *Machine) applyReviewed(e Reviewed) {
	for i := range m.reviews {
		if r := &m.reviews[i]; r.Request == e.Request && r.Closed.IsZero() {
			r.Closed, r.Reviewer, r.Result = instant(m.now), e.By, e.Reason
		}
	}
}

// review closes the oldest open review of a ring.
func (m *Machine) review(c Command, no func(string, ...any) error) error {
	for i := range m.reviews {
		r := &m.reviews[i]
		switch {
		case r.Ring != c.Ring || !r.Closed.IsZero():
			continue
		case strings.EqualFold(strings.TrimSpace(r.By), strings.TrimSpace(c.By)):
			return no("%s approved it: somebody else must review it", r.By)
		case strings.TrimSpace(c.Reason) == "":
			return no("a review says what it found")
		}
		m.emit(Reviewed{Request: r.Request, By: c.By, Reason: c.Reason})
		return nil
	}
	return no("no review of ring %q is due", c.Ring)
}

// waitsForLeave says that ring r, which has asked, waits for an answer, and whose.
func (m *Machine) waitsForLeave(r int) Message {
	ring := &m.rings[r]
	lack := ""
	if len(ring.request.Needs) > 0 {
		var short []string
		for _, s := range policy.Settle(ring.request, ring.votes, m.Now()).Short {
			short = append(short, s.String())
		}
		lack = strings.Join(short, "; ")
	}
	return message("wait-approval", "ring", m.plan.Rings[r].Name, "lack", lack)
}

func asked(ring string, q *policy.Request) Message {
	by, whole := q.By, ""
	if by == "" {
		by = "the rollout"
	}
	if q.Whole {
		whole = "the whole rollout"
	}
	return message("ring-asked", "ring", ring, "by", by, "devices", count(q.Devices, "device"), "patches", some(q.Patches),
		"digest", string(q.Digest), "whole", whole, "needs", printNeeds(q.Needs))
}

func decision(ring string, e *RingDecided) Message {
	d := &e.Decision
	switch {
	case e.Refused == "" && e.Short > 0:
		return message("ring-approved-partly", "ring", ring, "by", d.By, "reason", d.Reason, "short", strconv.Itoa(e.Short))
	case e.Refused == "" && d.Emergency != nil && len(d.Emergency.Bypassed) > 0:
		return message("ring-emergency", "ring", ring, "by", d.By, "reason", d.Emergency.Reason,
			"bypassed", strings.Join(d.Emergency.Bypassed, "; "), "due", clock(d.Emergency.ReviewDue))
	}
	code := "ring-" + d.Ruling.String()
	if e.Refused != "" {
		code = "ring-refused"
	}
	return message(code, "ring", ring, "by", d.By, "reason", d.Reason, "why", e.Refused)
}

func printNeeds(needs []policy.Need) string {
	text := make([]string, len(needs))
	for i, n := range needs {
		text[i] = n.String()
	}
	return strings.Join(text, " and ")
}

// ringOf returns the name of the ring that a request is about.
func (p *Plan) ringOf(request string) string {
	for r := range p.Rings {
		if strings.HasPrefix(request, fmt.Sprintf("%s/%s/approval/", p.Key, p.Rings[r].Name)) {
			return p.Rings[r].Name
		}
	}
	return request
}
