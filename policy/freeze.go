package policy

import (
	"fmt"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/calendar"
	"github.com/patchflow/patchflow/policy/predicate"
)

// A Freeze is a time in which no work begins, whatever windows say: the end of the year, the close of a quarter. It is a
// single one, From and Until, or it recurs: it begins at Start on each day of On and lasts For.
//
// A wall clock time that does not exist because clocks go forward means the first instant after the gap, one that exists
// twice the first of the two, as with a [Window].
type Freeze struct {
	Name   string              `json:"name" yaml:"name"`
	From   calendar.Wall       `json:"from,omitempty" yaml:"from,omitempty"`   // "2026-12-20" or "2026-12-20T18:00"
	Until  calendar.Wall       `json:"until,omitempty" yaml:"until,omitempty"` // when work may begin again; a date means its midnight
	On     calendar.Recurrence `json:"on,omitzero" yaml:"on,omitempty"`        // days on which it begins
	Start  Clock               `json:"start,omitempty" yaml:"start,omitempty"` // with On
	For    Duration            `json:"for,omitempty" yaml:"for,omitempty"`     // with On: by the clock on the wall; 0 means 1d
	Zone   string              `json:"zone,omitempty" yaml:"zone,omitempty"`   // IANA name; "" means the device's own zone
	Except []Match             `json:"except,omitempty" yaml:"except,omitempty"`
}

// Excepts says whether the freeze lets x go on to d: one of Except matches at the time now. Work that brings several
// patches goes on only if it lets all of them.
func (f *Freeze) Excepts(x *patch.Patch, d *inventory.Device, now time.Time) bool {
	for i := range f.Except {
		if f.Except[i].matches(predicate.Facts{Patch: x, Device: d, Now: now}, false) {
			return true
		}
	}
	return false
}

// String returns f on one line: "year end, 2026-12-20 to 2027-01-04 by their own clocks".
func (f Freeze) String() string {
	zone := "by their own clocks"
	if f.Zone != "" {
		zone = f.Zone
	}
	if f.On.IsZero() {
		return fmt.Sprintf("%s, %s to %s %s", f.Name, f.From, f.Until, zone)
	}
	length := f.For
	if length == 0 {
		length = Duration(24 * time.Hour)
	}
	return fmt.Sprintf("%s, %s %s for %s %s", f.Name, f.On, f.Start, length, zone)
}

// spell returns f as it recurs on the clock of loc.
func (f *Freeze) spell(loc *time.Location) (spell, error) {
	s := spell{on: f.On, start: int64(f.Start) * secondsPerMinute, length: int64(f.For.Std() / time.Second), zone: loc}
	if s.length == 0 {
		s.length = secondsPerDay
	}
	if f.On.IsZero() {
		on, err := calendar.Parse(f.From.Date().String())
		if err != nil {
			return spell{}, err
		}
		s.on, s.start, s.length = on, int64(f.From.Seconds()), int64(f.Until-f.From)
	}
	return s, nil
}

func (c *checker) zone(path, name string) {
	if name == "" {
		return
	}
	if _, err := loadZone(name); err != nil {
		c.fault(path, "%w", err)
	}
}

func (c *checker) freezes(p *Policy) {
	seen := make(map[string]int, len(p.Freezes))
	for i := range p.Freezes {
		f := &p.Freezes[i]
		path := index("freezes", i)
		c.name(join(path, "name"), f.Name)
		c.unique(join(path, "name"), "freezes", f.Name, seen, i)
		single, recurs := f.From != 0 || f.Until != 0, !f.On.IsZero()
		switch {
		case single == recurs:
			c.fault(path, "want either from and until, or on")
		case single && f.From == 0:
			c.fault(join(path, "from"), "missing")
		case single && f.Until <= f.From:
			c.fault(join(path, "until"), "%s is not after %s", f.Until, f.From)
		}
		c.enum(join(path, "from"), f.From)
		c.enum(join(path, "until"), f.Until)
		c.enum(join(path, "start"), f.Start)
		c.duration(join(path, "for"), f.For)
		switch {
		case !recurs && f.Start != 0:
			c.fault(join(path, "start"), "only a freeze with on has it: from says when this one begins")
		case f.Start == minutesPerDay:
			c.fault(join(path, "start"), "24:00 is an end: write 00:00 and the day after")
		}
		switch {
		case !recurs && f.For != 0:
			c.fault(join(path, "for"), "only a freeze with on has it: until says when this one ends")
		case f.For%Duration(time.Minute) != 0:
			c.fault(join(path, "for"), "%s is no whole number of minutes", f.For)
		case f.For > maxFreeze:
			c.fault(join(path, "for"), "%s is longer than %s", f.For, maxFreeze)
		}
		c.zone(join(path, "zone"), f.Zone)
		for j := range f.Except {
			c.match(index(join(path, "except"), j), &f.Except[j])
		}
	}
}

// maxFreeze is the longest that a freeze lasts that recurs.
const maxFreeze = Duration(366 * 24 * time.Hour)

// fit checks that work fits into something. Openings of windows that recur by date cannot be told without one.
func (c *checker) fit(p *Policy) {
	c.duration("fit.work", p.Fit.Work)
	c.duration("fit.reboot", p.Fit.Reboot)
	switch {
	case p.Fit.Reboot > 0 && p.Reboot.Mode == RebootNever:
		c.fault("fit.reboot", "the policy never restarts a device")
	case p.Fit.Work > maxFreeze, p.Fit.Reboot > maxFreeze:
		c.fault("fit", "%s is longer than %s", max(p.Fit.Work, p.Fit.Reboot), maxFreeze)
	case p.Fit.Work > 0 || p.Fit.Reboot > 0:
		c.roomy(p, "windows", p.Windows)
		for i := range p.Rings {
			c.roomy(p, join(index("rings", i), "windows"), p.Rings[i].Windows)
		}
	}
}

// roomy checks that the weekly windows of a list have an opening that is long enough.
func (c *checker) roomy(p *Policy, path string, ws []Window) {
	if len(ws) == 0 {
		return
	}
	s := Schedule{need: p.Fit.seconds(&p.Reboot)}
	for i := range ws {
		if !ws[i].On.IsZero() {
			return
		}
		s.windows = append(s.windows, ws[i].spell(time.UTC))
	}
	if _, ok := s.next(0); !ok {
		c.fault(path, "no opening is longer than fit demands, %s", Duration(s.need)*Duration(time.Second))
	}
}
