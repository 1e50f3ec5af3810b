package runner_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

func TestRunsAPlanToItsEnd(t *testing.T) {
	clock := newClock()
	f := fleet(clock, 100)
	f.Behave = behave(memory.Behaviour{Latency: 7 * time.Minute})
	cfg := config(f, new(memjournal.Journal))
	cfg.Clock = clock
	r := start(t, cfg)
	p := begin(t, r, key("q1"), rings())
	s := ends(t, r, key("q1"))
	require.Equal(t, rollout.StageDone, s.Stage)
	require.Equal(t, 100, s.Rings[0].Counts.Succeeded+s.Rings[1].Counts.Succeeded)
	for _, d := range p.Devices {
		require.Equal(t, 1, f.Installs(d), d)
	}
}

func TestABadPatchStopsInTheFirstRing(t *testing.T) {
	clock := newClock()
	f := fleet(clock, 100)
	f.Behave = behave(memory.Behaviour{Latency: 7 * time.Minute, Breaks: true})
	cfg := config(f, new(memjournal.Journal))
	cfg.Clock = clock
	r := start(t, cfg)
	begin(t, r, key("q1"), rings())
	s := ends(t, r, key("q1"))
	require.Equal(t, rollout.StageUndone, s.Stage)
	require.Equal(t, 5, s.Rings[0].Counts.RolledBack)
	require.Equal(t, 95, s.Rings[1].Counts.Left)
	_, err := r.Plan(t.Context(), runner.PlanRequest{Key: key("q2"), Policy: rings(), By: "olga"})
	require.ErrorIs(t, err, rollout.ErrNothing)
}
