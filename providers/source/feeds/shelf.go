package feeds

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
)

// A shelf is the folder in which a keeper saves what it has read:
//
//	feeds.json      the record: of each feed, when it was read and where its catalog is; once it has its name, all is in force
//	ID.catalog      the catalog of one feed, or of all, with what is known about the patches
//	*.tmp           what is being written
type shelf struct {
	root   *os.Root
	limits patch.Limits
	all    string // the file of the catalog of all; "" if there is none
	dirty  bool   // that file is not what is in force
}

// A record says what is saved.
type record struct {
	Version int      `json:"version"`
	All     string   `json:"all"`
	Feeds   []volume `json:"feeds"`
}

// A volume is what is saved of one feed.
type volume struct {
	Name    string    `json:"name"`
	File    string    `json:"file,omitempty"` // none of an enricher
	Read    time.Time `json:"read"`
	Stale   string    `json:"stale,omitempty"`
	Refused []string  `json:"refused,omitempty"`
}

const (
	recordName    = "feeds.json"
	recordVersion = 1
	recordSize    = 16 << 20
	extension     = ".catalog"
	temporary     = ".tmp"
	mostRefused   = 100
)

func openShelf(folder string, limits patch.Limits) (*shelf, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("feeds: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("feeds: %w", err)
	}
	return &shelf{root: root, limits: limits}, nil
}

func (s *shelf) close() error {
	if err := s.root.Close(); err != nil {
		return fmt.Errorf("feeds: %w", err)
	}
	return nil
}

// load fills in what is saved of feeds, and returns the catalog of all: an empty one if there is none.
func (s *shelf) load(feeds []kept) *patch.Catalog {
	none := &patch.Catalog{}
	r, err := s.record()
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			for i := range feeds {
				feeds[i].state.Stale = fmt.Errorf("%w: what is saved cannot be read: %w", ErrNeverRead, err)
			}
		}
		return none
	}
	for i := range feeds {
		f := &feeds[i]
		j := slices.IndexFunc(r.Feeds, func(v volume) bool { return v.Name == f.state.Name })
		if j < 0 {
			continue
		}
		v := r.Feeds[j]
		state := State{Name: v.Name, Read: v.Read}
		if v.File == "" { // what it knew is in the catalog of all
			f.enriches = true
		} else {
			c, err := s.catalog(v.File)
			if err != nil {
				f.state.Stale = fmt.Errorf("%w: what is saved cannot be read: %w", ErrNeverRead, err)
				continue
			}
			f.catalog, f.file = c, v.File
			state.Patches = c.Len()
		}
		f.state = state
		if v.Stale != "" {
			f.state.Stale = errors.New(v.Stale)
		}
		for _, text := range v.Refused {
			f.state.Refused = append(f.state.Refused, &refused{text})
		}
	}
	c, err := s.catalog(r.All)
	if err != nil {
		for i := range feeds {
			if f := &feeds[i]; f.enriches {
				*f = kept{state: State{Name: f.state.Name, Stale: fmt.Errorf("%w: what is saved cannot be read: %w", ErrNeverRead, err)}}
			}
		}
		return none
	}
	s.all = r.All
	return c
}

// refused is a record that could not be read, as it was saved.
type refused struct{ text string }

func (r *refused) Error() string { return r.text }
func (r *refused) Unwrap() error { return patch.ErrRecord }

func (s *shelf) record() (*record, error) {
	f, err := s.root.Open(recordName)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := &record{}
	if err := json.NewDecoder(io.LimitReader(f, recordSize)).Decode(r); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", recordName, err, patch.ErrCorrupt)
	}
	if r.Version != recordVersion {
		return nil, fmt.Errorf("%s has version %d, and this package reads version %d: %w", recordName, r.Version, recordVersion, errors.ErrUnsupported)
	}
	return r, nil
}

func (s *shelf) catalog(name string) (*patch.Catalog, error) {
	f, err := s.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return patch.ReadCatalog(f, s.limits)
}

// save saves what is in force. The files that it sets down in feeds are those of the catalogs.
func (s *shelf) save(feeds []kept, c *patch.Catalog) error {
	r := record{Version: recordVersion, All: s.all}
	for i := range feeds {
		f := &feeds[i]
		if f.catalog != nil && f.file == "" {
			f.file = nameOf(f.state.Name)
			if err := s.write(f.file, func(w io.Writer) error { _, err := f.catalog.WriteTo(w); return err }); err != nil {
				f.file = "" // to be tried again
				return err
			}
		}
		if f.state.Read.IsZero() {
			continue
		}
		v := volume{Name: f.state.Name, File: f.file, Read: f.state.Read}
		if f.state.Stale != nil {
			v.Stale = f.state.Stale.Error()
		}
		for _, err := range f.state.Refused[:min(len(f.state.Refused), mostRefused)] {
			v.Refused = append(v.Refused, strings.ToValidUTF8(err.Error(), "\ufffd"))
		}
		r.Feeds = append(r.Feeds, v)
	}
	if s.dirty || s.all == "" {
		r.All = nameOf("all")
		if err := s.write(r.All, func(w io.Writer) error { _, err := c.WriteTo(w); return err }); err != nil {
			return err
		}
	}
	if err := s.sync(); err != nil { // the catalogs have their names before the record tells of them
		return err
	}
	if err := s.write(recordName, func(w io.Writer) error { return json.NewEncoder(w).Encode(r) }); err != nil {
		return err
	}
	if err := s.sync(); err != nil {
		return err
	}
	s.all, s.dirty = r.All, false
	s.tidy(&r)
	return nil
}

// nameOf returns a new name for the catalog of a feed.
func nameOf(feed string) string {
	sum := sha256.Sum256([]byte(feed))
	return hex.EncodeToString(sum[:8]) + "." + rand.Text() + extension
}

// write writes a file: whole, or not at all.
func (s *shelf) write(name string, content func(io.Writer) error) error {
	half := rand.Text() + temporary
	f, err := s.root.OpenFile(half, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("feeds: save: %w", err)
	}
	w := bufio.NewWriter(f)
	err = content(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = s.root.Rename(half, name)
	}
	if err != nil {
		_ = s.root.Remove(half)
		return fmt.Errorf("feeds: save: %w", err)
	}
	return nil
}

// sync makes the names in the folder last. Windows has no such thing, and does so by itself.
func (s *shelf) sync() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := s.root.Open(".")
	if err != nil {
		return fmt.Errorf("feeds: save: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("feeds: save: %w", err)
	}
	return nil
}

// tidy removes what the record does not name. What cannot be removed stays.
func (s *shelf) tidy(r *record) {
	f, err := s.root.Open(".")
	if err != nil {
		return
	}
	names, _ := f.Readdirnames(-1)
	_ = f.Close()
	for _, name := range names {
		named := name == r.All || slices.ContainsFunc(r.Feeds, func(v volume) bool { return v.File == name })
		if !named && (strings.HasSuffix(name, extension) || strings.HasSuffix(name, temporary)) {
			_ = s.root.Remove(name)
		}
	}
}
