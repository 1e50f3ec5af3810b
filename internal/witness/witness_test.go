package witness

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// A proof that cannot fail is none: each of these devices contradicts its journal.
func TestTheProofNotices(t *testing.T) {
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	in := func(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }
	good := func() *Device {
		w := &Device{Names: []string{"ledger", "vault"}, Before: "1.0", After: "1.1", Outcome: rollout.Succeeded, Installed: "ledger 1.1 ii \nvault 1.1 ii \n",
			Boots: 2, Restart: true, Clock: func(at time.Time) time.Time { return at.Add(10 * time.Hour) }, Windows: []policy.Window{{Start: 22 * 60, End: 23 * 60}}}
		shown := func(seconds float64) time.Time { return w.Clock(in(seconds)) }
		w.Tries = []rollout.Try{
			{Op: rollout.OpInstall, Issued: shown(2.5), Ended: shown(6.2), Phase: rollout.PhaseSucceeded},
			{Op: rollout.OpReboot, Issued: shown(6.2), Ended: shown(8), Phase: rollout.PhaseSucceeded},
			{Op: rollout.OpVerify, Issued: shown(8), Ended: shown(9), Phase: rollout.PhaseSucceeded},
		}
		for _, name := range w.Names {
			w.Log = append(w.Log, Line{in(2), w.upgrade(name)}, Line{in(6), w.installed(name)})
		}
		return w
	}
	require.Empty(t, good().Contradictions())
	tried := func() *Device { // a first installation was interrupted
		w := good()
		w.Tries = slices.Insert(w.Tries, 0, rollout.Try{Op: rollout.OpInstall, Issued: noon.Add(10 * time.Hour), Ended: w.Clock(in(1)), Phase: rollout.PhaseFailed})
		return w
	}
	w := tried()
	require.Equal(t, []string{"2 installations"}, w.Contradictions())
	w.Disturbed = true
	require.Empty(t, w.Contradictions(), "it has not begun")
	w.Log = slices.Insert(w.Log, 0, Line{in(0), w.upgrade("vault")}, Line{in(2), w.again("vault", w.Before)})
	require.Len(t, w.Contradictions(), 2)
	w.Cut = true
	require.Empty(t, w.Contradictions(), "what was interrupted was mended and done again")

	w = good()
	w.Windows, w.Clock = nil, nil
	require.NotEmpty(t, w.Contradictions(), "its clock is another")
	for i := range w.Tries {
		w.Tries[i].Issued, w.Tries[i].Ended = w.Tries[i].Issued.Add(-10*time.Hour), w.Tries[i].Ended.Add(-10*time.Hour)
	}
	require.Empty(t, w.Contradictions())

	for name, row := range map[string]struct {
		change func(w *Device)
		want   string
	}{
		"it has failed":                   {func(w *Device) { w.Outcome = rollout.Failed }, "it is failed"},
		"it has the old version":          {func(w *Device) { w.Installed = "ledger 1.1 ii \nvault 1.0 ii \n" }, "dpkg-query says"},
		"a package is half there":         {func(w *Device) { w.Installed = "ledger 1.1 ii \nvault 1.1 iF \n" }, "dpkg-query says"},
		"a line before the installation":  {func(w *Device) { w.Log[0].At = in(1) }, "within 0 installations"},
		"a line after it":                 {func(w *Device) { w.Log[3].At = in(7) }, "within 0 installations"},
		"a line before the window":        {func(w *Device) { w.Tries[0].Issued, w.Log[0].At = w.Clock(in(-5)), in(-1) }, "outside of the window"},
		"a line after the window":         {func(w *Device) { w.Tries[0].Ended, w.Log[3].At = w.Clock(in(4000)), in(3600) }, "outside of the window"},
		"a package that is not wanted":    {func(w *Device) { w.Log[0].Text = "install eve:all <none> 1.0" }, "nobody has asked for"},
		"a package that was removed":      {func(w *Device) { w.Log = append(w.Log, Line{in(5), "remove vault:all 1.0 <none>"}) }, "nobody has asked for"},
		"a package that was not upgraded": {func(w *Device) { w.Log = w.Log[1:] }, "0 times"},
		"an upgrade that did not end":     {func(w *Device) { w.Log = w.Log[:3] }, "0 times"},
		"an upgrade that was done twice":  {func(w *Device) { w.Log = append(w.Log, w.Log[0]) }, "twice in one installation"},
		"two installations":               {func(w *Device) { w.Tries = append(w.Tries, w.Tries[0]) }, "after that had succeeded"},
		"none that the journal knows of":  {func(w *Device) { w.Tries = w.Tries[1:] }, "0 installations have succeeded"},
		"a restart that was not wanted":   {func(w *Device) { w.Restart = false }, "it was started 2 times"},
		"a restart of its own":            {func(w *Device) { w.Boots = 3 }, "it was started 3 times"},
		"a restart that nobody has seen":  {func(w *Device) { w.Tries = w.Tries[:1] }, "knows of 0 restarts"},
		"a package that was mended":       {func(w *Device) { w.Log[0].Text = w.again("ledger", w.Before) }, "nobody has asked for"},
		"a device that knows of nothing":  {func(w *Device) { w.Log = nil }, "knows nothing of it"},
	} {
		t.Run(name, func(t *testing.T) {
			w := good()
			row.change(w)
			require.Contains(t, strings.Join(w.Contradictions(), "\n"), row.want)
		})
	}
	_, err := ReadLog("2026-03-02 22:00:00 status installed a:all 1\nshort\n")
	require.ErrorContains(t, err, `"short"`)
	_, err = ReadLog("2026-03-02 25:00:00 status installed a:all 1\n")
	require.Error(t, err)
}
