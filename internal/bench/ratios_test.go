package bench

import (
	"os"
	"strings"
	"testing"
)

// TestRatios measures every contest and fails for each goal that is missed. It takes some minutes and wants the machine
// for itself, so it runs on demand only.
func TestRatios(t *testing.T) {
	if os.Getenv("PATCHFLOW_BENCH") != "1" {
		t.Skip("TestRatios does NOT run: the ratios to peers are unchecked. Set PATCHFLOW_BENCH=1 to run it")
	}
	var tables strings.Builder
	for _, build := range []func(testing.TB) *contest{
		planning, processing, journaling, encoding, encodingTexts, versions, hashing, assessing,
	} {
		c := build(t)
		t.Run(c.name, c.decide)
		c.table(&tables)
	}
	t.Run("memory", func(t *testing.T) { decideMemory(t, &tables) })
	t.Run("memory of a fleet", func(t *testing.T) { decideFleetMemory(t, &tables) })
	t.Log(tables.String())
}
