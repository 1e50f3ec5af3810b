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

// TestBugsOfOthersAreShownNotToHappen reads testdata/bugs.tsv: forty bugs of engines that roll out patches or software, each with
// the stories and tests that show that it does not happen here.
func TestBugsOfOthersAreShownNotToHappen(t *testing.T) {
	checkShown(t, "testdata/bugs.tsv", "what goes wrong", 40)
}

// TestRulesAreShownToHold reads testdata/rules.tsv: the seventeen rules that every version keeps, each in its parts, with the stories and
// tests that show that it does.
func TestRulesAreShownToHold(t *testing.T) {
	checkShown(t, "testdata/rules.tsv", "what holds", 17)
}

// checkShown checks a table of what is numbered from 1 to last, with a story or a test for each of its lines: all of these exist, and each
// story is one that [TestStories] runs.
func checkShown(t *testing.T, file, what string, last int) {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	require.Equal(t, "number\t"+what+"\tshown by", lines[0])
	tests := make(map[string]map[string]bool) // by folder
	shown := make(map[string]bool)
	number := 0
	for i, line := range lines[1:] {
		cells := strings.Split(line, "\t")
		require.Len(t, cells, 3, "line %d", i+2)
		n, err := strconv.Atoi(cells[0])
		require.NoError(t, err, "line %d", i+2)
		require.True(t, n == number || n == number+1, "line %d: %d comes after %d", i+2, n, number)
		number = n
		require.NotEmpty(t, strings.TrimSpace(cells[1]), "line %d", i+2)
		require.False(t, shown[line], "line %d stands twice", i+2)
		shown[line] = true
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
	require.Equal(t, last, number)
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
