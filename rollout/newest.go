package rollout

import (
	"slices"

	"github.com/patchflow/patchflow/patch/version"
)

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
// above that of m. Of those that lie above each other in a circle, in different packages, none waits for another.
func (l *races) above(m *Machine, d int32) (Key, bool) {
	if dev := &m.dev[d]; len(l.order) < 2 || dev.state != waiting || dev.op != OpRollback {
		return Key{}, false
	}
	of := l.join(m)
	own := &m.plan.Contents[m.plan.Content[d]]
	for _, by := range l.order {
		if by == of || !l.between(by, of).any {
			continue
		}
		if theirs := by.brings(m.plan, d); theirs != nil && theirs.restsOn(own) && !l.supports(theirs, own, m.plan, d) {
			return by.plan.Key, true
		}
	}
	return Key{}, false
}

// brings returns what the rollout has brought device d of another plan, is bringing it, or is to take back there; nil for nothing.
func (r *racer) brings(p *Plan, d int32) *Content {
	i, ok := r.plan.Find(p.Devices[d])
	if !ok || r.plan.TenantOf(i) != p.TenantOf(int(d)) || !r.well.has(int32(i)) && !r.begun.has(int32(i)) && !r.undoing.has(int32(i)) {
		return nil
	}
	return &r.plan.Contents[r.plan.Content[i]]
}

// supports says whether own rests on low, straight or by way of what others have brought device d of p.
func (l *races) supports(low, own *Content, p *Plan, d int32) bool {
	lows := []*Content{low}
	for n := 0; n < len(lows); n++ {
		if own.restsOn(lows[n]) {
			return true
		}
		for _, r := range l.order {
			if x := r.brings(p, d); x != nil && x != own && !slices.Contains(lows, x) && x.restsOn(lows[n]) {
				lows = append(lows, x)
			}
		}
	}
	return false
}
