package calendar

import "time"

// An Event is a stretch of time that begins on each of some days, as cron and iCalendar files bring it. Package policy makes
// windows and freezes of events.
type Event struct {
	Name   string     // for people: the summary of an iCalendar event; "" if it has none
	Days   Recurrence // on which it begins
	Start  int        // in seconds since midnight, by the clock on the wall
	Length time.Duration
	Zone   string // IANA name of the zone whose clock is meant; "" if none is said, which means the device's own
	Line   int    // where it begins in its file, from 1; 0 if it is from no file
}
