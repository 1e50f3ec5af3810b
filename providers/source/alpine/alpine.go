// Package alpine makes patches out of Alpine's security database (secdb), one file for each release and repository. Wolfi
// and Chainguard publish theirs in the same form.
//
// One patch is one version of one origin package, which is what apk calls the source package: "alpine:v3.18/main/openssl=3.1.1-r0"
// fixes what is listed for it, in every package that is built from openssl. What is listed for the version "0" never was in
// the package: the patch of that name declares it unaffected and brings nothing.
//
// The package reads the JSON form, plain or compressed. It does not read the YAML that Alpine published until 2020, and fetches nothing.
//
// The database tells what is fixed, and nothing else: severity, dates, whether a restart is needed, and holes without a fix
// stay unknown. A version that apk itself would not accept ("10.0.11-0") compares with nothing, and devices with the package are
// unknown, not clean.
package alpine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
)

// A File is the database of one repository: main.json of "v3.18".
type File struct {
	Name string // for errors
	Open source.Opener

	// Ecosystem is whose packages these are, as devices call it. "" is "Alpine:" with the release that the file names,
	// "Alpine:v3.18". The files of Wolfi and Chainguard name none: theirs is "Wolfi" or "Chainguard".
	Ecosystem string
}

// Config says what a [Source] reads. At least one file is required.
type Config struct {
	Files  []File
	Limits source.Limits // Bytes is 64 MiB if zero: a file has two. Records counts packages
}

// A Source lists the patches of security databases. It is safe for concurrent use and reads its files anew at every call.
type Source struct{ config Config }

var _ patch.Source = (*Source)(nil)

// New returns a source of patches. It opens nothing. The error names every file that is wrong.
func New(config Config) (*Source, error) {
	var wrong *multierror.Error
	if len(config.Files) == 0 {
		wrong = multierror.Append(wrong, errors.New("alpine: config: no Files"))
	}
	for i, f := range config.Files {
		if f.Open == nil {
			wrong = multierror.Append(wrong, fmt.Errorf("alpine: config: Files[%d] (%q): Open is required", i, f.Name))
		}
	}
	config.Files = slices.Clone(config.Files)
	if config.Limits.Bytes <= 0 {
		config.Limits.Bytes = 64 << 20
	}
	return &Source{config}, wrong.ErrorOrNil()
}

// Patches implements [patch.Source]. Patches come as they stand in the files.
//
// A package that cannot be read is yielded as an error that wraps [patch.ErrRecord] and names file and package; so is a patch
// that is listed already. A file that cannot be read, or is no JSON to its end, ends the listing.
//
// Classification is security. Each text in the list of a version is an advisory. It may name several things ("CVE-2016-9932
// XSA-200"), and is the title then; CVEs are found in it wherever they stand.
//
// The database bears no dates, so q.Since narrows nothing. The release does.
func (s *Source) Patches(ctx context.Context, q patch.Query) iter.Seq2[patch.Patch, error] {
	return func(yield func(patch.Patch, error) bool) {
		l := listing{source: s, query: q, yield: yield, seen: make(map[patch.ID]bool)}
		for i, f := range s.config.Files {
			if f.Name == "" {
				f.Name = fmt.Sprintf("file %d", i+1)
			}
			err := l.file(ctx, f)
			if err != nil && !l.stopped {
				yield(patch.Patch{}, err)
			}
			if err != nil {
				return
			}
		}
	}
}

// A database is what a file says of all of it.
type database struct{ release, repository string }

// A listing is the state of one call of Patches.
type listing struct {
	source  *Source
	query   patch.Query
	yield   func(patch.Patch, error) bool
	stopped bool
	seen    map[patch.ID]bool
}

// errStopped ends a listing whose caller wants no more.
var errStopped = errors.New("stopped")

func (l *listing) tell(p patch.Patch, err error) error {
	if !l.yield(p, err) {
		l.stopped = true
		return errStopped
	}
	return nil
}

