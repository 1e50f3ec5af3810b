// Package winget makes patches out of a catalogue of the Windows Package Manager: its manifests, or an index of it.
//
// One patch is one version of one package: "winget:Mozilla.Firefox=139.0". Its package is called as winget calls it, in the ecosystem
// "winget", with a version of scheme "winget"; the files of all its installers are listed, with their SHA-256.
//
// Manifests are those of version 1.x of the format: those of several files (a version, installers, one or more locales), which
// lie in one folder, and those of a single file. The index is that of svrooij/winget-pkgs-index: a JSON array with the newest
// version of each package. A version that stands in both is described by its manifest.
//
// What winget knows installed software by is kept in native fields, one value a line: product codes, upgrade codes, names of
// package families, and the versions that installers write into the registry, which are often others than those of winget. Who
// compares with the registry, and not with what winget says of a device, has to translate them.
//
// Winget says nothing of classification, severity, CVEs, and what supersedes what: that is unknown, and so is the restart, but
// for installers with a return code for it, which may need one. An index says less still: no files, and no day of release, as
// its date is that of its entry. Reversal is unknown.
//
// The table that "winget upgrade" prints is not read: its columns are found by their headings, which are translated, and their
// texts are cut off. The format 0.1 of manifests is not read either, as no catalogue has it any more. The package fetches
// nothing. It was tested with the manifests of winget's own tests and an index of August 2026.
package winget

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// Ecosystem is what the packages of winget are called.
const Ecosystem = "winget"

// The native fields of patches, each with one value a line.
const (
	NativeProductCodes    = "productCodes"       // of Windows Installer: "{9AC08E99-230B-47e8-9721-4577B7F124EA}", and names of keys of the registry
	NativeUpgradeCodes    = "upgradeCodes"       // of Windows Installer
	NativePackageFamilies = "packageFamilyNames" // of MSIX
	NativeDisplayVersions = "displayVersions"    // that installers write into the registry
	NativeArchitectures   = "architectures"      // of the installers: "x64"
	NativeUpgradeBehavior = "upgradeBehavior"    // "install", "uninstallPrevious", "deny"
)

// Config says what a [Source] reads: Manifests, Index or both.
type Config struct {
	Name      string        // of the catalogue, for errors; "" means "catalogue"
	Manifests fs.FS         // every file in it called *.yaml or *.yml, in whatever folders
	Index     source.Opener // plain or compressed

	// Limits.Bytes is of the index, Limits.Records of manifest files and of entries of the index each. A manifest file has
	// 1 MiB at most, and lies at most 16 folders deep.
	Limits source.Limits
}

// A Source lists the packages of a catalogue. It is safe for concurrent use and reads it anew at every call.
type Source struct{ config Config }

var _ patch.Source = (*Source)(nil)

// New returns a source of patches. It opens nothing.
func New(config Config) (*Source, error) {
	if config.Manifests == nil && config.Index == nil {
		return nil, errors.New("winget: config: Manifests or Index is required")
	}
	if config.Name == "" {
		config.Name = "catalogue"
	}
	return &Source{config}, nil
}

// Patches implements [patch.Source]. Patches come folder by folder in the order of the names of their files, then as they
// stand in the index.
//
// A manifest or an entry that cannot be used is yielded as an error that wraps [patch.ErrRecord] and names the file, or the
// number of the entry: of a manifest of several files the first, with what the other is called where that one is at fault. A
// version that was listed already is such an error, but for one in the index that has a manifest.
//
// q narrows by the operating system alone, which is "windows".
func (s *Source) Patches(ctx context.Context, q patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) {
		if len(q.Platforms) > 0 && !slices.ContainsFunc(q.Platforms, func(p patch.Platform) bool { return p.OS == "" || p.OS == "windows" }) {
			return
		}
		l := listing{config: &s.config, ctx: ctx, yield: yield, seen: make(map[patch.ID]bool)}
		err := ctx.Err()
		if err == nil && s.config.Manifests != nil {
			err = l.folder(".", 0)
		}
		if err == nil && s.config.Index != nil {
			err = l.index()
		}
		switch {
		case err == nil, errors.Is(err, errStopped):
		case ctx.Err() != nil:
			yield(patch.Patch{}, ctx.Err())
		default:
			yield(patch.Patch{}, fmt.Errorf("winget: %s: %w", s.config.Name, err))
		}
	}
}

// errStopped ends a listing whose caller wants no more.
var errStopped = errors.New("stopped")

// A listing is one call of [Source.Patches].
type listing struct {
	config *Config
	ctx    context.Context
	yield  func(patch.Patch, error) bool
	seen   map[patch.ID]bool
	files  int
}

// give yields a patch or an error about one record. Its error ends the listing.
func (l *listing) give(where string, p patch.Patch, err error) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	if err == nil && l.seen[p.ID] {
		err = fmt.Errorf("%s is listed already", p.ID)
	}
	if err != nil {
		p, err = patch.Patch{}, source.Bad("winget: "+l.config.Name+": "+where, err)
	} else {
		l.seen[p.ID] = true
	}
	if !l.yield(p, err) {
		return errStopped
	}
	return nil
}
