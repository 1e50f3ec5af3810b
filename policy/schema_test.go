package policy

import (
	"bytes"
	"encoding"
	"encoding/json"
	"flag"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/calendar"
)

// The JSON Schemas are made of the types, their tags, their text forms and their comments. Write them anew with
// go test ./policy -run TestSchemas -update.
func TestSchemas(t *testing.T) {
	for file, typ := range map[string]reflect.Type{"policy.schema.json": reflect.TypeFor[Policy](), "layer.schema.json": reflect.TypeFor[Layer]()} {
		g := schemaMaker{t: t, defs: make(map[string]any), docs: make(map[string]map[string]string)}
		root := g.object(typ, false)
		root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
		root["title"] = "patchflow " + strings.ToLower(typ.Name())
		root["$defs"] = g.defs
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		require.NoError(t, e.Encode(root))
		if flag.Lookup("update").Value.String() == "true" {
			require.NoError(t, os.WriteFile(file, b.Bytes(), 0o644))
		}
		have, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, b.String(), string(have), "%s is not what the types say: run with -update", file)
	}
}

// A schemaMaker makes schemas of types.
type schemaMaker struct {
	t    *testing.T
	defs map[string]any
	docs map[string]map[string]string // by import path: comments by "Type" and "Type.Field"
}

// object returns the schema of a struct that a document holds as fields with values.
func (g *schemaMaker) object(typ reflect.Type, partial bool) map[string]any {
	properties, required := make(map[string]any), []string{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		schema := g.value(f.Type, typ.Name()+"."+f.Name)
		if text := g.doc(typ, f.Name); text != "" {
			schema["description"] = text
		}
		if must := !strings.Contains(options, "omitempty"); must && !partial {
			required = append(required, name)
		}
		if partial && name == "name" {
			delete(schema, "minLength")
		}
		properties[name] = schema
	}
	o := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if text := g.doc(typ, ""); text != "" {
		o["description"] = text
	}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

// value returns the schema of a field.
func (g *schemaMaker) value(typ reflect.Type, field string) map[string]any {
	text := func(pattern string) map[string]any { return map[string]any{"type": "string", "pattern": pattern} }
	const day = "(mon|tue|wed|thu|fri|sat|sun)"
	switch typ {
	case reflect.TypeFor[Duration]():
		s := text(`^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+(\.[0-9]{1,9})?s)?$`)
		s["minLength"] = 2
		return s
	case reflect.TypeFor[Share]():
		return text(`^0*(100(\.0{1,2})?|[0-9]{1,2}(\.[0-9]{1,2})?)%$`)
	case reflect.TypeFor[Clock]():
		return text(`^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$`)
	case reflect.TypeFor[Days]():
		one := day + "(-" + day + ")?"
		list := text("^" + one + "( *, *" + one + ")*$")
		return map[string]any{"anyOf": []any{list, map[string]any{"type": "array", "minItems": 1, "items": list}}}
	case reflect.TypeFor[calendar.Wall]():
		return text(`^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?)?$`)
	case reflect.TypeFor[calendar.Recurrence](), reflect.TypeFor[inventory.Selector]():
		return map[string]any{"type": "string", "minLength": 1}
	case reflect.TypeFor[Where](): // as text, or in the structured form of package predicate
		return map[string]any{"anyOf": []any{
			map[string]any{"type": "string", "minLength": 1}, map[string]any{"type": "boolean"}, map[string]any{"type": "object", "minProperties": 1},
		}}
	case reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case reflect.TypeFor[patch.ID]():
		return text(`^[^*]+\*?$`)
	}
	if reflect.PointerTo(typ).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		var names []string
		for i := range 255 {
			v := reflect.New(typ).Elem()
			v.SetUint(uint64(i))
			name, err := v.Interface().(encoding.TextMarshaler).MarshalText()
			if err != nil {
				break
			}
			if typ == reflect.TypeFor[Verdict]() && i == 0 || typ == reflect.TypeFor[calendar.Gap]() && calendar.Gap(i) == calendar.GapKeep {
				continue // which validation refuses
			}
			names = append(names, string(name))
		}
		require.NotEmpty(g.t, names, typ)
		return map[string]any{"enum": names}
	}
	switch typ.Kind() {
	case reflect.String:
		s := map[string]any{"type": "string"}
		if strings.HasSuffix(field, ".Name") || strings.HasSuffix(field, ".ID") {
			s["minLength"] = 1
		}
		return s
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int:
		if field == "Layer.Priority" {
			return map[string]any{"type": "integer"}
		}
		return map[string]any{"type": "integer", "minimum": 0}
	case reflect.Slice:
		return map[string]any{"type": "array", "minItems": 1, "items": g.value(typ.Elem(), field+"[]")}
	case reflect.Struct:
		name := typ.Name()
		if _, known := g.defs[name]; !known {
			g.defs[name] = nil // for types that hold themselves
			g.defs[name] = g.object(typ, typ == reflect.TypeFor[Policy]())
		}
		return map[string]any{"$ref": "#/$defs/" + name}
	}
	g.t.Fatalf("%s: a document cannot hold a %s", field, typ)
	return nil
}

// doc returns the comment of a type of this repository, or of a field of it, as one line.
func (g *schemaMaker) doc(typ reflect.Type, field string) string {
	docs := g.docs[typ.PkgPath()]
	if docs == nil {
		require.Equal(g.t, reflect.TypeFor[Policy]().PkgPath(), typ.PkgPath(), "a struct of another package")
		docs = make(map[string]string)
		g.docs[typ.PkgPath()] = docs
		names, err := filepath.Glob("*.go")
		require.NoError(g.t, err)
		set, files := token.NewFileSet(), []*ast.File(nil)
		for _, name := range names {
			if !strings.HasSuffix(name, "_test.go") {
				f, err := parser.ParseFile(set, name, nil, parser.ParseComments)
				require.NoError(g.t, err)
				files = append(files, f)
			}
		}
		p, err := doc.NewFromFiles(set, files, path.Base(typ.PkgPath()))
		require.NoError(g.t, err)
		line := func(s string) string {
			s = strings.NewReplacer("[", "", "]", "").Replace(s)
			return strings.Join(strings.Fields(s), " ")
		}
		for _, x := range p.Types {
			docs[x.Name], _, _ = strings.Cut(x.Doc, "\n\n")
			docs[x.Name] = line(docs[x.Name])
			for _, spec := range x.Decl.Specs {
				s, ok := spec.(*ast.TypeSpec).Type.(*ast.StructType)
				if !ok {
					continue
				}
				for _, f := range s.Fields.List {
					for _, name := range f.Names {
						docs[x.Name+"."+name.Name] = line(f.Doc.Text() + " " + f.Comment.Text())
					}
				}
			}
		}
	}
	return docs[strings.TrimSuffix(typ.Name()+"."+field, ".")]
}
