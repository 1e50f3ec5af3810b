package sshfleet

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/fleetbed"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/sqlite"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

const (
	journalFile = "journal.db"
	dpkgLog     = "var/log/dpkg.log"
)

// A line of dpkg's log is about one second: "upgrade vault:all 1.0 1.1", "status installed vault:all 1.1".
type line struct {
	at   time.Time
	text string
}

// readLog returns the lines of dpkg's log that say what it did to packages.
func readLog(content string) (all []line, err error) {
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
		if l := (line{at, text[len(layout)+1:]}); !strings.HasPrefix(l.text, "startup ") {
			all = append(all, l)
		}
	}
	return all, nil
}

// A witness is what the journal and the device itself say of one device.
type witness struct {
	outcome   rollout.Outcome
	tries     []rollout.Try
	log       []line // of its dpkg
	installed string // what its dpkg-query says
	boots     int    // how often it was started
	clock     clock
	windows   []policy.Window
	restart   bool // it wants one after it was patched

	// disturbed says that its network was taken away, or the controller killed: the journal may know of installations that have not begun,
	// or whose end nobody has seen. cut says that its power was: what it was at may have been done again by another installation, and
	// what was half done mended by it.
	disturbed, cut bool
}

func (w *witness) String() string {
	var b strings.Builder
	clocked := func(at time.Time) string { return at.Format("15:04:05.000") }
	fmt.Fprintf(&b, "%s, started %d times\n", w.outcome, w.boots)
	for _, x := range w.tries {
		fmt.Fprintf(&b, "  journal: %s to %s %s %s %s %s\n", clocked(x.Issued), clocked(x.Ended), x.Op, x.Phase, x.Fault, x.Message)
	}
	for _, l := range w.log {
		fmt.Fprintf(&b, "  device:  %s %s\n", clocked(w.clock.at(l.at)), l.text)
	}
	return b.String()
}

// within says whether a task was under way at some time of the second that a line is about.
func (w *witness) within(x rollout.Try, l line) bool {
	return w.clock.at(l.at.Add(time.Second)).After(x.Issued) && !w.clock.at(l.at).After(x.Ended)
}

// inWindow says whether a window, whose clock is in UTC, is open at some time of the second that a line is about.
func (w *witness) inWindow(l line) bool {
	from, to := w.clock.at(l.at), w.clock.at(l.at.Add(time.Second))
	return slices.ContainsFunc(w.windows, func(x policy.Window) bool {
		begin, end := x.Next(from, time.UTC)
		return begin.Before(to) && from.Before(end)
	})
}

// contradictions returns what of both does not fit together, or is not as it was to be: every line of the device's log lies within one
// installation of the journal and within a window, nothing was done twice in one installation nor after one that succeeded, and
// all of it exactly once on a device that nobody has disturbed.
func (w *witness) contradictions() (all []string) {
	wrong := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if w.outcome != rollout.Succeeded {
		wrong("it is %s", w.outcome)
	}
	want := ""
	for _, name := range names() {
		want += name + " " + after + " ii \n"
	}
	if w.installed != want {
		wrong("dpkg-query says %q", w.installed)
	}
	did := make(map[string]int)  // by line
	each := make(map[string]int) // by installation and line
	for _, l := range w.log {
		var of []int
		for i, x := range w.tries {
			if x.Op == rollout.OpInstall && w.within(x, l) {
				of = append(of, i)
			}
		}
		if len(of) != 1 {
			wrong("%q at %s is within %d installations", l.text, w.clock.at(l.at), len(of))
		}
		if !w.inWindow(l) {
			wrong("%q at %s is outside of the window", l.text, w.clock.at(l.at))
		}
		did[l.text]++
		verb, rest, _ := strings.Cut(l.text, " ")
		if verb == "status" || verb == "configure" {
			continue
		}
		name, _, _ := strings.Cut(rest, ":")
		mends := w.cut && slices.Contains([]string{again(name, before), again(name, after)}, l.text) // unpacked again by repair
		if !slices.Contains(names(), name) || l.text != upgrade(name) && !mends {
			wrong("nobody has asked for %q", l.text)
		}
		if each[fmt.Sprint(of, l.text)]++; each[fmt.Sprint(of, l.text)] > 1 {
			wrong("%q twice in one installation", l.text)
		}
	}
	for _, name := range names() {
		for _, text := range []string{upgrade(name), installed(name)} {
			if n := did[text]; n < 1 || n > 1 && !w.cut {
				wrong("%q %d times", text, n)
			}
		}
	}
	installs, won, restarts := 0, 0, 0
	for _, x := range w.tries {
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
			if !slices.ContainsFunc(w.log, func(l line) bool { return strings.HasPrefix(l.text, "status installed ") && w.within(x, l) }) {
				wrong("the installation at %s has succeeded, and the device knows nothing of it", x.Issued)
			}
		}
	}
	if won != 1 {
		wrong("%d installations have succeeded", won)
	}
	if w.cut {
		return all
	}
	if wanted := map[bool]int{true: 2, false: 1}[w.restart]; w.boots != wanted {
		wrong("it was started %d times", w.boots)
	}
	if w.disturbed {
		return all
	}
	if installs != 1 {
		wrong("%d installations", installs)
	}
	if (restarts == 1) != w.restart {
		wrong("the journal knows of %d restarts", restarts)
	}
	return all
}

