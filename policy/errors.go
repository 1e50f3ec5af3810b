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
	b.WriteString(placeText(e.File, e.Line, e.Column))
	if e.Path != "" {
		b.WriteString(e.Path)
		b.WriteString(": ")
	}
	b.WriteString(e.Err.Error())
	return b.String()
}

// placeText says where something stands in a document, with a colon and a blank at the end; "" if that is not known.
func placeText(file string, line, column int) string {
	switch {
	case file != "" && line > 0 && column > 0:
		return fmt.Sprintf("%s:%d:%d: ", file, line, column)
	case file != "" && line > 0:
		return fmt.Sprintf("%s:%d: ", file, line)
	case file != "":
		return file + ": "
	case line > 0 && column > 0:
		return fmt.Sprintf("line %d, column %d: ", line, column)
	case line > 0:
		return fmt.Sprintf("line %d: ", line)
	}
	return ""
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
