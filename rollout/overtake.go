package rollout

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
)

// races are the rollouts of an [Agenda] that bring a device what supersedes the work of another: as long as the newer one is at work there the
// other waits, and when the newer one has succeeded the work of the other is dropped. The newest is taken back first.
type races struct {
	order []*racer
	pairs map[[2]Key]*pair
}

// A racer is what is known of one rollout that is not over.
type racer struct {
	plan    *Plan
	active  bool
	begun   bitset              // devices on which it has begun an installation and has no outcome
	well    bitset              // devices on which it has succeeded
	undoing bitset              // devices on which it is to take back what it has begun
	names   map[string]struct{} // patches and packages of its contents, to tell at once that two plans have nothing in common
	known   int                 // contents that names knows
	lost    []loss              // devices that others have overtaken, until it has settled them
}

// A loss is a device that another rollout has overtaken.
type loss struct {
	device int32
	by     Key
}

// A pair says which contents of one plan supersede which of another.
type pair struct {
	contents [2]int // as many were compared
	any      bool
	known    map[[2]uint32]bool
}

// bitset is a set of the devices of a plan.
type bitset []uint64

func (b bitset) has(d int32) bool { return int(d/64) < len(b) && b[d/64]&(1<<(d%64)) != 0 }

func (b *bitset) put(d int32, in bool) {
	for int(d/64) >= len(*b) {
		if !in {
			return
		}
		*b = append(*b, 0)
	}
	if (*b)[d/64] &^= 1 << (d % 64); in {
		(*b)[d/64] |= 1 << (d % 64)
	}
}

// nameOf returns what tells the package of a patch among those of others.
func nameOf(p *Pinned, i int) string {
	return "\x00" + p.Packages[i].Ecosystem + "\x00" + p.Packages[i].Name
}

// learn takes the names of new contents in.
func (r *racer) learn(p *Plan) {
	r.plan = p
	if r.names == nil {
		r.names = make(map[string]struct{})
	}
	for ; r.known < len(p.Contents); r.known++ {
		for i := range p.Contents[r.known].Patches {
			x := &p.Contents[r.known].Patches[i]
			r.names[string(x.ID)] = struct{}{}
			for j := range x.Packages {
				r.names[nameOf(x, j)] = struct{}{}
			}
		}
	}
}

// meets says whether p may supersede something of r.
func (r *racer) meets(p *Plan) bool {
	for c := range p.Contents {
		for i := range p.Contents[c].Patches {
			x := &p.Contents[c].Patches[i]
			for _, id := range x.Supersedes {
				if _, ok := r.names[string(id)]; ok {
					return true
				}
			}
			for j := range x.Packages {
				if _, ok := r.names[nameOf(x, j)]; ok {
					return true
				}
			}
		}
	}
	return false
}

// between returns what is known of two rollouts: whether and where the first supersedes the second.
func (l *races) between(by, of *racer) *pair {
	k := [2]Key{by.plan.Key, of.plan.Key}
	p := l.pairs[k]
	sizes := [2]int{len(by.plan.Contents), len(of.plan.Contents)}
	if p == nil {
		if l.pairs == nil {
			l.pairs = make(map[[2]Key]*pair)
		}
		p = &pair{known: make(map[[2]uint32]bool)}
		l.pairs[k] = p
	}
	if p.contents != sizes {
		p.contents, p.any = sizes, of.meets(by.plan)
	}
	return p
}

// supersedes says whether rollout by brings device i of its plan what supersedes what of brings device j of its own.
func (p *pair) supersedes(by, of *Plan, i, j int) bool {
	k := [2]uint32{by.Content[i], of.Content[j]}
	v, known := p.known[k]
	if !known {
		v = by.Contents[k[0]].supersedes(&of.Contents[k[1]])
		p.known[k] = v
	}
	return v
}

func (l *races) find(k Key) *racer {
	for _, r := range l.order {
		if r.plan.Key == k {
			return r
		}
	}
	return nil
}

// join returns what is known of a rollout. One that is new is compared with all others.
func (l *races) join(m *Machine) *racer {
	if r := l.find(m.plan.Key); r != nil {
		r.learn(m.plan)
		return r
	}
	r := &racer{active: m.stage == StageActive}
	r.learn(m.plan)
	for d := range m.dev {
		r.begun.put(int32(d), m.racing(int32(d)))
		r.well.put(int32(d), m.hasWon(int32(d)))
		r.undoing.put(int32(d), m.dev[d].flags&undone != 0)
	}
	for _, o := range l.order {
		if l.between(r, o).any {
			for d := range m.dev {
				if r.well.has(int32(d)) {
					l.beat(r, o, int32(d))
				}
			}
		}
		if l.between(o, r).any {
			for d := range o.plan.Devices {
				if o.well.has(int32(d)) {
					l.beat(o, r, int32(d))
				}
			}
		}
	}
	l.order = append(l.order, r)
	return r
}