func upgrade(name string) string   { return fmt.Sprintf("upgrade %s:all %s %s", name, before, after) }
func again(name, v string) string  { return fmt.Sprintf("upgrade %s:all %s %s", name, v, v) }
func installed(name string) string { return fmt.Sprintf("status installed %s:all %s", name, after) }

// timeline reads the journal, as an auditor would.
func timeline(t *testing.T, dir string) *rollout.Timeline {
	t.Helper()
	j, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(dir, journalFile)})
	require.NoError(t, err)
	defer func() { require.NoError(t, j.Close()) }()
	record, err := j.Load(t.Context(), key())
	require.NoError(t, err)
	plan, err := rollout.DecodePlan(record.Plan)
	require.NoError(t, err)
	told, did, err := rollout.ReadTimeline(plan, record.Entries)
	require.NoError(t, err)
	require.NoError(t, did.Torn)
	return told
}

// prove compares the journal with what every device says of itself, over ssh, and returns the timeline. what says what has happened to a
// device; nil means nothing.
func (s *site) prove(t *testing.T, o orders, what func(w *witness, d *fleetbed.Device)) *rollout.Timeline {
	t.Helper()
	told := timeline(t, o.Dir)
	require.Equal(t, rollout.StageDone, told.Machine().Stage())
	require.Len(t, told.Plan().Devices, len(s.Devices))
	c, err := newController(o)
	require.NoError(t, err)
	number := make(map[inventory.DeviceID]int)
	for i, id := range told.Plan().Devices {
		number[id] = i
	}
	all := make([]witness, len(o.Names))
	require.NoError(t, c.each(t.Context(), func(ctx context.Context, i int) (err error) {
		n := number[o.Names[i]]
		all[i], err = c.ask(ctx, o.Names[i])
		all[i].outcome, all[i].tries = told.Machine().Device(n).Outcome, told.Tries(n)
		all[i].boots, all[i].restart = s.Devices[i].Boots(), restarts(i)
		if what != nil {
			what(&all[i], s.Devices[i])
		}
		return err
	}))
	first, last := make([]time.Time, len(told.Plan().Rings)), make([]time.Time, len(told.Plan().Rings))
	for i := range all {
		w := &all[i]
		require.Empty(t, w.contradictions(), "%s: %s", o.Names[i], w)
		ring := told.Plan().RingOf(number[o.Names[i]])
		if at := w.log[0].at; first[ring].IsZero() || at.Before(first[ring]) {
			first[ring] = at
		}
		if at := w.log[len(w.log)-1].at; at.After(last[ring]) {
			last[ring] = at
		}
	}
	for ring := range first[1:] {
		require.False(t, first[ring+1].Before(last[ring]), "ring %d has begun before ring %d was done, by the devices' own clocks", ring+1, ring)
	}
	return told
}

// query asks for all packages: "vault 1.1 ii ".
func query() transport.Command {
	return transport.Command{Argv: []string{"dpkg-query", "-W", "-f", `${Package} ${Version} ${db:Status-Abbrev}\n`}}
}

// ask asks a device what it says of itself.
func (c *controller) ask(ctx context.Context, id inventory.DeviceID) (w witness, err error) {
	run := func(cmd transport.Command) (string, error) {
		r, err := c.ssh[id].Run(ctx, cmd)
		if err == nil && !r.OK() {
			err = fmt.Errorf("%s: %s: %s", id, cmd, r)
		}
		return string(r.Stdout), err
	}
	w.clock, w.windows = c.Clock, c.Policy.Windows
	if w.installed, err = run(query()); err != nil {
		return w, err
	}
	text, err := run(transport.Command{Argv: []string{"cat", "/" + dpkgLog}, MaxStdout: 1 << 20})
	if err == nil {
		w.log, err = readLog(text)
	}
	return w, err
}

