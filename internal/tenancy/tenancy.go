// Package tenancy finds the exported calls of a package that are given something of a tenant, so that a test can show of
// each that it keeps two tenants apart, and fails for one that is new and has no such case.
//
// Only tests import this package.
package tenancy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Words are the names of types that are a tenant's, or say which one is meant, wherever they are declared.
func words() []string {
	return []string{"Tenant", "Device", "DeviceID", "Ref", "Finding", "Scan", "Case", "Facts", "Layer", "Request", "Decision",
		"Escalation",
		"Key", "Head", "TaskID", "Task", "Plan", "Machine", "Batch", "Quarantine"}
}

// Cases runs one subtest for every call in cases. It fails if the package in the folder of the test has an exported call that
// takes something of a tenant and is not among them, and if one of cases is no such call. Calls are named as [Calls] does; of
// only, if there are any, those count whose names begin with one of them.
func Cases(t *testing.T, cases map[string]func(*testing.T), only ...string) {
	t.Helper()
	calls := slices.DeleteFunc(Calls(t, "."), func(call string) bool {
		return len(only) > 0 && !slices.ContainsFunc(only, func(o string) bool { return strings.HasPrefix(call, o) })
	})
	for _, call := range calls {
		if cases[call] == nil {
			t.Errorf("%s takes something of a tenant: no case shows that it keeps two of them apart", call)
		}
	}
	for _, call := range slices.Sorted(maps.Keys(cases)) {
		if !slices.Contains(calls, call) {
			t.Errorf("%s is no exported call that takes something of a tenant", call)
			continue
		}
		t.Run(call, cases[call])
	}
}

// Calls returns the exported functions and methods of the package in folder dir, as "Func" and "Type.Method", that take a
// type of which the name says that it is a tenant's, in whatever shape, or a struct of the package that has an exported
// field of such a type. They are sorted.
func Calls(t testing.TB, dir string) []string {
	t.Helper()
	files := parse(t, dir)
	carriers := make(map[string]bool)
	for _, w := range words() {
		carriers[w] = true
	}
	for grown := true; grown; {
		grown = false
		for name, fields := range structs(files) {
			if !carriers[name] && slices.ContainsFunc(fields, func(e ast.Expr) bool { return mentions(e, carriers) }) {
				carriers[name], grown = true, true
			}
		}
	}
	var calls []string
	for _, f := range files {
		for _, decl := range f.Decls {
			d, ok := decl.(*ast.FuncDecl)
			if !ok || !d.Name.IsExported() || !slices.ContainsFunc(d.Type.Params.List, func(p *ast.Field) bool { return mentions(p.Type, carriers) }) {
				continue
			}
			name := d.Name.Name
			if d.Recv != nil {
				of := receiver(d.Recv.List[0].Type)
				if !ast.IsExported(of) {
					continue
				}
				name = of + "." + name
			}
			calls = append(calls, name)
		}
	}
	slices.Sort(calls)
	return calls
}

func parse(t testing.TB, dir string) (files []*ast.File) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		t.Fatalf("there is no package in %s", dir)
	}
	return files
}

// structs returns the types of the exported fields of the exported structs.
func structs(files []*ast.File) map[string][]ast.Expr {
	all := make(map[string][]ast.Expr)
	for _, f := range files {
		for n := range ast.Preorder(f) {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !spec.Name.IsExported() {
				continue
			}
			s, ok := spec.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, field := range s.Fields.List {
				if len(field.Names) == 0 || slices.ContainsFunc(field.Names, (*ast.Ident).IsExported) {
					all[spec.Name.Name] = append(all[spec.Name.Name], field.Type)
				}
			}
		}
	}
	return all
}

// mentions says whether a type is made of one of those named: slices, sequences, pointers and the arguments of functions too.
func mentions(e ast.Expr, names map[string]bool) bool {
	for n := range ast.Preorder(e) {
		if id, ok := n.(*ast.Ident); ok && names[id.Name] {
			return true
		}
	}
	return false
}

// receiver returns the name of the type that a method is of.
func receiver(e ast.Expr) string {
	for n := range ast.Preorder(e) {
		if id, ok := n.(*ast.Ident); ok {
			return id.Name
		}
	}
	return ""
}
