package debian

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/patchflow/patchflow/internal/deb822"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
)

// The places of the fields in a stanza of an index.
const (
	fieldPackage = iota
	fieldSource
	fieldVersion
	fieldArch
	fieldFilename
	fieldSize
	fieldSHA256
	fieldPhased
)

func indexFields() []string {
	return []string{"Package", "Source", "Version", "Architecture", "Filename", "Size", "SHA256", "Phased-Update-Percentage"}
}

// errStopped ends a listing whose caller wants no more.
var errStopped = errors.New("stopped")

// A release is one version of one source package.
type release struct{ source, version string }

// A build is what was built from a release.
type build struct {
	release
	key      version.Key
	packages []offer
	phased   string // Ubuntu offers it to so many percent of devices first; "" for all
}

// An offer is one package in one index.
type offer struct {
	patch.Package
	index int // its index, by its place among those with different origins
}

// A listing is the state of one call of Patches.
type listing struct {
	source     *Source
	yield      func(patch.Patch, error) bool
	stopped    bool
	builds     map[release]*build
	origins    []origin
	words      map[string]string // each text once
	packages   int
	advisories map[string][]known // by source package
	scratch    []byte
}

// An origin is an archive, with the one slice that all its packages share.
type origin struct {
	name     []string
	security bool
}

// record yields the error of one record.
func (l *listing) record(err error) error {
	if !l.yield(patch.Patch{}, err) {
		l.stopped = true
		return errStopped
	}
	return nil
}

// end yields the error that ends the listing.
func (l *listing) end(err error) {
	if !l.stopped {
		l.yield(patch.Patch{}, err)
	}
}

// word returns b as a string, the same one for the same bytes.
func (l *listing) word(b []byte) string {
	if s, found := l.words[string(b)]; found {
		return s
	}
	s := string(b)
	l.words[s] = s
	return s
}

// originOf returns the place of an archive among the origins. One that any index calls a security archive is one.
func (l *listing) originOf(x Index) int {
	for i := range l.origins {
		if l.origins[i].name[0] == x.Origin {
			l.origins[i].security = l.origins[i].security || x.Security
			return i
		}
	}
	l.origins = append(l.origins, origin{name: []string{x.Origin}, security: x.Security})
	return len(l.origins) - 1
}

// readIndex reads one index into the builds.
func (l *listing) readIndex(ctx context.Context, x Index) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	in, err := x.Open()
	if err != nil {
		return fmt.Errorf("debian: %s: %w", x.name(), err)
	}
	defer in.Close()
	content, err := l.source.config.Limits.Reader(in)
	if err != nil {
		return fmt.Errorf("debian: %s: %w", x.name(), err)
	}
	origin := l.originOf(x)
	stanzas := deb822.NewReader(content, deb822.Config{Fields: indexFields()})
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		stanza, err := stanzas.Next()
		if err == io.EOF {
			return nil
		}
		var syntax *deb822.SyntaxError
		bad := errors.As(err, &syntax)
		if l.packages++; (bad || err == nil) && l.packages > l.source.config.Limits.Max() {
			return fmt.Errorf("debian: %s: line %d: more than %d packages: %w",
				x.name(), stanzas.Line(), l.source.config.Limits.Max(), source.ErrTooLarge)
		}
		if bad {
			err = fmt.Errorf("debian: %s: %w: %w", x.name(), err, patch.ErrRecord)
		} else if err != nil {
			return fmt.Errorf("debian: %s: %w", x.name(), err)
		} else if err = l.add(stanza, origin); err != nil {
			err = fmt.Errorf("debian: %s: stanza %d, line %d: %w: %w", x.name(), stanza.Number, stanza.Line, err, patch.ErrRecord)
		}
		if err != nil {
			if err := l.record(err); err != nil {
				return err
			}
		}
	}
}

