package bench

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/rollout"
)

// TestRatios measures every contest and fails for each goal that is missed. It takes some minutes and wants the machine
// for itself, so it runs on demand only. Contests of what the feeds come to are skipped without these.
func TestRatios(t *testing.T) {
	if os.Getenv("PATCHFLOW_BENCH") != "1" {
		t.Skip("TestRatios does NOT run: the ratios to peers are unchecked. Set PATCHFLOW_BENCH=1 to run it")
	}
	var tables strings.Builder
	for _, row := range []struct {
		name  string
		build func(testing.TB) *contest
	}{
		{"plan", planning}, {"machine", processing}, {"month", aMonth}, {"journal", journaling}, {"codec", encoding}, {"codec with texts", encodingTexts},
		{"versions", versions}, {"hash", hashing}, {"fleet", assessing}, {"loading feeds", loading}, {"serving feeds", serving},
		{"gate", judging}, {"openings", openingNext}, {"openings of a fleet", openingFleet}, {"layers", layering}, {"decision", deciding}, {"decisions of a fleet", decidingFleet},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := row.build(t)
			c.decide(t)
			c.table(&tables)
		})
	}
	for _, row := range []struct {
		name   string
		decide func(*testing.T, io.Writer)
	}{
		{"memory", decideMemory}, {"memory of a fleet", decideFleetMemory}, {"memory of feeds", decideFeedMemory},
	} {
		t.Run(row.name, func(t *testing.T) { row.decide(t, &tables) })
	}
	t.Log(tables.String())
}

// TestTwoRatiosAtEveryRun runs with all other tests, on less, so that what is far from its goal is seen at once: a plan beside one by sorting, and a
// look at a gate beside the closed form. It leaves so much room that a busy machine does not make it fail; what is nearer to a goal is for [TestRatios].
func TestTwoRatiosAtEveryRun(t *testing.T) {
	if raced {
		t.Skip("the race detector slows down one side more than the other")
	}
	for _, row := range []struct {
		build      func(testing.TB) *contest
		side, peer string
		most       float64
	}{
		{planningLess, "NewPlan", "plan by sort.Slice", 1}, // the goal is 1/3, and 1/2 with strata
		{judging, "table", "closed form", 1. / 10},         // the goal is 1/50
	} {
		c, of := row.build(t), goal{row.side, row.peer, row.most}
		t.Run(c.name, func(t *testing.T) {
			for c.rounds < 5 || c.rounds < mostRounds && c.ratio(of) > row.most {
				c.round()
			}
			if c.ratio(of) > row.most {
				t.Errorf("%s takes %s of %s after %d rounds; more than %s is too much by any measure", row.side, times(c.ratio(of)), row.peer, c.rounds, times(row.most))
			}
		})
	}
}

// planningLess measures a plan for fifty thousand devices beside one by sorting.
func planningLess(tb testing.TB) *contest {
	const devices = 50_000
	in := input(uuids(devices), shares()...)
	var p rollout.Plan
	return &contest{
		name: "Plan for 50,000 devices",
		sides: []side{
			{name: "plan by sort.Slice", per: devices, run: func() { p = sorted(&in) }},
			{name: "NewPlan", per: devices, run: func() {
				var err error
				p, err = rollout.NewPlan(in)
				require.NoError(tb, err)
				require.Len(tb, p.Devices, devices)
			}},
		},
	}
}
