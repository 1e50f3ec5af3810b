// Package homebrew reads what "brew outdated --json=v2" says on a device: which formulae and casks it has that Homebrew would
// upgrade, and to which versions.
//
// [Read] makes a [Report] of it, for the inventory of the device: the installed versions and what the device says it misses.
// The list is of what is outdated and nothing else, so it covers the software of the device partially. [New] makes a source of
// the same text: one patch is one version of a formula or cask, "homebrew:formula/wget=1.25.0", "homebrew:cask/firefox=139.0.1".
// Formulae are packages of the ecosystem "homebrew", casks of "homebrew-cask", as the two may have equal names. Both shapes are
// read: the versions of a cask were one text once, and are a list now.
//
// Versions of numbers and dots alone are of the scheme "loose". All others are of a scheme "homebrew" that nothing compares: a
// revision ("3.38.0_1"), a letter ("1.1.1w", which is later than 1.1.1 here and earlier elsewhere), what a cask joins by commas
// ("5.48,p0Lm2"), "latest". Whether a device misses such a version is unknown but for its own word. That word is not
// taken for a cask whose newest version is called "latest": Homebrew lists those on request ("--greedy") and cannot tell.
//
// A formula that the user pinned is listed and not upgraded: its software is held. Homebrew says nothing of classification,
// severity, CVEs, days, files and restarts.
package homebrew

