//go:build !windows

package com

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/winetest"
)

// The tests of this package are for Windows. Elsewhere they run under wine.
func TestUnderWine(t *testing.T) {
	wine, err := exec.LookPath("wine")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("wine is missing: apt-get install wine wine64")
		}
		t.Skip("wine is missing: apt-get install wine wine64")
	}
	dir := t.TempDir()
	env := append(os.Environ(), "WINEPREFIX="+filepath.Join(dir, "prefix"), "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml=", "WINEARCH=win64", "DISPLAY=")
	run := func(more []string, name string, args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), name, args...)
		c.Env = append(env, more...)
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s %s:\n%s", name, args, out)
		return string(out)
	}
	test := filepath.Join(dir, "com.test.exe")
	run([]string{"GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0"}, "go", "test", "-c", "-o", test, ".")
	run(nil, wine, "wineboot", "-i")
	t.Cleanup(func() { // nothing of it goes on, or keeps the folder
		c := exec.Command(wine+"server", "-k", "-w")
		c.Env = env
		_ = c.Run()
	})
	system := filepath.Join(dir, "prefix/drive_c/windows/system32")
	require.NoError(t, os.WriteFile(filepath.Join(system, "bcryptprimitives.dll"), winetest.Forwarder("bcryptprimitives.dll", "ProcessPrng", "advapi32.SystemFunction036"), 0o600))
	out := run(nil, wine, test, "-test.v", "-test.timeout=5m")
	passed := regexp.MustCompile(`(?m)^--- PASS: (\w+)`).FindAllString(strings.ReplaceAll(out, "\r", ""), -1)
	require.NotEmpty(t, passed, out)
	t.Logf("%d tests passed under %s", len(passed), strings.TrimSpace(run(nil, wine, "--version")))
}
