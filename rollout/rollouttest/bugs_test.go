package rollouttest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// openBugs are the numbers of the lines of testdata/bugs.tsv that nothing of this repository shows, in their order. Whoever
// adds one says so here.
func openBugs() []int { return []int{36, 37, 39} }

// TestBugsOfOthersAreShownNotToHappen reads testdata/bugs.tsv: forty bugs of engines that roll out patches or software, each with
// the stories and tests that show that it does not happen here.
func TestBugsOfOthersAreShownNotToHappen(t *testing.T) {
	data, err := os.ReadFile("testdata/bugs.tsv")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	require.Equal(t, "number\twhat goes wrong\tshown by", lines[0])
	tests := make(map[string]map[string]bool) // by folder
	shown := make(map[string]bool)
	last, open := 0, []int(nil)
	for i, line := range lines[1:] {
		cells := strings.Split(line, "\t")
		require.Len(t, cells, 3, "line %d", i+2)
		n, err := strconv.Atoi(cells[0])
		require.NoError(t, err, "line %d", i+2)
		require.True(t, n == last || n == last+1, "line %d: %d comes after %d", i+2, n, last)
		last = n
		require.NotEmpty(t, strings.TrimSpace(cells[1]), "line %d", i+2)
		require.False(t, shown[line], "line %d stands twice", i+2)
		shown[line] = true
		if reason, none := strings.CutPrefix(cells[2], "none"); none {
			require.Greater(t, len(strings.TrimPrefix(reason, ": ")), 20, "line %d gives no reason", i+2)
			open = append(open, n)
			continue
		}
		if strings.HasSuffix(cells[2], ".story") {
			require.Equal(t, filepath.Base(cells[2]), cells[2], "line %d", i+2)
			require.FileExists(t, filepath.Join("testdata", "stories", cells[2]), "line %d", i+2)
			continue
		}
		folder, name, ok := strings.Cut(cells[2], ".")
		require.True(t, ok, "line %d: %q is neither a story nor a test", i+2, cells[2])
		if tests[folder] == nil {
			tests[folder] = testsOf(t, filepath.Join("..", "..", filepath.FromSlash(folder)))
		}
		require.True(t, tests[folder][name], "line %d: there is no test %s in %s", i+2, name, folder)
	}
	require.Equal(t, 40, last)
	require.Equal(t, openBugs(), open)
}

// testsOf returns the names of the tests that the files in a folder declare.
func testsOf(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	require.NoError(t, err)
	require.NotEmpty(t, files, folder)
	names := make(map[string]bool)
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") && fn.Name.Name != "TestMain" {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}
