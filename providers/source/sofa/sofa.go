// Package sofa makes patches out of SOFA, the feed of Mac Admins Open Source about the releases of Apple's operating systems:
// the files macos_data_feed.json and ios_data_feed.json of its versions 1 and 2.
//
// One patch is one release: "sofa:macOS/15.6.1", "sofa:iOS/18.6.2". It explains itself by Apple's article about its security
// content, is exploited if the feed says so of one CVE, always needs a restart, and cannot be taken back.
//
// A release is for the systems of its own major version alone: macOS 14.7.8 is missing where 14.0 to 14.7.7 runs, and nowhere
// else, as Apple corrects several major versions side by side. The first release of a major version ("26.0") is a feature, a
// new operating system: no version needs it. Each release supersedes the one before it in its major version. Versions are of
// scheme "macos", in the ecosystem and of the package that are called like the system. iPadOS is "iOS" here, as in the
// feed, which has one release for both.
//
// A rapid response, which Apple calls background security improvement now ("26.3.1(a)"), has no packages: it changes the build
// and not the version, so that nothing can be compared. It is missing where a device says so. The release that follows it
// supersedes it.
//
// What the feed says and nothing here decides by is kept in native fields: the builds of a release (version 1 knows only the
// newest), the day on which it expires, and the devices that it is for, by board or model. Where a release is for some
// devices only, its packages still name no device: whoever knows the models of a fleet has to leave out the others.
//
// What the feed does not say is unknown: the class of a release without CVEs, of which Apple publishes nothing; severities
// but of exploited CVEs; size and files. That a CVE is not marked as exploited is no "no". The dates of some releases of 2021
// to 2023 are those on which Apple's page was changed, later than the release. Safari's feed is not read: which systems a
// Safari is for does not stand there. The package fetches nothing.
package sofa

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// Config says what a [Source] reads. Open is required.
type Config struct {
	Name   string // of the file, for errors; "" means "feed"
	Open   source.Opener
	Limits source.Limits // Bytes is 64 MiB if zero; a feed has half a megabyte
}

// A Source lists the releases of a feed. It is safe for concurrent use and reads its file anew at every call.
type Source struct{ config Config }

var _ patch.Source = (*Source)(nil)

// New returns a source of patches. It opens nothing.
func New(config Config) (*Source, error) {
	if config.Open == nil {
		return nil, errors.New("sofa: config: Open is required")
	}
	if config.Name == "" {
		config.Name = "feed"
	}
	if config.Limits.Bytes <= 0 {
		config.Limits.Bytes = 64 << 20
	}
	return &Source{config}, nil
}

// Patches implements [patch.Source]. Patches come as they stand in the feed, rapid responses last, and nothing comes before the
// feed has been read to its end.
//
// A release that cannot be used is yielded as an error that wraps [patch.ErrRecord] and names the file, the major version and
// the number of the release. Two records of one version are one patch with the CVEs of both and the earlier day.
//
// q narrows by the operating system alone.
func (s *Source) Patches(ctx context.Context, q patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) {
		l := listing{config: &s.config, ctx: ctx, index: make(map[patch.ID]int)}
		if err := l.read(); err != nil {
			if ctx.Err() == nil {
				err = fmt.Errorf("sofa: %s: %w", s.config.Name, err)
			}
			yield(patch.Patch{}, err)
			return
		}
		l.supersede()
		for _, i := range l.items {
			if err := ctx.Err(); err != nil {
				yield(patch.Patch{}, err)
				return
			}
			if i.err == nil && !asked(&i.patch, q) {
				continue
			}
			if !yield(i.patch, i.err) {
				return
			}
		}
	}
}

// asked says whether q asks for the operating system of a patch.
func asked(p *patch.Patch, q patch.Query) bool {
	return len(q.Platforms) == 0 || slices.ContainsFunc(q.Platforms, func(o patch.Platform) bool { return o.OS == "" || o.OS == p.Platform.OS })
}
