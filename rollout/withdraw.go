package rollout

import (
	"slices"

	"github.com/patchflow/patchflow/patch"
)

// withdraw ends the installation of a patch that must not go to anybody any more: devices that it has not reached are skipped, those
// that install it are asked to stop, and none is tried again. What is installed stays.
func (m *Machine) withdraw(c Command, no func(string, ...any) error) error {
	if c.Patch == "" || !slices.ContainsFunc(m.plan.Contents, func(x Content) bool { return x.has(c.Patch) }) {
		return no("no device of this rollout gets patch %q", c.Patch)
	}
	if slices.Contains(m.withdrawn, c.Patch) {
		return no("patch %s is withdrawn already", c.Patch)
	}
	e := Withdrawn{Patch: c.Patch, By: c.By, Reason: c.Reason}
	var asked []int32
	for d := range m.dev {
		dev := &m.dev[d]
		if dev.state == settled || dev.flags&undone != 0 || !m.plan.Contents[m.plan.Content[d]].has(c.Patch) {
			continue
		}
		e.Devices = append(e.Devices, int32(d))
		if m.mayStop(int32(d)) {
			asked = append(asked, int32(d))
		}
	}
	m.emit(e)
	if len(asked) > 0 {
		m.emit(StopAsked{Devices: asked})
		m.batch.Actions = append(m.batch.Actions, Stop{asked})
	}
	return nil
}

func (m *Machine) applyWithdrawn(e Withdrawn) {
	m.withdrawn = append(m.withdrawn, e.Patch)
	for _, d := range e.Devices {
		m.dev[d].flags |= leaving
		m.quits(d)
	}
	m.dirty = true
}

// quits remembers that d, which may have come to nothing, is to be settled if its patch is withdrawn.
func (m *Machine) quits(d int32) {
	if m.dev[d].flags&leaving != 0 {
		m.quitting = append(m.quitting, d)
	}
}

// leave settles devices whose patch was withdrawn and at which nothing runs any more: as failed if an attempt was spent there, else as
// skipped.
func (m *Machine) leave() {
	if len(m.quitting) == 0 {
		return
	}
	m.bins.reset()
	for _, d := range m.quitting {
		dev := &m.dev[d]
		switch {
		case dev.state != waiting || dev.flags&(undone|picked) != 0:
		case !m.restartsBefore(d) && (dev.op != OpInstall || dev.flags&session != 0): // a restart before its installation has changed nothing yet
		default:
			dev.flags |= picked
			m.settle(d, Skipped, patch.NoFault)
		}
	}
	m.quitting = m.quitting[:0]
	m.flush()
}

// isWithdrawn says whether what d is to get goes to nobody any more.
func (m *Machine) isWithdrawn(d int32) bool {
	return slices.ContainsFunc(m.withdrawn, m.plan.Contents[m.plan.Content[d]].has)
}
