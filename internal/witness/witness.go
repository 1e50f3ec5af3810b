// Package witness compares what the journal of a rollout says of a device with what the device says of itself: its dpkg has the wanted versions,
// and every line of dpkg's own log lies within exactly one installation of the journal and within a window. Only tests import this package.
package witness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// A Line of dpkg's log is about one second: "upgrade vault:all 1.0 1.1", "status installed vault:all 1.1".
type Line struct {
	At   time.Time
	Text string
}

// ReadLog returns the lines of dpkg's log that say what it did to packages.
func ReadLog(content string) (all []Line, err error) {
	const layout = "2006-01-02 15:04:05"
	for text := range strings.Lines(content) {
		text = strings.TrimSpace(text)
		if len(text) <= len(layout) {
			return nil, fmt.Errorf("%q is no line of a log", text)
		}
		at, err := time.Parse(layout, text[:len(layout)])
		if err != nil {
			return nil, err
		}
		if l := (Line{at, text[len(layout)+1:]}); !strings.HasPrefix(l.Text, "startup ") {
			all = append(all, l)
		}
	}
	return all, nil
}

// A Device is what the journal and the device itself say of one device, all of whose packages were upgraded.
type Device struct {
	Outcome   rollout.Outcome
	Tries     []rollout.Try
	Log       []Line // of its dpkg
	Installed string // what its dpkg-query says: [Query]
	Boots     int    // how often it was started

	Names         []string // of the packages, sorted
	Before, After string   // their versions
	Restart       bool     // it wants one after it was patched

	// Clock tells what the controller's clock showed when that of the device did; nil means the same.
	Clock   func(at time.Time) time.Time
	Windows []policy.Window // in UTC by that clock; none means always

	// Disturbed says that its network was taken away, or the controller killed: the journal may know of installations that have not begun,
	// or whose end nobody has seen. Cut says that its power was: what it was at may have been done again by another installation, and
	// what was half done mended by it.
	Disturbed, Cut bool
}

// Query asks dpkg for all packages: "vault 1.1 ii ".
func Query() []string {
	return []string{"dpkg-query", "-W", "-f", `${Package} ${Version} ${db:Status-Abbrev}\n`}
}

// shown is what the controller's clock showed.
func (w *Device) shown(at time.Time) time.Time {
	if w.Clock == nil {
		return at
	}
	return w.Clock(at)
}

// String tells all of it, in lines.
func (w *Device) String() string {
	var b strings.Builder
	clocked := func(at time.Time) string { return at.Format("15:04:05.000") }
	fmt.Fprintf(&b, "%s, started %d times\n", w.Outcome, w.Boots)
	for _, x := range w.Tries {
		fmt.Fprintf(&b, "  journal: %s to %s %s %s %s %s\n", clocked(x.Issued), clocked(x.Ended), x.Op, x.Phase, x.Fault, x.Message)
	}
	for _, l := range w.Log {
		fmt.Fprintf(&b, "  device:  %s %s\n", clocked(w.shown(l.At)), l.Text)
	}
	return b.String()
}

// within says whether a task was under way at some time of the second that a line is about.
func (w *Device) within(x rollout.Try, l Line) bool {
	return w.shown(l.At.Add(time.Second)).After(x.Issued) && !w.shown(l.At).After(x.Ended)
}

// inWindow says whether a window, whose clock is in UTC, is open at some time of the second that a line is about.
func (w *Device) inWindow(l Line) bool {
	from, to := w.shown(l.At), w.shown(l.At.Add(time.Second))
	return len(w.Windows) == 0 || slices.ContainsFunc(w.Windows, func(x policy.Window) bool {
		begin, end := x.Next(from, time.UTC)
		return begin.Before(to) && from.Before(end)
	})
}

// Contradictions returns what of both does not fit together, or is not as it was to be: every line of the device's log lies within one
// installation of the journal and within a window, nothing was done twice in one installation nor after one that succeeded, and
// all of it exactly once on a device that nobody has disturbed.
func (w *Device) Contradictions() (all []string) {
	wrong := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if w.Outcome != rollout.Succeeded {
		wrong("it is %s", w.Outcome)
	}
	want := ""
	for _, name := range w.Names {
		want += name + " " + w.After + " ii \n"
	}
	if w.Installed != want {
		wrong("dpkg-query says %q", w.Installed)
	}
	did := make(map[string]int)  // by line
	each := make(map[string]int) // by installation and line
	for _, l := range w.Log {
		var of []int
		for i, x := range w.Tries {
			if x.Op == rollout.OpInstall && w.within(x, l) {
				of = append(of, i)
			}
		}
		if len(of) != 1 {
			wrong("%q at %s is within %d installations", l.Text, w.shown(l.At), len(of))
		}
		if !w.inWindow(l) {
			wrong("%q at %s is outside of the window", l.Text, w.shown(l.At))
		}
		did[l.Text]++
		verb, rest, _ := strings.Cut(l.Text, " ")
		if verb == "status" || verb == "configure" {
			continue
		}
		name, _, _ := strings.Cut(rest, ":")
		mends := w.Cut && slices.Contains([]string{w.again(name, w.Before), w.again(name, w.After)}, l.Text) // unpacked again by repair
		if !slices.Contains(w.Names, name) || l.Text != w.upgrade(name) && !mends {
			wrong("nobody has asked for %q", l.Text)
		}
		if each[fmt.Sprint(of, l.Text)]++; each[fmt.Sprint(of, l.Text)] > 1 {
			wrong("%q twice in one installation", l.Text)
		}
	}
	for _, name := range w.Names {
		for _, text := range []string{w.upgrade(name), w.installed(name)} {
			if n := did[text]; n < 1 || n > 1 && !w.Cut {
				wrong("%q %d times", text, n)
			}
		}
	}
	installs, won, restarts := 0, 0, 0
	for _, x := range w.Tries {
		switch {
		case x.Op == rollout.OpReboot && x.Phase == rollout.PhaseSucceeded:
			restarts++
		case x.Op == rollout.OpInstall:
			installs++
			if won > 0 {
				wrong("installed at %s, after that had succeeded", x.Issued)
			}
			if x.Phase != rollout.PhaseSucceeded {
				break
			}
			won++
			if !slices.ContainsFunc(w.Log, func(l Line) bool { return strings.HasPrefix(l.Text, "status installed ") && w.within(x, l) }) {
				wrong("the installation at %s has succeeded, and the device knows nothing of it", x.Issued)
			}
		}
	}
	if won != 1 {
		wrong("%d installations have succeeded", won)
	}
	if w.Cut {
		return all
	}
	if wanted := map[bool]int{true: 2, false: 1}[w.Restart]; w.Boots != wanted {
		wrong("it was started %d times", w.Boots)
	}
	if w.Disturbed {
		return all
	}
	if installs != 1 {
		wrong("%d installations", installs)
	}
	if (restarts == 1) != w.Restart {
		wrong("the journal knows of %d restarts", restarts)
	}
	return all
}

func (w *Device) upgrade(name string) string {
	return fmt.Sprintf("upgrade %s:all %s %s", name, w.Before, w.After)
}
func (w *Device) again(name, v string) string { return fmt.Sprintf("upgrade %s:all %s %s", name, v, v) }
func (w *Device) installed(name string) string {
	return fmt.Sprintf("status installed %s:all %s", name, w.After)
}
