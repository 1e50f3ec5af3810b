package bench

import (
	"io"
	"os"
	"strings"
	"testing"
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
