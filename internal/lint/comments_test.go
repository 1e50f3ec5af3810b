package lint

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// Comments checks that a library and every exported name in it is documented, and that the comment of a type or function
// begins with its name. A group of constants is documented by its comment, by the comment of the type whose values it
// lists, or line by line.
func comments(t *tree, p *pkg) (all []problem) {
	if p.name == "" {
		return nil
	}
	all = t.packageComment(p)
	if !p.library() {
		return all
	}
	types := p.types()
	for _, f := range p.sources() {
		for _, decl := range f.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d))) {
					all = append(all, t.begins(d, d.Doc, d.Name.Name)...)
				}
			case *ast.GenDecl:
				all = append(all, t.declComments(d, types)...)
			}
		}
	}
	return all
}

func (t *tree) packageComment(p *pkg) []problem {
	var documented []*file
	for _, f := range p.sources() {
		if f.Doc != nil {
			documented = append(documented, f)
		}
	}
	switch {
	case len(documented) == 0:
		return []problem{t.problem(p.sources()[0], "package %s has no comment", p.name)}
	case len(documented) > 1:
		return []problem{t.problem(documented[1], "package %s has a comment in %s too", p.name, documented[0].name)}
	}
	want := "Package " + p.name + " "
	if text := documented[0].Doc.Text(); p.name != "main" && !strings.HasPrefix(text, want) {
		return []problem{t.problem(documented[0], "the comment does not begin with %q", want)}
	}
	return nil
}

// Types returns the documented types of p.
func (p *pkg) types() map[string]bool {
	types := make(map[string]bool)
	for _, f := range p.sources() {
		for _, decl := range f.Decls {
			if d, ok := decl.(*ast.GenDecl); ok && d.Tok == token.TYPE {
				for _, spec := range d.Specs {
					s := spec.(*ast.TypeSpec)
					types[s.Name.Name] = s.Doc != nil || d.Doc != nil
				}
			}
		}
	}
	return types
}

func (t *tree) declComments(d *ast.GenDecl, types map[string]bool) (all []problem) {
	values := "" // the type of the constants of the group, which lines without a type repeat
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if !s.Name.IsExported() {
				continue
			}
			doc := s.Doc
			if doc == nil && !d.Lparen.IsValid() {
				doc = d.Doc
			}
			all = append(all, t.begins(s, doc, s.Name.Name)...)
			if i, ok := s.Type.(*ast.InterfaceType); ok {
				all = append(all, t.methodComments(i)...)
			}
		case *ast.ValueSpec:
			if id, ok := s.Type.(*ast.Ident); ok {
				values = id.Name
			} else if s.Values != nil {
				values = ""
			}
			if d.Doc != nil || s.Doc != nil || s.Comment != nil || d.Tok == token.CONST && types[values] {
				continue
			}
			for _, name := range s.Names {
				if name.IsExported() {
					all = append(all, t.problem(name, "%s is not documented", name.Name))
				}
			}
		}
	}
	return all
}

func (t *tree) methodComments(i *ast.InterfaceType) (all []problem) {
	for _, method := range i.Methods.List {
		for _, name := range method.Names {
			if name.IsExported() {
				all = append(all, t.begins(method, method.Doc, name.Name)...)
			}
		}
	}
	return all
}

func (t *tree) begins(n ast.Node, doc *ast.CommentGroup, name string) []problem {
	if doc.Text() == "" {
		return []problem{t.problem(n, "%s is not documented", name)}
	}
	words := strings.Fields(doc.Text())
	if len(words) > 1 && (words[0] == "A" || words[0] == "An" || words[0] == "The") {
		words = words[1:]
	}
	if strings.TrimRight(words[0], ".,:") != name {
		return []problem{t.problem(n, "the comment on %s does not begin with its name", name)}
	}
	return nil
}

// Receiver returns the name of the type of a method.
func receiver(d *ast.FuncDecl) string {
	e := d.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

func TestCommentsNotices(t *testing.T) {
	notices(t, []bad{
		{"names without a comment", map[string]string{"patch/a.go": `// Package patch is fine.
package patch
type Bare struct{}
func Func() {}
func (b Bare) Method() {}
func (b *hidden) Method() {}
// A Source is fine.
type Source interface {
	Patches()
	// Close closes.
	Close()
}
var ErrBare = 1
const Limit = 2
type hidden struct{}
`}, []string{"a.go:3: Bare is", "a.go:4: Func is", "a.go:5: Method is", "a.go:9: Patches is", "a.go:13: ErrBare is", "a.go:14: Limit is"}},
		{"comments that begin with something else", map[string]string{"patch/a.go": `// Package patch is fine.
package patch
// An Advisory is fine.
type Advisory struct{}
// The Catalog is fine.
type Catalog struct{}
// Here is a type.
type Patch struct{}
// This returns it.
func (p Patch) Get() {}
// NewPatcher makes one.
func NewPatch() {}
//go:noinline
func Directive() {}
`}, []string{"a.go:8: the comment on Patch", "a.go:10: the comment on Get", "a.go:12: the comment on NewPatch", "a.go:14: Directive is"}},
		{"groups", map[string]string{"patch/a.go": `// Package patch is fine.
package patch
// Level is fine.
type Level uint8
const (
	Low Level = iota
	High
	Other = 3
)
type bare uint8
const (
	One bare = iota
	Two // fine
)
// Sizes.
const (
	Small = 1
	Big = 2
)
// Types.
type (
	Left int
)
`}, []string{"a.go:8: Other is", "a.go:12: One is", "a.go:22: Left is"}},
		{"package comments", map[string]string{
			"patch/a.go":     "package patch\n",
			"inventory/a.go": "// Package inventory is.\npackage inventory\n",
			"inventory/b.go": "// Package inventory is too.\npackage inventory\n",
			"policy/a.go":    "// Policies are.\npackage policy\n",
			"cmd/a.go":       "// Cmd does.\npackage main\nfunc Exported() {}\n",
			"cmd/b_test.go":  "package main\n",
		}, []string{"inventory/b.go:2: package inventory has a comment in inventory/a.go too", "patch/a.go:1: package patch has no comment", "policy/a.go:2: the comment does"}},
	}, each(comments))
}
