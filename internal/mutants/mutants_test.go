package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whether tests notice them takes too long to ask here; whether they can still be planted does not.
func TestFaultsCanBePlanted(t *testing.T) {
	top, err := root()
	require.NoError(t, err)
	names := make(map[string]bool)
	for _, f := range faults() {
		require.False(t, names[f.Name], "%s: twice", f.Name)
		names[f.Name] = true
		source, err := os.ReadFile(filepath.Join(top, f.File))
		require.NoError(t, err, f.Name)
		changed, err := f.apply(source)
		require.NoError(t, err, f.Name)
		_, err = parser.ParseFile(token.NewFileSet(), f.File, changed, 0)
		require.NoError(t, err, f.Name)
		require.NotEmpty(t, f.Tests, f.Name)
	}
	require.GreaterOrEqual(t, len(names), 30)
}

func TestFailing(t *testing.T) {
	require.Equal(t, "TestA/b", failing([]byte("--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/b (0.00s)\n        x.go:1: no\n--- FAIL: TestC (0.1s)\nFAIL\n")))
	require.Contains(t, failing([]byte("panic: no\nFAIL\n")), "no test named")
}

// A fault that a test notices, one that makes no difference, and one that is no program.
func TestPlant(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles packages")
	}
	top, err := root()
	require.NoError(t, err)
	f := fault{Name: "x", File: "internal/nearest/nearest.go", Old: "best, least = k, d", Tests: []string{"./internal/nearest"}}
	f.New = "best, least = word, d"
	by, err := plant(top, f)
	require.NoError(t, err)
	require.Contains(t, by, "internal/nearest Test")
	f.New = "least, best = d, k"
	by, err = plant(top, f)
	require.NoError(t, err)
	require.Empty(t, by)
	f.New = "best, least = d, k"
	_, err = plant(top, f)
	require.ErrorContains(t, err, "does not compile")
	f.Old = "no such text"
	_, err = plant(top, f)
	require.ErrorContains(t, err, "0 times")
}
