package rollout

func (m *Machine) applyUndo(e UndoBegan) {
	for _, d := range e.Devices {
		dev := &m.dev[d]
		if dev.flags&undone != 0 {
			continue
		}
		before := m.weighBefore(d)
		dev.flags |= undone
		if m.awaits(d) {
			m.auxOf(d).since = m.now
		}
		m.undoing++
		switch dev.state {
		case settled:
			m.rings[dev.ring].counts[dev.outcome]--
			m.unsettled++
			dev.former, dev.outcome = dev.outcome, Unsettled
			m.reckon(d)
			m.toUndo(d)
		case waiting:
			m.toUndo(d)
		}
		m.reweigh(d, before)
	}
	m.dirty = true
}

// toUndo makes a device that is at nothing wait for its rollback.
func (m *Machine) toUndo(d int32) {
	dev := &m.dev[d]
	dev.state, dev.op, dev.due, dev.tries = waiting, OpRollback, m.now, 0
	dev.flags &^= absent | already
	if dev.flags&session == 0 {
		m.undo[dev.ring] = append(m.undo[dev.ring], Handle{Device: d, Seq: dev.seq})
	} else {
		m.setTimer(d, m.now)
	}
}
