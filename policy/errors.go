package policy

import (
	"fmt"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// A FieldError is one fault of a policy: what is wrong with which field, and where that stands in the document if the
// policy came from one. [Decode] and [Policy.Validate] return one of these, or a [multierror.Error] of several, in the
// order of the document.
type FieldError struct {
	File   string // the name that [Decode] was given; "" if there is none
	Line   int    // from 1; 0 if not known
	Column int    // from 1, in characters; 0 if not known
	Path   string // "rings[1].gate.soak"; "" for the whole document
	Err    error  // what is wrong
}

// Error implements error.
func (e *FieldError) Error() string {
	var b strings.Builder
	b.WriteString("policy: ")
	switch {
	case e.File != "" && e.Line > 0 && e.Column > 0:
		fmt.Fprintf(&b, "%s:%d:%d: ", e.File, e.Line, e.Column)
	case e.File != "" && e.Line > 0:
		fmt.Fprintf(&b, "%s:%d: ", e.File, e.Line)
	case e.File != "":
		fmt.Fprintf(&b, "%s: ", e.File)
	case e.Line > 0 && e.Column > 0:
		fmt.Fprintf(&b, "line %d, column %d: ", e.Line, e.Column)
	case e.Line > 0:
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	if e.Path != "" {
		b.WriteString(e.Path)
		b.WriteString(": ")
	}
	b.WriteString(e.Err.Error())
	return b.String()
}

// Unwrap returns what is wrong, without the place.
func (e *FieldError) Unwrap() error { return e.Err }

// gather makes one error of all faults, and nil of none.
func gather(faults []*FieldError) error {
	if len(faults) == 1 {
		return faults[0]
	}
	all := &multierror.Error{ErrorFormat: lines}
	for _, f := range faults {
		all.Errors = append(all.Errors, f)
	}
	return all.ErrorOrNil()
}

func lines(errs []error) string {
	text := make([]string, len(errs))
	for i, err := range errs {
		text[i] = err.Error()
	}
	return strings.Join(text, "\n")
}
