package grammar

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
)

func TestWords(t *testing.T) {
	common := []string{"", " ", "-y", "--yes", "a b", "a\n", "a\x00", "../a", "/a", "./a", "a*", "a?", "[a]", "a=1", "a>1", "$(id)", "`id`", "a;b", "a|b", "a&b", "!a", "#a", "'a'", `"a"`, `a\`,
		"é", "ａ", "a\u200b", "a,b", "(a)", "{a,b}", "%s", "a<1", "http://x/y", strings.Repeat("a", 200)}
	for _, row := range []struct {
		grammar                                 Grammar
		names, versions, archs                  []string
		badNames, badVersions, badArchitectures []string
	}{
		{Deb(), []string{"g++", "libstdc++6", "0ad", "lib-x"}, []string{"1.0", "1:2.3-4", "2.0~rc1-1+deb12u3", "1.0-1-2"}, []string{"", "amd64", "kfreebsd-amd64"},
			[]string{"a", "jq-", "JQ", "+jq", "jq:amd64", "jq^"}, []string{"1.0+", "1.0-", "a1", ":1", "1:2:3", "1_0"}, []string{"amd64-", "AMD"}},
		{RPM("dnf"), []string{"gcc-c++", "NetworkManager", "java-1.8.0-openjdk", "_x", "a"}, []string{"1.0-1", "2:1.0-3.el9_4", "1.0~rc1-1", "1.0^git1-1.fc40"}, []string{"", "x86_64", "noarch"},
			[]string{"hello-", "+hello", "@core", "hello.", "~hello"}, []string{"1.0", "1-2-3", "-1", "1--1", "1.0-", ":1-1", "x:1-1", "~1-1"}, []string{"X86", "x86-64"}},
		{Pacman(), []string{"gtk2+extra", "lib32-glibc", "@x", "r"}, []string{"1.0-1", "1:2.0-1.1", "r20.abc-1"}, []string{"", "any", "x86_64"},
			[]string{"-a", ".a", "core/hello", "Hello"}, []string{"1.0", "1-2-3", "1.0-", "1.0/1-1"}, []string{"x86-64"}},
		{APK(), []string{"musl", "py3-pip", "libstdc++", "R"}, []string{"1.2.3-r0", "1.0_rc1-r2", "3.5.4-r12", "2.0~a1b2-r0"}, []string{"", "x86_64", "noarch"},
			[]string{"hello@edge", "hello~1", ".virtual", "hello-", "so:libc.so.6"}, []string{"1.0", "1.0-r0-r1", "r1-r0", "1:1.0-r0", "1.0-"}, []string{"x86-64"}},
		{Snap(), []string{"hello", "lxd", "core22", "hello-world"}, []string{"1", "42", "999999999"}, []string{"", "amd64"},
			[]string{"a", "Hello", "hello_2", "hello-", "-hello", "hello.app"}, []string{"0", "042", "x1", "1.2", "9999999999", "latest"}, []string{"x86_64"}},
		{Brew(), []string{"jq", "openssl@3", "gtk+", "x264", "c-ares"}, []string{"1.7.1", "3.38.0_1", "1.1.1w", "2024-01-02"}, []string{"", "arm64"},
			[]string{"user/tap/jq", "jq@", "JQ", "@3", "-jq"}, []string{"1.0-", "5.4,abc", "_1"}, []string{"ARM"}},
		{Chocolatey(), []string{"firefox", "7zip.install", "vcredist140", "_x"}, []string{"1.0", "24.9.0.1", "1.0.0-rc1", "1.0.0+abc"}, []string{"", "x64"},
			[]string{"Firefox", "all;x", ".x", "x.", "packages.config/"}, []string{"v1", "1.0_1", "1.0-", "1.0~rc"}, []string{"x-64"}},
		{WinGet(), []string{"Mozilla.Firefox", "Notepad++.Notepad++", "7zip.7zip"}, []string{"139.0", "v1.2", "8.6.9_1", "2024-01"}, []string{"", "x64"},
			[]string{"ab", "-Mozilla", "Moz illa", "Mozilla.", "{9AC08E99}", "ARP\\x"}, []string{"< 1.0", "1.0 (a)", "-1", "1.0-"}, []string{"X64"}},
	} {
		t.Run(row.grammar.Manager, func(t *testing.T) {
			for _, w := range row.names {
				require.NoError(t, row.grammar.CheckName(w))
			}
			for _, w := range row.versions {
				require.NoError(t, row.grammar.CheckVersion(w))
			}
			for _, w := range row.archs {
				require.NoError(t, row.grammar.CheckArch(w))
			}
			for _, w := range append(common, row.badNames...) {
				require.Equal(t, patch.Permanent, patch.FaultOf(row.grammar.CheckName(w)), "%q", w)
			}
			for _, w := range append(common, row.badVersions...) {
				require.Equal(t, patch.Permanent, patch.FaultOf(row.grammar.CheckVersion(w)), "%q", w)
			}
			for _, w := range append(common[1:], row.badArchitectures...) {
				require.Equal(t, patch.Permanent, patch.FaultOf(row.grammar.CheckArch(w)), "%q", w)
			}
		})
	}
}

// No word that passes holds what a shell, a path or an option parser reads otherwise.
func FuzzWords(f *testing.F) {
	for _, w := range []string{"g++", "1:2.3-4", "x86_64", "a-", "-a", "a*", "@x"} {
		f.Add(w)
	}
	f.Fuzz(func(t *testing.T, w string) {
		for _, g := range []Grammar{Deb(), RPM("dnf"), Pacman(), APK(), Snap(), Brew(), Chocolatey(), WinGet()} {
			for _, check := range []func(string) error{g.CheckName, g.CheckVersion, g.CheckArch} {
				if check(w) == nil && w != "" {
					require.False(t, strings.HasPrefix(w, "-") || strings.ContainsAny(w, " \t\r\n\x00/\\*?[]{}()<>|&;$`'\"!#=%,"), "%s lets %q pass", g.Manager, w)
				}
			}
		}
	})
}
