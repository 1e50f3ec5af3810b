package rollout

import (
	"fmt"
	"strings"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// commanded carries out the command of a person, or refuses it and changes nothing.
func (m *Machine) commanded(c Command) error {
	no := func(format string, args ...any) error {
		return fmt.Errorf("rollout: %s: %s: %w: "+format, append([]any{m.plan.Key, c.Do, ErrCommand}, args...)...)
	}
	if strings.TrimSpace(c.By) == "" {
		return no("it names nobody")
	}
	if m.stage == StageEnding && !c.Do.afterwards() {
		return no("the rollout is ending")
	}
	switch c.Do {
	case DoPause:
		if m.stage != StageActive {
			return no("the rollout is %s", m.stage)
		}
		m.emit(Staged{Stage: StagePaused, Code: "command", By: c.By, Reason: c.Reason})
	case DoResume:
		if m.stage != StagePaused && m.stage != StageHalted {
			return no("the rollout is %s", m.stage)
		}
		if m.undid.halted && m.undid.from != StageActive {
			m.resumeUndo(c)
			return nil
		}
		for r := range m.rings {
			if m.rings[r].state == ringFailed {
				return no("ring %s has failed: have what failed tried again, promote it, roll back, or cancel", m.plan.Rings[r].Name)
			}
		}
		m.emit(Staged{Stage: StageActive, Code: "command", By: c.By, Reason: c.Reason})
	case DoHalt:
		if m.stage != StageActive && m.stage != StagePaused {
			return no("the rollout is %s", m.stage)
		}
		m.halt("command", c)
	case DoStop:
		if m.stage != StageActive && m.stage != StagePaused && (m.stage != StageHalted || m.why == byStop) {
			return no("the rollout is %s", m.stage)
		}
		m.halt(byStop, c)
	case DoWithdraw:
		return m.withdraw(c, no)
	case DoCancel:
		m.emit(Staged{Stage: StageEnding, Ending: StageCancelled, Code: "command", By: c.By, Reason: c.Reason})
		m.stopInstalls()
	case DoUndo, DoUndoRing, DoUndoDevice:
		return m.undoCommand(c, no)
	case DoSkip:
		d, ok := m.plan.Find(c.Device)
		if !ok {
			return no("device %q is not in the plan", c.Device)
		}
		if dev := &m.dev[d]; dev.state != waiting || dev.op != OpInstall && !m.restartsBefore(int32(d)) || dev.flags&(session|undone) != 0 {
			return no("device %s is being worked on or settled", c.Device)
		}
		m.bins.reset()
		m.settle(int32(d), Skipped, patch.NoFault)
		m.flush()
	case DoPromote:
		r, ok := m.ringNamed(c.Ring)
		if !ok {
			return no("no ring %q", c.Ring)
		}
		if s := m.rings[r].state; !s.opened() && s != ringFailed || s == ringPassed {
			return no("ring %s is %s", c.Ring, s)
		}
		m.emit(Judged{Ring: r, Result: Pass, Counts: m.counts(r), Evidence: m.evidence(r), By: c.By, Reason: c.Reason})
	case DoRelease:
		for i := range m.quarantine {
			if m.quarantine[i].Patch == c.Patch && m.quarantine[i].Released.IsZero() {
				m.emit(Released{Patch: c.Patch, By: c.By, Reason: c.Reason})
				return nil
			}
		}
		return no("patch %q is not in quarantine here", c.Patch)
	case DoAcknowledge:
		return m.acknowledge(c, no)
	case DoRetry:
		return m.retryCommand(c, no)
	case DoReview:
		return m.review(c, no)
	default:
		return no("unknown command")
	}
	return nil
}

func (m *Machine) undoCommand(c Command, no func(string, ...any) error) error {
	if c.Force && strings.TrimSpace(c.Reason) == "" {
		return no("force needs a reason")
	}
	if c.Now && strings.TrimSpace(c.Reason) == "" {
		return no("now needs a reason")
	}
	first, end, scope := 0, len(m.rings), undoRollout
	switch c.Do {
	case DoUndoRing:
		r, ok := m.ringNamed(c.Ring)
		if !ok {
			return no("no ring %q", c.Ring)
		}
		first, end, scope = r, r+1, undoRing
	case DoUndoDevice:
		return m.undoOne(c, no)
	}
	for d := range m.dev {
		if r := int(m.dev[d].ring); r >= first && r < end && m.canUndo(int32(d)) && m.refuses(int32(d), c.Force) == "" {
			m.undoAll(first, end, scope, c)
			return nil
		}
	}
	if m.hurry(c, scope) {
		return nil
	}
	for d := range m.dev {
		if r := int(m.dev[d].ring); r >= first && r < end && m.canUndo(int32(d)) {
			return no("%s", m.refuses(int32(d), c.Force))
		}
	}
	return no("nothing was begun that could be taken back")
}

func (m *Machine) undoOne(c Command, no func(string, ...any) error) error {
	d, ok := m.plan.Find(c.Device)
	if !ok {
		return no("device %q is not in the plan", c.Device)
	}
	if !m.canUndo(int32(d)) {
		if m.dev[d].flags&undone != 0 && m.hurry(c, undoDevice) {
			return nil
		}
		return no("nothing was begun on device %s that could be taken back", c.Device)
	}
	if why := m.refuses(int32(d), c.Force); why != "" {
		return no("%s", why)
	}
	m.emit(UndoBegan{Scope: undoDevice, By: c.By, Reason: c.Reason, Devices: []int32{int32(d)}, Now: c.Now})
	m.emit(Quarantined{Patches: m.patchesOf([]int32{int32(d)}), Device: inventory.DeviceID(c.Device), Reason: c.Reason})
	if dev := &m.dev[d]; dev.state == running && (dev.op == OpInstall || dev.op.prepares()) {
		m.emit(StopAsked{Devices: []int32{int32(d)}})
		m.batch.Actions = append(m.batch.Actions, Stop{[]int32{int32(d)}})
	}
	return nil
}

func (m *Machine) ringNamed(name string) (int, bool) {
	for r := range m.plan.Rings {
		if m.plan.Rings[r].Name == name {
			return r, true
		}
	}
	return 0, false
}
