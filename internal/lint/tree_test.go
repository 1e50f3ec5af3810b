package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// RootModule is the path of the root module. The path of every other module and package follows its folder.
const rootModule = "github.com/patchflow/patchflow"

// A problem is one place in the source that breaks a rule.
type problem struct {
	pos  token.Position
	text string
}

func (p problem) String() string {
	if p.pos.Line == 0 {
		return fmt.Sprintf("%s: %s", p.pos.Filename, p.text)
	}
	return fmt.Sprintf("%s:%d: %s", p.pos.Filename, p.pos.Line, p.text)
}

// A tree is the source of a repository. All names in it are relative to the root, with slashes.
type tree struct {
	fsys     fs.FS
	fset     *token.FileSet
	names    []string // of all files
	packages map[string]*pkg
}

// A pkg is a folder with Go files.
type pkg struct {
	dir   string // "" for the root
	name  string // of the package that is not a test
	files []*file
}

type file struct {
	*ast.File
	name string
	test bool
}

// Load parses all Go files below fsys, whatever system they are for.
func load(fsys fs.FS) (*tree, error) {
	t := &tree{fsys: fsys, fset: token.NewFileSet(), packages: make(map[string]*pkg)}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name == ".git" {
				return fs.SkipDir
			}
			return nil
		}
		t.names = append(t.names, name)
		if path.Ext(name) == ".go" && !slices.Contains(strings.Split(name, "/"), "testdata") {
			return t.parse(name)
		}
		return nil
	})
	return t, err
}

func (t *tree) parse(name string) error {
	source, err := fs.ReadFile(t.fsys, name)
	if err != nil {
		return err
	}
	parsed, err := parser.ParseFile(t.fset, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	if dir == "." {
		dir = ""
	}
	p := t.packages[dir]
	if p == nil {
		p = &pkg{dir: dir}
		t.packages[dir] = p
	}
	f := &file{File: parsed, name: name, test: strings.HasSuffix(name, "_test.go")}
	if !f.test {
		p.name = parsed.Name.Name
	}
	p.files = append(p.files, f)
	return nil
}

func (t *tree) problem(n ast.Node, format string, args ...any) problem {
	return problem{pos: t.fset.Position(n.Pos()), text: fmt.Sprintf(format, args...)}
}

// Sorted returns the packages by folder.
func (t *tree) sorted() []*pkg {
	var all []*pkg
	for _, p := range t.packages {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *pkg) int { return strings.Compare(a.dir, b.dir) })
	return all
}

// Title names p in the output of tests.
func (p *pkg) title() string {
	if p.dir == "" {
		return "patchflow"
	}
	return p.dir
}

// Library says whether somebody can import p. Folders with nothing but tests are no library.
func (p *pkg) library() bool { return p.name != "" && p.name != "main" && !within(p.dir, "examples") }

// Public says whether users can import p.
func (p *pkg) public() bool {
	return p.library() && !slices.Contains(strings.Split(p.dir, "/"), "internal")
}

// Sources returns the files of p that are no tests.
func (p *pkg) sources() []*file {
	return slices.DeleteFunc(slices.Clone(p.files), func(f *file) bool { return f.test })
}

// Within says whether dir is folder or below it.
func within(dir, folder string) bool { return dir == folder || strings.HasPrefix(dir, folder+"/") }

func importPath(spec *ast.ImportSpec) string {
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		panic(err) // the parser has let it through
	}
	return p
}

// Ours returns the folder of an import of this repository.
func ours(imported string) (dir string, ok bool) {
	if imported == rootModule {
		return "", true
	}
	return strings.CutPrefix(imported, rootModule+"/")
}

// Standard says whether an import is of the standard library.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

// Named returns the import path and name of a selector such as time.Now, by the imports of its file.
func (f *file) named(e ast.Expr) (imported, name string) {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	for _, spec := range f.Imports {
		p := importPath(spec)
		local := path.Base(p)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		if local == x.Name {
			return p, sel.Sel.Name
		}
	}
	return "", ""
}

// A bad source and what a rule must say about it: one text for each problem, in order, each a part of what is said.
type bad struct {
	name   string
	source map[string]string // by file name
	want   []string
}

// Notices puts every source through the rule.
func notices(t *testing.T, rows []bad, rule func(*testing.T, *tree) []problem) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			fsys := fstest.MapFS{}
			for name, source := range row.source {
				fsys[name] = &fstest.MapFile{Data: []byte(source)}
			}
			tr, err := load(fsys)
			require.NoError(t, err)
			got := rule(t, tr)
			require.Len(t, got, len(row.want), "%v", got)
			for i, want := range row.want {
				require.Contains(t, got[i].String(), want)
			}
		})
	}
}

// Each makes a rule about packages into one about a tree.
func each(rule func(*tree, *pkg) []problem) func(*testing.T, *tree) []problem {
	return func(_ *testing.T, tr *tree) (all []problem) {
		for _, p := range tr.sorted() {
			all = append(all, rule(tr, p)...)
		}
		return all
	}
}
