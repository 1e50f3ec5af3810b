// Package need says what a test needs of the machine. Where that is missing the test is skipped by name; in CI, which can
// install it, the test fails instead: a suite that skips itself proves nothing. CI says so by setting CI=true.
//
// Only tests import this package.
package need

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Tool returns the path of the program called name.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, "the program "+name)
	}
	return path
}

// Root needs the rights of the superuser.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "the rights of root")
	}
}

// Shared returns the folder of facts too large for this repository: elem below the folder that PATCHFLOW_SHARED names.
// Not to have that folder is no fault, in CI neither; to name one that does not hold elem is.
func Shared(t testing.TB, elem ...string) string {
	t.Helper()
	top := os.Getenv("PATCHFLOW_SHARED")
	if top == "" {
		t.Skip("this test needs PATCHFLOW_SHARED, the folder of facts too large for this repository")
	}
	path := filepath.Join(append([]string{top}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		missing(t, path+", which PATCHFLOW_SHARED promises")
	}
	return path
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("this test needs %s, and CI must have it", what)
	}
	t.Skipf("this test needs %s", what)
}
