package rollout

import (
	"slices"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// caseOf returns the finding f of d as a policy judges it, with what is known of its clocks. Where the policy has deadlines it
// comes with the findings that it supersedes, whose deadlines go on with it.
func (s *Scope) caseOf(d *inventory.Device, a *inventory.Assessment, f *inventory.Finding, x *patch.Patch) policy.Case {
	c := policy.Case{Patch: x, Device: d, Finding: f}
	if !s.clocks {
		return c
	}
	c.FirstSeen, c.Approved = s.since(d, x.ID)
	if len(s.cfg.Policy.Deadlines) == 0 {
		return c
	}
	for i := range a.Findings {
		g := &a.Findings[i]
		if g.SupersededBy != f.Patch {
			continue
		}
		older, ok := s.cfg.Catalog.Get(g.Patch)
		if !ok {
			continue
		}
		o := policy.Older{Patch: older}
		o.FirstSeen, o.Approved = s.since(d, g.Patch)
		c.Older = append(c.Older, o)
	}
	return c
}

// since returns what is known of the clocks of a patch on d.
func (s *Scope) since(d *inventory.Device, x patch.ID) (seen, approved time.Time) {
	if s.cfg.FirstSeen != nil {
		seen = s.cfg.FirstSeen(d, x)
	}
	if s.cfg.Approved != nil {
		approved = s.cfg.Approved(d, x)
	}
	return seen, approved
}

// byClock says whether what p says of a case depends on when that was first seen or approved.
func byClock(p *policy.Policy) bool {
	return len(p.Deadlines) > 0 || slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return r.From != policy.SinceReleased })
}
