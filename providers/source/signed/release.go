package signed

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/deb822"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// A Want says which release metadata is to be of.
type Want struct {
	Codename string    // of the archive: "bookworm-security"; required for a [Judge.Release]
	Last     time.Time // the date of what was accepted before ([Result.Date]), zero for nothing: older metadata is a replay
}

// A Release is the metadata of a Debian archive. All but the result is set if the verdict is fresh or stale.
type Release struct {
	Result

	Origin, Label, Suite, Codename, Version string
	Architectures, Components               []string

	ByHash bool // files can be had by their hash, so that they fit while the archive changes
	files  map[string]File
}

// A File is one that metadata names.
type File struct {
	Path   string // from the folder of the metadata
	Size   int64
	Digest patch.Digest
	byHash bool
}

// Release judges an InRelease. The error is one of reading or verifying that says nothing about the metadata.
//
// Valid-Until is optional, as in Debian's own archives of releases: see [Config.MaxAge]. Only hashes by SHA256 count.
func (j *Judge) Release(ctx context.Context, open source.Opener, want Want) (Release, error) {
	if want.Codename == "" {
		return Release{}, errors.New("signed: no Codename to compare with")
	}
	file, err := j.read(open)
	if err != nil {
		return Release{}, err
	}
	text, signature, err := splitClearsigned(file)
	switch {
	case errors.Is(err, ErrUnsigned):
		return Release{Result: Result{Verdict: Unsigned, Reason: err}}, nil
	case err != nil:
		return Release{Result: malformed("%w", err)}, nil
	}
	result, err := j.verify(ctx, signedForm(text), signature)
	if err != nil || result.Verdict != Fresh {
		return Release{Result: result}, err
	}
	r, err := parseRelease(text)
	if err != nil {
		bad := malformed("%w", err)
		bad.Signatures = result.Signatures
		return Release{Result: bad}, nil
	}
	if r.Codename != want.Codename {
		result.Verdict, result.Reason = Other, fmt.Errorf("it is of %q, not of %q: %w", r.Codename, want.Codename, ErrRelease)
		return Release{Result: result}, nil
	}
	result.Date, result.Expires, result.Open = r.Date, r.Expires, opener(text)
	r.Result = result
	j.date(&r.Result, want.Last)
	return r, nil
}

// The places of the fields in a Release file.
const (
	fieldOrigin = iota
	fieldLabel
	fieldSuite
	fieldCodename
	fieldVersion
	fieldDate
	fieldUntil
	fieldByHash
	fieldArchitectures
	fieldComponents
	fieldSHA256
)

// parseRelease reads the text of a Release file, which has one stanza.
func parseRelease(text []byte) (Release, error) {
	in := deb822.NewReader(bytes.NewReader(text), deb822.Config{Line: 64 << 10, Stanza: len(text) + 1, Fields: []string{
		"Origin", "Label", "Suite", "Codename", "Version", "Date", "Valid-Until", "Acquire-By-Hash", "Architectures", "Components", "SHA256",
	}})
	s, err := in.Next()
	if err != nil {
		return Release{}, fmt.Errorf("it cannot be read: %w", err)
	}
	r := Release{
		Origin: s.Text(fieldOrigin), Label: s.Text(fieldLabel), Suite: s.Text(fieldSuite), Codename: s.Text(fieldCodename), Version: s.Text(fieldVersion),
		Architectures: strings.Fields(s.Text(fieldArchitectures)), Components: strings.Fields(s.Text(fieldComponents)),
		ByHash: s.Text(fieldByHash) == "yes",
	}
	if r.Date, err = releaseTime(s.Text(fieldDate)); err != nil {
		return Release{}, fmt.Errorf("field Date: %w", err)
	}
	if s.Has(fieldUntil) {
		if r.Expires, err = releaseTime(s.Text(fieldUntil)); err != nil {
			return Release{}, fmt.Errorf("field Valid-Until: %w", err)
		}
	}
	if r.files, err = releaseFiles(s.Text(fieldSHA256), r.ByHash); err != nil {
		return Release{}, fmt.Errorf("field SHA256: %w", err)
	}
	if _, err := in.Next(); err != io.EOF {
		return Release{}, errors.New("it has more than one stanza")
	}
	return r, nil
}

