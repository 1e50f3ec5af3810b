package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Pure lists the packages in which the same input gives the same output: no I/O, no clock, no chance, no concurrency.
// Package compliance is one of them, and so is everything below policy.
func pure(p *pkg) bool {
	return p.library() && (slices.Contains(core(), p.dir) || within(p.dir, "policy"))
}

// Contexts lists the files of pure packages that may import context: they declare plugs, or gather what plugs list.
func contexts() []string {
	return []string{
		"patch/source.go", "patch/catalog.go",
		"inventory/inventory.go", "inventory/baseline.go",
		"policy/approver.go",
		"rollout/deployer.go", "rollout/journal.go",
	}
}

// Impure lists what pure packages must not import, with everything below it but what is in [harmless].
func impure() []string {
	return []string{
		"os", "net", "sync", "log", "runtime", "syscall", "unsafe", "plugin", "embed", "io/fs", "io/ioutil", "math/rand",
		"crypto/rand", "time/tzdata",
	}
}

func harmless() []string { return []string{"net/url", "net/netip", "net/mail", "net/textproto"} }

// OrderFree names the functions of package rollout that may range over a map, and why the order makes no difference.
func orderFree() map[string]string {
	return map[string]string{}
}

// Purity checks a pure package. It needs types: a clock that is passed on as a value is a clock too.
func purity(t *tree, p *pkg, imp types.Importer) (all []problem) {
	if !pure(p) {
		return nil
	}
	all = imports(t, p)
	info := &types.Info{Uses: make(map[*ast.Ident]types.Object), Types: make(map[ast.Expr]types.TypeAndValue)}
	var files []*ast.File
	for _, f := range p.sources() {
		files = append(files, f.File)
	}
	// The rules look at whatever has types. The first error is enough to say that this is not all: the compiler tells the others.
	conf := types.Config{Importer: imp, Error: func(error) {}}
	if _, err := conf.Check(rootModule+"/"+p.dir, t.fset, files, info); err != nil {
		e := err.(types.Error)
		all = append(all, problem{e.Fset.Position(e.Pos), "does not type-check: " + e.Msg})
	}
	for _, f := range p.sources() {
		v := &purityVisitor{tree: t, pkg: p, file: f, info: info, excused: make(map[ast.Node]bool)}
		for _, decl := range f.Decls {
			v.function = functionName(decl)
			ast.Inspect(decl, v.visit)
		}
		all = append(all, v.all...)
	}
	return all
}

// FunctionName returns the name of a function, with its receiver, or "" if decl is something else.
func functionName(decl ast.Decl) string {
	d, ok := decl.(*ast.FuncDecl)
	switch {
	case !ok:
		return ""
	case d.Recv != nil:
		return receiver(d) + "." + d.Name.Name
	}
	return d.Name.Name
}

func imports(t *tree, p *pkg) (all []problem) {
	for _, f := range p.sources() {
		for _, spec := range f.Imports {
			imported := importPath(spec)
			switch {
			case slices.Contains(harmless(), imported):
			case slices.ContainsFunc(impure(), func(folder string) bool { return within(imported, folder) }):
				all = append(all, t.problem(spec, "%s is pure and imports %s", p.dir, imported))
			case imported == "context" && !slices.Contains(contexts(), f.name):
				all = append(all, t.problem(spec, "%s is pure: context is for the files that declare plugs", p.dir))
			}
		}
	}
	return all
}

type purityVisitor struct {
	tree     *tree
	pkg      *pkg
	file     *file
	info     *types.Info
	function string
	excused  map[ast.Node]bool // seen from above and found harmless
	all      []problem
}

func (v *purityVisitor) report(n ast.Node, format string, args ...any) {
	v.all = append(v.all, v.tree.problem(n, format, args...))
}

func (v *purityVisitor) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		v.report(n, "go statement in a pure package")
	case *ast.SelectStmt:
		v.report(n, "select in a pure package")
	case *ast.SendStmt:
		v.report(n, "send in a pure package")
	case *ast.ChanType:
		v.report(n, "channel in a pure package")
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			v.report(n, "receive in a pure package")
		}
	case *ast.RangeStmt:
		v.ranges(n)
	case *ast.CallExpr:
		v.call(n)
	case *ast.SelectorExpr:
		v.selector(n)
	case *ast.Ident:
		v.use(n)
	}
	return true
}

