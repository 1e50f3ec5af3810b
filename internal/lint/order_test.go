package lint

import (
	"slices"
	"strings"
	"testing"
)

// Core lists the packages that everything else stands on. Each may import those before it.
func core() []string {
	return []string{"patch/version", "patch", "inventory", "policy/calendar", "policy/predicate", "policy/sequential", "policy", "rollout", "rollout/simulate"}
}

// Suites are the packages that tests of other modules import. They may use what tests use.
func suites() []string { return []string{"rollout/rollouttest", "providers/providertest"} }

// MayImport says whether the package in folder from may import the one in folder to. Internal packages are open to all;
// what they import counts as imported by whoever imports them, so that they are no way around.
func mayImport(from, to string) bool {
	switch {
	case within(to, "examples"):
		return within(from, "examples")
	case within(from, "examples"), within(from, "internal"), within(to, "internal"):
		return true
	case from == "":
		return false // the tour has no code
	}
	rank := slices.Index(core(), to)
	if i := slices.Index(core(), from); i >= 0 {
		return rank >= 0 && rank < i
	}
	switch {
	case within(from, "policy/compliance"), within(from, "policy/celpolicy"):
		return rank >= 0 && rank <= slices.Index(core(), "policy")
	case within(from, "rollout/runner"):
		return rank >= 0 || within(to, "rollout/runner")
	case within(from, "rollout/rollouttest"):
		return rank >= 0 || within(to, "rollout/rollouttest")
	case within(from, "providers"):
		return rank >= 0 || within(to, "providers")
	}
	return false
}

// MayRequire returns the modules of others that the root module requires, and the packages that may import them.
func mayRequire() map[string][]string {
	return map[string][]string{
		"github.com/hashicorp/go-multierror":   {"patch", "inventory", "policy", "rollout", "providers"},
		"github.com/hashicorp/go-version":      {"patch/version"},
		"go.yaml.in/yaml/v3":                   {"policy", "providers", "internal/jsonnode"},
		"golang.org/x/sync":                    {"rollout/runner", "providers"},
		"github.com/ulikunitz/xz":              {"internal/bounded", "internal/bookworm"},
		"github.com/klauspost/compress":        {"internal/bounded"},
		"github.com/pandatix/go-cvss":          {"providers/source"},
		"github.com/package-url/packageurl-go": {"providers/source"},
		"github.com/pierrec/lz4/v4":            {"internal/bounded"},
		"github.com/stretchr/testify":          suites(),
		"github.com/google/go-cmp":             suites(),
	}
}

// ForTests says whether an import belongs in tests only.
func forTests(imported string) bool {
	for _, p := range []string{"testing", "github.com/stretchr/testify", "github.com/google/go-cmp"} {
		if within(imported, p) {
			return true
		}
	}
	return false
}

// Order checks the imports of a package, and of the internal packages that it imports.
func order(t *tree, p *pkg) []problem {
	if p.name == "" {
		return nil
	}
	return t.follow(p, p, nil)
}

func (t *tree) follow(p, via *pkg, seen []string) (all []problem) {
	suffix := ""
	if via != p {
		suffix = " (through " + strings.Join(seen, ", ") + ")"
	}
	for _, f := range via.sources() {
		for _, spec := range f.Imports {
			imported := importPath(spec)
			to, our := ours(imported)
			switch {
			case our && !mayImport(p.dir, to):
				all = append(all, t.problem(spec, "%s imports %s%s", p.title(), (&pkg{dir: to}).title(), suffix))
			case our && within(to, "internal") && t.packages[to] != nil && p.public() && !slices.Contains(seen, to):
				all = append(all, t.follow(p, t.packages[to], append(slices.Clone(seen), to))...)
			case forTests(imported) && p.public() && !slices.Contains(suites(), p.dir):
				all = append(all, t.problem(spec, "%s imports %s, which is for tests%s", p.title(), imported, suffix))
			case via == p && !our && !standard(imported) && !mayUse(t, p, imported):
				all = append(all, t.problem(spec, "%s imports %s, which is not among the libraries that it may use", p.title(), imported))
			}
		}
	}
	return all
}

// MayUse says whether p may import a library of others. A nested module may import whatever it requires.
func mayUse(t *tree, p *pkg, imported string) bool {
	if t.module(p.dir) != "" {
		return true
	}
	if forTests(imported) && within(p.dir, "internal") {
		return true // a helper of tests, if no library imports it
	}
	for module, where := range mayRequire() {
		if within(imported, module) {
			return slices.ContainsFunc(where, func(folder string) bool { return within(p.dir, folder) })
		}
	}
	return false
}