// racing says whether an installation was begun on d of which the outcome is open.
func (m *Machine) racing(d int32) bool {
	return m.dev[d].state != settled && m.begunOn(d) > 0 && m.dev[d].flags&undone == 0
}

// hasWon says whether d has what it was to get.
func (m *Machine) hasWon(d int32) bool {
	o := m.dev[d].outcome
	return m.dev[d].state == settled && (o == Succeeded || o == AlreadyInstalled) && m.dev[d].flags&(retired|foreign) == 0
}

// beat notes that rollout by has succeeded on its device d, if that supersedes what of would do there.
func (l *races) beat(by, of *racer, d int32) bool {
	j, ok := of.plan.Find(by.plan.Devices[d])
	if !ok || of.plan.TenantOf(j) != by.plan.TenantOf(int(d)) || !l.between(by, of).supersedes(by.plan, of.plan, int(d), j) {
		return false
	}
	of.lost = append(of.lost, loss{int32(j), by.plan.Key})
	return true
}

// lostBefore returns what rollouts that are not known any more have overtaken of a rollout.
func (l *races) lostBefore(k Key) (lost []loss) {
	r := l.find(k)
	if r == nil {
		return nil
	}
	for _, x := range r.lost {
		if l.find(x.by) == nil {
			lost = append(lost, x)
		}
	}
	return lost
}

// note takes in what a rollout decided, and says whether another one has to do with that.
func (l *races) note(m *Machine, b *Batch) bool {
	if m.stage.Final() && l.find(m.plan.Key) == nil {
		return false
	}
	r := l.join(m)
	news := false
	each := func(devices []int32) {
		for _, d := range devices {
			begun, well, undoing := m.racing(d), m.hasWon(d), m.dev[d].flags&undone != 0
			news = news || r.begun.has(d) != begun || r.well.has(d) != well || r.undoing.has(d) != undoing
			won := well && !r.well.has(d)
			r.begun.put(d, begun)
			r.well.put(d, well)
			r.undoing.put(d, undoing)
			for _, o := range l.order {
				if won && o != r && l.between(r, o).any && l.beat(r, o, d) {
					news = true
				}
			}
		}
	}
	for _, e := range b.Events {
		switch e := e.(type) {
		case Issued:
			each(e.Devices)
		case Postponed:
			each(e.Devices)
		case DeviceSettled:
			each(e.Devices)
		case UndoBegan:
			each(e.Devices)
		case Reopened:
			each(e.Devices)
			l.anew(r, e.Devices)
		case Retried:
			each(e.Devices)
			l.anew(r, e.Devices)
		case Departed:
			each(e.Devices)
			if e.How == Reimaged {
				l.lose(r, e.Devices)
			}
		case Staged:
			news = news || r.active != (m.stage == StageActive)
			r.active = m.stage == StageActive
		}
	}
	meets := false
	for _, o := range l.order {
		meets = meets || o != r && l.between(r, o).any
	}
	if m.stage.Final() {
		l.leave(m.plan.Key)
		news = true // who waits for it to be taken back waits no more
	}
	return news && meets
}

// lose forgets what others have brought to devices of r that were made anew: it is gone there, whether they have heard of that or not. What
// they say of a device from now on counts again.
func (l *races) lose(r *racer, devices []int32) {
	for _, o := range l.order {
		for _, d := range devices {
			if i, ok := o.plan.Find(r.plan.Devices[d]); ok && o != r && o.well.has(int32(i)) && o.plan.TenantOf(i) == r.plan.TenantOf(int(d)) {
				o.well.put(int32(i), false)
			}
		}
	}
}

// anew looks who has overtaken r on devices that wait again.
func (l *races) anew(r *racer, devices []int32) {
	for _, o := range l.order {
		if o == r || !l.between(o, r).any {
			continue
		}
		for _, d := range devices {
			if i, ok := o.plan.Find(r.plan.Devices[d]); ok && o.well.has(int32(i)) {
				l.beat(o, r, int32(i))
			}
		}
	}
}

// leave forgets a rollout. What it has won stays won.
func (l *races) leave(k Key) {
	l.order = slices.DeleteFunc(l.order, func(r *racer) bool { return r.plan.Key == k })
	for _, o := range l.order {
		delete(l.pairs, [2]Key{k, o.plan.Key})
		delete(l.pairs, [2]Key{o.plan.Key, k})
	}
}

