package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	only := flag.String("run", "", "plant only the faults whose names match this")
	list := flag.Bool("list", false, "print the faults and plant none")
	flag.Parse()
	ok, err := run(*only, *list)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

func run(only string, list bool) (bool, error) {
	match, err := regexp.Compile(only)
	if err != nil {
		return false, err
	}
	top, err := root()
	if err != nil {
		return false, err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	noticed, planted := 0, 0
	for _, f := range faults() {
		if !match.MatchString(f.Name) {
			continue
		}
		planted++
		if list {
			fmt.Fprintf(table, "%s\t%s\n", f.Name, f.File)
			continue
		}
		begin := time.Now()
		by, err := plant(top, f)
		if err != nil {
			return false, fmt.Errorf("mutants: %s: %w", f.Name, err)
		}
		if by != "" {
			noticed++
		} else {
			by = "NOBODY"
		}
		fmt.Fprintf(os.Stderr, "%s: %s (%d s)\n", f.Name, by, int(time.Since(begin).Seconds()))
		fmt.Fprintf(table, "%s\t%s\t%s\n", f.Name, f.File, by)
	}
	if err := table.Flush(); err != nil {
		return false, err
	}
	if list {
		return true, nil
	}
	fmt.Printf("%d faults planted, %d noticed\n", planted, noticed)
	return noticed == planted, nil
}

// Root returns the folder of the module.
func root() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/patchflow/patchflow").Output()
	if err != nil {
		return "", fmt.Errorf("mutants: go list: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Plant runs tests with a fault in place, and returns the name of the first test that failed, or "".
func plant(top string, f fault) (string, error) {
	file := filepath.Join(top, f.File)
	source, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	changed, err := f.apply(source)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	other, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	entries, err := json.Marshal(map[string]any{"Replace": map[string]string{file: other}})
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.WriteFile(other, changed, 0o600), os.WriteFile(overlay, entries, 0o600)); err != nil {
		return "", err
	}
	for _, pkg := range f.Tests {
		cmd := exec.Command("go", "test", "-overlay", overlay, "-short", "-failfast", "-vet=off", "-count=1", pkg)
		cmd.Dir = top
		out, err := cmd.CombinedOutput()
		switch failed := (*exec.ExitError)(nil); {
		case err == nil:
			continue
		case !errors.As(err, &failed):
			return "", err
		case bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out, []byte("[setup failed]")):
			return "", fmt.Errorf("does not compile: %s", out)
		}
		return strings.TrimPrefix(pkg, "./") + " " + failing(out), nil
	}
	return "", nil
}

// Failing returns the innermost test that the output of a failed run names first.
func failing(out []byte) string {
	name := "(no test named: it crashed, or took too long)"
	depth := -1
	for line := range strings.Lines(string(out)) {
		trimmed := strings.TrimLeft(line, " ")
		rest, ok := strings.CutPrefix(trimmed, "--- FAIL: ")
		if !ok {
			continue
		}
		at := len(line) - len(trimmed)
		if at <= depth {
			break
		}
		depth = at
		name, _, _ = strings.Cut(strings.TrimSpace(rest), " ")
	}
	return name
}
