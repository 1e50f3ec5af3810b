package policy

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"text/tabwriter"
)

// String returns e for people: a line for each field with its value, the layer that it is from, and the layer that has locked
// it; then what locks kept out. Fields that no layer sets are left out.
func (e *Effective) String() string {
	var b strings.Builder
	from := "no layer: nothing is installed"
	if len(e.Layers) > 0 {
		from = strings.Join(e.Layers, " > ")
	}
	fmt.Fprintf(&b, "policy %q, from %s\n", e.Policy.Name, from)
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, o := range e.Origins {
		if o.Layer == "" && o.Lock == "" {
			continue
		}
		text := "default"
		if o.Layer != "" {
			text = "from " + o.Layer
		}
		if o.Lock != "" {
			text += ", locked by " + o.Lock
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\n", o.Field, o.Value, text)
	}
	_ = table.Flush() // to a strings.Builder, which takes everything
	for _, r := range e.Refused {
		fmt.Fprintf(&b, "refused %s\n", r)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// textOf returns the value of a field for people.
func textOf(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case []Ring:
		names := make([]string, len(x))
		for i := range x {
			names[i] = x[i].Name
		}
		return orNone(names)
	case []Window:
		names := make([]string, len(x))
		for i := range x {
			names[i] = x[i].String()
		}
		return orNone(names)
	case []Metric:
		names := make([]string, len(x))
		for i := range x {
			names[i] = x[i].String()
		}
		return orNone(names)
	case []Remedy:
		names := make([]string, len(x))
		for i := range x {
			names[i] = x[i].String()
		}
		return orNone(names)
	case Need:
		return needText(x)
	case fmt.Stringer:
		return x.String()
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		if err != nil {
			return err.Error()
		}
		return string(text)
	}
	if v.Kind() == reflect.Slice && v.Len() == 0 {
		return "none"
	}
	return fmt.Sprint(v.Interface())
}

func needText(n Need) string {
	if n.IsZero() {
		return "nobody's"
	}
	text := fmt.Sprintf("%d of anybody", max(n.Quorum, 1))
	if len(n.Approvers) > 0 {
		text = fmt.Sprintf("%d of %s", max(n.Quorum, 1), strings.Join(n.Approvers, ", "))
	}
	if n.Valid > 0 {
		text += ", within " + n.Valid.String()
	}
	if n.ByRule {
		text += ", or a rule"
	}
	if n.Emergency {
		text += ", one in an emergency"
	}
	if b := n.Bypass.String(); b != "" {
		text += ", who may bypass " + b
	}
	return text
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, "; ")
}

// itemText returns an item of a list for people.
func itemText[T any](item *T, identity func(*T) *string) string {
	name := *identity(item)
	switch x := any(item).(type) {
	case *Rule:
		text := x.Verdict.String()
		if x.Verdict == Defer {
			text += " " + x.For.String()
			if x.From != SinceReleased {
				text += " from " + x.From.String()
			}
		}
		return fmt.Sprintf("%s %q", text, name)
	case *Freeze:
		return x.String()
	case *Exception:
		return fmt.Sprintf("%q, until %s", name, clock(x.end()))
	}
	return fmt.Sprintf("%q", name)
}
