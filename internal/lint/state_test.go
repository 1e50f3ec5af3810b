package lint

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// State checks that a library keeps none of its own: no init function, and no variable of the package but error sentinels,
// assertions of interfaces and embedded files.
func state(t *tree, p *pkg) (all []problem) {
	if !p.library() {
		return nil
	}
	for _, f := range p.sources() {
		for _, decl := range f.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					all = append(all, t.problem(d, "func init: a library does nothing before it is called"))
				}
			case *ast.GenDecl:
				if d.Tok != token.VAR {
					continue
				}
				for _, spec := range d.Specs {
					v := spec.(*ast.ValueSpec)
					for i, name := range v.Names {
						if name.Name != "_" && !sentinel(f, v, i) && !embedded(f, d, v) {
							all = append(all, t.problem(name, "var %s: a library has no variables but errors and assertions", name.Name))
						}
					}
				}
			}
		}
	}
	return all
}

// Sentinel says whether a variable is an error to compare with: a new one, or that of another package under the same name.
func sentinel(f *file, v *ast.ValueSpec, i int) bool {
	if i >= len(v.Values) {
		return false
	}
	if _, name := f.named(v.Values[i]); strings.HasPrefix(name, "Err") && name == v.Names[i].Name {
		return true
	}
	call, ok := v.Values[i].(*ast.CallExpr)
	if !ok {
		return false
	}
	imported, name := f.named(call.Fun)
	return imported == "errors" && name == "New"
}

func embedded(f *file, d *ast.GenDecl, v *ast.ValueSpec) bool {
	imported, name := f.named(v.Type)
	if imported != "embed" || name != "FS" {
		return false
	}
	for _, doc := range []*ast.CommentGroup{d.Doc, v.Doc} {
		if doc != nil && strings.HasPrefix(doc.List[len(doc.List)-1].Text, "//go:embed ") {
			return true
		}
	}
	return false
}

func TestStateNotices(t *testing.T) {
	notices(t, []bad{
		{"variables and init functions", map[string]string{"patch/a.go": `package patch
import "errors"
import fmt "errors"
import "embed"
var ErrFine = errors.New("fine")
var (
	errFine, cache = fmt.New("fine"), map[string]int{}
	_ error = ErrFine
	ErrMissing error
	ErrUnsupported, ErrOther = fmt.ErrUnsupported, fmt.ErrUnsupported
)
//go:embed data
var files embed.FS
var notFiles embed.FS
func init() {}
func (t T) init() { var local int; _ = local }
type T struct{}
`}, []string{"a.go:7: var cache", "a.go:9: var ErrMissing", "a.go:10: var ErrOther", "a.go:14: var notFiles", "a.go:15: func init"}},
		{"nothing in programs and tests", map[string]string{
			"examples/fleet/main.go": "package main\nvar flag int\n",
			"examples/shared/a.go":   "package shared\nvar flag int\n",
			"patch/a_test.go":        "package patch\nvar update bool\nfunc init() {}\n",
		}, nil},
	}, each(state))
}
