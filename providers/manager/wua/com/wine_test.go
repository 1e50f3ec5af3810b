//go:build !windows

package com

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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
	require.NoError(t, os.WriteFile(filepath.Join(system, "bcryptprimitives.dll"), forwarder("bcryptprimitives.dll", "ProcessPrng", "advapi32.SystemFunction036"), 0o600))
	out := run(nil, wine, test, "-test.v", "-test.timeout=5m")
	passed := regexp.MustCompile(`(?m)^--- PASS: (\w+)`).FindAllString(strings.ReplaceAll(out, "\r", ""), -1)
	require.NotEmpty(t, passed, out)
	t.Logf("%d tests passed under %s", len(passed), strings.TrimSpace(run(nil, wine, "--version")))
}

// forwarder makes a library for Windows on x86-64 that has one function, which is another library's: programs of Go want one that
// wine 8 lacks. It is nothing but headers and a table of exports (Microsoft's "PE Format"). SystemFunction036 takes and returns the
// same as ProcessPrng where less than 4 GiB are asked for.
func forwarder(library, function, to string) []byte {
	const base = 0x1000 // where the table is loaded
	const dirSize, functions, names, ordinals, texts = 40, 40, 44, 48, 52
	var section bytes.Buffer
	put := func(b *bytes.Buffer, all ...any) {
		for _, v := range all {
			_ = binary.Write(b, binary.LittleEndian, v) // never fails
		}
	}
	libraryAt := uint32(base + texts)
	functionAt := libraryAt + uint32(len(library)) + 1
	toAt := functionAt + uint32(len(function)) + 1
	put(&section, uint32(0), uint32(0), uint32(0), libraryAt, uint32(1), uint32(1), uint32(1), uint32(base+functions), uint32(base+names), uint32(base+ordinals))
	put(&section, toAt, functionAt, uint32(0)) // an address within the table is the name of what it forwards to
	section.WriteString(library + "\x00" + function + "\x00" + to + "\x00")
	size := uint32(section.Len())

	var file bytes.Buffer
	file.WriteString("MZ")
	file.Write(make([]byte, 58))
	put(&file, uint32(64))
	file.WriteString("PE\x00\x00")
	const amd64, dll, optional = 0x8664, 0x2022, 240
	put(&file, uint16(amd64), uint16(1), uint32(0), uint32(0), uint32(0), uint16(optional), uint16(dll))
	put(&file, uint16(0x20b), uint16(0), uint32(0), uint32(0x200), uint32(0), uint32(0), uint32(0), uint64(0x180000000), uint32(0x1000), uint32(0x200))
	put(&file, uint16(6), uint16(0), uint16(0), uint16(0), uint16(6), uint16(0), uint32(0), uint32(0x2000), uint32(0x200), uint32(0), uint16(2), uint16(0x100))
	put(&file, uint64(0x100000), uint64(0x1000), uint64(0x100000), uint64(0x1000), uint32(0), uint32(16))
	put(&file, uint32(base), size)
	file.Write(make([]byte, 15*8))
	file.WriteString(".edata\x00\x00")
	put(&file, size, uint32(base), uint32(0x200), uint32(0x200), uint32(0), uint32(0), uint32(0), uint32(0x40000040))
	file.Write(make([]byte, 0x200-file.Len()))
	file.Write(section.Bytes())
	file.Write(make([]byte, 0x400-file.Len()))
	return file.Bytes()
}
