package rollouttest

import (
	"container/heap"
	"errors"
	"fmt"
	"time"

	"github.com/patchflow/patchflow/rollout"
)

// at is the time that a rollout is told when the host's clock says now: never before what it was told last.
func (r *driven) at(now time.Time) time.Time {
	if last := r.tape.live.Now(); now.Before(last) {
		return last
	}
	return now
}

func (d *driver) at(i int) time.Time { return d.runs[i].at(d.now) }

// world is the time by the clocks of the devices, which are right.
func (d *driver) world() time.Time { return d.now.Add(-d.skew) }

// pass lets the host's clock come to next, and sometimes jump then. Once devices behave it is right, if it may be set ahead.
func (d *driver) pass(next time.Time) {
	d.now = next
	switch {
	case d.fleet.calm(d.world()):
		if len(d.runs) == 1 {
			d.set(-d.skew)
		}
	case d.cfg.JumpEvery > 0 && mix(d.cfg.Seed, d.steps, "jump")%uint64(d.cfg.JumpEvery) == 0:
		d.jump()
	}
}

// jump sets the host's clock back or ahead, or right again, or lets the host sleep while things happen. Where there are several rollouts the
// clock is never set ahead: one that gives up too soon what it has begun cannot know that another must not begin anything there.
func (d *driver) jump() {
	draw := mix(d.cfg.Seed, d.steps, "how far")
	by := time.Duration(1+draw/8%(12*60)) * time.Minute
	kind := draw % 4
	if len(d.runs) > 1 {
		kind %= 2
	}
	switch kind {
	case 0:
		d.now = d.now.Add(by)
		d.jumped()
	case 1:
		d.set(-by)
	case 2:
		d.set(by)
	default:
		d.set(-d.skew)
	}
}

// set changes the host's clock by so much. What is under way comes when it would have come.
func (d *driver) set(by time.Duration) {
	if by == 0 {
		return
	}
	d.skew += by
	d.fleet.hasty = d.fleet.hasty || by > 0
	d.jumped()
	d.now, d.happened = d.now.Add(by), d.happened.Add(by)
	for i := range d.queue {
		d.queue[i].at = d.queue[i].at.Add(by)
	}
	heap.Init(&d.queue)
}

func (d *driver) jumped() {
	for _, r := range d.runs {
		if r.ended.IsZero() {
			r.jumps++
		}
	}
}

// older checks that a rollout takes nothing that is older than what it was told last.
func (d *driver) older(i int) error {
	r := d.runs[i]
	if len(r.tape.entries) == 0 || !d.now.Before(r.tape.live.Now()) {
		return nil
	}
	r.behind++
	if _, err := r.tape.live.Step(rollout.Tick{At: d.now}); !errors.Is(err, rollout.ErrClock) {
		return fmt.Errorf("told of %s after %s: %w", d.now, r.tape.live.Now(), err)
	}
	return nil
}
