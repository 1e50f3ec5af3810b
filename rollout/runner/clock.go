package runner

import (
	"container/heap"
	"sync"
	"time"
)

// A Clock tells a [Runner] the time and wakes it. It is safe for concurrent use.
//
// A vendor needs none: the zero Config uses the time of the machine. The other clock is [VirtualClock].
type Clock interface {
	// Now returns the time. It may step back; a rollout's own time does not.
	Now() time.Time

	// Wake returns a channel that yields once, at t or later, and a function that gives the wish up.
	Wake(t time.Time) (c <-chan time.Time, stop func())

	// Busy says that n more pieces of work are under way (n less, if it is negative). A clock that follows real time has no
	// use for it.
	Busy(n int)
}

// realClock is the clock of the machine.
type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) Busy(int) {}

func (realClock) Wake(t time.Time) (<-chan time.Time, func()) {
	timer := time.NewTimer(time.Until(t))
	return timer.C, func() { timer.Stop() }
}

// A VirtualClock jumps to the next instant at which something is due as soon as nothing is under way: a rollout that soaks
// for a week ends in milliseconds. It serves demonstrations and tests. Its zero value begins at the epoch of Unix.
type VirtualClock struct {
	mu    sync.Mutex
	now   time.Time
	busy  int
	wakes wakes
	count int
}

// NewVirtualClock returns a clock that stands at t.
func NewVirtualClock(t time.Time) *VirtualClock { return &VirtualClock{now: t} }

// Now returns the virtual time. Deployers that simulate latency use it too.
func (c *VirtualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now.IsZero() {
		c.now = time.Unix(0, 0).UTC()
	}
	return c.now
}

// Busy implements [Clock]: time stands still while the balance is positive.
func (c *VirtualClock) Busy(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy += n
	c.jump()
}

// Wake implements [Clock]. Whoever is woken counts as busy from then on, and has to say when it no longer is.
func (c *VirtualClock) Wake(t time.Time) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &wake{at: t, order: c.count, c: make(chan time.Time, 1)}
	c.count++
	heap.Push(&c.wakes, w)
	c.jump()
	return w.c, func() { c.forget(w) }
}

func (c *VirtualClock) forget(w *wake) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.fired {
		select {
		case <-w.c: // nobody has taken it, so nobody is busy with it
			c.busy--
			c.jump()
		default:
		}
		return
	}
	w.dropped = true
}

// jump wakes the first that waits, if nothing is under way.
func (c *VirtualClock) jump() {
	for c.busy == 0 && len(c.wakes) > 0 {
		w := heap.Pop(&c.wakes).(*wake)
		if w.dropped {
			continue
		}
		if w.at.After(c.now) {
			c.now = w.at
		}
		w.fired = true
		c.busy++
		w.c <- c.now
	}
}

type wake struct {
	at      time.Time
	order   int
	c       chan time.Time
	fired   bool
	dropped bool
}

type wakes []*wake

func (w wakes) Len() int { return len(w) }
func (w wakes) Less(i, j int) bool {
	return w[i].at.Before(w[j].at) || w[i].at.Equal(w[j].at) && w[i].order < w[j].order
}
func (w wakes) Swap(i, j int) { w[i], w[j] = w[j], w[i] }

// Push implements [heap.Interface].
func (w *wakes) Push(x any) { *w = append(*w, x.(*wake)) }

// Pop implements [heap.Interface].
func (w *wakes) Pop() any {
	last := (*w)[len(*w)-1]
	*w = (*w)[:len(*w)-1]
	return last
}
