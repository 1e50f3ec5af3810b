package rollout

import (
	"slices"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

// Overtaken says that another rollout has brought these devices what supersedes all that this one would: its work there is dropped, and they
// are settled as superseded. Devices that are being worked on, rolled back or settled are passed over. The host asks [Agenda.Overtaken] for it.
type Overtaken struct {
	At      time.Time
	By      Key
	Devices []int32
}

// SupersededBy says that these devices have from another rollout what supersedes all that they were to get here. They are settled by the event
// that follows. That stands, even if the other rollout takes its work back later: what a device misses then is found by the next look at
// it, for the next plan.
type SupersededBy struct {
	By      Key
	Devices []int32
}

func (SupersededBy) kind() byte { return kindSupersededBy }

func (v SupersededBy) encode(e *encoder) {
	e.string(string(v.By.Tenant))
	e.string(string(v.By.ID))
	e.devices(v.Devices)
}

// supersedes says whether p makes x unnecessary where it is installed: its publisher says so, or it brings every package of x in a version
// that is not older, and one in a newer one. What cannot be compared supersedes nothing.
func (p *Pinned) supersedes(x *Pinned) bool {
	if p.ID == x.ID {
		return false
	}
	if slices.Contains(p.Supersedes, x.ID) {
		return true
	}
	newer := false
	for i := range x.Packages {
		old := &x.Packages[i]
		at := slices.IndexFunc(p.Packages, func(q patch.Package) bool {
			return samePackage(&q, old)
		})
		if at < 0 || old.Fixed.IsZero() || p.Packages[at].Fixed.IsZero() {
			return false
		}
		c, err := version.Compare(p.Packages[at].Fixed, old.Fixed)
		if err != nil || c < 0 {
			return false
		}
		newer = newer || c > 0
	}
	return newer
}

// samePackage says whether p and q are versions of one package that can be installed.
func samePackage(p, q *patch.Package) bool {
	return p.Name != "" && p.Ecosystem == q.Ecosystem && p.Name == q.Name && p.Arch == q.Arch && p.Module == q.Module
}

// supersedes says whether c brings all that x does, or what supersedes it, and something that supersedes.
func (c *Content) supersedes(x *Content) bool {
	newer := false
	for i := range x.Patches {
		old := &x.Patches[i]
		if slices.ContainsFunc(c.Patches, func(p Pinned) bool { return p.supersedes(old) }) {
			newer = true
		} else if !slices.ContainsFunc(c.Patches, func(p Pinned) bool { return p.same(old) }) {
			return false
		}
	}
	return newer
}

// same says whether p is the patch x in the same versions.
func (p *Pinned) same(x *Pinned) bool {
	return p.ID == x.ID && slices.EqualFunc(p.Packages, x.Packages, func(a, b patch.Package) bool {
		return a.Ecosystem == b.Ecosystem && a.Name == b.Name && a.Arch == b.Arch && a.Module == b.Module && a.Fixed == b.Fixed
	})
}

// overtaken drops the work on devices that another rollout has brought something newer.
func (m *Machine) overtaken(s Overtaken) {
	if m.stage == StageEnding || m.stage == StageUndoing {
		return
	}
	var devices []int32
	for _, d := range s.Devices {
		if d >= 0 && int(d) < len(m.dev) && m.mayDrop(d) && m.dev[d].flags&picked == 0 {
			m.dev[d].flags |= picked
			devices = append(devices, d)
		}
	}
	if len(devices) == 0 {
		return
	}
	slices.Sort(devices)
	m.emit(SupersededBy{By: s.By, Devices: devices})
	m.emit(DeviceSettled{Outcome: Superseded, Fault: patch.Superseded, Devices: devices})
	m.keptOut(devices)
}

// mayDrop says whether d waits for an installation and is at nothing.
func (m *Machine) mayDrop(d int32) bool {
	dev := &m.dev[d]
	return dev.state == waiting && (dev.op == OpInstall || dev.op.prepares()) && dev.flags&(session|undone|retired|foreign) == 0
}

// winners remembers which rollouts have overtaken this one, and where.
type winners struct {
	keys []Key
	of   []uint16 // by device: the number of its winner, from 1; empty if there are none
}

func (w *winners) note(e *SupersededBy, devices int) {
	at := slices.Index(w.keys, e.By)
	if at < 0 && len(w.keys) < 1<<16-1 {
		at = len(w.keys)
		w.keys = append(w.keys, e.By)
	}
	if n := devices - len(w.of); n > 0 {
		w.of = append(w.of, make([]uint16, n)...)
	}
	for _, d := range e.Devices {
		w.of[d] = uint16(at + 1)
	}
}

// superseded says which rollout has brought d something newer, if that is why it is settled.
func (x *Explanation) superseded(m *Machine, d int32) {
	if int(d) < len(m.winners.of) && m.winners.of[d] > 0 && m.dev[d].outcome == Superseded {
		x.Reasons = append(x.Reasons, message("is-superseded", "rollout", m.winners.keys[m.winners.of[d]-1].String()))
	}
}
