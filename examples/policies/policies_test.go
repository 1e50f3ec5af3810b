package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files")
	flag.Parse()
	os.Exit(m.Run())
}

func golden(t *testing.T, name string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run(args, &out, io.Discard))
	file := filepath.Join("testdata", name)
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.WriteFile(file, out.Bytes(), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(string(want), out.String()))
}

func TestPrintsTheReadyPolicies(t *testing.T) {
	golden(t, "all.golden")
	for _, name := range []string{"small-office", "msp", "essential-eight", "bank"} {
		golden(t, name+".golden", "-policy", name)
	}
}

func TestPrintsYourOwn(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("name: a\ntenant: \"\"\npolicy: {maxActive: 3}\n"), 0o600))
	var out bytes.Buffer
	require.NoError(t, run([]string{"-dir", dir}, &out, io.Discard))
	require.Contains(t, out.String(), "maxActive  3")
	require.Contains(t, out.String(), "wua:KB5060001 on front-desk: no-decision")
}

func TestRefusesWhatItCannotUse(t *testing.T) {
	dir := t.TempDir()
	for want, args := range map[string][]string{
		`"now": want flags only`:   {"now"},
		`there is none called "x"`: {"-policy", "x"},
		"holds no .yaml":           {"-dir", dir},
		"not defined: -undefined":  {"-undefined"},
	} {
		require.ErrorContains(t, run(args, io.Discard, io.Discard), want)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("name: a\ntenant: \"\"\npolicy: {maxActiv: 3}\n"), 0o600))
	require.ErrorContains(t, run([]string{"-dir", dir}, io.Discard, io.Discard), "a.yaml:3:10: policy.maxActiv: unknown field; did you mean maxActive?")
}
