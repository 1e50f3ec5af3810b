// Package chocolatey reads what "choco outdated --limit-output" says on a device: which packages it has of which the
// configured sources offer a later version. A line is a name, the installed version, the one on offer, and whether the package
// is pinned, parted by bars:
//
//	firefox|128.0|139.0|false
//
// [Read] makes a [Report] of it, for the inventory of the device: the installed versions and what the device says it misses.
// The list is of what is outdated and nothing else, so it covers the software of the device partially. [New] makes a source of
// the same text: one patch is one version of one package, "chocolatey:firefox=139.0". Packages are of the ecosystem "chocolatey", with
// their names in lower case, as Chocolatey does not tell cases apart, and versions of scheme "nuget".
//
// A package that no source has is listed with the installed version as the one on offer: it is software, and no patch. A
// pinned package is listed and not upgraded: its software is held.
//
// Chocolatey says nothing here of classification, severity, CVEs, days, files and restarts. The package follows the format as its
// documentation describes it; no output of a real device was at hand.
package chocolatey

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
)

// What Chocolatey is called in an inventory, and its ecosystem.
const (
	Manager   = "chocolatey"
	Ecosystem = "chocolatey"
)

// maxLine is how many bytes a line may have.
const maxLine = 64 << 10

// Config says what is read. Open is required.
type Config struct {
	Name   string // of the text, for errors; "" means "outdated"
	Open   source.Opener
	Limits source.Limits // Bytes is 16 MiB if zero
}

func (c Config) withDefaults() (Config, error) {
	if c.Open == nil {
		return c, errors.New("chocolatey: config: Open is required")
	}
	c.Name = cmp.Or(c.Name, "outdated")
	c.Limits.Bytes = cmp.Or(max(c.Limits.Bytes, 0), 16<<20)
	return c, nil
}

// A Package is one line.
type Package struct {
	Name      string // in lower case
	Installed string
	Available string // Installed if no source has the package
	Pinned    bool
}

// Outdated says whether another version is on offer.
func (p *Package) Outdated() bool { return p.Available != p.Installed }

// ID returns the ID of the patch that brings the available version.
func (p *Package) ID() patch.ID { return patch.ID("chocolatey:" + p.Name + "=" + p.Available) }

// Patch returns the patch that brings the available version.
func (p *Package) Patch() patch.Patch {
	return patch.Patch{
		ID: p.ID(), Title: p.Name + " " + p.Available, Platform: patch.Platform{OS: "windows"},
		Packages: []patch.Package{{Ecosystem: Ecosystem, Name: p.Name, Fixed: version.Version{Scheme: version.NuGet, Text: p.Available}}},
	}
}

// A Report is what one device says.
type Report struct{ Packages []Package }

// Software returns the installed versions of what is listed, and of nothing else: a scan that has no other list covers
// Chocolatey partially.
func (r *Report) Software() []inventory.Software {
	var all []inventory.Software
	for _, p := range r.Packages {
		all = append(all, inventory.Software{
			Manager: Manager, Ecosystem: Ecosystem, Name: p.Name, Version: version.Version{Scheme: version.NuGet, Text: p.Installed}, Held: p.Pinned,
		})
	}
	return all
}

// Missing returns the patches that the device says it misses, those of pinned packages among them.
func (r *Report) Missing() []patch.ID {
	var all []patch.ID
	for i := range r.Packages {
		if p := &r.Packages[i]; p.Outdated() {
			all = append(all, p.ID())
		}
	}
	return all
}

// Read reads a text to its end, which may be empty: then nothing is outdated.
//
// There are three outcomes. With err nil the report holds everything that could be read, and refused holds one error for each
// line that could not, which names the text and the line and wraps [patch.ErrRecord]: a warning, for one, or a package that is
// listed already. With err not nil there is no report, because the text could not be read to its end; refused holds what was
// refused until then. That a text was cut off between two lines cannot be seen: whoever runs the program knows how it ended.
func Read(ctx context.Context, config Config) (r *Report, refused []error, err error) {
	config, err = config.withDefaults()
	if err != nil {
		return nil, nil, err
	}
	packages, refused, err := source.Gather(config.Limits, "chocolatey: "+config.Name, func(give func(Package, error) bool) error {
		return config.read(ctx, give)
	})
	if err != nil {
		return nil, refused, err
	}
	return &Report{Packages: packages}, refused, nil
}

