package fetch

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// A part is a download under way. A nil part is none.
type part struct {
	store     *store
	name      string // of its temporary file
	file      handle // nil once it is closed
	size      int64
	total     int64 // of the whole file; -1 if the server does not say
	hash      hash.Hash
	validator validator
}

// A partRecord says what an interrupted download holds. It is written when the download is left, so the digest tells what a crash
// has torn.
type partRecord struct {
	Name      string       `json:"name"`
	URL       string       `json:"url"`
	Size      int64        `json:"size"`
	Total     int64        `json:"total"`
	Digest    patch.Digest `json:"digest"`
	Validator validator    `json:"validator"`
}

// A diskError is a failure of the machine, not of the server.
type diskError struct{ err error }

func (e *diskError) Error() string { return "cannot keep it: " + e.err.Error() }
func (e *diskError) Unwrap() error { return e.err }

func (s *store) newPart(v validator) (*part, error) {
	name := temporaryName()
	file, err := s.disk.Create(name)
	if err != nil {
		return nil, &diskError{err}
	}
	return &part{store: s, name: name, file: file, total: -1, hash: sha256.New(), validator: v}, nil
}

// takePart returns the interrupted download of a file from an address, and nil if there is none that can be resumed. Whoever has
// taken it is alone with it.
func (s *store) takePart(name, url string) *part {
	key := keyOf(name)
	data, err := s.read(key + ".part.json")
	if err != nil {
		return nil
	}
	var r partRecord
	if json.Unmarshal(data, &r) != nil || r.Name != name || r.URL != url || r.Size <= 0 || r.Validator.strong() == "" {
		return nil
	}
	p := &part{store: s, name: temporaryName(), total: r.Total, hash: sha256.New(), validator: r.Validator}
	err = s.disk.Rename(key+".part", p.name)
	_ = s.disk.Remove(key + ".part.json")
	if err != nil {
		return nil
	}
	if p.reopen() != nil || p.size != r.Size || p.digest() != r.Digest {
		p.drop()
		return nil
	}
	return p
}

// reopen hashes what the part holds and goes to its end.
func (p *part) reopen() error {
	f, err := p.store.disk.Open(p.name)
	if err != nil {
		return err
	}
	defer f.Close()
	if p.size, err = io.Copy(p.hash, f); err == nil {
		p.file, err = p.store.disk.Append(p.name)
	}
	return err
}

// keepPart leaves a download for later, and says whether it can be resumed.
func (s *store) keepPart(name, url string, p *part) bool {
	if p.size == 0 || p.validator.strong() == "" {
		return false
	}
	data, err := json.Marshal(partRecord{Name: name, URL: url, Size: p.size, Total: p.total, Digest: p.digest(), Validator: p.validator})
	if err != nil || p.close() != nil {
		return false
	}
	key := keyOf(name)
	return s.write(key+".part.json", data) == nil && s.disk.Rename(p.name, key+".part") == nil
}

func (p *part) digest() patch.Digest {
	return patch.Digest("sha256:" + hex.EncodeToString(p.hash.Sum(nil)))
}

// fits says whether an answer is the rest of the part.
func (p *part) fits(r *http.Response) error {
	start, end, total, ok := contentRange(r.Header.Get("Content-Range"))
	switch {
	case p == nil:
		return errors.New("the server sends a part of the file to a request for the whole")
	case !ok || start != p.size || end != total-1 || p.total >= 0 && total != p.total || r.ContentLength >= 0 && r.ContentLength != end-start+1:
		return fmt.Errorf("asked for the bytes from %d on, the server sends %.60q", p.size, r.Header.Get("Content-Range"))
	}
	if v := validatorOf(r); v.ETag != "" && v.ETag != p.validator.ETag || v.Modified != "" && p.validator.Modified != "" && v.Modified != p.validator.Modified {
		return errors.New("the server sends the rest of another version")
	}
	p.total = total
	return nil
}

// copy appends what r holds, until the whole is larger than most.
func (p *part) copy(r io.Reader, most int64) error {
	buffer := make([]byte, 64<<10)
	for {
		n, err := r.Read(buffer)
		if p.size+int64(n) > most {
			return fmt.Errorf("more than %d bytes: %w", most, source.ErrTooLarge)
		}
		if _, err := p.file.Write(buffer[:n]); err != nil {
			return &diskError{err}
		}
		p.hash.Write(buffer[:n])
		p.size += int64(n)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// close ends writing: what was written stays, whatever happens to the machine.
func (p *part) close() error {
	if p.file == nil {
		return nil
	}
	err := errors.Join(p.file.Sync(), p.file.Close())
	p.file = nil
	if err != nil {
		return &diskError{err}
	}
	return nil
}

// drop removes the part if it is still where it was. The next fetcher tidies up what cannot be removed.
func (p *part) drop() {
	if p == nil {
		return
	}
	if p.file != nil {
		_ = p.file.Close()
		p.file = nil
	}
	_ = p.store.disk.Remove(p.name)
}
