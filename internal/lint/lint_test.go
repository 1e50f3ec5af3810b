package lint

import (
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Root is the root of the repository, seen from this folder.
const root = "../.."

func read(t *testing.T) *tree {
	t.Helper()
	tr, err := load(os.DirFS(root))
	require.NoError(t, err)
	require.Contains(t, tr.packages, "rollout", "this is not the root of the repository")
	return tr
}

func report(t *testing.T, all []problem) {
	t.Helper()
	for _, p := range all {
		t.Error(p)
	}
}

func TestPackages(t *testing.T) {
	tr := read(t)
	var engine []string
	for _, p := range tr.sorted() {
		if pure(p) {
			engine = append(engine, "./"+p.dir)
		}
	}
	imp := newImporter(t, engine...)
	for _, p := range tr.sorted() {
		t.Run(p.title(), func(t *testing.T) {
			t.Run("imports run one way", func(t *testing.T) { report(t, order(tr, p)) })
			t.Run("keeps no state of its own", func(t *testing.T) { report(t, state(tr, p)) })
			t.Run("is documented", func(t *testing.T) { report(t, comments(tr, p)) })
			t.Run("has files of one noun", func(t *testing.T) { report(t, length(tr, p)) })
			t.Run("does not sleep", func(t *testing.T) { report(t, sleeps(tr, p)) })
			if pure(p) {
				t.Run("is pure", func(t *testing.T) { report(t, purity(tr, p, imp)) })
			}
		})
	}
}

// Names that stand in a list of this package must exist, or the list says nothing.
func TestLists(t *testing.T) {
	tr := read(t)
	for _, name := range append(contexts(), "policy/zone.go") {
		require.Contains(t, tr.names, name)
	}
	for _, dir := range core() {
		require.True(t, pure(tr.packages[dir]), "%s is pure", dir)
	}
	functions := make(map[string]bool)
	for _, f := range tr.packages["rollout"].sources() {
		for _, decl := range f.Decls {
			functions[functionName(decl)] = true
		}
	}
	for name, reason := range orderFree() {
		require.True(t, functions[name], "rollout has no function %s", name)
		require.NotEmpty(t, reason)
	}
}

// What is tracked, or would be, holds nothing of the machine that it was written on.
func TestText(t *testing.T) {
	tr := read(t)
	names := slices.Clone(tr.names)
	if out, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output(); err == nil {
		tracked := strings.Split(string(out), "\x00")
		slices.Sort(tracked)
		names = slices.DeleteFunc(names, func(name string) bool {
			_, found := slices.BinarySearch(tracked, name)
			return !found
		})
	}
	require.Contains(t, names, "go.mod")
	byFolder := make(map[string][]string)
	for _, name := range names {
		top, _, _ := strings.Cut(path.Clean(name), "/")
		byFolder[top] = append(byFolder[top], name)
	}
	for top, names := range byFolder {
		t.Run(top, func(t *testing.T) {
			all, err := text(tr.fsys, names)
			require.NoError(t, err)
			report(t, all)
		})
	}
}