// file lists one file.
func (l *listing) file(ctx context.Context, f File) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// The file is read twice, as what says whose it is may stand behind the packages.
	var d database
	err := l.read(f, source.Records{Field: func(name string, raw json.RawMessage) error {
		to := map[string]*string{"distroversion": &d.release, "reponame": &d.repository}[name]
		if to == nil {
			return nil
		}
		if err := json.Unmarshal(raw, to); err != nil {
			return fmt.Errorf("field %s: %w", name, err)
		}
		return nil
	}})
	if err != nil {
		return fmt.Errorf("alpine: %s: %w", f.Name, err)
	}
	if f.Ecosystem == "" && !isName(d.release) || !isName(d.repository) {
		return fmt.Errorf("alpine: %s: no security database: the release is %q, the repository is %q", f.Name, abbreviate(d.release), abbreviate(d.repository))
	}
	of := origin{ecosystem: f.Ecosystem, repository: d.repository}
	of.prefix, _, _ = strings.Cut(strings.ToLower(f.Ecosystem), ":")
	if f.Ecosystem == "" {
		of.ecosystem, of.prefix = "Alpine:"+d.release, "alpine"
	}
	of.prefix += ":"
	if d.release != "" {
		of.prefix += d.release + "/"
	}
	if strings.HasPrefix(of.ecosystem, "Alpine:") {
		of.platform.OS = "alpine"
		if number := strings.TrimPrefix(d.release, "v"); strings.Trim(number, "0123456789.") == "" {
			of.platform.Version = number // edge is whatever the next release will be called
		}
	}
	if !asked(l.query, of.platform) {
		return nil
	}
	var told error // by whoever was told of a package, or its context
	err = l.read(f, source.Records{Record: func(_ string, n int, raw json.RawMessage, bad error) error {
		if told = ctx.Err(); told == nil {
			told = l.packages(&of, raw, fmt.Sprintf("alpine: %s: packages[%d]", f.Name, n-1), bad)
		}
		return told
	}})
	if told != nil {
		return told
	}
	if err != nil {
		return fmt.Errorf("alpine: %s: %w", f.Name, err)
	}
	return nil
}

// read reads a file.
func (l *listing) read(f File, to source.Records) error {
	in, err := l.source.config.Limits.Open(f.Open)
	if err != nil {
		return err
	}
	defer in.Close()
	to.Arrays = []string{"packages"}
	return l.source.config.Limits.ReadObject(in, to)
}

// packages lists the patches of one package.
func (l *listing) packages(of *origin, raw json.RawMessage, where string, err error) error {
	var entry struct {
		Package struct {
			Name  string `json:"name"`
			Fixes fixes  `json:"secfixes"`
		} `json:"pkg"`
	}
	if err == nil {
		err = json.Unmarshal(raw, &entry)
	}
	name := entry.Package.Name
	if err == nil && !isName(name) {
		err = fmt.Errorf("the name is %q", abbreviate(name))
	}
	if err != nil {
		return l.tell(patch.Patch{}, source.Bad(where, err))
	}
	for _, fix := range entry.Package.Fixes {
		var p patch.Patch
		if len(fix.names) <= most {
			p = of.patch(name, fix)
		}
		switch {
		case len(fix.names) > most:
			err = fmt.Errorf("%s: more than %d texts for %q: %w", name, most, abbreviate(fix.version), source.ErrTooLarge)
		case !isName(fix.version):
			err = fmt.Errorf("%s: the version is %q", name, abbreviate(fix.version))
		case l.seen[p.ID]:
			err = fmt.Errorf("%s: %s is listed already", name, p.ID)
		case len(l.seen) >= l.source.config.Limits.Max():
			return fmt.Errorf("%s: more than %d patches: %w", where, l.source.config.Limits.Max(), source.ErrTooLarge)
		default:
			l.seen[p.ID] = true
			if err := l.tell(p, nil); err != nil {
				return err
			}
			continue
		}
		if err := l.tell(patch.Patch{}, source.Bad(where, err)); err != nil {
			return err
		}
	}
	return nil
}

// most is how many texts a version may have. Real ones have up to 50.
const most = 10_000

// A fix is what is fixed in one version.
type fix struct {
	version string
	names   []string
}

