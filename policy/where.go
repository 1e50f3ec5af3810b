package policy

import (
	"errors"
	"strings"

	"github.com/hashicorp/go-multierror"
	"go.yaml.in/yaml/v3"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/predicate"
)

// A Where is a condition of a [Match] in the language of package predicate: "cvss >= 7 and label.tier != gold". A document
// has it as text or in its structured form. It is compiled when it is made.
//
// What lets work go on asks whether the condition is known to hold: rules that approve or require approval, exceptions to
// freezes, deadlines, and holds. What keeps it back asks whether it is not known not to hold: rules that reject, hold or
// defer, and holds that fail closed. Writing "exists" before a field tells the two apart.
//
// The zero Where is no condition. A Where is immutable and safe for concurrent use. Compare two with Equal.
type Where struct{ ready *predicate.Predicate }

// WhereOf returns the condition e; the zero Where for the zero Expr.
func WhereOf(e predicate.Expr) Where {
	if e.IsZero() {
		return Where{}
	}
	return Where{predicate.Compile(e)}
}

// Expr returns the condition as an expression; the zero Expr for none.
func (w Where) Expr() predicate.Expr {
	if w.ready == nil {
		return predicate.Expr{}
	}
	return w.ready.Expr()
}

// IsZero says whether w is no condition.
func (w Where) IsZero() bool { return w.ready == nil }

// Equal says whether w and o are the same condition, written canonically.
func (w Where) Equal(o Where) bool { return w.Expr().Equal(o.Expr()) }

// String returns the canonical text form.
func (w Where) String() string { return w.Expr().String() }

// MarshalText implements [encoding.TextMarshaler].
func (w Where) MarshalText() ([]byte, error) { return w.Expr().MarshalText() }

// UnmarshalText implements [encoding.TextUnmarshaler]. The empty text is no condition. Errors are those of [predicate.Parse].
func (w *Where) UnmarshalText(text []byte) error {
	var e predicate.Expr
	if strings.TrimSpace(string(text)) != "" {
		if err := e.UnmarshalText(text); err != nil {
			return err
		}
	}
	*w = WhereOf(e)
	return nil
}

// UnmarshalJSON implements [encoding/json.Unmarshaler]. It reads both forms.
func (w *Where) UnmarshalJSON(data []byte) error {
	var e predicate.Expr
	if string(data) != `""` {
		if err := e.UnmarshalJSON(data); err != nil {
			return err
		}
	}
	*w = WhereOf(e)
	return nil
}

// holds says whether w lets f be matched: what is unknown does, or does not.
func (w Where) holds(f predicate.Facts, unknown bool) bool {
	if w.ready == nil {
		return true
	}
	switch w.ready.Eval(f) {
	case patch.Yes:
		return true
	case patch.No:
		return false
	}
	return unknown
}

// where fills a condition from either form.
func (r *nodeReader) where(n *yaml.Node, into *Where, owner, path string) {
	var e predicate.Expr
	err := e.UnmarshalYAML(n)
	if err == nil && e.IsZero() {
		err = errors.New("no value: leave the field out")
	}
	if err != nil {
		faults := []error{err}
		var several *multierror.Error
		if errors.As(err, &several) {
			faults = several.Errors
		}
		for _, f := range faults {
			at, why := *n, f
			where := path
			var placed *predicate.Error
			if errors.As(f, &placed) {
				why = placed.Err
				if placed.Line > 0 {
					at.Line, at.Column = placed.Line, placed.Column
				}
				if placed.Path != "" {
					where = path + "." + placed.Path
				}
			}
			r.fault(&at, owner, where, why)
		}
		return
	}
	*into = WhereOf(e)
}
