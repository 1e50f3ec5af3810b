// Package lifecycle tells until when operating systems get security updates: it reads the tables of endoflife.date and of
// Debian's distro-info-data, and carries a small one of its own.
//
// A table is dated. What was announced later, it does not know; what it does not name is unknown, never supported.
package lifecycle

import (
	"bufio"
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/patchflow/patchflow/internal/bounded"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/providers/source"
)

//go:embed table.json
var files embed.FS

// Table returns the releases of Debian, Ubuntu, RHEL, AlmaLinux, Rocky Linux, SLES, Fedora, Amazon Linux, Alpine, macOS,
// Windows and Windows Server (whose platforms are called "windows-server" here, as both share their build numbers), as
// endoflife.date had them on the day in AsOf. The caller may change what it gets.
func Table() inventory.Lifecycle {
	var l inventory.Lifecycle
	if text, err := files.ReadFile("table.json"); err != nil || json.Unmarshal(text, &l) != nil {
		return inventory.Lifecycle{} // cannot be: a test reads it
	}
	return l
}

// The bounds of a file, and of a line of it: the largest page of endoflife.date has 30 KiB.
const (
	maxTable = 1 << 20
	maxLine  = 64 << 10

	maxReleases = 10_000 // of a table
)

// ReadPage reads the releases of one product from the page that endoflife.date keeps of it, a Markdown file that begins with
// YAML between two lines of three hyphens. os is the name of its platform. A release whose name is no version and whose
// "latest" is a build of Windows ("10.0.26100") goes by that.
//
// An end that the page gives as false is open; one given as true is not known by its day, and unknown. An error names the
// release.
func ReadPage(r io.Reader, os string) ([]inventory.Release, error) {
	front, err := frontMatter(r)
	if err != nil {
		return nil, fmt.Errorf("lifecycle: %s: %w", os, err)
	}
	var page struct {
		Releases []struct {
			Cycle    string    `yaml:"releaseCycle"`
			Label    string    `yaml:"releaseLabel"`
			Codename string    `yaml:"codename"`
			Released yaml.Node `yaml:"releaseDate"`
			End      yaml.Node `yaml:"eol"`
			Extended yaml.Node `yaml:"eoes"`
			Latest   string    `yaml:"latest"`
		} `yaml:"releases"`
	}
	if err := yaml.Unmarshal(front, &page); err != nil {
		return nil, fmt.Errorf("lifecycle: %s: %w", os, err)
	}
	if len(page.Releases) == 0 {
		return nil, fmt.Errorf("lifecycle: %s: the page lists no releases", os)
	}
	var all []inventory.Release
	for _, x := range page.Releases {
		rel := inventory.Release{OS: os, Version: x.Cycle, Name: x.Codename}
		if rel.Name == "" && x.Label != "" && !strings.Contains(x.Label, "__") {
			rel.Name = x.Label
		}
		if strings.HasPrefix(os, "windows") && strings.Count(x.Latest, ".") >= 2 {
			rel.Version = x.Latest
			if rel.Name == "" {
				rel.Name = x.Cycle
			}
		}
		var open bool
		for _, f := range []struct {
			name string
			node *yaml.Node
			to   *time.Time
		}{{"releaseDate", &x.Released, &rel.Released}, {"eol", &x.End, &rel.Ends}, {"eoes", &x.Extended, &rel.Extended}} {
			switch {
			case f.node.IsZero(), f.node.Value == "true":
			case f.node.Value == "false":
				open = open || f.name == "eol"
			default:
				if *f.to, err = time.Parse(time.DateOnly, f.node.Value); err != nil {
					return nil, fmt.Errorf("lifecycle: %s: release %s: line %d: %s is %q, no day", os, x.Cycle, f.node.Line+1, f.name, f.node.Value)
				}
			}
		}
		rel.Open = open
		if rel.Version == "" {
			return nil, fmt.Errorf("lifecycle: %s: a release without a name", os)
		}
		all = append(all, rel)
	}
	return all, nil
}

// frontMatter returns what stands between the first two lines of three hyphens.
func frontMatter(r io.Reader) ([]byte, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	var front bytes.Buffer
	for n := 0; lines.Scan(); n++ {
		fence := strings.TrimRight(lines.Text(), " \r") == "---"
		switch {
		case n == 0 && !fence:
			return nil, errors.New("line 1 is not \"---\"")
		case n == 0:
		case fence:
			return front.Bytes(), nil
		default:
			front.Write(lines.Bytes())
			front.WriteByte('\n')
		}
		if front.Len() >= maxTable {
			return nil, fmt.Errorf("line %d: more than %d bytes: %w", n+1, maxTable, source.ErrTooLarge)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("a line of more than %d bytes: %w", maxLine, source.ErrTooLarge)
	case err != nil:
		return nil, err
	}
	return nil, io.ErrUnexpectedEOF
}

// ReadDistroInfo reads a table of the Debian package distro-info-data: debian.csv or ubuntu.csv. os is the name of its
// platform. Releases without a version ("sid") are left out. The longest support that the table names counts as extended:
// LTS and ELTS of Debian, ESM and legacy support of Ubuntu. An error names the line.
func ReadDistroInfo(r io.Reader, os string) ([]inventory.Release, error) {
	content, err := source.Limits{Bytes: maxTable}.Reader(r)
	if err != nil {
		return nil, fmt.Errorf("lifecycle: %s: %w", os, err)
	}
	in := bounded.NewCSV(content)
	head, _, bad, err := in.Read()
	if err == nil {
		err = bad
	}
	if err != nil {
		return nil, fmt.Errorf("lifecycle: %s: %w", os, err)
	}
	columns := map[string]int{}
	for i, name := range head {
		columns[name] = i
	}
	for _, name := range []string{"version", "codename", "release", "eol"} {
		if _, found := columns[name]; !found {
			return nil, fmt.Errorf("lifecycle: %s: line 1: there is no column %q", os, name)
		}
	}
	var all []inventory.Release
	for {
		record, line, bad, err := in.Read()
		switch {
		case err == io.EOF:
			return all, nil
		case err == nil && bad != nil:
			err = fmt.Errorf("line %d: %w", line, bad)
		}
		if err != nil {
			return nil, fmt.Errorf("lifecycle: %s: %w", os, err)
		}
		field := func(name string) string {
			if i, found := columns[name]; found && i < len(record) {
				return strings.TrimSpace(record[i])
			}
			return ""
		}
		day := func(name string) (at time.Time) {
			if text := field(name); text != "" && err == nil {
				if at, err = time.Parse(time.DateOnly, text); err != nil {
					err = fmt.Errorf("lifecycle: %s: line %d: %s is %q, no day", os, line, name, text)
				}
			}
			return at
		}
		version, _, _ := strings.Cut(field("version"), " ") // "22.04 LTS"
		rel := inventory.Release{OS: os, Version: version, Name: field("codename"), Released: day("release"), Ends: day("eol")}
		for _, name := range []string{"eol-lts", "eol-elts", "eol-esm", "eol-legacy"} {
			if at := day(name); at.After(rel.Extended) {
				rel.Extended = at
			}
		}
		if server := day("eol-server"); server.After(rel.Extended) && server.After(rel.Ends) {
			rel.Extended = server
		}
		if err != nil {
			return nil, err
		}
		if len(all) >= maxReleases {
			return nil, fmt.Errorf("lifecycle: %s: line %d: more than %d releases: %w", os, line, maxReleases, source.ErrTooLarge)
		}
		if version != "" {
			all = append(all, rel)
		}
	}
}
