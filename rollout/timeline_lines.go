package rollout

import (
	"fmt"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
)

// A Line of a [Timeline] is an event that people ask about, or a sum of what devices did between two such events.
type Line struct {
	From, To time.Time // the same for an event
	Sum      bool
	Texts    []Message // one for an event; of a sum one for each kind of thing that happened
}

// String renders the line in English, without its times.
func (l Line) String() string {
	texts := make([]string, len(l.Texts))
	for i, m := range l.Texts {
		texts[i] = m.String()
	}
	return strings.Join(texts, ", ")
}

// quiet is how long nothing has to happen for a sum to end there.
const quiet = 3 * time.Hour

// Lines tells the rollout in lines, in their order. What single devices did is summed up, and a sum ends where an event is
// told or nothing happened for three hours. How the reports of one instant fell into batches makes no difference.
func (t *Timeline) Lines() []Line {
	s := t.story // a copy: what is not told yet may go on
	s.lines = s.lines[:len(s.lines):len(s.lines)]
	s.end()
	s.flush()
	return s.lines
}

// A story gathers lines. It holds what was decided at the instant that is under way, and what devices did since the last
// event that was told.
type story struct {
	lines        []Line
	at           time.Time
	keys         []Message
	ended, begun works
	work         works
	from, to     time.Time
	busy         bool // something was begun before this instant
}

// works counts what devices did, by kind, in the order in which it is told.
type works [numWorks]int

type work int

const (
	workInstalls work = iota
	workReboots
	workRollbacks
	workRemedies
	workSucceeded
	workNoNeed
	workFailed
	workRolledBack
	workBusy
	workOffline
	workAgain
	workLapsed
	workLeft
	workAway
	numWorks
)

func (w work) message(n int) Message {
	codes := [numWorks]string{"sum-installs", "sum-reboots", "sum-rollbacks", "sum-remedies", "sum-succeeded", "sum-no-need", "sum-failed",
		"sum-rolled-back", "sum-busy", "sum-offline", "sum-again", "sum-lapsed", "sum-left", "sum-away"}
	code := codes[w]
	if n == 1 && w <= workRemedies {
		code += "-one"
	}
	return message(code, "n", fmt.Sprint(n))
}

func (w *works) add(o *works) {
	for i := range w {
		w[i] += o[i]
	}
	*o = works{}
}

// moment ends the instant before, if the time is another.
func (s *story) moment(at time.Time) {
	if !at.Equal(s.at) {
		s.end()
		s.at = at
	}
}

// event sorts one event into the instant.
func (s *story) event(p *Plan, e Event) {
	switch e := e.(type) {
	case Issued:
		n := len(e.Devices)
		switch e.Op {
		case OpInstall:
			s.begun[workInstalls] += n
		case OpReboot:
			s.begun[workReboots] += n
		case OpRollback:
			s.begun[workRollbacks] += n
		case OpRemedy:
			s.begun[workRemedies] += n
		}
	case DeviceSettled:
		n := len(e.Devices)
		switch e.Outcome {
		case Succeeded:
			s.ended[workSucceeded] += n
		case Failed, RollbackFailed:
			s.ended[workFailed] += n
		case RolledBack:
			s.ended[workRolledBack] += n
		case Cancelled, Skipped, Unreachable, Gone:
			s.begun[workLeft] += n
		case Away:
			s.begun[workAway] += n
		default:
			s.ended[workNoNeed] += n
		}
	case Postponed:
		n := len(e.Devices)
		switch e.Fault {
		case patch.Busy:
			s.ended[workBusy] += n
		case patch.Unreachable:
			s.ended[workOffline] += n
		case patch.NoFault:
		default:
			s.ended[workAgain] += n
		}
	case Lapsed:
		s.ended[workLapsed] += len(e.Devices)
	case Answered, Late, Returned, StopAsked, TimedOut:
	default:
		s.keys = append(s.keys, p.Describe(e)...)
	}
}

// end closes an instant: what ended in it belongs before its events, what began in it after them.
func (s *story) end() {
	if (s.ended != works{} || s.begun != works{}) && s.at.Sub(s.to) > quiet {
		s.flush()
	}
	if !s.busy { // then it was begun in it, too
		s.begun.add(&s.ended)
	}
	if s.ended != (works{}) {
		s.span()
		s.work.add(&s.ended)
	}
	if len(s.keys) > 0 {
		s.flush()
		for _, m := range s.keys {
			s.lines = append(s.lines, Line{From: s.at, To: s.at, Texts: []Message{m}})
		}
		s.keys = nil
	}
	if s.begun != (works{}) {
		s.span()
		s.work.add(&s.begun)
		s.busy = true
	}
}

func (s *story) span() {
	if s.work == (works{}) {
		s.from = s.at
	}
	s.to = s.at
}

// flush tells the sum.
func (s *story) flush() {
	if s.work == (works{}) {
		return
	}
	l := Line{From: s.from, To: s.to, Sum: true}
	for w, n := range s.work {
		if n > 0 {
			l.Texts = append(l.Texts, work(w).message(n))
		}
	}
	s.lines = append(s.lines, l)
	s.work = works{}
}

// englishSum returns the texts of what is counted.
func englishSum(code string) (string, bool) {
	switch code {
	case "sum-installs":
		return "{n} installations begun", true
	case "sum-installs-one":
		return "{n} installation begun", true
	case "sum-reboots":
		return "{n} restarts", true
	case "sum-reboots-one":
		return "{n} restart", true
	case "sum-rollbacks":
		return "{n} rollbacks begun", true
	case "sum-rollbacks-one":
		return "{n} rollback begun", true
	case "sum-remedies":
		return "{n} remedies begun", true
	case "sum-remedies-one":
		return "{n} remedy begun", true
	case "sum-succeeded":
		return "{n} succeeded", true
	case "sum-no-need":
		return "{n} had no need", true
	case "sum-failed":
		return "{n} failed", true
	case "sum-rolled-back":
		return "{n} rolled back", true
	case "sum-busy":
		return "{n} busy and later again", true
	case "sum-offline":
		return "{n} offline and later again", true
	case "sum-again":
		return "{n} failed and tried again", true
	case "sum-lapsed":
		return "{n} given up waiting for", true
	case "sum-away":
		return "{n} away until their deadline", true
	case "sum-left":
		return "{n} left as they were", true
	}
	return "", false
}
