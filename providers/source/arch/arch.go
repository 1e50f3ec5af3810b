// Package arch makes patches out of the issues of Arch Linux's security tracker: its groups (AVG), each of which is about
// some CVEs in some packages.
//
// One patch is one group: "arch:AVG-2781". It has an advisory for each that the tracker lists (ASA), or for the group itself.
// Which packages need it follows from its status and its fixed version: a group that is not affected declares its
// packages to be free of its CVEs and replaces nothing; one without a fixed version is a hole without a fix; any other brings
// its packages to the fixed version. A group of which the tracker does not know yet (status "Unknown") is taken as affected.
// The version that a group names as affected is the one that was looked at, not the first with the hole: all older ones are
// taken to need the patch, and it is kept as it stands in the field "affected".
//
// The package reads the JSON of all issues, plain or compressed: an array of groups, or groups one after the other. It fetches nothing.
//
// The tracker does not say when anything was, whether a restart is needed, nor in which repository a fix is: one whose status is
// "Testing" may not be on offer yet.
package arch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
)

// Ecosystem is what the packages of Arch Linux are called. OSV has no name for them.
const Ecosystem = "Arch"

// Config says what a [Source] reads. Open is required.
type Config struct {
	Name   string // of the file, for errors; "" means "issues"
	Open   source.Opener
	Limits source.Limits // Bytes is 64 MiB if zero
}

// A Source lists the groups of the tracker. It is safe for concurrent use and reads its file anew at every call.
type Source struct{ config Config }

var _ patch.Source = (*Source)(nil)

// New returns a source of patches. It opens nothing.
func New(config Config) (*Source, error) {
	if config.Open == nil {
		return nil, errors.New("arch: config: Open is required")
	}
	if config.Name == "" {
		config.Name = "issues"
	}
	if config.Limits.Bytes <= 0 {
		config.Limits.Bytes = 64 << 20
	}
	return &Source{config}, nil
}

// Patches implements [patch.Source]. Patches come as they stand in the file.
//
// A group that cannot be used, or is listed already, is yielded as an error that wraps [patch.ErrRecord] and names the file and
// its number. A file that is no JSON to its end ends the listing, after the groups before that place.
//
// Classification is security; the tracker's own type of a group ("arbitrary code execution") is the title of its advisories.
// The tracker bears no dates, so q.Since narrows nothing.
func (s *Source) Patches(ctx context.Context, q patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) {
		if len(q.Platforms) > 0 && !slices.ContainsFunc(q.Platforms, func(p patch.Platform) bool { return p.OS == "" || p.OS == "arch" }) {
			return
		}
		err := s.list(ctx, yield)
		if err != nil && !errors.Is(err, errStopped) {
			yield(patch.Patch{}, err)
		}
	}
}

// errStopped ends a listing whose caller wants no more.
var errStopped = errors.New("stopped")

func (s *Source) list(ctx context.Context, yield func(patch.Patch, error) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	wrap := func(err error) error { return fmt.Errorf("arch: %s: %w", s.config.Name, err) }
	file, err := s.config.Limits.Open(s.config.Open)
	if err != nil {
		return wrap(err)
	}
	defer file.Close()
	seen := make(map[patch.ID]bool)
	var told error // by whoever was told of a group, or its context
	err = s.config.Limits.ReadValues(file, func(n int, raw json.RawMessage, err error) error {
		if told = ctx.Err(); told != nil {
			return told
		}
		var p patch.Patch
		if err == nil {
			p, err = read(raw)
		}
		if err == nil && seen[p.ID] {
			err = fmt.Errorf("%s is listed already", p.ID)
		}
		if err != nil {
			p, err = patch.Patch{}, source.Bad(fmt.Sprintf("arch: %s: group %d", s.config.Name, n), err)
		} else {
			seen[p.ID] = true
		}
		if !yield(p, err) {
			told = errStopped
		}
		return told
	})
	if told != nil {
		return told
	}
	if err != nil {
		return wrap(err)
	}
	return nil
}

// A group is one entry of the tracker.
type group struct {
	Name       string   `json:"name"`
	Packages   []string `json:"packages"`
	Status     string   `json:"status"`
	Severity   string   `json:"severity"`
	Type       string   `json:"type"`
	Affected   string   `json:"affected"`
	Fixed      string   `json:"fixed"` // "" for null
	Ticket     string   `json:"ticket"`
	Issues     []string `json:"issues"`
	Advisories []string `json:"advisories"`
}

// most is how many bytes a group may have. Real ones have a few hundred.
const most = 1 << 20

// read makes a patch of a group.
func read(raw json.RawMessage) (patch.Patch, error) {
	if len(raw) > most {
		return patch.Patch{}, fmt.Errorf("a group of more than %d bytes: %w", most, source.ErrTooLarge)
	}
	var g group
	if err := json.Unmarshal(raw, &g); err != nil {
		return patch.Patch{}, err
	}
	if !isName(g.Name) {
		return patch.Patch{}, fmt.Errorf("field name is %q", abbreviate(g.Name))
	}
	if len(g.Packages) == 0 {
		return patch.Patch{}, fmt.Errorf("%s: no packages", g.Name)
	}
	p := patch.Patch{
		ID:             patch.ID("arch:" + g.Name),
		Title:          strings.Join(g.Packages, ", ") + ": " + g.Type,
		Platform:       patch.Platform{OS: "arch"},
		Classification: patch.ClassSecurity,
		Severity:       source.Severity(g.Severity),
		SeverityRaw:    g.Severity,
		Native:         make(map[string]string),
	}
	for name, text := range map[string]string{"status": g.Status, "affected": g.Affected, "ticket": g.Ticket} {
		if text != "" {
			p.Native[name] = text
		}
	}
	for _, name := range g.Packages {
		if !isName(name) {
			return patch.Patch{}, fmt.Errorf("%s: a package is called %q", g.Name, abbreviate(name))
		}
		of := patch.Package{Ecosystem: Ecosystem, Name: name}
		if g.Status == "Not affected" {
			p.Unaffected = append(p.Unaffected, of)
			continue
		}
		if g.Fixed != "" {
			of.Fixed = version.Version{Scheme: version.Arch, Text: g.Fixed}
		}
		p.Packages = append(p.Packages, of)
	}
	var cves []string
	for _, issue := range g.Issues {
		if strings.HasPrefix(issue, "CVE-") && isName(issue) {
			cves = append(cves, issue)
		}
	}
	names := g.Advisories
	if len(names) == 0 {
		names = []string{g.Name}
	}
	for _, name := range names {
		p.Advisories = append(p.Advisories, patch.Advisory{
			ID: name, Title: g.Type, CVEs: cves, Severity: p.Severity, SeverityRaw: g.Severity,
		})
	}
	return p, nil
}

// isName says whether a text is one printable word.
func isName(text string) bool {
	return text != "" && len(text) <= 256 && !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' })
}

// abbreviate returns the beginning of a text for an error.
func abbreviate(text string) string { return text[:min(len(text), 60)] }
