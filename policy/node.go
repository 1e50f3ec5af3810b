package policy

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/patchflow/patchflow/internal/nearest"
)

// maxNodes bounds how many nodes of a document are read, those behind an alias as often as it is used.
const maxNodes = 1 << 18

// A nodeReader fills Go values from the nodes of a document, by their yaml tags. It knows structs, slices, text, whole
// numbers, truth values, and everything that reads its own text form.
type nodeReader struct {
	faults []*FieldError
	owners []string              // of each fault: the path of the struct that it spoils
	nodes  map[string]*yaml.Node // by path
	types  map[reflect.Type][]nodeField
	budget int

	// partial is the path of a struct of which every field may be left out; "" for none.
	partial string
}

func newNodeReader() *nodeReader {
	return &nodeReader{nodes: make(map[string]*yaml.Node), types: make(map[reflect.Type][]nodeField), budget: maxNodes}
}

// A nodeField is a field of a struct as a document names it.
type nodeField struct {
	name     string
	index    int
	required bool // its tag does not allow leaving it out
}

func (r *nodeReader) fields(t reflect.Type) []nodeField {
	if known, ok := r.types[t]; ok {
		return known
	}
	fields := make([]nodeField, t.NumField())
	for i := range fields {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		fields[i] = nodeField{name, i, !strings.Contains(options, "omitempty")}
	}
	r.types[t] = fields
	return fields
}

// read fills the struct that into points to from root.
func (r *nodeReader) read(root *yaml.Node, into any) {
	r.value(root, reflect.ValueOf(into).Elem(), "", "")
}

// full says whether enough is wrong to stop.
func (r *nodeReader) full() bool { return len(r.faults) > maxFaults || r.budget < 0 }

func (r *nodeReader) fault(n *yaml.Node, owner, path string, err error) {
	if r.full() {
		return
	}
	r.faults = append(r.faults, &FieldError{Line: n.Line, Column: n.Column, Path: path, Err: err})
	r.owners = append(r.owners, owner)
}

// value fills v, the field at path of the struct at owner.
func (r *nodeReader) value(n *yaml.Node, v reflect.Value, owner, path string) {
	if r.full() {
		return
	}
	if r.budget--; r.budget < 0 {
		r.faults = append(r.faults, &FieldError{Line: n.Line, Column: n.Column, Path: path,
			Err: errors.New("the document is too large once its aliases are spelled out")})
		r.owners = append(r.owners, owner)
		return
	}
	r.nodes[path] = n
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	tag := n.ShortTag()
	if tag == "!!null" {
		r.fault(n, owner, path, errors.New("no value: leave the field out"))
		return
	}
	if days, ok := v.Addr().Interface().(*Days); ok && n.Kind == yaml.SequenceNode {
		r.days(n, days, owner, path)
		return
	}
	if w, ok := v.Addr().Interface().(*Where); ok {
		r.where(n, w, owner, path)
		return
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		r.text(n, tag, u, owner, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		r.mapping(n, tag, v, owner, path)
	case reflect.Slice:
		r.sequence(n, tag, v, owner, path)
	case reflect.String:
		if n.Kind != yaml.ScalarNode || tag != "!!str" {
			r.fault(n, owner, path, fmt.Errorf("want text, not %s", describe(n, tag)))
			return
		}
		v.SetString(n.Value)
	case reflect.Bool:
		if n.Kind != yaml.ScalarNode || tag != "!!bool" || n.Value != "true" && n.Value != "false" {
			r.fault(n, owner, path, fmt.Errorf("want true or false, not %s", describe(n, tag)))
			return
		}
		v.SetBool(n.Value == "true")
	case reflect.Int:
		// YAML has octal, hexadecimal and sexagesimal numbers. Nobody who writes 010 here means eight.
		i, err := strconv.Atoi(n.Value)
		if n.Kind != yaml.ScalarNode || tag != "!!int" || err != nil || strconv.Itoa(i) != n.Value {
			r.fault(n, owner, path, fmt.Errorf("want a whole number, not %s", describe(n, tag)))
			return
		}
		v.SetInt(int64(i))
	default:
		panic("policy: a document cannot hold a " + v.Type().String())
	}
}

// text fills a value that reads its own text form. It gets the text as it was written, whatever YAML takes it for.
func (r *nodeReader) text(n *yaml.Node, tag string, u encoding.TextUnmarshaler, owner, path string) {
	plain := []string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}
	if n.Kind != yaml.ScalarNode || !slices.Contains(plain, tag) {
		r.fault(n, owner, path, fmt.Errorf("want text, not %s", describe(n, tag)))
		return
	}
	if n.Value == "" {
		r.fault(n, owner, path, errors.New("no value: leave the field out"))
		return
	}
	if err := u.UnmarshalText([]byte(n.Value)); err != nil {
		r.fault(n, owner, path, err)
	}
}

