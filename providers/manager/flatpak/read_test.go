package flatpak

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
)

const (
	one = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	two = "ffff456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// info is what flatpak prints of a commit, with a line of its title.
func info(title string) string {
	return "          ID: org.test.Hello\n         Ref: app/org.test.Hello/x86_64/stable\n      Origin: test\n     Runtime: org.test.Platform/x86_64/1\n\n      Commit: " + one +
		"\n     Subject: " + title + "\n        Date: 2026-02-03 12:00:00 +0000\n"
}

func TestReadInfo(t *testing.T) {
	want := ref{path: "app/org.test.Hello/x86_64/stable", origin: "test", version: "20260203T120000Z-" + one, runtime: "org.test.Platform/x86_64/1"}
	for name, text := range map[string]string{
		"a commit":                           info("a title"),
		"a title that says another commit":   info("x\n      Commit: " + two + "\n        Date: 1999-01-01 00:00:00 +0000"),
		"a title that says another runtime":  info("x\n     Runtime: org.evil.Platform/x86_64/1\n         Ref: app/org.evil.App/x86_64/stable\n      Origin: evil"),
		"a newer commit that is known, too":  strings.Replace(info("a title"), "      Commit: "+one, "Active commit: "+one+"\nLatest commit: "+two, 1),
		"a commit that its remote forgot":    strings.Replace(info("a title"), "      Commit: "+one, "Active commit: "+one+"\nLatest commit: ref not present in origin", 1),
		"a time that is written elsewhere":   strings.Replace(info("a title"), "12:00:00 +0000", "14:00:00 +0200", 1),
		"lines that nobody knows, and blank": "\n\nx\n: \n" + info(""),
	} {
		got, err := readInfo([]byte(text))
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}
	for name, text := range map[string]string{
		"nothing":                  "",
		"no time":                  "Commit: " + one + "\n",
		"no commit":                "Date: 2026-02-03 12:00:00 +0000\n",
		"a commit cut off":         strings.Replace(info(""), one, one[:63], 1),
		"a commit that is options": strings.Replace(info(""), one, "--help", 1),
		"a runtime that is a path": strings.Replace(info(""), "org.test.Platform/x86_64/1", "../../../etc/x86_64/1", 1),
	} {
		_, err := readInfo([]byte(text))
		require.ErrorIs(t, err, patch.ErrRecord, name)
	}
}

func TestReadLook(t *testing.T) {
	indented := " " + strings.ReplaceAll(strings.TrimSuffix(info("x\nref 0 app/org.evil.App/x86_64/stable\nend"), "\n"), "\n", "\n ") + "\n"
	good := "ref 0 app/org.test.Hello/x86_64/stable\n" + indented + "masks 0\n   org.test.*\n   app/org.a.B//stable\nend\n"
	s, err := readLook([]byte(good))
	require.NoError(t, err)
	require.Len(t, s.refs, 1, "what a title says is no line of ours")
	require.Equal(t, []string{"org.test.*", "app/org.a.B//stable"}, s.masks)
	require.NoError(t, s.wrong.ErrorOrNil())

	for name, text := range map[string]string{
		"the end is missing": strings.TrimSuffix(good, "end\n"), "there is more": good + "x\n", "nothing": "", "a line of nobody": "hello\nend\n", "the masks are not told": "masks 1\n error: no\nend\n",
	} {
		_, err := readLook([]byte(text))
		require.Error(t, err, name)
	}
	for name, text := range map[string]string{
		"a folder that is no ref":                  "ref 0 app/x/y/z\n" + indented + "masks 0\nend\n",
		"a folder with a blank":                    "ref 0 app/org.test.Hello bad/x86_64/stable\n" + indented + "masks 0\nend\n",
		"it says that it is another":               "ref 0 app/org.test.Other/x86_64/stable\n" + indented + "masks 0\nend\n",
		"an application and a runtime of one name": "ref 0 app/org.test.Hello/x86_64/stable\n" + indented + strings.ReplaceAll("ref 0 app/org.test.Hello/x86_64/stable\n"+indented, "app/", "runtime/") + "masks 0\nend\n",
		"it is from a remote that is a path":       "ref 0 app/org.test.Hello/x86_64/stable\n" + strings.Replace(indented, "Origin: test", "Origin: ../../x", 1) + "masks 0\nend\n",
		"it is from a remote that is an option":    "ref 0 app/org.test.Hello/x86_64/stable\n" + strings.Replace(indented, "Origin: test", "Origin: --from", 1) + "masks 0\nend\n",
		"it is not whole":                          "ref 1 app/org.test.Hello/x86_64/stable\n error: org.test.Hello/x86_64/stable not installed\nmasks 0\nend\n",
	} {
		s, err := readLook([]byte(text))
		require.NoError(t, err, name)
		require.Len(t, s.wrong.Errors, 1, name)
		require.NoError(t, s.closed, name)
	}
	s, err = readLook([]byte("masks 1\n error: While opening repository /x: opening repo: no\nend\n"))
	require.NoError(t, err)
	require.ErrorIs(t, s.closed, patch.ErrCorrupt)
}

func TestMasks(t *testing.T) {
	r := &ref{path: "app/org.test.Hello/x86_64/stable"}
	for _, pattern := range []string{"org.test.Hello", "org.test.*", "app/org.test.Hello", "org.*.Hello//stable", "org.test.Hello/x86_64", "*", "app/*/*/stable", "org.test.Hello//st*"} {
		require.True(t, masks([]string{"org.other.App", pattern}, r), pattern)
	}
	for _, pattern := range []string{"", "runtime/org.test.Hello", "org.test", "org.test.Hell", "org.test.Hello//beta", "org.test.Hello/aarch64", "*/x/*", "org.test.Hello/x86_64/stable/more", "[", "org.test.hello"} {
		require.Equal(t, pattern == "", masks([]string{pattern}, r), pattern)
	}
}

func FuzzReadLook(f *testing.F) {
	f.Add([]byte("ref 0 app/org.test.Hello/x86_64/stable\n " + strings.ReplaceAll(info("x"), "\n", "\n ") + "\nmasks 0\n   org.test.*\nend\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := readLook(text)
		if err != nil {
			return
		}
		for i := range s.refs {
			name, arch := s.refs[i].name()
			if (words{}).CheckName(name) != nil || (words{}).CheckArch(arch) != nil || (words{}).CheckVersion(s.refs[i].version) != nil {
				t.Fatalf("%+v would reach a command", s.refs[i])
			}
		}
	})
}