// A proof that cannot fail is none: each of these devices contradicts its journal.
func TestTheProofNotices(t *testing.T) {
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	in := func(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }
	good := func() *witness {
		w := &witness{outcome: rollout.Succeeded, installed: "ledger 1.1 ii \nvault 1.1 ii \n", boots: 2, restart: true,
			clock: clock{Real: noon, Shown: noon.Add(10 * time.Hour), Speed: 1}, windows: []policy.Window{{Start: 22 * 60, End: 23 * 60}}}
		shown := func(seconds float64) time.Time { return w.clock.at(in(seconds)) }
		w.tries = []rollout.Try{
			{Op: rollout.OpInstall, Issued: shown(2.5), Ended: shown(6.2), Phase: rollout.PhaseSucceeded},
			{Op: rollout.OpReboot, Issued: shown(6.2), Ended: shown(8), Phase: rollout.PhaseSucceeded},
			{Op: rollout.OpVerify, Issued: shown(8), Ended: shown(9), Phase: rollout.PhaseSucceeded},
		}
		for _, name := range names() {
			w.log = append(w.log, line{in(2), upgrade(name)}, line{in(6), installed(name)})
		}
		return w
	}
	require.Empty(t, good().contradictions())
	tried := func() *witness { // a first installation was interrupted
		w := good()
		w.tries = slices.Insert(w.tries, 0, rollout.Try{Op: rollout.OpInstall, Issued: noon.Add(10 * time.Hour), Ended: w.clock.at(in(1)), Phase: rollout.PhaseFailed})
		return w
	}
	w := tried()
	require.Equal(t, []string{"2 installations"}, w.contradictions())
	w.disturbed = true
	require.Empty(t, w.contradictions(), "it has not begun")
	w.log = slices.Insert(w.log, 0, line{in(0), upgrade("vault")}, line{in(2), again("vault", before)})
	require.Len(t, w.contradictions(), 2)
	w.cut = true
	require.Empty(t, w.contradictions(), "what was interrupted was mended and done again")

	for name, row := range map[string]struct {
		change func(w *witness)
		want   string
	}{
		"it has failed":                   {func(w *witness) { w.outcome = rollout.Failed }, "it is failed"},
		"it has the old version":          {func(w *witness) { w.installed = "ledger 1.1 ii \nvault 1.0 ii \n" }, "dpkg-query says"},
		"a package is half there":         {func(w *witness) { w.installed = "ledger 1.1 ii \nvault 1.1 iF \n" }, "dpkg-query says"},
		"a line before the installation":  {func(w *witness) { w.log[0].at = in(1) }, "within 0 installations"},
		"a line after it":                 {func(w *witness) { w.log[3].at = in(7) }, "within 0 installations"},
		"a line before the window":        {func(w *witness) { w.tries[0].Issued, w.log[0].at = w.clock.at(in(-5)), in(-1) }, "outside of the window"},
		"a line after the window":         {func(w *witness) { w.tries[0].Ended, w.log[3].at = w.clock.at(in(4000)), in(3600) }, "outside of the window"},
		"a package that is not wanted":    {func(w *witness) { w.log[0].text = "install eve:all <none> 1.0" }, "nobody has asked for"},
		"a package that was removed":      {func(w *witness) { w.log = append(w.log, line{in(5), "remove vault:all 1.0 <none>"}) }, "nobody has asked for"},
		"a package that was not upgraded": {func(w *witness) { w.log = w.log[1:] }, "0 times"},
		"an upgrade that did not end":     {func(w *witness) { w.log = w.log[:3] }, "0 times"},
		"an upgrade that was done twice":  {func(w *witness) { w.log = append(w.log, w.log[0]) }, "twice in one installation"},
		"two installations":               {func(w *witness) { w.tries = append(w.tries, w.tries[0]) }, "after that had succeeded"},
		"none that the journal knows of":  {func(w *witness) { w.tries = w.tries[1:] }, "0 installations have succeeded"},
		"a restart that was not wanted":   {func(w *witness) { w.restart = false }, "it was started 2 times"},
		"a restart of its own":            {func(w *witness) { w.boots = 3 }, "it was started 3 times"},
		"a restart that nobody has seen":  {func(w *witness) { w.tries = w.tries[:1] }, "knows of 0 restarts"},
		"a package that was mended":       {func(w *witness) { w.log[0].text = again("ledger", before) }, "nobody has asked for"},
		"a device that knows of nothing":  {func(w *witness) { w.log = nil }, "knows nothing of it"},
	} {
		t.Run(name, func(t *testing.T) {
			w := good()
			row.change(w)
			require.Contains(t, strings.Join(w.contradictions(), "\n"), row.want)
		})
	}
	_, err := readLog("2026-03-02 22:00:00 status installed a:all 1\nshort\n")
	require.ErrorContains(t, err, `"short"`)
	_, err = readLog("2026-03-02 25:00:00 status installed a:all 1\n")
	require.Error(t, err)
}