func (v *purityVisitor) ranges(n *ast.RangeStmt) {
	t := v.info.TypeOf(n.X)
	if t == nil {
		return
	}
	switch t.Underlying().(type) {
	case *types.Chan:
		v.report(n, "range over a channel in a pure package")
	case *types.Map:
		v.unordered(n, "range over a map")
	}
}

// Unordered reports what depends on the order of a map, in the package where every such place is looked at.
func (v *purityVisitor) unordered(n ast.Node, what string) {
	if within(v.pkg.dir, "rollout") && orderFree()[v.function] == "" {
		v.report(n, "%s in %s: sort its keys, or say in orderFree why the order makes no difference", what, v.function)
	}
}

// Named returns the import path and name of the function of a package that e names.
func (v *purityVisitor) named(e ast.Expr) (imported, name string) {
	if index, ok := e.(*ast.IndexExpr); ok {
		e = index.X
	}
	sel, ok := e.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	f, ok := v.info.Uses[sel.Sel].(*types.Func)
	if !ok || f.Pkg() == nil || f.Signature().Recv() != nil {
		return "", ""
	}
	return f.Pkg().Path(), f.Name()
}

func (v *purityVisitor) call(n *ast.CallExpr) {
	imported, name := v.named(n.Fun)
	switch {
	case imported == "slices" && strings.HasPrefix(name, "Sorted"), imported == "maps" && (name == "Collect" || name == "Insert"):
		for _, arg := range n.Args {
			v.excused[ast.Unparen(arg)] = true
		}
	case imported == "maps" && (name == "Keys" || name == "Values" || name == "All") && !v.excused[n]:
		v.unordered(n, "maps."+name)
	case imported == "time" && name == "Date" && v.zone(n) != "UTC":
		v.report(n, "time.Date outside UTC: it does not resolve wall clocks near a change of offset as the policy says")
	case imported == "time" && (name == "Unix" || name == "UnixMilli" || name == "UnixMicro") && !v.excused[n]:
		v.report(n, "time.%s without UTC or In: its zone is that of the machine", name)
	}
}

// Zone returns the name of the variable of package time that is the last argument of a call.
func (v *purityVisitor) zone(n *ast.CallExpr) string {
	if sel, ok := n.Args[len(n.Args)-1].(*ast.SelectorExpr); ok {
		if obj := v.info.Uses[sel.Sel]; obj != nil && obj.Pkg() != nil && obj.Pkg().Path() == "time" {
			return obj.Name()
		}
	}
	return ""
}

func (v *purityVisitor) selector(n *ast.SelectorExpr) {
	if n.Sel.Name == "UTC" || n.Sel.Name == "In" {
		v.excused[n.X] = true
	}
}

func (v *purityVisitor) use(id *ast.Ident) {
	obj := v.info.Uses[id]
	if obj == nil || obj.Pkg() == nil {
		if b, ok := obj.(*types.Builtin); ok && (b.Name() == "print" || b.Name() == "println") {
			v.report(id, "%s in a pure package", b.Name())
		}
		return
	}
	f, isFunc := obj.(*types.Func)
	method := isFunc && f.Signature().Recv() != nil
	switch name := obj.Name(); obj.Pkg().Path() {
	case "time":
		switch name {
		case "Now", "Since", "Until", "Sleep", "Tick", "NewTimer", "NewTicker", "AfterFunc":
			v.report(id, "time.%s in a pure package: time comes in as data", name)
		case "After":
			if !method {
				v.report(id, "time.After in a pure package: time comes in as data")
			}
		case "Local":
			v.report(id, "time.Local in a pure package: it differs between machines")
		case "LoadLocation":
			if v.file.name != "policy/zone.go" {
				v.report(id, "time.LoadLocation: it reads files; use the zones of package policy")
			}
		}
	case "fmt":
		if strings.HasPrefix(name, "Print") || strings.HasPrefix(name, "Scan") {
			v.report(id, "fmt.%s in a pure package", name)
		}
	}
}

// NewImporter returns an importer for the named packages and all that they import. The go command compiles them, or has
// compiled them.
func newImporter(t *testing.T, packages ...string) types.Importer {
	t.Helper()
	args := []string{"list", "-e", "-deps", "-export", "-f", "{{with .Export}}{{$.ImportPath}}={{.}}{{end}}"}
	exports := make(map[string]string)
	for line := range strings.Lines(run(t, root, "go", append(args, packages...)...)) {
		imported, name, _ := strings.Cut(strings.TrimSpace(line), "=")
		exports[imported] = name
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(imported string) (io.ReadCloser, error) {
		name := exports[imported]
		if name == "" {
			return nil, fmt.Errorf("%s is not compiled", imported)
		}
		return os.Open(name)
	})
}

