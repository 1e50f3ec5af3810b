package version_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch/version"
)

func TestVendorsSchemesDoNotAllocateIntoABigEnoughBuffer(t *testing.T) {
	buf := make([]byte, 0, 128)
	for _, v := range []version.Version{
		{Scheme: version.Windows, Text: "10.0.22631.4317"}, {Scheme: version.DotNet, Text: "4.8.9300.0"}, {Scheme: version.WinGet, Text: "< Version 1.0.0.120-Beta (x64).2"},
		{Scheme: version.WinGet, Text: "LATEST"}, {Scheme: version.MacOS, Text: "13.4.1 (a)"}, {Scheme: version.MacOSBuild, Text: "22F770820b"},
		{Scheme: version.Sparkle, Text: "1.0.120b5 (1234)"}, {Scheme: version.PEP440, Text: "V1!2.0.Alpha-1.post2.dev3+Ubuntu.10"}, {Scheme: version.NuGet, Text: "1.2.3.120-Beta.12.-5+Build"},
		{Scheme: version.OSTree, Text: "20260203T120000Z-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
	} {
		_, err := v.AppendKey(buf)
		require.NoError(t, err)
		require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = v.AppendKey(buf) }), v)
	}
}

func TestVendorsSchemesLeaveTheBufferOnAnError(t *testing.T) {
	for _, v := range []version.Version{
		{Scheme: version.Windows, Text: "1.2.x"}, {Scheme: version.DotNet, Text: "1.2.x"}, {Scheme: version.WinGet, Text: "1.2.é"}, {Scheme: version.WinGet, Text: "< unknown"},
		{Scheme: version.MacOS, Text: "15.x"}, {Scheme: version.MacOSBuild, Text: "25G83ab"}, {Scheme: version.Sparkle, Text: "1.0..2"}, {Scheme: version.PEP440, Text: "1.0+é"},
		{Scheme: version.NuGet, Text: "1.0-a.é"}, {Scheme: version.OSTree, Text: "20260203T120000Z-é"},
	} {
		b, err := v.AppendKey([]byte("before "))
		require.ErrorIs(t, err, version.ErrSyntax, v)
		require.Equal(t, "before ", string(b), v)
	}
}

// The same texts by the rules of Windows itself, of .NET and of winget: a missing number is zero, or less than zero, and only winget
// knows texts.
func ExampleScheme_windows() {
	for _, s := range []version.Scheme{version.Windows, version.DotNet, version.WinGet} {
		for _, text := range []string{"1.0.0", "1.0-rc"} {
			c, err := version.Compare(version.Version{Scheme: s, Text: "1.0"}, version.Version{Scheme: s, Text: text})
			fmt.Printf("%s: 1.0 and %s: %d %v\n", s, text, c, err != nil)
		}
	}
	// Output:
	// windows: 1.0 and 1.0.0: 0 false
	// windows: 1.0 and 1.0-rc: 0 true
	// dotnet: 1.0 and 1.0.0: -1 false
	// dotnet: 1.0 and 1.0-rc: 0 true
	// winget: 1.0 and 1.0.0: 0 false
	// winget: 1.0 and 1.0-rc: 1 false
}

// What winget writes about software of which it knows only that it is older than what it offers.
func ExampleScheme_approximate() {
	installed := version.Version{Scheme: version.WinGet, Text: "< 2.44.0"}
	for _, text := range []string{"2.44.0", "2.43.9", "Unknown"} {
		c, err := version.Compare(installed, version.Version{Scheme: version.WinGet, Text: text})
		fmt.Println(text, c, err)
	}
	// Output:
	// 2.44.0 -1 <nil>
	// 2.43.9 1 <nil>
	// Unknown 1 <nil>
}

// A Mac has a version, a build, and applications with rules of their own.
func ExampleScheme_apple() {
	for _, row := range []struct {
		scheme version.Scheme
		a, b   string
	}{
		{version.MacOS, "13.4.1 (a)", "13.4.1"},
		{version.MacOS, "13.4.1 (a)", "13.5"},
		{version.MacOSBuild, "23A5337a", "23A339"}, // a beta, and the release
		{version.Sparkle, "1.0b2", "1.0"},
		{version.Sparkle, "3.3 (5847)", "3.3"},
	} {
		c, err := version.Compare(version.Version{Scheme: row.scheme, Text: row.a}, version.Version{Scheme: row.scheme, Text: row.b})
		fmt.Println(row.scheme, row.a, row.b, c, err)
	}
	// Output:
	// macos 13.4.1 (a) 13.4.1 1 <nil>
	// macos 13.4.1 (a) 13.5 -1 <nil>
	// macos-build 23A5337a 23A339 -1 <nil>
	// sparkle 1.0b2 1.0 -1 <nil>
	// sparkle 3.3 (5847) 3.3 1 <nil>
}

// The same pre-release for Python, where a letter is enough, and for NuGet, where it takes a hyphen.
func ExampleScheme_languages() {
	for _, s := range []version.Scheme{version.PEP440, version.NuGet} {
		for _, text := range []string{"2.0rc1", "2.0-RC1"} {
			c, err := version.Compare(version.Version{Scheme: s, Text: text}, version.Version{Scheme: s, Text: "2.0.0"})
			fmt.Println(s, text, c, err != nil)
		}
	}
	// Output:
	// pep440 2.0rc1 -1 false
	// pep440 2.0-RC1 -1 false
	// nuget 2.0rc1 0 true
	// nuget 2.0-RC1 -1 false
}

func BenchmarkWinGetAppendKey(b *testing.B) {
	v := winget("v1.25.3-beta.1")
	buf := make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.AppendKey(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPEP440AppendKey(b *testing.B) {
	v := pep440("1.25.3rc1.post2.dev3+ubuntu.1")
	buf := make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.AppendKey(buf); err != nil {
			b.Fatal(err)
		}
	}
}
