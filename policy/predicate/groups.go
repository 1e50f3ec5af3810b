package predicate

import (
	"iter"
	"math/bits"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// Groups keeps the devices of a fleet by their [Signature], so that a patch is decided once for all that look alike to
// the expressions of a [Set]. A device is looked at when it is put in, and not again before it changes or
// [Groups.Stale] names it.
//
// It keeps nothing of a device but tenant and ID. It is not safe for concurrent use while it is changed. The zero Groups
// is not usable: see [NewGroups].
type Groups struct {
	set    *Set
	known  map[string]int // groups by signature
	groups []group        // with free ones among them
	free   []int
	places map[inventory.Ref]spot
	parts  []planes // by part: what it is, group by group
	buf    []byte
}

// A group is the devices with one signature.
type group struct {
	sig     string
	members []member
}

type member struct {
	ref   inventory.Ref
	until time.Time
}

// A spot is where a device is: its group, and its place among the members.
type spot struct{ group, index int }

// Planes hold a truth that may be unknown for each group: a bit in one of two words, or in neither.
type planes struct{ yes, no []uint64 }

func (p *planes) set(i int, t patch.Tri) {
	word, bit := i/64, uint64(1)<<(i%64)
	p.yes[word] &^= bit
	p.no[word] &^= bit
	switch t {
	case patch.Yes:
		p.yes[word] |= bit
	case patch.No:
		p.no[word] |= bit
	}
}

func (p *planes) at(i int) patch.Tri {
	word, bit := i/64, uint64(1)<<(i%64)
	switch {
	case word >= len(p.yes):
		return patch.Unknown
	case p.yes[word]&bit != 0:
		return patch.Yes
	case p.no[word]&bit != 0:
		return patch.No
	}
	return patch.Unknown
}

// NewGroups returns empty groups for the expressions of s.
func NewGroups(s *Set) *Groups {
	return &Groups{
		set: s, known: make(map[string]int), places: make(map[inventory.Ref]spot), parts: make([]planes, len(s.parts)),
	}
}

// Put takes a device in as it is at an instant, in place of the one with the same tenant and ID if there is one. It
// returns the number of its group, which is good until the device is put in again or removed. Numbers of groups that have
// become empty are used again.
func (g *Groups) Put(d *inventory.Device, now time.Time) int {
	ref := inventory.Ref{Tenant: d.Tenant, Device: d.ID}
	var until time.Time
	g.buf, until = g.set.appendSignature(g.buf[:0], d, now)
	if at, ok := g.places[ref]; ok {
		if old := &g.groups[at.group]; old.sig == string(g.buf) {
			old.members[at.index].until = until
			return at.group
		}
		g.leave(at)
	}
	i, ok := g.known[string(g.buf)]
	if !ok {
		i = g.open(string(g.buf))
	}
	g.places[ref] = spot{i, len(g.groups[i].members)}
	g.groups[i].members = append(g.groups[i].members, member{ref, until})
	return i
}

// Remove forgets a device, and says whether there was one.
func (g *Groups) Remove(r inventory.Ref) bool {
	at, ok := g.places[r]
	if ok {
		g.leave(at)
		delete(g.places, r)
	}
	return ok
}

// Of returns the number of the group of a device, and whether there is such a device.
func (g *Groups) Of(r inventory.Ref) (int, bool) {
	at, ok := g.places[r]
	return at.group, ok
}

// Devices returns the number of devices.
func (g *Groups) Devices() int { return len(g.places) }

// Len returns the number of groups that are not empty.
func (g *Groups) Len() int { return len(g.known) }

// All yields the numbers of the groups that are not empty, ascending, each with the number of its devices.
func (g *Groups) All() iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		for i := range g.groups {
			if n := len(g.groups[i].members); n > 0 && !yield(i, n) {
				return
			}
		}
	}
}

// Members yields the devices of a group, in no particular order.
func (g *Groups) Members(group int) iter.Seq[inventory.Ref] {
	return func(yield func(inventory.Ref) bool) {
		if group < 0 || group >= len(g.groups) {
			return
		}
		for _, m := range g.groups[group].members {
			if !yield(m.ref) {
				return
			}
		}
	}
}

// Stale returns the devices whose group may be another by now, because an age has passed what it is compared with: those
// to put in again. It looks at every device, unless no expression is about an age of a device.
func (g *Groups) Stale(now time.Time) (all []inventory.Ref) {
	if len(g.set.turns) == 0 {
		return nil
	}
	for i := range g.groups {
		for _, m := range g.groups[i].members {
			if !m.until.IsZero() && !now.Before(m.until) {
				all = append(all, m.ref)
			}
		}
	}
	return all
}

