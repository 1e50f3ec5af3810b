package rollout

// place gives device d a place in the ramp of its ring, if there is one: an installation begins there, or has failed.
func (m *Machine) place(d int32) {
	if r := &m.rings[m.dev[d].ring]; r.ramp > 0 && m.dev[d].flags&placed == 0 {
		m.dev[d].flags |= placed
		r.placed++
	}
}

// unplace takes the place away again.
func (m *Machine) unplace(d int32) {
	if m.dev[d].flags&placed != 0 {
		m.dev[d].flags &^= placed
		m.rings[m.dev[d].ring].placed--
	}
}

// bad says whether a device with this outcome counts as a failure.
func (o Outcome) bad() bool { return o == Failed || o == RolledBack || o == RollbackFailed }

// places returns how many devices the ramp of r allows to be tried at once by now: those at first, doubled whenever as many
// are well as there were places.
func (r *ring) places() int {
	n := r.ramp
	for well := int(r.counts[Succeeded]) - r.unwell; well >= n && n < 1<<30; n *= 2 {
		well -= n
	}
	return n
}

// climbing says whether the ramp of r keeps device d from being begun, with so many about to take a place.
func (m *Machine) climbing(r *ring, d int32, taken int) bool {
	return r.ramp > 0 && !r.promoted && m.dev[d].op == OpInstall && m.dev[d].flags&placed == 0 && r.placed+taken >= r.places()
}

// rampStuck says whether all places of the ramp are taken by devices that have failed, and others wait for one.
func (r *ring) rampStuck(c Counts) bool {
	return r.ramp > 0 && !r.promoted && c.Active == 0 && r.placed >= r.places() && r.placed == c.Bad()-c.Retrying && !r.stuck(c)
}
