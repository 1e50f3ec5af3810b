package updateinfo

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

const indexFile = "repodata/repomd.xml"

// An entry is one file of repomd.xml.
type entry struct {
	kind, file    string // "updateinfo"; the path from the top of the repository
	sumKind, sum  string
	size          int64 // of the file as it is, compressed; -1 if repomd.xml does not say
	base          string
	sizeIsBad     bool
	line          int
	sums, located int
}

// readIndexed reads a repository by its index.
func (l *listing) readIndexed(i int) error {
	r := &l.source.config.Repositories[i]
	name := r.Name + ": " + indexFile
	in, err := l.source.config.Limits.Open(func() (io.ReadCloser, error) { return r.Open(indexFile) })
	if err != nil {
		return fmt.Errorf("updateinfo: %s: %w", name, err)
	}
	defer in.Close()
	entries, err := readIndex(in)
	if err != nil {
		return l.failed(name, err)
	}
	if r.Packages && l.files == nil {
		l.files = make(map[fileKey]*file)
	}
	found := false
	for _, e := range entries {
		if e.kind == "updateinfo" {
			found = true
			if err := l.readEntry(i, e, l.readUpdates); err != nil {
				return err
			}
		}
	}
	if !found {
		return fmt.Errorf("updateinfo: %s: no updateinfo: %w", name, ErrNoAdvisories)
	}
	if !r.Packages {
		return nil
	}
	for _, e := range entries {
		if e.kind == "primary" {
			return l.readEntry(i, e, l.readPrimary)
		}
	}
	return fmt.Errorf("updateinfo: %s: no primary, which lists the packages", name)
}

