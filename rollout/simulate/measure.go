package simulate

import (
	"time"

	"github.com/patchflow/patchflow/rollout"
)

// A Run is how a plan was carried out once.
type Run struct {
	Stage rollout.Stage `json:"stage"` // at the end
	Ended time.Time     `json:"ended"` // when something was decided last
	Open  bool          `json:"open"`  // it was given up although it was going on
	Rings []RingRun     `json:"rings"`
	Hours []HourRun     `json:"hours,omitempty"` // from the hour in which it began; in UTC
	Stops []Stop        `json:"stops,omitempty"`

	Begun    int                     `json:"begun"` // devices on which an installation was begun
	Bad      int                     `json:"bad"`   // of those that failed, those that were rolled back included
	Outcomes map[rollout.Outcome]int `json:"outcomes"`
}

// A RingRun is how one ring went. Times are zero where it did not come that far.
type RingRun struct {
	Name   string    `json:"name"`
	Opened time.Time `json:"opened,omitzero"`
	Passed time.Time `json:"passed,omitzero"`
}

// An HourRun is what devices went through in an hour.
type HourRun struct {
	Busy     int `json:"busy"`     // the most devices that were being worked on at one time
	Begun    int `json:"begun"`    // installations
	Restarts int `json:"restarts"` // restarts
}

// A Stop is a gate that let a rollout go no further by itself.
type Stop struct {
	Ring  string    `json:"ring"`
	Code  string    `json:"code"` // [StopFailed], [StopApproval], or why the ring was held: "inconclusive", "manual", "timeout", "ramp", "health", "control"
	At    time.Time `json:"at"`
	Begun int       `json:"begun"` // devices on which an installation had been begun by then
	Bad   int       `json:"bad"`   // devices that had failed by then
}

// Codes of a [Stop] beside those of [rollout.RingHeld].
const (
	StopFailed   = "failed"   // the gate failed
	StopApproval = "approval" // leave was asked, and fewer people may give it than it takes
)

// A meter reads along with a run.
type meter struct {
	from    int64 // the hour in which it began
	rings   []RingRun
	hours   []HourRun
	stops   []Stop
	session []bool
	touched []bool
	busy    int
	begun   int
	last    time.Time
}

func newMeter(m *rollout.Machine) meter {
	p := m.Plan()
	k := meter{from: p.At.Truncate(time.Hour).UnixNano(), session: make([]bool, len(p.Devices)), touched: make([]bool, len(p.Devices))}
	for r := range p.Rings {
		k.rings = append(k.rings, RingRun{Name: p.Rings[r].Name})
	}
	return k
}

// hour returns the hour of an instant, after it has told those before it how many devices were busy.
func (k *meter) hour(at int64) *HourRun {
	n := int((at - k.from) / int64(time.Hour))
	for len(k.hours) <= n {
		k.hours = append(k.hours, HourRun{Busy: k.busy})
	}
	return &k.hours[n]
}

func (k *meter) batch(m *rollout.Machine, b *rollout.Batch) {
	if b.Empty() {
		return
	}
	k.last = b.At
	h := k.hour(b.At.UnixNano())
	for _, e := range b.Events {
		switch e := e.(type) {
		case rollout.Issued:
			for _, d := range e.Devices {
				if !k.session[d] {
					k.session[d] = true
					k.busy++
				}
				if e.Op == rollout.OpInstall && !k.touched[d] {
					k.touched[d] = true
					k.begun++
				}
			}
			switch e.Op {
			case rollout.OpInstall:
				h.Begun += len(e.Devices)
			case rollout.OpReboot:
				h.Restarts += len(e.Devices)
			}
		case rollout.RingOpened:
			if r := &k.rings[e.Ring]; r.Opened.IsZero() {
				r.Opened = b.At
			}
		case rollout.Judged:
			switch e.Result {
			case rollout.Pass:
				k.rings[e.Ring].Passed = b.At
			case rollout.Fail:
				k.stop(m, e.Ring, StopFailed, b.At)
			}
		case rollout.RingHeld:
			k.stop(m, e.Ring, e.Code, b.At)
		}
	}
	h.Busy = max(h.Busy, k.busy)
	for _, d := range b.Freed {
		if k.session[d] {
			k.session[d] = false
			k.busy--
		}
	}
}

func (k *meter) stop(m *rollout.Machine, ring int, code string, at time.Time) {
	k.stops = append(k.stops, Stop{Ring: k.rings[ring].Name, Code: code, At: at, Begun: k.begun, Bad: badOf(m.Status())})
}

func badOf(s rollout.Status) int {
	bad := 0
	for i := range s.Rings {
		bad += s.Rings[i].Counts.Bad()
	}
	return bad
}

// run tells how it went. Open says that something would still happen.
func (k *meter) run(m *rollout.Machine, open bool) Run {
	s := m.Status()
	if !open && !s.Stage.Final() {
		for q := range m.Requests() {
			k.stops = append(k.stops, Stop{Ring: q.Ring, Code: StopApproval, At: k.last, Begun: k.begun, Bad: badOf(s)})
		}
	}
	r := Run{Stage: s.Stage, Ended: k.last, Open: open, Rings: k.rings, Hours: k.hours, Stops: k.stops, Begun: k.begun, Bad: badOf(s),
		Outcomes: make(map[rollout.Outcome]int)}
	for i := range s.Rings {
		for _, o := range rollout.Outcomes() {
			if n := s.Rings[i].Outcomes[o]; n > 0 {
				r.Outcomes[o] += n
			}
		}
	}
	if s.Pending > 0 {
		r.Outcomes[rollout.Unsettled] = s.Pending
	}
	return r
}

// Stopped returns the stop at which a rollout ended that was not finished; false if none stopped it for good.
func (r *Run) Stopped() (Stop, bool) {
	if len(r.Stops) == 0 || r.Open || r.Stage == rollout.StageDone {
		return Stop{}, false
	}
	return r.Stops[len(r.Stops)-1], true
}
