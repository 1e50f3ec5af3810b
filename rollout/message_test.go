package rollout

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every code of this package has an English text, and every message that is made of words in the source has the parameters that its text
// cannot do without.
func TestEveryCodeHasAnEnglishText(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	fset := token.NewFileSet()
	word := func(e ast.Expr) string {
		x, ok := e.(*ast.BasicLit)
		if !ok || x.Kind != token.STRING {
			return ""
		}
		s, err := strconv.Unquote(x.Value)
		require.NoError(t, err)
		return s
	}
	optional, parameter := regexp.MustCompile(`\[[^\]]*\]`), regexp.MustCompile(`\{([a-z]+)\}`)
	codes := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if name, ok := call.Fun.(*ast.Ident); !ok || name.Name != "message" || word(call.Args[0]) == "" {
				return true
			}
			code, at := word(call.Args[0]), fset.Position(call.Pos())
			text, ok := english(code)
			require.True(t, ok, "%s: %q has no text", at, code)
			codes++
			if call.Ellipsis.IsValid() {
				return true
			}
			given := make(map[string]bool)
			for i := 1; i < len(call.Args); i += 2 {
				name := word(call.Args[i])
				require.NotEmpty(t, name, "%s: %q: the name of a parameter", at, code)
				given[name] = true
			}
			for _, p := range parameter.FindAllStringSubmatch(optional.ReplaceAllString(text, ""), -1) {
				require.True(t, given[p[1]], "%s: %q is not given {%s}", at, code, p[1])
			}
			return true
		})
	}
	require.Greater(t, codes, 100)
}
