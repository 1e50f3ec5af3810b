package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/internal/bookworm"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/csaf"
	"github.com/patchflow/patchflow/providers/source/debian"
	"github.com/patchflow/patchflow/providers/source/feeds"
	"github.com/patchflow/patchflow/providers/source/kev"
	"github.com/patchflow/patchflow/providers/source/osv"
	"github.com/patchflow/patchflow/providers/source/updateinfo"
)

//go:embed feeds/kev.json
var own embed.FS

// found is what a folder holds.
type found []feeds.Feed

func (f *found) String() string {
	var names []string
	for _, feed := range *f {
		names = append(names, feed.Name)
	}
	return strings.Join(names, ", ")
}

func (f *found) add(name string, s patch.Source, err error) error {
	if err != nil {
		return fmt.Errorf("assess: %s: %w", name, err)
	}
	*f = append(*f, feeds.Always(name, s))
	return nil
}

// openFeeds finds the feeds of a folder; "" stands for those that come along.
func openFeeds(folder string) (*found, error) {
	f := &found{}
	if folder == "" {
		f.kev(own, "feeds/kev.json")
		return f, f.debian(bookworm.FS(), "bookworm-12")
	}
	root := os.DirFS(folder)
	entries, err := fs.ReadDir(root, ".")
	if err != nil {
		return nil, fmt.Errorf("assess: feeds: %s: %w", folder, err)
	}
	for _, e := range entries {
		err := error(nil)
		switch name := e.Name(); {
		case name == "debian", name == "updateinfo":
			err = f.releases(root, name)
		case name == "osv":
			err = f.folder(root, name, func(sub fs.FS) (patch.Source, error) {
				return osv.New(osv.Config{Inputs: []osv.Input{{Folder: sub}}})
			})
		case name == "csaf":
			err = f.folder(root, name, func(sub fs.FS) (patch.Source, error) { return csaf.New(csaf.Config{Folder: sub}) })
		case strings.HasPrefix(name, "kev."):
			f.kev(root, name)
		}
		if err != nil {
			return nil, err
		}
	}
	if !slices.ContainsFunc(*f, func(feed feeds.Feed) bool { return !strings.HasPrefix(feed.Name, "kev") }) {
		return nil, fmt.Errorf("assess: feeds: %s holds none of debian, osv, updateinfo, csaf: what is missing cannot be known", folder)
	}
	return f, nil
}

func (f *found) folder(root fs.FS, name string, open func(fs.FS) (patch.Source, error)) error {
	sub, err := fs.Sub(root, name)
	if err != nil {
		return fmt.Errorf("assess: %s: %w", name, err)
	}
	s, err := open(sub)
	return f.add(name, s, err)
}

// releases opens every folder below one, each for one release of a distribution.
func (f *found) releases(root fs.FS, kind string) error {
	entries, err := fs.ReadDir(root, kind)
	if err != nil {
		return fmt.Errorf("assess: %w", err)
	}
	for _, e := range entries {
		sub, err := fs.Sub(root, path.Join(kind, e.Name()))
		if err != nil {
			return fmt.Errorf("assess: %w", err)
		}
		if kind == "debian" {
			err = f.debian(sub, e.Name())
		} else {
			err = f.updateinfo(sub, e.Name())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// parts parts the name of a folder: "bookworm-12" is version 12 of bookworm.
func parts(folder string) (name, version string, err error) {
	i := strings.LastIndexByte(folder, '-')
	if i <= 0 || i == len(folder)-1 {
		return "", "", fmt.Errorf("assess: folder %q: want NAME-VERSION", folder)
	}
	return folder[:i], folder[i+1:], nil
}

func (f *found) debian(root fs.FS, folder string) error {
	codename, version, err := parts(folder)
	if err != nil {
		return err
	}
	entries, err := fs.ReadDir(root, ".")
	if err != nil {
		return fmt.Errorf("assess: %s: %w", folder, err)
	}
	config := debian.Config{Codename: codename, Version: version}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "DSA") {
			config.Advisories = source.File(root, e.Name())
		}
		if origin, _, found := strings.Cut(e.Name(), "_Packages"); found {
			config.Indices = append(config.Indices, debian.Index{
				Origin: origin, Name: e.Name(), Security: strings.HasSuffix(origin, "-security"), Open: source.File(root, e.Name()),
			})
		}
	}
	s, err := debian.New(config)
	return f.add("debian/"+folder, s, err)
}

// updateinfo opens one repository, or the repositories in the folders of root.
func (f *found) updateinfo(root fs.FS, folder string) error {
	vendor, version, err := parts(folder)
	if err != nil {
		return err
	}
	config := updateinfo.Config{Ecosystem: vendor + ":" + version}
	add := func(dir string) error {
		if _, err := fs.Stat(root, path.Join(dir, "repodata/repomd.xml")); err != nil {
			return err
		}
		sub, err := fs.Sub(root, dir)
		config.Repositories = append(config.Repositories, updateinfo.Repository{Name: path.Join(folder, dir), Open: updateinfo.Folder(sub)})
		return err
	}
	if err := add("."); errors.Is(err, fs.ErrNotExist) {
		entries, err := fs.ReadDir(root, ".")
		if err != nil {
			return fmt.Errorf("assess: %s: %w", folder, err)
		}
		for _, e := range entries {
			if err := add(e.Name()); err != nil {
				return fmt.Errorf("assess: %s: %w", folder, err)
			}
		}
	}
	s, err := updateinfo.New(config)
	return f.add("updateinfo/"+folder, s, err)
}

func (f *found) kev(root fs.FS, name string) {
	*f = append(*f, feeds.Feed{Name: "kev", Open: func(ctx context.Context) (feeds.Reading, error) {
		c, refused, err := kev.Read(ctx, kev.Config{Name: name, Open: source.File(root, name)})
		return feeds.Reading{Enricher: c, Refused: refused}, err
	}})
}
