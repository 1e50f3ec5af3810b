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
		for _, g := range []Grammar{Deb(), RPM("dnf"), Pacman()} {
			for _, check := range []func(string) error{g.CheckName, g.CheckVersion, g.CheckArch} {
				if check(w) == nil && w != "" {
					require.False(t, strings.HasPrefix(w, "-") || strings.ContainsAny(w, " \t\r\n\x00/\\*?[]{}()<>|&;$`'\"!#=%,"), "%s lets %q pass", g.Manager, w)
				}
			}
		}
	})
}
