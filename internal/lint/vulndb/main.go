// Vulndb makes a vulnerability database for govulncheck from entries in the OSV format, one JSON value after another,
// compressed with gzip. It is for machines that cannot reach the public database:
//
//	go run ./internal/lint/vulndb Go.jsonl.gz folder
//	govulncheck -db=file:///path/of/folder ./...
//
// The folder follows version 1 of the database's layout (go.dev/security/vuln/database): index/db.json,
// index/modules.json, index/vulns.json, and ID/GO-2024-2963.json for each entry.
package main

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: vulndb entries.jsonl.gz folder")
		os.Exit(2)
	}
	n, err := build(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "vulndb:", err)
		os.Exit(1)
	}
	fmt.Println(n, "entries")
}

// An entry is as much of an OSV entry as the indexes need.
type entry struct {
	ID       string    `json:"id"`
	Modified time.Time `json:"modified"`
	Aliases  []string  `json:"aliases"`
	Affected []struct {
		Package struct {
			Name string `json:"name"`
		} `json:"package"`
	} `json:"affected"`
}

// A vuln is a row of index/vulns.json. The rows within index/modules.json have no aliases; they may also tell the version
// with the last fix, which is left out here: without it, govulncheck reads the entry.
type vuln struct {
	ID       string    `json:"id"`
	Modified time.Time `json:"modified"`
	Aliases  []string  `json:"aliases,omitempty"`
}

type module struct {
	Path  string `json:"path"`
	Vulns []vuln `json:"vulns"`
}

// Build reads entries from a file, writes a database to dir, and returns how many entries there are. None are an error.
func build(file, dir string) (n int, err error) {
	in, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	unzipped, err := gzip.NewReader(in)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	for _, sub := range []string{"ID", "index"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return 0, err
		}
	}
	var vulns []vuln
	modules := make(map[string]*module)
	var modified time.Time
	valid := regexp.MustCompile(`^GO-[0-9]{4}-[0-9]+$`)
	for values := json.NewDecoder(unzipped); ; n++ {
		var raw json.RawMessage
		if err := values.Decode(&raw); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return 0, fmt.Errorf("%s: entry %d: %w", file, n+1, err)
		}
		var e entry
		if err := json.Unmarshal(raw, &e); err != nil {
			return 0, fmt.Errorf("%s: entry %d: %w", file, n+1, err)
		}
		if !valid.MatchString(e.ID) {
			return 0, fmt.Errorf("%s: entry %d: %q is no ID of the Go vulnerability database", file, n+1, e.ID)
		}
		if err := os.WriteFile(filepath.Join(dir, "ID", e.ID+".json"), raw, 0o644); err != nil {
			return 0, err
		}
		vulns = append(vulns, vuln{e.ID, e.Modified, e.Aliases})
		if e.Modified.After(modified) {
			modified = e.Modified
		}
		for _, a := range e.Affected {
			m := modules[a.Package.Name]
			if m == nil {
				m = &module{Path: a.Package.Name}
				modules[m.Path] = m
			}
			if !slices.ContainsFunc(m.Vulns, func(v vuln) bool { return v.ID == e.ID }) {
				m.Vulns = append(m.Vulns, vuln{ID: e.ID, Modified: e.Modified})
			}
		}
	}
	if n == 0 {
		return 0, fmt.Errorf("%s: no entries", file)
	}
	var byPath []*module
	for _, m := range modules {
		byPath = append(byPath, m)
	}
	slices.SortFunc(byPath, func(a, b *module) int { return cmp.Compare(a.Path, b.Path) })
	for name, index := range map[string]any{
		"db.json":      map[string]time.Time{"modified": modified},
		"modules.json": byPath,
		"vulns.json":   vulns,
	} {
		text, err := json.Marshal(index)
		if err != nil {
			return 0, err
		}
		if err := os.WriteFile(filepath.Join(dir, "index", name), text, 0o644); err != nil {
			return 0, err
		}
	}
	return n, nil
}
