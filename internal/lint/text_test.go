package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// MaxLines is how long a Go file may be. One that is longer holds two nouns.
const maxLines = 700

// Length checks the files of a package.
func length(t *tree, p *pkg) (all []problem) {
	for _, f := range p.files {
		if n := t.fset.File(f.Pos()).LineCount(); n > maxLines {
			all = append(all, problem{token.Position{Filename: f.name}, fmt.Sprintf("%d lines, want at most %d: look for two nouns", n, maxLines)})
		}
	}
	return all
}

// Sleeps checks that nothing sleeps: a test waits for a condition, a library for its context.
func sleeps(t *tree, p *pkg) (all []problem) {
	for _, f := range p.files {
		ast.Inspect(f.File, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok {
				if imported, name := f.named(e); imported == "time" && name == "Sleep" {
					all = append(all, t.problem(n, "time.Sleep: wait for a condition"))
				}
			}
			return true
		})
	}
	return all
}

// A ban is something that no line may hold.
type ban struct {
	what    string
	pattern *regexp.Regexp
	spared  func(name, line string) bool
}

// Bans returns what is banned from files. Patterns are put together so that this file does not hold what it looks for.
func bans() []ban {
	never := func(string, string) bool { return false }
	var hosts []string
	for domain, names := range map[string]string{
		"debian.org": "deb|security", "ubuntu.com": "archive|security", "golang.org": "proxy|sum", "npmjs.org": "registry",
		"pypi.org": "test|files", "crates.io": "index|static", "rubygems.org": "index",
	} {
		hosts = append(hosts, fmt.Sprintf(`\b(%s)\.%s\b`, names, regexp.QuoteMeta(domain)))
	}
	return []ban{
		{"the host of a package registry", regexp.MustCompile(strings.Join(hosts, "|")), never},
		{"a path of one machine", regexp.MustCompile(`(^|[^A-Za-z0-9._/-])/(work|tmp)/[A-Za-z0-9._-]`), func(name, line string) bool {
			return path.Ext(name) == ".golden" || strings.Contains(line, "mktemp") || strings.Contains(line, "TempDir")
		}},
		{"a loose end", regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|X` + `XX)\b`), func(name, _ string) bool { return path.Ext(name) != ".go" }},
	}
}

// Text checks the lines of the named files. Files with a zero byte are not text.
func text(fsys fs.FS, names []string) (all []problem, err error) {
	bans := bans()
	for _, name := range names {
		content, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		if bytes.IndexByte(content, 0) >= 0 {
			continue
		}
		n := 0
		for line := range strings.Lines(string(content)) {
			n++
			for _, b := range bans {
				if found := b.pattern.FindString(line); found != "" && !b.spared(name, line) {
					all = append(all, problem{token.Position{Filename: name, Line: n}, fmt.Sprintf("%s: %q", b.what, strings.TrimSpace(found))})
				}
			}
		}
	}
	return all, nil
}

func TestTextNotices(t *testing.T) {
	tmp, work := "/"+"tmp/", "/"+"work/"
	notices(t, []bad{
		{"hosts of package registries", map[string]string{
			"README.md": "fine\nGOPROXY=https://proxy." + "golang.org,direct\n",
			".ci/run":   "deb http://deb." + "debian.org/debian bookworm main\n",
			"a.golden":  "https://registry." + "npmjs.org/left-pad\n",
			"fine.md":   "https://www.debian.org/security/ and golang.org/x/sync\n",
		}, []string{".ci/run:1: the host", "README.md:2: the host", "a.golden:1: the host"}},
		{"paths of one machine", map[string]string{
			"a.go":      "package a\nconst dir = \"" + work + "shared\"\n",
			"b.md":      "see " + tmp + "x\nand /var" + tmp + "x and ." + tmp + "x and https://example.com" + work + "x\n",
			"run":       tmp + "x\nmktemp " + tmp + "xx\n",
			"p.golden":  tmp + "x\n",
			"image.png": "\x00 " + tmp + "x\n",
		}, []string{"a.go:2: a path", "b.md:1: a path", "run:1: a path"}},
		{"loose ends", map[string]string{
			"a.go":    "package a\n// TO" + "DO: later\n// X" + "XX\n// XX" + "XX and to" + "do are words\n",
			"fine.md": "TO" + "DO\n",
		}, []string{"a.go:2: a loose end", "a.go:3: a loose end"}},
	}, func(t *testing.T, tr *tree) []problem {
		all, err := text(tr.fsys, tr.names)
		require.NoError(t, err)
		return all
	})
}

func TestLengthNotices(t *testing.T) {
	tr, err := load(fstest.MapFS{
		"a/a.go": {Data: []byte("package a\n" + strings.Repeat("// line\n", maxLines-1))},
		"a/b.go": {Data: []byte("package a\n" + strings.Repeat("// line\n", maxLines))},
	})
	require.NoError(t, err)
	got := length(tr, tr.packages["a"])
	require.Len(t, got, 1, "%v", got)
	require.Equal(t, "a/b.go: 701 lines, want at most 700: look for two nouns", got[0].String())
}

func TestSleepsNotices(t *testing.T) {
	notices(t, []bad{
		{"calls and values", map[string]string{
			"a/a_test.go": "package a\nimport \"time\"\nfunc f() { time.Sleep(1) }\nvar g = time.Sleep\n",
			"a/b_test.go": "package a\nimport t \"time\"\nfunc h() { t.Sleep(1) }\n",
			"a/a.go":      "package a\ntype time struct{}\nfunc (t time) Sleep() { t.Sleep() }\n",
		}, []string{"a_test.go:3", "a_test.go:4", "b_test.go:3"}},
	}, each(sleeps))
}