// readIndex reads a repomd.xml.
func readIndex(in io.Reader) ([]entry, error) {
	x := newXMLReader(in)
	if err := x.root("repomd"); err != nil {
		return nil, err
	}
	var entries []entry
	err := x.each(func(start xml.StartElement) error {
		if start.Name.Local != "data" {
			return x.skip()
		}
		if len(entries) == 1000 {
			return fmt.Errorf("line %d: more than %d files: %w", x.Line(), len(entries), source.ErrTooLarge)
		}
		e := entry{kind: attribute(start, "type"), size: -1, line: x.Line()}
		err := x.each(func(start xml.StartElement) error {
			var err error
			switch start.Name.Local {
			case "checksum":
				e.sumKind = strings.ToLower(attribute(start, "type"))
				e.sum, err = x.text()
				e.sum = strings.ToLower(e.sum)
				e.sums++
			case "location":
				e.file = attribute(start, "href")
				for _, a := range start.Attr {
					if a.Name.Local == "base" {
						e.base = a.Value
					}
				}
				e.located++
				err = x.skip()
			case "size":
				var text string
				if text, err = x.text(); err == nil {
					var bad error
					e.size, bad = strconv.ParseInt(text, 10, 64)
					e.sizeIsBad = bad != nil || e.size < 0
				}
			default:
				err = x.skip()
			}
			return err
		})
		entries = append(entries, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	return entries, x.end()
}

// check says what stands against reading a file.
func (e *entry) check() error {
	switch {
	case e.located != 1 || e.sums > 1:
		return fmt.Errorf("%s has %d locations and %d checksums, want one of each", e.kind, e.located, e.sums)
	case e.base != "":
		return fmt.Errorf("%s lies elsewhere, at %q: %w", e.kind, abbreviate(e.base), errLeaves)
	case e.sizeIsBad:
		return fmt.Errorf("the size of %s is no number", e.kind)
	case weak(e.sumKind):
		return fmt.Errorf("%s has a checksum of type %q, want sha256 or sha512: %w", e.kind, abbreviate(e.sumKind), ErrUnverified)
	}
	if sum, err := hex.DecodeString(e.sum); err != nil || len(sum) != digestLength(e.sumKind) {
		return fmt.Errorf("the %s of %s is %q: %w", e.sumKind, e.kind, abbreviate(e.sum), ErrUnverified)
	}
	return inside(e.file)
}

// readEntry reads a file of an index, and verifies it. The file is read to its end, whatever the XML in it leaves over.
func (l *listing) readEntry(i int, e entry, read func(in io.Reader, repository int, file string) error) error {
	r := &l.source.config.Repositories[i]
	if err := e.check(); err != nil {
		return fmt.Errorf("updateinfo: %s: %s: line %d: %w", r.Name, indexFile, e.line, err)
	}
	name := r.Name + ": " + e.file
	raw, err := r.Open(e.file)
	if err != nil {
		return fmt.Errorf("updateinfo: %s: %w", name, err)
	}
	defer raw.Close()
	v := &verifier{r: raw, hash: newHash(e.sumKind), left: e.size}
	if e.size < 0 {
		v.left = l.maxBytes()
	}
	in, err := l.source.config.Limits.Reader(v)
	if err == nil {
		err = read(in, i, name)
	}
	if done := l.alive(); done != nil {
		return done
	}
	if errors.Is(err, errStop) {
		return err
	}
	if err == nil {
		_, err = io.Copy(io.Discard, v)
	}
	if v.err != nil { // what was read is then not what was published, and explains whatever is wrong with it
		return l.failed(name, v.err)
	}
	if err != nil {
		return l.failed(name, err)
	}
	switch sum := v.hash.Sum(nil); {
	case e.size >= 0 && v.left > 0:
		return l.failed(name, fmt.Errorf("it has %d bytes, not %d: %w", e.size-v.left, e.size, ErrUnverified))
	case hex.EncodeToString(sum) != e.sum:
		return l.failed(name, fmt.Errorf("its %s is %x, not %s: %w", e.sumKind, sum, e.sum, ErrUnverified))
	}
	return nil
}

// maxBytes is how large a file may be.
func (l *listing) maxBytes() int64 {
	if n := l.source.config.Limits.Bytes; n > 0 {
		return n
	}
	return 512 << 20
}

// newHash returns the hash of a kind that is not weak.
func newHash(kind string) hash.Hash {
	switch kind {
	case "sha384":
		return sha512.New384()
	case "sha512":
		return sha512.New()
	}
	return sha256.New()
}

// A verifier hashes what is read through it, and refuses more than left bytes.
type verifier struct {
	r    io.Reader
	hash hash.Hash
	left int64
	err  error
}

func (v *verifier) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	n, err := v.r.Read(p)
	if v.left -= int64(n); v.left < 0 {
		v.err = fmt.Errorf("it is longer than it may be: %w", ErrUnverified)
		return 0, v.err
	}
	v.hash.Write(p[:n])
	if err != nil && err != io.EOF {
		v.err = err
	}
	return n, err
}

// readPrimary reads a list of packages, of which those of advisories are kept.
func (l *listing) readPrimary(in io.Reader, repository int, name string) error {
	x := newXMLReader(in)
	if err := x.root("metadata"); err != nil {
		return err
	}
	err := x.each(func(start xml.StartElement) error {
		if start.Name.Local != "package" {
			return x.skip()
		}
		if err := l.alive(); err != nil {
			return err
		}
		return l.readListed(x, repository, name)
	})
	if err != nil {
		return err
	}
	return x.end()
}

func (l *listing) readListed(x *xmlReader, repository int, name string) error {
	var p offered
	var size string
	line := x.Line()
	err := x.each(func(start xml.StartElement) error {
		var err error
		switch start.Name.Local {
		case "name":
			p.name, err = x.text()
		case "arch":
			p.arch, err = x.text()
		case "version":
			p.epoch, p.version, p.release = attribute(start, "epoch"), attribute(start, "ver"), attribute(start, "rel")
			err = x.skip()
		case "checksum":
			p.sumKind = attribute(start, "type")
			p.sum, err = x.text()
		case "location":
			p.filename = attribute(start, "href")
			err = x.skip()
		case "size":
			size = attribute(start, "package")
			err = x.skip()
		default:
			err = x.skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	text, err := evr(p.epoch, p.version, p.release)
	f := l.files[fileKey{repository, p.name, p.arch, text}]
	if err != nil || f == nil {
		return nil // no package of an advisory
	}
	f.Artefact = patch.Artefact{Name: p.filename}
	if err = inside(p.filename); err == nil {
		f.Digest, err = digest(p.sumKind, p.sum)
	}
	if err == nil {
		f.Size, err = strconv.ParseInt(size, 10, 64)
	}
	if f.found = err == nil; !f.found {
		return l.record(position(name, line), fmt.Errorf("package %s: %w", p.name, err))
	}
	return nil
}
