package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// A history is everything that a journal tells of one rollout. It is made of the journal alone.
type history struct {
	Plan       *rollout.Plan
	Status     rollout.Status         // at the end
	Devices    []rollout.DeviceStatus // in the order of the plan
	Quarantine []rollout.Quarantine
	Moments    []moment // one for every instant at which something was decided
	Lines      []line   // the timeline
	Gates      []gate   // every judgement that a gate came to
}

// A moment is how the rings stood after an instant.
type moment struct {
	At    time.Time
	Rings []rollout.RingStatus
}

// A line of the timeline: an event that people ask about, or a sum of what devices did between two such events.
type line struct {
	From, To time.Time
	Text     string
	Sum      bool
}

// A gate is one judgement with its evidence.
type gate struct {
	At time.Time
	rollout.Judged
}

// readHistory replays a rollout, event by event, as a host does after a restart.
func readHistory(ctx context.Context, journal rollout.Journal, k rollout.Key) (*history, error) {
	record, err := journal.Load(ctx, k)
	if err != nil {
		return nil, err
	}
	plan, err := rollout.DecodePlan(record.Plan)
	if err != nil {
		return nil, err
	}
	m, err := rollout.NewMachine(plan)
	if err != nil {
		return nil, err
	}
	h := &history{Plan: m.Plan()}
	var now instant
	for entry, err := range record.Entries {
		if err != nil {
			return nil, err
		}
		b, err := rollout.DecodeBatch(entry)
		if err != nil {
			return nil, err
		}
		if !b.At.Equal(now.at) {
			h.end(&now)
			now.at = b.At
		}
		for _, e := range b.Events {
			if err := m.Apply(b.At, e); err != nil {
				return nil, err
			}
			h.event(&now, e)
		}
		s := m.Status()
		if n := len(h.Moments); n > 0 && h.Moments[n-1].At.Equal(b.At) {
			h.Moments[n-1].Rings = s.Rings
		} else {
			h.Moments = append(h.Moments, moment{b.At, s.Rings})
		}
	}
	h.end(&now)
	h.flush(&now)
	h.Status, h.Quarantine = m.Status(), m.Quarantine()
	for i := range plan.Devices {
		h.Devices = append(h.Devices, m.Device(i))
	}
	return h, nil
}

// An instant gathers what was decided at one time, however many batches that took: how reports that come at the same time
// fall into batches differs from run to run, and says nothing.
type instant struct {
	at           time.Time
	keys         []string
	ended, begun sums
	work         sums // since the last event that people ask about
	from, to     time.Time
}

// sums counts what devices did, in the order in which it is told.
type sums [numWorks]int

type work int

const (
	begunInstall work = iota
	begunReboot
	begunRollback
	succeeded
	settledOther
	failed
	rolledBack
	againBusy
	againOffline
	againOther
	lapsed
	cancelled
	numWorks
)

func (w work) text(n int) string {
	names := [numWorks]string{"installations begun", "restarts", "rollbacks begun", "succeeded", "had no need", "failed", "rolled back",
		"busy and later again", "offline and later again", "failed and tried again", "given up waiting for", "left as they were"}
	if n == 1 {
		names[begunInstall], names[begunReboot], names[begunRollback] = "installation begun", "restart", "rollback begun"
	}
	return fmt.Sprintf("%d %s", n, names[w])
}

func (s *sums) add(o *sums) {
	for i := range s {
		s[i] += o[i]
	}
	*o = sums{}
}

func (s *sums) String() string {
	var parts []string
	for i, n := range s {
		if n > 0 {
			parts = append(parts, work(i).text(n))
		}
	}
	return strings.Join(parts, ", ")
}

// event sorts one event into the instant.
func (h *history) event(now *instant, e rollout.Event) {
	switch e := e.(type) {
	case rollout.Issued:
		n := len(e.Devices)
		switch e.Op {
		case rollout.OpInstall:
			now.begun[begunInstall] += n
		case rollout.OpReboot:
			now.begun[begunReboot] += n
		case rollout.OpRollback:
			now.begun[begunRollback] += n
		}
	case rollout.DeviceSettled:
		n := len(e.Devices)
		switch e.Outcome {
		case rollout.Succeeded:
			now.ended[succeeded] += n
		case rollout.Failed, rollout.RollbackFailed:
			now.ended[failed] += n
		case rollout.RolledBack:
			now.ended[rolledBack] += n
		case rollout.Cancelled, rollout.Skipped, rollout.Unreachable:
			now.begun[cancelled] += n
		default:
			now.ended[settledOther] += n
		}
	case rollout.Postponed:
		n := len(e.Devices)
		switch e.Fault {
		case patch.Busy:
			now.ended[againBusy] += n
		case patch.Unreachable:
			now.ended[againOffline] += n
		case patch.NoFault:
		default:
			now.ended[againOther] += n
		}
	case rollout.Lapsed:
		now.ended[lapsed] += len(e.Devices)
	case rollout.Answered, rollout.Late, rollout.Returned, rollout.StopAsked, rollout.TimedOut:
	case rollout.Judged:
		h.Gates = append(h.Gates, gate{now.at, e})
		h.key(now, e)
	default:
		h.key(now, e)
	}
}

func (h *history) key(now *instant, e rollout.Event) {
	for _, m := range h.Plan.Describe(e) {
		now.keys = append(now.keys, m.String())
	}
}

// quiet is how long nothing has to happen for a sum to end there.
const quiet = 3 * time.Hour

// end closes an instant: what ended in it belongs before its events, what began in it after them.
func (h *history) end(now *instant) {
	if now.ended != (sums{}) || now.begun != (sums{}) {
		if now.at.Sub(now.to) > quiet {
			h.flush(now)
		}
	}
	if now.ended != (sums{}) {
		now.span()
		now.work.add(&now.ended)
	}
	if len(now.keys) > 0 {
		h.flush(now)
		for _, text := range now.keys {
			h.Lines = append(h.Lines, line{From: now.at, To: now.at, Text: text})
		}
		now.keys = nil
	}
	if now.begun != (sums{}) {
		now.span()
		now.work.add(&now.begun)
	}
}

func (now *instant) span() {
	if now.work == (sums{}) {
		now.from = now.at
	}
	now.to = now.at
}

func (h *history) flush(now *instant) {
	if now.work != (sums{}) {
		h.Lines = append(h.Lines, line{From: now.from, To: now.to, Text: now.work.String(), Sum: true})
		now.work = sums{}
	}
}

// outcome returns what became of a device that the rollout has in its plan.
func (h *history) outcome(i int) rollout.Outcome { return h.Devices[i].Outcome }

// result returns the judgement that closed a ring, or the last one.
func (h *history) result(ring int) (gate, bool) {
	for _, g := range slices.Backward(h.Gates) {
		if g.Ring == ring {
			return g, true
		}
	}
	return gate{}, false
}
