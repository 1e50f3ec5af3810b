package rollouttest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/patchflow/patchflow/rollout"
)

// A fate is what becomes of a step.
type fate uint8

const (
	stepIsDone    fate = iota
	stepIsLost         // the host dies before it writes anything down
	stepIsTorn         // it dies while it writes: a part of the entry stands at the end of the journal
	stepIsUnknown      // the entry is there, and the host dies before it knows that and does anything
)

// fate draws what becomes of the next step.
func (d *driver) fate() fate {
	if d.cfg.LoseEvery == 0 || mix(d.cfg.Seed, d.steps, "lose")%uint64(d.cfg.LoseEvery) > 0 {
		return stepIsDone
	}
	switch n := mix(d.cfg.Seed, d.steps, "how") % 4; n {
	case 0:
		return stepIsUnknown
	case 1:
		return stepIsTorn
	default:
		return stepIsLost
	}
}

// A moment is what a machine was like.
type moment struct {
	at   time.Time
	view view
}

func momentOf(m *rollout.Machine) *moment { return &moment{m.Now(), viewOf(m, m.Now())} }

// lose gives a signal to a rollout, and lets the host die before what is decided is written down as a whole.
func (d *driver) lose(i int, s rollout.Signal, f fate) error {
	t := d.runs[i].tape
	was := momentOf(t.live)
	b, err := t.live.Step(s)
	if err != nil && !errors.Is(err, rollout.ErrCommand) && !errors.Is(err, rollout.ErrJoin) && !errors.Is(err, rollout.ErrLeave) {
		return err
	}
	d.lost = true
	var left []byte
	if f == stepIsTorn && !b.Empty() {
		left = d.part(i, b)
	}
	if left != nil {
		d.runs[i].torn++
	}
	return d.crash(i, was, left)
}

// part is what an append that was cut short leaves of a batch of rollout i: less than all of it. A rollout is created with its first
// entry or not at all.
func (d *driver) part(i int, b rollout.Batch) []byte {
	r := d.runs[i]
	if len(r.tape.entries) == 0 {
		return nil
	}
	entry := rollout.EncodeBatch(nil, b)
	return entry[:mix(d.cfg.Seed, d.steps, "torn")%uint64(len(entry))]
}

// crash throws everything away but the journals and the fleet, and begins again from them, perhaps in more than one attempt. The host
// died at a step of rollout i: was is what that was like before, nil if it is still so, and left what is torn at the end of its journal.
func (d *driver) crash(i int, was *moment, left []byte) error {
	if err := d.recover(i, was, left); err != nil {
		return err
	}
	if mix(d.cfg.Seed, d.steps, "again")%4 == 0 {
		if err := d.dieAgain(i); err != nil {
			return fmt.Errorf("recovering from a crash for the second time: %w", err)
		}
	}
	for i, r := range d.runs {
		for a := range r.tape.live.Pending() {
			d.act(i, a)
		}
	}
	return nil
}

// recover replays all journals and makes the agenda anew.
func (d *driver) recover(i int, was *moment, left []byte) error {
	d.crashes++
	d.runs[i].crashes++
	late := d.queue
	d.queue = nil
	for _, l := range late {
		if l.sample.Metric != "" || l.voice.By != "" || l.wish.By != "" || !l.seen && l.at.Sub(d.now) > 12*time.Hour { // a report that is repeated late comes from elsewhere
			d.post(l)
		}
	}
	for n, r := range d.runs {
		r.asks = nil
		var err error
		switch {
		case len(r.tape.entries) == 0:
			r.tape.live, err = rollout.NewMachine(r.tape.plan)
		case n == i && was != nil:
			err = r.tape.recover(was, left)
		default:
			err = r.tape.recover(momentOf(r.tape.live), nil)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", r.tape.plan.Key, err)
		}
	}
	d.newAgenda()
	return nil
}

// recover goes on with a replayed machine, which must be what there was. What is left of a torn entry is no part of it.
func (t *tape) recover(was *moment, left []byte) error {
	entries := t.entries
	if left != nil {
		entries = append(slices.Clip(entries), left)
	}
	m, did, err := rollout.Replay(t.plan, sequence(entries))
	if err != nil {
		return err
	}
	if did.Entries != uint64(len(t.entries)) || (did.Torn != nil) != (left != nil) || did.Torn != nil && !errors.Is(did.Torn, rollout.ErrTorn) {
		return fmt.Errorf("replay found %d entries of %d, and %d bytes of another one: torn: %w", did.Entries, len(t.entries), len(left), did.Torn)
	}
	b, err := m.Step(rollout.Tick{At: was.at})
	if err == nil && !b.Empty() {
		err = errors.New("a host that asks again must not learn anything new")
	}
	if err != nil {
		return fmt.Errorf("a replayed machine decides more at the same instant: %q, %w", lines(b.Events), err)
	}
	if err := was.view.same(viewOf(m, was.at)); err != nil {
		return fmt.Errorf("a replayed machine differs: %w", err)
	}
	t.live, t.plan = m, *m.Plan()
	return nil
}

// dieAgain lets the host that recovers die as well: before it has taken rollout i over, while it writes that down, or after. It may have
// done some of what was pending.
func (d *driver) dieAgain(i int) error {
	r := d.runs[i]
	draw := mix(d.cfg.Seed, d.steps, "recovery")
	var was *moment
	var left []byte
	if stage := r.tape.live.Stage(); stage != rollout.StageUnknown && !stage.Final() {
		s := rollout.TakenOver{At: d.at(i), By: "another"}
		switch draw % 4 {
		case 0:
			was = momentOf(r.tape.live)
			b, err := r.tape.live.Step(s)
			if err != nil {
				return err
			}
			left = d.part(i, b)
		case 1:
			happened := d.happened
			b, err := d.decide(r, s)
			d.happened = happened // nothing did
			if err != nil {
				return err
			}
			if err := d.happens(i, s, b); err != nil {
				return err
			}
			d.newAgenda()
		}
	}
	if left == nil { // nothing is done before what was decided is written down
		for n, r := range d.runs {
			for a := range r.tape.live.Pending() {
				d.act(n, d.some(a, draw))
			}
		}
	}
	r.again++
	return d.recover(i, was, left)
}

// some is a part of an action, perhaps nothing, perhaps all.
func (d *driver) some(a rollout.Action, draw uint64) rollout.Action {
	switch a := a.(type) {
	case rollout.Run:
		return rollout.Run{Devices: a.Devices[:draw/4%uint64(len(a.Devices)+1)]}
	case rollout.Stop:
		return rollout.Stop{Devices: a.Devices[:draw/8%uint64(len(a.Devices)+1)]}
	}
	return a
}