// releaseTime reads a date as RFC 5322 writes it, in UTC, which is what archives use.
func releaseTime(text string) (time.Time, error) {
	i := strings.LastIndexByte(text, ' ') + 1
	if slices.Contains([]string{"UTC", "GMT", "Z", "+0000", "-0000"}, text[i:]) {
		if t, err := time.Parse("Mon, _2 Jan 2006 15:04:05 ", text[:i]); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%.60q is no date in UTC", text)
}

// releaseFiles reads lines of a hash, a size and a path.
func releaseFiles(text string, byHash bool) (map[string]File, error) {
	files := make(map[string]File, strings.Count(text, "\n"))
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) != 3 {
			return nil, fmt.Errorf("%.100q is no hash, size and path", line)
		}
		sum, err := hex.DecodeString(words[0])
		if err != nil || len(sum) != sha256.Size {
			return nil, fmt.Errorf("%.100q is no hash", words[0])
		}
		size, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil || size < 0 {
			return nil, fmt.Errorf("%.100q is no size", words[1])
		}
		if !fs.ValidPath(words[2]) || words[2] == "." {
			return nil, fmt.Errorf("%.100q leaves the archive", words[2])
		}
		f := File{Path: words[2], Size: size, Digest: patch.Digest("sha256:" + hex.EncodeToString(sum)), byHash: byHash}
		if before, found := files[f.Path]; found && before != f {
			return nil, fmt.Errorf("%.100q stands twice", f.Path)
		}
		files[f.Path] = f
	}
	if len(files) == 0 {
		return nil, errors.New("no file is listed")
	}
	return files, nil
}

// File returns what the release says of the file at a path: "main/binary-amd64/Packages.xz". Nothing if it names no such file, or is
// neither fresh nor stale.
func (r *Release) File(path string) (File, bool) {
	f, found := r.files[path]
	return f, found
}

// Files returns all files that the release names, sorted by path.
func (r *Release) Files() []File {
	files := make([]File, 0, len(r.files))
	for _, f := range r.files {
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files
}

// Packages returns the package index of a component and an architecture, compressed as well as the archive has it.
func (r *Release) Packages(component, arch string) (File, bool) {
	for _, ending := range []string{".xz", ".zst", ".gz", ".bz2", ""} {
		if f, found := r.files[component+"/binary-"+arch+"/Packages"+ending]; found {
			return f, true
		}
	}
	return File{}, false
}

// Location returns the path to fetch the file from: by its hash where the archive offers that.
func (f File) Location() string {
	if !f.byHash {
		return f.Path
	}
	return path.Join(path.Dir(f.Path), "by-hash", "SHA256", strings.TrimPrefix(string(f.Digest), "sha256:"))
}

// Verified returns an opener of what open opens, which is compared with size and hash while it is read. If it is another file the
// read that would have ended it fails with an error that wraps [patch.ErrUntrusted]: what was read before is to be thrown
// away.
func (f File) Verified(open source.Opener) source.Opener {
	return func() (io.ReadCloser, error) {
		in, err := open()
		if err != nil {
			return nil, fmt.Errorf("signed: %s: %w", f.Path, err)
		}
		return &verified{file: f, in: in, hash: sha256.New()}, nil
	}
}

type verified struct {
	file File
	in   io.ReadCloser
	hash hash.Hash
	n    int64
	err  error
}

func (v *verified) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	n, err := v.in.Read(p)
	v.n += int64(n)
	v.hash.Write(p[:n])
	switch {
	case v.n > v.file.Size:
		n, err = 0, fmt.Errorf("signed: %s: more than %d bytes: %w", v.file.Path, v.file.Size, patch.ErrUntrusted)
	case err == io.EOF && v.n < v.file.Size:
		err = fmt.Errorf("signed: %s: %d bytes, want %d: %w", v.file.Path, v.n, v.file.Size, patch.ErrUntrusted)
	case err == io.EOF && patch.Digest("sha256:"+hex.EncodeToString(v.hash.Sum(nil))) != v.file.Digest:
		err = fmt.Errorf("signed: %s: it is not the file with the hash %s: %w", v.file.Path, v.file.Digest, patch.ErrUntrusted)
	}
	v.err = err
	return n, err
}

func (v *verified) Close() error { return v.in.Close() }
