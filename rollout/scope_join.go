package rollout

import (
	"fmt"

	"github.com/patchflow/patchflow/inventory"
)

// Joiner returns d as one that is to join a rollout with the policy of the scope: what it misses now, and which ring claims it. It
// looks at d as [Scope.Add] does, and adds nothing. A device that has nothing to get is an error that wraps [ErrNothing]; one that cannot get what it
// is to get says why.
func (s *Scope) Joiner(d *inventory.Device) (Joiner, error) {
	one := *s
	one.in, one.zones = PlanInput{}, make(map[string]zone)
	one.sum = Summary{Skipped: make(map[string]int), Examples: make(map[string][]inventory.DeviceID)}
	bad := func(format string, args ...any) (Joiner, error) {
		return Joiner{}, fmt.Errorf("rollout: %s: device %s: "+format, append([]any{s.cfg.Key, d.ID}, args...)...)
	}
	if !s.cfg.Tenant.Contains(d.Tenant) {
		return bad("it belongs to tenant %q", d.Tenant)
	}
	a := inventory.Assess(s.cfg.Catalog, d)
	approved, _ := one.decide(d, &a)
	if len(approved) == 0 {
		return bad("%w: it misses nothing that policy %q approves (%s)", ErrNothing, s.cfg.Policy.Name, a.State())
	}
	c := one.pin(approved)
	c.Passes = one.passes(&c, d)
	if len(c.Patches) == 0 {
		return bad("%w: %s", ErrNothing, whyNothing(approved))
	}
	if _, err := one.zone(d.Zone); err != nil {
		return bad("%s: %w", SkipNoZone, err)
	}
	if s.misplaced(d) {
		return bad("%s", SkipNoDomain)
	}
	return Joiner{Device: d.ID, Tenant: d.Tenant, Zone: d.Zone, Content: c, Claim: one.ring(d), Domains: domainsOf(s.cfg.Policy.Budgets, d),
		Stratum: s.cfg.Policy.Stratum(d), Host: s.cfg.Policy.Host(d)}, nil
}
