// Package tracker makes patches out of the JSON export of the Debian security tracker, which says of every CVE and every source
// package how each release of Debian stands to it.
//
// One patch is one CVE in one release: "tracker:bookworm/CVE-2024-1234". It names the source packages that the CVE is about. Those with
// a fix have the version that brings it; those without are open, with no fixed version; those that the release never had the
// hole in are declared unaffected. What is undetermined is left out: nobody knows. Patches of package debian bring the files; these
// say what is open besides.
//
// The package reads what an opener gives it, plain or compressed, and fetches nothing. The export is read once from beginning to
// end without being held in memory; what is kept is what it says of the releases that are asked for.
//
// The export bears no dates. Its urgency is the word of Debian's security team, where they have given one, and for many holes
// they have not. It was tried with the samples of other projects, not with the whole export.
package tracker

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

// A Release is one that patches are wanted for. The export knows codenames alone.
type Release struct {
	Codename string // "bookworm"
	Version  string // "12"
}

// Config says what a [Source] reads. Open and at least one release are required.
type Config struct {
	Open     source.Opener
	Name     string // of the file, for errors; "" means "tracker.json"
	Releases []Release
	Limits   source.Limits // Records counts pairs of source package and CVE, and source packages
}

// A Source lists what the tracker says. It is safe for concurrent use and reads its file anew at every call.
type Source struct{ config Config }

var _ patch.Source = (*Source)(nil)

// New returns a source of patches. It opens nothing. The error names every field that is wrong.
func New(config Config) (*Source, error) {
	var wrong *multierror.Error
	if config.Open == nil {
		wrong = multierror.Append(wrong, errors.New("tracker: config: no Open"))
	}
	if len(config.Releases) == 0 {
		wrong = multierror.Append(wrong, errors.New("tracker: config: no Releases"))
	}
	config.Releases = slices.Clone(config.Releases)
	for i, r := range config.Releases {
		if !isWord(r.Codename) || !isWord(r.Version) {
			wrong = multierror.Append(wrong, fmt.Errorf("tracker: config: Releases[%d] is %q, %q: want a codename and a version", i, r.Codename, r.Version))
		}
		if slices.ContainsFunc(config.Releases[:i], func(o Release) bool { return o.Codename == r.Codename }) {
			wrong = multierror.Append(wrong, fmt.Errorf("tracker: config: Releases[%d]: %q stands there already", i, r.Codename))
		}
	}
	if config.Name == "" {
		config.Name = "tracker.json"
	}
	return &Source{config}, wrong.ErrorOrNil()
}

// Patches implements [patch.Source]. Patches come release by release, as the configuration has them, and sorted by ID.
//
// A record that cannot be read is yielded as an error that wraps [patch.ErrRecord] and names file, source package, CVE and release;
// what else the file says of them is kept. A CVE is whole only when the file has been read to its end, so these errors come before
// the first patch, and a file that cannot be read to its end leaves nothing but its error.
//
// Classification is security. Severity is the worst urgency of the packages that have or had the hole: high is important, as
// everywhere in Debian, and words that rate nothing ("not yet assigned", "end-of-life") leave it unrated. SeverityRaw holds the
// words, parted by commas. Native says why a package gets no advisory of its own ("nodsa:openssl", "nodsa_reason:openssl"), and
// whether the hole is open to the network ("scope").
//
// The export bears no dates, so q.Since narrows nothing. Platforms narrow the releases.
func (s *Source) Patches(ctx context.Context, q patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) {
		l := &listing{source: s, yield: yield, index: make(map[string]int)}
		for i, r := range s.config.Releases {
			if asked(q, r) {
				l.index[r.Codename] = len(l.releases)
				l.releases = append(l.releases, &release{Release: s.config.Releases[i], holes: make(map[string]*hole)})
			}
		}
		if len(l.releases) == 0 {
			return
		}
		if err := l.read(ctx); err != nil {
			if !l.stopped {
				yield(patch.Patch{}, err)
			}
			return
		}
		l.patches(ctx)
	}
}

// asked says whether any platform of q may be one of the release. "12.11" is a point release of "12".
func asked(q patch.Query, r Release) bool {
	return len(q.Platforms) == 0 || slices.ContainsFunc(q.Platforms, func(p patch.Platform) bool {
		return (p.OS == "" || p.OS == "debian") && (p.Version == "" || p.Version == r.Version || strings.HasPrefix(p.Version, r.Version+"."))
	})
}

// isWord says whether s can name a source package, a CVE, a release: nothing that could be taken for something else in an ID,
// a path or an address.
func isWord(s string) bool {
	for i, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && (c == '+' || c == '-' || c == '.' || c == '_'):
		default:
			return false
		}
	}
	return s != "" && len(s) <= 200
}
