package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/feeds"
	"github.com/patchflow/patchflow/providers/source/fetch"
	"github.com/patchflow/patchflow/providers/source/signed"
	"github.com/patchflow/patchflow/providers/source/updateinfo"
)

// Repositories are those of one system with RPM. Ecosystem and at least one are required.
type Repositories struct {
	Ecosystem string         // as OSV spells it: "AlmaLinux:9"
	Platform  patch.Platform // what devices they are for; zero for any
	All       []Repository
}

// A Repository is one of them. Name and URLs are required.
type Repository struct {
	Name     string   // what devices call it, in one word: "baseos"
	URLs     []string // of the folder where its repodata is: mirrors
	Packages bool     // its list of packages is read too: see updateinfo.Repository

	// Unsigned accepts an index without a signature, as most vendors publish it. What keeps others from changing it is then the
	// certificate of the server alone. Without it such a repository fails.
	Unsigned bool
}

// RPM returns the feed of repositories. The error names every field that is wrong.
func RPM(config Config, r Repositories) (feeds.Feed, error) {
	wrong := multierror.Append(nil, config.check())
	if r.Ecosystem == "" {
		wrong = multierror.Append(wrong, errors.New("archive: repositories: Ecosystem is required"))
	}
	if len(r.All) == 0 {
		wrong = multierror.Append(wrong, errors.New("archive: repositories: there are none"))
	}
	for i, s := range r.All {
		if s.Name == "" || len(s.URLs) == 0 {
			wrong = multierror.Append(wrong, fmt.Errorf("archive: repositories: All[%d] (%s): Name and URLs are required", i, s.Name))
		}
	}
	if err := wrong.ErrorOrNil(); err != nil {
		return feeds.Feed{}, err
	}
	return feeds.Feed{Name: r.Ecosystem, Open: func(ctx context.Context) (feeds.Reading, error) {
		reading, err := config.rpm(ctx, &r)
		if err != nil {
			return feeds.Reading{}, fmt.Errorf("archive: %w", err)
		}
		return reading, nil
	}}, nil
}

const indexName = "repodata/repomd.xml"

func (c *Config) rpm(ctx context.Context, r *Repositories) (feeds.Reading, error) {
	var all pile
	read := updateinfo.Config{Ecosystem: r.Ecosystem, Platform: r.Platform, Limits: c.Limits}
	for i := range r.All {
		s := &r.All[i]
		folder := fetch.Folder{Name: strings.ReplaceAll(r.Ecosystem, "/", "_") + "/" + s.Name, URLs: s.URLs}
		index, err := c.index(ctx, s, folder)
		if err != nil {
			return feeds.Reading{}, err
		}
		all.add(folder.Name+"/"+indexName, index.Checked, index.Stale)
		read.Repositories = append(read.Repositories, updateinfo.Repository{
			Name: s.Name, Packages: s.Packages, Open: func(name string) (io.ReadCloser, error) {
				if name == indexName {
					return index.Open()
				}
				return c.listed(ctx, folder, name)
			},
		})
	}
	s, err := updateinfo.New(read)
	if err != nil {
		return feeds.Reading{}, err
	}
	return feeds.Reading{Source: s, At: all.at, Stale: all.stale}, nil
}

// listed opens a file that the index names: the reader compares it with its checksum there.
func (c *Config) listed(ctx context.Context, folder fetch.Folder, name string) (io.ReadCloser, error) {
	file, err := folder.File(name)
	if err != nil {
		return nil, err
	}
	// Names hold a checksum and are many; of each kind of file there is one copy.
	kind := name[strings.LastIndexByte(name, '/')+1:]
	kind = kind[strings.LastIndexByte(kind, '-')+1:]
	file.Name = folder.Name + "/repodata/" + kind
	got, err := c.Fetcher.Get(ctx, file)
	if err != nil {
		return nil, err
	}
	return got.Open()
}

// index brings the repomd.xml of a repository.
func (c *Config) index(ctx context.Context, s *Repository, folder fetch.Folder) (fetch.Copy, error) {
	file, err := folder.File(indexName)
	if err != nil {
		return fetch.Copy{}, err
	}
	if s.Unsigned {
		return c.Fetcher.Get(ctx, file)
	}
	judge := func(copied fetch.Copy, last time.Time) (signed.Result, error) {
		signature, err := c.signature(ctx, folder, copied)
		if err != nil {
			return signed.Result{}, err
		}
		return c.Judge.Repomd(ctx, copied.Open, signature, signed.Want{Last: last})
	}
	in, err := accept(ctx, c, file, judge, func(r *signed.Result) *signed.Result { return r })
	return in.copy, err
}

// signature brings the signature of an index. It is kept under a name that depends on the index, so that a new one does not take
// the place of that of the index which is in force.
func (c *Config) signature(ctx context.Context, folder fetch.Folder, index fetch.Copy) (source.Opener, error) {
	sum, err := digest(index.Open)
	if err != nil {
		return nil, err
	}
	const some = 2 // digits, so that there are no more than 256 names
	file, err := folder.File(indexName + ".asc")
	if err != nil {
		return nil, err
	}
	file.Name += "." + sum[:some]
	if index.Digest != "" { // an index that lies there already has its signature beside it
		if kept, err := c.Fetcher.Kept(file.Name); err == nil {
			return kept.Open, nil
		}
	}
	got, err := c.Fetcher.Get(ctx, file)
	if patch.FaultOf(err) == patch.Permanent { // nobody has one
		return func() (io.ReadCloser, error) { return nil, fmt.Errorf("%w: %w", err, fs.ErrNotExist) }, nil
	}
	if err == nil {
		err = got.Stale
	}
	return got.Open, err
}