// days fills a set of weekdays from a list of them.
func (r *nodeReader) days(n *yaml.Node, into *Days, owner, path string) {
	if len(n.Content) == 0 {
		r.fault(n, owner, path, errors.New("an empty list: leave the field out"))
	}
	for i, item := range n.Content {
		var day Days
		at := index(path, i)
		before := len(r.faults)
		r.value(item, reflect.ValueOf(&day).Elem(), owner, at)
		if both := *into & day; both != 0 && len(r.faults) == before {
			r.fault(item, owner, at, fmt.Errorf("%s is named twice", both))
		}
		*into |= day
	}
}

func (r *nodeReader) sequence(n *yaml.Node, tag string, v reflect.Value, owner, path string) {
	if n.Kind != yaml.SequenceNode || tag != "!!seq" {
		r.fault(n, owner, path, fmt.Errorf("want a list, not %s", describe(n, tag)))
		return
	}
	if len(n.Content) == 0 {
		r.fault(n, owner, path, errors.New("an empty list: leave the field out"))
		return
	}
	list := reflect.MakeSlice(v.Type(), 0, min(len(n.Content), 16))
	for i, item := range n.Content {
		if r.full() {
			return
		}
		list = reflect.Append(list, reflect.Zero(v.Type().Elem()))
		r.value(item, list.Index(i), owner, index(path, i))
	}
	v.Set(list)
}

func (r *nodeReader) mapping(n *yaml.Node, tag string, v reflect.Value, owner, path string) {
	if n.Kind != yaml.MappingNode || tag != "!!map" {
		r.fault(n, owner, path, fmt.Errorf("want fields with values, not %s", describe(n, tag)))
		return
	}
	fields := r.fields(v.Type())
	seen := make([]*yaml.Node, len(fields))
	for i := 0; i+1 < len(n.Content); i += 2 {
		if r.full() {
			return
		}
		key, value := n.Content[i], n.Content[i+1]
		if key.ShortTag() == "!!merge" {
			r.fault(key, path, path, errors.New("merge keys are not supported: repeat the fields"))
			continue
		}
		if key.Kind != yaml.ScalarNode {
			r.fault(key, path, path, fmt.Errorf("want the name of a field, not %s", describe(key, key.ShortTag())))
			continue
		}
		f := slices.IndexFunc(fields, func(f nodeField) bool { return f.name == key.Value })
		if f < 0 {
			r.fault(key, path, join(path, key.Value), unknownField(key.Value, fields))
			continue
		}
		if seen[f] != nil {
			r.fault(key, path, join(path, key.Value), fmt.Errorf("stands twice: first in line %d", seen[f].Line))
			continue
		}
		seen[f] = key
		r.value(value, v.Field(fields[f].index), path, join(path, key.Value))
	}
	for i, f := range fields {
		if f.required && seen[i] == nil && (path == "" || path != r.partial) {
			r.fault(n, path, join(path, f.name), errors.New("missing"))
		}
	}
}

// place gives the faults that were found in the value their place in the document. It leaves out those that may follow
// from a fault of the document: they are about the very struct that has one, or about what contains it.
func (r *nodeReader) place(faults []*FieldError) []*FieldError {
	return slices.DeleteFunc(faults, func(f *FieldError) bool {
		for i, known := range r.faults {
			if within(known.Path, f.Path) || within(f.Path, known.Path) || parent(f.Path) == r.owners[i] {
				return true
			}
		}
		f.Line, f.Column = r.at(f.Path)
		return false
	})
}

// at returns where a field stands in the document, or what it would stand in if it is left out.
func (r *nodeReader) at(path string) (line, column int) {
	for ; ; path = parent(path) {
		if n := r.nodes[path]; n != nil {
			return n.Line, n.Column
		}
		if path == "" {
			return 0, 0
		}
	}
}

// within says whether path is that of whole or of something in it.
func within(path, whole string) bool {
	rest, ok := strings.CutPrefix(path, whole)
	return ok && (rest == "" || whole == "" || rest[0] == '.' || rest[0] == '[')
}

// parent returns the path of what contains path.
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

func join(path, name string) string {
	isOther := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' }
	name = clip(name)
	if name == "" || strings.ContainsFunc(name, isOther) {
		name = strconv.Quote(name)
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// describe says what n is, for an error.
func describe(n *yaml.Node, tag string) string {
	switch n.Kind {
	case yaml.MappingNode:
		if tag == "!!map" {
			return "fields with values"
		}
	case yaml.SequenceNode:
		if tag == "!!seq" {
			return "a list"
		}
	case yaml.AliasNode:
		return "an alias"
	default:
		switch tag {
		case "!!str":
			return fmt.Sprintf("the text %q", clip(n.Value))
		case "!!int", "!!float":
			return fmt.Sprintf("the number %s", clip(n.Value))
		case "!!bool":
			return fmt.Sprintf("the truth value %s", clip(n.Value))
		case "!!timestamp":
			return fmt.Sprintf("the date %s", clip(n.Value))
		}
	}
	return fmt.Sprintf("a value tagged %s", clip(tag))
}

// unknownField returns the error for a field that there is not, with the one that may be meant.
func unknownField(name string, fields []nodeField) error {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	best := nearest.Word(name, names)
	if best == "" {
		return errors.New("unknown field")
	}
	return fmt.Errorf("unknown field; did you mean %s?", best)
}
