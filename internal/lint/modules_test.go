package lint

import (
	"encoding/json"
	"fmt"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A module is what a go.mod file says, as far as it matters here, and the folder of the file.
type module struct {
	dir     string
	Module  struct{ Path string }
	Require []struct{ Path, Version string }
	Replace []struct {
		Old struct{ Path, Version string }
		New struct{ Path, Version string }
	}
}

func readModule(t *testing.T, file string) (m module) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(run(t, filepath.Dir(file), "go", "mod", "edit", "-json", filepath.Base(file))), &m))
	return m
}

func (m module) version(of string) string {
	for _, r := range m.Require {
		if r.Path == of {
			return r.Version
		}
	}
	return ""
}

func (m module) problem(format string, args ...any) problem {
	return problem{token.Position{Filename: path.Join(m.dir, "go.mod")}, fmt.Sprintf(format, args...)}
}

// Modules reads the go.mod files of a tree that lies in folder top.
func modules(t *testing.T, tr *tree, top string) (all []module) {
	t.Helper()
	for _, name := range tr.names {
		if path.Base(name) == "go.mod" && !slices.Contains(strings.Split(name, "/"), "testdata") {
			m := readModule(t, filepath.Join(top, name))
			m.dir = strings.TrimPrefix(path.Dir(name), ".")
			all = append(all, m)
		}
	}
	return all
}

// Lean lists what the root module may require. What these require in turn is listed too, since the go command does.
func lean() []string {
	return append(slices.Sorted(maps.Keys(mayRequire())),
		"github.com/hashicorp/errwrap", // of go-multierror
		// Of testify:
		"github.com/davecgh/go-spew", "github.com/pmezard/go-difflib", "github.com/stretchr/objx", "gopkg.in/yaml.v3",
		"gopkg.in/check.v1", "github.com/kr/pretty", "github.com/kr/text",
	)
}

// Facts checks one go.mod file. The modules of this repository meet in go.work. A nested library also says where the others
// are, so that it can be tested alone; the root and modules with commands do not, since "go install" refuses such modules.
func facts(m module, t *tree) (all []problem) {
	if want := strings.TrimSuffix(rootModule+"/"+m.dir, "/"); m.Module.Path != want {
		all = append(all, m.problem("module %s in folder %q, want %s", m.Module.Path, m.dir, want))
	}
	bare := m.dir == "" || t.commands(m.dir)
	replaced := make(map[string]string)
	for _, r := range m.Replace {
		replaced[r.Old.Path] = r.New.Path
		if dir, our := ours(r.Old.Path); bare || !our {
			all = append(all, m.problem("replaces %s", r.Old.Path))
		} else if path.Join(m.dir, r.New.Path) != path.Clean(dir) || r.Old.Version != "" {
			all = append(all, m.problem("replaces %s %s by %s", r.Old.Path, r.Old.Version, r.New.Path))
		}
	}
	for _, r := range m.Require {
		_, our := ours(r.Path)
		switch {
		case m.dir == "" && our:
			all = append(all, m.problem("the root requires %s", r.Path))
		case m.dir == "" && !slices.Contains(lean(), r.Path):
			all = append(all, m.problem("the root requires %s, which is not among its few libraries", r.Path))
		case our && !bare && replaced[r.Path] == "":
			all = append(all, m.problem("does not say where %s is: want a replace line", r.Path))
		}
	}
	return all
}

// Commands says whether the module in dir has commands that users install.
func (t *tree) commands(dir string) bool {
	for _, p := range t.packages {
		if p.name == "main" && within(p.dir, dir) && t.module(p.dir) == dir && !slices.Contains(strings.Split(p.dir, "/"), "internal") {
			return true
		}
	}
	return false
}

// SameLibc checks that a module requires the C library that its SQLite was made for. Any other version is untested, and
// upgrading "everything" breaks it.
func sameLibc(m, sqlite module) []problem {
	const libc = "modernc.org/libc"
	if got, want := m.version(libc), sqlite.version(libc); got != want {
		return []problem{m.problem("%s %s, but modernc.org/sqlite %s was made for %s", libc, got, m.version("modernc.org/sqlite"), want)}
	}
	return nil
}

// Workspace checks that go.work uses every module but those below internal/e2e, which bring hundreds of others.
func workspace(uses []string, all []module) (problems []problem) {
	at := token.Position{Filename: "go.work"}
	for _, m := range all {
		use := slices.Contains(uses, m.dir)
		if outside := m.dir != "internal/e2e" && within(m.dir, "internal/e2e"); use == outside {
			problems = append(problems, problem{at, fmt.Sprintf("module %q: used is %t, want %t", m.dir, use, !use)})
		}
	}
	return problems
}

