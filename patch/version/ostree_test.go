package version_test

import (
	"strings"
	"testing"

	"github.com/patchflow/patchflow/patch/version"
)

func TestOSTreeOrder(t *testing.T) {
	a, f := strings.Repeat("a", 64), strings.Repeat("f", 64)
	checkSorted(t, version.OSTree, [][]string{
		{"19700101T000000Z-" + f}, {"20260203T115959Z-" + f}, {"20260203T120000Z-" + a}, {"20260203T120000Z-" + f}, {"20261203T120000Z-" + a}, {"21000101T000000Z-" + a},
	})
}

func TestOSTreeGrammar(t *testing.T) {
	commit := strings.Repeat("0123456789abcdef", 4)
	checkGrammar(t, version.OSTree, []string{"20260203T120000Z-" + commit, "00010101T000000Z-" + commit}, map[string]string{
		"": "no time, hyphen and commit", commit: "no time, hyphen and commit", "20260203T120000Z": "no time, hyphen and commit", "20260203T120000Z." + commit: "no time, hyphen and commit",
		"20260203T120000Z-" + commit[1:]: "no time, hyphen and commit", "20260203T120000.5Z-" + commit[2:]: "no time, hyphen and commit", "20260230T120000Z-" + commit: "its time is none", "2026-203T120000Z-" + commit: "its time is none",
		"20260203T12000.Z-" + commit: "its time is none", "20260203T120000Z-" + strings.ToUpper(commit): "other digits", "20260203T120000Z-" + commit[1:] + "\n": "other digits",
	})
}