// A Source lists the available versions of a text. It is safe for concurrent use and reads its text anew at every call.
type Source struct{ config Config }

var _ patch.Source = (*Source)(nil)

// New returns a source of patches. It opens nothing.
func New(config Config) (*Source, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Source{config}, nil
}

// Patches implements [patch.Source]. Patches come as they stand in the text. A line that cannot be read, or whose package is
// listed already, is yielded as an error that wraps [patch.ErrRecord] and names the text and the line. q narrows by the
// operating system alone, which is "windows".
func (s *Source) Patches(ctx context.Context, q patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) {
		if len(q.Platforms) > 0 && !slices.ContainsFunc(q.Platforms, func(p patch.Platform) bool { return p.OS == "" || p.OS == "windows" }) {
			return
		}
		err := s.config.read(ctx, func(p Package, err error) bool {
			switch {
			case err != nil:
				return yield(patch.Patch{}, err)
			case !p.Outdated():
				return true
			}
			return yield(p.Patch(), nil)
		})
		if err != nil {
			yield(patch.Patch{}, err)
		}
	}
}

// read passes every package, and the error for every line that cannot be read, to give, until that returns false.
func (c *Config) read(ctx context.Context, give func(Package, error) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	wrap := func(err error) error { return fmt.Errorf("chocolatey: %s: %w", c.Name, err) }
	file, err := c.Limits.Open(c.Open)
	if err != nil {
		return wrap(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxLine)
	seen := make(map[string]bool)
	n, records := 0, 0
	for lines.Scan() {
		if err := ctx.Err(); err != nil {
			return err
		}
		n++
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if line == "" {
			continue
		}
		if records++; records > c.Limits.Max() {
			return wrap(fmt.Errorf("more than %d records: %w", c.Limits.Max(), source.ErrTooLarge))
		}
		p, err := parse(line)
		if err == nil && seen[p.Name] {
			err = fmt.Errorf("%s is listed already", p.Name)
		}
		if err != nil {
			p, err = Package{}, source.Bad(fmt.Sprintf("chocolatey: %s: line %d", c.Name, n), err)
		} else {
			seen[p.Name] = true
		}
		if !give(p, err) {
			return nil
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return wrap(fmt.Errorf("line %d: more than %d bytes: %w", n+1, maxLine, source.ErrTooLarge))
	case err != nil:
		return wrap(fmt.Errorf("line %d: %w", n+1, err))
	}
	return ctx.Err()
}

// parse reads one line.
func parse(line string) (Package, error) {
	fields := strings.Split(line, "|")
	if len(fields) != 4 {
		return Package{}, fmt.Errorf("%q has %d fields, want 4", abbreviate(line), len(fields))
	}
	p := Package{Name: strings.ToLower(fields[0]), Installed: fields[1], Available: fields[2]}
	if !isName(p.Name) {
		return Package{}, fmt.Errorf("no package is called %q", abbreviate(fields[0]))
	}
	for _, text := range fields[1:3] {
		if !isVersion(text) {
			return Package{}, fmt.Errorf("%s: %q is no version", p.Name, abbreviate(text))
		}
	}
	switch strings.ToLower(fields[3]) {
	case "true":
		p.Pinned = true
	case "false":
	default:
		return Package{}, fmt.Errorf("%s: pinned is %q", p.Name, abbreviate(fields[3]))
	}
	return p, nil
}

// isName accepts the names of NuGet packages: up to 100 letters, digits, dots, hyphens and underscores, the first of which is none of
// those that a command could take for an option.
func isName(name string) bool {
	return name != "" && len(name) <= 100 && name[0] != '-' && name[0] != '.' && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}

// isVersion accepts what can be in a version of NuGet, in no particular order.
func isVersion(text string) bool {
	return text != "" && len(text) <= 128 && text[0] >= '0' && text[0] <= '9' &&
		strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.+-") == ""
}

// abbreviate returns the beginning of a text for an error.
func abbreviate(text string) string { return text[:min(len(text), 60)] }