// Run runs a command in dir and returns what it prints.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s: %s", cmd, stderr.String())
	return string(out)
}

func TestImportsNotices(t *testing.T) {
	notices(t, []bad{
		{"what cannot be pure, and contexts in other files", map[string]string{
			"rollout/a.go":        "package rollout\nimport (\n _ \"os/exec\"\n _ \"net\"\n _ \"net/url\"\n _ \"math/rand/v2\"\n _ \"sync/atomic\"\n _ \"log/slog\"\n)\n",
			"rollout/journal.go":  "package rollout\nimport _ \"context\"\n",
			"rollout/step.go":     "package rollout\nimport _ \"context\"\n",
			"rollout/a_test.go":   "package rollout\nimport _ \"os\"\n",
			"rollout/runner/a.go": "package runner\nimport _ \"os\"\n",
		}, []string{"a.go:3: rollout is pure and imports os/exec", "a.go:4: rollout is pure and imports net", "a.go:6: rollout is pure and imports math/rand/v2",
			"a.go:7: rollout is pure and imports sync/atomic", "a.go:8: rollout is pure and imports log/slog", "step.go:2: rollout is pure: context"}},
	}, each(func(tr *tree, p *pkg) []problem {
		if !pure(p) {
			return nil
		}
		return imports(tr, p)
	}))
}

func TestPurityNotices(t *testing.T) {
	imp := newImporter(t, "fmt", "maps", "slices", "time")
	notices(t, []bad{
		{"concurrency", map[string]string{"policy/compliance/a.go": `package compliance
func f() {
	c := make(chan int)
	go f()
	select {}
	c <- 1
	<-c
	for range c {}
}
`}, []string{"a.go:3: channel", "a.go:4: go statement", "a.go:5: select", "a.go:6: send", "a.go:7: receive", "a.go:8: range over a channel"}},
		{"clocks", map[string]string{"patch/version/a.go": `package version
import clock "time"
type T = clock.Time
func f(a, b T) (bool, func() T) {
	_ = clock.AfterFunc
	_ = clock.After(clock.Second)
	_ = a.Local()
	_ = a.In(clock.Local)
	_, _ = clock.LoadLocation("Europe/Berlin")
	return a.After(b), clock.Now
}
`}, []string{"a.go:5: time.AfterFunc", "a.go:6: time.After in", "a.go:7: time.Local", "a.go:8: time.Local", "a.go:9: time.LoadLocation", "a.go:10: time.Now"}},
		{"wall clocks", map[string]string{"policy/window.go": `package policy
import "time"
func f(l *time.Location) {
	_ = time.Date(2027, 3, 28, 2, 30, 0, 0, time.UTC)
	_ = time.Date(2027, 3, 28, 2, 30, 0, 0, l)
	_ = time.Unix(1, 0)
	_ = time.Unix(1, 0).UTC()
	_ = time.UnixMilli(1).In(l)
}
`, "policy/zone.go": `package policy
import "time"
func Zone(name string) { _, _ = time.LoadLocation(name) }
`}, []string{"window.go:5: time.Date outside UTC", "window.go:6: time.Unix without UTC"}},
		{"the order of maps", map[string]string{"rollout/a.go": `package rollout
import ("maps"; "slices"; "fmt")
type set map[string]bool
type T struct{}
func (t *T) all(m set) {
	for k := range m { fmt.Println(k) }
	for range maps.Values(m) {}
	for range slices.Sorted(maps.Keys(m)) {}
	for range slices.SortedFunc(maps.Keys(m), nil) {}
	_ = slices.Collect(maps.Keys(m))
	_ = maps.Collect(maps.All(m))
	for range []int{} {}
}
`, "policy/a.go": "package policy\nfunc f(m map[string]int) { for range m {} }\n",
		}, []string{"a.go:6: range over a map in T.all", "a.go:6: fmt.Println", "a.go:7: maps.Values in T.all", "a.go:10: maps.Keys in T.all"}},
		{"source that does not type-check", map[string]string{"inventory/a.go": "package inventory\nfunc f() int { return \"\" }\nfunc g() { println() }\n"},
			[]string{"a.go:2: does not type-check", "a.go:3: println"}},
	}, each(func(tr *tree, p *pkg) []problem { return purity(tr, p, imp) }))
}