// open makes a group for a signature.
func (g *Groups) open(sig string) int {
	i := len(g.groups)
	if n := len(g.free); n > 0 {
		i, g.free = g.free[n-1], g.free[:n-1]
	} else {
		g.groups = append(g.groups, group{})
	}
	g.groups[i].sig = sig
	g.known[sig] = i
	for p := range g.parts {
		part := &g.parts[p]
		if i/64 == len(part.yes) {
			part.yes, part.no = append(part.yes, 0), append(part.no, 0)
		}
		part.set(i, patch.Tri(sig[p/4]>>(p%4*2)&3))
	}
	return i
}

// leave takes a device out of its group. The last member takes its place.
func (g *Groups) leave(at spot) {
	from := &g.groups[at.group]
	last := len(from.members) - 1
	moved := from.members[last]
	from.members[at.index] = moved
	from.members[last] = member{}
	from.members = from.members[:last]
	g.places[moved.ref] = at
	if last == 0 {
		delete(g.known, from.sig)
		*from = group{}
		g.free = append(g.free, at.group)
	}
}

// Matches holds what each expression of a set says of one patch, group by group. It is filled by [Groups.Match], and good
// for these groups until they are changed. The zero Matches says unknown of everything.
type Matches struct {
	rests  []planes    // by expression
	consts []patch.Tri // by constant
}

// Match decides a patch for every group, and fills m with the answers in place of what it held. They are those of
// [Set.Eval]. It takes some steps for each expression and 64 groups, and allocates nothing if m was filled by it before.
func (g *Groups) Match(m *Matches, x *patch.Patch, now time.Time) {
	f := facts{Facts: Facts{Patch: x, Now: now}}
	m.consts = m.consts[:0]
	for _, c := range g.set.consts {
		m.consts = append(m.consts, c(f))
	}
	words := (len(g.groups) + 63) / 64
	if len(m.rests) != len(g.set.rests) {
		m.rests = make([]planes, len(g.set.rests))
	}
	for i := range m.rests {
		out := &m.rests[i]
		out.yes, out.no = out.yes[:0], out.no[:0]
		for w := range words {
			yes, no := g.word(&g.set.rests[i], m.consts, w)
			out.yes, out.no = append(out.yes, yes), append(out.no, no)
		}
	}
}

// word evaluates r for 64 groups at once.
func (g *Groups) word(r *rest, consts []patch.Tri, w int) (yes, no uint64) {
	switch r.op {
	case restPart:
		return g.parts[r.index].yes[w], g.parts[r.index].no[w]
	case restConst:
		switch consts[r.index] {
		case patch.Yes:
			return ^uint64(0), 0
		case patch.No:
			return 0, ^uint64(0)
		}
		return 0, 0
	case restNot:
		yes, no = g.word(&r.args[0], consts, w)
		return no, yes
	case restAll:
		yes = ^uint64(0)
		for i := range r.args {
			y, n := g.word(&r.args[i], consts, w)
			yes, no = yes&y, no|n
		}
		return yes, no
	}
	no = ^uint64(0)
	for i := range r.args {
		y, n := g.word(&r.args[i], consts, w)
		yes, no = yes|y, no&n
	}
	return yes, no
}

// At returns what expression i says for the devices of a group.
func (m *Matches) At(i, group int) patch.Tri {
	if i < 0 || i >= len(m.rests) || group < 0 {
		return patch.Unknown
	}
	return m.rests[i].at(group)
}

// Count returns for how many devices expression i holds by m, which [Groups.Match] of g filled, and for how many that is
// unknown.
func (g *Groups) Count(m *Matches, i int) (yes, unknown int) {
	if i < 0 || i >= len(m.rests) {
		return 0, g.Devices()
	}
	r := &m.rests[i]
	for w := range r.yes {
		yes += g.sum(w, r.yes[w])
		unknown += g.sum(w, ^(r.yes[w] | r.no[w]))
	}
	return yes, unknown
}

// sum returns how many devices the groups of a word have whose bits are set.
func (g *Groups) sum(word int, set uint64) (n int) {
	for ; set != 0; set &= set - 1 {
		if i := word*64 + bits.TrailingZeros64(set); i < len(g.groups) {
			n += len(g.groups[i].members)
		}
	}
	return n
}
