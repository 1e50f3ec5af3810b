package predicate

import (
	"encoding/json"
	"fmt"
)

// A Node is the structured form of an [Expr]: plain data, as a form on a screen or another program makes it. Exactly one
// of All, Any, Not, Advisory, Const and Field is set.
type Node struct {
	All      []Node   `json:"all,omitempty" yaml:"all,omitempty"`
	Any      []Node   `json:"any,omitempty" yaml:"any,omitempty"`
	Not      *Node    `json:"not,omitempty" yaml:"not,omitempty"`
	Advisory *Node    `json:"advisory,omitempty" yaml:"advisory,omitempty"` // any advisory (...)
	Const    *bool    `json:"const,omitempty" yaml:"const,omitempty"`
	Field    string   `json:"field,omitempty" yaml:"field,omitempty"`
	Op       string   `json:"op,omitempty" yaml:"op,omitempty"`         // as in the text form; "" for a truth by itself
	Values   []string `json:"values,omitempty" yaml:"values,omitempty"` // of a comparison
}

// Node returns the structured form of e. That of the zero Expr is the zero Node.
func (e Expr) Node() Node {
	var n Node
	switch e.op {
	case opNone:
	case opAll:
		n.All = nodes(e.args)
	case opAny:
		n.Any = nodes(e.args)
	case opNot:
		arg := e.args[0].Node()
		n.Not = &arg
	case opAdvisory:
		arg := e.args[0].Node()
		n.Advisory = &arg
	case opTrue, opFalse:
		is := e.op == opTrue
		n.Const = &is
	default:
		n.Field, n.Op = e.field, e.op.String()
		for _, v := range e.values {
			n.Values = append(n.Values, v.text)
		}
	}
	return n
}

func nodes(args []Expr) []Node {
	all := make([]Node, len(args))
	for i, a := range args {
		all[i] = a.Node()
	}
	return all
}

// Expr returns the expression that n is the form of. Errors are those of [Parse], with a path in place of a position. The
// zero Node gives the zero Expr, but one within another is an error.
func (n Node) Expr() (Expr, error) {
	if n.isZero() {
		return Expr{}, nil
	}
	r := nodeReader{place: func(path string) place { return place{path: path} }}
	e := r.whole(n)
	if err := r.err(); err != nil {
		return Expr{}, err
	}
	return e, nil
}

func (n *Node) isZero() bool {
	return n.forms() == 0 && n.Op == "" && len(n.Values) == 0
}

// forms counts what is set of which one thing must be.
func (n *Node) forms() (count int) {
	for _, set := range []bool{n.All != nil, n.Any != nil, n.Not != nil, n.Advisory != nil, n.Const != nil, n.Field != ""} {
		if set {
			count++
		}
	}
	return count
}

// A nodeReader makes an expression of nodes.
type nodeReader struct {
	checker
	place func(path string) place // where something stands
}

// whole makes an expression of n, which is in no other.
func (r *nodeReader) whole(n Node) Expr {
	e := r.node(n, "", 1)
	if len(r.all) == 0 {
		if size := len(e.String()); size > maxText {
			r.add(r.place(""), "%d bytes long as a text: at most %d are allowed", size, maxText)
		}
	}
	return e
}

func (r *nodeReader) node(n Node, path string, depth int) Expr {
	at := r.place(path)
	switch {
	case r.full():
		return Expr{op: opFalse}
	case depth > maxDepth:
		r.add(at, "nested deeper than %d levels", maxDepth)
		return Expr{op: opFalse}
	case n.forms() != 1:
		r.add(at, "want one of all, any, not, advisory, const and field, not %d of them", n.forms())
		return Expr{op: opFalse}
	case n.Field == "" && (n.Op != "" || len(n.Values) > 0):
		r.add(at, "op and values belong to a field, and there is none")
		return Expr{op: opFalse}
	}
	switch {
	case n.All != nil:
		return r.list(opAll, n.All, under(path, "all"), depth)
	case n.Any != nil:
		return r.list(opAny, n.Any, under(path, "any"), depth)
	case n.Not != nil:
		return Expr{op: opNot, args: []Expr{r.node(*n.Not, under(path, "not"), depth+1)}}
	case n.Const != nil && *n.Const:
		return Expr{op: opTrue}
	case n.Const != nil:
		return Expr{op: opFalse}
	case n.Advisory != nil:
		if r.quantified {
			r.add(at, "advisory stands within advisory")
			return Expr{op: opFalse}
		}
		r.quantified = true
		arg := r.node(*n.Advisory, under(path, "advisory"), depth+1)
		r.quantified = false
		return Expr{op: opAdvisory, args: []Expr{arg}}
	}
	for o := opIs; o <= opHasNone; o++ {
		if o.String() == n.Op {
			var values []literal
			for i, v := range n.Values {
				values = append(values, literal{v, r.place(fmt.Sprintf("%s[%d]", under(path, "values"), i))})
			}
			opPath := under(path, "op")
			if n.Op == "" {
				opPath = path
			}
			return r.test(literal{n.Field, r.place(under(path, "field"))}, o, r.place(opPath), values)
		}
	}
	r.add(r.place(under(path, "op")), "there is no operator %q%s", clip(n.Op), didYouMean(n.Op, tests()[1:]))
	return Expr{op: opFalse}
}

func (r *nodeReader) list(o op, args []Node, path string, depth int) Expr {
	if len(args) == 0 {
		r.add(r.place(path), "an empty list")
	}
	var all []Expr
	for i, a := range args {
		all = append(all, r.node(a, fmt.Sprintf("%s[%d]", path, i), depth+1))
	}
	if len(all) == 0 {
		return Expr{op: opFalse}
	}
	return join(o, all)
}

func under(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// MarshalJSON implements [json.Marshaler] with the text form. For the structured form marshal [Expr.Node].
func (e Expr) MarshalJSON() ([]byte, error) { return json.Marshal(e.String()) }
