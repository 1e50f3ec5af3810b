package predicate

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/patchflow/patchflow/internal/jsonnode"
)

// maxNodes bounds how many nodes of a document are read, those behind an alias as often as it is used.
const maxNodes = 1 << 16

// UnmarshalYAML implements [yaml.Unmarshaler]. It reads the text form, the structured form of [Node], and true and false,
// strictly: an unknown or repeated field, an empty list and a missing value are errors with their line and column.
// Within a text that has several lines in the document, line and column are those of the text itself.
func (e *Expr) UnmarshalYAML(n *yaml.Node) error {
	d := decoder{nodes: make(map[string]*yaml.Node), budget: maxNodes}
	d.place = d.locate
	parsed, err := d.document(n)
	if err != nil {
		return err
	}
	*e = parsed
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler]. It reads what [Expr.UnmarshalYAML] reads; positions in errors are within
// data.
func (e *Expr) UnmarshalJSON(data []byte) error {
	if len(data) > 8*maxText {
		return &Error{Err: fmt.Errorf("%d bytes long: at most %d are allowed", len(data), 8*maxText)}
	}
	n, fault := jsonnode.Read(data, 3*maxDepth)
	if fault != nil {
		return &Error{Line: fault.Line, Column: fault.Column, Err: fault.Err}
	}
	return e.UnmarshalYAML(n)
}

// A decoder makes nodes of those of a document, and remembers where they stand.
type decoder struct {
	nodeReader
	nodes  map[string]*yaml.Node
	budget int
}

// locate returns the place of what has a path, or of what it is in.
func (d *decoder) locate(path string) place {
	for p := path; ; p = p[:max(strings.LastIndexAny(p, ".["), 0)] {
		if n := d.nodes[p]; n != nil {
			return place{line: n.Line, column: n.Column, path: path}
		}
		if p == "" {
			return place{path: path}
		}
	}
}

func (d *decoder) document(n *yaml.Node) (Expr, error) {
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		return d.text(n)
	}
	form := d.node(n, "", 1)
	if err := d.err(); err != nil {
		return Expr{}, err
	}
	e := d.whole(form)
	if err := d.err(); err != nil {
		return Expr{}, err
	}
	return e, nil
}

// text reads the text form. What stands on one line of the document has its errors placed there.
func (d *decoder) text(n *yaml.Node) (Expr, error) {
	p := parser{text: n.Value}
	e := p.whole()
	p.locate()
	plain := n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && !strings.Contains(n.Value, "\n")
	for _, f := range p.all {
		if plain && n.Line > 0 {
			f.Line, f.Column = n.Line, f.Column+n.Column-1
			if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
				f.Column++
			}
		}
	}
	if err := p.err(); err != nil {
		return Expr{}, err
	}
	return e, nil
}

// node reads one node of the structured form.
func (d *decoder) node(n *yaml.Node, path string, depth int) (form Node) {
	d.nodes[path] = n
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if d.budget--; d.budget < 0 || depth > maxDepth {
		if d.budget == -1 || d.budget >= 0 {
			d.add(d.locate(path), "nested deeper than %d levels, or too large once aliases are spelled out", maxDepth)
		}
		return form
	}
	if n.ShortTag() == "!!bool" && (n.Value == "true" || n.Value == "false") {
		is := n.Value == "true"
		form.Const = &is
		return form
	}
	if n.Kind != yaml.MappingNode || n.ShortTag() != "!!map" {
		d.add(d.locate(path), "want fields with values, true or false, not %s", describe(n))
		return form
	}
	if len(n.Content) == 0 {
		d.add(d.locate(path), "an expression without fields")
	}
	var seen []string
	for i := 0; i+1 < len(n.Content) && !d.full(); i += 2 {
		key, v := n.Content[i], n.Content[i+1]
		at := under(path, clip(key.Value))
		keyAt := place{line: key.Line, column: key.Column, path: at}
		if slices.Contains(seen, key.Value) {
			d.add(keyAt, "stands twice")
			continue
		}
		seen = append(seen, key.Value)
		d.nodes[at] = v
		switch key.Value {
		case "all":
			form.All = d.list(v, at, depth)
		case "any":
			form.Any = d.list(v, at, depth)
		case "not":
			arg := d.node(v, at, depth+1)
			form.Not = &arg
		case "advisory":
			arg := d.node(v, at, depth+1)
			form.Advisory = &arg
		case "const":
			arg := d.node(v, at, depth)
			if form.Const = arg.Const; arg.Const == nil && len(d.all) == 0 {
				d.add(d.locate(at), "want true or false")
			}
		case "field":
			if form.Field = d.scalar(v, at); form.Field == "" {
				d.add(d.locate(at), "no value")
			}
		case "op":
			form.Op = d.scalar(v, at)
		case "values":
			form.Values = d.scalars(v, at)
		default:
			d.add(keyAt, "unknown field%s", didYouMean(key.Value, []string{"all", "any", "not", "advisory", "const", "field", "op", "values"}))
		}
	}
	return form
}

func (d *decoder) list(n *yaml.Node, path string, depth int) []Node {
	all := []Node{}
	for i, item := range d.items(n, path) {
		all = append(all, d.node(item, fmt.Sprintf("%s[%d]", path, i), depth+1))
	}
	return all
}

func (d *decoder) scalars(n *yaml.Node, path string) (all []string) {
	for i, item := range d.items(n, path) {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.nodes[at] = item
		all = append(all, d.scalar(item, at))
	}
	return all
}

func (d *decoder) items(n *yaml.Node, path string) []*yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Kind != yaml.SequenceNode || n.ShortTag() != "!!seq":
		d.add(d.locate(path), "want a list, not %s", describe(n))
	case len(n.Content) == 0:
		d.add(d.locate(path), "an empty list")
	case len(n.Content) > d.budget:
		d.add(d.locate(path), "a list of %d: too large", len(n.Content))
	default:
		d.budget -= len(n.Content)
		return n.Content
	}
	return nil
}

// scalar returns a text, or what is taken for a number, a date or a truth as it was written.
func (d *decoder) scalar(n *yaml.Node, path string) string {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode || !slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}, n.ShortTag()) {
		d.add(d.locate(path), "want text, not %s", describe(n))
		return ""
	}
	if !utf8.ValidString(n.Value) {
		d.add(d.locate(path), "not UTF-8")
	}
	return n.Value
}

// describe says what n is, for an error.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "fields with values"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.ShortTag() == "!!null":
		return "nothing"
	}
	return fmt.Sprintf("%q", clip(n.Value))
}
