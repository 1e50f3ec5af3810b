package rollout

import (
	"slices"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// reassessed writes down what of these is news to this rollout, an event for each patch and its causes.
func (m *Machine) reassessed(all []policy.Escalation) {
	var events []Escalated
	for i := range all {
		e := &all[i]
		d, ok := m.plan.Find(e.Device)
		if !ok || m.plan.TenantOf(d) != e.Tenant || !m.plan.Contents[m.plan.Content[d]].has(e.Patch) {
			continue
		}
		exploited := slices.ContainsFunc(e.Causes, func(c policy.Cause) bool { return c.Code == policy.CauseExploited })
		if m.dev[d].flags&urgent != 0 && (!exploited || slices.Contains(m.exploited, e.Patch)) {
			continue
		}
		at := slices.IndexFunc(events, func(x Escalated) bool { return x.Patch == e.Patch && slices.Equal(x.Causes, e.Causes) })
		if at < 0 {
			at = len(events)
			events = append(events, Escalated{Patch: e.Patch, Causes: slices.Clone(e.Causes)})
		}
		x := &events[at]
		if !slices.Contains(x.Devices, int32(d)) {
			x.Devices, x.Due = append(x.Devices, int32(d)), append(x.Due, due(&e.Is))
		}
	}
	for _, e := range events {
		m.emit(e)
	}
}

// due returns the time of d as a journal gives it back.
func due(d *policy.Due) time.Time {
	if d.Now || d.At.IsZero() {
		return time.Time{}
	}
	return instant(nanos(d.At))
}

func (m *Machine) applyEscalated(e Escalated) {
	for _, c := range e.Causes {
		if c.Code == policy.CauseExploited && !slices.Contains(m.exploited, e.Patch) {
			m.exploited = append(m.exploited, e.Patch)
		}
	}
	for _, d := range e.Devices {
		if m.dev[d].flags&urgent != 0 {
			continue
		}
		m.dev[d].flags |= urgent
		if m.unbegun(d) {
			m.comesFirst(d)
		}
	}
}

// isExploited says whether the hole that p closes is known to be exploited, as far as the rollout knows.
func (m *Machine) isExploited(p *Pinned) bool {
	return p.Exploited == patch.Yes || slices.Contains(m.exploited, p.ID)
}

func (c *Content) has(id patch.ID) bool {
	return slices.ContainsFunc(c.Patches, func(p Pinned) bool { return p.ID == id })
}
