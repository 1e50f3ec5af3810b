package predicate

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An Expr is a predicate: a tree of comparisons and what joins them, as the package's comment describes it. It is well
// typed, since [Parse], [Node.Expr] and the decoders make no other.
//
// The zero Expr, written "", holds for nothing. An Expr is an immutable value, safe for concurrent use. To evaluate one,
// [Compile] it.
type Expr struct {
	op     op
	field  string  // as written
	of     scope   // of the field
	kind   kind    // of the field
	values []value // of a comparison, as they stand
	args   []Expr  // of all, any, not and advisory
}

// A value is what a field is compared with.
type value struct {
	text string  // canonical
	num  float64 // of a number, a size, a word or a level
	span int64   // of an age, in nanoseconds
}

// maxDepth bounds how deep expressions are nested, and maxText how long their text is, in bytes. The text leaves room for
// a list of a few thousand devices.
const (
	maxDepth = 64
	maxText  = 1 << 17
)

// IsZero says whether e is the zero Expr.
func (e Expr) IsZero() bool { return e.op == opNone }

// Equal says whether e and o are written the same in their canonical form.
func (e Expr) Equal(o Expr) bool {
	return e.op == o.op && e.field == o.field && slices.Equal(e.values, o.values) && slices.EqualFunc(e.args, o.args, Expr.Equal)
}

// String returns the canonical text form, which [Parse] reads back to an equal Expr.
func (e Expr) String() string {
	var b strings.Builder
	e.write(&b, 0)
	return b.String()
}

// MarshalText implements [encoding.TextMarshaler] with the canonical form.
func (e Expr) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. See [Parse].
func (e *Expr) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*e = parsed
	return nil
}

// depth returns how many expressions are nested in each other.
func (e Expr) depth() int {
	deepest := 0
	for _, a := range e.args {
		deepest = max(deepest, a.depth())
	}
	return deepest + 1
}

// join makes one expression of several that all or any joins. What is joined the same way is spliced in.
func join(o op, args []Expr) Expr {
	if len(args) == 1 {
		return args[0]
	}
	joined := Expr{op: o}
	for _, a := range args {
		if a.op == o {
			joined.args = append(joined.args, a.args...)
		} else {
			joined.args = append(joined.args, a)
		}
	}
	return joined
}

// write writes e so that it can stand where operators of the given strength bind it: 0 any, 1 and, 2 not.
func (e Expr) write(b *strings.Builder, bound int) {
	switch e.op {
	case opNone:
	case opAll, opAny:
		word, strength := " or ", 0
		if e.op == opAll {
			word, strength = " and ", 1
		}
		if bound > strength {
			b.WriteByte('(')
			defer b.WriteByte(')')
		}
		for i, a := range e.args {
			if i > 0 {
				b.WriteString(word)
			}
			a.write(b, strength+1)
		}
	case opNot:
		b.WriteString("not ")
		e.args[0].write(b, 2)
	case opAdvisory:
		b.WriteString("any advisory (")
		e.args[0].write(b, 0)
		b.WriteByte(')')
	case opTrue:
		b.WriteString("true")
	case opFalse:
		b.WriteString("false")
	case opIs:
		writeField(b, e.field)
	case opExists:
		b.WriteString("exists ")
		writeField(b, e.field)
	default:
		writeField(b, e.field)
		b.WriteByte(' ')
		b.WriteString(e.op.String())
		b.WriteByte(' ')
		e.writeValues(b)
	}
}

// writeValues writes one value as it is, unless its operator wants a list.
func (e Expr) writeValues(b *strings.Builder) {
	if len(e.values) == 1 && !e.op.listed() {
		writeWord(b, e.values[0].text)
		return
	}
	b.WriteByte('(')
	for i, v := range e.values {
		if i > 0 {
			b.WriteString(", ")
		}
		writeWord(b, v.text)
	}
	b.WriteByte(')')
}

// listed says whether an operator takes its values in brackets even if there is one.
func (o op) listed() bool { return o == opIn || o >= opHasAny }

func writeField(b *strings.Builder, name string) {
	if key, ok := strings.CutPrefix(name, "label."); ok {
		b.WriteString("label.")
		name = key
		if isBare(name) { // a keyword too: it is one word with what stands before it
			b.WriteString(name)
			return
		}
	}
	writeWord(b, name)
}

func writeWord(b *strings.Builder, word string) {
	if isBare(word) && !isKeyword(word) {
		b.WriteString(word)
		return
	}
	b.WriteByte('"')
	for _, r := range word {
		if r == '"' || r == '\\' {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
}

func isBare(word string) bool {
	return word != "" && strings.IndexFunc(word, func(r rune) bool { return !isWord(r) }) < 0
}

func isWord(r rune) bool {
	switch r {
	case '-', '_', '.', '/', ':', '@', '+', '~':
		return true
	case utf8.RuneError:
		return false
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

// isKeyword says whether a bare word is part of the language, and so neither a field nor a value.
func isKeyword(word string) bool {
	switch word {
	case "and", "or", "not", "in", "prefix", "glob", "has", "exists":
		return true
	}
	return false
}
