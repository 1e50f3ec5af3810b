package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/aptbed"
	"github.com/patchflow/patchflow/internal/need"
)

// The program itself asks dpkg-query on every device, and fails if that says anything else than the story.
func TestTheStory(t *testing.T) {
	for _, name := range aptbed.Programs() {
		need.Tool(t, name)
	}
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out), "%s", &out)
	for _, line := range []string{
		"gate of ring test: pass, 3 of 3 succeeded, 0 failed", "gate of ring pilot: pass, 4 of 4 succeeded", "gate of ring broad: pass, 5 of 5 succeeded",
		"gate of ring test: fail, 1 of 3 failed", "quarantine debian:stable/ledger=2.0",
		"device-02  install: permanent: apt: install: exit code 100: installed ledger package post-installation script subprocess returned error exit status 1: permanent failure; what was there before was put back",
		"device-02  rolled-back",
		"dpkg-query says of all 12 devices: openvault 1.1, ledger 1.0",
	} {
		require.Contains(t, out.String(), line)
	}
}

func TestAMachineWithoutApt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := run(t.Context(), new(bytes.Buffer))
	require.ErrorContains(t, err, "no apt-get")
	require.ErrorContains(t, err, "needs Debian or Ubuntu")
}
