// Package debian makes patches out of the package indices of a Debian release, and out of the list of Debian security
// advisories (DSA/list of the security tracker).
//
// One patch is one version of one source package: "debian:bookworm/openssl=3.0.17-1~deb12u3" updates every binary package
// that was built from it. The same version in several indices is one patch, whose packages say in which of them they are.
// The package reads what an opener gives it, plain, gzip or xz, and never fetches anything itself. It verifies no
// signature: whoever opens the index has to (apt does for what lies in its lists).
//
// What the indices do not say stays unknown: severity (the Urgency of an upload is none), the day of release, and
// whether a restart is needed.
package debian

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// An Index is one Packages file: what one archive offers for one component and architecture.
type Index struct {
	// Origin is what devices and reports call the archive: the Codename of its Release file, "bookworm-security".
	// Several indices of one archive (main, contrib, other architectures) have the same. Do not use its Suite: that
	// changes from "stable" to "oldstable" one day.
	Origin   string
	Security bool   // it is an archive of security updates
	Name     string // which file it is, for errors; "" means the origin
	Open     source.Opener
}

// name returns what errors call x.
func (x Index) name() string {
	if x.Name == "" {
		return x.Origin
	}
	return x.Name
}

// Config says what a [Source] reads. Codename, Version and at least one index are required.
type Config struct {
	Codename string // of the release, without suffix: "bookworm"
	Version  string // of the release: "12"
	Vendor   string // whose release it is, as OSV spells it; "" means "Debian". Packages are of the ecosystem "Debian:12"

	Indices []Index

	// Advisories opens the list of security advisories, in the format of DSA/list; nil for none.
	Advisories source.Opener

	Limits source.Limits // Records counts packages
}

// A Source lists the patches of one release. It is safe for concurrent use and reads its indices anew at every call.
type Source struct {
	config    Config
	ecosystem string
	vendor    string // in lower case, for IDs and platforms
}

var _ patch.Source = (*Source)(nil)

// New returns a source of patches. It opens nothing. The error names every field that is missing.
func New(config Config) (*Source, error) {
	var wrong *multierror.Error
	if config.Vendor == "" {
		config.Vendor = "Debian"
	}
	for _, field := range []struct{ name, value string }{
		{"Vendor", config.Vendor}, {"Codename", config.Codename}, {"Version", config.Version},
	} {
		if field.value == "" || strings.ContainsAny(field.value, "/=: \t\n") {
			wrong = multierror.Append(wrong, fmt.Errorf("debian: config: %s is %q: want one word, without colon, slash or equals sign", field.name, field.value))
		}
	}
	if len(config.Indices) == 0 {
		wrong = multierror.Append(wrong, errors.New("debian: config: no Indices"))
	}
	for i, index := range config.Indices {
		if index.Origin == "" || index.Open == nil {
			wrong = multierror.Append(wrong, fmt.Errorf("debian: config: Indices[%d] (%q): Origin and Open are required", i, index.name()))
		}
	}
	config.Indices = slices.Clone(config.Indices)
	return &Source{
		config:    config,
		ecosystem: config.Vendor + ":" + config.Version,
		vendor:    strings.ToLower(config.Vendor),
	}, wrong.ErrorOrNil()
}

// Patches implements [patch.Source]. Patches come sorted by source package and version.
//
// A stanza that cannot be used is yielded as an error that wraps [patch.ErrRecord] and names index, stanza and line; so is
// an advisory, and a package of which two indices hold different files under one version. A patch is whole only when
// every index has been read, so these errors come before the first patch, and an index or list that cannot be read to its
// end leaves nothing but its error.
//
// Classification: a patch with a package in a security archive is [patch.ClassSecurity]; otherwise one in the release
// itself (a point release) or in its "-updates" is [patch.ClassBugfix]; otherwise (backports, other vendors) nobody says,
// and it is unknown. ClassificationRaw holds the origins that decided.
//
// Advisories: an advisory says from which version of a source package on a hole is closed. It explains the lowest version
// on offer that is not below. Versions above supersede that one, and so carry its advisories to whoever skips it. If no index
// has such a version any more or yet, the advisory is not told. Released is the day of the advisory for the very version
// that it names, and zero for all others.
//
// Supersedes names all lower versions of the same source package whose architectures the patch covers.
// Reboot is maybe for kernels (packages named linux-image-*), whose effect begins with the next boot, and unknown for
// everything else. Reversal is reinstall: dpkg goes back to an older version, if its file is still at hand.
//
// Indices bear no dates of their packages, so q.Since narrows nothing. A platform that is not the source's release ends the
// listing before anything is opened.
func (s *Source) Patches(ctx context.Context, q patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) {
		if !s.asked(q) {
			return
		}
		l := &listing{source: s, yield: yield, builds: make(map[release]*build), words: make(map[string]string)}
		for i := range s.config.Indices {
			if err := l.readIndex(ctx, s.config.Indices[i]); err != nil {
				l.end(err)
				return
			}
		}
		if err := l.readAdvisories(ctx); err != nil {
			l.end(err)
			return
		}
		l.patches(ctx, q)
	}
}

// asked says whether any platform of q may be one of the release.
func (s *Source) asked(q patch.Query) bool {
	return len(q.Platforms) == 0 || slices.ContainsFunc(q.Platforms, s.fits)
}

// fits compares all but the architecture. "12.11" is a point release of "12".
func (s *Source) fits(p patch.Platform) bool {
	if p.OS != "" && p.OS != s.vendor {
		return false
	}
	return p.Version == "" || p.Version == s.config.Version || strings.HasPrefix(p.Version, s.config.Version+".")
}