// fixes is the object of a package, in its order and with keys that occur twice.
type fixes []fix

// UnmarshalJSON implements [json.Unmarshaler].
func (f *fixes) UnmarshalJSON(data []byte) error {
	in := json.NewDecoder(bytes.NewReader(data))
	if begin, err := in.Token(); err != nil || begin == nil {
		return err // null is no fixes
	} else if begin != json.Delim('{') {
		return fmt.Errorf("secfixes is %q", abbreviate(string(data)))
	}
	for in.More() {
		key, err := in.Token()
		if err != nil {
			return err
		}
		one := fix{version: key.(string)}
		if err := in.Decode(&one.names); err != nil {
			return fmt.Errorf("secfixes of %q: %w", abbreviate(one.version), err)
		}
		*f = append(*f, one)
	}
	return nil
}

// An origin is where packages come from.
type origin struct {
	ecosystem, repository string
	prefix                string // of IDs
	platform              patch.Platform
}

// patch returns the patch that brings the package called name to a version.
func (o *origin) patch(name string, fix fix) patch.Patch {
	p := patch.Patch{
		ID:             patch.ID(o.prefix + o.repository + "/" + name + "=" + fix.version),
		Title:          name + " " + fix.version,
		Platform:       o.platform,
		Classification: patch.ClassSecurity,
		Native:         map[string]string{"repository": o.repository},
	}
	of := patch.Package{Ecosystem: o.ecosystem, Source: name}
	if fix.version == "0" {
		p.Title = name + " was never affected"
		p.Unaffected = []patch.Package{of}
	} else {
		of.Fixed = version.Version{Scheme: version.APK, Text: fix.version}
		of.Origins = []string{o.repository}
		p.Packages = []patch.Package{of}
	}
	for _, text := range fix.names {
		text = strings.Join(strings.Fields(text), " ")
		if text == "" {
			continue
		}
		a := patch.Advisory{CVEs: cves(text)}
		if a.ID = nameOf(text, a.CVEs); a.ID != text {
			a.Title = text
		}
		p.Advisories = append(p.Advisories, a)
	}
	return p
}

// nameOf returns what an advisory is called: the first of its CVEs, or else the first word that has a number and is no
// placeholder ("CVE-????-????? XSA-312"), or all of the text.
func nameOf(text string, cves []string) string {
	if len(cves) > 0 {
		return cves[0]
	}
	for word := range strings.FieldsSeq(text) {
		if strings.ContainsAny(word, "0123456789") && !strings.Contains(word, "?") {
			return word
		}
	}
	return text
}

// cves returns the CVEs that a text names, each once.
func cves(text string) (all []string) {
	for {
		i := strings.Index(text, "CVE-")
		if i < 0 {
			return all
		}
		text = text[i+len("CVE-"):]
		year := digits(text)
		if len(year) != 4 || !strings.HasPrefix(text[4:], "-") {
			continue
		}
		number := digits(text[5:])
		if name := "CVE-" + year + "-" + number; len(number) >= 4 && len(number) <= 19 && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
}

// digits returns the digits that a text begins with.
func digits(text string) string {
	return text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
}

// isName says whether a text can be part of an ID: one word without a slash.
func isName(text string) bool {
	return text != "" && len(text) <= 256 && !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' || c == '/' || c == '=' })
}

// abbreviate returns the beginning of a text for an error.
func abbreviate(text string) string { return text[:min(len(text), 60)] }

// asked says whether q asks for what is for p, or may.
func asked(q patch.Query, p patch.Platform) bool {
	return len(q.Platforms) == 0 || slices.ContainsFunc(q.Platforms, func(o patch.Platform) bool {
		return (p.OS == "" || o.OS == "" || p.OS == o.OS) &&
			(p.Version == "" || o.Version == "" || begins(p.Version, o.Version) || begins(o.Version, p.Version))
	})
}

// begins says whether the version of a platform, as "3.18.4", begins with short, dot by dot.
func begins(long, short string) bool {
	rest, found := strings.CutPrefix(long, short)
	return found && (rest == "" || rest[0] == '.')
}
