package predicate

import (
	"strings"
)

// A Field is something that an expression can ask about.
type Field struct {
	Name  string   // as it is written; "label.KEY" stands for one field for each key
	Of    string   // what it belongs to: patch, advisory, device or finding
	Kind  string   // what its values are: text, list, word, level, truth, number, size, age, tenant, release or version
	Ops   []string // the operators that it takes, "exists" and, for a truth, "" among them
	Words []string // of a word or level: its values, the least first
	Doc   string   // one line for people
}

// Fields returns all fields, in the order of the package's documentation. The caller may keep and change the result.
func Fields() []Field {
	all := table()
	out := make([]Field, len(all))
	for i := range all {
		f := &all[i]
		out[i] = Field{f.name, f.of.String(), f.kind.String(), f.kind.operators(), f.allWords(), f.doc}
	}
	return out
}

// A scope is what a field belongs to.
type scope uint8

const (
	ofPatch scope = iota
	ofAdvisory
	ofDevice
	ofFinding
)

func (s scope) String() string { return [...]string{"patch", "advisory", "device", "finding"}[s] }

// A kind says what the values of a field are.
type kind uint8

const (
	kindText kind = iota
	kindList
	kindWord
	kindLevel
	kindTruth
	kindNumber
	kindSize
	kindAge
	kindTenant
	kindRelease
	kindVersion
)

func (k kind) String() string {
	return [...]string{
		"text", "list", "word", "level", "truth", "number", "size", "age", "tenant", "release", "version",
	}[k]
}

// An op is what a node does.
type op uint8

const (
	opNone op = iota // the zero Expr
	opAll
	opAny
	opNot
	opAdvisory
	opTrue
	opFalse
	opIs // a truth by itself; what follows needs a field too
	opExists
	opEqual
	opUnequal
	opLess
	opAtMost
	opMore
	opAtLeast
	opIn
	opPrefix
	opGlob
	opHasAny
	opHasAll
	opHasNone
)

// String returns how an operator of a field is written.
func (o op) String() string {
	if o < opIs {
		return ""
	}
	return tests()[o-opIs]
}

// tests returns the operators of fields from opIs on.
func tests() []string {
	return []string{
		"", "exists", "=", "!=", "<", "<=", ">", ">=", "in", "prefix", "glob", "has any of", "has all of", "has none of",
	}
}

// many says whether an operator takes more values than one.
func (o op) many() bool { return o >= opIn }

// takes says whether fields of kind k have the operator o.
func (k kind) takes(o op) bool {
	switch k {
	case kindTruth:
		return o == opIs || o == opExists
	case kindText:
		return o == opExists || o == opEqual || o == opUnequal || o == opIn || o == opPrefix || o == opGlob
	case kindTenant:
		return o == opExists || o == opEqual || o == opUnequal || o == opIn || o == opGlob
	case kindWord:
		return o == opExists || o == opEqual || o == opUnequal || o == opIn
	case kindLevel, kindRelease:
		return o >= opExists && o <= opIn
	case kindNumber, kindSize:
		return o >= opExists && o <= opAtLeast
	case kindAge:
		return o == opExists || o >= opLess && o <= opAtLeast
	case kindVersion:
		return o == opExists || o == opEqual || o >= opLess && o <= opAtLeast
	default:
		return o == opExists || o == opEqual || o >= opIn
	}
}

func (k kind) operators() (all []string) {
	for o := opIs; o <= opHasNone; o++ {
		if k.takes(o) {
			all = append(all, o.String())
		}
	}
	return all
}

// A dictionary finds fields by name. Making one costs as much as a small expression, so each task makes one for itself.
type dictionary struct {
	patch, device []field // as in the table
}

func newDictionary() *dictionary { return &dictionary{patchFields(), deviceFields()} }

// find returns the field called name, and for a label its key.
func (d *dictionary) find(name string) (f field, key string, ok bool) {
	all := d.patch
	if k, isLabel := strings.CutPrefix(name, "label."); isLabel && k != "" {
		name, key, all = "label.KEY", k, d.device
	} else if strings.HasPrefix(name, "device.") || strings.HasPrefix(name, "finding.") {
		all = d.device
	}
	for i := range all {
		if all[i].name == name {
			return all[i], key, true
		}
	}
	return field{}, "", false
}

// allWords returns the words of f's values in order, without the one for unknown.
func (f *field) allWords() (all []string) {
	if f.word == nil {
		return nil
	}
	for i := 1; ; i++ {
		w := f.word(i)
		if strings.HasSuffix(w, ")") { // beyond the last
			return all
		}
		all = append(all, w)
	}
}