func TestModulesNotice(t *testing.T) {
	const root = rootModule + "/"
	notices(t, []bad{
		{"a root that requires too much", map[string]string{
			"go.mod": "module " + rootModule + "\nrequire (\n golang.org/x/sync v0.1.0\n example.com/sdk v1.0.0\n " + root + "examples v0.1.0\n)\nreplace " + root + "examples => ./examples\n",
		}, []string{"go.mod: replaces " + root + "examples", "go.mod: the root requires example.com/sdk", "go.mod: the root requires " + root + "examples"}},
		{"a nested library without its replace line, with a wrong one, with one too many", map[string]string{
			"providers/a/go.mod":            "module " + root + "providers/a\nrequire " + rootModule + " v0.1.0\n",
			"providers/b/go.mod":            "module " + root + "providers/b\nrequire " + rootModule + " v0.1.0\nreplace " + rootModule + " => ../\n",
			"providers/c/go.mod":            "module " + root + "providers/c\nreplace example.com/sdk => example.com/fork v1.0.0\n",
			"providers/d/go.mod":            "module " + root + "providers/d\nrequire " + rootModule + " v0.1.0\nreplace " + rootModule + " => ../..\n",
			"providers/d/a.go":              "package d\n",
			"providers/d/internal/gen/a.go": "package main\n",
		}, []string{"providers/a/go.mod: does not say where", "providers/b/go.mod: replaces " + rootModule, "providers/c/go.mod: replaces example.com/sdk"}},
		{"a module with commands and a replace line", map[string]string{
			"examples/go.mod":      "module " + root + "examples\nrequire " + rootModule + " v0.1.0\nreplace " + rootModule + " => ../\n",
			"examples/fleet/a.go":  "package main\n",
			"examples2/go.mod":     "module " + root + "examples2\nrequire " + rootModule + " v0.1.0\n",
			"examples2/fleet/a.go": "package main\n",
			"examples3/go.mod":     "module example.com/examples3\n",
		}, []string{"examples/go.mod: replaces", "examples3/go.mod: module example.com/examples3 in folder"}},
	}, func(t *testing.T, tr *tree) (all []problem) {
		top := t.TempDir()
		require.NoError(t, os.CopyFS(top, tr.fsys))
		for _, m := range modules(t, tr, top) {
			all = append(all, facts(m, tr)...)
		}
		return all
	})
}

func TestLibcNotices(t *testing.T) {
	read := func(text string) module {
		name := filepath.Join(t.TempDir(), "go.mod")
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		return readModule(t, name)
	}
	sqlite := read("module modernc.org/sqlite\nrequire modernc.org/libc v1.2.3\n")
	require.Empty(t, sameLibc(read("module a\nrequire modernc.org/libc v1.2.3\n"), sqlite))
	require.Len(t, sameLibc(read("module a\nrequire modernc.org/libc v1.2.4\n"), sqlite), 1)
	require.Len(t, sameLibc(read("module a\n"), sqlite), 1)
}

func TestWorkspaceNotices(t *testing.T) {
	all := []module{{dir: ""}, {dir: "examples"}, {dir: "internal/e2e"}, {dir: "internal/e2e/temporal"}}
	require.Empty(t, workspace([]string{"", "examples", "internal/e2e"}, all))
	require.Len(t, workspace([]string{"", "internal/e2e"}, all), 1)
	require.Len(t, workspace([]string{"", "examples", "internal/e2e", "internal/e2e/temporal"}, all), 1)
}

func TestModules(t *testing.T) {
	tr := read(t)
	all := modules(t, tr, root)
	for _, m := range all {
		t.Run("module "+(&pkg{dir: m.dir}).title(), func(t *testing.T) {
			report(t, facts(m, tr))
			if m.version("modernc.org/sqlite") == "" {
				return
			}
			file := strings.TrimSpace(run(t, filepath.Join(root, m.dir), "go", "list", "-m", "-f", "{{.GoMod}}", "modernc.org/sqlite"))
			report(t, sameLibc(m, readModule(t, file)))
		})
	}
	t.Run("workspace", func(t *testing.T) {
		if _, err := fs.Stat(tr.fsys, "go.work"); err != nil {
			report(t, []problem{{token.Position{Filename: "go.work"}, err.Error()}})
			return
		}
		var work struct{ Use []struct{ DiskPath string } }
		require.NoError(t, json.Unmarshal([]byte(run(t, root, "go", "work", "edit", "-json")), &work))
		var uses []string
		for _, use := range work.Use {
			uses = append(uses, strings.TrimPrefix(path.Clean(use.DiskPath), "."))
		}
		report(t, workspace(uses, all))
	})
}
