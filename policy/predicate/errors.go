package predicate

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/internal/nearest"
)

// maxFaults bounds how many faults are reported of one expression.
const maxFaults = 20

// An Error is one fault of an expression and where it stands. [Parse] and the other readers return one of these, or a
// [multierror.Error] of several, in the order in which they stand.
type Error struct {
	Offset int    // in bytes, from 0, into the text form; 0 in a structured form
	Line   int    // from 1; 0 if not known
	Column int    // from 1, in characters; 0 if not known
	Path   string // in a structured form: "all[1].not"; "" for the whole and for a text
	Err    error  // what is wrong
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("predicate: ")
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", e.Line, e.Column)
	}
	if e.Path != "" {
		b.WriteString(e.Path)
		b.WriteString(": ")
	}
	b.WriteString(e.Err.Error())
	return b.String()
}

// Unwrap returns what is wrong, without the place.
func (e *Error) Unwrap() error { return e.Err }

// A place is where something stands in what is read: a text, or a structured form.
type place struct {
	offset, line, column int
	path                 string
}

// faults gathers what is wrong.
type faults struct {
	all  []*Error
	more bool // there are others
}

func (f *faults) add(at place, format string, args ...any) {
	if len(f.all) == maxFaults {
		f.more = true
		return
	}
	f.all = append(f.all, &Error{at.offset, at.line, at.column, at.path, fmt.Errorf(format, args...)})
}

// full says whether enough is wrong to stop.
func (f *faults) full() bool { return f.more }

// err makes one error of all faults, and nil of none.
func (f *faults) err() error {
	if len(f.all) == 1 {
		return f.all[0]
	}
	all := &multierror.Error{ErrorFormat: lines}
	for _, e := range f.all {
		all.Errors = append(all.Errors, e)
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

// clip shortens text for an error.
func clip(text string) string {
	const most = 40
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "..."
}

// didYouMean returns the end of an error about a word that there is not: the one that may be meant, or nothing.
func didYouMean(word string, known []string) string {
	best := nearest.Word(word, known)
	if best == "" {
		var all []string
		for _, k := range known { // "os" for device.os, "packages" for package
			if s := strings.ToLower(word); strings.HasSuffix(k, "."+s) || s == k+"s" {
				all = append(all, k)
			}
		}
		best = strings.Join(all, " or ")
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}