// Module returns the folder of the module that dir belongs to.
func (t *tree) module(dir string) string {
	for dir != "" {
		if slices.Contains(t.names, dir+"/go.mod") {
			return dir
		}
		dir = dir[:max(strings.LastIndexByte(dir, '/'), 0)]
	}
	return ""
}

func TestOrderNotices(t *testing.T) {
	imports := func(pkg string, paths ...string) string {
		for i, p := range paths {
			paths[i] = "import _ \"" + p + "\"\n"
		}
		return "package " + pkg + "\n" + strings.Join(paths, "")
	}
	const root = rootModule + "/"
	notices(t, []bad{
		{"a package below that imports one above", map[string]string{
			"patch/a.go":  imports("patch", root+"inventory"),
			"policy/a.go": imports("policy", "fmt", root+"rollout"),
		}, []string{"patch/a.go:2: patch imports inventory", "policy/a.go:3: policy imports rollout"}},
		{"the runner and a provider that know each other", map[string]string{
			"rollout/runner/a.go":      imports("runner", root+"providers/memory"),
			"providers/memory/a.go":    imports("memory", root+"rollout/runner"),
			"providers/router.go":      imports("providers", root+"rollout", root+"providers/memory"),
			"rollout/runner/a_test.go": imports("runner_test", root+"providers/memory"),
		}, []string{"providers/memory/a.go:2: providers/memory imports rollout/runner", "rollout/runner/a.go:2: rollout/runner imports providers/memory"}},
		{"a library that imports an example", map[string]string{
			"providers/a.go":      imports("providers", root+"examples/fleet"),
			"internal/a/a.go":     imports("a", root+"examples/fleet"),
			"examples/fleet/a.go": imports("fleet", root+"rollout/runner", root+"providers"),
			"examples/other/a.go": imports("main", root+"examples/fleet"),
		}, []string{"internal/a imports examples/fleet", "providers imports examples/fleet"}},
		{"a way around through an internal package", map[string]string{
			"patch/a.go":      imports("patch", root+"internal/a"),
			"internal/a/a.go": imports("a", root+"internal/b"),
			"internal/b/b.go": imports("b", root+"rollout", "testing"),
		}, []string{
			"internal/b/b.go:2: patch imports rollout (through internal/a, internal/b)",
			"internal/b/b.go:3: patch imports testing, which is for tests (through internal/a, internal/b)",
		}},
		{"a tour with code", map[string]string{
			"doc.go": imports("patchflow", root+"patch"),
		}, []string{"patchflow imports patch"}},
		{"a package that has no place in the order", map[string]string{
			"patch/more/a.go": imports("more", root+"patch"),
		}, []string{"patch/more imports patch"}},
		{"test libraries in a library", map[string]string{
			"inventory/a.go":              imports("inventory", "testing", "github.com/stretchr/testify/require", "github.com/google/go-cmp/cmp"),
			"inventory/a_test.go":         imports("inventory", "testing", "github.com/stretchr/testify/require"),
			"rollout/rollouttest/a.go":    imports("rollouttest", "testing", "github.com/google/go-cmp/cmp"),
			"providers/providertest/a.go": imports("providertest", "testing", "github.com/stretchr/testify/require"),
			"internal/need/a.go":          imports("need", "testing", "github.com/stretchr/testify/require"),
		}, []string{"inventory imports testing,", "inventory imports github.com/stretchr", "inventory imports github.com/google"}},
		{"other people's libraries where they do not belong", map[string]string{
			"patch/a.go":           imports("patch", "go.yaml.in/yaml/v3", "github.com/hashicorp/go-multierror"),
			"policy/a.go":          imports("policy", "go.yaml.in/yaml/v3"),
			"rollout/a.go":         imports("rollout", "golang.org/x/sync/errgroup"),
			"rollout/runner/a.go":  imports("runner", "golang.org/x/sync/errgroup", "example.com/x"),
			"providers/db/go.mod":  "module " + root + "providers/db\n",
			"providers/db/a.go":    imports("db", "example.com/x", "testing"),
			"providers/db/in/a.go": imports("in", "example.com/x"),
		}, []string{
			"patch/a.go:2: patch imports go.yaml.in", "providers/db/a.go:3: providers/db imports testing,",
			"rollout imports golang.org/x/sync", "rollout/runner imports example.com/x",
		}},
	}, each(order))
}
