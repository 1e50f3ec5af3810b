package policy

import "time"

// A Memo answers for a fleet when work may begin: it keeps a schedule for each time zone, not for each device, and
// remembers the opening that was found last. A product keeps the number of its zone with each device. A Memo is not safe
// for concurrent use.
type Memo struct {
	policy  *Policy
	windows []Window
	passed  []string
	numbers map[string]int
	zones   []remembered
	table   []Opening
}

type remembered struct {
	schedule Schedule
	asked    time.Time
	known    bool
}

// NewMemo returns an empty memo for the schedules that p makes of ws, without the freezes that are named as passed. Neither
// p nor ws may change while it is in use. See [Policy.Schedule].
func NewMemo(p *Policy, ws []Window, passed ...string) *Memo {
	return &Memo{policy: p, windows: ws, passed: passed, numbers: make(map[string]int)}
}

// Zone returns the number of a time zone: from 0 on, in the order in which zones are first asked for. An error is that of
// [Policy.Schedule], and is not remembered.
func (m *Memo) Zone(name string) (int, error) {
	if n, ok := m.numbers[name]; ok {
		return n, nil
	}
	s, err := m.policy.Schedule(m.windows, name, m.passed...)
	if err != nil {
		return 0, err
	}
	n := len(m.zones)
	m.numbers[name] = n
	m.zones = append(m.zones, remembered{schedule: s})
	m.table = append(m.table, Opening{})
	return n, nil
}

// Schedule returns the schedule of a zone by its number.
func (m *Memo) Schedule(zone int) Schedule { return m.zones[zone].schedule }

// At returns for each zone, by its number, the opening that contains t or the first one after it, as [Schedule.Next] does.
// Those that still hold are not computed again, also where they were cut after 35 days. The list is valid until the next call of At or Zone.
func (m *Memo) At(t time.Time) []Opening {
	for i := range m.zones {
		z, o := &m.zones[i], &m.table[i]
		if z.known && !t.Before(z.asked) && z.holds(*o, t) {
			continue
		}
		o.Open, o.Close = z.schedule.Next(t)
		z.asked, z.known = t, true
	}
	return m.table
}

// holds says whether o, the answer for an earlier instant, is the answer for t.
func (z *remembered) holds(o Opening, t time.Time) bool {
	if o.Open.IsZero() || len(z.schedule.windows) == 0 && o.Open.Equal(z.asked) {
		return t.Equal(z.asked) // never, for all that can be seen; or what has no beginning and begins with the question
	}
	return o.Close.IsZero() || t.Before(o.Close)
}