import (
	"cmp"
	"context"
	"encoding/json"
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

// What Homebrew is called in an inventory, and its two ecosystems.
const (
	Manager  = "brew"
	Formulae = "homebrew"
	Casks    = "homebrew-cask"
)

// incomparable is a scheme that nothing knows.
const incomparable version.Scheme = "homebrew"

// latest is what casks without versions are called.
const latest = "latest"

// Config says what is read. Open is required.
type Config struct {
	Name   string // of the text, for errors; "" means "outdated"
	Open   source.Opener
	Limits source.Limits // Bytes is 16 MiB if zero
}

func (c Config) withDefaults() (Config, error) {
	if c.Open == nil {
		return c, errors.New("homebrew: config: Open is required")
	}
	c.Name = cmp.Or(c.Name, "outdated")
	c.Limits.Bytes = cmp.Or(max(c.Limits.Bytes, 0), 16<<20)
	return c, nil
}

// A Package is a formula or cask that Homebrew would upgrade.
type Package struct {
	Cask      bool
	Name      string   // with that of its tap if it is not of Homebrew's own: "user/tap/name"
	Installed []string // versions, as they are written
	Current   string   // the newest version
	Pinned    bool     // the user does not want it upgraded
}

// Ecosystem returns [Casks] or [Formulae].
func (p *Package) Ecosystem() string {
	if p.Cask {
		return Casks
	}
	return Formulae
}

// ID returns the ID of the patch that brings the newest version.
func (p *Package) ID() patch.ID {
	kind := "formula/"
	if p.Cask {
		kind = "cask/"
	}
	return patch.ID("homebrew:" + kind + p.Name + "=" + p.Current)
}

// Patch returns the patch that brings the newest version.
func (p *Package) Patch() patch.Patch {
	result := patch.Patch{
		ID: p.ID(), Title: p.Name + " " + p.Current,
		Packages: []patch.Package{{Ecosystem: p.Ecosystem(), Name: p.Name, Fixed: VersionOf(p.Current)}},
	}
	if p.Cask {
		result.Platform.OS = "macos" // formulae are for Linux too
	}
	return result
}

// VersionOf returns a version as Homebrew writes it, of the scheme that orders it or of one that nothing compares.
func VersionOf(text string) version.Version {
	if strings.Trim(text, "0123456789.") == "" {
		if v, err := version.Parse(version.Loose, text); err == nil {
			return v
		}
	}
	return version.Version{Scheme: incomparable, Text: text}
}

// A Report is what one device says.
type Report struct{ Packages []Package }

// Software returns the installed versions of what is outdated, and of nothing else: a scan that has no other list covers
// Homebrew partially.
func (r *Report) Software() []inventory.Software {
	var all []inventory.Software
	for i := range r.Packages {
		p := &r.Packages[i]
		for _, installed := range p.Installed {
			all = append(all, inventory.Software{
				Manager: Manager, Ecosystem: p.Ecosystem(), Name: p.Name, Version: VersionOf(installed), Held: p.Pinned,
			})
		}
	}
	return all
}

// Missing returns the patches that the device says it misses, those of pinned packages among them.
func (r *Report) Missing() []patch.ID {
	var all []patch.ID
	for i := range r.Packages {
		if p := &r.Packages[i]; p.Current != latest && !slices.Contains(p.Installed, p.Current) {
			all = append(all, p.ID())
		}
	}
	return all
}

// Read reads a text to its end.
//
// There are three outcomes. With err nil the report holds everything that could be read, and refused holds one error for each
// package that could not, which names the text and the place and wraps [patch.ErrRecord]. A package that is listed twice is
// refused the second time. With err not nil there is no report, because the text is not complete or something else; refused
// holds what was refused until then.
func Read(ctx context.Context, config Config) (r *Report, refused []error, err error) {
	config, err = config.withDefaults()
	if err != nil {
		return nil, nil, err
	}
	packages, refused, err := source.Gather(config.Limits, "homebrew: "+config.Name, func(give func(Package, error) bool) error {
		return config.read(ctx, give)
	})
	if err != nil {
		return nil, refused, err
	}
	return &Report{Packages: packages}, refused, nil
}

// A Source lists the newest versions of a text. It is safe for concurrent use and reads its text anew at every call.
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

// Patches implements [patch.Source]. Patches come as they stand in the text. What cannot be read, or is listed already, is
// yielded as an error that wraps [patch.ErrRecord] and names the text and the place. q narrows by the operating system alone.
func (s *Source) Patches(ctx context.Context, q patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) {
		err := s.config.read(ctx, func(p Package, err error) bool {
			if err != nil {
				return yield(patch.Patch{}, err)
			}
			result := p.Patch()
			if !asked(result.Platform.OS, q) {
				return true
			}
			return yield(result, nil)
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(patch.Patch{}, err)
		}
	}
}

// asked says whether q asks for an operating system, which may be any.
func asked(os string, q patch.Query) bool {
	return len(q.Platforms) == 0 || os == "" || slices.ContainsFunc(q.Platforms, func(p patch.Platform) bool { return p.OS == "" || p.OS == os })
}

// errStopped ends a listing whose caller wants no more.
var errStopped = errors.New("stopped")

// read passes every package, and the error for every one that cannot be read, to give, until that returns false.
func (c *Config) read(ctx context.Context, give func(Package, error) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	wrap := func(err error) error { return fmt.Errorf("homebrew: %s: %w", c.Name, err) }
	file, err := c.Limits.Open(c.Open)
	if err != nil {
		return wrap(err)
	}
	defer file.Close()
	seen := make(map[patch.ID]bool)
	err = c.Limits.ReadObject(file, source.Records{
		Arrays: []string{"formulae", "casks"},
		Record: func(array string, n int, raw json.RawMessage, err error) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			var p Package
			if err == nil {
				p, err = parse(array == "casks", raw)
			}
			if err == nil && seen[p.ID()] {
				err = fmt.Errorf("%s is listed already", p.ID())
			}
			if err != nil {
				p, err = Package{}, source.Bad(fmt.Sprintf("homebrew: %s: %s %d", c.Name, array, n), err)
			} else {
				seen[p.ID()] = true
			}
			if !give(p, err) {
				return errStopped
			}
			return nil
		},
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && !errors.Is(err, errStopped):
		return wrap(err)
	}
	return err
}

// maxVersions is how many versions of a package may be installed.
const maxVersions = 1000

func parse(cask bool, raw json.RawMessage) (Package, error) {
	var got struct {
		Name      string   `json:"name"`
		Installed versions `json:"installed_versions"`
		Current   string   `json:"current_version"`
		Pinned    bool     `json:"pinned"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return Package{}, err
	}
	if !isWord(got.Name) || got.Name[0] == '-' {
		return Package{}, fmt.Errorf("field name is %q", abbreviate(got.Name))
	}
	if !isWord(got.Current) {
		return Package{}, fmt.Errorf("%s: field current_version is %q", got.Name, abbreviate(got.Current))
	}
	if len(got.Installed) > maxVersions {
		return Package{}, fmt.Errorf("%s: more than %d versions: %w", got.Name, maxVersions, source.ErrTooLarge)
	}
	for _, v := range got.Installed {
		if !isWord(v) {
			return Package{}, fmt.Errorf("%s: a version is %q", got.Name, abbreviate(v))
		}
	}
	return Package{Cask: cask, Name: got.Name, Installed: got.Installed, Current: got.Current, Pinned: got.Pinned}, nil
}

// Versions is a list, or a text in which versions are parted by a comma and a blank, as a version can have commas of its own.
type versions []string

// UnmarshalJSON reads either.
func (v *versions) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		*v = nil
		if text != "" {
			*v = strings.Split(text, ", ")
		}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(v))
}

// isWord says whether a text is one printable word.
func isWord(text string) bool {
	return text != "" && len(text) <= 256 && !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' })
}

// abbreviate returns the beginning of a text for an error.
func abbreviate(text string) string { return text[:min(len(text), 60)] }
