package rollout

import (
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// caseOf returns the finding f of d as a policy judges it. Where the policy has deadlines it comes with what is known of
// its clocks, and with the findings that it supersedes, whose deadlines go on with it.
func (s *Scope) caseOf(d *inventory.Device, a *inventory.Assessment, f *inventory.Finding, x *patch.Patch) policy.Case {
	c := policy.Case{Patch: x, Device: d, Finding: f}
	if len(s.cfg.Policy.Deadlines) == 0 {
		return c
	}
	if s.cfg.FirstSeen != nil {
		c.FirstSeen = s.cfg.FirstSeen(d, x.ID)
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
		if s.cfg.FirstSeen != nil {
			o.FirstSeen = s.cfg.FirstSeen(d, g.Patch)
		}
		c.Older = append(c.Older, o)
	}
	return c
}
