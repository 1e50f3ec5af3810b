package predicate_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/policy/predicate"
)

// The table of fields in the package's comment is made of the table in the code: go test -update writes it.
func TestDocumentationListsEveryField(t *testing.T) {
	var b strings.Builder
	width := 0
	for _, f := range predicate.Fields() {
		width = max(width, len(f.Name))
	}
	of := ""
	for _, f := range predicate.Fields() {
		if f.Of != of {
			of = f.Of
			fmt.Fprintf(&b, "//\n// Of the %s:\n//\n", of)
		}
		words := ""
		if len(f.Words) > 0 {
			words = ": " + strings.Join(f.Words, ", ")
		}
		fmt.Fprintf(&b, "//\t%-*s  %-7s  %s%s\n", width, f.Name, f.Kind, f.Doc, words)
	}
	source, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	const begin, end = "// # Fields\n", "package predicate\n"
	head, rest, ok := strings.Cut(string(source), begin)
	require.True(t, ok)
	table, _, ok := strings.Cut(rest, end)
	require.True(t, ok)
	if update {
		require.NoError(t, os.WriteFile("doc.go", []byte(head+begin+b.String()+end), 0o644))
		return
	}
	require.Equal(t, b.String(), table, "go test -update writes it anew")
}

var update bool

func init() { flag.BoolVar(&update, "update", false, "write golden files") }

func TestFieldsAreTheCallers(t *testing.T) {
	all := predicate.Fields()
	all[0].Name = "changed"
	require.NotEqual(t, "changed", predicate.Fields()[0].Name)
	i := slices.IndexFunc(all, func(f predicate.Field) bool { return f.Name == "severity" })
	require.Equal(t, predicate.Field{
		Name: "severity", Of: "patch", Kind: "level", Ops: []string{"exists", "=", "!=", "<", "<=", ">", ">=", "in"},
		Words: []string{"low", "moderate", "important", "critical"}, Doc: "how its publisher rates it",
	}, all[i])
}
