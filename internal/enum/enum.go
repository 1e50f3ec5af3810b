// Package enum gives the small enumerations of patchflow their names: in text, in JSON and in YAML. An enumeration is a
// list of names whose index is its value; the first name is that of the zero value.
package enum

import (
	"fmt"
	"slices"
	"strings"
)

// Names holds the names of one enumeration, by value.
type Names []string

// String returns the name of v, or "what(v)" for a value that has none.
func (n Names) String(what string, v int) string {
	if v < 0 || v >= len(n) {
		return fmt.Sprintf("%s(%d)", what, v)
	}
	return n[v]
}

// Text returns the name of v for MarshalText. A value without a name is an error: it could not be read back.
func (n Names) Text(what string, v int) ([]byte, error) {
	if v < 0 || v >= len(n) {
		return nil, fmt.Errorf("%s %d has no name", what, v)
	}
	return []byte(n[v]), nil
}

// Parse returns the value called text. The error lists the names that there are.
func (n Names) Parse(what string, text []byte) (int, error) {
	if i := slices.Index(n, string(text)); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("%q is no %s: want one of %s", text, what, strings.Join(n, ", "))
}
