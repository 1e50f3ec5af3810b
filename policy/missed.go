package policy

import (
	"time"

	"github.com/patchflow/patchflow/internal/enum"
)

// Missed says what becomes of work on a device that was away when its window closed, and comes back while none is open.
type Missed uint8

const (
	MissedWaits Missed = iota // it waits for the next opening
	MissedRuns                // it begins as soon as the device is back, though not during a freeze
	MissedSkips               // it is left out, or has failed if an attempt was spent there
)

func missedNames() enum.Names { return enum.Names{"next", "asap", "skip"} }

// String returns the lower-case name: next, asap or skip.
func (m Missed) String() string { return missedNames().String("missed window", int(m)) }

// MarshalText implements [encoding.TextMarshaler].
func (m Missed) MarshalText() ([]byte, error) { return missedNames().Text("missed window", int(m)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (m *Missed) UnmarshalText(text []byte) error {
	v, err := missedNames().Parse("missed window", text)
	if err == nil {
		*m = Missed(v)
	}
	return err
}

// Back says when work may begin on a device that was away from one instant until before another, and whether at all. A
// window is missed if the device was away when it closed, and no window is open when it is back. Work that runs then has
// until the next freeze, or no limit: nobody has said when it must be over. Package rollout goes by it once it is told that a
// device is back.
func (s Schedule) Back(m Missed, away, back time.Time) (Opening, bool) {
	open, close := s.Next(back)
	next := Opening{open, close}
	if m == MissedWaits || !open.IsZero() && !open.After(back) || !s.Closed(away, back) {
		return next, !open.IsZero()
	}
	if m == MissedSkips {
		return Opening{}, false
	}
	open, close = s.Freezes().Next(back)
	if open.Before(back) {
		open = back.UTC()
	}
	return Opening{open, close}, !open.IsZero()
}

// Freezes returns s without its windows: it is open whenever no freeze is on and enough is left before the next one.
func (s Schedule) Freezes() Schedule {
	return s.Bypassing(Bypass{Windows: true})
}

// Closed says whether an opening has closed between two instants: after the first, and not after the second.
func (s Schedule) Closed(from, to time.Time) bool {
	for o := range s.Openings(from, to) {
		return !o.Close.IsZero() && !o.Close.After(to)
	}
	return false
}