// ahead returns the rollout that is at work on device d of m, or between two tries, with what supersedes what m would do there.
func (l *races) ahead(m *Machine, d int32) (Key, bool) {
	if len(l.order) < 2 || !m.mayDrop(d) {
		return Key{}, false
	}
	of := l.join(m)
	for _, by := range l.order {
		if by == of || !by.active || !l.between(by, of).any {
			continue
		}
		i, ok := by.plan.Find(m.plan.Devices[d])
		if ok && by.begun.has(int32(i)) && by.plan.TenantOf(i) == m.plan.TenantOf(int(d)) && l.between(by, of).supersedes(by.plan, of.plan, i, int(d)) {
			return by.plan.Key, true
		}
	}
	return Key{}, false
}

// Overtaken returns what the host is to tell m before the next Grant, one signal for each rollout that has brought devices of m what
// supersedes all that m would do there. The batches go back by [Agenda.Note]; a device is named once, and named again by later calls until
// m has settled it: nothing is lost with a step that was not written down. Among devices of one package it is the version that counts, and
// else what the publisher says ([Pinned]). Rollouts that were over before m was made known ([Agenda.Add]) are not looked at: its plan knows
// of them by what the devices had, and a device says by itself that it has something newer.
func (a *Agenda) Overtaken(m *Machine, now time.Time) []Overtaken {
	if m.stage.Final() || m.stage == StageUnknown {
		return nil
	}
	r := a.races.join(m)
	var all []Overtaken
	var named bitset
	kept := r.lost[:0]
	for _, x := range r.lost {
		if by := a.races.find(x.by); m.dev[x.device].state == settled || by != nil && !by.won(m.plan.Devices[x.device]) {
			continue
		}
		kept = append(kept, x)
		if m.stage == StageEnding || m.stage == StageUndoing || named.has(x.device) || !m.mayDrop(x.device) {
			continue // if it is at work there, what comes of that is seen first
		}
		named.put(x.device, true)
		i := slices.IndexFunc(all, func(o Overtaken) bool { return o.By == x.by })
		if i < 0 {
			i = len(all)
			all = append(all, Overtaken{At: now, By: x.by})
		}
		all[i].Devices = append(all[i].Devices, x.device)
	}
	r.lost = kept
	return all
}

// won says whether the rollout has succeeded on d, as far as is known.
func (r *racer) won(d inventory.DeviceID) bool {
	i, ok := r.plan.Find(d)
	return ok && r.well.has(int32(i))
}

// ExplainRace says that another rollout is at work on device d of m with what supersedes the work of m there, that it has to take back what it
// has brought above what m is to take back, or, while another one holds
// the device, in which packages the two contradict each other, and why that one is first: neither supersedes the other then, and both are
// done, one after the other.
func (a *Agenda) ExplainRace(m *Machine, d inventory.DeviceID) (Message, bool) {
	i, ok := m.plan.Find(d)
	if !ok || m.stage.Final() {
		return Message{}, false
	}
	if by, first := a.races.ahead(m, int32(i)); first {
		return message("wait-newer", "rollout", by.String()), true
	}
	if by, first := a.races.above(m, int32(i)); first {
		return message("wait-newest", "rollout", by.String()), true
	}
	holder, held := a.holder[m.ref(int32(i))]
	by := a.races.find(holder)
	if !held || holder == m.plan.Key || by == nil {
		return Message{}, false
	}
	j, ok := by.plan.Find(d)
	if !ok {
		return Message{}, false
	}
	mine, other := &m.plan.Contents[m.plan.Content[i]], &by.plan.Contents[by.plan.Content[j]]
	if mine.supersedes(other) || other.supersedes(mine) {
		return Message{}, false
	}
	names, why := contradictions(mine, other), "it was there first"
	if theirs, own := by.plan.Policy.Priority, m.plan.Policy.Priority; theirs > own {
		why = "its priority is " + strconv.Itoa(theirs) + ", and " + strconv.Itoa(own) + " here"
	}
	return message("is-conflict", "rollout", holder.String(), "packages", strings.Join(names, ", "), "why", why), len(names) > 0
}

// contradictions names the packages that two contents bring in different versions: "curl 2 here and 3 there".
func contradictions(c, x *Content) (names []string) {
	for i := range c.Patches {
		for j := range c.Patches[i].Packages {
			p := &c.Patches[i].Packages[j]
			for k := range x.Patches {
				for _, q := range x.Patches[k].Packages {
					if p.Name != "" && p.Ecosystem == q.Ecosystem && p.Name == q.Name && p.Arch == q.Arch && p.Module == q.Module && p.Fixed != q.Fixed {
						names = append(names, p.Name+" "+p.Fixed.Text+" here and "+q.Fixed.Text+" there")
					}
				}
			}
		}
	}
	return names
}
