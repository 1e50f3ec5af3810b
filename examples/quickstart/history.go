package main

import (
	"context"
	"slices"
	"time"

	"github.com/patchflow/patchflow/rollout"
)

// A history is everything that a journal tells of one rollout. It is made of the journal alone.
type history struct {
	*rollout.Timeline
	Plan       *rollout.Plan
	Status     rollout.Status         // at the end
	Devices    []rollout.DeviceStatus // in the order of the plan
	Quarantine []rollout.Quarantine
	Moments    []moment // one for every instant at which something was decided
}

// A moment is how the rings stood after an instant.
type moment struct {
	At    time.Time
	Rings []rollout.RingStatus
}

// readHistory reads a rollout, batch by batch, as a host does after a restart.
func readHistory(ctx context.Context, journal rollout.Journal, k rollout.Key) (*history, error) {
	record, err := journal.Load(ctx, k)
	if err != nil {
		return nil, err
	}
	plan, err := rollout.DecodePlan(record.Plan)
	if err != nil {
		return nil, err
	}
	t, err := rollout.NewTimeline(plan)
	if err != nil {
		return nil, err
	}
	h := &history{Timeline: t, Plan: t.Plan()}
	for entry, err := range record.Entries {
		if err != nil {
			return nil, err
		}
		b, err := rollout.DecodeBatch(entry)
		if err != nil {
			return nil, err
		}
		if err := t.Add(b); err != nil {
			return nil, err
		}
		s := t.Machine().Status()
		if n := len(h.Moments); n > 0 && h.Moments[n-1].At.Equal(b.At) {
			h.Moments[n-1].Rings = s.Rings
		} else {
			h.Moments = append(h.Moments, moment{b.At, s.Rings})
		}
	}
	h.Status, h.Quarantine = t.Machine().Status(), t.Machine().Quarantine()
	for i := range plan.Devices {
		h.Devices = append(h.Devices, t.Machine().Device(i))
	}
	return h, nil
}

// outcome returns what became of a device that the rollout has in its plan.
func (h *history) outcome(i int) rollout.Outcome { return h.Devices[i].Outcome }

// result returns the judgement that closed a ring, or the last one.
func (h *history) result(ring int) (rollout.Judgement, bool) {
	for _, g := range slices.Backward(h.Gates()) {
		if g.Ring == ring {
			return g, true
		}
	}
	return rollout.Judgement{}, false
}
