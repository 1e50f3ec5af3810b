package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/providers/source/debian"
	"github.com/patchflow/patchflow/providers/source/feeds"
	"github.com/patchflow/patchflow/providers/source/fetch"
	"github.com/patchflow/patchflow/providers/source/signed"
)

// A Release is a release of Debian or of its kin. Codename, Version and Suites are required.
type Release struct {
	Codename string // without suffix: "bookworm"
	Version  string // "12"
	Vendor   string // as OSV spells it; "" means "Debian"

	Suites []Suite

	// Advisories is the list of security advisories, in the format of DSA/list; nil for none. Nobody signs it: its address had better
	// be one of https.
	Advisories *fetch.File
}

// A Suite is an archive of a release. Codename and URLs are required.
type Suite struct {
	Codename   string   // as its InRelease says: "bookworm-security"
	URLs       []string // of the folder where its InRelease is: mirrors
	Components []string // nil means main
	Archs      []string // of devices, as dpkg calls them; nil means amd64
	Security   bool     // it is an archive of security updates
}

// Debian returns the feed of a release. The error names every field that is wrong.
func Debian(config Config, r Release) (feeds.Feed, error) {
	wrong := multierror.Append(nil, config.check())
	if r.Codename == "" || r.Version == "" {
		wrong = multierror.Append(wrong, errors.New("archive: release: Codename and Version are required"))
	}
	if len(r.Suites) == 0 {
		wrong = multierror.Append(wrong, errors.New("archive: release: no Suites"))
	}
	for i, s := range r.Suites {
		if s.Codename == "" || len(s.URLs) == 0 {
			wrong = multierror.Append(wrong, fmt.Errorf("archive: release: Suites[%d] (%s): Codename and URLs are required", i, s.Codename))
		}
	}
	if err := wrong.ErrorOrNil(); err != nil {
		return feeds.Feed{}, err
	}
	return feeds.Feed{Name: r.Codename, Open: func(ctx context.Context) (feeds.Reading, error) {
		reading, err := config.debian(ctx, &r)
		if err != nil {
			return feeds.Reading{}, fmt.Errorf("archive: %w", err)
		}
		return reading, nil
	}}, nil
}

func (c *Config) debian(ctx context.Context, r *Release) (feeds.Reading, error) {
	var all pile
	read := debian.Config{Codename: r.Codename, Version: r.Version, Vendor: r.Vendor, Limits: c.Limits}
	for i := range r.Suites {
		indices, err := c.suite(ctx, &r.Suites[i], &all)
		if err != nil {
			return feeds.Reading{}, err
		}
		read.Indices = append(read.Indices, indices...)
	}
	if r.Advisories != nil {
		got, err := c.Fetcher.Get(ctx, *r.Advisories)
		if err != nil {
			return feeds.Reading{}, err
		}
		all.add(r.Advisories.Name, got.Checked, got.Stale)
		read.Advisories = got.Open
	}
	s, err := debian.New(read)
	if err != nil {
		return feeds.Reading{}, err
	}
	return feeds.Reading{Source: s, At: all.at, Stale: all.stale}, nil
}

// suite brings the indices of one archive.
func (c *Config) suite(ctx context.Context, s *Suite, all *pile) ([]debian.Index, error) {
	folder := fetch.Folder{Name: s.Codename, URLs: s.URLs}
	file, err := folder.File("InRelease")
	if err != nil {
		return nil, err
	}
	judge := func(copied fetch.Copy, last time.Time) (signed.Release, error) {
		return c.Judge.Release(ctx, copied.Open, signed.Want{Codename: s.Codename, Last: last})
	}
	in, err := accept(ctx, c, file, judge, func(r *signed.Release) *signed.Result { return &r.Result })
	if err != nil {
		return nil, err
	}
	all.add(file.Name, in.copy.Checked, in.copy.Stale)
	var indices []debian.Index
	for _, component := range or(s.Components, "main") {
		for _, arch := range or(s.Archs, "amd64") {
			name := component + "/binary-" + arch + "/Packages"
			listed, found := in.result.Packages(component, arch)
			if !found {
				return nil, fmt.Errorf("%s: it names no %s", file.Name, name)
			}
			f, err := folder.File(listed.Location())
			if err != nil {
				return nil, err
			}
			// The name stays when content and compression change, so that there is a last good copy.
			f.Name, f.Digest = s.Codename+"/"+name, listed.Digest
			got, err := c.Fetcher.Get(ctx, f)
			if err != nil {
				kept, missing := c.Fetcher.Kept(f.Name)
				if missing != nil || ctx.Err() != nil {
					return nil, err
				}
				got, got.Stale = kept, err // an earlier release, which was accepted, has named it
			}
			all.mark(f.Name, got.Stale) // when it was last asked for does not matter: its digest says that it is the one
			indices = append(indices, debian.Index{Origin: s.Codename, Security: s.Security, Name: f.Name, Open: got.Open})
		}
	}
	return indices, nil
}

func or(list []string, one string) []string {
	if len(list) == 0 {
		return []string{one}
	}
	return list
}
