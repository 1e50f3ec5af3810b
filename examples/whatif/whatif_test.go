package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/rollout/simulate"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files")
	flag.Parse()
	os.Exit(m.Run())
}

func TestTellsTheSameEveryTime(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(nil, &out, io.Discard))
	const file = "testdata/whatif.golden"
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.WriteFile(file, out.Bytes(), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(string(want), out.String()), "-want +got; go test -update writes it anew")
}

// What the program says of its made-up months must be so: the model that it learns is near the truth, a smaller pilot costs
// fewer devices, and what is not in the journal is said to be unknown.
func TestTellsTheTruth(t *testing.T) {
	model, err := simulate.Learn(osOf, pastMonths(3000))
	require.NoError(t, err)
	for _, r := range truth().Rates {
		found := 0.
		for _, got := range model.Rates {
			if got.Patch == "" && got.OS == r.OS && got.Fault == r.Fault {
				found += got.Chance
			}
		}
		require.InDelta(t, r.Chance, found, 0.02, "%s %s", r.OS, r.Fault)
	}
	plan, err := planOf(1500, rings(2000), 4)
	require.NoError(t, err)
	recorded, err := badMonth(plan)
	require.NoError(t, err)
	small, err := simulate.Replan(&plan, rings(500), nil)
	require.NoError(t, err)
	c, err := simulate.Compare(simulate.CompareConfig{Recorded: recorded, Plan: small})
	require.NoError(t, err)
	require.True(t, c.Certain)
	require.Less(t, c.Worst.Begun, c.Recorded.Begun/3)
	large, err := simulate.Replan(&plan, rings(6000), nil)
	require.NoError(t, err)
	c, err = simulate.Compare(simulate.CompareConfig{Recorded: recorded, Plan: large})
	require.NoError(t, err)
	require.NotZero(t, c.Unknown)
}

func TestDrawsTheForecast(t *testing.T) {
	file := filepath.Join(t.TempDir(), "whatif.svg")
	require.NoError(t, run([]string{"-devices", "300", "-svg", file}, io.Discard, io.Discard))
	drawing, err := os.ReadFile(file)
	require.NoError(t, err)
	counts := make(map[string]int)
	for d := xml.NewDecoder(bytes.NewReader(drawing)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if e, ok := token.(xml.StartElement); ok {
			counts[e.Name.Local]++
		}
	}
	require.Equal(t, 1, counts["svg"])
	require.Greater(t, counts["rect"], 20, "two for each ring, and columns")
	require.Greater(t, counts["line"], 2, "one for each day")
	require.Equal(t, counts["rect"], counts["title"])
	require.Contains(t, string(drawing), ">pilot</text>")
	require.False(t, strings.Contains(string(drawing), "NaN"))
}

func TestRefusesWhatItCannotUse(t *testing.T) {
	for want, args := range map[string][]string{
		`"now": want flags only`:        {"now"},
		"-devices 3: want 200 to 20000": {"-devices", "3"},
		"not defined: -undefined":       {"-undefined"},
		"no such file":                  {"-svg", filepath.Join(t.TempDir(), "none", "x.svg")},
	} {
		require.ErrorContains(t, run(args, io.Discard, io.Discard), want)
	}
	cut := errors.New("the pipe is closed")
	require.ErrorIs(t, run(nil, failing{cut}, io.Discard), cut)
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
