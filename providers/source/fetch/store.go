package fetch

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// A store keeps the copies. Of a file there are, in one flat folder:
//
//	KEY.json          the record: what the last good copy is. Renaming it into place is what makes a copy the last good one
//	KEY.DIGEST.data   the copy, and the one before it
//	KEY.part[.json]   an interrupted download
//	*.tmp             what is being written
type store struct{ disk disk }

// A record says what the last good copy of a file is.
type record struct {
	Name     string       `json:"name"`
	Digest   patch.Digest `json:"digest"`
	Size     int64        `json:"size"`
	Data     string       `json:"data"` // the name of the copy in the folder
	Previous string       `json:"previous,omitempty"`
	URL      string       `json:"url"`
	Fetched  time.Time    `json:"fetched"`
	Checked  time.Time    `json:"checked"`
	Served   time.Time    `json:"served,omitzero"`
	Modified time.Time    `json:"modified,omitzero"`

	Validators map[string]validator `json:"validators,omitempty"` // how servers name this very content, by hashed address
}

func (r *record) sum() string { return strings.TrimPrefix(string(r.Digest), "sha256:") }

// validator returns how the server at an address names what is kept. A nil record has none.
func (r *record) validator(url string) (validator, bool) {
	if r == nil {
		return validator{}, false
	}
	v, found := r.Validators[hashed(url)]
	return v, found
}

// note takes down how the server at an address names the content.
func (r *record) note(url string, v validator) {
	const most = 64 // mirrors
	all := make(map[string]validator)
	maps.Copy(all, r.Validators)
	if delete(all, hashed(url)); v != (validator{}) && len(all) < most {
		all[hashed(url)] = v
	}
	r.Validators = all
}

// hashed returns a name for a text that may hold a password.
func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// keyOf returns the name under which a file is kept: unlike any other, and close to its own for whoever looks.
func keyOf(name string) string {
	word := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, name)
	return hashed(name) + "-" + word[max(0, len(word)-40):]
}

func temporaryName() string { return rand.Text() + ".tmp" }

// recordSize is how large a record may be.
const recordSize = 1 << 20

// read reads a small file.
func (s *store) read(name string) ([]byte, error) {
	f, err := s.disk.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, recordSize+1))
	if err == nil && len(data) > recordSize {
		err = fmt.Errorf("%s: %w", name, source.ErrTooLarge)
	}
	return data, err
}

// write writes a small file: whole, or not at all.
func (s *store) write(name string, data []byte) error {
	temporary := temporaryName()
	f, err := s.disk.Create(temporary)
	if err != nil {
		return &diskError{err}
	}
	_, err = io.Copy(f, bytes.NewReader(data))
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = s.disk.Rename(temporary, name)
	}
	if err != nil {
		_ = s.disk.Remove(temporary)
		return &diskError{err}
	}
	return nil
}

// load returns the record of a file whose copy is whole. The error wraps [io/fs.ErrNotExist] if there is none and
// [patch.ErrCorrupt] if it is damaged.
func (s *store) load(name string) (*record, error) {
	data, err := s.read(keyOf(name) + ".json")
	if err != nil {
		return nil, err
	}
	damaged := func(what string) (*record, error) {
		return nil, fmt.Errorf("%s: %w", what, patch.ErrCorrupt)
	}
	r := &record{}
	if err := json.Unmarshal(data, r); err != nil {
		return damaged("the record cannot be read: " + err.Error())
	}
	if r.Name != name || r.Data != dataName(name, r.sum()) {
		return damaged("the record is that of another file")
	}
	f, err := s.opener(r.Data, r.sum())()
	if err != nil {
		return damaged("the copy cannot be opened: " + err.Error())
	}
	defer f.Close()
	if n, err := io.Copy(io.Discard, f); err != nil || n != r.Size {
		return damaged("the copy is not what its record says")
	}
	return r, nil
}

func dataName(name, sum string) string { return keyOf(name) + "." + sum[:min(len(sum), 16)] + ".data" }

// commit makes a finished download the last good copy.
func (s *store) commit(r *record, p *part) error {
	r.Data = dataName(r.Name, r.sum())
	if err := s.disk.Rename(p.name, r.Data); err != nil {
		return &diskError{err}
	}
	if err := s.confirm(r); err != nil {
		return err
	}
	// What another mirror has left half done is of no use any more.
	_ = s.disk.Remove(keyOf(r.Name) + ".part.json")
	_ = s.disk.Remove(keyOf(r.Name) + ".part")
	return nil
}

// confirm writes a record, and removes what no record names any more.
func (s *store) confirm(r *record) error {
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return fmt.Errorf("%s: %w", r.Name, err)
	}
	if err := s.disk.Sync(); err != nil { // the copy has its name before the record tells of it
		return &diskError{err}
	}
	key := keyOf(r.Name)
	if err := s.write(key+".json", data); err != nil {
		return err
	}
	if err := s.disk.Sync(); err != nil {
		return &diskError{err}
	}
	names, err := s.disk.List()
	if err != nil {
		return nil // more is kept than need be
	}
	for _, name := range names {
		if strings.HasPrefix(name, key+".") && strings.HasSuffix(name, ".data") && name != r.Data && name != r.Previous {
			_ = s.disk.Remove(name)
		}
	}
	return nil
}

// tidy removes what was being written more than a day ago.
func (s *store) tidy(now time.Time) error {
	names, err := s.disk.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".tmp") {
			continue
		}
		if at, err := s.disk.Modified(name); err == nil && now.Sub(at) > 24*time.Hour {
			_ = s.disk.Remove(name)
		}
	}
	return nil
}

// opener opens a file of the folder, which is verified as it is read.
func (s *store) opener(name, sum string) source.Opener {
	return func() (io.ReadCloser, error) {
		f, err := s.disk.Open(name)
		if err != nil {
			return nil, fmt.Errorf("fetch: %w", err)
		}
		return &verified{file: f, hash: sha256.New(), sum: sum}, nil
	}
}

// A verified file says at its end whether it was what it should be.
type verified struct {
	file io.ReadCloser
	hash hash.Hash
	sum  string
}

func (v *verified) Close() error { return v.file.Close() }

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.file.Read(p)
	v.hash.Write(p[:n])
	if err == io.EOF && hex.EncodeToString(v.hash.Sum(nil)) != v.sum {
		return n, fmt.Errorf("fetch: the copy is not what it was: %w", patch.ErrCorrupt)
	}
	return n, err
}
