package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// Evidence is about what a patch does by itself. Whoever tries again what has failed until it succeeds must not make a bad patch look good.
func TestEvidenceKeepsAFailureThatWasTriedAgain(t *testing.T) {
	p, err := NewPlan(input(5, policy.Ring{Name: "all", Rest: true, Gate: policy.Gate{MaxFailed: 10000, MinSuccess: 10000,
		Evidence: policy.Evidence{Tolerate: 100}}}))
	require.NoError(t, err)
	m, err := NewMachine(p)
	require.NoError(t, err)
	at := p.At
	step := func(s Signal) {
		t.Helper()
		_, err := m.Step(s)
		require.NoError(t, err)
	}
	report := func(d int32, r Report) {
		at = at.Add(time.Minute)
		step(Reported{At: at, Reports: []TaskReport{{Handle{d, m.dev[d].seq}, r}}})
	}
	step(Begin{At: at})
	step(Granted{At: at, Devices: m.Wanted(at, 0)})
	report(0, Report{Phase: PhaseFailed, Fault: patch.Permanent})
	before := m.evidence(0)
	require.Equal(t, 1, before.Failed)
	step(Commanded{At: at, Command: Command{Do: DoRetry, By: "hans", Devices: p.Devices[:1]}})
	require.Equal(t, before, m.evidence(0))
	step(Granted{At: at, Devices: m.Wanted(at, 0)})
	report(0, Report{Phase: PhaseSucceeded})
	report(0, Report{Phase: PhaseSucceeded})
	require.Equal(t, Succeeded, m.Device(0).Outcome)
	require.Equal(t, before, m.evidence(0))
	require.Equal(t, 1, m.counts(0).Succeeded, "for the thresholds the newest outcome counts")
	require.Zero(t, m.counts(0).Failed)
}
