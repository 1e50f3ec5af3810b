// Package calendar knows on which days something recurs, and what a clock on the wall shows when: weekdays, the second
// Tuesday of a month and any number of days after it, the recurrence rules of RFC 5545, lines of cron, and iCalendar files.
//
// A [Recurrence] is a set of local days. It knows neither clock nor zone; package policy adds both and makes windows and
// freezes of it. A [Rule] is a whole recurrence rule with times of day, and [Wall.In] says at which instant the clock of
// a zone shows a time, also where that clock is changed.
//
// Nothing here walks from the start of a rule to the day asked for: the week, month or year of that day is computed, and where
// a rule with COUNT ends is counted once, period by period, when the rule is read. The package does no I/O, and looks at no
// zone database: zones come as arguments.
package calendar
