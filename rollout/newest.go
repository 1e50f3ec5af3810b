package rollout

import "github.com/patchflow/patchflow/patch/version"

// restsOn says whether what c brings lies above what x does: it supersedes a patch of x, or has a newer version of one of its packages. To take x
// back below it would take a part of c back too.
func (c *Content) restsOn(x *Content) bool {
	for i := range c.Patches {
		for j := range x.Patches {
			p, old := &c.Patches[i], &x.Patches[j]
			if p.supersedes(old) {
				return true
			}
			for k := range p.Packages {
				for _, q := range old.Packages {
					if !samePackage(&p.Packages[k], &q) {
						continue
					}
					if n, err := version.Compare(p.Packages[k].Fixed, q.Fixed); err == nil && n > 0 {
						return true
					}
				}
			}
		}
	}
	return false
}

// above returns the rollout that has to take its work on device d of m back before m may: what it has brought there, or is bringing, lies
// above that of m. Of two that lie above each other, in different packages, neither waits for the other.
func (l *races) above(m *Machine, d int32) (Key, bool) {
	if dev := &m.dev[d]; len(l.order) < 2 || dev.state != waiting || dev.op != OpRollback {
		return Key{}, false
	}
	of := l.join(m)
	for _, by := range l.order {
		if by == of || !l.between(by, of).any {
			continue
		}
		i, ok := by.plan.Find(m.plan.Devices[d])
		if !ok || by.plan.TenantOf(i) != m.plan.TenantOf(int(d)) || !by.well.has(int32(i)) && !by.begun.has(int32(i)) && !by.undoing.has(int32(i)) {
			continue
		}
		theirs, own := &by.plan.Contents[by.plan.Content[i]], &m.plan.Contents[m.plan.Content[d]]
		if theirs.restsOn(own) && !own.restsOn(theirs) {
			return by.plan.Key, true
		}
	}
	return Key{}, false
}