// add adds the package of one stanza to its build.
func (l *listing) add(stanza *deb822.Stanza, origin int) error {
	name := stanza.Bytes(fieldPackage)
	if !isName(name) {
		return fmt.Errorf("field Package is %q", name)
	}
	arch := stanza.Bytes(fieldArch)
	if !isName(arch) {
		return fmt.Errorf("package %s: field Architecture is %q", name, arch)
	}
	p := patch.Package{
		Ecosystem: l.source.ecosystem,
		Name:      l.word(name),
		Arch:      l.word(arch),
		Fixed:     version.Version{Scheme: version.Deb, Text: l.word(stanza.Bytes(fieldVersion))},
		Origins:   l.origins[origin].name[:1:1],
	}
	var err error
	if l.scratch, err = p.Fixed.AppendKey(l.scratch[:0]); err != nil {
		return fmt.Errorf("package %s: field Version: %w", name, err)
	}
	of := release{source: p.Name, version: p.Fixed.Text}
	if stanza.Has(fieldSource) {
		name, built, found := strings.Cut(stanza.Text(fieldSource), " ")
		if !isName([]byte(name)) {
			return fmt.Errorf("package %s: field Source is %q", name, stanza.Bytes(fieldSource))
		}
		of.source = l.word([]byte(name))
		if of.source != p.Name {
			p.Source = of.source
		}
		if found {
			built = strings.TrimSpace(built)
			if !strings.HasPrefix(built, "(") || !strings.HasSuffix(built, ")") {
				return fmt.Errorf("package %s: field Source is %q", name, stanza.Bytes(fieldSource))
			}
			of.version = l.word([]byte(strings.Trim(built, "()")))
		}
	}
	file, err := artefact(stanza)
	if err != nil {
		return fmt.Errorf("package %s: %w", name, err)
	}
	if file != (patch.Artefact{}) {
		p.Artefacts = []patch.Artefact{file}
	}

	b := l.builds[of]
	if b == nil {
		key, err := version.Version{Scheme: version.Deb, Text: of.version}.Key()
		if err != nil {
			return fmt.Errorf("package %s: field Source: %w", name, err)
		}
		b = &build{release: of, key: key}
		l.builds[of] = b
	}
	if stanza.Has(fieldPhased) {
		b.phased = l.word(stanza.Bytes(fieldPhased))
	}
	b.packages = append(b.packages, offer{Package: p, index: origin})
	return nil
}

// artefact returns the file of a stanza, none if the index lists no file.
func artefact(stanza *deb822.Stanza) (patch.Artefact, error) {
	file := patch.Artefact{Name: stanza.Text(fieldFilename)}
	if file.Name == "" {
		return patch.Artefact{}, nil
	}
	if strings.HasPrefix(file.Name, "/") || strings.Contains("/"+file.Name+"/", "/../") || strings.ContainsAny(file.Name, "\n\\") {
		return patch.Artefact{}, fmt.Errorf("field Filename is %q, which leaves the archive", file.Name)
	}
	if stanza.Has(fieldSize) {
		size, err := strconv.ParseInt(stanza.Text(fieldSize), 10, 64)
		if err != nil || size < 0 {
			return patch.Artefact{}, fmt.Errorf("field Size is %q", stanza.Bytes(fieldSize))
		}
		file.Size = size
	}
	if stanza.Has(fieldSHA256) {
		sum := strings.ToLower(stanza.Text(fieldSHA256))
		if _, err := hex.DecodeString(sum); err != nil || len(sum) != 64 {
			return patch.Artefact{}, fmt.Errorf("field SHA256 is %q", stanza.Bytes(fieldSHA256))
		}
		file.Digest = patch.Digest("sha256:" + sum)
	}
	return file, nil
}

// isName says whether b can name a package or an architecture: nothing that a shell, a path or an option parser could take
// for something else.
func isName(b []byte) bool {
	for i, c := range b {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && (c == '+' || c == '-' || c == '.' || c == '_'):
		default:
			return false
		}
	}
	return len(b) > 0
}
